//! The system over the nodes in panels: Cholesky factor, solutions, and the elements of the inverse that fall on the
//! factor's pattern.
//!
//! Vignette "The algorithm": Eq. Elimination, Eq. Selected inverse.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, MatMut, MatRef, Par};

use super::dense::{factorise_panel, invert_triangle, square_of_triangle};
use super::layout::{Layout, Supernode};
use crate::error::{zeros, Result};
use crate::parallel::Workers;

/// Columns of an update that one thread makes at a time.
const TILE: usize = 128;

/// Values in the panels of a layout.
pub struct Panels {
    /// The system, then its factor L.
    pub factor: Vec<f64>,
    /// The inverse of the system, on the pattern of L.
    pub inverse: Vec<f64>,
}

/// Rows of `panel` (sorted columns of the system, not before its own) as local rows.
fn local_rows(panel: &Supernode, rows: &[u32], out: &mut Vec<u32>) {
    out.clear();
    let (own, mut below) = (&panel.columns, 0);
    for r in rows {
        let row = *r as usize;
        if row < own.end {
            out.push((row - own.start) as u32);
        } else {
            while panel.below_columns[below] < *r {
                below += 1;
            }
            out.push((own.len() + below) as u32);
        }
    }
}

/// The panels that own the rows below a panel: ranges of `below_columns` with the owner.
fn owners<'a>(
    layout: &'a Layout,
    panel: &'a Supernode,
) -> impl Iterator<Item = (usize, usize, &'a Supernode)> {
    let mut from = 0;
    let mut nodes = panel.below.iter().peekable();
    std::iter::from_fn(move || {
        let first = nodes.next()?;
        let owner = &layout.supernodes[layout.supernode_of[*first as usize] as usize];
        while nodes.next_if(|n| owner.nodes.contains(&(**n as usize))).is_some() {}
        let count = panel.below_columns[from..]
            .iter()
            .take_while(|c| owner.columns.contains(&(**c as usize)))
            .count();
        from += count;
        Some((from - count, from, owner))
    })
}

impl Panels {
    /// Room for the values of a layout.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`] (`"memory"`).
    pub fn new(layout: &Layout) -> Result<Panels> {
        Ok(Panels {
            factor: zeros(layout.values, "the system of the random effects")?,
            inverse: zeros(layout.values, "the inverse of the system of the random effects")?,
        })
    }

    /// Factorise the system in place; returns the logarithm of its determinant.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`], [`crate::Error::Interrupted`].
    pub fn factorise(&mut self, layout: &Layout, workers: &Workers<'_>) -> Result<f64> {
        let mut logdet = 0.0;
        let (mut update, mut local) = (Vec::new(), Vec::new());
        for panel in &layout.supernodes {
            let (rows, n) = (panel.rows(), panel.columns.len());
            let (values, later) = self.factor[panel.offset..].split_at_mut(rows * n);
            factorise_panel(values, rows, n, workers)?;
            logdet += (0..n).map(|j| values[j * rows + j].ln()).sum::<f64>();
            let b = rows - n;
            if b == 0 {
                continue;
            }
            update.clear();
            update.resize(b * b, 0.0);
            let below = MatRef::from_column_major_slice(values, rows, n).subrows(n, b);
            let tiles: Vec<(usize, &mut [f64])> = update.chunks_mut(TILE * b).enumerate().collect();
            workers.map(tiles, |(tile, out)| {
                let (from, width) = (tile * TILE, out.len() / b);
                let out = MatMut::from_column_major_slice_mut(out, b, width)
                    .split_at_row_mut(from)
                    .1;
                let left = below.subrows(from, b - from);
                matmul(
                    out,
                    Accum::Replace,
                    left,
                    below.subrows(from, width).transpose(),
                    1.0,
                    Par::Seq,
                );
                Ok(())
            })?;
            let done = panel.offset + rows * n;
            for (from, to, owner) in owners(layout, panel) {
                local_rows(owner, &panel.below_columns[from..], &mut local);
                for c in from..to {
                    let at = owner.column(panel.below_columns[c] as usize) - done;
                    for r in c..b {
                        later[at + local[r - from] as usize] -= update[c * b + r];
                    }
                }
            }
        }
        Ok(2.0 * logdet)
    }

    /// Solve the system for `c` right-hand sides, `m x c` row by row, in place.
    pub fn solve(&self, layout: &Layout, x: &mut [f64], c: usize) {
        self.forward(layout, x, c);
        self.backward(layout, x, c);
    }

    /// `L^-1 x`.
    pub fn forward(&self, layout: &Layout, x: &mut [f64], c: usize) {
        let mut gathered = Vec::new();
        for panel in &layout.supernodes {
            let (rows, n) = (panel.rows(), panel.columns.len());
            let values =
                MatRef::from_column_major_slice(&self.factor[panel.offset..panel.offset + rows * n], rows, n);
            let own = &mut x[panel.columns.start * c..panel.columns.end * c];
            let mut own = MatMut::from_row_major_slice_mut(own, n, c);
            solve_lower_triangular_in_place(values.subrows(0, n), own.as_mut(), Par::Seq);
            let b = rows - n;
            if b > 0 {
                gathered.clear();
                gathered.resize(b * c, 0.0);
                let out = MatMut::from_row_major_slice_mut(&mut gathered, b, c);
                matmul(
                    out,
                    Accum::Replace,
                    values.subrows(n, b),
                    own.as_ref(),
                    1.0,
                    Par::Seq,
                );
                for (row, values) in panel.below_columns.iter().zip(gathered.chunks_exact(c)) {
                    let to = &mut x[*row as usize * c..(*row as usize + 1) * c];
                    to.iter_mut().zip(values).for_each(|(t, v)| *t -= v);
                }
            }
        }
    }

