//! The source of an org: what it is asked, and what of the answers is published. Browsers publish what they see by themselves; this
//! is for small orgs, for the start, and for what no browser told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::edge::Attached;
use super::error::Error;
use super::feed::{Change, Feed as Known, Taken};
use super::reads::Presence;
use super::wire;
use crate::codec::{self, Codec, DeadCause, Event, Observation, Origin, RowClosed, What};
use crate::connectors::edge;
use crate::connectors::http::{Usage, now};
use crate::connectors::links::{Linking, Links};
use crate::connectors::observer::{Noted, Observer};
use crate::connectors::outbox::Outbox;
use crate::connectors::schedule::{Asked, Schedule};
use crate::domain::{Cause, DurationMs, Feed, Platform, Remedy, SalesforceStatus, Status, TimeMs, UserId};

/// What was written shortly before a question may be seen only after it: questions overlap by so much.
const OVERLAP: DurationMs = DurationMs::from_seconds(10);
/// With the first snapshot it is asked who has ended since so long.
const ENDED_LATELY: DurationMs = DurationMs::from_seconds(3_600);
/// Where nothing changes, it is noted so often how far the org was read.
const NOTED_EVERY: Duration = Duration::from_secs(10);
/// Of a hundred calls of the day: with more used, only snapshots are asked for, as others need calls, too.
const USED_MAX: u64 = 90;

/// An answer.
pub struct Polled {
    asked: Asked,
    /// When it was asked, by both of our clocks.
    at: TimeMs,
    began: Instant,
    presence: Result<Presence, Error>,
}

/// The source of an org, while this process has it.
pub struct Source {
    attached: Attached,
    observer: Arc<dyn Observer>,
    known: Known,
    links: Links<UserId>,
    schedule: Schedule,
    noted_at: Option<Instant>,
    is_sparing: bool,
    /// What was told of the questions that fail.
    told: Option<Trouble>,
}

/// Why a question fails, as far as that makes a difference to who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    LogIn,
    UsedUp,
    Forbidden,
    Other,
}

/// Whose rows these are that cannot be read; none where that cannot be read either.
fn whose(unreadable: &[String]) -> Option<HashSet<UserId>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct OfUser {
        user_id: String,
    }
    unreadable.iter().map(|row| serde_json::from_str::<OfUser>(row).ok()?.user_id.parse().ok()).collect()
}

impl Source {
    pub(super) fn new(attached: Attached, observer: Arc<dyn Observer>, cursor: Option<TimeMs>) -> Source {
        let (poll, snapshot) = (attached.poll_interval, attached.snapshot_interval);
        observer.note(Noted::PollInterval(poll));
        let schedule = Schedule::new(poll, snapshot, cursor.is_some(), Instant::now());
        let links = Links::new(attached.account, |link, account| {
            (link.salesforce.account == account).then_some(link.salesforce.user)
        });
        Source {
            attached,
            observer,
            known: Known::new(cursor),
            links,
            schedule,
            noted_at: None,
            is_sparing: false,
            told: None,
        }
    }

    fn offset(&self) -> DurationMs {
        DurationMs::from_ms(self.attached.org.platform().offset_ms())
    }

    fn publish(
        &self,
        change: &Change,
        asked: Option<TimeMs>,
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        let (offset, found_by) = (self.offset(), if asked.is_some() { Feed::Snapshot } else { Feed::Poll });
        let (agent, what) = match *change {
            Change::Seen { agent, status, row, since } => {
                let status = Status::Salesforce(SalesforceStatus::Presence(status));
                let cause = Cause::Unknown;
                let seen = Observation { status, since_raw: since, offset, row, cause, asked, found_by };
                (agent, What::Observation(seen))
            }
            Change::Closed { agent, row, at } => {
                (agent, What::RowClosed(RowClosed { row, at_raw: at, offset, asked, found_by }))
            }
        };
        outbox.put_event(agent, what, now())
    }

