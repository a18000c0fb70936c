//! Records by example, and what each says, written down by hand.

use lockstep::codec::{
    Activated, Addressee, AgentEntry, Command, Commanded, Connection, DeadCause, DeadLetter, DecidedAs,
    Decision, DirectoryEntry, EngineRaised, Entry, Event, EventKind, HeldCause, LinkEntry, Linked, Manifest,
    Observation, Operator, Order, Outcome, Part, PlatformHeld, PlatformResumed, Position, Record,
    RecordSchema, RevisionRule, RowClosed, Set, Sha256, SnapshotChunk, SnapshotState, StateHash, TeamMoved,
    UserEntry, Uuid, VocabularyPart, What,
};
use lockstep::directory::{Code, PresenceStatus, TeamEntry};
use lockstep::domain::{
    Account, AgentId, Cause, ContactState, CxoneAgent, CxoneAgentId, CxoneStatus, DurationMs, Feed, Link,
    OutStateId, Platform, ReservedOutState, SalesforceStatus, SalesforceUser, Status, Team, TeamId, TimeMs,
};
use lockstep::engine::{Epoch, Generation, GivenUp, Offset, Reason, Sequence, Verdict, WakeCause, WakeUp};
use lockstep::rules::{
    CxoneOrder, CxoneTerm, OnConflict, OnLogin, Options, PublisherRow, Row, Rule, SalesforceTerm, Settings,
    SubscriberRow, WhileOnContact,
};
use serde_json::{Value, json};
use std::borrow::Cow;

mod golden_state;

/// A record as it is written, and what it says.
pub(super) struct Golden {
    pub(super) name: &'static str,
    pub(super) record: RecordSchema,
    pub(super) framed: Vec<u8>,
    pub(super) value: Value,
}

fn golden<'b, R: Record<'b>>(name: &'static str, record: &R, value: Value) -> Golden {
    Golden { name, record: R::SCHEMA, framed: super::framed(record), value }
}

pub(super) fn all() -> Vec<Golden> {
    let mut all = statuses();
    all.extend(events_of_an_agent());
    all.extend(events_for_all());
    all.extend(commands());
    all.extend(golden_state::states());
    all.extend(decisions());
    all.extend(revisions());
    all.extend(entries());
    all.extend(others());
    all
}

const AGENT: &str = "0192a3b4c5d6e7f80192a3b4c5d6e7f8";
const EVENT: &str = "ffeeddccbbaa99887766554433221100";
const PRESENCE: &str = "0N55g000000AbCd";
const USER: &str = "0055g00000XyZaB";
const ROW: &str = "0Ps5g00000QwErT";

fn agent() -> AgentId {
    AgentId::from_bytes(u128::from_str_radix(AGENT, 16).unwrap().to_be_bytes())
}

fn uuid(text: &str) -> Uuid {
    Uuid(u128::from_str_radix(text, 16).unwrap().to_be_bytes())
}

fn at(ms: i64) -> TimeMs {
    TimeMs::from_unix_ms(ms)
}

fn ahead(ms: i64) -> Offset {
    Offset::new(DurationMs::from_ms(ms))
}

fn presence() -> SalesforceStatus {
    SalesforceStatus::Presence(PRESENCE.parse().unwrap())
}

fn operator() -> Operator<'static> {
    Operator { actor: "ops@näher".into(), reason: "".into() }
}

fn operator_says() -> Value {
    json!({ "actor": "ops@näher", "reason": "" })
}

fn link() -> Link {
    Link {
        salesforce: SalesforceUser { account: "emea".parse().unwrap(), user: USER.parse().unwrap() },
        cxone: CxoneAgent { account: "apac-2".parse().unwrap(), agent: CxoneAgentId::new(4_294_967_295) },
    }
}

fn link_says() -> Value {
    json!({
        "salesforce": { "account": "emea", "user_id": USER },
        "cxone": { "account": "apac-2", "agent_id": 4_294_967_295_u32 },
    })
}

fn cxone_says(state: &str, out_state_id: Option<i64>, after_call_work: bool) -> Value {
    json!({ "state": state, "out_state_id": out_state_id, "after_call_work": after_call_work })
}

