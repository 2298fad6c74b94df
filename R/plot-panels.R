# What the panels of a fit show, as plain data: base graphics and ggplot2 draw
# the same.

# A panel is a list: `title`; `x`, `y` and `row` (the row of the fit, NA for random
# effects) of its points; `xlab`, `ylab`; `shape` ("point", "stick", "none"); and, each or NULL,
# `curve` (x, y), `band` (x, low, high), `line` (intercept and slope), `note`.
new_panel <- function(title, x, y, xlab, ylab, row = seq_along(x), shape = "point",
                      curve = NULL, band = NULL, line = NULL, note = NULL) {
  list(
    title = title, x = unname(x), y = unname(y), row = row, xlab = xlab, ylab = ylab,
    shape = shape, curve = curve, band = band, line = line, note = note
  )
}

panel_kinds <- c("residuals", "qq", "scale-location", "ranef-qq", "leverage", "cooks")

# -> list of panels, in the order asked for.
fit_panels <- function(fit, which, max_points) {
  panels <- lapply(which, function(kind) {
    switch(kind,
      residuals = list(residual_panel(fit)),
      qq = list(residual_qq_panel(fit)),
      `scale-location` = list(scale_panel(fit)),
      `ranef-qq` = effect_qq_panels(fit),
      leverage = list(leverage_panel(fit)),
      cooks = list(cooks_panel(fit))
    )
  })
  lapply(unlist(panels, recursive = FALSE), thin_panel, max_points)
}

# Residuals without padding for missing rows; `scaled` by sigma.
plain_residuals <- function(fit, scaled = FALSE) {
  w <- field(fit, "weights")
  r <- (field(fit, "y") - field(fit, "fitted")) * (if (is.null(w)) 1 else sqrt(w))
  if (scaled) r / sigma(fit) else r
}

residual_name <- function(fit) {
  if (is.null(field(fit, "weights"))) "Residuals" else "Pearson residuals"
}

residual_panel <- function(fit) {
  x <- field(fit, "fitted")
  y <- plain_residuals(fit)
  new_panel("Residuals against fitted values", x, y, "Fitted values", residual_name(fit),
    curve = smooth_curve(x, y), line = c(0, 0)
  )
}

scale_panel <- function(fit) {
  x <- field(fit, "fitted")
  y <- sqrt(abs(plain_residuals(fit, TRUE)))
  new_panel("Scale against location", x, y, "Fitted values", "Root of |scaled residuals|",
    curve = smooth_curve(x, y)
  )
}

residual_qq_panel <- function(fit) {
  q <- qq_data(fit)
  qq_panel(q, "Normal QQ of residuals", "Standardized residuals", match(q$label, row.names(field(fit, "frame"))))
}

# One panel per random effect; those of a variance of zero have no standardised values.
effect_qq_panels <- function(fit) {
  q <- qq_data(fit, "ranef")
  random <- field(fit, "random")[term_order(fit)]
  several <- any(vapply(random, function(term) !identical(term$columns, "(Intercept)"), NA))
  names <- unlist(lapply(random, function(term) paste0(term$group, "\r", term$columns)))
  lapply(unique(names), function(name) {
    part <- strsplit(name, "\r", fixed = TRUE)[[1L]]
    title <- if (several) paste0(part[1L], ": ", part[2L]) else part[1L]
    own <- q[q$group == part[1L] & q$effect == part[2L], ]
    qq_panel(own[order(own$theoretical), ], title, "Standardized effects", rep(NA_integer_, nrow(own)))
  })
}

leverage_panel <- function(fit) {
  h <- row_influence(fit, "hatvalues")
  new_panel("Residuals against leverage", h, plain_residuals(fit, TRUE), "Leverage", "Scaled residuals",
    line = c(0, 0)
  )
}

cooks_panel <- function(fit) {
  d <- row_influence(fit, "cooks.distance")
  new_panel("Cook's distance of rows", seq_along(d), d, "Row", "Cook's distance", shape = "stick")
}

