# Strings such as "2*Time + (Intercept) = 3" -> rows of L and right-hand sides.
#
#   hypotheses: equation { "," equation }
#   equation:   sum { "=" sum }
#   sum:        product { ("+" | "-") product }
#   product:    factor { ("*" | "/") factor }
#   factor:     { "+" | "-" } ( coefficient | number | "(" sum ")" )
#
# Names of coefficients hold these very characters, so a name is looked for first
# wherever an operand may stand, the longest that fits.

# `names`: names of coefficients -> places among all columns (hypothesis_names()).
# -> list(L, rhs, labels, has_rhs), L with one column per place. Names of
# the strings are labels.
parse_hypotheses <- function(text, names) {
  if (!length(text) || anyNA(text)) {
    abort("hypothesis", "`L` has no string, or a missing one.", argument = "L")
  }
  out <- unlist(unname(Map(function(one, label) {
    equations <- parse_one_string(one, names)
    if (nzchar(label) && length(equations) == 1L) {
      equations[[1L]]$label <- label
    }
    equations
  }, text, names(text) %||% rep("", length(text)))), recursive = FALSE)
  list(
    L = do.call(rbind, lapply(out, `[[`, "row")), rhs = vapply(out, `[[`, 0, "rhs"),
    labels = vapply(out, `[[`, "", "label"), has_rhs = any(vapply(out, `[[`, NA, "equation"))
  )
}

# A string may hold several equations: list of list(row, rhs, label, equation).
parse_one_string <- function(text, names) {
  state <- new.env(parent = emptyenv())
  state$text <- text
  state$at <- 1L
  state$names <- names
  state$size <- max(names)
  state$depth <- 0L
  out <- list()
  repeat {
    out <- c(out, parse_equation(state))
    if (!take(state, ",")) {
      break
    }
  }
  out
}

parse_equation <- function(state) {
  sides <- list(parse_sum(state))
  while (take(state, "=")) {
    # `==` is one sign, `= =` is none
    if (identical(substr(state$text, state$at, state$at), "=")) {
      take(state, "=")
    }
    sides[[length(sides) + 1L]] <- parse_sum(state)
  }
  if (nzchar(rest_of(state)) && !startsWith(rest_of(state), ",")) {
    unreadable(state, paste0("an operator, `=` or `,` was expected before `", rest_of(state), "`"))
  }
  equation <- length(sides) > 1L
  if (!equation) {
    sides[[2L]] <- constant(state, 0)
  }
  columns <- names(state$names)[match(seq_len(state$size), state$names)]
  lapply(seq_along(sides)[-1L], function(k) {
    row <- sides[[k - 1L]]$row - sides[[k]]$row
    rhs <- sides[[k]]$value - sides[[k - 1L]]$value
    if (!any(row != 0)) {
      abort("hypothesis", paste0(
        describe(state$text), " in `L` says nothing about a coefficient."
      ), argument = "L")
    }
    if (!all(is.finite(c(row, rhs)))) {
      unreadable(state, "a number is not finite")
    }
    used <- which(row != 0)
    label <- paste(sum_text(row[used], columns[used]), "=", format(rhs, digits = 7L))
    list(row = row, rhs = rhs, label = label, equation = equation)
  })
}

# An operand is list(row, value): row'beta + value.
constant <- function(state, value) list(row = numeric(state$size), value = value)

combine <- function(a, b, times = 1) {
  list(row = a$row + times * b$row, value = a$value + times * b$value)
}

parse_sum <- function(state) {
  out <- parse_product(state)
  repeat {
    if (take(state, "+")) {
      out <- combine(out, parse_product(state))
    } else if (take(state, "-")) {
      out <- combine(out, parse_product(state), -1)
    } else {
      return(out)
    }
  }
}

parse_product <- function(state) {
  out <- parse_factor(state)
  repeat {
    if (take(state, "*")) {
      out <- multiply(state, out, parse_factor(state))
    } else if (take(state, "/")) {
      by <- parse_factor(state)
      if (any(by$row != 0) || by$value == 0) {
        unreadable(state, "only a number other than zero can divide")
      }
      out <- combine(constant(state, 0), out, 1 / by$value)
    } else {
      return(out)
    }
  }
}

