//! Random effects given the fixed ones, with rows that make new levels known.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicBool;

use mixedlm_core::conditional::conditional;
use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::{Column, Design, Factor, Term};
use mixedlm_core::{Error, Options};

const GROUPS: usize = 6;
const SIZE: usize = 5;

struct Rows {
    y: Vec<f64>,
    x: Vec<f64>,
    weights: Vec<f64>,
    first: Vec<i32>,
    second: Vec<i32>,
}

/// Six groups of five rows, crossed with three levels when `crossed`; then rows of no weight: a new level of the first factor, and a
/// known one, both at x = 2.
fn rows(extra: bool, crossed: bool) -> Rows {
    let n = GROUPS * SIZE;
    let mut x: Vec<f64> = (0..n).map(|i| ((i * 7) % 11) as f64 / 5.0).collect();
    let mut first: Vec<i32> = (0..n).map(|i| (i / SIZE) as i32 + 1).collect();
    let mut second: Vec<i32> = (0..n)
        .map(|i| {
            if crossed {
                ((i * i + i / 4) % 3) as i32 + 1
            } else {
                1
            }
        })
        .collect();
    let mut y: Vec<f64> = (0..n)
        .map(|i| {
            x[i] + 1.5 * f64::from(first[i] % 3) + ((i * 37) % 17) as f64 / 17.0 + 0.4 * f64::from(second[i])
        })
        .collect();
    let mut weights = vec![1.0; n];
    if extra {
        x.extend([2.0, 2.0]);
        first.extend([GROUPS as i32 + 1, 2]);
        second.extend([1, 1]);
        y.extend([0.0, 0.0]);
        weights.extend([1e-200, 1e-200]);
    }
    let mut columns = vec![1.0; x.len()];
    columns.extend(x);
    Rows {
        y,
        x: columns,
        weights,
        first,
        second,
    }
}

fn design(rows: &Rows, crossed: bool) -> Design<'_> {
    let term = |factor: usize, columns: Vec<Column<'static>>| Term {
        factor,
        columns,
        structure: Structure::Unstructured,
        free: vec![],
    };
    let factor = |codes: &'static str| {
        let codes = if codes == "first" {
            &rows.first
        } else {
            &rows.second
        };
        let levels = codes.iter().copied().max().unwrap() as usize;
        Factor { codes, levels }
    };
    let mut terms = vec![term(0, vec![Column::One, Column::Fixed(1)])];
    let mut factors = vec![factor("first")];
    if crossed {
        terms.push(term(1, vec![Column::One]));
        factors.push(factor("second"));
    }
    Design {
        y: &rows.y,
        x: &rows.x,
        p: 2,
        weights: Some(&rows.weights),
        offset: None,
        terms,
        factors,
    }
}

fn options(crossed: bool) -> Options {
    let mut start = vec![vec![0.9, 0.2, 0.5]];
    if crossed {
        start.push(vec![0.7]);
    }
    Options {
        start: Some(start),
        ..Options::default()
    }
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn a_row_without_weight_tells_nothing_and_a_new_level_has_its_prior_variance() {
    let never = AtomicBool::new(false);
    for crossed in [false, true] {
        let (plain, more) = (rows(false, crossed), rows(true, crossed));
        let n = plain.y.len();
        let a = conditional(&design(&plain, crossed), &options(crossed), 0, &never).unwrap();
        let b = conditional(&design(&more, crossed), &options(crossed), n, &never).unwrap();
        assert_eq!(a.variances.len(), n);
        assert_eq!(b.variances.len(), 2);
        close(&b.beta, &a.beta);
        close(&b.beta_covariance, &a.beta_covariance);
        let old = a.modes[0].len();
        close(&b.modes[0][..old], &a.modes[0]);
        close(&b.modes[0][old..], &[0.0, 0.0]);
        close(&b.responses[0][..2 * old], &a.responses[0]);
        close(&b.responses[0][2 * old..], &[0.0; 4]);
        if !crossed {
            // (1, 2) Psi (1, 2)' with Psi = Lambda Lambda'
            let z = [0.9 + 2.0 * 0.2, 2.0 * 0.5];
            close(&b.variances[..1], &[z[0] * z[0] + z[1] * z[1]]);
        }
        assert!(b.variances[1] < b.variances[0]);
    }
}

#[test]
fn the_modes_move_with_the_fixed_effects_as_the_responses_say() {
    let never = AtomicBool::new(false);
    for crossed in [false, true] {
        let data = rows(false, crossed);
        let at = conditional(&design(&data, crossed), &options(crossed), data.y.len(), &never).unwrap();
        assert!(at.variances.is_empty());
        // y - X d has estimates less by d, and the same modes: those of y at the estimates of y - X d are less by K times d
        let d = [0.3, -0.7];
        let n = data.y.len();
        let mut moved = rows(false, crossed);
        for i in 0..n {
            moved.y[i] -= d[0] + d[1] * data.x[n + i];
        }
        let same = conditional(&design(&moved, crossed), &options(crossed), n, &never).unwrap();
        close(&same.modes[0], &at.modes[0]);
        close(&same.beta, &[at.beta[0] - d[0], at.beta[1] - d[1]]);
        // without fixed effects the modes are those at beta = 0: more by K times the estimates
        let mut none = design(&data, crossed);
        (none.x, none.p) = (&[], 0);
        none.terms[0].columns = vec![Column::One, Column::Own(&data.x[n..])];
        let zero = conditional(&none, &options(crossed), n, &never).unwrap();
        for (b, (mode, k)) in zero.modes[0]
            .iter()
            .zip(at.modes[0].iter().zip(at.responses[0].chunks(2)))
        {
            close(&[*b], &[mode + k[0] * at.beta[0] + k[1] * at.beta[1]]);
        }
    }
}

#[test]
fn too_many_rows_to_skip_are_refused() {
    let data = rows(false, false);
    let result = conditional(
        &design(&data, false),
        &options(false),
        31,
        &AtomicBool::new(false),
    );
    assert!(matches!(result, Err(Error::InvalidInput { .. })));
}
