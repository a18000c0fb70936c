//! What answers say, and addresses.

use reqwest::Url;
use serde::Deserialize;

use super::client::{Answer, Platform};
use super::error::Error;

/// An answer that is none, though its status says that it is.
pub(in crate::connectors) fn odd(call: &'static str, why: &str) -> Error {
    Error::Odd { call, status: 200, why: why.to_owned(), shown: None }
}

/// What an answer says, where it is one. Of what has secrets or people's names in it nothing is shown.
pub(in crate::connectors) fn read<T: for<'de> Deserialize<'de>>(
    platform: &Platform,
    answer: Answer,
    is_secret: bool,
) -> Result<T, Error> {
    let Answer { call, status, body, .. } = answer;
    if !(200..300).contains(&status) {
        return Err(Error::Refused { call, status, shown: platform.shown(&body) });
    }
    serde_json::from_slice(&body).map_err(|why| {
        let why = if body.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("no JSON of it: {}", place(&why))
        };
        let shown = platform.shown(&body).filter(|_| !is_secret);
        Error::Odd { call, status, why, shown }
    })
}

/// Where JSON ends to be any; serde's own text may quote what stands there.
pub(in crate::connectors) fn place(why: &serde_json::Error) -> String {
    let kind = match why.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "other than it should be",
        _ => "unreadable",
    };
    format!("{kind} at line {}, column {}", why.line(), why.column())
}

/// Adds parts to the path of an address.
pub(in crate::connectors) fn push(url: &mut Url, path: &[&str]) {
    // Only an address that cannot be a base has no segments, and `trusted` takes none.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
}

/// Whether an address is one of this machine.
pub(in crate::connectors) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An address that secrets may be sent to: by TLS, or where both it and where it was learnt are on this machine, which is
/// a simulator.
pub(in crate::connectors) fn trusted(
    learnt_at: &Url,
    call: &'static str,
    what: &str,
    text: &str,
) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|_| odd(call, &format!("{what} is no address")))?;
    let is_simulator = is_here(learnt_at) && is_here(&url) && url.scheme() == "http";
    if url.scheme() == "https" || is_simulator {
        return Ok(url);
    }
    Err(odd(call, &format!("{what} is no address by https")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_by_tls_but_to_a_simulator() {
        for (learnt_at, text, expected) in [
            ("https://login.salesforce.com", "https://acme.my.salesforce.com", true),
            ("https://login.salesforce.com", "http://acme.my.salesforce.com", false),
            ("https://login.salesforce.com", "http://127.0.0.1:8403", false),
            ("http://127.0.0.1:8403", "http://127.0.0.1:8404", true),
            ("http://127.0.0.1:8403", "http://localhost:8404", true),
            ("http://[::1]:8403", "http://127.0.0.1.example.com", false),
            ("http://[::1]:8403", "ftp://127.0.0.1", false),
            ("https://login.salesforce.com", "acme.my.salesforce.com", false),
            ("https://login.salesforce.com", "data:text/plain,x", false),
            ("https://login.salesforce.com", "", false),
        ] {
            let trusted = trusted(&learnt_at.parse().unwrap(), "token", "instance_url", text);
            assert_eq!(trusted.is_ok(), expected, "{learnt_at}, {text}");
        }
    }
}
