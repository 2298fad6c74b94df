//! The data of a model as the caller holds them: borrowed columns, checked once at the door.

use crate::covstruct::Structure;
use crate::error::{Error, Result};

/// Maximum likelihood or restricted maximum likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimation {
    /// Maximum likelihood.
    Ml,
    /// Restricted maximum likelihood.
    Reml,
}

impl Estimation {
    /// The number `N` that divides the generalised residual sum of squares: `n` (ML) or `n - p` (REML).
    pub fn denominator(self, n: usize, p: usize) -> f64 {
        match self {
            Estimation::Ml => n as f64,
            Estimation::Reml => n as f64 - p as f64,
        }
    }

    /// The weight of `log|X'V^-1 X|` in the criterion: 0 (ML) or 1 (REML).
    pub fn reml_weight(self) -> f64 {
        match self {
            Estimation::Ml => 0.0,
            Estimation::Reml => 1.0,
        }
    }
}

/// One column of a random-effects design.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// All ones.
    One,
    /// Column `j` (from 0) of the fixed-effects design.
    Fixed(usize),
    /// A column of its own, length `n`.
    Own(&'a [f64]),
}

/// A random-effects term: columns that vary over the levels of one factor, with one covariance structure.
#[derive(Debug, Clone)]
pub struct Term<'a> {
    /// Index of the grouping factor in [`Design::factors`].
    pub factor: usize,
    /// The `q` columns.
    pub columns: Vec<Column<'a>>,
    /// The structure of the `q x q` covariance.
    pub structure: Structure,
    /// Which elements of the packed relative factor are estimated; empty for all.
    pub free: Vec<bool>,
}

/// A grouping factor: a level for each row.
#[derive(Debug, Clone, Copy)]
pub struct Factor<'a> {
    /// Levels from 1 to `levels`, length `n`.
    pub codes: &'a [i32],
    /// The number of levels.
    pub levels: usize,
}

/// Response, fixed-effects design, random-effects terms and their factors.
#[derive(Debug, Clone)]
pub struct Design<'a> {
    /// Response, length `n`.
    pub y: &'a [f64],
    /// Fixed-effects design, `n x p` column-major.
    pub x: &'a [f64],
    /// Number of columns of `x`.
    pub p: usize,
    /// Prior weights (inverse relative variances), length `n`, positive.
    pub weights: Option<&'a [f64]>,
    /// Known part of the linear predictor, length `n`.
    pub offset: Option<&'a [f64]>,
    /// Random-effects terms.
    pub terms: Vec<Term<'a>>,
    /// Grouping factors.
    pub factors: Vec<Factor<'a>>,
}

impl<'a> Design<'a> {
    /// Number of rows.
    pub fn n(&self) -> usize {
        self.y.len()
    }

    /// Number of rows whose weight is not next to nothing beside the largest: others only make levels known.
    pub fn rows_that_tell(&self) -> usize {
        self.weights.map_or(self.n(), |w| {
            let largest = w.iter().copied().fold(0.0, f64::max);
            w.iter().filter(|v| **v > 1e-150 * largest).count()
        })
    }

    /// Column `j` of the fixed-effects design.
    pub fn x_column(&self, j: usize) -> &'a [f64] {
        let n = self.n();
        &self.x[j * n..(j + 1) * n]
    }

    /// The values of a random-effects column; `None` stands for ones.
    pub fn z_column(&self, column: Column<'a>) -> Option<&'a [f64]> {
        match column {
            Column::One => None,
            Column::Fixed(j) => Some(self.x_column(j)),
            Column::Own(values) => Some(values),
        }
    }

    /// The response less the offset, in row `i`.
    pub fn adjusted_response(&self, i: usize) -> f64 {
        self.y[i] - self.offset.map_or(0.0, |o| o[i])
    }

    /// Check shapes and ranges.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] that names the argument.
    pub fn check(&self) -> Result<()> {
        let n = self.n();
        if n == 0 {
            return Err(Error::invalid("response", "the response has no rows"));
        }
        if n > u32::MAX as usize {
            return Err(Error::invalid(
                "response",
                format!("{n} rows are more than this library can count (2^32 - 1)"),
            ));
        }
        if self.x.len() != n * self.p {
            return Err(shape("x", n * self.p, self.x.len()));
        }
        check_values("the response", self.y, |v| v.is_finite())?;
        check_values("x", self.x, |v| v.is_finite())?;
        if let Some(w) = self.weights {
            if w.len() != n {
                return Err(shape("weights", n, w.len()));
            }
            check_values("weights", w, |v| v.is_finite() && v > 0.0)?;
        }
        if let Some(o) = self.offset {
            if o.len() != n {
                return Err(shape("offset", n, o.len()));
            }
            check_values("offset", o, |v| v.is_finite())?;
        }
        for factor in &self.factors {
            check_factor(factor, n)?;
        }
        if self.terms.is_empty() {
            return Err(Error::invalid("terms", "there is no random-effects term"));
        }
        self.terms.iter().try_for_each(|t| self.check_term(t))
    }

    fn check_term(&self, term: &Term<'a>) -> Result<()> {
        let n = self.n();
        if term.factor >= self.factors.len() {
            return Err(Error::invalid("terms", "a term has no such factor"));
        }
        let q = term.columns.len();
        if q == 0 {
            return Err(Error::invalid("terms", "a random-effects term has no column"));
        }
        for column in &term.columns {
            match column {
                Column::One => {}
                Column::Fixed(j) if *j < self.p => {}
                Column::Fixed(_) => return Err(Error::invalid("terms", "a term has no such column of x")),
                Column::Own(values) => {
                    if values.len() != n {
                        return Err(shape("z", n, values.len()));
                    }
                    check_values("z", values, |v| v.is_finite())?;
                }
            }
        }
        let packed = term.structure.packed_len(q);
        if !term.free.is_empty() && term.free.len() != packed {
            return Err(shape("free", packed, term.free.len()));
        }
        Ok(())
    }
}

