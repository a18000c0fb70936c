//! A state at rest and one in the middle of everything, and what each says.

use std::borrow::Cow;

use lockstep::codec::State;
use lockstep::domain::{Both, ContactState, CxoneStatus, SalesforceStatus, Status, TeamId, TimeMs};
use lockstep::engine::{
    self, AgentState, Armed, Contact, EarlyClose, Epoch, Generation, GivenUp, Intent, Observed, PendingClose,
    Remembered, RememberedSide, Replaced, Sequence, Shown, Verdict, Waiting, WakeCause,
};
use serde_json::{Value, json};

use super::{Golden, PRESENCE, ROW, ahead, at, cxone_says, golden, link, link_says, presence};

pub(super) fn states() -> Vec<Golden> {
    let state = |remembered: &Remembered<'_>, team| State {
        link: link(),
        team,
        epoch: Epoch(2),
        agent: Cow::Owned(AgentState::recalled(remembered, None)),
    };
    let side_says = json!({ "shown": null, "reachable": false, "caught_up": false, "target": null });
    let new_says = json!({
        "link": link_says(), "team_id": null, "epoch": 2, "kept": {
            "intent": null, "salesforce": side_says, "cxone": side_says, "previous": null, "observed_row": null,
            "rows": [], "connection_epoch": null, "generation": 0, "issued": 0, "busy": null,
        },
    });
    let entry = engine::Entry {
        sequence: Sequence(41),
        status: Status::Salesforce(SalesforceStatus::Offline),
        issued: at(100),
        intents_since: 255,
        verdict: Some(Verdict::Accepted),
        answered_after: 250,
        settled_after: 2_000,
        matched_after: engine::Entry::NEVER,
    };
    let newer = engine::Entry {
        sequence: Sequence(42),
        status: Status::Cxone(CxoneStatus::Available),
        verdict: None,
        intents_since: 0,
        ..entry
    };
    let (commands, times) = ([entry, newer], [at(100), at(200)]);
    let busy = busy(&commands, &times);
    vec![
        golden("a new state", &state(&Remembered::default(), None), new_says),
        golden("a busy state", &state(&busy, Some(TeamId::new(0))), busy_says()),
    ]
}

fn busy<'r>(commands: &'r [engine::Entry], command_times: &'r [TimeMs]) -> Remembered<'r> {
    let intent = Intent {
        status: Status::Cxone(CxoneStatus::AfterCallWork(None)),
        since: at(90),
        offset: ahead(-5),
        floor: at(80),
        at_login: true,
    };
    let shown =
        Shown { status: presence(), since_raw: at(70), offset: ahead(i64::from(i32::MAX)), ours: true };
    let observed = Observed {
        status: Status::Salesforce(presence()),
        since_raw: at(60),
        offset: ahead(6),
        row: Some(ROW.parse().unwrap()),
        ours: false,
    };
    let waiting = Waiting {
        outstanding: Sequence(42),
        up_at: at(50),
        lapsed: 3,
        owes_correction: true,
        diverged: Some(GivenUp::NotSeen),
    };
    Remembered {
        intent: Some(intent),
        salesforce: RememberedSide {
            shown: Some(shown),
            reachable: true,
            caught_up: false,
            target: Some(SalesforceStatus::Offline),
        },
        cxone: RememberedSide {
            shown: Some(Shown {
                status: CxoneStatus::Available,
                since_raw: at(71),
                offset: ahead(0),
                ours: false,
            }),
            reachable: false,
            caught_up: true,
            target: Some(CxoneStatus::Unavailable),
        },
        previous: Some(CxoneStatus::Available),
        observed_row: Some(ROW.parse().unwrap()),
        rows: [Some(ROW.parse().unwrap()), Some("0Ps5g00000QwErS".parse().unwrap()), None, None],
        epoch: Some(Epoch(8)),
        generation: Generation(9),
        issued: Sequence(42),
        commands,
        command_times,
        cool_down_until: Some(at(300)),
        doublings: 1,
        waiting: Both { salesforce: waiting, cxone: Waiting { diverged: None, ..waiting } },
        armed: Some(Armed { at: at(400), cause: WakeCause::Grace }),
        contact: Some(Contact {
            status: CxoneStatus::Contact(ContactState::Dialer),
            since: at(500),
            before: Some(CxoneStatus::LoggedIn),
        }),
        pending_close: Some(PendingClose { at_raw: at(600), offset: ahead(1), due: at(601) }),
        early_close: Some(EarlyClose {
            row: "0Ps5g00000QwErU".parse().unwrap(),
            at_raw: at(700),
            offset: ahead(2),
        }),
        replaced: Some(Replaced {
            close_raw: at(800),
            observed: Some(observed),
            reachable: true,
            intent: Some((None, Both { salesforce: true, cxone: false })),
        }),
    }
}

fn busy_says() -> Value {
    let waiting = |diverged: Option<&str>| json!({ "outstanding": 42, "up_at": 50, "lapsed": 3, "owes_correction": true, "diverged": diverged });
    let command = |sequence: u32, status: Value, intents_since: u8, verdict: Option<&str>| {
        json!({
            "sequence": sequence, "status": status, "issued_at": 100, "intents_since": intents_since,
            "verdict": verdict, "answered_after_ms": 250, "settled_after_ms": 2_000,
            "matched_after_ms": null,
        })
    };
    json!({
        "link": link_says(), "team_id": 0, "epoch": 2, "kept": {
            "intent": {
                "status": cxone_says("UNAVAILABLE", None, true), "since": 90, "offset_ms": -5, "floor": 80,
                "at_login": true,
            },
            "salesforce": {
                "shown": {
                    "status": { "presence_status_id": PRESENCE }, "since_raw": 70, "offset_ms": i32::MAX,
                    "ours": true,
                },
                "reachable": true, "caught_up": false, "target": { "presence_status_id": null },
            },
            "cxone": {
                "shown": {
                    "status": cxone_says("AVAILABLE", None, false), "since_raw": 71, "offset_ms": 0,
                    "ours": false,
                },
                "reachable": false, "caught_up": true, "target": cxone_says("UNAVAILABLE", None, false),
            },
            "previous": cxone_says("AVAILABLE", None, false), "observed_row": ROW,
            "rows": [ROW, "0Ps5g00000QwErS"], "connection_epoch": 8, "generation": 9, "issued": 42,
            "busy": {
                "commands": [
                    command(41, json!({ "presence_status_id": null }), 255, Some("ACCEPTED")),
                    command(42, cxone_says("AVAILABLE", None, false), 0, None),
                ],
                "command_times": [100, 200], "cool_down_until": 300, "doublings": 1,
                "waiting_salesforce": waiting(Some("NOT_SEEN")), "waiting_cxone": waiting(None),
                "armed": { "at": 400, "cause": "GRACE" },
                "contact": {
                    "status": cxone_says("DIALER", None, false), "since": 500,
                    "before": cxone_says("LOGGED_IN", None, false),
                },
                "pending_close": { "at_raw": 600, "offset_ms": 1, "due": 601 },
                "early_close": { "row_id": "0Ps5g00000QwErU", "at_raw": 700, "offset_ms": 2 },
                "replaced": {
                    "close_raw": 800, "observed": {
                        "status": { "presence_status_id": PRESENCE }, "since_raw": 60, "offset_ms": 6,
                        "row_id": ROW, "ours": false,
                    },
                    "reachable": true,
                    "intent": { "intent": null, "caught_up": { "salesforce": true, "cxone": false } },
                },
            },
        },
    })
}
