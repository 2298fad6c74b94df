//! The coordinates in which the optimiser works.
//!
//! Free parameters are elements of the packed factors in *whitened* units: `Lambda = T Lambda~` per term, with T lower
//! triangular such that `T' (Z'Z / levels) T = I`. There a variance of 1 means as much information from a typical group
//! as from its noise, whatever the units, origins or correlations of the columns of Z were. A diagonal T is used where
//! the structure, or elements that are held fixed, do not allow more. As the search moves, the coordinates are centred
//! on it ([`Coordinates::around`]), so that strong random effects are about 1 as well.
//!
//! Vignette "The algorithm": Eq. Chain rule, Eq. Coordinates.

use crate::covstruct::Structure;
use crate::criterion::{Derivatives, TermShape};
use crate::error::{Error, Result};
use crate::linalg::{
    axpy, block_diagonal, cholesky_in_place, dot, identity, invert_upper, matmul, root_of_sum,
    semidefinite_cholesky, square_size, transpose,
};

/// One term in whitened coordinates.
#[derive(Debug, Clone)]
pub struct TermCoordinates {
    /// Size and structure.
    pub shape: TermShape,
    /// T, `q x q` column-major, lower triangular.
    pub whitener: Vec<f64>,
    /// Its inverse.
    pub inverse: Vec<f64>,
    /// Which packed elements are free.
    pub free: Vec<bool>,
    /// All packed elements, whitened; those that are held fixed keep their value.
    pub packed: Vec<f64>,
}

impl TermCoordinates {
    /// All elements are free.
    pub fn is_unrestricted(&self) -> bool {
        self.free.iter().all(|f| *f)
    }

    /// Lambda in the engine's units from packed whitened elements.
    fn lambda(&self, packed: &[f64]) -> Vec<f64> {
        let q = self.shape.q;
        matmul(&self.whitener, &self.shape.structure.lambda(q, packed), q, q, q)
    }

    /// The same coordinates at another Lambda (engine's units).
    pub fn at(&self, lambda: &[f64]) -> TermCoordinates {
        let q = self.shape.q;
        let whitened = matmul(&self.inverse, lambda, q, q, q);
        TermCoordinates {
            packed: self.shape.structure.pack(q, &whitened),
            ..self.clone()
        }
    }

    /// The same coordinates when the columns of Z have been multiplied by `t`.
    ///
    /// # Errors
    /// [`Error::Numerical`] when `t` is singular.
    pub fn take_from_columns(&mut self, t: &[f64]) -> Result<()> {
        let q = self.shape.q;
        self.whitener = matmul(&invert_lower(t, q)?, &self.whitener, q, q, q);
        self.inverse = matmul(&self.inverse, t, q, q, q);
        Ok(())
    }

    /// The map from whitened to the engine's coordinates of Psi, `r x r` column-major.
    fn basis_map(&self) -> Vec<f64> {
        let (q, s) = (self.shape.q, self.shape.structure);
        congruence_map(s, q, &self.whitener)
    }
}

/// How the coordinates of Psi in the basis of a structure change under `Psi -> T Psi T'`, `r x r` column-major.
pub fn congruence_map(structure: Structure, q: usize, t: &[f64]) -> Vec<f64> {
    let directions = structure.directions(q);
    let r = directions.len();
    let mut map = vec![0.0; r * r];
    for (c, from) in directions.iter().enumerate() {
        for (d, to) in directions.iter().enumerate() {
            let (i, j) = to[0];
            // one element of T E T' for the direction E
            let pick = match structure {
                Structure::Scalar => &from[..1],
                _ => &from[..],
            };
            map[c * r + d] = pick.iter().map(|(a, b)| t[a * q + i] * t[b * q + j]).sum();
        }
    }
    map
}

/// All terms.
#[derive(Debug, Clone)]
pub struct Coordinates {
    /// The terms, in order.
    pub terms: Vec<TermCoordinates>,
}

