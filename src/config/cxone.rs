//! A CXone tenant, as it is configured.

use url::Url;

use super::check::{Plaintext, filled, secret, text, way_out, web_address};
use super::number::between;
use super::raw::{CALL_TIMEOUT_MS, CALLS_AT_ONCE_MAX, POLL_MS, RawCalls, RawCxone, RawSecret, SNAPSHOT_S};
use super::{Calls, Cxone, CxoneLogin, SecretStore, SetBy};
use crate::document::{Field, Mistakes, Place, Placed};

/// Where discovery begins outside of government regions (CXone, authentication).
const CXONE_ISSUER: &str = "https://cxone.niceincontact.com";

pub(super) fn cxone(
    raw: Placed<RawCxone>,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<Cxone> {
    let Placed { place, value: raw } = raw;
    let issuer = match raw.issuer.into_given() {
        None => Url::parse(CXONE_ISSUER).ok(),
        Some(text) => web_address(text, "issuer", Plaintext::Never, mistakes),
    };
    let user_name =
        text(raw.user_name, place, "user_name", "write the user whose access key it is", mistakes);
    let key_id = text(raw.access_key_id, place, "access_key_id", "write the id of the access key", mistakes);
    let key_secret = secret(raw.access_key_secret, place, "access_key_secret", secrets, mistakes);
    let login = login((raw.client_id, raw.client_secret, raw.area), place, secrets, mistakes);
    let calls = calls(raw.calls, secrets, mistakes);
    Some(Cxone {
        issuer: issuer?,
        user_name: user_name?,
        access_key_id: key_id?,
        access_key_secret: key_secret?,
        login: login?,
        calls: calls?,
    })
}

fn area(area: Placed<String>, mistakes: &mut Mistakes) -> Option<String> {
    let good = !area.value.is_empty() && area.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !good {
        mistakes
            .error(area.place, "value", "`area` is not the first part of a host name")
            .mend("write the part before .nice-incontact.com, such as \"na1\"");
    }
    good.then_some(area.value)
}

/// How a token is got.
fn login(
    (client_id, client_secret, area): (Field<String>, Field<RawSecret>, Field<String>),
    place: Place,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<CxoneLogin> {
    let given = (
        !matches!(client_id, Field::Absent),
        !matches!(client_secret, Field::Absent),
        !matches!(area, Field::Absent),
    );
    let client_id = client_id.into_given().and_then(|text| filled(text, "client_id", mistakes));
    let client_secret =
        client_secret.into_given().and_then(|raw| secrets.find("client_secret", raw, mistakes));
    let area = area.into_given().and_then(|area| self::area(area, mistakes));
    match given {
        (true, true, false) => client_id
            .zip(client_secret)
            .map(|(client_id, client_secret)| CxoneLogin::Application { client_id, client_secret }),
        (false, false, true) => area.map(|area| CxoneLogin::AccessKey { area }),
        (false, false, false) => {
            mistakes.error(place, "missing", "there is neither an application nor an area to log in at").mend(
                "write `client_id` and `client_secret` of a back-end application, or area = \"na1\" for the access key alone",
            );
            None
        }
        (_, _, true) => {
            mistakes
                .error(
                    place,
                    "conflict",
                    "`area` is for the access key alone, without `client_id` and `client_secret`",
                )
                .mend("keep the application, or the area");
            None
        }
        (id, _, false) => {
            let (missing, mend) = if id {
                (
                    "client_secret",
                    "write client_secret = { secret_file = \"PATH\" } or { secret_env = \"NAME\" }",
                )
            } else {
                ("client_id", "write client_id = \"ID\"")
            };
            mistakes
                .error(
                    place,
                    "missing",
                    format!("`{missing}` is missing: an application has an id and a secret"),
                )
                .mend(mend);
            None
        }
    }
}

/// How the tenant is called.
fn calls(raw: Field<RawCalls>, secrets: &SecretStore<'_>, mistakes: &mut Mistakes) -> Option<Calls> {
    let raw = raw.into_given().map(|raw| raw.value).unwrap_or_default();
    let way_out = way_out(raw.proxy, raw.ca_file, secrets, mistakes);
    let api_version = between(raw.api_version, "api_version", (1, 33, 999), mistakes);
    let poll_interval_ms = between(raw.poll_interval_ms, "poll_interval_ms", POLL_MS, mistakes);
    let snapshot_interval_s = between(raw.snapshot_interval_s, "snapshot_interval_s", SNAPSHOT_S, mistakes);
    let per_minute = between(raw.per_minute, "per_minute", (1, 1_200, u16::MAX), mistakes);
    let burst = between(raw.burst, "burst", (1, 20, u16::MAX), mistakes);
    let at_once = between(raw.at_once, "at_once", (1, 16, CALLS_AT_ONCE_MAX), mistakes);
    let set_timeout_ms = between(raw.set_timeout_ms, "set_timeout_ms", CALL_TIMEOUT_MS, mistakes);
    let read_timeout_s = between(raw.read_timeout_s, "read_timeout_s", (1, 30, 120), mistakes);
    let (proxy, ca_file) = way_out?;
    Some(Calls {
        api_version: api_version?,
        poll_interval_ms: poll_interval_ms?,
        snapshot_interval_s: snapshot_interval_s?,
        per_minute: per_minute?,
        burst: burst?,
        at_once: at_once?,
        set_timeout_ms: set_timeout_ms?,
        read_timeout_s: read_timeout_s?,
        set_by: raw.set_by.or(SetBy::Auto),
        proxy,
        ca_file,
    })
}
