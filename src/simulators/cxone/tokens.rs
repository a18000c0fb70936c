//! Tokens: who logs in, and for how long that holds.

use std::collections::HashMap;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::settings::Credentials;
use crate::domain::{DurationMs, TimeMs};

/// The tenant's id.
pub(super) const TENANT_ID: &str = "11e0c0de-0000-4000-8000-00000051a7ed";
/// The area that it is in.
pub(super) const AREA: &str = "na1";
const BUSINESS_UNIT: u32 = 4_534_531;

/// Tokens that were given out.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Until when each is one.
    access: HashMap<String, TimeMs>,
    refresh: HashMap<String, TimeMs>,
    given: u64,
}

/// Why nobody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// The client, or its secret.
    Client,
    /// The access key, its secret, or the refresh token.
    Grant,
    /// No kind of grant that there is.
    GrantType,
}

impl Denied {
    /// The status and the `error` of an answer (RFC 6749, 5.2).
    pub(super) const fn answer(self) -> (u16, &'static str) {
        match self {
            Denied::Client => (401, "invalid_client"),
            Denied::Grant => (400, "invalid_grant"),
            Denied::GrantType => (400, "unsupported_grant_type"),
        }
    }
}

impl Tokens {
    /// The token endpoint of a back-end application: `Basic` names it, the form has the grant.
    pub(super) fn grant(
        &mut self,
        known: &Credentials,
        basic: Option<&str>,
        form: &HashMap<String, String>,
        (now, seconds): (TimeMs, u32),
    ) -> Result<Value, Denied> {
        let (client_id, client_secret) = basic.and_then(of_basic).ok_or(Denied::Client)?;
        if (client_id, client_secret) != (known.client_id.clone(), known.client_secret.clone()) {
            return Err(Denied::Client);
        }
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        match field("grant_type") {
            "password" => {
                let is_known =
                    field("username") == known.access_key_id && field("password") == known.access_key_secret;
                if is_known { Ok(self.give(now, seconds)) } else { Err(Denied::Grant) }
            }
            "refresh_token" => {
                let until = self.refresh.remove(field("refresh_token"));
                if until.is_some_and(|until| until > now) {
                    Ok(self.give(now, seconds))
                } else {
                    Err(Denied::Grant)
                }
            }
            _ => Err(Denied::GrantType),
        }
    }

    /// The endpoint that takes an access key alone.
    pub(super) fn of_access_key(
        &mut self,
        known: &Credentials,
        (id, secret): (&str, &str),
        (now, seconds): (TimeMs, u32),
    ) -> Result<Value, Denied> {
        let is_known = id == known.access_key_id && secret == known.access_key_secret;
        if is_known { Ok(self.give(now, seconds)) } else { Err(Denied::Grant) }
    }

    fn give(&mut self, now: TimeMs, seconds: u32) -> Value {
        self.given += 1;
        self.access.retain(|_, until| *until > now);
        let (access, refresh) = (format!("simulated-{}", self.given), format!("again-{}", self.given));
        let until = now + DurationMs::from_seconds(seconds.into());
        self.access.insert(access.clone(), until);
        self.refresh.insert(refresh.clone(), until + DurationMs::from_seconds(seconds.into()));
        let claims = json!({
            "tenantId": TENANT_ID, "userId": "11e0c0de-0000-4000-8000-000000000001", "icAgentId": "1",
            "icBUId": BUSINESS_UNIT, "icClusterId": "c1", "area": AREA, "teamId": "1",
            "exp": until.as_unix_ms() / 1_000,
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signature = BASE64_URL_SAFE_NO_PAD.encode("simulated");
        let id_token =
            format!("{}.{}.{signature}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
        json!({
            "access_token": access, "token_type": "Bearer", "expires_in": seconds,
            "refresh_token": refresh, "id_token": id_token,
        })
    }

    /// Whether a header lets somebody in.
    pub(super) fn is_valid(&self, authorization: Option<&str>, now: TimeMs) -> bool {
        let token = authorization.and_then(|header| header.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        token.and_then(|(_, token)| self.access.get(token.trim())).is_some_and(|until| *until > now)
    }

    /// All that were given out are none any more.
    pub(super) fn expire(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }
}

/// The two parts of a `Basic` header, just as they are: the contract knows of no url-encoding.
fn of_basic(header: &str) -> Option<(String, String)> {
    let (scheme, text) = header.split_once(' ')?;
    let bytes = BASE64_STANDARD.decode(text.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
