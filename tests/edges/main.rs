//! Sources and sinks, against simulated platforms, on a real Kafka and in a directory: what an agent chooses on one platform is shown on
//! the other, whatever goes wrong between them, and whoever is stopped meanwhile.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod accounts;
mod centre;
mod check;
#[path = "../processor/child.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod child;
mod faults;
#[path = "../processor/ground.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod ground;
mod judge;
mod people;
#[path = "../connectors/simulated.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod simulated;
#[path = "../connectors/simulated_org.rs"]
mod simulated_org;
mod takeover;
mod users;
#[path = "../processor/waiting.rs"]
mod waiting;
