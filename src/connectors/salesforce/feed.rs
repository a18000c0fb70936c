//! What a source of Salesforce makes of rows: differences only, whoever has told of the rest. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::reads::Row;
use crate::domain::{AgentId, DurationMs, PresenceStatusId, RowId, SalesforceStatus, TimeMs, UserId};

/// A status that a browser told without its row, and a row of that status that begins within this, are one change.
const SAME_CHANGE: DurationMs = DurationMs::from_seconds(10);
/// So many different rows that cannot be read are told of.
const UNREADABLE_MAX: usize = 1_000;

/// A change of an agent who is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// He is in it.
    Seen {
        /// The agent.
        agent: AgentId,
        /// The status.
        status: PresenceStatusId,
        /// Its row; none where only a browser told it, without.
        row: Option<RowId>,
        /// Since when, by Salesforce's clock.
        since: TimeMs,
    },
    /// A row of his has ended; without one, none is current.
    Closed {
        /// The agent.
        agent: AgentId,
        /// The row.
        row: Option<RowId>,
        /// When, by Salesforce's clock.
        at: TimeMs,
    },
}

impl Change {
    /// When it was, by Salesforce's clock.
    const fn at(&self) -> TimeMs {
        match self {
            Change::Seen { since, .. } => *since,
            Change::Closed { at, .. } => *at,
        }
    }
}

/// What came of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What is to be published, those of an agent in their order.
    pub changes: Vec<Change>,
    /// So many of them, in a snapshot, were before the last answer: the feed should have told them.
    pub drift: usize,
    /// So many of those who are not linked have changed.
    pub of_others: usize,
    /// Rows that could not be read, and were not told of before.
    pub unreadable: Vec<String>,
}

/// What somebody was in last.
#[derive(Clone, Copy, Debug)]
struct Known {
    status: SalesforceStatus,
    /// None where a browser told it without, and where nobody has told of any.
    row: Option<RowId>,
    started: TimeMs,
    /// When the row has ended, or he was found offline.
    ended: Option<TimeMs>,
}

/// What a source knows of an org.
#[derive(Debug, Default)]
pub struct Feed {
    linked: HashMap<UserId, AgentId>,
    users: HashMap<AgentId, UserId>,
    /// Linked or not: who is linked later is published at once.
    known: HashMap<UserId, Known>,
    unreadable: HashSet<String>,
    /// Until when all is told, by Salesforce's clock.
    cursor: Option<TimeMs>,
    /// Of when the last snapshot is: who is in nothing is offline since then.
    all_of: Option<TimeMs>,
}

impl Feed {
    /// One that goes on from a time of Salesforce's, where there is one. It knows nobody yet.
    pub fn new(cursor: Option<TimeMs>) -> Feed {
        Feed { cursor, ..Feed::default() }
    }

    /// Until when all is told.
    pub const fn cursor(&self) -> Option<TimeMs> {
        self.cursor
    }

    /// Whether it has seen everybody.
    pub const fn has_seen_all(&self) -> bool {
        self.all_of.is_some()
    }

    /// Somebody is linked from now on. Tells what he is in, as far as it is known.
    pub fn link(&mut self, user: UserId, agent: AgentId) -> Option<Change> {
        if let Some(before) = self.linked.insert(user, agent) {
            self.users.remove(&before);
        }
        self.users.insert(agent, user);
        match self.known.get(&user) {
            Some(known) => Some(known.change(agent)),
            None => self.all_of.map(|at| Change::Closed { agent, row: None, at }),
        }
    }

    /// He is linked no more; the user may be somebody else's by now.
    pub fn unlink(&mut self, user: UserId, agent: AgentId) {
        self.users.remove(&agent);
        if self.linked.get(&user) == Some(&agent) {
            self.linked.remove(&user);
        }
    }

    /// Those who are seen and not linked.
    pub fn others(&self) -> impl Iterator<Item = UserId> {
        self.known.keys().copied().filter(|user| !self.linked.contains_key(user))
    }

    /// A browser has told what somebody is in: nobody has to say it again.
    pub fn heard(&mut self, agent: AgentId, status: SalesforceStatus, row: Option<RowId>, since: TimeMs) {
        let Some(user) = self.users.get(&agent) else { return };
        let known = self.known.get(user);
        if known.is_some_and(|known| known.ended.unwrap_or(known.started) > since) {
            return;
        }
        let before = known.filter(|known| status.is_off() && known.row.is_some());
        let row = row.or(before.and_then(|known| known.row));
        let started = before.map_or(since, |known| known.started);
        self.known.insert(*user, Known { status, row, started, ended: status.is_off().then_some(since) });
    }

