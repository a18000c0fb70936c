//! A gateway that says what a test has it say.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, post};
use axum::serve::Listener;
use futures_util::stream::unfold;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::listen::{Channel, Tls};

/// Whose pages are taken.
pub(super) const ORIGIN: &str = "https://pages.example.com";
/// What is to come has come by then.
const COMES_WITHIN: Duration = Duration::from_secs(20);

/// A gateway.
pub(super) struct Gateway {
    pub(super) address: SocketAddr,
    visits: mpsc::UnboundedReceiver<Visit>,
}

/// A connection.
pub(super) struct Visit {
    session: String,
    said: mpsc::UnboundedReceiver<Value>,
    say: mpsc::UnboundedSender<Value>,
}

impl Gateway {
    pub(super) async fn begin(tls: Option<Tls>) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, visits) = mpsc::unbounded_channel();
        let door = Door { tell, sessions: Arc::default(), given: Arc::default() };
        let router = Router::new()
            .route("/bridge/v1/socket", any(socket))
            .route("/bridge/v1/stream", post(stream).options(preflight))
            .route("/bridge/v1/messages", post(message).options(preflight))
            .with_state(door);
        tokio::spawn(axum::serve(Doorway { listener, tls }, router).into_future());
        Gateway { address, visits }
    }

    /// Who comes next.
    pub(super) async fn visit(&mut self) -> Visit {
        timeout(COMES_WITHIN, self.visits.recv()).await.expect("nobody comes").unwrap()
    }

    /// Who comes next, with what he says first, as the page that he is.
    pub(super) async fn hello(&mut self) -> (Visit, Value) {
        let mut visit = self.visit().await;
        let hello = visit.hears().await;
        assert_eq!((&hello["type"], &hello["protocol"]), (&json!("hello"), &json!(1)), "{hello}");
        (visit, hello)
    }
}

impl Visit {
    /// What is said next.
    pub(super) async fn hears(&mut self) -> Value {
        timeout(COMES_WITHIN, self.said.recv()).await.expect("nothing is said").expect("it has ended")
    }

    /// Whether nothing more was said so far.
    pub(super) fn is_quiet(&self) -> bool {
        self.said.is_empty()
    }

    pub(super) fn says(&self, what: Value) {
        self.say.send(what).unwrap();
    }

    /// Lets the page in.
    pub(super) fn welcomes(&self, epoch: u64, holds: bool) {
        self.says(json!({
            "type": "welcome", "epoch": epoch, "holds": holds, "heartbeat_s": 20, "session": self.session,
        }));
    }

    /// It ends, with this code of a WebSocket where there is one.
    pub(super) async fn ends(mut self) -> Option<u64> {
        let mut code = None;
        while let Some(last) = timeout(COMES_WITHIN, self.said.recv()).await.expect("it does not end") {
            code = last["closed"].as_u64();
        }
        code
    }
}

#[derive(Clone)]
struct Door {
    tell: mpsc::UnboundedSender<Visit>,
    sessions: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Value>>>>,
    given: Arc<AtomicU64>,
}

impl Door {
    /// A visit begins: where to put what is said, what to say, and its session.
    fn enter(&self) -> (mpsc::UnboundedSender<Value>, mpsc::UnboundedReceiver<Value>, String) {
        let session = format!("session-{}", self.given.fetch_add(1, Ordering::Relaxed));
        let ((hear, said), (say, told)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let visit = Visit { session: session.clone(), said, say };
        let _ = self.tell.send(visit).is_ok();
        (hear, told, session)
    }
}

fn is_known(headers: &HeaderMap) -> bool {
    headers.get("origin").is_some_and(|origin| origin == ORIGIN)
}

async fn socket(State(door): State<Door>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response<Body> {
    if !is_known(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade.protocols(["lockstep.bridge.v1"]).on_upgrade(move |socket| talk(door, socket))
}

async fn talk(door: Door, mut socket: WebSocket) {
    let (hear, mut told, _) = door.enter();
    loop {
        tokio::select! {
            say = told.recv() => match say {
                Some(say) => {
                    let _ = socket.send(Message::Text(say.to_string().into())).await.is_ok();
                }
                None => return,
            },
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    let _ = hear.send(serde_json::from_str(&text).unwrap()).is_ok();
                }
                Some(Ok(Message::Close(frame))) => {
                    let _ = hear.send(json!({"closed": frame.map(|frame| frame.code)})).is_ok();
                    return;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

fn readable(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert("access-control-allow-origin", HeaderValue::from_static(ORIGIN));
    headers.insert("access-control-allow-headers", HeaderValue::from_static("Authorization, Content-Type"));
    response
}

async fn preflight(headers: HeaderMap) -> Response<Body> {
    if !is_known(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    readable(StatusCode::NO_CONTENT.into_response())
}

/// A session lasts for as long as somebody reads.
struct Session(Door, String);

impl Drop for Session {
    fn drop(&mut self) {
        self.0.sessions.lock().unwrap().remove(&self.1);
    }
}

async fn stream(State(door): State<Door>, headers: HeaderMap, hello: String) -> Response<Body> {
    if !is_known(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (hear, told, session) = door.enter();
    hear.send(serde_json::from_str(&hello).unwrap()).unwrap();
    door.sessions.lock().unwrap().insert(session.clone(), hear);
    let events = unfold((told, Session(door, session)), |(mut told, session)| async {
        let say = told.recv().await?;
        Some((Ok::<_, std::io::Error>(format!("data: {say}\n\n")), (told, session)))
    });
    let mut response = Response::new(Body::from_stream(events));
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
    readable(response)
}

async fn message(State(door): State<Door>, headers: HeaderMap, body: String) -> Response<Body> {
    let session = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let hear = door.sessions.lock().unwrap().get(session).cloned();
    let status = match hear.map(|hear| hear.send(serde_json::from_str(&body).unwrap())) {
        Some(Ok(())) => StatusCode::NO_CONTENT,
        _ => StatusCode::UNAUTHORIZED,
    };
    readable(status.into_response())
}

/// With TLS or without.
struct Doorway {
    listener: TcpListener,
    tls: Option<Tls>,
}

impl Listener for Doorway {
    type Io = Channel;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Channel, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Channel::accept(stream, self.tls.as_ref()), address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
