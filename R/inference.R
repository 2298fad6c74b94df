# Tests of contrasts of the fixed effects: one row (t), several (F), and the
# degrees of freedom of their denominators.
#
# A "basis" holds what a method needs of a fit, made once for many contrasts:
#   method       "satterthwaite", "kenward-roger", "normal", "residual", "none"; or
#                "robust": then `type`, `fit` and `parts` (robust_parts()) instead of
#                what follows `beta`
#   beta         estimates of the kept coefficients
#   vcov         their covariance for standard errors (Kenward-Roger: adjusted)
#   phi          their covariance for degrees of freedom
#   derivatives  p x p x m derivatives of phi in the variance parameters
#   covariance   m x m covariance of the variance parameters
#   df           degrees of freedom that do not depend on the contrast, or NULL
# Vignette "The algorithm": Eq. Satterthwaite, Eq. Kenward-Roger.

#' Degrees of freedom of tests of fixed effects
#'
#' The argument `ddf` of [summary.mixedlm()], [anova.mixedlm()],
#' [drop1.mixedlm()] and [linear_hypothesis()]: how the uncertainty of the
#' variances enters the tests of the fixed effects.
#'
#' | `ddf` | test | also written |
#' |---|---|---|
#' | `"Satterthwaite"` | t and F, degrees of freedom from the delta method | `"sat"` |
#' | `"Kenward-Roger"` | t and F with the adjusted covariance matrix; REML fits only | `"KR"`, `"kenward_roger"` |
#' | `"normal"` | z and chi-square, as in statsmodels | `"asymptotic"`, `"z"`, `"Wald"`, `"chisq"`, `"chi-square"` |
#' | `"residual"` | t and F with the number of rows less the rank of the fixed effects | |
#' | `"none"` | t and F values without p-values, as in lme4 | `"lme4"`, in `anova()` of type I unless `type` is given |
#'
#' Upper and lower case are the same, and the beginning of a name is enough.
#'
#' @details
#' Satterthwaite's degrees of freedom of a contrast \eqn{l'\beta} are
#' \eqn{2 f^2 / (g' A g)}, where \eqn{f = l'\Phi l} is its variance, \eqn{g} the
#' gradient of \eqn{f} in the variance parameters and \eqn{A} their asymptotic
#' covariance (observed information of the fit's own criterion). Those of several
#' contrasts are combined as Fai and Cornelius (1996) do: from the independent
#' contrasts of the eigenvectors of \eqn{L \Phi L'}. The derivatives are exact.
#'
#' Kenward and Roger (1997) correct \eqn{\Phi} for its bias in small samples, scale
#' the F statistic and choose the degrees of freedom so that two moments are
#' right; the covariance of the variance parameters is the one of the expected
#' information. Where two of their expressions vanish together (exact F tests of
#' balanced designs) the limit is taken; degrees of freedom near two leave the
#' statistic unscaled. Where no F distribution has these moments, as for several contrasts and only two
#' or three groups, statistic and p-value are `NA`. Nothing of the size n x n is made. The method is defined
#' for REML.
#'
#' Neither method is defined for a fit whose verdict is `"flat"` or `"saddle"`
#' (see [mixedlm-object]): there is no covariance of the variance parameters.
#' Parameters held by `free` count as known.
#'
#' @section Errors: `mixedlm_error_ddf` when the method is unknown, or not defined for
#'   the fit; the message tells what to do.
#' @references
#' Fai AHT, Cornelius PL (1996). Approximate F-tests of multiple degree of
#' freedom hypotheses in generalized least squares analyses of unbalanced
#' split-plot experiments. *Journal of Statistical Computation and Simulation*
#' **54**, 363-378.
#'
#' Kenward MG, Roger JH (1997). Small sample inference for fixed effects from
#' restricted maximum likelihood. *Biometrics* **53**, 983-997.
#' @seealso [mixedlm-robust] for degrees of freedom that do not rely on the model's covariance.
#' @examples
#' few <- subset(dietox, as.integer(factor(Pig)) %% 9 == 0)
#' fit <- mixedlm(Weight ~ Cu + Time, few, groups = "Pig")
#' anova(fit)
#' anova(fit, ddf = "Kenward-Roger")
#' anova(fit, ddf = "normal")
#' @name mixedlm-ddf
NULL

