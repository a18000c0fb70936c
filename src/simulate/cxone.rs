//! CXone: a polled feed that loses what lies between two polls, calls with every fate, sets queued in contacts.

use crate::domain::{Cause, ContactState, CxoneStatus, DurationMs, TimeMs};
use crate::engine::{Command, Observation, Status, Verdict, What};

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
    /// A call takes effect.
    Apply(Command),
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
    pub(super) is_down: bool,
    /// It was away at some time, so that choices may have gone unseen.
    pub(super) was_down: bool,
    since: TimeMs,
    queued: Option<CxoneStatus>,
    published: Option<(CxoneStatus, TimeMs)>,
    /// The newest command that was not sent, and the one whose call is out.
    waiting: Option<Command>,
    calling: Option<Command>,
}

impl Cxone {
    pub(super) const fn new(now: TimeMs) -> Self {
        Cxone {
            status: CxoneStatus::LoggedOut,
            contact: None,
            is_down: false,
            was_down: false,
            since: now,
            queued: None,
            published: None,
            waiting: None,
            calling: None,
        }
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
            Item::Apply(command) => self.apply_call(command),
            Item::Answer(command, verdict) => self.answer(command, verdict),
            Item::Back => self.cxone_is_back(),
        }
    }

    pub(super) fn cxone_is_back(&mut self) {
        self.cxone.is_down = false;
        self.send();
    }

    fn poll(&mut self, in_full: bool) {
        let seen = (self.cxone.shown(), self.cxone.since);
        if self.cxone.is_down || !in_full && (self.cxone.published == Some(seen) || self.random.percent(5)) {
            return;
        }
        self.cxone.published = Some(seen);
        let asked = in_full.then_some(self.now);
        let observation = Observation {
            status: Status::Cxone(seen.0),
            since_raw: seen.1,
            offset: DurationMs::ZERO,
            row: None,
            cause: Cause::Unknown,
            asked,
        };
        // Answers of the feed reach the log in their order.
        self.at(DurationMs::from_ms(150), Next::Log(What::Observation(observation)));
    }

    /// He is in another status now.
    pub(super) fn change_cxone(&mut self, status: CxoneStatus) {
        self.note(|| format!("CXONE {status:?}"));
        self.cxone.status = status;
        self.cxone.since = self.now;
        if status.is_off() {
            self.cxone.contact = None;
            self.cxone.queued = None;
        }
    }

    pub(super) fn begin_contact(&mut self, state: ContactState) {
        self.note(|| format!("CXONE contact {state:?}"));
        self.cxone.contact = Some(CxoneStatus::Contact(state));
        self.cxone.since = self.now;
    }

    pub(super) fn after_call_work(&mut self) {
        self.note(|| "CXONE after-call work".to_owned());
        self.cxone.contact = Some(CxoneStatus::AfterCallWork(None));
        self.cxone.since = self.now;
    }

    /// The contact ends: what was queued is set, else he is where he was.
    pub(super) fn end_contact(&mut self) {
        if self.cxone.contact.take().is_some() {
            let status = self.cxone.queued.take().unwrap_or(self.cxone.status);
            self.change_cxone(status);
        }
    }

    /// The platform is away for a while.
    pub(super) fn outage(&mut self) {
        if !self.cxone.is_down {
            self.note(|| "CXONE is away".to_owned());
            self.cxone.is_down = true;
            self.cxone.was_down = true;
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

    /// One call at a time. Each has its fate.
    fn send(&mut self) {
        if self.cxone.is_down || self.cxone.calling.is_some() {
            return;
        }
        let Some(command) = self.cxone.waiting.take() else { return };
        self.cxone.calling = Some(command);
        let apply = self.random.ms(20, 400);
        let answer = apply + self.random.ms(10, 400);
        let (applies_after, verdict) = match self.random.between(1, 100) {
            1..=4 => (None, Verdict::Accepted),
            5..=7 => (None, Verdict::Unknown),
            8..=12 => (Some(apply), Verdict::Unknown),
            13..=16 => (Some(answer + self.random.ms(500, 8_000)), Verdict::Accepted),
            _ => (Some(apply), Verdict::Accepted),
        };
        let logged_out =
            self.cxone.status.is_off() && command.status != Status::Cxone(CxoneStatus::LoggedOut);
        if logged_out {
            self.at(answer, Next::Cxone(Item::Answer(command, Verdict::Conflict)));
            return;
        }
        if let Some(delay) = applies_after {
            self.at(delay, Next::Cxone(Item::Apply(command)));
        }
        self.at(answer, Next::Cxone(Item::Answer(command, verdict)));
    }

    fn apply_call(&mut self, command: Command) {
        let Status::Cxone(status) = command.status else { return };
        match (self.cxone.status.is_off(), self.cxone.contact) {
            (true, _) => {}
            (false, Some(_)) if !status.is_off() => self.cxone.queued = Some(status),
            (false, _) => self.change_cxone(status),
        }
    }

    fn answer(&mut self, command: Command, verdict: Verdict) {
        self.cxone.calling = None;
        self.outcome(command, verdict, 5, 60);
        self.send();
    }
}
