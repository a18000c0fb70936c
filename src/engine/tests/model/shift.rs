//! Which states are one: times count by their differences, rows and commands by their order.
//!
//! Every pattern here is exhaustive on purpose: a new field of the state must say what it is.
//! - **Times** are moved so that `now` is fixed. What is longer ago than all that the law compares with is brought
//!   nearer: between two moments that follow one another at most [`GAP`] is kept. No comparison of the engine can
//!   tell, for all its lengths but one are shorter; the one, 15 minutes, is only ever passed by a rest, whose
//!   events are applied before this is done. What is still to come is not brought nearer.
//! - **Commands** and **rows** are numbered anew in their order. A row that nothing can name any more is dropped
//!   from the rows taken. Of an intent's number only matters whether it is the present one's.

use crate::domain::{Both, DurationMs, Platform, RowId, TimeMs};
use crate::engine::flapping::Flapping;
use crate::engine::ring::{Entry, Ring};
use crate::engine::state::{Contact, EarlyClose, Observed, PendingClose, Replaced, Side};
use crate::engine::timer::Armed;
use crate::engine::{AgentState, Generation, Intent, Sequence, Verdict};

/// The moment that is always now.
pub(super) const NOW: TimeMs = TimeMs::from_unix_ms(1_000_000_000);

/// Longer than every length that the engine compares with here, but for the 15 minutes of a matched command.
const GAP_MS: i64 = 31_000;

/// How far Salesforce's clock is ahead of ours; CXone's is right.
pub(super) const AHEAD: DurationMs = DurationMs::from_seconds(40);

/// Whatever is told apart only by its place among its like.
pub(super) trait Visit {
    fn time(&mut self, time: &mut TimeMs);
    fn row(&mut self, row: &mut RowId);
    fn sequence(&mut self, sequence: &mut Sequence);

    fn raw(&mut self, time: &mut TimeMs, offset: DurationMs) {
        let mut ours = *time - offset;
        self.time(&mut ours);
        *time = ours + offset;
    }
}

/// First everything is gathered.
#[derive(Default)]
pub(super) struct Gather {
    times: Vec<i64>,
    rows: Vec<RowId>,
    sequences: Vec<u32>,
}

impl Visit for Gather {
    fn time(&mut self, time: &mut TimeMs) {
        self.times.push(time.as_unix_ms());
    }
    fn row(&mut self, row: &mut RowId) {
        self.rows.push(*row);
    }
    fn sequence(&mut self, sequence: &mut Sequence) {
        self.sequences.push(sequence.0);
    }
}

/// Then everything gets its new value.
pub(super) struct Renumber<'t> {
    now: i64,
    /// Times of the past and their new values, the newest first.
    times: Vec<(i64, i64)>,
    rows: Vec<RowId>,
    sequences: Vec<u32>,
    table: &'t [RowId],
}

impl Gather {
    /// New values for all that was gathered.
    pub(super) fn renumber(mut self, now: TimeMs, table: &[RowId]) -> Renumber<'_> {
        let now = now.as_unix_ms();
        self.times.retain(|time| *time < now);
        self.times.sort_unstable_by(|a, b| b.cmp(a));
        self.times.dedup();
        let (mut before, mut moved) = (now, NOW.as_unix_ms());
        let mut times = Vec::with_capacity(self.times.len());
        for time in self.times {
            moved -= (before - time).min(GAP_MS);
            before = time;
            times.push((time, moved));
        }
        self.rows.sort_unstable();
        self.rows.dedup();
        self.sequences.sort_unstable();
        self.sequences.dedup();
        Renumber { now, times, rows: self.rows, sequences: self.sequences, table }
    }
}

impl Renumber<'_> {
    fn knows(&self, row: RowId) -> bool {
        self.rows.contains(&row)
    }

    /// The first row that is not used yet.
    pub(super) fn next_row(&self) -> u8 {
        self.rows.len() as u8
    }
}

impl Visit for Renumber<'_> {
    fn time(&mut self, time: &mut TimeMs) {
        let old = time.as_unix_ms();
        let new = if old >= self.now {
            NOW.as_unix_ms() + (old - self.now)
        } else {
            self.times.iter().find(|(from, _)| *from == old).unwrap().1
        };
        *time = TimeMs::from_unix_ms(new);
    }
    fn row(&mut self, row: &mut RowId) {
        *row = self.table[self.rows.iter().position(|r| r == row).unwrap()];
    }
    fn sequence(&mut self, sequence: &mut Sequence) {
        sequence.0 = self.sequences.iter().position(|s| *s == sequence.0).unwrap() as u32 + 1;
    }
}

