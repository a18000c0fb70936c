//! The directory is refreshed now and then by the process that has the account, within its budget of calls, where that is asked
//! for.

use std::borrow::Cow;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::runtime::Handle;

use lockstep::bus::AnyBus;
use lockstep::codec::Operator;
use lockstep::config::Config;
use lockstep::control::{Control, Known};
use lockstep::domain::Account;
use lockstep::metrics::AccountMetrics;
use lockstep::processor::Stop;

use super::{Begun, Reached};
use crate::cli::deployment::Deployment;
use crate::cli::directory::loaded::{Asked, Put, link_matches, org, tenant};

/// How long who has just come to have an account lets sources and sinks go first.
const FIRST_AFTER: Duration = Duration::from_secs(10);
/// Between two tries of what did not work.
const AGAIN_AFTER: Duration = Duration::from_secs(300);
/// How often it is looked whether something is due.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// An account that is asked who and what it has.
pub(super) struct Refreshed {
    account: Account,
    asked: Asked,
    metrics: Arc<AccountMetrics>,
    /// None while another process has the account.
    due: Option<Instant>,
}

impl Refreshed {
    pub(super) fn new(account: Account, asked: Asked, metrics: Arc<AccountMetrics>) -> Refreshed {
        Refreshed { account, asked, metrics, due: None }
    }
}

/// Refreshes the directory from these accounts, on a thread of its own.
pub(super) fn start(
    begun: &Begun,
    deployment: Arc<Deployment>,
    mut accounts: Vec<Refreshed>,
    calls: &Handle,
) -> anyhow::Result<JoinHandle<()>> {
    let (reached, calls) = (begun.reached.clone(), calls.clone());
    begun.spawn("directory".to_owned(), move |stop| {
        let interval = Duration::from_secs(60 * u64::from(deployment.config.directory.refresh_minutes));
        while !stop.is_asked() {
            thread::sleep(LOOK_AGAIN);
            for refreshed in &mut accounts {
                if !refreshed.metrics.has_lease() {
                    refreshed.due = None;
                    continue;
                }
                let now = Instant::now();
                let due = *refreshed.due.get_or_insert(now + FIRST_AFTER);
                if stop.is_asked() || due > now {
                    continue;
                }
                let span = tracing::info_span!("directory", account = %refreshed.account);
                let _inside = span.enter();
                let done = refresh(refreshed, &reached, &deployment.config, (&calls, stop));
                let again = if done.is_ok() { interval } else { AGAIN_AFTER.min(interval) };
                refreshed.due = Some(Instant::now() + again);
                if let Err(error) = done {
                    let again_s = again.as_secs();
                    tracing::warn!(again_s, "the directory is not refreshed: {error:#}; it is tried again");
                }
            }
        }
        Ok(())
    })
}

fn refresh(
    refreshed: &Refreshed,
    reached: &Reached,
    config: &Config,
    (calls, stop): (&Handle, &Stop),
) -> anyhow::Result<()> {
    let (bus, codec, plan) = reached;
    // Who stops does not wait for all of its pages.
    let stopped = async {
        while !stop.is_asked() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let got = calls.block_on(async {
        tokio::select! {
            got = refreshed.asked.read() => Some(got),
            () = stopped => None,
        }
    });
    let Some(got) = got else { return Ok(()) };
    let got = got.with_context(|| format!("asking {}", refreshed.asked.platform()))?;
    anyhow::ensure!(refreshed.metrics.has_lease(), "another process has the account by now");
    let mut control: Control<'_, AnyBus> = Control::begin(&**bus, codec, plan)?;
    let mut known = Known::read(&**bus, codec, plan)?;
    let put = got.put(refreshed.account.name, &mut known.directory);
    let (linked, not_linked) = link_matches(&mut known.directory, config);
    let operator =
        Operator { actor: Cow::Borrowed("lockstep"), reason: Cow::Borrowed("the directory was refreshed") };
    let changed = control.replace(&known, &operator)?;
    match &put {
        Put::Org(put) => tell_org(put),
        Put::Tenant(put) => tell_tenant(put),
    }
    tracing::info!(
        written = changed.written,
        linked,
        not_linked,
        moved = changed.moved,
        "the directory is refreshed"
    );
    Ok(())
}

fn tell_org(put: &org::Put) {
    for status in &put.changed {
        if status.is_worth_a_look() {
            tracing::warn!("{status}");
        } else {
            tracing::info!("{status}");
        }
    }
    put.missing.iter().for_each(|what| tracing::warn!("{what}"));
    tracing::info!(
        users = put.users,
        online = put.online,
        busy = put.busy,
        "the org has told who and what it has"
    );
}

fn tell_tenant(put: &tenant::Put) {
    if put.hidden > 0 {
        tracing::warn!(
            agents = put.hidden,
            "the service user may not see all agents: give it a role that does"
        );
    }
    put.missing.iter().for_each(|what| tracing::warn!("{what}"));
    tracing::info!(agents = put.agents, "the tenant has told who and what it has");
}
