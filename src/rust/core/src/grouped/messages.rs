//! Derivatives of the messages of subtrees, as an inner node of the tree sees them.
//!
//! Vignette "The algorithm": Eq. Hessian.

use super::derivatives::{Open, Pass};
use crate::linalg::{axpy, dot, matmul, transpose};

/// An inner node on the way back.
pub(super) struct Inner<'a> {
    pub q: usize,
    pub g: usize,
    pub pass: &'a Pass<'a>,
    pub depth: usize,
    pub open: &'a Open,
    pub open_above: &'a [Open],
}

/// One deeper direction seen at an inner node.
pub(super) struct TangentParts {
    /// `P M_zz`, `q x q`.
    p_m: Vec<f64>,
    /// `M_zL`, `q x g`.
    pub m_zl: Vec<f64>,
    /// `P M_zL`, `q x g`.
    pub p_mzl: Vec<f64>,
    /// `C M_zL`, `q x g`, with `C = Q' = I - W Psi`.
    pub c_mzl: Vec<f64>,
    /// `P M_zL Omega`, `q x g`.
    p_m_omega: Vec<f64>,
    /// `Q'M_zz Q - 2 Q'M_zL Omega U'`, `q x q`.
    pub local: Vec<f64>,
}

impl TangentParts {
    /// `tr(P M_j P M_k) + 2 tr(P M_j,zL Omega M_k,zL')`.
    pub fn between(&self, other: &TangentParts, q: usize) -> f64 {
        let mut trace = 0.0;
        for i in 0..q {
            for j in 0..q {
                trace += self.p_m[j * q + i] * other.p_m[i * q + j];
            }
        }
        trace + 2.0 * dot(&self.p_m_omega, &other.m_zl)
    }
}

impl Inner<'_> {
    /// The parts of the derivative of a message, `h x h`, upper triangle.
    pub fn parts(&self, tangent: &[f64], u_omega: &[f64], w: &[f64]) -> TangentParts {
        let (q, g) = (self.q, self.g);
        let h = q + g;
        let zz: Vec<f64> = (0..q * q)
            .map(|k| {
                let (i, j) = (k % q, k / q);
                tangent[i.max(j) * h + i.min(j)]
            })
            .collect();
        let m_zl: Vec<f64> = (0..g)
            .flat_map(|c| tangent[(q + c) * h..(q + c) * h + q].iter().copied())
            .collect();
        let posterior = &self.open.posterior;
        let p_m = matmul(posterior, &zz, q, q, q);
        let p_mzl = matmul(posterior, &m_zl, q, q, g);
        let mut p_m_omega = Vec::new();
        self.pass
            .times_omega(self.depth, self.open_above, &p_mzl, q, &mut p_m_omega);
        // Q = I - Psi W
        let mut qt = matmul(&self.pass.psi[self.depth], w, q, q, q);
        qt.iter_mut().for_each(|v| *v = -*v);
        (0..q).for_each(|i| qt[i * q + i] += 1.0);
        let transposed = transpose(&qt, q, q);
        let mut local = matmul(&matmul(&transposed, &zz, q, q, q), &qt, q, q, q);
        let q_m = matmul(&transposed, &m_zl, q, q, g);
        for c in 0..g {
            for j in 0..q {
                axpy(
                    -2.0 * u_omega[c * q + j],
                    &q_m[c * q..(c + 1) * q],
                    &mut local[j * q..(j + 1) * q],
                );
            }
        }
        TangentParts {
            p_m,
            p_mzl,
            c_mzl: q_m,
            m_zl,
            p_m_omega,
            local,
        }
    }
}
