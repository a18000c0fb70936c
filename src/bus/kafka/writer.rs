//! Writing in transactions.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::explain;
use super::member::KafkaMember;
use super::native::{Fault, List, Producer, Row, Scratch};
use super::settings::Connection;
use super::watched::{Hangs, Watched};
use crate::bus::{
    Error, KEY_AND_HEADERS_BYTES_MAX, Outgoing, Partition, Progress, RECORD_BYTES_MAX, TopicName, Writer,
};
use crate::fail;

/// How long a call of a transaction may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// When a transaction that is still open is given up. The brokers abort it after 15 s, and then say that its writer is
/// fenced, which must not be said of an outage.
const OPEN_FOR_MAX: Duration = Duration::from_secs(12);
/// What fails in a transaction so old failed because nobody answered in time.
const LATE_AFTER: Duration = Duration::from_secs(9);
/// What is left for a call in the end, however old the transaction: who is fenced shall hear it.
const CALL_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// How long librdkafka may be late with that.
const GRACE: Duration = Duration::from_secs(2);
/// How long it may take to become the writer: a predecessor's transaction is aborted first.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two tries of a call that says that it may be tried again.
const RETRY_AFTER: Duration = Duration::from_millis(10);
/// So much is gathered before librdkafka is given it: enough to make a batch, little enough to stay in a cache.
const GATHERED_BYTES: usize = 256 << 10;

/// The thread for calls of a transaction.
type Calls = Watched<Result<(), Fault>>;

/// Writes to a cluster, one transaction after the other.
pub struct KafkaWriter {
    connection: Connection,
    identity: String,
    topics: Vec<(TopicName, u32)>,
    producer: Arc<Producer>,
    calls: Calls,
    gathered: Gathered,
    /// Since when a transaction is open.
    open_since: Option<Instant>,
    /// Something of the transaction went wrong: it must not be committed with the rest.
    has_failed: bool,
    /// What became of the last transaction is not known, or its producer is of no use any more: only a new one decides.
    is_broken: bool,
}

/// Records that librdkafka has not been given yet.
#[derive(Default)]
struct Gathered {
    arena: Vec<u8>,
    /// Rows of each topic's partitions, one topic after the other.
    slots: Vec<Slot>,
    /// Which slots have rows.
    used: Vec<usize>,
    scratch: Scratch,
}

struct Slot {
    topic: usize,
    partition: u32,
    rows: Vec<Row>,
}

impl Gathered {
    fn new(topics: &[(TopicName, u32)]) -> Gathered {
        let slots = topics.iter().enumerate().flat_map(|(topic, (_, partitions))| {
            (0..*partitions).map(move |partition| Slot { topic, partition, rows: Vec::new() })
        });
        Gathered { slots: slots.collect(), ..Gathered::default() }
    }

    fn add(&mut self, slot: usize, key: &[u8], value: Option<&[u8]>) {
        let Some(found) = self.slots.get_mut(slot) else { return };
        if found.rows.is_empty() {
            self.used.push(slot);
        }
        found.rows.push(Row {
            at: self.arena.len(),
            key_bytes: key.len(),
            value_bytes: value.map(|value| value.len()),
        });
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value.unwrap_or_default());
    }

    fn push(&mut self, producer: &Producer, deadline: Instant) -> Result<(), Fault> {
        for slot in self.used.drain(..) {
            let Some(slot) = self.slots.get_mut(slot) else { continue };
            let rows = std::mem::take(&mut slot.rows);
            producer.produce(
                (slot.topic, slot.partition),
                &self.arena,
                &rows,
                &mut self.scratch,
                deadline,
            )?;
            slot.rows = rows;
            slot.rows.clear();
        }
        self.arena.clear();
        Ok(())
    }

    fn clear(&mut self) {
        self.arena.clear();
        self.used.clear();
        self.slots.iter_mut().for_each(|slot| slot.rows.clear());
    }
}

