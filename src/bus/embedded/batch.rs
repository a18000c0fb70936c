//! How records lie on disk: those that a transaction wrote to a partition, one after the other, behind a head with a
//! checksum.
//!
//! ```text
//! head     checksum of all that follows (8 bytes), append time in ms since 1970 (8), offset of the first record (8), offset
//!          after the last (8), bytes of the partition's batches before this one (8), number of records (4)
//! record   offset less the first (varint), key, value (its length and 1, or 0 for none), number of headers (varint), each
//!          with name and value; a text or bytes: its length (varint), and it
//! ```
//! Numbers are little-endian. A batch that was compacted keeps its offsets and has fewer records.

use std::ops::Range;

use twox_hash::XxHash3_64;

use crate::bus::{Header, Offset, Outgoing, Partition, Record};
use crate::domain::TimeMs;

/// So many bytes a head has.
pub(super) const HEAD_BYTES: usize = 44;

/// What a batch's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// When it was appended.
    pub(super) appended_at: TimeMs,
    /// The offset of its first record, as it was written.
    pub(super) first: Offset,
    /// The offset after its last record.
    pub(super) next: Offset,
    /// So many bytes had been appended to the partition before it.
    pub(super) bytes_before: u64,
    /// So many records are in it.
    pub(super) records: u32,
}

/// Why bytes are no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    /// There are fewer bytes than there must be.
    #[error("it ends too early")]
    Short,
    /// The bytes are not those that were written.
    #[error("its checksum is not that of its bytes")]
    Checksum,
}

/// Where a record's parts lie in its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    delta: u64,
    key: Range<u32>,
    value: Option<Range<u32>>,
    headers: Range<u32>,
}

/// A batch that is being made. Offsets count from its own beginning until it is appended.
#[derive(Debug)]
pub(super) struct Draft {
    bytes: Vec<u8>,
    records: u32,
    /// The offset after the last record, less the first.
    span: u64,
}

