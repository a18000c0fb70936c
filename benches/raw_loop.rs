//! What Kafka and librdkafka give to an exactly-once loop at best: the ceiling of which Lockstep's own figures are a share.
//! `scripts/kafka run --measure -- cargo bench --bench raw_loop` loads a log, runs the loop over it, and checks with a
//! `read_committed` reader that every event came out once. `--help` names the options.
//!
//! **Why unsafe, and why it is sound.** The safe binding costs half of the rate: it produces and consumes one record at a
//! time. So `kafka` calls librdkafka itself, and nothing else in here does. Each handle has one owner that destroys it, and
//! what depends on a client borrows it or has it inside, so that a client goes last. What librdkafka lends (messages of a batch)
//! is lent on only for the length of a closure; what it is lent (configurations, lists, records to write) it copies before
//! the call returns. Handles stay on the thread that made them, and the only callback uses what it is handed.

#![allow(unsafe_code, reason = "librdkafka's batches have no safe binding; see above")]
#![allow(clippy::indexing_slicing, reason = "a benchmark fails loudly")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

#[path = "raw_loop/kafka.rs"]
mod kafka;
#[path = "raw_loop/records.rs"]
mod records;
#[path = "raw_loop/run.rs"]
mod run;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};
use std::slice;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use serde::Serialize;
use serde_json::json;

use kafka::{Consumer, Producer, Topic};
use records::{ByAgent, EVENT, KEY, agent_of, is_commanded, number, write_event};
use run::{Figures, Job, Work};

const WAIT_MAX: Duration = Duration::from_secs(30);

