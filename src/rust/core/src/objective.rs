//! The criterion as argmin sees it: cost, gradient and Hessian on a vector of free parameters.
//!
//! Vignette "The algorithm": Eq. Coordinates.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error as ArgminError, Gradient, Hessian};

use crate::criterion::{Derivatives, Order};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::linalg::{identity, matmul, square_size};
use crate::params::{invert_lower, Coordinates};

/// Told about every evaluation; may ask to stop by returning an error.
pub type Observer<'a> = &'a (dyn Fn(Progress) + Sync);

/// Where a fit stands.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Evaluations of the criterion so far.
    pub evaluations: usize,
    /// The lowest criterion so far.
    pub best: f64,
}

/// Beyond this ratio of scales within a term its columns are changed: the engine's derivatives would lose as many digits.
const UNEVEN: f64 = 1e3;
/// Beyond this, relative to the noise of a level, random effects in some direction cannot be told from rounding.
const BLOWN_UP: f64 = 1e10;

struct State<'a> {
    engine: &'a mut dyn Engine,
    at: Vec<f64>,
    cost: f64,
    derivatives: Option<(Order, Derivatives)>,
    evaluations: usize,
    best: f64,
    observer: Option<Observer<'a>>,
}

impl State<'_> {
    fn evaluate(&mut self, lambda: &[Vec<f64>]) -> Result<()> {
        (self.cost, self.derivatives) = (f64::NAN, None);
        let value = self.engine.value(lambda)?;
        self.cost = if value.criterion.is_finite() {
            value.criterion
        } else {
            f64::INFINITY
        };
        self.evaluations += 1;
        Ok(())
    }
}

/// The criterion of an engine in the optimiser's coordinates; remembers its last evaluation.
pub struct Objective<'a> {
    /// The coordinates.
    pub coordinates: Coordinates,
    /// The coordinates before any centring.
    pub base: Coordinates,
    /// Per term W: the engine's present columns are `Z W`.
    columns: Vec<Vec<f64>>,
    state: RefCell<State<'a>>,
}

impl<'a> Objective<'a> {
    /// An objective on an engine.
    pub fn new(engine: &'a mut dyn Engine, coordinates: Coordinates, observer: Option<Observer<'a>>) -> Self {
        Objective {
            base: coordinates.clone(),
            columns: coordinates.terms.iter().map(|t| identity(t.shape.q)).collect(),
            coordinates,
            state: RefCell::new(State {
                engine,
                at: Vec::new(),
                cost: f64::NAN,
                derivatives: None,
                evaluations: 0,
                best: f64::INFINITY,
                observer,
            }),
        }
    }

    /// Change to coordinates around the factors `lambda` (of the columns that the objective began with); returns the
    /// parameters there.
    ///
    /// # Errors
    /// [`Error::Numerical`] when the criterion cannot be computed at `lambda`.
    pub fn centre(&mut self, lambda: &[Vec<f64>]) -> Result<Vec<f64>> {
        let inner = self.to_engine(lambda)?;
        let state = self.state.get_mut();
        if state.at.is_empty() || state.cost.is_nan() || self.coordinates.lambda(&state.at) != inner {
            state.evaluate(&inner)?;
        }
        let centred = self.coordinates.around(&inner, &state.engine.information())?;
        let sound = self.keep_sound(centred, &inner);
        if sound && self.coordinates.is_uneven(UNEVEN) {
            let step = self.coordinates.columns();
            for (w, t) in self.columns.iter_mut().zip(&step) {
                let q = square_size(t);
                *w = matmul(w, t, q, q, q);
            }
            let state = self.state.get_mut();
            state.engine.change_columns(&self.columns)?;
            let inner = self.to_engine(lambda)?;
            let state = self.state.get_mut();
            state.evaluate(&inner)?;
            let centred = self.coordinates.around(&inner, &state.engine.information())?;
            for (term, t) in self.coordinates.terms.iter_mut().zip(&step) {
                term.take_from_columns(t)?;
            }
            self.keep_sound(centred, &inner);
        }
        let state = self.state.get_mut();
        state.at = self.coordinates.start();
        Ok(state.at.clone())
    }

    /// Take new coordinates around factors of the present columns, but keep those of terms in which they would blow up a
    /// direction by more than any data could ask for: that of columns of Z which depend on each other is only rounding.
    /// Returns whether all were taken.
    fn keep_sound(&mut self, mut centred: Coordinates, inner: &[Vec<f64>]) -> bool {
        let mut all = true;
        for (t, term) in centred.terms.iter_mut().enumerate() {
            let q = term.shape.q;
            let total = matmul(&self.columns[t], &term.whitener, q, q, q);
            let growth = matmul(&self.base.terms[t].inverse, &total, q, q, q);
            if growth.iter().any(|v| v.is_nan() || v.abs() > BLOWN_UP) {
                *term = self.coordinates.terms[t].at(&inner[t]);
                all = false;
            }
        }
        self.coordinates = centred;
        all
    }

