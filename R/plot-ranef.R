# Random effects: caterpillar pictures, with base graphics and with ggplot2.

#' Plot random effects
#'
#' A panel for each random effect of each grouping factor: the conditional modes of the levels, with intervals
#' made of their conditional standard deviations where `ranef(fit, condVar = TRUE)` gave them.
#'
#' @param x,object (`ranef.mixedlm`) what [ranef.mixedlm()] returned; for `plot()` also what `coef()` of a fit returned.
#' @param level (`numeric(1)`) of the intervals: mode plus and minus normal quantiles times the conditional standard
#'   deviation, the parameters of the model taken as known.
#' @param order (`character(1)`) of the levels: `"first"`: by the first effect of the factor, so that its panels line up;
#'   `"each"`: every panel by its own effect; `"level"`: as the levels of the factor are ordered.
#' @param max_levels (`integer(1)`) of more levels than that, only so many are drawn, evenly spread over their order, the
#'   smallest and the largest among them. A note tells.
#' @param ... not used.
#' @details
#' Names of levels are left out where there is no room for them.
#' `lattice::dotplot()` and `lattice::qqmath()` draw the same in lattice, as lme4's methods do: they return a list with
#' one picture per grouping factor. (lme4's `plot()` of random effects shows normal quantiles; see
#' `plot(fit, which = "ranef-qq")`.)
#' @return `plot()`: what was drawn, invisibly, as a data frame: `grpvar`, `term`, `grp`, `condval`, `condsd`
#'   (`NA` without), `place` (1 for the smallest), `low`, `high`. `autoplot()`: a `ggplot`.
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used; `mixedlm_error_package` where ggplot2 is needed
#' and is not installed.
#' @seealso [ranef.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' plot(ranef(fit, condVar = TRUE))
#' plot(ranef(fit, condVar = TRUE), order = "each", level = 0.5)
plot.ranef.mixedlm <- function(x, level = 0.95, order = c("first", "each", "level"), max_levels = 1000, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(plot.ranef.mixedlm)))
  }
  shown <- caterpillar_data(x, level, order, max_levels)
  panels <- split(shown, shown$panel, drop = TRUE)
  note <- caterpillar_note(shown, level)
  in_panels(length(panels), function() {
    for (panel in panels) {
      draw_caterpillar(panel)
    }
    if (nzchar(note)) {
      graphics::mtext(note, side = 1L, line = 0.2, outer = TRUE, adj = 0.99, cex = 0.7, col = plot_colours[["grey"]])
    }
  }, mar = c(2.4, 2, 2.2, 0.8), mgp = c(2, 0.5, 0), oma = c(1.2, 0, 0, 0))
  invisible(shown[setdiff(names(shown), c("panel", "n"))])
}

#' @rdname plot.ranef.mixedlm
#' @details
#' `plot(coef(fit))` shows the coefficients of the groups, those that differ between them, in the same way, without
#' intervals.
#' @export
plot.coef.mixedlm <- function(x, ...) {
  varying <- lapply(unclass(x), function(table) {
    table[vapply(table, function(v) any(v != v[1L]), NA)]
  })
  varying <- varying[lengths(varying) > 0L]
  plot.ranef.mixedlm(structure(varying, class = "ranef.mixedlm"), ...)
}

# -> a row per effect and level that is drawn.
caterpillar_data <- function(x, level, order, max_levels) {
  check_level(level)
  by <- choose_one(order, c("first", "each", "level"), "order")
  size <- check_count(max_levels, "max_levels", 2L)
  effects <- shown_effects(x)
  if (!length(effects)) {
    abort("argument", "There are no random effects to draw.", argument = "x")
  }
  labels <- make.unique(vapply(effects, `[[`, "", "label"))
  first <- !duplicated(vapply(effects, `[[`, "", "factor"))
  parts <- vector("list", length(effects))
  for (k in seq_along(effects)) {
    e <- effects[[k]]
    if (first[k] || by == "each") {
      sorted <- if (by == "level") rev(seq_along(e$value)) else order(e$value)
    }
    n <- length(sorted)
    keep <- sorted[spread_out(n, size)]
    sd <- if (is.null(e$sd)) NA_real_ else e$sd[keep]
    half <- stats::qnorm((1 + level) / 2) * sd
    parts[[k]] <- data.frame(
      grpvar = e$factor, term = e$effect, grp = e$level[keep], condval = e$value[keep],
      condsd = sd, place = seq_along(keep), low = e$value[keep] - half, high = e$value[keep] + half,
      panel = factor(labels[k], labels), n = n
    )
  }
  do.call(rbind, parts)
}

