//! Many fits of made-up data: bootstrap replicates and the jackknife.
//!
//! Replicate `i` of a seed is the same to the last bit whatever the number of threads and the replicates that are asked for
//! with it: it has its own stream of random numbers ([`crate::streams`]) and is computed by one thread. Its search begins
//! where the fit ended, and is tried again from other starts when it ends anywhere but inside the parameter space: there
//! the nearest minimum is not always the lowest. What goes wrong in a replicate is its outcome, not an error.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use crate::design::Design;
use crate::engine::{choose, Engine};
use crate::error::{zeros, Error, Result};
use crate::estimates::{fixed_effects, residual_variance, to_user};
use crate::fit::{search, Fit, Options, Retry};
use crate::memory::{amount, refuse};
use crate::multistart::Looks;
use crate::objective::{Observer, Progress};
use crate::parallel::Workers;
use crate::resample::{Drawn, Groups, Sample};
use crate::simulate::{Generator, Source, Truth};
use crate::streams::Stream;
use crate::verdict::Verdict;

/// Other starts of a replicate that did not end inside.
pub(crate) const LOOKS: Looks = Looks {
    inside: 0,
    elsewhere: 3,
    sizes: false,
};
/// Replicates that a thread takes at a time, at most.
const BATCH: usize = 16;

/// How the data of a replicate are made.
#[derive(Debug, Clone)]
pub enum Kind<'a> {
    /// A new response from the estimates.
    Simulated(Source, Truth),
    /// Groups drawn with replacement.
    Case,
    /// One of so many blocks of groups left out: replicate `i` is without block `i`.
    Jackknife(usize),
    /// Responses that are given, `n` per replicate.
    Given(&'a [f64]),
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// How data are made.
    pub kind: Kind<'a>,
    /// The seed.
    pub seed: u64,
    /// The number of the first replicate, from 0.
    pub first: usize,
    /// How many.
    pub count: usize,
}

/// One replicate.
#[derive(Debug, Clone)]
pub struct Replicate {
    /// Fixed effects, one per column of X; NaN for those that are left out.
    pub beta: Vec<f64>,
    /// Residual variance.
    pub sigma2: f64,
    /// The packed elements of Lambda of all terms, user's units.
    pub theta: Vec<f64>,
    /// `-2 l`.
    pub criterion: f64,
    /// How the search ended, or why there is no estimate.
    pub outcome: std::result::Result<Verdict, Error>,
}

/// The data of a replicate.
#[derive(Debug, Clone)]
pub enum Data {
    /// A response for the rows of the design.
    Response(Vec<f64>),
    /// Groups.
    Groups(Drawn),
}

