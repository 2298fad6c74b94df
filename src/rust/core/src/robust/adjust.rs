//! The adjustments of one cluster: `G_i` from `Q_i` and the root of `V_i`.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::matmul::matmul;
use faer::linalg::svd::{svd, svd_scratch, ComputeSvdVectors};
use faer::{Accum, Mat, MatRef, Par};

use crate::error::{Error, Result};

/// What is left of a direction, as a share, where a cluster is said to determine it alone.
const ALONE: f64 = 1e-11;

/// The thin singular value decomposition `U diag(s) V'` of an `r x c` matrix, on this thread alone.
struct Svd {
    u: Mat<f64>,
    s: Vec<f64>,
    v: Mat<f64>,
}

impl Svd {
    /// # Errors
    /// [`Error::Numerical`] when an entry is not finite or the iteration does not converge.
    fn new(a: &[f64], r: usize, c: usize) -> Result<Svd> {
        if a.iter().any(|v| !v.is_finite()) {
            return Err(Error::Numerical(
                "the rows of a cluster are outside the range of numbers".to_string(),
            ));
        }
        let k = r.min(c);
        let thin = ComputeSvdVectors::Thin;
        let need = svd_scratch::<f64>(r, c, thin, thin, Par::Seq, Default::default());
        let mut memory = MemBuffer::try_new(need)
            .map_err(|_| Error::invalid("memory", "no memory to decompose the rows of a cluster"))?;
        let (mut u, mut s, mut v) = (Mat::zeros(r, k), Diag::zeros(k), Mat::zeros(c, k));
        svd(
            MatRef::from_column_major_slice(a, r, c),
            s.as_mut(),
            Some(u.as_mut()),
            Some(v.as_mut()),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        )
        .map_err(|_| Error::Numerical("a singular value iteration did not converge".to_string()))?;
        let s = s.column_vector().iter().copied().collect();
        Ok(Svd { u, s, v })
    }
}

/// `A B` for matrices of any layout, on this thread alone.
fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

fn elements(a: &Mat<f64>) -> Vec<f64> {
    a.col_iter().flat_map(|c| c.iter().copied()).collect()
}

/// What is left of a direction of X outside the cluster, as a share; 0 where it is nothing but rounding.
fn rest(s: f64) -> f64 {
    let rest = (1.0 - s) * (1.0 + s);
    if rest > ALONE {
        rest
    } else {
        0.0
    }
}

/// `(I - Q Q')^-1 Q`.
pub fn jackknife(q: &[f64], r: usize, p: usize) -> Result<Vec<f64>> {
    let Svd { mut u, s, v } = Svd::new(q, r, p)?;
    for (j, s) in s.iter().enumerate() {
        let rest = rest(*s);
        let factor = if rest > 0.0 { s / rest } else { 0.0 };
        u.col_mut(j).iter_mut().for_each(|u| *u *= factor);
    }
    Ok(elements(&product(u.as_ref(), v.transpose())))
}

/// `T (T (I - Q Q') T)^(-1/2) Q` with `T = C'C`, through the singular values of `T (I - Q Q')^(1/2)`: nothing is squared.
pub fn bias_reduced(q: &[f64], root: &[f64], r: usize, p: usize) -> Result<Vec<f64>> {
    let root = MatRef::from_column_major_slice(root, r, r);
    let t = product(root.transpose(), root);
    let Svd { u, s, .. } = Svd::new(q, r, p)?;
    // (I - Q Q')^(1/2) = I - U diag(1 - sqrt(1 - s^2)) U'
    let mut scaled = u.clone();
    let mut alone = 0;
    for (j, s) in s.iter().enumerate() {
        let rest = rest(*s);
        alone += usize::from(rest == 0.0);
        let factor = rest.sqrt() - 1.0;
        scaled.col_mut(j).iter_mut().for_each(|u| *u *= factor);
    }
    let k = &t + product(product(t.as_ref(), scaled.as_ref()).as_ref(), u.transpose());
    let Svd { u, s, .. } = Svd::new(&elements(&k), r, r)?;
    let mut inner = product(u.transpose(), MatRef::from_column_major_slice(q, r, p));
    for column in inner.col_iter_mut() {
        for (j, v) in column.iter_mut().enumerate() {
            *v = if j < r - alone { *v / s[j] } else { 0.0 };
        }
    }
    let back = product(u.as_ref(), inner.as_ref());
    Ok(elements(&product(t.as_ref(), back.as_ref())))
}
