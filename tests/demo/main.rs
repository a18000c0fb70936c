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

#[path = "../kafka/broker.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod broker;
mod canary;
mod ends;
mod hell;
mod run;
