//! Everything that a simulated org is at one moment: its records, who is in what, sessions, faults, and what was called.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::super::faults::Faults;
use super::consoles::Desk;
use super::handle::Changed;
use super::ids::long;
use super::people::{People, mixed};
use super::presence::{Presence, Reason, Refusal, Row};
use super::records::Records;
use super::rest::Cursor;
use super::sessions::Sessions;
use super::settings::Settings;
use super::times::iso;
use crate::domain::{DurationMs, SalesforceId, SalesforceStatus, TimeMs, UserId};

/// So many changes may be told that nobody has read.
const UNREAD_MAX: usize = 65_536;
/// So many kinds of calls are counted apart.
const CALLS_MAX: usize = 1_000;
/// So much noise is made up for where nobody looked.
const NOISE_MADE_UP_MAX: DurationMs = DurationMs::from_seconds(3_600);
const DAY: DurationMs = DurationMs::from_seconds(86_400);

/// Who makes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// One of the people who behave.
    Person,
    /// A browser.
    Toolkit,
    /// Whoever has the control endpoint.
    Control,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Who::Person => "person",
            Who::Toolkit => "toolkit",
            Who::Control => "control",
        }
    }
}

/// An org with everything around it.
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) records: Records,
    pub(super) presence: Presence,
    pub(super) sessions: Sessions,
    pub(super) faults: Faults,
    /// Queries of which not every page was read, by their locator.
    pub(super) cursors: BTreeMap<SalesforceId, Cursor>,
    /// How many queries were made.
    pub(super) queries: u64,
    pub(super) changes: broadcast::Sender<Changed>,
    /// Consoles, and the users who behave at theirs.
    pub(super) desk: Option<(Desk, BTreeSet<UserId>)>,
    people: People,
    /// How often each kind of call was made.
    calls: BTreeMap<String, u64>,
    /// How many calls of the day were made, and when it began.
    used: (u64, TimeMs),
    /// When a row is touched next that has not changed, and how often one was.
    noise: (TimeMs, u64),
    log: VecDeque<Value>,
}

impl World {
    pub(super) fn new(settings: Settings, now: TimeMs) -> World {
        let now = now + DurationMs::from_ms(settings.variants.date_offset_ms);
        let records = Records::new(&settings, now);
        World {
            presence: Presence::default(),
            sessions: Sessions::new(settings.seed),
            faults: Faults::default(),
            cursors: BTreeMap::new(),
            queries: 0,
            changes: broadcast::Sender::new(UNREAD_MAX),
            desk: None,
            people: People::new(&settings, &records, now),
            calls: BTreeMap::new(),
            used: (0, now),
            noise: (now, 0),
            log: VecDeque::new(),
            settings,
            records,
        }
    }

    /// Time goes on: what is due happens.
    pub(super) fn go_on(&mut self, now: TimeMs) {
        self.presence.go_on(now);
        while let Some((at, user, turn)) = self.people.next(now) {
            let wait = self.behave(user, turn, at);
            self.people.again(at + wait, user, turn + 1);
        }
        self.make_noise(now);
        if now.since(self.used.1) >= DAY {
            self.used = (0, now);
        }
    }

    /// Rows are touched that have not changed.
    fn make_noise(&mut self, now: TimeMs) {
        let every = DurationMs::from_ms(self.settings.variants.noise_every_ms.into());
        // A clock that was set by much is not followed through all the time between.
        if every == DurationMs::ZERO || now.since(self.noise.0) > NOISE_MADE_UP_MAX {
            self.noise.0 = now;
            return;
        }
        while self.noise.0 + every <= now {
            let (at, count) = self.noise;
            let random = mixed(!self.settings.seed, count);
            self.noise = (at + every, count + 1);
            let number = random % u64::from(self.settings.users.max(1)) + 1;
            let used = (random >> 32) % 50;
            self.presence.use_capacity(super::ids::user(number), used as f64 / 10.0, at + every);
        }
    }

