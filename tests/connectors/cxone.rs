//! The calls of CXone, at its simulator: each row of the contract, and what goes wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep::connectors::Lease;
use lockstep::connectors::cxone::{Poll, Settings as Called, Tenant, Way};
use lockstep::connectors::http::{CallClass, Error, Limits, Observer, Platform, Rate, Settings as Reach};
use lockstep::domain::{CxoneAgentId, CxoneStatus, OutStateId, TeamId};
use lockstep::listen::Tls;
use lockstep::simulators::cxone::Settings;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::openssl::certificate;
use crate::place::Place;
use crate::serving::runtime;
use crate::simulated::{Simulated, login};

const LUNCH: CxoneStatus = CxoneStatus::Code(OutStateId::new(1017));
/// In every answer that a secret could leak into, these must not be.
const SECRETS: [&str; 3] = ["simulated client secret", "SIMULATEDACCESSKEYSECRET", "simulated-1"];

/// Calls by their name and class.
#[derive(Default)]
struct Calls(Mutex<BTreeMap<(&'static str, &'static str), usize>>);

impl Observer for Calls {
    fn called(&self, call: &'static str, class: CallClass, _: Duration) {
        *self.0.lock().unwrap().entry((call, class.name())).or_default() += 1;
    }

    fn clock(&self, _: i64) {}
}

/// A tenant that is simulated, and one who calls it.
struct Rig {
    tenant: Tenant,
    calls: Arc<Calls>,
    lease: Lease,
    runtime: Runtime,
    simulated: Simulated,
}

fn settings() -> Settings {
    Settings { agents: 60, ..Settings::default() }
}

fn platform(calls: &Arc<Calls>) -> Arc<Platform> {
    platform_with(calls, None)
}

fn platform_with(calls: &Arc<Calls>, ca_file: Option<PathBuf>) -> Arc<Platform> {
    let reach = Reach {
        rate: Rate { calls_per_minute: 600_000, burst: 10_000 },
        limits: Limits { calls_min: 10_000, ..Limits::default() },
        connect_timeout: Duration::from_millis(700),
        answer_timeout: Duration::from_secs(5),
        proxy: None,
        ca_file,
        shows_answers: true,
    };
    Arc::new(Platform::new(reach, Arc::clone(calls) as Arc<dyn Observer>).unwrap())
}

impl Rig {
    fn new(settings: Settings) -> Rig {
        Rig::with(settings, false, Called::default())
    }

    fn with(settings: Settings, by_key_alone: bool, called: Called) -> Rig {
        let simulated = Simulated::new(settings);
        let calls = Arc::new(Calls::default());
        let tenant = Tenant::new(platform(&calls), login(simulated.addresses.api, by_key_alone), called);
        let lease = Lease::new(Duration::from_secs(3_600));
        lease.prove(std::time::Instant::now());
        Rig { tenant, calls, lease, runtime: runtime(), simulated }
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        self.simulated.control(method, path, body)
    }

    fn state(&self, agent: u32, state: u8, out_state: Option<i32>) {
        self.simulated.put(agent, state, out_state);
    }

    fn shown(&self, agent: u32) -> (u64, Option<i64>) {
        self.simulated.shown(agent)
    }

    fn fault(&self, fault: Value) {
        self.simulated.faults(&[fault]);
    }

    fn poll(&self, cursor: Option<&str>) -> Result<Poll, Error> {
        self.runtime.block_on(self.tenant.poll(cursor))
    }

    fn set(&self, agent: u32, status: CxoneStatus) -> Result<u16, Error> {
        let set = self.tenant.set(CxoneAgentId::new(agent), status, &self.lease);
        self.runtime.block_on(set).map(|answer| answer.status)
    }

    /// How many calls of this name there were.
    fn count(&self, call: &str) -> usize {
        let calls = self.calls.0.lock().unwrap();
        calls.iter().filter(|((name, _), _)| *name == call).map(|(_, count)| count).sum()
    }
}

const FIRST: u32 = 293_001;

