//! What operators watch of sources and sinks: an account is a label, of which there are few.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{SECONDS, registered};
use crate::codec::HeldCause;
use crate::connectors::http::{self, CallClass, Usage};
use crate::connectors::{Noted, Observer};
use crate::domain::{Account, Feed};
use crate::engine::Verdict;

/// The metrics of all accounts.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    lease: IntGaugeVec,
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    clock_offset: IntGaugeVec,
    api_usage: IntGaugeVec,
    api_limit: IntGaugeVec,
    polls: IntCounterVec,
    poll_seconds: HistogramVec,
    last_poll: IntGaugeVec,
    observations: IntCounterVec,
    drift: IntCounterVec,
    unlinked: IntCounterVec,
    unreadable: IntCounterVec,
    linked: IntGaugeVec,
    outcomes: IntCounterVec,
    commands: IntGaugeVec,
    held: IntGaugeVec,
}

/// The metrics of one account.
#[derive(Clone, Debug)]
pub struct AccountMetrics {
    account: String,
    all: Accounts,
}

impl Accounts {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Accounts> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let seconds = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
            registered(registry, HistogramVec::new(options, labels)?)
        };
        let account = &["account"];
        Ok(Accounts {
            lease: gauges(
                "lockstep_account_lease",
                "Whether this process has an account (1) or stands by (0). Over all processes it should be 1.",
                account,
            )?,
            calls: counters(
                "lockstep_calls_total",
                "Calls to a platform, by what became of them.",
                &["account", "call", "class"],
            )?,
            call_seconds: seconds(
                "lockstep_call_seconds",
                "How long calls to a platform took.",
                &["account", "call"],
            )?,
            clock_offset: gauges(
                "lockstep_clock_offset_milliseconds",
                "How far the platform's clock is ahead of ours.",
                account,
            )?,
            api_usage: gauges(
                "lockstep_api_usage",
                "API calls that all programs of an organisation made in the last 24 hours, as the platform tells.",
                account,
            )?,
            api_limit: gauges(
                "lockstep_api_limit",
                "API calls that an organisation may make in 24 hours, as the platform tells.",
                account,
            )?,
            polls: counters(
                "lockstep_polls_total",
                "Times that a platform was asked what agents are in: answered, failed, or odd and asked again.",
                &["account", "outcome"],
            )?,
            poll_seconds: seconds(
                "lockstep_poll_seconds",
                "How long it took until all pages were there.",
                &["account", "found_by"],
            )?,
            last_poll: gauges(
                "lockstep_last_poll_timestamp_seconds",
                "When the platform answered last: now minus this is how old our view is.",
                account,
            )?,
            observations: counters(
                "lockstep_observations_total",
                "Changes of linked agents that were published, by how they were found.",
                &["account", "found_by"],
            )?,
            drift: counters(
                "lockstep_drift_total",
                "Changes that a snapshot found and the feed had not told.",
                account,
            )?,
            unlinked: counters(
                "lockstep_unlinked_changes_total",
                "Changes of people who are not linked: they are not published.",
                account,
            )?,
            unreadable: counters(
                "lockstep_unreadable_entries_total",
                "Different entries of the feed that could not be read and were set aside in presence.dead-letters.",
                account,
            )?,
            linked: gauges("lockstep_linked_agents", "People of an account who are linked.", account)?,
            outcomes: counters(
                "lockstep_outcomes_total",
                "What became of commands.",
                &["account", "verdict"],
            )?,
            commands: gauges(
                "lockstep_sink_commands",
                "Commands that a sink has to do: waiting, or under_way.",
                &["account", "state"],
            )?,
            held: gauges(
                "lockstep_platform_held",
                "Whether commands of a whole account are held, and why.",
                &["account", "cause"],
            )?,
        })
    }

    pub(super) fn of(&self, account: Account) -> AccountMetrics {
        let one = AccountMetrics { account: account.to_string(), all: self.clone() };
        // What an alert asks for is there from the beginning.
        one.note(Noted::Lease(false));
        one.note(Noted::Drift(0));
        for verdict in VERDICTS {
            one.all.outcomes.with_label_values(&[&*one.account, verdict_name(verdict)]);
        }
        for outcome in ["answered", "failed", "odd"] {
            one.all.polls.with_label_values(&[&*one.account, outcome]);
        }
        one
    }
}

