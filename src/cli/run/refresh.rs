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
use lockstep::connectors::cxone::Tenant;
use lockstep::control::{Control, Known};
use lockstep::domain::Account;
use lockstep::metrics::AccountMetrics;
use lockstep::processor::Stop;

use super::{Begun, Reached};
use crate::cli::deployment::Deployment;
use crate::cli::directory::loaded::{Got, link_matches, put};

/// How long who has just come to have an account lets sources and sinks go first.
const FIRST_AFTER: Duration = Duration::from_secs(10);
/// Between two tries of what did not work.
const AGAIN_AFTER: Duration = Duration::from_secs(300);
/// How often it is looked whether something is due.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A tenant whose directory is refreshed.
pub(super) struct Refreshed {
    account: Account,
    tenant: Arc<Tenant>,
    metrics: Arc<AccountMetrics>,
    /// None while another process has the account.
    due: Option<Instant>,
}

impl Refreshed {
    pub(super) fn new(account: Account, tenant: Arc<Tenant>, metrics: Arc<AccountMetrics>) -> Refreshed {
        Refreshed { account, tenant, metrics, due: None }
    }
}

/// Refreshes tenants on a thread of its own.
pub(super) fn start(
    begun: &Begun,
    deployment: Arc<Deployment>,
    mut tenants: Vec<Refreshed>,
    calls: &Handle,
) -> anyhow::Result<JoinHandle<()>> {
    let (reached, calls) = (begun.reached.clone(), calls.clone());
    begun.spawn("directory".to_owned(), move |stop| {
        let interval = Duration::from_secs(60 * u64::from(deployment.config.directory.refresh_minutes));
        while !stop.is_asked() {
            thread::sleep(LOOK_AGAIN);
            for tenant in &mut tenants {
                if !tenant.metrics.has_lease() {
                    tenant.due = None;
                    continue;
                }
                let now = Instant::now();
                let due = *tenant.due.get_or_insert(now + FIRST_AFTER);
                if stop.is_asked() || due > now {
                    continue;
                }
                let span = tracing::info_span!("directory", account = %tenant.account);
                let _inside = span.enter();
                let refreshed = refresh(tenant, &reached, &deployment.config, (&calls, stop));
                let again = if refreshed.is_ok() { interval } else { AGAIN_AFTER.min(interval) };
                tenant.due = Some(Instant::now() + again);
                if let Err(error) = refreshed {
                    let again_s = again.as_secs();
                    tracing::warn!(again_s, "the directory is not refreshed: {error:#}; it is tried again");
                }
            }
        }
        Ok(())
    })
}

fn refresh(
    tenant: &Refreshed,
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
            got = Got::read(&tenant.tenant) => Some(got),
            () = stopped => None,
        }
    });
    let Some(got) = got else { return Ok(()) };
    let got = got.context("asking CXone")?;
    anyhow::ensure!(tenant.metrics.has_lease(), "another process has the account by now");
    let mut control: Control<'_, AnyBus> = Control::begin(&**bus, codec, plan)?;
    let mut known = Known::read(&**bus, codec, plan)?;
    let put = put(tenant.account.name, got, &mut known.directory);
    let (linked, not_linked) = link_matches(&mut known.directory, config);
    let operator =
        Operator { actor: Cow::Borrowed("lockstep"), reason: Cow::Borrowed("the directory was refreshed") };
    let changed = control.replace(&known, &operator)?;
    if put.hidden > 0 {
        tracing::warn!(
            agents = put.hidden,
            "the service user may not see all agents: give it a role that does"
        );
    }
    put.missing.iter().for_each(|what| tracing::warn!("{what}"));
    tracing::info!(
        agents = put.agents,
        written = changed.written,
        linked,
        not_linked,
        moved = changed.moved,
        "the directory is refreshed"
    );
    Ok(())
}
