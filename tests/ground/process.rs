//! A program as a process of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::lockstep;
use crate::waiting::PATIENCE;

/// A process that runs. It never outlives this.
pub(crate) struct Process {
    child: Mutex<Child>,
    /// Where it says what others want to know, and where it logs.
    out: PathBuf,
    log: PathBuf,
    name: String,
}

fn text(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

impl Process {
    /// Starts a program. What it says comes to be in this folder.
    pub(crate) fn start(program: &mut Command, name: &str, folder: &Path) -> Process {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let (out, log) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.log")));
        fs::create_dir_all(folder).unwrap();
        program.stdin(Stdio::null());
        program.stdout(File::create(&out).unwrap()).stderr(File::create(&log).unwrap());
        let child = program.spawn().unwrap_or_else(|why| panic!("{program:?}: {why}"));
        Process { child: Mutex::new(child), out, log, name }
    }

    /// Starts `lockstep run` with these arguments, and this in its environment.
    pub(crate) fn run(
        folder: &Path,
        name: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        env: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Process {
        let mut program = lockstep(["run", "--name", name, "--log-format", "text"]);
        Process::start(program.args(arguments).envs(env), name, folder)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// What it has said on stdout.
    pub(crate) fn said(&self) -> String {
        text(&self.out)
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        text(&self.log)
    }

    /// Waits until something is there, which it will never be once the process has ended.
    pub(crate) fn comes_to<T>(&self, what: &str, find: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            // Asked first: what it said last of all counts, too.
            let has_ended = self.has_ended();
            if let Some(found) = find() {
                return found;
            }
            assert!(!has_ended, "{} has ended before {what}:\n{}", self.name, self.log());
            assert!(begun.elapsed() < PATIENCE, "{}: not yet {what}:\n{}", self.name, self.log());
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until it has said something so often.
    pub(crate) fn says(&self, what: &str, times: usize) {
        self.says_one_of(&[what], times);
    }

    /// Waits until it has said one of several things so often.
    pub(crate) fn says_one_of(&self, what: &[&str], times: usize) {
        let says = |line: &&str| what.iter().any(|what| line.contains(what));
        self.comes_to(&format!("it says {what:?} {times} times"), || {
            (self.log().lines().filter(says).count() >= times).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// The most memory that it had.
    pub(crate) fn rss_peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_some()
    }

    /// Waits until it is gone. Tells how it ended.
    pub(crate) fn is_gone(&self) -> ExitStatus {
        self.is_gone_within(PATIENCE, || ())
    }

    /// The same of one that has more to do, doing something again and again meanwhile.
    pub(crate) fn is_gone_within(&self, patience: Duration, mut meanwhile: impl FnMut()) -> ExitStatus {
        let begun = Instant::now();
        while !self.has_ended() {
            assert!(begun.elapsed() < patience, "{} does not end:\n{}", self.name, self.log());
            meanwhile();
            thread::park_timeout(Duration::from_millis(10));
        }
        self.child.lock().unwrap().wait().unwrap()
    }

    /// Waits until it ends by itself, and has said why. Tells how it ended.
    pub(crate) fn ends_by_itself(&self, why: &str) -> ExitStatus {
        let status = self.is_gone();
        let log = self.log();
        assert!(log.contains(why), "{} did not say {why:?}:\n{log}", self.name);
        status
    }

    /// Asks it to stop; it ends cleanly. Tells how long that took.
    pub(crate) fn end(&self) -> Duration {
        let begun = Instant::now();
        self.signal("-TERM");
        let (status, took) = (self.is_gone(), begun.elapsed());
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
