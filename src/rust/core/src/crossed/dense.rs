//! Dense symmetric kernels on tiles: the same bits with any number of threads, and a look at the stop flag between tiles.
//!
//! Matrices are column-major; of symmetric ones the lower triangle counts. The arithmetic of a tile is faer's, on one
//! thread; tiles are shared out among threads.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, MatMut, MatRef, Par};

use crate::error::{zeros, Error, Result};
use crate::parallel::Workers;

/// The width of a tile.
const TILE: usize = 192;
/// The height of a piece of a panel.
const TALL: usize = 512;

fn view(a: &[f64], rows: usize, cols: usize, ld: usize) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice_with_stride(a, rows, cols, ld)
}

fn view_mut(a: &mut [f64], rows: usize, cols: usize, ld: usize) -> MatMut<'_, f64> {
    MatMut::from_column_major_slice_with_stride_mut(a, rows, cols, ld)
}

/// Cholesky factorisation of the leading `n x n` part of a `rows x n` panel, with the rows below solved along:
/// `[L; B L^-T]`. Small panels are done in one piece.
///
/// # Errors
/// [`Error::Numerical`] when a pivot is not positive, [`Error::Interrupted`].
pub fn factorise_panel(panel: &mut [f64], rows: usize, n: usize, workers: &Workers<'_>) -> Result<()> {
    for k in (0..n).step_by(TILE) {
        workers.check()?;
        let width = TILE.min(n - k);
        let (done, rest) = panel.split_at_mut(k * rows);
        let mut current = view_mut(&mut rest[..width * rows], rows, width, rows)
            .split_at_row_mut(k)
            .1;
        if k > 0 {
            let left = view(done, rows, k, rows);
            let pivot_rows = left.subrows(k, width);
            let mut pieces = Vec::new();
            let (mut tail, mut at) = (current.as_mut(), k);
            while tail.nrows() > 0 {
                let take = TALL.min(tail.nrows());
                let (piece, next) = tail.split_at_row_mut(take);
                pieces.push((piece, left.subrows(at, take)));
                (tail, at) = (next, at + take);
            }
            workers.map(pieces, |(piece, rows)| {
                matmul(piece, Accum::Add, rows, pivot_rows.transpose(), -1.0, Par::Seq);
                Ok(())
            })?;
        }
        let (mut top, below) = current.split_at_row_mut(width);
        cholesky(top.as_mut())?;
        let top = top.as_ref();
        let mut pieces = Vec::new();
        let mut tail = below;
        while tail.nrows() > 0 {
            let take = TALL.min(tail.nrows());
            let (piece, next) = tail.split_at_row_mut(take);
            pieces.push(piece);
            tail = next;
        }
        workers.map(pieces, |piece| {
            solve_lower_triangular_in_place(top, piece.transpose_mut(), Par::Seq);
            Ok(())
        })?;
    }
    Ok(())
}

/// The Cholesky factor of one tile, in place.
fn cholesky(mut a: MatMut<'_, f64>) -> Result<()> {
    use faer::dyn_stack::{MemBuffer, MemStack};
    use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch, LltParams};
    let n = a.nrows();
    let failed = || Error::Numerical("the system of the random effects is not positive definite".to_string());
    if n <= 8 {
        for j in 0..n {
            let mut pivot = a[(j, j)];
            for k in 0..j {
                pivot -= a[(j, k)] * a[(j, k)];
            }
            if pivot.is_nan() || pivot <= 0.0 {
                return Err(failed());
            }
            let pivot = pivot.sqrt();
            a[(j, j)] = pivot;
            for i in j + 1..n {
                let mut s = a[(i, j)];
                for k in 0..j {
                    s -= a[(i, k)] * a[(j, k)];
                }
                a[(i, j)] = s / pivot;
            }
        }
        return Ok(());
    }
    let params = <LltParams as faer::Auto<f64>>::auto();
    let scratch = cholesky_in_place_scratch::<f64>(n, Par::Seq, params.into());
    let mut memory =
        MemBuffer::try_new(scratch).map_err(|_| Error::invalid("memory", "no memory for a tile"))?;
    cholesky_in_place(
        a,
        Default::default(),
        Par::Seq,
        MemStack::new(&mut memory),
        params.into(),
    )
    .map(|_| ())
    .map_err(|_| failed())
}

