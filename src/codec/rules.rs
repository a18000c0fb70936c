//! Revisions: what is in `presence.rules`.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;

use super::bytes::{Input, Malformed, Output, put_text};
use super::scalar::{Sha256, Uuid};
use super::schema::RecordSchema;
use super::shared::Operator;
use super::symbols::{Symbol, Symbolic};
use super::wire::{ByHand, BySerde, Record, by_serde, fields, records};
use crate::directory::{Code, PresenceStatus, TeamEntry};
use crate::domain::{Account, AgentId, Team, TimeMs};
use crate::rules::{
    CxoneOrder, CxoneTerm, OnConflict, OnLogin, Options, PublisherRow, Rule, SalesforceTerm, Settings,
    SubscriberRow, WhileOnContact,
};

/// A revision: what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest<'b> {
    /// The revision.
    pub revision: Uuid,
    /// When it was made.
    pub created_at: TimeMs,
    /// Who made it, and why.
    pub operator: Operator<'b>,
    /// The engine version that it was checked with.
    pub engine_version: u16,
    /// Its rules, in their order, then its vocabularies.
    pub parts: Vec<Part<'b>>,
    /// The numbers of the engine.
    pub settings: Settings,
}

/// A record that belongs to a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'b> {
    /// Its record key in `presence.rules`.
    pub key: Cow<'b, str>,
    /// The SHA-256 of the record's Avro body.
    pub hash: Sha256,
}

/// One rule of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionRule {
    /// The revision it belongs to.
    pub revision: Uuid,
    /// Its place in the revision, from 0.
    pub number: u32,
    /// The rule.
    pub rule: Rule,
}

/// What the names in the rules of a revision stand for in one account, or a part of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VocabularyPart {
    /// The revision it belongs to.
    pub revision: Uuid,
    /// The account.
    pub account: Account,
    /// Which part of the account this is, from 0.
    pub part: u32,
    /// Presence statuses of a Salesforce org.
    pub statuses: Vec<PresenceStatus>,
    /// Unavailable codes of a CXone tenant.
    pub codes: Vec<Code>,
    /// Teams of a CXone tenant.
    pub teams: Vec<TeamEntry>,
}

