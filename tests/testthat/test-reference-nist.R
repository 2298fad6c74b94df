# NIST Statistical Reference Datasets, one-way analysis of variance. The REML
# estimates of a balanced random-intercept model are functions of the certified
# mean squares.

nist_problem <- function(name) {
  lines <- readLines(fixture("nist", paste0(name, ".dat.gz")))
  numbers <- function(line) {
    x <- suppressWarnings(as.numeric(strsplit(trimws(line), " +")[[1L]]))
    x[!is.na(x)]
  }
  start <- grep("^Data:", lines)
  start <- start[length(start)]
  data <- utils::read.table(text = lines[(start + 1L):length(lines)], col.names = c("group", "y"))
  between <- numbers(grep("^Between", lines, value = TRUE)[1L])
  within <- numbers(grep("^Within", lines, value = TRUE)[1L])
  replicates <- nrow(data) / length(unique(data$group))
  list(
    data = data, sigma2 = within[3L],
    tau2 = (between[3L] - within[3L]) / replicates
  )
}

# Number of correct digits.
log_relative_error <- function(x, certified) {
  min(15, -log10(abs(x - certified) / abs(certified)))
}

# Digits to reach, for sigma^2 and tau^2: one less than the data can hold once
# they are doubles.
digits <- list(
  SmLs01 = c(11, 11), SmLs02 = c(11, 11), SmLs03 = c(11, 11), SiRstv = c(11, 11),
  SmLs04 = c(9, 8.9), SmLs05 = c(9, 8.9), SmLs06 = c(9, 8.9), AtmWtAg = c(9, 9),
  SmLs07 = c(3, 2.9), SmLs08 = c(3, 2.9), SmLs09 = c(3, 2.9)
)

for (name in names(digits)) {
  test_that(paste("certified digits of", name), {
    problem <- nist_problem(name)
    fit <- mixedlm(y ~ 1 + (1 | group), problem$data)
    reached <- c(
      log_relative_error(fit$scale, problem$sigma2),
      log_relative_error(fit$cov_re[1L], problem$tau2)
    )
    expect_true(all(reached >= digits[[name]]), info = paste(format(reached), collapse = " "))
  })
}
