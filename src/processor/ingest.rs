//! From records to decisions: a few are read, then applied, then written, each of the three a loop of its own.

use std::ops::Range;
use std::sync::Arc;

use super::agents::Place;
use super::in_force::Compiled;
use super::partition::{Applied, Happened, Worked, is_of};
use super::stage::Stage;
use super::{AHEAD, Context, Error, Now};
use crate::bus::{Offset, Record, Records, Writer, partition_for};
use crate::codec::{self, Activated, DecidedAs, Event, Malformed, Sha256, Uuid, What};
use crate::domain::{Remedy, TimeMs};
use crate::engine::{self, Epoch};
use crate::fail;

/// How far a run of records was applied, and what comes next.
#[derive(Debug)]
pub(super) struct Taken {
    /// So many records.
    pub(super) rows: usize,
    /// What has to be done before the next one.
    pub(super) then: Then,
}

/// What has to be done before the next record can be applied. None of it may be done while a transaction is open.
#[derive(Debug)]
pub(super) enum Then {
    /// Nothing.
    GoOn,
    /// The next record puts a revision into force, which must be at hand.
    Load(Epoch, Uuid, Sha256),
    /// The schema with this id is to be fetched.
    Fetch(i32),
    /// The next record cannot be dealt with, and is not to be skipped. What comes before it is to be committed.
    Stop(Box<Error>),
}

/// A record that was read.
struct Item<'b> {
    record: Record<'b>,
    at: TimeMs,
    read: Result<Event<'b>, codec::Error>,
    place: Option<Place>,
}

impl Worked {
    /// Applies a run of records of this partition, as far as it can be done now.
    pub(super) fn take<R: Records, W: Writer>(
        &mut self,
        context: &Context,
        (records, rows): (&R, Range<usize>),
        (stage, now): (&mut Stage<'_, W>, Now),
    ) -> Result<Taken, Error> {
        let mut items: Vec<Item<'_>> = Vec::with_capacity(AHEAD);
        let mut applied: Vec<Option<Applied>> = Vec::with_capacity(AHEAD);
        let mut next = rows.start;
        while next < rows.end {
            items.clear();
            let end = rows.end.min(next + AHEAD);
            let then = self.read(context, stage, records, next..end, &mut items)?;
            applied.clear();
            // From here on memory is ahead of what was committed.
            self.is_open |= !items.is_empty();
            self.look_ahead(&mut items);
            for item in &items {
                applied.push(self.apply_item(item, now));
            }
            fail::point("after apply");
            for (item, applied) in items.iter().zip(&applied) {
                self.write_item(context, item, applied.as_ref(), stage)?;
                self.next = Offset(item.record.offset.0 + 1);
                self.tally.events += 1;
                fail::point("amid writing");
            }
            next += items.len();
            if !matches!(then, Then::GoOn) {
                return Ok(Taken { rows: next - rows.start, then });
            }
        }
        Ok(Taken { rows: next - rows.start, then: Then::GoOn })
    }

    /// Reads records up to the first that cannot be applied yet.
    fn read<'b, R: Records, W: Writer>(
        &mut self,
        context: &Context,
        stage: &Stage<'_, W>,
        records: &'b R,
        rows: Range<usize>,
        items: &mut Vec<Item<'b>>,
    ) -> Result<Then, Error> {
        for record in rows.filter_map(|row| records.get(row)) {
            let place = || context.events.partition(self.number);
            let Some(appended_at) = record.appended_at else {
                return Ok(Then::Stop(Box::new(Error::NoAppendTime(place()))));
            };
            let read = stage.codec.decode::<Event<'_>>(record.value.unwrap_or_default());
            let read = read.and_then(|event| self.belongs(context, &record, event));
            match &read {
                Err(codec::Error::NotLoaded(id)) => return Ok(Then::Fetch(*id)),
                Err(why) if why.remedy() != Remedy::Reject => {
                    let why = read.err().unwrap_or(codec::Error::Framing);
                    let error = Error::Record { partition: place(), offset: record.offset, why };
                    return Ok(Then::Stop(Box::new(error)));
                }
                Ok(Event { what: What::Activated(activated), .. })
                    if !self.is_superseded(activated.epoch) =>
                {
                    let Activated { epoch, revision, manifest_hash, .. } = activated;
                    return Ok(Then::Load(*epoch, *revision, *manifest_hash));
                }
                Ok(Event { what: What::EngineVersion(raised), .. }) if raised.version > engine::VERSION => {
                    return Ok(Then::Stop(Box::new(Error::NewerEngine { found: raised.version })));
                }
                _ => {}
            }
            let at = self.tick(appended_at);
            items.push(Item { record, at, read, place: None });
        }
        Ok(Then::GoOn)
    }

