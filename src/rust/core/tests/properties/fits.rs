//! Whole fits: nothing lower can be found, and the verdict is that of the oracle's own derivatives.

use std::cell::Cell;

use mixedlm_core::engine::Kind;
use mixedlm_core::verdict::Verdict;
use mixedlm_core::{fit, Error, Fit};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::oracle::dense::{eigenvalues, Matrix};
use crate::oracle::differences::{gradient, hessian};
use crate::oracle::minimise::nelder_mead;
use crate::oracle::model::{reals, Model};
use crate::oracle::problem::{Part, Problem};
use crate::oracle::random::{element_units, parameters, plans, split, Noise, Plan, Range, EXTREME, USUAL};
use crate::oracle::real::{Double, Real};
use crate::runs::{check, close, never};

/// The criterion of the oracle in the free elements, in units in which the effects are as strong as the noise; infinite
/// where it is not defined.
pub struct Search<'a> {
    problem: &'a Problem,
    model: Model<'a, f64>,
    precise: Model<'a, Double>,
    /// All elements, those that are held at their value.
    theta: Vec<Vec<f64>>,
    unit: Vec<f64>,
    free: Vec<usize>,
}

impl<'a> Search<'a> {
    pub fn new(problem: &'a Problem, theta: &[Vec<f64>]) -> Self {
        let places = problem
            .parts
            .iter()
            .flat_map(|p| (0..p.places().len()).map(|k| p.is_free(k)));
        Search {
            model: Model::of(problem),
            precise: Model::of(problem),
            theta: theta.to_vec(),
            unit: element_units(problem),
            free: places.enumerate().filter(|(_, f)| *f).map(|(k, _)| k).collect(),
            problem,
        }
    }

    /// Free elements in units of the search.
    pub fn free_of(&self, theta: &[Vec<f64>]) -> Vec<f64> {
        let all = theta.concat();
        self.free.iter().map(|k| all[*k] / self.unit[*k]).collect()
    }

    fn place<R: Real>(&self, x: &[R]) -> Vec<Vec<R>> {
        let mut all: Vec<R> = self.theta.concat().iter().map(|v| R::from(*v)).collect();
        for (k, v) in self.free.iter().zip(x) {
            all[*k] = *v * R::from(self.unit[*k]);
        }
        split(&self.theta, &all)
    }

    pub fn value(&self, x: &[f64]) -> f64 {
        let found = self.model.criterion(&self.place(x));
        found.filter(|v| v.is_finite()).unwrap_or(f64::INFINITY)
    }

    pub fn precise(&self, x: &[Double]) -> Option<Double> {
        self.precise.criterion(&self.place(x))
    }

    pub fn gradient(&self, x: &[f64]) -> Option<Vec<f64>> {
        gradient(&|x| self.precise(x), x, &self.steps(x))
    }

    pub fn hessian(&self, x: &[f64]) -> Option<Matrix<f64>> {
        hessian(&|x| self.precise(x), x, &self.steps(x))
    }

    fn steps(&self, x: &[f64]) -> Vec<f64> {
        x.iter().map(|v| 1e-4 * (1.0 + v.abs())).collect()
    }

    /// The lowest value of random perturbations and of a simplex search near a place.
    fn lowest_near(&self, x: &[f64], seed: u64) -> f64 {
        let noise = &mut Noise(seed);
        let mut found = vec![self.simplex(x, 0.03)];
        for size in [1e-3, 0.01, 0.03] {
            for _ in 0..4 {
                let moved = |v: &f64| v + size * (1.0 + v.abs()) * noise.normal();
                let near: Vec<f64> = x.iter().map(moved).collect();
                found.push((self.value(&near), near));
            }
        }
        self.lowest(found)
    }

    /// The lowest value that simplex searches from other places end at.
    fn lowest_elsewhere(&self, seed: u64) -> f64 {
        let starts = (0..3).map(|k| self.free_of(&parameters(self.problem, seed + k, false)));
        let found = starts.map(|start| self.simplex(&start, 1.0)).collect();
        self.lowest(found)
    }

    fn simplex(&self, start: &[f64], size: f64) -> (f64, Vec<f64>) {
        let f = |x: &[f64]| self.value(x);
        let mut at = (start.to_vec(), f64::INFINITY);
        for size in [size, 0.1 * size] {
            let steps: Vec<f64> = at.0.iter().map(|v| size * (1.0 + v.abs())).collect();
            at = nelder_mead(&f, &at.0, &steps, 120 * start.len());
        }
        (at.1, at.0)
    }

    /// Where V is nearly singular, doubles do not tell which is lower.
    fn lowest(&self, mut found: Vec<(f64, Vec<f64>)>) -> f64 {
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let exact: Vec<Double> = found[0].1.iter().map(|v| Double::from(*v)).collect();
        self.precise(&exact).map_or(f64::INFINITY, Real::to_f64)
    }

    /// The largest effect in units in which effects are as strong as the noise.
    pub fn strength(&self) -> f64 {
        let all = self.theta.concat();
        all.iter()
            .zip(&self.unit)
            .fold(1.0, |m, (v, u)| m.max((v / u).abs()))
    }
}

/// A fit, or the reason why there is none, which must be one that the data give.
pub fn fitted(problem: &Problem, seed: u64) -> Result<Fit, TestCaseError> {
    let held = problem.parts.iter().any(|p| p.free.contains(&false));
    let options = match held {
        true => problem.options_at(&parameters(problem, seed, false)),
        false => problem.options(),
    };
    match fit(&problem.design(), &options, &never(), None) {
        Ok(fit) => Ok(fit),
        Err(e) if ["perfect_fit", "degrees_of_freedom"].contains(&e.what()) => {
            Err(TestCaseError::reject(e.what()))
        }
        // as many effects as rows: searches may run to where no noise is left
        Err(Error::Numerical(message)) if is_saturated(problem) => Err(TestCaseError::reject(message)),
        Err(e) => Err(TestCaseError::fail(format!("{}: {e}", e.what()))),
    }
}

