//! What a page does, without any doing: messages, events, answers and time come in, what is to be done comes out.

use std::time::{Duration, Instant};

use super::super::people::mixed;
use super::super::presence::Reason;
use super::message::{Bye, Command, Done, Down, Hello, Order, Outcome, Up, VERSION};
use super::toolkit::{Event, Rejected};
use crate::domain::{PresenceStatusId, SalesforceStatus};

/// Who connects again by himself waits for less than this the first time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// And no longer than this, however often it was in vain.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A gateway that has not welcomed or refused the page by then does not answer.
const WELCOMED_WITHIN: Duration = Duration::from_secs(20);
/// So many heartbeats without a word are a gateway that is gone.
const SILENT_HEARTBEATS: u32 = 3;

/// `localStorage`: what all tabs of a browser share, and what a page that is loaded again finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Storage {
    /// The highest that was ever told.
    pub(super) epoch: u64,
    /// The newest command that was dealt with, and what became of it.
    pub(super) done: Option<(Order, Done)>,
}

impl Storage {
    fn is_past(&self, order: Order) -> bool {
        self.done.as_ref().is_some_and(|(done, _)| order <= *done)
    }

    /// What became of a command, where that is kept.
    fn outcome(&self, command: &Command) -> Option<Done> {
        let (_, done) = self.done.as_ref().filter(|(_, done)| done.command == command.command)?;
        Some(done.clone())
    }

    fn keep(&mut self, order: Order, done: Done) {
        if !self.is_past(order) {
            self.done = Some((order, done));
        }
    }
}

/// Something to be done for a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Connect to the gateway of this place in the list.
    Connect(usize),
    /// The connection is none any more.
    Drop,
    /// Say it.
    Send(Up),
    /// Look what the user is in and say it; if it is this, where that is told.
    Tell(Option<SalesforceStatus>, Option<Reason>),
    /// Ask the toolkit for his status.
    Ask,
    /// Have the toolkit do it.
    Call(SalesforceStatus),
}

/// How a page is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not, and tries again then.
    Apart { until: Option<Instant> },
    /// It tries to be, and has not been welcomed.
    Connecting { since: Instant },
    /// It is.
    Open { holds: bool, silence: Duration, heard: Instant },
}

/// A page of a console.
pub(super) struct Page {
    /// The name that it has given itself.
    name: String,
    /// What is by chance follows from it.
    seed: u64,
    drawn: u64,
    gateways: usize,
    gateway: usize,
    state: State,
    /// For how long it has waited last, while it was in vain.
    waited: Option<Duration>,
    doing: Option<Command>,
    waiting: Option<Command>,
    /// What it has told last that was an event.
    told: Option<SalesforceStatus>,
}

impl Page {
    /// One that is loaded, and connects then to one of so many gateways.
    pub(super) fn new(name: String, seed: u64, gateways: usize, connects_at: Instant) -> Page {
        let state = State::Apart { until: Some(connects_at) };
        let (waited, doing, waiting, told) = Default::default();
        let mut page =
            Page { name, seed, drawn: 0, gateways, gateway: 0, state, waited, doing, waiting, told };
        page.gateway = (page.random() % gateways.max(1) as u64) as usize;
        page
    }

    fn random(&mut self) -> u64 {
        self.drawn += 1;
        mixed(self.seed, self.drawn)
    }

    /// What it says first.
    pub(super) fn hello(&self, token: String, storage: &Storage) -> Up {
        Up::Hello(Hello { protocol: VERSION, token, page: self.name.clone(), epoch: storage.epoch })
    }

    /// Whether it was welcomed.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether it holds the agent.
    pub(super) const fn holds(&self) -> bool {
        matches!(self.state, State::Open { holds: true, .. })
    }

    /// When time has something for it.
    pub(super) fn next_at(&self) -> Option<Instant> {
        match self.state {
            State::Apart { until } => until,
            State::Connecting { since } => Some(since + WELCOMED_WITHIN),
            State::Open { silence, heard, .. } => Some(heard + silence),
        }
    }

    /// It is so late.
    pub(super) fn go_on(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.next_at().is_none_or(|at| at > now) {
            return;
        }
        match self.state {
            State::Apart { .. } => {
                self.state = State::Connecting { since: now };
                out.push(Action::Connect(self.gateway));
            }
            State::Connecting { .. } => self.lose(now, out),
            State::Open { .. } => {
                self.take_another();
                self.lose(now, out);
            }
        }
    }

    /// The connection has ended, or has never become one, and nobody has said why.
    pub(super) fn lose(&mut self, now: Instant, out: &mut Vec<Action>) {
        match self.state {
            State::Apart { .. } => return,
            // Who was connected goes on where he was, if he comes back to the same in time.
            State::Open { .. } => {}
            State::Connecting { .. } => self.take_another(),
        }
        let wait = match self.waited {
            // Not nothing: twice that would be nothing for ever.
            None => Duration::from_millis(1 + self.random() % (FIRST_WAIT.as_millis() as u64 - 1)),
            Some(waited) => (2 * waited).min(LONGEST_WAIT),
        };
        self.waited = Some(wait);
        self.part(Some(now + wait), out);
    }

    fn part(&mut self, until: Option<Instant>, out: &mut Vec<Action>) {
        self.state = State::Apart { until };
        // What was not begun comes again.
        self.waiting = None;
        out.push(Action::Drop);
    }

    fn take_another(&mut self) {
        if self.gateways > 1 {
            let others = self.gateways as u64 - 1;
            self.gateway = (self.gateway + 1 + (self.random() % others) as usize) % self.gateways;
        }
    }