    /// Whether an event is where it belongs: else an agent would have two orders, or none.
    fn belongs<'b>(
        &self,
        context: &Context,
        record: &Record<'_>,
        event: Event<'b>,
    ) -> Result<Event<'b>, codec::Error> {
        let contradiction =
            |why| Err(codec::Error::Malformed { record: "Event", why: Malformed::Value(why) });
        let Some(agent) = event.agent else { return Ok(event) };
        let key = agent.text();
        if record.key != Some(&key) {
            return contradiction("its key is not the id of its agent");
        }
        if partition_for(&key, context.partitions).0 != self.number {
            return contradiction("it is in the partition of other agents");
        }
        match &event.what {
            What::Linked(linked) if !is_of(&linked.link, agent) => {
                contradiction("its link makes another agent than the one it names")
            }
            _ => Ok(event),
        }
    }

    /// Looks all agents up, and asks memory for all their states at once.
    fn look_ahead(&self, items: &mut [Item<'_>]) {
        for item in items.iter_mut() {
            item.place = item.read.as_ref().ok().and_then(|event| self.find(event.agent));
        }
        std::hint::black_box(self.agents.touch(items.iter().filter_map(|item| item.place)));
    }

    fn apply_item(&mut self, item: &Item<'_>, now: Now) -> Option<Applied> {
        let event = item.read.as_ref().ok()?;
        Some(self.apply(event, event.agent?, item.place, (item.at, now)))
    }

    fn write_item<W: Writer>(
        &mut self,
        context: &Context,
        item: &Item<'_>,
        applied: Option<&Applied>,
        stage: &mut Stage<'_, W>,
    ) -> Result<(), Error> {
        let event = match &item.read {
            Ok(event) => event,
            Err(why) => {
                tracing::warn!(
                    partition = self.number,
                    offset = item.record.offset.0,
                    "a record cannot be read and is set aside in the dead letters: {why}"
                );
                self.tally.dead_letters += 1;
                return stage.dead_letter(&context.events, &item.record, item.at, why);
            }
        };
        let happened = happened(event, &item.record, item.at);
        if let Some(applied) = applied {
            return self.decide(&happened, applied, stage);
        }
        let reason = match &event.what {
            What::EngineVersion(raised) => {
                self.engine_version = self.engine_version.max(raised.version);
                DecidedAs::EngineVersion
            }
            What::PlatformHeld(_) => DecidedAs::PlatformHeld,
            What::PlatformResumed(_) => DecidedAs::PlatformResumed,
            // One that is not superseded never comes here.
            _ => DecidedAs::SupersededActivation,
        };
        self.decide_for_all(&happened, reason, stage)
    }

    /// Applies the activation that [`Then::Load`] named, in a transaction of its own.
    pub(super) fn take_activation<W: Writer>(
        &mut self,
        record: &Record<'_>,
        compiled: Arc<Compiled>,
        (stage, now): (&mut Stage<'_, W>, Now),
    ) -> Result<(), Error> {
        let Ok(event) = stage.codec.decode::<Event<'_>>(record.value.unwrap_or_default()) else {
            return Ok(());
        };
        let What::Activated(activated) = &event.what else { return Ok(()) };
        let at = self.tick(record.appended_at.unwrap_or(self.clock));
        self.is_open = true;
        self.activate(&happened(&event, record, at), activated, compiled, (stage, now))?;
        self.next = Offset(record.offset.0 + 1);
        self.tally.events += 1;
        Ok(())
    }
}

fn happened<'b>(event: &Event<'_>, record: &Record<'b>, now: TimeMs) -> Happened<'b> {
    Happened {
        id: event.id,
        kind: event.what.kind(),
        offset: record.offset,
        now,
        shown: match &event.what {
            What::Observation(seen) => Some(seen.status),
            _ => None,
        },
        key: record.key.unwrap_or_default(),
    }
}
