//! Penalised fits: smooth penalties on the fixed effects and on covariances, and absolute values of the fixed effects.
//!
//! The penalised criterion is
//!
//! ```text
//! F(Psi) = min over beta, sigma^2 of  -2 l(Psi, beta, sigma^2) + pen(beta) + 2 sum_k C_k(Psi_k)
//! ```
//!
//! [`Penalised`] is an engine whose criterion is F, around another engine whose criterion is that of the likelihood; the
//! optimiser, the certificate and the other starts do not know the difference. Everything about the fixed effects is in
//! [`fixed`], [`lasso`] and [`follow`], everything about covariances in [`covariance`].
//!
//! Derivatives: with `u = (beta, log sigma^2)` the gradient of F is that of `-2 l` with u held where it is (envelope theorem),
//! and its Hessian, over the coefficients that are not kept at zero,
//!
//! ```text
//! H = L_pp - L_pu L_uu^-1 L_up
//! L_uu = [ 2 A / s + pen'' ,  - 2 A(beta - b) / s ;  . , N ]
//! L_pu = [ 2 X'V^-1 G_E V^-1(y - X beta) / s ,  - r_E / s ]
//! ```
//!
//! with `L_pp` and the derivatives in `L_pu` from the inner engine, which holds beta and s ([`Engine::hold_fixed`],
//! [`Engine::hold_scale`]).

pub mod covariance;
pub mod fixed;
mod follow;
pub mod lasso;

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::criterion::{Criterion, Derivatives, Order, TermShape, Value};
use crate::design::{Design, Estimation};
use crate::engine::{choose, EffectRows, Engine, Frame, Kind, Moments, Root};
use crate::error::{Error, Result};
use crate::estimates::{fixed_effects, fixed_root, units};
use crate::fit::{fit_engine, threads_for, Fit, Options};
use crate::linalg::{invert_upper, matmul, transpose};
use crate::objective::Observer;
use crate::parallel::Workers;
use covariance::Covariance;
use fixed::{Fixed, Profile, Shrunk};
use lasso::Quadratic;

/// What is added to `-2 l`.
pub struct Penalty {
    /// On the fixed effects, one weight for each column of X.
    pub fixed: Option<Fixed>,
    /// On the covariances, one for each term.
    pub covariance: Vec<Covariance>,
}

/// A penalised fit.
pub struct PenalisedFit {
    /// The fit; its criterion is `-2 l` alone, its derivatives and its certificate are those of F.
    pub fit: Fit,
    /// What the penalties add to it.
    pub penalty: f64,
}

/// Fit a model under penalties.
///
/// # Errors
/// As [`crate::fit()`], and those of the penalty.
pub fn fit_penalised(
    design: &Design<'_>,
    options: &Options,
    penalty: Penalty,
    stop: &AtomicBool,
    observer: Option<Observer<'_>>,
) -> Result<PenalisedFit> {
    let start = Instant::now();
    let workers = Workers::new(threads_for(design, options.threads), stop)?;
    let inner = choose(design, options.making(), &workers)?;
    let reduction_seconds = start.elapsed().as_secs_f64();
    let mut engine = Penalised::new(inner, penalty)?;
    let mut fit = fit_engine(design, &mut engine, options, observer)?;
    let penalty = engine.last.as_ref().map_or(0.0, |at| at.penalty);
    fit.reduction_seconds = reduction_seconds;
    // the logarithm of r(beta) is in the criterion, the penalties are told apart
    fit.estimates.value.criterion -= penalty;
    Ok(PenalisedFit { fit, penalty })
}

/// What the last evaluation left.
struct At {
    lambda: Vec<Vec<f64>>,
    value: Value,
    /// What the penalties add.
    penalty: f64,
    shrunk: Option<(Quadratic, Shrunk)>,
}

/// An engine under penalties.
pub struct Penalised<'w> {
    inner: Box<dyn Engine + 'w>,
    fixed: Option<Fixed>,
    covariance: Vec<Covariance>,
    warm: Vec<f64>,
    last: Option<At>,
}

