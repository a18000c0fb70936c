//! A worker: one thread that reads, decides, commits, and begins again from what was committed where that fails.

mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Span;
use tracing::field::Empty;

use super::ingest::Then;
use super::partition::Worked;
use super::restore::{Known, restore};
use super::revisions::Cache;
use super::stage::{OUTPUTS, Stage};
use super::stop::Stop;
use super::trouble::Trouble;
use super::{Context, Error, NOTHING_LOST, Now, Observer, Settings};
use crate::bus::{
    self, Bus, Member, Membership, Offset, Polled, Progress, Records, TopicName, TopicPartition, TopicsPlan,
    Writer,
};
use crate::codec::{Buffer, Codec};
use crate::control::Revisions;
use crate::domain::Remedy;
use crate::fail;

/// The longest time in which nothing is looked at: whether it is to stop, above all.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// How long it is waited before something that did not work is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// What is given up again and again is tried more seldom, and no more seldom than this.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(10);
/// Of one partition so many records are dealt with before it is looked at others, and at what the transaction holds.
const RUN_MAX: usize = 2_000;
/// A full transaction that was over within this may be twice as large: it has 12 s.
const OVER_SOON: Duration = Duration::from_secs(4);
/// One that was open for longer than this when it was given up was too large.
const OPEN_TOO_LONG: Duration = Duration::from_secs(6);
/// No transaction holds fewer events than this for being slow: what was read at once is to be worked off before the group
/// takes us for dead.
const EVENTS_MIN: usize = 128;
/// After so long in what was read at once it is looked whether to stop, and the rest is read again.
const INGEST_MAX: Duration = Duration::from_secs(4);
/// How long it is waited to hear what was committed: as long as another's transaction is open on it there is no answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The same, while other partitions are worked on, which it holds up.
const ANSWER_MAX_AT_WORK: Duration = Duration::from_secs(1);
/// How long a state may look other than it was committed: a transaction that another left open hides what comes after it,
/// until the brokers abort it after 15 s, which they look for every 10 s.
const SETTLED_WITHIN: Duration = Duration::from_secs(28);

/// One thread's share of the processor.
pub struct Worker<B: Bus> {
    context: Context,
    bus: Arc<B>,
    observer: Arc<dyn Observer>,
    membership: Membership,
    member: B::Member,
    /// The group has told the member what is its own.
    is_told: bool,
    writer: B::Writer,
    cache: Cache,
    buffer: Buffer,
    /// What is worked on.
    partitions: BTreeMap<u32, Worked>,
    /// What is ours, and has to be restored first.
    to_restore: BTreeSet<u32>,
    /// Until when nothing can be applied, because something is not at hand.
    blocked_until: Option<Instant>,
    /// When it may be tried again to restore.
    restore_at: Instant,
    /// Partitions whose state, as it is read, is not the one that was committed, with when that was seen first.
    unsettled: BTreeMap<u32, Instant>,
    /// What was committed last of each partition, also of those that went.
    committed: BTreeMap<u32, Offset>,
    /// So many times in a row it failed to restore.
    failed_restores: u32,
    /// The transaction failed, and was not given up yet.
    is_aborting: bool,
    /// Since when a transaction is open, and how many events are in it.
    open: Option<(Instant, usize)>,
    /// The number of the transaction that is open or will be, and what its lines of the log stand in.
    transaction: (u64, Span),
    /// What all of them stand in: not in one another, or none would ever end.
    around: Span,
    /// So many events are the most in a transaction now: fewer than the settings say where one was not over in time.
    events_max: usize,
    /// So many transactions were given up since the last that was committed.
    given_up: u32,
    last_commit: Instant,
    standings_told: Instant,
    trouble: Trouble,
}

impl<B: Bus> Worker<B> {
    /// Becomes a member and a writer. A predecessor of this identity is fenced from now on.
    ///
    /// # Errors
    /// A topic is missing, or the bus cannot be reached.
    pub fn new(
        bus: Arc<B>,
        codec: Arc<Codec>,
        plan: &TopicsPlan,
        settings: Settings,
        observer: Arc<dyn Observer>,
    ) -> Result<Worker<B>, Error> {
        let context = Context::new(settings, plan.clone(), codec);
        let outputs: Vec<TopicName> = OUTPUTS.iter().map(|topic| plan.name(*topic)).collect();
        // First the writer: from then on nothing of a predecessor is committed any more.
        let writer = bus.writer(&context.identity, &outputs)?;
        let membership = Membership {
            group: context.group.clone(),
            name: Some(context.identity.clone()),
            topics: vec![context.events.clone()],
        };
        let member = bus.join(&membership)?;
        Ok(Worker {
            cache: Cache::new(Revisions::new(&context.plan)),
            events_max: context.settings.events_max,
            given_up: 0,
            membership,
            context,
            bus,
            observer,
            member,
            is_told: false,
            writer,
            buffer: Buffer::new(),
            partitions: BTreeMap::new(),
            to_restore: BTreeSet::new(),
            blocked_until: None,
            restore_at: Instant::now(),
            unsettled: BTreeMap::new(),
            committed: BTreeMap::new(),
            failed_restores: 0,
            is_aborting: false,
            open: None,
            transaction: (1, span_of(1, &Span::current())),
            around: Span::current(),
            last_commit: Instant::now(),
            standings_told: Instant::now(),
            trouble: Trouble::default(),
        })
    }

