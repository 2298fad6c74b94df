# The course of each group: its data, its fitted line and the population's.

#' Plot the trajectories of groups
#'
#' A panel for each group with its data points, the line fitted to the group (fixed and random effects) and the line of
#' the population (fixed effects only).
#'
#' @param fit (`mixedlm`) a fit.
#' @param x (`character(1)`) the numeric variable on the horizontal axis. `NULL`: the first numeric predictor that
#'   varies within groups.
#' @param group (`character(1)`) a grouping factor of the fit. `NULL`: that of the first term with several effects, or
#'   else the one with the most levels.
#' @param n (`integer(1)` or `character`) how many groups are shown, evenly spread over the levels; or the names of those to show.
#' @param level (`character`) lines to draw: `"group"`, `"population"` or both.
#' @param interval (`character(1)`) `"confidence"`: a band for the first of these lines, as [predict.mixedlm()] gives it.
#' @param coverage (`numeric(1)`) of the band.
#' @param ... not used.
#' @details
#' `autoplot(fit, which = "trajectories")` draws the same with ggplot2, with the same arguments.
#'
#' Lines are predictions on a grid over the group's range of `x`. Other predictors are held at the group's own value
#' where it has one, else at its mean or its most frequent level; so the population's line differs between groups
#' that differ in them. Random effects of factors that vary within the group, as when factors are crossed, are
#' zero in the group's line.
#' @return A list, invisibly: `points` (data frame of `group`, `x`, `y`, `row`) and `lines` (`group`, `x`, `y`, `level`,
#'   and `low` and `high`, `NA` where there is no band).
#' @section Errors: `mixedlm_error_argument` when `x`, `group`, `n` or `level` cannot be used;
#'   `mixedlm_error_data` when a variable of the model is found no more.
#' @export
#' @seealso [predict.mixedlm()], which makes the lines
#' @examples
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' plot_trajectories(fit, n = 9)
plot_trajectories <- function(fit, x = NULL, group = NULL, n = 16, level = c("group", "population"),
                              interval = c("none", "confidence"), coverage = 0.95, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(plot_trajectories)))
  }
  data <- trajectory_data(fit, x, group, n, level, interval, coverage)
  draw_trajectories(data)
  invisible(data[c("points", "lines")])
}

# --- data -----------------------------------------------------------------------------

# -> list(points, lines, x, y, group, shown, levels): the names of the axes, and the numbers of groups.
trajectory_data <- function(fit, x, group, n, level, interval, coverage) {
  if (!inherits(fit, "mixedlm")) {
    abort("object", paste0("`fit` must be a fit of mixedlm(), not ", describe(fit), "."), argument = "fit")
  }
  check_rows_kept(fit)
  level <- choose_several(level, c("group", "population"), "level")
  interval <- choose_one(interval, c("none", "confidence"), "interval")
  check_coverage(coverage)
  factor <- trajectory_factor(fit, group)
  variables <- model_variables(fit)
  x <- trajectory_x(fit, x, factor, variables)
  shown <- shown_groups(factor, n)
  rows <- which(factor$codes %in% shown)
  name <- base::factor(factor$levels[factor$codes[rows]], factor$levels[shown])
  points <- data.frame(group = name, x = variables[[x]][rows], y = field(fit, "y")[rows], row = rows)
  grid <- trajectory_grid(variables, split(rows, name), x)
  list(
    points = points, lines = trajectory_lines(fit, grid, factor, level, x, interval, coverage),
    x = x, y = one_line(field(fit, "parsed")$response), group = factor$name,
    shown = length(shown), levels = length(factor$levels),
    band = if (interval == "confidence") level[1L], coverage = coverage
  )
}

# The coded factor that the panels are of.
trajectory_factor <- function(fit, group) {
  factors <- field(fit, "factors")
  random <- field(fit, "random")[term_order(fit)]
  names <- vapply(factors, `[[`, "", "name")
  if (is.null(group)) {
    several <- which(vapply(random, function(term) length(term$columns) > 1L, NA))
    return(factors[[random[[c(several, 1L)[1L]]]$factor]])
  }
  if (!is_string(group) || !group %in% names) {
    abort("argument", paste0(
      "`group` must be a grouping factor of the fit (", quote_names(names), "); found ", describe(group), ".",
      if (is_string(group)) suggest(group, names)
    ), argument = "group")
  }
  factors[[match(group, names)]]
}

shown_groups <- function(factor, n) {
  if (is.character(n) && length(n)) {
    at <- match(n, factor$levels)
    if (anyNA(at)) {
      abort("argument", paste0(
        "`n` names ", quote_names(n[is.na(at)]), ", which is not among the levels of ", quote_names(factor$name), ".",
        suggest(n[is.na(at)][1L], factor$levels)
      ), argument = "n")
    }
    return(unique(at))
  }
  spread_out(length(factor$levels), check_count(n, "n"))
}

