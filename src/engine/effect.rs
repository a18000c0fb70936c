//! What an event brings about: the whole vocabulary of effects. The caller commits them, then acts.

use crate::domain::{Both, Platform, TimeMs};
use crate::rules::Row;

use super::{Generation, GivenUp, Reason, Sequence, Status, WakeCause};

/// The effects of one event on one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Effects {
    /// What was decided, and why. There is always exactly one.
    pub decision: Decision,
    /// Orders to the sinks, at most one for each platform.
    pub commands: Both<Option<Command>>,
    /// The one timer of the agent, where it changed.
    pub timer: Option<Timer>,
    /// The state is gone and what is under way is void: the sinks drop what they keep for him.
    pub gone: bool,
}

impl Effects {
    /// The effects of an event that does nothing but be decided.
    pub(super) const fn of(reason: Reason) -> Self {
        let decision = Decision {
            reason,
            new_intent: false,
            taken_back: false,
            retargeted: false,
            diverged: Both { salesforce: None, cxone: None },
            flapping: false,
        };
        Effects { decision, commands: Both { salesforce: None, cxone: None }, timer: None, gone: false }
    }
}

/// The record of what an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// Why.
    pub reason: Reason,
    /// The intent changed.
    pub new_intent: bool,
    /// What a platform should show changed.
    pub retargeted: bool,
    /// An Offline that was only inferred was taken back first.
    pub taken_back: bool,
    /// For each platform, whether and why it was given up on by this event.
    pub diverged: Both<Option<GivenUp>>,
    /// Too many commands within the flap window: everything for this agent is held.
    pub flapping: bool,
}

/// An order to a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// Its number among the commands of this agent: it and the agent's id name the command.
    pub sequence: Sequence,
    /// What to set, and with it the platform.
    pub status: Status,
    /// When it was issued.
    pub issued: TimeMs,
    /// It repeats one that had lapsed.
    pub correction: bool,
    /// The row of the agent's rule it comes from; `None` where it restores the agent's own choice.
    pub row: Option<Row>,
}

impl Command {
    /// The platform it is for.
    pub const fn platform(&self) -> Platform {
        self.status.platform()
    }
}

/// A change of the one timer of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Wake the agent then; the timer before it is void.
    Arm {
        /// When.
        at: TimeMs,
        /// What for.
        cause: WakeCause,
        /// Names this arming.
        generation: Generation,
    },
    /// There is nothing to wait for any more.
    Disarm,
}
