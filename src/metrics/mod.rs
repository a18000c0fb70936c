//! What operators watch: every name and help text in one place. No label has values without a bound: no agent, no
//! offset, no text of an error.

mod accounts;
mod bridge;
mod maker;
#[cfg(test)]
mod page;
mod reading;

use std::time::Duration;

use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

use crate::bus::Offset;
use crate::domain::{Account, Platform, TimeMs};
use crate::engine::Standing;
use crate::processor::{NOTHING_LOST, Observer, Tally};

pub use accounts::AccountMetrics;
pub use bridge::BridgeMetrics;
pub use reading::{AccountReading, GatewayReading, PartitionReading, Phase, Reading, WorkerReading};

use maker::Maker;

/// Buckets of a transaction's times, in seconds.
const SECONDS: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Buckets of the time from a choice to the platform that shows it, in seconds.
const SYNC_SECONDS: [f64; 11] = [0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0];

/// All metrics of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: IntCounterVec,
    decisions: IntCounterVec,
    commands: IntCounterVec,
    states: IntCounter,
    wake_ups: IntCounter,
    dead_letters: IntCounter,
    given_up: IntCounter,
    transactions: IntCounterVec,
    transaction_open: Histogram,
    transaction_commit: Histogram,
    violations: IntCounterVec,
    agents: IntGaugeVec,
    standings: IntGaugeVec,
    phases: IntGaugeVec,
    restore: GaugeVec,
    next: IntGaugeVec,
    lag: IntGaugeVec,
    clock: GaugeVec,
    sync: HistogramVec,
    trouble: IntGaugeVec,
    ready: IntGauge,
    accounts: accounts::Accounts,
    bridge: BridgeMetrics,
}

impl Metrics {
    /// All of them, at zero.
    ///
    /// # Errors
    /// Two have the same name, which a test excludes.
    pub fn new() -> prometheus::Result<Metrics> {
        let mut maker = Maker::default();
        let metrics = Metrics::make(&mut maker)?.with_zeros();
        for collector in maker.made() {
            metrics.registry.register(collector)?;
        }
        Ok(metrics)
    }

