//! Records as they are read.

use std::path::Path;

use fjall::Slice;

use super::batch::{self, Entry, Head};
use super::owner::damaged;
use crate::bus::{Error, Header, Offset, Record, Records, TopicPartition};

/// Records that were read together, as they lie in memory.
#[derive(Debug, Default)]
pub struct EmbeddedRecords {
    batches: Vec<Batch>,
    rows: Vec<(u32, Entry)>,
}

#[derive(Debug)]
struct Batch {
    place: TopicPartition,
    bytes: Slice,
    head: Head,
}

impl EmbeddedRecords {
    /// Adds a batch, without those records that come before an offset. Tells which offset comes after it.
    pub(super) fn add(
        &mut self,
        directory: &Path,
        place: &TopicPartition,
        bytes: Slice,
        from: Offset,
    ) -> Result<Offset, Error> {
        let (head, entries) = batch::entries(&bytes).map_err(|damage| {
            let why = format!("its bytes are not those that were written: {damage}");
            damaged(format!("reading {place} from offset {from}"), why, directory)
        })?;
        let number = self.batches.len() as u32;
        let wanted = entries.into_iter().filter(|entry| batch::offset(&head, entry) >= from);
        self.rows.extend(wanted.map(|entry| (number, entry)));
        self.batches.push(Batch { place: place.clone(), bytes, head });
        Ok(head.next)
    }

    fn row(&self, index: usize) -> Option<(&Batch, &Entry)> {
        let (batch, entry) = self.rows.get(index)?;
        Some((self.batches.get(*batch as usize)?, entry))
    }
}

impl Records for EmbeddedRecords {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn get(&self, index: usize) -> Option<Record<'_>> {
        let (batch, entry) = self.row(index)?;
        Some(batch::record(&batch.bytes, &batch.head, entry, batch.place.partition))
    }

    fn topic(&self, index: usize) -> Option<&str> {
        let (batch, _) = self.row(index)?;
        Some(batch.place.topic.as_str())
    }

    fn headers(&self, index: usize) -> Vec<Header<'_>> {
        self.row(index).map(|(batch, entry)| batch::headers(&batch.bytes, entry)).unwrap_or_default()
    }
}
