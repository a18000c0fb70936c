//! A schema registry that others wrote (srfake), in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use lockstep::codec::{Codec, Registry};
use serde_json::Value;
use url::Url;

/// A password that no output may show.
pub(crate) const CANARY: &str = "canary-5f1e-hunter2";

/// A registry in a process of its own, which ends with this.
pub(crate) struct Server {
    pub(crate) url: Url,
    process: Child,
    stdin: Option<ChildStdin>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Server {
        let Some(binary) = std::env::var_os("LOCKSTEP_TEST_REGISTRY") else {
            panic!(
                "LOCKSTEP_TEST_REGISTRY is not set: run scripts/test, which builds the schema registry first"
            );
        };
        let mut process = Command::new(binary)
            .args(arguments)
            .env("CANARY", CANARY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("LOCKSTEP_TEST_REGISTRY names the registry");
        let stdin = process.stdin.take();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Server { url: line.trim().parse().expect("the registry says where it is"), process, stdin }
    }

    pub(crate) fn registry(&self) -> Registry {
        Registry::new(self.url.clone(), None, false).unwrap()
    }

    pub(crate) async fn codec(&self, prefix: &str) -> Codec {
        Codec::registered(self.registry(), prefix).await.unwrap()
    }

    /// Registers a schema as another program does, and tells its id.
    pub(crate) async fn register(&self, subject: &str, schema: Value) -> i32 {
        let url = self.url.join(&format!("subjects/{subject}/versions")).unwrap();
        let answer = reqwest::Client::new().post(url).json(&schema).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        answer["id"].as_i64().unwrap().try_into().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when its stdin closes, so that it ends too where this is never run.
        self.stdin.take();
        let _ = self.process.wait();
    }
}
