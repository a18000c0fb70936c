//! Whether the states that are kept are those that were committed.

use std::collections::HashMap;

use super::agents::state_hash;
use super::checkpoint::Checkpoint;
use super::restore::{agent_of, each_state};
use super::{Error, group};
use crate::bus::{Bus, Offset, Topic, TopicsPlan};
use crate::codec::{Codec, StateHash};
use crate::domain::AgentId;

/// The states of a partition: as they were committed, and as they are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct States {
    /// The partition.
    pub partition: u32,
    /// The first event that was not dealt with; none where none ever was.
    pub next: Option<Offset>,
    /// How many agents have a state.
    pub agents: usize,
    /// The hash that was committed with the offset.
    pub committed: StateHash,
    /// The hash of what is found.
    pub found: StateHash,
}

impl States {
    /// Whether they are those that were committed.
    ///
    /// # Errors
    /// [`Error::StateHash`] where they are not, [`Error::NoOffset`] where there are some and nothing was committed.
    pub fn check(&self, plan: &TopicsPlan) -> Result<(), Error> {
        let States { partition, next, committed, found, .. } = *self;
        if committed == found {
            return Ok(());
        }
        let (partition, group) = (plan.name(Topic::State).partition(partition), group(plan));
        Err(match next {
            Some(_) => Error::StateHash { partition, group, committed, found },
            None => Error::NoOffset { partition, group },
        })
    }
}

/// Reads the states of all partitions, of which nobody writes.
///
/// # Errors
/// The bus cannot be reached, or a record is not one of a state.
pub fn states<B: Bus>(bus: &B, codec: &Codec, plan: &TopicsPlan) -> Result<Vec<States>, Error> {
    let events = plan.name(Topic::Events);
    let places: Vec<_> = (0..plan.partitions).map(|number| events.partition(number)).collect();
    let committed = bus.committed(&group(plan), &places)?;
    let mut hashes: Vec<HashMap<AgentId, u64>> = vec![HashMap::new(); places.len()];
    let topic = plan.name(Topic::State);
    each_state(bus, &topic, (0..plan.partitions).collect(), |record| {
        let agent = agent_of(&topic, record)?;
        let Some(agents) = hashes.get_mut(record.partition.0 as usize) else { return Ok(()) };
        let Some(value) = record.value else {
            agents.remove(&agent);
            return Ok(());
        };
        let body = codec.body(value).map_err(|why| {
            let partition = topic.partition(record.partition.0);
            Error::Record { partition, offset: record.offset, why }
        })?;
        agents.insert(agent, state_hash(agent, body));
        Ok(())
    })?;
    (0..)
        .zip(committed)
        .zip(hashes)
        .map(|((partition, committed), agents)| {
            let checkpoint =
                committed.as_ref().map(|committed| Checkpoint::parse(&committed.metadata)).transpose()?;
            Ok(States {
                partition,
                next: committed.map(|committed| committed.next),
                agents: agents.len(),
                committed: checkpoint.map_or(StateHash(0), |checkpoint| checkpoint.hash),
                found: StateHash(agents.values().fold(0, |all, hash| all.wrapping_add(*hash))),
            })
        })
        .collect()
}
