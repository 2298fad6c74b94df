library(testthat)
library(mixedlm)

# The check reporter ends with a line of counts that `make test` adds up.
test_check("mixedlm", reporter = "check")
