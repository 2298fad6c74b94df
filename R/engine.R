# The only caller of the generated wrappers: what goes to the numerical core and
# what comes back. What is not "ok" becomes a classed condition here.

# The design as the core wants it.
engine_problem <- function(design, free = NULL) {
  terms <- lapply(seq_along(design$terms), function(k) {
    term <- design$terms[[k]]
    list(
      factor = term$factor, x_columns = as_integer(term$x_columns),
      z = term$z, structure = term$structure, free = free[[k]]
    )
  })
  list(
    x = design$x, y = design$y, weights = design$weights,
    offset = design$offset, factors = lapply(design$factors, `[[`, "codes"),
    n_levels = vapply(design$factors, function(f) length(f$levels), 0L),
    terms = terms
  )
}

as_integer <- function(x) if (is.null(x)) NULL else as.integer(x)

engine_options <- function(reml, method, control, start) {
  maxit <- control$maxit
  if (is.null(maxit)) {
    maxit <- if (method == "newton") 200L else 10000L
  }
  list(
    reml = reml, method = method, maxit = maxit, tol = control$tol,
    em_steps = control$em_steps, rank_tol = control$rank_tol,
    threads = threads_now(control), progress = control$progress,
    max_memory = control$max_memory,
    start = if (is.null(start)) NULL else as.double(start)
  )
}

engine_fit <- function(design, reml, method, control, start = NULL, free = NULL, penalty = NULL) {
  options <- engine_options(reml, method, control, start)
  problem <- engine_problem(design, free)
  if (is.null(penalty)) {
    raw <- engine_answer(rs_fit(problem, options), design)
  } else {
    options$penalty <- engine_penalty(penalty, design)
    check_penalty_start(start, options$penalty)
    raw <- penalised_answer(options, problem, design)
  }
  raw <- complete_raw(raw, design, method, control)
  tell_aliased(design, raw)
  warn_verdict(raw, design, options$maxit)
  raw
}

# What the core does not know of its answer.
complete_raw <- function(raw, design, method, control) {
  raw$rank <- length(raw$kept)
  beta <- rep.int(NA_real_, ncol(design$x))
  beta[raw$kept] <- raw$beta
  raw$beta <- beta
  raw$method <- method
  raw$reason <- engine_reason(raw, design)
  raw$threads <- threads_now(control)
  names(raw$seconds) <- c("reduction", "optimisation")
  raw$messages <- character()
  raw
}

# Why the core took the engine that it took.
engine_reason <- function(raw, design) {
  if (identical(raw$engine, "crossed")) {
    names <- vapply(design$factors[raw$crossed_pair], `[[`, "", "name")
    return(paste0("factors ", paste0("\"", names, "\"", collapse = " and "), " are crossed"))
  }
  if (length(design$factors) > 1L) "nested factors" else "one grouping factor"
}

# Refits with one relative variance held at each of `values`.
engine_profile <- function(fit, term, column, values) {
  design <- design_of(fit, "A profile")
  options <- engine_options(
    field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit)
  )
  options$term <- as.integer(term)
  options$column <- as.integer(column)
  options$values <- as.double(values)
  problem <- engine_problem(design, lapply(design$terms, `[[`, "free"))
  answer <- engine_answer(rs_profile(problem, options), design)
  data.frame(
    value = answer$value, scale = answer$scale, criterion = answer$criterion,
    verdict = answer$verdict
  )
}

# Likelihood profiles (ML) of the parameters `which`: places among the standard
# deviations and correlations `elements`, sigma and the fixed effects.
engine_profiles <- function(fit, elements, which, cutoff, delta, maxpts, exact) {
  design <- design_of(fit, "A profile")
  options <- engine_options(FALSE, "newton", field(fit, "control"), packed_theta(fit))
  options <- c(options, list(
    term = as.integer(elements$term), row = as.integer(elements$row),
    column = as.integer(elements$column), which = as.integer(which),
    cutoff = as.double(cutoff), delta = as.double(delta),
    maxpts = as.integer(maxpts), exact = exact
  ))
  problem <- engine_problem(design, lapply(design$terms, `[[`, "free"))
  answer <- engine_answer(rs_profiles(problem, options), design)
  answer$ends <- matrix(answer$ends, nrow = 2L)
  answer
}

