# The same calls on our fits and on lme4's: values, shapes and names.
#
# Deliberate differences:
# - vcov() is a plain matrix, not Matrix's dpoMatrix with the correlations inside.
# - model.matrix() keeps the contrasts as lm() does and has no "msgScaleX" or "col.dropped".
# - print() and summary() have a layout of their own; summary(fit, style = "lme4", ddf = "none") has lme4's.
# - anova() of one fit has tests with degrees of freedom, as lmerTest.
# - ngrps() is integer; classes are called after this package ("ranef.mixedlm").
# - getME(): `mmList`, `p_i`, `q_i`, `m_i` are in the order of `cnms` also where `||` with a factor or factors with
#   several terms disorder lme4's; the permutation of `L` may differ (lme4 analyses the matrix before it is squared),
#   and `RZX` with it.
# - deviance(fit, REML = TRUE) is the REML criterion; lme4 1.1 returns -2 log-likelihood of ML there too.
# - anova(lmer_fit, our_fit) is lme4's function, which passes over what is not its own; anova(our_fit, lmer_fit) works.
# - REMLcrit() is no generic in lme4: called through lme4 it reads slots, which only R >= 4.3 can give it.

classes_of_lme4 <- c(
  ranef.mixedlm = "ranef.mer", coef.mixedlm = "coef.mer", VarCorr.mixedlm = "VarCorr.merMod"
)

# What is left when only the deliberate differences are taken out.
comparable <- function(x) {
  if (methods::is(x, "Matrix")) {
    sparse <- if (methods::is(x, "sparseMatrix")) "sparse" else "dense"
    return(list(storage = sparse, dimnames = dimnames(x), values = unname(as.matrix(x))))
  }
  for (a in c("msgScaleX", "msgRankdrop", "col.dropped", "uncorrelated")) {
    attr(x, a) <- NULL
  }
  if (is.character(x)) {
    x[] <- without_end_spaces(x)
  }
  if (is.function(x)) {
    return(names(formals(x)))
  }
  if (inherits(x, "formula")) {
    return(gsub("[ ()]", "", paste(deparse(x), collapse = "")))
  }
  known <- class(x)[1L] %in% c(names(classes_of_lme4), classes_of_lme4)
  if (known) {
    class(x) <- sub("^$", "", classes_of_lme4[class(x)[1L]] %|na|% class(x)[1L])
  }
  if (is.list(x) && !is.data.frame(x)) {
    x[] <- lapply(x, comparable)
  }
  x
}
`%|na|%` <- function(a, b) if (is.na(a)) b else unname(a)

# `fit` is ours or theirs; evaluated where both packages' functions are found.
calls <- alist(
  fixef = nlme::fixef(fit),
  fixef_dropped = nlme::fixef(fit, add.dropped = TRUE),
  ranef = nlme::ranef(fit),
  ranef_plain = nlme::ranef(fit, condVar = FALSE),
  ranef_dropped = nlme::ranef(fit, drop = TRUE),
  ranef_one = nlme::ranef(fit, whichel = names(lme4::ngrps(fit))[1L]),
  ranef_table = transform(as.data.frame(nlme::ranef(fit)), grp = as.character(grp)),
  coef = coef(fit),
  varcorr = nlme::VarCorr(fit),
  varcorr_table = as.data.frame(nlme::VarCorr(fit)),
  varcorr_triangle = as.data.frame(nlme::VarCorr(fit), order = "lower.tri"),
  varcorr_doubled = nlme::VarCorr(fit, sigma = 2),
  varcorr_names = names(nlme::VarCorr(fit)),
  sigma = sigma(fit),
  vcov = as.matrix(vcov(fit)),
  vcov_sigm = as.matrix(vcov(fit, sigm = 1)),
  vcov_correlation = cov2cor(as.matrix(vcov(fit, correlation = TRUE))),
  loglik = logLik(fit),
  loglik_ml = logLik(fit, REML = FALSE),
  loglik_reml = logLik(fit, REML = TRUE),
  deviance_ml = deviance(fit, REML = FALSE),
  aic = AIC(fit),
  bic = BIC(fit),
  extract_aic = suppressMessages(extractAIC(fit)),
  nobs = nobs(fit),
  ngrps = c(lme4::ngrps(fit)) + 0,
  df_residual = df.residual(fit),
  formula = formula(fit),
  formula_fixed = formula(fit, fixed.only = TRUE),
  formula_random = formula(fit, random.only = TRUE),
  terms = attr(terms(fit), "term.labels"),
  terms_random = attr(terms(fit, random.only = TRUE), "variables"),
  frame_names = names(model.frame(fit)),
  frame_values = lapply(model.frame(fit), function(v) if (is.factor(v)) as.character(v) else as.numeric(v)),
  frame_rows = row.names(model.frame(fit)),
  frame_fixed = names(model.frame(fit, fixed.only = TRUE)),
  model_matrix = structure(model.matrix(fit), contrasts = NULL, assign = NULL),
  random_matrix = model.matrix(fit, type = "random"),
  random_list = model.matrix(fit, type = "randomListRaw"),
  weights = weights(fit),
  weights_prior = weights(fit, type = "prior"),
  family = family(fit)[c("family", "link")],
  is_reml = lme4::isREML(fit),
  is_lmm = lme4::isLMM(fit),
  is_glmm = lme4::isGLMM(fit),
  is_nlmm = lme4::isNLMM(fit),
  is_singular = lme4::isSingular(fit),
  pca = lapply(lme4::rePCA(fit), function(p) p[c("sdev", "center", "scale")]),
  pca_importance = lapply(summary(lme4::rePCA(fit)), function(s) unname(s$importance)),
  fitted = fitted(fit),
  residuals = residuals(fit),
  residuals_pearson = residuals(fit, type = "pearson"),
  residuals_scaled = residuals(fit, scaled = TRUE),
  confint_wald = confint(fit, parm = "beta_", method = "Wald"),
  drop1 = as.list(suppressMessages(drop1(fit))),
  drop1_chisq = as.list(suppressMessages(drop1(fit, test = "Chisq"))),
  print_varcorr = capture.output(print(nlme::VarCorr(fit), digits = 3L)),
  print_both = capture.output(print(nlme::VarCorr(fit), comp = c("Variance", "Std.Dev."), digits = 3L))
)
# summary(): ours by lme4's names
summary_pieces <- c("varcor", "AICtab", "residuals", "sigma", "logLik", "isLmer", "useScale", "coefficients", "methTitle")

