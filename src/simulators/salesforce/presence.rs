//! Presence: who is in which status, and the rows of `UserServicePresence` that tell of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids;
use super::settings::Variants;
use crate::domain::{DurationMs, PresenceStatusId, RowId, SalesforceStatus, TimeMs, UserId};

/// So many rows are kept; the oldest of those that are over go first.
const ROWS_MAX: usize = 1_000_000;

/// Who or what made a change, as the console's event `omniChannelStatusChanged` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A program, by the Omni toolkit.
    #[serde(rename = "OmniToolkitStatusChange")]
    Toolkit,
    /// Work that was offered and not taken in time.
    #[serde(rename = "OmniPushTimeout")]
    PushTimeout,
    /// Work that was declined.
    #[serde(rename = "OmniDeclineWork")]
    DeclineWork,
    /// The user, by hand.
    #[serde(rename = "OmniManualStatusChange")]
    Manual,
    /// His supervisor.
    #[serde(rename = "OmniSupervisorStatusChange")]
    Supervisor,
    /// His log-in.
    #[serde(rename = "OmniLoginStatusChange")]
    Login,
}

impl Reason {
    /// As the event says it.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::Toolkit => "OmniToolkitStatusChange",
            Reason::PushTimeout => "OmniPushTimeout",
            Reason::DeclineWork => "OmniDeclineWork",
            Reason::Manual => "OmniManualStatusChange",
            Reason::Supervisor => "OmniSupervisorStatusChange",
            Reason::Login => "OmniLoginStatusChange",
        }
    }
}

/// Why a user is not set to a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such user.
    UnknownUser,
    /// He may not log in any more.
    Inactive,
    /// There is no such status, or none any more.
    UnknownStatus,
    /// Neither his profile nor a permission set of his grants it.
    NotGranted,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::UnknownUser => "there is no such user",
            Refusal::Inactive => "the user is not active",
            Refusal::UnknownStatus => "there is no such presence status",
            Refusal::NotGranted => "the user has no access to the presence status",
        })
    }
}

impl std::error::Error for Refusal {}

/// A row of `UserServicePresence`: one stay of a user in a status.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: RowId,
    /// Whose it is.
    pub user: UserId,
    /// In which status he was.
    pub status: PresenceStatusId,
    /// Whether he is in it still. A stale row says so too.
    pub is_current: bool,
    /// Whether he takes no work in it.
    pub is_away: bool,
    /// Since when.
    pub started: TimeMs,
    /// Until when; none while he is in it.
    pub ended: Option<TimeMs>,
    /// How much of his capacity was used on average.
    pub average_capacity: f64,
    /// When it was last changed.
    pub modified: TimeMs,
    /// Whether it was deleted.
    pub is_deleted: bool,
}

/// How much a user can work on at once.
pub(super) const CAPACITY: i64 = 5;

/// In what everybody is.
#[derive(Debug, Default)]
pub(super) struct Presence {
    pub(super) rows: BTreeMap<RowId, Row>,
    /// Rows that open later.
    coming: BTreeMap<RowId, Row>,
    /// The row of each user's stay, be it open or coming.
    stays: BTreeMap<UserId, RowId>,
    /// When the newest row of each that is over has ended.
    ended: BTreeMap<UserId, TimeMs>,
    opened: u64,
    closed: u64,
}

impl Presence {
    /// In what a user is, with its row. In the gap between two rows, it is one that opens later.
    pub(super) fn of(&self, user: UserId) -> Option<&Row> {
        let id = self.stays.get(&user)?;
        self.rows.get(id).or_else(|| self.coming.get(id))
    }

    /// In what a user is.
    pub(super) fn status(&self, user: UserId) -> SalesforceStatus {
        self.of(user).map_or(SalesforceStatus::Offline, |row| SalesforceStatus::Presence(row.status))
    }

    /// When the newest of his rows that are over has ended.
    pub(super) fn ended(&self, user: UserId) -> Option<TimeMs> {
        self.ended.get(&user).copied()
    }

    /// Time goes on: rows open.
    pub(super) fn go_on(&mut self, now: TimeMs) {
        let open = self.coming.extract_if(.., |_, row| row.started <= now);
        self.rows.extend(open);
        while self.rows.len() > ROWS_MAX {
            let over = self.rows.values().find(|row| !row.is_current).map(|row| row.id);
            match over {
                Some(id) => self.rows.remove(&id),
                None => break,
            };
        }
    }

    /// A user is in this from now on. Closes a row where there is one, and opens another but for Offline.
    pub(super) fn set(
        &mut self,
        user: UserId,
        (status, is_away): (SalesforceStatus, bool),
        now: TimeMs,
        variants: &Variants,
    ) -> Option<&Row> {
        let had_row = self.leave(user, now, variants);
        let SalesforceStatus::Presence(status) = status else { return None };
        self.opened += 1;
        let id = ids::row(self.opened);
        let gap = if had_row { DurationMs::from_ms(variants.gap_ms.into()) } else { DurationMs::ZERO };
        let started = now + gap;
        let (modified, is_current, ended) = (started, true, None);
        let row = Row {
            id,
            user,
            status,
            is_current,
            is_away,
            started,
            ended,
            average_capacity: 0.0,
            modified,
            is_deleted: false,
        };
        self.stays.insert(user, id);
        self.coming.insert(id, row);
        self.go_on(now);
        self.of(user)
    }

