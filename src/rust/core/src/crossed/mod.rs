//! The engine for random effects of crossed and partially crossed factors.
//!
//! The same criterion as that of the grouped engine, through penalised least squares: with `Psi = Lambda Lambda'` over all
//! random effects, `M = I + Lambda'Z'Z Lambda` (Bates and others 2015, eq. 18). The factor with the most random effects
//! leads: its levels do not meet each other and are eliminated one by one; what is left is a symmetric system S over the
//! levels of all other factors ([`layout`]), dense or sparse by what it costs ([`panels`]). The factor of S gives the
//! criterion ([`evaluate`]); its inverse, on the pattern of the factor, the gradient; average information or, where S is
//! dense, the exact second derivatives give the Hessian ([`derivatives`]).
//!
//! Vignette "The algorithm": Eq. Elimination.

mod assembly;
mod blocks;
mod cells;
mod curvature;
mod dense;
mod derivatives;
mod differences;
mod elimination;
mod evaluate;
mod gram;
mod held;
mod layout;
mod moments;
mod panels;
mod plan;
mod prediction;
mod rows;
mod solve;
mod start;
mod traces;
mod walks;

use std::ops::Range;

use crate::criterion::{Criterion, Derivatives, Order, TermShape, Value};
use crate::design::{Design, Estimation};
use crate::engine::{EffectRows, Engine, Frame, Kind, Making, Moments, Root, Storage};
use crate::error::{Error, Result};
use crate::parallel::{chunks, Workers};
use blocks::{blocks_of, directions_of, Block, Direction};
use cells::Cells;
use derivatives::FirstOrder;
use gram::Gram;
use layout::Layout;
use panels::Panels;
use plan::Exact;
use rows::Band;
use solve::Solution;

/// Multiplications below which the exact Hessian is cheap enough for every step.
const CHEAP: f64 = 2e7;

/// The most pieces of the leading factor that are worked on at a time.
const LEVEL_CHUNKS: usize = 16;

/// What the last evaluation left.
#[derive(Default)]
struct State {
    /// Per leading level `K = (I + G Psi)^-1` and D with `D'D = Psi K`, `Q x Q`.
    inner: Vec<f64>,
    half: Vec<f64>,
    /// Per block the sum over its levels of `Z_l'V_0^-1Z_l` with V_0 from the leading factor.
    information: Vec<Vec<f64>>,
    /// Per block the factor of Psi with which the panels were factorised.
    factored: Vec<Vec<f64>>,
    /// The solution for the right-hand sides `Z'[Q y]`.
    solution: Option<Solution>,
    /// Coefficients of the orthonormal columns of X.
    gamma: Vec<f64>,
    /// `R^-1` with `R'R = Q'V^-1Q`.
    r_inverse: Vec<f64>,
    root: Root,
    /// The criterion, unless something changed since.
    value: Option<Value>,
    /// What derivatives of any order are made from, once it is known.
    first_order: Option<FirstOrder>,
    /// The derivatives that were asked for last.
    derivatives: Option<(Order, Derivatives)>,
}

impl State {
    /// Forget what was found at another point, or with other columns.
    fn forget(&mut self) {
        self.value = None;
        self.forget_derivatives();
    }

    /// Forget what was made from another factor of the system.
    fn forget_derivatives(&mut self) {
        (self.first_order, self.derivatives) = (None, None);
    }
}

/// What changes with the columns in use, as it was at first.
struct Pristine {
    z: Vec<Vec<f64>>,
    whitener: Vec<Vec<f64>>,
}

