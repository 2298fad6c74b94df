//! From the cross-products to the criterion: the system over the nodes, its factor, solutions, and sums of squares.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::rows::{subtract, with_width};
use super::Crossed;
use crate::criterion::Value;
use crate::engine::Root;
use crate::error::{zeros, Error, Result};
use crate::linalg::{axpy, cholesky_in_place, dot, invert_upper, transpose};

/// The inverse of a small general matrix by elimination with partial pivoting, in place; returns the logarithm of the
/// absolute value of its determinant. `work` has room for another matrix.
fn invert_general(a: &mut [f64], q: usize, work: &mut [f64]) -> f64 {
    if q == 1 {
        let determinant = a[0];
        a[0] = 1.0 / determinant;
        return determinant.abs().ln();
    }
    work.fill(0.0);
    (0..q).for_each(|j| work[j * q + j] = 1.0);
    let mut logdet = 0.0;
    for k in 0..q {
        let pivot = (k..q)
            .max_by(|i, j| a[k * q + i].abs().total_cmp(&a[k * q + j].abs()))
            .unwrap_or(k);
        for j in 0..q {
            a.swap(j * q + k, j * q + pivot);
            work.swap(j * q + k, j * q + pivot);
        }
        let diagonal = a[k * q + k];
        logdet += diagonal.abs().ln();
        for j in 0..q {
            a[j * q + k] /= diagonal;
            work[j * q + k] /= diagonal;
        }
        for i in (0..q).filter(|i| *i != k) {
            let factor = a[k * q + i];
            for j in 0..q {
                a[j * q + i] -= factor * a[j * q + k];
                work[j * q + i] -= factor * work[j * q + k];
            }
        }
    }
    a.copy_from_slice(work);
    logdet
}

