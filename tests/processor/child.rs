//! The program as a process of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::waiting::PATIENCE;

/// A process that runs.
pub(crate) struct Process {
    child: Mutex<Child>,
    log: PathBuf,
    name: String,
}

impl Process {
    /// Starts `lockstep run` with these arguments, and this in its environment. What it says is beside its configuration.
    pub(crate) fn run(
        config: &Path,
        name: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        env: &[(&str, &str)],
    ) -> Process {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let log = config.parent().unwrap().join(format!("{name}-{number}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(["run", "--name", name, "--log-format", "text", "--config"])
            .arg(config)
            .args(arguments)
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
