# Pictures of a fit with base graphics, and what lme4's habit plot(fit, formula)
# hands over to lattice.

#' Plot a fit
#'
#' Diagnostic pictures. With `which`, by base graphics (`plot()`) or by ggplot2 (`autoplot()`); with a
#' formula, as in lme4 and nlme, by lattice.
#'
#' @param x,object (`mixedlm`) a fit.
#' @param form (`formula`) what to show instead of `which`, with `.` for the fit and any variable of its data:
#'   `resid(., scaled = TRUE) ~ fitted(.) | Pig`. Points for a numeric left side, boxes when one side is a factor, a
#'   histogram when the left side is empty; `|` makes a panel for each level of what follows.
#' @param which (`character`) pictures, any of
#'   - `"residuals"`: residuals (those of type `"pearson"`) against fitted values, with a robust local smoother;
#'   - `"qq"`: normal quantiles of the standardised residuals;
#'   - `"scale-location"`: root of the absolute scaled residuals against fitted values;
#'   - `"ranef-qq"`: normal quantiles of the standardised random effects, a panel for each;
#'   - `"leverage"`, `"cooks"`: scaled residuals against leverages; Cook's distances of the rows;
#'
#'   or one of `"ranef"` (see [plot.ranef.mixedlm()]) and `"trajectories"` (see [plot_trajectories()]), which stand alone.
#' @param id (`numeric(1)` or one-sided `formula`) points to label: the level of a two-sided test of the scaled residuals
#'   against the normal distribution, such as `0.01`; or a formula that gives rows (logical, or their numbers). `NULL`: none.
#' @param idLabels (vector, one per row, or one-sided `formula`) the labels. `NULL`: the levels of the grouping factors;
#'   `~ .obs`: row numbers.
#' @param abline (`numeric(1)` or `numeric(2)`) with `form`: the height of a horizontal line, or intercept and slope.
#' @param grid (`logical(1)`) with `form`: whether a grid is drawn.
#' @param max_points (`integer(1)`) of more points than that, only so many are drawn: the outermost, and of the
#'   others every so many-th. A note tells. Smoothers and bands are made of all.
#' @param ... with `form`, arguments of [lattice::xyplot()], [lattice::bwplot()] or [lattice::histogram()]; for
#'   `"ranef"` and `"trajectories"` their arguments; otherwise nothing. When only arguments of lattice are given,
#'   as in lme4's `plot(fit, type = c("p", "smooth"))`, `form` is `resid(., type = "pearson") ~ fitted(.)`.
#'
#' @details
#' The QQ pictures draw what [qq_data()] gives: values standardised to variance one, the line of the standard normal
#' distribution, and a band that holds 95 % of independent normal values, point by point. A random effect whose
#' variance is zero has an empty panel.
#'
#' Where the screen is already divided by `par(mfrow = )`, the panels fill it one by one; graphical parameters are
#' put back.
#' @return `plot()`: the points that were drawn, invisibly, as a data frame (`panel`, `x`, `y`, `row`);
#'   with `form` an object of class `trellis`. `autoplot()`: a `ggplot`, one facet per picture.
#' @section Errors: `mixedlm_error_argument` for arguments that cannot be used, `mixedlm_error_package` where lattice is
#'   needed and is not installed.
#' @export
#' @seealso [plot.ranef.mixedlm()], [plot_trajectories()], [qq_data()], [plot.influence.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' plot(fit)
#' plot(fit, which = "qq", id = 0.001)
#' if (requireNamespace("lattice", quietly = TRUE)) {
#'   plot(fit, resid(., scaled = TRUE) ~ fitted(.) | Cu, abline = 0)
#' }
plot.mixedlm <- function(x, form = NULL, which = c("residuals", "qq", "scale-location", "ranef-qq"),
                         id = NULL, idLabels = NULL, abline = NULL, grid = TRUE, max_points = 5000, ...) {
  dots <- substitute(list(...))[-1L]
  if (is.null(form) && missing(which) && (!is.null(abline) || are_lattice(dots))) {
    form <- resid(., type = "pearson") ~ fitted(.)
  }
  if (!is.null(form)) {
    if (!missing(which)) {
      abort("argument", "Give `form` or `which`, not both.", argument = "which")
    }
    return(lattice_plot(x, form, id, idLabels, abline, grid, ...))
  }
  which <- if (missing(which)) default_pictures(x) else choose_pictures(which)
  if (identical(which, "ranef")) {
    return(plot(ranef(x, condVar = TRUE), ...))
  }
  if (identical(which, "trajectories")) {
    return(plot_trajectories(x, ...))
  }
  if (length(dots)) {
    check_no_dots(dots, names(formals(plot.mixedlm)))
  }
  marked <- marked_rows(x, id, idLabels)
  panels <- fit_panels(x, which, check_count(max_points, "max_points", 10L))
  draw_fit_panels(panels, marked)
  invisible(panel_points(panels))
}

