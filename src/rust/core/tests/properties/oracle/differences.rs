//! Numerical derivatives: central differences with Richardson's extrapolation, of numbers with 32 digits.

use super::dense::Matrix;
use super::real::{Double, Real};

/// A function of several variables; `None` where it is not defined.
pub type Function<'f> = &'f dyn Fn(&[Double]) -> Option<Double>;

const STEPS: [f64; 2] = [1.0, 0.5];

fn moved(x: &[f64], by: &[(usize, f64)]) -> Vec<Double> {
    let mut at: Vec<Double> = x.iter().map(|v| Double::from(*v)).collect();
    by.iter().for_each(|(j, h)| at[*j] += Double::from(*h));
    at
}

/// The gradient, with a step for each variable.
pub fn gradient(f: Function<'_>, x: &[f64], steps: &[f64]) -> Option<Vec<f64>> {
    let mut out = Vec::new();
    for (j, step) in steps.iter().enumerate() {
        let mut d = Vec::new();
        for s in STEPS {
            let h = s * step;
            let rise = f(&moved(x, &[(j, h)]))? - f(&moved(x, &[(j, -h)]))?;
            d.push(rise / Double::from(2.0 * h));
        }
        out.push(extrapolated(&d));
    }
    Some(out)
}

/// The Hessian.
pub fn hessian(f: Function<'_>, x: &[f64], steps: &[f64]) -> Option<Matrix<f64>> {
    let m = x.len();
    let mut out = Matrix::zeros(m, m);
    let middle = f(&moved(x, &[]))?;
    for i in 0..m {
        for j in 0..=i {
            let mut d = Vec::new();
            for s in STEPS {
                let (a, b) = (s * steps[i], s * steps[j]);
                let second = if i == j {
                    let both = f(&moved(x, &[(i, a)]))? + f(&moved(x, &[(i, -a)]))?;
                    (both - middle - middle) / Double::from(a * a)
                } else {
                    let at = |u: f64, v: f64| f(&moved(x, &[(i, u * a), (j, v * b)]));
                    let same = at(1.0, 1.0)? + at(-1.0, -1.0)?;
                    let other = at(1.0, -1.0)? + at(-1.0, 1.0)?;
                    (same - other) / Double::from(4.0 * a * b)
                };
                d.push(second);
            }
            let value = extrapolated(&d);
            out.add_to(i, j, value);
            if i != j {
                out.add_to(j, i, value);
            }
        }
    }
    Some(out)
}

/// From steps of h and h / 2, with errors of the order of h squared.
fn extrapolated(d: &[Double]) -> f64 {
    ((Double::from(4.0) * d[1] - d[0]) / Double::from(3.0)).to_f64()
}

#[test]
fn derivatives_have_the_digits_of_a_double() {
    let f = |x: &[Double]| Some((x[0] * x[0] * x[1]).ln() + x[0] * x[1]);
    let (x, steps) = ([1.3, 0.4], [1e-4, 1e-4]);
    let g = gradient(&f, &x, &steps).unwrap();
    assert!((g[0] - (2.0 / 1.3 + 0.4)).abs() < 1e-14 && (g[1] - (1.0 / 0.4 + 1.3)).abs() < 1e-13);
    let h = hessian(&f, &x, &steps).unwrap();
    assert!((h.get(0, 0) + 2.0 / 1.69).abs() < 1e-13 && (h.get(1, 0) - 1.0).abs() < 1e-13);
    assert!((h.get(1, 1) + 6.25).abs() < 1e-12);
}
