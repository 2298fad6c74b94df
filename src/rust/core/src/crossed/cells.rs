//! Touch the data once: rows of the same cell are rotated into as few as random effects can tell apart.
//!
//! Within a cell (one level of every factor) the random effects act through the columns of Z alone, `c` different ones
//! say. The orthogonal-triangular reduction of the cell's rows leaves at most `c` rows that involve Z; the others are
//! rows of `[X y]` only and join one triangle for all cells. The columns of X are then made orthonormal over all rows,
//! and the response orthogonal to them, so that later cross-products are well conditioned whatever the covariates.
//!
//! Vignette "The algorithm": Eq. Cells.

use std::ops::Range;

use faer::linalg::matmul::matmul as matmul_into;
use faer::{Accum, MatMut, MatRef, Par};

use super::Block;
use crate::design::{Column, Design};
use crate::engine::Frame;
use crate::error::{reserved, zeros, Error, Result};
use crate::linalg::{
    identity, invert_upper, matmul, qr_in_place, square_size, transpose, TriangleAccumulator,
};
use crate::parallel::{chunks, Workers};
use crate::rank::independent_columns;
use crate::reader::{RowReader, LOCAL_ROWS};
use crate::reduction::{check_degrees_of_freedom, orthonormal_columns};
use crate::scaling::Scaling;

/// The reduced rows.
pub struct Cells {
    /// `p + 1`: the width of `xy`.
    pub d: usize,
    /// Where the rows of each level of the leading factor start (one more element than levels).
    pub start: Vec<usize>,
    /// Per block the level of each row.
    pub code: Vec<Vec<u32>>,
    /// Per block its columns of Z, row by row (`q` numbers each).
    pub z: Vec<Vec<f64>>,
    /// The orthonormal columns of X and the response orthogonal to them, row by row.
    pub xy: Vec<f64>,
    /// Rows that no random effect touches, rotated to as many as there are columns: `[Q y]`, row by row.
    pub base: Vec<f64>,
    /// The triangle R of the kept columns, `X = Q R`, and the coefficients `Q'y`.
    pub triangle: Vec<f64>,
    /// `Q'y`.
    pub projected: Vec<f64>,
}

impl Cells {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.start.last().copied().unwrap_or(0)
    }
}

/// Different columns of Z, and where each block finds its own among them.
struct Sources<'a> {
    columns: Vec<(Column<'a>, f64)>,
    of_block: Vec<Vec<usize>>,
}

fn key(column: &Column<'_>, divisor: f64) -> (usize, usize, u64) {
    let divisor = divisor.to_bits();
    match column {
        Column::One => (0, 0, divisor),
        Column::Fixed(j) => (1, *j, divisor),
        Column::Own(values) => (2, values.as_ptr() as usize, divisor),
    }
}

fn sources<'a>(design: &Design<'a>, blocks: &[Block], scaling: &Scaling) -> Sources<'a> {
    let mut columns: Vec<(Column<'a>, f64)> = Vec::new();
    let mut keys = Vec::new();
    let mut of_block = Vec::new();
    for block in blocks {
        let mut own = Vec::new();
        for (t, _) in &block.terms {
            for (column, divisor) in design.terms[*t].columns.iter().zip(&scaling.z[*t]) {
                let k = key(column, *divisor);
                let at = keys.iter().position(|known| *known == k);
                own.push(at.unwrap_or(keys.len()));
                if at.is_none() {
                    keys.push(k);
                    columns.push((*column, *divisor));
                }
            }
        }
        of_block.push(own);
    }
    Sources { columns, of_block }
}

