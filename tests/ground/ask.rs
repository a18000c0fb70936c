//! A question to a server, which shares no code with any that the program has.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server that stands still is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What a server answers: the status and the body. None where nobody listens, or does not answer.
pub(crate) fn get(at: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&at, ANSWER_MAX).ok()?;
    stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {at}\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().unwrap(), body.to_owned()))
}

/// The same of somebody who has to answer, and has what was asked for.
pub(crate) fn page(at: SocketAddr, path: &str) -> String {
    let (status, body) = get(at, path).unwrap_or_else(|| panic!("{at} does not answer {path}"));
    assert_eq!(status, 200, "{path}: {body}");
    body
}
