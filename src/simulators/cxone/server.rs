//! A simulated tenant on the wire.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, RETRY_AFTER};
use axum::http::{HeaderValue, Request as HttpRequest, Response, StatusCode};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;

use super::answer::{Body, Cut, Reply, Request};
use super::settings::Settings;

use super::world::World;
use crate::domain::{DurationMs, TimeMs};
use crate::listen::Tls;

/// A body may have so many bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// So many bytes of an answer go out before the connection is cut in the middle of it, give or take its head.
const MIDWAY_BYTES: usize = 256;
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

/// A simulated tenant that listens.
pub struct Simulator {
    world: Arc<Mutex<World>>,
    api: TcpListener,
    control: TcpListener,
    tls: Option<Tls>,
}

impl Simulator {
    /// Listens; [`serve`] answers.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub async fn bind(settings: Settings, addresses: Addresses) -> io::Result<Simulator> {
        let api = TcpListener::bind(addresses.api).await?;
        let control = TcpListener::bind(addresses.control).await?;
        let tls = settings.tls.clone();
        let world = Arc::new(Mutex::new(World::new(settings, system_time())));
        Ok(Simulator { world, api, control, tls })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses { api: self.api.local_addr()?, control: self.control.local_addr()? })
    }

    /// The issuer: where one begins.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn issuer(&self) -> io::Result<String> {
        Ok(format!("{}://{}", scheme(self.tls.as_ref()), self.api.local_addr()?))
    }
}

/// Answers until it is told to end.
///
/// # Errors
/// A listener fails.
pub async fn serve(simulator: Simulator, until: impl Future<Output = ()>) -> io::Result<()> {
    let Simulator { world, api, control, tls } = simulator;
    let on = |listener, side, tls: Option<Tls>| {
        let served = Served { world: Arc::clone(&world), side, scheme: scheme(tls.as_ref()) };
        let router = Router::new().fallback(answer).with_state(served);
        let listener = Cuttable { listener, tls };
        axum::serve(listener, router.into_make_service_with_connect_info::<Allowance>())
    };
    let (api, control) = (on(api, Side::Api, tls), on(control, Side::Control, None));
    tokio::select! {
        ended = api.into_future() => ended,
        ended = control.into_future() => ended,
        () = until => Ok(()),
    }
}

#[derive(Clone, Copy)]
enum Side {
    Api,
    Control,
}

/// What is served at an address.
#[derive(Clone)]
struct Served {
    world: Arc<Mutex<World>>,
    side: Side,
    scheme: &'static str,
}

impl Served {
    /// What the world answers now, and what time it is there. A call that waits has its answer so far.
    fn call(&self, request: &Request, waiting: Option<Reply>) -> (TimeMs, Reply) {
        let mut world = lock(&self.world);
        let now = system_time() + DurationMs::from_ms(world.settings.date_offset_ms);
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

fn system_time() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(served): State<Served>,
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
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let query = parts.uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes());
    let query: HashMap<String, String> =
        query.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect();
    let body = to_bytes(body, BODY_BYTES_MAX).await.ok()?;
    Some(Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_ascii_lowercase(),
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
    if let Some(wait) = reply.retry_after.and_then(|wait| HeaderValue::from_str(&wait).ok()) {
        headers.insert(RETRY_AFTER, wait);
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

/// A connection with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that can be cut. Bytes of answers count, not those of TLS: half a record of it is nothing.
struct Wire {
    stream: Box<dyn Stream>,
    allowance: Allowance,
}

impl Listener for Cuttable {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => Box::new(tls.accept(stream)),
            None => Box::new(stream),
        };
        (Wire { stream, allowance: Allowance(Arc::new(AtomicUsize::new(usize::MAX))) }, address)
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
        Pin::new(&mut self.stream).poll_read(context, buffer)
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
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let (Poll::Ready(Ok(count)), true) = (&written, allowed < usize::MAX) {
            self.allowance.0.store(allowed - count, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
