//! The certificate: what kind of point a fit reached.

use crate::covstruct::Structure;
use crate::error::Result;
use crate::linalg::{matmul, semidefinite_cholesky, symmetric_eigen, transpose};
use crate::newton::{decrement, polish};
use crate::objective::Objective;
use crate::optimizer::{minimise, Method, Settings};
use crate::params::TermCoordinates;

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
    /// Gradient in the free parameters, scaled.
    pub gradient: Vec<f64>,
    /// Eigenvalues of the scaled Hessian, ascending: the change of `-2 l` per squared relative change of parameters.
    pub eigenvalues: Vec<f64>,
    /// The free parameters.
    pub x: Vec<f64>,
    /// Iterations of the optimiser.
    pub iterations: usize,
}

/// Below this (whitened units, where 1 is as much as a group's noise) a variance may be zero.
const NEGLIGIBLE: f64 = 1e-7;
/// A change of `-2 l` per squared relative change of a parameter below which the data say nothing of it.
const FLAT: f64 = 1e-6;
/// Newton steps after the optimiser has stopped.
const POLISHES: usize = 3;
/// How often a saddle is left.
const ROUNDS: usize = 6;

/// Minimise, leave saddles, set negligible variances to zero, polish, and say what was reached.
///
/// # Errors
/// Those of the objective.
pub fn minimise_and_certify(
    objective: &Objective<'_>,
    start: Vec<f64>,
    settings: &Settings,
) -> Result<Certificate> {
    let mut stop = minimise(objective, start, settings)?;
    let newton = Settings {
        method: Method::Newton,
        ..*settings
    };
    for round in 0..ROUNDS {
        stop.x = snap(objective, stop.x)?;
        if !stop.x.is_empty() {
            stop.x = polish(objective, stop.x, POLISHES)?;
        }
        stop.x = snap(objective, stop.x)?;
        let certificate = certify(objective, stop.x.clone(), stop.iterations, settings.tolerance)?;
        let again = certificate.verdict == Verdict::Saddle
            && round + 1 < ROUNDS
            && stop.iterations < settings.max_iterations;
        if !again {
            return Ok(certificate);
        }
        let left = settings.max_iterations - stop.iterations;
        let next = minimise(
            objective,
            stop.x,
            &Settings {
                max_iterations: left,
                ..newton
            },
        )?;
        stop.x = next.x;
        stop.iterations += next.iterations.max(1);
    }
    certify(objective, stop.x, stop.iterations, settings.tolerance)
}

/// The verdict on a point.
fn certify(objective: &Objective<'_>, x: Vec<f64>, iterations: usize, tolerance: f64) -> Result<Certificate> {
    let whitened = objective.coordinates.whitened(&x);
    let terms = || objective.coordinates.terms.iter().zip(&whitened);
    let singular = terms().any(|(t, l)| is_singular(t, l));
    if x.is_empty() {
        objective.value(&x)?;
        let (gradient, eigenvalues) = (Vec::new(), Vec::new());
        let verdict = if singular {
            Verdict::Boundary
        } else {
            Verdict::Optimum
        };
        return Ok(Certificate {
            verdict,
            decrement: 0.0,
            gradient,
            eigenvalues,
            x,
            iterations,
        });
    }
    let (mut g, mut h) = objective.curvature(&x)?;
    let scale: Vec<f64> = terms().flat_map(|(t, l)| scales(t, l)).collect();
    let n = x.len();
    for j in 0..n {
        g[j] *= scale[j];
        for i in 0..n {
            h[j * n + i] *= scale[i] * scale[j];
        }
    }
    let eigen = symmetric_eigen(&h, n)?;
    let reached = decrement(&g, &eigen);
    let lowest = eigen.values[0];
    let noise = 1e-9 * eigen.values[n - 1].abs().max(1.0);
    // rounding of the criterion's derivatives bounds what the decrement can show
    let close = reached.value < tolerance.max(1e-7);
    let verdict = if lowest < -noise.max(FLAT) {
        if g.iter().map(|v| v.abs()).fold(0.0, f64::max) < 1e-3 {
            Verdict::Saddle
        } else {
            Verdict::Maxit
        }
    } else if !close {
        Verdict::Maxit
    } else if lowest < FLAT {
        Verdict::Flat
    } else if singular {
        Verdict::Boundary
    } else {
        Verdict::Optimum
    };
    Ok(Certificate {
        verdict,
        decrement: reached.value,
        gradient: g,
        eigenvalues: eigen.values,
        x,
        iterations,
    })
}

/// Psi of a term in whitened units.
fn psi(q: usize, lambda: &[f64]) -> Vec<f64> {
    matmul(lambda, &transpose(lambda, q, q), q, q, q)
}

fn is_singular(term: &TermCoordinates, lambda: &[f64]) -> bool {
    (0..term.shape.q).any(|j| lambda[j * term.shape.q + j] == 0.0)
}

/// The scale of each free parameter: the standard deviation of its row, at least 1.
fn scales(term: &TermCoordinates, lambda: &[f64]) -> Vec<f64> {
    let q = term.shape.q;
    let psi = psi(q, lambda);
    let row = |i: usize| psi[i * q + i].sqrt().max(1.0);
    let all: Vec<f64> = match term.shape.structure {
        Structure::Unstructured => crate::covstruct::lower_triangle(q).map(|(i, _)| row(i)).collect(),
        Structure::Diagonal => (0..q).map(row).collect(),
        Structure::Scalar => vec![row(0)],
    };
    all.into_iter()
        .zip(&term.free)
        .filter(|(_, f)| **f)
        .map(|(s, _)| s)
        .collect()
}

/// Set negligible directions of Psi to exactly zero where the criterion does not object, and make the factor canonical
/// (non-negative diagonal, zero columns for zero pivots).
fn snap(objective: &Objective<'_>, x: Vec<f64>) -> Result<Vec<f64>> {
    let coordinates = objective.coordinates;
    let old = coordinates.whitened(&x);
    let mut factors = old.clone();
    for (term, l) in coordinates.terms.iter().zip(factors.iter_mut()) {
        let q = term.shape.q;
        if term.is_unrestricted() && term.shape.structure == Structure::Unstructured {
            let mut eigen = symmetric_eigen(&psi(q, l), q)?;
            let floor = NEGLIGIBLE.max(1e-14 * eigen.values[q - 1]);
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
        } else if term.is_unrestricted() {
            for j in 0..q {
                if l[j * q + j].powi(2) < NEGLIGIBLE {
                    l[j * q + j] = 0.0;
                }
            }
        }
        if term.is_unrestricted() {
            make_canonical(l, q);
        }
    }
    let snapped = coordinates.pack(&factors);
    if snapped == x {
        return Ok(x);
    }
    let before = objective.value(&x)?;
    let after = objective.value(&snapped)?;
    Ok(if after <= before + 1e-9 + 1e-13 * before.abs() {
        snapped
    } else {
        x
    })
}

/// Columns with a negative diagonal change their sign.
fn make_canonical(lambda: &mut [f64], q: usize) {
    for j in 0..q {
        if lambda[j * q + j] < 0.0 {
            lambda[j * q..(j + 1) * q].iter_mut().for_each(|v| *v = -*v);
        }
    }
}
