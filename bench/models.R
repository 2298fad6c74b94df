# The battery: the models of bench/table.R. Each is described once, in parts from which the formula
# of lme4, the call of nlme and what Python and Julia need are put together:
#   title             a few words
#   response, fixed   the response, and the fixed effects as R and patsy both read them
#   terms             the random effects: columns, named by their grouping factor ("a:b" for the
#                     combinations of two)
#   structure         "grouped" (one factor), "nested" (outermost factor first) or "crossed"
#   reml              REML or ML
#   data              a function without arguments: the variables that occur, grouping variables as
#                     factors
#   quick             whether it is among the models of the quick mode
benchmark_model <- function(title, response, fixed, terms, structure, reml, data, quick = FALSE) {
  bars <- paste0("(", terms, " | ", names(terms), ")", collapse = " + ")
  variables <- function() {
    used <- unique(c(response, all.vars(str2lang(fixed)), all.vars(str2lang(bars))))
    droplevels(as.data.frame(data())[used])
  }
  list(
    title = title, response = response, fixed = fixed, terms = terms, structure = structure,
    reml = reml, formula = paste(response, "~", fixed, "+", bars), data = variables, quick = quick
  )
}

# A data set of an installed package.
from_package <- function(name, package) {
  if (!requireNamespace(package, quietly = TRUE)) {
    stop("the data `", name, "` are in the package ", package, ", which is not installed")
  }
  shelf <- new.env()
  utils::data(list = name, package = package, envir = shelf)
  shelf[[name]]
}

# Within-subject and within-item factors with two levels each, numeric and centred, and random
# effects of every column of their product for subjects and for items. `met` tells in which of the
# cells a subject meets an item; in all of them without it.
subjects_and_items <- function(seed, subjects, items, factors, sd_s, sd_i, met = NULL) {
  set.seed(seed)
  levels <- rep(list(c(-0.5, 0.5)), length(factors))
  d <- expand.grid(c(levels, list(seq_len(items), seq_len(subjects))))
  names(d) <- c(factors, "i", "s")
  if (!is.null(met)) {
    d <- d[met(d), ]
  }
  x <- stats::model.matrix(stats::reformulate(paste(factors, collapse = "*")), d)
  effects <- function(levels, sd) {
    correlation <- 0.3 + 0.7 * diag(length(sd))
    matrix(stats::rnorm(levels * length(sd)), levels) %*% chol(correlation * outer(sd, sd))
  }
  b_s <- effects(subjects, sd_s)
  b_i <- effects(items, sd_i)
  mean <- drop(x %*% seq(2, 0, length.out = ncol(x)))
  d$y <- round(mean + rowSums(x * (b_s[d$s, ] + b_i[d$i, ])) + stats::rnorm(nrow(d)), 6L)
  d$s <- factor(d$s)
  d$i <- factor(d$i)
  d
}

# One of the eight cells of a * b * c for each subject and item: they rotate, as in a Latin square.
one_cell_each <- function(d) {
  cell <- 4 * (d$a > 0) + 2 * (d$b > 0) + (d$c > 0)
  cell == (d$s + d$i) %% 8
}

# A million ratings, skewed as ratings of films are: at least 20 for each user and a log-normal
# number beyond, and few items with most of the ratings. A user rates an item once: the items of a
# user are those with the shortest waiting times, which the popular items tend to have.
ratings <- function(users = 6000L, items = 3700L, n = 1e6) {
  set.seed(22)
  activity <- stats::rlnorm(users, log(76), 1.14)
  rated <- pmin(20 + floor(activity * (n / users - 20) / mean(activity)), 2400)
  short <- sample.int(users, n - sum(rated), replace = TRUE, prob = activity * (rated < 1500))
  rated <- rated + tabulate(short, users)
  rank <- seq_len(items)
  rate <- (rank + 30)^-0.6 * exp(-rank / 900)
  item <- lapply(rated, function(k) order(stats::rexp(items) / rate)[seq_len(k)])
  d <- data.frame(user = rep.int(seq_len(users), rated), item = unlist(item))
  b_user <- 0.4 * stats::rnorm(users)
  b_item <- 0.6 * stats::rnorm(items)
  score <- 3.6 + b_user[d$user] + b_item[d$item] + 0.9 * stats::rnorm(n)
  d$y <- pmin(5, pmax(1, round(score)))
  d$user <- factor(d$user)
  d$item <- factor(d$item)
  d
}

# A correlated intercept and slope for each group, and five numeric fixed effects.
slopes <- function(rows, groups) {
  set.seed(20)
  g <- sample.int(groups, rows, replace = TRUE)
  x <- matrix(stats::rnorm(5 * rows), rows, dimnames = list(NULL, paste0("x", 1:5)))
  b <- matrix(stats::rnorm(2 * groups), groups)
  y <- drop(x %*% (1:5)) + b[g, 1L] + b[g, 2L] * x[, 1L] + stats::rnorm(rows)
  data.frame(y = y, x, g = factor(g))
}

# Slopes that do not differ between the groups: a covariance matrix of rank one fits best.
without_slopes <- function() {
  set.seed(26)
  d <- data.frame(g = factor(rep(1:20, each = 6L)), x = rep(0:5, 20L))
  d$y <- 10 + d$x + 2 * stats::rnorm(20L)[d$g] + stats::rnorm(120L)
  d
}

# Whether a statement of verbal aggression is affirmed, as a number: a linear model of it.
verbal_aggression <- function() {
  d <- from_package("VerbAgg", "lme4")
  d$yes <- as.numeric(d$r2 == "Y")
  d
}

