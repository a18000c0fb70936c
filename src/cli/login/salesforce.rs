//! `lockstep login salesforce`.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use lockstep::config::{self, Config, SalesforceLogin};
use lockstep::connectors::http::Platform;
use lockstep::connectors::salesforce::{Granted, SCOPES, Scope, TokenFile, WebFlow};
use lockstep::domain::AccountName;

use crate::cli::deployment::Configured;
use crate::cli::org;
use crate::cli::output::{self, GREEN, Outcome, YELLOW};
use crate::cli::runtime;
use crate::cli::signals::Signals;
use crate::cli::unwatched::Unwatched;

/// Nobody is waited for longer.
const WITHIN: Duration = Duration::from_secs(5 * 60);

#[derive(Args)]
pub(in crate::cli) struct Salesforce {
    /// The org, by its name in the configuration
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// The port of this machine that the browser comes back to
    #[arg(long, value_name = "PORT", default_value_t = 8484, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Print the address, and open no browser
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    configured: Configured,
}

pub(super) fn run(command: &Salesforce) -> anyhow::Result<Outcome> {
    let deployment = command.configured.load()?;
    let (name, configured) = wanted(&command.account, &deployment.config)?;
    let runtime = runtime::here("call Salesforce")?;
    let platform = org::platform(configured, false, Arc::new(Unwatched))?;
    let told = async {
        match &configured.login {
            SalesforceLogin::RefreshToken { refresh_token_file } => {
                by_browser(command, configured, refresh_token_file, &platform).await?;
            }
            SalesforceLogin::Password { .. } => output::aside(&format!(
                "{YELLOW}warning:{YELLOW:#} a password: orgs made since Summer '23 block that by default; `private_key` is better\n"
            )),
            SalesforceLogin::JwtBearer { .. } | SalesforceLogin::ClientCredentials {} => {}
        }
        tried(name, configured, Arc::clone(&platform)).await
    };
    let told = runtime.block_on(told).with_context(|| format!("salesforce.{name}"))?;
    output::result(&told)?;
    Ok(Outcome::Done)
}

fn wanted<'c>(account: &str, config: &'c Config) -> anyhow::Result<(AccountName, &'c config::Salesforce)> {
    let found = config.salesforce.iter().find(|(name, _)| name.as_str() == account);
    let (name, configured) = found.with_context(|| {
        let known: Vec<&str> = config.salesforce.keys().map(AccountName::as_str).collect();
        let known = match known.as_slice() {
            [] => "it has no org: `lockstep config init` shows how one looks".to_owned(),
            known => format!("it has: {}", known.join(", ")),
        };
        format!("the configuration has no [salesforce.{account}]; {known}")
    })?;
    Ok((*name, configured))
}

/// A person allows the app; what comes of it is kept.
async fn by_browser(
    command: &Salesforce,
    configured: &config::Salesforce,
    file: &Path,
    platform: &Platform,
) -> anyhow::Result<()> {
    let port = command.port;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
        format!("127.0.0.1:{port} cannot be listened on: choose another port with --port, and add its callback url to the app")
    })?;
    let flow = WebFlow::new(org::app(configured), port)?;
    output::aside(&asked(&flow));
    if !command.no_browser && !opened(flow.address().as_str()) {
        output::aside("No browser could be opened: open the address yourself.\n");
    }
    let mut signals = Signals::new()?;
    let code = tokio::select! {
        code = flow.code(listener) => code?,
        () = signals.next() => anyhow::bail!("ended, as asked: nothing was stored"),
        () = tokio::time::sleep(WITHIN) => {
            anyhow::bail!("nobody logged in within 5 minutes: nothing was stored; begin again")
        }
    };
    let granted = flow.exchange(platform, &code).await?;
    TokenFile::new(file.to_owned()).write(&granted.refresh_token)?;
    output::aside(&came(&granted, file));
    Ok(())
}

/// What the person is to do.
fn asked(flow: &WebFlow) -> String {
    let mut text = format!("The app must have the callback url {} and these scopes:\n", flow.redirect());
    for Scope { name, also, is_needed, what_for } in SCOPES {
        let need = if is_needed { "needed" } else { "useful" };
        let also: String = also.iter().map(|other| format!(" or {other}")).collect();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {need}: {name}{also}: {what_for}");
    }
    let _ = writeln!(text, "Log in as the integration user, within 5 minutes, at\n\n{}\n", flow.address());
    text
}

/// What came, and what did not.
fn came(granted: &Granted, file: &Path) -> String {
    let mut text = format!("The refresh token is in {}, for this user alone.\n", file.display());
    if granted.scopes.is_empty() {
        text.push_str("Which scopes it has was not told.\n");
        return text;
    }
    let _ = writeln!(text, "It has the scopes {}.", granted.scopes.join(", "));
    for scope in SCOPES.iter().filter(|scope| !scope.is_among(&granted.scopes)) {
        let Scope { name, is_needed, what_for, .. } = scope;
        let why = if *is_needed { "Lockstep needs it" } else { "Lockstep's own calls do without it" };
        let _ = writeln!(
            text,
            "{YELLOW}warning:{YELLOW:#} the scope {name} is missing, which is for this: {what_for}; {why}"
        );
    }
    text
}

/// Logs in by itself, as a source does.
async fn tried(
    name: AccountName,
    configured: &config::Salesforce,
    platform: Arc<Platform>,
) -> anyhow::Result<String> {
    let left = org::org(configured, platform).limits().await?;
    let calls = left.daily_api_requests.map_or_else(String::new, |calls| {
        let used = calls.max.saturating_sub(calls.remaining);
        format!("; {used} of {} API calls of a day are used", calls.max)
    });
    let organisation = configured.organisation_id;
    Ok(format!("{GREEN}ok{GREEN:#} {name}: the log-in works, to the organisation {organisation}{calls}\n"))
}

/// Whether something was found that opens an address.
fn opened(address: &str) -> bool {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let nothing = Stdio::null;
    let child =
        Command::new(program).arg(address).stdin(nothing()).stdout(nothing()).stderr(nothing()).spawn();
    match child {
        Ok(mut child) => {
            // It is done when it is done.
            std::thread::spawn(move || child.wait());
            true
        }
        Err(_) => false,
    }
}
