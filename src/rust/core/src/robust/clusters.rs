//! The rows of every cluster, rotated to as few as X and the random effects can tell apart, and whitened.

use std::ops::Range;

use super::wide::{root, WideTriangle, WIDE};
use super::{Adjustment, Extent};
use crate::design::{Design, Term};
use crate::error::{zeros, Error, Result};
use crate::fit::Options;
use crate::linalg::{solve_lower, TriangleAccumulator};
use crate::memory::refuse;
use crate::parallel::Workers;
use crate::scaling::Scaling;

/// Rows that are read at a time.
const BATCH: usize = 256;

/// The rows of all clusters.
pub struct Clusters<'a> {
    pub design: &'a Design<'a>,
    /// Per term Lambda, in the units of the scaled weights.
    lambda: Vec<Vec<f64>>,
    scaling: Scaling,
    pub adjustment: Adjustment,
    /// The weights among whose equal ones alone rows may be rotated.
    apart: Option<&'a [f64]>,
    /// Rows by cluster, within it by the weights that are kept apart.
    order: Vec<u32>,
    /// Where each cluster starts (one more element than clusters).
    start: Vec<usize>,
    /// Per factor the number of each level among those of its cluster; empty for factors without a term.
    local: Vec<Vec<u32>>,
    /// Per factor the number of levels in each cluster.
    levels: Vec<Vec<u32>>,
}

/// The rotated rows of a cluster, whitened: C with `C C' = V`, `C^-1 X` and `C^-1 e`.
pub struct Block {
    /// Number of rows.
    pub rows: usize,
    /// C, lower triangular, for rows as they were given where weights are kept apart, else for weighted ones.
    pub root: Vec<f64>,
    /// `C^-1 X`.
    pub x: Vec<f64>,
    /// `C^-1 e`.
    pub residual: Vec<f64>,
}

impl<'a> Clusters<'a> {
    pub fn new(
        design: &'a Design<'a>,
        cluster: usize,
        lambda: Vec<Vec<f64>>,
        adjustment: Adjustment,
    ) -> Result<Self> {
        let factor = design
            .factors
            .get(cluster)
            .ok_or_else(|| Error::Bug("no such factor of clusters".to_string()))?;
        let scaling = Scaling::of(design);
        let apart = match adjustment {
            Adjustment::BiasReduced => design.weights,
            Adjustment::None | Adjustment::Jackknife => None,
        };
        let (order, start) = sort_rows(apart, factor.codes, factor.levels);
        let mut clusters = Clusters {
            design,
            lambda,
            adjustment,
            apart,
            order,
            start,
            local: vec![Vec::new(); design.factors.len()],
            levels: vec![Vec::new(); design.factors.len()],
            scaling,
        };
        for t in &design.terms {
            if clusters.local[t.factor].is_empty() {
                clusters.number_levels(t.factor, factor.codes)?;
            }
        }
        let root = clusters.scaling.w.sqrt();
        clusters.lambda.iter_mut().flatten().for_each(|v| *v *= root);
        Ok(clusters)
    }

    /// Number the levels of a factor within each cluster.
    fn number_levels(&mut self, f: usize, cluster: &[i32]) -> Result<()> {
        let factor = &self.design.factors[f];
        let mut owner = vec![0i32; factor.levels];
        let (mut local, mut count) = (vec![0u32; factor.levels], vec![0u32; self.count()]);
        for (code, i) in factor.codes.iter().zip(cluster) {
            let level = (*code - 1) as usize;
            if owner[level] == 0 {
                owner[level] = *i;
                local[level] = count[(*i - 1) as usize];
                count[(*i - 1) as usize] += 1;
            } else if owner[level] != *i {
                return Err(Error::Bug("a factor is not nested in the clusters".to_string()));
            }
        }
        (self.local[f], self.levels[f]) = (local, count);
        Ok(())
    }

    pub fn count(&self) -> usize {
        self.start.len() - 1
    }

    /// The number of columns of Z of a cluster.
    fn effects(&self, i: usize) -> usize {
        let of = |t: &Term<'_>| t.columns.len() * self.levels[t.factor][i] as usize;
        self.design.terms.iter().map(of).sum()
    }

