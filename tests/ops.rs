//! A process as its operators see it: its ops endpoints, and its log where no terminal reads it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[path = "ground/ask.rs"]
mod ask;
#[path = "ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[path = "ground/port.rs"]
mod port;
#[path = "ground/process.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod process;
#[path = "ground/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;
#[path = "ground/reading.rs"]
mod reading;
#[path = "ground/waiting.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{Bus, Outgoing, Partition, TopicName, Writer};
use serde_json::Value;

use place::Place;
use port::free_port;
use process::Process;
use program::{Said, lockstep};
use reading::read;

/// What a processor has: a directory, and where its operators ask.
struct Site {
    config: PathBuf,
    ops: SocketAddr,
    place: Place,
}

/// A processor that runs.
struct Running {
    process: Process,
    ops: SocketAddr,
}

impl Deref for Running {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Site {
    fn new(test: &str) -> Site {
        let (place, ops) = (Place::new(&format!("ops-{test}")), free_port());
        let config = format!(
            "[bus]\nbootstrap_servers = [\"127.0.0.1:9\"]\npartitions = 2\nreplication_factor = 1\n[ops]\nlisten = \"{ops}\"\n"
        );
        Site { config: place.file("lockstep.toml", config), ops, place }
    }

    fn data(&self) -> PathBuf {
        self.place.0.join("data")
    }

    /// Starts a processor on the directory.
    fn run(&self) -> Running {
        self.run_with(&[OsStr::new("--data"), self.data().as_os_str()])
    }

    /// Starts a processor on what these say.
    fn run_with(&self, further: &[&OsStr]) -> Running {
        let mut program = lockstep(["run", "--roles", "processor", "--name", "one", "--config"]);
        let process = Process::start(program.arg(&self.config).args(further), "one", &self.place.0);
        Running { process, ops: self.ops }
    }
}

impl Running {
    /// What it answers: the status and the body. None while it does not listen.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        ask::get(self.ops, path)
    }

    /// Waits until its status is as it should be.
    fn stands(&self, how: impl Fn(&Value) -> bool) -> Value {
        self.comes_to("its status is so", || {
            let (code, text) = self.get("/status")?;
            assert_eq!(code, 200, "{text}");
            Some(serde_json::from_str(&text).unwrap()).filter(&how)
        })
    }
}

#[test]
fn a_process_says_how_it_stands_and_logs_json_to_who_is_no_terminal() {
    let site = Site::new("stands");
    let process = site.run();
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
    let metrics = ask::page(site.ops, "/metrics");
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
    let site = Site::new("waits");
    let process = site.run_with(&[]);
    let status = process.stands(|_| true);
    assert_eq!(status["ready"], false);
    assert_eq!(status["bus"], serde_json::json!({ "reached": false, "waits": true }));
    assert_eq!(process.get("/ready").unwrap(), (503, "not ready: bus, processor\n".to_owned()));
    let metrics = ask::page(site.ops, "/metrics");
    assert!(metrics.lines().any(|line| line == "lockstep_ready 0"), "{metrics}");
    process.end();
}

/// The keys of a topic, each with its partition.
fn keys(bus: &Embedded, topic: &TopicName, partitions: u32) -> Vec<(u32, Vec<u8>)> {
    let mut all = Vec::new();
    read(bus, topic, partitions, |record| {
        if record.value.is_some() {
            all.push((record.partition.0, record.key.unwrap_or_default().to_vec()));
        }
    });
    all
}

/// A state that was lost is an alert: it is shown before the process ends, and not only said in its log.
#[test]
fn a_state_that_was_lost_is_shown_before_the_process_ends() {
    let site = Site::new("lost");
    let words = ["directory", "import", "examples/directory.toml", "--reason", "a test", "--config"];
    Said::by(lockstep(words).arg(&site.config).arg("--data").arg(site.data())).done();
    let process = site.run();
    let has_agents = |status: &Value| {
        let partitions = status["partitions"].as_array().unwrap();
        partitions.len() == 2
            && partitions.iter().any(|one| one["agents"].as_u64().is_some_and(|agents| agents > 0))
    };
    process.stands(has_agents);
    process.end();

    let state = TopicName::new("presence.state");
    let bus = Embedded::own(&site.data(), Settings::default()).unwrap();
    let (partition, key) = keys(&bus, &state, 2).pop().expect("somebody is linked");
    let mut foreign = bus.writer("foreign", std::slice::from_ref(&state)).unwrap();
    let gone = Outgoing { topic: 0, partition: Partition(partition), key: &key, value: None, headers: &[] };
    foreign.add(&gone).unwrap();
    foreign.commit(None).unwrap();
    drop((foreign, bus));

    let process = site.run();
    let shown = "lockstep_invariant_violations_total{invariant=\"I5\"} 1";
    process.comes_to("it shows that", || {
        let (_, metrics) = process.get("/metrics")?;
        metrics.lines().any(|line| line == shown).then_some(())
    });
    let not_ready = format!("not ready: partition {partition}, worker 0\n");
    let status = process.stands(|status| status["missing"].as_array().unwrap().len() == 2);
    assert_eq!(status["ready"], false);
    assert_eq!(process.get("/ready").unwrap(), (503, not_ready));
    assert!(process.log().contains("has hash"), "{}", process.log());
    // It does not stay for longer than somebody wants it to.
    process.end();
}
