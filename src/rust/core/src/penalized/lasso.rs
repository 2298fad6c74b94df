//! A quadratic with absolute values, minimised exactly.
//!
//! ```text
//! minimise  (beta - b)'A(beta - b) + sum_j l1_j |beta_j| + sum_j l2_j beta_j^2
//! ```
//!
//! by feature-sign search (Lee, Battle, Raina and Ng 2007): coefficients enter one at a time, in the direction in which the
//! function falls most; given the signs the minimum is the solution of a linear system; on the way to it the lowest of the
//! points where a sign changes is taken. The function falls with every step and there are finitely many sets of signs, so
//! the search ends at a point that satisfies the conditions of Karush, Kuhn and Tucker,
//!
//! ```text
//! g_j = 2 [A(beta - b)]_j + 2 l2_j beta_j :   g_j = -l1_j sign(beta_j)  or  beta_j = 0 and |g_j| <= l1_j.
//! ```

use crate::error::{Error, Result};
use crate::linalg::{axpy, cholesky_in_place, dot, solve_lower};

/// Relative to the largest slope at zero, by how much a condition may be missed.
const SLACK: f64 = 1e-12;

/// Relative to it, a weight that keeps a coefficient at zero whatever the others are.
const HUGE: f64 = 1e12;

/// Weights of a penalty that is a sum over coefficients, in units of `-2 l`: `l1_j |beta_j| + l2_j beta_j^2`.
#[derive(Debug, Clone)]
pub struct Weights {
    /// Of the absolute values.
    pub l1: Vec<f64>,
    /// Of the squares.
    pub l2: Vec<f64>,
}

impl Weights {
    /// The penalty.
    pub fn value(&self, beta: &[f64]) -> f64 {
        let all = beta.iter().zip(&self.l1).zip(&self.l2);
        all.map(|((b, l1), l2)| l1 * b.abs() + l2 * b * b).sum()
    }

    /// The same, times a number.
    pub fn times(&self, factor: f64) -> Weights {
        let scaled = |w: &Vec<f64>| w.iter().map(|v| v * factor).collect();
        Weights {
            l1: scaled(&self.l1),
            l2: scaled(&self.l2),
        }
    }

    /// Whether a coefficient can move: it is not zero, or nothing keeps it there.
    pub fn moves(&self, beta: &[f64], j: usize) -> bool {
        beta[j] != 0.0 || self.l1[j] == 0.0
    }
}

/// `(beta - b)'A(beta - b)`, A positive definite.
#[derive(Debug, Clone)]
pub struct Quadratic {
    /// A, `p x p`.
    pub a: Vec<f64>,
    /// b.
    pub centre: Vec<f64>,
}

impl Quadratic {
    /// The number of coefficients.
    pub fn p(&self) -> usize {
        self.centre.len()
    }

    /// `A v`.
    pub fn times(&self, v: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; v.len()];
        for (j, x) in v.iter().enumerate() {
            axpy(*x, &self.a[j * v.len()..(j + 1) * v.len()], &mut out);
        }
        out
    }

    /// `beta - b`.
    pub fn away(&self, beta: &[f64]) -> Vec<f64> {
        beta.iter().zip(&self.centre).map(|(b, c)| b - c).collect()
    }

    /// The value at beta.
    pub fn value(&self, beta: &[f64]) -> f64 {
        let d = self.away(beta);
        dot(&d, &self.times(&d)).max(0.0)
    }

    /// The minimum with a penalty, from `warm`.
    ///
    /// # Errors
    /// [`Error::Numerical`] when A is not positive definite.
    pub fn penalised(&self, weights: &Weights, warm: &[f64]) -> Result<Vec<f64>> {
        Search::new(self, weights, warm)?.run()
    }
}

/// The search, in units in which the curvature of every coefficient is 1.
struct Search {
    p: usize,
    /// `A + diag(l2)`, scaled.
    q: Vec<f64>,
    /// `A b`, scaled.
    c: Vec<f64>,
    l1: Vec<f64>,
    scale: Vec<f64>,
    x: Vec<f64>,
    sign: Vec<f64>,
    slack: f64,
}

