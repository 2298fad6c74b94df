//! The Hessian by differences of the analytic gradient, where its formula would cost too much.
//!
//! The gradient with respect to Psi is differentiated along positive semidefinite directions `v v'` only, so that every
//! point it is computed at is a covariance, on the boundary too: with `s_a` the square root of a step,
//! `E_ab + E_ba` follows from the directions of `s_a e_a`, `s_b e_b` and their sum. One-sided formula of four points.

use super::{Crossed, Direction};
use crate::criterion::{Derivatives, Order};
use crate::error::Result;
use crate::linalg::{axpy, qr_in_place};

/// The step, relative to a variance and the noise of a level.
const STEP: f64 = 1e-3;
/// Weights of the gradient at 0, 1, 2 and 3 steps in six times the derivative.
const WEIGHTS: [f64; 4] = [-11.0, 18.0, -9.0, 2.0];

impl Crossed<'_> {
    /// Derivatives with the exact Hessian.
    pub(super) fn differentiate_by_differences(&mut self) -> Result<Derivatives> {
        let saved = self.lambda.clone();
        let result = self.differences(&saved);
        self.lambda = saved;
        self.set_psi();
        self.evaluate()?;
        result
    }

    fn differences(&mut self, saved: &[Vec<f64>]) -> Result<Derivatives> {
        let mut base = self.differentiate(Order::Average)?;
        let steps = self.steps();
        let r = self.directions.len();
        let directions = self.directions.clone();
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(r);
        let mut diagonal: Vec<Vec<Option<Vec<f64>>>> = self.blocks.iter().map(|b| vec![None; b.q]).collect();
        // variances first: covariances need them
        for direction in &directions {
            columns.push(match direction.pairs[..] {
                [(a, b)] if a == b => {
                    let column =
                        self.along(direction.block, &[(a, steps[direction.block][a])], saved, &base)?;
                    diagonal[direction.block][a] = Some(column.clone());
                    column
                }
                _ => Vec::new(),
            });
        }
        for (k, Direction { block, pairs }) in directions.iter().enumerate() {
            let (block, s) = (*block, &steps[*block]);
            if !columns[k].is_empty() {
                continue;
            }
            if let [(a, b), (c, d)] = pairs[..] {
                if a != b && (a, b) == (d, c) {
                    let mut column = self.along(block, &[(a, s[a]), (b, s[b])], saved, &base)?;
                    for i in [a, b] {
                        if let Some(own) = &diagonal[block][i] {
                            axpy(-s[i] * s[i], own, &mut column);
                        }
                    }
                    column.iter_mut().for_each(|v| *v /= s[a] * s[b]);
                    columns[k] = column;
                    continue;
                }
            }
            // one variance for several columns
            let mut sum = vec![0.0; r];
            for (a, _) in pairs {
                axpy(1.0, &self.along(block, &[(*a, s[*a])], saved, &base)?, &mut sum);
            }
            columns[k] = sum;
        }
        base.hessian = vec![0.0; r * r];
        for (j, column) in columns.iter().enumerate() {
            for (i, value) in column.iter().enumerate() {
                base.hessian[j * r + i] += 0.5 * value;
                base.hessian[i * r + j] += 0.5 * value;
            }
        }
        Ok(base)
    }

    /// Per block and column the square root of a step: small beside the variance, or beside the noise.
    fn steps(&self) -> Vec<Vec<f64>> {
        let of = |b: usize| -> Vec<f64> {
            let (q, levels) = (self.blocks[b].q, self.blocks[b].levels as f64);
            let column = |a: usize| {
                let information = self
                    .state
                    .information
                    .get(b)
                    .filter(|_| b > 0)
                    .map_or(0.0, |i| i[a * q + a]);
                let total = if b == 0 {
                    self.leading_information(a)
                } else {
                    information
                };
                let noise = if total > 0.0 { levels / total } else { 1.0 };
                (STEP * (self.psi[b][a * q + a] + noise)).sqrt()
            };
            (0..q).map(column).collect()
        };
        (0..self.blocks.len()).map(of).collect()
    }

    fn leading_information(&self, a: usize) -> f64 {
        let q = self.blocks[0].q;
        self.gram.leading.chunks_exact(q * q).map(|g| g[a * q + a]).sum()
    }

    /// The derivative of the gradient (in the basis of Psi) along `v v'`; for one column, along its variance.
    fn along(
        &mut self,
        block: usize,
        v: &[(usize, f64)],
        saved: &[Vec<f64>],
        base: &Derivatives,
    ) -> Result<Vec<f64>> {
        let q = self.blocks[block].q;
        let mut sum = vec![0.0; self.directions.len()];
        for (step, weight) in WEIGHTS.iter().enumerate() {
            let gradient = if step == 0 {
                self.in_basis(&base.gradient)
            } else {
                self.lambda.clone_from_slice(saved);
                // [Lambda | sqrt(step) v] rotated to a square
                let mut stack = vec![0.0; (q + 1) * q];
                for i in 0..q {
                    for k in 0..q {
                        stack[i * (q + 1) + k] = saved[block][k * q + i];
                    }
                }
                v.iter()
                    .for_each(|(a, s)| stack[a * (q + 1) + q] = s * (step as f64).sqrt());
                qr_in_place(&mut stack, q + 1, q, q);
                for k in 0..q * q {
                    self.lambda[block][k] = stack[(k % q) * (q + 1) + k / q];
                }
                self.set_psi();
                self.evaluate()?;
                let derivatives = self.differentiate(Order::Gradient)?;
                self.in_basis(&derivatives.gradient)
            };
            axpy(weight / 6.0, &gradient, &mut sum);
        }
        if let [(_, s)] = v {
            sum.iter_mut().for_each(|d| *d /= s * s);
        }
        Ok(sum)
    }

    /// The gradient along each direction of Psi.
    fn in_basis(&self, gradient: &[Vec<f64>]) -> Vec<f64> {
        let all = self.shapes.iter().zip(gradient);
        all.flat_map(|(shape, g)| {
            let along =
                move |pairs: Vec<(usize, usize)>| pairs.iter().map(|(a, b)| g[b * shape.q + a]).sum::<f64>();
            shape.structure.directions(shape.q).into_iter().map(along)
        })
        .collect()
    }
}