# Criterion, gradient and Hessian in the packed relative factors `theta`.
engine_evaluate <- function(fit, theta = packed_theta(fit), reml = field(fit, "reml")) {
  design <- design_of(fit, "The likelihood as a function of the parameters")
  options <- engine_options(reml, "newton", field(fit, "control"), theta)
  engine_answer(rs_evaluate(engine_problem(design), options), design)
}

# Per term the conditional covariance matrices, user's scale: an array, effects
# x effects x levels.
engine_condvar <- function(fit) {
  design <- design_of(fit, matters = "none")
  options <- engine_options(
    field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit)
  )
  answer <- engine_answer(rs_variances(engine_problem(design), options), design)
  lapply(answer$variances, function(v) v * field(fit, "scale"))
}

# What clusters contribute to a robust covariance; they are the last factor of
# `design`, whose response are residuals in units of sigma.
engine_robust <- function(fit, design, adjustment, moments) {
  options <- engine_options(
    field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit)
  )
  problem <- engine_problem(design, lapply(design$terms, `[[`, "free"))
  engine_answer(rs_robust(problem, options, adjustment, moments), design)
}

# Standard errors of prediction relative to sigma, per row: fixed, random, both.
engine_prediction <- function(fit) {
  design <- design_of(fit, "A standard error of prediction", "fixed")
  options <- engine_options(
    field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit)
  )
  engine_answer(rs_prediction(engine_problem(design), options), design)
}

# What tests of fixed effects need, at the fit's parameters, in the units of the
# data:
#
# satterthwaite: `derivatives` of the covariance of the fixed effects (p x p x
#   k) in k coordinates of the variance parameters, and the `covariance` (k x k) of
#   their estimates by the observed information;
# kenward_roger: the same by the expected information of REML, and `vcov`, the
#   adjusted covariance; only with `adjusted`;
# traces, products: tr(V^-1 G_d), tr(V^-1 G_d V^-1 G_e) for the elements d, e of Psi
#   (psi_elements()), with V relative to sigma^2 and G_d its derivative;
# xx: S X'V^-1 G_d V^-1 X S with S = (X'V^-1X)^-1, p x p x r.
#
# Only the product of derivatives and covariance has a meaning of its own: the
# coordinates are the engine's, the last one being log(sigma^2).
engine_inference <- function(fit, adjusted = FALSE) {
  design <- design_of(fit, "The precision of the variances")
  options <- engine_options(
    field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit)
  )
  options$adjusted <- adjusted
  problem <- engine_problem(design, lapply(design$terms, `[[`, "free"))
  answer <- engine_answer(rs_inference(problem, options), design)
  names <- names(field(fit, "fe_params"))
  estimated <- which(!names %in% field(fit, "columns")[!is.na(design$held)])
  full <- function(a) {
    dims <- dim(a)
    dims[1:2] <- length(names)
    out <- array(0, dims)
    if (length(dims) == 3L) {
      out[estimated, estimated, ] <- a
    } else {
      out[estimated, estimated] <- a
    }
    dimnames(out)[1:2] <- list(names, names)
    out
  }
  parts <- function(x) list(derivatives = full(x$derivatives), covariance = x$covariance)
  list(
    satterthwaite = parts(answer$satterthwaite),
    kenward_roger = if (adjusted) {
      c(parts(answer$kenward_roger), list(vcov = full(answer$adjusted)))
    },
    traces = answer$traces, products = answer$products, xx = full(answer$xx)
  )
}

# The design that a fit was made from, built again from its frame. What comes of it is about the likelihood: `what` is
# refused for a penalised fit, unless only penalties on the fixed effects matter, or none do.
design_of <- function(fit, what = "This", matters = c("all", "fixed", "none")) {
  matters <- match.arg(matters)
  if (matters != "none") {
    refuse_penalised(fit, what, fixed_only = matters == "fixed")
  }
  design <- build_again(fit)
  engine_design(set_parameters(design, field(fit, "start"), field(fit, "free")))
}

