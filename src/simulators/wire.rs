//! A simulated platform on the wire: where it listens, connections that can be cut, calls and their answers.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST};
use axum::http::{HeaderName, HeaderValue, Request as HttpRequest, Response, StatusCode};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::{DurationMs, TimeMs};
use crate::listen::{Channel, Tls};

/// A body may have so many bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// So many bytes of an answer go out before the connection is cut in the middle of it, give or take its head.
const MIDWAY_BYTES: usize = 256;
/// So often what is due happens where nobody calls.
const GOES_ON_EVERY: Duration = Duration::from_millis(50);
/// So often the world is asked for what a call waits for.
const ASKED_EVERY: Duration = Duration::from_millis(20);
const HTML: &str =
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>";

/// Where a simulator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The API, which is the issuer too.
    pub api: SocketAddr,
    /// The control endpoint.
    pub control: SocketAddr,
}

/// What answers: a world that knows nothing of wires. Time is passed in.
pub(super) trait World: Send + 'static {
    /// Answers a call of the API.
    fn answer(&mut self, request: &Request, now: TimeMs) -> Reply;

    /// Looks again for what a call waits for, whose answer so far this is.
    fn answer_again(&mut self, request: &Request, so_far: Reply, now: TimeMs) -> Reply;

    /// Answers a call of the control endpoint.
    fn control(&mut self, request: &Request, now: TimeMs) -> Reply;

    /// What is due happens.
    fn go_on(&mut self, now: TimeMs);

    /// How far its clock is ahead.
    fn clock_offset(&self) -> DurationMs;
}

/// A world that listens.
pub(super) struct Listening<W> {
    pub(super) world: Arc<Mutex<W>>,
    api: TcpListener,
    control: TcpListener,
    tls: Option<Tls>,
}

impl<W: World> Listening<W> {
    pub(super) async fn bind(
        world: Arc<Mutex<W>>,
        addresses: Addresses,
        tls: Option<Tls>,
    ) -> io::Result<Listening<W>> {
        let api = TcpListener::bind(addresses.api).await?;
        let control = TcpListener::bind(addresses.control).await?;
        Ok(Listening { world, api, control, tls })
    }

    pub(super) fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses { api: self.api.local_addr()?, control: self.control.local_addr()? })
    }

    /// Where the API is, as its clients call it.
    pub(super) fn base(&self) -> io::Result<String> {
        Ok(format!("{}://{}", scheme(self.tls.as_ref()), self.api.local_addr()?))
    }

    /// Answers until it is told to end.
    pub(super) async fn serve(self, until: impl Future<Output = ()>) -> io::Result<()> {
        let Listening { world, api, control, tls } = self;
        let on = |listener, side, tls: Option<Tls>| {
            let served = Served { world: Arc::clone(&world), side, scheme: scheme(tls.as_ref()) };
            let router = Router::new().fallback(answer::<W>).with_state(served);
            let listener = Cuttable { listener, tls };
            axum::serve(listener, router.into_make_service_with_connect_info::<Allowance>())
        };
        let (api, control) = (on(api, Side::Api, tls), on(control, Side::Control, None));
        tokio::select! {
            ended = api.into_future() => ended,
            ended = control.into_future() => ended,
            () = go_on(&world) => Ok(()),
            () = until => Ok(()),
        }
    }
}

/// What is due happens where nobody calls: who watches is told of it.
async fn go_on<W: World>(world: &Mutex<W>) {
    let mut due = tokio::time::interval(GOES_ON_EVERY);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let mut world = lock(world);
        let now = system_time() + world.clock_offset();
        world.go_on(now);
    }
}

/// A call as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// In lower case, without the query.
    pub(super) path: String,
    /// The path as it came.
    pub(super) raw_path: String,
    /// Names in lower case.
    pub(super) query: HashMap<String, String>,
    pub(super) authorization: Option<String>,
    pub(super) body: Vec<u8>,
    /// `http://HOST:PORT`, or `https://`, as the client calls it.
    pub(super) base: String,
}

impl Request {
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.query.get(name)?.trim().parse().ok()
    }

    /// The body as an object with names in lower case; empty where it is none.
    pub(super) fn object(&self) -> HashMap<String, Value> {
        let object = serde_json::from_slice::<HashMap<String, Value>>(&self.body).unwrap_or_default();
        object.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
    }

    /// The body as a form.
    pub(super) fn form(&self) -> HashMap<String, String> {
        let form = url::form_urlencoded::parse(&self.body);
        form.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    /// Does something with the body, or says why it cannot be read.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self, then: impl FnOnce(T)) -> Reply {
        match serde_json::from_slice(&self.body) {
            Ok(value) => {
                then(value);
                Reply::empty(204)
            }
            Err(why) => Reply::error(400, "bad_request", &why.to_string()),
        }
    }
}

/// What goes out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Body,
    /// Names, in lower case, and what they say. The body has its own.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) latency: Duration,
    pub(super) cut: Cut,
    /// It is none yet: the world is asked again until it is one.
    pub(super) wait: Option<Wait>,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    None,
    Json(Value),
    Html,
}

/// Where the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Never,
    /// Before an answer.
    Before,
    /// In the middle of it.
    Midway,
}

/// For what a call waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// As the world calls it.
    pub(super) on: String,
    pub(super) until: Instant,
}

