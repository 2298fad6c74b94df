# Keeps ARCHITECTURE.md true: every source file is named there once, with the
# first sentence of its own header.
#   Rscript tools/make/map.R check|write
header_marks <- c(R = "^#'? ?", rs = "^//! ?", sh = "^# ?", py = "^(\"\"\")?")
generated <- "R/extendr-wrappers.R"

source_files <- function() {
  folders <- c("R", "src/rust/src", "src/rust/core", "tools", "bench")
  files <- list.files(folders, "[.](R|rs|sh|py)$", recursive = TRUE, full.names = TRUE)
  sort(c(files[!grepl("/target/", files)], "configure"), method = "radix")
}

# The first sentence of the comment that a file begins with.
first_sentence <- function(file) {
  lines <- readLines(file, warn = FALSE, n = 30)
  lines <- lines[!startsWith(lines, "#!")]
  extension <- if (grepl("[.]", basename(file))) tools::file_ext(file) else "sh"
  mark <- header_marks[[extension]]
  if (!length(lines) || !grepl(mark, lines[1])) {
    return("")
  }
  # the paragraph ends before an empty line, code, or an indented example
  ends <- !grepl(mark, lines) | grepl("^(\"\"\"| .*)?$", sub(mark, "", lines))
  text <- paste(trimws(sub(mark, "", lines[cumsum(ends) == 0L])), collapse = " ")
  sub(":$", ".", sub("^(.*?[.])( +[A-Za-z`].*)?$", "\\1", sub("\"\"\"$", "", text), perl = TRUE))
}

# The rows of the tables: line number, file, what the map says of it.
map_rows <- function(map) {
  row <- "^[|] `([^`]+)` [|] (.*) [|]$"
  at <- grep(row, map)
  data.frame(line = at, file = sub(row, "\\1", map[at]), says = sub(row, "\\2", map[at]))
}

in_table <- function(text) {
  gsub("|", "\\|", text, fixed = TRUE)
}

check_map <- function(rows, files) {
  is <- in_table(vapply(files, first_sentence, ""))
  said <- rows$says[match(files, rows$file)]
  c(
    sprintf("%s is named, but is no source file", setdiff(rows$file, files)),
    sprintf("%s is named twice", unique(rows$file[duplicated(rows$file)])),
    sprintf("%s is not named", setdiff(files, rows$file)),
    sprintf("%s does not begin with a comment that tells its purpose", files[!nzchar(is)]),
    sprintf("%s: the map says '%s', the file '%s'", files, said, is)[!is.na(said) & said != is]
  )
}

write_map <- function(map, rows, files) {
  known <- rows$file %in% files
  map[rows$line[known]] <- sprintf("| `%s` | %s |", rows$file[known], in_table(vapply(rows$file[known], first_sentence, "")))
  new <- setdiff(files, rows$file)
  added <- sprintf("| `%s` | %s |", new, in_table(vapply(new, first_sentence, "")))
  gone <- rows$line[!known]
  c(map[setdiff(seq_along(map), gone)], if (length(new)) c("", "## Not yet in its place", "", "| file | purpose |", "|---|---|", added))
}

# Paths in backticks in the texts for people: do they exist?
dead_paths <- function(text) {
  lines <- readLines(text)
  found <- unlist(regmatches(lines, gregexpr("`[A-Za-z_.-]+/[A-Za-z0-9_./-]+`", lines)))
  paths <- unique(gsub("`", "", found))
  ours <- grepl("^([.](ci|github)|R|src|tests|tools|bench|vignettes|man|inst|data|data-raw)/", paths)
  dead <- paths[ours & !grepl("/target$", paths) & !file.exists(paths)]
  sprintf("%s names %s, which does not exist", rep(text, length(dead)), dead)
}

map <- readLines("ARCHITECTURE.md")
files <- setdiff(source_files(), generated)
if (commandArgs(trailingOnly = TRUE)[1] == "write") {
  writeLines(write_map(map, map_rows(map), files), "ARCHITECTURE.md")
} else {
  texts <- c("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", list.files("vignettes", "[.]Rmd$", full.names = TRUE))
  wrong <- c(
    sprintf("ARCHITECTURE.md: %s", check_map(map_rows(map), files)),
    unlist(lapply(texts, dead_paths))
  )
  writeLines(sprintf("   %s", wrong))
  quit(status = as.integer(length(wrong) > 0L))
}
