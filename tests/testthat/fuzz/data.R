# Data of every shape: grouping factors that are nested, crossed, partly crossed or useless, covariates of every type
# and scale, missing values, and names that are keywords.

# list(d, y, groups, numeric, factors): a data frame and the names of its columns by their use.
fuzz_data <- function() {
  n <- pick(pick(list(5:12, 13:60, 61:400), c(0.2, 0.55, 0.25)))
  codes <- draw_codes(n, pick(1:3, c(0.45, 0.4, 0.15)))
  groups <- lapply(codes, dress_codes)
  names(groups) <- paste0("g", seq_along(groups))
  covariates <- draw_covariates(n, pick(1:4))
  is_number <- vapply(covariates, function(x) is.numeric(x) && !is.factor(x), NA)
  y <- draw_response(n, codes, covariates[is_number])
  d <- data.frame(y = y, covariates, groups, stringsAsFactors = FALSE, check.names = FALSE)
  if (chance(0.2)) d <- with_missing(d)
  if (chance(0.03)) d[[pick(seq_along(d))]][pick(seq_len(n))] <- NA
  if (chance(0.03)) d <- with_infinite(d)
  data <- list(
    d = d, y = "y", groups = names(groups), numeric = names(covariates)[is_number],
    factors = names(covariates)[!is_number]
  )
  if (chance(0.15)) rename_columns(data) else data
}

# Integer codes of `k` grouping factors; each later one relates to the first in some way.
draw_codes <- function(n, k) {
  levels <- pick(list(2:4, 5:12, 13:60), c(0.2, 0.6, 0.2))
  first <- pick(c("balanced", "unbalanced", "sorted", "each its own", "one"), c(0.45, 0.3, 0.15, 0.05, 0.05))
  count <- min(n, pick(levels))
  out <- list(switch(first,
    balanced = sample(rep_len(seq_len(count), n)),
    unbalanced = sample.int(count, n, TRUE, prob = 0.7^seq_len(count)),
    sorted = sort(rep_len(seq_len(count), n)),
    `each its own` = seq_len(n),
    one = rep_len(1L, n)
  ))
  for (j in seq_len(k - 1L)) {
    inner <- pick(2:5)
    a <- out[[pick(seq_along(out))]]
    relation <- pick(c("nested", "crossed", "partly", "same", "own"), c(0.35, 0.4, 0.17, 0.04, 0.04))
    out[[j + 1L]] <- switch(relation,
      nested = (a - 1L) * inner + sample.int(inner, n, TRUE),
      crossed = sample.int(pick(2:15), n, TRUE),
      partly = a + sample(0:1, n, TRUE, prob = c(0.8, 0.2)),
      same = a,
      own = seq_len(n)
    )
  }
  out
}

# The types that codes come in.
dress_codes <- function(code) {
  kind <- pick(
    c("factor", "character", "integer", "numeric", "unused", "ordered", "date", "logical", "odd", "NA level"),
    c(0.35, 0.2, 0.12, 0.06, 0.1, 0.03, 0.03, 0.03, 0.06, 0.02)
  )
  text <- paste0(pick(c("a", "", "L")), code)
  switch(kind,
    factor = factor(text),
    character = text,
    integer = code,
    numeric = code / 3,
    unused = factor(text, levels = c("never", unique(text), "also never")),
    ordered = factor(text, ordered = TRUE),
    date = as.Date("2020-01-01") + code,
    logical = code %% 2L == 0L,
    odd = factor(paste0(pick(c("100% of %s ", "a:b", "(x", "\u00e9 ", " ")), code)),
    `NA level` = addNA(factor(ifelse(code == code[1L], NA, text)))
  )
}

draw_covariates <- function(n, k) {
  kinds <- c(
    numeric = 0.32, integer = 0.1, factor = 0.15, ordered = 0.05, logical = 0.06, character = 0.06, constant = 0.02,
    collinear = 0.04, shifted = 0.05, tiny = 0.03, huge = 0.03, extreme = 0.01, sparse = 0.03, matrix = 0.01,
    date = 0.02, unused = 0.02
  )
  out <- list()
  for (j in seq_len(k)) {
    kind <- pick(names(kinds), kinds)
    if (kind == "collinear" && !any(vapply(out, is_plain, NA))) kind <- "numeric"
    out[[paste0("x", j)]] <- draw_covariate(kind, n, out)
  }
  out
}

is_plain <- function(x) is.double(x) && !is.object(x)

draw_covariate <- function(kind, n, before) {
  z <- stats::rnorm(n)
  letter <- function(m) letters[sample.int(m, n, TRUE)]
  switch(kind,
    numeric = z,
    integer = sample.int(5L, n, TRUE),
    factor = factor(letter(pick(2:5))),
    ordered = factor(letter(pick(2:4)), ordered = TRUE),
    logical = z > 0,
    character = letter(pick(2:4)),
    constant = rep(pick(c(0, 1, 7)), n),
    collinear = pick(Filter(is_plain, before)) * pick(c(2, -1, 1e-6)) + pick(c(0, 1)),
    shifted = z + pick(c(1e3, 1e6, -1e8)),
    tiny = z * 10^-pick(6:12),
    huge = z * 10^pick(6:12),
    extreme = z * pick(c(1e150, 1e300, 1e-150, 1e-300)),
    sparse = as.numeric(seq_len(n) == sample.int(n, 1L)),
    matrix = I(cbind(a = z, b = z^2)),
    date = as.Date("2021-06-01") + sample.int(100L, n, TRUE),
    unused = factor(letter(2L), levels = c(letters[1:2], "zz"))
  )
}

# Fixed effects, random effects of every factor (some of variance zero), noise; then what makes responses difficult.
draw_response <- function(n, codes, numbers) {
  y <- stats::rnorm(n) * pick(c(1, 0.1, 0), c(0.85, 0.12, 0.03))
  for (code in codes) {
    y <- y + stats::rnorm(max(code))[code] * pick(c(0, 0.3, 1, 5, 100), c(0.3, 0.25, 0.3, 0.1, 0.05))
  }
  for (x in Filter(function(x) is.null(dim(x)), numbers)) {
    spread <- stats::sd(x)
    if (spread > 0 && is.finite(spread)) y <- y + stats::rnorm(1L) * (x - mean(x)) / spread
  }
  if (chance(0.03)) y <- rep(pick(c(0, 3)), n)
  if (chance(0.06)) y <- round(y)
  if (chance(0.1)) y <- y * 10^pick(-12:12)
  if (chance(0.08)) y <- y + pick(c(1e4, -1e6, 1e9))
  if (chance(0.01)) y <- y * pick(c(1e300, 1e-300, 1e155, 1e-160))
  y
}

with_missing <- function(d) {
  for (name in some(names(d), 3L)) {
    rows <- stats::runif(nrow(d)) < pick(c(0.02, 0.2, 0.6), c(0.6, 0.3, 0.1))
    if (is.null(dim(d[[name]]))) d[[name]][rows] <- NA else d[[name]][rows, 1L] <- NA
  }
  d
}

with_infinite <- function(d) {
  numbers <- names(d)[vapply(d, is.double, NA)]
  d[[pick(numbers)]][pick(seq_len(nrow(d)))] <- pick(c(Inf, -Inf, NaN))
  d
}

rename_columns <- function(data) {
  old <- names(data$d)
  new <- old
  at <- sample.int(length(old), sample.int(length(old), 1L))
  new[at] <- sample(odd_names, length(at))
  names(data$d) <- new
  lookup <- stats::setNames(new, old)
  for (part in c("y", "groups", "numeric", "factors")) data[[part]] <- unname(lookup[data[[part]]])
  data
}