    /// Works until it is asked to stop; then it commits what it has, and goes.
    ///
    /// # Errors
    /// What a person has to mend. What passes by itself is waited for.
    pub fn run(mut self, stop: &Stop) -> Result<(), Error> {
        while !stop.is_asked() {
            let Err(error) = self.step() else { continue };
            match error.remedy() {
                Remedy::Retry => self.wait_for_better(&error),
                Remedy::Abort => self.give_up(&error),
                Remedy::Reject | Remedy::Stop => {
                    if matches!(error, Error::StateHash { .. }) {
                        self.observer.violated(NOTHING_LOST);
                    }
                    // What is open is of no use to anybody.
                    let _ = self.writer.abort();
                    return Err(error);
                }
            }
        }
        if let Err(error) = self.commit() {
            tracing::warn!("the last transaction is given up, and will be done again: {error}");
            let _ = self.writer.abort();
        }
        for partition in self.partitions.keys() {
            tracing::info!(partition, "let go");
            self.observer.gone(*partition);
        }
        Ok(())
    }

    /// A little of everything.
    fn step(&mut self) -> Result<(), Error> {
        if self.is_aborting {
            let aborted = self.writer.abort();
            if let Err(error) = aborted {
                // The group must not take us for dead meanwhile.
                self.poll(WAIT_MAX, true)?;
                return Err(error.into());
            }
            self.is_aborting = false;
            self.observer.aborted();
            self.begin_again()?;
        }
        match self.blocked_until {
            Some(until) if Instant::now() < until => self.poll(self.wait(), true)?,
            Some(_) => {
                self.blocked_until = None;
                self.begin_again()?;
            }
            None => self.poll(self.wait(), false)?,
        }
        if self.is_aborting {
            // Nothing may be added to it.
            return Ok(());
        }
        self.wake()?;
        self.tell_standings();
        if self.open.is_some() && (self.room() == 0 || self.until_commit().is_zero()) {
            self.commit()?;
        }
        if !self.to_restore.is_empty() && Instant::now() >= self.restore_at {
            let begun = Instant::now();
            let restored = self.restore();
            self.failed_restores = if restored.is_ok() { 0 } else { self.failed_restores + 1 };
            if restored.is_err() {
                // What is worked on has as much time as is taken from it.
                let taken = if self.partitions.is_empty() { Duration::ZERO } else { begun.elapsed() };
                self.restore_at = self.restore_at.max(Instant::now() + taken.max(AGAIN_AFTER));
            }
            restored?;
        }
        self.look_whether_it_is_better()
    }

    /// How many more events may be in the transaction that is open, or will be.
    fn room(&self) -> usize {
        self.events_max.saturating_sub(self.open.map_or(0, |(_, events)| events))
    }

    fn until_commit(&self) -> Duration {
        self.context.settings.commit_interval.saturating_sub(self.last_commit.elapsed())
    }

    /// How long there is nothing else to do than to wait for records.
    fn wait(&self) -> Duration {
        let mut wait = if self.to_restore.is_empty() { WAIT_MAX } else { WAIT_MAX / 10 };
        if self.open.is_some() {
            wait = wait.min(self.until_commit());
        }
        let due = self.partitions.values().filter_map(|worked| worked.wake_ups.next()).min();
        due.map_or(wait, |due| wait.min(due.saturating_duration_since(Instant::now())))
    }

    /// Reads what there is; without its records, where they would come too early.
    fn poll(&mut self, wait: Duration, is_deaf: bool) -> Result<(), Error> {
        let polled = match self.member.poll(wait) {
            Err(bus::Error::Fenced { .. }) => return self.doubt(),
            polled => polled?,
        };
        if matches!(polled, Polled::Lost(_)) {
            self.tell_joined(false);
        }
        let gone_on = self.take(polled, is_deaf);
        // By now it is known of all that came that it is being restored.
        if !self.is_told && self.member.is_told() {
            self.tell_joined(true);
        }
        gone_on
    }

