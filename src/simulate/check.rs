//! What must hold at the end. The truth is what the platforms show and what the person did, never the engine's state.

use std::fmt;

use crate::domain::{DurationMs, Platform, TimeMs};
use crate::engine::Status;

use super::world::World;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
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
    /// I3: the platforms are not in step.
    Apart {
        /// What Salesforce shows.
        salesforce: Status,
        /// What CXone shows.
        cxone: Status,
    },
    /// I6: what he chose last, beyond doubt, is not what its platform shows.
    Overridden {
        /// What he chose.
        chosen: Status,
        /// What is shown there.
        shown: Status,
    },
    /// The simulation has no rules: it is broken itself.
    NoRules,
}

impl Finding {
    /// Whether it may be, now and then: what cannot be known is counted instead.
    pub const fn is_counted(&self) -> bool {
        matches!(self, Finding::Overridden { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Loop { commands } => write!(f, "I2: {commands} commands while everything is quiet"),
            Finding::Corrections { corrections } => write!(f, "I2: {corrections} corrections for one target"),
            Finding::Apart { salesforce, cxone } => {
                write!(f, "I3: Salesforce shows {salesforce:?}, CXone shows {cxone:?}")
            }
            Finding::NoRules => f.write_str("the simulation has no rules"),
            Finding::Overridden { chosen, shown } => write!(f, "I6: he chose {chosen:?}, {shown:?} is shown"),
        }
    }
}

/// Quiet enough that only a loop still commands.
const QUIET: DurationMs = DurationMs::from_seconds(30 * 60);

/// So long after the last choice on the other platform a choice is the last beyond doubt.
const BEYOND_DOUBT: DurationMs = DurationMs::from_seconds(60);

/// The corrections of one target that the law allows.
const CORRECTIONS: usize = 3;

pub(super) fn check(world: &World, rest: TimeMs) -> Vec<Finding> {
    let mut findings = Vec::new();
    let commands = world.issued.iter().filter(|(at, _)| at.since(rest) > QUIET).count();
    if commands > 0 {
        findings.push(Finding::Loop { commands });
    }
    for platform in Platform::ALL {
        let (mut in_a_row, mut before) = (0, TimeMs::default());
        for (at, command) in world.issued.iter().filter(|(_, command)| command.platform() == platform) {
            // A new choice starts the count anew.
            if !command.correction || world.person.chose_between(before, *at) {
                in_a_row = 0;
            }
            in_a_row += usize::from(command.correction);
            before = *at;
            if in_a_row > CORRECTIONS {
                findings.push(Finding::Corrections { corrections: in_a_row });
            }
        }
    }
    let salesforce = Status::Salesforce(world.salesforce.status);
    let cxone = Status::Cxone(world.cxone.status);
    // The law allows to give up on a platform that loses one command after another.
    let gave_up = world.gave_up.salesforce || world.gave_up.cxone;
    if !gave_up && !in_step(world, salesforce, cxone) {
        findings.push(Finding::Apart { salesforce, cxone });
    }
    // What he chose while CXone was away may never have been seen.
    let clear_choice = world.person.clear_choice(BEYOND_DOUBT).filter(|_| !world.cxone.was_down);
    if let Some(chosen) = clear_choice {
        let shown = match chosen.platform() {
            Platform::Salesforce => salesforce,
            Platform::Cxone => cxone,
        };
        if shown != chosen {
            findings.push(Finding::Overridden { chosen, shown });
        }
    }
    findings
}

/// One of them is what the rule makes of the other; or has no row, so that the other stays where it was; or is
/// logged out, where nobody can be put anywhere.
fn in_step(world: &World, salesforce: Status, cxone: Status) -> bool {
    let there = world.mirrored(salesforce);
    let back = world.mirrored(cxone);
    there.is_none_or(|target| target == cxone)
        || back.is_none_or(|target| target == salesforce)
        || salesforce.is_off()
        || cxone.is_off()
}
