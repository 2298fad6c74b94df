//! The grouped engine against a dense oracle and against numerical differentiation.
#![allow(clippy::unwrap_used)]

mod support;

use mixedlm_core::covstruct::Structure;
use mixedlm_core::criterion::Order;
use mixedlm_core::engine::{Kind, Storage};
use std::sync::atomic::AtomicBool;
use support::models::{at_points, shapes, sparse_shapes};
use support::{dense_criterion, Data, Meeting, Shape};

fn closest(ours: f64, theirs: f64, scale: f64) -> f64 {
    (ours - theirs).abs() / scale.abs().max(1e-3)
}

#[test]
fn each_shape_gets_its_engine() {
    let kinds = |shapes: Vec<Shape>| -> Vec<Kind> {
        let mut kinds = Vec::new();
        for shape in shapes {
            let data = Data::new(&shape, false);
            let mut last = None;
            at_points(&data, &mut |engine, _, _, _| last = Some(engine.kind()));
            kinds.extend(last);
        }
        kinds
    };
    for (kind, shape) in kinds(shapes()).iter().zip(shapes()) {
        let dense = matches!(
            kind,
            Kind::Crossed {
                storage: Storage::Dense,
                ..
            }
        );
        assert_eq!(dense, !shape.others.is_empty(), "{kind:?} {shape:?}");
    }
    for (i, kind) in kinds(sparse_shapes()).into_iter().enumerate() {
        let sparse = matches!(
            kind,
            Kind::Crossed {
                storage: Storage::Sparse,
                ..
            }
        );
        assert!(sparse, "{kind:?} {i}");
    }
}

#[test]
fn the_criterion_equals_the_dense_one() {
    for shape in shapes().into_iter().chain(sparse_shapes()) {
        for weighted in [false, true] {
            let data = Data::new(&shape, weighted);
            at_points(&data, &mut |engine, coordinates, x, name| {
                let lambda = coordinates.lambda(&x);
                let ours = engine.value(&lambda).unwrap().criterion;
                let theirs = dense_criterion(&data, engine, &lambda);
                assert!(
                    closest(ours, theirs, theirs) < 1e-10,
                    "{shape:?} {name}: {ours} {theirs}"
                );
            });
        }
    }
}

#[test]
fn strong_effects_of_levels_with_few_rows_keep_the_criterion() {
    let shape = Shape {
        levels: vec![40],
        others: vec![(6, Meeting::Anywhere)],
        terms: vec![(0, 2, Structure::Unstructured), (1, 1, Structure::Unstructured)],
        rows: 44,
        p: 2,
    };
    let data = Data::new(&shape, false);
    for strength in [1.0, 30.0, 1e3] {
        at_points(&data, &mut |engine, coordinates, x, name| {
            if name != "start" {
                return;
            }
            let strong: Vec<f64> = x.iter().map(|v| v * strength).collect();
            let lambda = coordinates.lambda(&strong);
            let ours = engine.value(&lambda).unwrap().criterion;
            let theirs = dense_criterion(&data, engine, &lambda);
            assert!(
                closest(ours, theirs, theirs) < 1e-9,
                "{strength}: {ours} {theirs}"
            );
        });
    }
}

#[test]
fn the_gradient_is_the_derivative_of_the_criterion() {
    for shape in shapes().into_iter().chain(sparse_shapes()) {
        let data = Data::new(&shape, true);
        at_points(&data, &mut |engine, coordinates, x, name| {
            engine.value(&coordinates.lambda(&x)).unwrap();
            let g = coordinates.gradient(&x, &engine.derivatives(Order::Gradient).unwrap());
            let scale = g.iter().fold(1.0f64, |a, v| a.max(v.abs()));
            for j in 0..x.len() {
                let mut f = |step: f64| {
                    let mut y = x.clone();
                    y[j] += step;
                    engine.value(&coordinates.lambda(&y)).unwrap().criterion
                };
                let h = 1e-3;
                // Richardson: three central differences
                let d = |a: f64, b: f64, s: f64| (a - b) / (2.0 * s);
                let (d1, d2, d3) = (
                    d(f(h), f(-h), h),
                    d(f(h / 2.0), f(-h / 2.0), h / 2.0),
                    d(f(h / 4.0), f(-h / 4.0), h / 4.0),
                );
                let (e1, e2) = ((4.0 * d2 - d1) / 3.0, (4.0 * d3 - d2) / 3.0);
                let numeric = (16.0 * e2 - e1) / 15.0;
                assert!(
                    closest(g[j], numeric, scale) < 1e-7,
                    "{shape:?} {name} [{j}]: {} {numeric}",
                    g[j]
                );
            }
        });
    }
}

#[test]
fn the_hessian_is_the_derivative_of_the_gradient() {
    for shape in shapes().into_iter().chain(sparse_shapes()) {
        let data = Data::new(&shape, false);
        at_points(&data, &mut |engine, coordinates, x, name| {
            engine.value(&coordinates.lambda(&x)).unwrap();
            let n = x.len();
            let hessian = coordinates.hessian(&x, &engine.derivatives(Order::Hessian).unwrap());
            let scale = hessian.iter().fold(1.0f64, |a, v| a.max(v.abs()));
            for j in 0..n {
                let mut g = |step: f64| {
                    let mut y = x.clone();
                    y[j] += step;
                    engine.value(&coordinates.lambda(&y)).unwrap();
                    coordinates.gradient(&y, &engine.derivatives(Order::Gradient).unwrap())
                };
                let h = 1e-3;
                let (a, b, c, d) = (g(h), g(-h), g(h / 2.0), g(-h / 2.0));
                for i in 0..n {
                    let (d1, d2) = ((a[i] - b[i]) / (2.0 * h), (c[i] - d[i]) / h);
                    let numeric = (4.0 * d2 - d1) / 3.0;
                    let ours = hessian[j * n + i];
                    assert!(
                        closest(ours, numeric, scale) < 1e-6,
                        "{shape:?} {name} [{i},{j}]: {ours} {numeric}"
                    );
                }
            }
        });
    }
}

#[test]
fn the_threads_do_not_change_a_bit() {
    let shape = Shape {
        levels: vec![400, 4000],
        terms: vec![(0, 2, Structure::Unstructured), (1, 1, Structure::Unstructured)],
        rows: 60_000,
        p: 3,
        ..Default::default()
    };
    let data = Data::new(&shape, true);
    let design = data.design();
    let stop = AtomicBool::new(false);
    let fits: Vec<_> = [1, 2, 3]
        .into_iter()
        .map(|threads| {
            let options = mixedlm_core::Options {
                threads,
                ..Default::default()
            };
            mixedlm_core::fit(&design, &options, &stop, None).unwrap()
        })
        .collect();
    for fit in &fits[1..] {
        assert_eq!(fit.estimates.beta, fits[0].estimates.beta);
        assert_eq!(fit.estimates.lambda, fits[0].estimates.lambda);
        assert_eq!(
            fit.estimates.derivatives.hessian,
            fits[0].estimates.derivatives.hessian
        );
        assert_eq!(fit.estimates.modes, fits[0].estimates.modes);
    }
}
