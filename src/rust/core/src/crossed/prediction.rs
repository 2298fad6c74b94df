//! Uncertainty of the random part of rows at the last evaluation.
//!
//! With the names of [`super::derivatives`], `P = Psi - Psi Z'V^-1 Z Psi` of all random effects has the blocks
//!
//! ```text
//! P_ij = Psi K_i 1{i = j} + Psi F_i Lambda S^-1 Lambda'F_j' Psi     leading levels
//! P_ik = -Psi F_i Lambda (S^-1 Lambda')_.k                          leading level and node
//! P_kl = Lambda S^-1_kl Lambda'                                     nodes
//! ```
//!
//! A row needs those of its own level and nodes, for which S^-1 is known: whatever shares a row is on the pattern of the
//! factor. `X_ik = (F_i Lambda S^-1)_.k` of all levels and the nodes that they meet takes as long as the gradient does.
//!
//! Vignette "The algorithm": Eq. Modes.

use std::ops::Range;

use super::rows::split_at_ends;
use super::Crossed;
use crate::engine::EffectRows;
use crate::error::{zeros, Error, Result};
use crate::linalg::{axpy, dot};

/// Rows that one thread works on at a time.
const CHUNK: usize = 8192;

/// What rows need of P.
struct Parts {
    /// Per leading level `Y_i = F_i Lambda S^-1 Lambda'F_i'`, `Q x Q`.
    y: Vec<f64>,
    /// Per entry of the layout's `touch` `X_ik`, laid out as its cross-products.
    x: Vec<f64>,
}

