//! Penalties on the covariance matrices of the random effects.
//!
//! Of one term, with `Psi` relative to sigma^2 in the user's units:
//!
//! ```text
//! C(Psi) = - w log|Psi| + tr(M Psi) + sum_j rate sqrt(Psi_jj)
//! ```
//!
//! in units of the log-likelihood, which holds the log-densities of Wishart (`w = (df - q - 1) / 2`, `2 M` the inverse of
//! its scale), inverse-free determinants, and of gamma distributions of a standard deviation (`w = (shape - 1) / 2`); or any
//! smooth function that is known by its values and slopes. The engine works with `Psi~`, `Psi = U Psi~ U'`; its gradient is
//! `U'G U`. The determinant is the same in both up to a constant:
//!
//! ```text
//! d/dPsi  -w log|Psi|  = -w Psi^-1         d^2(E, F) = w tr(Psi^-1 E Psi^-1 F)
//! d/dPsi  tr(M Psi)    =  M                 0
//! d/dPsi  rate sqrt(u'Psi u) = rate u u' / (2 sqrt)     d^2(E, F) = - rate (u'E u)(u'F u) / (4 sqrt^3)
//! ```
//!
//! A term with one common variance counts as one standard deviation.

use crate::covstruct::Structure;
use crate::criterion::TermShape;
use crate::error::Result;
use crate::estimates::congruence;
use crate::linalg::{matmul, semidefinite_cholesky, square_size, transpose};
use crate::params::{congruence_map, invert_lower};

use super::fixed::Smooth;

/// The penalty on one term.
pub enum Covariance {
    /// None.
    Free,
    /// The family above.
    Density {
        /// w.
        log_det: f64,
        /// M, `q x q`.
        trace: Vec<f64>,
        /// rate.
        rate: f64,
    },
    /// A function of Psi (`q x q`, all elements); its slopes are symmetric: half of the derivative in an element off the
    /// diagonal that stands for two.
    Smooth(Box<dyn Smooth + Send>),
}

/// A penalty's value and derivatives in the engine's units, times 2: in units of `-2 l`.
pub struct Parts {
    /// Symmetric `q x q` gradient.
    pub gradient: Vec<f64>,
    /// In the basis of Psi, `r x r`.
    pub hessian: Vec<f64>,
}

/// The relative step of differences of slopes.
const STEP: f64 = 1e-5;

impl Covariance {
    /// Whether it is infinite where Psi is singular.
    pub fn is_barrier(&self) -> bool {
        matches!(self, Covariance::Density { log_det, .. } if *log_det > 0.0)
    }

    /// Twice the penalty at the factor `lambda` (engine's units), with U.
    ///
    /// # Errors
    /// Those of a smooth penalty.
    pub fn value(&self, shape: &TermShape, lambda: &[f64], u: &[f64]) -> Result<f64> {
        let q = size(shape);
        let user = first(&matmul(u, lambda, shape.q, shape.q, shape.q), shape.q, q);
        let psi = matmul(&user, &transpose(&user, q, q), q, q, q);
        Ok(match self {
            Covariance::Free => 0.0,
            Covariance::Smooth(smooth) => 2.0 * smooth.value(&psi)?,
            Covariance::Density { log_det, trace, rate } => {
                let mut sum: f64 = trace.iter().zip(&psi).map(|(m, v)| m * v).sum();
                if *rate != 0.0 {
                    sum += (0..q).map(|j| rate * psi[j * q + j].sqrt()).sum::<f64>();
                }
                if *log_det != 0.0 {
                    sum -= log_det * (0..q).map(|j| user[j * q + j].powi(2).ln()).sum::<f64>();
                }
                2.0 * sum
            }
        })
    }

    /// Derivatives where Psi is not singular.
    ///
    /// # Errors
    /// Those of a smooth penalty; [`crate::Error::Numerical`].
    pub fn derivatives(&self, shape: &TermShape, lambda: &[f64], u: &[f64]) -> Result<Parts> {
        let (q, structure) = (size(shape), reduced(shape));
        let directions = structure.directions(q);
        let r = directions.len();
        let (u, own) = (first(u, shape.q, q), first(lambda, shape.q, q));
        let mut parts = match self {
            Covariance::Free => Parts {
                gradient: vec![0.0; q * q],
                hessian: vec![0.0; r * r],
            },
            Covariance::Density { log_det, trace, rate } => {
                let mut parts = Parts {
                    gradient: back(trace, &u),
                    hessian: vec![0.0; r * r],
                };
                if *log_det != 0.0 {
                    parts.add_log_det(*log_det, &own, q, &directions)?;
                }
                if *rate != 0.0 {
                    parts.add_roots(*rate, &matmul(&u, &own, q, q, q), &u, q, &directions);
                }
                parts
            }
            Covariance::Smooth(smooth) => of_smooth(smooth.as_ref(), structure, &own, &u, q)?,
        };
        parts.gradient.iter_mut().for_each(|v| *v *= 2.0);
        parts.hessian.iter_mut().for_each(|v| *v *= 2.0);
        if shape.q > q {
            // all of the slope in the first element: the structure sums over the diagonal
            let slope = parts.gradient[0];
            parts.gradient = vec![0.0; shape.q * shape.q];
            parts.gradient[0] = slope;
        }
        Ok(parts)
    }
}