impl KafkaWriter {
    /// `topics` with the number of their partitions.
    pub(super) fn new(
        connection: &Connection,
        identity: &str,
        topics: Vec<(TopicName, u32)>,
    ) -> Result<KafkaWriter, Error> {
        let (producer, calls) = producer(connection, identity, &topics)?;
        let gathered = Gathered::new(&topics);
        Ok(KafkaWriter {
            connection: connection.clone(),
            identity: identity.to_owned(),
            topics,
            producer,
            calls,
            gathered,
            open_since: None,
            has_failed: false,
            is_broken: false,
        })
    }

    fn failed(&self, operation: &str, group: Option<&str>, fault: &Fault) -> Error {
        let fatal = self.producer.client().fatal();
        let error = explain::inside(operation, &self.identity, group, fatal.as_ref().unwrap_or(fault));
        match (error, explain::complaint(self.producer.client().heard())) {
            // That it timed out says less than why the brokers were not reached meanwhile.
            (Error::Aborted { operation, why }, Some(complaint)) => {
                Error::Aborted { operation, why: format!("{why}; {complaint}") }
            }
            (error, _) => error,
        }
    }

    fn begin(&mut self) -> Result<(), Error> {
        if self.has_failed || self.is_broken {
            if let Some(fault) = self.producer.client().fatal() {
                return Err(self.failed("beginning a transaction", None, &fault));
            }
            let why = "it failed before, and was not given up yet".to_owned();
            return Err(Error::Aborted { operation: "beginning a transaction".to_owned(), why });
        }
        if self.open_since.is_none() {
            self.producer.begin().map_err(|fault| self.failed("beginning a transaction", None, &fault))?;
            self.open_since = Some(Instant::now());
        }
        Ok(())
    }

    /// Where records of a partition are gathered.
    fn slot(&self, record: &Outgoing<'_>) -> Result<usize, Error> {
        let Some((topic, partitions)) = self.topics.get(record.topic) else {
            let why = format!("the writer has {} topics, and no number {}", self.topics.len(), record.topic);
            return Err(Error::Odd { operation: "adding a record".to_owned(), why });
        };
        let number = record.partition.0;
        if number >= *partitions {
            return Err(Error::UnknownPartition {
                partition: topic.partition(number),
                partitions: *partitions,
            });
        }
        let key_bytes = record.key.len()
            + record.headers.iter().map(|header| header.name.len() + header.value.len()).sum::<usize>();
        let value_bytes = record.value.map_or(0, |value| value.len());
        if value_bytes > RECORD_BYTES_MAX || key_bytes > KEY_AND_HEADERS_BYTES_MAX {
            return Err(Error::TooLarge { topic: topic.clone(), value_bytes, key_bytes });
        }
        if let Some(header) = record.headers.iter().find(|header| header.name.contains('\0')) {
            let why = format!("the name {:?} of a header has a zero in it", header.name);
            return Err(Error::Odd { operation: "adding a record".to_owned(), why });
        }
        let before: u32 = self.topics.iter().take(record.topic).map(|(_, partitions)| partitions).sum();
        Ok(before as usize + number as usize)
    }

    fn gather(&mut self, record: &Outgoing<'_>, slot: usize) -> Result<(), Error> {
        if record.headers.is_empty() {
            self.gathered.add(slot, record.key, record.value);
            return if self.gathered.arena.len() >= GATHERED_BYTES { self.hand_over() } else { Ok(()) };
        }
        // Batches know no headers. What was gathered comes first, so that the order is kept.
        self.hand_over()?;
        self.producer
            .produce_with_headers(
                (record.topic, record.partition.0),
                record.key,
                record.value,
                record.headers,
                self.deadline(),
            )
            .map_err(|fault| self.failed("adding a record", None, &fault))
    }

    /// Gives librdkafka what was gathered.
    fn hand_over(&mut self) -> Result<(), Error> {
        let pushed = self.gathered.push(&self.producer, self.deadline());
        // Callbacks, which tell what went wrong.
        self.producer.serve(Duration::ZERO);
        pushed.map_err(|fault| self.failed("adding records", None, &fault))
    }

