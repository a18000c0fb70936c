//! A process as its operators see it: its ops endpoints, and its log where no terminal reads it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{Bus, From, Outgoing, Partition, Reader, Records, TopicName, Until, Writer};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A processor on a directory of its own.
struct Process {
    child: Option<Child>,
    folder: PathBuf,
    ops: SocketAddr,
}

impl Process {
    /// One on a directory.
    fn run(test: &str) -> Process {
        let mut process = Process::prepared(test);
        let data = process.data();
        process.start(&[OsStr::new("--data"), data.as_os_str()]);
        process
    }

    /// One that has not begun, in a folder of its own.
    fn prepared(test: &str) -> Process {
        let folder = std::env::temp_dir().join(format!("lockstep-ops-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ops = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "[bus]\nbootstrap_servers = [\"127.0.0.1:9\"]\npartitions = 2\nreplication_factor = 1\n[ops]\nlisten = \"{ops}\"\n"
        );
        fs::write(folder.join("lockstep.toml"), config).unwrap();
        Process { child: None, folder, ops }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn start(&mut self, further: &[&OsStr]) {
        let child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(["run", "--roles", "processor", "--name", "one", "--config"])
            .arg(self.folder.join("lockstep.toml"))
            .args(further)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("it was started")
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
            assert!(self.child().try_wait().unwrap().is_none(), "it has ended:\n{}", self.log());
            assert!(begun.elapsed() < PATIENCE, "{:?}\n{}", self.get("/status"), self.log());
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Asks it to stop, and waits until it has.
    fn end(&mut self) {
        let pid = self.child().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child().wait().unwrap();
        assert!(status.success(), "it ended with {status}:\n{}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_process_says_how_it_stands_and_logs_json_to_who_is_no_terminal() {
    let mut process = Process::run("stands");
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
    assert!(metrics.lines().any(|line| line == "lockstep_ready 1"), "{metrics}");
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

/// Nothing but the ops endpoints is there yet: they say so, and an alert can see it.
#[test]
fn who_starts_before_the_brokers_says_that_he_waits() {
    let mut process = Process::prepared("waits");
    process.start(&[]);
    let status = process.stands(|_| true);
    assert_eq!(status["ready"], false);
    assert_eq!(status["bus"], serde_json::json!({ "reached": false, "waits": true }));
    assert_eq!(process.get("/ready").unwrap(), (503, "not ready: bus, processor\n".to_owned()));
    let (_, metrics) = process.get("/metrics").unwrap();
    assert!(metrics.lines().any(|line| line == "lockstep_ready 0"), "{metrics}");
    process.end();
}

/// The keys of a topic, each with its partition.
fn keys(bus: &Embedded, topic: &TopicName, partitions: u32) -> Vec<(u32, Vec<u8>)> {
    let starts: Vec<_> = (0..partitions).map(|number| (topic.partition(number), From::Beginning)).collect();
    let mut reader = bus.reader(&starts, Until::End).unwrap();
    let mut all = Vec::new();
    while !reader.is_at_end() {
        let records = reader.read(Duration::ZERO).unwrap();
        let key =
            |record: lockstep::bus::Record<'_>| (record.partition.0, record.key.unwrap_or_default().to_vec());
        all.extend(records.iter().filter(|record| record.value.is_some()).map(key));
    }
    all
}

/// A state that was lost is an alert: it is shown before the process ends, and not only said in its log.
#[test]
fn a_state_that_was_lost_is_shown_before_the_process_ends() {
    let mut process = Process::prepared("lost");
    let data = process.data();
    let imported = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .args(["directory", "import", "examples/directory.toml", "--reason", "a test", "--config"])
        .arg(process.folder.join("lockstep.toml"))
        .arg("--data")
        .arg(&data)
        .output()
        .unwrap();
    assert!(imported.status.success(), "{imported:?}");
    process.start(&[OsStr::new("--data"), data.as_os_str()]);
    let has_agents = |status: &Value| {
        let partitions = status["partitions"].as_array().unwrap();
        partitions.len() == 2
            && partitions.iter().any(|one| one["agents"].as_u64().is_some_and(|agents| agents > 0))
    };
    process.stands(has_agents);
    process.end();

    let state = TopicName::new("presence.state");
    let bus = Embedded::own(&data, Settings::default()).unwrap();
    let (partition, key) = keys(&bus, &state, 2).pop().expect("somebody is linked");
    let mut foreign = bus.writer("foreign", std::slice::from_ref(&state)).unwrap();
    let gone = Outgoing { topic: 0, partition: Partition(partition), key: &key, value: None, headers: &[] };
    foreign.add(&gone).unwrap();
    foreign.commit(None).unwrap();
    drop((foreign, bus));

    process.start(&[OsStr::new("--data"), data.as_os_str()]);
    let begun = Instant::now();
    let shown = "lockstep_invariant_violations_total{invariant=\"I5\"} 1";
    while !process.get("/metrics").is_some_and(|(_, metrics)| metrics.lines().any(|line| line == shown)) {
        assert!(begun.elapsed() < PATIENCE, "{}", process.log());
        thread::park_timeout(Duration::from_millis(100));
    }
    let not_ready = format!("not ready: partition {partition}, worker 0\n");
    let status = process.stands(|status| status["missing"].as_array().unwrap().len() == 2);
    assert_eq!(status["ready"], false);
    assert_eq!(process.get("/ready").unwrap(), (503, not_ready));
    assert!(process.log().contains("has hash"), "{}", process.log());
    // It does not stay for longer than somebody wants it to.
    process.end();
}