/// The engine.
pub struct Crossed<'w> {
    blocks: Vec<Block>,
    cells: Cells,
    layout: Layout,
    gram: Gram,
    panels: Panels,
    frame: Frame,
    shapes: Vec<TermShape>,
    directions: Vec<Direction>,
    estimation: Estimation,
    workers: &'w Workers<'w>,
    /// Two factors that are not nested.
    pair: (usize, usize),
    /// Per block `Lambda` and `Psi` of all terms together.
    lambda: Vec<Vec<f64>>,
    psi: Vec<Vec<f64>>,
    /// Per block where the effects of each row's level stand among all.
    places: Vec<Vec<u32>>,
    state: State,
    /// Leading levels that are worked on together.
    level_chunks: Vec<Range<usize>>,
    /// Nodes that are worked on together.
    node_chunks: Vec<Range<usize>>,
    /// The data as they were reduced, once other columns are in use.
    pristine: Option<Pristine>,
    /// Where the exact Hessian comes from.
    exact: Exact,
    /// What steps are made from.
    stepping: Order,
    /// The residual variance at which derivatives are taken, where it is held.
    scale: Option<f64>,
    /// The data with all fixed effects, while one of them is held.
    complete: Option<held::Columns>,
    /// The fixed effects, where all of them are held.
    fixed: Option<Vec<f64>>,
}

impl<'w> Crossed<'w> {
    /// The engine for a design of which two factors, `pair`, are crossed.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"memory"` when it would take too many bytes, `"degrees_of_freedom"`,
    /// `"perfect_fit"`), [`Error::Interrupted`].
    pub fn new(
        design: &Design<'_>,
        pair: (usize, usize),
        making: Making,
        workers: &'w Workers<'w>,
    ) -> Result<Self> {
        let blocks = blocks_of(design);
        plan::check_rows(design, &blocks, making.max_memory)?;
        let (cells, frame) = cells::collect(design, &blocks, making.rank_tolerance, workers)?;
        workers.check()?;
        let layout = Layout::new(&cells, &blocks, making.max_memory, workers)?;
        let shapes = TermShape::all_of(design);
        let directions = directions_of(&shapes, &blocks);
        let mut plan = plan::Plan::of(&cells, &layout, &blocks, directions.len());
        plan.check(making.max_memory)?;
        let gram = Gram::new(&cells, &layout, &blocks, workers)?;
        let level_work = |i: usize| {
            cells.start[i + 1] - cells.start[i] + layout.touch_start[i + 1] - layout.touch_start[i]
        };
        let node_work = |k: usize| -> usize {
            let by = layout.touching(k);
            let later = |(i, t): &(u32, usize)| layout.touch_start[*i as usize + 1] - t;
            by.iter().map(later).sum::<usize>() + 8
        };
        let square = |b: &Block| vec![0.0; b.q * b.q];
        Ok(Crossed {
            level_chunks: chunks((0..layout.leading()).map(level_work), 4_096, LEVEL_CHUNKS),
            node_chunks: chunks((0..layout.nodes.len()).map(node_work), 8_192, 64),
            places: places(&cells, &layout, &blocks),
            panels: Panels::new(&layout)?,
            lambda: blocks.iter().map(square).collect(),
            psi: blocks.iter().map(square).collect(),
            state: State::default(),
            exact: plan.exact,
            stepping: match plan.exact {
                Exact::Whole | Exact::Products if plan.exact_cost < CHEAP => Order::Hessian,
                _ => Order::Average,
            },
            pristine: None,
            scale: None,
            complete: None,
            fixed: None,
            blocks,
            cells,
            layout,
            gram,
            frame,
            shapes,
            directions,
            estimation: making.estimation,
            workers,
            pair,
        })
    }

    /// The residual variance at which derivatives are taken.
    fn residual_variance(&self) -> f64 {
        self.scale.unwrap_or(self.state.root.r2 / self.denominator())
    }

    /// The number of leading random effects.
    fn leading(&self) -> usize {
        self.blocks[0].q * self.blocks[0].levels
    }

    /// The number of random effects.
    fn effects(&self) -> usize {
        self.leading() + self.layout.m
    }

    /// Where the effects of a level stand among all.
    fn place(&self, block: usize, level: usize) -> usize {
        match block {
            0 => level * self.blocks[0].q,
            b => self.leading() + self.layout.node_column[self.layout.node_of[b][level] as usize],
        }
    }

