//! Any record that there can be.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::codec::*;
use crate::directory::{Code, PresenceStatus, TeamEntry};
use crate::domain::{
    Account, AccountName, AgentId, Both, Cause, ContactState, CxoneAgent, CxoneAgentId, CxoneStatus,
    DurationMs, Feed, Link, OutStateId, Platform, PresenceStatusId, ReservedOutState, RowId,
    SalesforceStatus, SalesforceUser, Status, Team, TeamId, TimeMs, UserId,
};
use crate::engine::{
    self, AgentState, Armed, EarlyClose, Epoch, Generation, GivenUp, Intent, Observed, Offset, PendingClose,
    ROWS_KEPT, Reason, Remembered, RememberedSide, Replaced, Sequence, Shown, Verdict, Waiting, WakeCause,
    WakeUp,
};
use crate::rules::{
    CxoneOrder, CxoneTerm, OnConflict, OnLogin, Options, PublisherRow, Row, Rule, SalesforceTerm, Settings,
    SubscriberRow, WhileOnContact,
};

type Text = Cow<'static, str>;

fn text() -> impl Strategy<Value = Text> {
    "\\PC{0,12}".prop_map(Cow::Owned)
}

fn boxed() -> impl Strategy<Value = Box<str>> {
    "\\PC{0,8}".prop_map(Into::into)
}

fn bytes() -> impl Strategy<Value = Cow<'static, [u8]>> {
    vec(any::<u8>(), 0..40).prop_map(Cow::Owned)
}

pub(super) fn time() -> impl Strategy<Value = TimeMs> {
    prop_oneof![
        4 => (0_i64..4_000_000_000_000).prop_map(TimeMs::from_unix_ms),
        1 => any::<i64>().prop_map(TimeMs::from_unix_ms),
    ]
}

fn length() -> impl Strategy<Value = DurationMs> {
    any::<i64>().prop_map(DurationMs::from_ms)
}

fn offset() -> impl Strategy<Value = Offset> {
    any::<i32>().prop_map(|ms| Offset::new(DurationMs::from_ms(ms.into())))
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<[u8; 16]>().prop_map(Uuid)
}

fn sha() -> impl Strategy<Value = Sha256> {
    any::<[u8; 32]>().prop_map(Sha256)
}

fn agent() -> impl Strategy<Value = AgentId> {
    any::<[u8; 16]>().prop_map(AgentId::from_bytes)
}

fn account_name() -> impl Strategy<Value = AccountName> {
    "[a-z][a-z0-9_-]{0,30}".prop_map(|name| name.parse().unwrap())
}

fn platform() -> impl Strategy<Value = Platform> {
    select(Platform::ALL.to_vec())
}

fn account() -> impl Strategy<Value = Account> {
    (platform(), account_name()).prop_map(|(platform, name)| Account { platform, name })
}

fn row_id() -> impl Strategy<Value = RowId> {
    prop_oneof!["0Ps5g000[0-9A-Za-z]{7}", "[0-9A-Za-z]{15}"].prop_map(|id| id.parse().unwrap())
}

fn presence_status_id() -> impl Strategy<Value = PresenceStatusId> {
    "0N5[0-9A-Za-z]{12}".prop_map(|id| id.parse().unwrap())
}

fn salesforce_user() -> impl Strategy<Value = SalesforceUser> {
    (account_name(), "005[0-9A-Za-z]{12}")
        .prop_map(|(account, user)| SalesforceUser { account, user: user.parse().unwrap() })
}

fn cxone_agent() -> impl Strategy<Value = CxoneAgent> {
    (account_name(), any::<u32>())
        .prop_map(|(account, agent)| CxoneAgent { account, agent: CxoneAgentId::new(agent) })
}

fn link() -> impl Strategy<Value = Link> {
    (salesforce_user(), cxone_agent()).prop_map(|(salesforce, cxone)| Link { salesforce, cxone })
}

fn team_id() -> impl Strategy<Value = TeamId> {
    any::<u32>().prop_map(TeamId::new)
}

fn operator() -> impl Strategy<Value = Operator<'static>> {
    (text(), text()).prop_map(|(actor, reason)| Operator { actor, reason })
}

