table_of <- function(x) as.matrix(as.data.frame(x))

tested <- function(formula, data, contrasts = NULL, types = c("I", "II", "III"), df_tolerance = 1e-4) {
  fit <- suppressMessages(mixedlm(formula, data, contrasts = contrasts))
  m <- sharp_lmer(formula, data, contrasts = contrasts)
  for (type in types) {
    theirs <- suppressMessages(stats::anova(m, type = type))
    own <- anova(fit, type = type)
    expect_identical(attr(own, "names"), attr(theirs, "names"))
    expect_identical(attr(own, "heading"), attr(theirs, "heading"))
    expect_identical(row.names(own), row.names(theirs))
    expect_equal(own$`F value`, theirs$`F value`, tolerance = 1e-5)
    expect_equal(own$`Sum Sq`, theirs$`Sum Sq`, tolerance = 1e-5)
    expect_equal(own$NumDF, theirs$NumDF)
    expect_equal(own$DenDF, theirs$DenDF, tolerance = df_tolerance)
    expect_equal(own$`Pr(>F)`, theirs$`Pr(>F)`, tolerance = 1e-3)
  }
  invisible(fit)
}

uneven_cake <- function() {
  d <- plain_data("cake", "lme4")
  d[-c(1:9, 40, 41, 77:90, 131, 160:170, 200, 222), ]
}

test_that("the tables are lmerTest's on unbalanced data with interactions", {
  tested(angle ~ recipe * temperature + (1 | recipe:replicate), uneven_cake())
  tested(angle ~ recipe * temp + (1 | recipe:replicate), uneven_cake())
  tested(score ~ Machine + (Machine | Worker), plain_data("Machines", "nlme")[-c(2, 9, 30), ])
  d <- plain_data("ChickWeight", "datasets")
  d <- d[as.integer(factor(d$Chick)) %% 3L == 0L & d$Time > 4, ]
  tested(weight ~ Diet * Time + I(Time^2) + (1 | Chick), d)
  tested(Weight ~ Cu * Evit + Time + Evit:Time + (1 | Pig), subset(dietox, as.integer(factor(Pig)) <= 20))
})

test_that("strings, logical values and odd names are factors too", {
  d <- uneven_cake()
  d$`the recipe` <- as.character(d$recipe)
  d$hot <- as.integer(as.character(d$temperature)) > 195
  odd <- mixedlm(angle ~ `the recipe` * hot + log(temp) + offset(temp / 100) + (1 | recipe:replicate), d)
  d$first <- d$recipe
  d$second <- factor(d$hot)
  plain <- mixedlm(angle ~ first * second + log(temp) + offset(temp / 100) + (1 | recipe:replicate), d)
  for (type in 1:3) {
    expect_equal(as.matrix(anova(odd, type = type)), as.matrix(anova(plain, type = type)), ignore_attr = TRUE, tolerance = 1e-8)
  }
  d$shifted <- d$angle - d$temp / 100
  tested(shifted ~ first * second + log(temp) + (1 | recipe:replicate), d)
})

test_that("models without an intercept or without main effects are lmerTest's", {
  d <- uneven_cake()
  tested(angle ~ 0 + recipe + recipe:temp + (1 | recipe:replicate), d)
  tested(angle ~ recipe:temp + (1 | recipe:replicate), d, types = c("I", "III"))
})

test_that("empty cells and aliased columns are handled as in SAS and lmerTest", {
  d <- subset(uneven_cake(), !(recipe == "A" & temperature %in% c("175", "185")))
  fit <- tested(angle ~ recipe * temperature + (1 | recipe:replicate), d)
  expect_length(fit$aliased, 2L)
})

