//! Small dense kernels on column-major slices.
//!
//! The matrices of one group are a few numbers wide, and there are many groups: what counts here is that nothing
//! is allocated per group. Larger problems (eigenvalues) go to faer.

use faer::{Mat, Side};

use crate::error::{Error, Result};

/// Inner product, in four interleaved sums.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let (ca, cb) = (a.chunks_exact(4), b.chunks_exact(4));
    let tail: f64 = ca
        .remainder()
        .iter()
        .zip(cb.remainder())
        .map(|(x, y)| x * y)
        .sum();
    let mut s = [0.0; 4];
    for (x, y) in ca.zip(cb) {
        for i in 0..4 {
            s[i] += x[i] * y[i];
        }
    }
    (s[0] + s[1]) + (s[2] + s[3]) + tail
}

/// `y += alpha x`.
pub fn axpy(alpha: f64, x: &[f64], y: &mut [f64]) {
    for (yi, xi) in y.iter_mut().zip(x) {
        *yi += alpha * xi;
    }
}

/// The Householder reflection that maps `(alpha, x)` to `(beta, 0)`: returns `(beta, v0, tau)`, with the vector
/// `(1, x / v0)`; `None` when `x` is zero.
fn reflector(alpha: f64, sum_squares: f64) -> Option<(f64, f64, f64)> {
    if sum_squares == 0.0 {
        return None;
    }
    let norm = (alpha * alpha + sum_squares).sqrt();
    let beta = if alpha > 0.0 { -norm } else { norm };
    Some((beta, alpha - beta, (beta - alpha) / beta))
}

/// Two different columns of a column-major matrix, the second one mutable.
fn column_pair(a: &mut [f64], ld: usize, j: usize, k: usize) -> (&[f64], &mut [f64]) {
    let (left, right) = a.split_at_mut(k * ld);
    (&left[j * ld..(j + 1) * ld], &mut right[..ld])
}

/// Householder QR in place: the first `steps` columns of the `m x n` matrix (leading dimension `m`) are made upper
/// triangular, the rest is transformed along. What is below the diagonal of the first columns is set to zero.
pub fn qr_in_place(a: &mut [f64], m: usize, n: usize, steps: usize) {
    for j in 0..steps.min(m).min(n) {
        let col = &mut a[j * m..(j + 1) * m];
        let s = dot(&col[j + 1..], &col[j + 1..]);
        let Some((beta, v0, tau)) = reflector(col[j], s) else {
            continue;
        };
        for v in &mut col[j + 1..] {
            *v /= v0;
        }
        col[j] = beta;
        for k in j + 1..n {
            let (v, c) = column_pair(a, m, j, k);
            let w = tau * (c[j] + dot(&v[j + 1..], &c[j + 1..]));
            c[j] -= w;
            axpy(-w, &v[j + 1..], &mut c[j + 1..]);
        }
        a[j * m + j + 1..(j + 1) * m].fill(0.0);
    }
}

/// The triangle of a QR factorisation of rows that arrive in pieces.
///
/// Rows are buffered and folded into the `d x d` upper triangle (column-major) by Householder reflections, so that
/// sums of squares are never formed by subtraction.
#[derive(Debug, Clone)]
pub struct TriangleAccumulator {
    d: usize,
    tri: Vec<f64>,
    buf: Vec<f64>,
    cap: usize,
    filled: usize,
    /// Nothing was folded into the triangle yet.
    empty: bool,
}

impl TriangleAccumulator {
    /// An empty accumulator for rows of width `d`.
    pub fn new(d: usize) -> Self {
        let cap = 48.max(d.min(256));
        TriangleAccumulator {
            d,
            tri: vec![0.0; d * d],
            buf: vec![0.0; cap * d],
            cap,
            filled: 0,
            empty: true,
        }
    }

    /// An accumulator of the rows of an upper triangle, `d x d` column-major.
    pub fn from_triangle(tri: &[f64], d: usize) -> Self {
        let mut acc = TriangleAccumulator::new(d);
        acc.tri.copy_from_slice(tri);
        acc.empty = tri.iter().all(|v| *v == 0.0);
        acc
    }

    /// Forget all rows.
    pub fn reset(&mut self) {
        self.tri.fill(0.0);
        self.filled = 0;
        self.empty = true;
    }

