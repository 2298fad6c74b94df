//! Conditional modes and variances of the random effects at the last evaluation.

use super::Grouped;
use crate::linalg::{axpy, dot};

/// Per term the conditional modes `b`, `q x levels` column-major by code of the factor, in scaled units.
pub fn conditional_modes(engine: &Grouped<'_>) -> Vec<Vec<f64>> {
    let reduced = engine.reduced();
    let p = reduced.p();
    let mut by_level: Vec<Vec<f64>> = Vec::new();
    for (depth, level) in reduced.levels.iter().enumerate() {
        let q = level.q;
        let mut b = vec![0.0; q * level.rows.len()];
        for node in 0..level.rows.len() {
            let m = level.rows[node] as usize;
            let block = &engine.white[depth][level.start[node]..level.start[node + 1]];
            let mut residual = block[(level.width - 1) * m..].to_vec();
            for j in 0..p {
                let c = level.width - 1 - p + j;
                axpy(-engine.root().beta[j], &block[c * m..(c + 1) * m], &mut residual);
            }
            let (mut column, mut ancestor) = (q, node);
            for above in (0..depth).rev() {
                ancestor = reduced.tree.levels[above + 1].parent[ancestor] as usize;
                let k = reduced.levels[above].q;
                for i in 0..k {
                    let effect = by_level[above][ancestor * k + i];
                    axpy(-effect, &block[(column + i) * m..(column + i + 1) * m], &mut residual);
                }
                column += k;
            }
            for j in 0..q {
                let e = dot(&block[j * m..(j + 1) * m], &residual);
                axpy(e, &engine.psi[depth][j * q..(j + 1) * q], &mut b[node * q..(node + 1) * q]);
            }
        }
        by_level.push(b);
    }
    by_term(engine, &by_level)
}

/// From values per level and node (`q` each) to values per term and code.
fn by_term(engine: &Grouped<'_>, by_level: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let reduced = engine.reduced();
    let mut terms = vec![Vec::new(); engine.shapes.len()];
    for (depth, level) in reduced.levels.iter().enumerate() {
        for (t, offset) in &level.terms {
            let k = engine.shapes[*t].q;
            let (_, nodes) = &reduced.tree.position[engine.factors[*t]];
            let value = |node: &u32| {
                let first = *node as usize * level.q + offset;
                by_level[depth][first..first + k].iter().copied()
            };
            terms[*t] = nodes.iter().flat_map(value).collect();
        }
    }
    terms
}