/// Rows sorted by the levels of all blocks, the leading one first, and where each of its levels starts.
fn sort_rows(design: &Design<'_>, blocks: &[Block], workers: &Workers<'_>) -> Result<(Vec<u32>, Vec<usize>)> {
    let codes: Vec<&[i32]> = blocks.iter().map(|b| design.factors[b.factor].codes).collect();
    let mut start = vec![0usize; blocks[0].levels + 1];
    codes[0].iter().for_each(|c| start[*c as usize] += 1);
    for i in 1..start.len() {
        start[i] += start[i - 1];
    }
    let mut next = start.clone();
    let mut order = vec![0u32; design.n()];
    for (row, c) in codes[0].iter().enumerate() {
        let slot = &mut next[(*c - 1) as usize];
        order[*slot] = row as u32;
        *slot += 1;
    }
    let cell = |row: u32| codes[1..].iter().map(move |c| c[row as usize]);
    for (i, w) in start.windows(2).enumerate() {
        if i % 256 == 0 {
            workers.check()?;
        }
        order[w[0]..w[1]].sort_by(|a, b| cell(*a).cmp(cell(*b)));
    }
    Ok((order, start))
}

/// What every chunk reads.
struct Job<'a> {
    reader: RowReader<'a>,
    codes: Vec<&'a [i32]>,
    sources: Sources<'a>,
    order: Vec<u32>,
    p: usize,
}

/// What a chunk of leading levels reduces to.
struct Piece {
    code: Vec<Vec<u32>>,
    z: Vec<Vec<f64>>,
    xy: Vec<f64>,
    counts: Vec<usize>,
    root: TriangleAccumulator,
    total: TriangleAccumulator,
}

impl Job<'_> {
    fn run(&self, rows: Range<usize>, levels: usize, workers: &Workers<'_>) -> Result<Piece> {
        let d = self.p + 1;
        let blocks = self.codes.len();
        let room = |q: usize| reserved(q * rows.len(), "the reduced data");
        let mut piece = Piece {
            code: vec![Vec::with_capacity(rows.len()); blocks],
            z: self
                .sources
                .of_block
                .iter()
                .map(|s| room(s.len()))
                .collect::<Result<_>>()?,
            xy: room(d)?,
            counts: vec![0; levels],
            root: TriangleAccumulator::new(d),
            total: TriangleAccumulator::new(d),
        };
        let (mut roots, mut local, mut cell_rows) = (Vec::new(), Vec::new(), Vec::new());
        let first_level = (self.codes[0][self.order[rows.start] as usize] - 1) as usize;
        let c = self.sources.columns.len();
        let mut at = rows.start;
        while at < rows.end {
            workers.check()?;
            let mut ends = vec![self.end_of_cell(at, rows.end)];
            while let Some(&last) = ends.last().filter(|e| **e < rows.end) {
                let next = self.end_of_cell(last, rows.end);
                if next - at > LOCAL_ROWS {
                    break;
                }
                ends.push(next);
            }
            let end = ends.last().copied().unwrap_or(at);
            if end - at > LOCAL_ROWS {
                let mut acc = TriangleAccumulator::new(self.reader.width());
                for from in (at..end).step_by(LOCAL_ROWS) {
                    workers.check()?;
                    let take = LOCAL_ROWS.min(end - from);
                    self.reader
                        .gather(take, |i| self.order[from + i] as usize, &mut roots, &mut local);
                    piece.total.push(&local, take, 0, take, c);
                    acc.push(&local, take, 0, take, 0);
                }
                let width = self.reader.width();
                piece.root.push(acc.triangle(), width, c, width - c, c);
                self.keep(acc.triangle(), width, 0..c, at, first_level, &mut piece);
            } else {
                let count = end - at;
                self.reader
                    .gather(count, |i| self.order[at + i] as usize, &mut roots, &mut local);
                piece.total.push(&local, count, 0, count, c);
                let mut from = 0;
                for end in ends {
                    let to = end - at;
                    let m = to - from;
                    if m > c {
                        cell_rows.clear();
                        for column in local.chunks_exact(count) {
                            cell_rows.extend_from_slice(&column[from..to]);
                        }
                        qr_in_place(&mut cell_rows, m, self.reader.width(), c);
                        piece.root.push(&cell_rows, m, c, m - c, c);
                        self.keep(&cell_rows, m, 0..c, at + from, first_level, &mut piece);
                    } else {
                        self.keep(&local, count, from..to, at + from, first_level, &mut piece);
                    }
                    from = to;
                }
            }
            at = end;
        }
        Ok(piece)
    }

    fn end_of_cell(&self, from: usize, end: usize) -> usize {
        let row = self.order[from] as usize;
        let same = |other: u32| self.codes.iter().all(|c| c[row] == c[other as usize]);
        (from + 1..end).find(|i| !same(self.order[*i])).unwrap_or(end)
    }

    /// Keep some rows of a column-major matrix as those of the cell of the sorted row `at`.
    fn keep(
        &self,
        src: &[f64],
        ld: usize,
        rows: Range<usize>,
        at: usize,
        first_level: usize,
        piece: &mut Piece,
    ) {
        let row = self.order[at] as usize;
        let c = self.sources.columns.len();
        piece.counts[(self.codes[0][row] - 1) as usize - first_level] += rows.len();
        for i in rows {
            for (b, codes) in self.codes.iter().enumerate() {
                piece.code[b].push((codes[row] - 1) as u32);
                piece.z[b].extend(self.sources.of_block[b].iter().map(|s| src[s * ld + i]));
            }
            piece.xy.extend((0..=self.p).map(|j| src[(c + j) * ld + i]));
        }
    }
}

