//! Second derivatives: average information, and the exact Hessian where the system over the nodes is dense.
//!
//! With `s` the columns of the sources (the residual scaled by `sqrt(N/r2)`, and for REML the orthonormal fixed effects),
//! `t = Z E s` and `K_s(E, F) = t_E'V^-1 t_F`,
//!
//! ```text
//! AI(E, F) = K_y - a_E'a_F - q_E q_F / N
//! H(E, F)  = - tr(W E W F) + 2 K_y - 2 a_E'a_F - q_E q_F / N + 1{REML} [ 2 sum_j K_j - tr(B_E B_F) ]
//! ```
//!
//! where `q_E = e'E e`, `a_E = U'E e` and `B_E = U'E U` (in the sources' units). `K_s` takes one solution per direction.
//! The trace runs over the blocks of W between all pairs of levels. Those between leading levels, of which there may be
//! too many to form, enter through `D^{cd} = sum_i f_ic f_id'` and `X^{cd} = S^-1 D^{cd}` (f_ic: row c of `F_i Lambda`):
//!
//! ```text
//! sum_ij (F_i S^-1 F_j')_ac (F_i S^-1 F_j')_bd = tr(X^{cd} X^{ba})
//! sum_i  (S^-1 F_i')_kac (S^-1 F_i')_kbd       = (X^{cd} S^-1)_ka,kb
//! ```

use super::dense::multiply;
use super::derivatives::{sandwich, Sweep};
use super::Crossed;
use crate::engine::Engine;
use crate::error::{zeros, Result};
use crate::linalg::{axpy, dot, transpose};

/// A Hessian in the basis of Psi and derivatives of estimates.
#[derive(Default)]
pub(super) struct Curvature {
    pub hessian: Vec<f64>,
    pub r2_gradient: Vec<f64>,
    pub beta_gradient: Vec<f64>,
}

