//! An org by its calls, without a wire.

mod oauth;
mod org;
mod rest;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::super::wire::{Body, Reply, Request};
use super::settings::{Credentials, Settings};
use super::world::World;
use crate::domain::{DurationMs, TimeMs};

const BEGUN: TimeMs = TimeMs::from_unix_ms(1_767_607_200_000);
const BASE: &str = "http://127.0.0.1:8403";

/// An org, what time it is in it, and who calls it.
struct Rig {
    world: World,
    now: TimeMs,
    token: String,
}

impl Rig {
    fn new(settings: Settings) -> Rig {
        let world = World::new(settings, BEGUN);
        let mut rig = Rig { world, now: BEGUN, token: String::new() };
        let token = rig.token(&client_credentials());
        rig.token = token["access_token"].as_str().unwrap().to_owned();
        rig
    }

    fn call(&mut self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Reply {
        let authorization = Some(format!("Bearer {}", self.token));
        self.ask(method, path, authorization, body)
    }

    fn ask(
        &mut self,
        method: &str,
        path: &str,
        authorization: Option<String>,
        body: impl Into<Vec<u8>>,
    ) -> Reply {
        let request = request(method, path, authorization, body);
        self.world.answer(&request, self.now)
    }

    fn control(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        let request = request(method, path, None, body.to_string());
        self.world.control(&request, self.now)
    }

    fn settings(&mut self, body: &Value) {
        assert_eq!(self.control("POST", "/settings", body).status, 204, "{body}");
    }

    fn form(&mut self, path: &str, fields: &[(&str, String)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.ask("POST", path, None, body)
    }

    fn token(&mut self, fields: &[(&str, String)]) -> Value {
        let reply = self.form("/services/oauth2/token", fields);
        assert_eq!(reply.status, 200, "{reply:?}");
        json_of(reply)
    }

    /// The error of a grant that is refused.
    fn denied(&mut self, fields: &[(&str, String)]) -> (String, String) {
        let reply = self.form("/services/oauth2/token", fields);
        assert_eq!(reply.status, 400, "{reply:?}");
        let told = json_of(reply);
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        (text("error"), text("error_description"))
    }

    /// The answer to a query.
    fn query(&mut self, text: &str) -> Value {
        let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let reply = self.call("GET", &format!("/services/data/v62.0/query?q={text}"), "");
        assert_eq!(reply.status, 200, "{reply:?}");
        json_of(reply)
    }

    fn later(&mut self, seconds: i64) {
        self.now = self.now + DurationMs::from_seconds(seconds);
    }
}

fn request(method: &str, path: &str, authorization: Option<String>, body: impl Into<Vec<u8>>) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query = url::form_urlencoded::parse(query.as_bytes());
    Request {
        method: method.to_owned(),
        path: path.to_ascii_lowercase(),
        raw_path: path.to_owned(),
        query: query.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect(),
        authorization,
        body: body.into(),
        base: BASE.to_owned(),
    }
}

fn json_of(reply: Reply) -> Value {
    match reply.body {
        Body::Json(value) => value,
        body => panic!("{body:?}"),
    }
}

fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    reply.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
}

fn settings() -> Settings {
    Settings { users: 20, ..Settings::default() }
}

fn fields(all: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    all.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn client_credentials() -> Vec<(&'static str, String)> {
    let known = Credentials::default();
    fields(&[
        ("grant_type", "client_credentials"),
        ("client_id", &known.client_id),
        ("client_secret", &known.client_secret),
    ])
}

/// The same with other values.
fn with(all: &[(&'static str, String)], others: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let kept = all.iter().filter(|(name, _)| others.iter().all(|(other, _)| other != name)).cloned();
    kept.chain(fields(others)).collect()
}

/// An RSA key and its public half, made for this test.
fn rsa_key(name: &str) -> (String, String) {
    let folder = std::env::temp_dir().join(format!("lockstep-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let openssl = |arguments: &[&str], to: PathBuf| {
        let made = Command::new("openssl").args(arguments).arg("-out").arg(to).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], file("key"));
    openssl(&["pkey", "-pubout", "-in", file("key").to_str().unwrap()], file("public"));
    let keys = (fs::read_to_string(file("key")).unwrap(), fs::read_to_string(file("public")).unwrap());
    fs::remove_dir_all(&folder).unwrap();
    keys
}
