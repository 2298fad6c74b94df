//! Shift and scale: the problem in units in which nothing overflows and no digits are lost.
//!
//! `y' = (y - offset - c) / s_y`, `x'_j = x_j / s_j`, `z'_j = z_j / t_j`, `w' = w / s_w`, with powers of two (of four
//! for the weights, whose roots are used), so that the scaling is exact. The shift `c` is taken when the constant lies
//! in the span of X; `1 = X a` then puts `c a` back into beta.
//!
//! Vignette "The algorithm": Eq. Scaling.

use crate::design::{Column, Design};
use crate::linalg::{invert_upper, TriangleAccumulator};

/// The factors by which a problem was shifted and scaled.
#[derive(Debug, Clone)]
pub struct Scaling {
    /// Divisor of each column of X.
    pub x: Vec<f64>,
    /// Divisor of each column of each term.
    pub z: Vec<Vec<f64>>,
    /// Divisor of the response.
    pub y: f64,
    /// Divisor of the weights.
    pub w: f64,
    /// What is subtracted from the response.
    pub shift: f64,
    /// The coefficients of the constant in the columns of X (original units); zero when there is no shift.
    pub constant: Vec<f64>,
}

/// The power of `base` (2 or 4) at or below a positive number; 1 for zero.
fn power_below(value: f64, base: f64) -> f64 {
    if value > 0.0 && value.is_finite() {
        let limit = 1000.0 / base.log2();
        let exponent = (value.log2() / base.log2()).floor();
        base.powi(exponent.clamp(-limit, limit) as i32)
    } else {
        1.0
    }
}

fn largest(values: &[f64]) -> f64 {
    let mut m = [0.0f64; 4];
    let chunks = values.chunks_exact(4);
    let tail = chunks.remainder().iter().fold(0.0f64, |a, v| a.max(v.abs()));
    for c in chunks {
        for i in 0..4 {
            m[i] = m[i].max(c[i].abs());
        }
    }
    m[0].max(m[1]).max(m[2]).max(m[3]).max(tail)
}

impl Scaling {
    /// The scaling of a design.
    pub fn of(design: &Design<'_>) -> Scaling {
        let x: Vec<f64> = (0..design.p)
            .map(|j| power_below(largest(design.x_column(j)), 2.0))
            .collect();
        let z = design
            .terms
            .iter()
            .map(|t| {
                let divisor = |c: &Column<'_>| match c {
                    Column::One => 1.0,
                    Column::Fixed(j) => x[*j],
                    Column::Own(v) => power_below(largest(v), 2.0),
                };
                t.structure.common_scale(t.columns.iter().map(divisor).collect())
            })
            .collect();
        let w = design.weights.map_or(1.0, |w| power_below(largest(w), 4.0));
        let n = design.n();
        let constant = constant_in_span(design, &x);
        let mut shift = 0.0;
        if constant.is_some() {
            // the mean of the halves of neighbours cannot overflow
            shift = (0..n).map(|i| design.adjusted_response(i) / n as f64).sum();
        }
        let spread = (0..n).fold(0.0f64, |m, i| m.max((design.adjusted_response(i) - shift).abs()));
        Scaling {
            x,
            z,
            y: power_below(spread, 2.0),
            w,
            shift,
            constant: constant.unwrap_or_else(|| vec![0.0; design.p]),
        }
    }

    /// `log|D|^2` of what the scaling of weights and columns `kept` did to `X'V^-1X`.
    pub fn log_det_correction(&self, kept: &[usize]) -> f64 {
        kept.iter().map(|j| 2.0 * self.x[*j].ln() + self.w.ln()).sum()
    }

    /// By what a generalised residual sum of squares in scaled units must be multiplied: `s_w s_y^2`, as a logarithm.
    pub fn log_rss_factor(&self) -> f64 {
        self.w.ln() + 2.0 * self.y.ln()
    }
}

/// Coefficients `a` with `X a = 1`, if there are any.
fn constant_in_span(design: &Design<'_>, scale: &[f64]) -> Option<Vec<f64>> {
    let (n, p) = (design.n(), design.p);
    for j in 0..p {
        let column = design.x_column(j);
        if column[0] != 0.0 && column.iter().all(|v| *v == column[0]) {
            let mut a = vec![0.0; p];
            a[j] = 1.0 / column[0];
            return Some(a);
        }
    }
    let mut acc = TriangleAccumulator::new(p + 1);
    let block = 64;
    let mut rows = vec![0.0; block * (p + 1)];
    let mut start = 0;
    while start < n {
        let take = block.min(n - start);
        for j in 0..p {
            for (to, from) in rows[j * block..]
                .iter_mut()
                .zip(&design.x_column(j)[start..start + take])
            {
                *to = from / scale[j];
            }
        }
        rows[p * block..].fill(1.0);
        acc.push(&rows, block, 0, take, 0);
        start += take;
    }
    solve_for_last(acc.triangle(), p, scale)
}

fn solve_for_last(tri: &[f64], p: usize, scale: &[f64]) -> Option<Vec<f64>> {
    let d = p + 1;
    let norm = tri[p * d..].iter().map(|v| v * v).sum::<f64>().sqrt();
    if p == 0 || tri[p * d + p].abs() > 1e-10 * norm {
        return None;
    }
    let kept = super::rank::independent_columns(tri, d, p, 1e-7);
    let k = kept.len();
    let mut small = TriangleAccumulator::new(k + 1);
    let mut columns = vec![0.0; d * (k + 1)];
    for (c, j) in kept.iter().chain(std::iter::once(&p)).enumerate() {
        columns[c * d..(c + 1) * d].copy_from_slice(&tri[j * d..(j + 1) * d]);
    }
    small.push(&columns, d, 0, d, 0);
    let r = small.triangle();
    let inverse = invert_upper(r, k + 1, k)?;
    let mut a = vec![0.0; p];
    for (i, j) in kept.iter().enumerate() {
        a[*j] = (0..k)
            .map(|c| inverse[c * k + i] * r[k * (k + 1) + c])
            .sum::<f64>()
            / scale[*j];
    }
    Some(a)
}
