//! Whole fits through the public interface.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::AtomicBool;

use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::{Column, Design, Estimation, Factor, Term};
use mixedlm_core::fit::{evaluate, profile, variances, ProfileTarget};
use mixedlm_core::optimizer::{Method, Settings};
use mixedlm_core::verdict::Verdict;
use mixedlm_core::{fit, Error, Fit, Options};
use support::{dense_posterior, start_at, Data, Meeting, Numbers, Shape};

fn run(design: &Design<'_>, options: &Options) -> mixedlm_core::Result<Fit> {
    fit(design, options, &AtomicBool::new(false), None)
}

/// Balanced groups with a random intercept and a slope on `x`.
struct Groups {
    y: Vec<f64>,
    x: Vec<f64>,
    codes: Vec<i32>,
    levels: usize,
}

impl Groups {
    fn new(levels: usize, size: usize, sd: [f64; 2]) -> Self {
        let mut r = Numbers(7);
        let n = levels * size;
        let time: Vec<f64> = (0..n).map(|i| (i % size) as f64).collect();
        let codes: Vec<i32> = (0..n).map(|i| (i / size) as i32 + 1).collect();
        let effects: Vec<f64> = (0..2 * levels).map(|k| sd[k % 2] * r.normal()).collect();
        let y = (0..n)
            .map(|i| {
                let g = i / size;
                3.0 + 0.5 * time[i] + effects[2 * g] + effects[2 * g + 1] * time[i] + r.normal()
            })
            .collect();
        let mut x = vec![1.0; n];
        x.extend(time);
        Groups { y, x, codes, levels }
    }

    fn design(&self, q: usize) -> Design<'_> {
        Design {
            y: &self.y,
            x: &self.x,
            p: 2,
            weights: None,
            offset: None,
            terms: vec![Term {
                factor: 0,
                columns: [Column::One, Column::Fixed(1)][..q].to_vec(),
                structure: Structure::Unstructured,
                free: vec![],
            }],
            factors: vec![Factor {
                codes: &self.codes,
                levels: self.levels,
            }],
        }
    }
}

fn relative(a: f64, b: f64) -> f64 {
    (a - b).abs() / b.abs().max(1e-300)
}

#[test]
fn all_methods_reach_the_same_optimum() {
    let data = Groups::new(15, 6, [1.0, 0.5]);
    let design = data.design(2);
    let best = run(&design, &Options::default()).unwrap();
    assert_eq!(best.certificate.verdict, Verdict::Optimum);
    for method in [Method::Bfgs, Method::Lbfgs, Method::NelderMead, Method::Em] {
        let settings = Settings {
            method,
            max_iterations: 10_000,
            ..Settings::default()
        };
        let fit = run(
            &design,
            &Options {
                settings,
                ..Options::default()
            },
        )
        .unwrap();
        assert_eq!(fit.certificate.verdict, Verdict::Optimum, "{method:?}");
        assert!(
            relative(fit.estimates.value.criterion, best.estimates.value.criterion) < 1e-10,
            "{method:?}"
        );
        assert!(
            relative(fit.estimates.psi[0][3], best.estimates.psi[0][3]) < 1e-6,
            "{method:?}"
        );
    }
}

#[test]
fn a_response_in_other_units_gives_the_same_fit() {
    let data = Groups::new(12, 7, [1.0, 0.5]);
    let base = run(&data.design(2), &Options::default()).unwrap();
    for (factor, shift) in [
        (1e-8, 0.0),
        (1e8, 0.0),
        (1e-150, 0.0),
        (1e150, 0.0),
        (1.0, 1e8),
        (1.0, -3e5),
    ] {
        let y: Vec<f64> = data.y.iter().map(|v| v * factor + shift).collect();
        let other = Groups {
            y,
            ..Groups::new(12, 7, [1.0, 0.5])
        };
        let fit = run(&other.design(2), &Options::default()).unwrap();
        assert_eq!(fit.certificate.verdict, Verdict::Optimum);
        // adding 1e8 leaves eight digits of the data
        let tolerance = if shift > 1e6 { 1e-5 } else { 1e-9 };
        assert!(relative(fit.estimates.sigma2, base.estimates.sigma2 * factor * factor) < tolerance);
        for (a, b) in fit.estimates.psi[0].iter().zip(&base.estimates.psi[0]) {
            assert!(relative(*a, *b) < tolerance, "{a} {b}");
        }
        assert!(relative(fit.estimates.beta[1], base.estimates.beta[1] * factor) < tolerance);
    }
}

