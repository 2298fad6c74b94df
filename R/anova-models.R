# Comparison of several fits: lme4's table.

compare_models <- function(fits, expressions, refit, model.names) {
  if (!is_flag(refit)) {
    abort("argument", paste0("`refit` must be TRUE or FALSE; found ", describe(refit), "."), argument = "refit")
  }
  names <- check_model_names(model.names, fits, expressions)
  data <- data_line(fits[[1L]])
  fits <- lapply(fits, as_comparable)
  for (fit in fits[vapply(fits, inherits, NA, "mixedlm")]) {
    refuse_penalised(fit, "A comparison of likelihoods")
  }
  check_same_data(fits, names)
  reml <- vapply(fits, comparable_reml, NA)
  if (refit && any(reml)) {
    inform("refit", "refitting model(s) with ML (instead of REML)")
    fits[reml] <- lapply(fits[reml], fit_again, reml = FALSE)
    reml[] <- FALSE
  }
  if (any(reml)) {
    check_comparable_by_reml(fits, reml, names)
  }
  likelihood <- lapply(fits, function(f) logLik(f, REML = any(reml)))
  npar <- vapply(likelihood, attr, 0, "df")
  order <- order(npar)
  table <- likelihood_table(likelihood[order], npar[order])
  formulas <- vapply(fits[order], function(f) one_line(formula(f)), "")
  rownames(table) <- names[order]
  structure(table,
    heading = c(data, "Models:", paste0(names[order], ": ", formulas)),
    class = c("anova", "data.frame")
  )
}

likelihood_table <- function(likelihood, npar) {
  value <- vapply(likelihood, as.numeric, 0)
  df <- c(NA, diff(npar))
  chisq <- c(NA, 2 * pmax(0, diff(value)))
  p <- ifelse(df > 0, stats::pchisq(chisq, df, lower.tail = FALSE), NA)
  data.frame(
    npar = npar, AIC = vapply(likelihood, stats::AIC, 0), BIC = vapply(likelihood, stats::BIC, 0),
    logLik = value, deviance = -2 * value, Chisq = chisq, Df = df,
    `Pr(>Chisq)` = p, check.names = FALSE
  )
}

check_model_names <- function(names, fits, expressions) {
  if (!is.null(names)) {
    if (!is.character(names) || length(names) != length(fits) || anyNA(names) || anyDuplicated(names)) {
      abort("argument", paste0(
        "`model.names` must be ", length(fits), " different names, one per fit; found ", describe(names), "."
      ), argument = "model.names")
    }
    return(names)
  }
  # do.call() and lapply() put the fits themselves in the call
  if (!all(vapply(expressions, is.language, NA))) {
    return(paste0("MODEL", seq_along(fits)))
  }
  names <- vapply(expressions, one_line, "")
  if (anyDuplicated(names) || max(nchar(names)) > 200L) {
    names <- paste0("MODEL", seq_along(fits))
  }
  unname(names)
}

data_line <- function(fit) {
  call <- if (inherits(fit, "mixedlm")) field(fit, "call") else stats::getCall(fit)
  if (is.language(call$data)) paste0("Data: ", one_line(call$data))
}

# A fit of lmer() as ours; one of lm() stays what it is.
as_comparable <- function(fit) {
  if (inherits(fit, "merMod")) {
    return(mixedlm(fit))
  }
  if (inherits(fit, "lm") && (!identical(class(fit), "lm") || any(fit$weights == 0))) {
    abort("comparison", paste0(
      "Only plain fits of lm(), without rows of weight zero, can be compared; found class ",
      quote_names(class(fit)[1L]), "."
    ))
  }
  fit
}

comparable_reml <- function(fit) inherits(fit, "mixedlm") && field(fit, "reml")

comparable_response <- function(fit) {
  if (inherits(fit, "mixedlm")) field(fit, "y") else as.double(stats::model.response(stats::model.frame(fit)))
}

comparable_weights <- function(fit) {
  w <- if (inherits(fit, "mixedlm")) field(fit, "weights") else fit$weights
  w %||% rep(1, length(comparable_response(fit)))
}

