//! What the log and its decisions must be: I1, I2, I5 and I7.

use crate::domain::{DurationMs, Platform, TimeMs};
use crate::engine::{self, Reason, Timer, What};
use crate::simulate::rules::is_available;
use crate::simulate::world::{Record, START, World};

use super::Finding;

/// Quiet enough that only a loop still commands.
const QUIET: DurationMs = DurationMs::from_seconds(30 * 60);

pub(super) fn check(world: &World, rest: TimeMs, findings: &mut Vec<Finding>) {
    findings.extend(replayed(world).map(|record| Finding::Differs { record }));
    findings.extend(wrongly_decided(&world.log).map(|record| Finding::Decided { record }));
    let commands = world.issued.iter().filter(|(at, _)| at.since(rest) > QUIET).count();
    if commands > 0 {
        findings.push(Finding::Loop { commands });
    }
    findings.extend(corrections(world).map(|corrections| Finding::Corrections { corrections }));
    findings.extend(flapping(world).map(|commands| Finding::Flapping { commands }));
    findings.extend(made_available(world));
}

/// I1: the first record that gives something else when the log is applied from scratch.
fn replayed(world: &World) -> Option<usize> {
    let mut slot = None;
    for (number, record) in world.log.iter().enumerate() {
        let effects = engine::apply(&mut slot, &record.event, world.rules.revision(record.revision)?);
        if effects != record.effects {
            return Some(number + 1);
        }
    }
    (slot != world.slot).then_some(world.log.len() + 1)
}

/// I5: while he is linked each record is decided for him, otherwise none is; and the timer that is armed comes due
/// once, any other never.
fn wrongly_decided(log: &[Record]) -> Option<usize> {
    let (mut is_linked, mut armed) = (false, None);
    for (number, Record { event, effects, .. }) in log.iter().enumerate() {
        let reason = effects.decision.reason;
        let commands = effects.commands.into_array().into_iter().flatten().count();
        let is_wrong = match event.what {
            What::Linked(_) => (reason == Reason::Linked) == is_linked,
            _ if !is_linked => reason != Reason::NotLinked || commands > 0 || effects.timer.is_some(),
            What::Unlinked | What::Forgotten => !effects.gone || commands > 0,
            What::WakeUp(wake_up) => {
                let is_armed = armed.is_some_and(|(generation, _)| generation == wake_up.generation);
                let is_due = armed.is_some_and(|(_, at)| is_armed && event.now >= at);
                matches!(reason, Reason::Due(_)) != is_due || (reason == Reason::StaleWakeUp) == is_armed
            }
            _ => reason == Reason::NotLinked || effects.gone,
        };
        if is_wrong {
            return Some(number + 1);
        }
        if matches!(event.what, What::WakeUp(wake_up) if armed.is_some_and(|(g, _)| g == wake_up.generation))
        {
            armed = None;
        }
        match effects.timer {
            Some(Timer::Arm { at, generation, .. }) => armed = Some((generation, at)),
            Some(Timer::Disarm) => armed = None,
            None => {}
        }
        match reason {
            Reason::Linked => is_linked = true,
            Reason::Unlinked | Reason::Forgotten => (is_linked, armed) = (false, None),
            _ => {}
        }
    }
    None
}

/// I2: more corrections than are allowed, between two moments at which anything but a command of ours happened. So
/// they are counted across targets, too: without a new choice, a contact, a browser or other rules there is none. What
/// a command of ours did may be judged a choice if it was done or told of late, which cannot be known: that begins
/// anew; were it to go on, it would be a loop.
fn corrections(world: &World) -> Option<usize> {
    let allowed = usize::from(world.rules.tables()?.settings().corrections);
    let intents: Vec<TimeMs> =
        world.log.iter().filter(|r| r.effects.decision.new_intent).map(|record| record.event.now).collect();
    let is_news = |after, until| intents.iter().any(|at| *at > after && *at <= until);
    for platform in Platform::ALL {
        let (mut in_a_row, mut before) = (0, TimeMs::default());
        for (at, command) in world.issued.iter().filter(|(_, command)| command.platform() == platform) {
            if world.truth.happened(before, *at) || is_news(before, *at) {
                in_a_row = 0;
            }
            in_a_row += usize::from(command.correction);
            before = *at;
            if in_a_row > allowed {
                return Some(in_a_row);
            }
        }
    }
    None
}

/// I2: more commands within the flap window than are allowed. A new link counts anew.
fn flapping(world: &World) -> Option<usize> {
    let settings = world.rules.tables()?.settings();
    let allowed = usize::from(settings.flap_commands);
    let link = |at: TimeMs| world.truth.links.iter().rev().find(|link| **link <= at);
    let is_over =
        world.issued.iter().zip(world.issued.iter().skip(allowed)).any(|((first, _), (last, _))| {
            last.since(*first) < settings.flap_window && link(*first) == link(*last)
        });
    is_over.then_some(allowed + 1)
}

/// I7: a command makes him available who had not chosen that last on either platform, as far as the engine can know
/// his last choices.
fn made_available(world: &World) -> Option<Finding> {
    let chose_it = |at: TimeMs| {
        let choices = Platform::ALL.into_iter().flat_map(|p| world.truth.last_choices(p, at));
        // What the engine cannot know excuses it: a silent platform, a contact that no
        // poll showed, what was before the link.
        let hidden = |from: TimeMs| world.truth.was_hidden(from, at);
        let (mut any, mut available) = (false, false);
        for choice in choices {
            any = true;
            // What he chose in CXone before may be older than that which he chose last, and lost with.
            available |=
                hidden(choice.at) || is_available(choice.status) || world.rules.is_previous(choice.status);
        }
        available || !any
    };
    let mut commands = world.issued.iter().filter(|(_, command)| is_available(command.status));
    let (at, command) = commands.find(|(at, _)| !chose_it(*at))?;
    Some(Finding::MadeAvailable { platform: command.platform(), after: at.since(START) })
}