/// Where the data come from, made once.
enum Maker<'a> {
    Response(Generator<'a>),
    Case(Groups<'a>),
    Jackknife(Groups<'a>, usize),
    Given(&'a [f64]),
}

impl<'a> Maker<'a> {
    fn new(design: &'a Design<'a>, request: &Request<'a>) -> Result<Self> {
        design.check()?;
        Ok(match &request.kind {
            Kind::Simulated(source, truth) => Maker::Response(Generator::new(design, truth, *source)?),
            Kind::Case => Maker::Case(Groups::of(design)?),
            Kind::Jackknife(blocks) => Maker::Jackknife(Groups::of(design)?, *blocks),
            Kind::Given(responses) => {
                let sound = request.count.checked_mul(design.n()) == Some(responses.len());
                if !sound || responses.iter().any(|v| !v.is_finite()) {
                    return Err(Error::invalid(
                        "shape",
                        "the responses must be finite, and as many as rows times replicates",
                    ));
                }
                Maker::Given(responses)
            }
        })
    }

    /// The data of replicate `first + i`.
    fn data(&self, n: usize, request: &Request<'_>, i: usize) -> Result<Data> {
        let number = (request.first + i) as u64;
        Ok(match self {
            Maker::Response(generator) => {
                let mut y = zeros(generator.rows(), "a response")?;
                generator.response(&mut Stream::new(request.seed, number), &mut y);
                Data::Response(y)
            }
            Maker::Given(all) => {
                let mut y = zeros(n, "a response")?;
                y.copy_from_slice(&all[i * n..(i + 1) * n]);
                Data::Response(y)
            }
            Maker::Case(groups) => {
                let mut stream = Stream::new(request.seed, number);
                let drawn: Vec<usize> = (0..groups.count())
                    .map(|_| stream.below(groups.count()))
                    .collect();
                Data::Groups(groups.draw(&drawn))
            }
            Maker::Jackknife(groups, blocks) => {
                Data::Groups(groups.draw(&groups.without(request.first + i, *blocks)))
            }
        })
    }
}

/// The data of replicates.
///
/// # Errors
/// [`Error::InvalidInput`] (`"memory"`, `"bootstrap"`, `"shape"`), [`Error::Interrupted`].
pub fn data(
    design: &Design<'_>,
    max_memory: f64,
    request: &Request<'_>,
    stop: &AtomicBool,
) -> Result<Vec<Data>> {
    let width = match request.kind {
        Kind::Simulated(..) | Kind::Given(_) => 8.0,
        _ => 4.0 + 4.0 * design.factors.len() as f64,
    };
    check_memory(
        width * design.n() as f64 * request.count as f64,
        max_memory,
        "the data of all replicates",
    )?;
    let maker = Maker::new(design, request)?;
    let workers = Workers::new(1, stop)?;
    workers.map((0..request.count).collect(), |i| {
        maker.data(design.n(), request, i)
    })
}

fn check_memory(bytes: f64, limit: f64, cause: &str) -> Result<()> {
    if bytes <= limit {
        return Ok(());
    }
    Err(refuse(bytes, limit, &format!("{} for {cause}", amount(bytes))))
}

/// Fit made-up data; `options.start` is where every search begins.
///
/// # Errors
/// [`Error::InvalidInput`] for a request that cannot be met, [`Error::Interrupted`]; never for what goes wrong in a
/// replicate.
pub fn bootstrap(
    design: &Design<'_>,
    options: &Options,
    request: &Request<'_>,
    stop: &AtomicBool,
    observer: Option<Observer<'_>>,
) -> Result<Vec<Replicate>> {
    let packed: usize = design
        .terms
        .iter()
        .map(|t| t.structure.packed_len(t.columns.len()))
        .sum();
    let size = (design.p + packed) as f64 * 8.0 + 160.0;
    check_memory(
        size * request.count as f64,
        options.max_memory,
        "the estimates of all replicates",
    )?;
    let maker = Maker::new(design, request)?;
    let (options, threads) = share(design, options, stop)?;
    repeat(request.count, threads, stop, observer, |i, alone| {
        replicate(design, &options, maker.data(design.n(), request, i)?, alone)
    })
}

/// `one` for 0, ..., count - 1, in batches on several threads; each piece of work is given a thread of its own, and the
/// observer hears of each.
///
/// # Errors
/// [`Error::Interrupted`], or what `one` says.
pub(crate) fn repeat<T: Send>(
    count: usize,
    threads: usize,
    stop: &AtomicBool,
    observer: Option<Observer<'_>>,
    one: impl Fn(usize, &Workers<'_>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let workers = Workers::new(threads, stop)?;
    let size = (count / (8 * threads)).clamp(1, BATCH);
    let batches: Vec<std::ops::Range<usize>> = (0..count)
        .step_by(size)
        .map(|from| from..(from + size).min(count))
        .collect();
    let done = AtomicUsize::new(0);
    let run = |batch: std::ops::Range<usize>| -> Result<Vec<T>> {
        let alone = Workers::new(1, stop)?;
        let mut all = Vec::with_capacity(batch.len());
        for i in batch {
            alone.check()?;
            all.push(one(i, &alone)?);
            let evaluations = done.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(observer) = observer {
                observer(Progress {
                    evaluations,
                    best: f64::NAN,
                });
            }
        }
        Ok(all)
    };
    let batches = workers.map(batches, run)?;
    Ok(batches.into_iter().flatten().collect())
}

/// Memory divided among threads; fewer of them where a model does not fit into a share.
pub(crate) fn share(design: &Design<'_>, options: &Options, stop: &AtomicBool) -> Result<(Options, usize)> {
    let alone = Workers::new(1, stop)?;
    let mut threads = options.threads.max(1);
    loop {
        let part = Options {
            max_memory: options.max_memory / threads as f64,
            threads: 1,
            ..options.clone()
        };
        if threads == 1 {
            return Ok((part, 1));
        }
        match choose(design, part.making(), &alone) {
            Err(Error::InvalidInput { what: "memory", .. }) => threads -= 1,
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            _ => return Ok((part, threads)),
        }
    }
}

fn replicate(design: &Design<'_>, options: &Options, data: Data, workers: &Workers<'_>) -> Result<Replicate> {
    let found = match data {
        Data::Response(y) => {
            let design = Design {
                y: &y,
                ..design.clone()
            };
            refitted(&design, options, workers)
        }
        Data::Groups(drawn) => {
            let sample = Sample::new(design, drawn)?;
            refitted(&sample.design(), options, workers)
        }
    };
    match found {
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(Error::Bug(text)) => Err(Error::Bug(text)),
        Err(error) => Ok(failed(design, error)),
        Ok(replicate) => Ok(replicate),
    }
}

fn failed(design: &Design<'_>, error: Error) -> Replicate {
    let lengths = design
        .terms
        .iter()
        .map(|t| t.structure.packed_len(t.columns.len()));
    Replicate {
        beta: vec![f64::NAN; design.p],
        sigma2: f64::NAN,
        theta: vec![f64::NAN; lengths.sum()],
        criterion: f64::NAN,
        outcome: Err(error),
    }
}

fn refitted(design: &Design<'_>, options: &Options, workers: &Workers<'_>) -> Result<Replicate> {
    let mut engine = choose(design, options.making(), workers)?;
    fitted(design, engine.as_mut(), options)
}

/// The estimates of a replicate whose data were reduced.
fn fitted(design: &Design<'_>, engine: &mut dyn Engine, options: &Options) -> Result<Replicate> {
    let found = search(design, engine, options, Retry::Given(LOOKS), None)?;
    let value = engine.value(&found.lambda)?;
    let sigma2 = residual_variance(engine)?;
    let mut beta = vec![f64::NAN; design.p];
    for (j, b) in engine.frame().kept.iter().zip(fixed_effects(engine)) {
        beta[*j] = b;
    }
    let user = to_user(engine, &found.lambda);
    let theta = design
        .terms
        .iter()
        .zip(&user)
        .flat_map(|(t, l)| t.structure.pack(t.columns.len(), l))
        .collect();
    Ok(Replicate {
        beta,
        sigma2,
        theta,
        criterion: value.criterion,
        outcome: Ok(found.certificate.verdict),
    })
}

/// A full fit, found as that of a replicate is.
///
/// # Errors
/// As [`crate::fit()`].
pub fn refit(design: &Design<'_>, options: &Options, stop: &AtomicBool) -> Result<Fit> {
    let start = Instant::now();
    let workers = Workers::new(1, stop)?;
    let mut engine = choose(design, options.making(), &workers)?;
    let began = Instant::now();
    let found = search(design, engine.as_mut(), options, Retry::Given(LOOKS), None)?;
    let fit = found.estimate(engine.as_mut(), began)?;
    Ok(Fit {
        reduction_seconds: (began - start).as_secs_f64(),
        ..fit
    })
}
