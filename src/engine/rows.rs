//! The last rows of Salesforce that were taken, the newest whole and the others by how far before it they are.

use crate::domain::{RowId, SalesforceId};

use super::Epoch;
use super::kept::{Apart, ROWS_KEPT};
use super::state::{AgentState, Flags};

impl AgentState {
    /// The last rows taken, the newest first.
    pub(super) fn rows(&self) -> [Option<RowId>; ROWS_KEPT] {
        if self.flags.has(Flags::ROWS_BOXED) {
            return self.far().and_then(|far| far.rows).unwrap_or_default();
        }
        let newest = SalesforceId::from_bytes(self.row);
        let before = |apart: Apart| match apart.get() {
            0 => None,
            apart => Some(RowId::new(newest.before(apart))),
        };
        let [second, third, fourth] = self.rows;
        let first = (self.row != [0; 12]).then(|| RowId::new(newest));
        [first, before(second), before(third), before(fourth)]
    }

    /// Whether the row was taken before.
    pub(super) fn has_row(&self, row: RowId) -> bool {
        if self.flags.has(Flags::ROWS_BOXED) {
            return self.rows().contains(&Some(row));
        }
        if self.row == [0; 12] {
            return false;
        }
        match SalesforceId::from_bytes(self.row).distance(row.id()) {
            None => false,
            Some(0) => true,
            Some(apart) => Apart::new(apart).is_some_and(|apart| self.rows.contains(&apart)),
        }
    }

    /// Remembers a row as taken.
    pub(super) fn take_row(&mut self, row: Option<RowId>) {
        let observed = self.observed_row();
        self.push_row(row);
        self.set_observed_row(observed);
    }

    /// The observed row has to be told anew after this.
    pub(super) fn push_row(&mut self, row: Option<RowId>) {
        let Some(row) = row.filter(|row| !self.has_row(*row)) else { return };
        if !self.push_near(row) {
            let [first, second, third, _] = self.rows();
            self.set_rows([Some(row), first, second, third]);
        }
    }

    /// Most rows are near the one before: then the distances are all that changes.
    fn push_near(&mut self, row: RowId) -> bool {
        let none = [0; 12];
        if self.flags.has(Flags::ROWS_BOXED) || self.row == none || row.id().into_bytes() == none {
            return false;
        }
        let Some(step) = row.id().distance(SalesforceId::from_bytes(self.row)) else { return false };
        let moved = |apart: Apart| if apart == Apart::NONE { Some(apart) } else { apart.further(step) };
        let [second, third, _] = self.rows;
        let (Some(second), Some(third), Some(fourth)) = (Apart::new(step), moved(second), moved(third))
        else {
            return false;
        };
        self.rows = [second, third, fourth];
        self.row = row.id().into_bytes();
        true
    }

    pub(super) fn set_rows(&mut self, rows: [Option<RowId>; ROWS_KEPT]) {
        let [newest, before @ ..] = rows;
        let none = SalesforceId::from_bytes([0; 12]);
        let newest = newest.map_or(none, RowId::id);
        let mut apart = [Apart::NONE; ROWS_KEPT - 1];
        // An id of nothing but zeros looks like none.
        let mut is_far = newest == none && rows.iter().any(Option::is_some);
        for (slot, row) in apart.iter_mut().zip(before) {
            let Some(row) = row else { continue };
            match newest.distance(row.id()).and_then(Apart::new) {
                Some(near) => *slot = near,
                None => is_far = true,
            }
        }
        if is_far || self.flags.has(Flags::ROWS_BOXED) {
            self.far_mut().rows = Some(rows).filter(|_| is_far);
        }
        self.flags.set(Flags::ROWS_BOXED, is_far);
        self.row = newest.into_bytes();
        self.rows = apart;
    }

    /// The newest browser.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        let [a, b, c, d, e, f] = self.epoch;
        if self.flags.has(Flags::EPOCH) {
            return Some(Epoch(u64::from_be_bytes([0, 0, a, b, c, d, e, f])));
        }
        if self.flags.has(Flags::EPOCH_BOXED) { self.far().and_then(|far| far.epoch) } else { None }
    }

    pub(super) fn set_epoch(&mut self, epoch: Epoch) {
        let [high @ .., a, b, c, d, e, f] = epoch.0.to_be_bytes();
        let is_far = high != [0, 0];
        if is_far || self.flags.has(Flags::EPOCH_BOXED) {
            self.far_mut().epoch = Some(epoch).filter(|_| is_far);
        }
        self.epoch = if is_far { [0; 6] } else { [a, b, c, d, e, f] };
        self.flags.set(Flags::EPOCH, !is_far);
        self.flags.set(Flags::EPOCH_BOXED, is_far);
    }
}
