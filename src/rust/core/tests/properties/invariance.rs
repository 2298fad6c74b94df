//! What must not change when the data are told in another way.

use mixedlm_core::bootstrap::{bootstrap, Kind, Request};
use mixedlm_core::deletion::{deletion, Method, Request as Without};
use mixedlm_core::design::Estimation;
use mixedlm_core::fit::{evaluate, Evaluation};
use mixedlm_core::{fit, Options};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::fits::fitted;
use crate::oracle::model::{reals, Model};
use crate::oracle::problem::{Part, Problem, Slope};
use crate::oracle::random::{element_units, parameters, plans, Noise, Plan, Range, USUAL};
use crate::oracle::real::{Double, Real};
use crate::runs::{check, close, never};

const PLAIN: Range = Range {
    degenerate: false,
    held: false,
    ..USUAL
};

fn at(problem: &Problem, theta: &[Vec<f64>]) -> Result<Evaluation, TestCaseError> {
    match evaluate(&problem.design(), &problem.options_at(theta), &never()) {
        Ok(found) => Ok(found),
        Err(e) if ["degrees_of_freedom", "perfect_fit"].contains(&e.what()) => {
            Err(TestCaseError::reject(e.what()))
        }
        Err(e) => Err(TestCaseError::fail(e.to_string())),
    }
}

/// The same numbers in another order of rows, levels and terms.
fn shuffled(problem: &Problem, noise: &mut Noise) -> Problem {
    let n = problem.n();
    let mut rows: Vec<usize> = (0..n).collect();
    (1..n).rev().for_each(|i| rows.swap(i, noise.below(i + 1)));
    let mut other = problem.rows(&rows);
    for (codes, levels) in &mut other.factors {
        let mut names: Vec<i32> = (1..=*levels as i32).collect();
        (1..*levels).rev().for_each(|i| names.swap(i, noise.below(i + 1)));
        codes.iter_mut().for_each(|c| *c = names[*c as usize - 1]);
    }
    other
}

fn order_does_not_matter(plan: &Plan) -> TestCaseResult {
    let problem = plan.problem();
    let theta = parameters(&problem, plan.seed, true);
    let base = at(&problem, &theta)?.estimates;
    let mut other = shuffled(&problem, &mut Noise(plan.seed));
    let mut turned = theta.clone();
    other.parts.reverse();
    turned.reverse();
    let found = at(&other, &turned)?.estimates;
    close(
        "criterion",
        found.value.criterion,
        base.value.criterion,
        1e-10,
        problem.n() as f64 + base.value.criterion.abs(),
    )?;
    close("sigma2", found.sigma2, base.sigma2, 1e-9, base.sigma2)
}

#[test]
fn the_order_of_rows_levels_and_terms_does_not_matter() {
    check(60, plans(PLAIN), |plan| order_does_not_matter(&plan));
}

/// y in other units and, where there is an intercept, from another origin; weights and columns of X in other units.
fn units_do_not_matter(plan: &Plan, decades: (i32, i32, i32)) -> TestCaseResult {
    let problem = plan.problem();
    let theta = parameters(&problem, plan.seed, false);
    let base = at(&problem, &theta)?;
    let [y, w, x] = [decades.0, decades.1, decades.2].map(|d| 10f64.powi(d));
    let mut other = problem.clone();
    other.y.iter_mut().for_each(|v| *v *= y);
    other.offset.iter_mut().flatten().for_each(|v| *v *= y);
    other.weights = Some((0..problem.n()).map(|i| problem.weight(i) * w).collect());
    other.x.iter_mut().for_each(|v| *v *= x);
    // relative to sigma^2 / w
    let mut moved = theta.clone();
    for (part, packed) in problem.parts.iter().zip(&mut moved) {
        let row = |i: usize| {
            if matches!(part.columns[i], Slope::Fixed(_)) {
                x
            } else {
                1.0
            }
        };
        if part.structure == mixedlm_core::covstruct::Structure::Scalar
            && part.columns.iter().any(|c| matches!(c, Slope::Fixed(_)))
        {
            return Err(TestCaseError::reject("columns in different units"));
        }
        for (places, v) in part.places().iter().zip(packed) {
            *v /= w.sqrt() * row(places[0].0);
        }
    }
    let found = at(&other, &moved)?;
    let (n, p) = (problem.n() as f64, base.kept.len() as f64);
    let ln = |v: f64| v.ln();
    let expected = match problem.estimation {
        Estimation::Ml => 2.0 * n * ln(y),
        Estimation::Reml => 2.0 * (n - p) * ln(y) + 2.0 * p * ln(x),
    };
    let (a, b) = (found.estimates.value.criterion, base.estimates.value.criterion);
    close("criterion", a - expected, b, 1e-9, n + b.abs() + expected.abs())?;
    let scale = base.estimates.sigma2 * y * y * w;
    close("sigma2", found.estimates.sigma2, scale, 1e-8, scale)
}

