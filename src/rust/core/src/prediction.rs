//! Standard errors of prediction: the fixed part, the random part, and both, for every row.
//!
//! With `K = Psi Z'V^-1X`, `S = (X'V^-1X)^-1` and P the conditional covariance of the random effects given y and beta, the
//! inverse of the mixed model equations (Henderson 1975; McCulloch and Searle 2001, ch. 6), times sigma^2, is the covariance
//! of the errors of prediction, and for a row `[x z]` with `R'R = S^-1`
//!
//! ```text
//! x'beta:          | R^-T x |^2
//! z'b:             z'Pz + | R^-T K'z |^2
//! x'beta + z'b:    z'Pz + | R^-T (x - K'z) |^2
//! ```
//!
//! sums of squares all: nothing is subtracted but x and `K'z`. P is never formed; it may be singular, as Psi may.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use crate::design::Design;
use crate::engine::{choose, EffectRows, Engine, Frame};
use crate::error::{reserved, Result};
use crate::estimates::to_engine;
use crate::fit::{start_lambda, threads_for, Options};
use crate::linalg::{axpy, square_size};
use crate::memory::refuse;
use crate::parallel::Workers;

/// Rows that one thread works on at a time.
const CHUNK: usize = 8192;

/// Standard errors for every row, relative to sigma.
#[derive(Debug, Clone, Default)]
pub struct Prediction {
    /// Of `x'beta`.
    pub fixed: Vec<f64>,
    /// Of `z'b`.
    pub random: Vec<f64>,
    /// Of `x'beta + z'b`.
    pub both: Vec<f64>,
}

/// The standard errors at `options.start`, the variance parameters taken as known.
///
/// # Errors
/// As [`crate::fit::fit`].
pub fn prediction(design: &Design<'_>, options: &Options, stop: &AtomicBool) -> Result<Prediction> {
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let mut engine = choose(design, options.making(), &workers)?;
    check_memory(design, engine.as_ref(), options.max_memory)?;
    let at = to_engine(engine.as_ref(), &start_lambda(design, options)?)?;
    engine.value(&at)?;
    let one = |all: &mut Prediction, row: &Errors<'_>| {
        let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
        all.fixed.push(square(row.own).sqrt() * row.unit);
        all.random
            .push((row.variance + square(row.response)).sqrt() * row.unit);
        let sum: f64 = row
            .own
            .iter()
            .zip(row.response)
            .map(|(o, r)| (o - r).powi(2))
            .sum();
        all.both.push((row.variance + sum).sqrt() * row.unit);
    };
    let mut all = Prediction::default();
    for part in for_each_row(design, engine.as_mut(), &workers, one)? {
        all.fixed.extend(part.fixed);
        all.random.extend(part.random);
        all.both.extend(part.both);
    }
    Ok(all)
}

/// What the error of a row's prediction is made of, in scaled units.
pub(crate) struct Errors<'a> {
    /// `z'Pz`.
    pub variance: f64,
    /// `R^-T x`.
    pub own: &'a [f64],
    /// `R^-T K'z`.
    pub response: &'a [f64],
    /// What makes relative standard errors of scaled ones.
    pub unit: f64,
}

/// Go over all rows in chunks, each with an accumulator of its own; the engine stands at the parameters.
///
/// # Errors
/// [`crate::Error::InvalidInput`] (`"memory"`), [`crate::Error::Numerical`], [`crate::Error::Interrupted`].
pub(crate) fn for_each_row<T: Default + Send>(
    design: &Design<'_>,
    engine: &mut dyn Engine,
    workers: &Workers<'_>,
    add: impl Fn(&mut T, &Errors<'_>) + Sync,
) -> Result<Vec<T>> {
    let rows = effect_rows(design, engine.frame(), 0)?;
    let variances = engine.row_variances(&rows)?;
    let responses = engine.responses_to_fixed()?;
    let job = Job {
        design,
        frame: engine.frame(),
        r_inverse: &engine.root().r_inverse,
        rows: &rows,
        variances: &variances,
        responses: &responses,
    };
    let ranges: Vec<Range<usize>> = (0..rows.n)
        .step_by(CHUNK)
        .map(|s| s..(s + CHUNK).min(rows.n))
        .collect();
    workers.map(ranges, |range| {
        let mut all = T::default();
        job.run(range, |row| add(&mut all, row));
        Ok(all)
    })
}

/// The rows with their columns of Z and the answer, and what each level answers to the fixed effects.
pub(crate) fn check_memory(design: &Design<'_>, engine: &dyn Engine, limit: f64) -> Result<()> {
    let term = |t: &crate::design::Term<'_>| {
        let (q, levels) = (t.columns.len() as f64, design.factors[t.factor].levels as f64);
        q * (design.n() as f64 + 2.0 * levels * engine.frame().p() as f64)
    };
    let bytes = 8.0 * (design.terms.iter().map(term).sum::<f64>() + 7.0 * design.n() as f64);
    if bytes <= limit {
        Ok(())
    } else {
        Err(refuse(bytes, limit, "most of it for the rows that are predicted"))
    }
}

/// The columns of Z of the rows from `from` on, in the engine's units.
pub(crate) fn effect_rows<'a>(design: &Design<'a>, frame: &Frame, from: usize) -> Result<EffectRows<'a>> {
    let n = design.n() - from;
    let mut all = Vec::new();
    for (t, term) in design.terms.iter().enumerate() {
        let (whitener, scale) = (&frame.whitener[t], &frame.scaling.z[t]);
        let q = square_size(whitener);
        let mut z = reserved(n * q, "the rows that are predicted")?;
        for row in from..design.n() {
            let value = |j: usize| design.z_column(term.columns[j]).map_or(1.0, |z| z[row]) / scale[j];
            z.extend((0..q).map(|c| (c..q).map(|j| value(j) * whitener[c * q + j]).sum::<f64>()));
        }
        all.push(z);
    }
    Ok(EffectRows {
        z: all,
        codes: design.factors.iter().map(|f| &f.codes[from..]).collect(),
        n,
    })
}

/// What every chunk of rows reads.
struct Job<'a> {
    design: &'a Design<'a>,
    frame: &'a Frame,
    r_inverse: &'a [f64],
    rows: &'a EffectRows<'a>,
    variances: &'a [f64],
    responses: &'a [Vec<f64>],
}

impl Job<'_> {
    fn run(&self, range: Range<usize>, mut tell: impl FnMut(&Errors<'_>)) {
        let (p, scaling) = (self.frame.p(), &self.frame.scaling);
        let unit = 1.0 / scaling.w.sqrt();
        let (mut own, mut response) = (vec![0.0; p], vec![0.0; p]);
        for row in range {
            own.fill(0.0);
            response.fill(0.0);
            for (k, j) in self.frame.kept.iter().enumerate() {
                let x = self.design.x_column(*j)[row] / scaling.x[*j];
                // R^-T x, row k of R^-1
                for (c, o) in own.iter_mut().enumerate().skip(k) {
                    *o += x * self.r_inverse[c * p + k];
                }
            }
            for ((term, z), of_level) in self.design.terms.iter().zip(&self.rows.z).zip(self.responses) {
                let q = term.columns.len();
                let level = (self.rows.codes[term.factor][row] - 1) as usize;
                for (c, z) in z[row * q..(row + 1) * q].iter().enumerate() {
                    let at = (level * q + c) * p;
                    axpy(*z, &of_level[at..at + p], &mut response);
                }
            }
            tell(&Errors {
                variance: self.variances[row],
                own: &own,
                response: &response,
                unit,
            });
        }
    }
}
