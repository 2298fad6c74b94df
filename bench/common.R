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

# One line of a file such as /proc/cpuinfo, without the name of its field; "" where there is none.
system_field <- function(file, field) {
  if (!file.exists(file)) {
    return("")
  }
  line <- grep(paste0("^", field), readLines(file), value = TRUE)
  gsub("\"", "", trimws(sub("^[^:=]*[:=]", "", c(line, "")[[1L]])), fixed = TRUE)
}

# The processor, its cores and the memory.
hardware <- function() {
  memory <- as.numeric(gsub("[^0-9]", "", system_field("/proc/meminfo", "MemTotal"))) / 1024^2
  paste0(
    system_field("/proc/cpuinfo", "model name"), ", ", parallel::detectCores(), " cores",
    if (!is.na(memory)) paste0(", ", round(memory), " GiB of memory"), ", ",
    system_field("/etc/os-release", "PRETTY_NAME")
  )
}

# What else the machine was doing: threads that wait for each other suffer from a busy core.
load_average <- function() {
  if (!file.exists("/proc/loadavg")) {
    return(NA_character_)
  }
  strsplit(readLines("/proc/loadavg"), " ", fixed = TRUE)[[1L]][[1L]]
}

machine <- function() {
  paste0(
    Sys.Date(), ", ", hardware(), "; ", R.version.string, ", BLAS ", basename(extSoftVersion()[["BLAS"]]),
    ", mixedlm ", utils::packageVersion("mixedlm"),
    if (requireNamespace("lme4", quietly = TRUE)) paste0(", lme4 ", utils::packageVersion("lme4")),
    "; load average at the end ", load_average()
  )
}

# Write a section to bench/results/<name>.md and to the console.
report <- function(name, title, lines, directory = file.path("bench", "results")) {
  text <- c(paste("#", title), "", machine(), "", lines)
  dir.create(directory, showWarnings = FALSE, recursive = TRUE)
  writeLines(text, file.path(directory, paste0(name, ".md")))
  cat(text, "", sep = "\n")
}
