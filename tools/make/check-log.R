# Judges an R CMD check: prints each problem and fails unless all of them are
# notes that the list of allowed ones covers.
#   Rscript tools/make/check-log.R <folder with the .Rcheck> <list of allowed notes>
args <- commandArgs(trailingOnly = TRUE)

allowed <- grep("^[^#]", readLines(args[2]), value = TRUE)
allowed <- do.call(rbind, strsplit(allowed, " :: ", fixed = TRUE))

log <- list.files(args[1], "^00check[.]log$", recursive = TRUE, full.names = TRUE)[1]
finished <- any(grepl("^Status: ", readLines(log)))
details <- tools::check_packages_in_dir_details(logs = log, drop_ok = TRUE)
details <- as.data.frame(details)
details <- details[details$Status %in% c("ERROR", "WARNING", "NOTE"), ]

is_excused <- function(check, status, output) {
  rules <- allowed[startsWith(check, allowed[, 1]), 2]
  lines <- trimws(gsub("[\u2018\u2019]", "'", strsplit(output, "\n", fixed = TRUE)[[1]]))
  covered <- vapply(lines, function(line) {
    line == "" || any(vapply(rules, grepl, logical(1), x = line))
  }, logical(1))
  status == "NOTE" && length(rules) > 0L && all(covered)
}

# a failed test file's own output tells more than the check's extract of it
test_logs <- list.files(args[1], "[.]Rout[.]fail$", recursive = TRUE, full.names = TRUE)

failed <- !finished
for (i in seq_len(nrow(details))) {
  excused <- is_excused(details$Check[i], details$Status[i], details$Output[i])
  failed <- failed || !excused
  if (excused) {
    cat("   allowed note: checking", details$Check[i], "\n")
  } else {
    cat("   ", details$Status[i], ": checking ", details$Check[i], "\n", sep = "")
    if (!(startsWith(details$Check[i], "tests") && length(test_logs) > 0L)) {
      cat(paste0("   | ", strsplit(details$Output[i], "\n", fixed = TRUE)[[1]]), sep = "\n")
    }
  }
}
if (!finished) {
  cat("   the check did not come to its end; its last lines:\n")
  cat(paste0("   | ", utils::tail(readLines(log), 30)), sep = "\n")
}
for (out in test_logs) {
  cat("   the end of ", out, ":\n", sep = "")
  cat(paste0("   | ", utils::tail(readLines(out, warn = FALSE), 60)), sep = "\n")
}
quit(status = as.integer(failed))
