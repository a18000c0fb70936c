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
mod cluster;
#[cfg(feature = "fail-points")]
mod copies;
mod days;
#[path = "../ground/deployment.rs"]
#[cfg_attr(not(feature = "fail-points"), allow(dead_code, reason = "only processes need the rest"))]
mod deployment;
mod directory;
#[cfg(feature = "fail-points")]
mod faults;
#[path = "../ground/ground.rs"]
#[cfg_attr(not(feature = "fail-points"), allow(dead_code, reason = "only processes need the rest"))]
mod ground;
mod log;
#[cfg(feature = "fail-points")]
mod network;
#[cfg(feature = "fail-points")]
mod operators;
#[path = "../ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[cfg(feature = "fail-points")]
#[path = "../ground/process.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod process;
#[cfg(feature = "fail-points")]
#[path = "../ground/program.rs"]
mod program;
#[cfg(feature = "fail-points")]
#[path = "../kafka/proxy.rs"]
mod proxy;
#[path = "../ground/random.rs"]
mod random;
#[path = "../ground/reading.rs"]
mod reading;
#[cfg(feature = "fail-points")]
mod running;
#[path = "../registry/server.rs"]
mod server;
#[path = "../kafka/servers.rs"]
mod servers;
mod site;
mod versions;
#[path = "../ground/waiting.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;
mod witness;
