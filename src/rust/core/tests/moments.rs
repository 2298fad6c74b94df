//! The moments that tests of fixed effects are made from, against numerical differentiation of `log|V|` and `X'V^-1X`.
#![allow(clippy::unwrap_used)]

mod support;

use mixedlm_core::criterion::{Derivatives, Order, TermShape};
use mixedlm_core::engine::{Engine, Moments};
use mixedlm_core::linalg::{matmul, transpose};
use mixedlm_core::params::Coordinates;
use support::models::{at_points, shapes, sparse_shapes};
use support::Data;

/// Values along the directions of Psi as a symmetric gradient per term.
fn as_gradient(shapes: &[TermShape], along: &[f64]) -> Vec<Vec<f64>> {
    let mut at = 0;
    let of = |shape: &TermShape| {
        let mut g = vec![0.0; shape.q * shape.q];
        for pairs in shape.structure.directions(shape.q) {
            for (a, b) in &pairs {
                g[b * shape.q + a] = along[at] / pairs.len() as f64;
            }
            at += 1;
        }
        g
    };
    shapes.iter().map(of).collect()
}

/// First and second derivatives in the parameters from those along the directions of Psi.
fn chain(
    coordinates: &Coordinates,
    x: &[f64],
    gradient: Vec<Vec<f64>>,
    hessian: Vec<f64>,
) -> (Vec<f64>, Vec<f64>) {
    let derivatives = Derivatives {
        gradient,
        hessian,
        r2_gradient: Vec::new(),
        beta_gradient: Vec::new(),
    };
    (
        coordinates.gradient(x, &derivatives),
        coordinates.hessian(x, &derivatives),
    )
}

/// `log|V|`, then the elements of `B'X'V^-1X B` for a given B.
fn functions(engine: &mut dyn Engine, lambda: &[Vec<f64>], b: &[f64], p: usize) -> Vec<f64> {
    let value = engine.value(lambda).unwrap();
    // X'V^-1X = R'R with R the inverse of the root
    let root = &engine.root().r_inverse;
    let r = inverse(root, p);
    let rb = matmul(&r, b, p, p, p);
    let mut all = vec![value.logdet_v];
    all.extend(matmul(&transpose(&rb, p, p), &rb, p, p, p));
    all
}

fn inverse(upper: &[f64], p: usize) -> Vec<f64> {
    let lower = mixedlm_core::params::invert_lower(&transpose(upper, p, p), p).unwrap();
    transpose(&lower, p, p)
}

/// The derivatives of [`functions`] by the moments.
fn analytic(
    engine: &dyn Engine,
    m: &Moments,
    coordinates: &Coordinates,
    x: &[f64],
    p: usize,
) -> Vec<(Vec<f64>, Vec<f64>)> {
    let r = m.first.len();
    let minus: Vec<f64> = m.products.iter().map(|v| -v).collect();
    let mut all = vec![chain(coordinates, x, m.traces.clone(), minus)];
    for element in 0..p * p {
        let along: Vec<f64> = m.first.iter().map(|f| -f[element]).collect();
        let pair = |d: usize, e: usize| d.max(e) * (d.max(e) + 1) / 2 + d.min(e);
        let second = (0..r * r).map(|k| 2.0 * m.second[pair(k % r, k / r)][element]);
        all.push(chain(
            coordinates,
            x,
            as_gradient(engine.shapes(), &along),
            second.collect(),
        ));
    }
    all
}

#[test]
fn the_moments_are_derivatives_of_the_determinant_and_of_the_information() {
    for shape in shapes().into_iter().chain(sparse_shapes()) {
        let data = Data::new(&shape, true);
        let sparse = shape.rows > 400;
        at_points(&data, &mut |engine, coordinates, x, name| {
            engine.value(&coordinates.lambda(&x)).unwrap();
            let p = engine.frame().p();
            let b = engine.root().r_inverse.clone();
            let moments = engine.moments().unwrap();
            // the evaluation is what it was
            engine.derivatives(Order::Gradient).unwrap();
            let ours = analytic(engine, &moments, coordinates, &x, p);
            for j in 0..x.len() {
                let mut f = |step: f64| {
                    let mut y = x.clone();
                    y[j] += step;
                    functions(engine, &coordinates.lambda(&y), &b, p)
                };
                let h = if sparse { 2e-3 } else { 4e-3 };
                let at: Vec<Vec<f64>> = [-2.0, -1.0, 0.0, 1.0, 2.0].iter().map(|k| f(k * h)).collect();
                for (i, (gradient, hessian)) in ours.iter().enumerate() {
                    let v: Vec<f64> = at.iter().map(|a| a[i]).collect();
                    let first = (v[0] - 8.0 * v[1] + 8.0 * v[3] - v[4]) / (12.0 * h);
                    let second = (-v[0] + 16.0 * v[1] - 30.0 * v[2] + 16.0 * v[3] - v[4]) / (12.0 * h * h);
                    let scale = |d: &[f64]| d.iter().fold(1.0f64, |a, v| a.max(v.abs()));
                    let (g, k) = (gradient[j], hessian[j * x.len() + j]);
                    assert!(
                        (g - first).abs() < 1e-6 * scale(gradient),
                        "{shape:?} {name} [{i}, {j}]: {g} {first}"
                    );
                    assert!(
                        (k - second).abs() < 1e-5 * scale(hessian),
                        "{shape:?} {name} [{i}, {j}, {j}]: {k} {second}"
                    );
                }
            }
        });
    }
}

#[test]
fn mixed_second_derivatives_agree_along_a_diagonal() {
    for shape in shapes() {
        let data = Data::new(&shape, false);
        at_points(&data, &mut |engine, coordinates, x, name| {
            engine.value(&coordinates.lambda(&x)).unwrap();
            let p = engine.frame().p();
            let b = engine.root().r_inverse.clone();
            let moments = engine.moments().unwrap();
            let ours = analytic(engine, &moments, coordinates, &x, p);
            let n = x.len();
            let direction: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -0.7 }).collect();
            let h = 3e-3;
            let mut f = |step: f64| {
                let y: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
                functions(engine, &coordinates.lambda(&y), &b, p)
            };
            let at: Vec<Vec<f64>> = [-2.0, -1.0, 0.0, 1.0, 2.0].iter().map(|k| f(k * h)).collect();
            for (i, (_, hessian)) in ours.iter().enumerate() {
                let v: Vec<f64> = at.iter().map(|a| a[i]).collect();
                let numeric = (-v[0] + 16.0 * v[1] - 30.0 * v[2] + 16.0 * v[3] - v[4]) / (12.0 * h * h);
                let along = matmul(hessian, &direction, n, n, 1);
                let ours: f64 = along.iter().zip(&direction).map(|(a, d)| a * d).sum();
                let scale = hessian.iter().fold(1.0f64, |a, v| a.max(v.abs())) * n as f64;
                assert!(
                    (ours - numeric).abs() < 1e-5 * scale,
                    "{shape:?} {name} {i}: {ours} {numeric}"
                );
            }
        });
    }
}
