//! Tokens: who a browser's user is. Apex signs them with a certificate of the org, each for one connection.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use crate::codec::Sha256;
use crate::domain::{AccountName, DurationMs, TimeMs, UserId};

/// A token is one for so long at most.
const LIVES_MAX: DurationMs = DurationMs::from_seconds(60);
/// So far may the clocks be apart.
const CLOCKS_APART_MAX: DurationMs = DurationMs::from_seconds(30);
/// So many that were used are remembered: more than come in a minute and a half.
const USED_MAX: usize = 1_000_000;
/// A longer one is none.
const TOKEN_BYTES_MAX: usize = 4_096;

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum TokenError {
    /// It is none.
    #[error("it is no token")]
    Malformed,
    /// It is signed in another way.
    #[error("it is not signed by RS256")]
    Algorithm,
    /// Its key is none that is configured.
    #[error("its key is none of those in `keys` of [salesforce.NAME.bridge]")]
    UnknownKey,
    /// It was forged, or altered.
    #[error("its signature does not fit the key: the certificate in the org may be another one")]
    Signature,
    /// It is somebody else's.
    #[error("its issuer is not `issuer` of [salesforce.NAME.bridge]")]
    Issuer,
    /// It is for somebody else.
    #[error("its audience is not `audience` of [salesforce.NAME.bridge]")]
    Audience,
    /// It has ended.
    #[error("it has ended")]
    Expired,
    /// It has not begun.
    #[error("it begins later: a clock is wrong")]
    Early,
    /// It would live for too long.
    #[error("it lives for longer than 60 s")]
    LongLived,
    /// It names no user.
    #[error("its subject is no Salesforce user")]
    Subject,
    /// It leaves something out.
    #[error("it has no iss, aud, sub, iat, exp or jti")]
    Incomplete,
    /// It has let somebody in already.
    #[error("it was used before")]
    Used,
    /// So many were used that no more can be told apart.
    #[error("too many tokens were used within a minute")]
    TooMany,
}

impl TokenError {
    /// All of them.
    pub const ALL: [TokenError; 13] = [
        TokenError::Malformed,
        TokenError::Algorithm,
        TokenError::UnknownKey,
        TokenError::Signature,
        TokenError::Issuer,
        TokenError::Audience,
        TokenError::Expired,
        TokenError::Early,
        TokenError::LongLived,
        TokenError::Subject,
        TokenError::Incomplete,
        TokenError::Used,
        TokenError::TooMany,
    ];

    /// Its name, as metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            TokenError::Malformed => "malformed",
            TokenError::Algorithm => "algorithm",
            TokenError::UnknownKey => "unknown_key",
            TokenError::Signature => "signature",
            TokenError::Issuer => "issuer",
            TokenError::Audience => "audience",
            TokenError::Expired => "expired",
            TokenError::Early => "early",
            TokenError::LongLived => "long_lived",
            TokenError::Subject => "subject",
            TokenError::Incomplete => "incomplete",
            TokenError::Used => "used",
            TokenError::TooMany => "too_many",
        }
    }
}

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the key {key_id:?} is no RSA public key in PEM: `openssl x509 -in CERTIFICATE -pubkey -noout` writes it"
)]
pub struct KeyError {
    key_id: String,
}

/// Which tokens of an org let somebody in.
pub struct Trusted {
    account: AccountName,
    issuer: String,
    audience: String,
    keys: HashMap<String, DecodingKey>,
}

impl Trusted {
    /// Tokens of this account: of this issuer, for this audience, signed with one of these keys, by their names. Several let
    /// one follow the other.
    ///
    /// # Errors
    /// A key is none.
    pub fn new(
        account: AccountName,
        issuer: String,
        audience: String,
        keys: &[(String, Vec<u8>)],
    ) -> Result<Trusted, KeyError> {
        let key = |(key_id, pem): &(String, Vec<u8>)| {
            let key = DecodingKey::from_rsa_pem(pem).map_err(|_| KeyError { key_id: key_id.clone() })?;
            Ok((key_id.clone(), key))
        };
        let keys = keys.iter().map(key).collect::<Result<_, KeyError>>()?;
        Ok(Trusted { account, issuer, audience, keys })
    }
}

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The org.
    pub account: AccountName,
    /// The user.
    pub user: UserId,
}

/// Looks at tokens, and lets each in once.
pub struct Door {
    trusted: Vec<Trusted>,
    used: Mutex<HashMap<Sha256, TimeMs>>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    iat: f64,
    exp: f64,
    jti: String,
}

impl Door {
    /// A door to these orgs.
    pub fn new(trusted: Vec<Trusted>) -> Door {
        Door { trusted, used: Mutex::default() }
    }

    /// Who brings this token at that time. It is used from then on.
    ///
    /// # Errors
    /// It lets nobody in.
    pub fn admit(&self, token: &str, now: TimeMs) -> Result<Admitted, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(token).map_err(|why| of_header(why.kind()))?;
        if header.alg != Algorithm::RS256 {
            return Err(TokenError::Algorithm);
        }
        let key_id = header.kid.unwrap_or_default();
        let mut refused = TokenError::UnknownKey;
        for trusted in &self.trusted {
            let Some(key) = trusted.keys.get(&key_id) else { continue };
            match read(token, key, trusted) {
                Ok(claims) => {
                    let user = check(&claims, now)?;
                    self.use_up(trusted.account, &claims, now)?;
                    return Ok(Admitted { account: trusted.account, user });
                }
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    fn use_up(&self, account: AccountName, claims: &Claims, now: TimeMs) -> Result<(), TokenError> {
        let name = Sha256::of(format!("{account}/{}", claims.jti).as_bytes());
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= USED_MAX {
            used.retain(|_, until| *until >= now);
        }
        if used.get(&name).is_some_and(|until| *until >= now) {
            return Err(TokenError::Used);
        }
        if used.len() >= USED_MAX {
            return Err(TokenError::TooMany);
        }
        used.insert(name, time(claims.exp) + CLOCKS_APART_MAX);
        Ok(())
    }

    /// Forgets tokens that have ended.
    pub fn tidy(&self, now: TimeMs) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until >= now);
    }
}

fn read(token: &str, key: &DecodingKey, trusted: &Trusted) -> Result<Claims, TokenError> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[&trusted.issuer]);
    validation.set_audience(&[&trusted.audience]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    // By a clock that is passed in.
    validation.validate_exp = false;
    let read = decode::<Claims>(token, key, &validation);
    read.map(|data| data.claims).map_err(|why| match why.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => TokenError::Incomplete,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        _ => TokenError::Malformed,
    })
}

fn of_header(why: &ErrorKind) -> TokenError {
    match why {
        // `none` is no algorithm that anybody knows.
        ErrorKind::Json(_) | ErrorKind::InvalidAlgorithmName => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

/// A time of a token. What is no time at all is one that has long gone.
fn time(seconds: f64) -> TimeMs {
    let ms = seconds * 1_000.0;
    TimeMs::from_unix_ms(if ms.is_finite() { ms as i64 } else { 0 })
}

fn check(claims: &Claims, now: TimeMs) -> Result<UserId, TokenError> {
    let (begins, ends) = (time(claims.iat), time(claims.exp));
    if ends + CLOCKS_APART_MAX < now {
        return Err(TokenError::Expired);
    }
    if begins > now + CLOCKS_APART_MAX {
        return Err(TokenError::Early);
    }
    if ends.since(begins) > LIVES_MAX {
        return Err(TokenError::LongLived);
    }
    if claims.jti.is_empty() {
        return Err(TokenError::Incomplete);
    }
    claims.sub.parse().map_err(|_| TokenError::Subject)
}
