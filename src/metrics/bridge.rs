//! What operators watch of the bridge.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use super::accounts::{VERDICTS, verdict_name};
use super::maker::Maker;
use crate::codec::EventKind;
use crate::engine::Verdict;

/// The metrics of all gateways of a process.
#[derive(Clone, Debug)]
pub struct BridgeMetrics {
    pub(super) held: IntGaugeVec,
    pub(super) connections: IntGaugeVec,
    pub(super) waiting: IntGaugeVec,
    refused: IntCounterVec,
    ended: IntCounterVec,
    messages: IntCounter,
    commands: IntCounter,
    outcomes: IntCounterVec,
    events: IntCounterVec,
    foreign: IntCounter,
}

impl BridgeMetrics {
    pub(super) fn new(maker: &mut Maker) -> prometheus::Result<BridgeMetrics> {
        let account = &["account"];
        let one = BridgeMetrics {
            held: maker.gauges(
                "lockstep_bridge_agents",
                "Agents whose browser this gateway holds.",
                account,
            )?,
            connections: maker.gauges(
                "lockstep_bridge_connections",
                "Browsers that are connected.",
                account,
            )?,
            waiting: maker.gauges(
                "lockstep_bridge_waiting_for_bus",
                "Whether a gateway waits for the bus to come back.",
                account,
            )?,
            refused: maker.counters(
                "lockstep_bridge_refused_total",
                "Browsers that were not let in, by what was wrong with the token, or the origin.",
                &["why"],
            )?,
            ended: maker.counters(
                "lockstep_bridge_ended_total",
                "Connections that this side has ended, and why.",
                &["reason"],
            )?,
            messages: maker.counter("lockstep_bridge_messages_total", "Messages of browsers.")?,
            commands: maker
                .counter("lockstep_bridge_commands_total", "Commands that were sent to browsers.")?,
            outcomes: maker.counters(
                "lockstep_bridge_outcomes_total",
                "What became of commands.",
                &["verdict"],
            )?,
            events: maker.counters(
                "lockstep_bridge_events_total",
                "Events that were published, by their kind.",
                &["kind"],
            )?,
            foreign: maker.counter(
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

    /// The gateway of an org waits for the bus, or no more.
    pub fn waiting(&self, account: &str, is_waiting: bool) {
        self.waiting.with_label_values(&[account]).set(is_waiting.into());
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
