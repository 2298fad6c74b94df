# What bench/table.R needs to run one peer on one model: the files that both languages read, the
# processes, and the criterion at a peer's estimates.

peer_labels <- c(
  mixedlm = "mixedlm", `mixedlm-1` = "mixedlm, one thread", lmer = "lme4 lmer",
  `lmer-bobyqa` = "lme4 lmer, bobyqa", lme = "nlme lme", glmmtmb = "glmmTMB",
  statsmodels = "statsmodels MixedLM", gpboost = "GPBoost, iterative",
  `gpboost-cholesky` = "GPBoost, Cholesky", `py-mixedlm` = "mixedlm of PyPI",
  `py-mixedlm-rs` = "mixedlm-rs of PyPI", julia = "MixedModels.jl",
  lm = "lm, fixed effects only"
)
r_peers <- c("mixedlm", "mixedlm-1", "lmer", "lmer-bobyqa", "lme", "glmmtmb", "lm")

# The program that runs a peer; "" where it is not there.
interpreter <- function(peer) {
  if (peer %in% r_peers) {
    file.path(R.home("bin"), "Rscript")
  } else {
    unname(Sys.which(if (peer == "julia") "julia" else Sys.getenv("MIXEDLM_PYTHON", "python3")))
  }
}

script_of <- function(peer) {
  name <- if (peer %in% r_peers) "peer.R" else if (peer == "julia") "peer.jl" else "peers.py"
  file.path("bench", name)
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

# The model and its data as files for all languages. In the CSV levels start with a letter, so that
# no reader takes them for numbers.
write_model <- function(model, data, arguments, folder) {
  files <- list(
    rds = file.path(folder, "model.rds"), json = file.path(folder, "model.json"),
    csv = file.path(folder, "data.csv")
  )
  settings <- c("times", "budget", "limit")
  model$data <- data
  model[settings] <- arguments[settings]
  saveRDS(model, files$rds, compress = FALSE)
  factors <- names(data)[vapply(data, is.factor, NA)]
  data[factors] <- lapply(data[factors], function(f) {
    levels(f) <- paste0("l", levels(f))
    f
  })
  utils::write.csv(data, files$csv, row.names = FALSE, quote = FALSE)
  fields <- model[c("response", "fixed", "structure", "reml", "formula", settings)]
  fields <- c(fields, list(
    groups = names(model$terms), columns = unname(model$terms), factors = factors,
    memory_limit = arguments$memory
  ))
  writeLines(json(fields, c("groups", "columns", "factors")), files$json)
  files
}

# One process: the fields of its answer as strings, or `skipped`, `failed` or `over` with the reason.
run_process <- function(peer, files, arguments) {
  program <- interpreter(peer)
  if (!nzchar(program)) {
    return(list(skipped = if (peer == "julia") "no Julia" else "no Python"))
  }
  answer <- tempfile("answer")
  log <- tempfile("log")
  on.exit(unlink(c(answer, log)))
  inputs <- if (peer %in% r_peers) files$rds else c(files$json, files$csv)
  args <- c(script_of(peer), if (peer != "julia") peer, inputs, answer)
  # starting and reading the data come on top of the limit
  most <- arguments$limit + 15
  start <- Sys.time()
  status <- suppressWarnings(
    system2(program, shQuote(args), stdout = log, stderr = log, timeout = most)
  )
  if (!file.exists(answer)) {
    if (status == 124L || as.numeric(Sys.time() - start, units = "secs") >= most) {
      return(list(over = format(arguments$limit)))
    }
    last <- utils::tail(c("", readLines(log, warn = FALSE)), 1L)
    return(list(failed = paste0("stopped with status ", status, ": ", last)))
  }
  lines <- readLines(answer)
  as.list(stats::setNames(sub("^[^\t]*\t", "", lines), sub("\t.*", "", lines)))
}

# A peer on a model, in several processes when they are short: medians over them.
run_peer <- function(peer, files, arguments) {
  answers <- list(run_process(peer, files, arguments))
  first <- as.numeric(answers[[1L]]$first)
  if (length(first) && first < arguments$budget) {
    more <- lapply(seq_len(arguments$processes - 1L), function(i) run_process(peer, files, arguments))
    answers <- c(answers, more)
  }
  answer <- answers[[1L]]
  for (name in intersect(c("first", "seconds", "cpu", "memory"), names(answer))) {
    values <- vapply(answers, function(a) as.numeric(c(a[[name]], NA)[[1L]]), 0)
    answer[[name]] <- stats::median(values, na.rm = TRUE)
  }
  answer$processes <- length(answers)
  answer
}

# The criterion of a model as a function of a peer's estimates, for all peers alike: at the
# covariance matrices and the residual variance, fixed effects profiled out, both REML and ML. What
# a package reports itself may have other constants, noise, or an error.
criterion_of <- function(model, data) {
  formula <- stats::as.formula(model$formula)
  fits <- lapply(c(REML = TRUE, ML = FALSE), function(reml) {
    if (reml && !model$reml) NULL else mixedlm::mixedlm(formula, data, REML = reml)
  })
  groups <- names(lme4::getME(fits$ML, "cnms"))
  function(answer) {
    fit <- fits[[answer$kind]]
    sigma2 <- as.numeric(answer$sigma2)
    theta <- lapply(paste0("psi.", groups), function(name) {
      psi <- as.numeric(strsplit(c(answer[[name]], "")[[1L]], " ", fixed = TRUE)[[1L]])
      lower_root(matrix(psi, sqrt(length(psi))) / sigma2)
    })
    c(
      criterion = as.function(fit)(unlist(theta)), reference = fit$criterion
    )
  }
}

# The lower triangle of a root of a covariance matrix, which may be singular.
lower_root <- function(psi) {
  parts <- eigen((psi + t(psi)) / 2, symmetric = TRUE)
  root <- parts$vectors %*% (sqrt(pmax(parts$values, 0)) * t(parts$vectors))
  r <- qr.R(qr(root, LAPACK = FALSE, tol = 0))
  t(r)[lower.tri(r, diag = TRUE)]
}

# The versions of all programs, one for each line.
versions <- function(peers) {
  programs <- unique(vapply(peers, function(p) paste(interpreter(p), script_of(p)), ""))
  lines <- unlist(lapply(programs[!startsWith(programs, " ")], function(call) {
    parts <- strsplit(call, " (?=bench)", perl = TRUE)[[1L]]
    suppressWarnings(system2(parts[[1L]], c(shQuote(parts[[2L]]), "--versions"), stdout = TRUE, stderr = FALSE))
  }))
  rustc <- if (nzchar(Sys.which("rustc"))) system2("rustc", "--version", stdout = TRUE)
  trimws(c(lines, rustc))
}
