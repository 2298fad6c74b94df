//! What a fit may ask of an engine beyond the criterion, and the choice of the engine.
//!
//! Vignette "The algorithm": Eq. Criterion.

use crate::criterion::{Criterion, Order};
use crate::crossed::Crossed;
use crate::design::{Design, Estimation};
use crate::error::Result;
use crate::grouped::Grouped;
use crate::grouping::Tree;
use crate::linalg::identity;
use crate::parallel::Workers;
use crate::reduction::reduce;
use crate::scaling::Scaling;

/// The units in which an engine works, and what it knows of the data as a whole.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Number of rows of the data.
    pub n: usize,
    /// The columns of X that are kept, in order.
    pub kept: Vec<usize>,
    /// `Z'Z` of each term, summed over rows, `q x q`, after `whitener`.
    pub gram: Vec<Vec<f64>>,
    /// Per term the lower-triangular `T` by which the columns of Z were multiplied, `q x q`.
    pub whitener: Vec<Vec<f64>>,
    /// Sum of the logarithms of the weights (original units).
    pub log_weights: f64,
    /// Shift and scale.
    pub scaling: Scaling,
}

impl Frame {
    /// That of a design, before anything is known of the columns of Z.
    pub fn new(design: &Design<'_>, kept: Vec<usize>, scaling: Scaling) -> Frame {
        Frame {
            n: design.n(),
            kept,
            gram: Vec::new(),
            whitener: design.terms.iter().map(|t| identity(t.columns.len())).collect(),
            log_weights: design.weights.map_or(0.0, |w| w.iter().map(|v| v.ln()).sum()),
            scaling,
        }
    }

    /// The rank of X.
    pub fn p(&self) -> usize {
        self.kept.len()
    }

    /// `-2 l` in the units of the data, with all constants, from its parts in scaled units.
    pub fn criterion(&self, estimation: Estimation, r2: f64, logdet_v: f64, logdet_xvx: f64) -> f64 {
        let n = estimation.denominator(self.n, self.p());
        let log_r2 = r2.ln() + self.scaling.log_rss_factor();
        let log_xvx = logdet_xvx + self.scaling.log_det_correction(&self.kept);
        n * (1.0 + (2.0 * std::f64::consts::PI / n).ln() + log_r2) + logdet_v - self.log_weights
            + estimation.reml_weight() * log_xvx
    }
}

/// The fixed effects and the residual at the last evaluation, in scaled units.
#[derive(Debug, Clone, Default)]
pub struct Root {
    /// Fixed effects, kept columns.
    pub beta: Vec<f64>,
    /// A factor of `S = (X'V^-1X)^-1`, upper triangular: `S` is this times its transpose.
    pub r_inverse: Vec<f64>,
    /// Generalised residual sum of squares.
    pub r2: f64,
}

/// What the distribution of the estimated fixed effects is judged by, at one value of Psi: with `G_d` the derivative of V in
/// the direction d of Psi, in the engine's units; fixed effects in the coordinates in which `X'V^-1X` is the identity
/// ([`Root::r_inverse`]).
#[derive(Debug, Clone)]
pub struct Moments {
    /// Per term the symmetric `q x q` derivative of `log|V|`: `tr(V^-1 G_d)` is its sum over the elements of d.
    pub traces: Vec<Vec<f64>>,
    /// `tr(V^-1 G_d V^-1 G_e)`, `r x r`.
    pub products: Vec<f64>,
    /// Per direction `X'V^-1 G_d V^-1 X`, `p x p`.
    pub first: Vec<Vec<f64>>,
    /// Per pair `(0, 0), (0, 1), (1, 1), ...` the symmetric part of `X'V^-1 G_d V^-1 G_e V^-1 X`, `p x p`.
    pub second: Vec<Vec<f64>>,
}

/// The random part of some rows.
pub struct EffectRows<'a> {
    /// Per term `q` numbers for each row, row by row, scaled units.
    pub z: Vec<Vec<f64>>,
    /// Per factor of the design the level of each row, from 1; of rows that the model was fitted to.
    pub codes: Vec<&'a [i32]>,
    /// The number of rows.
    pub n: usize,
}

/// Which engine ran, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Groups are independent, or nested in each other.
    Grouped,
    /// Two factors (indices in the design) are not nested.
    Crossed {
        /// The factors.
        pair: (usize, usize),
        /// How the system beyond the largest factor is stored.
        storage: Storage,
    },
}

/// How a symmetric system is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// All elements.
    Dense,
    /// Those that elimination in a good order fills.
    Sparse,
}

/// An engine: a criterion with what estimates are made of.
pub trait Engine: Criterion {
    /// Units and totals.
    fn frame(&self) -> &Frame;

    /// Fixed effects and residual at the last evaluation.
    fn root(&self) -> &Root;