test_that("the tests do not depend on the contrasts", {
  d <- subset(uneven_cake(), !(recipe == "A" & temperature == "175"))
  one <- suppressMessages(mixedlm(angle ~ recipe * temperature + (1 | recipe:replicate), d))
  two <- suppressMessages(mixedlm(angle ~ recipe * temperature + (1 | recipe:replicate), d,
    contrasts = list(recipe = "contr.sum", temperature = "contr.helmert")
  ))
  d$recipe <- ordered(d$recipe)
  stats::contrasts(d$temperature) <- stats::contr.SAS(nlevels(d$temperature))
  three <- suppressMessages(mixedlm(angle ~ recipe * temperature + (1 | recipe:replicate), d))
  for (type in 1:3) {
    for (ddf in c("Satterthwaite", "Kenward-Roger")) {
      expect_equal(table_of(anova(two, type = type, ddf = ddf)), table_of(anova(one, type = type, ddf = ddf)), tolerance = 1e-5)
      expect_equal(table_of(anova(three, type = type, ddf = ddf)), table_of(anova(one, type = type, ddf = ddf)), tolerance = 1e-5)
    }
  }
})

test_that("type III tests equally weighted means", {
  d <- uneven_cake()
  fit <- mixedlm(angle ~ recipe * temperature + (1 | recipe:replicate), d)
  sum_coded <- mixedlm(angle ~ recipe * temperature + (1 | recipe:replicate), d,
    contrasts = list(recipe = "contr.sum", temperature = "contr.sum")
  )
  # with sums to zero the coefficients of a main effect are those of equally weighted means
  own <- grep("^recipe[0-9]+$", names(sum_coded$fe_params))
  direct <- linear_hypothesis(sum_coded, diag(length(sum_coded$fe_params))[own, ], ddf = "KR")$joint
  table <- anova(fit, ddf = "KR")
  expect_equal(table["recipe", "F value"], direct$statistic, tolerance = 1e-6)
  expect_equal(table["recipe", "DenDF"], direct$den_df, tolerance = 1e-6)
})

test_that("Kenward-Roger tables are lmerTest's", {
  skip_if_not_installed("pbkrtest")
  d <- uneven_cake()
  m <- sharp_lmer(angle ~ recipe * temperature + (1 | recipe:replicate), d)
  fit <- mixedlm(angle ~ recipe * temperature + (1 | recipe:replicate), d)
  theirs <- stats::anova(m, ddf = "Kenward-Roger", type = 2)
  own <- anova(fit, ddf = "Kenward-Roger", type = 2)
  expect_equal(table_of(own), table_of(theirs), tolerance = 1e-4)
  expect_identical(attr(own, "heading"), attr(theirs, "heading"))
})

test_that("other degrees of freedom have their columns", {
  fit <- mixedlm(Weight ~ Cu + Time, dietox, groups = "Pig")
  wald <- anova(fit, ddf = "normal")
  expect_named(wald, c("Chisq", "Df", "Pr(>Chisq)"))
  f <- anova(fit, ddf = "residual")
  expect_equal(f$`F value` * f$NumDF, wald$Chisq, tolerance = 1e-10)
  expect_equal(unique(f$DenDF), length(fit$y) - 4)
  expect_named(anova(fit, ddf = "lme4"), c("npar", "Sum Sq", "Mean Sq", "F value"))
  expect_identical(nrow(anova(mixedlm(Weight ~ 1, dietox, groups = "Pig"))), 0L)
})

test_that("every column of matrices is a term, and contrasts that leave something out are tested as they are", {
  x <- cbind(const = 1, Time = dietox$Time, square = dietox$Time^2)
  fit <- mixedlm(x, dietox$Weight, groups = dietox$Pig)
  table <- anova(fit)
  expect_identical(row.names(table), colnames(x))
  expect_equal(table$`F value`, unname(coef(summary(fit, style = "lme4"))[, "t value"]^2), tolerance = 1e-8)
  d <- uneven_cake()
  part <- mixedlm(angle ~ recipe * temp + (1 | recipe:replicate), d, contrasts = list(recipe = matrix(c(-1, 0, 1), 3L)))
  expect_identical(anova(part)$NumDF, c(1L, 1L, 1L))
})

