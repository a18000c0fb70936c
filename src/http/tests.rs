//! The ops endpoints, asked over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::bus::Offset;
use crate::codec::HeldCause;
use crate::connectors::http::{CallClass, Observer as _, Usage};
use crate::connectors::{Noted, Observer as _};
use crate::domain::{Account, Platform};
use crate::processor::{Observer as _, Tally};

const SINCE: TimeMs = TimeMs::from_unix_ms(1_767_607_200_000);

fn ops() -> Ops {
    let roles = ["processor", "bridge"].map(str::to_owned).to_vec();
    Ops {
        process: Arc::new(Process { name: "one".to_owned(), roles, since: SINCE }),
        metrics: Arc::new(Metrics::new().unwrap()),
        readiness: Arc::new(Readiness::default()),
    }
}

/// What is asked of a process, over a connection.
struct Asked {
    address: SocketAddr,
    /// It ends with this.
    _until: oneshot::Sender<()>,
}

impl Asked {
    async fn of(ops: Ops) -> Asked {
        let listener = Ops::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (until, over) = oneshot::channel();
        tokio::spawn(ops.serve(listener, async { over.await.unwrap_or_default() }));
        Asked { address, _until: until }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://{}{path}", self.address)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn status(&self) -> Value {
        let (code, text) = self.get("/status").await;
        assert_eq!(code, 200, "{text}");
        assert!(text.ends_with("}\n"), "a terminal's next line is its own: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test]
async fn it_is_ready_once_all_parts_are() {
    let ops = ops();
    let readiness = Arc::clone(&ops.readiness);
    let asked = Asked::of(ops).await;
    let not = |what: &str| (503, format!("not ready: {what}\n"));
    assert_eq!(asked.get("/health").await, (200, "ok\n".to_owned()), "it lives before it is ready");
    assert_eq!(asked.get("/ready").await, not("nothing has begun yet"));
    for (part, is_ready, missing) in [
        (BUS, false, Some("bus")),
        ("processor", false, Some("bus, processor")),
        (BUS, true, Some("processor")),
        ("worker 0", false, Some("processor, worker 0")),
        ("processor", true, Some("worker 0")),
        ("worker 0", true, None),
        ("partition 3", false, Some("partition 3")),
        ("partition 3", true, None),
    ] {
        readiness.set(part, is_ready);
        let expected = missing.map_or((200, "ready\n".to_owned()), not);
        assert_eq!(asked.get("/ready").await, expected, "{part} {is_ready}");
    }
    readiness.set("partition 3", false);
    readiness.remove("partition 3");
    assert_eq!(asked.get("/ready").await.0, 200, "it is another's by now");
}

#[tokio::test]
async fn what_there_is_stands_on_the_first_page() {
    let asked = Asked::of(ops()).await;
    let (_, index) = asked.get("/").await;
    for path in ["/metrics", "/health", "/ready", "/status"] {
        assert!(index.lines().any(|line| line.starts_with(path)), "{path} in {index}");
        assert_ne!(asked.get(path).await.0, 404, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(asked.get(path).await.0, 404, "{path}");
    }
    let (_, metrics) = asked.get("/metrics").await;
    assert!(metrics.contains("lockstep_build_info{version="), "{metrics}");
}

/// An alert has to see who waits for what is not there: nothing else of a process that starts tells of it.
#[tokio::test]
async fn metrics_say_whether_it_is_ready() {
    let ops = ops();
    let readiness = Arc::clone(&ops.readiness);
    let asked = Asked::of(ops).await;
    let is = |text: &str, value: u8| text.lines().any(|line| line == format!("lockstep_ready {value}"));
    for (is_ready, value) in [(false, 0), (true, 1), (false, 0)] {
        readiness.set(BUS, is_ready);
        let (_, text) = asked.get("/metrics").await;
        assert!(is(&text, value), "{value} in\n{text}");
    }
}

#[tokio::test]
async fn who_has_nothing_yet_says_so() {
    let ops = ops();
    ops.readiness.set(BUS, false);
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": "one",
        "roles": ["processor", "bridge"],
        "since": "2026-01-05T10:00:00Z",
        "ready": false,
        "missing": ["bus"],
        "bus": { "reached": false, "waits": true },
        "workers": [],
        "partitions": [],
        "accounts": [],
        "gateways": [],
    });
    assert_eq!(Asked::of(ops).await.status().await, expected);
}

#[tokio::test]
async fn all_that_a_process_has_stands_in_its_status() {
    let ops = ops();
    ops.readiness.set(BUS, true);
    let metrics = &ops.metrics;
    metrics.waiting(0, true);
    metrics.restoring(4);
    metrics.ready(3, 7, Duration::from_millis(5));
    metrics.committed(3, &Tally { agents: 7, ..Tally::default() }, SINCE, Offset(1_001));
    metrics.set_lag(3, 2);
    let account = metrics.account(Account { platform: Platform::Cxone, name: "emea".parse().unwrap() });
    account.note(Noted::Lease(true));
    account.note(Noted::Held(Some(HeldCause::BreakerOpen)));
    account.note(Noted::Backlog { waiting: 4, under_way: 2 });
    account.note(Noted::Linked(5));
    account.note(Noted::Drift(1));
    account.called("agents", CallClass::Done, Duration::from_millis(20));
    account.usage(Usage { used: 12, max: 100 });
    account.clock(1_500);
    metrics.account(Account { platform: Platform::Salesforce, name: "main".parse().unwrap() });
    metrics.bridge().held("salesforce.main", 2, 3);
    let mut status = Asked::of(ops.clone()).await.status().await;
    let last_call = status["accounts"][0]["last_call"].take();
    let ago = jiff::Timestamp::now().duration_since(last_call.as_str().unwrap().parse().unwrap());
    assert!((0..60).contains(&ago.as_secs()), "{last_call}");
    assert_eq!(status["ready"], true);
    assert_eq!(status["bus"], json!({ "reached": true, "waits": true }));
    assert_eq!(status["workers"], json!([{ "worker": 0, "waits_for_bus": true }]));
    let expected = json!([
        {
            "partition": 3,
            "phase": "ready",
            "agents": 7,
            "next_offset": 1_001,
            "lag_records": 2,
            "clock": "2026-01-05T10:00:00Z",
        },
        {
            "partition": 4,
            "phase": "restoring",
            "agents": null,
            "next_offset": null,
            "lag_records": null,
            "clock": null,
        },
    ]);
    assert_eq!(status["partitions"], expected);
    let ours = json!({
        "account": "cxone.emea",
        "lease": "ours",
        "held": "breaker_open",
        "waits_for_bus": false,
        "last_call": null,
        "last_poll": null,
        "calls": {
            "last_minute": 1,
            "budget_left": null,
            "budget_per_minute": null,
            "day_used": 12,
            "day_max": 100,
        },
        "commands": { "waiting": 4, "under_way": 2 },
        "linked": 5,
        "clock_offset_s": 1.5,
        "drift": 1,
    });
    assert_eq!(status["accounts"][0], ours);
    let other = &status["accounts"][1];
    assert_eq!((&other["lease"], &other["held"]), (&json!("standing_by"), &Value::Null));
    let gateway = json!({ "account": "salesforce.main", "browsers": 3, "agents": 2, "waits_for_bus": false });
    assert_eq!(status["gateways"], json!([gateway]));
}
