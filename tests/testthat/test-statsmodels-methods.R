sm_fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")

test_that("predict() is the fixed effects' part", {
  expect_equal(sm_fit$predict(), predict(sm_fit, re.form = NA))
  expect_equal(sm_fit$predict(data.frame(Time = 1:3)), predict(sm_fit, data.frame(Time = 1:3), re.form = NA))
  expect_equal(sm_fit$predict(cbind(1, 1:3)), unname(fixef(sm_fit)[1] + fixef(sm_fit)[2] * 1:3))
  expect_equal(sm_fit$predict(c(1, 2)), sum(fixef(sm_fit) * c(1, 2)))
  expect_error(sm_fit$predict(cbind(1, 2, 3)), class = "mixedlm_error_newdata")
  expect_error(sm_fit$predict("a"), class = "mixedlm_error_newdata")
  expect_error(sm_fit$predict(exgo = 1), class = "mixedlm_error_argument")
})

test_that("draws are those of simulate()", {
  set.seed(1)
  y <- sm_fit$get_distribution()$rvs()
  expect_equal(y, simulate(sm_fit, seed = 1)$sim_1)
  expect_identical(dim(sm_fit$get_distribution()$rvs(3)), c(861L, 3L))
  other <- mixedlm_params(c(1, 2), 4)
  expect_equal(
    sm_fit$get_distribution(other, scale = 9)$rvs(1, seed = 2),
    simulate(sm_fit, seed = 2, newparams = list(beta = c(1, 2), theta = 2, sigma = 3))$sim_1
  )
  expect_equal(
    sm_fit$get_distribution(c(1, 2, 4), scale = 9)$rvs(1, seed = 2), sm_fit$get_distribution(other, scale = 9)$rvs(1, seed = 2)
  )
  expect_error(sm_fit$get_distribution(1:9), class = "mixedlm_error_params")
  expect_error(sm_fit$get_distribution(scale = -1), class = "mixedlm_error_newparams")
  expect_error(sm_fit$get_distribution(exog = 1), class = "mixedlm_error_argument")
})