pub(super) fn salesforce_status() -> impl Strategy<Value = SalesforceStatus> {
    of(presence_status_id()).prop_map(|id| id.map_or(SalesforceStatus::Offline, SalesforceStatus::Presence))
}

fn code() -> impl Strategy<Value = OutStateId> {
    any::<u32>().prop_map(OutStateId::new)
}

pub(super) fn cxone_status() -> impl Strategy<Value = CxoneStatus> {
    prop_oneof![
        Just(CxoneStatus::LoggedOut),
        Just(CxoneStatus::Available),
        Just(CxoneStatus::Unavailable),
        Just(CxoneStatus::LoggedIn),
        code().prop_map(CxoneStatus::Code),
        select(ContactState::ALL.to_vec()).prop_map(CxoneStatus::Contact),
        of(code()).prop_map(CxoneStatus::AfterCallWork),
        (i32::MIN..0).prop_map(|n| CxoneStatus::Reserved(ReservedOutState::new(n).unwrap())),
    ]
}

pub(super) fn status() -> impl Strategy<Value = Status> {
    prop_oneof![salesforce_status().prop_map(Status::Salesforce), cxone_status().prop_map(Status::Cxone)]
}

fn cause() -> impl Strategy<Value = Cause> {
    use Cause::*;
    select(vec![Unknown, Agent, Supervisor, Toolkit, Declined, PushTimeout, Login])
}

fn feed() -> impl Strategy<Value = Feed> {
    use Feed::*;
    select(vec![Unknown, Poll, ChangeEvent, Bridge, Snapshot])
}

fn verdict() -> impl Strategy<Value = Verdict> {
    use Verdict::*;
    select(vec![Unknown, Accepted, Permanent, Conflict, Unreachable, Superseded])
}

fn wake_cause() -> impl Strategy<Value = WakeCause> {
    use WakeCause::*;
    select(vec![Confirm(Platform::Salesforce), Confirm(Platform::Cxone), Grace, CoolDown])
}

fn given_up() -> impl Strategy<Value = GivenUp> {
    select(vec![GivenUp::NotSeen, GivenUp::Refused])
}

fn sequence() -> impl Strategy<Value = Sequence> {
    any::<u32>().prop_map(Sequence)
}

fn epoch() -> impl Strategy<Value = Epoch> {
    prop_oneof![0_u64..1_000, 0..=i64::MAX as u64].prop_map(Epoch)
}

pub(super) fn observation() -> impl Strategy<Value = Observation> {
    (status(), time(), length(), of(row_id()), cause(), of(time()), feed()).prop_map(
        |(status, since_raw, offset, row, cause, asked, found_by)| Observation {
            status,
            since_raw,
            offset,
            row,
            cause,
            asked,
            found_by,
        },
    )
}

fn what() -> impl Strategy<Value = What<'static>> {
    let connection = || (text(), epoch()).prop_map(|(gateway, epoch)| Connection { gateway, epoch });
    let outcome = (platform(), sequence(), time(), verdict(), of(text()));
    let activated = (epoch(), uuid(), sha(), operator());
    let held = select(vec![
        HeldCause::Unknown,
        HeldCause::Unauthorised,
        HeldCause::Forbidden,
        HeldCause::BreakerOpen,
        HeldCause::AllowanceUsedUp,
        HeldCause::Unavailable,
    ]);
    prop_oneof![
        observation().prop_map(What::Observation),
        (of(row_id()), time(), length(), of(time()), feed()).prop_map(
            |(row, at_raw, offset, asked, found_by)| {
                What::RowClosed(RowClosed { row, at_raw, offset, asked, found_by })
            }
        ),
        connection().prop_map(What::Connected),
        connection().prop_map(What::Disconnected),
        outcome.prop_map(|(platform, sequence, issued, verdict, detail)| {
            What::Outcome(Outcome { platform, sequence, issued, verdict, detail })
        }),
        (wake_cause(), any::<u32>())
            .prop_map(|(cause, n)| What::WakeUp(WakeUp { cause, generation: Generation(n) })),
        (link(), of(team_id()), operator()).prop_map(|(link, team, operator)| What::Linked(Linked {
            link,
            team,
            operator
        })),
        operator().prop_map(What::Unlinked),
        of(team_id()).prop_map(|team| What::TeamMoved(TeamMoved { team })),
        operator().prop_map(What::Forgotten),
        activated.prop_map(|(epoch, revision, manifest_hash, operator)| {
            What::Activated(Activated { epoch, revision, manifest_hash, operator })
        }),
        any::<u16>().prop_map(|version| What::EngineVersion(EngineRaised { version })),
        (held, text()).prop_map(|(cause, detail)| What::PlatformHeld(PlatformHeld { cause, detail })),
        any::<u32>().prop_map(|kept| What::PlatformResumed(PlatformResumed { kept })),
        operator().prop_map(What::Retry),
    ]
}

