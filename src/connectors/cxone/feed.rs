//! What a source of CXone makes of polls: differences only, and a cursor that never moves over what nobody has seen. Pure.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::tenant::{Poll, Seen};
use super::wire;
use crate::connectors::schedule::Asked;
use crate::domain::{AgentId, CxoneAgentId, CxoneStatus, TimeMs};

/// So many polls in a row may be odd before they are taken as they are: then that is how this platform is.
pub const ODD_MAX: u32 = 3;
/// So many different entries that cannot be read are told of.
const UNREADABLE_MAX: usize = 1_000;

/// A change of an agent who is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The agent.
    pub agent: AgentId,
    /// What he is seen in.
    pub seen: Seen,
}

/// What came of a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What is to be published, in the order of the feed.
    pub changes: Vec<Change>,
    /// So many of them, in a poll for all, began before the last answer: the feed should have told them.
    pub drift: usize,
    /// So many of those who are not linked have changed.
    pub of_others: usize,
    /// Entries that could not be read, and were not told of before.
    pub unreadable: Vec<String>,
    /// It was an odd one: pages came twice or were left out, or it goes back in time. The cursor stays, and it is asked again.
    pub is_odd: bool,
    /// It was odd so often that it is taken as it is: nobody knows what was missed.
    pub is_resigned: bool,
}

/// What a source knows of a tenant.
#[derive(Debug, Default)]
pub struct Feed {
    linked: HashMap<CxoneAgentId, AgentId>,
    /// What everybody was seen in last, linked or not: who is linked later is published at once.
    seen: HashMap<CxoneAgentId, (CxoneStatus, TimeMs)>,
    unreadable: HashSet<String>,
    cursor: Option<String>,
    odd: u32,
}

impl Feed {
    /// One that goes on from a cursor, where there is one. It knows nobody yet: the first poll is to be for all.
    pub fn new(cursor: Option<String>) -> Feed {
        Feed { cursor, ..Feed::default() }
    }

    /// Where the next poll for changes begins; for everybody, without one.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Somebody is linked from now on. Tells what he is in, as far as it is known.
    pub fn link(&mut self, cxone: CxoneAgentId, agent: AgentId) -> Option<Change> {
        self.linked.insert(cxone, agent);
        let (status, since) = *self.seen.get(&cxone)?;
        Some(Change { agent, seen: Seen { agent: cxone, status, since } })
    }

    /// Somebody is linked no more; who he is in CXone may be somebody else's by now.
    pub fn unlink(&mut self, cxone: CxoneAgentId, agent: AgentId) {
        if self.linked.get(&cxone) == Some(&agent) {
            self.linked.remove(&cxone);
        }
    }

    /// Those who are seen and not linked.
    pub fn others(&self) -> impl Iterator<Item = CxoneAgentId> {
        self.seen.keys().copied().filter(|agent| !self.linked.contains_key(agent))
    }

    /// Takes what a poll found. The cursor has moved then, unless the poll was odd: what is published and where it goes on are
    /// to be committed together.
    pub fn take(&mut self, poll: Poll, asked: Asked) -> Taken {
        let mut taken = Taken::default();
        let goes_back = asked == Asked::Changes && self.is_before(poll.cursor.as_deref());
        if (goes_back || !poll.is_whole) && self.odd < ODD_MAX {
            self.odd += 1;
            taken.is_odd = true;
        } else {
            self.odd = 0;
            taken.is_resigned = goes_back || !poll.is_whole;
        }
        // An answer of then says nothing of now.
        if goes_back && taken.is_odd {
            return taken;
        }
        for entry in poll.unreadable {
            // Each snapshot has it again.
            if self.unreadable.len() < UNREADABLE_MAX && self.unreadable.insert(entry.clone()) {
                taken.unreadable.push(entry);
            }
        }
        let told = self
            .cursor
            .as_deref()
            .and_then(wire::time)
            .filter(|_| asked == Asked::All && !self.seen.is_empty());
        for seen in poll.seen {
            let now = (seen.status, seen.since);
            match self.seen.entry(seen.agent) {
                Entry::Occupied(known) if *known.get() == now => continue,
                Entry::Occupied(mut known) => {
                    known.insert(now);
                }
                Entry::Vacant(place) => {
                    place.insert(now);
                }
            }
            match self.linked.get(&seen.agent) {
                Some(agent) => {
                    taken.drift += usize::from(told.is_some_and(|told| seen.since < told));
                    taken.changes.push(Change { agent: *agent, seen });
                }
                None => taken.of_others += 1,
            }
        }
        // Where nothing is told, nothing has changed: the old one holds.
        if let (false, Some(cursor)) = (taken.is_odd, poll.cursor) {
            self.cursor = Some(cursor);
        }
        taken
    }

