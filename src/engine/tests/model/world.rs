//! The two platforms, what is under way between them and the engine, and every step that may come next.

use super::class::{self, Class};
use super::properties::{COMMANDS_MAX, CORRECTIONS_MAX};
use super::shift::{self, Gather, NOW, Visit};
use super::{Budget, Closed};
use crate::domain::{
    Both, Cause, ContactState, CxoneStatus, DurationMs, Platform, RowId, SalesforceStatus, TimeMs,
};
use crate::engine::*;

/// The most that may be under way: what would bring more has to wait.
pub(super) const UNDER_WAY_MAX: usize = 4;

/// The steps that time takes, in seconds; the fifth, 0, is no step.
pub(super) const WAITS: [u8; 4] = [1, 6, 31, 121];

/// Longer than a matched command is kept.
const REST: DurationMs = DurationMs::from_seconds(16 * 60);

/// What was sent over a feed of Salesforce, and can overtake all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Mail {
    Row { row: RowId, status: SalesforceStatus, since: TimeMs },
    Console { status: SalesforceStatus, since: TimeMs, cause: Cause },
    Close { row: RowId, at: TimeMs },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Salesforce {
    pub(super) status: SalesforceStatus,
    pub(super) row: RowId,
    pub(super) since: TimeMs,
    /// When the last row was closed, while he is offline.
    pub(super) ended: Option<TimeMs>,
    /// Something was lost: the next snapshot will show.
    pub(super) owes_snapshot: bool,
    pub(super) mail: Vec<Mail>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cxone {
    /// What he is in, but for a contact.
    pub(super) status: CxoneStatus,
    pub(super) contact: Option<CxoneStatus>,
    pub(super) since: TimeMs,
    pub(super) queued: Option<CxoneStatus>,
    /// The feed has told what is shown now.
    pub(super) is_published: bool,
    /// What was polled and is no longer shown, in its order.
    pub(super) polled: Vec<(CxoneStatus, TimeMs)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    pub(super) sequence: Sequence,
    pub(super) status: Status,
}

/// The commands to one platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Sink {
    /// The newest that was not sent.
    pub(super) waiting: Option<Order>,
    /// Accepted, and still to take effect.
    pub(super) late: Option<Order>,
    /// Outcomes on their way back, in their order.
    pub(super) outcomes: Vec<(Sequence, Verdict)>,
}

/// What only the properties look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ghost {
    /// Commands since the last change of all.
    pub(super) commands: u8,
    /// Corrections in a row since then.
    pub(super) corrections: Both<u8>,
    pub(super) gave_up: bool,
    /// All has been quiet for longer than the windows of 5 s within which the law lets another choice or an echo
    /// count instead, and one change is left.
    pub(super) is_calm: bool,
    /// The platforms on which a person changed something.
    pub(super) changed: Both<bool>,
    /// The last choice of all, if it was made in such a calm, or on the only platform that was changed.
    pub(super) clear: Option<Status>,
    /// No poll showed what was between this contact and the one before.
    pub(super) is_joined: bool,
    /// What he last chose in CXone, if that is beyond doubt.
    pub(super) previous: Option<CxoneStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) slot: Option<AgentState>,
    pub(super) now: TimeMs,
    pub(super) salesforce: Salesforce,
    pub(super) cxone: Cxone,
    pub(super) sinks: Both<Sink>,
    pub(super) left: Budget,
    pub(super) ghost: Ghost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Answered as accepted, never done.
    Swallowed,
    /// No answer, never done.
    Lost,
    /// No answer, but done.
    Unanswered,
    /// Answered as accepted, done later.
    Late,
}

/// `polled`: CXone's feed saw what is now overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Choose { status: Status, polled: bool },
    BeginContact { polled: bool },
    EndContact { polled: bool },
    Read(Mail),
    ReadAndKeep(Mail),
    Lose(Mail),
    Snapshot(Platform),
    Poll,
    Do { platform: Platform, polled: bool },
    DoLate { platform: Platform, polled: bool },
    Fail { platform: Platform, failure: Failure, polled: bool },
    Answer(Platform),
    Wait(u8),
    WakeUp,
    Rest,
}

/// What was so before the engine was told.
pub(super) struct Before {
    /// The platform of the intent, where the other one had not caught up with it.
    pub(super) contested: Option<Platform>,
}

/// Hears what the engine was told, and what it did.
pub(super) trait Listen {
    fn hear(&mut self, before: &Before, what: &What, effects: &Effects);
}