# Values of a generic of stats, without the padding for missing rows.
row_influence <- function(fit, name) {
  value <- getExportedValue("stats", name)(fit)
  lost <- field(fit, "na.action")
  unname(if (length(value) > nobs(fit)) value[-lost] else value)
}

# --- quantiles ------------------------------------------------------------------

# What qq_data() made, with the line of the standard normal distribution and its band.
qq_panel <- function(q, title, ylab, row) {
  if (!nrow(q)) {
    return(new_panel(title, 0, 0, "Normal quantiles", ylab, NA_integer_, shape = "none", note = "the variance is zero"))
  }
  i <- tail_first(nrow(q), 200L)
  new_panel(title, q$theoretical, q$standardized, "Normal quantiles", ylab, row,
    line = c(0, 1), band = data.frame(x = q$theoretical[i], low = q$lower[i], high = q$upper[i])
  )
}

# Up to `size` of n ordered places, all of the outermost and fewer of the inner.
tail_first <- function(n, size) {
  if (n <= size) {
    return(seq_len(n))
  }
  end <- size %/% 4L
  inner <- round(n * stats::pnorm(seq(stats::qnorm(end / n), -stats::qnorm(end / n), length.out = size - 2L * end)))
  sort(unique(c(seq_len(end), inner[inner > end & inner <= n - end], seq(n - end + 1L, n))))
}

# --- smoothing and thinning -------------------------------------------------------

# Cleveland's (1979) robust local lines; none where there are few places to join.
smooth_curve <- function(x, y) {
  spread <- diff(range(x))
  if (!is.finite(spread) || spread <= 1e-10 * max(abs(x)) || length(unique(signif(x, 8L))) < 5L) {
    return(NULL)
  }
  out <- stats::lowess(x, y, f = 2 / 3, delta = 0.01 * spread)
  keep <- spread_out(length(out$x), 400L)
  data.frame(x = out$x[keep], y = out$y[keep])
}

# Fewer points where there are too many to see: the outermost stay, as far as
# half of the places go, and of the others every so many-th. Curves and bands are made of all.
thin_panel <- function(panel, size) {
  n <- length(panel$x)
  panel$n <- n
  if (n <= size) {
    return(panel)
  }
  keep <- if (identical(panel$xlab, "Normal quantiles")) {
    tail_first(n, size)
  } else {
    extreme <- utils::head(order(-abs(panel$y - stats::median(panel$y))), size %/% 10L)
    others <- seq_len(n)[-extreme]
    sort(c(extreme, others[spread_out(length(others), size - length(extreme))]))
  }
  for (name in c("x", "y", "row")) {
    panel[[name]] <- panel[[name]][keep]
  }
  panel
}

thinned_note <- function(panels) {
  n <- vapply(panels, `[[`, 0L, "n")
  shown <- vapply(panels, function(p) length(p$x), 0L)
  if (all(shown == n)) {
    return(NULL)
  }
  k <- which.max(n)
  paste0("not every point is drawn: ", big_number(shown[k]), " of ", big_number(n[k]))
}

big_number <- function(n) format(n, big.mark = ",", scientific = FALSE)

# --- random effects -----------------------------------------------------------------

# Per effect: list(factor, effect, label, value, sd (or NULL), level).
shown_effects <- function(effects) {
  one_each <- all(vapply(effects, NCOL, 0L) == 1L)
  parts <- lapply(names(effects), function(g) {
    value <- effects[[g]]
    variance <- attr(value, "postVar")
    if (!is.data.frame(value)) {
      value <- data.frame(`(Intercept)` = unname(value), row.names = names(value), check.names = FALSE)
    }
    sd <- if (!is.null(variance)) conditional_sd(variance)
    lapply(seq_along(value), function(j) {
      name <- names(value)[j]
      intercept <- one_each && name == "(Intercept)"
      list(
        factor = g, effect = name, label = if (intercept) g else paste0(g, ": ", name),
        value = value[[j]], sd = sd[[j]], level = rownames(value)
      )
    })
  })
  unlist(parts, recursive = FALSE)
}
