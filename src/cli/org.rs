//! An org of Salesforce, as the configuration has it.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use lockstep::config::{self, Environment, Salesforce, SalesforceLogin};
use lockstep::connectors::http::{Limits, Observer, Platform, Rate, Settings as Reach};
use lockstep::connectors::salesforce::{App, Login, Org, Settings, TokenFile, Way};

use super::unwatched::rate_beside;

/// A connection takes no longer, however long an answer may take.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);

fn secret(secret: &config::Secret) -> SecretString {
    SecretString::from(secret.expose())
}

/// The way to an org.
///
/// # Errors
/// A file of authorities cannot be read, or a proxy cannot be used.
pub(super) fn platform(
    configured: &Salesforce,
    shows_answers: bool,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Arc<Platform>> {
    let calls = &configured.calls;
    let rate = Rate { calls_per_minute: calls.per_minute.into(), burst: calls.burst.into() };
    with_rate(configured, rate, shows_answers, observer)
}

fn with_rate(
    configured: &Salesforce,
    rate: Rate,
    shows_answers: bool,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Arc<Platform>> {
    let calls = &configured.calls;
    let answer_timeout = Duration::from_secs(calls.read_timeout_s.into());
    let reach = Reach {
        rate,
        limits: Limits::default(),
        connect_timeout: CONNECT_TIMEOUT_MAX.min(answer_timeout / 2),
        answer_timeout,
        proxy: calls.proxy.clone(),
        ca_file: calls.ca_file.clone(),
        shows_answers,
    };
    Ok(Arc::new(Platform::new(reach, observer)?))
}

/// Its app.
pub(super) fn app(configured: &Salesforce) -> App {
    App {
        host: configured.login_url.clone(),
        audience: match configured.environment {
            Environment::Sandbox => "https://test.salesforce.com",
            Environment::Production | Environment::Hyperforce => "https://login.salesforce.com",
        },
        organisation: configured.organisation_id,
        client_id: configured.client_id.clone(),
        client_secret: configured.client_secret.as_ref().map(secret),
    }
}

/// Its calls.
pub(super) fn org(configured: &Salesforce, platform: Arc<Platform>) -> Org {
    let user_name = configured.user_name.clone();
    let way = match &configured.login {
        SalesforceLogin::Password { password } => Way::Password { user_name, password: secret(password) },
        SalesforceLogin::JwtBearer { private_key } => Way::JwtBearer { user_name, key: secret(private_key) },
        SalesforceLogin::RefreshToken { refresh_token_file } => {
            Way::RefreshToken(TokenFile::new(refresh_token_file.clone()))
        }
        SalesforceLogin::ClientCredentials {} => Way::ClientCredentials,
    };
    let renewed_after = Duration::from_secs(u64::from(configured.calls.session_minutes) * 60);
    let login = Login { app: app(configured), way, renewed_after };
    Org::new(platform, login, Settings { version: configured.calls.api_version })
}

/// An org for who is beside the process that has the account.
///
/// # Errors
/// A file of authorities cannot be read, or a proxy cannot be used.
pub(super) fn org_beside(configured: &Salesforce, observer: Arc<dyn Observer>) -> anyhow::Result<Org> {
    let rate = rate_beside(configured.calls.per_minute);
    Ok(org(configured, with_rate(configured, rate, false, observer)?))
}
