//! Kernels on rows of any small width, one row after the other.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::linalg::axpy;

/// Call a function that is generic in the width of a row with that width as a constant where it is small (0: any).
macro_rules! with_width {
    ($c:expr, $function:ident ( $($argument:expr),* )) => {
        match $c {
            1 => $function::<1>($($argument),*),
            2 => $function::<2>($($argument),*),
            3 => $function::<3>($($argument),*),
            4 => $function::<4>($($argument),*),
            _ => $function::<0>($($argument),*),
        }
    };
}

/// Columns of Z of consecutive rows: `q` numbers for each, and where the effects of its level stand.
pub struct Band<'a> {
    pub q: usize,
    pub z: &'a [f64],
    pub at: &'a [u32],
}

/// `out -= Z b` for rows of width `c`; `b` holds all effects, row by row.
pub fn subtract(band: &Band<'_>, b: &[f64], c: usize, out: &mut [f64]) {
    with_width!(c, subtract_of(band, b, c, out))
}

fn subtract_of<const C: usize>(band: &Band<'_>, b: &[f64], c: usize, out: &mut [f64]) {
    let c = if C > 0 { C } else { c };
    let rows = out.chunks_exact_mut(c).zip(band.z.chunks_exact(band.q));
    for ((out, z), at) in rows.zip(band.at) {
        let effects = &b[*at as usize * c..(*at as usize + band.q) * c];
        for (z, b) in z.iter().zip(effects.chunks_exact(c)) {
            for (o, b) in out.iter_mut().zip(b) {
                *o -= z * b;
            }
        }
    }
}

/// `gram += R'R` for rows of width `c`, row by row.
pub fn add_gram(rows: &[f64], c: usize, gram: &mut [f64]) {
    if c <= 4 {
        with_width!(c, add_small_gram(rows, c, gram));
        return;
    }
    let r = MatRef::from_column_major_slice(rows, c, rows.len() / c);
    let out = MatMut::from_column_major_slice_mut(gram, c, c);
    matmul(out, Accum::Add, r, r.transpose(), 1.0, Par::Seq);
}

fn add_small_gram<const C: usize>(rows: &[f64], c: usize, gram: &mut [f64]) {
    let c = if C > 0 { C } else { c };
    for row in rows.chunks_exact(c) {
        for (column, b) in gram.chunks_exact_mut(c).zip(row) {
            for (g, a) in column.iter_mut().zip(row) {
                *g += a * b;
            }
        }
    }
}

/// `out = Lambda x` per level, for rows of width `c`; the transpose of Lambda where `transposed`.
pub fn multiply_level(lambda: &[f64], q: usize, transposed: bool, x: &[f64], c: usize, out: &mut [f64]) {
    for i in 0..q {
        let to = &mut out[i * c..(i + 1) * c];
        to.fill(0.0);
        for j in 0..q {
            let l = if transposed {
                lambda[i * q + j]
            } else {
                lambda[j * q + i]
            };
            if l != 0.0 {
                axpy(l, &x[j * c..(j + 1) * c], to);
            }
        }
    }
}

/// The shares of a vector that belong to consecutive ranges.
pub fn split_at_ends(mut rest: &mut [f64], ends: impl Iterator<Item = usize>) -> Vec<&mut [f64]> {
    let (mut parts, mut done) = (Vec::new(), 0);
    for end in ends {
        let (head, tail) = rest.split_at_mut(end - done);
        parts.push(head);
        (rest, done) = (tail, end);
    }
    parts
}
