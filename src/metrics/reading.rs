//! What the metrics of this process say now, for who asks it alone and does not want to read all of them.

use std::time::Instant;

use prometheus::core::Collector;
use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::Metrics;
use crate::connectors::http::{Left, Usage};
use crate::domain::TimeMs;

/// What a process has, and how it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The workers of the processor.
    pub workers: Vec<WorkerReading>,
    /// The partitions that are this process's.
    pub partitions: Vec<PartitionReading>,
    /// The accounts, be they this process's or not.
    pub accounts: Vec<AccountReading>,
    /// The gateways of the bridge.
    pub gateways: Vec<GatewayReading>,
}

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerReading {
    /// Its number.
    pub worker: u32,
    /// Whether it waits for the bus or the schema registry.
    pub waits_for_bus: bool,
}

/// Where a partition is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its state is read back.
    Restoring,
    /// It is worked on.
    Ready,
}

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionReading {
    /// Its number.
    pub partition: u32,
    /// Where it is in its life.
    pub phase: Phase,
    /// How many agents it has, once that is known.
    pub agents: Option<u64>,
    /// The next event that will be dealt with, once one was.
    pub next_offset: Option<u64>,
    /// How many records wait, where that was asked.
    pub lag_records: Option<u64>,
    /// The time of the last event, once one was dealt with.
    pub clock: Option<TimeMs>,
}

/// An account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountReading {
    /// Its platform and name.
    pub account: String,
    /// Whether this process has it; else it stands by.
    pub has_lease: bool,
    /// Why it is held, where it is.
    pub held: Option<String>,
    /// Whether what is written waits for the bus.
    pub waits_for_bus: bool,
    /// When a call was done last.
    pub last_call: Option<TimeMs>,
    /// When the platform told last what agents are in.
    pub last_poll: Option<TimeMs>,
    /// So many calls were made in the last minute.
    pub calls_last_minute: usize,
    /// What is left of the budget.
    pub budget: Option<Left>,
    /// What all programs of an org have used of its calls of a day, where the platform tells.
    pub usage: Option<Usage>,
    /// Commands that wait.
    pub commands_waiting: u64,
    /// Commands that are under way.
    pub commands_under_way: u64,
    /// People who are linked.
    pub linked: u64,
    /// How far the platform's clock is ahead of ours, in seconds, once that is known.
    pub clock_offset_s: Option<f64>,
    /// Changes that snapshots found and the feed had not told.
    pub drift: u64,
}

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayReading {
    /// The platform and name of its org.
    pub account: String,
    /// Browsers that are connected.
    pub browsers: u64,
    /// Agents whom they hold.
    pub agents: u64,
    /// Whether what it writes waits for the bus.
    pub waits_for_bus: bool,
}

impl Metrics {
    /// What they say now.
    pub fn reading(&self) -> Reading {
        Reading {
            workers: self.workers(),
            partitions: self.partitions(),
            accounts: self.account_readings(),
            gateways: self.gateways(),
        }
    }

    /// The partitions that are worked on, and the next event of each.
    pub fn nexts(&self) -> Vec<(u32, u64)> {
        // An offset is far below what a float tells apart.
        let one = |(partition, next): (String, f64)| Some((partition.parse().ok()?, next as u64));
        Values::of(&self.next).by("partition").filter_map(one).collect()
    }

    fn workers(&self) -> Vec<WorkerReading> {
        let waiting = Values::of(&self.trouble);
        let one = |(worker, value): (String, f64)| {
            Some(WorkerReading { worker: worker.parse().ok()?, waits_for_bus: value > 0.0 })
        };
        let mut all: Vec<_> = waiting.by("worker").filter_map(one).collect();
        all.sort_unstable_by_key(|one| one.worker);
        all
    }

    fn partitions(&self) -> Vec<PartitionReading> {
        let [agents, next, lag] = [&self.agents, &self.next, &self.lag].map(Values::of);
        let clock = Values::of(&self.clock);
        let one = |(label, is_ready): (String, f64)| {
            let whole = |values: &Values| values.get(&[("partition", &label)]).map(|value| value as u64);
            Some(PartitionReading {
                partition: label.parse().ok()?,
                phase: if is_ready > 0.0 { Phase::Ready } else { Phase::Restoring },
                agents: whole(&agents),
                next_offset: whole(&next),
                lag_records: whole(&lag),
                clock: clock.get(&[("partition", &label)]).map(time),
            })
        };
        let mut all: Vec<_> = Values::of(&self.phases).by("partition").filter_map(one).collect();
        all.sort_unstable_by_key(|one| one.partition);
        all
    }

