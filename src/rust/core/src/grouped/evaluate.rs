//! Upwards: from the reduced blocks to beta, `r2` and the determinants.
//!
//! Vignette "The algorithm": Eq. Evaluation.

use std::ops::Range;

use super::Grouped;
use crate::criterion::Value;
use crate::engine::Root;
use crate::error::{reserved, Error, Result};
use crate::linalg::{dot, invert_upper, root_of_sum, solve_lower, TriangleAccumulator};
use crate::parallel::Workers;
use crate::reduction::Reduced;

/// The mutable part of the workspace that belongs to one chunk: per level the whitened blocks and posteriors.
struct Share<'a> {
    range: Range<usize>,
    white: Vec<&'a mut [f64]>,
    posterior: Vec<&'a mut [f64]>,
}

/// Cut a vector at the given ends.
fn split(mut rest: &mut [f64], ends: impl Iterator<Item = usize>) -> Vec<&mut [f64]> {
    let (mut parts, mut done) = (Vec::new(), 0);
    for end in ends {
        let (head, tail) = rest.split_at_mut(end - done);
        parts.push(head);
        rest = tail;
        done = end;
    }
    parts
}

/// The workspace cut into chunks of outermost nodes.
fn shares<'a>(
    reduced: &Reduced,
    white: &'a mut [Vec<f64>],
    posterior: &'a mut [Vec<f64>],
    chunks: &[Range<usize>],
) -> Vec<Share<'a>> {
    let mut shares: Vec<Share<'_>> = chunks
        .iter()
        .map(|range| Share {
            range: range.clone(),
            white: Vec::new(),
            posterior: Vec::new(),
        })
        .collect();
    for (depth, (white, posterior)) in white.iter_mut().zip(posterior).enumerate() {
        let level = &reduced.levels[depth];
        let end = |r: &Range<usize>| reduced.tree.below(r, depth).end;
        let (ends, size) = (chunks.iter().map(end), level.q * level.q);
        let parts = split(white, ends.clone().map(|e| level.start[e]));
        let size = if posterior.is_empty() { 0 } else { size };
        let posteriors = split(posterior, ends.map(|e| e * size));
        for ((share, w), p) in shares.iter_mut().zip(parts).zip(posteriors) {
            share.white.push(w);
            share.posterior.push(p);
        }
    }
    shares
}

