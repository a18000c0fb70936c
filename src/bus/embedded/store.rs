//! What lies on disk: batches of records by partition and offset, and what is noted beside them, in an embedded store of
//! keys and values that writes all of a transaction or nothing.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, LsmError, PersistMode,
    Slice,
};

use super::journal::{MARK, Mark};
use crate::bus::Offset;

/// What is kept in memory of what was read. The system's cache of files is behind it.
const CACHE_BYTES: u64 = 32 << 20;
/// What a keyspace gathers in memory before it is written to a file of its own.
const MEMTABLE_BYTES: u64 = 16 << 20;
/// The journal, which is read again after a crash, is at most about so long.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;
/// A batch of so many bytes lies in a file for values, where nothing moves it when keys are sorted.
const SEPARATED_BYTES: u32 = 512;
/// Threads that write memory to files and merge those.
const WORKERS: usize = 2;

/// Where batches of a partition lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// The number that the topic got when it was made.
    pub(super) topic: u16,
    pub(super) partition: u32,
    pub(super) is_compacted: bool,
}

/// What is written at once.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) batches: Vec<(Place, Offset, Vec<u8>)>,
    pub(super) gone: Vec<(Place, Offset)>,
    pub(super) notes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why the store does not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// There is no space left.
    #[error("the disk is full")]
    Full,
    /// What it wrote in the background failed, for want of space mostly: it does not say.
    #[error("an earlier write failed")]
    Poisoned,
    /// It may not be written.
    #[error("it cannot be written: {0}")]
    Forbidden(io::Error),
    /// Bytes are not those that were written.
    #[error("{place}: {why}")]
    Damaged {
        /// The file, or the folder, and where in it.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// Something else; the store takes nothing more until it is opened again.
    #[error("{0}")]
    Broken(String),
}

pub(super) struct Store {
    folder: PathBuf,
    database: Database,
    log: Keyspace,
    compacted: Keyspace,
    notes: Keyspace,
    /// The number of the last transaction.
    last: AtomicU64,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Store {
    /// Begins a store in a folder that is not there, whole or not at all: a process may die while it makes the files.
    pub(super) fn begin(folder: &Path) -> Result<(), Fault> {
        let new = folder.with_extension("new");
        match std::fs::remove_dir_all(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Fault::of_io(error)),
            _ => {}
        }
        drop(Store::open(&new)?);
        std::fs::rename(&new, folder).map_err(Fault::of_io)
    }

