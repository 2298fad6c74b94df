//! From the engine's units to the user's.

use crate::criterion::Criterion;
use crate::criterion::{Derivatives, Order, TermShape, Value};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::grouped::{conditional_modes, conditional_variances, Grouped};
use crate::linalg::axpy;
use crate::params::congruence_map;

/// Estimates and derivatives in the units of the data.
#[derive(Debug, Clone)]
pub struct Estimates {
    /// Fixed effects of the kept columns.
    pub beta: Vec<f64>,
    /// `S = (X'V^-1X)^-1`, `p x p`: times sigma2 the covariance of beta.
    pub beta_covariance: Vec<f64>,
    /// Residual variance.
    pub sigma2: f64,
    /// Generalised residual sum of squares.
    pub r2: f64,
    /// `N`.
    pub denominator: f64,
    /// The criterion and its parts.
    pub value: Value,
    /// Per term Lambda.
    pub lambda: Vec<Vec<f64>>,
    /// Per term Psi.
    pub psi: Vec<Vec<f64>>,
    /// Derivatives of the criterion in the coordinates of Psi.
    pub derivatives: Derivatives,
    /// Per term conditional modes, `q x levels`.
    pub modes: Vec<Vec<f64>>,
}

/// Per term the divisors `d` with `Lambda (engine) = diag(d) Lambda (user)`.
fn divisors(engine: &Grouped<'_>) -> Vec<Vec<f64>> {
    let scaling = &engine.reduced().scaling;
    let root = scaling.w.sqrt();
    scaling
        .z
        .iter()
        .map(|z| z.iter().map(|s| s * root).collect())
        .collect()
}

/// Lambda in the engine's units from the user's.
pub fn to_engine(engine: &Grouped<'_>, lambda: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let rescale = |(l, d): (&Vec<f64>, Vec<f64>)| -> Vec<f64> {
        let q = d.len();
        l.iter().enumerate().map(|(k, v)| v * d[k % q]).collect()
    };
    lambda.iter().zip(divisors(engine)).map(rescale).collect()
}

/// Everything at the factors `lambda` (engine's units).
///
/// # Errors
/// [`Error::Numerical`] when an estimate cannot be represented in the user's units.
pub fn estimates(engine: &mut Grouped<'_>, lambda: &[Vec<f64>]) -> Result<Estimates> {
    let mut value = engine.value(lambda)?;
    let derivatives = engine.derivatives(Order::Hessian)?;
    let divisors = divisors(engine);
    let (reduced, root) = (engine.reduced(), engine.root());
    let (scaling, p) = (&reduced.scaling, reduced.p());
    let kept = &reduced.kept;
    let beta: Vec<f64> = (0..p)
        .map(|j| root.beta[j] * (scaling.y / scaling.x[kept[j]]) + scaling.shift * scaling.constant[kept[j]])
        .collect();
    let mut beta_covariance = vec![0.0; p * p];
    for (k, column) in root.r_inverse.chunks_exact(p.max(1)).enumerate() {
        for j in 0..=k {
            axpy(
                column[j],
                &column[..=k],
                &mut beta_covariance[j * p..j * p + k + 1],
            );
        }
    }
    for j in 0..p {
        for i in 0..p {
            beta_covariance[j * p + i] /= scaling.x[kept[i]] * scaling.x[kept[j]] * scaling.w;
        }
    }
    let denominator = engine.denominator();
    let r2 = root.r2 * scaling.w * scaling.y * scaling.y;
    let sigma2 = r2 / denominator;
    if !(sigma2.is_finite() && sigma2 >= f64::MIN_POSITIVE) {
        return Err(Error::invalid(
            "scale",
            "the residual variance is outside the range of numbers; rescale the response",
        ));
    }
    value.logdet_xvx += scaling.log_det_correction(kept);
    value.r2 = r2;
    let user: Vec<Vec<f64>> = lambda
        .iter()
        .zip(&divisors)
        .map(|(l, d)| l.iter().enumerate().map(|(k, v)| v / d[k % d.len()]).collect())
        .collect();
    let psi = user
        .iter()
        .zip(&divisors)
        .map(|(l, d)| {
            crate::linalg::matmul(
                l,
                &crate::linalg::transpose(l, d.len(), d.len()),
                d.len(),
                d.len(),
                d.len(),
            )
        })
        .collect();
    let per_unit = scaling.w * scaling.y * scaling.y;
    let modes = conditional_modes(engine)
        .iter()
        .zip(&scaling.z)
        .map(|(b, z)| {
            b.iter()
                .enumerate()
                .map(|(k, v)| v * (scaling.y / z[k % z.len()]))
                .collect()
        })
        .collect();
    let beta_units: Vec<f64> = kept.iter().map(|j| scaling.y / scaling.x[*j]).collect();
    let derivatives = rescale(derivatives, engine.shapes(), &divisors, per_unit, &beta_units);
    Ok(Estimates {
        beta,
        beta_covariance,
        sigma2,
        r2,
        denominator,
        value,
        lambda: user,
        psi,
        derivatives,
        modes,
    })
}

