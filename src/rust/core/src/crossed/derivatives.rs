//! The gradient with respect to Psi.
//!
//! With `V_0 = I + Z_0 Psi_0 Z_0'` of the leading factor alone, `K_i = (I + G_i Psi_0)^-1`, `H_i = K_i G_i` and
//! `F_i = K_i Z_i'Z_R` (so that `Z_i'V_0^-1Z_i = H_i`, `Z_i'V_0^-1Z_R = F_i`), the blocks of `W = Z'V^-1Z` are
//!
//! ```text
//! W_ij = H_i 1{i = j} - F_i Lambda S^-1 Lambda'F_j'        leading levels
//! W_kl = Lambda^-T (1{k = l} - S^-1)_kl Lambda^-1          nodes
//! W_ki = Lambda^-T S^-1_k. Lambda'F_i'
//! ```
//!
//! and the gradient is `G = sum_l [ W_ll - (N/r2) e_l e_l' - 1{REML} U_l S U_l' ]` with `e = Z'V^-1(y - X beta)`,
//! `U = Z'V^-1X`. Of S^-1 only the elements on the pattern of its factor are needed. Where a direction of Psi of a node
//! factor is (almost) zero, W is taken at a Psi that is larger there by [`FLOOR`], in units of the information of a level:
//! the relative error is of that size.
//!
//! Vignette "The algorithm": Eq. Gradient, Eq. Selected inverse.

use super::blocks::{many_identities, per_level};
use super::plan::Exact;
use super::rows::{add_gram, multiply_level};
use super::solve::Solution;
use super::Crossed;
use crate::criterion::{Derivatives, Order};
use crate::error::{zeros, Result};
use crate::linalg::{axpy, dot, identity, invert_general, matmul, symmetric_eigen, transpose};
use crate::params::{invert_lower, triangular_whitener};

/// The least Psi, in units of the information of a level, at which W is computed.
const FLOOR: f64 = 1e-8;

/// What the gradient and the curvature share.
pub(super) struct Sweep {
    /// `F_i Lambda` per entry of the layout's `touch`, as its cross-products are laid out.
    pub f: Vec<f64>,
    /// Per leading level `H_i` and `Y_i = F_i Lambda S^-1 Lambda'F_i'`.
    pub h: Vec<f64>,
    /// See `h`.
    pub y: Vec<f64>,
    /// Per block the inverse of a square root of Psi; the identity for the leading one.
    pub inverse_roots: Vec<Vec<f64>>,
}

/// What derivatives of any order are made from.
pub(super) struct FirstOrder {
    pub sources: Vec<f64>,
    pub sweep: Sweep,
    /// Per block.
    gradient: Vec<Vec<f64>>,
}

/// `L' A L` for `q x q` matrices.
pub(super) fn sandwich(l: &[f64], a: &[f64], q: usize) -> Vec<f64> {
    matmul(&transpose(l, q, q), &matmul(a, l, q, q, q), q, q, q)
}

