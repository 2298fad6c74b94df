# insight, parameters and performance on our fits and on lme4's.

same_answers <- function(pair, functions) {
  for (name in functions) {
    f <- getExportedValue("insight", name)
    ours <- suppressWarnings(f(pair$ours))
    theirs <- suppressWarnings(f(pair$theirs))
    expect_equal(ours, theirs, tolerance = 1e-4, ignore_attr = TRUE, ignore_formula_env = TRUE, info = name, label = name)
  }
}

test_that("insight finds in a fit what it finds in lmer's", {
  skip_if_not_installed("insight")
  for (name in model_pairs) {
    pair <- model_pair(name)
    same_answers(pair, c(
      "find_parameters", "find_predictors", "find_random", "find_response", "find_random_slopes",
      "find_terms", "find_variables", "find_interactions", "get_parameters", "get_df", "get_sigma",
      "get_response", "is_mixed_model", "n_obs", "n_parameters",
      "get_deviance", "get_intercept", "get_residuals", "get_modelmatrix", "model_info"
    ))
    expect_equal(insight::get_statistic(pair$ours), insight::get_statistic(pair$theirs), tolerance = 1e-4)
    expect_equal(insight::get_varcov(pair$ours), as.matrix(insight::get_varcov(pair$theirs)), tolerance = 1e-3)
    ours <- insight::find_formula(pair$ours)
    theirs <- insight::find_formula(pair$theirs)
    expect_identical(class(ours), class(theirs))
    expect_identical(
      lapply(unclass(ours), function(f) paste(as.character(list(f)))),
      lapply(unclass(theirs), function(f) paste(as.character(list(f))))
    )
    ours <- insight::get_random(pair$ours)
    theirs <- insight::get_random(pair$theirs)
    expect_identical(lapply(ours[names(theirs)], as.character), lapply(theirs, as.character))
    expect_equal(insight::link_inverse(pair$ours)(2), 2)
    for (type in c("residual", "model", "normal", "wald")) {
      expect_equal(insight::get_df(pair$ours, type = type), insight::get_df(pair$theirs, type = type))
    }
  }
})

test_that("double bars and nested factors are taken apart as insight does", {
  skip_if_not_installed("insight")
  sleep <- from_package("sleepstudy", "lme4")
  ours <- mixedlm(Reaction ~ Days + (Days || Subject), sleep)
  expect_identical(vapply(insight::find_formula(ours)$random, one_line, ""), c("~1 | Subject", "~0 + Days | Subject"))
  nested <- model_pair("nested")$ours
  expect_identical(vapply(insight::find_formula(nested)$random, one_line, ""), c("~1 | cask:batch", "~1 | batch"))
  words <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  expect_identical(insight::find_random(words)$random, "Pig")
})

test_that("variances are those of insight, and of what is singular too", {
  skip_if_not_installed("insight")
  known <- suppressWarnings(insight::get_variance(model_pair("nested")$theirs))
  skip_if(is.null(known), "this version of insight finds no variances in lme4's fits")
  for (name in setdiff(model_pairs, "singular")) {
    pair <- model_pair(name)
    theirs <- suppressWarnings(insight::get_variance(pair$theirs))
    ours <- insight::get_variance(pair$ours)
    both <- intersect(names(theirs), names(ours))
    expect_true(all(c("var.fixed", "var.random", "var.residual", "var.intercept") %in% both))
    # several correlations have other names in other versions
    both <- setdiff(both, if (length(theirs$cor.slope_intercept) > 1L) "cor.slope_intercept")
    expect_equal(ours[both], theirs[both], tolerance = 1e-3, ignore_attr = TRUE)
    expect_equal(insight::get_variance_random(pair$ours), insight::get_variance_random(pair$theirs), tolerance = 1e-3)
  }
  expect_identical(insight::get_variance(model_pair("singular")$ours, "random"), list(var.random = 0))
})

test_that("degrees of freedom of coefficients, and arguments that are refused", {
  skip_if_not_installed("insight")
  fit <- model_pair("grouped")$ours
  df <- summary(fit, style = "lme4")$coefficients[, "df"]
  expect_equal(insight::get_df(fit, type = "satterthwaite"), df)
  kr <- summary(fit, ddf = "Kenward-Roger")$coefficients[, "df"]
  expect_equal(insight::get_df(fit, type = "kenward"), kr)
  expect_error(insight::get_df(fit, type = "xx"), class = "mixedlm_error_ddf")
  expect_error(insight::get_variance(fit, "xx"), class = "mixedlm_error_argument")
  expect_error(insight::find_parameters(fit, effects = "xx"), class = "mixedlm_error_argument")
  expect_error(insight::get_parameters(fit, effects = "xx"), class = "mixedlm_error_argument")
})

test_that("model_parameters() has the table of lmer's fit", {
  skip_if_not_installed("parameters")
  pair <- model_pair("grouped")
  ours <- suppressWarnings(parameters::model_parameters(pair$ours))
  theirs <- suppressWarnings(parameters::model_parameters(pair$theirs))
  expect_identical(names(ours), names(theirs))
  columns <- c("Parameter", "Coefficient", "SE", "p")
  expect_equal(as.data.frame(ours)[1:2, columns], as.data.frame(theirs)[1:2, columns], tolerance = 1e-4)
})

test_that("performance measures a fit as it does lmer's", {
  package <- paste0("perform", "ance")
  skip_if_not(requireNamespace(package, quietly = TRUE))
  of <- function(name, ...) suppressWarnings(getExportedValue(package, name)(...))
  pair <- model_pair("grouped")
  expect_equal(
    as.data.frame(of("model_performance", pair$ours)), as.data.frame(of("model_performance", pair$theirs)),
    tolerance = 1e-4
  )
  expect_equal(unclass(of("icc", pair$ours)), unclass(of("icc", pair$theirs)), tolerance = 1e-3, ignore_attr = TRUE)
  expect_true(as.logical(of("check_convergence", pair$ours)))
  r2 <- of("r2", pair$ours)
  expect_equal(r2$R2_marginal, unname(of("r2", pair$theirs)$R2_marginal), tolerance = 1e-3)
})
