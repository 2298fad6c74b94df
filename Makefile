# The development tasks of the package; 'make' alone lists them.
# Installing the package needs none of this: R CMD INSTALL does it.

SHELL = /bin/sh
TASKS = tools/make

.PHONY: help demo test bench dist install wrappers document map authors clean site check-cran check-debian13 fuzz faults

help:
	@echo "make demo            install what is missing, install the package, run the models of the README"
	@echo "make test            install what is missing, check and test the Rust and the R code"
	@echo "make install         install the package into R's library"
	@echo "make dist            build dist/mixedlm_<version>.tar.gz with all crates inside"
	@echo "make site            make a web site of the manual in dist/site (needs pkgdown)"
	@echo "make clean           remove everything that was built"
	@echo
	@echo "make check-cran      R CMD check --as-cran of the tarball, without network"
	@echo "make check-debian13  build and check in a Debian 13 made by debootstrap (root, 20 minutes)"
	@echo "make fuzz            run random models and calls, N=10000 from SEED=1 (about an hour)"
	@echo "make faults          inject faults where R meets Rust (half an hour)"
	@echo "make bench           run bench/ (over an hour; QUICK=1: minutes)"
	@echo
	@echo "make wrappers        write R/extendr-wrappers.R from the Rust crate"
	@echo "make document        write man/ and NAMESPACE from the comments in R/"
	@echo "make map             write the purposes of the files into ARCHITECTURE.md"
	@echo "make authors         write inst/AUTHORS from the crates"

demo:
	@sh $(TASKS)/demo.sh

test:
	@sh $(TASKS)/test.sh

bench:
	@QUICK=$(QUICK) sh $(TASKS)/bench.sh

install:
	@sh $(TASKS)/install.sh

dist:
	@sh $(TASKS)/dist.sh

wrappers:
	@sh $(TASKS)/wrappers.sh

document:
	@Rscript --vanilla $(TASKS)/document.R

map:
	@Rscript --vanilla $(TASKS)/map.R write

authors:
	@sh $(TASKS)/authors.sh

site:
	@sh $(TASKS)/site.sh

check-cran:
	@sh $(TASKS)/check-cran.sh $(PASS)

check-debian13:
	@sh $(TASKS)/check-debian13.sh

fuzz:
	@N=$(N) SEED=$(SEED) sh $(TASKS)/fuzz.sh

faults:
	@sh $(TASKS)/faults.sh

clean:
	rm -rf .make dist src/rust/target src/rust/vendor
	sh ./cleanup
