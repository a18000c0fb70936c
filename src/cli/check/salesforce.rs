//! An org: its log-in, what the integration user may read, what is left of its calls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use lockstep::config::{self, SalesforceLogin};
use lockstep::connectors::http::now;
use lockstep::connectors::salesforce::{Allowance, Allowances, Error, Org, TokenFile};
use lockstep::directory::ListedUser;
use lockstep::domain::{AccountName, DurationMs, PresenceKind, UserId};

use super::report::Report;
use super::watching::{Watching, clock, mend_of, not_asked, not_called};
use crate::cli::directory::loaded::org::Got;
use crate::cli::org::org_beside;

/// Presence is asked for of so long a time: few rows, with all that a source reads of them.
const LOOKED_BACK: DurationMs = DurationMs::from_seconds(60);
/// Of a hundred: with so many calls of the day used somebody should look, and with so many little works any more.
const USED_WARNED: u64 = 80;
const USED_MAX: u64 = 95;
/// The call that lists users.
const USERS: &str = "users";
const DAY_MS: u64 = 86_400_000;
/// What is asked after the log-in.
const AFTER_LOG_IN: [&str; 4] = ["allowance", "presence", "omni-channel", "users-seen"];

/// What was read of an org.
pub(super) struct Read {
    /// What the directory needs of it.
    pub(super) got: Got,
    /// Whether each user can log in; none where users may not be read.
    pub(super) users: Option<BTreeMap<UserId, bool>>,
    /// Who was asked for; none is everybody.
    pub(super) asked: Option<BTreeSet<UserId>>,
}

/// Looks at it, and of its users at these alone, where some are named. None where it was not read.
pub(super) async fn look(
    name: AccountName,
    configured: &config::Salesforce,
    users: Option<&[UserId]>,
    uses_refresh_token: bool,
    report: &mut Report,
) -> Option<Read> {
    let about = format!("salesforce.{name}");
    let watching = Arc::new(Watching::default());
    let org = match org_beside(configured, watching.clone()) {
        Ok(org) => org,
        Err(error) => {
            not_called(&about, &error, &AFTER_LOG_IN, report);
            return None;
        }
    };
    let is_in = match &configured.login {
        SalesforceLogin::RefreshToken { refresh_token_file } if !uses_refresh_token => {
            kept(name, &about, refresh_token_file, report);
            false
        }
        _ => {
            let is_in = log_in(&org, &about, configured, report).await;
            if !is_in {
                not_asked(&about, "the log-in failed", &AFTER_LOG_IN, report);
            }
            is_in
        }
    };
    let read = match is_in {
        true => {
            allowance(&about, configured, org.limits().await, report);
            presence(&about, &org, report).await;
            self::read(&about, &org, users, report).await
        }
        false => None,
    };
    clock(&about, watching.offset_ms(), report);
    nobody_tells(&about, configured, report);
    read
}

/// A refresh token may be good for one log-in only, and another process may be about to use it: it is looked at, and kept.
fn kept(name: AccountName, about: &str, file: &Path, report: &mut Report) {
    let because = match TokenFile::new(file.to_owned()).read() {
        Ok(_) => {
            let because = "a log-in would use up the refresh token, or have it replaced";
            let mend = format!(
                "`lockstep login salesforce {name}` gets another; `lockstep check --use-refresh-token` uses this one, which nobody else should do meanwhile"
            );
            report.unknown("log-in", about, because, mend);
            "nobody has logged in"
        }
        Err(error) => {
            report.failed("log-in", about, without_mend(&error), log_in_mend(&error, about));
            "the log-in failed"
        }
    };
    report.unknown("organisation", about, because, "see what the row `log-in` says");
    for id in AFTER_LOG_IN {
        report.unknown(id, about, because, "see what the row `log-in` says");
    }
}

