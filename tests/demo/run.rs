//! A demo that runs.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A demo that has not ended after so long never will: 180 s of rest are the most, and stopping.
const PATIENCE: Duration = Duration::from_secs(900);

/// A folder of a test's own, which is kept when the test fails.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("demo-{test}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    /// What is in a file of it.
    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("all of it is kept: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A demo that runs.
pub(crate) struct Demo {
    child: Child,
    said: PathBuf,
}

/// What came of it.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Demo {
    /// `lockstep demo` with these arguments, in this folder.
    pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Demo {
        let said = folder.0.with_extension("said");
        let child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(["demo", "--data"])
            .arg(&folder.0)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        Demo { child, said }
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Waits until it has said something.
    pub(crate) fn says(&mut self, what: &str) -> String {
        let begun = Instant::now();
        loop {
            let said = self.stderr();
            if said.contains(what) {
                return said;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not say {what:?}:\n{said}");
            assert!(self.child.try_wait().unwrap().is_none(), "it has ended:\n{}", self.stderr());
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Does something again and again until it has ended.
    pub(crate) fn meanwhile(&mut self, mut act: impl FnMut()) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.stderr());
            act();
            thread::park_timeout(Duration::from_millis(200));
        }
    }

    /// Waits until it has ended.
    pub(crate) fn ends(mut self) -> Ended {
        self.meanwhile(|| ());
        let status = self.child.wait().unwrap();
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        Ended { status, stdout, stderr: self.stderr() }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("--- what it said\n{}", self.stderr());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.said);
    }
}

impl Ended {
    /// The one JSON object that stdout has.
    pub(crate) fn summary(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|why| panic!("{why}: {}\n{}", self.stdout, self.stderr))
    }

    /// All is well.
    pub(crate) fn is_well(&self) -> Value {
        let summary = self.summary();
        println!("{summary:#}");
        for (field, wanted) in
            [("lost", 0), ("loops", 0), ("dead_letters", 0), ("diverged", 0), ("over_budget", 0)]
        {
            assert_eq!(summary[field], wanted, "{field}\n{summary:#}\n{}", self.stderr);
        }
        assert_eq!(summary["converged"], true, "{summary:#}\n{}", self.stderr);
        assert_eq!(self.status.code(), Some(0), "{}", self.stderr);
        summary
    }
}