fn is_saturated(problem: &Problem) -> bool {
    let effects = |p: &Part| p.q() * problem.factors[p.factor].1;
    problem.p + problem.parts.iter().map(effects).sum::<usize>() >= problem.n()
}

/// Random effects that are stronger, relative to the noise, take all of the response: the likelihood has no maximum, or the
/// nearest that doubles can hold is far from it.
const STRONGEST: f64 = 1e4;

/// Crossed effects that are much stronger than the noise cost digits.
fn tolerance(found: &Fit, search: &Search<'_>) -> f64 {
    match found.kind {
        Kind::Grouped => 1e-8,
        Kind::Crossed { .. } => 1e-8 + 1e-15 * search.strength().powi(2),
    }
}

fn nothing_near_is_lower(plan: &Plan) -> TestCaseResult {
    let problem = plan.problem();
    let found = fitted(&problem, plan.seed)?;
    let theta = problem.packed(&found.estimates.lambda);
    prop_assert!(theta.iter().flatten().all(|v| v.is_finite()), "{theta:?}");
    let search = Search::new(&problem, &theta);
    if search.strength() > STRONGEST {
        return Err(TestCaseError::reject("next to no noise is left"));
    }
    let x = search.free_of(&theta);
    let ours = found.estimates.value.criterion;
    let precise = Model::<Double>::of(&problem);
    let at = precise.at(&reals(&theta)).expect("a positive definite V");
    let (value, digits) = (at.criterion.to_f64(), tolerance(&found, &search));
    let name = format!("criterion at {theta:?}");
    close(&name, ours, value, digits, value.abs().max(problem.n() as f64))?;
    if x.is_empty() {
        return Ok(());
    }
    let verdict = found.certificate.verdict;
    prop_assert!(
        matches!(verdict, Verdict::Optimum | Verdict::Boundary | Verdict::Flat),
        "{verdict:?} at {theta:?}: {:?}",
        found.certificate
    );
    let lowest = search.lowest_near(&x, plan.seed);
    prop_assert!(
        value <= lowest + 1e-7,
        "{value} is above {lowest}: {verdict:?} {theta:?}"
    );
    agrees(&search, &x, verdict)
}

/// The verdict against gradient and curvature of the oracle.
fn agrees(search: &Search<'_>, x: &[f64], verdict: Verdict) -> TestCaseResult {
    let (g, h) = (search.gradient(x), search.hessian(x));
    let (Some(g), Some(h)) = (g, h) else {
        return Err(TestCaseError::fail("no derivatives at the solution"));
    };
    // relative to the parameters themselves, as they may be large
    let size = |j: usize| 1.0 + x[j].abs();
    let h = Matrix::from_fn(x.len(), x.len(), |i, j| h.get(i, j) * size(i) * size(j));
    let curvature = eigenvalues(&h);
    let most = curvature.iter().fold(1.0f64, |a, b| a.max(b.abs()));
    for (j, g) in g.iter().enumerate() {
        close("gradient at the solution", g * size(j), 0.0, 1e-4, most.sqrt())?;
    }
    prop_assert!(
        curvature[0] > -1e-5 * most,
        "{verdict:?}, curvature {curvature:?}"
    );
    let singular = search.theta.concat().contains(&0.0);
    if verdict == Verdict::Boundary {
        prop_assert!(singular, "boundary at {:?}", search.theta);
    }
    if verdict == Verdict::Optimum {
        prop_assert!(curvature[0] > 0.0, "optimum, curvature {curvature:?}");
    }
    Ok(())
}

const SMALL: Range = Range {
    rows: 24,
    levels: 6,
    ..USUAL
};

#[test]
fn no_perturbation_and_no_search_nearby_is_lower() {
    check(25, plans(SMALL), |plan| nothing_near_is_lower(&plan));
}

#[test]
fn nor_in_extreme_units() {
    let range = Range {
        rows: 24,
        levels: 6,
        ..EXTREME
    };
    check(15, plans(range), |plan| nothing_near_is_lower(&plan));
}

/// No search can promise the lowest of several minima: few fits may miss it.
#[test]
fn searches_from_elsewhere_are_seldom_lower() {
    let (all, missed) = (Cell::new(0), Cell::new(0));
    // where rows are few beside the effects, other minima are those without noise
    let range = Range {
        fewest: 24,
        rows: 36,
        levels: 6,
        ..USUAL
    };
    check(8, plans(range), |plan| {
        let problem = plan.problem();
        let found = fitted(&problem, plan.seed)?;
        let search = Search::new(&problem, &problem.packed(&found.estimates.lambda));
        if search.free.is_empty() || search.strength() > STRONGEST {
            return Ok(());
        }
        all.set(all.get() + 1);
        let (ours, lowest) = (
            found.estimates.value.criterion,
            search.lowest_elsewhere(plan.seed),
        );
        if lowest < ours - 1e-6 * (1.0 + search.strength()) {
            missed.set(missed.get() + 1);
            if std::env::var_os("PROPERTIES_TELL").is_some() {
                eprintln!(
                    "{ours} {lowest} {:?} {:?}\n{plan:?}",
                    found.certificate.verdict, search.theta
                );
            }
        }
        Ok(())
    });
    let (all, missed) = (all.get(), missed.get());
    assert!(
        missed * 25 <= all,
        "{missed} of {all} fits ended in a minimum that is not the lowest"
    );
}
