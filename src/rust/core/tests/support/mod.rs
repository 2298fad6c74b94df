//! Made-up data and a dense oracle that shares nothing with the engine but the definition of the model.
#![allow(clippy::unwrap_used, dead_code)]

use std::sync::atomic::AtomicBool;

use faer::prelude::Solve;
use faer::{Mat, Side};
use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::{Column, Design, Estimation, Factor, Term};
use mixedlm_core::engine::Engine;
use mixedlm_core::Options;

pub mod models;

/// How the levels of a factor that is not nested meet the rows.
#[derive(Debug, Clone, Copy)]
pub enum Meeting {
    /// Any row may have any level.
    Anywhere,
    /// Neighbouring rows have neighbouring levels.
    Nearby,
}

/// Nested factors (levels from the outside in) and others, terms `(factor, columns, structure)`, rows, columns of X.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    pub levels: Vec<usize>,
    pub others: Vec<(usize, Meeting)>,
    pub terms: Vec<(usize, usize, Structure)>,
    pub rows: usize,
    pub p: usize,
}

impl Shape {
    fn all_levels(&self) -> Vec<usize> {
        let others = self.others.iter().map(|o| o.0);
        self.levels.iter().copied().chain(others).collect()
    }
}

pub struct Data {
    shape: Shape,
    y: Vec<f64>,
    x: Vec<f64>,
    weights: Option<Vec<f64>>,
    codes: Vec<Vec<i32>>,
    z: Vec<f64>,
}

/// A small linear congruential generator: the same numbers everywhere.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

impl Data {
    pub fn new(shape: &Shape, weighted: bool) -> Self {
        let mut r = Numbers(42 + shape.rows as u64);
        let n = shape.rows;
        let finest = *shape.levels.last().unwrap();
        let fine: Vec<usize> = (0..n)
            .map(|i| {
                if i < finest {
                    i
                } else {
                    (r.uniform() * finest as f64) as usize
                }
            })
            .collect();
        let mut codes: Vec<Vec<i32>> = Vec::new();
        let (mut current, mut below) = (fine, finest);
        for l in shape.levels.iter().rev() {
            current.iter_mut().for_each(|f| *f = *f * l / below);
            codes.insert(0, current.iter().map(|f| *f as i32 + 1).collect());
            below = *l;
        }
        for (l, meeting) in &shape.others {
            let level = |i: usize, u: f64| {
                let here = i * l / n;
                let first = i == 0 || here != (i - 1) * l / n;
                match meeting {
                    Meeting::Anywhere if i < *l => i,
                    Meeting::Anywhere => (u * *l as f64) as usize,
                    Meeting::Nearby if first => here,
                    Meeting::Nearby => (here + (u * 2.5) as usize).min(l - 1),
                }
            };
            codes.push((0..n).map(|i| level(i, r.uniform()) as i32 + 1).collect());
        }
        let counts: Vec<usize> = shape.all_levels();
        let z: Vec<f64> = (0..3 * n).map(|_| r.normal()).collect();
        let mut x = vec![1.0; n];
        x.extend((0..(shape.p - 1) * n).map(|_| 5.0 + r.normal()));
        let mut effects: Vec<Vec<f64>> = counts
            .iter()
            .map(|l| (0..2 * l).map(|_| r.normal()).collect())
            .collect();
        let y = (0..n)
            .map(|i| {
                let b: f64 = effects
                    .iter_mut()
                    .zip(&codes)
                    .map(|(e, c)| {
                        let c = (c[i] - 1) as usize;
                        e[2 * c] + e[2 * c + 1] * z[i]
                    })
                    .sum();
                100.0 + b + r.normal() * 0.7
            })
            .collect();
        let weights = weighted.then(|| (0..n).map(|_| 0.5 + 2.0 * r.uniform()).collect());
        Data {
            shape: shape.clone(),
            y,
            x,
            weights,
            codes,
            z,
        }
    }

    fn column(&self, j: usize) -> Column<'_> {
        match j {
            0 => Column::One,
            _ => Column::Own(&self.z[(j - 1) * self.y.len()..j * self.y.len()]),
        }
    }

    pub fn design(&self) -> Design<'_> {
        let levels = self.shape.all_levels();
        let mut seen = vec![0; levels.len()];
        Design {
            y: &self.y,
            x: &self.x,
            p: self.shape.p,
            weights: self.weights.as_deref(),
            offset: None,
            terms: self
                .shape
                .terms
                .iter()
                .map(|(factor, q, structure)| {
                    let first = seen[*factor];
                    seen[*factor] += q;
                    Term {
                        factor: *factor,
                        columns: (first..first + q).map(|j| self.column(j)).collect(),
                        structure: *structure,
                        free: vec![],
                    }
                })
                .collect(),
            factors: self
                .codes
                .iter()
                .zip(&levels)
                .map(|(codes, levels)| Factor {
                    codes,
                    levels: *levels,
                })
                .collect(),
        }
    }
}

/// A flag that is never raised.
pub fn never() -> AtomicBool {
    AtomicBool::new(false)
}

