//! Covariance structures of one term: how parameters make the relative factor Lambda.
//!
//! Two sets of coordinates are used. The *packed factor* theta holds the elements of the lower-triangular Lambda that
//! the structure allows (column-major). The *basis* of Psi = Lambda Lambda' is a list of symmetric directions; all
//! derivatives of the criterion are computed in it and mapped to theta here:
//!
//! | structure | theta | directions of Psi |
//! |---|---|---|
//! | unstructured | lower triangle of Lambda, q(q+1)/2 | e_a e_b' + e_b e_a' (a > b), e_a e_a' ; q(q+1)/2 |
//! | diagonal | diagonal of Lambda, q | e_a e_a' ; q |
//! | scalar | the one standard deviation, 1 | I ; 1 |
//!
//! Vignette "The algorithm": Eq. Factor, Eq. Chain rule.

/// The structure of the `q x q` covariance of one term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Any positive semidefinite matrix.
    Unstructured,
    /// Independent columns, a variance each.
    Diagonal,
    /// Independent columns with one common variance: a variance component.
    Scalar,
}

/// The positions `(row, column)` of the packed lower triangle of a `q x q` matrix, column-major.
pub fn lower_triangle(q: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..q).flat_map(move |j| (j..q).map(move |i| (i, j)))
}

impl Structure {
    /// The number of elements of theta, and of directions of Psi.
    pub fn packed_len(self, q: usize) -> usize {
        match self {
            Structure::Unstructured => q * (q + 1) / 2,
            Structure::Diagonal => q,
            Structure::Scalar => 1,
        }
    }

    /// Lambda, `q x q` column-major, from theta.
    pub fn lambda(self, q: usize, theta: &[f64]) -> Vec<f64> {
        let mut l = vec![0.0; q * q];
        match self {
            Structure::Unstructured => {
                for ((i, j), t) in lower_triangle(q).zip(theta) {
                    l[j * q + i] = *t;
                }
            }
            Structure::Diagonal => {
                for j in 0..q {
                    l[j * q + j] = theta[j];
                }
            }
            Structure::Scalar => {
                for j in 0..q {
                    l[j * q + j] = theta[0];
                }
            }
        }
        l
    }

    /// theta from a lower-triangular Lambda; what the structure does not allow is ignored.
    pub fn pack(self, q: usize, lambda: &[f64]) -> Vec<f64> {
        match self {
            Structure::Unstructured => lower_triangle(q).map(|(i, j)| lambda[j * q + i]).collect(),
            Structure::Diagonal => (0..q).map(|j| lambda[j * q + j]).collect(),
            Structure::Scalar => vec![lambda[0]],
        }
    }

    /// The elements `(a, b)` that are 1 in each direction of Psi.
    pub fn directions(self, q: usize) -> Vec<Vec<(usize, usize)>> {
        match self {
            Structure::Unstructured => lower_triangle(q)
                .map(|(a, b)| {
                    if a == b {
                        vec![(a, a)]
                    } else {
                        vec![(a, b), (b, a)]
                    }
                })
                .collect(),
            Structure::Diagonal => (0..q).map(|a| vec![(a, a)]).collect(),
            Structure::Scalar => vec![(0..q).map(|a| (a, a)).collect()],
        }
    }

    /// The Jacobian of the coordinates of Psi in its basis with respect to theta, `r x r` column-major
    /// (row: direction, column: theta).
    pub fn jacobian(self, q: usize, lambda: &[f64]) -> Vec<f64> {
        let r = self.packed_len(q);
        let mut jac = vec![0.0; r * r];
        match self {
            Structure::Unstructured => {
                for (t, (i, j)) in lower_triangle(q).enumerate() {
                    for (d, (a, b)) in lower_triangle(q).enumerate() {
                        let mut v = 0.0;
                        if a == i {
                            v += lambda[j * q + b];
                        }
                        if b == i {
                            v += lambda[j * q + a];
                        }
                        jac[t * r + d] = v;
                    }
                }
            }
            Structure::Diagonal => {
                for j in 0..q {
                    jac[j * r + j] = 2.0 * lambda[j * q + j];
                }
            }
            Structure::Scalar => jac[0] = 2.0 * lambda[0],
        }
        jac
    }