/// Logs in, and tells whether it leads to the configured organisation.
async fn log_in(org: &Org, about: &str, configured: &config::Salesforce, report: &mut Report) -> bool {
    let (way, is_legacy) = match &configured.login {
        SalesforceLogin::Password { .. } => ("a password", true),
        SalesforceLogin::JwtBearer { .. } => ("a private key", false),
        SalesforceLogin::RefreshToken { .. } => ("a refresh token", false),
        SalesforceLogin::ClientCredentials {} => ("the app alone", false),
    };
    let entered = org.log_in().await;
    let error = match entered {
        Ok(()) | Err(Error::OtherOrganisation { .. }) if is_legacy => {
            report.warning(
                "log-in",
                about,
                "it works, by a password: orgs made since Summer '23 block that by default",
                "`private_key` is better: docs/salesforce.md says what to set up",
            );
            entered.err()
        }
        Ok(()) | Err(Error::OtherOrganisation { .. }) => {
            report.ok("log-in", about, format!("it works, by {way}"));
            entered.err()
        }
        Err(error) => {
            let mend = log_in_mend(&error, about);
            report.failed("log-in", about, without_mend(&error), mend);
            report.unknown(
                "organisation",
                about,
                "the log-in failed",
                "mend the log-in first, and check again",
            );
            return false;
        }
    };
    match error {
        Some(Error::OtherOrganisation { expected, came }) => {
            let what =
                format!("the token is of {came}, and {expected} is configured: nothing is read or set");
            let mend = "look at `organisation_id`, and at which org the user and the app are of";
            report.failed("organisation", about, what, mend);
            false
        }
        _ => {
            let what = format!("the token is of {}, as it is configured", configured.organisation_id);
            report.ok("organisation", about, what);
            true
        }
    }
}

/// What went wrong; a log-in's error tells what to do, too, which stands apart here.
fn without_mend(error: &Error) -> String {
    match error {
        Error::LogIn { code, description: Some(description), .. } => {
            format!("the log-in is refused: {code} ({description})")
        }
        Error::LogIn { code, .. } => format!("the log-in is refused: {code}"),
        error => error.to_string(),
    }
}

fn log_in_mend(error: &Error, about: &str) -> String {
    match error {
        Error::LogIn { mend, .. } | Error::Consent { mend, .. } => (*mend).to_owned(),
        Error::TokenFile { .. } => {
            format!("lockstep login salesforce {}", about.trim_start_matches("salesforce."))
        }
        error => mend(error).to_owned(),
    }
}

/// What to do about a call that failed.
fn mend(error: &Error) -> &'static str {
    match error {
        Error::Call(error) => mend_of(error),
        error if error.is_used_up() => {
            "all calls of the day are used: let other programs of the org make fewer, or buy more; they come back by and by"
        }
        error if error.is_hidden() => {
            "let the integration user read `UserServicePresence`, `ServicePresenceStatus`, `ServiceChannel`, `ServiceChannelStatus` and `User`, and see that Omni-Channel is enabled in Setup"
        }
        _ => "docs/salesforce.md says what to set up",
    }
}

/// How many calls of a day are left, and how many this configuration makes.
fn allowance(
    about: &str,
    configured: &config::Salesforce,
    limits: Result<Allowances, Error>,
    report: &mut Report,
) {
    const ID: &str = "allowance";
    const MEND: &str =
        "raise `poll_interval_ms` of its calls, let other programs of the org make fewer, or buy more";
    let Allowance { max, remaining } = match limits {
        Ok(Allowances { daily_api_requests: Some(calls), .. }) => calls,
        Ok(_) => {
            let mend = "look at Setup, Company Information, API Requests";
            return report.unknown(ID, about, "the org does not tell of its calls of a day", mend);
        }
        Err(error) => return report.failed(ID, about, error.to_string(), mend(&error)),
    };
    let used = max.saturating_sub(remaining);
    let own = calls_of_a_day(&configured.calls);
    let what = format!("{used} of {max} API calls of a day are used; this configuration makes {own}");
    match used.saturating_mul(100) / max.max(1) {
        USED_MAX.. => report.failed(ID, about, what, MEND),
        USED_WARNED.. => report.warning(ID, about, what, MEND),
        _ if own > max => report.warning(ID, about, format!("{what}, which is more"), MEND),
        _ => report.ok(ID, about, what),
    }
}

/// How many calls the source makes, at rest.
fn calls_of_a_day(calls: &config::SalesforceCalls) -> u64 {
    let polls = DAY_MS / u64::from(calls.poll_interval_ms).max(1);
    let snapshots = DAY_MS / 1_000 / u64::from(calls.snapshot_interval_s).max(1);
    (polls + snapshots).min(u64::from(calls.per_minute) * 24 * 60)
}

/// Whether what agents are in can be read: just as the source reads it.
async fn presence(about: &str, org: &Org, report: &mut Report) {
    const ID: &str = "presence";
    let since = now() + DurationMs::from_ms(org.platform().offset_ms() - LOOKED_BACK.as_ms());
    match org.changes(since).await {
        Ok(found) if !found.unreadable.is_empty() => {
            let what = format!("{} rows of the last minute cannot be read", found.unreadable.len());
            let mend = "look whether the integration user may read all fields of UserServicePresence";
            report.failed(ID, about, what, mend);
        }
        Ok(found) => {
            let what =
                format!("what agents are in can be read: {} changes in the last minute", found.rows.len());
            report.ok(ID, about, what);
        }
        Err(error) => report.failed(ID, about, error.to_string(), mend(&error)),
    }
}

