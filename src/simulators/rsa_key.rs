//! RSA keys that are made on the spot: for simulated orgs, which sign for the bridge as Apex does.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

/// A line of a PEM text has so many characters.
const LINE: usize = 64;

/// No key could be made.
#[derive(Debug, thiserror::Error)]
#[error("no RSA key could be made: the system gives nothing that is by chance")]
pub struct NoKey;

/// A key of 2048 bits.
#[derive(Clone, Debug)]
pub struct RsaKey {
    /// In PEM, with what one signs.
    pub private: SecretString,
    /// In PEM, with what signatures are checked.
    pub public: String,
}

impl RsaKey {
    /// Makes one.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn new() -> Result<RsaKey, NoKey> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| NoKey)?;
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| NoKey)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| NoKey)?;
        Ok(RsaKey {
            private: SecretString::from(pem("PRIVATE KEY", private.as_ref())),
            public: pem("PUBLIC KEY", public.as_ref()),
        })
    }
}

fn pem(what: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {what}-----\n");
    let mut rest = STANDARD.encode(der);
    while !rest.is_empty() {
        let further = rest.split_off(rest.len().min(LINE));
        text += &rest;
        text.push('\n');
        rest = further;
    }
    text + &format!("-----END {what}-----\n")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, EncodingKey};
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_key_is_read_by_who_signs_and_by_who_checks() {
        let key = RsaKey::new().unwrap();
        assert!(EncodingKey::from_rsa_pem(key.private.expose_secret().as_bytes()).is_ok());
        assert!(DecodingKey::from_rsa_pem(key.public.as_bytes()).is_ok());
        assert!(key.public.lines().all(|line| line.len() <= LINE), "{}", key.public);
    }
}
