//! A partition: its agents, what is in force for them, and how far its events were applied.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::agents::{Agents, Place, state_hash};
use super::checkpoint::Checkpoint;
use super::in_force::{Compiled, InForce};
use super::snapshot::Snapshot;
use super::stage::Stage;
use super::syncs::Syncs;
use super::tally::Tally;
use super::wake_ups::WakeUps;
use super::{Error, Now};
use crate::bus::{Offset, Progress, TopicName, Writer};
use crate::codec::{
    Activated, Codec, Commanded, DecidedAs, Decision, Event, EventKind, Order, Set, State, Uuid, What,
};
use crate::directory::agent_id;
use crate::domain::{AgentId, Link, Platform, Team, TimeMs};
use crate::engine::{self, AgentState, Effects, Epoch, Reason, Sequence, Standing, Timer, WakeUp};
use crate::fail;
use crate::rules::Assignment;

/// A partition that was restored, and is worked on.
#[derive(Debug)]
pub(super) struct Worked {
    pub(super) number: u32,
    pub(super) agents: Agents,
    pub(super) in_force: InForce,
    /// The time of the last event: time never runs backwards in a partition.
    pub(super) clock: TimeMs,
    pub(super) engine_version: u16,
    /// The first event that was not applied.
    pub(super) next: Offset,
    pub(super) wake_ups: WakeUps,
    /// Whose state record may be due.
    touched: Vec<Place>,
    /// Whose state record is to be deleted.
    gone: Vec<AgentId>,
    /// Something of it is in the transaction that is open.
    pub(super) is_open: bool,
    pub(super) tally: Tally,
    syncs: Syncs,
    /// The last snapshot that is whole, or will be with the transaction that is open.
    last_snapshot: i64,
    snapshot: Option<Snapshot>,
}

/// What one event did to one agent, on its way into the log.
pub(super) struct Applied {
    effects: Effects,
    agent: AgentId,
    link: Option<Link>,
    assignment: Option<Assignment>,
}

/// Which event it was.
#[derive(Clone, Copy)]
pub(super) struct Happened<'e> {
    pub(super) id: Uuid,
    pub(super) kind: EventKind,
    pub(super) offset: Offset,
    pub(super) now: TimeMs,
    pub(super) shown: Option<engine::Status>,
    pub(super) key: &'e [u8],
}

impl Worked {
    pub(super) fn new(number: u32, next: Offset, checkpoint: &Checkpoint, in_force: InForce) -> Worked {
        Worked {
            number,
            agents: Agents::default(),
            in_force,
            clock: checkpoint.clock,
            engine_version: checkpoint.engine_version,
            next,
            wake_ups: WakeUps::default(),
            touched: Vec::new(),
            gone: Vec::new(),
            is_open: false,
            tally: Tally::default(),
            syncs: Syncs::default(),
            last_snapshot: checkpoint.snapshot,
            snapshot: None,
        }
    }

    /// An agent whose state record was read.
    pub(super) fn restore(&mut self, agent: AgentId, mut state: State<'_>, body: &[u8]) {
        let team = state.team.map(|team| Team { account: state.link.cxone.account, team });
        let assignment = self.in_force.tables.tables.assignment(agent, &state.link, team);
        state.agent.to_mut().assign(assignment);
        let engine_state = Some(state.agent.into_owned());
        let place = self.agents.insert(agent, &state.link, state.team, state.epoch, engine_state);
        self.agents.set_hash(place, state_hash(agent, body));
    }

    /// Arms all timers that the states say are armed.
    pub(super) fn arm_all(&mut self, now: Now) {
        for place in self.agents.places() {
            if let Some((armed, generation)) = self.agents.state(place).and_then(AgentState::timer) {
                let left = self.wake_ups.left(armed.at, self.clock, now.wall);
                self.wake_ups.arm((place, generation), left, now.instant);
            }
        }
    }

    /// Time goes on to when a record was appended.
    pub(super) fn tick(&mut self, appended_at: TimeMs) -> TimeMs {
        self.clock = self.clock.max(appended_at);
        self.wake_ups.behind = self.clock.since(appended_at);
        self.clock
    }

