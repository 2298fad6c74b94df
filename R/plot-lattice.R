# lattice's generics, for users of lme4's habits; registered when lattice is loaded.

#' @rdname plot.ranef.mixedlm
#' @param data not used, as in lme4.
#' @param main (`logical(1)`) whether pictures have the name of the grouping factor as title.
#' @param transf (`function`) applied to the effects and the ends of their intervals.
#' @exportS3Method lattice::dotplot
dotplot.ranef.mixedlm <- function(x, data, main = TRUE, transf = I, level = 0.95, ...) {
  check_level(level)
  check_transformation(transf)
  by_factor(x, function(shown, title) {
    shown$grp <- factor(shown$grp, shown$grp[shown$first][order(shown$condval[shown$first])])
    effect_picture(shown, "dot", transf, level, if (isTRUE(main)) title, ...)
  })
}

#' @rdname plot.ranef.mixedlm
#' @exportS3Method lattice::qqmath
qqmath.ranef.mixedlm <- function(x, data, main = TRUE, transf = I, level = 0.95, ...) {
  check_level(level)
  check_transformation(transf)
  by_factor(x, function(shown, title) {
    effect_picture(shown, "qq", transf, level, if (isTRUE(main)) title, ...)
  })
}

#' @rdname plot.mixedlm
#' @param data not used, as in lme4.
#' @exportS3Method lattice::qqmath
qqmath.mixedlm <- function(x, data, id = NULL, idLabels = NULL, ...) {
  marked <- marked_rows(x, id, idLabels)
  value <- plain_residuals(x, TRUE)
  at <- order(value)
  panel <- function(x, ...) {
    lattice::panel.qqmathline(x, col = plot_colours[["grey"]])
    lattice::panel.qqmath(x, ...)
    row <- match(at, marked$row)
    shown <- which(!is.na(row))
    if (length(shown)) {
      lattice::panel.text(stats::qnorm(stats::ppoints(length(at)))[shown], value[at][shown],
        marked$label[row[shown]], pos = 2L, cex = 0.7)
    }
  }
  given <- list(...)
  own <- list(xlab = "Normal quantiles", ylab = "Scaled residuals", panel = panel)
  do.call(lattice::qqmath, c(list(~value, list(value = value)), own[setdiff(names(own), names(given))], given))
}

check_transformation <- function(transf) {
  if (!is.function(transf)) {
    abort("argument", paste0("`transf` must be a function; found ", describe(transf), "."), argument = "transf")
  }
}

# A list of pictures, one per grouping factor.
by_factor <- function(x, make) {
  effects <- shown_effects(x)
  factors <- vapply(effects, `[[`, "", "factor")
  lapply(stats::setNames(names(x), names(x)), function(g) {
    own <- effects[factors == g]
    term <- make.unique(vapply(own, `[[`, "", "effect"))
    shown <- do.call(rbind, lapply(seq_along(own), function(k) {
      e <- own[[k]]
      data.frame(
        grp = e$level, term = factor(term[k], term), condval = e$value,
        sd = e$sd %||% NA_real_, first = k == 1L
      )
    }))
    make(shown, g)
  })
}

effect_picture <- function(shown, kind, transf, level, main, ...) {
  half <- stats::qnorm((1 + level) / 2) * shown$sd
  shown$low <- as.numeric(transf(shown$condval - half))
  shown$high <- as.numeric(transf(shown$condval + half))
  shown$condval <- as.numeric(transf(shown$condval))
  shown$place <- if (kind == "dot") {
    shown$grp
  } else {
    stats::ave(shown$condval, shown$term, FUN = function(v) stats::qnorm(stats::ppoints(length(v)))[rank(v, ties.method = "first")])
  }
  n <- nrow(shown) / nlevels(shown$term)
  free <- list(relation = "free")
  own <- list(
    xlab = if (kind == "dot") NULL else "Conditional modes", ylab = if (kind == "dot") NULL else "Normal quantiles",
    main = main, panel = effect_panel(shown, n), as.table = TRUE, strip = nlevels(shown$term) > 1L || is.null(main),
    prepanel = function(x, subscripts, ...) list(xlim = range(x, shown$low[subscripts], shown$high[subscripts], finite = TRUE)),
    scales = if (kind == "dot") {
      list(x = free, y = if (n > 60L) list(draw = FALSE) else list(cex = if (n > 30L) 0.5 else 0.8))
    } else {
      list(x = free)
    }
  )
  given <- list(...)
  if (isTRUE(own$strip)) own$strip <- NULL
  make <- if (kind == "dot") lattice::dotplot else lattice::xyplot
  keep <- setdiff(names(own), names(given))
  do.call(make, c(list(place ~ condval | term, quote(shown)), own[keep], given))
}

effect_panel <- function(shown, n) {
  function(x, y, subscripts, ...) {
    lattice::panel.abline(v = 0, lty = 3L, col = plot_colours[["grey"]])
    at <- as.numeric(y)
    low <- shown$low[subscripts]
    if (!all(is.na(low))) {
      lattice::panel.segments(low, at, shown$high[subscripts], at, col = plot_colours[["curve"]], alpha = if (n > 200L) 0.4 else 1)
    }
    lattice::panel.points(x, at, pch = 16L, cex = if (n > 100L) 0.3 else 0.6, col = plot_colours[["curve"]])
  }
}
