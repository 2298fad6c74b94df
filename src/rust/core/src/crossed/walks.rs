//! Walks over nodes, leading levels and their meetings, shared out among threads: each has numbers of its own to write.

use super::rows::split_at_ends;
use super::Crossed;
use crate::error::Result;

impl Crossed<'_> {
    /// `work(node, its numbers, scratch)` for all nodes; `out` has `c` numbers for each column of the system.
    pub(super) fn for_nodes(
        &self,
        out: &mut [f64],
        c: usize,
        work: impl Fn(usize, &mut [f64], &mut Vec<f64>) + Sync + Send,
    ) -> Result<()> {
        let columns = &self.layout.node_column;
        let shares = split_at_ends(out, self.node_chunks.iter().map(|r| columns[r.end] * c));
        let items = self.node_chunks.iter().zip(shares).collect();
        self.workers.map(items, |(range, mut share)| {
            let mut scratch = Vec::new();
            for node in range.clone() {
                self.workers.check()?;
                let (own, rest) = share.split_at_mut(self.layout.columns(node).len() * c);
                work(node, own, &mut scratch);
                share = rest;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// `work(level, its numbers, scratch)` for all leading levels; `out` has `size` numbers for each.
    pub(super) fn for_levels(
        &self,
        out: &mut [f64],
        size: usize,
        work: impl Fn(usize, &mut [f64], &mut Vec<f64>) + Sync + Send,
    ) -> Result<()> {
        let shares = split_at_ends(out, self.level_chunks.iter().map(|r| r.end * size));
        let items = self.level_chunks.iter().zip(shares).collect();
        self.workers.map(items, |(range, share)| {
            let mut scratch = Vec::new();
            for (level, own) in range.clone().zip(share.chunks_exact_mut(size.max(1))) {
                self.workers.check()?;
                work(level, own, &mut scratch);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// `work(level, entry, its numbers, scratch)` for all entries of the layout's `touch`, level by level.
    pub(super) fn for_touches(
        &self,
        out: &mut [f64],
        work: impl Fn(usize, usize, &mut [f64], &mut Vec<f64>) + Sync + Send,
    ) -> Result<()> {
        let layout = &self.layout;
        let end = |level: usize| layout.touch_offset[layout.touch_start[level]];
        let shares = split_at_ends(out, self.level_chunks.iter().map(|r| end(r.end)));
        let items = self.level_chunks.iter().zip(shares).collect();
        self.workers.map(items, |(range, mut share)| {
            let mut scratch = Vec::new();
            for level in range.clone() {
                self.workers.check()?;
                for entry in layout.touched(level) {
                    let len = layout.touch_offset[entry + 1] - layout.touch_offset[entry];
                    let (own, rest) = share.split_at_mut(len);
                    work(level, entry, own, &mut scratch);
                    share = rest;
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}
