//! Numbers with twice the digits of a double: a pair whose sum is the number (Dekker 1971; Hida, Li and Bailey 2001).
//!
//! With them the oracle is right to more digits than anything it is compared with, so that a difference is never its own
//! rounding, and its numerical derivatives have full accuracy.

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// What the oracle computes with.
pub trait Real:
    Copy
    + Debug
    + PartialOrd
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + Sum
{
    fn sqrt(self) -> Self;
    fn ln(self) -> Self;
    fn to_f64(self) -> f64;
}

impl Real for f64 {
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    fn ln(self) -> f64 {
        f64::ln(self)
    }

    fn to_f64(self) -> f64 {
        self
    }
}

/// A number of about 32 digits.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Double(pub f64, pub f64);

fn two_sum(a: f64, b: f64) -> Double {
    let s = a + b;
    let t = s - a;
    Double(s, (a - (s - t)) + (b - t))
}

/// As [`two_sum`], for `|a| >= |b|`.
fn quick_two_sum(a: f64, b: f64) -> Double {
    let s = a + b;
    Double(s, b - (s - a))
}

impl From<f64> for Double {
    fn from(a: f64) -> Self {
        Double(a, 0.0)
    }
}

impl Add for Double {
    type Output = Double;
    fn add(self, b: Double) -> Double {
        let (s, t) = (two_sum(self.0, b.0), two_sum(self.1, b.1));
        let s = quick_two_sum(s.0, s.1 + t.0);
        quick_two_sum(s.0, s.1 + t.1)
    }
}

impl Neg for Double {
    type Output = Double;
    fn neg(self) -> Double {
        Double(-self.0, -self.1)
    }
}

impl Sub for Double {
    type Output = Double;
    fn sub(self, b: Double) -> Double {
        self + -b
    }
}

impl Mul for Double {
    type Output = Double;
    fn mul(self, b: Double) -> Double {
        let p = self.0 * b.0;
        let rest = self.0.mul_add(b.0, -p) + (self.0 * b.1 + self.1 * b.0);
        quick_two_sum(p, rest)
    }
}

impl Div for Double {
    type Output = Double;
    fn div(self, b: Double) -> Double {
        let first = self.0 / b.0;
        let r = self - b * Double::from(first);
        let second = r.0 / b.0;
        let r = r - b * Double::from(second);
        quick_two_sum(first, second) + Double::from(r.0 / b.0)
    }
}

impl AddAssign for Double {
    fn add_assign(&mut self, b: Double) {
        *self = *self + b;
    }
}

impl SubAssign for Double {
    fn sub_assign(&mut self, b: Double) {
        *self = *self - b;
    }
}

impl Sum for Double {
    fn sum<I: Iterator<Item = Double>>(all: I) -> Double {
        all.fold(Double(0.0, 0.0), |a, b| a + b)
    }
}

impl Real for Double {
    fn sqrt(self) -> Double {
        if self.0 <= 0.0 {
            return Double(self.0.sqrt(), 0.0);
        }
        let x = Double::from(self.0.sqrt());
        x + (self - x * x) / (x + x)
    }

    /// One step of Newton's method for `exp(y) = a`.
    fn ln(self) -> Double {
        let y = Double::from(self.0.ln());
        y + self * exp(-y) - Double::from(1.0)
    }

    fn to_f64(self) -> f64 {
        self.0 + self.1
    }
}

/// `exp(a) = 2^k exp(r / 256)^256`, the latter by its series.
fn exp(a: Double) -> Double {
    const LN2: Double = Double(std::f64::consts::LN_2, 2.3190468138462996e-17);
    let k = (a.0 / LN2.0).round();
    let r = (a - LN2 * Double::from(k)) * Double::from(1.0 / 256.0);
    let (mut sum, mut term) = (Double::from(1.0), Double::from(1.0));
    for i in 1..12 {
        term = term * r / Double::from(f64::from(i));
        sum += term;
    }
    for _ in 0..8 {
        sum = sum * sum;
    }
    // in two halves, as 2^k alone may leave the range of numbers
    let half = (k / 2.0).trunc() as i32;
    let (a, b) = (2f64.powi(half), 2f64.powi(k as i32 - half));
    Double(sum.0 * a * b, sum.1 * a * b)
}

#[test]
fn numbers_have_thirty_digits() {
    let number = Double::from;
    let same = |a: Double, b: Double| assert!((a - b).0.abs() < 1e-29 * (1.0 + a.0.abs()), "{a:?} {b:?}");
    let three = number(3.0);
    same(three.sqrt() * three.sqrt(), three);
    same(number(1.0) / three * three, number(1.0));
    same(three.ln() + three.ln(), number(9.0).ln());
    // ln 2 is 0.69314718055994530941723212145818
    same(
        number(2.0).ln(),
        Double(std::f64::consts::LN_2, 2.3190468138462996e-17),
    );
    let (small, large) = (number(1e-200), number(1e200));
    same(small.ln(), (small * large).ln() - large.ln());
}
