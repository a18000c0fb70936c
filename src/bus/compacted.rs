//! Reading a compacted topic as a whole.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bus, Error, From, Reader, Records, TopicName, Until};

/// How long it is waited for records before it is looked whether the end has come.
const WAIT: Duration = Duration::from_millis(100);

/// The last value of each key that is wanted; what was deleted is not there. For topics of one partition.
///
/// # Errors
/// Those of the bus.
pub fn latest<B: Bus>(
    bus: &B,
    topic: &TopicName,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut reader = bus.reader(&[(topic.partition(0), From::Beginning)], Until::End)?;
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
