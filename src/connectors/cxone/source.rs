//! The source of a tenant: what it is asked, and what of the answers is published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::feed::{Change, Feed as Known};
use super::tenant::{Poll, Tenant};
use crate::codec::{self, Codec, DeadCause, Observation, Origin, What};
use crate::connectors::edge;
use crate::connectors::http::{self, now};
use crate::connectors::links::{Linking, Links};
use crate::connectors::observer::{Noted, Observer};
use crate::connectors::outbox::Outbox;
use crate::connectors::schedule::{Asked, Schedule};
use crate::domain::{AccountName, Cause, CxoneAgentId, DurationMs, Feed, Status, TimeMs};

/// Where nothing changes, it is noted so often how far the account was read.
const NOTED_EVERY: Duration = Duration::from_secs(10);

/// An answer to a poll.
pub struct Polled {
    asked: Asked,
    /// When it was asked, by both of our clocks.
    at: TimeMs,
    began: Instant,
    poll: Result<Poll, http::Error>,
}

/// What a person can do about a call that is refused.
const fn mend(error: &http::Error) -> &'static str {
    match error {
        http::Error::Refused { status: 403, .. } => ": a permission of the service user is missing",
        error if error.is_refusal() => {
            ": the log-in is refused: look at the access key and the application in the configuration"
        }
        _ => "",
    }
}

/// The source of a tenant, while this process has its account.
pub struct Source {
    account: AccountName,
    tenant: Arc<Tenant>,
    observer: Arc<dyn Observer>,
    known: Known,
    links: Links<CxoneAgentId>,
    schedule: Schedule,
    noted_at: Option<Instant>,
    has_seen_all: bool,
}

impl Source {
    pub(super) fn new(
        account: AccountName,
        tenant: Arc<Tenant>,
        observer: Arc<dyn Observer>,
        cursor: Option<String>,
        (poll_interval, snapshot_interval): (Duration, Duration),
    ) -> Source {
        observer.note(Noted::PollInterval(poll_interval));
        let schedule = Schedule::new(poll_interval, snapshot_interval, cursor.is_some(), Instant::now());
        Source {
            account,
            tenant,
            observer,
            known: Known::new(cursor),
            links: Links::new(account, |link, account| {
                (link.cxone.account == account).then_some(link.cxone.agent)
            }),
            schedule,
            noted_at: None,
            has_seen_all: false,
        }
    }

    fn publish(
        &self,
        change: &Change,
        asked: Option<TimeMs>,
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        let observation = Observation {
            status: Status::Cxone(change.seen.status),
            since_raw: change.seen.since,
            offset: DurationMs::from_ms(self.tenant.platform().offset_ms()),
            row: None,
            cause: Cause::Unknown,
            asked,
            found_by: if asked.is_some() { Feed::Snapshot } else { Feed::Poll },
        };
        outbox.put_event(change.agent, What::Observation(observation), now())
    }

    fn set_aside(&self, entry: &str, at: TimeMs, outbox: &mut Outbox) -> Result<(), codec::Error> {
        let topic = format!("cxone.{}/agents/states", self.account);
        let origin = Origin { topic: &topic, partition: 0, offset: 0, at };
        let why = "an entry of the feed does not say who is in what since when";
        outbox.put_dead_letter(&origin, &topic, (DeadCause::Malformed, why), entry.as_bytes())
    }
}

impl edge::Source for Source {
    type Answer = Polled;

    const HEARS_EVENTS: bool = false;

    /// How long it is until something is to be asked.
    fn wait(&self, now: Instant) -> Option<Duration> {
        self.schedule.wait(now)
    }

    /// Takes a record of the directory. Who is linked from now on is published as he was seen last.
    fn take_link(
        &mut self,
        codec: &Codec,
        (key, value): (Option<&[u8]>, Option<&[u8]>),
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        let Some(linking) = self.links.take(codec, key, value)? else { return Ok(()) };
        self.observer.note(Noted::Linked(self.links.len()));
        match linking {
            Linking::Linked(agent, cxone) => {
                let Some(change) = self.known.link(cxone, agent) else { return Ok(()) };
                self.publish(&change, None, outbox)?;
                self.observer.note(Noted::Published { found_by: Feed::Poll, changes: 1 });
            }
            Linking::Unlinked(agent, cxone) => self.known.unlink(cxone, agent),
        }
        Ok(())
    }

    /// The next question, where one is due. Whoever asks it brings back the answer.
    fn ask(&mut self) -> Option<impl Future<Output = Polled> + Send + 'static> {
        let began = Instant::now();
        let asked = self.schedule.begin(began)?;
        let tenant = Arc::clone(&self.tenant);
        let cursor = match asked {
            Asked::Changes => self.known.cursor().map(str::to_owned),
            Asked::All => None,
        };
        Some(async move {
            let at = now();
            let poll = tenant.poll(cursor.as_deref()).await;
            Polled { asked, at, began, poll }
        })
    }

    /// Takes an answer: what has changed, and how far the account was read, are committed together. Says whether the platform
    /// answers again that was away.
    fn take(&mut self, polled: Polled, outbox: &mut Outbox) -> Result<bool, codec::Error> {
        let Polled { asked, at, began, poll } = polled;
        let now = Instant::now();
        let poll = match poll {
            Ok(poll) => poll,
            Err(error) => {
                self.observer.note(Noted::PollFailed);
                if self.schedule.failed(now, error.is_refusal()) {
                    tracing::warn!("{error}{}; it is asked again until it answers", mend(&error));
                }
                return Ok(false);
            }
        };
        let was_away = self.schedule.failing_since();
        if let Some(since) = was_away {
            tracing::info!(after_s = since.elapsed().as_secs(), "the platform answers again");
        }
        let found_by = match asked {
            Asked::Changes => Feed::Poll,
            Asked::All => Feed::Snapshot,
        };
        let before = self.known.cursor().map(str::to_owned);
        let taken = self.known.take(poll, asked);
        self.schedule.came(now, taken.is_odd);
        if taken.is_odd {
            tracing::info!("pages were left out or came twice, or it goes back in time: asked again");
            self.observer.note(Noted::PollOdd);
        }
        if taken.is_resigned && asked == Asked::Changes {
            self.schedule.wants_all(now);
        }
        let snapshot = (asked == Asked::All).then_some(at);
        for change in &taken.changes {
            self.publish(change, snapshot, outbox)?;
        }
        for entry in &taken.unreadable {
            self.set_aside(entry, at, outbox)?;
        }
        let is_new = self.known.cursor() != before.as_deref();
        let is_due = self.noted_at.is_none_or(|noted| noted.elapsed() >= NOTED_EVERY);
        if !taken.changes.is_empty() || asked == Asked::All || (is_new && is_due) {
            outbox.put_position(self.known.cursor(), at)?;
            self.noted_at = Some(now);
        }
        let changes = taken.changes.len();
        self.observer.note(Noted::Polled { found_by, took: began.elapsed() });
        self.observer.note(Noted::Published { found_by, changes });
        self.observer.note(Noted::OfOthers(taken.of_others));
        self.observer.note(Noted::Unreadable(taken.unreadable.len()));
        if asked == Asked::All {
            if self.has_seen_all && taken.drift > 0 {
                tracing::info!(changes = taken.drift, "a snapshot found what the feed had not told");
                self.observer.note(Noted::Drift(taken.drift));
            }
            self.has_seen_all = true;
        }
        Ok(was_away.is_some())
    }

    fn take_event(&mut self, _: &Codec, _: &[u8]) -> Result<(), codec::Error> {
        Ok(())
    }
}
