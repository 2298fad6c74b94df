//! Properties of the core on random models of all structures, against a dense oracle.
//!
//! `PROPTEST_CASES` multiplies the cases of every property (in hundredths: 100 is the default), `PROPTEST_RNG_SEED` draws
//! others. A property that fails is told with the simplest model that fails it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod criterion;
mod fits;
mod found;
mod garbage;
mod inference;
mod invariance;
mod oracle;
mod runs;
