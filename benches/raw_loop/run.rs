//! One measured run, in a process of its own: its memory and its CPU are those of the loop alone.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::kafka::{Consumer, Producer, Topic};
use crate::records::{Agent, ByAgent, COMMAND, DECISION, EVENT, KEY, STATE, is_commanded, number};

const SILENCE_MAX: Duration = Duration::from_secs(60);
/// In what Linux counts the CPU of a process (USER_HZ).
const TICKS_PER_S: f64 = 100.0;

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// Of each event a state and a decision, of half of them a command
    Stateful,
    /// Each event again as it is
    Pass,
    /// Nothing: the log is only read
    Read,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) bootstrap: String,
    pub(crate) work: Work,
    pub(crate) log: String,
    pub(crate) partitions: usize,
    pub(crate) events: u64,
    pub(crate) commit_ms: u64,
    /// Its group, its transactional id, and what its topics begin with.
    pub(crate) name: String,
}

impl Job {
    /// The topics that it writes, and the sizes of their values.
    pub(crate) fn outputs(&self) -> Vec<(String, usize)> {
        let outputs: &[_] = match self.work {
            Work::Stateful => &[("decisions", DECISION), ("states", STATE), ("commands", COMMAND)],
            Work::Pass => &[("decisions", EVENT)],
            Work::Read => &[],
        };
        outputs.iter().map(|(topic, size)| (format!("{}-{topic}", self.name), *size)).collect()
    }
}

/// What is not known is left out.
pub(crate) type Figures = Vec<(String, f64)>;

pub(crate) fn run(job: &Job) -> Result<Figures> {
    let server = ("bootstrap.servers", job.bootstrap.as_str());
    let settings = [
        server,
        ("group.id", &job.name),
        ("isolation.level", "read_committed"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        // By default librdkafka stops fetching for a second when 100,000 records wait: two thirds of the rate.
        ("fetch.queue.backoff.ms", "5"),
    ];
    if job.work == Work::Read {
        return read(job, Consumer::new(&job.log, Some(job.partitions), &settings)?);
    }
    let consumer = Consumer::new(&job.log, None, &settings)?;
    let producer = Producer::new(&[server, ("transactional.id", &job.name), ("compression.type", "lz4")])?;
    let topic = |(name, size): (String, _)| Topic::new(&producer, &name, (KEY, size), Some(job.partitions));
    let outputs = job.outputs().into_iter().map(topic).collect::<Result<_>>()?;
    let agents = (0..job.partitions).map(|_| ByAgent::default()).collect();
    producer.init()?;
    Loop { job, consumer, producer: &producer, outputs, agents, next: vec![None; job.partitions] }.run()
}

fn read(job: &Job, mut consumer: Consumer) -> Result<Figures> {
    let (mut progress, mut agents) = (Progress::new(job), 0);
    while !progress.is_done() {
        let count = consumer.next(|record| agents ^= number(record.value, 0))?;
        progress.seen(count)?;
        progress.settled();
    }
    std::hint::black_box(agents);
    progress.figures(Vec::new())
}

struct Loop<'a> {
    job: &'a Job,
    consumer: Consumer,
    producer: &'a Producer,
    outputs: Vec<Topic<'a>>,
    agents: Vec<ByAgent<Agent>>,
    /// Of each partition the offset after its last event.
    next: Vec<Option<i64>>,
}