    fn take(&mut self, polled: Polled<<B::Member as Member>::Records>, is_deaf: bool) -> Result<(), Error> {
        match polled {
            Polled::Records(records) if is_deaf || records.is_empty() => Ok(()),
            Polled::Records(records) => self.ingest(&records),
            Polled::Gained(gained) => {
                for place in gained {
                    tracing::info!(partition = place.partition.0, "assigned");
                    self.observer.restoring(place.partition.0);
                    self.to_restore.insert(place.partition.0);
                }
                Ok(())
            }
            Polled::Losing(going) => {
                // Now, or it is lost with them.
                let committed = if self.is_aborting { Ok(()) } else { self.commit() };
                if let Err(error) = &committed
                    && error.remedy() == Remedy::Abort
                {
                    self.give_up(error);
                }
                self.drop_all(&going, "revoked");
                committed.or_else(|error| if self.is_aborting { Ok(()) } else { Err(error) })
            }
            Polled::Lost(gone) => {
                let is_open = |place: &TopicPartition| {
                    self.partitions.get(&place.partition.0).is_some_and(|worked| worked.is_open)
                };
                if gone.iter().any(is_open) {
                    let group = self.context.group.clone();
                    let operation = "working on partitions that went to another".to_owned();
                    self.give_up(&bus::Error::Evicted { operation, group }.into());
                }
                self.drop_all(&gone, "lost");
                Ok(())
            }
        }
    }

    /// The group says that another has our name. An outage that swallowed an answer of the brokers looks the same; but who
    /// has our name has become the writer first, and that the brokers know for sure.
    fn doubt(&mut self) -> Result<(), Error> {
        self.give_up(&bus::Error::Fenced { identity: self.context.identity.clone() }.into());
        self.unsettled.clear();
        self.tell_joined(false);
        let restoring = std::mem::take(&mut self.to_restore);
        let worked = std::mem::take(&mut self.partitions);
        restoring.into_iter().chain(worked.into_keys()).for_each(|number| self.observer.gone(number));
        self.writer.abort()?;
        self.writer.confirm()?;
        self.is_aborting = false;
        tracing::warn!(
            "it was an outage that looked so: this process is still the only one of its name, and joins the group anew"
        );
        self.member = self.bus.join(&self.membership)?;
        Ok(())
    }

    fn drop_all(&mut self, places: &[TopicPartition], how: &str) {
        for place in places {
            let number = place.partition.0;
            self.partitions.remove(&number);
            self.to_restore.remove(&number);
            self.unsettled.remove(&number);
            tracing::info!(partition = number, "{how}");
            self.observer.gone(number);
        }
    }

    fn ingest(&mut self, records: &<B::Member as Member>::Records) -> Result<(), Error> {
        let mut at = 0;
        let now = Now::get();
        let begun = Instant::now();
        fail::point("after read");
        while let Some(first) = records.get(at) {
            let same =
                |row: &usize| records.get(*row).is_some_and(|record| record.partition == first.partition);
            let most = self.room().clamp(1, RUN_MAX);
            let end = (at..records.len()).take(most).take_while(same).last().map_or(at, |last| last + 1);
            let number = first.partition.0;
            let Some(worked) = self.partitions.get_mut(&number) else {
                // It comes again once the partition is restored.
                at = end;
                continue;
            };
            let mut stage = stage_of(&self.context, &mut self.writer, &mut self.buffer);
            let run = (records, at..end);
            let span = &self.transaction.1;
            let taken = span.in_scope(|| worked.take(&self.context, run, (&mut stage, now)))?;
            self.note_open(taken.rows);
            at += taken.rows;
            match taken.then {
                Then::GoOn => {}
                Then::Load(epoch, revision, hash) => {
                    self.commit()?;
                    let wanted = (epoch, revision, hash);
                    let loaded = self.cache.get(&self.context, &*self.bus, number, wanted);
                    let compiled = match loaded {
                        Ok(compiled) => compiled,
                        Err(error) => return self.come_back(error),
                    };
                    let mut stage = stage_of(&self.context, &mut self.writer, &mut self.buffer);
                    if let (Some(worked), Some(record)) = (self.partitions.get_mut(&number), records.get(at))
                    {
                        worked.take_activation(&record, compiled, (&mut stage, now))?;
                        tracing::info!(partition = number, epoch = epoch.0, %revision, "activated");
                    }
                    at += 1;
                    self.note_open(1);
                    self.commit()?;
                }
                Then::Stop(error) => {
                    self.commit()?;
                    return Err(*error);
                }
                Then::Fetch(id) => {
                    self.commit()?;
                    if let Err(why) = self.context.codec.load_blocking(id) {
                        let partition = self.context.events.partition(number);
                        let offset = records.get(at).map_or(Offset(0), |record| record.offset);
                        return self.come_back(Error::Record { partition, offset, why });
                    }
                }
            }
            if self.room() == 0 {
                self.commit()?;
                if begun.elapsed() >= INGEST_MAX {
                    return self.begin_again();
                }
            }
        }
        Ok(self.writer.push()?)
    }