/// The lower-triangular T with `T' M T = I`, or a diagonal one.
fn whitener(shape: &TermShape, m: &[f64], diagonal: bool) -> Vec<f64> {
    let q = shape.q;
    if !diagonal && shape.structure == Structure::Unstructured && q > 1 {
        if let Some(t) = triangular_whitener(m, q) {
            return t;
        }
    }
    let mut scale: Vec<f64> = (0..q).map(|j| m[j * q + j]).collect();
    if shape.structure == Structure::Scalar {
        let mean = scale.iter().sum::<f64>() / q as f64;
        scale.fill(mean);
    }
    let mut t = vec![0.0; q * q];
    for (j, s) in scale.iter().enumerate() {
        t[j * q + j] = if *s > 0.0 { 1.0 / s.sqrt() } else { 1.0 };
    }
    t
}

/// A factor of `I + Lambda Lambda'` that the structure allows; only its diagonal when there are restrictions.
fn root_of_one_plus(shape: &TermShape, lambda: &[f64], unrestricted: bool) -> Vec<f64> {
    let q = shape.q;
    if unrestricted && shape.structure == Structure::Unstructured {
        let mut root = vec![0.0; 3 * q * q];
        root_of_sum(q, q, |i, k| lambda[k * q + i], &mut root);
        root.truncate(q * q);
        for column in 0..q {
            if root[column * q + column] < 0.0 {
                root[column * q..(column + 1) * q]
                    .iter_mut()
                    .for_each(|v| *v = -*v);
            }
        }
        return root;
    }
    let mut diagonal: Vec<f64> = (0..q)
        .map(|i| 1.0 + (0..q).map(|k| lambda[k * q + i].powi(2)).sum::<f64>())
        .collect();
    if shape.structure == Structure::Scalar {
        let mean = diagonal.iter().sum::<f64>() / q as f64;
        diagonal.fill(mean);
    }
    (0..q * q)
        .map(|k| {
            if k % (q + 1) == 0 {
                diagonal[k / q].sqrt()
            } else {
                0.0
            }
        })
        .collect()
}

/// The lower-triangular T with `T' M T = I`; `None` when M is (nearly) singular.
pub fn triangular_whitener(m: &[f64], q: usize) -> Option<Vec<f64>> {
    // M = U U' with U upper triangular, by Cholesky of the reversed matrix of correlations; T = U^-T
    let d: Vec<f64> = (0..q).map(|j| m[j * q + j].sqrt()).collect();
    if d.iter().any(|v| *v <= 0.0) {
        return None;
    }
    let mut reversed: Vec<f64> = (0..q * q)
        .map(|k| {
            let (i, j) = (q - 1 - k % q, q - 1 - k / q);
            m[j * q + i] / (d[i] * d[j])
        })
        .collect();
    if !cholesky_in_place(&mut reversed, q) || (0..q).any(|j| reversed[j * q + j] < 1e-7) {
        return None;
    }
    let mut upper = vec![0.0; q * q];
    for j in 0..q {
        for i in 0..=j {
            upper[j * q + i] = reversed[(q - 1 - j) * q + (q - 1 - i)] * d[i];
        }
    }
    Some(transpose(&invert_upper(&upper, q, q)?, q, q))
}

/// The order in which Cholesky with complete pivoting takes the columns.
fn pivot_order(psi: &[f64], q: usize) -> Vec<usize> {
    let (mut rest, mut order) = (psi.to_vec(), Vec::new());
    while order.len() < q {
        let left = (0..q).filter(|j| !order.contains(j));
        let Some(j) = left.max_by(|a, b| rest[a * q + a].total_cmp(&rest[b * q + b])) else {
            break;
        };
        order.push(j);
        let (column, pivot) = (rest[j * q..(j + 1) * q].to_vec(), rest[j * q + j]);
        if pivot > 0.0 {
            for k in 0..q {
                axpy(-column[k] / pivot, &column, &mut rest[k * q..(k + 1) * q]);
            }
        }
    }
    order
}

/// The inverse of a lower-triangular matrix.
///
/// # Errors
/// [`Error::Numerical`] when it is singular.
pub fn invert_lower(l: &[f64], q: usize) -> Result<Vec<f64>> {
    let upper = transpose(l, q, q);
    let inverse = invert_upper(&upper, q, q)
        .ok_or_else(|| Error::Numerical("a change of coordinates is singular".to_string()))?;
    Ok(transpose(&inverse, q, q))
}

