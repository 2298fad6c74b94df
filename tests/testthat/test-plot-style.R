test_that("places are spread over all of a range, and keep the tails", {
  expect_identical(spread_out(5L, 10L), 1:5)
  at <- spread_out(1000L, 100L)
  expect_length(at, 100L)
  expect_equal(range(at), c(1, 1000))
  tails <- tail_first(1e5, 1000L)
  expect_lte(length(tails), 1000L)
  expect_true(all(c(1:200, 1e5 - 0:199) %in% tails))
  expect_false(is.unsorted(tails, strictly = TRUE))
})

test_that("a smoother needs something to join", {
  expect_null(smooth_curve(rep(1, 50), seq_len(50)))
  expect_null(smooth_curve(rep(1:4, 10), seq_len(40)))
  curve <- smooth_curve(seq_len(50), 2 * seq_len(50))
  expect_equal(curve$y, 2 * curve$x)
})
