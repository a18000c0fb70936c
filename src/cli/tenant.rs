//! A tenant of CXone, as the configuration has it.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use lockstep::config::{self, Cxone, CxoneLogin};
use lockstep::connectors::cxone::{AccessKey, Login, SetBy, Settings, Tenant, Way};
use lockstep::connectors::http::{Limits, Observer, Platform, Rate, Settings as Reach};

use super::unwatched::rate_beside;

/// The way to a tenant.
///
/// # Errors
/// A file of authorities cannot be read, or a proxy cannot be used.
pub(super) fn tenant(
    configured: &Cxone,
    shows_answers: bool,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Tenant> {
    let calls = &configured.calls;
    let rate = Rate { calls_per_minute: calls.per_minute.into(), burst: calls.burst.into() };
    with_rate(configured, rate, shows_answers, observer)
}

fn with_rate(
    configured: &Cxone,
    rate: Rate,
    shows_answers: bool,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Tenant> {
    let calls = &configured.calls;
    let reach = Reach {
        rate,
        limits: Limits::default(),
        // So that who is not reached is told apart from who does not answer.
        connect_timeout: Duration::from_millis(u64::from(calls.set_timeout_ms) * 2 / 3),
        answer_timeout: Duration::from_secs(calls.read_timeout_s.into()),
        proxy: calls.proxy.clone(),
        ca_file: calls.ca_file.clone(),
        shows_answers,
    };
    let secret = |secret: &config::Secret| SecretString::from(secret.expose());
    let login = Login {
        issuer: configured.issuer.clone(),
        key: AccessKey {
            id: configured.access_key_id.clone(),
            secret: secret(&configured.access_key_secret),
        },
        way: match &configured.login {
            CxoneLogin::Application { client_id, client_secret } => {
                Way::Application { client_id: client_id.clone(), client_secret: secret(client_secret) }
            }
            CxoneLogin::AccessKey { area } => Way::AccessKey { area: area.clone() },
        },
    };
    let settings = Settings {
        version: calls.api_version,
        set_timeout: Duration::from_millis(calls.set_timeout_ms.into()),
        ..Settings::default()
    };
    Ok(Tenant::new(Arc::new(Platform::new(reach, observer)?), login, settings))
}

/// The way to a tenant for who is beside the process that has the account.
///
/// # Errors
/// A file of authorities cannot be read, or a proxy cannot be used.
pub(super) fn tenant_beside(configured: &Cxone, observer: Arc<dyn Observer>) -> anyhow::Result<Tenant> {
    with_rate(configured, rate_beside(configured.calls.per_minute), false, observer)
}

/// By which call a status is set there.
pub(super) const fn set_by(configured: &Cxone) -> SetBy {
    match configured.calls.set_by {
        config::SetBy::Auto => SetBy::Auto,
        config::SetBy::Admin => SetBy::Admin,
        config::SetBy::Session => SetBy::Session,
    }
}
