//! The penalised criterion against numerical differentiation, on both engines.
#![allow(clippy::unwrap_used)]

mod support;

use mixedlm_core::covstruct::Structure;
use mixedlm_core::criterion::{Criterion, Order};
use mixedlm_core::design::{Design, Estimation};
use mixedlm_core::engine::{choose, Engine, Making};
use mixedlm_core::error::Result;
use mixedlm_core::parallel::Workers;
use mixedlm_core::params::Coordinates;
use mixedlm_core::penalized::covariance::Covariance;
use mixedlm_core::penalized::fixed::{Fixed, Smooth};
use mixedlm_core::penalized::lasso::Weights;
use mixedlm_core::penalized::{Penalised, Penalty};
use std::sync::atomic::AtomicBool;
use support::models::shapes;
use support::Data;

/// `sum (x_j - j)^4 / 100`.
struct Quartic;

impl Smooth for Quartic {
    fn value(&self, at: &[f64]) -> Result<f64> {
        Ok(at
            .iter()
            .enumerate()
            .map(|(j, x)| (x - j as f64).powi(4) / 100.0)
            .sum())
    }

    fn gradient(&self, at: &[f64]) -> Result<Vec<f64>> {
        let slope = |(j, x): (usize, &f64)| (x - j as f64).powi(3) / 25.0;
        Ok(at.iter().enumerate().map(slope).collect())
    }
}

/// The squares of the elements of a matrix.
struct Squares;

impl Smooth for Squares {
    fn value(&self, at: &[f64]) -> Result<f64> {
        Ok(at.iter().map(|x| x * x).sum())
    }

    fn gradient(&self, at: &[f64]) -> Result<Vec<f64>> {
        Ok(at.iter().map(|x| 2.0 * x).collect())
    }
}

fn penalties(design: &Design<'_>) -> Vec<(&'static str, Penalty)> {
    let weights = |l1: f64, l2: f64| {
        Some(Fixed::Separable(Weights {
            l1: vec![l1; design.p],
            l2: vec![l2; design.p],
        }))
    };
    let none = || design.terms.iter().map(|_| Covariance::Free).collect::<Vec<_>>();
    let density = || {
        let of = |structure: Structure, q: usize| {
            let q = if structure == Structure::Scalar { 1 } else { q };
            Covariance::Density {
                log_det: 0.75,
                trace: (0..q * q)
                    .map(|k| if k % (q + 1) == 0 { 0.4 } else { 0.1 })
                    .collect(),
                rate: 0.3,
            }
        };
        let all = design.terms.iter();
        all.map(|t| of(t.structure, t.columns.len())).collect::<Vec<_>>()
    };
    let squares = || {
        let all = design.terms.iter();
        all.map(|_| Covariance::Smooth(Box::new(Squares)))
            .collect::<Vec<_>>()
    };
    let make = |fixed, covariance| Penalty { fixed, covariance };
    vec![
        ("density", make(None, density())),
        ("function of Psi", make(None, squares())),
        ("squares", make(weights(0.0, 0.8), none())),
        ("absolute values", make(weights(1.5, 0.0), none())),
        ("both", make(weights(1.0, 0.3), density())),
        ("quartic", make(Some(Fixed::Smooth(Box::new(Quartic))), none())),
    ]
}

type Visit<'a> = &'a mut dyn FnMut(&mut Penalised<'_>, &Coordinates, Vec<f64>, &str);

/// Visit an engine under each penalty at a regular point.
fn visit_all(visit: Visit<'_>) {
    let stop = AtomicBool::new(false);
    let workers = Workers::new(1, &stop).unwrap();
    for (number, shape) in shapes().into_iter().enumerate() {
        let data = Data::new(&shape, number % 2 == 0);
        let design = data.design();
        for estimation in [Estimation::Ml, Estimation::Reml] {
            let making = Making {
                estimation,
                rank_tolerance: 1e-7,
                max_memory: 1e9,
            };
            for (name, penalty) in penalties(&design) {
                let inner = choose(&design, making, &workers).unwrap();
                let mut engine = Penalised::new(inner, penalty).unwrap();
                let free: Vec<Vec<bool>> = design.terms.iter().map(|_| vec![]).collect();
                let gram = engine.frame().gram.clone();
                let coordinates = Coordinates::new(engine.shapes(), &gram, &free, None).unwrap();
                let x: Vec<f64> = (0..coordinates.len())
                    .map(|i| 0.6 + ((i * 37 + 11) % 17) as f64 / 15.0)
                    .collect();
                visit(
                    &mut engine,
                    &coordinates,
                    x,
                    &format!("{shape:?} {estimation:?} {name}"),
                );
            }
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_penalised_criterion() {
    visit_all(&mut |engine, coordinates, x, name| {
        engine
            .value(&coordinates.lambda(&x))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let derivatives = engine.derivatives(Order::Gradient).unwrap();
        let ours = coordinates.gradient(&x, &derivatives);
        for i in 0..x.len() {
            let mut at = |step: f64| {
                let mut moved = x.clone();
                moved[i] += step;
                engine.value(&coordinates.lambda(&moved)).unwrap().criterion
            };
            let h = 1e-3;
            let theirs = (8.0 * (at(h) - at(-h)) - at(2.0 * h) + at(-2.0 * h)) / (12.0 * h);
            assert!(
                (ours[i] - theirs).abs() < 1e-6 * theirs.abs().max(1.0),
                "{name} {i}: {} {theirs}",
                ours[i]
            );
        }
    });
}

#[test]
fn the_hessian_is_the_derivative_of_the_gradient() {
    visit_all(&mut |engine, coordinates, x, name| {
        engine.value(&coordinates.lambda(&x)).unwrap();
        let derivatives = engine.derivatives(Order::Hessian).unwrap();
        let ours = coordinates.hessian(&x, &derivatives);
        let n = x.len();
        let largest = ours.iter().fold(1.0f64, |a, v| a.max(v.abs()));
        for i in 0..n {
            let mut at = |step: f64| {
                let mut moved = x.clone();
                moved[i] += step;
                engine.value(&coordinates.lambda(&moved)).unwrap();
                coordinates.gradient(&moved, &engine.derivatives(Order::Gradient).unwrap())
            };
            let h = 1e-4;
            let (up, down) = (at(h), at(-h));
            for k in 0..n {
                let theirs = (up[k] - down[k]) / (2.0 * h);
                assert!(
                    (ours[i * n + k] - theirs).abs() < 1e-5 * largest,
                    "{name} {i} {k}: {} {theirs}",
                    ours[i * n + k]
                );
            }
        }
    });
}