pub(super) fn event() -> impl Strategy<Value = Event<'static>> {
    (uuid(), agent(), of(account()), time(), text(), 0..=engine::VERSION, what()).prop_map(
        |(id, agent, account, written_at, writer, engine_version, what)| {
            let is_for_all = matches!(
                what,
                What::Activated(_)
                    | What::EngineVersion(_)
                    | What::PlatformHeld(_)
                    | What::PlatformResumed(_)
            );
            let agent = Some(agent).filter(|_| !is_for_all);
            Event { id, agent, account, written_at, writer, engine_version, what }
        },
    )
}

pub(super) fn command() -> impl Strategy<Value = Command<'static>> {
    let to = prop_oneof![
        (salesforce_user().prop_map(Addressee::Salesforce), salesforce_status().prop_map(Status::Salesforce)),
        (cxone_agent().prop_map(Addressee::Cxone), cxone_status().prop_map(Status::Cxone)),
    ];
    let set = of((sequence(), time(), any::<bool>(), epoch(), of(text()), of(any::<u16>().prop_map(Row))));
    (agent(), to, any::<i64>(), any::<u16>(), set).prop_map(
        |(agent, (to, status), event_offset, engine_version, set)| {
            let order = set.map_or(Order::Void, |(sequence, issued, correction, epoch, rule, row)| {
                Order::Set(Set { sequence, status, issued, correction, epoch, rule, row })
            });
            Command { agent, to, event_offset, engine_version, order }
        },
    )
}

fn commanded() -> impl Strategy<Value = Commanded> {
    (sequence(), status(), any::<bool>(), of(any::<u16>().prop_map(Row)))
        .prop_map(|(sequence, status, correction, row)| Commanded { sequence, status, correction, row })
}

fn decided_as() -> impl Strategy<Value = DecidedAs> {
    use Reason::*;
    let plain = select(vec![
        Linked,
        AlreadyLinked,
        NotLinked,
        Unlinked,
        Forgotten,
        TeamMoved,
        Activated,
        Retried,
        Duplicate,
        SameChange,
        StaleView,
        Overwritten,
        LoggedIn,
        Contact,
        Echo,
        InStep,
        AfterContact,
        ReEntered,
        Login,
        LogOutWithoutRow,
        SystemState,
        Choice,
        ChoiceLost,
        Closing,
        ClosedEarly,
        ClosedLate,
        Connected,
        Disconnected,
        StaleEpoch,
        DuplicateOutcome,
        UnknownCommand,
        StaleWakeUp,
        EarlyWakeUp,
    ]);
    let reason = prop_oneof![4 => plain, 1 => verdict().prop_map(Outcome), 1 => wake_cause().prop_map(Due)];
    prop_oneof![
        6 => reason.prop_map(DecidedAs::Engine),
        1 => select(vec![
            DecidedAs::Unknown,
            DecidedAs::SupersededActivation,
            DecidedAs::EngineVersion,
            DecidedAs::PlatformHeld,
            DecidedAs::PlatformResumed,
        ]),
    ]
}

pub(super) fn decision() -> impl Strategy<Value = Decision<'static>> {
    let head = (of(agent()), uuid(), what(), any::<i64>(), time(), any::<u16>(), epoch(), of(text()));
    let shown = (of(salesforce_status()), of(cxone_status()));
    let flags = any::<[bool; 5]>();
    let tail = (of(given_up()), of(given_up()), of(commanded()), of(commanded()));
    (head, decided_as(), shown, flags, tail).prop_map(|(head, reason, shown, flags, tail)| {
        let (agent, event, what, event_offset, at, engine_version, epoch, rule) = head;
        let [new_intent, retargeted, taken_back, flapping, gone] = flags;
        let (salesforce_given_up, cxone_given_up, to_salesforce, to_cxone) = tail;
        Decision {
            agent,
            event,
            event_kind: what.kind(),
            event_offset,
            at,
            engine_version,
            epoch,
            rule,
            reason,
            salesforce_shown: shown.0,
            cxone_shown: shown.1,
            new_intent,
            retargeted,
            taken_back,
            flapping,
            salesforce_given_up,
            cxone_given_up,
            to_salesforce,
            to_cxone,
            gone,
        }
    })
}

