//! `lockstep run`.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

use lockstep::bus::{self, AnyBus, Bus, Offset, Severity, Topic, TopicsPlan};
use lockstep::codec::{self, Codec};
use lockstep::config::{Config, DeadLetterPayload, Processor};
use lockstep::domain::{Platform, Remedy, TimeMs};
use lockstep::engine::Standing;
use lockstep::http::{Ops, Readiness};
use lockstep::metrics::Metrics;
use lockstep::processor::{self, Observer, Settings, Stop, Tally, Worker};

use super::deployment::{self, Configured, Deployment};
use super::output::Outcome;
use super::signals::Signals;

/// A transaction has no more events than so many: it must be over in time, and be done again in no time.
pub(super) const EVENTS_MAX: usize = 50_000;
/// Once an hour of the log's time all states are written, for a replay to begin with.
pub(super) const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(3_600);
/// Between two tries to reach what is not there yet.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How often the lag is looked up.
const LAG_EVERY: Duration = Duration::from_secs(5);
/// Who is asked to stop has so long.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(after_help = "\
Metrics are at http://127.0.0.1:9464/metrics, health at /healthz, readiness at /readyz; [ops] moves them.
SIGTERM and Ctrl-C end it cleanly: what is open is committed first. A second one ends it at once.

Examples:
  lockstep run --config lockstep.toml --roles processor
  lockstep run --data DIR                     # without a Kafka: everything is in this directory
  lockstep run --log info,librdkafka=debug    # also what the Kafka client says of each connection
  lockstep run --log-format json 2>> lockstep.log")]
