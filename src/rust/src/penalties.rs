//! Penalised fits.

use extendr_api::prelude::*;
use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::Term;
use mixedlm_core::penalized::covariance::Covariance;
use mixedlm_core::penalized::fixed::Fixed;
use mixedlm_core::penalized::lasso::{Quadratic, Weights};
use mixedlm_core::penalized::{fit_penalised, Penalty};
use mixedlm_core::{Error, Result};

use crate::convert::{wrong, Call, Named};
use crate::desk::Desk;
use crate::respond_with;
use crate::results::{fit_list, matrix};

/// Fit a model under the penalties in `options$penalty`: `fixed`, a list of `l1` and `l2` (one number for each column of X)
/// or `TRUE` for a function; `covariance`, a list with an element for each term: `NULL`, a list of `log_det`, `trace`
/// and `rate`, or `TRUE`; `ask`, the function that answers for what is `TRUE`: number 0 for the fixed effects, else that of
/// the term.
#[extendr]
fn rs_fit_penalised(problem: List, options: List) -> List {
    respond_with(&problem, &options, |call, given, session| {
        let given = given.find("penalty").and_then(|v| v.as_list());
        let given = Named::new(&given.ok_or_else(|| wrong("penalty", "a list"))?);
        let function = given.find("ask").and_then(|f| f.as_function());
        let desk = function.as_ref().map(Desk::new);
        let penalty = penalty(call, &given, desk.as_ref())?;
        let design = &call.design;
        let result = session.run_answering(None, desk.as_ref(), |stop, observer| {
            fit_penalised(design, &call.options, penalty, stop, Some(observer))
        })?;
        let list = fit_list(design, &result.fit)?;
        let mut named: Vec<(String, Robj)> = list.iter().map(|(k, v)| (k.to_string(), v)).collect();
        named.push(("penalty".to_string(), result.penalty.into()));
        Ok(List::from_pairs(named))
    })
}

/// Minimise `(beta - b)'A(beta - b) + sum l1 |beta| + sum l2 beta^2` for each column of `l1` and `l2`, one after the other.
#[extendr]
fn rs_shrink(a: &[f64], centre: &[f64], l1: &[f64], l2: &[f64]) -> List {
    match shrink(a, centre, l1, l2) {
        Ok(beta) => {
            let p = centre.len();
            list!(status = "ok", beta = matrix(&beta, p, beta.len() / p.max(1)))
        }
        Err(error) => list!(status = error.what(), message = error.to_string()),
    }
}

fn shrink(a: &[f64], centre: &[f64], l1: &[f64], l2: &[f64]) -> Result<Vec<f64>> {
    let p = centre.len();
    if p == 0 || a.len() != p * p || l1.len() != l2.len() || l1.len() % p != 0 {
        return Err(wrong("l1", "one weight per coefficient"));
    }
    let quadratic = Quadratic {
        a: a.to_vec(),
        centre: centre.to_vec(),
    };
    let (mut all, mut beta) = (Vec::new(), centre.to_vec());
    for (l1, l2) in l1.chunks_exact(p).zip(l2.chunks_exact(p)) {
        let weights = Weights {
            l1: l1.to_vec(),
            l2: l2.to_vec(),
        };
        beta = quadratic.penalised(&weights, &beta)?;
        all.extend_from_slice(&beta);
    }
    Ok(all)
}

fn penalty(call: &Call<'_>, given: &Named, desk: Option<&Desk<'_>>) -> Result<Penalty> {
    let asked = |number: usize| {
        let desk = desk.ok_or_else(|| wrong("ask", "a function"))?;
        Ok::<_, Error>(desk.penalty(number))
    };
    let fixed = match given.find("fixed") {
        None => None,
        Some(v) if v.is_list() => Some(Fixed::Separable(weights(v, call.design.p)?)),
        Some(_) => Some(Fixed::Smooth(asked(0)?)),
    };
    let terms = given.find("covariance").and_then(|v| v.as_list());
    let terms: Vec<Robj> = terms.map(|l| l.values().collect()).unwrap_or_default();
    let mut covariance = Vec::new();
    for (t, term) in call.design.terms.iter().enumerate() {
        covariance.push(match terms.get(t) {
            None => Covariance::Free,
            Some(v) if v.is_null() => Covariance::Free,
            Some(v) if v.is_list() => density(v, term)?,
            Some(_) => Covariance::Smooth(asked(t + 1)?),
        });
    }
    Ok(Penalty { fixed, covariance })
}

fn named(v: &Robj) -> Result<Named> {
    let list = v.as_list().ok_or_else(|| wrong("penalty", "a list"))?;
    Ok(Named::new(&list))
}

fn weights(v: &Robj, p: usize) -> Result<Weights> {
    let given = named(v)?;
    let of = |name: &'static str| -> Result<Vec<f64>> {
        let values = given.reals(name)?.unwrap_or(&[]);
        match values.len() == p && values.iter().all(|w| w.is_finite() && *w >= 0.0) {
            true => Ok(values.to_vec()),
            false => Err(wrong(name, "one weight per column of X")),
        }
    };
    Ok(Weights {
        l1: of("l1")?,
        l2: of("l2")?,
    })
}

fn density(v: &Robj, term: &Term<'_>) -> Result<Covariance> {
    let given = named(v)?;
    let size = match term.structure {
        Structure::Scalar => 1,
        _ => term.columns.len(),
    };
    let trace = given.reals("trace")?.unwrap_or(&[]).to_vec();
    if trace.len() != size * size {
        return Err(wrong("trace", "a square matrix"));
    }
    Ok(Covariance::Density {
        log_det: given.number("log_det", 0.0)?,
        trace,
        rate: given.number("rate", 0.0)?,
    })
}

extendr_module! {
    mod penalties;
    fn rs_fit_penalised;
    fn rs_shrink;
}
