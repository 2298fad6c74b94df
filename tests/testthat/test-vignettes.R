# The vignettes and the code tell the same story. The sources are not there when an
# installed package is tested.

core <- test_path("..", "..", "src", "rust", "core", "src")
vignette <- test_path("..", "..", "vignettes", "algorithm.Rmd")

skip_without_sources <- function() {
  if (!file.exists(vignette) || !dir.exists(core)) {
    skip("the sources are not there")
  }
}

# Names of the equations that a text defines as "**Eq. Name**".
defined_equations <- function(text) {
  found <- regmatches(text, regexpr("^\\*\\*Eq\\. [^*]+\\*\\*$", text))
  gsub("^\\*\\*Eq\\. |\\*\\*$", "", found)
}

# equation -> files, from the table's rows "| Eq. Name | `file`, `file` |".
table_of_files <- function(text) {
  rows <- text[startsWith(text, "| Eq. ")]
  files <- lapply(regmatches(rows, gregexpr("`[^`]+`", rows)), gsub, pattern = "`", replacement = "")
  stats::setNames(files, sub("^\\| Eq\\. ([^|]+) \\|.*", "\\1", rows))
}

path_of <- function(files) {
  ifelse(startsWith(files, "R/"), file.path(test_path("..", ".."), files), file.path(core, files))
}

# What follows "Eq. " wherever a text cites a named equation.
citations <- function(text) {
  found <- unlist(regmatches(text, gregexpr("Eq\\. [A-Z][A-Za-z -]*", text)))
  trimws(sub("^Eq\\. ", "", found))
}

test_that("every equation has one name and a row in the table of files", {
  skip_without_sources()
  text <- readLines(vignette, encoding = "UTF-8")
  equations <- defined_equations(text)
  expect_gt(length(equations), 20)
  expect_identical(anyDuplicated(equations), 0L)
  expect_setequal(names(table_of_files(text)), equations)
  # "Eq. Chain rule the curvature ..." in a sentence: the name, then anything
  cited <- citations(text)
  known <- vapply(cited, function(c) any(startsWith(c, equations)), NA)
  expect_identical(cited[!known], character())
})

test_that("the table's files exist and cite their equations, and no others do", {
  skip_without_sources()
  table <- table_of_files(readLines(vignette, encoding = "UTF-8"))
  files <- unlist(table, use.names = FALSE)
  expect_identical(files[!file.exists(path_of(files))], character())
  sources <- c(
    list.files(core, "\\.rs$", recursive = TRUE),
    file.path("R", list.files(test_path("..", "..", "R"), "\\.R$"))
  )
  cited <- lapply(sources, function(f) citations(readLines(path_of(f), encoding = "UTF-8")))
  in_code <- paste(rep(sources, lengths(cited)), unlist(cited))
  in_table <- paste(unlist(table), rep(names(table), lengths(table)))
  expect_identical(setdiff(in_code, in_table), character())
  expect_identical(setdiff(in_table, in_code), character())
})

test_that("every file that a vignette names exists", {
  skip_without_sources()
  all_in <- function(pattern, text) gsub("`", "", unlist(regmatches(text, gregexpr(pattern, text))))
  for (page in list.files(dirname(vignette), "\\.Rmd$", full.names = TRUE)) {
    text <- readLines(page, encoding = "UTF-8")
    named <- all_in("`(R|bench|src|tests|vignettes|inst)/[A-Za-z0-9_./-]+`", text)
    # bench/ is in the repository, not in the package
    named <- named[dir.exists(file.path(test_path("..", ".."), sub("/.*", "", named)))]
    named <- c(file.path(test_path("..", ".."), named), path_of(all_in("`[a-z_/]+\\.rs`", text)))
    expect_identical(basename(named[!file.exists(named)]), character(), info = page)
  }
})

# Figures of bench/results/ are copied into tables of vignettes.
bench <- test_path("..", "..", "bench", "results")

skip_without_bench <- function() {
  skip_without_sources()
  if (!dir.exists(bench)) {
    skip("the results of the benchmarks are not there")
  }
}

cells_of <- function(rows) {
  lapply(strsplit(gsub("`[^`]*`", "", rows), "|", fixed = TRUE), trimws)
}

numbers_in <- function(text) {
  unlist(regmatches(text, gregexpr("[0-9][0-9,]*(\\.[0-9]+)?", text)))
}

test_that("measured figures in the vignette on large data are those of the benchmarks", {
  skip_without_bench()
  text <- readLines(file.path(dirname(vignette), "large-data.Rmd"), encoding = "UTF-8")
  rows <- grep("\\| `[a-z-]+\\.md` \\|$", text, value = TRUE)
  expect_gt(length(rows), 10)
  for (row in rows) {
    file <- file.path(bench, sub(".*`([a-z-]+\\.md)` \\|$", "\\1", row))
    known <- numbers_in(readLines(file))
    cells <- cells_of(row)[[1L]]
    measured <- numbers_in(cells[length(cells) - 1L])
    expect_gt(length(measured), 0)
    expect_identical(setdiff(measured, known), character(), info = row)
  }
})

test_that("coverage in the vignette on inference is that of the benchmark, interval by interval", {
  skip_without_bench()
  result <- cells_of(grep("^\\| [a-zA-Z ]+ \\| .* \\| [0-9.]+ \\|", readLines(file.path(bench, "coverage.md")), value = TRUE))
  name <- vapply(result, function(r) paste(r[2], r[3]), "")
  value <- vapply(result, `[`, "", 4L)
  text <- readLines(file.path(dirname(vignette), "inference.Rmd"), encoding = "UTF-8")
  rows <- cells_of(grep("^\\|.*[0-9.]+ / [0-9.]+", text, value = TRUE))
  expect_length(rows, 8L)
  for (row in rows) {
    parameters <- c("slope", "SD of slopes", "correlation", "residual SD")
    given <- row[3:6]
    there <- nzchar(given) & !is.na(given)
    found <- vapply(parameters, function(p) paste(value[name == paste(p, row[2])], collapse = " / "), "")
    expect_identical(given[there], unname(found[there]), info = row[2])
  }
})
