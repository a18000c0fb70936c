//! Messages as server-sent events, and by `POST` the other way, as `fetch` does it.

use reqwest::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN,
};
use reqwest::{Client, Method, Response, StatusCode};

use super::{Gateway, Heard, Reach, Unreached, heard};
use crate::simulators::salesforce::consoles::message::{Down, Session, Up};

/// An event of a gateway is not longer.
const EVENT_BYTES_MAX: usize = 16 << 10;

/// Events of one page, and the way to post.
pub(in crate::simulators::salesforce::consoles) struct Events {
    client: Client,
    origin: String,
    messages: String,
    /// Whether the browser knows that it may post there.
    may_post: bool,
    /// Told by the first event.
    session: Option<Session>,
    response: Response,
    read: Reader,
}

impl Events {
    /// Posts who it is, and reads from then on.
    pub(super) async fn open(reach: &Reach, gateway: &Gateway, hello: &Up) -> Result<Events, Unreached> {
        let Reach { client, origin, .. } = reach;
        preflight(client, origin, &gateway.stream).await?;
        let asked =
            client.post(&gateway.stream).header(ORIGIN, origin).header(CONTENT_TYPE, "application/json");
        let response = asked.body(hello.text()).send().await.map_err(|_| Unreached::Failed)?;
        let is_events = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        match response.status() {
            StatusCode::FORBIDDEN => return Err(Unreached::Origin),
            StatusCode::OK if is_events => {}
            _ => return Err(Unreached::Failed),
        }
        may_read(&response, origin)?;
        Ok(Events {
            client: client.clone(),
            origin: origin.clone(),
            messages: gateway.messages.clone(),
            may_post: false,
            session: None,
            response,
            read: Reader::default(),
        })
    }

    pub(super) async fn receive(&mut self) -> Heard {
        loop {
            match self.read.advance() {
                Next::Event(text) => {
                    let heard = heard(&text);
                    if let Heard::Message(Down::Welcome { session: Some(session), .. }) = &heard {
                        self.session = Some(session.clone());
                    }
                    return heard;
                }
                Next::Comment => return Heard::Alive,
                Next::TooLong => return Heard::Ended,
                Next::More => match self.response.chunk().await {
                    Ok(Some(bytes)) => self.read.push(&bytes),
                    Ok(None) | Err(_) => return Heard::Ended,
                },
            }
        }
    }

    pub(super) async fn send(&mut self, up: &Up) -> bool {
        let Some(Session(session)) = &self.session else { return false };
        if !self.may_post {
            if preflight(&self.client, &self.origin, &self.messages).await.is_err() {
                return false;
            }
            self.may_post = true;
        }
        let post = self.client.post(&self.messages).header(ORIGIN, &self.origin).bearer_auth(session);
        let post = post.header(CONTENT_TYPE, "application/json").body(up.text());
        match post.send().await {
            // What was no message ends the connection with a bye.
            Ok(response) => matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::BAD_REQUEST),
            Err(_) => false,
        }
    }
}

/// What a browser asks before it posts to another origin.
async fn preflight(client: &Client, origin: &str, url: &str) -> Result<(), Unreached> {
    let asked = client
        .request(Method::OPTIONS, url)
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    let response = asked.send().await.map_err(|_| Unreached::Failed)?;
    match response.status() {
        StatusCode::FORBIDDEN => return Err(Unreached::Origin),
        status if status.is_success() => {}
        _ => return Err(Unreached::Failed),
    }
    may_read(&response, origin)?;
    let allowed = response.headers().get(ACCESS_CONTROL_ALLOW_HEADERS).and_then(|value| value.to_str().ok());
    let allowed = allowed.unwrap_or_default().to_ascii_lowercase();
    let allows = |name| allowed.split(',').any(|one| one.trim() == name);
    if allows("authorization") && allows("content-type") { Ok(()) } else { Err(Unreached::Origin) }
}

/// A browser shows an answer to pages of an origin that it allows, and to no others.
fn may_read(response: &Response, origin: &str) -> Result<(), Unreached> {
    let allowed = response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
    if allowed.is_some_and(|allowed| allowed.as_bytes() == origin.as_bytes()) {
        Ok(())
    } else {
        Err(Unreached::Origin)
    }
}

/// Reads server-sent events out of bytes as they come.
#[derive(Debug, Default)]
struct Reader {
    bytes: Vec<u8>,
    /// The lines of data of the event that is being read.
    data: Option<String>,
    is_comment: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Event(String),
    /// Something was said that is no event.
    Comment,
    /// An event that is none.
    TooLong,
    More,
}

impl Reader {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn advance(&mut self) -> Next {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                let is_comment = std::mem::take(&mut self.is_comment);
                match self.data.take() {
                    Some(data) => return Next::Event(data),
                    None if is_comment => return Next::Comment,
                    None => {}
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                let data = data.strip_prefix(' ').unwrap_or(data);
                match &mut self.data {
                    Some(all) => {
                        all.push('\n');
                        all.push_str(data);
                    }
                    None => self.data = Some(data.to_owned()),
                }
            } else if line.starts_with(':') {
                self.is_comment = true;
            }
        }
        let length = self.bytes.len() + self.data.as_ref().map_or(0, String::len);
        if length > EVENT_BYTES_MAX { Next::TooLong } else { Next::More }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_their_bytes_come() {
        let text = ": hello\n\ndata: {\"a\":1}\n\nevent: x\ndata:one\ndata: two\nid: 7\n\n\r\ndata: Ü\r\n\r\ndata: rest";
        let expected = [
            Next::Comment,
            Next::Event("{\"a\":1}".to_owned()),
            Next::Event("one\ntwo".to_owned()),
            Next::Event("Ü".to_owned()),
        ];
        for step in 1..=text.len() {
            let (mut reader, mut read) = (Reader::default(), Vec::new());
            for bytes in text.as_bytes().chunks(step) {
                reader.push(bytes);
                loop {
                    match reader.advance() {
                        Next::More => break,
                        next => read.push(next),
                    }
                }
            }
            assert_eq!(read, expected, "{step} bytes at once");
        }
        let mut endless = Reader::default();
        endless.push(&[b'x'; EVENT_BYTES_MAX + 1]);
        assert_eq!(endless.advance(), Next::TooLong);
    }
}