fn event(
    name: &'static str,
    agent: Option<AgentId>,
    what: What<'_>,
    (kind, field): (&str, &str),
    says: Value,
) -> Golden {
    let mut value = json!({
        "id": EVENT, "kind": kind, "agent": agent.map(|_| AGENT),
        "account": { "platform": "CXONE", "name": "apac-2" },
        "written_at": 1_700_000_000_123_i64, "writer": "source/cxone.apac-2/a", "engine_version": 1,
        "observation": null, "row_closed": null, "connected": null, "disconnected": null, "outcome": null,
        "wake_up": null, "linked": null, "unlinked": null, "team_moved": null, "forgotten": null,
        "activated": null, "engine_raised": null, "platform_held": null, "platform_resumed": null, "retry": null,
    });
    value[field] = says;
    let event = Event {
        id: uuid(EVENT),
        agent,
        account: Some(Account { platform: Platform::Cxone, name: "apac-2".parse().unwrap() }),
        written_at: at(1_700_000_000_123),
        writer: "source/cxone.apac-2/a".into(),
        engine_version: 1,
        what,
    };
    golden(name, &event, value)
}

/// An observation of every status that there is.
fn statuses() -> Vec<Golden> {
    let code = OutStateId::new;
    let cases = [
        (Status::Salesforce(SalesforceStatus::Offline), json!({ "presence_status_id": null })),
        (Status::Salesforce(presence()), json!({ "presence_status_id": PRESENCE })),
        (Status::Cxone(CxoneStatus::LoggedOut), cxone_says("LOGGED_OUT", None, false)),
        (Status::Cxone(CxoneStatus::Available), cxone_says("AVAILABLE", None, false)),
        (Status::Cxone(CxoneStatus::Unavailable), cxone_says("UNAVAILABLE", None, false)),
        (
            Status::Cxone(CxoneStatus::Code(code(u32::MAX))),
            cxone_says("UNAVAILABLE", Some(4_294_967_295), false),
        ),
        (Status::Cxone(CxoneStatus::Code(code(4))), cxone_says("UNAVAILABLE", Some(4), false)),
        (
            Status::Cxone(CxoneStatus::Reserved(ReservedOutState::new(-5).unwrap())),
            cxone_says("UNAVAILABLE", Some(-5), false),
        ),
        (Status::Cxone(CxoneStatus::AfterCallWork(None)), cxone_says("UNAVAILABLE", None, true)),
        (
            Status::Cxone(CxoneStatus::AfterCallWork(Some(code(64)))),
            cxone_says("UNAVAILABLE", Some(64), true),
        ),
        (Status::Cxone(CxoneStatus::LoggedIn), cxone_says("LOGGED_IN", None, false)),
        (contact(ContactState::InboundContact), cxone_says("INBOUND_CONTACT", None, false)),
        (contact(ContactState::OutboundContact), cxone_says("OUTBOUND_CONTACT", None, false)),
        (contact(ContactState::InboundConsult), cxone_says("INBOUND_CONSULT", None, false)),
        (contact(ContactState::OutboundConsult), cxone_says("OUTBOUND_CONSULT", None, false)),
        (contact(ContactState::Dialer), cxone_says("DIALER", None, false)),
    ];
    let observed = |(status, says)| {
        let seen = Observation {
            status,
            since_raw: at(1_699_999_999_000),
            offset: DurationMs::from_ms(-64),
            row: None,
            cause: Cause::Supervisor,
            asked: None,
            found_by: Feed::Poll,
        };
        let says = json!({
            "status": says, "since_raw": 1_699_999_999_000_i64, "offset_ms": -64, "row_id": null,
            "cause": "SUPERVISOR", "asked_at": null, "found_by": "POLL",
        });
        event("a status", Some(agent()), What::Observation(seen), ("OBSERVATION", "observation"), says)
    };
    cases.map(observed).into_iter().collect()
}

fn contact(state: ContactState) -> Status {
    Status::Cxone(CxoneStatus::Contact(state))
}

