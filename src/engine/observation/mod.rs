//! A platform shows the agent in a status: what that is, in the order of the law. Each question is asked only
//! where all before it were answered with no.

mod choice;
mod repeated;

use crate::domain::{CxoneStatus, Platform, TimeMs};
use crate::rules::OnLogin;

use super::busy::Contact;
use super::kept::{Intent, Observed, Offset};
use super::ring::Entry;
use super::{Mutation, Observation, Reason, Sequence, Status, Step, Verdict, is_on};

/// An observation with what was known before it, as far as more than one question needs it.
pub(super) struct Seen {
    pub(super) observation: Observation,
    /// When it began, by our clock.
    pub(super) at: TimeMs,
    /// What the platform counted as showing before.
    pub(super) before: Option<Status>,
    /// The observation before, and with it its start.
    pub(super) observed: Option<Observed>,
    /// The contact before: an observation of CXone that is none of a contact ends it.
    pub(super) contact: Option<Contact>,
}

impl Seen {
    pub(super) fn platform(&self) -> Platform {
        self.observation.status.platform()
    }

    pub(super) fn status(&self) -> Status {
        self.observation.status
    }

    fn ends_contact(&self) -> bool {
        self.platform() == Platform::Cxone && self.contact.is_some()
    }

    /// Whether a snapshot shows it that was asked no earlier than what is observed began.
    fn is_shown_by_snapshot_since(&self, observed: &Observed) -> bool {
        self.observation.asked.is_some_and(|asked| asked >= observed.since())
    }
}