impl Search {
    fn new(quadratic: &Quadratic, weights: &Weights, warm: &[f64]) -> Result<Self> {
        let p = quadratic.p();
        let full = |j: usize| quadratic.a[j * p + j] + weights.l2[j];
        let scale: Vec<f64> = (0..p).map(|j| full(j).sqrt()).collect();
        if scale.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return Err(singular());
        }
        let q = (0..p * p)
            .map(|k| match k % (p + 1) {
                0 => 1.0,
                _ => quadratic.a[k] / (scale[k % p] * scale[k / p]),
            })
            .collect();
        let pull = quadratic.times(&quadratic.centre);
        let c: Vec<f64> = pull.iter().zip(&scale).map(|(v, s)| v / s).collect();
        let largest = c.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        // beyond any slope there can be a weight is as good as infinite
        let most = largest.max(f64::MIN_POSITIVE) * HUGE;
        let l1: Vec<f64> = weights
            .l1
            .iter()
            .zip(&scale)
            .map(|(v, s)| (v / s).min(most))
            .collect();
        let x: Vec<f64> = warm.iter().zip(&scale).map(|(v, s)| v * s).collect();
        let sign = x.iter().zip(&l1).map(|(x, l)| sign_of(*x, *l)).collect();
        Ok(Search {
            p,
            q,
            c,
            l1,
            scale,
            x,
            sign,
            slack: SLACK * largest,
        })
    }

    /// Half of the slope of the quadratic part.
    fn slope(&self, j: usize) -> f64 {
        dot(&self.q[j * self.p..(j + 1) * self.p], &self.x) - self.c[j]
    }

    fn value(&self, x: &[f64]) -> f64 {
        (0..self.p)
            .map(|j| {
                let row = dot(&self.q[j * self.p..(j + 1) * self.p], x);
                x[j] * (row - 2.0 * self.c[j]) + self.l1[j] * x[j].abs()
            })
            .sum()
    }

    fn is_active(&self, j: usize) -> bool {
        self.sign[j] != 0.0 || self.l1[j] == 0.0
    }

    fn run(mut self) -> Result<Vec<f64>> {
        for _ in 0..100 * (self.p + 10) {
            // to the minimum on the set of signs, which may take several steps
            if self.step()? {
                continue;
            }
            let violation = |j: usize| self.slope(j).abs() - 0.5 * self.l1[j];
            let out = (0..self.p).filter(|j| !self.is_active(*j));
            let worst = out.max_by(|a, b| violation(*a).total_cmp(&violation(*b)));
            match worst.filter(|j| violation(*j) > self.slack) {
                Some(j) => self.sign[j] = -self.slope(j).signum(),
                None => break,
            }
        }
        Ok(self.x.iter().zip(&self.scale).map(|(x, s)| x / s).collect())
    }

    /// Towards the minimum with the present signs; whether another step is needed because a sign changed.
    fn step(&mut self) -> Result<bool> {
        let active: Vec<usize> = (0..self.p).filter(|j| self.is_active(*j)).collect();
        let k = active.len();
        if k == 0 {
            return Ok(false);
        }
        let mut factor: Vec<f64> = (0..k * k)
            .map(|e| self.q[active[e / k] * self.p + active[e % k]])
            .collect();
        if !cholesky_in_place(&mut factor, k) {
            return Err(singular());
        }
        let mut target: Vec<f64> = active
            .iter()
            .map(|j| self.c[*j] - 0.5 * self.l1[*j] * self.sign[*j])
            .collect();
        solve_lower(&factor, k, &mut target, 1);
        for i in (0..k).rev() {
            let below: f64 = (i + 1..k).map(|r| factor[i * k + r] * target[r]).sum();
            target[i] = (target[i] - below) / factor[i * k + i];
        }
        let mut end = vec![0.0; self.p];
        active.iter().zip(&target).for_each(|(j, t)| end[*j] = *t);
        let consistent = |j: &usize| self.l1[*j] == 0.0 || end[*j] * self.sign[*j] > 0.0;
        if active.iter().all(consistent) {
            self.x = end;
            return Ok(false);
        }
        let changes: Vec<usize> = active
            .into_iter()
            .filter(|j| self.l1[*j] > 0.0 && end[*j] * self.sign[*j] <= 0.0)
            .collect();
        self.x = self.lowest_on_the_way(&end, &changes);
        self.sign = self
            .x
            .iter()
            .zip(&self.l1)
            .map(|(x, l)| sign_of(*x, *l))
            .collect();
        Ok(true)
    }

    /// The lowest of the end and the points on the way to it where one of the coefficients `changes` is zero.
    fn lowest_on_the_way(&self, end: &[f64], changes: &[usize]) -> Vec<f64> {
        let mut best = (self.value(end), end.to_vec());
        for j in changes {
            let length = self.x[*j] / (self.x[*j] - end[*j]);
            if !(0.0..1.0).contains(&length) {
                continue;
            }
            let between = self
                .x
                .iter()
                .zip(end)
                .map(|(from, to)| from + length * (to - from));
            let mut point: Vec<f64> = between.collect();
            point[*j] = 0.0;
            let value = self.value(&point);
            if value < best.0 {
                best = (value, point);
            }
        }
        best.1
    }
}