    /// Takes rows that have changed, until when all is told.
    pub fn take_changes(&mut self, rows: &[Row], until: TimeMs) -> Taken {
        let mut taken = Taken::default();
        let mut rows: Vec<&Row> = rows.iter().collect();
        rows.sort_by_key(|row| (row.started, row.is_current, row.id));
        for row in rows {
            self.see(row, &mut taken);
        }
        self.cursor = self.cursor.max(Some(until));
        taken
    }

    /// Takes all rows that are current, and those that have ended lately, as of then.
    pub fn take_all(&mut self, rows: &[Row], as_of: TimeMs) -> Taken {
        let mut taken = Taken::default();
        let told = self.cursor.filter(|_| self.has_seen_all());
        // Of several the newest counts, and none that began before one that has ended: it is a stale one.
        let mut newest: BTreeMap<UserId, &Row> = BTreeMap::new();
        for row in rows {
            let kept = newest.entry(row.user).or_insert(row);
            if (row.started, row.is_current, row.id) > (kept.started, kept.is_current, kept.id) {
                *kept = row;
            }
        }
        let mut is_in: HashSet<UserId> = HashSet::new();
        let is_first = !self.has_seen_all();
        for (user, row) in &newest {
            self.see(row, &mut taken);
            let is_it = |known: &Known| known.row == Some(row.id) && known.ended.is_none();
            if row.is_current && self.known.get(user).is_some_and(is_it) {
                is_in.insert(*user);
            }
        }
        self.close_others(&is_in, as_of, is_first, &mut taken);
        taken.drift = told.map_or(0, |told| taken.changes.iter().filter(|change| change.at() < told).count());
        self.all_of = Some(as_of);
        self.cursor = self.cursor.max(Some(as_of));
        taken
    }

    /// Who is not current is offline, unless something was heard of him since. The first time that is told of all: nobody knows
    /// what whoever had the account before has told.
    fn close_others(&mut self, is_in: &HashSet<UserId>, as_of: TimeMs, is_first: bool, taken: &mut Taken) {
        for (user, known) in &mut self.known {
            let is_told = known.ended.is_some() && !is_first;
            if is_told || known.started > as_of || is_in.contains(user) {
                continue;
            }
            let at = *known.ended.get_or_insert(as_of);
            match self.linked.get(user) {
                Some(agent) => {
                    taken.changes.retain(
                        |change| !matches!(change, Change::Closed { agent: one, .. } if one == agent),
                    );
                    taken.changes.push(Change::Closed { agent: *agent, row: None, at });
                }
                None => taken.of_others += 1,
            }
        }
        for (user, agent) in &self.linked {
            if self.known.contains_key(user) {
                continue;
            }
            // Nobody knows since when: whatever row comes is a later one.
            let (status, row, started) = (SalesforceStatus::Offline, None, TimeMs::default());
            self.known.insert(*user, Known { status, row, started, ended: Some(as_of) });
            taken.changes.push(Change::Closed { agent: *agent, row: None, at: as_of });
        }
    }

    /// Takes a row.
    fn see(&mut self, row: &Row, taken: &mut Taken) {
        let ended = (!row.is_current).then(|| row.ended.unwrap_or(row.modified));
        let now = Known {
            status: SalesforceStatus::Presence(row.status),
            row: Some(row.id),
            started: row.started,
            ended,
        };
        let agent = self.linked.get(&row.user).copied();
        let is_whole = match self.known.get(&row.user) {
            // What he left before anybody looked is no choice of now.
            None => ended.is_none(),
            // Only that it has ended is new.
            Some(known) if known.row == Some(row.id) => {
                if known.ended.is_some() || ended.is_none() {
                    return;
                }
                false
            }
            Some(known) if known.is_after(row) => return,
            Some(_) => true,
        };
        self.known.insert(row.user, now);
        let Some(agent) = agent else {
            taken.of_others += 1;
            return;
        };
        if is_whole {
            let Row { status, id, started: since, .. } = *row;
            taken.changes.push(Change::Seen { agent, status, row: Some(id), since });
        }
        if let Some(at) = ended {
            taken.changes.push(Change::Closed { agent, row: Some(row.id), at });
        }
    }

    /// Takes note of rows that could not be read, and tells those that are new.
    pub fn unreadable(&mut self, rows: Vec<String>) -> Vec<String> {
        let mut new = Vec::new();
        for row in rows {
            // Each snapshot has it again.
            if self.unreadable.len() < UNREADABLE_MAX && self.unreadable.insert(row.clone()) {
                new.push(row);
            }
        }
        new
    }
}

impl Known {
    /// As it is told to who is linked now.
    fn change(&self, agent: AgentId) -> Change {
        match (self.status, self.ended) {
            (SalesforceStatus::Presence(status), None) => {
                Change::Seen { agent, status, row: self.row, since: self.started }
            }
            (_, ended) => Change::Closed { agent, row: None, at: ended.unwrap_or(self.started) },
        }
    }

