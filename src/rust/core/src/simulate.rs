//! New responses for a design, from what was estimated.
//!
//! `y* = X beta + offset + Z b* + e*`. Parametric: `b* ~ N(0, sigma^2 Psi)`, `e* ~ N(0, sigma^2 / w)`. From residuals
//! (Carpenter, Goldstein and Rasbash 2003): conditional modes and residuals are centred, reflated to the variances that
//! were estimated, and drawn with replacement, the effects of one level together.

use crate::covstruct::Structure;
use crate::design::Design;
use crate::error::{reserved, zeros, Error, Result};
use crate::estimates::{add_effects, fitted};
use crate::linalg::{axpy, dot, matmul, symmetric_eigen, transpose};
use crate::streams::Stream;

/// Estimates to generate data from, in the user's units.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Fixed effects, one per column of X; zero for those that are left out.
    pub beta: Vec<f64>,
    /// Residual variance.
    pub sigma2: f64,
    /// Per term Lambda.
    pub lambda: Vec<Vec<f64>>,
    /// Per term the conditional modes, `q x levels`; needed for residuals only.
    pub modes: Vec<Vec<f64>>,
}

/// Where effects and noise come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Normal distributions.
    Normal,
    /// The conditional modes and residuals of the fit.
    Residuals,
}

/// Effects that are drawn together: those of one level of a factor.
struct Pool {
    /// Terms and the position of their first effect.
    terms: Vec<(usize, usize)>,
    /// Effects of one draw.
    width: usize,
    /// All draws, one after the other.
    values: Vec<f64>,
}

/// What to draw from.
enum Draws {
    Normal {
        /// Per term `sigma Lambda`.
        scaled: Vec<Vec<f64>>,
        /// Per row the standard deviation of the noise.
        noise: Vec<f64>,
    },
    Residuals {
        pools: Vec<Pool>,
        /// Reflated residuals, for prior weight 1.
        residuals: Vec<f64>,
        /// Per row the root of the inverse weight.
        noise: Vec<f64>,
    },
}

/// Makes responses.
pub struct Generator<'a> {
    design: &'a Design<'a>,
    /// `X beta + offset`.
    mean: Vec<f64>,
    draws: Draws,
}

/// Eigenvalues below this times the largest count as zero.
const SINGULAR: f64 = 1e-10;

impl<'a> Generator<'a> {
    /// A generator; the design and the shapes of the truth must be sound.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"memory"`, `"shape"`, `"bootstrap"` where there is nothing to resample).
    pub fn new(design: &'a Design<'a>, truth: &Truth, source: Source) -> Result<Self> {
        check(design, truth, source)?;
        let n = design.n();
        let columns: Vec<usize> = (0..design.p).collect();
        let mut mean = zeros(n, "the fitted values")?;
        fitted(design, &columns, &truth.beta, &[], &mut mean);
        let root = |i: usize| design.weights.map_or(1.0, |w| w[i].sqrt());
        let mut noise = reserved(n, "the noise")?;
        let draws = match source {
            Source::Normal => {
                let sigma = truth.sigma2.sqrt();
                noise.extend((0..n).map(|i| sigma / root(i)));
                let scale = |l: &Vec<f64>| l.iter().map(|v| v * sigma).collect();
                Draws::Normal {
                    scaled: truth.lambda.iter().map(scale).collect(),
                    noise,
                }
            }
            Source::Residuals => {
                let mut rest = zeros(n, "the residuals")?;
                rest.copy_from_slice(&mean);
                add_effects(design, &truth.modes, &mut rest);
                for (i, v) in rest.iter_mut().enumerate() {
                    *v = (design.y[i] - *v) * root(i);
                }
                reflate_residuals(&mut rest, truth.sigma2)?;
                noise.extend((0..n).map(|i| 1.0 / root(i)));
                Draws::Residuals {
                    pools: pools(design, truth)?,
                    residuals: rest,
                    noise,
                }
            }
        };
        Ok(Generator { design, mean, draws })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.mean.len()
    }

    /// The response of a replicate.
    pub fn response(&self, stream: &mut Stream, out: &mut [f64]) {
        out.copy_from_slice(&self.mean);
        let design = self.design;
        let effects = match &self.draws {
            Draws::Normal { scaled, .. } => scaled
                .iter()
                .zip(&design.terms)
                .map(|(l, t)| normal_effects(l, t.columns.len(), design.factors[t.factor].levels, stream))
                .collect(),
            Draws::Residuals { pools, .. } => resampled_effects(design, pools, stream),
        };
        add_effects(design, &effects, out);
        match &self.draws {
            Draws::Normal { noise, .. } => out
                .iter_mut()
                .zip(noise)
                .for_each(|(y, sd)| *y += sd * stream.normal()),
            Draws::Residuals { residuals, noise, .. } => out
                .iter_mut()
                .zip(noise)
                .for_each(|(y, root)| *y += root * residuals[stream.below(residuals.len())]),
        }
    }
}

