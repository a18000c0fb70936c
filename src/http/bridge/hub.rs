//! Who of all connections holds an agent, and what he is told. Pure: time is passed in, and what is to be done comes out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::message::{CommandName, Done, Down, Reason, Told};
use super::seat::{ConnectionId, Holder, Kept, Order, RESUMED_WITHIN, SAID_AGAIN_AFTER, Seat, Tab, outcome};
use crate::codec::{Connection, Observation, What};
use crate::connectors::http::moved;
use crate::domain::{AgentId, Cause, DurationMs, Feed, SalesforceStatus, Status, TimeMs, UserId};
use crate::engine::{Epoch, Verdict};

/// So often something is heard of a connection that lives, in s.
pub(super) const HEARTBEAT_S: u64 = 20;
/// A number that a browser was told is believed, if no clock is further ahead than this.
const EPOCH_AHEAD_MAX: u64 = 3_600_000;
/// So long nobody takes an agent over a second time: pages that are slow would hand him to and fro.
const TAKEN_OVER_EACH: Duration = Duration::from_secs(120);
/// A clock that a page tells is believed, if it is not further from ours than this.
const CLOCK_AHEAD_MAX: DurationMs = DurationMs::from_seconds(120);
/// A start that a page tells is believed, if it is not further ahead of Salesforce's clock than this.
const START_AHEAD_MAX: DurationMs = DurationMs::from_seconds(60);

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Tell a connection.
    Send(ConnectionId, Down),
    /// Tell it that it ends, and end it.
    Close(ConnectionId, Reason),
    /// Write what happened to an agent to the log.
    Publish(AgentId, What<'static>),
    /// Somebody spoke of a command that is not his.
    Foreign(ConnectionId),
}

/// Who comes.
#[derive(Clone, Debug)]
pub(super) struct Came {
    /// The connection.
    pub(super) connection: ConnectionId,
    /// Its user.
    pub(super) user: UserId,
    /// What the page calls itself.
    pub(super) page: String,
    /// The highest number that the browser was told.
    pub(super) epoch: u64,
    /// With what it sends messages that do not go over the connection itself.
    pub(super) session: Option<String>,
}

/// What the engine knows of an agent, as far as a gateway needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// What Salesforce shows.
    pub(super) shown: Option<SalesforceStatus>,
    /// Since when, by Salesforce's clock.
    pub(super) since_raw: Option<TimeMs>,
    /// Whether it can be set there: a browser holds him, and he is not Offline.
    pub(super) reachable: bool,
    /// The number of the newest browser.
    pub(super) epoch: Option<Epoch>,
}

/// The same, with what this gateway has told and the engine may not have taken yet.
#[derive(Clone, Copy, Debug, Default)]
struct Remembered {
    known: Known,
    told: Option<(SalesforceStatus, Instant)>,
}

/// What a gateway knows of an org.
pub(super) struct Hub {
    /// Its name, as events have it.
    gateway: String,
    connections_max: usize,
    users: HashMap<AgentId, UserId>,
    agents: HashMap<UserId, AgentId>,
    seats: HashMap<UserId, Seat>,
    known: HashMap<AgentId, Remembered>,
}

/// The time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// For how long something takes.
    pub(super) instant: Instant,
    /// What stands in events.
    pub(super) time: TimeMs,
}

impl Hub {
    /// One that knows nobody. A user may have so many connections.
    pub(super) fn new(gateway: String, connections_max: usize) -> Hub {
        let (users, agents, seats, known) = Default::default();
        Hub { gateway, connections_max, users, agents, seats, known }
    }

    /// How many agents are held here.
    pub(super) fn held(&self) -> usize {
        self.seats.values().filter(|seat| seat.agent.is_some() && seat.holder.is_some()).count()
    }

