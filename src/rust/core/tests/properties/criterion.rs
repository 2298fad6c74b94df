//! The criterion, what is profiled out of it, and its derivatives.

use mixedlm_core::fit::{evaluate, Evaluation};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::oracle::differences::{gradient, hessian};
use crate::oracle::model::{reals, Model};
use crate::oracle::problem::Problem;
use crate::oracle::random::{element_units, parameters, plans, split, units, Plan, EXTREME, USUAL};
use crate::oracle::real::{Double, Real};
use crate::runs::{all_close, check, close, never};

/// The core and the oracle at the same parameters; nothing where the model has no likelihood there.
fn both(
    problem: &Problem,
    model: &Model<'_, Double>,
    theta: &[Vec<f64>],
) -> Result<Evaluation, TestCaseError> {
    let found = evaluate(&problem.design(), &problem.options_at(theta), &never());
    match found {
        Ok(found) => Ok(found),
        // as many fixed effects as rows
        Err(e) if e.what() == "degrees_of_freedom" && model.kept.len() >= problem.n() - 1 => {
            Err(TestCaseError::reject("no degrees of freedom"))
        }
        Err(e) => Err(TestCaseError::fail(format!("{}: {e}", e.what()))),
    }
}

fn value_is_the_oracles(plan: &Plan, singular: bool, digits: f64) -> TestCaseResult {
    let problem = plan.problem();
    let model = Model::<Double>::of(&problem);
    let theta = parameters(&problem, plan.seed, singular);
    let ours = both(&problem, &model, &theta)?;
    let at = model.at(&reals(&theta)).expect("a positive definite V");
    prop_assert_eq!(&ours.kept, &model.kept);
    let e = &ours.estimates;
    let n = problem.n() as f64;
    close(
        "criterion",
        e.value.criterion,
        at.criterion.to_f64(),
        digits,
        at.criterion.to_f64().abs().max(n),
    )?;
    close("sigma2", e.sigma2, at.sigma2.to_f64(), digits, at.sigma2.to_f64())?;
    let log_weights: f64 = (0..problem.n()).map(|i| problem.weight(i).ln()).sum();
    close(
        "log|V|",
        e.value.logdet_v - log_weights,
        at.log_v.to_f64(),
        digits,
        at.log_v.to_f64().abs().max(n),
    )?;
    let of_x = at.log_information.to_f64();
    close(
        "log|X'V^-1X|",
        e.value.logdet_xvx,
        of_x,
        digits,
        of_x.abs().max(n),
    )?;
    for j in 0..model.kept.len() {
        let sd = (at.s.get(j, j) * at.sigma2).sqrt().to_f64();
        let beta = at.beta.get(j, 0).to_f64();
        close("beta", e.beta[j], beta, digits, sd.max(beta.abs()))?;
        for k in 0..model.kept.len() {
            let scale = (at.s.get(j, j) * at.s.get(k, k)).sqrt().to_f64();
            let ours = e.beta_covariance[k * model.kept.len() + j];
            close("S", ours, at.s.get(j, k).to_f64(), digits * 10.0, scale)?;
        }
    }
    let modes = at.shrink(&model, &at.residual).column_major();
    for (t, b) in e.modes.iter().enumerate() {
        let unit = units(&problem, t);
        for (k, b) in b.iter().enumerate() {
            let scale = at.sigma2.sqrt().to_f64() * unit[k % unit.len()];
            let theirs = modes[model.first[t] + k];
            close("mode", *b, theirs, digits * 10.0, scale.max(theirs.abs()))?;
        }
    }
    Ok(())
}

#[test]
fn the_value_and_its_parts_are_the_oracles() {
    check(100, (plans(USUAL), any::<bool>()), |(plan, singular)| {
        value_is_the_oracles(&plan, singular, 1e-9)
    });
}

#[test]
fn in_extreme_units_too() {
    check(100, (plans(EXTREME), any::<bool>()), |(plan, singular)| {
        value_is_the_oracles(&plan, singular, 1e-7)
    });
}

/// The derivatives in the packed elements, in units in which the effects are as strong as the noise.
fn derivatives_are_the_oracles(plan: &Plan, singular: bool) -> TestCaseResult {
    let problem = plan.problem();
    let model = Model::<Double>::of(&problem);
    let theta = parameters(&problem, plan.seed, singular);
    let ours = both(&problem, &model, &theta)?;
    let (x, unit) = (theta.concat(), element_units(&problem));
    let f = |x: &[Double]| model.criterion(&split(&theta, x));
    let steps: Vec<f64> = unit.iter().map(|u| u * 1e-4).collect();
    let scaled = |v: &[f64]| -> Vec<f64> { v.iter().zip(&unit).map(|(g, u)| g * u).collect() };
    let theirs = gradient(&f, &x, &steps).expect("a criterion around the parameters");
    all_close("gradient", &scaled(&ours.gradient), &scaled(&theirs), 1e-6, 1.0)?;
    let theirs = hessian(&f, &x, &steps)
        .expect("a criterion around the parameters")
        .column_major();
    let m = x.len();
    let square = |h: &[f64]| -> Vec<f64> { (0..m * m).map(|k| h[k] * unit[k % m] * unit[k / m]).collect() };
    all_close("Hessian", &square(&ours.hessian), &square(&theirs), 1e-5, 1.0)
}

#[test]
fn the_gradient_and_the_hessian_are_differences_of_the_oracles_criterion() {
    check(40, (plans(USUAL), any::<bool>()), |(plan, singular)| {
        derivatives_are_the_oracles(&plan, singular)
    });
}

#[test]
fn derivatives_in_extreme_units() {
    check(40, (plans(EXTREME), any::<bool>()), |(plan, singular)| {
        derivatives_are_the_oracles(&plan, singular)
    });
}
