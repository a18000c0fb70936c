//! What both platforms show, by their own word, and how long it takes until one shows what was chosen on the other.

use std::collections::HashMap;

use lockstep::domain::{DurationMs, Platform, SalesforceStatus, TimeMs, UserId};
use lockstep::simulators::cxone::{self, By, Shown};
use lockstep::simulators::salesforce::{self, Reason};

use super::choices::{CONTACT, Pair, Statuses, choice_in_cxone};
use super::platforms::Person;

/// So many times are kept one by one; of more, each second one.
const SAMPLES_MAX: usize = 200_000;
/// Who shows different things for so long is looked at.
const LONG: DurationMs = DurationMs::from_seconds(10);

/// What one platform has to show of somebody, since something happened on the other.
#[derive(Clone, Copy, Debug)]
struct Pending {
    on: Platform,
    salesforce: SalesforceStatus,
    cxone: Shown,
    since: TimeMs,
}

/// What both platforms show of somebody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) salesforce: SalesforceStatus,
    pub(super) cxone: Shown,
    pending: Option<Pending>,
    /// What he himself chose last, wherever; none before, and none while he is logged out.
    chosen: Option<usize>,
    /// Since when both show different things.
    apart_since: Option<TimeMs>,
}

/// How long it took, in ms.
#[derive(Debug, Default)]
pub(super) struct Times {
    all: Vec<u32>,
    /// Of so many one is kept.
    each: u64,
    seen: u64,
    max: u32,
}

/// What both platforms show.
pub(super) struct Watch {
    statuses: Statuses,
    by_user: HashMap<UserId, usize>,
    by_number: HashMap<u32, usize>,
    seen: Vec<Seen>,
    changes: u64,
    /// By the platform that was set.
    times: [Times; 2],
}

impl Times {
    fn add(&mut self, ms: u32) {
        self.max = self.max.max(ms);
        self.seen += 1;
        if self.seen.is_multiple_of(self.each.max(1)) {
            self.all.push(ms);
        }
        if self.all.len() >= SAMPLES_MAX {
            let mut is_kept = false;
            self.all.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
            self.each = self.each.max(1) * 2;
        }
    }

    /// The 50th and the 99th of a hundred, and the longest; none where there was none.
    pub(super) fn figures<'t>(of: impl IntoIterator<Item = &'t Times>) -> Option<[u32; 3]> {
        let (mut all, mut max) = (Vec::new(), 0);
        for times in of {
            // Of those of whom fewer are kept each counts for more.
            all.extend(times.all.iter().map(|ms| (*ms, times.each.max(1))));
            max = max.max(times.max);
        }
        all.sort_unstable();
        let total: u64 = all.iter().map(|(_, weight)| weight).sum();
        let at = |percent: u64| {
            let mut left = (total * percent).div_ceil(100).max(1);
            all.iter().find(|(_, weight)| {
                let is_there = left <= *weight;
                left = left.saturating_sub(*weight);
                is_there
            })
        };
        Some([at(50)?.0, at(99)?.0, max])
    }
}

impl Watch {
    /// Nobody is logged in.
    pub(super) fn new(people: &[Person], statuses: Statuses) -> Watch {
        let seen = Seen {
            salesforce: SalesforceStatus::Offline,
            cxone: Shown::LOGGED_OUT,
            pending: None,
            chosen: None,
            apart_since: None,
        };
        Watch {
            statuses,
            by_user: people.iter().enumerate().map(|(place, person)| (person.user, place)).collect(),
            by_number: people.iter().enumerate().map(|(place, person)| (person.number, place)).collect(),
            seen: vec![seen; people.len()],
            changes: 0,
            times: [Times::default(), Times::default()],
        }
    }

    pub(super) const fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// What somebody shows.
    pub(super) fn seen(&self, person: usize) -> Option<&Seen> {
        self.seen.get(person)
    }

    pub(super) fn pair(&self, person: usize) -> Pair {
        self.seen.get(person).map_or(Pair::Off, |seen| self.statuses.pair(seen.salesforce, seen.cxone))
    }

    /// Whether he shows different things for longer than it should take.
    pub(super) fn is_apart_for_long(&self, person: usize, now: TimeMs) -> bool {
        let since = self.seen.get(person).and_then(|seen| seen.apart_since);
        since.is_some_and(|since| now.since(since) >= LONG)
    }

    /// How many show the same on both, or are in a contact and shown so.
    pub(super) fn in_step(&self) -> usize {
        let is_in_step = |person: &usize| matches!(self.pair(*person), Pair::InStep | Pair::OnContact);
        (0..self.seen.len()).filter(is_in_step).count()
    }