    /// The engine has learned something of an agent; or forgotten him. Where it knows a newer browser than the one that holds him
    /// here, and no gateway has said so, that one is given a newer number: else it would never be commanded.
    pub(super) fn know(&mut self, agent: AgentId, known: Known, now: Now, out: &mut Vec<Action>) {
        if known == Known::default() {
            self.known.remove(&agent);
            return;
        }
        let entry = self.known.entry(agent).or_default();
        let awaits = entry.told.filter(|(status, at)| {
            known.shown != Some(*status) && now.instant.saturating_duration_since(*at) < SAID_AGAIN_AFTER
        });
        let newer = if awaits.is_some() { entry.known } else { known };
        let (shown, since_raw) = (newer.shown, newer.since_raw);
        entry.told = awaits;
        entry.known = Known { shown, since_raw, epoch: entry.known.epoch.max(known.epoch), ..known };
        let Some(user) = self.users.get(&agent).copied() else { return };
        let Some(seat) = self.seats.get_mut(&user) else { return };
        let is_passed = seat.holder.as_ref().is_some_and(|holder| Some(holder.tab.epoch) < known.epoch);
        if is_passed && seat.elsewhere.is_none() {
            seat.tabs
                .extend(seat.holder.take().filter(|holder| holder.lost.is_none()).map(|holder| holder.tab));
            self.promote(user, now, out);
        }
    }

    /// A number was given to a browser of an agent: the next one is higher.
    fn note_epoch(&mut self, agent: AgentId, epoch: Epoch) {
        let known = &mut self.known.entry(agent).or_default().known;
        known.epoch = known.epoch.max(Some(epoch));
    }

    /// Somebody is linked from now on. If he is here, he is asked what he is in.
    pub(super) fn link(&mut self, agent: AgentId, user: UserId, now: Now, out: &mut Vec<Action>) {
        self.users.insert(agent, user);
        if let Some(before) = self.agents.insert(user, agent).filter(|before| *before != agent) {
            self.users.remove(&before);
            self.leave(user, out);
        }
        let Some(seat) = self.seats.get_mut(&user) else { return };
        if seat.agent == Some(agent) {
            return;
        }
        seat.agent = Some(agent);
        (seat.kept, seat.elsewhere) = (None, None);
        self.promote(user, now, out);
    }

    /// He is linked no more.
    pub(super) fn unlink(&mut self, agent: AgentId, user: UserId, out: &mut Vec<Action>) {
        self.users.remove(&agent);
        if self.agents.get(&user) == Some(&agent) {
            self.agents.remove(&user);
            self.leave(user, out);
        }
    }

    /// Nobody holds him: nothing is told of who is linked no more.
    fn leave(&mut self, user: UserId, out: &mut Vec<Action>) {
        let Some(seat) = self.seats.get_mut(&user) else { return };
        (seat.agent, seat.kept, seat.elsewhere) = (None, None, None);
        if let Some(holder) = seat.holder.take().filter(|holder| holder.lost.is_none()) {
            out.push(Action::Send(holder.tab.connection, Down::StandBy));
            seat.tabs.push(holder.tab);
        }
        self.forget_empty(user);
    }

    fn forget_empty(&mut self, user: UserId) {
        if self.seats.get(&user).is_some_and(Seat::is_empty) {
            self.seats.remove(&user);
        }
    }

    /// A number that is higher than any that was given before, as far as anybody here can know.
    fn next_epoch(&mut self, agent: Option<AgentId>, now: Now, told: u64, elsewhere: Option<Epoch>) -> Epoch {
        let time = u64::try_from(now.time.as_unix_ms()).unwrap_or(0);
        let told = if told > time + EPOCH_AHEAD_MAX { 0 } else { told };
        let known = agent.and_then(|agent| self.known.get(&agent)?.known.epoch);
        let elsewhere = elsewhere.max(known).map_or(0, |epoch| epoch.0);
        let epoch = Epoch(time.max(told + 1).max(elsewhere + 1));
        if let Some(agent) = agent {
            self.note_epoch(agent, epoch);
        }
        epoch
    }

