//! `lockstep demo`.

mod choices;
mod decisions;
mod faults;
mod judge;
mod live;
mod people;
mod platforms;
mod processes;
mod rest;
mod running;
mod screen;
mod site;
mod summary;
mod trouble;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;

use lockstep::bus::Replicas;
use lockstep::bus::kafka::Connection;

use super::files;
use super::folder::own_name;
use super::output::{self, Outcome};
use faults::Level;
use running::Running;

/// Where a Kafka is that nobody has named.
const SERVERS: &str = "127.0.0.1:9092";
/// The variable that names one.
const SERVERS_VARIABLE: &str = "KAFKA_BOOTSTRAP_SERVERS";
/// So many people log in within a second, if it is not said otherwise: browsers of all of them are in one process.
const LOGINS_A_SECOND: f64 = 400.0;
/// Files that are open beside those of browsers.
const FURTHER_FILES: u64 = 300;
/// So long a Kafka has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(super) struct Demo {
    /// How many people work on both platforms
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    agents: u32,
    /// So long people act, such as 30s or 10m; then both sides come to rest, and it ends. Without it until Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasts: Option<Duration>,
    /// What everybody does follows from it, and what goes wrong
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What keeps the log: a directory, or a Kafka
    #[arg(long, value_enum, default_value_t = Bus::Embedded)]
    bus: Bus,
    /// Where the Kafka is; default: KAFKA_BOOTSTRAP_SERVERS, else 127.0.0.1:9092
    #[arg(long, value_name = "HOST:PORT,...")]
    servers: Option<String>,
    /// A folder for the log, the configuration and what processes say, which stays; default: one that goes
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What goes wrong by itself
    #[arg(long, value_enum, default_value_t = Level::None)]
    faults: Level,
    /// So many changes a second by all of them together; default: one each 30 s by everybody, in hell each 10 s
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// All log in within this time; default: 3s, and longer where there are more than 1,200 people
    #[arg(long, value_name = "TIME", value_parser = duration)]
    login_within: Option<Duration>,
    /// Source and sink, processor, and bridge are three processes, not one; only on a Kafka
    #[arg(long)]
    split: bool,
    /// A process of Lockstep is killed so often, and started again; of several each has its turn
    #[arg(long, value_name = "TIME", value_parser = duration)]
    kill_each: Option<Duration>,
    /// A process of a broker on this machine, which the fault `broker gone` lets stand still
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..=0x7fff_ffff))]
    broker_pid: Vec<u32>,
    /// Tell at the end as one JSON object; what happens meanwhile is told on stderr
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bus {
    Embedded,
    Kafka,
}

/// What keeps the log.
enum Keeper {
    Directory,
    Kafka(Kafka),
}

/// A Kafka, and what is ours of it.
struct Kafka {
    servers: String,
    prefix: String,
    replicas: Replicas,
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|one: char| !one.is_ascii_digit() && one != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err("write a number with ms, s, m or h, such as 30s".to_owned()),
    };
    let number: f64 =
        number.parse().map_err(|_| "write a number with ms, s, m or h, such as 30s".to_owned())?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|all| *all <= Duration::from_secs(7 * 86_400))
        .ok_or_else(|| "that is more than a week".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if number > 0.0 && number <= 2_000.0 {
        Ok(number)
    } else {
        Err("it is above 0, and 2000 at most".to_owned())
    }
}

impl Demo {
    fn changes_a_second(&self) -> f64 {
        let each_s = if self.faults == Level::Hell { 10.0 } else { 30.0 };
        self.rate.unwrap_or(f64::from(self.agents) / each_s)
    }

    /// All log in within this time.
    fn logged_in_within(&self) -> Duration {
        let needed = Duration::from_secs_f64(f64::from(self.agents) / LOGINS_A_SECOND);
        self.login_within.unwrap_or(needed.max(Duration::from_secs(3)))
    }

    fn keeper(&self) -> anyhow::Result<Keeper> {
        if self.bus == Bus::Embedded {
            anyhow::ensure!(!self.split, "--split needs --bus kafka: a directory belongs to one process");
            anyhow::ensure!(self.servers.is_none(), "--servers is about a Kafka: add --bus kafka");
            anyhow::ensure!(self.broker_pid.is_empty(), "--broker-pid is about a Kafka: add --bus kafka");
            return Ok(Keeper::Directory);
        }
        let named = self.servers.clone().or_else(|| std::env::var(SERVERS_VARIABLE).ok());
        let servers = named.unwrap_or_else(|| SERVERS.to_owned());
        for pid in &self.broker_pid {
            anyhow::ensure!(
                Path::new("/proc").join(pid.to_string()).exists(),
                "--broker-pid {pid}: there is no such process"
            );
        }
        let prefix = own_name("demo")?;
        let brokers = brokers(&servers, &prefix)?;
        let replicas = match brokers {
            0..=2 => Replicas { replication_factor: 1, in_sync_min: 1 },
            _ => Replicas { replication_factor: 3, in_sync_min: 2 },
        };
        Ok(Keeper::Kafka(Kafka { servers, prefix, replicas }))
    }
}

impl Kafka {
    fn connection(servers: &str, prefix: &str) -> Connection {
        let (servers, prefix) = (vec![servers.to_owned()], prefix.to_owned());
        Connection { servers, prefix, tls: None, sasl: None, further: Vec::new() }
    }
}

/// How many brokers there are.
fn brokers(servers: &str, prefix: &str) -> anyhow::Result<usize> {
    let properties = Kafka::connection(servers, prefix).common();
    let admin: AdminClient<DefaultClientContext> = properties.create().context("a client of Kafka")?;
    let about = || {
        format!(
            "no Kafka answers at {servers}: start one (`scripts/kafka start` prints its address), or name yours with --servers"
        )
    };
    let known = admin.inner().fetch_metadata(None, ANSWER_WITHIN).with_context(about)?;
    Ok(known.brokers().len())
}

pub(super) fn run(command: &Demo) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let files = files::allow_all().unwrap_or(u64::MAX);
    anyhow::ensure!(
        files >= u64::from(command.agents) + FURTHER_FILES,
        "{} agents have a browser each, and this process may have {files} files open: raise that limit (ulimit -n), or lower --agents",
        command.agents
    );
    let keeper = command.keeper()?;
    let running = Running::begin(command, keeper, begun)?;
    let summary = running.run()?;
    let outcome = if summary.is_well() { Outcome::Done } else { Outcome::Failed };
    if command.json {
        output::json(&summary)?;
    } else {
        output::result(&summary.text().context("writing what came of it")?)?;
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_a_unit() {
        for (text, expected) in [("30s", 30_000), ("1.5m", 90_000), ("250ms", 250), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(expected)), "{text}");
        }
        for text in ["", "30", "s", "30 s", "1d", "-1s", "1e9s", "8000h", "1.2.3s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
