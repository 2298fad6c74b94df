# Calls of mixedlm() for drawn data: lme4's bars, statsmodels' words, or matrices, with the arguments that go with them.

plus <- function(terms) Reduce(function(a, b) call("+", a, b), terms)

# list(call, env, formula): the call, where its names live, and where lme4 could read it the formula with bars.
fuzz_model <- function(data) {
  env <- new.env(parent = globalenv())
  env$d <- data$d
  kind <- pick(c("bars", "words", "matrix"), c(0.6, 0.28, 0.12))
  model <- switch(kind,
    bars = bars_model(data),
    words = words_model(data),
    matrix = matrix_model_call(data, env)
  )
  if (kind != "matrix") {
    environment(model$call$formula) <- env
    if (!is.null(model$formula)) environment(model$formula) <- env
    if (chance(0.05)) model$call$formula <- paste(deparse(model$call$formula, 500L), collapse = " ")
  }
  model$call <- add_arguments(model$call, data, env, kind)
  model$env <- env
  model$kind <- kind
  model
}

# --- fixed effects -----------------------------------------------------------

fixed_terms <- function(data) {
  numbers <- lapply(data$numeric, as.name)
  factors <- lapply(data$factors, as.name)
  all <- c(numbers, factors)
  if (chance(0.1)) return(list(1))
  terms <- some(all, 3L)
  if (length(numbers) && chance(0.25)) {
    x <- pick(numbers)
    terms <- c(terms, pick(list(
      call("poly", x, 2), call("I", call("^", x, 2)), call("log", call("+", call("abs", x), 1)), call("scale", x),
      call("log", x), call("offset", x), call("factor", x), bquote(splines::ns(.(x), df = 3)), call("exp", x),
      bquote(cut(.(x), 3)), bquote(I(.(x) > 0))
    )))
  }
  if (length(all) > 1L && chance(0.25)) {
    terms <- c(terms, list(call(pick(c(":", "*")), pick(all), pick(all))))
  }
  if (chance(0.1)) terms <- c(list(pick(c(0, -1))), terms)
  if (chance(0.02)) terms <- list(quote(.))
  terms
}

response_of <- function(data) {
  y <- as.name(data$y)
  if (chance(0.95)) return(y)
  pick(list(call("log", call("abs", y)), call("I", y), call("scale", y), call("log", y), call("cbind", y, y)))
}

# --- lme4's bars ----------------------------------------------------------------

bars_model <- function(data) {
  bars <- lapply(seq_len(pick(1:3, c(0.6, 0.3, 0.1))), function(k) draw_bar(data))
  right <- plus(c(fixed_terms(data), bars))
  formula <- eval(call("~", response_of(data), right))
  list(call = as.call(list(quote(mixedlm), formula = formula, data = quote(d))), formula = formula)
}

draw_bar <- function(data) {
  x <- lapply(data$numeric, as.name)
  f <- lapply(data$factors, as.name)
  left <- list(1, 1)
  if (length(x)) {
    v <- pick(x)
    left <- c(left, list(v, call("+", 0, v), call("+", 1, v), call("-", v, 1), plus(some(x, 2L)), call("poly", v, 2), call("I", call("^", v, 2))))
  }
  if (length(f)) {
    v <- pick(f)
    left <- c(left, list(v, call("+", 0, v)))
    if (length(x) && chance(0.3)) left <- c(left, list(call("*", v, pick(x)), call("+", 0, call(":", v, pick(x)))))
  }
  g <- lapply(data$groups, as.name)
  right <- pick(g)
  if (length(g) > 1L && chance(0.3)) right <- call(pick(c(":", "/")), pick(g), pick(g))
  if (chance(0.03)) right <- call("factor", right)
  bar <- call("(", call(pick(c("|", "||"), c(0.8, 0.2)), pick(left), right))
  if (chance(0.05)) bar <- as.call(list(as.name(pick(c("us", "diag", "cs", "ar1"))), bar[[2L]]))
  bar
}

# --- statsmodels' words -------------------------------------------------------------

