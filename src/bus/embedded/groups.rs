//! Who reads which partition of a group. Time is passed in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::bus::TopicPartition;

/// Who is silent for longer is given up.
pub(super) const SILENT_MAX: Duration = Duration::from_secs(300);

/// A member, from joining until it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The owner who knows it; another, after him, does not.
    pub(super) owner: u64,
    pub(super) number: u64,
    pub(super) group: String,
    pub(super) name: Option<String>,
}

/// What a member is told when it polls.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Gained(Vec<TopicPartition>),
    Losing(Vec<TopicPartition>),
    /// Nothing came or goes.
    Goes,
}

/// Why a member is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// Another came with its name.
    Fenced,
    /// It was silent for too long, or does not have these partitions.
    Evicted,
}

/// The groups of a bus.
#[derive(Debug)]
pub(super) struct Groups {
    owner: u64,
    groups: BTreeMap<String, BTreeMap<u64, Seat>>,
    last: u64,
    changes: u64,
}

#[derive(Debug)]
struct Seat {
    name: Option<String>,
    /// What it may have.
    wanted: BTreeSet<TopicPartition>,
    /// What it shall have.
    target: BTreeSet<TopicPartition>,
    /// What it has.
    owned: BTreeSet<TopicPartition>,
    /// What it was told to let go, and lets go when it polls next.
    losing: BTreeSet<TopicPartition>,
    seen: Instant,
}

impl Groups {
    pub(super) const fn new(owner: u64) -> Groups {
        Groups { owner, groups: BTreeMap::new(), last: 0, changes: 0 }
    }

    /// Rises whenever something comes to somebody, goes, or is free.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// How many members a group has.
    pub(super) fn members(&self, group: &str) -> usize {
        self.groups.get(group).map_or(0, BTreeMap::len)
    }

    /// Joins a group. Who was there with the name is there no more, and what it had is free.
    pub(super) fn join(
        &mut self,
        group: &str,
        name: Option<&str>,
        wanted: BTreeSet<TopicPartition>,
        now: Instant,
    ) -> Session {
        self.last += 1;
        let seats = self.groups.entry(group.to_owned()).or_default();
        seats.retain(|_, seat| name.is_none() || seat.name.as_deref() != name);
        let name = name.map(str::to_owned);
        let seat = Seat {
            name: name.clone(),
            wanted,
            target: BTreeSet::new(),
            owned: BTreeSet::new(),
            losing: BTreeSet::new(),
            seen: now,
        };
        seats.insert(self.last, seat);
        share(seats);
        self.changes += 1;
        Session { owner: self.owner, number: self.last, group: group.to_owned(), name }
    }

    /// A member goes, and what it had is free.
    pub(super) fn leave(&mut self, session: &Session) {
        let Some(seats) = self.groups.get_mut(&session.group).filter(|_| session.owner == self.owner) else {
            return;
        };
        if seats.remove(&session.number).is_some() {
            share(seats);
            self.changes += 1;
        }
        if seats.is_empty() {
            self.groups.remove(&session.group);
        }
    }

    /// Those who were silent for too long go.
    pub(super) fn give_up_the_silent(&mut self, now: Instant) {
        for seats in self.groups.values_mut() {
            let before = seats.len();
            seats.retain(|_, seat| now.saturating_duration_since(seat.seen) <= SILENT_MAX);
            if seats.len() < before {
                share(seats);
                self.changes += 1;
            }
        }
        self.groups.retain(|_, seats| !seats.is_empty());
    }

    /// What a member has to know before it reads on. What it was told to let go is let go.
    pub(super) fn turn(&mut self, session: &Session, now: Instant) -> Result<Turn, Gone> {
        let seats = self.groups.get_mut(&session.group).filter(|_| session.owner == self.owner);
        let seats = seats.ok_or(Gone::Evicted)?;
        let gone = gone(seats, session);
        let taken: BTreeSet<TopicPartition> = seats
            .iter()
            .filter(|(number, _)| **number != session.number)
            .flat_map(|(_, seat)| &seat.owned)
            .cloned()
            .collect();
        let seat = seats.get_mut(&session.number).ok_or(gone)?;
        seat.seen = now;
        let losing = std::mem::take(&mut seat.losing);
        seat.owned.retain(|place| !losing.contains(place));
        self.changes += u64::from(!losing.is_empty());
        seat.losing = seat.owned.difference(&seat.target).cloned().collect();
        if !seat.losing.is_empty() {
            return Ok(Turn::Losing(seat.losing.iter().cloned().collect()));
        }
        let gained: Vec<TopicPartition> =
            seat.target.difference(&seat.owned).filter(|place| !taken.contains(place)).cloned().collect();
        seat.owned.extend(gained.iter().cloned());
        Ok(if gained.is_empty() { Turn::Goes } else { Turn::Gained(gained) })
    }

    /// Whether a member has all of these partitions that it joined for, and one at least.
    pub(super) fn owns<'p>(
        &self,
        session: &Session,
        places: impl Iterator<Item = &'p TopicPartition>,
    ) -> Result<(), Gone> {
        let seats = self.groups.get(&session.group).filter(|_| session.owner == self.owner);
        let seats = seats.ok_or(Gone::Evicted)?;
        let seat = seats.get(&session.number).ok_or_else(|| gone(seats, session))?;
        let is_foreign = |place: &TopicPartition| !seat.wanted.iter().any(|one| one.topic == place.topic);
        let mut has_one = false;
        for place in places {
            let is_own = seat.owned.contains(place);
            has_one |= is_own;
            if !is_own && !is_foreign(place) {
                return Err(Gone::Evicted);
            }
        }
        if has_one { Ok(()) } else { Err(Gone::Evicted) }
    }
}

