//! A simulator in a thread of the test.

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use lockstep::simulators::cxone::Addresses;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A simulator that serves until this is gone.
pub(crate) struct Serving<W> {
    pub(crate) addresses: Addresses,
    /// What the test has of its world.
    pub(crate) world: W,
    runtime: Runtime,
    client: reqwest::Client,
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Ports that are free.
pub(crate) fn anywhere() -> Addresses {
    let any = "127.0.0.1:0".parse().unwrap();
    Addresses { api: any, control: any }
}

impl<W: Send + 'static> Serving<W> {
    /// Serves on a thread, which tells where it is.
    pub(crate) fn start<F: Future<Output = ()>>(
        serve: impl FnOnce(Sender<(Addresses, W)>, oneshot::Receiver<()>) -> F + Send + 'static,
    ) -> Serving<W> {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = channel();
        let thread = thread::spawn(move || runtime().block_on(serve(tell, stopped)));
        let (addresses, world) = told.recv().unwrap();
        let (runtime, client) = (runtime(), reqwest::Client::new());
        Serving { addresses, world, runtime, client, thread: Some((stop, thread)) }
    }
}

impl<W> Serving<W> {
    /// Asks its control endpoint.
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

    /// These are all the faults from now on.
    pub(crate) fn faults(&self, faults: &[Value]) {
        self.control("POST", "/faults", &json!(faults));
    }
}

impl<W> Drop for Serving<W> {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            let _ = stop.send(());
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}
