//! The random effects given the response and the fixed effects, for rows that may have told nothing yet.
//!
//! With V relative to sigma^2 and the relative covariance Psi of the random effects,
//!
//! ```text
//! b(beta) = Psi Z'V^-1 (y - X beta) = b(beta-hat) - K (beta - beta-hat),     K = Psi Z'V^-1 X
//! P       = Psi - Psi Z'V^-1 Z Psi
//! ```
//!
//! are their conditional mean and, times sigma^2, covariance (Henderson 1975). A caller who asks about new levels, or about
//! levels that never met, appends rows whose weight is next to nothing: they make the level known, and say nothing about it.
//!
//! Vignette "The algorithm": Eq. Modes.

use std::sync::atomic::AtomicBool;

use crate::design::Design;
use crate::engine::{choose, Engine};
use crate::error::{Error, Result};
use crate::estimates::{fixed_effects, fixed_root, to_engine, units};
use crate::fit::{start_lambda, threads_for, Options};
use crate::linalg::{invert_upper, matmul, square_size, transpose};
use crate::memory::refuse;
use crate::parallel::Workers;
use crate::prediction::effect_rows;

/// The conditional distribution of the random effects at given variance parameters, in the units of the data.
#[derive(Debug, Clone, Default)]
pub struct Conditional {
    /// The columns of X that are kept, in order.
    pub kept: Vec<usize>,
    /// Their estimates, by generalised least squares.
    pub beta: Vec<f64>,
    /// `(X'V^-1X)^-1`: times sigma^2 their covariance.
    pub beta_covariance: Vec<f64>,
    /// Per term the conditional modes at `beta`, `q x levels`.
    pub modes: Vec<Vec<f64>>,
    /// Per term K transposed, `p x q x levels`: the modes at another beta are less by K times the difference.
    pub responses: Vec<Vec<f64>>,
    /// `z'Pz` of the rows from `skip` on, relative to sigma^2.
    pub variances: Vec<f64>,
}

/// The random effects at `options.start`; `skip` is the number of rows whose variance is not asked for.
///
/// # Errors
/// As [`crate::fit::fit`].
pub fn conditional(
    design: &Design<'_>,
    options: &Options,
    skip: usize,
    stop: &AtomicBool,
) -> Result<Conditional> {
    if skip > design.n() {
        return Err(Error::invalid("shape", "skip is more than there are rows"));
    }
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let mut engine = choose(design, options.making(), &workers)?;
    check_memory(design, engine.as_ref(), skip, options.max_memory)?;
    let at = to_engine(engine.as_ref(), &start_lambda(design, options)?)?;
    engine.value(&at)?;
    let (modes, responses) = (modes(engine.as_ref())?, responses(engine.as_ref())?);
    let rows = effect_rows(design, engine.frame(), skip)?;
    let mut variances = if rows.n > 0 {
        engine.row_variances(&rows)?
    } else {
        Vec::new()
    };
    let weight = engine.frame().scaling.w;
    variances.iter_mut().for_each(|v| *v /= weight);
    let (fixed, p) = (fixed_root(engine.as_ref()), engine.frame().p());
    Ok(Conditional {
        beta_covariance: matmul(&fixed, &transpose(&fixed, p, p), p, p, p),
        kept: engine.frame().kept.clone(),
        beta: fixed_effects(engine.as_ref()),
        modes,
        responses,
        variances,
    })
}

/// The rows with their columns of Z, and twice what each level answers to the fixed effects.
fn check_memory(design: &Design<'_>, engine: &dyn Engine, skip: usize, limit: f64) -> Result<()> {
    let rows = (design.n() - skip) as f64;
    let term = |t: &crate::design::Term<'_>| {
        let (q, levels) = (t.columns.len() as f64, design.factors[t.factor].levels as f64);
        q * (rows + levels * (2.0 + 3.0 * engine.frame().p() as f64))
    };
    let bytes = 8.0 * (design.terms.iter().map(term).sum::<f64>() + 2.0 * rows);
    if bytes <= limit {
        Ok(())
    } else {
        Err(refuse(bytes, limit, "most of it for the rows that are predicted"))
    }
}

fn modes(engine: &dyn Engine) -> Result<Vec<Vec<f64>>> {
    let scaling = &engine.frame().scaling;
    let response = scaling.y * scaling.w.sqrt();
    let modes = engine.conditional_modes()?;
    let convert = |(b, u): (&Vec<f64>, Vec<f64>)| {
        let q = square_size(&u);
        let mut b = matmul(&u, b, q, q, b.len() / q.max(1));
        b.iter_mut().for_each(|v| *v *= response);
        b
    };
    Ok(modes.iter().zip(units(engine)).map(convert).collect())
}

/// `K'` from `R^-T K'`, each of its columns for one effect.
fn responses(engine: &dyn Engine) -> Result<Vec<Vec<f64>>> {
    let (frame, p) = (engine.frame(), engine.frame().p());
    let all = engine.responses_to_fixed()?;
    if p == 0 {
        return Ok(all);
    }
    let singular = || Error::Numerical("the fixed effects have no covariance".to_string());
    let r = invert_upper(&engine.root().r_inverse, p, p).ok_or_else(singular)?;
    let root = frame.scaling.w.sqrt();
    let mut transposed = transpose(&r, p, p);
    for (k, v) in transposed.iter_mut().enumerate() {
        *v *= frame.scaling.x[frame.kept[k % p]] * root;
    }
    let convert = |(k, u): (&Vec<f64>, Vec<f64>)| {
        let q = square_size(&u);
        let k = matmul(&transposed, k, p, p, k.len() / p);
        // the columns of a level times U'
        let u = transpose(&u, q, q);
        let level = |k: &[f64]| matmul(k, &u, p, q, q);
        k.chunks_exact(p * q).flat_map(level).collect()
    };
    Ok(all.iter().zip(units(engine)).map(convert).collect())
}
