# What a bootstrap shows of itself.

#' @export
print.mixedlm_bootstrap <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  words <- c(parametric = "Parametric", residual = "Residual", case = "Case")
  cat(words[[x$type]], " bootstrap of a mixed model, ", x$R, if (x$R == 1L) " replicate" else " replicates", ", seed ", x$seed, "\n\n", sep = "")
  table <- boot_table(x)
  print(table, digits = digits, na.print = "", ...)
  cat("\n")
  failed <- x$failed
  if (failed$count) {
    cat(failed$count, " of ", x$R, " replicates failed:\n", sep = "")
    cat(paste0("  ", failed$messages, " x ", names(failed$messages), "\n"), sep = "")
  } else {
    cat("No replicate failed.\n")
  }
  boundary <- sum(x$outcome == "boundary")
  if (boundary) {
    cat(
      boundary, " (", format(100 * boundary / x$R, digits = 2L),
      "%) ended on the boundary of the parameter space.\n", sep = ""
    )
  }
  invisible(x)
}

# A row per statistic: estimate, bias, standard error; where they occur, the share of
# replicates at a limit and the number of those without a value.
boot_table <- function(x) {
  t <- x$t
  sound <- stats::complete.cases(t) | rowSums(is.finite(t)) > 0L
  valid <- colSums(is.finite(t))
  centre <- apply(t, 2L, function(v) mean(v[is.finite(v)]))
  table <- cbind(
    Estimate = x$t0, Bias = centre - x$t0,
    `Std. Error` = apply(t, 2L, function(v) stats::sd(v[is.finite(v)]))
  )
  atom <- apply(t, 2L, function(v) sum(boot_atoms(v[is.finite(v)])$share))
  if (any(atom > 0)) {
    table <- cbind(table, `At limit` = ifelse(atom > 0, atom, NA))
  }
  undefined <- sum(sound) - valid
  if (any(undefined > 0)) {
    table <- cbind(table, Undefined = ifelse(undefined > 0, undefined, NA))
  }
  rownames(table) <- names(x$t0)
  table
}

#' @export
summary.mixedlm_bootstrap <- function(object, level = 0.95, ...) {
  limits <- confint(object, level = level, type = "perc")
  structure(
    list(
      table = cbind(boot_table(object)[, 1:3, drop = FALSE], unclass_limits(limits)),
      level = level, notes = attr(limits, "notes"), boot = object
    ),
    class = "summary.mixedlm_bootstrap"
  )
}

#' @export
print.summary.mixedlm_bootstrap <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  print(x$boot, digits = digits)
  cat("\nPercentile intervals:\n")
  print(x$table[, -(2:3), drop = FALSE], digits = digits)
  if (length(x$notes)) {
    cat(paste0("NA: ", x$notes, ".\n"), sep = "")
  }
  invisible(x)
}

#' @export
as.data.frame.mixedlm_bootstrap <- function(x, row.names = NULL, optional = TRUE, ...) {
  out <- as.data.frame(x$t, row.names = row.names, optional = optional)
  out$.outcome <- x$outcome
  out
}

# Values where estimates pile up: 0 of a standard deviation, -1 and 1 of a
# correlation, when they are the least or the greatest of the replicates.
boot_atoms <- function(t) {
  ends <- c(-1, 0, 1)
  count <- vapply(ends, function(e) sum(abs(t - e) < 1e-9), 0L)
  outermost <- vapply(ends, function(e) all(t > e - 1e-9) || all(t < e + 1e-9), NA)
  real <- count > 1L & outermost
  data.frame(at = ends[real], share = count[real] / max(length(t), 1L))
}

# Covariances of the statistics over replicates that have all of them.
#' @export
vcov.mixedlm_bootstrap <- function(object, ...) {
  stats::cov(object$t, use = "na.or.complete")
}

# --- plots --------------------------------------------------------------------

#' Plot bootstrap distributions
#'
#' A histogram of the replicates of each statistic with a density, the estimate (solid
#' line) and an interval (dashed lines). Replicates on the boundary of the parameter space, with a standard deviation of
#' exactly zero or a correlation of one, are not smoothed: they are a bar of their own, and the density is that of the others.
#'
#' @param x,object (`mixedlm_bootstrap`) what [bootstrap()] returned.
#' @param parm (`character` or `integer`) which statistics; default all.
#' @param level,type the interval, as in [confint.mixedlm_bootstrap()].
#' @param ... for `plot()`: passed on to [graphics::hist()]; for `autoplot()`: not used.
#' @return `plot()`: `x`, invisibly. `autoplot()`: a ggplot.
#' @export
#' @section Errors:
#' those of [confint.mixedlm_bootstrap()].
#' @seealso [bootstrap()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' plot(bootstrap(fit, nsim = 500, seed = 1))
plot.mixedlm_bootstrap <- function(x, parm = NULL, level = 0.95, type = "perc", ...) {
  limits <- confint(x, parm, level = level, type = type)
  names <- rownames(limits)
  columns <- ceiling(sqrt(length(names)))
  old <- graphics::par(
    mfrow = c(ceiling(length(names) / columns), columns), mar = c(4, 4, 2.5, 1)
  )
  on.exit(graphics::par(old))
  for (name in names) {
    plot_statistic(x, name, limits[name, ], ...)
  }
  invisible(x)
}

