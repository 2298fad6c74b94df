//! Matrices as plain loops over vectors of rows.

use super::real::Real;

/// A matrix, row by row.
#[derive(Debug, Clone)]
pub struct Matrix<R> {
    pub rows: usize,
    pub columns: usize,
    values: Vec<R>,
}

impl<R: Real> Matrix<R> {
    pub fn from_fn(rows: usize, columns: usize, f: impl Fn(usize, usize) -> R) -> Self {
        let at = (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j)));
        let values = at.map(|(i, j)| f(i, j)).collect();
        Matrix {
            rows,
            columns,
            values,
        }
    }

    pub fn zeros(rows: usize, columns: usize) -> Self {
        Matrix::from_fn(rows, columns, |_, _| R::from(0.0))
    }

    pub fn get(&self, i: usize, j: usize) -> R {
        self.values[i * self.columns + j]
    }

    pub fn add_to(&mut self, i: usize, j: usize, v: R) {
        self.values[i * self.columns + j] += v;
    }

    fn set(&mut self, i: usize, j: usize, v: R) {
        self.values[i * self.columns + j] = v;
    }

    pub fn transposed(&self) -> Self {
        Matrix::from_fn(self.columns, self.rows, |i, j| self.get(j, i))
    }

    pub fn times(&self, b: &Matrix<R>) -> Self {
        assert_eq!(self.columns, b.rows);
        let one = |i, j| (0..self.columns).map(|k| self.get(i, k) * b.get(k, j)).sum();
        Matrix::from_fn(self.rows, b.columns, one)
    }

    /// `A'B`.
    pub fn cross(&self, b: &Matrix<R>) -> Self {
        self.transposed().times(b)
    }

    pub fn plus(&self, factor: f64, b: &Matrix<R>) -> Self {
        let f = R::from(factor);
        Matrix::from_fn(self.rows, self.columns, |i, j| self.get(i, j) + f * b.get(i, j))
    }

    pub fn scaled(&self, factor: R) -> Self {
        Matrix::from_fn(self.rows, self.columns, |i, j| factor * self.get(i, j))
    }

    pub fn trace(&self) -> R {
        (0..self.rows).map(|i| self.get(i, i)).sum()
    }

    pub fn column(&self, j: usize) -> Vec<R> {
        (0..self.rows).map(|i| self.get(i, j)).collect()
    }

    /// As the core stores matrices.
    pub fn column_major(&self) -> Vec<f64> {
        let columns = (0..self.columns).flat_map(|j| self.column(j));
        columns.map(R::to_f64).collect()
    }

    /// `tr(A B)`.
    pub fn trace_of_product(&self, b: &Matrix<R>) -> R {
        let row = |i: usize| (0..self.columns).map(|k| self.get(i, k) * b.get(k, i)).sum::<R>();
        (0..self.rows).map(row).sum()
    }
}

/// The lower-triangular C of `A = C C'`, by rows (Golub and Van Loan 2013, section 4.2).
#[derive(Debug, Clone)]
pub struct Cholesky<R>(pub Matrix<R>);

impl<R: Real> Cholesky<R> {
    /// `None` where A is not positive definite.
    pub fn of(a: &Matrix<R>) -> Option<Self> {
        let n = a.rows;
        let mut c = Matrix::zeros(n, n);
        for i in 0..n {
            for j in 0..=i {
                let mut v = a.get(i, j);
                for k in 0..j {
                    v -= c.get(i, k) * c.get(j, k);
                }
                if i > j {
                    c.set(i, j, v / c.get(j, j));
                } else if v > R::from(0.0) {
                    c.set(i, i, v.sqrt());
                } else {
                    return None;
                }
            }
        }
        Some(Cholesky(c))
    }

    pub fn log_determinant(&self) -> R {
        let half: R = (0..self.0.rows).map(|i| self.0.get(i, i).ln()).sum();
        half + half
    }

    /// `C^-1 B`.
    pub fn forward(&self, b: &Matrix<R>) -> Matrix<R> {
        let mut x = b.clone();
        for j in 0..b.columns {
            for i in 0..b.rows {
                let mut v = x.get(i, j);
                for k in 0..i {
                    v -= self.0.get(i, k) * x.get(k, j);
                }
                x.set(i, j, v / self.0.get(i, i));
            }
        }
        x
    }

    /// `A^-1 B`.
    pub fn solve(&self, b: &Matrix<R>) -> Matrix<R> {
        let mut x = self.forward(b);
        for j in 0..b.columns {
            for i in (0..b.rows).rev() {
                let mut v = x.get(i, j);
                for k in i + 1..b.rows {
                    v -= self.0.get(k, i) * x.get(k, j);
                }
                x.set(i, j, v / self.0.get(i, i));
            }
        }
        x
    }

    pub fn inverse(&self) -> Matrix<R> {
        let unit = |i, j| R::from(if i == j { 1.0 } else { 0.0 });
        self.solve(&Matrix::from_fn(self.0.rows, self.0.rows, unit))
    }
}

/// Columns that do not depend on earlier ones: what is left of them, once those are projected out, is more than `tol`
/// times their norm.
pub fn independent<R: Real>(columns: &[Vec<R>], tol: f64) -> Vec<usize> {
    let dot = |a: &[R], b: &[R]| -> R { a.iter().zip(b).map(|(x, y)| *x * *y).sum() };
    let (mut basis, mut kept): (Vec<Vec<R>>, Vec<usize>) = (Vec::new(), Vec::new());
    for (j, column) in columns.iter().enumerate() {
        let norm = dot(column, column).sqrt();
        let mut rest = column.clone();
        for _ in 0..2 {
            for b in &basis {
                let along = dot(b, &rest);
                rest.iter_mut().zip(b).for_each(|(r, b)| *r -= along * *b);
            }
        }
        let left = dot(&rest, &rest).sqrt();
        if norm > R::from(0.0) && left > R::from(tol) * norm {
            basis.push(rest.iter().map(|r| *r / left).collect());
            kept.push(j);
        }
    }
    kept
}

/// Eigenvalues of a symmetric matrix, ascending, by Jacobi's rotations.
pub fn eigenvalues(a: &Matrix<f64>) -> Vec<f64> {
    let n = a.rows;
    let mut a = a.clone();
    for _ in 0..60 {
        for p in 0..n {
            for q in p + 1..n {
                let off = a.get(p, q);
                if off == 0.0 {
                    continue;
                }
                let angle = 0.5 * (2.0 * off).atan2(a.get(q, q) - a.get(p, p));
                let (s, c) = angle.sin_cos();
                let turn = |i: usize, j: usize| match (i, j) {
                    (i, j) if (i, j) == (p, p) || (i, j) == (q, q) => c,
                    (i, j) if (i, j) == (p, q) => s,
                    (i, j) if (i, j) == (q, p) => -s,
                    (i, j) => f64::from(u8::from(i == j)),
                };
                let rotation = Matrix::from_fn(n, n, turn);
                a = rotation.cross(&a.times(&rotation));
            }
        }
    }
    let mut values: Vec<f64> = (0..n).map(|i| a.get(i, i)).collect();
    values.sort_by(f64::total_cmp);
    values
}
