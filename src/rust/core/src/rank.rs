//! Which columns of X are linearly independent, decided as `lm` decides it.

use crate::linalg::{axpy, dot};

/// The columns (of the first `p` of an upper triangle, `d x d` column-major) that are kept: a column whose norm, once
/// the columns before it are projected out, falls below `tol` times its own norm is left out (limited column
/// pivoting, as LINPACK's `dqrdc2` of R's `lm` does).
pub fn independent_columns(tri: &[f64], d: usize, p: usize, tol: f64) -> Vec<usize> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut kept = Vec::new();
    for j in 0..p {
        let mut v = tri[j * d..(j + 1) * d].to_vec();
        let norm = dot(&v, &v).sqrt();
        // twice: one pass of Gram-Schmidt loses orthogonality for nearly dependent columns
        for _ in 0..2 {
            for b in &basis {
                let c = dot(b, &v);
                axpy(-c, b, &mut v);
            }
        }
        let rest = dot(&v, &v).sqrt();
        if norm > 0.0 && rest >= tol * norm && basis.len() < d {
            v.iter_mut().for_each(|x| *x /= rest);
            basis.push(v);
            kept.push(j);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_two_equal_columns_is_left_out() {
        let tri = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
        assert_eq!(independent_columns(&tri, 3, 3, 1e-7), vec![0, 2]);
    }

    #[test]
    fn a_zero_column_is_left_out() {
        assert_eq!(independent_columns(&[0.0, 0.0, 0.0, 2.0], 2, 2, 1e-7), vec![1]);
    }
}
