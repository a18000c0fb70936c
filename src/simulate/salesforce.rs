//! Salesforce: rows, two feeds with their own delays and clock, snapshots, and a browser that acts on commands.

use crate::domain::{Cause, DurationMs, Platform, RowId, SalesforceStatus, TimeMs};
use crate::engine::{Command, Epoch, Observation, RowClosed, Status, Verdict, What};

use super::faults::Fault;
use super::random::Random;
use super::truth::By;
use super::world::{Item as Next, World};

/// How often a snapshot is asked.
const SNAPSHOT: DurationMs = DurationMs::from_seconds(300);

/// When a gateway delivers a command again that was not acknowledged.
const DELIVER_AGAIN: DurationMs = DurationMs::from_seconds(10);

/// What is still to happen in Salesforce.
pub(super) enum Item {
    /// A snapshot is asked.
    Snapshot,
    /// A command reaches the browser with this epoch.
    Deliver(Command, Epoch),
    /// A browser loads.
    Open,
    /// The feed and the snapshots are there again.
    Back,
}

/// The org, as it is.
pub(super) struct Salesforce {
    pub(super) status: SalesforceStatus,
    pub(super) is_connected: bool,
    row: u32,
    since: TimeMs,
    /// When the last row ended.
    ended: TimeMs,
    epoch: Epoch,
    /// How far its clock is ahead of ours, and how far we believe it is.
    pub(super) ahead: DurationMs,
    measured: DurationMs,
    /// The newest command without an outcome.
    pending: Option<Command>,
    /// It was sent at least once.
    is_sent: bool,
    /// When the budget allows the next call.
    free_at: TimeMs,
    /// The feed and the snapshots are silent; what the feed has still to tell.
    silent_since: Option<TimeMs>,
    backlog: Vec<Next>,
}

impl Salesforce {
    pub(super) fn new(random: &mut Random) -> Self {
        let ahead = random.ms(-3_000, 3_000);
        Salesforce {
            status: SalesforceStatus::Offline,
            is_connected: false,
            row: 0,
            since: TimeMs::default(),
            ended: TimeMs::default(),
            epoch: Epoch(0),
            ahead,
            measured: ahead + random.ms(-400, 400),
            pending: None,
            is_sent: false,
            free_at: TimeMs::default(),
            silent_since: None,
            backlog: Vec::new(),
        }
    }

    /// The agent is gone, and what was kept for him with him.
    pub(super) const fn drop_commands(&mut self) {
        self.pending = None;
    }
}

fn row_id(number: u32) -> Option<RowId> {
    format!("0Ps{number:012}").parse().ok()
}

impl World {
    pub(super) fn begin_salesforce(&mut self) {
        self.salesforce.ended = self.now - DurationMs::from_seconds(3_600);
        self.at(DurationMs::from_seconds(1), Next::Salesforce(Item::Snapshot));
    }

    pub(super) fn salesforce_item(&mut self, item: Item) {
        match item {
            Item::Snapshot => {
                self.snapshot();
                self.at(SNAPSHOT, Next::Salesforce(Item::Snapshot));
            }
            Item::Open => self.open_browser(),
            Item::Back => self.salesforce_is_back(),
            Item::Deliver(command, epoch) => self.deliver(command, epoch),
        }
    }

    fn observation(&self, row: Option<RowId>, since: TimeMs, cause: Cause, asked: Option<TimeMs>) -> What {
        What::Observation(Observation {
            status: Status::Salesforce(self.salesforce.status),
            since_raw: since + self.salesforce.ahead,
            offset: self.salesforce.measured,
            row,
            cause,
            asked,
        })
    }

    fn closed(&self, row: Option<RowId>, at: TimeMs, asked: Option<TimeMs>) -> What {
        What::RowClosed(RowClosed {
            row,
            at_raw: at + self.salesforce.ahead,
            offset: self.salesforce.measured,
            asked,
        })
    }

    /// The agent's status changes: one row ends, another begins, and both feeds tell in their own time.
    pub(super) fn change_salesforce(&mut self, status: SalesforceStatus, by: By) {
        let was = self.salesforce.status;
        if status == was && status.is_off() {
            return;
        }
        self.changed(Status::Salesforce(was), Status::Salesforce(status), by);
        let now = self.now;
        if !self.salesforce.status.is_off() {
            self.salesforce.ended = now;
            let close = self.closed(row_id(self.salesforce.row), now, None);
            self.tell_by_feed(close, 3_000);
        }
        self.salesforce.status = status;
        // Rows begin in the order in which they are made.
        let next = self.salesforce.since + DurationMs::from_ms(1);
        self.salesforce.since = (now + self.random.ms(0, 400)).max(next);
        let mut row = None;
        if !status.is_off() {
            self.salesforce.row += 1;
            row = row_id(self.salesforce.row);
            let open = self.observation(row, self.salesforce.since, Cause::Unknown, None);
            self.tell_by_feed(open, 4_000);
        }
        if self.salesforce.is_connected {
            let knows_row = self.random.percent(60);
            let (row, start) = if knows_row {
                (row, self.salesforce.since)
            } else {
                (None, now + self.random.ms(-1_500, 1_500))
            };
            let told = self.observation(row, start, by.cause(), None);
            self.tell(told, 50, 600, 2);
        }
    }

    /// Change Data Capture tells; in an outage it will, once that is over.
    fn tell_by_feed(&mut self, what: What, high: i64) {
        if self.salesforce.silent_since.is_some() {
            let later = self.later(what);
            self.salesforce.backlog.push(later);
        } else {
            self.tell(what, 300, high, 4);
        }
    }