#[test]
fn predictors_in_other_units_give_the_same_fit() {
    let data = Groups::new(12, 7, [1.0, 0.5]);
    let base = run(&data.design(2), &Options::default()).unwrap();
    for (factor, shift) in [
        (1e-6, 0.0),
        (1e6, 0.0),
        (1.0, 1000.0),
        (1e-100, 0.0),
        (1e100, 0.0),
    ] {
        let mut other = Groups::new(12, 7, [1.0, 0.5]);
        let n = other.y.len();
        other.x[n..].iter_mut().for_each(|v| *v = (*v + shift) * factor);
        let fit = run(&other.design(2), &Options::default()).unwrap();
        assert_eq!(fit.certificate.verdict, Verdict::Optimum, "{factor} {shift}");
        let jacobian = 2.0 * f64::ln(factor);
        let expected = base.estimates.value.criterion + jacobian;
        assert!(
            relative(fit.estimates.value.criterion, expected) < 1e-9,
            "{factor} {shift}"
        );
        assert!(
            relative(
                fit.estimates.psi[0][3],
                base.estimates.psi[0][3] / factor / factor
            ) < 1e-6
        );
    }
}

#[test]
fn no_variance_between_groups_is_a_boundary() {
    let mut data = Groups::new(10, 6, [0.0, 0.0]);
    // groups more alike than chance would have it
    for i in 0..data.y.len() {
        data.y[i] = (i % 6) as f64 + ((i * 7) % 6) as f64;
    }
    for q in [1, 2] {
        for estimation in [Estimation::Ml, Estimation::Reml] {
            let mut noisy = Numbers(3);
            let y: Vec<f64> = data.y.iter().map(|v| v + 0.1 * noisy.normal()).collect();
            let other = Groups {
                y,
                x: data.x.clone(),
                codes: data.codes.clone(),
                levels: data.levels,
            };
            let fit = run(
                &other.design(q),
                &Options {
                    estimation,
                    ..Options::default()
                },
            )
            .unwrap();
            assert_eq!(fit.certificate.verdict, Verdict::Boundary, "{q} {estimation:?}");
            assert_eq!(fit.estimates.psi[0][0], 0.0);
        }
    }
}

#[test]
fn one_row_per_group_is_flat() {
    let data = Groups::new(40, 1, [1.0, 0.0]);
    let mut design = data.design(1);
    design.p = 1;
    design.x = &data.x[..40];
    let fit = run(&design, &Options::default()).unwrap();
    assert_eq!(fit.certificate.verdict, Verdict::Flat);
}

#[test]
fn two_identical_factors_are_flat() {
    let data = Groups::new(12, 7, [1.0, 0.5]);
    let mut design = data.design(1);
    let again = design.terms[0].clone();
    design.terms.push(again);
    design.factors.push(design.factors[0]);
    design.terms[1].factor = 1;
    let fit = run(&design, &Options::default()).unwrap();
    assert_eq!(fit.certificate.verdict, Verdict::Flat, "{:?}", fit.certificate);
    let alone = run(&data.design(1), &Options::default()).unwrap();
    assert!(relative(fit.estimates.value.criterion, alone.estimates.value.criterion) < 1e-9);
}

#[test]
fn a_start_at_zero_variance_is_left() {
    let data = Groups::new(15, 6, [1.0, 0.5]);
    let best = run(&data.design(2), &Options::default()).unwrap();
    for start in [vec![0.0, 0.0, 0.0], vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]] {
        let options = Options {
            start: Some(vec![start.clone()]),
            ..Options::default()
        };
        let fit = run(&data.design(2), &options).unwrap();
        assert_eq!(fit.certificate.verdict, Verdict::Optimum, "{start:?}");
        assert!(
            relative(fit.estimates.value.criterion, best.estimates.value.criterion) < 1e-10,
            "{start:?}"
        );
    }
}