    /// The columns of Z of some rows that belong to a block.
    fn band(&self, block: usize, rows: Range<usize>) -> Band<'_> {
        let q = self.blocks[block].q;
        Band {
            q,
            z: &self.cells.z[block][rows.start * q..rows.end * q],
            at: &self.places[block][rows],
        }
    }

    /// Collect the factors of the terms of each block in one block-diagonal matrix.
    fn set_lambda(&mut self, lambda: &[Vec<f64>]) -> Result<()> {
        if lambda.len() != self.shapes.len() {
            return Err(Error::Bug("one factor per term expected".to_string()));
        }
        for (b, block) in self.blocks.iter().enumerate() {
            let n = block.q;
            for (t, columns) in block.term_columns() {
                let (q, first) = (columns.len(), columns.start);
                for (k, value) in lambda[t].iter().enumerate() {
                    self.lambda[b][(first + k / q) * n + first + k % q] = *value;
                }
            }
        }
        self.set_psi();
        Ok(())
    }

    /// Per term Lambda at the last evaluation.
    fn lambda_of_terms(&self) -> Vec<Vec<f64>> {
        self.by_terms_of_blocks(&self.lambda)
    }

    /// From matrices per block to those of its terms.
    fn by_terms_of_blocks(&self, of_blocks: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut all = vec![Vec::new(); self.shapes.len()];
        for (g, block) in of_blocks.iter().zip(&self.blocks) {
            for (t, columns) in block.term_columns() {
                let (q, first) = (columns.len(), columns.start);
                all[t] = (0..q * q)
                    .map(|k| g[(first + k / q) * block.q + first + k % q])
                    .collect();
            }
        }
        all
    }

    /// `Psi = Lambda Lambda'`, per block.
    fn set_psi(&mut self) {
        for (b, block) in self.blocks.iter().enumerate() {
            let (n, l) = (block.q, &self.lambda[b]);
            for k in 0..n * n {
                self.psi[b][k] = (0..n).map(|c| l[c * n + k / n] * l[c * n + k % n]).sum();
            }
        }
    }

    /// From vectors (or square matrices) per level of each block to those of each term: `of(block, level)`.
    fn by_term<'a>(&'a self, of: impl Fn(usize, usize) -> &'a [f64], square: bool) -> Vec<Vec<f64>> {
        let mut terms = vec![Vec::new(); self.shapes.len()];
        for (b, block) in self.blocks.iter().enumerate() {
            for (t, columns) in block.term_columns() {
                for level in 0..block.levels {
                    let values = of(b, level);
                    let wide = if square { columns.clone() } else { 0..1 };
                    for j in wide {
                        terms[t].extend_from_slice(&values[j * block.q + columns.start..][..columns.len()]);
                    }
                }
            }
        }
        terms
    }
}

impl Criterion for Crossed<'_> {
    fn shapes(&self) -> &[TermShape] {
        &self.shapes
    }

    fn information(&self) -> Vec<Vec<f64>> {
        let mut all = self.frame.gram.clone();
        for (sum, block) in self.state.information.iter().zip(&self.blocks).skip(1) {
            for (t, columns) in block.term_columns() {
                let q = columns.len();
                let at = |k: usize| sum[(columns.start + k / q) * block.q + columns.start + k % q];
                all[t] = (0..q * q).map(at).collect();
            }
        }
        all
    }

    fn change_columns(&mut self, w: &[Vec<f64>]) -> Result<()> {
        self.state.forget();
        match &self.pristine {
            None => {
                let mut copies = Vec::new();
                for z in &self.cells.z {
                    let mut copy = crate::error::reserved(z.len(), "the reduced data")?;
                    copy.extend_from_slice(z);
                    copies.push(copy);
                }
                self.pristine = Some(Pristine {
                    z: copies,
                    whitener: self.frame.whitener.clone(),
                });
            }
            Some(first) => {
                self.cells.z.clone_from(&first.z);
                self.frame.whitener.clone_from(&first.whitener);
            }
        }
        self.cells.change_columns(&self.blocks, w, &mut self.frame);
        self.gram = Gram::new(&self.cells, &self.layout, &self.blocks, self.workers)?;
        Ok(())
    }

    fn value(&mut self, lambda: &[Vec<f64>]) -> Result<Value> {
        if let Some(value) = &self.state.value {
            if self.lambda_of_terms() == lambda {
                return Ok(value.clone());
            }
        }
        self.set_lambda(lambda)?;
        self.evaluate()
    }

    fn derivatives(&mut self, order: Order) -> Result<Derivatives> {
        if let Some((known, derivatives)) = &self.state.derivatives {
            if *known >= order {
                return Ok(derivatives.clone());
            }
        }
        let derivatives = self.differentiate(order)?;
        self.state.derivatives = Some((order, derivatives.clone()));
        Ok(derivatives)
    }
}

