# Reference estimates of lme4 and nlme: log-likelihoods, fixed effects and their
# standard errors, variances, and some random effects.
# Usage: Rscript tools/reference/reference_lme4.R <output file>
suppressPackageStartupMessages({
  library(lme4)
  library(nlme)
})
out <- commandArgs(TRUE)[1L]
if (is.na(out)) stop("Usage: Rscript tools/reference/reference_lme4.R <output file>")

from <- function(name, package) {
  env <- new.env()
  utils::data(list = name, package = package, envir = env)
  d <- as.data.frame(env[[name]])
  d[] <- lapply(d, function(x) if (is.factor(x)) factor(as.character(x)) else x)
  d
}

models <- list(
  list("sleepstudy-slopes", Reaction ~ Days + (Days | Subject), from("sleepstudy", "lme4")),
  list("sleepstudy-independent", Reaction ~ Days + (Days || Subject), from("sleepstudy", "lme4")),
  list("dyestuff", Yield ~ 1 + (1 | Batch), from("Dyestuff", "lme4")),
  list("pastes", strength ~ 1 + (1 | batch / cask), from("Pastes", "lme4")),
  list("orthodont", distance ~ age * Sex + (age | Subject), from("Orthodont", "nlme")),
  list("machines", score ~ Machine + (Machine | Worker), from("Machines", "nlme")),
  list("oats", yield ~ nitro + Variety + (1 | Block / Variety), from("Oats", "nlme")),
  list("dietox", Weight ~ Time * Cu + (Time | Pig), from("dietox", "geepack"))
)

# Tight: the defaults of both programs stop at four or five digits.
control <- lmerControl(
  optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-9, maxfun = 1e5),
  check.conv.grad = "ignore", calc.derivs = FALSE
)

rows <- list()
add <- function(model, program, reml, quantity, value) {
  rows[[length(rows) + 1L]] <<- data.frame(
    model = model, program = program, REML = reml, quantity = quantity,
    value = format(as.numeric(value), digits = 15L)
  )
}

for (m in models) {
  for (reml in c(TRUE, FALSE)) {
    fit <- lmer(m[[2L]], m[[3L]], REML = reml, control = control)
    # Once more from where it ended.
    fit <- lmer(m[[2L]], m[[3L]], REML = reml, control = control, start = getME(fit, "theta"))
    name <- m[[1L]]
    add(name, "lme4", reml, "criterion", -2 * as.numeric(logLik(fit)))
    add(name, "lme4", reml, "df", attr(logLik(fit), "df"))
    add(name, "lme4", reml, "AIC", AIC(fit))
    add(name, "lme4", reml, "BIC", BIC(fit))
    add(name, "lme4", reml, "sigma", sigma(fit))
    add(name, "lme4", reml, paste0("fixef:", names(fixef(fit))), fixef(fit))
    add(name, "lme4", reml, paste0("se:", names(fixef(fit))), sqrt(diag(as.matrix(vcov(fit)))))
    v <- as.data.frame(VarCorr(fit))
    add(name, "lme4", reml, paste("vcov", v$grp, v$var1, v$var2, sep = ":"), v$vcov)
    b <- as.data.frame(ranef(fit, condVar = TRUE))
    b <- b[seq_len(min(6L, nrow(b))), ]
    add(name, "lme4", reml, paste("ranef", b$grpvar, b$term, b$grp, sep = ":"), b$condval)
    add(name, "lme4", reml, paste("condsd", b$grpvar, b$term, b$grp, sep = ":"), b$condsd)
    add(name, "lme4", reml, "residual:1", residuals(fit)[1L])
    add(name, "lme4", reml, "fitted:1", fitted(fit)[1L])
  }
}

# nlme's log-likelihood and its variance of the scale parameters do not share
# lme4's code.
tight <- lmeControl(tolerance = 1e-12, msTol = 1e-12, msMaxIter = 500, opt = "optim", reltol = 1e-14)
for (reml in c(TRUE, FALSE)) {
  method <- if (reml) "REML" else "ML"
  fits <- list(
    "sleepstudy-slopes" = lme(Reaction ~ Days, from("sleepstudy", "lme4"), ~ Days | Subject, method = method, control = tight),
    "dyestuff" = lme(Yield ~ 1, from("Dyestuff", "lme4"), ~ 1 | Batch, method = method, control = tight),
    "pastes" = lme(strength ~ 1, from("Pastes", "lme4"), ~ 1 | batch / cask, method = method, control = tight)
  )
  for (name in names(fits)) {
    add(name, "nlme", reml, "criterion", -2 * as.numeric(logLik(fits[[name]])))
    add(name, "nlme", reml, "sigma", fits[[name]]$sigma)
    add(name, "nlme", reml, paste0("fixef:", names(fixef(fits[[name]]))), fixef(fits[[name]]))
  }
}

versions <- paste0(
  "# lme4 ", packageVersion("lme4"), ", nlme ", packageVersion("nlme"), ", ",
  R.version.string, ", ", Sys.Date(), ", tools/reference/reference_lme4.R"
)
writeLines(versions, out)
suppressWarnings(
  write.table(do.call(rbind, rows), out, append = TRUE, sep = ",", row.names = FALSE, quote = c(1:2, 4))
)