fn events_of_an_agent() -> Vec<Golden> {
    let connection = || Connection { gateway: "gateway-1".into(), epoch: Epoch(1 << 48) };
    let connection_says = || json!({ "gateway": "gateway-1", "epoch": 281_474_976_710_656_i64 });
    let seen = Observation {
        status: Status::Salesforce(presence()),
        since_raw: at(-1),
        offset: DurationMs::from_ms(1_000),
        row: Some(ROW.parse().unwrap()),
        cause: Cause::PushTimeout,
        asked: Some(at((1 << 47) - 1)),
        found_by: Feed::ChangeEvent,
    };
    let seen_says = json!({
        "status": { "presence_status_id": PRESENCE }, "since_raw": -1, "offset_ms": 1_000, "row_id": ROW,
        "cause": "PUSH_TIMEOUT", "asked_at": 140_737_488_355_327_i64, "found_by": "CHANGE_EVENT",
    });
    let closed = RowClosed {
        row: Some(ROW.parse().unwrap()),
        at_raw: at(-(1 << 47)),
        offset: DurationMs::ZERO,
        asked: Some(at(5)),
        found_by: Feed::Snapshot,
    };
    let closed_says = json!({ "row_id": ROW, "at_raw": -140_737_488_355_328_i64, "offset_ms": 0, "asked_at": 5, "found_by": "SNAPSHOT" });
    let outcome = Outcome {
        platform: Platform::Salesforce,
        sequence: Sequence(7),
        issued: at(1_700_000_000_000),
        verdict: Verdict::Conflict,
        detail: Some("busy 🤷".into()),
    };
    let outcome_says = json!({
        "platform": "SALESFORCE", "sequence": 7, "issued_at": 1_700_000_000_000_i64,
        "verdict": "REJECTED_CONFLICT", "detail": "busy 🤷",
    });
    let linked = Linked { link: link(), team: Some(TeamId::new(12)), operator: operator() };
    let linked_says = json!({ "link": link_says(), "team_id": 12, "operator": operator_says() });
    let wake_up = WakeUp { cause: WakeCause::Confirm(Platform::Cxone), generation: Generation(u32::MAX) };
    let wake_up_says = json!({ "cause": "CONFIRM_CXONE", "generation": 4_294_967_295_u32 });
    let one = |name, what, kind, says| event(name, Some(agent()), what, kind, says);
    vec![
        one("an observation", What::Observation(seen), ("OBSERVATION", "observation"), seen_says),
        one("a closed row", What::RowClosed(closed), ("ROW_CLOSED", "row_closed"), closed_says),
        one("a browser", What::Connected(connection()), ("CONNECTED", "connected"), connection_says()),
        one(
            "a browser gone",
            What::Disconnected(connection()),
            ("DISCONNECTED", "disconnected"),
            connection_says(),
        ),
        one("an outcome", What::Outcome(outcome), ("OUTCOME", "outcome"), outcome_says),
        one("a wake-up", What::WakeUp(wake_up), ("WAKE_UP", "wake_up"), wake_up_says),
        one("a link", What::Linked(linked), ("LINKED", "linked"), linked_says),
        one("a link gone", What::Unlinked(operator()), ("UNLINKED", "unlinked"), operator_says()),
        one(
            "another team",
            What::TeamMoved(TeamMoved { team: None }),
            ("TEAM_MOVED", "team_moved"),
            json!({ "team_id": null }),
        ),
        one("a person forgotten", What::Forgotten(operator()), ("FORGOTTEN", "forgotten"), operator_says()),
        one("another try", What::Retry(operator()), ("RETRY", "retry"), operator_says()),
    ]
}

fn events_for_all() -> Vec<Golden> {
    let activated = Activated {
        epoch: Epoch(3),
        revision: uuid(AGENT),
        manifest_hash: Sha256([0xab; 32]),
        operator: operator(),
    };
    let activated_says = json!({
        "epoch": 3, "revision": AGENT, "manifest_hash": "ab".repeat(32), "operator": operator_says(),
    });
    let held = PlatformHeld { cause: HeldCause::AllowanceUsedUp, detail: "until midnight".into() };
    let held_says = json!({ "cause": "ALLOWANCE_USED_UP", "detail": "until midnight" });
    let one = |name, what, kind, says| event(name, None, what, kind, says);
    vec![
        one("an activation", What::Activated(activated), ("ACTIVATED", "activated"), activated_says),
        one(
            "an engine version",
            What::EngineVersion(EngineRaised { version: 65_535 }),
            ("ENGINE_VERSION", "engine_raised"),
            json!({ "version": 65_535 }),
        ),
        one("a platform held", What::PlatformHeld(held), ("PLATFORM_HELD", "platform_held"), held_says),
        one(
            "a platform resumed",
            What::PlatformResumed(PlatformResumed { kept: 3_000_000_000 }),
            ("PLATFORM_RESUMED", "platform_resumed"),
            json!({ "kept": 3_000_000_000_u32 }),
        ),
    ]
}

