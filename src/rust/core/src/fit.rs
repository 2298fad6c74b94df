//! All the way: from a design to estimates and a certificate.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::covstruct::Structure;
use crate::design::{Design, Estimation};
use crate::em::em_step;
use crate::engine::{choose, Engine, Kind, Making};
use crate::error::{Error, Result};
use crate::estimates::{conditional_variances_in_user_units, estimates, to_engine, Estimates};
use crate::linalg::{identity, matmul, semidefinite_cholesky, transpose};
use crate::machine::half_of_memory;
use crate::multistart::{look_again, Looks};
use crate::objective::{Objective, Observer};
use crate::optimizer::{Method, Settings};
use crate::parallel::Workers;
use crate::params::Coordinates;
use crate::verdict::{minimise_and_certify, Certificate, Verdict};

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
    /// The most bytes that a model may take.
    pub max_memory: f64,
}

impl Options {
    /// What engines are made with.
    pub(crate) fn making(&self) -> Making {
        Making {
            estimation: self.estimation,
            rank_tolerance: self.rank_tolerance,
            max_memory: self.max_memory,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            estimation: Estimation::Reml,
            settings: Settings::default(),
            start: None,
            rank_tolerance: 1e-7,
            threads: 1,
            max_memory: half_of_memory(),
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
    /// The engine that ran.
    pub kind: Kind,
    /// Evaluations of the criterion.
    pub evaluations: usize,
    /// Sum of the logarithms of the weights.
    pub log_weights: f64,
    /// Seconds that reducing the data took.
    pub reduction_seconds: f64,
    /// Seconds that all evaluations and the optimiser took.
    pub optimisation_seconds: f64,
}

/// Fit a model.
///
/// # Errors
/// [`Error::InvalidInput`] for data or models that cannot be fitted, [`Error::Interrupted`] when `stop` becomes true.
pub fn fit(
    design: &Design<'_>,
    options: &Options,
    stop: &AtomicBool,
    observer: Option<Observer<'_>>,
) -> Result<Fit> {
    let start = Instant::now();
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let mut engine = choose(design, options.making(), &workers)?;
    let reduction_seconds = start.elapsed().as_secs_f64();
    let fit = fit_engine(design, engine.as_mut(), options, observer)?;
    Ok(Fit {
        reduction_seconds,
        ..fit
    })
}

/// How many EM steps come before Newton: they lead away from poor local minima, which few groups may have.
fn em_steps(work: usize) -> usize {
    if work < 20_000 {
        12
    } else {
        3
    }
}

/// Threads cost more than they bring on small data. The design is not checked yet.
pub(crate) fn threads_for(design: &Design<'_>, threads: usize) -> usize {
    let sizes: Vec<f64> = design
        .factors
        .iter()
        .enumerate()
        .map(|(f, factor)| {
            let own = design.terms.iter().filter(|t| t.factor == f);
            factor.levels as f64 * own.map(|t| t.columns.len() as f64).sum::<f64>()
        })
        .collect();
    let effects: f64 = sizes.iter().sum();
    // what is left when the largest factor is eliminated
    let rest = effects - sizes.iter().copied().fold(0.0, f64::max);
    let system = rest * rest * effects;
    if design.n() >= 30_000 || system > 3e7 {
        threads
    } else {
        1
    }
}

/// Fit a model whose data were reduced before.
pub(crate) fn fit_engine(
    design: &Design<'_>,
    engine: &mut dyn Engine,
    options: &Options,
    observer: Option<Observer<'_>>,
) -> Result<Fit> {
    let began = Instant::now();
    let found = search(design, engine, options, Retry::Fresh, observer)?;
    found.estimate(engine, began)
}

/// When other starts are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Not from a start that was given; else as many as the model is worth.
    Fresh,
    /// So many, also from a start that was given.
    Given(Looks),
}

/// Where a search ended.
pub(crate) struct Found {
    /// What was reached.
    pub certificate: Certificate,
    /// Per term Lambda, engine's units.
    pub lambda: Vec<Vec<f64>>,
    /// Evaluations of the criterion.
    pub evaluations: usize,
}

impl Found {
    /// The fit at the end of a search that began at `began`.
    pub fn estimate(self, engine: &mut dyn Engine, began: Instant) -> Result<Fit> {
        Ok(Fit {
            estimates: estimates(engine, &self.lambda)?,
            certificate: self.certificate,
            kept: engine.frame().kept.clone(),
            evaluations: self.evaluations,
            log_weights: engine.frame().log_weights,
            kind: engine.kind(),
            reduction_seconds: 0.0,
            optimisation_seconds: began.elapsed().as_secs_f64(),
        })
    }
}

/// The lowest minimum that can be found of a model whose data were reduced before.
pub(crate) fn search(
    design: &Design<'_>,
    engine: &mut dyn Engine,
    options: &Options,
    retry: Retry,
    observer: Option<Observer<'_>>,
) -> Result<Found> {
    let start = match &options.start {
        Some(packed) => Some(to_engine(engine, &unpack(design, packed)?)?),
        None => None,
    };
    let free: Vec<Vec<bool>> = design.terms.iter().map(|t| t.free.clone()).collect();
    let work = engine.work();
    let effects: usize = engine.shapes().iter().map(|s| s.levels * s.q).sum();
    let crowded = 2 * effects > engine.frame().n;
    let coordinates = Coordinates::new(engine.shapes(), &engine.frame().gram, &free, start.as_deref())?;
    let moments = match start {
        Some(_) => None,
        None => engine.start(),
    };
    let (certificate, lambda, evaluations) = {
        let mut objective = Objective::new(engine, coordinates, observer);
        let mut x = match &moments {
            Some(lambda) => objective.coordinates.from_engine(lambda),
            None => objective.coordinates.start(),
        };
        let (parameters, terms) = (x.len(), design.terms.len());
        if start.is_none() && options.settings.method != Method::Em {
            let steps = if moments.is_some() { 0 } else { em_steps(work) };
            for _ in 0..options.settings.em_steps.unwrap_or(steps) {
                x = em_step(&objective, &x)?;
            }
        }
        let lambda = objective.lambda(&x);
        let first = minimise_and_certify(&mut objective, &lambda, &options.settings)?;
        let looks = match (retry, &options.start) {
            (Retry::Given(looks), _) => Some(looks),
            // from where the user wants to start, and from nowhere else
            (Retry::Fresh, Some(_)) => None,
            (Retry::Fresh, None) => Some(Looks::worth(work, parameters, terms, crowded)),
        };
        let certificate = match looks {
            None => first,
            Some(looks) => look_again(&mut objective, first, &options.settings, looks)?,
        };
        let lambda = objective.to_engine(&certificate.lambda)?;
        (certificate, lambda, objective.evaluations())
    };
    let nowhere = !matches!(certificate.verdict, Verdict::Optimum | Verdict::Boundary);
    if nowhere && engine.fits_exactly()? {
        return Err(Error::invalid(
            "perfect_fit",
            "fixed and random effects fit the response exactly: the likelihood has no maximum",
        ));
    }
    Ok(Found {
        certificate,
        lambda,
        evaluations,
    })
}

/// A relative variance that is held at several values.
#[derive(Debug, Clone)]
pub struct ProfileTarget {
    /// The term.
    pub term: usize,
    /// Its column.
    pub column: usize,
    /// The values of the relative variance (element of Psi).
    pub values: Vec<f64>,
}

/// The best fit with one relative variance held.
#[derive(Debug, Clone)]
pub struct ProfilePoint {
    /// The relative variance.
    pub value: f64,
    /// Residual variance of the fit.
    pub sigma2: f64,
    /// Its criterion.
    pub criterion: f64,
    /// What it reached.
    pub verdict: Verdict,
}

/// Fit once for each value of a relative variance, starting from `options.start`. The column that is held is moved to
/// the front of its term, where its variance is the square of one element of Lambda.
///
/// # Errors
/// As [`fit`]; [`Error::InvalidInput`] (`"profile"`) when there is no such variance or it is restricted already.
pub fn profile(
    design: &Design<'_>,
    options: &Options,
    target: &ProfileTarget,
    stop: &AtomicBool,
    observer: Option<Observer<'_>>,
) -> Result<Vec<ProfilePoint>> {
    let (mut design, mut options) = (design.clone(), options.clone());
    let Some(term) = design
        .terms
        .get_mut(target.term)
        .filter(|t| target.column < t.columns.len())
    else {
        return Err(Error::invalid("profile", "there is no such variance"));
    };
    let q = term.columns.len();
    let held = match term.structure {
        Structure::Diagonal => target.column,
        Structure::Unstructured | Structure::Scalar => 0,
    };
    if term.free.contains(&false) && target.column > 0 && term.structure == Structure::Unstructured {
        return Err(Error::invalid(
            "profile",
            "elements of the covariance are held fixed already",
        ));
    }
    if term.free.is_empty() {
        term.free = vec![true; term.structure.packed_len(q)];
    }
    term.free[held] = false;
    let mut start = options
        .start
        .take()
        .ok_or_else(|| Error::invalid("start", "a profile needs a start"))?;
    if term.structure == Structure::Unstructured && target.column > 0 {
        term.columns.swap(0, target.column);
        start[target.term] = swap_first(&start[target.term], q, target.column);
    }
    let workers = Workers::new(threads_for(&design, options.threads), stop)?;
    let mut engine = choose(&design, options.making(), &workers)?;
    let mut points = Vec::new();
    let columns: Vec<Vec<f64>> = engine.shapes().iter().map(|s| identity(s.q)).collect();
    for value in &target.values {
        // a search may have changed the columns; each begins with the same
        engine.change_columns(&columns)?;
        let mut from = start.clone();
        from[target.term][held] = value.max(0.0).sqrt();
        options.start = Some(from);
        let fit = fit_engine(&design, engine.as_mut(), &options, observer)?;
        points.push(ProfilePoint {
            value: *value,
            sigma2: fit.estimates.sigma2,
            criterion: fit.estimates.value.criterion,
            verdict: fit.certificate.verdict,
        });
    }
    Ok(points)
}

/// The packed factor of `P Psi P'` where P swaps the first column with another one.
fn swap_first(packed: &[f64], q: usize, column: usize) -> Vec<f64> {
    let lambda = Structure::Unstructured.lambda(q, packed);
    let psi = matmul(&lambda, &transpose(&lambda, q, q), q, q, q);
    let place = |i: usize| match i {
        0 => column,
        i if i == column => 0,
        i => i,
    };
    let swapped: Vec<f64> = (0..q * q).map(|k| psi[place(k / q) * q + place(k % q)]).collect();
    Structure::Unstructured.pack(q, &semidefinite_cholesky(&swapped, q, 1e-14))
}

/// The criterion at given parameters, with derivatives in the packed elements of Lambda, and all that is known there.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Estimates of what is profiled out, and derivatives in Psi, in the units of the data.
    pub estimates: Estimates,
    /// Columns of X that were kept.
    pub kept: Vec<usize>,
    /// `sum log w`.
    pub log_weights: f64,
    /// Gradient.
    pub gradient: Vec<f64>,
    /// Hessian, column-major.
    pub hessian: Vec<f64>,
}

