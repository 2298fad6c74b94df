# From growth.csv to growth.md and growth.png; bench/growth.R calls write_growth().

growth_titles <- c(
  `grouped-rows` = "Slopes of 2,000 groups: rows", `grouped-levels` = "Slopes, 10 rows for each group: groups",
  `crossed-rows` = "1,000 x 500 crossed levels: rows",
  `crossed-levels` = "Crossed, 20 rows for each level of u: levels of u"
)
growth_models <- c(
  `grouped-rows` = "`y ~ x + (x | u)`, REML", `grouped-levels` = "`y ~ x + (x | u)`, REML",
  `crossed-rows` = "`y ~ x + (1 | u) + (1 | v)`, ML; v has half the levels of u",
  `crossed-levels` = "`y ~ x + (1 | u) + (1 | v)`, ML; v has half the levels of u"
)
program_looks <- data.frame(
  program = c("mixedlm", "lmer", "lm"), label = c("mixedlm", "lmer", "lm, fixed effects only"),
  colour = c("#0072B2", "#D55E00", "#666666"), point = c(19, 17, 15)
)

# What grows in a series: rows or levels.
grows <- function(name) if (endsWith(name, "-rows")) "rows" else "levels"

# The power with which `y` grows with `x`, over the larger half of the sizes, three at least: the
# smaller ones have the constant cost of a call in them.
power <- function(x, y) {
  large <- utils::tail(order(x), max(3L, ceiling(length(x) / 2)))
  if (length(x) < 3L || anyNA(y[large])) {
    return(NA_real_)
  }
  stats::coef(stats::lm(log(y[large]) ~ log(x[large])))[[2L]]
}

powers <- function(table, column = "seconds") {
  vapply(program_looks$program, function(program) {
    rows <- table[table$program == program, ]
    if (nrow(rows)) power(rows[[grows(rows$series[[1L]])]], rows[[column]]) else NA_real_
  }, 0)
}

# Powers of ten that a logarithmic axis shows, as people write them.
tens <- function(range) 10^seq(floor(log10(range[[1L]])), ceiling(log10(range[[2L]])))
plain <- function(x) ifelse(x >= 1e6, paste(x / 1e6, "M"), format(x, big.mark = ",", scientific = FALSE, trim = TRUE))
seconds_label <- function(x) ifelse(x < 1, paste(format(1000 * x, trim = TRUE, drop0trailing = TRUE), "ms"), paste(x, "s"))

panel <- function(table, name, seconds) {
  table <- table[table$series == name, ]
  x <- grows(name)
  graphics::plot(
    range(table[[x]]), seconds, type = "n", log = "xy", axes = FALSE, xlab = "", ylab = "",
    main = growth_titles[[name]], cex.main = 1.05, font.main = 1
  )
  graphics::title(xlab = paste("number of", x), line = 2.1)
  graphics::title(ylab = "time of the call", line = 3.9)
  across <- tens(range(table[[x]]))
  up <- tens(seconds)
  graphics::abline(h = up, v = across, col = "grey90")
  graphics::axis(1L, across, vapply(across, plain, ""), lwd = 0, lwd.ticks = 1)
  graphics::axis(2L, up, vapply(up, seconds_label, ""), las = 1L, lwd = 0, lwd.ticks = 1)
  graphics::box(col = "grey60")
  found <- powers(table)
  for (i in seq_len(nrow(program_looks))) {
    look <- program_looks[i, ]
    rows <- table[table$program == look$program, ]
    graphics::lines(rows[[x]], rows$seconds, type = "o", col = look$colour, pch = look$point, lwd = 2)
  }
  text <- ifelse(is.na(found), "", sprintf(": power %.2f", found))
  shown <- program_looks$program %in% table$program
  graphics::legend(
    "topleft", paste0(program_looks$label, text)[shown], col = program_looks$colour[shown],
    pch = program_looks$point[shown], lwd = 2, bty = "n", cex = 0.95
  )
}

draw_growth <- function(table, file) {
  grDevices::png(file, width = 1800, height = 1500, res = 160)
  on.exit(grDevices::dev.off())
  # room for the legend above the curves
  seconds <- range(table$seconds) * c(1, 20)
  graphics::par(mfrow = c(2, 2), mar = c(3.6, 5.6, 2.5, 1), oma = c(1.5, 0, 0, 0))
  for (name in intersect(names(growth_titles), table$series)) {
    panel(table, name, seconds)
  }
  graphics::mtext(
    "Both axes logarithmic. Powers are fitted to the larger half of the sizes.", 1L, outer = TRUE, cex = 0.8, line = 0.2
  )
}

growth_section <- function(table, name) {
  table <- table[table$series == name, ]
  ours <- table[table$program == "mixedlm", ]
  of <- function(program) table$seconds[match(paste(ours$rows, program), paste(table$rows, table$program))]
  ms <- function(seconds) {
    format(signif(1000 * seconds, 3L), big.mark = ",", scientific = FALSE, trim = TRUE, drop0trailing = TRUE)
  }
  each <- function(x) ifelse(is.na(x), "", vapply(x, ms, ""))
  columns <- data.frame(
    rows = ours$rows, `levels of u` = ours$levels, `mixedlm, ms` = each(ours$seconds), `lmer, ms` = each(of("lmer")),
    `lm, ms` = each(of("lm")), `reduction, ms` = each(ours$reduction_s), evaluations = ours$evaluations,
    `one evaluation, ms` = each(ours$evaluation_s), check.names = FALSE
  )
  if (!anyNA(ours$pairs)) {
    columns <- cbind(columns[1:2], `pairs that occur` = ours$pairs, columns[-(1:2)])
  }
  x <- ours[[grows(name)]]
  found <- c(powers(table), reduction = power(x, ours$reduction_s), `one evaluation` = power(x, ours$evaluation_s))
  found <- found[!is.na(found)]
  found <- paste0(names(found), " ", sprintf("%.2f", found), collapse = ", ")
  c(
    paste("##", growth_titles[[name]]), "", paste0(growth_models[[name]], "."), "", markdown(columns), "",
    paste0("Growth with the ", grows(name), ", as a power, over the larger half of the sizes: ", found, "."), ""
  )
}

write_growth <- function(folder) {
  table <- utils::read.csv(file.path(folder, "growth.csv"))
  draw_growth(table, file.path(folder, "growth.png"))
  run <- readLines(file.path(folder, "growth-machine.txt"))
  lines <- c(
    "# Growth of the time", "", run[[1L]], "",
    "![time against rows and levels](growth.png)", "",
    paste0(
      "The whole call, in one process; medians of 5 fits, of 2 beyond a second, one beyond ten. A program leaves a ",
      "series when the next size would take it longer than ", run[[2L]], " seconds. `reduction` and `one evaluation` are parts of ",
      "mixedlm's call: reading the data, and the criterion with, where the step was accepted, its derivatives."
    ), "",
    unlist(lapply(intersect(names(growth_titles), table$series), function(name) growth_section(table, name)))
  )
  writeLines(lines, file.path(folder, "growth.md"))
  cat(lines, sep = "\n")
}
