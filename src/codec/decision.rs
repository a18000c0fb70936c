//! Decisions: what is in `presence.decisions`.

use std::borrow::Cow;

use super::event::EventKind;
use super::scalar::Uuid;
use super::symbols::{Symbolic, symbols};
use super::wire::{fields, records};
use crate::domain::{AgentId, CxoneStatus, Platform, SalesforceStatus, Status, TimeMs};
use crate::engine::{self, Epoch, GivenUp, Reason, Sequence, Verdict, WakeCause};
use crate::rules::Row;

/// What was done with one event for one agent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<'b> {
    /// The agent; `None` where the event is about the whole partition.
    pub agent: Option<AgentId>,
    /// The event.
    pub event: Uuid,
    /// What kind it was.
    pub event_kind: EventKind,
    /// Its offset.
    pub event_offset: i64,
    /// When, by the clock of the log.
    pub at: TimeMs,
    /// The engine version that decided.
    pub engine_version: u16,
    /// The activation whose rules were in force; 0 where none was.
    pub epoch: Epoch,
    /// The agent's rule by its name.
    pub rule: Option<Cow<'b, str>>,
    /// Why.
    pub reason: DecidedAs,
    /// The status of Salesforce that the event showed.
    pub salesforce_shown: Option<SalesforceStatus>,
    /// The status of CXone that the event showed.
    pub cxone_shown: Option<CxoneStatus>,
    /// The intent changed.
    pub new_intent: bool,
    /// What a platform should show changed.
    pub retargeted: bool,
    /// An Offline that was only inferred was taken back first.
    pub taken_back: bool,
    /// Too many commands: everything for this agent is held.
    pub flapping: bool,
    /// Salesforce was given up on by this event, and why.
    pub salesforce_given_up: Option<GivenUp>,
    /// CXone was given up on by this event, and why.
    pub cxone_given_up: Option<GivenUp>,
    /// The command to Salesforce.
    pub to_salesforce: Option<Commanded>,
    /// The command to CXone.
    pub to_cxone: Option<Commanded>,
    /// The state is gone.
    pub gone: bool,
}

/// A command that an event caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commanded {
    /// Its number.
    pub sequence: Sequence,
    /// What is set.
    pub status: Status,
    /// It repeats one that had lapsed.
    pub correction: bool,
    /// The row of the rule; `None` where it restores the agent's own choice.
    pub row: Option<Row>,
}

/// Why an event was decided as it was: by the engine for an agent, or for the whole partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedAs {
    /// For a reason that only a newer Lockstep knows.
    Unknown,
    /// The engine's reason.
    Engine(Reason),
    /// An activation of a lower epoch than the one in force.
    SupersededActivation,
    /// Another engine version is in force.
    EngineVersion,
    /// A sink holds the commands of an account.
    PlatformHeld,
    /// A sink sends the commands of an account again.
    PlatformResumed,
}

