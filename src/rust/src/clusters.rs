//! The lists of what clusters contribute and of prediction variances.

use extendr_api::prelude::*;
use mixedlm_core::prediction::Prediction;
use mixedlm_core::robust::Robust;

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
