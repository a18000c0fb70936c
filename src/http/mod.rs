//! What operators and their machines ask over HTTP: metrics, whether the process lives, whether it is ready, and how it stands. And
//! the bridge to the browsers of agents.

pub mod bridge;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::domain::TimeMs;
use crate::metrics::Metrics;

/// The part that is ready once the bus is reached.
pub const BUS: &str = "bus";

/// Which parts of a process are ready.
#[derive(Debug, Default)]
pub struct Readiness {
    parts: Mutex<BTreeMap<String, bool>>,
}

impl Readiness {
    /// A part of the process is ready, or not.
    pub fn set(&self, part: &str, is_ready: bool) {
        self.lock().insert(part.to_owned(), is_ready);
    }

    /// A part of the process is none any more.
    pub fn remove(&self, part: &str) {
        self.lock().remove(part);
    }

    /// What is not ready; none where all is, and something is.
    pub fn missing(&self) -> Option<Vec<String>> {
        let parts = self.lock();
        if parts.is_empty() {
            return Some(vec!["nothing has begun yet".to_owned()]);
        }
        let missing: Vec<String> =
            parts.iter().filter(|(_, is_ready)| !**is_ready).map(|(part, _)| part.clone()).collect();
        (!missing.is_empty()).then_some(missing)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, bool>> {
        // A panic while it was held leaves a map that is still one.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which process it is.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// What it does.
    pub roles: Vec<String>,
    /// When it began.
    pub since: TimeMs,
}

/// The ops endpoints.
#[derive(Clone, Debug)]
pub struct Ops {
    /// Which process it is.
    pub process: Arc<Process>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/ready` says.
    pub readiness: Arc<Readiness>,
}

impl Ops {
    /// `/metrics`, `/health`, `/ready`, `/status`.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(index))
            .route("/metrics", get(metrics))
            .route("/health", get(|| async { "ok\n" }))
            .route("/ready", get(ready))
            .route("/status", get(status::status))
            .with_state(self)
    }

    /// Listens there.
    ///
    /// # Errors
    /// The port is taken, or the address is not this machine's.
    pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    /// Answers until `until` is over.
    ///
    /// # Errors
    /// The listener is of no use any more.
    pub async fn serve(
        self,
        listener: TcpListener,
        until: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        axum::serve(listener, self.router()).with_graceful_shutdown(until).await
    }
}

async fn index() -> &'static str {
    "lockstep\n\n/metrics  for Prometheus\n/health   200 while the process lives\n/ready    200 once all it does has begun, and every partition it has is worked on\n/status   what it has and how it stands, as JSON\n"
}

async fn metrics(State(ops): State<Ops>) -> impl IntoResponse {
    ops.metrics.set_ready(ops.readiness.missing().is_none());
    match ops.metrics.text() {
        Ok(text) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (StatusCode::OK, kind, text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(ops): State<Ops>) -> impl IntoResponse {
    match ops.readiness.missing() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join(", "))),
    }
}
