//! How properties are run.

use std::fmt::Debug;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// A number from the environment.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Try a property on random values. `share` is its part of `PROPTEST_CASES`, in percent; 100 by default.
pub fn check<S: Strategy>(share: u32, values: S, property: impl Fn(S::Value) -> TestCaseResult)
where
    S::Value: Debug,
{
    let cases = given("PROPTEST_CASES").unwrap_or(100) as u32 * share / 100;
    let config = Config {
        cases: cases.max(1),
        failure_persistence: None,
        max_shrink_iters: 300,
        max_global_rejects: 100_000,
        ..Config::default()
    };
    let mut seed = [7u8; 32];
    seed[..8].copy_from_slice(&given("PROPTEST_RNG_SEED").unwrap_or(1).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    if let Err(failure) = runner.run(&values, property) {
        panic!("{failure}\n{runner}");
    }
}

/// A flag that is never raised.
pub fn never() -> AtomicBool {
    AtomicBool::new(false)
}

/// `Err` with both numbers unless `|a - b| <= tolerance * scale`.
pub fn close(what: &str, ours: f64, theirs: f64, tolerance: f64, scale: f64) -> TestCaseResult {
    let difference = (ours - theirs).abs();
    prop_assert!(
        difference <= tolerance * scale.abs(),
        "{what}: {ours:e} should be {theirs:e}: {difference:e} off, allowed {:e}",
        tolerance * scale.abs()
    );
    Ok(())
}

/// [`close`] for all elements, relative to the largest.
pub fn all_close(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64, least: f64) -> TestCaseResult {
    prop_assert_eq!(ours.len(), theirs.len(), "{}", what);
    let scale = theirs.iter().fold(least, |a, b| a.max(b.abs()));
    for (k, (a, b)) in ours.iter().zip(theirs).enumerate() {
        close(&format!("{what} [{k}]"), *a, *b, tolerance, scale)?;
    }
    Ok(())
}
