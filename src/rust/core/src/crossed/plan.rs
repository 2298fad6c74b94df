//! How much memory a crossed model needs, found out before any of it is taken.

use super::cells::Cells;
use super::layout::{Layout, Supernode};
use super::Block;
use crate::design::Design;
use crate::engine::Storage;
use crate::error::{Error, Result};
use crate::memory::{amount, refuse};

/// Where the exact Hessian comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exact {
    /// All of W.
    Whole,
    /// Products over the nodes, one for each pair of columns of the leading factor.
    Products,
    /// Differences of the gradient.
    Differences,
}

/// What an engine will do within its memory.
pub struct Plan {
    /// Where the exact Hessian comes from.
    pub exact: Exact,
    /// Multiplications that the exact Hessian takes.
    pub exact_cost: f64,
    /// Bytes by purpose.
    parts: Vec<(String, f64)>,
    /// Bytes of the matrices of the exact Hessian.
    exact_bytes: f64,
}

/// Rows before reduction.
///
/// # Errors
/// [`Error::InvalidInput`] (`"memory"`) when even these need more than `limit` bytes.
pub fn check_rows(design: &Design<'_>, blocks: &[Block], limit: f64) -> Result<()> {
    let effects: f64 = blocks.iter().map(|b| b.q as f64 * b.levels as f64).sum();
    if effects > f64::from(u32::MAX) {
        let message = format!("{effects} random effects are more than this library can count (2^32 - 1)");
        return Err(Error::invalid("memory", message));
    }
    let wide: usize = blocks.iter().map(|b| b.q + 1).sum::<usize>() + design.p + 1;
    let levels: usize = blocks.iter().map(|b| b.levels * (b.q * b.q + b.q)).sum();
    // pieces and their union
    let bytes = 16.0 * (design.n() as f64 * wide as f64 + levels as f64);
    if bytes > limit {
        return Err(refuse(bytes, limit, "the rows and the levels of the factors"));
    }
    Ok(())
}

fn names(layout: &Layout, blocks: &[Block]) -> String {
    let each: Vec<String> = blocks[1..]
        .iter()
        .map(|b| format!("factor {}", b.factor + 1))
        .collect();
    format!(
        "the {} x {} system over the levels of {}",
        layout.m,
        layout.m,
        each.join(" and ")
    )
}

impl Plan {
    /// The plan of a layout.
    pub fn of(cells: &Cells, layout: &Layout, blocks: &[Block], directions: usize) -> Plan {
        let last = |offsets: &[usize]| offsets.last().copied().unwrap_or(0) as f64;
        let effects = layout.m as f64 + (blocks[0].q * blocks[0].levels) as f64;
        let wide = cells.d.max(directions) as f64;
        let rows = cells.rows() as f64;
        let scratch = |s: &Supernode| {
            let (n, b) = (s.columns.len() as f64, s.below_columns.len() as f64);
            if b > 0.0 {
                (b + n) * (b + n) + b * n
            } else {
                0.0
            }
        };
        let scratch = layout.supernodes.iter().map(scratch).fold(0.0, f64::max);
        let q = blocks[0].q as f64;
        let z: usize = blocks.iter().map(|b| b.q).sum();
        let parts = vec![
            (
                "the reduced rows".to_string(),
                8.0 * rows * (2 * z + cells.d + 2 * blocks.len()) as f64,
            ),
            (
                "the cross-products".to_string(),
                32.0 * last(&layout.touch_offset)
                    + 28.0 * layout.touch.len() as f64
                    + 12.0 * last(&layout.pair_offset),
            ),
            (
                "solutions over all levels".to_string(),
                8.0 * effects * wide * 5.0 + 40.0 * q * (blocks[0].q * blocks[0].levels) as f64,
            ),
            (names(layout, blocks), 16.0 * layout.values as f64 + 8.0 * scratch),
        ];
        let (m, r, n) = (layout.m as f64, directions as f64, q * blocks[0].levels as f64);
        let dense = layout.storage == Storage::Dense;
        // three gradients for each parameter, and less exact: where the formula costs several times as much
        let sweeps: f64 = (0..layout.leading())
            .map(|i| ((layout.touch_start[i + 1] - layout.touch_start[i]) as f64 * q).powi(2))
            .sum();
        let gradient = m.powi(3) + sweeps + rows * (z + cells.d) as f64;
        let differences = (Exact::Differences, 12.0 * r.max(1.0) * gradient, 0.0);
        // tensors of pairs of factors: their sizes for some chunks at once, and what filling them takes
        let (mut numbers, mut filling) = (0.0, 0.0);
        for f in blocks {
            for g in blocks {
                let size = (f.q as f64 * g.q as f64).powi(2);
                numbers += 17.0 * size;
                filling += 0.5 * size * f.levels as f64 * g.levels as f64;
            }
        }
        let whole = m * n * (m + n) + filling;
        let whole = (Exact::Whole, whole, 8.0 * (3.0 * m * n + n * n + numbers));
        let products = q * q * m.powi(3) + 0.5 * q.powi(4) * m * m;
        let products = (Exact::Products, products, 8.0 * (m * m * (q * q + 1.0) + numbers));
        let ways = [whole, products, differences];
        let best = ways.iter().filter(|w| dense || w.0 == Exact::Differences);
        let best = best
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .copied()
            .unwrap_or(differences);
        Plan {
            exact: best.0,
            exact_cost: best.1,
            parts,
            exact_bytes: best.2,
        }
    }

    /// Decide what fits.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"memory"`) with the figure and the block that causes it.
    pub fn check(&mut self, limit: f64) -> Result<()> {
        let total: f64 = self.parts.iter().map(|p| p.1).sum();
        if total > limit {
            let most = self.parts.iter().max_by(|a, b| a.1.total_cmp(&b.1));
            let (name, bytes) = most.ok_or_else(|| Error::Bug("a plan without parts".to_string()))?;
            return Err(refuse(
                total,
                limit,
                &format!("{} of it for {name}", amount(*bytes)),
            ));
        }
        if total + self.exact_bytes > limit {
            self.exact = Exact::Differences;
        }
        Ok(())
    }
}
