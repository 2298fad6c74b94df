//! Trust-region Newton with the exact subproblem, as an argmin solver.
//!
//! The dimension is small (at most some hundred), so that the subproblem
//! `min g'd + d'H d / 2, |d| <= radius` is solved exactly from the eigen-decomposition of H (More and Sorensen 1983):
//! `d = -(H + mu I)^-1 g`, `mu >= 0`, with a step along the lowest eigenvector where g does not see it (the hard case).
//! Negative curvature is followed, not feared.
//!
//! Vignette "The algorithm": Eq. Trust region, Eq. Decrement.

use argmin::core::{
    CostFunction, Error as ArgminError, Gradient, Hessian, IterState, Problem, Solver, State,
    TerminationReason, TerminationStatus, KV,
};

use crate::criterion::Order;
use crate::error::Result;
use crate::linalg::{axpy, dot, symmetric_eigen, Eigen};
use crate::objective::Objective;

/// The state that argmin keeps between iterations.
pub type NewtonState = IterState<Vec<f64>, Vec<f64>, (), Vec<Vec<f64>>, (), f64>;

/// The solver and its settings.
#[derive(Debug, Clone)]
pub struct NewtonTrustRegion {
    /// Stop when the Newton decrement `g'H^-1 g / 2` falls below this (units of the criterion).
    pub tolerance: f64,
    radius: f64,
    stalled: usize,
    finished: Option<TerminationReason>,
}

/// The decrement at which parameters are as precise as the derivatives.
const POLISHED: f64 = 1e-22;

/// The decrement that the criterion could show, with room to spare.
const SHOWN: f64 = 1e-11;

/// Relative to the largest eigenvalue, where a direction counts as not determined when a solution is polished: rounding
/// of the gradient would be blown up there.
const WEAK: f64 = 1e-6;

/// `g'H^-1 g / 2` over the directions of positive curvature, and whether there are others that matter.
#[derive(Debug, Clone, Copy)]
pub struct Decrement {
    /// The decrease that a full Newton step promises.
    pub value: f64,
    /// Some eigenvalue is negative beyond rounding.
    pub indefinite: bool,
}

fn largest_eigenvalue(eigen: &Eigen) -> f64 {
    eigen.values.iter().fold(0.0f64, |a, v| a.max(v.abs()))
}

/// The Newton decrement over the directions whose curvature is above `cutoff`.
fn decrement_above(g: &[f64], eigen: &Eigen, cutoff: f64) -> f64 {
    let parts = eigen.values.iter().enumerate().filter(|(_, v)| **v > cutoff);
    parts
        .map(|(j, v)| 0.5 * dot(eigen.vector(j), g).powi(2) / v)
        .sum()
}

/// The Newton decrement from the gradient and the eigen-decomposition of the Hessian.
pub fn decrement(g: &[f64], eigen: &Eigen) -> Decrement {
    let largest = largest_eigenvalue(eigen);
    Decrement {
        value: decrement_above(g, eigen, 1e-13 * largest),
        indefinite: eigen.values.first().is_some_and(|v| *v < -1e-9 * largest),
    }
}

/// The exact minimiser of the quadratic model in a ball.
pub fn trust_region_step(g: &[f64], eigen: &Eigen, radius: f64) -> Vec<f64> {
    let n = g.len();
    let c: Vec<f64> = (0..n).map(|j| dot(eigen.vector(j), g)).collect();
    let lowest = eigen.values[0];
    let largest = largest_eigenvalue(eigen).max(f64::MIN_POSITIVE);
    let norm = |mu: f64| -> f64 {
        let terms = c
            .iter()
            .zip(&eigen.values)
            .map(|(c, v)| if *c == 0.0 { 0.0 } else { (c / (v + mu)).powi(2) });
        terms.sum::<f64>().sqrt()
    };
    let floor = if lowest > 1e-14 * largest {
        0.0
    } else {
        -lowest + 1e-14 * largest
    };
    let (mut mu, mut along) = (floor, 0.0);
    let at_floor = norm(floor);
    if at_floor > radius {
        mu = secular_root(&norm, floor, radius, size(g) / radius);
    } else if lowest < 0.0 {
        along = (radius * radius - at_floor * at_floor).max(0.0).sqrt();
    }
    let mut d = vec![0.0; n];
    for (j, (c, v)) in c.iter().zip(&eigen.values).enumerate() {
        let mut step = if *c == 0.0 { 0.0 } else { -c / (v + mu) };
        if j == 0 && along > 0.0 {
            step += if step < 0.0 { -along } else { along };
        }
        axpy(step, eigen.vector(j), &mut d);
    }
    d
}

