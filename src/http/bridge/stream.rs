//! Messages as server-sent events, and by `POST` the other way: for where no WebSocket is let through.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use futures_util::stream::unfold;
use tokio::sync::mpsc;

use super::connection::{Received, Transport, admit, carry};
use super::gateway::WAITING_MAX;
use super::message::{Down, Reason, Up};
use super::server::Bridge;
use crate::codec::Sha256;

/// Whoever has its name may speak for a connection.
pub(super) struct Sessions {
    /// Nobody else knows it: names that follow from it cannot be guessed.
    seed: [u8; 32],
    given: AtomicU64,
    all: Mutex<HashMap<String, mpsc::Sender<Received>>>,
}

impl Sessions {
    /// None yet.
    ///
    /// # Errors
    /// The system gives nothing that is by chance.
    pub(super) fn new() -> io::Result<Sessions> {
        let mut seed = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut seed)?;
        Ok(Sessions { seed, given: AtomicU64::new(0), all: Mutex::default() })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Received>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> String {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        Sha256::of(&[&self.seed[..], &number.to_be_bytes()].concat()).to_string()
    }
}

/// The two ways of one browser.
struct Stream {
    bridge: Arc<Bridge>,
    session: String,
    events: mpsc::Sender<String>,
    posted: mpsc::Receiver<Received>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.bridge.sessions.all().remove(&self.session);
    }
}

impl Transport for Stream {
    async fn receive(&mut self) -> Received {
        tokio::select! {
            posted = self.posted.recv() => posted.unwrap_or(Received::Closed { is_wanted: false }),
            // Nobody tells why a page does not listen any more.
            () = self.events.closed() => Received::Closed { is_wanted: false },
        }
    }

    async fn send(&mut self, down: &Down) -> bool {
        self.events.send(format!("data: {}\n\n", down.text())).await.is_ok()
    }
}

/// `POST /bridge/v1/stream`: its body is the first message, its answer the way down.
pub(super) fn open(bridge: &Arc<Bridge>, body: &Bytes, is_admitted: &AtomicBool) -> Response<Body> {
    let session = bridge.sessions.name();
    let admitted = match serde_json::from_slice(body) {
        Ok(Up::Hello(hello)) => admit(bridge, hello, Some(session.clone()), is_admitted),
        _ => Err(Reason::Protocol),
    };
    let guest = match admitted {
        Ok(guest) => guest,
        Err(reason) => {
            bridge.metrics.ended(reason.name());
            let text = format!("data: {}\n\n", Down::bye(reason, bridge.next_connection().0).text());
            return events(Body::from(text));
        }
    };
    let (events_in, events_out) = mpsc::channel::<String>(WAITING_MAX);
    let (post, posted) = mpsc::channel(WAITING_MAX);
    bridge.sessions.all().insert(session.clone(), post);
    let stream = Stream { bridge: Arc::clone(bridge), session, events: events_in, posted };
    tokio::spawn(carry(guest, stream));
    let body = unfold(events_out, |mut events| async move {
        events.recv().await.map(|event| (Ok::<_, Infallible>(Bytes::from(event)), events))
    });
    events(Body::from_stream(body))
}

fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // What stands between is not to keep events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// `POST /bridge/v1/messages`: a further message of a session.
pub(super) fn post(
    bridge: &Bridge,
    headers: &HeaderMap,
    body: &Bytes,
    is_admitted: &AtomicBool,
) -> StatusCode {
    let session = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let session = session.and_then(|value| value.strip_prefix("Bearer "));
    let Some(post) = session.and_then(|session| bridge.sessions.all().get(session).cloned()) else {
        return StatusCode::UNAUTHORIZED;
    };
    is_admitted.store(true, Ordering::Release);
    let (received, status) = match serde_json::from_slice::<Up>(body) {
        Ok(up) => (Received::Message(up), StatusCode::NO_CONTENT),
        Err(_) => (Received::Odd, StatusCode::BAD_REQUEST),
    };
    // Who speaks faster than he is heard.
    if post.try_send(received).is_err() { StatusCode::TOO_MANY_REQUESTS } else { status }
}
