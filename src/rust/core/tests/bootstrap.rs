//! Replicates through the public interface.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::AtomicBool;

use mixedlm_core::bootstrap::{bootstrap, data, Data as Made, Kind, Replicate, Request};
use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::Design;
use mixedlm_core::simulate::{Source, Truth};
use mixedlm_core::{fit, Options, Result};
use support::{never, start_at, Data, Meeting, Shape};

const U: Structure = Structure::Unstructured;

fn nested() -> Shape {
    Shape {
        levels: vec![6, 15],
        terms: vec![(0, 2, U), (1, 1, U)],
        rows: 90,
        p: 2,
        ..Shape::default()
    }
}

fn crossed() -> Shape {
    Shape {
        levels: vec![8],
        others: vec![(7, Meeting::Anywhere)],
        terms: vec![(0, 2, U), (1, 1, U)],
        rows: 60,
        p: 2,
    }
}

/// A fit and how replicates of it start.
fn fitted(design: &Design<'_>) -> (Truth, Options) {
    let found = fit(design, &Options::default(), &never(), None).unwrap();
    let e = found.estimates;
    let options = start_at(design, &e.lambda);
    let truth = Truth {
        beta: e.beta,
        sigma2: e.sigma2,
        lambda: e.lambda,
        modes: e.modes,
    };
    (truth, options)
}

