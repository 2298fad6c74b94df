//! Cluster-robust covariance of the fixed effects: what every cluster contributes, and what degrees of freedom need.
//!
//! With `V_i = C_i C_i'` the covariance of the rows of cluster i relative to sigma^2, `R'R = X'V^-1X` and
//! `Q_i = C_i^-1 X_i R^-1`, the sandwich is `R^-1 (sum_i s_i s_i') R^-T` with `s_i = R^-T X_i'V_i^-1 A_i e_i`, for residuals
//! `e = y - X beta`. All adjustments A (Pustejovsky and Tipton 2018, eqs. 5 and 11, with target `V`) are taken in the form
//! `s_i = G_i' C_i^-1 e_i`:
//!
//! | | G_i |
//! |---|---|
//! | CR0 | `Q_i` |
//! | CR2 | `C_i'C_i (C_i'C_i (I - Q_i Q_i') C_i'C_i)^(-1/2) Q_i` |
//! | CR3 | `(I - Q_i Q_i')^-1 Q_i` |
//!
//! where roots and inverses leave out directions in which the cluster alone determines X. Under the working model the
//! covariance of `s_i` and `s_j` is then `1{i = j} G_i'G_i - G_i'Q_i Q_j'G_j`.
//!
//! Rows of equal weight may be rotated among each other. Beyond the columns of `[Z_i X_i]` the rotated rows hold
//! residuals only, V is diagonal there and A leaves them alone, so they never meet X: of each weight at most as many rows
//! are kept as there are such columns.

mod adjust;
mod clusters;

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use crate::design::Design;
use crate::error::{reserved, Error, Result};
use crate::fit::{unpack, Options};
use crate::linalg::{dot, invert_upper, matmul, TriangleAccumulator};
use crate::parallel::{chunks, Workers};
use adjust::{bias_reduced, jackknife};
use clusters::Clusters;

/// Work from which on further threads pay.
const MUCH_WORK: f64 = 3e7;

/// The adjustment of the residuals of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// None: CR0, and all that differ from it by a factor.
    None,
    /// Bias-reduced linearisation: CR2.
    BiasReduced,
    /// The jackknife, approximately: CR3.
    Jackknife,
}

impl Adjustment {
    /// From its name: `"none"`, `"bias_reduced"`, `"jackknife"`.
    ///
    /// # Errors
    /// [`Error::Bug`] for another name.
    pub fn parse(name: &str) -> Result<Adjustment> {
        match name {
            "none" => Ok(Adjustment::None),
            "bias_reduced" => Ok(Adjustment::BiasReduced),
            "jackknife" => Ok(Adjustment::Jackknife),
            other => Err(Error::Bug(format!("there is no adjustment \"{other}\""))),
        }
    }
}

/// How much is computed for each cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Scores only: enough for the covariance.
    Scores,
    /// Scores and the matrices that degrees of freedom are made from.
    Moments,
}

/// What the clusters contribute, in coordinates in which `X'V^-1X` is the identity.
#[derive(Debug, Clone)]
pub struct Robust {
    /// `R^-1` in the user's units, upper triangular, `p x p`: `R^-1 R^-T` is the covariance of beta relative to sigma^2.
    pub r_inverse: Vec<f64>,
    /// Per cluster `s_i`, `p x m`.
    pub scores: Vec<f64>,
    /// Per cluster `G_i'Q_i`, `p x p x m`; empty without moments.
    pub crosses: Vec<f64>,
    /// Per cluster `G_i'G_i`, `p x p x m`; empty without moments.
    pub squares: Vec<f64>,
}