impl Engine for Crossed<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn root(&self) -> &Root {
        &self.state.root
    }

    fn estimation(&self) -> Estimation {
        self.estimation
    }

    fn work(&self) -> usize {
        let cube = |s: &layout::Supernode| s.rows() * s.rows() * s.columns.len();
        let sweeps: usize = (0..self.layout.leading())
            .map(|i| (self.layout.touch_start[i + 1] - self.layout.touch_start[i]).pow(2))
            .sum();
        // what is done with a number here takes about eight times as long as in independent groups
        8 * (self.cells.rows() + sweeps + self.layout.supernodes.iter().map(cube).sum::<usize>() / 16)
    }

    fn kind(&self) -> Kind {
        Kind::Crossed {
            pair: self.pair,
            storage: self.layout.storage,
        }
    }

    fn start(&self) -> Option<Vec<Vec<f64>>> {
        self.moments()
    }

    fn stepping(&self) -> Order {
        self.stepping
    }

    fn hold_scale(&mut self, sigma2: Option<f64>) {
        if self.scale != sigma2 {
            self.state.forget_derivatives();
            self.scale = sigma2;
        }
    }

    fn hold_effect(&mut self, held: Option<(usize, f64)>) -> Result<()> {
        self.state.forget();
        self.hold(held)
    }

    fn fits_exactly(&mut self) -> Result<bool> {
        self.leaves_nothing()
    }

    fn moments(&mut self) -> Result<Moments> {
        self.sum_moments()
    }

    fn hold_fixed(&mut self, beta: Option<&[f64]>) -> Result<()> {
        self.state.forget_derivatives();
        self.fixed = beta.map(<[f64]>::to_vec);
        match beta {
            Some(_) => self.apply_fixed(),
            None => {
                self.state.value = None;
                Ok(())
            }
        }
    }

    fn conditional_modes(&self) -> Result<Vec<Vec<f64>>> {
        let b = self.modes()?;
        Ok(self.by_term(
            |block, level| &b[self.place(block, level)..][..self.blocks[block].q],
            false,
        ))
    }

    fn conditional_variances(&mut self) -> Result<Vec<Vec<f64>>> {
        let all = self.level_covariances()?;
        Ok(self.by_term(
            |block, level| {
                let size = self.blocks[block].q.pow(2);
                &all[block][level * size..(level + 1) * size]
            },
            true,
        ))
    }

    fn responses_to_fixed(&self) -> Result<Vec<Vec<f64>>> {
        let p = self.frame.p();
        let all = self.all_responses_to_fixed()?;
        let mut terms = vec![Vec::new(); self.shapes.len()];
        for (b, block) in self.blocks.iter().enumerate() {
            for (t, columns) in block.term_columns() {
                for level in 0..block.levels {
                    let first = self.place(b, level) + columns.start;
                    terms[t].extend_from_slice(&all[first * p..(first + columns.len()) * p]);
                }
            }
        }
        Ok(terms)
    }

    fn row_variances(&mut self, rows: &EffectRows<'_>) -> Result<Vec<f64>> {
        self.variances_of_rows(rows)
    }
}

/// Per block where the effects of each row's level stand among all.
fn places(cells: &Cells, layout: &Layout, blocks: &[Block]) -> Vec<Vec<u32>> {
    let leading = blocks[0].q * blocks[0].levels;
    let place = |b: usize, level: u32| match b {
        0 => level as usize * blocks[0].q,
        _ => leading + layout.node_column[layout.node_of[b][level as usize] as usize],
    };
    let of = |(b, codes): (usize, &Vec<u32>)| codes.iter().map(|c| place(b, *c) as u32).collect();
    cells.code.iter().enumerate().map(of).collect()
}

/// How the system is stored, in a word.
impl Storage {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Storage::Dense => "dense",
            Storage::Sparse => "sparse",
        }
    }
}