    /// Add `rows` rows, found from row `row0` and column `col0` on in a column-major matrix of leading dimension `ld`.
    pub fn push(&mut self, src: &[f64], ld: usize, row0: usize, rows: usize, col0: usize) {
        let mut done = 0;
        while done < rows {
            let take = (rows - done).min(self.cap - self.filled);
            for c in 0..self.d {
                let from = (col0 + c) * ld + row0 + done;
                let to = c * self.cap + self.filled;
                self.buf[to..to + take].copy_from_slice(&src[from..from + take]);
            }
            self.filled += take;
            done += take;
            if self.filled == self.cap {
                self.flush();
            }
        }
    }

    /// Add the rows of another accumulator.
    pub fn merge(&mut self, other: &mut TriangleAccumulator) {
        if other.empty {
            self.push(&other.buf, other.cap, 0, other.filled, 0);
            return;
        }
        other.flush();
        if self.empty && self.filled == 0 {
            self.tri.copy_from_slice(&other.tri);
            self.empty = false;
        } else {
            self.push(&other.tri, self.d, 0, self.d, 0);
        }
    }

    /// The upper triangle of all rows so far, `d x d` column-major, zero below the diagonal.
    pub fn triangle(&mut self) -> &[f64] {
        self.flush();
        &self.tri
    }

    fn flush(&mut self) {
        let (d, cap, rows) = (self.d, self.cap, self.filled);
        if rows == 0 {
            return;
        }
        self.filled = 0;
        self.empty = false;
        for j in 0..d {
            let col = &mut self.buf[j * cap..j * cap + rows];
            let s = dot(col, col);
            let Some((beta, v0, tau)) = reflector(self.tri[j * d + j], s) else {
                continue;
            };
            for v in col.iter_mut() {
                *v /= v0;
            }
            self.tri[j * d + j] = beta;
            for k in j + 1..d {
                let (v, c) = column_pair(&mut self.buf, cap, j, k);
                let w = tau * (self.tri[k * d + j] + dot(&v[..rows], &c[..rows]));
                self.tri[k * d + j] -= w;
                axpy(-w, &v[..rows], &mut c[..rows]);
            }
        }
    }
}

/// The lower triangle C with `C C' = I + A A'` for an `m x q` matrix, by QR of `[A'; I]`: nothing is squared, so that
/// random effects of any size leave the noise visible. `out` has room for C (`m x m`) and for the stack
/// (`(q + m) x m`).
pub fn root_of_sum(m: usize, q: usize, a: impl Fn(usize, usize) -> f64, out: &mut [f64]) {
    let rows = q + m;
    let (c, stack) = out.split_at_mut(m * m);
    for j in 0..m {
        let column = &mut stack[j * rows..(j + 1) * rows];
        for (k, v) in column[..q].iter_mut().enumerate() {
            *v = a(j, k);
        }
        column[q..].fill(0.0);
        column[q + j] = 1.0;
    }
    qr_in_place(stack, rows, m, m);
    for j in 0..m {
        for i in 0..m {
            c[j * m + i] = if i >= j { stack[i * rows + j] } else { 0.0 };
        }
    }
}

/// Cholesky factorisation in place, lower triangle of an `n x n` column-major matrix; false when a pivot is not
/// positive. The strict upper triangle is not touched.
pub fn cholesky_in_place(a: &mut [f64], n: usize) -> bool {
    for j in 0..n {
        let mut pivot = a[j * n + j];
        for k in 0..j {
            pivot -= a[k * n + j] * a[k * n + j];
        }
        if pivot.is_nan() || pivot <= 0.0 {
            return false;
        }
        let pivot = pivot.sqrt();
        a[j * n + j] = pivot;
        for i in j + 1..n {
            let mut s = a[j * n + i];
            for k in 0..j {
                s -= a[k * n + i] * a[k * n + j];
            }
            a[j * n + i] = s / pivot;
        }
    }
    true
}

/// Solve `L x = b` in place for `cols` right-hand sides; `l` is `n x n` lower, `b` is `n x cols`, both column-major.
pub fn solve_lower(l: &[f64], n: usize, b: &mut [f64], cols: usize) {
    for c in 0..cols {
        let x = &mut b[c * n..(c + 1) * n];
        for i in 0..n {
            let xi = x[i] / l[i * n + i];
            x[i] = xi;
            for k in i + 1..n {
                x[k] -= l[i * n + k] * xi;
            }
        }
    }
}