impl Coordinates {
    /// Coordinates for terms with `Z'Z` (`gram`, summed over all levels of the factor). `free` is empty or a mask per term
    /// of packed elements; `start` gives Lambda in the engine's units, where it is known.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] when elements are held fixed without a start.
    pub fn new(
        shapes: &[TermShape],
        gram: &[Vec<f64>],
        free: &[Vec<bool>],
        start: Option<&[Vec<f64>]>,
    ) -> Result<Self> {
        let mut terms = Vec::new();
        for (t, shape) in shapes.iter().enumerate() {
            let (q, len) = (shape.q, shape.packed_len());
            let free = if free[t].is_empty() {
                vec![true; len]
            } else {
                free[t].clone()
            };
            let restricted = free.contains(&false);
            if restricted && start.is_none() {
                return Err(Error::invalid(
                    "start",
                    "elements that are held fixed need a start",
                ));
            }
            let mean: Vec<f64> = gram[t].iter().map(|g| g / shape.levels as f64).collect();
            let whitener = whitener(shape, &mean, restricted);
            let inverse = invert_lower(&whitener, q)?;
            let lambda = match start {
                Some(lambda) => matmul(&inverse, &lambda[t], q, q, q),
                None => (0..q * q)
                    .map(|k| if k % (q + 1) == 0 { 1.0 } else { 0.0 })
                    .collect(),
            };
            let packed = shape.structure.pack(q, &lambda);
            terms.push(TermCoordinates {
                shape: *shape,
                whitener,
                inverse,
                free,
                packed,
            });
        }
        Ok(Coordinates { terms })
    }

    /// Coordinates in which the factors `lambda` (engine's units) are about the identity, or smaller where the random
    /// effects are weak: `T T' = T_0 (Psi_0 + I) T_0'`, where `T_0` whitens the given information (per term, summed over
    /// levels) and `Psi_0` is Psi in its units.
    ///
    /// # Errors
    /// [`Error::Numerical`] when the factors are not finite.
    pub fn around(&self, lambda: &[Vec<f64>], information: &[Vec<f64>]) -> Result<Self> {
        let mut terms = Vec::new();
        for ((t, l), sum) in self.terms.iter().zip(lambda).zip(information) {
            let (q, levels) = (t.shape.q, t.shape.levels as f64);
            let mean: Vec<f64> = sum.iter().map(|g| g / levels).collect();
            let base = whitener(&t.shape, &mean, !t.is_unrestricted());
            let relative = matmul(&invert_lower(&base, q)?, l, q, q, q);
            let root = root_of_one_plus(&t.shape, &relative, t.is_unrestricted());
            if root.iter().any(|v| !v.is_finite()) {
                return Err(Error::Numerical(
                    "the random effects' factors are not finite".to_string(),
                ));
            }
            let whitener = matmul(&base, &root, q, q, q);
            let inverse = invert_lower(&whitener, q)?;
            let packed = t.shape.structure.pack(q, &matmul(&inverse, l, q, q, q));
            terms.push(TermCoordinates {
                shape: t.shape,
                whitener,
                inverse,
                free: t.free.clone(),
                packed,
            });
        }
        Ok(Coordinates { terms })
    }

    /// Whether the scales within an unstructured term differ by more than `ratio`.
    pub fn is_uneven(&self, ratio: f64) -> bool {
        self.columns().iter().any(|t| {
            let q = square_size(t);
            let scales = || (0..q).map(|j| t[j * q + j]);
            let (least, most) = (
                scales().fold(f64::INFINITY, f64::min),
                scales().fold(0.0, f64::max),
            );
            q > 1 && most > ratio * least
        })
    }

    /// Per term the whitener where it may be applied to the columns themselves, else the identity.
    pub fn columns(&self) -> Vec<Vec<f64>> {
        let of = |t: &TermCoordinates| match t.shape.structure {
            Structure::Unstructured if t.is_unrestricted() => t.whitener.clone(),
            _ => identity(t.shape.q),
        };
        self.terms.iter().map(of).collect()
    }