fn side<S: Copy + std::fmt::Debug>(
    status: impl Fn() -> proptest::strategy::BoxedStrategy<S>,
) -> impl Strategy<Value = RememberedSide<S>> {
    let shown = of((status(), time(), offset(), any::<bool>()));
    (shown, any::<bool>(), any::<bool>(), of(status())).prop_map(|(shown, reachable, caught_up, target)| {
        let shown = shown.map(|(status, since_raw, offset, ours)| Shown { status, since_raw, offset, ours });
        RememberedSide { shown, reachable, caught_up, target }
    })
}

fn intent() -> impl Strategy<Value = Intent> {
    (status(), time(), offset(), time(), any::<bool>()).prop_map(
        |(status, since, offset, floor, at_login)| Intent { status, since, offset, floor, at_login },
    )
}

fn waiting() -> impl Strategy<Value = Waiting> {
    (sequence(), time(), any::<u8>(), any::<bool>(), of(given_up())).prop_map(
        |(outstanding, up_at, lapsed, owes_correction, diverged)| Waiting {
            outstanding,
            up_at,
            lapsed,
            owes_correction,
            diverged,
        },
    )
}

fn entry() -> impl Strategy<Value = engine::Entry> {
    let after = || prop_oneof![1 => Just(engine::Entry::NEVER), 2 => any::<i32>()];
    (sequence(), status(), time(), any::<u8>(), of(verdict()), after(), after(), after()).prop_map(
        |(sequence, status, issued, intents_since, verdict, answered, settled, matched)| engine::Entry {
            sequence,
            status,
            issued,
            intents_since,
            verdict,
            answered_after: answered,
            settled_after: settled,
            matched_after: matched,
        },
    )
}

fn replaced() -> impl Strategy<Value = Replaced> {
    let observed = (salesforce_status(), time(), offset(), of(row_id()), any::<bool>());
    (time(), of(observed), any::<bool>(), of((of(intent()), any::<(bool, bool)>()))).prop_map(
        |(close_raw, observed, reachable, intent)| {
            let observed = observed.map(|(status, since_raw, offset, row, ours)| Observed {
                status: Status::Salesforce(status),
                since_raw,
                offset,
                row,
                ours,
            });
            let intent = intent.map(|(intent, (salesforce, cxone))| (intent, Both { salesforce, cxone }));
            Replaced { close_raw, observed, reachable, intent }
        },
    )
}

/// A state as an agent may have it, or worse.
pub(super) fn agent_state() -> impl Strategy<Value = AgentState> {
    let calm = (
        of(intent()),
        side(|| salesforce_status().boxed()),
        side(|| cxone_status().boxed()),
        of(cxone_status()),
        of(row_id()),
        vec(row_id(), 0..=ROWS_KEPT),
        of(epoch()),
        any::<u32>(),
        sequence(),
    );
    let busy = (
        vec(entry(), 0..=Remembered::COMMANDS_MAX),
        vec(time(), 0..=Remembered::TIMES_MAX),
        of(time()),
        any::<u8>(),
        (waiting(), waiting()),
        of((time(), wake_cause())),
        of((cxone_status(), time(), of(cxone_status()))),
        of((time(), offset(), time())),
        of((row_id(), time(), offset())),
        of(replaced()),
    );
    (calm, of(busy)).prop_map(|(calm, busy)| {
        let (intent, salesforce, cxone, previous, observed_row, taken, epoch, generation, issued) = calm;
        let mut rows = [None; ROWS_KEPT];
        rows.iter_mut().zip(taken).for_each(|(slot, row)| *slot = Some(row));
        let mut remembered = Remembered {
            intent,
            salesforce,
            cxone,
            previous,
            observed_row,
            rows,
            epoch,
            generation: Generation(generation),
            issued,
            ..Remembered::default()
        };
        let Some(busy) = busy else { return AgentState::recalled(&remembered, None) };
        let (commands, times, until, doublings, waiting, armed, contact, pending, early, replaced) = busy;
        remembered.commands = &commands;
        remembered.command_times = &times;
        remembered.cool_down_until = until;
        remembered.doublings = doublings;
        remembered.waiting = Both { salesforce: waiting.0, cxone: waiting.1 };
        remembered.armed = armed.map(|(at, cause)| Armed { at, cause });
        remembered.contact = contact.map(|(status, since, before)| engine::Contact { status, since, before });
        remembered.pending_close = pending.map(|(at_raw, offset, due)| PendingClose { at_raw, offset, due });
        remembered.early_close = early.map(|(row, at_raw, offset)| EarlyClose { row, at_raw, offset });
        remembered.replaced = replaced;
        AgentState::recalled(&remembered, None)
    })
}

