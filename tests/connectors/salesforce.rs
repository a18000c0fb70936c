//! The calls of Salesforce, at its simulator: each way to log in, each row of the contract, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lockstep::connectors::http::{
    self, CallClass, Limits, Observer, Platform, Rate, Settings as Reach, Usage,
};
use lockstep::connectors::salesforce::{
    App, Error, Login, Org, Presence, SCOPES, Settings as Called, TokenFile, Way, WebFlow,
};
use lockstep::domain::{TimeMs, UserId};
use lockstep::simulators::salesforce::{Credentials, Settings, Variants};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::openssl::rsa;
use crate::place::Place;
use crate::port::free_port;
use crate::serving::runtime;
use crate::simulated_org::SimulatedOrg;

/// The organisation that is simulated.
const ORGANISATION: &str = "00D5g0000000001";
const USERS: u32 = 60;
/// In every answer that a secret could leak into, these must not be.
const SECRETS: [&str; 4] =
    ["SIMULATEDCLIENTSECRET0001", "simulated password", "SIMULATEDTOKEN0001", "PRIVATE KEY"];

/// Calls by their name and class, and what was told of usage.
#[derive(Default)]
struct Calls {
    calls: Mutex<BTreeMap<(&'static str, &'static str), usize>>,
    usage: Mutex<Vec<Usage>>,
}

impl Observer for Calls {
    fn called(&self, call: &'static str, class: CallClass, _: Duration) {
        *self.calls.lock().unwrap().entry((call, class.name())).or_default() += 1;
    }

    fn clock(&self, _: i64) {}

    fn usage(&self, usage: Usage) {
        self.usage.lock().unwrap().push(usage);
    }
}

fn platform(calls: &Arc<Calls>) -> Arc<Platform> {
    let reach = Reach {
        rate: Rate { calls_per_minute: 600_000, burst: 10_000 },
        limits: Limits { calls_min: 10_000, ..Limits::default() },
        connect_timeout: Duration::from_millis(700),
        answer_timeout: Duration::from_secs(5),
        proxy: None,
        ca_file: None,
        shows_answers: true,
    };
    Arc::new(Platform::new(reach, Arc::clone(calls) as Arc<dyn Observer>).unwrap())
}

fn app(api: SocketAddr) -> App {
    let Credentials { client_id, client_secret, .. } = Credentials::default();
    App {
        host: format!("http://{api}").parse().unwrap(),
        audience: "https://login.salesforce.com",
        organisation: ORGANISATION.parse().unwrap(),
        client_id,
        client_secret: Some(SecretString::from(client_secret)),
    }
}

fn by_password() -> Way {
    let Credentials { username: user_name, password, security_token, .. } = Credentials::default();
    Way::Password { user_name, password: SecretString::from(format!("{password}{security_token}")) }
}

/// An org that is simulated, and one who calls it.
struct Rig {
    org: Org,
    calls: Arc<Calls>,
    runtime: Runtime,
    simulated: SimulatedOrg,
}

fn settings() -> Settings {
    Settings { users: USERS, ..Settings::default() }
}

fn with(variants: Variants) -> Settings {
    Settings { variants, ..settings() }
}

impl Rig {
    fn new(settings: Settings) -> Rig {
        let simulated = SimulatedOrg::new(settings);
        let calls = Arc::new(Calls::default());
        let org = org(&calls, app(simulated.addresses.api), by_password());
        Rig { org, calls, runtime: runtime(), simulated }
    }

    fn log_in(&mut self, change: impl FnOnce(&mut App), way: Way) {
        let mut app = app(self.simulated.addresses.api);
        change(&mut app);
        self.org = org(&self.calls, app, way);
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        self.simulated.control(method, path, body)
    }

    /// Some of the people, in the order of their ids.
    fn people(&self) -> Vec<String> {
        let users = self.control("GET", "/users", &Value::Null);
        users.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
    }

    fn put(&self, user: &str, status: Option<&str>) {
        self.control("POST", &format!("/users/{user}/status"), &json!({"status": status}));
    }

    fn fault(&self, fault: Value) {
        self.simulated.faults(&[fault]);
    }

    fn tried(&self) -> Result<(), Error> {
        self.runtime.block_on(self.org.limits()).map(|_| ())
    }

    fn snapshot(&self, since: Option<TimeMs>) -> Result<Presence, Error> {
        self.runtime.block_on(self.org.snapshot(since))
    }

