//! What a platform brings to the loop of an account: how it is read, and how it is written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lease::Lease;
use super::outbox::Outbox;
use super::sink::Setter;
use crate::bus::Topic;
use crate::codec::{self, Codec, Position};
use crate::connectors::Observer;

/// A platform, as one account of it is read and written.
pub trait Edge: Send + Sync {
    /// How it is read.
    type Source: Source;

    /// The topic of its commands.
    const COMMANDS: Topic;

    /// How it is read from there, while this process has the account.
    fn source(&self, position: Option<&Position<'_>>, observer: Arc<dyn Observer>) -> Self::Source;

    /// How it is written, under a lease; none where something else does that.
    fn setter(&self, lease: Arc<Lease>) -> Option<Arc<dyn Setter>>;
}

/// What is asked of an account, and what of the answers is published.
pub trait Source: Send {
    /// What comes back.
    type Answer: Send + 'static;

    /// Whether it is to be told the events of all agents, which others may have published: then it publishes none of them again.
    const HEARS_EVENTS: bool;

    /// How long it is until something is to be asked; none while something is.
    fn wait(&self, now: Instant) -> Option<Duration>;

    /// Takes a record of the directory.
    ///
    /// # Errors
    /// It cannot be read, or what follows from it cannot be written.
    fn take_link(
        &mut self,
        codec: &Codec,
        record: (Option<&[u8]>, Option<&[u8]>),
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error>;

    /// Takes an event that others have published.
    ///
    /// # Errors
    /// It needs a schema that cannot be had now.
    fn take_event(&mut self, codec: &Codec, value: &[u8]) -> Result<(), codec::Error>;

    /// The next question, where one is due. Whoever asks it brings back the answer.
    fn ask(&mut self) -> Option<impl Future<Output = Self::Answer> + Send + 'static>;

    /// Takes an answer. Says whether the platform answers again that was away.
    ///
    /// # Errors
    /// What follows from it cannot be written.
    fn take(&mut self, answer: Self::Answer, outbox: &mut Outbox) -> Result<bool, codec::Error>;
}