    /// Where the agents of some events are.
    pub(super) fn find(&self, agent: Option<AgentId>) -> Option<Place> {
        self.agents.find(agent?)
    }

    /// Applies an event that is about one agent. `place` is where he was found before; others may have come and gone
    /// since.
    pub(super) fn apply(
        &mut self,
        event: &Event<'_>,
        agent: AgentId,
        place: Option<Place>,
        (at, now): (TimeMs, Now),
    ) -> Applied {
        let place =
            place.filter(|place| self.agents.is_at(*place, agent)).or_else(|| self.agents.find(agent));
        match place {
            Some(place) => self.apply_to(event, place, (at, now)),
            None => self.apply_to_nobody(event, agent, at),
        }
    }

    fn apply_to_nobody(&mut self, event: &Event<'_>, agent: AgentId, at: TimeMs) -> Applied {
        let compiled = Arc::clone(&self.in_force.tables);
        let (mut slot, mut link, mut assignment) = (None, None, None);
        if let What::Linked(linked) = &event.what {
            let team = linked.team.map(|team| Team { account: linked.link.cxone.account, team });
            assignment = compiled.tables.assignment(agent, &linked.link, team);
            link = Some((linked.link, linked.team));
        }
        let effects = match event.for_engine(at, assignment) {
            Some(happened) => engine::apply(&mut slot, &happened, &compiled.tables),
            None => engine::apply(&mut slot, &NOBODY, &compiled.tables),
        };
        if let (Some(_), Some((link, team))) = (&slot, &link) {
            let place = self.agents.insert(agent, link, *team, self.in_force.epoch, slot);
            self.touch(place);
        }
        Applied { effects, agent, link: link.map(|(link, _)| link), assignment }
    }

    fn apply_to(&mut self, event: &Event<'_>, place: Place, (at, now): (TimeMs, Now)) -> Applied {
        let compiled = Arc::clone(&self.in_force.tables);
        let known = self.agents.known(place).copied();
        let link = known.as_ref().and_then(|known| self.agents.link(known));
        let mut moved = None;
        if let (What::TeamMoved(to), Some(known), Some(link)) = (&event.what, known, &link) {
            let team = to.team.map(|team| Team { account: link.cxone.account, team });
            moved = compiled.tables.assignment(known.agent, link, team);
            if let Some(known) = self.agents.known_mut(place) {
                known.team = to.team;
            }
        }
        let mut happened = event.for_engine(at, moved).unwrap_or(NOBODY);
        if let (engine::What::Outcome(outcome), What::Outcome(told)) = (&mut happened.what, &event.what) {
            let issued = self.agents.state(place).and_then(|state| state.command_issued(outcome.command));
            if issued != Some(told.issued) {
                // Numbers begin anew with a new link: this is of a command from before it.
                outcome.command = Sequence::NONE;
            }
        }
        let mut gone_from = None;
        let effects = match self.agents.slot(place) {
            Some(slot) => {
                gone_from = slot.as_ref().and_then(AgentState::assignment);
                engine::apply(slot, &happened, &compiled.tables)
            }
            None => engine::apply(&mut None, &happened, &compiled.tables),
        };
        let agent = known.map_or_else(|| AgentId::from_bytes([0; 16]), |known| known.agent);
        self.syncs.note((place, at), &effects, self.agents.state(place), &mut self.tally);
        if effects.gone {
            if self.agents.remove(agent).is_some_and(|known| known.hash.is_some()) {
                self.gone.push(agent);
            }
            return Applied { effects, agent, link, assignment: gone_from };
        }
        self.touch(place);
        self.set_timer(place, &effects, at, now);
        let assignment = self.agents.state(place).and_then(AgentState::assignment);
        Applied { effects, agent, link, assignment }
    }

    fn set_timer(&mut self, place: Place, effects: &Effects, at: TimeMs, now: Now) {
        if let Some(Timer::Arm { at: due, generation, .. }) = effects.timer {
            let left = match effects.decision.reason {
                Reason::EarlyWakeUp => self.wake_ups.left_of_early(due, at),
                _ => self.wake_ups.left(due, at, now.wall),
            };
            self.wake_ups.arm((place, generation), left, now.instant);
        }
    }

