//! What goes wrong with a platform: in the end it shows what was chosen last, no command was lost, and none came after a newer one.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use lockstep::simulators::cxone::Settings as Simulates;
use serde_json::{Value, json};

use crate::centre::{CHOICES, Centre};
use crate::ground::On;
use crate::waiting::until;

/// What a platform does wrong, for how long, and whether it is known that the whole account is concerned.
struct Case {
    name: &'static str,
    faults: fn() -> Vec<Value>,
    is_held: bool,
}

const SET: &str = "/state";

/// Faults 22 to 29, as calls that set a status meet them.
const CASES: &[Case] = &[
    Case {
        name: "22: 401 in mid-flight",
        faults: || vec![json!({"path": SET, "kind": "status", "status": 401, "count": 27})],
        is_held: false,
    },
    Case {
        name: "22: 401, and the token endpoint is down",
        faults: || {
            vec![
                json!({"path": SET, "kind": "status", "status": 401}),
                json!({"path": "/auth/token", "kind": "status", "status": 503}),
            ]
        },
        is_held: true,
    },
    Case {
        name: "23: 403 for all",
        faults: || vec![json!({"path": SET, "kind": "status", "status": 403})],
        is_held: true,
    },
    Case {
        name: "24: 429 with seconds",
        faults: || vec![json!({"path": SET, "kind": "status", "status": 429, "retryAfter": "1", "count": 2})],
        is_held: false,
    },
    Case {
        name: "24: 429 without Retry-After",
        faults: || vec![json!({"path": SET, "kind": "status", "status": 429, "count": 2})],
        is_held: false,
    },
    Case {
        name: "25: 503 for all",
        faults: || vec![json!({"kind": "status", "status": 503})],
        is_held: true,
    },
    Case {
        name: "26: time-out after it was applied",
        faults: || vec![json!({"path": SET, "kind": "latency", "ms": 3_000, "count": 25})],
        is_held: false,
    },
    Case {
        name: "26: the connection ends after it was applied",
        faults: || vec![json!({"path": SET, "kind": "after", "count": 25})],
        is_held: false,
    },
    Case {
        name: "27: answers of 10 s",
        faults: || vec![json!({"kind": "latency", "ms": 10_000})],
        is_held: true,
    },
    Case {
        name: "28: HTML instead of an answer",
        faults: || vec![json!({"path": SET, "kind": "html", "count": 25})],
        is_held: false,
    },
    Case {
        name: "28: an empty body",
        faults: || vec![json!({"path": SET, "kind": "empty", "count": 25})],
        is_held: false,
    },
    Case {
        name: "28: cut-off JSON",
        faults: || vec![json!({"path": SET, "kind": "cut", "count": 25})],
        is_held: false,
    },
    Case {
        name: "29: the connection is reset",
        faults: || vec![json!({"path": SET, "kind": "reset", "count": 25})],
        is_held: false,
    },
    Case {
        name: "accepted, and never applied",
        faults: || vec![json!({"path": SET, "kind": "lost", "count": 25})],
        is_held: false,
    },
    Case {
        name: "accepted, and applied after a newer one",
        faults: || vec![json!({"path": SET, "kind": "late", "ms": 900, "count": 20})],
        is_held: false,
    },
    Case {
        name: "32: polls that fail, repeat pages and leave some out",
        faults: || {
            vec![
                json!({"path": "/agents/states", "kind": "skip", "count": 2}),
                json!({"path": "/agents/states", "kind": "repeat", "count": 2}),
                json!({"path": "/agents/states", "kind": "html", "count": 1}),
                json!({"path": "/agents/states", "kind": "cut", "count": 1}),
                json!({"path": "/agents/states", "kind": "reset", "count": 1}),
            ]
        },
        is_held: false,
    },
];

fn everybody<T: Copy>(centre: &Centre, what: T) -> BTreeMap<u32, T> {
    centre.people.keys().map(|number| (*number, what)).collect()
}

