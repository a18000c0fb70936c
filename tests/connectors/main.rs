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
mod salesforce;
mod simulated;
mod simulated_org;
