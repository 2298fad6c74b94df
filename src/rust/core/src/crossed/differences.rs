//! The Hessian by differences of the analytic gradient, where its formula would cost too much.
//!
//! The gradient with respect to Psi is differentiated along positive semidefinite directions `v v'` only, so that every
//! point it is computed at is a covariance, on the boundary too. Per term the vectors v are columns of a factor T of
//! `Psi + (noise of a level)`, and sums of two of them: there the criterion is smooth on the scale of one, however
//! strong or correlated the effects. One-sided formula of four points; the directions `T E T'` are turned to E at the end.
//!
//! Vignette "The algorithm": Eq. Differences.

use super::Crossed;
use crate::covstruct::Structure;
use crate::criterion::{Derivatives, Order};
use crate::error::Result;
use crate::linalg::{axpy, block_diagonal, matmul, qr_in_place, semidefinite_cholesky, transpose};
use crate::params::{congruence_map, invert_lower};

/// The step, relative to a variance and the noise of a level.
const STEP: f64 = 1e-3;
/// Weights of the gradient at 0, 1, 2 and 3 steps in six times the derivative.
const WEIGHTS: [f64; 4] = [-11.0, 18.0, -9.0, 2.0];

/// Where a term stands: its block, and its first column there.
#[derive(Clone, Copy)]
struct Place {
    block: usize,
    first: usize,
}

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
        let here = self.in_basis(&base.gradient);
        let r = self.directions.len();
        let (mut columns, mut maps) = (Vec::with_capacity(r * r), Vec::new());
        for (t, shape) in self.shapes.clone().iter().enumerate() {
            let q = shape.q;
            let (place, root) = self.scale_of_term(t);
            let column = |a: usize| -> Vec<f64> { root[a * q..(a + 1) * q].to_vec() };
            let single: Vec<Vec<f64>> = (0..q)
                .map(|a| self.along(place, &column(a), saved, &here))
                .collect::<Result<_>>()?;
            for pairs in shape.structure.directions(q) {
                let mut sum = vec![0.0; r];
                match pairs[..] {
                    [(a, b), (b2, a2)] if a != b && (a, b) == (a2, b2) => {
                        let mut both = column(a);
                        axpy(1.0, &column(b), &mut both);
                        axpy(1.0, &self.along(place, &both, saved, &here)?, &mut sum);
                        [a, b].iter().for_each(|i| axpy(-1.0, &single[*i], &mut sum));
                    }
                    _ => pairs.iter().for_each(|(a, _)| axpy(1.0, &single[*a], &mut sum)),
                }
                columns.extend(sum);
            }
            maps.push(congruence_map(shape.structure, q, &invert_lower(&root, q)?));
        }
        let hessian = matmul(&columns, &block_diagonal(&maps), r, r, r);
        let turned = transpose(&hessian, r, r);
        base.hessian = hessian.iter().zip(&turned).map(|(a, b)| 0.5 * (a + b)).collect();
        Ok(base)
    }

    /// The place of a term and a lower-triangular factor of its Psi and the noise of a level together.
    fn scale_of_term(&self, t: usize) -> (Place, Vec<f64>) {
        let mut place = Place { block: 0, first: 0 };
        for (b, block) in self.blocks.iter().enumerate() {
            for (_, columns) in block.term_columns().filter(|(term, _)| *term == t) {
                place = Place {
                    block: b,
                    first: columns.start,
                };
            }
        }
        let (q, n) = (self.shapes[t].q, self.blocks[place.block].q);
        let levels = self.blocks[place.block].levels as f64;
        let at = |m: &[f64], i: usize, j: usize| m[(place.first + j) * n + place.first + i];
        let information = |a: usize| match place.block {
            0 => self.frame.gram[t][a * q + a],
            b => at(&self.state.information[b], a, a),
        };
        let noise = |a: usize| {
            if information(a) > 0.0 {
                levels / information(a)
            } else {
                1.0
            }
        };
        let psi = &self.psi[place.block];
        let mut sum: Vec<f64> = (0..q * q).map(|k| at(psi, k % q, k / q)).collect();
        (0..q).for_each(|a| sum[a * q + a] += noise(a));
        let structure = self.shapes[t].structure;
        structure.project(q, &mut sum);
        let root = match structure {
            Structure::Unstructured => semidefinite_cholesky(&sum, q, 0.0),
            _ => (0..q * q)
                .map(|k| if k % (q + 1) == 0 { sum[k].sqrt() } else { 0.0 })
                .collect(),
        };
        (place, root)
    }

    /// The derivative of the gradient (in the basis of Psi) along `v v'` in the columns of a term.
    fn along(&mut self, place: Place, v: &[f64], saved: &[Vec<f64>], here: &[f64]) -> Result<Vec<f64>> {
        let q = self.blocks[place.block].q;
        let mut sum = vec![0.0; here.len()];
        axpy(WEIGHTS[0] / (6.0 * STEP), here, &mut sum);
        for (steps, weight) in WEIGHTS.iter().enumerate().skip(1) {
            self.lambda.clone_from_slice(saved);
            // [Lambda | sqrt(step) v] rotated to a square
            let mut stack = vec![0.0; (q + 1) * q];
            for i in 0..q {
                for k in 0..q {
                    stack[i * (q + 1) + k] = saved[place.block][k * q + i];
                }
            }
            for (a, v) in v.iter().enumerate() {
                stack[(place.first + a) * (q + 1) + q] = v * (steps as f64 * STEP).sqrt();
            }
            qr_in_place(&mut stack, q + 1, q, q);
            for k in 0..q * q {
                self.lambda[place.block][k] = stack[(k % q) * (q + 1) + k / q];
            }
            self.set_psi();
            self.evaluate()?;
            let derivatives = self.differentiate(Order::Gradient)?;
            axpy(
                weight / (6.0 * STEP),
                &self.in_basis(&derivatives.gradient),
                &mut sum,
            );
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
