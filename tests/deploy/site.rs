//! Two simulated platforms and Lockstep between them, as `docker-compose.yml` has them: its commands, its configuration and its scripts,
//! with other ports, and a directory in place of Kafka.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::compose::compose;
use crate::port::free_port;
use crate::process::Process;
use crate::program::{Said, lockstep};
use crate::registry::Server;
use crate::simulator::simulator;
use crate::witness::{agrees, file, text, texts};

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

/// A simulator as the file starts it, and what it tells of itself.
fn simulated(compose: &Value, service: &str, folder: &Path, ours: &[(&str, &str)]) -> (Process, Value) {
    let command = texts(&compose["services"][service]["command"]);
    let command = command.iter().map(|argument| {
        ours.iter().fold((*argument).to_owned(), |argument, (theirs, ours)| argument.replace(theirs, ours))
    });
    simulator(folder, &command.collect::<Vec<_>>())
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
    /// Starts all of it in a folder.
    pub(crate) fn start(folder: &Path) -> Site {
        let compose = compose();
        let environment = environment(&compose);
        script("keys.sh", &[folder], &environment);
        let (bridge, ops) = (free_port().to_string(), free_port());
        let at = folder.to_str().unwrap();
        let ours = [("/var/lib/lockstep", at), ("127.0.0.1:8470", &*bridge)];
        let (cxone, of_cxone) = simulated(&compose, "cxone", folder, &ours);
        let (salesforce, of_salesforce) = simulated(&compose, "salesforce", folder, &ours);
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
        let mut list = lockstep(["rules", "list", "--data"]);
        let list = list.arg(&data).arg("--config").arg(&config).envs(environment.iter().cloned());
        let said = Said::by(list).done();
        assert_eq!(said.lines().filter(|line| line.starts_with("activation ")).count(), 1, "{said}");
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
        let mut command = lockstep(command);
        let command = command.arg("--data").arg(&data).envs(environment);
        let lockstep = Process::start(command, "lockstep", folder);
        lockstep.comes_to("it keeps agents in step", || {
            let said = lockstep.log();
            assert!(!said.contains("cannot"), "{said}");
            said.contains("browsers may come").then_some(())
        });
        Site { ops, _processes: [lockstep, cxone, salesforce], _registry: registry }
    }

    /// Where Prometheus finds it.
    pub(crate) fn target(&self) -> String {
        self.ops.to_string()
    }
}
