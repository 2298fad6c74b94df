# From the rows of table.csv to what people read: table.md, and readme-table.md, the table of the
# README. bench/table.R calls write_table(); after that it can be repeated from the CSV alone:
#   Rscript bench/write-table.R [folder]           writes both again
#   Rscript bench/write-table.R --readme [folder]  also puts the table between its marks in README.md,
#     and the picture of growth.R where README.md finds it in the package, too
source("bench/common.R")
source("bench/harness.R")

read_table <- function(file) {
  text <- c("model", "peer", "title", "formula", "asked", "status", "kind", "claim", "said", "reason", "threads", "date")
  table <- utils::read.csv(file, na.strings = "", stringsAsFactors = FALSE)
  table[text] <- lapply(table[text], as.character)
  table
}

read_published <- function() {
  utils::read.csv(file.path("bench", "published.csv"), stringsAsFactors = FALSE, colClasses = c(source = "character"))
}

sources <- c(
  `2018` = paste0(
    "MixedModels.jl's own benchmark report of 2 October 2018, file docs/src/benchmarks.md of its repository ",
    "(JuliaStats/MixedModels.jl, commit 1aff9ae): Julia 1.0.0, Intel Core i5-3570 at 3.4 GHz; maximum likelihood, ",
    "the shortest of many calls in one process, after compilation. The data of the maximal model are `kb07`, ",
    "which have the design of ours."
  ),
  `2024` = paste0(
    "a comment of 10 March 2024 by its author on pull request 753 of that repository; one sample of each, ",
    "the machine is not stated in what was read."
  )
)

short <- function(text, width = 120L) {
  text <- gsub("|", "\\|", text, fixed = TRUE)
  ifelse(is.na(text), "", ifelse(nchar(text) > width, paste0(substr(text, 1L, width - 3L), "..."), text))
}

# Every number with three digits, whatever the others in its column are; nothing for a missing one.
digits3 <- function(x) {
  text <- formatC(signif(x, 3L), digits = 3L, format = "fg", flag = "#", big.mark = ",")
  ifelse(is.na(x), "", sub("\\.$", "", trimws(text)))
}

# Seconds with their unit.
duration <- function(seconds) {
  text <- ifelse(seconds < 1, paste(digits3(1000 * seconds), "ms"), paste(digits3(seconds), "s"))
  ifelse(is.na(seconds), "", text)
}

# The distance to the lowest criterion of the same kind that any program reached on the model.
above_best <- function(table) {
  best <- pmin(table$criterion, table$reference, na.rm = TRUE)
  least <- function(x) min(x, Inf, na.rm = TRUE)
  groups <- paste(table$model, table$kind)
  pmax(0, table$criterion - stats::ave(best, groups, FUN = least))
}

# A distance in the criterion: what rounding leaves is called zero.
distance <- function(x) {
  ifelse(is.na(x), "", ifelse(x < 1e-6, "0", formatC(x, digits = 1L, format = "e")))
}

signed <- function(x) {
  text <- distance(abs(x))
  ifelse(!is.na(x) & x < -1e-6, paste0("-", text), text)
}

detail <- function(rows) {
  time <- ifelse(rows$status == "over", paste(">", digits3(rows$limit_s), "s"), duration(rows$seconds))
  claim <- ifelse(rows$status == "fitted", rows$claim, rows$status)
  remark <- ifelse(rows$status %in% c("skipped", "failed"), rows$reason, rows$said)
  kind <- ifelse(is.na(rows$kind), "", rows$kind)
  other <- !is.na(rows$kind) & rows$kind != rows$asked
  data.frame(
    program = peer_labels[rows$peer], `first call` = duration(rows$first_s), time = time,
    CPU = duration(rows$cpu_s), calls = ifelse(is.na(rows$runs), "", paste0(rows$processes, " x ", rows$runs)),
    MiB = digits3(rows$memory_mib),
    criterion = ifelse(is.na(rows$criterion), "", paste0(sprintf("%.4f", rows$criterion), ifelse(other, paste0(" ", kind), ""))),
    `above best` = distance(rows$above),
    `own value less this` = signed(rows$own - rows$criterion),
    claim = ifelse(is.na(claim), "", claim), warnings = ifelse(is.na(rows$warnings), "", rows$warnings),
    remarks = short(remark), check.names = FALSE
  )
}

published_lines <- function(name) {
  found <- read_published()
  found <- found[found$model == name, ]
  if (!nrow(found)) {
    return(NULL)
  }
  c("", paste0(
    "Published: ", found$peer, ", ", found$kind, ", ", duration(found$seconds), " (", found$source,
    ifelse(nzchar(found$data), paste0(", on ", found$data), ""), ")."
  ))
}

model_section <- function(rows) {
  c(
    paste("##", rows$title[[1L]]), "",
    paste0("`", rows$formula[[1L]], "`, ", rows$asked[[1L]], ", ", format(rows$rows[[1L]], big.mark = ","), " rows."),
    "", markdown(detail(rows)), published_lines(rows$model[[1L]]), ""
  )
}

