//! The certificate: what kind of point a fit reached.
//!
//! Vignette "The algorithm": Eq. Chain rule, Eq. Decrement.

use crate::covstruct::Structure;
use crate::criterion::Order;
use crate::error::Result;
use crate::linalg::{matmul, semidefinite_cholesky, symmetric_eigen, transpose};
use crate::newton::{decrement, polish};
use crate::objective::Objective;
use crate::optimizer::{minimise, Method, Settings};
use crate::params::{Coordinates, TermCoordinates};

/// What was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An inner minimum.
    Optimum,
    /// A minimum where a variance, or a direction of Psi, is zero.
    Boundary,
    /// A stationary point from which the criterion decreases in some direction.
    Saddle,
    /// A minimum along which the criterion does not change: some parameter is not identified.
    Flat,
    /// The iterations ended before a stationary point was reached.
    Maxit,
}

impl Verdict {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Optimum => "optimum",
            Verdict::Boundary => "boundary",
            Verdict::Saddle => "saddle",
            Verdict::Flat => "flat",
            Verdict::Maxit => "maxit",
        }
    }
}

/// A verdict and its evidence.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The verdict.
    pub verdict: Verdict,
    /// Newton decrement: how much lower the criterion could still be, by the quadratic model.
    pub decrement: f64,
    /// Gradient in the free parameters, in the coordinates of the solution.
    pub gradient: Vec<f64>,
    /// Eigenvalues of the Hessian there, ascending: the change of `-2 l` per squared relative change of parameters.
    pub eigenvalues: Vec<f64>,
    /// Per term Lambda, of the columns that the objective began with.
    pub lambda: Vec<Vec<f64>>,
    /// The criterion.
    pub value: f64,
    /// Iterations of the optimiser.
    pub iterations: usize,
}

/// Below these (in units where 1 is as much as a group's noise, or as the random effects themselves) a variance may be
/// zero: where the criterion has no objection.
const NEGLIGIBLE: [f64; 2] = [1e-4, 1e-7];
/// A change of `-2 l` per squared relative change of a parameter below which the data say nothing of it.
const FLAT: f64 = 1e-6;
/// Newton steps after the optimiser has stopped.
const POLISHES: usize = 3;
/// Newton iterations in one set of coordinates.
const STAGE: usize = 25;
/// How often Newton may arrive somewhere that is no solution.
const ROUNDS: usize = 12;

/// Minimise, leave saddles, set negligible variances to zero, polish, and say what was reached. The coordinates are
/// centred anew as the search moves, so that steps and the verdict are relative to the solution.
///
/// # Errors
/// Those of the objective.
pub fn minimise_and_certify(
    objective: &mut Objective<'_>,
    start: &[Vec<f64>],
    settings: &Settings,
) -> Result<Certificate> {
    let mut x = objective.centre(start)?;
    let mut iterations = 0;
    if settings.method != Method::Newton {
        let stop = minimise(objective, x, settings)?;
        (x, iterations) = (stop.x, stop.iterations);
    }
    let newton = settings.method == Method::Newton;
    let mut last = f64::INFINITY;
    for _ in 0..ROUNDS {
        if newton {
            (x, iterations) = descend(objective, x, iterations, settings)?;
        }
        let lambda = objective.lambda(&x);
        x = objective.centre(&lambda)?;
        x = snap(objective, x)?;
        // a method that used up its iterations is judged where it stands
        let exhausted = !newton && iterations >= settings.max_iterations;
        if !x.is_empty() && !exhausted {
            x = polish(objective, x, POLISHES)?;
        }
        x = snap(objective, x)?;
        let certificate = certify(objective, &x, iterations, settings.tolerance)?;
        let unfinished = matches!(certificate.verdict, Verdict::Saddle | Verdict::Maxit);
        let hopeless =
            certificate.value >= last - 1e-9 * last.abs().max(1.0) && certificate.verdict == Verdict::Maxit;
        if !newton || !unfinished || hopeless || iterations >= settings.max_iterations {
            return Ok(certificate);
        }
        last = certificate.value;
    }
    certify(objective, &x, iterations, settings.tolerance)
}

/// Newton in stages, each in coordinates around its start, until one ends before its time.
fn descend(
    objective: &mut Objective<'_>,
    mut x: Vec<f64>,
    mut iterations: usize,
    settings: &Settings,
) -> Result<(Vec<f64>, usize)> {
    while iterations < settings.max_iterations {
        let most = STAGE.min(settings.max_iterations - iterations);
        let stage = Settings {
            max_iterations: most,
            method: Method::Newton,
            ..*settings
        };
        let stop = minimise(objective, x, &stage)?;
        x = stop.x;
        iterations += stop.iterations.max(1);
        if stop.iterations < most {
            break;
        }
        let lambda = objective.lambda(&x);
        x = objective.centre(&lambda)?;
    }
    Ok((x, iterations))
}

