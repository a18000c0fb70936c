//! What operators say, on its way into the log: revisions of the rules, their activation, and links.
//!
//! Everything is written by one producer, `PREFIX.control`, in one transaction for each command: who becomes it fences
//! the one before, so that two operators cannot mix. What a processor needs of it is [`Revisions`]: it loads what was
//! activated.

mod activations;
mod directory;
mod error;
mod revisions;

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256 as Hasher};

use crate::bus::{Bus, Outgoing, Partition, Topic, TopicName, TopicsPlan, Writer};
use crate::codec::{Buffer, Codec, Event, Record, Sha256, What};
use crate::domain::{AgentId, TimeMs};
use crate::engine;

pub use activations::Activation;
pub use directory::{Forgotten, Imported, Known, directory_in_log};
pub use error::Error;
pub use revisions::{Revisions, Saved};

/// The topics that control writes, in the order in which its writer knows them.
const TOPICS: [Topic; 3] = [Topic::Events, Topic::Rules, Topic::Directory];

/// Writes what operators say.
pub struct Control<'c, B: Bus> {
    bus: &'c B,
    codec: &'c Codec,
    plan: &'c TopicsPlan,
    writer: B::Writer,
    buffer: Buffer,
}

impl<'c, B: Bus> Control<'c, B> {
    /// Becomes the one who writes as control. Another one is fenced from now on.
    ///
    /// # Errors
    /// A topic is missing, or the bus cannot be reached.
    pub fn begin(bus: &'c B, codec: &'c Codec, plan: &'c TopicsPlan) -> Result<Self, Error> {
        let topics: Vec<TopicName> = TOPICS.iter().map(|topic| plan.name(*topic)).collect();
        // With another count events would go to other partitions than a processor looks for them, or miss some.
        let events = plan.name(Topic::Events);
        if let Some(Some(found)) = bus.describe(std::slice::from_ref(&events))?.pop()
            && found.partitions != plan.partitions
        {
            let (found, configured) = (found.partitions, plan.partitions);
            return Err(Error::Partitions { topic: events, found, configured });
        }
        let writer = bus.writer(&format!("{}.control", plan.prefix), &topics)?;
        Ok(Control { bus, codec, plan, writer, buffer: Buffer::new() })
    }

    /// Adds a record to the transaction.
    fn put<'b, R: Record<'b>>(
        &mut self,
        (topic, partition): (Topic, u32),
        key: &str,
        record: &R,
    ) -> Result<(), Error> {
        self.buffer.clear();
        self.codec.encode(record, &mut self.buffer)?;
        let value = self.buffer.as_slice();
        self.writer.add(&outgoing(topic, partition, key, Some(value)))?;
        Ok(())
    }

    /// Adds an event to the transaction, to one partition.
    fn put_event(&mut self, partition: u32, event: &Event<'_>) -> Result<(), Error> {
        self.put((Topic::Events, partition), &event.key(), event)
    }

    /// Commits what was added, or nothing of it.
    fn commit(&mut self) -> Result<(), Error> {
        self.writer.commit(None).map_err(|error| {
            // Told as it is: what was undecided is looked up by who tries again.
            let _ = self.writer.abort();
            Error::from(error)
        })
    }
}

fn outgoing<'b>(topic: Topic, partition: u32, key: &'b str, value: Option<&'b [u8]>) -> Outgoing<'b> {
    let topic = TOPICS.iter().position(|one| *one == topic).unwrap_or_default();
    Outgoing { topic, partition: Partition(partition), key: key.as_bytes(), value, headers: &[] }
}

/// An event of control's.
fn event<'b>(what: What<'b>, agent: Option<AgentId>, at: TimeMs, number: u64) -> Event<'b> {
    let mut seed = Hasher::new();
    seed.update(now_ns().to_be_bytes());
    seed.update(number.to_be_bytes());
    seed.update(agent.map(|agent| *agent.as_bytes()).unwrap_or_default());
    Event {
        id: Sha256(seed.finalize().into()).uuid(),
        agent,
        account: None,
        written_at: at,
        writer: Cow::Borrowed("control"),
        engine_version: engine::VERSION,
        what,
    }
}

fn now_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

/// The time by this machine's clock.
fn now() -> TimeMs {
    TimeMs::from_unix_ms(i64::try_from(now_ns() / 1_000_000).unwrap_or(i64::MAX))
}
