//! Entries of the directory: what is in `presence.directory`. The only records with names and addresses of people.

use std::borrow::Cow;

use serde::de::Deserializer;
use serde::ser::Serializer;

use super::bytes::{Input, Malformed, Output};
use super::schema::RecordSchema;
use super::shared::Operator;
use super::symbols::symbols;
use super::wire::{ByHand, BySerde, Record, fields};
use crate::directory::{Code, PresenceStatus, TeamEntry};
use crate::domain::{Account, AgentId, CxoneAgentId, Link, TeamId, TimeMs, UserId};

/// Something that the directory knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry<'b> {
    /// The account it is from; `None` for a link, which is from two.
    pub account: Option<Account>,
    /// When it was read from the platform, or made.
    pub read_at: TimeMs,
    /// What is known.
    pub entry: Entry<'b>,
}

/// What the directory knows of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'b> {
    /// A kind that only a newer Lockstep knows: to be skipped.
    Unknown,
    /// One person on both platforms.
    Link(LinkEntry<'b>),
    /// A user of a Salesforce org.
    SalesforceUser(UserEntry<'b>),
    /// An agent of a CXone tenant.
    CxoneAgent(AgentEntry<'b>),
    /// A presence status.
    PresenceStatus(PresenceStatus),
    /// An unavailable code.
    Code(Code),
    /// A team.
    Team(TeamEntry),
    /// Two who are not one person, whatever they are called.
    Apart(LinkEntry<'b>),
}

/// One person on both platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEntry<'b> {
    /// The agent that the link makes.
    pub agent: AgentId,
    /// Who he is on both platforms.
    pub link: Link,
    /// Who linked him, and why.
    pub operator: Operator<'b>,
}

/// A user of a Salesforce org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry<'b> {
    /// The user.
    pub user: UserId,
    /// The user name.
    pub user_name: Cow<'b, str>,
    /// The e-mail address; empty where there is none.
    pub email: Cow<'b, str>,
    /// Whether he can log in.
    pub active: bool,
    /// The names of his profile and permission sets, sorted.
    pub access: Vec<Box<str>>,
    /// How the identity provider calls him, where the platform tells.
    pub federation_id: Option<Cow<'b, str>>,
}

/// An agent of a CXone tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentEntry<'b> {
    /// The agent.
    pub agent: CxoneAgentId,
    /// The user name.
    pub user_name: Cow<'b, str>,
    /// The e-mail address; empty where there is none.
    pub email: Cow<'b, str>,
    /// Whether he can log in.
    pub active: bool,
    /// His team, where it is known.
    pub team: Option<TeamId>,
    /// How the identity provider calls him, where the platform tells.
    pub federation_id: Option<Cow<'b, str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    Unknown,
    Link,
    SalesforceUser,
    CxoneAgent,
    PresenceStatus,
    Code,
    Team,
    Apart,
}

symbols! {
    EntryKind as "EntryKind" or EntryKind::Unknown {
        0 "UNKNOWN" (EntryKind::Unknown)
        1 "LINK" (EntryKind::Link)
        2 "SALESFORCE_USER" (EntryKind::SalesforceUser)
        3 "CXONE_AGENT" (EntryKind::CxoneAgent)
        4 "PRESENCE_STATUS" (EntryKind::PresenceStatus)
        5 "CODE" (EntryKind::Code)
        6 "TEAM" (EntryKind::Team)
        7 "APART" (EntryKind::Apart)
    }
}

fields!(['b] LinkEntry<'b> as "LinkEntry" { agent => "agent", link => "link", operator => "operator" });
fields!(['b] UserEntry<'b> as "UserEntry" {
    user => "user_id", user_name => "user_name", email => "email", active => "active", access => "access",
    federation_id => "federation_id",
});
fields!(['b] AgentEntry<'b> as "AgentEntry" {
    agent => "agent_id", user_name => "user_name", email => "email", active => "active", team => "team_id",
    federation_id => "federation_id",
});

/// An entry as its record has it.
struct Flat<'b> {
    kind: EntryKind,
    account: Option<Account>,
    read_at: TimeMs,
    link: Option<LinkEntry<'b>>,
    salesforce_user: Option<UserEntry<'b>>,
    cxone_agent: Option<AgentEntry<'b>>,
    presence_status: Option<PresenceStatus>,
    code: Option<Code>,
    team: Option<TeamEntry>,
    apart: Option<LinkEntry<'b>>,
}

fields!(['b] Flat<'b> as "DirectoryEntry" {
    kind => "kind", account => "account", read_at => "read_at", link => "link",
    salesforce_user => "salesforce_user", cxone_agent => "cxone_agent", presence_status => "presence_status",
    code => "code", team => "team", apart => "apart",
});

impl<'b> Flat<'b> {
    fn of(record: &DirectoryEntry<'b>) -> Self {
        let DirectoryEntry { account, read_at, entry } = record.clone();
        let mut flat = Flat {
            kind: EntryKind::Unknown,
            account,
            read_at,
            link: None,
            salesforce_user: None,
            cxone_agent: None,
            presence_status: None,
            code: None,
            team: None,
            apart: None,
        };
        match entry {
            Entry::Unknown => {}
            Entry::Link(link) => (flat.kind, flat.link) = (EntryKind::Link, Some(link)),
            Entry::SalesforceUser(user) => {
                (flat.kind, flat.salesforce_user) = (EntryKind::SalesforceUser, Some(user));
            }
            Entry::CxoneAgent(agent) => {
                (flat.kind, flat.cxone_agent) = (EntryKind::CxoneAgent, Some(agent));
            }
            Entry::PresenceStatus(status) => {
                (flat.kind, flat.presence_status) = (EntryKind::PresenceStatus, Some(status));
            }
            Entry::Code(code) => (flat.kind, flat.code) = (EntryKind::Code, Some(code)),
            Entry::Team(team) => (flat.kind, flat.team) = (EntryKind::Team, Some(team)),
            Entry::Apart(link) => (flat.kind, flat.apart) = (EntryKind::Apart, Some(link)),
        }
        flat
    }

    fn whole(self) -> Result<DirectoryEntry<'b>, Malformed> {
        let entry = match self.kind {
            EntryKind::Unknown => Some(Entry::Unknown),
            EntryKind::Link => self.link.map(Entry::Link),
            EntryKind::SalesforceUser => self.salesforce_user.map(Entry::SalesforceUser),
            EntryKind::CxoneAgent => self.cxone_agent.map(Entry::CxoneAgent),
            EntryKind::PresenceStatus => self.presence_status.map(Entry::PresenceStatus),
            EntryKind::Code => self.code.map(Entry::Code),
            EntryKind::Team => self.team.map(Entry::Team),
            EntryKind::Apart => self.apart.map(Entry::Apart),
        };
        let entry = entry.ok_or(Malformed::Value("an entry does not have the record of its kind"))?;
        Ok(DirectoryEntry { account: self.account, read_at: self.read_at, entry })
    }
}

impl<'b> ByHand<'b> for DirectoryEntry<'b> {
    fn put(&self, out: &mut Output<'_>) {
        Flat::of(self).put(out);
    }

    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        Flat::take(input)?.whole()
    }
}

impl<'b> Record<'b> for DirectoryEntry<'b> {
    const SCHEMA: RecordSchema = RecordSchema::DirectoryEntry;
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Flat::of(self).to_serde(serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<Self, Malformed>, D::Error> {
        Ok(Flat::from_serde(deserializer)?.whole())
    }
}