impl<'w> Penalised<'w> {
    /// An engine around another one; the weights of columns of X that are aliased are left out.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"shape"`).
    pub fn new(inner: Box<dyn Engine + 'w>, penalty: Penalty) -> Result<Self> {
        let kept = inner.frame().kept.clone();
        let fixed = match penalty.fixed {
            Some(Fixed::Separable(mut weights)) => {
                for w in [&mut weights.l1, &mut weights.l2] {
                    let chosen: Option<Vec<f64>> = kept.iter().map(|j| w.get(*j).copied()).collect();
                    *w = chosen.ok_or_else(|| Error::invalid("shape", "one weight per fixed effect"))?;
                }
                Some(Fixed::Separable(weights))
            }
            other => other,
        };
        if penalty.covariance.len() != inner.shapes().len() {
            return Err(Error::invalid("shape", "one penalty per random-effects term"));
        }
        Ok(Penalised {
            fixed: if kept.is_empty() { None } else { fixed },
            covariance: penalty.covariance,
            inner,
            warm: Vec::new(),
            last: None,
        })
    }

    /// `X'V^-1X` and the estimate of generalised least squares, in the user's units.
    fn quadratic(&self) -> Result<Quadratic> {
        let p = self.inner.frame().p();
        let singular = || Error::Numerical("X'V^-1X is singular at these variances".to_string());
        let r = invert_upper(&fixed_root(self.inner.as_ref()), p, p).ok_or_else(singular)?;
        Ok(Quadratic {
            a: matmul(&transpose(&r, p, p), &r, p, p, p),
            centre: fixed_effects(self.inner.as_ref()),
        })
    }

    /// The factor of `r2` in the user's units.
    fn response_units(&self) -> f64 {
        let scaling = &self.inner.frame().scaling;
        scaling.w * scaling.y * scaling.y
    }

    /// Fixed effects in the inner engine's units.
    fn to_inner(&self, beta: &[f64]) -> Vec<f64> {
        let frame = self.inner.frame();
        let scaling = &frame.scaling;
        let of =
            |(j, b): (&usize, &f64)| (b - scaling.shift * scaling.constant[*j]) * (scaling.x[*j] / scaling.y);
        frame.kept.iter().zip(beta).map(of).collect()
    }

    /// Find the fixed effects at the last evaluation of the inner engine, and hold them there; returns by how much the
    /// criterion of the likelihood rises, and what the penalty adds.
    fn shrink(&mut self, value: &Value) -> Result<(f64, Option<(Quadratic, Shrunk)>)> {
        let Some(penalty) = &self.fixed else {
            return Ok((0.0, None));
        };
        let (quadratic, n) = (self.quadratic()?, self.inner.denominator());
        let profile = Profile {
            quadratic: &quadratic,
            r2: value.r2 * self.response_units(),
            n,
        };
        if self.warm.len() != quadratic.p() {
            self.warm.clone_from(&quadratic.centre);
        }
        let shrunk = profile.minimise(penalty, &self.warm)?;
        let rise = n * (shrunk.excess / profile.r2).ln_1p();
        if !(rise.is_finite() && shrunk.penalty.is_finite()) {
            return Err(Error::Numerical(
                "the penalised criterion is not finite".to_string(),
            ));
        }
        self.warm.clone_from(&shrunk.beta);
        let beta = self.to_inner(&shrunk.beta);
        self.inner.hold_fixed(Some(&beta))?;
        self.inner.hold_scale(Some(self.inner.root().r2 / n));
        Ok((rise, Some((quadratic, shrunk))))
    }

    /// What the penalties on covariances add, in units of `-2 l`.
    fn covariance_value(&self, lambda: &[Vec<f64>]) -> Result<f64> {
        let units = units(self.inner.as_ref());
        let all = self
            .inner
            .shapes()
            .iter()
            .zip(&self.covariance)
            .zip(lambda)
            .zip(&units);
        all.map(|(((shape, c), l), u)| c.value(shape, l, u)).sum()
    }

    fn at(&self) -> Result<&At> {
        let missing = || Error::Bug("derivatives before an evaluation".to_string());
        self.last.as_ref().ok_or_else(missing)
    }

