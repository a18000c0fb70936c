//! Whether the store's journals are whole, looked at before they are opened.
//!
//! The store takes the first place in a journal that it cannot read for the end, where a process died while it wrote, and cuts
//! off what follows. That is right for the transaction that was being written, and would lose in silence what was
//! committed after a byte that the disk has changed. So it is looked first whether transactions follow there that had been
//! finished. The format is that of fjall 3.1 (`src/journal/entry.rs` there).

use std::fs;
use std::path::{Path, PathBuf};

use twox_hash::XxHash3_64;

use super::store::Fault;

/// Under what each transaction is noted, as the last of what it writes: so it can be found in bytes that cannot be read.
pub(super) const MARK: [u8; 17] = *b"m\xb1\x5e\x93\x07\xfa\x2c\xd8\x64lockstep";
/// After it: the transaction's number, and whether it was on disk before the next one was begun.
const MARK_VALUE_BYTES: usize = 9;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: &[u8] = b"FJL\x03";

/// What is noted of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) number: u64,
    pub(super) is_synced: bool,
}

impl Mark {
    pub(super) fn to_bytes(self) -> [u8; MARK_VALUE_BYTES] {
        let mut bytes = [u8::from(self.is_synced); MARK_VALUE_BYTES];
        if let Some(number) = bytes.first_chunk_mut::<8>() {
            *number = self.number.to_le_bytes();
        }
        bytes
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Mark> {
        let (number, rest) = bytes.split_first_chunk()?;
        Some(Mark { number: u64::from_le_bytes(*number), is_synced: *rest.first()? == 1 })
    }
}

/// Looks at the journals in a folder, and cuts off what was being written. `was_closed` is whether the last process closed the store; then nothing was being written.
pub(super) fn check(folder: &Path, was_closed: bool) -> Result<(), Fault> {
    let mut journals: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder).map_err(Fault::of_io)? {
        let path = entry.map_err(Fault::of_io)?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|end| end == "jnl")) {
            journals.push((number, path));
        }
    }
    journals.sort();
    let last = journals.pop();
    let sealed = journals.iter().map(|(_, path)| (path, true));
    for (path, is_whole) in sealed.chain(last.iter().map(|(_, path)| (path, was_closed))) {
        let bytes = fs::read(path).map_err(Fault::of_io)?;
        let end = readable(&bytes);
        if is_damaged(bytes.get(end..).unwrap_or_default(), is_whole) {
            let place = format!("{}, byte {end}", path.display());
            return Err(Fault::Damaged { place, why: "transactions follow that were committed".to_owned() });
        }
        if end < bytes.len() {
            // Where the machine went down, pages of it may be there and others not: the store would stop at that.
            let file = fs::File::options().write(true).open(path).map_err(Fault::of_io)?;
            file.set_len(end as u64).and_then(|()| file.sync_all()).map_err(Fault::of_io)?;
        }
    }
    Ok(())
}

/// Whether what follows the last transaction that can be read is more than one that was being written.
fn is_damaged(rest: &[u8], is_whole: bool) -> bool {
    if rest.iter().all(|byte| *byte == 0) {
        return false;
    }
    let marks = marks(rest);
    // All but the last had been finished before the next was begun.
    let finished = marks.split_last().map_or(&[][..], |(_, before)| before);
    is_whole || finished.iter().any(|mark| mark.is_synced)
}

fn marks(mut rest: &[u8]) -> Vec<Mark> {
    let mut marks = Vec::new();
    while let Some(at) = find(rest, &MARK) {
        rest = rest.get(at + MARK.len()..).unwrap_or_default();
        marks.extend(Mark::of(rest));
    }
    marks
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    let first = *wanted.first()?;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Up to where there are whole transactions.
fn readable(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = transaction(bytes, at) {
        at = next;
    }
    at
}

/// The place after the transaction that begins here.
fn transaction(bytes: &[u8], at: usize) -> Option<usize> {
    if *bytes.get(at)? != START {
        return None;
    }
    let items = u32::from_le_bytes(*bytes.get(at + 1..)?.first_chunk()?);
    let begin = at + 13;
    let mut at = begin;
    for _ in 0..items {
        at = item(bytes, at)?;
    }
    let sum = XxHash3_64::oneshot(bytes.get(begin..at)?);
    let end = bytes.get(at..at.checked_add(9 + TRAILER.len())?)?;
    let (tag, rest) = end.split_first()?;
    let (written, trailer) = rest.split_first_chunk()?;
    let is_end = *tag == END && trailer == TRAILER && u64::from_le_bytes(*written) == sum;
    is_end.then_some(at + end.len())
}

/// The place after an item.
fn item(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        ITEM => {
            // Its kind, how its value is compressed, and the keyspace.
            let lengths = bytes.get(at.checked_add(11)?..)?;
            let key = u16::from_le_bytes(*lengths.first_chunk()?);
            let value = u32::from_le_bytes(*lengths.get(6..)?.first_chunk()?);
            let next = at.checked_add(21)?.checked_add(key.into())?.checked_add(value as usize)?;
            (next <= bytes.len()).then_some(next)
        }
        CLEAR => at.checked_add(9).filter(|next| *next <= bytes.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: u64, is_synced: bool) -> Vec<u8> {
        let mut items = Vec::new();
        for (key, value) in
            [(&b"key"[..], vec![7; 300]), (&MARK[..], Mark { number, is_synced }.to_bytes().to_vec())]
        {
            items.extend([ITEM, 0, 0]);
            items.extend(5_u64.to_le_bytes());
            items.extend((key.len() as u16).to_le_bytes());
            items.extend([(value.len() as u32).to_le_bytes(); 2].concat());
            items.extend(key);
            items.extend(value);
        }
        let sum = XxHash3_64::oneshot(&items).to_le_bytes();
        [&[START, 2, 0, 0, 0], &number.to_le_bytes()[..], &items, &[END], &sum, TRAILER].concat()
    }

    #[test]
    fn what_was_being_written_is_none_and_what_was_finished_is_missed() {
        let one = written(1, true).len();
        let flip = |mut bytes: Vec<u8>, at: usize| {
            bytes[at] ^= 1;
            bytes
        };
        let all = |is_synced| [written(1, true), written(2, is_synced), written(3, is_synced)].concat();
        let zeros = |bytes: Vec<u8>| [bytes, vec![0; 50]].concat();
        let cases = [
            ("whole", all(true), 3 * one, false, false),
            ("with room after it", zeros(all(true)), 3 * one, false, false),
            ("the last was being written", all(true)[..3 * one - 5].to_vec(), 2 * one, false, true),
            ("the same, and other bytes came first", flip(all(true), 2 * one + 40), 2 * one, false, true),
            ("one before the last is another", flip(all(true), one + 40), one, true, true),
            ("the first byte is another", flip(all(true), 0), 0, true, true),
            ("none had to be on disk before the next", flip(all(false), one + 40), one, false, true),
        ];
        for (what, bytes, end, is_damaged_open, is_damaged_closed) in cases {
            assert_eq!(readable(&bytes), end, "{what}");
            let rest = &bytes[end..];
            assert_eq!(is_damaged(rest, false), is_damaged_open, "{what}, after a crash");
            assert_eq!(is_damaged(rest, true), is_damaged_closed, "{what}, after it was closed");
        }
        assert_eq!(marks(&all(true)).iter().map(|mark| mark.number).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
