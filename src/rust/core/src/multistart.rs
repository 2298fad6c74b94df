//! A second look: other starts, above all where the first search ended on the boundary, or nowhere.
//!
//! The criterion may have several minima. A search that ended inside the parameter space has nearly always found the
//! lowest one; one that ended on its boundary, in a flat valley or not at all often has not. Fits are tried again from
//! other starts: strong and weak random effects, effects in the directions that the first fit left out, one term alone,
//! and scattered ones. They are the same in every run. A criterion of one parameter is looked at over all of its range.

use crate::covstruct::Structure;
use crate::em::em_step;
use crate::error::{Error, Result};
use crate::linalg::{matmul, transpose};
use crate::objective::Objective;
use crate::optimizer::{Method, Settings};
use crate::params::{Coordinates, TermCoordinates};
use crate::verdict::{minimise_and_certify, Certificate, Verdict};

/// A criterion must be lower by this to count as another minimum.
const LOWER: f64 = 1e-8;

/// Numbers to work through beyond which a fit is not tried again: with that much data one minimum is the rule.
const EXPENSIVE: usize = 5_000_000;

/// Beyond so many terms a fit that ended inside is not tried with each of them strong alone.
const MANY_TERMS: usize = 4;

/// Other starts after a minimum inside where there are nearly as many effects as rows.
const CROWDED: usize = 12;

/// Sizes of the only parameter at which the criterion is looked at, relative to the noise of an average level: those of
/// levels that tell much or little are far from it.
const SIZES: [f64; 13] = [
    0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3,
];

/// How many other starts a fit is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// After a minimum inside the parameter space.
    pub inside: usize,
    /// After any other end.
    pub elsewhere: usize,
    /// Whether a criterion of one parameter is looked at over all of its range.
    pub sizes: bool,
}

impl Looks {
    /// Fewer where an evaluation is expensive (`work` numbers in the reduced data), and where many groups make several
    /// minima unlikely; more where there are many parameters, several terms that may take each other's part, and nearly
    /// as many effects as rows (`crowded`).
    pub fn worth(work: usize, parameters: usize, terms: usize, crowded: bool) -> Looks {
        let each = if (2..=MANY_TERMS).contains(&terms) {
            terms
        } else {
            0
        };
        Looks {
            inside: if parameters > 1 && work < 20_000 {
                2 + each + if crowded { CROWDED } else { 0 }
            } else {
                0
            },
            sizes: parameters == 1 && work < 20_000,
            elsewhere: if work > EXPENSIVE {
                0
            } else {
                (400_000 / work.max(1)).clamp(2, (8 * parameters).clamp(8, 40))
            },
        }
    }
}

/// The best of the first certificate and those of other starts.
///
/// # Errors
/// Those of the objective.
pub fn look_again(
    objective: &mut Objective<'_>,
    first: Certificate,
    settings: &Settings,
    looks: Looks,
) -> Result<Certificate> {
    let count = match first.verdict {
        Verdict::Optimum => looks.inside,
        _ => looks.elsewhere,
    };
    if settings.method != Method::Newton || first.eigenvalues.is_empty() {
        return Ok(first);
    }
    let mut starts = if looks.sizes {
        other_sizes(objective, &first.lambda)?
    } else {
        Vec::new()
    };
    if count > 0 {
        starts.extend(other_starts(&objective.base, &first.lambda, count));
    }
    let settings = Settings {
        max_iterations: settings.max_iterations.min(100),
        ..*settings
    };
    let mut best = first;
    for (start, em_steps) in starts {
        let start = match prepare(objective, start, em_steps) {
            Err(Error::Numerical(_)) => continue,
            result => result?,
        };
        let other = match minimise_and_certify(objective, &start, &settings) {
            Err(Error::Numerical(_)) => continue,
            result => result?,
        };
        let sound = matches!(other.verdict, Verdict::Optimum | Verdict::Boundary);
        if sound && other.value < best.value - LOWER * (1.0 + 1e-5 * best.value.abs()) {
            best = other;
        }
    }
    Ok(best)
}

/// Some EM steps from a start.
fn prepare(objective: &mut Objective<'_>, start: Vec<Vec<f64>>, em_steps: usize) -> Result<Vec<Vec<f64>>> {
    let mut x = objective.centre(&start)?;
    for _ in 0..em_steps {
        x = em_step(objective, &x)?;
    }
    Ok(objective.lambda(&x))
}

/// A start and the number of EM steps to take from it.
type Start = (Vec<Vec<f64>>, usize);