impl Reply {
    pub(super) const fn empty(status: u16) -> Reply {
        let latency = Duration::ZERO;
        Reply { status, body: Body::None, headers: Vec::new(), latency, cut: Cut::Never, wait: None }
    }

    pub(super) fn json(status: u16, value: Value) -> Reply {
        Reply { body: Body::Json(value), ..Reply::empty(status) }
    }

    pub(super) fn error(status: u16, error: &str, description: &str) -> Reply {
        Reply::json(status, json!({"error": error, "error_description": description}))
    }

    pub(super) fn with(mut self, header: &'static str, value: String) -> Reply {
        self.headers.push((header, value));
        self
    }
}

#[derive(Clone, Copy)]
enum Side {
    Api,
    Control,
}

/// What is served at an address.
struct Served<W> {
    world: Arc<Mutex<W>>,
    side: Side,
    scheme: &'static str,
}

impl<W> Clone for Served<W> {
    fn clone(&self) -> Served<W> {
        Served { world: Arc::clone(&self.world), ..*self }
    }
}

impl<W: World> Served<W> {
    /// What the world answers now, and what time it is there. A call that waits has its answer so far.
    fn call(&self, request: &Request, waiting: Option<Reply>) -> (TimeMs, Reply) {
        let mut world = lock(&self.world);
        let now = system_time() + world.clock_offset();
        let reply = match (self.side, waiting) {
            (Side::Control, _) => world.control(request, now),
            (Side::Api, None) => world.answer(request, now),
            (Side::Api, Some(reply)) => world.answer_again(request, reply, now),
        };
        (now, reply)
    }
}

const fn scheme(tls: Option<&Tls>) -> &'static str {
    if tls.is_some() { "https" } else { "http" }
}

pub(super) fn system_time() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn lock<W>(world: &Mutex<W>) -> MutexGuard<'_, W> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer<W: World>(
    State(served): State<Served<W>>,
    ConnectInfo(allowance): ConnectInfo<Allowance>,
    request: HttpRequest<HttpBody>,
) -> Response<HttpBody> {
    let (now, reply) = match read(request, served.scheme).await {
        None => (system_time(), Reply::error(413, "too_large", "the body is too large")),
        Some(request) => {
            let (mut now, mut reply) = served.call(&request, None);
            while reply.wait.is_some() {
                tokio::time::sleep(ASKED_EVERY).await;
                (now, reply) = served.call(&request, Some(reply));
            }
            (now, reply)
        }
    };
    // Even no sleep at all takes a millisecond.
    if !reply.latency.is_zero() {
        tokio::time::sleep(reply.latency).await;
    }
    match reply.cut {
        Cut::Never => {}
        Cut::Before => allowance.0.store(0, Ordering::Relaxed),
        Cut::Midway => allowance.0.store(MIDWAY_BYTES, Ordering::Relaxed),
    }
    response(reply, now)
}

/// A call as the contract sees it; none where its body is too large.
async fn read(request: HttpRequest<HttpBody>, scheme: &str) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let header =
        |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let query = parts.uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes());
    let query: HashMap<String, String> =
        query.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect();
    let body = to_bytes(body, BODY_BYTES_MAX).await.ok()?;
    Some(Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_ascii_lowercase(),
        raw_path: parts.uri.path().to_owned(),
        query,
        authorization: header(AUTHORIZATION),
        body: body.to_vec(),
        base: format!("{scheme}://{}", header(HOST).unwrap_or_default()),
    })
}

fn response(reply: Reply, now: TimeMs) -> Response<HttpBody> {
    let (kind, body) = match reply.body {
        Body::None => (None, String::new()),
        Body::Json(value) => (Some("application/json"), value.to_string()),
        Body::Html => (Some("text/html"), HTML.to_owned()),
    };
    // What is to be cut in the middle has a middle.
    let body =
        if reply.cut == Cut::Midway { format!("{body:<width$}", width = 4 * MIDWAY_BYTES) } else { body };
    let mut response = Response::new(HttpBody::from(body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let date = jiff::Timestamp::from_millisecond(now.as_unix_ms()).unwrap_or_default();
    if let Ok(date) = HeaderValue::from_str(&date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
        headers.insert(DATE, date);
    }
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// How many bytes a connection may still write; then it is cut.
#[derive(Clone, Debug)]
struct Allowance(Arc<AtomicUsize>);

/// Connections that can be cut.
struct Cuttable {
    listener: TcpListener,
    tls: Option<Tls>,
}

/// A connection that can be cut. Bytes of answers count, not those of TLS: half a record of it is nothing.
struct Wire {
    channel: Channel,
    allowance: Allowance,
}

impl Listener for Cuttable {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let _ = stream.set_nodelay(true);
        let channel = Channel::accept(stream, self.tls.as_ref());
        (Wire { channel, allowance: Allowance(Arc::new(AtomicUsize::new(usize::MAX))) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Allowance {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Allowance {
        stream.io().allowance.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let allowed = self.allowance.0.load(Ordering::Relaxed);
        let Some(bytes) = bytes.get(..bytes.len().min(allowed)).filter(|_| allowed > 0) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let written = Pin::new(&mut self.channel).poll_write(context, bytes);
        if let (Poll::Ready(Ok(count)), true) = (&written, allowed < usize::MAX) {
            self.allowance.0.store(allowed - count, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(context)
    }
}
