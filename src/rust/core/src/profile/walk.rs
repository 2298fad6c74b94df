//! From the optimum outwards, in steps of zeta.

use crate::criterion::Order;
use crate::error::{Error, Result};
use crate::linalg::{axpy, dot, symmetric_eigen};

use super::inner::{Inner, Solved};
use super::interpolate::{extrapolate, inverse_hermite, Node};
use super::joint::Joint;
use super::path::{Parameter, Path};

/// How far to go, and in what steps.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The walk ends where `|zeta|` reaches this.
    pub cutoff: f64,
    /// The distance of points in zeta.
    pub delta: f64,
    /// The most points on each side.
    pub max_points: usize,
    /// Whether the last point is to have `|zeta| = cutoff` exactly, instead of the first that is not below it.
    pub exact: bool,
}

/// Why a side of a profile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `|zeta|` reached the cut-off.
    Cutoff,
    /// The parameter reached the end of its range (0, -1, 1).
    Boundary,
    /// There were as many points as allowed.
    MaxPoints,
    /// No minimum was found over the other parameters.
    Failed,
}

impl End {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            End::Cutoff => "cutoff",
            End::Boundary => "boundary",
            End::MaxPoints => "maxpts",
            End::Failed => "failed",
        }
    }
}

/// One point of a profile.
#[derive(Debug, Clone)]
pub struct Point {
    /// Signed root of the difference of deviances.
    pub zeta: f64,
    /// The derivative of zeta in the held parameter; NaN where it is not defined.
    pub slope: f64,
    /// All parameters, user's scale: those of the request, sigma, fixed effects.
    pub values: Vec<f64>,
    /// The deviance.
    pub deviance: f64,
    /// Whether the minimum over the other parameters was reached.
    pub converged: bool,
}

/// The best fit with one of the effects of a correlation at zero.
pub struct Plateau {
    /// Which element of x is zero.
    zero: usize,
    x: Vec<f64>,
    deviance: f64,
}

/// A step that gained more than this many deltas is taken back.
const TOO_FAR: f64 = 1.6;
/// How often a step is shortened.
const TRIES: usize = 8;
/// How often other minima are looked for on a side.
const LOOKS: usize = 3;
/// How close zeta comes to the cut-off where it must be exact.
const EXACT: f64 = 1e-7;

/// The walk along one parameter.
pub struct Walk<'j, 'e> {
    pub joint: &'j mut Joint<'e>,
    pub path: Path,
    /// The parameters to report: standard deviations and correlations.
    pub elements: &'j [Parameter],
    pub settings: Settings,
    /// The deviance at the optimum.
    pub lowest: f64,
    /// The place of the parameter among those that are reported.
    pub place: usize,
    /// For a correlation, once it is known.
    pub plateau: Option<Plateau>,
    /// See [`Inner`].
    pub correction: Vec<f64>,
    /// The fixed effect that is held, and `(factor, shift)` with `c (engine) = factor (c - shift)`.
    pub effect: Option<(usize, f64, f64)>,
}

