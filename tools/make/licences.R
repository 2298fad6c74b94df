# Judges the licences of the crates that are compiled into the package, where they come
# from, which of them are there twice, and whether inst/AUTHORS names them:
#   Rscript tools/make/licences.R <list of crates> <Cargo.lock> [<list of allowed licences>]
# The list of crates has a line '<name> v<version> | <SPDX expression>' for each, as
# cargo tree writes it; '/' between licences is an old way of writing OR.
args <- commandArgs(trailingOnly = TRUE)
listed <- unique(sub(" \\(proc-macro\\)", "", readLines(args[1])))
fields <- strsplit(listed, " *[|] *")
crates <- data.frame(
  name = sub(" .*", "", vapply(fields, `[`, "", 1L)),
  version = sub("^[^ ]+ v([^ ]+).*", "\\1", vapply(fields, `[`, "", 1L)),
  licence = trimws(vapply(fields, `[`, "", 2L))
)
crates <- crates[order(crates$name, crates$version, method = "radix"), ]
rules_file <- if (length(args) > 2L) args[3] else "tools/make/allowed-licences"
rules <- trimws(sub("#.*", "", readLines(rules_file)))
twice_allowed <- sub("^twice +", "", grep("^twice ", rules, value = TRUE))
allowed <- rules[nzchar(rules) & !grepl("^twice ", rules)]

# An expression is accepted when the licences that are allowed make it true.
accepted <- function(expression) {
  if (is.na(expression) || !nzchar(expression)) {
    return(FALSE)
  }
  expression <- gsub("/", " OR ", expression, fixed = TRUE)
  expression <- gsub(" +WITH +", "_WITH_", expression)
  tokens <- regmatches(expression, gregexpr("[()]|[^ ()]+", expression))[[1]]
  values <- vapply(tokens, function(token) {
    switch(token,
      "(" = "(", ")" = ")", OR = "||", AND = "&&",
      if (gsub("_WITH_", " WITH ", token, fixed = TRUE) %in% allowed) "TRUE" else "FALSE"
    )
  }, "")
  isTRUE(tryCatch(eval(parse(text = paste(values, collapse = " "))), error = function(e) FALSE))
}

# The lock file's sources: the public registry (and our own crates, which have none).
lock <- readLines(args[2])
sources <- unique(sub('^source = "(.*)"$', "\\1", grep("^source = ", lock, value = TRUE)))
foreign <- grep("^registry\\+", sources, value = TRUE, invert = TRUE)
packages <- sum(lock == "[[package]]")
sums <- sum(startsWith(lock, "checksum = "))

refused <- crates[!vapply(crates$licence, accepted, NA), ]
versions <- table(crates$name)
twice <- setdiff(names(versions)[versions > 1L], twice_allowed)
problems <- c(
  sprintf("%s %s: the licence '%s' is not in %s", refused$name, refused$version, refused$licence, rules_file)[nrow(refused) > 0L],
  sprintf("%s is compiled in several versions; if it must be, say so in %s", twice, rules_file)[length(twice) > 0L],
  sprintf("Cargo.lock takes a crate from %s, not from the registry", foreign)[length(foreign) > 0L],
  if (packages - sums != 2L) sprintf("Cargo.lock has %d packages without checksum, expected our own 2", packages - sums)
)
authors <- grep("^[A-Za-z0-9_-]+ [0-9][^ ]*$", readLines("inst/AUTHORS"), value = TRUE)
compiled <- setdiff(paste(crates$name, crates$version), grep("^mixedlm", paste(crates$name, crates$version), value = TRUE))
if (!setequal(authors, compiled)) {
  problems <- c(problems, "inst/AUTHORS is not that of these crates: run 'make authors'")
}
if (nrow(crates) < 10L) {
  problems <- c(problems, "the list of crates is too short to be true")
}
if (length(problems)) {
  writeLines(paste0("   ", problems))
  quit(status = 1L)
}
cat(sprintf("   %d crates, %d licence expressions, all allowed\n", nrow(crates), length(unique(crates$licence))))
