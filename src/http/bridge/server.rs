//! Where browsers connect: who may come, and over which transport.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State, WebSocketUpgrade};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, post};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::time::Sleep;

use super::connection::HELLO_WITHIN;
use super::gateway::Port;
use super::message::MESSAGE_BYTES_MAX;
use super::seat::ConnectionId;
use super::socket;
use super::stream::{self, Sessions};
use super::token::Door;
use crate::connectors::http::now;
use crate::domain::AccountName;
use crate::listen::{Channel, Origins, Tls};
use crate::metrics::BridgeMetrics;

/// The name of the protocol on a WebSocket.
pub const SUBPROTOCOL: &str = "lockstep.bridge.v1";
/// What a connection reads and writes at once: messages are small, and there are many connections.
const BUFFER_BYTES: usize = 2 << 10;
/// So many connections more than may be let in are looked at.
const AT_THE_DOOR_MAX: usize = 2_000;

/// Where browsers connect.
pub struct Bridge {
    pub(super) door: Door,
    pub(super) ports: HashMap<AccountName, Port>,
    pub(super) sessions: Sessions,
    pub(super) metrics: BridgeMetrics,
    origins: Origins,
    connections_max: usize,
    inside: AtomicUsize,
    given: AtomicU64,
}

impl Bridge {
    /// One that listens nowhere yet.
    ///
    /// # Errors
    /// The system gives nothing that is by chance.
    pub fn new(
        door: Door,
        ports: HashMap<AccountName, Port>,
        origins: Origins,
        connections_max: usize,
        metrics: BridgeMetrics,
    ) -> io::Result<Bridge> {
        let (inside, given) = (AtomicUsize::new(0), AtomicU64::new(0));
        Ok(Bridge {
            door,
            ports,
            sessions: Sessions::new()?,
            metrics,
            origins,
            connections_max,
            inside,
            given,
        })
    }

    /// Forgets tokens that have ended.
    pub fn tidy(&self) {
        self.door.tidy(now());
    }

    /// Whether nobody is connected any more who was let in.
    pub fn is_empty(&self) -> bool {
        self.inside.load(Ordering::Acquire) == 0
    }

    /// Lets one more in, where there is room.
    pub(super) fn enter(&self) -> bool {
        let room = |inside| (inside < self.connections_max).then_some(inside + 1);
        self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok()
    }

    pub(super) fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.given.fetch_add(1, Ordering::Relaxed))
    }

    /// Serves browsers until `until` is over.
    ///
    /// # Errors
    /// The listener is of no use any more.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<Tls>,
        until: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let door = Arc::new(AtomicUsize::new(0));
        // Who is told by events has a second connection to say something over.
        let most = self.connections_max.saturating_mul(2).saturating_add(AT_THE_DOOR_MAX);
        let listener = Doorway { listener, tls, open: door, most, metrics: self.metrics.clone() };
        let router = Router::new()
            .route("/bridge/v1/socket", any(by_socket))
            .route("/bridge/v1/stream", post(by_stream).options(preflight))
            .route("/bridge/v1/messages", post(message).options(preflight))
            .layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
            .with_state(self);
        let serving = axum::serve(listener, router.into_make_service_with_connect_info::<Admission>());
        tokio::select! {
            ended = serving.into_future() => ended,
            () = until => Ok(()),
        }
    }

    /// The origin that a browser says it is from, where it may come.
    fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let Some(origin) = headers.get(ORIGIN) else {
            self.metrics.refused("origin");
            return None;
        };
        let is_known = origin.to_str().is_ok_and(|origin| self.origins.allow(origin));
        if !is_known {
            self.metrics.refused("origin");
            tracing::warn!(
                "a page of an origin that is not in `origins` of [bridge]: {:.100}",
                format!("{origin:?}")
            );
        }
        is_known.then(|| origin.clone())
    }
}

async fn by_socket(
    State(bridge): State<Arc<Bridge>>,
    ConnectInfo(Admission(is_admitted)): ConnectInfo<Admission>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    if bridge.origin(&headers).is_none() {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(16 * MESSAGE_BYTES_MAX)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| socket::serve(socket, bridge, is_admitted))
}

async fn by_stream(
    State(bridge): State<Arc<Bridge>>,
    ConnectInfo(Admission(is_admitted)): ConnectInfo<Admission>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response<Body> {
    let Some(origin) = bridge.origin(&headers) else { return StatusCode::FORBIDDEN.into_response() };
    for_origin(stream::open(&bridge, &whole(body), &is_admitted), origin)
}

async fn message(
    State(bridge): State<Arc<Bridge>>,
    ConnectInfo(Admission(is_admitted)): ConnectInfo<Admission>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response<Body> {
    let Some(origin) = bridge.origin(&headers) else { return StatusCode::FORBIDDEN.into_response() };
    for_origin(stream::post(&bridge, &headers, &whole(body), &is_admitted).into_response(), origin)
}

/// What was posted. What is too long, or did not come whole, is as nothing, and nothing is no message.
fn whole(body: Result<Bytes, BytesRejection>) -> Bytes {
    body.unwrap_or_default()
}

/// What a browser asks before it posts from another origin.
async fn preflight(State(bridge): State<Arc<Bridge>>, headers: HeaderMap) -> Response<Body> {
    let Some(origin) = bridge.origin(&headers) else { return StatusCode::FORBIDDEN.into_response() };
    let mut response = for_origin(StatusCode::NO_CONTENT.into_response(), origin);
    let allowed = [
        (ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (ACCESS_CONTROL_MAX_AGE, "3600"),
    ];
    for (name, value) in allowed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn for_origin(mut response: Response<Body>, origin: HeaderValue) -> Response<Body> {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
    response
}

/// Whether somebody on this connection has said who he is.
#[derive(Clone)]
struct Admission(Arc<AtomicBool>);

/// Takes connections, as many as may be, and ends those that do not say who they are.
struct Doorway {
    listener: TcpListener,
    tls: Option<Tls>,
    open: Arc<AtomicUsize>,
    most: usize,
    metrics: BridgeMetrics,
}

impl Listener for Doorway {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let place = Place::take(&self.open, self.most);
            // One that is too many is closed at once.
            let Some(place) = place else {
                self.metrics.refused("full");
                continue;
            };
            let _ = stream.set_nodelay(true);
            let channel = Channel::accept(stream, self.tls.as_ref());
            let deadline = Some(Box::pin(tokio::time::sleep(HELLO_WITHIN)));
            let admission = Admission(Arc::new(AtomicBool::new(false)));
            return (Visit { channel, deadline, admission, _place: place }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection counts for as long as it is open.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>, most: usize) -> Option<Place> {
        let room = |open| (open < most).then_some(open + 1);
        open.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).ok()?;
        Some(Place(Arc::clone(open)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection that ends where nobody says in time who he is.
struct Visit {
    channel: Channel,
    deadline: Option<Pin<Box<Sleep>>>,
    admission: Admission,
    _place: Place,
}

impl Visit {
    /// Whether it has to go.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let Some(deadline) = &mut self.deadline else { return false };
        if self.admission.0.load(Ordering::Acquire) {
            self.deadline = None;
            return false;
        }
        deadline.as_mut().poll(context).is_ready()
    }
}

impl Connected<IncomingStream<'_, Doorway>> for Admission {
    fn connect_info(stream: IncomingStream<'_, Doorway>) -> Admission {
        stream.io().admission.clone()
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_late(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.channel).poll_read(context, buffer)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_late(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.channel).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(context)
    }
}
