//! What may go wrong in a history. Each history has some of it, not all: what goes wrong together in the same way
//! every time hides what goes wrong alone.

use std::fmt;

use crate::domain::{Both, DurationMs};
use crate::engine::Status;

use super::random::Random;
use super::rules::{code, presence};

/// A kind of trouble that a history has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Other rules take effect, and are rolled back.
    Activations,
    /// He is moved to a team that lacks a code, and back.
    Teams,
    /// The link is removed or forgotten, and made again.
    Links,
    /// Contacts are offered first, and he refuses some.
    Offers,
    /// Salesforce puts him elsewhere after work was declined or not answered.
    SystemStates,
    /// A supervisor changes his status.
    Supervisors,
    /// Each platform refuses one status for good.
    Refusals,
    /// A platform now and then refuses for the state he is in.
    Conflicts,
    /// Salesforce's feed and snapshots are silent for a while; what it had to tell comes after.
    SalesforceOutages,
    /// Calls for him have to wait for minutes.
    Budget,
    /// Twenty changes within a second.
    Bursts,
    /// Polls tell again what they told before.
    Repeats,
    /// CXone accepts most calls and does nothing.
    Deaf,
    /// An operator has what was given up on tried again.
    Retries,
}

impl Fault {
    const ALL: [Fault; 14] = [
        Fault::Activations,
        Fault::Teams,
        Fault::Links,
        Fault::Offers,
        Fault::SystemStates,
        Fault::Supervisors,
        Fault::Refusals,
        Fault::Conflicts,
        Fault::SalesforceOutages,
        Fault::Budget,
        Fault::Bursts,
        Fault::Repeats,
        Fault::Deaf,
        Fault::Retries,
    ];
}

/// The troubles of one history.
pub(super) struct Faults {
    set: u16,
    /// What each platform refuses for good.
    pub(super) refused: Both<Option<Status>>,
    /// How far apart two calls to one platform have to be.
    pub(super) budget: DurationMs,
}

impl Faults {
    /// One of four histories has a given trouble.
    pub(super) fn new(random: &mut Random) -> Self {
        let mut set = 0;
        for fault in Fault::ALL {
            if random.percent(25) {
                set |= 1_u16 << fault as u16;
            }
        }
        let mut faults = Faults { set, refused: Both::default(), budget: DurationMs::ZERO };
        if faults.has(Fault::Refusals) {
            let cxone = if random.percent(50) { code(2) } else { code(3) };
            faults.refused = Both {
                salesforce: Some(Status::Salesforce(presence(random.between(2, 4)))),
                cxone: Some(Status::Cxone(cxone)),
            };
        }
        if faults.has(Fault::Budget) {
            faults.budget = random.ms(20_000, 200_000);
        }
        faults
    }

    pub(super) const fn has(&self, fault: Fault) -> bool {
        self.set & (1_u16 << fault as u16) != 0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faults:")?;
        for fault in Fault::ALL.into_iter().filter(|fault| self.has(*fault)) {
            write!(f, " {fault:?}")?;
        }
        Ok(())
    }
}
