//! A row of Salesforce was closed. The old row closes before the new one opens, so Offline is only known after a
//! grace.

use crate::domain::{Cause, Platform, RowId};

use super::busy::{EarlyClose, PendingClose, Replaced};
use super::kept::Offset;
use super::observation::Seen;
use super::state::OFFLINE;
use super::{Mutation, Observation, Reason, RowClosed, Step, is_on};

impl Step<'_> {
    /// A row was closed, or a snapshot shows no current one.
    pub(super) fn row_closed(&mut self, closed: &RowClosed) -> Reason {
        let closed = &RowClosed { offset: Offset::new(closed.offset).get(), ..*closed };
        let observed = self.state.observed(Platform::Salesforce);
        match (closed.row, observed) {
            (Some(row), Some(observed)) if observed.row == Some(row) => self.close(closed),
            (Some(row), _) if self.state.has_row(row) => Reason::ClosedLate,
            (Some(row), _) => {
                let close = EarlyClose { row, at_raw: closed.at_raw, offset: Offset::new(closed.offset) };
                if self.state.early_close().is_none_or(|newest| close.at_raw >= newest.at_raw) {
                    self.state.set_early_close(Some(close));
                }
                Reason::ClosedEarly
            }
            (None, Some(observed)) if observed.status == OFFLINE => Reason::ClosedLate,
            // The question was asked before what is observed began.
            (None, Some(observed)) if closed.asked.is_none_or(|asked| observed.since() > asked) => {
                Reason::ClosedLate
            }
            (None, _) => self.close(closed),
        }
    }

    fn close(&mut self, closed: &RowClosed) -> Reason {
        if self.state.pending_close().is_none() {
            let due = self.now + self.settings.grace;
            let close = PendingClose { at_raw: closed.at_raw, offset: Offset::new(closed.offset), due };
            self.state.set_pending_close(Some(close));
        }
        if is_on(Mutation::NoGrace) {
            self.grace_over();
        }
        Reason::Closing
    }

    /// A row that was taken just now may have been closed before it was seen.
    pub(super) fn close_early(&mut self, row: Option<RowId>) {
        if let Some(close) = self.state.early_close().filter(|close| Some(close.row) == row) {
            self.state.set_early_close(None);
            let due = self.now + self.settings.grace;
            self.state.set_pending_close(Some(PendingClose {
                at_raw: close.at_raw,
                offset: close.offset,
                due,
            }));
        }
    }

    /// No row followed: Offline since the close, but not before a start that was observed without its row.
    pub(super) fn grace_over(&mut self) {
        let Some(close) = self.state.pending_close() else { return };
        self.state.set_pending_close(None);
        let before = self.state.observed(Platform::Salesforce);
        let rowless_start =
            before.filter(|observed| observed.row.is_none()).map(|observed| observed.since_raw);
        let since_raw = rowless_start.map_or(close.at_raw, |start| close.at_raw.max(start));
        let replaced = Replaced {
            close_raw: close.at_raw,
            observed: before,
            reachable: self.state.is_reachable(Platform::Salesforce),
            intent: None,
        };
        let (intent, caught_up) = (self.state.intent(), self.state.caught_up());
        let observation = Observation {
            status: OFFLINE,
            since_raw,
            offset: close.offset.get(),
            row: None,
            cause: Cause::Unknown,
            asked: None,
        };
        let seen = Seen {
            observation,
            at: since_raw - close.offset.get(),
            before: self.state.shown(Platform::Salesforce),
            observed: before,
            contact: self.state.contact(),
        };
        self.judge(&seen);
        let intent = self.effects.decision.new_intent.then_some((intent, caught_up));
        self.state.set_replaced(Some(Replaced { intent, ..replaced }));
    }
}
