//! Linear mixed models: reduction, profiled criterion with exact derivatives, trust-region Newton and a certificate.
//!
//! # Model and notation
//!
//! `y = X beta + Z b + eps`, `eps ~ N(0, sigma^2 W^-1)`, `b_k ~ N(0, sigma^2 (I (x) Psi_k))` for each random-effects term k.
//!
//! | name | meaning |
//! |---|---|
//! | `n`, `p`, `q` | rows; columns of X; columns of one term |
//! | `beta` | fixed effects |
//! | `b` | random effects, their conditional modes |
//! | `sigma2` | residual variance (for prior weight 1) |
//! | `psi` | `Psi_k`, covariance of one level of term k *relative to sigma^2* |
//! | `lambda` | lower-triangular factor, `Psi = Lambda Lambda'` |
//! | `theta` | the free elements of all Lambda, column-major, term by term |
//! | `v` | `V = I + Z Psi Z'`, covariance of y relative to sigma^2 |
//! | `r2` | generalised residual sum of squares, `(y - X beta)' V^-1 (y - X beta)` |
//! | `N` | denominator: `n` (ML), `n - p` (REML) |
//!
//! The criterion is `-2 l = N log(2 pi r2 / N) + N + log|V| - sum(log w) [+ log|X'V^-1X| for REML]`, profiled over beta and
//! sigma^2 (Bates and others 2015, eqs. 34 and 41).
//!
//! Vignette "The algorithm": Eq. Model.
//!
//! # The way of the data
//!
//! [`design`] -> [`grouping`] -> [`scaling`], [`rank`], [`reader`] -> [`reduction`] -> [`grouped`], or [`crossed`] (each an [`engine::Engine`]) ->
//! [`params`] -> [`em`], [`optimizer`] -> [`verdict`] -> [`multistart`] -> [`estimates`]; [`fit()`] goes all the way.
//! At the estimates: [`mod@inference`], [`mod@robust`], [`mod@prediction`], [`mod@conditional`], [`whitening`]; around them: [`mod@profile`]. [`streams`] -> [`simulate`], [`resample`] ->
//! [`mod@bootstrap`] and [`mod@deletion`] go the same way again with made-up data. [`memory`] looks ahead, [`machine`] at what there is, [`parallel`] divides the work.
//! [`penalized`] puts penalties around an engine.

// the pages of modules are for maintainers, who see private items
#![allow(rustdoc::private_intra_doc_links)]

pub mod bootstrap;
pub mod conditional;
pub mod covstruct;
pub mod criterion;
pub mod crossed;
pub mod deletion;
pub mod design;
pub mod em;
pub mod engine;
pub mod error;
pub mod estimates;
pub mod fit;
pub mod grouped;
pub mod grouping;
pub mod inference;
pub mod linalg;
pub mod machine;
pub mod memory;
pub mod multistart;
pub mod newton;
pub mod objective;
pub mod optimizer;
pub mod parallel;
pub mod params;
pub mod penalized;
pub mod prediction;
pub mod profile;
pub mod rank;
pub mod reader;
pub mod reduction;
pub mod resample;
pub mod robust;
pub mod scaling;
pub mod simulate;
pub mod streams;
pub mod verdict;
pub mod whitening;

pub use error::{Error, Result};
pub use fit::{fit, Fit, Options};
