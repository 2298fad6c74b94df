# The models of bench/models.R in mixedlm and in its peers, in one run on the same data: time, the
# criterion reached, memory, and what each says about its fit.
#   Rscript bench/peers.R [--models=penicillin,insteval] [--peers=mixedlm,lmer,gpboost]
#     [--limit=300] [--times=20] [--budget=10] [--memory=12] [--output=peers]
#
# Small models are fitted again until there are `times` runs or `budget` seconds are used up; the
# median counts. A run may take `limit` seconds, and in Python `memory` GiB. With all models and
# all peers the result is written to bench/results/peers.md; a choice of them is only shown, unless
# `output` names a file there.
#
# Each peer runs in a process of its own, with its defaults, threads included, after a fit of next
# to nothing that loads what it loads late. The peers in Python need an interpreter that has them,
# named by MIXEDLM_PYTHON (else python3); their modules have different names, so one will do:
#   python3 -m venv peers
#   peers/bin/pip install statsmodels gpboost mixedlm mixedlm-rs patsy
#   MIXEDLM_PYTHON=peers/bin/python Rscript bench/peers.R
# Whatever is not installed is left out with a word. The peers in R are lme4 and nlme; lme4, mlmRev
# and geepack have the data.
source("bench/common.R")
source("bench/models.R")
if (!requireNamespace("mixedlm", quietly = TRUE)) {
  stop("bench/peers.R compares with mixedlm, which is not installed")
}

peers <- c(
  mixedlm = "mixedlm", lmer = "lme4 lmer", lme = "nlme lme", statsmodels = "statsmodels MixedLM",
  gpboost = "GPBoost, iterative", `gpboost-cholesky` = "GPBoost, Cholesky",
  `py-mixedlm` = "mixedlm of PyPI", `py-mixedlm-rs` = "mixedlm-rs of PyPI"
)
r_peers <- c("mixedlm", "lmer", "lme")

# --name=value, or a default
read_arguments <- function(args) {
  values <- list(
    models = names(benchmark_models), peers = names(peers), limit = 300, times = 20, budget = 10,
    memory = 12
  )
  known <- c(names(values), "output")
  for (arg in args) {
    name <- sub("^--([a-z]+)=.*", "\\1", arg)
    if (!grepl("^--[a-z]+=", arg) || !name %in% known) {
      stop("unknown argument ", arg)
    }
    value <- sub("^[^=]*=", "", arg)
    values[[name]] <- switch(name,
      models = chosen(value, names(benchmark_models)),
      peers = chosen(value, names(peers)),
      output = value,
      as.numeric(value)
    )
  }
  everything <- setequal(values$models, names(benchmark_models)) &&
    setequal(values$peers, names(peers))
  if (is.null(values$output) && everything) {
    values$output <- "peers"
  }
  values
}

chosen <- function(text, among) {
  names <- strsplit(text, ",", fixed = TRUE)[[1L]]
  unknown <- setdiff(names, among)
  if (length(unknown)) {
    stop("no such thing as ", toString(unknown), "; there are ", toString(among))
  }
  among[among %in% names]
}

find_python <- function() {
  named <- Sys.getenv("MIXEDLM_PYTHON", "python3")
  unname(Sys.which(named))
}

# A named list of strings, numbers and logical values as a JSON object; `lists` are arrays whatever
# their length.
json <- function(x, lists) {
  one <- function(value) {
    if (is.character(value)) {
      paste0("\"", value, "\"")
    } else if (is.logical(value)) {
      tolower(value)
    } else {
      format(value)
    }
  }
  values <- vapply(names(x), function(name) {
    text <- paste(one(x[[name]]), collapse = ", ")
    if (name %in% lists) paste0("[", if (length(x[[name]])) text, "]") else text
  }, "")
  paste0("{", paste0("\"", names(x), "\": ", values, collapse = ", "), "}")
}

# The model and its data as files for both languages. In the CSV levels start with a letter, so
# that no reader takes them for numbers.
write_model <- function(model, arguments, folder) {
  data <- model$data()
  files <- list(
    rds = file.path(folder, "model.rds"), json = file.path(folder, "model.json"),
    csv = file.path(folder, "data.csv")
  )
  model$data <- data
  model[c("times", "budget")] <- arguments[c("times", "budget")]
  saveRDS(model, files$rds, compress = FALSE)
  factors <- names(data)[vapply(data, is.factor, NA)]
  data[factors] <- lapply(data[factors], function(f) {
    levels(f) <- paste0("l", levels(f))
    f
  })
  utils::write.csv(data, files$csv, row.names = FALSE, quote = FALSE)
  fields <- model[c("response", "fixed", "structure", "reml", "formula", "times", "budget")]
  fields <- c(fields, list(
    groups = names(model$terms), columns = unname(model$terms), factors = factors,
    memory_limit = arguments$memory
  ))
  writeLines(json(fields, c("groups", "columns", "factors")), files$json)
  c(files, rows = nrow(data))
}

# One peer on one model: the fields of its answer, or `skipped` or `failed` with the reason.
run_peer <- function(peer, files, arguments, python) {
  answer <- tempfile("answer")
  log <- tempfile("log")
  command <- if (peer %in% r_peers) file.path(R.home("bin"), "Rscript") else python
  if (!nzchar(command)) {
    return(list(skipped = "no Python"))
  }
  args <- if (peer %in% r_peers) {
    c(file.path("bench", "peer.R"), peer, files$rds, answer)
  } else {
    c(file.path("bench", "peers.py"), peer, files$json, files$csv, answer)
  }
  # starting, reading the data and the first small fit come on top of the limit
  status <- suppressWarnings(
    system2(command, shQuote(args), stdout = log, stderr = log, timeout = arguments$limit + 30)
  )
  if (!file.exists(answer)) {
    last <- utils::tail(c("", readLines(log, warn = FALSE)), 1L)
    if (status == 124L) {
      return(list(failed = "not done", over = format(arguments$limit)))
    }
    return(list(failed = paste("stopped:", last)))
  }
  lines <- readLines(answer)
  as.list(stats::setNames(sub("^[^\t]*\t", "", lines), sub("\t.*", "", lines)))
}