impl Step<'_> {
    /// An observation that came over a feed or with a snapshot.
    pub(super) fn observation(&mut self, observation: &Observation) -> Reason {
        if observation.status.platform() == Platform::Salesforce {
            self.take_back(observation);
        }
        let row = observation.row.filter(|_| observation.status.platform() == Platform::Salesforce);
        let offset = Offset::new(observation.offset).get();
        let seen = self.seen(&Observation { row, offset, ..*observation });
        if let Some(reason) = self.repeated(&seen) {
            return reason;
        }
        match observation.status {
            Status::Cxone(CxoneStatus::LoggedIn) => Reason::LoggedIn,
            Status::Cxone(status) if status.is_contact() && !is_on(Mutation::ContactIsIntent) => {
                self.contact(&seen, status)
            }
            _ => self.judge(&seen),
        }
    }

    fn seen(&self, observation: &Observation) -> Seen {
        let platform = observation.status.platform();
        Seen {
            observation: *observation,
            at: if is_on(Mutation::ClocksUncorrected) {
                observation.since_raw
            } else {
                observation.since_raw - observation.offset
            },
            before: self.state.shown(platform),
            observed: self.state.observed(platform),
            contact: self.state.contact(),
        }
    }

    /// The overlay begins or goes on.
    fn contact(&mut self, seen: &Seen, status: CxoneStatus) -> Reason {
        let is_work = |status| matches!(status, CxoneStatus::Contact(_));
        let begins_anew =
            |contact: &Contact| is_work(status) && matches!(contact.status, CxoneStatus::AfterCallWork(_));
        let contact = match self.state.contact() {
            Some(contact) if begins_anew(&contact) => Contact { status, since: seen.at, ..contact },
            Some(contact) => Contact { status, ..contact },
            None => {
                let before = match seen.before {
                    Some(Status::Cxone(before)) => Some(before),
                    _ => None,
                };
                Contact { status, since: seen.at, before }
            }
        };
        self.state.set_contact(Some(contact));
        self.retarget();
        self.take(seen, false);
        Reason::Contact
    }

    /// A status that is new, and no contact: whose doing is it? An inferred Offline begins here.
    pub(super) fn judge(&mut self, seen: &Seen) -> Reason {
        let platform = seen.platform();
        let (reason, is_for_intent) = match self.echo(seen) {
            Some(entry) => {
                self.matched(platform, entry.sequence, seen);
                (Reason::Echo, entry.is_for_intent())
            }
            None => (self.whose(seen), false),
        };
        if seen.ends_contact() {
            self.state.set_contact(None);
            self.retarget();
        }
        match reason {
            Reason::Choice | Reason::SystemState => return self.chosen(seen, reason == Reason::Choice),
            Reason::InStep => self.end_outstanding(platform),
            Reason::ReEntered => self.refresh(seen),
            _ => {}
        }
        self.take(seen, reason == Reason::Echo);
        self.catch_up(seen, is_for_intent);
        self.after_contact(seen);
        reason
    }

    /// Where it is no echo.
    fn whose(&self, seen: &Seen) -> Reason {
        if self.is_in_step(seen) {
            Reason::InStep
        } else if self.is_after_contact(seen) {
            Reason::AfterContact
        } else if self.is_re_entered(seen) {
            Reason::ReEntered
        } else if self.is_login(seen) {
            Reason::Login
        } else if seen.status().is_off() && self.state.choice.is_some() && !self.is_mirrored(seen.status()) {
            Reason::LogOutWithoutRow
        } else if seen.observation.cause.is_system() {
            Reason::SystemState
        } else {
            Reason::Choice
        }
    }

    /// The command that this observation may be the echo of: the outstanding one if it is today's target, else
    /// the oldest.
    pub(super) fn echo(&self, seen: &Seen) -> Option<Entry> {
        if seen.observation.cause.is_person() || is_on(Mutation::NoEcho) {
            return None;
        }
        let (outstanding, ring) = (self.state.outstanding(seen.platform()), self.state.ring());
        let can_be = |entry: &&Entry| {
            let in_time = is_on(Mutation::EchoAnyTime)
                || Some(entry.sequence) == outstanding
                || entry.settled().is_none_or(|settled| seen.at.since(settled) <= self.settings.echo_late);
            entry.status == seen.status()
                && !entry.is_matched()
                && !entry.is_dead()
                && (seen.at >= entry.issued - self.settings.echo_early || is_on(Mutation::EchoBeforeCommand))
                && in_time
        };
        let is_target = self.target(seen.platform()).is_some_and(|target| target.status == seen.status());
        let newest = || ring.get(outstanding?).filter(can_be);
        let preferred = if is_target { newest() } else { None };
        preferred.or_else(|| ring.of(seen.platform()).find(can_be)).copied()
    }

    /// An echo that begins before its command was issued is in step, but not it: the real one is still to come.
    fn matched(&mut self, platform: Platform, sequence: Sequence, seen: &Seen) {
        if let Some(entry) = self.state.command_mut(sequence)
            && seen.at >= entry.issued
        {
            entry.match_with(seen.observation.since_raw);
        }
        if self.state.outstanding(platform) == Some(sequence) {
            self.end_outstanding(platform);
        }
    }

    /// A command without an outcome is still under way: only its outcome ends it.
    pub(super) fn end_outstanding(&mut self, platform: Platform) {
        let entry = self.outstanding(platform);
        if entry.is_none_or(|entry| entry.outcome().is_some()) || is_on(Mutation::ObservationEndsUnderWay) {
            self.state.end_outstanding(platform);
        }
    }

    /// The intent is the other platform's, and this is the target here.
    fn is_in_step(&self, seen: &Seen) -> bool {
        let platform = seen.platform();
        let other = self.state.intent_platform().is_some_and(|chosen_on| chosen_on != platform);
        let target = self.target(platform).filter(|target| !target.is_lacking);
        let shows_target = target.is_some_and(|target| target.status == seen.status());
        let chose_in_contact = platform == Platform::Salesforce
            && seen.observation.cause.is_person()
            && self.state.contact().is_some();
        other && shows_target && !chose_in_contact
    }

    /// The platform put the agent back where he was; or, after a choice in Salesforce during the contact, made him
    /// available, or put him where he was before, be that what it may if nobody saw it.
    fn is_after_contact(&self, seen: &Seen) -> bool {
        let Some(contact) =
            seen.contact.filter(|_| seen.ends_contact() && !seen.observation.cause.is_person())
        else {
            return false;
        };
        let chose_since = self
            .state
            .intent()
            .is_some_and(|intent| intent.platform() == Platform::Salesforce && intent.since > contact.since);
        let back = contact.before.map(Status::Cxone) == Some(seen.status());
        let put_back = match contact.before {
            // Nobody saw where he was, but he was there.
            None => !seen.status().is_off(),
            Some(_) => seen.status() == Status::Cxone(CxoneStatus::Available),
        };
        back || chose_since && put_back
    }

    /// The same status anew: he was away unseen, in a contact.
    fn is_re_entered(&self, seen: &Seen) -> bool {
        let Some(observed) = seen.observed.filter(|observed| observed.status == seen.status()) else {
            return false;
        };
        let between = |at: TimeMs| at > observed.since() && at <= seen.at;
        let accepted = |entry: &Entry| match entry.outcome() {
            Some((Verdict::Accepted, at)) => between(at),
            _ => false,
        };
        let is_quiet = match seen.status() {
            Status::Salesforce(_) => true,
            Status::Cxone(status) => status == CxoneStatus::Available,
        };
        is_quiet
            && !seen.observation.cause.is_person()
            && !seen.ends_contact()
            && !self.state.ring().of(seen.platform()).any(accepted)
    }

    /// A new start for an intent of that same status, and nothing else.
    fn refresh(&mut self, seen: &Seen) {
        if let Some(intent) = self.state.intent().filter(|intent| intent.status == seen.status()) {
            let (since, offset) = (seen.at.max(intent.floor), Offset::new(seen.observation.offset));
            self.state.set_intent(Some(Intent { since, offset, ..intent }));
            self.retarget();
        }
    }

    /// Who logs in takes over what the other platform shows. But the default Unavailable that a login in CXone
    /// began with is no choice that a login in Salesforce would have to follow.
    fn is_login(&self, seen: &Seen) -> bool {
        let platform = seen.platform();
        let Some(intent) = self.state.intent() else { return false };
        let on_login = self.options().map_or(OnLogin::default(), |options| options.on_login);
        let logs_in = seen.before.is_some_and(Status::is_off) && !seen.status().is_off();
        let other_online = self.state.shown(platform.other()).is_some_and(|status| !status.is_off());
        let own_log_out = intent.platform() == platform && intent.status.is_off();
        let gives_way = platform == Platform::Salesforce
            && intent.at_login
            && intent.status == Status::Cxone(CxoneStatus::Unavailable);
        logs_in && on_login == OnLogin::Adopt && other_online && !own_log_out && !gives_way
    }

    /// What is observed now. An off status makes the platform unreachable, any other makes it reachable.
    pub(super) fn take(&mut self, seen: &Seen, ours: bool) {
        let Observation { status, since_raw, offset, row, .. } = seen.observation;
        let (platform, now) = (seen.platform(), self.now);
        if platform == Platform::Salesforce {
            self.state.set_pending_close(None);
            self.state.set_replaced(None);
        } else if let Status::Cxone(status) = status
            && (self.state.previous.is_none() || is_on(Mutation::PreviousFromSync))
            && status.is_settable()
            && (!ours || is_on(Mutation::PreviousFromSync))
        {
            self.state.previous = Some(status);
            self.retarget();
        }
        let offset = Offset::new(offset);
        self.state.take(Observed { status, since_raw, offset, row, ours });
        if status.is_off() {
            self.state.set_reachable(platform, false);
        } else {
            self.state.reached(platform, now);
        }
        self.close_early(row);
    }

    /// Whether the platform has caught up with the intent: it shows the target, by an echo of a command for this
    /// intent, or since the intent.
    pub(super) fn catch_up(&mut self, seen: &Seen, is_echo_for_intent: bool) {
        let platform = seen.platform();
        let Some(intent) = self.state.intent() else { return };
        let shows_target = self.target(platform).is_some_and(|target| target.status == seen.status());
        if shows_target && (is_echo_for_intent || seen.at >= intent.since) {
            self.state.set_caught_up(platform, true);
        }
    }

    /// Once a contact has ended and what ended it is judged: commands settled with it, and what was overdue
    /// lapses.
    pub(super) fn after_contact(&mut self, seen: &Seen) {
        if !seen.ends_contact() {
            return;
        }
        for entry in self.state.ring_mut().iter_mut() {
            if entry.status.platform() == Platform::Cxone && entry.is_taken() && entry.settled().is_none() {
                entry.settle(seen.at);
            }
        }
        if self.confirm_due(Platform::Cxone).is_some_and(|due| due <= self.now) {
            self.lapse(Platform::Cxone);
        }
    }
}