    /// What cannot be applied yet is read again after a while; until then the group hears of us.
    fn come_back(&mut self, error: Error) -> Result<(), Error> {
        self.blocked_until = Some(Instant::now() + AGAIN_AFTER);
        Err(error)
    }

    fn note_open(&mut self, events: usize) {
        if self.partitions.values().any(|worked| worked.is_open) {
            self.open.get_or_insert((Instant::now(), 0)).1 += events;
        }
    }

    /// Timers that are due become events: as many as the transaction has room for.
    fn wake(&mut self) -> Result<(), Error> {
        let now = Now::get();
        let mut room = self.room();
        let mut woken = 0;
        for worked in self.partitions.values_mut() {
            if worked.wake_ups.next().is_some_and(|due| due <= now.instant) {
                let mut stage = stage_of(&self.context, &mut self.writer, &mut self.buffer);
                let here = worked.wake(now, room, &mut stage)?;
                (room, woken) = (room - here, woken + here);
            }
            worked.is_open |= worked.has_snapshot();
        }
        self.note_open(woken);
        Ok(())
    }

    /// Commits what is open, if anything is.
    fn commit(&mut self) -> Result<(), Error> {
        let Some((since, events)) = self.open else { return Ok(()) };
        let span = self.transaction.1.clone();
        let _inside = span.enter();
        span.record("events", events);
        let mut progress: Vec<Progress> = Vec::new();
        for worked in self.partitions.values_mut().filter(|worked| worked.is_open) {
            let mut stage = stage_of(&self.context, &mut self.writer, &mut self.buffer);
            worked.write_states(&mut stage)?;
            worked.write_snapshot(&mut stage)?;
            progress.push(worked.progress(&self.context.events));
        }
        let begun = Instant::now();
        fail::point("before commit");
        self.writer.commit(Some((&self.member, &progress)))?;
        fail::point("after commit");
        self.last_commit = Instant::now();
        if events >= self.events_max && since.elapsed() < OVER_SOON {
            self.events_max = self.events_max.saturating_mul(2).min(self.context.settings.events_max);
        }
        self.given_up = 0;
        self.observer.transaction(since.elapsed(), begun.elapsed());
        self.open = None;
        self.next_transaction();
        for worked in self.partitions.values_mut().filter(|worked| worked.is_open) {
            worked.committed(&self.context.codec, self.context.settings.snapshot_interval)?;
            self.committed.insert(worked.number, worked.next);
            let (number, clock, next) = (worked.number, worked.clock, worked.next);
            self.observer.committed(number, &worked.tally, clock, next);
            worked.tally.clear();
        }
        // What cannot be restored or applied is no better for that.
        if self.to_restore.is_empty() && self.blocked_until.is_none() {
            self.is_better();
        }
        Ok(())
    }

    fn next_transaction(&mut self) {
        let number = self.transaction.0 + 1;
        self.transaction = (number, span_of(number, &self.around));
    }

    /// The transaction failed: what is in memory of its partitions was never committed, and goes.
    fn give_up(&mut self, why: &Error) {
        self.transaction.1.in_scope(|| {
            tracing::warn!("a transaction is given up, and done again from what was committed: {why}");
        });
        self.next_transaction();
        self.is_aborting = true;
        self.blocked_until = None;
        // Brokers that are slow take a small one in time. A full one that is over soon doubles it again.
        if let Some((_, events)) = self.open.take().filter(|(since, _)| since.elapsed() >= OPEN_TOO_LONG) {
            let least = EVENTS_MIN.min(self.events_max);
            self.events_max = (events / 2).clamp(least, self.events_max);
            tracing::info!(events_max = self.events_max, "transactions are smaller");
        }
        if self.given_up > 0 {
            let pause = AGAIN_AFTER.saturating_mul(1 << (self.given_up - 1).min(8));
            self.restore_at = self.restore_at.max(Instant::now() + pause.min(AGAIN_AFTER_MAX));
        }
        self.given_up += 1;
        let open: Vec<u32> =
            self.partitions.values().filter(|worked| worked.is_open).map(|worked| worked.number).collect();
        for number in open {
            self.partitions.remove(&number);
            self.to_restore.insert(number);
            self.observer.restoring(number);
        }
    }