impl Crossed<'_> {
    /// Gradient, and a Hessian of the kind that is asked for, at the last evaluation.
    pub(super) fn differentiate(&mut self, order: Order) -> Result<Derivatives> {
        if self.state.value.is_none() {
            self.evaluate()?;
        }
        if order == Order::Hessian && self.exact == Exact::Differences {
            return self.differentiate_by_differences();
        }
        let known = match self.state.first_order.take() {
            Some(known) => known,
            None => self.first_order()?,
        };
        let curvature = match order {
            Order::Gradient => Ok(Default::default()),
            Order::Average => self.curvature(&known.sources, &known.sweep, false),
            Order::Hessian => self.curvature(&known.sources, &known.sweep, true),
        };
        let gradient = self.by_terms_of_blocks(&known.gradient);
        self.state.first_order = Some(known);
        let curvature = curvature?;
        Ok(Derivatives {
            gradient,
            hessian: curvature.hessian,
            r2_gradient: curvature.r2_gradient,
            beta_gradient: curvature.beta_gradient,
        })
    }

    pub(super) fn first_order(&mut self) -> Result<FirstOrder> {
        let (sweep, other) = self.sweep()?;
        let solution = match (other, self.state.solution.take()) {
            (false, Some(solution)) => solution,
            (_, kept) => {
                self.state.solution = kept;
                self.solve(&self.gram.response, self.cells.d)?
            }
        };
        let sources = self.sources(&solution, &sweep.inverse_roots);
        if !other {
            self.state.solution = Some(solution);
        }
        let width = if self.estimation.reml_weight() > 0.0 {
            self.cells.d
        } else {
            1
        };
        let gradient = self.gradient(&sources, &sweep, width);
        Ok(FirstOrder {
            sources,
            sweep,
            gradient,
        })
    }

    /// `Z'V^-1[r sqrt(N/r2), Q R^-1]`, `d` wide, row by row: the residual and the orthonormal fixed effects as the
    /// derivatives see them. `Z'V^-1T` is `K_i (Z_i'T - Z_i'Z_R b_R)` for the leading levels and `Lambda^-T u` for the
    /// nodes: residuals of T would carry the error of b, many times as large.
    fn sources(&self, solution: &Solution, inverse_roots: &[Vec<f64>]) -> Vec<f64> {
        let (p, d, n) = (self.frame.p(), self.cells.d, self.leading());
        let mut all = solution.leading.clone();
        all.resize(self.effects() * d, 0.0);
        for node in 0..self.layout.nodes.len() {
            let columns = self.layout.columns(node);
            let range = (n + columns.start) * d..(n + columns.end) * d;
            let root = &inverse_roots[self.layout.nodes[node].0 as usize];
            multiply_level(
                root,
                columns.len(),
                true,
                &solution.u[range.clone()],
                d,
                &mut all[range],
            );
        }
        let scale = 1.0 / self.residual_variance().sqrt();
        let mut out = vec![0.0; d];
        for row in all.chunks_exact_mut(d) {
            out[0] = scale * (row[p] - dot(&row[..p], &self.state.gamma));
            for j in 0..p {
                out[j + 1] = dot(&row[..=j], &self.state.r_inverse[j * p..=j * p + j]);
            }
            row.copy_from_slice(&out);
        }
        all
    }

    /// A square root of the Psi of a block that can be inverted: Lambda, unless it is too small in some direction.
    fn invertible_root(&self, b: usize) -> Result<Vec<f64>> {
        let q = self.blocks[b].q;
        let levels = self.blocks[b].levels as f64;
        let mean: Vec<f64> = self.state.information[b].iter().map(|v| v / levels).collect();
        let scale = |v: f64| if v > 0.0 { 1.0 / v.sqrt() } else { 1.0 };
        let t = triangular_whitener(&mean, q).unwrap_or_else(|| {
            let diagonal = |k: usize| if k % (q + 1) == 0 { scale(mean[k]) } else { 0.0 };
            (0..q * q).map(diagonal).collect()
        });
        let relative = matmul(&invert_lower(&t, q)?, &self.lambda[b], q, q, q);
        let mut eigen = symmetric_eigen(&matmul(&relative, &transpose(&relative, q, q), q, q, q), q)?;
        if eigen.values[0] >= FLOOR {
            return Ok(self.lambda[b].clone());
        }
        eigen.values.iter_mut().for_each(|v| *v = v.max(FLOOR).sqrt());
        let scaled: Vec<f64> = (0..q * q)
            .map(|k| eigen.vectors[k] * eigen.values[k / q])
            .collect();
        Ok(matmul(&t, &scaled, q, q, q))
    }

    /// Everything about W that derivatives need, at roots of Psi that can be inverted; and whether these are others than
    /// Lambda.
    fn sweep(&mut self) -> Result<(Sweep, bool)> {
        let mut roots = vec![self.lambda[0].clone()];
        let mut inverse_roots = vec![identity(self.blocks[0].q)];
        for b in 1..self.blocks.len() {
            let root = self.invertible_root(b)?;
            let mut inverse = root.clone();
            invert_general(&mut inverse, self.blocks[b].q, &mut vec![0.0; root.len()]);
            inverse_roots.push(inverse);
            roots.push(root);
        }
        let other = roots[1..] != self.lambda[1..];
        let (f, y) = self.inverse_at(roots)?;
        let mut h = per_level(&self.blocks[0], "the derivatives")?;
        let q = self.blocks[0].q;
        let size = q * q;
        self.for_levels(&mut h, size, |i, out, _| {
            let (k, g) = (i * size..(i + 1) * size, &self.gram.leading);
            let full = matmul(&self.state.inner[k.clone()], &g[k], q, q, q);
            (0..size).for_each(|e| out[e] = 0.5 * (full[e] + full[(e % q) * q + e / q]));
        })?;
        let sweep = Sweep {
            f,
            h,
            y,
            inverse_roots,
        };
        Ok((sweep, other))
    }

    /// Invert the system at roots of Psi (per block); `F_i Lambda` per entry of `touch` and `Y_i` per leading level.
    pub(super) fn inverse_at(&mut self, roots: Vec<Vec<f64>>) -> Result<(Vec<f64>, Vec<f64>)> {
        if self.state.factored.get(1..) != roots.get(1..) {
            self.factorise(roots)?;
        }
        self.panels.invert(&self.layout, self.workers)?;
        let f = self.scaled_touches(&self.state.factored)?;
        let y = self.leading_squares(&f)?;
        Ok((f, y))
    }

    /// `F_i Lambda` for all entries of `touch`.
    fn scaled_touches(&self, roots: &[Vec<f64>]) -> Result<Vec<f64>> {
        let (layout, q) = (&self.layout, self.blocks[0].q);
        let mut f = zeros(self.gram.touch.len(), "the derivatives")?;
        self.for_touches(&mut f, |i, entry, out, left| {
            let k = &self.state.inner[i * q * q..(i + 1) * q * q];
            let node = layout.touch[entry] as usize;
            let (b, w) = (layout.block(&self.gram.touch, entry), layout.columns(node).len());
            let root = &roots[layout.nodes[node].0 as usize];
            if q == 1 && w == 1 {
                out[0] = k[0] * b[0] * root[0];
                return;
            }
            left.clear();
            left.resize(q * w, 0.0);
            for (column, b) in left.chunks_exact_mut(q).zip(b.chunks_exact(q)) {
                for (c, v) in k.chunks_exact(q).zip(b) {
                    axpy(*v, c, column);
                }
            }
            out.fill(0.0);
            for (column, r) in out.chunks_exact_mut(q).zip(root.chunks_exact(w)) {
                for (c, v) in left.chunks_exact(q).zip(r) {
                    axpy(*v, c, column);
                }
            }
        })?;
        Ok(f)
    }

    /// `Y_i = F_i Lambda S^-1 Lambda'F_i'` for all leading levels, column by column of S^-1.
    fn leading_squares(&self, f: &[f64]) -> Result<Vec<f64>> {
        let (layout, q) = (&self.layout, self.blocks[0].q);
        let size = self.blocks[0].levels * q * q;
        // each group of chunks has sums of its own
        let groups = (20_000_000 / size.max(1)).clamp(1, self.node_chunks.len());
        let per_group = self.node_chunks.len().div_ceil(groups);
        let items: Vec<_> = self.node_chunks.chunks(per_group).collect();
        let sums = self.workers.map(items, |ranges| {
            let mut y = zeros(size, "the derivatives")?;
            let mut local = vec![0u32; layout.nodes.len()];
            let (mut known, mut g) = (usize::MAX, Vec::new());
            for node in ranges.iter().flat_map(Clone::clone) {
                let s = layout.supernode_of[node] as usize;
                let panel = &layout.supernodes[s];
                self.workers.check()?;
                if s != known {
                    layout.local_rows(panel, &mut local);
                    known = s;
                }
                let (rows, w) = (panel.rows(), layout.columns(node).len());
                let at = panel.column(layout.node_column[node]);
                let z = &self.panels.inverse[at..at + w * rows];
                for (i, t) in layout.touching(node) {
                    let i = *i as usize;
                    let end = layout.touch_start[i + 1];
                    let out = &mut y[i * q * q..(i + 1) * q * q];
                    if q == 1 && w == 1 && layout.touch_offset[end] - layout.touch_offset[*t] == end - t {
                        let from = layout.touch_offset[*t];
                        let own = f[from] * z[local[node] as usize];
                        let later = layout.touch[t + 1..end].iter().zip(&f[from + 1..]);
                        let sum: f64 = later.map(|(k, f)| f * z[local[*k as usize] as usize]).sum();
                        out[0] += f[from] * (own + 2.0 * sum);
                        continue;
                    }
                    let own = layout.block(f, *t);
                    for later in *t..end {
                        let k = layout.touch[later] as usize;
                        let (h, from) = (layout.columns(k).len(), local[k] as usize);
                        let other = layout.block(f, later);
                        // F_k (z own')
                        g.clear();
                        g.resize(h * q, 0.0);
                        for (z, own) in z.chunks_exact(rows).zip(own.chunks_exact(q)) {
                            for (column, o) in g.chunks_exact_mut(h).zip(own) {
                                axpy(*o, &z[from..from + h], column);
                            }
                        }
                        for (j, g) in g.chunks_exact(h).enumerate() {
                            for (f, v) in other.chunks_exact(q).zip(g) {
                                axpy(*v, f, &mut out[j * q..(j + 1) * q]);
                                if k != node {
                                    (0..q).for_each(|a| out[a * q + j] += v * f[a]);
                                }
                            }
                        }
                    }
                }
            }
            Ok(y)
        })?;
        let mut sums = sums.into_iter();
        let mut total = sums.next().unwrap_or_default();
        sums.for_each(|s| axpy(1.0, &s, &mut total));
        Ok(total)
    }

    /// The block of the inverse of a node.
    pub(super) fn diagonal_of_inverse(&self, node: usize, out: &mut Vec<f64>) {
        let columns = self.layout.columns(node);
        let panel = &self.layout.supernodes[self.layout.supernode_of[node] as usize];
        let own = columns.start - panel.columns.start;
        out.clear();
        for c in columns.clone() {
            let at = panel.column(c) + own;
            out.extend_from_slice(&self.panels.inverse[at..at + columns.len()]);
        }
    }

    /// Per block the gradient, from the first `width` columns of the sources: the residual, and the fixed effects for
    /// REML. None: the derivative of `log|V|`.
    pub(super) fn gradient(&self, sources: &[f64], sweep: &Sweep, width: usize) -> Vec<Vec<f64>> {
        let mut all: Vec<Vec<f64>> = Vec::new();
        for (b, block) in self.blocks.iter().enumerate() {
            if b == 0 {
                let size = block.q * block.q;
                let mut sum = vec![0.0; size];
                for (h, y) in sweep.h.chunks_exact(size).zip(sweep.y.chunks_exact(size)) {
                    axpy(1.0, h, &mut sum);
                    axpy(-1.0, y, &mut sum);
                }
                all.push(sum);
            } else {
                let (mut sum, mut own) = (many_identities(block), Vec::new());
                for node in &self.layout.node_of[b] {
                    self.diagonal_of_inverse(*node as usize, &mut own);
                    axpy(-1.0, &own, &mut sum);
                }
                all.push(sandwich(&sweep.inverse_roots[b], &sum, block.q));
            }
        }
        let d = self.cells.d;
        for (b, block) in self.blocks.iter().enumerate() {
            let q = block.q;
            let mut squares = vec![0.0; q * q];
            let mut column = vec![0.0; q * width];
            for level in 0..block.levels {
                let first = self.place(b, level);
                for a in 0..q {
                    for s in 0..width {
                        column[s * q + a] = sources[(first + a) * d + s];
                    }
                }
                add_gram(&column, q, &mut squares);
            }
            axpy(-1.0, &squares, &mut all[b]);
            for k in 0..q * q {
                let (i, j) = (k % q, k / q);
                if i < j {
                    let mean = 0.5 * (all[b][k] + all[b][i * q + j]);
                    (all[b][k], all[b][i * q + j]) = (mean, mean);
                }
            }
        }
        all
    }

    /// Per block the conditional covariances of its levels, `q x q x levels`.
    pub(super) fn level_covariances(&mut self) -> Result<Vec<Vec<f64>>> {
        // at Psi itself: a variance of zero has conditional variances of zero
        self.state.forget_derivatives();
        let (_, y) = self.inverse_at(self.lambda.clone())?;
        let mut all = Vec::new();
        for (b, block) in self.blocks.iter().enumerate() {
            let (q, size) = (block.q, block.q * block.q);
            let mut of_block = per_level(block, "the conditional variances")?;
            let (mut inverse, transposed) = (Vec::new(), transpose(&self.lambda[b], q, q));
            for (level, out) in of_block.chunks_exact_mut(size).enumerate() {
                if b == 0 {
                    // P + Psi Y Psi
                    out.copy_from_slice(&sandwich(&self.psi[0], &y[level * size..(level + 1) * size], q));
                    let d = &self.state.half[level * size..(level + 1) * size];
                    for (k, out) in out.iter_mut().enumerate() {
                        let (i, j) = (k % q, k / q);
                        *out += dot(&d[i * q..(i + 1) * q], &d[j * q..(j + 1) * q]);
                    }
                } else {
                    self.diagonal_of_inverse(self.layout.node_of[b][level] as usize, &mut inverse);
                    out.copy_from_slice(&sandwich(&transposed, &inverse, q));
                }
            }
            all.push(of_block);
        }
        Ok(all)
    }
}
