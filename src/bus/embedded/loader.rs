//! Filling a new directory with what another bus has, at the same offsets and with the same times.

use std::ops::Range;

use super::batch::{self, Draft, Head};
use super::owner::End;
use super::store::{Changes, Place, Store};
use super::{Embedded, Ours};
use crate::bus::{Bus, Error, Header, Loader, Offset, Record, TopicPartition, TopicSpec};
use crate::domain::TimeMs;

/// A batch has about so many bytes at most.
const BATCH_BYTES: usize = 64 << 10;
/// So many bytes are written at once.
const STEP_BYTES: usize = 4 << 20;
const COPYING: &str = "copying to a directory";

/// Fills a new directory.
pub struct EmbeddedLoader {
    embedded: Embedded,
    filling: Option<Filling>,
    changes: Changes,
    changes_bytes: usize,
}

/// A partition that is being filled.
struct Filling {
    at: TopicPartition,
    place: Place,
    bounds: Range<Offset>,
    /// Where the next batch begins: there is none yet, or the one before it ended there.
    next: Offset,
    appended_at: TimeMs,
    bytes: u64,
    draft: Draft,
}

impl EmbeddedLoader {
    pub(super) fn new(embedded: Embedded, specs: &[TopicSpec]) -> Result<EmbeddedLoader, Error> {
        let loader =
            EmbeddedLoader { embedded, filling: None, changes: Changes::default(), changes_bytes: 0 };
        let directory = &loader.embedded.directory;
        if !loader.ours()?.owner.core().topics.is_empty() {
            return Err(Error::Refused {
                operation: format!("copying to {}", directory.path.display()),
                why: "there is something in it already".to_owned(),
                mend: "name a directory that is absent or empty".to_owned(),
            });
        }
        directory.mark_unfinished()?;
        loader.embedded.create(specs)?;
        Ok(loader)
    }

    fn ours(&self) -> Result<&Ours, Error> {
        self.embedded.ours.as_deref().ok_or_else(|| Error::Closed { operation: COPYING.to_owned() })
    }

    /// Ends the batch that is being made, where the next one begins.
    fn seal(&mut self, filling: &mut Filling, next: Offset) {
        let draft = std::mem::replace(&mut filling.draft, Draft::new());
        let head = Head {
            appended_at: filling.appended_at,
            first: filling.next,
            next,
            bytes_before: filling.bytes,
            records: draft.records(),
        };
        let mut bytes = draft.into_bytes();
        batch::seal(&mut bytes, &head);
        filling.next = next;
        filling.bytes += bytes.len() as u64;
        self.changes_bytes += bytes.len();
        self.changes.batches.push((filling.place, head.first, bytes));
    }

    fn write(&mut self) -> Result<(), Error> {
        let changes = std::mem::take(&mut self.changes);
        let bytes = std::mem::take(&mut self.changes_bytes);
        let owner = &self.ours()?.owner;
        owner.has_room(COPYING, bytes)?;
        owner.write(COPYING, changes, false)
    }
}

impl Loader for EmbeddedLoader {
    fn begin(&mut self, at: &TopicPartition, bounds: Range<Offset>) -> Result<(), Error> {
        let (place, _) = self.ours()?.owner.core().find(at)?;
        self.filling = Some(Filling {
            at: at.clone(),
            place,
            next: bounds.start,
            bounds,
            appended_at: TimeMs::ZERO,
            bytes: 0,
            draft: Draft::new(),
        });
        Ok(())
    }

    fn add(&mut self, record: &Record<'_>, headers: &[Header<'_>]) -> Result<(), Error> {
        let Some(mut filling) = self.filling.take() else { return Ok(()) };
        // However clocks were set, times never fall.
        let at = record.appended_at.unwrap_or(filling.appended_at).max(filling.appended_at);
        let is_begun = filling.draft.records() > 0;
        if is_begun && (at != filling.appended_at || filling.draft.len() >= BATCH_BYTES) {
            self.seal(&mut filling, record.offset);
        }
        filling.appended_at = at;
        let delta = record.offset.0.saturating_sub(filling.next.0);
        filling.draft.add_at(
            delta,
            record.key.unwrap_or_default(),
            record.value,
            headers.iter().map(|header| (header.name.as_bytes(), header.value)),
        );
        self.filling = Some(filling);
        if self.changes_bytes >= STEP_BYTES { self.write() } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(mut filling) = self.filling.take() else { return Ok(()) };
        let end = filling.bounds.end.max(Offset(filling.next.0 + filling.draft.span()));
        // Even one without records says where the partition ends.
        if end.0 > 0 {
            self.seal(&mut filling, end);
        }
        self.write()?;
        let start = if filling.place.is_compacted { Offset(0) } else { filling.bounds.start };
        let end = End { start, next: end, appended_at: filling.appended_at, bytes: filling.bytes };
        let mut core = self.ours()?.owner.core();
        let known = core.topics.get_mut(&filling.at.topic);
        if let Some(known) = known.and_then(|known| known.partitions.get_mut(filling.at.partition.0 as usize))
        {
            *known = end;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Error> {
        self.ours()?.owner.reading("writing to disk", Store::sync)?;
        self.embedded.directory.mark_finished()
    }
}