multiply <- function(state, a, b) {
  if (any(a$row != 0) && any(b$row != 0)) {
    unreadable(state, "a product of coefficients is not linear")
  }
  if (any(a$row != 0)) combine(constant(state, 0), a, b$value) else combine(constant(state, 0), b, a$value)
}

# Deeper than this nobody writes, and the parser is recursive.
most_nested <- 50L

parse_factor <- function(state) {
  state$depth <- state$depth + 1L
  if (state$depth > most_nested) {
    unreadable(state, "too many parentheses or signs in one another")
  }
  out <- parse_operand(state)
  state$depth <- state$depth - 1L
  out
}

parse_operand <- function(state) {
  place <- take_name(state)
  if (!is.null(place)) {
    return(list(row = replace(numeric(state$size), place, 1), value = 0))
  }
  if (take(state, "-")) {
    return(combine(constant(state, 0), parse_factor(state), -1))
  }
  if (take(state, "+")) {
    return(parse_factor(state))
  }
  if (take(state, "(")) {
    out <- parse_sum(state)
    if (!take(state, ")")) {
      unreadable(state, "`)` was expected")
    }
    return(out)
  }
  value <- take_number(state)
  if (is.null(value)) {
    unknown_operand(state)
  }
  constant(state, value)
}

# --- the text ------------------------------------------------------------------

rest_of <- function(state) trimws(substring(state$text, state$at), "left")

# Moves past `n` characters of the rest, and the blanks before it.
advance <- function(state, n) {
  blanks <- nchar(substring(state$text, state$at)) - nchar(rest_of(state))
  state$at <- state$at + blanks + n
}

take <- function(state, token) {
  if (!startsWith(rest_of(state), token)) {
    return(FALSE)
  }
  advance(state, nchar(token))
  TRUE
}

take_number <- function(state) {
  hit <- regmatches(rest_of(state), regexpr("^([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?", rest_of(state)))
  if (!length(hit)) {
    return(NULL)
  }
  after <- substring(rest_of(state), nchar(hit) + 1L, nchar(hit) + 1L)
  if (is_word(after)) {
    return(NULL)
  }
  advance(state, nchar(hit))
  as.numeric(hit)
}

# The place of the coefficient whose name comes next, or NULL.
take_name <- function(state) {
  rest <- rest_of(state)
  if (startsWith(rest, "`")) {
    quoted <- regmatches(rest, regexpr("^`[^`]*`", rest))
    name <- gsub("`", "", quoted)
    if (length(quoted) && name %in% names(state$names)) {
      advance(state, nchar(quoted))
      return(state$names[[name]])
    }
  }
  known <- names(state$names)
  fits <- known[nzchar(known) & startsWith(rest, known)]
  fits <- fits[order(-nchar(fits))]
  for (name in fits) {
    n <- nchar(name)
    inside <- is_word(substring(name, n, n)) && is_word(substring(rest, n + 1L, n + 1L))
    # a name that reads as a number is one only in backticks
    if (!inside && is.na(suppressWarnings(as.numeric(name)))) {
      advance(state, n)
      return(state$names[[name]])
    }
  }
  NULL
}

# Characters that go on in a name.
is_word <- function(x) grepl("^[[:alnum:]._:]$", x)

unknown_operand <- function(state) {
  rest <- rest_of(state)
  if (!nzchar(rest)) {
    unreadable(state, "it ends where a coefficient or a number was expected")
  }
  word <- sub("`", "", regmatches(rest, regexpr("^`?[^-+*/=, `]+", rest)))
  if (!length(word)) {
    unreadable(state, paste0("a coefficient or a number was expected before `", rest, "`"))
  }
  abort("hypothesis", paste0(
    quote_names(word), " in ", describe(state$text), " is not a coefficient of the fit.",
    suggest(word, names(state$names))
  ), argument = "L", coefficient = word)
}

unreadable <- function(state, why) {
  abort("hypothesis", paste0(
    describe(state$text), " in `L` cannot be read: ", why, "."
  ), argument = "L")
}
