//! What a person and the platforms do in a step, and what their feeds then tell.

use super::Closed;
use super::class::Feed;
use super::shift::AHEAD;
use super::world::{Failure, Listen, Mail, Order, Salesforce, World};
use crate::domain::{Cause, CxoneStatus, DurationMs, Platform, RowId, SalesforceStatus, TimeMs};
use crate::engine::*;

impl World {
    /// A person changed something.
    pub(super) fn person(&mut self, choice: Option<Status>, is_calm: bool) {
        let was_quiet = self.is_quiet();
        self.left.changes -= 1;
        let platform = choice.map_or(Platform::Cxone, |choice| choice.platform());
        *self.ghost.changed.of_mut(platform) = true;
        let is_clear = is_calm || !self.ghost.changed.of(platform.other());
        self.ghost.clear = choice.filter(|_| is_clear && self.left.changes == 0);
        match choice {
            _ if !was_quiet => self.ghost.previous = None,
            Some(Status::Cxone(status)) if status.is_settable() && self.ghost.previous.is_some() => {
                self.ghost.previous = Some(status);
            }
            _ => {}
        }
    }

    pub(super) fn choose(&mut self, status: Status, polled: bool, is_calm: bool, closed: &Closed) {
        let logs_in = match status.platform() {
            Platform::Salesforce => self.salesforce.status.is_off(),
            Platform::Cxone => self.cxone.status.is_off(),
        };
        self.person(Some(status).filter(|_| !logs_in), is_calm);
        match status {
            Status::Salesforce(status) => {
                let cause = if logs_in { Cause::Login } else { Cause::Agent };
                self.change_salesforce(status, cause, closed);
            }
            Status::Cxone(status) => self.change_cxone(status, polled),
        }
    }

    /// One row ends, another begins. A platform's changes never begin at the same moment.
    fn change_salesforce(&mut self, status: SalesforceStatus, cause: Cause, closed: &Closed) {
        let SalesforceStatus::Presence(_) = self.salesforce.status else {
            return self.open_row(status, cause, closed);
        };
        let ends_for_good = status.is_off();
        let feed = closed.class.feed;
        let at = self.now.max(self.salesforce.since + DurationMs::from_ms(1));
        if feed == Feed::RowsAndCloses || ends_for_good && feed == Feed::Rows {
            self.salesforce.mail.push(Mail::Close { row: self.salesforce.row, at });
        }
        if ends_for_good {
            self.salesforce.status = status;
            self.salesforce.since = at;
            self.salesforce.ended = Some(at);
            if feed == Feed::Console {
                self.salesforce.mail.push(Mail::Console { status, since: at, cause });
            }
            return;
        }
        self.open_row(status, cause, closed);
    }

    fn open_row(&mut self, status: SalesforceStatus, cause: Cause, closed: &Closed) {
        let since = self.now.max(self.salesforce.since + DurationMs::from_ms(1));
        let row = closed.row(self.rows_used(closed));
        self.salesforce = Salesforce { status, row, since, ended: None, ..self.salesforce.clone() };
        self.salesforce.mail.push(match closed.class.feed {
            Feed::Console => Mail::Console { status, since, cause },
            Feed::Rows | Feed::RowsAndCloses => Mail::Row { row, status, since },
        });
    }

    /// CXone shows something else from now on.
    pub(super) fn overwrite(&mut self, polled: bool) {
        if polled {
            self.cxone.polled.push((self.cxone_shows(), self.cxone.since));
        }
        self.cxone.is_published = false;
        self.cxone.since = self.now.max(self.cxone.since + DurationMs::from_ms(1));
    }

    fn change_cxone(&mut self, status: CxoneStatus, polled: bool) {
        self.overwrite(polled);
        self.cxone.status = status;
        if status.is_off() {
            self.cxone.contact = None;
            self.cxone.queued = None;
        }
    }

    pub(super) fn end_contact(&mut self, polled: bool) {
        self.overwrite(polled);
        self.cxone.contact = None;
        self.cxone.status = self.cxone.queued.take().unwrap_or(self.cxone.status);
    }

    pub(super) fn cxone_shows(&self) -> CxoneStatus {
        self.cxone.contact.unwrap_or(self.cxone.status)
    }

    pub(super) fn drop_mail(&mut self, mail: Mail) {
        if let Some(i) = self.salesforce.mail.iter().position(|m| *m == mail) {
            self.salesforce.mail.remove(i);
        }
    }

