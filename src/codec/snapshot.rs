//! Snapshots: what is in `presence.snapshots`.

use std::borrow::Cow;

use super::scalar::StateHash;
use super::wire::{fields, records};
use crate::domain::{AgentId, TimeMs};
use crate::engine::Epoch;

/// A part of all committed states of one partition at one offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotChunk<'b> {
    /// The partition.
    pub partition: i32,
    /// The offset up to which events are in it.
    pub offset: i64,
    /// The time of the last event in it.
    pub at: TimeMs,
    /// The state hash that was committed with the offset.
    pub state_hash: StateHash,
    /// The activation whose rules were in force; 0 where none was.
    pub epoch: Epoch,
    /// The engine version in force.
    pub engine_version: u16,
    /// Which part this is, from 0.
    pub chunk: u32,
    /// How many parts there are.
    pub chunks: u32,
    /// The states, by agent id.
    pub states: Vec<SnapshotState<'b>>,
}

/// One state as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotState<'b> {
    /// The agent.
    pub agent: AgentId,
    /// The value of his record in `presence.state`, with its framing.
    pub value: Cow<'b, [u8]>,
}

fields!(['b] SnapshotState<'b> as "AgentState" { agent => "agent", value => "value" });
fields!(['b] SnapshotChunk<'b> as "SnapshotChunk" {
    partition => "partition", offset => "offset", at => "at", state_hash => "state_hash", epoch => "epoch",
    engine_version => "engine_version", chunk => "chunk", chunks => "chunks", states => "states",
});
records! { ['b] SnapshotChunk<'b>: SnapshotChunk; }
