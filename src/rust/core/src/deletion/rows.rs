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

/// The estimates without each row, theta held.
pub fn delete(
    design: &Design<'_>,
    options: &Options,
    request: &Request<'_>,
    workers: &Workers<'_>,
) -> Result<Vec<Deleted>> {
    let mut engine = choose(design, options.making(), workers)?;
    check_memory(design, engine.as_ref(), options.max_memory)?;
    let at = to_engine(engine.as_ref(), &start_lambda(design, options)?)?;
    engine.value(&at)?;
    let (kept, root) = (engine.frame().kept.clone(), fixed_root(engine.as_ref()));
    let (beta, modes) = (
        fixed_effects(engine.as_ref()),
        modes_in_user_units(engine.as_ref())?,
    );
    let mut means = zeros(design.n(), "the fitted values")?;
    fitted(design, &kept, &beta, &modes, &mut means);
    let scaling = &engine.frame().scaling;
    let r2 = engine.root().r2 * scaling.w * scaling.y * scaling.y;
    let add = |all: &mut Vec<Seen>, row: &Errors<'_>| {
        let a: Vec<f64> = row
            .own
            .iter()
            .zip(row.response)
            .map(|(o, r)| (o - r) * row.unit)
            .collect();
        let square = a.iter().map(|v| v * v).sum::<f64>();
        all.push((a, row.variance * row.unit * row.unit + square));
    };
    let seen = for_each_row(design, engine.as_mut(), workers, add)?.concat();
    let (p, small) = (design.p, kept.len());
    let covariance = square_of(&root);
    let theta: Vec<f64> = options.start.iter().flatten().flatten().copied().collect();
    let one = |row: usize| -> Deleted {
        let (a, h) = &seen[row];
        let w = design.weights.map_or(1.0, |w| w[row]);
        let (left, e) = (1.0 - w * h, design.y[row] - means[row]);
        // S a
        let mut answer = vec![0.0; small];
        for (j, v) in a.iter().enumerate() {
            axpy(*v, &root[j * small..(j + 1) * small], &mut answer);
        }
        let mut s = covariance.clone();
        for (j, v) in answer.iter().enumerate() {
            axpy(v * w / left, &answer, &mut s[j * small..(j + 1) * small]);
        }
        let mut new = vec![f64::NAN; p];
        for (k, j) in kept.iter().enumerate() {
            new[*j] = beta[k] - answer[k] * w * e / left;
        }
        let n = options.estimation.denominator(design.n() - 1, small);
        Deleted {
            beta: new,
            covariance: spread(&s, &kept, p),
            sigma2: (r2 - w * e * e / left) / n,
            theta: theta.clone(),
            evaluations: 0,
            outcome: Ok(None),
        }
    };
    let clusters = request.clusters.iter().enumerate();
    let mut row_of = vec![0; request.count];
    clusters.for_each(|(row, c)| row_of[*c as usize - 1] = row);
    let mut all = Vec::with_capacity(request.count);
    for (cluster, row) in row_of.into_iter().enumerate() {
        if cluster % 1024 == 0 {
            workers.check()?;
        }
        let w = design.weights.map_or(1.0, |w| w[row]);
        let alone = 1.0 - w * seen[row].1 < ALONE || design.n() <= small + 1;
        all.push(if alone {
            let options = Options {
                threads: 1,
                ..options.clone()
            };
            let found = without_rows(design, &options, request, cluster, workers);
            settled(design, found)?
        } else {
            one(row)
        });
    }
    Ok(all)
}
