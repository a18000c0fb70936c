//! What a sink has still to do: of each agent the newest command only, and one at a time. It is pure: who calls it does what it
//! says, and tells what became of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::bus::Offset;
use crate::codec::Addressee;
use crate::domain::{AgentId, CxoneStatus, SalesforceStatus, Status, TimeMs};
use crate::engine::Sequence;

/// Whose commands come faster than this is restless: it is waited until he has been quiet for so long.
const QUIET: Duration = Duration::from_millis(250);
/// Who is restless for longer is set all the same, once in so long.
const RESTLESS_MAX: Duration = Duration::from_secs(1);
/// So many who are quiet are remembered beside those who have something to be done.
const CAME_MAX: usize = 1_000;

/// A command as a sink keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Whom it is about.
    pub agent: AgentId,
    /// Who he is on the platform.
    pub to: Addressee,
    /// Its number among his commands.
    pub sequence: Sequence,
    /// When it was issued.
    pub issued: TimeMs,
    /// What to set.
    pub status: Status,
    /// The partition of the commands that it came from.
    pub partition: u32,
    /// Its offset there.
    pub offset: Offset,
    /// It may have been sent already: by who had the account before, or by a call that failed in the middle.
    pub may_have_been_sent: bool,
}

/// What became of a command that was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// It waits again.
    Waits,
    /// A newer one has taken its place.
    Replaced,
    /// Nobody wants to know: the agent is linked no more.
    Void,
}

/// What a sink has still to do.
#[derive(Debug, Default)]
pub struct Backlog {
    agents: HashMap<AgentId, Entry>,
    waiting: usize,
    under_way: usize,
    /// Whose turn it is: who becomes less available first, then who has waited longest.
    turns: BTreeMap<Turn, AgentId>,
    /// Those who are restless, by when they have their turn.
    restless: BTreeSet<(Instant, AgentId)>,
    /// When somebody's last command came. Who has been quiet for long is forgotten now and then.
    came: HashMap<AgentId, Instant>,
    arrived: u64,
    places: BTreeMap<u32, Place>,
}

/// What is to be done for an agent; one of both at least.
#[derive(Debug, Default)]
struct Entry {
    waiting: Option<(Turn, Job)>,
    under_way: Option<Job>,
    /// What is under way is not to be tried again.
    is_void: bool,
    /// What waits comes of somebody who is restless: since when, and when it has its turn.
    restless: Option<(Instant, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    makes_available: bool,
    arrived: u64,
}

/// How far a partition was read, and what of it is not done.
#[derive(Debug, Default)]
struct Place {
    next: Offset,
    unfinished: BTreeSet<Offset>,
}

impl Backlog {
    /// Takes a command that came now. Tells which one it takes the place of, that was not sent.
    pub fn add(&mut self, job: Job, now: Instant) -> Option<Job> {
        let before = self.came.insert(job.agent, now);
        let is_restless = before.is_some_and(|before| now.saturating_duration_since(before) < QUIET);
        let place = self.places.entry(job.partition).or_default();
        place.next = Offset(job.offset.0 + 1);
        place.unfinished.insert(job.offset);
        let entry = self.agents.entry(job.agent).or_default();
        let superseded = entry.waiting.take();
        self.waiting += usize::from(superseded.is_none());
        // Who waited keeps his place, where it is of the same kind.
        let makes_available = makes_available(job.status);
        let kept = superseded.map(|(turn, _)| turn).filter(|turn| turn.makes_available == makes_available);
        let turn = kept.unwrap_or(Turn { makes_available, arrived: self.arrived });
        self.arrived += 1;
        if let Some((before, _)) = superseded {
            self.turns.remove(&before);
        }
        if let Some((_, at)) = entry.restless {
            self.restless.remove(&(at, job.agent));
        }
        entry.restless = is_restless.then(|| {
            let since = entry.restless.map_or(now, |(since, _)| since);
            (since, (now + QUIET).min(since + RESTLESS_MAX))
        });
        entry.waiting = Some((turn, job));
        if entry.under_way.is_none() {
            self.queue(job.agent);
        }
        superseded.map(|(_, job)| self.finished(job))
    }

