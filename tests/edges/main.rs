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
#[path = "../ground/deployment.rs"]
mod deployment;
mod faults;
#[path = "../ground/ground.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod ground;
mod judge;
#[path = "../ground/linked.rs"]
mod linked;
mod people;
#[path = "../ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[path = "../ground/platforms.rs"]
mod platforms;
#[path = "../ground/port.rs"]
mod port;
#[path = "../ground/process.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod process;
#[path = "../ground/program.rs"]
mod program;
#[path = "../ground/reading.rs"]
mod reading;
#[path = "../kafka/servers.rs"]
mod servers;
#[path = "../ground/serving.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod serving;
#[path = "../ground/simulated.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod simulated;
#[path = "../ground/simulated_org.rs"]
mod simulated_org;
mod takeover;
mod users;
#[path = "../ground/waiting.rs"]
mod waiting;
