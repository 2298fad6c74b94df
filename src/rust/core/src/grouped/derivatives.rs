//! Downwards: gradient and Hessian with respect to Psi.
//!
//! Every node is seen in coordinates in which the rest of the model is simple. At the root these are the columns of
//! `L = [v sqrt(N/r2), R^-1]` with `v = (-beta, 1)` and `X'V^-1X = R'R`; going down past a node with own columns z they
//! are `[z, L']` with `L'` what is left of `L` once the node's effects take part (`L' = L - z K L`, `K` the regression of
//! z on the rest). With `U_i = T_i' A_i L` in these coordinates,
//!
//! ```text
//! G         = sum_i [ W_i - U_i Omega U_i' ],     W_i = T_i'T_i
//! H(E, F)   = sum_i tr( (2 U_i Omega U_i' - W_i) E W_i F )
//!             - M_E . M_F at the root,            M_E = - sum_i U_i'E U_i
//! ```
//!
//! where Omega is 1 for the residual, 1 or 0 (REML or ML) for the fixed effects, and the posterior `P` of each ancestor
//! for its z; N/r2 is the inverse of the residual variance, or 1/s where that is held at s. For one level this is Lindstrom and Bates (1988); between levels `M_E`, the derivative of what a subtree tells
//! its parent, is summed on the way back and enters the parent's part of the Hessian.
//!
//! Vignette "The algorithm": Eq. Gradient, Eq. Hessian.

use std::ops::Range;

use super::messages::{Inner, TangentParts};
use super::{Direction, Grouped};
use crate::criterion::{Derivatives, Order};
use crate::engine::Engine;
use crate::error::{zeros, Result};
use crate::linalg::{axpy, dot};
use crate::parallel::Workers;
use crate::reduction::Reduced;

/// Sums over the nodes of a chunk.
pub(super) struct Sums {
    /// Per level the gradient, `q x q`.
    gradient: Vec<Vec<f64>>,
    /// `r x r`, upper triangle.
    pub hessian: Vec<f64>,
    /// Per direction the derivative of the root's message, `(p+1) x (p+1)`, upper triangle.
    pub root: Vec<f64>,
    /// Per pair of directions, `(0, 0), (0, 1), (1, 1), ...`, the second derivative of the fixed effects' part of the
    /// root's message, `p x p`; see [`super::moments`].
    pub second: Vec<f64>,
}

/// What an inner node keeps while its children are visited.
#[derive(Clone, Default)]
pub(super) struct Open {
    /// `K L` in the node's coordinates, `q x g`.
    regression: Vec<f64>,
    /// The node's posterior `P`, `q x q`.
    pub posterior: Vec<f64>,
    /// Per direction of a deeper level the derivative of the message, `h x h` with `h = q + g`, upper triangle.
    tangents: Vec<f64>,
}

/// What does not change during a pass.
pub(super) struct Pass<'a> {
    pub reduced: &'a Reduced,
    workers: &'a Workers<'a>,
    pub psi: &'a [Vec<f64>],
    white: &'a [Vec<f64>],
    posterior: &'a [Vec<f64>],
    pub directions: &'a [Direction],
    /// `[v sqrt(N/r2), R^-1]`, `(p+1) x (p+1)`.
    root: Vec<f64>,
    omega: Omega,
    order: Order,
    /// Whether second derivatives of the root's message are summed.
    pub moments: bool,
    /// Per level the indices of its own directions, and of all deeper ones.
    pub own: Vec<Vec<usize>>,
    pub deeper: Vec<Vec<usize>>,
}

/// What of the root's coordinates takes part in Omega.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Omega {
    pub residual: bool,
    pub fixed: bool,
}