    /// How many calls of this name there were.
    fn count(&self, call: &str) -> usize {
        let calls = self.calls.calls.lock().unwrap();
        calls.iter().filter(|((name, _), _)| *name == call).map(|(_, count)| count).sum()
    }
}

fn org(calls: &Arc<Calls>, app: App, way: Way) -> Org {
    let login = Login { app, way, renewed_after: Duration::from_secs(6_600) };
    Org::new(platform(calls), login, Called::default())
}

fn no_secret(error: &Error) {
    let said = format!("{error} {error:?}");
    for secret in SECRETS {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_session_is_got_once_for_all_and_once_more_when_it_is_refused() {
    let rig = Rig::new(settings());
    let all = || {
        rig.runtime.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..20 {
                tasks.push(Box::pin(rig.org.limits()));
            }
            for limits in futures_util::future::join_all(tasks).await {
                assert!(limits.unwrap().daily_api_requests.is_some());
            }
        });
    };
    all();
    assert_eq!(rig.count("token"), 1);
    for times in 1..10 {
        rig.control("POST", "/sessions/expire", &json!({}));
        all();
        assert_eq!(rig.count("token"), 1 + times);
        let refused = rig.calls.calls.lock().unwrap()[&("limits", "unauthorised")];
        assert!((times..=20 * times).contains(&refused), "{refused}");
    }
}

/// Who is refused with a new session, too, is told so; it is not tried for ever.
#[test]
fn a_session_that_is_always_refused_is_an_error() {
    let rig = Rig::new(settings());
    rig.fault(json!({"path": "/limits", "kind": "status", "status": 401}));
    let error = rig.tried().unwrap_err();
    assert!(
        matches!(&error, Error::Refused { status: 401, code, .. } if code == "INVALID_SESSION_ID"),
        "{error}"
    );
    assert_eq!((rig.count("limits"), rig.count("token")), (2, 2));
}

#[test]
fn each_way_to_log_in_leads_in() {
    let place = Place::new("salesforce-ways");
    let (key, public) = rsa(&place.0, "app");
    let (key, public) = (SecretString::from(key), std::fs::read_to_string(public).unwrap());
    let mut rig = Rig::new(Settings { jwt_public_key: Some(public), ..settings() });
    rig.tried().unwrap();
    rig.log_in(|_| {}, Way::ClientCredentials);
    rig.tried().unwrap();
    let user_name = Credentials::default().username;
    rig.log_in(|app| app.client_secret = None, Way::JwtBearer { user_name, key: key.clone() });
    rig.tried().unwrap();

    // Another user's name, another key.
    rig.log_in(|_| {}, Way::JwtBearer { user_name: "nobody@example.com".to_owned(), key });
    let error = rig.tried().unwrap_err();
    assert!(
        error.to_string().contains("invalid_grant") && error.to_string().contains("`private_key`"),
        "{error}"
    );
    no_secret(&error);
}

#[test]
fn who_is_not_let_in_is_told_where_to_look() {
    let mut rig = Rig::new(settings());
    let Credentials { username, password, .. } = Credentials::default();
    let without_token =
        || Way::Password { user_name: username.clone(), password: SecretString::from(password.clone()) };
    rig.log_in(|_| {}, without_token());
    let mut said = vec![rig.tried().unwrap_err()];
    assert_eq!(rig.tried().unwrap_err().to_string(), said[0].to_string());
    assert_eq!(rig.count("token"), 1, "a user is not locked out by what is refused anyway");
    rig.log_in(|app| app.client_id = "another".to_owned(), by_password());
    said.push(rig.tried().unwrap_err());
    rig.log_in(|app| app.client_secret = Some(SecretString::from("another")), by_password());
    said.push(rig.tried().unwrap_err());
    rig.control("POST", "/settings", &json!({"allowsPassword": false, "hasClientCredentials": false}));
    rig.log_in(|_| {}, by_password());
    said.push(rig.tried().unwrap_err());
    rig.log_in(|_| {}, Way::ClientCredentials);
    said.push(rig.tried().unwrap_err());
    let expected = [
        ["invalid_grant (authentication failure)", "`password`"],
        ["invalid_client_id", "`client_id`"],
        ["invalid_client (", "`client_secret`"],
        ["invalid_grant", "until an administrator allows it"],
        ["invalid_grant (request not supported on this domain)", "`my_domain`"],
    ];
    for (error, expected) in said.iter().zip(expected) {
        assert!(error.is_log_in(), "{error:?}");
        for part in expected {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        no_secret(error);
    }
}

#[test]
fn a_token_of_another_organisation_is_not_used() {
    let mut rig = Rig::new(settings());
    rig.log_in(|app| app.organisation = "00D5g0000000002".parse().unwrap(), by_password());
    let error = rig.tried().unwrap_err();
    assert!(matches!(error, Error::OtherOrganisation { .. }), "{error:?}");
    assert!(
        error.to_string().contains(ORGANISATION) && error.to_string().contains("00D5g0000000002"),
        "{error}"
    );
    assert_eq!(rig.count("limits"), 0, "nothing was asked");
}

#[test]
fn calls_go_where_the_answer_says_and_by_tls_only() {
    let variants =
        Variants { instance_url: Some("http://acme.my.salesforce.com".to_owned()), ..Variants::default() };
    let rig = Rig::new(with(variants));
    let error = rig.tried().unwrap_err();
    assert!(error.to_string().contains("instance_url is no address by https"), "{error}");
}

/// A user as a query finds him.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    id: String,
}