/// The verdict on a point.
fn certify(objective: &Objective<'_>, x: &[f64], iterations: usize, tolerance: f64) -> Result<Certificate> {
    let coordinates = &objective.coordinates;
    let whitened = coordinates.whitened(x);
    let singular = coordinates
        .terms
        .iter()
        .zip(&whitened)
        .any(|(t, l)| is_singular(t, l));
    let mut certificate = Certificate {
        verdict: if singular {
            Verdict::Boundary
        } else {
            Verdict::Optimum
        },
        decrement: 0.0,
        gradient: Vec::new(),
        eigenvalues: Vec::new(),
        lambda: objective.lambda(x),
        value: objective.value(x)?,
        iterations,
    };
    if x.is_empty() {
        return Ok(certificate);
    }
    let (g, h) = objective.curvature(x, Order::Hessian)?;
    let n = x.len();
    let eigen = symmetric_eigen(&h, n)?;
    let reached = decrement(&g, &eigen);
    let lowest = eigen.values[0];
    let noise = 1e-9 * eigen.values[n - 1].abs().max(1.0);
    // rounding of the criterion's derivatives bounds what the decrement can show
    let close = reached.value < tolerance.max(1e-7);
    if lowest < -noise.max(FLAT) {
        let slope = g.iter().fold(0.0, |a: f64, v| a.max(v.abs()));
        certificate.verdict = if slope < 1e-3 {
            Verdict::Saddle
        } else {
            Verdict::Maxit
        };
    } else if !close {
        certificate.verdict = Verdict::Maxit;
    } else if lowest < FLAT && lowest_curvature(objective, x)? < FLAT {
        certificate.verdict = Verdict::Flat;
    }
    certificate.decrement = reached.value;
    (certificate.gradient, certificate.eigenvalues) = (g, eigen.values);
    Ok(certificate)
}

/// Psi of a term in whitened units.
fn psi(q: usize, lambda: &[f64]) -> Vec<f64> {
    matmul(lambda, &transpose(lambda, q, q), q, q, q)
}

fn is_singular(term: &TermCoordinates, lambda: &[f64]) -> bool {
    (0..term.shape.q).any(|j| lambda[j * term.shape.q + j] == 0.0)
}

/// Set negligible directions of Psi to exactly zero where the criterion does not object, and make the factor canonical
/// (non-negative diagonal, zero columns for zero pivots).
fn snap(objective: &Objective<'_>, x: Vec<f64>) -> Result<Vec<f64>> {
    let coordinates = &objective.coordinates;
    let unchanged = canonical(coordinates, &x, 0.0)?;
    let before = objective.value(&x)?;
    for floor in NEGLIGIBLE {
        let snapped = canonical(coordinates, &x, floor)?;
        if snapped != unchanged && objective.value(&snapped)? <= before + 1e-9 + 1e-13 * before.abs() {
            return Ok(snapped);
        }
    }
    // changing signs is exact in any case
    Ok(unchanged)
}

/// The canonical factors, with what is below `floor` (eigenvalues of Psi, whitened) set to zero.
fn canonical(coordinates: &Coordinates, x: &[f64], floor: f64) -> Result<Vec<f64>> {
    let mut factors = coordinates.whitened(x);
    let unrestricted = coordinates
        .terms
        .iter()
        .zip(factors.iter_mut())
        .filter(|(t, _)| t.is_unrestricted());
    for (term, l) in unrestricted {
        let q = term.shape.q;
        if floor > 0.0 && term.shape.structure == Structure::Unstructured {
            let mut eigen = symmetric_eigen(&psi(q, l), q)?;
            let floor = floor.max(1e-14 * eigen.values[q - 1]);
            if eigen.values[0] < floor {
                eigen
                    .values
                    .iter_mut()
                    .filter(|v| **v < floor)
                    .for_each(|v| *v = 0.0);
                let scaled: Vec<f64> = (0..q * q)
                    .map(|k| eigen.vectors[k] * eigen.values[k / q].sqrt())
                    .collect();
                *l = semidefinite_cholesky(&psi(q, &scaled), q, 1e-12);
            }
        } else {
            (0..q)
                .filter(|j| l[j * q + j].powi(2) < floor)
                .collect::<Vec<_>>()
                .iter()
                .for_each(|j| l[j * q + j] = 0.0);
        }
        make_canonical(l, q);
    }
    Ok(coordinates.pack(&factors))
}

/// The lowest eigenvalue of the Hessian in an order of columns that hides no curvature.
fn lowest_curvature(objective: &Objective<'_>, x: &[f64]) -> Result<f64> {
    let derivatives = objective.derivatives(x, Order::Hessian)?;
    let (pivoted, at) = objective.coordinates.pivoted(x);
    let eigen = symmetric_eigen(&pivoted.hessian(&at, &derivatives), at.len())?;
    Ok(eigen.values[0])
}

/// Columns with a negative diagonal change their sign.
fn make_canonical(lambda: &mut [f64], q: usize) {
    for j in 0..q {
        if lambda[j * q + j] < 0.0 {
            lambda[j * q..(j + 1) * q].iter_mut().for_each(|v| *v = -*v);
        }
    }
}
