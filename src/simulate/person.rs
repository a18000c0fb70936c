//! The agent: he changes both sides, now and then at once, takes contacts, logs out and in, and closes his browser.

use crate::domain::{Cause, ContactState, CxoneStatus, DurationMs, Platform, SalesforceStatus, TimeMs};
use crate::engine::Status;

use super::world::{Item, World, code, presence};

/// What he did.
#[derive(Default)]
pub(super) struct Person {
    choices: Vec<Choice>,
}

/// Something he chose.
#[derive(Clone, Copy)]
struct Choice {
    at: TimeMs,
    status: Status,
    /// He logged in with it.
    is_login: bool,
}

impl World {
    /// He does something, and then something else: often soon.
    pub(super) fn act(&mut self) {
        match self.random.between(1, 100) {
            1..=30 => self.choose_in_salesforce(),
            31..=60 => self.choose_in_cxone(),
            61..=66 => {
                self.choose_in_salesforce();
                self.choose_in_cxone();
            }
            67..=78 => self.on_contact(),
            79..=84 => self.log_out(),
            85..=90 => self.close_browser(true),
            91..=93 => self.outage(),
            _ => self.open_browser(),
        }
        let next = match self.random.between(1, 10) {
            1..=3 => self.random.ms(0, 1_500),
            4..=6 => self.random.ms(1_000, 10_000),
            _ => self.random.ms(10_000, 90_000),
        };
        self.at(next, Item::Person);
    }

    fn chose(&mut self, status: Status) {
        let at = self.now;
        let was_off = match status.platform() {
            Platform::Salesforce => self.salesforce.status.is_off(),
            Platform::Cxone => self.cxone.status.is_off(),
        };
        self.note(|| format!("HE CHOOSES {status:?}"));
        self.person.choices.push(Choice { at, status, is_login: was_off });
    }

    fn choose_in_salesforce(&mut self) {
        let number = self.random.between(1, 4);
        let status = presence(number);
        let cause = if self.salesforce.status.is_off() { Cause::Login } else { Cause::Agent };
        self.chose(Status::Salesforce(status));
        self.change_salesforce(status, cause);
        self.open_browser();
    }

    fn choose_in_cxone(&mut self) {
        if self.cxone.contact.is_some() {
            return;
        }
        let status = if self.cxone.status.is_off() {
            CxoneStatus::Unavailable
        } else {
            let all = [CxoneStatus::Available, CxoneStatus::Unavailable, code(2), code(3)];
            self.random.pick(&all).unwrap_or(CxoneStatus::Available)
        };
        self.chose(Status::Cxone(status));
        self.change_cxone(status);
    }

    fn on_contact(&mut self) {
        match self.cxone.contact {
            None if !self.cxone.status.is_off() => self.begin_contact(ContactState::InboundContact),
            Some(CxoneStatus::Contact(_)) if self.random.percent(50) => self.after_call_work(),
            _ => self.end_contact(),
        }
    }

    fn log_out(&mut self) {
        let both = self.random.percent(30);
        if both || self.random.percent(50) {
            self.chose(Status::Salesforce(SalesforceStatus::Offline));
            self.change_salesforce(SalesforceStatus::Offline, Cause::Agent);
            self.close_browser(false);
        }
        if both || self.random.percent(50) {
            self.chose(Status::Cxone(CxoneStatus::LoggedOut));
            self.change_cxone(CxoneStatus::LoggedOut);
        }
    }
}

impl Person {
    /// Whether he chose anything after the one moment and up to the other.
    pub(super) fn chose_between(&self, after: TimeMs, until: TimeMs) -> bool {
        self.choices.iter().any(|choice| choice.at > after && choice.at <= until)
    }

    /// His last choice, if nobody can doubt that it was: no login, and long after his last choice on the other
    /// platform and after his last log-in.
    pub(super) fn clear_choice(&self, apart: DurationMs) -> Option<Status> {
        let last = self.choices.last().filter(|last| !last.is_login)?;
        let is_rival = |c: &&Choice| c.status.platform() != last.status.platform() || c.is_login;
        let rival = self.choices.iter().rev().find(is_rival);
        rival.is_none_or(|rival| last.at.since(rival.at) > apart).then_some(last.status)
    }
}
