//! What is shown, and what is asked for.

use std::time::Duration;

/// Everything that is shown at one moment.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::demo) struct View {
    /// Since the demo began.
    pub(in crate::cli::demo) elapsed: Duration,
    /// Everybody, at the same place at every moment: a selection is a place in here.
    pub(in crate::cli::demo) people: Vec<Person>,
    /// Counts over everybody.
    pub(in crate::cli::demo) totals: Totals,
    /// What can be broken, in the order in which it is shown.
    pub(in crate::cli::demo) faults: Vec<Fault>,
    /// The newest few things that happened, in words, newest last.
    pub(in crate::cli::demo) news: Vec<String>,
}

/// One agent.
#[derive(Clone, Debug)]
pub(in crate::cli::demo) struct Person {
    /// Their number in CXone: what they are called.
    pub(in crate::cli::demo) number: u32,
    /// What Salesforce says, such as `On Break`.
    pub(in crate::cli::demo) salesforce: String,
    /// What CXone says, such as `Unavailable/Lunch`.
    pub(in crate::cli::demo) cxone: String,
    /// Whether the two say the same.
    pub(in crate::cli::demo) standing: Standing,
    /// What was decided last, in words.
    pub(in crate::cli::demo) decision: String,
}

/// Whether both platforms say the same of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::demo) enum Standing {
    /// They do.
    InStep,
    /// One has been told, and has not followed yet.
    Waiting,
    /// A contact holds them apart, and that is right.
    Busy,
    /// They have not for longer than it should take.
    Out,
    /// He is logged out somewhere: nobody logs him in but himself.
    Off,
}

impl Standing {
    /// Whether somebody should look: they differ, and no contact is the reason.
    pub(super) fn is_out_of_step(self) -> bool {
        matches!(self, Standing::Waiting | Standing::Out)
    }
}

/// Counts over everybody, since the demo began.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::demo) struct Totals {
    /// Agents there are.
    pub(in crate::cli::demo) agents: u64,
    /// Agents of whom both platforms say the same now.
    pub(in crate::cli::demo) in_step: u64,
    /// Changes that were seen.
    pub(in crate::cli::demo) changes: u64,
    /// Commands that were given.
    pub(in crate::cli::demo) commands: u64,
    /// Changes that were Lockstep's own, come back.
    pub(in crate::cli::demo) echoes: u64,
    /// Commands that put something right that had gone wrong unseen.
    pub(in crate::cli::demo) corrections: u64,
    /// Agents whom Lockstep has given up on until somebody changes something.
    pub(in crate::cli::demo) diverged: u64,
    /// Commands that could not be carried out.
    pub(in crate::cli::demo) dead_letters: u64,
    /// From a change on one platform to the other's: the median and the 99th of 100, in ms.
    pub(in crate::cli::demo) sync_ms: Option<(u64, u64)>,
    /// Calls to Salesforce, and to CXone.
    pub(in crate::cli::demo) calls: (u64, u64),
}

/// Something that can be broken on purpose.
#[derive(Clone, Debug)]
pub(in crate::cli::demo) struct Fault {
    /// The key that turns it on and off: none of the screen's own, which are `q`, `s`, `c`, `o` and `/`.
    pub(in crate::cli::demo) key: char,
    /// What it is called, such as `CXone down`.
    pub(in crate::cli::demo) name: &'static str,
    /// Whether it is broken now.
    pub(in crate::cli::demo) is_on: bool,
}

/// What somebody asks for at the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::demo) enum Asked {
    /// The demo is to end.
    Quit,
    /// Somebody sets their status in Salesforce.
    SetSalesforce {
        /// Their place among [`View::people`].
        person: usize,
        /// The place of the status among the choices that the screen was made with.
        choice: usize,
    },
    /// Somebody sets their status in CXone.
    SetCxone {
        /// Their place among [`View::people`].
        person: usize,
        /// The place of the status among the choices that the screen was made with.
        choice: usize,
    },
    /// The fault with this key is to be turned on, or off.
    Fault(char),
}
