//! Both platforms simulated over their own protocols, agents with browsers, and the real program between them: what somebody
//! chooses on one side is shown on the other, whatever goes wrong.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod both;
mod browsers;
#[path = "../processor/child.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod child;
#[path = "../processor/ground.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod ground;
mod operator;
mod org;
#[path = "../connectors/simulated.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod simulated;
mod site;
#[path = "../processor/waiting.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;