impl Grouped<'_> {
    pub(super) fn differentiate(&mut self, order: Order) -> Result<Derivatives> {
        let p = self.reduced.p();
        let reml_weight = self.estimation.reml_weight();
        let omega = Omega {
            residual: true,
            fixed: reml_weight > 0.0,
        };
        let mut total = self.sums(&self.pass(order, omega, false))?;
        if order == Order::Hessian {
            let r = self.directions.len();
            // nothing is profiled over a residual variance that is held
            let denominator = self.scale.map_or(self.denominator(), |_| f64::INFINITY);
            let follow = if self.fixed.is_some() { 0.0 } else { 1.0 };
            close_hessian(&mut total, r, p, (reml_weight, follow), denominator);
        }
        Ok(self.collect(total, order))
    }

    pub(super) fn pass(&self, order: Order, omega: Omega, moments: bool) -> Pass<'_> {
        let depths = self.reduced.levels.len();
        let pick = |f: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..self.directions.len())
                .filter(|d| f(self.directions[*d].level))
                .collect()
        };
        Pass {
            reduced: &self.reduced,
            workers: self.workers,
            psi: &self.psi,
            white: &self.white,
            posterior: &self.posterior,
            directions: &self.directions,
            root: self.root_coordinates(),
            omega,
            order,
            moments,
            own: (0..depths).map(|l| pick(&|level| level == l)).collect(),
            deeper: (0..depths).map(|l| pick(&|level| level > l)).collect(),
        }
    }

    /// The sums over all nodes.
    pub(super) fn sums(&self, pass: &Pass<'_>) -> Result<Sums> {
        let sums = self
            .workers
            .map(self.reduced.chunks.clone(), |range| Down::run(pass, range))?;
        let mut sums = sums.into_iter();
        let mut total = match sums.next() {
            Some(first) => first,
            None => pass.empty()?,
        };
        for part in sums {
            total.add(&part);
        }
        Ok(total)
    }

    /// The residual variance at which derivatives are taken.
    fn residual_variance(&self) -> f64 {
        self.scale.unwrap_or(self.root.r2 / self.denominator())
    }

    fn root_coordinates(&self) -> Vec<f64> {
        let p = self.reduced.p();
        let d = p + 1;
        let mut l = vec![0.0; d * d];
        let scale = 1.0 / self.residual_variance().sqrt();
        for (to, beta) in l.iter_mut().zip(&self.root.beta) {
            *to = -beta * scale;
        }
        l[p] = scale;
        for j in 0..p {
            l[(j + 1) * d..(j + 1) * d + p].copy_from_slice(&self.root.r_inverse[j * p..(j + 1) * p]);
        }
        l
    }

    /// Per term gradients from the sums.
    pub(super) fn gradient_of_terms(&self, sums: &Sums) -> Vec<Vec<f64>> {
        let mut gradient = vec![Vec::new(); self.shapes.len()];
        for (depth, level) in self.reduced.levels.iter().enumerate() {
            for (t, offset) in &level.terms {
                let (q, n) = (self.shapes[*t].q, level.q);
                let at = |i: usize, j: usize| sums.gradient[depth][(offset + j) * n + offset + i];
                gradient[*t] = (0..q * q).map(|k| at(k % q, k / q)).collect();
            }
        }
        gradient
    }

    /// Per term gradients and the symmetric Hessian from the sums.
    fn collect(&self, sums: Sums, order: Order) -> Derivatives {
        let gradient = self.gradient_of_terms(&sums);
        if order == Order::Gradient {
            let (hessian, r2_gradient, beta_gradient) = Default::default();
            return Derivatives {
                gradient,
                hessian,
                r2_gradient,
                beta_gradient,
            };
        }
        let (r, d) = (self.directions.len(), self.reduced.p() + 1);
        let hessian = mirrored(sums.hessian, r);
        let per_unit = self.residual_variance();
        let r2_gradient = (0..r).map(|j| sums.root[j * d * d] * per_unit).collect();
        let beta_gradient = (0..r)
            .flat_map(|j| self.beta_gradient(&sums.root[j * d * d..(j + 1) * d * d]))
            .collect();
        Derivatives {
            gradient,
            hessian,
            r2_gradient,
            beta_gradient,
        }
    }

    /// `d beta = S (M v)_x` for the derivative M of the root's message.
    fn beta_gradient(&self, message: &[f64]) -> Vec<f64> {
        let p = self.reduced.p();
        let scale = self.residual_variance().sqrt();
        let in_coordinates = |k: usize| message[(k + 1) * (p + 1)];
        (0..p)
            .map(|i| {
                scale
                    * (i..p)
                        .map(|k| self.root.r_inverse[k * p + i] * in_coordinates(k))
                        .sum::<f64>()
            })
            .collect()
    }
}

/// The symmetric matrix with a given upper triangle.
pub(super) fn mirrored(mut upper: Vec<f64>, r: usize) -> Vec<f64> {
    for j in 0..r {
        for k in 0..j {
            upper[k * r + j] = upper[j * r + k];
        }
    }
    upper
}

