//! Uncertainty of the random part of rows at the last evaluation.

use std::ops::Range;

use super::modes::{by_term, given_ancestors, modes_of};
use super::Grouped;
use crate::engine::{EffectRows, Engine};
use crate::error::{reserved, zeros, Result};
use crate::linalg::dot;

/// Rows that one thread works on at a time.
const CHUNK: usize = 8192;

/// Per term `K R^-1`, `p x q x levels` by code of the factor, in scaled units.
pub fn responses_to_fixed(engine: &Grouped<'_>) -> Result<Vec<Vec<f64>>> {
    let p = engine.reduced().p();
    let mut all = Vec::new();
    for (t, shape) in engine.shapes.iter().enumerate() {
        let levels = engine.reduced().tree.position[engine.factors[t]].1.len();
        all.push(zeros(p * shape.q * levels, "the responses to the fixed effects")?);
    }
    for (j, column) in engine.root().r_inverse.chunks_exact(p.max(1)).enumerate() {
        let modes = by_term(engine, &modes_of(engine, column), false);
        for (to, from) in all.iter_mut().zip(&modes) {
            to.iter_mut()
                .skip(j)
                .step_by(p)
                .zip(from)
                .for_each(|(t, v)| *t = *v);
        }
    }
    Ok(all)
}

/// Per row `z'Pz`. With `r` the columns of a row, those of the innermost node first: given its ancestors the node adds
/// `r'Pr`, and passes on what its effects owe to the ancestors, `r_anc - K'r`.
pub fn row_variances(engine: &Grouped<'_>, rows: &EffectRows<'_>) -> Result<Vec<f64>> {
    let reduced = engine.reduced();
    let leaf = reduced.tree.leaf_level();
    let mut conditionals = Vec::new();
    let mut above = 0;
    for (depth, level) in reduced.levels.iter().enumerate() {
        let nodes = level.rows.len();
        let mut of_level = reserved(nodes * level.q * (level.q + above), "the conditional covariances")?;
        for node in 0..nodes {
            if node % 256 == 0 {
                engine.workers.check()?;
            }
            let (own, k) = given_ancestors(engine, depth, node)?;
            of_level.extend(own);
            of_level.extend(k);
        }
        above += level.q;
        conditionals.push(of_level);
    }
    let (codes, at) = {
        let factor = reduced.tree.levels[leaf].factor;
        (rows.codes[factor], &reduced.tree.position[factor].1)
    };
    let one = |row: usize, r: &mut Vec<f64>| {
        let mut node = at[(codes[row] - 1) as usize] as usize;
        gather(engine, rows, row, r);
        let (mut sum, mut from) = (0.0, 0);
        for depth in (0..=leaf).rev() {
            let q = reduced.levels[depth].q;
            let size = q * (r.len() - from);
            let (own, k) = conditionals[depth][node * size..(node + 1) * size].split_at(q * q);
            let (head, tail) = r[from..].split_at_mut(q);
            sum += own
                .chunks_exact(q)
                .zip(head.iter())
                .map(|(c, z)| z * dot(c, head))
                .sum::<f64>();
            tail.iter_mut()
                .zip(k.chunks_exact(q))
                .for_each(|(t, k)| *t -= dot(k, head));
            from += q;
            if depth > 0 {
                node = reduced.tree.levels[depth].parent[node] as usize;
            }
        }
        sum
    };
    let starts: Vec<Range<usize>> = (0..rows.n)
        .step_by(CHUNK)
        .map(|s| s..(s + CHUNK).min(rows.n))
        .collect();
    let parts = engine.workers.map(starts, |range| {
        let mut r = Vec::new();
        Ok(range.map(|row| one(row, &mut r)).collect::<Vec<f64>>())
    })?;
    Ok(parts.concat())
}

/// The columns of a row, those of the innermost level first.
fn gather(engine: &Grouped<'_>, rows: &EffectRows<'_>, row: usize, out: &mut Vec<f64>) {
    out.clear();
    for level in engine.reduced().levels.iter().rev() {
        for (t, _) in &level.terms {
            let q = engine.shapes[*t].q;
            out.extend_from_slice(&rows.z[*t][row * q..(row + 1) * q]);
        }
    }
}
