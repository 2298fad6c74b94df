# Helpers of the benchmark scripts: timings as medians of interleaved runs, peak memory of one call.

# Milliseconds of each function, medians over `times` rounds in which the functions take turns.
take_turns <- function(functions, times) {
  seconds <- matrix(NA_real_, times, length(functions), dimnames = list(NULL, names(functions)))
  for (i in seq_len(times)) {
    for (name in names(functions)) {
      gc(FALSE)
      start <- Sys.time()
      functions[[name]]()
      seconds[i, name] <- as.numeric(Sys.time() - start, units = "secs")
    }
  }
  1000 * apply(seconds, 2L, stats::median)
}

# The highest resident memory during a call, in MiB above what was there before (Linux).
peak_memory <- function(f) {
  gc(FALSE)
  status <- function(field) {
    line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 1024
  }
  if (!file.exists("/proc/self/clear_refs")) {
    return(NA_real_)
  }
  before <- status("VmRSS")
  con <- file("/proc/self/clear_refs", "w")
  writeLines("5", con)
  close(con)
  f()
  status("VmHWM") - before
}

# A table as Markdown.
markdown <- function(table) {
  text <- vapply(table, function(column) {
    if (is.numeric(column)) format(signif(column, 3L), big.mark = ",", trim = TRUE, scientific = FALSE) else as.character(column)
  }, character(nrow(table)))
  text <- matrix(text, nrow(table), dimnames = list(NULL, names(table)))
  rows <- apply(text, 1L, function(row) paste0("| ", paste(row, collapse = " | "), " |"))
  c(
    paste0("| ", paste(names(table), collapse = " | "), " |"),
    paste0("|", strrep("---|", ncol(table))), rows
  )
}

machine <- function() {
  cpu <- if (file.exists("/proc/cpuinfo")) grep("^model name", readLines("/proc/cpuinfo"), value = TRUE)[1L] else ""
  paste0(
    Sys.Date(), ", ", R.version.string, ", ", parallel::detectCores(), " cores", sub(".*:", ",", cpu),
    ", mixedlm ", utils::packageVersion("mixedlm"),
    if (requireNamespace("lme4", quietly = TRUE)) paste0(", lme4 ", utils::packageVersion("lme4"))
  )
}

# Write a section to bench/results/<name>.md and to the console.
report <- function(name, title, lines) {
  text <- c(paste("#", title), "", machine(), "", lines)
  directory <- file.path("bench", "results")
  dir.create(directory, showWarnings = FALSE, recursive = TRUE)
  writeLines(text, file.path(directory, paste0(name, ".md")))
  cat(text, "", sep = "\n")
}