/// Per term the conditional covariances relative to sigma^2, `q x q x levels`, in the user's units.
///
/// # Errors
/// [`Error::Numerical`].
pub fn conditional_variances_in_user_units(engine: &Grouped<'_>) -> Result<Vec<Vec<f64>>> {
    let mut variances = conditional_variances(engine)?;
    for (v, d) in variances.iter_mut().zip(divisors(engine)) {
        let q = d.len();
        for (k, value) in v.iter_mut().enumerate() {
            *value /= d[k % q] * d[k / q % q];
        }
    }
    Ok(variances)
}

/// Derivatives with respect to Psi in user's units: `Psi (engine) = D Psi (user) D`.
fn rescale(
    derivatives: Derivatives,
    shapes: &[TermShape],
    divisors: &[Vec<f64>],
    per_unit: f64,
    beta_units: &[f64],
) -> Derivatives {
    let mut factor = Vec::new();
    for (shape, d) in shapes.iter().zip(divisors) {
        let q = shape.q;
        let mut t = vec![0.0; q * q];
        (0..q).for_each(|j| t[j * q + j] = d[j]);
        let map = congruence_map(shape.structure, q, &t);
        let r = shape.packed_len();
        factor.extend((0..r).map(|k| map[k * r + k]));
    }
    let r = factor.len();
    let gradient = derivatives
        .gradient
        .iter()
        .zip(divisors)
        .map(|(g, d)| {
            g.iter()
                .enumerate()
                .map(|(k, v)| v * d[k % d.len()] * d[k / d.len()])
                .collect()
        })
        .collect();
    let hessian = derivatives
        .hessian
        .iter()
        .enumerate()
        .map(|(k, v)| v * factor[k % r] * factor[k / r])
        .collect();
    let r2_gradient = derivatives
        .r2_gradient
        .iter()
        .zip(&factor)
        .map(|(v, f)| v * f * per_unit)
        .collect();
    let p = beta_units.len().max(1);
    let unit = |k: usize| beta_units[k % p] * factor[k / p];
    let beta_gradient = derivatives
        .beta_gradient
        .iter()
        .enumerate()
        .map(|(k, v)| v * unit(k))
        .collect();
    Derivatives {
        gradient,
        hessian,
        r2_gradient,
        beta_gradient,
    }
}

/// `X beta + Z b + offset` for every row.
pub fn fitted(design: &Design<'_>, kept: &[usize], beta: &[f64], modes: &[Vec<f64>], out: &mut [f64]) {
    match design.offset {
        Some(offset) => out.copy_from_slice(offset),
        None => out.fill(0.0),
    }
    for (j, b) in kept.iter().zip(beta) {
        axpy(*b, design.x_column(*j), out);
    }
    for (term, b) in design.terms.iter().zip(modes) {
        let q = term.columns.len();
        let codes = design.factors[term.factor].codes;
        for (j, column) in term.columns.iter().enumerate() {
            let effect = |c: i32| b[(c - 1) as usize * q + j];
            match design.z_column(*column) {
                None => out.iter_mut().zip(codes).for_each(|(o, c)| *o += effect(*c)),
                Some(z) => out
                    .iter_mut()
                    .zip(codes)
                    .zip(z)
                    .for_each(|((o, c), z)| *o += effect(*c) * z),
            }
        }
    }
}
