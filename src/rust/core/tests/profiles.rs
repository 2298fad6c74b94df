//! Likelihood profiles: held effects against designs without them, derivatives against differences, points and ends.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::AtomicBool;

use mixedlm_core::covstruct::Structure;
use mixedlm_core::criterion::Order;
use mixedlm_core::design::{Design, Estimation};
use mixedlm_core::engine::{choose, Engine, Making};
use mixedlm_core::estimates::{to_engine, to_user};
use mixedlm_core::fit::Options;
use mixedlm_core::parallel::Workers;
use mixedlm_core::profile::joint::Joint;
use mixedlm_core::profile::path::Path;
use mixedlm_core::profile::{profiles, End, Outcome, Parameter, Request, Settings};
use support::{Data, Meeting, Shape};

fn shapes() -> Vec<Shape> {
    use Meeting::{Anywhere, Nearby};
    use Structure::{Diagonal, Scalar, Unstructured};
    let of =
        |levels: &[usize], others: &[(usize, Meeting)], terms: &[(usize, usize, Structure)], rows, p| Shape {
            levels: levels.to_vec(),
            others: others.to_vec(),
            terms: terms.to_vec(),
            rows,
            p,
        };
    vec![
        of(&[8], &[], &[(0, 1, Unstructured)], 40, 1),
        of(&[9], &[], &[(0, 2, Unstructured)], 50, 3),
        of(&[9], &[], &[(0, 3, Unstructured)], 60, 2),
        of(&[7], &[], &[(0, 1, Unstructured), (0, 2, Diagonal)], 50, 2),
        of(&[7], &[], &[(0, 3, Scalar)], 40, 2),
        of(
            &[4, 10],
            &[],
            &[(0, 2, Unstructured), (1, 2, Unstructured)],
            70,
            2,
        ),
        of(
            &[3, 9],
            &[],
            &[(1, 1, Unstructured), (0, 2, Diagonal), (1, 2, Unstructured)],
            60,
            3,
        ),
        of(
            &[12],
            &[(7, Anywhere)],
            &[(0, 1, Unstructured), (1, 1, Unstructured)],
            60,
            1,
        ),
        of(
            &[10],
            &[(6, Anywhere), (4, Anywhere)],
            &[(0, 3, Unstructured), (1, 2, Unstructured), (2, 1, Unstructured)],
            90,
            3,
        ),
        of(
            &[220],
            &[(180, Nearby)],
            &[(0, 2, Diagonal), (1, 2, Unstructured)],
            500,
            2,
        ),
    ]
}

fn with_engine(design: &Design<'_>, mut visit: impl FnMut(&mut dyn Engine)) {
    let stop = AtomicBool::new(false);
    let workers = Workers::new(1, &stop).unwrap();
    let making = Making {
        estimation: Estimation::Ml,
        rank_tolerance: 1e-7,
        max_memory: 1e9,
    };
    visit(choose(design, making, &workers).unwrap().as_mut());
}

/// Factors of no special kind, in the engine's units.
fn some_factors(engine: &dyn Engine) -> Vec<Vec<f64>> {
    let of = |q: usize, structure: Structure| {
        let packed: Vec<f64> = (0..structure.packed_len(q))
            .map(|i| 0.4 + ((i * 37 + 11) % 17) as f64 / 20.0)
            .collect();
        structure.lambda(q, &packed)
    };
    engine.shapes().iter().map(|s| of(s.q, s.structure)).collect()
}

/// All parameters of a model.
fn parameters(design: &Design<'_>) -> Vec<Parameter> {
    let mut all = Vec::new();
    for (term, t) in design.terms.iter().enumerate() {
        let q = t.columns.len();
        for a in 0..if t.structure == Structure::Scalar { 1 } else { q } {
            all.push(Parameter::Sd { term, column: a });
            if t.structure == Structure::Unstructured {
                all.extend((a + 1..q).map(|b| Parameter::Correlation {
                    term,
                    columns: (b, a),
                }));
            }
        }
    }
    all
}

#[test]
fn a_held_effect_is_an_offset_and_a_missing_column() {
    for shape in shapes() {
        for weighted in [false, true] {
            let data = Data::new(&shape, weighted);
            let design = data.design();
            with_engine(&design, |engine| {
                let lambda = some_factors(engine);
                let user = to_user(engine, &lambda);
                let before = engine.value(&lambda).unwrap();
                for j in 0..design.p {
                    let c = engine.root().beta[j] + 0.3 * (j as f64 - 0.6);
                    let scaling = engine.frame().scaling.clone();
                    engine.hold_effect(Some((j, 0.0))).unwrap();
                    engine.hold_effect(Some((j, c))).unwrap();
                    let held = engine.value(&lambda).unwrap();
                    let value = c * scaling.y / scaling.x[j] + scaling.shift * scaling.constant[j];
                    let n = design.n();
                    let offset: Vec<f64> = design.x_column(j).iter().map(|x| value * x).collect();
                    let others = (0..design.p).filter(|k| *k != j);
                    let x: Vec<f64> = others.flat_map(|k| design.x_column(k).to_vec()).collect();
                    let without = Design {
                        x: &x,
                        p: x.len() / n,
                        offset: Some(&offset),
                        ..design.clone()
                    };
                    with_engine(&without, |other| {
                        let there = to_engine(other, &user).unwrap();
                        let expected = other.value(&there).unwrap().criterion;
                        let error = (held.criterion - expected).abs();
                        assert!(error < 1e-9 * expected.abs(), "{shape:?} {j}: {error}");
                    });
                    engine.hold_effect(None).unwrap();
                    let again = engine.value(&lambda).unwrap();
                    assert_eq!(again.criterion, before.criterion);
                }
            });
        }
    }
}

