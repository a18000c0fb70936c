//! What tells nothing new of where the agent is: repeated, the same change by another feed, or too old.

use crate::domain::{DurationMs, Platform};

use super::Seen;
use crate::engine::kept::{Intent, Observed, Offset};
use crate::engine::ring::Entry;
use crate::engine::state::OFFLINE;
use crate::engine::{Mutation, Observation, PLATFORMS, Reason, Status, Step, is_on};

/// A row that begins so soon after the close from which Offline was inferred belongs to that change of status.
const TAKEN_BACK: DurationMs = DurationMs::from_seconds(1);

/// The console and Change Data Capture tell starts of one change that differ by no more than this.
const SAME_CHANGE: DurationMs = DurationMs::from_seconds(10);

impl Step<'_> {
    /// An Offline that was inferred from a close is taken back where the row that followed comes late, or a
    /// snapshot still shows the old one. Then everything is as if the row had come in time.
    pub(super) fn take_back(&mut self, observation: &Observation) {
        let Some(replaced) = self.state.replaced() else { return };
        let is_observed = self.state.shown(Platform::Salesforce) == Some(OFFLINE);
        let is_shown = observation.asked.is_some_and(|asked| asked > replaced.close_raw - observation.offset);
        // A row that was taken for an older one follows all the same, if a snapshot shows it.
        let followed = observation.row.is_some_and(|row| {
            let after = observation.since_raw.since(replaced.close_raw);
            (is_shown || !self.state.has_row(row)) && after >= DurationMs::ZERO && after <= TAKEN_BACK
        });
        let still_shown = is_shown
            && observation.row.is_some()
            && observation.row == replaced.observed.and_then(|observed| observed.row);
        if !is_observed || !(followed || still_shown) {
            return;
        }
        self.state.set_replaced(None);
        self.state.observe(Platform::Salesforce, replaced.observed);
        self.state.set_reachable(Platform::Salesforce, replaced.reachable);
        if let Some((intent, caught_up)) = replaced.intent {
            self.state.take_back_intent(intent);
            self.effects.decision.new_intent = true;
            self.retarget();
            for platform in PLATFORMS {
                self.state.set_caught_up(platform, *caught_up.of(platform));
            }
        }
        self.effects.decision.taken_back = true;
    }

    /// The reason where an observation tells nothing new.
    pub(super) fn repeated(&mut self, seen: &Seen) -> Option<Reason> {
        let observed = seen.observed?;
        if self.is_same_change(seen, &observed) {
            return Some(self.same_change(seen));
        }
        if self.is_duplicate(seen, &observed) {
            let repeats = observed.status == seen.status()
                && (observed.since_raw == seen.observation.since_raw
                    || observed.row.is_some() && observed.row == seen.observation.row);
            if repeats && !seen.status().is_off() {
                let now = self.now;
                self.is_back = !self.state.is_reachable(seen.platform());
                self.state.reached(seen.platform(), now);
            }
            return Some(Reason::Duplicate);
        }
        self.is_stale(seen, &observed).then(|| self.stale(seen, &observed))
    }

    fn is_duplicate(&self, seen: &Seen, observed: &Observed) -> bool {
        let Observation { status, since_raw, row, .. } = seen.observation;
        if observed.status == status && observed.since_raw == since_raw {
            return true;
        }
        let is_observed_row = row.is_some() && row == observed.row;
        let shown = seen.is_shown_by_snapshot_since(observed);
        if row.is_some_and(|row| self.state.has_row(row)) {
            return is_observed_row || !shown;
        }
        let was_echo = |entry: &Entry| entry.status == status && entry.is_matched_with(since_raw);
        let echo_taken = self.state.ring().of(seen.platform()).any(was_echo);
        echo_taken && !shown
    }

    /// The two feeds of Salesforce tell of one change, one with its row and one without.
    fn is_same_change(&self, seen: &Seen, observed: &Observed) -> bool {
        if seen.platform() != Platform::Salesforce
            || observed.status != seen.status()
            || observed.row.is_some() == seen.observation.row.is_some()
        {
            return false;
        }
        let apart = seen.observation.since_raw.since(observed.since_raw).abs();
        // Who chooses what our command has just set there, and the console says so, has made another change.
        let another = observed.ours && seen.observation.cause.is_person();
        // What came before is a duplicate first, unless it now names its row.
        let lends_row = seen.observation.row.is_some() && apart == DurationMs::ZERO;
        !another
            && apart <= SAME_CHANGE
            && !seen.observation.row.is_some_and(|row| self.state.has_row(row))
            && (lends_row || !self.is_duplicate(seen, observed))
    }

    /// The row and its start are taken over, also by an intent that the observation made.
    fn same_change(&mut self, seen: &Seen) -> Reason {
        let Observation { status, since_raw, offset, row, .. } = seen.observation;
        let now = self.now;
        if row.is_some() {
            let observed = self.state.observed(Platform::Salesforce);
            let made = observed.map(|observed| observed.since());
            let offset = Offset::new(offset);
            // Any new row ends a grace, also the row of what was observed without one.
            self.state.set_pending_close(None);
            if let Some(observed) = observed {
                self.state.take(Observed { since_raw, offset, row, ..observed });
            }
            if let Some(intent) = self.state.intent()
                && intent.status == status
                && made.is_some_and(|made| intent.since == made.max(intent.floor))
            {
                let since = seen.at.max(intent.floor);
                self.state.set_intent(Some(Intent { since, offset, ..intent }));
                self.retarget();
            }
            self.close_early(row);
        }
        if !status.is_off() {
            self.state.reached(Platform::Salesforce, now);
        }
        Reason::SameChange
    }

    /// Salesforce: begins before what is observed, unless a snapshot shows it that was asked since. CXone is
    /// polled: what is later in the log is what it shows, but for a log-out.
    fn is_stale(&self, seen: &Seen, observed: &Observed) -> bool {
        let earlier = seen.observation.since_raw < observed.since_raw && !is_on(Mutation::StaleIsTaken);
        match seen.status() {
            Status::Cxone(status) => earlier && status.is_off(),
            Status::Salesforce(_) => {
                let closed_before = self.state.early_close().is_some_and(|close| {
                    Some(close.row) == seen.observation.row
                        && observed.row.is_some()
                        && observed.since_raw >= seen.observation.since_raw
                });
                closed_before || earlier && !seen.is_shown_by_snapshot_since(observed)
            }
        }
    }

    /// Too old. Yet what our own command overwrote may have been the agent's latest choice.
    fn stale(&mut self, seen: &Seen, observed: &Observed) -> Reason {
        self.state.take_row(seen.observation.row);
        if self.state.early_close().is_some_and(|close| Some(close.row) == seen.observation.row) {
            self.state.set_early_close(None);
        }
        let is_newer = self.state.intent().is_none_or(|intent| {
            if intent.platform() == seen.platform() {
                seen.observation.since_raw > intent.since_raw()
            } else {
                seen.at > intent.since
            }
        });
        if observed.ours && !seen.status().is_off() && is_newer && self.echo(seen).is_none() {
            self.choose(seen, false);
            return Reason::Overwritten;
        }
        Reason::StaleView
    }
}