    fn finish(&mut self, read: Option<(&KafkaMember, &[Progress])>) -> Result<(), Error> {
        self.hand_over()?;
        match read {
            Some((member, progress)) => self.send_offsets(member, progress)?,
            None => self.drain()?,
        }
        fail::point("between offsets and commit");
        self.end()
    }

    /// How long a call may take now.
    fn call_timeout(&self) -> Duration {
        let open_for = self.open_since.map_or(Duration::ZERO, |since| since.elapsed());
        OPEN_FOR_MAX.saturating_sub(open_for).clamp(CALL_TIMEOUT_MIN, CALL_TIMEOUT)
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.call_timeout()
    }

    /// Takes note of what failed in a transaction.
    fn noted(&mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        self.has_failed |= outcome.is_err();
        let is_late = self.open_since.is_some_and(|since| since.elapsed() >= LATE_AFTER);
        self.is_broken |= is_late && matches!(outcome, Err(Error::Aborted { .. }));
        outcome
    }

    /// Waits for a call that was begun.
    fn answer(&mut self) -> Result<Result<(), Fault>, Hangs> {
        let answer = self.calls.answer(self.call_timeout() + GRACE);
        self.is_broken |= answer.is_err();
        answer
    }

    /// Sends the offsets along, while what was produced is still on its way: the two round trips overlap.
    fn send_offsets(&mut self, member: &KafkaMember, progress: &[Progress]) -> Result<(), Error> {
        let operation = "adding offsets to a transaction";
        let group = member.group().to_owned();
        let deadline = self.deadline();
        let mut has_drained = false;
        loop {
            let Some(metadata) = member.metadata().filter(|_| member.reads(progress)) else {
                return Err(Error::Evicted { operation: operation.to_owned(), group });
            };
            let mut list = List::new();
            for Progress { partition, next, metadata } in progress {
                let number = partition.partition.0.cast_signed();
                list.add(partition.topic.as_str(), number, next.0.cast_signed(), metadata.as_bytes());
            }
            let producer = Arc::clone(&self.producer);
            let timeout = self.call_timeout();
            self.calls.begin(move || producer.send_offsets(&list, &metadata, timeout));
            let drained = if has_drained { Ok(()) } else { self.drain() };
            has_drained = true;
            let sent = match self.answer() {
                Ok(sent) => sent,
                Err(Hangs) => {
                    let why = "librdkafka does not come back".to_owned();
                    return Err(Error::Aborted { operation: operation.to_owned(), why });
                }
            };
            drained?;
            match sent {
                Ok(()) => return Ok(()),
                Err(fault) if fault.is_retriable && Instant::now() < deadline => thread::sleep(RETRY_AFTER),
                Err(fault) => return Err(self.failed(operation, Some(&group), &fault)),
            }
        }
    }

    fn drain(&self) -> Result<(), Error> {
        let drained = self.producer.drain(self.deadline());
        drained.map_err(|fault| self.failed("sending the records of a transaction", None, &fault))
    }

    fn end(&mut self) -> Result<(), Error> {
        let operation = "committing a transaction";
        let deadline = self.deadline();
        loop {
            let producer = Arc::clone(&self.producer);
            let timeout = self.call_timeout();
            self.calls.begin(move || producer.commit(timeout));
            let why = match self.answer() {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(fault)) if fault.is_retriable && Instant::now() < deadline => {
                    thread::sleep(RETRY_AFTER);
                    continue;
                }
                Ok(Err(fault)) if fault.is_fatal || fault.wants_abort => {
                    return Err(self.failed(operation, None, &fault));
                }
                Ok(Err(fault)) => explain::cut(&fault.text),
                Err(Hangs) => "librdkafka does not come back".to_owned(),
            };
            self.is_broken = true;
            return Err(Error::Undecided { operation: operation.to_owned(), why });
        }
    }

    /// Makes a new producer of the same identity. Becoming the writer decides what is still open.
    fn renew(&mut self) -> Result<(), Error> {
        self.is_broken = true;
        // Of the old one nothing is of use, and while the brokers are away it would hold two queues in memory.
        self.producer.purge();
        let (producer, calls) = producer(&self.connection, &self.identity, &self.topics)?;
        (self.producer, self.calls) = (producer, calls);
        self.is_broken = false;
        Ok(())
    }
}

