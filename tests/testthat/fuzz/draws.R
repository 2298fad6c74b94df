# The fuzzer draws every case from one integer. These are the draws that the other files are made of, and the values
# that nobody should pass but somebody will.

chance <- function(p) stats::runif(1L) < p

# One element of a vector or list; sample() takes a number for a range.
pick <- function(x, p = NULL) x[[sample.int(length(x), 1L, prob = p)]]

some <- function(x, at_most = length(x)) x[sample.int(length(x), sample.int(min(at_most, length(x)), 1L))]

# The generator of random numbers is set, so that a seed means the same everywhere; the caller's is put back.
with_seed <- function(seed, code) {
  old <- get0(".Random.seed", envir = globalenv(), inherits = FALSE)
  on.exit(if (is.null(old)) {
    rm(".Random.seed", envir = globalenv())
  } else {
    assign(".Random.seed", old, envir = globalenv())
  })
  set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  code
}

# Names that break code which pastes or parses them.
odd_names <- c(
  "if", "function", "TRUE", "NULL", "100%", "%s", "%n%d", "a b", "x|y", "gr\u00f6\u00dfe", "\u53d8\u91cf", "(Intercept)",
  "p:q", "weights", "data", "offset", "groups", "subset", "c", "T", "I", "mean", "fit", "sigma", ".x", "x.1", "1", "a+b",
  "y~x", "`tick`", "it's", "back\\slash", "Residual", "resid", "Group Var", "n", "theta", "formula"
)

# A value of the wrong kind for almost any argument, as code.
junk <- function() {
  pick(list(
    quote(NULL), NA, NaN, Inf, -Inf, -1, 0, 1, 2.5, 1e308, 1e-308, TRUE, FALSE, "", "x", "nowhere", "%s%n",
    NA_character_, quote(character(0)), quote(numeric(0)), quote(list()), quote(list(1, "a")), quote(list(a = NULL)),
    quote(mean), quote(function(...) stop("by the user")), quote(1:3), quote(c(a = 1, b = 2)), quote(c(NA, 1)),
    quote(matrix(0, 2, 2)), quote(matrix("a", 2, 2)), quote(diag(3)), quote(data.frame()), quote(data.frame(q = 1:3)),
    quote(factor(c("u", "v"))), quote(as.Date("2020-01-01")), quote(1i), quote(raw(3)), quote(quote(a + b)),
    quote(globalenv()), quote(~nowhere), quote(y ~ 1), quote(~1), quote(~0), quote(.Machine$integer.max),
    quote(array(0, c(2, 2, 2))), quote(as.POSIXlt("2020-01-01")), quote(structure(1, class = "mixedlm")),
    quote(structure(list(), class = "mixedlm")), quote(expression(a)), quote(I("a")), quote(c("a", "b", "c"))
  ))
}
