# Every second (`step`-th) case from `first` to `last`, in batches that run in processes of their own, with a bound on
# their time and memory. Where a process ends early its last case is a finding, and the next process goes on after it.
arguments <- commandArgs(trailingOnly = TRUE)
numbers <- as.integer(arguments[1:3])
log <- arguments[4L]
batch_size <- 40L
batch_seconds <- 300L
memory_kb <- 4000000L

# The last case that began and did not end; NA when all ended.
unfinished <- function() {
  lines <- readLines(log, encoding = "UTF-8")
  marks <- utils::tail(grep("^(begin|end)\t", lines, value = TRUE), 1L)
  if (length(marks) && startsWith(marks, "begin")) as.integer(sub("begin\t", "", marks)) else NA_integer_
}

note <- function(seed, outcome, message) {
  row <- c(seed, "case", "", outcome, "", message, batch_seconds, TRUE)
  cat(c(paste(row, collapse = "\t"), paste0("end\t", seed)), sep = "\n", file = log, append = TRUE)
}

invisible(file.create(log))
at <- numbers[1L]
while (at <= numbers[2L]) {
  last <- min(numbers[2L], at + (batch_size - 1L) * numbers[3L])
  command <- sprintf(
    "ulimit -v %d; exec timeout -k 10 %d Rscript --vanilla tools/fuzz/batch.R %d %d %d '%s' > '%s.out' 2>&1",
    memory_kb, batch_seconds, at, last, numbers[3L], log, log
  )
  status <- system(command)
  seed <- unfinished()
  if (!is.na(seed)) {
    said <- utils::tail(readLines(paste0(log, ".out"), warn = FALSE), 2L)
    ended <- if (status %in% c(124L, 137L)) "time out" else "crash"
    note(seed, ended, paste(c(paste("status", status), said), collapse = " "))
    at <- seed + numbers[3L]
  } else if (status != 0L) {
    stop("the batch could not run: ", paste(readLines(paste0(log, ".out")), collapse = "\n"))
  } else {
    at <- last + numbers[3L]
  }
}
invisible(file.remove(paste0(log, ".out")))