#[test]
fn a_token_is_got_once_for_all_and_once_more_when_it_is_refused() {
    let rig = Rig::new(settings());
    let all = || {
        rig.runtime.block_on(async {
            let polls = (0..20).map(|_| rig.tenant.poll(None));
            for poll in futures(polls).await {
                assert_eq!(poll.unwrap().seen.len(), 60);
            }
        });
    };
    all();
    assert_eq!((rig.count("token"), rig.count("discovery"), rig.count("configuration")), (1, 1, 1));
    for times in 1..10 {
        rig.control("POST", "/tokens/expire", &Value::Null);
        all();
        assert_eq!(rig.count("token"), 1 + times);
        let refused = rig.calls.0.lock().unwrap()[&("states", "unauthorised")];
        assert!((times..=20 * times).contains(&refused), "{refused}");
    }
}

/// All of them at once, on one thread.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in all.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                *done = Some(value);
            }
        }
        if all.iter().any(|(_, done)| done.is_none()) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(all.iter_mut().filter_map(|(_, done)| done.take()).collect())
    })
    .await
}

/// A token of a few seconds is renewed when half of them are over, by the token that renews; where that is refused, by the key.
#[test]
fn a_token_is_renewed_before_it_ends() {
    let rig = Rig::new(Settings { token_seconds: 6, ..settings() });
    rig.poll(None).unwrap();
    let begun = std::time::Instant::now();
    while rig.count("token") < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        rig.poll(None).unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_secs(6));
    assert!(!rig.calls.0.lock().unwrap().contains_key(&("states", "unauthorised")));
    rig.control("POST", "/tokens/expire", &Value::Null);
    rig.poll(None).unwrap();
}

#[test]
fn an_access_key_alone_is_enough() {
    let rig = Rig::with(settings(), true, Called::default());
    assert_eq!(rig.poll(None).unwrap().seen.len(), 60);
    assert_eq!((rig.count("token"), rig.count("discovery")), (1, 0));
}

#[test]
fn who_is_not_let_in_is_told_without_a_secret() {
    let mut rig = Rig::new(settings());
    for (by_key_alone, status) in [(false, 400), (true, 401)] {
        let mut login = login(rig.simulated.addresses.api, by_key_alone);
        login.key.secret = SecretString::from("not SIMULATEDACCESSKEYSECRET====");
        rig.tenant = Tenant::new(platform(&rig.calls), login, Called::default());
        let error = rig.poll(None).unwrap_err();
        assert!(
            matches!(error, Error::Refused { call: "token", status: found, .. } if found == status),
            "{error:?}"
        );
        assert!(error.to_string().contains("invalid_grant"), "{error}");
        no_secret(&error);
    }
    let mut login = login(rig.simulated.addresses.api, false);
    login.way = Way::Application { client_id: "x".to_owned(), client_secret: SecretString::from("y") };
    rig.tenant = Tenant::new(platform(&rig.calls), login, Called::default());
    assert!(rig.poll(None).unwrap_err().to_string().contains("invalid_client"));
}

fn no_secret(error: &Error) {
    let said = format!("{error} {error:?}");
    assert!(!SECRETS.iter().any(|secret| said.contains(secret)), "{said}");
}

/// The token endpoint is down for a moment: who asks then is told, and who asks later gets one.
#[test]
fn the_token_endpoint_may_be_down() {
    let rig = Rig::new(settings());
    for fault in [
        json!({"path": "/auth/token", "kind": "status", "status": 502, "count": 1}),
        json!({"path": "/auth/token", "kind": "reset", "count": 1}),
        json!({"path": "/auth/token", "kind": "html", "count": 1}),
        json!({"path": "/auth/token", "kind": "cut", "count": 1}),
        json!({"path": "openid-configuration", "kind": "empty", "count": 1}),
        json!({"path": "cxone-configuration", "kind": "html", "count": 1}),
    ] {
        rig.fault(fault.clone());
        let error = rig.poll(None).unwrap_err();
        assert_eq!(error.remedy(), lockstep::domain::Remedy::Retry, "{fault}: {error}");
        no_secret(&error);
    }
    assert_eq!(rig.poll(None).unwrap().seen.len(), 60);
}

