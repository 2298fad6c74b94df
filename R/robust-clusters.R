# The clusters of a robust covariance: which rows belong together.

# The clusters of the rows as a coded factor, every grouping factor nested in it.
robust_clusters <- function(fit, design, cluster) {
  used <- unique(vapply(design$terms, `[[`, 0L, "factor"))
  factors <- design$factors[used]
  coded <- if (is.null(cluster)) {
    factors[[which.min(vapply(factors, function(f) length(f$levels), 0L))]]
  } else {
    given_clusters(fit, cluster)
  }
  for (f in factors) {
    if (!is_nested(f, coded)) {
      crossed_clusters(f, coded, is.null(cluster))
    }
  }
  if (length(coded$levels) < 2L) {
    abort("robust", paste0(
      "A robust covariance needs at least two clusters; ", quote_names(coded$name),
      " has one."
    ), argument = "cluster")
  }
  coded
}

crossed_clusters <- function(factor, coded, by_default) {
  abort("robust", if (by_default) {
    paste0(
      "The rows do not fall into independent clusters: the grouping factors ",
      quote_names(factor$name), " and ", quote_names(coded$name),
      " are crossed. Give `cluster`, in which every grouping factor is nested."
    )
  } else {
    paste0(
      "The clusters are not independent in this model: the grouping factor ",
      quote_names(factor$name), " is not nested in ", quote_names(coded$name),
      ", so that rows of different clusters share its random effects."
    )
  }, argument = "cluster", factor = factor$name)
}

# `cluster` as a factor, a vector, a string or a one-sided formula.
given_clusters <- function(fit, cluster) {
  if (inherits(cluster, "formula")) {
    if (length(cluster) != 2L) {
      abort("robust", paste0(
        "`cluster` must be a one-sided formula, as in ~ school; found ",
        one_line(cluster), "."
      ), argument = "cluster")
    }
    name <- var_name(cluster[[2L]])
    value <- cluster_variable(fit, cluster[[2L]], name, environment(cluster))
  } else if (is_string(cluster) && nobs(fit) > 1L) {
    name <- cluster
    value <- cluster_variable(fit, as.name(cluster), name, NULL)
  } else {
    name <- "cluster"
    value <- cluster
  }
  if (!is.atomic(value) || is.null(value) || !is.null(dim(value)) || is.complex(value) || is.raw(value)) {
    abort("robust", paste0(
      "`cluster` must be a vector or a factor with one value for each row, the name ",
      "of a column or a one-sided formula, not ", describe(value), "."
    ), argument = "cluster")
  }
  value <- rows_of_fit(fit, value)
  if (anyNA(value)) {
    abort("robust", paste0(
      "The clusters in ", quote_names(name), " are missing for ", sum(is.na(value)),
      " of the rows that the fit uses."
    ), argument = "cluster")
  }
  coded <- code_factor(value, name)
  list(name = name, codes = coded$codes, levels = coded$levels)
}

# A variable in the frame of the fit, in its data, or where its formula was written.
cluster_variable <- function(fit, expr, name, env) {
  frame <- field(fit, "frame")
  if (name %in% names(frame)) {
    return(.subset2(frame, name))
  }
  data <- data_of_fit(fit)
  value <- tryCatch(
    eval(expr, data, env %||% environment(field(fit, "formula")) %||% globalenv()),
    error = function(e) NULL
  )
  if (is.null(value) || is.function(value)) {
    abort("robust", paste0(
      "`cluster` names ", quote_names(name), ", which is neither in the data of the ",
      "fit nor where its formula was written.",
      suggest(name, c(names(frame), if (is.list(data)) names(data)))
    ), argument = "cluster")
  }
  value
}

# What `data` was, if it still exists.
data_of_fit <- function(fit) {
  expr <- field(fit, "call")$data
  if (is.null(expr)) {
    return(NULL)
  }
  env <- environment(field(fit, "formula")) %||% globalenv()
  value <- tryCatch(eval(expr, env), error = function(e) NULL)
  if (is.list(value) || is.environment(value)) value else NULL
}

# A vector over the rows of the data, or over those of the fit, as one over those
# of the fit. Rows are known by their names, which survive `subset`, missing
# values and zero weights.
rows_of_fit <- function(fit, value) {
  frame <- field(fit, "frame")
  n <- nrow(frame)
  if (length(value) == n) {
    return(value)
  }
  data <- data_of_fit(fit)
  at <- if (is.data.frame(data) && nrow(data) == length(value)) {
    match(row.names(frame), row.names(data))
  } else {
    suppressWarnings(as.integer(row.names(frame)))
  }
  if (anyNA(at) || any(at < 1L | at > length(value)) || length(value) < n) {
    abort("robust", sprintf(
      "`cluster` must have one value for each row of the data or for each of the %d rows of the fit, not %d.",
      n, length(value)
    ), argument = "cluster")
  }
  value[at]
}
