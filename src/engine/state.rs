//! What the engine remembers of an agent: bounded, whatever happens to him, and small, for there may be a hundred
//! thousand of him in a process. What he has only while something is going on is in a box ([`Busy`]).

use crate::domain::{Both, CxoneStatus, DurationMs, Platform, RowId, SalesforceStatus, TimeMs};
use crate::rules::{Assignment, Settings};

use super::Status;
use super::busy::{Busy, Contact, EarlyClose, Far, PendingClose, Rare, Replaced, Waiting};
use super::flapping::Flapping;
use super::kept::{Apart, Generation, Intent, Observed, Offset, ROWS_KEPT, Sequence};
use super::ring::{Entry, Ring};
use super::timer::Armed;

/// An intent as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Choice {
    status: Status,
    since: TimeMs,
    offset: Offset,
    /// How many ms before it the intent that it replaced began; it saturates at 49 days.
    before: [u8; 4],
}

/// What a platform shows and should show, in its own kind of status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Side<S> {
    pub(super) shown: Option<S>,
    pub(super) since_raw: TimeMs,
    pub(super) offset: Offset,
    /// The target at the last event: when it changes, what lapsed is forgotten.
    pub(super) target: Option<S>,
}

impl<S> Side<S> {
    const EMPTY: Side<S> = Side { shown: None, since_raw: TimeMs::ZERO, offset: Offset::ZERO, target: None };
}

/// What is true or not of an agent, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Flags([u8; 2]);

impl Flags {
    /// For Salesforce; CXone's is the next.
    pub(super) const OURS: u16 = 1;
    pub(super) const REACHABLE: u16 = 1 << 2;
    pub(super) const CAUGHT_UP: u16 = 1 << 4;
    /// The rows are so far apart that they are in the box.
    pub(super) const ROWS_BOXED: u16 = 1 << 6;
    pub(super) const EPOCH: u16 = 1 << 7;
    pub(super) const EPOCH_BOXED: u16 = 1 << 8;
    pub(super) const AT_LOGIN: u16 = 1 << 9;
    /// From here on the place of the observed row among the rows, from 1; 0 is none, and the last is the box.
    pub(super) const ROW_SHIFT: u32 = 10;
    pub(super) const ROW_BOXED: u16 = ROWS_KEPT as u16 + 1;

    pub(super) const fn has(self, flag: u16) -> bool {
        u16::from_ne_bytes(self.0) & flag != 0
    }

    pub(super) const fn set(&mut self, flag: u16, is_set: bool) {
        let bits = u16::from_ne_bytes(self.0);
        self.0 = if is_set { bits | flag } else { bits & !flag }.to_ne_bytes();
    }

    pub(super) const fn row(self) -> u16 {
        u16::from_ne_bytes(self.0) >> Self::ROW_SHIFT
    }

    pub(super) const fn set_row(&mut self, row: u16) {
        let others = u16::from_ne_bytes(self.0) & ((1 << Self::ROW_SHIFT) - 1);
        self.0 = (others | row << Self::ROW_SHIFT).to_ne_bytes();
    }

    pub(super) const fn of(flag: u16, platform: Platform) -> u16 {
        flag << platform as u16
    }
}

/// What the engine remembers of an agent: two lines of a cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[repr(align(64))]
pub struct AgentState {
    pub(super) busy: Option<Box<Busy>>,
    pub(super) assignment: Option<Assignment>,
    pub(super) generation: Generation,
    pub(super) issued: Sequence,
    pub(super) choice: Option<Choice>,
    pub(super) salesforce: Side<SalesforceStatus>,
    pub(super) cxone: Side<CxoneStatus>,
    /// The settable CXone status he last chose, or else the first one seen.
    pub(super) previous: Option<CxoneStatus>,
    /// The newest row taken, and how far before it in number the others are. Zero is none.
    pub(super) row: [u8; 12],
    pub(super) rows: [Apart; ROWS_KEPT - 1],
    pub(super) epoch: [u8; 6],
    pub(super) flags: Flags,
}

impl AgentState {
    pub(super) const fn new(assignment: Option<Assignment>) -> Self {
        AgentState {
            busy: None,
            assignment,
            generation: Generation(0),
            issued: Sequence(0),
            choice: None,
            salesforce: Side::EMPTY,
            cxone: Side::EMPTY,
            previous: None,
            row: [0; 12],
            rows: [Apart::NONE; ROWS_KEPT - 1],
            epoch: [0; 6],
            flags: Flags([0; 2]),
        }
    }

    /// The table that holds for the agent, where the state was read again and the revision in force is known.
    pub const fn assign(&mut self, assignment: Option<Assignment>) {
        self.assignment = assignment;
    }