#[test]
fn all_pages_of_a_query_are_read_and_odd_ones_are_refused() {
    let rig = Rig::new(with(Variants { page_size: 7, ..Variants::default() }));
    let soql = "SELECT Id FROM User";
    let query = || rig.runtime.block_on(rig.org.query::<Found>("users", soql));
    // The integration user is one, too.
    let ids: BTreeSet<String> = query().unwrap().into_iter().map(|found| found.id).collect();
    assert_eq!(ids.len(), USERS as usize + 1);
    assert_eq!(rig.count("users"), 9);
    let queries =
        [("all", soql), ("one", "SELECT Id FROM User LIMIT 1"), ("none", "SELECT Id FROM User LIMIT 0")];
    let found = rig.runtime.block_on(rig.org.queries::<Found>("several", &queries)).unwrap();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [USERS as usize + 1, 1, 0]);
    assert_eq!(rig.count("several"), 9, "the first pages in one call");

    rig.fault(json!({"path": "/query/", "kind": "skip", "count": 1}));
    let error = query().unwrap_err();
    assert!(error.to_string().contains("fewer rows than it says"), "{error}");
    let wrong = rig.runtime.block_on(rig.org.query::<Found>("wrong", "SELECT Nmae FROM User")).unwrap_err();
    assert!(matches!(&wrong, Error::Refused { status: 400, code, .. } if code == "INVALID_FIELD"), "{wrong}");
    let queries = [("good", soql), ("wrong", "SELECT Id FROM Usr")];
    let wrong = rig.runtime.block_on(rig.org.queries::<Found>("wrong", &queries)).unwrap_err();
    assert!(matches!(&wrong, Error::Refused { status: 400, code, .. } if code == "INVALID_TYPE"), "{wrong}");
}

#[test]
fn a_page_that_comes_twice_is_no_snapshot() {
    let rig = Rig::new(with(Variants { page_size: 7, ..Variants::default() }));
    for user in rig.people().iter().take(20) {
        rig.put(user, Some("Available"));
    }
    assert_eq!(rig.snapshot(None).unwrap().rows.len(), 20);
    rig.fault(json!({"path": "/query/", "kind": "repeat", "count": 1}));
    let error = rig.snapshot(None).unwrap_err();
    assert!(error.to_string().contains("came twice"), "{error}");
    assert_eq!(rig.snapshot(None).unwrap().rows.len(), 20);
}

#[test]
fn who_is_in_what_is_read_whole_and_by_what_changed() {
    let rig = Rig::new(settings());
    let statuses = rig.runtime.block_on(rig.org.statuses()).unwrap();
    let status = |name: &str| statuses.iter().find(|status| status.developer_name == name).unwrap().status;
    let people = rig.people();
    let (one, other) = (people[0].as_str(), people[1].as_str());
    assert_eq!(rig.snapshot(None).unwrap(), Presence::default(), "nobody is in anything");

    rig.put(one, Some("Available"));
    rig.put(other, Some("Lunch"));
    let presence = rig.snapshot(Some(TimeMs::ZERO)).unwrap();
    let found: BTreeMap<_, _> = presence.rows.iter().map(|row| (row.user, *row)).collect();
    assert_eq!((found.len(), presence.rows.len(), presence.unreadable.len()), (2, 2, 0));
    let row = found[&one.parse::<UserId>().unwrap()];
    assert_eq!((row.status, row.is_current, row.ended), (status("Available"), true, None));

    // He goes to lunch: one row ends, another begins. The other logs out: nothing is current.
    let since = row.modified;
    rig.put(one, Some("Lunch"));
    rig.put(other, None);
    let current = rig.snapshot(None).unwrap().rows;
    assert_eq!(current.iter().map(|row| row.status).collect::<Vec<_>>(), [status("Lunch")]);
    let whole = rig.snapshot(Some(since)).unwrap().rows;
    let ended: Vec<_> = whole.iter().filter(|row| !row.is_current).collect();
    assert_eq!((whole.len(), ended.len()), (3, 2));
    assert!(ended.iter().all(|row| row.ended.is_some_and(|ended| ended >= row.started)), "{ended:?}");
    assert!(ended.iter().any(|old| old.id == row.id));

    let changes = rig.runtime.block_on(rig.org.changes(since)).unwrap();
    let ids = |rows: &[lockstep::connectors::salesforce::Row]| {
        rows.iter().map(|row| row.id).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&changes.rows), ids(&whole));
    let newest = whole.iter().map(|row| row.modified.as_unix_ms()).max().unwrap();
    let later = rig.runtime.block_on(rig.org.changes(TimeMs::from_unix_ms(newest + 1))).unwrap();
    assert_eq!(later, Presence::default());
    assert_eq!(rig.count("snapshot"), 4, "each is one call");
}

