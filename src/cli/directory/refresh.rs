//! `lockstep directory refresh`.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use lockstep::bus::AnyBus;
use lockstep::config::{Config, Cxone, Salesforce};
use lockstep::control::{Control, Known};
use lockstep::domain::{Account, AccountName, Platform};

use super::Changed;
use super::loaded::org::{self, ChangedStatus};
use super::loaded::{Asked, Put, link_matches, tenant};
use crate::cli::operator::{Log, Said};
use crate::cli::org::org_beside;
use crate::cli::output::{self, GREEN, Outcome, YELLOW};
use crate::cli::runtime;
use crate::cli::tenant::tenant_beside;
use crate::cli::unwatched::{Unwatched, seconds_between};

#[derive(Args)]
pub(in crate::cli) struct Refresh {
    /// The accounts, by their names in the configuration: NAME is the org and the tenant of that name,
    /// salesforce.NAME or cxone.NAME one of the two; default: all
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
    orgs: Vec<OrgTold>,
    tenants: Vec<TenantTold>,
    /// Agents who were linked now.
    matched: usize,
    /// Agents who are not linked: `lockstep directory unlinked` lists them.
    not_linked: usize,
    /// None where nothing was changed.
    changed: Option<Changed>,
}

#[derive(Serialize)]
struct OrgTold {
    account: String,
    /// None where they may not be read.
    users: Option<usize>,
    online: usize,
    busy: usize,
    statuses_changed: Vec<ChangedStatus>,
    linked_and_not_listed: usize,
    missing: Vec<String>,
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

impl OrgTold {
    fn of(name: AccountName, put: org::Put) -> OrgTold {
        let org::Put { users, online, busy, changed: statuses_changed, linked_and_not_listed, missing } = put;
        let account = name.to_string();
        OrgTold { account, users, online, busy, statuses_changed, linked_and_not_listed, missing }
    }
}

impl TenantTold {
    fn of(name: AccountName, put: tenant::Put) -> TenantTold {
        let tenant::Put { agents, teams, codes, hidden, linked_and_not_listed, missing } = put;
        let account = name.to_string();
        TenantTold { account, agents, teams, codes, hidden, linked_and_not_listed, missing }
    }
}

pub(super) fn run(command: &Refresh) -> anyhow::Result<Outcome> {
    let operator = command.said.why.operator()?;
    let deployment = command.said.configured.load()?;
    let wanted = wanted(&command.accounts, &deployment.config)?;
    if command.dry_run {
        // Before calls that take minutes.
        deployment.is_there()?;
    }
    let runtime = runtime::here("call a platform")?;
    let mut all = Vec::new();
    for (account, configured) in wanted {
        let asked = asked(account, configured)?;
        let got = runtime.block_on(asked.read()).with_context(|| account.to_string())?;
        all.push((account.name, got));
    }
    let log = Log::make(&deployment)?;
    // Who becomes control first reads what nobody else changes meanwhile.
    let mut control: Option<Control<'_, AnyBus>> = match command.dry_run {
        true => None,
        false => Some(log.control()?),
    };
    let mut known = Known::read(&log.bus, &log.codec, &log.plan)?;
    let (mut orgs, mut tenants) = (Vec::new(), Vec::new());
    for (name, got) in all {
        match got.put(name, &mut known.directory) {
            Put::Org(put) => orgs.push(OrgTold::of(name, put)),
            Put::Tenant(put) => tenants.push(TenantTold::of(name, put)),
        }
    }
    let (matched, not_linked) = link_matches(&mut known.directory, &deployment.config);
    let changed = match &mut control {
        Some(control) => Some(Changed::from(&control.replace(&known, &operator)?)),
        None => None,
    };
    let told = Told { orgs, tenants, matched, not_linked, changed };
    if command.said.json {
        output::json(&told)?
    } else {
        output::result(&text(&told))?
    }
    Ok(Outcome::Done)
}

