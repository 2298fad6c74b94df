# Lists the crates that are compiled into the package, with authors and licences:
#   Rscript tools/make/authors.R <vendor folder> <list of needed crates> <output>
args <- commandArgs(trailingOnly = TRUE)
vendor <- args[1]
needed <- unique(sub(" .*", "", readLines(args[2])))
crates <- sort(intersect(needed, list.files(vendor)), method = "radix")

# the [package] section of a manifest that cargo has normalised
read_manifest <- function(crate) {
  lines <- readLines(file.path(vendor, crate, "Cargo.toml"), encoding = "UTF-8", warn = FALSE)
  start <- match("[package]", lines)
  sections <- grep("^\\[", lines)
  end <- min(c(sections[sections > start], length(lines) + 1L)) - 1L
  paste(lines[start:end], collapse = "\n")
}

field <- function(manifest, name) {
  pattern <- paste0("(^|\n)", name, " = (\\[[^]]*\\]|\"[^\"]*\")")
  found <- regmatches(manifest, regexpr(pattern, manifest))
  if (length(found) == 0L) {
    return(character())
  }
  gsub("\"", "", regmatches(found, gregexpr("\"[^\"]*\"", found))[[1]])
}

# names only: addresses are of no use here
clean_names <- function(authors) {
  sort(unique(trimws(sub("<[^>]*>", "", authors))), method = "radix")
}

entry <- function(crate) {
  manifest <- read_manifest(crate)
  authors <- clean_names(field(manifest, "authors"))
  if (length(authors) == 0L) {
    authors <- sprintf("The %s developers", field(manifest, "name"))
  }
  licence <- c(field(manifest, "license"), field(manifest, "license-file"))[1]
  c(
    sprintf("%s %s", field(manifest, "name"), field(manifest, "version")),
    strwrap(paste("Authors:", paste(authors, collapse = ", ")), 78, indent = 2, exdent = 4),
    strwrap(paste("License:", gsub("/", " OR ", licence, fixed = TRUE)), 78, indent = 2, exdent = 4),
    ""
  )
}

text <- c(
  "The library of this package contains compiled code of the Rust crates below.",
  "Their sources, with the texts of their licences, are in the source package",
  "(src/rust/vendor.tar.xz). This list is written by `make authors`.",
  "",
  unlist(lapply(crates, entry))
)
writeLines(text[-length(text)], con <- file(args[3], "w", encoding = "UTF-8"))
close(con)
