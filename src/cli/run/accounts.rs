//! The sources' and sinks' part of `lockstep run`.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

use lockstep::config::DeadLetterPayload;
use lockstep::connectors::cxone::Attached;
use lockstep::connectors::{Connected, Connector, Observer, http};
use lockstep::domain::{Account, Platform};

use super::Begun;
use super::refresh::{self, Refreshed};
use crate::cli::deployment::Deployment;
use crate::cli::directory::loaded::Asked;
use crate::cli::{org, tenant};

/// Starts the source and the sink of each tenant, both on one thread of the bus; calls are made elsewhere.
pub(super) fn start(
    begun: &Begun,
    deployment: &Arc<Deployment>,
    calls: &Handle,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let config = &deployment.config;
    if config.cxone.is_empty() {
        tracing::info!(
            "the configuration has no [cxone.NAME]: there is nothing for a source and a sink to do"
        );
    }
    let (mut threads, mut refreshed) = (Vec::new(), Vec::new());
    for (name, configured) in &config.cxone {
        let account = Account { platform: Platform::Cxone, name: *name };
        let observer = Arc::new(begun.ops.metrics.account(account));
        let shows_answers = config.privacy.dead_letter_payload == DeadLetterPayload::Full;
        let watched: Arc<dyn http::Observer> = observer.clone();
        let tenant = Arc::new(tenant::tenant(configured, shows_answers, watched)?);
        let asked = Asked::Tenant(Arc::clone(&tenant));
        refreshed.push(Refreshed::new(account, asked, Arc::clone(&observer)));
        let attached = Attached {
            account: *name,
            tenant,
            poll_interval: Duration::from_millis(configured.calls.poll_interval_ms.into()),
            snapshot_interval: Duration::from_secs(configured.calls.snapshot_interval_s.into()),
            set_by: tenant::set_by(configured),
        };
        let settings = Connected {
            account,
            process: begun.name.clone(),
            calls_max: configured.calls.at_once.into(),
            call_timeout: Duration::from_millis(configured.calls.set_timeout_ms.into()),
            keeps_payload: shows_answers,
        };
        let observer: Arc<dyn Observer> = observer;
        let connector = Connector::new(begun.reached.clone(), attached, settings, observer, calls.clone());
        begun.ops.readiness.set(&account.to_string(), true);
        threads.push(begun.spawn(account.to_string(), move |stop| {
            let span = tracing::info_span!("account", %account);
            let _inside = span.enter();
            Ok(connector.run(&|| stop.is_asked())?)
        })?);
    }
    for (name, configured) in &config.salesforce {
        let account = Account { platform: Platform::Salesforce, name: *name };
        let observer = Arc::new(begun.ops.metrics.account(account));
        let shows_answers = config.privacy.dead_letter_payload == DeadLetterPayload::Full;
        let watched: Arc<dyn http::Observer> = observer.clone();
        let org = Arc::new(org::org(configured, org::platform(configured, shows_answers, watched)?));
        refreshed.push(Refreshed::new(account, Asked::Org(org), observer));
    }
    if config.directory.refresh_minutes > 0 && !refreshed.is_empty() {
        threads.push(refresh::start(begun, Arc::clone(deployment), refreshed, calls)?);
    }
    Ok(threads)
}
