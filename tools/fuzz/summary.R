# Counts of a log by outcome, and every finding with the line that replays it.
arguments <- commandArgs(trailingOnly = TRUE)
files <- arguments[-1L]
lines <- unlist(lapply(files, readLines, encoding = "UTF-8"))
parts <- strsplit(lines[!grepl("^(begin|end)\t", lines)], "\t", fixed = TRUE)
parts <- lapply(parts, function(x) c(x, rep("", 8L))[1:8])
rows <- as.data.frame(do.call(rbind, parts))
names(rows) <- c("seed", "step", "call", "outcome", "class", "message", "seconds", "finding")
rows$finding <- rows$finding == "TRUE"
what <- ifelse(rows$step %in% c("fit", "lme4", "case"), rows$step, "method")

say <- function(...) writeLines(paste0(...), out)
out <- file(arguments[1L], open = "wt", encoding = "UTF-8")
say("cases: ", length(unique(rows$seed)), ", from seed ", min(as.integer(rows$seed)), "; calls: ", nrow(rows[what != "lme4", ]))
say("findings: ", sum(rows$finding), " in ", length(unique(rows$seed[rows$finding])), " cases")
counts <- as.data.frame(table(what, outcome = rows$outcome), stringsAsFactors = FALSE)
counts <- counts[counts$Freq > 0, ]
for (i in order(counts$what, -counts$Freq)) say(sprintf("  %-8s %-22s %7d", counts$what[i], counts$outcome[i], counts$Freq[i]))

say("\nclassed errors of the package, by class:")
errors <- sort(table(rows$class[rows$outcome == "classed error"]), decreasing = TRUE)
for (name in names(errors)) say(sprintf("  %-32s %6d", name, errors[[name]]))

say("\nmodels that lme4 fits and mixedlm refuses, by class:")
refused <- rows[rows$outcome == "refused", ]
for (class in unique(refused$class)) {
  these <- refused[refused$class == class, ]
  say("  ", class, ": ", nrow(these), ", e.g. fuzz_case(", these$seed[1L], "): ", substr(these$message[1L], 1L, 120L))
}

say("\nfindings:")
for (i in which(rows$finding)) {
  say("  fuzz_case(", rows$seed[i], ") | ", rows$step[i], " | ", rows$outcome[i], " | ", rows$message[i], " | ", rows$call[i])
}

# Texts without the names and numbers in them, one example each.
say("\nerror messages, one of each kind:")
classed <- rows[rows$outcome == "classed error", ]
kind <- paste(classed$class, gsub("`[^`]*`|[0-9.e+-]+", "#", sub("(; found|, not) .*$", "", classed$message)))
for (i in which(!duplicated(kind))[order(classed$class[!duplicated(kind)])]) {
  say("  ", classed$class[i], " | ", classed$seed[i], " | ", classed$message[i])
}
close(out)
quit(status = as.integer(any(rows$finding)))
