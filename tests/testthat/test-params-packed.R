packed_reference <- utils::read.csv(fixture("likelihood-statsmodels.csv"), comment.char = "#")
packed_sets <- list(
  dietox = mixedlm_params(c(15, 7), 2.5), sleepstudy = mixedlm_params(c(250, 10), matrix(c(0.8, 0.1, 0.1, 0.2), 2)),
  pastes = mixedlm_params(60.5, 1.7, 9), penicillin = mixedlm_params(23.5, vcomp = c(2, 11))
)

test_that("packing is statsmodels', and is undone by reading", {
  for (name in names(packed_sets)) {
    params <- packed_sets[[name]]
    k_re <- NROW(params$cov_re)
    for (root in c(TRUE, FALSE)) {
      for (fixed in c(TRUE, FALSE)) {
        what <- paste0("packed_", if (root) "True" else "False", "_", if (fixed) "True" else "False")
        packed <- get_packed(params, use_sqrt = root, has_fe = fixed)
        expect_equal(packed, packed_reference$value[packed_reference$model == name & packed_reference$what == what])
        back <- from_packed(packed, length(params$fe_params), k_re, root, fixed)
        if (!fixed) back$fe_params <- params$fe_params
        expect_equal(back, params, tolerance = 1e-14)
      }
    }
    expect_identical(as.numeric(params), get_packed(params, has_fe = TRUE))
  }
})

test_that("three effects keep their places", {
  cov_re <- crossprod(matrix(c(2, 0, 0, 1, 3, 0, 4, 5, 6), 3))
  params <- mixedlm_params(1, cov_re, c(b = 2))
  expect_identical(get_packed(params), c(cov_re[1, 1], cov_re[2, 1:2], cov_re[3, 1:3], 2))
  expect_equal(from_packed(get_packed(params, TRUE), 1, 3, TRUE)$cov_re, cov_re)
  expect_equal(mixedlm_params(cov_re_sqrt = t(chol(cov_re)))$cov_re, cov_re)
  expect_identical(from_packed(c(1, 2), 2, 0, has_fe = TRUE), mixedlm_params(c(1, 2)))
  expect_identical(from_packed(3, 2, 0), mixedlm_params(c(0, 0), vcomp = 3))
})

test_that("the parameters of a fit pack to those it tells, and start another at its optimum", {
  fits <- list(
    mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time),
    mixedlm(diameter ~ 1, penicillin(), vc_formula = rev(plates_and_samples)),
    mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, free = "diagonal")
  )
  for (fit in fits) {
    expect_equal(as.numeric(params_of(fit)), unname(fit$params))
    expect_identical(fit$params_object, params_of(fit))
    again <- update(fit, start = params_of(fit))
    expect_equal(again$criterion, fit$criterion)
    expect_lte(again$optinfo$iterations, 3)
  }
  nested <- model_pair("crossed_slopes")$ours
  expect_s3_class(update(nested, start = params_of(nested), data = model_pair("crossed_slopes")$data), "mixedlm")
})

test_that("what cannot be packed or read is told", {
  told <- function(code) tryCatch(code, mixedlm_error = function(e) paste(class(e)[1], e$argument))
  params <- packed_sets$sleepstudy
  expect_identical(told(get_packed(1)), "mixedlm_error_params params")
  expect_identical(told(get_packed(params, 1)), "mixedlm_error_argument use_sqrt")
  expect_identical(told(get_packed(params, has_fe = NA)), "mixedlm_error_argument has_fe")
  expect_identical(told(get_packed(mixedlm_params(cov_re = matrix(c(1, 2, 2, 1), 2)), TRUE)), "mixedlm_error_params params")
  expect_identical(told(get_packed(mixedlm_params(cov_re = matrix(c(1, 2, 3, 9), 2)), TRUE)), "mixedlm_error_params params")
  expect_identical(told(from_packed(1:2, 2, 2)), "mixedlm_error_params packed")
  expect_identical(told(from_packed("a", 2, 2)), "mixedlm_error_params packed")
  expect_identical(told(from_packed(1:4, -1, 2)), "mixedlm_error_argument k_fe")
  expect_identical(told(from_packed(1:4, 1, 1.5)), "mixedlm_error_argument k_re")
  expect_identical(told(params_of(3)), "mixedlm_error_object fit")
  expect_identical(told(mixedlm_params(cov_re = 1, cov_re_sqrt = 1)), "mixedlm_error_params cov_re_sqrt")
  expect_identical(told(mixedlm_params(cov_re_sqrt = 1:2)), "mixedlm_error_params cov_re_sqrt")
})
