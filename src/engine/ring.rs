//! The last commands: what an observation may be the echo of.

use smallvec::SmallVec;

use crate::domain::{DurationMs, Platform, TimeMs};

use super::{Sequence, Status, Verdict};

/// A matched command this old is forgotten.
const MATCHED_KEPT: DurationMs = DurationMs::from_seconds(15 * 60);

/// So many of the last commands to a platform are kept.
pub(super) const KEPT: usize = 8;

/// A command that was issued.
///
/// It is small: what happened to it later is kept by how many ms later that was, which saturates after 24 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(Rust, packed)]
pub struct Entry {
    /// Its number.
    pub sequence: Sequence,
    /// What it sets, and with it the platform.
    pub status: Status,
    /// When it was issued.
    pub issued: TimeMs,
    /// How many intents followed the one it was issued for; it saturates.
    pub intents_since: u8,
    /// What became of it.
    pub verdict: Option<Verdict>,
    /// How many ms after its issue that was told; 0 until then.
    pub answered_after: i32,
    /// From how many ms after its issue on its echo may be only so late; [`Entry::NEVER`] until then.
    pub settled_after: i32,
    /// How many ms after its issue its echo began, by the platform's clock; [`Entry::NEVER`] until it came.
    pub matched_after: i32,
}

impl Entry {
    /// There is no such time yet.
    pub const NEVER: i32 = i32::MAX;

    pub(super) const fn new(sequence: Sequence, status: Status, issued: TimeMs) -> Self {
        Entry {
            sequence,
            status,
            issued,
            intents_since: 0,
            verdict: None,
            answered_after: 0,
            settled_after: Self::NEVER,
            matched_after: Self::NEVER,
        }
    }

    /// It was issued for the intent that there is.
    pub(super) const fn is_for_intent(&self) -> bool {
        self.intents_since == 0
    }

    /// How many ms after its issue a moment is; before, where it is negative.
    fn after(&self, at: TimeMs) -> i32 {
        at.since(self.issued).as_ms().clamp(i32::MIN.into(), (Self::NEVER - 1).into()) as i32
    }

    fn at(&self, after: i32) -> TimeMs {
        self.issued + DurationMs::from_ms(after.into())
    }

    /// What became of it, and when.
    pub(super) fn outcome(&self) -> Option<(Verdict, TimeMs)> {
        self.verdict.map(|verdict| (verdict, self.at(self.answered_after)))
    }

    pub(super) fn answer(&mut self, verdict: Verdict, at: TimeMs) {
        self.verdict = Some(verdict);
        self.answered_after = self.after(at);
    }

    /// From when on its echo may be only so late; `None` until then.
    pub(super) fn settled(&self) -> Option<TimeMs> {
        (self.settled_after != Self::NEVER).then(|| self.at(self.settled_after))
    }

    pub(super) fn settle(&mut self, at: TimeMs) {
        self.settled_after = self.after(at);
    }

    /// The start of the observation that was its echo, by the platform's clock.
    pub(super) fn match_with(&mut self, since_raw: TimeMs) {
        self.matched_after = self.after(since_raw);
    }

    pub(super) fn is_matched(&self) -> bool {
        self.matched_after != Self::NEVER
    }

    /// Whether the observation with this start was its echo.
    pub(super) fn is_matched_with(&self, since_raw: TimeMs) -> bool {
        let after = self.after(since_raw);
        self.matched_after == after && after > i32::MIN && after < Self::NEVER - 1
    }

    /// It can have no echo.
    pub(super) fn is_dead(&self) -> bool {
        matches!(
            self.verdict,
            Some(Verdict::Permanent | Verdict::Conflict | Verdict::Superseded | Verdict::Unreachable)
        )
    }

    /// The platform took it, or may have.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Accepted | Verdict::Unknown))
    }

    /// The platform took or refused it, or may have.
    fn is_answered(&self) -> bool {
        self.is_taken() || matches!(self.verdict, Some(Verdict::Permanent | Verdict::Conflict))
    }
}