    /// Per term Lambda, of the columns that the objective began with, at parameters `x`.
    pub fn lambda(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let all = self.columns.iter().zip(self.coordinates.lambda(x));
        all.map(|(w, l)| matmul(w, &l, square_size(w), square_size(w), square_size(w)))
            .collect()
    }

    /// Factors of the engine's present columns from those of the columns that the objective began with.
    ///
    /// # Errors
    /// [`Error::Numerical`].
    pub fn to_engine(&self, lambda: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
        let convert = |(w, l): (&Vec<f64>, &Vec<f64>)| {
            let q = square_size(w);
            Ok(matmul(&invert_lower(w, q)?, l, q, q, q))
        };
        self.columns.iter().zip(lambda).map(convert).collect()
    }

    /// Evaluations of the criterion so far.
    pub fn evaluations(&self) -> usize {
        self.state.borrow().evaluations
    }

    /// The criterion; infinite where it cannot be computed.
    ///
    /// # Errors
    /// [`Error::Interrupted`] and invalid input; numerical failure is an infinite value.
    pub fn value(&self, x: &[f64]) -> Result<f64> {
        let mut state = self.state.borrow_mut();
        if state.at == x && !state.cost.is_nan() {
            return Ok(state.cost);
        }
        let cost = if x.iter().all(|v| v.is_finite()) {
            match state.engine.value(&self.coordinates.lambda(x)) {
                Ok(value) if value.criterion.is_finite() => value.criterion,
                Ok(_) | Err(Error::Numerical(_)) => f64::INFINITY,
                Err(e) => return Err(e),
            }
        } else {
            f64::INFINITY
        };
        state.at = x.to_vec();
        state.cost = cost;
        state.derivatives = None;
        state.evaluations += 1;
        state.best = state.best.min(cost);
        if let Some(observer) = state.observer {
            observer(Progress {
                evaluations: state.evaluations,
                best: state.best,
            });
        }
        Ok(cost)
    }

    /// Derivatives with respect to Psi in the engine's units.
    ///
    /// # Errors
    /// [`Error::Numerical`] where the criterion is not finite.
    pub fn derivatives(&self, x: &[f64], order: Order) -> Result<Derivatives> {
        if !self.value(x)?.is_finite() {
            return Err(Error::Numerical(
                "derivatives where the criterion is not finite".to_string(),
            ));
        }
        let mut state = self.state.borrow_mut();
        if let Some((known, derivatives)) = &state.derivatives {
            if *known >= order {
                return Ok(derivatives.clone());
            }
        }
        let derivatives = state.engine.derivatives(order)?;
        state.derivatives = Some((order, derivatives.clone()));
        Ok(derivatives)
    }

    /// What steps are made from.
    pub fn stepping(&self) -> Order {
        self.state.borrow().engine.stepping()
    }

    /// Gradient and Hessian (or what is close to it, by `order`) in the free parameters.
    ///
    /// # Errors
    /// As [`Objective::derivatives`].
    pub fn curvature(&self, x: &[f64], order: Order) -> Result<(Vec<f64>, Vec<f64>)> {
        let derivatives = self.derivatives(x, order)?;
        Ok((
            self.coordinates.gradient(x, &derivatives),
            self.coordinates.hessian(x, &derivatives),
        ))
    }
}

/// argmin drives the objective through a reference, so that it can be asked again afterwards.
/// The second field is the order of derivatives that the method will ask for in the end.
pub struct Shared<'o, 'a>(pub &'o Objective<'a>, pub Order);

impl CostFunction for Shared<'_, '_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, x: &Vec<f64>) -> std::result::Result<f64, ArgminError> {
        // a finite wall instead of infinity: argmin's line searches compute with what they get
        Ok(self.0.value(x)?.min(f64::MAX.sqrt()))
    }
}

impl Gradient for Shared<'_, '_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, x: &Vec<f64>) -> std::result::Result<Vec<f64>, ArgminError> {
        if !self.0.value(x)?.is_finite() {
            return Ok(vec![0.0; x.len()]);
        }
        let derivatives = self.0.derivatives(x, self.1)?;
        Ok(self.0.coordinates.gradient(x, &derivatives))
    }
}

impl Hessian for Shared<'_, '_> {
    type Param = Vec<f64>;
    type Hessian = Vec<Vec<f64>>;

    fn hessian(&self, x: &Vec<f64>) -> std::result::Result<Vec<Vec<f64>>, ArgminError> {
        let (_, h) = self.0.curvature(x, self.1)?;
        Ok(h.chunks_exact(x.len().max(1)).map(<[f64]>::to_vec).collect())
    }
}

/// The error of this library behind an error of argmin.
pub fn unwrap_argmin(error: ArgminError) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(other) => Error::Numerical(format!("the optimiser stopped: {other}")),
    }
}
