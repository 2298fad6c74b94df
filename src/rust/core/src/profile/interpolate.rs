//! Between and beyond the points of a profile.

use crate::linalg::axpy;

/// A point as the walk sees it.
#[derive(Clone)]
pub struct Node {
    /// The position of the held parameter.
    pub u: f64,
    /// The other parameters.
    pub x: Vec<f64>,
    /// Signed root of the difference of deviances.
    pub zeta: f64,
    /// `d zeta / du`.
    pub rate: f64,
}

/// The polynomial through the last nodes.
pub fn extrapolate(trail: &[Node], u: f64) -> Vec<f64> {
    let mut x = vec![0.0; trail[0].x.len()];
    for (i, node) in trail.iter().enumerate() {
        let others = trail.iter().enumerate().filter(|(k, _)| *k != i);
        let weight: f64 = others.map(|(_, o)| (u - o.u) / (node.u - o.u)).product();
        axpy(weight, &node.x, &mut x);
    }
    x
}

/// Where zeta has a value, by the cubic that u is of zeta between two nodes.
pub fn inverse_hermite(a: &Node, b: &Node, zeta: f64) -> f64 {
    let (width, rise) = (b.u - a.u, b.zeta - a.zeta);
    let t = (zeta - a.zeta) / rise;
    let slope = |n: &Node| {
        let s = rise / n.rate;
        if n.rate.is_finite() && s * width > 0.0 && s.abs() < 3.0 * width.abs() {
            s
        } else {
            width
        }
    };
    let (t2, t3) = (t * t, t * t * t);
    a.u + width * (3.0 * t2 - 2.0 * t3) + slope(a) * (t3 - 2.0 * t2 + t) + slope(b) * (t3 - t2)
}
