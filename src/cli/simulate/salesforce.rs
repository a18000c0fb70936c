//! `lockstep simulate salesforce`.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use serde::Serialize;

use lockstep::simulators::salesforce::consoles::{self, Consoles, Toolkits};
use lockstep::simulators::salesforce::{BridgeKey, Credentials, Org, Settings, Simulator, Variants, serve};

use super::{Served, addresses, is_taken};
use crate::cli::output::Outcome;
use crate::cli::signals::Signals;

/// So long after a console the next one is opened, when the org begins.
const OPENED_EACH: Duration = Duration::from_millis(5);

/// What carries messages of consoles.
#[derive(Clone, Copy, ValueEnum)]
enum Transport {
    Socket,
    Events,
}

#[derive(Args)]
pub(in crate::cli) struct Salesforce {
    /// Where the API is served; port 0 is one that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8403")]
    listen: SocketAddr,
    /// Where the control endpoint is served, which lets everybody do everything
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8404")]
    control: SocketAddr,
    /// How many users work in it
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// What everybody does follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Nobody acts by himself
    #[arg(long)]
    idle: bool,
    /// So many calls a day are let pass; without it, as many as Enterprise has
    #[arg(long, value_name = "N")]
    daily_requests: Option<u64>,
    /// A page has so many records at most
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    page_size: usize,
    /// A session ends so long after its last call
    #[arg(long, value_name = "SECONDS", default_value_t = 7_200)]
    session_seconds: u32,
    /// How far its clock is ahead, in ms
    #[arg(long, value_name = "MS", default_value_t = 0, allow_negative_numbers = true)]
    date_offset_ms: i64,
    /// The public RSA key that assertions are checked with, in PEM; without it, none is taken
    #[arg(long, value_name = "FILE")]
    jwt_public_key: Option<PathBuf>,
    /// The RSA key that it signs for the bridge with, as Apex does, in PEM
    #[arg(long, value_name = "FILE")]
    bridge_key: Option<PathBuf>,
    /// What the bridge calls that key
    #[arg(long, value_name = "NAME", default_value = "Lockstep_Bridge", requires = "bridge_key")]
    bridge_key_id: String,
    /// Who signs for the bridge
    #[arg(long, value_name = "NAME", default_value = "salesforce", requires = "bridge_key")]
    bridge_issuer: String,
    /// Whom it is signed for
    #[arg(long, value_name = "NAME", default_value = "lockstep-bridge", requires = "bridge_key")]
    bridge_audience: String,
    /// A gateway that consoles connect to: https://HOST:PORT, or http://HOST:PORT on this machine. May be given again
    #[arg(long, value_name = "URL", requires = "bridge_key")]
    bridge: Vec<reqwest::Url>,
    /// The authorities that gateways over TLS are trusted by, in PEM
    #[arg(long, value_name = "FILE", requires = "bridge")]
    bridge_ca: Option<PathBuf>,
    /// From where the pages of consoles are, as a browser says it
    #[arg(
        long,
        value_name = "ORIGIN",
        requires = "bridge",
        default_value = "https://simulated.lightning.force.com"
    )]
    bridge_origin: String,
    /// What carries messages of consoles: a WebSocket, or server-sent events with POST the other way
    #[arg(long, value_name = "TRANSPORT", requires = "bridge", default_value = "socket")]
    bridge_transport: Transport,
    /// So many users, the first, have a console open from the beginning, and open and close it as they behave
    #[arg(long, value_name = "N", requires = "bridge", default_value_t = 0)]
    consoles: u32,
    /// Of 100 pages of consoles so many do not find the rows of presence
    #[arg(long, value_name = "N", requires = "bridge", default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(0..=100))]
    rowless_percent: u8,
    /// The Omni toolkit answers so long after a call, in ms
    #[arg(long, value_name = "MS", requires = "bridge", default_value_t = 0)]
    toolkit_ms: u64,
    #[command(flatten)]
    served: Served,
}

/// Where it is, and with what one logs in; `--json` prints it.
#[derive(Serialize)]
struct Told {
    login_url: String,
    control: String,
    users: u32,
    organisation_id: String,
    client_id: String,
    client_secret: String,
    username: String,
    password: String,
    security_token: String,
    /// What its tokens for browsers are like, where it signs any.
    #[serde(skip_serializing_if = "Option::is_none")]
    bridge: Option<Signed>,
}

#[derive(Serialize)]
struct Signed {
    issuer: String,
    audience: String,
    key_id: String,
    origin: String,
}

