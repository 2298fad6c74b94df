//! Estimates without clusters of rows, and whitened residuals.

use extendr_api::prelude::*;
use mixedlm_core::deletion::{deletion, Deleted, Method, Request};
use mixedlm_core::design::Design;
use mixedlm_core::whitening::whiten;

use crate::convert::wrong;
use crate::respond_with;

/// The estimates without each cluster of rows in turn.
#[extendr]
fn rs_deletion(problem: List, options: List) -> List {
    respond_with(&problem, &options, |call, given, session| {
        let design = &call.design;
        let request = Request {
            clusters: given
                .integers("clusters")?
                .ok_or_else(|| wrong("clusters", "given"))?,
            count: given.count("count", 0)?,
            method: Method::parse(&given.text("deletion")?)?,
        };
        let all = session.run_counting(Some(request.count), |stop, observer| {
            deletion(design, &call.options, &request, stop, Some(observer))
        })?;
        Ok(deletion_list(design, &all))
    })
}

/// Marginal residuals, whitened, relative to sigma.
#[extendr]
fn rs_whiten(problem: List, options: List) -> List {
    respond_with(&problem, &options, |call, given, session| {
        let design = &call.design;
        let residuals = given
            .reals("residuals")?
            .ok_or_else(|| wrong("residuals", "given"))?;
        let values = session.run(|stop, _| whiten(design, residuals, &call.options, stop))?;
        Ok(list!(status = "ok", residuals = values))
    })
}

fn deletion_list(design: &Design<'_>, all: &[Deleted]) -> List {
    let (rows, p) = (all.len(), design.p);
    let table = |of: &dyn Fn(&Deleted) -> &Vec<f64>, width: usize| -> Robj {
        RMatrix::new_matrix(rows, width, |i, j| of(&all[i])[j]).into()
    };
    let outcome = all.iter().map(|d| match &d.outcome {
        Ok(Some(verdict)) => verdict.name(),
        Ok(None) => "ok",
        Err(error) => error.what(),
    });
    let message = all.iter().map(|d| match &d.outcome {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    });
    let packed = all.first().map_or(0, |d| d.theta.len());
    list!(
        status = "ok",
        beta = table(&|d| &d.beta, p),
        covariance = RMatrix3D::new_matrix3d(p, p, rows, |i, j, k| all[k].covariance[j * p + i]),
        theta = table(&|d| &d.theta, packed),
        sigma2 = all.iter().map(|d| d.sigma2).collect::<Vec<f64>>(),
        evaluations = all.iter().map(|d| d.evaluations as i32).collect::<Vec<i32>>(),
        outcome = outcome.collect::<Vec<_>>(),
        message = message.collect::<Vec<_>>()
    )
}

extendr_module! {
    mod deletion;
    fn rs_deletion;
    fn rs_whiten;
}
