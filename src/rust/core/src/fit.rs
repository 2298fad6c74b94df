//! All the way: from a design to estimates and a certificate.

use std::sync::atomic::AtomicBool;

use crate::design::{Design, Estimation};
use crate::em::em_step;
use crate::error::{Error, Result};
use crate::estimates::{estimates, to_engine, Estimates};
use crate::grouped::Grouped;
use crate::objective::{Objective, Observer};
use crate::optimizer::{Method, Settings};
use crate::parallel::Workers;
use crate::params::Coordinates;
use crate::reduction::{reduce, Reduced};
use crate::verdict::{minimise_and_certify, Certificate};

/// What to fit and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// ML or REML.
    pub estimation: Estimation,
    /// The optimiser.
    pub settings: Settings,
    /// Per term the packed elements of Lambda (user's units) to start from.
    pub start: Option<Vec<Vec<f64>>>,
    /// Columns of X whose remaining norm falls below this times their norm are aliased.
    pub rank_tolerance: f64,
    /// Threads.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            estimation: Estimation::Reml,
            settings: Settings::default(),
            start: None,
            rank_tolerance: 1e-7,
            threads: 1,
        }
    }
}

/// A fitted model.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Estimates in the user's units.
    pub estimates: Estimates,
    /// What was reached.
    pub certificate: Certificate,
    /// The columns of X that are not aliased.
    pub kept: Vec<usize>,
    /// Evaluations of the criterion.
    pub evaluations: usize,
    /// Sum of the logarithms of the weights.
    pub log_weights: f64,
}

/// Fit a model.
///
/// # Errors
/// [`Error::InvalidInput`] for data or models that cannot be fitted, [`Error::Interrupted`] when `stop` becomes true.
pub fn fit(design: &Design<'_>, options: &Options, stop: &AtomicBool, observer: Option<Observer<'_>>) -> Result<Fit> {
    design.check()?;
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let reduced = reduce(design, options.rank_tolerance, &workers)?;
    fit_reduced(design, reduced, options, &workers, observer)
}

/// Threads cost more than they bring on small data.
fn threads_for(design: &Design<'_>, threads: usize) -> usize {
    if design.n() < 30_000 {
        1
    } else {
        threads
    }
}

/// Fit a model whose data were reduced before.
///
/// # Errors
/// As [`fit`].
pub fn fit_reduced(
    design: &Design<'_>,
    reduced: Reduced,
    options: &Options,
    workers: &Workers<'_>,
    observer: Option<Observer<'_>>,
) -> Result<Fit> {
    let mut engine = Grouped::new(design, reduced, options.estimation, workers)?;
    let start = match &options.start {
        Some(packed) => Some(to_engine(&engine, &unpack(design, packed)?)),
        None => None,
    };
    let free: Vec<Vec<bool>> = design.terms.iter().map(|t| t.free.clone()).collect();
    let coordinates = {
        use crate::criterion::Criterion;
        Coordinates::new(engine.shapes(), &engine.reduced().gram, &free, start.as_deref())?
    };
    let (certificate, evaluations) = {
        let objective = Objective::new(&mut engine, &coordinates, observer);
        let mut x = coordinates.start();
        if start.is_none() && options.settings.method != Method::Em {
            for _ in 0..options.settings.em_steps {
                x = em_step(&objective, &x)?;
            }
        }
        let certificate = minimise_and_certify(&objective, x, &options.settings)?;
        (certificate, objective.evaluations())
    };
    let estimates = estimates(&mut engine, &coordinates.lambda(&certificate.x))?;
    Ok(Fit {
        estimates,
        certificate,
        kept: engine.reduced().kept.clone(),
        evaluations,
        log_weights: engine.reduced().log_weights,
    })
}

/// Per term Lambda from packed elements.
///
/// # Errors
/// [`Error::InvalidInput`] (`"start"`) for wrong lengths or values that are not finite.
pub fn unpack(design: &Design<'_>, packed: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
    if packed.len() != design.terms.len() {
        return Err(Error::invalid("start", "start must have one element per random-effects term"));
    }
    design
        .terms
        .iter()
        .zip(packed)
        .map(|(term, values)| {
            let q = term.columns.len();
            if values.len() != term.structure.packed_len(q) || values.iter().any(|v| !v.is_finite()) {
                return Err(Error::invalid("start", "start has a wrong length or values that are not finite"));
            }
            Ok(term.structure.lambda(q, values))
        })
        .collect()
}