#[test]
fn statuses_and_users_are_read() {
    let rig = Rig::new(settings());
    let statuses = rig.runtime.block_on(rig.org.statuses()).unwrap();
    let online: BTreeMap<&str, Vec<&str>> = statuses
        .iter()
        .filter(|status| !status.channels.is_empty())
        .map(|status| (status.developer_name.as_str(), status.channels.iter().map(String::as_str).collect()))
        .collect();
    let expected = [
        ("Available", vec!["Case", "Chat", "Phone"]),
        ("Available_for_Cases", vec!["Case"]),
        ("Available_for_Chats", vec!["Chat"]),
    ];
    assert_eq!(online, BTreeMap::from(expected));
    assert!(statuses.iter().any(|status| status.label == "Für Fälle verfügbar"), "{statuses:?}");
    assert!(statuses.len() > 5);
    assert_eq!(rig.count("statuses"), 1);

    let people = rig.people();
    rig.control("POST", &format!("/users/{}", people[0]), &json!({"isActive": false}));
    let users = rig.runtime.block_on(rig.org.users()).unwrap();
    assert_eq!(users.len(), USERS as usize + 1);
    let shown = rig.control("GET", &format!("/users/{}", people[0]), &Value::Null);
    let first = users.iter().find(|user| user.user == people[0].parse().unwrap()).unwrap();
    assert_eq!((first.email.as_str(), first.is_active), (shown["email"].as_str().unwrap(), false));
    assert!(users.iter().any(|user| user.federation_id.is_some() && user.is_active));
}

#[test]
fn what_is_used_is_told_and_when_it_is_used_up() {
    let rig = Rig::new(with(Variants { daily_requests: Some(5), ..Variants::default() }));
    assert_eq!(rig.org.usage(), None);
    for used in 1..=5 {
        rig.tried().unwrap();
        assert_eq!(rig.org.usage(), Some(Usage { used, max: 5 }));
    }
    let error = rig.tried().unwrap_err();
    assert!(error.is_used_up() && !error.is_forbidden() && !error.is_log_in(), "{error:?}");
    let told: Vec<u64> = rig.calls.usage.lock().unwrap().iter().map(|usage| usage.used).collect();
    assert!(told.starts_with(&[1, 2, 3, 4, 5]), "{told:?}");
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let rig = Rig::new(settings());
    rig.tried().unwrap();
    for (kind, why) in [
        (json!({"kind": "html"}), "limits: status 200, and not what should come"),
        (json!({"kind": "html", "status": 502}), "limits: status 502"),
        (json!({"kind": "empty"}), "limits: status 200, and not what should come: it is empty"),
        (json!({"kind": "status", "status": 503}), "limits: status 503, SERVER_UNAVAILABLE"),
        (json!({"kind": "reset"}), "limits: no answer"),
    ] {
        let mut fault = kind.clone();
        fault["path"] = "/limits".into();
        fault["count"] = 1.into();
        rig.fault(fault);
        let error = rig.tried().unwrap_err();
        assert!(error.to_string().starts_with(why), "{kind}: {error}");
        no_secret(&error);
    }
    rig.tried().unwrap();
}

