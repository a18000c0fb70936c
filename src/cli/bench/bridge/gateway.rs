//! The gateway that is measured: `lockstep run`, in a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::site::How;
use crate::cli::bench::{cpu_s, memory_mib};
use crate::cli::deployment::Deployment;
use crate::cli::folder::Folder;
use crate::cli::process::{last_lines, this_program};
use crate::cli::simulated;

/// What it says when browsers may come.
const IS_READY: &str = "links are read: browsers may come";
/// How long it may take until then.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at what it has said.
const LOOK: Duration = Duration::from_millis(20);
/// Its certificate, where it has one, and the key of that: files beside its configuration.
pub(super) const CERTIFICATE: &str = "gateway.crt";
pub(super) const CERTIFICATE_KEY: &str = "gateway.key";
const CONFIGURATION: &str = "gateway.toml";

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
    /// Starts one for an org on the directory of a log, and waits until browsers may come: so many at most.
    pub(super) fn start(
        folder: &Folder,
        deployment: &Deployment,
        (org, connections_max): (SocketAddr, u16),
        how: &How,
    ) -> anyhow::Result<Gateway> {
        let held = [simulated::free_port(None)?, simulated::free_port(None)?];
        let [listen, ops] = &held;
        let (listen, ops) = (listen.local_addr()?, ops.local_addr()?);
        let mut text = format!("[ops]\nlisten = \"{ops}\"\n\n");
        text.push_str(&simulated::configuration(org, listen, connections_max));
        if how.has_tls {
            text.push_str(&format!(
                "tls_certificate_file = \"{CERTIFICATE}\"\ntls_key_file = \"{CERTIFICATE_KEY}\"\n"
            ));
        }
        folder.write(CONFIGURATION, &text)?;
        let log_file = folder.file("gateway.log");
        let log = File::create(&log_file).context("making the log of the gateway")?;
        let mut command = this_program(how.core)?;
        command.args(["run", "--roles", "bridge", "--name", "bench", "--log-format", "text"]);
        command.arg("--config").arg(folder.file(CONFIGURATION)).envs(simulated::secrets());
        if let Some(data) = &deployment.data {
            command.arg("--data").arg(data);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        drop(held);
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
        last_lines(&self.log_file, " | ")
    }

    /// What it has used since it began.
    pub(super) fn used(&self) -> anyhow::Result<Used> {
        let process = self.process.id().to_string();
        let memory = |which| {
            memory_mib(&process, which).context("the system does not tell how much memory the gateway has")
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