/// Reduce a design to cells.
///
/// # Errors
/// [`Error::InvalidInput`] (`"memory"`, `"degrees_of_freedom"`, `"perfect_fit"`), [`Error::Interrupted`].
pub fn collect(
    design: &Design<'_>,
    blocks: &[Block],
    rank_tol: f64,
    workers: &Workers<'_>,
) -> Result<(Cells, Frame)> {
    let scaling = Scaling::of(design);
    let (order, start) = sort_rows(design, blocks, workers)?;
    let sources = sources(design, blocks, &scaling);
    let job = Job {
        reader: RowReader::new(design, &scaling, sources.columns.clone()),
        codes: blocks.iter().map(|b| design.factors[b.factor].codes).collect(),
        sources,
        order,
        p: design.p,
    };
    let ranges = chunks(
        start.windows(2).map(|w| w[1] - w[0]),
        8_192.max(100 * (design.p + 1)),
        64,
    );
    let pieces = workers.map(ranges, |r| {
        job.run(start[r.start]..start[r.end], r.len(), workers)
    })?;
    drop(job);
    let mut cells = Cells {
        d: design.p + 1,
        start: vec![0],
        code: vec![Vec::new(); blocks.len()],
        z: vec![Vec::new(); blocks.len()],
        xy: Vec::new(),
        base: Vec::new(),
        triangle: Vec::new(),
        projected: Vec::new(),
    };
    let mut root = TriangleAccumulator::new(cells.d);
    let mut total = TriangleAccumulator::new(cells.d);
    for mut piece in pieces {
        for b in 0..blocks.len() {
            cells.code[b].append(&mut piece.code[b]);
            cells.z[b].append(&mut piece.z[b]);
        }
        cells.xy.append(&mut piece.xy);
        for count in piece.counts {
            cells.start.push(cells.rows() + count);
        }
        root.merge(&mut piece.root);
        total.merge(&mut piece.total);
    }
    let kept = independent_columns(total.triangle(), cells.d, design.p, rank_tol);
    let triangle = triangle_of(total.triangle(), &kept);
    check_degrees_of_freedom(design.rows_that_tell(), &triangle)?;
    let mut frame = Frame::new(design, kept, scaling);
    cells.orthonormalise(&frame.kept, &triangle, root.triangle(), workers)?;
    frame.gram = cells.gram(blocks, design.terms.len());
    let w = orthonormal_columns(design, &frame.gram);
    cells.change_columns(blocks, &w, &mut frame);
    Ok((cells, frame))
}

