//! What operators watch of sources and sinks: an account is a label, of which there are few.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec};

use super::SECONDS;
use super::maker::Maker;
use crate::codec::HeldCause;
use crate::connectors::http::{self, CallClass, Usage};
use crate::connectors::{Noted, Observer};
use crate::domain::{Account, Feed};
use crate::engine::Verdict;

/// The call that logs in.
const LOG_IN: &str = "token";
const MINUTE: Duration = Duration::from_secs(60);

/// The metrics of all accounts.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    pub(super) lease: IntGaugeVec,
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    pub(super) clock_offset: GaugeVec,
    pub(super) api_usage: IntGaugeVec,
    pub(super) api_limit: IntGaugeVec,
    pub(super) polls: IntCounterVec,
    poll_seconds: HistogramVec,
    pub(super) last_poll: IntGaugeVec,
    poll_interval: GaugeVec,
    observations: IntCounterVec,
    pub(super) drift: IntCounterVec,
    unlinked: IntCounterVec,
    unreadable: IntCounterVec,
    pub(super) linked: IntGaugeVec,
    outcomes: IntCounterVec,
    pub(super) commands: IntGaugeVec,
    pub(super) held: IntGaugeVec,
    pub(super) last_call: GaugeVec,
    pub(super) waiting: IntGaugeVec,
    budget: IntGaugeVec,
    budget_rate: IntGaugeVec,
    pub(super) watched: Arc<Mutex<BTreeMap<String, Watched>>>,
}

/// What is asked for when somebody looks, because it changes by itself.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// When calls of the last minute were made, the oldest first.
    calls: VecDeque<Instant>,
    platform: Weak<http::Platform>,
}

impl Watched {
    pub(super) fn called(&mut self, now: Instant) {
        self.calls.push_back(now);
        self.calls_last_minute(now);
    }

    /// How many calls were made in the minute before that time.
    pub(super) fn calls_last_minute(&mut self, now: Instant) -> usize {
        while self.calls.pop_front_if(|at| *at + MINUTE < now).is_some() {}
        self.calls.len()
    }

    /// What is left of the budget.
    pub(super) fn budget(&self) -> Option<http::Left> {
        self.platform.upgrade().map(|platform| platform.budget())
    }
}

/// The metrics of one account.
#[derive(Clone, Debug)]
pub struct AccountMetrics {
    account: String,
    all: Accounts,
}

impl Accounts {
    pub(super) fn new(maker: &mut Maker) -> prometheus::Result<Accounts> {
        let account = &["account"];
        Ok(Accounts {
            lease: maker.gauges(
                "lockstep_account_lease",
                "Whether this process has an account (1) or stands by (0). Over all processes it should be 1.",
                account,
            )?,
            calls: maker.counters(
                "lockstep_calls_total",
                "Calls to a platform, by what became of them.",
                &["account", "call", "class"],
            )?,
            call_seconds: maker.histograms(
                "lockstep_call_seconds",
                "How long calls to a platform took.",
                &["account", "call"],
                &SECONDS,
            )?,
            clock_offset: maker.fractions(
                "lockstep_clock_offset_seconds",
                "How far the platform's clock is ahead of ours.",
                account,
            )?,
            api_usage: maker.gauges(
                "lockstep_api_usage",
                "API calls that all programs of an organisation made in the last 24 hours, as the platform tells.",
                account,
            )?,
            api_limit: maker.gauges(
                "lockstep_api_limit",
                "API calls that an organisation may make in 24 hours, as the platform tells.",
                account,
            )?,
            polls: maker.counters(
                "lockstep_polls_total",
                "Times that a platform was asked what agents are in: answered, failed, or odd and asked again.",
                &["account", "outcome"],
            )?,
            poll_seconds: maker.histograms(
                "lockstep_poll_seconds",
                "How long it took until all pages were there.",
                &["account", "found_by"],
                &SECONDS,
            )?,
            last_poll: maker.gauges(
                "lockstep_last_poll_timestamp_seconds",
                "When the platform answered last, or since when it is asked and has not yet: now minus this is how old our view is.",
                account,
            )?,
            poll_interval: maker.fractions(
                "lockstep_poll_interval_seconds",
                "How long it is now from one question to the next: longer where calls of the day are spared.",
                account,
            )?,
            observations: maker.counters(
                "lockstep_observations_total",
                "Changes of linked agents that were published, by how they were found.",
                &["account", "found_by"],
            )?,
            drift: maker.counters(
                "lockstep_drift_total",
                "Changes that a snapshot found and the feed had not told.",
                account,
            )?,
            unlinked: maker.counters(
                "lockstep_unlinked_changes_total",
                "Changes of people who are not linked: they are not published.",
                account,
            )?,
            unreadable: maker.counters(
                "lockstep_unreadable_entries_total",
                "Different entries of the feed that could not be read and were set aside in presence.dead-letters.",
                account,
            )?,
            linked: maker.gauges("lockstep_linked_agents", "People of an account who are linked.", account)?,
            outcomes: maker.counters(
                "lockstep_outcomes_total",
                "What became of commands.",
                &["account", "verdict"],
            )?,
            commands: maker.gauges(
                "lockstep_sink_commands",
                "Commands that a sink has to do: waiting, or under_way.",
                &["account", "state"],
            )?,
            held: maker.gauges(
                "lockstep_platform_held",
                "Whether commands of a whole account are held, and why.",
                &["account", "cause"],
            )?,
            last_call: maker.fractions(
                "lockstep_last_call_timestamp_seconds",
                "When a call to the platform was done last.",
                account,
            )?,
            waiting: maker.gauges(
                "lockstep_account_waiting_for_bus",
                "Whether source and sink of an account wait for the bus to come back.",
                account,
            )?,
            budget: maker.gauges(
                "lockstep_budget_calls",
                "Calls to a platform that this process could make at once.",
                account,
            )?,
            budget_rate: maker.gauges(
                "lockstep_budget_calls_per_minute",
                "How many calls are added to the budget in a minute.",
                account,
            )?,
            watched: Arc::default(),
        })
    }

