# Draws onto a file that is thrown away; graphical parameters must be as before.
onto_null <- function(expr) {
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit({
    grDevices::dev.off()
    unlink(file)
  })
  before <- graphics::par(no.readonly = TRUE)
  out <- withVisible(expr)
  if (inherits(out$value, c("ggplot", "trellis"))) {
    print(out$value)
  } else {
    after <- graphics::par(no.readonly = TRUE)
    # what a new page changes
    moving <- c("usr", "xaxp", "yaxp", "fig", "plt", "pin", "fin", "mfg", "cxy", "page")
    expect_identical(after[setdiff(names(after), moving)], before[setdiff(names(before), moving)])
  }
  out
}

# Rows without a random number, y = 2 x + an effect of the group + noise.
many_rows <- function(n, groups) {
  i <- seq_len(n)
  d <- data.frame(g = rep_len(seq_len(groups), n), x = (i * 7919) %% 1013 / 1013)
  d$y <- 2 * d$x + sin(d$g) + ((i * 104729) %% 1009 / 1009 - 0.5)
  d
}