impl World {
    /// Both platforms have been in step for long.
    pub(super) fn new(closed: &Closed, budget: Budget) -> World {
        let class = &closed.class;
        let (status, ours) = (class::salesforce(class.start.0), class::cxone(class.start.1));
        let since = NOW - REST;
        let row = closed.row(0);
        let mut world = World {
            slot: None,
            now: since,
            salesforce: Salesforce {
                status,
                row,
                since,
                ended: None,
                owes_snapshot: false,
                mail: Vec::new(),
            },
            cxone: Cxone {
                status: ours,
                contact: None,
                since,
                queued: None,
                is_published: false,
                polled: Vec::new(),
            },
            sinks: Both::default(),
            left: Budget { changes: u8::MAX, ..budget },
            ghost: Ghost::default(),
        };
        world.decide(What::Linked(closed.membership), closed, &mut Deaf);
        world.poll(closed, &mut Deaf);
        world.now = NOW;
        world.salesforce.since = NOW;
        world.read(Mail::Row { row, status, since: NOW }, closed, &mut Deaf);
        world.ghost.previous = Some(ours).filter(|_| class.has_previous());
        world.left = budget;
        world.normalise(closed);
        world
    }

    pub(super) fn under_way(&self) -> usize {
        let sink = |sink: &Sink| {
            usize::from(sink.waiting.is_some()) + usize::from(sink.late.is_some()) + sink.outcomes.len()
        };
        self.salesforce.mail.len()
            + usize::from(self.salesforce.owes_snapshot)
            + self.cxone.polled.len()
            + usize::from(!self.cxone.is_published)
            + sink(&self.sinks.salesforce)
            + sink(&self.sinks.cxone)
    }

    /// Nothing can happen any more but by a person.
    pub(super) fn is_quiet(&self) -> bool {
        self.under_way() == 0 && self.armed().is_none()
    }

    fn armed(&self) -> Option<(TimeMs, WakeUp)> {
        let state = self.slot.as_ref()?;
        let armed = state.armed()?;
        Some((armed.at, WakeUp { cause: armed.cause, generation: state.generation }))
    }

    /// Every step that may come next; some turn out to bring too much under way.
    pub(super) fn actions(&self, class: &Class, actions: &mut Vec<Action>) {
        let polls: &[bool] = if self.cxone.is_published { &[false] } else { &[true, false] };
        if self.left.changes > 0 {
            self.changes(class, polls, actions);
        }
        if self.cxone.contact.is_some() {
            actions.extend(polls.iter().map(|polled| Action::EndContact { polled: *polled }));
        }
        self.feeds(actions);
        for platform in Platform::ALL {
            self.commands(platform, polls, actions);
        }
        let nothing_under_way = self.under_way() == 0;
        match self.armed() {
            Some((at, _)) if nothing_under_way || at <= self.now => actions.push(Action::WakeUp),
            _ => {}
        }
        let may_go_on = self.left.changes > 0;
        if self.left.waits > 0 && (may_go_on || !self.is_quiet()) {
            actions.extend(WAITS.map(Action::Wait));
        }
        if may_go_on && self.is_quiet() {
            actions.push(Action::Rest);
        }
    }

    fn changes(&self, class: &Class, polls: &[bool], actions: &mut Vec<Action>) {
        for name in class.salesforce {
            let status = class::salesforce(name);
            if status != self.salesforce.status {
                actions.push(Action::Choose { status: Status::Salesforce(status), polled: false });
            }
        }
        if self.cxone.contact.is_some() {
            return;
        }
        for polled in polls.iter().copied() {
            if self.cxone.status.is_off() {
                actions.push(Action::Choose { status: Status::Cxone(CxoneStatus::Unavailable), polled });
                continue;
            }
            for status in class.cxone.iter().map(|name| class::cxone(name)) {
                if status != self.cxone.status {
                    actions.push(Action::Choose { status: Status::Cxone(status), polled });
                }
            }
            if class.contacts {
                actions.push(Action::BeginContact { polled });
            }
        }
    }

    fn feeds(&self, actions: &mut Vec<Action>) {
        for (i, mail) in self.salesforce.mail.iter().enumerate() {
            if i > 0 && self.salesforce.mail.get(i - 1) == Some(mail) {
                continue;
            }
            actions.push(Action::Read(*mail));
            if self.left.duplicates > 0 {
                actions.push(Action::ReadAndKeep(*mail));
            }
            if self.left.losses > 0 {
                actions.push(Action::Lose(*mail));
            }
        }
        if self.salesforce.owes_snapshot || self.left.duplicates > 0 {
            actions.push(Action::Snapshot(Platform::Salesforce));
        }
        if !self.cxone.is_published || !self.cxone.polled.is_empty() {
            actions.push(Action::Poll);
        } else if self.left.duplicates > 0 {
            actions.push(Action::Snapshot(Platform::Cxone));
        }
    }