#[test]
fn the_feed_tells_what_has_changed_since_the_cursor() {
    let rig = Rig::new(settings());
    let all = rig.poll(None).unwrap();
    assert!(all.is_whole && all.unreadable.is_empty() && all.seen.len() == 60);
    assert!(all.seen.iter().all(|seen| seen.status == CxoneStatus::LoggedOut));
    rig.state(FIRST, 2, Some(1017));
    let changed = rig.poll(all.cursor.as_deref()).unwrap();
    assert_eq!(
        changed.seen.iter().map(|seen| (seen.agent.get(), seen.status)).collect::<Vec<_>>(),
        [(FIRST, LUNCH)]
    );
    assert!(changed.cursor >= all.cursor);
    // However it is said that nothing has changed, nothing has.
    for (form, has_cursor) in [("200", true), ("204", false), ("304", false)] {
        rig.control("POST", "/settings", &json!({"noChange": form}));
        let nothing = rig.poll(changed.cursor.as_deref().map(later).as_deref()).unwrap();
        assert!(nothing.seen.is_empty() && nothing.is_whole, "{form}: {nothing:?}");
        assert_eq!(nothing.cursor.is_some(), has_cursor, "{form}");
    }
    rig.control("POST", "/settings", &json!({"loggedOut": false}));
    assert_eq!(rig.poll(None).unwrap().seen.len(), 1);
}

/// A time a millisecond after it: nothing can have changed then that was told before.
fn later(cursor: &str) -> String {
    let at: jiff::Timestamp = cursor.parse().unwrap();
    (at + Duration::from_millis(1)).to_string()
}

/// Pages of any size, names and versions.
#[test]
fn pages_are_read_to_their_end_however_they_are_written() {
    for (page_size, version, page_size_max, names) in
        [(7, 23, 1_000, "camel"), (1_000, 34, 7, "camel"), (60, 30, 60, "pascal"), (13, 33, 5, "pascal")]
    {
        let rig = Rig::with(settings(), false, Called { version, page_size, ..Called::default() });
        rig.control("POST", "/settings", &json!({"names": names, "pageSizeMax": page_size_max}));
        let poll = rig.poll(None).unwrap();
        assert!(poll.is_whole, "{page_size} {names}");
        let agents: std::collections::BTreeSet<u32> = poll.seen.iter().map(|seen| seen.agent.get()).collect();
        assert_eq!(agents.len(), 60, "{page_size} {names}");
        assert!(poll.cursor.is_some(), "{page_size} {names}");
        let pages = 60_usize.div_ceil(page_size_max.min(page_size as usize));
        assert_eq!(rig.count("states"), pages, "{page_size} {names}");
        assert_eq!(rig.runtime.block_on(rig.tenant.agents(None)).unwrap().agents.len(), 60);
    }
}

/// A page that comes twice, or does not come, is noticed: the cursor is not to move over what nobody has seen.
#[test]
fn a_page_that_repeats_or_is_left_out_is_noticed() {
    for kind in ["repeat", "skip"] {
        let rig = Rig::with(settings(), false, Called { page_size: 20, ..Called::default() });
        rig.poll(None).unwrap();
        rig.fault(json!({"path": "/agents/states", "kind": kind, "count": 2}));
        let poll = rig.poll(None).unwrap();
        assert!(!poll.is_whole, "{kind}: {}", poll.seen.len());
        assert!(rig.poll(None).unwrap().is_whole, "{kind}");
    }
}

#[test]
fn what_is_no_answer_is_an_error_that_names_the_call() {
    let rig = Rig::new(settings());
    rig.poll(None).unwrap();
    for (kind, why) in [
        (json!({"kind": "html"}), "states: status 200, and not what should come: no JSON of it"),
        (json!({"kind": "empty"}), "states: status 200, and not what should come: it is empty"),
        (
            json!({"kind": "cut"}),
            "states: no answer, and it is not known whether it was done: the answer ends too early",
        ),
        (json!({"kind": "reset"}), "states: no answer"),
        (json!({"kind": "status", "status": 500}), "states: status 500"),
        (json!({"kind": "status", "status": 403}), "states: status 403: \"{"),
    ] {
        let mut fault = kind.clone();
        fault["path"] = "/agents/states".into();
        fault["count"] = 1.into();
        rig.fault(fault);
        let error = rig.poll(None).unwrap_err();
        assert!(error.to_string().starts_with(why), "{kind}: {error}");
        no_secret(&error);
    }
    assert_eq!(rig.poll(None).unwrap().seen.len(), 60);
}