fn gone(seats: &BTreeMap<u64, Seat>, session: &Session) -> Gone {
    let has_name = |seat: &Seat| session.name.is_some() && seat.name == session.name;
    if seats.values().any(has_name) { Gone::Fenced } else { Gone::Evicted }
}

/// Says who shall have what: everybody keeps what he has, as far as all have as many, give or take one.
fn share(seats: &mut BTreeMap<u64, Seat>) {
    let mut places: BTreeSet<TopicPartition> = BTreeSet::new();
    for seat in seats.values_mut() {
        places.extend(seat.wanted.iter().cloned());
        seat.target = seat.owned.intersection(&seat.wanted).cloned().collect();
    }
    for place in &places {
        if !seats.values().any(|seat| seat.target.contains(place))
            && let Some(seat) = seats
                .values_mut()
                .filter(|seat| seat.wanted.contains(place))
                .min_by_key(|seat| seat.target.len())
        {
            seat.target.insert(place.clone());
        }
    }
    while let Some((from, to, place)) = uneven(seats) {
        seats.get_mut(&from).map(|seat| seat.target.remove(&place));
        seats.get_mut(&to).map(|seat| seat.target.insert(place));
    }
}

/// A partition that would be better off with another, and with whom.
fn uneven(seats: &BTreeMap<u64, Seat>) -> Option<(u64, u64, TopicPartition)> {
    seats.iter().find_map(|(from, rich)| {
        rich.target.iter().rev().find_map(|place| {
            let may = seats.iter().filter(|(_, seat)| seat.wanted.contains(place));
            let (to, poor) = may.min_by_key(|(_, seat)| seat.target.len())?;
            (poor.target.len() + 1 < rich.target.len()).then(|| (*from, *to, place.clone()))
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bus::TopicName;

    fn places(partitions: u32) -> BTreeSet<TopicPartition> {
        (0..partitions).map(|partition| TopicName::new("events").partition(partition)).collect()
    }

    /// Lets everybody poll until nobody is told anything.
    fn settle(groups: &mut Groups, members: &[Session], now: Instant) {
        for _ in 0..100 {
            if members.iter().all(|member| groups.turn(member, now) == Ok(Turn::Goes)) {
                return;
            }
        }
        panic!("it never rests");
    }

    fn counts(groups: &Groups, members: &[Session]) -> Vec<usize> {
        let has = |member: &Session| {
            places(64).iter().filter(|place| groups.owns(member, [*place].into_iter()).is_ok()).count()
        };
        members.iter().map(has).collect()
    }

    #[test]
    fn who_is_silent_is_given_up_and_who_has_his_name_fences_him() {
        let (mut groups, now) = (Groups::new(7), Instant::now());
        let silent = groups.join("group", Some("a"), places(4), now);
        assert_eq!(groups.turn(&silent, now), Ok(Turn::Gained(places(4).into_iter().collect())));
        groups.give_up_the_silent(now + SILENT_MAX);
        assert_eq!(groups.turn(&silent, now), Ok(Turn::Goes));
        groups.give_up_the_silent(now + SILENT_MAX + Duration::from_millis(1));
        assert_eq!(groups.turn(&silent, now), Err(Gone::Evicted));
        assert_eq!(groups.owns(&silent, places(1).iter()), Err(Gone::Evicted));

        let first = groups.join("group", Some("a"), places(4), now);
        let second = groups.join("group", Some("a"), places(4), now);
        assert_eq!(groups.turn(&first, now), Err(Gone::Fenced));
        assert_eq!(groups.turn(&second, now), Ok(Turn::Gained(places(4).into_iter().collect())));
        let other = groups.join("another", Some("a"), places(4), now);
        assert_eq!(groups.turn(&second, now), Ok(Turn::Goes));
        groups.leave(&other);
        groups.leave(&second);
        assert!(groups.groups.is_empty());
    }

    #[test]
    fn nothing_comes_to_one_before_another_has_let_it_go() {
        let (mut groups, now) = (Groups::new(7), Instant::now());
        let first = groups.join("group", None, places(2), now);
        groups.turn(&first, now).unwrap();
        let second = groups.join("group", None, places(2), now);
        assert_eq!(groups.turn(&second, now), Ok(Turn::Goes));
        let Ok(Turn::Losing(losing)) = groups.turn(&first, now) else { panic!("it loses nothing") };
        assert_eq!(groups.turn(&second, now), Ok(Turn::Goes), "it is not let go yet");
        assert_eq!(groups.owns(&first, losing.iter()), Ok(()), "it may still be committed");
        assert_eq!(groups.turn(&first, now), Ok(Turn::Goes));
        assert_eq!(groups.turn(&second, now), Ok(Turn::Gained(losing.clone())));
        assert_eq!(groups.owns(&first, losing.iter()), Err(Gone::Evicted));
    }

    proptest! {
        /// Whoever comes and goes: each partition has one owner, and all have as many, give or take one.
        #[test]
        fn all_have_as_many(partitions in 1_u32..20, steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..30)) {
            let (mut groups, now) = (Groups::new(7), Instant::now());
            let mut members = Vec::new();
            for (comes, which) in steps {
                if comes || members.is_empty() {
                    members.push(groups.join("group", None, places(partitions), now));
                } else {
                    groups.leave(&members.remove(which.index(members.len())));
                }
                // Not everybody hears of it before the next step.
                if let Some(member) = members.first() {
                    groups.turn(member, now).unwrap();
                }
            }
            settle(&mut groups, &members, now);
            let counts = counts(&groups, &members);
            let (most, least) = (counts.iter().max(), counts.iter().min());
            if let (Some(most), Some(least)) = (most, least) {
                prop_assert_eq!(counts.iter().sum::<usize>(), partitions as usize);
                prop_assert!(most - least <= 1, "{:?}", counts);
            }
        }
    }
}
