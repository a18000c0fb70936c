//! Why a record could not be written or read, and what to do about it.

use super::bytes::Malformed;
use super::registry::RegistryError;
use super::schema::SchemaError;
use super::{DeadCause, RECORD_BYTES_MAX};
use crate::domain::Remedy;

/// Why a record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is larger than a record may be.
    #[error("a record of {0} bytes is larger than the {RECORD_BYTES_MAX} that one may have")]
    TooLarge(usize),
    /// It is empty, or begins neither as the Confluent wire format nor as Avro single-object encoding does.
    #[error("it begins neither as the Confluent wire format nor as Avro single-object encoding does")]
    Framing,
    /// No released schema has this fingerprint.
    #[error(
        "no schema with the fingerprint {0:016x} is known: it was written by another program, or by a newer Lockstep without a schema registry (upgrade this one first)"
    )]
    UnknownFingerprint(u64),
    /// The record names a schema by its id in a registry, and there is no registry.
    #[error("its schema has id {0} in a schema registry, and none is configured: set schema_registry")]
    NoRegistry(i32),
    /// The schema with this id is not at hand yet: [`super::Codec::load`] fetches it.
    #[error("the schema with id {0} is not loaded yet")]
    NotLoaded(i32),
    /// The registry has no schema with this id.
    #[error("the schema registry has no schema with id {0}")]
    UnknownId(i32),
    /// The schema cannot be used.
    #[error("its schema cannot be used: {0}")]
    Schema(#[from] SchemaError),
    /// The bytes are no record of their schema.
    #[error("it is no {record}: {why}")]
    Malformed {
        /// What it should be.
        record: &'static str,
        /// Why it is not.
        why: Malformed,
    },
    /// The bytes are no record of their schema, which is another version than ours.
    #[error("it is no {record}: {why}")]
    MalformedVersion {
        /// What it should be.
        record: &'static str,
        /// Why it is not.
        why: String,
    },
    /// It is of a kind that only a newer Lockstep knows.
    #[error("this {record} is of the kind {kind}, which only a newer Lockstep knows: upgrade this one")]
    UnknownKind {
        /// The record.
        record: &'static str,
        /// The kind.
        kind: String,
    },
    /// It was written by a newer engine version.
    #[error("this {record} was written by engine version {found}, and this one has {ours}: upgrade this one")]
    NewerEngine {
        /// The record.
        record: &'static str,
        /// The version that wrote it.
        found: u16,
        /// The version that reads it.
        ours: u16,
    },
    /// The system gives no means to ask the registry.
    #[error("the schema registry cannot be asked: {0}")]
    NoRuntime(std::io::Error),
    /// The registry could not be asked.
    #[error("the schema registry: {0}")]
    Registry(Box<RegistryError>),
}

impl From<RegistryError> for Error {
    fn from(error: RegistryError) -> Self {
        Error::Registry(Box::new(error))
    }
}

impl Error {
    /// What to do about it.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Error::TooLarge(_)
            | Error::Framing
            | Error::UnknownFingerprint(_)
            | Error::UnknownId(_)
            | Error::Malformed { .. }
            | Error::MalformedVersion { .. } => Remedy::Reject,
            // The next record may be in a good schema, and would not be read either.
            Error::Schema(SchemaError::TooMany) => Remedy::Stop,
            Error::Schema(_) => Remedy::Reject,
            Error::NotLoaded(_) | Error::NoRuntime(_) => Remedy::Retry,
            Error::UnknownKind { .. } | Error::NewerEngine { .. } | Error::NoRegistry(_) => Remedy::Stop,
            Error::Registry(error) => error.remedy(),
        }
    }

    /// The class it has as a dead letter.
    pub const fn cause(&self) -> DeadCause {
        match self {
            Error::TooLarge(_) => DeadCause::TooLarge,
            Error::Framing => DeadCause::Framing,
            Error::Malformed { why: Malformed::Value(_), .. } => DeadCause::Contradiction,
            Error::Malformed { .. } | Error::MalformedVersion { .. } => DeadCause::Malformed,
            Error::UnknownKind { .. } | Error::NewerEngine { .. } => DeadCause::Unknown,
            Error::UnknownFingerprint(_)
            | Error::NoRegistry(_)
            | Error::NotLoaded(_)
            | Error::UnknownId(_)
            | Error::Schema(_)
            | Error::NoRuntime(_)
            | Error::Registry(_) => DeadCause::Schema,
        }
    }

    /// What is wrong with a record.
    pub(super) fn of(record: &'static str, why: Malformed) -> Error {
        match why {
            Malformed::Kind(kind) => Error::UnknownKind { record, kind },
            Malformed::NewerEngine(found) => {
                Error::NewerEngine { record, found, ours: crate::engine::VERSION }
            }
            why => Error::Malformed { record, why },
        }
    }
}
