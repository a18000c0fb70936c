//! What must hold in every state, and what must come up somewhere, or the rest would prove nothing.

use stateright::Property;

use super::world::{Before, World};
use super::{Closed, class};
use crate::domain::Platform;
use crate::engine::*;

/// The commands after the last change. When a person stops, the engine may still have to learn of three changes.
/// Each makes at most one intent; an intent has two targets; and a target is commanded once, and once more where
/// the one loss or an older command still under way undid it. A platform that does nothing takes three corrections
/// more, but then one of the others is missing.
pub(super) const COMMANDS_MAX: u8 = 12;

/// The corrections of one target that the law allows.
pub(super) const CORRECTIONS_MAX: u8 = 3;

/// The properties of all states. Those of quiet states hold in all of them, not only in the last: whoever changes
/// nothing more ends in one.
pub(super) fn always() -> Vec<Property<Closed>> {
    vec![
        Property::always("I2 no loop", |_: &Closed, world: &World| world.ghost.commands <= COMMANDS_MAX),
        Property::always("I2 corrections", |_: &Closed, world: &World| {
            Platform::ALL.iter().all(|p| *world.ghost.corrections.of(*p) <= CORRECTIONS_MAX)
        }),
        Property::always("I3 convergence", |closed: &Closed, world: &World| {
            !is_judged(world) || world.cxone.contact.is_some() || in_step(closed, world)
        }),
        Property::always("I3 overlay", |closed: &Closed, world: &World| {
            !is_judged(world) || shows_contact(closed, world)
        }),
        Property::always("I3 previous", |closed: &Closed, world: &World| {
            !is_judged(world) || world.cxone.contact.is_some() || is_where_he_was(closed, world)
        }),
        Property::always("nobody is logged out", |closed: &Closed, world: &World| {
            can_log_out(closed) || !is_in_time(closed, world) || !is_off(world)
        }),
        Property::always("I6 origin", |_: &Closed, world: &World| {
            !is_judged(world) || world.ghost.clear.is_none_or(|chosen| chosen == shown(world, chosen))
        }),
    ]
}

/// The law allows to give up on a platform that loses one command after another.
fn is_judged(world: &World) -> bool {
    world.is_quiet() && !world.ghost.gave_up
}

fn shown(world: &World, like: Status) -> Status {
    match like {
        Status::Salesforce(_) => Status::Salesforce(world.salesforce.status),
        Status::Cxone(_) => Status::Cxone(world.cxone.status),
    }
}

/// One of them is what the rule makes of the other; or has no row, so that the other stays where it was; or is
/// logged out, where nobody can be put anywhere.
fn in_step(closed: &Closed, world: &World) -> bool {
    let salesforce = Status::Salesforce(world.salesforce.status);
    let cxone = Status::Cxone(world.cxone.status);
    closed.mirrored(salesforce).is_none_or(|target| target == cxone)
        || closed.mirrored(cxone).is_none_or(|target| target == salesforce)
        || salesforce.is_off()
        || cxone.is_off()
}

/// While a contact with a row lasts Salesforce shows it, unless something was chosen there since it began; or since
/// the one before it began, if no poll showed that it ended ("what cannot be known").
fn shows_contact(closed: &Closed, world: &World) -> bool {
    let Some(contact) = world.cxone.contact else { return true };
    let salesforce = Status::Salesforce(world.salesforce.status);
    closed.mirrored(Status::Cxone(contact)).is_none_or(|target| target == salesforce)
        || salesforce.is_off()
        || world.salesforce.since >= world.cxone.since
        || world.ghost.is_joined
}

/// Who chose a status that means *previous* is in what he himself last chose in CXone.
fn is_where_he_was(closed: &Closed, world: &World) -> bool {
    let means_previous = |(from, to): &(&str, &str)| {
        *to == "previous" && world.ghost.clear == Some(Status::Salesforce(class::salesforce(from)))
    };
    !closed.class.there.iter().any(means_previous)
        || world.ghost.previous.is_none_or(|previous| previous == world.cxone.status)
}

fn can_log_out(closed: &Closed) -> bool {
    closed.class.salesforce.contains(&"Offline") || closed.class.cxone.contains(&"LoggedOut")
}

/// Nothing was lost and nothing was late: else a row that closed may have meant a log-out.
fn is_in_time(closed: &Closed, world: &World) -> bool {
    (world.left.losses, world.left.waits) == (closed.budget.losses, closed.budget.waits)
}

fn is_off(world: &World) -> bool {
    world.salesforce.status.is_off() || world.cxone.status.is_off()
}

type Came = fn(&Before, &What, &Effects) -> bool;

fn reason(effects: &Effects) -> Reason {
    effects.decision.reason
}

fn is_commanded(effects: &Effects) -> bool {
    effects.commands.salesforce.is_some() || effects.commands.cxone.is_some()
}

fn is_of(what: &What, platform: Platform) -> bool {
    matches!(what, What::Observation(observation) if observation.status.platform() == platform)
}

/// What must come up somewhere.
pub(super) const SOMETIMES: &[(&str, Came)] = &[
    ("a command", |_, _, effects| is_commanded(effects)),
    ("an echo", |_, _, effects| reason(effects) == Reason::Echo),
    ("a correction", |_, _, effects| {
        effects.commands.into_array().into_iter().flatten().any(|command| command.correction)
    }),
    ("in step without an echo", |_, _, effects| reason(effects) == Reason::InStep),
    ("a superseded command", |_, _, effects| reason(effects) == Reason::Outcome(Verdict::Superseded)),
    ("an unreachable platform", |_, _, effects| reason(effects) == Reason::Outcome(Verdict::Unreachable)),
    ("a contact overlay", |_, _, effects| {
        reason(effects) == Reason::Contact && effects.commands.salesforce.is_some()
    }),
    ("the end of a contact", |_, _, effects| reason(effects) == Reason::AfterContact),
    ("Salesforce wins a conflict", |before, what, effects| {
        before.contested == Some(Platform::Cxone)
            && is_of(what, Platform::Salesforce)
            && reason(effects) == Reason::Choice
    }),
    ("Salesforce loses a conflict", |_, what, effects| {
        is_of(what, Platform::Salesforce) && reason(effects) == Reason::ChoiceLost
    }),
    ("CXone wins a conflict", |before, what, effects| {
        before.contested == Some(Platform::Salesforce)
            && is_of(what, Platform::Cxone)
            && reason(effects) == Reason::Choice
    }),
    ("CXone loses a conflict", |_, what, effects| {
        is_of(what, Platform::Cxone) && reason(effects) == Reason::ChoiceLost
    }),
    ("a duplicate", |_, _, effects| reason(effects) == Reason::Duplicate),
    ("a stale view", |_, _, effects| reason(effects) == Reason::StaleView),
    ("a choice that a command overwrote", |_, _, effects| reason(effects) == Reason::Overwritten),
    ("a login", |_, _, effects| reason(effects) == Reason::Login),
    ("a row that closes first", |_, _, effects| reason(effects) == Reason::ClosedEarly),
    ("an inferred log-out", |_, _, effects| reason(effects) == Reason::Due(WakeCause::Grace)),
    ("an inferred log-out that is taken back", |_, _, effects| effects.decision.taken_back),
    ("a platform that is given up", |_, _, effects| effects.decision.diverged.cxone.is_some()),
];