/// The curvature that arises at the root, where the messages of all groups meet. The weights are those of REML's part and
/// of what the fixed effects take up: 0 where they are held.
fn close_hessian(sums: &mut Sums, r: usize, p: usize, weights: (f64, f64), denominator: f64) {
    let (reml_weight, follow) = weights;
    let d = p + 1;
    for k in 0..r {
        for j in 0..=k {
            let (a, b) = (
                &sums.root[j * d * d..(j + 1) * d * d],
                &sums.root[k * d * d..(k + 1) * d * d],
            );
            let mut h = a[0] * b[0] / denominator;
            for c in 1..d {
                h += 2.0 * follow * a[c * d] * b[c * d];
                let above = dot(&a[c * d + 1..c * d + c], &b[c * d + 1..c * d + c]);
                h += reml_weight * (2.0 * above + a[c * d + c] * b[c * d + c]);
            }
            sums.hessian[k * r + j] -= h;
        }
    }
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        let add = |a: &mut Vec<f64>, b: &Vec<f64>| a.iter_mut().zip(b).for_each(|(x, y)| *x += y);
        self.gradient
            .iter_mut()
            .zip(&other.gradient)
            .for_each(|(a, b)| add(a, b));
        add(&mut self.hessian, &other.hessian);
        add(&mut self.root, &other.root);
        add(&mut self.second, &other.second);
    }
}

impl Pass<'_> {
    fn empty(&self) -> Result<Sums> {
        let r = if self.order == Order::Hessian {
            self.directions.len()
        } else {
            0
        };
        let (p, d) = (self.reduced.p(), self.reduced.p() + 1);
        let pairs = if self.moments { r * (r + 1) / 2 } else { 0 };
        Ok(Sums {
            gradient: self.reduced.levels.iter().map(|l| vec![0.0; l.q * l.q]).collect(),
            hessian: vec![0.0; r * r],
            root: vec![0.0; r * d * d],
            second: zeros(pairs * p * p, "the second derivatives of X'V^-1X")?,
        })
    }

    /// The number of coordinates in which the nodes of a level see the rest.
    pub fn coordinates(&self, depth: usize) -> usize {
        self.reduced.levels[depth].width - self.reduced.levels[depth].q
    }

    /// `A Omega` for a matrix of `q` rows in the coordinates of a level.
    pub(super) fn times_omega(&self, depth: usize, open: &[Open], a: &[f64], q: usize, out: &mut Vec<f64>) {
        out.clear();
        out.resize(a.len(), 0.0);
        let mut first = 0;
        for above in (0..depth).rev() {
            let k = self.reduced.levels[above].q;
            for c in 0..k {
                for i in 0..k {
                    let (to, from) = ((first + c) * q, (first + i) * q);
                    axpy(
                        open[above].posterior[c * k + i],
                        &a[from..from + q],
                        &mut out[to..to + q],
                    );
                }
            }
            first += k;
        }
        if self.omega.residual {
            out[first * q..(first + 1) * q].copy_from_slice(&a[first * q..(first + 1) * q]);
        }
        if self.omega.fixed {
            out[(first + 1) * q..].copy_from_slice(&a[(first + 1) * q..]);
        }
    }
}

/// The walk downwards over one chunk.
pub(super) struct Down<'a> {
    pub pass: &'a Pass<'a>,
    pub sums: Sums,
    open: Vec<Open>,
    /// Scratch: `A L` (`m x g`), `U` (`q x g`), `U Omega`, `W`, `2 Gamma - W`.
    al: Vec<f64>,
    row: Vec<f64>,
    pub u: Vec<f64>,
    /// The rows of U.
    u_rows: Vec<f64>,
    u_omega: Vec<f64>,
    pub w: Vec<f64>,
    x: Vec<f64>,
}

impl<'a> Down<'a> {
    fn run(pass: &'a Pass<'a>, range: Range<usize>) -> Result<Sums> {
        let mut down = Down {
            pass,
            sums: pass.empty()?,
            open: vec![Open::default(); pass.reduced.levels.len()],
            al: Vec::new(),
            row: Vec::new(),
            u: Vec::new(),
            u_rows: Vec::new(),
            u_omega: Vec::new(),
            w: Vec::new(),
            x: Vec::new(),
        };
        for node in range {
            down.subtree(0, node)?;
        }
        Ok(down.sums)
    }

    fn subtree(&mut self, depth: usize, node: usize) -> Result<()> {
        self.pass.workers.check()?;
        self.enter(depth, node);
        if depth == self.pass.reduced.tree.leaf_level() {
            return Ok(());
        }
        let (u_omega, w) = (self.u_omega.clone(), self.w.clone());
        let u = if self.pass.moments {
            self.u.clone()
        } else {
            Vec::new()
        };
        self.open_node(depth, node);
        for child in self.pass.reduced.tree.children(depth, node) {
            self.subtree(depth + 1, child)?;
        }
        if self.pass.order == Order::Hessian {
            self.leave(depth, &u_omega, &w, &u);
        }
        Ok(())
    }

