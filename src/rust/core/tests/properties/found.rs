//! What the properties found, a plain test each.

use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::Estimation;
use mixedlm_core::fit;
use mixedlm_core::verdict::Verdict;

use crate::oracle::model::{reals, Model};
use crate::oracle::problem::{Part, Problem, Slope};
use crate::oracle::random::{Content, FactorPlan, Meeting, Plan, TermPlan};
use crate::oracle::real::{Double, Real};
use crate::runs::never;

/// Rows of a random intercept.
fn intercepts(y: Vec<f64>, x: Vec<f64>, codes: Vec<i32>, levels: usize) -> Problem {
    Problem {
        p: x.len() / y.len(),
        y,
        x,
        weights: None,
        offset: None,
        parts: vec![Part {
            factor: 0,
            columns: vec![Slope::One],
            structure: Structure::Unstructured,
            free: Vec::new(),
        }],
        factors: vec![(codes, levels)],
        estimation: Estimation::Ml,
    }
}

/// Columns that depend on each other made directions of rounding, which grew to 1e15: the criterion was wrong in the first
/// digits, and the certificate said "boundary".
#[test]
fn dependent_columns_of_a_term_are_flat_and_the_criterion_is_right() {
    use Content::{Indicator, One, Trend};
    for seed in 0..12 {
        let plan = Plan {
            seed,
            rows: 20,
            fixed: vec![(Trend, 0)],
            factors: vec![FactorPlan {
                meeting: Meeting::Anywhere,
                levels: 1,
            }],
            terms: vec![TermPlan {
                factor: 0,
                columns: vec![(One, 0), (Indicator, 0), (Indicator, 0)],
                structure: Structure::Unstructured,
                held: 0,
                strength: 1.0,
            }],
            weights: None,
            offset: false,
            reml: true,
            response: (0, 10.0),
        };
        let problem = plan.problem();
        let found = fit(&problem.design(), &problem.options(), &never(), None).unwrap();
        assert_eq!(found.certificate.verdict, Verdict::Flat, "{seed}");
        let theta = problem.packed(&found.estimates.lambda);
        let model = Model::<Double>::of(&problem);
        let value = model.criterion(&reals(&theta)).unwrap().to_f64();
        let ours = found.estimates.value.criterion;
        assert!((ours - value).abs() < 1e-9, "{seed}: {ours} {value}");
    }
}

#[test]
fn a_count_of_levels_beyond_all_numbers_is_refused() {
    let mut problem = intercepts(vec![1.0, 2.0, 4.0, 3.0], vec![1.0; 4], vec![1, 1, 2, 2], 2);
    problem.parts[0].columns.push(Slope::One);
    problem.factors[0].1 = usize::MAX;
    let error = fit(&problem.design(), &problem.options(), &never(), None).unwrap_err();
    assert_eq!(error.what(), "factors");
}

#[test]
fn a_covariance_beyond_all_numbers_is_refused() {
    let y = vec![1.0, 2.5, 4.0, 3.0, 2.0, 7.0];
    let x = [1.0, 2.0, 3.0, 1.0, 5.0, 2.0].map(|v| v * 1e-300);
    let problem = intercepts(y, x.to_vec(), vec![1, 1, 2, 2, 3, 3], 3);
    let error = fit(&problem.design(), &problem.options(), &never(), None).unwrap_err();
    assert_eq!(error.what(), "scale");
}
