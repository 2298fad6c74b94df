//! The deviance in all variance parameters at once, sigma among them.
//!
//! With `s = sigma^2` and Psi relative to it, `D(Psi, s) = n log(2 pi s) + r2(Psi) / s + log|V(Psi)|`. The parameters are
//! the free packed elements of the factors, `Psi = M L L' M'` per term, and `tau = log sigma` as the last one. M turns
//! the user's columns, in any order and measured in units of about one, into the engine's.
//!
//! Vignette "The algorithm": Eq. Profile.

use crate::covstruct::Structure;
use crate::criterion::Order;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::estimates::units;
use crate::linalg::{dot, matmul, qr_in_place, square_size, transpose};
use crate::objective::{Observer, Progress};
use crate::params::{invert_lower, Coordinates, TermCoordinates};

/// The lower-triangular L with `L L' = A A'` and a diagonal that is not negative.
pub fn lower_factor(a: &[f64]) -> Vec<f64> {
    let q = square_size(a);
    let mut upper = transpose(a, q, q);
    qr_in_place(&mut upper, q, q, q);
    let mut l = transpose(&upper, q, q);
    for column in 0..q {
        if l[column * q + column] < 0.0 {
            l[column * q..(column + 1) * q].iter_mut().for_each(|v| *v = -*v);
        }
    }
    l
}

/// Gradient and Hessian, column-major.
pub struct Slopes {
    /// The gradient.
    pub gradient: Vec<f64>,
    /// The Hessian.
    pub hessian: Vec<f64>,
}

/// The deviance of an engine (ML).
pub struct Joint<'e> {
    /// The engine.
    pub engine: &'e mut dyn Engine,
    /// Per term the units of the user's columns: those of Psi and of the noise of a level together, relative to sigma.
    pub scales: Vec<Vec<f64>>,
    /// `sigma (user) = exp(tau) unit`.
    pub unit: f64,
    /// Evaluations so far.
    pub evaluations: usize,
    lowest: f64,
    observer: Option<Observer<'e>>,
    at: Option<(Vec<f64>, f64)>,
}

impl<'e> Joint<'e> {
    /// The deviance around the factors `lambda` (user's units).
    ///
    /// # Errors
    /// [`Error::Numerical`].
    pub fn new(
        engine: &'e mut dyn Engine,
        lambda: &[Vec<f64>],
        observer: Option<Observer<'e>>,
    ) -> Result<Self> {
        let scaling = &engine.frame().scaling;
        let unit = scaling.w.sqrt() * scaling.y;
        let mut scales = Vec::new();
        let grams = engine.frame().gram.iter().zip(units(engine));
        for ((shape, l), (gram, u)) in engine.shapes().iter().zip(lambda).zip(grams) {
            let q = shape.q;
            let back = invert_lower(&u, q)?;
            let gram = matmul(&transpose(&back, q, q), &matmul(gram, &back, q, q, q), q, q, q);
            let square = |j: usize| (0..=j).map(|k| l[k * q + j].powi(2)).sum::<f64>();
            let noise = |j: usize| shape.levels as f64 / gram[j * q + j].max(f64::MIN_POSITIVE);
            let mut scale: Vec<f64> = (0..q).map(|j| square(j) + noise(j)).collect();
            if shape.structure == Structure::Scalar {
                let mean = scale.iter().sum::<f64>() / q as f64;
                scale.fill(mean);
            }
            scales.push(scale.iter().map(|v| v.sqrt()).collect());
        }
        Ok(Joint {
            engine,
            scales,
            unit,
            evaluations: 0,
            lowest: f64::INFINITY,
            observer,
            at: None,
        })
    }

    /// Coordinates in which the columns of each term stand in the given order; `free` says which elements are estimated.
    ///
    /// # Errors
    /// [`Error::Numerical`].
    pub fn coordinates(
        &self,
        orders: &[Vec<usize>],
        free: &[Vec<bool>],
        lambda: &[Vec<f64>],
    ) -> Result<Coordinates> {
        let mut terms = Vec::new();
        for (t, (shape, u)) in self
            .engine
            .shapes()
            .iter()
            .zip(units(self.engine as &dyn Engine))
            .enumerate()
        {
            let (q, order, scale) = (shape.q, &orders[t], &self.scales[t]);
            let back = invert_lower(&u, q)?;
            let map: Vec<f64> = order
                .iter()
                .flat_map(|j| back[j * q..(j + 1) * q].iter().map(move |v| v * scale[*j]))
                .collect();
            let own: Vec<f64> = (0..q * q)
                .map(|k| lambda[t][(k / q) * q + order[k % q]] / scale[order[k % q]])
                .collect();
            let free = if free[t].is_empty() {
                vec![true; shape.packed_len()]
            } else {
                free[t].clone()
            };
            let unrestricted = free.iter().all(|f| *f) && shape.structure == Structure::Unstructured;
            let own = if unrestricted { lower_factor(&own) } else { own };
            terms.push(TermCoordinates {
                shape: *shape,
                whitener: map,
                inverse: Vec::new(),
                packed: shape.structure.pack(q, &own),
                free,
            });
        }
        Ok(Coordinates { terms })
    }

