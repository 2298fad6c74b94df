# Are the published tables those of the measurements? bench/results/table.md and readme-table.md must
# be what bench/write-table.R makes of table.csv, and the table between the marks in README.md, too.
#   Rscript tools/make/check-bench.R [README.md]
source("bench/write-table.R")

folder <- file.path("bench", "results")
if (!file.exists(file.path(folder, "table.csv"))) {
  cat("   no bench/results/table.csv: nothing to compare ('make bench' makes it)\n")
  quit(status = 0L)
}

made <- list(table.md = table_lines(folder), `readme-table.md` = readme_table(folder))
differ <- Filter(function(name) {
  file <- file.path(folder, name)
  !file.exists(file) || !identical(readLines(file), as.character(made[[name]]))
}, names(made))

readme <- c(commandArgs(trailingOnly = TRUE), "README.md")[[1L]]
lines <- readLines(readme)
pictures <- tools::md5sum(c(file.path(folder, "growth.png"), readme_growth))
stale <- pictures[[1L]] != pictures[[2L]] || any(marks %in% lines) && !identical(lines, with_table(lines, made[["readme-table.md"]]))
if (!any(marks %in% lines)) {
  cat("   ", readme, " has no table of the benchmarks (", toString(marks), ")\n", sep = "")
}

if (length(differ)) {
  cat("   differ from table.csv: ", toString(file.path(folder, differ)), "; run 'Rscript bench/write-table.R'\n", sep = "")
}
if (stale) {
  cat("   the table or the picture in ", readme, " differs from bench/results; run 'Rscript bench/write-table.R --readme'\n", sep = "")
}
quit(status = as.integer(length(differ) > 0L || stale))
