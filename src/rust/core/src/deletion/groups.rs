//! Clusters of whole independent groups: their blocks are left out of the reduction.
//!
//! The triangle of all clusters but one is that of those before it and those after it, both of which are built up by QR
//! once: nothing is subtracted, and the rows are never read again.

use super::{estimated, settled, spread, square_of, without_rows, Deleted, Method, Request};
use crate::design::{Design, Factor};
use crate::engine::{Engine, Frame};
use crate::error::{zeros, Result};
use crate::estimates::{fixed_effects_of, to_engine};
use crate::fit::{start_lambda, Options};
use crate::grouped::Grouped;
use crate::grouping::Tree;
use crate::linalg::{invert_upper, TriangleAccumulator};
use crate::parallel::Workers;
use crate::rank::independent_columns;
use crate::reduction::apart::{self, reduce_apart, Rest};

/// The reduction, and which groups belong to which cluster.
pub struct Apart<'a> {
    request: Request<'a>,
    parts: apart::Apart,
    /// Cluster of each outermost node, from 0.
    owner: Vec<usize>,
    /// Rows, and sums of the logarithms of their weights, of each cluster.
    rows: Vec<usize>,
    log_weights: Vec<f64>,
    roots: Others,
    totals: Others,
}

/// Per cluster the triangle of all others.
struct Others {
    d: usize,
    before: Vec<f64>,
    after: Vec<f64>,
}

impl Others {
    /// From the triangles of nodes, `d x d` one after the other, and the cluster of each.
    fn of(triangles: &[f64], owner: &[usize], count: usize, d: usize) -> Result<Others> {
        let size = d * d;
        let mut own: Vec<Vec<usize>> = vec![Vec::new(); count];
        owner.iter().enumerate().for_each(|(node, c)| own[*c].push(node));
        let run = |order: &mut dyn Iterator<Item = usize>| -> Result<Vec<f64>> {
            let mut all = zeros(count * size, "the triangles of all clusters")?;
            let mut acc = TriangleAccumulator::new(d);
            for c in order {
                all[c * size..(c + 1) * size].copy_from_slice(acc.triangle());
                for node in &own[c] {
                    acc.push(&triangles[node * size..(node + 1) * size], d, 0, d, 0);
                }
            }
            Ok(all)
        };
        Ok(Others {
            d,
            before: run(&mut (0..count))?,
            after: run(&mut (0..count).rev())?,
        })
    }

    fn without(&self, cluster: usize) -> Vec<f64> {
        let size = self.d * self.d;
        let part = |all: &Vec<f64>| {
            TriangleAccumulator::from_triangle(&all[cluster * size..(cluster + 1) * size], self.d)
        };
        let mut acc = part(&self.before);
        acc.merge(&mut part(&self.after));
        acc.triangle().to_vec()
    }
}

impl<'a> Apart<'a> {
    /// The reduction, where all factors are nested and every cluster is made of whole groups; `None` where not.
    pub fn of(
        design: &Design<'_>,
        options: &Options,
        request: &Request<'a>,
        workers: &Workers<'_>,
    ) -> Result<Option<Self>> {
        let mut used = vec![false; design.factors.len()];
        design.terms.iter().for_each(|t| used[t.factor] = true);
        let Ok(tree) = Tree::build(&design.factors, &used)? else {
            return Ok(None);
        };
        let Some(owner) = owners(design, &tree, request) else {
            return Ok(None);
        };
        let d = design.p + 1;
        let triangles = 16.0 * (d * d) as f64 * (owner.len() + 2 * request.count) as f64;
        if triangles > 0.5 * options.max_memory {
            return Ok(None);
        }
        let parts = reduce_apart(design, tree, options.rank_tolerance, options.max_memory, workers)?;
        if parts.reduced.p() < design.p {
            return Ok(None);
        }
        let (mut rows, mut log_weights) = (vec![0; request.count], vec![0.0; request.count]);
        for (i, c) in request.clusters.iter().enumerate() {
            rows[*c as usize - 1] += 1;
            log_weights[*c as usize - 1] += design.weights.map_or(0.0, |w| w[i].ln());
        }
        Ok(Some(Apart {
            request: *request,
            roots: Others::of(&parts.roots, &owner, request.count, d)?,
            totals: Others::of(&parts.totals, &owner, request.count, d)?,
            parts,
            owner,
            rows,
            log_weights,
        }))
    }