    fn account_readings(&self) -> Vec<AccountReading> {
        let all = &self.accounts;
        let [lease, held, waiting, linked] =
            [&all.lease, &all.held, &all.waiting, &all.linked].map(Values::of);
        let [used, max, polled, commands] =
            [&all.api_usage, &all.api_limit, &all.last_poll, &all.commands].map(Values::of);
        let [called, offset] = [&all.last_call, &all.clock_offset].map(Values::of);
        let [drift, polls] = [&all.drift, &all.polls].map(Values::of);
        let has_answered = |account: &str| {
            polls.get(&[("account", account), ("outcome", "answered")]).is_some_and(|count| count > 0.0)
        };
        let now = Instant::now();
        let mut watched = all.watched();
        let one = |(account, watched): (&String, &mut super::accounts::Watched)| {
            let get = |values: &Values| values.get(&[("account", account)]);
            let count = |values: &Values| get(values).unwrap_or_default() as u64;
            let commands =
                |state| commands.get(&[("account", account), ("state", state)]).unwrap_or_default() as u64;
            let usage = get(&used).zip(get(&max));
            AccountReading {
                account: account.clone(),
                has_lease: count(&lease) == 1,
                held: held.where_set(("account", account), "cause"),
                waits_for_bus: count(&waiting) == 1,
                last_call: get(&called).map(time),
                last_poll: get(&polled).filter(|_| has_answered(account)).map(time),
                calls_last_minute: watched.calls_last_minute(now),
                budget: watched.budget(),
                usage: usage.map(|(used, max)| Usage { used: used as u64, max: max as u64 }),
                commands_waiting: commands("waiting"),
                commands_under_way: commands("under_way"),
                linked: count(&linked),
                clock_offset_s: get(&offset),
                drift: count(&drift),
            }
        };
        watched.iter_mut().map(one).collect()
    }

    fn gateways(&self) -> Vec<GatewayReading> {
        let [held, waiting] = [&self.bridge.held, &self.bridge.waiting].map(Values::of);
        let one = |(account, browsers): (String, f64)| {
            let get = |values: &Values| values.get(&[("account", &account)]).unwrap_or_default();
            let (agents, waits_for_bus) = (get(&held) as u64, get(&waiting) > 0.0);
            GatewayReading { account, browsers: browsers as u64, agents, waits_for_bus }
        };
        let mut all: Vec<_> = Values::of(&self.bridge.connections).by("account").map(one).collect();
        all.sort_unstable_by(|a, b| a.account.cmp(&b.account));
        all
    }
}

/// A time as a gauge has it, in seconds since the epoch.
fn time(seconds: f64) -> TimeMs {
    TimeMs::from_unix_ms((seconds * 1e3).round() as i64)
}

/// The values of one metric.
struct Values(Vec<MetricFamily>);

impl Values {
    fn of(collector: &impl Collector) -> Values {
        Values(collector.collect())
    }

    fn each(&self) -> impl Iterator<Item = (&Metric, f64)> {
        self.0.iter().flat_map(|family| {
            let is_counter = family.get_field_type() == MetricType::COUNTER;
            family.get_metric().iter().map(move |metric| {
                let gauge = || metric.get_gauge().get_value();
                (metric, if is_counter { metric.get_counter().get_value() } else { gauge() })
            })
        })
    }

    /// The values by the value of a label.
    fn by(&self, label: &str) -> impl Iterator<Item = (String, f64)> {
        self.each().filter_map(move |(metric, value)| Some((label_of(metric, label)?.to_owned(), value)))
    }

    /// The value that has these labels, where there is one.
    fn get(&self, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it =
            |metric: &Metric| labels.iter().all(|(name, value)| label_of(metric, name) == Some(*value));
        self.each().find(|(metric, _)| is_it(metric)).map(|(_, value)| value)
    }

    /// The value of a label for which a flag is set.
    fn where_set(&self, (name, value): (&str, &str), label: &str) -> Option<String> {
        let is_it = |metric: &Metric, flag: f64| flag > 0.0 && label_of(metric, name) == Some(value);
        let (metric, _) = self.each().find(|(metric, flag)| is_it(metric, *flag))?;
        label_of(metric, label).map(str::to_owned)
    }
}