# Rows, response and weights must be the same; the order of the rows does not matter.
check_same_data <- function(fits, names) {
  y <- lapply(fits, comparable_response)
  w <- lapply(fits, comparable_weights)
  rows <- lengths(y)
  other <- which(rows != rows[1L])
  if (length(other)) {
    abort("comparison", paste0(
      "The fits have different numbers of rows: ", rows[1L], " in ", quote_names(names[1L]), ", ",
      rows[other[1L]], " in ", quote_names(names[other[1L]]),
      ". Missing values may be the cause; fit both to the same rows."
    ))
  }
  order <- Map(function(y, w) order(y, w), y, w)
  sorted <- list(response = Map(`[`, y, order), weights = Map(`[`, w, order))
  for (what in names(sorted)) {
    same <- vapply(sorted[[what]], function(v) isTRUE(all.equal(v, sorted[[what]][[1L]], tolerance = 1e-12)), NA)
    if (!all(same)) {
      abort("comparison", paste0(
        quote_names(names[!same][1L]), " has ", if (what == "response") "another response" else "other weights",
        " than ", quote_names(names[1L]), "; their likelihoods cannot be compared."
      ))
    }
  }
}

# REML fits compared as they are: all by REML (lm() has both), and with the same
# fixed effects.
check_comparable_by_reml <- function(fits, reml, names) {
  other <- which(!reml & !vapply(fits, inherits, NA, "lm"))
  if (length(other)) {
    abort("comparison", paste0(
      quote_names(names[reml][1L]), " is a REML fit and ", quote_names(names[other[1L]]),
      " an ML fit. Fit both by the same criterion, or leave `refit` TRUE."
    ), argument = "refit")
  }
  check_same_fixed(fits, names)
}

# The REML criterion depends on the columns of X, not only on their span.
check_same_fixed <- function(fits, names) {
  columns <- lapply(fits, function(f) {
    x <- stats::model.matrix(f)
    if (inherits(f, "lm")) x <- x[, !is.na(stats::coef(f)), drop = FALSE]
    x <- matrix(x, nrow(x), dimnames = list(NULL, colnames(x)))[order(comparable_response(f)), , drop = FALSE]
    x[, order(colnames(x)), drop = FALSE]
  })
  for (k in seq_along(fits)[-1L]) {
    same <- identical(colnames(columns[[k]]), colnames(columns[[1L]])) &&
      isTRUE(all.equal(colSums(columns[[k]]^2), colSums(columns[[1L]]^2), tolerance = 1e-8))
    if (!same) {
      abort("comparison", paste0(
        quote_names(names[k]), " and ", quote_names(names[1L]), " are REML fits with different fixed effects: ",
        "their criteria cannot be compared. Leave `refit` TRUE to compare them by ML."
      ), argument = "refit")
    }
  }
}

# The same model fitted again from what the fit holds, so that neither the data
# nor the place of the call is needed: by the other criterion, or with other
# fixed effects (`parsed`, of the same variables).
fit_again <- function(fit, reml = field(fit, "reml"), parsed = field(fit, "parsed")) {
  refuse_penalised(fit, "A comparison of likelihoods")
  contrasts <- shared_contrasts(fit, parsed)
  settings <- list(reml = reml, method = "newton", control = field(fit, "control"))
  call <- field(fit, "call")
  call$REML <- reml
  quietly(function() {
    design <- build_again(fit, parsed = parsed, contrasts = contrasts)
    design <- set_parameters(design, field(fit, "start"), field(fit, "free"))
    fit_design(call, parsed, design, settings, field(fit, "start"), field(fit, "free"))
  })
}

# Without messages that the first fit gave already.
quietly <- function(f) {
  suppressMessages(f(), classes = c("mixedlm_message_rank", "mixedlm_message_component", "mixedlm_message_weights"))
}

# The contrasts of those factors that `parsed` has among its fixed effects.
shared_contrasts <- function(fit, parsed) {
  variables <- as.list(attr(stats::terms(parsed$fixed), "variables"))[-1L]
  contrasts <- field(fit, "contrasts")
  contrasts <- contrasts[names(contrasts) %in% vapply(variables, var_name, "")]
  if (length(contrasts)) contrasts
}