    fn set_aside(&self, row: &str, at: TimeMs, outbox: &mut Outbox) -> Result<(), codec::Error> {
        let topic = format!("salesforce.{}/UserServicePresence", self.attached.account);
        let origin = Origin { topic: &topic, partition: 0, offset: 0, at };
        let why = "a row does not say who is in what since when";
        outbox.put_dead_letter(&origin, &topic, (DeadCause::Malformed, why), row.as_bytes())
    }

    /// Whether so many of the day's calls are used that only snapshots are to be asked for.
    fn is_to_spare(&mut self) -> bool {
        let usage = self.attached.org.usage();
        let spares =
            usage.is_some_and(|Usage { used, max }| used.saturating_mul(100) > max.saturating_mul(USED_MAX));
        if spares != self.is_sparing {
            self.is_sparing = spares;
            let Attached { poll_interval, snapshot_interval, .. } = self.attached;
            self.observer.note(Noted::PollInterval(if spares { snapshot_interval } else { poll_interval }));
            if spares {
                tracing::warn!(
                    "{USED_MAX} % of the org's calls of the day are used, by all its programs: until there are more, only snapshots are asked for"
                );
            } else {
                tracing::info!("there are calls again: what has changed is asked for as before");
            }
        }
        spares
    }

    fn failed(&mut self, error: &Error) {
        self.observer.note(Noted::PollFailed);
        let (trouble, mend) = if error.is_log_in() {
            (Trouble::LogIn, "")
        } else if error.is_used_up() {
            (Trouble::UsedUp, ": all calls of the day are used, by whatever programs of the org")
        } else if error.is_forbidden() {
            (Trouble::Forbidden, ": a permission of the integration user is missing")
        } else {
            (Trouble::Other, "")
        };
        let is_new = self.schedule.failed(Instant::now(), trouble != Trouble::Other);
        // What only a person can mend is told, whatever failed before it.
        if is_new || (self.told != Some(trouble) && trouble != Trouble::Other) {
            tracing::warn!("{error}{mend}; it is asked again until it answers");
            self.told = Some(trouble);
        }
    }

    /// Publishes what came of an answer.
    fn put(
        &mut self,
        taken: &Taken,
        (asked, at): (Asked, TimeMs),
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        let snapshot = (asked == Asked::All).then_some(at);
        for change in &taken.changes {
            self.publish(change, snapshot, outbox)?;
        }
        for row in &taken.unreadable {
            self.set_aside(row, at, outbox)?;
        }
        let is_due = self.noted_at.is_none_or(|noted| noted.elapsed() >= NOTED_EVERY);
        if !taken.changes.is_empty() || asked == Asked::All || is_due {
            let cursor = self.known.cursor().map(wire::literal);
            outbox.put_position(cursor.as_deref(), at)?;
            self.noted_at = Some(Instant::now());
        }
        Ok(())
    }
}

impl edge::Source for Source {
    type Answer = Polled;

    const HEARS_EVENTS: bool = true;

    fn wait(&self, now: Instant) -> Option<Duration> {
        self.schedule.wait(now)
    }

    fn take_link(
        &mut self,
        codec: &Codec,
        (key, value): (Option<&[u8]>, Option<&[u8]>),
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        let Some(linking) = self.links.take(codec, key, value)? else { return Ok(()) };
        self.observer.note(Noted::Linked(self.links.len()));
        match linking {
            Linking::Linked(agent, user) => {
                let Some(change) = self.known.link(user, agent) else { return Ok(()) };
                self.publish(&change, None, outbox)?;
                self.observer.note(Noted::Published { found_by: Feed::Poll, changes: 1 });
            }
            Linking::Unlinked(agent, user) => self.known.unlink(user, agent),
        }
        Ok(())
    }

