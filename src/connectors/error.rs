//! Why a source or sink cannot go on.

use super::http;
use crate::domain::Remedy;
use crate::{bus, codec};

/// Why a source or sink cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// A record could not be read, and is not to be skipped.
    #[error("{partition}, offset {offset}: {why}")]
    Record {
        /// Where it is.
        partition: bus::TopicPartition,
        /// Its offset.
        offset: bus::Offset,
        /// Why it cannot be read.
        why: codec::Error,
    },
    /// A record could not be written or read.
    #[error(transparent)]
    Codec(#[from] codec::Error),
    /// Something that made a call has panicked.
    #[error("a call panicked, which is a bug: what it said stands above")]
    Panicked,
    /// The way to the platform.
    #[error(transparent)]
    Platform(#[from] http::Error),
}

impl Error {
    /// What to do about it.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Error::Bus(error) => error.remedy(),
            Error::Record { why, .. } | Error::Codec(why) => match why.remedy() {
                Remedy::Retry => Remedy::Retry,
                Remedy::Abort | Remedy::Reject | Remedy::Stop => Remedy::Stop,
            },
            Error::Panicked => Remedy::Stop,
            Error::Platform(error) => error.remedy(),
        }
    }
}
