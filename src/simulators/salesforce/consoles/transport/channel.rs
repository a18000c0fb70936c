//! A connection with TLS or without, from the client's end.

use std::io;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Gateway, Reach};
use crate::listen;

/// A connection.
pub(super) type Channel = listen::Channel<TlsStream<TcpStream>>;

/// Connects to a gateway.
pub(super) async fn open(reach: &Reach, gateway: &Gateway) -> io::Result<Channel> {
    let stream = TcpStream::connect((gateway.host.as_str(), gateway.port)).await?;
    stream.set_nodelay(true)?;
    match reach.tls.as_ref().filter(|_| gateway.is_tls) {
        None => Ok(Channel::Plain(stream)),
        Some(tls) => {
            let name = ServerName::try_from(gateway.host.clone()).map_err(io::Error::other)?;
            let stream = tls.connect(name, stream).await?;
            Ok(Channel::Secure(Box::new(stream)))
        }
    }
}