impl Draft {
    pub(super) fn new() -> Draft {
        Draft { bytes: vec![0; HEAD_BYTES], records: 0, span: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record, with the next offset.
    pub(super) fn add(&mut self, record: &Outgoing<'_>) {
        let headers = record.headers.iter().map(|header| (header.name.as_bytes(), header.value));
        self.add_at(self.span, record.key, record.value, headers);
    }

    /// Adds a record of another batch, which keeps its distance from that one's first.
    pub(super) fn keep(&mut self, entry: &Entry, batch: &[u8]) {
        let headers = headers(batch, entry);
        let headers = headers.iter().map(|header| (header.name.as_bytes(), header.value));
        let value = entry.value.as_ref().map(|range| part(batch, range));
        self.add_at(entry.delta, part(batch, &entry.key), value, headers);
    }

    /// Adds a record so far behind the first offset of the batch.
    pub(super) fn add_at<'b>(
        &mut self,
        delta: u64,
        key: &[u8],
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = (&'b [u8], &'b [u8])>,
    ) {
        let into = &mut self.bytes;
        number(into, delta);
        text(into, key);
        match value {
            None => into.push(0),
            Some(value) => {
                number(into, value.len() as u64 + 1);
                into.extend_from_slice(value);
            }
        }
        number(into, headers.len() as u64);
        for (name, value) in headers {
            text(into, name);
            text(into, value);
        }
        self.span = delta + 1;
        self.records += 1;
    }

    /// How many offsets it takes.
    pub(super) const fn span(&self) -> u64 {
        self.span
    }

    pub(super) const fn records(&self) -> u32 {
        self.records
    }

    /// As it lies on disk, without its head.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Writes a head before the records of a draft.
pub(super) fn seal(batch: &mut [u8], head: &Head) {
    let fields = [
        head.appended_at.as_unix_ms().to_le_bytes(),
        head.first.0.to_le_bytes(),
        head.next.0.to_le_bytes(),
        head.bytes_before.to_le_bytes(),
    ];
    let Some((bytes, _)) = batch.split_at_mut_checked(HEAD_BYTES) else { return };
    for (number, field) in fields.iter().enumerate() {
        if let Some(place) = bytes.get_mut(8 + number * 8..16 + number * 8) {
            place.copy_from_slice(field);
        }
    }
    if let Some(place) = bytes.get_mut(40..) {
        place.copy_from_slice(&head.records.to_le_bytes());
    }
    let sum = checksum(batch);
    if let Some(place) = batch.get_mut(..8) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

fn checksum(batch: &[u8]) -> u64 {
    XxHash3_64::oneshot(batch.get(8..).unwrap_or_default())
}

/// What a batch's head says; its records are not looked at.
pub(super) fn head(batch: &[u8]) -> Result<Head, Damage> {
    let head = batch.get(..HEAD_BYTES).ok_or(Damage::Short)?;
    let number = |at: usize| -> Result<u64, Damage> {
        let bytes = head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).ok_or(Damage::Short)?;
        Ok(u64::from_le_bytes(bytes))
    };
    let records = head.get(40..).and_then(|bytes| bytes.try_into().ok()).ok_or(Damage::Short)?;
    Ok(Head {
        appended_at: TimeMs::from_unix_ms(number(8)? as i64),
        first: Offset(number(16)?),
        next: Offset(number(24)?),
        bytes_before: number(32)?,
        records: u32::from_le_bytes(records),
    })
}

/// The records of a batch, once its bytes were found to be those that were written.
pub(super) fn entries(batch: &[u8]) -> Result<(Head, Vec<Entry>), Damage> {
    let head = head(batch)?;
    let written = batch.get(..8).and_then(|bytes| bytes.try_into().ok()).ok_or(Damage::Short)?;
    if u64::from_le_bytes(written) != checksum(batch) {
        return Err(Damage::Checksum);
    }
    let mut from = Cursor { batch, at: HEAD_BYTES };
    let mut entries = Vec::with_capacity(head.records.min(1 << 16) as usize);
    for _ in 0..head.records {
        entries.push(from.entry()?);
    }
    Ok((head, entries))
}

/// A record of a batch.
pub(super) fn record<'b>(batch: &'b [u8], head: &Head, entry: &Entry, partition: Partition) -> Record<'b> {
    Record {
        partition,
        offset: offset(head, entry),
        appended_at: Some(head.appended_at),
        key: Some(part(batch, &entry.key)),
        value: entry.value.as_ref().map(|range| part(batch, range)),
    }
}

/// A record's offset.
pub(super) const fn offset(head: &Head, entry: &Entry) -> Offset {
    Offset(head.first.0.saturating_add(entry.delta))
}

/// A record's key.
pub(super) fn key<'b>(batch: &'b [u8], entry: &Entry) -> &'b [u8] {
    part(batch, &entry.key)
}

/// Whether a record deletes what was said of its key.
pub(super) const fn deletes(entry: &Entry) -> bool {
    entry.value.is_none()
}

/// A record's headers.
pub(super) fn headers<'b>(batch: &'b [u8], entry: &Entry) -> Vec<Header<'b>> {
    let mut from = Cursor { batch, at: entry.headers.start as usize };
    let mut headers = Vec::new();
    // It was walked through once when it was read.
    for _ in 0..from.number().unwrap_or_default() {
        let (Ok(name), Ok(value)) = (from.text(), from.text()) else { break };
        let name = std::str::from_utf8(part(batch, &name)).unwrap_or_default();
        headers.push(Header { name, value: part(batch, &value) });
    }
    headers
}

fn part<'b>(batch: &'b [u8], range: &Range<u32>) -> &'b [u8] {
    batch.get(range.start as usize..range.end as usize).unwrap_or_default()
}

struct Cursor<'b> {
    batch: &'b [u8],
    at: usize,
}

