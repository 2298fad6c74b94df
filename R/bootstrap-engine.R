# Bootstrap replicates from the core, and full fits of their data for statistics
# that need a fit.

# What a bootstrap of a fit works with, built once: the whole design, the design as
# the engine takes it, its problem, and the options that every request shares.
boot_context <- function(fit, progress = FALSE, whole = whole_design(fit)) {
  refuse_penalised(fit, "A refit to other data")
  design <- engine_design(whole)
  options <- engine_options(
    field(fit, "reml"), field(fit, "optinfo")$method, field(fit, "control"),
    packed_theta(fit)
  )
  options$progress <- progress
  estimated <- free_columns(whole)
  columns <- field(fit, "columns")[estimated]
  fe <- field(fit, "fe_params")[columns]
  fe[is.na(fe)] <- 0
  options$beta <- as.double(fe)
  options$sigma2 <- field(fit, "scale")
  options$modes <- as.double(unlist(field(fit, "b")))
  list(
    fit = fit, whole = whole, design = design, columns = columns, options = options,
    problem = engine_problem(design, lapply(design$terms, `[[`, "free"))
  )
}

# The design of a fit, columns that are held included, with the names that the
# fit knows its columns by.
whole_design <- function(fit, frame = field(fit, "frame")) {
  design <- build_again(fit, frame)
  random <- field(fit, "random")
  for (k in seq_along(design$terms)) {
    if (length(design$terms[[k]]$columns) == length(random[[k]]$columns)) {
      design$terms[[k]]$columns <- random[[k]]$columns
    }
  }
  set_parameters(design, field(fit, "start"), field(fit, "free"))
}

# Columns of X that are not held.
free_columns <- function(whole) {
  if (is.null(whole$held)) seq_len(ncol(whole$x)) else which(is.na(whole$held))
}

boot_request <- function(context, kind, seed, first, count, ...) {
  c(context$options, list(
    kind = kind, seed = as.double(seed), first = as.integer(first),
    count = as.integer(count), ...
  ))
}

# Replicates first + 1, ..., first + count: beta (a row per replicate, a column
# per column of the engine's X), theta, sigma2, criterion, outcome, message.
engine_bootstrap <- function(context, kind, seed, first, count, ...) {
  options <- boot_request(context, kind, seed, first, count, ...)
  engine_answer(rs_bootstrap(context$problem, options), context$design)
}

# Their data: `responses` (a column per replicate), or `groups`, a list of
# list(rows, codes).
engine_bootstrap_data <- function(context, kind, seed, first, count, ...) {
  options <- boot_request(context, kind, seed, first, count, ...)
  engine_answer(rs_bootstrap_data(context$problem, options), context$design)
}

# Criteria of `fits` on the same simulated responses: a row per replicate, a
# column per fit, each REML or ML as the fit is; NA where a fit failed.
simulated_criteria <- function(generator, fits, nsim, seed, progress = FALSE) {
  from <- boot_context(generator)
  to <- lapply(fits, boot_context)
  n <- length(from$design$y)
  for (context in to) {
    if (length(context$design$y) != n) {
      abort("bootstrap", "The fits to compare were made from different numbers of rows.")
    }
  }
  out <- matrix(NA_real_, nsim, length(fits), dimnames = list(NULL, names(fits)))
  tell <- boot_progress(progress, nsim)
  for (batch in boot_batches(nsim, max(1L, min(1000L, 4e6 %/% n)))) {
    count <- length(batch)
    y <- engine_bootstrap_data(from, "parametric", seed, batch[1L] - 1L, count)$responses
    for (k in seq_along(to)) {
      out[batch, k] <- engine_bootstrap(to[[k]], "given", seed, 0L, count, responses = y)$criterion
    }
    tell$step(count)
  }
  tell$done()
  out[is.nan(out)] <- NA
  out
}

boot_batches <- function(nsim, size) {
  unname(split(seq_len(nsim), (seq_len(nsim) - 1L) %/% as.integer(size)))
}

# --- full fits --------------------------------------------------------------