# The variables that the model is made of, before they are transformed, over the rows of the fit.
model_variables <- function(fit) {
  all <- variables_of_rows(fit)
  needed <- setdiff(all.vars(field(fit, "parsed")$variables[[3L]]), "pi")
  missing <- setdiff(needed, names(all))
  if (length(missing)) {
    env <- environment(field(fit, "formula")) %||% globalenv()
    found <- lapply(stats::setNames(missing, missing), function(v) get0(v, env))
    usable <- vapply(found, function(v) is.atomic(v) && length(v) == nobs(fit), NA)
    if (!all(usable | lengths(found) == 1L)) {
      abort("data", paste0(
        "The variable ", quote_names(missing[!usable][1L]), " of the model is found no more, or not as it was: ",
        "the data of the fit are gone or were changed."
      ), argument = "fit", variable = missing[!usable][1L])
    }
    all <- c(all, found[usable])
  }
  all[intersect(names(all), c(needed, names(field(fit, "frame"))))]
}

trajectory_x <- function(fit, x, factor, variables) {
  response <- all.vars(field(fit, "parsed")$response)
  grouping <- unlist(lapply(field(fit, "parsed")$bars, function(bar) all.vars(bar$group)))
  predictors <- setdiff(all.vars(field(fit, "parsed")$variables[[3L]]), c(response, grouping))
  predictors <- intersect(predictors, names(variables))
  if (is.null(x)) {
    for (name in predictors) {
      if (is_plain_numeric(variables[[name]]) && varies_within(variables[[name]], factor)) {
        return(name)
      }
    }
    abort("argument", paste0(
      "There is no numeric predictor in the model that varies within the levels of ", quote_names(factor$name),
      ", so there are no trajectories to draw."
    ), argument = "x")
  }
  if (!is_string(x) || !x %in% names(variables) || !x %in% c(predictors, grouping)) {
    abort("argument", paste0(
      "`x` must name a predictor of the model (", quote_names(predictors), "); found ", describe(x), ".",
      if (is_string(x)) suggest(x, predictors)
    ), argument = "x")
  }
  if (!is_plain_numeric(variables[[x]])) {
    abort("argument", paste0("`x` must be numeric; ", quote_names(x), " is ", describe(variables[[x]]), "."), argument = "x")
  }
  x
}

is_plain_numeric <- function(v) is.numeric(v) && is.null(dim(v)) && !is.factor(v)

varies_within <- function(v, factor) {
  first <- v[match(seq_along(factor$levels), factor$codes)]
  any(v != first[factor$codes])
}

# The grid of the groups: `x` over the range of each, everything else at what is usual there.
trajectory_grid <- function(variables, rows, x, points = 61L) {
  whole <- range(variables[[x]])
  parts <- lapply(names(rows), function(name) {
    at <- rows[[name]]
    range <- range(variables[[x]][at])
    if (range[1L] == range[2L]) {
      range <- whole
    }
    usual <- lapply(variables, function(v) usual_value(v, at))
    usual[[x]] <- seq(range[1L], range[2L], length.out = points)
    c(list(.panel = name), usual)
  })
  join <- function(name) {
    values <- lapply(parts, function(p) rep(p[[name]], length.out = points))
    if (is.factor(variables[[name]])) unlist(values) else do.call(c, values)
  }
  plain <- Filter(function(name) is.null(dim(variables[[name]])), names(variables))
  grid <- lapply(stats::setNames(c(".panel", plain), c(".panel", plain)), join)
  structure(grid, class = "data.frame", row.names = seq_len(length(parts) * points))
}

usual_value <- function(v, at) {
  if (!is.null(dim(v))) {
    return(NA)
  }
  v <- v[at]
  if (all(v == v[1L])) {
    return(v[1L])
  }
  if (is_plain_numeric(v)) {
    return(mean(v))
  }
  found <- unique(v)
  found[which.max(tabulate(match(v, found)))]
}

# Predictions on the grid.
trajectory_lines <- function(fit, grid, factor, level, x, interval, coverage) {
  panel <- base::factor(grid$.panel, unique(grid$.panel))
  forms <- list(group = constant_effects(fit, factor), population = NA)
  parts <- lapply(level, function(l) {
    band <- interval == "confidence" && l == level[1L]
    value <- stats::predict(fit, grid, re.form = forms[[l]], interval = if (band) "confidence" else "none", level = coverage)
    if (!band) {
      value <- cbind(value, NA, NA)
    }
    data.frame(
      group = panel, x = grid[[x]], y = value[, 1L], level = base::factor(l, c("group", "population")),
      low = value[, 2L], high = value[, 3L], row.names = NULL
    )
  })
  do.call(rbind, parts)
}

# The formula of the random terms whose factor has one level in each group; NULL when all are such.
constant_effects <- function(fit, factor) {
  terms <- terms_of_bars(fit)
  bars <- field(fit, "parsed")$bars
  kept <- vapply(terms, function(term) is_nested(factor, field(fit, "factors")[[term$factor]]), NA)
  if (all(kept)) {
    return(NULL)
  }
  calls <- Map(function(bar, term) bar_call(bar, term, fit), bars[kept], terms[kept])
  make_formula(NULL, Reduce(function(a, b) call("+", a, b), unname(calls)), environment(field(fit, "parsed")$fixed))
}
