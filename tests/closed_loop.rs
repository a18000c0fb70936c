//! The engine against platforms that behave badly, in virtual time. `lockstep simulate engine --seed N --trace` shows a
//! history that failed here.

#![allow(clippy::panic, clippy::print_stdout, reason = "a test fails loudly")]

use lockstep::simulate::{self, Mapping};

const SEEDS: u64 = 10_000;

/// What cannot be known is counted: no more than so many of 10,000 histories.
const COUNTED_MAX: u64 = 40;

#[test]
fn no_history_loops_or_ends_apart() {
    let (mut histories, mut commands, mut counted) = (0, 0, 0);
    for seed in 0..SEEDS {
        for mapping in Mapping::ALL {
            let report = simulate::run(seed, mapping, false);
            histories += 1;
            commands += u64::from(report.commands);
            for finding in &report.findings {
                assert!(finding.is_counted(), "seed {seed}, rules {mapping:?}: {finding}");
                counted += 1;
            }
        }
    }
    println!("{histories} histories, {commands} commands, {counted} counted");
    assert!(commands > histories, "the engine did nothing: {commands} commands");
    assert!(counted * 10_000 <= COUNTED_MAX * histories, "{counted} of {histories} histories were counted");
}

#[test]
fn a_seed_is_one_history() {
    for seed in 0..100 {
        for mapping in Mapping::ALL {
            let [first, second] = [simulate::run(seed, mapping, true), simulate::run(seed, mapping, true)];
            assert!(!first.log.is_empty() && first.log == second.log, "seed {seed}, rules {mapping:?}");
            assert!(first.trace == second.trace, "seed {seed}, rules {mapping:?}");
        }
    }
}
