//! Single rows at fixed theta, from what the fit with all rows knows of them.
//!
//! With `P = V^-1 - V^-1X S X'V^-1`, `h` the leverage of row i (diagonal of the matrix that makes fitted values of the
//! response), `e = y - X beta - Z b` and `a = x - K'z` ([`crate::prediction`]), `P_ii = w (1 - h)`, `(P y)_i = w e` and
//! `X'V^-1 e_i = w a`, so that (Christensen, Pearson and Johnson 1992, secs. 2 and 3; Demidenko and Stukel 2005, sec. 4)
//!
//! ```text
//! beta - beta(i) = S a w e / (1 - h)
//! S(i)           = S + S a a'S w / (1 - h)
//! r2(i)          = r2 - w e^2 / (1 - h)
//! ```

use super::{settled, spread, square_of, without_rows, Deleted, Request};
use crate::design::Design;
use crate::engine::choose;
use crate::error::{zeros, Result};
use crate::estimates::{fitted, fixed_effects, fixed_root, modes_in_user_units, to_engine};
use crate::fit::{start_lambda, Options};
use crate::linalg::axpy;
use crate::parallel::Workers;
use crate::prediction::{check_memory, for_each_row, Errors};

/// Below this `1 - h` a row may be all that determines a fixed effect: the rest is reduced again.
const ALONE: f64 = 1e-8;

/// `R^-T a` and the leverage divided by the weight, of one row.
type Seen = (Vec<f64>, f64);

/// What the fit with all rows knows, in the user's units.
struct Known {
    kept: Vec<usize>,
    beta: Vec<f64>,
    /// `R^-1`, and `S`, its square.
    root: Vec<f64>,
    covariance: Vec<f64>,
    r2: f64,
    theta: Vec<f64>,
    /// Fitted values.
    means: Vec<f64>,
    seen: Vec<Seen>,
}

impl Known {
    fn of(design: &Design<'_>, options: &Options, workers: &Workers<'_>) -> Result<Known> {
        let mut engine = choose(design, options.making(), workers)?;
        check_memory(design, engine.as_ref(), options.max_memory)?;
        let at = to_engine(engine.as_ref(), &start_lambda(design, options)?)?;
        engine.value(&at)?;
        let kept = engine.frame().kept.clone();
        let beta = fixed_effects(engine.as_ref());
        let mut means = zeros(design.n(), "the fitted values")?;
        let modes = modes_in_user_units(engine.as_ref())?;
        fitted(design, &kept, &beta, &modes, &mut means);
        let add = |all: &mut Vec<Seen>, row: &Errors<'_>| {
            let both = row.own.iter().zip(row.response);
            let a: Vec<f64> = both.map(|(o, r)| (o - r) * row.unit).collect();
            let square = a.iter().map(|v| v * v).sum::<f64>();
            all.push((a, row.variance * row.unit * row.unit + square));
        };
        let seen = for_each_row(design, engine.as_mut(), workers, add)?.concat();
        let (root, scaling) = (fixed_root(engine.as_ref()), &engine.frame().scaling);
        Ok(Known {
            kept,
            beta,
            covariance: square_of(&root),
            root,
            r2: engine.root().r2 * scaling.w * scaling.y * scaling.y,
            theta: options.start.iter().flatten().flatten().copied().collect(),
            means,
            seen,
        })
    }

    /// `1 - h`.
    fn left(&self, design: &Design<'_>, row: usize) -> f64 {
        1.0 - design.weights.map_or(1.0, |w| w[row]) * self.seen[row].1
    }

    /// The estimates without a row.
    fn without(&self, design: &Design<'_>, options: &Options, row: usize) -> Deleted {
        let small = self.kept.len();
        let w = design.weights.map_or(1.0, |w| w[row]);
        let (left, e) = (self.left(design, row), design.y[row] - self.means[row]);
        // S a
        let mut answer = vec![0.0; small];
        for (j, v) in self.seen[row].0.iter().enumerate() {
            axpy(*v, &self.root[j * small..(j + 1) * small], &mut answer);
        }
        let mut s = self.covariance.clone();
        for (j, v) in answer.iter().enumerate() {
            axpy(v * w / left, &answer, &mut s[j * small..(j + 1) * small]);
        }
        let mut beta = vec![f64::NAN; design.p];
        for (k, j) in self.kept.iter().enumerate() {
            beta[*j] = self.beta[k] - answer[k] * w * e / left;
        }
        let n = options.estimation.denominator(design.n() - 1, small);
        Deleted {
            beta,
            covariance: spread(&s, &self.kept, design.p),
            sigma2: (self.r2 - w * e * e / left) / n,
            theta: self.theta.clone(),
            evaluations: 0,
            outcome: Ok(None),
        }
    }
}

/// The estimates without each row, theta held.
pub fn delete(
    design: &Design<'_>,
    options: &Options,
    request: &Request<'_>,
    workers: &Workers<'_>,
) -> Result<Vec<Deleted>> {
    let known = Known::of(design, options, workers)?;
    let mut row_of = vec![0; request.count];
    let clusters = request.clusters.iter().enumerate();
    clusters.for_each(|(row, c)| row_of[*c as usize - 1] = row);
    let mut all = Vec::with_capacity(request.count);
    for (cluster, row) in row_of.into_iter().enumerate() {
        if cluster % 1024 == 0 {
            workers.check()?;
        }
        let alone = known.left(design, row) < ALONE || design.n() <= known.kept.len() + 1;
        all.push(if alone {
            settled(design, without_rows(design, options, request, cluster, workers))?
        } else {
            known.without(design, options, row)
        });
    }
    Ok(all)
}
