//! Expectation-maximisation in Lindstrom and Bates' form (1988), written with the gradient.
//!
//! With sigma^2 and beta profiled out, the update of one term with m levels is `Psi <- Psi - Psi G Psi / m` (unstructured),
//! its diagonal, or the mean of it: the posterior second moment of the random effects of one level. It needs no step
//! length, cannot leave the parameter space, and is slow.
//!
//! Vignette "The algorithm": Eq. EM.

use crate::criterion::Order;
use crate::error::Result;
use crate::linalg::{matmul, semidefinite_cholesky, transpose};
use crate::objective::Objective;

/// One update of all unrestricted terms; terms with elements held fixed stay as they are.
///
/// # Errors
/// Those of the objective.
pub fn em_step(objective: &Objective<'_>, x: &[f64]) -> Result<Vec<f64>> {
    let derivatives = objective.derivatives(x, Order::Gradient)?;
    let coordinates = &objective.coordinates;
    let gradients = coordinates.whitened_gradient(&derivatives);
    let mut factors = coordinates.whitened(x);
    for ((term, g), l) in coordinates.terms.iter().zip(&gradients).zip(factors.iter_mut()) {
        if !term.is_unrestricted() {
            continue;
        }
        let q = term.shape.q;
        let mut psi = matmul(l, &transpose(l, q, q), q, q, q);
        let mut g = g.clone();
        term.shape.structure.project(q, &mut g);
        let step = matmul(&matmul(&psi, &g, q, q, q), &psi, q, q, q);
        for (p, s) in psi.iter_mut().zip(&step) {
            *p -= s / term.shape.levels as f64;
        }
        *l = semidefinite_cholesky(&psi, q, 1e-15);
    }
    Ok(coordinates.pack(&factors))
}

/// Updates until the criterion changes by less than `tolerance`, or `most` of them. Returns the parameters and the number
/// of updates.
///
/// # Errors
/// Those of the objective.
pub fn em(
    objective: &Objective<'_>,
    mut x: Vec<f64>,
    tolerance: f64,
    most: usize,
) -> Result<(Vec<f64>, usize)> {
    let mut cost = objective.value(&x)?;
    for step in 0..most {
        let next = em_step(objective, &x)?;
        let next_cost = objective.value(&next)?;
        if next_cost.is_nan() || next_cost > cost + 1e-9 * cost.abs().max(1.0) {
            return Ok((x, step));
        }
        let change = cost - next_cost;
        (x, cost) = (next, next_cost);
        if change.abs() < tolerance {
            return Ok((x, step + 1));
        }
    }
    Ok((x, most))
}
