//! Second derivatives: average information, and the exact Hessian.
//!
//! With `x = E s` for the columns s of the sources (the residual scaled by `sqrt(N/r2)`, and for REML the orthonormal fixed
//! effects) and `K_s(E, F) = x_E'W x_F`,
//!
//! ```text
//! AI(E, F) = K_y - a_E'a_F - q_E q_F / N
//! H(E, F)  = - tr(W E W F) + 2 K_y - 2 a_E'a_F - q_E q_F / N + 1{REML} [ 2 sum_j K_j - tr(B_E B_F) ]
//! ```
//!
//! where `q_E = e'E e`, `a_E = U'E e` and `B_E = U'E U` (in the sources' units). From the blocks of W (see
//! [`super::derivatives`]), with `x_0` of the leading levels and `z = Lambda^-1 x_R` of the nodes,
//!
//! ```text
//! x'W x = sum_i x_i'H_i x_i + z'z - |L^-1 (z - sum_i Lambda'F_i'x_i)|^2,     S = L L'
//! ```
//!
//! The trace is the subject of [`super::traces`].
//!
//! Vignette "The algorithm": Eq. Hessian, Eq. Average information.

use std::ops::Range;

use super::derivatives::Sweep;
use super::rows::{add_gram, multiply_level};
use super::Crossed;
use crate::engine::Engine;
use crate::error::{reserved, zeros, Result};
use crate::linalg::{axpy, dot};
use crate::parallel::chunks;

/// A Hessian in the basis of Psi and derivatives of estimates.
#[derive(Default)]
pub(super) struct Curvature {
    pub hessian: Vec<f64>,
    pub r2_gradient: Vec<f64>,
    pub beta_gradient: Vec<f64>,
}