impl Cursor<'_> {
    fn entry(&mut self) -> Result<Entry, Damage> {
        let delta = self.number()?;
        let key = self.text()?;
        let value = match self.number()? {
            0 => None,
            length => Some(self.bytes(length - 1)?),
        };
        let begin = self.at as u32;
        for _ in 0..self.number()? {
            self.text()?;
            self.text()?;
        }
        Ok(Entry { delta, key, value, headers: begin..self.at as u32 })
    }

    fn text(&mut self) -> Result<Range<u32>, Damage> {
        let length = self.number()?;
        self.bytes(length)
    }

    fn bytes(&mut self, length: u64) -> Result<Range<u32>, Damage> {
        let begin = self.at;
        let end = usize::try_from(length).ok().and_then(|length| begin.checked_add(length));
        let end = end.filter(|end| *end <= self.batch.len()).ok_or(Damage::Short)?;
        self.at = end;
        let range = |at: usize| u32::try_from(at).map_err(|_| Damage::Short);
        Ok(range(begin)?..range(end)?)
    }

    fn number(&mut self) -> Result<u64, Damage> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.batch.get(self.at).ok_or(Damage::Short)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damage::Short)
    }
}

fn number(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn text(into: &mut Vec<u8>, bytes: &[u8]) {
    number(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Known = (Vec<u8>, Option<Vec<u8>>, Vec<(String, Vec<u8>)>);

    fn written(records: &[Known]) -> Vec<u8> {
        let mut draft = Draft::new();
        for (key, value, all) in records {
            let all: Vec<Header<'_>> = all.iter().map(|(name, value)| Header { name, value }).collect();
            draft.add(&Outgoing {
                topic: 0,
                partition: Partition(0),
                key,
                value: value.as_deref(),
                headers: &all,
            });
        }
        let head = Head {
            appended_at: TimeMs::from_unix_ms(1_753_000_000_123),
            first: Offset(70),
            next: Offset(70 + draft.span()),
            bytes_before: 9,
            records: draft.records(),
        };
        let mut batch = draft.into_bytes();
        seal(&mut batch, &head);
        assert_eq!(super::head(&batch), Ok(head));
        batch
    }

    fn read(batch: &[u8]) -> Result<Vec<(u64, Known)>, Damage> {
        let (head, entries) = entries(batch)?;
        let all = entries.iter().map(|entry| {
            let record = record(batch, &head, entry, Partition(0));
            let all = headers(batch, entry).iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect();
            let key = record.key.unwrap_or_default().to_vec();
            (record.offset.0, (key, record.value.map(<[u8]>::to_vec), all))
        });
        Ok(all.collect())
    }

    fn known() -> impl Strategy<Value = Vec<Known>> {
        let bytes = || vec(any::<u8>(), 0..200);
        let header = ("[a-zé]{0,9}", bytes());
        vec((bytes(), proptest::option::of(bytes()), vec(header, 0..3)), 0..20)
    }

    proptest! {
        /// What was written is read, and what is kept of it keeps its offsets.
        #[test]
        fn what_is_written_is_read(records in known(), kept in any::<u32>()) {
            let batch = written(&records);
            let all: Vec<(u64, Known)> = (70..).zip(records).collect();
            prop_assert_eq!(read(&batch), Ok(all.clone()));

            let (head, entries) = entries(&batch).unwrap();
            let is_kept = |number: usize| kept >> (number % 32) & 1 == 1;
            let mut draft = Draft::new();
            entries.iter().enumerate().filter(|(number, _)| is_kept(*number)).for_each(|(_, entry)| draft.keep(entry, &batch));
            let head = Head { records: draft.records(), ..head };
            let mut compacted = draft.into_bytes();
            seal(&mut compacted, &head);
            let left: Vec<_> = all.into_iter().enumerate().filter(|(number, _)| is_kept(*number)).map(|(_, record)| record).collect();
            prop_assert_eq!(read(&compacted), Ok(left));
        }

        /// A byte that is another, or a batch that is cut off, is found.
        #[test]
        fn damage_is_found(records in known(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let batch = written(&records);
            let mut other = batch.clone();
            *other.get_mut(at.index(batch.len())).unwrap() ^= flip;
            prop_assert_eq!(read(&other), Err(Damage::Checksum));
            prop_assert!(read(&batch[..at.index(batch.len())]).is_err());
        }

        /// Nothing is believed of what is foreign.
        #[test]
        fn foreign_bytes_are_refused(bytes in vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes).is_err());
        }
    }
}