    /// A page comes. The newest holds the agent; one that comes back goes on where it was.
    pub(super) fn come(&mut self, came: Came, now: Now, out: &mut Vec<Action>) {
        let Came { connection, user, page, epoch: told, session } = came;
        let agent = self.agents.get(&user).copied();
        let seat = self.seats.entry(user).or_insert_with(|| Seat::of(agent));
        if let Some(index) = seat.tabs.iter().position(|tab| tab.page == page) {
            let before = seat.tabs.remove(index);
            out.push(Action::Close(before.connection, Reason::Replaced));
        }
        if let Some(holder) = seat.holder.as_mut().filter(|holder| holder.tab.page == page) {
            if holder.lost.take().is_none() {
                out.push(Action::Close(holder.tab.connection, Reason::Replaced));
            }
            if told <= holder.tab.epoch.0 {
                holder.tab.connection = connection;
                let epoch = holder.tab.epoch.0;
                out.push(welcome(connection, epoch, true, session));
                self.say_again(user, now, out);
                return;
            }
            // It was elsewhere meanwhile.
            seat.holder = None;
        }
        if seat.len() >= self.connections_max {
            out.push(Action::Close(connection, Reason::TooMany));
            return;
        }
        let elsewhere = seat.elsewhere;
        let epoch = self.next_epoch(agent, now, told, elsewhere);
        let tab = Tab { connection, page, epoch, offset: DurationMs::default() };
        out.push(welcome(connection, epoch.0, agent.is_some(), session));
        let Some(seat) = self.seats.get_mut(&user) else { return };
        if agent.is_none() {
            seat.tabs.push(tab);
            return;
        }
        if let Some(holder) = seat.holder.take().filter(|holder| holder.lost.is_none()) {
            out.push(Action::Send(holder.tab.connection, Down::StandBy));
            seat.tabs.push(holder.tab);
        }
        self.hold(user, tab, now, out);
    }

    /// That page holds him from now on.
    fn hold(&mut self, user: UserId, tab: Tab, now: Now, out: &mut Vec<Action>) {
        let gateway = self.gateway.clone();
        let Some(seat) = self.seats.get_mut(&user) else { return };
        let Some(agent) = seat.agent else { return };
        seat.elsewhere = None;
        let connected = Connection { gateway: gateway.into(), epoch: tab.epoch };
        seat.holder = Some(Holder { tab, lost: None });
        out.push(Action::Publish(agent, What::Connected(connected)));
        // Nobody knows what became of what another page was told.
        if let Some(kept) = seat.kept.filter(|kept| kept.sent.is_some()) {
            out.push(told(kept.order.name(), Verdict::Unknown, None));
            seat.finish(kept.order.name());
        }
        self.say_again(user, now, out);
    }

    /// Of the pages that stand by, the newest holds him.
    fn promote(&mut self, user: UserId, now: Now, out: &mut Vec<Action>) {
        let Some(seat) = self.seats.get_mut(&user) else { return };
        let (Some(mut tab), agent, elsewhere) = (seat.tabs.pop(), seat.agent, seat.elsewhere) else { return };
        tab.epoch = self.next_epoch(agent, now, 0, elsewhere);
        out.push(Action::Send(tab.connection, Down::hold(tab.epoch)));
        self.hold(user, tab, now, out);
    }

    /// Tells the command that has no outcome to who holds him.
    fn say_again(&mut self, user: UserId, now: Now, out: &mut Vec<Action>) {
        let Some(seat) = self.seats.get_mut(&user) else { return };
        let Some(connection) = seat.held_by().map(|tab| tab.connection) else { return };
        if let Some(kept) = &mut seat.kept {
            kept.sent = Some(now.instant);
            out.push(Action::Send(connection, kept.order.message()));
        }
    }

    /// A connection is gone; because the page wanted it, or was closed, or for any other reason.
    pub(super) fn go(
        &mut self,
        (connection, user): (ConnectionId, UserId),
        is_wanted: bool,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let Some(seat) = self.seats.get_mut(&user) else { return };
        seat.tabs.retain(|tab| tab.connection != connection);
        if let Some(holder) = &mut seat.holder
            && holder.tab.connection == connection
            && holder.lost.is_none()
        {
            if is_wanted {
                self.give_up(user, now, out);
                return;
            }
            holder.lost = Some(now.instant);
        }
        self.forget_empty(user);
    }

    /// Who held him does not come back.
    fn give_up(&mut self, user: UserId, now: Now, out: &mut Vec<Action>) {
        let Some(seat) = self.seats.get_mut(&user) else { return };
        let Some(holder) = seat.holder.take() else { return };
        if seat.tabs.is_empty() {
            if let Some(agent) = seat.agent {
                if let Some(kept) = seat.kept.take().filter(|kept| kept.sent.is_some()) {
                    out.push(told(kept.order.name(), Verdict::Unknown, None));
                }
                let gone = Connection { gateway: self.gateway.clone().into(), epoch: holder.tab.epoch };
                out.push(Action::Publish(agent, What::Disconnected(gone)));
            }
            self.forget_empty(user);
        } else {
            self.promote(user, now, out);
        }
    }

