//! From the cross-products to the criterion: elimination of the leading factor, the factor of the system over the nodes,
//! the fixed effects.

use std::ops::Range;

use super::assembly::Assembly;
use super::rows::split_at_ends;
use super::Crossed;
use crate::criterion::Value;
use crate::engine::Root;
use crate::error::{zeros, Error, Result};
use crate::linalg::{axpy, cholesky_in_place, invert_upper, transpose};

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
        self.state.solution = Some(solution);
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
}
