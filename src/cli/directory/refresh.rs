//! `lockstep directory refresh`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use lockstep::bus::AnyBus;
use lockstep::config::{Config, Cxone, LinkBy as Configured};
use lockstep::connectors::cxone::Tenant;
use lockstep::connectors::http::{self, CallClass, Error, Observer};
use lockstep::control::{Control, directory_in_log};
use lockstep::directory::{Code, Contact, CxoneVocabulary, Directory, LinkBy, Listed, TeamEntry};
use lockstep::domain::{AccountName, Link};

use super::Changed;
use crate::cli::operator::{Log, Said};
use crate::cli::output::{self, GREEN, Outcome, YELLOW};
use crate::cli::tenant;

/// Out-states up to this one are CXone's own.
const RESERVED_MAX: u32 = 3;

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

/// What a tenant has.
struct Got {
    vocabulary: CxoneVocabulary,
    listed: Vec<Listed>,
    hidden: u64,
    /// What could not be read, and what follows from that.
    missing: Vec<String>,
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

/// Nobody watches these calls.
struct Nobody;

impl Observer for Nobody {
    fn called(&self, _: &'static str, _: CallClass, _: Duration) {}

    fn clock(&self, _: i64) {}
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
        let wait_s = 60.0 / (f64::from(configured.calls.per_minute) / 10.0);
        output::aside(&format!("{name}: asking CXone, a call each {wait_s:.1} s, one for each team\n"));
        let got = runtime.block_on(get(configured)).with_context(|| format!("cxone.{name}"))?;
        all.push((name, got));
    }
    let log = Log::open(&command.said.configured)?;
    // Who becomes control first reads what nobody else changes meanwhile.
    let mut control: Option<Control<'_, AnyBus>> = match command.dry_run {
        true => None,
        false => Some(log.control()?),
    };
    let mut directory = directory_in_log(&log.bus, &log.codec, &log.plan)?;
    let mut tenants = Vec::new();
    for (name, Got { vocabulary, listed, hidden, missing }) in all {
        let (agents, teams, codes) = (listed.len(), vocabulary.teams().len(), vocabulary.codes().len());
        let linked_and_not_listed = directory.replace_tenant(name, vocabulary, listed);
        let account = name.to_string();
        tenants.push(TenantTold { account, agents, teams, codes, hidden, linked_and_not_listed, missing });
    }
    let (matched, not_linked) = link_matches(&mut directory, &deployment.config);
    let changed = match &mut control {
        Some(control) => Some(Changed::from(&control.replace(&directory, &operator)?)),
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

/// All that the directory needs of a tenant. What we may not read is left unknown.
async fn get(configured: &Cxone) -> anyhow::Result<Got> {
    let tenant = tenant::tenant_beside(configured, Arc::new(Nobody))?;
    let agents = tenant.agents(None).await?;
    let mut missing = Vec::new();
    let mut or_nothing = |what: &str, error: Error| match error {
        Error::Refused { status: 403, .. } => {
            missing.push(format!("{what} cannot be read: a permission of the service user is missing"));
            Ok(())
        }
        error => Err(error),
    };
    let mut codes = Vec::new();
    match tenant.codes().await {
        Ok(all) => codes = all,
        Err(error) => or_nothing("the unavailable codes", error)?,
    }
    let mut teams = Vec::new();
    match tenant.teams().await {
        Ok(all) => {
            for team in all {
                teams.push((team.team, team.name, codes_of(&tenant, team.team, &mut or_nothing).await?));
            }
        }
        Err(error) => or_nothing("the teams", error)?,
    }
    let codes = codes.into_iter().filter(|code| code.code.get() > RESERVED_MAX).map(|code| Code {
        id: code.code,
        name: code.name.into(),
        active: code.is_active,
        after_call_work: code.is_acw,
    });
    let teams = teams.into_iter().map(|(id, name, codes)| TeamEntry { id, name: name.into(), codes });
    let listed = agents.agents.into_iter().map(|agent| Listed {
        agent: agent.agent,
        team: agent.team,
        contact: Contact {
            user_name: agent.user_name.into(),
            email: agent.email.into(),
            federation_id: agent.federated.unwrap_or_default().into(),
            is_inactive: !agent.is_active,
        },
    });
    let (vocabulary, listed) = (CxoneVocabulary::new(codes.collect(), teams.collect()), listed.collect());
    Ok(Got { vocabulary, listed, hidden: agents.hidden, missing })
}

/// The codes of a team, sorted; none where we may not know them.
async fn codes_of(
    tenant: &Tenant,
    team: lockstep::domain::TeamId,
    or_nothing: &mut impl FnMut(&str, Error) -> Result<(), http::Error>,
) -> anyhow::Result<Option<Vec<lockstep::domain::OutStateId>>> {
    match tenant.codes_of(team).await {
        Ok(codes) => {
            let mut codes: Vec<_> = codes.into_iter().map(|code| code.code).collect();
            codes.retain(|code| code.get() > RESERVED_MAX);
            codes.sort_unstable();
            codes.dedup();
            Ok(Some(codes))
        }
        Err(error) => {
            or_nothing(&format!("the codes of team {team}"), error)?;
            Ok(None)
        }
    }
}

/// Links those of whom it is known who they are. Tells how many these are, and how many are left.
fn link_matches(directory: &mut Directory, config: &Config) -> (usize, usize) {
    let matches = directory.matches(&order(config));
    let all = matches.len();
    let mut matched = 0;
    for (cxone, found) in matches {
        if let Ok(salesforce) = found
            && directory.link(Link { salesforce, cxone })
        {
            matched += 1;
        }
    }
    (matched, all - matched)
}

/// By what people are linked.
pub(super) fn order(config: &Config) -> Vec<LinkBy> {
    let one = |by: &Configured| match by {
        Configured::Email => LinkBy::Email,
        Configured::FederationId => LinkBy::FederationId,
        Configured::UserName => LinkBy::UserName,
    };
    config.directory.link_by.iter().map(one).collect()
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
