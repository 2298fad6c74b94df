test_that("all models are drawn without a word, by base graphics and ggplot2", {
  for (name in model_pairs) {
    fit <- model_pair(name)$ours
    out <- expect_silent(onto_null(plot(fit)))
    expect_false(out$visible)
    expect_named(out$value, c("panel", "x", "y", "row"))
    own <- out$value[out$value$panel == "Residuals against fitted values", ]
    expect_equal(own$x, unname(fitted(fit)))
    expect_equal(own$y, unname(residuals(fit, "pearson")))
    if (requireNamespace("ggplot2", quietly = TRUE)) {
      picture <- ggplot2::autoplot(fit)
      expect_s3_class(picture, "ggplot")
      expect_silent(onto_null(picture))
    }
  }
})

test_that("each picture shows what its name says", {
  fit <- model_pair("grouped")$ours
  drawn <- function(which) onto_null(plot(fit, which = which))$value
  expect_equal(drawn("scale-location")$y, unname(sqrt(abs(residuals(fit, "pearson", scaled = TRUE)))))
  q <- qq_data(fit)
  expect_equal(drawn("qq")[c("x", "y")], data.frame(x = q$theoretical, y = q$standardized))
  expect_identical(row.names(model.frame(fit))[drawn("qq")$row], q$label)
  expect_identical(levels(drawn("ranef-qq")$panel), c("Subject: (Intercept)", "Subject: Days"))
  expect_equal(drawn("leverage")$x, unname(hatvalues(fit)))
  expect_equal(drawn("cooks")$y, unname(cooks.distance(fit)))
  expect_identical(nlevels(drawn(c("cooks", "qq"))$panel), 2L)
})

test_that("a variance of zero leaves an empty panel", {
  fit <- model_pair("singular")$ours
  out <- expect_silent(onto_null(plot(fit, which = "ranef-qq")))
  expect_null(out$value)
  skip_if_not_installed("ggplot2")
  expect_silent(onto_null(ggplot2::autoplot(fit, which = "ranef-qq")))
})

test_that("a layout of the user is filled, not replaced", {
  fit <- model_pair("grouped")$ours
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit(grDevices::dev.off())
  graphics::par(mfrow = c(1, 2))
  plot(fit, which = c("residuals", "qq"))
  expect_identical(graphics::par("mfrow"), c(1L, 2L))
})

test_that("facets hold what the base panels hold", {
  skip_if_not_installed("ggplot2")
  fit <- model_pair("crossed")$ours
  base <- onto_null(plot(fit))$value
  picture <- ggplot2::autoplot(fit)
  built <- ggplot2::ggplot_build(picture)$layout$layout
  expect_identical(nrow(built), nlevels(base$panel))
  points <- Filter(function(layer) inherits(layer$geom, "GeomPoint"), picture$layers)
  expect_identical(nrow(points[[1L]]$data), nrow(base))
  single <- ggplot2::autoplot(fit, which = "qq")
  expect_identical(single$labels$x, "Normal quantiles")
  expect_identical(single$labels$y, "Standardized residuals")
})

test_that("rows are labelled by level, by formula, and with labels of one's own", {
  fit <- model_pair("grouped")$ours
  marked <- marked_rows(fit, 0.01, NULL)
  far <- which(abs(residuals(fit, scaled = TRUE)) > qnorm(0.995))
  expect_identical(marked$row, unname(far))
  expect_identical(marked$label, as.character(model.frame(fit)$Subject[far]))
  expect_identical(marked_rows(fit, ~ Days > 8, ~.obs)$label, as.character(which(model.frame(fit)$Days > 8)))
  expect_identical(marked_rows(fit, ~ c(3, 5), ~Days)$label, c("2", "4"))
  expect_silent(onto_null(plot(fit, id = 0.01)))
  skip_if_not_installed("ggplot2")
  expect_silent(onto_null(ggplot2::autoplot(fit, id = 0.01)))
})

