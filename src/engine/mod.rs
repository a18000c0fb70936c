//! The engine: `apply(state, event, rules) -> effects`. Pure and total: no I/O, no clock, no randomness, no
//! panic; what it knows arrives as an event, what it wants done leaves as an effect.
//!
//! It is level-triggered. An event changes what is known of the agent; then one level step makes each
//! platform's target true. There is one file for each kind of event.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod busy;
mod connection;
mod effect;
mod event;
mod flapping;
mod kept;
mod level;
mod membership;
mod mutation;
mod observation;
mod outcome;
mod reason;
mod remembered;
mod ring;
mod row_closed;
mod rows;
mod standing;
mod state;
mod target;
#[cfg(test)]
mod tests;
mod timer;
mod wake_up;

use std::cell::{Cell, OnceCell};

use crate::domain::{Both, Platform, TimeMs};
use crate::rules::{AgentRule, Options, Settings, Tables};

pub use crate::domain::Status;
pub use crate::rules::Assignment;
pub use busy::{Contact, EarlyClose, PendingClose, Replaced, Waiting};
pub use effect::{Command, Decision, Effects, Timer};
pub use event::{
    Epoch, Event, Membership, Observation, Outcome, RowClosed, Verdict, WakeCause, WakeUp, What,
};
pub use kept::{Generation, Intent, Observed, Offset, ROWS_KEPT, Sequence};
pub use reason::{GivenUp, Reason};
pub use remembered::{Remembered, RememberedSide, Shown};
pub use ring::Entry;
pub use standing::Standing;
pub use state::AgentState;
pub use timer::Armed;

use mutation::{Mutation, is_on};
use target::Target;

/// The version of these decisions. It is raised with any change of them, and enters the log like an activation, so
/// that all who decide change over at one place.
pub const VERSION: u16 = 1;

/// The same step for both platforms, in this order.
const PLATFORMS: [Platform; 2] = Platform::ALL;

/// What one event does to one agent. A slot without a state is an agent who is not linked.
///
/// Always gives exactly one decision. `tables` are those of the revision in force at this event.
pub fn apply(slot: &mut Option<AgentState>, event: &Event, tables: &Tables) -> Effects {
    let state = match (&mut *slot, event.what) {
        (None, What::Linked(membership)) => {
            *slot = Some(AgentState::new(membership.assignment));
            return Effects::of(Reason::Linked);
        }
        (None, _) => return Effects::of(Reason::NotLinked),
        (Some(_), What::Unlinked | What::Forgotten) => {
            *slot = None;
            let reason = if event.what == What::Unlinked { Reason::Unlinked } else { Reason::Forgotten };
            return Effects { gone: true, ..Effects::of(reason) };
        }
        (Some(state), _) => state,
    };
    state.forget_old(event.now, tables.settings());
    let mut effects = Effects::of(Reason::Retried);
    let mut step = Step {
        state,
        now: event.now,
        tables,
        settings: tables.settings(),
        rule: OnceCell::new(),
        targets: Both::default(),
        reissue: Both::default(),
        is_retargeted: false,
        is_back: false,
        effects: &mut effects,
    };
    let reason = match event.what {
        What::Linked(_) => Reason::AlreadyLinked,
        What::TeamMoved(membership) => step.team_moved(membership),
        What::Observation(observation) => step.observation(&observation),
        What::RowClosed(closed) => step.row_closed(&closed),
        What::Connected(epoch) => step.connected(epoch),
        What::Disconnected(epoch) => step.disconnected(epoch),
        What::Outcome(outcome) => step.outcome(&outcome),
        What::WakeUp(wake_up) => step.wake_up(&wake_up),
        What::Activated { assignment } => step.activated(assignment),
        What::Retry => step.retry(),
        What::Unlinked | What::Forgotten => Reason::NotLinked,
    };
    if let Some(platforms) = step.changed(&event.what, reason) {
        step.level(platforms);
        step.arm();
    }
    step.state.trim();
    effects.decision.reason = reason;
    effects
}

/// One event being applied.
struct Step<'s> {
    state: &'s mut AgentState,
    now: TimeMs,
    tables: &'s Tables,
    settings: &'s Settings,
    /// The agent's rule, where he has one.
    rule: OnceCell<Option<AgentRule<'s>>>,
    /// The targets, as far as they were derived since what they follow from last changed.
    targets: Both<Cell<Option<Option<Target>>>>,
    /// What was under way there may have died: the target is commanded again, even where it is shown.
    reissue: Both<bool>,
    /// What targets follow from has changed.
    is_retargeted: bool,
    /// A platform that was out of reach is not any more.
    is_back: bool,
    effects: &'s mut Effects,
}

impl<'s> Step<'s> {
    /// The platforms of which anything that a level step looks at may have changed; `None` where nothing has, not even
    /// what a timer follows from. What has not changed, the last level step has seen to.
    fn changed(&self, what: &What, reason: Reason) -> Option<&'static [Platform]> {
        match reason {
            Reason::Duplicate if !self.is_back && !self.effects.decision.taken_back => return None,
            Reason::StaleWakeUp
            | Reason::StaleEpoch
            | Reason::DuplicateOutcome
            | Reason::UnknownCommand
            | Reason::AlreadyLinked => return None,
            _ if self.is_retargeted => return Some(&PLATFORMS),
            _ => {}
        }
        let platform = match (what, reason) {
            (What::Observation(observation), _) => observation.status.platform(),
            (What::Outcome(outcome), _) => outcome.platform,
            (What::WakeUp(_), Reason::Due(WakeCause::Confirm(platform))) => platform,
            (What::RowClosed(_) | What::Connected(_) | What::Disconnected(_), _)
            | (What::WakeUp(_), Reason::Due(WakeCause::Grace)) => Platform::Salesforce,
            _ => return Some(&PLATFORMS),
        };
        Some(match platform {
            Platform::Salesforce => &[Platform::Salesforce],
            Platform::Cxone => &[Platform::Cxone],
        })
    }

    /// The agent's rule, where he has one.
    fn rule(&self) -> Option<AgentRule<'s>> {
        *self.rule.get_or_init(|| self.tables.agent_rule(self.state.assignment?))
    }

    /// The options of the agent's rule; `None` where he has none.
    fn options(&self) -> Option<Options> {
        self.rule().map(|rule| *rule.options())
    }

    /// The command to a platform that is not yet confirmed.
    fn outstanding(&self, platform: Platform) -> Option<&Entry> {
        self.state.ring().get(self.state.outstanding(platform)?)
    }
}
