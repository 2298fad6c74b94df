test_that("caterpillars hold the modes and their deviations, sorted", {
  for (name in model_pairs) {
    effects <- ranef(model_pair(name)$ours, condVar = TRUE)
    out <- expect_silent(onto_null(plot(effects)))
    expect_false(out$visible)
    d <- as.data.frame(effects)
    at <- match(paste(out$value$grpvar, out$value$term, out$value$grp), paste(d$grpvar, d$term, d$grp))
    expect_equal(out$value$condval, d$condval[at])
    expect_equal(out$value$condsd, d$condsd[at])
    expect_equal(out$value$high - out$value$condval, qnorm(0.975) * d$condsd[at])
    first <- out$value[out$value$grpvar == names(effects)[1L] & out$value$term == names(effects[[1L]])[1L], ]
    expect_false(is.unsorted(first$condval))
  }
})

test_that("orders are as asked for", {
  effects <- ranef(model_pair("grouped")$ours, condVar = TRUE)
  drawn <- function(order) split(d <- onto_null(plot(effects, order = order))$value, d$term)
  expect_identical(drawn("first")$Days$grp, drawn("first")$`(Intercept)`$grp)
  expect_false(is.unsorted(drawn("each")$Days$condval))
  expect_identical(rev(drawn("level")$Days$grp), rownames(effects$Subject))
})

test_that("without variances, with drop, and with long names there is a picture too", {
  fit <- model_pair("crossed")$ours
  expect_silent(onto_null(plot(ranef(fit))))
  expect_silent(onto_null(plot(ranef(fit, drop = TRUE, condVar = TRUE))))
  d <- within(dietox, Pig <- paste("a pig whose name is really very long indeed", Pig))
  effects <- ranef(mixedlm(Weight ~ Time, d, groups = "Pig"), condVar = TRUE)
  expect_silent(onto_null(plot(effects)))
  shown <- short_names(rownames(effects$Pig))
  expect_true(all(nchar(shown) == 24L))
  expect_identical(anyDuplicated(shown), 0L)
})

test_that("of many levels only some are drawn, the extremes among them", {
  effects <- ranef(mixedlm(y ~ x + (1 | g), many_rows(1e5, 20000)), condVar = TRUE)
  out <- onto_null(plot(effects))$value
  expect_identical(nrow(out), 1000L)
  expect_equal(range(out$condval), range(effects$g[[1L]]))
  skip_if_not_installed("ggplot2")
  picture <- ggplot2::autoplot(effects)
  expect_match(picture$labels$caption, "1,000 of 20,000", fixed = TRUE)
  expect_silent(onto_null(picture))
})

test_that("ggplot2 and lattice draw all models", {
  for (name in model_pairs) {
    effects <- ranef(model_pair(name)$ours, condVar = TRUE)
    if (requireNamespace("ggplot2", quietly = TRUE)) {
      picture <- ggplot2::autoplot(effects)
      built <- ggplot2::ggplot_build(picture)
      expect_identical(nrow(built$layout$layout), sum(vapply(effects, ncol, 0L)))
      points <- Filter(function(layer) inherits(layer$geom, "GeomPoint"), picture$layers)
      expect_length(points, 1L)
      expect_equal(sort(picture$data$condval), sort(unlist(effects, use.names = FALSE)))
      expect_silent(onto_null(picture))
    }
    if (requireNamespace("lattice", quietly = TRUE)) {
      for (generic in list(lattice::dotplot, lattice::qqmath)) {
        ours <- generic(effects)
        theirs <- generic(lme4::ranef(model_pair(name)$theirs, condVar = TRUE))
        expect_identical(names(ours), names(theirs))
        expect_identical(lapply(ours, dim), lapply(theirs, dim))
        for (picture in ours) expect_silent(onto_null(picture))
      }
    }
  }
})

test_that("lattice's intervals are lme4's, and transformed", {
  skip_if_not_installed("lattice")
  effects <- ranef(model_pair("grouped")$ours, condVar = TRUE)
  x <- lattice::dotplot(effects, transf = exp)$Subject$panel.args[[1L]]$x
  expect_equal(sort(x), sort(exp(effects$Subject[[1L]])))
  expect_null(lattice::dotplot(effects, main = FALSE)$Subject$main)
  expect_error(lattice::dotplot(effects, transf = 1), class = "mixedlm_error_argument")
})

test_that("wrong arguments are told", {
  effects <- ranef(model_pair("grouped")$ours, condVar = TRUE)
  expect_error(plot(effects, level = 95), class = "mixedlm_error_argument")
  expect_error(plot(effects, order = "size"), class = "mixedlm_error_argument")
  expect_error(plot(effects, max_levels = 1), class = "mixedlm_error_argument")
  expect_error(plot(effects, colour = 1), class = "mixedlm_error_argument")
})
