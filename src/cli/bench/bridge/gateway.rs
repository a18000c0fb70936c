//! The gateway that is measured: `lockstep run`, in a process of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use lockstep::bus::TopicsPlan;

use super::site::{ACCOUNT, AUDIENCE, ISSUER, KEY_ID, Keys};
use crate::cli::bench::cpu_s;
use crate::cli::bench::processor::memory_mb;

/// What it says when browsers may come.
const IS_READY: &str = "links are read: browsers may come";
/// How long it may take until then.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at what it has said.
const LOOK: Duration = Duration::from_millis(20);
/// So many lines of what it has said stand in an error.
const LAST_LINES: usize = 5;
/// Where its configuration finds a secret. It opens nothing: this gateway calls nobody.
const SECRET: &str = "LOCKSTEP_BENCH_SECRET";

/// A gateway that runs. It is killed when this goes.
pub(super) struct Gateway {
    process: Child,
    log_file: PathBuf,
    /// Where browsers connect.
    pub(super) listen: SocketAddr,
}

/// What a gateway has used.
#[derive(Clone, Copy)]
pub(super) struct Used {
    /// CPU seconds, of the user and the system.
    pub(super) cpu_s: f64,
    /// Resident now, in MiB.
    pub(super) rss_mib: f64,
    /// Resident at most, in MiB.
    pub(super) peak_mib: f64,
}

impl Gateway {
    /// Starts one on the directory of a log, on a core where one is named, and waits until browsers may come.
    pub(super) fn start(
        (folder, data): (&Path, &Path),
        plan: &TopicsPlan,
        keys: &Keys,
        (origin, connections_max): (&str, u16),
        core: Option<u32>,
    ) -> anyhow::Result<Gateway> {
        let (listen, ops) = (free_port()?, free_port()?);
        let config_file = folder.join("gateway.toml");
        let text = config(plan, keys, (listen, ops), (origin, connections_max));
        fs::write(&config_file, text).context("writing the configuration of the gateway")?;
        let log_file = folder.join("gateway.log");
        let log = File::create(&log_file).context("making the log of the gateway")?;
        let program = std::env::current_exe().context("where this program is")?;
        let mut command = match core {
            None => Command::new(program),
            Some(core) => {
                let mut taskset = Command::new("taskset");
                taskset.args(["-c", &core.to_string()]).arg(program);
                taskset
            }
        };
        command
            .args(["run", "--roles", "bridge", "--name", "bench", "--log-format", "text", "--data"])
            .arg(data);
        command.arg("--config").arg(config_file).env(SECRET, "none");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().context("starting the gateway (taskset is of util-linux)")?;
        let mut gateway = Gateway { process, log_file, listen };
        gateway.becomes_ready()?;
        Ok(gateway)
    }

    fn becomes_ready(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !fs::read_to_string(&self.log_file).is_ok_and(|said| said.contains(IS_READY)) {
            self.lives()?;
            anyhow::ensure!(
                begun.elapsed() < READY_WITHIN,
                "the gateway is not ready within {} s: {}",
                READY_WITHIN.as_secs(),
                self.last_lines()
            );
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// That it runs.
    pub(super) fn lives(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait().context("looking after the gateway")? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the gateway has ended with {status}: {}", self.last_lines()),
        }
    }

    fn last_lines(&self) -> String {
        let said = fs::read_to_string(&self.log_file).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        last.join(" | ")
    }

    /// What it has used since it began.
    pub(super) fn used(&self) -> anyhow::Result<Used> {
        let process = self.process.id().to_string();
        let memory = |which| {
            memory_mb(&process, which).context("the system does not tell how much memory the gateway has")
        };
        Ok(Used { cpu_s: cpu_s(&process), rss_mib: memory("VmRSS:")?, peak_mib: memory("VmHWM:")? })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listened at just now.
fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    listener.local_addr().context("the system does not tell which port is free")
}

fn config(
    plan: &TopicsPlan,
    keys: &Keys,
    (listen, ops): (SocketAddr, SocketAddr),
    (origin, connections_max): (&str, u16),
) -> String {
    let TopicsPlan { prefix, partitions, retention_days, .. } = plan;
    let tls = keys.tls.as_ref().map_or_else(String::new, |(certificate, key)| {
        let (certificate, key) = (certificate.display(), key.display());
        format!("tls_certificate_file = '{certificate}'\ntls_key_file = '{key}'\n")
    });
    let org = keys.org_public.display();
    format!(
        r#"
[bus]
bootstrap_servers = ["127.0.0.1:9"]
prefix = "{prefix}"
partitions = {partitions}
replication_factor = 1
[privacy]
retention_days = {retention_days}
[ops]
listen = "{ops}"
[salesforce.{ACCOUNT}]
environment = "production"
organisation_id = "00D000000000062EAA"
user_name = "lockstep@example.com"
password = {{ secret_env = "{SECRET}" }}
client_id = "app"
client_secret = {{ secret_env = "{SECRET}" }}
admin_email = "admin@example.com"
[salesforce.{ACCOUNT}.bridge]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys = {{ {KEY_ID} = '{org}' }}
[bridge]
listen = "{listen}"
origins = ["{origin}"]
connections_max = {connections_max}
{tls}"#
    )
}
