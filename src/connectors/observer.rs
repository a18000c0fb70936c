//! Who watches a source and a sink.

use std::time::Duration;

use super::http;
use crate::codec::HeldCause;
use crate::domain::Feed;
use crate::engine::Verdict;

/// Something that is counted or shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Whether this process has the account.
    Lease(bool),
    /// So long it is from now on from one question to the next.
    PollInterval(Duration),
    /// The platform was asked, and answered.
    Polled {
        /// For what.
        found_by: Feed,
        /// How long all of it took.
        took: Duration,
    },
    /// The platform was asked, and it failed.
    PollFailed,
    /// An answer was an odd one, and is asked for again.
    PollOdd,
    /// Changes were published.
    Published {
        /// How they were found.
        found_by: Feed,
        /// How many.
        changes: usize,
    },
    /// A snapshot found changes that the feed had not told.
    Drift(usize),
    /// Changes of people who are not linked.
    OfOthers(usize),
    /// Entries that could not be read.
    Unreadable(usize),
    /// So many are linked.
    Linked(usize),
    /// What became of a command.
    Outcome(Verdict),
    /// Commands that wait, and that are under way.
    Backlog {
        /// How many wait.
        waiting: usize,
        /// How many are under way.
        under_way: usize,
    },
    /// Whether what is written waits for the bus to come back.
    WaitsForBus(bool),
    /// Why the account is held; none where it is not.
    Held(Option<HeldCause>),
}

/// Who watches the source and the sink of an account.
pub trait Observer: http::Observer {
    /// Takes note.
    fn note(&self, noted: Noted);
}