/// The admin call, in each form that the contract has.
#[test]
fn what_may_be_set_is() {
    let rig = Rig::new(settings());
    // Logged out: nobody can be put anywhere.
    assert_eq!(rig.set(FIRST, CxoneStatus::Available).unwrap(), 409);
    assert_eq!(rig.set(FIRST + 1_000, CxoneStatus::Available).unwrap(), 404);
    rig.state(FIRST, 2, None);
    for (status, shown) in
        [(CxoneStatus::Available, (1, None)), (LUNCH, (2, Some(1017))), (CxoneStatus::Unavailable, (2, None))]
    {
        assert_eq!(rig.set(FIRST, status).unwrap(), 202);
        assert_eq!(rig.shown(FIRST), shown);
    }
    for (code, answers) in [(1_020, 409), (1_022, 409), (1_023, 409), (9_999, 409)] {
        assert_eq!(rig.set(FIRST, CxoneStatus::Code(OutStateId::new(code))).unwrap(), answers, "{code}");
    }
    rig.control("POST", "/settings", &json!({"badCodeStatus": 400}));
    assert_eq!(rig.set(FIRST, CxoneStatus::Code(OutStateId::new(9_999))).unwrap(), 400);
    assert!(matches!(rig.set(FIRST, CxoneStatus::LoggedIn), Err(Error::Setting { .. })));
    // In a contact it waits, and the last one counts.
    rig.control("POST", &format!("/agents/{FIRST}/contact"), &json!({"agentStateId": 3}));
    assert_eq!(rig.set(FIRST, CxoneStatus::Available).unwrap(), 202);
    assert_eq!(rig.set(FIRST, LUNCH).unwrap(), 202);
    assert_eq!(rig.shown(FIRST).0, 3);
    rig.control("DELETE", &format!("/agents/{FIRST}/contact"), &Value::Null);
    assert_eq!(rig.shown(FIRST), (2, Some(1017)));
    assert_eq!(rig.set(FIRST, CxoneStatus::LoggedOut).unwrap(), 202);
    assert_eq!(rig.shown(FIRST), (0, None));
    assert_eq!(rig.set(FIRST, CxoneStatus::LoggedOut).unwrap(), 409);
}

#[test]
fn a_session_sets_by_the_name_of_a_code() {
    let rig = Rig::new(settings());
    let set = |agent: u32, status, name| {
        let set = rig.tenant.set_by_session(CxoneAgentId::new(agent), status, name, &rig.lease);
        rig.runtime.block_on(set).unwrap().status
    };
    assert_eq!(set(FIRST, CxoneStatus::Available, None), 409);
    assert_eq!(set(FIRST + 1_000, CxoneStatus::Available, None), 404);
    rig.state(FIRST, 2, None);
    assert_eq!(set(FIRST, CxoneStatus::Available, None), 202);
    assert_eq!(rig.shown(FIRST), (1, None));
    assert_eq!(set(FIRST, LUNCH, Some("Lunch")), 202);
    assert_eq!(rig.shown(FIRST), (2, Some(1017)));
    assert_eq!(set(FIRST, LUNCH, Some("Siesta")), 409);
    assert_eq!(set(FIRST, CxoneStatus::Unavailable, None), 202);
    assert_eq!(rig.shown(FIRST), (2, None));
}

