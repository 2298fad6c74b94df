//! Reads rows of a design in scaled units.

use crate::design::{Column, Design};
use crate::scaling::Scaling;

/// The widest local matrix, in rows; larger groups are read in pieces.
pub const LOCAL_ROWS: usize = 1024;

/// Where a column of a block comes from.
enum Source<'a> {
    One { inverse: f64 },
    Values { values: &'a [f64], inverse: f64 },
    Response { inverse: f64 },
}

/// Reads scaled, weighted rows of the design.
pub struct RowReader<'a> {
    design: &'a Design<'a>,
    sources: Vec<Source<'a>>,
    shift: f64,
    inverse_weight: f64,
}

impl<'a> RowReader<'a> {
    /// Columns: those of Z with their divisors, then X and the response.
    pub fn new(design: &'a Design<'a>, scaling: &Scaling, z: Vec<(Column<'a>, f64)>) -> Self {
        let mut sources: Vec<Source<'a>> = z.iter().map(|(c, d)| source(design, *c, *d)).collect();
        for (j, divisor) in scaling.x.iter().enumerate() {
            sources.push(source(design, Column::Fixed(j), *divisor));
        }
        sources.push(Source::Response {
            inverse: 1.0 / scaling.y,
        });
        RowReader {
            design,
            sources,
            shift: scaling.shift,
            inverse_weight: 1.0 / scaling.w,
        }
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.sources.len()
    }

    /// Fill `out` (`rows x width`, column-major) with the rows that `row` names.
    pub fn gather(
        &self,
        rows: usize,
        row: impl Fn(usize) -> usize,
        roots: &mut Vec<f64>,
        out: &mut Vec<f64>,
    ) {
        out.clear();
        out.reserve(rows * self.sources.len());
        for s in &self.sources {
            match s {
                Source::One { inverse } => out.extend((0..rows).map(|_| *inverse)),
                Source::Values { values, inverse } => {
                    out.extend((0..rows).map(|i| values[row(i)] * inverse));
                }
                Source::Response { inverse } => {
                    let y = |i| (self.design.adjusted_response(row(i)) - self.shift) * inverse;
                    out.extend((0..rows).map(y));
                }
            }
        }
        let Some(w) = self.design.weights else {
            return;
        };
        roots.clear();
        roots.extend((0..rows).map(|i| (w[row(i)] * self.inverse_weight).sqrt()));
        for column in out.chunks_exact_mut(rows.max(1)) {
            for (v, r) in column.iter_mut().zip(roots.iter()) {
                *v *= r;
            }
        }
    }
}

fn source<'a>(design: &Design<'a>, column: Column<'a>, divisor: f64) -> Source<'a> {
    let inverse = 1.0 / divisor;
    match design.z_column(column) {
        None => Source::One { inverse },
        Some(values) => Source::Values { values, inverse },
    }
}