/// The inverse of the lower triangle at the top of a panel, as an `n x n` matrix that is zero above the diagonal.
///
/// # Errors
/// [`Error::Interrupted`], [`Error::InvalidInput`] (`"memory"`).
pub fn invert_triangle(
    panel: &[f64],
    rows: usize,
    n: usize,
    out: &mut [f64],
    workers: &Workers<'_>,
) -> Result<()> {
    let l = view(panel, n, n, rows);
    let columns: Vec<(usize, &mut [f64])> = out.chunks_mut(TILE * n.max(1)).enumerate().collect();
    workers.map(columns, |(tile, column)| {
        column.fill(0.0);
        let from = tile * TILE;
        let width = column.len() / n;
        let mut column = view_mut(column, n, width, n);
        for k in (from..n).step_by(TILE) {
            workers.check()?;
            let height = TILE.min(n - k);
            let (above, below) = column.as_mut().split_at_row_mut(k);
            let mut target = below.split_at_row_mut(height).0;
            let diagonal = l.submatrix(k, k, height, height);
            if k == from {
                invert_lower_triangular(target, diagonal, Par::Seq);
            } else {
                let left = l.submatrix(k, from, height, k - from);
                let known = above.as_ref().subrows(from, k - from);
                matmul(target.as_mut(), Accum::Replace, left, known, -1.0, Par::Seq);
                solve_lower_triangular_in_place(diagonal, target, Par::Seq);
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// `K'K` for a lower triangle K, in place; all of the symmetric result.
///
/// # Errors
/// As [`invert_triangle`].
pub fn square_of_triangle(k: &mut [f64], n: usize, workers: &Workers<'_>) -> Result<()> {
    for from in (0..n).step_by(TILE) {
        workers.check()?;
        let height = TILE.min(n - from);
        let mut band = zeros(height * (from + height), "the workspace")?;
        {
            let all = view(k, n, n, n);
            let right = all.submatrix(from, from, n - from, height);
            let tiles: Vec<(usize, &mut [f64])> = band.chunks_mut(height * TILE).enumerate().collect();
            workers.map(tiles, |(tile, out)| {
                let width = out.len() / height;
                let left = all.submatrix(from, tile * TILE, n - from, width);
                let out = view_mut(out, height, width, height);
                matmul(out, Accum::Replace, right.transpose(), left, 1.0, Par::Seq);
                Ok(())
            })?;
        }
        for (j, column) in band.chunks_exact(height).enumerate() {
            k[j * n + from..j * n + from + height].copy_from_slice(column);
        }
    }
    mirror(k, n);
    Ok(())
}

/// The upper triangle from the lower one, in squares that fit the cache.
fn mirror(a: &mut [f64], n: usize) {
    const SIDE: usize = 32;
    for j0 in (0..n).step_by(SIDE) {
        for i0 in (j0..n).step_by(SIDE) {
            for i in i0..(i0 + SIDE).min(n) {
                for j in j0..(j0 + SIDE).min(i) {
                    a[i * n + j] = a[j * n + i];
                }
            }
        }
    }
}

/// `out = A B` where B has `k` rows.
///
/// # Errors
/// As [`invert_triangle`].
pub fn multiply(a: &[f64], b: &[f64], out: &mut [f64], k: usize, workers: &Workers<'_>) -> Result<()> {
    if k == 0 || a.is_empty() {
        return Ok(());
    }
    let rows = a.len() / k;
    let all = view(a, rows, k, rows);
    let mut tiles = Vec::new();
    for (out, b) in out.chunks_mut(TILE * rows).zip(b.chunks(TILE * k)) {
        let width = out.len() / rows;
        let right = view(b, k, width, k);
        let (mut tail, mut at) = (view_mut(out, rows, width, rows), 0);
        while tail.nrows() > 0 {
            let take = TALL.min(tail.nrows());
            let (piece, next) = tail.split_at_row_mut(take);
            tiles.push((piece, at, take, right));
            (tail, at) = (next, at + take);
        }
    }
    workers.map(tiles, |(piece, at, take, right)| {
        matmul(piece, Accum::Replace, all.subrows(at, take), right, 1.0, Par::Seq);
        Ok(())
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// A positive definite matrix.
    fn matrix(n: usize) -> Vec<f64> {
        let value = |i: usize, j: usize| ((i * 7919 + j * 104_729) % 97) as f64 / 97.0;
        let mut a = vec![0.0; n * n];
        for j in 0..n {
            for i in 0..n {
                a[j * n + i] = value(i.min(j), i.max(j)) + if i == j { n as f64 } else { 0.0 };
            }
        }
        a
    }

    #[test]
    fn the_inverse_is_one_and_does_not_depend_on_threads() {
        let stop = AtomicBool::new(false);
        for n in [1, 5, 30, 192, 433] {
            let a = matrix(n);
            let mut results = Vec::new();
            for threads in [1, 3] {
                let workers = Workers::new(threads, &stop).unwrap();
                let mut l = a.clone();
                factorise_panel(&mut l, n, n, &workers).unwrap();
                let mut inverse = vec![f64::NAN; n * n];
                invert_triangle(&l, n, n, &mut inverse, &workers).unwrap();
                square_of_triangle(&mut inverse, n, &workers).unwrap();
                let mut product = vec![0.0; n * n];
                multiply(&a, &inverse, &mut product, n, &workers).unwrap();
                for (k, v) in product.iter().enumerate() {
                    let one = if k % (n + 1) == 0 { 1.0 } else { 0.0 };
                    assert!((v - one).abs() < 1e-12, "{n} {k} {v}");
                }
                results.push(inverse);
            }
            assert_eq!(results[0], results[1]);
        }
    }

    #[test]
    fn an_indefinite_matrix_is_an_error() {
        let stop = AtomicBool::new(false);
        let workers = Workers::new(1, &stop).unwrap();
        for n in [2, 40] {
            let mut a = matrix(n);
            a[n * n - 1] = -1.0;
            assert!(factorise_panel(&mut a, n, n, &workers).is_err());
        }
    }
}