#[test]
fn an_exact_fit_is_refused() {
    let mut data = Groups::new(10, 4, [0.0, 0.0]);
    let n = data.y.len();
    for i in 0..n {
        data.y[i] = 3.0 + 0.7 * data.x[n + i];
    }
    assert_eq!(
        run(&data.design(1), &Options::default()).unwrap_err().what(),
        "perfect_fit"
    );
    for i in 0..n {
        data.y[i] = (i / 4) as f64 + 0.7 * data.x[n + i];
    }
    assert_eq!(
        run(&data.design(1), &Options::default()).unwrap_err().what(),
        "perfect_fit"
    );
}

#[test]
fn aliased_columns_do_not_change_the_fit() {
    let data = Groups::new(12, 7, [1.0, 0.5]);
    let n = data.y.len();
    let base = run(&data.design(2), &Options::default()).unwrap();
    let mut x = data.x.clone();
    let twice: Vec<f64> = x[n..].iter().map(|v| 2.0 * v - 1.0).collect();
    x.splice(n..n, twice);
    let mut design = data.design(2);
    (design.x, design.p) = (&x, 3);
    let fit = run(&design, &Options::default()).unwrap();
    assert_eq!(fit.kept, vec![0, 1]);
    assert!(relative(fit.estimates.sigma2, base.estimates.sigma2) < 1e-10);
}

#[test]
fn weights_in_other_units_only_change_the_residual_variance() {
    let data = Groups::new(12, 7, [1.0, 0.5]);
    let w: Vec<f64> = (0..data.y.len()).map(|i| 1.0 + (i % 3) as f64).collect();
    let fit_with = |factor: f64| {
        let weights: Vec<f64> = w.iter().map(|v| v * factor).collect();
        let mut design = data.design(2);
        design.weights = Some(&weights);
        run(&design, &Options::default()).unwrap().estimates
    };
    let (a, b) = (fit_with(1.0), fit_with(1e9));
    assert!(relative(b.sigma2, a.sigma2 * 1e9) < 1e-10);
    assert!(relative(b.psi[0][0] * b.sigma2, a.psi[0][0] * a.sigma2) < 1e-9);
    assert!(relative(b.value.criterion, a.value.criterion) < 1e-10);
}

#[test]
fn elements_that_are_held_keep_their_value() {
    let data = Groups::new(15, 6, [1.0, 0.5]);
    let mut design = data.design(2);
    design.terms[0].free = vec![true, false, true];
    let options = Options {
        start: Some(vec![vec![1.0, 0.0, 1.0]]),
        ..Options::default()
    };
    let held = run(&design, &options).unwrap();
    assert_eq!(held.estimates.lambda[0][1], 0.0);
    let mut diagonal = data.design(2);
    diagonal.terms[0].structure = Structure::Diagonal;
    let same = run(&diagonal, &Options::default()).unwrap();
    assert!(relative(held.estimates.value.criterion, same.estimates.value.criterion) < 1e-11);
    design.terms[0].free = vec![false; 3];
    let nothing_free = run(&design, &options).unwrap();
    assert_eq!(nothing_free.certificate.verdict, Verdict::Optimum);
    assert!(relative(nothing_free.estimates.psi[0][0], 1.0) < 1e-14);
}

#[test]
fn a_profile_passes_through_the_optimum_and_holds_either_column() {
    let data = Groups::new(15, 6, [1.0, 0.5]);
    let design = data.design(2);
    let best = run(&design, &Options::default()).unwrap().estimates;
    let lambda = &best.lambda[0];
    let start = Some(vec![vec![lambda[0], lambda[1], lambda[3]]]);
    let options = Options {
        start,
        ..Options::default()
    };
    for column in 0..2 {
        let at = best.psi[0][3 * column];
        let target = ProfileTarget {
            term: 0,
            column,
            values: vec![0.5 * at, at, 2.0 * at, 0.0],
        };
        let points = profile(&design, &options, &target, &AtomicBool::new(false), None).unwrap();
        assert!(relative(points[1].criterion, best.value.criterion) < 1e-12);
        assert!(points.iter().all(|p| p.criterion >= best.value.criterion - 1e-9));
        // with the variance held at zero the column is out of the model
        let mut without = data.design(2);
        without.terms[0].columns.remove(column);
        let smaller = run(&without, &Options::default()).unwrap();
        assert!(
            relative(points[3].criterion, smaller.estimates.value.criterion) < 1e-9,
            "{column}"
        );
    }
}

