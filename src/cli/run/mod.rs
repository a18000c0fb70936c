//! `lockstep run`.

mod accounts;
pub(super) mod bridge;
mod processor;
mod refresh;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

use lockstep::bus::{self, AnyBus, Bus, Severity, TopicsPlan};
use lockstep::codec::{self, Codec};
use lockstep::config::{Config, Processor};
use lockstep::connectors::http;
use lockstep::domain::Remedy;
use lockstep::http::{BUS, Ops, Process, Readiness};
use lockstep::metrics::Metrics;
use lockstep::processor::Stop;

use super::deployment::{self, Configured, Deployment};
use super::output::Outcome;
use super::runtime;
use super::signals::Signals;

/// A transaction has no more events than so many: it must be over in time, and be done again in no time.
pub(super) const EVENTS_MAX: usize = 50_000;
/// Once an hour of the log's time all states are written, for a replay to begin with.
pub(super) const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(3_600);
/// Between two tries to reach what is not there yet.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Who is asked to stop has so long.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(after_help = "\
Metrics are at http://127.0.0.1:9464/metrics, beside them /health, /ready and /status; [ops] moves them.
SIGTERM and Ctrl-C end it cleanly: what is open is committed first. A second one ends it at once.

Examples:
  lockstep run --config lockstep.toml
  lockstep run --roles source,sink            # several: one has each account, others stand by
  lockstep run --roles bridge                 # several: a browser connects to any of them
  lockstep run --roles bridge --name b2 --ops-port 9465 --bridge-port 8471   # on one machine
  lockstep run --data DIR                     # without a Kafka: everything is in this directory
  lockstep run --log info,librdkafka=debug    # also what the Kafka client says of each connection
  curl -s http://127.0.0.1:9464/status        # what it has, and how it stands")]
pub(super) struct Run {
    #[command(flatten)]
    configured: Configured,
    /// What this process does; source and sink always together, as they share a budget of calls
    #[arg(long, value_enum, value_delimiter = ',', default_value = "source,processor,sink,bridge")]
    roles: Vec<Role>,
    /// The name of this process among the processors; default: `name` of [processor], else the host's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The port of metrics, in place of the one in [ops]: each process of a machine has its own
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ops_port: Option<u16>,
    /// The port for browsers, in place of the one in [bridge]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    bridge_port: Option<u16>,
    /// End as on SIGTERM when standard input ends: with whoever has started this, whatever ends him
    #[arg(long)]
    end_with_stdin: bool,
    /// What is logged: a level, or levels for its parts
    #[arg(long, value_name = "FILTER", default_value = "info,librdkafka=error")]
    log: String,
    /// How it is logged, on stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Auto)]
    log_format: LogFormat,
}

/// What a process can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Reads the platforms: what agents are in becomes events
    Source,
    /// Decides: events become decisions, commands and states
    Processor,
    /// Writes to the platforms: commands become calls, and what becomes of them events
    Sink,
    /// Lets browsers of agents connect, where Salesforce is read and written: nothing without [bridge]
    Bridge,
}