# The design of a fit, or of another model for its frame, with the contrasts that were the
# default when it was made.
build_again <- function(fit, frame = field(fit, "frame"), parsed = field(fit, "parsed"),
                        contrasts = field(fit, "contrasts")) {
  default <- field(fit, "contrasts_default")
  if (!is.null(default) && !identical(default, getOption("contrasts"))) {
    old <- options(contrasts = default)
    on.exit(options(old))
  }
  design <- build_design(parsed, frame, contrasts)
  if (missing(parsed)) {
    # those of a matrix are the caller's, not the formula's
    colnames(design$x) <- field(fit, "columns")
  }
  design
}

# All elements of the relative factors that their structures allow, term by
# term.
packed_theta <- function(fit) {
  pack <- function(term, theta) {
    switch(term$structure,
      unstructured = theta[lower.tri(theta, diag = TRUE)],
      diagonal = diag(theta),
      scalar = theta[1L]
    )
  }
  unlist(Map(pack, field(fit, "random"), field(fit, "theta")), use.names = FALSE)
}

# An answer of the core, or the condition that it stands for.
engine_answer <- function(answer, design) {
  status <- answer$status
  if (identical(status, "ok")) {
    return(answer)
  }
  if (identical(status, "interrupted")) {
    signal_interrupt()
  }
  what <- if (status %in% names(engine_classes)) engine_classes[[status]] else "engine"
  text <- answer$message
  if (what %in% c("memory", "bootstrap")) {
    text <- name_factors(text, design)
  }
  if (identical(what, "numerical")) {
    text <- paste(c(sub("[.]?$", ".", text), saturation(design)), collapse = " ")
  }
  if (identical(what, "memory")) {
    text <- paste0(text, "; see `max_memory` in mixedlm_control()")
  }
  abort(what, text)
}

# The core knows factors by their numbers: "factor 2" -> "factor `d`".
name_factors <- function(text, design) {
  at <- gregexpr("factor [0-9]+", text)
  number <- as.integer(substring(regmatches(text, at)[[1L]], 8L))
  names <- vapply(design$factors[number], `[[`, "", "name")
  regmatches(text, at) <- list(paste0("factor `", names, "`", recycle0 = TRUE))
  text
}

# Status of the core -> class of the condition.
engine_classes <- list(
  memory = "memory", degrees_of_freedom = "rows", perfect_fit = "perfect_fit",
  scale = "scale", numerical = "numerical", start = "start", method = "method",
  profile = "profile", bootstrap = "bootstrap", bug = "bug",
  penalty = "penalty", limit = "limit"
)

# As if the user's Ctrl-C had been handled here: handlers for interrupts see it,
# else control goes back to the prompt.
signal_interrupt <- function() {
  condition <- structure(
    class = c("interrupt", "condition"), list(message = "", call = NULL)
  )
  signalCondition(condition)
  invokeRestart("abort")
}

tell_aliased <- function(design, raw) {
  aliased <- colnames(design$x)[is.na(raw$beta)]
  if (length(aliased)) {
    inform("rank", paste0(
      "The fixed-effects design is rank deficient: no coefficient for ",
      quote_names(aliased), "."
    ), columns = aliased)
  }
}

warn_verdict <- function(raw, design, maxit) {
  text <- switch(raw$verdict,
    flat = paste(c(
      "The data do not identify every variance parameter: along some direction the",
      "criterion does not change. The fit is one of many.", no_noise_left(raw$sigma2, design), flat_causes(design)
    ), collapse = " "),
    maxit = paste0(
      "The search ended after ", raw$iterations, " iterations before it had ",
      "arrived; the criterion could still fall by about ",
      format(raw$decrement, digits = 2L), ". ",
      if (raw$iterations < maxit) {
        saturation(design) %||% paste0(
          "The numbers leave no room for further steps: is the model too ",
          "large for the data, or the noise next to nothing?"
        )
      } else {
        "Raise `maxit` in mixedlm_control(), or use method = \"newton\"."
      }
    ),
    saddle = "The optimiser stopped at a saddle point: the criterion still falls in some direction."
  )
  if (!is.null(text)) {
    warn(raw$verdict, text, verdict = raw$verdict)
  }
}
