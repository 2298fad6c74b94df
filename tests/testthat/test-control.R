test_that("settings are checked and kept", {
  control <- mixedlm_control(maxit = 7, tol = 1e-8, em_steps = 0, threads = 1, progress = FALSE)
  expect_s3_class(control, "mixedlm_control")
  expect_identical(control$maxit, 7L)
  expect_identical(control$em_steps, 0L)
  expect_null(mixedlm_control()$maxit)
  expect_output(print(control), "em_steps")
})

test_that("memory is given in bytes or in words", {
  expect_null(mixedlm_control()$max_memory)
  expect_identical(mixedlm_control(max_memory = 5e9)$max_memory, 5e9)
  for (text in c("2GB", "2 gb", " 2048 MB", "2097152KB", "2GiB", "2147483648 B", "2147483648B")) {
    expect_identical(mixedlm_control(max_memory = text)$max_memory, 2^31)
  }
  expect_identical(mixedlm_control(max_memory = "0.5TB")$max_memory, 2^39)
  bad <- list(
    "much", "2", "GB", "-1GB", "1.2.3GB", "2 XB", "0MB", "1e30TB", "", "1GB 2MB", NA_character_,
    0, -5, Inf, NA, TRUE, c(1, 2), list(1)
  )
  for (value in bad) {
    expect_error(mixedlm_control(max_memory = value), "max_memory", class = "mixedlm_error_control")
  }
})

test_that("the threads of the option and of the environment are obeyed", {
  withr_env <- function(value, code) {
    old <- Sys.getenv(c("OMP_THREAD_LIMIT", "_R_CHECK_LIMIT_CORES_"), unset = NA)
    on.exit(for (v in names(old)) {
      if (is.na(old[[v]])) Sys.unsetenv(v) else do.call(Sys.setenv, as.list(old[v]))
    })
    Sys.unsetenv(names(old))
    do.call(Sys.setenv, as.list(value))
    force(code)
  }
  expect_identical(withr_env(c(OMP_THREAD_LIMIT = "1"), mixedlm_control(threads = 8)$threads), 1L)
  expect_identical(withr_env(c("_R_CHECK_LIMIT_CORES_" = "true"), mixedlm_control(threads = 8)$threads), 2L)
  expect_identical(withr_env(c("_R_CHECK_LIMIT_CORES_" = "false"), mixedlm_control(threads = 8)$threads), 8L)
  old <- options(mixedlm.threads = 1)
  on.exit(options(old))
  expect_identical(mixedlm_control()$threads, 1L)
})

test_that("a list of settings is as good as mixedlm_control()", {
  expect_identical(as_control(list(maxit = 3)), mixedlm_control(maxit = 3))
  expect_identical(as_control(NULL), mixedlm_control())
  expect_error(as_control(list(maxit = 1, maxit = 2)), class = "mixedlm_error_control")
  skip_if_not_installed("lme4")
  expect_message(control <- as_control(lme4::lmerControl("bobyqa")), "lme4", class = "mixedlm_message_control")
  expect_identical(control, mixedlm_control())
})

test_that("methods are known by any case", {
  expect_identical(check_method("BFGS"), "bfgs")
  expect_identical(check_method("nm"), "nelder-mead")
  expect_identical(check_method(NULL), "newton")
})
