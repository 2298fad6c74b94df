//! Random models of all structures, as plans that shrink to simpler ones.

use mixedlm_core::covstruct::Structure;
use mixedlm_core::design::Estimation;
use proptest::prelude::*;
use proptest::sample::select;

use super::problem::{relabelled, Part, Problem, Slope};

/// Uniform and nearly normal numbers from a seed (Steele, Lea and Flood 2014, splitmix64).
pub struct Noise(pub u64);

impl Noise {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.uniform() * count as f64) as usize
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// How the levels of a factor meet the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Meeting {
    /// Every level of this factor is within one of the factor before it.
    Inside,
    /// Rows in turn.
    Balanced,
    /// Any row may have any level.
    Anywhere,
    /// Some levels have most of the rows.
    Uneven,
    /// Neighbouring rows have neighbouring levels.
    Nearby,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content {
    One,
    /// The j-th column of X, or ones.
    Fixed(usize),
    Normal,
    /// Numbers far from zero beside their spread.
    Trend,
    /// Zero or one.
    Indicator,
    Zero,
    /// A combination of all columns of X before it.
    Dependent,
}

#[derive(Debug, Clone)]
pub struct FactorPlan {
    pub meeting: Meeting,
    pub levels: usize,
}

#[derive(Debug, Clone)]
pub struct TermPlan {
    pub factor: usize,
    pub columns: Vec<(Content, i32)>,
    pub structure: Structure,
    /// Bits of the elements that are held.
    pub held: u8,
    /// Standard deviation of the effects relative to the noise.
    pub strength: f64,
}

/// A model and its data.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub rows: usize,
    pub fixed: Vec<(Content, i32)>,
    pub factors: Vec<FactorPlan>,
    pub terms: Vec<TermPlan>,
    /// Decades that the weights span.
    pub weights: Option<i32>,
    pub offset: bool,
    pub reml: bool,
    /// Decades of the response, and what is added to it in units of its noise.
    pub response: (i32, f64),
}

/// What plans may hold.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub fewest: usize,
    pub rows: usize,
    pub levels: usize,
    /// Decades of columns up and down.
    pub decades: i32,
    pub held: bool,
    /// Columns of zeros, and of X that depend on others.
    pub degenerate: bool,
}

pub const USUAL: Range = Range {
    fewest: 8,
    rows: 32,
    levels: 8,
    decades: 0,
    held: true,
    degenerate: true,
};

pub const EXTREME: Range = Range { decades: 6, ..USUAL };

fn factor(range: Range) -> impl Strategy<Value = FactorPlan> {
    use Meeting::*;
    let meetings = vec![Anywhere, Balanced, Inside, Uneven, Nearby];
    (select(meetings), 1..=range.levels).prop_map(|(meeting, levels)| FactorPlan { meeting, levels })
}

fn decades(range: Range) -> impl Strategy<Value = i32> {
    prop_oneof![3 => Just(0), 1 => -range.decades..=range.decades]
}

fn slope(range: Range) -> impl Strategy<Value = (Content, i32)> {
    use Content::*;
    let usual = vec![One, Normal, Fixed(0), Fixed(1), Trend, Indicator];
    let odd = if range.degenerate { vec![Zero] } else { vec![One] };
    (prop_oneof![15 => select(usual), 1 => select(odd)], decades(range))
}

fn fixed(range: Range) -> impl Strategy<Value = (Content, i32)> {
    use Content::*;
    let usual = vec![One, Normal, Trend, Indicator];
    let odd = if range.degenerate {
        vec![Dependent, Zero]
    } else {
        vec![Normal]
    };
    (prop_oneof![7 => select(usual), 1 => select(odd)], decades(range))
}

fn term(range: Range) -> impl Strategy<Value = TermPlan> {
    use Structure::*;
    let held = if range.held {
        prop_oneof![5 => Just(0u8), 1 => any::<u8>()].boxed()
    } else {
        Just(0u8).boxed()
    };
    let structures = vec![Unstructured, Unstructured, Diagonal, Scalar];
    let strengths = vec![1.0, 0.0, 0.1, 3.0, 30.0];
    (
        0..3usize,
        prop::collection::vec(slope(range), 1..=3),
        select(structures),
        held,
        select(strengths),
    )
        .prop_map(|(factor, columns, structure, held, strength)| TermPlan {
            factor,
            columns,
            structure,
            held,
            strength,
        })
}