impl Grouped<'_> {
    /// Per outermost node the triangle of `[X y]` that it brings to the root at the factors `lambda`, without what is
    /// orthogonal to all random effects: `(p+1) x (p+1)`, one after the other.
    ///
    /// # Errors
    /// As [`crate::criterion::Criterion::value`]; [`Error::InvalidInput`] (`"memory"`).
    pub fn node_triangles(&mut self, lambda: &[Vec<f64>]) -> Result<Vec<f64>> {
        self.set_lambda(lambda)?;
        let (reduced, d) = (&self.reduced, self.reduced.p() + 1);
        let nodes = reduced.tree.levels[0].nodes();
        let each: Vec<Range<usize>> = (0..nodes).map(|g| g..g + 1).collect();
        let shares = shares(reduced, &mut self.white, &mut self.posterior, &each);
        let (lambda, workers) = (&self.lambda, self.workers);
        let triangles = workers.map(shares, |share| {
            Ok(Up::run(reduced, lambda, share, workers)?.root.triangle().to_vec())
        })?;
        let mut all = reserved(nodes * d * d, "the triangles of all groups")?;
        triangles.iter().for_each(|t| all.extend_from_slice(t));
        Ok(all)
    }

    pub(super) fn evaluate(&mut self) -> Result<Value> {
        let reduced = &self.reduced;
        let shares = shares(reduced, &mut self.white, &mut self.posterior, &reduced.chunks);
        let (lambda, workers) = (&self.lambda, self.workers);
        let pieces = workers.map(shares, |share| Up::run(reduced, lambda, share, workers))?;
        for (depth, sum) in self.incoming.iter_mut().enumerate() {
            sum.fill(0.0);
            for piece in &pieces {
                sum.iter_mut()
                    .zip(&piece.incoming[depth])
                    .for_each(|(s, v)| *s += v);
            }
        }
        self.close(pieces)
    }

    /// Solve at the root.
    fn close(&mut self, pieces: Vec<Piece>) -> Result<Value> {
        let p = self.reduced.p();
        let d = p + 1;
        let mut acc = TriangleAccumulator::from_triangle(&self.reduced.root, d);
        let mut logdet_v = 0.0;
        for mut piece in pieces {
            logdet_v += piece.logdet;
            acc.merge(&mut piece.root);
        }
        let tri = acc.triangle();
        let Some(r_inverse) = invert_upper(tri, d, p) else {
            return Err(Error::Numerical(
                "X'V^-1X is singular at these variances".to_string(),
            ));
        };
        let beta = (0..p)
            .map(|i| (i..p).map(|k| r_inverse[k * p + i] * tri[p * d + k]).sum())
            .collect();
        let r2 = tri[p * d + p] * tri[p * d + p];
        let logdet_xvx = 2.0 * (0..p).map(|j| tri[j * d + j].abs().ln()).sum::<f64>();
        self.root = Root { beta, r_inverse, r2 };
        let frame = &self.reduced.frame;
        let value = Value {
            criterion: frame.criterion(self.estimation, r2, logdet_v, logdet_xvx),
            r2,
            logdet_v,
            logdet_xvx,
        };
        self.apply_fixed();
        Ok(value)
    }

    /// Put the fixed effects that are held in place of the estimated ones: `r2 + |R (beta - held)|^2`.
    pub(super) fn apply_fixed(&mut self) {
        if let Some(fixed) = &self.fixed {
            let p = fixed.len();
            let mut difference: Vec<f64> = self.root.beta.iter().zip(fixed).map(|(b, f)| b - f).collect();
            // R d from R^-1 (R d) = d
            for i in (0..p).rev() {
                for k in i + 1..p {
                    difference[i] -= self.root.r_inverse[k * p + i] * difference[k];
                }
                difference[i] /= self.root.r_inverse[i * p + i];
            }
            self.root.r2 += dot(&difference, &difference);
            self.root.beta.clone_from(fixed);
        }
    }
}

/// What a chunk hands to the root.
struct Piece {
    logdet: f64,
    root: TriangleAccumulator,
    /// Per inner level the sum of `R'R` over its nodes.
    incoming: Vec<Vec<f64>>,
}

/// The walk upwards over one chunk.
struct Up<'a, 'b> {
    reduced: &'a Reduced,
    lambda: &'a [Vec<f64>],
    workers: &'a Workers<'a>,
    share: Share<'b>,
    /// Per level where the share's blocks and nodes start.
    first: Vec<(usize, usize)>,
    /// Per inner level the rows that the current node has received; the root's at the end.
    received: Vec<TriangleAccumulator>,
    logdet: f64,
    incoming: Vec<Vec<f64>>,
    scratch: Vec<f64>,
}

impl<'a, 'b> Up<'a, 'b> {
    fn run(
        reduced: &'a Reduced,
        lambda: &'a [Vec<f64>],
        share: Share<'b>,
        workers: &'a Workers<'a>,
    ) -> Result<Piece> {
        let leaf = reduced.tree.leaf_level();
        let first = (0..=leaf)
            .map(|l| {
                let node = reduced.tree.below(&share.range, l).start;
                (reduced.levels[l].start[node], node)
            })
            .collect();
        let inner = reduced.levels[..leaf].iter();
        let mut received: Vec<TriangleAccumulator> =
            inner.map(|l| TriangleAccumulator::new(l.width)).collect();
        received.push(TriangleAccumulator::new(reduced.p() + 1));
        let mut up = Up {
            reduced,
            lambda,
            workers,
            share,
            first,
            received,
            logdet: 0.0,
            incoming: reduced.levels[..leaf]
                .iter()
                .map(|l| vec![0.0; l.q * l.q])
                .collect(),
            scratch: Vec::new(),
        };
        for node in up.share.range.clone() {
            up.subtree(0, node)?;
        }
        let root = up
            .received
            .pop()
            .ok_or_else(|| Error::Bug("no root".to_string()))?;
        Ok(Piece {
            logdet: up.logdet,
            root,
            incoming: up.incoming,
        })
    }

