# Pictures of a fit with ggplot2: the panels of plot-panels.R as facets.

#' @rdname plot.mixedlm
#' @exportS3Method ggplot2::autoplot
autoplot.mixedlm <- function(object, which = c("residuals", "qq", "scale-location", "ranef-qq"),
                             id = NULL, idLabels = NULL, max_points = 5000, ...) {
  which <- if (missing(which)) default_pictures(object) else choose_pictures(which)
  if (identical(which, "ranef")) {
    return(autoplot.ranef.mixedlm(ranef(object, condVar = TRUE), ...))
  }
  if (identical(which, "trajectories")) {
    return(gg_trajectories(object, ...))
  }
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(autoplot.mixedlm)))
  }
  marked <- marked_rows(object, id, idLabels)
  gg_fit_panels(fit_panels(object, which, check_count(max_points, "max_points", 10L)), marked)
}

# A data frame of one part of all panels, with the facet they belong to.
facet_parts <- function(panels, make) {
  labels <- facet_labels(panels)
  parts <- lapply(seq_along(panels), function(i) {
    part <- make(panels[[i]])
    if (is.null(part) || !nrow(part)) NULL else cbind(part, facet = factor(labels[i], labels))
  })
  do.call(rbind, parts)
}

# Facets have no axis titles of their own: with several, the strip names both axes.
facet_labels <- function(panels) {
  if (length(panels) == 1L) {
    return(panels[[1L]]$title)
  }
  make.unique(vapply(panels, function(p) {
    what <- if (all(is.na(p$row))) short_names(p$title, 40L) else p$ylab
    paste0(what, "\nagainst ", tolower(p$xlab))
  }, ""))
}

gg_fit_panels <- function(panels, marked) {
  points <- facet_parts(panels, function(p) {
    data.frame(x = p$x, y = p$y, row = p$row, shape = p$shape)
  })
  out <- ggplot2::ggplot(points, aes_of(x = "x", y = "y"))
  out <- add_under(out, panels)
  out <- add_points(out, points, max(vapply(panels, `[[`, 0L, "n")))
  curves <- facet_parts(panels, function(p) p$curve)
  if (!is.null(curves)) {
    out <- out + ggplot2::geom_line(data = curves, colour = plot_colours[["mark"]], linewidth = 0.8)
  }
  out <- add_marked(out, points, marked)
  single <- length(panels) == 1L
  title <- function(name) if (single) panels[[1L]][[name]]
  out <- out + theme_pictures() +
    ggplot2::labs(x = title("xlab"), y = title("ylab"), title = title("title"), caption = thinned_note(panels))
  if (single) out else out + ggplot2::facet_wrap("facet", scales = "free", ncol = panel_grid(length(panels))[2L])
}

# Bands and lines.
add_under <- function(out, panels) {
  bands <- facet_parts(panels, function(p) {
    if (is.null(p$band)) {
      return(NULL)
    }
    range <- widened(range(p$y), range(p$band$low, p$band$high))
    data.frame(x = p$band$x, low = pmax(p$band$low, range[1L]), high = pmin(p$band$high, range[2L]))
  })
  if (!is.null(bands)) {
    out <- out + ggplot2::geom_ribbon(aes_of(x = "x", ymin = "low", ymax = "high"), bands,
      inherit.aes = FALSE, fill = plot_colours[["band"]]
    )
  }
  lines <- facet_parts(panels, function(p) {
    if (!is.null(p$line)) data.frame(intercept = p$line[1L], slope = p$line[2L])
  })
  if (!is.null(lines)) {
    out <- out + ggplot2::geom_abline(aes_of(intercept = "intercept", slope = "slope"), lines, colour = plot_colours[["grey"]])
  }
  notes <- facet_parts(panels, function(p) {
    if (!is.null(p$note)) data.frame(x = mean(range(p$x)), y = p$y[1L], note = p$note)
  })
  if (!is.null(notes)) {
    out <- out + ggplot2::geom_text(aes_of(label = "note"), notes, size = 3, colour = plot_colours[["grey"]])
  }
  out
}

add_points <- function(out, points, n) {
  points <- points[points$shape != "none", ]
  sticks <- points$shape == "stick"
  if (any(sticks)) {
    sticked <- points[sticks, ]
    sticked$base <- 0
    out <- out + ggplot2::geom_segment(aes_of(xend = "x", yend = "base"), sticked, colour = plot_colours[["curve"]])
  }
  if (all(sticks)) {
    return(out)
  }
  out + ggplot2::geom_point(
    data = points[!sticks, ], colour = plot_colours[["curve"]],
    alpha = point_alpha(n), size = if (n > 500L) 0.9 else 1.3, shape = 16L
  )
}

add_marked <- function(out, points, marked) {
  # labels stand to the side where there is room
  middle <- stats::ave(points$x, points$facet, FUN = function(x) mean(range(x)))
  points$side <- ifelse(points$x > middle, 1.2, -0.2)
  points <- points[points$row %in% marked$row, ]
  if (!nrow(points)) {
    return(out)
  }
  points$label <- short_names(marked$label[match(points$row, marked$row)])
  out + ggplot2::geom_point(data = points, shape = 1L, colour = plot_colours[["mark"]], size = 2) +
    ggplot2::geom_text(aes_of(label = "label", hjust = "side"), points, size = 2.8)
}
