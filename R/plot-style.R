# How the pictures look: one set of colours and sizes, and what base graphics,
# ggplot2 and lattice need in common.

# Dark blue, dark red and orange differ in lightness as well as in hue, so that
# they are told apart in every kind of colour blindness and in grey.
plot_colours <- c(
  curve = "#2166AC", mark = "#B2182B", atom = "#E08214", atom_text = "#B35806",
  grey = "grey45", line = "grey80", band = "grey88"
)

# Points are the lighter the more there are.
point_alpha <- function(n) {
  if (n <= 200L) 0.75 else if (n <= 1000L) 0.5 else 0.3
}

see_through <- function(colour, alpha) {
  paste0(colour, sprintf("%02X", round(255 * alpha)))
}

# Up to `size` of n places, evenly spread, the first and the last among them.
spread_out <- function(n, size) {
  if (n <= size) seq_len(n) else unique(round(seq(1, n, length.out = size)))
}

# Names that are too long for a picture lose their middle: often only the ends tell them apart.
short_names <- function(x, width = 24L) {
  x <- as.character(x)
  long <- !is.na(x) & nchar(x) > width
  head <- (width - 3L) %/% 2L
  n <- nchar(x[long])
  x[long] <- paste0(substr(x[long], 1L, head), "...", substr(x[long], n - (width - 4L - head), n))
  x
}

percent <- function(level) paste0(format(100 * level, trim = TRUE), " %")

# --- checks -------------------------------------------------------------------

need_package <- function(package, what) {
  if (!requireNamespace(package, quietly = TRUE)) {
    abort("package", paste0(
      what, " needs the package ", quote_names(package), ", which is not installed."
    ), package = package)
  }
}

check_coverage <- function(coverage) {
  if (!is_number(coverage) || coverage <= 0 || coverage >= 1) {
    abort("argument", paste0(
      "`coverage` must be a number between 0 and 1; found ", describe(coverage), "."
    ), argument = "coverage")
  }
}

check_count <- function(n, argument, least = 1L) {
  if (!is_number(n) || n < least || n > 1e9) {
    abort("argument", paste0(
      "`", argument, "` must be a whole number of at least ", least, "; found ", describe(n), "."
    ), argument = argument)
  }
  as.integer(n)
}

# One or several of `choices`.
choose_several <- function(value, choices, argument) {
  unknown <- if (is.character(value) && length(value)) setdiff(value, choices) else NA
  if (!length(unknown)) {
    return(unique(value))
  }
  hint <- if (is.character(unknown)) suggest(unknown[1L], choices) else ""
  abort("argument", paste0(
    "`", argument, "` must be of ", paste0("\"", choices, "\"", collapse = ", "),
    "; found ", describe(if (is.character(unknown)) unknown[1L] else value), ".", hint
  ), argument = argument)
}

# --- base graphics --------------------------------------------------------------

# Rows and columns of k panels.
panel_grid <- function(k) {
  columns <- ceiling(sqrt(k))
  c(ceiling(k / columns), columns)
}

# Draws in a grid of its own, unless the user has laid out one; puts the
# graphical parameters back.
in_panels <- function(k, draw, ...) {
  own <- k > 1L && prod(graphics::par("mfrow")) == 1
  old <- if (own) graphics::par(mfrow = panel_grid(k), ...) else graphics::par(...)
  on.exit(graphics::par(old))
  draw()
}

# A frame without contents, its title at the left.
empty_panel <- function(xlim, ylim, title, xlab, ylab, ...) {
  graphics::plot(xlim, ylim, type = "n", xlab = xlab, ylab = ylab, las = 1L, ...)
  graphics::title(title, adj = 0, cex.main = 1, line = 0.6)
}

# --- ggplot2 ----------------------------------------------------------------------

# Aesthetics from names of columns.
aes_of <- function(...) {
  do.call(ggplot2::aes, lapply(list(...), as.name))
}

theme_pictures <- function() {
  ggplot2::theme_bw() + ggplot2::theme(
    panel.grid.minor = ggplot2::element_blank(),
    panel.grid.major = ggplot2::element_line(colour = "grey93"),
    strip.background = ggplot2::element_rect(fill = "grey95", colour = "grey70"),
    plot.margin = ggplot2::margin(5.5, 11, 5.5, 5.5),
    plot.caption = ggplot2::element_text(colour = plot_colours[["grey"]]),
    legend.position = "top"
  )
}