impl Crossed<'_> {
    /// The exact Hessian, or average information.
    pub(super) fn curvature(&self, sources: &[f64], sweep: &Sweep, exact: bool) -> Result<Curvature> {
        let p = self.frame.p();
        let reml = exact && self.estimation.reml_weight() > 0.0;
        let messages = self.messages(sources, if reml { self.cells.d } else { 1 })?;
        let mut hessian = self.squares_of_hessian(sources, sweep, &messages, exact)?;
        if exact {
            axpy(-1.0, &self.traces(sweep)?, &mut hessian);
        }
        let per_unit = self.residual_variance();
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

    /// The Hessian, or average information, but for `tr(W E W F)`.
    pub(super) fn squares_of_hessian(
        &self,
        sources: &[f64],
        sweep: &Sweep,
        messages: &[Vec<f64>],
        exact: bool,
    ) -> Result<Vec<f64>> {
        let (r, d) = (self.directions.len(), self.cells.d);
        // nothing is profiled over a residual variance that is held
        let n = self.scale.map_or(self.denominator(), |_| f64::INFINITY);
        let reml = exact && self.estimation.reml_weight() > 0.0;
        let weight = if exact { 2.0 } else { 1.0 };
        // what the fixed effects take up, unless they are held
        let follow = if self.fixed.is_some() { 0.0 } else { weight };
        let mut hessian = vec![0.0; r * r];
        for s in 0..if reml { d } else { 1 } {
            axpy(weight, &self.forms(sources, s..s + 1, sweep)?, &mut hessian);
        }
        for e in 0..r {
            for f in 0..r {
                let (m, k) = (&messages[e], &messages[f]);
                let mut part = -follow * dot(&m[1..d], &k[1..d]) - m[0] * k[0] / n;
                if reml {
                    let inner = |j: usize| j * d + 1..(j + 1) * d;
                    part -= (1..d).map(|j| dot(&m[inner(j)], &k[inner(j)])).sum::<f64>();
                }
                hessian[e * r + f] += part;
            }
        }
        Ok(hessian)
    }

    /// `x_E'W z_F` for all pairs of directions and of some columns of the sources; the columns of a direction stand together.
    pub(super) fn forms(&self, sources: &[f64], columns: Range<usize>, sweep: &Sweep) -> Result<Vec<f64>> {
        let (d, wide, layout) = (self.cells.d, columns.len(), &self.layout);
        let r = self.directions.len() * wide;
        let mut forms = zeros(r * r, "the derivatives")?;
        let mut rest = zeros(layout.m * r, "the derivatives")?;
        let (mut leading, mut of_leading) = (Vec::new(), Vec::new());
        for (b, block) in self.blocks.iter().enumerate() {
            self.workers.check()?;
            let directions = (0..self.directions.len()).filter(|e| self.directions[*e].block == b);
            let own: Vec<usize> = directions.flat_map(|e| e * wide..(e + 1) * wide).collect();
            let (q, w) = (block.q, own.len());
            let (mut x, mut y) = (vec![0.0; q * w], vec![0.0; q * w]);
            let mut squares = zeros(w * w, "the derivatives")?;
            if b == 0 {
                leading = reserved(block.levels * q * w, "the derivatives")?;
            }
            for level in 0..block.levels {
                let first = self.place(b, level);
                x.fill(0.0);
                for (e, direction) in own.iter().step_by(wide).enumerate() {
                    for (i, j) in &self.directions[direction / wide].pairs {
                        let from = &sources[(first + j) * d..][columns.clone()];
                        axpy(1.0, from, &mut x[i * w + e * wide..][..wide]);
                    }
                }
                if b == 0 {
                    let h = &sweep.h[level * q * q..(level + 1) * q * q];
                    multiply_level(h, q, false, &x, w, &mut y);
                    for (x, y) in x.chunks_exact(w).zip(y.chunks_exact(w)) {
                        for (column, v) in squares.chunks_exact_mut(w).zip(y) {
                            axpy(*v, x, column);
                        }
                    }
                    leading.extend_from_slice(&x);
                } else {
                    multiply_level(&sweep.inverse_roots[b], q, false, &x, w, &mut y);
                    add_gram(&y, w, &mut squares);
                    let at = first - self.leading();
                    for (i, y) in y.chunks_exact(w).enumerate() {
                        for (e, v) in own.iter().zip(y) {
                            rest[(at + i) * r + e] = *v;
                        }
                    }
                }
            }
            for (j, f) in own.iter().enumerate() {
                for (i, e) in own.iter().enumerate() {
                    forms[f * r + e] += squares[j * w + i];
                }
            }
            if b == 0 {
                of_leading = own;
            }
        }
        self.subtract_leading(&leading, &of_leading, sweep, &mut rest, r)?;
        self.panels.forward(layout, &mut rest, r);
        let mut squares = zeros(r * r, "the derivatives")?;
        add_gram(&rest, r, &mut squares);
        axpy(-1.0, &squares, &mut forms);
        Ok(forms)
    }

    /// `rest -= Lambda'F_i'x_i` in the columns `own` of the `r` of `rest`.
    fn subtract_leading(
        &self,
        x: &[f64],
        own: &[usize],
        sweep: &Sweep,
        rest: &mut [f64],
        r: usize,
    ) -> Result<()> {
        let (q, w, layout) = (self.blocks[0].q, own.len().max(1), &self.layout);
        self.for_nodes(rest, r, |node, out, sum| {
            sum.clear();
            sum.resize(layout.columns(node).len() * w, 0.0);
            for (i, t) in layout.touching(node) {
                let x = &x[*i as usize * q * own.len()..(*i as usize + 1) * q * own.len()];
                let f = layout.block(&sweep.f, *t);
                for (sum, f) in sum.chunks_exact_mut(w).zip(f.chunks_exact(q)) {
                    for (x, f) in x.chunks_exact(w).zip(f) {
                        axpy(*f, x, sum);
                    }
                }
            }
            for (out, sum) in out.chunks_exact_mut(r).zip(sum.chunks_exact(w)) {
                for (e, v) in own.iter().zip(sum) {
                    out[*e] -= v;
                }
            }
        })
    }

    /// Per direction the first `wide` columns of `sum_l X_l'E X_l` over the sources X, `d x d`.
    pub(super) fn messages(&self, sources: &[f64], wide: usize) -> Result<Vec<Vec<f64>>> {
        let d = self.cells.d;
        let mut all = vec![vec![0.0; d * wide]; self.directions.len()];
        let pieces: Vec<(usize, Range<usize>)> = (0..self.directions.len())
            .flat_map(|e| {
                let levels = self.blocks[self.directions[e].block].levels;
                chunks((0..levels).map(|_| d * wide), 1 << 18, 16)
                    .into_iter()
                    .map(move |r| (e, r))
            })
            .collect();
        let sums = self.workers.map(pieces, |(e, levels)| {
            let (direction, mut sum) = (&self.directions[e], vec![0.0; d * wide]);
            for level in levels {
                let first = self.place(direction.block, level);
                for (i, j) in &direction.pairs {
                    let (x, z) = (&sources[(first + i) * d..][..d], &sources[(first + j) * d..][..d]);
                    for (column, v) in sum.chunks_exact_mut(d).zip(z) {
                        axpy(*v, x, column);
                    }
                }
            }
            Ok((e, sum))
        })?;
        sums.iter().for_each(|(e, sum)| axpy(1.0, sum, &mut all[*e]));
        Ok(all)
    }
}
