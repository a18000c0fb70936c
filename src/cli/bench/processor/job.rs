//! One measured run, in a process of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use lockstep::bus::{Offset, TopicsPlan};
use lockstep::codec::Codec;
use lockstep::connectors::http::now;
use lockstep::domain::{Platform, TimeMs};
use lockstep::engine::Standing;
use lockstep::processor::{Observer, Settings, Stop, Tally, Worker};

use crate::cli::bench::{cpu_s, median, memory_mib};
use crate::cli::deployment::Configured;
use crate::cli::output;
use crate::cli::run::{EVENTS_MAX, SNAPSHOT_INTERVAL};

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Until {
    /// So many events were committed.
    Events(u64),
    /// All partitions are ready.
    Ready,
    /// An event was committed.
    FirstCommit,
    /// The process that waits for it ends.
    Killed,
}

/// What a process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) config: Option<PathBuf>,
    pub(super) data: Option<PathBuf>,
    pub(super) prefix: String,
    pub(super) partitions: u32,
    pub(super) commit_ms: u16,
    pub(super) until: Until,
    /// When the process was started, in ms since 1970.
    pub(super) started_ms: i64,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) events: u64,
    /// From the first event to the last commit.
    pub(super) seconds: f64,
    pub(super) second_half_per_s: f64,
    pub(super) records_out: u64,
    /// Of the process, start and all.
    pub(super) cpu_s: f64,
    pub(super) rss_mb: f64,
    /// From the start of the process to the last partition that is ready.
    pub(super) ready_ms: f64,
    /// From the start of the process to the first event that was committed.
    pub(super) first_commit_ms: f64,
    pub(super) commit_ms_p50: f64,
    pub(super) commit_ms_p99: f64,
}

/// Counts until it is over.
struct Counting {
    wanted: Until,
    partitions: u32,
    stop: Stop,
    events: AtomicU64,
    ready: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// When everything was ready.
    ready: Option<Instant>,
    /// Committed events, and when.
    commits: Vec<(u64, Instant)>,
    commit_ms: Vec<f64>,
    records_out: u64,
}

impl Counting {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Counting {
    fn joined(&self, _: u32, _: bool) {}

    fn restoring(&self, _: u32) {}

    fn ready(&self, _: u32, _: usize, _: Duration) {
        if self.ready.fetch_add(1, Ordering::Relaxed) + 1 == u64::from(self.partitions) {
            self.seen().ready = Some(Instant::now());
            match self.wanted {
                Until::Ready => self.stop.ask(),
                // Who is going to kill it waits for that.
                Until::Killed => drop(output::result("ready\n")),
                Until::Events(_) | Until::FirstCommit => {}
            }
        }
    }

    fn gone(&self, _: u32) {}

    fn committed(&self, _: u32, tally: &Tally, _: TimeMs, _: Offset) {
        let events = self.events.fetch_add(tally.events, Ordering::Relaxed) + tally.events;
        let mut seen = self.seen();
        let decisions: u64 = tally.decisions.iter().map(|(_, count)| count).sum();
        seen.records_out += decisions + tally.states + tally.commands.salesforce + tally.commands.cxone;
        seen.commits.push((events, Instant::now()));
        match self.wanted {
            Until::Events(wanted) if events >= wanted => self.stop.ask(),
            Until::FirstCommit if events > 0 => self.stop.ask(),
            _ => {}
        }
    }

    fn standings(&self, _: u32, _: Platform, _: Standing, _: u64) {}

    fn transaction(&self, _: Duration, commit: Duration) {
        self.seen().commit_ms.push(commit.as_secs_f64() * 1e3);
    }

    fn aborted(&self) {}

    fn violated(&self, _: &'static str) {}

    fn waiting(&self, _: u32, _: bool) {}
}

/// Does a job, and prints what was measured.
pub(super) fn run(job: &Job) -> anyhow::Result<()> {
    let mut deployment = Configured { config: job.config.clone(), data: job.data.clone() }.load()?;
    deployment.config.bus.prefix.clone_from(&job.prefix);
    let plan = TopicsPlan { partitions: job.partitions, ..deployment.topics() };
    let bus = Arc::new(deployment.own_bus()?);
    let stop = Stop::default();
    let counting = Arc::new(Counting {
        wanted: job.until,
        partitions: job.partitions,
        stop: stop.clone(),
        events: AtomicU64::new(0),
        ready: AtomicU64::new(0),
        seen: Mutex::default(),
    });
    let settings = Settings {
        name: "bench".to_owned(),
        number: 0,
        commit_interval: Duration::from_millis(job.commit_ms.into()),
        events_max: EVENTS_MAX,
        snapshot_interval: SNAPSHOT_INTERVAL,
        keeps_payload: false,
    };
    let observer: Arc<dyn Observer> = Arc::clone(&counting) as Arc<dyn Observer>;
    let codec = Arc::new(Codec::single_object()?);
    Worker::new(bus, codec, &plan, settings, observer)?.run(&stop)?;
    output::json(&figures(job, &counting)?)
}

fn figures(job: &Job, counting: &Counting) -> anyhow::Result<Figures> {
    let mut seen = counting.seen();
    let ready = seen.ready.context("not all partitions were ready")?;
    let since_start_ms = now().as_unix_ms() as f64 - job.started_ms as f64;
    let from_start_ms = |at: Instant| since_start_ms - at.elapsed().as_secs_f64() * 1e3;
    let ready_ms = from_start_ms(ready);
    let first = seen.commits.iter().find(|(count, _)| *count > 0).copied();
    let (events, last) = seen.commits.last().copied().unwrap_or((0, ready));
    let half = seen.commits.iter().find(|(count, _)| *count >= events / 2).copied().unwrap_or((0, ready));
    let second_half = (last - half.1).as_secs_f64();
    seen.commit_ms.sort_by(f64::total_cmp);
    let p99 = seen.commit_ms.get(seen.commit_ms.len() * 99 / 100).copied().unwrap_or_default();
    Ok(Figures {
        events,
        seconds: (last - ready).as_secs_f64(),
        second_half_per_s: if second_half > 0.0 { (events - half.0) as f64 / second_half } else { 0.0 },
        records_out: seen.records_out,
        cpu_s: cpu_s("self"),
        rss_mb: memory_mib("self", "VmHWM:").unwrap_or_default(),
        ready_ms,
        first_commit_ms: first.map_or(0.0, |(_, at)| from_start_ms(at)),
        commit_ms_p50: median(&seen.commit_ms),
        commit_ms_p99: p99,
    })
}
