//! The engine for independent groups, and for factors nested in each other.
//!
//! One evaluation goes over the tree of groups twice. Upwards ([`evaluate`]), each node is whitened by its own
//! `C_i` with `C_i C_i' = I + R_i Psi R_i'` and its rows `A_i = C_i^-1 B_i` join those of its parent; at the root the
//! triangle of `[X y]` gives beta, `r2` and the determinants. Downwards ([`derivatives`]), each node adds its part of the
//! gradient and of the Hessian.

mod derivatives;
mod evaluate;
mod held;
mod messages;
mod modes;
mod moments;
mod prediction;

use crate::criterion::{Criterion, Derivatives, Order, TermShape, Value};
use crate::design::{Design, Estimation};
use crate::engine::{EffectRows, Engine, Frame, Kind, Moments, Root};
use crate::error::{zeros, Error, Result};
use crate::parallel::Workers;
use crate::reduction::{LevelBlocks, Reduced};

/// A direction of Psi: which elements of the level's matrix are 1.
#[derive(Debug, Clone)]
struct Direction {
    level: usize,
    pairs: Vec<(usize, usize)>,
}

/// What changes with the columns in use, as it was at first.
struct Pristine {
    blocks: Vec<Vec<f64>>,
    whitener: Vec<Vec<f64>>,
}

/// The engine: reduced data, and the results of the last evaluation.
pub struct Grouped<'w> {
    reduced: Reduced,
    shapes: Vec<TermShape>,
    /// The factor of each term.
    factors: Vec<usize>,
    directions: Vec<Direction>,
    estimation: Estimation,
    workers: &'w Workers<'w>,
    /// Per level `Lambda` and `Psi` of all terms together.
    lambda: Vec<Vec<f64>>,
    psi: Vec<Vec<f64>>,
    /// Per level the whitened blocks `[T | A]`, laid out as the reduced ones.
    white: Vec<Vec<f64>>,
    /// Per inner level and node `P = (Psi^-1 + M)^-1`; empty on the innermost.
    posterior: Vec<Vec<f64>>,
    /// The data as they were reduced, once other columns are in use.
    pristine: Option<Pristine>,
    /// Per inner level the sum over its nodes of the information `R'R` that the last evaluation brought to them.
    incoming: Vec<Vec<f64>>,
    root: Root,
    /// The residual variance at which derivatives are taken, where it is held.
    scale: Option<f64>,
    /// The data with all fixed effects, while one of them is held.
    complete: Option<held::Columns>,
    /// The fixed effects, where all of them are held.
    fixed: Option<Vec<f64>>,
}

impl<'w> Grouped<'w> {
    /// The engine for a reduced design.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`] (`"memory"`).
    pub fn new(
        design: &Design<'_>,
        reduced: Reduced,
        estimation: Estimation,
        workers: &'w Workers<'w>,
    ) -> Result<Self> {
        let shapes = TermShape::all_of(design);
        let mut white = Vec::new();
        let mut posterior = Vec::new();
        for (depth, level) in reduced.levels.iter().enumerate() {
            white.push(zeros(level.data.len(), "the workspace")?);
            let inner = depth < reduced.tree.leaf_level();
            let len = if inner {
                level.rows.len() * level.q * level.q
            } else {
                0
            };
            posterior.push(zeros(len, "the workspace")?);
        }
        let inner = &reduced.levels[..reduced.tree.leaf_level()];
        let incoming = inner.iter().map(|l| vec![0.0; l.q * l.q]).collect();
        Ok(Grouped {
            directions: directions(&shapes, &reduced.levels),
            lambda: reduced.levels.iter().map(|l| vec![0.0; l.q * l.q]).collect(),
            psi: reduced.levels.iter().map(|l| vec![0.0; l.q * l.q]).collect(),
            factors: design.terms.iter().map(|t| t.factor).collect(),
            shapes,
            reduced,
            estimation,
            workers,
            white,
            posterior,
            pristine: None,
            incoming,
            root: Root::default(),
            scale: None,
            complete: None,
            fixed: None,
        })
    }

    /// The reduced data.
    pub fn reduced(&self) -> &Reduced {
        &self.reduced
    }

