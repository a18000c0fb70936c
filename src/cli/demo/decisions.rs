//! What was decided, as `presence.decisions` tells it to whoever reads: counted, and the last one of everybody in words.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;

use lockstep::bus::{
    AnyBus, Bus, From, Offset, Partition, Reader, Records, Topic, TopicName, TopicsPlan, Until,
};
use lockstep::codec::{Codec, DecidedAs, Decision};
use lockstep::domain::{AgentId, Platform, Status};
use lockstep::engine::{Reason, Verdict, WakeCause};

/// It is read for so long, and then looked whether it is over.
const WAIT: Duration = Duration::from_millis(100);
/// Who owns the log was killed: somebody is there again soon.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What was decided so far.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) decisions: u64,
    pub(super) commands: u64,
    pub(super) echoes: u64,
    pub(super) corrections: u64,
    pub(super) dead_letters: u64,
    /// The last one of each agent.
    pub(super) last: HashMap<AgentId, Last>,
    /// Of whom a platform was given up on, and is still.
    given_up: HashSet<(AgentId, Platform)>,
}

/// A decision, as far as it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) reason: DecidedAs,
    pub(super) shown: Option<Status>,
    pub(super) commanded: [Option<Status>; 2],
}

impl Decided {
    /// Of how many agents a platform is given up on.
    pub(super) fn diverged(&self) -> u64 {
        let agents: HashSet<AgentId> = self.given_up.iter().map(|(agent, _)| *agent).collect();
        agents.len() as u64
    }

    /// Whatever makes the engine try again ends it, and that the platform shows its target by itself.
    fn give_up(&mut self, agent: AgentId, decision: &Decision<'_>) {
        let by_platform = [
            (
                Platform::Salesforce,
                decision.salesforce_given_up,
                decision.to_salesforce,
                decision.salesforce_shown.is_some(),
            ),
            (Platform::Cxone, decision.cxone_given_up, decision.to_cxone, decision.cxone_shown.is_some()),
        ];
        let is_there = matches!(decision.reason, DecidedAs::Engine(Reason::Echo | Reason::InStep));
        let is_anew = decision.new_intent || decision.retargeted || decision.gone;
        for (platform, given_up, command, is_shown) in by_platform {
            if given_up.is_some() {
                self.given_up.insert((agent, platform));
            } else if is_anew || command.is_some() || (is_there && is_shown) {
                self.given_up.remove(&(agent, platform));
            }
        }
    }

    fn count(&mut self, decision: &Decision<'_>) {
        self.decisions += 1;
        let commands = [decision.to_salesforce, decision.to_cxone];
        for commanded in commands.iter().flatten() {
            self.commands += 1;
            self.corrections += u64::from(commanded.correction);
        }
        self.echoes += u64::from(decision.reason == DecidedAs::Engine(Reason::Echo));
        let Some(agent) = decision.agent else { return };
        self.give_up(agent, decision);
        let shown = decision.salesforce_shown.map(Status::Salesforce);
        let shown = shown.or(decision.cxone_shown.map(Status::Cxone));
        let commanded = commands.map(|one| one.map(|one| one.status));
        self.last.insert(agent, Last { reason: decision.reason, shown, commanded });
    }
}