impl Walk<'_, '_> {
    /// All points in ascending order, and how the lower and the upper side ended.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn run(&mut self, u: f64, x: Vec<f64>) -> Result<(Vec<Point>, [End; 2])> {
        let (node, point) = self.centre(u, x)?;
        let correction = self.correction.clone();
        let (up, upper, ahead) = self.side(vec![node.clone()], 1.0)?;
        let mut trail: Vec<Node> = ahead.into_iter().collect();
        trail.push(node);
        self.correction = correction;
        let (down, lower, _) = self.side(trail, -1.0)?;
        let mut points: Vec<Point> = down.into_iter().rev().collect();
        points.push(point);
        points.extend(up);
        Ok((points, [lower, upper]))
    }

    /// The optimum, with the slope of zeta there: the curvature of the profile.
    fn centre(&mut self, u: f64, x: Vec<f64>) -> Result<(Node, Point)> {
        let full = self.path.full(&x, u);
        self.joint.value(&self.path.coordinates, &full)?;
        self.correction = vec![0.0; x.len() * x.len()];
        if self.joint.engine.stepping() != Order::Hessian {
            let average = self.joint.slopes(&self.path.coordinates, Order::Average)?;
            let average = self.path.reduce(&x, u, &average).hessian;
            axpy(-1.0, &average, &mut self.correction);
        }
        let slopes = self.joint.slopes(&self.path.coordinates, Order::Hessian)?;
        let mut reduced = self.path.reduce(&x, u, &slopes);
        if self.joint.engine.stepping() != Order::Hessian {
            axpy(1.0, &reduced.hessian, &mut self.correction);
        }
        if let Some((j, factor, _)) = self.effect {
            let (_, s_jj, own) = self.joint.effect(j, Some(&self.path.coordinates))?;
            let weight = 2.0 * factor / (s_jj * (2.0 * full[full.len() - 1]).exp());
            reduced.second = weight * factor;
            reduced.mixed = own.iter().map(|v| -weight * v).chain([0.0]).collect();
        }
        let mut curvature = reduced.second;
        if !x.is_empty() {
            let eigen = symmetric_eigen(&reduced.hessian, x.len())?;
            let least = 1e-12 * eigen.values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
            for (j, v) in eigen.values.iter().enumerate().filter(|(_, v)| **v > least) {
                curvature -= dot(eigen.vector(j), &reduced.mixed).powi(2) / v;
            }
        }
        let rate = if curvature > 1e-10 * reduced.second.abs() {
            (0.5 * curvature).sqrt()
        } else {
            f64::NAN
        };
        let point = Point {
            zeta: 0.0,
            slope: self.user_slope(u, rate),
            values: self.held_values(u, &full, None),
            deviance: self.lowest,
            converged: true,
        };
        let node = Node {
            u,
            x,
            zeta: 0.0,
            rate,
        };
        Ok((node, point))
    }

    fn user_slope(&self, u: f64, rate: f64) -> f64 {
        match self.path.user(u).1 {
            0.0 => f64::NAN,
            derivative => rate / derivative,
        }
    }

    /// The points on one side, why it ended, and the first of its nodes. `trail` ends with the optimum.
    fn side(&mut self, mut trail: Vec<Node>, sign: f64) -> Result<(Vec<Point>, End, Option<Node>)> {
        let (low, high) = self.path.limits();
        let limit = if sign > 0.0 { high } else { low };
        let (mut points, mut first) = (Vec::new(), None);
        let start = trail[trail.len() - 1].clone();
        let tau = start.x.last().copied().unwrap_or(0.0);
        let smallest = self.path.step(tau);
        if (limit - start.u) * sign <= 1e-9 * smallest {
            return Ok((points, End::Boundary, first));
        }
        let mut step = self.settings.delta / start.rate;
        if !step.is_finite() {
            step = smallest;
        }
        let (before, mut tries, mut looks) = (trail.len(), 0, LOOKS);
        while points.len() < self.settings.max_points {
            let mut last = trail[trail.len() - 1].clone();
            let room = (limit - last.u) * sign;
            // what is left behind the next point is not worth another one
            let ends = step > 0.98 * room;
            let u = if ends { limit } else { last.u + sign * step };
            if u == last.u {
                return Ok((points, End::Failed, first));
            }
            let found = self.at(u, &trail, sign)?;
            let gained = found
                .as_ref()
                .map_or(f64::INFINITY, |(n, _)| (n.zeta - last.zeta) * sign);
            let converged = found.as_ref().is_some_and(|(_, p)| p.converged);
            if (!converged || gained > TOO_FAR * self.settings.delta) && tries < TRIES {
                tries += 1;
                step = step.min(room) * self.shorter(converged, gained);
                continue;
            }
            let Some((mut node, mut point)) = found else {
                return Ok((points, End::Failed, first));
            };
            tries = 0;
            if converged && looks > 0 && (ends || node.zeta.abs() >= self.settings.cutoff - EXACT) {
                looks -= 1;
                (node, point) =
                    self.lowest_end(&start, (node, point), &mut trail[before..], &mut points, sign)?;
                last = trail[trail.len() - 1].clone();
            }
            points.push(point);
            if !converged {
                return Ok((points, End::Failed, first));
            }
            first.get_or_insert_with(|| node.clone());
            if node.zeta.abs() >= self.settings.cutoff - EXACT {
                if self.settings.exact && node.zeta.abs() > self.settings.cutoff + EXACT {
                    points.pop();
                    points.extend(self.refine(last, node, sign)?);
                }
                return Ok((points, End::Cutoff, first));
            }
            if ends {
                return Ok((points, End::Boundary, first));
            }
            step = self.next_step(&last, &node, sign);
            trail.push(node);
        }
        Ok((points, End::MaxPoints, first))
    }

    /// The part of a step to try next, after one that gained too much or did not arrive.
    fn shorter(&self, converged: bool, gained: f64) -> f64 {
        if converged {
            (self.settings.delta / gained).clamp(0.1, 0.7)
        } else {
            0.4
        }
    }

    /// The length of the step that is expected to gain delta, or what is missing where the end must be exact.
    fn next_step(&self, last: &Node, node: &Node, sign: f64) -> f64 {
        let mut gain = self.settings.delta;
        let missing = self.settings.cutoff - node.zeta.abs();
        if self.settings.exact && missing < 1.3 * gain {
            gain = missing;
        }
        let before = (node.u - last.u).abs();
        // zeta = gain, by its derivative and the change of that
        let bend = sign * (node.rate - last.rate) / (node.u - last.u);
        let square = node.rate * node.rate + 2.0 * bend * gain;
        let mut step = if square > 0.0 {
            2.0 * gain / (node.rate + square.sqrt())
        } else {
            gain / node.rate
        };
        if !(node.rate > 0.0 && step.is_finite()) {
            step = 2.0 * before;
        }
        let least = if self.settings.exact { 0.0 } else { 0.2 * before };
        step.clamp(least, 3.0 * before)
    }

    /// The best fit with the parameter at `u`, starting from where the last points lead to.
    pub(super) fn at(&mut self, u: f64, trail: &[Node], sign: f64) -> Result<Option<(Node, Point)>> {
        let last = &trail[trail.len() - 1];
        let mut starts = vec![last.x.clone()];
        if trail.len() > 1 {
            starts.push(extrapolate(&trail[trail.len().saturating_sub(3)..], u));
        }
        if let Some((j, factor, shift)) = self.effect {
            self.joint.engine.hold_effect(Some((j, factor * (u - shift))))?;
        }
        let solved = self.feasible(u, starts);
        let result = match solved {
            Ok(Some(solved)) => self.report(u, solved, sign).map(Some),
            Ok(None) | Err(Error::Numerical(_)) => Ok(None),
            Err(e) => Err(e),
        };
        self.joint.engine.hold_effect(None)?;
        result
    }

    fn solve(&mut self, u: f64, starts: Vec<Vec<f64>>, zero: Option<usize>) -> Result<Option<Solved>> {
        let mut inner = Inner {
            joint: &mut *self.joint,
            path: &self.path,
            correction: &mut self.correction,
            u,
            zero,
        };
        inner.solve(starts)
    }

    /// The minimum where effects have the sizes that they may have: at zero where it would lie beyond, or is lower. With an
    /// effect at zero the deviance does not depend on its correlations, so that this minimum is found once.
    fn feasible(&mut self, u: f64, starts: Vec<Vec<f64>>) -> Result<Option<Solved>> {
        let Some([a, b]) = self.path.sizes() else {
            return self.solve(u, starts, None);
        };
        if self.plateau.is_none() {
            for zero in [a, b] {
                let found = self.solve(u, vec![starts[0].clone()], Some(zero))?;
                let lower = |s: &Solved| self.plateau.as_ref().is_none_or(|p| s.deviance < p.deviance);
                if let Some(s) = found.filter(|s| s.converged && lower(s)) {
                    let (deviance, x) = (s.deviance, s.x);
                    self.plateau = Some(Plateau { zero, x, deviance });
                }
            }
        }
        let last = starts[0].clone();
        let inside = |s: &Solved| s.x[a] * s.x[b] >= 0.0;
        let mut free = self.solve(u, starts, None)?.filter(inside);
        if free.is_none() {
            free = self.solve(u, vec![last], None)?.filter(inside);
        }
        match (&free, &self.plateau) {
            (Some(s), Some(p)) if s.deviance <= p.deviance => Ok(free),
            (_, None) => Ok(free),
            (_, Some(p)) => self.solve(u, vec![p.x.clone()], Some(p.zero)),
        }
    }

    /// What is known at a solution, at which the engine is.
    fn report(&mut self, u: f64, solved: Solved, sign: f64) -> Result<(Node, Point)> {
        let full = self.path.full(&solved.x, u);
        let values = self.held_values(u, &full, Some(u));
        let mut along = solved.slopes.along;
        if let Some((j, factor, shift)) = self.effect {
            self.joint.engine.hold_effect(None)?;
            self.joint.value(&self.path.coordinates, &full)?;
            let (beta, s_jj, _) = self.joint.effect(j, None)?;
            let s = (2.0 * full[full.len() - 1]).exp();
            along = 2.0 * factor * (factor * (u - shift) - beta) / (s_jj * s);
        }
        let zeta = sign * (solved.deviance - self.lowest).max(0.0).sqrt();
        let rate = along / (2.0 * zeta);
        let point = Point {
            zeta,
            slope: self.user_slope(u, rate),
            values,
            deviance: solved.deviance,
            converged: solved.converged,
        };
        let node = Node {
            u,
            x: solved.x,
            zeta,
            rate,
        };
        Ok((node, point))
    }

    /// The point between two where `|zeta|` is the cut-off.
    fn refine(&mut self, mut inside: Node, mut outside: Node, sign: f64) -> Result<Option<Point>> {
        let target = sign * self.settings.cutoff;
        let mut best = None;
        for attempt in 0..40 {
            let mut u = inverse_hermite(&inside, &outside, target);
            let share = (u - inside.u) / (outside.u - inside.u);
            if !(share > 0.0 && share < 1.0) || attempt % 8 == 7 {
                u = 0.5 * (inside.u + outside.u);
            }
            let Some((node, point)) = self.at(u, &[outside.clone(), inside.clone()], sign)? else {
                break;
            };
            let missing = (target - node.zeta) * sign;
            best = Some(point);
            if missing.abs() <= EXACT || (outside.u - inside.u).abs() <= 1e-14 * u.abs() {
                break;
            }
            if missing > 0.0 {
                inside = node;
            } else {
                outside = node;
            }
        }
        Ok(best)
    }
}
