# getME(): named parts of the model.

#' @rdname mixedlm-accessors
#' @param name (`character(1)`) the part.
#' @export
getME <- function(object, name, ...) UseMethod("getME")

#' @export
getME.default <- function(object, name, ...) lme4_default("getME", object, name, ...)

#' @export
getME.mixedlm <- function(object, name, ...) {
  if (!is_string(name) || is.null(model_parts[[name]])) {
    abort("argument", paste0(
      "`name` must be one of ", paste0("\"", names(model_parts), "\"", collapse = ", "),
      "; found ", describe(name), "."
    ), argument = "name")
  }
  model_parts[[name]](object)
}

model_parts <- list(
  X = function(fit) model.matrix(fit),
  Z = function(fit) random_matrix(fit),
  y = function(fit) field(fit, "y"),
  theta = function(fit) named_theta(fit),
  lower = function(fit) {
    stats::setNames(ifelse(theta_is_diagonal(fit), 0, -Inf), names(named_theta(fit)))
  },
  beta = function(fit) unname(field(fit, "fe_params")),
  fixef = function(fit) field(fit, "fe_params"),
  b = function(fit) unlist(lapply(field(fit, "b")[term_order(fit)], as.numeric)),
  Lambda = function(fit) field(fit, "theta"),
  sigma = function(fit) sigma(fit),
  flist = function(fit) factor_list(fit),
  cnms = function(fit) {
    random <- field(fit, "random")[term_order(fit)]
    stats::setNames(lapply(random, `[[`, "columns"), vapply(random, `[[`, "", "group"))
  },
  n = function(fit) nobs(fit),
  p = function(fit) length(field(fit, "fe_params")),
  q = function(fit) sum(lengths(field(fit, "b"))),
  REML = function(fit) if (field(fit, "reml")) length(field(fit, "fe_params")) else 0L,
  is_REML = function(fit) field(fit, "reml"),
  offset = function(fit) field(fit, "offset") %||% rep.int(0, nobs(fit)),
  mu = function(fit) field(fit, "fitted")
)

# The free elements of the Cholesky factors, lme4's order.
theta_elements <- function(fit) {
  random <- field(fit, "random")
  lapply(term_order(fit), function(k) {
    q <- length(random[[k]]$columns)
    switch(random[[k]]$structure,
      unstructured = which(lower.tri(diag(q), diag = TRUE)),
      diagonal = which(diag(q) == 1),
      scalar = 1L
    )
  })
}

named_theta <- function(fit) {
  random <- field(fit, "random")
  at <- theta_elements(fit)
  unlist(Map(function(k, i) {
    theta <- field(fit, "theta")[[k]]
    names <- random[[k]]$columns
    row <- names[row(theta)[i]]
    column <- names[col(theta)[i]]
    label <- ifelse(row == column, row, paste(row, column, sep = "."))
    stats::setNames(theta[i], paste(random[[k]]$group, label, sep = "."))
  }, term_order(fit), at))
}

theta_is_diagonal <- function(fit) {
  random <- field(fit, "random")
  unlist(Map(function(k, i) {
    q <- length(random[[k]]$columns)
    (row(diag(q)) == col(diag(q)))[i]
  }, term_order(fit), theta_elements(fit)))
}

factor_list <- function(fit) {
  factors <- field(fit, "factors")[factor_order(fit)]
  values <- lapply(factors, function(f) {
    structure(f$codes, levels = f$levels, class = "factor")
  })
  stats::setNames(values, vapply(factors, `[[`, "", "name"))
}