fn commands() -> Vec<Golden> {
    let set = Set {
        sequence: Sequence(1),
        status: Status::Salesforce(presence()),
        issued: at(1_700_000_000_000),
        correction: true,
        epoch: Epoch(9),
        rule: Some("Lunch".into()),
        row: Some(Row(2)),
    };
    let restored = Set {
        status: Status::Cxone(CxoneStatus::Code(OutStateId::new(17))),
        correction: false,
        rule: None,
        row: None,
        ..set.clone()
    };
    let (to_salesforce, to_cxone) =
        (Addressee::Salesforce(link().salesforce), Addressee::Cxone(link().cxone));
    let command = |to, order| Command { agent: agent(), to, event_offset: -1, engine_version: 65_535, order };
    let says = |kind, to: &Value, set: Value| {
        json!({
            "kind": kind, "agent": AGENT, "to": to, "event_offset": -1, "engine_version": 65_535, "set": set,
        })
    };
    let link = link_says();
    vec![
        golden(
            "a command to Salesforce",
            &command(to_salesforce, Order::Set(set)),
            says(
                "SET",
                &link["salesforce"],
                json!({
                    "sequence": 1, "status": { "presence_status_id": PRESENCE }, "issued_at": 1_700_000_000_000_i64,
                    "correction": true, "epoch": 9, "rule": "Lunch", "row": 2,
                }),
            ),
        ),
        golden(
            "a command to CXone",
            &command(to_cxone, Order::Set(restored)),
            says(
                "SET",
                &link["cxone"],
                json!({
                    "sequence": 1, "status": cxone_says("UNAVAILABLE", Some(17), false),
                    "issued_at": 1_700_000_000_000_i64, "correction": false, "epoch": 9, "rule": null, "row": null,
                }),
            ),
        ),
        golden("a void command", &command(to_cxone, Order::Void), says("VOID", &link["cxone"], Value::Null)),
    ]
}

fn decisions() -> Vec<Golden> {
    let decision = Decision {
        agent: Some(agent()),
        event: uuid(EVENT),
        event_kind: EventKind::WakeUp,
        event_offset: 8_192,
        at: at(1_700_000_000_000),
        engine_version: 1,
        epoch: Epoch(5),
        rule: Some("Lunch".into()),
        reason: DecidedAs::Engine(Reason::Due(WakeCause::CoolDown)),
        salesforce_shown: Some(SalesforceStatus::Offline),
        cxone_shown: None,
        new_intent: true,
        retargeted: false,
        taken_back: true,
        flapping: false,
        salesforce_given_up: Some(GivenUp::Refused),
        cxone_given_up: None,
        to_salesforce: None,
        to_cxone: Some(Commanded {
            sequence: Sequence(6),
            status: Status::Cxone(CxoneStatus::LoggedOut),
            correction: true,
            row: Some(Row(0)),
        }),
        gone: false,
    };
    let says = json!({
        "agent": AGENT, "event": EVENT, "event_kind": "WAKE_UP", "event_offset": 8_192,
        "at": 1_700_000_000_000_i64, "engine_version": 1, "epoch": 5, "rule": "Lunch",
        "reason": "DUE_COOL_DOWN", "salesforce_shown": { "presence_status_id": null }, "cxone_shown": null,
        "new_intent": true, "retargeted": false, "taken_back": true, "flapping": false,
        "salesforce_given_up": "REFUSED", "cxone_given_up": null, "to_salesforce": null,
        "to_cxone": {
            "sequence": 6, "status": cxone_says("LOGGED_OUT", None, false), "correction": true, "row": 0,
        },
        "gone": false,
    });
    vec![golden("a decision", &decision, says)]
}