test_that("missing rows do not disturb", {
  d <- dietox
  d$Weight[c(2, 50)] <- NA
  fit <- mixedlm(Weight ~ Time, d, groups = "Pig", na.action = na.exclude)
  out <- onto_null(plot(fit, which = c("residuals", "leverage", "cooks")))$value
  expect_identical(sum(out$panel == "Residuals against fitted values"), nobs(fit))
  expect_false(anyNA(out$x) || anyNA(out$y))
  skip_if_not_installed("lattice")
  picture <- plot(fit, resid(.) ~ Weight | Cu)
  expect_s3_class(picture, "trellis")
  expect_identical(sum(lengths(lapply(picture$panel.args, `[[`, "x"))), nobs(fit))
})

test_that("1e5 rows are thinned and told, quickly", {
  fit <- mixedlm(y ~ x + (1 | g), many_rows(1e5, 2000))
  seconds <- system.time(out <- onto_null(plot(fit)))[["elapsed"]]
  expect_lt(seconds, 10)
  expect_true(all(table(out$value$panel) <= 5000))
  own <- out$value[out$value$panel == "Residuals against fitted values", ]
  # the outermost are kept
  expect_equal(max(abs(own$y)), max(abs(residuals(fit))))
  panels <- fit_panels(fit, "residuals", 5000L)
  expect_match(thinned_note(panels), "5,000 of 100,000", fixed = TRUE)
})

test_that("lme4's habits draw what lme4 draws", {
  skip_if_not_installed("lattice")
  for (name in c("grouped", "crossed", "weighted")) {
    pair <- model_pair(name)
    ours <- plot(pair$ours, resid(., scaled = TRUE) ~ fitted(.))
    theirs <- plot(pair$theirs, resid(., scaled = TRUE) ~ fitted(.))
    expect_s3_class(ours, "trellis")
    for (axis in c("x", "y")) {
      expect_equal(unname(ours$panel.args[[1L]][[axis]]), unname(theirs$panel.args[[1L]][[axis]]), tolerance = 1e-4)
    }
    expect_silent(onto_null(ours))
    expect_silent(onto_null(plot(pair$ours, ~ resid(.))))
  }
  pair <- model_pair("grouped")
  ours <- plot(pair$ours, resid(.) ~ fitted(.) | Subject, abline = 0, id = 0.05)
  theirs <- plot(pair$theirs, resid(.) ~ fitted(.) | Subject, abline = 0, id = 0.05)
  expect_identical(dim(ours), dim(theirs))
  expect_identical(dimnames(ours)[[1L]], dimnames(theirs)[[1L]])
  expect_silent(onto_null(ours))
  expect_silent(onto_null(plot(pair$ours, Subject ~ resid(.))))
  habit <- plot(pair$ours, type = c("p", "smooth"))
  expect_identical(habit$ylab, "Residuals")
  expect_silent(onto_null(habit))
  expect_silent(onto_null(lattice::qqmath(pair$ours, id = 0.05)))
})

test_that("wrong arguments are told", {
  fit <- model_pair("grouped")$ours
  wrong <- function(expr, argument) {
    e <- expect_error(expr, class = "mixedlm_error_argument")
    expect_identical(e$argument, argument)
  }
  wrong(plot(fit, which = "qqq"), "which")
  wrong(plot(fit, which = 2), "which")
  wrong(plot(fit, which = character()), "which")
  wrong(plot(fit, which = c("qq", "ranef")), "which")
  wrong(plot(fit, "qq"), "form")
  wrong(plot(fit, resid(.) ~ fitted(.), which = "qq"), "which")
  wrong(plot(fit, id = 2), "id")
  wrong(plot(fit, id = ~ nothing_here), "id")
  wrong(plot(fit, id = 0.05, idLabels = 1:3), "idLabels")
  wrong(plot(fit, max_points = 0), "max_points")
  wrong(plot(fit, colour = 1), "colour")
  skip_if_not_installed("lattice")
  wrong(plot(fit, resid(.) ~ Dayz), "form")
  wrong(plot(fit, resid(.) ~ fixef(.)), "form")
  wrong(plot(fit, resid(.) ~ fitted(.), abline = "a"), "abline")
  skip_if_not_installed("ggplot2")
  wrong(ggplot2::autoplot(fit, which = "qqq"), "which")
  wrong(ggplot2::autoplot(fit, colour = 1), "colour")
})

test_that("a package that is not there is named", {
  e <- expect_error(need_package("nopackageofthisname", "A picture"), class = "mixedlm_error_package")
  expect_identical(e$package, "nopackageofthisname")
})
