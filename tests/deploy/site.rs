//! Two simulated platforms and Lockstep between them, as `docker-compose.yml` has them: its commands, its configuration and its scripts,
//! with other ports, and a directory in place of Kafka.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::compose::compose;
use crate::registry::Server;
use crate::waiting::until;
use crate::witness::{agrees, file, text, texts};

/// A process that ends with this.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A site that runs.
pub(crate) struct Site {
    pub(crate) ops: SocketAddr,
    _processes: [Process; 3],
    _registry: Server,
}

/// What the file has as the environment of Lockstep and the simulators.
fn environment(compose: &Value) -> Vec<(String, String)> {
    let simulated = compose["services"]["lockstep"]["environment"].as_object().unwrap();
    simulated.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// A port that nobody listened at just now.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A simulator as the file starts it, and what it tells of itself.
fn simulator(compose: &Value, service: &str, ours: &[(&str, &str)]) -> (Process, Value) {
    let command = texts(&compose["services"][service]["command"]);
    let command = command.iter().map(|argument| {
        ours.iter().fold((*argument).to_owned(), |argument, (theirs, ours)| argument.replace(theirs, ours))
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .args(command)
        .args(["--json", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let process = Process(child);
    let mut told = String::new();
    while told.lines().next_back() != Some("}") {
        told += &(lines.next().expect("it says where it is").unwrap() + "\n");
    }
    (process, serde_json::from_str(&told).unwrap())
}

/// Runs a script of deploy/compose, with the program on its path.
fn script(name: &str, arguments: &[&Path], environment: &[(String, String)]) {
    let program = Path::new(env!("CARGO_BIN_EXE_lockstep")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let script = file("deploy/compose").join(name);
    agrees(Command::new(script).args(arguments).env("PATH", path).envs(environment.iter().cloned()));
}

/// The configuration of the file, with these in place of what it says of the network.
fn configuration(folder: &Path, ours: &[(&str, String)]) -> PathBuf {
    let mut config = text("deploy/compose/lockstep.toml");
    for (theirs, ours) in ours {
        assert_eq!(config.matches(theirs).count(), 1, "{theirs}");
        config = config.replace(theirs, ours);
    }
    let path = folder.join("lockstep.toml");
    fs::write(&path, config).unwrap();
    path
}

impl Site {
    /// Starts all of it in a folder, which is made anew.
    pub(crate) fn start(folder: &Path) -> Site {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        let compose = compose();
        let environment = environment(&compose);
        script("keys.sh", &[folder], &environment);
        let (bridge, ops) = (free_port().to_string(), free_port());
        let at = folder.to_str().unwrap();
        let ours = [("/var/lib/lockstep", at), ("127.0.0.1:8470", &*bridge)];
        let (cxone, of_cxone) = simulator(&compose, "cxone", &ours);
        let (salesforce, of_salesforce) = simulator(&compose, "salesforce", &ours);
        let told = |of: &Value, key: &str| of[key].as_str().unwrap().to_owned();
        let registry = Server::start(&[]);
        let config = configuration(
            folder,
            &[
                ("http://schema-registry:8081", registry.url.to_string()),
                ("0.0.0.0:9464", ops.to_string()),
                ("127.0.0.1:8470", bridge.clone()),
                ("/var/lib/lockstep", at.to_owned()),
                ("http://127.0.0.1:8403", told(&of_salesforce, "login_url")),
                ("http://127.0.0.1:8401", told(&of_cxone, "issuer")),
            ],
        );
        let data = folder.join("data");
        let rules = file("examples/both/rules.toml");
        let arguments = [&*config, &*rules, Path::new("--data"), &*data];
        // Twice: `docker compose up` runs it each time.
        script("setup.sh", &arguments, &environment);
        script("setup.sh", &arguments, &environment);
        let mut list = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        let said = agrees(
            list.args(["rules", "list", "--data"])
                .arg(&data)
                .arg("--config")
                .arg(&config)
                .envs(environment.iter().cloned()),
        );
        assert_eq!(said.lines().filter(|line| line.starts_with("activation ")).count(), 1, "{said}");
        let log = folder.join("lockstep.log");
        let command: Vec<&str> =
            texts(&compose["services"]["lockstep"]["command"])
                .into_iter()
                .map(|argument| {
                    if argument == "/etc/lockstep/lockstep.toml" {
                        config.to_str().unwrap()
                    } else {
                        argument
                    }
                })
                .collect();
        let child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(command)
            .arg("--data")
            .arg(&data)
            .envs(environment)
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let lockstep = Process(child);
        until("Lockstep keeps agents in step", || {
            let said = fs::read_to_string(&log).unwrap();
            assert!(!said.contains("cannot"), "{said}");
            said.contains("browsers may come")
        });
        Site { ops, _processes: [lockstep, cxone, salesforce], _registry: registry }
    }

    /// Where Prometheus finds it.
    pub(crate) fn target(&self) -> String {
        self.ops.to_string()
    }
}
