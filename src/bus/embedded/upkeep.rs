//! What is done by and by: old records go, compacted topics are compacted, members that are silent are given up.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use twox_hash::XxHash3_128;

use super::batch::{self, Draft, Head};
use super::owner::{Core, End, Fsync, Known, Owner, head};
use super::store::{Changes, Fault, Place, Store};
use crate::bus::{Error, Kept, Offset, TopicName, TopicPartition};
use crate::domain::{DurationMs, TimeMs};

/// How often it is looked what there is to do.
const EVERY: Duration = Duration::from_secs(10);
/// A record that deletes a key stays for so long, so that who is reading meanwhile hears of it.
const DELETED_FOR: DurationMs = DurationMs::from_seconds(24 * 60 * 60);
/// A partition that got fewer bytes since it was compacted last is left as it is.
const DIRTY_BYTES_MIN: u64 = 8 << 20;
/// So many bytes are read, or batches are deleted, at once.
const STEP_BYTES: usize = 4 << 20;

/// How large partitions were when they were compacted last: bytes that had been appended, and bytes that were left.
pub(super) type Compacted = HashMap<Place, (u64, u64)>;

/// Does it until the owner is over.
pub(super) fn start(owner: &Arc<Owner>) -> std::io::Result<JoinHandle<()>> {
    let owner = Arc::downgrade(owner);
    std::thread::Builder::new().name("upkeep".to_owned()).spawn(move || run(&owner))
}

fn run(owner: &Weak<Owner>) {
    let mut compacted = Compacted::new();
    let mut tended = Instant::now();
    let mut told = None;
    while let Some(owner) = owner.upgrade() {
        let every = match owner.settings.fsync {
            Fsync::EachCommit => EVERY,
            Fsync::Every(every) => every.min(EVERY),
        };
        {
            let core = owner.core();
            let is_going = |core: &mut Core| !core.is_over;
            let core = owner.changed.wait_timeout_while(core, every, is_going);
            if core.unwrap_or_else(PoisonError::into_inner).0.is_over {
                return;
            }
        }
        let mut done = owner.sync_now();
        if done.is_ok() && tended.elapsed() >= EVERY {
            tended = Instant::now();
            done = owner.tend(&mut compacted);
        }
        // A trouble that lasts is told once.
        let trouble = done.err().map(|error| error.to_string());
        if let Some(trouble) = trouble.as_ref().filter(|trouble| told.as_ref() != Some(*trouble)) {
            tracing::warn!("{trouble}");
        }
        told = trouble;
    }
}

impl Owner {
    fn sync_now(&self) -> Result<(), Error> {
        if self.settings.fsync == Fsync::EachCommit || self.store().is_none() {
            return Ok(());
        }
        let synced = self.reading("writing to disk", Store::sync);
        if synced.is_err() {
            self.close_store();
        }
        synced
    }

    /// One round of all that is done by and by.
    pub(super) fn tend(&self, compacted: &mut Compacted) -> Result<(), Error> {
        let before = self.core().groups.changes();
        self.core().groups.give_up_the_silent(Instant::now());
        if self.core().groups.changes() != before {
            self.changed.notify_all();
        }
        if self.store().is_none() {
            let mut core = self.core();
            self.has_room("opening the directory again", 0)?;
            self.open_again(&mut core, "opening the directory again")?;
        }
        // One that fails keeps the others from nothing.
        let mut first = Ok(());
        for (at, kept, place, end) in self.partitions() {
            if self.core().is_over {
                return Ok(());
            }
            let done = self.tend_one(&at, kept, (place, end), compacted);
            first = first.and(done);
        }
        first
    }

    fn tend_one(
        &self,
        at: &TopicPartition,
        kept: Kept,
        (place, end): (Place, End),
        compacted: &mut Compacted,
    ) -> Result<(), Error> {
        match kept {
            Kept::Days(days) => {
                let oldest = (self.settings.clock)() - DurationMs::from_seconds(i64::from(days) * 86_400);
                self.delete_old(at, place, oldest)?;
            }
            Kept::Compacted => {
                let (upto, left) = compacted.get(&place).copied().unwrap_or_default();
                if end.bytes - upto.min(end.bytes) >= left.max(DIRTY_BYTES_MIN) {
                    let left = self.compact_partition(at, place, end)?;
                    compacted.insert(place, (end.bytes, left));
                }
            }
        }
        Ok(())
    }

    /// Compacts a topic now.
    pub(super) fn compact(&self, topic: &TopicName) -> Result<(), Error> {
        if !self.core().topics.contains_key(topic) {
            return Err(Error::UnknownTopic(topic.clone()));
        }
        for (at, kept, place, end) in self.partitions() {
            if at.topic == *topic && kept == Kept::Compacted {
                self.compact_partition(&at, place, end)?;
            }
        }
        Ok(())
    }

    fn partitions(&self) -> Vec<(TopicPartition, Kept, Place, End)> {
        let core = self.core();
        let of = |(name, known): (&TopicName, &Known)| {
            let (name, kept) = (name.clone(), known.made.spec.kept);
            let places: Vec<_> = (0..)
                .zip(&known.partitions)
                .map(|(partition, end)| (name.partition(partition), kept, known.place(partition), *end))
                .collect();
            places
        };
        core.topics.iter().flat_map(of).collect()
    }

