//! Random numbers in independent streams: replicate `i` of a seed has its own, whoever computes it and when.
//!
//! A stream is Blackman and Vigna's xoshiro256++ (2021), its state filled by SplitMix64 (Steele, Lea and Flood 2014) from
//! a key. Keys of one seed are all different: mixing is one to one, and so are odd multiples of the number.

use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The golden ratio of 2^64, odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream.
pub struct Stream {
    generator: Xoshiro256PlusPlus,
    /// The second number of a pair of normal numbers.
    spare: Option<f64>,
}

/// The finaliser of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream of a replicate.
    pub fn new(seed: u64, replicate: u64) -> Self {
        let from = mix(seed.wrapping_add(GOLDEN));
        let key = mix(from.wrapping_add(GOLDEN.wrapping_mul(replicate.wrapping_add(1))));
        Stream {
            generator: Xoshiro256PlusPlus::seed_from_u64(key),
            spare: None,
        }
    }

    /// Uniform on `[-1, 1)`.
    fn centred(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// A standard normal number, by the polar method (Marsaglia and Bray 1964).
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        loop {
            let (u, v) = (self.centred(), self.centred());
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let factor = (-2.0 * s.ln() / s).sqrt();
                self.spare = Some(v * factor);
                return u * factor;
            }
        }
    }

    /// A whole number from 0 to `n - 1`, all equally likely (Lemire 2019); 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        let unfair = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.generator.next_u64()) * u128::from(n);
            if product as u64 >= unfair {
                return (product >> 64) as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_the_moments_of_the_normal_distribution() {
        let mut stream = Stream::new(1, 2);
        let n = 400_000;
        let z: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let moment = |k: i32| z.iter().map(|v| v.powi(k)).sum::<f64>() / n as f64;
        for (k, (expected, sd)) in [(0.0, 1.0f64), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0)]
            .iter()
            .enumerate()
        {
            let error = moment(k as i32 + 1) - expected;
            assert!(error.abs() < 4.5 * (sd / n as f64).sqrt(), "moment {}", k + 1);
        }
        let beyond = z.iter().filter(|v| v.abs() > 3.0).count() as f64 / n as f64;
        assert!((beyond - 0.0027).abs() < 4e-4);
    }

    #[test]
    fn whole_numbers_are_equally_likely() {
        let mut stream = Stream::new(7, 0);
        let mut counts = [0.0f64; 7];
        (0..70_000).for_each(|_| counts[stream.below(7)] += 1.0);
        let chi: f64 = counts.iter().map(|c| (c - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 25.0);
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn streams_differ_between_replicates_and_seeds_and_repeat() {
        let first = |seed, i| Stream::new(seed, i).generator.next_u64();
        let mut all: Vec<u64> = (0..100)
            .flat_map(|s| (0..100).map(move |i| first(s, i)))
            .collect();
        assert_eq!(first(3, 4), all[304]);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 10_000);
        // neighbours are not correlated
        let pairs: Vec<(f64, f64)> = (0..20_000)
            .map(|i| (Stream::new(5, i).normal(), Stream::new(5, i + 1).normal()))
            .collect();
        let r = pairs.iter().map(|(a, b)| a * b).sum::<f64>() / pairs.len() as f64;
        assert!(r.abs() < 4.0 / (pairs.len() as f64).sqrt());
    }
}