/// Options that begin at given factors.
pub fn start_at(design: &Design<'_>, lambda: &[Vec<f64>]) -> Options {
    let all = design.terms.iter().zip(lambda);
    let packed = all.map(|(t, l)| t.structure.pack(t.columns.len(), l));
    Options {
        start: Some(packed.collect()),
        ..Options::default()
    }
}

/// `-2 l` from its definition, with V formed. `lambda` is in the engine's units.
pub fn dense_criterion(data: &Data, engine: &dyn Engine, lambda: &[Vec<f64>]) -> f64 {
    let design = data.design();
    let user = mixedlm_core::estimates::to_user(engine, lambda);
    let n = data.y.len();
    let w = |i: usize| data.weights.as_ref().map_or(1.0, |w| w[i]);
    let mut v = Mat::<f64>::from_fn(n, n, |i, j| if i == j { 1.0 / w(i) } else { 0.0 });
    for (t, term) in design.terms.iter().enumerate() {
        let q = term.columns.len();
        let l = Mat::from_fn(q, q, |i, j| user[t][j * q + i]);
        let psi = &l * l.transpose();
        let codes = design.factors[term.factor].codes;
        let z = |i: usize, a: usize| design.z_column(term.columns[a]).map_or(1.0, |z| z[i]);
        for i in 0..n {
            for j in 0..n {
                if codes[i] == codes[j] {
                    for a in 0..q {
                        for b in 0..q {
                            v[(i, j)] += z(i, a) * psi[(a, b)] * z(j, b);
                        }
                    }
                }
            }
        }
    }
    let x = Mat::from_fn(n, design.p, |i, j| design.x_column(j)[i]);
    let y = Mat::from_fn(n, 1, |i, _| data.y[i]);
    let chol = v.llt(Side::Lower).unwrap();
    let logdet = |c: &Mat<f64>| 2.0 * (0..c.nrows()).map(|i| c[(i, i)].ln()).sum::<f64>();
    let xvx = x.transpose() * chol.solve(&x);
    let beta = xvx
        .llt(Side::Lower)
        .unwrap()
        .solve(x.transpose() * chol.solve(&y));
    let e = &y - &x * &beta;
    let r2 = (e.transpose() * chol.solve(&e))[(0, 0)];
    let denominator = engine.denominator();
    let mut value = denominator * ((2.0 * std::f64::consts::PI * r2 / denominator).ln() + 1.0)
        + logdet(&chol.L().to_owned());
    if engine.estimation() == Estimation::Reml {
        value += logdet(&xvx.llt(Side::Lower).unwrap().L().to_owned());
    }
    value
}

/// Conditional modes and covariances (relative to sigma^2) of all random effects, from the dense normal equations.
pub struct Posterior {
    first: Vec<usize>,
    q: Vec<usize>,
    covariance: Mat<f64>,
    modes: Mat<f64>,
}

impl Posterior {
    pub fn covariance(&self, term: usize, level: usize, i: usize, j: usize) -> f64 {
        let at = self.first[term] + level * self.q[term];
        self.covariance[(at + i, at + j)]
    }

    pub fn mode(&self, term: usize, level: usize, j: usize) -> f64 {
        self.modes[(self.first[term] + level * self.q[term] + j, 0)]
    }
}

/// `cov(b | y) = G - G Z' V^-1 Z G` and `G Z' V^-1 (y - X beta)` with `G = I (x) Psi`.
pub fn dense_posterior(data: &Data, psi: &[Vec<f64>], beta: &[f64]) -> Posterior {
    let design = data.design();
    let n = data.y.len();
    let q: Vec<usize> = design.terms.iter().map(|t| t.columns.len()).collect();
    let mut first = vec![0];
    for (t, term) in design.terms.iter().enumerate() {
        first.push(first[t] + q[t] * design.factors[term.factor].levels);
    }
    let total = *first.last().unwrap();
    let mut z = Mat::<f64>::zeros(n, total);
    let mut g = Mat::<f64>::zeros(total, total);
    for (t, term) in design.terms.iter().enumerate() {
        let codes = design.factors[term.factor].codes;
        for i in 0..n {
            for j in 0..q[t] {
                let at = first[t] + (codes[i] - 1) as usize * q[t] + j;
                z[(i, at)] = design.z_column(term.columns[j]).map_or(1.0, |c| c[i]);
            }
        }
        for level in 0..design.factors[term.factor].levels {
            for k in 0..q[t] * q[t] {
                let at = first[t] + level * q[t];
                g[(at + k % q[t], at + k / q[t])] = psi[t][k];
            }
        }
    }
    let w = |i: usize| data.weights.as_ref().map_or(1.0, |w| w[i]);
    let noise = Mat::from_fn(n, n, |i, j| if i == j { 1.0 / w(i) } else { 0.0 });
    let zg = &z * &g;
    let v = (&zg * z.transpose() + noise).llt(Side::Lower).unwrap();
    let residual = Mat::from_fn(n, 1, |i, _| {
        data.y[i]
            - (0..design.p)
                .map(|j| design.x_column(j)[i] * beta[j])
                .sum::<f64>()
    });
    Posterior {
        covariance: &g - zg.transpose() * v.solve(&zg),
        modes: zg.transpose() * v.solve(&residual),
        first,
        q,
    }
}
