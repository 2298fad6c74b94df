//! Estimates without rows, through the public interface.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::AtomicBool;

use mixedlm_core::covstruct::Structure;
use mixedlm_core::deletion::{deletion, Deleted, Method, Request};
use mixedlm_core::design::{Design, Factor};
use mixedlm_core::whitening::whiten;
use mixedlm_core::{fit, Error, Options};
use support::{never, start_at, Data, Meeting, Shape};

const U: Structure = Structure::Unstructured;
const METHODS: [Method; 3] = [Method::Exact, Method::OneStep, Method::Fixed];

fn nested() -> Shape {
    Shape {
        levels: vec![6, 15],
        terms: vec![(0, 2, U), (1, 1, U)],
        rows: 120,
        p: 2,
        ..Shape::default()
    }
}

fn crossed() -> Shape {
    Shape {
        levels: vec![8],
        others: vec![(7, Meeting::Anywhere)],
        terms: vec![(0, 1, U), (1, 1, U)],
        rows: 60,
        p: 2,
    }
}

fn at_the_fit(design: &Design<'_>) -> Options {
    let found = fit(design, &Options::default(), &never(), None).unwrap();
    start_at(design, &found.estimates.lambda)
}

fn run(design: &Design<'_>, options: &Options, clusters: &[i32], method: Method) -> Vec<Deleted> {
    let count = *clusters.iter().max().unwrap() as usize;
    let request = Request {
        clusters,
        count,
        method,
    };
    deletion(design, options, &request, &never(), None).unwrap()
}

fn close(a: &Deleted, b: &Deleted, tolerance: f64) {
    let numbers = |d: &Deleted| -> Vec<f64> {
        let all = d.beta.iter().chain(&d.covariance).chain(&d.theta).copied();
        all.chain([d.sigma2]).collect()
    };
    for (x, y) in numbers(a).iter().zip(numbers(b)) {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{x} {y}");
    }
}

/// The clusters with one of them cut in two, so that they are no whole groups any more.
fn cut(clusters: &[i32]) -> Vec<i32> {
    let last = *clusters.iter().max().unwrap();
    let mut first = true;
    let mut new = clusters.to_vec();
    for c in new.iter_mut().filter(|c| **c == last) {
        if !std::mem::take(&mut first) {
            *c = last + 1;
        }
    }
    new
}

#[test]
fn groups_left_out_of_the_reduction_are_rows_left_out_of_the_data() {
    let made = Data::new(&nested(), true);
    let design = made.design();
    let options = at_the_fit(&design);
    let outer = design.factors[0].codes.to_vec();
    // also with two groups in one cluster
    let pairs: Vec<i32> = outer.iter().map(|c| (c + 1) / 2).collect();
    for clusters in [outer, pairs] {
        for method in METHODS {
            let groups = run(&design, &options, &clusters, method);
            let rows = run(&design, &options, &cut(&clusters), method);
            for (a, b) in groups.iter().zip(&rows).take(groups.len() - 1) {
                assert!(a.outcome.is_ok() && a.sigma2 > 0.0);
                close(a, b, if method == Method::Exact { 1e-6 } else { 1e-9 });
            }
        }
    }
}

#[test]
fn single_rows_at_fixed_theta_are_rows_left_out_of_the_data() {
    for shape in [nested(), crossed()] {
        let made = Data::new(&shape, true);
        let design = made.design();
        let options = at_the_fit(&design);
        let each: Vec<i32> = (1..=design.n() as i32).collect();
        let mut merged = each.clone();
        *merged.last_mut().unwrap() -= 1;
        let formulas = run(&design, &options, &each, Method::Fixed);
        let rows = run(&design, &options, &merged, Method::Fixed);
        for (a, b) in formulas.iter().zip(&rows).take(rows.len() - 1) {
            close(a, b, 1e-9);
        }
    }
}

#[test]
fn results_are_the_same_for_any_number_of_threads() {
    for shape in [nested(), crossed()] {
        let made = Data::new(&shape, false);
        let design = made.design();
        let options = at_the_fit(&design);
        let clusters: Vec<i32> = (0..design.n()).map(|i| 1 + (i % 20) as i32).collect();
        for clusters in [clusters, design.factors[0].codes.to_vec()] {
            for method in METHODS {
                let many = Options {
                    threads: 3,
                    ..options.clone()
                };
                let (one, three) = (
                    run(&design, &options, &clusters, method),
                    run(&design, &many, &clusters, method),
                );
                for (a, b) in one.iter().zip(&three) {
                    assert_eq!(a.sigma2.to_bits(), b.sigma2.to_bits());
                    assert_eq!(a.beta[1].to_bits(), b.beta[1].to_bits());
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_done_is_an_error_or_an_outcome() {
    let made = Data::new(&nested(), false);
    let design = made.design();
    let options = at_the_fit(&design);
    let n = design.n();
    let what = |clusters: &[i32], count: usize, options: &Options| {
        let request = Request {
            clusters,
            count,
            method: Method::Exact,
        };
        deletion(&design, options, &request, &never(), None)
            .unwrap_err()
            .what()
    };
    assert_eq!(what(&vec![1; n - 1], 1, &options), "shape");
    assert_eq!(what(&vec![0; n], 1, &options), "shape");
    assert_eq!(what(&vec![1; n], 2, &options), "shape");
    let outer = design.factors[0].codes;
    let small = Options {
        max_memory: 10.0,
        ..options.clone()
    };
    assert_eq!(what(outer, 6, &small), "memory");
    assert_eq!(Method::parse("two-step").unwrap_err().what(), "method");
    let all = vec![1; n];
    for method in METHODS {
        let gone = run(&design, &options, &all, method);
        assert_eq!(gone[0].outcome.as_ref().unwrap_err().what(), "degrees_of_freedom");
        assert!(gone[0].sigma2.is_nan() && gone[0].beta.iter().all(|b| b.is_nan()));
    }
    let request = Request {
        clusters: outer,
        count: 6,
        method: Method::Exact,
    };
    let stopped = deletion(&design, &options, &request, &AtomicBool::new(true), None);
    assert_eq!(stopped.unwrap_err(), Error::Interrupted);
}

#[test]
fn whitening_does_not_depend_on_what_is_taken_for_a_group() {
    let made = Data::new(&nested(), true);
    let design = made.design();
    let options = at_the_fit(&design);
    let apart = whiten(&design, design.y, &options, &never()).unwrap();
    // a factor that crosses the others without a say in the model
    let across: Vec<i32> = (0..design.n()).map(|i| 1 + (i % 5) as i32).collect();
    let mut joined = design.clone();
    joined.factors.push(Factor {
        codes: &across,
        levels: 5,
    });
    joined.terms.push(mixedlm_core::design::Term {
        factor: joined.factors.len() - 1,
        columns: vec![mixedlm_core::design::Column::One],
        structure: U,
        free: vec![],
    });
    let mut start = options.start.clone().unwrap();
    start.push(vec![0.0]);
    let options = Options {
        start: Some(start),
        ..options
    };
    let together = whiten(&joined, design.y, &options, &never()).unwrap();
    for (a, b) in apart.iter().zip(&together) {
        assert!((a - b).abs() < 1e-10 * (1.0 + b.abs()));
    }
    let short = whiten(&design, &design.y[1..], &options, &never());
    assert_eq!(short.unwrap_err().what(), "shape");
}