    fn take_event(&mut self, codec: &Codec, value: &[u8]) -> Result<(), codec::Error> {
        let event = match codec.read::<Event<'_>>(value) {
            Ok(event) => event,
            // The processor sets it aside.
            Err(why) if why.remedy() == Remedy::Reject => return Ok(()),
            Err(why) => return Err(why),
        };
        let is_ours = event.account.is_some_and(|account| {
            account.platform == Platform::Salesforce && account.name == self.attached.account
        });
        if let (true, Some(agent), What::Observation(seen)) = (is_ours, event.agent, &event.what)
            && seen.found_by == Feed::Bridge
            && let Status::Salesforce(status) = seen.status
        {
            self.known.heard(agent, status, seen.row, seen.since_raw);
        }
        Ok(())
    }

    fn ask(&mut self) -> Option<impl Future<Output = Polled> + Send + 'static> {
        let began = Instant::now();
        let is_old = |cursor: TimeMs| cursor < now() + self.offset() - ENDED_LATELY;
        if self.known.cursor().is_some_and(is_old) {
            // Nobody needs all that has happened since.
            self.schedule.wants_all(began);
        }
        if self.is_to_spare() {
            self.schedule.spare(began);
        }
        let asked = self.schedule.begin(began)?;
        let org = Arc::clone(&self.attached.org);
        let at = now();
        let there = at + self.offset();
        let oldest = there - ENDED_LATELY;
        let cursor = self.known.cursor().filter(|cursor| *cursor >= oldest);
        let since = match asked {
            Asked::Changes => cursor.unwrap_or(there) - OVERLAP,
            Asked::All => {
                self.known.asks_for_all();
                cursor.filter(|_| self.known.has_seen_all()).map_or(oldest, |cursor| cursor - OVERLAP)
            }
        };
        Some(async move {
            let presence = match asked {
                Asked::Changes => org.changes(since).await,
                Asked::All => org.snapshot(Some(since)).await,
            };
            Polled { asked, at, began, presence }
        })
    }

    fn take(&mut self, polled: Polled, outbox: &mut Outbox) -> Result<bool, codec::Error> {
        let Polled { asked, at, began, presence } = polled;
        let presence = match presence {
            Ok(presence) => presence,
            Err(error) => {
                self.failed(&error);
                return Ok(false);
            }
        };
        let was_away = self.schedule.failing_since();
        if let Some(since) = was_away {
            tracing::info!(after_s = since.elapsed().as_secs(), "the platform answers again");
            self.told = None;
        }
        let had_seen_all = self.known.has_seen_all();
        // What time it was there may be known only by now.
        let there = at + self.offset();
        let mut taken = match asked {
            Asked::Changes => self.known.take_changes(&presence.rows, there),
            Asked::All => {
                let whose = whose(&presence.unreadable);
                self.known.take_all(&presence.rows, whose.as_ref(), there)
            }
        };
        self.schedule.came(Instant::now(), taken.is_odd);
        if taken.is_odd {
            tracing::warn!(
                "many agents are in no row any more: perhaps a permission of the integration user is missing; it is asked again before that is believed"
            );
            self.observer.note(Noted::PollOdd);
            return Ok(was_away.is_some());
        }
        taken.unreadable = self.known.unreadable(presence.unreadable);
        self.put(&taken, (asked, at), outbox)?;
        let found_by = if asked == Asked::All { Feed::Snapshot } else { Feed::Poll };
        self.observer.note(Noted::Polled { found_by, took: began.elapsed() });
        self.observer.note(Noted::Published { found_by, changes: taken.changes.len() });
        self.observer.note(Noted::OfOthers(taken.of_others));
        self.observer.note(Noted::Unreadable(taken.unreadable.len()));
        if had_seen_all && taken.drift > 0 {
            tracing::info!(changes = taken.drift, "a snapshot found what no feed had told");
            self.observer.note(Noted::Drift(taken.drift));
        }
        Ok(was_away.is_some())
    }
}
