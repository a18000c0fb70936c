//! Messages over a WebSocket.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::http::{StatusCode, Uri};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::channel::{self, Channel};
use super::{Gateway, Heard, Reach, Unreached, heard};
use crate::simulators::salesforce::consoles::message::{SUBPROTOCOL, Up};

/// What is read at once: messages are small, and a process has many connections.
const BUFFER_BYTES: usize = 4 << 10;
/// A message of a gateway is not longer.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// A WebSocket.
pub(in crate::simulators::salesforce::consoles) struct Socket(Box<WebSocketStream<Channel>>);

impl Socket {
    /// Connects, as a browser does.
    pub(super) async fn open(reach: &Reach, gateway: &Gateway) -> Result<Socket, Unreached> {
        let channel = channel::open(reach, gateway).await.map_err(|_| Unreached::Failed)?;
        let uri: Uri = gateway.socket.parse().map_err(|_| Unreached::Failed)?;
        let request = ClientRequestBuilder::new(uri)
            .with_sub_protocol(SUBPROTOCOL)
            .with_header("Origin", reach.origin.as_str());
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        match client_async_with_config(request, channel, Some(config)).await {
            Ok((socket, _)) => Ok(Socket(Box::new(socket))),
            Err(Error::Http(response)) if response.status() == StatusCode::FORBIDDEN => {
                Err(Unreached::Origin)
            }
            Err(_) => Err(Unreached::Failed),
        }
    }

    pub(super) async fn receive(&mut self) -> Heard {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => heard(&text),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Heard::Ended,
            Some(Ok(_)) => Heard::Alive,
        }
    }

    pub(super) async fn send(&mut self, up: &Up) -> bool {
        self.0.send(Message::Text(up.text().into())).await.is_ok()
    }

    /// As a browser does whose page is closed or loaded again.
    pub(super) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Away, reason: "".into() };
        // Who is gone hears nothing of it.
        let _ = (*self.0).close(Some(frame)).await.is_ok();
    }
}
