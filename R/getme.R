# getME(): named parts of the model, under lme4's names.

#' Parts of a model by name
#'
#' Every component that lme4's `getME()` knows, with its name, shape and order, for
#' fits of either vocabulary.
#'
#' @param object (`mixedlm`) a fit.
#' @param name (`character`) one name, see below; several names, or `"ALL"`, give a list.
#' @param ... not used.
#'
#' @details
#' In the notation of Bates et al. (2015): `y = X beta + Z b + offset + e`, `b = Lambda u`, `u ~ N(0, sigma^2 I)`, and
#' `W` the diagonal matrix of the prior weights. Random terms are in lme4's order, by falling number of levels; the
#' columns of `Z` level by level within a term. Sparse matrices have Matrix's classes.
#'
#' | name | meaning |
#' |---|---|
#' | `"X"`, `"Z"`, `"Zt"` | designs of the fixed and of the random effects (sparse), and `t(Z)` |
#' | `"Ztlist"`, `"mmList"` | rows of `Zt` for each effect of each term; raw columns of each term |
#' | `"y"`, `"mu"`, `"offset"` | response, fitted values, offset (zeros when there is none), rows used |
#' | `"b"`, `"u"` | random effects and spherical random effects |
#' | `"theta"`, `"par"`, `"lower"` | relative Cholesky factors, column by column; the same without names; their lower bounds |
#' | `"devarg"`, `"npar"` | lme4 2's names of `theta` and of its length |
#' | `"Lambda"`, `"Lambdat"`, `"Lind"` | relative covariance factor, sparse, its transpose, and which `theta` each of its elements is |
#' | `"Tlist"`, `"ST"` | Cholesky factor of each term; the same as unit triangle and diagonal in one matrix |
#' | `"Gp"`, `"Tp"` | where the columns of `Z` and the elements of `theta` of each term begin |
#' | `"A"`, `"L"` | `Lambda'Z'`; the sparse Cholesky factor of `Lambda'Z'WZ Lambda + I` with its permutation |
#' | `"RZX"`, `"RX"` | the rest of the Cholesky factor of the mixed model equations |
#' | `"fixef"`, `"beta"`, `"sigma"` | fixed effects, the same without names, residual standard deviation |
#' | `"flist"`, `"cnms"` | grouping factors (with the attribute `assign`: which of them each term has); names of the effects |
#' | `"REML"`, `"is_REML"` | number of fixed effects for REML, 0 for ML; whether REML |
#' | `"N"`, `"n"`, `"p"`, `"q"` | rows of `X`, length of `y`, columns of `X` and of `Z` |
#' | `"n_rtrms"`, `"k"`, `"n_rfacs"` | number of random terms (twice) and of grouping factors |
#' | `"p_i"`, `"q_i"`, `"l_i"`, `"m_i"`, `"m"` | effects and columns of `Z` of each term, levels of each factor, parameters of each term and in all |
#' | `"devcomp"` | parts of the criterion (`cmp`) and sizes (`dims`) |
#' | `"devfun"` | the criterion as a function of `theta` |
#' | `"glmer.nb.theta"` | `NA`: not such a model |
#'
#' Where lme4 1.1 is at odds with itself the documented meaning is given: `mmList`, `p_i` and `m_i` are in the order of
#' `cnms`, and `q_i` is the number of columns of each term when factors have several terms.
#'
#' @return The part, or a named list of parts.
#' @section Errors: `mixedlm_error_argument` for a name that is not known; `mixedlm_error_memory` when a part is too large to be made.
#' @references
#' Bates D, Maechler M, Bolker B, Walker S (2015). Fitting linear mixed-effects
#' models using lme4. *Journal of Statistical Software* **67**(1), 1-48.
#' @export
#' @seealso [as.function.mixedlm()], [mixedlm-accessors]
#' @examples
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' getME(fit, "theta")
#' dim(getME(fit, "Z"))
#' str(getME(fit, c("Gp", "cnms", "lower")))
getME <- function(object, name, ...) UseMethod("getME")

#' @export
getME.default <- function(object, name, ...) lme4_default("getME", object, name, ...)

#' @export
getME.mixedlm <- function(object, name, ...) {
  if (missing(name)) {
    abort("argument", "`name` is missing: which part of the model?", argument = "name")
  }
  known <- names(model_parts)
  if (!is.character(name) || !length(name)) {
    abort_part(name, known)
  }
  if (identical(name, "ALL")) {
    name <- known
  }
  unknown <- name[!name %in% known]
  if (length(unknown)) {
    abort_part(unknown[1L], known)
  }
  if (length(name) == 1L) {
    return(model_parts[[name]](object))
  }
  sapply(name, function(part) model_parts[[part]](object), simplify = FALSE)
}

abort_part <- function(name, known) {
  abort("argument", paste0(
    "`name` must be \"ALL\" or among ", paste0("\"", known, "\"", collapse = ", "), "; found ",
    describe(name), ".", if (is_string(name)) suggest(name, known)
  ), argument = "name")
}

