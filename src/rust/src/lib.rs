//! The binding: the only code that knows R.
//!
//! R hands over a problem and options as lists whose shapes were checked there; here they are checked once more and
//! turned into borrowed slices. Every function returns a list with an element `status`: R turns what is not `"ok"`
//! into a classed condition. Errors never travel as R errors raised from Rust.

// the macros of extendr generate functions without documentation
#![allow(missing_docs)]

mod bootstrap;
mod clusters;
mod convert;
mod deletion;
mod desk;
mod penalties;
mod prompt;
mod results;
mod session;

use extendr_api::prelude::*;
use mixedlm_core::conditional::conditional;
use mixedlm_core::fit::{evaluate, fit, profile, variances};
use mixedlm_core::inference::inference;
use mixedlm_core::prediction::prediction;
use mixedlm_core::profile::profiles;
use mixedlm_core::robust::{robust, Adjustment, Extent};

use clusters::{conditional_list, prediction_list, robust_list};
use convert::{Call, Held};
use results::{evaluation_list, fit_list, inference_list, profile_list, profiles_list, variance_list};

/// Fit a model.
#[extendr]
fn rs_fit(problem: List, options: List) -> List {
    respond(&problem, &options, |call, session| {
        let design = &call.design;
        let result = session.run(|stop, observer| fit(design, &call.options, stop, Some(observer)))?;
        fit_list(design, &result)
    })
}

/// Fit a model once per value of one relative variance that is held there.
#[extendr]
fn rs_profile(problem: List, options: List) -> List {
    respond(&problem, &options, |call, session| {
        let (design, target) = (&call.design, call.profile()?);
        let points =
            session.run(|stop, observer| profile(design, &call.options, &target, stop, Some(observer)))?;
        Ok(profile_list(&points))
    })
}

/// Likelihood profiles of standard deviations, correlations and fixed effects.
#[extendr]
fn rs_profiles(problem: List, options: List) -> List {
    respond(&problem, &options, |call, session| {
        let (design, request) = (&call.design, call.profiles()?);
        let result =
            session.run(|stop, observer| profiles(design, &call.options, &request, stop, Some(observer)))?;
        Ok(profiles_list(&result))
    })
}

/// The criterion and its derivatives at given parameters.
#[extendr]
fn rs_evaluate(problem: List, options: List) -> List {
    respond(&problem, &options, |call, session| {
        let design = &call.design;
        let result = session.run(|stop, _| evaluate(design, &call.options, stop))?;
        Ok(evaluation_list(&result))
    })
}

/// Conditional covariances of the random effects at given parameters.
#[extendr]
fn rs_variances(problem: List, options: List) -> List {
    respond(&problem, &options, |call, session| {
        let design = &call.design;
        let result = session.run(|stop, _| variances(design, &call.options, stop))?;
        Ok(variance_list(design, &result))
    })
}

/// What tests of fixed effects need, at given parameters.
#[extendr]
fn rs_inference(problem: List, options: List) -> List {
    respond(&problem, &options, |call, session| {
        let (design, adjusted) = (&call.design, call.adjusted);
        let result = session.run(|stop, _| inference(design, &call.options, adjusted, stop))?;
        Ok(inference_list(&result))
    })
}

/// What clusters, the levels of the last factor, contribute to the covariance of the fixed effects.
#[extendr]
fn rs_robust(problem: List, options: List, adjustment: &str, moments: bool) -> List {
    respond(&problem, &options, |call, session| {
        let design = &call.design;
        let cluster = design.factors.len().saturating_sub(1);
        let adjustment = Adjustment::parse(adjustment)?;
        let extent = if moments { Extent::Moments } else { Extent::Scores };
        let result =
            session.run(|stop, _| robust(design, cluster, adjustment, extent, &call.options, stop))?;
        Ok(robust_list(design.p, &result))
    })
}

/// Standard errors of prediction for every row.
#[extendr]
fn rs_prediction(problem: List, options: List) -> List {
    respond(&problem, &options, |call, session| {
        let design = &call.design;
        let result = session.run(|stop, _| prediction(design, &call.options, stop))?;
        Ok(prediction_list(result))
    })
}

/// The random effects given the fixed ones, and their uncertainty for the rows after the first `skip`.
#[extendr]
fn rs_conditional(problem: List, options: List, skip: i32) -> List {
    respond(&problem, &options, |call, session| {
        let design = &call.design;
        let skip = usize::try_from(skip).map_err(|_| convert::wrong("skip", "a count"))?;
        let result = session.run(|stop, _| conditional(design, &call.options, skip, stop))?;
        Ok(conditional_list(design, result))
    })
}

/// The number of cores that this process may use, 1 where that is not known.
#[extendr]
fn rs_cores() -> i32 {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(1024) as i32)
}

/// Convert, run, and say how it went.
fn respond(
    problem: &List,
    options: &List,
    work: impl FnOnce(&Call<'_>, &session::Session) -> mixedlm_core::Result<List>,
) -> List {
    respond_with(problem, options, |call, _, session| work(call, session))
}

/// As [`respond`], for work that reads options of its own.
fn respond_with(
    problem: &List,
    options: &List,
    work: impl FnOnce(&Call<'_>, &convert::Named, &session::Session) -> mixedlm_core::Result<List>,
) -> List {
    let held = Held::new(problem, options);
    let result = held.call().and_then(|call| {
        let session = session::Session::new(held.wants_progress());
        work(&call, held.given(), &session)
    });
    match result {
        Ok(list) => list,
        Err(error) => list!(status = error.what(), message = error.to_string()),
    }
}

extendr_module! {
    mod mixedlm;
    use bootstrap;
    use deletion;
    use penalties;
    fn rs_fit;
    fn rs_profile;
    fn rs_profiles;
    fn rs_evaluate;
    fn rs_variances;
    fn rs_inference;
    fn rs_robust;
    fn rs_prediction;
    fn rs_conditional;
    fn rs_cores;
}
