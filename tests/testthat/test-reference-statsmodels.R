# Printouts and numbers of statsmodels, saved by tools/reference/reference_statsmodels.py.

estimates <- utils::read.csv(fixture("statsmodels", "estimates.csv"), comment.char = "#")
estimates_of <- function(model, prefix) {
  own <- estimates[estimates$model == model & startsWith(estimates$quantity, prefix), ]
  stats::setNames(own$value, substring(own$quantity, nchar(prefix) + 1L))
}

test_that("the first saved printout is the one of the default search", {
  saved <- readLines(fixture("statsmodels", "dietox-vector.txt"))
  expect_match(saved, "Group Var    40.394    2.149", fixed = TRUE, all = FALSE)
})

for (model in names(statsmodels_models)) {
  test_that(paste("compat = \"statsmodels\" prints what statsmodels prints:", model), {
    entry <- statsmodels_models[[model]]
    fit <- entry$fit()
    printed <- capture.output(print(do.call(summary, c(list(fit, compat = "statsmodels"), entry$options))))
    saved <- readLines(fixture("statsmodels", paste0(model, ".txt")))
    if (model == "dietox-huge") {
      # Seventeen digits are printed: the first ten of them must agree.
      numbers <- gregexpr("[0-9]{10,}[.][0-9]+", saved)
      expect_equal(
        as.numeric(unlist(regmatches(printed, numbers))),
        as.numeric(unlist(regmatches(saved, numbers))),
        tolerance = 1e-9
      )
      printed <- gsub("[0-9]", "9", printed)
      saved <- gsub("[0-9]", "9", saved)
    }
    expect_identical(printed, saved)
  })

  test_that(paste("the fields with statsmodels' names have its values:", model), {
    fit <- statsmodels_models[[model]]$fit()
    expect_equal(fit$llf, estimates_of(model, "llf")[[1L]], tolerance = 1e-9)
    expect_equal(fit$scale, estimates_of(model, "scale")[[1L]], tolerance = 1e-6)
    expect_equal(fit$aic, estimates_of(model, "aic")[[1L]], tolerance = 1e-9)
    expect_equal(fit$bic, estimates_of(model, "bic")[[1L]], tolerance = 1e-9)
    expect_equal(fit$df_resid, estimates_of(model, "df_resid")[[1L]])
    expect_equal(unname(fit$params), unname(estimates_of(model, "param:")), tolerance = 1e-5)
    bse <- unname(estimates_of(model, "bse:"))
    near_zero <- unname(fit$params) < 1e-8 & seq_along(bse) > fit$k_fe
    expect_equal(unname(fit$bse)[!near_zero], bse[!near_zero], tolerance = 1e-5)
  })
}

test_that("profile() gives the points and values of profile_re()", {
  cases <- list(
    list("sitka-slopes", 0, "re", 0.1), list("pastes-nested", 0, "re", 0.5),
    list("pastes-nested", "cask", "vc", 0.5), list("dyestuff", 0, "re", 900),
    list("penicillin-crossed", "plate", "vc", 0.3)
  )
  for (case in cases) {
    fit <- statsmodels_models[[case[[1L]]]]$fit()
    p <- profile(fit, case[[2L]], case[[3L]], dist_low = case[[4L]], dist_high = case[[4L]])
    saved <- estimates_of(case[[1L]], paste0("profile:", case[[3L]], ":", case[[2L]], ":"))
    variance <- saved[endsWith(names(saved), ":variance")]
    llf <- saved[endsWith(names(saved), ":llf")]
    expect_equal(as.numeric(p[, 1L]), unname(variance), tolerance = 2e-4)
    # statsmodels stops its refits early: ours may be higher, never lower.
    expect_equal(as.numeric(p[, 2L]), unname(llf), tolerance = 1e-5)
    expect_true(all(p[, 2L] >= llf - 1e-6))
  }
})
