//! A browser that shares no code with the gateway: it says what a page would, over either transport, and answers pings by itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::apex;
use crate::waiting::PATIENCE;

/// Where pages of the org come from.
pub(crate) const ORIGIN: &str = "https://emea.lightning.force.com";
const SUBPROTOCOL: &str = "lockstep.bridge.v1";
/// So often something is heard, in s.
const HEARTBEAT_S: u64 = 20;

/// On it all browsers run.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// Each call has a connection of its own: none is closed just when it is used again.
pub(crate) static CLIENT: LazyLock<Client> =
    LazyLock::new(|| Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap());

/// The transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A WebSocket.
    Socket,
    /// Server-sent events, and `POST`.
    Stream,
}

pub(crate) const BOTH: [Way; 2] = [Way::Socket, Way::Stream];

/// Where a gateway is.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) at: SocketAddr,
    /// With TLS: the certificate that is trusted.
    pub(crate) trusts: Option<PathBuf>,
}

/// What a browser hears.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Message(Value),
    /// The connection has ended, with this code where there was one.
    Ended(Option<u16>),
}

/// What a browser does on a WebSocket.
enum Does {
    Says(Message),
    Closes,
}

enum Up {
    Socket(UnboundedSender<Does>),
    Stream { client: Client, url: String, session: Arc<OnceLock<String>>, reading: JoinHandle<()> },
}

/// A page that is connected. Who drops it loses the connection, as one does whose network is gone.
pub(crate) struct Browser {
    heard: Receiver<Heard>,
    up: Up,
}

/// What a page is welcomed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) epoch: u64,
    pub(crate) holds: bool,
}

/// A name for a page that has none yet.
pub(crate) fn page() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("page-{:08}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The first message of a page.
pub(crate) fn hello(token: &str, page: &str, epoch: u64) -> Value {
    json!({"type": "hello", "protocol": 1, "token": token, "page": page, "epoch": epoch})
}

impl Address {
    pub(crate) fn plain(at: SocketAddr) -> Address {
        Address { at, trusts: None }
    }

    /// The address of a path, for HTTP.
    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.trusts.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.at)
    }

    /// A client that trusts whom this trusts.
    pub(crate) fn client(&self) -> Client {
        let Some(file) = &self.trusts else { return CLIENT.clone() };
        let authority = reqwest::Certificate::from_pem(&std::fs::read(file).unwrap()).unwrap();
        let builder = Client::builder().no_proxy().pool_max_idle_per_host(0);
        builder.add_root_certificate(authority).build().unwrap()
    }

    /// Opens a WebSocket. Else the status that refuses it.
    pub(crate) async fn socket(
        &self,
        origin: Option<&str>,
    ) -> Result<WebSocketStream<Box<dyn Channel>>, SocketError> {
        let stream = TcpStream::connect(self.at).await?;
        stream.set_nodelay(true).unwrap();
        let stream: Box<dyn Channel> = match &self.trusts {
            None => Box::new(stream),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
                let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                let name = ServerName::from(self.at.ip());
                Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
            }
        };
        let mut request = format!("ws://{}/bridge/v1/socket", self.at).into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", SUBPROTOCOL.parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse().unwrap());
        }
        let (socket, answer) = client_async(request, stream).await?;
        assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], SUBPROTOCOL);
        Ok(socket)
    }
}

/// A connection, with TLS or without.
pub(crate) trait Channel: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Channel for T {}

/// A request of a page of this origin.
pub(crate) fn from_origin(request: RequestBuilder, origin: Option<&str>) -> RequestBuilder {
    let request = request.header("Content-Type", "application/json");
    match origin {
        Some(origin) => request.header("Origin", origin),
        None => request,
    }
}

impl Browser {
    /// A page of this user comes.
    pub(crate) fn open(way: Way, address: &Address, user: &str, page: &str, epoch: u64) -> Browser {
        let hello = hello(&apex::token(user), page, epoch).to_string();
        Browser::begin(way, address, Some(ORIGIN), &hello).unwrap()
    }

    /// Somebody of this origin comes, whose first message is that. Else the status that refuses him.
    pub(crate) fn begin(
        way: Way,
        address: &Address,
        origin: Option<&str>,
        first: &str,
    ) -> Result<Browser, u16> {
        match way {
            Way::Socket => {
                let browser = Browser::silent(address, origin)?;
                browser.say_text(first);
                Ok(browser)
            }
            Way::Stream => Browser::stream(address, origin, first),
        }
    }

    /// A WebSocket on which nothing is said.
    pub(crate) fn silent(address: &Address, origin: Option<&str>) -> Result<Browser, u16> {
        let socket = match RUNTIME.block_on(address.socket(origin)) {
            Ok(socket) => socket,
            Err(SocketError::Http(answer)) => return Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        let ((tell, heard), (up, does)) = (channel(), unbounded_channel());
        RUNTIME.spawn(carry(socket, does, tell));
        Ok(Browser { heard, up: Up::Socket(up) })
    }

    fn stream(address: &Address, origin: Option<&str>, first: &str) -> Result<Browser, u16> {
        let (client, url) = (address.client(), address.url("/bridge/v1/messages"));
        let call = client.post(address.url("/bridge/v1/stream")).body(first.to_owned());
        let answer = RUNTIME.block_on(from_origin(call, origin).send()).unwrap();
        if answer.status() != 200 {
            return Err(answer.status().as_u16());
        }
        let (tell, heard) = channel();
        let session: Arc<OnceLock<String>> = Arc::default();
        let pongs = (client.clone(), url.clone(), Arc::clone(&session));
        let reading = RUNTIME.spawn(read(answer, pongs, tell));
        Ok(Browser { heard, up: Up::Stream { client, url, session, reading } })
    }

    /// What it hears next.
    pub(crate) fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("nothing is heard")
    }

