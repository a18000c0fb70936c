//! What a process does for an account while it has its lease: one loop, on a thread of the bus.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::connector::{Connector, Ended, start};
use super::set::Setter;
use super::sink::{Called, Next, Sink};
use super::source::{Polled, Source};
use crate::bus::{
    self, Bus, From, Member, Offset, Polled as Told, Progress, Reader, Records, Topic, TopicPartition, Until,
    Writer, latest,
};
use crate::codec::Position;
use crate::connectors::outbox::{Author, Outbox};
use crate::connectors::{Error, Noted};
use crate::domain::Remedy;

/// How long who reads waits where answers of the platform may come meanwhile, and where none are expected.
const WAIT: Duration = Duration::from_millis(10);
const WAIT_AT_REST: Duration = Duration::from_millis(100);
/// Between two commits.
const COMMIT_INTERVAL: Duration = Duration::from_millis(20);
/// How far commands were dealt with is committed so often where nothing else is.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);
/// Where somebody waits for a call, the lease is proven again when it holds for less.
const PROOF_LEFT_MIN: Duration = Duration::from_millis(500);
/// Between two tries of a commit that does not work.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What is committed with the lease: whether its holder may be in the middle of a call.
const HELD: &str = "held";
const RELEASED: &str = "released";

/// What comes from where calls are made.
enum Came {
    Polled(Polled),
    Called(Called),
}

/// An account, while this process has its lease.
pub(super) struct Holding<'c, B: Bus> {
    connector: &'c Connector<B>,
    member: B::Member,
    writer: B::Writer,
    reader: B::Reader,
    place: TopicPartition,
    place_next: Offset,
    source: Source,
    sink: Sink,
    outbox: Outbox,
    tell: Sender<Came>,
    told: Receiver<Came>,
    /// All that was there at the beginning has been read.
    is_caught_up: bool,
    /// No call before that: another may be in the middle of one.
    first_call: Instant,
    next_call: Instant,
    committed: Instant,
    progress: Vec<(u32, Offset)>,
    /// A commit does not work, and is tried again then.
    again: Option<Instant>,
}

