//! Who is let in, and who is not.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::super::ids;
use super::super::sessions::challenge;
use super::super::settings::{Credentials, Settings};
use super::{BASE, BEGUN, Rig, client_credentials, fields, header, json_of, rsa_key, settings, with};

#[test]
fn the_password_flow_lets_in_with_the_token_appended() {
    let mut rig = Rig::new(settings());
    let known = Credentials::default();
    let password = format!("{}{}", known.password, known.security_token);
    let all = with(
        &client_credentials(),
        &[("grant_type", "password"), ("username", &known.username), ("password", &password)],
    );
    let told = rig.token(&all);
    assert_eq!((&told["instance_url"], &told["token_type"]), (&json!(BASE), &json!("Bearer")));
    assert_eq!(told["id"], format!("{BASE}/id/00D5g0000000001EAA/{}", ids::long(ids::user(0).id())));
    assert_eq!(told["issued_at"], BEGUN.as_unix_ms().to_string());
    assert!(told["access_token"].as_str().unwrap().starts_with("00D5g0000000001!AQ"));
    assert_eq!(BASE64_STANDARD.decode(told["signature"].as_str().unwrap()).unwrap().len(), 32);
    assert_eq!((told.get("expires_in"), told.get("refresh_token")), (None, None));

    let failure = ("invalid_grant".to_owned(), "authentication failure".to_owned());
    for other in [("password", known.password.as_str()), ("password", ""), ("username", "nobody@example.com")]
    {
        assert_eq!(rig.denied(&with(&all, &[other])), failure, "{other:?}");
    }
    for (other, error) in [
        (("client_id", "another"), "invalid_client_id"),
        (("client_secret", "another"), "invalid_client"),
        (("grant_type", "magic"), "unsupported_grant_type"),
        (("grant_type", ""), "unsupported_grant_type"),
    ] {
        assert_eq!(rig.denied(&with(&all, &[other])).0, error, "{other:?}");
    }
    let without_secret: Vec<_> = all.iter().filter(|field| field.0 != "client_secret").cloned().collect();
    assert_eq!(rig.denied(&without_secret).0, "invalid_client");
    rig.settings(&json!({"allowsPassword": false}));
    assert_eq!(rig.denied(&all), failure);
    rig.settings(&json!({"allowsPassword": true, "instanceUrl": "https://acme.example.com"}));
    assert_eq!(rig.token(&all)["instance_url"], "https://acme.example.com");
    let user = ids::long(ids::user(0).id());
    rig.control("POST", &format!("/users/{user}"), &json!({"isActive": false}));
    assert_eq!(rig.denied(&all), failure);
}

#[test]
fn client_credentials_are_taken_from_a_header_too() {
    let mut rig = Rig::new(settings());
    let known = Credentials::default();
    for (secret, status) in [(known.client_secret.as_str(), 200), ("another", 400)] {
        let basic = BASE64_STANDARD.encode(format!("{}:{secret}", known.client_id));
        let body = "grant_type=client_credentials";
        let reply = rig.ask("POST", "/services/oauth2/token", Some(format!("Basic {basic}")), body);
        assert_eq!(reply.status, status, "{reply:?}");
    }
    rig.settings(&json!({"hasClientCredentials": false}));
    assert_eq!(rig.denied(&client_credentials()).1, "request not supported on this domain");
}

#[test]
fn an_assertion_has_a_signature_an_audience_and_an_end() {
    let ((private, public), (other, _)) = (rsa_key("assertion"), rsa_key("other"));
    let mut rig = Rig::new(Settings { jwt_public_key: Some(public), ..settings() });
    let now = BEGUN.as_unix_ms() / 1_000;
    let known = Credentials::default();
    let good = json!({
        "iss": known.client_id, "sub": known.username, "aud": "https://login.salesforce.com", "exp": now + 180,
    });
    let signed = |claims: &Value, key: &str, algorithm| {
        let key = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(key.as_bytes()).unwrap(),
            _ => EncodingKey::from_secret(key.as_bytes()),
        };
        let assertion = encode(&Header::new(algorithm), claims, &key).unwrap();
        fields(&[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)])
    };
    assert!(rig.token(&signed(&good, &private, Algorithm::RS256))["refresh_token"].is_null());
    let claim = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    for (name, value) in [
        ("aud", json!("https://test.salesforce.com/")),
        ("exp", json!(now + 300)),
        ("sub", json!("agent.293001@example.com.simulated")),
    ] {
        rig.token(&signed(&claim(name, value), &private, Algorithm::RS256));
    }
    let failure = ("invalid_grant".to_owned(), "authentication failure".to_owned());
    for (name, value) in [
        ("aud", json!("https://elsewhere.example.com")),
        ("aud", json!(BASE)),
        ("exp", json!(now + 301)),
        ("exp", json!(now)),
        ("exp", json!(i64::MAX)),
        ("exp", Value::Null),
        ("iss", json!("another")),
        ("sub", json!("nobody@example.com")),
    ] {
        let claims = claim(name, value);
        assert_eq!(rig.denied(&signed(&claims, &private, Algorithm::RS256)), failure, "{claims}");
    }
    assert_eq!(rig.denied(&signed(&good, &other, Algorithm::RS256)), failure);
    assert_eq!(rig.denied(&signed(&good, "secret", Algorithm::HS256)), failure);
    let mut without_key = Rig::new(settings());
    assert_eq!(without_key.denied(&signed(&good, &private, Algorithm::RS256)), failure);
}