    /// What was not in the transaction that failed is as it was committed: it is read on from there, because records of it
    /// may have been thrown away.
    fn begin_again(&mut self) -> Result<(), Error> {
        let starts: Vec<_> = self
            .partitions
            .values()
            .map(|worked| (self.context.events.partition(worked.number), worked.next))
            .collect();
        if starts.is_empty() {
            return Ok(());
        }
        // Where that fails they are restored as the others are.
        self.member.start(&starts).map_err(Error::from).or_else(|error| {
            self.partitions.values_mut().for_each(|worked| worked.is_open = true);
            self.give_up(&error);
            if error.remedy() == Remedy::Stop { Err(error) } else { Ok(()) }
        })
    }

    fn restore(&mut self) -> Result<(), Error> {
        self.commit()?;
        let begun = Instant::now();
        let wait = if self.partitions.is_empty() { ANSWER_MAX } else { self.answer_max_at_work() };
        let from = (&*self.bus, &self.member, &mut self.cache);
        let known = |number: &u32| {
            let since = self.unsettled.get(number);
            let is_final = since.is_some_and(|since| since.elapsed() > SETTLED_WITHIN);
            (*number, Known { next: self.committed.get(number).copied(), is_final })
        };
        let partitions: Vec<_> = self.to_restore.iter().map(known).collect();
        let found = restore(&self.context, from, &partitions, (Now::get(), wait))?;
        for (number, _) in &found.unsettled {
            self.unsettled.entry(*number).or_insert_with(Instant::now);
        }
        if !found.ready.is_empty() {
            self.start(found.ready, begun)?;
        }
        found.unsettled.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Begins to work on partitions that are restored.
    fn start(&mut self, restored: Vec<Worked>, begun: Instant) -> Result<(), Error> {
        let start = |worked: &Worked| (self.context.events.partition(worked.number), worked.next);
        let starts: Vec<_> = restored.iter().map(start).collect();
        match self.member.start(&starts) {
            // They have gone meanwhile: the next poll says so.
            Err(error) if error.remedy() == Remedy::Abort => return Ok(()),
            started => started?,
        }
        let progress: Vec<Progress> =
            restored.iter().map(|worked| worked.progress(&self.context.events)).collect();
        let ready: Vec<(u32, usize)> =
            restored.iter().map(|worked| (worked.number, worked.agents.len())).collect();
        for mut worked in restored {
            self.to_restore.remove(&worked.number);
            self.unsettled.remove(&worked.number);
            worked.is_open = true;
            self.partitions.insert(worked.number, worked);
        }
        // The first transaction takes a while, and is made before anybody waits for it.
        self.open = Some((Instant::now(), 0));
        self.writer.commit(Some((&self.member, &progress)))?;
        self.open = None;
        for (number, agents) in &ready {
            if let Some(worked) = self.partitions.get_mut(number) {
                worked.is_open = false;
            }
            self.observer.ready(*number, *agents, begun.elapsed());
        }
        let ready: Vec<u32> = ready.into_iter().map(|(number, _)| number).collect();
        tracing::info!(partitions = ?ready, took_ms = begun.elapsed().as_millis() as u64, "ready");
        if self.to_restore.is_empty() {
            self.is_better();
        }
        Ok(())
    }

    /// How long an answer is waited for that holds up what is worked on: longer each time that it did not come.
    fn answer_max_at_work(&self) -> Duration {
        ANSWER_MAX_AT_WORK.saturating_mul(1 << self.failed_restores.min(8)).min(ANSWER_MAX)
    }
}

/// What the lines of the log about a transaction stand in.
fn span_of(transaction: u64, around: &Span) -> Span {
    tracing::info_span!(parent: around, "transaction", transaction, events = Empty)
}

fn stage_of<'s, W: Writer>(context: &'s Context, writer: &'s mut W, buffer: &'s mut Buffer) -> Stage<'s, W> {
    let keeps_payload = context.settings.keeps_payload;
    Stage { writer, codec: &context.codec, buffer, name: &context.writer, keeps_payload }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Text(Arc<Mutex<Vec<u8>>>);

    impl Write for Text {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_transaction_that_follows_another_does_not_stand_in_it() {
        let text = Text::default();
        let written = text.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || written.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let around = tracing::info_span!("worker");
            let _inside = span_of(1, &around).entered();
            span_of(2, &around).in_scope(|| tracing::info!("said"));
        });
        let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains(" worker:transaction{transaction=2}: "), "{text}");
    }
}
