//! The agents of a partition: in memory, and owned by it alone.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use twox_hash::XxHash3_64;

use crate::codec::StateHash;
use crate::domain::{
    AccountName, AgentId, CxoneAgent, CxoneAgentId, Link, SalesforceUser, Team, TeamId, UserId,
};
use crate::engine::{AgentState, Epoch};

/// Where an agent is, among those of his partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(u32);

#[cfg(test)]
impl Place {
    /// Where the first agent of a partition is.
    pub(super) const FIRST: Place = Place(0);
}

/// What is known of an agent beside what the engine remembers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) agent: AgentId,
    user: UserId,
    cxone: CxoneAgentId,
    pub(super) team: Option<TeamId>,
    /// The pair of accounts, by its place among those there are.
    accounts: u16,
    /// A state record is due with the next commit, if it differs from the last one.
    pub(super) is_touched: bool,
    /// The activation in force at the last event that touched him: it stands in his state record.
    pub(super) epoch: Epoch,
    /// The hash of his last state record; none before the first.
    pub(super) hash: Option<u64>,
}

/// The agents of a partition.
#[derive(Debug, Default)]
pub(super) struct Agents {
    places: HashMap<AgentId, Place, BuildHasherDefault<IdHasher>>,
    states: Vec<Option<AgentState>>,
    known: Vec<Option<Known>>,
    free: Vec<Place>,
    /// The pairs of accounts that links have.
    accounts: Vec<(AccountName, AccountName)>,
    /// The sum of the hashes of all state records.
    hash: u64,
}

impl Agents {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The sum of the hashes of all state records.
    pub(super) const fn hash(&self) -> StateHash {
        StateHash(self.hash)
    }

    /// Where an agent is.
    pub(super) fn find(&self, agent: AgentId) -> Option<Place> {
        self.places.get(&agent).copied()
    }

    /// Whether an agent is still where he was found.
    pub(super) fn is_at(&self, place: Place, agent: AgentId) -> bool {
        self.known(place).is_some_and(|known| known.agent == agent)
    }

    pub(super) fn known(&self, place: Place) -> Option<&Known> {
        self.known.get(place.0 as usize)?.as_ref()
    }

    pub(super) fn known_mut(&mut self, place: Place) -> Option<&mut Known> {
        self.known.get_mut(place.0 as usize)?.as_mut()
    }

    pub(super) fn state(&self, place: Place) -> Option<&AgentState> {
        self.states.get(place.0 as usize)?.as_ref()
    }

    /// The place of an agent's state; it is empty when he is gone.
    pub(super) fn slot(&mut self, place: Place) -> Option<&mut Option<AgentState>> {
        self.states.get_mut(place.0 as usize)
    }

    /// Asks memory for the states of several agents at once.
    pub(super) fn touch(&self, places: impl Iterator<Item = Place>) -> u8 {
        places.filter_map(|place| self.state(place)).map(AgentState::touch).fold(0, |all, one| all ^ one)
    }

    /// All places with an agent.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.known.len() as u32).map(Place)
    }

    /// Who he is on both platforms.
    pub(super) fn link(&self, known: &Known) -> Option<Link> {
        let (org, tenant) = *self.accounts.get(usize::from(known.accounts))?;
        Some(Link {
            salesforce: SalesforceUser { account: org, user: known.user },
            cxone: CxoneAgent { account: tenant, agent: known.cxone },
        })
    }

    /// Puts an agent in. One who is there already is replaced.
    pub(super) fn insert(
        &mut self,
        agent: AgentId,
        link: &Link,
        team: Option<TeamId>,
        epoch: Epoch,
        state: Option<AgentState>,
    ) -> Place {
        self.remove(agent);
        let pair = (link.salesforce.account, link.cxone.account);
        let accounts = self.accounts.iter().position(|one| *one == pair).unwrap_or_else(|| {
            self.accounts.push(pair);
            self.accounts.len() - 1
        });
        let known = Known {
            agent,
            user: link.salesforce.user,
            cxone: link.cxone.agent,
            team,
            // A deployment has a handful of accounts; a configuration with more than 65,535 pairs cannot be written.
            accounts: accounts as u16,
            is_touched: false,
            epoch,
            hash: None,
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.states.push(None);
            self.known.push(None);
            Place(self.known.len() as u32 - 1)
        });
        if let (Some(slot), Some(facts)) = (self.slot(place), Some(known)) {
            *slot = state;
            if let Some(entry) = self.known.get_mut(place.0 as usize) {
                *entry = Some(facts);
            }
        }
        self.places.insert(agent, place);
        place
    }

    /// Takes an agent out, and his state record with him.
    pub(super) fn remove(&mut self, agent: AgentId) -> Option<Known> {
        let place = self.places.remove(&agent)?;
        if let Some(slot) = self.slot(place) {
            *slot = None;
        }
        let known = self.known.get_mut(place.0 as usize)?.take()?;
        self.hash = self.hash.wrapping_sub(known.hash.unwrap_or(0));
        self.free.push(place);
        Some(known)
    }

    /// Notes the hash of an agent's state record. Says whether it is another one than before.
    pub(super) fn set_hash(&mut self, place: Place, hash: u64) -> bool {
        let Some(known) = self.known.get_mut(place.0 as usize).and_then(Option::as_mut) else { return false };
        let before = known.hash.replace(hash);
        self.hash = self.hash.wrapping_sub(before.unwrap_or(0)).wrapping_add(hash);
        before != Some(hash)
    }
}

impl Known {
    /// His team with the tenant it is of.
    pub(super) fn team_of(&self, link: &Link) -> Option<Team> {
        self.team.map(|team| Team { account: link.cxone.account, team })
    }
}

/// The hash of an agent's state record: XXH3 of the Avro body, seeded with the agent's id, which is a hash itself.
pub(super) fn state_hash(agent: AgentId, body: &[u8]) -> u64 {
    let number = u128::from_be_bytes(*agent.as_bytes());
    XxHash3_64::oneshot_with_seed((number >> 64) as u64 ^ number as u64, body)
}

/// An agent's id is a hash already: eight of its bytes are as good as any other.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.last_chunk().map_or(self.0, |last| u64::from_le_bytes(*last));
    }
}
