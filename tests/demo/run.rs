//! A demo that runs.

use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::place::Place;
use crate::process::Process;
use crate::program::lockstep;

/// A demo that has not ended after so long never will: 180 s of rest are the most, and stopping.
const PATIENCE: Duration = Duration::from_secs(900);

/// A folder for a demo.
pub(crate) struct Folder(Place);

impl Folder {
    pub(crate) fn new(test: &str) -> Folder {
        Folder(Place::new(&format!("demo-{test}")))
    }

    /// What the demo is told to make.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.0.join("made")
    }

    /// What is in a file of it.
    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
    }

    /// Starts `lockstep demo` with these arguments.
    pub(crate) fn demo(&self, arguments: &[&str]) -> Process {
        let mut demo = lockstep(["demo", "--data"]);
        Process::start(demo.arg(self.path()).args(arguments), "demo", &self.0.0)
    }
}

/// What came of it.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Waits until a demo has ended.
    pub(crate) fn of(demo: &Process) -> Ended {
        Ended::after(demo, || ())
    }

    /// The same, doing something again and again meanwhile.
    pub(crate) fn after(demo: &Process, mut act: impl FnMut()) -> Ended {
        let status = demo.is_gone_within(PATIENCE, || {
            act();
            thread::park_timeout(Duration::from_millis(200));
        });
        Ended { status, stdout: demo.said(), stderr: demo.log() }
    }

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
