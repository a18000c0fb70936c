//! `lockstep simulate cxone`.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use lockstep::connectors::http::Rate;
use lockstep::simulators::cxone::{Credentials, Settings, Simulator, serve};

use super::{Served, addresses, is_taken};
use crate::cli::output::Outcome;
use crate::cli::signals::Signals;

#[derive(Args)]
pub(in crate::cli) struct Cxone {
    /// Where the API is served; port 0 is one that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8401")]
    listen: SocketAddr,
    /// Where the control endpoint is served, which lets everybody do everything
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8402")]
    control: SocketAddr,
    /// How many agents there are
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    agents: u32,
    /// What everybody does follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Nobody acts by himself
    #[arg(long)]
    idle: bool,
    /// So many calls a minute are let pass; without it all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate_per_minute: Option<u32>,
    /// So many of them at once
    #[arg(long, value_name = "N", default_value_t = 50, requires = "rate_per_minute", value_parser = clap::value_parser!(u32).range(1..))]
    burst: u32,
    /// A page has so many entries at most
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    page_size_max: usize,
    /// How far its clock is ahead, in ms
    #[arg(long, value_name = "MS", default_value_t = 0, allow_negative_numbers = true)]
    date_offset_ms: i64,
    /// How long a token is one
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    token_seconds: u32,
    #[command(flatten)]
    served: Served,
}

/// Where it is, and with what one logs in; `--json` prints it.
#[derive(Serialize)]
struct Told {
    issuer: String,
    control: String,
    agents: u32,
    client_id: String,
    client_secret: String,
    access_key_id: String,
    access_key_secret: String,
}

pub(super) async fn run(command: &Cxone) -> anyhow::Result<Outcome> {
    let addresses = addresses(command.listen, command.control)?;
    let mut signals = Signals::new()?;
    let settings = Settings {
        agents: command.agents,
        seed: command.seed,
        behaves: !command.idle,
        rate: command.rate_per_minute.map(|calls_per_minute| Rate { calls_per_minute, burst: command.burst }),
        page_size_max: command.page_size_max,
        date_offset_ms: command.date_offset_ms,
        token_seconds: command.token_seconds,
        tls: command.served.tls()?,
        ..Settings::default()
    };
    let Credentials { client_id, client_secret, access_key_id, access_key_secret } =
        settings.credentials.clone();
    let simulator = Simulator::bind(settings, addresses).await.with_context(|| is_taken(addresses))?;
    let addresses = simulator.addresses().context("the system does not tell where it listens")?;
    let told = Told {
        issuer: simulator.issuer().context("the system does not tell where it listens")?,
        control: format!("http://{}", addresses.control),
        agents: command.agents,
        client_id,
        client_secret,
        access_key_id,
        access_key_secret,
    };
    let rows: [(&str, &str); 6] = [
        ("issuer", &told.issuer),
        ("control", &told.control),
        ("client_id", &told.client_id),
        ("client_secret", &told.client_secret),
        ("access_key_id", &told.access_key_id),
        ("access_key_secret", &told.access_key_secret),
    ];
    let sentence = format!("a CXone tenant with {} agents.", told.agents);
    command.served.tell(&told, &sentence, &rows)?;
    serve(simulator, signals.next()).await.context("serving")?;
    Ok(Outcome::Done)
}
