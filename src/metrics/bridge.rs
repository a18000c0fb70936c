//! What operators watch of the bridge.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::accounts::{VERDICTS, verdict_name};
use super::registered;
use crate::codec::EventKind;
use crate::engine::Verdict;

/// The metrics of all gateways of a process.
#[derive(Clone, Debug)]
pub struct BridgeMetrics {
    held: IntGaugeVec,
    connections: IntGaugeVec,
    refused: IntCounterVec,
    ended: IntCounterVec,
    messages: IntCounter,
    commands: IntCounter,
    outcomes: IntCounterVec,
    events: IntCounterVec,
    foreign: IntCounter,
}

impl BridgeMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<BridgeMetrics> {
        let counter = |name: &str, help: &str| registered(registry, IntCounter::new(name, help)?);
        let counters = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name: &str, help: &str| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), &["account"])?)
        };
        let one = BridgeMetrics {
            held: gauge("lockstep_bridge_agents", "Agents whose browser this gateway holds.")?,
            connections: gauge("lockstep_bridge_connections", "Browsers that are connected.")?,
            refused: counters(
                "lockstep_bridge_refused_total",
                "Browsers that were not let in, by what was wrong with the token, or the origin.",
                &["why"],
            )?,
            ended: counters(
                "lockstep_bridge_ended_total",
                "Connections that this side has ended, and why.",
                &["reason"],
            )?,
            messages: counter("lockstep_bridge_messages_total", "Messages of browsers.")?,
            commands: counter("lockstep_bridge_commands_total", "Commands that were sent to browsers.")?,
            outcomes: counters("lockstep_bridge_outcomes_total", "What became of commands.", &["verdict"])?,
            events: counters(
                "lockstep_bridge_events_total",
                "Events that were published, by their kind.",
                &["kind"],
            )?,
            foreign: counter(
                "lockstep_bridge_foreign_outcomes_total",
                "Outcomes of commands that were for somebody else: they were not taken.",
            )?,
        };
        for verdict in VERDICTS {
            one.outcomes.with_label_values(&[verdict_name(verdict)]);
        }
        Ok(one)
    }

    /// So many agents of an org are held, over so many connections.
    pub fn held(&self, account: &str, agents: usize, connections: usize) {
        self.held.with_label_values(&[account]).set(agents as i64);
        self.connections.with_label_values(&[account]).set(connections as i64);
    }

    /// Somebody was not let in.
    pub fn refused(&self, why: &'static str) {
        self.refused.with_label_values(&[why]).inc();
    }

    /// A connection was ended from this side.
    pub fn ended(&self, reason: &'static str) {
        self.ended.with_label_values(&[reason]).inc();
    }

    /// A message came.
    pub fn heard(&self) {
        self.messages.inc();
    }

    /// A command was sent.
    pub fn command(&self) {
        self.commands.inc();
    }

    /// That became of a command.
    pub fn outcome(&self, verdict: Verdict) {
        self.outcomes.with_label_values(&[verdict_name(verdict)]).inc();
    }

    /// An event was published.
    pub fn published(&self, kind: EventKind) {
        let kind = match kind {
            EventKind::Observation => "observation",
            EventKind::Connected => "connected",
            EventKind::Disconnected => "disconnected",
            EventKind::Outcome => "outcome",
            _ => "other",
        };
        self.events.with_label_values(&[kind]).inc();
    }

    /// Somebody spoke of a command that was not his.
    pub fn foreign(&self) {
        self.foreign.inc();
    }
}
