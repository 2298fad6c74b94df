//! The minimum of the deviance over everything but the held parameter, by trust-region Newton.
//!
//! Where the exact Hessian is expensive, average information takes its place, with a correction that makes it agree with
//! the gradients seen on the way (symmetric rank one; Nocedal and Wright 2006, eq. 6.24). The correction is handed
//! from point to point.

use crate::criterion::Order;
use crate::error::Result;
use crate::linalg::{axpy, dot, matmul, symmetric_eigen, Eigen};
use crate::newton::{decrement, trust_region_step};

use super::joint::Joint;
use super::path::{Path, Reduced};

/// The most Newton steps at one point.
const STEPS: usize = 60;
/// The Newton decrement at which a point is solved.
const SOLVED: f64 = 1e-11;

/// The decrement at which a search that rounding has stopped is good enough.
const ENOUGH: f64 = 1e-7;

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

/// The deviance along one path.
pub struct Inner<'a, 'e> {
    /// The deviance.
    pub joint: &'a mut Joint<'e>,
    /// The path.
    pub path: &'a Path,
    /// Added to the Hessian in x that steps are made from.
    pub correction: &'a mut Vec<f64>,
    /// The position of the held parameter.
    pub u: f64,
    /// An element of x that stays at zero.
    pub zero: Option<usize>,
}

struct State {
    x: Vec<f64>,
    deviance: f64,
    slopes: Reduced,
    eigen: Eigen,
}

impl State {
    fn is_within(&self, tolerance: f64) -> bool {
        let reached = decrement(&self.slopes.gradient, &self.eigen);
        !reached.indefinite && reached.value < tolerance.max(1e-15 * self.deviance.abs())
    }
}

impl Inner<'_, '_> {
    fn value(&mut self, x: &[f64]) -> Result<f64> {
        self.joint
            .value(&self.path.coordinates, &self.path.full(x, self.u))
    }

    /// Derivatives at the engine's last evaluation.
    fn state(&mut self, x: Vec<f64>, deviance: f64, before: Option<(&State, &[f64])>) -> Result<State> {
        let order = self.joint.engine.stepping();
        let slopes = self.joint.slopes(&self.path.coordinates, order)?;
        let mut slopes = self.path.reduce(&x, self.u, &slopes);
        if order != Order::Hessian {
            if let Some((old, step)) = before {
                self.learn(&old.slopes.gradient, &slopes, step);
            }
            axpy(1.0, self.correction, &mut slopes.hessian);
        }
        if let Some(at) = self.zero {
            slopes.fix(at);
        }
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

    /// Correct the Hessian so that it explains the change of the gradient over the last step.
    fn learn(&mut self, old: &[f64], new: &Reduced, step: &[f64]) {
        let k = step.len();
        let explained = matmul(&new.hessian, step, k, k, 1);
        let corrected = matmul(self.correction, step, k, k, 1);
        let missing: Vec<f64> = (0..k)
            .map(|i| new.gradient[i] - old[i] - explained[i] - corrected[i])
            .map(|v| if v.is_finite() { v } else { 0.0 })
            .collect();
        let along = dot(&missing, step);
        let size = (dot(&missing, &missing) * dot(step, step)).sqrt();
        if along.abs() > 1e-6 * size && self.zero.is_none() {
            for (j, v) in missing.iter().enumerate() {
                axpy(v / along, &missing, &mut self.correction[j * k..(j + 1) * k]);
            }
        }
    }

    /// Minimise from the best of `starts` (the last is expected to be); the engine is left at the solution. `None` where the
    /// deviance is finite at none of them.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn solve(&mut self, starts: Vec<Vec<f64>>) -> Result<Option<Solved>> {
        let Some((x, deviance)) = self.best(starts)? else {
            return Ok(None);
        };
        let mut state = self.state(x, deviance, None)?;
        if state.eigen.values.first().is_some_and(|v| *v < 0.0) {
            // what was learnt elsewhere is of no use here
            self.correction.fill(0.0);
            state = self.state(state.x, deviance, None)?;
        }
        let (mut radius, mut at_state) = (0.5f64, true);
        let mut converged = state.is_within(SOLVED);
        for _ in 0..STEPS {
            if converged || state.x.is_empty() || radius < 1e-12 {
                break;
            }
            let (g, n) = (&state.slopes.gradient, state.x.len());
            let d = trust_region_step(g, &state.eigen, radius);
            let curvature = dot(&d, &matmul(&state.slopes.hessian, &d, n, n, 1));
            let promised = -(dot(g, &d) + 0.5 * curvature);
            let trial: Vec<f64> = state.x.iter().zip(&d).map(|(a, b)| a + b).collect();
            let deviance = self.value(&trial)?;
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
                state = self.state(trial, deviance, Some((&state, &d)))?;
                // what is smaller than rounding will not get smaller
                converged = state.is_within(SOLVED) || (trusted && promised < SOLVED);
            }
        }
        if !at_state {
            self.value(&state.x)?;
        }
        Ok(Some(Solved {
            converged: converged || state.is_within(ENOUGH),
            x: state.x,
            deviance: state.deviance,
            slopes: state.slopes,
        }))
    }

    /// The start with the lowest deviance, at which the engine is left.
    fn best(&mut self, starts: Vec<Vec<f64>>) -> Result<Option<(Vec<f64>, f64)>> {
        let mut best: Option<(Vec<f64>, f64)> = None;
        let mut there = false;
        for mut x in starts {
            if let Some(at) = self.zero {
                x[at] = 0.0;
            }
            let deviance = self.value(&x)?;
            there = deviance.is_finite() && best.as_ref().is_none_or(|(_, d)| deviance <= *d);
            if there {
                best = Some((x, deviance));
            }
        }
        if let Some((x, _)) = best.as_ref().filter(|_| !there) {
            self.value(x)?;
        }
        Ok(best)
    }
}
