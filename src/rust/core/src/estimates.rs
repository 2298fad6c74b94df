//! From the engine's units to the user's.

use crate::criterion::{Derivatives, Order, TermShape, Value};
use crate::design::Design;
use crate::engine::{Engine, Frame};
use crate::error::{Error, Result};
use crate::linalg::{axpy, block_diagonal, identity, matmul, square_size, transpose};
use crate::params::{congruence_map, invert_lower};

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

/// Per term the lower-triangular U with `Lambda (user) = U Lambda (engine)`: scaling and whitening together.
pub(crate) fn units(engine: &dyn Engine) -> Vec<Vec<f64>> {
    let frame = engine.frame();
    let root = frame.scaling.w.sqrt();
    let unit = |(t, z): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
        t.iter()
            .enumerate()
            .map(|(k, v)| v / (z[k % z.len()] * root))
            .collect()
    };
    frame.whitener.iter().zip(&frame.scaling.z).map(unit).collect()
}

/// `U A U'`.
pub(crate) fn congruence(u: &[f64], a: &[f64]) -> Vec<f64> {
    let q = square_size(u);
    matmul(&matmul(u, a, q, q, q), &transpose(u, q, q), q, q, q)
}

/// Lambda in the engine's units from the user's.
///
/// # Errors
/// [`Error::Numerical`].
pub fn to_engine(engine: &dyn Engine, lambda: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
    let convert = |(l, u): (&Vec<f64>, Vec<f64>)| {
        let q = square_size(&u);
        Ok(matmul(&invert_lower(&u, q)?, l, q, q, q))
    };
    lambda.iter().zip(units(engine)).map(convert).collect()
}

/// Lambda in the user's units from the engine's.
pub fn to_user(engine: &dyn Engine, lambda: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let convert =
        |(l, u): (&Vec<f64>, Vec<f64>)| matmul(&u, l, square_size(&u), square_size(&u), square_size(&u));
    lambda.iter().zip(units(engine)).map(convert).collect()
}

/// The upper-triangular factor of `S = (X'V^-1X)^-1` in the user's units: S is this times its transpose.
pub fn fixed_root(engine: &dyn Engine) -> Vec<f64> {
    let (frame, p) = (engine.frame(), engine.frame().p());
    let root = frame.scaling.w.sqrt();
    let unit = |i: usize| frame.scaling.x[frame.kept[i]] * root;
    let all = engine.root().r_inverse.iter().enumerate();
    all.map(|(k, v)| v / unit(k % p)).collect()
}

