//! A Prometheus that runs, with the configuration and the rules of deploy/prometheus.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use url::Url;

use crate::site::Process;
use crate::waiting::until;
use crate::witness::{text, witness};

/// A Prometheus that runs.
pub(crate) struct Prometheus {
    base: Url,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
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
        let mut child = Command::new(witness("LOCKSTEP_TEST_PROMETHEUS").join("prometheus"))
            .arg("--web.listen-address=127.0.0.1:0")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let process = Process(child);
        let mut said = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("Prometheus has ended:\n{said}")).unwrap();
            // From here on the port is the one that it was given.
            let address =
                line.split_once(" address=").filter(|(before, _)| before.contains("\"Listening on\""));
            if let Some((_, address)) = address {
                break address.trim().to_owned();
            }
            said += &(line + "\n");
        };
        // Somebody has to read what it says further on.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let base = format!("http://{address}/").parse().unwrap();
        let one = Prometheus { base, client: reqwest::Client::new(), runtime, _process: process };
        // It listens a moment before it answers questions.
        until("Prometheus is ready", || one.is_ready());
        one
    }

    fn is_ready(&self) -> bool {
        let ready = self.base.join("-/ready").unwrap();
        self.runtime.block_on(async { self.client.get(ready).send().await.unwrap().status().is_success() })
    }

    /// What it answers to a question of its API.
    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let mut url = self.base.join(path).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let answer: Value = self.runtime.block_on(async {
            let answer = self.client.get(url.clone()).send().await.unwrap();
            serde_json::from_str(&answer.text().await.unwrap()).unwrap()
        });
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

    /// What some page of the program says.
    pub(crate) fn page(&self, url: &str) -> String {
        self.runtime.block_on(async { self.client.get(url).send().await.unwrap().text().await.unwrap() })
    }
}
