//! Who has the directory: he answers everybody who reads and writes it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::append::free_bytes;
use super::batch;
use super::groups::{Gone, Groups, Session, Turn};
use super::journal;
use super::request::{Answer, Read, Request, Written};
use super::store::{Changes, Fault, Place, Store};
use crate::bus::{Committed, Error, Found, From, Membership, Offset, TopicName, TopicPartition, TopicSpec};
use crate::domain::TimeMs;

/// So many bytes of a partition are answered at once, give or take a batch.
const FETCH_BYTES: usize = 1 << 20;
/// A topic has so many partitions at most.
const PARTITIONS_MAX: u32 = 10_000;
/// A file that is there while nobody has the store open, if who had it last has closed it.
const CLOSED: &str = "closed";
/// Before the name of a topic in what is noted.
const TOPIC: u8 = b't';
/// Before a group and a partition in what is noted.
const READ: u8 = b'r';

/// When what was committed is on disk for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// With each commit. Nothing is lost when the power fails.
    EachCommit,
    /// So long after a commit at most. What was committed since then is lost when the power fails; a process that dies loses
    /// nothing. What is left is as of one commit, and none after it.
    Every(Duration),
}

/// What an owner can be told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// When what was committed is on disk for sure.
    pub fsync: Fsync,
    /// A partition whose topic keeps records for some days has at most so many bytes of them.
    pub partition_bytes_max: Option<u64>,
    /// So many bytes of the disk are left to others: less, and nothing is written until there is more.
    pub free_bytes_min: u64,
    /// The system's clock.
    pub clock: fn() -> TimeMs,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            fsync: Fsync::EachCommit,
            partition_bytes_max: None,
            free_bytes_min: 64 << 20,
            clock: system_time,
        }
    }
}

fn system_time() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs::from_unix_ms(since.as_millis() as i64)
}

pub(super) struct Owner {
    /// The directory, as errors name it.
    pub(super) directory: PathBuf,
    folder: PathBuf,
    pub(super) settings: Settings,
    pub(super) core: Mutex<Core>,
    /// Something was written, or a group changed.
    pub(super) changed: Condvar,
    /// None after a write failed, until it was opened again.
    store: RwLock<Option<Store>>,
    /// The disk had no room when it was looked last.
    pub(super) was_full: AtomicBool,
}

/// What one at a time looks at and changes.
pub(super) struct Core {
    /// This owner, among all that ever were.
    pub(super) number: u64,
    pub(super) topics: BTreeMap<TopicName, Known>,
    pub(super) groups: Groups,
    /// Who writes as each identity: his epoch, and his attempt.
    pub(super) claims: BTreeMap<String, (u64, u64)>,
    pub(super) is_over: bool,
}

/// A topic.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) made: Made,
    pub(super) partitions: Vec<End>,
}

/// A topic as it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) number: u16,
    pub(super) spec: TopicSpec,
}

/// How far a partition goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) start: Offset,
    pub(super) next: Offset,
    pub(super) appended_at: TimeMs,
    /// So many bytes were ever appended.
    pub(super) bytes: u64,
}

impl Known {
    pub(super) fn place(&self, partition: u32) -> Place {
        let is_compacted = self.made.spec.kept == crate::bus::Kept::Compacted;
        Place { topic: self.made.number, partition, is_compacted }
    }
}

impl Core {
    /// A partition: where it lies, and how far it goes.
    pub(super) fn find(&self, at: &TopicPartition) -> Result<(Place, End), Error> {
        let known = self.topics.get(&at.topic).ok_or_else(|| Error::UnknownTopic(at.topic.clone()))?;
        let end = known.partitions.get(at.partition.0 as usize).copied();
        let end = end.ok_or_else(|| Error::UnknownPartition {
            partition: at.clone(),
            partitions: known.partitions.len() as u32,
        })?;
        Ok((known.place(at.partition.0), end))
    }
}

