# Levels of the grouping factors in new rows: those of the fit by their labels, and
# new ones, which come after them.

# -> per factor NULL (no kept term is on it) or list(codes, levels), see
# prediction_rows(). `own`: the rows are those of the fit.
matched_factors <- function(fit, keep, columns, own, n) {
  factors <- field(fit, "factors")
  out <- vector("list", length(factors))
  of <- vapply(field(fit, "random"), `[[`, 0L, "factor")
  for (k in which(lengths(keep) > 0L)) {
    f <- of[k]
    if (!is.null(out[[f]])) {
      next
    }
    out[[f]] <- if (own) {
      list(codes = factors[[f]]$codes, levels = character())
    } else {
      new_codes(fit, k, columns, n)
    }
  }
  out
}

new_codes <- function(fit, k, columns, n) {
  known <- field(fit, "factors")[[field(fit, "random")[[k]]$factor]]$levels
  how <- grouping_of(fit, k)
  frame <- field(fit, "frame")
  parts <- lapply(c(how$inner, how$group), match_group, frame = frame, columns = columns)
  matched <- if (!length(parts)) {
    list(codes = rep.int(1L, n), levels = "all", known = 1L)
  } else if (length(parts) == 2L && parts[[2L]]$known > 1L) {
    match_pairs(parts[[1L]], parts[[2L]])
  } else {
    parts[[1L]]
  }
  if (matched$known != length(known)) {
    abort("bug", paste0(
      "The levels of ", quote_names(field(fit, "random")[[k]]$group), " are not those of the fit. Please report this."
    ))
  }
  list(codes = matched$codes, levels = matched$levels[-seq_along(known)])
}

# A grouping expression in new rows: codes, labels of all levels, how many of them
# are the fit's (`known`), and a function that gives the codes in the fit.
match_group <- function(expr, frame, columns) {
  expr <- strip_parens(expr)
  if (is.call(expr) && call_name(expr) == ":" && length(expr) == 3L) {
    return(match_pairs(
      match_group(expr[[2L]], frame, columns), match_group(expr[[3L]], frame, columns)
    ))
  }
  name <- var_name(expr)
  match_values(.subset2(frame, name), columns[[name]], name)
}

match_values <- function(reference, v, name) {
  check_group_vector(v, name)
  coded <- code_factor(reference, name)
  labels <- as.character(coded$levels)
  numbers <- is.numeric(reference) || is.numeric(v)
  if (is.factor(v)) {
    values <- levels(v)
    index <- as.integer(v)
    values[tabulate(index, length(values)) == 0L] <- NA
  } else if (is.character(v) && numbers) {
    values <- unique(v[!is.na(v)])
    index <- match(v, values)
  } else if (is.character(v)) {
    codes <- match(v, labels)
    unknown <- unique(v[is.na(codes) & !is.na(v)])
    codes[is.na(codes)] <- match(v[is.na(codes)], unknown) + length(labels)
    return(list(
      codes = codes, levels = c(labels, unknown), known = length(labels), fit_codes = function() coded$codes
    ))
  } else {
    # whole numbers have the labels of the type that the fit saw
    if (is.double(reference) && is.integer(v) && !is.object(v)) {
      v <- as.double(v)
    } else if (is.integer(reference) && is.double(v) && !is.object(reference) && !is.object(v) &&
      all(v == round(v) & abs(v) < 2^31, na.rm = TRUE)) {
      v <- as.integer(v)
    }
    unique <- unique(v)
    unique <- unique[!is.na(unique)]
    values <- as.character(unique)
    index <- match(v, unique)
  }
  if (numbers) {
    values <- same_numbers(values, labels)
  }
  unknown <- unique(values[!is.na(values) & !values %in% labels])
  labels <- c(labels, unknown)
  list(
    codes = match(values, labels)[index], levels = labels, known = length(labels) - length(unknown),
    fit_codes = function() coded$codes
  )
}