/// The contributions of the clusters: the levels of a factor in which all factors of the terms are nested. The response
/// of `design` are the residuals `y - X beta` in units of sigma, all its columns of X are independent, and
/// `options.start` holds the relative factors.
///
/// # Errors
/// [`Error::InvalidInput`] (`"memory"` when it would take too many bytes, `"start"`), [`Error::Numerical`],
/// [`Error::Interrupted`].
pub fn robust(
    design: &Design<'_>,
    cluster: usize,
    adjustment: Adjustment,
    extent: Extent,
    options: &Options,
    stop: &AtomicBool,
) -> Result<Robust> {
    design.check()?;
    let packed = options.start.as_deref().unwrap_or(&[]);
    let clusters = Clusters::new(design, cluster, unpack(design, packed)?)?;
    clusters.check_memory(adjustment, extent, options)?;
    let work: f64 = (0..clusters.count()).map(|i| clusters.work(i)).sum();
    let threads = if work > MUCH_WORK { options.threads } else { 1 };
    let workers = Workers::new(threads, stop)?;
    let sizes = (0..clusters.count()).map(|i| clusters.work(i).min(1e15) as usize);
    let ranges = chunks(sizes, 1 << 16, 64);
    let p = design.p;
    let pieces = workers.map(ranges.clone(), |range| clusters.triangle(range, &workers))?;
    let mut all = TriangleAccumulator::new(p);
    for mut piece in pieces {
        all.merge(&mut piece);
    }
    let r_inverse = invert_upper(all.triangle(), p, p)
        .ok_or_else(|| Error::Numerical("X'V^-1X is singular at these variances".to_string()))?;
    let pieces = workers.map(ranges, |range| {
        clusters.contributions(range, &r_inverse, adjustment, extent, &workers)
    })?;
    let mut out = Robust {
        r_inverse: clusters.in_user_units(r_inverse),
        scores: reserved(p * clusters.count(), "the scores of the clusters")?,
        crosses: Vec::new(),
        squares: Vec::new(),
    };
    if extent == Extent::Moments {
        out.crosses = reserved(p * p * clusters.count(), "the moments of the clusters")?;
        out.squares = reserved(p * p * clusters.count(), "the moments of the clusters")?;
    }
    for piece in pieces {
        out.scores.extend(piece.scores);
        out.crosses.extend(piece.crosses);
        out.squares.extend(piece.squares);
    }
    let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
    if finite(&out.r_inverse) && finite(&out.scores) && finite(&out.squares) && finite(&out.crosses) {
        Ok(out)
    } else {
        Err(Error::Numerical(
            "the contributions of the clusters are outside the range of numbers".to_string(),
        ))
    }
}

/// The contributions of some clusters.
#[derive(Default)]
struct Piece {
    scores: Vec<f64>,
    crosses: Vec<f64>,
    squares: Vec<f64>,
}

impl Clusters<'_> {
    /// The triangle of `C^-1 X` of some clusters.
    fn triangle(&self, range: Range<usize>, workers: &Workers<'_>) -> Result<TriangleAccumulator> {
        let mut all = TriangleAccumulator::new(self.design.p);
        for i in range {
            let block = self.block(i, workers)?;
            all.push(&block.x, block.rows, 0, block.rows, 0);
        }
        Ok(all)
    }

    fn contributions(
        &self,
        range: Range<usize>,
        r_inverse: &[f64],
        adjustment: Adjustment,
        extent: Extent,
        workers: &Workers<'_>,
    ) -> Result<Piece> {
        let p = self.design.p;
        let mut piece = Piece::default();
        for i in range {
            let block = self.block(i, workers)?;
            let r = block.rows;
            let q = matmul(&block.x, r_inverse, r, p, p);
            let g = match adjustment {
                Adjustment::None => q.clone(),
                Adjustment::BiasReduced => bias_reduced(&q, &block.root, r, p)?,
                Adjustment::Jackknife => jackknife(&q, r, p)?,
            };
            let columns = || g.chunks_exact(r.max(1)).take(p);
            piece.scores.extend(columns().map(|g| dot(g, &block.residual)));
            if extent == Extent::Moments {
                for q in q.chunks_exact(r) {
                    piece.crosses.extend(columns().map(|g| dot(g, q)));
                }
                for h in columns() {
                    piece.squares.extend(columns().map(|g| dot(g, h)));
                }
            }
        }
        Ok(piece)
    }
}
