//! From R's lists to borrowed designs and options.

use extendr_api::prelude::*;
use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::{Column, Design, Estimation, Factor, Term};
use mixedlm_core::fit::{Options, ProfileTarget};
use mixedlm_core::machine::half_of_memory;
use mixedlm_core::optimizer::{Method, Settings};
use mixedlm_core::profile::{self, Parameter, Request};
use mixedlm_core::{Error, Result};

/// R objects that stay protected while slices of them are in use.
pub struct Held {
    problem: Named,
    options: Named,
    factors: Vec<Robj>,
    terms: Vec<Named>,
}

/// A named list.
pub struct Named(Vec<(String, Robj)>);

impl Named {
    /// From a list.
    pub fn new(list: &List) -> Self {
        Named(
            list.iter()
                .map(|(name, value)| (name.to_string(), value))
                .collect(),
        )
    }

    /// An element that may be missing or NULL.
    pub fn find(&self, name: &str) -> Option<&Robj> {
        self.0
            .iter()
            .find(|(n, v)| n == name && !v.is_null())
            .map(|(_, v)| v)
    }

    /// Doubles, or `None`.
    pub fn reals(&self, name: &'static str) -> Result<Option<&[f64]>> {
        match self.find(name) {
            None => Ok(None),
            Some(v) => v
                .as_real_slice()
                .map(Some)
                .ok_or_else(|| wrong(name, "a double vector")),
        }
    }

    /// Integers, or `None`.
    pub fn integers(&self, name: &'static str) -> Result<Option<&[i32]>> {
        match self.find(name) {
            None => Ok(None),
            Some(v) => v
                .as_integer_slice()
                .map(Some)
                .ok_or_else(|| wrong(name, "an integer vector")),
        }
    }

    /// A finite number.
    pub fn number(&self, name: &'static str, default: f64) -> Result<f64> {
        match self.find(name) {
            None => Ok(default),
            Some(v) => {
                let value = v.as_real().or_else(|| v.as_integer().map(f64::from));
                value
                    .filter(|x| x.is_finite())
                    .ok_or_else(|| wrong(name, "a number"))
            }
        }
    }

    /// A count.
    pub fn count(&self, name: &'static str, default: usize) -> Result<usize> {
        let value = self.number(name, default as f64)?;
        if value < 0.0 || value > f64::from(i32::MAX) {
            return Err(wrong(name, "a count"));
        }
        Ok(value as usize)
    }

    /// Whether it is `TRUE`.
    pub fn flag(&self, name: &'static str) -> bool {
        self.find(name).and_then(|v| v.as_bool()).unwrap_or(false)
    }

    /// A string.
    pub fn text(&self, name: &'static str) -> Result<String> {
        let value = self.find(name).and_then(|v| v.as_str());
        value.map(str::to_string).ok_or_else(|| wrong(name, "a string"))
    }
}

/// The error of an element that is missing or of the wrong type.
pub fn wrong(name: &str, expected: &str) -> Error {
    Error::invalid("shape", format!("{name} must be {expected}"))
}

fn elements(value: Option<&Robj>) -> Vec<Robj> {
    value
        .and_then(|v| v.as_list())
        .map(|l| l.values().collect())
        .unwrap_or_default()
}

/// A call, converted.
pub struct Call<'a> {
    /// The data.
    pub design: Design<'a>,
    /// The settings.
    pub options: Options,
    /// Whether an adjusted covariance of the fixed effects is asked for.
    pub adjusted: bool,
    target: Option<ProfileTarget>,
    request: Option<Request>,
}

impl Call<'_> {
    /// What is to be profiled.
    pub fn profile(&self) -> Result<ProfileTarget> {
        self.target.clone().ok_or_else(|| wrong("profile", "given"))
    }

    /// Which likelihood profiles are asked for.
    pub fn profiles(&self) -> Result<Request> {
        self.request.clone().ok_or_else(|| wrong("which", "given"))
    }
}

impl Held {
    /// Hold on to the elements of a problem and of options.
    pub fn new(problem: &List, options: &List) -> Self {
        let (problem, options) = (Named::new(problem), Named::new(options));
        let factors = elements(problem.find("factors"));
        let terms = elements(problem.find("terms"));
        let terms = terms
            .iter()
            .filter_map(|t| t.as_list())
            .map(|t| Named::new(&t))
            .collect();
        Held {
            problem,
            options,
            factors,
            terms,
        }
    }

    /// The options as they were given.
    pub fn given(&self) -> &Named {
        &self.options
    }

    /// Whether the call asks for a progress line.
    pub fn wants_progress(&self) -> bool {
        self.options.flag("progress")
    }