    fn make(maker: &mut Maker) -> prometheus::Result<Metrics> {
        #[cfg(target_os = "linux")]
        maker.take(prometheus::process_collector::ProcessCollector::for_self());
        maker.info(
            "lockstep_build_info",
            "Always 1: its label is the version that runs.",
            ("version", env!("CARGO_PKG_VERSION")),
        )?;
        let partition = &["partition"];
        Ok(Metrics {
            events: maker.counters(
                "lockstep_events_total",
                "Records of presence.events that were dealt with and committed.",
                partition,
            )?,
            decisions: maker.counters(
                "lockstep_decisions_total",
                "Decisions by their reason, as presence.decisions has it.",
                &["reason"],
            )?,
            commands: maker.counters(
                "lockstep_commands_total",
                "Commands to the sinks of a platform.",
                &["platform"],
            )?,
            states: maker.counter("lockstep_states_total", "Records written to presence.state.")?,
            wake_ups: maker.counter("lockstep_wake_ups_total", "Timers that came due.")?,
            dead_letters: maker.counter(
                "lockstep_dead_letters_total",
                "Records that could not be read and were set aside in presence.dead-letters.",
            )?,
            given_up: maker.counter(
                "lockstep_given_up_total",
                "Times that a platform was given up on for an agent, or his commands were held because there were too many.",
            )?,
            transactions: maker.counters(
                "lockstep_transactions_total",
                "Transactions of the processor by how they ended: committed or aborted.",
                &["outcome"],
            )?,
            transaction_open: maker.histogram(
                "lockstep_transaction_open_seconds",
                "How long a transaction was open, from its first record to its end.",
                &SECONDS,
            )?,
            transaction_commit: maker.histogram(
                "lockstep_transaction_commit_seconds",
                "How long a commit took: records drained, offsets and the end of the transaction.",
                &SECONDS,
            )?,
            violations: maker.counters(
                "lockstep_invariant_violations_total",
                "Violations of a numbered invariant. Every one is a bug or a damaged log: it never should be above 0.",
                &["invariant"],
            )?,
            agents: maker.gauges("lockstep_agents", "Agents of a partition.", partition)?,
            standings: maker.gauges(
                "lockstep_agents_by_standing",
                "Agents by how a platform stands to its target: in_step, waiting, unreachable or diverged.",
                &["partition", "platform", "standing"],
            )?,
            phases: maker.gauges(
                "lockstep_partition_ready",
                "Whether a partition of this process is worked on (1) or being restored (0).",
                partition,
            )?,
            restore: maker.fractions(
                "lockstep_restore_seconds",
                "How long the last restore of a partition took.",
                partition,
            )?,
            next: maker.gauges("lockstep_next_offset", "The next event that will be dealt with.", partition)?,
            lag: maker.gauges(
                "lockstep_lag_records",
                "Records of presence.events that were not dealt with yet.",
                partition,
            )?,
            clock: maker.fractions(
                "lockstep_clock_timestamp_seconds",
                "The append time of the last event that was dealt with: where the lag is above 0, now minus this is the lag in time.",
                partition,
            )?,
            sync: maker.histograms(
                "lockstep_sync_seconds",
                "From an agent's choice, by the log's time, until the platform that had to be set shows it. Without those out of reach.",
                &["platform"],
                &SYNC_SECONDS,
            )?,
            trouble: maker.gauges(
                "lockstep_waiting_for_bus",
                "Whether a worker waits for the bus or the schema registry to come back.",
                &["worker"],
            )?,
            ready: maker.gauge(
                "lockstep_ready",
                "Whether all parts of this process are ready (1), as /ready says it, or not (0).",
            )?,
            accounts: accounts::Accounts::new(maker)?,
            bridge: BridgeMetrics::new(maker)?,
            registry: Registry::new(),
        })
    }

    /// What an alert asks for is there from the beginning.
    fn with_zeros(self) -> Metrics {
        for outcome in ["committed", "aborted"] {
            self.transactions.with_label_values(&[outcome]);
        }
        for platform in Platform::ALL {
            self.commands.with_label_values(&[platform.name()]);
            self.sync.with_label_values(&[platform.name()]);
        }
        // The only one that a process looks at while it works.
        self.violations.with_label_values(&[NOTHING_LOST]);
        self
    }

    /// All of them, as Prometheus reads it.
    ///
    /// # Errors
    /// One cannot be written, which no value of ours does.
    pub fn text(&self) -> prometheus::Result<String> {
        self.accounts.look();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Whether all parts of the process are ready.
    pub fn set_ready(&self, is_ready: bool) {
        self.ready.set(is_ready.into());
    }

    /// Those of an account.
    pub fn account(&self, account: Account) -> AccountMetrics {
        self.accounts.of(account)
    }

    /// Those of the bridge.
    pub fn bridge(&self) -> BridgeMetrics {
        self.bridge.clone()
    }

    /// How many events of a partition wait.
    pub fn set_lag(&self, partition: u32, records: u64) {
        self.lag.with_label_values(&[&partition.to_string()]).set(records as i64);
    }

    /// What is another process's is told by that one.
    fn forget(&self, partition: u32) {
        let label = partition.to_string();
        let labels = &[label.as_str()];
        for gauge in [&self.phases, &self.agents, &self.next, &self.lag] {
            let _ = gauge.remove_label_values(labels);
        }
        for gauge in [&self.restore, &self.clock] {
            let _ = gauge.remove_label_values(labels);
        }
        for platform in Platform::ALL {
            for standing in Standing::ALL {
                let labels = &[label.as_str(), platform.name(), standing.name()];
                let _ = self.standings.remove_label_values(labels);
            }
        }
    }
}

impl Observer for Metrics {
    /// Readiness tells it.
    fn joined(&self, _: u32, _: bool) {}

