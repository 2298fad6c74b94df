//! From a start to a stationary point, by the method that was asked for.
//!
//! Vignette "The algorithm": Eq. Decrement.

use argmin::core::{Executor, IterState, OptimizationResult, Solver, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::neldermead::NelderMead;
use argmin::solver::quasinewton::{BFGS, LBFGS};

use crate::criterion::Order;
use crate::em::em;
use crate::error::{Error, Result};
use crate::newton::{NewtonState, NewtonTrustRegion};
use crate::objective::{unwrap_argmin, Objective, Shared};

/// How the criterion is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Trust-region Newton with the exact Hessian.
    Newton,
    /// BFGS with More-Thuente line search.
    Bfgs,
    /// Limited-memory BFGS with More-Thuente line search.
    Lbfgs,
    /// Nelder and Mead's simplex.
    NelderMead,
    /// Expectation-maximisation.
    Em,
}

impl Method {
    /// The method of a name.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"method"`).
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "newton" => Ok(Method::Newton),
            "bfgs" => Ok(Method::Bfgs),
            "lbfgs" => Ok(Method::Lbfgs),
            "nelder-mead" => Ok(Method::NelderMead),
            "em" => Ok(Method::Em),
            other => Err(Error::invalid(
                "method",
                format!("there is no method \"{other}\""),
            )),
        }
    }
}

/// Settings of the optimiser.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The method.
    pub method: Method,
    /// Newton decrement at which to stop (units of the criterion).
    pub tolerance: f64,
    /// Most iterations.
    pub max_iterations: usize,
    /// EM steps before the method starts; by the size of the problem when not given.
    pub em_steps: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            method: Method::Newton,
            tolerance: 1e-10,
            max_iterations: 500,
            em_steps: None,
        }
    }
}

/// Where a method stopped.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The free parameters.
    pub x: Vec<f64>,
    /// Iterations.
    pub iterations: usize,
}

/// Minimise from `x`.
///
/// # Errors
/// Those of the objective.
pub fn minimise(objective: &Objective<'_>, x: Vec<f64>, settings: &Settings) -> Result<Stop> {
    if x.is_empty() {
        return Ok(Stop { x, iterations: 0 });
    }
    let line_search = || {
        MoreThuenteLineSearch::new()
            .with_c(1e-4, 0.9)
            .map_err(unwrap_argmin)
    };
    match settings.method {
        Method::Newton => {
            let solver = NewtonTrustRegion::new(settings.tolerance);
            let state = |s: NewtonState| s.param(x.clone());
            finish(run(objective, solver, state, settings), &x)
        }
        Method::Bfgs => {
            let solver = BFGS::new(line_search()?);
            let identity: Vec<Vec<f64>> = (0..x.len())
                .map(|i| (0..x.len()).map(|j| if i == j { 1.0 } else { 0.0 }).collect())
                .collect();
            type BfgsState = IterState<Vec<f64>, Vec<f64>, (), Vec<Vec<f64>>, (), f64>;
            let state = |s: BfgsState| s.param(x.clone()).inv_hessian(identity);
            finish(run(objective, solver, state, settings), &x)
        }
        Method::Lbfgs => {
            let solver = LBFGS::new(line_search()?, 7);
            type LbfgsState = IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;
            let state = |s: LbfgsState| s.param(x.clone());
            finish(run(objective, solver, state, settings), &x)
        }
        Method::NelderMead => {
            let mut simplex = vec![x.clone()];
            for j in 0..x.len() {
                let mut corner = x.clone();
                corner[j] += 0.25 * corner[j].abs().max(1.0);
                simplex.push(corner);
            }
            let solver = NelderMead::new(simplex)
                .with_sd_tolerance(1e-12)
                .map_err(unwrap_argmin)?;
            type SimplexState = IterState<Vec<f64>, (), (), (), (), f64>;
            finish(run(objective, solver, |s: SimplexState| s, settings), &x)
        }
        Method::Em => {
            let (x, iterations) = em(objective, x, settings.tolerance, settings.max_iterations)?;
            Ok(Stop { x, iterations })
        }
    }
}

fn run<'o, 'a, S, G, H>(
    objective: &'o Objective<'a>,
    solver: S,
    configure: impl FnOnce(IterState<Vec<f64>, G, (), H, (), f64>) -> IterState<Vec<f64>, G, (), H, (), f64>,
    settings: &Settings,
) -> Result<Stop>
where
    S: Solver<Shared<'o, 'a>, IterState<Vec<f64>, G, (), H, (), f64>>,
    G: Clone,
    H: Clone,
{
    let most = settings.max_iterations as u64;
    let order = match settings.method {
        Method::Newton => objective.stepping(),
        _ => Order::Gradient,
    };
    let result: std::result::Result<OptimizationResult<_, _, _>, _> =
        Executor::new(Shared(objective, order), solver)
            .configure(|state| configure(state).max_iters(most))
            .timer(false)
            .run();
    let state = result.map_err(unwrap_argmin)?.state;
    let x = state.get_best_param().or(state.get_param()).cloned();
    let x = x.ok_or_else(|| Error::Bug("the optimiser lost its parameters".to_string()))?;
    Ok(Stop {
        x,
        iterations: state.get_iter() as usize,
    })
}

/// A line search that cannot go on is no failure of the fit: the certificate says where it stopped.
fn finish(result: Result<Stop>, start: &[f64]) -> Result<Stop> {
    match result {
        Err(Error::Numerical(_)) => Ok(Stop {
            x: start.to_vec(),
            iterations: 0,
        }),
        other => other,
    }
}
