//! What a source publishes of a tenant, whatever its answers are like: in the end it is what the tenant shows.

use std::collections::BTreeMap;

use lockstep::connectors::Asked;
use lockstep::connectors::cxone::{Feed, ODD_MAX, Poll, Seen};
use lockstep::domain::{AgentId, CxoneAgentId, CxoneState, CxoneStatus, DurationMs, TimeMs};
use lockstep::simulators::cxone::{Code, Shown, Team, Tenant, Variant};
use proptest::prelude::*;

const AGENTS: u32 = 6;

fn agent_id(number: u32) -> AgentId {
    format!("00000000-0000-5000-8000-{number:012x}").parse().unwrap()
}

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// An agent is in another status.
    Changes(u32, u8),
    /// Time goes on.
    Waits(i64),
    /// A poll, whose answer may lose entries, have some twice, come from a while ago, or tell of no cursor.
    Polls(Answer),
    Links(u32),
    Unlinks(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Good,
    LosesSome,
    HasSomeTwice,
    OfThen,
    WithoutACursor,
    All,
}

fn step() -> impl Strategy<Value = Step> {
    use Answer::{All, Good, HasSomeTwice, LosesSome, OfThen, WithoutACursor};
    let answer = prop::sample::select(vec![Good, Good, LosesSome, HasSomeTwice, OfThen, WithoutACursor, All]);
    prop_oneof![
        4 => (0..AGENTS, 0_u8..4).prop_map(|(agent, state)| Step::Changes(agent, state)),
        2 => (1_i64..3_000).prop_map(Step::Waits),
        4 => answer.prop_map(Step::Polls),
        1 => (0..AGENTS).prop_map(Step::Links),
        1 => (0..AGENTS).prop_map(Step::Unlinks),
    ]
}

fn tenant(now: TimeMs) -> Tenant {
    let mut tenant = Tenant::new(Variant::default());
    let timeout = DurationMs::from_seconds(7_200);
    let code = Code { name: "Lunch".to_owned(), is_active: true, is_acw: false, timeout };
    tenant.codes.insert(1017, code);
    tenant.teams.insert(1, Team { name: "Support".to_owned(), codes: [1017].into() });
    for number in 0..AGENTS {
        tenant.add(number, 1, now);
    }
    tenant
}

fn seen(tenant: &Tenant, number: u32) -> Seen {
    let agent = &tenant.agents[&number];
    let state = CxoneState::from_number(agent.shown.state.into()).unwrap();
    let status = CxoneStatus::from_feed(state, agent.shown.out_state.map(i64::from), agent.shown.is_acw);
    Seen { agent: CxoneAgentId::new(number), status, since: agent.since }
}

fn iso(at: TimeMs) -> String {
    jiff::Timestamp::from_millisecond(at.as_unix_ms()).unwrap().to_string()
}

fn time(cursor: &str) -> TimeMs {
    TimeMs::from_unix_ms(cursor.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn poll(tenant: &Tenant, cursor: Option<&str>, now: TimeMs) -> Poll {
    let since = cursor.map_or(TimeMs::ZERO, time);
    let all = tenant.changed_since(since).map(|agent| seen(tenant, agent.id)).collect();
    Poll { seen: all, unreadable: Vec::new(), cursor: Some(iso(now)), is_whole: true }
}

/// What a source would publish, as it is known of each agent.
#[derive(Default)]
struct Source {
    feed: Feed,
    published: BTreeMap<u32, Seen>,
}

impl Source {
    fn publish(&mut self, seen: Seen) {
        let before = self.published.insert(seen.agent.get(), seen);
        assert_ne!(before, Some(seen), "the same twice");
    }

    fn take(&mut self, poll: Poll, asked: Asked) {
        for change in self.feed.take(poll, asked).changes {
            assert_eq!(change.agent, agent_id(change.seen.agent.get()));
            self.publish(change.seen);
        }
    }
}

proptest! {
    /// Nothing is published twice, nobody who is not linked is published, and when the platform answers well again, what was
    /// published last of everybody is what he is in, without anybody having to ask for all.
    #[test]
    fn in_the_end_everybody_is_published_as_he_is(steps in prop::collection::vec(step(), 1..120)) {
        let mut now = TimeMs::from_unix_ms(1_767_607_200_000);
        let mut tenant = tenant(now);
        let mut source = Source::default();
        let mut linked = std::collections::BTreeSet::new();
        let (mut then, mut odd): (Option<Poll>, u32) = (None, 0);
        for step in steps {
            now = now + DurationMs::from_ms(1);
            match step {
                Step::Changes(agent, state) => {
                    let shown = if state == 3 { Shown::code(1017) } else { Shown::state(state) };
                    tenant.put(agent, shown, now);
                }
                Step::Waits(ms) => now = now + DurationMs::from_ms(ms),
                Step::Links(agent) => {
                    if linked.insert(agent)
                        && let Some(change) = source.feed.link(CxoneAgentId::new(agent), agent_id(agent))
                    {
                        source.published.insert(agent, change.seen);
                    }
                }
                Step::Unlinks(agent) => {
                    linked.remove(&agent);
                    source.feed.unlink(CxoneAgentId::new(agent), agent_id(agent));
                    source.published.remove(&agent);
                }
                Step::Polls(Answer::All) => source.take(poll(&tenant, None, now), Asked::All),
                Step::Polls(answer) => {
                    // One that is odd for longer is taken as it is; then only a poll for all heals.
                    let is_odd = matches!(answer, Answer::LosesSome | Answer::OfThen);
                    let answer = if is_odd && odd == ODD_MAX { Answer::Good } else { answer };
                    odd = if is_odd && odd < ODD_MAX { odd + 1 } else { 0 };
                    let mut found = poll(&tenant, source.feed.cursor(), now);
                    match answer {
                        Answer::LosesSome if found.seen.len() > 1 => {
                            found.seen.pop();
                            found.is_whole = false;
                        }
                        Answer::HasSomeTwice => found.seen.extend(found.seen.clone()),
                        Answer::OfThen => {
                            if let Some(then) = then.clone() {
                                found = then;
                            }
                        }
                        // Only where nothing has changed is nothing told of it.
                        Answer::WithoutACursor if found.seen.is_empty() => found.cursor = None,
                        _ => {}
                    }
                    if answer == Answer::Good {
                        then = Some(found.clone());
                    }
                    source.take(found, Asked::Changes);
                }
            }
            prop_assert!(source.published.keys().all(|agent| linked.contains(agent)));
        }
        for _ in 0..2 {
            now = now + DurationMs::from_seconds(1);
            source.take(poll(&tenant, source.feed.cursor(), now), Asked::Changes);
        }
        for agent in linked {
            prop_assert_eq!(source.published.get(&agent), Some(&seen(&tenant, agent)), "agent {}", agent);
        }
    }
}
