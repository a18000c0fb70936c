//! People who behave: they log in, choose statuses, decline work or let it time out, and log out. What each does follows from the
//! seed and his id, whatever the others do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::consoles::Act;
use super::presence::Reason;
use super::records::Records;
use super::settings::Settings;
use crate::domain::{DurationMs, PresenceStatusId, SalesforceStatus, TimeMs, UserId};

/// All who behave.
pub(super) struct People {
    seed: u64,
    /// Whose turn it is next, and how often he has had one.
    turns: BinaryHeap<Reverse<(TimeMs, UserId, u64)>>,
}

/// What one does: the status that he wants to be in, if another one, for which reason, and how long it is until he acts again.
type Choice = (Option<SalesforceStatus>, Reason, DurationMs);

/// What one does at his console in a turn: before and after he chooses a status, if he does.
type AtConsole = (Option<Act>, Option<Act>);

/// A number of its own for each (splitmix64).
pub(super) const fn mixed(seed: u64, number: u64) -> u64 {
    let mut mixed = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl People {
    pub(super) fn new(settings: &Settings, records: &Records, now: TimeMs) -> People {
        let mut people = People { seed: settings.seed, turns: BinaryHeap::new() };
        if settings.behaves {
            for user in records.people() {
                // A shift begins within a minute.
                let at = now + DurationMs::from_ms((people.random(user.id, 0) % 60_000) as i64);
                people.turns.push(Reverse((at, user.id, 1)));
            }
        }
        people
    }

    /// A number of a user's own for each of his turns.
    fn random(&self, user: UserId, turn: u64) -> u64 {
        let [.., a, b, c, d, e, f, g] = user.into_bytes();
        mixed(self.seed ^ mixed(u64::from_be_bytes([0, a, b, c, d, e, f, g]), 1), turn)
    }

    /// Whose turn has come, with its number.
    pub(super) fn next(&mut self, now: TimeMs) -> Option<(TimeMs, UserId, u64)> {
        let Reverse(next) = *self.turns.peek().filter(|next| next.0.0 <= now)?;
        self.turns.pop();
        Some(next)
    }

    /// When he has his turn after that.
    pub(super) fn again(&mut self, at: TimeMs, user: UserId, turn: u64) {
        self.turns.push(Reverse((at, user, turn)));
    }

    /// What one does who is in this status, of which is told whether work is taken in it.
    pub(super) fn acts(
        &self,
        records: &Records,
        user: UserId,
        turn: u64,
        presence: Option<(PresenceStatusId, bool)>,
    ) -> Choice {
        let random = self.random(user, turn);
        let between = |least: i64, most: i64| {
            DurationMs::from_seconds(least + ((random >> 16) % (most - least + 1) as u64) as i64)
        };
        let one = |takes_work: bool| {
            let fits = records.may_use(user).filter(|status| records.has_channels(status.id) == takes_work);
            let fits: Vec<PresenceStatusId> = fits.map(|status| status.id).collect();
            let place = (random >> 8) as usize % fits.len().max(1);
            fits.get(place).copied().map(SalesforceStatus::Presence)
        };
        match (presence, random % 100) {
            (None, 0..60) => (one(true), Reason::Login, between(10, 120)),
            (None, _) => (one(false), Reason::Login, between(2, 60)),
            // Work that is done, and no other status.
            (Some((_, true)), 0..50) => (None, Reason::Manual, between(20, 240)),
            (Some((_, true)), 50..60) => (one(false), Reason::DeclineWork, between(2, 30)),
            (Some((_, true)), 60..66) => (one(false), Reason::PushTimeout, between(30, 300)),
            (Some((_, true)), 66..97) => (one(false), Reason::Manual, between(60, 900)),
            (Some((_, false)), 0..85) => (one(true), Reason::Manual, between(10, 240)),
            (Some((_, false)), 85..97) => (one(false), Reason::Manual, between(60, 900)),
            (Some(_), _) => (Some(SalesforceStatus::Offline), Reason::Manual, between(300, 1_800)),
        }
    }

    /// What one does at his console who is about to choose this status. Without a console nobody can.
    pub(super) fn at_console(
        &self,
        user: UserId,
        turn: u64,
        is_open: bool,
        wanted: Option<SalesforceStatus>,
    ) -> AtConsole {
        let first = if is_open { Act::Wake } else { Act::Open };
        let last = match (wanted, mixed(self.random(user, turn), 1) % 100) {
            (Some(SalesforceStatus::Offline), 0..70) => Some(Act::Close),
            (Some(SalesforceStatus::Offline), _) => None,
            (_, 0..4) => Some(Act::Reload),
            (_, 4..7) => Some(Act::Cut),
            (_, 7..9) => Some(Act::Tab),
            (_, 9..11) => Some(Act::Sleep),
            // Without a log-out.
            (_, 11..13) => Some(Act::Close),
            _ => None,
        };
        (Some(first), last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::world::World;
    use super::*;

    /// Statuses at the end of two hours and the reasons of all changes, however often somebody looks.
    fn day(seed: u64, every: i64) -> (Vec<SalesforceStatus>, BTreeSet<String>) {
        let settings = Settings { users: 40, seed, behaves: true, ..Settings::default() };
        let begun = TimeMs::from_unix_ms(1_767_607_200_000);
        let mut world = World::new(settings, begun);
        for second in (0..=7_200).step_by(every as usize) {
            world.go_on(begun + DurationMs::from_seconds(second));
        }
        let statuses = world.records.people().map(|user| world.presence.status(user.id)).collect();
        let log = world.log();
        let reasons =
            log.as_array().unwrap().iter().map(|entry| entry["reason"].as_str().unwrap().to_owned());
        (statuses, reasons.collect())
    }

    #[test]
    fn nobody_chooses_without_a_console_and_many_close_it_at_the_end() {
        let settings = Settings { users: 1, ..Settings::default() };
        let begun = TimeMs::from_unix_ms(1_767_607_200_000);
        let people = People::new(&settings, &Records::new(&settings, begun), begun);
        let user = super::super::ids::user(1);
        let off = Some(SalesforceStatus::Offline);
        let lasts = |wanted| {
            let mut lasts = std::collections::BTreeMap::<&str, u32>::new();
            for turn in 0..10_000 {
                assert_eq!(people.at_console(user, turn, false, wanted).0, Some(Act::Open));
                let (first, last) = people.at_console(user, turn, true, wanted);
                assert_eq!(first, Some(Act::Wake));
                *lasts.entry(last.map_or("nothing", Act::name)).or_default() += 1;
            }
            lasts
        };
        let ends = lasts(off);
        assert_eq!(ends.keys().copied().collect::<Vec<_>>(), ["close", "nothing"]);
        assert!((6_700..7_300).contains(&ends["close"]), "{ends:?}");
        let works = lasts(None);
        let acts = ["close", "cut", "nothing", "reload", "sleep", "tab"];
        assert_eq!(works.keys().copied().collect::<Vec<_>>(), acts);
        assert!(works["nothing"] > 8_000, "{works:?}");
    }

    #[test]
    fn the_same_seed_is_the_same_day() {
        let one = day(7, 1);
        assert_eq!(one, day(7, 60));
        assert_ne!(one.0, day(8, 1).0);
        let reasons =
            ["OmniDeclineWork", "OmniLoginStatusChange", "OmniManualStatusChange", "OmniPushTimeout"];
        assert_eq!(one.1, reasons.map(str::to_owned).into());
    }
}
