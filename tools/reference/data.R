# Writes the data sets of the reference fits as CSV, for the Python scripts.
# Usage: Rscript tools/reference/data.R <folder>
folder <- commandArgs(TRUE)[1L]
if (is.na(folder)) stop("Usage: Rscript tools/reference/data.R <folder>")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

sources <- list(
  geepack = "dietox", MASS = "Sitka",
  lme4 = c("sleepstudy", "Dyestuff", "Dyestuff2", "Pastes", "Penicillin"),
  nlme = c("Orthodont", "Machines", "Oats", "Rail")
)
for (package in names(sources)) {
  for (name in sources[[package]]) {
    env <- new.env()
    utils::data(list = name, package = package, envir = env)
    d <- as.data.frame(env[[name]])
    d[] <- lapply(d, function(x) if (is.factor(x)) as.character(x) else x)
    utils::write.csv(d, file.path(folder, paste0(name, ".csv")), row.names = FALSE)
  }
}
