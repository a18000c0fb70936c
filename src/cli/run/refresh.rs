//! The directory is refreshed now and then by the process that has the account, within its budget of calls.

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
use lockstep::control::{Control, directory_in_log};
use lockstep::domain::Account;
use lockstep::metrics::AccountMetrics;

use super::{Begun, Reached};
use crate::cli::deployment::Deployment;
use crate::cli::directory::loaded::{Loaded, link_matches, put};

/// How long who has just come to have an account lets sources and sinks go first.
const FIRST_AFTER: Duration = Duration::from_secs(10);
/// How often it is looked whether something is due.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A tenant whose directory is refreshed.
pub(super) struct Refreshed {
    account: Account,
    tenant: Arc<Tenant>,
    metrics: Arc<AccountMetrics>,
    loaded: Loaded,
    due: Instant,
}

impl Refreshed {
    pub(super) fn new(account: Account, tenant: Arc<Tenant>, metrics: Arc<AccountMetrics>) -> Refreshed {
        Refreshed { account, tenant, metrics, loaded: Loaded::default(), due: Instant::now() + FIRST_AFTER }
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
                if stop.is_asked() || tenant.due > Instant::now() || !tenant.metrics.has_lease() {
                    continue;
                }
                tenant.due = Instant::now() + interval;
                let span = tracing::info_span!("directory", account = %tenant.account);
                let _inside = span.enter();
                if let Err(error) = refresh(tenant, &reached, &deployment.config, &calls) {
                    tracing::warn!(
                        "the directory is not refreshed: {error:#}; it is tried again when it is due"
                    );
                }
            }
        }
        Ok(())
    })
}

fn refresh(tenant: &mut Refreshed, reached: &Reached, config: &Config, calls: &Handle) -> anyhow::Result<()> {
    let (bus, codec, plan) = reached;
    // Who stops does not wait for all of its pages.
    let got = calls.block_on(tenant.loaded.read(&tenant.tenant)).context("asking CXone")?;
    let mut control: Control<'_, AnyBus> = Control::begin(&**bus, codec, plan)?;
    let mut directory = directory_in_log(&**bus, codec, plan)?;
    let put = put(tenant.account.name, got, &mut directory);
    let (linked, not_linked) = link_matches(&mut directory, config);
    let operator =
        Operator { actor: Cow::Borrowed("lockstep"), reason: Cow::Borrowed("the directory was refreshed") };
    let changed = control.replace(&directory, &operator)?;
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
