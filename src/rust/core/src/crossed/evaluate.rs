//! From the cross-products to the criterion: elimination of the leading factor, the factor of the system over the nodes,
//! the fixed effects.
//!
//! Vignette "The algorithm": Eq. Elimination.

use std::ops::Range;

use super::assembly::Assembly;
use super::rows::{add_gram, multiply_level, split_at_ends};
use super::Crossed;
use crate::criterion::Value;
use crate::engine::Root;
use crate::error::{zeros, Error, Result};
use crate::linalg::{axpy, cholesky_in_place, invert_general, invert_upper, matmul, solve_lower, transpose};

fn not_finite() -> Error {
    Error::Numerical("I + Z'Z Psi is not finite at these variances".to_string())
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
        add_gram(&self.cells.base, d, &mut k);
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
        let r2 = self.residual_square(&solution, &gamma)?;
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
            r_inverse: matmul(&back, &r_inverse, p, p, p),
            r2,
        };
        (self.state.gamma, self.state.r_inverse) = (gamma, r_inverse);
        self.state.solution = Some(solution);
        let value = Value {
            criterion: self.frame.criterion(self.estimation, r2, logdet_v, logdet_xvx),
            r2,
            logdet_v,
            logdet_xvx,
        };
        self.state.value = Some(value.clone());
        self.apply_fixed()?;
        Ok(value)
    }

    /// Put the fixed effects that are held in place of the estimated ones.
    pub(super) fn apply_fixed(&mut self) -> Result<()> {
        let (Some(fixed), Some(solution)) = (&self.fixed, &self.state.solution) else {
            return Ok(());
        };
        let p = fixed.len();
        let gamma: Vec<f64> = (0..p)
            .map(|i| {
                let row = (i..p).map(|j| self.cells.triangle[j * p + i] * fixed[j]);
                row.sum::<f64>() - self.cells.projected[i]
            })
            .collect();
        self.state.root.r2 = self.residual_square(solution, &gamma)?;
        self.state.root.beta.clone_from(fixed);
        self.state.gamma = gamma;
        Ok(())
    }

    /// Per leading level `D = C^-1 Lambda'` with `C C' = I + Lambda'G Lambda` and `K = (I + G Psi)^-1`; returns the sum of
    /// `log|I + G Psi|`. The criterion is made from D, which is symmetric in Lambda, so that strong effects of levels with few
    /// rows do it no harm; K would lose small parts of the gradient if it were made from D, as `I - G D'D`.
    fn eliminate_leading(&mut self) -> Result<f64> {
        let (q, lambda, psi) = (self.blocks[0].q, &self.lambda[0], &self.psi[0]);
        let size = q * q;
        let len = size * self.blocks[0].levels;
        if self.state.inner.len() != len {
            self.state.inner = zeros(len, "the workspace")?;
            self.state.half = zeros(len, "the workspace")?;
        }
        let ends = || self.level_chunks.iter().map(|r| r.end * size);
        let shares: Vec<_> = self
            .level_chunks
            .iter()
            .zip(split_at_ends(&mut self.state.inner, ends()))
            .zip(split_at_ends(&mut self.state.half, ends()))
            .collect();
        let gram = &self.gram.leading;
        let upper = transpose(lambda, q, q);
        let sums = self.workers.map(shares, |((range, inner), half)| {
            let mut logdet = 0.0;
            let mut work = vec![0.0; size];
            let all = inner.chunks_exact_mut(size).zip(half.chunks_exact_mut(size));
            for (i, (k, d)) in range.clone().zip(all) {
                if i % 1024 == 0 {
                    self.workers.check()?;
                }
                let g = &gram[i * size..(i + 1) * size];
                if q == 1 {
                    let square = 1.0 + g[0] * lambda[0] * lambda[0];
                    (d[0], k[0]) = (lambda[0] / square.sqrt(), 1.0 / square);
                    logdet += 0.5 * square.ln();
                    continue;
                }
                // I + Lambda'(G Lambda)
                multiply_level(g, q, false, &upper, q, k);
                multiply_level(&upper, q, false, k, q, &mut work);
                (0..q).for_each(|j| work[j * q + j] += 1.0);
                if !cholesky_in_place(&mut work, q) {
                    return Err(not_finite());
                }
                logdet += (0..q).map(|j| work[j * q + j].ln()).sum::<f64>();
                d.copy_from_slice(&upper);
                solve_lower(&work, q, d, q);
                for j in 0..q {
                    for a in 0..q {
                        let unit = if a == j { 1.0 } else { 0.0 };
                        k[j * q + a] = unit + (0..q).map(|c| g[c * q + a] * psi[j * q + c]).sum::<f64>();
                    }
                }
                invert_general(k, q, &mut work);
            }
            Ok(logdet)
        })?;
        let logdet: f64 = sums.iter().sum();
        if logdet.is_finite() {
            Ok(2.0 * logdet)
        } else {
            Err(not_finite())
        }
    }

    /// `D_i Z_i'Z_k` for all entries of `touch`: what the leading levels explain of the nodes.
    fn explained_touches(&self) -> Result<Vec<f64>> {
        let (layout, q) = (&self.layout, self.blocks[0].q);
        let mut out = zeros(self.gram.touch.len(), "the workspace")?;
        self.for_touches(&mut out, |i, entry, out, _| {
            let d = &self.state.half[i * q * q..(i + 1) * q * q];
            let columns = layout.block(&self.gram.touch, entry).chunks_exact(q);
            for (out, b) in out.chunks_exact_mut(q).zip(columns) {
                multiply_level(d, q, false, b, 1, out);
            }
        })?;
        Ok(out)
    }

    /// Assemble and factorise `S = I + Lambda'U Lambda` over the nodes, U being their cross-products less what the leading
    /// factor explains; returns `log|S|`.
    pub(super) fn factorise(&mut self, lambda: Vec<Vec<f64>>) -> Result<f64> {
        self.workers.check()?;
        // nothing is known of the panels until this ends well
        self.state.factored.clear();
        let touch = self.explained_touches()?;
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
            touch: &touch,
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
}
