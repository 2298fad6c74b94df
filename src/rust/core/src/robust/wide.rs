//! Orthogonal-triangular factors of matrices with many columns, in blocks and on this thread alone.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::{Mat, MatMut, Par};

use crate::error::{zeros, Error, Result};
use crate::linalg::root_of_sum;

/// From how many columns on blocks pay.
pub const WIDE: usize = 64;

/// Make the first `cols` rows of a column-major matrix the triangle of its QR factorisation; what is below is left
/// undefined.
pub fn triangle_in_place(a: &mut [f64], rows: usize, cols: usize) -> Result<()> {
    let size = recommended_block_size::<f64>(rows, cols);
    let need = qr_in_place_scratch::<f64>(rows, cols, size, Par::Seq, Default::default());
    let mut memory = MemBuffer::try_new(need)
        .map_err(|_| Error::invalid("memory", "no memory to factorise the rows of a cluster"))?;
    let mut coefficients = Mat::zeros(size, rows.min(cols));
    qr_in_place(
        MatMut::from_column_major_slice_mut(a, rows, cols),
        coefficients.as_mut(),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    );
    Ok(())
}

/// The lower triangle C with `C C' = I + A A'` for an `m x q` matrix, by QR of `[A'; I]`.
pub fn root(m: usize, q: usize, a: impl Fn(usize, usize) -> f64) -> Result<Vec<f64>> {
    if m < WIDE {
        let mut space = zeros(m * m + (q + m) * m, "the root of a cluster")?;
        root_of_sum(m, q, a, &mut space);
        space.truncate(m * m);
        return Ok(space);
    }
    let rows = q + m;
    let mut stack = zeros(rows * m, "the root of a cluster")?;
    for (j, column) in stack.chunks_exact_mut(rows).enumerate() {
        column[..q].iter_mut().enumerate().for_each(|(k, v)| *v = a(j, k));
        column[q + j] = 1.0;
    }
    triangle_in_place(&mut stack, rows, m)?;
    let mut c = zeros(m * m, "the root of a cluster")?;
    for j in 0..m {
        for i in j..m {
            c[j * m + i] = stack[i * rows + j];
        }
    }
    Ok(c)
}

/// The triangle of rows that arrive in pieces.
pub struct WideTriangle {
    width: usize,
    /// The triangle, and room below it for rows that are not part of it yet.
    stack: Vec<f64>,
    rows: usize,
    filled: usize,
}

impl WideTriangle {
    /// For rows of a width, that many or more of which are folded in at a time.
    pub fn new(width: usize) -> Result<Self> {
        let rows = 3 * width;
        Ok(WideTriangle {
            width,
            stack: zeros(rows * width, "the rows of a cluster")?,
            rows,
            filled: 0,
        })
    }

    /// Forget all rows.
    pub fn reset(&mut self) {
        self.stack.fill(0.0);
        self.filled = 0;
    }

    /// Add a row: `fill(at, rows, matrix)` writes it into row `at` of a column-major matrix of that many rows, which is
    /// zero there.
    pub fn push(&mut self, fill: impl FnOnce(usize, usize, &mut [f64])) -> Result<()> {
        if self.width + self.filled == self.rows {
            self.fold()?;
        }
        fill(self.width + self.filled, self.rows, &mut self.stack);
        self.filled += 1;
        Ok(())
    }

    fn fold(&mut self) -> Result<()> {
        triangle_in_place(&mut self.stack, self.rows, self.width)?;
        for (j, column) in self.stack.chunks_exact_mut(self.rows).enumerate() {
            column[j + 1..].fill(0.0);
        }
        self.filled = 0;
        Ok(())
    }

    /// The columns of the triangle of all rows so far.
    pub fn columns(&mut self) -> Result<impl Iterator<Item = &[f64]>> {
        self.fold()?;
        let width = self.width;
        Ok(self.stack.chunks_exact(self.rows).map(move |c| &c[..width]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{dot, matmul, transpose};
    use approx::assert_relative_eq;

    fn number(k: usize) -> f64 {
        ((k * 7919 + 13) % 101) as f64 / 50.0 - 1.0
    }

    #[test]
    fn a_wide_root_is_one() {
        let (m, q) = (WIDE + 7, 9);
        let a: Vec<f64> = (0..m * q).map(number).collect();
        let c = root(m, q, |i, k| a[k * m + i]).unwrap();
        let square = matmul(&c, &transpose(&c, m, m), m, m, m);
        let expected = matmul(&a, &transpose(&a, m, q), m, q, m);
        for (k, v) in square.iter().enumerate() {
            let unit = if k % (m + 1) == 0 { 1.0 } else { 0.0 };
            assert_relative_eq!(*v, expected[k] + unit, epsilon = 1e-11);
        }
    }

    #[test]
    fn rows_that_arrive_one_by_one_give_the_cross_product() {
        let (n, width) = (101, 11);
        let a: Vec<f64> = (0..n * width).map(|k| number(k * k + 3)).collect();
        let mut all = WideTriangle::new(width).unwrap();
        for i in 0..n {
            all.push(|at, rows, out| (0..width).for_each(|j| out[j * rows + at] = a[j * n + i]))
                .unwrap();
        }
        let columns: Vec<Vec<f64>> = all.columns().unwrap().map(<[f64]>::to_vec).collect();
        for j in 0..width {
            for i in 0..width {
                let expected = dot(&a[i * n..(i + 1) * n], &a[j * n..(j + 1) * n]);
                assert_relative_eq!(dot(&columns[i], &columns[j]), expected, epsilon = 1e-11);
            }
        }
    }
}
