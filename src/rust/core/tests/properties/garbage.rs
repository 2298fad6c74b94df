//! Nothing that is handed to the core makes it panic, and nothing that it returns as an estimate is not a number.

use std::panic::{catch_unwind, AssertUnwindSafe};

use mixedlm_core::bootstrap::{self, bootstrap};
use mixedlm_core::conditional::conditional;
use mixedlm_core::deletion::{self, deletion};
use mixedlm_core::design::{Column, Design};
use mixedlm_core::fit::{evaluate, profile, variances, ProfileTarget};
use mixedlm_core::inference::inference;
use mixedlm_core::prediction::prediction;
use mixedlm_core::simulate::{Source, Truth};
use mixedlm_core::verdict::Verdict;
use mixedlm_core::whitening::whiten;
use mixedlm_core::{fit, Error, Options};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;

use crate::oracle::problem::{Problem, Slope};
use crate::oracle::random::{parameters, plans, Plan, EXTREME};
use crate::runs::{check, never};

/// What is broken, and a place that says where.
#[derive(Debug, Clone, Copy)]
enum Break {
    Nothing,
    Response(f64),
    Fixed(f64),
    Weight(f64),
    Offset(f64),
    Slope(f64),
    /// All of the response.
    Constant(f64),
    Code(i32),
    Levels(usize),
    ShortFixed,
    ShortWeights,
    ShortOffset,
    ShortSlope,
    ShortCodes,
    NoTerms,
    NoColumns,
    NoFactor,
    NoFixed,
    Free(usize),
    Start(f64),
    ShortStart,
    Memory(f64),
    NoRows,
}

fn breaks() -> impl Strategy<Value = Break> {
    use Break::*;
    let number = || {
        select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e300,
            -1e300,
            f64::MAX,
            1e-300,
            f64::MIN_POSITIVE / 8.0,
            0.0,
            -1.0,
        ])
    };
    let codes = select(vec![0, -1, i32::MIN, i32::MAX, 1, 1000]);
    let sizes = select(vec![0, 1, 2, 1000, usize::MAX]);
    prop_oneof![
        Just(Nothing),
        number().prop_map(Response),
        number().prop_map(Fixed),
        number().prop_map(Weight),
        number().prop_map(Offset),
        number().prop_map(Slope),
        number().prop_map(Constant),
        codes.prop_map(Code),
        sizes.prop_map(Levels),
        number().prop_map(Start),
        number().prop_map(Memory),
        (0..9usize).prop_map(Free),
        select(vec![
            ShortFixed,
            ShortWeights,
            ShortOffset,
            ShortSlope,
            ShortCodes,
            NoTerms,
            NoColumns,
            NoFactor,
            NoFixed,
            ShortStart,
            NoRows,
        ]),
    ]
}

/// Numbers of the problem itself.
fn break_values(problem: &mut Problem, what: Break, place: usize) {
    let n = problem.n();
    let i = place % n;
    match what {
        Break::Response(v) => problem.y[i] = v,
        Break::Constant(v) => problem.y.fill(v),
        Break::Fixed(v) if problem.p > 0 => problem.x[place % (n * problem.p)] = v,
        Break::Weight(v) => problem.weights.get_or_insert_with(|| vec![1.0; n])[i] = v,
        Break::Offset(v) => problem.offset.get_or_insert_with(|| vec![0.0; n])[i] = v,
        Break::Slope(v) => {
            let mut column: Vec<f64> = (0..n).map(|k| k as f64).collect();
            column[i] = v;
            problem.parts[0].columns[0] = Slope::Own(column);
        }
        Break::Code(c) => problem.factors[0].0[i] = c,
        Break::Levels(l) => problem.factors[0].1 = l,
        Break::ShortFixed if problem.p > 0 => {
            problem.x.pop();
        }
        Break::ShortWeights => problem.weights = Some(vec![1.0; n - 1]),
        Break::ShortOffset => problem.offset = Some(vec![0.0; n + 1]),
        Break::ShortCodes => {
            problem.factors[0].0.pop();
        }
        _ => {}
    }
}

/// Shapes of the design.
fn break_shape(design: &mut Design<'_>, what: Break) {
    match what {
        Break::ShortSlope => design.terms[0].columns[0] = Column::Own(&[1.0]),
        Break::NoTerms => design.terms.clear(),
        Break::NoColumns => design.terms[0].columns.clear(),
        Break::NoFactor => design.terms[0].factor = 7,
        Break::NoFixed => design.terms[0].columns[0] = Column::Fixed(9),
        Break::Free(count) => design.terms[0].free = vec![true; count],
        Break::NoRows => design.y = &[],
        _ => {}
    }
}

fn break_options(options: &mut Options, what: Break) {
    match (what, &mut options.start) {
        (Break::Memory(v), _) => options.max_memory = v,
        (Break::Start(v), Some(start)) => start[0][0] = v,
        (Break::ShortStart, Some(start)) => {
            start[0].pop();
        }
        _ => {}
    }
}