    /// Collect the factors of the terms of each level in one block-diagonal matrix.
    fn set_lambda(&mut self, lambda: &[Vec<f64>]) -> Result<()> {
        if lambda.len() != self.shapes.len() {
            return Err(Error::Bug("one factor per term expected".to_string()));
        }
        for (depth, level) in self.reduced.levels.iter().enumerate() {
            let n = level.q;
            let (l, psi) = (&mut self.lambda[depth], &mut self.psi[depth]);
            for (t, offset) in &level.terms {
                let q = self.shapes[*t].q;
                for j in 0..q {
                    for i in 0..q {
                        l[(offset + j) * n + offset + i] = lambda[*t][j * q + i];
                    }
                }
            }
            for j in 0..n {
                for i in 0..n {
                    psi[j * n + i] = (0..=i.min(j)).map(|k| l[k * n + i] * l[k * n + j]).sum();
                }
            }
        }
        Ok(())
    }
}

fn directions(shapes: &[TermShape], levels: &[LevelBlocks]) -> Vec<Direction> {
    let mut place = vec![(0, 0); shapes.len()];
    for (depth, level) in levels.iter().enumerate() {
        for (t, offset) in &level.terms {
            place[*t] = (depth, *offset);
        }
    }
    let mut all = Vec::new();
    for (shape, (level, offset)) in shapes.iter().zip(place) {
        for pairs in shape.structure.directions(shape.q) {
            let pairs = pairs.iter().map(|(a, b)| (a + offset, b + offset)).collect();
            all.push(Direction { level, pairs });
        }
    }
    all
}

impl Criterion for Grouped<'_> {
    fn shapes(&self) -> &[TermShape] {
        &self.shapes
    }

    fn information(&self) -> Vec<Vec<f64>> {
        let mut all = self.reduced.frame.gram.clone();
        for (sum, level) in self.incoming.iter().zip(&self.reduced.levels) {
            for (t, offset) in &level.terms {
                let q = self.shapes[*t].q;
                let at = |k: usize| sum[(offset + k / q) * level.q + offset + k % q];
                all[*t] = (0..q * q).map(at).collect();
            }
        }
        all
    }

    fn change_columns(&mut self, w: &[Vec<f64>]) -> Result<()> {
        let reduced = &mut self.reduced;
        if self.pristine.is_none() {
            let mut blocks = Vec::new();
            for level in &reduced.levels {
                let mut copy = crate::error::reserved(level.data.len(), "the reduced data")?;
                copy.extend_from_slice(&level.data);
                blocks.push(copy);
            }
            let whitener = reduced.frame.whitener.clone();
            self.pristine = Some(Pristine { blocks, whitener });
        }
        if let Some(Pristine { blocks, whitener }) = &self.pristine {
            for (level, data) in reduced.levels.iter_mut().zip(blocks) {
                level.data.copy_from_slice(data);
            }
            reduced.frame.whitener.clone_from(whitener);
        }
        reduced.change_columns(w);
        Ok(())
    }

    fn value(&mut self, lambda: &[Vec<f64>]) -> Result<Value> {
        self.set_lambda(lambda)?;
        self.evaluate()
    }

    fn derivatives(&mut self, order: Order) -> Result<Derivatives> {
        // the exact Hessian costs no more than an approximation
        self.differentiate(if order == Order::Average {
            Order::Hessian
        } else {
            order
        })
    }
}

impl Engine for Grouped<'_> {
    fn frame(&self) -> &Frame {
        &self.reduced.frame
    }

    fn root(&self) -> &Root {
        &self.root
    }

    fn estimation(&self) -> Estimation {
        self.estimation
    }

    fn work(&self) -> usize {
        self.reduced.levels.iter().map(|l| l.data.len()).sum()
    }

    fn kind(&self) -> Kind {
        Kind::Grouped
    }

    fn hold_scale(&mut self, sigma2: Option<f64>) {
        self.scale = sigma2;
    }

    fn hold_effect(&mut self, held: Option<(usize, f64)>) -> Result<()> {
        self.hold(held)
    }

    fn hold_fixed(&mut self, beta: Option<&[f64]>) -> Result<()> {
        self.fixed = beta.map(<[f64]>::to_vec);
        self.apply_fixed();
        Ok(())
    }

    fn conditional_modes(&self) -> Result<Vec<Vec<f64>>> {
        Ok(modes::conditional_modes(self))
    }

    fn conditional_variances(&mut self) -> Result<Vec<Vec<f64>>> {
        modes::conditional_variances(self)
    }

    fn moments(&mut self) -> Result<Moments> {
        self.sum_moments()
    }

    fn responses_to_fixed(&self) -> Result<Vec<Vec<f64>>> {
        prediction::responses_to_fixed(self)
    }

    fn row_variances(&mut self, rows: &EffectRows<'_>) -> Result<Vec<f64>> {
        prediction::row_variances(self, rows)
    }
}