#[test]
fn units_change_the_criterion_by_a_constant() {
    let decades = (-8..=8i32, -6..=6i32, -6..=6i32);
    check(60, (plans(PLAIN), decades), |(plan, decades)| {
        units_do_not_matter(&plan, decades)
    });
}

/// X A for a well conditioned A, and y with a combination of columns of X added: the same criterion but for log|A|, and fitted
/// values that move with y.
fn fixed_effects_may_be_told_otherwise(plan: &Plan) -> TestCaseResult {
    let problem = plan.problem();
    let (n, p) = (problem.n(), problem.p);
    let mut own = problem.clone();
    for (t, part) in own.parts.iter_mut().enumerate() {
        for (c, slope) in part.columns.iter_mut().enumerate() {
            *slope = Slope::Own((0..n).map(|i| problem.z(t, c, i)).collect());
        }
    }
    let theta = parameters(&problem, plan.seed, false);
    let base = at(&own, &theta)?;
    if base.kept.len() < p || p == 0 {
        return Err(TestCaseError::reject("rank"));
    }
    let noise = &mut Noise(plan.seed);
    let mut other = own.clone();
    // unit upper triangular, so that log|A| is zero
    for j in 1..p {
        for k in 0..j {
            let a = noise.normal();
            (0..n).for_each(|i| other.x[j * n + i] += a * problem.x[k * n + i]);
        }
    }
    let shift: Vec<f64> = (0..p).map(|_| 10.0 * noise.normal()).collect();
    let added = |i: usize| -> f64 { (0..p).map(|j| shift[j] * problem.x_column(j)[i]).sum() };
    (0..n).for_each(|i| other.y[i] += added(i));
    let found = at(&other, &theta)?;
    let (a, b) = (found.estimates.value.criterion, base.estimates.value.criterion);
    close("criterion", a, b, 1e-8, n as f64 + b.abs())?;
    let sigma = base.estimates.sigma2.sqrt();
    for i in 0..n {
        let value = |problem: &Problem, beta: &[f64]| -> f64 {
            (0..p).map(|j| problem.x_column(j)[i] * beta[j]).sum()
        };
        let (a, b) = (
            value(&other, &found.estimates.beta),
            value(&own, &base.estimates.beta) + added(i),
        );
        close("fitted value", a, b, 1e-6, sigma + b.abs())?;
    }
    Ok(())
}

#[test]
fn other_columns_that_span_the_same_space_give_the_same_fit() {
    check(60, plans(PLAIN), |plan| {
        fixed_effects_may_be_told_otherwise(&plan)
    });
}

/// A factor that crosses the others, of an effect that is held at zero, sends the same model through the other engine.
fn engines_agree(plan: &Plan) -> TestCaseResult {
    let problem = plan.problem();
    let theta = parameters(&problem, plan.seed, true);
    let base = at(&problem, &theta)?;
    let n = problem.n();
    let mut other = problem.clone();
    other
        .factors
        .push(((0..n).map(|i| 1 + (i % 3) as i32).collect(), 3));
    other
        .factors
        .push(((0..n).map(|i| 1 + (i / 2 % 2) as i32).collect(), 2));
    let mut more = theta.clone();
    for f in 0..2 {
        other.parts.push(Part {
            factor: problem.factors.len() + f,
            columns: vec![Slope::One],
            structure: mixedlm_core::covstruct::Structure::Unstructured,
            free: vec![false],
        });
        more.push(vec![0.0]);
    }
    let found = at(&other, &more)?;
    let (a, b) = (&found.estimates, &base.estimates);
    close(
        "criterion",
        a.value.criterion,
        b.value.criterion,
        1e-10,
        n as f64 + b.value.criterion.abs(),
    )?;
    close("sigma2", a.sigma2, b.sigma2, 1e-9, b.sigma2)?;
    for (x, y) in a.beta.iter().zip(&b.beta) {
        close("beta", *x, *y, 1e-8, b.sigma2.sqrt() + y.abs())?;
    }
    let unit = element_units(&problem);
    let scaled: Vec<f64> = base.gradient.iter().zip(&unit).map(|(g, u)| g * u).collect();
    let scale = scaled.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (j, g) in scaled.iter().enumerate() {
        close("gradient", found.gradient[j] * unit[j], *g, 1e-6, scale)?;
    }
    Ok(())
}

