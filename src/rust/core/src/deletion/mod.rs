//! What the estimates would be without some of the rows: case deletion by clusters of rows.
//!
//! Three ways. *Exact*: everything is estimated again, beginning at the fit. *One step*: one Newton step of theta towards the
//! estimates without the rows, all else as it is there (Pregibon 1981 for generalised linear models; Christensen, Pearson
//! and Johnson 1992 for mixed ones). *Fixed*: theta stays, beta and sigma^2 are exact for it (Demidenko and Stukel 2005).
//!
//! Clusters that are whole independent groups are left out of the reduction ([`groups`]), which never goes back to the rows.
//! Single rows at fixed theta come from the mixed model equations ([`rows`]). Else the remaining rows are reduced again.

mod groups;
mod rows;

use std::sync::atomic::AtomicBool;

use crate::bootstrap::{repeat, share, LOOKS};
use crate::design::Design;
use crate::engine::{choose, Engine};
use crate::error::{Error, Result};
use crate::estimates::{fixed_effects, fixed_root, residual_variance, to_engine, to_user};
use crate::fit::{search, start_lambda, Options, Retry};
use crate::linalg::{matmul, symmetric_eigen, transpose};
use crate::memory::{amount, refuse};
use crate::newton::trust_region_step;
use crate::objective::{Objective, Observer};
use crate::parallel::Workers;
use crate::params::Coordinates;
use crate::resample::{Drawn, Sample};
use crate::verdict::Verdict;

use groups::Apart;

/// What is estimated again without a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Everything.
    Exact,
    /// Everything, theta by one Newton step from the fit.
    OneStep,
    /// Fixed effects and residual variance; theta stays as it is.
    Fixed,
}

impl Method {
    /// The method of a name.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"method"`).
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "exact" => Ok(Method::Exact),
            "one-step" => Ok(Method::OneStep),
            "fixed" => Ok(Method::Fixed),
            other => Err(Error::invalid(
                "method",
                format!("there is no method \"{other}\""),
            )),
        }
    }
}

/// Which rows go together, and how the rest is fitted.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The cluster of each row, from 1.
    pub clusters: &'a [i32],
    /// The number of clusters.
    pub count: usize,
    /// What is estimated again.
    pub method: Method,
}

/// The estimates without a cluster.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// Fixed effects, one per column of X; NaN for those that are not determined any more.
    pub beta: Vec<f64>,
    /// `S = (X'V^-1X)^-1`, `p x p`, NaN likewise: times sigma2 the covariance of beta.
    pub covariance: Vec<f64>,
    /// Residual variance.
    pub sigma2: f64,
    /// The packed elements of Lambda of all terms, user's units.
    pub theta: Vec<f64>,
    /// Evaluations of the criterion.
    pub evaluations: usize,
    /// How the search ended (`None`: there was none), or why there is no estimate.
    pub outcome: std::result::Result<Option<Verdict>, Error>,
}

/// The estimates without each cluster in turn; `options.start` are those of theta with all rows.
///
/// # Errors
/// [`Error::InvalidInput`] for a request that cannot be met, [`Error::Interrupted`]; never for what goes wrong without a
/// cluster.
pub fn deletion(
    design: &Design<'_>,
    options: &Options,
    request: &Request<'_>,
    stop: &AtomicBool,
    observer: Option<Observer<'_>>,
) -> Result<Vec<Deleted>> {
    design.check()?;
    check_request(design, options, request)?;
    let workers = Workers::new(options.threads.max(1), stop)?;
    if request.method == Method::Fixed && request.count == design.n() {
        return rows::delete(design, options, request, &workers);
    }
    let apart = match Apart::of(design, options, request, &workers)? {
        Some(apart) if request.method == Method::Fixed => return apart.fixed(design, options, &workers),
        apart => apart,
    };
    let (options, threads) = share(design, options, stop)?;
    repeat(request.count, threads, stop, observer, |i, alone| {
        let found = match &apart {
            Some(apart) => apart.without(design, &options, i, request.method, alone),
            None => without_rows(design, &options, request, i, alone),
        };
        settled(design, found)
    })
}

fn check_request(design: &Design<'_>, options: &Options, request: &Request<'_>) -> Result<()> {
    let mut seen = vec![false; request.count];
    let sound = request.clusters.iter().all(|c| {
        let known = usize::try_from(*c)
            .ok()
            .and_then(|c| seen.get_mut(c.wrapping_sub(1)));
        known.map(|s| *s = true).is_some()
    });
    if !sound || request.clusters.len() != design.n() || seen.contains(&false) {
        return Err(Error::invalid(
            "shape",
            "the clusters must be numbered from 1, one for each row",
        ));
    }
    let packed: usize = packed_lengths(design).sum();
    let size = (design.p * (design.p + 1) + packed) as f64 * 8.0 + 160.0;
    let bytes = size * request.count as f64;
    if bytes > options.max_memory {
        let cause = format!("{} for the estimates without each cluster", amount(bytes));
        return Err(refuse(bytes, options.max_memory, &cause));
    }
    Ok(())
}

fn packed_lengths<'a>(design: &'a Design<'_>) -> impl Iterator<Item = usize> + 'a {
    design
        .terms
        .iter()
        .map(|t| t.structure.packed_len(t.columns.len()))
}

