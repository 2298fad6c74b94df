//! A start from moments: the variances at which sums of squares over levels equal their expectations.
//!
//! With `Q'` the projection off the fixed effects and y its residual, the squares `sum_l (z_la'y)^2` of each column a of
//! each factor have expectations that are linear in all variances (MINQUE(0), Rao 1971): a system of one equation for each
//! column and one for the noise, from cross-products alone.
//!
//! Vignette "The algorithm": Eq. Moments.

use super::Crossed;
use crate::criterion::{Criterion, TermShape};
use crate::error::{Error, Result};
use crate::linalg::{dot, identity, invert_general, matmul};

/// The least start of a variance, in units of the information of a level.
const LEAST: f64 = 0.02;

impl Crossed<'_> {
    /// Per term a diagonal Lambda; `None` where the equations say nothing.
    pub(super) fn moments(&self) -> Option<Vec<Vec<f64>>> {
        let first: Vec<usize> = self
            .blocks
            .iter()
            .scan(0, |at, b| {
                *at += b.q;
                Some(*at - b.q)
            })
            .collect();
        let k: usize = self.blocks.iter().map(|b| b.q).sum();
        let (p, d, size) = (self.frame.p(), self.cells.d, k + 1);
        let squares = self.squared_products(&first, k);
        let mut own = vec![0.0; k];
        let mut response = vec![0.0; k];
        let mut trace = vec![0.0; k];
        for (b, block) in self.blocks.iter().enumerate() {
            for level in 0..block.levels {
                for a in 0..block.q {
                    let row = &self.gram.response[(self.place(b, level) + a) * d..][..d];
                    response[first[b] + a] += row[p] * row[p];
                    trace[first[b] + a] -= dot(&row[..p], &row[..p]);
                }
            }
            for (t, columns) in block.term_columns() {
                for (j, a) in columns.enumerate() {
                    let q = self.shapes[t].q;
                    own[first[b] + a] = self.frame.gram[t][j * q + j];
                    trace[first[b] + a] += own[first[b] + a];
                }
            }
        }
        // unknown: the noise, then the variances, in units of the information of a level
        let levels: Vec<f64> = self
            .blocks
            .iter()
            .flat_map(|b| std::iter::repeat_n(b.levels as f64, b.q))
            .collect();
        let unit = |c: usize| if own[c] > 0.0 { levels[c] / own[c] } else { 1.0 };
        let total: f64 = self.residual_squares();
        let mut system = vec![0.0; size * size];
        let mut right = vec![0.0; size];
        system[0] = self.frame.n as f64 - p as f64;
        right[0] = total;
        for i in 0..k {
            system[(i + 1) * size] = trace[i] * unit(i);
            system[i + 1] = trace[i] * unit(i);
            right[i + 1] = response[i] * unit(i);
            for j in 0..k {
                system[(j + 1) * size + i + 1] = squares[j * k + i] * unit(i) * unit(j);
            }
        }
        invert_general(&mut system, size, &mut vec![0.0; size * size]);
        let solution = matmul(&system, &right, size, size, 1);
        let noise = solution[0];
        if !(solution.iter().all(|v| v.is_finite()) && noise > 1e-3 * total / self.frame.n as f64) {
            return None;
        }
        let mut starts = Vec::new();
        for (t, shape) in self.shapes.iter().enumerate() {
            let q = shape.q;
            let mut lambda = identity(q);
            for (b, block) in self.blocks.iter().enumerate() {
                for (_, columns) in block.term_columns().filter(|(term, _)| *term == t) {
                    for (j, a) in columns.enumerate() {
                        let c = first[b] + a;
                        let relative = (solution[c + 1] / noise).clamp(LEAST, 1e6);
                        lambda[j * q + j] = (relative * unit(c)).sqrt();
                    }
                }
            }
            shape.structure.average(q, &mut lambda);
            starts.push(lambda);
        }
        Some(starts)
    }

    /// Whether least squares on all columns of X and Z leave no residual: r2 at a large Psi is that residual and a part
    /// that falls with Psi; two values tell them apart.
    pub(super) fn leaves_nothing(&mut self) -> Result<bool> {
        let total = self.residual_squares();
        // as many effects as rows fit anything
        if self.state.root.r2 > 1e-10 * total || self.frame.n <= self.frame.p() + self.effects() {
            return Ok(false);
        }
        let found = self.state.root.r2;
        let mut r2 = [0.0; 2];
        for (r2, psi) in r2.iter_mut().zip([1e7f64, 1e9]) {
            let large = |(shape, gram): (&TermShape, &Vec<f64>)| {
                let unit = |j: usize| gram[j * shape.q + j] / shape.levels as f64;
                let element = |k: usize| match (k % shape.q, k / shape.q) {
                    (i, j) if i == j && unit(j) > 0.0 => (psi / unit(j)).sqrt(),
                    _ => 0.0,
                };
                (0..shape.q * shape.q).map(element).collect()
            };
            let lambda: Vec<Vec<f64>> = self.shapes.iter().zip(&self.frame.gram).map(large).collect();
            *r2 = match self.value(&lambda) {
                Err(Error::Numerical(_)) => return Ok(found < 1e-14 * total),
                value => value?.r2,
            };
        }
        let left = (100.0 * r2[1] - r2[0]) / 99.0;
        Ok(left < 1e-15 * total)
    }

    fn residual_squares(&self) -> f64 {
        let (p, d) = (self.frame.p(), self.cells.d);
        let rows: f64 = self.cells.xy.chunks_exact(d).map(|row| row[p] * row[p]).sum();
        rows + self
            .cells
            .base
            .chunks_exact(d)
            .map(|row| row[p] * row[p])
            .sum::<f64>()
    }

    /// Per pair of columns of all factors `sum_lm (z_la'Q'z_mb)^2`.
    fn squared_products(&self, first: &[usize], k: usize) -> Vec<f64> {
        let (p, d, layout) = (self.frame.p(), self.cells.d, &self.layout);
        let fixed = |place: usize| &self.gram.response[place * d..place * d + p];
        let n = self.leading();
        let lead = self.blocks[0].q;
        let mut sums = vec![0.0; k * k];
        let mut add = |i: usize, j: usize, value: f64| {
            sums[j * k + i] += value;
            if i != j {
                sums[i * k + j] += value;
            }
        };
        // z'z of pairs that share a row, and its product with what X explains
        let excess = |z: f64, x: &[f64], y: &[f64]| z * z - 2.0 * z * dot(x, y);
        for i in 0..self.blocks[0].levels {
            let g = &self.gram.leading[i * lead * lead..(i + 1) * lead * lead];
            for a in 0..lead {
                for b in a..lead {
                    let both = excess(g[b * lead + a], fixed(i * lead + a), fixed(i * lead + b));
                    add(a, b, both);
                }
            }
            for t in layout.touched(i) {
                let node = layout.touch[t] as usize;
                let block = layout.block(&self.gram.touch, t);
                let at = first[layout.nodes[node].0 as usize];
                for (b, column) in layout.columns(node).enumerate() {
                    for a in 0..lead {
                        add(
                            a,
                            at + b,
                            excess(block[b * lead + a], fixed(i * lead + a), fixed(n + column)),
                        );
                    }
                }
            }
        }
        for j in 0..layout.nodes.len() {
            for e in layout.pair_start[j]..layout.pair_start[j + 1] {
                let later = layout.pair[e] as usize;
                let block = &self.gram.pair[layout.pair_offset[e]..layout.pair_offset[e + 1]];
                let (rows, columns) = (layout.columns(later), layout.columns(j));
                let (fi, fj) = (
                    first[layout.nodes[later].0 as usize],
                    first[layout.nodes[j].0 as usize],
                );
                for (b, column) in columns.clone().enumerate() {
                    for (a, row) in rows.clone().enumerate() {
                        if later == j && a > b {
                            continue;
                        }
                        let value = excess(block[b * rows.len() + a], fixed(n + row), fixed(n + column));
                        add(fi + a, fj + b, value);
                    }
                }
            }
        }
        // (x'x)^2 over all pairs of levels: products of sums
        let mut explained = vec![vec![0.0; p * p]; k];
        for (b, block) in self.blocks.iter().enumerate() {
            for level in 0..block.levels {
                for a in 0..block.q {
                    let x = fixed(self.place(b, level) + a);
                    super::rows::add_gram(x, p.max(1), &mut explained[first[b] + a]);
                }
            }
        }
        for i in 0..k {
            for j in 0..k {
                sums[j * k + i] += dot(&explained[i], &explained[j]);
            }
        }
        sums
    }
}
