//! Fixed effects under a penalty, the residual variance profiled out.
//!
//! At one value of Psi, with `A = X'V^-1X`, the estimate b of generalised least squares and `r2` the residual sum of squares
//! there, the residual sum of squares of any beta is `r(beta) = r2 + (beta - b)'A(beta - b)`, and the part of the criterion
//! that depends on beta is
//!
//! ```text
//! phi(beta) = N log r(beta) + pen(beta)
//! ```
//!
//! (pen in units of `-2 l`). A minimum satisfies, with `s = r(beta) / N`,
//!
//! ```text
//! beta = beta(s) = argmin r(beta) / s + pen(beta),     s = h(s) = r(beta(s)) / N.
//! ```
//!
//! Both r(beta(s)) and h rise with s. Iterating h from below (`s = r2 / N`) leads to the smallest fixed point, from above to
//! the largest; between them phi may have several minima (Staedler, Buehlmann and van de Geer 2010). The lower is taken.

use crate::error::{Error, Result};
use crate::linalg::{dot, symmetric_eigen};
use crate::newton::trust_region_step;

use super::lasso::{Quadratic, Weights};

/// A smooth penalty that is known by its values and slopes only, in units of the log-likelihood.
pub trait Smooth: Sync {
    /// The penalty.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"penalty"`) where it cannot be had.
    fn value(&self, at: &[f64]) -> Result<f64>;

    /// Its slopes.
    ///
    /// # Errors
    /// As [`Smooth::value`].
    fn gradient(&self, at: &[f64]) -> Result<Vec<f64>>;
}

/// A penalty on the fixed effects (kept columns, user's units).
pub enum Fixed {
    /// A sum over coefficients.
    Separable(Weights),
    /// Any smooth function.
    Smooth(Box<dyn Smooth + Send>),
}

/// The fixed effects at one value of Psi.
pub struct Shrunk {
    /// Fixed effects.
    pub beta: Vec<f64>,
    /// `r(beta) - r2`.
    pub excess: f64,
    /// pen(beta), in units of `-2 l`.
    pub penalty: f64,
}

/// What is known at one value of Psi.
pub struct Profile<'a> {
    /// A and b.
    pub quadratic: &'a Quadratic,
    /// Residual sum of squares of generalised least squares.
    pub r2: f64,
    /// N.
    pub n: f64,
}

/// Iterations of h.
const FIXED_POINTS: usize = 500;
/// Relative change of s at which they end.
const SETTLED: f64 = 1e-14;
/// Newton steps for a smooth penalty.
const STEPS: usize = 200;
/// Relative step of numerical second derivatives of a penalty.
const DIFFERENCE: f64 = 1e-5;