    /// Time goes on; to be called about once a second.
    pub(super) fn go_on(&mut self, now: Now, out: &mut Vec<Action>) {
        let (mut lost, mut unanswered, mut orphaned) = (Vec::new(), Vec::new(), Vec::new());
        for (user, seat) in &self.seats {
            let since = |then: Instant| now.instant.saturating_duration_since(then);
            let lost_at = seat.holder.as_ref().and_then(|holder| holder.lost);
            if lost_at.is_some_and(|then| since(then) >= RESUMED_WITHIN) {
                lost.push(*user);
            }
            let Some(kept) = &seat.kept else { continue };
            let may_take_over = seat.taken_over.is_none_or(|then| since(then) >= TAKEN_OVER_EACH);
            if seat.holder.is_none() && since(kept.came) >= SAID_AGAIN_AFTER && may_take_over {
                orphaned.push(*user);
            } else if kept.sent.is_some_and(|then| since(then) >= SAID_AGAIN_AFTER) {
                unanswered.push(*user);
            }
        }
        lost.into_iter().for_each(|user| self.give_up(user, now, out));
        unanswered.into_iter().for_each(|user| self.say_again(user, now, out));
        // The gateway that holds them may be gone: nobody would ever answer.
        for user in orphaned {
            if let Some(seat) = self.seats.get_mut(&user) {
                seat.taken_over = Some(now.instant);
            }
            self.promote(user, now, out);
        }
    }

    /// A browser is connected to another gateway.
    pub(super) fn connected_elsewhere(
        &mut self,
        agent: AgentId,
        (gateway, epoch): (&str, Epoch),
        out: &mut Vec<Action>,
    ) {
        if gateway == self.gateway {
            return;
        }
        self.note_epoch(agent, epoch);
        let Some(user) = self.users.get(&agent).copied() else { return };
        let Some(seat) = self.seats.get_mut(&user) else { return };
        // Of two with the same number one stands by, and both know which.
        let ours = seat.holder.as_ref().map(|holder| (holder.tab.epoch, &*self.gateway));
        if ours.is_some_and(|ours| ours > (epoch, gateway)) {
            return;
        }
        seat.elsewhere = seat.elsewhere.max(Some(epoch));
        if let Some(holder) = seat.holder.take() {
            if let Some(kept) = seat.kept.take().filter(|kept| kept.sent.is_some()) {
                out.push(told(kept.order.name(), Verdict::Unknown, None));
                seat.finish(kept.order.name());
            }
            if holder.lost.is_none() {
                out.push(Action::Send(holder.tab.connection, Down::StandBy));
                seat.tabs.push(holder.tab);
            }
        }
        self.forget_empty(user);
    }

    /// A browser is gone from another gateway. Who stands by here holds him then.
    pub(super) fn disconnected_elsewhere(
        &mut self,
        agent: AgentId,
        (gateway, epoch): (&str, Epoch),
        now: Now,
        out: &mut Vec<Action>,
    ) {
        if gateway == self.gateway {
            return;
        }
        self.note_epoch(agent, epoch);
        let Some(user) = self.users.get(&agent).copied() else { return };
        let Some(seat) = self.seats.get_mut(&user) else { return };
        if seat.holder.is_none() && seat.elsewhere.is_none_or(|known| known <= epoch) {
            seat.elsewhere = None;
            self.promote(user, now, out);
        }
    }

    /// A command is to be done. Only who is here is told.
    pub(super) fn command(&mut self, order: Order, now: Now, out: &mut Vec<Action>) {
        let Some(user) = self.users.get(&order.agent).copied() else { return };
        let Some(seat) = self.seats.get_mut(&user) else { return };
        // What became of it may be read before it is: it is another partition.
        if seat.has_finished(order.name()) {
            return;
        }
        let before = seat.kept.replace(Kept { order, came: now.instant, sent: None });
        if let Some(before) = before.filter(|_| seat.holder.is_some()) {
            // Nobody knows of what was sent whether it was done.
            let verdict = if before.sent.is_some() { Verdict::Unknown } else { Verdict::Superseded };
            out.push(told(before.order.name(), verdict, None));
            seat.finish(before.order.name());
        }
        self.say_again(user, now, out);
    }

