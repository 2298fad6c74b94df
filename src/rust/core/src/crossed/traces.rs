//! `tr(W E W F)`: the part of the exact Hessian that runs over the blocks of W between all pairs of levels.
//!
//! It follows from the tensors `T[(a,b),(c,d)] = sum_kl W_kl[a,c] W_kl[b,d]` of each pair of factors. Where there are not
//! too many random effects, W is formed. Where the leading levels are many and have few columns, the blocks between them
//! enter through `D^{cd} = sum_i f_ic f_id'` and `X^{cd} = S^-1 D^{cd}` (f_ic: row c of `F_i Lambda`):
//!
//! ```text
//! sum_ij (F_i S^-1 F_j')_ac (F_i S^-1 F_j')_bd = tr(X^{cd} X^{ba})
//! sum_i  (S^-1 F_i')_kac (S^-1 F_i')_kbd       = (X^{cd} S^-1)_ka,kb
//! ```
//!
//! Vignette "The algorithm": Eq. Hessian.

use super::dense::multiply;
use super::derivatives::{sandwich, Sweep};
use super::plan::Exact;
use super::rows::add_gram;
use super::Crossed;
use crate::error::{zeros, Result};
use crate::linalg::{axpy, dot, transpose};

/// Tensors with their factors.
type Tensors = Vec<(usize, usize, Vec<f64>)>;

impl Crossed<'_> {
    /// `tr(W E W F)` for all pairs of directions.
    pub(super) fn traces(&self, sweep: &Sweep) -> Result<Vec<f64>> {
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
            for (j, _) in self.directions.iter().enumerate().filter(|(_, e)| e.block == g) {
                let mut part = vec![0.0; rows];
                for (column, v) in tensor.chunks_exact(rows).zip(&turned[j]) {
                    axpy(*v, column, &mut part);
                }
                for (i, _) in self.directions.iter().enumerate().filter(|(_, e)| e.block == f) {
                    let value = dot(&turned[i], &part);
                    all[j * r + i] = value;
                    all[i * r + j] = value;
                }
            }
        }
        Ok(all)
    }

    /// For each pair of blocks `f <= g` the tensor, `q_f^2 x q_g^2`.
    fn tensors(&self, sweep: &Sweep) -> Result<Tensors> {
        let mut all = match self.exact {
            Exact::Whole => self.tensors_of_whole(sweep)?,
            _ => self.tensors_of_products(sweep)?,
        };
        for f in 1..self.blocks.len() {
            for g in f..self.blocks.len() {
                let (rows, columns) = (self.column_range(f), self.column_range(g));
                let element = |i: usize, j: usize| {
                    let (i, j) = (rows.start + i, columns.start + j);
                    let unit = if i == j { 1.0 } else { 0.0 };
                    unit - self.panels.inverse[j * self.layout.m + i]
                };
                all.push((f, g, self.contract(f, g, element)?));
            }
        }
        Ok(all)
    }

    /// The tensor of a block of W between factors, from its elements.
    fn contract(&self, f: usize, g: usize, element: impl Fn(usize, usize) -> f64 + Sync) -> Result<Vec<f64>> {
        let (f, g) = (&self.blocks[f], &self.blocks[g]);
        let (qf, qg) = (f.q, g.q);
        let size = qf * qg;
        let per_chunk = (g.levels.div_ceil(16)).max(1);
        let starts: Vec<usize> = (0..g.levels).step_by(per_chunk).collect();
        let sums = self.workers.map(starts, |start| {
            let mut gram = zeros(size * size, "the exact Hessian")?;
            let mut rows = Vec::with_capacity(f.levels * size);
            for l in start..(start + per_chunk).min(g.levels) {
                self.workers.check()?;
                rows.clear();
                for k in 0..f.levels {
                    for c in 0..qg {
                        rows.extend((0..qf).map(|a| element(k * qf + a, l * qg + c)));
                    }
                }
                add_gram(&rows, size, &mut gram);
            }
            Ok(gram)
        })?;
        let mut tensor = zeros(size * size, "the exact Hessian")?;
        for gram in sums {
            for (k, v) in gram.iter().enumerate() {
                let ((a, c), (b, d)) = ((k % size % qf, k % size / qf), (k / size % qf, k / size / qf));
                tensor[(d * qg + c) * qf * qf + b * qf + a] += v;
            }
        }
        Ok(tensor)
    }

    /// Tensors with the leading factor from all of W.
    fn tensors_of_whole(&self, sweep: &Sweep) -> Result<Tensors> {
        let (layout, m, n, q) = (&self.layout, self.layout.m, self.leading(), self.blocks[0].q);
        let mut f = zeros(m * n, "the exact Hessian")?;
        for i in 0..layout.leading() {
            for t in layout.touched(i) {
                let block = layout.block(&sweep.f, t);
                let columns = layout.columns(layout.touch[t] as usize);
                for (column, values) in columns.zip(block.chunks_exact(q)) {
                    f[column * n + i * q..column * n + (i + 1) * q].copy_from_slice(values);
                }
            }
        }
        let mut y = zeros(m * n, "the exact Hessian")?;
        multiply(
            &self.panels.inverse,
            &transpose(&f, n, m),
            &mut y,
            m,
            self.workers,
        )?;
        let mut square = zeros(n * n, "the exact Hessian")?;
        multiply(&f, &y, &mut square, m, self.workers)?;
        let leading = |i: usize, j: usize| {
            let (k, own) = (i / q, i / q == j / q);
            let h = if own {
                sweep.h[k * q * q + (j % q) * q + i % q]
            } else {
                0.0
            };
            h - square[j * n + i]
        };
        let mut all = vec![(0, 0, self.contract(0, 0, leading)?)];
        for f in 1..self.blocks.len() {
            let first = self.column_range(f).start;
            all.push((0, f, self.contract(0, f, |i, j| y[i * m + first + j])?));
        }
        Ok(all)
    }

    /// Tensors with the leading factor from products over the nodes.
    fn tensors_of_products(&self, sweep: &Sweep) -> Result<Tensors> {
        let (m, q) = (self.layout.m, self.blocks[0].q);
        let products = self.products(sweep)?;
        let mut all = vec![(0, 0, self.leading_tensor(sweep, &products)?)];
        for (f, block) in self.blocks.iter().enumerate().skip(1) {
            let mut tensor = vec![0.0; q * q * block.q * block.q];
            let rows = self.column_range(f);
            for (cd, x) in products.iter().enumerate() {
                for v in 0..m {
                    if v % 64 == 0 {
                        self.workers.check()?;
                    }
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
        self.for_nodes(out, m, |node, out, _| {
            out.fill(0.0);
            for (i, t) in layout.touching(node) {
                let own = layout.block(&sweep.f, *t).chunks_exact(q);
                for (to, own) in out.chunks_exact_mut(m).zip(own) {
                    for t in layout.touched(*i as usize) {
                        let first = layout.node_column[layout.touch[t] as usize];
                        let f = layout.block(&sweep.f, t).chunks_exact(q);
                        for (to, f) in to[first..].iter_mut().zip(f) {
                            *to += f[c] * own[d];
                        }
                    }
                }
            }
        })
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