plot_statistic <- function(x, name, limits, ...) {
  t <- x$t[, name]
  t <- t[is.finite(t)]
  if (length(t) < 2L) {
    graphics::plot.new()
    graphics::title(main = name, sub = "no replicates")
    return(invisible())
  }
  parts <- boot_bins(t)
  top <- max(parts$bins$density, parts$curve$y)
  graphics::plot(
    range(parts$bins$left, parts$bins$right, limits, x$t0[[name]], na.rm = TRUE), c(0, 1.08 * top),
    type = "n", xlab = "", ylab = "Density", main = name, las = 1L, ...
  )
  bins <- parts$bins
  graphics::rect(bins$left, 0, bins$right, bins$density,
    col = ifelse(bins$atom, plot_colours[["atom"]], plot_colours[["band"]]), border = "white")
  graphics::lines(parts$curve, col = plot_colours[["curve"]], lwd = 1.5)
  graphics::abline(v = x$t0[[name]], col = plot_colours[["mark"]], lwd = 1.5)
  graphics::abline(v = limits, col = plot_colours[["mark"]], lty = 2L)
  if (nrow(parts$atoms)) {
    text <- paste0(format(100 * parts$atoms$share, digits = 2L), "% at ", parts$atoms$at)
    graphics::mtext(paste(text, collapse = ", "), side = 3L, line = 0.1, adj = 0, cex = 0.7, col = plot_colours[["atom_text"]])
  }
}

# Bars and curve of one statistic. An atom is a bar as wide as the others with an area of
# its share; bars and curve of the rest have the area that remains.
boot_bins <- function(t) {
  atoms <- boot_atoms(t)
  rest <- t
  for (at in atoms$at) {
    rest <- rest[abs(rest - at) >= 1e-9]
  }
  left <- length(rest) / length(t)
  curve <- list(x = numeric(), y = numeric())
  bins <- data.frame(left = numeric(), right = numeric(), density = numeric(), atom = logical())
  spread <- if (length(rest) > 1L) diff(range(rest)) else 0
  if (spread > 0) {
    h <- graphics::hist(rest, breaks = "FD", plot = FALSE)
    if (length(h$breaks) > 80L) {
      h <- graphics::hist(rest, breaks = 60L, plot = FALSE)
    }
    bins <- data.frame(
      left = utils::head(h$breaks, -1L), right = h$breaks[-1L],
      density = h$density * left, atom = FALSE
    )
    smooth <- stats::density(rest, from = min(rest), to = max(rest))
    curve <- list(x = smooth$x, y = smooth$y * left)
  } else if (length(rest)) {
    atoms <- rbind(atoms, data.frame(at = rest[1L], share = left))
  }
  width <- if (nrow(bins)) bins$right[1L] - bins$left[1L] else 1
  if (nrow(atoms)) {
    bins <- rbind(bins, data.frame(
      left = atoms$at - width / 2, right = atoms$at + width / 2,
      density = atoms$share / width, atom = TRUE
    ))
  }
  list(bins = bins, curve = curve, atoms = atoms)
}

#' @rdname plot.mixedlm_bootstrap
#' @exportS3Method ggplot2::autoplot
autoplot.mixedlm_bootstrap <- function(object, parm = NULL, level = 0.95, type = "perc", ...) {
  limits <- confint(object, parm, level = level, type = type)
  names <- rownames(limits)
  parts <- lapply(stats::setNames(names, names), function(name) {
    t <- object$t[, name]
    boot_bins(t[is.finite(t)])
  })
  named <- function(d, name) if (nrow(d)) cbind(d, statistic = factor(name, names))
  bins <- do.call(rbind, lapply(names, function(n) named(parts[[n]]$bins, n)))
  curve <- do.call(rbind, lapply(names, function(n) named(as.data.frame(parts[[n]]$curve), n)))
  lines <- data.frame(
    at = c(object$t0[names], limits[, 1L], limits[, 2L]),
    what = rep(c("estimate", "interval", "interval"), each = length(names)),
    statistic = factor(rep(names, 3L), names)
  )
  lines <- lines[is.finite(lines$at), ]
  left <- right <- density <- atom <- x <- y <- at <- what <- NULL
  ggplot2::ggplot() +
    ggplot2::geom_rect(
      ggplot2::aes(xmin = left, xmax = right, ymin = 0, ymax = density, fill = atom), bins,
      colour = "white"
    ) +
    ggplot2::geom_line(ggplot2::aes(x = x, y = y), curve, colour = plot_colours[["curve"]]) +
    ggplot2::geom_vline(ggplot2::aes(xintercept = at, linetype = what), lines, colour = plot_colours[["mark"]]) +
    ggplot2::facet_wrap("statistic", scales = "free") +
    theme_pictures() +
    ggplot2::scale_fill_manual(
      values = c(`FALSE` = plot_colours[["band"]], `TRUE` = plot_colours[["atom"]]), labels = c(`FALSE` = "elsewhere", `TRUE` = "on the boundary"),
      name = "replicates", guide = if (any(bins$atom)) "legend" else "none"
    ) +
    ggplot2::scale_linetype_manual(values = c(estimate = "solid", interval = "dashed"), name = NULL) +
    ggplot2::labs(x = NULL, y = "Density")
}
