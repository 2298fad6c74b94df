# Covariances of the estimates: fixed effects, and the exact ones of the
# variance parameters.
#
# Basis of the free elements of Psi, everywhere in this file and in
# `hessian_psi`, `dr2_psi`: term by term; an unstructured term has its lower
# triangle, column by column (an off-diagonal element stands for both its
# places), a diagonal term its diagonal, a scalar term one element.
# Vignette "The algorithm": Eq. Chain rule, Eq. Variance errors.

#' Covariance matrices of the estimates
#'
#' Covariances of the estimated fixed effects, of the estimated variance parameters, or of both. Their square roots on
#' the diagonal are the standard errors.
#'
#' @param object (`mixedlm`) a fit.
#' @param which (`character(1)`) `"fixed"`: fixed effects, as lme4's `vcov`.
#'   `"varcomp"`: variances and covariances of the random effects and the
#'   residual variance (`"Scale"`), on the user's scale. `"all"`: both.
#' @param type (`character(1)`) `"model"`: the covariance of the fixed effects that
#'   follows from the model. `"Kenward-Roger"`: the same, adjusted for the estimation of the variances (REML
#'   fits, see [mixedlm-ddf]). `"CR0"`, `"CR1"`, `"CR1p"`, `"CR1S"`, `"CR2"`, `"CR3"`:
#'   cluster-robust ones, see [mixedlm-robust]; for `which = "fixed"` only.
#' @param cluster the clusters of a robust covariance: a column's name, a one-sided
#'   formula or a vector with one value per row. `NULL`: the outermost grouping
#'   factor.
#' @param scale (`character(1)`) for `"varcomp"` and `"all"`, what the variance
#'   parameters are: `"variance"`, variances and covariances; `"sdcor"`, standard
#'   deviations and correlations; `"log"`, logarithms of standard deviations
#'   and Fisher's z (`atanh`) of correlations, where the estimates are nearest to
#'   normal.
#' @param sigm (`numeric(1)`) lme4's argument: the residual standard deviation that the covariance of the fixed effects
#'   is scaled by, for `which = "fixed"` and `type = "model"`; `NULL` for [sigma()] of the fit.
#' @param ... not used; `complete`, `correlation` and `use.hessian` are passed over.
#'
#' @details
#' The covariance of the variance parameters is twice the inverse of the exact
#' Hessian of -2 log-likelihood (restricted for REML), in the covariances of the
#' random effects and the residual variance jointly, with the fixed effects
#' profiled out. In terms of what the fit holds: with \eqn{\Psi}{Psi} relative to
#' \eqn{\sigma^2}{sigma^2}, \eqn{C} twice the inverse of the Hessian of the
#' criterion profiled over \eqn{\sigma^2}{sigma^2} and
#' \eqn{d = \partial\sigma^2/\partial\Psi}{d = d sigma^2 / d Psi} along the
#' profile, the covariance of \eqn{(\Psi, \sigma^2)}{(Psi, sigma^2)} has the
#' blocks \eqn{C}, \eqn{Cd} and \eqn{2\sigma^4/N + d'Cd}{2 sigma^4 / N + d'Cd},
#' and is then mapped to \eqn{\sigma^2\Psi}{sigma^2 Psi}, or to standard deviations and
#' correlations or their transforms, by the delta method.
#'
#' Rows of variances have the names and the order of [summary.mixedlm()]. Standard deviations
#' and correlations have those of lme4's `confint(oldNames = FALSE)`:
#' `sd_(Intercept)|Subject`, `cor_Days.(Intercept)|Subject`, `sd_Days|Subject`, `sigma`;
#' on the log scale with the function's name around them, `log(sigma)`.
#'
#' On the boundary there is no such approximation for the parameters that sit
#' on it. A variance that is zero has `NA` in its row, and so have its
#' covariances; a covariance matrix that is singular although no variance is
#' zero (a correlation of one) has `NA` in all its rows. The other rows are
#' computed with these held where they are. Elements held by `free` have `NA` too.
#' So has everything when the verdict is `"flat"` or `"saddle"`: there is no
#' curvature to take a standard error from; and when the curvature is outside the
#' range of numbers, as for a predictor of size 1e80 or a response of size 1e100.
#'
#' Fixed effects and variance parameters are uncorrelated in large samples; the
#' covariance between them in `"all"` is zero.
#'
#' @return A named symmetric matrix.
#' @importFrom stats vcov
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used; `mixedlm_error_ddf` for Kenward and Roger's on an ML fit;
#' `mixedlm_error_robust` when there are no independent clusters; `mixedlm_error_penalty` where a penalty leaves none.
#' @references
#' Lindstrom MJ, Bates DM (1988). Newton-Raphson and EM algorithms for linear mixed-effects models for repeated-measures
#' data. *Journal of the American Statistical Association* **83**, 1014-1022.
#' @seealso [summary.mixedlm()], [mixedlm-ddf], [mixedlm-robust]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' vcov(fit)
#' vcov(fit, type = "CR2")
#' sqrt(diag(vcov(fit, which = "varcomp")))
#' sqrt(diag(vcov(fit, which = "varcomp", scale = "sdcor")))
vcov.mixedlm <- function(object, which = c("fixed", "varcomp", "all"),
                         type = c("model", "Kenward-Roger", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"),
                         cluster = NULL, scale = c("variance", "sdcor", "log"),
                         ..., sigm = NULL) {
  check_vcov_dots(substitute(list(...))[-1L])
  which <- choose_one(which, c("fixed", "varcomp", "all"), "which")
  scale <- choose_one(scale, varcomp_scales, "scale")
  type <- choose_one(type, append(covariance_types, "Kenward-Roger", 1L), "type")
  check_sigm(sigm, which, type)
  if (type != "model" || !is.null(cluster)) {
    return(other_vcov(object, which, type, cluster))
  }
  fixed <- field(object, "vcov_unscaled") * (if (is.null(sigm)) field(object, "scale") else sigm^2)
  if (which == "fixed") {
    return(fixed)
  }
  random <- varcomp_cov(object, scale)
  if (which == "varcomp") {
    return(random)
  }
  p <- nrow(fixed)
  names <- c(rownames(fixed), rownames(random))
  out <- matrix(0, length(names), length(names), dimnames = list(names, names))
  out[seq_len(p), seq_len(p)] <- fixed
  own <- p + seq_len(nrow(random))
  out[own, own] <- random
  aliased <- is.na(diag(random))
  out[seq_len(p), p + base::which(aliased)] <- NA
  out[p + base::which(aliased), seq_len(p)] <- NA
  out
}

check_sigm <- function(sigm, which, type) {
  if (is.null(sigm)) {
    return(invisible())
  }
  if (!is_number(sigm) || sigm < 0 || which != "fixed" || type != "model") {
    abort("argument", paste0(
      "`sigm` must be a number that is not negative, for which = \"fixed\" and type = \"model\"; found ", describe(sigm), "."
    ), argument = "sigm")
  }
}

# What other packages give to every model, `complete`, `correlation` and
# `use.hessian`, is passed over.
check_vcov_dots <- function(dots) {
  dots <- as.list(dots)
  known <- c("complete", "correlation", "use.hessian")
  dots <- dots[!pmatch(names(dots) %||% rep("", length(dots)), known, nomatch = 0L, duplicates.ok = TRUE)]
  if (length(dots)) {
    check_no_dots(dots, setdiff(names(formals(vcov.mixedlm)), "..."))
  }
}

# Covariances of the fixed effects other than the model's own.
other_vcov <- function(fit, which, type, cluster) {
  robust <- type %in% names(robust_types)
  if (!robust && !is.null(cluster)) {
    abort("argument", paste0(
      "`cluster` belongs to a robust covariance: give `type` too, as in type = \"CR2\"."
    ), argument = "cluster")
  }
  if (which != "fixed") {
    abort("argument", paste0(
      "A covariance of type = \"", type, "\" is there for the fixed effects only, ",
      "not for which = \"", which, "\"."
    ), argument = "type")
  }
  if (robust) robust_cov(fit, type, cluster) else inference_basis(fit, "kenward-roger")$vcov
}

# The elements of Psi that the model has: data frame with term, row, column and
# `free`, the place in hessian_psi (NA: held).
psi_elements <- function(fit) {
  random <- field(fit, "random")
  parts <- lapply(seq_along(random), function(k) {
    q <- length(random[[k]]$columns)
    at <- switch(random[[k]]$structure,
      unstructured = base::which(lower.tri(diag(q), diag = TRUE), arr.ind = TRUE),
      diagonal = cbind(seq_len(q), seq_len(q)),
      scalar = cbind(1L, 1L)
    )
    data.frame(term = k, row = at[, 1L], column = at[, 2L])
  })
  out <- do.call(rbind, parts)
  out$psi <- vapply(seq_len(nrow(out)), function(i) {
    field(fit, "psi")[[out$term[i]]][out$row[i], out$column[i]]
  }, 0)
  out$free <- free_places(fit, out)
  out
}

# Place of every element in hessian_psi, NA for those that `free` holds.
free_places <- function(fit, elements) {
  masks <- lapply(field(fit, "random"), function(term) {
    term$free %||% rep(TRUE, packed_length(term))
  })
  mask <- unlist(masks)
  if (nrow(as.matrix(field(fit, "hessian_psi"))) == length(mask)) {
    return(ifelse(mask, seq_along(mask), NA_integer_))
  }
  ifelse(mask, cumsum(mask), NA_integer_)
}

# Which free elements lie on the boundary of the parameter space. A variance
# counts as zero when it is less than a millionth of its standard error would be
# in the quadratic approximation, which is free of units.
boundary_elements <- function(fit, elements, tol = 1e-6) {
  curvature <- diag(as.matrix(field(fit, "hessian_psi")))
  weight <- sqrt(abs(curvature[elements$free]))
  weight[is.na(weight)] <- 0
  at_zero <- elements$row == elements$column & elements$psi * weight < tol &
    !is.na(elements$free)
  out <- at_zero
  unstructured <- vapply(field(fit, "random"), function(t) t$structure == "unstructured", NA)
  for (k in which(unstructured)) {
    own <- elements$term == k
    zero <- elements$row[own & (at_zero | (elements$psi == 0 & elements$row == elements$column))]
    out[own] <- elements$row[own] %in% zero | elements$column[own] %in% zero
    rest <- setdiff(elements$row[own], zero)
    psi <- field(fit, "psi")[[k]][rest, rest, drop = FALSE]
    if (length(rest) > 1L && min_correlation_eigenvalue(psi) < 1e-8) {
      out[own] <- TRUE
    }
  }
  out & !is.na(elements$free)
}

# Smallest eigenvalue of the correlation matrix of `psi`.
min_correlation_eigenvalue <- function(psi) {
  s <- sqrt(diag(psi))
  if (any(s == 0)) {
    return(0)
  }
  min(eigen(psi / tcrossprod(s), symmetric = TRUE, only.values = TRUE)$values)
}

# 2 H^-1 with NA where `use` is FALSE, or everywhere when H is singular.
inverse_information <- function(hessian, use) {
  out <- matrix(NA_real_, nrow(hessian), ncol(hessian))
  if (any(use)) {
    h <- hessian[use, use, drop = FALSE]
    out[use, use] <- tryCatch(2 * solve_scaled(h), error = function(e) NA_real_)
  }
  out
}

# Inverse of a symmetric matrix whose rows may have very different units.
solve_scaled <- function(h) {
  s <- sqrt(abs(diag(h)))
  s[s == 0] <- 1
  solve(h / tcrossprod(s)) / tcrossprod(s)
}

# The inverse of a covariance of fixed effects.
information_of <- function(cov) {
  tryCatch(solve_scaled(cov), error = function(e) abort_alike())
}

abort_alike <- function() {
  abort("numerical", "The fixed effects cannot be told apart in double precision.")
}

# Exact covariance of (Psi, log sigma^2), all elements of psi_elements() and at last
# log sigma^2, which has no unit and so no square that leaves the range of numbers; NA
# on the boundary, and everywhere where there is no curvature.
relative_cov <- function(fit, elements) {
  m <- nrow(elements)
  if (verdict(fit) %in% c("flat", "saddle") || !has_curvature(fit, elements)) {
    return(matrix(NA_real_, m + 1L, m + 1L))
  }
  denominator <- field(fit, "denominator")
  c_psi <- psi_cov(fit, elements)
  d <- spread(field(fit, "dr2_psi"), elements) / denominator / field(fit, "scale")
  joint_cov(c_psi, d, !is.na(diag(c_psi)), denominator)
}

# Whether the curvature is within the range of doubles: with a predictor of size
# 1e80 the second derivative in its variance is not.
has_curvature <- function(fit, elements) {
  hessian <- as.matrix(field(fit, "hessian_psi"))
  size <- abs(diag(hessian)[elements$free])
  lost <- elements$row == elements$column & elements$psi > 0 & size < .Machine$double.xmin
  all(is.finite(hessian)) && !any(lost, na.rm = TRUE)
}

# A vector over the free elements as one over all elements, zero where held.
spread <- function(x, elements) {
  if (length(x) == nrow(elements)) {
    return(x)
  }
  out <- x[elements$free]
  out[is.na(out)] <- 0
  out
}

# Covariance of all elements of Psi along the profile over sigma^2; NA for those
# on the boundary and those that are held.
psi_cov <- function(fit, elements) {
  hessian <- as.matrix(field(fit, "hessian_psi"))
  on_boundary <- boundary_elements(fit, elements)
  held <- is.na(elements$free)
  if (any(held) && nrow(hessian) == nrow(elements)) {
    return(psi_cov_held(fit, elements, hessian, on_boundary))
  }
  out <- matrix(NA_real_, nrow(elements), nrow(elements))
  use <- !on_boundary & !held
  place <- elements$free[use]
  inside <- rep(FALSE, nrow(hessian))
  inside[place] <- TRUE
  out[use, use] <- inverse_information(hessian, inside)[place, place]
  out
}

# With some elements of the Cholesky factors held, the rest of them are the
# parameters.
psi_cov_held <- function(fit, elements, hessian, on_boundary) {
  use <- !on_boundary & !is.na(elements$free)
  change <- cholesky_change(fit, elements, hessian)
  c_theta <- inverse_information(change$hessian, use)
  c_theta[is.na(c_theta)] <- 0
  out <- change$jacobian %*% c_theta %*% t(change$jacobian)
  unknown <- diag(out) <= 0 | (on_boundary & !is.na(elements$free))
  out[unknown, ] <- NA
  out[, unknown] <- NA
  out
}

# From Psi to its Cholesky factor, Psi = Lambda Lambda': J, the derivatives of the
# elements of Psi in those of Lambda (the same places), and the Hessian
# J'HJ + 2 (G (x) I).
cholesky_change <- function(fit, elements, hessian) {
  m <- nrow(elements)
  jacobian <- matrix(0, m, m)
  bend <- matrix(0, m, m)
  for (a in seq_len(m)) {
    k <- elements$term[a]
    own <- which(elements$term == k)
    lambda <- field(fit, "theta")[[k]]
    step <- matrix(0, nrow(lambda), nrow(lambda))
    step[elements$row[a], elements$column[a]] <- 1
    change <- tcrossprod(step, lambda)
    change <- change + t(change)
    jacobian[own, a] <- change[cbind(elements$row[own], elements$column[own])]
    gradient <- as.matrix(field(fit, "gradient")[[k]])
    if (field(fit, "random")[[k]]$structure == "scalar") {
      # one variance for all columns
      bend[a, a] <- 2 * sum(diag(gradient))
      next
    }
    for (b in own[elements$column[own] == elements$column[a]]) {
      bend[a, b] <- 2 * gradient[elements$row[a], elements$row[b]]
    }
  }
  list(jacobian = jacobian, hessian = crossprod(jacobian, hessian %*% jacobian) + bend)
}

# Covariance of (Psi, log sigma^2) from that of Psi along the profile, on which d are
# the derivatives of log sigma^2.
joint_cov <- function(c_psi, d, use, denominator) {
  m <- length(d)
  out <- matrix(NA_real_, m + 1L, m + 1L)
  out[seq_len(m), seq_len(m)] <- c_psi
  own <- c_psi[use, use, drop = FALSE]
  cross <- drop(own %*% d[use])
  out[base::which(use), m + 1L] <- cross
  out[m + 1L, base::which(use)] <- cross
  out[m + 1L, m + 1L] <- 2 / denominator + sum(d[use] * cross)
  out
}

# J cov J' where rows of cov that are NA stay NA and count as held elsewhere.
propagate <- function(jacobian, cov) {
  unknown <- is.na(diag(cov))
  filled <- cov
  filled[unknown, ] <- 0
  filled[, unknown] <- 0
  out <- jacobian %*% filled %*% t(jacobian)
  out[unknown, ] <- NA
  out[, unknown] <- NA
  out
}