/// Central differences of a vector, with one step of extrapolation.
fn differences(f: &mut dyn FnMut(f64) -> Vec<f64>, h: f64) -> Vec<f64> {
    let mut at = |s: f64| -> Vec<f64> {
        let (up, down) = (f(s), f(-s));
        up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * s)).collect()
    };
    let (near, far) = (at(h), at(2.0 * h));
    near.iter().zip(&far).map(|(a, b)| (4.0 * a - b) / 3.0).collect()
}

#[test]
fn derivatives_of_the_deviance_are_those_of_its_values() {
    for shape in shapes() {
        let data = Data::new(&shape, true);
        let design = data.design();
        with_engine(&design, |engine| {
            let lambda = to_user(engine, &some_factors(engine));
            engine.value(&some_factors(engine)).unwrap();
            let tau = 0.5 * (engine.root().r2 / design.n() as f64).ln() + 0.2;
            let free: Vec<Vec<bool>> = design.terms.iter().map(|_| vec![]).collect();
            let mut joint = Joint::new(engine, &lambda, None).unwrap();
            let mut all = parameters(&design);
            all.push(Parameter::Sigma);
            if design.n() > 200 {
                all.drain(..all.len() - 2);
            }
            for parameter in all {
                let path = Path::new(&joint, parameter, &lambda, &free).unwrap();
                let mut full = path.coordinates.start();
                full.push(tau);
                let (u, x) = path.split(&full, 0.0);
                let u = u.unwrap();
                for (a, b) in path.full(&x, u).iter().zip(&full) {
                    assert!((a - b).abs() < 1e-12 * b.abs().max(1.0));
                }
                let k = x.len();
                let mut at = |i: usize, h: f64| {
                    let (mut x, mut u) = (x.clone(), u);
                    match i < k {
                        true => x[i] += h,
                        false => u += h,
                    }
                    let value = joint.value(&path.coordinates, &path.full(&x, u)).unwrap();
                    let slopes = joint.slopes(&path.coordinates, Order::Hessian).unwrap();
                    (value, path.reduce(&x, u, &slopes))
                };
                let (value, exact) = at(0, 0.0);
                let size = |i: usize| {
                    if i < k {
                        x[i].abs().max(0.1)
                    } else {
                        u.abs().max(0.1)
                    }
                };
                for i in 0..=k {
                    let h = 1e-3 * size(i);
                    let slope = differences(&mut |s| vec![at(i, s).0], h)[0];
                    let ours = if i < k { exact.gradient[i] } else { exact.along };
                    let error = (slope - ours).abs() * size(i);
                    assert!(error < 1e-7 * value.abs(), "{shape:?} {parameter:?} {i}: {error}");
                    let second = differences(&mut |s| at(i, s).1.gradient, h);
                    for (j, second) in second.iter().enumerate() {
                        let ours = if i < k {
                            exact.hessian[i * k + j]
                        } else {
                            exact.mixed[j]
                        };
                        let error = (second - ours).abs() * size(i) * size(j);
                        assert!(
                            error < 1e-6 * value.abs(),
                            "{shape:?} {parameter:?} {i} {j}: {ours} {second}"
                        );
                    }
                }
            }
        });
    }
}

fn run(design: &Design<'_>, which: impl Fn(usize) -> Vec<usize>, settings: Settings) -> Vec<Outcome> {
    let elements = parameters(design);
    let request = Request {
        which: which(elements.len()),
        elements,
        settings,
    };
    let stop = AtomicBool::new(false);
    let all = profiles(design, &Options::default(), &request, &stop, None).unwrap();
    assert_eq!(all.estimates.len(), request.elements.len() + 1 + design.p);
    all.outcomes
}

const EXACT: Settings = Settings {
    cutoff: 1.96,
    delta: 0.49,
    max_points: 100,
    exact: true,
};

