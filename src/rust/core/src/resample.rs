//! Designs made of whole groups: some of them drawn, or some left out.

use crate::design::{Column, Design, Factor, Term};
use crate::error::{reserved, Error, Result};
use crate::grouping::Tree;

/// The independent groups of a design.
pub struct Groups<'a> {
    design: &'a Design<'a>,
    tree: Tree,
}

/// Rows and codes of a design of drawn groups.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// Rows of the original design.
    pub rows: Vec<u32>,
    /// Per factor the new codes, from 1.
    pub codes: Vec<Vec<i32>>,
    /// Per factor the number of levels.
    pub levels: Vec<usize>,
}

/// A design that holds its own columns.
pub struct Sample<'a> {
    origin: &'a Design<'a>,
    y: Vec<f64>,
    x: Vec<f64>,
    weights: Option<Vec<f64>>,
    offset: Option<Vec<f64>>,
    /// Per term its own columns, one after the other.
    z: Vec<Vec<f64>>,
    drawn: Drawn,
}

impl<'a> Groups<'a> {
    /// The levels of the outermost factor.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"bootstrap"`) when factors are crossed or there is one group only.
    pub fn of(design: &'a Design<'a>) -> Result<Self> {
        design.check()?;
        let mut used = vec![false; design.factors.len()];
        design.terms.iter().for_each(|t| used[t.factor] = true);
        let tree = Tree::build(&design.factors, &used)?.map_err(|(a, b)| {
            Error::invalid(
                "bootstrap",
                format!(
                    "there are no independent groups to resample: factor {} and factor {} are crossed",
                    a + 1,
                    b + 1
                ),
            )
        })?;
        if tree.levels[0].nodes() < 2 {
            return Err(Error::invalid(
                "bootstrap",
                "there are no independent groups to resample: all rows belong to one group",
            ));
        }
        Ok(Groups { design, tree })
    }

    /// The number of groups.
    pub fn count(&self) -> usize {
        self.tree.levels[0].nodes()
    }

    /// Rows and codes of the given groups, each of which becomes a new level; groups inside them likewise.
    pub fn draw(&self, groups: &[usize]) -> Drawn {
        let (tree, leaf) = (&self.tree, self.tree.leaf_level());
        let mut drawn = Drawn {
            rows: Vec::new(),
            codes: vec![Vec::new(); self.design.factors.len()],
            levels: vec![0; self.design.factors.len()],
        };
        for g in groups {
            let leaves = tree.below(&(*g..g + 1), leaf);
            let rows = tree.row_start[leaves.start] as usize..tree.row_start[leaves.end] as usize;
            let row = |i: usize| tree.row_order.as_ref().map_or(i as u32, |order| order[i]);
            drawn.rows.extend(rows.clone().map(row));
            for (f, factor) in self.design.factors.iter().enumerate() {
                let (depth, node) = &tree.position[f];
                let codes = &mut drawn.codes[f];
                if node.is_empty() {
                    // a factor that no term uses
                    drawn.levels[f] = 1;
                    codes.extend(rows.clone().map(|_| 1));
                    continue;
                }
                let nodes = tree.below(&(*g..g + 1), *depth);
                let first = drawn.levels[f];
                codes.extend(rows.clone().map(|i| {
                    let code = factor.codes[row(i) as usize] - 1;
                    (first + node[code as usize] as usize - nodes.start) as i32 + 1
                }));
                drawn.levels[f] += nodes.len();
            }
        }
        drawn
    }

    /// The groups that remain without block `block` of `blocks`.
    pub fn without(&self, block: usize, blocks: usize) -> Vec<usize> {
        let count = self.count();
        let blocks = blocks.clamp(1, count);
        let out = block * count / blocks..(block + 1) * count / blocks;
        (0..count).filter(|g| !out.contains(g)).collect()
    }
}

fn pick(values: &[f64], rows: &[u32]) -> Result<Vec<f64>> {
    let mut out = reserved(rows.len(), "a resampled column")?;
    out.extend(rows.iter().map(|r| values[*r as usize]));
    Ok(out)
}

impl<'a> Sample<'a> {
    /// The rows of drawn groups.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"memory"`).
    pub fn new(origin: &'a Design<'a>, drawn: Drawn) -> Result<Self> {
        let rows = &drawn.rows;
        let mut x = reserved(origin.p * rows.len(), "the resampled design")?;
        for j in 0..origin.p {
            let column = origin.x_column(j);
            x.extend(rows.iter().map(|r| column[*r as usize]));
        }
        let own = |t: &Term<'_>| -> Result<Vec<f64>> {
            let mut all = Vec::new();
            for column in &t.columns {
                if let Column::Own(values) = column {
                    all.extend(pick(values, rows)?);
                }
            }
            Ok(all)
        };
        Ok(Sample {
            y: pick(origin.y, rows)?,
            x,
            weights: origin.weights.map(|w| pick(w, rows)).transpose()?,
            offset: origin.offset.map(|o| pick(o, rows)).transpose()?,
            z: origin.terms.iter().map(own).collect::<Result<_>>()?,
            origin,
            drawn,
        })
    }

    /// The design.
    pub fn design(&self) -> Design<'_> {
        let n = self.y.len();
        let mut terms = Vec::new();
        for (t, z) in self.origin.terms.iter().zip(&self.z) {
            let mut own = z.chunks_exact(n.max(1));
            let columns = t.columns.iter().map(|c| match c {
                Column::One => Column::One,
                Column::Fixed(j) => Column::Fixed(*j),
                Column::Own(_) => own.next().map_or(Column::One, Column::Own),
            });
            terms.push(Term {
                factor: t.factor,
                columns: columns.collect(),
                structure: t.structure,
                free: t.free.clone(),
            });
        }
        let factors = self.drawn.codes.iter().zip(&self.drawn.levels);
        Design {
            y: &self.y,
            x: &self.x,
            p: self.origin.p,
            weights: self.weights.as_deref(),
            offset: self.offset.as_deref(),
            terms,
            factors: factors
                .map(|(codes, levels)| Factor {
                    codes,
                    levels: *levels,
                })
                .collect(),
        }
    }
}