/// A browser that goes where it is led.
async fn browse(address: &str) -> (u16, String) {
    let answer = reqwest::Client::new().get(address).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[test]
fn a_person_allows_it_in_a_browser() {
    let scope = "api refresh_token".to_owned();
    let mut rig = Rig::new(with(Variants { scope, ..Variants::default() }));
    let place = Place::made("salesforce-browser");
    let file = place.0.join("main.token");
    let platform = platform(&rig.calls);
    let granted = runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let flow = WebFlow::new(app(rig.simulated.addresses.api), port).unwrap();
        let browser = async {
            // What others send changes nothing.
            let forged = format!("http://127.0.0.1:{port}/callback?code=forged&state=forged");
            let (status, page) = browse(&forged).await;
            assert_eq!(status, 400, "{page}");
            let (status, page) = browse(flow.address().as_str()).await;
            assert!(status == 200 && page.contains("You may close this page"), "{status}: {page}");
        };
        let (code, ()) = tokio::join!(flow.code(listener), browser);
        flow.exchange(&platform, &code.unwrap()).await.unwrap()
    });
    assert_eq!(granted.scopes, ["api", "refresh_token"]);
    let missing: Vec<&str> =
        SCOPES.iter().filter(|scope| !scope.is_among(&granted.scopes)).map(|scope| scope.name).collect();
    assert_eq!(missing, ["web", "visualforce"]);
    TokenFile::new(file.clone()).write(&granted.refresh_token).unwrap();

    // From now on nobody is needed, until somebody takes it back.
    rig.log_in(|_| {}, Way::RefreshToken(TokenFile::new(file)));
    rig.tried().unwrap();
    rig.control("POST", "/sessions/expire", &json!({"refreshTokens": true}));
    let error = rig.tried().unwrap_err();
    assert!(error.is_log_in() && error.to_string().contains("lockstep login salesforce"), "{error}");
    assert!(!format!("{error:?}").contains(granted.refresh_token.expose_secret()), "{error:?}");
}

#[test]
fn what_is_not_allowed_in_a_browser_is_told() {
    let denied = Variants { gives_consent: false, ..Variants::default() };
    let unkept = Variants { scope: "api".to_owned(), ..Variants::default() };
    let foreign = Variants::default();
    for (variants, change, expected) in [
        (denied, "", "access_denied"),
        (unkept, "", "no refresh token came"),
        (foreign, "00D5g0000000002", "leads to the organisation"),
    ] {
        let rig = Rig::new(with(variants));
        let mut app = app(rig.simulated.addresses.api);
        if !change.is_empty() {
            app.organisation = change.parse().unwrap();
        }
        let platform = platform(&rig.calls);
        let error = runtime().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let flow = WebFlow::new(app, port).unwrap();
            let address = flow.address().to_string();
            let (code, _) = tokio::join!(flow.code(listener), browse(&address));
            match code {
                Ok(code) => flow.exchange(&platform, &code).await.unwrap_err(),
                Err(error) => error,
            }
        });
        assert!(error.is_log_in() && error.to_string().contains(expected), "{error}");
        no_secret(&error);
    }
}

/// Answers as many connections with JSON, and closes them.
fn server(answers: impl FnOnce(SocketAddr) -> Vec<Value>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers = answers(address);
    let serve = move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let (mut reader, mut head) = (BufReader::new(stream.try_clone().unwrap()), String::new());
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
            });
            reader.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
            let body = answer.to_string();
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    };
    (address, thread::spawn(serve))
}

/// Some orgs give another refresh token with each log-in, and take the old one for none.
#[test]
fn a_new_refresh_token_replaces_the_old_one() {
    let place = Place::made("salesforce-rotated");
    let path = place.0.join("main.token");
    TokenFile::new(path.clone()).write(&SecretString::from("old")).unwrap();
    let (address, server) = server(|address| {
        let base = format!("http://{address}");
        let token = json!({"access_token": "00D!x", "token_type": "Bearer", "instance_url": base,
            "id": format!("{base}/id/{ORGANISATION}/005000000000001"), "refresh_token": "new"});
        vec![token, json!({})]
    });
    let org = org(&Arc::new(Calls::default()), app(address), Way::RefreshToken(TokenFile::new(path.clone())));
    let limits = runtime().block_on(org.limits()).unwrap();
    server.join().unwrap();
    assert!(limits.daily_api_requests.is_none());
    assert_eq!(TokenFile::new(path).read().unwrap().expose_secret(), "new");
}

#[test]
fn nobody_is_reached() {
    let org = org(&Arc::new(Calls::default()), app(free_port()), by_password());
    let error = runtime().block_on(org.limits()).unwrap_err();
    assert!(matches!(error, Error::Call(http::Error::NotSent { call: "token", .. })), "{error:?}");
    no_secret(&error);
}