#[test]
fn every_profile_rises_and_ends_at_the_cutoff_or_at_the_boundary() {
    for shape in shapes() {
        let data = Data::new(&shape, false);
        let design = data.design();
        let count = parameters(&design).len();
        let outcomes = run(&design, |n| (0..n + 1 + design.p).collect(), EXACT);
        for (i, outcome) in outcomes.iter().enumerate() {
            let Outcome::Profile { points, ends } = outcome else {
                continue;
            };
            assert!(points.iter().all(|p| p.converged), "{shape:?} {i}");
            assert!(points.windows(2).all(|w| w[0].values[i] < w[1].values[i]));
            for (end, point) in ends.iter().zip([&points[0], &points[points.len() - 1]]) {
                match end {
                    End::Cutoff => assert!((point.zeta.abs() - 1.96).abs() < 1e-6, "{shape:?} {i}"),
                    End::Boundary => {
                        assert!(
                            i < count && [0.0, 1.0].contains(&point.values[i].abs()),
                            "{shape:?} {i}"
                        )
                    }
                    other => panic!("{shape:?} {i}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn slopes_are_those_of_the_points() {
    let fine = Settings {
        delta: 0.02,
        max_points: 1000,
        exact: false,
        ..EXACT
    };
    for shape in [&shapes()[1], &shapes()[5], &shapes()[8]] {
        let data = Data::new(shape, false);
        let design = data.design();
        let outcomes = run(&design, |n| vec![0, 1, n, n + 1], fine);
        let mut checked = 0;
        for (outcome, place) in outcomes.iter().zip([0, 1, parameters(&design).len()]) {
            let Outcome::Profile { points, .. } = outcome else {
                panic!("no profile");
            };
            for w in points.windows(3) {
                let (a, b) = (&w[0], &w[2]);
                let rough = (b.zeta - a.zeta) / (b.values[place] - a.values[place]);
                // not where zeta bends sharply, as a correlation of 1 is left
                if (b.slope - a.slope).abs() > 0.05 * rough.abs() || !w[1].slope.is_finite() {
                    continue;
                }
                checked += 1;
                assert!(
                    (w[1].slope - rough).abs() <= 0.02 * rough.abs(),
                    "{shape:?} {place}: {} {rough}",
                    w[1].slope
                );
            }
        }
        assert!(checked > 200);
    }
}

#[test]
fn held_elements_have_no_profile_and_those_beside_them_have() {
    let data = Data::new(&shapes()[3], false);
    let mut design = data.design();
    design.terms[1].free = vec![false, true];
    let elements = parameters(&design);
    let request = Request {
        which: (0..elements.len()).collect(),
        elements,
        settings: EXACT,
    };
    let options = Options {
        start: Some(vec![vec![1.0], vec![0.3, 1.0]]),
        ..Options::default()
    };
    let stop = AtomicBool::new(false);
    let all = profiles(&design, &options, &request, &stop, None).unwrap();
    let held: Vec<bool> = all.outcomes.iter().map(|o| matches!(o, Outcome::Held)).collect();
    assert_eq!(held, [false, true, false]);
    // what is held is the relative standard deviation
    if let Outcome::Profile { points, .. } = &all.outcomes[2] {
        let sigma = request.elements.len();
        assert!(points
            .iter()
            .all(|p| (p.values[1] / p.values[sigma] - 0.3).abs() < 1e-10));
    }
}

#[test]
fn a_request_for_what_is_not_there_is_refused() {
    let data = Data::new(&shapes()[1], false);
    let design = data.design();
    let stop = AtomicBool::new(false);
    let refused = |elements: Vec<Parameter>, which: Vec<usize>, cutoff: f64| {
        let settings = Settings { cutoff, ..EXACT };
        let request = Request {
            elements,
            which,
            settings,
        };
        let error = profiles(&design, &Options::default(), &request, &stop, None).unwrap_err();
        assert_eq!(error.what(), "profile");
    };
    refused(vec![Parameter::Sd { term: 0, column: 2 }], vec![0], 1.0);
    refused(vec![Parameter::Sd { term: 1, column: 0 }], vec![0], 1.0);
    let columns = (0, 1);
    refused(vec![Parameter::Correlation { term: 0, columns }], vec![0], 1.0);
    refused(parameters(&design), vec![99], 1.0);
    refused(parameters(&design), vec![0], 0.0);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let request = Request {
        elements: parameters(&design),
        which: vec![0],
        settings: EXACT,
    };
    let error = profiles(&design, &Options::default(), &request, &stop, None).unwrap_err();
    assert_eq!(error.what(), "interrupted");
}

#[test]
fn a_step_into_nowhere_ends_a_side() {
    let data = Data::new(&shapes()[1], false);
    let design = data.design();
    let far = Settings {
        cutoff: 1e200,
        delta: 1e200,
        ..EXACT
    };
    for outcome in run(&design, |k| (0..k + 1 + design.p).collect(), far) {
        let Outcome::Profile { points, ends } = outcome else {
            panic!("no profile");
        };
        assert!(points.iter().all(|p| !p.deviance.is_nan()));
        assert!(!ends.contains(&End::Cutoff));
    }
}