symbols! {
    DecidedAs as "Reason" or DecidedAs::Unknown {
        0 "UNKNOWN" (DecidedAs::Unknown)
        1 "LINKED" (DecidedAs::Engine(Reason::Linked))
        2 "ALREADY_LINKED" (DecidedAs::Engine(Reason::AlreadyLinked))
        3 "NOT_LINKED" (DecidedAs::Engine(Reason::NotLinked))
        4 "UNLINKED" (DecidedAs::Engine(Reason::Unlinked))
        5 "FORGOTTEN" (DecidedAs::Engine(Reason::Forgotten))
        6 "TEAM_MOVED" (DecidedAs::Engine(Reason::TeamMoved))
        7 "ACTIVATED" (DecidedAs::Engine(Reason::Activated))
        8 "RETRIED" (DecidedAs::Engine(Reason::Retried))
        9 "DUPLICATE" (DecidedAs::Engine(Reason::Duplicate))
        10 "SAME_CHANGE" (DecidedAs::Engine(Reason::SameChange))
        11 "STALE_VIEW" (DecidedAs::Engine(Reason::StaleView))
        12 "OVERWRITTEN" (DecidedAs::Engine(Reason::Overwritten))
        13 "LOGGED_IN" (DecidedAs::Engine(Reason::LoggedIn))
        14 "CONTACT" (DecidedAs::Engine(Reason::Contact))
        15 "ECHO" (DecidedAs::Engine(Reason::Echo))
        16 "IN_STEP" (DecidedAs::Engine(Reason::InStep))
        17 "AFTER_CONTACT" (DecidedAs::Engine(Reason::AfterContact))
        18 "RE_ENTERED" (DecidedAs::Engine(Reason::ReEntered))
        19 "LOGIN" (DecidedAs::Engine(Reason::Login))
        20 "LOG_OUT_WITHOUT_ROW" (DecidedAs::Engine(Reason::LogOutWithoutRow))
        21 "SYSTEM_STATE" (DecidedAs::Engine(Reason::SystemState))
        22 "CHOICE" (DecidedAs::Engine(Reason::Choice))
        23 "CHOICE_LOST" (DecidedAs::Engine(Reason::ChoiceLost))
        24 "CLOSING" (DecidedAs::Engine(Reason::Closing))
        25 "CLOSED_EARLY" (DecidedAs::Engine(Reason::ClosedEarly))
        26 "CLOSED_LATE" (DecidedAs::Engine(Reason::ClosedLate))
        27 "CONNECTED" (DecidedAs::Engine(Reason::Connected))
        28 "DISCONNECTED" (DecidedAs::Engine(Reason::Disconnected))
        29 "STALE_EPOCH" (DecidedAs::Engine(Reason::StaleEpoch))
        30 "OUTCOME_ACCEPTED" (DecidedAs::Engine(Reason::Outcome(Verdict::Accepted)))
        31 "OUTCOME_REJECTED_PERMANENT" (DecidedAs::Engine(Reason::Outcome(Verdict::Permanent)))
        32 "OUTCOME_REJECTED_CONFLICT" (DecidedAs::Engine(Reason::Outcome(Verdict::Conflict)))
        33 "OUTCOME_UNREACHABLE" (DecidedAs::Engine(Reason::Outcome(Verdict::Unreachable)))
        34 "OUTCOME_SUPERSEDED" (DecidedAs::Engine(Reason::Outcome(Verdict::Superseded)))
        35 "OUTCOME_UNKNOWN" (DecidedAs::Engine(Reason::Outcome(Verdict::Unknown)))
        36 "DUPLICATE_OUTCOME" (DecidedAs::Engine(Reason::DuplicateOutcome))
        37 "UNKNOWN_COMMAND" (DecidedAs::Engine(Reason::UnknownCommand))
        38 "DUE_CONFIRM_SALESFORCE" (DecidedAs::Engine(Reason::Due(WakeCause::Confirm(Platform::Salesforce))))
        39 "DUE_CONFIRM_CXONE" (DecidedAs::Engine(Reason::Due(WakeCause::Confirm(Platform::Cxone))))
        40 "DUE_GRACE" (DecidedAs::Engine(Reason::Due(WakeCause::Grace)))
        41 "DUE_COOL_DOWN" (DecidedAs::Engine(Reason::Due(WakeCause::CoolDown)))
        42 "STALE_WAKE_UP" (DecidedAs::Engine(Reason::StaleWakeUp))
        43 "EARLY_WAKE_UP" (DecidedAs::Engine(Reason::EarlyWakeUp))
        44 "SUPERSEDED_ACTIVATION" (DecidedAs::SupersededActivation)
        45 "ENGINE_VERSION" (DecidedAs::EngineVersion)
        46 "PLATFORM_HELD" (DecidedAs::PlatformHeld)
        47 "PLATFORM_RESUMED" (DecidedAs::PlatformResumed)
    }
}

fields!(['b] Commanded as "Commanded" {
    sequence => "sequence", status => "status", correction => "correction", row => "row",
});
fields!(['b] Decision<'b> as "Decision" {
    agent => "agent", event => "event", event_kind => "event_kind", event_offset => "event_offset", at => "at",
    engine_version => "engine_version", epoch => "epoch", rule => "rule", reason => "reason",
    salesforce_shown => "salesforce_shown", cxone_shown => "cxone_shown", new_intent => "new_intent",
    retargeted => "retargeted", taken_back => "taken_back", flapping => "flapping",
    salesforce_given_up => "salesforce_given_up", cxone_given_up => "cxone_given_up",
    to_salesforce => "to_salesforce", to_cxone => "to_cxone", gone => "gone",
});
records! { ['b] Decision<'b>: Decision; }

impl DecidedAs {
    /// The name that it has in the log.
    pub fn name(self) -> &'static str {
        self.symbol()
    }
}

impl From<&engine::Command> for Commanded {
    fn from(command: &engine::Command) -> Self {
        Commanded {
            sequence: command.sequence,
            status: command.status,
            correction: command.correction,
            row: command.row,
        }
    }
}
