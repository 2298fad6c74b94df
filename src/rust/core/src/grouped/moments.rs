//! Second derivatives of `X'V^-1X`, and traces, for tests of fixed effects.
//!
//! In the coordinates of [`super::derivatives`] the fixed effects' part of the root's message is `R^-T X'V^-1X R^-1`, and its
//! second derivative is the sum over all nodes of
//!
//! ```text
//! U'E W F U + U'F W E U          E and F of the node itself
//! - (A_E'P A_F + A_F'P A_E)      E and F of deeper levels, A = (M L)_z the derivative of what the node was told
//! - (U'F C A_E + A_E'C'F U)      E of a deeper level, F of the node itself, C = I - W Psi
//! ```
//!
//! over the columns of U and A that belong to fixed effects; the last two are the chain rule through what the node
//! passes on, `M_rr - M_rz (Psi^-1 + M_zz)^-1 M_zr`.
//!
//! Vignette "The algorithm": Eq. Kenward-Roger.

use super::derivatives::{mirrored, Down, Omega};
use super::messages::TangentParts;
use super::Grouped;
use crate::criterion::Order;
use crate::engine::Moments;
use crate::error::Result;
use crate::linalg::{dot, matmul};

/// `out += sign (A'B + B'A)` for `q x p` matrices A and B.
fn add_symmetric(sign: f64, a: &[f64], b: &[f64], q: usize, p: usize, out: &mut [f64]) {
    for (k, (ak, bk)) in a.chunks_exact(q).zip(b.chunks_exact(q)).enumerate() {
        for (j, (aj, bj)) in a.chunks_exact(q).zip(b.chunks_exact(q)).enumerate() {
            out[k * p + j] += sign * (dot(aj, bk) + dot(bj, ak));
        }
    }
}

/// `E B` for a direction E and a matrix of `q` rows.
fn turned(pairs: &[(usize, usize)], b: &[f64], q: usize) -> Vec<f64> {
    let mut out = vec![0.0; b.len()];
    for (to, from) in out.chunks_exact_mut(q).zip(b.chunks_exact(q)) {
        pairs.iter().for_each(|(i, j)| to[*i] += from[*j]);
    }
    out
}

impl Down<'_> {
    /// The number of columns of U that do not belong to fixed effects.
    fn other_columns(&self, depth: usize) -> usize {
        self.pass.coordinates(depth) - self.pass.reduced.p()
    }

    fn second_at(&mut self, j: usize, k: usize) -> &mut [f64] {
        let (low, high) = (j.min(k), j.max(k));
        let size = self.pass.reduced.p().pow(2);
        let at = (high * (high + 1) / 2 + low) * size;
        &mut self.sums.second[at..at + size]
    }

    /// Pairs of the level's own directions.
    pub(super) fn own_second(&mut self, depth: usize) {
        let pass = self.pass;
        let (q, p) = (pass.reduced.levels[depth].q, pass.reduced.p());
        let fixed = self.u[self.other_columns(depth) * q..].to_vec();
        let turn = |d: &usize| turned(&pass.directions[*d].pairs, &fixed, q);
        let sides: Vec<Vec<f64>> = pass.own[depth].iter().map(turn).collect();
        for (x, k) in pass.own[depth].iter().enumerate() {
            let weighted = matmul(&self.w, &sides[x], q, q, p);
            for (y, j) in pass.own[depth][..=x].iter().enumerate() {
                add_symmetric(1.0, &sides[y], &weighted, q, p, self.second_at(*j, *k));
            }
        }
    }

    /// What the directions of deeper levels bring at an inner node with `U`.
    pub(super) fn deeper_second(&mut self, depth: usize, parts: &[TangentParts], u: &[f64]) {
        let pass = self.pass;
        let (q, p) = (pass.reduced.levels[depth].q, pass.reduced.p());
        let from = self.other_columns(depth) * q;
        let turn = |d: &usize| turned(&pass.directions[*d].pairs, &u[from..], q);
        let sides: Vec<Vec<f64>> = pass.own[depth].iter().map(turn).collect();
        for (x, k) in pass.deeper[depth].iter().enumerate() {
            for (y, j) in pass.deeper[depth][..=x].iter().enumerate() {
                let (a, b) = (&parts[x].m_zl[from..], &parts[y].p_mzl[from..]);
                add_symmetric(-1.0, a, b, q, p, self.second_at(*j, *k));
            }
            for (side, j) in sides.iter().zip(&pass.own[depth]) {
                let a = &parts[x].c_mzl[from..];
                add_symmetric(-1.0, side, a, q, p, self.second_at(*j, *k));
            }
        }
    }
}

impl Grouped<'_> {
    /// See [`crate::engine::Engine::moments`].
    pub(super) fn sum_moments(&self) -> Result<Moments> {
        let (r, p) = (self.directions.len(), self.reduced.p());
        let nothing = Omega {
            residual: false,
            fixed: false,
        };
        let sums = self.sums(&self.pass(Order::Hessian, nothing, true))?;
        let traces = self.gradient_of_terms(&sums);
        let mut products = mirrored(sums.hessian, r);
        products.iter_mut().for_each(|v| *v = -*v);
        let d = p + 1;
        let first = sums.root.chunks_exact(d * d).map(|m| {
            let at = |i: usize, j: usize| -m[(j.max(i) + 1) * d + j.min(i) + 1];
            (0..p * p).map(|k| at(k % p, k / p)).collect()
        });
        let size = p * p;
        let second = (0..r * (r + 1) / 2).map(|k| {
            let sum = &sums.second[k * size..(k + 1) * size];
            sum.iter().map(|v| 0.5 * v).collect()
        });
        Ok(Moments {
            traces,
            products,
            first: first.collect(),
            second: second.collect(),
        })
    }
}