impl Profile<'_> {
    /// `phi`, but for what does not depend on beta.
    fn phi(&self, excess: f64, penalty: f64) -> f64 {
        self.n * (excess / self.r2).ln_1p() + penalty
    }

    /// The minimum of phi, looked for from `warm`.
    ///
    /// # Errors
    /// [`Error::Numerical`]; those of the penalty.
    pub fn minimise(&self, penalty: &Fixed, warm: &[f64]) -> Result<Shrunk> {
        match penalty {
            Fixed::Separable(weights) => {
                let low = self.fixed_point(weights, self.r2 / self.n, warm)?;
                let most = self.r2 + self.quadratic.value(&vec![0.0; warm.len()]);
                let high = self.fixed_point(weights, most / self.n, &low.beta)?;
                let better = self.phi(high.excess, high.penalty) < self.phi(low.excess, low.penalty) - 1e-10;
                Ok(if better { high } else { low })
            }
            Fixed::Smooth(smooth) => self.newton(smooth.as_ref(), warm),
        }
    }

    /// Iterate h from `s`.
    fn fixed_point(&self, weights: &Weights, mut s: f64, warm: &[f64]) -> Result<Shrunk> {
        let mut beta = warm.to_vec();
        let mut before: Option<(f64, f64)> = None;
        for _ in 0..FIXED_POINTS {
            beta = self.quadratic.penalised(&weights.times(s), &beta)?;
            let next = (self.r2 + self.quadratic.value(&beta)) / self.n;
            let step = next - s;
            if step.abs() <= SETTLED * s || !next.is_finite() {
                break;
            }
            // a secant on h(s) - s, where it is safe: between the steps h makes and ten times as far
            let jump = before.and_then(|(s0, step0)| {
                let slope = (step - step0) / (s - s0);
                let to = -step / slope;
                (slope < 0.0 && to * step > 0.0 && to.abs() <= 10.0 * step.abs()).then_some(to)
            });
            before = Some((s, step));
            // no fixed point is below the residual variance of generalised least squares
            s = (s + jump.unwrap_or(step)).max(self.r2 / self.n);
        }
        Ok(Shrunk {
            excess: self.quadratic.value(&beta),
            penalty: weights.value(&beta),
            beta,
        })
    }

    /// Newton in a trust region, the second derivatives of the penalty from differences of its slopes.
    fn newton(&self, smooth: &dyn Smooth, warm: &[f64]) -> Result<Shrunk> {
        let p = warm.len();
        let mut x = warm.to_vec();
        let at = |x: &[f64]| -> Result<(f64, f64, f64)> {
            let excess = self.quadratic.value(x);
            let penalty = 2.0 * smooth.value(x)?;
            Ok((self.phi(excess, penalty), excess, penalty))
        };
        let mut now = at(&x)?;
        if !now.0.is_finite() {
            return Err(Error::invalid(
                "penalty",
                "the penalty on the fixed effects is not finite where the search begins",
            ));
        }
        // units in which the curvature of the likelihood is 1
        let unit: Vec<f64> = (0..p)
            .map(|j| (self.r2 / (self.n * self.quadratic.a[j * p + j])).sqrt())
            .collect();
        let mut radius = 2.0 * (p as f64).sqrt();
        for _ in 0..STEPS {
            let (g, h) = self.slopes(smooth, &x, now.1, &unit)?;
            let eigen = symmetric_eigen(&h, p)?;
            let d = trust_region_step(&g, &eigen, radius);
            let curvature: f64 = (0..p).map(|j| d[j] * dot(&h[j * p..(j + 1) * p], &d)).sum();
            let promised = -(dot(&g, &d) + 0.5 * curvature);
            let trial: Vec<f64> = x.iter().zip(&d).zip(&unit).map(|((x, d), u)| x + d * u).collect();
            let then = at(&trial)?;
            let noise = 1e-14 * now.0.abs().max(self.n);
            let ratio = (now.0 - then.0) / promised.max(f64::MIN_POSITIVE);
            let trusted = promised <= 10.0 * noise && then.0 <= now.0 + 10.0 * noise;
            let length = dot(&d, &d).sqrt();
            if ratio > 0.75 || trusted {
                radius = radius.max(2.0 * length);
            } else if ratio.is_nan() || ratio < 0.25 {
                radius = 0.25 * length;
            }
            if ratio > 1e-4 || trusted {
                (x, now) = (trial, then);
            }
            if promised < 1e-20 * self.n.max(1.0) || (trusted && length < 1e-9) || radius < 1e-13 {
                break;
            }
        }
        Ok(Shrunk {
            beta: x,
            excess: now.1,
            penalty: now.2,
        })
    }

    /// Gradient and Hessian of phi in the coordinates `beta / unit`.
    fn slopes(
        &self,
        smooth: &dyn Smooth,
        x: &[f64],
        excess: f64,
        unit: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let p = x.len();
        let r = self.r2 + excess;
        let pull = self.quadratic.times(&self.quadratic.away(x));
        let slope = smooth.gradient(x)?;
        let bend = second_derivatives(smooth, x, unit)?;
        let g = (0..p)
            .map(|j| unit[j] * (2.0 * self.n * pull[j] / r + 2.0 * slope[j]))
            .collect();
        let h = (0..p * p)
            .map(|k| {
                let (i, j) = (k % p, k / p);
                let own = 2.0 * self.quadratic.a[k] / r - 4.0 * pull[i] * pull[j] / (r * r);
                unit[i] * unit[j] * (self.n * own + 2.0 * bend[k])
            })
            .collect();
        Ok((g, h))
    }
}

/// Second derivatives of a smooth penalty by central differences of its slopes, `p x p`, symmetric.
///
/// # Errors
/// Those of the penalty.
pub fn second_derivatives(smooth: &dyn Smooth, x: &[f64], unit: &[f64]) -> Result<Vec<f64>> {
    let p = x.len();
    let mut h = vec![0.0; p * p];
    for j in 0..p {
        let step = DIFFERENCE * unit[j].max(x[j].abs() * 1e-3);
        let (mut up, mut down) = (x.to_vec(), x.to_vec());
        up[j] += step;
        down[j] -= step;
        let (high, low) = (smooth.gradient(&up)?, smooth.gradient(&down)?);
        for i in 0..p {
            let slope = (high[i] - low[i]) / (up[j] - down[j]);
            h[j * p + i] += 0.5 * slope;
            h[i * p + j] += 0.5 * slope;
        }
    }
    Ok(h)
}
