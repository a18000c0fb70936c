//! Commands: what is in `presence.commands.PLATFORM`.

use std::borrow::Cow;

use serde::de::Deserializer;
use serde::ser::Serializer;

use super::bytes::{Input, Malformed, Output};
use super::schema::RecordSchema;
use super::shared::Addressee;
use super::symbols::{Symbol, Symbolic, symbols};
use super::wire::{ByHand, BySerde, Record, by_serde, fields};
use crate::domain::{AgentId, Status, TimeMs};
use crate::engine::{Epoch, Sequence};
use crate::rules::Row;

/// An order to a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'b> {
    /// The agent.
    pub agent: AgentId,
    /// Who he is on the platform.
    pub to: Addressee,
    /// The offset of the event that caused it.
    pub event_offset: i64,
    /// The engine version that decided it.
    pub engine_version: u16,
    /// What is to be done.
    pub order: Order<'b>,
}

/// What a sink is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order<'b> {
    /// Set a status.
    Set(Set<'b>),
    /// The agent is unlinked or forgotten: drop what is kept for him.
    Void,
}

/// Sets a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<'b> {
    /// Its number among the commands of this agent since he was linked.
    pub sequence: Sequence,
    /// What to set, and with it the platform.
    pub status: Status,
    /// When it was issued, by the clock of the log.
    pub issued: TimeMs,
    /// It repeats one that had lapsed.
    pub correction: bool,
    /// The activation whose rules it comes from.
    pub epoch: Epoch,
    /// The rule it comes from; `None` where it restores the agent's own choice.
    pub rule: Option<Cow<'b, str>>,
    /// The row in its direction of that rule.
    pub row: Option<Row>,
}

fields!(['b] Set<'b> as "Set" {
    sequence => "sequence", status => "status", issued => "issued_at", correction => "correction",
    epoch => "epoch", rule => "rule", row => "row",
});

#[derive(Clone, Copy, PartialEq, Eq)]
enum CommandKind {
    Unknown,
    Set,
    Void,
}

symbols! {
    CommandKind as "CommandKind" or CommandKind::Unknown {
        0 "UNKNOWN" (CommandKind::Unknown)
        1 "SET" (CommandKind::Set)
        2 "VOID" (CommandKind::Void)
    }
}

/// The kind of a command by name, for a message about one that is not known.
struct KindName {
    kind: CommandKind,
    name: String,
}

impl BySerde for KindName {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.kind.to_serde(serializer)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = deserializer.deserialize_any(Symbol)?;
        Ok(KindName { kind: CommandKind::of_symbol(&name).unwrap_or(CommandKind::Unknown), name })
    }
}

/// A command as its record has it.
struct Flat<'b> {
    kind: KindName,
    agent: AgentId,
    to: Addressee,
    event_offset: i64,
    engine_version: u16,
    set: Option<Set<'b>>,
}

by_serde!(['b] Flat<'b> as "Command" {
    kind => "kind", agent => "agent", to => "to", event_offset => "event_offset",
    engine_version => "engine_version", set => "set",
});

impl<'b> Flat<'b> {
    fn whole(self) -> Result<Command<'b>, Malformed> {
        let Flat { kind, agent, to, event_offset, engine_version, set } = self;
        let order = Command::order(kind.kind, &kind.name, set, &to)?;
        Ok(Command { agent, to, event_offset, engine_version, order })
    }
}

impl<'b> Command<'b> {
    const fn kind(&self) -> CommandKind {
        match self.order {
            Order::Set(_) => CommandKind::Set,
            Order::Void => CommandKind::Void,
        }
    }

    /// The order that a kind and a record make, for this platform.
    fn order(
        kind: CommandKind,
        name: &str,
        set: Option<Set<'b>>,
        to: &Addressee,
    ) -> Result<Order<'b>, Malformed> {
        match (kind, set) {
            (CommandKind::Unknown, _) => Err(Malformed::Kind(name.to_owned())),
            (CommandKind::Set, Some(set)) if set.status.platform() == to.platform() => Ok(Order::Set(set)),
            (CommandKind::Void, None) => Ok(Order::Void),
            _ => Err(Malformed::Value("a command does not have what its kind demands")),
        }
    }
}

impl<'b> ByHand<'b> for Command<'b> {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        self.kind().put(out);
        self.agent.put(out);
        self.to.put(out);
        self.event_offset.put(out);
        self.engine_version.put(out);
        match &self.order {
            Order::Set(set) => {
                out.byte(2);
                set.put(out);
            }
            Order::Void => out.byte(0),
        }
    }

    #[inline]
    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        let kind = CommandKind::take(input)?;
        let (agent, to) = (ByHand::take(input)?, ByHand::take(input)?);
        let (event_offset, engine_version) = (ByHand::take(input)?, ByHand::take(input)?);
        let order = Self::order(kind, "UNKNOWN", ByHand::take(input)?, &to)?;
        Ok(Command { agent, to, event_offset, engine_version, order })
    }
}

impl<'b> Record<'b> for Command<'b> {
    const SCHEMA: RecordSchema = RecordSchema::Command;
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = KindName { kind: self.kind(), name: String::new() };
        let Command { agent, to, event_offset, engine_version, order } = self.clone();
        let set = match order {
            Order::Set(set) => Some(set),
            Order::Void => None,
        };
        Flat { kind, agent, to, event_offset, engine_version, set }.to_serde(serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<Self, Malformed>, D::Error> {
        Ok(Flat::from_serde(deserializer)?.whole())
    }

    fn newer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Malformed>, D::Error> {
        let Head { kind } = Head::from_serde(deserializer)?;
        Ok((kind.kind == CommandKind::Unknown).then_some(Malformed::Kind(kind.name)))
    }
}

/// What of a command every version can read.
struct Head {
    kind: KindName,
}

by_serde!(['b] Head as "Command" { kind => "kind" });