caterpillar_note <- function(shown, level) {
  count <- table(shown$panel)
  k <- which.max(tapply(shown$n, shown$panel, max))
  n <- max(shown$n)
  parts <- c(
    if (!all(is.na(shown$condsd))) paste0("intervals: ", percent(level), ", given the parameters"),
    if (count[k] < n) paste0(big_number(as.integer(count[k])), " of ", big_number(n), " levels are drawn")
  )
  paste(parts, collapse = "; ")
}

draw_caterpillar <- function(panel) {
  n <- nrow(panel)
  label <- short_names(panel$grp, 20L)
  # lines of text that fit into the height of a panel, at the smallest legible size
  height <- graphics::par("pin")[2L]
  size <- min(0.8, 0.9 * height / (n * graphics::par("csi") / graphics::par("cex")))
  named <- size >= 0.4
  old <- graphics::par("mai")
  on.exit(graphics::par(mai = old))
  graphics::par(mai = replace(old, 2L, if (named) {
    min(0.25 + max(graphics::strwidth(label, "inches", cex = size)), 0.4 * graphics::par("fin")[1L])
  } else {
    0.35
  }))
  x <- range(panel$condval, panel$low, panel$high, 0, finite = TRUE)
  graphics::plot(x, c(0.5, n + 0.5), type = "n", xlab = "", ylab = "", yaxt = "n", yaxs = "i")
  graphics::title(as.character(panel$panel[1L]), adj = 0, cex.main = 1, line = 0.6)
  graphics::abline(v = 0, col = plot_colours[["grey"]], lty = 3L)
  graphics::segments(panel$low, panel$place, panel$high, panel$place,
    col = see_through(plot_colours[["curve"]], if (n > 200L) 0.35 else 0.8))
  graphics::points(panel$condval, panel$place, pch = 16L, cex = if (n > 100L) 0.3 else if (n > 30L) 0.5 else 0.7, col = plot_colours[["curve"]])
  if (named) {
    graphics::axis(2L, panel$place, label, las = 1L, cex.axis = size, tick = FALSE, mgp = c(0, 0.2, 0), gap.axis = -1)
  } else {
    graphics::mtext(paste(big_number(panel$n[1L]), "levels"), side = 2L, line = 0.3, cex = 0.7, col = plot_colours[["grey"]])
  }
  graphics::box(col = "grey60")
}

#' @rdname plot.ranef.mixedlm
#' @exportS3Method ggplot2::autoplot
autoplot.ranef.mixedlm <- function(object, level = 0.95, order = c("first", "each", "level"), max_levels = 1000, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(autoplot.ranef.mixedlm)))
  }
  shown <- caterpillar_data(object, level, order, max_levels)
  note <- caterpillar_note(shown, level)
  # places are the same in every panel, names are not: a discrete scale of both
  key <- paste(as.integer(shown$panel), shown$place, sep = "\r")
  shown$key <- factor(key, unique(key[order(as.integer(shown$panel), shown$place)]))
  name <- stats::setNames(short_names(shown$grp), key)
  crowded <- max(table(shown$panel)) > 80L
  n <- max(table(shown$panel))
  out <- ggplot2::ggplot(shown, aes_of(x = "condval", y = "key")) +
    ggplot2::geom_vline(xintercept = 0, linetype = "dotted", colour = plot_colours[["grey"]])
  if (!all(is.na(shown$condsd))) {
    out <- out + ggplot2::geom_segment(aes_of(x = "low", xend = "high", yend = "key"),
      colour = plot_colours[["curve"]], alpha = if (n > 200L) 0.35 else 0.8)
  }
  out + ggplot2::geom_point(colour = plot_colours[["curve"]], size = if (n > 100L) 0.4 else if (n > 30L) 0.9 else 1.5) +
    ggplot2::facet_wrap("panel", scales = "free", ncol = panel_grid(nlevels(shown$panel))[2L]) +
    ggplot2::scale_y_discrete(labels = function(keys) name[keys], breaks = if (crowded) NULL else ggplot2::waiver()) +
    theme_pictures() +
    ggplot2::theme(
      panel.grid.major.y = ggplot2::element_blank(),
      axis.text.y = ggplot2::element_text(size = if (n > 40L) 5 else if (n > 20L) 7 else 9)
    ) +
    ggplot2::labs(x = NULL, y = NULL, caption = if (nzchar(note)) note)
}