/// Everything but `rows`, which names no row that is not named elsewhere, too.
pub(super) fn agent(state: &mut AgentState, visit: &mut impl Visit) {
    let AgentState {
        membership: _,
        intent,
        intent_number: _,
        sides: Both { salesforce, cxone },
        rows: _,
        contact,
        previous: _,
        pending_close,
        early_close,
        replaced,
        epoch: _,
        flapping: Flapping { times, until, length: _, window: _ },
        armed,
        generation: _,
        issued,
    } = state;
    intent.iter_mut().for_each(|intent| self::intent(intent, visit));
    side(salesforce, Platform::Salesforce, visit);
    side(cxone, Platform::Cxone, visit);
    if let Some(Contact { status: _, since, before: _ }) = contact {
        visit.time(since);
    }
    if let Some(PendingClose { at_raw, offset, due }) = pending_close {
        visit.raw(at_raw, *offset);
        visit.time(due);
    }
    if let Some(EarlyClose { row, at_raw, offset }) = early_close {
        visit.row(row);
        visit.raw(at_raw, *offset);
    }
    if let Some(Replaced { close_raw, observed, reachable: _, intent }) = replaced {
        visit.raw(close_raw, AHEAD);
        observed.iter_mut().for_each(|observed| self::observed(observed, visit));
        if let Some((Some(before), _, _)) = intent {
            self::intent(before, visit);
        }
    }
    times.iter_mut().chain(until).for_each(|time| visit.time(time));
    if let Some(Armed { at, cause: _, generation: _ }) = armed {
        visit.time(at);
    }
    visit.sequence(issued);
}

fn intent(intent: &mut Intent, visit: &mut impl Visit) {
    let Intent { status: _, since, offset: _, floor, at_login: _ } = intent;
    visit.time(since);
    visit.time(floor);
}

fn observed(observed: &mut Observed, visit: &mut impl Visit) {
    let Observed { status: _, since_raw, offset, row, ours: _ } = observed;
    visit.raw(since_raw, *offset);
    row.iter_mut().for_each(|row| visit.row(row));
}

fn side(side: &mut Side, platform: Platform, visit: &mut impl Visit) {
    let Side {
        observed,
        outstanding,
        ring: Ring(entries),
        reachable: _,
        up_at,
        caught_up: _,
        lapsed: _,
        owes_correction: _,
        diverged: _,
        target: _,
    } = side;
    observed.iter_mut().for_each(|observed| self::observed(observed, visit));
    outstanding.iter_mut().for_each(|sequence| visit.sequence(sequence));
    visit.time(up_at);
    for entry in entries {
        let Entry { sequence, status: _, issued, intent: _, outcome, settled, matched } = entry;
        visit.sequence(sequence);
        visit.time(issued);
        if let Some((_, at)) = outcome {
            visit.time(at);
        }
        settled.iter_mut().for_each(|time| visit.time(time));
        let ahead = if platform == Platform::Salesforce { AHEAD } else { DurationMs::ZERO };
        matched.iter_mut().for_each(|time| visit.raw(time, ahead));
    }
}

/// Times that can make no difference any more.
pub(super) fn forget_times(state: &mut AgentState, now: TimeMs) {
    // The flap guard is out of the way in these worlds.
    state.flapping.times.clear();
    for side in [&mut state.sides.salesforce, &mut state.sides.cxone] {
        let outstanding = side.outstanding;
        let is_outstanding = |entry: &Entry| Some(entry.sequence) == outstanding;
        // Only a second outcome would name it.
        side.ring.0.retain(|entry| {
            let verdict = entry.outcome.map(|(verdict, _)| verdict);
            is_outstanding(entry) || !matches!(verdict, Some(Verdict::Superseded | Verdict::Unreachable))
        });
        // Of a matched one only its outcome and its echo are looked at.
        for entry in side.ring.iter_mut().filter(|e| e.matched.is_some() && e.outcome.is_some()) {
            if !is_outstanding(entry) {
                *entry = Entry { issued: now, intent: u32::MAX, settled: None, ..*entry };
            }
        }
        // Only commands without an outcome are compared with it.
        if side.ring.iter().all(|entry| entry.outcome.is_some() || entry.issued >= side.up_at) {
            side.up_at = TimeMs::default();
        }
    }
}

/// What is renumbered by no order: intents, armings, and rows that nothing names any more.
pub(super) fn forget_names(state: &mut AgentState, renumber: &mut Renumber) {
    for row in &mut state.rows {
        *row = row.filter(|row| renumber.knows(*row));
        row.iter_mut().for_each(|row| renumber.row(row));
    }
    let present = std::mem::replace(&mut state.intent_number, 1);
    let is_present = |number: &mut u32| *number = u32::from(*number == present);
    for side in [&mut state.sides.salesforce, &mut state.sides.cxone] {
        side.ring.iter_mut().for_each(|entry| is_present(&mut entry.intent));
    }
    if let Some(Replaced { intent: Some((_, number, _)), .. }) = &mut state.replaced {
        is_present(number);
    }
    if let Some(armed) = &mut state.armed {
        armed.generation = Generation(1);
    }
    state.generation = Generation(1);
}