/// An account, as the configuration has it.
#[derive(Clone, Copy)]
enum Configured<'c> {
    Org(&'c Salesforce),
    Tenant(&'c Cxone),
}

/// The accounts that are asked: orgs first, so that agents find their users.
fn wanted<'c>(names: &[String], config: &'c Config) -> anyhow::Result<Vec<(Account, Configured<'c>)>> {
    let account = |platform, name: &AccountName| Account { platform, name: *name };
    let orgs = config.salesforce.iter();
    let orgs = orgs.map(|(name, one)| (account(Platform::Salesforce, name), Configured::Org(one)));
    let tenants = config.cxone.iter();
    let tenants = tenants.map(|(name, one)| (account(Platform::Cxone, name), Configured::Tenant(one)));
    let mut all: Vec<(Account, Configured<'c>)> = orgs.chain(tenants).collect();
    anyhow::ensure!(
        !all.is_empty(),
        "the configuration has no [salesforce.NAME] and no [cxone.NAME]: `lockstep config init` shows how they look"
    );
    let is_meant = |account: &Account, name: &String| {
        *name == account.to_string() || name.as_str() == account.name.as_str()
    };
    let is_known = |name: &&String| all.iter().any(|(account, _)| is_meant(account, name));
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let known: Vec<String> = all.iter().map(|(account, _)| account.to_string()).collect();
        anyhow::bail!("the configuration has no account {unknown}; it has: {}", known.join(", "));
    }
    all.retain(|(account, _)| names.is_empty() || names.iter().any(|name| is_meant(account, name)));
    Ok(all)
}

/// Who is asked, and says how long that may take.
fn asked(account: Account, configured: Configured<'_>) -> anyhow::Result<Asked> {
    let (asked, per_minute, calls) = match configured {
        Configured::Org(one) => {
            let org = Arc::new(org_beside(one, Arc::new(Unwatched))?);
            (Asked::Org(org), one.calls.per_minute, "one for each 2,000 users")
        }
        Configured::Tenant(one) => {
            let tenant = Arc::new(tenant_beside(one, Arc::new(Unwatched))?);
            (Asked::Tenant(tenant), one.calls.per_minute, "one for each team")
        }
    };
    let wait_s = seconds_between(per_minute);
    output::aside(&format!("{account}: asking {}, a call each {wait_s:.1} s, {calls}\n", asked.platform()));
    Ok(asked)
}

fn text(told: &Told) -> String {
    let Told { orgs, tenants, matched, not_linked, changed } = told;
    let mut text: String =
        orgs.iter().map(OrgTold::text).chain(tenants.iter().map(TenantTold::text)).collect();
    match changed {
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

/// A line for each warning about an account.
fn warned(account: &str, warnings: &[String]) -> String {
    let warned = |what: &String| format!("{account}: {YELLOW}warning{YELLOW:#}: {what}\n");
    warnings.iter().map(warned).collect()
}

impl OrgTold {
    fn text(&self) -> String {
        let OrgTold { users, online, busy, statuses_changed, linked_and_not_listed, .. } = self;
        let account = format!("salesforce.{}", self.account);
        let users =
            users.map_or_else(|| "users as they were known".to_owned(), |users| format!("{users} users"));
        let mut text = format!("{account}: {users}; statuses: {online} online, {busy} busy\n");
        let mut warnings = Vec::new();
        for status in statuses_changed {
            if status.is_worth_a_look() {
                warnings.push(status.to_string());
            } else {
                let _ = writeln!(text, "{account}: {status}");
            }
        }
        if *linked_and_not_listed > 0 {
            warnings.push(format!(
                "users who are linked and whom Salesforce does not list: {linked_and_not_listed}; let the integration user see all users, and unlink those who have left"
            ));
        }
        warnings.extend_from_slice(&self.missing);
        text + &warned(&account, &warnings)
    }
}

impl TenantTold {
    fn text(&self) -> String {
        let TenantTold { agents, teams, codes, hidden, linked_and_not_listed, .. } = self;
        let account = format!("cxone.{}", self.account);
        let mut warnings = Vec::new();
        if *hidden > 0 {
            warnings.push(format!(
                "agents that the service user may not see: {hidden}; give it a role in CXone that sees all teams"
            ));
        }
        if *linked_and_not_listed > 0 {
            warnings.push(format!(
                "agents who are linked and whom CXone does not list: {linked_and_not_listed}; unlink those who have left"
            ));
        }
        warnings.extend_from_slice(&self.missing);
        format!("{account}: {agents} agents, {teams} teams, {codes} codes\n") + &warned(&account, &warnings)
    }
}