    /// The table that holds for the agent.
    pub const fn assignment(&self) -> Option<Assignment> {
        self.assignment
    }

    /// The bytes it takes in memory, all of it.
    pub fn bytes(&self) -> usize {
        size_of::<Option<Self>>() + self.busy.as_ref().map_or(0, |busy| busy.bytes())
    }

    /// Whether nothing is going on, so that there is nothing to wait for.
    pub const fn is_at_rest(&self) -> bool {
        self.busy.is_none()
    }

    /// When the command of this number was issued, where it is still remembered: an outcome that names another time is of
    /// a command of an earlier link.
    pub fn command_issued(&self, command: Sequence) -> Option<TimeMs> {
        self.busy.as_deref()?.ring.get(command).map(|entry| entry.issued)
    }

    /// His timer, where one is armed.
    pub fn timer(&self) -> Option<(Armed, Generation)> {
        self.armed().map(|armed| (armed, self.generation))
    }

    /// Reads a little of every part, so that all of it is near when [`super::apply`] needs it. Whoever has many events
    /// at hand does this for the next few of them: memory is asked for all of them at once. What is read says nothing.
    pub fn touch(&self) -> u8 {
        let boxed = self.busy.as_deref().map_or(0, Busy::touch);
        let Flags([a, b]) = self.flags;
        let [c, ..] = self.row;
        boxed
            ^ a
            ^ b
            ^ c
            ^ self.choice.is_some() as u8
            ^ self.cxone.shown.is_some() as u8
            ^ self.issued.0 as u8
    }

    /// The agent's last choice.
    pub(super) fn intent(&self) -> Option<Intent> {
        let Choice { status, since, offset, before } = self.choice?;
        let floor = since - DurationMs::from_ms(u32::from_ne_bytes(before).into());
        Some(Intent { status, since, offset, floor, at_login: self.flags.has(Flags::AT_LOGIN) })
    }

    pub(super) fn set_intent(&mut self, intent: Option<Intent>) {
        self.flags.set(Flags::AT_LOGIN, intent.is_some_and(|intent| intent.at_login));
        self.choice = intent.map(|Intent { status, since, offset, floor, .. }| {
            let before = since.since(floor).as_ms().clamp(0, u32::MAX.into()) as u32;
            Choice { status, since, offset, before: before.to_ne_bytes() }
        });
    }

    /// Where the intent was chosen.
    pub(super) fn intent_platform(&self) -> Option<Platform> {
        self.choice.map(|choice| choice.status.platform())
    }

    /// What a platform shows.
    pub(super) fn observed(&self, platform: Platform) -> Option<Observed> {
        let ours = self.flags.has(Flags::of(Flags::OURS, platform));
        match platform {
            Platform::Salesforce => {
                let Side { shown, since_raw, offset, .. } = self.salesforce;
                let status = Status::Salesforce(shown?);
                Some(Observed { status, since_raw, offset, row: self.observed_row(), ours })
            }
            Platform::Cxone => {
                let Side { shown, since_raw, offset, .. } = self.cxone;
                let status = Status::Cxone(shown?);
                Some(Observed { status, since_raw, offset, row: None, ours })
            }
        }
    }

    /// Whether it ever showed anything.
    pub(super) fn is_observed(&self, platform: Platform) -> bool {
        match platform {
            Platform::Salesforce => self.salesforce.shown.is_some(),
            Platform::Cxone => self.cxone.shown.is_some(),
        }
    }

    pub(super) fn observed_row(&self) -> Option<RowId> {
        match self.flags.row() {
            0 => None,
            Flags::ROW_BOXED => self.rare().and_then(|rare| rare.row),
            place => self.rows().get(usize::from(place) - 1).copied().flatten(),
        }
    }

    /// A platform shows something else now, and with it a row is taken.
    pub(super) fn take(&mut self, observed: Observed) {
        self.push_row(observed.row);
        self.observe(observed.status.platform(), Some(observed));
    }

    /// A platform shows something else now; nothing, where that is unknown again.
    pub(super) fn observe(&mut self, platform: Platform, observed: Option<Observed>) {
        let since_raw = observed.map_or(TimeMs::ZERO, |observed| observed.since_raw);
        let offset = observed.map_or_else(Offset::default, |observed| observed.offset);
        self.flags.set(Flags::of(Flags::OURS, platform), observed.is_some_and(|observed| observed.ours));
        match platform {
            Platform::Salesforce => {
                let shown = observed.and_then(|observed| observed.status.salesforce());
                self.salesforce = Side { shown, since_raw, offset, ..self.salesforce };
                self.set_observed_row(observed.and_then(|observed| observed.row));
            }
            Platform::Cxone => {
                let shown = observed.and_then(|observed| observed.status.cxone());
                self.cxone = Side { shown, since_raw, offset, ..self.cxone };
            }
        }
    }

