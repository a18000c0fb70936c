//! A tenant: its log-in, what the service user may read, and whether its budget of calls is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use lockstep::config;
use lockstep::connectors::cxone::Tenant;
use lockstep::connectors::http::Error;
use lockstep::domain::{AccountName, CxoneAgentId, TeamId};

use super::report::{Report, some_of};
use super::watching::{Watching, clock, mend_of, not_asked, not_called};
use crate::cli::directory::loaded::tenant::Got;
use crate::cli::tenant::tenant_beside;

/// States are asked for of so long a time: few of them.
const LOOKED_BACK: SignedDuration = SignedDuration::from_secs(60);
/// Of a hundred: polls that take more of the budget leave little to set statuses with.
const POLLS_WARNED: u64 = 50;
/// What is asked after the log-in.
const AFTER_LOG_IN: [&str; 3] = ["agent-states", "agents-seen", "codes-and-teams"];

/// The call that lists agents.
const AGENTS: &str = "agents";

/// What was read of a tenant.
pub(super) struct Read {
    /// What the directory needs of it.
    pub(super) got: Got,
    /// Whether each agent is one still.
    pub(super) agents: BTreeMap<CxoneAgentId, bool>,
}

/// Looks at it, and at the codes of these teams. None where it was not read.
pub(super) async fn look(
    name: AccountName,
    configured: &config::Cxone,
    teams: &BTreeSet<TeamId>,
    report: &mut Report,
) -> Option<Read> {
    let about = format!("cxone.{name}");
    let watching = Arc::new(Watching::default());
    let tenant = match tenant_beside(configured, watching.clone()) {
        Ok(tenant) => tenant,
        Err(error) => {
            not_called(&about, &error, &AFTER_LOG_IN, report);
            return None;
        }
    };
    let read = match tenant.log_in().await {
        Ok(()) => {
            report.ok("log-in", &about, "it works");
            states(&about, &tenant, watching.offset_ms(), report).await;
            self::read(&about, &tenant, teams, report).await
        }
        Err(error) => {
            report.failed("log-in", &about, error.to_string(), log_in_mend(&error));
            not_asked(&about, "the log-in failed", &AFTER_LOG_IN, report);
            None
        }
    };
    clock(&about, watching.offset_ms(), report);
    budget(&about, &configured.calls, report);
    let because = "it is tried by setting somebody's status, and nothing is changed here";
    let mend = "see in CXone that the role of the service user may set agents' states and log agents out";
    report.unknown("setting", &about, because, mend);
    read
}

fn log_in_mend(error: &Error) -> &'static str {
    match error {
        Error::Refused { status: 400..=403, .. } => {
            "look at `access_key_id` and `access_key_secret`, and at `client_id` and `client_secret` or `area`; the service user must be active"
        }
        error => mend_of(error),
    }
}

/// Whether what agents are in can be read: just as the source reads it.
async fn states(about: &str, tenant: &Tenant, offset_ms: Option<i64>, report: &mut Report) {
    const ID: &str = "agent-states";
    let there = Timestamp::now() + SignedDuration::from_millis(offset_ms.unwrap_or(0)) - LOOKED_BACK;
    let since = there.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    match tenant.poll(Some(&since)).await {
        Ok(poll) if !poll.unreadable.is_empty() => {
            let what = format!("{} states of the last minute cannot be read", poll.unreadable.len());
            report.warning(ID, about, what, "look at `api_version` of its calls");
        }
        Ok(poll) => {
            let what =
                format!("what agents are in can be read: {} changes in the last minute", poll.seen.len());
            report.ok(ID, about, what);
        }
        Err(error) => report.failed(ID, about, error.to_string(), mend_of(&error)),
    }
}