    /// The feed and the snapshots fall silent; often the console does, too.
    pub(super) fn silence_salesforce(&mut self) {
        if self.salesforce.silent_since.is_some() {
            return;
        }
        self.note(|| "SALESFORCE is silent".to_owned());
        self.salesforce.silent_since = Some(self.now);
        let length = self.random.ms(5_000, 900_000);
        self.at(length, Next::Salesforce(Item::Back));
        if self.random.percent(50) {
            self.close_browser(true);
        }
    }

    /// What the feed had to tell comes now, in its order.
    pub(super) fn salesforce_is_back(&mut self) {
        let Some(since) = self.salesforce.silent_since.take() else { return };
        self.note(|| "SALESFORCE is back".to_owned());
        self.truth.outages.push((since, self.now));
        let mut delay = self.random.ms(200, 2_000);
        for told in std::mem::take(&mut self.salesforce.backlog) {
            self.at(delay, told);
            delay = delay + self.random.ms(0, 20);
        }
    }

    /// Brings what is told now to the log later.
    fn later(&self, what: What) -> Next {
        match (what, self.truth.last(Platform::Salesforce)) {
            (What::Observation(_), Some(change)) => Next::Shown(what, change),
            _ => Next::Log(what),
        }
    }

    /// A feed tells: late, now and then not at all, now and then twice.
    fn tell(&mut self, what: What, low: i64, high: i64, lost: i64) {
        if self.random.percent(lost) {
            return;
        }
        let delay = self.random.ms(low, high);
        self.at(delay, self.later(what));
        if self.random.percent(5) {
            let again = self.random.ms(low, high * 4);
            self.at(again, self.later(what));
        }
    }

    pub(super) fn snapshot(&mut self) {
        if self.salesforce.silent_since.is_some() {
            return;
        }
        let now = self.now;
        let what = if self.salesforce.status.is_off() {
            self.closed(None, self.salesforce.ended, Some(now))
        } else {
            self.observation(row_id(self.salesforce.row), self.salesforce.since, Cause::Unknown, Some(now))
        };
        let delay = self.random.ms(200, 3_000);
        self.at(delay, self.later(what));
        if self.random.percent(20) {
            self.salesforce.measured = self.salesforce.ahead + self.random.ms(-400, 400);
        }
    }

    /// The console loads. The gateway delivers what it still has for him.
    pub(super) fn open_browser(&mut self) {
        if self.salesforce.is_connected || self.salesforce.status.is_off() {
            return;
        }
        self.salesforce.is_connected = true;
        self.salesforce.epoch = Epoch(self.salesforce.epoch.0 + 1);
        let epoch = self.salesforce.epoch;
        self.note(|| format!("BROWSER {} opens", epoch.0));
        self.at(DurationMs::from_ms(20), Next::Log(What::Connected(epoch)));
        if let Some(command) = self.salesforce.pending {
            let delay = self.random.ms(30, 400);
            self.at(delay, Next::Salesforce(Item::Deliver(command, epoch)));
        }
    }

    /// The console is closed. Presence ends with it only if he logs out, too.
    pub(super) fn close_browser(&mut self, opens_again: bool) {
        if !self.salesforce.is_connected {
            return;
        }
        self.salesforce.is_connected = false;
        let epoch = self.salesforce.epoch;
        self.note(|| format!("BROWSER {} closes", epoch.0));
        let delay = self.random.ms(20, 5_000);
        self.at(delay, Next::Log(What::Disconnected(epoch)));
        if opens_again {
            let delay = self.random.ms(500, 120_000);
            self.at(delay, Next::Salesforce(Item::Open));
        }
    }

    pub(super) fn command_salesforce(&mut self, command: Command) {
        if let Some(old) = self.salesforce.pending.replace(command) {
            // Nobody knows of what was sent whether it was done.
            let verdict = if self.salesforce.is_sent { Verdict::Unknown } else { Verdict::Superseded };
            self.outcome(old, verdict, 5, 50);
        }
        self.salesforce.is_sent = false;
        if self.salesforce.is_connected {
            let (delay, epoch) = (self.random.ms(20, 400), self.salesforce.epoch);
            self.at(delay, Next::Salesforce(Item::Deliver(command, epoch)));
        }
    }

    fn deliver(&mut self, command: Command, epoch: Epoch) {
        let is_there = self.salesforce.is_connected && self.salesforce.epoch == epoch;
        let Status::Salesforce(status) = command.status else { return };
        if self.salesforce.pending != Some(command) || !is_there {
            return;
        }
        if self.now < self.salesforce.free_at {
            let wait = self.salesforce.free_at.since(self.now);
            self.at(wait, Next::Salesforce(Item::Deliver(command, epoch)));
            return;
        }
        self.salesforce.free_at = self.now + self.faults.budget;
        self.salesforce.is_sent = true;
        // What is not acknowledged is delivered again, for as long as it takes.
        self.at(DELIVER_AGAIN, Next::Salesforce(Item::Deliver(command, epoch)));
        if self.random.percent(2) {
            return;
        }
        if let Some(verdict) = self.refusal(&command) {
            self.salesforce.pending = None;
            self.outcome(command, verdict, 20, 300);
            return;
        }
        if self.salesforce.status != status {
            self.change_salesforce(status, By::Command { command, late: false });
        }
        // The acknowledgement may be lost: then there is no outcome yet.
        if !self.random.percent(3) {
            self.salesforce.pending = None;
            self.outcome(command, Verdict::Accepted, 20, 300);
        }
    }

    fn refusal(&mut self, command: &Command) -> Option<Verdict> {
        if self.salesforce.status.is_off() {
            Some(Verdict::Unreachable)
        } else if self.faults.refused.salesforce == Some(command.status) {
            Some(Verdict::Permanent)
        } else {
            (self.faults.has(Fault::Conflicts) && self.random.percent(8)).then_some(Verdict::Conflict)
        }
    }
}