/// The dimension as a penalty sees it.
fn size(shape: &TermShape) -> usize {
    match shape.structure {
        Structure::Scalar => 1,
        _ => shape.q,
    }
}

fn reduced(shape: &TermShape) -> Structure {
    match shape.structure {
        Structure::Scalar => Structure::Diagonal,
        other => other,
    }
}

/// The leading `k x k` part of a `q x q` matrix.
fn first(a: &[f64], q: usize, k: usize) -> Vec<f64> {
    (0..k * k).map(|e| a[(e / k) * q + e % k]).collect()
}

/// `U'G U`.
fn back(g: &[f64], u: &[f64]) -> Vec<f64> {
    let q = square_size(u);
    congruence(&transpose(u, q, q), g)
}

/// A direction of Psi as its elements that are 1.
type Direction = Vec<(usize, usize)>;

impl Parts {
    fn add_log_det(&mut self, weight: f64, lambda: &[f64], q: usize, directions: &[Direction]) -> Result<()> {
        let inverse = invert_lower(lambda, q)?;
        let p = matmul(&transpose(&inverse, q, q), &inverse, q, q, q);
        let r = directions.len();
        for (g, v) in self.gradient.iter_mut().zip(&p) {
            *g -= weight * v;
        }
        for (e, from) in directions.iter().enumerate() {
            for (f, to) in directions.iter().enumerate() {
                // tr(P E P F)
                let sum: f64 = from
                    .iter()
                    .flat_map(|(a, b)| to.iter().map(move |(c, d)| (a, b, c, d)))
                    .map(|(a, b, c, d)| p[c * q + b] * p[a * q + d])
                    .sum();
                self.hessian[f * r + e] += weight * sum;
            }
        }
        Ok(())
    }

    fn add_roots(&mut self, rate: f64, root: &[f64], u: &[f64], q: usize, directions: &[Direction]) {
        let r = directions.len();
        for j in 0..q {
            let row: Vec<f64> = (0..q).map(|k| u[k * q + j]).collect();
            let sd = (0..q).map(|k| root[k * q + j].powi(2)).sum::<f64>().sqrt();
            for k in 0..q * q {
                self.gradient[k] += 0.5 * rate / sd * row[k % q] * row[k / q];
            }
            let along: Vec<f64> = directions
                .iter()
                .map(|d| d.iter().map(|(a, b)| row[*a] * row[*b]).sum())
                .collect();
            for e in 0..r * r {
                self.hessian[e] -= 0.25 * rate / sd.powi(3) * along[e % r] * along[e / r];
            }
        }
    }
}

/// Differences of the slopes along `T E T'` with `Psi = T T'`: relative to Psi, whatever its shape.
fn of_smooth(
    smooth: &dyn Smooth,
    structure: Structure,
    lambda: &[f64],
    u: &[f64],
    q: usize,
) -> Result<Parts> {
    let t = matmul(u, lambda, q, q, q);
    let psi = matmul(&t, &transpose(&t, q, q), q, q, q);
    let gradient = back(&smooth.gradient(&psi)?, u);
    let directions = structure.directions(q);
    let r = directions.len();
    // a factor that can be inverted, where Psi is singular
    let mut regular = psi.clone();
    let largest = (0..q).fold(0.0f64, |a, j| a.max(psi[j * q + j]));
    let least = 1e-8 * largest.max(f64::MIN_POSITIVE);
    (0..q).for_each(|j| regular[j * q + j] += least);
    let root = semidefinite_cholesky(&regular, q, 0.0);
    let mut along = vec![0.0; r * r];
    for (e, direction) in directions.iter().enumerate() {
        let mut unit = vec![0.0; q * q];
        direction.iter().for_each(|(a, b)| unit[b * q + a] = 1.0);
        let step = congruence(&root, &unit);
        let moved =
            |sign: f64| -> Vec<f64> { psi.iter().zip(&step).map(|(p, s)| p + sign * STEP * s).collect() };
        let (high, low) = (smooth.gradient(&moved(1.0))?, smooth.gradient(&moved(-1.0))?);
        let change: Vec<f64> = high
            .iter()
            .zip(&low)
            .map(|(h, l)| (h - l) / (2.0 * STEP))
            .collect();
        let change = congruence(&transpose(&root, q, q), &change);
        for (f, to) in directions.iter().enumerate() {
            along[e * r + f] = to.iter().map(|(a, b)| change[b * q + a]).sum();
        }
    }
    // from the directions T E T' (user's units) to those of the engine
    let map = matmul(
        &congruence_map(structure, q, &invert_lower(&root, q)?),
        &congruence_map(structure, q, u),
        r,
        r,
        r,
    );
    let half = matmul(&along, &map, r, r, r);
    let mut hessian = matmul(&transpose(&map, r, r), &half, r, r, r);
    for j in 0..r {
        for i in 0..j {
            let mean = 0.5 * (hessian[j * r + i] + hessian[i * r + j]);
            (hessian[j * r + i], hessian[i * r + j]) = (mean, mean);
        }
    }
    Ok(Parts { gradient, hessian })
}
