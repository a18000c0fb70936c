//! The program as a newcomer meets it: `lockstep demo`, with 500 people and everything that can go wrong, on a directory and on
//! a real Kafka. Both sides are in step in the end by the simulators' own word, nothing is lost, nothing loops, budgets are kept,
//! and no secret, name or address is anywhere but where it belongs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[path = "../ground/ask.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod ask;
#[path = "../kafka/broker.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod broker;
mod canary;
mod ends;
mod hell;
#[path = "../ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[path = "../ground/process.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod process;
#[path = "../ground/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;
#[path = "../ground/random.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod random;
#[path = "../ground/reading.rs"]
mod reading;
mod run;
#[path = "../kafka/servers.rs"]
mod servers;
#[path = "../ground/waiting.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;
