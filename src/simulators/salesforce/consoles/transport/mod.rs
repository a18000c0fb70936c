//! How messages get to a gateway and back: over a WebSocket, or as server-sent events with `POST` the other way.

mod channel;
mod socket;
mod stream;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::message::{Down, Up};

/// What is sent has gone by then, or the connection is lost.
const SENT_WITHIN: Duration = Duration::from_secs(10);

/// What carries messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A WebSocket.
    #[default]
    Socket,
    /// Server-sent events, and `POST` the other way.
    Events,
}

/// Gateways cannot be reached as it is set.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// There is none.
    #[error("no gateway is named")]
    NoGateway,
    /// An address that is none.
    #[error("{0} is no address of a gateway: write https://HOST:PORT, or http://HOST:PORT on this machine")]
    Address(Url),
    /// Authorities cannot be read.
    #[error("the authorities in {}", file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        why: io::Error,
    },
    /// Nobody says which authorities are trusted.
    #[error("{0} is reached over TLS, and no file of authorities is named")]
    NoAuthorities(Url),
    /// Nobody can say to a gateway who a user is.
    #[error("the org has no key to sign for the bridge with")]
    NoKey,
    /// No client can be made.
    #[error("making a client of gateways")]
    Client(#[source] reqwest::Error),
}

/// Why a page gets no connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreached {
    /// The gateway does not take pages of this origin.
    Origin,
    /// Nobody answers, or not as a gateway does.
    Failed,
}

/// A gateway.
#[derive(Clone, Debug)]
struct Gateway {
    host: String,
    port: u16,
    is_tls: bool,
    /// `ws://` or `wss://`.
    socket: String,
    /// `http://` or `https://`.
    stream: String,
    messages: String,
}

/// The way to all gateways.
pub(super) struct Reach {
    gateways: Vec<Gateway>,
    transport: Transport,
    origin: String,
    tls: Option<TlsConnector>,
    client: reqwest::Client,
}

impl Reach {
    /// To these.
    ///
    /// # Errors
    /// One is none, or the file of authorities is.
    pub(super) fn new(
        gateways: &[Url],
        (transport, origin): (Transport, String),
        tls_ca: Option<&Path>,
    ) -> Result<Reach, ReachError> {
        let gateways_of = |url: &Url| gateway(url).ok_or_else(|| ReachError::Address(url.clone()));
        let all: Vec<Gateway> = gateways.iter().map(gateways_of).collect::<Result<_, _>>()?;
        if all.is_empty() {
            return Err(ReachError::NoGateway);
        }
        let secure = all.iter().zip(gateways).find(|(gateway, _)| gateway.is_tls);
        if let (Some((_, url)), None) = (secure, tls_ca) {
            return Err(ReachError::NoAuthorities(url.clone()));
        }
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let (mut tls, mut authorities) = (None, Vec::new());
        if let Some(file) = tls_ca {
            let wrong = |why| ReachError::Authorities { file: file.to_owned(), why };
            let pem = fs::read(file).map_err(wrong)?;
            tls = Some(connector(&pem).map_err(wrong)?);
            authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(ReachError::Client)?;
        }
        let client = client.tls_certs_only(authorities).build().map_err(ReachError::Client)?;
        Ok(Reach { gateways: all, transport, origin, tls, client })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.gateways.len()
    }

    /// Connects to the gateway of this place, and says who it is.
    pub(super) async fn open(&self, place: usize, hello: &Up) -> Result<Link, Unreached> {
        let gateway = self.gateways.get(place).ok_or(Unreached::Failed)?;
        match self.transport {
            Transport::Socket => {
                let mut socket = socket::Socket::open(self, gateway).await?;
                let is_said = socket.send(hello).await;
                is_said.then_some(Link::Socket(socket)).ok_or(Unreached::Failed)
            }
            Transport::Events => {
                let events = stream::Events::open(self, gateway, hello).await?;
                Ok(Link::Events(Box::new(events)))
            }
        }
    }
}

/// A gateway as its pages call it; none where it is no address of one.
fn gateway(url: &Url) -> Option<Gateway> {
    let is_tls = match url.scheme() {
        "https" | "wss" => true,
        "http" | "ws" => false,
        _ => return None,
    };
    let host = url.host_str()?;
    let port = url.port().unwrap_or(if is_tls { 443 } else { 80 });
    let base = format!("://{host}:{port}{}", url.path().trim_end_matches('/'));
    let (http, ws) = if is_tls { ("https", "wss") } else { ("http", "ws") };
    Some(Gateway {
        // An address of IPv6 stands in brackets.
        host: host.trim_matches(['[', ']']).to_owned(),
        port,
        is_tls,
        socket: format!("{ws}{base}/bridge/v1/socket"),
        stream: format!("{http}{base}/bridge/v1/stream"),
        messages: format!("{http}{base}/bridge/v1/messages"),
    })
}