/// The map from the user's coordinates of Psi to the engine's, `r x r`: `Psi (engine) = U^-1 Psi (user) U^-T`.
///
/// # Errors
/// [`Error::Numerical`].
pub fn basis_to_engine(engine: &dyn Engine) -> Result<Vec<f64>> {
    let blocks = engine
        .shapes()
        .iter()
        .zip(units(engine))
        .map(|(shape, u)| {
            Ok(congruence_map(
                shape.structure,
                shape.q,
                &invert_lower(&u, shape.q)?,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(block_diagonal(&blocks))
}

/// Fixed effects of the kept columns at the last evaluation, in the user's units.
pub fn fixed_effects(engine: &dyn Engine) -> Vec<f64> {
    fixed_effects_of(engine.frame(), &engine.root().beta)
}

/// Fixed effects of the kept columns in the user's units, from scaled ones.
pub(crate) fn fixed_effects_of(frame: &Frame, beta: &[f64]) -> Vec<f64> {
    let scaling = &frame.scaling;
    let of = |(j, b): (&usize, &f64)| b * (scaling.y / scaling.x[*j]) + scaling.shift * scaling.constant[*j];
    frame.kept.iter().zip(beta).map(of).collect()
}

/// The residual variance at the last evaluation, in the user's units.
///
/// # Errors
/// [`Error::InvalidInput`] (`"scale"`) when it cannot be represented.
pub fn residual_variance(engine: &dyn Engine) -> Result<f64> {
    let scaling = &engine.frame().scaling;
    let sigma2 = engine.root().r2 * scaling.w * scaling.y * scaling.y / engine.denominator();
    if sigma2.is_finite() && sigma2 >= f64::MIN_POSITIVE {
        return Ok(sigma2);
    }
    Err(Error::invalid(
        "scale",
        "the residual variance is outside the range of numbers; rescale the response",
    ))
}

fn check_range(values: &[&[f64]], what: &str, columns: &str) -> Result<()> {
    if values.iter().all(|v| v.iter().all(|x| x.is_finite())) {
        return Ok(());
    }
    Err(Error::invalid(
        "scale",
        format!("{what} is outside the range of numbers; rescale the columns of {columns}"),
    ))
}

/// Everything at the factors `lambda` (engine's units).
///
/// # Errors
/// [`Error::InvalidInput`] (`"scale"`) when an estimate cannot be represented in the user's units.
pub fn estimates(engine: &mut dyn Engine, lambda: &[Vec<f64>]) -> Result<Estimates> {
    let mut value = engine.value(lambda)?;
    let derivatives = engine.derivatives(Order::Hessian)?;
    let units = units(engine);
    let user = to_user(engine, lambda);
    let map = basis_to_engine(engine)?;
    let sigma2 = residual_variance(engine)?;
    let (frame, root) = (engine.frame(), engine.root());
    let (scaling, p) = (&frame.scaling, frame.p());
    let kept = &frame.kept;
    let beta = fixed_effects(engine);
    let fixed = fixed_root(engine);
    let beta_covariance = matmul(&fixed, &transpose(&fixed, p, p), p, p, p);
    let denominator = engine.denominator();
    let r2 = root.r2 * scaling.w * scaling.y * scaling.y;
    value.logdet_xvx += scaling.log_det_correction(kept);
    value.r2 = r2;
    let psi: Vec<Vec<f64>> = user
        .iter()
        .map(|l| congruence(l, &identity(square_size(l))))
        .collect();
    let per_unit = scaling.w * scaling.y * scaling.y;
    let modes = modes_in_user_units(engine)?;
    let beta_units: Vec<f64> = kept.iter().map(|j| scaling.y / scaling.x[*j]).collect();
    let derivatives = rescale(derivatives, engine.shapes(), &units, &map, per_unit, &beta_units)?;
    check_range(&[&beta, &beta_covariance], "a fixed effect or its variance", "x")?;
    for values in user.iter().chain(&psi).chain(&modes) {
        check_range(&[values], "a random effect or its variance", "z")?;
    }
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

/// Per term the conditional modes at the last evaluation, `q x levels`, in the user's units.
///
/// # Errors
/// [`Error::Numerical`].
pub fn modes_in_user_units(engine: &dyn Engine) -> Result<Vec<Vec<f64>>> {
    let scaling = &engine.frame().scaling;
    let response = scaling.y * scaling.w.sqrt();
    let convert = |(b, u): (&Vec<f64>, &Vec<f64>)| {
        let q = square_size(u);
        let mut b = matmul(u, b, q, q, b.len() / q);
        b.iter_mut().for_each(|v| *v *= response);
        b
    };
    Ok(engine
        .conditional_modes()?
        .iter()
        .zip(&units(engine))
        .map(convert)
        .collect())
}

/// Per term the conditional covariances relative to sigma^2, `q x q x levels`, in the user's units.
///
/// # Errors
/// [`Error::Numerical`].
pub fn conditional_variances_in_user_units(engine: &mut dyn Engine) -> Result<Vec<Vec<f64>>> {
    let convert = |(v, u): (&Vec<f64>, Vec<f64>)| -> Vec<f64> {
        v.chunks_exact(u.len()).flat_map(|c| congruence(&u, c)).collect()
    };
    let variances = engine.conditional_variances()?;
    Ok(variances.iter().zip(units(engine)).map(convert).collect())
}

/// Derivatives with respect to Psi in user's units.
fn rescale(
    derivatives: Derivatives,
    shapes: &[TermShape],
    units: &[Vec<f64>],
    map: &[f64],
    per_unit: f64,
    beta_units: &[f64],
) -> Result<Derivatives> {
    let mut gradient = Vec::new();
    for ((shape, u), g) in shapes.iter().zip(units).zip(&derivatives.gradient) {
        let inverse = invert_lower(u, shape.q)?;
        gradient.push(congruence(&transpose(&inverse, shape.q, shape.q), g));
    }
    let r = square_size(map);
    let mapped = matmul(&derivatives.hessian, map, r, r, r);
    let mut hessian = matmul(&transpose(map, r, r), &mapped, r, r, r);
    for j in 0..r {
        for i in 0..j {
            let mean = 0.5 * (hessian[j * r + i] + hessian[i * r + j]);
            (hessian[j * r + i], hessian[i * r + j]) = (mean, mean);
        }
    }
    let p = beta_units.len();
    let mut r2_gradient = matmul(&derivatives.r2_gradient, map, 1, r, r);
    r2_gradient.iter_mut().for_each(|v| *v *= per_unit);
    let mut beta_gradient = matmul(&derivatives.beta_gradient, map, p, r, r);
    beta_gradient
        .iter_mut()
        .enumerate()
        .for_each(|(k, v)| *v *= beta_units[k % p]);
    Ok(Derivatives {
        gradient,
        hessian,
        r2_gradient,
        beta_gradient,
    })
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
    add_effects(design, modes, out);
}

/// Add `Z b` to every row; per term `b` is `q x levels`.
pub fn add_effects(design: &Design<'_>, modes: &[Vec<f64>], out: &mut [f64]) {
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
