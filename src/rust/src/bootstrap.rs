//! Bootstrap replicates, their data, and full fits of such data.

use extendr_api::prelude::*;
use mixedlm_core::bootstrap::{bootstrap, data, refit, Data, Kind, Replicate, Request};
use mixedlm_core::design::Design;
use mixedlm_core::fit::unpack;
use mixedlm_core::simulate::{Source, Truth};
use mixedlm_core::{Error, Result};

use crate::convert::{wrong, Call, Named};
use crate::results::{fit_list, matrix};
use crate::{respond, respond_with};

/// Fits of made-up data: one row per replicate.
#[extendr]
fn rs_bootstrap(problem: List, options: List) -> List {
    respond_with(&problem, &options, |call, given, session| {
        let (design, request) = (&call.design, request(call, given)?);
        let settings = &call.options;
        let replicates = session.run_counting(Some(request.count), |stop, observer| {
            bootstrap(design, settings, &request, stop, Some(observer))
        })?;
        Ok(replicate_list(design, &replicates))
    })
}

/// The data of replicates.
#[extendr]
fn rs_bootstrap_data(problem: List, options: List) -> List {
    respond_with(&problem, &options, |call, given, session| {
        let (design, request) = (&call.design, request(call, given)?);
        let most = call.options.max_memory;
        let all = session.run(|stop, _| data(design, most, &request, stop))?;
        Ok(data_list(design, &all))
    })
}

/// A fit that is found as that of a replicate is.
#[extendr]
fn rs_refit(problem: List, options: List) -> List {
    respond(&problem, &options, |call, session| {
        let (design, settings) = (&call.design, &call.options);
        let result = session.run(|stop, _| refit(design, settings, stop))?;
        fit_list(design, &result)
    })
}

fn request<'a>(call: &Call<'_>, given: &'a Named) -> Result<Request<'a>> {
    let kind = match given.text("kind")?.as_str() {
        "parametric" => Kind::Simulated(Source::Normal, truth(call, given)?),
        "residual" => Kind::Simulated(Source::Residuals, truth(call, given)?),
        "case" => Kind::Case,
        "jackknife" => Kind::Jackknife(given.count("blocks", 1)?),
        "given" => Kind::Given(
            given
                .reals("responses")?
                .ok_or_else(|| wrong("responses", "given"))?,
        ),
        other => return Err(Error::invalid("shape", format!("there is no kind \"{other}\""))),
    };
    Ok(Request {
        kind,
        // a whole number of R, of either sign
        seed: given.number("seed", 0.0)? as i64 as u64,
        first: given.count("first", 0)?,
        count: given.count("count", 0)?,
    })
}

fn truth(call: &Call<'_>, given: &Named) -> Result<Truth> {
    let design = &call.design;
    let packed = call
        .options
        .start
        .as_ref()
        .ok_or_else(|| wrong("start", "given"))?;
    let mut rest = given.reals("modes")?.unwrap_or(&[]);
    let mut modes = Vec::new();
    if !rest.is_empty() {
        for term in &design.terms {
            let levels = design.factors.get(term.factor).map_or(0, |f| f.levels);
            let len = term.columns.len() * levels;
            if rest.len() < len {
                return Err(wrong("modes", "as long as there are random effects"));
            }
            let (head, tail) = rest.split_at(len);
            modes.push(head.to_vec());
            rest = tail;
        }
    }
    Ok(Truth {
        beta: given
            .reals("beta")?
            .ok_or_else(|| wrong("beta", "given"))?
            .to_vec(),
        sigma2: given.number("sigma2", f64::NAN)?,
        lambda: unpack(design, packed)?,
        modes,
    })
}

fn replicate_list(design: &Design<'_>, replicates: &[Replicate]) -> List {
    let rows = replicates.len();
    let table = |of: &dyn Fn(&Replicate) -> &Vec<f64>, width: usize| -> Robj {
        RMatrix::new_matrix(rows, width, |i, j| of(&replicates[i])[j]).into()
    };
    let status = replicates.iter().map(|r| match &r.outcome {
        Ok(verdict) => verdict.name(),
        Err(error) => error.what(),
    });
    let message = replicates.iter().map(|r| match &r.outcome {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    });
    let packed = replicates.first().map_or(0, |r| r.theta.len());
    list!(
        status = "ok",
        beta = table(&|r| &r.beta, design.p),
        theta = table(&|r| &r.theta, packed),
        sigma2 = replicates.iter().map(|r| r.sigma2).collect::<Vec<f64>>(),
        criterion = replicates.iter().map(|r| r.criterion).collect::<Vec<f64>>(),
        outcome = status.collect::<Vec<_>>(),
        message = message.collect::<Vec<_>>()
    )
}

fn data_list(design: &Design<'_>, all: &[Data]) -> List {
    let groups: Vec<List> = all
        .iter()
        .filter_map(|d| match d {
            Data::Response(_) => None,
            Data::Groups(drawn) => Some(list!(
                rows = drawn.rows.iter().map(|r| *r as i32 + 1).collect::<Vec<i32>>(),
                codes = List::from_values(drawn.codes.iter().map(|c| c.to_vec()))
            )),
        })
        .collect();
    if !groups.is_empty() {
        return list!(status = "ok", groups = List::from_values(groups));
    }
    let mut responses: Vec<f64> = Vec::with_capacity(all.len() * design.n());
    for d in all {
        if let Data::Response(y) = d {
            responses.extend_from_slice(y);
        }
    }
    list!(
        status = "ok",
        responses = matrix(&responses, design.n(), all.len())
    )
}

extendr_module! {
    mod bootstrap;
    fn rs_bootstrap;
    fn rs_bootstrap_data;
    fn rs_refit;
}