    pub(super) fn set_observed_row(&mut self, row: Option<RowId>) {
        let place = match row {
            None => 0,
            Some(row) if row.id().into_bytes() == self.row => 1,
            Some(_) => {
                (1..).zip(self.rows()).find(|(_, r)| *r == row).map_or(Flags::ROW_BOXED, |(place, _)| place)
            }
        };
        if place == Flags::ROW_BOXED || self.flags.row() == Flags::ROW_BOXED {
            self.rare_mut().row = row.filter(|_| place == Flags::ROW_BOXED);
        }
        self.flags.set_row(place);
    }

    /// What a platform counts as showing: CXone during a contact what it showed before.
    pub(super) fn shown(&self, platform: Platform) -> Option<Status> {
        match platform {
            Platform::Salesforce => self.salesforce.shown.map(Status::Salesforce),
            Platform::Cxone => match self.contact() {
                Some(contact) => contact.before.map(Status::Cxone),
                None => self.cxone.shown.map(Status::Cxone),
            },
        }
    }

    /// The target at the last event.
    pub(super) fn target(&self, platform: Platform) -> Option<Status> {
        match platform {
            Platform::Salesforce => self.salesforce.target.map(Status::Salesforce),
            Platform::Cxone => self.cxone.target.map(Status::Cxone),
        }
    }

    pub(super) fn set_target(&mut self, platform: Platform, target: Option<Status>) {
        match platform {
            Platform::Salesforce => self.salesforce.target = target.and_then(Status::salesforce),
            Platform::Cxone => self.cxone.target = target.and_then(Status::cxone),
        }
    }

    pub(super) fn is_reachable(&self, platform: Platform) -> bool {
        self.flags.has(Flags::of(Flags::REACHABLE, platform))
    }

    pub(super) fn set_reachable(&mut self, platform: Platform, is_reachable: bool) {
        self.flags.set(Flags::of(Flags::REACHABLE, platform), is_reachable);
    }

    /// It was seen reachable.
    pub(super) fn reached(&mut self, platform: Platform, now: TimeMs) {
        if !self.is_reachable(platform) {
            self.forgive(platform);
        }
        self.set_reachable(platform, true);
        // It is only compared with the commands there are.
        if let Some(busy) = &mut self.busy {
            busy.waiting.of_mut(platform).up_at = now;
        }
    }

    /// It showed the target of this intent.
    pub(super) fn is_caught_up(&self, platform: Platform) -> bool {
        self.flags.has(Flags::of(Flags::CAUGHT_UP, platform))
    }

    pub(super) fn set_caught_up(&mut self, platform: Platform, is_caught_up: bool) {
        self.flags.set(Flags::of(Flags::CAUGHT_UP, platform), is_caught_up);
    }

    /// What lapsed and what was given up on begins anew.
    pub(super) fn forgive(&mut self, platform: Platform) {
        if let Some(busy) = &mut self.busy {
            let waiting = busy.waiting.of_mut(platform);
            *waiting = Waiting { outstanding: waiting.outstanding, up_at: waiting.up_at, ..Waiting::EMPTY };
        }
    }

    /// Makes a choice the intent. Only its own platform has caught up with it.
    pub(super) fn choose(&mut self, status: Status, since: TimeMs, offset: DurationMs, at_login: bool) {
        let floor = self.intent().map_or(since, |intent| intent.since);
        let offset = Offset::new(offset);
        self.replace_intent(Intent { status, since: since.max(floor), offset, floor, at_login });
        for platform in super::PLATFORMS {
            self.set_caught_up(platform, platform == status.platform());
            self.forgive(platform);
        }
    }

    /// Another intent: no command was issued for it yet, and no Offline made it.
    fn replace_intent(&mut self, intent: Intent) {
        self.set_intent(Some(intent));
        if let Some(busy) = &mut self.busy {
            busy.ring.intent_changed();
            if let Some(Rare { replaced: Some(replaced), .. }) = busy.rare.as_deref_mut() {
                replaced.intent = None;
            }
        }
    }

    /// The intent that an inferred Offline replaced is the intent again, and what was commanded for it counts.
    pub(super) fn take_back_intent(&mut self, intent: Option<Intent>) {
        self.set_intent(intent);
        if let Some(busy) = &mut self.busy {
            busy.ring.intent_taken_back();
        }
    }

    /// What is over and done with goes, so that an agent at rest is small. [`super::apply`] begins with it; so it
    /// changes no decision when whoever holds states at rest does it now and then, at any time before the next event.
    pub fn forget_old(&mut self, now: TimeMs, settings: &Settings) {
        if let Some(busy) = &mut self.busy {
            busy.forget_old(now, settings);
            self.trim();
        }
    }

