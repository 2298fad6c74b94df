# Accessors: estimates and the parts of the model, under lme4's names.

#' @importFrom nlme fixef
#' @export
nlme::fixef

#' @importFrom nlme ranef
#' @export
nlme::ranef

#' @importFrom nlme VarCorr
#' @export
nlme::VarCorr

#' Parts of a fit
#'
#' The generics that work on lme4's fits, with the same arguments and shapes.
#'
#' @param object,x,formula,model (`mixedlm`) a fit.
#' @param add.dropped (`logical(1)`) whether aliased fixed effects are shown, as `NA`.
#' @param fixed.only,random.only (`logical(1)`) whether only that part is given.
#' @param type for `model.matrix`: `"fixed"` or `"random"` (one column per level
#'   and column of every term, dense).
#' @param tol (`numeric(1)`) a variance counts as zero when its relative
#'   standard deviation, measured against what the data can resolve, is below
#'   `tol`; a correlation as one when a diagonal element of the Cholesky factor, divided by the
#'   standard deviation, is below `tol`. Neither depends on the units of the data.
#' @param ... not used.
#'
#' @return
#' - `fixef()`: named numeric vector.
#' - `coef()`: list with one data frame per grouping factor, fixed plus random effects of every level.
#' - `sigma()`: residual standard deviation.
#' - `nobs()`: number of rows used. `ngrps()`: named integer, levels per grouping factor, largest first.
#' - `df.residual()`: rows less estimated parameters.
#' - `formula()`: with bars, whichever way the model was given.
#' - `model.frame()`, `model.matrix()`, `terms()`: as for linear models.
#' - `isSingular()`: whether the fit lies on the boundary. `isREML()`, `isLMM()`, `isGLMM()`, `isNLMM()`: logical.
#' - `weights()`: prior weights, ones when none were given. `family()`: the Gaussian family.
#' - `getME()`: a named part of the model: `"X"`, `"y"`, `"theta"`, `"lower"`, `"beta"`, `"fixef"`, `"b"`,
#'   `"Lambda"` (list of the terms' Cholesky factors), `"sigma"`, `"flist"`, `"cnms"`, `"n"`, `"p"`, `"q"`, `"REML"`, `"offset"`, `"mu"`.
#'
#' @name mixedlm-accessors
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' fixef(fit)
#' sigma(fit)
#' ngrps(fit)
#' formula(fit)
#' isSingular(fit)
NULL

#' @rdname mixedlm-accessors
#' @export
fixef.mixedlm <- function(object, add.dropped = FALSE, ...) {
  fe <- field(object, "fe_params")
  if (!isTRUE(add.dropped)) {
    return(fe)
  }
  columns <- field(object, "columns")
  stats::setNames(fe[match(columns, names(fe))], columns)
}

#' @rdname mixedlm-accessors
#' @export
coef.mixedlm <- function(object, ...) {
  fe <- fixef(object)
  effects <- ranef(object)
  out <- lapply(effects, function(b) {
    extra <- setdiff(colnames(b), names(fe))
    names <- c(names(fe), extra)
    value <- matrix(
      c(fe, rep(0, length(extra))), nrow(b), length(names),
      byrow = TRUE, dimnames = list(rownames(b), names)
    )
    value[, colnames(b)] <- value[, colnames(b)] + as.matrix(b)
    as.data.frame(value, optional = TRUE)
  })
  structure(out, class = "coef.mixedlm")
}

#' @export
print.coef.mixedlm <- function(x, ...) {
  print(unclass(x), ...)
  invisible(x)
}

#' @rdname mixedlm-accessors
#' @importFrom stats sigma
#' @export
sigma.mixedlm <- function(object, ...) sqrt(field(object, "scale"))

#' @rdname mixedlm-accessors
#' @importFrom stats nobs
#' @export
nobs.mixedlm <- function(object, ...) length(field(object, "y"))

#' @rdname mixedlm-accessors
#' @importFrom stats df.residual
#' @export
df.residual.mixedlm <- function(object, ...) {
  length(field(object, "y")) - n_parameters(object)
}

# Fixed effects, free variance parameters, and the residual variance.
n_parameters <- function(fit) {
  estimated <- sum(diag(field(fit, "vcov_unscaled")) != 0)
  estimated + sum(!is.na(psi_elements(fit)$free)) + 1L
}

#' @rdname mixedlm-accessors
#' @importFrom stats formula
#' @export
formula.mixedlm <- function(x, fixed.only = FALSE, random.only = FALSE, ...) {
  parsed <- field(x, "parsed")
  if (isTRUE(fixed.only) && isTRUE(random.only)) {
    abort("argument", "`fixed.only` and `random.only` cannot both be TRUE.")
  }
  if (isTRUE(fixed.only)) {
    return(parsed$fixed)
  }
  full <- formula_with_bars(parsed)
  if (!isTRUE(random.only)) {
    return(full)
  }
  bars <- Reduce(function(a, b) call("+", a, b), lapply(parsed$bars, bar_call))
  out <- parsed$fixed
  out[[length(out)]] <- bars
  out
}