    /// Something was heard that is no message.
    pub(super) const fn hear_life(&mut self, now: Instant) {
        if let State::Open { heard, .. } = &mut self.state {
            *heard = now;
        }
    }

    /// The gateway says this.
    pub(super) fn hear(&mut self, down: Down, storage: &mut Storage, now: Instant, out: &mut Vec<Action>) {
        self.hear_life(now);
        match down {
            Down::Welcome { epoch, holds, heartbeat_s, .. } => {
                let heartbeat = Duration::from_secs(heartbeat_s.clamp(1, 3_600));
                self.state = State::Open { holds: false, silence: SILENT_HEARTBEATS * heartbeat, heard: now };
                self.waited = None;
                self.hold(epoch, holds, storage, out);
            }
            Down::Hold { epoch } => self.hold(epoch, true, storage, out),
            Down::StandBy => {
                self.set_holds(false);
                self.waiting = None;
            }
            Down::Command(command) => self.take(command, storage, out),
            Down::Ping => out.push(Action::Send(Up::Pong)),
            Down::Bye { reason, again_after_ms } => {
                if reason == Bye::ShuttingDown {
                    self.take_another();
                }
                self.part(again_after_ms.map(|ms| now + Duration::from_millis(ms)), out);
            }
        }
    }

    const fn set_holds(&mut self, is_so: bool) {
        if let State::Open { holds, .. } = &mut self.state {
            *holds = is_so;
        }
    }

    fn hold(&mut self, epoch: u64, holds: bool, storage: &mut Storage, out: &mut Vec<Action>) {
        storage.epoch = storage.epoch.max(epoch);
        self.set_holds(holds);
        self.look(out);
    }

    fn take(&mut self, command: Command, storage: &mut Storage, out: &mut Vec<Action>) {
        if !self.holds() {
            return;
        }
        if storage.is_past(command.order) {
            let outcome = storage.outcome(&command);
            out.extend(outcome.map(|done| Action::Send(Up::Outcome(done))));
            return;
        }
        let newest = self.waiting.as_ref().or(self.doing.as_ref());
        if newest.is_some_and(|newest| command.order <= newest.order) {
            return;
        }
        self.waiting = Some(command);
        self.begin(storage, out);
    }

    /// Begins what waits, if nothing is being done.
    fn begin(&mut self, storage: &Storage, out: &mut Vec<Action>) {
        if self.doing.is_some() {
            return;
        }
        let Some(command) = self.waiting.take() else { return };
        // Another tab may have done it.
        if storage.is_past(command.order) {
            let outcome = storage.outcome(&command);
            out.extend(outcome.map(|done| Action::Send(Up::Outcome(done))));
            return;
        }
        self.doing = Some(command);
        out.push(Action::Ask);
    }

    /// The toolkit has told his status; none where he is not logged in. Gives what became of the command, where that is clear.
    pub(super) fn asked(
        &mut self,
        presence: Option<PresenceStatusId>,
        storage: &mut Storage,
        out: &mut Vec<Action>,
    ) -> Option<Done> {
        let command = self.doing.as_ref()?;
        let status = command.status.as_deref().map(str::parse::<PresenceStatusId>);
        match (presence, status) {
            (None, _) => self.finish(Outcome::Unreachable, None, storage, out),
            (Some(_), Some(Err(why))) => self.finish(Outcome::Refused, Some(why.to_string()), storage, out),
            (Some(_), None) => {
                out.push(Action::Call(SalesforceStatus::Offline));
                None
            }
            (Some(_), Some(Ok(id))) => {
                out.push(Action::Call(SalesforceStatus::Presence(id)));
                None
            }
        }
    }

    /// The toolkit has answered. Gives what became of the command.
    pub(super) fn called(
        &mut self,
        answer: Result<(), Rejected>,
        storage: &mut Storage,
        out: &mut Vec<Action>,
    ) -> Option<Done> {
        let result = match answer {
            Ok(()) => Outcome::Done,
            Err(Rejected::Refused(_)) => Outcome::Refused,
            Err(Rejected::Unavailable) => Outcome::Conflict,
        };
        self.finish(result, answer.err().map(|why| why.to_string()), storage, out)
    }

    fn finish(
        &mut self,
        result: Outcome,
        detail: Option<String>,
        storage: &mut Storage,
        out: &mut Vec<Action>,
    ) -> Option<Done> {
        let Command { command, order, .. } = self.doing.take()?;
        let done = Done { command, result, detail };
        storage.keep(order, done.clone());
        if self.is_open() {
            out.push(Action::Send(Up::Outcome(done.clone())));
        }
        self.begin(storage, out);
        Some(done)
    }

    /// The toolkit tells this.
    pub(super) fn event(&mut self, event: Event, out: &mut Vec<Action>) {
        if !self.holds() {
            return;
        }
        let (status, reason) = match event {
            // The change of status that it is comes with its reason.
            Event::LoginSuccess => return,
            Event::StatusChanged { status, reason } => (status, Some(reason)),
            // What was told with its reason is not told again without.
            Event::Logout if self.told == Some(SalesforceStatus::Offline) => return,
            Event::Logout => (SalesforceStatus::Offline, None),
        };
        self.told = Some(status);
        out.push(Action::Tell(Some(status), reason));
    }

    /// What he is in is to be told, whatever was told before: events were missed.
    pub(super) fn look(&mut self, out: &mut Vec<Action>) {
        self.told = None;
        if self.holds() {
            out.push(Action::Tell(None, None));
        }
    }
}

#[cfg(test)]
mod tests;