words_model <- function(data) {
  fixed <- plus(fixed_terms(data))
  call <- as.call(list(quote(mixedlm), formula = eval(call("~", response_of(data), fixed)), data = quote(d)))
  g <- pick(data$groups)
  bar <- call("(", call("|", 1, as.name(g)))
  group_free <- chance(0.1)
  if (!group_free) {
    call$groups <- pick(list(g, eval(call("~", as.name(g))), as.name(g), call("[[", quote(d), g)))
  }
  plain <- !group_free
  x <- c(lapply(data$numeric, as.name), lapply(data$factors, as.name))
  if (chance(0.4) && !group_free) {
    right <- pick(list(pick(x), call("+", 0, pick(x)), plus(some(x, 2L)), 1, call("poly", pick(x), 2)))
    call$re_formula <- eval(call("~", right))
    bar <- call("(", call("|", right, as.name(g)))
  }
  if (chance(0.35) || group_free) {
    call$vc_formula <- draw_components(data)
    plain <- FALSE
  }
  if (chance(0.12)) {
    call$free <- pick(list("diagonal", quote(mixedlm_params(cov_re = diag(2)))))
    plain <- FALSE
  }
  formula <- if (plain) eval(call("~", call$formula[[2L]], call("+", fixed, bar)))
  list(call = call, formula = formula)
}

draw_components <- function(data) {
  pool <- c(data$groups, data$factors, data$numeric)
  names <- some(pool, 3L)
  parts <- lapply(names, function(v) {
    v <- as.name(v)
    eval(call("~", pick(list(call("+", 0, v), call("+", 0, v), call("-", v, 1), v, call("+", 0, call("factor", v))))))
  })
  as.call(c(list(quote(list)), stats::setNames(parts, make.unique(names))))
}

# --- matrices --------------------------------------------------------------------------

matrix_model_call <- function(data, env) {
  d <- data$d
  columns <- lapply(data$numeric, function(v) d[[v]])
  env$X <- do.call(cbind, c(list(rep(1, nrow(d))), columns))
  if (chance(0.5)) colnames(env$X) <- make.unique(sample(c(odd_names, letters), ncol(env$X)))
  env$y <- d[[data$y]]
  env$g <- d[[pick(data$groups)]]
  call <- quote(mixedlm(X, y, groups = g))
  if (chance(0.4)) {
    env$Z <- env$X[, sort(sample.int(ncol(env$X), pick(seq_len(min(2L, ncol(env$X)))))), drop = FALSE]
    call$exog_re <- quote(Z)
  }
  if (chance(0.3)) {
    env$v <- d[[pick(c(data$groups, data$numeric, data$factors))]]
    call$exog_vc <- pick(list(quote(list(v = v)), quote(list(v = v, w = seq_along(y))), quote(v)))
  }
  list(call = call, formula = NULL)
}

# --- the other arguments -------------------------------------------------------------------

add_arguments <- function(call, data, env, kind) {
  n <- nrow(data$d)
  if (chance(0.4)) call$REML <- FALSE
  if (chance(0.2)) {
    env$w <- pick(list(stats::rexp(n), sample(0:3, n, TRUE), rep(1, n), c(NA, stats::rexp(n - 1L)), stats::rexp(n) * 1e8,
      exp(20 * stats::rnorm(n)), -stats::runif(n)), c(0.4, 0.25, 0.1, 0.1, 0.05, 0.05, 0.05))
    call$weights <- quote(w)
  }
  if (chance(0.12)) {
    env$o <- pick(list(stats::rnorm(n), rep(0, n), c(NA, stats::rnorm(n - 1L)), 1e6 * stats::rnorm(n)))
    call$offset <- quote(o)
  }
  if (chance(0.12)) {
    env$s <- pick(list(stats::runif(n) < 0.8, sample.int(n, ceiling(0.8 * n)), -1L, c(NA, rep(TRUE, n - 1L)), rep(FALSE, n)),
      c(0.5, 0.3, 0.1, 0.05, 0.05))
    call$subset <- quote(s)
  }
  if (chance(0.15)) call$na.action <- pick(list(quote(na.exclude), quote(na.omit), quote(na.fail), "na.exclude", quote(na.pass)))
  if (kind != "matrix" && length(data$factors) && chance(0.08)) {
    value <- pick(list("contr.sum", "contr.helmert", quote(contr.treatment), "contr.poly"))
    call$contrasts <- as.call(stats::setNames(list(quote(list), value), c("", pick(data$factors))))
  }
  if (chance(0.06)) call$start <- pick(list(1, 0.5, quote(c(1, 0, 1)), quote(list(theta = 1)), quote(mixedlm_params(cov_re = 1)), 0, 1e6))
  if (chance(0.12)) call$method <- pick(c("newton", "bfgs", "lbfgs", "nelder-mead", "em"))
  if (chance(0.08)) {
    call$control <- pick(list(
      quote(mixedlm_control(maxit = 3)), quote(list(tol = 1e-6)), quote(mixedlm_control(threads = 1)),
      quote(mixedlm_control(em_steps = 0)), quote(mixedlm_control(rank_tol = 1e-10)), quote(list(max_memory = "10 KB"))
    ))
  }
  call
}