fn check(design: &Design<'_>, truth: &Truth, source: Source) -> Result<()> {
    let levels = |t: usize| design.factors[design.terms[t].factor].levels;
    let width = |t: usize| design.terms[t].columns.len();
    let sound = truth.beta.len() == design.p
        && truth.lambda.len() == design.terms.len()
        && truth
            .lambda
            .iter()
            .enumerate()
            .all(|(t, l)| l.len() == width(t).pow(2));
    let modes = source == Source::Normal
        || truth.modes.len() == design.terms.len()
            && truth
                .modes
                .iter()
                .enumerate()
                .all(|(t, b)| b.len() == width(t) * levels(t));
    let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
    let values = finite(&truth.beta)
        && truth.sigma2.is_finite()
        && truth.sigma2 >= 0.0
        && truth.lambda.iter().chain(&truth.modes).all(|v| finite(v));
    if sound && modes && values {
        return Ok(());
    }
    Err(Error::invalid(
        "shape",
        "the estimates to generate data from do not match the design",
    ))
}

/// `sigma Lambda u` for every level.
fn normal_effects(scaled: &[f64], q: usize, levels: usize, stream: &mut Stream) -> Vec<f64> {
    let mut b = vec![0.0; q * levels];
    for level in b.chunks_exact_mut(q) {
        for column in scaled.chunks_exact(q) {
            axpy(stream.normal(), column, level);
        }
    }
    b
}

fn resampled_effects(design: &Design<'_>, pools: &[Pool], stream: &mut Stream) -> Vec<Vec<f64>> {
    let size = |t: &crate::design::Term<'_>| t.columns.len() * design.factors[t.factor].levels;
    let mut effects: Vec<Vec<f64>> = design.terms.iter().map(|t| vec![0.0; size(t)]).collect();
    for pool in pools {
        let count = pool.values.len() / pool.width;
        for place in 0..count {
            let from = stream.below(count) * pool.width;
            for (position, (t, offset)) in pool.terms.iter().enumerate() {
                let end = pool.terms.get(position + 1).map_or(pool.width, |next| next.1);
                let q = end - offset;
                effects[*t][place * q..(place + 1) * q]
                    .copy_from_slice(&pool.values[from + offset..from + end]);
            }
        }
    }
    effects
}

/// Centre, and give the mean square `sigma2`.
fn reflate_residuals(values: &mut [f64], sigma2: f64) -> Result<()> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter_mut().for_each(|v| *v -= mean);
    let spread = dot(values, values) / n;
    if !(spread > 0.0 && spread.is_finite()) {
        return Err(Error::invalid(
            "bootstrap",
            "the residuals do not vary, so there is nothing to resample",
        ));
    }
    let factor = (sigma2 / spread).sqrt();
    values.iter_mut().for_each(|v| *v *= factor);
    Ok(())
}

/// The effects of each factor, centred and reflated. The columns of a variance component with many of them are alike,
/// and drawn one by one.
fn pools(design: &Design<'_>, truth: &Truth) -> Result<Vec<Pool>> {
    let mut pools = Vec::new();
    let alike =
        |t: usize| design.terms[t].structure == Structure::Scalar && design.terms[t].columns.len() > 1;
    for f in 0..design.factors.len() {
        let own = |t: &usize| design.terms[*t].factor == f;
        let joint: Vec<usize> = (0..design.terms.len()).filter(|t| own(t) && !alike(*t)).collect();
        if !joint.is_empty() {
            pools.push(pool(design, truth, &joint, design.factors[f].levels)?);
        }
        for t in (0..design.terms.len()).filter(|t| own(t) && alike(*t)) {
            pools.push(alike_pool(truth, t)?);
        }
    }
    Ok(pools)
}

fn too_few() -> Error {
    Error::invalid(
        "bootstrap",
        "a random effect has one level only, so there is nothing to resample; use type = \"parametric\"",
    )
}

/// A variance component: one number per column and level.
fn alike_pool(truth: &Truth, t: usize) -> Result<Pool> {
    let mut values = truth.modes[t].clone();
    let n = values.len() as f64;
    if n < 2.0 {
        return Err(too_few());
    }
    let mean = values.iter().sum::<f64>() / n;
    values.iter_mut().for_each(|v| *v -= mean);
    let spread = dot(&values, &values) / n;
    let target = truth.lambda[t][0].powi(2) * truth.sigma2;
    let factor = if spread > 0.0 {
        (target / spread).sqrt()
    } else {
        0.0
    };
    values.iter_mut().for_each(|v| *v *= factor);
    Ok(Pool {
        terms: vec![(t, 0)],
        width: 1,
        values,
    })
}

