# Influence of groups, or rows: an index picture of Cook's distances.

#' Plot influence
#'
#' Cook's distances (on the classical scale, see [influence-measures]) of the groups or rows that were left out in turn, the
#' largest labelled. Deletions that leave some fixed effect undetermined are not shown.
#'
#' @param x,object what `influence()` of a fit returned.
#' @param labels (`integer(1)`) how many of the largest are labelled.
#' @param sort (`logical(1)`) whether the groups are sorted by their distance.
#' @param ... not used.
#' @return `plot()`: what was drawn, invisibly, as a data frame: `name`, `distance`, `place`, `labelled`.
#'   `autoplot()`: a `ggplot`.
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used; `mixedlm_error_package` where ggplot2 is needed
#' and is not installed.
#' @seealso [influence.mixedlm()], [influence-measures]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' plot(influence(fit, groups = "Pig"), labels = 3)
#' @export
plot.influence.mixedlm <- function(x, labels = 5, sort = FALSE, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(plot.influence.mixedlm)))
  }
  shown <- influence_data(x, labels, sort)
  in_panels(1L, function() {
    empty_panel(range(shown$place), c(0, 1.08 * max(shown$distance, 0)), "Cook's distance", attr(shown, "axis"), "Cook's distance")
    graphics::segments(shown$place, 0, shown$place, shown$distance, col = plot_colours[["curve"]], lwd = if (nrow(shown) < 100L) 2 else 1)
    top <- shown[shown$labelled, ]
    if (nrow(top)) {
      graphics::text(top$place, top$distance, short_names(top$name), pos = 3L, cex = 0.75, offset = 0.25, xpd = NA)
    }
  }, mar = c(3.6, 4.2, 2.2, 0.8), mgp = c(2.7, 0.6, 0))
  invisible(data.frame(shown[c("name", "distance", "place", "labelled")]))
}

#' @rdname plot.influence.mixedlm
#' @exportS3Method ggplot2::autoplot
autoplot.influence.mixedlm <- function(object, labels = 5, sort = FALSE, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(autoplot.influence.mixedlm)))
  }
  shown <- influence_data(object, labels, sort)
  what <- attr(shown, "axis")
  shown$base <- 0
  top <- shown[shown$labelled, ]
  top$name <- short_names(top$name)
  ggplot2::ggplot(shown, aes_of(x = "place", y = "distance")) +
    ggplot2::geom_segment(aes_of(xend = "place", yend = "base"), colour = plot_colours[["curve"]]) +
    ggplot2::geom_text(aes_of(label = "name"), top, size = 3, vjust = -0.4) +
    ggplot2::scale_y_continuous(expand = ggplot2::expansion(c(0, 0.1))) +
    theme_pictures() +
    ggplot2::labs(x = what, y = "Cook's distance")
}

# Deletions without an estimate have no distance and are left out.
influence_data <- function(x, labels, sort) {
  count <- check_count(labels, "labels", 0L)
  if (!is_flag(sort)) {
    abort("argument", paste0("`sort` must be TRUE or FALSE; found ", describe(sort), "."), argument = "sort")
  }
  d <- stats::cooks.distance(x, scale = "classical")
  name <- names(d) %||% as.character(seq_along(d))
  place <- if (sort) rank(-d, ties.method = "first") else seq_along(d)
  out <- data.frame(name = name, distance = as.numeric(d), place = place)[is.finite(d), ]
  if (!nrow(out)) {
    abort("argument", "There is nothing to draw: no deletion has a Cook's distance.", argument = "x")
  }
  out$labelled <- rank(-out$distance, ties.method = "first") <= count
  structure(out, axis = if (identical(x$groups, "case")) "Row left out" else paste(x$groups, "left out"))
}
