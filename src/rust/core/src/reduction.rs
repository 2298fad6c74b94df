//! Touch the data once: the orthogonal-triangular reduction of independent (and nested) groups.
//!
//! For every innermost group the rows `[Z_i, Z_anc, X_i, y_i]` are rotated so that `Z_i` becomes an upper triangle
//! `R_i` of at most `q` rows (Pinheiro and Bates 2000, ch. 2). These rows are kept: they are all that an evaluation
//! of the criterion needs of the group. What is orthogonal to `Z_i` does not depend on Psi of the innermost level and
//! is passed on, as a triangle, to the group's ancestor, where the same happens again, and at last to the root.
//!
//! Vignette "The algorithm": Eq. Reduction.

pub mod apart;

use crate::covstruct::Structure;
use crate::design::{Column, Design, Term};
use crate::engine::Frame;
use crate::error::{reserved, Error, Result};
use crate::grouping::Tree;
use crate::linalg::{axpy, dot, identity, matmul, qr_in_place, square_size, TriangleAccumulator};
use crate::memory::Plan;
use crate::parallel::{chunks, Workers};
use crate::params::triangular_whitener;
use crate::rank::independent_columns;
use crate::reader::{RowReader, LOCAL_ROWS};
use crate::scaling::Scaling;

/// The kept rows of all nodes of one level.
#[derive(Debug, Clone)]
pub struct LevelBlocks {
    /// Number of random-effects columns of this level (over all its terms).
    pub q: usize,
    /// Width of a block: own columns, then those of the ancestors from the inside out, X and y.
    pub width: usize,
    /// The terms of this level and the position of their first column.
    pub terms: Vec<(usize, usize)>,
    /// Number of rows of each node's block, at most `q`.
    pub rows: Vec<u32>,
    /// Where each node's block starts in `data` (one more element than nodes).
    pub start: Vec<usize>,
    /// The blocks `[R | B]`, column-major with the block's own number of rows.
    pub data: Vec<f64>,
}

impl LevelBlocks {
    /// The block of a node and its number of rows.
    pub fn block(&self, node: usize) -> (&[f64], usize) {
        (
            &self.data[self.start[node]..self.start[node + 1]],
            self.rows[node] as usize,
        )
    }
}

/// A problem after reduction: everything the criterion depends on, in scaled units.
#[derive(Debug, Clone)]
pub struct Reduced {
    /// Units and totals.
    pub frame: Frame,
    /// The levels of the tree, outermost first.
    pub levels: Vec<LevelBlocks>,
    /// The triangle of `[X y]` that is orthogonal to all random effects, `(p+1) x (p+1)`, over kept columns.
    pub root: Vec<f64>,
    /// The triangle of all of `[X y]`, `(p+1) x (p+1)`, over kept columns.
    pub total: Vec<f64>,
    /// Consecutive outermost nodes that are worked on together.
    pub chunks: Vec<std::ops::Range<usize>>,
    /// The groups.
    pub tree: Tree,
}

impl Reduced {
    /// The rank of X.
    pub fn p(&self) -> usize {
        self.frame.p()
    }
}

/// The columns of Z with their divisors, those of the innermost level first.
fn columns_inside_out<'a>(
    design: &Design<'a>,
    scaling: &Scaling,
    levels: &[LevelBlocks],
) -> Vec<(Column<'a>, f64)> {
    let terms = levels.iter().rev().flat_map(|level| &level.terms);
    terms
        .flat_map(|(t, _)| {
            design.terms[*t]
                .columns
                .iter()
                .copied()
                .zip(scaling.z[*t].iter().copied())
        })
        .collect()
}

/// Reduce a design whose factors are nested as `tree` says.
///
/// # Errors
/// [`Error::InvalidInput`]: `"memory"`, `"degrees_of_freedom"`, `"perfect_fit"`.
pub fn reduce(
    design: &Design<'_>,
    tree: Tree,
    rank_tol: f64,
    max_memory: f64,
    workers: &Workers<'_>,
) -> Result<Reduced> {
    let plan = Plan::of(design, &tree);
    plan.check(max_memory)?;
    let scaling = Scaling::of(design);
    let mut levels = layout(design, &tree);
    // a chunk is worth its triangle only if it has many more rows than that
    let least = 16_384.max(200 * (design.p + 1));
    let chunks = chunks(tree.outer_sizes().into_iter(), least, plan.chunks);
    let pieces = {
        let rows = RowReader::new(design, &scaling, columns_inside_out(design, &scaling, &levels));
        let job = Job {
            tree: &tree,
            levels: &levels,
            rows: &rows,
            p: design.p,
        };
        workers.map(chunks.clone(), |range| Walk::run(&job, range, workers))?
    };
    let triangles = assemble(design.p, &mut levels, pieces)?;
    finish(design, (tree, levels, chunks), scaling, triangles, rank_tol)
}

