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
#[path = "../ground/deployment.rs"]
mod deployment;
#[path = "../ground/ground.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod ground;
#[path = "../ground/linked.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod linked;
#[path = "../ground/openssl.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod openssl;
mod operator;
mod org;
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
#[allow(dead_code, reason = "other tests need the rest")]
mod program;
#[path = "../ground/reading.rs"]
mod reading;
#[path = "../kafka/servers.rs"]
mod servers;
#[path = "../ground/serving.rs"]
mod serving;
#[path = "../ground/simulated.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod simulated;
#[path = "../ground/simulated_org.rs"]
mod simulated_org;
mod site;
#[path = "../ground/waiting.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;
