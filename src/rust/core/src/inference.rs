//! How the covariance of the estimated fixed effects depends on the variance parameters, and how well these are known.
//!
//! With `Phi = sigma^2 S`, `S = (X'V^-1X)^-1`, two methods estimate the precision of Phi. Both need its derivatives in
//! some coordinates of the variance parameters and the covariance of their estimates in the same ones; degrees of freedom
//! of a contrast l follow as `2 (l'Phi l)^2 / (g'C g)`, `g_k = l'(d Phi / d gamma_k) l`.
//!
//! - Satterthwaite's (Giesbrecht and Burns 1985; Fai and Cornelius 1996): C is twice the inverse of the observed Hessian
//!   of `-2 l`, jointly with sigma^2, at the factors Lambda, where a singular fit is an inner point.
//! - Kenward and Roger (1997): C from the expected information of the restricted likelihood, in coordinates in which the
//!   covariance of y is linear; and Phi adjusted for its bias, `Phi + 2 Phi [sum_ij C_ij (Q_ij - P_i Phi P_j)] Phi`.
//!
//! In the coordinates of [`Moments`], fixed effects are in units in which `X'V^-1X` is the identity. The directions of the
//! covariance of y are those of Psi and `V` itself (that is, `log sigma^2` at fixed Psi), not the unit matrix: every
//! quantity is then a sum of squares of the fit, and those of V are known.
//!
//! Vignette "The algorithm": Eq. Satterthwaite, Eq. Kenward-Roger.

use std::sync::atomic::AtomicBool;

use crate::criterion::TermShape;
use crate::design::Design;
use crate::engine::{choose, Engine, Moments};
use crate::error::Result;
use crate::estimates::{basis_to_engine, estimates, fixed_root, to_engine};
use crate::fit::{start_lambda, threads_for, Options};
use crate::linalg::{axpy, dot, matmul, square_size, symmetric_eigen, transpose};
use crate::memory::refuse;
use crate::parallel::Workers;
use crate::params::Coordinates;

/// Relative to the largest, an eigenvalue of a scaled information matrix that tells nothing.
const NO_INFORMATION: f64 = 1e-10;

/// Derivatives of the covariance of the fixed effects in some coordinates of the variance parameters, the last one
/// being `log sigma^2`, and the covariance of their estimates.
#[derive(Debug, Clone)]
pub struct Sensitivity {
    /// Per coordinate `d Phi`, `p x p`, in the user's units.
    pub derivatives: Vec<Vec<f64>>,
    /// Covariance of the estimated coordinates.
    pub covariance: Vec<f64>,
}

/// What tests of fixed effects need.
#[derive(Debug, Clone)]
pub struct Inference {
    /// By the observed information in the free elements of Lambda.
    pub satterthwaite: Sensitivity,
    /// By the expected information of the restricted likelihood in the free elements of Psi, and the adjusted Phi, where
    /// it was asked for.
    pub kenward_roger: Option<(Sensitivity, Vec<f64>)>,
    /// Per direction of Psi (user's units) `tr(V^-1 G_d)`.
    pub traces: Vec<f64>,
    /// `tr(V^-1 G_d V^-1 G_e)`, `r x r`, user's units.
    pub products: Vec<f64>,
    /// Per direction `S X'V^-1 G_d V^-1 X S`, `p x p`, user's units.
    pub information: Vec<Vec<f64>>,
}

/// What tests of fixed effects need, at `options.start`.
///
/// # Errors
/// As [`crate::fit()`].
pub fn inference(
    design: &Design<'_>,
    options: &Options,
    adjusted: bool,
    stop: &AtomicBool,
) -> Result<Inference> {
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let mut engine = choose(design, options.making(), &workers)?;
    let engine = engine.as_mut();
    let at = to_engine(engine, &start_lambda(design, options)?)?;
    check_memory(engine, options.max_memory)?;
    let sigma2 = estimates(engine, &at)?.sigma2;
    let free: Vec<Vec<bool>> = design.terms.iter().map(|t| t.free.clone()).collect();
    let coordinates = Coordinates::new(engine.shapes(), &engine.frame().gram, &free, Some(&at))?;
    let moments = engine.moments()?;
    let frame = Units {
        root: fixed_root(engine),
        sigma2,
        p: engine.frame().p(),
    };
    let satterthwaite = observed(engine, &coordinates, &moments, &frame)?;
    let kenward_roger = match adjusted {
        true => Some(expected(engine, &coordinates, &moments, &frame)?),
        false => None,
    };
    let map = basis_to_engine(engine)?;
    let r = square_size(&map);
    let back = |along: &[f64]| matmul(&transpose(&map, r, r), along, r, r, along.len() / r.max(1));
    let half = back(&moments.products);
    let turned = transpose(&half, r, r);
    Ok(Inference {
        satterthwaite,
        kenward_roger,
        traces: back(&along_directions(engine.shapes(), &moments.traces)),
        products: back(&turned),
        information: combine(&moments.first, &map)
            .iter()
            .map(|b| frame.covariance(b))
            .collect(),
    })
}