    /// Deletes batches of a partition that are older, or too many. The last one stays: it says where the partition ends.
    fn delete_old(&self, at: &TopicPartition, place: Place, oldest: TimeMs) -> Result<(), Error> {
        let operation = format!("deleting old records of {at}");
        // Mostly the first shows that there is nothing to do.
        let mut step = 1;
        loop {
            let (_, end) = self.core().find(at)?;
            let bytes_max = self.settings.partition_bytes_max.unwrap_or(u64::MAX);
            let (gone, start) = self.reading(&operation, |store| {
                let batches = store.batches(place, end.start.0..=u64::MAX, |bytes| bytes >= step)?;
                let (mut gone, mut start) = (Vec::new(), end.start);
                for batch in &batches {
                    let head = head(store, place, batch)?;
                    let is_too_many = end.bytes - head.bytes_before.min(end.bytes) > bytes_max;
                    if head.next >= end.next || !(head.appended_at < oldest || is_too_many) {
                        break;
                    }
                    gone.push((place, head.first));
                    start = head.next;
                }
                Ok((gone, start))
            })?;
            if gone.is_empty() {
                return Ok(());
            }
            step = STEP_BYTES;
            // First nobody reads them any more, then they go.
            if let Some(known) = self.core().topics.get_mut(&at.topic)
                && let Some(end) = known.partitions.get_mut(at.partition.0 as usize)
            {
                end.start = start;
            }
            tracing::debug!(partition = %at, batches = gone.len(), start = start.0, "old records deleted");
            self.write(&operation, Changes { gone, ..Changes::default() }, false)?;
        }
    }

    /// Deletes records of whose key there is a later one. Tells how many bytes are left.
    fn compact_partition(&self, at: &TopicPartition, place: Place, end: End) -> Result<u64, Error> {
        let operation = format!("compacting {at}");
        let begun = Instant::now();
        let mut last: HashMap<u128, Offset> = HashMap::new();
        self.each_batch(&operation, place, end, |head, entries, batch| {
            for entry in entries {
                last.insert(XxHash3_128::oneshot(batch::key(batch, entry)), batch::offset(head, entry));
            }
            Ok(())
        })?;
        let deleted_before = (self.settings.clock)() - DELETED_FOR;
        let (mut left, mut changes, mut bytes, mut records) = (0_u64, Changes::default(), 0, (0, 0));
        self.each_batch(&operation, place, end, |head, entries, batch| {
            let is_kept = |entry: &&batch::Entry| {
                let key = XxHash3_128::oneshot(batch::key(batch, entry));
                last.get(&key) == Some(&batch::offset(head, entry))
                    && (!batch::deletes(entry) || head.appended_at >= deleted_before)
            };
            let mut draft = Draft::new();
            entries.iter().filter(is_kept).for_each(|entry| draft.keep(entry, batch));
            records = (records.0 + entries.len(), records.1 + draft.records() as usize);
            let is_last = head.next >= end.next;
            if draft.records() == head.records {
                left += batch.len() as u64;
            } else if draft.records() == 0 && !is_last {
                changes.gone.push((place, head.first));
            } else {
                let head = Head { records: draft.records(), ..*head };
                let mut compacted = draft.into_bytes();
                batch::seal(&mut compacted, &head);
                left += compacted.len() as u64;
                bytes += compacted.len();
                changes.batches.push((place, head.first, compacted));
            }
            if bytes < STEP_BYTES && changes.gone.len() < STEP_BYTES / 1024 {
                return Ok(());
            }
            bytes = 0;
            let changes = std::mem::take(&mut changes);
            self.has_room(&operation, STEP_BYTES)?;
            self.write(&operation, changes, false)
        })?;
        self.write(&operation, changes, false)?;
        let took_ms = begun.elapsed().as_millis() as u64;
        tracing::info!(partition = %at, records = records.0, left = records.1, took_ms, "compacted");
        Ok(left)
    }

    /// Walks through the batches of a partition as far as it went when this began.
    fn each_batch(
        &self,
        operation: &str,
        place: Place,
        end: End,
        mut each: impl FnMut(&Head, &[batch::Entry], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(last) = end.next.0.checked_sub(1) else { return Ok(()) };
        let mut from = 0;
        while from <= last {
            let batches = self
                .reading(operation, |store| store.batches(place, from..=last, |bytes| bytes >= STEP_BYTES))?;
            if batches.is_empty() {
                return Ok(());
            }
            for bytes in &batches {
                let (head, entries) = batch::entries(bytes).map_err(|damage| {
                    let why = format!("the batch at offset {from}: {damage}");
                    let place = self.store().as_ref().map(|store| store.locate(place, Offset(from)));
                    self.failed(operation, Fault::Damaged { place: place.unwrap_or_default(), why })
                })?;
                each(&head, &entries, bytes)?;
                from = head.first.0 + 1;
            }
        }
        Ok(())
    }
}
