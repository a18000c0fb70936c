//! A process as its operators see it: its ops endpoints, and its log where no terminal reads it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A processor on a directory of its own.
struct Process {
    child: Child,
    folder: PathBuf,
    ops: SocketAddr,
}

impl Process {
    fn run() -> Process {
        let folder = std::env::temp_dir().join(format!("lockstep-ops-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ops = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "[bus]\nbootstrap_servers = [\"127.0.0.1:9\"]\npartitions = 2\nreplication_factor = 1\n[ops]\nlisten = \"{ops}\"\n"
        );
        fs::write(folder.join("lockstep.toml"), config).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(["run", "--roles", "processor", "--name", "one", "--config"])
            .arg(folder.join("lockstep.toml"))
            .arg("--data")
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        Process { child, folder, ops }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// What it answers: the status and the body. None while it does not listen.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.ops).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: lockstep\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Some((head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
    }

    /// Waits until its status is as it should be.
    fn stands(&mut self, how: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            if let Some((200, text)) = self.get("/status") {
                let status: Value = serde_json::from_str(&text).unwrap();
                if how(&status) {
                    return status;
                }
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it has ended:\n{}", self.log());
            assert!(begun.elapsed() < PATIENCE, "{:?}\n{}", self.get("/status"), self.log());
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Asks it to stop, and waits until it has.
    fn end(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "it ended with {status}:\n{}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_process_says_how_it_stands_and_logs_json_to_who_is_no_terminal() {
    let mut process = Process::run();
    let is_restored = |status: &Value| {
        let partitions = status["partitions"].as_array().unwrap();
        partitions.len() == 2 && partitions.iter().all(|one| one["phase"] == "ready")
    };
    let status = process.stands(|status| status["ready"] == true && is_restored(status));
    assert_eq!(status["name"], "one");
    assert_eq!(status["roles"], serde_json::json!(["processor"]));
    assert_eq!(status["missing"], serde_json::json!([]));
    assert_eq!(status["bus"], serde_json::json!({ "reached": true, "waits": false }));
    assert_eq!(status["workers"], serde_json::json!([{ "worker": 0, "waits_for_bus": false }]));
    assert_eq!(process.get("/ready").unwrap(), (200, "ready\n".to_owned()));
    assert_eq!(process.get("/health").unwrap().0, 200);
    let (_, metrics) = process.get("/metrics").unwrap();
    for name in ["process_resident_memory_bytes ", "lockstep_restore_seconds{partition=\"0\"} "] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name} in {metrics}");
    }
    process.end();

    let log = process.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let of = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("{message:?} in {log}"))
    };
    assert_eq!(of("lockstep begins")["roles"], "processor");
    let ready = of("ready");
    assert_eq!(ready["level"], "INFO");
    let is_of_worker = |span: &Value| span["name"] == "worker" && span["number"] == 0;
    assert!(ready["spans"].as_array().unwrap().iter().any(is_of_worker), "{ready}");
    of("stopped");
}