/// From the kept rows and the triangles of the root and of all rows to a problem with independent columns.
fn finish(
    design: &Design<'_>,
    (tree, levels, chunks): (Tree, Vec<LevelBlocks>, Vec<std::ops::Range<usize>>),
    scaling: Scaling,
    (root, total): (Vec<f64>, Vec<f64>),
    rank_tol: f64,
) -> Result<Reduced> {
    let w = orthonormal_columns(design, &gram(&levels, design.terms.len()));
    let mut reduced = Reduced {
        frame: Frame::new(design, (0..design.p).collect(), scaling),
        levels,
        root,
        total,
        chunks,
        tree,
    };
    reduced.change_columns(&w);
    let kept = independent_columns(&reduced.total, design.p + 1, design.p, rank_tol);
    if kept.len() < design.p {
        reduced.keep_columns(kept);
    }
    reduced.check_degrees_of_freedom(design.rows_that_tell())?;
    Ok(reduced)
}

fn layout(design: &Design<'_>, tree: &Tree) -> Vec<LevelBlocks> {
    let mut below = design.p + 1;
    let mut levels = Vec::new();
    for (depth, level) in tree.levels.iter().enumerate() {
        let (mut q, mut terms) = (0, Vec::new());
        for (t, term) in design.terms.iter().enumerate() {
            if tree.position[term.factor].0 == depth {
                terms.push((t, q));
                q += term.columns.len();
            }
        }
        let width = q + below;
        below = width;
        let leaf = depth == tree.leaf_level();
        let count = |i: usize| {
            let rows = (tree.row_start[i + 1] - tree.row_start[i]) as usize;
            if leaf {
                rows.min(q) as u32
            } else {
                q as u32
            }
        };
        let rows: Vec<u32> = (0..level.nodes()).map(count).collect();
        let mut start = vec![0; rows.len() + 1];
        for (i, r) in rows.iter().enumerate() {
            start[i + 1] = start[i] + *r as usize * width;
        }
        levels.push(LevelBlocks {
            q,
            width,
            terms,
            rows,
            start,
            data: Vec::new(),
        });
    }
    levels
}

/// Put the pieces of all chunks together: the triangles of the root and of all rows.
fn assemble(p: usize, levels: &mut [LevelBlocks], mut pieces: Vec<Piece>) -> Result<(Vec<f64>, Vec<f64>)> {
    for (l, level) in levels.iter_mut().enumerate() {
        let len = level.start.last().copied().unwrap_or(0);
        let mut data = reserved(len, "the reduced data")?;
        for piece in &mut pieces {
            data.append(&mut piece.levels[l]);
        }
        if data.len() != len {
            return Err(Error::Bug(format!(
                "{} reduced numbers instead of {len}",
                data.len()
            )));
        }
        level.data = data;
    }
    let mut root = TriangleAccumulator::new(p + 1);
    let mut total = TriangleAccumulator::new(p + 1);
    for piece in &mut pieces {
        root.merge(&mut piece.root);
        total.merge(&mut piece.total);
    }
    total.merge(&mut root);
    Ok((root.triangle().to_vec(), total.triangle().to_vec()))
}

/// `Z'Z` of each term over all rows. The columns of a level stand in the blocks of the level itself and of all levels
/// inside it.
fn gram(levels: &[LevelBlocks], terms: usize) -> Vec<Vec<f64>> {
    let mut gram = vec![Vec::new(); terms];
    for (depth, level) in levels.iter().enumerate() {
        for (position, (t, offset)) in level.terms.iter().enumerate() {
            let end = level.terms.get(position + 1).map_or(level.q, |next| next.1);
            let q = end - offset;
            let mut sum = vec![0.0; q * q];
            let mut first = *offset;
            for inner in &levels[depth..] {
                first += if std::ptr::eq(inner, level) { 0 } else { inner.q };
                add_gram(inner, first, q, &mut sum);
            }
            gram[*t] = sum;
        }
    }
    gram
}

/// Per term, from its `Z'Z`, the T that makes its columns nearly orthonormal over all rows, where it is unstructured: a slope far from its
/// origin and its intercept are all but the same column, and derivatives with respect to their covariances would cancel.
pub fn orthonormal_columns(design: &Design<'_>, gram: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let of = |(term, gram): (&Term<'_>, &Vec<f64>)| {
        let q = term.columns.len();
        let levels = design.factors[term.factor].levels as f64;
        let unrestricted = !term.free.contains(&false);
        if q > 1 && term.structure == Structure::Unstructured && unrestricted {
            let mean: Vec<f64> = gram.iter().map(|v| v / levels).collect();
            triangular_whitener(&mean, q).unwrap_or_else(|| identity(q))
        } else {
            identity(q)
        }
    };
    design.terms.iter().zip(gram).map(of).collect()
}

