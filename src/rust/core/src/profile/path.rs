//! What is held, and how the other parameters then make all of them.
//!
//! `full` are the parameters of [`super::joint::Joint`], the free packed elements and tau; `x` are those that remain when
//! the held one has the position `u`, with the map `full = F(x, u)`:
//!
//! | held | u | F |
//! |---|---|---|
//! | standard deviation of column j | itself | j stands first: its packed element is `u exp(-tau)` in units of the column |
//! | correlation of columns a and b | its arc sine | a and b stand first: `(l_21, l_22) = m (sin u, cos u)`, with m in x |
//! | sigma | tau | tau = u |
//! | a fixed effect | itself | full = x; the engine holds the effect |

use std::f64::consts::FRAC_PI_2;

use crate::covstruct::Structure;
use crate::criterion::TermShape;
use crate::error::Result;
use crate::linalg::{dot, matmul, transpose};
use crate::params::Coordinates;

use super::joint::{Joint, Slopes};

/// A parameter that can be held, on the user's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// Standard deviation of a column (from 0) of a term.
    Sd {
        /// The term.
        term: usize,
        /// Its column.
        column: usize,
    },
    /// Correlation of two columns of a term.
    Correlation {
        /// The term.
        term: usize,
        /// Its columns.
        columns: (usize, usize),
    },
    /// Residual standard deviation.
    Sigma,
    /// Fixed effect, by its place among the kept columns.
    Effect(usize),
}

/// How the held parameter enters.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// `full[at] = u exp(-tau) / unit`.
    Sd { at: usize, unit: f64 },
    /// `(full[upper], full[lower]) = m (sin u, cos u)`; m stands in place of the former, the latter is not in x.
    Correlation { upper: usize, lower: usize },
    /// `full[last] = u`, in units of `unit`.
    Sigma { unit: f64 },
    /// The engine holds it.
    Effect,
}

/// One held parameter.
pub struct Path {
    kind: Kind,
    /// The coordinates of the full parameters.
    pub coordinates: Coordinates,
}

/// Derivatives in x and in u.
pub struct Reduced {
    /// In x.
    pub gradient: Vec<f64>,
    /// In x, column-major.
    pub hessian: Vec<f64>,
    /// In u.
    pub along: f64,
    /// In x and u.
    pub mixed: Vec<f64>,
    /// The part `F_u' H F_u` of the second derivative in u: all of it where the gradient is zero.
    pub second: f64,
}

impl Reduced {
    /// Keep an element of x where it is.
    pub fn fix(&mut self, at: usize) {
        let k = self.gradient.len();
        self.gradient[at] = 0.0;
        for j in 0..k {
            self.hessian[at * k + j] = 0.0;
            self.hessian[j * k + at] = 0.0;
        }
        self.hessian[at * k + at] = 1.0;
    }
}

/// A correlation of an effect below this size, in units of the noise of a level, is not defined.
const NOTHING: f64 = 1e-6;

/// The order of columns in which those that matter stand first.
fn order(shape: &TermShape, first: &[usize]) -> Vec<usize> {
    let mut order = first.to_vec();
    order.extend((0..shape.q).filter(|j| !first.contains(j)));
    order
}

/// Whether elements of a parameter's term are held, so that it cannot be.
pub fn is_restricted(parameter: Parameter, shapes: &[TermShape], free: &[Vec<bool>]) -> bool {
    let held = |term: usize, at: usize| match shapes[term].structure {
        Structure::Unstructured => free[term].contains(&false),
        Structure::Diagonal => free[term].get(at) == Some(&false),
        Structure::Scalar => free[term].first() == Some(&false),
    };
    match parameter {
        Parameter::Sd { term, column } => held(term, column),
        Parameter::Correlation { term, columns } => held(term, columns.0),
        Parameter::Sigma | Parameter::Effect(_) => false,
    }
}

impl Path {
    /// The path of a parameter around the factors `lambda` (user's units), `free` saying which of their elements are
    /// estimated.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`].
    pub fn new(
        joint: &Joint<'_>,
        parameter: Parameter,
        lambda: &[Vec<f64>],
        free: &[Vec<bool>],
    ) -> Result<Path> {
        let shapes = joint.engine.shapes();
        let mut orders: Vec<Vec<usize>> = shapes.iter().map(|s| (0..s.q).collect()).collect();
        let unstructured = |term: usize| shapes[term].structure == Structure::Unstructured;
        match parameter {
            Parameter::Sd { term, column } if unstructured(term) => {
                orders[term] = order(&shapes[term], &[column])
            }
            Parameter::Correlation { term, columns } => {
                orders[term] = order(&shapes[term], &[columns.1, columns.0])
            }
            _ => {}
        }
        let coordinates = joint.coordinates(&orders, free, lambda)?;
        let count = |flags: &[bool]| flags.iter().filter(|f| **f).count();
        let first = |term: usize| -> usize { coordinates.terms[..term].iter().map(|t| count(&t.free)).sum() };
        let kind = match parameter {
            Parameter::Sd { term, column } => {
                let own = &coordinates.terms[term].free;
                let before = if shapes[term].structure == Structure::Diagonal {
                    count(&own[..column])
                } else {
                    0
                };
                Kind::Sd {
                    at: first(term) + before,
                    unit: joint.unit * joint.scales[term][column],
                }
            }
            Parameter::Correlation { term, .. } => Kind::Correlation {
                upper: first(term) + 1,
                lower: first(term) + shapes[term].q,
            },
            Parameter::Sigma => Kind::Sigma { unit: joint.unit },
            Parameter::Effect(_) => Kind::Effect,
        };
        Ok(Path { kind, coordinates })
    }

