test_that("lines are predictions, points the data", {
  pair <- model_pair("grouped")
  fit <- pair$ours
  out <- expect_silent(onto_null(plot_trajectories(fit, n = c("308", "337"))))
  expect_false(out$visible)
  lines <- out$value$lines
  new <- data.frame(Days = lines$x, Subject = lines$group)
  own <- lines$level == "group"
  theirs <- predict(pair$theirs, new)
  expect_equal(lines$y[own], unname(theirs[own]), tolerance = 1e-6)
  expect_equal(lines$y[!own], unname(predict(pair$theirs, new[!own, ], re.form = NA)), tolerance = 1e-6)
  points <- out$value$points
  expect_identical(points$y, pair$data$Reaction[pair$data$Subject %in% c("308", "337")])
  expect_identical(levels(points$group), c("308", "337"))
})

test_that("other predictors are held at the group's values, or at what is usual", {
  d <- transform(dietox, late = Time > 6)
  fit <- mixedlm(Weight ~ log(Time) + Cu + late + (1 | Pig), d)
  out <- onto_null(plot_trajectories(fit, n = 4))$value
  for (pig in levels(out$lines$group)) {
    own <- d[d$Pig == pig, ]
    line <- out$lines[out$lines$group == pig & out$lines$level == "population", ]
    new <- data.frame(Time = line$x, Cu = own$Cu[1L], late = sum(own$late) * 2 > nrow(own) | (sum(own$late) * 2 == nrow(own) & own$late[1L]))
    expect_equal(line$y, unname(predict(fit, new, re.form = NA)))
  }
})

test_that("bands are those of predict()", {
  fit <- model_pair("grouped")$ours
  out <- onto_null(plot_trajectories(fit, n = 2, interval = "confidence", coverage = 0.8))$value$lines
  own <- out[out$level == "group", ]
  limits <- predict(fit, data.frame(Days = own$x, Subject = own$group), interval = "confidence", level = 0.8)
  expect_equal(cbind(own$low, own$high), unname(limits[, 2:3]))
  expect_true(all(is.na(out$low[out$level == "population"])))
})

test_that("random effects of factors that vary within the group are zero", {
  fit <- model_pair("crossed_slopes")$ours
  out <- onto_null(plot_trajectories(fit, group = "s", n = 2))$value$lines
  expect_identical(nrow(out), 2L * 2L * 61L)
  expect_true(all(is.finite(out$y)))
  nested <- mixedlm(Weight ~ Time + (1 | Cu) + (1 | Pig), dietox)
  expect_null(constant_effects(nested, trajectory_factor(nested, "Pig")))
  upper <- constant_effects(nested, trajectory_factor(nested, "Cu"))
  expect_identical(deparse(upper), "~(1 | Cu)")
})

test_that("statsmodels' vocabulary, vectors of groups and offsets work", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = dietox$Pig, offset = dietox$Time)
  expect_silent(onto_null(plot_trajectories(fit, n = 2)))
  skip_if_not_installed("ggplot2")
  fit <- mixedlm(Weight ~ poly(Time, 2), dietox, groups = "Pig", re_formula = ~Time, free = "diagonal")
  picture <- ggplot2::autoplot(fit, which = "trajectories", n = 5, interval = "confidence")
  expect_silent(onto_null(picture))
  expect_identical(nrow(ggplot2::ggplot_build(picture)$layout$layout), 5L)
  expect_identical(picture$labels$y, "Weight")
})

test_that("wrong arguments are told", {
  fit <- model_pair("grouped")$ours
  wrong <- function(expr, argument) {
    e <- expect_error(expr, class = "mixedlm_error_argument")
    expect_identical(e$argument, argument)
  }
  wrong(plot_trajectories(fit, group = "Subjects"), "group")
  wrong(plot_trajectories(fit, x = "Dayz"), "x")
  wrong(plot_trajectories(fit, x = "Subject"), "x")
  wrong(plot_trajectories(fit, n = 0), "n")
  wrong(plot_trajectories(fit, n = "nobody"), "n")
  wrong(plot_trajectories(fit, level = "all"), "level")
  wrong(plot_trajectories(fit, coverage = 95), "coverage")
  wrong(plot_trajectories(fit, interval = "prediction"), "interval")
  wrong(plot_trajectories(fit, colour = 1), "colour")
  wrong(plot_trajectories(model_pair("nested")$ours), "x")
  expect_error(plot_trajectories(1), class = "mixedlm_error_object")
  gone <- local({
    short <- dietox
    mixedlm(Weight ~ log(Time), short, groups = "Pig")
  })
  environment(gone$formula) <- globalenv()
  e <- expect_error(plot_trajectories(gone), class = "mixedlm_error_data")
  expect_identical(e$variable, "Time")
})