    /// `L^-T x`.
    fn backward(&self, layout: &Layout, x: &mut [f64], c: usize) {
        let mut gathered = Vec::new();
        for panel in layout.supernodes.iter().rev() {
            let (rows, n) = (panel.rows(), panel.columns.len());
            let values =
                MatRef::from_column_major_slice(&self.factor[panel.offset..panel.offset + rows * n], rows, n);
            let b = rows - n;
            gathered.clear();
            for row in &panel.below_columns {
                gathered.extend_from_slice(&x[*row as usize * c..(*row as usize + 1) * c]);
            }
            let own = &mut x[panel.columns.start * c..panel.columns.end * c];
            let mut own = MatMut::from_row_major_slice_mut(own, n, c);
            if b > 0 {
                let known = MatRef::from_row_major_slice(&gathered, b, c);
                matmul(
                    own.as_mut(),
                    Accum::Add,
                    values.subrows(n, b).transpose(),
                    known,
                    -1.0,
                    Par::Seq,
                );
            }
            solve_upper_triangular_in_place(values.subrows(0, n).transpose(), own, Par::Seq);
        }
    }

    /// The elements of the inverse on the pattern of L (Takahashi, Fagan and Chin 1973), panel by panel from the last:
    /// with `Y = L_B L_C^-1`, `Z_BC = -Z_BB Y` and `Z_CC = L_C^-T L_C^-1 - Y'Z_BC`.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`], [`crate::Error::InvalidInput`] (`"memory"`).
    pub fn invert(&mut self, layout: &Layout, workers: &Workers<'_>) -> Result<()> {
        let (mut known, mut top, mut y, mut out, mut local) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for panel in layout.supernodes.iter().rev() {
            let (rows, n) = (panel.rows(), panel.columns.len());
            let values = &self.factor[panel.offset..panel.offset + rows * n];
            let b = rows - n;
            if b == 0 {
                let target = &mut self.inverse[panel.offset..panel.offset + n * n];
                invert_triangle(values, rows, n, target, workers)?;
                square_of_triangle(target, n, workers)?;
                continue;
            }
            workers.check()?;
            resize(&mut top, n * n);
            invert_triangle(values, rows, n, &mut top, workers)?;
            resize(&mut known, b * b);
            for (from, to, owner) in owners(layout, panel) {
                local_rows(owner, &panel.below_columns[from..], &mut local);
                for c in from..to {
                    let column = &self.inverse[owner.column(panel.below_columns[c] as usize)..];
                    for r in c..b {
                        let value = column[local[r - from] as usize];
                        known[c * b + r] = value;
                        known[r * b + c] = value;
                    }
                }
            }
            let below = MatRef::from_column_major_slice(values, rows, n).subrows(n, b);
            resize(&mut y, b * n);
            let inverted = MatRef::from_column_major_slice(&top, n, n);
            matmul(
                MatMut::from_column_major_slice_mut(&mut y, b, n),
                Accum::Replace,
                below,
                inverted,
                1.0,
                Par::Seq,
            );
            resize(&mut out, b * n);
            {
                let y = MatRef::from_column_major_slice(&y, b, n);
                let known = MatRef::from_column_major_slice(&known, b, b);
                let tiles: Vec<(usize, &mut [f64])> = out.chunks_mut(TILE * b).enumerate().collect();
                workers.map(tiles, |(tile, out)| {
                    let width = out.len() / b;
                    let right = y.subcols(tile * TILE, width);
                    matmul(
                        MatMut::from_column_major_slice_mut(out, b, width),
                        Accum::Replace,
                        known,
                        right,
                        -1.0,
                        Par::Seq,
                    );
                    Ok(())
                })?;
            }
            square_of_triangle(&mut top, n, workers)?;
            let (y, z) = (
                MatRef::from_column_major_slice(&y, b, n),
                MatRef::from_column_major_slice(&out, b, n),
            );
            matmul(
                MatMut::from_column_major_slice_mut(&mut top, n, n),
                Accum::Add,
                y.transpose(),
                z,
                -1.0,
                Par::Seq,
            );
            let target = &mut self.inverse[panel.offset..panel.offset + rows * n];
            for (j, column) in target.chunks_exact_mut(rows).enumerate() {
                column[..n].copy_from_slice(&top[j * n..(j + 1) * n]);
                column[n..].copy_from_slice(&out[j * b..(j + 1) * b]);
            }
        }
        Ok(())
    }
}

fn resize(v: &mut Vec<f64>, len: usize) {
    v.clear();
    v.resize(len, 0.0);
}
