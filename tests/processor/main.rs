//! The processor, on a real Kafka and in a directory: what it writes is what the log of events says, whoever looks, whenever it was stopped, and
//! whatever happened meanwhile.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[cfg(feature = "fail-points")]
#[path = "../kafka/broker.rs"]
mod broker;
mod check;
#[cfg(feature = "fail-points")]
mod child;
#[cfg(feature = "fail-points")]
mod cluster;
#[cfg(feature = "fail-points")]
mod copies;
mod days;
mod directory;
#[cfg(feature = "fail-points")]
mod faults;
mod ground;
mod log;
#[cfg(feature = "fail-points")]
mod network;
#[cfg(feature = "fail-points")]
mod operators;
#[cfg(feature = "fail-points")]
mod process;
#[cfg(feature = "fail-points")]
#[path = "../kafka/proxy.rs"]
mod proxy;
#[path = "../registry/server.rs"]
mod server;
mod site;
mod versions;
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;
mod witness;
