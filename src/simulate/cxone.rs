//! CXone: a polled feed that loses what lies between two polls, calls with every fate, sets queued in contacts.

use crate::domain::{Cause, ContactState, CxoneStatus, DurationMs, Platform, ReservedOutState, TimeMs};
use crate::engine::{Command, Observation, Status, Verdict, What};

use super::faults::Fault;
use super::rules::{code, team_has};
use super::truth::By;
use super::world::{Item as Next, World};

/// How often it is polled, and how often in full.
const POLL: DurationMs = DurationMs::from_seconds(2);
const SNAPSHOT: DurationMs = DurationMs::from_seconds(300);

/// What is still to happen in CXone.
pub(super) enum Item {
    /// The feed is polled.
    Poll,
    /// Everything is asked anew.
    Snapshot,
    /// The sink looks whether it may call.
    Send,
    /// A call takes effect; or after its answer, when newer ones may have overtaken it.
    Apply(Command, bool),
    /// What was offered is taken, refused, or gone.
    Offered,
    /// The contact that was refused is over.
    Refused,
    /// A call is answered.
    Answer(Command, Verdict),
    /// The platform is back.
    Back,
}

/// The tenant, as it is.
pub(super) struct Cxone {
    /// What he is in, but for a contact.
    pub(super) status: CxoneStatus,
    pub(super) contact: Option<CxoneStatus>,
    /// A poll has shown the contact.
    contact_told: bool,
    down_since: Option<TimeMs>,
    since: TimeMs,
    queued: Option<(CxoneStatus, By)>,
    /// Since when he was logged out, as it was told last.
    logged_out: Option<TimeMs>,
    published: Option<(CxoneStatus, TimeMs)>,
    /// The newest command that was not sent, and the one whose call is out.
    waiting: Option<Command>,
    calling: Option<Command>,
    /// When the budget allows the next call.
    free_at: TimeMs,
}

impl Cxone {
    pub(super) const fn new(now: TimeMs) -> Self {
        Cxone {
            status: CxoneStatus::LoggedOut,
            contact: None,
            contact_told: false,
            down_since: None,
            since: now,
            queued: None,
            logged_out: None,
            published: None,
            waiting: None,
            calling: None,
            free_at: now,
        }
    }

    /// The agent is gone, and what was kept for him with him; a call that is out goes on.
    pub(super) const fn drop_commands(&mut self) {
        self.waiting = None;
    }

    fn shown(&self) -> CxoneStatus {
        self.contact.unwrap_or(self.status)
    }
}

impl World {
    pub(super) fn begin_cxone(&mut self) {
        self.at(DurationMs::from_ms(700), Next::Cxone(Item::Poll));
        self.at(SNAPSHOT, Next::Cxone(Item::Snapshot));
    }

    pub(super) fn cxone_item(&mut self, item: Item) {
        match item {
            Item::Poll => {
                self.poll(false);
                self.at(POLL, Next::Cxone(Item::Poll));
            }
            Item::Snapshot => {
                self.poll(true);
                self.at(SNAPSHOT, Next::Cxone(Item::Snapshot));
            }
            Item::Send => self.send(),
            Item::Apply(command, late) => self.apply_call(command, late),
            Item::Offered => self.after_offer(),
            Item::Refused => self.after_refusal(),
            Item::Answer(command, verdict) => self.answer(command, verdict),
            Item::Back => self.cxone_is_back(),
        }
    }

    pub(super) fn cxone_is_back(&mut self) {
        if let Some(since) = self.cxone.down_since.take() {
            self.note(|| "CXONE is back".to_owned());
            self.truth.outages.push((since, self.now));
        }
        self.send();
    }