    fn subtree(&mut self, depth: usize, node: usize) -> Result<()> {
        self.workers.check()?;
        let reduced = self.reduced;
        let level = &reduced.levels[depth];
        let (block, m) = level.block(node);
        if depth == reduced.tree.leaf_level() {
            self.whiten(depth, node, block, m)?;
            return Ok(());
        }
        self.received[depth].reset();
        self.received[depth].push(block, m, 0, m, 0);
        for child in reduced.tree.children(depth, node) {
            self.subtree(depth + 1, child)?;
        }
        let (q, width) = (level.q, level.width);
        let tri = self.received[depth].triangle().to_vec();
        let target = self.receiver(depth);
        self.received[target].push(&tri, width, q, width - q, q);
        let own: Vec<f64> = tri
            .chunks_exact(width)
            .flat_map(|c| c[..q].iter().copied())
            .collect();
        for (j, b) in own[..q * q].chunks_exact(q).enumerate() {
            for (i, a) in own[..q * q].chunks_exact(q).enumerate() {
                self.incoming[depth][j * q + i] += dot(a, b);
            }
        }
        let at = (node - self.first[depth].1) * q * q;
        posterior(
            &own[..q * q],
            q,
            &self.lambda[depth],
            &mut self.share.posterior[depth][at..at + q * q],
        )?;
        self.whiten(depth, node, &own, q)
    }

    /// Where the rows that a node of a level passes on are collected.
    fn receiver(&self, depth: usize) -> usize {
        match depth {
            0 => self.received.len() - 1,
            _ => depth - 1,
        }
    }

    /// `[T | A] = C^-1 [R | B]` with `C C' = I + R Psi R'`; the rows `A` go to the level above.
    fn whiten(&mut self, depth: usize, node: usize, block: &[f64], m: usize) -> Result<()> {
        let level = &self.reduced.levels[depth];
        let (q, width) = (level.q, level.width);
        let target = self.receiver(depth);
        let scratch = &mut self.scratch;
        scratch.clear();
        scratch.resize(m * q + m * m + (m + q) * m, 0.0);
        let (rl, s) = scratch.split_at_mut(m * q);
        right_multiply(block, m, q, &self.lambda[depth], rl);
        root_of_sum(m, q, |i, k| rl[k * m + i], s);
        let (c, _) = s.split_at(m * m);
        let logdet = (0..m).map(|i| c[i * m + i].abs().ln()).sum::<f64>();
        if !logdet.is_finite() {
            return Err(Error::Numerical(
                "I + R Psi R' is not finite at these variances".to_string(),
            ));
        }
        self.logdet += 2.0 * logdet;
        let at = level.start[node] - self.first[depth].0;
        let out = &mut self.share.white[depth][at..at + m * width];
        out.copy_from_slice(block);
        solve_lower(c, m, out, width);
        self.received[target].push(out, m, 0, m, q);
        Ok(())
    }
}

/// `R Lambda` for a lower-triangular Lambda.
fn right_multiply(r: &[f64], m: usize, q: usize, lambda: &[f64], out: &mut [f64]) {
    for j in 0..q {
        let column = &mut out[j * m..(j + 1) * m];
        for i in j..q {
            let l = lambda[j * q + i];
            if l != 0.0 {
                crate::linalg::axpy(l, &r[i * m..(i + 1) * m], column);
            }
        }
    }
}

/// `P = Lambda (I + Lambda' R'R Lambda)^-1 Lambda'`.
pub(super) fn posterior(r: &[f64], q: usize, lambda: &[f64], out: &mut [f64]) -> Result<()> {
    let m = r.len() / q.max(1);
    let mut rl = vec![0.0; m * q];
    right_multiply(r, m, q, lambda, &mut rl);
    let mut s = vec![0.0; q * q + (m + q) * q];
    root_of_sum(q, m, |j, i| rl[j * m + i], &mut s);
    if s[..q * q].iter().any(|v| !v.is_finite()) {
        return Err(Error::Numerical(
            "I + Lambda'R'R Lambda is not finite at these variances".to_string(),
        ));
    }
    let mut y = crate::linalg::transpose(lambda, q, q);
    solve_lower(&s[..q * q], q, &mut y, q);
    for j in 0..q {
        for i in 0..q {
            out[j * q + i] = crate::linalg::dot(&y[i * q..(i + 1) * q], &y[j * q..(j + 1) * q]);
        }
    }
    Ok(())
}
