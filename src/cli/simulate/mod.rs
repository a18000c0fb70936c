//! `lockstep simulate`.

mod cxone;
mod engine;
mod salesforce;

use std::net::SocketAddr;

use clap::Subcommand;

use super::output::Outcome;

#[derive(Subcommand)]
pub(super) enum Simulate {
    /// Run the engine against platforms that behave badly, in virtual time, and judge the end
    #[command(after_help = "\
Each seed is a history of its own: ten minutes in which an agent changes both platforms at nasty
moments, then an hour of rest. Each has some of many faults: outages, refusals, lost and late calls,
budgets, bursts, offered contacts, other rules, teams and links in mid-history. It is judged by what
the platforms show and by the log: no loop, in step, no more corrections than allowed, commands in
order, the same again when the log is replayed. A last choice that is not shown in the end, and one
who was made available who had not chosen it, are counted: some cannot be known.

Examples:
  lockstep simulate engine --seeds 10000
  lockstep simulate engine --seed 4711 --trace")]
    Engine(engine::Engine),
    /// Serve a CXone tenant: log-in, feed, settings and admin reads, with people and faults
    #[command(after_help = "\
Everything is on this machine: the API and its log-in at --listen, and at --control what people and
tests do behind its back, GET /agents/ID, POST /agents/ID/state, POST and DELETE /agents/ID/contact,
POST /faults, /settings and /tokens/expire, GET and DELETE /log. docs/simulators.md has their bodies.
Ctrl-C ends it.

Examples:
  lockstep simulate cxone                                  # 200 agents who behave
  lockstep simulate cxone --agents 100000 --seed 7 --rate-per-minute 6000
  lockstep simulate cxone --idle --json                    # nobody acts but by --control")]
    Cxone(cxone::Cxone),
    /// Serve a Salesforce org: log-in, queries, limits and presence, with people and faults
    #[command(after_help = "\
Everything is on this machine: the API and its log-in at --listen, and at --control what people,
administrators and tests do behind its back, GET /users/ID, POST /users/ID/status and /users/ID,
POST /statuses/ID, /faults, /settings and /sessions/expire, GET and DELETE /log and /calls.
With --bridge its users have browsers: POST /consoles/ID/open and others, GET /consoles.
docs/simulators.md has their bodies. Ctrl-C ends it.

Examples:
  lockstep simulate salesforce                             # 200 users who behave
  lockstep simulate salesforce --users 10000 --seed 7 --daily-requests 15000
  lockstep simulate salesforce --bridge-key key.pem --bridge http://127.0.0.1:8470 --consoles 50
  lockstep simulate salesforce --idle --json               # nobody acts but by --control")]
    Salesforce(Box<salesforce::Salesforce>),
}

pub(super) fn run(command: Simulate) -> anyhow::Result<Outcome> {
    match command {
        Simulate::Engine(command) => engine::run(&command),
        Simulate::Cxone(command) => cxone::run(&command),
        Simulate::Salesforce(command) => salesforce::run(&command),
    }
}

/// A simulator is for this machine alone.
fn is_here(option: &str, address: SocketAddr) -> anyhow::Result<()> {
    anyhow::ensure!(
        address.ip().is_loopback(),
        "{option} {address} is not on this machine: a simulator's secrets are no secrets, and its control endpoint lets everybody do everything"
    );
    Ok(())
}
