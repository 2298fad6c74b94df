# The battery of bench/models.R in mixedlm and in every peer that is installed, on the same data:
# time, peak memory, the criterion reached, warnings, and what each says about its fit.
#   Rscript bench/table.R [--quick] [--models=penicillin,insteval] [--peers=mixedlm,lmer]
#     [--limit=60] [--times=10] [--budget=2] [--processes=3] [--threads=1] [--memory=12]
#     [--output=bench/results] [--merge]
#
#   --quick      the small models and one of InstEval, one process for each peer, at most 15 s for a fit
#   --limit      seconds that one fit may take
#   --times, --budget   a process calls again until there are `times` calls or `budget` seconds are
#                used up, and once in any case where the first call left time for it
#   --processes  fresh processes for a peer and a model, where the first call is within the budget
#   --threads    holds every program to this number of threads; by default each has its own way
#   --memory     GiB that a program in Python may take
#   --output     the folder of table.csv, table.md, readme-table.md and machine.txt; bench/results
#                for the whole battery, .make/bench for the quick one; a choice is only shown
#   --merge      keeps the rows of table.csv that this run does not make again
#
# bench/README.md tells what each column is and how to install the peers.
source("bench/common.R")
source("bench/models.R")
source("bench/harness.R")
source("bench/write-table.R")
for (package in c("mixedlm", "lme4")) {
  if (!requireNamespace(package, quietly = TRUE)) {
    stop("bench/table.R needs ", package, ", which is not installed")
  }
}

flags <- c("quick", "merge")
defaults <- list(
  models = names(benchmark_models), peers = names(peer_labels), limit = 60, times = 10, budget = 2,
  processes = 3, threads = NULL, memory = 12, output = NULL, quick = FALSE, merge = FALSE
)

chosen <- function(text, among) {
  names <- strsplit(text, ",", fixed = TRUE)[[1L]]
  unknown <- setdiff(names, among)
  if (length(unknown)) {
    stop("no such thing as ", toString(unknown), "; there are ", toString(among))
  }
  among[among %in% names]
}

# --name=value and --flag, over the defaults
read_arguments <- function(args) {
  given <- list()
  for (arg in args) {
    name <- sub("^--([a-z]+)(=.*)?$", "\\1", arg)
    if (!name %in% names(defaults) || xor(name %in% flags, !grepl("=", arg, fixed = TRUE))) {
      stop("unknown argument ", arg)
    }
    value <- sub("^[^=]*=", "", arg)
    given[[name]] <- switch(name,
      models = chosen(value, names(benchmark_models)),
      peers = chosen(value, names(peer_labels)),
      output = value,
      quick = ,
      merge = TRUE,
      as.numeric(value)
    )
  }
  values <- defaults
  if (isTRUE(given$quick)) {
    quick <- names(Filter(function(model) model$quick, benchmark_models))
    peers <- setdiff(names(peer_labels), c("lmer-bobyqa", "gpboost"))
    values[c("models", "peers", "limit", "processes", "budget")] <- list(quick, peers, 15, 1, 1)
    values$output <- file.path(".make", "bench")
  } else if (!any(c("models", "peers") %in% names(given))) {
    values$output <- file.path("bench", "results")
  }
  values[names(given)] <- given
  values
}

hold_threads <- function(threads) {
  if (!is.null(threads)) {
    names <- c("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    do.call(Sys.setenv, as.list(stats::setNames(rep(threads, length(names)), names)))
  }
}

# One row of the table, from an answer of run_peer().
table_row <- function(name, model, size, peer, answer, at) {
  text <- function(field) if (is.null(answer[[field]])) NA_character_ else answer[[field]]
  value <- function(field) as.numeric(text(field))
  status <- intersect(c("skipped", "failed", "over"), names(answer))
  there <- if (is.null(answer$own)) {
    c(NA_real_, NA_real_)
  } else {
    tryCatch(unname(at(answer)), error = function(e) c(NA_real_, NA_real_))
  }
  data.frame(
    model = name, peer = peer, title = model$title, formula = model$formula,
    asked = if (model$reml) "REML" else "ML", rows = size,
    status = c(status, "fitted")[[1L]],
    first_s = value("first"), seconds = value("seconds"), cpu_s = value("cpu"),
    runs = value("runs"), processes = value("processes"), memory_mib = value("memory"),
    kind = text("kind"), criterion = there[[1L]], reference = there[[2L]], own = value("own"),
    claim = text("claim"), warnings = value("warnings"), said = text("said"),
    reason = c(unlist(answer[status]), NA_character_)[[1L]], limit_s = arguments$limit,
    threads = if (is.null(arguments$threads)) "default" else format(arguments$threads),
    date = format(Sys.Date())
  )
}

run_model <- function(name) {
  model <- benchmark_models[[name]]
  data <- tryCatch(model$data(), error = function(e) conditionMessage(e))
  if (is.character(data)) {
    message(name, ": left out, ", data)
    return(NULL)
  }
  folder <- tempfile("model")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  files <- write_model(model, data, arguments, folder)
  at <- criterion_of(model, data)
  rows <- lapply(arguments$peers, function(peer) {
    answer <- run_peer(peer, files, arguments)
    row <- table_row(name, model, nrow(data), peer, answer, at)
    message(name, ", ", peer, ": ", row$status, " ", format(row$seconds, digits = 3L), " ", row$reason)
    row
  })
  do.call(rbind, rows)
}

# The rows of an earlier table that this run does not replace.
kept_rows <- function(file) {
  if (!arguments$merge || !file.exists(file)) {
    return(NULL)
  }
  old <- read_table(file)
  old[!(old$model %in% arguments$models & old$peer %in% arguments$peers), ]
}

write_results <- function(rows, folder, programs) {
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  rows <- rows[order(match(rows$model, names(benchmark_models)), match(rows$peer, names(peer_labels))), ]
  utils::write.csv(rows, file.path(folder, "table.csv"), row.names = FALSE, na = "")
  writeLines(programs, file.path(folder, "machine.txt"))
  write_table(folder)
}

arguments <- read_arguments(commandArgs(trailingOnly = TRUE))
hold_threads(arguments$threads)
load_at_start <- load_average()
programs <- c(hardware(), versions(arguments$peers), paste("load average at the start", load_at_start))
rows <- if (!is.null(arguments$output)) kept_rows(file.path(arguments$output, "table.csv"))
folder <- if (is.null(arguments$output)) tempfile("table") else arguments$output
for (name in arguments$models) {
  rows <- rbind(rows, run_model(name))
  # after each model, so that a run that is stopped leaves what it has
  write_results(rows, folder, programs)
}
cat(readLines(file.path(folder, "table.md")), sep = "\n")
if (!is.null(arguments$output)) {
  message("written to ", file.path(folder, "table.md"))
}
