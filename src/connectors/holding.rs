//! What a process does for an account while it has its lease: one loop, on a thread of the bus.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::Instrument;

use super::connector::{Connector, Ended, LEASE_HOLDS_FOR, start};
use super::edge::{Edge, Source};
use super::sink::{Before, Called, Next, Sink};
use crate::bus::{
    self, Bus, From, Member, Offset, Polled as Told, Progress, Reader, Records, Topic, TopicPartition, Until,
    Writer, latest,
};
use crate::codec::Position;
use crate::connectors::outbox::{Author, Outbox};
use crate::connectors::{Error, Lease, Noted, identity};
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
/// What stands after that where commands of the account are held.
const PLATFORM_HELD: &str = ", platform held";

/// What comes from where calls are made.
enum Came<A> {
    Polled(A),
    Called(Called),
    /// Whoever made a call has panicked.
    Panicked,
}

/// Tells what came of a call, even where that panics.
struct Teller<A>(Option<Sender<Came<A>>>);

impl<A> Teller<A> {
    fn tell(mut self, came: Came<A>) {
        // Nobody hears it any more who has lost the lease meanwhile.
        let _ = self.0.take().map(|tell| tell.send(came).is_ok());
    }
}

impl<A> Drop for Teller<A> {
    fn drop(&mut self) {
        let _ = self.0.take().map(|tell| tell.send(Came::Panicked).is_ok());
    }
}

/// What the source of a platform is answered.
type Answer<E> = <<E as Edge>::Source as Source>::Answer;

/// An account, while this process has its lease.
pub(super) struct Holding<'c, B: Bus, E: Edge> {
    connector: &'c Connector<B, E>,
    /// This one's own: who has the account again later has another, so that no call of now goes out then.
    lease: Arc<Lease>,
    member: B::Member,
    writer: B::Writer,
    reader: B::Reader,
    place: TopicPartition,
    place_next: Offset,
    source: E::Source,
    sink: Sink,
    outbox: Outbox,
    tell: Sender<Came<Answer<E>>>,
    told: Receiver<Came<Answer<E>>>,
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