# All names of a method, the first the one in messages.
ddf_names <- list(
  satterthwaite = "Satterthwaite",
  `kenward-roger` = c("Kenward-Roger", "KR", "kenwardroger", "kenward_roger"),
  normal = c("normal", "asymptotic", "z", "wald", "chisq", "chi-square", "chi-squared", "chi2"),
  residual = c("residual", "resid"),
  none = c("none", "lme4")
)

# -> a name of `ddf_names`. The default of a function, a vector of choices,
# stands for its first.
check_ddf <- function(ddf) {
  if (is.character(ddf) && length(ddf) > 1L && identical(ddf, ddf_choices)) {
    ddf <- ddf[1L]
  }
  if (is_string(ddf) && nzchar(ddf)) {
    hit <- vapply(ddf_names, function(names) tolower(ddf) %in% tolower(names), NA)
    if (!any(hit)) {
      hit <- vapply(ddf_names, function(names) any(startsWith(tolower(names), tolower(ddf))), NA)
    }
    if (sum(hit) == 1L) {
      return(names(ddf_names)[hit])
    }
  }
  abort("ddf", paste0(
    "`ddf` must be one of ", paste0("\"", ddf_choices, "\"", collapse = ", "),
    "; found ", describe(ddf), "."
  ), argument = "ddf")
}

ddf_choices <- c("Satterthwaite", "Kenward-Roger", "normal", "residual", "none")

# "Satterthwaite's" in headings.
ddf_label <- function(method) {
  switch(method,
    satterthwaite = "Satterthwaite's method",
    `kenward-roger` = "Kenward-Roger's method",
    residual = "residual degrees of freedom"
  )
}

# The basis for tests by the model's covariance or by a cluster-robust one, from
# the arguments `ddf`, `vcov` and `cluster` of a user.
tests_basis <- function(fit, ddf, vcov, cluster) {
  vcov <- choose_one(vcov, covariance_types, "vcov")
  if (vcov != "model") {
    return(list(
      method = "robust", beta = field(fit, "fe_params"), type = vcov, fit = fit,
      parts = robust_parts(fit, vcov, cluster)
    ))
  }
  if (!is.null(cluster)) {
    abort("argument", "`cluster` is for the robust covariances: give `vcov` too, as in vcov = \"CR2\".",
      argument = "cluster"
    )
  }
  inference_basis(fit, check_ddf(ddf))
}

# What the tests of a basis are, for headings; NULL for plain statistics.
basis_label <- function(basis) {
  switch(basis$method,
    robust = paste0("cluster-robust covariances (", basis$type, ")"),
    normal = "Wald chi-square tests",
    none = NULL,
    ddf_label(basis$method)
  )
}

# The basis of a fit for a method that check_ddf() knows.
inference_basis <- function(fit, method) {
  if (method %in% c("satterthwaite", "kenward-roger")) {
    refuse_penalised(fit, paste0(ddf_names[[method]][1L], "'s method"))
  } else if (method != "none") {
    refuse_penalised(fit, "A test of the fixed effects", fixed_only = TRUE)
  }
  phi <- field(fit, "vcov_unscaled") * field(fit, "scale")
  basis <- list(
    method = method, beta = field(fit, "fe_params"), vcov = phi, phi = phi,
    df = switch(method, normal = Inf, none = NA_real_,
      residual = n_rows(fit) - nrow(phi)
    )
  )
  if (!method %in% c("satterthwaite", "kenward-roger") || !nrow(phi)) {
    return(basis)
  }
  check_ddf_defined(fit, method)
  adjusted <- method == "kenward-roger"
  answer <- engine_inference(fit, adjusted = adjusted)
  part <- if (adjusted) answer$kenward_roger else answer$satterthwaite
  basis$derivatives <- part$derivatives
  basis$covariance <- part$covariance
  if (adjusted) {
    basis$vcov <- part$vcov
  }
  if (!all(is.finite(unlist(basis[c("derivatives", "covariance", "vcov")])))) {
    abort("ddf", paste0(
      "The curvature of the criterion is outside the range of numbers, so there are no ",
      ddf_names[[method]][1L], " degrees of freedom. Rescale the variables, or use ddf = \"normal\"."
    ), argument = "ddf")
  }
  basis
}