    /// Add the penalties on covariances.
    fn add_covariance(&self, derivatives: &mut Derivatives, lambda: &[Vec<f64>]) -> Result<()> {
        let units = units(self.inner.as_ref());
        let shapes = self.inner.shapes();
        let r: usize = shapes.iter().map(TermShape::packed_len).sum();
        let mut first = 0;
        for (t, shape) in shapes.iter().enumerate() {
            let k = shape.packed_len();
            if !matches!(self.covariance[t], Covariance::Free) {
                let parts = self.covariance[t].derivatives(shape, &lambda[t], &units[t])?;
                let gradient = derivatives.gradient[t].iter_mut();
                gradient.zip(&parts.gradient).for_each(|(a, b)| *a += b);
                if !derivatives.hessian.is_empty() {
                    for e in 0..k * k {
                        derivatives.hessian[(first + e / k) * r + first + e % k] += parts.hessian[e];
                    }
                }
            }
            first += k;
        }
        Ok(())
    }
}

impl Criterion for Penalised<'_> {
    fn shapes(&self) -> &[TermShape] {
        self.inner.shapes()
    }

    fn information(&self) -> Vec<Vec<f64>> {
        self.inner.information()
    }

    fn change_columns(&mut self, w: &[Vec<f64>]) -> Result<()> {
        self.last = None;
        self.inner.change_columns(w)
    }

    fn value(&mut self, lambda: &[Vec<f64>]) -> Result<Value> {
        if let Some(at) = self.last.as_ref().filter(|at| at.lambda == lambda) {
            return Ok(at.value.clone());
        }
        self.last = None;
        if self.fixed.is_some() {
            self.inner.hold_fixed(None)?;
            self.inner.hold_scale(None);
        }
        let mut value = self.inner.value(lambda)?;
        let covariance = self.covariance_value(lambda)?;
        let (rise, shrunk) = self.shrink(&value)?;
        let penalty = covariance + shrunk.as_ref().map_or(0.0, |(_, s)| s.penalty);
        value.r2 = self.inner.root().r2;
        value.criterion += rise + penalty;
        self.last = Some(At {
            lambda: lambda.to_vec(),
            value: value.clone(),
            penalty,
            shrunk,
        });
        Ok(value)
    }

    fn derivatives(&mut self, order: Order) -> Result<Derivatives> {
        let mut derivatives = self.inner.derivatives(order)?;
        if !derivatives.hessian.is_empty() {
            self.follow(&mut derivatives)?;
        }
        let lambda = self.at()?.lambda.clone();
        self.add_covariance(&mut derivatives, &lambda)?;
        Ok(derivatives)
    }
}

impl Engine for Penalised<'_> {
    fn frame(&self) -> &Frame {
        self.inner.frame()
    }

    fn root(&self) -> &Root {
        self.inner.root()
    }

    fn estimation(&self) -> Estimation {
        self.inner.estimation()
    }

    fn work(&self) -> usize {
        self.inner.work()
    }

    fn kind(&self) -> Kind {
        self.inner.kind()
    }

    fn conditional_modes(&self) -> Result<Vec<Vec<f64>>> {
        self.inner.conditional_modes()
    }

    fn conditional_variances(&mut self) -> Result<Vec<Vec<f64>>> {
        self.inner.conditional_variances()
    }

    fn moments(&mut self) -> Result<Moments> {
        self.inner.moments()
    }

    fn responses_to_fixed(&self) -> Result<Vec<Vec<f64>>> {
        self.inner.responses_to_fixed()
    }

    fn row_variances(&mut self, rows: &EffectRows<'_>) -> Result<Vec<f64>> {
        self.inner.row_variances(rows)
    }

    fn start(&self) -> Option<Vec<Vec<f64>>> {
        // moments may say zero, where some penalties are infinite
        match self.covariance.iter().any(Covariance::is_barrier) {
            true => None,
            false => self.inner.start(),
        }
    }

    fn stepping(&self) -> Order {
        self.inner.stepping()
    }

    fn fits_exactly(&mut self) -> Result<bool> {
        self.last = None;
        self.inner.hold_fixed(None)?;
        self.inner.hold_scale(None);
        self.inner.fits_exactly()
    }

    fn hold_scale(&mut self, sigma2: Option<f64>) {
        self.last = None;
        self.inner.hold_scale(sigma2);
    }

    fn hold_effect(&mut self, held: Option<(usize, f64)>) -> Result<()> {
        self.last = None;
        self.inner.hold_effect(held)
    }

    fn hold_fixed(&mut self, _beta: Option<&[f64]>) -> Result<()> {
        Err(Error::Bug(
            "a penalty holds the fixed effects already".to_string(),
        ))
    }
}