/// The last commands to both platforms, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ring(pub(super) SmallVec<[Entry; 1]>);

impl Ring {
    pub(super) const EMPTY: Ring = Ring(SmallVec::new_const());

    pub(super) fn push(&mut self, entry: Entry) {
        let platform = entry.status.platform();
        if self.of(platform).count() >= KEPT
            && let Some(oldest) = self.0.iter().position(|e| e.status.platform() == platform)
        {
            self.0.remove(oldest);
        }
        self.0.push(entry);
    }

    /// The ring of the newest of these commands.
    pub(super) fn of_newest(entries: &[Entry]) -> Ring {
        let kept = |entry: &Entry, after: &[Entry]| {
            after.iter().filter(|later| later.status.platform() == entry.status.platform()).count() < KEPT
        };
        let mut ring = Ring(SmallVec::with_capacity(entries.len().min(2 * KEPT)));
        let mut rest = entries;
        while let [entry, after @ ..] = rest {
            if kept(entry, after) {
                ring.0.push(*entry);
            }
            rest = after;
        }
        ring
    }

    /// All of them, the oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Bytes beside the ring itself.
    pub(super) fn heap_bytes(&self) -> usize {
        if self.0.spilled() { self.0.capacity() * size_of::<Entry>() } else { 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn newest(&self) -> Option<&Entry> {
        self.0.last()
    }

    /// Those to one platform.
    pub(super) fn of(&self, platform: Platform) -> impl DoubleEndedIterator<Item = &Entry> {
        self.0.iter().filter(move |entry| entry.status.platform() == platform)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut()
    }

    pub(super) fn get(&self, sequence: Sequence) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| { entry.sequence } == sequence)
    }

    pub(super) fn get_mut(&mut self, sequence: Sequence) -> Option<&mut Entry> {
        self.0.iter_mut().rev().find(|entry| { entry.sequence } == sequence)
    }

    /// A command that may still reach the platform: it has no outcome, and none that was issued after it has
    /// been taken or refused by the platform, for the sink sends an agent's commands in order.
    pub(super) fn has_one_under_way(&self, platform: Platform) -> bool {
        self.of(platform).rev().take_while(|entry| !entry.is_answered()).any(|entry| entry.verdict.is_none())
    }

    /// There is another intent now.
    pub(super) fn intent_changed(&mut self) {
        for entry in &mut self.0 {
            entry.intents_since = entry.intents_since.saturating_add(1);
        }
    }

    /// The intent before is the intent again, and the one between them was none.
    pub(super) fn intent_taken_back(&mut self) {
        for entry in &mut self.0 {
            entry.intents_since = entry.intents_since.checked_sub(1).unwrap_or(u8::MAX);
        }
    }

    /// A command that nothing waits for goes when it is old: if it is matched or dead, or not under way though it
    /// never was answered.
    pub(super) fn forget_old(&mut self, now: TimeMs, outstanding: [Sequence; 2]) {
        let is_old = |entry: &Entry| now.since(entry.issued) >= MATCHED_KEPT;
        if !self.0.iter().any(is_old) {
            return;
        }
        let answered =
            Platform::ALL.map(|platform| self.of(platform).rev().find(|entry| entry.is_answered()).copied());
        let is_passed = |entry: &Entry| {
            let newer = answered.iter().flatten().find(|a| a.status.platform() == entry.status.platform());
            entry.verdict.is_none() && newer.is_some_and(|newer| { newer.sequence } > { entry.sequence })
        };
        let waits = |entry: &Entry| outstanding.contains(&{ entry.sequence });
        let is_over = |entry: &Entry| entry.is_matched() || entry.is_dead() || is_passed(entry);
        self.0.retain(|entry| !is_old(entry) || waits(entry) || !is_over(entry));
        self.0.shrink_to_fit();
    }
}