impl Crossed<'_> {
    /// The exact Hessian with a sweep, average information without.
    pub(super) fn curvature(&self, sources: &[f64], exact: Option<&Sweep>) -> Result<Curvature> {
        let (r, d, p) = (self.directions.len(), self.cells.d, self.frame.p());
        let n = self.denominator();
        let messages = self.messages(sources);
        let reml = self.estimation.reml_weight() > 0.0;
        let squares = if exact.is_some() && reml { d } else { 1 };
        let weight = if exact.is_some() { 2.0 } else { 1.0 };
        let mut hessian = vec![0.0; r * r];
        for s in 0..squares {
            let t = self.rows_of_directions(sources, s)?;
            let solution = self.solve(&self.crossproduct(&t, None, r)?, r)?;
            axpy(weight, &self.squares(&t, &solution, r)?, &mut hessian);
        }
        for e in 0..r {
            for f in 0..r {
                let (m, k) = (&messages[e], &messages[f]);
                let a = dot(&m[1..d], &k[1..d]);
                let mut part = -weight * a - m[0] * k[0] / n;
                if exact.is_some() && reml {
                    part -= (1..d)
                        .map(|j| dot(&m[j * d + 1..(j + 1) * d], &k[j * d + 1..(j + 1) * d]))
                        .sum::<f64>();
                }
                hessian[e * r + f] += part;
            }
        }
        if let Some(sweep) = exact {
            axpy(-1.0, &self.traces(sweep)?, &mut hessian);
        }
        let per_unit = self.state.root.r2 / n;
        let root = &self.state.root.r_inverse;
        let beta = |m: &Vec<f64>| -> Vec<f64> {
            let of = |i: usize| (i..p).map(|j| root[j * p + i] * m[j + 1]).sum::<f64>();
            (0..p).map(|i| -per_unit.sqrt() * of(i)).collect()
        };
        Ok(Curvature {
            hessian,
            r2_gradient: messages.iter().map(|m| -m[0] * per_unit).collect(),
            beta_gradient: messages.iter().flat_map(beta).collect(),
        })
    }

    /// Per direction `sum_l X_l'E X_l` over the sources X, `d x d`.
    fn messages(&self, sources: &[f64]) -> Vec<Vec<f64>> {
        let d = self.cells.d;
        let mut all = vec![vec![0.0; d * d]; self.directions.len()];
        for (direction, out) in self.directions.iter().zip(&mut all) {
            let b = direction.block;
            for level in 0..self.blocks[b].levels {
                let first = self.place(b, level);
                for (i, j) in &direction.pairs {
                    let (x, z) = (&sources[(first + i) * d..][..d], &sources[(first + j) * d..][..d]);
                    for (column, v) in out.chunks_exact_mut(d).zip(z) {
                        axpy(*v, x, column);
                    }
                }
            }
        }
        all
    }

    /// `tr(W E W F)` for all pairs of directions.
    fn traces(&self, sweep: &Sweep) -> Result<Vec<f64>> {
        let r = self.directions.len();
        // directions in the coordinates in which W is known: Lambda^-1 E Lambda^-T
        let turned: Vec<Vec<f64>> = self
            .directions
            .iter()
            .map(|direction| {
                let q = self.blocks[direction.block].q;
                let mut e = vec![0.0; q * q];
                direction.pairs.iter().for_each(|(i, j)| e[j * q + i] = 1.0);
                sandwich(&transpose(&sweep.inverse_roots[direction.block], q, q), &e, q)
            })
            .collect();
        let mut all = vec![0.0; r * r];
        for (f, g, tensor) in self.tensors(sweep)? {
            let rows = self.blocks[f].q.pow(2);
            for (j, right) in self.directions.iter().enumerate().filter(|(_, e)| e.block == g) {
                let mut part = vec![0.0; rows];
                for (column, v) in tensor.chunks_exact(rows).zip(&turned[j]) {
                    axpy(*v, column, &mut part);
                }
                debug_assert_eq!(right.block, g);
                for (i, _) in self.directions.iter().enumerate().filter(|(_, e)| e.block == f) {
                    let value = dot(&turned[i], &part);
                    all[j * r + i] = value;
                    all[i * r + j] = value;
                }
            }
        }
        Ok(all)
    }

    /// For each pair of blocks `f <= g` the tensor `T[(a,b),(c,d)] = sum_kl W_kl[a,c] W_kl[b,d]`, `q_f^2 x q_g^2`.
    fn tensors(&self, sweep: &Sweep) -> Result<Vec<(usize, usize, Vec<f64>)>> {
        let (m, q) = (self.layout.m, self.blocks[0].q);
        let products = self.products(sweep)?;
        let mut all = vec![(0, 0, self.leading_tensor(sweep, &products)?)];
        for (f, block) in self.blocks.iter().enumerate().skip(1) {
            // leading levels with those of f
            let mut tensor = vec![0.0; q * q * block.q * block.q];
            for (cd, x) in products.iter().enumerate() {
                let rows = self.column_range(f);
                for v in 0..m {
                    let range = v * m + rows.start..v * m + rows.end;
                    let (x, z) = (&x[range.clone()], &self.panels.inverse[range]);
                    for (x, z) in x.chunks_exact(block.q).zip(z.chunks_exact(block.q)) {
                        for (b, z) in z.iter().enumerate() {
                            for (a, x) in x.iter().enumerate() {
                                tensor[(b * block.q + a) * q * q + cd] += x * z;
                            }
                        }
                    }
                }
            }
            all.push((0, f, tensor));
            for g in f..self.blocks.len() {
                all.push((f, g, self.node_tensor(f, g)?));
            }
        }
        Ok(all)
    }

    /// The columns of the system that belong to a block; they stand together where it is dense.
    fn column_range(&self, b: usize) -> std::ops::Range<usize> {
        let start: usize = self.blocks[1..b].iter().map(|b| b.q * b.levels).sum();
        start..start + self.blocks[b].q * self.blocks[b].levels
    }

    /// `X^{cd} = S^-1 D^{cd}` for all pairs of leading columns (d major), each `m x m`.
    fn products(&self, sweep: &Sweep) -> Result<Vec<Vec<f64>>> {
        let (m, q) = (self.layout.m, self.blocks[0].q);
        let mut all = Vec::new();
        let mut sums = zeros(m * m, "the exact Hessian")?;
        for d in 0..q {
            for c in 0..q {
                self.workers.check()?;
                self.outer_sums(sweep, c, d, &mut sums)?;
                let mut product = zeros(m * m, "the exact Hessian")?;
                multiply(&self.panels.inverse, &sums, &mut product, m, self.workers)?;
                all.push(product);
            }
        }
        Ok(all)
    }

    /// `D^{cd} = sum_i f_ic f_id'`.
    fn outer_sums(&self, sweep: &Sweep, c: usize, d: usize, out: &mut [f64]) -> Result<()> {
        let (layout, q, m) = (&self.layout, self.blocks[0].q, self.layout.m);
        let ends = self.node_chunks.iter().map(|r| layout.node_column[r.end] * m);
        let shares = super::evaluate::split_at_ends(out, ends);
        self.workers
            .map(self.node_chunks.iter().zip(shares).collect(), |(range, share)| {
                self.workers.check()?;
                share.fill(0.0);
                let base = layout.node_column[range.start];
                for node in range.clone() {
                    let columns = layout.columns(node);
                    for (i, t) in &layout.touched_by[layout.by_start[node]..layout.by_start[node + 1]] {
                        let own = &sweep.f[layout.touch_offset[*t]..layout.touch_offset[*t + 1]];
                        let all = layout.touch_start[*i as usize]..layout.touch_start[*i as usize + 1];
                        for (column, own) in columns.clone().zip(own.chunks_exact(q)) {
                            let to = &mut share[(column - base) * m..(column - base + 1) * m];
                            for t in all.clone() {
                                let first = layout.node_column[layout.touch[t] as usize];
                                let f = &sweep.f[layout.touch_offset[t]..layout.touch_offset[t + 1]];
                                for (to, f) in to[first..].iter_mut().zip(f.chunks_exact(q)) {
                                    *to += f[c] * own[d];
                                }
                            }
                        }
                    }
                }
                Ok(())
            })?;
        Ok(())
    }

    /// The tensor between leading levels.
    fn leading_tensor(&self, sweep: &Sweep, products: &[Vec<f64>]) -> Result<Vec<f64>> {
        let (m, q) = (self.layout.m, self.blocks[0].q);
        let size = q * q;
        let pairs: Vec<(usize, usize)> = (0..size).flat_map(|x| (x..size).map(move |y| (x, y))).collect();
        let traces = self.workers.map(pairs.clone(), |(x, y)| {
            Ok(trace_of_product(&products[x], &products[y], m))
        })?;
        let mut tensor = vec![0.0; size * size];
        for ((x, y), value) in pairs.into_iter().zip(traces) {
            // X^{cd} with (c, d) = (x % q, x / q) meets X^{ba}
            let swapped = |k: usize| (k % q) * q + k / q;
            tensor[x * size + swapped(y)] += value;
            if x != y {
                tensor[y * size + swapped(x)] += value;
            }
        }
        for (h, y) in sweep.h.chunks_exact(size).zip(sweep.y.chunks_exact(size)) {
            for cd in 0..size {
                for ab in 0..size {
                    let (a, b, c, d) = (ab % q, ab / q, cd % q, cd / q);
                    let (ac, bd) = (c * q + a, d * q + b);
                    tensor[cd * size + ab] += h[ac] * h[bd] - h[ac] * y[bd] - y[ac] * h[bd];
                }
            }
        }
        Ok(tensor)
    }

    /// The tensor between the nodes of two blocks, from `1 - S^-1`.
    fn node_tensor(&self, f: usize, g: usize) -> Result<Vec<f64>> {
        let (m, rows, columns) = (self.layout.m, self.column_range(f), self.column_range(g));
        let (qf, qg) = (self.blocks[f].q, self.blocks[g].q);
        let mut tensor = vec![0.0; qf * qf * qg * qg];
        let mut w = vec![0.0; qf * qg];
        for l in (columns.start..columns.end).step_by(qg) {
            self.workers.check()?;
            for k in (rows.start..rows.end).step_by(qf) {
                for c in 0..qg {
                    for a in 0..qf {
                        let unit = if k + a == l + c { 1.0 } else { 0.0 };
                        w[c * qf + a] = unit - self.panels.inverse[(l + c) * m + k + a];
                    }
                }
                if qf == 1 && qg == 1 {
                    tensor[0] += w[0] * w[0];
                    continue;
                }
                for d in 0..qg {
                    for c in 0..qg {
                        let to = &mut tensor[(d * qg + c) * qf * qf..(d * qg + c + 1) * qf * qf];
                        for (b, to) in to.chunks_exact_mut(qf).enumerate() {
                            axpy(w[d * qf + b], &w[c * qf..(c + 1) * qf], to);
                        }
                    }
                }
            }
        }
        Ok(tensor)
    }
}

/// `tr(A B)` for `m x m` matrices, in tiles that fit the cache.
fn trace_of_product(a: &[f64], b: &[f64], m: usize) -> f64 {
    const SIDE: usize = 64;
    let mut sum = 0.0;
    for i0 in (0..m).step_by(SIDE) {
        for j0 in (0..m).step_by(SIDE) {
            for j in j0..(j0 + SIDE).min(m) {
                let column = &a[j * m..(j + 1) * m];
                sum += (i0..(i0 + SIDE).min(m))
                    .map(|i| column[i] * b[i * m + j])
                    .sum::<f64>();
            }
        }
    }
    sum
}
