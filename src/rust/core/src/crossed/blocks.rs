//! The factors of a model, each with all its terms.

use std::ops::Range;

use crate::criterion::TermShape;
use crate::design::Design;
use crate::error::{zeros, Result};
use crate::linalg::identity;

/// A factor with all its terms.
#[derive(Debug, Clone)]
pub struct Block {
    /// Index of the factor in the design.
    pub factor: usize,
    /// Number of columns over all its terms.
    pub q: usize,
    /// Number of levels.
    pub levels: usize,
    /// The terms and the position of their first column.
    pub terms: Vec<(usize, usize)>,
}

impl Block {
    /// The terms and their columns.
    pub fn term_columns(&self) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        let end = |k: usize| self.terms.get(k + 1).map_or(self.q, |next| next.1);
        self.terms
            .iter()
            .enumerate()
            .map(move |(k, (t, from))| (*t, *from..end(k)))
    }
}

/// The factors in use, the one with the most random effects first.
pub fn blocks_of(design: &Design<'_>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (t, term) in design.terms.iter().enumerate() {
        let q = term.columns.len();
        match blocks.iter_mut().find(|b| b.factor == term.factor) {
            Some(block) => {
                block.terms.push((t, block.q));
                block.q += q;
            }
            None => blocks.push(Block {
                factor: term.factor,
                q,
                levels: design.factors[term.factor].levels,
                terms: vec![(t, 0)],
            }),
        }
    }
    blocks.sort_by_key(|b| std::cmp::Reverse(b.q * b.levels));
    blocks
}

/// A direction of Psi: which elements of a block's matrix are 1.
#[derive(Debug, Clone)]
pub struct Direction {
    /// The block.
    pub block: usize,
    /// The elements.
    pub pairs: Vec<(usize, usize)>,
}

/// The directions of all terms, in order.
pub fn directions_of(shapes: &[TermShape], blocks: &[Block]) -> Vec<Direction> {
    let place = |t: usize| {
        let all = blocks.iter().enumerate();
        all.flat_map(|(b, block)| block.terms.iter().map(move |(term, first)| (b, *term, *first)))
            .find(|(_, term, _)| *term == t)
    };
    let mut all = Vec::new();
    for (t, shape) in shapes.iter().enumerate() {
        if let Some((block, _, first)) = place(t) {
            for pairs in shape.structure.directions(shape.q) {
                let pairs = pairs.iter().map(|(a, b)| (a + first, b + first)).collect();
                all.push(Direction { block, pairs });
            }
        }
    }
    all
}

/// Room for the matrices of all levels of a block.
pub fn per_level(block: &Block, purpose: &str) -> Result<Vec<f64>> {
    zeros(block.levels * block.q * block.q, purpose)
}

/// The number of levels of a block times the identity.
pub fn many_identities(block: &Block) -> Vec<f64> {
    identity(block.q)
        .iter()
        .map(|v| v * block.levels as f64)
        .collect()
}
