//! A history as a table: a line for each event, with what the engine and the oracle answered.

use super::world::{CXONE, SALESFORCE};
use super::{History, Search};
use crate::domain::{Platform, Status, TimeMs};
use crate::engine::tests::script;
use crate::engine::*;

/// Every reason, and everything else that an event can bring about.
pub(super) const EVERYTHING: [&str; 51] = [
    "Linked",
    "AlreadyLinked",
    "NotLinked",
    "Unlinked",
    "Forgotten",
    "TeamMoved",
    "Activated",
    "Retried",
    "Duplicate",
    "SameChange",
    "StaleView",
    "Overwritten",
    "LoggedIn",
    "Contact",
    "Echo",
    "InStep",
    "AfterContact",
    "ReEntered",
    "Login",
    "LogOutWithoutRow",
    "SystemState",
    "Choice",
    "ChoiceLost",
    "Closing",
    "ClosedEarly",
    "ClosedLate",
    "Connected",
    "Disconnected",
    "StaleEpoch",
    "Outcome(Accepted)",
    "Outcome(Permanent)",
    "Outcome(Conflict)",
    "Outcome(Unreachable)",
    "Outcome(Superseded)",
    "Outcome(Unknown)",
    "DuplicateOutcome",
    "UnknownCommand",
    "Due(Confirm(Salesforce))",
    "Due(Confirm(Cxone))",
    "Due(Grace)",
    "Due(CoolDown)",
    "StaleWakeUp",
    "EarlyWakeUp",
    "command",
    "correction",
    "gave up: not seen",
    "gave up: refused",
    "flapping",
    "taken back",
    "retargeted",
    "new intent",
];

/// The history up to the first difference.
pub(super) fn table(search: &Search, history: &History) -> String {
    let happened = search.setting.live(history);
    let answers = search.answers(&happened);
    let Some(start) = happened.first().map(|h| h.event.now) else { return String::new() };
    let mut lines = Vec::new();
    for (happened, answer) in happened.iter().zip(answers) {
        let time = happened.event.now.since(start).as_ms();
        let event = event(&happened.event, start);
        let same = happened.answer == answer;
        lines.push(format!("{:>8} ms  {event:<60}  {}", time, effects(&happened.answer, start)));
        if !same {
            lines.push(format!("{:>11}  {:<60}  {}", "", "the oracle:", effects(&answer, start)));
            break;
        }
    }
    lines.join("\n")
}

fn name(status: Status) -> String {
    let salesforce = SALESFORCE.iter().map(|name| ("SF", *name));
    let mut names = salesforce.chain(CXONE.iter().map(|name| ("CX", *name)));
    let found = names.find(|(platform, name)| script::status(platform, name) == status);
    found.map_or_else(|| format!("{status:?}"), |(platform, name)| format!("{platform} {name}"))
}

fn event(event: &Event, start: TimeMs) -> String {
    let ms = |at: TimeMs| at.since(start).as_ms();
    match event.what {
        What::Observation(o) => {
            let mut text = format!("{} since {}", name(o.status), ms(o.since_raw));
            if o.offset.as_ms() != 0 {
                text += &format!(" ({} ms ahead)", o.offset.as_ms());
            }
            if let Some(row) = o.row {
                text += &format!(" row {}", row.to_string().trim_start_matches("0Ps0"));
            }
            if o.cause != Default::default() {
                text += &format!(" by {:?}", o.cause);
            }
            if let Some(asked) = o.asked {
                text += &format!(" asked {}", ms(asked));
            }
            text
        }
        What::RowClosed(closed) => {
            let row = closed.row.map(|row| row.to_string()).unwrap_or_default();
            let row = row.trim_start_matches("0Ps0");
            let asked = closed.asked.map(|asked| format!(" asked {}", ms(asked))).unwrap_or_default();
            let ahead = closed.offset.as_ms();
            format!("closed row {row} at {} ({ahead} ms ahead){asked}", ms(closed.at_raw))
        }
        What::Outcome(o) => format!("{} #{} {:?}", script::short(o.platform), o.command.0, o.verdict),
        What::WakeUp(wake_up) => format!("wake-up {:?} {}", wake_up.cause, wake_up.generation.0),
        What::Connected(epoch) => format!("up {}", epoch.0),
        What::Disconnected(epoch) => format!("down {}", epoch.0),
        What::Linked(membership) => format!("linked, team {:?}", membership.team.map(|team| team.get())),
        What::TeamMoved(membership) => format!("team {:?}", membership.team.map(|team| team.get())),
        What::Activated { assignment } => {
            if assignment.is_some() {
                "rules".to_owned()
            } else {
                "rules, none for him".to_owned()
            }
        }
        What::Unlinked | What::Forgotten | What::Retry => format!("{:?}", event.what),
    }
}

fn effects(effects: &Effects, start: TimeMs) -> String {
    let decision = effects.decision;
    let mut text = format!("{:?}", decision.reason);
    let marks = [
        (decision.taken_back, " taken-back"),
        (decision.new_intent, " new-intent"),
        (decision.retargeted, " retargeted"),
        (decision.flapping, " flapping"),
        (effects.gone, " gone"),
    ];
    for (_, mark) in marks.into_iter().filter(|(is, _)| *is) {
        text += mark;
    }
    for platform in Platform::ALL {
        if let Some(why) = decision.diverged.of(platform) {
            text += &format!(" gave-up {} {why:?}", script::short(platform));
        }
        if let Some(command) = effects.commands.of(platform) {
            let mark = if command.correction { ">>" } else { ">" };
            let row = command.row.map_or("own".to_owned(), |row| row.0.to_string());
            text += &format!(" {mark}{} #{} row {row}", name(command.status), command.sequence.0);
            let issued = command.issued.since(start).as_ms();
            text += &format!(" at {issued}");
        }
    }
    match effects.timer {
        Some(Timer::Arm { at, cause, generation }) => {
            text + &format!(" arm {cause:?} {} at {}", generation.0, at.since(start).as_ms())
        }
        Some(Timer::Disarm) => text + " disarm",
        None => text,
    }
}