insteval <- function() from_package("InstEval", "lme4")

benchmark_models <- list(
  sleepstudy = benchmark_model(
    "sleepstudy: slopes", "Reaction", "1 + Days", c(Subject = "1 + Days"), "grouped", TRUE,
    function() from_package("sleepstudy", "lme4"), quick = TRUE
  ),
  dietox = benchmark_model(
    "dietox: slopes", "Weight", "1 + Time", c(Pig = "1 + Time"), "grouped", TRUE,
    function() from_package("dietox", "mixedlm"), quick = TRUE
  ),
  sitka = benchmark_model(
    "Sitka: slopes, time in days", "size", "1 + Time", c(tree = "1 + Time"), "grouped", TRUE,
    function() {
      d <- from_package("Sitka", "MASS")
      d$tree <- factor(d$tree)
      d
    },
    quick = TRUE
  ),
  orthodont = benchmark_model(
    "Orthodont: slopes", "distance", "1 + age*Sex", c(Subject = "1 + age"), "grouped", TRUE,
    function() {
      d <- as.data.frame(from_package("Orthodont", "nlme"))
      d$Subject <- factor(d$Subject, ordered = FALSE)
      d
    }
  ),
  dyestuff2 = benchmark_model(
    "Dyestuff2: a variance of zero", "Yield", "1", c(Batch = "1"), "grouped", TRUE,
    function() from_package("Dyestuff2", "lme4")
  ),
  singular = benchmark_model(
    "20 groups whose slopes do not differ", "y", "1 + x", c(g = "1 + x"), "grouped", TRUE,
    without_slopes, quick = TRUE
  ),
  pastes = benchmark_model(
    "Pastes: nested", "strength", "1", c(batch = "1", `batch:cask` = "1"), "nested", TRUE,
    function() from_package("Pastes", "lme4"), quick = TRUE
  ),
  penicillin = benchmark_model(
    "Penicillin: crossed", "diameter", "1", c(plate = "1", sample = "1"), "crossed", TRUE,
    function() from_package("Penicillin", "lme4"), quick = TRUE
  ),
  scotssec = benchmark_model(
    "ScotsSec: partly crossed", "attain", "1 + sex + verbal + social",
    c(primary = "1", second = "1"), "crossed", FALSE,
    function() from_package("ScotsSec", "mlmRev"), quick = TRUE
  ),
  chem97 = benchmark_model(
    "Chem97: schools in authorities", "score", "1 + gcsecnt",
    c(lea = "1", `lea:school` = "1"), "nested", FALSE,
    function() from_package("Chem97", "mlmRev")
  ),
  egsingle = benchmark_model(
    "egsingle: pupils in schools, slopes of both", "math", "1 + year",
    c(schoolid = "1 + year", `schoolid:childid` = "1 + year"), "nested", TRUE,
    function() from_package("egsingle", "mlmRev")
  ),
  verbagg = benchmark_model(
    "VerbAgg: crossed, five fixed effects", "yes", "1 + Anger + Gender + btype + situ",
    c(id = "1", item = "1"), "crossed", TRUE, verbal_aggression
  ),
  insteval = benchmark_model(
    "InstEval: three intercepts", "y", "1 + service",
    c(s = "1", d = "1", dept = "1"), "crossed", FALSE, insteval
  ),
  `insteval-service` = benchmark_model(
    "InstEval: service in departments", "y", "1 + service",
    c(s = "1", d = "1", `dept:service` = "1"), "crossed", FALSE, insteval
  ),
  `insteval-fixed` = benchmark_model(
    "InstEval: departments fixed", "y", "1 + service*dept",
    c(s = "1", d = "1"), "crossed", FALSE, insteval, quick = TRUE
  ),
  `subjects-items` = benchmark_model(
    "60 subjects, 40 items, 4 cells: 20 variance parameters", "y", "1 + a*b",
    c(s = "1 + a*b", i = "1 + a*b"), "crossed", TRUE,
    function() {
      sd_s <- c(1, 0.5, 0.5, 0.4)
      subjects_and_items(24, 60L, 40L, c("a", "b"), sd_s, c(0.7, 0.4, 0.3, 0.3))
    }
  ),
  maximal = benchmark_model(
    "maximal, 56 subjects, 32 items, 8 cells: 72 variance parameters", "y", "1 + a*b*c",
    c(s = "1 + a*b*c", i = "1 + a*b*c"), "crossed", TRUE,
    function() {
      sd_s <- c(1, 0.5, 0.5, 0.4, 0.4, 0.3, 0.3, 0.2)
      subjects_and_items(25, 56L, 32L, c("a", "b", "c"), sd_s, 0.8 * sd_s, one_cell_each)
    }
  ),
  `slopes-1e4` = benchmark_model(
    "a million rows, slopes of 10,000 groups", "y", "1 + x1 + x2 + x3 + x4 + x5",
    c(g = "1 + x1"), "grouped", TRUE, function() slopes(1e6, 1e4)
  ),
  `slopes-1e5` = benchmark_model(
    "a million rows, slopes of 100,000 groups", "y", "1 + x1 + x2 + x3 + x4 + x5",
    c(g = "1 + x1"), "grouped", TRUE, function() slopes(1e6, 1e5)
  ),
  ratings = benchmark_model(
    "a million ratings", "y", "1", c(user = "1", item = "1"), "crossed", FALSE, ratings
  )
)
