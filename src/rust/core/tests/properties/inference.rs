//! What is computed at given variance parameters, against the formulas of the oracle.

use mixedlm_core::conditional::conditional;
use mixedlm_core::fit::variances;
use mixedlm_core::inference::{inference, Sensitivity};
use mixedlm_core::prediction::prediction;
use mixedlm_core::whitening::whiten;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::oracle::dense::{Cholesky, Matrix};
use crate::oracle::differences::hessian;
use crate::oracle::model::{reals, At, Model};
use crate::oracle::problem::Problem;
use crate::oracle::random::{element_units, parameters, plans, split, units, Plan, Range, EXTREME, USUAL};
use crate::oracle::real::{Double, Real};
use crate::runs::{check, close, never};

/// A problem with parameters, and what the oracle makes of them; rejected where there is nothing to infer.
fn setting(plan: &Plan) -> Result<(Problem, Vec<Vec<f64>>), TestCaseError> {
    let problem = plan.problem();
    let theta = parameters(&problem, plan.seed, false);
    if Model::<f64>::of(&problem).kept.len() + 2 > problem.n() {
        return Err(TestCaseError::reject("no degrees of freedom"));
    }
    Ok((problem, theta))
}

fn sound<T>(result: mixedlm_core::Result<T>) -> Result<T, TestCaseError> {
    result.map_err(|e| TestCaseError::fail(format!("{}: {e}", e.what())))
}

/// Conditional covariances, what the modes answer to beta, standard errors of prediction, whitened residuals.
fn effects_are_the_oracles(plan: &Plan, singular: bool) -> TestCaseResult {
    let (problem, _) = setting(plan)?;
    let theta = parameters(&problem, plan.seed, singular);
    let model = Model::<Double>::of(&problem);
    let at = model.at(&reals(&theta)).expect("a positive definite V");
    let (design, options) = (problem.design(), problem.options_at(&theta));
    let covariance = at.conditional_covariance(&model);
    let ours = sound(variances(&design, &options, &never()))?;
    let found = sound(conditional(&design, &options, problem.n(), &never()))?;
    let k = at.shrink(&model, &model.x);
    for (t, part) in problem.parts.iter().enumerate() {
        let (q, unit, p) = (part.q(), units(&problem, t), model.kept.len());
        for level in 0..model.levels(t) {
            let first = model.first[t] + level * q;
            for i in 0..q {
                for j in 0..q {
                    let theirs = covariance.get(first + i, first + j).to_f64();
                    let scale = unit[i] * unit[j];
                    close(
                        "conditional covariance",
                        ours[t][(level * q + j) * q + i],
                        theirs,
                        1e-8,
                        scale,
                    )?;
                }
                for c in 0..p {
                    let theirs = k.get(first + i, c).to_f64();
                    let size = (0..problem.n()).fold(0.0f64, |m, r| m.max(model.x.get(r, c).to_f64().abs()));
                    let of_level = problem
                        .weights
                        .as_ref()
                        .map_or(1.0, |w| w.iter().fold(0.0f64, |a, b| a.max(*b)).sqrt());
                    let ours = found.responses[t][(level * q + i) * p + c];
                    close(
                        "response",
                        ours,
                        theirs,
                        1e-8,
                        theirs.abs().max(unit[i] * size * of_level),
                    )?;
                }
            }
        }
    }
    predictions(&problem, &theta, &model, &at, &covariance)
}

