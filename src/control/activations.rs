//! Activations: which revision is in force, since when, and who said so.

use std::borrow::Cow;
use std::thread;
use std::time::{Duration, Instant};

use super::{Control, Error, Revisions, Saved, event, now};
use crate::bus::{Bus, Topic, TopicsPlan, latest};
use crate::codec::{Activated, Codec, Event, Operator, Sha256, Uuid, What};
use crate::domain::TimeMs;
use crate::engine::Epoch;

/// The keys of activations in `presence.rules`, before their epoch.
const KEY: &str = "activation/";

/// How long it may take until what was committed can be read.
const MARKED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A revision was said to be in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Counts activations.
    pub epoch: Epoch,
    /// The revision.
    pub revision: Uuid,
    /// The SHA-256 of its manifest.
    pub manifest_hash: Sha256,
    /// When it was written.
    pub at: TimeMs,
    /// Who said so.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Activation {
    /// All there ever were, the oldest first.
    ///
    /// # Errors
    /// The bus cannot be reached, or a record cannot be read.
    pub fn all<B: Bus>(bus: &B, codec: &Codec, plan: &TopicsPlan) -> Result<Vec<Activation>, Error> {
        let topic = plan.name(Topic::Rules);
        let mut all = Vec::new();
        for (key, value) in latest(bus, &topic, |key| key.starts_with(KEY))? {
            let unreadable = |why| Error::Record { topic: topic.as_str().to_owned(), key: key.clone(), why };
            let event: Event<'_> = codec.read(&value).map_err(unreadable)?;
            if let What::Activated(activated) = event.what {
                let Activated { epoch, revision, manifest_hash, operator } = activated;
                let Operator { actor, reason } = operator;
                let (actor, reason, at) = (actor.into_owned(), reason.into_owned(), event.written_at);
                all.push(Activation { epoch, revision, manifest_hash, at, actor, reason });
            }
        }
        all.sort_by_key(|activation| activation.epoch);
        Ok(all)
    }
}

impl<B: Bus> Control<'_, B> {
    /// Says to every partition that a revision is in force.
    ///
    /// # Errors
    /// The revision is not whole, another operator came meanwhile, or the bus does not take it.
    pub fn activate(&mut self, saved: &Saved, operator: &Operator<'_>) -> Result<Activation, Error> {
        let revision = saved.manifest.revision;
        let begun = Instant::now();
        loop {
            match Revisions::new(self.plan).load(self.bus, self.codec, revision, Some(saved.hash)) {
                // It was committed a moment ago, and the brokers have yet to mark that.
                Err(Error::NoRevision(_)) if begun.elapsed() < MARKED_WITHIN => thread::sleep(LOOK_AGAIN),
                loaded => break loaded.map(drop)?,
            }
        }
        // This one is control by now: nobody else's activation can come between.
        let last = Activation::all(self.bus, self.codec, self.plan)?.pop();
        let epoch = Epoch(last.map_or(0, |last| last.epoch.0) + 1);
        let at = now();
        let what = What::Activated(Activated {
            epoch,
            revision,
            manifest_hash: saved.hash,
            operator: Operator {
                actor: Cow::Borrowed(&operator.actor),
                reason: Cow::Borrowed(&operator.reason),
            },
        });
        let event = event(what, None, at, epoch.0);
        // Epochs are padded, so that the keys are in their order.
        self.put((Topic::Rules, 0), &format!("{KEY}{:012}", epoch.0), &event)?;
        for partition in 0..self.plan.partitions {
            self.put_event(partition, &event)?;
        }
        self.commit()?;
        let (actor, reason) = (operator.actor.to_string(), operator.reason.to_string());
        Ok(Activation { epoch, revision, manifest_hash: saved.hash, at, actor, reason })
    }

    /// Says that the revision before the one in force is in force again.
    ///
    /// # Errors
    /// There is none; or those of [`Control::activate`].
    pub fn roll_back(&mut self, operator: &Operator<'_>) -> Result<Activation, Error> {
        let all = Activation::all(self.bus, self.codec, self.plan)?;
        let in_force = all.last().ok_or(Error::NothingBefore)?;
        let before = all.iter().rev().find(|one| one.revision != in_force.revision);
        let before = before.ok_or(Error::NothingBefore)?;
        let revisions = Revisions::new(self.plan);
        let (saved, _) = revisions.load(self.bus, self.codec, before.revision, Some(before.manifest_hash))?;
        self.activate(&saved, operator)
    }
}