# Whether there are arguments and all of them are lattice's.
are_lattice <- function(dots) {
  known <- c(
    "type", "col", "pch", "cex", "lty", "lwd", "alpha", "fill", "span", "layout", "aspect", "scales", "xlab", "ylab", "main",
    "sub", "xlim", "ylim", "par.settings", "panel", "strip", "as.table", "between", "auto.key", "key", "groups", "jitter.x",
    "jitter.y", "col.line", "data", "subset"
  )
  length(dots) > 0L && !is.null(names(dots)) && all(names(dots) %in% known)
}

# Residuals cannot be standardised under a penalty on the fixed effects.
default_pictures <- function(fit) {
  setdiff(panel_kinds[1:4], if (penalises_fixed(fit)) "qq")
}

choose_pictures <- function(which) {
  alone <- c("ranef", "trajectories")
  which <- choose_several(which, c(panel_kinds, alone), "which")
  if (length(which) > 1L && any(which %in% alone)) {
    abort("argument", paste0(
      "`which` = \"", intersect(which, alone)[1L], "\" is a picture of its own; ask for it alone."
    ), argument = "which")
  }
  which
}

panel_points <- function(panels) {
  titles <- vapply(panels, `[[`, "", "title")
  parts <- lapply(panels, function(p) {
    if (p$shape != "none") data.frame(panel = factor(p$title, unique(titles)), x = p$x, y = p$y, row = p$row)
  })
  do.call(rbind, parts)
}

# --- drawing --------------------------------------------------------------------------

draw_fit_panels <- function(panels, marked) {
  note <- thinned_note(panels)
  in_panels(length(panels), function() {
    for (panel in panels) {
      draw_fit_panel(panel, marked)
    }
    if (!is.null(note)) {
      graphics::mtext(note, side = 1L, line = if (length(panels) > 1L) 0.2 else -1.2, adj = 0.99, cex = 0.7,
        outer = length(panels) > 1L, col = plot_colours[["grey"]])
    }
  }, mar = c(3.6, 4, 2.2, 0.8), mgp = c(2.5, 0.6, 0), oma = c(if (is.null(note)) 0 else 1.2, 0, 0, 0))
}

draw_fit_panel <- function(panel, marked) {
  y <- range(panel$y, 0[panel$shape == "stick"], finite = TRUE)
  x <- range(panel$x, finite = TRUE)
  if (!is.null(panel$band)) {
    y <- widened(y, range(panel$band$low, panel$band$high))
  }
  empty_panel(x, y, panel$title, panel$xlab, panel$ylab)
  if (!is.null(panel$band)) {
    graphics::polygon(
      c(panel$band$x, rev(panel$band$x)), c(panel$band$low, rev(panel$band$high)),
      col = plot_colours[["band"]], border = NA
    )
  }
  if (!is.null(panel$line)) {
    graphics::abline(panel$line[1L], panel$line[2L], col = plot_colours[["grey"]])
  }
  if (panel$shape == "stick") {
    graphics::segments(panel$x, 0, panel$x, panel$y, col = plot_colours[["curve"]])
  } else if (panel$shape == "point") {
    graphics::points(panel$x, panel$y,
      pch = 16L, cex = if (panel$n > 500L) 0.5 else 0.7,
      col = see_through(plot_colours[["curve"]], point_alpha(panel$n))
    )
  }
  if (!is.null(panel$curve)) {
    graphics::lines(panel$curve$x, panel$curve$y, col = plot_colours[["mark"]], lwd = 2)
  }
  if (!is.null(panel$note)) {
    graphics::mtext(panel$note, side = 3L, line = -1.3, cex = 0.75, col = plot_colours[["grey"]])
  }
  label_marked(panel, marked)
  graphics::box(col = "grey60")
}

# A range with the ends of a band, unless the band is far wider.
widened <- function(range, band) {
  room <- diff(range) / 2
  c(max(min(range[1L], band[1L]), range[1L] - room), min(max(range[2L], band[2L]), range[2L] + room))
}

label_marked <- function(panel, marked) {
  at <- which(panel$row %in% marked$row)
  if (!length(at)) {
    return(invisible())
  }
  label <- short_names(marked$label[match(panel$row[at], marked$row)])
  # to the side where there is room
  right <- panel$x[at] > mean(range(panel$x))
  graphics::points(panel$x[at], panel$y[at], pch = 1L, col = plot_colours[["mark"]])
  graphics::text(panel$x[at], panel$y[at], label, pos = ifelse(right, 2L, 4L), cex = 0.75, offset = 0.3, xpd = NA)
}