fn predictions(
    problem: &Problem,
    theta: &[Vec<f64>],
    model: &Model<'_, Double>,
    at: &At<Double>,
    covariance: &Matrix<Double>,
) -> TestCaseResult {
    let (design, options) = (problem.design(), problem.options_at(theta));
    let ours = sound(prediction(&design, &options, &never()))?;
    let zk = model.z.times(&at.shrink(model, &model.x));
    let own = model.z.times(covariance);
    let rest = model.x.plus(-1.0, &zk);
    let quadratic = |x: &Matrix<Double>, i: usize| -> Double {
        let row = Matrix::from_fn(1, x.columns, |_, j| x.get(i, j));
        row.times(&at.s).times(&row.transposed()).trace()
    };
    for i in 0..problem.n() {
        let row = Matrix::from_fn(1, own.columns, |_, j| own.get(i, j));
        let z = Matrix::from_fn(own.columns, 1, |j, _| model.z.get(i, j));
        let variance = row.times(&z).trace();
        let noise = problem.weight(i).sqrt().recip();
        let compare = |name: &str, ours: f64, square: Double| {
            let theirs = square.to_f64().max(0.0).sqrt();
            // the root of what rounding leaves of zero
            close(name, ours, theirs, 1e-6, theirs.max(noise))
        };
        compare("error of x'beta", ours.fixed[i], quadratic(&model.x, i))?;
        compare("error of z'b", ours.random[i], variance + quadratic(&zk, i))?;
        compare("error of both", ours.both[i], variance + quadratic(&rest, i))?;
    }
    let residual = at.residual.column_major();
    let ours = sound(whiten(&design, &residual, &options, &never()))?;
    let given = Matrix::from_fn(problem.n(), 1, |i, _| Double::from(residual[i]));
    let theirs = at.v.forward(&given).column_major();
    let scale = theirs.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let digits = 1e-7;
    for (a, b) in ours.iter().zip(&theirs) {
        close("whitened residual", *a, *b, digits, scale)?;
    }
    Ok(())
}

#[test]
fn random_effects_and_predictions_are_the_oracles() {
    check(40, (plans(USUAL), any::<bool>()), |(plan, singular)| {
        effects_are_the_oracles(&plan, singular)
    });
}

#[test]
fn random_effects_in_extreme_units() {
    let range = Range {
        decades: 4,
        ..EXTREME
    };
    check(30, (plans(range), any::<bool>()), |(plan, singular)| {
        effects_are_the_oracles(&plan, singular)
    });
}

/// `2 (l'Phi l)^2 / (g'C g)` for each fixed effect alone and for their sum, in units of their standard errors.
fn degrees(phi: &Matrix<f64>, derivatives: &[Matrix<f64>], c: &Matrix<f64>) -> Vec<f64> {
    let p = phi.rows;
    let unit = |j: usize| 1.0 / phi.get(j, j).sqrt();
    let mut contrasts: Vec<Vec<f64>> = (0..p)
        .map(|k| (0..p).map(|j| if j == k { unit(j) } else { 0.0 }).collect())
        .collect();
    contrasts.push((0..p).map(unit).collect());
    let form = |m: &Matrix<f64>, l: &[f64]| -> f64 {
        (0..p * p)
            .map(|k| l[k / p] * m.get(k / p, k % p) * l[k % p])
            .sum()
    };
    let of = |l: &Vec<f64>| {
        let g = Matrix::from_fn(derivatives.len(), 1, |k, _| form(&derivatives[k], l));
        2.0 * form(phi, l).powi(2) / g.cross(&c.times(&g)).trace()
    };
    contrasts.iter().map(of).collect()
}

fn core_matrix(values: &[f64], p: usize) -> Matrix<f64> {
    Matrix::from_fn(p, p, |i, j| values[j * p + i])
}

fn core_degrees(phi: &Matrix<f64>, sensitivity: &Sensitivity) -> Vec<f64> {
    let derivatives: Vec<Matrix<f64>> = sensitivity
        .derivatives
        .iter()
        .map(|d| core_matrix(d, phi.rows))
        .collect();
    degrees(
        phi,
        &derivatives,
        &core_matrix(&sensitivity.covariance, derivatives.len()),
    )
}

/// `-2 l` with sigma^2 as the last parameter, on the log scale.
fn joint_deviance(model: &Model<'_, Double>, theta: &[Vec<Double>], log_sigma2: Double) -> Option<Double> {
    let at = model.at(theta)?;
    let n = Double::from(model.denominator());
    // r2 / s less what the profiled criterion has in its place
    let change = (at.sigma2.ln() - log_sigma2, Double::from(1.0));
    let ratio = exp_of(change.0);
    Some(at.criterion - n * change.0 + n * (ratio - change.1))
}

