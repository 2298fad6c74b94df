//! The model from its definition: V is formed, and everything follows from its Cholesky factor.

use mixedlm_core::design::Estimation;

use super::dense::{independent, Cholesky, Matrix};
use super::problem::{Part, Problem};
use super::real::Real;

/// What does not depend on parameters.
pub struct Model<'a, R> {
    pub problem: &'a Problem,
    /// Columns of X that do not depend on earlier ones.
    pub kept: Vec<usize>,
    pub x: Matrix<R>,
    /// `y - offset`.
    pub y: Matrix<R>,
    /// All columns of Z, term by term, level by level.
    pub z: Matrix<R>,
    /// Where the columns of each term begin.
    pub first: Vec<usize>,
}

/// Everything at one value of the parameters.
pub struct At<R> {
    /// `C C' = V`, relative to sigma^2.
    pub v: Cholesky<R>,
    psis: Vec<Matrix<R>>,
    /// `S = (X'V^-1X)^-1`.
    pub s: Matrix<R>,
    pub beta: Matrix<R>,
    /// `y - X beta`.
    pub residual: Matrix<R>,
    pub sigma2: R,
    pub log_v: R,
    pub log_information: R,
    pub criterion: R,
}

impl<'a, R: Real> Model<'a, R> {
    pub fn of(problem: &'a Problem) -> Self {
        let n = problem.n();
        let real = |v: f64| R::from(v);
        let weighted: Vec<Vec<R>> = (0..problem.p)
            .map(|j| {
                let of = |i: usize| real(problem.x_column(j)[i]) * real(problem.weight(i)).sqrt();
                (0..n).map(of).collect()
            })
            .collect();
        let kept = independent(&weighted, 1e-7);
        let mut first = vec![0];
        for part in &problem.parts {
            first.push(first[first.len() - 1] + part.q() * problem.factors[part.factor].1);
        }
        let mut z = Matrix::zeros(n, first[first.len() - 1]);
        for (t, part) in problem.parts.iter().enumerate() {
            for i in 0..n {
                let level = problem.factors[part.factor].0[i] as usize - 1;
                for c in 0..part.q() {
                    z.add_to(i, first[t] + level * part.q() + c, real(problem.z(t, c, i)));
                }
            }
        }
        let offset = |i: usize| problem.offset.as_ref().map_or(0.0, |o| o[i]);
        Model {
            x: Matrix::from_fn(n, kept.len(), |i, j| real(problem.x_column(kept[j])[i])),
            y: Matrix::from_fn(n, 1, |i, _| real(problem.y[i]) - real(offset(i))),
            problem,
            kept,
            z,
            first,
        }
    }

    pub fn levels(&self, t: usize) -> usize {
        self.problem.factors[self.problem.parts[t].factor].1
    }

    /// `N`.
    pub fn denominator(&self) -> f64 {
        let n = self.problem.n() as f64;
        match self.problem.estimation {
            Estimation::Ml => n,
            Estimation::Reml => n - self.kept.len() as f64,
        }
    }

    /// Psi of a term from the packed elements of Lambda.
    pub fn psi(part: &Part, packed: &[R]) -> Matrix<R> {
        let mut lambda = Matrix::zeros(part.q(), part.q());
        for (places, v) in part.places().iter().zip(packed) {
            places.iter().for_each(|(i, j)| lambda.add_to(*i, *j, *v));
        }
        lambda.times(&lambda.transposed())
    }

    pub fn psis(&self, theta: &[Vec<R>]) -> Vec<Matrix<R>> {
        let all = self.problem.parts.iter().zip(theta);
        all.map(|(part, packed)| Self::psi(part, packed)).collect()
    }

    /// `I (x) Psi` of all terms.
    pub fn block_diagonal(&self, psis: &[Matrix<R>]) -> Matrix<R> {
        let mut g = Matrix::zeros(self.z.columns, self.z.columns);
        for (t, psi) in psis.iter().enumerate() {
            for level in 0..self.levels(t) {
                let at = self.first[t] + level * psi.rows;
                for i in 0..psi.rows {
                    (0..psi.rows).for_each(|j| g.add_to(at + i, at + j, psi.get(i, j)));
                }
            }
        }
        g
    }