pub(super) fn state() -> impl Strategy<Value = State<'static>> {
    (link(), of(team_id()), epoch(), agent_state()).prop_map(|(link, team, epoch, agent)| State {
        link,
        team,
        epoch,
        agent: Cow::Owned(agent),
    })
}

pub(super) fn snapshot_chunk() -> impl Strategy<Value = SnapshotChunk<'static>> {
    let head = (any::<i32>(), any::<i64>(), time(), any::<u64>(), epoch(), any::<u16>());
    let state = (agent(), bytes()).prop_map(|(agent, value)| SnapshotState { agent, value });
    (head, any::<u32>(), any::<u32>(), vec(state, 0..5)).prop_map(|(head, chunk, chunks, states)| {
        let (partition, offset, at, hash, epoch, engine_version) = head;
        let state_hash = StateHash(hash);
        SnapshotChunk { partition, offset, at, state_hash, epoch, engine_version, chunk, chunks, states }
    })
}

pub(super) fn manifest() -> impl Strategy<Value = Manifest<'static>> {
    let part = (text(), sha()).prop_map(|(key, hash)| Part { key, hash });
    let settings = (any::<u32>(), any::<u32>(), any::<(u8, u8)>()).prop_map(|(a, b, (c, d))| Settings {
        confirm: DurationMs::from_ms(a.into()),
        cool_down_max: DurationMs::from_ms(b.into()),
        corrections: c,
        flap_commands: d,
        ..Settings::default()
    });
    (uuid(), time(), operator(), any::<u16>(), vec(part, 0..5), settings).prop_map(
        |(revision, created_at, operator, engine_version, parts, settings)| Manifest {
            revision,
            created_at,
            operator,
            engine_version,
            parts,
            settings,
        },
    )
}

pub(super) fn rule() -> impl Strategy<Value = RevisionRule> {
    let salesforce = || "\\PC{1,10}".prop_map(|name| SalesforceTerm::parse(&name));
    let cxone = || {
        let code = "[A-Za-zü]{1,8}".prop_map(|name| CxoneTerm::Code(name.into()));
        prop_oneof![code, select(vec![CxoneTerm::Available, CxoneTerm::LoggedOut, CxoneTerm::AfterCallWork])]
    };
    let order = prop_oneof![Just(CxoneOrder::Previous), cxone().prop_map(CxoneOrder::Status)];
    let publisher = (cxone(), salesforce()).prop_map(|(from, to)| PublisherRow { from, to });
    let subscriber = (salesforce(), order).prop_map(|(from, to)| SubscriberRow { from, to });
    let options = (
        any::<bool>(),
        select(vec![OnConflict::Latest, OnConflict::Salesforce, OnConflict::Cxone]),
        select(vec![WhileOnContact::Hold, WhileOnContact::Send]),
        select(vec![OnLogin::Adopt, OnLogin::Publish]),
    );
    let team = (account_name(), team_id()).prop_map(|(account, team)| Team { account, team });
    (
        (uuid(), any::<u32>(), "\\PC{1,10}"),
        vec(team, 0..4),
        vec(agent(), 0..4),
        options,
        vec(publisher, 0..5),
        vec(subscriber, 0..5),
    )
        .prop_map(|((revision, number, name), teams, agents, options, publisher, subscriber)| {
            let (skip_code_validation, on_conflict, while_on_contact, on_login) = options;
            let options = Options { skip_code_validation, on_conflict, while_on_contact, on_login };
            RevisionRule {
                revision,
                number,
                rule: Rule { name, teams, agents, options, publisher, subscriber },
            }
        })
}