# The formula as given when it holds the bars, else the fixed part with bars
# made from the arguments.
formula_with_bars <- function(parsed) {
  if (has_bar(parsed$formula[[length(parsed$formula)]])) {
    return(parsed$formula)
  }
  out <- parsed$fixed
  out[[length(out)]] <- Reduce(
    function(a, b) call("+", a, b), lapply(parsed$bars, bar_call),
    out[[length(out)]]
  )
  out
}

# One random term as a bar; a component within groups is an interaction.
bar_call <- function(bar) {
  lhs <- bar$lhs
  group <- bar$group
  if (bar$kind == "vc") {
    factor <- component_factor(lhs)
    group <- if (is.null(group)) factor else call(":", group, factor)
    lhs <- 1
  }
  inner <- call("|", lhs, group)
  if (bar$kind == "re" && bar$structure == "diagonal") {
    return(call("diag", inner))
  }
  call("(", inner)
}

# quote(0 + cask) -> quote(cask)
component_factor <- function(lhs) {
  if (is.call(lhs) && call_name(lhs) %in% c("+", "-") && length(lhs) == 3L) {
    if (is.numeric(lhs[[3L]])) {
      return(lhs[[2L]])
    }
    if (is.numeric(lhs[[2L]])) {
      return(lhs[[3L]])
    }
  }
  lhs
}

#' @rdname mixedlm-accessors
#' @importFrom stats model.frame
#' @export
model.frame.mixedlm <- function(formula, fixed.only = FALSE, ...) {
  frame <- field(formula, "frame")
  if (!isTRUE(fixed.only)) {
    return(frame)
  }
  terms <- field(formula, "terms")
  variables <- vapply(as.list(attr(terms, "variables"))[-1L], var_name, "")
  frame[intersect(names(frame), variables)]
}

#' @rdname mixedlm-accessors
#' @importFrom stats model.matrix
#' @export
model.matrix.mixedlm <- function(object, type = c("fixed", "random"), ...) {
  type <- choose_one(type, c("fixed", "random"), "type")
  if (type == "random") {
    return(random_matrix(object))
  }
  x <- fixed_matrix(field(object, "terms"), field(object, "frame"), field(object, "contrasts"))
  rownames(x) <- row.names(field(object, "frame"))
  aliased <- field(object, "aliased")
  if (!length(aliased)) {
    return(x)
  }
  keep <- !colnames(x) %in% aliased
  structure(x[, keep, drop = FALSE],
    assign = attr(x, "assign")[keep], contrasts = attr(x, "contrasts")
  )
}

# Z, dense: terms in lme4's order, within a term level by level.
random_matrix <- function(fit) {
  n <- nobs(fit)
  order <- term_order(fit)
  size <- vapply(field(fit, "random"), function(t) t$n_levels * length(t$columns), 0)
  bytes <- 8 * n * sum(size)
  if (bytes > 2^31) {
    abort("memory", sprintf(
      "The dense random-effects matrix would take %.1f GB (%d rows, %.0f columns).",
      bytes / 2^30, n, sum(size)
    ))
  }
  design <- build_design(field(fit, "parsed"), field(fit, "frame"), field(fit, "contrasts"))
  do.call(cbind, lapply(order, function(k) expand_term(design, design$terms[[k]])))
}

# The columns of one term, one set per level.
expand_term <- function(design, term) {
  n <- nrow(design$x)
  z <- term$z %||% cbind(1, design$x)[, term$x_columns + 1L, drop = FALSE]
  f <- design$factors[[term$factor]]
  q <- ncol(z)
  out <- matrix(0, n, q * length(f$levels))
  for (j in seq_len(q)) {
    out[cbind(seq_len(n), (f$codes - 1L) * q + j)] <- z[, j]
  }
  colnames(out) <- rep(f$levels, each = q)
  out
}

#' @rdname mixedlm-accessors
#' @importFrom stats terms
#' @export
terms.mixedlm <- function(x, ...) field(x, "terms")

#' @rdname mixedlm-accessors
#' @importFrom stats weights
#' @export
weights.mixedlm <- function(object, ...) {
  w <- field(object, "weights")
  if (is.null(w)) {
    w <- rep.int(1, nobs(object))
  }
  stats::naresid(field(object, "na.action"), w)
}

#' @rdname mixedlm-accessors
#' @importFrom stats family
#' @export
family.mixedlm <- function(object, ...) stats::gaussian()

