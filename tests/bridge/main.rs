//! The bridge, as browsers see it: the real program, clients that share no code with it, and the log that it writes, on a real Kafka
//! and in a directory.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod apex;
#[path = "../ground/ask.rs"]
mod ask;
mod browser;
mod commands;
mod decisions;
#[path = "../ground/deployment.rs"]
mod deployment;
mod doors;
mod encrypted;
mod ends;
mod fuzz;
mod gateways;
#[path = "../ground/ground.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod ground;
#[path = "../ground/linked.rs"]
mod linked;
mod log;
mod messages;
#[path = "../ground/openssl.rs"]
mod openssl;
mod pages;
#[path = "../ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[path = "../ground/platforms.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod platforms;
#[path = "../ground/port.rs"]
mod port;
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
#[path = "../kafka/servers.rs"]
mod servers;
mod site;
mod tabs;
mod talks;
#[path = "../ground/waiting.rs"]
mod waiting;
