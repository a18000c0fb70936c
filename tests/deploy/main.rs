//! What is in `deploy/`, judged by what it is for: Prometheus reads a Lockstep that runs, promtool fires each alert, Grafana's own types
//! read the dashboard, systemd the units, and two simulated platforms run as `docker-compose.yml` says, without containers.

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
mod compose;
mod dashboard;
mod image;
#[path = "../ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[path = "../ground/port.rs"]
mod port;
#[path = "../ground/process.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod process;
#[path = "../ground/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;
mod prometheus;
#[path = "../registry/server.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod registry;
mod rules;
mod scraped;
#[path = "../ground/simulator.rs"]
mod simulator;
mod site;
mod units;
#[path = "../ground/waiting.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;
mod witness;
