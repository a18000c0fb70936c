//! All states of a partition at one moment, written in parts: so that a window of history can be replayed although the
//! states themselves are compacted.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use super::Error;
use super::partition::Worked;
use super::stage::Stage;
use crate::bus::Writer;
use crate::codec::{Buffer, Codec, SnapshotChunk, SnapshotState, StateHash};
use crate::domain::{AgentId, TimeMs};
use crate::engine::Epoch;

/// A part has about so many bytes at most.
const PART_BYTES: usize = 400 << 10;

/// A snapshot on its way into the log, a part with each transaction.
#[derive(Debug)]
pub(super) struct Snapshot {
    offset: i64,
    at: TimeMs,
    hash: StateHash,
    epoch: Epoch,
    engine_version: u16,
    values: Vec<u8>,
    states: Vec<(AgentId, Range<usize>)>,
    /// Which states are in each part that was not written yet, and the number of the part.
    parts: VecDeque<(u32, Range<usize>)>,
    count: u32,
    /// Which one it is: snapshots are counted by the time of the log.
    pub(super) number: i64,
}

impl Snapshot {
    /// The states as they were committed just now.
    pub(super) fn of(worked: &Worked, codec: &Codec, number: i64) -> Result<Snapshot, Error> {
        let mut all: Vec<_> = worked.agents.places().filter_map(|place| worked.state_of(place)).collect();
        all.sort_unstable_by_key(|(agent, _)| *agent);
        let mut values = Buffer::new();
        let (mut states, mut parts) = (Vec::with_capacity(all.len()), VecDeque::new());
        let (mut first, mut begin) = (0, 0);
        for (agent, state) in &all {
            let from = values.len();
            codec.encode(state, &mut values).map_err(|why| Error::Unwritable { what: "a state", why })?;
            states.push((*agent, from..values.len()));
            if values.len() - begin >= PART_BYTES {
                parts.push_back((parts.len() as u32, first..states.len()));
                (first, begin) = (states.len(), values.len());
            }
        }
        if first < states.len() {
            parts.push_back((parts.len() as u32, first..states.len()));
        }
        Ok(Snapshot {
            offset: worked.next.0.cast_signed(),
            at: worked.clock,
            hash: worked.agents.hash(),
            epoch: worked.in_force.epoch,
            engine_version: worked.engine_version,
            values: values.as_slice().to_vec(),
            count: parts.len() as u32,
            states,
            parts,
            number,
        })
    }

    /// Adds the next part to the transaction. Says whether it was the last.
    pub(super) fn write<W: Writer>(
        &mut self,
        partition: u32,
        stage: &mut Stage<'_, W>,
    ) -> Result<bool, Error> {
        if let Some((chunk, states)) = self.parts.pop_front() {
            let state = |(agent, range): &(AgentId, Range<usize>)| {
                let value = Cow::Borrowed(self.values.get(range.clone())?);
                Some(SnapshotState { agent: *agent, value })
            };
            let part = SnapshotChunk {
                partition: partition.cast_signed(),
                offset: self.offset,
                at: self.at,
                state_hash: self.hash,
                epoch: self.epoch,
                engine_version: self.engine_version,
                chunk,
                chunks: self.count,
                states: self.states.get(states).unwrap_or_default().iter().filter_map(state).collect(),
            };
            stage.snapshot(partition, &part)?;
        }
        Ok(self.parts.is_empty())
    }
}
