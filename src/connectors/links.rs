//! Who is linked, as a source and a sink of one account have to know it.

use std::collections::HashMap;
use std::hash::Hash;

use crate::codec::{Codec, DirectoryEntry, Entry, Error};
use crate::domain::{AccountName, AgentId, Link};

/// What a record of the directory says of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linking<I> {
    /// He is linked from now on.
    Linked(AgentId, I),
    /// He is not linked any more.
    Unlinked(AgentId, I),
}

/// The links of an account, by what the directory says.
#[derive(Debug)]
pub struct Links<I> {
    account: AccountName,
    of: fn(&Link, AccountName) -> Option<I>,
    agents: HashMap<AgentId, I>,
}

impl<I: Copy + Eq + Hash> Links<I> {
    /// Nobody, yet. `of` tells who somebody is in the account, if he is in it.
    pub fn new(account: AccountName, of: fn(&Link, AccountName) -> Option<I>) -> Links<I> {
        Links { account, of, agents: HashMap::new() }
    }

    /// Takes a record of the directory, and tells what it changes.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take(
        &mut self,
        codec: &Codec,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Option<Linking<I>>, Error> {
        let key = key.and_then(|key| std::str::from_utf8(key).ok());
        // Only a link has an agent's id as its key.
        let Some(agent) = key.and_then(|key| key.parse::<AgentId>().ok()) else { return Ok(None) };
        let entry = value.map(|value| codec.read::<DirectoryEntry<'_>>(value)).transpose()?;
        let id = match entry.map(|entry| entry.entry) {
            Some(Entry::Link(link)) => (self.of)(&link.link, self.account),
            _ => None,
        };
        Ok(match id {
            Some(id) => (self.agents.insert(agent, id) != Some(id)).then_some(Linking::Linked(agent, id)),
            None => self.agents.remove(&agent).map(|id| Linking::Unlinked(agent, id)),
        })
    }

    /// How many are linked.
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }
}
