//! How long a change takes from a browser to the log, and a command from the log to a browser.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use lockstep::bus::{AnyBus, Bus, Reader, Records, Topic};
use lockstep::codec::{Addressee, Codec, Event, What};
use lockstep::domain::{AgentId, RowId, SalesforceStatus, SalesforceUser, Status};
use lockstep::simulators::salesforce::Reason;
use lockstep::simulators::salesforce::consoles::{Seen, Step};

use super::site::Site;
use crate::cli::bench::log::{Log, read_from_now};

/// What comes at first is not counted.
const WARM_UP: Duration = Duration::from_secs(2);
/// What is due is done together for so long.
const TICK: Duration = Duration::from_millis(5);
/// How long the last ones may take.
const LAST_WITHIN: Duration = Duration::from_secs(10);
/// A prime above any number of consoles: steps of it come to everybody before they come to somebody again.
const STRIDE: u64 = 1_000_003;

/// When each of them came, for whoever looks later.
type Arrivals<T> = Mutex<HashMap<T, Instant>>;

/// How long each took, in ms.
#[derive(Default)]
pub(super) struct Took {
    /// Those that came.
    pub(super) took_ms: Vec<f64>,
    /// How many did not.
    pub(super) missing: usize,
}

/// What was measured.
pub(super) struct Measured {
    /// From a change to its event.
    pub(super) changes: Took,
    /// From the commit of a command, once it has returned, to the page.
    pub(super) commands: Took,
    /// The same from the moment at which the commit began.
    pub(super) with_commit: Took,
}

/// A command that was written.
struct Written {
    name: String,
    began: Instant,
    committed: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has people change their status, and writes commands for others, so many a second of each, for so long.
pub(super) fn measure(site: &mut Site, rate: u32, seconds: u32) -> anyhow::Result<Measured> {
    let received: Arc<Arrivals<String>> = Arc::default();
    let watching = site.runtime.spawn(watch(site.consoles.watch(), Arc::clone(&received)));
    let mut reader = read_from_now(&site.bus, &site.plan, Topic::Events)?;
    let (told, is_over) = (Arrivals::<(AgentId, RowId)>::default(), AtomicBool::new(false));
    let codec = Codec::single_object()?;
    let measured = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read(&mut reader, &codec, &told, &is_over));
        let driven = drive(site, (rate, seconds));
        let measured = driven.map(|(changes, commands)| {
            let begun = Instant::now();
            let is_here = || {
                let (told, received) = (lock(&told), lock(&received));
                changes.keys().all(|change| told.contains_key(change))
                    && commands.iter().all(|command| received.contains_key(&command.name))
            };
            while !is_here() && begun.elapsed() < LAST_WITHIN && !reading.is_finished() {
                std::thread::sleep(TICK);
            }
            let (told, received) = (lock(&told), lock(&received));
            let page = |command: &Written| received.get(&command.name).copied();
            Measured {
                changes: Took::of(changes.iter().map(|(change, at)| (*at, told.get(change).copied()))),
                commands: Took::of(commands.iter().map(|one| (one.committed, page(one)))),
                with_commit: Took::of(commands.iter().map(|one| (one.began, page(one)))),
            }
        });
        is_over.store(true, Ordering::Relaxed);
        reading.join().map_err(|_| anyhow::anyhow!("the reader of events panicked"))??;
        measured
    });
    watching.abort();
    measured
}

impl Took {
    fn of(all: impl Iterator<Item = (Instant, Option<Instant>)>) -> Took {
        let mut took = Took::default();
        for (from, to) in all {
            match to {
                // A page may have a command before who wrote it is told that it is in the log.
                Some(to) => took.took_ms.push(to.saturating_duration_since(from).as_secs_f64() * 1e3),
                None => took.missing += 1,
            }
        }
        took.took_ms.sort_by(f64::total_cmp);
        took
    }
}

/// Notes when pages have each command for the first time.
async fn watch(mut seen: broadcast::Receiver<Seen>, received: Arc<Arrivals<String>>) {
    loop {
        match seen.recv().await {
            Ok(Seen { command, step: Step::Received, at, .. }) => {
                lock(&received).entry(command).or_insert(at);
            }
            // Those that were missed are told as missing.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Notes when the log has each observation, by its row.
fn read(
    reader: &mut <AnyBus as Bus>::Reader,
    codec: &Codec,
    told: &Arrivals<(AgentId, RowId)>,
    is_over: &AtomicBool,
) -> anyhow::Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        let records = reader.read(Duration::from_millis(20))?;
        let now = Instant::now();
        let mut told = lock(told);
        for record in records.iter() {
            let event: Event<'_> = codec.decode(record.value.unwrap_or_default())?;
            if let (Some(agent), What::Observation(seen)) = (event.agent, event.what)
                && let Some(row) = seen.row
            {
                told.entry((agent, row)).or_insert(now);
            }
        }
    }
    Ok(())
}

type Driven = (HashMap<(AgentId, RowId), Instant>, Vec<Written>);

/// One half of the people change, the other half is commanded: what one of them is told is never in the way of what he does.
fn drive(site: &mut Site, (rate, seconds): (u32, u32)) -> anyhow::Result<Driven> {
    let mut log = Log::begin(&site.bus, &site.plan, Topic::CommandsSalesforce)?;
    let (mut changes, mut commands) = (HashMap::new(), Vec::new());
    let (begun, length) = (Instant::now(), Duration::from_secs(seconds.into()) + WARM_UP);
    let mut number = 0_u64;
    while begun.elapsed() < length {
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        let counts = begun.elapsed() > WARM_UP;
        let mut names = Vec::new();
        for number in number..due {
            let ((agent, user), status, _) = turn(site, number, 0)?;
            let at = Instant::now();
            let row = site.org.set(user.user, status, Reason::Manual)?;
            let row = row.context("a row of a change")?;
            if counts {
                changes.insert((agent, row.id), at);
            }
            names.push(add(&mut log, site, number)?);
        }
        if due > number {
            let began = Instant::now();
            log.commit()?;
            let committed = Instant::now();
            let written = names.into_iter().map(|name| Written { name, began, committed });
            commands.extend(written.filter(|_| counts));
        }
        number = due;
        site.gateway.lives()?;
        std::thread::sleep(TICK);
    }
    Ok((changes, commands))
}

/// Who of a half of the people has a turn, what he is to be in, and how often he had one.
fn turn(
    site: &Site,
    number: u64,
    half: usize,
) -> anyhow::Result<((AgentId, SalesforceUser), SalesforceStatus, u32)> {
    let people = site.people.len() as u64 / 2;
    let place = (number % people * (STRIDE % people) % people) as usize * 2 + half;
    let round = number / people;
    let [at_first, other] = site.statuses;
    let status = if round.is_multiple_of(2) { other } else { at_first };
    let (agent, link) = site.people.get(place).copied().context("somebody of the benchmark")?;
    Ok(((agent, link.salesforce), SalesforceStatus::Presence(status), round as u32))
}

/// Adds a command to the transaction, and gives its name.
fn add(log: &mut Log, site: &Site, number: u64) -> anyhow::Result<String> {
    let ((agent, user), status, round) = turn(site, number, 1)?;
    let sequence = round + 1;
    let issued = log.command(agent, Addressee::Salesforce(user), Status::Salesforce(status), sequence)?;
    Ok(format!("{agent}/{sequence}/{}", issued.as_unix_ms()))
}