impl Owner {
    /// Opens the store in a folder of a directory.
    pub(super) fn open(directory: &Path, folder: PathBuf, settings: Settings) -> Result<Owner, Error> {
        // Another than that of whoever owned it before.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = (since.as_nanos() as u64) << 16 ^ u64::from(std::process::id());
        let groups = Groups::new(number);
        let core = Core { number, topics: BTreeMap::new(), groups, claims: BTreeMap::new(), is_over: false };
        let owner = Owner {
            directory: directory.to_owned(),
            folder,
            settings,
            core: Mutex::new(core),
            changed: Condvar::new(),
            store: RwLock::new(None),
            was_full: AtomicBool::new(false),
        };
        owner.open_again(&mut owner.core(), "opening the directory")?;
        Ok(owner)
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, where it is open.
    pub(super) fn store(&self) -> RwLockReadGuard<'_, Option<Store>> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the store for good, and says so.
    pub(super) fn end(&self) -> Result<(), Error> {
        let operation = "closing the directory";
        let synced = match self.store().as_ref() {
            None => return Ok(()),
            Some(store) => store.sync(),
        };
        self.close_store();
        synced.map_err(|fault| self.failed(operation, fault))?;
        let closed = std::fs::File::create(self.directory.join(CLOSED)).and_then(|file| file.sync_all());
        let written = closed.and_then(|()| sync_folder(&self.directory));
        written.map_err(|error| self.failed(operation, Fault::of_io(error)))
    }

    /// Something failed in a write: the store takes nothing more until it was opened again.
    pub(super) fn close_store(&self) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Opens the store where it is not open, and finds out how far its partitions go.
    pub(super) fn open_again(&self, core: &mut Core, operation: &str) -> Result<(), Error> {
        let failed = |fault| self.failed(operation, fault);
        if self.store().is_some() {
            return Ok(());
        }
        let closed = self.directory.join(CLOSED);
        if self.folder.is_dir() {
            // Damage is told again and again: until then it stays closed.
            journal::check(&self.folder, closed.exists()).map_err(failed)?;
        } else {
            let begun = Store::begin(&self.folder);
            let synced = begun.and_then(|()| sync_folder(&self.directory).map_err(Fault::of_io));
            synced.map_err(failed)?;
        }
        let opened = std::fs::remove_file(&closed).and_then(|()| sync_folder(&self.directory));
        opened.or_else(absent).map_err(|error| failed(Fault::of_io(error)))?;
        let store = Store::open(&self.folder).map_err(failed)?;
        let mut topics = BTreeMap::new();
        for (_, note) in store.notes(&[TOPIC]).map_err(failed)? {
            let made: Made = serde_json::from_slice(&note).map_err(|why| {
                let (place, why) =
                    (self.folder.display().to_string(), format!("what is noted of a topic: {why}"));
                failed(Fault::Damaged { place, why })
            })?;
            let known = Known { partitions: Vec::new(), made };
            let ends = (0..known.made.spec.partitions).map(|partition| end(&store, known.place(partition)));
            let partitions = ends.collect::<Result<_, _>>().map_err(failed)?;
            topics.insert(known.made.spec.name.clone(), Known { partitions, ..known });
        }
        core.topics = topics;
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = Some(store);
        Ok(())
    }

    /// A fault as everybody else sees it.
    pub(super) fn failed(&self, operation: &str, fault: Fault) -> Error {
        let (operation, directory) = (operation.to_owned(), self.directory.display().to_string());
        match fault {
            Fault::Full => Error::Unreachable {
                operation,
                servers: directory,
                why: "its disk is full: make space there".to_owned(),
            },
            Fault::Poisoned => Error::Unreachable {
                operation,
                servers: directory,
                why: format!(
                    "what was written in the background failed, mostly for want of space, and {} MiB of its disk are free: make space there",
                    free_bytes(&self.directory).unwrap_or_default() >> 20
                ),
            },
            Fault::Forbidden(error) => Error::Refused {
                operation,
                why: format!("{directory} cannot be written: {error}"),
                mend: "name a directory that this user may write, on a disk that is not mounted read-only"
                    .to_owned(),
            },
            Fault::Damaged { .. } => damaged(operation, fault.to_string(), &self.directory),
            Fault::Broken(why) => Error::Unreachable { operation, servers: directory, why },
        }
    }

    /// Reads from the store.
    pub(super) fn reading<T>(
        &self,
        operation: &str,
        read: impl FnOnce(&Store) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let store = self.store();
        let store = store.as_ref().ok_or_else(|| self.not_open(operation))?;
        read(store).map_err(|fault| self.failed(operation, fault))
    }

    /// Writes to the store; none where it is not open. Where that fails some of it may be there: the store finds out when it
    /// is opened again.
    pub(super) fn try_to_write(&self, changes: Changes, is_synced: bool) -> Option<Result<(), Fault>> {
        let written = self.store().as_ref().map(|store| store.write(changes, is_synced));
        if let Some(Err(fault)) = &written {
            self.close_store();
            self.was_full.store(matches!(fault, Fault::Full | Fault::Poisoned), Ordering::Relaxed);
        }
        written
    }

    /// Writes to the store what is no transaction.
    pub(super) fn write(&self, operation: &str, changes: Changes, is_synced: bool) -> Result<(), Error> {
        let written = self.try_to_write(changes, is_synced).ok_or_else(|| self.not_open(operation))?;
        written.map_err(|fault| self.failed(operation, fault))
    }

    fn not_open(&self, operation: &str) -> Error {
        self.failed(operation, Fault::Broken("a write failed, and it is not open again yet".to_owned()))
    }

    /// Answers.
    pub(super) fn answer(&self, request: Request, written: Written) -> Result<(Answer, Read), Error> {
        let nothing = |answer| Ok((answer, Vec::new()));
        match request {
            Request::Topics => nothing(Answer::Topics(self.core().topics.keys().cloned().collect())),
            Request::Members(group) => nothing(Answer::Members(self.core().groups.members(&group))),
            Request::Describe(topics) => {
                let core = self.core();
                nothing(Answer::Found(topics.iter().map(|topic| core.topics.get(topic).map(found)).collect()))
            }
            Request::Create(specs) => self.create(specs).and_then(nothing),
            Request::Bounds(partition) => {
                let (_, end) = self.core().find(&partition)?;
                nothing(Answer::Bounds(end.start, end.next))
            }
            Request::Begin(starts) => {
                let begun: Result<_, _> = starts.iter().map(|(at, from)| self.begin(at, *from)).collect();
                nothing(Answer::Begun(begun?))
            }
            Request::Fetch { places, wait } => self.fetch(&places, wait, None),
            Request::Poll { session, places, wait } => self.fetch(&places, wait, Some(&session)),
            Request::Join(membership) => self.join(&membership).map(Answer::Joined).and_then(nothing),
            Request::Leave(session) => {
                self.core().groups.leave(&session);
                self.changed.notify_all();
                nothing(Answer::Done)
            }
            Request::Committed { group, partitions } => {
                let all = partitions.iter().map(|partition| self.committed(&group, partition));
                nothing(Answer::Committed(all.collect::<Result<_, _>>()?))
            }
            Request::Claim { identity, topics } => self.claim(identity, &topics).and_then(nothing),
            Request::Append { claim, batches, read } => {
                self.append(&claim, &batches, read.as_ref(), written).and_then(|()| nothing(Answer::Done))
            }
            Request::Confirm(claim) => self.confirm(claim).and_then(nothing),
            Request::Compact(topic) => self.compact(&topic).and_then(|()| nothing(Answer::Done)),
        }
    }

    pub(super) fn create(&self, specs: Vec<TopicSpec>) -> Result<Answer, Error> {
        let operation = "making topics";
        let mut core = self.core();
        for spec in specs {
            if core.topics.contains_key(&spec.name) {
                continue;
            }
            if !(1..=PARTITIONS_MAX).contains(&spec.partitions) {
                return Err(Error::Refused {
                    operation: format!("making topic {}", spec.name),
                    why: format!("{} partitions are none or too many", spec.partitions),
                    mend: format!("set `partitions` of [bus] to a number up to {PARTITIONS_MAX}"),
                });
            }
            let number = core.topics.values().map(|known| known.made.number + 1).max().unwrap_or_default();
            let known = Known {
                partitions: vec![End::default(); spec.partitions as usize],
                made: Made { number, spec },
            };
            let name = [&[TOPIC], known.made.spec.name.as_str().as_bytes()].concat();
            let note = serde_json::to_vec(&known.made)
                .map_err(|why| Error::Odd { operation: operation.to_owned(), why: why.to_string() })?;
            self.has_room(operation, 0)?;
            let changes = Changes { notes: vec![(name, note)], ..Changes::default() };
            self.write(operation, changes, true)?;
            core.topics.insert(known.made.spec.name.clone(), known);
        }
        Ok(Answer::Done)
    }

    /// Where reading a partition begins.
    fn begin(&self, at: &TopicPartition, from: From) -> Result<Offset, Error> {
        let (place, end) = self.core().find(at)?;
        match from {
            From::Beginning => Ok(end.start),
            From::Offset(offset) => Ok(offset),
            From::End => Ok(end.next),
            From::Time(time) => self
                .reading(&format!("looking for a time in {at}"), |store| first_at(store, place, end, time)),
        }
    }

    /// What is there from these offsets on; and for a member, what comes and goes.
    fn fetch(
        &self,
        places: &[(TopicPartition, Offset)],
        wait: Duration,
        session: Option<&Session>,
    ) -> Result<(Answer, Read), Error> {
        let until = Instant::now() + wait;
        let mut core = self.core();
        loop {
            if let Some(session) = session {
                let before = core.groups.changes();
                let turn =
                    core.groups.turn(session, Instant::now()).map_err(|why| gone(why, session, "polling"))?;
                if core.groups.changes() != before {
                    self.changed.notify_all();
                }
                match turn {
                    Turn::Gained(places) => return Ok((Answer::Gained(places), Vec::new())),
                    Turn::Losing(places) => return Ok((Answer::Losing(places), Vec::new())),
                    Turn::Goes => {}
                }
            }
            let mut ends = Vec::with_capacity(places.len());
            let mut ready = Vec::new();
            for (number, (at, from)) in places.iter().enumerate() {
                let (place, end) = core.find(at)?;
                if *from < end.start || *from > end.next {
                    return Err(Error::OutOfRange { partition: at.clone(), offset: *from });
                }
                if *from < end.next {
                    ready.push((number, place, end));
                }
                ends.push(end.next);
            }
            let left = until.saturating_duration_since(Instant::now());
            if !ready.is_empty() || left.is_zero() || core.is_over {
                drop(core);
                let (of, batches) = self.read_batches(places, &ready)?;
                return Ok((Answer::Fetched { of, ends }, batches));
            }
            core = self.changed.wait_timeout(core, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn read_batches(
        &self,
        places: &[(TopicPartition, Offset)],
        ready: &[(usize, Place, End)],
    ) -> Result<(Vec<usize>, Read), Error> {
        let (mut of, mut all) = (Vec::new(), Vec::new());
        for (number, place, end) in ready {
            let Some((at, from)) = places.get(*number) else { continue };
            let batches =
                self.reading(&format!("reading {at}"), |store| from_offset(store, *place, *from, *end))?;
            // What was deleted meanwhile is not passed over in silence.
            let first = batches.first().map(|batch| batch::head(batch));
            if !place.is_compacted && !matches!(first, Some(Ok(head)) if head.first <= *from) {
                return Err(Error::OutOfRange { partition: at.clone(), offset: *from });
            }
            of.extend(batches.iter().map(|_| *number));
            all.extend(batches);
        }
        Ok((of, all))
    }

    fn join(&self, membership: &Membership) -> Result<Session, Error> {
        let mut core = self.core();
        let mut wanted = std::collections::BTreeSet::new();
        for topic in &membership.topics {
            let known = core.topics.get(topic).ok_or_else(|| Error::UnknownTopic(topic.clone()))?;
            wanted.extend((0..known.partitions.len() as u32).map(|partition| topic.partition(partition)));
        }
        let name = membership.name.as_deref();
        let session = core.groups.join(&membership.group, name, wanted, Instant::now());
        self.changed.notify_all();
        Ok(session)
    }

    fn committed(&self, group: &str, partition: &TopicPartition) -> Result<Option<Committed>, Error> {
        let operation = "asking for the committed offsets";
        let note = self.reading(operation, |store| store.note(&read_note(group, partition)))?;
        let Some(note) = note else { return Ok(None) };
        serde_json::from_slice(&note).map(Some).map_err(|why| {
            let why = format!("what is noted of group {group}: {why}");
            self.failed(operation, Fault::Damaged { place: self.folder.display().to_string(), why })
        })
    }
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// What was made or removed in a folder is so after the power failed as well.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Why a member cannot go on, as it is told.
pub(super) fn gone(why: Gone, session: &Session, operation: &str) -> Error {
    match (why, &session.name) {
        (Gone::Fenced, Some(name)) => Error::Fenced { identity: name.clone() },
        (Gone::Fenced | Gone::Evicted, _) => {
            Error::Evicted { operation: operation.to_owned(), group: session.group.clone() }
        }
    }
}

/// Under what it is noted how far a group has read a partition.
pub(super) fn read_note(group: &str, partition: &TopicPartition) -> Vec<u8> {
    let number = partition.partition.0.to_string();
    [&[READ], group.as_bytes(), &[0], partition.topic.as_str().as_bytes(), &[0], number.as_bytes()].concat()
}

fn found(known: &Known) -> Found {
    let settings = known.made.spec.settings().into_iter().map(|(name, value)| (name.to_owned(), value));
    Found {
        partitions: known.partitions.len() as u32,
        replication_factor: known.made.spec.replicas.replication_factor,
        settings: settings.collect(),
    }
}

/// Bytes of a directory are not those that were written.
pub(super) fn damaged(operation: String, why: String, directory: &Path) -> Error {
    let mend =
        format!("the disk has lost or changed bytes: put a copy of {} in its place", directory.display());
    Error::Refused { operation, why, mend }
}

/// What a batch of the store says of itself.
pub(super) fn head(store: &Store, place: Place, batch: &[u8]) -> Result<batch::Head, Fault> {
    batch::head(batch).map_err(|damage| Fault::Damaged {
        place: store.locate(place, Offset(0)),
        why: format!("a batch of partition {}: {damage}", place.partition),
    })
}

/// How far a partition goes, as it lies on disk.
fn end(store: &Store, place: Place) -> Result<End, Fault> {
    let Some(last) = store.last_batch(place, 0..=u64::MAX)? else { return Ok(End::default()) };
    let first = store.batches(place, 0..=u64::MAX, |_| true)?;
    let start = first.first().map(|batch| head(store, place, batch)).transpose()?;
    let end = head(store, place, &last)?;
    Ok(End {
        // Compaction leaves gaps, and nothing before them is missed.
        start: start.filter(|_| !place.is_compacted).map_or(Offset(0), |head| head.first),
        next: end.next,
        appended_at: end.appended_at,
        bytes: end.bytes_before + last.len() as u64,
    })
}

/// The batches from an offset on, beginning with the one that holds it.
fn from_offset(store: &Store, place: Place, from: Offset, end: End) -> Result<Read, Fault> {
    let Some(last) = end.next.0.checked_sub(1) else { return Ok(Vec::new()) };
    let enough = |bytes| bytes >= FETCH_BYTES;
    let batches = store.batches(place, from.0..=last, enough)?;
    let begins_there =
        batches.first().is_some_and(|batch| batch::head(batch).is_ok_and(|head| head.first == from));
    if begins_there || from.0 == 0 {
        return Ok(batches);
    }
    let before = store.last_batch(place, 0..=from.0 - 1)?;
    let holds_it = |batch: &&fjall::Slice| batch::head(batch).is_ok_and(|head| head.next > from);
    let mut all: Read = before.iter().filter(holds_it).cloned().collect();
    all.extend(batches);
    Ok(all)
}

/// The offset of the first batch that was appended at a time or later.
fn first_at(store: &Store, place: Place, end: End, time: TimeMs) -> Result<Offset, Fault> {
    if time > end.appended_at {
        return Ok(end.next);
    }
    // All before `low` is earlier, and what begins at `high` is not.
    let (mut low, mut high) = (end.start, end.next);
    while low < high {
        let middle = low.0 + (high.0 - low.0) / 2;
        let batch = store.last_batch(place, end.start.0..=middle)?;
        let Some(batch) = batch else {
            low = Offset(middle + 1);
            continue;
        };
        let head = head(store, place, &batch)?;
        if head.appended_at < time {
            low = head.next.max(Offset(middle + 1));
        } else {
            high = head.first;
        }
    }
    Ok(low)
}
