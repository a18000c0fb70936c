//! Events: what is in `presence.events`.

use std::borrow::Cow;

use serde::de::Deserializer;
use serde::ser::Serializer;

use super::bytes::{Input, Malformed, Output};
use super::scalar::{Sha256, Uuid};
use super::schema::RecordSchema;
use super::shared::Operator;
use super::symbols::{Symbol, Symbolic, symbols};
use super::wire::{ByHand, BySerde, Record, by_serde, fields};
use crate::domain::{
    Account, AgentId, Cause, DurationMs, Feed, Link, Platform, RowId, Status, TeamId, TimeMs,
};
use crate::engine::{self, Assignment, Epoch, Sequence, Verdict, WakeUp};

/// Something that happened, mostly to one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'b> {
    /// Names this event.
    pub id: Uuid,
    /// The agent; `None` for an event that goes to every partition.
    pub agent: Option<AgentId>,
    /// The account it is about.
    pub account: Option<Account>,
    /// When the writer wrote it, by the writer's clock. Nothing is decided by it.
    pub written_at: TimeMs,
    /// The process that wrote it: `ROLE/ACCOUNT/NAME`.
    pub writer: Cow<'b, str>,
    /// The engine version that the writer belongs to.
    pub engine_version: u16,
    /// What happened.
    pub what: What<'b>,
}

/// The key of an event that is for every partition.
const EVERYBODY: &str = "all";

impl Event<'_> {
    /// Its record key: the agent, where it is about one.
    pub fn key(&self) -> String {
        self.agent.map_or_else(|| EVERYBODY.to_owned(), |agent| agent.to_string())
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<'b> {
    /// A platform shows the agent in a status.
    Observation(Observation),
    /// A row of Salesforce was closed.
    RowClosed(RowClosed),
    /// A browser holds the agent's connection.
    Connected(Connection<'b>),
    /// A browser is gone.
    Disconnected(Connection<'b>),
    /// What became of a command.
    Outcome(Outcome<'b>),
    /// A timer has come due.
    WakeUp(WakeUp),
    /// A link was made.
    Linked(Linked<'b>),
    /// The link was removed.
    Unlinked(Operator<'b>),
    /// The agent belongs to another team now.
    TeamMoved(TeamMoved),
    /// Everything about the agent is to be forgotten.
    Forgotten(Operator<'b>),
    /// A revision takes effect.
    Activated(Activated<'b>),
    /// Decisions are made by this engine version from here on.
    EngineVersion(EngineRaised),
    /// A sink holds the commands of a whole account.
    PlatformHeld(PlatformHeld<'b>),
    /// A sink sends what it kept.
    PlatformResumed(PlatformResumed),
    /// What diverged is to be tried again.
    Retry(Operator<'b>),
}

/// A platform shows the agent in a status since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The status, and with it the platform.
    pub status: Status,
    /// When it began, by the platform's own clock, unaltered.
    pub since_raw: TimeMs,
    /// How far the platform's clock is ahead of ours.
    pub offset: DurationMs,
    /// The row of Salesforce, where the feed names it.
    pub row: Option<RowId>,
    /// What made it, where the platform tells.
    pub cause: Cause,
    /// When the snapshot that found it was asked, by our clock; `None` where a feed brought it.
    pub asked: Option<TimeMs>,
    /// How the source learned of it.
    pub found_by: Feed,
}

/// A row of Salesforce has ended, or a snapshot shows no current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowClosed {
    /// The row; `None` where a snapshot found no current row.
    pub row: Option<RowId>,
    /// When it ended, by Salesforce's clock.
    pub at_raw: TimeMs,
    /// How far Salesforce's clock is ahead of ours.
    pub offset: DurationMs,
    /// When the snapshot that found it was asked, by our clock; `None` where a feed brought it.
    pub asked: Option<TimeMs>,
    /// How the source learned of it.
    pub found_by: Feed,
}

/// A browser that holds an agent's connection to Salesforce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection<'b> {
    /// The gateway it is connected to.
    pub gateway: Cow<'b, str>,
    /// Counts the browsers of the agent.
    pub epoch: Epoch,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'b> {
    /// The platform the command was for.
    pub platform: Platform,
    /// The number of the command.
    pub sequence: Sequence,
    /// When the command was issued.
    pub issued: TimeMs,
    /// What became of it.
    pub verdict: Verdict,
    /// What the platform answered, for people.
    pub detail: Option<Cow<'b, str>>,
}

/// A link was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked<'b> {
    /// Who he is on both platforms.
    pub link: Link,
    /// His team in CXone, where it is known.
    pub team: Option<TeamId>,
    /// Who linked him, and why.
    pub operator: Operator<'b>,
}

/// A revision takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activated<'b> {
    /// Counts activations.
    pub epoch: Epoch,
    /// The revision.
    pub revision: Uuid,
    /// The SHA-256 of the manifest's Avro body.
    pub manifest_hash: Sha256,
    /// Who activated it, and why.
    pub operator: Operator<'b>,
}

/// A sink holds the commands of a whole account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformHeld<'b> {
    /// Why.
    pub cause: HeldCause,
    /// What the platform answered, for people.
    pub detail: Cow<'b, str>,
}

/// The agent belongs to another team now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TeamMoved {
    /// The team in CXone, where it is known.
    pub team: Option<TeamId>,
}

/// Decisions are made by another engine version from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineRaised {
    /// The version.
    pub version: u16,
}

/// A sink sends the commands of an account again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformResumed {
    /// How many commands it kept.
    pub kept: u32,
}

