//! `lockstep simulate`.

mod cxone;
mod engine;
mod salesforce;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;

use lockstep::listen::Tls;
use lockstep::simulators::cxone::Addresses;

use super::output::{self, Outcome};
use super::runtime;

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
        Simulate::Cxone(command) => runtime::here("serve")?.block_on(cxone::run(&command)),
        Simulate::Salesforce(command) => runtime::here("serve")?.block_on(salesforce::run(&command)),
    }
}

/// How a simulator is served, and how it tells where it is.
#[derive(Args)]
struct Served {
    /// Serve the API over TLS with this certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Print where it is as one JSON object
    #[arg(long)]
    json: bool,
}

impl Served {
    fn tls(&self) -> anyhow::Result<Option<Tls>> {
        let files = self.tls_certificate.as_deref().zip(self.tls_key.as_deref());
        let tls = files.map(|(certificate, key)| Tls::of_files(certificate, key)).transpose();
        tls.context("--tls-certificate and --tls-key")
    }

    /// Tells where it is: all of it as JSON, or else a sentence and a line for each of the rest.
    fn tell(&self, told: &impl Serialize, sentence: &str, rows: &[(&str, &str)]) -> anyhow::Result<()> {
        if self.json {
            return output::json(told);
        }
        let rows = rows.iter().map(|(name, value)| format!("{name:<18} {value}\n"));
        output::result(&format!("{sentence} Its secrets open nothing else.\n{}", rows.collect::<String>()))
    }
}

/// Where a simulator listens, which is for this machine alone.
fn addresses(api: SocketAddr, control: SocketAddr) -> anyhow::Result<Addresses> {
    for (option, address) in [("--listen", api), ("--control", control)] {
        anyhow::ensure!(
            address.ip().is_loopback(),
            "{option} {address} is not on this machine: a simulator's secrets are no secrets, and its control endpoint lets everybody do everything"
        );
    }
    Ok(Addresses { api, control })
}

/// Why a simulator cannot listen.
fn is_taken(Addresses { api, control }: Addresses) -> String {
    format!(
        "{api} or {control} cannot be listened on: another process may; name others with --listen and --control"
    )
}