impl Loop<'_> {
    fn run(mut self) -> Result<Figures> {
        let (mut progress, mut commits_ms) = (Progress::new(self.job), Vec::new());
        while !progress.is_done() {
            self.fill(&mut progress)?;
            let filled = Instant::now();
            // Before the drain: the coordinator takes the offsets while the last records are on their way.
            self.producer.send_offsets(&self.consumer, &self.job.log, &self.next)?;
            self.producer.drain()?;
            self.producer.commit()?;
            commits_ms.push(filled.elapsed().as_secs_f64() * 1e3);
            progress.settled();
        }
        progress.figures(commits_ms)
    }

    /// A transaction begins with its first events: a silent log costs none.
    fn fill(&mut self, progress: &mut Progress) -> Result<()> {
        let interval = Duration::from_millis(self.job.commit_ms);
        let mut begun: Option<Instant> = None;
        while !progress.is_done() && begun.is_none_or(|begun| begun.elapsed() < interval) {
            let count = self.take()?;
            progress.seen(count)?;
            if count == 0 {
                continue;
            }
            if begun.is_none() {
                self.producer.begin()?;
                begun = Some(Instant::now());
            }
            self.outputs.iter_mut().try_for_each(Topic::send)?;
        }
        Ok(())
    }

    /// Takes the next events, and makes of them what is to be sent.
    fn take(&mut self) -> Result<usize> {
        let Self { consumer, outputs, agents, next, .. } = self;
        consumer.next(|record| {
            let (lane, key, event) = (record.partition, record.key, record.value);
            next[lane] = Some(record.offset + 1);
            if let [decisions, states, commands] = outputs.as_mut_slice() {
                let agent = agents[lane].entry(number(event, 0)).or_default();
                agent.learn(event);
                agent.write_state(event, states.add(lane, key));
                agent.write_decision(event, decisions.add(lane, key));
                if is_commanded(event) {
                    agent.write_command(event, commands.add(lane, key));
                }
            } else {
                outputs.iter_mut().for_each(|topic| topic.add(lane, key).copy_from_slice(event));
            }
        })
    }
}

/// How far a run is, and what it took since its first events.
struct Progress {
    broker: Option<PathBuf>,
    wanted: u64,
    events: u64,
    last: Instant,
    begun: Option<(Instant, f64, Option<f64>)>,
    half: Option<(Instant, u64)>,
}

impl Progress {
    fn new(job: &Job) -> Self {
        let broker = std::env::var_os("KAFKA_DIR").map(PathBuf::from);
        Self { broker, wanted: job.events, events: 0, last: Instant::now(), begun: None, half: None }
    }

    fn is_done(&self) -> bool {
        self.events >= self.wanted
    }

    fn seen(&mut self, count: usize) -> Result<()> {
        if count == 0 {
            ensure!(self.last.elapsed() < SILENCE_MAX, "no event for {SILENCE_MAX:?} after {}", self.events);
            return Ok(());
        }
        self.last = Instant::now();
        if self.begun.is_none() {
            self.begun = Some((self.last, cpu_s("self"), self.broker_cpu_s()));
        }
        self.events += count as u64;
        Ok(())
    }

    fn settled(&mut self) {
        if self.events * 2 >= self.wanted {
            self.half.get_or_insert_with(|| (Instant::now(), self.events));
        }
    }

    /// Of all nodes that `scripts/kafka` runs.
    fn broker_cpu_s(&self) -> Option<f64> {
        let pid = |n| fs::read_to_string(self.broker.as_ref()?.join(format!("node-{n}/pid"))).ok();
        (1..).map_while(pid).map(|pid| cpu_s(pid.trim())).reduce(|all, one| all + one)
    }

    fn figures(&self, mut commits_ms: Vec<f64>) -> Result<Figures> {
        let (begun, cpu, broker) = self.begun.context("no events")?;
        let (half, events_then) = self.half.context("no half of the events")?;
        let (events, millions) = (self.events as f64, self.events as f64 / 1e6);
        let mut figures = vec![
            ("events_per_s", events / begun.elapsed().as_secs_f64()),
            ("second_half_per_s", (self.events - events_then) as f64 / half.elapsed().as_secs_f64()),
            ("cpu_s_per_million", (cpu_s("self") - cpu) / millions),
            ("rss_mib_max", rss_mib_max()),
        ];
        if let Some((before, now)) = broker.zip(self.broker_cpu_s()) {
            figures.push(("broker_cpu_s_per_million", (now - before) / millions));
        }
        commits_ms.sort_by(f64::total_cmp);
        if let Some(last) = commits_ms.len().checked_sub(1) {
            figures.push(("transactions", commits_ms.len() as f64));
            figures.push(("commit_ms_p50", commits_ms[last / 2]));
            figures.push(("commit_ms_p99", commits_ms[last * 99 / 100]));
        }
        Ok(figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect())
    }
}

/// What a process has used so far, by itself and by the kernel for it.
fn cpu_s(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Its second field, a name in brackets, may hold anything. The times are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}

fn rss_mib_max() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim_end_matches("kB").trim().parse().ok());
    kib.unwrap_or(0.0) / 1024.0
}