    /// The estimates without a cluster.
    pub fn without(
        &self,
        design: &Design<'_>,
        options: &Options,
        cluster: usize,
        method: Method,
        workers: &Workers<'_>,
    ) -> Result<Deleted> {
        let nodes: Vec<usize> = (0..self.owner.len())
            .filter(|g| self.owner[*g] != cluster)
            .collect();
        let total = self.totals.without(cluster);
        let p = design.p;
        if nodes.is_empty() || independent_columns(&total, p + 1, p, options.rank_tolerance).len() < p {
            return without_rows(design, options, &self.request, cluster, workers);
        }
        let others = |all: &[f64]| -> f64 {
            let rest = all.iter().enumerate().filter(|(c, _)| *c != cluster);
            rest.map(|(_, v)| v).sum()
        };
        let reduced = self.parts.reduced.only(Rest {
            nodes,
            n: design.n() - self.rows[cluster],
            log_weights: others(&self.log_weights),
            root: self.roots.without(cluster),
            total,
        })?;
        // what the engine asks of a design is the number of levels
        let mut rest = design.clone();
        for level in 0..reduced.tree.levels.len() {
            let here = reduced.tree.position.iter().zip(rest.factors.iter_mut());
            for (_, factor) in here.filter(|((depth, _), _)| *depth == level) {
                *factor = Factor {
                    levels: reduced.tree.levels[level].nodes(),
                    ..*factor
                };
            }
        }
        let mut engine = Grouped::new(&rest, reduced, options.estimation, workers)?;
        estimated(&rest, &mut engine, options, method)
    }

    /// All clusters at the parameters of the fit: one evaluation, and a triangle for each.
    pub fn fixed(
        self,
        design: &Design<'_>,
        options: &Options,
        workers: &Workers<'_>,
    ) -> Result<Vec<Deleted>> {
        let p = design.p;
        let d = p + 1;
        let lambda = start_lambda(design, options)?;
        let theta: Vec<f64> = options.start.iter().flatten().flatten().copied().collect();
        let Apart {
            request,
            parts,
            owner,
            rows,
            totals,
            ..
        } = self;
        let mut engine = Grouped::new(design, parts.reduced, options.estimation, workers)?;
        let at = to_engine(&engine, &lambda)?;
        let mut triangles = engine.node_triangles(&at)?;
        for (own, free) in triangles
            .chunks_exact_mut(d * d)
            .zip(parts.roots.chunks_exact(d * d))
        {
            let mut acc = TriangleAccumulator::from_triangle(own, d);
            acc.push(free, d, 0, d, 0);
            own.copy_from_slice(acc.triangle());
        }
        let all = Others::of(&triangles, &owner, request.count, d)?;
        let frame = engine.frame();
        let one = |cluster: usize| -> Result<Deleted> {
            let total = totals.without(cluster);
            let full = independent_columns(&total, d, p, options.rank_tolerance).len() == p;
            let n = design.n() - rows[cluster];
            let tri = all.without(cluster);
            match invert_upper(&tri, d, p).filter(|_| full && n > p) {
                Some(inverse) => Ok(Deleted {
                    theta: theta.clone(),
                    ..solved(frame, options, &tri, &inverse, n)
                }),
                None => settled(design, without_rows(design, options, &request, cluster, workers)),
            }
        };
        workers.map((0..request.count).collect(), one)
    }
}

/// Fixed effects and residual variance from a triangle of `[X y]` over n rows, whitened, and the inverse of its first columns.
fn solved(frame: &Frame, options: &Options, tri: &[f64], inverse: &[f64], n: usize) -> Deleted {
    let (p, scaling) = (frame.p(), &frame.scaling);
    let d = p + 1;
    let beta: Vec<f64> = (0..p)
        .map(|i| (i..p).map(|k| inverse[k * p + i] * tri[p * d + k]).sum())
        .collect();
    let unit = |k: usize| scaling.x[frame.kept[k % p]] * scaling.w.sqrt();
    let root: Vec<f64> = inverse.iter().enumerate().map(|(k, v)| v / unit(k)).collect();
    let r2 = tri[p * d + p] * tri[p * d + p] * scaling.w * scaling.y * scaling.y;
    Deleted {
        beta: fixed_effects_of(frame, &beta),
        covariance: spread(&square_of(&root), &frame.kept, p),
        sigma2: r2 / options.estimation.denominator(n, p),
        theta: Vec::new(),
        evaluations: 1,
        outcome: Ok(None),
    }
}

/// The cluster of each outermost node; `None` when one has rows of several.
fn owners(design: &Design<'_>, tree: &Tree, request: &Request<'_>) -> Option<Vec<usize>> {
    let factor = tree.levels[0].factor;
    let node_of = &tree.position[factor].1;
    let mut owner = vec![usize::MAX; tree.levels[0].nodes()];
    for (code, cluster) in design.factors[factor].codes.iter().zip(request.clusters) {
        let (slot, cluster) = (
            &mut owner[node_of[(*code - 1) as usize] as usize],
            *cluster as usize - 1,
        );
        if *slot == usize::MAX {
            *slot = cluster;
        } else if *slot != cluster {
            return None;
        }
    }
    Some(owner)
}
