//! Which states are one: times count by their differences, rows and commands by their order.
//!
//! Every pattern here is exhaustive on purpose: a new field of the state must say what it is.
//! - **Times** are moved so that `now` is fixed. What is longer ago than all that the law compares with is brought
//!   nearer: between two moments that follow one another at most [`GAP`] is kept. No comparison of the engine can
//!   tell, for all its lengths but one are shorter; the one, 15 minutes, is only ever passed by a rest, whose
//!   events are applied before this is done. What is still to come is not brought nearer.
//! - **Commands** and **rows** are numbered anew in their order. A row that nothing can name any more is dropped
//!   from the rows taken.

use crate::domain::{Both, DurationMs, Platform, RowId, TimeMs};
use crate::engine::busy::{Busy, Contact, EarlyClose, PendingClose, Rare, Replaced, Waiting};
use crate::engine::flapping::Flapping;
use crate::engine::kept::Observed;
use crate::engine::ring::{Entry, Ring};
use crate::engine::state::Side;
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

/// Everything but the rows that were taken, which name none that is not named elsewhere, too.
pub(super) fn agent(state: &mut AgentState, visit: &mut impl Visit) {
    let (mut observed_row, mut kept) = (state.observed_row(), state.intent());
    kept.iter_mut().for_each(|intent| self::intent(intent, visit));
    state.set_intent(kept);
    let AgentState {
        busy,
        assignment: _,
        generation: _,
        issued,
        choice: _,
        salesforce,
        cxone,
        previous: _,
        row: _,
        rows: _,
        epoch: _,
        flags: _,
    } = state;
    observed_row.iter_mut().for_each(|row| visit.row(row));
    side(salesforce, visit);
    side(cxone, visit);
    busy.iter_mut().for_each(|busy| self::busy(busy, visit));
    visit.sequence(issued);
}

fn busy(busy: &mut Busy, visit: &mut impl Visit) {
    let Busy {
        ring: Ring(entries),
        flapping: Flapping { times, until, doublings: _ },
        waiting: Both { salesforce, cxone },
        armed,
        contact,
        pending_close,
        rare,
    } = busy;
    entries.iter_mut().for_each(|entry| self::entry(entry, visit));
    times.iter_mut().chain(until).for_each(|time| visit.time(time));
    for waiting in [salesforce, cxone] {
        let Waiting { outstanding, up_at, lapsed: _, owes_correction: _, diverged: _ } = *waiting;
        let mut moved = Waiting { outstanding, up_at, ..*waiting };
        if outstanding != Sequence::NONE {
            let mut sequence = outstanding;
            visit.sequence(&mut sequence);
            moved.outstanding = sequence;
        }
        let mut up_at = up_at;
        visit.time(&mut up_at);
        *waiting = Waiting { up_at, ..moved };
    }
    if let Some(Armed { at, cause: _ }) = armed {
        visit.time(at);
    }
    if let Some(Contact { status: _, since, before: _ }) = contact {
        visit.time(since);
    }
    if let Some(PendingClose { at_raw, offset, due }) = pending_close {
        visit.raw(at_raw, offset.get());
        visit.time(due);
    }
    let Some(Rare { early_close, replaced, row: _, far: _ }) = rare.as_deref_mut() else { return };
    if let Some(EarlyClose { row, at_raw, offset }) = early_close {
        visit.row(row);
        visit.raw(at_raw, offset.get());
    }
    if let Some(Replaced { close_raw, observed, reachable: _, intent }) = replaced {
        visit.raw(close_raw, AHEAD);
        if let Some(Observed { status: _, since_raw, offset, row, ours: _ }) = observed {
            visit.raw(since_raw, offset.get());
            row.iter_mut().for_each(|row| visit.row(row));
        }
        if let Some((Some(before), _)) = intent {
            self::intent(before, visit);
        }
    }
}

fn intent(intent: &mut Intent, visit: &mut impl Visit) {
    let Intent { status: _, since, offset: _, floor, at_login: _ } = intent;
    visit.time(since);
    visit.time(floor);
}

