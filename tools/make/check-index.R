# Whether _pkgdown.yml lists every help page and every vignette once, and nothing else.
# Read here without pkgdown: an entry is a line '  - <name>' below 'contents:'.
#   Rscript tools/make/check-index.R   (from the repository's root)
lines <- readLines("_pkgdown.yml")
part <- cumsum(grepl("^[a-z]+:", lines))
names(lines) <- sub(":.*", "", lines[match(part, part)])

listed <- function(part) {
  entries <- grep("^  - ", lines[names(lines) == part], value = TRUE)
  unname(trimws(sub("^  - ", "", entries)))
}

# the name by which pkgdown knows a page is that of its file
stems <- function(folder, extension) {
  sub(extension, "", list.files(folder, extension))
}

problems <- character()
compare <- function(entries, files, what) {
  tell <- function(names, text) {
    if (length(names)) {
      problems <<- c(problems, paste0(what, " ", text, ": ", paste(names, collapse = ", ")))
    }
  }
  tell(unique(entries[duplicated(entries)]), "in _pkgdown.yml more than once")
  tell(setdiff(files, entries), "that _pkgdown.yml lacks")
  tell(setdiff(entries, files), "of _pkgdown.yml that are not there")
}
compare(listed("reference"), stems("man", "[.]Rd$"), "help pages")
compare(listed("articles"), stems("vignettes", "[.]Rmd$"), "vignettes")

if (length(problems)) {
  writeLines(paste0("   ", problems))
  quit(status = 1L)
}
