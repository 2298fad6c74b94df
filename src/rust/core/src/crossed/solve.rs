//! Solutions of the system of all random effects, and sums of squares over the rows.

use std::ops::Range;

use super::rows::{add_gram, multiply_level, subtract};
use super::Crossed;
use crate::error::{zeros, Error, Result};
use crate::linalg::{axpy, dot};

/// Rows of residuals that are kept until their squares are summed.
const BATCH: usize = 256;

/// A solution of the system of all random effects.
pub(super) struct Solution {
    /// `M^-1 Lambda'v`.
    pub u: Vec<f64>,
    /// `Lambda u`.
    b: Vec<f64>,
    /// `K_i (v_i - Z_i'Z_R b_R)` of the leading levels: where v is `Z'T` this is `Z_i'V^-1T`.
    pub leading: Vec<f64>,
}

impl Solution {
    /// `b`, row by row.
    pub fn effects(&self) -> &[f64] {
        &self.b
    }
}

impl Crossed<'_> {
    /// `u = M^-1 Lambda'v` and `b = Lambda u` for `c` columns, all row by row, with the factors of the last factorisation.
    pub(super) fn solve(&self, v: &[f64], c: usize) -> Result<Solution> {
        let (q, n) = (self.blocks[0].q, self.leading());
        let size = q * q;
        let layout = &self.layout;
        let mut u = zeros(self.effects() * c, "a solution")?;
        let (lead, rest) = u.split_at_mut(n * c);
        // D'D v of the leading levels, for the time being
        self.for_levels(lead, q * c, |i, out, scratch| {
            let d = &self.state.half[i * size..(i + 1) * size];
            scratch.resize(q * c, 0.0);
            multiply_level(d, q, false, &v[i * q * c..(i + 1) * q * c], c, scratch);
            multiply_level(d, q, true, scratch, c, out);
        })?;
        let explained: &[f64] = lead;
        self.for_nodes(rest, c, |node, out, sum| {
            let columns = layout.columns(node);
            sum.clear();
            sum.extend_from_slice(&v[(n + columns.start) * c..(n + columns.end) * c]);
            for (i, t) in layout.touching(node) {
                let known = &explained[*i as usize * q * c..(*i as usize + 1) * q * c];
                let block = layout.block(&self.gram.touch, *t);
                for (sum, b) in sum.chunks_exact_mut(c).zip(block.chunks_exact(q)) {
                    for (known, b) in known.chunks_exact(c).zip(b) {
                        axpy(-b, known, sum);
                    }
                }
            }
            let lambda = &self.state.factored[layout.nodes[node].0 as usize];
            multiply_level(lambda, columns.len(), true, sum, c, out);
        })?;
        self.panels.solve(layout, rest, c);
        let effects = self.node_effects(rest, c);
        self.for_levels(lead, q * c, |i, out, sum| {
            sum.clear();
            sum.extend_from_slice(&v[i * q * c..(i + 1) * q * c]);
            for t in layout.touched(i) {
                let columns = layout.columns(layout.touch[t] as usize);
                let block = layout.block(&self.gram.touch, t).chunks_exact(q);
                for (effect, b) in effects[columns.start * c..columns.end * c]
                    .chunks_exact(c)
                    .zip(block)
                {
                    for (sum, b) in sum.chunks_exact_mut(c).zip(b) {
                        axpy(-b, effect, sum);
                    }
                }
            }
            let k = &self.state.inner[i * size..(i + 1) * size];
            multiply_level(k, q, false, sum, c, out);
        })?;
        let leading = lead.to_vec();
        let mut b = zeros(n * c, "a solution")?;
        let lambda = &self.lambda[0];
        let levels = leading.chunks_exact(q * c).zip(lead.chunks_exact_mut(q * c));
        for ((inner, u), b) in levels.zip(b.chunks_exact_mut(q * c)) {
            // M_i^-1 Lambda' = Lambda'K
            multiply_level(lambda, q, true, inner, c, u);
            multiply_level(lambda, q, false, u, c, b);
        }
        b.extend_from_slice(&effects);
        Ok(Solution { u, b, leading })
    }

    /// `b = Lambda u` of the nodes.
    fn node_effects(&self, u: &[f64], c: usize) -> Vec<f64> {
        let mut b = vec![0.0; u.len()];
        for node in 0..self.layout.nodes.len() {
            let columns = self.layout.columns(node);
            let lambda = &self.state.factored[self.layout.nodes[node].0 as usize];
            let range = columns.start * c..columns.end * c;
            multiply_level(lambda, columns.len(), false, &u[range.clone()], c, &mut b[range]);
        }
        b
    }

    /// `T'V^-1T` for rows T, `c` wide, from the solution of `Z'T`: the squares of the residuals `T - Z b` and of u. An error
    /// of u enters squared.
    pub(super) fn squares(&self, t: &[f64], solution: &Solution, c: usize) -> Result<Vec<f64>> {
        let Solution { u, b, .. } = solution;
        let sums = self.workers.map(self.level_chunks.clone(), |range| {
            let mut gram = vec![0.0; c * c];
            let mut batch = Vec::new();
            for rows in self.batches(&range) {
                self.workers.check()?;
                self.residuals(rows, t, b, c, &mut batch);
                add_gram(&batch, c, &mut gram);
            }
            let q = self.blocks[0].q;
            add_gram(&u[range.start * q * c..range.end * q * c], c, &mut gram);
            Ok(gram)
        })?;
        let mut gram = vec![0.0; c * c];
        sums.iter().for_each(|s| axpy(1.0, s, &mut gram));
        add_gram(&u[self.leading() * c..], c, &mut gram);
        Ok(gram)
    }

    /// `r2` at coefficients gamma of the orthonormal columns: one residual, squared.
    pub(super) fn residual_square(&self, solution: &Solution, gamma: &[f64]) -> Result<f64> {
        let combine = |rows: &[f64]| -> Vec<f64> {
            let d = gamma.len() + 1;
            rows.chunks_exact(d)
                .map(|row| row[d - 1] - dot(&row[..d - 1], gamma))
                .collect()
        };
        let combined = Solution {
            u: combine(&solution.u),
            b: combine(&solution.b),
            leading: Vec::new(),
        };
        let t = combine(&self.cells.xy);
        let rows = self.squares(&t, &combined, 1)?[0];
        Ok(rows + combine(&self.cells.base).iter().map(|v| v * v).sum::<f64>())
    }

    /// The rows of some leading levels, a batch at a time.
    fn batches(&self, levels: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let (start, end) = (self.cells.start[levels.start], self.cells.start[levels.end]);
        (start..end)
            .step_by(BATCH)
            .map(move |from| from..(from + BATCH).min(end))
    }

    /// `T - Z b` of some rows.
    fn residuals(&self, rows: Range<usize>, t: &[f64], b: &[f64], c: usize, out: &mut Vec<f64>) {
        out.clear();
        out.extend_from_slice(&t[rows.start * c..rows.end * c]);
        for k in 0..self.blocks.len() {
            subtract(&self.band(k, rows.clone()), b, c, out);
        }
    }

    /// The conditional modes `b` of all random effects.
    ///
    /// # Errors
    /// [`Error::Bug`] before any evaluation.
    pub(super) fn modes(&self) -> Result<Vec<f64>> {
        let (p, d) = (self.frame.p(), self.cells.d);
        let missing = || Error::Bug("modes before an evaluation".to_string());
        let solution = self.state.solution.as_ref().ok_or_else(missing)?;
        let mode = |row: &[f64]| row[p] - dot(&row[..p], &self.state.gamma);
        Ok(solution.b.chunks_exact(d).map(mode).collect())
    }
}