/// `exp` near zero.
fn exp_of(x: Double) -> Double {
    let (mut sum, mut term) = (Double::from(1.0), Double::from(1.0));
    for k in 1..18 {
        term = term * x / Double::from(f64::from(k));
        sum += term;
    }
    sum
}

fn satterthwaite_is_the_oracles(plan: &Plan) -> TestCaseResult {
    let (problem, theta) = setting(plan)?;
    let model = Model::<Double>::of(&problem);
    let p = model.kept.len();
    let at = model.at(&reals(&theta)).expect("a positive definite V");
    let mut x = theta.concat();
    let mut steps: Vec<f64> = element_units(&problem).iter().map(|u| u * 1e-4).collect();
    let (unit, m) = (steps.iter().map(|s| s * 1e4).collect::<Vec<f64>>(), x.len());
    x.push(at.sigma2.ln().to_f64());
    steps.push(1e-4);
    let deviance = |x: &[Double]| joint_deviance(&model, &split(&theta, &x[..m]), x[m]);
    let h = hessian(&deviance, &x, &steps).expect("a deviance around the parameters");
    let of = |k: usize| if k < m { unit[k] } else { 1.0 };
    let scaled = Matrix::from_fn(m + 1, m + 1, |i, j| h.get(i, j) * of(i) * of(j));
    let spread = crate::oracle::dense::eigenvalues(&scaled);
    if p == 0 || spread[0] < 1e-4 * spread[m] || problem.parts.iter().any(|p| p.free.contains(&false)) {
        return Err(TestCaseError::reject("no information"));
    }
    let covariance = Cholesky::of(&scaled)
        .expect("a positive definite Hessian")
        .inverse()
        .scaled(2.0);
    let phi = |theta: &[Vec<Double>]| {
        let at = model.at(theta).expect("a positive definite V");
        let scale = at.sigma2;
        (at.s, scale)
    };
    let sigma2 = at.sigma2;
    let mut derivatives: Vec<Matrix<f64>> = Vec::new();
    for k in 0..m {
        let moved = |h: f64| {
            let mut x: Vec<Double> = x[..m].iter().map(|v| Double::from(*v)).collect();
            x[k] += Double::from(h);
            phi(&split(&theta, &x)).0
        };
        let h = steps[k] * 1e-3;
        let rise = moved(h).plus(-1.0, &moved(-h));
        let factor = sigma2 * Double::from(unit[k]) / Double::from(2.0 * h);
        derivatives.push(Matrix::from_fn(p, p, |i, j| (rise.get(i, j) * factor).to_f64()));
    }
    let now = Matrix::from_fn(p, p, |i, j| (at.s.get(i, j) * sigma2).to_f64());
    derivatives.push(now.clone());
    let theirs = degrees(&now, &derivatives, &covariance);
    let found = sound(inference(
        &problem.design(),
        &problem.options_at(&theta),
        true,
        &never(),
    ))?;
    let ours = core_degrees(&now, &found.satterthwaite);
    for (a, b) in ours.iter().zip(&theirs) {
        close("Satterthwaite's degrees of freedom", *a, *b, 1e-5, b.abs())?;
    }
    Ok(())
}

#[test]
fn satterthwaites_degrees_of_freedom_are_the_oracles() {
    check(20, plans(USUAL), |plan| satterthwaite_is_the_oracles(&plan));
}

/// Directions of the covariance of y: those of each term's Psi, and the weights.
fn directions(model: &Model<'_, Double>) -> Vec<Matrix<Double>> {
    let (problem, n) = (model.problem, model.problem.n());
    let mut all = Vec::new();
    for (t, part) in problem.parts.iter().enumerate() {
        let unit = units(problem, t);
        for places in part.places() {
            let psis: Vec<Matrix<Double>> = problem
                .parts
                .iter()
                .enumerate()
                .map(|(s, other)| {
                    let mut e = Matrix::zeros(other.q(), other.q());
                    for (i, j) in places.iter().filter(|_| s == t) {
                        let size = Double::from(unit[*i] * unit[*j]);
                        e.add_to(*i, *j, size);
                        if i != j {
                            e.add_to(*j, *i, size);
                        }
                    }
                    e
                })
                .collect();
            all.push(model.random_covariance(&psis));
        }
    }
    let noise = |i: usize, j: usize| if i == j { 1.0 / problem.weight(i) } else { 0.0 };
    all.push(Matrix::from_fn(n, n, |i, j| Double::from(noise(i, j))));
    all
}