    /// The node's own part of all sums.
    fn enter(&mut self, depth: usize, node: usize) {
        self.project(depth, node);
        let q = self.pass.reduced.levels[depth].q;
        let g = self.pass.coordinates(depth);
        self.pass
            .times_omega(depth, &self.open, &self.u, q, &mut self.u_omega);
        self.x.clear();
        self.x.resize(q * q, 0.0);
        for c in 0..g {
            for j in 0..q {
                let v = self.u[c * q + j];
                axpy(
                    v,
                    &self.u_omega[c * q..(c + 1) * q],
                    &mut self.x[j * q..(j + 1) * q],
                );
            }
        }
        for ((sum, w), gamma) in self.sums.gradient[depth]
            .iter_mut()
            .zip(&self.w)
            .zip(self.x.iter_mut())
        {
            *sum += w - *gamma;
            *gamma = 2.0 * *gamma - w;
        }
        if self.pass.order == Order::Hessian {
            self.own_hessian(depth, q);
            self.own_tangents(depth, q, g);
            if self.pass.moments {
                self.own_second(depth);
            }
        }
    }

    /// `U = T'A L` and `W = T'T`.
    fn project(&mut self, depth: usize, node: usize) {
        let pass = self.pass;
        let reduced = pass.reduced;
        let level = &reduced.levels[depth];
        let (q, g) = (level.q, pass.coordinates(depth));
        let m = level.rows[node] as usize;
        let block = &pass.white[depth][level.start[node]..level.start[node + 1]];
        let (t, a) = block.split_at(m * q);
        let d = reduced.p() + 1;
        let outer = g - d;
        self.al.clear();
        self.al.extend_from_slice(&a[..m * outer]);
        self.al.resize(m * g, 0.0);
        let xy = &a[m * outer..];
        self.row.resize(d, 0.0);
        for r in 0..m {
            for (v, column) in self.row.iter_mut().zip(xy.chunks_exact(m)) {
                *v = column[r];
            }
            // the first column of the coordinates is full, the others are those of an upper triangle
            for (c, column) in pass.root.chunks_exact(d).enumerate() {
                let last = if c == 0 { d } else { c };
                self.al[m * (outer + c) + r] = dot(&column[..last], &self.row[..last]);
            }
        }
        // from the outermost ancestor inwards: what its effects explain is taken out of the coordinates beyond it
        for above in 0..depth {
            let z: usize = reduced.levels[above + 1..depth].iter().map(|l| l.q).sum();
            let k = reduced.levels[above].q;
            let beyond = z + k;
            let regression = &self.open[above].regression;
            for c in 0..g - beyond {
                for i in 0..k {
                    let coefficient = -regression[c * k + i];
                    axpy(
                        coefficient,
                        &a[(z + i) * m..(z + i + 1) * m],
                        &mut self.al[(beyond + c) * m..(beyond + c + 1) * m],
                    );
                }
            }
        }
        transpose_multiply(t, &self.al, m, q, g, &mut self.u);
        transpose_multiply(t, t, m, q, q, &mut self.w);
    }

    /// `tr((2 Gamma - W) E W F)` for all pairs of the level's directions.
    fn own_hessian(&mut self, depth: usize, q: usize) {
        let (pass, r) = (self.pass, self.pass.directions.len());
        let own = &pass.own[depth];
        for (position, k) in own.iter().enumerate() {
            for j in &own[..=position] {
                let mut sum = 0.0;
                for (a, b) in &pass.directions[*j].pairs {
                    for (c, d) in &pass.directions[*k].pairs {
                        sum += self.x[a * q + d] * self.w[c * q + b];
                    }
                }
                self.sums.hessian[k * r + j] += sum;
            }
        }
    }

