//! The lists of what clusters contribute, of prediction variances and of the random effects given the fixed ones.

use extendr_api::prelude::*;
use mixedlm_core::conditional::Conditional;
use mixedlm_core::design::Design;
use mixedlm_core::prediction::Prediction;
use mixedlm_core::robust::Robust;

use crate::results::matrix;

/// The contributions of clusters: matrices and, without moments, empty arrays.
pub fn robust_list(p: usize, r: &Robust) -> List {
    let m = r.scores.len() / p.max(1);
    let array = |v: &[f64]| {
        let clusters = if v.is_empty() { 0 } else { m };
        Robj::from(RMatrix3D::new_matrix3d(p, p, clusters, |i, j, l| {
            v[(l * p + j) * p + i]
        }))
    };
    list!(
        status = "ok",
        root = RMatrix::new_matrix(p, p, |i, j| r.r_inverse[j * p + i]),
        scores = RMatrix::new_matrix(p, m, |i, j| r.scores[j * p + i]),
        crosses = array(&r.crosses),
        squares = array(&r.squares)
    )
}

/// Standard errors of prediction relative to sigma, a vector each.
pub fn prediction_list(p: Prediction) -> List {
    list!(status = "ok", fixed = p.fixed, random = p.random, both = p.both)
}

/// Per term the modes (`q x levels`) and what they answer to the fixed effects (`p x q levels`); a variance for each row.
pub fn conditional_list(design: &Design<'_>, c: Conditional) -> List {
    let p = c.kept.len();
    let kept: Vec<i32> = c.kept.iter().map(|j| *j as i32 + 1).collect();
    let modes = design.terms.iter().zip(&c.modes).map(|(t, b)| {
        let q = t.columns.len();
        matrix(b, q, b.len() / q.max(1))
    });
    let responses = design.terms.iter().zip(&c.responses).map(|(t, k)| {
        let effects = t.columns.len() * design.factors[t.factor].levels;
        matrix(k, p, effects)
    });
    list!(
        status = "ok",
        kept = kept,
        beta = c.beta,
        beta_cov_unscaled = matrix(&c.beta_covariance, p, p),
        modes = List::from_values(modes),
        responses = List::from_values(responses),
        variances = c.variances
    )
}