    fn commands(&self, platform: Platform, polls: &[bool], actions: &mut Vec<Action>) {
        let polls = if platform == Platform::Cxone { polls } else { &[false] };
        let sink = self.sinks.of(platform);
        if !sink.outcomes.is_empty() {
            actions.push(Action::Answer(platform));
        }
        for polled in polls.iter().copied() {
            if sink.late.is_some() {
                actions.push(Action::DoLate { platform, polled });
            }
            if sink.waiting.is_none() {
                continue;
            }
            actions.push(Action::Do { platform, polled });
            if self.left.losses > 0 {
                actions.push(Action::Fail { platform, failure: Failure::Unanswered, polled });
            }
        }
        if sink.waiting.is_some() && self.left.losses > 0 {
            for failure in [Failure::Swallowed, Failure::Lost, Failure::Late] {
                actions.push(Action::Fail { platform, failure, polled: false });
            }
        }
    }

    /// What comes of a step; `None` where it would bring too much under way.
    pub(super) fn step(&self, action: Action, closed: &Closed, listen: &mut impl Listen) -> Option<World> {
        let mut next = self.clone();
        let lasts = matches!(action, Action::Wait(6..) | Action::Rest);
        next.ghost.is_calm = lasts && self.is_quiet() && self.left.changes == 1;
        match action {
            Action::Choose { status, polled } => next.choose(status, polled, self.ghost.is_calm, closed),
            Action::BeginContact { polled } => {
                next.person(None, false);
                next.ghost.is_joined = !polled && !next.cxone.is_published;
                next.overwrite(polled);
                next.cxone.contact = Some(CxoneStatus::Contact(ContactState::InboundContact));
            }
            Action::EndContact { polled } => next.end_contact(polled),
            Action::Read(mail) | Action::ReadAndKeep(mail) | Action::Lose(mail) => {
                next.mail(action, mail, closed, listen);
            }
            Action::Snapshot(platform) => {
                if platform == Platform::Salesforce && next.salesforce.owes_snapshot {
                    next.salesforce.owes_snapshot = false;
                } else {
                    next.left.duplicates -= 1;
                }
                next.snapshot(platform, closed, listen);
            }
            Action::Poll => next.poll(closed, listen),
            Action::Do { platform, polled } => next.send(platform, None, polled, closed),
            Action::DoLate { platform, polled } => {
                let order = next.sinks.of_mut(platform).late.take()?;
                // What takes effect long after it was answered is by the law no echo, but a choice.
                next.ghost.clear = None;
                next.ghost.changed = Both { salesforce: true, cxone: true };
                next.take_effect(order, polled, closed);
            }
            Action::Fail { platform, failure, polled } => {
                next.left.losses -= 1;
                next.send(platform, Some(failure), polled, closed);
            }
            Action::Answer(platform) => {
                let (command, verdict) = next.sinks.of_mut(platform).outcomes.remove(0);
                next.decide(What::Outcome(Outcome { platform, command, verdict }), closed, listen);
            }
            Action::Wait(_) | Action::WakeUp | Action::Rest => next.pass_time(action, closed, listen)?,
        }
        let brings = matches!(
            action,
            Action::Choose { .. }
                | Action::BeginContact { .. }
                | Action::EndContact { .. }
                | Action::ReadAndKeep(_)
                | Action::Do { .. }
                | Action::DoLate { .. }
                | Action::Fail { .. }
        );
        if brings && next.under_way() > UNDER_WAY_MAX && next.under_way() > self.under_way() {
            return None;
        }
        next.normalise(closed);
        Some(next)
    }

    fn pass_time(&mut self, action: Action, closed: &Closed, listen: &mut impl Listen) -> Option<()> {
        match action {
            Action::Wait(seconds) => {
                self.left.waits -= 1;
                self.now = self.now + DurationMs::from_seconds(i64::from(seconds));
            }
            Action::WakeUp => {
                let (at, wake_up) = self.armed()?;
                // A row later than the grace: by the law he has logged out meanwhile.
                if wake_up.cause == WakeCause::Grace && !self.salesforce.status.is_off() {
                    self.ghost.clear = None;
                    self.ghost.changed.salesforce = true;
                }
                self.now = self.now.max(at);
                self.decide(What::WakeUp(wake_up), closed, listen);
            }
            Action::Rest => {
                self.now = self.now + REST;
                self.snapshot(Platform::Cxone, closed, listen);
                self.snapshot(Platform::Salesforce, closed, listen);
            }
            _ => {}
        }
        Some(())
    }