/// The inverse of an upper triangle, `n x n` column-major with leading dimension `ld`; `None` when it is singular.
pub fn invert_upper(r: &[f64], ld: usize, n: usize) -> Option<Vec<f64>> {
    let mut inv = vec![0.0; n * n];
    for (j, x) in inv.chunks_exact_mut(n.max(1)).enumerate() {
        x[j] = 1.0;
        for i in (0..=j).rev() {
            let diagonal = r[i * ld + i];
            if diagonal == 0.0 || !diagonal.is_finite() {
                return None;
            }
            x[i] /= diagonal;
            let xi = x[i];
            axpy(-xi, &r[i * ld..i * ld + i], &mut x[..i]);
        }
    }
    Some(inv)
}

/// The inverse of a small general matrix by elimination with partial pivoting, in place. `work` has room for another
/// matrix. Of a singular matrix the result is not finite.
pub fn invert_general(a: &mut [f64], q: usize, work: &mut [f64]) {
    work.fill(0.0);
    (0..q).for_each(|j| work[j * q + j] = 1.0);
    for k in 0..q {
        let pivot = (k..q)
            .max_by(|i, j| a[k * q + i].abs().total_cmp(&a[k * q + j].abs()))
            .unwrap_or(k);
        for j in 0..q {
            a.swap(j * q + k, j * q + pivot);
            work.swap(j * q + k, j * q + pivot);
        }
        let diagonal = a[k * q + k];
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
}

/// A symmetric eigen-decomposition: eigenvalues ascending, eigenvectors as columns (column-major).
#[derive(Debug, Clone)]
pub struct Eigen {
    /// Eigenvalues, ascending.
    pub values: Vec<f64>,
    /// Eigenvectors, `n x n` column-major.
    pub vectors: Vec<f64>,
}

impl Eigen {
    /// Eigenvector `j`.
    pub fn vector(&self, j: usize) -> &[f64] {
        let n = self.values.len();
        &self.vectors[j * n..(j + 1) * n]
    }
}

/// The eigen-decomposition of a symmetric `n x n` column-major matrix.
///
/// # Errors
/// [`Error::Numerical`] when an entry is not finite or the iteration does not converge.
pub fn symmetric_eigen(a: &[f64], n: usize) -> Result<Eigen> {
    if a.iter().any(|v| !v.is_finite()) {
        return Err(Error::Numerical(
            "a matrix that must be finite is not".to_string(),
        ));
    }
    if n == 1 {
        return Ok(Eigen {
            values: vec![a[0]],
            vectors: vec![1.0],
        });
    }
    let m = Mat::from_fn(n, n, |i, j| 0.5 * (a[j * n + i] + a[i * n + j]));
    let e = m
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::Numerical("an eigenvalue iteration did not converge".to_string()))?;
    let (u, s) = (e.U(), e.S());
    let mut vectors = vec![0.0; n * n];
    for j in 0..n {
        for i in 0..n {
            vectors[j * n + i] = u[(i, j)];
        }
    }
    Ok(Eigen {
        values: (0..n).map(|j| s[j]).collect(),
        vectors,
    })
}

/// The number of rows of a square matrix.
pub fn square_size(square: &[f64]) -> usize {
    (square.len() as f64).sqrt().round() as usize
}

/// The identity, `n x n`.
pub fn identity(n: usize) -> Vec<f64> {
    (0..n * n)
        .map(|k| if k % (n + 1) == 0 { 1.0 } else { 0.0 })
        .collect()
}

/// The block-diagonal matrix of square blocks.
pub fn block_diagonal(blocks: &[Vec<f64>]) -> Vec<f64> {
    let n: usize = blocks.iter().map(|b| square_size(b)).sum();
    let (mut all, mut at) = (vec![0.0; n * n], 0);
    for block in blocks {
        let len = square_size(block);
        for (c, column) in block.chunks_exact(len.max(1)).enumerate() {
            let to = (at + c) * n + at;
            all[to..to + len].copy_from_slice(column);
        }
        at += len;
    }
    all
}

/// `C = A B` for column-major `A` (`m x k`) and `B` (`k x n`).
pub fn matmul(a: &[f64], b: &[f64], m: usize, k: usize, n: usize) -> Vec<f64> {
    let mut c = vec![0.0; m * n];
    for j in 0..n {
        for l in 0..k {
            axpy(b[j * k + l], &a[l * m..(l + 1) * m], &mut c[j * m..(j + 1) * m]);
        }
    }
    c
}