# One field of all answers, as text or as numbers; NA where there is none.
field <- function(answers, name) {
  vapply(answers, function(a) if (is.null(a[[name]])) NA_character_ else a[[name]], "")
}
number <- function(answers, name) suppressWarnings(as.numeric(field(answers, name)))

short <- function(text, width = 160L) {
  text <- gsub("|", "\\|", text, fixed = TRUE)
  ifelse(nchar(text) > width, paste0(substr(text, 1L, width - 3L), "..."), text)
}

# Every number with three digits, whatever the others in its column are; nothing for a missing one.
digits3 <- function(x) {
  text <- formatC(signif(x, 3L), digits = 3L, format = "fg", flag = "#")
  ifelse(is.na(x), "", sub("\\.$", "", trimws(text)))
}

model_table <- function(answers) {
  seconds <- number(answers, "seconds")
  criterion <- number(answers, "criterion")
  kind <- field(answers, "kind")
  least <- function(x) min(x, Inf, na.rm = TRUE)
  lowest <- stats::ave(criterion, ifelse(is.na(kind), "", kind), FUN = least)
  remark <- field(answers, "remark")
  skipped <- field(answers, "skipped")
  failed <- field(answers, "failed")
  remark <- ifelse(is.na(failed), remark, failed)
  remark <- ifelse(is.na(skipped), remark, paste("skipped:", skipped))
  ours <- seconds[match("mixedlm", names(answers))]
  over <- number(answers, "over")
  at_least <- function(x, least) ifelse(is.na(least), digits3(x), paste(">", digits3(least)))
  data.frame(
    peer = peers[names(answers)],
    seconds = at_least(seconds, over),
    CPU = digits3(number(answers, "cpu")),
    `times mixedlm's` = at_least(seconds / ours, over / ours),
    runs = ifelse(is.na(seconds), "", field(answers, "runs")),
    criterion = ifelse(is.na(criterion), "", paste(sprintf("%.4f", criterion), kind)),
    `above the lowest` = ifelse(is.na(criterion), "", sprintf("%.1e", criterion - lowest)),
    MiB = digits3(number(answers, "memory")),
    remarks = short(remark), check.names = FALSE
  )
}

# The versions that machine() does not name.
versions <- function(python) {
  r <- "no nlme; "
  if (requireNamespace("nlme", quietly = TRUE)) {
    r <- paste0("nlme ", utils::packageVersion("nlme"), "; ")
  }
  if (!nzchar(python)) {
    return(paste0(r, "no Python"))
  }
  lines <- system2(python, c(shQuote(file.path("bench", "peers.py")), "--versions"), stdout = TRUE)
  paste0(r, paste(sub("^(mixedlm\\S*)", "PyPI's \\1", lines), collapse = ", "))
}

# What else the machine was doing: threads that wait for each other suffer from a busy core.
load <- function() {
  if (!file.exists("/proc/loadavg")) {
    return(NULL)
  }
  average <- strsplit(readLines("/proc/loadavg"), " ", fixed = TRUE)[[1L]][[1L]]
  paste0("; load average at the start ", average)
}

arguments <- read_arguments(commandArgs(trailingOnly = TRUE))
python <- find_python()
head <- c(
  paste0(versions(python), load()), "",
  paste0(
    "The whole call, formula and data frame to fit, each peer with its defaults in a process of ",
    "its own; medians where there are several runs; at most ", arguments$limit, " s for a run."
  ), "",
  paste0(
    "The criterion is -2 log-likelihood, restricted for REML, with all constants: all packages ",
    "define it alike. GPBoost has ML only; its iterative methods know the likelihood up to ",
    "noise, so it is computed again at their estimates, by Cholesky factors and untimed. ",
    "`CPU`: seconds of all threads together; less than the seconds that passed where others used ",
    "the machine. `MiB`: the highest resident memory in the first fit above what was there before."
  ), ""
)
sections <- list()
for (name in arguments$models) {
  model <- benchmark_models[[name]]
  folder <- tempfile("model")
  dir.create(folder)
  files <- write_model(model, arguments, folder)
  answers <- list()
  for (peer in arguments$peers) {
    message(name, ", ", peer, " ...", appendLF = FALSE)
    answers[[peer]] <- run_peer(peer, files, arguments, python)
    message(" ", paste(unlist(answers[[peer]]), collapse = " "))
  }
  unlink(folder, recursive = TRUE)
  sections[[name]] <- c(
    paste("##", model$title), "",
    paste0(
      "`", model$formula, "`, ", if (model$reml) "REML" else "ML", ", ",
      format(files$rows, big.mark = ","), " rows."
    ),
    "", markdown(model_table(answers)), ""
  )
  # after each model, so that a run that is stopped leaves what it has
  if (!is.null(arguments$output)) {
    lines <- c(head, unlist(sections, use.names = FALSE))
    invisible(utils::capture.output(report(arguments$output, "mixedlm and its peers", lines)))
  }
}
cat(machine(), "", head, unlist(sections, use.names = FALSE), sep = "\n")