fn side<S>(side: &mut Side<S>, visit: &mut impl Visit) {
    let Side { shown, since_raw, offset, target: _ } = side;
    if shown.is_some() {
        visit.raw(since_raw, offset.get());
    }
}

fn entry(entry: &mut Entry, visit: &mut impl Visit) {
    let Entry {
        sequence,
        status,
        mut issued,
        intents_since: _,
        verdict: _,
        answered_after: _,
        settled_after: _,
        matched_after,
    } = *entry;
    let (mut outcome, mut settled) = (entry.outcome(), entry.settled());
    let mut matched = entry.is_matched().then(|| issued + DurationMs::from_ms(i64::from(matched_after)));
    let mut moved_sequence = sequence;
    visit.sequence(&mut moved_sequence);
    visit.time(&mut issued);
    outcome.iter_mut().for_each(|(_, at)| visit.time(at));
    settled.iter_mut().for_each(|at| visit.time(at));
    let ahead = if status.platform() == Platform::Salesforce { AHEAD } else { DurationMs::ZERO };
    matched.iter_mut().for_each(|at| visit.raw(at, ahead));
    *entry = Entry { sequence: moved_sequence, issued, ..*entry };
    if let Some((verdict, at)) = outcome {
        entry.answer(verdict, at);
    }
    if let Some(at) = settled {
        entry.settle(at);
    }
    if let Some(at) = matched {
        entry.match_with(at);
    }
}

/// Times that can make no difference any more.
pub(super) fn forget_times(state: &mut AgentState) {
    let Some(busy) = &mut state.busy else { return };
    // The flap guard is out of the way in these worlds.
    busy.flapping.times.clear();
    let outstanding = [busy.waiting.salesforce.outstanding, busy.waiting.cxone.outstanding];
    let is_outstanding = |entry: &Entry| outstanding.contains(&{ entry.sequence });
    // Only a second outcome would name it.
    busy.ring.0.retain(|entry| {
        let verdict = entry.verdict;
        is_outstanding(entry) || !matches!(verdict, Some(Verdict::Superseded | Verdict::Unreachable))
    });
    // Of a matched one only its outcome and its echo are looked at.
    for entry in busy.ring.iter_mut().filter(|e| e.is_matched()) {
        if let Some((verdict, at)) = entry.outcome()
            && !is_outstanding(entry)
        {
            let matched = entry.issued + DurationMs::from_ms(i64::from(entry.matched_after));
            let mut kept = Entry::new(entry.sequence, entry.status, at);
            kept.intents_since = u8::MAX;
            kept.answer(verdict, at);
            kept.match_with(matched);
            *entry = kept;
        }
    }
    // Only commands without an outcome are compared with it.
    for platform in Platform::ALL {
        let waiting = busy.waiting.of_mut(platform);
        let up_at = waiting.up_at;
        if busy.ring.of(platform).all(|entry| entry.verdict.is_some() || { entry.issued } >= up_at) {
            *waiting = Waiting { up_at: TimeMs::ZERO, ..*waiting };
        }
    }
    if busy.is_at_rest() {
        state.busy = None;
    }
}

/// What is renumbered by no order: armings, and rows that nothing names any more.
pub(super) fn forget_names(state: &mut AgentState, renumber: &mut Renumber) {
    let mut observed = state.observed_row();
    let rows = state.rows().map(|row| row.filter(|row| renumber.knows(*row)));
    let mut move_row = |row: &mut Option<RowId>| row.iter_mut().for_each(|row| renumber.row(row));
    move_row(&mut observed);
    let mut moved = rows;
    moved.iter_mut().for_each(move_row);
    state.set_rows(moved);
    state.set_observed_row(observed);
    state.generation = Generation(1);
    // Of the intents before, only one may come back.
    let comes_back = u8::from(state.replaced().is_some_and(|replaced| replaced.intent.is_some()));
    if let Some(busy) = &mut state.busy {
        for entry in busy.ring.iter_mut().filter(|entry| entry.intents_since > comes_back) {
            entry.intents_since = u8::MAX;
        }
    }
}
