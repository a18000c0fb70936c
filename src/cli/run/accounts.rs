//! The sources' and sinks' part of `lockstep run`.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

use lockstep::config::{Cxone, DeadLetterPayload, Salesforce};
use lockstep::connectors::{Connected, Connector, Edge, Observer, cxone, http, salesforce};
use lockstep::domain::{Account, AccountName, Platform};
use lockstep::metrics::AccountMetrics;

use super::Begun;
use super::refresh::{self, Refreshed};
use crate::cli::deployment::Deployment;
use crate::cli::directory::loaded::Asked;
use crate::cli::{org, tenant};

/// Starts the source and the sink of each account, both on one thread of the bus; calls are made elsewhere.
pub(super) fn start(
    begun: &Begun,
    deployment: &Arc<Deployment>,
    calls: &Handle,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let config = &deployment.config;
    if config.cxone.is_empty() && config.salesforce.is_empty() {
        tracing::info!(
            "the configuration has neither [salesforce.NAME] nor [cxone.NAME]: there is nothing for a source and a sink to do"
        );
    }
    let shows_answers = config.privacy.dead_letter_payload == DeadLetterPayload::Full;
    let (mut threads, mut refreshed) = (Vec::new(), Vec::new());
    for (name, configured) in &config.salesforce {
        let account = Account { platform: Platform::Salesforce, name: *name };
        let (observer, watched) = watched(begun, account);
        let platform = org::platform(configured, shows_answers, watched)?;
        let org = Arc::new(org::org(configured, platform));
        observer.watch(org.platform());
        refreshed.push(Refreshed::new(account, Asked::Org(Arc::clone(&org)), Arc::clone(&observer)));
        let connected = of_org(begun, account, shows_answers);
        threads.push(begin(begun, attached_org(*name, org, configured), connected, observer, calls)?);
    }
    for (name, configured) in &config.cxone {
        let account = Account { platform: Platform::Cxone, name: *name };
        let (observer, watched) = watched(begun, account);
        let tenant = Arc::new(tenant::tenant(configured, shows_answers, watched)?);
        observer.watch(tenant.platform());
        let asked = Asked::Tenant(Arc::clone(&tenant));
        refreshed.push(Refreshed::new(account, asked, Arc::clone(&observer)));
        let connected = of_tenant(begun, account, configured, shows_answers);
        threads.push(begin(begun, attached_tenant(*name, tenant, configured), connected, observer, calls)?);
    }
    if config.directory.refresh_minutes > 0 && !refreshed.is_empty() {
        threads.push(refresh::start(begun, Arc::clone(deployment), refreshed, calls)?);
    }
    Ok(threads)
}

fn watched(begun: &Begun, account: Account) -> (Arc<AccountMetrics>, Arc<dyn http::Observer>) {
    let observer = Arc::new(begun.ops.metrics.account(account));
    let watched: Arc<dyn http::Observer> = observer.clone();
    (observer, watched)
}

/// Starts the loop of an account.
fn begin<E: Edge + 'static>(
    begun: &Begun,
    edge: E,
    connected: Connected,
    observer: Arc<AccountMetrics>,
    calls: &Handle,
) -> anyhow::Result<JoinHandle<()>> {
    let account = connected.account;
    let observer: Arc<dyn Observer> = observer;
    let connector = Connector::new(begun.reached.clone(), edge, connected, observer, calls.clone());
    let (part, readiness) = (account.to_string(), Arc::clone(&begun.ops.readiness));
    readiness.set(&part, false);
    begun.spawn(part.clone(), move |stop| {
        // Who stands by is as ready as who works.
        readiness.set(&part, true);
        let span = tracing::info_span!("account", %account);
        let _inside = span.enter();
        Ok(connector.run(&|| stop.is_asked())?)
    })
}

fn attached_org(
    account: AccountName,
    org: Arc<salesforce::Org>,
    configured: &Salesforce,
) -> salesforce::Attached {
    let calls = &configured.calls;
    salesforce::Attached {
        account,
        org,
        poll_interval: Duration::from_millis(calls.poll_interval_ms.into()),
        snapshot_interval: Duration::from_secs(calls.snapshot_interval_s.into()),
    }
}

fn attached_tenant(account: AccountName, tenant: Arc<cxone::Tenant>, configured: &Cxone) -> cxone::Attached {
    let calls = &configured.calls;
    cxone::Attached {
        account,
        tenant,
        poll_interval: Duration::from_millis(calls.poll_interval_ms.into()),
        snapshot_interval: Duration::from_secs(calls.snapshot_interval_s.into()),
        set_by: tenant::set_by(configured),
    }
}

/// Nothing is set by calls there: browsers do that.
fn of_org(begun: &Begun, account: Account, keeps_payload: bool) -> Connected {
    Connected {
        account,
        process: begun.name.clone(),
        calls_max: 0,
        call_timeout: Duration::ZERO,
        keeps_payload,
    }
}

fn of_tenant(begun: &Begun, account: Account, configured: &Cxone, keeps_payload: bool) -> Connected {
    Connected {
        account,
        process: begun.name.clone(),
        calls_max: configured.calls.at_once.into(),
        call_timeout: Duration::from_millis(configured.calls.set_timeout_ms.into()),
        keeps_payload,
    }
}