/// Why a sink holds the commands of a whole account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldCause {
    /// A newer Lockstep knows why.
    Unknown,
    /// The credentials are not accepted.
    Unauthorised,
    /// Permissions are missing.
    Forbidden,
    /// Too many calls failed.
    BreakerOpen,
    /// The allowance of calls is used up.
    AllowanceUsedUp,
    /// The platform does not answer.
    Unavailable,
}

/// The kinds of event, by their place among the records of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EventKind {
    /// A newer Lockstep knows it.
    Unknown,
    /// [`What::Observation`].
    Observation,
    /// [`What::RowClosed`].
    RowClosed,
    /// [`What::Connected`].
    Connected,
    /// [`What::Disconnected`].
    Disconnected,
    /// [`What::Outcome`].
    Outcome,
    /// [`What::WakeUp`].
    WakeUp,
    /// [`What::Linked`].
    Linked,
    /// [`What::Unlinked`].
    Unlinked,
    /// [`What::TeamMoved`].
    TeamMoved,
    /// [`What::Forgotten`].
    Forgotten,
    /// [`What::Activated`].
    Activated,
    /// [`What::EngineVersion`].
    EngineVersion,
    /// [`What::PlatformHeld`].
    PlatformHeld,
    /// [`What::PlatformResumed`].
    PlatformResumed,
    /// [`What::Retry`].
    Retry,
}

symbols! {
    HeldCause as "HeldCause" or HeldCause::Unknown {
        0 "UNKNOWN" (HeldCause::Unknown)
        1 "UNAUTHORISED" (HeldCause::Unauthorised)
        2 "FORBIDDEN" (HeldCause::Forbidden)
        3 "BREAKER_OPEN" (HeldCause::BreakerOpen)
        4 "ALLOWANCE_USED_UP" (HeldCause::AllowanceUsedUp)
        5 "UNAVAILABLE" (HeldCause::Unavailable)
    }
    EventKind as "EventKind" or EventKind::Unknown {
        0 "UNKNOWN" (EventKind::Unknown)
        1 "OBSERVATION" (EventKind::Observation)
        2 "ROW_CLOSED" (EventKind::RowClosed)
        3 "CONNECTED" (EventKind::Connected)
        4 "DISCONNECTED" (EventKind::Disconnected)
        5 "OUTCOME" (EventKind::Outcome)
        6 "WAKE_UP" (EventKind::WakeUp)
        7 "LINKED" (EventKind::Linked)
        8 "UNLINKED" (EventKind::Unlinked)
        9 "TEAM_MOVED" (EventKind::TeamMoved)
        10 "FORGOTTEN" (EventKind::Forgotten)
        11 "ACTIVATED" (EventKind::Activated)
        12 "ENGINE_VERSION" (EventKind::EngineVersion)
        13 "PLATFORM_HELD" (EventKind::PlatformHeld)
        14 "PLATFORM_RESUMED" (EventKind::PlatformResumed)
        15 "RETRY" (EventKind::Retry)
    }
}

