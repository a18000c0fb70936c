//! What a source of Salesforce makes of rows: differences only, whoever has told of the rest. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::reads::Row;
use crate::domain::{AgentId, DurationMs, PresenceStatusId, RowId, SalesforceStatus, TimeMs, UserId};

/// A status that a browser told without its row, and a row of that status that begins within this, are one change.
const SAME_CHANGE: DurationMs = DurationMs::from_seconds(10);
/// So many different rows that cannot be read are told of.
const UNREADABLE_MAX: usize = 1_000;
/// A snapshot in which more than so many are missing, and more than a third, is an odd one: perhaps a permission is missing, and rows
/// are hidden.
const GONE_MIN: usize = 20;
/// So many of them in a row are not believed.
const ODD_MAX: u32 = 2;

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
    /// It was a snapshot that would have said of many that they are offline, as they are not in it: it is asked again. Where it says so
    /// again and again, it is so.
    pub is_odd: bool,
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
    /// That it has ended was told by a row or a browser. What was only absent may come back.
    is_told: bool,
    /// Before which snapshot was asked for a browser has told it last.
    heard: u64,
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
    /// How many snapshots were asked for.
    asked: u64,
    /// So many in a row were odd.
    odd: u32,
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

    /// Everybody is asked for now: what a browser tells from now on is newer.
    pub const fn asks_for_all(&mut self) {
        self.asked += 1;
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

    /// A browser has told what somebody is in: nobody has to say it again.
    pub fn heard(&mut self, agent: AgentId, status: SalesforceStatus, row: Option<RowId>, since: TimeMs) {
        let Some(user) = self.users.get(&agent) else { return };
        let heard = self.asked;
        if let Some(known) = self.known.get_mut(user) {
            if known.ended.unwrap_or(known.started) > since {
                return;
            }
            // Said again, and without its row: the row that is known is still the one.
            if row.is_none() && known.status == status && known.ended.is_none() {
                known.heard = heard;
                return;
            }
        }
        let before = self.known.get(user).filter(|known| status.is_off() && known.row.is_some());
        let row = row.or(before.and_then(|known| known.row));
        let started = before.map_or(since, |known| known.started);
        let ended = status.is_off().then_some(since);
        self.known.insert(*user, Known { status, row, started, ended, is_told: true, heard });
    }

    /// Takes rows that have changed, until when all is told.
    pub fn take_changes(&mut self, rows: &[Row], until: TimeMs) -> Taken {
        let mut taken = Taken::default();
        let mut rows: Vec<&Row> = rows.iter().collect();
        rows.sort_by_key(|row| (row.started, row.is_current, row.id));
        for row in rows {
            self.see(row, &mut taken);
        }
        self.cursor = Some(until);
        taken
    }

    /// Takes all rows that are current, and those that have ended lately, as of then. Of these users rows could not be read; none
    /// where of some not even that is known.
    pub fn take_all(&mut self, rows: &[Row], unreadable: Option<&HashSet<UserId>>, as_of: TimeMs) -> Taken {
        let is_in = current(rows);
        let gone: Vec<UserId> = self.gone(&is_in, unreadable, as_of);
        let were_in = self.known.values().filter(|known| known.ended.is_none()).count();
        if gone.len() > GONE_MIN.max(were_in / 3) && self.has_seen_all() && self.odd < ODD_MAX {
            self.odd += 1;
            return Taken { is_odd: true, ..Taken::default() };
        }
        self.odd = 0;
        let mut taken = Taken::default();
        let told = self.cursor.filter(|_| self.has_seen_all());
        let mut rows: Vec<&Row> = rows.iter().collect();
        rows.sort_by_key(|row| (row.started, row.is_current, row.id));
        if !self.has_seen_all() {
            // What was over before anybody looked is nothing to be told; the newest of each says what is.
            let mut newest: BTreeMap<UserId, &Row> = BTreeMap::new();
            newest.extend(rows.iter().map(|row| (row.user, *row)));
            rows = newest.into_values().collect();
        }
        for row in rows {
            let is_stale = row.is_current && is_in.get(&row.user) != Some(&row.id);
            if !is_stale {
                self.see(row, &mut taken);
            }
        }
        self.close_others(&is_in, &gone, as_of, &mut taken);
        taken.drift = told.map_or(0, |told| taken.changes.iter().filter(|change| change.at() < told).count());
        self.all_of = Some(as_of);
        self.cursor = Some(as_of);
        taken
    }

    /// Who was in something and is not in a snapshot: unless a browser has told it since the question, it may have been too early for
    /// it, or his row could not be read.
    fn gone(
        &self,
        is_in: &HashMap<UserId, RowId>,
        unreadable: Option<&HashSet<UserId>>,
        as_of: TimeMs,
    ) -> Vec<UserId> {
        let Some(unreadable) = unreadable else { return Vec::new() };
        let is_gone = |(user, known): &(&UserId, &Known)| {
            let is_fresh = known.heard == self.asked || known.started + SAME_CHANGE > as_of;
            known.ended.is_none() && !is_in.contains_key(user) && !is_fresh && !unreadable.contains(user)
        };
        self.known.iter().filter(is_gone).map(|(user, _)| *user).collect()
    }

    /// Who is not current is offline. The first time that is told of all: nobody knows what whoever had the account before has told.
    fn close_others(
        &mut self,
        is_in: &HashMap<UserId, RowId>,
        gone: &[UserId],
        as_of: TimeMs,
        taken: &mut Taken,
    ) {
        let is_first = !self.has_seen_all();
        let mut closed: HashMap<AgentId, TimeMs> = HashMap::new();
        for user in gone {
            // What has come with this very answer has told it.
            let Some(known) = self.known.get_mut(user).filter(|known| known.ended.is_none()) else {
                continue;
            };
            (known.ended, known.is_told) = (Some(as_of), false);
            match self.linked.get(user) {
                Some(agent) => {
                    closed.insert(*agent, as_of);
                }
                None => taken.of_others += 1,
            }
        }
        for (user, agent) in self.linked.iter().filter(|_| is_first) {
            if is_in.contains_key(user) {
                continue;
            }
            // Nobody knows since when, where nothing is known of him: whatever row comes is a later one.
            let absent = Known {
                status: SalesforceStatus::Offline,
                row: None,
                started: TimeMs::default(),
                ended: Some(as_of),
                is_told: false,
                heard: 0,
            };
            let known = self.known.entry(*user).or_insert(absent);
            if let Some(at) = known.ended {
                closed.insert(*agent, at);
            }
        }
        taken.changes.retain(|change| match change {
            Change::Closed { agent, .. } => !closed.contains_key(agent),
            Change::Seen { .. } => true,
        });
        let closed: BTreeMap<AgentId, TimeMs> = closed.into_iter().collect();
        taken.changes.extend(closed.into_iter().map(|(agent, at)| Change::Closed { agent, row: None, at }));
    }

    /// Takes a row.
    fn see(&mut self, row: &Row, taken: &mut Taken) {
        let ended = (!row.is_current).then(|| row.ended.unwrap_or(row.modified));
        let now = Known {
            status: SalesforceStatus::Presence(row.status),
            row: Some(row.id),
            started: row.started,
            ended,
            is_told: true,
            heard: self.known.get(&row.user).map_or(0, |known| known.heard),
        };
        let agent = self.linked.get(&row.user).copied();
        let is_whole = match self.known.get(&row.user) {
            // What he left before anybody looked is no choice of now.
            None => ended.is_none(),
            // Only that it has ended is new.
            Some(known) if known.row == Some(row.id) => {
                match (known.ended, ended) {
                    // It was only not to be seen for a while.
                    (Some(_), None) if !known.is_told => true,
                    (Some(_), _) | (None, None) => return,
                    (None, Some(_)) => false,
                }
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

/// The row in which everybody is who is in one: of several the newest, and none that began before one that has ended, which is a
/// stale one.
fn current(rows: &[Row]) -> HashMap<UserId, RowId> {
    let mut newest: HashMap<UserId, &Row> = HashMap::new();
    for row in rows {
        let kept = newest.entry(row.user).or_insert(row);
        if (row.started, row.is_current, row.id) > (kept.started, kept.is_current, kept.id) {
            *kept = row;
        }
    }
    newest.into_iter().filter(|(_, row)| row.is_current).map(|(user, row)| (user, row.id)).collect()
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
        match self.row {
            Some(known) => (self.started, known) > (row.started, row.id),
            // The row of what a browser told without it, however long ago it began.
            None if self.status == SalesforceStatus::Presence(row.status) && row.is_current => false,
            // A browser's own clock is not Salesforce's.
            None => row.started + SAME_CHANGE < self.started,
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

    impl Feed {
        fn all(&mut self, rows: &[Row], as_of: TimeMs) -> Taken {
            self.asks_for_all();
            self.take_all(rows, Some(&HashSet::new()), as_of)
        }
    }

    /// A feed that has seen that user 1, who is agent 1, is in status 1 since 0, in row 1.
    fn begun() -> Feed {
        let mut feed = Feed::new(None);
        feed.link(user(1), agent(1));
        assert_eq!(told(&feed.all(&[row(1, 1, 0, None)], at(10))), ["1 1@0"]);
        feed
    }

    #[test]
    fn only_what_differs_is_told() {
        let mut feed = begun();
        assert_eq!(feed.all(&[row(1, 1, 0, None)], at(20)), Taken::default());
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
        assert_eq!(feed.all(&[], at(40)), Taken::default(), "that was told");
        // Nothing told that it ended.
        let mut feed = begun();
        let taken = feed.all(&[], at(40));
        assert_eq!((told(&taken), taken.drift), (vec!["none@40".to_owned()], 0));
        let mut feed = begun();
        feed.take_changes(&[], at(38));
        let taken = feed.all(&[row(1, 1, 0, Some(31))], at(40));
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
        let taken = feed.all(&[gone], at(10));
        assert_eq!(told(&taken), ["none@5", "none@10"], "since its end; of who had none, since the question");
        assert_eq!(feed.all(&[gone], at(20)), Taken::default());
        // A row that was not to be seen yet when all were asked for.
        assert_eq!(told(&feed.take_changes(&[row(2, 2, 9, None)], at(21))), ["2 2@9"]);
    }

    #[test]
    fn of_several_current_rows_the_newest_counts_and_no_stale_one() {
        let mut feed = Feed::new(None);
        feed.link(user(1), agent(1));
        let taken = feed.all(&[row(2, 2, 5, None), row(1, 1, 0, None)], at(10));
        assert_eq!(told(&taken), ["2 2@5"]);
        assert_eq!(feed.all(&[row(1, 1, 0, None), row(2, 2, 5, None)], at(20)), Taken::default());
        // The newer one has ended, and the older one says that it is current still.
        let taken = feed.all(&[row(1, 1, 0, None), row(2, 2, 5, Some(25))], at(30));
        assert_eq!(told(&taken), ["2 ends@25"]);
        assert_eq!(feed.all(&[row(1, 1, 0, None)], at(40)), Taken::default());
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
        assert_eq!(feed.all(&[], at(50)), Taken::default());
        // An old word of a browser says nothing.
        feed.heard(agent(1), SalesforceStatus::Presence(status(1)), None, at(35));
        assert_eq!(feed.all(&[], at(60)), Taken::default());
        feed.heard(agent(9), SalesforceStatus::Presence(status(1)), None, at(61));
    }

    #[test]
    fn who_is_linked_later_is_told_at_once() {
        let mut feed = Feed::new(None);
        assert_eq!(feed.link(user(1), agent(1)), None, "nobody has looked yet");
        feed.unlink(user(1), agent(2));
        feed.unlink(user(1), agent(1));
        assert_eq!(feed.all(&[row(1, 1, 0, None)], at(10)).of_others, 1);
        let (one, two) = (agent(1), agent(2));
        let seen = Change::Seen { agent: one, status: status(1), row: Some(id(1)), since: at(0) };
        assert_eq!(feed.link(user(1), one), Some(seen));
        assert_eq!(feed.link(user(2), two), Some(Change::Closed { agent: two, row: None, at: at(10) }));
        feed.take_changes(&[row(1, 1, 0, Some(12))], at(13));
        assert_eq!(feed.link(user(1), two), Some(Change::Closed { agent: two, row: None, at: at(12) }));
        feed.heard(one, SalesforceStatus::Presence(status(1)), None, at(99));
        assert_eq!(feed.all(&[], at(200)).changes.len(), 0, "who is linked no more is not heard");
    }

    #[test]
    fn what_cannot_be_read_is_told_once() {
        let mut feed = Feed::new(None);
        assert_eq!(feed.unreadable(vec!["a".to_owned(), "a".to_owned()]), ["a"]);
        assert!(feed.unreadable(vec!["a".to_owned()]).is_empty());
    }

    #[test]
    fn what_a_browser_told_since_the_question_is_newer_than_the_answer() {
        let mut feed = begun();
        feed.asks_for_all();
        feed.heard(agent(1), SalesforceStatus::Presence(status(2)), Some(id(2)), at(99));
        let none = Some(HashSet::new());
        assert_eq!(feed.take_all(&[row(1, 1, 0, None)], none.as_ref(), at(100)), Taken::default());
        assert_eq!(feed.take_changes(&[row(2, 2, 99, None)], at(105)), Taken::default());
        // Nothing was heard since, and the row was too young to be seen.
        assert_eq!(feed.all(&[], at(108)), Taken::default());
        assert_eq!(told(&feed.all(&[], at(110))), ["none@110"]);
        // It was only not to be seen: that is taken back.
        assert_eq!(told(&feed.all(&[row(2, 2, 99, None)], at(120))), ["2 2@99"]);
        assert_eq!(feed.all(&[row(2, 2, 99, None)], at(130)), Taken::default());
    }

    #[test]
    fn a_word_without_a_row_does_not_hide_the_row() {
        let mut feed = begun();
        feed.heard(agent(1), SalesforceStatus::Presence(status(1)), None, at(1_000));
        assert_eq!(feed.all(&[row(1, 1, 0, None)], at(1_200)), Taken::default());
        // A change without its row, by a clock that is far ahead: the row of that status is the one.
        feed.heard(agent(1), SalesforceStatus::Presence(status(2)), None, at(1_330));
        assert_eq!(told(&feed.all(&[row(2, 2, 1_300, None)], at(1_400))), ["2 2@1300"]);
    }

    #[test]
    fn a_snapshot_without_many_who_were_there_is_believed_the_third_time() {
        let mut feed = Feed::new(None);
        let of = |number: u32| Row { id: id(number), user: user(number), ..row(1, 1, 0, None) };
        let rows: Vec<Row> = (1..=60).map(of).collect();
        for number in 1..=60 {
            feed.link(user(number), agent(number));
        }
        assert_eq!(feed.all(&rows, at(10)).changes.len(), 60);
        for second in [20, 30] {
            assert_eq!(feed.all(&[], at(second)), Taken { is_odd: true, ..Taken::default() });
        }
        assert_eq!(feed.all(&[], at(40)).changes.len(), 60);
        // Not so many are nothing odd.
        assert_eq!(feed.all(&rows, at(50)).changes.len(), 60);
        assert_eq!(feed.all(&rows[20..], at(60)).changes.len(), 20);
    }

    #[test]
    fn whose_row_cannot_be_read_is_not_offline() {
        let mut feed = begun();
        feed.asks_for_all();
        assert_eq!(feed.take_all(&[], Some(&HashSet::from([user(1)])), at(20)), Taken::default());
        assert_eq!(feed.take_all(&[], None, at(30)), Taken::default(), "nobody knows whose it is");
        assert_eq!(told(&feed.all(&[], at(40))), ["none@40"]);
    }
}