/// A client's end of TLS that trusts these authorities.
fn connector(pem: &[u8]) -> io::Result<TlsConnector> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(pem) {
        let authority = authority.map_err(|why| invalid(why.to_string()))?;
        roots.add(authority).map_err(|why| invalid(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(invalid("it has no certificate in PEM".to_owned()));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| invalid(why.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Consoles are browsers on as many machines: none goes on with a session of another.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What comes over a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message.
    Message(Down),
    /// It lives, and says nothing that a page of this version understands.
    Alive,
    /// It has ended.
    Ended,
}

fn heard(text: &str) -> Heard {
    serde_json::from_str(text).map_or(Heard::Alive, Heard::Message)
}

/// A connection to a gateway.
pub(super) enum Link {
    Socket(socket::Socket),
    Events(Box<stream::Events>),
}

impl Link {
    /// What comes next. To be given up at any time.
    pub(super) async fn receive(&mut self) -> Heard {
        match self {
            Link::Socket(socket) => socket.receive().await,
            Link::Events(events) => events.receive().await,
        }
    }

    /// Says something. Whether that goes.
    pub(super) async fn send(&mut self, up: &Up) -> bool {
        let sent = async {
            match self {
                Link::Socket(socket) => socket.send(up).await,
                Link::Events(events) => events.send(up).await,
            }
        };
        tokio::time::timeout(SENT_WITHIN, sent).await.unwrap_or(false)
    }

    /// The page goes away.
    pub(super) async fn close(self) {
        match self {
            Link::Socket(socket) => {
                // Who is gone hears nothing of it.
                let _ = tokio::time::timeout(SENT_WITHIN, socket.close()).await.is_ok();
            }
            // A page that reads no more is all that a gateway sees.
            Link::Events(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_called_as_its_address_says() {
        for (url, expected) in [
            ("http://127.0.0.1:8500", Some(("127.0.0.1", 8_500, "ws://127.0.0.1:8500/bridge/v1/socket"))),
            ("ws://localhost", Some(("localhost", 80, "ws://localhost:80/bridge/v1/socket"))),
            (
                "wss://b.example.com/x/",
                Some(("b.example.com", 443, "wss://b.example.com:443/x/bridge/v1/socket")),
            ),
            ("https://[::1]:8500", Some(("::1", 8_500, "wss://[::1]:8500/bridge/v1/socket"))),
            ("ftp://b.example.com", None),
            ("unix:/run/bridge", None),
        ] {
            let gateway = gateway(&url.parse().unwrap());
            let told = gateway.as_ref().map(|it| (it.host.as_str(), it.port, it.socket.as_str()));
            assert_eq!(told, expected, "{url}");
            let stream = gateway.map(|it| it.stream.replacen("http", "ws", 1).replace("/stream", "/socket"));
            assert_eq!(stream.as_deref(), expected.map(|(.., socket)| socket), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_said_before() {
        let file = std::env::temp_dir().join(format!("lockstep-authorities-{}", std::process::id()));
        fs::write(&file, "nothing").unwrap();
        let told = |urls: &[&str], ca: Option<&Path>| {
            let urls: Vec<Url> = urls.iter().map(|url| url.parse().unwrap()).collect();
            let settings = (Transport::Socket, "https://o.example.com".to_owned());
            Reach::new(&urls, settings, ca).map(|reach| reach.len()).map_err(|why| why.to_string())
        };
        assert_eq!(told(&["http://127.0.0.1:1", "ws://127.0.0.1:2"], None), Ok(2));
        for (urls, ca, begins) in [
            (&[][..], None, "no gateway"),
            (&["ftp://x"][..], None, "ftp://x/ is no address"),
            (&["https://x"][..], None, "https://x/ is reached over TLS"),
            (&["https://x"][..], Some(file.as_path()), "the authorities in"),
        ] {
            let why = told(urls, ca).unwrap_err();
            assert!(why.starts_with(begins), "{why}");
        }
        fs::remove_file(&file).unwrap();
    }
}