test_that("arguments are checked", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_identical(anova(fit, type = 2), anova(fit, type = "ii"))
  expect_error(anova(fit, type = 4), class = "mixedlm_error_argument")
  expect_error(anova(fit, type = NULL), class = "mixedlm_error_argument")
  expect_error(anova(fit, ddf = "exact"), class = "mixedlm_error_ddf")
  expect_error(anova(fit, tipe = 3), "type", class = "mixedlm_error_argument")
  expect_error(anova(fit, 3), class = "mixedlm_error_comparison")
  expect_error(anova(fit, fit, refit = NA), class = "mixedlm_error_argument")
  expect_error(anova(fit, fit, model.names = "a"), class = "mixedlm_error_argument")
})

# --- several fits -----------------------------------------------------------------

test_that("fits are compared as lme4 compares them", {
  skip_if_not_installed("lme4")
  d <- plain_data("sleepstudy", "lme4")
  a <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  b <- mixedlm(Reaction ~ 1 + (1 | Subject), d)
  ma <- sharp_lmer(Reaction ~ Days + (Days | Subject), d)
  mb <- sharp_lmer(Reaction ~ 1 + (1 | Subject), d)
  expect_message(own <- anova(a, b), class = "mixedlm_message_refit")
  theirs <- suppressMessages(stats::anova(ma, mb, model.names = c("a", "b")))
  # "-2*log(L)" in newer versions of lme4
  names(theirs)[5L] <- "deviance"
  expect_equal(table_of(own), table_of(theirs), tolerance = 1e-6)
  expect_identical(row.names(own), c("b", "a"))
  expect_identical(attr(own, "heading"), c(
    "Data: d", "Models:", "b: Reaction ~ 1 + (1 | Subject)", "a: Reaction ~ Days + (Days | Subject)"
  ))
  expect_s3_class(own, c("anova", "data.frame"), exact = TRUE)
  named <- suppressMessages(anova(a, b, model.names = c("large", "small")))
  expect_identical(row.names(named), c("small", "large"))
})

test_that("REML fits with the same fixed effects can be compared as they are", {
  d <- plain_data("sleepstudy", "lme4")
  a <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  b <- mixedlm(Reaction ~ Days + (1 | Subject), d)
  linear <- stats::lm(Reaction ~ Days, d)
  expect_silent(own <- anova(a, b, linear, refit = FALSE))
  expect_equal(own$deviance, c(-2 * as.numeric(stats::logLik(linear, REML = TRUE)), b$criterion, a$criterion))
  expect_equal(own$Chisq[3L], b$criterion - a$criterion)
  expect_error(anova(a, mixedlm(Reaction ~ 1 + (1 | Subject), d), refit = FALSE), class = "mixedlm_error_comparison")
  expect_error(anova(a, update(b, REML = FALSE), refit = FALSE), "ML fit", class = "mixedlm_error_comparison")
})

test_that("fits of lmer() and lm() may stand among them", {
  skip_if_not_installed("lme4")
  d <- plain_data("sleepstudy", "lme4")
  a <- mixedlm(Reaction ~ Days + (Days | Subject), d, REML = FALSE)
  m <- lme4::lmer(Reaction ~ Days + (1 | Subject), d, REML = FALSE)
  linear <- stats::lm(Reaction ~ Days, d)
  expect_silent(own <- anova(a, m, linear))
  expect_identical(row.names(own), c("linear", "m", "a"))
  expect_equal(own$logLik, c(as.numeric(stats::logLik(linear)), as.numeric(stats::logLik(m)), -a$criterion / 2), tolerance = 1e-7)
  glm <- stats::glm(Reaction ~ Days, data = d)
  expect_error(anova(a, glm), class = "mixedlm_error_comparison")
})

