# Grouping factors as integer codes 1..L and their labels. The labels and their
# order are those of factor(), which are lme4's; nothing n-long is ever turned
# into strings.

# A variable -> list(codes, levels): codes without gaps, so unused levels go.
code_factor <- function(v, name) {
  check_group_vector(v, name)
  coded <- if (is.factor(v)) {
    compact_codes(as.integer(v), levels(v))
  } else if (is.object(v)) {
    code_by_value(v)
  } else if (is.character(v)) {
    code_by_value(v)
  } else if (is.double(v)) {
    code_double(v)
  } else {
    code_integer(as.integer(v), if (is.logical(v)) as.logical else identity)
  }
  if (anyNA(coded$codes)) {
    abort("missing", paste0(
      "The grouping variable ", quote_names(name), " has missing values that ",
      "`na.action` left in place."
    ), argument = "na.action")
  }
  coded
}

check_group_vector <- function(v, name) {
  if (!is.null(dim(v)) || is.list(v) || !is.atomic(v) || is.complex(v) || is.raw(v)) {
    abort("groups", paste0(
      "The grouping variable ", quote_names(name), " must be a vector or a ",
      "factor, not ", describe(v), "."
    ), argument = "groups")
  }
  text <- if (is.factor(v)) levels(v) else if (is.character(v)) v
  if (any(Encoding(text %||% "") == "bytes")) {
    abort("groups", paste0(
      "The grouping variable ", quote_names(name), " has values that are bytes without an encoding; ",
      "iconv() gives them one."
    ), argument = "groups")
  }
}

# Integers: a table over their range when that is not much longer than the
# vector itself, else by value.
code_integer <- function(v, label = identity) {
  from <- suppressWarnings(min(v, na.rm = TRUE))
  to <- suppressWarnings(max(v, na.rm = TRUE))
  if (!is.finite(from)) {
    return(list(codes = v, levels = character()))
  }
  span <- as.double(to) - from + 1
  if (span > 4 * length(v) + 1000) {
    u <- sort.int(unique(v))
    return(list(codes = match(v, u), levels = as.character(label(u))))
  }
  if (from != 1L) {
    v <- v - (from - 1L)
  }
  coded <- compact_codes(v, NULL, as.integer(span))
  coded$levels <- as.character(label(coded$levels + (from - 1L)))
  coded
}

# Doubles that are whole numbers go the way of integers; their labels are those
# of doubles ("1e+05").
code_double <- function(v) {
  r <- suppressWarnings(range(v, na.rm = TRUE))
  if (all(is.finite(r)) && r[1L] > -.Machine$integer.max &&
    r[2L] < .Machine$integer.max && r[2L] - r[1L] <= 4 * length(v) + 1000) {
    whole <- as.integer(v)
    if (isTRUE(all(whole == v, na.rm = TRUE))) {
      return(code_integer(whole, as.double))
    }
  }
  code_by_value(v)
}

code_by_value <- function(v) {
  u <- unique(v)
  u <- sort(u)
  label <- as.character(u)
  codes <- match(v, u)
  if (anyDuplicated(label)) {
    first <- unique(label)
    codes <- match(label, first)[codes]
    label <- first
  }
  list(codes = codes, levels = label)
}

# Codes 1..K, some of them absent -> codes 1..L, all present. Without labels
# the levels are the old codes.
compact_codes <- function(codes, labels, k = length(labels)) {
  present <- tabulate(codes, k) > 0L
  if (all(present)) {
    return(list(codes = codes, levels = if (is.null(labels)) seq_len(k) else labels))
  }
  new <- integer(k)
  kept <- which(present)
  new[kept] <- seq_along(kept)
  list(codes = new[codes], levels = if (is.null(labels)) kept else labels[kept])
}

# The interaction of two coded factors: the combinations that occur, the first
# factor slowest, labelled "b:a".
cross_factors <- function(a, b) {
  if (length(b$levels) == 1L || length(a$levels) == 1L) {
    codes <- if (length(b$levels) == 1L) a$codes else b$codes
    return(list(codes = codes, levels = paste(a$levels, b$levels, sep = ":")))
  }
  k <- as.double(length(a$levels)) * length(b$levels)
  n_b <- length(b$levels)
  if (k <= min(4 * length(a$codes) + 1000, .Machine$integer.max)) {
    coded <- compact_codes((a$codes - 1L) * n_b + b$codes, NULL, as.integer(k))
    key <- coded$levels
    codes <- coded$codes
  } else {
    all_keys <- (a$codes - 1) * n_b + b$codes
    key <- sort.int(unique(all_keys))
    codes <- match(all_keys, key)
  }
  i <- (key - 1) %/% n_b + 1
  j <- (key - 1) %% n_b + 1
  list(codes = codes, levels = paste(a$levels[i], b$levels[j], sep = ":"))
}

# A grouping expression -> list(name, codes, levels); each variable and each
# interaction is coded once. `made` is an environment that remembers them.
make_factor <- function(group, frame, made) {
  group <- strip_parens(group)
  name <- var_name(group)
  found <- made[[name]]
  if (!is.null(found)) {
    return(found)
  }
  if (is.call(group) && call_name(group) == ":" && length(group) == 3L) {
    coded <- cross_factors(
      make_factor(group[[2L]], frame, made),
      make_factor(group[[3L]], frame, made)
    )
  } else {
    coded <- code_factor(.subset2(frame, name), name)
  }
  # groups given as a vector have statsmodels' name
  shown <- if (identical(group, groups_symbol)) "Group" else name
  factor <- list(name = shown, codes = coded$codes, levels = coded$levels)
  assign(name, factor, envir = made)
  factor
}

# All rows in one group: variance components without `groups`.
single_factor <- function(n) {
  list(name = "(all)", codes = rep.int(1L, n), levels = "all")
}

# Position of a factor's values within the groups, 1 for the first level that
# occurs in a group. Used where statsmodels codes a factor group by group.
rank_within <- function(coded, group) {
  pair <- cross_factors(group, coded)
  first <- match(seq_along(pair$levels), pair$codes)
  owner <- group$codes[first]
  rank <- seq_along(owner) - match(owner, owner) + 1L
  rank[pair$codes]
}