    /// Who waits has his turn, or will have it when he is quiet.
    fn queue(&mut self, agent: AgentId) {
        let Some(entry) = self.agents.get(&agent) else { return };
        match (entry.restless, entry.waiting) {
            (Some((_, at)), Some(_)) => {
                self.restless.insert((at, agent));
            }
            (None, Some((turn, _))) => {
                self.turns.insert(turn, agent);
            }
            (_, None) => {}
        }
    }

    /// Time goes on: who has been quiet for long enough has his turn.
    pub fn go_on(&mut self, now: Instant) {
        while let Some((_, agent)) = self.restless.first().copied().filter(|(at, _)| *at <= now) {
            self.restless.pop_first();
            if let Some(entry) = self.agents.get_mut(&agent) {
                entry.restless = None;
            }
            self.queue(agent);
        }
        if self.came.len() > 2 * self.agents.len() + CAME_MAX {
            self.came.retain(|_, came| now.saturating_duration_since(*came) < QUIET);
        }
    }

    /// The agent is linked no more: what waits for him is void, and nobody waits for its outcome.
    pub fn void(&mut self, agent: AgentId, partition: u32, offset: Offset) {
        self.places.entry(partition).or_default().next = Offset(offset.0 + 1);
        let Some(entry) = self.agents.get_mut(&agent) else { return };
        let waited = entry.waiting.take();
        let is_idle = entry.under_way.is_none();
        entry.is_void = !is_idle;
        self.waiting -= usize::from(waited.is_some());
        if let Some((_, at)) = entry.restless.take() {
            self.restless.remove(&(at, agent));
        }
        if let Some((turn, job)) = waited {
            self.turns.remove(&turn);
            self.finished(job);
        }
        if is_idle {
            self.agents.remove(&agent);
        }
    }

    /// The next command to be sent. It is under way from now on.
    pub fn take(&mut self) -> Option<Job> {
        let (_, agent) = self.turns.pop_first()?;
        let entry = self.agents.get_mut(&agent)?;
        let (_, job) = entry.waiting.take()?;
        entry.under_way = Some(job);
        self.waiting -= 1;
        self.under_way += 1;
        Some(job)
    }

    /// One that was under way is done, whatever became of it.
    pub fn done(&mut self, job: &Job) {
        let Some(entry) = self.agents.get_mut(&job.agent) else { return };
        if entry.under_way.as_ref() != Some(job) {
            return;
        }
        (entry.under_way, entry.is_void) = (None, false);
        self.under_way -= 1;
        match entry.waiting {
            Some(_) => self.queue(job.agent),
            None => {
                self.agents.remove(&job.agent);
            }
        }
        self.finished(*job);
    }

    /// One that was under way is to be sent again later, as nothing came of it; or perhaps something did.
    pub fn put_back(&mut self, job: &Job, may_have_been_sent: bool) -> PutBack {
        let Some(entry) = self.agents.get_mut(&job.agent) else { return PutBack::Void };
        if entry.under_way.as_ref() != Some(job) {
            return PutBack::Void;
        }
        if entry.is_void || entry.waiting.is_some() {
            let put_back = if entry.is_void { PutBack::Void } else { PutBack::Replaced };
            self.done(job);
            return put_back;
        }
        entry.under_way = None;
        let turn = Turn { makes_available: makes_available(job.status), arrived: self.arrived };
        self.arrived += 1;
        let may_have_been_sent = job.may_have_been_sent || may_have_been_sent;
        entry.waiting = Some((turn, Job { may_have_been_sent, ..*job }));
        self.turns.insert(turn, job.agent);
        self.under_way -= 1;
        self.waiting += 1;
        PutBack::Waits
    }

    /// Whether a newer one waits for the end of this one.
    pub fn is_replaced(&self, job: &Job) -> bool {
        self.agents.get(&job.agent).is_some_and(|entry| entry.waiting.is_some())
    }

    /// A partition was read so far.
    pub fn read(&mut self, partition: u32, next: Offset) {
        let place = self.places.entry(partition).or_default();
        place.next = place.next.max(next);
    }

    /// Where each partition is to be read again after a restart: at the oldest command that is not done.
    pub fn progress(&self) -> impl Iterator<Item = (u32, Offset)> {
        self.places
            .iter()
            .map(|(partition, place)| (*partition, place.unfinished.first().copied().unwrap_or(place.next)))
    }

