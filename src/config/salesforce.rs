//! A Salesforce org, as it is configured.

use url::Url;

use super::check::{Plaintext, email, filled, is_loopback, secret, text, way_out, web_address};
use super::number::between;
use super::raw::{
    Environment, RawSalesforce, RawSalesforceCalls, RawSecret, SALESFORCE_POLL_MS, SALESFORCE_VERSION,
    SESSION_MINUTES, SNAPSHOT_S,
};
use super::secret::warn_if_open;
use super::{Salesforce, SalesforceCalls, SalesforceLogin, Secret, SecretStore};
use crate::document::{Field, Mistakes, Place, Placed};
use crate::domain::OrganisationId;

pub(super) fn salesforce(
    raw: Placed<RawSalesforce>,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<Salesforce> {
    let Placed { place, value: raw } = raw;
    let mend = "write environment = \"production\", \"sandbox\" or \"hyperforce\"";
    let environment = raw.environment.required(mistakes, place, "environment", mend);
    let has_domain = is_there(&raw.my_domain);
    let at_simulator = is_there(&raw.login_url);
    let my_domain = raw.my_domain.into_given().and_then(|host| my_domain(host, mistakes));
    let organisation = organisation(raw.organisation_id, place, mistakes);
    let user_name = email(raw.user_name, place, "user_name", mistakes);
    let keys = (raw.password, raw.private_key, raw.refresh_token_file);
    let has_keys = is_there(&keys.0) || is_there(&keys.1) || is_there(&keys.2);
    let login = login(keys, place, secrets, mistakes);
    let client_id =
        text(raw.client_id, place, "client_id", "write the id of the external client app", mistakes);
    let client_secret = match (&login, is_there(&raw.client_secret)) {
        (Some(SalesforceLogin::JwtBearer { .. } | SalesforceLogin::RefreshToken { .. }) | None, false) => {
            Some(None)
        }
        // What else is missing is told below.
        (Some(SalesforceLogin::ClientCredentials {}), false) if !has_domain && !at_simulator => Some(None),
        _ => secret(raw.client_secret, place, "client_secret", secrets, mistakes).map(Some),
    };
    let admin_email = email(raw.admin_email, place, "admin_email", mistakes);
    let bridge = raw.bridge.into_given().map(|raw| super::bridge::trusted(raw, secrets, mistakes));
    let simulator = raw.login_url.into_given().and_then(|text| login_url(text, mistakes));
    let calls = calls(raw.calls, secrets, mistakes);

    let environment = environment?.value;
    if !has_domain && environment == Environment::Hyperforce {
        mistakes
            .error(place, "missing", "`my_domain` is missing: an org on Hyperforce logs in at its own host")
            .mend("write my_domain = \"NAME.my.salesforce.com\"");
    } else if !has_domain && !has_keys && !at_simulator {
        mistakes
            .error(place, "missing", "there is nothing to log in with: without `password`, `private_key` and `refresh_token_file` the client credentials flow is used, and it works at My Domain only")
            .mend("write my_domain = \"NAME.my.salesforce.com\", or private_key = { secret_file = \"PATH\" }");
    }
    let login_url = match (simulator, &my_domain, environment) {
        (Some(url), ..) => Some(url),
        (None, Some(host), _) => Url::parse(&format!("https://{host}")).ok(),
        (None, None, Environment::Sandbox) => Url::parse("https://test.salesforce.com").ok(),
        (None, None, _) => Url::parse("https://login.salesforce.com").ok(),
    };
    Some(Salesforce {
        environment,
        login_url: login_url?,
        my_domain,
        organisation_id: organisation?,
        user_name: user_name?,
        login: login?,
        client_id: client_id?,
        client_secret: client_secret?,
        admin_email: admin_email?,
        bridge: bridge.map_or(Some(None), |bridge| bridge.map(Some))?,
        calls: calls?,
    })
}

const fn is_there<T>(field: &Field<T>) -> bool {
    !matches!(field, Field::Absent)
}

/// Whether tokens are where Salesforce gives them: then nobody has to write it.
pub(super) fn is_of_salesforce(url: &Url) -> bool {
    url.host().is_none_or(|host| !is_loopback(&host))
}

fn my_domain(host: Placed<String>, mistakes: &mut Mistakes) -> Option<String> {
    const SUFFIX: &str = ".my.salesforce.com";
    let name = host.value.to_ascii_lowercase();
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    let is_host = is_plain && Url::parse(&format!("https://{name}")).is_ok();
    if is_host && name.ends_with(SUFFIX) && name.len() > SUFFIX.len() {
        return Some(name);
    }
    mistakes
        .error(host.place, "value", format!("`my_domain` is not a host that ends in {SUFFIX}"))
        .mend("write the host alone, from Setup, My Domain: NAME.my.salesforce.com");
    None
}

fn organisation(raw: Field<String>, place: Place, mistakes: &mut Mistakes) -> Option<OrganisationId> {
    let mend = "write the id of the org, 00D..., from Setup, Company Information";
    let id = raw.required(mistakes, place, "organisation_id", mend)?;
    let parsed = id.value.parse();
    if let Err(error) = &parsed {
        mistakes
            .error(
                id.place,
                "organisation-id",
                format!("`organisation_id` is not an organisation's id: {error}"),
            )
            .mend("copy it from Setup, Company Information: 00D and 12 or 15 more characters");
    }
    parsed.ok()
}

/// A simulator. Where an org logs in follows from other keys.
fn login_url(text: Placed<String>, mistakes: &mut Mistakes) -> Option<Url> {
    let place = text.place;
    let url = web_address(text, "login_url", Plaintext::Never, mistakes)?;
    if !is_of_salesforce(&url) {
        return Some(url);
    }
    mistakes
        .error(place, "value", "`login_url` is for a simulator on this machine")
        .mend("delete the line: `environment` and `my_domain` say where an org logs in");
    None
}

/// How a token is got: one way.
fn login(
    (password, private_key, file): (Field<RawSecret>, Field<RawSecret>, Field<String>),
    place: Place,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<SalesforceLogin> {
    let given = (is_there(&password), is_there(&private_key), is_there(&file));
    let password = password.into_given().and_then(|raw| secrets.find("password", raw, mistakes));
    let private_key = private_key.into_given().and_then(|raw| self::private_key(raw, secrets, mistakes));
    let file = file.into_given().and_then(|text| {
        let place = text.place;
        let path = secrets.path(&filled(text, "refresh_token_file", mistakes)?);
        warn_if_open(&path, place, mistakes);
        Some(path)
    });
    match given {
        (false, false, false) => Some(SalesforceLogin::ClientCredentials {}),
        (true, false, false) => password.map(|password| SalesforceLogin::Password { password }),
        (false, true, false) => private_key.map(|private_key| SalesforceLogin::JwtBearer { private_key }),
        (false, false, true) => {
            file.map(|refresh_token_file| SalesforceLogin::RefreshToken { refresh_token_file })
        }
        _ => {
            mistakes
                .error(
                    place,
                    "conflict",
                    "`password`, `private_key` and `refresh_token_file` are different ways to log in",
                )
                .mend("keep one of them: `private_key`, if unsure");
            None
        }
    }
}

fn private_key(raw: Placed<RawSecret>, secrets: &SecretStore<'_>, mistakes: &mut Mistakes) -> Option<Secret> {
    let place = raw.place;
    let key = secrets.find("private_key", raw, mistakes)?;
    let text = key.expose().trim_start();
    if text.starts_with("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Some(key);
    }
    mistakes
        .error(place, "secret", "the secret for `private_key` is no private key in PEM")
        .mend("name the file that begins with -----BEGIN PRIVATE KEY-----, and not the certificate");
    None
}

/// How the org is called.
fn calls(
    raw: Field<RawSalesforceCalls>,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<SalesforceCalls> {
    let raw = raw.into_given().map(|raw| raw.value).unwrap_or_default();
    let way_out = way_out(raw.proxy, raw.ca_file, secrets, mistakes);
    let api_version = between(raw.api_version, "api_version", SALESFORCE_VERSION, mistakes);
    let poll_interval_ms = between(raw.poll_interval_ms, "poll_interval_ms", SALESFORCE_POLL_MS, mistakes);
    let snapshot_interval_s = between(raw.snapshot_interval_s, "snapshot_interval_s", SNAPSHOT_S, mistakes);
    let per_minute = between(raw.per_minute, "per_minute", (1, 60, u16::MAX), mistakes);
    let burst = between(raw.burst, "burst", (1, 10, u16::MAX), mistakes);
    let read_timeout_s = between(raw.read_timeout_s, "read_timeout_s", (1, 30, 120), mistakes);
    let session_minutes = between(raw.session_minutes, "session_minutes", SESSION_MINUTES, mistakes);
    let (proxy, ca_file) = way_out?;
    Some(SalesforceCalls {
        api_version: api_version?,
        poll_interval_ms: poll_interval_ms?,
        snapshot_interval_s: snapshot_interval_s?,
        per_minute: per_minute?,
        burst: burst?,
        read_timeout_s: read_timeout_s?,
        session_minutes: session_minutes?,
        proxy,
        ca_file,
    })
}
