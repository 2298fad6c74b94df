# Reference results of blme: modes under its priors on covariances.
#
# Usage: Rscript tools/reference/reference_blme.R <output file>
#
# blme's own search may end before it has arrived (for correlated slopes it does), so its objective is minimised again from
# there, with restarts of Nelder-Mead and BFGS. One row per number: model, part, name, value.
suppressMessages(library(blme))
out_file <- commandArgs(TRUE)[1L]
models <- list(
  sleepstudy = list(Reaction ~ Days + (Days | Subject), lme4::sleepstudy, TRUE, list()),
  "sleepstudy-ml" = list(Reaction ~ Days + (Days | Subject), lme4::sleepstudy, FALSE, list()),
  Penicillin = list(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin, TRUE, list()),
  Pastes = list(strength ~ 1 + (1 | batch / cask), lme4::Pastes, TRUE, list()),
  Dyestuff2 = list(Yield ~ 1 + (1 | Batch), lme4::Dyestuff2, TRUE, list()),
  "Dyestuff2-gamma" = list(Yield ~ 1 + (1 | Batch), lme4::Dyestuff2, TRUE, list(cov.prior = quote(gamma(shape = 2, rate = 0.5)))),
  "sleepstudy-scale" = list(
    Reaction ~ Days + (Days | Subject), lme4::sleepstudy, TRUE,
    list(cov.prior = quote(wishart(df = 5, scale = diag(c(3, 0.1)))))
  )
)
rows <- list()
for (name in names(models)) {
  m <- models[[name]]
  given <- c(list(m[[1L]], m[[2L]], REML = m[[3L]]), m[[4L]])
  objective <- eval(as.call(c(quote(blmer), given, devFunOnly = TRUE)))
  start <- suppressWarnings(lme4::getME(eval(as.call(c(quote(blmer), given))), "theta"))
  safe <- function(theta) tryCatch(objective(theta), error = function(e) 1e10)
  at <- start
  for (i in 1:20) {
    if (length(at) > 1L) {
      at <- optim(at, safe, control = list(reltol = 1e-15, maxit = 5000))$par
    }
    at <- optim(at, safe, method = "BFGS", control = list(reltol = 1e-15, maxit = 500))$par
  }
  rows[[name]] <- data.frame(
    model = name, part = c(rep("theta", length(at)), "objective"), name = c(names(start), "penalised"),
    value = format(c(at, objective(at)), digits = 17)
  )
}
cat("# blme ", as.character(packageVersion("blme")), ", lme4 ", as.character(packageVersion("lme4")), ", ",
  R.version.string, ", ", format(Sys.Date()), ", tools/reference/reference_blme.R\n",
  sep = "", file = out_file
)
suppressWarnings(write.table(do.call(rbind, rows), out_file, sep = ",", quote = FALSE, row.names = FALSE, append = TRUE))
