# R's random number generator, used and left as users expect.

# A whole number for a stream of random numbers, from R's generator.
draw_seed <- function() sample.int(.Machine$integer.max, 1L)

check_seed <- function(seed) {
  if (!is.null(seed) && (!is_number(seed) || seed != round(seed) || abs(seed) > .Machine$integer.max)) {
    abort("argument", paste0(
      "`seed` must be a whole number or NULL; found ", describe(seed), "."
    ), argument = "seed")
  }
}

# A function that puts R's generator back to what it is now.
random_state <- function() {
  before <- get0(".Random.seed", envir = globalenv(), mode = "integer", inherits = FALSE)
  kind <- RNGkind()
  function() {
    suppressWarnings(RNGkind(kind[1L], kind[2L], kind[3L]))
    if (is.null(before)) {
      rm(".Random.seed", envir = globalenv())
    } else {
      assign(".Random.seed", before, envir = globalenv())
    }
  }
}

# Evaluates `code` after set.seed() and puts R's generator back. Without a seed one
# integer is taken from it first, so that another call gives other numbers.
with_local_seed <- function(seed, code) {
  if (is.null(seed)) {
    seed <- draw_seed()
  }
  restore <- random_state()
  on.exit(restore())
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  code
}
