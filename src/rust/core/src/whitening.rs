//! Marginal residuals made independent: `C^-1 (y - X beta) / sigma` with `V = C C'`, C lower triangular over the rows in
//! their order.
//!
//! Row by row, as a filter: what the rows so far say of the random effects has the covariance `S S'` (relative to sigma^2);
//! with `a = S'z` and `f^2 = 1/w + a'a` the next element is `(r - z'm) / f`, and then `m + S a (r - z'm) / f^2` and
//! `S - S a a' / (f (f + w^(-1/2)))` (Potter's square root, Bierman 1977, sec. II.5): nothing is subtracted that could make a
//! variance negative. Independent groups have a state each, so that the cost is that of the largest one's squared.

use std::sync::atomic::AtomicBool;

use crate::design::Design;
use crate::error::{zeros, Error, Result};
use crate::fit::{start_lambda, Options};
use crate::grouping::Tree;
use crate::linalg::{axpy, dot};
use crate::memory::{amount, refuse};
use crate::parallel::Workers;

/// The rows of each independent group, and where its levels stand among the effects of the group.
struct Layout {
    /// Rows by group.
    rows: Vec<Vec<u32>>,
    /// Per factor the number of each level among those of its group.
    place: Vec<Vec<u32>>,
    /// Per group and factor the number of levels.
    counts: Vec<Vec<u32>>,
}

impl Layout {
    fn of(design: &Design<'_>) -> Result<Layout> {
        let mut used = vec![false; design.factors.len()];
        design.terms.iter().for_each(|t| used[t.factor] = true);
        let (outer, groups) = match Tree::build(&design.factors, &used)? {
            Ok(tree) => (Some(tree.levels[0].factor), tree.levels[0].nodes()),
            Err(_) => (None, 1),
        };
        let group = |row: usize| outer.map_or(0, |f| design.factors[f].codes[row] as usize - 1);
        let mut layout = Layout {
            rows: vec![Vec::new(); groups],
            place: design.factors.iter().map(|f| vec![u32::MAX; f.levels]).collect(),
            counts: vec![vec![0; design.factors.len()]; groups],
        };
        for row in 0..design.n() {
            let g = group(row);
            layout.rows[g].push(row as u32);
            for (f, factor) in design.factors.iter().enumerate().filter(|(f, _)| used[*f]) {
                let slot = &mut layout.place[f][factor.codes[row] as usize - 1];
                if *slot == u32::MAX {
                    *slot = layout.counts[g][f];
                    layout.counts[g][f] += 1;
                }
            }
        }
        Ok(layout)
    }

    /// Where the effects of each term begin in the state of a group, and the size of the state.
    fn state(&self, design: &Design<'_>, group: usize) -> (Vec<usize>, usize) {
        let (mut first, mut size) = (Vec::new(), 0);
        for term in &design.terms {
            first.push(size);
            size += term.columns.len() * self.counts[group][term.factor] as usize;
        }
        (first, size)
    }
}

/// The whitened values of `residuals`, relative to sigma, at `options.start`.
///
/// # Errors
/// [`Error::InvalidInput`] (`"memory"`, `"shape"`, `"start"`), [`Error::Interrupted`].
pub fn whiten(
    design: &Design<'_>,
    residuals: &[f64],
    options: &Options,
    stop: &AtomicBool,
) -> Result<Vec<f64>> {
    design.check()?;
    if residuals.len() != design.n() {
        return Err(Error::invalid("shape", "one residual for each row is needed"));
    }
    let lambda = start_lambda(design, options)?;
    let layout = Layout::of(design)?;
    let largest = (0..layout.rows.len())
        .map(|g| layout.state(design, g).1)
        .max()
        .unwrap_or(0) as f64;
    let bytes = 8.0 * largest * largest * options.threads.max(1) as f64;
    if bytes > options.max_memory {
        let cause = format!("{} for the effects of one group", amount(bytes));
        return Err(refuse(bytes, options.max_memory, &cause));
    }
    let workers = Workers::new(options.threads.max(1), stop)?;
    let size = (layout.rows.len() / (8 * options.threads.max(1))).max(1);
    let batches: Vec<std::ops::Range<usize>> = (0..layout.rows.len())
        .step_by(size)
        .map(|from| from..(from + size).min(layout.rows.len()))
        .collect();
    let parts = workers.map(batches.clone(), |batch| {
        let mut values = Vec::new();
        for group in batch {
            values.extend(one_group(design, residuals, &lambda, &layout, group, &workers)?);
        }
        Ok(values)
    })?;
    let mut out = zeros(design.n(), "the residuals")?;
    for (batch, values) in batches.into_iter().zip(parts) {
        let rows = batch.flat_map(|g| &layout.rows[g]);
        rows.zip(values).for_each(|(row, v)| out[*row as usize] = v);
    }
    Ok(out)
}

fn one_group(
    design: &Design<'_>,
    residuals: &[f64],
    lambda: &[Vec<f64>],
    layout: &Layout,
    group: usize,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    let (first, k) = layout.state(design, group);
    // the effects divided by Lambda: their covariance is the identity before anything is known
    let mut root = zeros(k * k, "the effects of one group")?;
    (0..k).for_each(|j| root[j * k + j] = 1.0);
    let (mut mean, mut z, mut a, mut gain) = (vec![0.0; k], vec![0.0; k], vec![0.0; k], vec![0.0; k]);
    let mut out = Vec::with_capacity(layout.rows[group].len());
    for row in &layout.rows[group] {
        workers.check()?;
        let row = *row as usize;
        z.fill(0.0);
        let mut touched = Vec::new();
        for ((term, l), first) in design.terms.iter().zip(lambda).zip(&first) {
            let q = term.columns.len();
            let level = design.factors[term.factor].codes[row] as usize - 1;
            let at = first + layout.place[term.factor][level] as usize * q;
            for (r, column) in term.columns.iter().enumerate() {
                let value = design.z_column(*column).map_or(1.0, |z| z[row]);
                for c in 0..=r {
                    z[at + c] += value * l[c * q + r];
                }
            }
            touched.extend(at..at + q);
        }
        // a = S'z over the elements of z that are not zero
        for (j, a) in a.iter_mut().enumerate() {
            *a = touched.iter().map(|i| root[j * k + i] * z[*i]).sum();
        }
        let noise = design.weights.map_or(1.0, |w| 1.0 / w[row].sqrt());
        let f = (noise * noise + dot(&a, &a)).sqrt();
        let expected: f64 = touched.iter().map(|i| z[*i] * mean[*i]).sum();
        let value = (residuals[row] - expected) / f;
        gain.fill(0.0);
        for (j, v) in a.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            axpy(*v, &root[j * k..(j + 1) * k], &mut gain);
        }
        axpy(value / f, &gain, &mut mean);
        let shrink = 1.0 / (f * (f + noise));
        for (j, v) in a.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            axpy(-v * shrink, &gain, &mut root[j * k..(j + 1) * k]);
        }
        out.push(value);
    }
    Ok(out)
}