/// The `mu` in `[low, low + width]` with `norm(mu) = radius`, by bisection.
fn secular_root(norm: &dyn Fn(f64) -> f64, low: f64, radius: f64, width: f64) -> f64 {
    let (mut a, mut b) = (low, low + width.max(f64::MIN_POSITIVE));
    for _ in 0..100 {
        let middle = 0.5 * (a + b);
        if norm(middle) > radius {
            a = middle;
        } else {
            b = middle;
        }
        if b - a <= 1e-10 * (b - low) {
            break;
        }
    }
    b
}

/// A symmetric matrix given as rows, flat.
fn flat(h: &[Vec<f64>]) -> Vec<f64> {
    h.iter().flatten().copied().collect()
}

fn predicted(g: &[f64], h: &[Vec<f64>], d: &[f64]) -> f64 {
    let curvature: f64 = h.iter().zip(d).map(|(row, di)| di * dot(row, d)).sum();
    -(dot(g, d) + 0.5 * curvature)
}

fn size(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

/// Argmin moves values in and out of its state; a missing one is an invariant failure.
fn taken<T>(value: Option<T>) -> std::result::Result<T, ArgminError> {
    value.ok_or_else(|| crate::error::Error::Bug("the optimiser's state is incomplete".to_string()).into())
}

impl NewtonTrustRegion {
    /// A solver that stops at the given decrement.
    pub fn new(tolerance: f64) -> Self {
        NewtonTrustRegion {
            tolerance,
            radius: 1.0,
            stalled: 0,
            finished: None,
        }
    }

    fn check(&mut self, g: &[f64], eigen: &Eigen) {
        let decrement = decrement(g, eigen);
        if !decrement.indefinite && decrement.value < self.tolerance {
            self.finished = Some(TerminationReason::SolverConverged);
        }
    }
}

impl<O> Solver<O, NewtonState> for NewtonTrustRegion
where
    O: CostFunction<Param = Vec<f64>, Output = f64>
        + Gradient<Param = Vec<f64>, Gradient = Vec<f64>>
        + Hessian<Param = Vec<f64>, Hessian = Vec<Vec<f64>>>,
{
    const NAME: &'static str = "Newton, trust region";

    fn init(
        &mut self,
        problem: &mut Problem<O>,
        state: NewtonState,
    ) -> std::result::Result<(NewtonState, Option<KV>), ArgminError> {
        let x = taken(state.get_param().cloned())?;
        let cost = problem.cost(&x)?;
        let gradient = problem.gradient(&x)?;
        let hessian = problem.hessian(&x)?;
        self.radius = size(&x).max(1.0);
        self.check(&gradient, &symmetric_eigen(&flat(&hessian), x.len())?);
        Ok((
            state.param(x).cost(cost).gradient(gradient).hessian(hessian),
            None,
        ))
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<O>,
        mut state: NewtonState,
    ) -> std::result::Result<(NewtonState, Option<KV>), ArgminError> {
        let x = taken(state.take_param())?;
        let g = taken(state.take_gradient())?;
        let h = taken(state.take_hessian())?;
        let cost = state.get_cost();
        let eigen = symmetric_eigen(&flat(&h), x.len())?;
        let d = trust_region_step(&g, &eigen, self.radius);
        let promised = predicted(&g, &h, &d);
        let trial: Vec<f64> = x.iter().zip(&d).map(|(a, b)| a + b).collect();
        let trial_cost = problem.cost(&trial)?;
        let noise = 1e-14 * cost.abs().max(1.0);
        let ratio = (cost - trial_cost) / promised.max(f64::MIN_POSITIVE);
        // below the rounding of the criterion its differences mean nothing; the model is trusted instead
        let trusted = promised <= 10.0 * noise && trial_cost <= cost + 10.0 * noise;
        if ratio > 0.75 || trusted {
            self.radius = self.radius.max(2.0 * size(&d));
        } else if ratio.is_nan() || ratio < 0.25 {
            self.radius = 0.25 * size(&d);
        }
        self.stalled = if promised <= noise { self.stalled + 1 } else { 0 };
        if self.radius <= 1e-13 * size(&x).max(1.0) || self.stalled > 3 {
            self.finished = Some(TerminationReason::SolverExit("no further decrease".to_string()));
        }
        if !(ratio > 1e-4 || trusted) {
            return Ok((state.param(x).cost(cost).gradient(g).hessian(h), None));
        }
        let gradient = problem.gradient(&trial)?;
        let hessian = problem.hessian(&trial)?;
        self.check(&gradient, &symmetric_eigen(&flat(&hessian), trial.len())?);
        Ok((
            state
                .param(trial)
                .cost(trial_cost)
                .gradient(gradient)
                .hessian(hessian),
            None,
        ))
    }

    fn terminate(&mut self, _state: &NewtonState) -> TerminationStatus {
        match &self.finished {
            Some(reason) => TerminationStatus::Terminated(reason.clone()),
            None => TerminationStatus::NotTerminated,
        }
    }
}

/// More full Newton steps, at most `steps`, each kept where it shrinks the gradient (in the metric of the inverse
/// Hessian). They end when the decrement is far below what the criterion itself can show.
///
/// # Errors
/// Those of the objective.
pub fn polish(objective: &Objective<'_>, mut x: Vec<f64>, steps: usize) -> Result<Vec<f64>> {
    for _ in 0..steps {
        let (g, h) = objective.curvature(&x, Order::Hessian)?;
        let before = symmetric_eigen(&h, x.len())?;
        let cutoff = WEAK * largest_eigenvalue(&before);
        let reached = decrement_above(&g, &before, cutoff);
        // where a Hessian is expensive, what the criterion can show is enough
        let enough = if objective.stepping() == Order::Hessian {
            POLISHED
        } else {
            SHOWN
        };
        if before.values[0] < -cutoff || reached < enough {
            break;
        }
        let mut trial = x.clone();
        for (j, v) in before.values.iter().enumerate().filter(|(_, v)| **v > cutoff) {
            axpy(-dot(before.vector(j), &g) / v, before.vector(j), &mut trial);
        }
        let (old, new) = (objective.value(&x)?, objective.value(&trial)?);
        if !new.is_finite() || new > old + 1e-13 * old.abs().max(1.0) {
            break;
        }
        let (g, h) = objective.curvature(&trial, Order::Hessian)?;
        let after = symmetric_eigen(&h, x.len())?;
        if after.values[0] < -cutoff || decrement_above(&g, &after, cutoff) >= reached {
            break;
        }
        x = trial;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn an_inner_minimum_is_the_newton_step() {
        let h = [2.0, 0.5, 0.5, 1.0];
        let d = trust_region_step(&[1.0, -1.0], &symmetric_eigen(&h, 2).unwrap(), 100.0);
        assert_relative_eq!(2.0 * d[0] + 0.5 * d[1], -1.0, epsilon = 1e-12);
        assert_relative_eq!(0.5 * d[0] + d[1], 1.0, epsilon = 1e-12);
    }

    #[test]
    fn a_step_against_the_border_has_the_length_of_the_radius() {
        for h in [
            [2.0, 0.0, 0.0, 1.0],
            [-2.0, 0.0, 0.0, 1.0],
            [-2.0, 1.0, 1.0, -3.0],
        ] {
            let d = trust_region_step(&[3.0, -1.0], &symmetric_eigen(&h, 2).unwrap(), 0.3);
            assert_relative_eq!(size(&d), 0.3, epsilon = 1e-8);
        }
    }

    #[test]
    fn at_a_saddle_without_gradient_the_step_follows_negative_curvature() {
        let d = trust_region_step(
            &[0.0, 0.0],
            &symmetric_eigen(&[1.0, 0.0, 0.0, -1.0], 2).unwrap(),
            0.5,
        );
        assert_relative_eq!(d[1].abs(), 0.5, epsilon = 1e-10);
        assert_relative_eq!(d[0], 0.0, epsilon = 1e-10);
    }
}
