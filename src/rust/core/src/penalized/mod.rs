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
//! [`fixed`] and [`lasso`], everything about covariances in [`covariance`].
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
pub mod lasso;

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::criterion::{Criterion, Derivatives, Order, TermShape, Value};
use crate::design::{Design, Estimation};
use crate::engine::{choose, EffectRows, Engine, Frame, Kind, Moments, Root};
use crate::error::{Error, Result};
use crate::estimates::{fixed_effects, fixed_root, units};
use crate::fit::{fit_engine, threads_for, Fit, Options};
use crate::linalg::{dot, invert_upper, matmul, symmetric_eigen, transpose};
use crate::objective::Observer;
use crate::parallel::Workers;
use covariance::Covariance;
use fixed::{second_derivatives, Fixed, Profile, Shrunk};
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

    /// Let the fixed effects and the residual variance follow Psi: from derivatives at fixed u to those of F.
    fn follow(&self, derivatives: &mut Derivatives) -> Result<()> {
        let (Some((quadratic, shrunk)), Some(penalty)) = (&self.at()?.shrunk, &self.fixed) else {
            return Ok(());
        };
        let (p, r) = (quadratic.p(), derivatives.r2_gradient.len());
        let (n, units) = (self.inner.denominator(), self.response_units());
        let r2 = self.inner.root().r2;
        let (s, beta) = (r2 * units / n, &shrunk.beta);
        let (bend, moving) = bend_of(penalty, beta, quadratic, s)?;
        let m = moving.len();
        let pull = quadratic.times(&quadratic.away(beta));
        // L_uu and its inverse
        let mut luu = vec![0.0; (m + 1) * (m + 1)];
        for (j, b) in moving.iter().enumerate() {
            for (i, a) in moving.iter().enumerate() {
                luu[j * (m + 1) + i] = 2.0 * quadratic.a[b * p + a] / s + bend[b * p + a];
            }
            let cross = -2.0 * pull[*b] / s;
            (luu[j * (m + 1) + m], luu[m * (m + 1) + j]) = (cross, cross);
        }
        luu[(m + 1) * (m + 1) - 1] = n;
        let frame = self.inner.frame();
        let per: Vec<f64> = frame
            .kept
            .iter()
            .map(|j| frame.scaling.y / frame.scaling.x[*j])
            .collect();
        let mut lup = vec![0.0; (m + 1) * r];
        for e in 0..r {
            let from = &derivatives.beta_gradient[e * p..(e + 1) * p];
            let b: Vec<f64> = from.iter().zip(&per).map(|(v, u)| v * u).collect();
            let ab = quadratic.times(&b);
            for (j, k) in moving.iter().enumerate() {
                lup[e * (m + 1) + j] = -2.0 * ab[*k] / s;
            }
            lup[e * (m + 1) + m] = -n * derivatives.r2_gradient[e] / r2;
        }
        let change = solve_symmetric(&luu, &lup, m + 1)?;
        let taken = matmul(&transpose(&lup, m + 1, r), &change, r, m + 1, r);
        derivatives
            .hessian
            .iter_mut()
            .zip(&taken)
            .for_each(|(h, t)| *h -= t);
        // du = - L_uu^-1 L_up
        for e in 0..r {
            let du = &change[e * (m + 1)..(e + 1) * (m + 1)];
            let column = &mut derivatives.beta_gradient[e * p..(e + 1) * p];
            column.fill(0.0);
            moving.iter().zip(du).for_each(|(k, d)| column[*k] = -d / per[*k]);
            // r = N s
            derivatives.r2_gradient[e] = -du[m] * r2;
        }
        Ok(())
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

/// Second derivatives of a penalty on the fixed effects in units of `-2 l`, and the coefficients that are not kept at zero.
fn bend_of(penalty: &Fixed, beta: &[f64], quadratic: &Quadratic, s: f64) -> Result<(Vec<f64>, Vec<usize>)> {
    let p = beta.len();
    match penalty {
        Fixed::Separable(weights) => {
            let mut bend = vec![0.0; p * p];
            (0..p).for_each(|j| bend[j * p + j] = 2.0 * weights.l2[j]);
            Ok((bend, (0..p).filter(|j| weights.moves(beta, *j)).collect()))
        }
        Fixed::Smooth(smooth) => {
            let unit: Vec<f64> = (0..p).map(|j| (s / quadratic.a[j * p + j]).sqrt()).collect();
            let mut bend = second_derivatives(smooth.as_ref(), beta, &unit)?;
            bend.iter_mut().for_each(|v| *v *= 2.0);
            Ok((bend, (0..p).collect()))
        }
    }
}

/// `A^-1 B` for a symmetric A, by its eigenvectors, after scaling to a unit diagonal.
fn solve_symmetric(a: &[f64], b: &[f64], n: usize) -> Result<Vec<f64>> {
    let d: Vec<f64> = (0..n)
        .map(|j| a[j * n + j].abs().sqrt().max(f64::MIN_POSITIVE))
        .collect();
    let scaled: Vec<f64> = (0..n * n).map(|k| a[k] / (d[k % n] * d[k / n])).collect();
    let eigen = symmetric_eigen(&scaled, n)?;
    let mut out = vec![0.0; b.len()];
    for (to, from) in out.chunks_exact_mut(n).zip(b.chunks_exact(n)) {
        let from: Vec<f64> = from.iter().zip(&d).map(|(v, d)| v / d).collect();
        for (j, value) in eigen.values.iter().enumerate().filter(|(_, v)| v.abs() > 1e-14) {
            crate::linalg::axpy(dot(eigen.vector(j), &from) / value, eigen.vector(j), to);
        }
        to.iter_mut().zip(&d).for_each(|(v, d)| *v /= d);
    }
    Ok(out)
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