# -> function(data of one replicate) -> fit. What cannot be fitted is an error.
boot_refitter <- function(fit, kind) {
  if (kind %in% c("case", "jackknife")) {
    variables <- grouping_variables(fit)
    return(function(drawn) refit_groups(fit, drawn, variables))
  }
  context <- boot_context(fit)
  function(y) {
    context$problem$y <- y
    context$whole$y <- y
    context$whole$frame[[1L]] <- y
    raw_to_fit(fit, context)
  }
}

# `sound`: whether a verdict that leaves no estimates to use is an error.
raw_to_fit <- function(fit, context, sound = TRUE) {
  control <- field(fit, "control")
  raw <- engine_answer(rs_refit(context$problem, context$options), context$design)
  raw <- complete_raw(raw, context$design, field(fit, "optinfo")$method, control)
  if (sound && !raw$verdict %in% verdicts_sound) {
    abort(raw$verdict, outcome_text(raw$verdict))
  }
  if (!is.null(context$whole$held)) {
    raw <- restore_held(raw, context$whole$held)
  }
  new_mixedlm(
    call = field(fit, "call"), parsed = field(fit, "parsed"), design = context$whole,
    raw = raw, reml = field(fit, "reml"), method = raw$method, control = control,
    free = field(fit, "free"), start = field(fit, "start")
  )
}

# Verdicts that leave estimates to use.
verdicts_sound <- c("optimum", "boundary", "flat")

# The columns of the frame that say which group a row belongs to.
grouping_variables <- function(fit) {
  frame <- field(fit, "frame")
  of_group <- function(group) {
    group <- strip_parens(group)
    if (is.null(group)) {
      return(NULL)
    }
    if (is.call(group) && call_name(group) == ":" && length(group) == 3L) {
      return(c(of_group(group[[2L]]), of_group(group[[3L]])))
    }
    var_name(group)
  }
  of_bar <- function(bar) {
    lhs <- if (bar$kind == "vc") {
      tt <- design_terms(bar$lhs, "vc_formula", environment(field(fit, "terms")))
      vapply(as.list(attr(tt, "variables"))[-1L], var_name, "")
    }
    lhs <- lhs[vapply(lhs, function(v) {
      v <- .subset2(frame, v)
      is.factor(v) || is.character(v) || is.logical(v)
    }, NA)]
    c(of_group(bar$group), lhs)
  }
  names <- unique(unlist(lapply(field(fit, "parsed")$bars, of_bar)))
  names <- names[names %in% names(frame)]
  fixed <- names[names %in% names(attr(field(fit, "terms"), "dataClasses"))]
  if (length(fixed)) {
    abort("bootstrap", paste0(
      "With type = \"case\" every drawn group is a new one, but ", quote_names(fixed),
      " is a fixed effect too, so that no fit can be made for `FUN`; leave `FUN` out, ",
      "or use another `type`."
    ), argument = "FUN")
  }
  names
}

# A fit of drawn groups: the rows of the frame, with grouping variables whose
# levels are told apart by draw.
refit_groups <- function(fit, drawn, variables) {
  outer <- which.min(vapply(drawn$codes, max, 0L))
  draw <- drawn$codes[[outer]]
  frame <- field(fit, "frame")
  terms <- attr(frame, "terms")
  frame <- frame[drawn$rows, , drop = FALSE]
  for (name in variables) {
    own <- code_factor(.subset2(frame, name), name)
    both <- cross_factors(list(codes = draw, levels = seq_len(max(draw))), own)
    frame[[name]] <- factor(both$codes, seq_along(both$levels), both$levels)
  }
  # strings forget the levels that were not drawn
  for (name in intersect(names(field(fit, "xlevels")), names(frame))) {
    if (is.character(frame[[name]])) {
      frame[[name]] <- factor(frame[[name]], field(fit, "xlevels")[[name]])
    }
  }
  attr(frame, "row.names") <- .set_row_names(length(draw))
  attr(frame, "terms") <- terms
  attr(frame, "na.action") <- NULL
  raw_to_fit(fit, boot_context(fit, whole = whole_design(fit, frame)))
}