on_fit <- function(expr, fit) eval(expr, list(fit = fit), environment())

# Fixed effects and what is predicted by them to 1e-6.
tight <- c("fixef", "fixef_dropped", "nobs", "model_matrix", "random_matrix")

expect_same_part <- function(a, b, info, tolerance = 1e-4) {
  a <- comparable(a)
  b <- comparable(b)
  expect_identical(typeof(a), typeof(b), info = info)
  expect_identical(dim(a), dim(b), info = info)
  expect_identical(dimnames(a), dimnames(b), info = info)
  expect_identical(names(a), names(b), info = info)
  expect_equal(a, b, tolerance = tolerance, info = info)
}

for (name in model_pairs) {
  test_that(paste("every call in the table gives what lme4 gives:", name), {
    skip_if_not_installed("lme4")
    pair <- model_pair(name)
    for (call in names(calls)) {
      expect_same_part(
        on_fit(calls[[call]], pair$ours), on_fit(calls[[call]], pair$theirs),
        paste(name, call), if (call %in% tight) 1e-6 else 1e-4
      )
    }
    own <- summary(pair$ours, style = "lme4", ddf = "none")
    theirs <- summary(pair$theirs)
    for (piece in summary_pieces) {
      a <- own[[piece]]
      b <- theirs[[piece]]
      if (piece == "AICtab") {
        names(b)[names(b) == "-2*log(L)"] <- "deviance"
      }
      if (piece == "methTitle") {
        a <- trimws(a)
        b <- trimws(b)
      }
      expect_same_part(a, b, paste(name, "summary", piece))
    }
    expect_equal(as.matrix(own$vcov), as.matrix(theirs$vcov), tolerance = 1e-4)
    expect_equal(own$coef, own$coefficients)
  })

  test_that(paste("getME() gives every component as lme4 does:", name), {
    skip_if_not_installed("lme4")
    pair <- model_pair(name)
    parts <- eval(formals(getS3method("getME", "merMod", envir = asNamespace("lme4")))$name)
    expect_identical(setdiff(parts, names(model_parts)), character())
    ours <- lme4::getME(pair$ours, "ALL")
    theirs <- suppressWarnings(lme4::getME(pair$theirs, parts))
    for (part in setdiff(parts, c("L", "RZX", "devfun", "X", if (since_lme4_2()) c("par", "devcomp", "glmer.nb.theta")))) {
      expect_identical(class(ours[[part]])[1L], class(theirs[[part]])[1L], info = part)
      expect_same_part(ours[[part]], theirs[[part]], paste(name, part))
    }
    expect_equal(ours$X, theirs$X, ignore_attr = c("msgScaleX", "msgRankdrop", "col.dropped", "contrasts", "assign"))
    # whatever the permutation
    a <- Matrix::tcrossprod(scaled_random_matrix(pair$ours)) + Matrix::Diagonal(ours$q)
    expect_s4_class(ours$L, "CHMfactor")
    x <- seq_len(ours$q)
    expect_equal(as.numeric(Matrix::solve(ours$L, x)), as.numeric(Matrix::solve(a, x)), tolerance = 1e-8)
    expect_equal(as.numeric(Matrix::solve(theirs$L, x)), as.numeric(Matrix::solve(ours$L, x)), tolerance = 1e-3)
    expect_equal(crossprod(ours$RZX), crossprod(theirs$RZX), tolerance = 1e-3)
    expect_identical(dimnames(ours$RZX), dimnames(theirs$RZX))
    expect_equal(chol2inv(ours$RX), unname(pair$ours$vcov_unscaled), tolerance = 1e-8)
    expect_equal(ours$devfun(ours$theta), pair$ours$criterion, tolerance = 1e-10)
    # a function of its own: evaluating that of getME() would change lme4's fit
    theirs_at <- suppressMessages(suppressWarnings(stats::update(pair$theirs, devFunOnly = TRUE, control = lme4::lmerControl())))
    elsewhere <- unname(0.3 + 0.5 * ours$theta)
    expect_equal(as.function(pair$ours)(elsewhere), theirs_at(elsewhere), tolerance = 1e-9)
  })
}

