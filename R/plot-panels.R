# What the panels of a fit show, as plain data: base graphics and ggplot2 draw
# the same.

# A panel is a list: `title`; `x`, `y` and `row` (the row of the fit, NA for random
# effects) of its points; `xlab`, `ylab`; `shape` ("point", "stick"); and, each or NULL,
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
pearson_residuals <- function(fit, scaled = FALSE) {
  w <- field(fit, "weights")
  r <- (field(fit, "y") - field(fit, "fitted")) * (if (is.null(w)) 1 else sqrt(w))
  if (scaled) r / sigma(fit) else r
}

residual_name <- function(fit) {
  if (is.null(field(fit, "weights"))) "Residuals" else "Pearson residuals"
}

residual_panel <- function(fit) {
  x <- field(fit, "fitted")
  y <- pearson_residuals(fit)
  new_panel("Residuals against fitted values", x, y, "Fitted values", residual_name(fit),
    curve = smooth_curve(x, y), line = c(0, 0)
  )
}

scale_panel <- function(fit) {
  x <- field(fit, "fitted")
  y <- sqrt(abs(pearson_residuals(fit, TRUE)))
  new_panel("Scale against location", x, y, "Fitted values", "Root of |scaled residuals|",
    curve = smooth_curve(x, y)
  )
}

residual_qq_panel <- function(fit) {
  qq_panel(pearson_residuals(fit, TRUE), "Normal QQ of residuals", "Scaled residuals")
}

# One panel per random effect.
effect_qq_panels <- function(fit) {
  effects <- effect_columns(ranef(fit))
  lapply(effects, function(e) {
    panel <- qq_panel(e$value, e$label, "Random effects")
    panel$row <- rep(NA_integer_, length(panel$x))
    panel
  })
}

leverage_panel <- function(fit) {
  h <- row_influence(fit, "hatvalues")
  new_panel("Residuals against leverage", h, pearson_residuals(fit, TRUE), "Leverage", "Scaled residuals",
    line = c(0, 0)
  )
}

cooks_panel <- function(fit) {
  d <- row_influence(fit, "cooks.distance")
  new_panel("Cook's distance of rows", seq_along(d), d, "Row", "Cook's distance", shape = "stick")
}

# hatvalues() and cooks.distance() of stats, without the padding.
row_influence <- function(fit, name) {
  if (is.null(utils::getS3method(name, "mixedlm", optional = TRUE, envir = asNamespace("stats")))) {
    abort("argument", paste0("`which` needs ", name, "(), which has no method for fits here."), argument = "which")
  }
  value <- getExportedValue("stats", name)(fit)
  lost <- field(fit, "na.action")
  unname(if (length(value) > nobs(fit)) value[-lost] else value)
}

# --- quantiles ------------------------------------------------------------------

# Ordered values against normal quantiles, with the line through the quartiles and
# a pointwise 95 % band: the i-th of n uniform order statistics is beta(i, n - i + 1).
qq_panel <- function(value, title, ylab) {
  at <- order(value)
  n <- length(value)
  x <- stats::qnorm(stats::ppoints(n))
  y <- value[at]
  varies <- n > 1L && y[n] - y[1L] > 0
  line <- if (varies) quartile_line(y) else c(y[1L], 0)
  new_panel(title, x, y, "Normal quantiles", ylab,
    row = at, line = line, band = if (varies && n > 2L) qq_band(x, line),
    note = if (all(y == 0)) "all are zero: the variance is zero"
  )
}

quartile_line <- function(y) {
  q <- stats::quantile(y, c(0.25, 0.75), names = FALSE, type = 7L)
  slope <- (q[2L] - q[1L]) / (2 * stats::qnorm(0.75))
  # more than half of the values may be equal
  if (slope <= 0) {
    return(c(mean(y), stats::sd(y)))
  }
  c(mean(q), slope)
}

qq_band <- function(x, line) {
  n <- length(x)
  i <- tail_first(n, 200L)
  data.frame(
    x = x[i],
    low = line[1L] + line[2L] * stats::qnorm(stats::qbeta(0.025, i, n - i + 1)),
    high = line[1L] + line[2L] * stats::qnorm(stats::qbeta(0.975, i, n - i + 1))
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
    sort(unique(c(extreme, spread_out(n, size - length(extreme)))))
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
effect_columns <- function(effects) {
  one_each <- all(vapply(effects, NCOL, 0L) == 1L)
  parts <- lapply(names(effects), function(g) {
    value <- effects[[g]]
    variance <- attr(value, "postVar")
    if (!is.data.frame(value)) {
      value <- data.frame(`(Intercept)` = unname(value), row.names = names(value), check.names = FALSE)
    }
    arrays <- if (is.null(variance) || is.list(variance)) variance else list(variance)
    sd <- unlist(lapply(arrays, function(a) {
      lapply(seq_len(dim(a)[1L]), function(j) sqrt(pmax(a[j, j, ], 0)))
    }), recursive = FALSE)
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