/// A producer that has become the writer of its identity.
fn producer(
    connection: &Connection,
    identity: &str,
    topics: &[(TopicName, u32)],
) -> Result<(Arc<Producer>, Calls), Error> {
    let operation = format!("becoming the writer {identity}");
    let names = topics.iter().map(|(topic, _)| topic.as_str());
    let producer = Producer::new(&connection.writer(identity), "writer", names);
    let producer = Arc::new(producer.map_err(|error| explain::creation(&error))?);
    let calls = Watched::new("transaction").map_err(|error| Error::Odd {
        operation: operation.clone(),
        why: format!("no thread for its calls: {error}"),
    })?;
    let init = Arc::clone(&producer);
    calls.begin(move || init.init(INIT_TIMEOUT));
    match calls.answer(INIT_TIMEOUT + GRACE) {
        Ok(Ok(())) => Ok((producer, calls)),
        Ok(Err(fault)) => {
            let complaint = explain::complaint(producer.client().heard());
            let text = complaint.filter(|_| explain::is_outage(&fault)).unwrap_or(fault.text.clone());
            Err(explain::outside(&operation, &connection.shown(), &Fault { text, ..fault }))
        }
        Err(Hangs) => Err(Error::Unreachable {
            operation,
            servers: connection.shown(),
            why: "librdkafka does not come back".to_owned(),
        }),
    }
}

impl Writer for KafkaWriter {
    type Member = KafkaMember;

    fn add(&mut self, record: &Outgoing<'_>) -> Result<(), Error> {
        let slot = self.slot(record)?;
        self.begin()?;
        let added = self.gather(record, slot);
        self.noted(added)
    }

    fn push(&mut self) -> Result<(), Error> {
        let pushed = self.hand_over();
        self.noted(pushed)
    }

    fn commit(&mut self, read: Option<(&KafkaMember, &[Progress])>) -> Result<(), Error> {
        let read = read.filter(|(_, progress)| !progress.is_empty());
        if self.open_since.is_none() && !self.has_failed && !self.is_broken && read.is_none() {
            return Ok(());
        }
        self.begin()?;
        let committed = self.finish(read);
        self.open_since = self.open_since.filter(|_| committed.is_err());
        self.noted(committed)
    }

    /// A record that is never committed: the brokers look at who writes it.
    fn confirm(&mut self) -> Result<(), Error> {
        self.add(&Outgoing {
            topic: 0,
            partition: Partition(0),
            key: b"confirm",
            value: None,
            headers: &[],
        })?;
        let sent = self.hand_over().and_then(|()| self.drain());
        self.noted(sent)?;
        self.abort()
    }

    fn abort(&mut self) -> Result<(), Error> {
        self.gathered.clear();
        // Of a producer that is of no use any more, what it says now does not matter: its successor is told the truth.
        if let Some(fault) = self.producer.client().fatal().filter(|_| !self.is_broken) {
            let error = self.failed("giving up a transaction", None, &fault);
            if matches!(error, Error::Fenced { .. }) {
                return Err(error);
            }
            self.is_broken = true;
        }
        if self.open_since.is_some() && !self.is_broken {
            let producer = Arc::clone(&self.producer);
            let timeout = self.call_timeout();
            self.calls.begin(move || producer.abort(timeout));
            match self.answer() {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => {
                    let error = self.failed("giving up a transaction", None, &fault);
                    if matches!(error, Error::Fenced { .. }) {
                        return Err(error);
                    }
                    self.is_broken = true;
                }
                Err(Hangs) => {}
            }
        }
        if self.is_broken {
            self.renew()?;
        }
        (self.open_since, self.has_failed) = (None, false);
        Ok(())
    }
}
