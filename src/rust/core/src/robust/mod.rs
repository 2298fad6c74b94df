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
//! Rows may be rotated among each other: beyond the columns of `[Z_i X_i]` they then hold residuals only, V is diagonal
//! there and A leaves them alone, so they never meet X, and at most as many rows are kept as there are such columns. CR0
//! and CR3 are the same for rows that are multiplied by the roots of their weights; CR2 is not, and only rows of equal
//! weight are rotated among each other.
//!
//! Vignette "The algorithm": Eq. Sandwich.

mod adjust;
mod clusters;
mod wide;

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
    let clusters = Clusters::new(design, cluster, unpack(design, packed)?, adjustment)?;
    clusters.check_memory(extent, options)?;
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
        clusters.contributions(range, &r_inverse, extent, &workers)
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
        extent: Extent,
        workers: &Workers<'_>,
    ) -> Result<Piece> {
        let p = self.design.p;
        let mut piece = Piece::default();
        for i in range {
            let block = self.block(i, workers)?;
            let r = block.rows;
            let q = matmul(&block.x, r_inverse, r, p, p);
            let g = match self.adjustment {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::covstruct::Structure;
    use crate::design::{Column, Factor, Term};

    /// 11 groups of 3 to 13 rows; columns of X; a group and one within it.
    struct Data {
        y: Vec<f64>,
        x: Vec<f64>,
        weights: Vec<f64>,
        outer: Vec<i32>,
        inner: Vec<i32>,
    }

    fn noise(k: usize) -> f64 {
        ((k * 7919 + 13) % 101) as f64 / 50.0 - 1.0
    }

    fn data() -> Data {
        let outer: Vec<i32> = (1..=11).flat_map(|g| vec![g; 2 + g as usize]).collect();
        let n = outer.len();
        let inner = (0..n).map(|i| 2 * outer[i] - (i % 2) as i32).collect();
        Data {
            y: (0..n).map(noise).collect(),
            x: (0..2 * n)
                .map(|k| if k < n { 1.0 } else { noise(3 * k) })
                .collect(),
            weights: (0..n).map(|i| [0.5, 4.0, 7.0][i % 3]).collect(),
            outer,
            inner,
        }
    }

    fn design(data: &Data, weighted: bool) -> Design<'_> {
        let term = |factor, columns| Term {
            factor,
            columns,
            structure: Structure::Unstructured,
            free: vec![],
        };
        Design {
            y: &data.y,
            x: &data.x,
            p: 2,
            weights: weighted.then_some(&data.weights[..]),
            offset: None,
            terms: vec![
                term(0, vec![Column::One]),
                term(1, vec![Column::One, Column::Fixed(1)]),
            ],
            factors: vec![
                Factor {
                    codes: &data.inner,
                    levels: 22,
                },
                Factor {
                    codes: &data.outer,
                    levels: 11,
                },
            ],
        }
    }

    fn options() -> Options {
        Options {
            start: Some(vec![vec![0.7], vec![1.5, -0.4, 0.3]]),
            ..Options::default()
        }
    }

    fn run(design: &Design<'_>, adjustment: Adjustment, options: &Options) -> Result<Robust> {
        let stop = AtomicBool::new(false);
        robust(design, 1, adjustment, Extent::Moments, options, &stop)
    }

    /// `sum_i G_i'G_i - G_i'Q_i Q_i'G_i`: the expected value of the sum of squares of the scores.
    fn expected(r: &Robust, p: usize) -> Vec<f64> {
        let mut sum = vec![0.0; p * p];
        for (square, cross) in r.squares.chunks_exact(p * p).zip(r.crosses.chunks_exact(p * p)) {
            for k in 0..p * p {
                let inner = |c: usize| cross[c * p + k % p] * cross[c * p + k / p];
                sum[k] += square[k] - (0..p).map(inner).sum::<f64>();
            }
        }
        sum
    }

    #[test]
    fn bias_reduced_scores_are_unbiased_and_plain_ones_sum_to_the_information() {
        let data = data();
        for weighted in [false, true] {
            let design = design(&data, weighted);
            let reduced = run(&design, Adjustment::BiasReduced, &options()).unwrap();
            for (k, v) in expected(&reduced, 2).iter().enumerate() {
                let unit = if k % 3 == 0 { 1.0 } else { 0.0 };
                approx::assert_relative_eq!(*v, unit, epsilon = 1e-12);
            }
            let plain = run(&design, Adjustment::None, &options()).unwrap();
            let total: f64 = plain.squares.chunks_exact(4).map(|s| s[0] + s[3]).sum();
            approx::assert_relative_eq!(total, 2.0, epsilon = 1e-12);
            let bias = expected(&plain, 2);
            assert!(bias[0] < 0.95 && bias[3] < 0.95);
            let jackknife = expected(&run(&design, Adjustment::Jackknife, &options()).unwrap(), 2);
            assert!(jackknife[0] > 1.01 && jackknife[3] > 1.01);
        }
    }

    #[test]
    fn rows_of_equal_weight_may_be_split_into_unequal_ones_that_hardly_differ() {
        let data = data();
        let mut nearly = data.weights.clone();
        nearly
            .iter_mut()
            .enumerate()
            .for_each(|(i, w)| *w *= 1.0 + 1e-13 * i as f64);
        let design = design(&data, true);
        let mut split = design.clone();
        split.weights = Some(&nearly);
        for adjustment in [Adjustment::BiasReduced, Adjustment::Jackknife] {
            let a = run(&design, adjustment, &options()).unwrap();
            let b = run(&split, adjustment, &options()).unwrap();
            for (x, y) in a.scores.iter().zip(&b.scores) {
                approx::assert_relative_eq!(*x, *y, epsilon = 1e-10);
            }
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let data = data();
        let good = design(&data, true);
        let small = Options {
            max_memory: 100.0,
            ..options()
        };
        let what = |d: &Design<'_>, o: &Options| run(d, Adjustment::BiasReduced, o).unwrap_err().what();
        assert_eq!(what(&good, &small), "memory");
        assert_eq!(what(&good, &Options::default()), "start");
        let crossed: Vec<i32> = (0..data.y.len()).map(|i| 1 + (i % 4) as i32).collect();
        let mut bad = good.clone();
        bad.factors[0] = Factor {
            codes: &crossed,
            levels: 4,
        };
        assert_eq!(what(&bad, &options()), "bug");
        let stop = AtomicBool::new(true);
        let stopped = robust(&good, 1, Adjustment::None, Extent::Scores, &options(), &stop);
        assert_eq!(stopped.unwrap_err(), Error::Interrupted);
    }
}