/// A bare exactly-once loop over librdkafka: the ceiling for everything that does more.
#[derive(Parser, Serialize)]
struct Options {
    /// How many events to load
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    events: u64,
    /// Of how many agents they are
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    agents: u64,
    /// Of the log, and of each output
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    partitions: u16,
    /// How long a transaction takes records
    #[arg(long, value_name = "N", default_value_t = 100)]
    commit_ms: u64,
    /// How often; with more than one there is a median
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    #[arg(long, value_enum, default_value_t = Work::Stateful)]
    work: Work,
    /// An existing log of such events, read as a whole, in place of one that is loaded
    #[arg(long, value_name = "TOPIC", conflicts_with_all = ["events", "agents", "partitions"])]
    input: Option<String>,
    /// Leave the topics, and say their names
    #[arg(long)]
    keep: bool,
    /// Figures as JSON
    #[arg(long)]
    json: bool,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    #[serde(skip)]
    bench: bool,
    /// One run, for the process that measures it
    #[arg(long, hide = true)]
    #[serde(skip)]
    job: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = if let Some(job) = &options.job {
        one_run(job)
    } else if let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP_SERVERS") {
        measure(&options, bootstrap)
    } else {
        eprintln!("raw_loop needs a broker: scripts/kafka run --measure -- cargo bench --bench raw_loop");
        return ExitCode::from(2);
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("raw_loop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn one_run(job: &str) -> Result<()> {
    let figures = run::run(&serde_json::from_str(job)?)?;
    serde_json::to_writer(std::io::stdout(), &figures).context("nobody waits for the figures any more")
}

fn measure(options: &Options, bootstrap: String) -> Result<()> {
    let now_us = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let name = format!("raw-loop-{now_us:x}");
    let mut broker = Broker::new(bootstrap, options.keep)?;
    let log = match &options.input {
        Some(topic) => topic.clone(),
        None => load(&mut broker, options, format!("{name}-events"), now_us)?,
    };
    let log = Log::read(&broker, log)?;
    ensure!(
        options.input.is_some() || log.events == options.events,
        "{} events were read of a log of {}",
        log.events,
        options.events
    );
    let mut runs = Vec::new();
    for n in 1..=options.runs {
        let job = Job {
            bootstrap: broker.bootstrap.clone(),
            work: options.work,
            log: log.topic.clone(),
            partitions: log.partitions,
            events: log.events,
            commit_ms: options.commit_ms,
            name: format!("{name}-{n}"),
        };
        eprintln!("run {n} of {} over {} events", options.runs, log.events);
        let topics: Vec<_> = job.outputs().into_iter().map(|(topic, _)| topic).collect();
        if !topics.is_empty() {
            broker.create(&topics, log.partitions)?;
        }
        runs.push(in_its_own_process(&job)?);
        log.check(&job, &topics)?;
        broker.groups.push(job.name);
    }
    report(options, &runs);
    Ok(())
}

fn in_its_own_process(job: &Job) -> Result<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.arg("--job").arg(serde_json::to_string(job)?).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the run failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Makes topics, and removes them at the end, whatever happened.
struct Broker {
    bootstrap: String,
    admin: AdminClient<DefaultClientContext>,
    waiting: tokio::runtime::Runtime,
    keep: bool,
    topics: Vec<String>,
    groups: Vec<String>,
}

impl Broker {
    fn new(bootstrap: String, keep: bool) -> Result<Self> {
        let admin = ClientConfig::new().set("bootstrap.servers", &bootstrap).create()?;
        let waiting = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { bootstrap, admin, waiting, keep, topics: Vec::new(), groups: Vec::new() })
    }

    fn create(&mut self, topics: &[String], partitions: usize) -> Result<()> {
        self.topics.extend_from_slice(topics);
        let new = topics.iter().map(|topic| {
            // As many replicas as the broker makes. States are compacted as in earnest, but not before they are counted.
            let new = NewTopic::new(topic, partitions as i32, TopicReplication::Fixed(-1));
            let policy = if topic.ends_with("-states") { "compact" } else { "delete" };
            new.set("cleanup.policy", policy).set("min.compaction.lag.ms", "86400000")
        });
        let results =
            self.waiting.block_on(self.admin.create_topics(&new.collect::<Vec<_>>(), &patience()))?;
        let failed = results.into_iter().find_map(Result::err);
        failed.map_or(Ok(()), |(topic, code)| Err(anyhow!("no topic {topic}: {code}")))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.topics.is_empty() {
            return;
        }
        if self.keep {
            return eprintln!("kept: {}", self.topics.join(" "));
        }
        let topics: Vec<_> = self.topics.iter().map(String::as_str).collect();
        let groups: Vec<_> = self.groups.iter().map(String::as_str).collect();
        let deleted = self.waiting.block_on(self.admin.delete_topics(&topics, &patience()));
        if !deleted.is_ok_and(|results| results.iter().all(Result::is_ok)) {
            eprintln!("some of these topics are left: {}", self.topics.join(" "));
        }
        _ = self.waiting.block_on(self.admin.delete_groups(&groups, &patience()));
    }
}

fn patience() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(WAIT_MAX)).request_timeout(Some(WAIT_MAX))
}

fn load(broker: &mut Broker, options: &Options, topic: String, now_us: u64) -> Result<String> {
    let begun = Instant::now();
    broker.create(slice::from_ref(&topic), options.partitions.into())?;
    let producer = Producer::new(&[
        ("bootstrap.servers", &broker.bootstrap),
        ("enable.idempotence", "true"),
        ("partitioner", "murmur2_random"),
        ("compression.type", "lz4"),
        ("linger.ms", "20"),
    ])?;
    let mut log = Topic::new(&producer, &topic, (KEY, EVENT), None)?;
    for n in 1..=options.events {
        let agent = agent_of(n, options.agents);
        write_event(agent, n, now_us + n, log.add(0, format!("agent-{agent:09}").as_bytes()));
        if n % 1024 == 0 || n == options.events {
            log.send()?;
        }
    }
    producer.drain()?;
    eprintln!("loaded {} events in {:.1} s", options.events, begun.elapsed().as_secs_f64());
    Ok(topic)
}

/// What is in the log, and so what must come out of it.
struct Log {
    topic: String,
    partitions: usize,
    events: u64,
    commands: u64,
    agents: usize,
}

