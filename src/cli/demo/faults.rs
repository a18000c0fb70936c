//! What goes wrong in a demo, and when.

use std::time::Duration;

use serde_json::{Value, json};

use clap::ValueEnum;
use lockstep::domain::Platform;
use lockstep::simulate::Random;

/// How much goes wrong by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    /// Nothing, unless somebody asks for it
    None,
    /// One thing after the other, with pauses
    Some,
    /// Everything that there is, several at a time, processes killed among it
    Hell,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    CxoneDown,
    SalesforceDown,
    BridgeCut,
    Killed,
    BrokerGone,
    OtherRules,
    LinksRemoved,
    Stopped,
    TokensExpire,
    TooManyCalls,
    SlowAnswers,
    ConnectionsReset,
    AnswersLost,
    NoJson,
    OddPages,
    AllowanceUsedUp,
    Asleep,
    Tabs,
    Burst,
    SameSecond,
    LoginStorm,
    Mistaken,
}

/// Something that can go wrong.
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// The key that begins and ends it; none where nobody is offered it.
    pub(super) key: Option<char>,
    pub(super) name: &'static str,
    /// Its length in seconds; 0 where it happens at once.
    seconds: (u32, u32),
    /// Whether it is one of few where only some go wrong.
    is_common: bool,
}

const fn fault(
    kind: Kind,
    key: Option<char>,
    name: &'static str,
    seconds: (u32, u32),
    is_common: bool,
) -> Fault {
    Fault { kind, key, name, seconds, is_common }
}

/// All of them.
pub(super) const ALL: [Fault; 22] = [
    fault(Kind::CxoneDown, Some('x'), "CXone down", (2, 6), true),
    fault(Kind::SalesforceDown, Some('f'), "Salesforce down", (2, 6), true),
    fault(Kind::BridgeCut, Some('b'), "bridge cut", (1, 4), true),
    fault(Kind::Killed, Some('k'), "process killed", (0, 0), true),
    fault(Kind::BrokerGone, Some('g'), "broker gone", (1, 4), false),
    fault(Kind::OtherRules, Some('r'), "other rules", (3, 6), false),
    fault(Kind::LinksRemoved, Some('l'), "links removed", (3, 6), false),
    fault(Kind::Stopped, None, "process stopped", (0, 0), false),
    fault(Kind::TokensExpire, None, "tokens expire", (0, 0), true),
    fault(Kind::TooManyCalls, None, "429", (2, 4), true),
    fault(Kind::SlowAnswers, None, "slow answers", (2, 5), false),
    fault(Kind::ConnectionsReset, None, "connections reset", (1, 4), false),
    fault(Kind::AnswersLost, None, "answers lost", (1, 4), false),
    fault(Kind::NoJson, None, "HTML, empty and cut-off answers", (1, 3), false),
    fault(Kind::OddPages, None, "pages repeated and left out", (2, 4), false),
    fault(Kind::AllowanceUsedUp, None, "daily allowance used up", (2, 4), false),
    fault(Kind::Asleep, None, "browsers asleep", (2, 5), false),
    fault(Kind::Tabs, None, "second tabs", (0, 0), false),
    fault(Kind::Burst, None, "20 changes in a second by one agent", (0, 0), false),
    fault(Kind::SameSecond, None, "both sides in the same second", (0, 0), false),
    fault(Kind::LoginStorm, None, "everybody leaves and comes back", (2, 3), false),
    fault(Kind::Mistaken, None, "a mistaken configuration is started", (0, 0), false),
];

