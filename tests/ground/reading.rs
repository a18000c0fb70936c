//! Topics, read to their end.

use std::time::{Duration, Instant};

use lockstep::bus::{Bus, From, Reader, Record, Records, TopicName, Until};

use crate::waiting::{PATIENCE, patiently};

/// Takes all records of a topic, those of a partition in their order.
pub(crate) fn read(bus: &impl Bus, topic: &TopicName, partitions: u32, mut take: impl FnMut(Record<'_>)) {
    let starts: Vec<_> = (0..partitions).map(|number| (topic.partition(number), From::Beginning)).collect();
    let mut reader = patiently("reading", || bus.reader(&starts, Until::End));
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the end of {topic} does not come");
        let records = patiently("reading", || reader.read(Duration::from_millis(50)));
        records.iter().for_each(&mut take);
        if records.is_empty() && reader.is_at_end() {
            return;
        }
    }
}
