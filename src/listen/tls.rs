//! The server's end of TLS, with a certificate from files.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ServerConfig>);

impl PartialEq for Tls {
    /// What was read once is the same; what was read twice is not.
    fn eq(&self, other: &Tls) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Tls {
    /// Reads a certificate, with those that lead to its root behind it, and its key. Both are PEM.
    ///
    /// # Errors
    /// A file cannot be read, or the two do not fit. It names the file.
    pub fn of_files(certificate_file: &Path, key_file: &Path) -> io::Result<Tls> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate_file)?).collect();
        let chain = chain.map_err(|why| invalid(certificate_file, &why))?;
        if chain.is_empty() {
            return Err(invalid(certificate_file, &"it has no certificate in PEM"));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(key_file)?).map_err(|why| match why {
            pem::Error::NoItemsFound => invalid(key_file, &"it has no private key in plain PEM"),
            why => invalid(key_file, &why),
        })?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|why| {
                let with = format!("with the key of {}: {why}", key_file.display());
                invalid(certificate_file, &with)
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(Arc::new(config)))
    }

    /// The server's end of a connection. Its first read or write waits for the handshake.
    pub fn accept(&self, stream: TcpStream) -> Secure {
        Secure::Handshaking(TlsAcceptor::from(Arc::clone(&self.0)).accept(stream))
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    fs::read(file).map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", file.display())))
}

fn invalid(file: &Path, why: &dyn Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", file.display()))
}

/// A connection over TLS. Its handshake is part of its first read, so that nobody else waits for it.
pub enum Secure {
    /// Nobody knows yet whether it will be one.
    Handshaking(Accept<TcpStream>),
    /// It is one.
    Open(TlsStream<TcpStream>),
    /// It has never become one.
    Failed,
}

impl Secure {
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let Secure::Handshaking(accept) = self {
            match ready!(Pin::new(accept).poll(context)) {
                Ok(stream) => *self = Secure::Open(stream),
                Err(why) => {
                    *self = Secure::Failed;
                    return Poll::Ready(Err(why));
                }
            }
        }
        match self {
            Secure::Open(stream) => Poll::Ready(Ok(Pin::new(stream))),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Secure {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(context))?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Secure {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(context))?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Secure::Open(stream) => Pin::new(stream).poll_flush(context),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Secure::Open(stream) => Pin::new(stream).poll_shutdown(context),
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// An end of a connection, with TLS or without; the server's, where nothing else is said.
pub enum Channel<S = Secure> {
    /// Without.
    Plain(TcpStream),
    /// With.
    Secure(Box<S>),
}

impl Channel {
    /// Its first read or write waits for the handshake, where there is one.
    pub fn accept(stream: TcpStream, tls: Option<&Tls>) -> Channel {
        match tls {
            None => Channel::Plain(stream),
            Some(tls) => Channel::Secure(Box::new(tls.accept(stream))),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Channel<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Channel<S> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file() {
        let folder = std::env::temp_dir().join(format!("lockstep-tls-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (none, empty) = (folder.join("none.pem"), folder.join("empty.pem"));
        fs::write(&empty, "nothing").unwrap();
        for (certificate, key, wrong) in [(&none, &empty, &none), (&empty, &none, &empty)] {
            let why = Tls::of_files(certificate, key).unwrap_err().to_string();
            assert!(why.starts_with(&wrong.display().to_string()), "{why}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