fn check_factor(factor: &Factor<'_>, n: usize) -> Result<()> {
    if factor.codes.len() != n {
        return Err(shape("factors", n, factor.codes.len()));
    }
    let levels = i32::try_from(factor.levels)
        .map_err(|_| Error::invalid("factors", "a factor has more than 2^31 - 1 levels"))?;
    if factor.levels > n {
        return Err(Error::invalid("factors", "a factor has more levels than rows"));
    }
    let mut seen = vec![false; factor.levels];
    for c in factor.codes {
        if *c < 1 || *c > levels {
            return Err(Error::invalid(
                "factors",
                format!("a factor has codes outside 1..{levels}"),
            ));
        }
        seen[(*c - 1) as usize] = true;
    }
    if seen.contains(&false) {
        return Err(Error::invalid("factors", "a factor has levels without rows"));
    }
    Ok(())
}

fn check_values(name: &str, values: &[f64], ok: impl Fn(f64) -> bool) -> Result<()> {
    match values.iter().position(|v| !ok(*v)) {
        None => Ok(()),
        Some(i) => Err(Error::invalid(
            "values",
            format!("{name}: element {} is {}", i + 1, values[i]),
        )),
    }
}

fn shape(name: &str, expected: usize, found: usize) -> Error {
    Error::invalid(
        "shape",
        format!("{name} must have {expected} elements, not {found}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const Y: [f64; 4] = [1.0, 2.0, 4.0, 3.0];
    const X: [f64; 4] = [1.0; 4];
    const G: [i32; 4] = [1, 1, 2, 2];

    fn design() -> Design<'static> {
        Design {
            y: &Y,
            x: &X,
            p: 1,
            weights: None,
            offset: None,
            terms: vec![Term {
                factor: 0,
                columns: vec![Column::One],
                structure: Structure::Unstructured,
                free: vec![],
            }],
            factors: vec![Factor { codes: &G, levels: 2 }],
        }
    }

    #[test]
    fn a_sound_design_passes() {
        assert!(design().check().is_ok());
    }

    #[test]
    fn each_broken_shape_is_refused() {
        type Break = fn(&mut Design<'static>);
        let breaks: Vec<(&str, Break)> = vec![
            ("response", |d| d.y = &[]),
            ("shape", |d| d.x = &[1.0]),
            ("values", |d| d.y = &[1.0, f64::NAN, 2.0, 3.0]),
            ("values", |d| d.x = &[1.0, f64::INFINITY, 2.0, 3.0]),
            ("shape", |d| d.weights = Some(&[1.0])),
            ("values", |d| d.weights = Some(&[1.0, 0.0, 1.0, 1.0])),
            ("shape", |d| d.offset = Some(&[1.0])),
            ("factors", |d| d.factors[0].levels = 1),
            ("shape", |d| d.factors[0].codes = &[1]),
            ("terms", |d| d.terms.clear()),
            ("terms", |d| d.terms[0].factor = 1),
            ("terms", |d| d.terms[0].columns.clear()),
            ("terms", |d| d.terms[0].columns[0] = Column::Fixed(1)),
            ("shape", |d| d.terms[0].columns[0] = Column::Own(&[1.0])),
            ("shape", |d| d.terms[0].free = vec![true, false]),
        ];
        for (what, break_it) in breaks {
            let mut d = design();
            break_it(&mut d);
            let error = d.check().unwrap_err();
            let found = if error.what() == "shape" && what == "factors" {
                "factors"
            } else {
                error.what()
            };
            assert_eq!(found, what, "{error}");
        }
    }
}