test_that("fits of other data are not compared", {
  d <- plain_data("sleepstudy", "lme4")
  a <- mixedlm(Reaction ~ Days + (1 | Subject), d)
  expect_error(anova(a, mixedlm(Reaction ~ 1 + (1 | Subject), d[-1, ])), "180.*179", class = "mixedlm_error_comparison")
  expect_error(anova(a, mixedlm(log(Reaction) ~ 1 + (1 | Subject), d)), "response", class = "mixedlm_error_comparison")
  d$w <- rep(1:2, 90)
  expect_error(anova(a, mixedlm(Reaction ~ 1 + (1 | Subject), d, weights = w)), "weights", class = "mixedlm_error_comparison")
})

test_that("a refit needs neither the data nor the place of the call", {
  make <- function() {
    hidden <- plain_data("sleepstudy", "lme4")
    hidden$f <- factor(hidden$Days > 4)
    list(
      mixedlm(Reaction ~ f + (1 | Subject), hidden, contrasts = list(f = "contr.sum")),
      mixedlm(Reaction ~ 1 + (1 | Subject), hidden)
    )
  }
  fits <- make()
  table <- suppressMessages(anova(fits[[1L]], fits[[2L]]))
  expect_identical(row.names(table), c("fits[[2L]]", "fits[[1L]]"))
  expect_equal(table$npar, c(3, 4))
})

test_that("the tests do not depend on the units of a covariate", {
  d <- dietox[-c(1:9, 40, 41, 100:140, 300), ]
  tables <- function(size) {
    d$x <- d$Time * size
    fit <- mixedlm(Weight ~ Cu * x + Cu * Evit + (1 | Pig), d)
    lapply(c("I", "II", "III"), function(type) table_of(anova(fit, type = type)))
  }
  plain <- tables(1)
  for (size in c(1e6, 1e12, 1e-9, 1e-14, 1e60)) {
    expect_equal(tables(size), plain, tolerance = 1e-8)
  }
  # seconds since 1970: of type I nothing depends on where time begins
  d$x <- d$Time
  first <- anova(mixedlm(Weight ~ Cu * x + (1 | Pig), d), type = "I")
  d$x <- as.POSIXct("2021-03-01", tz = "UTC") + d$Time * 7 * 86400
  expect_equal(anova(mixedlm(Weight ~ Cu * x + (1 | Pig), d), type = "I")$`F value`, first$`F value`, tolerance = 1e-5)
})

test_that("factors that repeat each other leave tables without failing", {
  set.seed(2)
  d <- plain_data("sleepstudy", "lme4")
  d$Days[c(3, 77)] <- NA
  d$a <- factor(rep_len(c("a", "b", "c", "d", "b"), 180L))
  d$b <- as.character(d$a)
  fit <- suppressMessages(mixedlm(Reaction ~ a * b * Days + (1 | Subject), d))
  for (type in 1:3) {
    table <- anova(fit, type = type)
    expect_identical(row.names(table), c("a", "b", "Days", "a:b", "a:Days", "b:Days", "a:b:Days"))
    expect_gte(table["Days", "NumDF"], 1L)
  }
})

test_that("a term that was left out altogether takes nothing from the others", {
  skip_if_not_installed("lmerTest")
  d <- dietox
  d$copy <- 2 * d$Time
  ours <- suppressMessages(mixedlm(Weight ~ Time + copy + Cu + (1 | Pig), d))
  theirs <- suppressMessages(lmerTest::lmer(Weight ~ Time + copy + Cu + (1 | Pig), d))
  for (type in c("I", "II", "III")) {
    a <- anova(ours, type = type)
    b <- suppressMessages(anova(theirs, type = type))
    shared <- c("Time", "Cu")
    expect_equal(a[shared, "F value"], b[shared, "F value"], tolerance = 1e-5, info = type)
    expect_equal(a[shared, "DenDF"], b[shared, "DenDF"], tolerance = 1e-3, info = type)
    expect_identical(a["copy", "NumDF"], 0L)
  }
})

test_that("arguments for one fit are refused for several", {
  one <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
  two <- mixedlm(Weight ~ Time + Cu, dietox, groups = "Pig", REML = FALSE)
  error <- expect_error(anova(one, two, type = "II"), class = "mixedlm_error_argument")
  expect_identical(error$argument, "type")
})