pub(super) const VERDICTS: [Verdict; 6] = [
    Verdict::Accepted,
    Verdict::Permanent,
    Verdict::Conflict,
    Verdict::Unreachable,
    Verdict::Superseded,
    Verdict::Unknown,
];
const HELD_CAUSES: [HeldCause; 6] = [
    HeldCause::Unknown,
    HeldCause::Unauthorised,
    HeldCause::Forbidden,
    HeldCause::BreakerOpen,
    HeldCause::AllowanceUsedUp,
    HeldCause::Unavailable,
];

pub(super) const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Permanent => "rejected",
        Verdict::Conflict => "conflict",
        Verdict::Unreachable => "unreachable",
        Verdict::Superseded => "superseded",
        Verdict::Unknown => "unknown",
    }
}

const fn cause_name(cause: HeldCause) -> &'static str {
    match cause {
        HeldCause::Unknown => "unknown",
        HeldCause::Unauthorised => "unauthorised",
        HeldCause::Forbidden => "forbidden",
        HeldCause::BreakerOpen => "breaker_open",
        HeldCause::AllowanceUsedUp => "allowance_used_up",
        HeldCause::Unavailable => "unavailable",
    }
}

const fn feed_name(feed: Feed) -> &'static str {
    match feed {
        Feed::Unknown => "unknown",
        Feed::Poll => "poll",
        Feed::ChangeEvent => "change_event",
        Feed::Bridge => "bridge",
        Feed::Snapshot => "snapshot",
    }
}

impl AccountMetrics {
    /// Whether this process has the account.
    pub fn has_lease(&self) -> bool {
        self.all.lease.with_label_values(&[&self.account]).get() == 1
    }
}

impl http::Observer for AccountMetrics {
    fn called(&self, call: &'static str, class: CallClass, took: Duration) {
        self.all.calls.with_label_values(&[&*self.account, call, class.name()]).inc();
        self.all.call_seconds.with_label_values(&[&*self.account, call]).observe(took.as_secs_f64());
    }

    fn clock(&self, offset_ms: i64) {
        self.all.clock_offset.with_label_values(&[&self.account]).set(offset_ms);
    }

    fn usage(&self, usage: Usage) {
        let shown = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.all.api_usage.with_label_values(&[&self.account]).set(shown(usage.used));
        self.all.api_limit.with_label_values(&[&self.account]).set(shown(usage.max));
    }
}

impl Observer for AccountMetrics {
    fn note(&self, noted: Noted) {
        let (all, account) = (&self.all, &*self.account);
        let add = |counter: &IntCounterVec, number: usize| {
            counter.with_label_values(&[account]).inc_by(number as u64);
        };
        match noted {
            Noted::Lease(is_held) => {
                all.lease.with_label_values(&[account]).set(is_held.into());
                if !is_held {
                    // What another process has is told by that one.
                    self.note(Noted::Held(None));
                    self.note(Noted::Backlog { waiting: 0, under_way: 0 });
                    self.note(Noted::Linked(0));
                }
            }
            Noted::Polled { found_by, took } => {
                all.polls.with_label_values(&[account, "answered"]).inc();
                let seconds = took.as_secs_f64();
                all.poll_seconds.with_label_values(&[account, feed_name(found_by)]).observe(seconds);
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                all.last_poll.with_label_values(&[account]).set(now.as_secs().cast_signed());
            }
            Noted::PollFailed => all.polls.with_label_values(&[account, "failed"]).inc(),
            Noted::PollOdd => all.polls.with_label_values(&[account, "odd"]).inc(),
            Noted::Published { found_by, changes } => {
                let labels = [account, feed_name(found_by)];
                all.observations.with_label_values(&labels).inc_by(changes as u64);
            }
            Noted::Drift(changes) => add(&all.drift, changes),
            Noted::OfOthers(changes) => add(&all.unlinked, changes),
            Noted::Unreadable(entries) => add(&all.unreadable, entries),
            Noted::Linked(agents) => all.linked.with_label_values(&[account]).set(agents as i64),
            Noted::Outcome(verdict) => {
                all.outcomes.with_label_values(&[account, verdict_name(verdict)]).inc();
            }
            Noted::Backlog { waiting, under_way } => {
                all.commands.with_label_values(&[account, "waiting"]).set(waiting as i64);
                all.commands.with_label_values(&[account, "under_way"]).set(under_way as i64);
            }
            Noted::Held(cause) => {
                for one in HELD_CAUSES {
                    let is_it = cause == Some(one);
                    all.held.with_label_values(&[account, cause_name(one)]).set(is_it.into());
                }
            }
        }
    }
}