/// The adjusted covariance, in units of the standard errors.
fn same_covariance(ours: &[f64], theirs: &Matrix<Double>, phi: &Matrix<Double>) -> TestCaseResult {
    for i in 0..phi.rows {
        for j in 0..phi.rows {
            let scale = (phi.get(i, i) * phi.get(j, j)).sqrt().to_f64();
            let value = theirs.get(i, j).to_f64();
            close(
                "adjusted covariance",
                ours[j * phi.rows + i],
                value,
                1e-6,
                scale.max(value.abs()),
            )?;
        }
    }
    Ok(())
}

/// Kenward and Roger (1997) with the covariance of y linear in its parameters, from their definitions.
fn kenward_roger_is_the_oracles(plan: &Plan) -> TestCaseResult {
    let (problem, theta) = setting(plan)?;
    let model = Model::<Double>::of(&problem);
    let p = model.kept.len();
    let at = model.at(&reals(&theta)).expect("a positive definite V");
    let all = directions(&model);
    let v = at.v.inverse();
    let vx = at.v.solve(&model.x);
    let projection = v.plus(-1.0, &vx.times(&at.s).times(&vx.transposed()));
    let moved: Vec<Matrix<Double>> = all.iter().map(|e| projection.times(e)).collect();
    let r = all.len();
    let information = Matrix::from_fn(r, r, |i, j| {
        (moved[i].trace_of_product(&moved[j]) * Double::from(0.5)).to_f64()
    });
    let spread = crate::oracle::dense::eigenvalues(&information);
    if p == 0 || spread[0] < 1e-4 * spread[r - 1] || problem.parts.iter().any(|p| p.free.contains(&false)) {
        return Err(TestCaseError::reject("no information"));
    }
    let w = Cholesky::of(&information).expect("information").inverse();
    // with V relative to sigma^2 the adjustment is that of S, times sigma^2
    let first: Vec<Matrix<Double>> = all
        .iter()
        .map(|e| vx.cross(&e.times(&vx)).scaled(Double::from(-1.0)))
        .collect();
    let mut sum = Matrix::zeros(p, p);
    for i in 0..r {
        for j in 0..r {
            let q = vx.cross(&all[i].times(&v).times(&all[j].times(&vx)));
            let rest = q.plus(-1.0, &first[i].times(&at.s).times(&first[j]));
            sum = sum.plus(w.get(i, j), &rest);
        }
    }
    let change = at.s.times(&sum).times(&at.s);
    let sigma2 = at.sigma2;
    let adjusted = at.s.plus(2.0, &change);
    let found = sound(inference(
        &problem.design(),
        &problem.options_at(&theta),
        true,
        &never(),
    ))?;
    let (sensitivity, ours) = found.kenward_roger.expect("what was asked for");
    same_covariance(&ours, &adjusted.scaled(sigma2), &at.s.scaled(sigma2))?;
    let now = Matrix::from_fn(p, p, |i, j| (at.s.get(i, j) * sigma2).to_f64());
    let derivatives: Vec<Matrix<f64>> = first
        .iter()
        .map(|f| {
            let d = at.s.times(f).times(&at.s);
            Matrix::from_fn(p, p, |i, j| -(d.get(i, j) * sigma2).to_f64())
        })
        .collect();
    let theirs = degrees(&now, &derivatives, &w);
    for (a, b) in core_degrees(&now, &sensitivity).iter().zip(&theirs) {
        close("Kenward and Roger's degrees of freedom", *a, *b, 1e-5, b.abs())?;
    }
    Ok(())
}

#[test]
fn kenward_and_rogers_covariance_and_degrees_of_freedom_are_the_oracles() {
    check(20, plans(USUAL), |plan| kenward_roger_is_the_oracles(&plan));
}