impl<'c, B: Bus, E: Edge> Holding<'c, B, E> {
    /// Takes over: whoever had the account before is fenced from here on.
    pub(super) fn begin(
        connector: &'c Connector<B, E>,
        member: B::Member,
        place: TopicPartition,
    ) -> Result<Self, Error> {
        let Connector { bus, codec, plan, settings, observer, .. } = connector;
        let identity = identity(plan, &settings.account.to_string());
        let writer = bus.writer(&identity, &Outbox::topics(plan))?;
        let fenced = Instant::now();
        // Who does not do them does not read them either.
        let lease_of_now = Arc::new(Lease::new(LEASE_HOLDS_FOR));
        let setter = connector.edge.setter(Arc::clone(&lease_of_now));
        let commands = if setter.is_some() { connector.commands() } else { Vec::new() };
        let places: Vec<TopicPartition> = [&place].into_iter().chain(&commands).cloned().collect();
        let mut committed = bus.committed(&identity, &places)?.into_iter();
        let lease = committed.next().flatten().map_or(RELEASED.to_owned(), |lease| lease.metadata);
        let is_released = lease.starts_with(RELEASED);
        let before = Before { may_be_in_a_call: !is_released, was_held: lease.ends_with(PLATFORM_HELD) };
        let mut sink = Sink::new(
            settings.account,
            setter,
            Arc::clone(observer),
            (settings.calls_max, settings.call_timeout),
            before,
        );
        let mut starts = vec![(plan.name(Topic::Directory).partition(0), From::Beginning)];
        for (partition, known) in commands.iter().zip(committed) {
            let at = start(&**bus, partition, known.map(|known| known.next))?;
            sink.begins(partition.partition.0, at);
            starts.push((partition.clone(), From::Offset(at)));
        }
        if E::Source::HEARS_EVENTS {
            let events = plan.name(Topic::Events);
            for partition in 0..plan.partitions {
                let place = events.partition(partition);
                let end = bus.bounds(&place)?.end;
                starts.push((place, From::Offset(end)));
            }
        }
        let source = position(connector, |position| connector.edge.source(position, Arc::clone(observer)))?;
        let author = Author {
            name: format!("source/{}/{}", settings.account, settings.process),
            account: settings.account,
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
            lease: lease_of_now,
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
        // That it is held is known before the lease holds for the first call.
        if self.try_commit(HELD)? == Some(Ended::Lost) {
            return Ok(Ended::Lost);
        }
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
        let poll = self.source.wait(now);
        let is_at_rest = self.sink.is_done() && poll.is_some() && self.outbox.is_empty();
        let most = if is_at_rest { WAIT_AT_REST } else { WAIT };
        let call = self.sink.has_work().then(|| self.next_call.saturating_duration_since(now));
        // What is due already and was not begun waits for something else.
        let due = [poll, call].into_iter().flatten().filter(|wait| !wait.is_zero());
        due.min().map_or(most, |due| due.min(most))
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
        let [directory, events] =
            [Topic::Directory, Topic::Events].map(|topic| self.connector.plan.name(topic));
        for index in 0..records.len() {
            let (Some(record), Some(topic)) = (records.get(index), records.topic(index)) else { continue };
            let taken = if topic == directory.as_str() {
                self.source.take_link(codec, (record.key, record.value), &mut self.outbox)
            } else if topic == events.as_str() {
                self.source.take_event(codec, record.value.unwrap_or_default())
            } else {
                self.sink.take(codec, &record, &mut self.outbox, topic)
            };
            taken.map_err(|why| Error::Record {
                partition: bus::TopicName::new(topic).partition(record.partition.0),
                offset: record.offset,
                why,
            })?;
        }
        if !self.is_caught_up && self.reader.has_been_at_end() {
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

    fn take(&mut self, came: Came<Answer<E>>) -> Result<(), Error> {
        match came {
            Came::Polled(polled) => {
                if self.source.take(polled, &mut self.outbox)? {
                    self.sink.may_work_again();
                    self.next_call = self.first_call;
                }
            }
            Came::Called(called) => self.sink.done(called, &mut self.outbox)?,
            Came::Panicked => return Err(Error::Panicked),
        }
        Ok(())
    }

    /// Asks the platform what has changed. Not while that could not be written.
    fn ask(&mut self) {
        if self.again.is_some() {
            return;
        }
        if let Some(question) = self.source.ask() {
            let teller = Teller(Some(self.tell.clone()));
            let call = async move { teller.tell(Came::Polled(question.await)) };
            self.connector.calls.spawn(call.in_current_span());
        }
    }

    /// Makes the calls that may be made now.
    fn call(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let holds = |lease: &Lease| lease.left(now).is_some_and(|left| left >= PROOF_LEFT_MIN / 2);
        while self.next_call.max(self.first_call) <= now && holds(&self.lease) {
            match self.sink.next(now, &mut self.outbox)? {
                Next::Call(call) => {
                    let teller = Teller(Some(self.tell.clone()));
                    let call = async move { teller.tell(Came::Called(call.await)) };
                    self.connector.calls.spawn(call.in_current_span());
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
        let proof = self.lease.left(now).unwrap_or_default();
        let has_calls = self.sink.has_work() || self.sink.calls() > 0;
        let needs_proof = has_calls && now >= self.first_call && proof < PROOF_LEFT_MIN;
        (since >= COMMIT_INTERVAL && !self.outbox.is_empty())
            || needs_proof
            || (since >= NOTE_INTERVAL && !self.sink.progress().eq(self.progress.iter().copied()))
    }

    /// Commits what waits. None where it did not work, and is to be tried again.
    fn try_commit(&mut self, lease: &str) -> Result<Option<Ended>, Error> {
        let _inside = tracing::info_span!("commit", records = self.outbox.len()).entered();
        let error = match self.commit(lease) {
            Ok(()) => {
                if self.again.take().is_some() {
                    self.connector.observer.note(Noted::WaitsForBus(false));
                    tracing::info!("the bus takes what is written again");
                }
                return Ok(None);
            }
            Err(Error::Bus(bus::Error::Fenced { .. })) => return Ok(Some(Ended::Lost)),
            Err(Error::Bus(error)) if matches!(error.remedy(), Remedy::Stop | Remedy::Reject) => {
                return Err(error.into());
            }
            Err(Error::Bus(error)) => error,
            Err(error) => return Err(error),
        };
        if self.again.replace(Instant::now() + AGAIN_AFTER).is_none() {
            self.connector.observer.note(Noted::WaitsForBus(true));
            tracing::warn!("{error}; it is tried again until it works");
        }
        // Who has lost the account must not become its writer again.
        if !self.has_lease()? {
            return Ok(Some(Ended::Lost));
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
        let commands = self.connector.plan.name(E::COMMANDS);
        let held = if self.sink.is_held() { PLATFORM_HELD } else { "" };
        let metadata = format!("{lease}{held}");
        let ours = Progress { partition: self.place.clone(), next: self.place_next, metadata };
        let progress: Vec<(u32, Offset)> = self.sink.progress().collect();
        let read = progress.iter().map(|(partition, next)| Progress {
            partition: commands.partition(*partition),
            next: *next,
            metadata: String::new(),
        });
        let all: Vec<Progress> = std::iter::once(ours).chain(read).collect();
        self.outbox.commit::<B>(&mut self.writer, Some((&self.member, &all)))?;
        self.lease.prove(began);
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
        // Who waited for another may not say that nothing can come any more.
        let is_certain = self.sink.is_at_rest() && Instant::now() >= self.first_call;
        let lease = if is_certain { RELEASED } else { HELD };
        self.try_commit(lease)?;
        self.connector.observer.note(Noted::Lease(false));
        Ok(Ended::Asked)
    }
}

impl<B: Bus, E: Edge> Drop for Holding<'_, B, E> {
    fn drop(&mut self) {
        self.lease.lose();
    }
}

/// How far the account was read.
fn position<B: Bus, E: Edge, T>(
    connector: &Connector<B, E>,
    take: impl FnOnce(Option<&Position<'_>>) -> T,
) -> Result<T, Error> {
    let account = connector.settings.account.to_string();
    let topic = connector.plan.name(Topic::Positions);
    let all = latest(&*connector.bus, &topic, |key| key == account)?;
    let Some(value) = all.get(&account) else { return Ok(take(None)) };
    match connector.codec.read::<Position<'_>>(value) {
        Ok(position) => Ok(take(Some(&position))),
        Err(why) if why.remedy() == Remedy::Reject => {
            tracing::warn!("how far the account was read cannot be read: {why}; all are asked for");
            Ok(take(None))
        }
        Err(why) => Err(why.into()),
    }
}
