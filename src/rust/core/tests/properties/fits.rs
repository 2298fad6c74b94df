//! Whole fits: nothing lower can be found, and the verdict is that of the oracle's own derivatives.

use mixedlm_core::verdict::Verdict;
use mixedlm_core::{fit, Fit};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::oracle::dense::{eigenvalues, Matrix};
use crate::oracle::differences::{gradient, hessian};
use crate::oracle::minimise::nelder_mead;
use crate::oracle::model::{reals, Model};
use crate::oracle::problem::Problem;
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
    pub fn from_theta(&self, theta: &[Vec<f64>]) -> Vec<f64> {
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

    /// The lowest value near a place and from other starts.
    fn lowest(&self, x: &[f64], seed: u64) -> f64 {
        let noise = &mut Noise(seed);
        let mut lowest = f64::INFINITY;
        for size in [1e-3, 0.03, 0.3, 1.0, 10.0] {
            for _ in 0..4 {
                let near: Vec<f64> = x
                    .iter()
                    .map(|v| v + size * (1.0 + v.abs()) * noise.normal())
                    .collect();
                lowest = lowest.min(self.value(&near));
            }
        }
        let other = self.from_theta(&parameters(self.problem, seed, false));
        for (start, size) in [(x, 0.1), (&other, 1.0)] {
            let steps: Vec<f64> = start.iter().map(|v| size * (1.0 + v.abs())).collect();
            let (at, _) = nelder_mead(&|x| self.value(x), start, &steps, 150 * x.len());
            let again: Vec<f64> = at.iter().map(|v| 0.1 * (1.0 + v.abs())).collect();
            lowest = lowest.min(nelder_mead(&|x| self.value(x), &at, &again, 100 * x.len()).1);
        }
        lowest
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
        Err(e) => Err(TestCaseError::fail(format!("{}: {e}", e.what()))),
    }
}

fn nothing_is_lower(plan: &Plan) -> TestCaseResult {
    let problem = plan.problem();
    let found = fitted(&problem, plan.seed)?;
    let theta = problem.packed(&found.estimates.lambda);
    let search = Search::new(&problem, &theta);
    let x = search.from_theta(&theta);
    let ours = found.estimates.value.criterion;
    let precise = Model::<Double>::of(&problem);
    let at = precise.at(&reals(&theta)).expect("a positive definite V");
    close(
        "criterion",
        ours,
        at.criterion.to_f64(),
        1e-8,
        ours.abs().max(problem.n() as f64),
    )?;
    if x.is_empty() {
        return Ok(());
    }
    let verdict = found.certificate.verdict;
    prop_assert!(
        matches!(verdict, Verdict::Optimum | Verdict::Boundary | Verdict::Flat),
        "{verdict:?}: {:?}",
        found.certificate
    );
    let lowest = search.lowest(&x, plan.seed);
    prop_assert!(
        ours <= lowest + 1e-7,
        "{ours} is above {lowest}: {verdict:?} {theta:?}"
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
fn no_perturbation_and_no_other_search_is_lower() {
    check(25, plans(SMALL), |plan| nothing_is_lower(&plan));
}

#[test]
fn nor_in_extreme_units() {
    let range = Range {
        rows: 24,
        levels: 6,
        ..EXTREME
    };
    check(15, plans(range), |plan| nothing_is_lower(&plan));
}
