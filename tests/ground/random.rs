//! Chance that can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

use lockstep::simulate;

/// A test's seed: another one each time, or that of `LOCKSTEP_SEED`, to see a failure again. It is printed.
pub(crate) fn seed(test: &str) -> u64 {
    let seed = match std::env::var("LOCKSTEP_SEED") {
        Ok(seed) => seed.parse().expect("LOCKSTEP_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 % 1_000_000_000,
    };
    println!("{test}: LOCKSTEP_SEED={seed}");
    seed
}

/// Numbers that follow from a seed.
#[derive(Clone)]
pub(crate) struct Random(simulate::Random);

impl Random {
    /// A stream of this test's own.
    pub(crate) fn new(test: &str) -> Random {
        let mix = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Random::of(test.bytes().fold(seed(test), mix))
    }

    /// The stream of a seed.
    pub(crate) fn of(seed: u64) -> Random {
        Random(simulate::Random::new(seed))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.number()
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }
}