fn label_of<'m>(metric: &'m Metric, label: &str) -> Option<&'m str> {
    metric.get_label().iter().find(|pair| pair.name() == label).map(|pair| pair.value())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::bus::Offset;
    use crate::codec::HeldCause;
    use crate::connectors::http::{self, CallClass, Limits, Observer as _, Rate, Settings};
    use crate::connectors::{Noted, Observer as _};
    use crate::domain::{Account, Platform};
    use crate::processor::{Observer as _, Tally};

    #[test]
    fn nothing_is_told_of_what_is_not_there() {
        assert_eq!(Metrics::new().unwrap().reading(), Reading::default());
    }

    #[test]
    fn partitions_come_with_what_is_known_of_them() {
        let metrics = Metrics::new().unwrap();
        metrics.restoring(11);
        metrics.ready(2, 7, Duration::from_millis(5));
        let at = TimeMs::from_unix_ms(1_767_607_200_123);
        metrics.committed(2, &Tally { agents: 8, ..Tally::default() }, at, Offset(1_001));
        metrics.set_lag(2, 3);
        metrics.waiting(1, true);
        metrics.waiting(0, false);
        let reading = metrics.reading();
        let restoring = PartitionReading {
            partition: 11,
            phase: Phase::Restoring,
            agents: None,
            next_offset: None,
            lag_records: None,
            clock: None,
        };
        let ready = PartitionReading {
            partition: 2,
            phase: Phase::Ready,
            agents: Some(8),
            next_offset: Some(1_001),
            lag_records: Some(3),
            clock: Some(at),
        };
        assert_eq!(reading.partitions, [ready, restoring]);
        let waits: Vec<_> = reading.workers.iter().map(|one| (one.worker, one.waits_for_bus)).collect();
        assert_eq!(waits, [(0, false), (1, true)]);
    }

    #[test]
    fn an_account_tells_why_it_is_held_and_what_is_used() {
        let metrics = Metrics::new().unwrap();
        let name = "main".parse().unwrap();
        let one = metrics.account(Account { platform: Platform::Salesforce, name });
        let fresh = metrics.reading().accounts.remove(0);
        assert_eq!((fresh.has_lease, fresh.held, fresh.last_call, fresh.usage), (false, None, None, None));
        one.note(Noted::Lease(true));
        one.note(Noted::Held(Some(HeldCause::Forbidden)));
        one.note(Noted::Backlog { waiting: 4, under_way: 2 });
        one.note(Noted::Drift(3));
        one.called("query", CallClass::Failed, Duration::from_millis(20));
        assert_eq!(metrics.reading().accounts.remove(0).last_call, None, "that one was not done");
        one.called("query", CallClass::Done, Duration::from_millis(20));
        one.usage(Usage { used: 12, max: 100 });
        one.clock(-2_500);
        let known = metrics.reading().accounts.remove(0);
        assert_eq!(known.account, "salesforce.main");
        assert!(known.has_lease && known.last_call.is_some());
        assert_eq!(known.held.as_deref(), Some("forbidden"));
        assert_eq!((known.commands_waiting, known.commands_under_way, known.drift), (4, 2, 3));
        assert_eq!((known.usage, known.calls_last_minute), (Some(Usage { used: 12, max: 100 }), 2));
        assert_eq!(known.clock_offset_s, Some(-2.5));
        one.note(Noted::Lease(false));
        let gone = metrics.reading().accounts.remove(0);
        assert_eq!((gone.has_lease, gone.held, gone.commands_waiting), (false, None, 0));
    }

    #[test]
    fn the_budget_is_asked_for_when_somebody_looks() {
        let metrics = Metrics::new().unwrap();
        let name = "emea".parse().unwrap();
        let one = metrics.account(Account { platform: Platform::Cxone, name });
        let settings = Settings {
            rate: Rate { calls_per_minute: 1, burst: 3 },
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(1),
            proxy: None,
            ca_file: None,
            shows_answers: false,
        };
        let platform = Arc::new(http::Platform::new(settings, Arc::new(one.clone())).unwrap());
        let budget = || metrics.reading().accounts.remove(0).budget;
        assert_eq!(budget(), None, "nobody has said which platform it is");
        one.watch(&platform);
        assert_eq!(budget(), Some(Left { calls: 3, calls_per_minute: 1 }));
        platform.turn().unwrap();
        assert_eq!(budget(), Some(Left { calls: 2, calls_per_minute: 1 }));
        let text = metrics.text().unwrap();
        for line in [
            "lockstep_budget_calls{account=\"cxone.emea\"} 2",
            "lockstep_budget_calls_per_minute{account=\"cxone.emea\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        drop(platform);
        assert_eq!(budget(), None, "it is gone");
    }

    #[test]
    fn calls_of_more_than_a_minute_ago_are_none_of_the_last() {
        let begun = Instant::now();
        let mut watched = super::super::accounts::Watched::default();
        for second in [0, 1, 59, 60, 61] {
            watched.called(begun + Duration::from_secs(second));
        }
        for (second, calls) in [(61, 4), (62, 3), (120, 2), (200, 0)] {
            let now = begun + Duration::from_secs(second);
            assert_eq!(watched.calls_last_minute(now), calls, "{second}");
        }
    }

    #[test]
    fn gateways_have_browsers() {
        let metrics = Metrics::new().unwrap();
        metrics.bridge().held("salesforce.main", 2, 3);
        metrics.bridge().waiting("salesforce.main", true);
        let account = "salesforce.main".to_owned();
        let expected = GatewayReading { account, browsers: 3, agents: 2, waits_for_bus: true };
        assert_eq!(metrics.reading().gateways, [expected]);
    }
}
