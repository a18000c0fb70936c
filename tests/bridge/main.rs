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
mod browser;
#[path = "../processor/child.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod child;
mod commands;
mod decisions;
mod doors;
mod encrypted;
mod ends;
mod fuzz;
mod gateways;
#[path = "../processor/ground.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod ground;
mod log;
mod messages;
mod pages;
mod site;
mod tabs;
mod talks;
#[path = "../processor/waiting.rs"]
mod waiting;