    pub(super) fn watched(&self) -> MutexGuard<'_, BTreeMap<String, Watched>> {
        // A panic while it was held leaves a map that is still one.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what changes by itself.
    pub(super) fn look(&self) {
        for (account, watched) in &*self.watched() {
            if let Some(left) = watched.budget() {
                self.budget.with_label_values(&[account]).set(left.calls.into());
                self.budget_rate.with_label_values(&[account]).set(left.calls_per_minute.into());
            }
        }
    }

    pub(super) fn of(&self, account: Account) -> AccountMetrics {
        let one = AccountMetrics { account: account.to_string(), all: self.clone() };
        self.watched().entry(one.account.clone()).or_default();
        // What an alert asks for is there from the beginning.
        one.note(Noted::Lease(false));
        one.note(Noted::Drift(0));
        for verdict in VERDICTS {
            one.all.outcomes.with_label_values(&[&*one.account, verdict_name(verdict)]);
        }
        for outcome in ["answered", "failed", "odd"] {
            one.all.polls.with_label_values(&[&*one.account, outcome]);
        }
        for class in CallClass::ALL {
            one.all.calls.with_label_values(&[&*one.account, LOG_IN, class.name()]);
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

    /// From now on the budget of calls over this way is watched.
    pub fn watch(&self, platform: &Arc<http::Platform>) {
        self.all.watched().entry(self.account.clone()).or_default().platform = Arc::downgrade(platform);
    }
}

impl http::Observer for AccountMetrics {
    fn called(&self, call: &'static str, class: CallClass, took: Duration) {
        self.all.calls.with_label_values(&[&*self.account, call, class.name()]).inc();
        self.all.call_seconds.with_label_values(&[&*self.account, call]).observe(took.as_secs_f64());
        if class == CallClass::Done {
            let now = http::now().as_unix_ms() as f64 / 1e3;
            self.all.last_call.with_label_values(&[&self.account]).set(now);
        }
        self.all.watched().entry(self.account.clone()).or_default().called(Instant::now());
    }

    fn clock(&self, offset_ms: i64) {
        self.all.clock_offset.with_label_values(&[&self.account]).set(offset_ms as f64 / 1e3);
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
                if is_held {
                    let polled = all.last_poll.with_label_values(&[account]);
                    if polled.get() == 0 {
                        // Who never answers grows old, too.
                        polled.set(http::now().as_unix_ms() / 1_000);
                    }
                } else {
                    // What another process has is told by that one.
                    self.note(Noted::Held(None));
                    self.note(Noted::Backlog { waiting: 0, under_way: 0 });
                    self.note(Noted::Linked(0));
                    self.note(Noted::WaitsForBus(false));
                }
            }
            Noted::PollInterval(interval) => {
                all.poll_interval.with_label_values(&[account]).set(interval.as_secs_f64());
            }
            Noted::Polled { found_by, took } => {
                all.polls.with_label_values(&[account, "answered"]).inc();
                let seconds = took.as_secs_f64();
                all.poll_seconds.with_label_values(&[account, feed_name(found_by)]).observe(seconds);
                all.last_poll.with_label_values(&[account]).set(http::now().as_unix_ms() / 1_000);
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
            Noted::WaitsForBus(is_waiting) => {
                all.waiting.with_label_values(&[account]).set(is_waiting.into());
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

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;
    use crate::domain::Platform;

    /// The value of a metric of the account, where it is shown.
    fn shown(metrics: &Metrics, name: &str) -> Option<f64> {
        let text = metrics.text().unwrap();
        let prefix = format!("{name}{{account=\"cxone.emea\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&prefix)).map(|value| value.parse().unwrap())
    }

    #[test]
    fn who_never_answers_grows_old_from_when_this_process_asks() {
        let metrics = Metrics::new().unwrap();
        let name = "emea".parse().unwrap();
        let one = metrics.account(Account { platform: Platform::Cxone, name });
        let since = || shown(&metrics, "lockstep_last_poll_timestamp_seconds");
        let before = http::now().as_unix_ms() / 1_000;
        assert_eq!(since(), None, "another process may ask");
        one.note(Noted::Lease(true));
        assert!(since().unwrap() >= before as f64);
        assert_eq!(metrics.reading().accounts.remove(0).last_poll, None, "nothing was answered");
        one.note(Noted::Polled { found_by: Feed::Poll, took: Duration::from_millis(5) });
        assert!(metrics.reading().accounts.remove(0).last_poll.is_some());
    }

    #[test]
    fn how_often_it_is_asked_is_shown_as_it_is_now() {
        let metrics = Metrics::new().unwrap();
        let name = "emea".parse().unwrap();
        let one = metrics.account(Account { platform: Platform::Cxone, name });
        for (interval, seconds) in [(Duration::from_millis(1_500), 1.5), (Duration::from_secs(300), 300.0)] {
            one.note(Noted::PollInterval(interval));
            assert_eq!(shown(&metrics, "lockstep_poll_interval_seconds"), Some(seconds));
        }
        let text = metrics.text().unwrap();
        let refused = "lockstep_calls_total{account=\"cxone.emea\",call=\"token\",class=\"refused\"} 0";
        assert!(text.lines().any(|line| line == refused), "the first log-in that is refused is seen: {text}");
    }
}
