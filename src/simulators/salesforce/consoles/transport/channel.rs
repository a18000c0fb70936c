//! A connection with TLS or without, from the client's end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Gateway, Reach};

/// A connection.
pub(super) enum Channel {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Channel {
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
}

impl AsyncRead for Channel {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Channel::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Channel::Secure(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Channel::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Channel::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Channel::Plain(stream) => Pin::new(stream).poll_flush(context),
            Channel::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Channel::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Channel::Secure(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