    /// One does what one in his place would do. Tells how long it is until he does something again.
    fn behave(&mut self, user: UserId, turn: u64, at: TimeMs) -> DurationMs {
        let presence = self.presence.of(user).map(|row| (row.status, self.records.has_channels(row.status)));
        let (wanted, reason, wait) = self.people.acts(&self.records, user, turn, presence);
        let desk =
            self.desk.as_ref().filter(|(_, whose)| whose.contains(&user)).map(|(desk, _)| desk.clone());
        let is_open = desk.as_ref().map(|desk| desk.is_open(user));
        let (first, last) = match is_open {
            Some(is_open) => self.people.at_console(user, turn, is_open, wanted),
            None => (None, None),
        };
        // Nobody is at a console that is gone.
        let at_desk = |act| desk.as_ref().and_then(|desk| desk.act(user, act));
        first.and_then(at_desk);
        if let Some(wanted) = wanted {
            // Who may not, does not.
            let _ = self.set(user, wanted, (reason, Who::Person), at);
        }
        last.and_then(at_desk);
        wait
    }

    /// Sets a user to a status, as his own browser does. Gives the row of his stay; none where he is offline.
    pub(super) fn set(
        &mut self,
        user: UserId,
        status: SalesforceStatus,
        (reason, who): (Reason, Who),
        now: TimeMs,
    ) -> Result<Option<Row>, Refusal> {
        let known = self.records.users.get(&user).ok_or(Refusal::UnknownUser)?;
        if let SalesforceStatus::Presence(id) = status {
            if !known.is_active {
                return Err(Refusal::Inactive);
            }
            if self.records.statuses.get(&id).is_none_or(|status| status.is_deleted) {
                return Err(Refusal::UnknownStatus);
            }
            if !known.granted.contains(&id) {
                return Err(Refusal::NotGranted);
            }
        }
        let variants = &self.settings.variants;
        if self.presence.status(user) == status && (status.is_off() || !variants.set_again_opens) {
            return Ok(self.presence.of(user).cloned());
        }
        let has_channels = match status {
            SalesforceStatus::Presence(id) => self.records.has_channels(id),
            SalesforceStatus::Offline => false,
        };
        let is_away = variants.away_without_channels && !has_channels;
        let row = self.presence.set(user, (status, is_away), now, variants).cloned();
        let changed = Changed { user, status, row: row.as_ref().map(|row| row.id), reason, at: now };
        self.note(&changed, who);
        // Nobody may listen.
        let _ = self.changes.send(changed);
        Ok(row)
    }

    fn note(&mut self, changed: &Changed, who: Who) {
        if self.log.len() >= self.settings.log_max.max(1) {
            self.log.pop_front();
        }
        let status = match changed.status {
            SalesforceStatus::Offline => None,
            SalesforceStatus::Presence(id) => Some(id),
        };
        let name = status.and_then(|id| self.records.statuses.get(&id)).map(|status| &status.developer_name);
        self.log.push_back(json!({
            "at": iso(changed.at), "user": long(changed.user.id()), "status": status.map(|id| long(id.id())),
            "developerName": name, "row": changed.row.map(|id| long(id.id())),
            "reason": changed.reason.name(), "who": who.name(),
        }));
    }

    /// What has changed, the oldest first.
    pub(super) fn log(&self) -> Value {
        self.log.iter().cloned().collect()
    }

    pub(super) fn forget_log(&mut self) {
        self.log.clear();
    }

    /// How many calls a day are allowed.
    pub(super) fn allowed(&self) -> u64 {
        let licences = u64::from(self.settings.users);
        self.settings.variants.daily_requests.unwrap_or(100_000 + 1_000 * licences)
    }

    /// How many calls of this day were made.
    pub(super) const fn used(&self) -> u64 {
        self.used.0
    }

    /// One call more, if it is allowed.
    pub(super) fn use_one(&mut self) -> bool {
        let is_allowed = self.used.0 < self.allowed();
        self.used.0 += u64::from(is_allowed);
        is_allowed
    }

    /// Counts a call, by its method and path without ids.
    pub(super) fn count(&mut self, method: &str, path: &str) {
        let is_id =
            |segment: &str| segment.split('-').next().is_some_and(|id| id.parse::<SalesforceId>().is_ok());
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let segments = segments.map(|segment| if is_id(segment) { "ID" } else { segment });
        let call = segments.fold(method.to_owned() + " ", |call, segment| call + "/" + segment);
        if self.calls.len() < CALLS_MAX || self.calls.contains_key(&call) {
            *self.calls.entry(call).or_default() += 1;
        }
    }

    /// What was called, and how much of the day's allowance is used.
    pub(super) fn calls(&self) -> Value {
        json!({"used": self.used(), "allowed": self.allowed(), "calls": self.calls})
    }

    /// Another day begins.
    pub(super) fn forget_calls(&mut self, now: TimeMs) {
        self.calls.clear();
        self.used = (0, now);
    }
}
