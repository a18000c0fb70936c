//! From what was committed back to a partition in memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::checkpoint::Checkpoint;
use super::partition::Worked;
use super::revisions::Cache;
use super::{Context, Error, Now};
use crate::bus::{Bus, Committed, From, Member, Offset, Reader, Record, Records, TopicName, Until};
use crate::codec::{self, State, StateHash};
use crate::domain::AgentId;
use crate::fail;

/// How long it is waited for records before it is looked whether the end has come.
const WAIT: Duration = Duration::from_millis(100);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What is known of a partition before it is restored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// The offset that this process has committed last, where it has.
    pub(super) next: Option<Offset>,
    /// Its state has looked other than it was committed for as long as that may be.
    pub(super) is_final: bool,
}

/// What came of restoring partitions.
#[derive(Debug)]
pub(super) struct Restored {
    /// They can be worked on.
    pub(super) ready: Vec<Worked>,
    /// What is read of them is not, or not yet, what was committed.
    pub(super) unsettled: Vec<(u32, Error)>,
}

/// Restores partitions, all at once: first what was committed, waiting so long for transactions that are still open, then the
/// state as it was by then. Where that is not the state that was committed, it may be read again later, until it is final.
pub(super) fn restore<B: Bus>(
    context: &Context,
    (bus, member, cache): (&B, &B::Member, &mut Cache),
    partitions: &[(u32, Known)],
    (now, wait): (Now, Duration),
) -> Result<Restored, Error> {
    let begun = Instant::now();
    let events: Vec<_> = partitions.iter().map(|(number, _)| context.events.partition(*number)).collect();
    let mut restored = Restored { ready: Vec::new(), unsettled: Vec::new() };
    let mut restoring = BTreeMap::new();
    let mut checkpoints = BTreeMap::new();
    for ((place, committed), (_, known)) in
        events.iter().zip(member.committed(&events, wait)?).zip(partitions)
    {
        let number = place.partition.0;
        let (next, checkpoint) = match &committed {
            Some(Committed { next, metadata }) => (*next, Checkpoint::parse(metadata)?),
            None => (bus.bounds(place)?.start, Checkpoint::BEGINNING),
        };
        if let Some(known_next) = known.next.filter(|known| next < *known) {
            let (partition, group) = (place.clone(), context.group.clone());
            restored
                .unsettled
                .push((number, Error::Behind { partition, group, known: known_next, found: next }));
            continue;
        }
        let in_force = cache.in_force(context, bus, number, &checkpoint)?;
        tracing::info!(partition = number, next = next.0, epoch = checkpoint.epoch.0, "restoring");
        restoring.insert(number, Worked::new(number, next, &checkpoint, in_force));
        checkpoints.insert(number, (committed.is_some(), checkpoint.hash, known.is_final));
    }
    if restoring.is_empty() {
        return Ok(restored);
    }
    read_states(context, bus, &mut restoring)?;
    for (number, mut worked) in restoring {
        if let Some((was_committed, committed, is_final)) = checkpoints.get(&number) {
            let hashes = (*committed, worked.agents.hash());
            match check(context, number, *was_committed, hashes, *is_final) {
                Err(error @ Error::Unsettled { .. }) => {
                    restored.unsettled.push((number, error));
                    continue;
                }
                checked => checked?,
            }
        }
        worked.arm_all(now);
        tracing::info!(
            partition = number,
            agents = worked.agents.len(),
            hash = %worked.agents.hash(),
            took_ms = begun.elapsed().as_millis() as u64,
            "restored"
        );
        restored.ready.push(worked);
    }
    Ok(restored)
}

fn check(
    context: &Context,
    number: u32,
    was_committed: bool,
    (committed, found): (StateHash, StateHash),
    is_final: bool,
) -> Result<(), Error> {
    let (partition, group) = (context.state.partition(number), context.group.clone());
    if committed == found {
        Ok(())
    } else if !is_final {
        Err(Error::Unsettled { partition, committed, found })
    } else if was_committed {
        Err(Error::StateHash { partition, group, committed, found })
    } else {
        Err(Error::NoOffset { partition, group })
    }
}

fn read_states<B: Bus>(
    context: &Context,
    bus: &B,
    partitions: &mut BTreeMap<u32, Worked>,
) -> Result<(), Error> {
    let numbers = partitions.keys().copied().collect();
    each_state(bus, &context.state, numbers, |record| {
        let Some(worked) = partitions.get_mut(&record.partition.0) else { return Ok(()) };
        take_state(context, worked, record)?;
        fail::point("amid restoring");
        Ok(())
    })
}

/// Reads all that partitions of the topic of states have.
pub(super) fn each_state<B: Bus>(
    bus: &B,
    topic: &TopicName,
    partitions: Vec<u32>,
    mut each: impl FnMut(&Record<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let starts: Vec<_> =
        partitions.iter().map(|number| (topic.partition(*number), From::Beginning)).collect();
    let mut reader = bus.reader(&starts, Until::End)?;
    let (mut read, mut told) = (0_u64, Instant::now());
    loop {
        let records = reader.read(WAIT)?;
        for record in records.iter() {
            each(&record)?;
        }
        read += records.len() as u64;
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tracing::info!(partitions = partitions.len(), records = read, "restoring");
        }
        if records.is_empty() && reader.is_at_end() {
            return Ok(());
        }
    }
}

fn unreadable(topic: &TopicName, record: &Record<'_>, why: codec::Error) -> Error {
    Error::Record { partition: topic.partition(record.partition.0), offset: record.offset, why }
}

/// Whose state a record is.
pub(super) fn agent_of(topic: &TopicName, record: &Record<'_>) -> Result<AgentId, Error> {
    let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
    let agent = key.and_then(|key| key.parse::<AgentId>().ok());
    agent.ok_or_else(|| unreadable(topic, record, codec::Error::Framing))
}

fn take_state(context: &Context, worked: &mut Worked, record: &Record<'_>) -> Result<(), Error> {
    let agent = agent_of(&context.state, record)?;
    let Some(value) = record.value else {
        worked.agents.remove(agent);
        return Ok(());
    };
    let unreadable = |why| unreadable(&context.state, record, why);
    let body = context.codec.body(value).map_err(unreadable)?;
    let state: State<'_> = context.codec.read(value).map_err(unreadable)?;
    worked.restore(agent, state, body);
    Ok(())
}
