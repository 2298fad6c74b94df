# Every step-th case from the first to the last, each noted in `log` when it begins and when it has ended, so that a case
# that ends the session or never ends is known.
arguments <- commandArgs(trailingOnly = TRUE)
numbers <- as.integer(arguments[1:3])
log <- file(arguments[4L], open = "at", encoding = "UTF-8")
source("tools/fuzz/load.R")

clean <- function(text) encodeString(substr(enc2utf8(text), 1L, 600L))

for (seed in seq.int(numbers[1L], numbers[2L], by = numbers[3L])) {
  writeLines(paste0("begin\t", seed), log)
  flush(log)
  rows <- tryCatch(fuzz_case(seed), error = function(e) {
    data.frame(seed, outcome("case", "", "fuzzer", class(e)[1L], told(e), finding = TRUE))
  })
  rows[c("call", "message")] <- lapply(rows[c("call", "message")], clean)
  writeLines(do.call(paste, c(unname(as.list(rows)), sep = "\t")), log)
  writeLines(paste0("end\t", seed), log)
  flush(log)
}
