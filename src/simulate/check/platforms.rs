//! What the platforms must have shown: I3, I4 and I6.

use crate::domain::{DurationMs, Platform, TimeMs};
use crate::engine::{Status, Verdict, What};
use crate::rules::OnConflict;
use crate::simulate::truth::{By, Change};
use crate::simulate::world::World;

use super::{Finding, Override};

/// So long after anything that rivals it a choice is the last beyond doubt.
const BEYOND_DOUBT: DurationMs = DurationMs::from_seconds(60);

pub(super) fn check(world: &World, findings: &mut Vec<Finding>) {
    let salesforce = Status::Salesforce(world.salesforce.status);
    let cxone = Status::Cxone(world.cxone.status);
    // The law allows to give up on a platform that loses or refuses one command after another.
    let gave_up = world.gave_up.salesforce || world.gave_up.cxone;
    if !gave_up && !in_step(world, salesforce, cxone) {
        findings.push(Finding::Apart { salesforce, cxone });
    }
    findings.extend(out_of_order(world).map(|status| Finding::Order { status }));
    let Some(choice) = world.truth.clear_choice(BEYOND_DOUBT) else { return };
    let platform = choice.status.platform();
    let shown = match platform {
        Platform::Salesforce => salesforce,
        Platform::Cxone => cxone,
    };
    if shown != choice.status && !world.gave_up.of(platform) && !loses_by_policy(world, choice) {
        let how = how(world, choice);
        findings.push(Finding::Overridden { chosen: choice.status, shown, how });
    }
}

/// One of them is what the rule makes of the other; or has no row, so that the other stays where it was; or is
/// logged out, where nobody can be put anywhere.
fn in_step(world: &World, salesforce: Status, cxone: Status) -> bool {
    let there = world.rules.mirrored(salesforce);
    let back = world.rules.mirrored(cxone);
    there.is_none_or(|target| target == cxone)
        || back.is_none_or(|target| target == salesforce)
        || salesforce.is_off()
        || cxone.is_off()
}

/// I4: what an older command set after a newer one. What a platform does after its answer is its own.
fn out_of_order(world: &World) -> Option<Status> {
    for platform in Platform::ALL {
        let mut newest = None;
        for change in world.truth.changes.iter().filter(|change| change.status.platform() == platform) {
            let By::Command { command, late: false } = change.by else { continue };
            let number = Some((command.issued, command.sequence));
            if number < newest {
                return Some(change.status);
            }
            newest = number;
        }
    }
    None
}

/// When the first outcome of each command that was issued to a platform before a moment came, if it did.
fn before<'w>(
    world: &'w World,
    platform: Platform,
    at: TimeMs,
) -> impl Iterator<Item = (TimeMs, Status, Option<TimeMs>)> + 'w {
    let issued = world.issued.iter().filter(move |(issued, c)| c.platform() == platform && *issued <= at);
    issued.map(move |(issued, command)| {
        let answer = world.log.iter().find_map(|record| match record.event.what {
            What::Outcome(outcome)
                if outcome.platform == platform
                    && outcome.command == command.sequence
                    && outcome.verdict != Verdict::Conflict
                    && record.event.now >= *issued =>
            {
                Some(record.event.now)
            }
            _ => None,
        });
        (*issued, command.status, answer)
    })
}

/// Whether a command to the platform on which he chose was under way then, and the rule prefers the other one.
fn loses_by_policy(world: &World, choice: &Change) -> bool {
    let platform = choice.status.platform();
    let favours_other = match world.rules.options().map(|options| options.on_conflict) {
        Some(OnConflict::Salesforce) => platform == Platform::Cxone,
        Some(OnConflict::Cxone) => platform == Platform::Salesforce,
        _ => false,
    };
    favours_other && before(world, platform, choice.at).any(|command| is_under_way(choice, command))
}

fn is_under_way(choice: &Change, (issued, _, answer): (TimeMs, Status, Option<TimeMs>)) -> bool {
    let since = answer.unwrap_or(choice.at).max(issued);
    choice.at.since(since) <= BEYOND_DOUBT
}

fn how(world: &World, choice: &Change) -> Override {
    let platform = choice.status.platform();
    let Some(seen) = choice.seen else { return Override::Unseen };
    let seen_before = |rival: &Change| rival.seen.is_some_and(|seen| seen < choice.at);
    let is_like = |(_, status, _): &(TimeMs, Status, Option<TimeMs>)| *status == choice.status;
    let is_out = |command: &(TimeMs, Status, Option<TimeMs>)| is_under_way(choice, *command);
    let is_late = |change: &Change| matches!(change.by, By::Command { late: true, .. });
    if world.truth.hidden_contacts.iter().any(|end| *end >= choice.at) {
        Override::ContactUnseen
    } else if world
        .truth
        .changes
        .iter()
        .any(|change| is_late(change) && change.at >= choice.at - BEYOND_DOUBT)
    {
        Override::LateCommand
    } else if world.truth.rival(choice).is_some_and(|rival| !seen_before(rival)) {
        Override::RivalUnseen
    } else if before(world, platform, seen).filter(is_like).any(|command| is_out(&command)) {
        Override::LikeCommand
    } else if before(world, platform, choice.at).any(|command| is_out(&command)) {
        Override::CommandUnderWay
    } else {
        Override::Seen
    }
}
