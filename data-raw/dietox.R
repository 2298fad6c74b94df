# Makes data/dietox.rda from the copy of the data in the package geepack
# (version 1.3.9, GPL >= 3; data of Lauridsen, Hojsgaard and Sorensen 1999).
# Run from the root of the package: Rscript data-raw/dietox.R

found <- new.env()
utils::data("dietox", package = "geepack", envir = found)
dietox <- as.data.frame(found$dietox)
attributes(dietox) <- attributes(dietox)[c("names", "row.names", "class")]
row.names(dietox) <- NULL
save(dietox, file = "data/dietox.rda", version = 2, compress = "xz")
