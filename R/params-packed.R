# Parameters as one vector and back, statsmodels' get_packed() and from_packed().

#' Parameters in one vector
#'
#' `get_packed()` writes [mixedlm_params()] as one vector, `from_packed()` reads them from one, as
#' the methods of statsmodels' `MixedLMParams` do; `params_of()` gives the parameters of a fit.
#'
#' @param params (`mixedlm_params`) parameters.
#' @param use_sqrt (`logical(1)`) whether the vector has the Cholesky factor of `cov_re` and the
#'   square roots of `vcomp` instead of them.
#' @param has_fe (`logical(1)`) whether the vector has the fixed effects.
#' @param packed (`numeric`) the vector: fixed effects, the lower triangle of `cov_re` (or of its
#'   factor) row by row, `vcomp`.
#' @param k_fe,k_re (`integer(1)`) number of fixed effects, and of random effects of one group.
#' @param fit (`mixedlm`) a fit.
#'
#' @return `get_packed()`: a numeric vector; so does `as.numeric()`, with fixed effects and without roots.
#'   `from_packed()`: an object of class `mixedlm_params`; fixed effects that are not in the vector are zero.
#'   `params_of()`: the same, with covariances relative to `scale` and components by name. The
#'   vector that it packs to is `fit$params`, except for models that statsmodels does not have: with terms of slopes on
#'   inner or crossed factors, `fit$params` lists these last.
#' @section Errors: `mixedlm_error_params` for vectors of another length, and for what is not
#'   a set of parameters.
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' packed <- get_packed(params_of(fit), use_sqrt = TRUE)
#' from_packed(packed, k_fe = 2, k_re = 2, use_sqrt = TRUE)
get_packed <- function(params, use_sqrt = FALSE, has_fe = FALSE) {
  check_params_object(params)
  check_packing(use_sqrt, has_fe)
  cov_re <- params$cov_re
  vcomp <- params$vcomp
  if (use_sqrt) {
    cov_re <- if (!is.null(cov_re)) params_cholesky(cov_re)
    vcomp <- if (!is.null(vcomp)) sqrt(vcomp)
  }
  # t(): the upper triangle by columns is the lower one by rows
  triangle <- if (length(cov_re)) t(cov_re)[upper.tri(cov_re, diag = TRUE)]
  as.double(c(if (has_fe) params$fe_params, triangle, vcomp))
}

#' @rdname get_packed
#' @export
from_packed <- function(packed, k_fe, k_re, use_sqrt = FALSE, has_fe = FALSE) {
  check_packing(use_sqrt, has_fe)
  k_fe <- check_size(k_fe, "k_fe")
  k_re <- check_size(k_re, "k_re")
  packed <- params_vector(packed, "packed")
  size <- k_re * (k_re + 1L) / 2L
  before <- if (has_fe) k_fe else 0L
  if (length(packed) < before + size) {
    abort("params", paste0(
      "`packed` must have ", before + size, " values or more (", before, " fixed effects, ", size,
      " elements of `cov_re`, then variance components), not ", length(packed), "."
    ), argument = "packed")
  }
  fe <- if (has_fe) packed[seq_len(k_fe)] else numeric(k_fe)
  triangle <- packed[before + seq_len(size)]
  rest <- packed[-seq_len(before + size)]
  if (before + size == 0L) {
    rest <- packed
  }
  read_packed(fe, if (k_re > 0L) from_triangle(triangle, k_re), unname(rest), use_sqrt)
}

#' @rdname get_packed
#' @export
params_of <- function(fit) {
  if (!inherits(fit, "mixedlm")) {
    abort("object", paste0("`fit` must be a fit of mixedlm(), not ", describe(fit), "."), argument = "fit")
  }
  random <- field(fit, "random")
  vcomp <- field(fit, "vcomp") / field(fit, "scale")
  other <- has_role(random, "other")
  blocks <- c(list(as.matrix(field(fit, "cov_re_unscaled"))), lapply(other, function(k) {
    names <- random[[k]]$columns
    matrix(field(fit, "psi")[[k]], length(names), dimnames = list(names, names))
  }))
  cov_re <- block_matrix(Filter(length, blocks))
  mixedlm_params(
    field(fit, "fe_params"), cov_re,
    if (length(vcomp)) vcomp[order(names(vcomp), method = "radix")]
  )
}

#' @export
as.double.mixedlm_params <- function(x, ...) get_packed(x, has_fe = TRUE)

# --- parts ------------------------------------------------------------------

