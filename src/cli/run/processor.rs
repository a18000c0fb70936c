//! The processor's part of `lockstep run`.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lockstep::bus::{Bus, Offset, Topic};
use lockstep::config::{Config, DeadLetterPayload};
use lockstep::domain::{Platform, Remedy, TimeMs};
use lockstep::engine::Standing;
use lockstep::http::Ops;
use lockstep::processor::{Observer, Settings, Tally, Worker};

use super::{AGAIN_AFTER, Begun, EVENTS_MAX, SNAPSHOT_INTERVAL};

/// How often the lag is looked up.
const LAG_EVERY: Duration = Duration::from_secs(5);

/// Starts the workers, each on a thread of its own.
pub(super) fn start(begun: &Begun, config: &Config) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for number in 0..config.processor.workers {
        let settings = Settings {
            name: begun.name.clone(),
            number: number.into(),
            commit_interval: Duration::from_millis(config.processor.commit_interval_ms.into()),
            events_max: EVENTS_MAX,
            snapshot_interval: SNAPSHOT_INTERVAL,
            keeps_payload: config.privacy.dead_letter_payload == DeadLetterPayload::Full,
        };
        threads.push(work(begun, settings)?);
    }
    threads.push(watch_lag(begun)?);
    Ok(threads)
}

fn work(begun: &Begun, settings: Settings) -> anyhow::Result<JoinHandle<()>> {
    let number = settings.number;
    let part = format!("worker {number}");
    let (bus, codec, plan) = begun.reached.clone();
    let observer = Arc::new(Watched { ops: begun.ops.clone() });
    begun.ops.readiness.set(&part, false);
    begun.ops.metrics.waiting(number, false);
    let readiness = Arc::clone(&begun.ops.readiness);
    begun.spawn(part.clone(), move |stop| {
        let span = tracing::info_span!("worker", number);
        let _inside = span.enter();
        let mut is_told = false;
        loop {
            let observer: Arc<dyn Observer> = Arc::clone(&observer) as Arc<dyn Observer>;
            match Worker::new(Arc::clone(&bus), Arc::clone(&codec), &plan, settings.clone(), observer) {
                Ok(worker) => {
                    readiness.set(&part, true);
                    return Ok(worker.run(stop)?);
                }
                Err(_) if stop.is_asked() => return Ok(()),
                Err(error) if error.remedy() == Remedy::Retry => {
                    if !is_told {
                        tracing::warn!("{error}; it is tried again until it works");
                    }
                    is_told = true;
                    thread::sleep(AGAIN_AFTER);
                }
                Err(error) => return Err(error.into()),
            }
        }
    })
}

/// Asks now and then how many events wait.
fn watch_lag(begun: &Begun) -> anyhow::Result<JoinHandle<()>> {
    let (bus, _, plan) = begun.reached.clone();
    let (events, metrics) = (plan.name(Topic::Events), Arc::clone(&begun.ops.metrics));
    begun.spawn("lag".to_owned(), move |stop| {
        let mut asked = Instant::now();
        while !stop.is_asked() {
            thread::sleep(Duration::from_millis(200));
            if asked.elapsed() < LAG_EVERY {
                continue;
            }
            asked = Instant::now();
            for (partition, next) in metrics.nexts() {
                if stop.is_asked() {
                    return Ok(());
                }
                // That the brokers are away is told by those who need them more.
                if let Ok(bounds) = bus.bounds(&events.partition(partition)) {
                    metrics.set_lag(partition, bounds.end.0.saturating_sub(next));
                }
            }
        }
        Ok(())
    })
}

/// What a worker tells, for metrics and readiness.
struct Watched {
    ops: Ops,
}

impl Watched {
    fn part(partition: u32) -> String {
        format!("partition {partition}")
    }
}

impl Observer for Watched {
    fn restoring(&self, partition: u32) {
        self.ops.readiness.set(&Self::part(partition), false);
        self.ops.metrics.restoring(partition);
    }

    fn ready(&self, partition: u32, agents: usize, took: Duration) {
        self.ops.readiness.set(&Self::part(partition), true);
        self.ops.metrics.ready(partition, agents, took);
    }

    fn gone(&self, partition: u32) {
        self.ops.readiness.remove(&Self::part(partition));
        self.ops.metrics.gone(partition);
    }

    fn committed(&self, partition: u32, tally: &Tally, clock: TimeMs, next: Offset) {
        self.ops.metrics.committed(partition, tally, clock, next);
    }

    fn standings(&self, partition: u32, platform: Platform, standing: Standing, agents: u64) {
        self.ops.metrics.standings(partition, platform, standing, agents);
    }

    fn transaction(&self, open: Duration, commit: Duration) {
        self.ops.metrics.transaction(open, commit);
    }

    fn aborted(&self) {
        self.ops.metrics.aborted();
    }

    fn violated(&self, invariant: &'static str) {
        self.ops.metrics.violated(invariant);
    }

    fn waiting(&self, worker: u32, is_waiting: bool) {
        self.ops.metrics.waiting(worker, is_waiting);
    }
}
