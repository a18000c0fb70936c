//! An observation is judged: the rows of the law's table, in their order.

use super::past::{Close, Contact, Inferred, Past, Sent, Target, View};
use crate::domain::{CxoneStatus, DurationMs, Platform, RowId, SalesforceStatus, TimeMs};
use crate::engine::*;
use crate::rules::{CxoneTarget, OnConflict, SalesforceTarget};

/// A row that begins so soon after a close followed it.
const FOLLOWS_WITHIN: DurationMs = DurationMs::from_seconds(1);
/// Two feeds of Salesforce that tell of one change are no further apart.
const SAME_CHANGE_WITHIN: DurationMs = DurationMs::from_seconds(10);

/// An observation with what is often asked of it.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) o: Observation,
    platform: Platform,
    /// Its start by our clock.
    since: TimeMs,
    ends_contact: bool,
    /// P's target as this observation came, a contact that it ends being over.
    target: Option<Status>,
    /// P had a target, and did not show it.
    missed_target: bool,
}

impl Past<'_> {
    pub(super) fn observation(&mut self, o: Observation) -> Reason {
        self.take_back(&o);
        self.judge(o, false)
    }

    /// An inferred Offline was wrong: the row that followed only came late, or the old one still stands.
    fn take_back(&mut self, o: &Observation) {
        let Some(inferred) = self.inferred else { return };
        if o.status.platform() != Platform::Salesforce {
            return;
        }
        let closed = inferred.closed_raw;
        let shown = o.asked.is_some_and(|asked| asked > closed - o.offset);
        let follows = o.row.is_some_and(|row| shown || !self.knows(row))
            && o.since_raw >= closed
            && o.since_raw <= closed + FOLLOWS_WITHIN;
        let still = shown && o.row.is_some() && o.row == inferred.replaced.and_then(|view| view.row);
        if !follows && !still {
            return;
        }
        self.effects.decision.taken_back = true;
        self.views.salesforce.pop();
        self.reach.salesforce.extend(inferred.reach);
        if inferred.intent_made.is_some() && inferred.intent_made == self.intent {
            // What has lapsed by then has lapsed for this intent.
            self.intent = inferred.intent_before;
        }
        self.inferred = None;
    }

    pub(super) fn judge(&mut self, o: Observation, inferred: bool) -> Reason {
        let platform = o.status.platform();
        if !inferred {
            if let Some(reason) = self.nothing_new(&o) {
                return reason;
            }
            if o.status == Status::Cxone(CxoneStatus::LoggedIn) {
                return Reason::LoggedIn;
            }
            if let Status::Cxone(status) = o.status
                && status.is_contact()
            {
                return self.goes_on_contact(&o, status);
            }
        }
        let missed_target = self.target(platform) != Target::Nothing && !self.shows_target(platform);
        let since = o.since_raw - o.offset;
        let ends_contact = platform == Platform::Cxone && self.contact().is_some();
        if ends_contact && let Some(contact) = self.contacts.last_mut() {
            contact.ended = Some(since);
        }
        let target = match self.target(platform) {
            Target::Set(status, _) => Some(status),
            Target::Nothing | Target::Lacks(_) => None,
        };
        let seen = Seen { o, platform, since, ends_contact, target, missed_target };
        let reason = self.what_it_is(&seen);
        if let Status::Cxone(status) = o.status
            && status.is_settable()
            && reason != Reason::Echo
        {
            self.seen_in_cxone.push(status);
        }
        if reason != Reason::Echo {
            self.catches_up(&seen, None);
        }
        reason
    }

    /// Duplicate, same change, stale view.
    fn nothing_new(&mut self, o: &Observation) -> Option<Reason> {
        let platform = o.status.platform();
        let view = self.observed(platform)?;
        let shown_since = o.asked.is_some_and(|asked| asked >= view.since());
        if self.is_duplicate(o, &view, shown_since) {
            let same_row = o.row.is_some() && o.row == view.row;
            let repeats = o.status == view.status && (o.since_raw == view.raw || same_row);
            if repeats && !view.status.is_off() {
                self.set_reach(platform, true);
            }
            return Some(Reason::Duplicate);
        }
        if self.is_same_change(o, &view) {
            self.lend_row(o);
            if !o.status.is_off() {
                self.set_reach(platform, true);
            }
            return Some(Reason::SameChange);
        }
        let behind_close = o.row.is_some()
            && self.closed_early.is_some_and(|close| close.row == o.row)
            && view.row.is_some()
            && view.raw >= o.since_raw;
        let stale = match o.status {
            Status::Salesforce(_) => behind_close || (o.since_raw < view.raw && !shown_since),
            Status::Cxone(status) => status.is_off() && o.since_raw < view.raw,
        };
        if !stale {
            return None;
        }
        Some(self.stale_view(o, &view))
    }

    fn is_duplicate(&self, o: &Observation, view: &View, shown_since: bool) -> bool {
        let same = o.status == view.status && o.since_raw == view.raw;
        let taken_row = o.row.is_some_and(|row| self.knows(row));
        let taken_echo = self
            .ring(o.status.platform())
            .iter()
            .any(|sent| sent.command.status == o.status && sent.matched == Some(o.since_raw));
        if same {
            return o.row.is_none() || !self.is_same_change(o, view);
        }
        (taken_row && !(o.row != view.row && shown_since)) || (taken_echo && !shown_since)
    }

    fn is_same_change(&self, o: &Observation, view: &View) -> bool {
        o.status.platform() == Platform::Salesforce
            && o.status == view.status
            && o.row.is_some() != view.row.is_some()
            && o.since_raw.since(view.raw).abs() <= SAME_CHANGE_WITHIN
            && !(o.cause.is_person() && view.ours)
            && !o.row.is_some_and(|row| self.knows(row))
    }

    fn lend_row(&mut self, o: &Observation) {
        let Some(row) = o.row else { return };
        let since = o.since_raw - o.offset;
        let Some(view) = self.views.salesforce.last_mut() else { return };
        view.row = Some(row);
        view.raw = o.since_raw;
        view.offset = o.offset;
        if view.made.is_some()
            && view.made == self.intent
            && let Some(i) = view.made
        {
            self.choices[i].since = since.max(self.choices[i].floor);
            self.choices[i].offset = o.offset;
        }
        self.take_row(o);
    }

    fn remember_row(&mut self, row: RowId) {
        if !self.knows(row) {
            self.rows.push(row);
        }
    }

    /// A row is taken: what waited for it, or for any other, is over.
    fn take_row(&mut self, o: &Observation) {
        let Some(row) = o.row else { return };
        self.remember_row(row);
        self.closing = None;
        if let Some(close) = self.closed_early.filter(|close| close.row == Some(row)) {
            self.closing = Some(Close { due: self.now + self.settings().grace, ..close });
            self.closed_early = None;
        }
    }

    /// Older than what is observed; but perhaps a choice that our own command overwrote.
    fn stale_view(&mut self, o: &Observation, view: &View) -> Reason {
        let after_intent = self.choice().is_none_or(|choice| match choice.status.platform() {
            Platform::Salesforce => o.since_raw > choice.since + choice.offset,
            Platform::Cxone => o.since_raw - o.offset > choice.since,
        });
        if let Some(row) = o.row {
            self.remember_row(row);
        }
        self.closed_early = self.closed_early.filter(|close| close.row != o.row);
        if view.ours && !o.status.is_off() && after_intent && self.echo_of(o).is_none() {
            self.new_intent(o, false);
            return Reason::Overwritten;
        }
        Reason::StaleView
    }

    fn goes_on_contact(&mut self, o: &Observation, status: CxoneStatus) -> Reason {
        let since = o.since_raw - o.offset;
        let anew = matches!(status, CxoneStatus::Contact(_));
        match self.contacts.last_mut().filter(|contact| contact.ended.is_none()) {
            Some(contact) => {
                if anew && matches!(contact.state, CxoneStatus::AfterCallWork(_)) {
                    contact.began = since;
                }
                contact.state = status;
            }
            None => self.contacts.push(Contact { state: status, began: since, ended: None }),
        }
        let view =
            View { status: o.status, raw: o.since_raw, offset: o.offset, row: None, ours: false, made: None };
        self.views.cxone.push(view);
        self.set_reach(Platform::Cxone, true);
        Reason::Contact
    }

    /// The command that this observation echoes.
    fn echo_of(&self, o: &Observation) -> Option<Sent> {
        let platform = o.status.platform();
        let since = o.since_raw - o.offset;
        if o.cause.is_person() {
            return None;
        }
        let outstanding = *self.outstanding.of(platform);
        let in_time = |sent: &Sent| {
            outstanding == Some(sent.command.sequence)
                || match (sent.outcome, sent.in_contact.map(|i| self.contacts[i].ended)) {
                    (None, _) | (Some(_), Some(None)) => true,
                    (Some(_), Some(Some(ended))) => since <= ended + self.settings().echo_late,
                    (Some((_, at)), None) => since <= at + self.settings().echo_late,
                }
        };
        let fits: Vec<Sent> = self
            .ring(platform)
            .into_iter()
            .filter(|sent| sent.command.status == o.status && sent.matched.is_none() && !sent.is_dead())
            .filter(|sent| since >= sent.command.issued - self.settings().echo_early)
            .filter(in_time)
            .collect();
        let todays = self.target(platform).status() == Some(o.status);
        let newest = fits.iter().find(|sent| todays && outstanding == Some(sent.command.sequence));
        newest.or(fits.first()).copied()
    }

    /// From echo on: what it is, now that it is taken.
    fn what_it_is(&mut self, seen: &Seen) -> Reason {
        let Seen { o, platform, since, .. } = *seen;
        if let Some(sent) = self.echo_of(&o) {
            if since >= sent.command.issued
                && let Some(sent) = self.sent_mut(sent.command.sequence)
            {
                sent.matched = Some(o.since_raw);
            }
            self.take(seen, true);
            self.catches_up(seen, Some(&sent));
            if *self.outstanding.of(platform) == Some(sent.command.sequence) {
                self.end_outstanding(platform);
            }
            return Reason::Echo;
        }
        let choice = self.choice();
        let others = choice.is_some_and(|c| c.status.platform() != platform);
        let his_in_contact =
            platform == Platform::Salesforce && o.cause.is_person() && self.contact().is_some();
        if others && seen.target == Some(o.status) && !his_in_contact {
            self.take(seen, false);
            self.end_outstanding(platform);
            return Reason::InStep;
        }
        if self.is_after_contact(seen) {
            self.take(seen, false);
            return Reason::AfterContact;
        }
        if self.is_re_entered(seen) {
            self.take(seen, false);
            if let Some(i) = self.intent.filter(|i| self.choices[*i].status == o.status) {
                self.choices[i].since = since.max(self.choices[i].floor);
                self.choices[i].offset = o.offset;
                self.made_by(platform, i);
            }
            return Reason::ReEntered;
        }
        let logs_in = self.logs_in(seen);
        if logs_in && self.adopts_at_login(seen) {
            self.take(seen, false);
            return Reason::Login;
        }
        if o.status.is_off() && choice.is_some() && !self.is_mirrored(o.status) {
            self.take(seen, false);
            return Reason::LogOutWithoutRow;
        }
        self.chosen(seen, logs_in)
    }

    fn is_after_contact(&self, seen: &Seen) -> bool {
        let Some(contact) = self.contacts.last().filter(|_| seen.ends_contact) else { return false };
        let newer = |choice: super::past::Choice| {
            choice.status.platform() == Platform::Salesforce && choice.since > contact.began
        };
        !seen.o.cause.is_person()
            && match self.shown(Platform::Cxone) {
                Some(view) if view.status == seen.o.status => true,
                before => {
                    let put_back = if before.is_none() {
                        !seen.o.status.is_off()
                    } else {
                        seen.o.status == Status::Cxone(CxoneStatus::Available)
                    };
                    put_back && self.choice().is_some_and(newer)
                }
            }
    }

    fn is_re_entered(&self, seen: &Seen) -> bool {
        let Some(view) = self.observed(seen.platform) else { return false };
        let between = |at: TimeMs| at > view.since() && at <= seen.since;
        let commanded = self
            .ring(seen.platform)
            .iter()
            .any(|sent| matches!(sent.outcome, Some((Verdict::Accepted, at)) if between(at)));
        view.status == seen.o.status
            && !commanded
            && !seen.o.cause.is_person()
            && !seen.ends_contact
            && (seen.platform == Platform::Salesforce
                || seen.o.status == Status::Cxone(CxoneStatus::Available))
    }

    fn logs_in(&self, seen: &Seen) -> bool {
        !seen.o.status.is_off() && self.shown(seen.platform).is_some_and(|view| view.status.is_off())
    }

    fn adopts_at_login(&self, seen: &Seen) -> bool {
        let Some(choice) = self.choice() else { return false };
        let other = seen.platform.other();
        let other_online = self.shown(other).is_some_and(|view| !view.status.is_off());
        let own_log_out = choice.status.platform() == seen.platform && choice.status.is_off();
        let gives_way = choice.at_login
            && choice.status == Status::Cxone(CxoneStatus::Unavailable)
            && seen.platform == Platform::Salesforce;
        self.adopts() && other_online && !own_log_out && !gives_way
    }

    /// Whether a row mirrors a status to the other platform.
    fn is_mirrored(&self, status: Status) -> bool {
        let Some(assignment) = self.membership.assignment else { return false };
        match status {
            Status::Cxone(s) => self.tables.salesforce_target(assignment, s) != SalesforceTarget::Nothing,
            Status::Salesforce(s) => self.tables.cxone_target(assignment, s) != CxoneTarget::Nothing,
        }
    }

    /// A choice, be it a person's or the system's.
    fn chosen(&mut self, seen: &Seen, at_login: bool) -> Reason {
        let Seen { o, platform, .. } = *seen;
        let wins = self.wins(seen);
        self.take(seen, false);
        let system = o.cause.is_system();
        if !wins {
            return Reason::ChoiceLost;
        }
        self.new_intent(&o, at_login);
        self.made_by(platform, self.choices.len() - 1);
        if let Status::Cxone(status) = o.status
            && status.is_settable()
            && !system
        {
            self.won_in_cxone.push(status);
        }
        self.end_outstanding(platform);
        if system { Reason::SystemState } else { Reason::Choice }
    }

    /// The start of an intent is that of what the platform shows now.
    fn made_by(&mut self, platform: Platform, intent: usize) {
        if let Some(view) = self.views.of_mut(platform).last_mut() {
            view.made = Some(intent);
        }
    }

    fn wins(&self, seen: &Seen) -> bool {
        let Some(choice) = self.choice() else { return true };
        if choice.status.platform() == seen.platform || self.has_caught_up(seen.platform) {
            return true;
        }
        let in_contact = seen.platform == Platform::Cxone && self.was_in_contact && self.holds();
        let held = (in_contact || self.cooling) && seen.missed_target;
        let near = seen.since.since(choice.since).abs() <= self.settings().concurrent;
        let later = seen.since >= choice.since;
        if self.outstanding(seen.platform).is_none() && !held && !near {
            return later;
        }
        match self.options().map(|o| o.on_conflict).unwrap_or_default() {
            OnConflict::Salesforce => seen.platform == Platform::Salesforce,
            OnConflict::Cxone => seen.platform == Platform::Cxone,
            OnConflict::Latest => later,
        }
    }

    /// What is outstanding is over, unless it is still under way.
    fn end_outstanding(&mut self, platform: Platform) {
        if self.outstanding(platform).is_some_and(|sent| sent.outcome.is_some()) {
            *self.outstanding.of_mut(platform) = None;
        }
    }

    /// What the platform shows now is what the intent wants: by our command for it, or since there is that intent.
    fn catches_up(&mut self, seen: &Seen, echo: Option<&Sent>) {
        let for_intent = echo.is_some_and(|sent| sent.intent == self.intent);
        let after = self.choice().is_some_and(|choice| seen.since >= choice.since);
        if self.target(seen.platform).status() == Some(seen.o.status) && (for_intent || after) {
            self.caught_up.of_mut(seen.platform).extend(self.intent);
        }
    }

    /// It is what the platform shows now.
    fn take(&mut self, seen: &Seen, ours: bool) {
        let Seen { o, platform, .. } = *seen;
        let view =
            View { status: o.status, raw: o.since_raw, offset: o.offset, row: o.row, ours, made: None };
        self.views.of_mut(platform).push(view);
        self.set_reach(platform, !o.status.is_off());
        if platform == Platform::Salesforce {
            self.inferred = None;
            self.closing = None;
            self.take_row(&o);
        }
    }

    /// The grace is over: he is Offline since the row was closed.
    pub(super) fn grace_is_over(&mut self) {
        let Some(close) = self.closing.take() else { return };
        let replaced = self.observed(Platform::Salesforce);
        let rowless_start = replaced.filter(|view| view.row.is_none()).map(|view| view.raw);
        let reach = self.reach.salesforce.last().copied();
        let intent_before = self.intent;
        let o = Observation {
            status: Status::Salesforce(SalesforceStatus::Offline),
            since_raw: rowless_start.map_or(close.raw, |start| start.max(close.raw)),
            offset: close.offset,
            row: None,
            cause: crate::domain::Cause::Unknown,
            asked: None,
        };
        self.judge(o, true);
        let intent_made = self.intent.filter(|_| self.intent != intent_before);
        self.inferred = Some(Inferred { closed_raw: close.raw, replaced, reach, intent_before, intent_made });
    }
}