# --- the list of methods ----------------------------------------------------

# Generics of lme4 1.1-31, by methods(class = "merMod").
generics_of_lme4 <- c(
  "anova", "as.function", "coef", "confint", "cooks.distance", "deviance", "df.residual", "drop1", "extractAIC",
  "family", "fitted", "fixef", "formula", "getData", "getL", "getME", "hatvalues", "influence", "isGLMM", "isLMM",
  "isNLMM", "isREML", "logLik", "model.frame", "model.matrix", "ngrps", "nobs", "plot", "predict", "print", "profile",
  "ranef", "refit", "refitML", "rePCA", "residuals", "rstudent", "show", "sigma", "simulate", "summary", "terms",
  "update", "VarCorr", "vcov", "weights"
)
# Not here, for a reason.
without_method <- c(
  getL = "deprecated in lme4 for getME(., \"L\")",
  show = "S4's print; fits print as S3 objects"
)
# In files of their own; each counts as soon as its method is there.
in_other_files <- c(
  "cooks.distance", "hatvalues", "influence", "plot", "predict", "refit", "refitML", "rstudent", "simulate"
)

has_method <- function(generic) {
  !is.null(getS3method(generic, "mixedlm", optional = TRUE, envir = asNamespace("mixedlm")))
}

test_that("every generic with a method for lme4's fits has one for ours", {
  skip_if_not_installed("lme4")
  expected <- setdiff(generics_of_lme4, names(without_method))
  there <- vapply(expected, has_method, NA)
  expect_identical(setdiff(expected[!there], in_other_files), character())
  # generics of other versions of lme4 are told, not asked for
  listed <- rownames(attr(utils::methods(class = "merMod"), "info"))
  now <- unique(sub("[.]merMod$|,merMod-method$", "", listed[grepl("merMod", listed)]))
  new <- setdiff(now, c(generics_of_lme4, names(without_method), in_other_files))
  expect_type(new, "character")
  pending <- expected[!there]
  if (length(pending)) {
    skip(paste("not there yet:", paste(pending, collapse = ", ")))
  }
})

test_that("methods take the arguments of lme4's, in their order", {
  skip_if_not_installed("lme4")
  # what has another meaning, or none, here
  apart <- list(
    anova = "model.names", confint = c("zeta", "nsim", "boot.type", "FUN", "quiet", "oldNames", "signames", "boot.scale"),
    drop1 = "sumFun", print = c("correlation", "symbolic.cor", "signif.stars", "ranef.corr"),
    fixef = "noScale", model.matrix = "noScale",
    profile = c("alphamax", "delta", "delta.cutoff", "verbose", "devtol", "maxmult", "startmethod", "optimizer", "control", "signames", "parallel", "ncpus", "cl", "prof.scale", "devmatchtol"),
    summary = "use.hessian", vcov = c("correlation", "use.hessian", "full", "noScale"), update = character()
  )
  for (generic in setdiff(generics_of_lme4, c(names(without_method), in_other_files))) {
    theirs <- names(formals(getS3method(generic, "merMod", envir = asNamespace("lme4"))))
    ours <- names(formals(getS3method(generic, "mixedlm", envir = asNamespace("mixedlm"))))
    wanted <- setdiff(theirs, c(apart[[generic]], "..."))
    expect_identical(setdiff(wanted, ours), character(), info = generic)
    shared <- intersect(ours, wanted)
    expect_identical(shared[seq_len(min(2L, length(shared)))], wanted[seq_len(min(2L, length(wanted)))], info = generic)
  }
})
