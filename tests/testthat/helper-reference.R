# Saved references, and the fits that are compared with them.

fixture <- function(...) testthat::test_path("fixtures", ...)

from_package <- function(name, package) {
  testthat::skip_if_not_installed(package)
  env <- new.env()
  utils::data(list = name, package = package, envir = env)
  as.data.frame(env[[name]])
}

# Plain columns: groupedData classes and orderings of factors go, as in the CSV
# files that the other programs read.
plain_data <- function(name, package) {
  d <- from_package(name, package)
  d[] <- lapply(d, function(x) if (is.factor(x)) factor(as.character(x)) else x)
  d
}

# Penicillin as in tools/reference/reference_statsmodels.py.
penicillin <- function() {
  d <- plain_data("Penicillin", "lme4")
  d$day <- 1 + (seq_len(nrow(d)) - 1) %% 7
  d$late <- d$day > 4
  d
}
plates_and_samples <- list(plate = ~ 0 + plate, sample = ~ 0 + sample)

# One entry per model of tools/reference/reference_statsmodels.py: `fit` makes it,
# `options` are the arguments of summary().
statsmodels_models <- list(
  "dietox-vector" = list(fit = function() mixedlm(Weight ~ Time, dietox, groups = dietox$Pig)),
  "dietox-named-ml" = list(fit = function() mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)),
  "dietox-long-names" = list(fit = function() mixedlm(Weight ~ Cu + Evit + Time + Cu:Time, dietox, groups = "Pig")),
  "dietox-slopes-ml" = list(fit = function() {
    mixedlm(Weight ~ Cu + Evit + Time, dietox, groups = "Pig", re_formula = ~Time, REML = FALSE)
  }),
  "dietox-diagonal-ml" = list(fit = function() {
    mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, REML = FALSE, free = "diagonal")
  }),
  "dietox-huge" = list(fit = function() {
    mixedlm(Weight ~ Time, transform(dietox, Weight = Weight * 1e6), groups = "Pig")
  }),
  "dietox-tiny" = list(fit = function() {
    mixedlm(Weight ~ Time, transform(dietox, Weight = Weight * 1e-6), groups = "Pig")
  }),
  "dietox-negative" = list(fit = function() {
    d <- transform(dietox, Weight = -Weight, late = Time > 6)
    mixedlm(Weight ~ 0 + Cu + late + log(Time), d, groups = "Pig")
  }),
  "dietox-names" = list(
    fit = function() mixedlm(Weight ~ Time, dietox, groups = "Pig"),
    options = list(
      yname = "a response with a long name", xname_fe = c("const", "slope"),
      xname_re = "g", title = "Body weight", alpha = 0.1
    )
  ),
  "dietox-alpha" = list(
    fit = function() mixedlm(Weight ~ Time, dietox, groups = "Pig"),
    options = list(alpha = 0.001, title = "A title that is a good deal wider than the table that it stands above")
  ),
  "sleepstudy-slopes" = list(fit = function() {
    mixedlm(Reaction ~ Days, plain_data("sleepstudy", "lme4"), groups = "Subject", re_formula = ~Days)
  }),
  "sleepstudy-slopes-ml" = list(
    fit = function() {
      d <- plain_data("sleepstudy", "lme4")
      mixedlm(Reaction ~ Days, d, groups = "Subject", re_formula = ~Days, REML = FALSE)
    },
    options = list(xname_re = c("v0", "c01", "v1"), title = "")
  ),
  "sleepstudy-slope-only" = list(fit = function() {
    mixedlm(Reaction ~ Days, plain_data("sleepstudy", "lme4"), groups = "Subject", re_formula = ~ 0 + Days)
  }),
  "pastes-nested" = list(fit = function() {
    d <- plain_data("Pastes", "lme4")
    mixedlm(strength ~ 1, d, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask))
  }),
  "pastes-two-components-ml" = list(fit = function() {
    d <- plain_data("Pastes", "lme4")
    d$lot <- rep(c("0", "1"), length.out = nrow(d))
    mixedlm(strength ~ 1, d,
      groups = "batch", REML = FALSE,
      vc_formula = list(zz = ~ 0 + cask, aa = ~ 0 + lot)
    )
  }),
  "oats-poly" = list(fit = function() {
    d <- plain_data("Oats", "nlme")
    d$harvest <- d$yield
    d$nitro <- factor(d$nitro)
    mixedlm(harvest ~ nitro + Variety, d,
      groups = "Block", re_formula = ~1, vc_formula = list(Variety = ~ 0 + Variety),
      contrasts = list(nitro = "contr.poly", Variety = "contr.sum")
    )
  }),
  "oats-helmert" = list(fit = function() {
    d <- plain_data("Oats", "nlme")
    d$harvest <- d$yield
    d$nitro <- factor(d$nitro)
    mixedlm(harvest ~ Variety * nitro, d, groups = "Block", contrasts = list(Variety = "contr.helmert"))
  }),
  "orthodont" = list(fit = function() {
    mixedlm(distance ~ Sex * age, plain_data("Orthodont", "nlme"), groups = "Subject", re_formula = ~age)
  }),
  "dyestuff" = list(fit = function() mixedlm(Yield ~ 1, plain_data("Dyestuff", "lme4"), groups = "Batch")),
  "dyestuff2" = list(fit = function() mixedlm(Yield ~ 1, plain_data("Dyestuff2", "lme4"), groups = "Batch")),
  "machines" = list(fit = function() {
    mixedlm(score ~ Machine, plain_data("Machines", "nlme"), groups = "Worker", re_formula = ~Machine)
  }),
  "rail-ml" = list(fit = function() mixedlm(travel ~ 1, plain_data("Rail", "nlme"), groups = "Rail", REML = FALSE)),
  "sitka-slopes" = list(fit = function() {
    mixedlm(size ~ Time, plain_data("Sitka", "MASS"), groups = "tree", re_formula = ~Time)
  }),
  "penicillin-crossed" = list(fit = function() {
    mixedlm(diameter ~ 1, penicillin(), vc_formula = plates_and_samples)
  }),
  "penicillin-crossed-ml" = list(fit = function() {
    mixedlm(diameter ~ 1, penicillin(), vc_formula = plates_and_samples, REML = FALSE)
  }),
  "penicillin-covariate" = list(fit = function() {
    mixedlm(diameter ~ late * day, penicillin(), vc_formula = plates_and_samples)
  }),
  "penicillin-covariate-ml" = list(fit = function() {
    mixedlm(diameter ~ day, penicillin(), vc_formula = plates_and_samples, REML = FALSE)
  }),
  "penicillin-three-ml" = list(fit = function() {
    d <- penicillin()
    d$day <- factor(d$day)
    mixedlm(diameter ~ 1, d, vc_formula = c(rev(plates_and_samples), day = ~ 0 + day), REML = FALSE)
  })
)