model_parts <- list(
  X = function(fit) model.matrix(fit),
  Z = function(fit) random_matrix(fit),
  Zt = function(fit) random_matrix(fit, transposed = TRUE),
  Ztlist = function(fit) random_matrix_parts(fit),
  mmList = function(fit) raw_columns(fit),
  y = function(fit) field(fit, "y"),
  mu = function(fit) field(fit, "fitted"),
  u = function(fit) spherical_effects(fit),
  b = function(fit) Matrix::Matrix(effects_vector(fit), ncol = 1L, sparse = FALSE, doDiag = FALSE),
  Gp = function(fit) as.integer(c(0, cumsum(term_sizes(fit)))),
  Tp = function(fit) theta_pointers(fit),
  L = function(fit) sparse_factor(fit),
  Lambda = function(fit) Matrix::t(lambda_transposed(fit)),
  Lambdat = function(fit) lambda_transposed(fit),
  Lind = function(fit) theta_places(fit),
  Tlist = function(fit) theta_list(fit),
  A = function(fit) lambda_transposed(fit) %*% random_matrix(fit, transposed = TRUE),
  RX = function(fit) fixed_factor(fit),
  RZX = function(fit) cross_factor(fit),
  sigma = function(fit) sigma(fit),
  flist = function(fit) factor_list(fit),
  fixef = function(fit) field(fit, "fe_params"),
  beta = function(fit) unname(field(fit, "fe_params")),
  theta = function(fit) named_theta(fit),
  par = function(fit) unname(named_theta(fit)),
  devarg = function(fit) named_theta(fit),
  npar = function(fit) length(named_theta(fit)),
  ST = function(fit) lapply(theta_list(fit), scale_and_triangle),
  REML = function(fit) if (field(fit, "reml")) length(field(fit, "fe_params")) else 0L,
  is_REML = function(fit) field(fit, "reml"),
  n_rtrms = function(fit) length(field(fit, "random")),
  n_rfacs = function(fit) length(field(fit, "factors")),
  N = function(fit) nobs(fit),
  n = function(fit) nobs(fit),
  p = function(fit) length(field(fit, "fe_params")),
  q = function(fit) sum(lengths(field(fit, "b"))),
  p_i = function(fit) by_term(fit, vapply(terms_in_order(fit), function(t) length(t$columns), 0L)),
  l_i = function(fit) ngrps(fit),
  q_i = function(fit) by_term(fit, as.integer(term_sizes(fit))),
  k = function(fit) length(field(fit, "random")),
  m_i = function(fit) by_term(fit, as.double(lengths(theta_elements(fit)))),
  m = function(fit) sum(lengths(theta_elements(fit))),
  cnms = function(fit) {
    random <- terms_in_order(fit)
    stats::setNames(lapply(random, `[[`, "columns"), vapply(random, `[[`, "", "group"))
  },
  devcomp = function(fit) criterion_parts(fit),
  offset = function(fit) field(fit, "offset") %||% rep.int(0, nobs(fit)),
  lower = function(fit) {
    stats::setNames(ifelse(theta_is_diagonal(fit), 0, -Inf), names(named_theta(fit)))
  },
  devfun = function(fit) as.function(fit),
  glmer.nb.theta = function(fit) NA
)

terms_in_order <- function(fit) field(fit, "random")[term_order(fit)]

# Columns of Z of each term, lme4's order.
term_sizes <- function(fit) lengths(field(fit, "b"))[term_order(fit)]

# A value per term, named as lme4 names its raw design: "Days | Subject".
by_term <- function(fit, value) stats::setNames(value, term_labels(fit))

term_labels <- function(fit) {
  bars <- field(fit, "parsed")$bars
  vapply(terms_in_order(fit), function(term) {
    paste(one_line(bars[[term$bar]]$lhs), "|", term$group)
  }, "")
}

# Random effects as one vector: term by term, level by level.
effects_vector <- function(fit) {
  unlist(lapply(field(fit, "b")[term_order(fit)], as.numeric))
}

factor_list <- function(fit) {
  check_rows_kept(fit)
  order <- factor_order(fit)
  factors <- field(fit, "factors")[order]
  values <- lapply(factors, function(f) {
    structure(f$codes, levels = as.character(f$levels), class = "factor")
  })
  structure(
    stats::setNames(values, vapply(factors, `[[`, "", "name")),
    assign = match(vapply(terms_in_order(fit), `[[`, 0L, "factor"), order)
  )
}

# The criterion in pieces, as in section 3.3 of Bates et al. (2015).
criterion_parts <- function(fit) {
  reml <- field(fit, "reml")
  n <- nobs(fit)
  p <- length(field(fit, "fe_params"))
  pwrss <- field(fit, "pwrss")
  residual <- field(fit, "y") - field(fit, "fitted")
  w <- field(fit, "weights") %||% 1
  wrss <- sum(w * residual^2)
  criterion <- field(fit, "criterion")
  list(
    cmp = c(
      ldL2 = field(fit, "logdet_v"), ldRX2 = field(fit, "logdet_xvx"), wrss = wrss,
      ussq = max(0, pwrss - wrss), pwrss = pwrss, drsum = NA,
      REML = if (reml) criterion else NA, dev = if (reml) NA else criterion,
      sigmaML = sqrt(pwrss / n), sigmaREML = sqrt(pwrss / (n - p))
    ),
    dims = c(
      N = n, n = n, p = p, nmp = n - p, q = sum(lengths(field(fit, "b"))),
      nth = sum(lengths(theta_elements(fit))), useSc = 1L,
      reTrms = length(field(fit, "random")), spFe = 0L, REML = if (reml) p else 0L,
      GLMM = 0L, NLMM = 0L
    )
  )
}
