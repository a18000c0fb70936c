//! Brokers of a test's own, which it may kill.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Brokers of a test's own, which end with it.
pub(crate) struct Broker {
    pub(crate) dir: PathBuf,
    pub(crate) servers: String,
}

impl Broker {
    /// With these options of `scripts/kafka start`.
    pub(crate) fn start(test: &str, options: &[&str]) -> Broker {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        let mut command = Command::new(root.join("scripts/kafka"));
        let command = command.arg("start").args(options).arg("--dir").arg(&dir);
        let started = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(started.status.success(), "scripts/kafka start failed");
        let servers = String::from_utf8(started.stdout).unwrap().trim().to_owned();
        Broker { dir, servers }
    }

    /// `kill`, `pause`, `resume` or `restart`, of the node with this number.
    pub(crate) fn fault(&self, what: &str, node: u32) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka");
        let mut command = Command::new(script);
        let done = command.args([what, &node.to_string()]).arg(&self.dir).stdout(Stdio::null()).status();
        assert!(done.unwrap().success(), "scripts/kafka {what} failed");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka");
        let mut command = Command::new(script);
        let mut command = command.arg("stop");
        if std::thread::panicking() {
            // What lies in its log may explain the failure.
            println!("its data is kept: scripts/kafka start --dir {}", self.dir.display());
            command = command.arg("--keep");
        }
        let _ = command.arg(&self.dir).stdout(Stdio::null()).status();
    }
}
