//! What must hold. The checkers stand apart from the faults: the truth is what the simulated platforms showed, who
//! did it, and the log with its decisions; never the engine's state.
//!
//! | | judged here | not to be judged with one agent |
//! |---|---|---|
//! | I1 | the log, applied from scratch under the revisions that were in force, gives the same effects and state | other machines and batch sizes |
//! | I2 | no command in the rest, no more corrections than allowed, no flapping | |
//! | I3 | at the end both show the targets of one another, under the rules in force then | |
//! | I4 | each platform carries out commands in the order of their issue | |
//! | I5 | one decision for each record; none of a removed agent; a timer comes due once | events for all agents; hashes, dead letters and offsets, which are the processor's |
//! | I6 | his last choice, where nobody can doubt it, is what its platform shows | choices that were doubtful, which are many |
//! | I7 | nobody is made available who did not choose it last on either platform | |
//! | I8 | | no call is made here: the budget is the sinks' |
//! | I9 | | nothing is written here |

mod log;
mod platforms;

use std::fmt;

use crate::domain::{DurationMs, Platform, TimeMs};
use crate::engine::Status;

use super::world::World;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// I1: the same log gives something else.
    Differs {
        /// The number of the record, from 1; one more than there are for the state at the end.
        record: usize,
    },
    /// I2: commands are still issued long after everything is quiet.
    Loop {
        /// How many in the second half of the rest.
        commands: usize,
    },
    /// I2: more corrections for one target than are allowed.
    Corrections {
        /// How many, one after another.
        corrections: usize,
    },
    /// I2: more commands within the flap window than are allowed.
    Flapping {
        /// How many.
        commands: usize,
    },
    /// I3: the platforms are not in step.
    Apart {
        /// What Salesforce shows.
        salesforce: Status,
        /// What CXone shows.
        cxone: Status,
    },
    /// I4: a platform carried out an older command after a newer one.
    Order {
        /// What the older one set.
        status: Status,
    },
    /// I5: a record was not decided as one of an agent who is linked, or is not.
    Decided {
        /// The number of the record, from 1.
        record: usize,
    },
    /// I6: what he chose last, beyond doubt, is not what its platform shows.
    Overridden {
        /// What he chose.
        chosen: Status,
        /// What is shown there.
        shown: Status,
        /// How it came.
        how: Override,
    },
    /// I7: he was made available, and had not chosen that.
    MadeAvailable {
        /// On which platform.
        platform: Platform,
        /// How long after the start.
        after: DurationMs,
    },
    /// The simulation has no rules: it is broken itself.
    NoRules,
}

/// How a choice came to be overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Override {
    /// No feed ever showed it.
    Unseen,
    /// What he chose on the other platform before was not seen by then, and looked newer when it was: a contact
    /// hid it, or its feed was late.
    RivalUnseen,
    /// A command for the very same status was under way, so that it passes for its echo.
    LikeCommand,
    /// A command for another status was under way, and came after it.
    CommandUnderWay,
    /// A platform carried out a command long after its answer, so that its echo looks chosen.
    LateCommand,
    /// A contact that no poll showed ended after it, so that the status before looks chosen.
    ContactUnseen,
    /// It was seen, and nothing else explains it.
    Seen,
}

impl Finding {
    /// Whether it may be, now and then: what cannot be known is counted instead.
    pub const fn is_counted(&self) -> bool {
        matches!(self, Finding::Overridden { .. } | Finding::MadeAvailable { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Differs { record } => {
                write!(f, "I1: record {record} gives something else when replayed")
            }
            Finding::Loop { commands } => write!(f, "I2: {commands} commands while everything is quiet"),
            Finding::Corrections { corrections } => write!(f, "I2: {corrections} corrections for one target"),
            Finding::Flapping { commands } => write!(f, "I2: {commands} commands within the flap window"),
            Finding::Apart { salesforce, cxone } => {
                write!(f, "I3: Salesforce shows {salesforce:?}, CXone shows {cxone:?}")
            }
            Finding::Order { status } => write!(f, "I4: {status:?} was set after a newer command"),
            Finding::Decided { record } => write!(f, "I5: record {record} was decided as it must not be"),
            Finding::Overridden { chosen, shown, how } => {
                write!(f, "I6: he chose {chosen:?}, {shown:?} is shown ({how})")
            }
            Finding::MadeAvailable { platform, after } => {
                let seconds = after.as_ms() as f64 / 1_000.0;
                write!(f, "I7: he was made available in {platform} at {seconds:.3} s")
            }
            Finding::NoRules => f.write_str("the simulation has no rules"),
        }
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Override::Unseen => "no feed ever showed his choice",
            Override::RivalUnseen => "what he had chosen on the other platform was seen only after it",
            Override::LikeCommand => "a command for the same status was under way",
            Override::CommandUnderWay => "a command for another status was under way",
            Override::ContactUnseen => "a contact that no poll showed ended after it",
            Override::LateCommand => "a command was carried out long after its answer",
            Override::Seen => "his choice was seen",
        })
    }
}

pub(super) fn check(world: &World, rest: TimeMs) -> Vec<Finding> {
    let mut findings = Vec::new();
    log::check(world, rest, &mut findings);
    platforms::check(world, &mut findings);
    findings
}
