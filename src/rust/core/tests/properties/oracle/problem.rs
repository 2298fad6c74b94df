//! The data of a model, owned, so that they can be changed and handed to the core.

use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::{Column, Design, Estimation, Factor, Term};
use mixedlm_core::Options;

/// A column of the random part.
#[derive(Debug, Clone, PartialEq)]
pub enum Slope {
    One,
    Fixed(usize),
    Own(Vec<f64>),
}

/// A term of the random part.
#[derive(Debug, Clone)]
pub struct Part {
    pub factor: usize,
    pub columns: Vec<Slope>,
    pub structure: Structure,
    /// Empty for all.
    pub free: Vec<bool>,
}

impl Part {
    pub fn q(&self) -> usize {
        self.columns.len()
    }

    /// The positions of the packed elements of Lambda.
    pub fn places(&self) -> Vec<Vec<(usize, usize)>> {
        let q = self.q();
        match self.structure {
            Structure::Unstructured => (0..q).flat_map(|j| (j..q).map(move |i| vec![(i, j)])).collect(),
            Structure::Diagonal => (0..q).map(|j| vec![(j, j)]).collect(),
            Structure::Scalar => vec![(0..q).map(|j| (j, j)).collect()],
        }
    }

    fn term(&self) -> Term<'_> {
        let columns = self.columns.iter().map(|slope| match slope {
            Slope::One => Column::One,
            Slope::Fixed(j) => Column::Fixed(*j),
            Slope::Own(values) => Column::Own(values),
        });
        Term {
            factor: self.factor,
            columns: columns.collect(),
            structure: self.structure,
            free: self.free.clone(),
        }
    }

    pub fn is_free(&self, place: usize) -> bool {
        self.free.get(place).copied().unwrap_or(true)
    }
}

/// Data and model.
#[derive(Debug, Clone)]
pub struct Problem {
    pub y: Vec<f64>,
    /// Columns of X, one after the other.
    pub x: Vec<f64>,
    pub p: usize,
    pub weights: Option<Vec<f64>>,
    pub offset: Option<Vec<f64>>,
    pub parts: Vec<Part>,
    /// Codes from 1, and the number of levels.
    pub factors: Vec<(Vec<i32>, usize)>,
    pub estimation: Estimation,
}

fn factor(of: &(Vec<i32>, usize)) -> Factor<'_> {
    Factor {
        codes: &of.0,
        levels: of.1,
    }
}

/// Codes from 1 without gaps, in the order of the old ones.
pub fn relabelled(codes: &[usize]) -> (Vec<i32>, usize) {
    let mut all = codes.to_vec();
    all.sort_unstable();
    all.dedup();
    let place = |c: &usize| all.iter().position(|a| a == c).map_or(0, |i| i as i32 + 1);
    (codes.iter().map(place).collect(), all.len())
}

impl Problem {
    pub fn n(&self) -> usize {
        self.y.len()
    }

    pub fn x_column(&self, j: usize) -> &[f64] {
        &self.x[j * self.n()..(j + 1) * self.n()]
    }

    pub fn z(&self, part: usize, column: usize, row: usize) -> f64 {
        match &self.parts[part].columns[column] {
            Slope::One => 1.0,
            Slope::Fixed(j) => self.x_column(*j)[row],
            Slope::Own(values) => values[row],
        }
    }

    pub fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[row])
    }

    pub fn design(&self) -> Design<'_> {
        Design {
            y: &self.y,
            x: &self.x,
            p: self.p,
            weights: self.weights.as_deref(),
            offset: self.offset.as_deref(),
            terms: self.parts.iter().map(Part::term).collect(),
            factors: self.factors.iter().map(factor).collect(),
        }
    }

    pub fn options(&self) -> Options {
        Options {
            estimation: self.estimation,
            max_memory: 2e9,
            ..Options::default()
        }
    }

    /// Options that begin at given packed elements.
    pub fn options_at(&self, theta: &[Vec<f64>]) -> Options {
        Options {
            start: Some(theta.to_vec()),
            ..self.options()
        }
    }

    /// Packed elements from the core's Lambda.
    pub fn packed(&self, lambda: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let of = |(part, l): (&Part, &Vec<f64>)| {
            let first = |p: &Vec<(usize, usize)>| l[p[0].1 * part.q() + p[0].0];
            part.places().iter().map(first).collect()
        };
        self.parts.iter().zip(lambda).map(of).collect()
    }

    /// Some of the rows, in this order.
    pub fn rows(&self, rows: &[usize]) -> Problem {
        let pick = |v: &[f64]| -> Vec<f64> { rows.iter().map(|i| v[*i]).collect() };
        let part = |p: &Part| {
            let slope = |s: &Slope| match s {
                Slope::Own(values) => Slope::Own(pick(values)),
                other => other.clone(),
            };
            Part {
                columns: p.columns.iter().map(slope).collect(),
                ..p.clone()
            }
        };
        let factor = |f: &(Vec<i32>, usize)| {
            let codes: Vec<usize> = rows.iter().map(|i| f.0[*i] as usize).collect();
            relabelled(&codes)
        };
        Problem {
            y: pick(&self.y),
            x: (0..self.p).flat_map(|j| pick(self.x_column(j))).collect(),
            p: self.p,
            weights: self.weights.as_deref().map(pick),
            offset: self.offset.as_deref().map(pick),
            parts: self.parts.iter().map(part).collect(),
            factors: self.factors.iter().map(factor).collect(),
            estimation: self.estimation,
        }
    }
}
