# Runs the README's code and compares what it prints with the output shown there:
#   Rscript tools/make/check-readme.R
# A block of R code that is followed by a block without a language is an example
# with its output, which is what the block's last expression prints.
lines <- readLines("README.md")
fences <- matrix(grep("^```", lines), ncol = 2, byrow = TRUE)
language <- sub("^```", "", lines[fences[, 1]])

block <- function(i) lines[seq(fences[i, 1] + 1L, length.out = fences[i, 2] - fences[i, 1] - 1L)]

examples <- which(language == "r" & c(language[-1], "none") == "")
wrong <- length(examples) < 2L
library(mixedlm)
for (i in examples) {
  shown <- trimws(block(i + 1L), "right")
  code <- parse(text = block(i))
  for (e in head(code, -1L)) eval(e)
  last <- withVisible(eval(code[[length(code)]]))
  printed <- trimws(utils::capture.output(print(last$value)), "right")
  printed <- printed[nzchar(printed)]
  if (!identical(printed, shown[nzchar(shown)])) {
    wrong <- TRUE
    cat("   README.md, line ", fences[i, 1], ": the code prints\n", sep = "")
    cat(paste0("   | ", printed), sep = "\n")
  }
}
quit(status = as.integer(wrong))
