//! What the org signs for the bridge: who a browser is, as Apex says it with a certificate of the org.

use std::sync::atomic::{AtomicU64, Ordering};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::ids::long;
use super::settings::BridgeKey;
use crate::domain::{TimeMs, UserId};

/// So long a token holds.
const TOKEN_SECONDS: i64 = 60;

/// Why a token for the bridge could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("signing a token for the bridge")]
pub struct BridgeError(#[source] jsonwebtoken::errors::Error);

/// Signs tokens for the bridge.
pub(super) struct Bridge {
    key: EncodingKey,
    header: Header,
    issuer: String,
    audience: String,
    given: AtomicU64,
}

#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    sub: String,
    aud: &'c str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

impl Bridge {
    /// Reads the key.
    pub(super) fn new(key: &BridgeKey) -> Result<Bridge, BridgeError> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(key.key_id.clone());
        Ok(Bridge {
            key: EncodingKey::from_rsa_pem(key.pem.expose_secret().as_bytes()).map_err(BridgeError)?,
            header,
            issuer: key.issuer.clone(),
            audience: key.audience.clone(),
            given: AtomicU64::new(0),
        })
    }

    /// A token that says for a minute that its bearer is this user.
    pub(super) fn sign(&self, user: UserId, now: TimeMs) -> Result<String, BridgeError> {
        let (seconds, number) = (now.as_unix_ms() / 1_000, self.given.fetch_add(1, Ordering::Relaxed));
        let claims = Claims {
            iss: &self.issuer,
            sub: long(user.id()),
            aud: &self.audience,
            iat: seconds,
            nbf: seconds,
            exp: seconds + TOKEN_SECONDS,
            jti: format!("{:x}-{:x}-{number:x}", now.as_unix_ms(), std::process::id()),
        };
        encode(&self.header, &claims, &self.key).map_err(BridgeError)
    }
}
