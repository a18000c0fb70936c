//! Histories for people to read.

use std::fmt;

use super::super::script;
use super::world::{Action, Before, Listen, Mail, World};
use super::{Budget, Closed};
use crate::domain::SalesforceStatus;
use crate::engine::*;

/// A history, a line for each step and for what the engine did.
pub(super) fn history(closed: &Closed, steps: Vec<(World, Option<Action>)>) -> String {
    let mut lines = Tell(Vec::new());
    for (world, action) in steps {
        match action {
            Some(action) => {
                lines.0.push(format!("  {action}"));
                world.step(action, closed, &mut lines);
            }
            None => lines.0.push(format!(
                "  Salesforce shows {}, CXone shows {}",
                called(Status::Salesforce(world.salesforce.status)),
                called(Status::Cxone(world.cxone_shows()))
            )),
        }
    }
    lines.0.join("\n")
}

struct Tell(Vec<String>);

impl Listen for Tell {
    fn hear(&mut self, _: &Before, _: &What, effects: &Effects) {
        let mut line = format!("      {:?}", effects.decision.reason);
        for command in effects.commands.into_array().into_iter().flatten() {
            line += if command.correction { " >>" } else { " >" };
            line += &called(command.status);
        }
        self.0.push(line);
    }
}

fn called(status: Status) -> String {
    match status {
        Status::Cxone(status) if !status.is_settable() && !status.is_off() => format!("CX {status:?}"),
        status => script::name(status),
    }
}

fn in_salesforce(status: SalesforceStatus) -> String {
    called(Status::Salesforce(status))
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mail::Row { status, .. } => write!(f, "the row of {}", in_salesforce(*status)),
            Mail::Console { status, cause, .. } => {
                write!(f, "the console's {} by {cause:?}", in_salesforce(*status))
            }
            Mail::Close { row, .. } => write!(f, "the close of row {row:?}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = |polled: &bool| if *polled { ", after a poll" } else { "" };
        match self {
            Action::Choose { status, polled } => {
                write!(f, "he chooses {}{}", called(*status), seen(polled))
            }
            Action::BeginContact { polled } => write!(f, "a contact begins{}", seen(polled)),
            Action::EndContact { polled } => write!(f, "the contact ends{}", seen(polled)),
            Action::Read(mail) => write!(f, "the log takes {mail}"),
            Action::ReadAndKeep(mail) => write!(f, "the log takes {mail}, which comes again"),
            Action::Lose(mail) => write!(f, "lost: {mail}"),
            Action::Snapshot(platform) => write!(f, "a snapshot of {platform}"),
            Action::Poll => write!(f, "the log takes CXone's poll"),
            Action::Do { platform, polled } => write!(f, "{platform} does the command{}", seen(polled)),
            Action::DoLate { platform, polled } => {
                write!(f, "{platform} does the late command{}", seen(polled))
            }
            Action::Fail { platform, failure, polled } => {
                write!(f, "the command to {platform} is {failure:?}{}", seen(polled))
            }
            Action::Answer(platform) => write!(f, "the log takes an outcome of {platform}"),
            Action::Wait(seconds) => write!(f, "{seconds} s"),
            Action::WakeUp => write!(f, "the timer"),
            Action::Rest => write!(f, "16 min of rest, then snapshots"),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Budget { changes, losses, duplicates, waits } = self;
        write!(f, "{changes} changes")?;
        for (number, name) in [(losses, "loss"), (duplicates, "duplicate"), (waits, "step in time")] {
            if *number > 0 {
                write!(f, ", {number} {name}")?;
            }
        }
        Ok(())
    }
}
