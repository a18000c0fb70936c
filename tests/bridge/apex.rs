//! What Apex does: it signs a token for a user's browser with a certificate of the org.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::openssl::rsa;
use crate::waiting::now_ms;

pub(crate) const ISSUER: &str = "lockstep-emea";
pub(crate) const AUDIENCE: &str = "lockstep-bridge";
/// What the org calls its certificate.
pub(crate) const KEY_ID: &str = "Lockstep_Bridge";

/// The org's own, and one that it does not have.
pub(crate) static ORG: LazyLock<Key> = LazyLock::new(|| Key::new("org"));
pub(crate) static FOREIGN: LazyLock<Key> = LazyLock::new(|| Key::new("foreign"));

/// A key of an org.
pub(crate) struct Key {
    private: EncodingKey,
    /// What the gateway is given of it.
    pub(crate) public_file: PathBuf,
}

impl Key {
    fn new(name: &str) -> Key {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (private, public_file) = rsa(folder, &format!("bridge-{}-{name}", std::process::id()));
        let private = EncodingKey::from_rsa_pem(private.as_bytes()).unwrap();
        Key { private, public_file }
    }
}

/// What Apex says of a user, with some of it otherwise; what is null is left out.
pub(crate) fn claims(user: &str, other: &Value) -> Value {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (number, now_s) = (NEXT.fetch_add(1, Ordering::Relaxed), now_ms() / 1_000);
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": now_s, "exp": now_s + 60,
        "jti": format!("{}-{}-{number}", std::process::id(), now_ms()),
    });
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// A token of these claims.
pub(crate) fn signed(key: &Key, key_id: &str, claims: &Value) -> String {
    let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &key.private).unwrap()
}

/// A token that lets this user in.
pub(crate) fn token(user: &str) -> String {
    signed(&ORG, KEY_ID, &claims(user, &json!({})))
}