    /// Whether nothing has come that was not listened to.
    pub(crate) fn has_heard_nothing(&self) -> bool {
        self.heard.try_recv().is_err()
    }

    /// The next message, which is of this type.
    pub(crate) fn hears(&self, kind: &str) -> Value {
        match self.next() {
            Heard::Message(message) if message["type"] == kind => message,
            other => panic!("no {kind}: {other:?}"),
        }
    }

    /// It is welcomed.
    pub(crate) fn welcome(&self) -> Welcome {
        let message = self.hears("welcome");
        assert_eq!(message["heartbeat_s"], HEARTBEAT_S);
        assert_eq!(message["session"].is_string(), matches!(self.up, Up::Stream { .. }), "{message}");
        Welcome { epoch: message["epoch"].as_u64().unwrap(), holds: message["holds"].as_bool().unwrap() }
    }

    /// It is told to hold, with this number.
    pub(crate) fn holds(&self) -> u64 {
        self.hears("hold")["epoch"].as_u64().unwrap()
    }

    /// It is told that the connection ends, and why, and when it may come again; and the connection does end.
    pub(crate) fn is_told_to_go(&self, reason: &str, again_after_ms: Option<u64>) {
        let bye = self.hears("bye");
        assert_eq!((&bye["type"], &bye["reason"]), (&json!("bye"), &json!(reason)));
        // Of many not all come again at once.
        let (told, least) = (bye["again_after_ms"].as_u64(), again_after_ms);
        let is_near = told.zip(least).is_none_or(|(told, least)| (least..least + 10_000).contains(&told));
        assert!(told.is_some() == least.is_some() && is_near, "{bye}");
        let ended = self.next();
        let code = match (&self.up, reason) {
            (Up::Stream { .. }, _) => None,
            (Up::Socket(_), "token" | "protocol" | "too_many") => Some(1008),
            (Up::Socket(_), _) => Some(1001),
        };
        assert_eq!(ended, Heard::Ended(code), "{reason}");
    }

    /// It says something, which is a message.
    pub(crate) fn say(&self, message: &Value) {
        let status = self.say_text(&message.to_string());
        assert_eq!(status.unwrap_or(204), 204, "{message}");
    }

    /// It says something; tells how a `POST` was answered.
    pub(crate) fn say_text(&self, text: &str) -> Option<u16> {
        match &self.up {
            Up::Socket(up) => {
                // Where the connection has ended, that is heard.
                let _ = up.send(Does::Says(Message::text(text)));
                None
            }
            Up::Stream { client, url, session, .. } => {
                let session = session.get().expect("it was not welcomed");
                let answer = RUNTIME.block_on(post(client, url, session, text.to_owned())).unwrap();
                Some(answer.status().as_u16())
            }
        }
    }

    /// It says something that is no text.
    pub(crate) fn say_binary(&self, bytes: &[u8]) {
        let Up::Socket(up) = &self.up else { panic!("there is text alone") };
        up.send(Does::Says(Message::binary(bytes.to_vec()))).unwrap();
    }

    /// The page is closed, or loaded again.
    pub(crate) fn close(self) {
        if let Up::Socket(up) = &self.up {
            up.send(Does::Closes).unwrap();
            assert!(matches!(self.next(), Heard::Ended(_)));
        }
    }

    /// It loses its network.
    pub(crate) fn lose(self) {
        drop(self);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Up::Stream { reading, .. } = &self.up {
            reading.abort();
        }
    }
}

/// Carries what is said over a WebSocket, until it ends or the browser is gone.
async fn carry(
    socket: WebSocketStream<Box<dyn Channel>>,
    mut does: UnboundedReceiver<Does>,
    tell: Sender<Heard>,
) {
    let (mut up, mut down) = socket.split();
    let mut code = None;
    loop {
        tokio::select! {
            came = down.next() => match came {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == "ping" {
                        let _ = up.send(Message::text(json!({"type": "pong"}).to_string())).await;
                    } else {
                        let _ = tell.send(Heard::Message(message));
                    }
                }
                Some(Ok(Message::Close(frame))) => code = frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    let _ = tell.send(Heard::Ended(code));
                    return;
                }
            },
            what = does.recv() => {
                let message = match what {
                    Some(Does::Says(message)) => message,
                    Some(Does::Closes) => {
                        Message::Close(Some(CloseFrame { code: CloseCode::Away, reason: "".into() }))
                    }
                    None => return,
                };
                // That it has ended is heard.
                let _ = up.send(message).await;
            }
        }
    }
}

/// Reads events until they end.
async fn read(
    mut answer: Response,
    (client, url, session): (Client, String, Arc<OnceLock<String>>),
    tell: Sender<Heard>,
) {
    let mut text = String::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        text += std::str::from_utf8(&chunk).unwrap();
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.strip_prefix("data: ").unwrap();
            let message: Value = serde_json::from_str(data).unwrap();
            text = rest.to_owned();
            if let Some(name) = message["session"].as_str() {
                session.set(name.to_owned()).unwrap();
            }
            if message["type"] == "ping" {
                let pong = json!({"type": "pong"}).to_string();
                let _ = post(&client, &url, session.get().unwrap(), pong).await;
            } else {
                let _ = tell.send(Heard::Message(message));
            }
        }
    }
    let _ = tell.send(Heard::Ended(None));
}

/// A further message of a session.
pub(crate) async fn post(
    client: &Client,
    url: &str,
    session: &str,
    text: String,
) -> reqwest::Result<Response> {
    let call = client.post(url).bearer_auth(session).timeout(Duration::from_secs(30)).body(text);
    from_origin(call, Some(ORIGIN)).send().await
}