    /// The newest command is sent, and answered.
    pub(super) fn send(
        &mut self,
        platform: Platform,
        failure: Option<Failure>,
        polled: bool,
        closed: &Closed,
    ) {
        let Some(order) = self.sinks.of_mut(platform).waiting.take() else { return };
        let shows = match platform {
            Platform::Salesforce => Status::Salesforce(self.salesforce.status),
            Platform::Cxone => Status::Cxone(self.cxone.status),
        };
        let verdict = match (failure, platform) {
            (Some(Failure::Lost | Failure::Unanswered), _) => Verdict::Unknown,
            (_, Platform::Salesforce) if shows.is_off() => Verdict::Unreachable,
            (_, Platform::Cxone) if shows.is_off() && !order.status.is_off() => Verdict::Conflict,
            _ => Verdict::Accepted,
        };
        let sink = self.sinks.of_mut(platform);
        sink.outcomes.push((order.sequence, verdict));
        match failure {
            Some(Failure::Swallowed | Failure::Lost) => {}
            Some(Failure::Late) => sink.late = Some(order),
            Some(Failure::Unanswered) | None => self.take_effect(order, polled, closed),
        }
    }

    pub(super) fn take_effect(&mut self, order: Order, polled: bool, closed: &Closed) {
        if closed.class.deaf == Some(order.status.platform()) {
            return;
        }
        match order.status {
            Status::Salesforce(status) => {
                if !self.salesforce.status.is_off() && self.salesforce.status != status {
                    // What cannot be known: overwritten before any feed shows it.
                    if self.salesforce.owes_snapshot {
                        self.ghost.clear = None;
                    }
                    self.change_salesforce(status, Cause::Toolkit, closed);
                }
            }
            Status::Cxone(_) if self.cxone.status.is_off() => {}
            Status::Cxone(status) if self.cxone.contact.is_some() && !status.is_off() => {
                self.cxone.queued = Some(status);
            }
            Status::Cxone(status) => self.change_cxone(status, polled),
        }
    }

    pub(super) fn read(&mut self, mail: Mail, closed: &Closed, listen: &mut impl Listen) {
        let what = match mail {
            Mail::Row { row, status, since } => self.shown(status, since, Some(row), Cause::Unknown, false),
            Mail::Console { status, since, cause } => self.shown(status, since, None, cause, false),
            Mail::Close { row, at } => {
                What::RowClosed(RowClosed { row: Some(row), at_raw: at + AHEAD, offset: AHEAD, asked: None })
            }
        };
        self.decide(what, closed, listen);
    }

    fn shown(
        &self,
        status: SalesforceStatus,
        since: TimeMs,
        row: Option<RowId>,
        cause: Cause,
        asked: bool,
    ) -> What {
        What::Observation(Observation {
            status: Status::Salesforce(status),
            since_raw: since + AHEAD,
            offset: AHEAD,
            row,
            cause,
            asked: asked.then_some(self.now),
        })
    }

    /// The feed of CXone tells what it polled, the oldest first.
    pub(super) fn poll(&mut self, closed: &Closed, listen: &mut impl Listen) {
        let (status, since) = if self.cxone.polled.is_empty() {
            self.cxone.is_published = true;
            (self.cxone_shows(), self.cxone.since)
        } else {
            self.cxone.polled.remove(0)
        };
        self.tell_cxone(status, since, None, closed, listen);
    }

    fn tell_cxone(
        &mut self,
        status: CxoneStatus,
        since_raw: TimeMs,
        asked: Option<TimeMs>,
        closed: &Closed,
        listen: &mut impl Listen,
    ) {
        let observation = Observation {
            status: Status::Cxone(status),
            since_raw,
            offset: DurationMs::ZERO,
            row: None,
            cause: Cause::Unknown,
            asked,
        };
        self.decide(What::Observation(observation), closed, listen);
    }

    /// Asked and told at once.
    pub(super) fn snapshot(&mut self, platform: Platform, closed: &Closed, listen: &mut impl Listen) {
        let now = self.now;
        match (platform, self.salesforce.ended) {
            (Platform::Cxone, _) => {
                self.cxone.is_published = true;
                self.tell_cxone(self.cxone_shows(), self.cxone.since, Some(now), closed, listen);
            }
            (_, Some(at)) => {
                let at_raw = at + AHEAD;
                let closing = RowClosed { row: None, at_raw, offset: AHEAD, asked: Some(now) };
                self.decide(What::RowClosed(closing), closed, listen);
            }
            (_, None) => {
                let Salesforce { status, since, row, .. } = self.salesforce;
                let what = self.shown(status, since, Some(row), Cause::Unknown, true);
                self.decide(what, closed, listen);
            }
        }
    }
}