    /// What was to be done for him is void.
    pub(super) fn void(&mut self, agent: AgentId) {
        let user = self.users.get(&agent);
        if let Some(seat) = user.and_then(|user| self.seats.get_mut(user)) {
            seat.kept = None;
        }
    }

    /// Somebody has told what became of a command.
    pub(super) fn dealt_with(&mut self, name: CommandName) {
        let user = self.users.get(&name.agent);
        if let Some(seat) = user.and_then(|user| self.seats.get_mut(user))
            && seat.holder.is_none()
        {
            seat.finish(name);
        }
    }

    /// A page tells what its user is in. Only who holds him is listened to.
    pub(super) fn status(
        &mut self,
        (connection, user): (ConnectionId, UserId),
        told: Told,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let Some(seat) = self.seats.get_mut(&user) else { return };
        let Some(tab) = seat.tab_mut(connection) else { return };
        // A clock that is so far off is a page that tells nonsense, or has slept: its times are none.
        let is_sane = told.now.is_none_or(|there| there.since(now.time).abs() <= CLOCK_AHEAD_MAX);
        let told = if is_sane { told } else { Told { now: None, since: None, row: None, ..told } };
        if let Some(there) = told.now {
            tab.offset = DurationMs::from_ms(moved(tab.offset.as_ms(), there.since(now.time).as_ms()));
        }
        let offset = tab.offset;
        let holds = seat.held_by().is_some_and(|tab| tab.connection == connection);
        let Some(agent) = seat.agent.filter(|_| holds) else { return };
        let entry = self.known.entry(agent).or_default();
        // What shows him in it already says nothing new, where nobody knows since when: he may have come back. Where he was out of
        // reach it says that he is not any more; he is in it since then, as a start of its own would be a choice.
        let is_repeated =
            told.since.is_none() && told.cause == Cause::Unknown && entry.known.shown == Some(told.status);
        if is_repeated && (entry.known.reachable || told.status.is_off()) {
            return;
        }
        let there = now.time + offset;
        let since = told.since.filter(|since| since.since(there) <= START_AHEAD_MAX);
        let known_since = entry.known.since_raw.filter(|_| is_repeated);
        let since_raw = since.or(known_since).unwrap_or(there);
        entry.known = Known {
            shown: Some(told.status),
            since_raw: Some(since_raw),
            reachable: !told.status.is_off(),
            epoch: entry.known.epoch,
        };
        entry.told = Some((told.status, now.instant));
        let observation = Observation {
            status: Status::Salesforce(told.status),
            since_raw,
            offset,
            row: told.row.filter(|_| since.is_some()),
            cause: told.cause,
            asked: None,
            found_by: Feed::Bridge,
        };
        out.push(Action::Publish(agent, What::Observation(observation)));
    }

    /// A page tells what became of a command. That of another user is no business of his.
    pub(super) fn outcome(
        &mut self,
        (connection, user): (ConnectionId, UserId),
        done: &Done,
        out: &mut Vec<Action>,
    ) {
        let Some(seat) = self.seats.get_mut(&user) else { return };
        let Some(name) = done.command().filter(|name| Some(name.agent) == seat.agent) else {
            out.push(Action::Foreign(connection));
            return;
        };
        if seat.has_finished(name) || seat.tab_mut(connection).is_none() {
            return;
        }
        out.push(told(name, done.verdict(), done.detail()));
        seat.finish(name);
    }

    /// The gateway ends: all are told.
    pub(super) fn end(&mut self, now: Now, out: &mut Vec<Action>) {
        let users: Vec<UserId> = self.seats.keys().copied().collect();
        for user in users {
            let Some(seat) = self.seats.get_mut(&user) else { continue };
            for tab in seat.tabs.drain(..) {
                out.push(Action::Close(tab.connection, Reason::ShuttingDown));
            }
            if let Some(connection) = seat.held_by().map(|tab| tab.connection) {
                out.push(Action::Close(connection, Reason::ShuttingDown));
            }
            self.give_up(user, now, out);
        }
    }
}

fn told(name: CommandName, verdict: Verdict, detail: Option<String>) -> Action {
    Action::Publish(name.agent, What::Outcome(outcome(name, verdict, detail)))
}

const fn welcome(connection: ConnectionId, epoch: u64, holds: bool, session: Option<String>) -> Action {
    Action::Send(connection, Down::Welcome { epoch, holds, heartbeat_s: HEARTBEAT_S, session })
}
