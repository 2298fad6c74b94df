# The package, and the generator that it shares with its tests.
suppressPackageStartupMessages(library(mixedlm))
for (file in list.files("tests/testthat/fuzz", pattern = "[.]R$", full.names = TRUE)) {
  source(file, encoding = "UTF-8")
}
