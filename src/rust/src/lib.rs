//! The binding: the only code that knows R.
//!
//! R hands over a problem and options as lists whose shapes were checked there; here they are checked once more and
//! turned into borrowed slices. Every function returns a list with an element `status`: R turns what is not `"ok"`
//! into a classed condition. Errors never travel as R errors raised from Rust.

// the macros of extendr generate functions without documentation
#![allow(missing_docs)]

mod convert;
mod results;
mod session;

use extendr_api::prelude::*;
use mixedlm_core::fit::{evaluate, fit, profile, variances};
use mixedlm_core::inference::inference;

use convert::{Call, Held};
use results::{evaluation_list, fit_list, inference_list, profile_list, variance_list};

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

/// Convert, run, and say how it went.
fn respond(
    problem: &List,
    options: &List,
    work: impl FnOnce(&Call<'_>, &session::Session) -> mixedlm_core::Result<List>,
) -> List {
    let held = Held::new(problem, options);
    let result = held.call().and_then(|call| {
        let session = session::Session::new(held.wants_progress());
        work(&call, &session)
    });
    match result {
        Ok(list) => list,
        Err(error) => list!(status = error.what(), message = error.to_string()),
    }
}

extendr_module! {
    mod mixedlm;
    fn rs_fit;
    fn rs_profile;
    fn rs_evaluate;
    fn rs_variances;
    fn rs_inference;
}
