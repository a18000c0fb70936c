//! Reading a compacted topic as a whole.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::{Bus, Error, From, Reader, Records, TopicName, TopicPartition, Until};

/// How long it is waited for records before it is looked whether the end has come.
const WAIT: Duration = Duration::from_millis(100);
/// A commit is told to its writer before everybody sees it: a Kafka marks each partition afterwards. Whoever reads what he has
/// just written, or another has, waits for that; and so long for one who is still writing.
const DECIDED_WITHIN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(500);

/// The last value of each key that is wanted; what was deleted is not there. For topics of one partition.
///
/// # Errors
/// Those of the bus.
pub fn latest<B: Bus>(
    bus: &B,
    topic: &TopicName,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let partition = topic.partition(0);
    wait_until_decided(bus, &partition)?;
    let mut reader = bus.reader(&[(partition, From::Beginning)], Until::End)?;
    let mut all = BTreeMap::new();
    loop {
        let records = reader.read(WAIT)?;
        for record in records.iter() {
            let Some(key) = record.key.and_then(|key| std::str::from_utf8(key).ok()) else { continue };
            if !is_wanted(key) {
                continue;
            }
            match record.value {
                Some(value) => all.insert(key.to_owned(), value.to_vec()),
                None => all.remove(key),
            };
        }
        if records.is_empty() && reader.is_at_end() {
            return Ok(all);
        }
    }
}

fn wait_until_decided<B: Bus>(bus: &B, partition: &TopicPartition) -> Result<(), Error> {
    let (begun, mut pause) = (Instant::now(), LOOK_AGAIN);
    loop {
        let seen = bus.bounds(partition)?.end;
        let is_decided = bus.log_ends(std::slice::from_ref(partition))?.iter().all(|end| *end <= seen);
        if is_decided {
            return Ok(());
        }
        if begun.elapsed() >= DECIDED_WITHIN {
            tracing::warn!(%partition, "somebody is still writing this: what he has written is not read yet");
            return Ok(());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LOOK_AGAIN_MAX);
    }
}