/// All terms of one factor: `b* = F M u` where `Psi = F F'`, `b = sigma F u` and `M` is the (pseudo-)inverse root of the
/// second moments of the centred u. Along directions that do not vary there is nothing to reflate.
fn pool(design: &Design<'_>, truth: &Truth, terms: &[usize], levels: usize) -> Result<Pool> {
    if levels < 2 {
        return Err(too_few());
    }
    let sigma = truth.sigma2.sqrt();
    let (mut roots, mut placed, mut width, mut rank) = (Vec::new(), Vec::new(), 0, 0);
    for t in terms {
        let q = design.terms[*t].columns.len();
        let root = Root::of(&truth.lambda[*t], q)?;
        placed.push((*t, width));
        width += q;
        rank += root.rank;
        roots.push(root);
    }
    // u, rank x levels
    let mut u = zeros(rank * levels, "the effects")?;
    let mut first = 0;
    for (t, root) in terms.iter().zip(&roots) {
        for (l, b) in truth.modes[*t].chunks_exact(root.q).enumerate() {
            root.spherical(b, sigma, &mut u[l * rank + first..l * rank + first + root.rank]);
        }
        first += root.rank;
    }
    let centred = reflate(&u, rank, levels)?;
    let mut values = zeros(width * levels, "the effects")?;
    for (l, draw) in values.chunks_exact_mut(width).enumerate() {
        let mut first = l * rank;
        for ((_, offset), root) in placed.iter().zip(&roots) {
            for (column, v) in root.factor.chunks_exact(root.q).zip(&centred[first..]) {
                axpy(sigma * v, column, &mut draw[*offset..offset + root.q]);
            }
            first += root.rank;
        }
    }
    Ok(Pool {
        terms: placed,
        width,
        values,
    })
}

/// Centre columns of length `k` and make their mean cross-product the identity, as far as they span the space.
fn reflate(u: &[f64], k: usize, count: usize) -> Result<Vec<f64>> {
    let mut centred = u.to_vec();
    if k == 0 {
        return Ok(centred);
    }
    let mut mean = vec![0.0; k];
    u.chunks_exact(k)
        .for_each(|c| axpy(1.0 / count as f64, c, &mut mean));
    let mut second = vec![0.0; k * k];
    for c in centred.chunks_exact_mut(k) {
        axpy(-1.0, &mean, c);
        for j in 0..k {
            axpy(c[j] / count as f64, c, &mut second[j * k..(j + 1) * k]);
        }
    }
    let eigen = symmetric_eigen(&second, k)?;
    let floor = SINGULAR * eigen.values[k - 1].max(f64::MIN_POSITIVE);
    let mut scaled = vec![0.0; k * k];
    for (j, value) in eigen.values.iter().enumerate().filter(|(_, v)| **v > floor) {
        axpy(
            value.sqrt().sqrt().recip(),
            eigen.vector(j),
            &mut scaled[j * k..(j + 1) * k],
        );
    }
    let root = matmul(&scaled, &transpose(&scaled, k, k), k, k, k);
    Ok(matmul(&root, &centred, k, k, count))
}

/// `Psi = F F'` with as many columns as Psi has directions.
struct Root {
    q: usize,
    rank: usize,
    /// F, `q x rank`.
    factor: Vec<f64>,
    /// Its left inverse, `rank x q`.
    inverse: Vec<f64>,
}

impl Root {
    /// From Lambda; directions are told in units of the standard deviations.
    fn of(lambda: &[f64], q: usize) -> Result<Root> {
        let psi = matmul(lambda, &transpose(lambda, q, q), q, q, q);
        let sd: Vec<f64> = (0..q).map(|j| psi[j * q + j].sqrt()).collect();
        let unit = |k: usize| sd[k % q] * sd[k / q];
        let correlation: Vec<f64> = (0..q * q)
            .map(|k| if unit(k) > 0.0 { psi[k] / unit(k) } else { 0.0 })
            .collect();
        let eigen = symmetric_eigen(&correlation, q)?;
        let floor = SINGULAR * eigen.values[q - 1].max(0.0);
        let kept: Vec<usize> = (0..q).filter(|j| eigen.values[*j] > floor).collect();
        let rank = kept.len();
        let (mut factor, mut inverse) = (vec![0.0; q * rank], vec![0.0; rank * q]);
        for (c, j) in kept.iter().enumerate() {
            let root = eigen.values[*j].sqrt();
            for (i, v) in eigen.vector(*j).iter().enumerate() {
                factor[c * q + i] = sd[i] * v * root;
                inverse[i * rank + c] = if sd[i] > 0.0 { v / (root * sd[i]) } else { 0.0 };
            }
        }
        Ok(Root {
            q,
            rank,
            factor,
            inverse,
        })
    }

    /// `u` with `b = sigma F u`.
    fn spherical(&self, b: &[f64], sigma: f64, out: &mut [f64]) {
        for (column, v) in self.inverse.chunks_exact(self.rank.max(1)).zip(b) {
            axpy(v / sigma, column, out);
        }
    }
}