    /// Opens what is in a folder. What was being written when a process died is there whole or not at all.
    pub(super) fn open(folder: &Path) -> Result<Store, Fault> {
        let fault = |error| Fault::of(error, || folder.display().to_string());
        let open = || {
            Database::builder(folder)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES_MAX)
                // What is in a journal must be found in it (`journal`).
                .journal_compression(CompressionType::None)
                .manual_journal_persist(true)
                .worker_threads(WORKERS)
                .open()
        };
        // Some of its files it believes, and panics where they say what cannot be.
        let database = catch_unwind(AssertUnwindSafe(open)).map_err(|_| Fault::Damaged {
            place: folder.display().to_string(),
            why: "the store cannot be opened, as it says above".to_owned(),
        })?;
        let database = database.map_err(fault)?;
        let options = || {
            KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES).manual_journal_persist(true)
        };
        let separated = || {
            let values = KvSeparationOptions::default().separation_threshold(SEPARATED_BYTES);
            options().with_kv_separation(Some(values))
        };
        let notes = database.keyspace("notes", options).map_err(fault)?;
        let last = notes.get(MARK).map_err(fault)?.and_then(|mark| Mark::of(&mark));
        Ok(Store {
            log: database.keyspace("log", separated).map_err(fault)?,
            compacted: database.keyspace("compacted", separated).map_err(fault)?,
            notes,
            last: AtomicU64::new(last.map_or(0, |mark| mark.number)),
            folder: folder.to_owned(),
            database,
        })
    }

    /// Writes all of it or nothing; when this returns, and it was asked for, it is on disk.
    pub(super) fn write(&self, changes: Changes, is_synced: bool) -> Result<(), Fault> {
        let mut batch = self.database.batch();
        for (place, offset, bytes) in changes.batches {
            batch.insert(self.of(place), key(place, offset), bytes);
        }
        for (place, offset) in changes.gone {
            batch.remove(self.of(place), key(place, offset));
        }
        for (name, value) in changes.notes {
            batch.insert(&self.notes, name, value);
        }
        let mark = Mark { number: self.last.fetch_add(1, Ordering::Relaxed) + 1, is_synced };
        batch.insert(&self.notes, MARK, mark.to_bytes());
        // Without it the bytes are with the system at least, so that a process that dies loses nothing.
        let mode = if is_synced { PersistMode::SyncData } else { PersistMode::Buffer };
        batch.durability(Some(mode)).commit().map_err(|error| self.fault(error))
    }

    /// Waits until all that was written is on disk.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        self.database.persist(PersistMode::SyncData).map_err(|error| self.fault(error))
    }

    /// Everything noted under names that begin so.
    pub(super) fn notes(&self, prefix: &[u8]) -> Result<Vec<(Slice, Slice)>, Fault> {
        let all = self.notes.prefix(prefix).map(|entry| entry.into_inner());
        all.collect::<Result<_, _>>().map_err(|error| self.fault(error))
    }

    /// What is noted under a name.
    pub(super) fn note(&self, name: &[u8]) -> Result<Option<Slice>, Fault> {
        self.notes.get(name).map_err(|error| self.fault(error))
    }

    /// The batches that begin at offsets of a range, in order, until `is_enough` of the bytes of all of them.
    pub(super) fn batches(
        &self,
        place: Place,
        range: RangeInclusive<u64>,
        is_enough: impl Fn(usize) -> bool,
    ) -> Result<Vec<Slice>, Fault> {
        let mut all = Vec::new();
        let mut bytes = 0;
        let keys = key(place, Offset(*range.start()))..=key(place, Offset(*range.end()));
        for entry in self.of(place).range(keys) {
            let (_, batch) = entry.into_inner().map_err(|error| self.damaged(place, &range, error))?;
            bytes += batch.len();
            all.push(batch);
            if is_enough(bytes) {
                break;
            }
        }
        Ok(all)
    }

    /// The last batch that begins at an offset of a range.
    pub(super) fn last_batch(
        &self,
        place: Place,
        range: RangeInclusive<u64>,
    ) -> Result<Option<Slice>, Fault> {
        let keys = key(place, Offset(*range.start()))..=key(place, Offset(*range.end()));
        let Some(entry) = self.of(place).range(keys).next_back() else { return Ok(None) };
        let (_, batch) = entry.into_inner().map_err(|error| self.damaged(place, &range, error))?;
        Ok(Some(batch))
    }

    /// Bytes on disk, journal and all.
    pub(super) fn disk_bytes(&self) -> Result<u64, Fault> {
        self.database.disk_space().map_err(|error| self.fault(error))
    }

    /// Where in which file a batch lies that is damaged.
    pub(super) fn locate(&self, place: Place, offset: Offset) -> String {
        let folder = self.of(place).path();
        let found = find(folder, &key(place, offset)).ok().flatten();
        found.map_or_else(
            || folder.display().to_string(),
            |(file, at)| format!("{}, near byte {at}", file.display()),
        )
    }

    fn of(&self, place: Place) -> &Keyspace {
        if place.is_compacted { &self.compacted } else { &self.log }
    }

    fn fault(&self, error: fjall::Error) -> Fault {
        Fault::of(error, || self.folder.display().to_string())
    }

    fn damaged(&self, place: Place, range: &RangeInclusive<u64>, error: fjall::Error) -> Fault {
        Fault::of(error, || self.locate(place, Offset(*range.start())))
    }
}

impl Fault {
    fn of(error: fjall::Error, place: impl FnOnce() -> String) -> Fault {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => Fault::of_io(error),
            fjall::Error::Poisoned => Fault::Poisoned,
            fjall::Error::Locked => Fault::Broken("another process has it open".to_owned()),
            fjall::Error::Storage(LsmError::ChecksumMismatch { .. }) => {
                let why = "its checksum is not that of its bytes".to_owned();
                Fault::Damaged { place: place(), why }
            }
            other => Fault::Damaged { place: place(), why: format!("{other:?}") },
        }
    }

    pub(super) fn of_io(error: io::Error) -> Fault {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::Full,
            ErrorKind::NotFound | ErrorKind::InvalidData => {
                Fault::Damaged { place: "a file of the store".to_owned(), why: error.to_string() }
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Fault::Forbidden(error),
            _ => Fault::Broken(error.to_string()),
        }
    }
}

fn key(place: Place, offset: Offset) -> [u8; 14] {
    let mut key = [0; 14];
    let (topic, rest) = key.split_at_mut(2);
    topic.copy_from_slice(&place.topic.to_be_bytes());
    let (partition, number) = rest.split_at_mut(4);
    partition.copy_from_slice(&place.partition.to_be_bytes());
    number.copy_from_slice(&offset.0.to_be_bytes());
    key
}

/// Searches the files of a folder, and of those in it, for bytes.
fn find(folder: &Path, wanted: &[u8]) -> io::Result<Option<(PathBuf, u64)>> {
    const STEP: usize = 1 << 20;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(found) = find(&entry.path(), wanted)? {
                return Ok(Some(found));
            }
            continue;
        }
        let mut file = BufReader::new(File::open(entry.path())?);
        let (mut window, mut before) = (Vec::new(), 0_u64);
        loop {
            let read = file.by_ref().take(STEP as u64).read_to_end(&mut window)?;
            if let Some(at) = window.windows(wanted.len()).position(|bytes| bytes == wanted) {
                return Ok(Some((entry.path(), before + at as u64)));
            }
            if read == 0 {
                break;
            }
            let kept = window.len().min(wanted.len() - 1);
            before += (window.len() - kept) as u64;
            window.drain(..window.len() - kept);
        }
    }
    Ok(None)
}