impl Role {
    /// Its name, as `--roles` takes it.
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Text where stderr is a terminal, JSON otherwise
    Auto,
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl LogFormat {
    /// Whether lines are JSON, by whether stderr is a terminal.
    const fn is_json(self, is_terminal: bool) -> bool {
        match self {
            LogFormat::Auto => !is_terminal,
            LogFormat::Text => false,
            LogFormat::Json => true,
        }
    }
}

pub(super) fn run(command: &Run) -> anyhow::Result<Outcome> {
    let mut deployment = command.configured.load()?;
    command.take_ports(&mut deployment.config)?;
    let deployment = Arc::new(deployment);
    let name = name(command, &deployment.config)?;
    anyhow::ensure!(
        command.has(Role::Source) == command.has(Role::Sink),
        "--roles has one of source and sink without the other: they share the budget of an account, so a process has both or neither"
    );
    log(command)?;
    let runtime = runtime::here("wait for signals")?;
    // Calls are apart from what waits for signals and answers at the ops endpoint.
    let calls = runtime::on_a_thread("calls")?;
    let ended = runtime.block_on(serve(command, &deployment, &name, calls.handle()));
    // Threads that still wait for the brokers are not waited for.
    runtime.shutdown_background();
    calls.shutdown_background();
    ended
}

impl Run {
    fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Where it listens is what the configuration says, but for the ports that this process is given.
    fn take_ports(&self, config: &mut Config) -> anyhow::Result<()> {
        if let Some(port) = self.ops_port {
            config.ops.listen.set_port(port);
        }
        if let Some(port) = self.bridge_port {
            let bridge = config.bridge.as_mut();
            let bridge = bridge.context("--bridge-port: the configuration has no [bridge]")?;
            bridge.listen.set_port(port);
        }
        Ok(())
    }
}

fn log(command: &Run) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&command.log).map_err(|error| {
        // It says of itself what led to it.
        anyhow::anyhow!(
            "--log {:?} is no filter: write a level such as info, or PART=LEVEL,...: {error}",
            command.log
        )
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let is_terminal = anstream::stderr().is_terminal();
    if command.log_format.is_json(is_terminal) {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(true).init();
    } else {
        builder.with_ansi(is_terminal).init();
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
    /// A part cannot go on.
    Failed(Failed),
}

/// What the process answers at its ops endpoints, from now on: nothing of it has begun.
fn ops(command: &Run, name: &str) -> anyhow::Result<Ops> {
    let roles: Vec<String> = command.roles.iter().map(|role| role.name()).collect();
    let readiness = Readiness::default();
    for part in roles.iter().map(String::as_str).chain([BUS]) {
        readiness.set(part, false);
    }
    Ok(Ops {
        process: Arc::new(Process { name: name.to_owned(), roles, since: http::now() }),
        metrics: Arc::new(Metrics::new().context("the metrics cannot be made")?),
        readiness: Arc::new(readiness),
    })
}

/// Starts what the roles have to do.
fn start(
    command: &Run,
    begun: &Begun,
    deployment: &Arc<Deployment>,
    calls: &Handle,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let config = &deployment.config;
    let mut threads = Vec::new();
    if command.has(Role::Processor) {
        threads.extend(processor::start(begun, config)?);
        begun.has_begun(Role::Processor);
    }
    if command.has(Role::Source) {
        threads.extend(accounts::start(begun, deployment, calls)?);
        begun.has_begun(Role::Source);
        begun.has_begun(Role::Sink);
    }
    if command.has(Role::Bridge) {
        threads.extend(bridge::start(begun, config)?);
        begun.has_begun(Role::Bridge);
    }
    Ok(threads)
}

async fn serve(
    command: &Run,
    deployment: &Arc<Deployment>,
    name: &str,
    calls: &Handle,
) -> anyhow::Result<Outcome> {
    let config = &deployment.config;
    let stop = Stop::default();
    let mut signals = Signals::new()?;
    if command.end_with_stdin {
        signals.watch_stdin()?;
    }
    let ops = ops(command, name)?;
    let listener = Ops::bind(config.ops.listen).await.with_context(|| {
        format!("{} cannot be listened on: another process may; name another with --ops-port, or change `listen` of [ops]", config.ops.listen)
    })?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        name,
        roles = ops.process.roles.join(","),
        ops = %config.ops.listen,
        "lockstep begins"
    );
    let (over, ended) = tokio::sync::oneshot::channel::<()>();
    let until = async { ended.await.unwrap_or_default() };
    let server = tokio::spawn(ops.clone().serve(listener, until));
    let beginning = begin(deployment);
    let reached = tokio::select! {
        begun = beginning => begun?,
        () = signals.next() => return Ok(Outcome::Done),
    };
    let (failed, mut failures) = mpsc::unbounded_channel();
    let begun = Begun { reached, name: name.to_owned(), ops, stop: stop.clone(), failed };
    begun.ops.readiness.set(BUS, true);
    let threads = start(command, &begun, deployment, calls)?;
    let end = tokio::select! {
        () = signals.next() => End::Asked,
        Some(failed) = failures.recv() => End::Failed(failed),
    };
    stop.ask();
    tracing::info!("stopping");
    let ending = tokio::task::spawn_blocking(move || {
        for thread in threads {
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
        End::Failed(Failed { part, error: Some(error) }) => {
            Err(error.context(format!("{part} cannot go on")))
        }
        End::Failed(Failed { part, error: None }) => {
            anyhow::bail!(
                "{part} panicked, which is a bug: what it said stands above; nothing of it was committed"
            )
        }
    }
}

/// What the parts of a process have in common.
struct Begun {
    reached: Reached,
    name: String,
    ops: Ops,
    stop: Stop,
    failed: mpsc::UnboundedSender<Failed>,
}

/// A part that cannot go on; without an error it has panicked.
struct Failed {
    part: String,
    error: Option<anyhow::Error>,
}

/// Tells that a part has ended, even where it panics.
struct Guard {
    failed: mpsc::UnboundedSender<Failed>,
    /// None once it has ended as it should.
    part: Option<String>,
}

impl Guard {
    /// It has ended as it should.
    fn end(mut self) {
        self.part = None;
    }

    fn tell(&mut self, error: Option<anyhow::Error>) {
        if let Some(part) = self.part.take() {
            // Whoever waits for it may be gone.
            let _ = self.failed.send(Failed { part, error });
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tell(None);
    }
}

impl Begun {
    /// All parts of a role have begun; what each of them waits for it says itself.
    fn has_begun(&self, role: Role) {
        self.ops.readiness.set(&role.name(), true);
    }

    /// Runs a part on a thread of its own.
    fn spawn(
        &self,
        part: String,
        run: impl FnOnce(&Stop) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<JoinHandle<()>> {
        let mut guard = Guard { failed: self.failed.clone(), part: Some(part.clone()) };
        let stop = self.stop.clone();
        let run = move || match run(&stop) {
            Ok(()) => guard.end(),
            Err(error) => guard.tell(Some(error)),
        };
        thread::Builder::new().name(part.replace(' ', "-")).spawn(run).context("the system gives no thread")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_the_log_decides_how_it_looks() {
        for (format, at_a_terminal, elsewhere) in
            [(LogFormat::Auto, false, true), (LogFormat::Text, false, false), (LogFormat::Json, true, true)]
        {
            let found = (format.is_json(true), format.is_json(false));
            assert_eq!(found, (at_a_terminal, elsewhere), "{format:?}");
        }
    }
}