/// What goes wrong without a cluster is its outcome, unless all is to stop.
fn settled(design: &Design<'_>, found: Result<Deleted>) -> Result<Deleted> {
    match found {
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(Error::Bug(text)) => Err(Error::Bug(text)),
        Err(error) => Ok(Deleted {
            beta: vec![f64::NAN; design.p],
            covariance: vec![f64::NAN; design.p * design.p],
            sigma2: f64::NAN,
            theta: vec![f64::NAN; packed_lengths(design).sum()],
            evaluations: 0,
            outcome: Err(error),
        }),
        Ok(deleted) => Ok(deleted),
    }
}

/// The remaining rows, reduced again.
fn without_rows(
    design: &Design<'_>,
    options: &Options,
    request: &Request<'_>,
    cluster: usize,
    workers: &Workers<'_>,
) -> Result<Deleted> {
    let sample = Sample::new(design, remaining(design, request.clusters, cluster))?;
    let rest = sample.design();
    if rest.n() == 0 {
        return Err(nothing_left());
    }
    let mut engine = choose(&rest, options.making(), workers)?;
    estimated(&rest, engine.as_mut(), options, request.method)
}

fn nothing_left() -> Error {
    Error::invalid("degrees_of_freedom", "no rows are left")
}

/// Rows that are not in a cluster, and the levels that they have.
fn remaining(design: &Design<'_>, clusters: &[i32], cluster: usize) -> Drawn {
    let kept = |row: &usize| clusters[*row] as usize != cluster + 1;
    let rows: Vec<u32> = (0..design.n()).filter(kept).map(|row| row as u32).collect();
    let (mut codes, mut levels) = (Vec::new(), Vec::new());
    for factor in &design.factors {
        let mut new = vec![0i32; factor.levels];
        rows.iter()
            .for_each(|row| new[(factor.codes[*row as usize] - 1) as usize] = 1);
        let mut count = 0;
        for code in new.iter_mut().filter(|c| **c > 0) {
            count += 1;
            *code = count;
        }
        let code = |row: &u32| new[(factor.codes[*row as usize] - 1) as usize];
        codes.push(rows.iter().map(code).collect());
        levels.push(count as usize);
    }
    Drawn { rows, codes, levels }
}

/// The estimates from reduced data.
fn estimated(
    design: &Design<'_>,
    engine: &mut dyn Engine,
    options: &Options,
    method: Method,
) -> Result<Deleted> {
    let (lambda, evaluations, verdict) = match method {
        Method::Exact => {
            let found = search(design, engine, options, Retry::Given(LOOKS), None)?;
            (found.lambda, found.evaluations, Some(found.certificate.verdict))
        }
        Method::OneStep => {
            let (lambda, evaluations) = newton_step(design, engine, options)?;
            (lambda, evaluations, None)
        }
        Method::Fixed => (to_engine(engine, &start_lambda(design, options)?)?, 1, None),
    };
    engine.value(&lambda)?;
    let (p, kept) = (design.p, engine.frame().kept.clone());
    let mut beta = vec![f64::NAN; p];
    for (j, b) in kept.iter().zip(fixed_effects(engine)) {
        beta[*j] = b;
    }
    let user = to_user(engine, &lambda);
    let packed = design.terms.iter().zip(&user);
    Ok(Deleted {
        covariance: spread(&square_of(&fixed_root(engine)), &kept, p),
        beta,
        sigma2: residual_variance(engine)?,
        theta: packed
            .flat_map(|(t, l)| t.structure.pack(t.columns.len(), l))
            .collect(),
        evaluations,
        outcome: Ok(verdict),
    })
}

/// A matrix times its transpose.
fn square_of(root: &[f64]) -> Vec<f64> {
    let p = crate::linalg::square_size(root);
    matmul(root, &transpose(root, p, p), p, p, p)
}

/// A matrix over the kept columns as one over all.
fn spread(small: &[f64], kept: &[usize], p: usize) -> Vec<f64> {
    let mut all = vec![f64::NAN; p * p];
    for (b, j) in kept.iter().enumerate() {
        for (a, i) in kept.iter().enumerate() {
            all[j * p + i] = small[b * kept.len() + a];
        }
    }
    all
}

/// How often a step that does not lower the criterion is halved.
const HALVINGS: usize = 8;

/// One Newton step from the estimates with all rows, halved until the criterion falls; Lambda in the engine's units.
fn newton_step(
    design: &Design<'_>,
    engine: &mut dyn Engine,
    options: &Options,
) -> Result<(Vec<Vec<f64>>, usize)> {
    let start = to_engine(engine, &start_lambda(design, options)?)?;
    let free: Vec<Vec<bool>> = design.terms.iter().map(|t| t.free.clone()).collect();
    let coordinates = Coordinates::new(engine.shapes(), &engine.frame().gram, &free, Some(&start))?;
    let mut objective = Objective::new(engine, coordinates, None);
    let x = objective.coordinates.start();
    let from = objective.lambda(&x);
    let x = objective.centre(&from)?;
    let mut at = x.clone();
    if !x.is_empty() {
        let (g, h) = objective.curvature(&x, objective.stepping())?;
        let radius = x.iter().map(|v| v * v).sum::<f64>().sqrt().max(1.0);
        let step = trust_region_step(&g, &symmetric_eigen(&h, x.len())?, radius);
        let before = objective.value(&x)?;
        let mut length = 1.0;
        for _ in 0..HALVINGS {
            let trial: Vec<f64> = x.iter().zip(&step).map(|(a, d)| a + length * d).collect();
            if objective.value(&trial)? <= before + 1e-12 * before.abs() {
                at = trial;
                break;
            }
            length *= 0.5;
        }
    }
    let lambda = objective.to_engine(&objective.lambda(&at))?;
    Ok((lambda, objective.evaluations()))
}
