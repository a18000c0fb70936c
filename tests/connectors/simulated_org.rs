//! An org that is simulated, in a thread of the test.

use std::thread::{self, JoinHandle};

use lockstep::simulators::salesforce::{Addresses, Settings, Simulator, serve};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::simulated::runtime;

/// An org that is simulated.
pub(crate) struct SimulatedOrg {
    pub(crate) addresses: Addresses,
    runtime: Runtime,
    client: reqwest::Client,
    simulator: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl SimulatedOrg {
    pub(crate) fn new(settings: Settings) -> SimulatedOrg {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let run = move || {
            runtime().block_on(async {
                let any = "127.0.0.1:0".parse().unwrap();
                let addresses = Addresses { api: any, control: any };
                let simulator = Simulator::bind(settings, addresses).await.unwrap();
                tell.send(simulator.addresses().unwrap()).unwrap();
                serve(simulator, async { stopped.await.unwrap_or(()) }).await.unwrap();
            });
        };
        let thread = thread::spawn(run);
        let addresses = told.recv().unwrap();
        SimulatedOrg {
            addresses,
            runtime: runtime(),
            client: reqwest::Client::new(),
            simulator: Some((stop, thread)),
        }
    }

    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("http://{}{path}", self.addresses.control);
        let request = self.client.request(method.parse().unwrap(), url).json(body);
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert!(status.is_success(), "{path}: {status} {text}");
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
        })
    }
}

impl Drop for SimulatedOrg {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.simulator.take() {
            let _ = stop.send(());
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}
