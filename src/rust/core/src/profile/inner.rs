//! The minimum of the deviance over everything but the held parameter, by trust-region Newton.

use crate::criterion::Order;
use crate::error::Result;
use crate::linalg::{dot, matmul, symmetric_eigen, Eigen};
use crate::newton::{decrement, trust_region_step};

use super::joint::Joint;
use super::path::{Path, Reduced};

/// The most Newton steps at one point.
const STEPS: usize = 60;
/// The Newton decrement at which a point is solved.
const SOLVED: f64 = 1e-11;

/// The best fit with the parameter held.
pub struct Solved {
    /// The other parameters.
    pub x: Vec<f64>,
    /// The deviance.
    pub deviance: f64,
    /// Derivatives there.
    pub slopes: Reduced,
    /// Whether a minimum was reached.
    pub converged: bool,
}

struct State {
    x: Vec<f64>,
    deviance: f64,
    slopes: Reduced,
    eigen: Eigen,
}

impl State {
    fn at(
        joint: &mut Joint<'_>,
        path: &Path,
        u: f64,
        x: Vec<f64>,
        deviance: f64,
        order: Order,
    ) -> Result<State> {
        let slopes = path.reduce(&x, u, &joint.slopes(&path.coordinates, order)?);
        let eigen = if x.is_empty() {
            Eigen {
                values: Vec::new(),
                vectors: Vec::new(),
            }
        } else {
            symmetric_eigen(&slopes.hessian, x.len())?
        };
        Ok(State {
            x,
            deviance,
            slopes,
            eigen,
        })
    }

    fn is_solved(&self) -> bool {
        let reached = decrement(&self.slopes.gradient, &self.eigen);
        !reached.indefinite && reached.value < SOLVED.max(1e-15 * self.deviance.abs())
    }
}

/// Minimise with the parameter at `u`, from the best of `starts` (the last is expected to be); the engine is left at the
/// solution. `None` where the deviance is finite at none of them.
///
/// # Errors
/// Those of the engine.
pub fn solve(joint: &mut Joint<'_>, path: &Path, u: f64, starts: Vec<Vec<f64>>) -> Result<Option<Solved>> {
    let order = joint.engine.stepping();
    let mut from: Option<(Vec<f64>, f64)> = None;
    let mut at_best = false;
    for x in starts {
        let deviance = joint.value(&path.coordinates, &path.full(&x, u))?;
        at_best = deviance.is_finite() && from.as_ref().is_none_or(|(_, d)| deviance <= *d);
        if at_best {
            from = Some((x, deviance));
        }
    }
    let Some((x, deviance)) = from else {
        return Ok(None);
    };
    if !at_best {
        joint.value(&path.coordinates, &path.full(&x, u))?;
    }
    let mut state = State::at(joint, path, u, x, deviance, order)?;
    let (mut radius, mut at_state) = (0.5f64, true);
    let mut converged = state.is_solved();
    for _ in 0..STEPS {
        if converged || state.x.is_empty() || radius < 1e-12 {
            break;
        }
        let (g, n) = (&state.slopes.gradient, state.x.len());
        let d = trust_region_step(g, &state.eigen, radius);
        let curvature = dot(&d, &matmul(&state.slopes.hessian, &d, n, n, 1));
        let promised = -(dot(g, &d) + 0.5 * curvature);
        let trial: Vec<f64> = state.x.iter().zip(&d).map(|(a, b)| a + b).collect();
        let deviance = joint.value(&path.coordinates, &path.full(&trial, u))?;
        let noise = 1e-13 * state.deviance.abs().max(1.0);
        let ratio = (state.deviance - deviance) / promised.max(f64::MIN_POSITIVE);
        // below the rounding of the deviance its differences mean nothing; the model is trusted instead
        let trusted = promised <= 10.0 * noise && deviance <= state.deviance + 10.0 * noise;
        let length = dot(&d, &d).sqrt();
        if ratio > 0.75 || trusted {
            radius = radius.max(2.0 * length);
        } else if ratio.is_nan() || ratio < 0.25 {
            radius = 0.25 * length;
        }
        at_state = ratio > 1e-4 || trusted;
        if at_state {
            state = State::at(joint, path, u, trial, deviance, order)?;
            // what is smaller than rounding will not get smaller
            converged = state.is_solved() || (trusted && promised < SOLVED);
        }
    }
    if !at_state {
        joint.value(&path.coordinates, &path.full(&state.x, u))?;
    }
    Ok(Some(Solved {
        converged: converged || state.is_solved(),
        x: state.x,
        deviance: state.deviance,
        slopes: state.slopes,
    }))
}