fn revisions() -> Vec<Golden> {
    let manifest = Manifest {
        revision: uuid(AGENT),
        created_at: at(1),
        operator: operator(),
        engine_version: 1,
        parts: vec![Part { key: "a/rule/0".into(), hash: Sha256([0x0f; 32]) }],
        settings: Settings::default(),
    };
    let manifest_says = json!({
        "revision": AGENT, "created_at": 1, "operator": operator_says(), "engine_version": 1,
        "parts": [{ "key": "a/rule/0", "hash": "0f".repeat(32) }],
        "settings": {
            "confirm_ms": 30_000, "grace_ms": 5_000, "concurrent_ms": 5_000, "echo_early_ms": 2_000,
            "echo_late_ms": 5_000, "corrections": 3, "flap_commands": 10, "flap_window_ms": 60_000,
            "cool_down_ms": 30_000, "cool_down_ms_max": 900_000,
        },
    });
    let publish = |from, to: &str| PublisherRow { from, to: SalesforceTerm::parse(to) };
    let subscribe = |from: &str, to| SubscriberRow { from: SalesforceTerm::parse(from), to };
    let rule = Rule {
        name: "Käse".to_owned(),
        teams: vec![Team { account: "emea".parse().unwrap(), team: TeamId::new(3) }],
        agents: vec![agent()],
        options: Options {
            skip_code_validation: true,
            on_conflict: OnConflict::Cxone,
            while_on_contact: WhileOnContact::Send,
            on_login: OnLogin::Adopt,
        },
        publisher: vec![
            publish(CxoneTerm::Code("Lunch".into()), "On Break"),
            publish(CxoneTerm::LoggedOut, "Offline"),
        ],
        subscriber: vec![
            subscribe("On Break", CxoneOrder::Previous),
            subscribe("Offline", CxoneOrder::Status(CxoneTerm::Unavailable)),
        ],
    };
    let rule_says = json!({
        "revision": AGENT, "number": 1, "name": "Käse", "teams": [{ "account": "emea", "team_id": 3 }],
        "agents": [AGENT], "skip_code_validation": true, "on_conflict": "CXONE", "while_on_contact": "SEND",
        "on_login": "ADOPT",
        "cxone_to_salesforce": [
            { "from": "Unavailable/Lunch", "to": "On Break" },
            { "from": "LoggedOut", "to": "Offline" },
        ],
        "salesforce_to_cxone": [
            { "from": "On Break", "to": "previous" },
            { "from": "Offline", "to": "Unavailable" },
        ],
    });
    let vocabulary = VocabularyPart {
        revision: uuid(AGENT),
        account: Account { platform: Platform::Salesforce, name: "emea".parse().unwrap() },
        part: 2,
        statuses: vec![presence_status()],
        codes: vec![code()],
        teams: vec![team()],
    };
    let vocabulary_says = json!({
        "revision": AGENT, "account": { "platform": "SALESFORCE", "name": "emea" }, "part": 2,
        "statuses": [presence_status_says()], "codes": [code_says()], "teams": [team_says()],
    });
    vec![
        golden("a manifest", &manifest, manifest_says),
        golden("a rule", &RevisionRule { revision: uuid(AGENT), number: 1, rule }, rule_says),
        golden("a vocabulary", &vocabulary, vocabulary_says),
    ]
}

fn presence_status() -> PresenceStatus {
    PresenceStatus {
        id: PRESENCE.parse().unwrap(),
        developer_name: "On_Break".into(),
        label: "On Break".into(),
        channels: vec!["Chat".into(), "Voice".into()],
        granted_to: Some(Vec::new()),
    }
}

fn presence_status_says() -> Value {
    json!({
        "id": PRESENCE, "developer_name": "On_Break", "label": "On Break", "channels": ["Chat", "Voice"],
        "granted_to": [],
    })
}

fn code() -> Code {
    Code { id: OutStateId::new(17), name: "Lunch".into(), active: true, after_call_work: false }
}

fn code_says() -> Value {
    json!({ "id": 17, "name": "Lunch", "active": true, "after_call_work": false })
}

fn team() -> TeamEntry {
    TeamEntry { id: TeamId::new(3), name: "".into(), codes: Some(vec![OutStateId::new(17)]) }
}

fn team_says() -> Value {
    json!({ "id": 3, "name": "", "codes": [17] })
}