impl<'c, B: Bus> Holding<'c, B> {
    /// Takes over: whoever had the account before is fenced from here on.
    pub(super) fn begin(
        connector: &'c Connector<B>,
        member: B::Member,
        place: TopicPartition,
    ) -> Result<Self, Error> {
        let Connector { bus, codec, plan, settings, observer, .. } = connector;
        let identity = Connector::<B>::identity(plan, connector.account);
        let writer = bus.writer(&identity, &Outbox::topics(plan))?;
        let fenced = Instant::now();
        let commands = connector.commands();
        let places: Vec<TopicPartition> = [&place].into_iter().chain(&commands).cloned().collect();
        let mut committed = bus.committed(&identity, &places)?.into_iter();
        let lease = committed.next().flatten();
        let is_released = lease.is_none_or(|lease| lease.metadata == RELEASED);
        let cursor = cursor(connector)?;
        let setter =
            Setter::new(Arc::clone(&connector.tenant), Arc::clone(&connector.lease), settings.set_by);
        let mut sink = Sink::new(
            settings.account,
            (Arc::clone(&connector.tenant), Arc::new(setter)),
            Arc::clone(observer),
            (settings.calls_max, settings.call_timeout),
            !is_released,
        );
        let mut starts = vec![(plan.name(Topic::Directory).partition(0), From::Beginning)];
        for (partition, known) in commands.iter().zip(committed) {
            let at = start(&**bus, partition, known.map(|known| known.next))?;
            sink.begins(partition.partition.0, at);
            starts.push((partition.clone(), From::Offset(at)));
        }
        let intervals = (settings.poll_interval, settings.snapshot_interval);
        let tenant = Arc::clone(&connector.tenant);
        let source = Source::new(settings.account, tenant, Arc::clone(observer), cursor, intervals);
        let author = Author {
            name: format!("source/{}/{}", connector.account, settings.process),
            account: connector.account,
            seed: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()),
            keeps_payload: settings.keeps_payload,
        };
        let first_call = if is_released { fenced } else { fenced + connector.call_after() };
        let (tell, told) = channel();
        let wait_ms = first_call.saturating_duration_since(fenced).as_millis() as u64;
        tracing::info!(first_call_after_ms = wait_ms, "this process has the account");
        Ok(Holding {
            reader: bus.reader(&starts, Until::Stopped)?,
            place_next: bus.bounds(&place)?.end,
            outbox: Outbox::new(Arc::clone(codec), plan.clone(), author),
            connector,
            member,
            writer,
            place,
            source,
            sink,
            tell,
            told,
            is_caught_up: false,
            first_call,
            next_call: first_call,
            committed: fenced,
            progress: Vec::new(),
            again: None,
        })
    }

    /// Works until it is asked to stop, or another has the lease.
    pub(super) fn run(&mut self, is_asked: &dyn Fn() -> bool) -> Result<Ended, Error> {
        // That it is held is known before the first call is made.
        self.commit(HELD)?;
        while !is_asked() {
            self.read()?;
            if !self.has_lease()? {
                return Ok(Ended::Lost);
            }
            while let Ok(came) = self.told.try_recv() {
                self.take(came)?;
            }
            if self.is_caught_up {
                self.ask();
                self.call()?;
            }
            self.sink.go_on(Instant::now(), &mut self.outbox)?;
            if self.is_to_commit() && self.try_commit(HELD)? == Some(Ended::Lost) {
                return Ok(Ended::Lost);
            }
        }
        self.end()
    }

    fn wait(&self) -> Duration {
        let now = Instant::now();
        let is_at_rest = self.sink.calls() == 0 && self.source.wait(now).is_some() && self.outbox.is_empty();
        let mut wait = if is_at_rest { WAIT_AT_REST } else { WAIT };
        if let Some(poll) = self.source.wait(now) {
            wait = wait.min(poll);
        }
        if self.sink.has_work() {
            wait = wait.min(self.next_call.saturating_duration_since(now));
        }
        wait.max(Duration::from_millis(1))
    }

    /// Reads commands and links.
    fn read(&mut self) -> Result<(), Error> {
        let wait = if self.is_caught_up { self.wait() } else { WAIT };
        let records = match self.reader.read(wait) {
            Ok(records) => records,
            // Reading goes on by itself when it is over.
            Err(error) if error.remedy() == Remedy::Retry => {
                tracing::warn!("{error}");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let codec = &self.connector.codec;
        let directory = self.connector.plan.name(Topic::Directory);
        for index in 0..records.len() {
            let (Some(record), Some(topic)) = (records.get(index), records.topic(index)) else { continue };
            let taken = if topic == directory.as_str() {
                self.source.take_link(codec, (record.key, record.value), &mut self.outbox)
            } else {
                self.sink.take(codec, &record, &mut self.outbox, topic)
            };
            taken.map_err(|why| Error::Record {
                partition: bus::TopicName::new(topic).partition(record.partition.0),
                offset: record.offset,
                why,
            })?;
        }
        if !self.is_caught_up && records.is_empty() && self.reader.is_at_end() {
            self.is_caught_up = true;
            self.sink.is_caught_up();
            tracing::info!(waiting = self.sink.has_work(), "links and commands are read");
        }
        Ok(())
    }

    /// Whether nobody else has been given the account.
    fn has_lease(&mut self) -> Result<bool, Error> {
        match self.member.poll(Duration::ZERO) {
            Ok(Told::Losing(_) | Told::Lost(_)) => Ok(false),
            Ok(Told::Gained(_)) => Ok(true),
            Ok(Told::Records(records)) => {
                if let Some(last) = records.iter().last() {
                    self.place_next = Offset(last.offset.0 + 1);
                }
                Ok(true)
            }
            // What is lost is told when the group answers again; until then no commit proves the lease, and no call is made.
            Err(error) if matches!(error.remedy(), Remedy::Retry | Remedy::Abort) => Ok(true),
            Err(bus::Error::Fenced { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn take(&mut self, came: Came) -> Result<(), Error> {
        match came {
            Came::Polled(polled) => {
                if self.source.take(polled, &mut self.outbox)? {
                    self.sink.may_work_again();
                    self.next_call = self.first_call;
                }
            }
            Came::Called(called) => self.sink.done(called, &mut self.outbox)?,
        }
        Ok(())
    }

    /// Asks the platform what has changed. Not while that could not be written.
    fn ask(&mut self) {
        if self.again.is_some() {
            return;
        }
        if let Some(question) = self.source.ask() {
            let tell = self.tell.clone();
            // Nobody hears it any more who has lost the lease meanwhile.
            self.connector.calls.spawn(async move { tell.send(Came::Polled(question.await)).unwrap_or(()) });
        }
    }

    /// Makes the calls that may be made now.
    fn call(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        while self.next_call.max(self.first_call) <= now && self.connector.lease.holds() {
            match self.sink.next(now, &mut self.outbox)? {
                Next::Call(call) => {
                    let tell = self.tell.clone();
                    self.connector
                        .calls
                        .spawn(async move { tell.send(Came::Called(call.await)).unwrap_or(()) });
                }
                Next::Wait(wait) => self.next_call = now + wait,
                Next::Nothing => break,
            }
        }
        Ok(())
    }

    fn is_to_commit(&self) -> bool {
        let now = Instant::now();
        if let Some(again) = self.again {
            return now >= again;
        }
        let since = now.saturating_duration_since(self.committed);
        let proof = self.connector.lease.left(now).unwrap_or_default();
        let needs_proof = self.sink.has_work() && now >= self.first_call && proof < PROOF_LEFT_MIN;
        (since >= COMMIT_INTERVAL && !self.outbox.is_empty())
            || needs_proof
            || (since >= NOTE_INTERVAL && !self.sink.progress().eq(self.progress.iter().copied()))
    }

    /// Commits what waits. None where it did not work, and is to be tried again.
    fn try_commit(&mut self, lease: &str) -> Result<Option<Ended>, Error> {
        let error = match self.commit(lease) {
            Ok(()) => {
                if self.again.take().is_some() {
                    tracing::info!("the bus takes what is written again");
                }
                return Ok(None);
            }
            Err(Error::Bus(bus::Error::Fenced { .. })) => return Ok(Some(Ended::Lost)),
            Err(Error::Bus(error)) if error.remedy() == Remedy::Stop => return Err(error.into()),
            Err(Error::Bus(error)) => error,
            Err(error) => return Err(error),
        };
        if self.again.replace(Instant::now() + AGAIN_AFTER).is_none() {
            tracing::warn!("{error}; it is tried again until it works");
        }
        match self.writer.abort() {
            Err(bus::Error::Fenced { .. }) => Ok(Some(Ended::Lost)),
            Err(error) if error.remedy() == Remedy::Stop => Err(error.into()),
            _ => Ok(None),
        }
    }

    /// Commits what waits, how far commands were dealt with, and with it that the lease is ours.
    fn commit(&mut self, lease: &str) -> Result<(), Error> {
        let began = Instant::now();
        let commands = self.connector.plan.name(Topic::CommandsCxone);
        let ours =
            Progress { partition: self.place.clone(), next: self.place_next, metadata: lease.to_owned() };
        let progress: Vec<(u32, Offset)> = self.sink.progress().collect();
        let read = progress.iter().map(|(partition, next)| Progress {
            partition: commands.partition(*partition),
            next: *next,
            metadata: String::new(),
        });
        let all: Vec<Progress> = std::iter::once(ours).chain(read).collect();
        self.outbox.commit::<B>(&mut self.writer, &self.member, &all)?;
        self.connector.lease.prove(began);
        self.committed = Instant::now();
        self.progress = progress;
        Ok(())
    }

    /// Waits for the calls that are on their way, and hands the account over.
    fn end(&mut self) -> Result<Ended, Error> {
        let until = Instant::now() + self.connector.settings.call_timeout;
        while self.sink.calls() > 0
            && let Ok(came) = self.told.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if let Came::Called(called) = came {
                self.sink.done(called, &mut self.outbox)?;
            }
        }
        let lease = if self.sink.calls() == 0 { RELEASED } else { HELD };
        self.try_commit(lease)?;
        self.connector.observer.note(Noted::Lease(false));
        Ok(Ended::Asked)
    }
}

/// How far the account was read.
fn cursor<B: Bus>(connector: &Connector<B>) -> Result<Option<String>, Error> {
    let account = connector.account.to_string();
    let topic = connector.plan.name(Topic::Positions);
    let all = latest(&*connector.bus, &topic, |key| key == account)?;
    let Some(value) = all.get(&account) else { return Ok(None) };
    match connector.codec.read::<Position<'_>>(value) {
        Ok(position) => Ok(position.last_poll_time.map(std::borrow::Cow::into_owned)),
        Err(why) if why.remedy() == Remedy::Reject => {
            tracing::warn!("how far the account was read cannot be read: {why}; all are asked for");
            Ok(None)
        }
        Err(why) => Err(why.into()),
    }
}
