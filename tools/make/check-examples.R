# Whether every help page has examples that run, within a second each, and every
# exported function is called in one of them.
#   Rscript tools/make/check-examples.R <timings of R CMD check>   (from the repository's root)
# The limit is on the time of the processor, which a busy machine lengthens less than the clock's. An
# example over it is run again, twice: the first to use a package has also paid for loading it.
timings_file <- commandArgs(trailingOnly = TRUE)[1]
limit <- 1

# Pages that only point to the generics of other packages.
is_pointer <- function(rd) any(vapply(rd, is_tag, NA, "\\docType", "import"))

is_tag <- function(part, tag, text = NULL) {
  identical(attr(part, "Rd_tag"), tag) &&
    (is.null(text) || identical(paste(unlist(part), collapse = ""), text))
}

# What R CMD check runs of a page: without \dontrun{}, comments and empty lines.
examples_of <- function(file) {
  out <- tempfile()
  tools::Rd2ex(file, out, commentDontrun = TRUE, commentDonttest = TRUE)
  if (!file.exists(out)) {
    return(character())
  }
  lines <- sub("^ *#.*", "", readLines(out))
  lines[nzchar(trimws(lines))]
}

calls_of <- function(code) {
  unique(unlist(lapply(as.list(code), all.names)))
}

pages <- list.files("man", "[.]Rd$", full.names = TRUE)
names(pages) <- sub("[.]Rd$", "", basename(pages))
parsed <- lapply(pages, tools::parse_Rd)
pages <- pages[!vapply(parsed, is_pointer, NA)]
code <- lapply(lapply(pages, examples_of), function(lines) parse(text = lines, keep.source = FALSE))

problems <- character()
tell <- function(names, text) {
  if (length(names)) {
    problems <<- c(problems, paste0(text, ": ", paste(names, collapse = ", ")))
  }
}
tell(names(code)[!lengths(code)], "help pages without examples that run")

exports <- sub("^export\\((.*)\\)$", "\\1", grep("^export\\(", readLines("NAMESPACE"), value = TRUE))
called <- unlist(lapply(code, calls_of))
tell(setdiff(exports, called), "exported functions that no example calls")

# Seconds that a page's examples take when all packages are loaded.
time_again <- function(name) {
  library(mixedlm, lib.loc = dirname(timings_file), warn.conflicts = FALSE)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  run <- function() {
    here <- new.env(parent = globalenv())
    utils::capture.output(suppressMessages(for (e in code[[name]]) print(eval(e, here))))
  }
  run()
  sum(system.time(run())[c("user.self", "sys.self")])
}

timings <- utils::read.table(timings_file, header = TRUE)
cpu <- timings$user + timings$system
again <- which(cpu > limit & timings$name %in% names(code))
cpu[again] <- vapply(timings$name[again], time_again, 0)
slow <- cpu > limit
tell(sprintf("%s (%.1f s)", timings$name[slow], cpu[slow]), sprintf("examples of more than %g s", limit))
tell(setdiff(names(code), timings$name), "help pages whose examples were not run")

if (length(problems)) {
  writeLines(paste0("   ", problems))
  quit(status = 1L)
}
cat(sprintf("   examples of %d pages, the slowest %.2f s (%s)\n",
  nrow(timings), max(cpu), timings$name[which.max(cpu)]))
