//! The reduction with what every outermost group adds to the triangles kept apart, so that groups can be left out.
//!
//! Vignette "The algorithm": Eq. Reduction.

use std::ops::Range;

use super::{assemble, columns_inside_out, finish, gram, layout, Job, LevelBlocks, Piece, Reduced, Walk};
use crate::design::Design;
use crate::error::{reserved, Result};
use crate::grouping::{Level, Tree};
use crate::linalg::TriangleAccumulator;
use crate::memory::Plan;
use crate::parallel::{chunks, Workers};
use crate::reader::RowReader;
use crate::scaling::Scaling;

/// A reduced problem and the parts of its triangles.
pub struct Apart {
    /// All groups together.
    pub reduced: Reduced,
    /// Per outermost node its part of [`Reduced::root`], `(p+1) x (p+1)` over all columns of X.
    pub roots: Vec<f64>,
    /// Per outermost node its part of [`Reduced::total`].
    pub totals: Vec<f64>,
}

/// As [`super::reduce`].
///
/// # Errors
/// As [`super::reduce`].
pub fn reduce_apart(
    design: &Design<'_>,
    tree: Tree,
    rank_tol: f64,
    max_memory: f64,
    workers: &Workers<'_>,
) -> Result<Apart> {
    let plan = Plan::of(design, &tree);
    plan.check(max_memory)?;
    let scaling = Scaling::of(design);
    let mut levels = layout(design, &tree);
    let chunks = chunks(tree.outer_sizes().into_iter(), 16_384, plan.chunks);
    let parts = {
        let rows = RowReader::new(design, &scaling, columns_inside_out(design, &scaling, &levels));
        let job = Job {
            tree: &tree,
            levels: &levels,
            rows: &rows,
            p: design.p,
        };
        workers.map(chunks.clone(), |range| Part::run(&job, range, workers))?
    };
    let size = (design.p + 1) * (design.p + 1) * tree.levels[0].nodes();
    let mut roots = reserved(size, "the triangles of all groups")?;
    let mut totals = reserved(size, "the triangles of all groups")?;
    let mut pieces = Vec::new();
    for part in parts {
        roots.extend_from_slice(&part.roots);
        totals.extend_from_slice(&part.totals);
        pieces.push(part.piece);
    }
    let triangles = assemble(design.p, &mut levels, pieces)?;
    Ok(Apart {
        reduced: finish(design, (tree, levels, chunks), scaling, triangles, rank_tol)?,
        roots,
        totals,
    })
}

/// What one chunk reduces to, and its nodes' parts.
struct Part {
    piece: Piece,
    roots: Vec<f64>,
    totals: Vec<f64>,
}

impl Part {
    fn run(job: &Job<'_>, range: Range<usize>, workers: &Workers<'_>) -> Result<Part> {
        let mut part = Part {
            piece: Piece {
                levels: vec![Vec::new(); job.levels.len()],
                root: TriangleAccumulator::new(job.p + 1),
                total: TriangleAccumulator::new(job.p + 1),
            },
            roots: Vec::new(),
            totals: Vec::new(),
        };
        for node in range {
            let mut one = Walk::run(job, node..node + 1, workers)?;
            part.roots.extend_from_slice(one.root.triangle());
            part.piece.root.merge(&mut one.root);
            part.piece.total.merge(&mut one.total);
            one.total.merge(&mut one.root);
            part.totals.extend_from_slice(one.total.triangle());
            for (all, mut own) in part.piece.levels.iter_mut().zip(one.levels) {
                all.append(&mut own);
            }
        }
        Ok(part)
    }
}

/// What is left when groups are left out.
pub struct Rest {
    /// Outermost nodes that remain, in order.
    pub nodes: Vec<usize>,
    /// Number of rows.
    pub n: usize,
    /// Sum of the logarithms of their weights.
    pub log_weights: f64,
    /// Their triangles, as in [`Reduced`].
    pub root: Vec<f64>,
    /// Of all of `[X y]`.
    pub total: Vec<f64>,
}

impl Reduced {
    /// The problem of some of the groups; for estimates of parameters, as the tree forgets where the rows stood.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`] as [`super::reduce`].
    pub fn only(&self, rest: Rest) -> Result<Reduced> {
        let mut levels = Vec::new();
        for (depth, level) in self.levels.iter().enumerate() {
            levels.push(self.blocks_below(depth, level, &rest.nodes)?);
        }
        let mut frame = self.frame.clone();
        (frame.n, frame.log_weights) = (rest.n, rest.log_weights);
        frame.gram = gram(&levels, frame.gram.len());
        let reduced = Reduced {
            frame,
            levels,
            root: rest.root,
            total: rest.total,
            chunks: std::iter::once(0..rest.nodes.len()).collect(),
            tree: self.tree_of(&rest.nodes),
        };
        reduced.check_degrees_of_freedom(reduced.frame.n)?;
        Ok(reduced)
    }

    fn blocks_below(&self, depth: usize, level: &LevelBlocks, nodes: &[usize]) -> Result<LevelBlocks> {
        let ranges = || nodes.iter().map(|g| self.tree.below(&(*g..g + 1), depth));
        let size = ranges().map(|r| level.start[r.end] - level.start[r.start]).sum();
        let mut data = reserved(size, "the reduced data")?;
        let (mut rows, mut start) = (Vec::new(), vec![0]);
        for range in ranges() {
            data.extend_from_slice(&level.data[level.start[range.start]..level.start[range.end]]);
            for node in range {
                rows.push(level.rows[node]);
                let last = start[start.len() - 1];
                start.push(last + level.start[node + 1] - level.start[node]);
            }
        }
        Ok(LevelBlocks {
            q: level.q,
            width: level.width,
            terms: level.terms.clone(),
            rows,
            start,
            data,
        })
    }

    fn tree_of(&self, nodes: &[usize]) -> Tree {
        let leaf = self.tree.leaf_level();
        let mut levels = Vec::new();
        for (depth, level) in self.tree.levels.iter().enumerate() {
            let (mut parent, mut code, mut child_start) = (Vec::new(), Vec::new(), vec![0u32]);
            let (mut above, mut below) = (0u32, 0u32);
            for g in nodes {
                let range = self.tree.below(&(*g..g + 1), depth);
                code.extend_from_slice(&level.code[range.clone()]);
                if depth > 0 {
                    let up = self.tree.below(&(*g..g + 1), depth - 1);
                    let place = |p: &u32| above + p - up.start as u32;
                    parent.extend(level.parent[range.clone()].iter().map(place));
                    above += up.len() as u32;
                }
                if depth < leaf {
                    let first = level.child_start[range.start];
                    let ends = &level.child_start[range.start + 1..=range.end];
                    child_start.extend(ends.iter().map(|e| below + e - first));
                    below += level.child_start[range.end] - first;
                }
            }
            levels.push(Level {
                factor: level.factor,
                parent,
                code,
                child_start: if depth < leaf { child_start } else { Vec::new() },
            });
        }
        Tree {
            levels,
            position: self.tree.position.iter().map(|(d, _)| (*d, Vec::new())).collect(),
            row_order: None,
            row_start: Vec::new(),
        }
    }
}