    /// The rows of a cluster that may be rotated among each other.
    fn classes(&self, i: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let (mut at, end) = (self.start[i], self.start[i + 1]);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let from = at;
            at = match self.apart {
                None => end,
                Some(w) => {
                    let same = |row: &u32| w[*row as usize] == w[self.order[from] as usize];
                    from + self.order[from..end].iter().take_while(|r| same(r)).count()
                }
            };
            Some(from..at)
        })
    }

    /// The number of rows that are kept of a cluster.
    fn kept_rows(&self, i: usize) -> usize {
        let most = self.effects(i) + self.design.p;
        self.classes(i).map(|c| c.len().min(most)).sum()
    }

    /// Multiplications for a cluster, roughly.
    pub fn work(&self, i: usize) -> f64 {
        let (n, r) = (self.start[i + 1] - self.start[i], self.kept_rows(i) as f64);
        let d = (self.effects(i) + self.design.p + 1) as f64;
        let reduction = if n as f64 > r { 2.0 * n as f64 * d * d } else { 0.0 };
        reduction + 20.0 * r * r * r + r * r * d + 500.0
    }

    pub fn check_memory(&self, extent: Extent, options: &Options) -> Result<()> {
        let p = self.design.p as f64;
        let squares = match self.adjustment {
            Adjustment::BiasReduced => 8.0,
            _ => 2.0,
        };
        let bytes = |i: usize| {
            let (k, r) = (self.effects(i) as f64, self.kept_rows(i) as f64);
            let d = k + p + 1.0;
            8.0 * (r * d + (k + 2.0 * r) * r + squares * r * r + d * (3.0 * d + BATCH as f64))
        };
        let largest = (0..self.count()).map(bytes).fold(0.0, f64::max);
        let moments = if extent == Extent::Moments {
            2.0 * p * p
        } else {
            0.0
        };
        let all = 16.0 * self.count() as f64 * (p + moments);
        let total = largest * options.threads as f64 + all;
        if total <= options.max_memory {
            return Ok(());
        }
        let cause = if largest >= all {
            "most of it for the largest cluster"
        } else {
            "most of it for the sums of all clusters"
        };
        Err(refuse(total, options.max_memory, cause))
    }

    /// One row `W^(1/2) [Z Lambda, X, e]` of a cluster, in scaled units, into row `at` of a column-major matrix with `rows` rows of zeros.
    fn fill(&self, i: usize, row: usize, at: usize, rows: usize, out: &mut [f64]) {
        let design = self.design;
        let weight = self.weight_root(row);
        let mut first = 0;
        for (term, lambda) in design.terms.iter().zip(&self.lambda) {
            let q = term.columns.len();
            let level = (design.factors[term.factor].codes[row] - 1) as usize;
            let own = first + self.local[term.factor][level] as usize * q;
            for (r, column) in term.columns.iter().enumerate() {
                let z = design.z_column(*column).map_or(1.0, |z| z[row]);
                for c in 0..=r {
                    out[(own + c) * rows + at] += weight * z * lambda[c * q + r];
                }
            }
            first += q * self.levels[term.factor][i] as usize;
        }
        for j in 0..design.p {
            out[(first + j) * rows + at] = weight * design.x_column(j)[row] / self.scaling.x[j];
        }
        out[(first + design.p) * rows + at] = weight * design.y[row] * self.scaling.w.sqrt();
    }

    fn weight_root(&self, row: usize) -> f64 {
        self.design
            .weights
            .map_or(1.0, |w| w[row] / self.scaling.w)
            .sqrt()
    }

    /// The kept rows `W^(1/2) [Z Lambda, X, e]` of a cluster, and the roots of their weights where these are kept apart.
    fn rows(&self, i: usize, workers: &Workers<'_>) -> Result<(Vec<f64>, Vec<f64>)> {
        let most = self.effects(i) + self.design.p;
        let (width, r) = (most + 1, self.kept_rows(i));
        let mut out = zeros(r * width, "the rows of a cluster")?;
        let mut roots = Vec::with_capacity(r);
        let mut wide: Option<WideTriangle> = None;
        let mut narrow: Option<TriangleAccumulator> = None;
        let mut at = 0;
        for class in self.classes(i) {
            let root = self.weight_root(self.order[class.start] as usize);
            if class.len() <= most {
                for row in &self.order[class.clone()] {
                    self.fill(i, *row as usize, at, r, &mut out);
                    at += 1;
                }
                roots.resize(at, root);
                continue;
            }
            let mut keep = |column: usize, from: &[f64]| {
                out[column * r + at..column * r + at + most].copy_from_slice(&from[..most]);
            };
            // the accumulator passes over columns that many rows in succession lack
            if width < WIDE || class.len() > WIDE * width {
                let triangle = narrow.get_or_insert_with(|| TriangleAccumulator::new(width));
                self.fold(i, class, triangle, workers)?;
                let columns = triangle.triangle().chunks_exact(width).enumerate();
                columns.for_each(|(j, column)| keep(j, column));
            } else {
                let triangle = match &mut wide {
                    Some(triangle) => triangle,
                    None => wide.insert(WideTriangle::new(width)?),
                };
                triangle.reset();
                for row in &self.order[class] {
                    workers.check()?;
                    triangle.push(|at, rows, out| self.fill(i, *row as usize, at, rows, out))?;
                }
                let columns = triangle.columns()?.enumerate();
                columns.for_each(|(j, column)| keep(j, column));
            }
            at += most;
            roots.resize(at, root);
        }
        Ok((out, roots))
    }

    /// The triangle of some rows of a cluster.
    fn fold(
        &self,
        i: usize,
        class: Range<usize>,
        triangle: &mut TriangleAccumulator,
        workers: &Workers<'_>,
    ) -> Result<()> {
        triangle.reset();
        let (width, mut batch) = (self.effects(i) + self.design.p + 1, Vec::new());
        for rows in self.order[class].chunks(BATCH) {
            workers.check()?;
            batch.clear();
            batch.resize(rows.len() * width, 0.0);
            for (k, row) in rows.iter().enumerate() {
                self.fill(i, *row as usize, k, rows.len(), &mut batch);
            }
            triangle.push(&batch, rows.len(), 0, rows.len(), 0);
        }
        Ok(())
    }

    pub fn block(&self, i: usize, workers: &Workers<'_>) -> Result<Block> {
        workers.check()?;
        let (k, p) = (self.effects(i), self.design.p);
        let (rows, roots) = self.rows(i, workers)?;
        let r = roots.len();
        let mut space = root(r, k, |a, b| rows[b * r + a])?;
        let mut right = rows[k * r..].to_vec();
        solve_lower(&space, r, &mut right, p + 1);
        if self.apart.is_some() {
            for column in space.chunks_exact_mut(r.max(1)) {
                column.iter_mut().zip(&roots).for_each(|(v, w)| *v /= w);
            }
        }
        let residual = right.split_off(p * r);
        Ok(Block {
            rows: r,
            root: space,
            x: right,
            residual,
        })
    }

    /// `R^-1` for the columns of X and the weights as they were given.
    pub fn in_user_units(&self, mut r_inverse: Vec<f64>) -> Vec<f64> {
        let (p, root) = (self.design.p, self.scaling.w.sqrt());
        for column in r_inverse.chunks_exact_mut(p.max(1)) {
            for (v, x) in column.iter_mut().zip(&self.scaling.x) {
                *v /= x * root;
            }
        }
        r_inverse
    }
}

/// Rows by cluster, within it by weight, and where each cluster starts.
fn sort_rows(weights: Option<&[f64]>, codes: &[i32], levels: usize) -> (Vec<u32>, Vec<usize>) {
    let mut start = vec![0usize; levels + 1];
    codes.iter().for_each(|c| start[*c as usize] += 1);
    for i in 1..start.len() {
        start[i] += start[i - 1];
    }
    let (mut next, mut order) = (start.clone(), vec![0u32; codes.len()]);
    for (row, c) in codes.iter().enumerate() {
        let slot = &mut next[(*c - 1) as usize];
        order[*slot] = row as u32;
        *slot += 1;
    }
    if let Some(w) = weights {
        for ends in start.windows(2) {
            order[ends[0]..ends[1]].sort_by(|a, b| w[*a as usize].total_cmp(&w[*b as usize]));
        }
    }
    (order, start)
}
