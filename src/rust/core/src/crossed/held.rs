//! One fixed effect held at a value: `y - c x_j` for the response, and X without column j.
//!
//! The columns of X are known as `X = Q R`. With column j moved to the end, `R P = H R'` with an orthogonal H: the first
//! columns of `Q H` span the others, and `x_j = Q_1 r + q r_jj` with the last one, q. The part of `y - c x_j` that is
//! orthogonal to the others is then `(y - QQ'y) + q (q'y - c r_jj)`.

use super::Crossed;
use crate::error::{zeros, Result};
use crate::linalg::{axpy, dot, qr_in_place, square_size};

/// What changes with the columns of X and the response.
pub(super) struct Columns {
    d: usize,
    xy: Vec<f64>,
    base: Vec<f64>,
    triangle: Vec<f64>,
    projected: Vec<f64>,
    response: Vec<f64>,
    kept: Vec<usize>,
}

impl Crossed<'_> {
    /// Hold an effect, or estimate all of them again.
    pub(super) fn hold(&mut self, held: Option<(usize, f64)>) -> Result<()> {
        let complete = match self.complete.take() {
            Some(complete) => complete,
            None if held.is_none() => return Ok(()),
            None => Columns {
                d: self.cells.d,
                xy: std::mem::take(&mut self.cells.xy),
                base: std::mem::take(&mut self.cells.base),
                triangle: std::mem::take(&mut self.cells.triangle),
                projected: std::mem::take(&mut self.cells.projected),
                response: std::mem::take(&mut self.gram.response),
                kept: std::mem::take(&mut self.frame.kept),
            },
        };
        match held {
            None => self.replace(complete),
            Some((j, c)) => {
                let smaller = complete.without(j, c);
                self.complete = Some(complete);
                self.replace(smaller?);
            }
        }
        Ok(())
    }

    fn replace(&mut self, columns: Columns) {
        self.cells.d = columns.d;
        self.cells.xy = columns.xy;
        self.cells.base = columns.base;
        self.cells.triangle = columns.triangle;
        self.cells.projected = columns.projected;
        self.gram.response = columns.response;
        self.frame.kept = columns.kept;
    }
}

impl Columns {
    fn without(&self, j: usize, c: f64) -> Result<Columns> {
        let p = square_size(&self.triangle);
        let others: Vec<usize> = (0..p).filter(|k| *k != j).collect();
        // [R P | I] -> [R' | H']
        let mut wide: Vec<f64> = others
            .iter()
            .chain(std::iter::once(&j))
            .flat_map(|k| self.triangle[k * p..(k + 1) * p].iter().copied())
            .collect();
        wide.extend((0..p * p).map(|k| if k % (p + 1) == 0 { 1.0 } else { 0.0 }));
        qr_in_place(&mut wide, p, 2 * p, p);
        let (turned, h) = wide.split_at(p * p);
        let row = |i: usize| -> Vec<f64> { (0..p).map(|k| h[k * p + i]).collect() };
        let last = &turned[(p - 1) * p..];
        let rest = dot(&row(p - 1), &self.projected) - c * last[p - 1];
        // [Q y] T = [Q_1, y + q rest]
        let mut t = zeros((p + 1) * p, "the columns of X")?;
        for i in 0..p - 1 {
            t[i * (p + 1)..i * (p + 1) + p].copy_from_slice(&row(i));
        }
        axpy(
            rest,
            &row(p - 1),
            &mut t[(p - 1) * (p + 1)..(p - 1) * (p + 1) + p],
        );
        t[p * (p + 1) - 1] = 1.0;
        let of_rows = |rows: &[f64]| -> Result<Vec<f64>> {
            let count = rows.len() / (p + 1);
            let mut out = zeros(count * p, "the reduced data")?;
            for (to, from) in out.chunks_exact_mut(p).zip(rows.chunks_exact(p + 1)) {
                let columns = t.chunks_exact(p + 1);
                to.iter_mut()
                    .zip(columns)
                    .for_each(|(v, column)| *v = dot(column, from));
            }
            Ok(out)
        };
        let mut kept = self.kept.clone();
        kept.remove(j);
        Ok(Columns {
            d: self.d - 1,
            xy: of_rows(&self.xy)?,
            base: of_rows(&self.base)?,
            response: of_rows(&self.response)?,
            triangle: (0..(p - 1) * (p - 1))
                .map(|k| turned[(k / (p - 1)) * p + k % (p - 1)])
                .collect(),
            projected: (0..p - 1)
                .map(|i| dot(&row(i), &self.projected) - c * last[i])
                .collect(),
            kept,
        })
    }
}