fields!(['b] Observation as "Observation" {
    status => "status", since_raw => "since_raw", offset => "offset_ms", row => "row_id", cause => "cause",
    asked => "asked_at", found_by => "found_by",
});
fields!(['b] RowClosed as "RowClosed" {
    row => "row_id", at_raw => "at_raw", offset => "offset_ms", asked => "asked_at", found_by => "found_by",
});
fields!(['b] Connection<'b> as "Connection" { gateway => "gateway", epoch => "epoch" });
fields!(['b] Outcome<'b> as "Outcome" {
    platform => "platform", sequence => "sequence", issued => "issued_at", verdict => "verdict",
    detail => "detail",
});
fields!(['b] WakeUp as "WakeUp" { cause => "cause", generation => "generation" });
fields!(['b] Linked<'b> as "Linked" { link => "link", team => "team_id", operator => "operator" });
fields!(['b] TeamMoved as "TeamMoved" { team => "team_id" });
fields!(['b] Activated<'b> as "Activated" {
    epoch => "epoch", revision => "revision", manifest_hash => "manifest_hash", operator => "operator",
});
fields!(['b] EngineRaised as "EngineRaised" { version => "version" });
fields!(['b] PlatformHeld<'b> as "PlatformHeld" { cause => "cause", detail => "detail" });
fields!(['b] PlatformResumed as "PlatformResumed" { kept => "kept" });

/// The kind of an event by name, for a message about one that is not known.
struct KindName {
    kind: EventKind,
    name: String,
}

impl BySerde for KindName {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.kind.to_serde(serializer)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = deserializer.deserialize_any(Symbol)?;
        Ok(KindName { kind: EventKind::of_symbol(&name).unwrap_or(EventKind::Unknown), name })
    }
}

/// The kinds of event, in the order of their records: which record each has, and under which name.
macro_rules! kinds {
    ($($kind:ident $field:ident $name:literal $payload:ty,)*) => {
        /// An event as its record has it.
        struct Flat<'b> {
            id: Uuid,
            kind: KindName,
            agent: Option<AgentId>,
            account: Option<Account>,
            written_at: TimeMs,
            writer: Cow<'b, str>,
            engine_version: u16,
            $($field: Option<$payload>,)*
        }

        impl What<'_> {
            /// Its kind.
            pub const fn kind(&self) -> EventKind {
                match self {
                    $(What::$kind(_) => EventKind::$kind,)*
                }
            }
        }

        by_serde!(['b] Flat<'b> as "Event" {
            id => "id", kind => "kind", agent => "agent", account => "account", written_at => "written_at",
            writer => "writer", engine_version => "engine_version", $($field => $name,)*
        });

        impl<'b> What<'b> {
            #[inline]
            fn put(&self, out: &mut Output<'_>) {
                $(match self {
                    What::$kind(what) => {
                        out.byte(2);
                        what.put(out);
                    }
                    _ => out.byte(0),
                })*
            }

            /// The one record that is there, and before and after it a null for each of the others.
            #[inline]
            fn take(kind: EventKind, input: &mut Input<'b>) -> Result<Self, Malformed> {
                const KINDS: usize = [$($name),*].len();
                let before = (kind as usize).checked_sub(1).ok_or(NOT_THE_KIND)?;
                nulls(before, input)?;
                if !input.is_some()? {
                    return Err(NOT_THE_KIND);
                }
                let what = match kind {
                    $(EventKind::$kind => What::$kind(ByHand::take(input)?),)*
                    EventKind::Unknown => return Err(NOT_THE_KIND),
                };
                nulls(KINDS - 1 - before, input)?;
                Ok(what)
            }
        }

        impl<'b> Flat<'b> {
            fn of(event: &Event<'b>) -> Self {
                let Event { id, agent, account, written_at, writer, engine_version, what } = event.clone();
                let kind = KindName { kind: what.kind(), name: String::new() };
                let mut flat = Flat {
                    id, kind, agent, account, written_at, writer, engine_version, $($field: None,)*
                };
                match what {
                    $(What::$kind(what) => flat.$field = Some(what),)*
                }
                flat
            }

            fn whole(self) -> Result<Event<'b>, Malformed> {
                let Flat { id, kind, agent, account, written_at, writer, engine_version, .. } = self;
                may_be_read(engine_version)?;
                if kind.kind == EventKind::Unknown {
                    return Err(Malformed::Kind(kind.name));
                }
                let mut what = None;
                $(match (self.$field, kind.kind == EventKind::$kind) {
                    (Some(found), true) => what = Some(What::$kind(found)),
                    (None, false) => {}
                    _ => return Err(NOT_THE_KIND),
                })*
                let what = what.ok_or(NOT_THE_KIND)?;
                is_for_whom(&what, agent)?;
                Ok(Event { id, agent, account, written_at, writer, engine_version, what })
            }
        }
    };
}

kinds! {
    Observation observation "observation" Observation,
    RowClosed row_closed "row_closed" RowClosed,
    Connected connected "connected" Connection<'b>,
    Disconnected disconnected "disconnected" Connection<'b>,
    Outcome outcome "outcome" Outcome<'b>,
    WakeUp wake_up "wake_up" WakeUp,
    Linked linked "linked" Linked<'b>,
    Unlinked unlinked "unlinked" Operator<'b>,
    TeamMoved team_moved "team_moved" TeamMoved,
    Forgotten forgotten "forgotten" Operator<'b>,
    Activated activated "activated" Activated<'b>,
    EngineVersion engine_raised "engine_raised" EngineRaised,
    PlatformHeld platform_held "platform_held" PlatformHeld<'b>,
    PlatformResumed platform_resumed "platform_resumed" PlatformResumed,
    Retry retry "retry" Operator<'b>,
}

/// Takes a null for each of so many unions.
#[inline]
fn nulls(count: usize, input: &mut Input<'_>) -> Result<(), Malformed> {
    if let Some((nulls, rest)) = input.0.split_at_checked(count)
        && nulls.iter().all(|null| *null == 0)
    {
        input.0 = rest;
        return Ok(());
    }
    for _ in 0..count {
        if input.is_some()? {
            return Err(NOT_THE_KIND);
        }
    }
    Ok(())
}

const NOT_THE_KIND: Malformed = Malformed::Value("an event does not have just the record of its kind");

/// What a newer engine version has written may mean what this one cannot know.
fn may_be_read(engine_version: u16) -> Result<(), Malformed> {
    if engine_version > engine::VERSION { Err(Malformed::NewerEngine(engine_version)) } else { Ok(()) }
}

/// An event names an agent where its kind demands one.
fn is_for_whom(what: &What<'_>, agent: Option<AgentId>) -> Result<(), Malformed> {
    let is_for_all = matches!(
        what,
        What::Activated(_) | What::EngineVersion(_) | What::PlatformHeld(_) | What::PlatformResumed(_)
    );
    if agent.is_some() == is_for_all {
        return Err(Malformed::Value("an event names an agent, or none, against its kind"));
    }
    Ok(())
}

impl<'b> ByHand<'b> for Event<'b> {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        self.id.put(out);
        self.what.kind().put(out);
        self.agent.put(out);
        self.account.put(out);
        self.written_at.put(out);
        self.writer.put(out);
        self.engine_version.put(out);
        self.what.put(out);
    }

    #[inline]
    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        let id = ByHand::take(input)?;
        let kind = EventKind::take(input)?;
        let agent = ByHand::take(input)?;
        let account = ByHand::take(input)?;
        let written_at = ByHand::take(input)?;
        let writer = ByHand::take(input)?;
        let engine_version = ByHand::take(input)?;
        may_be_read(engine_version)?;
        if kind == EventKind::Unknown {
            return Err(Malformed::Kind("UNKNOWN".to_owned()));
        }
        let what = What::take(kind, input)?;
        is_for_whom(&what, agent)?;
        Ok(Event { id, agent, account, written_at, writer, engine_version, what })
    }
}

impl<'b> Record<'b> for Event<'b> {
    const SCHEMA: RecordSchema = RecordSchema::Event;
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Flat::of(self).to_serde(serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<Self, Malformed>, D::Error> {
        Ok(Flat::from_serde(deserializer)?.whole())
    }

    fn newer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Malformed>, D::Error> {
        let Head { kind, engine_version } = Head::from_serde(deserializer)?;
        let unknown = Malformed::Kind(kind.name);
        Ok(may_be_read(engine_version).err().or((kind.kind == EventKind::Unknown).then_some(unknown)))
    }
}

/// What of an event every version can read.
struct Head {
    kind: KindName,
    engine_version: u16,
}

by_serde!(['b] Head as "Event" { kind => "kind", engine_version => "engine_version" });

impl Event<'_> {
    /// The event as the engine takes it, at its append time. `assignment` is the table that holds for the agent in the
    /// revision in force, which only the kinds about links, teams and activations look at. `None` for what is about
    /// the partition alone.
    pub fn for_engine(&self, now: TimeMs, assignment: Option<Assignment>) -> Option<engine::Event> {
        let what = match &self.what {
            What::Observation(seen) => engine::What::Observation(engine::Observation {
                status: seen.status,
                since_raw: seen.since_raw,
                offset: seen.offset,
                row: seen.row,
                cause: seen.cause,
                asked: seen.asked,
            }),
            What::RowClosed(closed) => engine::What::RowClosed(engine::RowClosed {
                row: closed.row,
                at_raw: closed.at_raw,
                offset: closed.offset,
                asked: closed.asked,
            }),
            What::Connected(connection) => engine::What::Connected(connection.epoch),
            What::Disconnected(connection) => engine::What::Disconnected(connection.epoch),
            What::Outcome(outcome) => engine::What::Outcome(engine::Outcome {
                platform: outcome.platform,
                command: outcome.sequence,
                verdict: outcome.verdict,
            }),
            What::WakeUp(wake_up) => engine::What::WakeUp(*wake_up),
            What::Linked(linked) => {
                engine::What::Linked(engine::Membership { team: linked.team, assignment })
            }
            What::Unlinked(_) => engine::What::Unlinked,
            What::TeamMoved(moved) => {
                engine::What::TeamMoved(engine::Membership { team: moved.team, assignment })
            }
            What::Forgotten(_) => engine::What::Forgotten,
            What::Activated(_) => engine::What::Activated { assignment },
            What::Retry(_) => engine::What::Retry,
            What::EngineVersion(_) | What::PlatformHeld(_) | What::PlatformResumed(_) => return None,
        };
        Some(engine::Event { now, what })
    }
}
