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

#' @importFrom nlme getData
#' @export
nlme::getData

#' Parts of a fit
#'
#' The generics that work on lme4's fits, with the same arguments and shapes.
#'
#' @param object,x,formula,model (`mixedlm`) a fit.
#' @param add.dropped (`logical(1)`) whether aliased fixed effects are shown, as `NA`.
#' @param fixed.only,random.only (`logical(1)`) whether only that part is given.
#' @param type for `model.matrix`: `"fixed"`; `"random"`, one column per level
#'   and effect of every term, sparse (class `dgCMatrix`); `"randomListRaw"`, a list of the columns of each term. For
#'   `weights`: `"prior"`; working weights belong to generalised models.
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
#' - `formula()`: with bars, whichever way the model was given: what `lmer()` takes for the same model. What older
#'   versions of lme4 have no words for is written as here: `diag(x | g)` for independent effects of a factor's columns,
#'   `diag(x | g, hom = TRUE)` for a component of several columns with one variance (the nearest there is where its
#'   columns were made within each group). Values that `free` holds are not shown.
#' - `model.frame()`, `model.matrix()`, `terms()`: as for linear models.
#'   `terms(fixed.only = FALSE)`: those of the model frame; `terms(random.only = TRUE)`: of the variables of the random part.
#' - `isSingular()`: whether the fit lies on the boundary. `isREML()`, `isLMM()`, `isGLMM()`, `isNLMM()`: logical.
#' - `weights()`: prior weights, ones when none were given. `family()`: the Gaussian family.
#' - `getData()`: the data of the call, evaluated again; `NULL` when there was none.
#'
#' @name mixedlm-accessors
#' @section Errors:
#' `mixedlm_error_argument` for values that cannot be used; `mixedlm_error_removed` for what [remove_data()] took out.
#' @seealso [summary.mixedlm()], [VarCorr.mixedlm()], [ranef.mixedlm()], [logLik.mixedlm()], [getME()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' fixef(fit)
#' sigma(fit)
#' ngrps(fit)
#' formula(fit)
#' isSingular(fit)
#' head(coef(fit)$Pig, 3)
#' dim(model.matrix(fit, "random"))
#' c(isREML(fit), isLMM(fit), isGLMM(fit), isNLMM(fit))
#' identical(getData(fit), dietox)
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
  effects <- ranef(object, condVar = FALSE)
  # columns without a fixed effect come first, in every data frame, as in lme4
  extra <- setdiff(unlist(lapply(effects, names)), names(fe))
  fe <- c(stats::setNames(rep(0, length(extra)), extra), fe)
  out <- lapply(effects, function(b) {
    value <- matrix(
      fe, nrow(b), length(fe),
      byrow = TRUE, dimnames = list(rownames(b), names(fe))
    )
    for (j in seq_along(b)) {
      name <- names(b)[j]
      value[, name] <- value[, name] + b[[j]]
    }
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
nobs.mixedlm <- function(object, ...) n_rows(object)

#' @rdname mixedlm-accessors
#' @importFrom stats df.residual
#' @export
df.residual.mixedlm <- function(object, ...) {
  n_rows(object) - n_parameters(object)
}

# Fixed effects, free variance parameters, and the residual variance.
n_parameters <- function(fit) {
  n_estimated(fit) + sum(!is.na(psi_elements(fit)$free)) + 1L
}

#' @rdname mixedlm-accessors
#' @importFrom stats formula
#' @export
formula.mixedlm <- function(x, fixed.only = FALSE, random.only = FALSE, ...) {
  parsed <- field(x, "parsed")
  check_one_part(isTRUE(fixed.only), isTRUE(random.only))
  if (isTRUE(fixed.only)) {
    return(parsed$fixed)
  }
  if (!isTRUE(random.only)) {
    return(formula_with_bars(x))
  }
  out <- parsed$fixed
  out[[length(out)]] <- sum_of_bars(x)
  out
}

#' @rdname mixedlm-accessors
#' @importFrom stats model.frame
#' @export
model.frame.mixedlm <- function(formula, fixed.only = FALSE, ...) {
  check_rows_kept(formula)
  frame <- field(formula, "frame")
  if (!isTRUE(fixed.only)) {
    return(frame)
  }
  terms <- field(formula, "terms")
  variables <- vapply(as.list(attr(terms, "variables"))[-1L], var_name, "")
  frame[intersect(names(frame), c(variables, "(weights)", "(offset)"))]
}

#' @rdname mixedlm-accessors
#' @importFrom stats model.matrix
#' @export
model.matrix.mixedlm <- function(object, type = c("fixed", "random", "randomListRaw"), ...) {
  type <- choose_one(type, c("fixed", "random", "randomListRaw"), "type")
  if (type == "random") {
    return(random_matrix(object))
  }
  if (type == "randomListRaw") {
    return(raw_columns(object))
  }
  x <- fixed_matrix(field(object, "terms"), field(object, "frame"), field(object, "contrasts"))
  dimnames(x) <- list(row.names(field(object, "frame")), field(object, "columns"))
  aliased <- field(object, "aliased")
  if (!length(aliased)) {
    return(x)
  }
  keep <- !colnames(x) %in% aliased
  structure(x[, keep, drop = FALSE],
    assign = attr(x, "assign")[keep], contrasts = attr(x, "contrasts")
  )
}

#' @rdname mixedlm-accessors
#' @importFrom stats terms
#' @export
terms.mixedlm <- function(x, fixed.only = TRUE, random.only = FALSE, ...) {
  check_one_part(!missing(fixed.only) && isTRUE(fixed.only), isTRUE(random.only))
  if (isTRUE(random.only)) {
    return(random_part_terms(x))
  }
  if (isTRUE(fixed.only)) field(x, "terms") else attr(field(x, "frame"), "terms")
}

# Terms of the variables of the random part, bars read as sums.
random_part_terms <- function(fit) {
  parsed <- field(fit, "parsed")
  sums <- lapply(parsed$bars, function(bar) {
    parts <- if (is.null(bar$group)) list() else group_parts(bar$group)
    call("(", Reduce(function(a, b) call("+", a, b), c(if (!is.numeric(bar$lhs)) bar$lhs, parts)))
  })
  rhs <- Reduce(function(a, b) call("+", a, b), sums)
  tt <- stats::terms.formula(make_formula(parsed$response, rhs, environment(parsed$fixed)))
  frame <- field(fit, "frame")
  frame_terms(tt, attr(frame, "terms"), frame)
}

# Asked for by name, the fixed and the random part exclude each other.
check_one_part <- function(fixed.only, random.only) {
  if (fixed.only && random.only) {
    abort("argument", "`fixed.only` and `random.only` cannot both be TRUE.", argument = "random.only")
  }
}

#' @rdname mixedlm-accessors
#' @importFrom stats weights
#' @export
weights.mixedlm <- function(object, type = c("prior", "working"), ...) {
  type <- choose_one(type, c("prior", "working"), "type")
  if (type == "working") {
    abort("argument", "`type`: working weights are there for generalised models; this one has prior weights only.",
      argument = "type"
    )
  }
  w <- field(object, "weights")
  if (is.null(w)) {
    w <- rep.int(1, nobs(object))
  }
  stats::naresid(field(object, "na.action"), w)
}

#' @rdname mixedlm-accessors
#' @importFrom nlme getData
#' @export
getData.mixedlm <- function(object) {
  call <- field(object, "call")
  if (is.null(call$data)) {
    return(NULL)
  }
  data_again(call$data, list(parent.frame(2L), environment(field(object, "formula"))))$value
}

#' @rdname mixedlm-accessors
#' @importFrom stats family
#' @export
family.mixedlm <- function(object, ...) stats::gaussian()