fn sign_of(x: f64, l1: f64) -> f64 {
    if x == 0.0 || l1 == 0.0 {
        0.0
    } else {
        x.signum()
    }
}

fn singular() -> Error {
    Error::Numerical("the penalised least-squares problem is singular".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scattered numbers in (-1, 1).
    fn numbers(seed: u64, n: usize) -> Vec<f64> {
        let mut state = seed;
        (0..n)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
            })
            .collect()
    }

    fn problem(seed: u64, p: usize, ridge: f64) -> Quadratic {
        let root = numbers(seed, p * p);
        let a = (0..p * p)
            .map(|k| {
                let inner: f64 = (0..p)
                    .map(|i| root[(k / p) * p + i] * root[(k % p) * p + i])
                    .sum();
                inner + if k % (p + 1) == 0 { ridge } else { 0.0 }
            })
            .collect();
        Quadratic {
            a,
            centre: numbers(seed + 1, p),
        }
    }

    #[test]
    fn the_conditions_of_a_minimum_hold() {
        for seed in 0..60u64 {
            let p = 1 + (seed as usize * 7) % 15;
            let quadratic = problem(seed * 31 + 5, p, if seed % 3 == 0 { 1e-6 } else { 0.1 });
            let mut l1: Vec<f64> = numbers(seed + 90, p).iter().map(|v| v.abs()).collect();
            if seed % 4 == 0 {
                l1[0] = 0.0;
            }
            let l2 = (0..p).map(|j| if j % 2 == 0 { 0.0 } else { 0.3 }).collect();
            let weights = Weights { l1, l2 };
            let warm = numbers(seed + 7, p);
            let beta = quadratic.penalised(&weights, &warm).unwrap();
            let slope = quadratic.times(&quadratic.away(&beta));
            for j in 0..p {
                let g = 2.0 * slope[j] + 2.0 * weights.l2[j] * beta[j];
                if beta[j] == 0.0 {
                    assert!(g.abs() <= weights.l1[j] + 1e-9, "{seed} {j} {g}");
                } else {
                    let subgradient = weights.l1[j] * beta[j].signum();
                    assert!((g + subgradient).abs() < 1e-9, "{seed} {j} {g}");
                }
            }
            let cold = quadratic.penalised(&weights, &vec![0.0; p]).unwrap();
            let apart = beta
                .iter()
                .zip(&cold)
                .fold(0.0f64, |a, (x, y)| a.max((x - y).abs()));
            assert!(apart < 1e-6, "{seed} {apart}");
        }
    }

    #[test]
    fn an_enormous_weight_leaves_zero_and_none_the_centre() {
        let quadratic = problem(3, 4, 0.5);
        let weights = |l1: f64| Weights {
            l1: vec![l1; 4],
            l2: vec![0.0; 4],
        };
        let zero = quadratic.penalised(&weights(1e12), &[1.0; 4]).unwrap();
        assert_eq!(zero, vec![0.0; 4]);
        let all = quadratic.penalised(&weights(0.0), &[0.0; 4]).unwrap();
        for (a, b) in all.iter().zip(&quadratic.centre) {
            assert!((a - b).abs() < 1e-10);
        }
    }
}
