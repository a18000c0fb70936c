//! A tenant that is simulated, in a thread of the test.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use lockstep::connectors::cxone::{AccessKey, Login, Way};
use lockstep::simulators::cxone::{Addresses, Credentials, Settings, Simulator, serve};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A tenant that is simulated.
pub(crate) struct Simulated {
    pub(crate) addresses: Addresses,
    runtime: Runtime,
    client: reqwest::Client,
    simulator: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn login(api: SocketAddr, by_key_alone: bool) -> Login {
    let Credentials { client_id, client_secret, access_key_id: id, access_key_secret } =
        Credentials::default();
    Login {
        issuer: format!("http://{api}").parse().unwrap(),
        key: AccessKey { id, secret: SecretString::from(access_key_secret) },
        way: if by_key_alone {
            Way::AccessKey { area: "na1".to_owned() }
        } else {
            Way::Application { client_id, client_secret: SecretString::from(client_secret) }
        },
    }
}

impl Simulated {
    pub(crate) fn new(settings: Settings) -> Simulated {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let run = move || {
            runtime().block_on(async {
                let any = "127.0.0.1:0".parse().unwrap();
                let simulator =
                    Simulator::bind(settings, Addresses { api: any, control: any }).await.unwrap();
                tell.send(simulator.addresses().unwrap()).unwrap();
                serve(simulator, async { stopped.await.unwrap_or(()) }).await.unwrap();
            });
        };
        let thread = thread::spawn(run);
        let addresses = told.recv().unwrap();
        let client = reqwest::Client::new();
        Simulated { addresses, runtime: runtime(), client, simulator: Some((stop, thread)) }
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

    /// He is in it from now on.
    pub(crate) fn put(&self, agent: u32, state: u8, out_state: Option<i32>) {
        let body = json!({"agentStateId": state, "outStateId": out_state});
        self.control("POST", &format!("/agents/{agent}/state"), &body);
    }

    pub(crate) fn shown(&self, agent: u32) -> (u64, Option<i64>) {
        let shown = self.control("GET", &format!("/agents/{agent}"), &Value::Null);
        (shown["agentStateId"].as_u64().unwrap(), shown["outStateId"].as_i64())
    }

    /// These are all the faults from now on.
    pub(crate) fn faults(&self, faults: &[Value]) {
        self.control("POST", "/faults", &json!(faults));
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.simulator.take() {
            let _ = stop.send(());
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}