    /// The last state wins, so that what lies between two polls is lost.
    pub(super) fn poll(&mut self, in_full: bool) {
        let seen = (self.cxone.shown(), self.cxone.since);
        let repeats = self.faults.has(Fault::Repeats) && self.random.percent(4);
        let is_new = self.cxone.published != Some(seen) && !self.random.percent(5);
        if self.cxone.down_since.is_some() || !(in_full || is_new || repeats) {
            return;
        }
        self.cxone.published = Some(seen);
        self.cxone.contact_told |= self.cxone.contact.is_some();
        let asked = in_full.then_some(self.now);
        // A log-out may be told again when it is over; anything else that a poll tells is what is shown.
        if let Some(since) = self.cxone.logged_out.filter(|since| repeats && *since < seen.1) {
            self.tell_cxone(CxoneStatus::LoggedOut, since, None);
        }
        self.tell_cxone(seen.0, seen.1, asked);
        if seen.0.is_off() {
            self.cxone.logged_out = Some(seen.1);
        }
    }

    fn tell_cxone(&mut self, status: CxoneStatus, since_raw: TimeMs, asked: Option<TimeMs>) {
        let observation = Observation {
            status: Status::Cxone(status),
            since_raw,
            offset: DurationMs::ZERO,
            row: None,
            cause: Cause::Unknown,
            asked,
        };
        // Answers of the feed reach the log in their order.
        let what = What::Observation(observation);
        let change = self.truth.last(Platform::Cxone).filter(|_| status == self.cxone.status);
        let item = change.map_or(Next::Log(what), |change| Next::Shown(what, change));
        self.at(DurationMs::from_ms(150), item);
    }

    /// He is in another status now.
    pub(super) fn change_cxone(&mut self, status: CxoneStatus, by: By) {
        self.changed(Status::Cxone(self.cxone.status), Status::Cxone(status), by);
        self.cxone.status = status;
        self.cxone.since = self.now;
        if status.is_off() {
            self.cxone.contact = None;
            self.cxone.queued = None;
        }
    }

    fn show_contact(&mut self, status: CxoneStatus) {
        self.note(|| format!("CXONE {status:?}"));
        self.truth.happenings.push(self.now);
        self.cxone.contact = Some(status);
        self.cxone.since = self.now;
    }

    /// A contact comes; or is offered first, by the platform or by a dialer.
    pub(super) fn begin_contact(&mut self) {
        if !self.faults.has(Fault::Offers) || self.random.percent(40) {
            self.show_contact(CxoneStatus::Contact(ContactState::InboundContact));
            return;
        }
        // Inbound, outbound, a dialer's, a promise.
        let number = self.random.pick(&[-3, -4, -6, -9]).and_then(ReservedOutState::new);
        if let Some(offer) = number {
            self.show_contact(CxoneStatus::Reserved(offer));
            let length = self.random.ms(500, 15_000);
            self.at(length, Next::Cxone(Item::Offered));
        }
    }

    fn after_offer(&mut self) {
        if !matches!(self.cxone.contact, Some(CxoneStatus::Reserved(_))) {
            return;
        }
        match (self.random.between(1, 4), ReservedOutState::new(-1)) {
            (1, _) => self.end_contact(),
            (2, Some(refused)) => {
                self.show_contact(CxoneStatus::Reserved(refused));
                let length = self.random.ms(500, 10_000);
                self.at(length, Next::Cxone(Item::Refused));
            }
            (3, _) => self.show_contact(CxoneStatus::Contact(ContactState::OutboundContact)),
            _ => self.show_contact(CxoneStatus::Contact(ContactState::InboundContact)),
        }
    }

    /// Who refused is put back, or into a code of the tenant's choice.
    fn after_refusal(&mut self) {
        if self.cxone.contact.map(Some) != Some(ReservedOutState::new(-1).map(CxoneStatus::Reserved)) {
            return;
        }
        if self.cxone.queued.is_none() && self.random.percent(50) {
            self.cxone.contact = None;
            self.change_cxone(code(2), By::Platform(Cause::Unknown));
        } else {
            self.end_contact();
        }
    }