/// The second moments are as many as pairs of variance parameters and of fixed effects.
fn check_memory(engine: &dyn Engine, limit: f64) -> Result<()> {
    let r: usize = engine.shapes().iter().map(TermShape::packed_len).sum();
    let (r, p) = (r as f64, engine.frame().p() as f64);
    let bytes = 8.0 * (r * p).powi(2);
    if bytes > limit {
        return Err(refuse(bytes, limit, "second moments of the fixed effects"));
    }
    Ok(())
}

/// From the coordinates of the moments to the user's units.
struct Units {
    /// `S = B B'`.
    root: Vec<f64>,
    sigma2: f64,
    p: usize,
}

impl Units {
    /// `B A B'`.
    fn covariance(&self, a: &[f64]) -> Vec<f64> {
        let p = self.p;
        let left = matmul(&self.root, a, p, p, p);
        matmul(&left, &transpose(&self.root, p, p), p, p, p)
    }

    /// `sigma^2 B A B'`.
    fn scaled(&self, a: &[f64]) -> Vec<f64> {
        let mut out = self.covariance(a);
        out.iter_mut().for_each(|v| *v *= self.sigma2);
        out
    }
}

/// `sum_d map_dk A_d` for every column k of the map.
fn combine(parts: &[Vec<f64>], map: &[f64]) -> Vec<Vec<f64>> {
    let size = parts.first().map_or(0, Vec::len);
    let column = |weights: &[f64]| {
        let mut sum = vec![0.0; size];
        parts.iter().zip(weights).for_each(|(a, w)| axpy(*w, a, &mut sum));
        sum
    };
    map.chunks_exact(parts.len().max(1)).map(column).collect()
}

/// Sums over the elements of each direction.
fn along_directions(shapes: &[TermShape], gradient: &[Vec<f64>]) -> Vec<f64> {
    let all = shapes.iter().zip(gradient);
    all.flat_map(|(shape, g)| {
        let sum = |pairs: &Vec<(usize, usize)>| pairs.iter().map(|(a, b)| g[b * shape.q + a]).sum::<f64>();
        shape
            .structure
            .directions(shape.q)
            .iter()
            .map(sum)
            .collect::<Vec<f64>>()
    })
    .collect()
}

/// Columns of a map that belong to some places.
fn columns(map: &[f64], places: &[usize]) -> Vec<f64> {
    let r = square_size(map);
    let pick = |k: &usize| map[k * r..(k + 1) * r].iter().copied();
    places.iter().flat_map(pick).collect()
}

/// `Phi`'s derivatives along coordinates whose columns are given, and along `log sigma^2`.
fn derivatives(moments: &Moments, map: &[f64], units: &Units) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = combine(&moments.first, map)
        .iter()
        .map(|b| units.scaled(b))
        .collect();
    all.push(units.scaled(&crate::linalg::identity(units.p)));
    all
}

/// Satterthwaite's.
fn observed(
    engine: &mut dyn Engine,
    coordinates: &Coordinates,
    moments: &Moments,
    units: &Units,
) -> Result<Sensitivity> {
    let found = engine.derivatives(crate::criterion::Order::Hessian)?;
    let x = coordinates.start();
    let (m, n) = (x.len(), engine.denominator());
    let map = columns(&coordinates.chain(&x), &coordinates.free_places());
    let profiled = coordinates.hessian(&x, &found);
    // d^2(-2 l) / d x d log sigma^2
    let slope = coordinates.pull_back(&x, &found.r2_gradient);
    let per_unit = engine.root().r2 / n;
    let cross: Vec<f64> = slope.iter().map(|v| -v / per_unit).collect();
    let size = m + 1;
    let mut joint = vec![0.0; size * size];
    for j in 0..m {
        for i in 0..m {
            joint[j * size + i] = profiled[j * m + i] + cross[i] * cross[j] / n;
        }
        (joint[j * size + m], joint[m * size + j]) = (cross[j], cross[j]);
    }
    joint[m * size + m] = n;
    Ok(Sensitivity {
        derivatives: derivatives(moments, &map, units),
        covariance: twice_inverse(&joint)?,
    })
}

