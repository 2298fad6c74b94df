//! Properties of the core on random models of all structures, against a dense oracle.
//!
//! Every property has its share of the cases, told where it is checked: 100 in all for the largest, or as many as the
//! environment variable `PROPTEST_CASES` says. `PROPTEST_RNG_SEED` draws other models; the default is the same in every run. A
//! property that fails is told with the simplest model that fails it; `PROPERTIES_TELL` tells of other minima, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod criterion;
mod fits;
mod found;
mod garbage;
mod inference;
mod invariance;
mod oracle;
mod runs;