    /// The call.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for missing elements and wrong types.
    pub fn call(&self) -> Result<Call<'_>> {
        let y = self.problem.reals("y")?.ok_or_else(|| wrong("y", "given"))?;
        let x = self.problem.reals("x")?.ok_or_else(|| wrong("x", "given"))?;
        let p = if y.is_empty() { 0 } else { x.len() / y.len() };
        let levels = self.problem.integers("n_levels")?.unwrap_or(&[]);
        let mut factors = Vec::new();
        for (codes, count) in self.factors.iter().zip(levels) {
            let codes = codes
                .as_integer_slice()
                .ok_or_else(|| wrong("factors", "integer codes"))?;
            let levels = usize::try_from(*count).map_err(|_| wrong("n_levels", "a count"))?;
            factors.push(Factor { codes, levels });
        }
        let design = Design {
            y,
            x,
            p,
            weights: self.problem.reals("weights")?,
            offset: self.problem.reals("offset")?,
            terms: self
                .terms
                .iter()
                .map(|t| term(t, y.len()))
                .collect::<Result<_>>()?,
            factors,
        };
        let options = self.options(&design)?;
        let target = self.target()?;
        let request = self.request()?;
        Ok(Call {
            design,
            options,
            adjusted: self.options.flag("adjusted"),
            target,
            request,
        })
    }

    fn options(&self, design: &Design<'_>) -> Result<Options> {
        let o = &self.options;
        let defaults = Settings::default();
        let estimation = if o.flag("reml") {
            Estimation::Reml
        } else {
            Estimation::Ml
        };
        let settings = Settings {
            method: Method::parse(&o.text("method")?)?,
            tolerance: o.number("tol", defaults.tolerance)?,
            max_iterations: o.count("maxit", defaults.max_iterations)?,
            em_steps: match o.find("em_steps") {
                None => defaults.em_steps,
                Some(_) => Some(o.count("em_steps", 0)?),
            },
        };
        let start = match o.reals("start")? {
            None => None,
            Some(values) => Some(split_start(design, values)?),
        };
        Ok(Options {
            estimation,
            settings,
            start,
            rank_tolerance: o.number("rank_tol", 1e-7)?,
            threads: o.count("threads", 1)?.clamp(1, 256),
            max_memory: o.number("max_memory", half_of_memory())?,
        })
    }

    fn request(&self) -> Result<Option<Request>> {
        let Some(which) = self.options.integers("which")? else {
            return Ok(None);
        };
        let places = |name: &'static str| -> Result<Vec<usize>> {
            let given = self.options.integers(name)?.unwrap_or(&[]);
            let place = |v: &i32| usize::try_from(v - 1).map_err(|_| wrong(name, "numbers from 1"));
            given.iter().map(place).collect()
        };
        let rows_and_columns = places("row")?.into_iter().zip(places("column")?);
        let element = |(term, (row, column)): (usize, (usize, usize))| {
            if row == column {
                Parameter::Sd { term, column }
            } else {
                let columns = (row, column);
                Parameter::Correlation { term, columns }
            }
        };
        Ok(Some(Request {
            elements: places("term")?
                .into_iter()
                .zip(rows_and_columns)
                .map(element)
                .collect(),
            which: which
                .iter()
                .map(|w| usize::try_from(w - 1).map_err(|_| wrong("which", "numbers from 1")))
                .collect::<Result<_>>()?,
            settings: profile::Settings {
                cutoff: self.options.number("cutoff", 0.0)?,
                delta: self.options.number("delta", 0.0)?,
                max_points: self.options.count("maxpts", 100)?,
                exact: self.options.flag("exact"),
            },
        }))
    }

    fn target(&self) -> Result<Option<ProfileTarget>> {
        let Some(values) = self.options.reals("values")? else {
            return Ok(None);
        };
        Ok(Some(ProfileTarget {
            term: self
                .options
                .count("term", 0)?
                .checked_sub(1)
                .ok_or_else(|| wrong("term", "at least 1"))?,
            column: self
                .options
                .count("column", 0)?
                .checked_sub(1)
                .ok_or_else(|| wrong("column", "at least 1"))?,
            values: values.to_vec(),
        }))
    }
}

/// Cut the packed elements of all terms into those of each.
fn split_start(design: &Design<'_>, values: &[f64]) -> Result<Vec<Vec<f64>>> {
    let mut rest = values;
    let mut start = Vec::new();
    for term in &design.terms {
        let len = term.structure.packed_len(term.columns.len());
        if rest.len() < len {
            return Err(wrong("start", "as long as there are parameters"));
        }
        let (head, tail) = rest.split_at(len);
        start.push(head.to_vec());
        rest = tail;
    }
    if rest.is_empty() {
        Ok(start)
    } else {
        Err(wrong("start", "as long as there are parameters"))
    }
}

fn term(t: &Named, n: usize) -> Result<Term<'_>> {
    let structure = match t.text("structure")?.as_str() {
        "unstructured" => Structure::Unstructured,
        "diagonal" => Structure::Diagonal,
        "scalar" => Structure::Scalar,
        other => {
            return Err(Error::invalid(
                "structure",
                format!("there is no covariance structure \"{other}\""),
            ))
        }
    };
    let columns = match (t.integers("x_columns")?, t.reals("z")?) {
        (Some(columns), _) => columns.iter().map(|j| shared(*j)).collect::<Result<_>>()?,
        (None, Some(z)) if n > 0 => z.chunks(n).map(Column::Own).collect(),
        _ => return Err(wrong("z", "given")),
    };
    let free = match t.find("free") {
        None => Vec::new(),
        Some(v) => {
            let flags = v
                .as_logical_slice()
                .ok_or_else(|| wrong("free", "a logical vector"))?;
            flags.iter().map(|f| f.is_true()).collect()
        }
    };
    let factor = t
        .count("factor", 0)?
        .checked_sub(1)
        .ok_or_else(|| wrong("factor", "at least 1"))?;
    Ok(Term {
        factor,
        columns,
        structure,
        free,
    })
}

/// A column of X by its number, 0 for ones.
fn shared<'a>(j: i32) -> Result<Column<'a>> {
    match usize::try_from(j) {
        Ok(0) => Ok(Column::One),
        Ok(j) => Ok(Column::Fixed(j - 1)),
        Err(_) => Err(wrong("x_columns", "column numbers")),
    }
}