    /// How many show something else than they chose last.
    pub(super) fn overtaken(&self) -> usize {
        let is_overtaken = |seen: &&Seen| {
            seen.chosen.is_some_and(|chosen| self.statuses.of_choice(chosen) != Some(seen.salesforce))
        };
        self.seen.iter().filter(is_overtaken).count()
    }

    /// Whether a platform has come to show what was chosen on the other.
    pub(super) fn is_any_settled(&self) -> bool {
        self.times.iter().any(|times| times.seen > 0)
    }

    /// Looks at everybody anew: something was not told.
    pub(super) fn look_again(&mut self, shown: impl Fn(usize) -> (SalesforceStatus, Shown)) {
        for (place, seen) in self.seen.iter_mut().enumerate() {
            (seen.salesforce, seen.cxone) = shown(place);
            seen.pending = None;
        }
    }

    /// How often people have changed something themselves.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// How long it took until a platform showed what was chosen on the other.
    pub(super) const fn times(&self, set: Platform) -> &Times {
        match set {
            Platform::Salesforce => &self.times[0],
            Platform::Cxone => &self.times[1],
        }
    }

    pub(super) const fn all_times(&self) -> &[Times; 2] {
        &self.times
    }

    pub(super) fn salesforce(&mut self, changed: &salesforce::Changed) {
        let Some(place) = self.by_user.get(&changed.user).copied() else { return };
        let is_persons = !matches!(changed.reason, Reason::Toolkit);
        self.changes += u64::from(is_persons);
        let choice = self.statuses.choice(changed.status);
        let wanted = choice.and_then(super::choices::of);
        let Some(seen) = self.seen.get_mut(place) else { return };
        seen.salesforce = changed.status;
        match changed.reason {
            Reason::Manual if changed.status != SalesforceStatus::Offline => seen.chosen = choice,
            Reason::Manual => seen.chosen = None,
            _ => {}
        }
        if is_persons {
            let (cxone, is_there) = (seen.cxone, seen.cxone != Shown::LOGGED_OUT && !seen.cxone.is_contact());
            seen.pending = wanted.filter(|wanted| is_there && *wanted != cxone).map(|cxone| Pending {
                on: Platform::Cxone,
                salesforce: changed.status,
                cxone,
                since: changed.at,
            });
        }
        self.settle(place, changed.at);
    }

    pub(super) fn cxone(&mut self, changed: &cxone::Changed) {
        let Some(place) = self.by_number.get(&changed.agent).copied() else { return };
        let is_persons = changed.by == By::Agent;
        self.changes += u64::from(is_persons);
        let wanted = self.statuses.for_cxone(changed.shown);
        let Some(seen) = self.seen.get_mut(place) else { return };
        let was_contact = seen.cxone == CONTACT;
        if is_persons && changed.shown == Shown::LOGGED_OUT {
            seen.chosen = None;
        } else if is_persons && seen.cxone != Shown::LOGGED_OUT && !changed.shown.is_contact() {
            seen.chosen = choice_in_cxone(changed.shown);
        }
        seen.cxone = changed.shown;
        if is_persons {
            let is_there = seen.salesforce != SalesforceStatus::Offline;
            seen.pending = wanted.filter(|wanted| is_there && *wanted != seen.salesforce).map(|salesforce| {
                Pending { on: Platform::Salesforce, salesforce, cxone: changed.shown, since: changed.at }
            });
        } else if was_contact {
            seen.pending = None;
        }
        self.settle(place, changed.at);
    }

    /// Whether what has to be shown is.
    fn settle(&mut self, place: usize, now: TimeMs) {
        let is_apart = self.pair(place) == Pair::Apart;
        let Some(seen) = self.seen.get_mut(place) else { return };
        seen.apart_since = is_apart.then(|| seen.apart_since.unwrap_or(now));
        let Some(pending) = seen.pending else { return };
        if (seen.salesforce, seen.cxone) != (pending.salesforce, pending.cxone) {
            return;
        }
        seen.pending = None;
        let took = u32::try_from(now.since(pending.since).as_ms()).unwrap_or(0);
        match pending.on {
            Platform::Salesforce => self.times[0].add(took),
            Platform::Cxone => self.times[1].add(took),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_all() {
        assert_eq!(Times::figures([]), None);
        let mut times = Times::default();
        (1..=100).for_each(|ms| times.add(ms));
        assert_eq!(Times::figures([&times]), Some([50, 99, 100]));
        let mut many = Times::default();
        (0..1_000_000).for_each(|number| many.add(number % 1_000 + 1));
        let [p50, p99, max] = Times::figures([&many]).unwrap();
        assert!((490..=510).contains(&p50) && (980..=995).contains(&p99) && max == 1_000, "{p50} {p99}");
        // Few beside many do not weigh as much as they.
        let [p50, ..] = Times::figures([&many, &times]).unwrap();
        assert!((490..=510).contains(&p50), "{p50}");
    }
}
