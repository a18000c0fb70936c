//! Which tokens let somebody in.

use std::process::Command;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::domain::TimeMs;
use crate::http::bridge::{Door, TokenError, Trusted};

const NOW_S: i64 = 1_767_607_200;

/// A key of an org: private and public, in PEM.
fn key(folder: &std::path::Path, name: &str) -> (Vec<u8>, Vec<u8>) {
    let (private, public) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.pub")));
    let openssl = |arguments: &[&str]| {
        let done = Command::new("openssl").args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let (private_text, public_text) = (private.to_str().unwrap(), public.to_str().unwrap());
    openssl(&["genrsa", "-out", private_text, "2048"]);
    openssl(&["rsa", "-in", private_text, "-pubout", "-out", public_text]);
    (std::fs::read(private).unwrap(), std::fs::read(public).unwrap())
}

fn signed(private: &[u8], key_id: &str, claims: &Value) -> String {
    let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &EncodingKey::from_rsa_pem(private).unwrap()).unwrap()
}

fn now() -> TimeMs {
    TimeMs::from_unix_ms(NOW_S * 1_000)
}

/// What Apex would say, with some of it otherwise.
fn claims(jti: &str, other: &Value) -> Value {
    let mut claims = json!({
        "iss": "org", "aud": "bridge", "sub": "005000000000001AAA", "iat": NOW_S, "exp": NOW_S + 60, "jti": jti,
    });
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

#[test]
fn a_token_lets_in_whom_it_names_once() {
    let folder = std::env::temp_dir().join(format!("lockstep-tokens-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (old, new, foreign) = (key(&folder, "old"), key(&folder, "new"), key(&folder, "foreign"));
    std::fs::remove_dir_all(&folder).unwrap();
    let keys = [("old".to_owned(), old.1), ("new".to_owned(), new.1.clone())];
    let account = "main".parse().unwrap();
    let trusted = Trusted::new(account, "org".to_owned(), "bridge".to_owned(), &keys).unwrap();
    let door = Door::new(vec![trusted]);
    let admit = |token: &str| door.admit(token, now());

    // Keys follow one another: both are good.
    for (private, key_id) in [(&old.0, "old"), (&new.0, "new")] {
        let token = signed(private, key_id, &claims(key_id, &json!({})));
        let admitted = admit(&token).unwrap();
        assert_eq!((admitted.account, admitted.user.to_string()), (account, "005000000000001".to_owned()));
        assert_eq!(admit(&token), Err(TokenError::Used));
    }
    let good = |jti: &str, other: Value| signed(&new.0, "new", &claims(jti, &other));
    for (jti, other, expected) in [
        ("a1", json!({"exp": NOW_S - 31, "iat": NOW_S - 91}), TokenError::Expired),
        ("a2", json!({"exp": NOW_S + 91, "iat": NOW_S + 31}), TokenError::Early),
        ("a3", json!({"exp": NOW_S + 61}), TokenError::LongLived),
        ("a4", json!({"iss": "other"}), TokenError::Issuer),
        ("a5", json!({"aud": "other"}), TokenError::Audience),
        ("a6", json!({"sub": "0N5000000000001"}), TokenError::Subject),
        ("a7", json!({"sub": ""}), TokenError::Subject),
        ("", json!({}), TokenError::Incomplete),
        ("a8", json!({"jti": null}), TokenError::Incomplete),
        ("a9", json!({"iss": null}), TokenError::Incomplete),
        ("b1", json!({"aud": null}), TokenError::Incomplete),
        ("b2", json!({"exp": null}), TokenError::Incomplete),
        ("b3", json!({"iat": null}), TokenError::Incomplete),
        ("b4", json!({"sub": null}), TokenError::Incomplete),
        ("b5", json!({"exp": "soon"}), TokenError::Incomplete),
    ] {
        assert_eq!(admit(&good(jti, other.clone())), Err(expected), "{jti} {other}");
    }
    // Clocks that differ by little, and an audience among several.
    admit(&good("c1", json!({"exp": NOW_S - 29, "iat": NOW_S - 60}))).unwrap();
    admit(&good("c2", json!({"aud": ["bridge", "other"]}))).unwrap();

    let forged = signed(&foreign.0, "new", &claims("d1", &json!({})));
    assert_eq!(admit(&forged), Err(TokenError::Signature));
    let unknown = signed(&new.0, "newer", &claims("d2", &json!({})));
    assert_eq!(admit(&unknown), Err(TokenError::UnknownKey));
    let altered = good("d3", json!({})).replacen('.', ".e", 1);
    assert!(matches!(
        admit(&altered),
        Err(TokenError::Signature | TokenError::Malformed | TokenError::Incomplete)
    ));
    // The public key as a secret: who would take any algorithm takes that.
    let header = Header { kid: Some("new".to_owned()), ..Header::new(Algorithm::HS256) };
    let secret = EncodingKey::from_secret(&new.1);
    let by_secret = encode(&header, &claims("d4", &json!({})), &secret).unwrap();
    assert_eq!(admit(&by_secret), Err(TokenError::Algorithm));
    let unsigned = "eyJhbGciOiJub25lIiwia2lkIjoibmV3In0.e30.";
    assert_eq!(admit(unsigned), Err(TokenError::Algorithm));
    for none in ["", ".", "..", "a.b.c", "eyJ9.e30.x", &"x".repeat(5_000)] {
        assert!(admit(none).is_err(), "{none}");
    }
    // What has ended long ago is not kept.
    door.tidy(TimeMs::from_unix_ms((NOW_S + 200) * 1_000));
    let unsuitable = Trusted::new(account, String::new(), String::new(), &[("k".to_owned(), b"no".to_vec())]);
    assert!(unsuitable.is_err_and(|why| why.to_string().contains("\"k\"")));
}