/// Reads statuses and users, as `directory refresh` does.
async fn read(about: &str, org: &Org, wanted: Option<&[UserId]>, report: &mut Report) -> Option<Read> {
    let read = match wanted {
        None => Got::read(org).await.map(|got| {
            let users = got.users().map(<[ListedUser]>::to_vec);
            (got, users)
        }),
        Some(some) => Got::read_of(org, some).await,
    };
    let (got, users) = match read {
        Ok(read) => read,
        Err(error) => {
            let (statuses, users) = ("omni-channel", "users-seen");
            let (id, other) = if error.call() == Some(USERS) { (users, statuses) } else { (statuses, users) };
            report.failed(id, about, without_mend(&error), mend(&error));
            let because = format!("the call `{}` failed", error.call().unwrap_or("log-in"));
            report.unknown(other, about, &because, "mend that first, and check again");
            return None;
        }
    };
    omni_channel(about, &got, report);
    match &users {
        None => {
            let what = got.missing().iter().find(|text| text.starts_with("the users"));
            let what = what.map_or("users cannot be read", String::as_str);
            report.failed("users-seen", about, what, "let the integration user read `User`");
        }
        Some(users) => report.ok("users-seen", about, format!("{} users can be read", users.len())),
    }
    let users = users.map(|users| users.iter().map(|one| (one.user, !one.contact.is_inactive)).collect());
    Some(Read { got, users, asked: wanted.map(|some| some.iter().copied().collect()) })
}

/// Whether Omni-Channel is on, as far as its objects tell.
fn omni_channel(about: &str, got: &Got, report: &mut Report) {
    const ID: &str = "omni-channel";
    let Some(statuses) = got.statuses() else {
        let what = got.missing().iter().find(|text| text.starts_with("the statuses"));
        let what = what.map_or("the statuses cannot be read", String::as_str);
        let mend = "enable Omni-Channel in Setup, Omni-Channel Settings, and let the integration user read `ServicePresenceStatus`, `ServiceChannel` and `ServiceChannelStatus`";
        return report.failed(ID, about, what, mend);
    };
    let online = statuses.iter().filter(|status| status.kind() == PresenceKind::Online).count();
    let what = format!("{} presence statuses, {online} of them online", statuses.len());
    match (statuses.len(), online) {
        (0, _) => report.failed(ID, about, what, "make presence statuses in Setup, Presence Statuses"),
        (_, 0) => report.warning(ID, about, what, "give one a service channel: else nobody can take work"),
        _ => report.ok(ID, about, what),
    }
}

/// What no query that Lockstep makes tells of. A person has to look.
fn nobody_tells(about: &str, configured: &config::Salesforce, report: &mut Report) {
    let user = "the integration user";
    let because = "Salesforce hides rows of presence without saying so";
    let mend = format!("see in Setup that {user} has View All Data, or reads presence of all agents");
    report.unknown("view-all-data", about, because, mend);
    let because = "no query tells who has the licence and the feature licence for it";
    let mend = "see in Setup, Users, that linked users have a licence with Service Cloud and are Service Cloud Users";
    report.unknown("service-cloud-licence", about, because, mend);
    if configured.bridge.is_some() {
        let because = "no query tells who has the permission set of the console utility";
        let mend = "see in Setup, Permission Sets, that linked users have that of the utility";
        report.unknown("utility-permission-set", about, because, mend);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(poll_interval_ms: u16, snapshot_interval_s: u16, per_minute: u16) -> config::SalesforceCalls {
        config::SalesforceCalls {
            api_version: 62,
            poll_interval_ms,
            snapshot_interval_s,
            per_minute,
            burst: 1,
            read_timeout_s: 1,
            session_minutes: 60,
            proxy: None,
            ca_file: None,
        }
    }

    #[test]
    fn a_day_has_so_many_calls() {
        for (poll_interval_ms, snapshot_interval_s, per_minute, expected) in
            [(5_000, 300, 60, 17_280 + 288), (1_000, 60, 6_000, 86_400 + 1_440), (1_000, 60, 10, 14_400)]
        {
            let calls = calls(poll_interval_ms, snapshot_interval_s, per_minute);
            assert_eq!(calls_of_a_day(&calls), expected, "{calls:?}");
        }
    }
}