/// Models of all structures.
pub fn plans(range: Range) -> impl Strategy<Value = Plan> {
    let response = if range.decades > 0 {
        (-8..=8i32, select(vec![0.0, 1e2, -1e4, 1e6])).boxed()
    } else {
        (Just(0), select(vec![0.0, 10.0])).boxed()
    };
    (
        any::<u32>(),
        range.fewest..=range.rows,
        prop::collection::vec(fixed(range), 0..=3),
        prop::collection::vec(factor(range), 1..=3),
        prop::collection::vec(term(range), 1..=3),
        prop_oneof![2 => Just(None), 1 => Just(Some(1)), 1 => Just(Some(1 + range.decades))],
        any::<bool>(),
        any::<bool>(),
        response,
    )
        .prop_map(
            |(seed, rows, fixed, factors, terms, weights, offset, reml, response)| Plan {
                seed: u64::from(seed),
                rows,
                fixed,
                factors,
                terms,
                weights,
                offset,
                reml,
                response,
            },
        )
}

impl FactorPlan {
    fn codes(&self, n: usize, before: Option<&Vec<i32>>, noise: &mut Noise) -> (Vec<i32>, usize) {
        let levels = self.levels;
        let mut level = |i: usize| match self.meeting {
            Meeting::Balanced => i % levels,
            Meeting::Anywhere => noise.below(levels),
            Meeting::Uneven => (levels as f64 * noise.uniform() * noise.uniform()) as usize,
            Meeting::Nearby => (i * levels / n + noise.below(2)).min(levels - 1),
            Meeting::Inside => {
                let outer = before.map_or(0, |b| b[i] as usize);
                outer * levels + noise.below(levels.min(3))
            }
        };
        relabelled(&(0..n).map(&mut level).collect::<Vec<usize>>())
    }
}

impl Plan {
    fn column(&self, plan: &(Content, i32), x: &[f64], noise: &mut Noise) -> Vec<f64> {
        let n = self.rows;
        let unit = 10f64.powi(plan.1);
        let p = x.len() / n;
        let mut one = |i: usize| match plan.0 {
            Content::One | Content::Fixed(_) => 1.0,
            Content::Normal => noise.normal(),
            Content::Trend => 5.0 + noise.normal(),
            Content::Indicator => (i % 2) as f64,
            Content::Zero => 0.0,
            Content::Dependent => (0..p).map(|j| (j as f64 + 1.0) * x[j * n + i]).sum(),
        };
        (0..n).map(|i| one(i) * unit).collect()
    }

    fn part(&self, plan: &TermPlan, x: &[f64], noise: &mut Noise) -> Part {
        let p = x.len() / self.rows;
        let mut slope = |c: &(Content, i32)| match c.0 {
            Content::One if c.1 == 0 => Slope::One,
            Content::Fixed(j) if j < p => Slope::Fixed(j),
            _ => Slope::Own(self.column(c, x, noise)),
        };
        let mut part = Part {
            factor: plan.factor % self.factors.len(),
            columns: plan.columns.iter().map(&mut slope).collect(),
            structure: plan.structure,
            free: Vec::new(),
        };
        if plan.held > 0 {
            let bits = 0..part.places().len();
            part.free = bits.map(|k| (plan.held >> (k % 8)) & 1 == 0).collect();
        }
        part
    }