/// Where a criterion of one parameter, looked at over all of its range, is lower than on both sides, but for the place
/// that is known.
fn other_sizes(objective: &Objective<'_>, found: &[Vec<f64>]) -> Result<Vec<Start>> {
    let base = &objective.base;
    let factors = |size: f64| {
        let all = base.terms.iter().map(|t| diagonal(t.shape.q, size));
        base.lambda(&base.pack(&all.collect::<Vec<_>>()))
    };
    let known = base
        .pack(&base.whitened_from(found))
        .first()
        .map_or(0.0, |v| v.abs());
    let mut values = Vec::with_capacity(SIZES.len());
    for size in SIZES {
        let x = objective
            .coordinates
            .from_engine(&objective.to_engine(&factors(size))?);
        values.push(objective.value(&x)?);
    }
    let mut starts = Vec::new();
    for (i, &value) in values.iter().enumerate() {
        let before = i
            .checked_sub(1)
            .map_or((0.0, f64::INFINITY), |k| (SIZES[k], values[k]));
        let after = SIZES
            .get(i + 1)
            .map_or((f64::INFINITY, f64::INFINITY), |&s| (s, values[i + 1]));
        if value < before.1 && value < after.1 && !(before.0..=after.0).contains(&known) {
            starts.push((factors(SIZES[i]), 0));
        }
    }
    Ok(starts)
}

/// Factors of the columns that the objective began with, spread over what is plausible in coordinates that know nothing of a solution.
fn other_starts(base: &Coordinates, found: &[Vec<f64>], count: usize) -> Vec<Start> {
    let mut numbers = Numbers(0x5eed);
    let found = base.whitened_from(found);
    let make = |factor: &mut dyn FnMut(&TermCoordinates, &[f64]) -> Vec<f64>| -> Vec<Vec<f64>> {
        let all = base.terms.iter().zip(&found);
        let factors: Vec<Vec<f64>> = all.map(|(t, l)| factor(t, l)).collect();
        base.lambda(&base.pack(&factors))
    };
    let mut starts = vec![
        (make(&mut |t, l| complement(t.shape.q, l)), 0),
        (make(&mut |t, _| diagonal(t.shape.q, 6.0)), 0),
    ];
    // one term strong, the others next to nothing
    for strong in 0..if base.terms.len() > 1 { base.terms.len() } else { 0 } {
        let mut term = 0..;
        let size = |k: Option<usize>| if k == Some(strong) { 3.0 } else { 0.1 };
        starts.push((make(&mut |t, _| diagonal(t.shape.q, size(term.next()))), 0));
    }
    starts.push((make(&mut |t, _| diagonal(t.shape.q, 1.0)), 80));
    starts.push((make(&mut |t, _| diagonal(t.shape.q, 0.2)), 0));
    while starts.len() < count {
        let em_steps = 10 * (starts.len() % 2);
        starts.push((make(&mut |t, _| scattered(t, &mut numbers)), em_steps));
    }
    starts.truncate(count);
    starts
}

fn diagonal(q: usize, value: f64) -> Vec<f64> {
    (0..q * q)
        .map(|k| if k % (q + 1) == 0 { value } else { 0.0 })
        .collect()
}

/// A factor that is large where the found one is small: of `(I + Psi)^-1`.
fn complement(q: usize, lambda: &[f64]) -> Vec<f64> {
    let mut psi = matmul(lambda, &transpose(lambda, q, q), q, q, q);
    (0..q).for_each(|j| psi[j * q + j] += 1.0);
    let inverse = crate::linalg::symmetric_eigen(&psi, q).map(|e| {
        let scaled: Vec<f64> = (0..q * q)
            .map(|k| e.vectors[k] / e.values[k / q].sqrt())
            .collect();
        matmul(&scaled, &transpose(&scaled, q, q), q, q, q)
    });
    match inverse {
        Ok(inverse) => crate::linalg::semidefinite_cholesky(&inverse, q, 1e-14),
        Err(_) => diagonal(q, 1.0),
    }
}

fn scattered(term: &TermCoordinates, numbers: &mut Numbers) -> Vec<f64> {
    let q = term.shape.q;
    let scale = 10f64.powf(2.0 * numbers.uniform() - 1.0);
    let mut lambda = vec![0.0; q * q];
    for j in 0..q {
        for i in j..q {
            let wide = term.shape.structure == Structure::Unstructured || i == j;
            lambda[j * q + i] = if wide { scale * numbers.normal() } else { 0.0 };
        }
    }
    lambda
}

/// A linear congruential generator: scattered numbers, the same in every run, that leave R's alone.
struct Numbers(u64);

impl Numbers {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Nearly normal: a sum of twelve uniform numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