fn entries() -> Vec<Golden> {
    let link = LinkEntry { agent: agent(), link: link(), operator: operator() };
    let apart = link.clone();
    let link_says = json!({ "agent": AGENT, "link": link_says(), "operator": operator_says() });
    let user = UserEntry {
        user: USER.parse().unwrap(),
        user_name: "ada@example.com".into(),
        email: "".into(),
        active: false,
        access: vec!["Agent".into()],
        federation_id: Some("ada".into()),
    };
    let user_says = json!({
        "user_id": USER, "user_name": "ada@example.com", "email": "", "active": false, "access": ["Agent"],
        "federation_id": "ada",
    });
    let person = AgentEntry {
        agent: CxoneAgentId::new(5),
        user_name: "ada".into(),
        email: "ada@example.com".into(),
        active: true,
        team: None,
        federation_id: None,
    };
    let person_says = json!({
        "agent_id": 5, "user_name": "ada", "email": "ada@example.com", "active": true, "team_id": null,
        "federation_id": null,
    });
    let one = |name, entry, (kind, field): (&str, &str), says| {
        let mut value = json!({
            "kind": kind, "account": { "platform": "CXONE", "name": "emea" }, "read_at": 12, "link": null,
            "salesforce_user": null, "cxone_agent": null, "presence_status": null, "code": null, "team": null,
            "apart": null,
        });
        value[field] = says;
        let account = Account { platform: Platform::Cxone, name: "emea".parse().unwrap() };
        golden(name, &DirectoryEntry { account: Some(account), read_at: at(12), entry }, value)
    };
    let status = (("PRESENCE_STATUS", "presence_status"), presence_status_says());
    vec![
        one("who is who", Entry::Link(link), ("LINK", "link"), link_says.clone()),
        one("who is not who", Entry::Apart(apart), ("APART", "apart"), link_says),
        one("a user", Entry::SalesforceUser(user), ("SALESFORCE_USER", "salesforce_user"), user_says),
        one("an agent", Entry::CxoneAgent(person), ("CXONE_AGENT", "cxone_agent"), person_says),
        one("a presence status", Entry::PresenceStatus(presence_status()), status.0, status.1),
        one("a code", Entry::Code(code()), ("CODE", "code"), code_says()),
        one("a team", Entry::Team(team()), ("TEAM", "team"), team_says()),
    ]
}

fn others() -> Vec<Golden> {
    let chunk = SnapshotChunk {
        partition: 7,
        offset: 1 << 40,
        at: at(3),
        state_hash: StateHash(0x0123_4567_89ab_cdef),
        epoch: Epoch(4),
        engine_version: 1,
        chunk: 0,
        chunks: 1,
        states: vec![SnapshotState { agent: agent(), value: Cow::Borrowed(&[0, 1, 255]) }],
    };
    let chunk_says = json!({
        "partition": 7, "offset": 1_099_511_627_776_i64, "at": 3, "state_hash": "0123456789abcdef", "epoch": 4,
        "engine_version": 1, "chunk": 0, "chunks": 1, "states": [{ "agent": AGENT, "value": "0001ff" }],
    });
    let position = Position {
        account: Account { platform: Platform::Salesforce, name: "emea".parse().unwrap() },
        read_at: at(6),
        writer: "source/salesforce.emea/a".into(),
        replay_id: Some(Cow::Borrowed(&[0xde, 0xad])),
        last_poll_time: Some("2026-01-01T00:00:00.000Z".into()),
    };
    let position_says = json!({
        "account": { "platform": "SALESFORCE", "name": "emea" }, "read_at": 6,
        "writer": "source/salesforce.emea/a", "replay_id": "dead",
        "last_poll_time": "2026-01-01T00:00:00.000Z",
    });
    let letter = DeadLetter {
        topic: "presence.events".into(),
        partition: 3,
        offset: 99,
        at: at(8),
        reader: "engine/a".into(),
        cause: DeadCause::Contradiction,
        message: "it says both".into(),
        size: 2,
        hash: Sha256([0xcd; 32]),
        payload: Some(Cow::Borrowed(&[])),
    };
    let letter_says = json!({
        "topic": "presence.events", "partition": 3, "offset": 99, "at": 8, "reader": "engine/a",
        "cause": "CONTRADICTION", "message": "it says both", "size": 2, "hash": "cd".repeat(32), "payload": "",
    });
    vec![
        golden("a part of a snapshot", &chunk, chunk_says),
        golden("a position", &position, position_says),
        golden("a dead letter", &letter, letter_says),
    ]
}