fn request(kind: Kind<'_>, first: usize, count: usize) -> Request<'_> {
    Request {
        kind,
        seed: 11,
        first,
        count,
    }
}

fn bits(replicates: &[Replicate]) -> Vec<u64> {
    let numbers = replicates.iter().flat_map(|r| {
        let ends = [r.sigma2, r.criterion];
        r.beta
            .iter()
            .chain(&r.theta)
            .copied()
            .chain(ends)
            .collect::<Vec<f64>>()
    });
    numbers.map(f64::to_bits).collect()
}

#[test]
fn replicates_are_the_same_for_any_number_of_threads_and_any_division() {
    for shape in [nested(), crossed()] {
        let made = Data::new(&shape, true);
        let design = made.design();
        let (truth, options) = fitted(&design);
        let mut kinds = vec![
            Kind::Simulated(Source::Normal, truth.clone()),
            Kind::Simulated(Source::Residuals, truth),
        ];
        if shape.others.is_empty() {
            kinds.extend([Kind::Case, Kind::Jackknife(6)]);
        }
        for kind in kinds {
            let run = |threads, first, count| -> Vec<Replicate> {
                let options = Options {
                    threads,
                    ..options.clone()
                };
                let request = request(kind.clone(), first, count);
                bootstrap(&design, &options, &request, &never(), None).unwrap()
            };
            let all = run(1, 0, 6);
            assert!(all.iter().all(|r| r.outcome.is_ok() && r.sigma2 > 0.0));
            assert_eq!(bits(&all), bits(&run(2, 0, 6)));
            assert_eq!(bits(&all), bits(&run(3, 0, 6)));
            assert_eq!(bits(&all[2..]), bits(&run(2, 2, 4)));
            assert_ne!(bits(&all[..1]), bits(&all[1..2]));
        }
    }
}

#[test]
fn a_replicate_is_the_fit_of_its_data() {
    let made = Data::new(&nested(), true);
    let design = made.design();
    let (truth, options) = fitted(&design);
    let request = request(Kind::Simulated(Source::Normal, truth), 3, 2);
    let replicates = bootstrap(&design, &options, &request, &never(), None).unwrap();
    let responses = data(&design, 1e9, &request, &never()).unwrap();
    for (replicate, made) in replicates.iter().zip(&responses) {
        let Made::Response(y) = made else { unreachable!() };
        let design = Design { y, ..design.clone() };
        let fresh = fit(&design, &Options::default(), &never(), None).unwrap();
        assert!((fresh.estimates.value.criterion - replicate.criterion).abs() < 1e-7);
        assert!((fresh.estimates.beta[1] - replicate.beta[1]).abs() < 1e-5);
        assert!((fresh.estimates.sigma2 / replicate.sigma2 - 1.0).abs() < 1e-5);
    }
}

/// The element of `sigma^2 (Z Psi Z' + W^-1)`.
fn covariance(design: &Design<'_>, truth: &Truth, i: usize, j: usize) -> f64 {
    let mut v = match design.weights {
        _ if i != j => 0.0,
        Some(w) => 1.0 / w[i],
        None => 1.0,
    };
    for (t, term) in design.terms.iter().enumerate() {
        let (q, codes) = (term.columns.len(), design.factors[term.factor].codes);
        let l = &truth.lambda[t];
        let z = |row: usize, a: usize| design.z_column(term.columns[a]).map_or(1.0, |z| z[row]);
        if codes[i] == codes[j] {
            for k in 0..q {
                let at = |row: usize| (0..q).map(|a| z(row, a) * l[k * q + a]).sum::<f64>();
                v += at(i) * at(j);
            }
        }
    }
    v * truth.sigma2
}

/// Means and covariances of many responses against those of the model, in units of their standard errors.
fn check_moments(shape: &Shape, source: Source, singular: bool) {
    let made = Data::new(shape, true);
    let design = made.design();
    let (mut truth, _) = fitted(&design);
    if singular {
        // an effect without variance, whose modes are then zero
        truth.lambda[0] = vec![1.0, 0.5, 0.0, 0.0];
        for b in truth.modes[0].chunks_exact_mut(2) {
            b[1] = 0.5 * b[0];
        }
    }
    let draws = 6000;
    let request = request(Kind::Simulated(source, truth.clone()), 0, draws);
    let all = data(&design, 1e9, &request, &never()).unwrap();
    let y = |k: usize, i: usize| match &all[k] {
        Made::Response(y) => y[i],
        Made::Groups(_) => unreachable!(),
    };
    let mean = |i: usize| -> f64 { (0..2).map(|j| design.x_column(j)[i] * truth.beta[j]).sum() };
    for i in (0..design.n()).step_by(7) {
        let sd = covariance(&design, &truth, i, i).sqrt();
        let found = (0..draws).map(|k| y(k, i)).sum::<f64>() / draws as f64;
        assert!(
            (found - mean(i)).abs() < 4.5 * sd / (draws as f64).sqrt(),
            "mean {i}"
        );
        for j in (i..design.n()).step_by(5) {
            let product = |k: usize| (y(k, i) - mean(i)) * (y(k, j) - mean(j));
            let found = (0..draws).map(product).sum::<f64>() / draws as f64;
            let square = (0..draws).map(|k| product(k).powi(2)).sum::<f64>() / draws as f64;
            let error = found - covariance(&design, &truth, i, j);
            assert!(
                error.abs() < 5.0 * (square / draws as f64).sqrt(),
                "covariance {i} {j}"
            );
        }
    }
}

#[test]
fn responses_have_the_mean_and_the_covariance_of_the_model() {
    for source in [Source::Normal, Source::Residuals] {
        check_moments(&nested(), source, false);
        check_moments(&nested(), source, true);
        check_moments(&crossed(), source, false);
    }
}

#[test]
fn drawn_groups_are_new_groups_with_all_their_rows() {
    let made = Data::new(&nested(), false);
    let design = made.design();
    let all = data(&design, 1e9, &request(Kind::Case, 0, 20), &never()).unwrap();
    let mut repeated = false;
    for one in all {
        let Made::Groups(drawn) = one else { unreachable!() };
        assert_eq!(drawn.levels[0], 6);
        for (f, codes) in drawn.codes.iter().enumerate() {
            assert_eq!(codes.len(), drawn.rows.len());
            assert_eq!(*codes.iter().max().unwrap() as usize, drawn.levels[f]);
        }
        for draw in 1..=6 {
            let at: Vec<usize> = (0..drawn.rows.len())
                .filter(|i| drawn.codes[0][*i] == draw)
                .collect();
            let old = design.factors[0].codes[drawn.rows[at[0]] as usize];
            let size = design.factors[0].codes.iter().filter(|c| **c == old).count();
            assert_eq!(at.len(), size);
            // a level of the inner factor stays within its draw, one to one
            for i in &at {
                for j in &at {
                    let code = |r: usize| design.factors[1].codes[drawn.rows[r] as usize];
                    assert_eq!(code(*i) == code(*j), drawn.codes[1][*i] == drawn.codes[1][*j]);
                }
            }
        }
        let mut rows = drawn.rows.clone();
        rows.sort_unstable();
        rows.dedup();
        repeated |= rows.len() < drawn.rows.len();
    }
    assert!(repeated);
    let all = data(&design, 1e9, &request(Kind::Jackknife(3), 0, 3), &never()).unwrap();
    let left: usize = all
        .iter()
        .map(|d| match d {
            Made::Groups(drawn) => drawn.rows.len(),
            Made::Response(_) => 0,
        })
        .sum();
    assert_eq!(left, 2 * design.n());
}

#[test]
fn a_replicate_that_fails_is_kept_with_its_reason() {
    let made = Data::new(&nested(), false);
    let design = made.design();
    let (truth, options) = fitted(&design);
    let good = data(
        &design,
        1e9,
        &request(Kind::Simulated(Source::Normal, truth), 0, 1),
        &never(),
    )
    .unwrap();
    let Made::Response(good) = &good[0] else {
        unreachable!()
    };
    let mut both = vec![3.0; design.n()];
    both.extend(good);
    let given = request(Kind::Given(&both), 0, 2);
    let replicates = bootstrap(&design, &options, &given, &never(), None).unwrap();
    assert_eq!(replicates[0].outcome.as_ref().unwrap_err().what(), "perfect_fit");
    assert!(replicates[0].beta[0].is_nan() && replicates[0].theta.len() == 4);
    assert!(replicates[1].outcome.is_ok());
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    let made = Data::new(&crossed(), false);
    let design = made.design();
    let (truth, options) = fitted(&design);
    let ask = |request: &Request<'_>, options: &Options| -> Result<Vec<Replicate>> {
        bootstrap(&design, options, request, &never(), None)
    };
    let what = |result: Result<Vec<Replicate>>| result.unwrap_err().what();
    assert_eq!(what(ask(&request(Kind::Case, 0, 1), &options)), "bootstrap");
    assert_eq!(what(ask(&request(Kind::Given(&[1.0]), 0, 1), &options)), "shape");
    let normal = |truth: Truth| Kind::Simulated(Source::Normal, truth);
    let short = Truth {
        beta: vec![1.0],
        ..truth.clone()
    };
    assert_eq!(what(ask(&request(normal(short), 0, 1), &options)), "shape");
    let small = Options {
        max_memory: 1e5,
        ..options.clone()
    };
    assert_eq!(
        what(ask(&request(normal(truth.clone()), 0, 1_000_000), &small)),
        "memory"
    );
    let stopped = AtomicBool::new(true);
    let normal = request(normal(truth), 0, 3);
    assert_eq!(
        what(bootstrap(&design, &options, &normal, &stopped, None)),
        "interrupted"
    );
}