    /// ML or REML.
    fn estimation(&self) -> Estimation;

    /// How many numbers an evaluation works through.
    fn work(&self) -> usize;

    /// Which engine this is.
    fn kind(&self) -> Kind;

    /// Per term the conditional modes `b` at the last evaluation, `q x levels` column-major by code of the factor, scaled
    /// units.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`].
    fn conditional_modes(&self) -> Result<Vec<Vec<f64>>>;

    /// Per term the conditional covariances of the random effects given y and beta, relative to sigma^2, at the last
    /// evaluation, `q x q x levels` by code of the factor, scaled units.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`], [`crate::Error::Interrupted`].
    fn conditional_variances(&mut self) -> Result<Vec<Vec<f64>>>;

    /// What tests of fixed effects need, at the last evaluation.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`] (`"memory"`), [`crate::Error::Numerical`], [`crate::Error::Interrupted`].
    fn moments(&mut self) -> Result<Moments>;

    /// Per term `K R^-1` with `K = Psi Z'V^-1X` and `R'R = X'V^-1X`, at the last evaluation, `p x q x levels` by code of the
    /// factor, scaled units: what errors of beta do to the conditional modes, with the opposite sign.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`] (`"memory"`), [`crate::Error::Bug`] before any evaluation.
    fn responses_to_fixed(&self) -> Result<Vec<Vec<f64>>>;

    /// Per row `z'Pz` with P the conditional covariance of all random effects given y and beta, relative to sigma^2, at the
    /// last evaluation, scaled units.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`], [`crate::Error::InvalidInput`] (`"memory"`), [`crate::Error::Interrupted`].
    fn row_variances(&mut self, rows: &EffectRows<'_>) -> Result<Vec<f64>>;

    /// Per term a Lambda to start from, where the engine has a better one than the noise of a level; scaled units.
    fn start(&self) -> Option<Vec<Vec<f64>>> {
        None
    }

    /// The derivatives that steps are made from: the exact Hessian unless it is expensive.
    fn stepping(&self) -> Order {
        Order::Hessian
    }

    /// Whether fixed and random effects together fit the response exactly: asked where a search ended nowhere.
    ///
    /// # Errors
    /// As [`Criterion::value`].
    fn fits_exactly(&mut self) -> Result<bool> {
        Ok(false)
    }

    /// Hold the residual variance (scaled units): derivatives are from here on those of `N log s + r2 / s + log|V|` at
    /// this s, instead of those of the criterion that is profiled over it (`None`). Values do not change.
    fn hold_scale(&mut self, sigma2: Option<f64>);

    /// Hold a fixed effect, given by its place among the kept columns, at a value (scaled units): the response becomes
    /// `y - c x_j`, and X loses column j, until all are estimated again (`None`). For ML only.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`] (`"memory"`).
    fn hold_effect(&mut self, held: Option<(usize, f64)>) -> Result<()>;

    /// Hold all fixed effects at values (kept columns, scaled units) from here on, in place of those that generalised least
    /// squares would give (`None`): [`Engine::root`] has them and the residual sum of squares there, and derivatives are
    /// those of `N log r + log|V| + 1{REML} log|X'V^-1X|` with r at these fixed effects. What was evaluated before stays
    /// evaluated; after `None` the criterion has to be evaluated again.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`].
    fn hold_fixed(&mut self, beta: Option<&[f64]>) -> Result<()>;

    /// `N` of the criterion.
    fn denominator(&self) -> f64 {
        self.estimation().denominator(self.frame().n, self.frame().p())
    }
}

/// What an engine is made with.
#[derive(Debug, Clone, Copy)]
pub struct Making {
    /// ML or REML.
    pub estimation: Estimation,
    /// See [`crate::Options`].
    pub rank_tolerance: f64,
    /// The most bytes that it may take.
    pub max_memory: f64,
}

/// The engine for a design, checked and reduced: the grouped one where all factors are nested, else the crossed one.
///
/// # Errors
/// [`crate::Error::InvalidInput`] for data or models that cannot be fitted, [`crate::Error::Interrupted`].
pub fn choose<'w>(
    design: &Design<'_>,
    making: Making,
    workers: &'w Workers<'w>,
) -> Result<Box<dyn Engine + 'w>> {
    design.check()?;
    let mut used = vec![false; design.factors.len()];
    design.terms.iter().for_each(|t| used[t.factor] = true);
    match Tree::build(&design.factors, &used)? {
        Ok(tree) => {
            let reduced = reduce(design, tree, making.rank_tolerance, making.max_memory, workers)?;
            Ok(Box::new(Grouped::new(
                design,
                reduced,
                making.estimation,
                workers,
            )?))
        }
        Err(pair) => Ok(Box::new(Crossed::new(design, pair, making, workers)?)),
    }
}
