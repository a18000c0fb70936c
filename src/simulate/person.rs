//! The agent: he changes both sides, now and then at once, takes contacts, logs out and in, and closes his browser.
//! His supervisor is here, too, and what the platforms do with him of their own accord.

use crate::domain::{Cause, CxoneStatus, DurationMs, Platform, SalesforceStatus};
use crate::engine::Status;

use super::faults::Fault;
use super::rules::{code, presence, team_has};
use super::truth::{By, Change};
use super::world::{Item, World};

/// So many changes make a burst, and so far apart they are.
const BURST: i64 = 20;
const BURST_APART_MS: i64 = 50;

impl World {
    /// He does something, and then something else: often soon.
    pub(super) fn act(&mut self) {
        match self.random.between(1, 100) {
            1..=28 => self.choose_in_salesforce(Cause::Agent),
            29..=56 => self.choose_in_cxone(),
            57..=62 => self.choose_on(None),
            63..=74 => self.on_contact(),
            75..=80 => self.log_out(),
            81..=86 => self.close_browser(true),
            87..=89 => self.outage(),
            90..=91 if self.faults.has(Fault::SalesforceOutages) => self.silence_salesforce(),
            92..=93 if self.faults.has(Fault::Bursts) => self.burst(),
            94..=95 if self.faults.has(Fault::Supervisors) => self.supervise(),
            96..=97 if self.faults.has(Fault::SystemStates) => self.miss_work(),
            _ => self.open_browser(),
        }
        let next = match self.random.between(1, 10) {
            1..=3 => self.random.ms(0, 1_500),
            4..=6 => self.random.ms(1_000, 10_000),
            _ => self.random.ms(10_000, 90_000),
        };
        self.at(next, Item::Person);
    }

    /// A platform shows another status: it is written down who did it.
    pub(super) fn changed(&mut self, was: Status, status: Status, by: By) {
        self.note(|| match by {
            By::Person(cause) => format!("HE CHOOSES {status:?} ({cause:?})"),
            By::Platform(cause) => format!("PLATFORM {status:?} ({cause:?})"),
            By::Return => format!("BACK IN {status:?}"),
            By::Command { command, late } => {
                format!(
                    "DONE {status:?} (command {}{})",
                    command.sequence.0,
                    if late { ", late" } else { "" }
                )
            }
        });
        let is_login = was.is_off() && !status.is_off();
        self.truth.changes.push(Change { at: self.now, status, by, is_login, seen: None });
    }

    /// He chooses on one platform, or on both at once.
    pub(super) fn choose_on(&mut self, platform: Option<Platform>) {
        if platform != Some(Platform::Cxone) {
            self.choose_in_salesforce(Cause::Agent);
        }
        if platform != Some(Platform::Salesforce) {
            self.choose_in_cxone();
        }
    }

    fn choose_in_salesforce(&mut self, cause: Cause) {
        let number = self.random.between(1, 4);
        let cause = if self.salesforce.status.is_off() { Cause::Login } else { cause };
        self.change_salesforce(presence(number), By::Person(cause));
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
            let status = self.random.pick(&all).filter(|status| team_has(self.team, *status));
            status.unwrap_or(CxoneStatus::Available)
        };
        self.change_cxone(status, By::Person(Cause::Unknown));
    }

    fn supervise(&mut self) {
        if !self.salesforce.status.is_off() {
            self.choose_in_salesforce(Cause::Supervisor);
        }
    }

    /// Work was offered in Salesforce, and he declined it or did not answer.
    fn miss_work(&mut self) {
        let causes = [Cause::Declined, Cause::PushTimeout];
        if let Some(cause) = self.random.pick(&causes).filter(|_| !self.salesforce.status.is_off()) {
            self.change_salesforce(presence(3), By::Platform(cause));
        }
    }

    /// Twenty changes within a second, on one platform or on both.
    fn burst(&mut self) {
        let where_to = [Some(Platform::Salesforce), Some(Platform::Cxone), None];
        let platform = self.random.pick(&where_to).flatten();
        for number in 0..BURST {
            self.at(DurationMs::from_ms(number * BURST_APART_MS), Item::Burst(platform));
        }
    }

    fn on_contact(&mut self) {
        match self.cxone.contact {
            None if !self.cxone.status.is_off() => self.begin_contact(),
            Some(CxoneStatus::Contact(_)) if self.random.percent(50) => self.after_call_work(),
            _ => self.end_contact(),
        }
    }

    fn log_out(&mut self) {
        let both = self.random.percent(30);
        if both || self.random.percent(50) {
            self.change_salesforce(SalesforceStatus::Offline, By::Person(Cause::Agent));
            self.close_browser(false);
        }
        if both || self.random.percent(50) {
            self.change_cxone(CxoneStatus::LoggedOut, By::Person(Cause::Unknown));
        }
    }
}