    /// How many wait, and how many are under way.
    pub const fn len(&self) -> (usize, usize) {
        (self.waiting, self.under_way)
    }

    /// Whether one could be taken now.
    pub fn has_next(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    fn finished(&mut self, job: Job) -> Job {
        if let Some(place) = self.places.get_mut(&job.partition) {
            place.unfinished.remove(&job.offset);
        }
        job
    }
}

/// Whether a status may bring an agent work. Those that do not are set first: a customer who is routed to somebody who is at
/// lunch waits in vain, one who is not routed waits in a queue.
const fn makes_available(status: Status) -> bool {
    match status {
        Status::Cxone(status) => matches!(status, CxoneStatus::Available),
        // Which statuses have channels the directory knows; to be late with a busy one is no worse than with an online one.
        Status::Salesforce(status) => !matches!(status, SalesforceStatus::Offline),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{CxoneAgent, CxoneAgentId, OutStateId};

    const LUNCH: Status = Status::Cxone(CxoneStatus::Code(OutStateId::new(1017)));
    const AVAILABLE: Status = Status::Cxone(CxoneStatus::Available);

    fn agent(number: u8) -> AgentId {
        format!("00000000-0000-5000-8000-0000000000{number:02x}").parse().unwrap()
    }

    fn job(number: u8, offset: u64, status: Status) -> Job {
        let account = "emea".parse().unwrap();
        Job {
            agent: agent(number),
            to: Addressee::Cxone(CxoneAgent { account, agent: CxoneAgentId::new(number.into()) }),
            sequence: Sequence(offset as u32),
            issued: TimeMs::from_unix_ms(0),
            status,
            partition: 0,
            offset: Offset(offset),
            may_have_been_sent: false,
        }
    }

    /// Commands come calmly, but where a test wants otherwise.
    fn at(ms: u64) -> Instant {
        static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *BEGUN.get_or_init(Instant::now) + Duration::from_millis(ms)
    }

    fn add(backlog: &mut Backlog, job: Job) -> Option<Job> {
        backlog.add(job, at(1_000 * job.offset.0))
    }

    fn progress(backlog: &Backlog) -> Vec<(u32, Offset)> {
        backlog.progress().collect()
    }

    #[test]
    fn who_becomes_less_available_goes_first() {
        let mut backlog = Backlog::default();
        add(&mut backlog, job(1, 0, AVAILABLE));
        add(&mut backlog, job(2, 1, LUNCH));
        add(&mut backlog, job(3, 2, AVAILABLE));
        add(&mut backlog, job(4, 3, LUNCH));
        let order: Vec<u64> = std::iter::from_fn(|| backlog.take()).map(|job| job.offset.0).collect();
        assert_eq!(order, [1, 3, 0, 2]);
    }

    #[test]
    fn only_the_newest_is_sent_and_who_waited_keeps_his_place() {
        let mut backlog = Backlog::default();
        assert_eq!(add(&mut backlog, job(1, 0, AVAILABLE)), None);
        assert_eq!(add(&mut backlog, job(2, 1, AVAILABLE)), None);
        assert_eq!(add(&mut backlog, job(1, 2, AVAILABLE)), Some(job(1, 0, AVAILABLE)));
        assert_eq!(backlog.take(), Some(job(1, 2, AVAILABLE)));
        // One at a time: what comes meanwhile waits for it.
        assert_eq!(add(&mut backlog, job(1, 3, LUNCH)), None);
        assert_eq!(backlog.take(), Some(job(2, 1, AVAILABLE)));
        assert_eq!(backlog.take(), None);
        backlog.done(&job(1, 2, AVAILABLE));
        assert_eq!(backlog.take(), Some(job(1, 3, LUNCH)));
    }

    #[test]
    fn a_restart_begins_at_the_oldest_that_is_not_done() {
        let mut backlog = Backlog::default();
        backlog.read(1, Offset(7));
        for (number, offset) in [(1, 10), (2, 11), (3, 12)] {
            add(&mut backlog, job(number, offset, LUNCH));
        }
        let first = backlog.take().unwrap();
        let second = backlog.take().unwrap();
        backlog.done(&second);
        assert_eq!(progress(&backlog), [(0, Offset(10)), (1, Offset(7))]);
        backlog.done(&first);
        assert_eq!(progress(&backlog), [(0, Offset(12)), (1, Offset(7))]);
        let third = backlog.take().unwrap();
        assert_eq!(backlog.put_back(&third, false), PutBack::Waits, "nothing newer is there");
        assert_eq!(progress(&backlog), [(0, Offset(12)), (1, Offset(7))]);
        let third = backlog.take().unwrap();
        add(&mut backlog, job(3, 13, AVAILABLE));
        assert_eq!(backlog.put_back(&third, false), PutBack::Replaced, "a newer one is");
        backlog.void(agent(3), 0, Offset(14));
        assert_eq!(progress(&backlog), [(0, Offset(15)), (1, Offset(7))]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn who_is_restless_is_waited_for() {
        let mut backlog = Backlog::default();
        let mut sent = Vec::new();
        // Twenty changes a second for two seconds; the first goes at once.
        for number in 0..40 {
            let now = at(50 * number);
            backlog.add(job(1, number, if number % 2 == 0 { LUNCH } else { AVAILABLE }), now);
            backlog.go_on(now);
            while let Some(job) = backlog.take() {
                sent.push((50 * number, job.offset.0));
                backlog.done(&job);
            }
        }
        assert_eq!(sent, [(0, 0), (1_050, 21)]);
        let last = 39 * 50;
        backlog.go_on(at(last + 149));
        assert!(!backlog.has_next() && !backlog.is_empty());
        backlog.go_on(at(last + 150));
        assert_eq!(backlog.take().map(|job| job.offset.0), Some(39));
        // What comes of him while a call is under way waits for its end, and for quiet.
        backlog.add(job(1, 40, LUNCH), at(last + 260));
        backlog.add(job(1, 41, AVAILABLE), at(last + 270));
        backlog.go_on(at(last + 600));
        backlog.done(&job(1, 39, AVAILABLE));
        assert!(!backlog.has_next());
        backlog.go_on(at(last + 601));
        assert_eq!(backlog.take().map(|job| job.offset.0), Some(41));
        // Nothing is left behind by who is linked no more.
        backlog.add(job(2, 42, LUNCH), at(9_000));
        backlog.add(job(2, 43, LUNCH), at(9_001));
        backlog.void(agent(2), 0, Offset(44));
        backlog.go_on(at(20_000));
        assert!(!backlog.has_next());
    }

    #[test]
    fn what_is_void_does_not_come_back() {
        let mut backlog = Backlog::default();
        add(&mut backlog, job(1, 0, LUNCH));
        let first = backlog.take().unwrap();
        backlog.void(agent(1), 0, Offset(1));
        // The same person is linked again meanwhile.
        add(&mut backlog, job(1, 2, AVAILABLE));
        assert_eq!(backlog.put_back(&first, true), PutBack::Void);
        assert_eq!(backlog.take(), Some(job(1, 2, AVAILABLE)));
        backlog.void(agent(1), 0, Offset(3));
        assert_eq!(backlog.put_back(&job(1, 2, AVAILABLE), false), PutBack::Void);
        assert!(backlog.is_empty() && backlog.len() == (0, 0));
        assert_eq!(progress(&backlog), [(0, Offset(4))]);
    }

    #[test]
    fn that_it_may_have_been_sent_is_remembered() {
        let mut backlog = Backlog::default();
        add(&mut backlog, job(1, 0, LUNCH));
        let first = backlog.take().unwrap();
        assert!(!backlog.is_replaced(&first));
        assert_eq!(backlog.put_back(&first, true), PutBack::Waits);
        let sent = Job { may_have_been_sent: true, ..first };
        assert_eq!(add(&mut backlog, job(1, 1, AVAILABLE)), Some(sent));
    }

    /// What somebody who keeps every command would do.
    #[derive(Default)]
    struct Oracle {
        commands: Vec<(Job, Fate)>,
        next: u64,
    }

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Fate {
        Waiting,
        UnderWay,
        Over,
    }

    impl Oracle {
        fn set(&mut self, offset: Offset, fate: Fate) {
            self.commands.iter_mut().filter(|(job, _)| job.offset == offset).for_each(|(_, is)| *is = fate);
        }

        fn of(&self, number: u8, fate: Fate) -> Vec<Job> {
            let is_one = |(job, is): &&(Job, Fate)| job.agent == agent(number) && *is == fate;
            self.commands.iter().filter(is_one).map(|(job, _)| *job).collect()
        }

        fn progress(&self) -> Offset {
            let unfinished = self.commands.iter().filter(|(_, fate)| *fate != Fate::Over);
            unfinished.map(|(job, _)| job.offset).min().unwrap_or(Offset(self.next))
        }
    }

    proptest! {
        /// Whatever comes in whatever order: of each agent one at most is under way and one waits, the newest; nothing that is
        /// not done is forgotten by a restart; and in the end the last command of each agent was the last to be sent.
        #[test]
        fn it_does_what_one_does_who_keeps_everything(steps in prop::collection::vec((0_u8..5, 0_u8..6, any::<bool>()), 1..200)) {
            let (mut backlog, mut oracle) = (Backlog::default(), Oracle::default());
            let mut under_way: Vec<Job> = Vec::new();
            let mut last_sent: HashMap<AgentId, u32> = HashMap::new();
            for (what, number, reduces) in steps {
                match what {
                    0 | 1 => {
                        let job = job(number, oracle.next, if reduces { LUNCH } else { AVAILABLE });
                        oracle.next += 1;
                        let replaced = oracle.of(number, Fate::Waiting);
                        prop_assert_eq!(add(&mut backlog, job).into_iter().collect::<Vec<_>>(), replaced.clone());
                        replaced.iter().for_each(|one| oracle.set(one.offset, Fate::Over));
                        oracle.commands.push((job, Fate::Waiting));
                    }
                    2 => {
                        let can_go = |number: &u8| oracle.of(*number, Fate::UnderWay).is_empty();
                        let first = (0..6).filter(can_go).flat_map(|number| oracle.of(number, Fate::Waiting));
                        let any_reduces = first.clone().any(|job| job.status == LUNCH);
                        let next = backlog.take();
                        prop_assert_eq!(next.is_some(), first.count() > 0);
                        if let Some(job) = next {
                            prop_assert!(!any_reduces || job.status == LUNCH);
                            oracle.set(job.offset, Fate::UnderWay);
                            under_way.push(job);
                            let before = last_sent.insert(job.agent, job.sequence.0);
                            prop_assert!(before.is_none_or(|before| before <= job.sequence.0), "an older one after a newer");
                        }
                    }
                    3 if !under_way.is_empty() => {
                        let job = under_way.remove(usize::from(number) % under_way.len());
                        backlog.done(&job);
                        oracle.set(job.offset, Fate::Over);
                    }
                    4 if !under_way.is_empty() => {
                        let job = under_way.remove(usize::from(number) % under_way.len());
                        let sixth = (0..6).find(|number| agent(*number) == job.agent).unwrap();
                        let is_replaced = !oracle.of(sixth, Fate::Waiting).is_empty();
                        let put_back = if is_replaced { PutBack::Replaced } else { PutBack::Waits };
                        prop_assert_eq!(backlog.put_back(&job, false), put_back);
                        oracle.set(job.offset, if is_replaced { Fate::Over } else { Fate::Waiting });
                    }
                    _ => {}
                }
                let waiting = (0..6).map(|number| oracle.of(number, Fate::Waiting).len()).sum::<usize>();
                prop_assert_eq!(backlog.len(), (waiting, under_way.len()));
                if oracle.next > 0 {
                    prop_assert_eq!(progress(&backlog), vec![(0, oracle.progress())]);
                }
            }
            // It comes to rest.
            loop {
                for job in std::mem::take(&mut under_way) {
                    backlog.done(&job);
                }
                let Some(job) = backlog.take() else { break };
                last_sent.insert(job.agent, job.sequence.0);
                under_way.push(job);
            }
            prop_assert!(backlog.is_empty());
            for number in 0..6 {
                let last = oracle.commands.iter().rev().find(|(job, _)| job.agent == agent(number));
                prop_assert_eq!(last_sent.get(&agent(number)).copied(), last.map(|(job, _)| job.sequence.0));
            }
        }
    }
}