impl Reduced {
    /// `Z <- Z W`, per term.
    pub fn change_columns(&mut self, w: &[Vec<f64>]) {
        let levels = &mut self.levels;
        for depth in 0..levels.len() {
            for (t, offset) in levels[depth].terms.clone() {
                let mut first = offset;
                for (step, inner) in levels[depth..].iter_mut().enumerate() {
                    first += if step == 0 { 0 } else { inner.q };
                    inner.multiply_columns(first, &w[t]);
                }
            }
        }
        self.frame.gram = gram(levels, w.len());
        for (whitener, w) in self.frame.whitener.iter_mut().zip(w) {
            let q = square_size(w);
            *whitener = matmul(whitener, w, q, q, q);
        }
    }
}

impl LevelBlocks {
    /// Multiply columns of all blocks, from `first` on, by a lower-triangular matrix.
    fn multiply_columns(&mut self, first: usize, t: &[f64]) {
        let q = square_size(t);
        if *t == identity(q) {
            return;
        }
        for node in 0..self.rows.len() {
            let m = self.rows[node] as usize;
            let from = self.start[node] + first * m;
            let columns = &mut self.data[from..from + q * m];
            for j in 0..q {
                let (left, right) = columns.split_at_mut((j + 1) * m);
                let target = &mut left[j * m..];
                target.iter_mut().for_each(|v| *v *= t[j * q + j]);
                for (k, column) in right.chunks_exact(m.max(1)).enumerate() {
                    axpy(t[j * q + j + 1 + k], column, target);
                }
            }
        }
    }
}

fn add_gram(level: &LevelBlocks, first: usize, q: usize, sum: &mut [f64]) {
    for node in 0..level.rows.len() {
        let (block, m) = level.block(node);
        let column = |c: usize| &block[(first + c) * m..(first + c + 1) * m];
        for b in 0..q {
            for a in 0..q {
                sum[b * q + a] += dot(column(a), column(b));
            }
        }
    }
}

/// What every chunk reads.
struct Job<'a> {
    tree: &'a Tree,
    levels: &'a [LevelBlocks],
    rows: &'a RowReader<'a>,
    p: usize,
}

/// What one chunk of outermost nodes reduces to.
struct Piece {
    levels: Vec<Vec<f64>>,
    root: TriangleAccumulator,
    total: TriangleAccumulator,
}

/// A walk over the nodes of a chunk, depth first.
struct Walk<'a> {
    job: &'a Job<'a>,
    /// Per level the rows that the current node has received from below.
    above: Vec<TriangleAccumulator>,
    piece: Piece,
    roots: Vec<f64>,
    local: Vec<f64>,
}

impl<'a> Walk<'a> {
    fn run(job: &'a Job<'a>, range: std::ops::Range<usize>, workers: &Workers<'_>) -> Result<Piece> {
        let mut walk = Walk {
            job,
            above: job
                .levels
                .iter()
                .map(|l| TriangleAccumulator::new(l.width))
                .collect(),
            piece: Piece {
                levels: vec![Vec::new(); job.levels.len()],
                root: TriangleAccumulator::new(job.p + 1),
                total: TriangleAccumulator::new(job.p + 1),
            },
            roots: Vec::new(),
            local: Vec::new(),
        };
        for top in range {
            workers.check()?;
            walk.subtree(0, top, workers)?;
        }
        Ok(walk.piece)
    }

    /// Reduce everything below one node.
    fn subtree(&mut self, depth: usize, node: usize, workers: &Workers<'_>) -> Result<()> {
        if depth == self.job.tree.leaf_level() {
            return self.leaf(node, workers);
        }
        self.above[depth].reset();
        for child in self.job.tree.children(depth, node) {
            self.subtree(depth + 1, child, workers)?;
        }
        let (q, width) = (self.job.levels[depth].q, self.job.levels[depth].width);
        let tri = self.above[depth].triangle().to_vec();
        self.keep(depth, &tri, width, q, width);
        Ok(())
    }