    fn touch(&mut self, place: Place) {
        let epoch = self.in_force.epoch;
        if let Some(known) = self.agents.known_mut(place) {
            known.epoch = epoch;
            if !known.is_touched {
                known.is_touched = true;
                self.touched.push(place);
            }
        }
    }

    /// Writes what was decided for one agent.
    pub(super) fn decide<W: Writer>(
        &mut self,
        happened: &Happened<'_>,
        applied: &Applied,
        stage: &mut Stage<'_, W>,
    ) -> Result<(), Error> {
        let Applied { effects, agent, link, assignment } = applied;
        let rule = self.in_force.tables.rule(*assignment);
        let (place, key) = ((self.number, happened.offset), (*agent, happened.key));
        for command in [&effects.commands.salesforce, &effects.commands.cxone].into_iter().flatten() {
            let order = Order::Set(Set {
                sequence: command.sequence,
                status: command.status,
                issued: command.issued,
                correction: command.correction,
                epoch: self.in_force.epoch,
                rule: rule.filter(|_| command.row.is_some()).map(Cow::Borrowed),
                row: command.row,
            });
            if let Some(link) = link {
                stage.command(place, key, (command.platform(), link), self.engine_version, order)?;
                *self.tally.commands.of_mut(command.platform()) += 1;
            }
        }
        if let (true, Some(link)) = (effects.gone, link) {
            for platform in Platform::ALL {
                stage.command(place, key, (platform, link), self.engine_version, Order::Void)?;
            }
        }
        let reason = DecidedAs::Engine(effects.decision.reason);
        self.tally.decided(reason, effects);
        let decision = Decision {
            agent: Some(*agent),
            rule: rule.map(Cow::Borrowed),
            salesforce_shown: happened.shown.and_then(|status| status.salesforce()),
            cxone_shown: happened.shown.and_then(|status| status.cxone()),
            new_intent: effects.decision.new_intent,
            retargeted: effects.decision.retargeted,
            taken_back: effects.decision.taken_back,
            flapping: effects.decision.flapping,
            salesforce_given_up: effects.decision.diverged.salesforce,
            cxone_given_up: effects.decision.diverged.cxone,
            to_salesforce: effects.commands.salesforce.as_ref().map(Commanded::from),
            to_cxone: effects.commands.cxone.as_ref().map(Commanded::from),
            gone: effects.gone,
            ..self.decision(happened, reason)
        };
        stage.decision(self.number, happened.key, &decision)
    }

    /// Writes what was decided for the partition.
    pub(super) fn decide_for_all<W: Writer>(
        &mut self,
        happened: &Happened<'_>,
        reason: DecidedAs,
        stage: &mut Stage<'_, W>,
    ) -> Result<(), Error> {
        self.tally.decided_for_all(reason);
        stage.decision(self.number, happened.key, &self.decision(happened, reason))
    }