check_params_object <- function(params) {
  if (!inherits(params, "mixedlm_params")) {
    abort("params", paste0(
      "`params` must be made by mixedlm_params(), not ", describe(params), "."
    ), argument = "params")
  }
}

check_packing <- function(use_sqrt, has_fe) {
  for (flag in c("use_sqrt", "has_fe")) {
    if (!is_flag(get(flag))) {
      abort("argument", paste0(
        "`", flag, "` must be TRUE or FALSE; found ", describe(get(flag)), "."
      ), argument = flag)
    }
  }
}

check_size <- function(k, argument) {
  if (!is_number(k) || k < 0 || k != round(k) || k > 10000) {
    abort("argument", paste0(
      "`", argument, "` must be a whole number from 0 to 10000; found ", describe(k), "."
    ), argument = argument)
  }
  as.integer(k)
}

params_cholesky <- function(cov_re) {
  if (max(abs(cov_re - t(cov_re)), 0) > 1e-8 * max(abs(cov_re), 0)) {
    abort("params", "`cov_re` must be symmetric.", argument = "params")
  }
  tryCatch(semidefinite_cholesky(unname(cov_re)), mixedlm_error_start = function(e) {
    abort("params", "`cov_re` must be positive semidefinite to have a root.", argument = "params")
  })
}

# A lower-triangular matrix from its elements row by row.
from_triangle <- function(values, q) {
  out <- matrix(0, q, q)
  out[upper.tri(out, diag = TRUE)] <- values
  t(out)
}

symmetric_from <- function(l, use_sqrt) {
  if (use_sqrt) {
    return(tcrossprod(l))
  }
  l[upper.tri(l)] <- t(l)[upper.tri(l)]
  l
}

read_packed <- function(fe, triangle, vcomp, use_sqrt) {
  mixedlm_params(
    fe, if (!is.null(triangle)) symmetric_from(triangle, use_sqrt),
    if (length(vcomp)) (if (use_sqrt) vcomp^2 else vcomp)
  )
}

block_matrix <- function(blocks) {
  if (length(blocks) < 2L) {
    return(if (length(blocks)) blocks[[1L]])
  }
  names <- unlist(lapply(blocks, rownames))
  out <- matrix(0, length(names), length(names), dimnames = list(names, names))
  end <- 0L
  for (b in blocks) {
    at <- end + seq_len(nrow(b))
    out[at, at] <- b
    end <- end + nrow(b)
  }
  out
}

# The vector `packed`, ordered as fit$params with or without the fixed effects, as parameters of the model of
# `fit`.
params_from <- function(packed, fit, use_sqrt) {
  if (!is.numeric(packed) || is.object(packed) || !is.null(dim(packed))) {
    abort("params", paste0(
      "`params` must be made by mixedlm_params(), or a packed vector, not ", describe(packed), "."
    ), argument = "params")
  }
  packed <- params_vector(packed, "params")
  rows <- varcomp_rows(fit, all_pairs = TRUE, sort_components = TRUE)
  k_fe <- length(field(fit, "fe_params"))
  if (!length(packed) %in% (nrow(rows) + c(0L, k_fe))) {
    abort("params", paste0(
      "`params` must have ", nrow(rows), " values (", quote_names(rows$label), "), or ", nrow(rows) + k_fe,
      " with the fixed effects, not ", length(packed), "."
    ), argument = "params")
  }
  has_fe <- length(packed) > nrow(rows)
  fe <- if (has_fe) unname(packed[seq_len(k_fe)])
  values <- unname(if (has_fe) packed[-seq_len(k_fe)] else packed)
  random <- field(fit, "random")
  q <- sum(lengths(lapply(random[has_role(random, "cov_re")], `[[`, "columns")))
  inner <- q * (q + 1L) / 2L
  blocks <- list(symmetric_from(from_triangle(values[seq_len(inner)], q), use_sqrt))
  for (k in has_role(random, "other")) {
    l <- diag(0, length(random[[k]]$columns))
    own <- which(rows$term == k)
    l[cbind(rows$row, rows$column)[own, , drop = FALSE]] <- values[own]
    blocks <- c(blocks, list(symmetric_from(l, use_sqrt)))
  }
  blocks <- lapply(Filter(length, blocks), function(b) {
    dimnames(b) <- list(seq_len(nrow(b)), seq_len(nrow(b)))
    b
  })
  components <- has_role(random, "vcomp")
  vcomp <- values[match(components, rows$term)]
  mixedlm_params(fe, block_matrix(blocks), if (length(vcomp)) (if (use_sqrt) vcomp^2 else vcomp))
}