    fn mail(&mut self, action: Action, mail: Mail, closed: &Closed, listen: &mut impl Listen) {
        match action {
            Action::Read(_) => {
                self.drop_mail(mail);
                self.read(mail, closed, listen);
            }
            Action::ReadAndKeep(_) => {
                self.left.duplicates -= 1;
                self.read(mail, closed, listen);
            }
            Action::Lose(_) => {
                self.left.losses -= 1;
                self.drop_mail(mail);
                self.salesforce.owes_snapshot = true;
                // What cannot be known: overwritten before, and now no feed shows it.
                self.ghost.clear =
                    self.ghost.clear.filter(|c| *c == Status::Salesforce(self.salesforce.status));
            }
            _ => {}
        }
    }

    pub(super) fn decide(&mut self, what: What, closed: &Closed, listen: &mut impl Listen) {
        let contested = self.slot.as_ref().and_then(|state| {
            let platform = state.intent_platform()?;
            (!state.is_caught_up(platform.other())).then_some(platform)
        });
        let effects = closed.apply(&mut self.slot, &Event { now: self.now, what });
        listen.hear(&Before { contested }, &what, &effects);
        let diverged = effects.decision.diverged;
        self.ghost.gave_up |= diverged.salesforce.is_some() || diverged.cxone.is_some();
        for command in effects.commands.into_array().into_iter().flatten() {
            if self.left.changes == 0 {
                self.ghost.commands = (self.ghost.commands + 1).min(COMMANDS_MAX + 1);
                let corrections = self.ghost.corrections.of_mut(command.platform());
                *corrections =
                    if command.correction { (*corrections + 1).min(CORRECTIONS_MAX + 1) } else { 0 };
            }
            let sink = self.sinks.of_mut(command.platform());
            let order = Order { sequence: command.sequence, status: command.status };
            if let Some(old) = sink.waiting.replace(order) {
                sink.outcomes.push((old.sequence, Verdict::Superseded));
            }
        }
    }

    /// How many rows are in use: the next is a new one.
    pub(super) fn rows_used(&mut self, closed: &Closed) -> usize {
        let mut gather = Gather::default();
        self.visit(&mut gather);
        usize::from(gather.renumber(self.now, closed.rows()).next_row())
    }

    fn normalise(&mut self, closed: &Closed) {
        if let Some(state) = &mut self.slot {
            shift::forget_times(state);
        }
        let mut gather = Gather::default();
        self.visit(&mut gather);
        let mut renumber = gather.renumber(self.now, closed.rows());
        self.visit(&mut renumber);
        if let Some(state) = &mut self.slot {
            shift::forget_names(state, &mut renumber);
        }
        self.now = NOW;
        self.salesforce.mail.sort_unstable();
    }

    fn visit(&mut self, visit: &mut impl Visit) {
        let World { slot, now: _, salesforce, cxone, sinks, left: _, ghost: _ } = self;
        slot.iter_mut().for_each(|state| shift::agent(state, visit));
        let Salesforce { status: _, row, since, ended, owes_snapshot: _, mail } = salesforce;
        visit.row(row);
        visit.time(since);
        ended.iter_mut().for_each(|time| visit.time(time));
        for mail in mail {
            match mail {
                Mail::Row { row, status: _, since: time } | Mail::Close { row, at: time } => {
                    visit.row(row);
                    visit.time(time);
                }
                Mail::Console { status: _, since, cause: _ } => visit.time(since),
            }
        }
        let Cxone { status: _, contact: _, since, queued: _, is_published: _, polled } = cxone;
        visit.time(since);
        polled.iter_mut().for_each(|(_, since)| visit.time(since));
        for Sink { waiting, late, outcomes } in [&mut sinks.salesforce, &mut sinks.cxone] {
            waiting.iter_mut().chain(late).for_each(|order| visit.sequence(&mut order.sequence));
            outcomes.iter_mut().for_each(|(sequence, _)| visit.sequence(sequence));
        }
    }
}

/// Hears nothing.
struct Deaf;

impl Listen for Deaf {
    fn hear(&mut self, _: &Before, _: &What, _: &Effects) {}
}