#[test]
fn conditional_variances_equal_the_dense_ones() {
    use Meeting::{Anywhere, Nearby};
    use Structure::*;
    for shape in [
        Shape {
            levels: vec![6],
            terms: vec![(0, 2, Unstructured)],
            rows: 45,
            p: 2,
            ..Default::default()
        },
        Shape {
            levels: vec![3, 9],
            terms: vec![(1, 2, Unstructured), (0, 2, Unstructured)],
            rows: 60,
            p: 2,
            ..Default::default()
        },
        Shape {
            levels: vec![2, 4, 12],
            terms: vec![(0, 1, Unstructured), (1, 2, Diagonal), (2, 1, Unstructured)],
            rows: 50,
            p: 1,
            ..Default::default()
        },
        Shape {
            levels: vec![9],
            others: vec![(5, Anywhere)],
            terms: vec![(0, 2, Unstructured), (1, 1, Unstructured)],
            rows: 60,
            p: 2,
        },
        Shape {
            levels: vec![3, 9],
            others: vec![(5, Anywhere)],
            terms: vec![(1, 1, Unstructured), (0, 2, Diagonal), (2, 2, Unstructured)],
            rows: 80,
            p: 1,
        },
        Shape {
            levels: vec![220],
            others: vec![(180, Nearby)],
            terms: vec![(0, 1, Unstructured), (1, 1, Unstructured)],
            rows: 500,
            p: 2,
        },
    ] {
        let data = Data::new(&shape, true);
        let design = data.design();
        let fit = run(&design, &Options::default()).unwrap();
        let options = start_at(&design, &fit.estimates.lambda);
        let ours = variances(&design, &options, &AtomicBool::new(false)).unwrap();
        let theirs = dense_posterior(&data, &fit.estimates.psi, &fit.estimates.beta);
        for (t, term) in design.terms.iter().enumerate() {
            let q = term.columns.len();
            for level in 0..design.factors[term.factor].levels {
                for k in 0..q * q {
                    let (a, b) = (
                        ours[t][level * q * q + k],
                        theirs.covariance(t, level, k % q, k / q),
                    );
                    assert!(
                        (a - b).abs() < 1e-9 * (1.0 + b.abs()),
                        "{shape:?} {t} {level}: {a} {b}"
                    );
                }
                for j in 0..q {
                    let (a, b) = (fit.estimates.modes[t][level * q + j], theirs.mode(t, level, j));
                    assert!(
                        (a - b).abs() < 1e-8 * (1.0 + b.abs()),
                        "{shape:?} {t} {level}: {a} {b}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_gradient_vanishes_at_the_optimum_in_the_users_units() {
    let data = Groups::new(15, 6, [1.0, 0.5]);
    let design = data.design(2);
    let best = run(&design, &Options::default()).unwrap().estimates;
    let l = &best.lambda[0];
    let options = Options {
        start: Some(vec![vec![l[0], l[1], l[3]]]),
        ..Options::default()
    };
    let at = evaluate(&design, &options, &AtomicBool::new(false)).unwrap();
    assert!(relative(at.estimates.value.criterion, best.value.criterion) < 1e-13);
    assert!(at.gradient.iter().all(|g| g.abs() < 1e-7), "{:?}", at.gradient);
}

#[test]
fn a_stop_ends_the_fit() {
    let data = Groups::new(15, 6, [1.0, 0.5]);
    let error = fit(&data.design(2), &Options::default(), &AtomicBool::new(true), None).unwrap_err();
    assert_eq!(error, Error::Interrupted);
}

#[test]
fn too_few_rows_are_refused() {
    let data = Groups::new(1, 2, [1.0, 0.5]);
    assert_eq!(
        run(&data.design(1), &Options::default()).unwrap_err().what(),
        "degrees_of_freedom"
    );
}

#[test]
fn crossed_fits_have_the_same_bits_with_any_number_of_threads() {
    for (levels, others) in [(3000, Meeting::Anywhere), (2000, Meeting::Nearby)] {
        let shape = Shape {
            levels: vec![levels],
            others: vec![(400, others), (7, Meeting::Anywhere)],
            terms: vec![
                (0, 1, Structure::Unstructured),
                (1, 2, Structure::Unstructured),
                (2, 1, Structure::Unstructured),
            ],
            rows: 31_000,
            p: 2,
        };
        let data = Data::new(&shape, true);
        let design = data.design();
        let fit_with = |threads| {
            let options = Options {
                threads,
                ..Options::default()
            };
            run(&design, &options).unwrap()
        };
        let (one, three) = (fit_with(1), fit_with(3));
        assert_eq!(one.certificate.verdict, Verdict::Optimum);
        assert_eq!(one.estimates.lambda, three.estimates.lambda);
        assert_eq!(
            one.estimates.derivatives.hessian,
            three.estimates.derivatives.hessian
        );
        assert_eq!(one.estimates.modes, three.estimates.modes);
    }
}

#[test]
fn a_crossed_model_beyond_its_memory_is_refused_with_the_block() {
    let shape = Shape {
        levels: vec![600],
        others: vec![(500, Meeting::Anywhere)],
        terms: vec![(0, 1, Structure::Unstructured), (1, 1, Structure::Unstructured)],
        rows: 20_000,
        p: 1,
    };
    let data = Data::new(&shape, false);
    let options = Options {
        max_memory: 6e6,
        ..Options::default()
    };
    let error = run(&data.design(), &options).unwrap_err();
    assert_eq!(error.what(), "memory");
    assert!(
        error
            .to_string()
            .contains("500 x 500 system over the levels of factor 2"),
        "{error}"
    );
}

#[test]
fn identical_factors_beside_a_crossed_one_are_flat() {
    let shape = Shape {
        levels: vec![12],
        others: vec![(8, Meeting::Anywhere)],
        terms: vec![(0, 1, Structure::Unstructured), (1, 1, Structure::Unstructured)],
        rows: 150,
        p: 1,
    };
    let data = Data::new(&shape, false);
    let mut design = data.design();
    let best = run(&design, &Options::default()).unwrap();
    let copy = design.factors[0];
    design.factors.push(copy);
    let mut term = design.terms[0].clone();
    term.factor = 2;
    design.terms.push(term);
    let fit = run(&design, &Options::default()).unwrap();
    assert_eq!(fit.certificate.verdict, Verdict::Flat);
    assert!(relative(fit.estimates.value.criterion, best.estimates.value.criterion) < 1e-9);
}

#[test]
fn an_exact_fit_of_crossed_effects_is_refused() {
    let codes = |f: &dyn Fn(i32) -> i32| (0..20).map(|i| f(i) + 1).collect::<Vec<i32>>();
    let (a, b) = (codes(&|i| i % 5), codes(&|i| i / 5));
    let y: Vec<f64> = (0..20)
        .map(|i| [1.0, 5.0, 2.0, 8.0, 3.0][i % 5] + [0.0, 3.0, 1.0, 7.0][i / 5])
        .collect();
    let x = vec![1.0; 20];
    let design = |y| Design {
        y,
        x: &x,
        p: 1,
        weights: None,
        offset: None,
        terms: (0..2)
            .map(|factor| Term {
                factor,
                columns: vec![Column::One],
                structure: Structure::Unstructured,
                free: vec![],
            })
            .collect(),
        factors: vec![Factor { codes: &a, levels: 5 }, Factor { codes: &b, levels: 4 }],
    };
    assert_eq!(
        run(&design(&y), &Options::default()).unwrap_err().what(),
        "perfect_fit"
    );
    let mut nearly = y.clone();
    nearly[7] += 1e-4;
    assert_eq!(
        run(&design(&nearly), &Options::default())
            .unwrap()
            .certificate
            .verdict,
        Verdict::Optimum
    );
}

#[test]
fn a_crossed_variance_of_zero_has_effects_without_variance() {
    let shape = Shape {
        levels: vec![10],
        others: vec![(6, Meeting::Anywhere)],
        terms: vec![(0, 1, Structure::Unstructured), (1, 1, Structure::Unstructured)],
        rows: 60,
        p: 1,
    };
    let data = Data::new(&shape, false);
    for zero in 0..2 {
        let mut start = vec![vec![0.7], vec![0.7]];
        start[zero][0] = 0.0;
        let options = Options {
            start: Some(start),
            ..Options::default()
        };
        let found = variances(&data.design(), &options, &AtomicBool::new(false)).unwrap();
        assert!(found[zero].iter().all(|v| *v == 0.0));
        assert!(found[1 - zero].iter().all(|v| *v > 0.0));
    }
}
