//! The processor's part of `lockstep run`.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lockstep::bus::{Bus, Offset, Topic};
use lockstep::config::{Config, DeadLetterPayload};
use lockstep::domain::{Platform, Remedy, TimeMs};
use lockstep::engine::Standing;
use lockstep::http::Ops;
use lockstep::processor::{self, Observer, Settings, Stop, Tally, Worker};

use super::{AGAIN_AFTER, Begun, EVENTS_MAX, SNAPSHOT_INTERVAL};

/// How often the lag is looked up.
const LAG_EVERY: Duration = Duration::from_secs(5);
/// So long a process stays that has found an invariant violated: whoever reads its metrics each minute has seen it then.
const SHOWN_FOR: Duration = Duration::from_secs(90);
/// How often it is looked whether to stop, where nothing else is to be done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

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
    let part = Watched::worker(number);
    let (bus, codec, plan) = begun.reached.clone();
    let observer = Arc::new(Watched { ops: begun.ops.clone() });
    begun.ops.readiness.set(&part, false);
    begun.ops.metrics.waiting(number, false);
    let (readiness, metrics) = (Arc::clone(&begun.ops.readiness), Arc::clone(&begun.ops.metrics));
    begun.spawn(part.clone(), move |stop| {
        let span = tracing::info_span!("worker", number);
        let _inside = span.enter();
        let mut is_told = false;
        loop {
            let observer: Arc<dyn Observer> = Arc::clone(&observer) as Arc<dyn Observer>;
            match Worker::new(Arc::clone(&bus), Arc::clone(&codec), &plan, settings.clone(), observer) {
                Ok(worker) => {
                    metrics.waiting(number, false);
                    let Err(error) = worker.run(stop) else { return Ok(()) };
                    readiness.set(&part, false);
                    if matches!(error, processor::Error::StateHash { .. }) {
                        show(&error, SHOWN_FOR, stop);
                    }
                    return Err(error.into());
                }
                Err(_) if stop.is_asked() => return Ok(()),
                Err(error) if error.remedy() == Remedy::Retry => {
                    if !is_told {
                        tracing::warn!("{error}; it is tried again until it works");
                    }
                    is_told = true;
                    metrics.waiting(number, true);
                    thread::sleep(AGAIN_AFTER);
                }
                Err(error) => return Err(error.into()),
            }
        }
    })
}

/// Stays for a while with what only a person can mend, so that its metrics are read before the process ends.
fn show(error: &processor::Error, shown_for: Duration, stop: &Stop) {
    tracing::error!(
        ends_after_s = shown_for.as_secs(),
        "{error}; this process ends soon with that, and until then its metrics say so"
    );
    let begun = Instant::now();
    while !stop.is_asked() && begun.elapsed() < shown_for {
        thread::sleep(LOOK_AGAIN);
    }
}

/// Asks now and then how many events wait.
fn watch_lag(begun: &Begun) -> anyhow::Result<JoinHandle<()>> {
    let (bus, _, plan) = begun.reached.clone();
    let (events, metrics) = (plan.name(Topic::Events), Arc::clone(&begun.ops.metrics));
    begun.spawn("lag".to_owned(), move |stop| {
        let mut asked = Instant::now();
        while !stop.is_asked() {
            thread::sleep(LOOK_AGAIN);
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
    fn worker(worker: u32) -> String {
        format!("worker {worker}")
    }

    fn part(partition: u32) -> String {
        format!("partition {partition}")
    }
}

impl Observer for Watched {
    fn joined(&self, worker: u32, is_told: bool) {
        self.ops.readiness.set(&Self::worker(worker), is_told);
    }

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lockstep::domain::TimeMs;
    use lockstep::http::{Process, Readiness};
    use lockstep::metrics::Metrics;

    use super::*;

    fn ops() -> Ops {
        let process = Process { name: "one".to_owned(), roles: Vec::new(), since: TimeMs::from_unix_ms(0) };
        Ops {
            process: Arc::new(process),
            metrics: Arc::new(Metrics::new().unwrap()),
            readiness: Arc::new(Readiness::default()),
        }
    }

    /// Who restarts has its name still; so nothing may be taken for ready before the group has said what is its own.
    #[test]
    fn a_worker_is_ready_once_it_is_told_what_is_its_own_and_that_is_restored() {
        let watched = Watched { ops: ops() };
        let missing = || watched.ops.readiness.missing().unwrap_or_default();
        watched.ops.readiness.set(&Watched::worker(0), false);
        watched.restoring(3);
        watched.joined(0, true);
        assert_eq!(missing(), ["partition 3"]);
        watched.ready(3, 7, Duration::from_millis(5));
        assert!(missing().is_empty());
        watched.joined(0, false);
        watched.gone(3);
        assert_eq!(missing(), ["worker 0"], "the group has given it up");
        watched.joined(0, true);
        assert!(missing().is_empty(), "others have them all: it stands by");
    }

    #[test]
    fn who_is_asked_to_stop_does_not_stay_to_be_looked_at() {
        let stop = Stop::default();
        stop.ask();
        let begun = Instant::now();
        show(&processor::Error::NewerEngine { found: 9 }, SHOWN_FOR, &stop);
        assert!(begun.elapsed() < SHOWN_FOR / 2);
    }
}