    /// Boxes with nothing in them go.
    pub(super) fn trim(&mut self) {
        if let Some(busy) = &mut self.busy {
            busy.trim();
            if busy.is_at_rest() {
                self.busy = None;
            }
        }
    }
}

/// What is in the boxes.
impl AgentState {
    fn busy_mut(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }

    fn rare(&self) -> Option<&Rare> {
        self.busy.as_deref()?.rare.as_deref()
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.busy_mut().rare.get_or_insert_default()
    }

    pub(super) fn far(&self) -> Option<&Far> {
        self.rare()?.far.as_deref()
    }

    pub(super) fn far_mut(&mut self) -> &mut Far {
        self.rare_mut().far.get_or_insert_default()
    }

    /// The last commands, the oldest first.
    pub(super) fn ring(&self) -> &Ring {
        const NONE: &Ring = &Ring::EMPTY;
        self.busy.as_deref().map_or(NONE, |busy| &busy.ring)
    }

    pub(super) fn ring_mut(&mut self) -> &mut Ring {
        &mut self.busy_mut().ring
    }

    /// The command that is among the last ones.
    pub(super) fn command_mut(&mut self, sequence: Sequence) -> Option<&mut Entry> {
        self.busy.as_deref_mut()?.ring.get_mut(sequence)
    }

    pub(super) fn flapping(&self) -> &Flapping {
        const NONE: &Flapping = &Flapping::EMPTY;
        self.busy.as_deref().map_or(NONE, |busy| &busy.flapping)
    }

    pub(super) fn flapping_mut(&mut self) -> &mut Flapping {
        &mut self.busy_mut().flapping
    }

    /// What a platform has yet to do.
    pub(super) fn waiting(&self, platform: Platform) -> Waiting {
        self.busy.as_deref().map_or(Waiting::EMPTY, |busy| *busy.waiting.of(platform))
    }

    pub(super) fn waiting_mut(&mut self, platform: Platform) -> &mut Waiting {
        self.busy_mut().waiting.of_mut(platform)
    }

    /// The newest command that is not yet confirmed.
    pub(super) fn outstanding(&self, platform: Platform) -> Option<Sequence> {
        Some(self.waiting(platform).outstanding).filter(|sequence| *sequence != Sequence::NONE)
    }

    pub(super) fn end_outstanding(&mut self, platform: Platform) {
        if let Some(busy) = &mut self.busy {
            busy.waiting.of_mut(platform).outstanding = Sequence::NONE;
        }
    }

    /// The contact that lasts.
    pub(super) fn contact(&self) -> Option<Contact> {
        self.busy.as_deref()?.contact
    }

    pub(super) fn set_contact(&mut self, contact: Option<Contact>) {
        if contact.is_some() || self.busy.is_some() {
            self.busy_mut().contact = contact;
        }
    }

    pub(super) fn pending_close(&self) -> Option<PendingClose> {
        self.busy.as_deref()?.pending_close
    }

    pub(super) fn set_pending_close(&mut self, close: Option<PendingClose>) {
        if close.is_some() || self.busy.is_some() {
            self.busy_mut().pending_close = close;
        }
    }

    pub(super) fn armed(&self) -> Option<Armed> {
        self.busy.as_deref()?.armed
    }

    pub(super) fn set_armed(&mut self, armed: Option<Armed>) {
        if armed.is_some() || self.busy.is_some() {
            self.busy_mut().armed = armed;
        }
    }

    pub(super) fn early_close(&self) -> Option<EarlyClose> {
        self.rare()?.early_close
    }

    pub(super) fn set_early_close(&mut self, close: Option<EarlyClose>) {
        if close.is_some() || self.rare().is_some() {
            self.rare_mut().early_close = close;
        }
    }

    /// What an inferred Offline replaced.
    pub(super) fn replaced(&self) -> Option<Replaced> {
        self.rare()?.replaced
    }

    pub(super) fn set_replaced(&mut self, replaced: Option<Replaced>) {
        if replaced.is_some() || self.rare().is_some() {
            self.rare_mut().replaced = replaced;
        }
    }

    /// Who has caught up with the intent.
    pub(super) fn caught_up(&self) -> Both<bool> {
        Both {
            salesforce: self.is_caught_up(Platform::Salesforce),
            cxone: self.is_caught_up(Platform::Cxone),
        }
    }
}

/// Offline, as a status of either platform.
pub(super) const OFFLINE: Status = Status::Salesforce(SalesforceStatus::Offline);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_small() {
        assert_eq!(size_of::<Option<AgentState>>(), 128);
        assert_eq!(size_of::<Entry>(), 34);
        assert_eq!(size_of::<Busy>(), 160);
        assert_eq!(size_of::<Rare>(), 120);
    }
}
