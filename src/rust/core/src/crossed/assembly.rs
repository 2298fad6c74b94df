//! The system over the nodes, column by column: `S = I + Lambda'U Lambda` with `U = Z_R'V_0^-1Z_R`, the cross-products of the
//! nodes less what the leading factor explains.
//!
//! Vignette "The algorithm": Eq. Elimination.

use std::ops::Range;

use super::gram::Gram;
use super::layout::{Layout, Supernode};
use crate::linalg::{axpy, dot};

/// What assembling the system reads.
pub struct Assembly<'a> {
    /// Where everything stands.
    pub layout: &'a Layout,
    /// Cross-products.
    pub gram: &'a Gram,
    /// What the leading levels explain of the nodes, per entry of the layout's `touch`.
    pub touch: &'a [f64],
    /// Per block a square root of Psi.
    pub lambda: &'a [Vec<f64>],
    /// Columns of the leading factor.
    pub lead: usize,
    /// Every block has one column.
    pub scalar: bool,
}

impl Assembly<'_> {
    /// The columns of some nodes; returns per block the sum of the diagonal blocks of U.
    pub fn run(&self, nodes: Range<usize>, values: &mut [f64], sizes: &[usize]) -> Vec<Vec<f64>> {
        let layout = self.layout;
        let mut information: Vec<Vec<f64>> = sizes.iter().map(|s| vec![0.0; *s]).collect();
        let mut local = vec![0u32; layout.nodes.len()];
        let (mut known, mut base, mut scratch) = (usize::MAX, None, Vec::new());
        for node in nodes {
            let s = layout.supernode_of[node] as usize;
            let panel = &layout.supernodes[s];
            if s != known {
                layout.local_rows(panel, &mut local);
                known = s;
            }
            let first = panel.column(layout.node_column[node]);
            let base = *base.get_or_insert(first);
            let (rows, w) = (panel.rows(), layout.columns(node).len());
            let out = &mut values[first - base..first - base + w * rows];
            out.fill(0.0);
            self.fill(node, &local, rows, out);
            let block = layout.nodes[node].0 as usize;
            let own = local[node] as usize;
            for j in 0..w {
                axpy(
                    1.0,
                    &out[j * rows + own..j * rows + own + w],
                    &mut information[block][j * w..(j + 1) * w],
                );
            }
            self.scale(node, panel, &local, rows, out, &mut scratch);
            for j in 0..w {
                out[j * rows + own + j] += 1.0;
            }
        }
        information
    }

    /// The columns of U.
    fn fill(&self, node: usize, local: &[u32], rows: usize, out: &mut [f64]) {
        let (layout, q) = (self.layout, self.lead);
        for e in layout.pair_start[node]..layout.pair_start[node + 1] {
            let partner = layout.pair[e] as usize;
            let block = &self.gram.pair[layout.pair_offset[e]..layout.pair_offset[e + 1]];
            let (height, at) = (layout.columns(partner).len(), local[partner] as usize);
            for (column, b) in out.chunks_exact_mut(rows).zip(block.chunks_exact(height)) {
                column[at..at + height].copy_from_slice(b);
            }
        }
        let touched = layout.touching(node);
        if self.scalar {
            for (i, t) in touched {
                let end = layout.touch_start[*i as usize + 1];
                let c = self.touch[*t];
                for (k, b) in layout.touch[*t..end].iter().zip(&self.touch[*t..end]) {
                    out[local[*k as usize] as usize] -= b * c;
                }
            }
            return;
        }
        for (i, t) in touched {
            let c = layout.block(self.touch, *t);
            for later in *t..layout.touch_start[*i as usize + 1] {
                let block = layout.block(self.touch, later);
                let at = local[layout.touch[later] as usize] as usize;
                for (column, c) in out.chunks_exact_mut(rows).zip(c.chunks_exact(q)) {
                    for (v, b) in column[at..].iter_mut().zip(block.chunks_exact(q)) {
                        *v -= dot(b, c);
                    }
                }
            }
        }
    }

    /// `Lambda_k'U Lambda_j` for all rows k from the node's own on.
    fn scale(
        &self,
        node: usize,
        panel: &Supernode,
        local: &[u32],
        rows: usize,
        out: &mut [f64],
        scratch: &mut Vec<f64>,
    ) {
        let layout = self.layout;
        let w = layout.columns(node).len();
        let right = &self.lambda[layout.nodes[node].0 as usize];
        let later = (node..panel.nodes.end).chain(panel.below.iter().map(|k| *k as usize));
        if self.scalar {
            for k in later {
                out[local[k] as usize] *= self.lambda[layout.nodes[k].0 as usize][0] * right[0];
            }
            return;
        }
        for k in later {
            let (h, at) = (layout.columns(k).len(), local[k] as usize);
            let left = &self.lambda[layout.nodes[k].0 as usize];
            scratch.clear();
            scratch.resize(h * w, 0.0);
            // U Lambda_j
            for j in 0..w {
                for c in 0..w {
                    let l = right[j * w + c];
                    if l != 0.0 {
                        axpy(
                            l,
                            &out[c * rows + at..c * rows + at + h],
                            &mut scratch[j * h..(j + 1) * h],
                        );
                    }
                }
            }
            for j in 0..w {
                for i in 0..h {
                    out[j * rows + at + i] = dot(&left[i * h..(i + 1) * h], &scratch[j * h..(j + 1) * h]);
                }
            }
        }
    }
}
