//! Likelihood profiles, as in Bates and others (2015, section 5.1): each parameter held at values around its estimate, the
//! deviance minimised over all others.
//!
//! A parameter is a standard deviation or correlation of random effects, sigma, or a fixed effect. Its profile is
//! `zeta(c) = sign(c - estimate) sqrt(D(c) - D)`, with D(c) the least deviance (ML) with the parameter at c. The data are
//! reduced once. [`joint`] has the deviance with exact derivatives in all variance parameters, [`path`] holds one of them,
//! [`inner`] minimises over the others, [`mod@walk`] goes from point to point and [`look`] sees whether other minima are lower: the derivative of D(c) is that of the deviance
//! itself (the others being at their minimum), so that the next step and the interpolation between points are known.
//!
//! Vignette "The algorithm": Eq. Profile.

mod inner;
mod interpolate;
pub mod joint;
mod look;
pub mod path;
mod report;
mod walk;

use std::sync::atomic::AtomicBool;

use crate::covstruct::Structure;
use crate::design::{Design, Estimation};
use crate::engine::choose;
use crate::error::{Error, Result};
use crate::fit::{fit_engine, threads_for, Options};
use crate::objective::Observer;
use crate::parallel::Workers;
use crate::verdict::Verdict;

use joint::Joint;
pub use path::Parameter;
use path::{is_restricted, Path};
use walk::Walk;
pub use walk::{End, Point, Settings};

/// What to profile.
#[derive(Debug, Clone)]
pub struct Request {
    /// The standard deviations and correlations of the model; sigma and the fixed effects (kept columns) follow.
    pub elements: Vec<Parameter>,
    /// Which of all these to profile.
    pub which: Vec<usize>,
    /// How.
    pub settings: Settings,
}

/// What became of one parameter.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A profile: its points in ascending order, and how the lower and upper side ended.
    Profile {
        /// The points.
        points: Vec<Point>,
        /// The ends.
        ends: [End; 2],
    },
    /// Elements of the parameter's term are held.
    Held,
    /// A correlation with an effect that does not vary.
    Undefined,
}

/// Profiles of a model.
#[derive(Debug, Clone)]
pub struct Profiles {
    /// The parameters at the ML optimum.
    pub estimates: Vec<f64>,
    /// The deviance there.
    pub deviance: f64,
    /// What the ML fit reached.
    pub verdict: Verdict,
    /// In the order of the request.
    pub outcomes: Vec<Outcome>,
    /// Evaluations of the deviance.
    pub evaluations: usize,
}

/// Fit by ML, from `options.start` where it is given, and profile.
///
/// # Errors
/// As [`crate::fit()`]; [`Error::InvalidInput`] (`"profile"`) where there is no such parameter.
pub fn profiles(
    design: &Design<'_>,
    options: &Options,
    request: &Request,
    stop: &AtomicBool,
    observer: Option<Observer<'_>>,
) -> Result<Profiles> {
    let mut options = options.clone();
    options.estimation = Estimation::Ml;
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let mut engine = choose(design, options.making(), &workers)?;
    let fit = fit_engine(design, engine.as_mut(), &options, observer)?;
    let lambda = &fit.estimates.lambda;
    let free: Vec<Vec<bool>> = design.terms.iter().map(|t| t.free.clone()).collect();
    check(design, request, fit.kept.len())?;
    let tau = 0.5 * (engine.root().r2 / engine.denominator()).ln();
    let mut joint = Joint::new(engine.as_mut(), lambda, observer)?;
    let mut all = Profiles {
        estimates: Vec::new(),
        deviance: fit.estimates.value.criterion,
        verdict: fit.certificate.verdict,
        outcomes: Vec::new(),
        evaluations: fit.evaluations,
    };
    all.estimates = {
        let path = Path::new(&joint, Parameter::Sigma, lambda, &free)?;
        let full = start(&path, tau);
        walk(&mut joint, path, request).estimates(&full)?
    };
    let sigma = request.elements.len();
    for place in &request.which {
        let parameter = match request.elements.get(*place) {
            Some(element) => *element,
            None if *place == sigma => Parameter::Sigma,
            None => Parameter::Effect(place - sigma - 1),
        };
        if is_restricted(parameter, joint.engine.shapes(), &free) {
            all.outcomes.push(Outcome::Held);
            continue;
        }
        let path = Path::new(&joint, parameter, lambda, &free)?;
        let full = start(&path, tau);
        let lowest = joint.value(&path.coordinates, &full)?;
        let (effect, estimate) = match parameter {
            Parameter::Effect(j) => (Some(units_of_effect(&joint, j)), fit.estimates.beta[j]),
            _ => (None, f64::NAN),
        };
        let (u, x) = path.split(&full, estimate);
        let Some(u) = u else {
            all.outcomes.push(Outcome::Undefined);
            continue;
        };
        let mut walk = walk(&mut joint, path, request);
        (walk.lowest, walk.place, walk.effect) = (lowest, *place, effect);
        let (points, ends) = walk.run(u, x)?;
        all.outcomes.push(Outcome::Profile { points, ends });
    }
    all.evaluations += joint.evaluations;
    Ok(all)
}

/// A fixed effect, and `(factor, shift)` with `c (engine) = factor (c (user) - shift)`.
fn units_of_effect(joint: &Joint<'_>, j: usize) -> (usize, f64, f64) {
    let frame = joint.engine.frame();
    let (scaling, column) = (&frame.scaling, frame.kept[j]);
    let shift = scaling.shift * scaling.constant[column];
    (j, scaling.x[column] / scaling.y, shift)
}

/// The full parameters at the optimum.
fn start(path: &Path, tau: f64) -> Vec<f64> {
    let mut full = path.coordinates.start();
    full.push(tau);
    full
}

fn walk<'j, 'e>(joint: &'j mut Joint<'e>, path: Path, request: &'j Request) -> Walk<'j, 'e> {
    Walk {
        joint,
        path,
        elements: &request.elements,
        settings: request.settings,
        lowest: f64::INFINITY,
        place: 0,
        plateau: None,
        correction: Vec::new(),
        effect: None,
    }
}

/// The request against the model.
fn check(design: &Design<'_>, request: &Request, effects: usize) -> Result<()> {
    let known = |parameter: &Parameter| match parameter {
        Parameter::Sd { term, column } => design.terms.get(*term).is_some_and(|t| *column < t.columns.len()),
        Parameter::Correlation {
            term,
            columns: (a, b),
        } => design
            .terms
            .get(*term)
            .is_some_and(|t| t.structure == Structure::Unstructured && *b < *a && *a < t.columns.len()),
        Parameter::Sigma | Parameter::Effect(_) => false,
    };
    let count = request.elements.len() + 1 + effects;
    if !request.elements.iter().all(known) || request.which.iter().any(|w| *w >= count) {
        return Err(Error::invalid("profile", "there is no such parameter"));
    }
    let s = &request.settings;
    if !(s.cutoff > 0.0 && s.delta > 0.0 && s.cutoff.is_finite()) {
        return Err(Error::invalid(
            "profile",
            "the cut-off and the distance of points must be positive",
        ));
    }
    Ok(())
}
