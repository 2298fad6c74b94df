//! The Hessian of the penalised criterion: fixed effects and residual variance follow Psi.

use crate::criterion::Derivatives;
use crate::error::Result;
use crate::linalg::{axpy, dot, matmul, symmetric_eigen, transpose};

use super::fixed::{second_derivatives, Fixed};
use super::lasso::Quadratic;
use super::Penalised;

impl Penalised<'_> {
    /// Let the fixed effects and the residual variance follow Psi: from derivatives at fixed u to those of F.
    pub(super) fn follow(&self, derivatives: &mut Derivatives) -> Result<()> {
        let (Some((quadratic, shrunk)), Some(penalty)) = (&self.at()?.shrunk, &self.fixed) else {
            return Ok(());
        };
        let (p, r) = (quadratic.p(), derivatives.r2_gradient.len());
        let (n, units) = (self.inner.denominator(), self.response_units());
        let r2 = self.inner.root().r2;
        let (s, beta) = (r2 * units / n, &shrunk.beta);
        let (bend, moving) = bend_of(penalty, beta, quadratic, s)?;
        let m = moving.len();
        let pull = quadratic.times(&quadratic.away(beta));
        // L_uu and its inverse
        let mut luu = vec![0.0; (m + 1) * (m + 1)];
        for (j, b) in moving.iter().enumerate() {
            for (i, a) in moving.iter().enumerate() {
                luu[j * (m + 1) + i] = 2.0 * quadratic.a[b * p + a] / s + bend[b * p + a];
            }
            let cross = -2.0 * pull[*b] / s;
            (luu[j * (m + 1) + m], luu[m * (m + 1) + j]) = (cross, cross);
        }
        luu[(m + 1) * (m + 1) - 1] = n;
        let frame = self.inner.frame();
        let per: Vec<f64> = frame
            .kept
            .iter()
            .map(|j| frame.scaling.y / frame.scaling.x[*j])
            .collect();
        let mut lup = vec![0.0; (m + 1) * r];
        for e in 0..r {
            let from = &derivatives.beta_gradient[e * p..(e + 1) * p];
            let b: Vec<f64> = from.iter().zip(&per).map(|(v, u)| v * u).collect();
            let ab = quadratic.times(&b);
            for (j, k) in moving.iter().enumerate() {
                lup[e * (m + 1) + j] = -2.0 * ab[*k] / s;
            }
            lup[e * (m + 1) + m] = -n * derivatives.r2_gradient[e] / r2;
        }
        let change = solve_symmetric(&luu, &lup, m + 1)?;
        let taken = matmul(&transpose(&lup, m + 1, r), &change, r, m + 1, r);
        derivatives
            .hessian
            .iter_mut()
            .zip(&taken)
            .for_each(|(h, t)| *h -= t);
        // du = - L_uu^-1 L_up
        for e in 0..r {
            let du = &change[e * (m + 1)..(e + 1) * (m + 1)];
            let column = &mut derivatives.beta_gradient[e * p..(e + 1) * p];
            column.fill(0.0);
            moving.iter().zip(du).for_each(|(k, d)| column[*k] = -d / per[*k]);
            // r = N s
            derivatives.r2_gradient[e] = -du[m] * r2;
        }
        Ok(())
    }
}

/// Second derivatives of a penalty on the fixed effects in units of `-2 l`, and the coefficients that are not kept at zero.
fn bend_of(penalty: &Fixed, beta: &[f64], quadratic: &Quadratic, s: f64) -> Result<(Vec<f64>, Vec<usize>)> {
    let p = beta.len();
    match penalty {
        Fixed::Separable(weights) => {
            let mut bend = vec![0.0; p * p];
            (0..p).for_each(|j| bend[j * p + j] = 2.0 * weights.l2[j]);
            Ok((bend, (0..p).filter(|j| weights.moves(beta, *j)).collect()))
        }
        Fixed::Smooth(smooth) => {
            let unit: Vec<f64> = (0..p).map(|j| (s / quadratic.a[j * p + j]).sqrt()).collect();
            let mut bend = second_derivatives(smooth.as_ref(), beta, &unit)?;
            bend.iter_mut().for_each(|v| *v *= 2.0);
            Ok((bend, (0..p).collect()))
        }
    }
}

/// `A^-1 B` for a symmetric A, by its eigenvectors, after scaling to a unit diagonal.
fn solve_symmetric(a: &[f64], b: &[f64], n: usize) -> Result<Vec<f64>> {
    let d: Vec<f64> = (0..n)
        .map(|j| a[j * n + j].abs().sqrt().max(f64::MIN_POSITIVE))
        .collect();
    let scaled: Vec<f64> = (0..n * n).map(|k| a[k] / (d[k % n] * d[k / n])).collect();
    let eigen = symmetric_eigen(&scaled, n)?;
    let mut out = vec![0.0; b.len()];
    for (to, from) in out.chunks_exact_mut(n).zip(b.chunks_exact(n)) {
        let from: Vec<f64> = from.iter().zip(&d).map(|(v, d)| v / d).collect();
        for (j, value) in eigen.values.iter().enumerate().filter(|(_, v)| v.abs() > 1e-14) {
            axpy(dot(eigen.vector(j), &from) / value, eigen.vector(j), to);
        }
        to.iter_mut().zip(&d).for_each(|(v, d)| *v /= d);
    }
    Ok(out)
}