    fn restoring(&self, partition: u32) {
        self.phases.with_label_values(&[&partition.to_string()]).set(0);
    }

    fn ready(&self, partition: u32, agents: usize, took: Duration) {
        let label = partition.to_string();
        self.phases.with_label_values(&[&label]).set(1);
        self.agents.with_label_values(&[&label]).set(agents as i64);
        self.restore.with_label_values(&[&label]).set(took.as_secs_f64());
    }

    fn gone(&self, partition: u32) {
        self.forget(partition);
    }

    fn committed(&self, partition: u32, tally: &Tally, clock: TimeMs, next: Offset) {
        let label = partition.to_string();
        let labels = &[label.as_str()];
        self.events.with_label_values(labels).inc_by(tally.events);
        for (reason, count) in tally.decisions.iter().filter(|(_, count)| *count > 0) {
            self.decisions.with_label_values(&[reason.name()]).inc_by(*count);
        }
        for platform in Platform::ALL {
            self.commands.with_label_values(&[platform.name()]).inc_by(*tally.commands.of(platform));
        }
        self.states.inc_by(tally.states);
        self.wake_ups.inc_by(tally.wake_ups);
        self.dead_letters.inc_by(tally.dead_letters);
        self.given_up.inc_by(tally.given_up);
        self.agents.with_label_values(labels).set(tally.agents as i64);
        self.clock.with_label_values(labels).set(clock.as_unix_ms() as f64 / 1e3);
        for platform in Platform::ALL {
            let sync = self.sync.with_label_values(&[platform.name()]);
            tally.synced.of(platform).iter().for_each(|took| sync.observe(took.as_ms() as f64 / 1e3));
        }
        self.next.with_label_values(labels).set(next.0.cast_signed());
    }

    fn standings(&self, partition: u32, platform: Platform, standing: Standing, agents: u64) {
        let label = partition.to_string();
        let labels = &[label.as_str(), platform.name(), standing.name()];
        self.standings.with_label_values(labels).set(agents as i64);
    }

    fn transaction(&self, open: Duration, commit: Duration) {
        self.transactions.with_label_values(&["committed"]).inc();
        self.transaction_open.observe(open.as_secs_f64());
        self.transaction_commit.observe(commit.as_secs_f64());
    }

    fn aborted(&self) {
        self.transactions.with_label_values(&["aborted"]).inc();
    }

    fn violated(&self, invariant: &'static str) {
        self.violations.with_label_values(&[invariant]).inc();
    }

    fn waiting(&self, worker: u32, is_waiting: bool) {
        self.trouble.with_label_values(&[&worker.to_string()]).set(i64::from(is_waiting));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_has_gone_is_told_of_no_more() {
        let metrics = Metrics::new().unwrap();
        metrics.ready(3, 7, Duration::from_millis(5));
        metrics.standings(3, Platform::Cxone, Standing::Diverged, 2);
        metrics.committed(3, &Tally { events: 2, ..Tally::default() }, TimeMs::from_unix_ms(9), Offset(11));
        let text = metrics.text().unwrap();
        for line in [
            "lockstep_agents{partition=\"3\"} 0",
            "lockstep_partition_ready{partition=\"3\"} 1",
            "lockstep_events_total{partition=\"3\"} 2",
            "lockstep_next_offset{partition=\"3\"} 11",
            "lockstep_agents_by_standing{partition=\"3\",platform=\"cxone\",standing=\"diverged\"} 2",
            "lockstep_invariant_violations_total{invariant=\"I5\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert_eq!(
            text.matches("lockstep_invariant_violations_total{").count(),
            1,
            "zeros of what nobody counts"
        );
        metrics.gone(3);
        let text = metrics.text().unwrap();
        let left: Vec<&str> = text.lines().filter(|line| line.contains("partition=\"3\"")).collect();
        assert_eq!(left, ["lockstep_events_total{partition=\"3\"} 2"]);
    }
}