# Values that are no label get the one that writes the same number in another way: 1e+05, 100000.
same_numbers <- function(values, labels) {
  other <- which(!is.na(values) & !values %in% labels)
  number <- suppressWarnings(as.double(values[other]))
  other <- other[!is.na(number)]
  if (!length(other)) {
    return(values)
  }
  number <- number[!is.na(number)]
  short <- as.character(number)
  long <- vapply(number, format, "", scientific = FALSE, digits = 15L)
  values[other] <- ifelse(
    values[other] == long & short %in% labels, short,
    ifelse(values[other] == short & long %in% labels, long, values[other])
  )
  values
}

# The combinations of two factors, the first slowest, as cross_factors() has them.
match_pairs <- function(a, b) {
  size <- length(b$levels)
  key <- function(i, j) (i - 1) * size + j
  of_fit <- key(a$fit_codes(), b$fit_codes())
  known <- sort.int(unique(of_fit))
  of_rows <- key(a$codes, b$codes)
  codes <- match(of_rows, known)
  unmatched <- is.na(codes) & !is.na(of_rows)
  new <- sort.int(unique(of_rows[unmatched]))
  codes[unmatched] <- match(of_rows[unmatched], new) + length(known)
  all <- c(known, new)
  list(
    codes = codes, known = length(known),
    levels = paste(a$levels[(all - 1) %/% size + 1], b$levels[(all - 1) %% size + 1], sep = ":", recycle0 = TRUE),
    fit_codes = function() match(of_fit, known)
  )
}

# New and unknown levels where they are not allowed.
check_known_levels <- function(fit, found, argument) {
  for (f in which(lengths(found$factors) > 0L)) {
    factor <- field(fit, "factors")[[f]]
    of <- found$factors[[f]]
    if (anyNA(of$codes)) {
      abort("missing", paste0(
        "The grouping factor ", quote_names(factor$name), " has missing values in `", argument, "`; with ",
        "allow.new.levels = TRUE such rows are predicted as rows of a new level are."
      ), argument = argument, variable = factor$name)
    }
    if (length(of$levels)) {
      abort("new_levels", paste0(
        "The grouping factor ", quote_names(factor$name), " has the level ", quote_names(of$levels), " in `", argument,
        "`, which it had not in the fit. Use allow.new.levels = TRUE to predict them as the average level, or ",
        "`condition_on` for data of theirs."
      ), argument = argument, variable = factor$name, levels = of$levels)
    }
  }
}

# A factor whose levels are counted within each group: those of the fit have their
# places; new ones take the next.
rank_new <- function(fit, k, name, found, allow.new.levels, argument) {
  if (is_removed(fit)) {
    abort_removed()
  }
  f <- field(fit, "random")[[k]]$factor
  group <- field(fit, "factors")[[f]]
  reference <- .subset2(field(fit, "frame"), name)
  own <- code_factor(reference, name)
  rank <- rank_within(own, group)
  new <- match_values(reference, found$columns[[name]], name)
  size <- length(new$levels)
  key <- function(g, i) (g - 1) * size + i
  rows <- key(found$factors[[f]]$codes, new$codes)
  out <- rank[match(rows, key(group$codes, own$codes))]
  unmatched <- is.na(out) & !is.na(rows)
  if (any(unmatched)) {
    if (!allow.new.levels) {
      abort("new_levels", paste0(
        "The factor ", quote_names(name), " has the level ", quote_names(unique(new$levels[new$codes[unmatched]])),
        " in `", argument, "` in a group that had not this level in the fit. Use allow.new.levels = TRUE to ",
        "predict it as the average level."
      ), argument = argument, variable = name)
    }
    pairs <- sort.int(unique(rows[unmatched]))
    owner <- (pairs - 1) %/% size + 1
    taken <- rep.int(0L, max(owner, length(group$levels)))
    taken[seq_along(group$levels)] <- as.integer(tapply(rank, group$codes, max))
    next_rank <- taken[owner] + seq_along(owner) - match(owner, owner) + 1L
    if (max(next_rank) > max(rank)) {
      newdata_error(argument,
        "The factor ", quote_names(name), " has ", max(next_rank), " levels in one group of `", argument,
        "`; the fit has no more than ", max(rank), " in any.", variable = name
      )
    }
    out[unmatched] <- next_rank[match(rows[unmatched], pairs)]
  }
  structure(factor(out, levels = seq_len(max(rank))), contrasts = "contr.treatment")
}
