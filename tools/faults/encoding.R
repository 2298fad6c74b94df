# Names and levels in any encoding, odd options and surroundings: the numbers are the same.
# Rscript tools/faults/encoding.R

source("tools/faults/common.R")
d <- border_data()
wanted <- unname(fixef(mixedlm(y ~ x + (1 | s), d)))
numbers <- function(fit) isTRUE(all.equal(unname(fixef(fit)), wanted, tolerance = 1e-12))
attempt <- function(code) tryCatch(code, error = function(e) structure(FALSE, said = paste(class(e)[1L], conditionMessage(e))))
said <- function(ok) substr(paste0("", attr(ok, "said")), 1L, 150L)
check <- function(name, code) {
  ok <- attempt(code)
  experiment(name, ok, said(ok))
}

# --- names --------------------------------------------------------------------------
names_of <- list(
  utf8 = "\u00e4\u00df\u4e16", latin1 = iconv("\u00e4\u00f6", "UTF-8", "latin1"), percent = "a%s%n%d", backslash = "a\\b\\n",
  long = strrep("v", 9000L), quote = "a`b\"c'd", brace = "{x}", newline = "a\nb"
)
for (kind in names(names_of)) {
  name <- names_of[[kind]]
  check(paste("a column called", kind), {
    e <- d
    names(e)[names(e) == "x"] <- name
    f <- stats::as.formula(substitute(y ~ v + (1 | s), list(v = as.name(name))))
    fit <- suppressWarnings(mixedlm(f, e))
    utils::capture.output(print(fit), print(summary(fit)), print(tidy(fit)))
    numbers(fit)
  })
  check(paste("a group called", kind), {
    e <- d
    names(e)[names(e) == "s"] <- name
    f <- stats::as.formula(substitute(y ~ x + (1 | v), list(v = as.name(name))))
    fit <- mixedlm(f, e)
    utils::capture.output(print(fit), print(summary(fit)), ranef(fit))
    numbers(fit)
  })
}
levels_of <- c(
  "\u00e4", iconv("\u00f6", "UTF-8", "latin1"), "%s%n", "\\x", strrep("l", 1e5), ""
)
check("levels of all encodings", {
  e <- d
  e$s <- levels_of[e$s]
  fit <- mixedlm(y ~ x + (1 | s), e)
  utils::capture.output(print(summary(fit)), print(fit))
  numbers(fit) && nrow(ranef(fit)[[1L]]) == 6L
})
check("levels as bytes", {
  e <- d
  e$s <- c(`Encoding<-`("\xe4", "bytes"), letters[1:5])[e$s]
  r <- tryCatch(numbers(mixedlm(y ~ x + (1 | s), e)), mixedlm_error = function(e) TRUE)
  r
})
check("an error about a name with % and \\", {
  e <- d
  names(e)[1L] <- "a%s\\n"
  m <- tryCatch(mixedlm(y ~ `a%s%n` + (1 | s), e), mixedlm_error = conditionMessage)
  is.character(m) && grepl("%s%n", m, fixed = TRUE)
})

# --- options --------------------------------------------------------------------------
text <- function() {
  fit <- mixedlm(y ~ x + (x | s), d)
  list(fixef(fit), vcov(fit), bootstrap(fit, 3, seed = 1)$t)
}
before <- text()
for (set in list(
  list(warn = 2), list(digits = 3), list(digits = 22), list(OutDec = ","), list(scipen = 100), list(scipen = -100),
  list(stringsAsFactors = TRUE), list(na.action = "na.fail"), list(width = 10), list(encoding = "latin1"), list(expressions = 500),
  list(warnPartialMatchDollar = TRUE, warnPartialMatchArgs = TRUE, warnPartialMatchAttr = TRUE, warn = 2)
)) {
  old <- suppressWarnings(options(set))
  check(paste0("options(", paste(names(set), unlist(set), sep = " = ", collapse = ", "), ")"), {
    same <- identical(text(), before)
    fit <- mixedlm(y ~ x + (1 | s), d)
    utils::capture.output(print(fit), print(summary(fit)), print(anova(fit)), print(confint(fit)))
    same
  })
  options(old)
}
for (kind in list(
  list("Wichmann-Hill", "Ahrens-Dieter", "Rounding"), list("Knuth-TAOCP-2002", "Box-Muller", "Rejection"),
  list("L'Ecuyer-CMRG", "Kinderman-Ramage", "Rejection")
)) {
  check(paste("RNGkind", toString(kind)), {
    old <- suppressWarnings(do.call(RNGkind, kind))
    set.seed(3)
    seed <- .Random.seed
    same <- identical(text(), before) && identical(seed, .Random.seed)
    suppressWarnings(do.call(RNGkind, as.list(old)))
    same
  })
}

# --- surroundings ---------------------------------------------------------------------
line <- "library(mixedlm); f <- mixedlm(Weight ~ Time, dietox, groups = 'Pig'); print(summary(f)); cat('SCALE', format(f$scale, digits = 6), '\\n')"
script <- tempfile(fileext = ".R")
writeLines(line, script)
run <- function(command) {
  out <- suppressWarnings(system(paste(command, "2>&1"), intern = TRUE))
  ok <- any(grepl("SCALE 11[.,]3669", out))
  if (ok) TRUE else structure(FALSE, said = paste(utils::tail(out, 2L), collapse = " "))
}
r <- file.path(R.home("bin"), "R")
rscript <- file.path(R.home("bin"), "Rscript")
Sys.setenv(R_LIBS = paste(.libPaths(), collapse = ":"))
check("LC_ALL=C", run(paste("LC_ALL=C", rscript, script)))
check("LC_ALL=POSIX, LANGUAGE=de", run(paste("LC_ALL=POSIX LANGUAGE=de", rscript, script)))
check("no HOME", run(paste("env -u HOME", rscript, script)))
check("HOME that is not there", run(paste("env HOME=/nowhere", rscript, script)))
check("no environment but libraries", run(sprintf("env -i R_LIBS=%s %s %s", shQuote(Sys.getenv("R_LIBS")), rscript, script)))
check("TMPDIR that is not there", run(paste("env TMPDIR=/nowhere", rscript, script)))
folder <- tempfile("read-only")
dir.create(folder)
Sys.chmod(folder, "555")
check("a working directory that cannot be written", run(sprintf("cd %s && %s %s", folder, rscript, script)))
check("R CMD BATCH", {
  out <- tempfile()
  system(sprintf("%s CMD BATCH --vanilla %s %s", r, script, out))
  any(grepl("SCALE 11.3669", readLines(out)))
})
check("R -e, standard input closed", run(sprintf("%s --no-save --no-echo -e %s < /dev/null", r, shQuote(line))))
check("standard error closed", run(sprintf("sh -c '%s %s 2>&-'", rscript, script)))
finish()