/// The transpose of a column-major `m x n` matrix.
pub fn transpose(a: &[f64], m: usize, n: usize) -> Vec<f64> {
    let mut t = vec![0.0; m * n];
    for j in 0..n {
        for i in 0..m {
            t[i * n + j] = a[j * m + i];
        }
    }
    t
}

/// The canonical lower-triangular factor of a positive semidefinite `n x n` matrix: non-negative diagonal, and a
/// zero column where the pivot is not above `tol` times the original diagonal.
pub fn semidefinite_cholesky(psi: &[f64], n: usize, tol: f64) -> Vec<f64> {
    let mut l = vec![0.0; n * n];
    for j in 0..n {
        let mut pivot = psi[j * n + j];
        for k in 0..j {
            pivot -= l[k * n + j] * l[k * n + j];
        }
        if pivot.is_nan() || pivot <= tol * psi[j * n + j] || pivot <= 0.0 {
            continue;
        }
        let pivot = pivot.sqrt();
        l[j * n + j] = pivot;
        for i in j + 1..n {
            let mut s = psi[j * n + i];
            for k in 0..j {
                s -= l[k * n + i] * l[k * n + j];
            }
            l[j * n + i] = s / pivot;
        }
    }
    l
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    fn numbers(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| ((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0)
            .collect()
    }

    fn gram(a: &[f64], m: usize, n: usize) -> Vec<f64> {
        matmul(&transpose(a, m, n), a, n, m, n)
    }

    #[test]
    fn rows_that_arrive_in_pieces_give_the_cross_product() {
        let (m, d) = (157, 5);
        let a = numbers(m * d);
        let mut acc = TriangleAccumulator::new(d);
        acc.push(&a, m, 0, 3, 0);
        acc.push(&a, m, 3, 150, 0);
        let mut rest = TriangleAccumulator::new(d);
        rest.push(&a, m, 153, 4, 0);
        acc.merge(&mut rest);
        let tri = acc.triangle().to_vec();
        for (x, y) in gram(&tri, d, d).iter().zip(gram(&a, m, d)) {
            assert_relative_eq!(*x, y, epsilon = 1e-12, max_relative = 1e-12);
        }
    }

    #[test]
    fn partial_qr_keeps_the_cross_product_and_clears_the_columns() {
        let (m, n) = (9, 4);
        let a = numbers(m * n);
        let mut q = a.clone();
        qr_in_place(&mut q, m, n, 2);
        assert!(q[1..m].iter().all(|v| *v == 0.0));
        for (x, y) in gram(&q, m, n).iter().zip(gram(&a, m, n)) {
            assert_relative_eq!(*x, y, epsilon = 1e-13, max_relative = 1e-13);
        }
    }

    #[test]
    fn a_singular_matrix_gets_a_zero_column() {
        let l = semidefinite_cholesky(&[1.0, 2.0, 2.0, 4.0], 2, 1e-14);
        assert_eq!(l, vec![1.0, 2.0, 0.0, 0.0]);
        let l = semidefinite_cholesky(&[0.0, 0.0, 0.0, 4.0], 2, 1e-14);
        assert_eq!(l, vec![0.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn general_matrices_are_inverted_whatever_their_first_pivot() {
        let a = [0.0, 2.0, 1.0, 3.0, 0.5, 0.0, 1.0, 1.0, 4.0];
        let mut inverse = a;
        invert_general(&mut inverse, 3, &mut [0.0; 9]);
        assert_relative_eq!(
            matmul(&a, &inverse, 3, 3, 3)[..],
            identity(3)[..],
            epsilon = 1e-14
        );
        let mut singular = [1.0, 2.0, 2.0, 4.0];
        invert_general(&mut singular, 2, &mut [0.0; 4]);
        assert!(singular.iter().any(|v| !v.is_finite()));
    }

    #[test]
    fn triangles_are_inverted() {
        let r = [2.0, 0.0, 1.0, 4.0];
        let inv = invert_upper(&r, 2, 2).unwrap();
        let eye = matmul(&r, &inv, 2, 2, 2);
        assert_relative_eq!(eye[..], [1.0, 0.0, 0.0, 1.0][..], epsilon = 1e-15);
        assert!(invert_upper(&[0.0], 1, 1).is_none());
    }
}