impl Crossed<'_> {
    /// Per effect (leading ones first) `K R^-1`, `p` numbers each.
    pub(super) fn all_responses_to_fixed(&self) -> Result<Vec<f64>> {
        let (p, d) = (self.frame.p(), self.cells.d);
        let missing = || Error::Bug("responses before an evaluation".to_string());
        let solution = self.state.solution.as_ref().ok_or_else(missing)?;
        let mut out = zeros(p * self.effects(), "the responses to the fixed effects")?;
        for (to, row) in out
            .chunks_exact_mut(p.max(1))
            .zip(solution.effects().chunks_exact(d))
        {
            for (j, to) in to.iter_mut().enumerate() {
                *to = dot(&row[..=j], &self.state.r_inverse[j * p..=j * p + j]);
            }
        }
        Ok(out)
    }

    /// Per row `z'Pz`.
    pub(super) fn variances_of_rows(&mut self, rows: &EffectRows<'_>) -> Result<Vec<f64>> {
        // at Psi itself, as the conditional variances are
        self.state.forget_derivatives();
        let (f, y) = self.inverse_at(self.lambda.clone())?;
        let parts = Parts {
            x: self.meetings_with_inverse(&f)?,
            y,
        };
        let starts: Vec<Range<usize>> = (0..rows.n)
            .step_by(CHUNK)
            .map(|s| s..(s + CHUNK).min(rows.n))
            .collect();
        let values = self.workers.map(starts, |range| {
            let mut scratch = Scratch::default();
            range
                .map(|row| self.variance_of_row(rows, row, &parts, &mut scratch))
                .collect::<Result<Vec<f64>>>()
        })?;
        Ok(values.concat())
    }

    /// `X_ik` for all entries of `touch`, a range of leading levels per thread, column by column of S^-1.
    fn meetings_with_inverse(&self, f: &[f64]) -> Result<Vec<f64>> {
        let (layout, q) = (&self.layout, self.blocks[0].q);
        let mut x = zeros(f.len(), "the conditional covariances")?;
        let end = |level: usize| layout.touch_offset[layout.touch_start[level]];
        let shares = split_at_ends(&mut x, self.level_chunks.iter().map(|r| end(r.end)));
        let items = self.level_chunks.iter().zip(shares).collect();
        self.workers.map(items, |(range, share)| {
            let first = end(range.start);
            let mut local = vec![0u32; layout.nodes.len()];
            for panel in &layout.supernodes {
                self.workers.check()?;
                layout.local_rows(panel, &mut local);
                let rows = panel.rows();
                for node in panel.nodes.clone() {
                    let w = layout.columns(node).len();
                    let at = panel.column(layout.node_column[node]);
                    let z = &self.panels.inverse[at..at + w * rows];
                    let by = layout.touching(node);
                    let from = by.partition_point(|(i, _)| (*i as usize) < range.start);
                    let own = by[from..].iter().take_while(|(i, _)| (*i as usize) < range.end);
                    for (i, t) in own {
                        let f_own = layout.block(f, *t);
                        for later in *t..layout.touch_start[*i as usize + 1] {
                            let k = layout.touch[later] as usize;
                            let (h, row) = (layout.columns(k).len(), local[k] as usize);
                            let f_later = layout.block(f, later);
                            // element (a, c) of S^-1_kt stands in row a, column c of the panel
                            let (to_own, to_later) = (
                                layout.touch_offset[*t] - first,
                                layout.touch_offset[later] - first,
                            );
                            for c in 0..w {
                                for a in 0..h {
                                    let s = z[c * rows + row + a];
                                    let column = to_own + c * q;
                                    axpy(s, &f_later[a * q..(a + 1) * q], &mut share[column..column + q]);
                                    if k != node {
                                        let column = to_later + a * q;
                                        axpy(s, &f_own[c * q..(c + 1) * q], &mut share[column..column + q]);
                                    }
                                }
                            }
                        }
                    }
                }
            }
            Ok(())
        })?;
        Ok(x)
    }

    fn variance_of_row(
        &self,
        rows: &EffectRows<'_>,
        row: usize,
        parts: &Parts,
        scratch: &mut Scratch,
    ) -> Result<f64> {
        if row % 256 == 0 {
            self.workers.check()?;
        }
        let (layout, q) = (&self.layout, self.blocks[0].q);
        let level = |b: usize| (rows.codes[self.blocks[b].factor][row] - 1) as usize;
        let i = level(0);
        let Scratch {
            own,
            scaled,
            nodes,
            a,
            z,
        } = scratch;
        self.gather(rows, row, 0, own);
        // P_ii
        let d = &self.state.half[i * q * q..(i + 1) * q * q];
        let mut sum = 0.0;
        for r in 0..q {
            let v: f64 = (0..q).map(|c| d[c * q + r] * own[c]).sum();
            sum += v * v;
        }
        scaled.clear();
        scaled.extend((0..q).map(|r| dot(&self.psi[0][r * q..(r + 1) * q], own)));
        let y = &parts.y[i * q * q..(i + 1) * q * q];
        sum += y
            .chunks_exact(q)
            .zip(scaled.iter())
            .map(|(c, v)| v * dot(c, scaled))
            .sum::<f64>();
        nodes.clear();
        a.clear();
        for b in 1..self.blocks.len() {
            let node = layout.node_of[b][level(b)] as usize;
            let (w, lambda) = (self.blocks[b].q, &self.lambda[b]);
            self.gather(rows, row, b, z);
            nodes.push((node, a.len()));
            a.extend((0..w).map(|c| dot(&lambda[c * w..(c + 1) * w], z)));
            let list = &layout.touch[layout.touched(i)];
            let unknown = || Error::Bug("a row meets nodes that the layout does not know".to_string());
            let entry = layout.touch_start[i] + list.binary_search(&(node as u32)).map_err(|_| unknown())?;
            let columns = layout.block(&parts.x, entry).chunks_exact(q);
            let mine = &a[a.len() - w..];
            sum -= 2.0 * columns.zip(mine).map(|(x, a)| a * dot(x, scaled)).sum::<f64>();
        }
        for (k, one) in nodes.iter().enumerate() {
            for other in &nodes[..=k] {
                let twice = if one.0 == other.0 { 1.0 } else { 2.0 };
                let (early, late) = if one.0 < other.0 {
                    (one, other)
                } else {
                    (other, one)
                };
                sum += twice * self.inverse_between(*early, *late, a);
            }
        }
        Ok(sum.max(0.0))
    }

    /// `a_early' S^-1 a_late` for two nodes, given with where their numbers stand in `a`.
    fn inverse_between(&self, early: (usize, usize), late: (usize, usize), a: &[f64]) -> f64 {
        let layout = &self.layout;
        let panel = &layout.supernodes[layout.supernode_of[early.0] as usize];
        let (columns, wanted) = (layout.columns(early.0), layout.columns(late.0));
        let row = if wanted.start < panel.columns.end {
            wanted.start - panel.columns.start
        } else {
            let below = &panel.below_columns;
            panel.columns.len() + below.partition_point(|c| (*c as usize) < wanted.start)
        };
        let right = &a[late.1..late.1 + wanted.len()];
        let column = |c: usize| {
            let at = panel.column(c) + row;
            dot(&self.panels.inverse[at..at + wanted.len()], right)
        };
        columns.zip(&a[early.1..]).map(|(c, a)| a * column(c)).sum()
    }

    /// The columns of a row that belong to a block.
    fn gather(&self, rows: &EffectRows<'_>, row: usize, block: usize, out: &mut Vec<f64>) {
        out.clear();
        for (t, columns) in self.blocks[block].term_columns() {
            let q = columns.len();
            out.extend_from_slice(&rows.z[t][row * q..(row + 1) * q]);
        }
    }
}

/// Room for one row: its leading columns, these times Psi, its nodes with where their numbers stand in `a`, Lambda'z
/// of these.
#[derive(Default)]
struct Scratch {
    own: Vec<f64>,
    scaled: Vec<f64>,
    nodes: Vec<(usize, usize)>,
    a: Vec<f64>,
    z: Vec<f64>,
}