    pub(super) fn after_call_work(&mut self) {
        self.show_contact(CxoneStatus::AfterCallWork(None));
    }

    /// The contact ends: what was queued is set, else he is where he was.
    pub(super) fn end_contact(&mut self) {
        if self.cxone.contact.take().is_some() {
            self.truth.happenings.push(self.now);
            if !std::mem::take(&mut self.cxone.contact_told) {
                self.truth.hidden_contacts.push(self.now);
            }
            let (status, by) = self.cxone.queued.take().unwrap_or((self.cxone.status, By::Return));
            self.change_cxone(status, by);
        }
    }

    /// The platform is away for a while.
    pub(super) fn outage(&mut self) {
        if self.cxone.down_since.is_none() {
            self.note(|| "CXONE is away".to_owned());
            self.cxone.down_since = Some(self.now);
            let length = self.random.ms(5_000, 900_000);
            self.at(length, Next::Cxone(Item::Back));
        }
    }

    /// The sink keeps only the newest command.
    pub(super) fn command_cxone(&mut self, command: Command) {
        if let Some(old) = self.cxone.waiting.replace(command) {
            self.outcome(old, Verdict::Superseded, 5, 50);
        }
        self.send();
    }

    /// One call at a time, no more than the budget allows.
    fn send(&mut self) {
        if self.cxone.down_since.is_some() || self.cxone.calling.is_some() || self.cxone.waiting.is_none() {
            return;
        }
        if self.now < self.cxone.free_at {
            let wait = self.cxone.free_at.since(self.now);
            self.at(wait, Next::Cxone(Item::Send));
            return;
        }
        if let Some(command) = self.cxone.waiting.take() {
            self.cxone.free_at = self.now + self.faults.budget;
            self.cxone.calling = Some(command);
            self.call(command);
        }
    }

    /// Each call has its fate.
    fn call(&mut self, command: Command) {
        let apply = self.random.ms(20, 400);
        let answer = apply + self.random.ms(10, 400);
        let is_deaf = self.faults.has(Fault::Deaf) && self.random.percent(85);
        let (applies_after, verdict) = match self.random.between(1, 100) {
            _ if is_deaf => (None, Verdict::Accepted),
            1..=4 => (None, Verdict::Accepted),
            5..=7 => (None, Verdict::Unknown),
            8..=12 => (Some(apply), Verdict::Unknown),
            13..=16 => (Some(answer + self.random.ms(500, 8_000)), Verdict::Accepted),
            _ => (Some(apply), Verdict::Accepted),
        };
        if let Some(verdict) = self.refuses(&command) {
            self.at(answer, Next::Cxone(Item::Answer(command, verdict)));
            return;
        }
        if let Some(delay) = applies_after {
            self.at(delay, Next::Cxone(Item::Apply(command, delay > answer)));
        }
        self.at(answer, Next::Cxone(Item::Answer(command, verdict)));
    }

    fn refuses(&mut self, command: &Command) -> Option<Verdict> {
        let Status::Cxone(status) = command.status else { return None };
        if self.cxone.status.is_off() && !status.is_off() {
            Some(Verdict::Conflict)
        } else if self.faults.refused.cxone == Some(command.status) || !team_has(self.team, status) {
            Some(Verdict::Permanent)
        } else {
            (self.faults.has(Fault::Conflicts) && self.random.percent(8)).then_some(Verdict::Conflict)
        }
    }

    fn apply_call(&mut self, command: Command, late: bool) {
        let Status::Cxone(status) = command.status else { return };
        let by = By::Command { command, late };
        match (self.cxone.status.is_off(), self.cxone.contact) {
            (true, _) => {}
            (false, Some(_)) if !status.is_off() => self.cxone.queued = Some((status, by)),
            (false, _) => self.change_cxone(status, by),
        }
    }

    fn answer(&mut self, command: Command, verdict: Verdict) {
        self.cxone.calling = None;
        self.outcome(command, verdict, 5, 60);
        self.send();
    }
}