fields!(['b] Settings as "Settings" {
    confirm => "confirm_ms", grace => "grace_ms", concurrent => "concurrent_ms", echo_early => "echo_early_ms",
    echo_late => "echo_late_ms", corrections => "corrections", flap_commands => "flap_commands",
    flap_window => "flap_window_ms", cool_down => "cool_down_ms", cool_down_max => "cool_down_ms_max",
});
fields!(['b] Part<'b> as "Part" { key => "key", hash => "hash" });
fields!(['b] Manifest<'b> as "Manifest" {
    revision => "revision", created_at => "created_at", operator => "operator",
    engine_version => "engine_version", parts => "parts", settings => "settings",
});
fields!(['b] PresenceStatus as "PresenceStatus" {
    id => "id", developer_name => "developer_name", label => "label", channels => "channels",
    granted_to => "granted_to",
});
fields!(['b] Code as "Code" {
    id => "id", name => "name", active => "active", after_call_work => "after_call_work",
});
fields!(['b] TeamEntry as "TeamCodes" { id => "id", name => "name", codes => "codes" });
fields!(['b] VocabularyPart as "Vocabulary" {
    revision => "revision", account => "account", part => "part", statuses => "statuses", codes => "codes",
    teams => "teams",
});
fields!(['b] PublisherRow as "Row" { from => "from", to => "to" });
fields!(['b] SubscriberRow as "Row" { from => "from", to => "to" });
records! {
    ['b] Manifest<'b>: Manifest;
    ['b] VocabularyPart: Vocabulary;
}

/// A term of a rule, as an administrator writes it.
macro_rules! terms {
    ($($type:ty: $parse:expr;)*) => {$(
        impl ByHand<'_> for $type {
            fn put(&self, out: &mut Output<'_>) {
                put_text(self.to_string().as_bytes(), out);
            }

            fn take(input: &mut Input<'_>) -> Result<Self, Malformed> {
                $parse(input.text()?).ok_or(NO_TERM)
            }
        }

        impl BySerde for $type {
            fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }

            fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::from_serde(deserializer)?;
                $parse(&text).ok_or_else(|| D::Error::custom(NO_TERM))
            }
        }
    )*};
}

const NO_TERM: Malformed = Malformed::Value("a text names no status in a rule");

terms! {
    SalesforceTerm: |text: &str| Some(SalesforceTerm::parse(text));
    CxoneTerm: |text: &str| CxoneTerm::parse(text).ok();
    CxoneOrder: |text: &str| CxoneOrder::parse(text).ok();
}

/// A rule as its record has it.
struct Flat {
    revision: Uuid,
    number: u32,
    name: String,
    teams: Vec<Team>,
    agents: Vec<AgentId>,
    skip_code_validation: bool,
    on_conflict: OnConflict,
    while_on_contact: WhileOnContact,
    on_login: OnLogin,
    publisher: Vec<PublisherRow>,
    subscriber: Vec<SubscriberRow>,
}

fields!(['b] Flat as "Rule" {
    revision => "revision", number => "number", name => "name", teams => "teams", agents => "agents",
    skip_code_validation => "skip_code_validation", on_conflict => "on_conflict",
    while_on_contact => "while_on_contact", on_login => "on_login", publisher => "cxone_to_salesforce",
    subscriber => "salesforce_to_cxone",
});

impl Flat {
    fn of(record: &RevisionRule) -> Self {
        let RevisionRule { revision, number, rule } = record.clone();
        let Rule { name, teams, agents, options, publisher, subscriber } = rule;
        let Options { skip_code_validation, on_conflict, while_on_contact, on_login } = options;
        Flat {
            revision,
            number,
            name,
            teams,
            agents,
            skip_code_validation,
            on_conflict,
            while_on_contact,
            on_login,
            publisher,
            subscriber,
        }
    }

    fn whole(self) -> RevisionRule {
        let Flat { revision, number, name, teams, agents, publisher, subscriber, .. } = self;
        let options = Options {
            skip_code_validation: self.skip_code_validation,
            on_conflict: self.on_conflict,
            while_on_contact: self.while_on_contact,
            on_login: self.on_login,
        };
        let rule = Rule { name, teams, agents, options, publisher, subscriber };
        RevisionRule { revision, number, rule }
    }
}

impl<'b> ByHand<'b> for RevisionRule {
    fn put(&self, out: &mut Output<'_>) {
        Flat::of(self).put(out);
    }

    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        Flat::take(input).map(Flat::whole)
    }
}

impl Record<'_> for RevisionRule {
    const SCHEMA: RecordSchema = RecordSchema::Rule;
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Flat::of(self).to_serde(serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<Self, Malformed>, D::Error> {
        Ok(Ok(Flat::from_serde(deserializer)?.whole()))
    }

    fn newer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Malformed>, D::Error> {
        let Head { on_conflict, while_on_contact, on_login } = Head::from_serde(deserializer)?;
        let unknown = on_conflict.0.or(while_on_contact.0).or(on_login.0);
        Ok(unknown.map(Malformed::Kind))
    }
}

/// What of a rule may be of a kind that is not known. A rule that is left out would be another revision, so it stops
/// the reader.
struct Head {
    on_conflict: Unknown<OnConflict>,
    while_on_contact: Unknown<WhileOnContact>,
    on_login: Unknown<OnLogin>,
}

by_serde!(['b] Head as "Rule" {
    on_conflict => "on_conflict", while_on_contact => "while_on_contact", on_login => "on_login",
});

/// The symbol of an option, where it is one that is not known.
struct Unknown<T>(Option<String>, PhantomData<T>);

impl<T: Symbolic> BySerde for Unknown<T> {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let symbol = deserializer.deserialize_any(Symbol)?;
        Ok(Unknown(T::of_symbol(&symbol).is_none().then_some(symbol), PhantomData))
    }
}