/// Kenward and Roger's, with the adjusted Phi.
fn expected(
    engine: &dyn Engine,
    coordinates: &Coordinates,
    moments: &Moments,
    units: &Units,
) -> Result<(Sensitivity, Vec<f64>)> {
    let (p, places) = (units.p, coordinates.free_places());
    let m = places.len();
    let traces = along_directions(engine.shapes(), &moments.traces);
    let trace = |a: &[f64]| (0..p).map(|j| a[j * p + j]).sum::<f64>();
    let pair = |d: usize, e: usize| &moments.second[d.max(e) * (d.max(e) + 1) / 2 + d.min(e)];
    let r = moments.first.len();
    let size = m + 1;
    let mut information = vec![0.0; size * size];
    for (j, d) in places.iter().enumerate() {
        for (i, e) in places.iter().enumerate() {
            information[j * size + i] = moments.products[d * r + e] - 2.0 * trace(pair(*d, *e))
                + dot(&moments.first[*d], &moments.first[*e]);
        }
        let along_v = traces[*d] - trace(&moments.first[*d]);
        (information[j * size + m], information[m * size + j]) = (along_v, along_v);
    }
    information[m * size + m] = (engine.frame().n - p) as f64;
    let covariance = twice_inverse(&information)?;
    // along V the terms of the adjustment cancel: Q = P Phi P there
    let mut adjusted = crate::linalg::identity(p);
    for (j, d) in places.iter().enumerate() {
        for (i, e) in places.iter().enumerate() {
            let weight = 2.0 * covariance[j * size + i];
            axpy(weight, pair(*d, *e), &mut adjusted);
            let product = matmul(&moments.first[*d], &moments.first[*e], p, p, p);
            axpy(-weight, &product, &mut adjusted);
        }
    }
    let mut unit = vec![0.0; r * m];
    places.iter().enumerate().for_each(|(k, d)| unit[k * r + d] = 1.0);
    let sensitivity = Sensitivity {
        derivatives: derivatives(moments, &unit, units),
        covariance,
    };
    Ok((sensitivity, units.scaled(&adjusted)))
}

/// `2 H^-1` of a symmetric matrix in any units; directions without (positive) curvature are left out.
fn twice_inverse(h: &[f64]) -> Result<Vec<f64>> {
    let n = square_size(h);
    let unit = |j: usize| match h[j * n + j] {
        v if v > 0.0 => v.sqrt(),
        _ => 1.0,
    };
    let units: Vec<f64> = (0..n).map(unit).collect();
    let scaled: Vec<f64> = (0..n * n).map(|k| h[k] / (units[k % n] * units[k / n])).collect();
    let eigen = symmetric_eigen(&scaled, n)?;
    let largest = eigen.values.iter().fold(0.0f64, |a, v| a.max(*v));
    let mut out = vec![0.0; n * n];
    for (j, value) in eigen.values.iter().enumerate() {
        if *value > NO_INFORMATION * largest {
            let vector = eigen.vector(j);
            for (column, v) in out.chunks_exact_mut(n).zip(vector) {
                axpy(2.0 * v / value, vector, column);
            }
        }
    }
    (0..n * n).for_each(|k| out[k] /= units[k % n] * units[k / n]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn twice_the_inverse_leaves_out_what_is_not_known() {
        let h = [4e12, 2e6, 0.0, 2e6, 5.0, 0.0, 0.0, 0.0, 0.0];
        let c = twice_inverse(&h).unwrap();
        assert_relative_eq!(4e12 * c[0] + 2e6 * c[1], 2.0, epsilon = 1e-12);
        assert_relative_eq!((2e6 * c[0] + 5.0 * c[1]) * 1e6, 0.0, epsilon = 1e-9);
        assert_eq!(c[8], 0.0);
    }
}