/// Evaluate at `options.start`.
///
/// # Errors
/// As [`fit`].
pub fn evaluate(design: &Design<'_>, options: &Options, stop: &AtomicBool) -> Result<Evaluation> {
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let mut engine = choose(design, options.making(), &workers)?;
    let lambda = start_lambda(design, options)?;
    let at = to_engine(engine.as_ref(), &lambda)?;
    let estimates = estimates(engine.as_mut(), &at)?;
    let plain = Coordinates::plain(engine.shapes(), &lambda);
    let x = plain.start();
    Ok(Evaluation {
        gradient: plain.gradient(&x, &estimates.derivatives),
        hessian: plain.hessian(&x, &estimates.derivatives),
        kept: engine.frame().kept.clone(),
        log_weights: engine.frame().log_weights,
        estimates,
    })
}

/// Per term the conditional covariances of the random effects given the data and beta, relative to sigma^2, at
/// `options.start`: `q x q x levels`, column-major.
///
/// # Errors
/// As [`fit`].
pub fn variances(design: &Design<'_>, options: &Options, stop: &AtomicBool) -> Result<Vec<Vec<f64>>> {
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let mut engine = choose(design, options.making(), &workers)?;
    let at = to_engine(engine.as_ref(), &start_lambda(design, options)?)?;
    engine.value(&at)?;
    conditional_variances_in_user_units(engine.as_mut())
}

pub(crate) fn start_lambda(design: &Design<'_>, options: &Options) -> Result<Vec<Vec<f64>>> {
    match &options.start {
        Some(packed) => unpack(design, packed),
        None => Err(Error::invalid("start", "parameters are needed")),
    }
}

/// Per term Lambda from packed elements.
///
/// # Errors
/// [`Error::InvalidInput`] (`"start"`) for wrong lengths or values that are not finite.
pub fn unpack(design: &Design<'_>, packed: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
    if packed.len() != design.terms.len() {
        return Err(Error::invalid(
            "start",
            "start must have one element per random-effects term",
        ));
    }
    design
        .terms
        .iter()
        .zip(packed)
        .map(|(term, values)| {
            let q = term.columns.len();
            if values.len() != term.structure.packed_len(q) || values.iter().any(|v| !v.is_finite()) {
                return Err(Error::invalid(
                    "start",
                    "start has a wrong length or values that are not finite",
                ));
            }
            Ok(term.structure.lambda(q, values))
        })
        .collect()
}