    /// Whether a cursor is one of before the one that is known.
    fn is_before(&self, cursor: Option<&str>) -> bool {
        let times = self.cursor.as_deref().and_then(wire::time).zip(cursor.and_then(wire::time));
        times.is_some_and(|(known, found)| found < known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OutStateId;

    const LUNCH: CxoneStatus = CxoneStatus::Code(OutStateId::new(1017));
    const FREE: CxoneStatus = CxoneStatus::Available;

    fn agent(number: u32) -> AgentId {
        format!("00000000-0000-5000-8000-{number:012x}").parse().unwrap()
    }

    fn at(seconds: i64) -> TimeMs {
        TimeMs::from_unix_ms(1_767_607_200_000 + seconds * 1_000)
    }

    fn seen(number: u32, status: CxoneStatus, since: i64) -> Seen {
        Seen { agent: CxoneAgentId::new(number), status, since: at(since) }
    }

    fn poll(cursor: Option<&str>, all: &[Seen]) -> Poll {
        Poll { seen: all.to_vec(), unreadable: Vec::new(), cursor: cursor.map(cursor_at), is_whole: true }
    }

    fn cursor_at(second: &str) -> String {
        format!("2026-01-05T10:00:{second}Z")
    }

    fn published(taken: &Taken) -> Vec<(AgentId, CxoneStatus)> {
        taken.changes.iter().map(|change| (change.agent, change.seen.status)).collect()
    }

    #[test]
    fn only_what_differs_is_published() {
        let mut feed = Feed::new(None);
        feed.link(CxoneAgentId::new(1), agent(1));
        let first = feed.take(poll(Some("01"), &[seen(1, LUNCH, 0), seen(2, FREE, 0)]), Asked::All);
        assert_eq!((published(&first), first.of_others), (vec![(agent(1), LUNCH)], 1));
        let again = feed.take(poll(Some("02"), &[seen(1, LUNCH, 0), seen(2, FREE, 0)]), Asked::All);
        assert_eq!(again, Taken::default());
        let anew = feed.take(poll(Some("03"), &[seen(1, LUNCH, 2)]), Asked::Changes);
        assert_eq!(published(&anew), [(agent(1), LUNCH)], "he went away and came back");
        // Who is linked later is published at once.
        assert_eq!(feed.others().collect::<Vec<_>>(), [CxoneAgentId::new(2)]);
        let linked = feed.link(CxoneAgentId::new(2), agent(2));
        assert_eq!(linked, Some(Change { agent: agent(2), seen: seen(2, FREE, 0) }));
        assert_eq!(feed.link(CxoneAgentId::new(3), agent(3)), None);
        feed.unlink(CxoneAgentId::new(1), agent(2));
        feed.unlink(CxoneAgentId::new(1), agent(1));
        let other = feed.take(poll(Some("04"), &[seen(1, FREE, 3), seen(3, FREE, 3)]), Asked::Changes);
        assert_eq!((published(&other), other.of_others), (vec![(agent(3), FREE)], 1));
    }

    #[test]
    fn the_cursor_stays_where_nothing_is_told_of_it() {
        let mut feed = Feed::new(Some(cursor_at("01")));
        feed.take(poll(None, &[]), Asked::Changes);
        assert_eq!(feed.cursor(), Some(&*cursor_at("01")));
        feed.take(poll(Some("05"), &[]), Asked::Changes);
        assert_eq!(feed.cursor(), Some(&*cursor_at("05")));
    }

    #[test]
    fn the_cursor_does_not_move_over_what_nobody_has_seen() {
        let mut feed = Feed::new(Some(cursor_at("01")));
        feed.link(CxoneAgentId::new(1), agent(1));
        let half = Poll { is_whole: false, ..poll(Some("05"), &[seen(1, LUNCH, 3)]) };
        for _ in 0..ODD_MAX {
            assert!(feed.take(half.clone(), Asked::Changes).is_odd);
            assert_eq!(feed.cursor(), Some(&*cursor_at("01")));
        }
        // What was seen is published all the same, and once; and in the end that is how this platform is.
        assert_eq!(feed.take(half, Asked::Changes), Taken { is_resigned: true, ..Taken::default() });
        assert_eq!(feed.cursor(), Some(&*cursor_at("05")));
    }

    #[test]
    fn an_answer_of_then_says_nothing_of_now() {
        let mut feed = Feed::new(Some(cursor_at("01")));
        feed.link(CxoneAgentId::new(1), agent(1));
        feed.take(poll(Some("10"), &[seen(1, LUNCH, 9)]), Asked::Changes);
        let then = poll(Some("05"), &[seen(1, FREE, 4)]);
        for _ in 0..ODD_MAX {
            let taken = feed.take(then.clone(), Asked::Changes);
            assert!(taken.is_odd && taken.changes.is_empty());
        }
        // The platform's clock was set back: what it shows is what is.
        assert_eq!(published(&feed.take(then, Asked::Changes)), [(agent(1), FREE)]);
        assert_eq!(feed.cursor(), Some(&*cursor_at("05")));
    }
}
