//! Salesforce: rows, two feeds with their own delays and clock, snapshots, and a browser that acts on commands.

use crate::domain::{Cause, DurationMs, RowId, SalesforceStatus, TimeMs};
use crate::engine::{Command, Epoch, Observation, Outcome, RowClosed, Status, Verdict, What};

use super::random::Random;
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
    ahead: DurationMs,
    measured: DurationMs,
    /// The newest command without an outcome.
    pending: Option<Command>,
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
        }
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
            Item::Snapshot => self.snapshot(),
            Item::Open => self.open_browser(),
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
    pub(super) fn change_salesforce(&mut self, status: SalesforceStatus, cause: Cause) {
        if status == self.salesforce.status && status.is_off() {
            return;
        }
        self.note(|| format!("SALESFORCE {status:?} by {cause:?}"));
        let now = self.now;
        if !self.salesforce.status.is_off() {
            self.salesforce.ended = now;
            let close = self.closed(row_id(self.salesforce.row), now, None);
            self.tell(close, 300, 3_000, 4);
        }
        self.salesforce.status = status;
        // Rows begin in the order in which they are made.
        self.salesforce.since = (now + self.random.ms(0, 400)).max(self.salesforce.since);
        let mut row = None;
        if !status.is_off() {
            self.salesforce.row += 1;
            row = row_id(self.salesforce.row);
            let open = self.observation(row, self.salesforce.since, Cause::Unknown, None);
            self.tell(open, 300, 4_000, 4);
        }
        if self.salesforce.is_connected {
            let knows_row = self.random.percent(60);
            let (row, start) = if knows_row {
                (row, self.salesforce.since)
            } else {
                (None, now + self.random.ms(-1_500, 1_500))
            };
            let told = self.observation(row, start, cause, None);
            self.tell(told, 50, 600, 2);
        }
    }

    /// A feed tells: late, now and then not at all, now and then twice.
    fn tell(&mut self, what: What, low: i64, high: i64, lost: i64) {
        if self.random.percent(lost) {
            return;
        }
        let delay = self.random.ms(low, high);
        self.at(delay, Next::Log(what));
        if self.random.percent(5) {
            let again = self.random.ms(low, high * 4);
            self.at(again, Next::Log(what));
        }
    }

    fn snapshot(&mut self) {
        let now = self.now;
        let what = if self.salesforce.status.is_off() {
            self.closed(None, self.salesforce.ended, Some(now))
        } else {
            self.observation(row_id(self.salesforce.row), self.salesforce.since, Cause::Unknown, Some(now))
        };
        let delay = self.random.ms(200, 3_000);
        self.at(delay, Next::Log(what));
        self.at(SNAPSHOT, Next::Salesforce(Item::Snapshot));
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
            self.outcome(old, Verdict::Superseded, 5, 50);
        }
        if self.salesforce.is_connected {
            let (delay, epoch) = (self.random.ms(20, 400), self.salesforce.epoch);
            self.at(delay, Next::Salesforce(Item::Deliver(command, epoch)));
        }
    }

    fn deliver(&mut self, command: Command, epoch: Epoch) {
        let is_newest = self.salesforce.pending.is_some_and(|pending| pending.sequence == command.sequence);
        let is_there = self.salesforce.is_connected && self.salesforce.epoch == epoch;
        let Status::Salesforce(status) = command.status else { return };
        if !is_newest || !is_there {
            return;
        }
        // What is not acknowledged is delivered again, for as long as it takes.
        self.at(DELIVER_AGAIN, Next::Salesforce(Item::Deliver(command, epoch)));
        if self.random.percent(2) {
            return;
        }
        if self.salesforce.status.is_off() {
            self.salesforce.pending = None;
            self.outcome(command, Verdict::Unreachable, 20, 300);
            return;
        }
        if self.salesforce.status != status {
            self.change_salesforce(status, Cause::Toolkit);
        }
        // The acknowledgement may be lost: then there is no outcome yet.
        if !self.random.percent(3) {
            self.salesforce.pending = None;
            self.outcome(command, Verdict::Accepted, 20, 300);
        }
    }

    pub(super) fn outcome(&mut self, command: Command, verdict: Verdict, low: i64, high: i64) {
        let outcome = Outcome { platform: command.platform(), command: command.sequence, verdict };
        let delay = self.random.ms(low, high);
        self.at(delay, Next::Log(What::Outcome(outcome)));
        if self.random.percent(3) {
            self.at(delay + DurationMs::from_ms(900), Next::Log(What::Outcome(outcome)));
        }
    }
}
