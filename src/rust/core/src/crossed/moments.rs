//! Traces and forms for tests of fixed effects.
//!
//! The columns of the sources that belong to fixed effects are `U = Z'V^-1X` in the coordinates in which `X'V^-1X` is the
//! identity, so that the moments are `U'E U` and `U'E W F U`: see [`super::curvature`]. Where the system is sparse,
//! `tr(W E W F)` is not to be had by itself; it is what the exact Hessian leaves of its other parts.
//!
//! Vignette "The algorithm": Eq. Kenward-Roger.

use super::plan::Exact;
use super::Crossed;
use crate::criterion::{Criterion, Order};
use crate::engine::Moments;
use crate::error::Result;

impl Crossed<'_> {
    /// See [`crate::engine::Engine::moments`].
    pub(super) fn sum_moments(&mut self) -> Result<Moments> {
        let (d, p, r) = (self.cells.d, self.frame.p(), self.directions.len());
        let hessian = match self.exact {
            Exact::Differences => Some(self.derivatives(Order::Hessian)?.hessian),
            _ => None,
        };
        self.derivatives(Order::Gradient)?;
        let known = match self.state.first_order.take() {
            Some(known) => known,
            None => self.first_order()?,
        };
        let (sources, sweep) = (&known.sources, &known.sweep);
        let traces = self.by_terms_of_blocks(&self.gradient(sources, sweep, 0));
        let messages = self.messages(sources, d)?;
        let products = match hessian {
            None => self.traces(sweep)?,
            Some(hessian) => {
                let mut rest = self.squares_of_hessian(sources, sweep, &messages, true)?;
                rest.iter_mut().zip(&hessian).for_each(|(a, h)| *a -= h);
                rest
            }
        };
        let first = messages.iter().map(|m| {
            let at = |k: usize| m[(k / p + 1) * d + k % p + 1];
            (0..p * p).map(at).collect()
        });
        let first = first.collect();
        let forms = match p {
            0 => Vec::new(),
            _ => self.forms(sources, 1..d, sweep)?,
        };
        let mut second = Vec::with_capacity(r * (r + 1) / 2);
        for f in 0..r {
            for e in 0..=f {
                let at = |j: usize, k: usize| forms[(f * p + k) * r * p + e * p + j];
                let symmetric = |i: usize| 0.5 * (at(i % p, i / p) + at(i / p, i % p));
                second.push((0..p * p).map(symmetric).collect());
            }
        }
        self.state.first_order = Some(known);
        Ok(Moments {
            traces,
            products,
            first,
            second,
        })
    }
}