/// Reads agents, teams and codes, as `directory refresh` does.
async fn read(about: &str, tenant: &Tenant, teams: &BTreeSet<TeamId>, report: &mut Report) -> Option<Read> {
    let (seen, lists) = ("agents-seen", "codes-and-teams");
    let got = match Got::read_of(tenant, |team| teams.contains(&team)).await {
        Ok(got) => got,
        Err(error) => {
            let (id, other) = if error.call() == Some(AGENTS) { (seen, lists) } else { (lists, seen) };
            let mend = match error {
                Error::Refused { status: 403, .. } => {
                    "give the service user a role in CXone that sees all teams and their agents"
                }
                _ => mend_of(&error),
            };
            report.failed(id, about, error.to_string(), mend);
            let because = format!("the call `{}` failed", error.call().unwrap_or(AGENTS));
            report.unknown(other, about, &because, "mend that first, and check again");
            return None;
        }
    };
    let count = got.agents().len();
    match got.hidden() {
        0 => report.ok(seen, about, format!("the service user sees all {count} agents")),
        hidden => {
            let what = format!("the service user sees {count} agents, and may not see {hidden} more");
            report.warning(seen, about, what, "give it a role in CXone that sees all teams");
        }
    }
    match got.missing() {
        [] if !got.gone().is_empty() => {
            let what = format!(
                "the tenant lists the teams {}, and says then that they are gone (404)",
                some_of(got.gone())
            );
            report.warning(lists, about, what, "check again: somebody may have removed them just now");
        }
        [] => report.ok(
            lists,
            about,
            format!("codes and teams can be read, and codes of {} teams", teams.len()),
        ),
        [first, others @ ..] => {
            let more = if others.is_empty() { String::new() } else { format!("; and {} more", others.len()) };
            let mend = "give the service user a role in CXone that reads teams and unavailable codes";
            report.failed(lists, about, format!("{first}{more}"), mend);
        }
    }
    let agents = got.agents().iter().map(|one| (one.agent, !one.contact.is_inactive)).collect();
    Some(Read { got, agents })
}

/// Whether the configured rate is enough for the polls and for what is set beside them.
fn budget(about: &str, calls: &config::Calls, report: &mut Report) {
    const ID: &str = "call-budget";
    let per_minute = u64::from(calls.per_minute);
    let polls = polls_a_minute(calls);
    let what = format!("{per_minute} calls a minute, of which polls take {polls}");
    let mend = format!("raise `poll_interval_ms` or `per_minute` of [{about}.calls]");
    match polls.saturating_mul(100) / per_minute.max(1) {
        100.. => report.failed(ID, about, format!("{what}: nothing is left to set statuses with"), mend),
        POLLS_WARNED.. => {
            report.warning(ID, about, format!("{what}: few are left to set statuses with"), mend)
        }
        _ => report.ok(ID, about, what),
    }
}

/// How many calls the source makes a minute, at rest.
fn polls_a_minute(calls: &config::Calls) -> u64 {
    let polls = 60_000_u64.div_ceil(u64::from(calls.poll_interval_ms).max(1));
    polls + 60_u64.div_ceil(u64::from(calls.snapshot_interval_s).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_leave_something_of_the_budget() {
        for (poll_interval_ms, per_minute, verdict) in [
            (2_000, 1_200, "ok"),
            (1_000, 120, "warning"),
            (1_000, 123, "ok"),
            (1_000, 61, "failed"),
            (1_000, 1, "failed"),
        ] {
            let calls = config::Calls {
                api_version: 33,
                poll_interval_ms,
                snapshot_interval_s: 600,
                per_minute,
                burst: 1,
                at_once: 1,
                set_timeout_ms: 1_000,
                read_timeout_s: 1,
                set_by: config::SetBy::Auto,
                proxy: None,
                ca_file: None,
            };
            let mut report = Report::default();
            budget("cxone.emea", &calls, &mut report);
            let told = serde_json::to_value(report.told()).unwrap();
            assert_eq!(told["checks"][0]["result"], verdict, "{poll_interval_ms} {per_minute}");
        }
    }
}
