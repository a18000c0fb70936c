//! From which pages browsers may connect.

/// An origin that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no origin: write https://HOST, or https://*.HOST for all hosts under it")]
pub struct OriginError {
    text: String,
}

/// Origins of pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    One(String),
    /// All that end so, after `https://` and at least one more name.
    Under(String),
}

impl Origins {
    /// These. `https://*.HOST` is all hosts under one.
    ///
    /// # Errors
    /// One of them is none.
    pub fn new(texts: &[String]) -> Result<Origins, OriginError> {
        texts.iter().map(|text| origin(text)).collect::<Result<_, _>>().map(Origins)
    }

    /// Whether a page of this origin may come.
    pub fn allow(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.0.iter().any(|one| match one {
            Origin::One(known) => *known == origin,
            Origin::Under(host) => {
                let name = origin.strip_prefix("https://").and_then(|host_of| host_of.strip_suffix(&**host));
                name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_of_a_host))
            }
        })
    }
}

const fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')
}

fn origin(text: &str) -> Result<Origin, OriginError> {
    let wrong = || OriginError { text: text.to_owned() };
    let lower = text.to_ascii_lowercase();
    let is_host = |host: &str| {
        let (host, port) = host.split_once(':').unwrap_or((host, "443"));
        !host.is_empty() && host.bytes().all(is_of_a_host) && port.parse::<u16>().is_ok()
    };
    if let Some(host) = lower.strip_prefix("https://*.") {
        let is_under = is_host(host) && host.contains('.') && !host.contains(':');
        return if is_under { Ok(Origin::Under(format!(".{host}"))) } else { Err(wrong()) };
    }
    // Without TLS there are only pages of this machine.
    let here = lower
        .strip_prefix("http://")
        .filter(|host| matches!(host.split(':').next(), Some("localhost" | "127.0.0.1")));
    match lower.strip_prefix("https://").or(here) {
        Some(host) if is_host(host) => Ok(Origin::One(lower.clone())),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_known_hosts_may_come() {
        let texts = ["https://x.lightning.force.com", "https://*.Example.com", "http://localhost:8080"];
        let origins = Origins::new(&texts.map(str::to_owned)).unwrap();
        for (origin, allowed) in [
            ("https://x.lightning.force.com", true),
            ("https://X.lightning.force.com", true),
            ("https://x.lightning.force.com:8443", false),
            ("http://x.lightning.force.com", false),
            ("https://y.lightning.force.com", false),
            ("https://a.example.com", true),
            ("https://a.b.example.com", true),
            ("https://example.com", false),
            ("https://.example.com", false),
            ("https://evilexample.com", false),
            ("https://a.example.com.evil.org", false),
            ("https://evil.org/.example.com", false),
            ("https://evil.org#.example.com", false),
            ("https://evil.org:443/a.example.com", false),
            ("http://localhost:8080", true),
            ("http://localhost:8081", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(origins.allow(origin), allowed, "{origin}");
        }
        assert!(!Origins::default().allow("https://x.lightning.force.com"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "*",
            "https://*",
            "https://*.com",
            "https://",
            "http://example.com",
            "x.lightning.force.com",
            "https://x/y",
            "https://a b",
            "https://*.a.com:1",
            "https://x:port",
            "",
        ] {
            assert!(Origins::new(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