    fn leaf(&mut self, node: usize, workers: &Workers<'_>) -> Result<()> {
        let tree = self.job.tree;
        let depth = tree.leaf_level();
        let (q, width) = (self.job.levels[depth].q, self.job.levels[depth].width);
        let (start, end) = (tree.row_start[node] as usize, tree.row_start[node + 1] as usize);
        let row = |i: usize| tree.row_order.as_ref().map_or(i, |order| order[i] as usize);
        let rows = end - start;
        let mut local = std::mem::take(&mut self.local);
        if rows <= LOCAL_ROWS {
            self.job
                .rows
                .gather(rows, |i| row(start + i), &mut self.roots, &mut local);
            qr_in_place(&mut local, rows, width, q);
            self.keep(depth, &local, rows, rows.min(q), rows);
        } else {
            let mut acc = TriangleAccumulator::new(width);
            for from in (start..end).step_by(LOCAL_ROWS) {
                workers.check()?;
                let take = LOCAL_ROWS.min(end - from);
                self.job
                    .rows
                    .gather(take, |i| row(from + i), &mut self.roots, &mut local);
                acc.push(&local, take, 0, take, 0);
            }
            self.keep(depth, acc.triangle(), width, q.min(rows), width);
        }
        self.local = local;
        Ok(())
    }

    /// Of a rotated matrix with `rows` rows keep the first `q` as the block of a node at `depth`, and hand the others,
    /// which are orthogonal to the columns of `depth`, to the level above.
    fn keep(&mut self, depth: usize, src: &[f64], rows: usize, q: usize, ld: usize) {
        let level = &self.job.levels[depth];
        for column in src.chunks_exact(ld.max(1)).take(level.width) {
            self.piece.levels[depth].extend_from_slice(&column[..q]);
        }
        self.piece
            .total
            .push(src, ld, 0, q, level.width - (self.job.p + 1));
        let receiver = match depth {
            0 => &mut self.piece.root,
            _ => &mut self.above[depth - 1],
        };
        receiver.push(src, ld, q, rows - q, level.q);
    }
}

impl Reduced {
    /// Leave out columns of X.
    fn keep_columns(&mut self, kept: Vec<usize>) {
        let p = self.p();
        let drop_from = |data: &[f64], ld: usize, width: usize| -> Vec<f64> {
            let first = width - (p + 1);
            (0..first)
                .chain(kept.iter().map(|j| first + j))
                .chain(std::iter::once(width - 1))
                .flat_map(|c| data[c * ld..(c + 1) * ld].iter().copied())
                .collect()
        };
        let smaller = |tri: &[f64]| {
            let mut acc = TriangleAccumulator::new(kept.len() + 1);
            acc.push(&drop_from(tri, p + 1, p + 1), p + 1, 0, p + 1, 0);
            acc.triangle().to_vec()
        };
        self.root = smaller(&self.root);
        self.total = smaller(&self.total);
        for level in &mut self.levels {
            let width = level.width - (p - kept.len());
            let mut data = Vec::with_capacity(level.data.len());
            let mut start = vec![0; level.start.len()];
            for node in 0..level.rows.len() {
                let (block, m) = level.block(node);
                data.extend(drop_from(block, m, level.width));
                start[node + 1] = start[node] + m * width;
            }
            (level.width, level.data, level.start) = (width, data, start);
        }
        self.frame.kept = kept;
    }

    /// Something must be left to estimate the residual variance from, of `n` rows that tell something.
    fn check_degrees_of_freedom(&self, n: usize) -> Result<()> {
        let p = self.p();
        check_degrees_of_freedom(n, &self.total)?;
        let random: usize = self
            .levels
            .iter()
            .flat_map(|l| l.rows.iter())
            .map(|r| *r as usize)
            .sum();
        let d = p + 1;
        let response = self.total[p * d..].iter().map(|v| v * v).sum::<f64>().sqrt();
        if n > p + random && self.root[p * d + p].abs() <= PERFECT * response {
            return Err(Error::invalid(
                "perfect_fit",
                "fixed and random effects fit the response exactly: the likelihood has no maximum",
            ));
        }
        Ok(())
    }
}

/// A residual of this size, relative to the response, is rounding.
const PERFECT: f64 = 1e-14;

/// More rows than fixed effects, and a response that the fixed effects do not fit exactly: from the triangle of all of
/// `[X y]` over the columns of X that are kept.
///
/// # Errors
/// [`Error::InvalidInput`] (`"degrees_of_freedom"`, `"perfect_fit"`).
pub fn check_degrees_of_freedom(n: usize, total: &[f64]) -> Result<()> {
    let d = square_size(total);
    let p = d - 1;
    if n <= p {
        return Err(Error::invalid(
            "degrees_of_freedom",
            format!("{n} rows do not determine {p} fixed effects and a residual variance"),
        ));
    }
    let y = &total[(d - 1) * d..];
    let response = y.iter().map(|v| v * v).sum::<f64>().sqrt();
    let left = y[d - 1].abs();
    if response == 0.0 || left <= PERFECT * response {
        return Err(Error::invalid(
            "perfect_fit",
            "the fixed effects fit the response exactly: there is no variance to estimate",
        ));
    }
    Ok(())
}