impl Log {
    fn read(broker: &Broker, topic: String) -> Result<Self> {
        let metadata = broker.admin.inner().fetch_metadata(Some(&topic), WAIT_MAX)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        ensure!(partitions > 0, "there is no topic {topic}");
        let (mut agents, mut commands, mut strange) = (ByAgent::default(), 0, 0);
        let events = count(&broker.bootstrap, &topic, partitions, |event| {
            if event.len() == EVENT {
                commands += u64::from(is_commanded(event));
                agents.insert(number(event, 0), ());
            } else {
                strange += 1;
            }
        })?;
        ensure!(
            events > 0 && strange == 0,
            "{topic}: {strange} of {events} records are no events of {EVENT} bytes"
        );
        Ok(Self { topic, partitions, events, commands, agents: agents.len() })
    }

    /// That each event came out once, and that the last states together have counted all events.
    fn check(&self, job: &Job, topics: &[String]) -> Result<()> {
        for topic in topics {
            let mut last = ByAgent::default();
            let (is_state, is_command) = (topic.ends_with("-states"), topic.ends_with("-commands"));
            let found = count(&job.bootstrap, topic, self.partitions, |record| {
                if is_state {
                    last.insert(number(record, 0), number(record, 1));
                }
            })?;
            let expected = if is_command { self.commands } else { self.events };
            ensure!(found == expected, "{topic} has {found} records, not {expected}");
            let counted: u64 = last.values().sum();
            ensure!(
                !is_state || (counted, last.len()) == (self.events, self.agents),
                "{topic} counts {counted} events of {} agents, not {} of {}",
                last.len(),
                self.events,
                self.agents
            );
        }
        Ok(())
    }
}

/// How many committed records a topic has.
fn count(bootstrap: &str, topic: &str, partitions: usize, mut each: impl FnMut(&[u8])) -> Result<u64> {
    let settings = [
        ("bootstrap.servers", bootstrap),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
        ("fetch.queue.backoff.ms", "5"),
        ("fetch.wait.max.ms", "10"),
        // Never joined nor committed to, but a consumer must name one.
        ("group.id", "raw-loop"),
    ];
    let mut consumer = Consumer::new(topic, Some(partitions), &settings)?;
    let (mut records, mut last) = (0, Instant::now());
    while consumer.ends < partitions {
        let some = consumer.next(|record| each(record.value))?;
        records += some as u64;
        if some > 0 {
            last = Instant::now();
        }
        ensure!(last.elapsed() < WAIT_MAX, "no end of {topic} after {records} records");
    }
    Ok(records)
}

fn report(options: &Options, runs: &[Figures]) {
    let names: Vec<_> = runs.iter().flat_map(|run| run.iter().map(|(name, _)| name.as_str())).collect();
    let names = &names[..names.len() / runs.len()];
    let median = |n: usize| {
        let mut all: Vec<f64> = runs.iter().map(|run| run[n].1).collect();
        all.sort_by(f64::total_cmp);
        (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0
    };
    let median: Figures = names.iter().enumerate().map(|(n, name)| ((*name).to_owned(), median(n))).collect();
    if options.json {
        let object = |run: &Figures| run.iter().cloned().collect::<BTreeMap<_, _>>();
        let runs: Vec<_> = runs.iter().map(object).collect();
        println!("{}", json!({ "options": options, "runs": runs, "median": object(&median) }));
        return;
    }
    println!("{:8}  {}", "", names.join("  "));
    for (n, run) in (1..).zip(runs).chain([(0, &median)]) {
        let name = if n == 0 { "median".to_owned() } else { format!("run {n}") };
        let cell = |(name, figure): &(String, f64)| {
            let digits = if *figure < 1000.0 { 2 } else { 0 };
            format!("  {figure:width$.digits$}", width = name.len())
        };
        println!("{name:8}{}", run.iter().map(cell).collect::<String>());
    }
}