check_ddf_defined <- function(fit, method) {
  name <- ddf_names[[method]][1L]
  if (method == "kenward-roger" && !field(fit, "reml")) {
    abort("ddf", paste0(
      "Kenward-Roger degrees of freedom are defined for REML fits, and this is an ML fit. ",
      "Fit it by REML, update(fit, REML = TRUE), or use ddf = \"Satterthwaite\"."
    ), argument = "ddf")
  }
  if (verdict(fit) %in% c("flat", "saddle")) {
    abort("ddf", paste0(
      name, " degrees of freedom are not defined for a fit whose verdict is \"",
      verdict(fit), "\": its variance parameters have no covariance. Simplify the ",
      "random effects, or use ddf = \"normal\"."
    ), argument = "ddf")
  }
}

# 2 f^2 / (g' A g) for one row `l`: Satterthwaite's, and, with the expected
# information, Kenward and Roger's for a single contrast.
row_df <- function(basis, l) {
  if (!is.null(basis$df)) {
    return(basis$df)
  }
  f <- drop(l %*% basis$phi %*% l)
  if (!is.finite(f) || f <= 0) {
    return(NA_real_)
  }
  # relative to f: the square of f itself may leave the range of numbers
  g <- apply(basis$derivatives, 3L, function(d) drop(l %*% d %*% l)) / f
  v <- drop(g %*% basis$covariance %*% g)
  if (is.na(v)) NA_real_ else if (v <= 0) Inf else 2 / v
}

# One test per row of L: data frame of estimate (L beta), se, df, statistic of
# L beta = rhs and its p-value.
test_rows <- function(basis, L, rhs = 0) {
  if (basis$method == "robust") {
    rows <- robust_t_tests(basis$fit, L, rhs, parts = basis$parts)
    return(rows[c("estimate", "se", "df", "statistic", "p.value")])
  }
  estimate <- drop(L %*% basis$beta)
  se <- sqrt(pmax(rowSums((L %*% basis$vcov) * L), 0))
  df <- vapply(seq_len(nrow(L)), function(i) row_df(basis, L[i, ]), 0)
  # a coefficient that `free` holds is not tested
  statistic <- ifelse(se > 0, (estimate - rhs) / se, NA_real_)
  data.frame(
    estimate = estimate, se = se, df = df, statistic = statistic,
    p.value = 2 * stats::pt(-abs(statistic), df), row.names = NULL
  )
}

# The joint test of the rows of L, which must be independent: list of statistic
# (F; chi-square for "normal"), num_df, den_df, p.value, and F_scaling, the
# factor that Kenward and Roger put on the F statistic (already applied).
test_joint <- function(basis, L, rhs = 0) {
  q <- nrow(L)
  if (basis$method == "robust" && q > 0L) {
    test <- robust_test(basis$fit, L, rhs, parts = basis$parts)
    return(list(
      statistic = if (q == 1L) test$statistic^2 else test$statistic, num_df = q,
      den_df = test$df_den, p.value = test$p.value, F_scaling = 1
    ))
  }
  out <- list(
    statistic = NA_real_, num_df = q, den_df = NA_real_, p.value = NA_real_, F_scaling = 1
  )
  if (q == 0L || !is_positive(L %*% basis$vcov %*% t(L))) {
    return(out)
  }
  difference <- drop(L %*% basis$beta) - rhs
  wald <- quadratic_form(L %*% basis$vcov %*% t(L), difference)
  if (basis$method == "normal") {
    out[c("statistic", "den_df")] <- list(wald, Inf)
    out$p.value <- stats::pchisq(wald, q, lower.tail = FALSE)
    return(out)
  }
  moments <- switch(basis$method,
    satterthwaite = list(df = fai_cornelius_df(basis, L), scaling = 1),
    `kenward-roger` = kenward_roger_df(basis, L),
    list(df = basis$df, scaling = 1)
  )
  out$statistic <- moments$scaling * wald / q
  out$den_df <- moments$df
  out$F_scaling <- moments$scaling
  out$p.value <- if (is.na(moments$df)) NA_real_ else stats::pf(out$statistic, q, moments$df, lower.tail = FALSE)
  out
}