    /// The data.
    pub fn problem(&self) -> Problem {
        let n = self.rows;
        let noise = &mut Noise(self.seed);
        let mut factors: Vec<(Vec<i32>, usize)> = Vec::new();
        for plan in &self.factors {
            let codes = plan.codes(n, factors.last().map(|f| &f.0), noise);
            factors.push(codes);
        }
        let mut x = Vec::new();
        for plan in &self.fixed {
            let column = self.column(plan, &x, noise);
            x.extend(column);
        }
        let parts: Vec<Part> = self.terms.iter().map(|t| self.part(t, &x, noise)).collect();
        let span = self.weights.map(|d| f64::from(d) * std::f64::consts::LN_10);
        let weights = span.map(|s| (0..n).map(|_| (s * (noise.uniform() - 0.5)).exp()).collect());
        let mut problem = Problem {
            y: vec![0.0; n],
            p: self.fixed.len(),
            x,
            weights,
            offset: self.offset.then(|| (0..n).map(|_| noise.normal()).collect()),
            parts,
            factors,
            estimation: if self.reml {
                Estimation::Reml
            } else {
                Estimation::Ml
            },
        };
        problem.y = self.response(&problem, noise);
        let unit = 10f64.powi(self.response.0);
        problem.offset.iter_mut().flatten().for_each(|o| *o *= unit);
        problem
    }

    fn response(&self, problem: &Problem, noise: &mut Noise) -> Vec<f64> {
        let n = self.rows;
        let mut y: Vec<f64> = (0..n)
            .map(|i| self.response.1 + noise.normal() / problem.weight(i).sqrt())
            .collect();
        for (t, plan) in self.terms.iter().enumerate() {
            let (codes, levels) = &problem.factors[problem.parts[t].factor];
            for c in 0..problem.parts[t].q() {
                let size = (0..n).fold(1e-300, |m: f64, i| m.max(problem.z(t, c, i).abs()));
                let effects: Vec<f64> = (0..*levels).map(|_| plan.strength * noise.normal()).collect();
                for (i, y) in y.iter_mut().enumerate() {
                    *y += effects[codes[i] as usize - 1] * problem.z(t, c, i) / size;
                }
            }
        }
        let unit = 10f64.powi(self.response.0);
        y.iter().map(|v| v * unit).collect()
    }
}

/// Packed elements in units in which the random effects of a typical level are as strong as the noise; some are zero.
pub fn parameters(problem: &Problem, seed: u64, singular: bool) -> Vec<Vec<f64>> {
    let noise = &mut Noise(seed ^ 0x5bd1e995);
    let mut all = Vec::new();
    for (t, part) in problem.parts.iter().enumerate() {
        let units = units(problem, t);
        let mut packed = Vec::new();
        for places in part.places() {
            let (i, j) = places[0];
            let size = if i == j {
                0.2 + noise.uniform() * 1.5
            } else {
                noise.normal() * 0.5
            };
            let zero = singular && noise.uniform() < 0.4;
            packed.push(if zero { 0.0 } else { size * units[i] });
        }
        all.push(packed);
    }
    all
}

/// Per column of a term the standard deviation of effects that are as strong as the noise in a typical row.
pub fn units(problem: &Problem, t: usize) -> Vec<f64> {
    let (n, q) = (problem.n(), problem.parts[t].q());
    let square = |c: usize| -> f64 {
        let of = |i: usize| problem.z(t, c, i).powi(2) * problem.weight(i);
        (0..n).map(of).sum::<f64>() / n as f64
    };
    let squares: Vec<f64> = (0..q).map(square).collect();
    let most = squares.iter().fold(0.0f64, |a, b| a.max(*b));
    let common = problem.parts[t].structure == Structure::Scalar;
    let unit = |s: &f64| {
        let s = if common { most } else { *s };
        if s > 0.0 {
            s.sqrt().recip()
        } else {
            1.0
        }
    };
    squares.iter().map(unit).collect()
}

/// [`units`] of each packed element.
pub fn element_units(problem: &Problem) -> Vec<f64> {
    let of = |(t, part): (usize, &Part)| -> Vec<f64> {
        let units = units(problem, t);
        part.places().iter().map(|p| units[p[0].0]).collect()
    };
    problem.parts.iter().enumerate().flat_map(of).collect()
}

/// One vector cut into those of the terms.
pub fn split<R: Copy>(like: &[Vec<f64>], x: &[R]) -> Vec<Vec<R>> {
    let mut rest = x.iter().copied();
    like.iter()
        .map(|v| rest.by_ref().take(v.len()).collect())
        .collect()
}
