//! Sessions, and what leads to one: codes, refresh tokens, assertions.

use std::collections::HashMap;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, crypto, decode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::ids;
use super::people::mixed;
use crate::domain::{DurationMs, TimeMs, UserId};

/// An assertion may hold so long.
const ASSERTION: DurationMs = DurationMs::from_seconds(300);
/// A code is one for so long.
const CODE: DurationMs = DurationMs::from_seconds(900);

/// Who is in, by access token.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    user: UserId,
    used: TimeMs,
    /// The refresh token that it came with or from.
    refresh: Option<String>,
}

/// What a refresh token gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) user: UserId,
    pub(super) scope: String,
}

/// What a code of the web server flow gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) user: UserId,
    pub(super) scope: String,
    pub(super) redirect_uri: String,
    /// The SHA-256 of what its bearer has to say, in Base64 for URLs.
    pub(super) challenge: String,
    pub(super) given: TimeMs,
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    seed: u64,
    access: HashMap<String, Session>,
    refresh: HashMap<String, Kept>,
    codes: HashMap<String, Code>,
    given: u64,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
}

impl Sessions {
    pub(super) fn new(seed: u64) -> Sessions {
        let (access, refresh, codes) = (HashMap::new(), HashMap::new(), HashMap::new());
        Sessions { seed, access, refresh, codes, given: 0 }
    }

    /// A text that nobody else has.
    fn name(&mut self) -> String {
        self.given += 1;
        let (one, two) = (mixed(self.seed, 2 * self.given), mixed(!self.seed, 2 * self.given + 1));
        format!("{one:016x}{two:016x}.{}", self.given)
    }

    /// Begins a session. Gives its access token.
    pub(super) fn begin(
        &mut self,
        user: UserId,
        refresh: Option<String>,
        (now, seconds): (TimeMs, u32),
    ) -> String {
        self.access.retain(|_, session| is_one(session, (now, seconds)));
        let token = format!("{}!AQ{}", ids::organisation(), self.name());
        self.access.insert(token.clone(), Session { user, used: now, refresh });
        token
    }

    /// A refresh token.
    pub(super) fn keep(&mut self, kept: Kept) -> String {
        let token = format!("5Aep{}", self.name());
        self.refresh.insert(token.clone(), kept);
        token
    }

    /// What a refresh token gives.
    pub(super) fn kept(&self, token: &str) -> Option<&Kept> {
        self.refresh.get(token)
    }

    /// A code of the web server flow.
    pub(super) fn code(&mut self, code: Code) -> String {
        self.codes.retain(|_, old| code.given.since(old.given) <= CODE);
        let name = format!("aPrx{}", self.name());
        self.codes.insert(name.clone(), code);
        name
    }

    /// Takes a code, which is none after it, if it is for there and the verifier is the one of its challenge.
    pub(super) fn take(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        now: TimeMs,
    ) -> Option<Code> {
        let code = self.codes.remove(code).filter(|code| now.since(code.given) <= CODE)?;
        let is_his = challenge(verifier) == code.challenge && code.redirect_uri == redirect_uri;
        is_his.then_some(code)
    }

    /// Who calls with this header. His session is used once more.
    pub(super) fn user(
        &mut self,
        authorization: Option<&str>,
        (now, seconds): (TimeMs, u32),
    ) -> Option<UserId> {
        let (scheme, token) = authorization?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("oauth") {
            return None;
        }
        let session = self.access.get_mut(token.trim()).filter(|session| is_one(session, (now, seconds)))?;
        session.used = now;
        Some(session.user)
    }

    /// Ends a session by its access token, or by a refresh token all that came from it. Tells whether there was one.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        if self.refresh.remove(token).is_some() {
            self.access.retain(|_, session| session.refresh.as_deref() != Some(token));
            return true;
        }
        self.access.remove(token).is_some()
    }

    /// No session is one any more. Refresh tokens are.
    pub(super) fn expire(&mut self) {
        self.access.clear();
    }

    /// No refresh token is one any more.
    pub(super) fn forget_refresh_tokens(&mut self) {
        self.refresh.clear();
    }
}

fn is_one(session: &Session, (now, seconds): (TimeMs, u32)) -> bool {
    now.since(session.used) <= DurationMs::from_seconds(seconds.into())
}

/// The challenge of a verifier (RFC 7636, `S256`).
pub(super) fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// The user name that an assertion is for, if it is signed with the key of this one, for one of these and not for long.
pub(super) fn asserted(
    assertion: &str,
    public_key: &str,
    client_id: &str,
    audiences: &[String],
    now: TimeMs,
) -> Option<String> {
    let key = DecodingKey::from_rsa_pem(public_key.as_bytes()).ok()?;
    let mut validation = Validation::new(Algorithm::RS256);
    // Its times are held against the org's clock, not this machine's.
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let Claims { iss, sub, aud, exp } = decode(assertion, &key, &validation).ok()?.claims;
    let left = TimeMs::from_unix_ms(exp.saturating_mul(1_000)).since(now);
    let holds = left > DurationMs::ZERO && left <= ASSERTION;
    let is_for_us =
        audiences.iter().any(|audience| audience.trim_end_matches('/') == aud.trim_end_matches('/'));
    (iss == client_id && is_for_us && holds).then_some(sub)
}

/// How the org signs an answer of its token endpoint: HMAC-SHA256 of what is in it, with the client's secret.
pub(super) fn signature(id: &str, issued_at: &str, client_secret: &str) -> String {
    let key = EncodingKey::from_secret(client_secret.as_bytes());
    let signed = crypto::sign(format!("{id}{issued_at}").as_bytes(), &key, Algorithm::HS256);
    let signed = signed.ok().and_then(|signed| BASE64_URL_SAFE_NO_PAD.decode(signed).ok());
    BASE64_STANDARD.encode(signed.unwrap_or_default())
}

/// The two parts of a `Basic` header.
pub(super) fn of_basic(header: &str) -> Option<(String, String)> {
    let (scheme, text) = header.split_once(' ')?;
    let bytes = BASE64_STANDARD.decode(text.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
