# The development tasks of the package; 'make' alone lists them.
# Installing the package needs none of this: R CMD INSTALL does it.

SHELL = /bin/sh
TASKS = tools/make

.PHONY: help demo test bench dist install wrappers document authors clean faults

help:
	@echo "make demo       install what is missing, install the package, run the models of the README"
	@echo "make test       install what is missing, check and test the Rust and the R code"
	@echo "make bench      install what is missing, install the package, run bench/ (an hour)"
	@echo "make install    install the package into R's library"
	@echo "make dist       build dist/mixedlm_<version>.tar.gz with all crates inside"
	@echo "make wrappers   write R/extendr-wrappers.R from the Rust crate"
	@echo "make document   write man/ and NAMESPACE from the comments in R/"
	@echo "make authors    write inst/AUTHORS from the crates"
	@echo "make clean      remove everything that was built"
	@echo "make faults     inject faults where R meets Rust (half an hour)"

demo:
	@sh $(TASKS)/demo.sh

test:
	@sh $(TASKS)/test.sh

bench:
	@sh $(TASKS)/bench.sh

install:
	@sh $(TASKS)/install.sh

dist:
	@sh $(TASKS)/dist.sh

wrappers:
	@sh $(TASKS)/wrappers.sh

document:
	@Rscript --vanilla $(TASKS)/document.R

authors:
	@sh $(TASKS)/authors.sh

clean:
	rm -rf .make dist src/rust/target src/rust/vendor
	sh ./cleanup

faults:
	@sh $(TASKS)/faults.sh