    /// His stay is over. Tells whether there was a row to close.
    fn leave(&mut self, user: UserId, now: TimeMs, variants: &Variants) -> bool {
        let Some(id) = self.stays.remove(&user) else { return false };
        // What has not opened never does, but the gap before it was one.
        if self.coming.remove(&id).is_some() {
            return true;
        }
        let Some(row) = self.rows.get_mut(&id) else { return false };
        self.closed += 1;
        if variants.stale_every > 0 && self.closed.is_multiple_of(variants.stale_every.into()) {
            return true;
        }
        row.is_current = false;
        let ended = now.max(row.started);
        (row.ended, row.modified) = (Some(ended), ended);
        self.ended.insert(user, ended);
        true
    }

    /// The use of a user's capacity is written again, where he has an open row.
    pub(super) fn use_capacity(&mut self, user: UserId, used: f64, now: TimeMs) {
        let row = self.stays.get(&user).and_then(|id| self.rows.get_mut(id));
        if let Some(row) = row.filter(|row| row.started <= now) {
            row.average_capacity = used;
            row.modified = now;
        }
    }

    /// Deletes a row. Tells whether there was one. Who was in it is so still: only the row goes.
    pub(super) fn delete(&mut self, id: RowId, now: TimeMs) -> bool {
        match self.rows.get_mut(&id).filter(|row| !row.is_deleted) {
            Some(row) => {
                row.is_deleted = true;
                row.modified = now;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: TimeMs = TimeMs::from_unix_ms(1_767_607_200_000);

    fn at(ms: i64) -> TimeMs {
        BEGUN + DurationMs::from_ms(ms)
    }

    fn status(number: u64) -> SalesforceStatus {
        SalesforceStatus::Presence(ids::status(number))
    }

    /// The rows as (status, whether it is current, started, ended), in the order in which they opened.
    fn rows(presence: &Presence) -> Vec<(PresenceStatusId, bool, i64, Option<i64>)> {
        let ms = |at: TimeMs| at.since(BEGUN).as_ms();
        let row = |row: &Row| (row.status, row.is_current, ms(row.started), row.ended.map(ms));
        presence.rows.values().map(row).collect()
    }

    #[test]
    fn a_change_closes_a_row_and_opens_one_but_for_offline() {
        let (mut presence, variants, user) = (Presence::default(), Variants::default(), ids::user(1));
        let one = presence.set(user, (status(1), false), at(0), &variants).cloned().unwrap();
        assert_eq!(presence.of(user), Some(&one));
        presence.set(user, (status(2), true), at(1_000), &variants);
        let closed = (ids::status(1), false, 0, Some(1_000));
        assert_eq!(rows(&presence), [closed, (ids::status(2), true, 1_000, None)]);
        assert_eq!(presence.status(user), status(2));
        assert_eq!(presence.set(user, (SalesforceStatus::Offline, false), at(3_000), &variants), None);
        assert_eq!(rows(&presence), [closed, (ids::status(2), false, 1_000, Some(3_000))]);
        assert_eq!((presence.status(user), presence.of(user)), (SalesforceStatus::Offline, None));
        assert_eq!((presence.ended(user), presence.ended(ids::user(2))), (Some(at(3_000)), None));
    }

    #[test]
    fn between_two_rows_there_may_be_a_gap() {
        let mut presence = Presence::default();
        let (variants, user) = (Variants { gap_ms: 500, ..Variants::default() }, ids::user(1));
        presence.set(user, (status(1), false), at(0), &variants);
        assert_eq!(rows(&presence), [(ids::status(1), true, 0, None)], "a log-in has none");
        presence.set(user, (status(2), false), at(1_000), &variants);
        presence.go_on(at(1_499));
        let closed = (ids::status(1), false, 0, Some(1_000));
        assert_eq!(rows(&presence), [closed]);
        assert_eq!(presence.status(user), status(2), "the console knows it at once");
        // He changes again before it opens: it never does.
        presence.set(user, (status(3), false), at(1_499), &variants);
        presence.go_on(at(1_998));
        assert_eq!(rows(&presence), [closed]);
        presence.go_on(at(1_999));
        assert_eq!(rows(&presence), [closed, (ids::status(3), true, 1_999, None)]);
    }

    #[test]
    fn a_stale_row_stays_current() {
        let mut presence = Presence::default();
        let (variants, user) = (Variants { stale_every: 2, ..Variants::default() }, ids::user(1));
        for (number, at_ms) in [(1, 0), (2, 10), (3, 20)] {
            presence.set(user, (status(number), false), at(at_ms), &variants);
        }
        let current = |row: (PresenceStatusId, bool, i64, Option<i64>)| (row.1, row.3);
        let current: Vec<_> = rows(&presence).into_iter().map(current).collect();
        assert_eq!(current, [(false, Some(10)), (true, None), (true, None)]);
        assert_eq!(presence.status(user), status(3));
    }

    #[test]
    fn use_of_capacity_touches_a_row_and_changes_no_status() {
        let (mut presence, variants, user) = (Presence::default(), Variants::default(), ids::user(1));
        presence.use_capacity(user, 1.5, at(0));
        presence.set(user, (status(1), false), at(10), &variants);
        presence.use_capacity(user, 2.5, at(30));
        let row = presence.of(user).unwrap();
        assert_eq!((row.average_capacity, row.modified, row.started), (2.5, at(30), at(10)));
        let id = row.id;
        assert!(presence.delete(id, at(40)) && !presence.delete(id, at(50)));
        assert_eq!(presence.rows[&id].modified, at(40));
    }
}
