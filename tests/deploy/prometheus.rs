//! A Prometheus that runs, with the configuration and the rules of deploy/prometheus.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use url::{Position, Url};

use crate::ask::{get, page};
use crate::process::Process;
use crate::witness::{text, witness};

/// A Prometheus that runs.
pub(crate) struct Prometheus {
    at: SocketAddr,
    _process: Process,
}

impl Prometheus {
    /// One that asks this target each second.
    pub(crate) fn start(folder: &Path, target: &str) -> Prometheus {
        let config = text("deploy/prometheus/prometheus.yml");
        let config = config.replace("lockstep:9464", target).replace("interval: 5s", "interval: 1s");
        assert_eq!((config.matches(target).count(), config.matches("1s").count()), (1, 2), "{config}");
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        fs::write(folder.join("lockstep.rules.yml"), text("deploy/prometheus/lockstep.rules.yml")).unwrap();
        let file = |name: &str| folder.join(name).display().to_string();
        let mut program = Command::new(witness("LOCKSTEP_TEST_PROMETHEUS").join("prometheus"));
        program
            .arg("--web.listen-address=127.0.0.1:0")
            .arg(format!("--config.file={}", file("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", file("prometheus")));
        let process = Process::start(&mut program, "prometheus", folder);
        // What it listens at is the port that it was given.
        let listens = |line: &str| {
            let (before, address) = line.split_once(" address=")?;
            before.contains("\"Listening on\"").then(|| address.trim().parse().unwrap())
        };
        let at = process.comes_to("it listens", || {
            let log = process.log();
            // It may just be writing the last line.
            log.rsplit_once('\n')?.0.lines().find_map(listens)
        });
        // It listens a moment before it answers questions.
        process.comes_to("it is ready", || {
            get(at, "/-/ready").is_some_and(|(status, _)| status == 200).then_some(())
        });
        Prometheus { at, _process: process }
    }

    /// What it answers to a question of its API.
    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let mut url: Url = format!("http://{}/{path}", self.at).parse().unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let answer: Value = serde_json::from_str(&page(self.at, &url[Position::BeforePath..])).unwrap();
        assert_eq!(answer["status"], "success", "{url}: {answer}");
        answer["data"].clone()
    }

    /// The numbers that an expression gives now, without those that are none.
    pub(crate) fn numbers(&self, expression: &str) -> Vec<f64> {
        let found = self.get("api/v1/query", &[("query", expression)]);
        let series = found["result"].as_array().unwrap();
        let numbers = series.iter().map(|one| one["value"][1].as_str().unwrap().parse::<f64>().unwrap());
        numbers.filter(|number| !number.is_nan()).collect()
    }

    /// Whether an alert is inactive, pending or firing.
    pub(crate) fn state(&self, alert: &str) -> String {
        let rules = self.get("api/v1/rules", &[]);
        let mut rules =
            rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
        let rule = rules.find(|rule| rule["name"] == alert).unwrap_or_else(|| panic!("there is no {alert}"));
        rule["state"].as_str().unwrap().to_owned()
    }
}
