//! Conditional modes and variances of the random effects at the last evaluation.
//!
//! Vignette "The algorithm": Eq. Modes.

use super::evaluate::posterior;
use super::Grouped;
use crate::engine::Engine;
use crate::error::Result;
use crate::linalg::{axpy, dot, matmul, transpose};

/// Per term the conditional modes `b`, `q x levels` column-major by code of the factor, in scaled units.
pub fn conditional_modes(engine: &Grouped<'_>) -> Vec<Vec<f64>> {
    let p = engine.reduced().p();
    let mut weights = vec![0.0; p + 1];
    weights[p] = 1.0;
    weights[..p]
        .iter_mut()
        .zip(&engine.root().beta)
        .for_each(|(w, b)| *w = -b);
    let by_level = modes_of(engine, &weights);
    by_term(engine, &by_level, false)
}

/// Per level and node the modes `Psi Z'V^-1 t` for the combination `t = [X y] weights` of the whitened columns.
pub(super) fn modes_of(engine: &Grouped<'_>, weights: &[f64]) -> Vec<Vec<f64>> {
    let reduced = engine.reduced();
    let p = reduced.p();
    let mut by_level: Vec<Vec<f64>> = Vec::new();
    for (depth, level) in reduced.levels.iter().enumerate() {
        let q = level.q;
        let mut b = vec![0.0; q * level.rows.len()];
        for node in 0..level.rows.len() {
            let m = level.rows[node] as usize;
            let block = &engine.white[depth][level.start[node]..level.start[node + 1]];
            let mut residual = vec![0.0; m];
            for (j, w) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                let c = level.width - 1 - p + j;
                axpy(*w, &block[c * m..(c + 1) * m], &mut residual);
            }
            let (mut column, mut ancestor) = (q, node);
            for above in (0..depth).rev() {
                ancestor = reduced.tree.levels[above + 1].parent[ancestor] as usize;
                let k = reduced.levels[above].q;
                for i in 0..k {
                    let effect = by_level[above][ancestor * k + i];
                    axpy(
                        -effect,
                        &block[(column + i) * m..(column + i + 1) * m],
                        &mut residual,
                    );
                }
                column += k;
            }
            for j in 0..q {
                let e = dot(&block[j * m..(j + 1) * m], &residual);
                axpy(
                    e,
                    &engine.psi[depth][j * q..(j + 1) * q],
                    &mut b[node * q..(node + 1) * q],
                );
            }
        }
        by_level.push(b);
    }
    by_level
}

/// Per term the conditional covariances of the random effects given y and beta, relative to sigma^2, `q x q x levels`
/// by code of the factor, in scaled units.
///
/// Given its ancestors, a node's effects have covariance `P` and regression `-K` on them; with `J` the joint covariance of
/// the ancestors it is `P + K J K'` in all.
///
/// # Errors
/// [`crate::Error::Numerical`].
pub fn conditional_variances(engine: &Grouped<'_>) -> Result<Vec<Vec<f64>>> {
    let reduced = engine.reduced();
    let mut by_level: Vec<Vec<f64>> = reduced
        .levels
        .iter()
        .map(|l| vec![0.0; l.q * l.q * l.rows.len()])
        .collect();
    for top in 0..reduced.levels[0].rows.len() {
        descend(engine, 0, top, &[], &mut by_level)?;
    }
    Ok(by_term(engine, &by_level, true))
}

/// Given its ancestors, the covariance P of a node's effects and the K by which they depend on those (nearest first).
pub(super) fn given_ancestors(
    engine: &Grouped<'_>,
    depth: usize,
    node: usize,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let reduced = engine.reduced();
    let level = &reduced.levels[depth];
    let (q, m) = (level.q, level.rows[node] as usize);
    let above: usize = reduced.levels[..depth].iter().map(|l| l.q).sum();
    let mut own = vec![0.0; q * q];
    if depth == reduced.tree.leaf_level() {
        let (block, m) = level.block(node);
        posterior(&block[..m * q], q, &engine.lambda[depth], &mut own)?;
    } else {
        own.copy_from_slice(&engine.posterior[depth][node * q * q..(node + 1) * q * q]);
    }
    let white = &engine.white[depth][level.start[node]..level.start[node + 1]];
    let (t, a) = (&white[..m * q], &white[m * q..m * (q + above)]);
    let u = matmul(&transpose(t, m, q), a, q, m, above);
    Ok((own, matmul(&engine.psi[depth], &u, q, q, above)))
}

/// `joint` is the covariance of all ancestors, those nearest first.
fn descend(
    engine: &Grouped<'_>,
    depth: usize,
    node: usize,
    joint: &[f64],
    by_level: &mut [Vec<f64>],
) -> Result<()> {
    let reduced = engine.reduced();
    let q = reduced.levels[depth].q;
    let above: usize = reduced.levels[..depth].iter().map(|l| l.q).sum();
    let leaf = depth == reduced.tree.leaf_level();
    let (mut own, k) = given_ancestors(engine, depth, node)?;
    let kj = matmul(&k, joint, q, above, above);
    let explained = matmul(&kj, &transpose(&k, q, above), q, above, q);
    own.iter_mut().zip(&explained).for_each(|(o, e)| *o += e);
    by_level[depth][node * q * q..(node + 1) * q * q].copy_from_slice(&own);
    if leaf {
        return Ok(());
    }
    let size = q + above;
    let mut all = vec![0.0; size * size];
    for j in 0..size {
        for i in 0..size {
            all[j * size + i] = match (i < q, j < q) {
                (true, true) => own[j * q + i],
                (true, false) => -kj[(j - q) * q + i],
                (false, true) => -kj[(i - q) * q + j],
                (false, false) => joint[(j - q) * above + i - q],
            };
        }
    }
    reduced
        .tree
        .children(depth, node)
        .try_for_each(|child| descend(engine, depth + 1, child, &all, by_level))
}

/// From vectors (or square matrices) per level and node to those of each term, by code.
pub(super) fn by_term(engine: &Grouped<'_>, by_level: &[Vec<f64>], square: bool) -> Vec<Vec<f64>> {
    let reduced = engine.reduced();
    let mut terms = vec![Vec::new(); engine.shapes.len()];
    for (depth, level) in reduced.levels.iter().enumerate() {
        for (t, offset) in &level.terms {
            let k = engine.shapes[*t].q;
            let (_, nodes) = &reduced.tree.position[engine.factors[*t]];
            let columns = if square { *offset..offset + k } else { 0..1 };
            let size = if square { level.q * level.q } else { level.q };
            for node in nodes {
                for column in columns.clone() {
                    let first = *node as usize * size + column * level.q + offset;
                    terms[*t].extend_from_slice(&by_level[depth][first..first + k]);
                }
            }
        }
    }
    terms
}