    /// The deviance; infinite where it cannot be computed.
    ///
    /// # Errors
    /// [`Error::Interrupted`] and invalid input.
    pub fn value(&mut self, coordinates: &Coordinates, full: &[f64]) -> Result<f64> {
        if !full.iter().all(|v| v.is_finite()) {
            return Ok(f64::INFINITY);
        }
        let (x, tau) = (&full[..full.len() - 1], full[full.len() - 1]);
        let lambda: Vec<Vec<f64>> = coordinates
            .lambda(x)
            .iter()
            .zip(&coordinates.terms)
            .map(|(l, t)| match t.shape.structure {
                Structure::Unstructured => lower_factor(l),
                _ => l.clone(),
            })
            .collect();
        self.evaluations += 1;
        self.at = None;
        let value = match self.engine.value(&lambda) {
            Ok(value) => value,
            Err(Error::Numerical(_)) => return Ok(f64::INFINITY),
            Err(e) => return Err(e),
        };
        let (frame, n) = (self.engine.frame(), self.engine.denominator());
        let log_s = (2.0 * std::f64::consts::PI).ln() + 2.0 * tau + frame.scaling.log_rss_factor();
        let deviance = n * log_s + value.r2 * (-2.0 * tau).exp() + value.logdet_v - frame.log_weights;
        if !deviance.is_finite() {
            return Ok(f64::INFINITY);
        }
        self.at = Some((full.to_vec(), value.r2));
        self.lowest = self.lowest.min(deviance);
        if let Some(observer) = self.observer {
            observer(Progress {
                evaluations: self.evaluations,
                best: self.lowest,
            });
        }
        Ok(deviance)
    }

    /// Derivatives at the point of the last call of [`Joint::value`].
    ///
    /// # Errors
    /// Those of the engine.
    pub fn slopes(&mut self, coordinates: &Coordinates, order: Order) -> Result<Slopes> {
        let (full, r2) = self
            .at
            .as_ref()
            .ok_or_else(|| Error::Bug("derivatives before a value".to_string()))?;
        let k = full.len();
        let (x, tau) = (&full[..k - 1], full[k - 1]);
        let s = (2.0 * tau).exp();
        self.engine.hold_scale(Some(s));
        let derivatives = self.engine.derivatives(order)?;
        let mut gradient = coordinates.gradient(x, &derivatives);
        gradient.push(2.0 * self.engine.denominator() - 2.0 * r2 / s);
        let inner = coordinates.hessian(x, &derivatives);
        let cross = coordinates.pull_back(x, &derivatives.r2_gradient);
        let mut hessian = vec![4.0 * r2 / s; k * k];
        for j in 0..k - 1 {
            hessian[j * k..j * k + k - 1].copy_from_slice(&inner[j * (k - 1)..(j + 1) * (k - 1)]);
            hessian[j * k + k - 1] = -2.0 * cross[j] / s;
            hessian[(k - 1) * k + j] = -2.0 * cross[j] / s;
        }
        Ok(Slopes { gradient, hessian })
    }

    /// Of fixed effect j, at the last evaluation (engine's units): its estimate, the diagonal element of `S`, and the
    /// derivatives of the estimate in the free parameters where the coordinates are given.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn effect(&mut self, j: usize, coordinates: Option<&Coordinates>) -> Result<(f64, f64, Vec<f64>)> {
        let (root, p) = (self.engine.root(), self.engine.frame().p());
        let row: Vec<f64> = (0..p).map(|k| root.r_inverse[k * p + j]).collect();
        let (beta, s_jj) = (root.beta[j], dot(&row, &row));
        let slopes = match (coordinates, &self.at) {
            (Some(coordinates), Some((full, _))) => {
                let all = self.engine.derivatives(self.engine.stepping())?.beta_gradient;
                let own: Vec<f64> = all.iter().skip(j).step_by(p).copied().collect();
                coordinates.pull_back(&full[..full.len() - 1], &own)
            }
            _ => Vec::new(),
        };
        Ok((beta, s_jj, slopes))
    }
}