# Whether a covariance matrix can be inverted; it cannot where `free` holds a fixed
# effect.
is_positive <- function(v) {
  s <- sqrt(pmax(diag(v), 0))
  if (!all(is.finite(v)) || any(s == 0)) {
    return(FALSE)
  }
  min(eigen(v / tcrossprod(s), symmetric = TRUE, only.values = TRUE)$values) > 1e-14
}

# d' V^-1 d, V scaled to unit diagonal first.
quadratic_form <- function(v, d) {
  s <- sqrt(diag(v))
  sum((d / s) * solve(v / tcrossprod(s), d / s, tol = 0))
}

# Fai and Cornelius (1996): the F statistic is the mean of independent squared t
# statistics, along the eigenvectors of L Phi L'; its expectation gives the
# degrees of freedom.
fai_cornelius_df <- function(basis, L) {
  e <- eigen(L %*% basis$phi %*% t(L), symmetric = TRUE)
  rows <- crossprod(e$vectors, L)
  nu <- vapply(seq_len(nrow(L)), function(i) row_df(basis, rows[i, ]), 0)
  combine_df(nu)
}

# E(F) = sum(E(t_m^2)) / q, E(t^2) = nu / (nu - 2), equated with ddf / (ddf - 2).
# Without an expectation (nu <= 2) no more than two degrees of freedom are claimed.
combine_df <- function(nu) {
  if (anyNA(nu)) {
    return(NA_real_)
  }
  if (max(nu) - min(nu) < 1e-8 * min(nu) || all(is.infinite(nu))) {
    return(mean(nu))
  }
  if (any(nu <= 2)) {
    return(2)
  }
  e <- sum(ifelse(is.infinite(nu), 1, nu / (nu - 2)))
  2 * e / (e - length(nu))
}

# Kenward and Roger (1997), section 3: A1 = sum W_ij tr(Theta D_i) tr(Theta D_j),
# A2 = sum W_ij tr(Theta D_i Theta D_j), Theta = L'(L Phi L')^-1 L, with D_i the
# derivatives of Phi (their -Phi P_i Phi).
kenward_roger_df <- function(basis, L) {
  q <- nrow(L)
  if (q == 1L) {
    return(list(df = row_df(basis, L[1L, ]), scaling = 1))
  }
  v <- L %*% basis$phi %*% t(L)
  products <- lapply(seq_len(dim(basis$derivatives)[3L]), function(i) {
    solve_scaled_rows(v, L %*% basis$derivatives[, , i] %*% t(L))
  })
  traces <- vapply(products, function(a) sum(diag(a)), 0)
  a1 <- drop(traces %*% basis$covariance %*% traces)
  pairs <- outer(seq_along(products), seq_along(products), Vectorize(function(i, j) {
    sum(products[[i]] * t(products[[j]]))
  }))
  kenward_roger_moments(q, a1, sum(basis$covariance * pairs))
}

solve_scaled_rows <- function(v, b) {
  if (!length(v)) {
    return(b)
  }
  s <- sqrt(diag(v))
  solve(v / tcrossprod(s), b / s, tol = 0) / s
}

# The scale of F and its denominator's degrees of freedom from A1 and A2.
kenward_roger_moments <- function(q, a1, a2) {
  if (!is.finite(a1) || !is.finite(a2)) {
    return(list(df = NA_real_, scaling = NA_real_))
  }
  if (a2 < 1e-14) {
    return(list(df = Inf, scaling = 1))
  }
  b <- (a1 + 6 * a2) / (2 * q)
  g <- ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
  denominator <- 3 * q + 2 * (1 - g)
  v0 <- 1 + g / denominator * b
  v1 <- 1 - (q - g) / denominator * b
  v2 <- 1 - (q + 2 - g) / denominator * b
  tiny <- function(x) abs(x) < 1e-10
  ratio <- if (tiny(1 - a2 / q) && tiny(v1)) 1 else (1 - a2 / q) / v1
  rho <- ratio^2 * (if (tiny(v0)) 0 else v0) / v2 / q
  df <- 4 + (q + 2) / (q * rho - 1)
  scaling <- if (isTRUE(abs(df - 2) < 1e-2)) 1 else df * (1 - a2 / q) / (df - 2)
  # of next to no groups the two moments belong to no F distribution
  if (isTRUE(df > 1e-6 && scaling > 0)) list(df = df, scaling = scaling) else list(df = NA_real_, scaling = NA_real_)
}