    /// Coordinates without whitening, all elements free, at `lambda`.
    pub fn plain(shapes: &[TermShape], lambda: &[Vec<f64>]) -> Self {
        let term = |(shape, lambda): (&TermShape, &Vec<f64>)| {
            let q = shape.q;
            TermCoordinates {
                shape: *shape,
                whitener: identity(q),
                inverse: identity(q),
                free: vec![true; shape.packed_len()],
                packed: shape.structure.pack(q, lambda),
            }
        };
        Coordinates {
            terms: shapes.iter().zip(lambda).map(term).collect(),
        }
    }

    /// The number of free parameters.
    pub fn len(&self) -> usize {
        self.terms.iter().flat_map(|t| &t.free).filter(|f| **f).count()
    }

    /// No parameter is free.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The free parameters at the start.
    pub fn start(&self) -> Vec<f64> {
        let of = |t: &TermCoordinates| -> Vec<f64> {
            t.packed
                .iter()
                .zip(&t.free)
                .filter(|(_, f)| **f)
                .map(|(v, _)| *v)
                .collect()
        };
        self.terms.iter().flat_map(of).collect()
    }

    /// Per term all packed elements, whitened.
    pub fn packed(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let mut values = x.iter();
        self.terms
            .iter()
            .map(|t| {
                let pick = |(v, f): (&f64, &bool)| {
                    if *f {
                        values.next().copied().unwrap_or(*v)
                    } else {
                        *v
                    }
                };
                t.packed.iter().zip(&t.free).map(pick).collect()
            })
            .collect()
    }

    /// Per term Lambda in whitened units.
    pub fn whitened(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let packed = self.packed(x);
        self.terms
            .iter()
            .zip(packed)
            .map(|(t, p)| t.shape.structure.lambda(t.shape.q, &p))
            .collect()
    }

    /// Per term Lambda in the engine's units.
    pub fn lambda(&self, x: &[f64]) -> Vec<Vec<f64>> {
        self.terms
            .iter()
            .zip(self.packed(x))
            .map(|(t, p)| t.lambda(&p))
            .collect()
    }

    /// Per term whitened factors from those in the engine's units.
    pub fn whitened_from(&self, lambda: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let all = self.terms.iter().zip(lambda);
        all.map(|(t, l)| matmul(&t.inverse, l, t.shape.q, t.shape.q, t.shape.q))
            .collect()
    }

    /// Free parameters from factors in the engine's units.
    pub fn from_engine(&self, lambda: &[Vec<f64>]) -> Vec<f64> {
        self.pack(&self.whitened_from(lambda))
    }

    /// Free parameters from whitened factors.
    pub fn pack(&self, whitened: &[Vec<f64>]) -> Vec<f64> {
        let of = |(t, l): (&TermCoordinates, &Vec<f64>)| -> Vec<f64> {
            let packed = t.shape.structure.pack(t.shape.q, l);
            packed
                .iter()
                .zip(&t.free)
                .filter(|(_, f)| **f)
                .map(|(v, _)| *v)
                .collect()
        };
        self.terms.iter().zip(whitened).flat_map(of).collect()
    }

    /// Per term the gradient with respect to whitened Psi, `T'G T`.
    pub fn whitened_gradient(&self, derivatives: &Derivatives) -> Vec<Vec<f64>> {
        self.terms
            .iter()
            .zip(&derivatives.gradient)
            .map(|(t, g)| {
                let q = t.shape.q;
                let right = matmul(g, &t.whitener, q, q, q);
                matmul(&transpose(&t.whitener, q, q), &right, q, q, q)
            })
            .collect()
    }