pub(super) struct Run {
    #[command(flatten)]
    configured: Configured,
    /// What this process does
    #[arg(long, value_enum, value_delimiter = ',', default_value = "processor")]
    roles: Vec<Role>,
    /// The name of this process among the processors; default: `name` of [processor], else the host's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What is logged: a level, or levels for its parts
    #[arg(long, value_name = "FILTER", default_value = "info,librdkafka=error")]
    log: String,
    /// How it is logged, on stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// What a process can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Decides: events become decisions, commands and states
    Processor,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

pub(super) fn run(command: &Run) -> anyhow::Result<Outcome> {
    let deployment = Arc::new(command.configured.load()?);
    let name = name(command, &deployment.config)?;
    log(command)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no means to wait for signals")?;
    let ended = runtime.block_on(serve(command, &deployment, &name));
    // Threads that still wait for the brokers are not waited for.
    runtime.shutdown_background();
    ended
}

fn log(command: &Run) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&command.log).with_context(|| {
        format!("--log {:?} is no filter: write a level such as info, or PART=LEVEL,...", command.log)
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match command.log_format {
        LogFormat::Text => builder.with_ansi(anstream::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The name of this process, which is part of its identity.
fn name(command: &Run, config: &Config) -> anyhow::Result<String> {
    let name = command.name.clone().or_else(|| config.processor.name.clone());
    let name = match name {
        Some(name) => name,
        None => std::fs::read_to_string(PathBuf::from("/proc/sys/kernel/hostname"))
            .context("the host has no name that can be read: write `name` in [processor]")?
            .trim()
            .to_owned(),
    };
    anyhow::ensure!(
        Processor::may_be_named(&name),
        "the name {name:?} cannot be part of a group's and a transaction's name: give one with --name, of a-z, A-Z, 0-9, '.', '-' and '_'"
    );
    Ok(name)
}

/// What ends a run.
enum End {
    /// Somebody asked for it.
    Asked,
    /// A worker cannot go on; without an error it has panicked.
    Worker(u32, Option<processor::Error>),
}

async fn serve(command: &Run, deployment: &Arc<Deployment>, name: &str) -> anyhow::Result<Outcome> {
    let config = &deployment.config;
    let stop = Stop::default();
    let mut signals = Signals::new()?;
    let ops = Ops {
        metrics: Arc::new(Metrics::new().context("the metrics cannot be made")?),
        readiness: Arc::new(Readiness::default()),
    };
    let listener = Ops::bind(config.ops.listen).await.with_context(|| {
        format!("{} cannot be listened on: another process may; change `listen` of [ops]", config.ops.listen)
    })?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        name,
        roles = ?command.roles,
        ops = %config.ops.listen,
        "lockstep begins"
    );
    let (over, ended) = tokio::sync::oneshot::channel::<()>();
    let until = async { ended.await.unwrap_or_default() };
    let server = tokio::spawn(ops.clone().serve(listener, until));
    let beginning = begin(deployment);
    let (bus, codec, plan) = tokio::select! {
        begun = beginning => begun?,
        () = signals.next() => return Ok(Outcome::Done),
    };
    let (failed, mut failures) = mpsc::unbounded_channel();
    let mut workers = Vec::new();
    for number in 0..config.processor.workers {
        let settings = Settings {
            name: name.to_owned(),
            number: number.into(),
            commit_interval: Duration::from_millis(config.processor.commit_interval_ms.into()),
            events_max: EVENTS_MAX,
            snapshot_interval: SNAPSHOT_INTERVAL,
            keeps_payload: config.privacy.dead_letter_payload == DeadLetterPayload::Full,
        };
        let parts = (Arc::clone(&bus), Arc::clone(&codec), plan.clone());
        workers.push(work(parts, settings, (&ops, &stop), failed.clone())?);
    }
    let lag = watch_lag(Arc::clone(&bus), &plan, Arc::clone(&ops.metrics), &stop)?;
    let end = tokio::select! {
        () = signals.next() => End::Asked,
        Some((number, error)) = failures.recv() => End::Worker(number, error),
    };
    stop.ask();
    tracing::info!("stopping");
    let ending = tokio::task::spawn_blocking(move || {
        for thread in workers.into_iter().chain([lag]) {
            // Who panicked has said so.
            let _ = thread.join();
        }
    });
    tokio::select! {
        _ = ending => {}
        () = signals.next() => anyhow::bail!("ended at once, as asked: what was open is done again by the next one"),
        () = tokio::time::sleep(STOP_WITHIN) => tracing::warn!("it takes too long: what is open is done again by the next one"),
    }
    let _ = over.send(());
    let _ = tokio::time::timeout(Duration::from_secs(1), server).await;
    match end {
        End::Asked => {
            tracing::info!("stopped");
            Ok(Outcome::Done)
        }
        End::Worker(number, Some(error)) => {
            Err(anyhow::Error::new(error).context(format!("worker {number} cannot go on")))
        }
        End::Worker(number, None) => {
            anyhow::bail!(
                "worker {number} panicked, which is a bug: what it said stands above; nothing of it was committed"
            )
        }
    }
}

/// What has to be there.
type Reached = (Arc<AnyBus>, Arc<Codec>, TopicsPlan);

/// Reaches what has to be there, and waits for it.
async fn begin(deployment: &Arc<Deployment>) -> anyhow::Result<Reached> {
    let mut is_told = false;
    loop {
        match reach(deployment).await {
            Err(error) if passes(&error) => {
                if !is_told {
                    tracing::warn!("{error:#}; it is tried again until it works");
                }
                is_told = true;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            reached => return reached,
        }
    }
}

async fn reach(deployment: &Arc<Deployment>) -> anyhow::Result<Reached> {
    let ours = Arc::clone(deployment);
    let look = move || {
        let bus = Arc::new(ours.own_bus()?);
        let plan = ours.topics_at(&bus)?;
        if ours.data.is_some() {
            // Nobody else has to be asked how they should be.
            bus.create(&plan.specs())?;
        }
        check_topics(&bus, &plan)?;
        anyhow::Ok((bus, plan))
    };
    let (bus, plan) = tokio::task::spawn_blocking(look).await.context("reaching the bus")??;
    tracing::info!(prefix = plan.prefix, partitions = plan.partitions, "the bus is there");
    Ok((bus, Arc::new(deployment::codec(&deployment.config).await?), plan))
}

/// Whether an error is one of those that pass by themselves.
fn passes(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_bus = cause.downcast_ref::<bus::Error>().map(bus::Error::remedy);
        let of_codec = cause.downcast_ref::<codec::Error>().map(codec::Error::remedy);
        of_bus.or(of_codec) == Some(Remedy::Retry)
    })
}

/// The topics are as they have to be.
fn check_topics(bus: &AnyBus, plan: &TopicsPlan) -> anyhow::Result<()> {
    let specs = plan.specs();
    let names: Vec<_> = specs.iter().map(|spec| spec.name.clone()).collect();
    let found = bus.describe(&names)?;
    let mut wrong = Vec::new();
    for (spec, found) in specs.iter().zip(&found) {
        for difference in spec.differences(found.as_ref()) {
            let bus::Difference { severity, what, wanted, found, because, mend } = difference;
            let line = format!("{}: {what} is {found} and should be {wanted}: {because} ({mend})", spec.name);
            match severity {
                Severity::Error => wrong.push(line),
                Severity::Warning => tracing::warn!("{line}"),
            }
        }
    }
    anyhow::ensure!(
        wrong.is_empty(),
        "the topics are not as they have to be; `lockstep topics check` tells more\n  {}",
        wrong.join("\n  ")
    );
    Ok(())
}

/// Starts a worker on a thread of its own.
fn work(
    (bus, codec, plan): (Arc<AnyBus>, Arc<Codec>, TopicsPlan),
    settings: Settings,
    (ops, stop): (&Ops, &Stop),
    failed: mpsc::UnboundedSender<(u32, Option<processor::Error>)>,
) -> anyhow::Result<JoinHandle<()>> {
    let number = settings.number;
    let (stop, observer) = (stop.clone(), Arc::new(Watched { ops: ops.clone() }));
    ops.readiness.set(&format!("worker {number}"), false);
    let readiness = Arc::clone(&ops.readiness);
    let run = move || {
        let span = tracing::info_span!("worker", number);
        let _inside = span.enter();
        let mut guard = Guard { failed, number: Some(number) };
        let mut is_told = false;
        let ended = loop {
            let observer: Arc<dyn Observer> = Arc::clone(&observer) as Arc<dyn Observer>;
            match Worker::new(Arc::clone(&bus), Arc::clone(&codec), &plan, settings.clone(), observer) {
                Ok(worker) => {
                    readiness.set(&format!("worker {number}"), true);
                    break worker.run(&stop);
                }
                Err(_) if stop.is_asked() => break Ok(()),
                Err(error) if error.remedy() == Remedy::Retry => {
                    if !is_told {
                        tracing::warn!("{error}; it is tried again until it works");
                    }
                    is_told = true;
                    thread::sleep(AGAIN_AFTER);
                }
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = ended {
            guard.tell(Some(error));
        }
        guard.number = None;
    };
    thread::Builder::new().name(format!("worker-{number}")).spawn(run).context("the system gives no thread")
}

/// Tells that a worker has ended, even where it panics.
struct Guard {
    failed: mpsc::UnboundedSender<(u32, Option<processor::Error>)>,
    /// None once it has ended as it should.
    number: Option<u32>,
}

impl Guard {
    fn tell(&self, error: Option<processor::Error>) {
        if let Some(number) = self.number {
            // Whoever waits for it may be gone.
            let _ = self.failed.send((number, error));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tell(None);
    }
}

/// Asks now and then how many events wait.
fn watch_lag(
    bus: Arc<AnyBus>,
    plan: &TopicsPlan,
    metrics: Arc<Metrics>,
    stop: &Stop,
) -> anyhow::Result<JoinHandle<()>> {
    let (events, stop) = (plan.name(Topic::Events), stop.clone());
    let watch = move || {
        let mut asked = Instant::now();
        while !stop.is_asked() {
            thread::sleep(Duration::from_millis(200));
            if asked.elapsed() < LAG_EVERY {
                continue;
            }
            asked = Instant::now();
            for (partition, next) in metrics.nexts() {
                if stop.is_asked() {
                    return;
                }
                // That the brokers are away is told by those who need them more.
                if let Ok(bounds) = bus.bounds(&events.partition(partition)) {
                    metrics.set_lag(partition, bounds.end.0.saturating_sub(next));
                }
            }
        }
    };
    thread::Builder::new().name("lag".to_owned()).spawn(watch).context("the system gives no thread")
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
