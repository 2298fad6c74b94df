//! One fixed effect held at a value: `y - c x_j` for the response, and X without column j.

use super::Grouped;
use crate::error::{reserved, Result};
use crate::linalg::{axpy, TriangleAccumulator};
use crate::reduction::LevelBlocks;

/// What changes with the columns of X and the response.
pub(super) struct Columns {
    levels: Vec<LevelBlocks>,
    root: Vec<f64>,
    total: Vec<f64>,
    kept: Vec<usize>,
}

impl Grouped<'_> {
    /// Hold an effect, or estimate all of them again.
    pub(super) fn hold(&mut self, held: Option<(usize, f64)>) -> Result<()> {
        let complete = match self.complete.take() {
            Some(complete) => complete,
            None if held.is_none() => return Ok(()),
            None => Columns {
                levels: std::mem::take(&mut self.reduced.levels),
                root: std::mem::take(&mut self.reduced.root),
                total: std::mem::take(&mut self.reduced.total),
                kept: std::mem::take(&mut self.reduced.frame.kept),
            },
        };
        match held {
            None => self.replace(complete),
            Some((j, c)) => {
                let smaller = complete.without(j, c);
                self.complete = Some(complete);
                self.replace(smaller?);
            }
        }
        Ok(())
    }

    fn replace(&mut self, columns: Columns) {
        let reduced = &mut self.reduced;
        reduced.levels = columns.levels;
        reduced.root = columns.root;
        reduced.total = columns.total;
        reduced.frame.kept = columns.kept;
        for (white, level) in self.white.iter_mut().zip(&reduced.levels) {
            white.resize(level.data.len(), 0.0);
        }
    }
}

impl Columns {
    fn without(&self, j: usize, c: f64) -> Result<Columns> {
        let levels: Result<Vec<LevelBlocks>> = self.levels.iter().map(|l| self.level(l, j, c)).collect();
        let mut kept = self.kept.clone();
        kept.remove(j);
        Ok(Columns {
            levels: levels?,
            root: self.triangle(&self.root, j, c),
            total: self.triangle(&self.total, j, c),
            kept,
        })
    }

    /// Of a matrix whose last columns are those of X and the response: the same with `y - c x_j` and without column j.
    fn matrix(&self, data: &[f64], ld: usize, j: usize, c: f64, out: &mut Vec<f64>) {
        let width = data.len() / ld.max(1);
        let place = width - (self.kept.len() + 1) + j;
        out.extend_from_slice(&data[..place * ld]);
        out.extend_from_slice(&data[(place + 1) * ld..]);
        let response = out.len() - ld;
        axpy(-c, &data[place * ld..(place + 1) * ld], &mut out[response..]);
    }

    fn triangle(&self, tri: &[f64], j: usize, c: f64) -> Vec<f64> {
        let d = self.kept.len() + 1;
        let mut columns = Vec::with_capacity(tri.len());
        self.matrix(tri, d, j, c, &mut columns);
        let mut acc = TriangleAccumulator::new(d - 1);
        acc.push(&columns, d, 0, d, 0);
        acc.triangle().to_vec()
    }

    fn level(&self, level: &LevelBlocks, j: usize, c: f64) -> Result<LevelBlocks> {
        let mut data = reserved(level.data.len(), "the reduced data")?;
        let mut start = vec![0; level.start.len()];
        for node in 0..level.rows.len() {
            let (block, m) = level.block(node);
            if m > 0 {
                self.matrix(block, m, j, c, &mut data);
            }
            start[node + 1] = data.len();
        }
        Ok(LevelBlocks {
            width: level.width - 1,
            terms: level.terms.clone(),
            rows: level.rows.clone(),
            q: level.q,
            start,
            data,
        })
    }
}
