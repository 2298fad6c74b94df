# The same models fitted by mixedlm() and by lmer(): what both must agree on is compared on all of them.

model_pairs <- c("grouped", "nested", "crossed", "crossed_slopes", "weighted", "rank_deficient", "singular")

# list(formula, data, reml, weights) of a pair.
pair_model <- function(name) {
  model <- switch(name,
    grouped = list(Reaction ~ Days + (Days | Subject), from_package("sleepstudy", "lme4")),
    nested = list(strength ~ 1 + (1 | batch / cask), from_package("Pastes", "lme4")),
    crossed = list(diameter ~ 1 + (1 | plate) + (1 | sample), from_package("Penicillin", "lme4")),
    crossed_slopes = list(y ~ a + t + (a | s) + (1 | i), subjects_items()),
    weighted = list(Weight ~ Time + Cu + (Time | Pig), droplevels(dietox[dietox$Pig %in% levels(factor(dietox$Pig))[1:24], ])),
    rank_deficient = list(
      score ~ Machine + twice + (1 | Worker), within(as.data.frame(from_package("Machines", "nlme")), {
        twice <- 2 * (Machine == "B")
      })
    ),
    singular = list(Yield ~ 1 + (1 | Batch), from_package("Dyestuff2", "lme4"))
  )
  names(model) <- c("formula", "data")
  for (v in names(model$data)) {
    if (is.ordered(model$data[[v]])) {
      model$data[[v]] <- factor(as.character(model$data[[v]]))
    }
  }
  if (name == "weighted") {
    model$data$w <- 0.5 + (seq_len(nrow(model$data)) %% 4) / 2
    model$weights <- quote(w)
  }
  model$reml <- name != "weighted"
  model
}

# list(ours, theirs, data, formula) of a pair, fitted once; theirs as tightly as lmer can.
model_pair <- local({
  kept <- list()
  function(name) {
    if (is.null(kept[[name]])) {
      testthat::skip_if_not_installed("lme4")
      model <- pair_model(name)
      call <- list(quote(mixedlm), model$formula, quote(data), REML = model$reml)
      data <- model$data
      call$weights <- model$weights
      ours <- suppressMessages(eval(as.call(call)))
      more <- if (is.null(model$weights)) list() else list(weights = data$w)
      theirs <- do.call(tight_lmer, c(list(model$formula, data, model$reml), more))
      kept[[name]] <<- list(ours = ours, theirs = theirs, data = data, formula = model$formula)
    }
    kept[[name]]
  }
})

# lme4 2 has other columns, orders and spaces in places; its numbers are the same.
since_lme4_2 <- function() utils::packageVersion("lme4") >= "1.9"

without_end_spaces <- function(x) sub(" +$", "", x)
