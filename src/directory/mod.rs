//! Who is who: accounts with their statuses, codes and teams ([`Vocabulary`]), people, and the links that make
//! a Salesforce user and a CXone agent one agent. **The only room with names and e-mail addresses of people.**

mod check;
mod matching;
mod people;
mod raw;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::document::{Document, Mistakes};
use crate::domain::{AccountName, AgentId, Link, TeamId};

pub use matching::{LinkBy, Listed, ListedUser, WhyNot};
pub use people::{Access, Contact, Person, Unlinked, Who};
pub use vocabulary::{
    Code, CxoneVocabulary, Found, PresenceStatus, SalesforceVocabulary, StatusChange, TeamEntry, Vocabulary,
};

/// The namespace of agent ids. It never changes: every id in every log depends on it.
const AGENT_NAMESPACE: Uuid = Uuid::from_u128(0x6c6f_636b_7374_5570_8a67_656e_7469_6473);

/// Everything that is known of accounts and people at one moment.
#[derive(Debug, Default)]
pub struct Directory {
    /// What people can be in, and in which teams; no personal data.
    pub vocabulary: Vocabulary,
    /// The kinds of access that users of each org have, by the index that a [`Person`] bears.
    pub access: BTreeMap<AccountName, Vec<Access>>,
    /// The linked people, in the order of their links in the file.
    pub people: Vec<Person>,
    /// Those who are on one platform only.
    pub unlinked: Vec<Unlinked>,
    /// Pairs of whom somebody said that they are not one person, whatever they are called.
    pub apart: BTreeMap<AgentId, Link>,
}

impl Directory {
    /// Reads a directory file. Every mistake goes to `mistakes`; `None` only where nothing can be read.
    pub fn read(document: &Document, mistakes: &mut Mistakes) -> Option<Directory> {
        document.read(mistakes).map(|raw| check::check(raw, mistakes))
    }

    /// The linked people of a team.
    pub fn team_of<'d>(
        &'d self,
        account: AccountName,
        team: TeamId,
    ) -> impl Iterator<Item = &'d Person> + use<'d> {
        self.people.iter().filter(move |p| p.link.cxone.account == account && p.team == Some(team))
    }
}

/// The id of the agent that a link makes: the UUIDv5 of its two pairs of account and id.
pub fn agent_id(link: &Link) -> AgentId {
    let name = format!("salesforce/{}\ncxone/{}", link.salesforce, link.cxone);
    AgentId::from_bytes(Uuid::new_v5(&AGENT_NAMESPACE, name.as_bytes()).into_bytes())
}
