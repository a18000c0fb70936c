//! Messages over a WebSocket.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use super::connection::{HELLO_WITHIN, Received, Transport, admit, carry};
use super::message::{Down, Reason, Up};
use super::server::Bridge;

/// A WebSocket.
struct Socket(WebSocket);

impl Transport for Socket {
    async fn receive(&mut self) -> Received {
        match self.0.recv().await {
            Some(Ok(Message::Text(text))) => {
                serde_json::from_str::<Up>(&text).map_or(Received::Odd, Received::Message)
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Received::Alive,
            Some(Ok(Message::Binary(_))) => Received::Odd,
            // A page that is closed or loaded again goes away; one that loses its network says nothing.
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map_or(close_code::STATUS, |frame| frame.code);
                let is_wanted = matches!(code, close_code::NORMAL | close_code::AWAY | close_code::STATUS);
                Received::Closed { is_wanted }
            }
            // What is too long is no message, and nothing can be read after it.
            Some(Err(why)) if is_too_long(&why) => Received::Odd,
            Some(Err(_)) | None => Received::Closed { is_wanted: false },
        }
    }

    async fn send(&mut self, down: &Down) -> bool {
        let is_sent = self.0.send(Message::Text(down.text().into())).await.is_ok();
        if let (true, Down::Bye { reason, .. }) = (is_sent, down) {
            let code = match reason {
                Reason::Token | Reason::Protocol | Reason::TooMany => close_code::POLICY,
                Reason::Silent | Reason::Replaced | Reason::ShuttingDown => close_code::AWAY,
            };
            let frame = CloseFrame { code, reason: reason.name().into() };
            return self.0.send(Message::Close(Some(frame))).await.is_ok();
        }
        is_sent
    }
}

/// Whether a message is longer than one may be. (What else goes wrong is as good as a network that is lost.)
fn is_too_long(why: &axum::Error) -> bool {
    let why = why.source().and_then(|why| why.downcast_ref::<tungstenite::Error>());
    why.is_some_and(|why| matches!(why, tungstenite::Error::Capacity(_)))
}

/// Serves one until it ends.
pub(super) async fn serve(socket: WebSocket, bridge: Arc<Bridge>, is_admitted: Arc<AtomicBool>) {
    let mut socket = Socket(socket);
    let first = timeout(HELLO_WITHIN, socket.receive()).await;
    let admitted = match first {
        Ok(Received::Message(Up::Hello(hello))) => admit(&bridge, hello, None, &is_admitted),
        Ok(Received::Closed { .. }) => return,
        Ok(_) | Err(_) => Err(Reason::Protocol),
    };
    match admitted {
        Ok(guest) => carry(guest, socket).await,
        Err(reason) => {
            bridge.metrics.ended(reason.name());
            let _ = socket.send(&Down::bye(reason, bridge.next_connection().0)).await;
        }
    }
}
