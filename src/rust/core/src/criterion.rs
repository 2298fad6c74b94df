//! What an optimiser may ask of a model: value, gradient, curvature of the profiled criterion.
//!
//! Vignette "The algorithm": Eq. Criterion.

use crate::covstruct::Structure;
use crate::design::{Design, Term};
use crate::error::Result;

/// How many derivatives are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Gradient only.
    Gradient,
    /// Gradient and average information, which costs little more than the gradient and is close enough for steps; engines
    /// may give the Hessian instead.
    Average,
    /// Gradient and exact Hessian.
    Hessian,
}

/// Size and structure of one term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermShape {
    /// Number of columns.
    pub q: usize,
    /// Covariance structure.
    pub structure: Structure,
    /// Number of levels of the grouping factor.
    pub levels: usize,
}

impl TermShape {
    /// Those of all terms of a design.
    pub fn all_of(design: &Design<'_>) -> Vec<TermShape> {
        let of = |t: &Term<'_>| TermShape {
            q: t.columns.len(),
            structure: t.structure,
            levels: design.factors[t.factor].levels,
        };
        design.terms.iter().map(of).collect()
    }

    /// The number of parameters.
    pub fn packed_len(&self) -> usize {
        self.structure.packed_len(self.q)
    }
}

/// The parts of the criterion `-2 l` at one value of Psi, in the engine's units.
#[derive(Debug, Clone, Default)]
pub struct Value {
    /// `-2 l`, profiled over beta and sigma^2, in the units of the data and with all constants.
    pub criterion: f64,
    /// Generalised residual sum of squares `r2`.
    pub r2: f64,
    /// `log|V|`.
    pub logdet_v: f64,
    /// `log|X'V^-1X|`.
    pub logdet_xvx: f64,
}

/// Derivatives of the criterion with respect to Psi.
#[derive(Debug, Clone)]
pub struct Derivatives {
    /// Per term the symmetric `q x q` gradient `G`.
    pub gradient: Vec<Vec<f64>>,
    /// Second derivatives in the basis of Psi (see [`crate::covstruct`]), all terms in order, `r x r`; empty when not
    /// asked for.
    pub hessian: Vec<f64>,
    /// Derivative of `r2` in the same basis, `r`; empty when the Hessian was not asked for.
    pub r2_gradient: Vec<f64>,
    /// Derivative of beta (kept columns) in the same basis, `p x r`; empty when the Hessian was not asked for.
    pub beta_gradient: Vec<f64>,
}

/// A model whose criterion can be evaluated. The optimiser does not know which engine it drives.
pub trait Criterion {
    /// The terms, in order.
    fn shapes(&self) -> &[TermShape];

    /// Per term what the data say of its random effects, summed over levels (`q x q`): `Z'V_0^-1Z` with `V_0` the
    /// covariance of the response, relative to sigma^2, from the terms inside it, at the last call of
    /// [`Criterion::value`].
    fn information(&self) -> Vec<Vec<f64>>;

    /// Work with the columns `Z W` instead of Z from here on: per term a lower-triangular W (`q x q`), the identity for
    /// none. W always refers to the columns that the engine began with; factors and derivatives are those of the new
    /// columns, `Lambda (old) = W Lambda (new)`.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`] (`"memory"`).
    fn change_columns(&mut self, w: &[Vec<f64>]) -> Result<()>;

    /// The criterion at relative factors `lambda` (per term `q x q` column-major, lower triangular).
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`], [`crate::Error::Numerical`].
    fn value(&mut self, lambda: &[Vec<f64>]) -> Result<Value>;

    /// Derivatives at the point of the last call of [`Criterion::value`].
    ///
    /// # Errors
    /// As [`Criterion::value`].
    fn derivatives(&mut self, order: Order) -> Result<Derivatives>;
}