#[test]
fn both_engines_give_the_same() {
    check(60, plans(PLAIN), |plan| engines_agree(&plan));
}

/// Whole fits are the same to the last bit for any number of threads.
#[test]
fn threads_do_not_change_a_bit() {
    check(15, plans(PLAIN), |plan| {
        let problem = plan.problem();
        let base = fitted(&problem, plan.seed)?;
        for threads in [2, 3] {
            let options = Options {
                threads,
                ..problem.options()
            };
            let found = fit(&problem.design(), &options, &never(), None).expect("the same fit");
            prop_assert_eq!(&found.estimates.lambda, &base.estimates.lambda);
            prop_assert_eq!(&found.estimates.modes, &base.estimates.modes);
            prop_assert_eq!(
                found.estimates.value.criterion.to_bits(),
                base.estimates.value.criterion.to_bits()
            );
        }
        Ok(())
    });
}

/// Without rows: at fixed theta the oracle's estimates of the other rows; refitted, its criterion there is not above that of a
/// new fit.
fn deletions_are_the_oracles(plan: &Plan) -> TestCaseResult {
    let problem = plan.problem();
    let (n, theta) = (problem.n(), parameters(&problem, plan.seed, false));
    at(&problem, &theta)?;
    let clusters: Vec<i32> = (0..n).map(|i| 1 + (i % 4) as i32).collect();
    for (clusters, count) in [(clusters, 4), ((1..=n as i32).collect::<Vec<_>>(), n)] {
        let request = Without {
            clusters: &clusters,
            count,
            method: Method::Fixed,
        };
        let options = problem.options_at(&theta);
        let all = deletion(&problem.design(), &options, &request, &never(), None)
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        for (c, ours) in all.iter().enumerate().take(6) {
            let left: Vec<usize> = (0..n).filter(|i| clusters[*i] as usize != c + 1).collect();
            let rest = problem.rows(&left);
            let model = Model::<Double>::of(&rest);
            if ours.outcome.is_err() || model.kept.len() < problem.p {
                continue;
            }
            let at = model.at(&reals(&theta)).expect("a positive definite V");
            let sigma2 = at.sigma2.to_f64();
            close("sigma2 without rows", ours.sigma2, sigma2, 1e-7, sigma2)?;
            for j in 0..problem.p {
                let sd = (at.s.get(j, j) * at.sigma2).sqrt().to_f64();
                let theirs = at.beta.get(j, 0).to_f64();
                close("beta without rows", ours.beta[j], theirs, 1e-7, sd + theirs.abs())?;
            }
        }
    }
    Ok(())
}

#[test]
fn estimates_without_rows_are_the_oracles() {
    check(25, plans(PLAIN), |plan| deletions_are_the_oracles(&plan));
}

/// A replicate's criterion is the oracle's of its response at its theta.
fn replicates_are_the_oracles(plan: &Plan) -> TestCaseResult {
    let problem = plan.problem();
    let found = fitted(&problem, plan.seed)?;
    let theta = problem.packed(&found.estimates.lambda);
    let noise = &mut Noise(plan.seed + 1);
    let responses: Vec<f64> = (0..2 * problem.n()).map(|_| 3.0 + noise.normal()).collect();
    let request = Request {
        kind: Kind::Given(&responses),
        seed: 1,
        first: 0,
        count: 2,
    };
    let all = bootstrap(
        &problem.design(),
        &problem.options_at(&theta),
        &request,
        &never(),
        None,
    )
    .map_err(|e| TestCaseError::fail(e.to_string()))?;
    for (i, replicate) in all.iter().enumerate().filter(|(_, r)| r.outcome.is_ok()) {
        let n = problem.n();
        let mut made = problem.clone();
        made.y = responses[i * n..(i + 1) * n].to_vec();
        let split = crate::oracle::random::split(&theta, &replicate.theta);
        let model = Model::<Double>::of(&made);
        let strong = crate::fits::Search::new(&made, &split).strength();
        let value = model
            .criterion(&reals(&split))
            .expect("a positive definite V")
            .to_f64();
        close(
            "criterion of a replicate",
            replicate.criterion,
            value,
            1e-8 + 1e-15 * strong * strong,
            n as f64 + value.abs(),
        )?;
    }
    Ok(())
}

#[test]
fn replicates_have_the_oracles_criterion() {
    check(15, plans(PLAIN), |plan| replicates_are_the_oracles(&plan));
}