    /// Position and other parameters at `full`; no position for a correlation that is not defined.
    pub fn split(&self, full: &[f64], effect: f64) -> (Option<f64>, Vec<f64>) {
        let (mut x, tau) = (full.to_vec(), full[full.len() - 1]);
        let u = match self.kind {
            Kind::Sd { at, unit } => {
                let l = x.remove(at);
                Some(l.abs() * unit * tau.exp())
            }
            Kind::Correlation { upper, lower } => {
                let (a, b) = (full[upper], full[lower]);
                let m = a.hypot(b);
                x[upper] = m;
                x.remove(lower);
                let defined = full[upper - 1].abs() > NOTHING && m > NOTHING;
                defined.then(|| a.atan2(b))
            }
            Kind::Sigma { .. } => x.pop(),
            Kind::Effect => Some(effect),
        };
        (u, x)
    }

    /// `F(x, u)`.
    pub fn full(&self, x: &[f64], u: f64) -> Vec<f64> {
        let mut full = x.to_vec();
        match self.kind {
            Kind::Sd { at, unit } => full.insert(at, u / unit * (-x[x.len() - 1]).exp()),
            Kind::Correlation { upper, lower } => {
                full[upper] = x[upper] * u.sin();
                full.insert(lower, x[upper] * u.cos());
            }
            Kind::Sigma { .. } => full.push(u),
            Kind::Effect => {}
        }
        full
    }

    /// `dF / dx'` and `dF / du`, at x and the full parameters.
    fn jacobian(&self, x: &[f64], u: f64, full: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (f, k) = (full.len(), x.len());
        let mut along = vec![0.0; f];
        let removed = match self.kind {
            Kind::Sd { at, .. } => at,
            Kind::Correlation { lower, .. } => lower,
            Kind::Sigma { .. } | Kind::Effect => f,
        };
        let mut j = vec![0.0; f * k];
        for c in 0..k {
            j[c * f + if c < removed { c } else { c + 1 }] = 1.0;
        }
        match self.kind {
            Kind::Sd { at, unit } => {
                j[(k - 1) * f + at] = -full[at];
                along[at] = (-x[k - 1]).exp() / unit;
            }
            Kind::Correlation { upper, lower } => {
                j[upper * f + upper] = u.sin();
                j[upper * f + lower] = u.cos();
                along[upper] = x[upper] * u.cos();
                along[lower] = -x[upper] * u.sin();
            }
            Kind::Sigma { .. } => along[f - 1] = 1.0,
            Kind::Effect => {}
        }
        (j, along)
    }

    /// The chain rule from the full parameters to x and u.
    pub fn reduce(&self, x: &[f64], u: f64, slopes: &Slopes) -> Reduced {
        let full = self.full(x, u);
        let (f, k) = (full.len(), x.len());
        let (j, along) = self.jacobian(x, u, &full);
        let back = transpose(&j, f, k);
        let (g, h) = (&slopes.gradient, &slopes.hessian);
        let mut hessian = matmul(&back, &matmul(h, &j, f, f, k), k, f, k);
        let turned = matmul(h, &along, f, f, 1);
        let mut mixed = matmul(&back, &turned, k, f, 1);
        match self.kind {
            Kind::Sd { at, .. } => {
                hessian[k * k - 1] += g[at] * full[at];
                mixed[k - 1] -= g[at] * along[at];
            }
            Kind::Correlation { upper, lower } => {
                mixed[upper] += g[upper] * u.cos() - g[lower] * u.sin();
            }
            Kind::Sigma { .. } | Kind::Effect => {}
        }
        Reduced {
            gradient: matmul(&back, g, k, f, 1),
            hessian,
            along: dot(g, &along),
            mixed,
            second: dot(&along, &turned),
        }
    }

    /// For a correlation the places in x of the sizes of its two effects, which must have the same sign: beyond zero they would
    /// stand for the opposite correlation.
    pub fn sizes(&self) -> Option<[usize; 2]> {
        match self.kind {
            Kind::Correlation { upper, .. } => Some([upper - 1, upper]),
            _ => None,
        }
    }

    /// Where the path ends, downwards and upwards.
    pub fn limits(&self) -> (f64, f64) {
        match self.kind {
            Kind::Sd { .. } => (0.0, f64::INFINITY),
            Kind::Correlation { .. } => (-FRAC_PI_2, FRAC_PI_2),
            Kind::Sigma { .. } | Kind::Effect => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// A step in u that matters, where nothing better is known.
    pub fn step(&self, tau: f64) -> f64 {
        match self.kind {
            Kind::Sd { unit, .. } => 0.05 * unit * tau.exp(),
            _ => 0.05,
        }
    }

    /// The parameter on the user's scale, and its derivative in u.
    pub fn user(&self, u: f64) -> (f64, f64) {
        match self.kind {
            Kind::Correlation { .. } if u.abs() == FRAC_PI_2 => (u.signum(), 0.0),
            Kind::Correlation { .. } => (u.sin(), u.cos()),
            Kind::Sigma { unit } => (unit * u.exp(), unit * u.exp()),
            Kind::Sd { .. } | Kind::Effect => (u, 1.0),
        }
    }
}
