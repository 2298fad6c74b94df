# The models of the README, fitted by mixedlm and by lmer, and a profile plot:
#   Rscript tools/demo.R <folder for the plot>
# `make demo` installs what this needs and runs it.
suppressPackageStartupMessages(library(mixedlm))

output_dir <- c(commandArgs(trailingOnly = TRUE), ".")[1]
dir.create(output_dir, showWarnings = FALSE, recursive = TRUE)

heading <- function(text) {
  cat("\n", strrep("=", 79), "\n", text, "\n", strrep("=", 79), "\n\n", sep = "")
}

# lmer's fit and all that it says about it, as text
fit_lmer <- function(formula, data) {
  said <- character()
  keep <- function(condition) {
    said <<- c(said, trimws(conditionMessage(condition)))
    invokeRestart(if (inherits(condition, "warning")) "muffleWarning" else "muffleMessage")
  }
  fit <- withCallingHandlers(lme4::lmer(formula, data), warning = keep, message = keep)
  list(fit = fit, said = unique(said))
}

# the lower triangle of a named covariance matrix, as a named vector
covariances <- function(matrix) {
  name <- rownames(matrix)
  at <- which(lower.tri(matrix, diag = TRUE), arr.ind = TRUE)
  labels <- ifelse(at[, 1] == at[, 2],
    sprintf("Var(%s)", name[at[, 1]]),
    sprintf("Cov(%s, %s)", name[at[, 2]], name[at[, 1]])
  )
  stats::setNames(matrix[at], labels)
}

# the covariance matrices of lmer's terms put together; between terms it is zero
lmer_covariance <- function(fit) {
  blocks <- lme4::VarCorr(fit)
  name <- unlist(lapply(blocks, rownames), use.names = FALSE)
  result <- matrix(0, length(name), length(name), dimnames = list(name, name))
  for (block in blocks) {
    result[rownames(block), colnames(block)] <- block
  }
  result
}

print_beside <- function(fit, lmer) {
  ours <- c("-2 logLik (REML)" = -2 * as.numeric(logLik(fit)), nlme::fixef(fit),
            covariances(fit$cov_re), "Var(residual)" = stats::sigma(fit)^2)
  theirs <- c(lme4::REMLcrit(lmer$fit), lme4::fixef(lmer$fit),
              covariances(lmer_covariance(lmer$fit)), stats::sigma(lmer$fit)^2)
  cat("Beside lmer:\n")
  print(data.frame(
    mixedlm = sprintf("%.8g", ours), lmer = sprintf("%.8g", theirs),
    difference = sprintf("%.1e", ours - theirs), row.names = names(ours)
  ))
  if (length(lmer$said) == 0L) {
    cat("lmer says nothing about its fit.\n")
  } else {
    cat("lmer says about its fit:\n")
    cat(unlist(lapply(lmer$said, strwrap, 77, initial = "- ", exdent = 2)), sep = "\n")
  }
}

# `call` as it would be typed
show_model <- function(title, call, lmer_formula, data) {
  heading(paste0(title, "\n", paste(deparse(call, width.cutoff = 79L), collapse = "\n")))
  fit <- eval(call)
  print(summary(fit))
  print_beside(fit, fit_lmer(lmer_formula, data))
  invisible(fit)
}

open_png <- function(path) {
  type <- if (capabilities("cairo")) "cairo" else getOption("bitmapType")
  grDevices::png(path, width = 1200, height = 900, res = 150, type = type)
}

show_model("dietox: random intercept",
  quote(mixedlm(Weight ~ Time, dietox, groups = "Pig")),
  Weight ~ Time + (1 | Pig), dietox)

show_model("dietox: correlated slopes",
  quote(mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)),
  Weight ~ Time + (Time | Pig), dietox)

show_model("dietox: independent slopes",
  quote(mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, free = "diagonal")),
  Weight ~ Time + (Time || Pig), dietox)

sitka <- show_model("Sitka spruces: correlated slopes",
  quote(mixedlm(size ~ Time, MASS::Sitka, groups = "tree", re_formula = ~Time)),
  size ~ Time + (Time | tree), MASS::Sitka)

heading(paste0(
  "Sitka spruces: profile likelihood of the variance of the intercepts\n",
  "profile(sitka, 0, \"re\", dist_low = 0.1, dist_high = 0.1)"
))
profiled <- profile(sitka, 0, "re", dist_low = 0.1, dist_high = 0.1)
print(profiled)

plot_file <- file.path(output_dir, "sitka-profile.png")
open_png(plot_file)
plot(profiled)
invisible(grDevices::dev.off())
cat("\nThe plot is in ", plot_file, ".\n", sep = "")
