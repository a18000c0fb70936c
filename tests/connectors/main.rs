//! What reaches the platforms.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod cxone;
mod feed;
mod foreign;
mod http;
#[path = "../ground/openssl.rs"]
mod openssl;
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
mod salesforce;
#[path = "../ground/serving.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod serving;
#[path = "../ground/simulated.rs"]
mod simulated;
#[path = "../ground/simulated_org.rs"]
mod simulated_org;
#[path = "../ground/simulator.rs"]
mod simulator;
#[path = "../ground/waiting.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;
