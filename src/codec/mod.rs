//! What is on the wire: Avro records, in the Confluent wire format or in Avro single-object encoding.
//!
//! A record that was written with exactly our schema is read by hand, byte for byte, and everything we write is written
//! so; every other version is read by its writer's schema, through serde. Reading is pure: a schema that is not at hand
//! is an error that names it, and [`Codec::load`] fetches it.
//!
//! # How schemas evolve
//! A file in `schemas/` never changes once it was released. A new version only adds: fields that may be null, with null
//! as default, at the end of their record, and symbols at the end of their enum. Then every reader reads every
//! version: what it does not know it skips, a symbol it does not know is the enum's default. Where that would
//! mislead (an unknown kind, a newer engine version), the reader stops.

mod bytes;
mod command;
mod dead_letter;
mod decision;
mod directory;
mod error;
mod event;
mod framing;
mod position;
mod registry;
mod rules;
mod scalar;
mod schema;
mod shared;
mod skipped;
mod snapshot;
mod state;
mod symbols;
#[cfg(test)]
mod tests;
mod wire;

pub use bytes::Malformed;
pub use command::{Command, Order, Set};
pub use dead_letter::{DeadCause, DeadLetter, Origin};
pub use decision::{Commanded, DecidedAs, Decision};
pub use directory::{AgentEntry, DirectoryEntry, Entry, LinkEntry, UserEntry};
pub use error::Error;
pub use event::{
    Activated, Connection, EngineRaised, Event, EventKind, HeldCause, Linked, Observation, Outcome,
    PlatformHeld, PlatformResumed, RowClosed, TeamMoved, What,
};
pub use framing::{Buffer, Codec};
pub use position::Position;
pub use registry::{Credentials, Registry, RegistryError};
pub use rules::{Manifest, Part, RevisionRule, VocabularyPart};
pub use scalar::{Sha256, StateHash, Uuid};
pub use schema::{RELEASED, RecordSchema, Released, SchemaError};
pub use shared::{Addressee, Operator};
pub use snapshot::{SnapshotChunk, SnapshotState};
pub use state::State;
pub use wire::Record;

/// The most bytes that a record may have, framing and all.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