    fn decision(&self, happened: &Happened<'_>, reason: DecidedAs) -> Decision<'static> {
        Decision {
            agent: None,
            event: happened.id,
            event_kind: happened.kind,
            event_offset: happened.offset.0.cast_signed(),
            at: happened.now,
            engine_version: self.engine_version,
            epoch: self.in_force.epoch,
            rule: None,
            reason,
            salesforce_shown: None,
            cxone_shown: None,
            new_intent: false,
            retargeted: false,
            taken_back: false,
            flapping: false,
            salesforce_given_up: None,
            cxone_given_up: None,
            to_salesforce: None,
            to_cxone: None,
            gone: false,
        }
    }

    /// A revision takes effect for all agents. Nothing of this partition may be in the transaction yet: whether a state
    /// has changed is told by its last record.
    pub(super) fn activate<W: Writer>(
        &mut self,
        happened: &Happened<'_>,
        activated: &Activated<'_>,
        compiled: Arc<Compiled>,
        (stage, now): (&mut Stage<'_, W>, Now),
    ) -> Result<(), Error> {
        let revision = Some((activated.revision, activated.manifest_hash));
        self.in_force = InForce { epoch: activated.epoch, revision, tables: compiled };
        self.decide_for_all(happened, DecidedAs::Engine(Reason::Activated), stage)?;
        let compiled = Arc::clone(&self.in_force.tables);
        for place in self.agents.places() {
            let Some(known) = self.agents.known(place).copied() else { continue };
            let Some(link) = self.agents.link(&known) else { continue };
            let assignment = compiled.tables.assignment(known.agent, &link, known.team_of(&link));
            let event = engine::Event { now: happened.now, what: engine::What::Activated { assignment } };
            let Some(slot) = self.agents.slot(place) else { continue };
            let effects = engine::apply(slot, &event, &compiled.tables);
            self.set_timer(place, &effects, happened.now, now);
            self.syncs.note((place, happened.now), &effects, self.agents.state(place), &mut self.tally);
            let key = known.agent.text();
            let is_told = effects.decision.retargeted
                || effects.commands.salesforce.is_some()
                || effects.commands.cxone.is_some();
            if is_told {
                let happened = Happened { key: &key, ..*happened };
                let applied = Applied { effects, agent: known.agent, link: Some(link), assignment };
                self.decide(&happened, &applied, stage)?;
            }
            let is_same = self.state_of(place).is_none_or(|(known, state)| {
                let body = stage.state_body(&state);
                body.is_ok_and(|body| {
                    Some(state_hash(known, body)) == self.agents.known(place).and_then(|k| k.hash)
                })
            });
            if !is_same {
                self.touch(place);
            }
            fail::point("amid an activation");
        }
        Ok(())
    }

    /// The state record of an agent.
    pub(super) fn state_of(&self, place: Place) -> Option<(AgentId, State<'_>)> {
        let known = self.agents.known(place)?;
        let agent = Cow::Borrowed(self.agents.state(place)?);
        let link = self.agents.link(known)?;
        Some((known.agent, State { link, team: known.team, epoch: known.epoch, agent }))
    }

    /// Writes timers that are due as events of this partition, and tells how many: so many at the most.
    pub(super) fn wake<W: Writer>(
        &mut self,
        now: Now,
        most: usize,
        stage: &mut Stage<'_, W>,
    ) -> Result<usize, Error> {
        let mut woken = 0;
        while woken < most
            && let Some(due) = self.wake_ups.pop(now.instant)
        {
            let Some(known) = self.agents.known(due.place).copied() else { continue };
            let timer = self.agents.state(due.place).and_then(AgentState::timer);
            let Some((armed, generation)) = timer.filter(|(_, generation)| generation.0 == due.generation)
            else {
                continue;
            };
            self.is_open = true;
            let name = stage.name;
            let event = Event {
                id: wake_up_id(known.agent, armed.at, generation.0),
                agent: Some(known.agent),
                account: None,
                written_at: now.wall,
                writer: Cow::Borrowed(name),
                engine_version: self.engine_version,
                what: What::WakeUp(WakeUp { cause: armed.cause, generation }),
            };
            stage.event(self.number, &known.agent.text(), &event)?;
            self.tally.wake_ups += 1;
            woken += 1;
        }
        Ok(woken)
    }

    /// Writes the states that have changed, once each.
    pub(super) fn write_states<W: Writer>(&mut self, stage: &mut Stage<'_, W>) -> Result<(), Error> {
        for agent in self.gone.drain(..) {
            stage.no_state(self.number, &agent.text())?;
        }
        let mut touched = std::mem::take(&mut self.touched);
        for ahead in touched.chunks(super::AHEAD) {
            std::hint::black_box(self.agents.touch(ahead.iter().copied()));
            for place in ahead {
                self.write_state(*place, stage)?;
            }
        }
        touched.clear();
        self.touched = touched;
        self.tally.agents = self.agents.len();
        Ok(())
    }

    fn write_state<W: Writer>(&mut self, place: Place, stage: &mut Stage<'_, W>) -> Result<(), Error> {
        let Some(known) = self.agents.known_mut(place) else { return Ok(()) };
        if !std::mem::take(&mut known.is_touched) {
            return Ok(());
        }
        let Some((agent, state)) = self.state_of(place) else { return Ok(()) };
        let hash = state_hash(agent, stage.state_body(&state)?);
        if self.agents.set_hash(place, hash) {
            stage.state(self.number, &agent.text())?;
            self.tally.states += 1;
        }
        Ok(())
    }

    /// How far it is, for the transaction.
    pub(super) fn progress(&self, events: &TopicName) -> Progress {
        let checkpoint = Checkpoint {
            hash: self.agents.hash(),
            clock: self.clock,
            engine_version: self.engine_version,
            epoch: self.in_force.epoch,
            revision: self.in_force.revision,
            snapshot: self.last_snapshot,
        };
        Progress {
            partition: events.partition(self.number),
            next: self.next,
            metadata: checkpoint.to_string(),
        }
    }

    /// Adds the next part of a snapshot to the transaction, where one is due.
    pub(super) fn write_snapshot<W: Writer>(&mut self, stage: &mut Stage<'_, W>) -> Result<(), Error> {
        let Some(mut snapshot) = self.snapshot.take() else { return Ok(()) };
        if snapshot.write(self.number, stage)? {
            self.last_snapshot = snapshot.number;
        } else {
            self.snapshot = Some(snapshot);
        }
        Ok(())
    }

    /// Whether a part of a snapshot waits to be written.
    pub(super) const fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// What was in the transaction is committed. A snapshot that is due is taken now: memory is what is in the log.
    pub(super) fn committed(&mut self, codec: &Codec, snapshot_interval: Duration) -> Result<(), Error> {
        self.is_open = false;
        let interval_ms = i64::try_from(snapshot_interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let number = self.clock.as_unix_ms() / interval_ms;
        if number > self.last_snapshot && self.snapshot.is_none() && self.agents.len() > 0 {
            self.snapshot = Some(Snapshot::of(self, codec, number)?);
        }
        let agents = &self.agents;
        let armed = |due: &super::wake_ups::Due| {
            let timer = agents.state(due.place).and_then(AgentState::timer);
            timer.is_some_and(|(_, generation)| generation.0 == due.generation)
        };
        // Nobody is armed twice.
        self.wake_ups.sweep(agents.len(), armed);
        Ok(())
    }

    /// How many agents stand so to their target on a platform.
    pub(super) fn standings(&self) -> BTreeMap<(Platform, Standing), u64> {
        let all =
            Platform::ALL.into_iter().flat_map(|platform| Standing::ALL.map(|one| ((platform, one), 0)));
        let mut counts: BTreeMap<(Platform, Standing), u64> = all.collect();
        for state in self.agents.places().filter_map(|place| self.agents.state(place)) {
            for one in state.standings() {
                *counts.entry(one).or_default() += 1;
            }
        }
        counts
    }

    /// Whether an activation is to take effect, or one above it is in force.
    pub(super) fn is_superseded(&self, epoch: Epoch) -> bool {
        epoch <= self.in_force.epoch
    }
}

/// What is applied in place of an event that is no agent's: it changes nothing.
const NOBODY: engine::Event = engine::Event { now: TimeMs::ZERO, what: engine::What::Outcome(NO_OUTCOME) };
const NO_OUTCOME: engine::Outcome = engine::Outcome {
    platform: Platform::Salesforce,
    command: Sequence::NONE,
    verdict: engine::Verdict::Unknown,
};

/// Whether a link makes just this agent.
pub(super) fn is_of(link: &Link, agent: AgentId) -> bool {
    agent_id(link) == agent
}

/// The same arming has the same id, whoever writes it.
fn wake_up_id(agent: AgentId, at: TimeMs, generation: u32) -> Uuid {
    let seed = |number: u64| state_hash(agent, &number.to_be_bytes());
    let (high, low) = (seed(at.as_unix_ms().cast_unsigned()), seed(u64::from(generation) << 32 | 1));
    let number = u128::from(high ^ low.rotate_left(17)) << 64 | u128::from(low);
    let version_8 = number & !(0xf << 76) & !(0x3 << 62) | 0x8 << 76 | 0x2 << 62;
    Uuid(version_8.to_be_bytes())
}