pub(super) async fn run(command: &Salesforce) -> anyhow::Result<Outcome> {
    let addresses = addresses(command.listen, command.control)?;
    let mut signals = Signals::new()?;
    let settings = settings(command)?;
    let Credentials { client_id, client_secret, username, password, security_token } =
        settings.credentials.clone();
    let simulator = Simulator::bind(settings, addresses).await.map_err(|why| {
        let what = match why.kind() {
            ErrorKind::InvalidData => "--jwt-public-key or --bridge-key".to_owned(),
            _ => is_taken(addresses),
        };
        anyhow::Error::new(why).context(what)
    })?;
    let addresses = simulator.addresses().context("the system does not tell where it listens")?;
    let told = Told {
        login_url: simulator.login_url().context("the system does not tell where it listens")?,
        control: format!("http://{}", addresses.control),
        users: command.users,
        organisation_id: simulator.organisation().to_string(),
        client_id,
        client_secret,
        username,
        password,
        security_token,
        bridge: command.bridge_key.as_ref().map(|_| Signed {
            issuer: command.bridge_issuer.clone(),
            audience: command.bridge_audience.clone(),
            key_id: command.bridge_key_id.clone(),
            origin: command.bridge_origin.clone(),
        }),
    };
    let mut rows: Vec<(&str, &str)> = vec![
        ("login_url", &told.login_url),
        ("control", &told.control),
        ("organisation_id", &told.organisation_id),
        ("client_id", &told.client_id),
        ("client_secret", &told.client_secret),
        ("username", &told.username),
        ("password", &told.password),
        ("security_token", &told.security_token),
    ];
    if let Some(Signed { issuer, audience, key_id, origin }) = &told.bridge {
        rows.push(("bridge: issuer", issuer));
        rows.push(("bridge: audience", audience));
        rows.push(("bridge: keys", key_id));
        rows.push(("bridge: origins", origin));
    }
    let sentence = format!("a Salesforce org with {} users.", told.users);
    command.served.tell(&told, &sentence, &rows)?;
    // With it all consoles would be gone.
    let _consoles = consoles(command, &simulator.org())?;
    serve(simulator, signals.next()).await.context("serving")?;
    Ok(Outcome::Done)
}

/// Consoles, where there is a gateway for them.
fn consoles(command: &Salesforce, org: &Org) -> anyhow::Result<Option<Consoles>> {
    if command.bridge.is_empty() {
        return Ok(None);
    }
    let answers_after = Duration::from_millis(command.toolkit_ms);
    let settings = consoles::Settings {
        gateways: command.bridge.clone(),
        origin: command.bridge_origin.clone(),
        tls_ca: command.bridge_ca.clone(),
        transport: match command.bridge_transport {
            Transport::Socket => consoles::Transport::Socket,
            Transport::Events => consoles::Transport::Events,
        },
        toolkits: Toolkits { answers_after, ..Toolkits::default() },
        rowless_percent: command.rowless_percent,
        ..consoles::Settings::default()
    };
    let runtime = tokio::runtime::Handle::current();
    let consoles = Consoles::new(org.clone(), &settings, &runtime).context("--bridge")?;
    let users: Vec<_> = org.users().iter().map(|user| user.id).take(command.consoles as usize).collect();
    org.attach(&consoles, users.iter().copied());
    consoles.open_all(&users, OPENED_EACH * command.consoles);
    Ok(Some(consoles))
}

fn settings(command: &Salesforce) -> anyhow::Result<Settings> {
    let bridge_key = command.bridge_key.as_deref().map(|file| read("--bridge-key", file)).transpose()?;
    let bridge_key = bridge_key.map(|pem| BridgeKey {
        pem: SecretString::from(pem),
        key_id: command.bridge_key_id.clone(),
        issuer: command.bridge_issuer.clone(),
        audience: command.bridge_audience.clone(),
    });
    let variants = Variants {
        page_size: command.page_size,
        daily_requests: command.daily_requests,
        session_seconds: command.session_seconds,
        date_offset_ms: command.date_offset_ms,
        ..Variants::default()
    };
    let public_key = command.jwt_public_key.as_deref().map(|file| read("--jwt-public-key", file));
    Ok(Settings {
        users: command.users,
        seed: command.seed,
        behaves: !command.idle,
        variants,
        jwt_public_key: public_key.transpose()?,
        bridge_key,
        tls: command.served.tls()?,
        ..Settings::default()
    })
}

fn read(option: &str, file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{option} {} cannot be read", file.display()))
}