    /// `Z (I (x) Psi) Z'` by rows that share a level.
    pub fn random_covariance(&self, psis: &[Matrix<R>]) -> Matrix<R> {
        let n = self.problem.n();
        let mut v = Matrix::zeros(n, n);
        for ((t, part), psi) in self.problem.parts.iter().enumerate().zip(psis) {
            let codes = &self.problem.factors[part.factor].0;
            let z = |i: usize, a: usize| R::from(self.problem.z(t, a, i));
            for i in 0..n {
                for j in (0..n).filter(|j| codes[*j] == codes[i]) {
                    for a in 0..part.q() {
                        for b in 0..part.q() {
                            v.add_to(i, j, z(i, a) * psi.get(a, b) * z(j, b));
                        }
                    }
                }
            }
        }
        v
    }

    /// At packed elements; `None` where numbers leave their range.
    pub fn at(&self, theta: &[Vec<R>]) -> Option<At<R>> {
        self.at_psi(&self.psis(theta))
    }

    pub fn at_psi(&self, psis: &[Matrix<R>]) -> Option<At<R>> {
        let n = self.problem.n();
        let one = R::from(1.0);
        let mut v = self.random_covariance(psis);
        (0..n).for_each(|i| v.add_to(i, i, one / R::from(self.problem.weight(i))));
        let v = Cholesky::of(&v)?;
        // columns of X in units in which squares do not overflow
        let unit = |j: usize| (0..n).fold(1e-300, |m, i| self.x.get(i, j).to_f64().abs().max(m));
        let units: Vec<R> = (0..self.kept.len()).map(|j| R::from(unit(j))).collect();
        let scaled = Matrix::from_fn(n, units.len(), |i, j| self.x.get(i, j) / units[j]);
        let (cx, cy) = (v.forward(&scaled), v.forward(&self.y));
        let information = Cholesky::of(&cx.cross(&cx))?;
        let by_units = |m: &Matrix<R>| Matrix::from_fn(m.rows, m.columns, |i, j| m.get(i, j) / units[i]);
        let beta = by_units(&information.solve(&cx.cross(&cy)));
        let s = by_units(&by_units(&information.inverse()).transposed());
        let residual = self.y.plus(-1.0, &self.x.times(&beta));
        let white = v.forward(&residual);
        let r2 = white.cross(&white).trace();
        let log_v = v.log_determinant();
        let log_units: R = units.iter().map(|u| u.ln() + u.ln()).sum();
        let log_information = information.log_determinant() + log_units;
        let denominator = R::from(self.denominator());
        let two_pi = R::from(2.0 * std::f64::consts::PI);
        let sigma2 = r2 / denominator;
        let mut criterion = denominator * ((two_pi * sigma2).ln() + one) + log_v;
        if self.problem.estimation == Estimation::Reml {
            criterion += log_information;
        }
        Some(At {
            psis: psis.to_vec(),
            v,
            s,
            beta,
            residual,
            sigma2,
            log_v,
            log_information,
            criterion,
        })
    }

    /// The criterion alone.
    pub fn criterion(&self, theta: &[Vec<R>]) -> Option<R> {
        Some(self.at(theta)?.criterion)
    }
}

impl<R: Real> At<R> {
    /// `Psi Z'V^-1 B`.
    pub fn shrink(&self, model: &Model<'_, R>, b: &Matrix<R>) -> Matrix<R> {
        model
            .block_diagonal(&self.psis)
            .times(&model.z.cross(&self.v.solve(b)))
    }

    /// `cov(b | y, beta)`, relative to sigma^2.
    pub fn conditional_covariance(&self, model: &Model<'_, R>) -> Matrix<R> {
        let g = model.block_diagonal(&self.psis);
        let zg = model.z.times(&g);
        g.plus(-1.0, &self.shrink(model, &zg))
    }
}

/// Numbers of an element type.
pub fn reals<R: Real>(theta: &[Vec<f64>]) -> Vec<Vec<R>> {
    let of = |v: &Vec<f64>| v.iter().map(|x| R::from(*x)).collect();
    theta.iter().map(of).collect()
}
