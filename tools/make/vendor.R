# Makes a folder of vendored crates small:
#   Rscript tools/make/vendor.R <vendor folder> <list of needed crates>
# Crates that are not needed keep their manifest, for cargo's resolver, and an
# empty library. The others lose what a build does not read; licence texts stay.
args <- commandArgs(trailingOnly = TRUE)
vendor <- args[1]
needed <- read.table(args[2], fill = TRUE, col.names = c("crate", "features"),
                     colClasses = "character")

keep_always <- "^(cargo[.]toml|licen[cs]e|copying|copyright|notice|authors|unlicense|patents)"
not_built <- c(
  "[.]github", "assets", "bench", "benches", "benchmarks", "ci", "doc", "docs", "etc",
  "examples", "fuzz", "media", "scripts", "test", "test_data", "testdata", "tests", "testing"
)

files_of <- function(crate) {
  list.files(file.path(vendor, crate), recursive = TRUE, all.files = TRUE, no.. = TRUE)
}

# text files that the code includes, as include_str!("../README.md")
included_names <- function(crate) {
  sources <- list.files(file.path(vendor, crate), "[.]rs$", recursive = TRUE, full.names = TRUE)
  lines <- unlist(lapply(sources, readLines, warn = FALSE), use.names = FALSE)
  lines <- grep("include(_str|_bytes)?!", lines, value = TRUE, useBytes = TRUE)
  quoted <- unlist(regmatches(lines, gregexpr("\"[^\"]+\"", lines, useBytes = TRUE)))
  basename(gsub("\"", "", quoted))
}

# a crate with one folder per feature: windows-sys, whose features are
# Win32_System_Threading and the like
without_feature <- function(crate, files) {
  if (!startsWith(crate, "windows-sys-")) {
    return(character())
  }
  features <- strsplit(needed$features[needed$crate == crate], ",", fixed = TRUE)
  modules <- gsub("_", "/", unlist(features), fixed = TRUE)
  keep <- file.path("src/Windows", unique(c(modules, dirname(modules))), "mod.rs")
  grep("^src/Windows/.*/", setdiff(files, keep), value = TRUE)
}

superfluous <- function(crate) {
  files <- files_of(crate)
  top <- sub("/.*", "", files)
  in_folder <- grepl("/", files, fixed = TRUE) &
    grepl(paste0("^(", paste(not_built, collapse = "|"), ")$"), top)
  documents <- grepl("[.](md|markdown|txt|png|jpe?g|svg|gif|html|pdf|ya?ml|orig|lock|py|sh|nix)$",
                     files, ignore.case = TRUE) |
    grepl("^[.]", basename(files))
  kept <- basename(files) == ".cargo-checksum.json" |
    grepl(keep_always, basename(files), ignore.case = TRUE) & !grepl("[.]orig$", files)
  spared <- basename(files) %in% included_names(crate)
  c(files[(in_folder | documents & !spared) & !kept], without_feature(crate, files))
}

# the checksum of the whole crate stays: cargo compares it with Cargo.lock
empty_checksums <- function(crate) {
  path <- file.path(vendor, crate, ".cargo-checksum.json")
  package <- sub('.*"package":"([0-9a-f]+)".*', "\\1", paste(readLines(path, warn = FALSE), collapse = ""))
  writeLines(sprintf('{"files":{},"package":"%s"}', package), path)
}

make_stub <- function(crate) {
  files <- setdiff(files_of(crate), c("Cargo.toml", ".cargo-checksum.json"))
  unlink(file.path(vendor, crate, files))
  dir.create(file.path(vendor, crate, "src"), showWarnings = FALSE)
  file.create(file.path(vendor, crate, "src", "lib.rs"))
}

remove_empty_folders <- function(path) {
  folders <- list.dirs(path, recursive = TRUE)
  for (folder in rev(folders[order(nchar(folders))])) {
    if (length(list.files(folder, all.files = TRUE, no.. = TRUE)) == 0L) {
      unlink(folder, recursive = TRUE)
    }
  }
}

crates <- list.files(vendor)
for (crate in crates) {
  if (crate %in% needed$crate) {
    unlink(file.path(vendor, crate, superfluous(crate)))
  } else {
    make_stub(crate)
  }
  empty_checksums(crate)
}
remove_empty_folders(vendor)
cat(sprintf("   %d crates, %d of them empty stubs\n",
            length(crates), sum(!crates %in% needed$crate)))
