//! From results to R's lists.

use extendr_api::prelude::*;
use mixedlm_core::design::Design;
use mixedlm_core::engine::Kind;
use mixedlm_core::error::zeros;
use mixedlm_core::estimates::fitted;
use mixedlm_core::fit::{Evaluation, Fit, ProfilePoint};
use mixedlm_core::inference::{Inference, Sensitivity};
use mixedlm_core::profile::{Outcome, Profiles};
use mixedlm_core::Result;

/// A `rows x cols` R matrix of column-major values.
pub fn matrix(values: &[f64], rows: usize, cols: usize) -> Robj {
    RMatrix::new_matrix(rows, cols, |i, j| values[j * rows + i]).into()
}

fn square(values: &[f64]) -> Robj {
    let q = (values.len() as f64).sqrt().round() as usize;
    matrix(values, q, q)
}

fn squares(values: &[Vec<f64>]) -> List {
    List::from_values(values.iter().map(|v| square(v)))
}

/// The list of a fit.
pub fn fit_list(design: &Design<'_>, fit: &Fit) -> Result<List> {
    let (e, c) = (&fit.estimates, &fit.certificate);
    let mut rows = zeros(design.n(), "the fitted values")?;
    fitted(design, &fit.kept, &e.beta, &e.modes, &mut rows);
    let kept: Vec<i32> = fit.kept.iter().map(|j| *j as i32 + 1).collect();
    let modes = design.terms.iter().zip(&e.modes).map(|(t, b)| {
        let q = t.columns.len();
        matrix(b, q, b.len() / q.max(1))
    });
    let (engine, pair, storage) = match fit.kind {
        Kind::Grouped => ("grouped", Vec::new(), ""),
        Kind::Crossed { pair, storage } => {
            let pair = vec![pair.0 as i32 + 1, pair.1 as i32 + 1];
            ("crossed", pair, storage.name())
        }
    };
    Ok(list!(
        status = "ok",
        beta = e.beta.clone(),
        kept = kept,
        beta_cov_unscaled = matrix(&e.beta_covariance, fit.kept.len(), fit.kept.len()),
        sigma2 = e.sigma2,
        pwrss = e.r2,
        denominator = e.denominator,
        criterion = e.value.criterion,
        logdet_v = e.value.logdet_v,
        logdet_xvx = e.value.logdet_xvx,
        log_weights = fit.log_weights,
        theta = squares(&e.lambda),
        psi = squares(&e.psi),
        gradient = squares(&e.derivatives.gradient),
        hessian_psi = square(&e.derivatives.hessian),
        dbeta_psi = matrix(
            &e.derivatives.beta_gradient,
            fit.kept.len(),
            e.derivatives.r2_gradient.len()
        ),
        dr2_psi = e.derivatives.r2_gradient.clone(),
        b = List::from_values(modes),
        fitted = rows,
        engine = engine,
        crossed_pair = pair,
        structure = storage,
        verdict = c.verdict.name(),
        decrement = c.decrement,
        scaled_gradient = c.gradient.clone(),
        hessian_eigenvalues = c.eigenvalues.clone(),
        iterations = c.iterations as i32,
        evaluations = fit.evaluations as i32,
        seconds = vec![fit.reduction_seconds, fit.optimisation_seconds]
    ))
}

/// The points of a profile.
pub fn profile_list(points: &[ProfilePoint]) -> List {
    let column = |f: &dyn Fn(&ProfilePoint) -> f64| points.iter().map(f).collect::<Vec<f64>>();
    list!(
        status = "ok",
        value = column(&|p| p.value),
        scale = column(&|p| p.sigma2),
        criterion = column(&|p| p.criterion),
        verdict = points.iter().map(|p| p.verdict.name()).collect::<Vec<_>>()
    )
}