/// Reads decisions on a thread of its own, until it goes.
pub(super) struct Decisions {
    decided: Arc<Mutex<Decided>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Decisions {
    pub(super) fn read(
        bus: impl Fn() -> anyhow::Result<AnyBus> + Send + 'static,
        plan: TopicsPlan,
    ) -> anyhow::Result<Decisions> {
        let codec = Codec::single_object()?;
        let (decided, is_over) = (Arc::<Mutex<Decided>>::default(), Arc::<AtomicBool>::default());
        let (ours, ends) = (Arc::clone(&decided), Arc::clone(&is_over));
        let work = move || {
            let mut read = HashMap::new();
            while !ends.load(Ordering::Relaxed) {
                // Who has just been killed does not answer: it is read on from there.
                if follow(&bus, &plan, &codec, &mut read, &ours, &ends).is_err() {
                    thread::sleep(AGAIN_AFTER);
                }
            }
        };
        let thread = thread::Builder::new().name("decisions".to_owned()).spawn(work);
        let thread = thread.context("the system gives no thread")?;
        Ok(Decisions { decided, is_over, thread: Some(thread) })
    }

    /// Looks at what was decided so far.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Decided) -> T) -> T {
        look(&self.decided.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Decisions {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// How far each partition has been read.
type Read = HashMap<(TopicName, Partition), Offset>;

fn follow(
    bus: &impl Fn() -> anyhow::Result<AnyBus>,
    plan: &TopicsPlan,
    codec: &Codec,
    read: &mut Read,
    decided: &Mutex<Decided>,
    ends: &AtomicBool,
) -> anyhow::Result<()> {
    let (decisions, dead) = (plan.name(Topic::Decisions), plan.name(Topic::DeadLetters));
    let mut all: Vec<_> = (0..plan.partitions).map(|number| decisions.partition(number)).collect();
    all.push(dead.partition(0));
    let from = |topic: &TopicName, partition| {
        read.get(&(topic.clone(), partition)).map_or(From::Beginning, |next| From::Offset(*next))
    };
    let starts: Vec<_> = all.into_iter().map(|one| (one.clone(), from(&one.topic, one.partition))).collect();
    let bus = bus()?;
    let mut reader = bus.reader(&starts, Until::Stopped)?;
    while !ends.load(Ordering::Relaxed) {
        let records = reader.read(WAIT)?;
        let mut decided = decided.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, record) in records.iter().enumerate() {
            let is_dead = records.topic(index) == Some(dead.as_str());
            let topic = if is_dead { &dead } else { &decisions };
            read.insert((topic.clone(), record.partition), Offset(record.offset.0 + 1));
            if is_dead {
                decided.dead_letters += 1;
            } else if let Some(value) = record.value {
                decided.count(&codec.decode(value)?);
            }
        }
    }
    Ok(())
}

impl Last {
    /// In words.
    pub(super) fn words(&self, name: impl Fn(Status) -> String) -> String {
        let shown = self.shown.map(&name).unwrap_or_default();
        let on = self.shown.map_or("", |shown| platform(shown.platform()));
        let mut text = match self.reason {
            DecidedAs::Engine(reason) => of_reason(reason, &shown, on),
            other => other.name().to_lowercase().replace('_', " "),
        };
        for status in self.commanded.iter().flatten() {
            text += &format!(" -> {} to {}", platform(status.platform()), name(*status));
        }
        text
    }
}

const fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Salesforce => "Salesforce",
        Platform::Cxone => "CXone",
    }
}

fn of_reason(reason: Reason, shown: &str, on: &str) -> String {
    let fixed = match reason {
        Reason::Choice => return format!("chose it in {on}: {shown}"),
        Reason::ChoiceLost => return format!("chose it in {on}, and the other side wins: {shown}"),
        Reason::Echo => return format!("set by us in {on}: {shown}"),
        Reason::InStep => return format!("in step in {on}: {shown}"),
        Reason::Login => return format!("logged in to {on}, takes over what the other shows"),
        Reason::LogOutWithoutRow => return format!("logged out of {on}"),
        Reason::Contact => return format!("on a contact: {shown}"),
        Reason::AfterContact => return format!("contact over, {shown} again"),
        Reason::SystemState => return format!("{on} put him into {shown}"),
        Reason::Overwritten => return format!("chose it in {on} before we set it: {shown}"),
        Reason::Duplicate | Reason::SameChange => return format!("known already in {on}: {shown}"),
        Reason::StaleView => return format!("old news of {on}: {shown}"),
        Reason::ReEntered => return format!("entered again in {on}: {shown}"),
        Reason::LoggedIn => "logged in to CXone, no state yet",
        Reason::Linked => "linked",
        Reason::AlreadyLinked => "was linked already",
        Reason::NotLinked => "is not linked",
        Reason::Unlinked => "link removed",
        Reason::Forgotten => "forgotten",
        Reason::TeamMoved => "moved to another team",
        Reason::Activated => "other rules in force",
        Reason::Retried => "tried again",
        Reason::Closing | Reason::ClosedEarly | Reason::ClosedLate => "left a status of Salesforce",
        Reason::Connected => "browser connected",
        Reason::Disconnected => "browser gone",
        Reason::StaleEpoch => "an older browser",
        Reason::Outcome(Verdict::Accepted) => "command accepted",
        Reason::Outcome(Verdict::Permanent) => "command refused for good",
        Reason::Outcome(Verdict::Conflict) => "command met a conflict",
        Reason::Outcome(Verdict::Unreachable) => "could not be reached",
        Reason::Outcome(Verdict::Superseded) => "command gave way to a newer one",
        Reason::Outcome(Verdict::Unknown) => "command: what became of it is unknown",
        Reason::DuplicateOutcome => "the outcome is known",
        Reason::UnknownCommand => "of a command long ago",
        Reason::Due(WakeCause::Confirm(_)) => "command without an effect",
        Reason::Due(WakeCause::Grace) => "no other status followed: offline",
        Reason::Due(WakeCause::CoolDown) => "cooled down",
        Reason::StaleWakeUp | Reason::EarlyWakeUp => "nothing is due",
    };
    fixed.to_owned()
}

#[cfg(test)]
mod tests {
    use lockstep::domain::{CxoneStatus, SalesforceStatus};

    use super::*;

    #[test]
    fn what_was_decided_comes_before_what_there_is_less_room_for() {
        let (lunch, offline) =
            (Status::Cxone(CxoneStatus::Available), Status::Salesforce(SalesforceStatus::Offline));
        let last = |reason, shown, commanded| Last { reason: DecidedAs::Engine(reason), shown, commanded };
        let words =
            |last: Last| last.words(|status| if status == lunch { "Lunch" } else { "Offline" }.to_owned());
        for (told, expected) in [
            (
                last(Reason::Choice, Some(offline), [None, Some(lunch)]),
                "chose it in Salesforce: Offline -> CXone to Lunch",
            ),
            (last(Reason::Echo, Some(lunch), [None, None]), "set by us in CXone: Lunch"),
            (last(Reason::Outcome(Verdict::Accepted), None, [None, None]), "command accepted"),
            (
                last(Reason::Activated, None, [Some(offline), None]),
                "other rules in force -> Salesforce to Offline",
            ),
        ] {
            assert_eq!(words(told), expected);
        }
        assert_eq!(
            Last { reason: DecidedAs::PlatformHeld, shown: None, commanded: [None, None] }
                .words(|_| String::new()),
            "platform held"
        );
    }
}