    /// Whether a row says only what was before this.
    fn is_after(&self, row: &Row) -> bool {
        if self.row.is_some() {
            self.started > row.started
        } else {
            // A browser's own clock is not Salesforce's.
            row.started + SAME_CHANGE < self.started
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: u32) -> AgentId {
        format!("00000000-0000-5000-8000-{number:012x}").parse().unwrap()
    }

    fn user(number: u32) -> UserId {
        format!("005{number:012}").parse().unwrap()
    }

    fn id(number: u32) -> RowId {
        format!("0Ps{number:012}").parse().unwrap()
    }

    fn status(number: u32) -> PresenceStatusId {
        format!("0N5{number:012}").parse().unwrap()
    }

    fn at(seconds: i64) -> TimeMs {
        TimeMs::from_unix_ms(1_767_607_200_000 + seconds * 1_000)
    }

    /// Row of user 1 in that status, since then, until then.
    fn row(number: u32, of: u32, started: i64, ended: Option<i64>) -> Row {
        Row {
            id: id(number),
            user: user(1),
            status: status(of),
            is_current: ended.is_none(),
            started: at(started),
            ended: ended.map(at),
            modified: at(ended.unwrap_or(started)),
        }
    }

    /// What is told, in short: `row status@since`, `row ends@at`, `none@at`.
    fn told(taken: &Taken) -> Vec<String> {
        let number = |text: String| text.trim_start_matches(|c: char| !c.is_ascii_digit()).to_owned();
        let digits = |text: String| number(text).trim_start_matches('0').to_owned();
        let second = |time: TimeMs| time.since(at(0)).as_ms() / 1_000;
        let one = |change: &Change| match change {
            Change::Seen { status, row, since, .. } => {
                let row = row.map_or_else(|| "?".to_owned(), |row| digits(row.to_string()[3..].to_owned()));
                format!("{row} {}@{}", digits(status.to_string()[3..].to_owned()), second(*since))
            }
            Change::Closed { row: Some(row), at, .. } => {
                format!("{} ends@{}", digits(row.to_string()[3..].to_owned()), second(*at))
            }
            Change::Closed { row: None, at, .. } => format!("none@{}", second(*at)),
        };
        taken.changes.iter().map(one).collect()
    }

    /// A feed that has seen that user 1, who is agent 1, is in status 1 since 0, in row 1.
    fn begun() -> Feed {
        let mut feed = Feed::new(None);
        feed.link(user(1), agent(1));
        assert_eq!(told(&feed.take_all(&[row(1, 1, 0, None)], at(10))), ["1 1@0"]);
        feed
    }

    #[test]
    fn only_what_differs_is_told() {
        let mut feed = begun();
        assert_eq!(feed.take_all(&[row(1, 1, 0, None)], at(20)), Taken::default());
        assert_eq!(feed.take_changes(&[row(1, 1, 0, None)], at(30)), Taken::default(), "noise");
        // The old row closes, the new one opens: in whatever order they are read.
        let taken = feed.take_changes(&[row(2, 2, 31, None), row(1, 1, 0, Some(31))], at(32));
        assert_eq!(told(&taken), ["1 ends@31", "2 2@31"]);
        assert_eq!(
            feed.take_changes(&[row(2, 2, 31, None), row(1, 1, 0, Some(31))], at(34)),
            Taken::default()
        );
        // One that began and ended between two questions.
        let rows = [row(2, 2, 31, Some(36)), row(3, 3, 36, Some(37)), row(4, 1, 37, None)];
        assert_eq!(told(&feed.take_changes(&rows, at(38))), ["2 ends@36", "3 3@36", "3 ends@37", "4 1@37"]);
        assert_eq!(feed.cursor(), Some(at(38)));
    }

    #[test]
    fn who_is_in_nothing_is_offline() {
        let mut feed = begun();
        let taken = feed.take_changes(&[row(1, 1, 0, Some(31))], at(32));
        assert_eq!(told(&taken), ["1 ends@31"]);
        assert_eq!(feed.take_all(&[], at(40)), Taken::default(), "that was told");
        // Nothing told that it ended.
        let mut feed = begun();
        let taken = feed.take_all(&[], at(40));
        assert_eq!((told(&taken), taken.drift), (vec!["none@40".to_owned()], 0));
        let mut feed = begun();
        feed.take_changes(&[], at(38));
        let taken = feed.take_all(&[row(1, 1, 0, Some(31))], at(40));
        assert_eq!((told(&taken), taken.drift), (vec!["1 ends@31".to_owned()], 1));
    }

    #[test]
    fn at_the_beginning_all_is_told_and_nothing_that_is_over() {
        let mut feed = Feed::new(Some(at(0)));
        for number in [1, 2] {
            feed.link(user(number), agent(number));
        }
        let gone = row(1, 1, 0, Some(5));
        assert_eq!(told(&feed.take_changes(&[gone], at(9))), ["1 ends@5"], "no choice of now");
        let taken = feed.take_all(&[gone], at(10));
        assert_eq!(told(&taken), ["none@5", "none@10"], "since its end; of who had none, since the question");
        assert_eq!(feed.take_all(&[gone], at(20)), Taken::default());
        // A row that was not to be seen yet when all were asked for.
        assert_eq!(told(&feed.take_changes(&[row(2, 2, 9, None)], at(21))), ["2 2@9"]);
    }

    #[test]
    fn of_several_current_rows_the_newest_counts_and_no_stale_one() {
        let mut feed = Feed::new(None);
        feed.link(user(1), agent(1));
        let taken = feed.take_all(&[row(2, 2, 5, None), row(1, 1, 0, None)], at(10));
        assert_eq!(told(&taken), ["2 2@5"]);
        assert_eq!(feed.take_all(&[row(1, 1, 0, None), row(2, 2, 5, None)], at(20)), Taken::default());
        // The newer one has ended, and the older one says that it is current still.
        let taken = feed.take_all(&[row(1, 1, 0, None), row(2, 2, 5, Some(25))], at(30));
        assert_eq!(told(&taken), ["2 ends@25"]);
        assert_eq!(feed.take_all(&[row(1, 1, 0, None)], at(40)), Taken::default());
        assert_eq!(feed.take_changes(&[row(1, 1, 0, None)], at(41)), Taken::default());
    }

    #[test]
    fn what_a_browser_told_is_not_told_again() {
        let mut feed = begun();
        feed.heard(agent(1), SalesforceStatus::Presence(status(2)), Some(id(2)), at(20));
        let rows = [row(1, 1, 0, Some(20)), row(2, 2, 20, None)];
        assert_eq!(feed.take_changes(&rows, at(22)), Taken::default());
        // Without its row: it lends the row.
        feed.heard(agent(1), SalesforceStatus::Presence(status(3)), None, at(33));
        assert_eq!(
            feed.take_changes(&[row(2, 2, 20, None)], at(33)),
            Taken::default(),
            "an answer of before"
        );
        assert_eq!(
            told(&feed.take_changes(&[row(2, 2, 20, Some(32)), row(3, 3, 32, None)], at(32))),
            ["3 3@32"]
        );
        feed.heard(agent(1), SalesforceStatus::Offline, None, at(40));
        assert_eq!(feed.take_changes(&[row(3, 3, 32, Some(40))], at(42)), Taken::default());
        assert_eq!(feed.take_all(&[], at(50)), Taken::default());
        // An old word of a browser says nothing.
        feed.heard(agent(1), SalesforceStatus::Presence(status(1)), None, at(35));
        assert_eq!(feed.take_all(&[], at(60)), Taken::default());
        feed.heard(agent(9), SalesforceStatus::Presence(status(1)), None, at(61));
    }

    #[test]
    fn who_is_linked_later_is_told_at_once() {
        let mut feed = Feed::new(None);
        assert_eq!(feed.link(user(1), agent(1)), None, "nobody has looked yet");
        feed.unlink(user(1), agent(2));
        feed.unlink(user(1), agent(1));
        assert_eq!(feed.take_all(&[row(1, 1, 0, None)], at(10)).of_others, 1);
        assert_eq!(feed.others().collect::<Vec<_>>(), [user(1)]);
        let (one, two) = (agent(1), agent(2));
        let seen = Change::Seen { agent: one, status: status(1), row: Some(id(1)), since: at(0) };
        assert_eq!(feed.link(user(1), one), Some(seen));
        assert_eq!(feed.link(user(2), two), Some(Change::Closed { agent: two, row: None, at: at(10) }));
        feed.take_changes(&[row(1, 1, 0, Some(12))], at(13));
        assert_eq!(feed.link(user(1), two), Some(Change::Closed { agent: two, row: None, at: at(12) }));
        feed.heard(one, SalesforceStatus::Presence(status(1)), None, at(99));
        assert_eq!(feed.take_all(&[], at(100)).changes.len(), 1, "who is linked no more is not heard");
    }

    #[test]
    fn what_cannot_be_read_is_told_once() {
        let mut feed = Feed::new(None);
        assert_eq!(feed.unreadable(vec!["a".to_owned(), "a".to_owned()]), ["a"]);
        assert!(feed.unreadable(vec!["a".to_owned()]).is_empty());
    }
}