    /// The gradient with respect to the free parameters: `2 G Lambda`.
    pub fn gradient(&self, x: &[f64], derivatives: &Derivatives) -> Vec<f64> {
        let whitened = self.whitened(x);
        let mut out = Vec::with_capacity(x.len());
        for ((t, g), l) in self
            .terms
            .iter()
            .zip(self.whitened_gradient(derivatives))
            .zip(&whitened)
        {
            let (q, s) = (t.shape.q, t.shape.structure);
            let full = matmul(&g, l, q, q, q);
            let packed = match s {
                Structure::Scalar => vec![(0..q).map(|j| full[j * q + j]).sum()],
                _ => s.pack(q, &full),
            };
            out.extend(
                packed
                    .iter()
                    .zip(&t.free)
                    .filter(|(_, f)| **f)
                    .map(|(v, _)| 2.0 * v),
            );
        }
        out
    }

    /// The same point with the columns of each unstructured term in the order of their pivots. Where the first diagonal
    /// element of Lambda is (almost) zero, those below it are (almost) a rotation of each other; in this order they are
    /// not. For derivatives only: T is no longer triangular.
    pub fn pivoted(&self, x: &[f64]) -> (Coordinates, Vec<f64>) {
        let mut terms = self.terms.clone();
        for (t, l) in terms.iter_mut().zip(self.whitened(x)) {
            if !t.is_unrestricted() || t.shape.structure != Structure::Unstructured {
                t.packed = t.shape.structure.pack(t.shape.q, &l);
                continue;
            }
            let q = t.shape.q;
            let psi = matmul(&l, &transpose(&l, q, q), q, q, q);
            let order = pivot_order(&psi, q);
            let permuted: Vec<f64> = (0..q * q).map(|k| psi[order[k / q] * q + order[k % q]]).collect();
            t.whitener = order
                .iter()
                .flat_map(|j| t.whitener[j * q..(j + 1) * q].to_vec())
                .collect();
            t.packed = t
                .shape
                .structure
                .pack(q, &semidefinite_cholesky(&permuted, q, 1e-14));
        }
        let pivoted = Coordinates { terms };
        let x = pivoted.start();
        (pivoted, x)
    }

    /// The derivative of the coordinates of Psi in the engine's basis with respect to all packed parameters, `r x r`
    /// column-major (row: direction, column: parameter).
    pub fn chain(&self, x: &[f64]) -> Vec<f64> {
        let map = |(t, l): (&TermCoordinates, &Vec<f64>)| {
            let len = t.shape.packed_len();
            let jacobian = t.shape.structure.jacobian(t.shape.q, l);
            matmul(&t.basis_map(), &jacobian, len, len, len)
        };
        let maps: Vec<Vec<f64>> = self.terms.iter().zip(&self.whitened(x)).map(map).collect();
        block_diagonal(&maps)
    }

    /// The places of the free parameters among all.
    pub fn free_places(&self) -> Vec<usize> {
        let all = self.terms.iter().flat_map(|t| &t.free).enumerate();
        all.filter(|(_, f)| **f).map(|(i, _)| i).collect()
    }

    /// The derivatives in the free parameters of something whose derivatives in the basis of Psi are known, engine's units.
    pub fn pull_back(&self, x: &[f64], in_basis: &[f64]) -> Vec<f64> {
        let (j, r) = (self.chain(x), in_basis.len());
        let places = self.free_places();
        places
            .iter()
            .map(|c| dot(&j[c * r..(c + 1) * r], in_basis))
            .collect()
    }

    /// The Hessian with respect to the free parameters, `J'H J + 2 (G (x) I)`, column-major.
    pub fn hessian(&self, x: &[f64], derivatives: &Derivatives) -> Vec<f64> {
        let (j, r) = (self.chain(x), square_size(&derivatives.hessian));
        let hj = matmul(&derivatives.hessian, &j, r, r, r);
        let mut h = matmul(&transpose(&j, r, r), &hj, r, r, r);
        let mut at = 0;
        for (t, g) in self.terms.iter().zip(self.whitened_gradient(derivatives)) {
            t.shape.structure.add_curvature(t.shape.q, &g, &mut h, r, at);
            at += t.shape.packed_len();
        }
        let free = self.free_places();
        free.iter()
            .flat_map(|c| free.iter().map(move |i| (*c, *i)))
            .map(|(c, i)| 0.5 * (h[c * r + i] + h[i * r + c]))
            .collect()
    }
}