/// `gram += R'R` for rows of width `c`, row by row.
pub(super) fn add_gram(rows: &[f64], c: usize, gram: &mut [f64]) {
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

/// Rows of residuals that are kept until their squares are summed.
const BATCH: usize = 256;

/// `out = Lambda x` per level, for rows of width `c`; the transpose of Lambda where `transposed`.
pub(super) fn multiply_level(
    lambda: &[f64],
    q: usize,
    transposed: bool,
    x: &[f64],
    c: usize,
    out: &mut [f64],
) {
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
pub(super) fn split_at_ends(mut rest: &mut [f64], ends: impl Iterator<Item = usize>) -> Vec<&mut [f64]> {
    let (mut parts, mut done) = (Vec::new(), 0);
    for end in ends {
        let (head, tail) = rest.split_at_mut(end - done);
        parts.push(head);
        (rest, done) = (tail, end);
    }
    parts
}

/// A solution of the system of all random effects.
pub(super) struct Solution {
    /// `M^-1 Lambda'v`.
    u: Vec<f64>,
    /// `Lambda u`.
    b: Vec<f64>,
}

impl Crossed<'_> {
    /// The criterion at the present factors.
    pub(super) fn evaluate(&mut self) -> Result<Value> {
        self.state.forget();
        let (p, d) = (self.frame.p(), self.cells.d);
        let leading = self.eliminate_leading()?;
        let logdet_v = leading + self.factorise(self.lambda.clone())?;
        let solution = self.solve(&self.gram.response, d)?;
        let mut k = self.squares(&self.cells.xy, &solution, d)?;
        k.iter_mut().zip(&self.cells.base).for_each(|(k, b)| *k += b);
        if !(k.iter().all(|v| v.is_finite()) && cholesky_in_place(&mut k, d)) {
            return Err(Error::Numerical(
                "X'V^-1X is singular at these variances".to_string(),
            ));
        }
        let upper = transpose(&k, d, d);
        let singular = || Error::Bug("a Cholesky factor is singular".to_string());
        let r_inverse = invert_upper(&upper, d, p).ok_or_else(singular)?;
        let gamma: Vec<f64> = (0..p)
            .map(|i| (i..p).map(|j| r_inverse[j * p + i] * upper[p * d + j]).sum())
            .collect();
        let r2 = upper[p * d + p].powi(2);
        let diagonal = |r: &[f64], ld: usize| (0..p).map(|j| r[j * ld + j].abs().ln()).sum::<f64>();
        let logdet_xvx = 2.0 * (diagonal(&upper, d) + diagonal(&self.cells.triangle, p));
        let back = invert_upper(&self.cells.triangle, p, p).ok_or_else(singular)?;
        let sum: Vec<f64> = gamma
            .iter()
            .zip(&self.cells.projected)
            .map(|(g, c)| g + c)
            .collect();
        self.state.root = Root {
            beta: (0..p)
                .map(|i| (i..p).map(|j| back[j * p + i] * sum[j]).sum())
                .collect(),
            r_inverse: crate::linalg::matmul(&back, &r_inverse, p, p, p),
            r2,
        };
        (self.state.gamma, self.state.r_inverse) = (gamma, r_inverse);
        self.state.effects = solution.b;
        let value = Value {
            criterion: self.frame.criterion(self.estimation, r2, logdet_v, logdet_xvx),
            r2,
            logdet_v,
            logdet_xvx,
        };
        self.state.value = Some(value.clone());
        Ok(value)
    }

    /// Per leading level `K = (I + G Psi)^-1` and `P = Psi K`; returns the sum of `log|I + G Psi|`.
    fn eliminate_leading(&mut self) -> Result<f64> {
        let (q, psi) = (self.blocks[0].q, &self.psi[0]);
        let size = q * q;
        let len = size * self.blocks[0].levels;
        if self.state.inner.len() != len {
            self.state.inner = zeros(len, "the workspace")?;
            self.state.posterior = zeros(len, "the workspace")?;
        }
        let ends = || self.level_chunks.iter().map(|r| r.end * size);
        let shares: Vec<_> = self
            .level_chunks
            .iter()
            .zip(split_at_ends(&mut self.state.inner, ends()))
            .zip(split_at_ends(&mut self.state.posterior, ends()))
            .collect();
        let gram = &self.gram.leading;
        let sums = self.workers.map(shares, |((range, inner), posterior)| {
            let mut work = vec![0.0; size];
            let mut logdet = 0.0;
            let all = inner.chunks_exact_mut(size).zip(posterior.chunks_exact_mut(size));
            for (i, (k, p)) in range.clone().zip(all) {
                let g = &gram[i * size..(i + 1) * size];
                for j in 0..q {
                    for a in 0..q {
                        let unit = if a == j { 1.0 } else { 0.0 };
                        k[j * q + a] = unit + (0..q).map(|c| g[c * q + a] * psi[j * q + c]).sum::<f64>();
                    }
                }
                logdet += invert_general(k, q, &mut work);
                for j in 0..q {
                    for a in 0..=j {
                        let element =
                            |a: usize, j: usize| (0..q).map(|c| psi[c * q + a] * k[j * q + c]).sum::<f64>();
                        let mean = 0.5 * (element(a, j) + element(j, a));
                        (p[j * q + a], p[a * q + j]) = (mean, mean);
                    }
                }
            }
            Ok(logdet)
        })?;
        let logdet: f64 = sums.iter().sum();
        if logdet.is_finite() {
            Ok(logdet)
        } else {
            Err(Error::Numerical(
                "I + Z'Z Psi is not finite at these variances".to_string(),
            ))
        }
    }

    /// Assemble and factorise `S = I + Lambda'U Lambda` over the nodes, U being their cross-products less what the leading
    /// factor explains; returns `log|S|`.
    pub(super) fn factorise(&mut self, lambda: Vec<Vec<f64>>) -> Result<f64> {
        self.workers.check()?;
        let layout = &self.layout;
        let value_end = |r: &Range<usize>| {
            let node = r.end - 1;
            let panel = &layout.supernodes[layout.supernode_of[node] as usize];
            panel.column(layout.columns(node).end - 1) + panel.rows()
        };
        let shares = split_at_ends(&mut self.panels.factor, self.node_chunks.iter().map(value_end));
        let job = Assembly {
            layout,
            gram: &self.gram,
            posterior: &self.state.posterior,
            lambda: &lambda,
            lead: self.blocks[0].q,
            scalar: self.blocks.iter().all(|b| b.q == 1),
        };
        let sizes: Vec<usize> = self.blocks.iter().map(|b| b.q * b.q).collect();
        let items = self.node_chunks.iter().zip(shares).collect();
        let sums = self.workers.map(items, |(range, values)| {
            self.workers.check()?;
            Ok(job.run(range.clone(), values, &sizes))
        })?;
        self.state.information = sizes.iter().map(|s| vec![0.0; *s]).collect();
        for sum in sums {
            for (to, from) in self.state.information.iter_mut().zip(sum) {
                axpy(1.0, &from, to);
            }
        }
        let logdet = self.panels.factorise(&self.layout, self.workers)?;
        self.state.factored = lambda;
        Ok(logdet)
    }

    /// `u = M^-1 Lambda'v` and `b = Lambda u` for `c` columns, all row by row, with the factors of the last factorisation.
    pub(super) fn solve(&self, v: &[f64], c: usize) -> Result<Solution> {
        let (q, n) = (self.blocks[0].q, self.leading());
        let size = q * q;
        let layout = &self.layout;
        let mut u = zeros(self.effects() * c, "a solution")?;
        let (lead, rest) = u.split_at_mut(n * c);
        // P v of the leading levels, for the time being
        for i in 0..self.blocks[0].levels {
            let (from, to) = (i * q * c, (i + 1) * q * c);
            let p = &self.state.posterior[i * size..(i + 1) * size];
            multiply_level(p, q, false, &v[from..to], c, &mut lead[from..to]);
        }
        let shares = split_at_ends(
            rest,
            self.node_chunks.iter().map(|r| layout.node_column[r.end] * c),
        );
        let explained: &[f64] = lead;
        self.workers
            .map(self.node_chunks.iter().zip(shares).collect(), |(range, share)| {
                let base = layout.node_column[range.start];
                let mut sum = Vec::new();
                for node in range.clone() {
                    let columns = layout.columns(node);
                    let w = columns.len();
                    sum.clear();
                    sum.extend_from_slice(&v[(n + columns.start) * c..(n + columns.end) * c]);
                    for (i, t) in &layout.touched_by[layout.by_start[node]..layout.by_start[node + 1]] {
                        let b = &self.gram.touch[layout.touch_offset[*t]..layout.touch_offset[*t + 1]];
                        let known = &explained[*i as usize * q * c..(*i as usize + 1) * q * c];
                        for a in 0..w {
                            for k in 0..q {
                                axpy(
                                    -b[a * q + k],
                                    &known[k * c..(k + 1) * c],
                                    &mut sum[a * c..(a + 1) * c],
                                );
                            }
                        }
                    }
                    let lambda = &self.state.factored[layout.nodes[node].0 as usize];
                    let to = (columns.start - base) * c;
                    multiply_level(lambda, w, true, &sum, c, &mut share[to..to + w * c]);
                }
                Ok(())
            })?;
        self.panels.solve(layout, rest, c);
        let effects = self.node_effects(rest, c);
        let shares = split_at_ends(lead, self.level_chunks.iter().map(|r| r.end * q * c));
        self.workers.map(
            self.level_chunks.iter().zip(shares).collect(),
            |(range, share)| {
                let (mut sum, mut inner) = (Vec::new(), vec![0.0; q * c]);
                for (i, out) in range.clone().zip(share.chunks_exact_mut(q * c)) {
                    sum.clear();
                    sum.extend_from_slice(&v[i * q * c..(i + 1) * q * c]);
                    for t in layout.touch_start[i]..layout.touch_start[i + 1] {
                        let columns = layout.columns(layout.touch[t] as usize);
                        let b = &self.gram.touch[layout.touch_offset[t]..layout.touch_offset[t + 1]];
                        for (a, column) in columns.enumerate() {
                            let effect = &effects[column * c..(column + 1) * c];
                            for k in 0..q {
                                axpy(-b[a * q + k], effect, &mut sum[k * c..(k + 1) * c]);
                            }
                        }
                    }
                    // M_i^-1 Lambda' = Lambda'K
                    multiply_level(
                        &self.state.inner[i * size..(i + 1) * size],
                        q,
                        false,
                        &sum,
                        c,
                        &mut inner,
                    );
                    multiply_level(&self.lambda[0], q, true, &inner, c, out);
                }
                Ok(())
            },
        )?;
        let mut b = zeros(n * c, "a solution")?;
        for (to, from) in b.chunks_exact_mut(q * c).zip(u.chunks_exact(q * c)) {
            multiply_level(&self.lambda[0], q, false, from, c, to);
        }
        b.extend_from_slice(&effects);
        Ok(Solution { u, b })
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
        let Solution { u, b } = solution;
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

    /// The rows of some leading levels, a batch at a time.
    pub(super) fn batches(&self, levels: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let (start, end) = (self.cells.start[levels.start], self.cells.start[levels.end]);
        (start..end)
            .step_by(BATCH)
            .map(move |from| from..(from + BATCH).min(end))
    }

    /// `T - Z b` of some rows.
    pub(super) fn residuals(&self, rows: Range<usize>, t: &[f64], b: &[f64], c: usize, out: &mut Vec<f64>) {
        out.clear();
        out.extend_from_slice(&t[rows.start * c..rows.end * c]);
        for k in 0..self.blocks.len() {
            subtract(&self.band(k, rows.clone()), b, c, out);
        }
    }

    /// The conditional modes `b` of all random effects.
    pub(super) fn modes(&self) -> Vec<f64> {
        let (p, d) = (self.frame.p(), self.cells.d);
        let all = &self.state.effects;
        all.chunks_exact(d)
            .map(|row| row[p] - dot(&row[..p], &self.state.gamma))
            .collect()
    }
}

/// What assembling the system reads.
struct Assembly<'a> {
    layout: &'a super::layout::Layout,
    gram: &'a super::gram::Gram,
    posterior: &'a [f64],
    lambda: &'a [Vec<f64>],
    lead: usize,
    /// Every block has one column.
    scalar: bool,
}

impl Assembly<'_> {
    /// The columns of some nodes; returns per block the sum of the diagonal blocks of U.
    fn run(&self, nodes: Range<usize>, values: &mut [f64], sizes: &[usize]) -> Vec<Vec<f64>> {
        let layout = self.layout;
        let mut information: Vec<Vec<f64>> = sizes.iter().map(|s| vec![0.0; *s]).collect();
        let mut local = vec![0u32; layout.nodes.len()];
        let (mut known, mut base, mut scratch) = (usize::MAX, None, Vec::new());
        for node in nodes {
            let s = layout.supernode_of[node] as usize;
            let panel = &layout.supernodes[s];
            if s != known {
                layout.local_rows(panel, &mut local);
                known = s;
            }
            let first = panel.column(layout.node_column[node]);
            let base = *base.get_or_insert(first);
            let (rows, w) = (panel.rows(), layout.columns(node).len());
            let out = &mut values[first - base..first - base + w * rows];
            out.fill(0.0);
            self.fill(node, &local, rows, out);
            let block = layout.nodes[node].0 as usize;
            let own = local[node] as usize;
            for j in 0..w {
                axpy(
                    1.0,
                    &out[j * rows + own..j * rows + own + w],
                    &mut information[block][j * w..(j + 1) * w],
                );
            }
            self.scale(node, panel, &local, rows, out, &mut scratch);
            for j in 0..w {
                out[j * rows + own + j] += 1.0;
            }
        }
        information
    }

    /// The columns of U.
    fn fill(&self, node: usize, local: &[u32], rows: usize, out: &mut [f64]) {
        let (layout, q) = (self.layout, self.lead);
        for e in layout.pair_start[node]..layout.pair_start[node + 1] {
            let partner = layout.pair[e] as usize;
            let block = &self.gram.pair[layout.pair_offset[e]..layout.pair_offset[e + 1]];
            let (height, at) = (layout.columns(partner).len(), local[partner] as usize);
            for (column, b) in out.chunks_exact_mut(rows).zip(block.chunks_exact(height)) {
                column[at..at + height].copy_from_slice(b);
            }
        }
        let touched = &layout.touched_by[layout.by_start[node]..layout.by_start[node + 1]];
        if self.scalar {
            for (i, t) in touched {
                let end = layout.touch_start[*i as usize + 1];
                let c = self.posterior[*i as usize] * self.gram.touch[*t];
                for (k, b) in layout.touch[*t..end].iter().zip(&self.gram.touch[*t..end]) {
                    out[local[*k as usize] as usize] -= b * c;
                }
            }
            return;
        }
        let w = layout.columns(node).len();
        let mut c = vec![0.0; q * w];
        for (i, t) in touched {
            let size = q * q;
            let p = &self.posterior[*i as usize * size..(*i as usize + 1) * size];
            let own = &self.gram.touch[layout.touch_offset[*t]..layout.touch_offset[*t + 1]];
            c.fill(0.0);
            for (to, from) in c.chunks_exact_mut(q).zip(own.chunks_exact(q)) {
                for (column, v) in p.chunks_exact(q).zip(from) {
                    axpy(*v, column, to);
                }
            }
            for later in *t..layout.touch_start[*i as usize + 1] {
                let block = &self.gram.touch[layout.touch_offset[later]..layout.touch_offset[later + 1]];
                let at = local[layout.touch[later] as usize] as usize;
                for (column, c) in out.chunks_exact_mut(rows).zip(c.chunks_exact(q)) {
                    for (v, b) in column[at..].iter_mut().zip(block.chunks_exact(q)) {
                        *v -= dot(b, c);
                    }
                }
            }
        }
    }

    /// `Lambda_k'U Lambda_j` for all rows k from the node's own on.
    fn scale(
        &self,
        node: usize,
        panel: &super::layout::Supernode,
        local: &[u32],
        rows: usize,
        out: &mut [f64],
        scratch: &mut Vec<f64>,
    ) {
        let layout = self.layout;
        let w = layout.columns(node).len();
        let right = &self.lambda[layout.nodes[node].0 as usize];
        let later = (node..panel.nodes.end).chain(panel.below.iter().map(|k| *k as usize));
        if self.scalar {
            for k in later {
                out[local[k] as usize] *= self.lambda[layout.nodes[k].0 as usize][0] * right[0];
            }
            return;
        }
        for k in later {
            let (h, at) = (layout.columns(k).len(), local[k] as usize);
            let left = &self.lambda[layout.nodes[k].0 as usize];
            scratch.clear();
            scratch.resize(h * w, 0.0);
            // U Lambda_j
            for j in 0..w {
                for c in 0..w {
                    let l = right[j * w + c];
                    if l != 0.0 {
                        axpy(
                            l,
                            &out[c * rows + at..c * rows + at + h],
                            &mut scratch[j * h..(j + 1) * h],
                        );
                    }
                }
            }
            for j in 0..w {
                for i in 0..h {
                    out[j * rows + at + i] = dot(&left[i * h..(i + 1) * h], &scratch[j * h..(j + 1) * h]);
                }
            }
        }
    }
}
