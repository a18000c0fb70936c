//! `/status`: what a process has and how it stands, as JSON for people and their scripts. It has ids and counts in it, and no names
//! of people.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::{BUS, Ops};
use crate::domain::TimeMs;
use crate::metrics::{AccountReading, GatewayReading, PartitionReading, Phase, WorkerReading};

/// What a process says of itself.
#[derive(Serialize)]
struct Status<'s> {
    version: &'static str,
    name: &'s str,
    roles: &'s [String],
    since: String,
    ready: bool,
    missing: Vec<String>,
    bus: Bus,
    workers: Vec<Worker>,
    partitions: Vec<Partition>,
    accounts: Vec<Account>,
    gateways: Vec<Gateway>,
}

#[derive(Serialize)]
struct Bus {
    /// It was there once.
    reached: bool,
    /// Somebody waits for it to come, or to come back.
    waits: bool,
}

#[derive(Serialize)]
struct Worker {
    worker: u32,
    waits_for_bus: bool,
}

#[derive(Serialize)]
struct Partition {
    partition: u32,
    phase: &'static str,
    agents: Option<u64>,
    next_offset: Option<u64>,
    lag_records: Option<u64>,
    clock: Option<String>,
}

#[derive(Serialize)]
struct Account {
    account: String,
    lease: &'static str,
    held: Option<String>,
    waits_for_bus: bool,
    last_call: Option<String>,
    last_poll: Option<String>,
    calls: Calls,
    commands: Commands,
    linked: u64,
    clock_offset_s: Option<f64>,
    drift: u64,
}

#[derive(Serialize)]
struct Calls {
    last_minute: usize,
    budget_left: Option<u32>,
    budget_per_minute: Option<u32>,
    day_used: Option<u64>,
    day_max: Option<u64>,
}

#[derive(Serialize)]
struct Commands {
    waiting: u64,
    under_way: u64,
}

#[derive(Serialize)]
struct Gateway {
    account: String,
    browsers: u64,
    agents: u64,
    waits_for_bus: bool,
}

/// Answers with all of it.
pub(super) async fn status(State(ops): State<Ops>) -> Response {
    let missing = ops.readiness.missing().unwrap_or_default();
    let reading = ops.metrics.reading();
    let is_reached = !missing.iter().any(|part| part == BUS);
    let waits = !is_reached
        || reading.workers.iter().any(|one| one.waits_for_bus)
        || reading.accounts.iter().any(|one| one.waits_for_bus)
        || reading.gateways.iter().any(|one| one.waits_for_bus);
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        name: &ops.process.name,
        roles: &ops.process.roles,
        since: text(ops.process.since),
        ready: missing.is_empty(),
        bus: Bus { reached: is_reached, waits },
        missing,
        workers: reading.workers.into_iter().map(Worker::from).collect(),
        partitions: reading.partitions.into_iter().map(Partition::from).collect(),
        accounts: reading.accounts.into_iter().map(Account::from).collect(),
        gateways: reading.gateways.into_iter().map(Gateway::from).collect(),
    };
    match serde_json::to_string_pretty(&status) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn text(at: TimeMs) -> String {
    jiff::Timestamp::from_millisecond(at.as_unix_ms()).unwrap_or_default().to_string()
}

impl From<WorkerReading> for Worker {
    fn from(reading: WorkerReading) -> Worker {
        let WorkerReading { worker, waits_for_bus } = reading;
        Worker { worker, waits_for_bus }
    }
}

impl From<PartitionReading> for Partition {
    fn from(reading: PartitionReading) -> Partition {
        let PartitionReading { partition, phase, agents, next_offset, lag_records, clock } = reading;
        let phase = match phase {
            Phase::Restoring => "restoring",
            Phase::Ready => "ready",
        };
        Partition { partition, phase, agents, next_offset, lag_records, clock: clock.map(text) }
    }
}

impl From<AccountReading> for Account {
    fn from(reading: AccountReading) -> Account {
        let (budget, usage) = (reading.budget, reading.usage);
        Account {
            account: reading.account,
            lease: if reading.has_lease { "ours" } else { "standing_by" },
            held: reading.held,
            waits_for_bus: reading.waits_for_bus,
            last_call: reading.last_call.map(text),
            last_poll: reading.last_poll.map(text),
            calls: Calls {
                last_minute: reading.calls_last_minute,
                budget_left: budget.map(|left| left.calls),
                budget_per_minute: budget.map(|left| left.calls_per_minute),
                day_used: usage.map(|usage| usage.used),
                day_max: usage.map(|usage| usage.max),
            },
            commands: Commands { waiting: reading.commands_waiting, under_way: reading.commands_under_way },
            linked: reading.linked,
            clock_offset_s: reading.clock_offset_s,
            drift: reading.drift,
        }
    }
}

impl From<GatewayReading> for Gateway {
    fn from(reading: GatewayReading) -> Gateway {
        let GatewayReading { account, browsers, agents, waits_for_bus } = reading;
        Gateway { account, browsers, agents, waits_for_bus }
    }
}