impl Kind {
    pub(super) fn fault(self) -> Option<&'static Fault> {
        ALL.iter().find(|fault| fault.kind == self)
    }

    pub(super) fn name(self) -> &'static str {
        self.fault().map_or("", |fault| fault.name)
    }

    /// Whether it has an end, apart from its beginning.
    pub(super) fn lasts(self) -> bool {
        self.fault().is_some_and(|fault| fault.seconds.1 > 0)
    }

    /// What the calls of a platform meet while it lasts.
    pub(super) fn met(self, platform: Platform) -> Vec<Value> {
        const SET: &str = "/state";
        const FEED: &str = "/agents/states";
        const QUERY: &str = "/query";
        let is_cxone = platform == Platform::Cxone;
        let any = if is_cxone { "/services" } else { "/services/data" };
        match (self, is_cxone) {
            (Kind::CxoneDown, true) | (Kind::SalesforceDown, false) => {
                vec![json!({"path": any, "kind": "status", "status": 503})]
            }
            (Kind::TooManyCalls, _) => {
                vec![json!({"path": any, "kind": "status", "status": 429, "retryAfter": "1", "count": 10})]
            }
            (Kind::SlowAnswers, true) => vec![json!({"path": any, "kind": "latency", "ms": 1_500})],
            (Kind::SlowAnswers, false) => vec![json!({"path": any, "kind": "latency", "ms": 4_000})],
            (Kind::ConnectionsReset, _) => vec![json!({"path": any, "kind": "reset", "count": 20})],
            (Kind::AnswersLost, true) => vec![json!({"path": SET, "kind": "after", "count": 20})],
            (Kind::NoJson, true) => vec![
                json!({"path": any, "kind": "html", "count": 3}),
                json!({"path": SET, "kind": "empty", "count": 5}),
                json!({"path": any, "kind": "cut", "count": 3}),
            ],
            (Kind::NoJson, false) => vec![
                json!({"path": QUERY, "kind": "html", "status": 502, "count": 2}),
                json!({"path": QUERY, "kind": "empty", "count": 1}),
                json!({"path": QUERY, "kind": "cut", "count": 1}),
            ],
            (Kind::OddPages, true) => vec![
                json!({"path": FEED, "kind": "skip", "count": 1}),
                json!({"path": FEED, "kind": "repeat", "count": 2}),
            ],
            _ => Vec::new(),
        }
    }
}

/// What goes wrong when, by itself.
pub(super) struct Schedule {
    random: Random,
    level: Level,
    /// What there is, and where in it the next is taken from: each has its turn before any comes again.
    deck: Vec<Kind>,
    next: usize,
    next_at: Duration,
    /// What began by itself, and when it ends.
    lasting: Vec<(Kind, Duration)>,
    /// When a process is killed next, and how often.
    kill: Option<(Duration, Duration)>,
}

/// How much is to go wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) level: Level,
    pub(super) seed: u64,
    /// Whether there is a broker that may stand still.
    pub(super) has_broker: bool,
    /// Before that nothing does.
    pub(super) begins: Duration,
    pub(super) kill_each: Option<Duration>,
}

/// Something begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Begins(Kind),
    Ends(Kind),
}

impl Schedule {
    pub(super) fn new(how: How) -> Schedule {
        let How { level, seed, has_broker, begins, kill_each } = how;
        let fits = |fault: &&Fault| {
            (level == Level::Hell || fault.is_common) && (fault.kind != Kind::BrokerGone || has_broker)
        };
        let deck = ALL.iter().filter(fits).map(|fault| fault.kind).collect();
        let random = Random::new(seed);
        let kill = kill_each.map(|each| (begins.max(each), each));
        Schedule { random, level, deck, next: 0, next_at: begins, lasting: Vec::new(), kill }
    }

    /// What begins and ends by now.
    pub(super) fn go_on(&mut self, now: Duration) -> Vec<Turn> {
        let over = self.lasting.extract_if(.., |(_, until)| *until <= now);
        let mut all: Vec<Turn> = over.map(|(kind, _)| Turn::Ends(kind)).collect();
        while let Some((at, each)) = self.kill.filter(|(at, each)| *at <= now && !each.is_zero()) {
            all.push(Turn::Begins(Kind::Killed));
            self.kill = Some((at + each, each));
        }
        while self.level != Level::None && self.next_at <= now {
            let at = self.next_at;
            let pause = match self.level {
                Level::Hell => self.random.between(400, 1_000),
                _ => self.random.between(4_000, 8_000),
            };
            self.next_at += Duration::from_millis(pause.unsigned_abs());
            let Some(kind) = self.take() else { break };
            if self.lasting.iter().any(|(other, _)| *other == kind) {
                continue;
            }
            all.push(Turn::Begins(kind));
            if let Some((least, most)) = kind.fault().map(|fault| fault.seconds).filter(|(_, most)| *most > 0)
            {
                let ms = self.random.between(i64::from(least) * 1_000, i64::from(most) * 1_000);
                self.lasting.push((kind, at + Duration::from_millis(ms.unsigned_abs())));
            }
        }
        all
    }