    /// Add the second-order part of the chain rule, `2 (G (x) I)` restricted to theta, to the block of a Hessian
    /// that starts at `at` (leading dimension `ld`); `g` is the symmetric gradient with respect to Psi.
    pub fn add_curvature(self, q: usize, g: &[f64], hessian: &mut [f64], ld: usize, at: usize) {
        match self {
            Structure::Unstructured => {
                for (s, (i, j)) in lower_triangle(q).enumerate() {
                    for (t, (k, l)) in lower_triangle(q).enumerate() {
                        if j == l {
                            hessian[(at + t) * ld + at + s] += 2.0 * g[k * q + i];
                        }
                    }
                }
            }
            Structure::Diagonal => {
                for j in 0..q {
                    hessian[(at + j) * ld + at + j] += 2.0 * g[j * q + j];
                }
            }
            Structure::Scalar => {
                let trace: f64 = (0..q).map(|j| g[j * q + j]).sum();
                hessian[at * ld + at] += 2.0 * trace;
            }
        }
    }

    /// Divisors of the columns of a term that keep the structure: one common divisor for a variance component.
    pub fn common_scale(self, divisors: Vec<f64>) -> Vec<f64> {
        if self == Structure::Scalar {
            let most = divisors.iter().fold(0.0f64, |a, b| a.max(*b));
            vec![most; divisors.len()]
        } else {
            divisors
        }
    }

    /// One common diagonal for a variance component, in place: the root of the mean square.
    pub fn average(self, q: usize, lambda: &mut [f64]) {
        if self == Structure::Scalar {
            let mean = (0..q).map(|j| lambda[j * q + j].powi(2)).sum::<f64>() / q as f64;
            (0..q).for_each(|j| lambda[j * q + j] = mean.sqrt());
        }
    }

    /// The projection of a symmetric matrix on the structure, in place: the off-diagonal is dropped, or the diagonal
    /// averaged.
    pub fn project(self, q: usize, psi: &mut [f64]) {
        if self == Structure::Unstructured {
            return;
        }
        let mean = (0..q).map(|j| psi[j * q + j]).sum::<f64>() / q as f64;
        for j in 0..q {
            for i in 0..q {
                if i != j {
                    psi[j * q + i] = 0.0;
                } else if self == Structure::Scalar {
                    psi[j * q + j] = mean;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{matmul, transpose};
    use approx::assert_relative_eq;

    const ALL: [Structure; 3] = [Structure::Unstructured, Structure::Diagonal, Structure::Scalar];

    fn psi_coordinates(s: Structure, q: usize, theta: &[f64]) -> Vec<f64> {
        let l = s.lambda(q, theta);
        let psi = matmul(&l, &transpose(&l, q, q), q, q, q);
        s.directions(q).iter().map(|d| psi[d[0].1 * q + d[0].0]).collect()
    }

    #[test]
    fn packing_and_unpacking_are_inverse() {
        for s in ALL {
            let theta: Vec<f64> = (0..s.packed_len(3)).map(|i| i as f64 - 1.5).collect();
            assert_eq!(s.pack(3, &s.lambda(3, &theta)), theta);
        }
    }

    #[test]
    fn the_jacobian_is_the_derivative_also_where_lambda_is_singular() {
        for s in ALL {
            for shift in [1.5, 0.0] {
                let r = s.packed_len(3);
                let theta: Vec<f64> = (0..r).map(|i| i as f64 * 0.7 - shift).collect();
                let jac = s.jacobian(3, &s.lambda(3, &theta));
                for t in 0..r {
                    let (mut up, mut down) = (theta.clone(), theta.clone());
                    up[t] += 1e-5;
                    down[t] -= 1e-5;
                    let (u, d) = (psi_coordinates(s, 3, &up), psi_coordinates(s, 3, &down));
                    for k in 0..r {
                        assert_relative_eq!(jac[t * r + k], (u[k] - d[k]) / 2e-5, epsilon = 1e-9);
                    }
                }
            }
        }
    }
}
