//! A broker of a test's own, which it may kill.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A broker of a test's own, which ends with it.
pub(crate) struct Broker {
    dir: PathBuf,
    pub(crate) servers: String,
}

impl Broker {
    pub(crate) fn start(test: &str) -> Broker {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        let mut command = Command::new(root.join("scripts/kafka"));
        let started = command.args(["start", "--dir"]).arg(&dir).stderr(Stdio::inherit()).output().unwrap();
        assert!(started.status.success(), "scripts/kafka start failed");
        let servers = String::from_utf8(started.stdout).unwrap().trim().to_owned();
        Broker { dir, servers }
    }

    /// `kill`, `pause`, `resume` or `restart`.
    pub(crate) fn fault(&self, what: &str) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka");
        let done = Command::new(script).args([what, "1"]).arg(&self.dir).stdout(Stdio::null()).status();
        assert!(done.unwrap().success(), "scripts/kafka {what} failed");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka");
        let _ = Command::new(script).arg("stop").arg(&self.dir).stdout(Stdio::null()).status();
    }
}