/// The result of a call, which must neither panic nor be a bug.
fn call<T>(name: &str, run: impl FnOnce() -> mixedlm_core::Result<T>) -> Result<Option<T>, TestCaseError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Err(_) => Err(TestCaseError::fail(format!("{name} panics"))),
        Ok(Err(Error::Bug(message))) => Err(TestCaseError::fail(format!("{name}: {message}"))),
        Ok(Err(_)) => Ok(None),
        Ok(Ok(value)) => Ok(Some(value)),
    }
}

fn numbers(name: &str, values: &[&[f64]]) -> TestCaseResult {
    for v in values.iter().flat_map(|v| v.iter()) {
        prop_assert!(v.is_finite(), "{name} has {v}");
    }
    Ok(())
}

fn all(parts: &[Vec<f64>]) -> Vec<f64> {
    parts.concat()
}

fn nothing_panics(plan: &Plan, what: Break, place: usize) -> TestCaseResult {
    let mut problem = plan.problem();
    let theta = parameters(&problem, plan.seed, place % 2 == 0);
    break_values(&mut problem, what, place);
    let mut design = problem.design();
    break_shape(&mut design, what);
    let mut at = problem.options_at(&theta);
    break_options(&mut at, what);
    let mut fresh = problem.options();
    break_options(&mut fresh, what);
    let stop = never();
    for options in [&fresh, &at] {
        if let Some(found) = call("fit", || fit(&design, options, &stop, None))? {
            let e = &found.estimates;
            let sure = matches!(found.certificate.verdict, Verdict::Optimum | Verdict::Boundary);
            let modes = all(&e.modes);
            let mut values: Vec<&[f64]> = vec![&e.beta, &e.beta_covariance, &modes];
            let ends = [e.sigma2, e.value.criterion];
            values.push(&ends);
            let psi = all(&e.psi);
            values.push(&psi);
            if sure {
                values.push(&found.certificate.gradient);
                values.push(&found.certificate.eigenvalues);
            }
            numbers("the fit", &values)?;
        }
    }
    call("evaluate", || evaluate(&design, &at, &stop))?;
    call("variances", || variances(&design, &at, &stop))?;
    call("inference", || inference(&design, &at, true, &stop))?;
    call("prediction", || prediction(&design, &at, &stop))?;
    call("conditional", || conditional(&design, &at, place % 40, &stop))?;
    call("whiten", || whiten(&design, design.y, &at, &stop))?;
    let target = ProfileTarget {
        term: place % 3,
        column: place % 2,
        values: vec![0.0, 1.0],
    };
    call("profile", || profile(&design, &at, &target, &stop, None))?;
    again(&design, &at, &theta, place)
}

/// Deletion and replicates.
fn again(design: &Design<'_>, at: &Options, theta: &[Vec<f64>], place: usize) -> TestCaseResult {
    let stop = never();
    let clusters: Vec<i32> = (0..design.y.len()).map(|i| 1 + (i % 3) as i32).collect();
    for method in [
        deletion::Method::Exact,
        deletion::Method::OneStep,
        deletion::Method::Fixed,
    ] {
        let request = deletion::Request {
            clusters: &clusters,
            count: 3,
            method,
        };
        if let Some(all) = call("deletion", || deletion(design, at, &request, &stop, None))? {
            for one in all {
                prop_assert!(!matches!(one.outcome, Err(Error::Bug(_))), "{:?}", one.outcome);
            }
        }
    }
    let truth = Truth {
        beta: vec![0.5; design.p],
        sigma2: 1.0,
        lambda: design
            .terms
            .iter()
            .zip(theta)
            .map(|(t, l)| {
                let fits = t.structure.packed_len(t.columns.len()) == l.len();
                if fits {
                    t.structure.lambda(t.columns.len(), l)
                } else {
                    Vec::new()
                }
            })
            .collect(),
        modes: Vec::new(),
    };
    let kind = match place % 3 {
        0 => bootstrap::Kind::Case,
        1 => bootstrap::Kind::Jackknife(3),
        _ => bootstrap::Kind::Simulated(Source::Normal, truth),
    };
    let request = bootstrap::Request {
        kind,
        seed: 3,
        first: 0,
        count: 2,
    };
    if let Some(all) = call("bootstrap", || bootstrap(design, at, &request, &stop, None))? {
        for one in all {
            prop_assert!(!matches!(one.outcome, Err(Error::Bug(_))), "{:?}", one.outcome);
            if matches!(one.outcome, Ok(Verdict::Optimum | Verdict::Boundary)) {
                numbers("a replicate", &[&[one.sigma2, one.criterion], &one.theta])?;
            }
        }
    }
    Ok(())
}

#[test]
fn nothing_panics_whatever_it_is_given() {
    let range = crate::oracle::random::Range {
        rows: 20,
        levels: 5,
        ..EXTREME
    };
    check(
        40,
        (plans(range), breaks(), any::<u16>()),
        |(plan, what, place)| nothing_panics(&plan, what, usize::from(place)),
    );
}