/// Each fault in turn, while all agents choose something: twice before it ends, so that a newer command takes the place of one
/// that waits, or that may have been applied.
fn each_fault(on: On, cases: &[Case]) {
    // With pages of six there are several of them.
    let simulates = Simulates { agents: 20, page_size_max: 6, ..Simulates::default() };
    let centre = Centre::with(on, "edges-faults", 20, simulates);
    let _processor = centre.process();
    let connector = centre.connect("a");
    connector.comes_to_have_the_lease();
    let mut round = 0;
    for case in cases {
        let (held, unapplied) = (centre.held().len(), centre.unapplied());
        centre.cxone.faults(&(case.faults)());
        for _ in 0..2 {
            round += 1;
            let (choice, _) = CHOICES[round % 3];
            let all: Vec<_> = everybody(&centre, choice).into_iter().collect();
            centre.choose(&all);
            thread::park_timeout(Duration::from_millis(300));
        }
        if case.is_held {
            until("the platform is held", || centre.held().len() > held);
        }
        centre.cxone.faults(&[]);
        if case.name.contains("applied after") {
            let accepted = centre.unapplied() - unapplied;
            assert!(accepted > 0);
            until("all of it is applied late", || centre.calls("LATE", "") >= accepted);
        }
        let took = centre.comes_to_show(&everybody(&centre, CHOICES[round % 3].1));
        // The next one is to be told anew.
        until("it is over", || centre.held().last().is_none_or(|last| last == "resumed"));
        println!("{}: in step after {took:?}; {:?}", case.name, &centre.held()[held..]);
    }
    let held = centre.held();
    for pair in held.chunks(2) {
        assert!(pair[0].starts_with("held") || pair.len() == 1, "{held:?}");
    }
    assert_eq!(held.last().map(String::as_str), Some("resumed"), "{held:?}");
    centre.settles();
    connector.end();
    centre.judge();
    centre.nobody_is_named("");
}

#[test]
fn after_each_fault_they_are_in_step() {
    each_fault(On::Kafka, CASES);
}

#[test]
fn so_they_are_in_a_directory() {
    each_fault(On::Directory, CASES);
}

/// What the contract leaves open is survived in every form, from one platform to the other.
#[test]
fn each_variant_is_survived() {
    let centre = Centre::with(
        On::Directory,
        "edges-variants",
        8,
        Simulates { agents: 8, page_size_max: 3, ..Simulates::default() },
    );
    let _processor = centre.process();
    let connector = centre.connect("a");
    connector.comes_to_have_the_lease();
    let variants = [
        json!({"noChange": "204"}),
        json!({"noChange": "304", "names": "pascal"}),
        json!({"loggedOut": false}),
        json!({"setAgainRestarts": true}),
        json!({"dateOffsetMs": -90_000}),
        json!({"dateOffsetMs": 0, "noChange": "200", "names": "camel"}),
        // Last, since the tenant's times never fall: they would stay ahead of its clock.
        json!({"dateOffsetMs": 90_000}),
    ];
    for (round, variant) in variants.iter().enumerate() {
        centre.cxone.control("POST", "/settings", variant);
        let (choice, shown) = CHOICES[round % 3];
        let all: Vec<_> = everybody(&centre, choice).into_iter().collect();
        centre.choose(&all);
        println!("{variant}: in step after {:?}", centre.comes_to_show(&everybody(&centre, shown)));
    }
    centre.settles();
    connector.end();
    centre.judge();
    // Where the admin call has never worked, a session is tried.
    centre.cxone.control("POST", "/settings", &json!({"hasAdminCall": false}));
    let connector = centre.connect("b");
    for (choice, shown) in [CHOICES[2], CHOICES[0]] {
        let all: Vec<_> = everybody(&centre, choice).into_iter().collect();
        centre.choose(&all);
        println!("by sessions: in step after {:?}", centre.comes_to_show(&everybody(&centre, shown)));
    }
    centre.settles();
    connector.end();
    centre.judge();
}
