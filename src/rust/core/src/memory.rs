//! How much memory a model needs, found out before any of it is taken: a failed allocation would end the process.

use crate::design::Design;
use crate::error::{Error, Result};
use crate::grouping::Tree;

/// What a model will need, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The number of chunks that the work is divided into, at most.
    pub chunks: usize,
    /// Bytes for the reduced data and their whitened copy.
    pub data: f64,
    /// Bytes for the sums and triangles of all chunks.
    pub sums: f64,
}

/// The most chunks, and what their sums may take together.
const MOST_CHUNKS: f64 = 64.0;
const SUMS: f64 = (256 << 20) as f64;

impl Plan {
    /// The plan of a design with nested factors.
    pub fn of(design: &Design<'_>, tree: &Tree) -> Plan {
        let root = (design.p + 1) as f64;
        let parameters: f64 = design
            .terms
            .iter()
            .map(|t| t.structure.packed_len(t.columns.len()) as f64)
            .sum();
        let (mut width, mut blocks, mut squares) = (root, 0.0, 0.0);
        for (depth, level) in tree.levels.iter().enumerate() {
            let own = design.terms.iter().filter(|t| tree.position[t.factor].0 == depth);
            let q = own.map(|t| t.columns.len()).sum::<usize>() as f64;
            width += q;
            let rows = (level.nodes() as f64 * q).min(design.n() as f64 + level.nodes() as f64);
            let rows = if depth == tree.leaf_level() {
                rows
            } else {
                level.nodes() as f64 * q
            };
            blocks += rows * width;
            squares += width * (width + width.clamp(48.0, 256.0)) + parameters * width * width;
        }
        let chunk = 8.0 * (squares + 3.0 * root * (root + 256.0) + parameters * (parameters + root * root));
        let chunks = (SUMS / chunk).clamp(1.0, MOST_CHUNKS).floor();
        Plan {
            chunks: chunks as usize,
            data: 16.0 * blocks,
            sums: chunks * chunk,
        }
    }

    /// All bytes.
    pub fn bytes(&self) -> f64 {
        self.data + self.sums
    }

    /// # Errors
    /// [`Error::InvalidInput`] (`"memory"`) with the figure when the model needs more than `limit` bytes.
    pub fn check(&self, limit: f64) -> Result<()> {
        if self.bytes() <= limit {
            return Ok(());
        }
        let largest = if self.data >= self.sums {
            "the reduced groups"
        } else {
            "sums over groups"
        };
        let bytes = amount(self.data.max(self.sums));
        Err(refuse(
            self.bytes(),
            limit,
            &format!("{bytes} of it for {largest}"),
        ))
    }
}

/// A number of bytes for people.
pub fn amount(bytes: f64) -> String {
    let (gib, mib, kib) = ((1u64 << 30) as f64, (1u64 << 20) as f64, 1024.0);
    if bytes >= 0.95 * gib {
        format!("{:.1} GiB", bytes / gib)
    } else if bytes >= 0.95 * mib {
        format!("{:.1} MiB", bytes / mib)
    } else {
        format!("{:.1} KiB", bytes / kib)
    }
}

/// The error of a model that needs `bytes` where it may take `limit`, with what causes it.
pub fn refuse(bytes: f64, limit: f64, cause: &str) -> Error {
    Error::invalid(
        "memory",
        format!(
            "this model needs about {} of memory ({cause}), more than the {} it may take",
            amount(bytes),
            amount(limit)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::covstruct::Structure;
    use crate::design::{Column, Factor, Term};

    #[test]
    fn a_model_that_is_too_large_is_refused_with_the_figure() {
        let (y, codes) = (vec![0.0; 10], vec![1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
        let mut design = Design {
            y: &y,
            x: &[],
            p: 3,
            weights: None,
            offset: None,
            terms: vec![Term {
                factor: 0,
                columns: vec![Column::One],
                structure: Structure::Unstructured,
                free: vec![],
            }],
            factors: vec![Factor {
                codes: &codes,
                levels: 2,
            }],
        };
        let tree = Tree::build(&design.factors, &[true]).unwrap().unwrap();
        let small = Plan::of(&design, &tree);
        assert!(small.check(1e8).is_ok());
        assert_eq!(small.chunks, 64);
        design.p = 200_000;
        let error = Plan::of(&design, &tree)
            .check(crate::machine::half_of_memory())
            .unwrap_err();
        assert_eq!(error.what(), "memory");
        assert!(error.to_string().contains("GiB"));
    }

    #[test]
    fn small_amounts_are_told_in_small_units() {
        assert_eq!(amount(10.0 * 1024.0), "10.0 KiB");
        assert_eq!(amount(2.1 * 1048576.0), "2.1 MiB");
        assert_eq!(amount(3.0 * 1073741824.0), "3.0 GiB");
    }
}
