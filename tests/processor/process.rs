//! `lockstep run` as a process of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::ground::{Brokers, Ground};
use crate::site::{PATIENCE, Site};

/// The configuration of a site, in a folder of its own.
pub(crate) fn config(site: &Site) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&site.plan.prefix);
    fs::create_dir_all(&folder).unwrap();
    let config = folder.join("lockstep.toml");
    let (prefix, partitions) = (&site.plan.prefix, site.plan.partitions);
    let servers = match &site.ground {
        Ground::Kafka(Brokers { servers, through, .. }) => through.as_ref().unwrap_or(servers),
        // None: what a directory holds needs no server.
        Ground::Directory(_) => "127.0.0.1:9",
    };
    let servers = servers.replace(',', "\", \"");
    let replicas = site.plan.replicas;
    let (factor, in_sync_min) = (replicas.replication_factor, replicas.in_sync_min);
    let text = format!(
        "[bus]\nbootstrap_servers = [\"{servers}\"]\nprefix = \"{prefix}\"\npartitions = {partitions}\nreplication_factor = {factor}\nmin_insync_replicas = {in_sync_min}\n[privacy]\nretention_days = 7\n[processor]\ncommit_interval_ms = 20\n[ops]\nlisten = \"127.0.0.1:0\"\n"
    );
    fs::write(&config, text).unwrap();
    config
}

/// A process that runs.
pub(crate) struct Process {
    child: Mutex<Child>,
    log: PathBuf,
    name: String,
}

impl Process {
    /// Starts it, with this in its environment.
    pub(crate) fn start(site: &Site, name: &str, env: &[(&str, &str)]) -> Process {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let config = config(site);
        let folder = config.parent().unwrap();
        let log = folder.join(format!("{name}-{number}.log"));
        let data = match &site.ground {
            Ground::Kafka(_) => Vec::new(),
            Ground::Directory(folder) => vec![OsStr::new("--data"), folder.path.as_os_str()],
        };
        let child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(["run", "--roles", "processor", "--name", name, "--config"])
            .arg(&config)
            .args(data)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Process { child: Mutex::new(child), log, name: format!("{name}-{number}") }
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        File::open(&self.log).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until it has said something so often.
    pub(crate) fn says(&self, what: &str, times: usize) {
        self.says_one_of(&[what], times);
    }

    /// Waits until it has said one of several things so often.
    pub(crate) fn says_one_of(&self, what: &[&str], times: usize) {
        let begun = Instant::now();
        let says = |line: &&str| what.iter().any(|what| line.contains(what));
        while self.log().lines().filter(says).count() < times {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} does not say {what:?} {times} times:\n{}",
                self.name,
                self.log()
            );
            assert!(!self.has_ended(), "{} has ended:\n{}", self.name, self.log());
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// The most memory that it had.
    pub(crate) fn rss_peak_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.lock().unwrap().id());
        let status = fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn has_ended(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_some()
    }

    /// Waits until it is gone.
    pub(crate) fn is_gone(&self) {
        let begun = Instant::now();
        while !self.has_ended() {
            assert!(begun.elapsed() < PATIENCE, "{} does not end:\n{}", self.name, self.log());
            thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Waits until it ends by itself, and has said why. Tells how it ended.
    pub(crate) fn ends_by_itself(self, why: &str) -> ExitStatus {
        self.is_gone();
        let log = self.log();
        assert!(log.contains(why), "{} did not say {why:?}:\n{log}", self.name);
        self.child.lock().unwrap().wait().unwrap()
    }

    /// Asks it to stop; it ends cleanly. Tells how long that took.
    pub(crate) fn end(self) -> Duration {
        let begun = Instant::now();
        self.signal("-TERM");
        self.is_gone();
        let took = begun.elapsed();
        let status = self.child.lock().unwrap().wait().unwrap();
        assert!(status.success(), "{} ended with {status}:\n{}", self.name, self.log());
        took
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
        if thread::panicking() {
            drop(child);
            println!("--- {}\n{}", self.name, self.log());
        }
    }
}