/// The web server flow: where the browser is led with this change of the query, as its query.
fn authorize(rig: &mut Rig, name: &str, value: &str) -> Result<Vec<(String, String)>, u16> {
    let known = Credentials::default();
    let asked = with(
        &fields(&[
            ("response_type", "code"),
            ("client_id", &known.client_id),
            ("redirect_uri", "http://127.0.0.1:1717/callback?a=b"),
            ("code_challenge", &challenge("a verifier")),
            ("code_challenge_method", "S256"),
            ("state", "a state/+"),
        ]),
        &[],
    );
    let asked =
        asked.into_iter().map(|(known, old)| (known, if known == name { value.to_owned() } else { old }));
    let mut asked: Vec<(&str, String)> = asked.collect();
    if name == "scope" {
        asked.push(("scope", value.to_owned()));
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
    let reply = rig.ask("GET", &format!("/services/oauth2/authorize?{query}"), None, "");
    if reply.status != 302 {
        return Err(reply.status);
    }
    let to: url::Url = header(&reply, "location").unwrap().parse().unwrap();
    Ok(to.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

fn code_of(led: &[(String, String)]) -> String {
    led.iter().find(|(name, _)| name == "code").map(|(_, code)| code.clone()).unwrap()
}

#[test]
fn a_code_is_for_its_verifier_and_once() {
    let mut rig = Rig::new(settings());
    let led = authorize(&mut rig, "", "").unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!([&led[0], &led[2]], [&pair("a", "b"), &pair("state", "a state/+")]);
    let exchange = |code: &str| {
        let known = Credentials::default();
        fields(&[
            ("grant_type", "authorization_code"),
            ("client_id", &known.client_id),
            ("redirect_uri", "http://127.0.0.1:1717/callback?a=b"),
            ("code_verifier", "a verifier"),
            ("code", code),
        ])
    };
    let first = exchange(&code_of(&led));
    let told = rig.token(&first);
    assert_eq!(told["scope"], "api refresh_token");
    assert_eq!(rig.denied(&first).0, "invalid_grant", "it was taken");
    for other in [("code_verifier", "another"), ("redirect_uri", "http://127.0.0.1:1717/"), ("code", "none")]
    {
        let led = authorize(&mut rig, "", "").unwrap();
        assert_eq!(rig.denied(&with(&exchange(&code_of(&led)), &[other])).0, "invalid_grant", "{other:?}");
    }
    let led = authorize(&mut rig, "", "").unwrap();
    rig.later(901);
    assert_eq!(rig.denied(&exchange(&code_of(&led))).0, "invalid_grant", "it is too old");
    let led = authorize(&mut rig, "scope", "api").unwrap();
    assert_eq!(rig.token(&exchange(&code_of(&led))).get("refresh_token"), None, "nobody asked for one");

    // What renews does so until it is revoked, and takes with it what came from it.
    let known = Credentials::default();
    let refresh = told["refresh_token"].as_str().unwrap();
    let renew = fields(&[
        ("grant_type", "refresh_token"),
        ("client_id", &known.client_id),
        ("refresh_token", refresh),
    ]);
    rig.control("POST", "/sessions/expire", &Value::Null);
    let renewed = rig.token(&renew);
    assert_eq!(renewed.get("refresh_token"), None);
    let bearer = Some(format!("Bearer {}", renewed["access_token"].as_str().unwrap()));
    let who = rig.ask("GET", "/services/oauth2/userinfo", bearer.clone(), "");
    assert_eq!(json_of(who)["preferred_username"], known.username);
    assert_eq!(rig.form("/services/oauth2/revoke", &fields(&[("token", refresh)])).status, 200);
    assert_eq!(rig.form("/services/oauth2/revoke", &fields(&[("token", refresh)])).status, 400);
    assert_eq!(rig.denied(&renew).0, "invalid_grant");
    assert_eq!(rig.ask("GET", "/services/oauth2/userinfo", bearer, "").status, 401);
}

#[test]
fn who_asks_wrongly_for_a_code_gets_none() {
    let mut rig = Rig::new(settings());
    // (what is asked otherwise, how, the error that is led back with; none where nobody is led anywhere)
    for (name, value, error) in [
        ("client_id", "another", None),
        ("redirect_uri", "http://example.com/callback", None),
        ("redirect_uri", "ftp://127.0.0.1/", None),
        ("redirect_uri", "no address", None),
        ("response_type", "token", Some("unsupported_response_type")),
        ("code_challenge", "", Some("invalid_request")),
        ("code_challenge_method", "plain", Some("invalid_request")),
        ("scope", "everything", Some("invalid_scope")),
    ] {
        let led = authorize(&mut rig, name, value);
        let found = led.as_ref().ok().and_then(|led| led.iter().find(|pair| pair.0 == "error"));
        assert_eq!(found.map(|pair| pair.1.as_str()), error, "{name} {value}: {led:?}");
        assert_eq!(led.is_err(), error.is_none(), "{name} {value}");
    }
    for to in ["https://example.com/callback", "http://localhost:3000/", "http://[::1]/"] {
        assert!(authorize(&mut rig, "redirect_uri", to).is_ok(), "{to}");
    }
    rig.settings(&json!({"givesConsent": false}));
    let led = authorize(&mut rig, "", "").unwrap();
    assert!(led.contains(&("error".to_owned(), "access_denied".to_owned())), "{led:?}");
}

#[test]
fn a_challenge_is_that_of_the_standard() {
    // RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned());
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(challenge("")).unwrap().len(), 32);
}