/// Whether a call that failed was done is not known; one that was accepted may not have been.
#[test]
fn what_became_of_a_call_is_not_always_known() {
    let rig = Rig::new(settings());
    rig.state(FIRST, 2, None);
    rig.poll(None).unwrap();
    let path = format!("/agents/{FIRST}/state");
    rig.fault(json!({"path": path, "kind": "after", "count": 1}));
    assert!(matches!(rig.set(FIRST, CxoneStatus::Available), Err(Error::NoAnswer { .. })));
    assert_eq!(rig.shown(FIRST), (1, None));
    rig.fault(json!({"path": path, "kind": "reset", "count": 1}));
    assert!(matches!(rig.set(FIRST, LUNCH), Err(Error::NoAnswer { .. })));
    assert_eq!(rig.shown(FIRST), (1, None));
    rig.fault(json!({"path": path, "kind": "lost", "count": 1}));
    assert_eq!(rig.set(FIRST, LUNCH).unwrap(), 202);
    assert_eq!(rig.shown(FIRST), (1, None));
    rig.fault(json!({"path": path, "kind": "late", "ms": 100, "count": 1}));
    assert_eq!(rig.set(FIRST, LUNCH).unwrap(), 202);
    assert_eq!(rig.shown(FIRST), (1, None));
    let begun = std::time::Instant::now();
    while rig.shown(FIRST) != (2, Some(1017)) {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    let applied = rig.control("GET", "/log", &Value::Null);
    let applied = applied.as_array().unwrap().iter().filter(|call| call["applied"] == true).count();
    assert_eq!(applied, 2, "one was done at once, and one later");
}

#[test]
fn the_directory_is_read() {
    let rig = Rig::new(settings());
    let read = &rig.tenant;
    rig.runtime.block_on(async {
        let agents = read.agents(None).await.unwrap();
        assert_eq!((agents.agents.len(), agents.hidden), (60, 0));
        let users = read.users().await.unwrap();
        let by_id: BTreeMap<_, _> = users.iter().map(|user| (user.user.as_str(), user)).collect();
        for agent in &agents.agents {
            let user = by_id[agent.user.as_deref().unwrap()];
            assert_eq!((&user.email, user.status.as_str()), (&agent.email, "ACTIVE"));
            assert_eq!(agent.federated, user.external);
        }
        let teams = read.teams().await.unwrap();
        assert_eq!(teams.len(), 5);
        let codes = read.codes().await.unwrap();
        assert_eq!(codes.len(), 9);
        assert!(codes.iter().any(|code| code.name == "Pause für Gespräche" && code.is_active));
        let of_team = read.codes_of(teams[0].team).await.unwrap();
        assert_eq!(of_team.len(), 7, "without what is not active and what is of another team: {of_team:?}");
        assert!(of_team.iter().any(|code| code.is_acw));
        assert!(read.codes_of(TeamId::new(99)).await.is_err());
        assert!(read.agents(agents.cursor.as_deref().map(later).as_deref()).await.unwrap().agents.is_empty());
    });
    rig.control("POST", &format!("/agents/{FIRST}/team"), &json!({"teamId": 3}));
    let cursor = rig.runtime.block_on(read.agents(None)).unwrap().agents;
    assert_eq!(cursor[0].team, Some(TeamId::new(3)));
}

#[test]
fn limits_and_the_clock_of_the_platform_are_noticed() {
    let rig = Rig::new(Settings { date_offset_ms: 7_200_000, ..settings() });
    rig.poll(None).unwrap();
    let offset = rig.tenant.platform().offset_ms();
    assert!((offset - 7_200_000).abs() <= 2_000, "{offset}");
    rig.control("POST", "/settings", &json!({"rate": {"perMinute": 6, "burst": 1}}));
    rig.poll(None).unwrap();
    let error = rig.poll(None).unwrap_err();
    assert!(matches!(error, Error::Refused { status: 429, .. }), "{error:?}");
    assert!(rig.tenant.platform().turn().is_err(), "it is held back until the platform wants calls again");
}

/// TLS, by an authority that only the configuration names. Without it nothing is sent.
#[test]
fn calls_are_encrypted_and_go_to_whom_is_trusted() {
    let place = Place::new("cxone-tls");
    let (certificate, key) = certificate(&place.0, "tenant");
    let tls = Some(Tls::of_files(&certificate, &key).unwrap());
    let mut rig = Rig::new(Settings { tls, ..settings() });
    let encrypted = || {
        let mut login = login(rig.simulated.addresses.api, false);
        login.issuer.set_scheme("https").unwrap();
        login
    };
    let (trusting, wary) = (encrypted(), encrypted());
    rig.tenant = Tenant::new(platform_with(&rig.calls, Some(certificate)), trusting, Called::default());
    assert_eq!(rig.poll(None).unwrap().seen.len(), 60);
    rig.fault(json!({"path": "/agents/states", "kind": "cut", "count": 1}));
    assert!(matches!(rig.poll(None), Err(Error::NoAnswer { .. })));
    rig.tenant = Tenant::new(platform(&rig.calls), wary, Called::default());
    let error = rig.poll(None).unwrap_err();
    assert!(matches!(error, Error::NotSent { call: "discovery", .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
}
