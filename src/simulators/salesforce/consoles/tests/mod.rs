//! Consoles at a gateway that says what a test has it say: what `docs/bridge-protocol.md` has a browser do, over both transports,
//! with TLS and without.

mod gateway;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::super::bridge::Bridge;
use super::super::ids::long;
use super::super::presence::Reason;
use super::super::settings;
use super::super::world::World;
use super::*;
use crate::domain::{DurationMs, PresenceStatusId, SalesforceStatus};
use crate::listen::Tls;
use crate::simulators::wire::{Body, Request, system_time};
use gateway::{Gateway, ORIGIN};

const BOTH: [Transport; 2] = [Transport::Socket, Transport::Events];

/// What openssl makes with these arguments, in a folder of this test.
fn openssl(folder: &Path, arguments: &str) {
    fs::create_dir_all(folder).unwrap();
    let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lockstep-consoles-{name}-{}", std::process::id()))
}

/// An org with two users, and a key for the bridge.
fn org(name: &str) -> Org {
    world(name, false).1
}

/// The same, and the world that it is; people may behave.
fn world(name: &str, behaves: bool) -> (Arc<Mutex<World>>, Org) {
    let folder = folder(name);
    openssl(&folder, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out bridge.pem");
    let pem = SecretString::from(fs::read_to_string(folder.join("bridge.pem")).unwrap());
    fs::remove_dir_all(&folder).unwrap();
    let (key_id, issuer, audience) = ("key".to_owned(), "org".to_owned(), "bridge".to_owned());
    let bridge = Bridge::new(&settings::BridgeKey { pem, key_id, issuer, audience }).unwrap();
    let settings = settings::Settings { users: 2, behaves, ..settings::Settings::default() };
    let world = Arc::new(Mutex::new(World::new(settings, system_time())));
    (Arc::clone(&world), Org::new(world, Some(bridge)))
}

fn settings_of(gateway: &Gateway, transport: Transport) -> Settings {
    let gateways = vec![format!("http://{}", gateway.address).parse().unwrap()];
    Settings { gateways, origin: ORIGIN.to_owned(), transport, ..Settings::default() }
}

fn new(org: &Org, settings: &Settings) -> Consoles {
    Consoles::new(org.clone(), settings, &Handle::current()).unwrap()
}

/// A user, and two statuses that he may use.
fn user(org: &Org, place: usize) -> (UserId, [PresenceStatusId; 2]) {
    let id = org.users()[place].id;
    let may = org.may_use(id);
    (id, [may[0], may[1]])
}

fn command(order: i64, status: Option<PresenceStatusId>) -> Value {
    let status = status.map(|id| id.to_string());
    json!({"type": "command", "command": format!("c{order}"), "order": [order, 0], "status": status})
}

/// Waits for what comes soon.
async fn until(mut is_so: impl FnMut() -> bool) {
    let waits = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.expect("it does not become so");
}

#[tokio::test]
async fn a_browser_tells_what_its_user_is_in_and_does_what_it_is_told() {
    let org = org("tells");
    for transport in BOTH {
        let mut gateway = Gateway::begin(None).await;
        let consoles = new(&org, &settings_of(&gateway, transport));
        let mut watch = consoles.watch();
        let (user, [one, two]) = user(&org, 0);
        consoles.open(user);
        let (mut visit, hello) = gateway.hello().await;
        assert_eq!(hello["epoch"], 0);
        let claims = hello["token"].as_str().unwrap().split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(claims["sub"], long(user.id()));
        visit.welcomes(41, true);
        let told = visit.hears().await;
        assert_eq!((&told["type"], &told["status"]), (&json!("status"), &Value::Null), "{told}");

        org.set(user, SalesforceStatus::Presence(one), Reason::Login).unwrap();
        let told = visit.hears().await;
        let (row, _) = org.current(user).row.unwrap();
        assert_eq!(
            (&told["status"], &told["reason"], &told["row"]["id"]),
            (&json!(one.to_string()), &json!("OmniLoginStatusChange"), &json!(long(row.id()))),
        );

        visit.says(command(1, Some(two)));
        let (a, b) = (visit.hears().await, visit.hears().await);
        let done = json!({"type": "outcome", "command": "c1", "result": "done"});
        let told = if a == done { &b } else { &a };
        assert!(a == done || b == done, "{a} {b}");
        assert_eq!(
            (&told["status"], &told["reason"]),
            (&json!(two.to_string()), &json!("OmniToolkitStatusChange"))
        );
        assert_eq!(org.current(user).status, SalesforceStatus::Presence(two));
        visit.says(command(1, Some(one)));
        assert_eq!(visit.hears().await, done, "said again, and not done again");
        assert_eq!(org.current(user).status, SalesforceStatus::Presence(two));

        org.set(user, SalesforceStatus::Offline, Reason::Manual).unwrap();
        let told = visit.hears().await;
        assert_eq!((&told["status"], told.get("reason")), (&Value::Null, None), "{told}");
        assert!(told["row"]["since"].is_string() && told["row"].get("id").is_none(), "{told}");
        visit.says(command(2, Some(one)));
        assert_eq!(visit.hears().await["result"], "unreachable");
        assert_eq!(org.current(user).status, SalesforceStatus::Offline, "a command logs nobody in");

        let counted = consoles.counted();
        assert_eq!((counted.commands, counted.outcomes["done"], counted.outcomes["unreachable"]), (3, 1, 1));
        assert_eq!((counted.pages, counted.connected, counted.holding, counted.welcomes), (1, 1, 1, 1));
        let mut steps = Vec::new();
        while let Ok(seen) = watch.try_recv() {
            assert_eq!(seen.user, user);
            steps.push((seen.command, seen.step));
        }
        let step = |name: &str, step| (name.to_owned(), step);
        let expected = [
            step("c1", Step::Received),
            step("c1", Step::Finished(Outcome::Done)),
            step("c1", Step::Received),
            step("c2", Step::Received),
            step("c2", Step::Finished(Outcome::Unreachable)),
        ];
        assert_eq!(steps, expected);
    }
}

#[tokio::test]
async fn pages_come_back_are_loaded_again_and_share_their_storage() {
    let org = org("pages");
    for transport in BOTH {
        // Over events nobody tells why a page is gone.
        let away = (transport == Transport::Socket).then_some(1_001);
        let mut gateway = Gateway::begin(None).await;
        let consoles = new(&org, &settings_of(&gateway, transport));
        let (user, [one, _]) = user(&org, 0);
        org.set(user, SalesforceStatus::Offline, Reason::Manual).unwrap();
        consoles.open(user);
        let (mut first, hello) = gateway.hello().await;
        first.welcomes(41, true);
        first.hears().await;
        assert!(consoles.cut(user));
        assert_eq!(first.ends().await, None);
        let (mut second, again) = gateway.hello().await;
        assert_eq!((&again["page"], &again["epoch"]), (&hello["page"], &json!(41)));
        assert_ne!(again["token"], hello["token"], "a token is for one connection");
        second.welcomes(41, true);
        second.hears().await;

        assert!(consoles.reload(user));
        assert_eq!(second.ends().await, away);
        let (mut third, loaded) = gateway.hello().await;
        assert_ne!(loaded["page"], hello["page"]);
        assert_eq!(loaded["epoch"], 41);
        third.welcomes(57, true);
        third.hears().await;

        consoles.second_tab(user);
        let (mut fourth, tab) = gateway.hello().await;
        assert_ne!(tab["page"], loaded["page"]);
        assert_eq!(tab["epoch"], 57);
        fourth.welcomes(58, true);
        fourth.hears().await;
        third.says(json!({"type": "stand_by"}));
        third.says(json!({"type": "ping"}));
        assert_eq!(third.hears().await["type"], "pong");
        org.set(user, SalesforceStatus::Presence(one), Reason::Login).unwrap();
        assert_eq!(fourth.hears().await["status"], one.to_string());
        third.says(json!({"type": "ping"}));
        assert_eq!(third.hears().await["type"], "pong", "who stands by tells nothing else");

        assert!(consoles.is_open(user) && consoles.close(user));
        assert_eq!((third.ends().await, fourth.ends().await), (away, away));
        assert!(!consoles.is_open(user) && !consoles.close(user) && !consoles.cut(user));
        until(|| consoles.counted().pages == 0).await;
        let counted = consoles.counted();
        assert_eq!((counted.connected, counted.holding, counted.reconnects), (0, 0, 1));
    }
}

#[tokio::test]
async fn who_sleeps_answers_when_he_is_awake() {
    let org = org("sleeps");
    let mut gateway = Gateway::begin(None).await;
    let consoles = new(&org, &settings_of(&gateway, Transport::Socket));
    let ((asleep, [one, two]), (awake, _)) = (user(&org, 0), user(&org, 1));
    org.set(asleep, SalesforceStatus::Presence(one), Reason::Login).unwrap();
    consoles.open(asleep);
    let (mut visit, _) = gateway.hello().await;
    visit.welcomes(1, true);
    visit.hears().await;
    assert!(consoles.sleep(asleep));
    visit.says(command(1, Some(two)));
    org.set(asleep, SalesforceStatus::Presence(two), Reason::Manual).unwrap();
    // Another one has time for all that he does.
    consoles.open(awake);
    let (mut other, _) = gateway.hello().await;
    other.welcomes(2, true);
    other.hears().await;
    assert!(visit.is_quiet());
    assert!(consoles.wake(asleep));
    let (a, b) = (visit.hears().await, visit.hears().await);
    assert_eq!((&a["status"], a.get("reason")), (&json!(two.to_string()), None), "he looks first: {a}");
    assert_eq!(b["result"], "done");
}

#[tokio::test]
async fn a_bye_is_obeyed_and_a_page_that_was_sent_away_comes_when_it_is_loaded_again() {
    let org = org("bye");
    for transport in BOTH {
        let mut gateway = Gateway::begin(None).await;
        let consoles = new(&org, &settings_of(&gateway, transport));
        let (user, _) = user(&org, 0);
        consoles.open(user);
        let (first, hello) = gateway.hello().await;
        first.says(json!({"type": "bye", "reason": "token", "again_after_ms": 10}));
        let (second, again) = gateway.hello().await;
        assert_eq!(again["page"], hello["page"]);
        second.says(json!({"type": "bye", "reason": "replaced"}));
        second.ends().await;
        consoles.reload(user);
        let (_third, loaded) = gateway.hello().await;
        assert_ne!(loaded["page"], hello["page"], "it has not come by itself");
        let byes = consoles.counted().byes;
        assert_eq!((byes["token"], byes["replaced"]), (1, 1));
    }
}

#[tokio::test]
async fn a_page_takes_another_gateway_where_one_is_none_and_none_takes_a_foreign_page() {
    let org = org("gateways");
    for transport in BOTH {
        let mut gateway = Gateway::begin(None).await;
        let mut settings = settings_of(&gateway, transport);
        // Nobody listens there.
        settings.gateways.push("http://127.0.0.1:1".parse().unwrap());
        settings.tabs = 8;
        let consoles = new(&org, &settings);
        let (user, _) = user(&org, 0);
        consoles.open(user);
        let mut visits = Vec::new();
        for _ in 0..8 {
            let (visit, _) = gateway.hello().await;
            visit.welcomes(1, false);
            visits.push(visit);
        }
        until(|| consoles.counted().connected == 8).await;

        let foreign =
            Settings { origin: "https://x.example.com".to_owned(), ..settings_of(&gateway, transport) };
        let foreign = new(&org, &foreign);
        foreign.open(user);
        until(|| foreign.counted().unreached["origin"] > 0).await;
        assert_eq!(foreign.counted().welcomes, 0);
    }
}

#[tokio::test]
async fn both_transports_go_over_tls_by_the_authorities_that_are_named() {
    let (org, folder) = (org("tls"), folder("certificates"));
    for name in ["trusted", "other"] {
        openssl(
            &folder,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout {name}.key -out {name}.pem"
            ),
        );
    }
    let tls = Tls::of_files(&folder.join("trusted.pem"), &folder.join("trusted.key")).unwrap();
    let (user, _) = user(&org, 0);
    for transport in BOTH {
        let mut gateway = Gateway::begin(Some(tls.clone())).await;
        let trusting = |name: &str| {
            let gateways = vec![format!("https://{}", gateway.address).parse().unwrap()];
            let tls_ca = Some(folder.join(name));
            let settings = Settings { gateways, tls_ca, ..settings_of(&gateway, transport) };
            new(&org, &settings)
        };
        let (trusted, other) = (trusting("trusted.pem"), trusting("other.pem"));
        trusted.open(user);
        let (mut visit, _) = gateway.hello().await;
        visit.welcomes(1, true);
        assert_eq!(visit.hears().await["type"], "status");
        other.open(user);
        until(|| other.counted().unreached["failed"] > 0).await;
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn the_control_endpoint_reaches_consoles_where_there_are_some() {
    let (world, org) = world("control", false);
    let gateway = Gateway::begin(None).await;
    let (user, _) = user(&org, 0);
    let call = |method: &str, path: &str| {
        let (method, path) = (method.to_owned(), path.replace("USER", &long(user.id())));
        let request =
            Request { method, path: path.to_ascii_lowercase(), raw_path: path, ..Request::default() };
        lock(&world).control(&request, system_time())
    };
    assert_eq!((call("GET", "/consoles").status, call("POST", "/consoles/USER/open").status), (404, 404));
    let consoles = new(&org, &settings_of(&gateway, Transport::Socket));
    org.attach(&consoles, []);
    for (path, status, is_open) in [
        ("/consoles/USER/cut", 409, false),
        ("/consoles/USER/open", 204, true),
        ("/consoles/USER/open", 204, true),
        ("/consoles/USER/cut", 204, true),
        ("/consoles/USER/sleep", 204, true),
        ("/consoles/USER/wake", 204, true),
        ("/consoles/USER/reload", 204, true),
        ("/consoles/USER/tab", 204, true),
        ("/consoles/USER/burn", 404, true),
        ("/consoles/0055g00000zzzzz/open", 404, true),
        ("/consoles/USER/close", 204, false),
        ("/consoles/USER/close", 409, false),
        ("/consoles/USER/tab", 204, true),
    ] {
        assert_eq!((call("POST", path).status, consoles.is_open(user)), (status, is_open), "{path}");
    }
    until(|| consoles.counted().pages == 1).await;
    match call("GET", "/consoles").body {
        Body::Json(told) => assert_eq!((&told["pages"], &told["holding"]), (&json!(1), &json!(0)), "{told}"),
        body => panic!("{body:?}"),
    }
    drop(consoles);
    assert_eq!(call("GET", "/consoles").status, 404);
}

#[tokio::test]
async fn people_who_behave_open_their_console_before_they_choose_a_status() {
    let (world, org) = world("people", true);
    let gateway = Gateway::begin(None).await;
    let consoles = new(&org, &settings_of(&gateway, Transport::Socket));
    let ((with, _), (without, _)) = (user(&org, 0), user(&org, 1));
    org.attach(&consoles, [with]);
    let begun = system_time();
    let (mut opened, mut closed) = (0, 0);
    let mut was_open = false;
    for second in 0..28_800 {
        lock(&world).go_on(begun + DurationMs::from_seconds(second));
        let is_open = consoles.is_open(with);
        opened += u32::from(is_open && !was_open);
        closed += u32::from(was_open && !is_open);
        was_open = is_open;
        if second == 120 {
            assert!(is_open, "his shift has begun");
        }
    }
    assert!(opened > 1 && closed > 0, "{opened} and {closed} times in eight hours");
    assert!(!consoles.is_open(without));
}

#[tokio::test]
async fn an_org_without_a_key_has_no_consoles() {
    let gateway = Gateway::begin(None).await;
    let settings = settings::Settings { users: 1, ..settings::Settings::default() };
    let org = Org::new(Arc::new(Mutex::new(World::new(settings, system_time()))), None);
    let refused = Consoles::new(org, &settings_of(&gateway, Transport::Socket), &Handle::current());
    assert!(matches!(refused.err(), Some(ReachError::NoKey)));
}