fn presence_status() -> impl Strategy<Value = PresenceStatus> {
    (presence_status_id(), boxed(), boxed(), vec(boxed(), 0..3), of(vec(boxed(), 0..3))).prop_map(
        |(id, developer_name, label, channels, granted_to)| PresenceStatus {
            id,
            developer_name,
            label,
            channels,
            granted_to,
        },
    )
}

fn unavailable_code() -> impl Strategy<Value = Code> {
    (code(), boxed(), any::<bool>(), any::<bool>()).prop_map(|(id, name, active, after_call_work)| Code {
        id,
        name,
        active,
        after_call_work,
    })
}

fn team_entry() -> impl Strategy<Value = TeamEntry> {
    (team_id(), boxed(), of(vec(code(), 0..4))).prop_map(|(id, name, codes)| TeamEntry { id, name, codes })
}

pub(super) fn vocabulary() -> impl Strategy<Value = VocabularyPart> {
    let lists = (vec(presence_status(), 0..3), vec(unavailable_code(), 0..3), vec(team_entry(), 0..3));
    (uuid(), account(), any::<u32>(), lists).prop_map(
        |(revision, account, part, (statuses, codes, teams))| VocabularyPart {
            revision,
            account,
            part,
            statuses,
            codes,
            teams,
        },
    )
}

pub(super) fn directory_entry() -> impl Strategy<Value = DirectoryEntry<'static>> {
    let user = (salesforce_user(), text(), text(), any::<bool>(), vec(boxed(), 0..3), of(text()));
    let cxone = (any::<u32>(), text(), text(), any::<bool>(), of(team_id()), of(text()));
    let entry = prop_oneof![
        Just(crate::codec::Entry::Unknown),
        (agent(), link(), operator()).prop_map(|(agent, link, operator)| crate::codec::Entry::Link(
            LinkEntry { agent, link, operator }
        )),
        user.prop_map(|(user, user_name, email, active, access, federation_id)| {
            let user: UserId = user.user;
            crate::codec::Entry::SalesforceUser(UserEntry {
                user,
                user_name,
                email,
                active,
                access,
                federation_id,
            })
        }),
        cxone.prop_map(|(agent, user_name, email, active, team, federation_id)| {
            let agent = CxoneAgentId::new(agent);
            crate::codec::Entry::CxoneAgent(AgentEntry {
                agent,
                user_name,
                email,
                active,
                team,
                federation_id,
            })
        }),
        presence_status().prop_map(crate::codec::Entry::PresenceStatus),
        unavailable_code().prop_map(crate::codec::Entry::Code),
        team_entry().prop_map(crate::codec::Entry::Team),
        (agent(), link(), operator()).prop_map(|(agent, link, operator)| crate::codec::Entry::Apart(
            LinkEntry { agent, link, operator }
        )),
    ];
    (of(account()), time(), entry).prop_map(|(account, read_at, entry)| DirectoryEntry {
        account,
        read_at,
        entry,
    })
}

pub(super) fn position() -> impl Strategy<Value = Position<'static>> {
    (account(), time(), text(), of(bytes()), of(text())).prop_map(
        |(account, read_at, writer, replay_id, last_poll_time)| Position {
            account,
            read_at,
            writer,
            replay_id,
            last_poll_time,
        },
    )
}

pub(super) fn dead_letter() -> impl Strategy<Value = DeadLetter<'static>> {
    let cause = select(vec![
        DeadCause::Unknown,
        DeadCause::Framing,
        DeadCause::Schema,
        DeadCause::Malformed,
        DeadCause::Contradiction,
        DeadCause::TooLarge,
        DeadCause::Refused,
    ]);
    let head = (text(), any::<i32>(), any::<i64>(), time(), text());
    (head, cause, text(), any::<i64>(), sha(), of(bytes())).prop_map(
        |((topic, partition, offset, at, reader), cause, message, size, hash, payload)| DeadLetter {
            topic,
            partition,
            offset,
            at,
            reader,
            cause,
            message,
            size,
            hash,
            payload,
        },
    )
}
