//! Cross-products of the columns of Z, in the blocks that the layout found.
//!
//! Vignette "The algorithm": Eq. Cells.

use super::cells::Cells;
use super::layout::Layout;
use super::Block;
use crate::error::{zeros, Error, Result};
use crate::parallel::Workers;

/// The non-zero blocks of `Z'[Z Q y]`.
pub struct Gram {
    /// Per leading level `Z_i'Z_i`, `Q x Q`.
    pub leading: Vec<f64>,
    /// Per entry of the layout's `touch` the block `Z_i'Z_k`, leading columns x node columns.
    pub touch: Vec<f64>,
    /// Per pair of the layout the block `Z_k'Z_j` of the later node k and the earlier j.
    pub pair: Vec<f64>,
    /// `Z'[Q y]`, row by row: those of the leading levels, then those of the nodes.
    pub response: Vec<f64>,
}

/// `out += a b'`, column-major.
fn add_outer(a: &[f64], b: &[f64], out: &mut [f64]) {
    for (column, b) in out.chunks_exact_mut(a.len().max(1)).zip(b) {
        column.iter_mut().zip(a).for_each(|(o, a)| *o += a * b);
    }
}

impl Gram {
    /// Cross-products of reduced rows.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"memory"`), [`Error::Interrupted`].
    pub fn new(cells: &Cells, layout: &Layout, blocks: &[Block], workers: &Workers<'_>) -> Result<Gram> {
        let lead = blocks[0].q;
        let purpose = "the cross-products";
        let last = |offsets: &[usize]| offsets.last().copied().unwrap_or(0);
        let leading_size = lead * layout.leading();
        let mut gram = Gram {
            leading: zeros(lead * leading_size, purpose)?,
            touch: zeros(last(&layout.touch_offset), purpose)?,
            pair: zeros(last(&layout.pair_offset), purpose)?,
            response: zeros((leading_size + layout.m) * cells.d, purpose)?,
        };
        let missing = || Error::Bug("a row meets nodes that the layout does not know".to_string());
        let d = cells.d;
        let mut here: Vec<(usize, usize)> = Vec::with_capacity(blocks.len());
        for i in 0..layout.leading() {
            if i % 256 == 0 {
                workers.check()?;
            }
            let own = layout.touch_start[i];
            let list = &layout.touch[own..layout.touch_start[i + 1]];
            for row in cells.start[i]..cells.start[i + 1] {
                let z = |b: usize| &cells.z[b][row * blocks[b].q..(row + 1) * blocks[b].q];
                let xy = &cells.xy[row * d..(row + 1) * d];
                let z0 = z(0);
                add_outer(z0, z0, &mut gram.leading[i * lead * lead..(i + 1) * lead * lead]);
                add_outer(xy, z0, &mut gram.response[i * lead * d..(i + 1) * lead * d]);
                here.clear();
                for b in 1..blocks.len() {
                    let node = layout.node_of[b][cells.code[b][row] as usize];
                    let t = own + list.binary_search(&node).map_err(|_| missing())?;
                    add_outer(
                        z0,
                        z(b),
                        &mut gram.touch[layout.touch_offset[t]..layout.touch_offset[t + 1]],
                    );
                    let columns = layout.columns(node as usize);
                    let at = leading_size + columns.start;
                    add_outer(xy, z(b), &mut gram.response[at * d..(at + columns.len()) * d]);
                    here.push((node as usize, b));
                }
                for (c, one) in here.iter().enumerate() {
                    for other in &here[c..] {
                        let (first, later) = (*one.min(other), *one.max(other));
                        let partners =
                            &layout.pair[layout.pair_start[first.0]..layout.pair_start[first.0 + 1]];
                        let at = partners.binary_search(&(later.0 as u32)).map_err(|_| missing())?;
                        let at = layout.pair_start[first.0] + at;
                        let block = &mut gram.pair[layout.pair_offset[at]..layout.pair_offset[at + 1]];
                        add_outer(z(later.1), z(first.1), block);
                    }
                }
            }
        }
        Ok(gram)
    }
}
