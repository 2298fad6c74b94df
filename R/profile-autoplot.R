# Likelihood profiles with ggplot2, which is not needed otherwise: the method is
# registered with it when it is loaded.

#' @rdname plot.mixedlm_profiles
#' @exportS3Method ggplot2::autoplot
autoplot.mixedlm_profiles <- function(object, type = c("zeta", "density", "pairs"), which = NULL,
                                      levels = c(0.5, 0.8, 0.9, 0.95, 0.99), ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(autoplot.mixedlm_profiles)))
  }
  type <- choose_one(type, c("zeta", "density", "pairs"), "type")
  names <- drawn_profiles(object, which)
  levels <- check_coverages(levels)
  switch(type,
    zeta = gg_zeta(object, names, levels),
    density = gg_density(object, names),
    pairs = gg_pairs(object, names, levels)
  )
}

of_profiles <- function(names, make) {
  out <- do.call(rbind, lapply(names, make))
  out$parameter <- factor(out$parameter, levels = names)
  out
}

profile_estimates <- function(x, names) {
  data.frame(
    parameter = factor(names, levels = names),
    value = unname(attr(x, "estimates")[names]), zeta = 0
  )
}

gg_zeta <- function(x, names, levels) {
  curves <- of_profiles(names, function(name) zeta_curve(x, name))
  marks <- of_profiles(names, function(name) {
    limits <- level_limits(x, name, levels)
    data.frame(
      parameter = name, value = c(limits$low, limits$high),
      zeta = c(ifelse(limits$open_low, NA, -limits$cutoff), ifelse(limits$open_high, NA, limits$cutoff)),
      base = 0
    )
  })
  points <- of_profiles(names, function(name) {
    at <- x$.par == name
    data.frame(parameter = name, value = x[[name]][at], zeta = x$.zeta[at])
  })
  ggplot2::ggplot(curves, aes_of(x = "value", y = "zeta")) +
    ggplot2::geom_hline(yintercept = 0, colour = "grey80") +
    ggplot2::geom_segment(
      aes_of(x = "value", xend = "value", y = "base", yend = "zeta"),
      data = marks[!is.na(marks$zeta), ], colour = plot_colours[["grey"]], linewidth = 0.4
    ) +
    ggplot2::geom_line(colour = plot_colours[["curve"]], linewidth = 0.8) +
    ggplot2::geom_point(data = points, colour = plot_colours[["curve"]], size = 0.8) +
    ggplot2::geom_point(
      data = profile_estimates(x, names), shape = 21L, fill = "white",
      colour = plot_colours[["mark"]], size = 2
    ) +
    ggplot2::facet_wrap("parameter", scales = "free_x") +
    theme_pictures() +
    ggplot2::labs(x = NULL, y = "zeta", caption = intervals_caption(levels))
}

gg_density <- function(x, names) {
  curves <- of_profiles(names, function(name) density_curve(x, name))
  ggplot2::ggplot(curves, aes_of(x = "value", y = "density")) +
    ggplot2::geom_hline(yintercept = 0, colour = "grey80") +
    ggplot2::geom_vline(
      aes_of(xintercept = "value"),
      data = profile_estimates(x, names), linetype = "dotted", colour = plot_colours[["grey"]]
    ) +
    ggplot2::geom_line(colour = plot_colours[["curve"]], linewidth = 0.8) +
    ggplot2::facet_wrap("parameter", scales = "free") +
    theme_pictures() +
    ggplot2::labs(x = NULL, y = "density")
}

gg_pairs <- function(x, names, levels) {
  check_pairs(names)
  at <- which(lower.tri(diag(length(names))), arr.ind = TRUE)
  panels <- paste(names[at[, 1L]], "against", names[at[, 2L]])
  lines <- lapply(seq_along(panels), function(i) {
    pair <- pair_curves(x, names[at[i, 2L]], names[at[i, 1L]], levels, FALSE)
    pieces <- rbind(
      data.frame(x = pair$contours$x, y = pair$contours$y, line = pair$contours$level, kind = "contour"),
      data.frame(x = pair$traces$x, y = pair$traces$y, line = 2 + (pair$traces$trace == names[at[i, 1L]]), kind = "trace")
    )
    # a gap in a line starts a new one
    pieces$piece <- paste(pieces$line, cumsum(is.na(pieces$x)))
    pieces$panel <- factor(panels[i], levels = panels)
    pieces[!is.na(pieces$x), ]
  })
  ggplot2::ggplot(do.call(rbind, lines), aes_of(x = "x", y = "y", group = "piece")) +
    ggplot2::geom_path(aes_of(colour = "kind", linetype = "kind")) +
    ggplot2::scale_colour_manual(
      NULL, values = c(contour = plot_colours[["curve"]], trace = plot_colours[["mark"]])
    ) +
    ggplot2::scale_linetype_manual(NULL, values = c(contour = "solid", trace = "dashed")) +
    ggplot2::facet_wrap("panel", scales = "free") +
    theme_pictures() +
    ggplot2::labs(
      x = NULL, y = NULL,
      caption = paste0("contours: ", paste(format(100 * levels, trim = TRUE), collapse = ", "), " % (two parameters)")
    )
}
