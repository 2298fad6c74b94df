# Trajectories drawn: panels that share their axes, as in lattice.

trajectory_looks <- function(level) {
  looks <- list(
    group = list(colour = plot_colours[["curve"]], lty = 1L, type = "solid"),
    population = list(colour = plot_colours[["mark"]], lty = 2L, type = "dashed")
  )
  looks[level]
}

trajectory_note <- function(data) {
  parts <- c(
    if (data$shown < data$levels) {
      paste0(big_number(data$shown), " of ", big_number(data$levels), " levels of ", data$group)
    },
    if (!is.null(data$band)) paste0(percent(data$coverage), " band: ", data$band)
  )
  if (length(parts)) paste(parts, collapse = "; ")
}

draw_trajectories <- function(data) {
  groups <- levels(data$points$group)
  k <- length(groups)
  size <- panel_grid(k)
  columns <- size[2L]
  old <- graphics::par(mfrow = size, mar = c(0, 0, 1.3, 0), oma = c(3.6, 3.8, 2, 1), mgp = c(2, 0.5, 0), tcl = -0.3)
  on.exit(graphics::par(old))
  xlim <- range(data$points$x, data$lines$x)
  ylim <- range(data$points$y, data$lines$y, data$lines$low, data$lines$high, finite = TRUE)
  for (i in seq_len(k)) {
    draw_trajectory(data, groups[i], xlim, ylim)
    bottom <- i + columns > k
    if (bottom) graphics::axis(1L, cex.axis = 0.85)
    if (i %% columns == 1L || columns == 1L) graphics::axis(2L, las = 1L, cex.axis = 0.85)
  }
  graphics::mtext(data$x, side = 1L, line = 2.2, outer = TRUE, cex = 0.85)
  graphics::mtext(data$y, side = 2L, line = 2.6, outer = TRUE, cex = 0.85)
  trajectory_legend(data)
}

draw_trajectory <- function(data, group, xlim, ylim) {
  graphics::plot(xlim, ylim, type = "n", axes = FALSE, ann = FALSE)
  graphics::title(short_names(group, 18L), line = 0.25, cex.main = 0.95, font.main = 1L)
  graphics::box(col = "grey60")
  band <- data$lines[data$lines$group == group & !is.na(data$lines$low), ]
  if (nrow(band)) {
    graphics::polygon(c(band$x, rev(band$x)), c(band$low, rev(band$high)), col = plot_colours[["band"]], border = NA)
  }
  own <- data$points[data$points$group == group, ]
  graphics::points(own$x, own$y, pch = 16L, cex = 0.9, col = see_through("#4D4D4D", point_alpha(nrow(own))))
  for (level in rev(levels(droplevels(data$lines$level)))) {
    look <- trajectory_looks(level)[[1L]]
    line <- data$lines[data$lines$group == group & data$lines$level == level, ]
    graphics::lines(line$x, line$y, col = look$colour, lty = look$lty, lwd = 1.5)
  }
}

# Above the panels: what the lines are, and how many of the groups there are.
trajectory_legend <- function(data) {
  level <- levels(droplevels(data$lines$level))
  looks <- trajectory_looks(level)
  old <- graphics::par(fig = c(0, 1, 0, 1), oma = c(0, 0, 0, 0), mar = c(0, 0, 0, 0), new = TRUE)
  on.exit(graphics::par(old))
  graphics::plot.new()
  graphics::legend("topright",
    legend = paste0("fitted, ", level), horiz = TRUE, bty = "n", cex = 0.85, lwd = 1.5,
    col = vapply(looks, `[[`, "", "colour"), lty = vapply(looks, `[[`, 0L, "lty"), seg.len = 2.5
  )
  note <- trajectory_note(data)
  if (!is.null(note)) {
    graphics::legend("topleft", legend = note, bty = "n", cex = 0.85, text.col = plot_colours[["grey"]], x.intersp = 0)
  }
}

gg_trajectories <- function(object, x = NULL, group = NULL, n = 16, level = c("group", "population"),
                            interval = c("none", "confidence"), coverage = 0.95, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(gg_trajectories)))
  }
  data <- trajectory_data(object, x, group, n, level, interval, coverage)
  levels(data$points$group) <- levels(data$lines$group) <- make.unique(short_names(levels(data$points$group)))
  looks <- trajectory_looks(levels(droplevels(data$lines$level)))
  of <- function(name) vapply(looks, `[[`, "", name)
  lines <- data$lines
  lines$level <- droplevels(lines$level)
  out <- ggplot2::ggplot(data$points, aes_of(x = "x", y = "y"))
  if (!all(is.na(lines$low))) {
    out <- out + ggplot2::geom_ribbon(aes_of(ymin = "low", ymax = "high"), lines[!is.na(lines$low), ], fill = plot_colours[["band"]])
  }
  out + ggplot2::geom_point(colour = "#4D4D4D", alpha = 0.6, size = 1) +
    ggplot2::geom_line(aes_of(colour = "level", linetype = "level"), lines, linewidth = 0.7) +
    ggplot2::scale_colour_manual("fitted", values = of("colour")) +
    ggplot2::scale_linetype_manual("fitted", values = of("type")) +
    ggplot2::facet_wrap("group") +
    theme_pictures() +
    ggplot2::labs(x = data$x, y = data$y, caption = trajectory_note(data))
}