#' Update a fit
#'
#' Changes the call of a fit and evaluates it again.
#'
#' @param object (`mixedlm`) a fit.
#' @param formula. changes to the formula as for [stats::update.formula()];
#'   bars and `groups` stay as they are unless they are changed.
#' @param ... other arguments of [mixedlm()]; `NULL` removes one.
#' @param evaluate (`logical(1)`) `FALSE` returns the call.
#' @return A new fit, or the call.
#' @importFrom stats update
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' update(fit, . ~ . + Cu, REML = FALSE)
update.mixedlm <- function(object, formula., ..., evaluate = TRUE) {
  call <- field(object, "call")
  if (is.null(call)) {
    abort("object", "The fit has no call to update.")
  }
  if (!missing(formula.)) {
    call$formula <- stats::update.formula(field(object, "formula"), formula.)
  }
  extras <- match.call(expand.dots = FALSE)$...
  for (name in names(extras)) {
    call[[name]] <- extras[[name]]
  }
  if (!isTRUE(evaluate)) {
    return(call)
  }
  here <- parent.frame()
  there <- environment(field(object, "formula"))
  reachable <- all(vapply(all.vars(call$data), exists, NA, envir = here))
  eval(call, if (reachable || is.null(there)) here else there)
}

# lme4's own generics ---------------------------------------------------------

#' @rdname mixedlm-accessors
#' @export
ngrps <- function(object, ...) UseMethod("ngrps")

#' @export
ngrps.default <- function(object, ...) lme4_default("ngrps", object, ...)

#' @export
ngrps.mixedlm <- function(object, ...) {
  factors <- field(object, "factors")[factor_order(object)]
  stats::setNames(
    vapply(factors, function(f) length(f$levels), 0L),
    vapply(factors, `[[`, "", "name")
  )
}

# lme4's order: factors (and their terms) by decreasing number of levels.
factor_order <- function(fit) {
  n_levels <- vapply(field(fit, "factors"), function(f) length(f$levels), 0L)
  order(-n_levels)
}

term_order <- function(fit) {
  n_levels <- vapply(field(fit, "random"), `[[`, 0L, "n_levels")
  order(-n_levels)
}

#' @rdname mixedlm-accessors
#' @export
isREML <- function(x, ...) UseMethod("isREML")

#' @export
isREML.default <- function(x, ...) lme4_default("isREML", x, ...)

#' @export
isREML.mixedlm <- function(x, ...) field(x, "reml")

#' @rdname mixedlm-accessors
#' @export
isLMM <- function(x, ...) UseMethod("isLMM")

#' @export
isLMM.default <- function(x, ...) lme4_default("isLMM", x, ...)

#' @export
isLMM.mixedlm <- function(x, ...) TRUE

#' @rdname mixedlm-accessors
#' @export
isGLMM <- function(x, ...) UseMethod("isGLMM")

#' @export
isGLMM.default <- function(x, ...) lme4_default("isGLMM", x, ...)

#' @export
isGLMM.mixedlm <- function(x, ...) FALSE

#' @rdname mixedlm-accessors
#' @export
isNLMM <- function(x, ...) UseMethod("isNLMM")

#' @export
isNLMM.default <- function(x, ...) lme4_default("isNLMM", x, ...)

#' @export
isNLMM.mixedlm <- function(x, ...) FALSE

#' @rdname mixedlm-accessors
#' @export
isSingular <- function(x, tol = 1e-4) UseMethod("isSingular")

#' @export
isSingular.default <- function(x, tol = 1e-4) {
  lme4_default("isSingular", x, tol = tol)
}

#' @export
isSingular.mixedlm <- function(x, tol = 1e-4) {
  if (!is_number(tol) || tol < 0) {
    abort("argument", paste0(
      "`tol` must be a number that is not negative; found ", describe(tol), "."
    ), argument = "tol")
  }
  any(relative_diagonals(x) < tol)
}

# Per diagonal element of the Cholesky factors, how far it is from zero, free
# of units: the relative standard deviation against the curvature for a
# variance, and the conditional standard deviation against it for the rest.
relative_diagonals <- function(fit) {
  elements <- psi_elements(fit)
  curvature <- abs(diag(as.matrix(field(fit, "hessian_psi"))))[elements$free]
  diagonal <- which(elements$row == elements$column)
  unlist(lapply(diagonal, function(i) {
    if (is.na(elements$free[i])) {
      return(Inf)
    }
    theta <- field(fit, "theta")[[elements$term[i]]]
    j <- elements$row[i]
    if (elements$psi[i] <= 0) {
      return(0)
    }
    c(
      sqrt(elements$psi[i] * sqrt(curvature[i])),
      theta[j, j] / sqrt(elements$psi[i])
    )
  }))
}

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

# What our copies of lme4's generics do with other objects: lme4's own, called
# from the global environment, where it does not find our default method again.
lme4_default <- function(generic, object, ...) {
  if (!is.object(object) || !requireNamespace("lme4", quietly = TRUE)) {
    abort("argument", paste0(
      generic, "() has no method for ", describe(object), "."
    ))
  }
  do.call(getExportedValue("lme4", generic), list(object, ...), envir = globalenv())
}
