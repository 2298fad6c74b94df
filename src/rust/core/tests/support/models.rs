//! Models of many shapes, and parameters to look at them.

use std::sync::atomic::AtomicBool;

use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::Estimation;
use mixedlm_core::engine::{choose, Engine, Making};
use mixedlm_core::parallel::Workers;
use mixedlm_core::params::Coordinates;

use super::{Data, Meeting, Shape};

pub const BOTH: [Estimation; 2] = [Estimation::Ml, Estimation::Reml];

pub fn shapes() -> Vec<Shape> {
    use Meeting::Anywhere;
    use Structure::*;
    vec![
        Shape {
            levels: vec![7],
            terms: vec![(0, 1, Unstructured)],
            rows: 40,
            p: 2,
            ..Default::default()
        },
        Shape {
            levels: vec![6],
            terms: vec![(0, 2, Unstructured)],
            rows: 45,
            p: 3,
            ..Default::default()
        },
        Shape {
            levels: vec![9],
            terms: vec![(0, 3, Unstructured)],
            rows: 30,
            p: 2,
            ..Default::default()
        },
        Shape {
            levels: vec![5],
            terms: vec![(0, 1, Unstructured), (0, 2, Diagonal)],
            rows: 40,
            p: 2,
            ..Default::default()
        },
        Shape {
            levels: vec![5],
            terms: vec![(0, 3, Scalar), (0, 1, Unstructured)],
            rows: 40,
            p: 1,
            ..Default::default()
        },
        Shape {
            levels: vec![3, 8],
            terms: vec![(0, 1, Unstructured), (1, 1, Unstructured)],
            rows: 50,
            p: 2,
            ..Default::default()
        },
        Shape {
            levels: vec![3, 9],
            terms: vec![(1, 2, Unstructured), (0, 2, Unstructured)],
            rows: 60,
            p: 3,
            ..Default::default()
        },
        Shape {
            levels: vec![2, 5, 11],
            terms: vec![(0, 2, Unstructured), (1, 1, Unstructured), (2, 2, Diagonal)],
            rows: 70,
            p: 2,
            ..Default::default()
        },
        Shape {
            levels: vec![2, 4, 8, 16],
            terms: vec![
                (0, 1, Unstructured),
                (1, 2, Unstructured),
                (2, 1, Unstructured),
                (3, 2, Unstructured),
            ],
            rows: 90,
            p: 2,
            ..Default::default()
        },
        // crossed
        Shape {
            levels: vec![12],
            others: vec![(7, Anywhere)],
            terms: vec![(0, 1, Unstructured), (1, 1, Unstructured)],
            rows: 60,
            p: 2,
        },
        Shape {
            levels: vec![10],
            others: vec![(6, Anywhere), (4, Anywhere)],
            terms: vec![(0, 2, Unstructured), (1, 2, Unstructured), (2, 1, Unstructured)],
            rows: 90,
            p: 3,
        },
        Shape {
            levels: vec![10],
            others: vec![(8, Anywhere)],
            terms: vec![
                (0, 1, Unstructured),
                (0, 2, Unstructured),
                (1, 2, Diagonal),
                (1, 1, Scalar),
            ],
            rows: 80,
            p: 2,
        },
        // several rows of a cell are reduced
        Shape {
            levels: vec![5],
            others: vec![(4, Anywhere)],
            terms: vec![(0, 2, Unstructured), (1, 1, Unstructured)],
            rows: 150,
            p: 2,
        },
        // nested within crossed
        Shape {
            levels: vec![3, 9],
            others: vec![(5, Anywhere)],
            terms: vec![(0, 1, Unstructured), (1, 2, Unstructured), (2, 1, Unstructured)],
            rows: 80,
            p: 2,
        },
        // several variances without covariances
        Shape {
            levels: vec![12],
            others: vec![(6, Anywhere)],
            terms: vec![(0, 3, Diagonal), (1, 2, Scalar)],
            rows: 90,
            p: 2,
        },
    ]
}

/// Larger ones, with few meetings: these are stored sparse.
pub fn sparse_shapes() -> Vec<Shape> {
    use Meeting::Nearby;
    use Structure::{Diagonal, Scalar, Unstructured};
    vec![
        Shape {
            levels: vec![220],
            others: vec![(180, Nearby)],
            terms: vec![(0, 1, Unstructured), (1, 1, Unstructured)],
            rows: 500,
            p: 2,
        },
        Shape {
            levels: vec![220],
            others: vec![(180, Nearby), (60, Nearby)],
            terms: vec![(0, 2, Diagonal), (1, 2, Unstructured), (2, 1, Scalar)],
            rows: 600,
            p: 2,
        },
    ]
}

pub type Visit<'a> = &'a mut dyn FnMut(&mut dyn Engine, &Coordinates, Vec<f64>, &str);

/// Call `visit` at regular, near-singular and singular parameters, ML and REML.
pub fn at_points(data: &Data, visit: Visit<'_>) {
    let design = data.design();
    let stop = AtomicBool::new(false);
    let workers = Workers::new(1, &stop).unwrap();
    for estimation in BOTH {
        let making = Making {
            estimation,
            rank_tolerance: 1e-7,
            max_memory: 1e9,
        };
        let mut engine = choose(&design, making, &workers).unwrap();
        let engine = engine.as_mut();
        let free: Vec<Vec<bool>> = design.terms.iter().map(|_| vec![]).collect();
        let coordinates = Coordinates::new(engine.shapes(), &engine.frame().gram, &free, None).unwrap();
        let start = coordinates.start();
        let random: Vec<f64> = (0..start.len())
            .map(|i| 0.3 + ((i * 37 + 11) % 17) as f64 / 9.0)
            .collect();
        let near: Vec<f64> = start.iter().map(|v| v * 1e-4 + 1e-5).collect();
        let mut singular = random.clone();
        singular[0] = 0.0;
        let mut last = random.clone();
        last[start.len() - 1] = 0.0;
        let zero = vec![0.0; start.len()];
        for (name, x) in [
            ("start", start),
            ("random", random),
            ("near-singular", near),
            ("singular", singular),
            ("singular at the end", last),
            ("zero", zero),
        ] {
            visit(engine, &coordinates, x, name);
        }
    }
}