# One cell of the overview: the time as a multiple of another, and what is wrong with the fit.
cell <- function(row, unit) {
  if (!nrow(row) || row$status %in% c("skipped", "failed")) {
    return(if (nrow(row) && row$status == "failed") "failed" else "-")
  }
  if (row$status == "over") {
    return(paste(">", format(signif(row$limit_s / unit, 2L), big.mark = ",")))
  }
  wrong <- c(
    if (isTRUE(row$above > 0.001)) paste0("+", format(signif(row$above, 2L))),
    if (isTRUE(row$warnings > 0)) paste0(row$warnings, if (row$warnings == 1) " warning" else " warnings")
  )
  paste(c(format(signif(row$seconds / unit, 2L), big.mark = ",", trim = TRUE), wrong), collapse = "; ")
}

# The models as rows, the programs as columns.
overview <- function(table, peers, published = NULL) {
  models <- unique(table$model)
  lines <- lapply(models, function(name) {
    rows <- table[table$model == name, ]
    of <- function(peer) rows[rows$peer == peer, ]
    unit <- of("mixedlm")$seconds
    unit <- if (length(unit) && !is.na(unit)) unit else NA_real_
    cells <- vapply(peers, function(peer) cell(of(peer), unit), "")
    head <- data.frame(model = rows$title[[1L]], rows = format(rows$rows[[1L]], big.mark = ","), mixedlm = duration(unit))
    if (!is.null(published)) {
      theirs <- published$seconds[published$model == name & published$source == "2018"]
      cells <- c(cells, `MixedModels.jl, published` = if (length(theirs)) duration(theirs) else "-")
    }
    cbind(head, as.data.frame(as.list(cells), optional = TRUE))
  })
  out <- do.call(rbind, lines)
  names(out)[names(out) %in% peers] <- peer_labels[names(out)[names(out) %in% peers]]
  out
}

explanation <- c(
  "A cell is the time as a multiple of mixedlm's, which is in the third column; after it, where they apply, how",
  "far the criterion (-2 log-likelihood, restricted for REML) ends above the lowest that any program reached, from 0.001",
  "on, and the number of warnings. `-`: the program does not have the model. `>`: not done within the limit."
)

dates <- function(table) {
  found <- sort(unique(table$date))
  if (length(found) > 1L) paste(found[[1L]], "to", found[[length(found)]]) else found
}

# Whoever is in the table with a fit, without the ones that the README has no room for.
readme_peers <- c("lmer", "lme", "glmmtmb", "statsmodels", "gpboost-cholesky", "py-mixedlm", "py-mixedlm-rs", "julia", "lm")

readme_table <- function(folder) {
  table <- read_table(file.path(folder, "table.csv"))
  table$above <- above_best(table)
  there <- unique(table$peer[table$status %in% c("fitted", "over")])
  peers <- intersect(readme_peers, there)
  published <- if (!"julia" %in% there) read_published()
  programs <- readLines(file.path(folder, "machine.txt"))
  c(
    markdown(overview(table, peers, published)), "", explanation, "",
    paste0(
      "Measured ", dates(table), " on ", programs[[1L]], ", each program with its defaults; versions, memory, first calls ",
      "and what each program says are in `bench/results/table.md`.",
      if (!is.null(published)) {
        paste(" MixedModels.jl was not run. Its column has times on another machine, not multiples, from", sources[["2018"]])
      }
    )
  )
}

table_lines <- function(folder) {
  table <- read_table(file.path(folder, "table.csv"))
  table$above <- above_best(table)
  programs <- readLines(file.path(folder, "machine.txt"))
  there <- unique(table$peer[table$status %in% c("fitted", "over")])
  peers <- setdiff(intersect(names(peer_labels), there), "mixedlm")
  sections <- lapply(unique(table$model), function(name) model_section(table[table$model == name, ]))
  c(
    "# mixedlm and its peers", "", paste0(dates(table), ". ", programs[[1L]], "."), "",
    paste0(paste(programs[-1L], collapse = ", "), "."), "",
    "`bench/README.md` tells what is measured and how to repeat it.", "",
    "## All models", "", explanation, "", markdown(overview(table, peers)), "",
    unlist(sections, use.names = FALSE),
    "## Published figures", "", paste0("- ", names(sources), ": ", sources)
  )
}

write_table <- function(folder) {
  writeLines(table_lines(folder), file.path(folder, "table.md"))
  writeLines(readme_table(folder), file.path(folder, "readme-table.md"))
}

readme_growth <- file.path("man", "figures", "README-growth.png")
marks <- c("<!-- bench: begin -->", "<!-- bench: end -->")

# The lines of README.md with the table between the marks.
with_table <- function(readme, table) {
  at <- match(marks, readme)
  if (anyNA(at)) {
    stop("README.md lacks the lines ", paste(marks, collapse = " and "))
  }
  c(readme[seq_len(at[[1L]])], "", table, "", readme[at[[2L]]:length(readme)])
}

called <- grep("^--file=", commandArgs(), value = TRUE)
if (identical(basename(sub("^--file=", "", called)), "write-table.R")) {
  args <- commandArgs(trailingOnly = TRUE)
  folder <- c(setdiff(args, "--readme"), file.path("bench", "results"))[[1L]]
  write_table(folder)
  if ("--readme" %in% args) {
    writeLines(with_table(readLines("README.md"), readme_table(folder)), "README.md")
    file.copy(file.path(folder, "growth.png"), readme_growth, overwrite = TRUE)
  }
}
