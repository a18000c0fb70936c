//! `lockstep simulate cxone`.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use lockstep::connectors::http::Rate;
use lockstep::listen::Tls;
use lockstep::simulators::cxone::{Addresses, Credentials, Settings, Simulator, serve};

use super::is_here;
use crate::cli::output::{self, Outcome};
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

pub(super) fn run(command: &Cxone) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no means to serve")?;
    runtime.block_on(simulate(command))
}

async fn simulate(command: &Cxone) -> anyhow::Result<Outcome> {
    is_here("--listen", command.listen)?;
    is_here("--control", command.control)?;
    let mut signals = Signals::new()?;
    let files = command.tls_certificate.as_deref().zip(command.tls_key.as_deref());
    let tls = files.map(|(certificate, key)| Tls::of_files(certificate, key)).transpose();
    let settings = Settings {
        agents: command.agents,
        seed: command.seed,
        behaves: !command.idle,
        rate: command.rate_per_minute.map(|calls_per_minute| Rate { calls_per_minute, burst: command.burst }),
        page_size_max: command.page_size_max,
        date_offset_ms: command.date_offset_ms,
        token_seconds: command.token_seconds,
        tls: tls.context("--tls-certificate and --tls-key")?,
        ..Settings::default()
    };
    let Credentials { client_id, client_secret, access_key_id, access_key_secret } =
        settings.credentials.clone();
    let addresses = Addresses { api: command.listen, control: command.control };
    let simulator = Simulator::bind(settings, addresses).await.with_context(|| {
        format!(
            "{} or {} cannot be listened on: another process may; name others with --listen and --control",
            addresses.api, addresses.control
        )
    })?;
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
    if command.json {
        output::json(&told)?
    } else {
        output::result(&text(&told)?)?
    }
    serve(simulator, signals.next()).await.context("serving")?;
    Ok(Outcome::Done)
}

fn text(told: &Told) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "a CXone tenant with {} agents. Its secrets open nothing else.", told.agents)?;
    for (name, value) in [
        ("issuer", &told.issuer),
        ("control", &told.control),
        ("client_id", &told.client_id),
        ("client_secret", &told.client_secret),
        ("access_key_id", &told.access_key_id),
        ("access_key_secret", &told.access_key_secret),
    ] {
        writeln!(text, "{name:<18} {value}")?;
    }
    Ok(text)
}