    /// Add `-U'E U` to the message of the level above, for each of the level's directions.
    fn own_tangents(&mut self, depth: usize, q: usize, g: usize) {
        let pass = self.pass;
        self.u_rows.clear();
        for a in 0..q {
            self.u_rows.extend(self.u.iter().skip(a).step_by(q));
        }
        // under ML nothing depends on what is between fixed effects only
        let residual = g - (pass.reduced.p() + 1);
        let last = if pass.omega.fixed || pass.moments {
            g
        } else {
            residual
        };
        for j in &pass.own[depth] {
            let target = match depth {
                0 => &mut self.sums.root[j * g * g..(j + 1) * g * g],
                _ => {
                    let place = position(&pass.deeper[depth - 1], *j);
                    &mut self.open[depth - 1].tangents[place * g * g..(place + 1) * g * g]
                }
            };
            for (a, b) in &pass.directions[*j].pairs {
                let (ua, ub) = (&self.u_rows[a * g..(a + 1) * g], &self.u_rows[b * g..(b + 1) * g]);
                for (c, (column, v)) in target.chunks_exact_mut(g).zip(ub).enumerate() {
                    let rows = c.min(last) + 1;
                    axpy(-v, &ua[..rows], &mut column[..rows]);
                }
            }
        }
    }

    /// Prepare an inner node for its children.
    fn open_node(&mut self, depth: usize, node: usize) {
        let pass = self.pass;
        let q = pass.reduced.levels[depth].q;
        let g = pass.coordinates(depth);
        let h = q + g;
        let open = &mut self.open[depth];
        open.regression.clear();
        open.regression.resize(q * g, 0.0);
        for c in 0..g {
            for i in 0..q {
                axpy(
                    self.u[c * q + i],
                    &pass.psi[depth][i * q..(i + 1) * q],
                    &mut open.regression[c * q..(c + 1) * q],
                );
            }
        }
        open.posterior.clear();
        open.posterior
            .extend_from_slice(&pass.posterior[depth][node * q * q..(node + 1) * q * q]);
        let count = if pass.order == Order::Hessian {
            pass.deeper[depth].len()
        } else {
            0
        };
        open.tangents.clear();
        open.tangents.resize(count * h * h, 0.0);
    }

    /// What the derivatives of the children's messages add at an inner node, and what of them goes on to its parent.
    fn leave(&mut self, depth: usize, u_omega: &[f64], w: &[f64], u: &[f64]) {
        let pass = self.pass;
        let (q, g) = (pass.reduced.levels[depth].q, pass.coordinates(depth));
        let h = q + g;
        let open = std::mem::take(&mut self.open[depth]);
        let inner = Inner {
            q,
            g,
            pass,
            depth,
            open: &open,
            open_above: &self.open[..depth],
        };
        let parts: Vec<TangentParts> = (0..pass.deeper[depth].len())
            .map(|position| {
                inner.parts(
                    &open.tangents[position * h * h..(position + 1) * h * h],
                    u_omega,
                    w,
                )
            })
            .collect();
        if pass.moments {
            self.deeper_second(depth, &parts, u);
        }
        let r = pass.directions.len();
        for (x, k) in pass.deeper[depth].iter().enumerate() {
            for (y, j) in pass.deeper[depth][..=x].iter().enumerate() {
                self.sums.hessian[at(r, *j, *k)] -= parts[x].between(&parts[y], q);
            }
            for j in &pass.own[depth] {
                let own = &pass.directions[*j].pairs;
                let sum: f64 = own.iter().map(|(a, b)| parts[x].local[a * q + b]).sum();
                self.sums.hessian[at(r, *j, *k)] += sum;
            }
            let (target, size) = match depth {
                0 => (&mut self.sums.root, k * g * g),
                _ => {
                    let place = position(&pass.deeper[depth - 1], *k);
                    (&mut self.open[depth - 1].tangents, place * g * g)
                }
            };
            let tangent = &open.tangents[x * h * h..(x + 1) * h * h];
            for c in 0..g {
                let from = &tangent[(q + c) * h + q..(q + c) * h + q + c + 1];
                axpy(1.0, from, &mut target[size + c * g..size + c * g + c + 1]);
            }
        }
        self.open[depth] = open;
    }
}

/// The place of an element in a sorted list that holds it.
fn position(list: &[usize], element: usize) -> usize {
    list.partition_point(|v| *v < element)
}

/// The place of element `(j, k)` in the upper triangle of an `r x r` matrix.
fn at(r: usize, j: usize, k: usize) -> usize {
    j.max(k) * r + j.min(k)
}

/// `out = T'B` for `T` (`m x q`) and `B` (`m x n`).
fn transpose_multiply(t: &[f64], b: &[f64], m: usize, q: usize, n: usize, out: &mut Vec<f64>) {
    out.clear();
    for c in 0..n {
        for i in 0..q {
            out.push(dot(&t[i * m..(i + 1) * m], &b[c * m..(c + 1) * m]));
        }
    }
}