/// Likelihood profiles: one row of `values` per parameter and one column per point, all profiles one after the other.
pub fn profiles_list(profiles: &Profiles) -> List {
    let (mut states, mut ends, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let mut all = Vec::new();
    for outcome in &profiles.outcomes {
        let (state, end, count) = match outcome {
            Outcome::Profile { points, ends } => {
                all.extend(points);
                ("profile", ends.map(|e| e.name()), points.len())
            }
            Outcome::Held => ("held", [""; 2], 0),
            Outcome::Undefined => ("undefined", [""; 2], 0),
        };
        states.push(state);
        ends.extend(end);
        counts.push(count as i32);
    }
    let rows = profiles.estimates.len();
    let values: Vec<f64> = all.iter().flat_map(|p| p.values.iter().copied()).collect();
    list!(
        status = "ok",
        estimates = profiles.estimates.clone(),
        deviance = profiles.deviance,
        verdict = profiles.verdict.name(),
        evaluations = profiles.evaluations as i32,
        state = states,
        ends = ends,
        count = counts,
        values = matrix(&values, rows, all.len()),
        zeta = all.iter().map(|p| p.zeta).collect::<Vec<_>>(),
        slope = all.iter().map(|p| p.slope).collect::<Vec<_>>(),
        deviances = all.iter().map(|p| p.deviance).collect::<Vec<_>>(),
        converged = all.iter().map(|p| p.converged).collect::<Vec<_>>()
    )
}

/// The criterion and its derivatives in the packed parameters, and in Psi.
pub fn evaluation_list(e: &Evaluation) -> List {
    let (r, p) = (e.gradient.len(), e.kept.len());
    let (at, d) = (&e.estimates, &e.estimates.derivatives);
    list!(
        status = "ok",
        criterion = at.value.criterion,
        sigma2 = at.sigma2,
        gradient = e.gradient.clone(),
        hessian = matrix(&e.hessian, r, r),
        kept = e.kept.iter().map(|j| *j as i32 + 1).collect::<Vec<_>>(),
        beta = at.beta.clone(),
        beta_cov_unscaled = matrix(&at.beta_covariance, p, p),
        pwrss = at.r2,
        denominator = at.denominator,
        logdet_v = at.value.logdet_v,
        logdet_xvx = at.value.logdet_xvx,
        log_weights = e.log_weights,
        gradient_psi = squares(&d.gradient),
        hessian_psi = square(&d.hessian),
        dr2_psi = d.r2_gradient.clone(),
        dbeta_psi = matrix(&d.beta_gradient, p, d.r2_gradient.len())
    )
}

/// Conditional covariances as `q x q x levels` arrays.
pub fn variance_list(design: &Design<'_>, variances: &[Vec<f64>]) -> List {
    let arrays = design.terms.iter().zip(variances).map(|(t, v)| {
        let q = t.columns.len();
        Robj::from(RMatrix3D::new_matrix3d(
            q,
            q,
            v.len() / (q * q).max(1),
            |i, j, l| v[(l * q + j) * q + i],
        ))
    });
    list!(status = "ok", variances = List::from_values(arrays))
}

/// `p x p` matrices as one array.
fn stacked(matrices: &[Vec<f64>]) -> Robj {
    let p = matrices
        .first()
        .map_or(0, |m| (m.len() as f64).sqrt().round() as usize);
    let array = RMatrix3D::new_matrix3d(p, p, matrices.len(), |i, j, k| matrices[k][j * p + i]);
    Robj::from(array)
}

/// What tests of fixed effects need.
pub fn inference_list(result: &Inference) -> List {
    let sensitivity = |s: &Sensitivity| -> List {
        list!(
            derivatives = stacked(&s.derivatives),
            covariance = square(&s.covariance)
        )
    };
    let (kenward_roger, adjusted) = match &result.kenward_roger {
        None => (Robj::from(()), Robj::from(())),
        Some((s, phi)) => (sensitivity(s).into(), square(phi)),
    };
    list!(
        status = "ok",
        satterthwaite = sensitivity(&result.satterthwaite),
        kenward_roger = kenward_roger,
        adjusted = adjusted,
        traces = result.traces.clone(),
        products = square(&result.products),
        xx = stacked(&result.information)
    )
}