    fn take(&mut self) -> Option<Kind> {
        if self.next == 0 {
            for last in (1..self.deck.len()).rev() {
                let other = self.random.between(0, last as i64) as usize;
                self.deck.swap(last, other);
            }
        }
        let kind = self.deck.get(self.next).copied();
        self.next = (self.next + 1) % self.deck.len().max(1);
        kind
    }

    /// Nothing more goes wrong: what lasts ends.
    pub(super) fn rest(&mut self) -> Vec<Turn> {
        (self.level, self.kill) = (Level::None, None);
        self.lasting.drain(..).map(|(kind, _)| Turn::Ends(kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn minute(level: Level, seed: u64, has_broker: bool) -> Vec<Turn> {
        let begins = Duration::from_secs(4);
        let mut schedule = Schedule::new(How { level, seed, has_broker, begins, kill_each: None });
        let mut all: Vec<Turn> =
            (0..23_000).step_by(50).flat_map(|ms| schedule.go_on(Duration::from_millis(ms))).collect();
        all.extend(schedule.rest());
        all
    }

    #[test]
    fn all_of_hell_is_there_within_twenty_three_seconds_and_ends() {
        for seed in 0..500 {
            let all = minute(Level::Hell, seed, true);
            let begun: BTreeSet<Kind> = all
                .iter()
                .filter_map(|turn| if let Turn::Begins(kind) = turn { Some(*kind) } else { None })
                .collect();
            assert_eq!(begun.len(), ALL.len(), "seed {seed}: {begun:?}");
            let mut lasting = BTreeSet::new();
            for turn in &all {
                match turn {
                    Turn::Begins(kind) if kind.lasts() => {
                        assert!(lasting.insert(*kind), "seed {seed}: {kind:?} twice")
                    }
                    Turn::Begins(_) => {}
                    Turn::Ends(kind) => {
                        assert!(lasting.remove(kind), "seed {seed}: {kind:?} ends and has not begun")
                    }
                }
            }
            assert!(lasting.is_empty(), "seed {seed}: {lasting:?} does not end");
        }
    }

    #[test]
    fn without_a_broker_of_ours_none_is_gone() {
        let gone = Turn::Begins(Kind::BrokerGone);
        assert!((0..50).all(|seed| !minute(Level::Hell, seed, false).contains(&gone)));
        assert_eq!(minute(Level::None, 1, true), []);
        assert!((1..=8).contains(&minute(Level::Some, 1, true).len()));
    }

    #[test]
    fn processes_are_killed_as_often_as_it_is_asked_for() {
        let seconds = Duration::from_secs;
        let (begins, kill_each) = (seconds(4), Some(seconds(10)));
        let mut schedule =
            Schedule::new(How { level: Level::None, seed: 1, has_broker: false, begins, kill_each });
        let at: Vec<u64> = (0..45).filter(|second| !schedule.go_on(seconds(*second)).is_empty()).collect();
        assert_eq!(at, [10, 20, 30, 40]);
        assert_eq!((schedule.rest(), schedule.go_on(seconds(60))), (vec![], vec![]));
    }

    #[test]
    fn each_has_a_name_and_a_key_of_its_own() {
        let names: BTreeSet<&str> = ALL.iter().map(|fault| fault.name).collect();
        let kinds: BTreeSet<Kind> = ALL.iter().map(|fault| fault.kind).collect();
        let keys: Vec<char> = ALL.iter().filter_map(|fault| fault.key).collect();
        assert_eq!((names.len(), kinds.len()), (ALL.len(), ALL.len()));
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    }
}