/// The triangle of some columns of X and the response, from that of all.
fn triangle_of(total: &[f64], kept: &[usize]) -> Vec<f64> {
    let (wide, d) = (square_size(total), kept.len() + 1);
    let columns: Vec<f64> = kept
        .iter()
        .chain(std::iter::once(&(wide - 1)))
        .flat_map(|j| total[j * wide..(j + 1) * wide].iter().copied())
        .collect();
    let mut acc = TriangleAccumulator::new(d);
    acc.push(&columns, wide, 0, wide, 0);
    acc.triangle().to_vec()
}

impl Cells {
    /// Orthonormal columns of X over all rows instead of the kept ones, and the response orthogonal to them.
    fn orthonormalise(
        &mut self,
        kept: &[usize],
        tri: &[f64],
        root: &[f64],
        workers: &Workers<'_>,
    ) -> Result<()> {
        let (wide, p) = (self.d, kept.len());
        let d = p + 1;
        let inverse = invert_upper(tri, d, p)
            .ok_or_else(|| Error::Bug("kept columns of X are dependent".to_string()))?;
        self.projected = tri[p * d..p * d + p].to_vec();
        self.triangle = (0..p * p)
            .map(|k| tri[(k / p.max(1)) * d + k % p.max(1)])
            .collect();
        // [Q, y - Q Q'y] = [X y] T, with zero rows of T for columns that are left out
        let mut t = vec![0.0; wide * d];
        for j in 0..p {
            for i in 0..=j {
                t[j * wide + kept[i]] = inverse[j * p + i];
                t[p * wide + kept[i]] -= inverse[j * p + i] * self.projected[j];
            }
        }
        t[p * wide + wide - 1] = 1.0;
        let mut xy = zeros(self.rows() * d, "the reduced data")?;
        let pieces: Vec<_> = self
            .xy
            .chunks(LOCAL_ROWS * wide)
            .zip(xy.chunks_mut(LOCAL_ROWS * d))
            .collect();
        workers.map(pieces, |(from, to)| {
            let (count, t) = (from.len() / wide, MatRef::from_column_major_slice(&t, wide, d));
            let from = MatRef::from_row_major_slice(from, count, wide);
            let to = MatMut::from_row_major_slice_mut(to, count, d);
            matmul_into(to, Accum::Replace, from, t, 1.0, Par::Seq);
            Ok(())
        })?;
        let rotated = matmul(root, &t, wide, wide, d);
        self.base = transpose(&rotated, wide, d);
        (self.xy, self.d) = (xy, d);
        Ok(())
    }

    /// `Z'Z` of each term over all rows.
    fn gram(&self, blocks: &[Block], terms: usize) -> Vec<Vec<f64>> {
        let mut gram = vec![Vec::new(); terms];
        for (block, z) in blocks.iter().zip(&self.z) {
            for (t, range) in block.term_columns() {
                let q = range.len();
                let mut sum = vec![0.0; q * q];
                for row in z.chunks_exact(block.q) {
                    for b in 0..q {
                        for a in 0..q {
                            sum[b * q + a] += row[range.start + a] * row[range.start + b];
                        }
                    }
                }
                gram[t] = sum;
            }
        }
        gram
    }

    /// `Z <- Z W`, per term.
    pub fn change_columns(&mut self, blocks: &[Block], w: &[Vec<f64>], frame: &mut Frame) {
        for (block, z) in blocks.iter().zip(&mut self.z) {
            for (t, range) in block.term_columns() {
                let q = range.len();
                if w[t] == identity(q) {
                    continue;
                }
                for row in z.chunks_exact_mut(block.q) {
                    let row = &mut row[range.clone()];
                    for j in 0..q {
                        // W is lower triangular: column j needs what stands at and after it
                        row[j] = (j..q).map(|i| row[i] * w[t][j * q + i]).sum();
                    }
                }
            }
        }
        for (whitener, w) in frame.whitener.iter_mut().zip(w) {
            let q = square_size(w);
            *whitener = matmul(whitener, w, q, q, q);
        }
        frame.gram = self.gram(blocks, w.len());
    }
}
