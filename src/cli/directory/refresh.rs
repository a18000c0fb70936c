//! `lockstep directory refresh`.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use lockstep::bus::AnyBus;
use lockstep::config::{Config, Cxone};
use lockstep::control::{Control, Known};
use lockstep::domain::AccountName;

use super::Changed;
use super::loaded::{Got, Put, link_matches, put};
use crate::cli::operator::{Log, Said};
use crate::cli::output::{self, GREEN, Outcome, YELLOW};
use crate::cli::tenant;
use crate::cli::unwatched::Unwatched;

#[derive(Args)]
pub(in crate::cli) struct Refresh {
    /// The tenants, by their names in the configuration; default: all
    #[arg(value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    said: Said,
}

#[derive(Serialize)]
struct Told {
    tenants: Vec<TenantTold>,
    /// Agents who were linked now.
    matched: usize,
    /// Agents who are not linked: `lockstep directory unlinked` lists them.
    not_linked: usize,
    /// None where nothing was changed.
    changed: Option<Changed>,
}

#[derive(Serialize)]
struct TenantTold {
    account: String,
    agents: usize,
    teams: usize,
    codes: usize,
    hidden: u64,
    linked_and_not_listed: usize,
    missing: Vec<String>,
}

impl TenantTold {
    fn of(name: AccountName, put: Put) -> TenantTold {
        let Put { agents, teams, codes, hidden, linked_and_not_listed, missing } = put;
        let account = name.to_string();
        TenantTold { account, agents, teams, codes, hidden, linked_and_not_listed, missing }
    }
}

pub(super) fn run(command: &Refresh) -> anyhow::Result<Outcome> {
    let operator = command.said.why.operator()?;
    let deployment = command.said.configured.load()?;
    let wanted = wanted(command, &deployment.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no means to call CXone")?;
    let mut all = Vec::new();
    for (name, configured) in wanted {
        let wait_s = 60.0 / f64::from(tenant::calls_beside(configured));
        output::aside(&format!("{name}: asking CXone, a call each {wait_s:.1} s, one for each team\n"));
        let tenant = tenant::tenant_beside(configured, Arc::new(Unwatched))?;
        let got = runtime.block_on(Got::read(&tenant));
        all.push((name, got.with_context(|| format!("cxone.{name}"))?));
    }
    let log = Log::of(&deployment)?;
    // Who becomes control first reads what nobody else changes meanwhile.
    let mut control: Option<Control<'_, AnyBus>> = match command.dry_run {
        true => None,
        false => Some(log.control()?),
    };
    let mut known = Known::read(&log.bus, &log.codec, &log.plan)?;
    let mut tenants = Vec::new();
    for (name, got) in all {
        tenants.push(TenantTold::of(name, put(name, got, &mut known.directory)));
    }
    let (matched, not_linked) = link_matches(&mut known.directory, &deployment.config);
    let changed = match &mut control {
        Some(control) => Some(Changed::from(&control.replace(&known, &operator)?)),
        None => None,
    };
    let told = Told { tenants, matched, not_linked, changed };
    if command.said.json {
        output::json(&told)?
    } else {
        output::result(&text(&told))?
    }
    Ok(Outcome::Done)
}

fn wanted<'c>(command: &Refresh, config: &'c Config) -> anyhow::Result<Vec<(AccountName, &'c Cxone)>> {
    let is_known = |name: &String| config.cxone.keys().any(|known| known.as_str() == name);
    if let Some(unknown) = command.accounts.iter().find(|name| !is_known(name)) {
        let known: Vec<&str> = config.cxone.keys().map(AccountName::as_str).collect();
        anyhow::bail!("the configuration has no [cxone.{unknown}]; it has: {}", known.join(", "));
    }
    anyhow::ensure!(
        !config.cxone.is_empty(),
        "the configuration has no [cxone.NAME]: `lockstep config init` shows how one looks"
    );
    let is_wanted = |name: &AccountName| {
        command.accounts.is_empty() || command.accounts.iter().any(|one| one == name.as_str())
    };
    Ok(config.cxone.iter().map(|(name, one)| (*name, one)).filter(|(name, _)| is_wanted(name)).collect())
}

fn text(told: &Told) -> String {
    let mut text = String::new();
    for tenant in &told.tenants {
        let TenantTold { account, agents, teams, codes, hidden, linked_and_not_listed, missing } = tenant;
        let _ = writeln!(text, "{account}: {agents} agents, {teams} teams, {codes} codes");
        let mut warn = |what: &str| {
            let _ = writeln!(text, "{account}: {YELLOW}warning{YELLOW:#}: {what}");
        };
        if *hidden > 0 {
            warn(&format!(
                "agents that the service user may not see: {hidden}; give it a role in CXone that sees all teams"
            ));
        }
        if *linked_and_not_listed > 0 {
            warn(&format!(
                "agents who are linked and whom CXone does not list: {linked_and_not_listed}; unlink those who have left"
            ));
        }
        missing.iter().for_each(|what| warn(what));
    }
    let Told { matched, not_linked, .. } = told;
    match &told.changed {
        Some(changed) => {
            let _ = writeln!(text, "{GREEN}refreshed{GREEN:#}: {}", changed.text());
        }
        None => {
            let _ = writeln!(text, "nothing was changed; would be linked: {matched}");
        }
    }
    if *not_linked > 0 {
        let _ =
            writeln!(text, "agents who are not linked: {not_linked}; `lockstep directory unlinked` says why");
    }
    text
}
