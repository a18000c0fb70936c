//! The gateway of the bridge: what it needs, and whether it answers.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::tls::TlsInfo;
use tokio::net::TcpStream;

use lockstep::config::{self, Config};
use lockstep::listen::{Certificate, Tls};

use super::report::Report;
use crate::cli::files;
use crate::cli::run::bridge::{FURTHER_FILES, trusted};

/// A gateway on this machine answers sooner.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Where a browser may only post: a gateway refuses anything else, and takes note of nobody.
const ASKED: &str = "/bridge/v1/stream";

/// Looks at it.
pub(super) async fn look(config: &Config, report: &mut Report) {
    const ID: &str = "gateway";
    let Some(bridge) = &config.bridge else {
        let because = "the configuration has no [bridge]";
        let mend = "write it where browsers are to connect: nobody else can set agents in Salesforce";
        return report.unknown(ID, "", because, mend);
    };
    keys(config, report);
    let certificate = bridge.tls_certificate_file.as_deref().zip(bridge.tls_key_file.as_deref());
    if let Some((certificate, key)) = certificate {
        match Tls::of_files(certificate, key) {
            Ok(_) => report.ok("gateway-certificate", "", "the certificate and its key fit"),
            Err(why) => {
                let mend = "name a certificate and the key that it was made for, both in PEM";
                report.failed("gateway-certificate", "", why.to_string(), mend);
            }
        }
    }
    open_files(bridge.connections_max, files::most(), report);
    reached(bridge, report).await;
}

/// The keys by which browsers' tokens are known.
fn keys(config: &Config, report: &mut Report) {
    const ID: &str = "token-keys";
    for (name, org) in &config.salesforce {
        let about = format!("salesforce.{name}");
        let Some(tokens) = &org.bridge else {
            let what = "no browser of its agents is let in";
            report.warning(ID, &about, what, format!("write [{about}.bridge]: docs/bridge.md shows how"));
            continue;
        };
        match trusted(*name, tokens) {
            Ok(_) => report.ok(ID, &about, format!("{} can be read", tokens.keys.len())),
            Err(error) => {
                let mend = "name the public key of the org's certificate, in PEM: docs/bridge.md shows how to get it";
                report.failed(ID, &about, format!("{error:#}"), mend);
            }
        }
    }
}

/// Each connection is an open file.
fn open_files(connections_max: u16, most: Option<u64>, report: &mut Report) {
    const ID: &str = "open-files";
    let needed = u64::from(connections_max) + FURTHER_FILES;
    match most {
        None => report.ok(ID, "", format!("as many as there are; {needed} are needed")),
        Some(most) if most >= needed => {
            report.ok(
                ID,
                "",
                format!("{most} may be open; {needed} are needed for {connections_max} browsers"),
            );
        }
        Some(most) => {
            let what = format!("{most} may be open here; {needed} are needed for {connections_max} browsers");
            let mend = "raise that limit where the gateway runs (LimitNOFILE), or lower `connections_max` of [bridge]";
            report.warning(ID, "", what, mend);
        }
    }
}

/// Where a gateway that listens there is asked on this machine.
fn asked_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether it answers, and with the certificate of the file.
async fn reached(bridge: &config::Bridge, report: &mut Report) {
    const ID: &str = "gateway";
    let at = asked_at(bridge.listen);
    let connected = tokio::time::timeout(ANSWERS_WITHIN, TcpStream::connect(at)).await;
    let why = match connected {
        Ok(Ok(stream)) => {
            drop(stream);
            None
        }
        Ok(Err(why)) if why.kind() == ErrorKind::ConnectionRefused => Some("nobody listens".to_owned()),
        Ok(Err(why)) => Some(why.to_string()),
        Err(_) => Some("nobody answers in time".to_owned()),
    };
    if let Some(why) = why {
        let what = format!("no gateway runs there, at {at}: {why}");
        let mend = "start it: `lockstep run --roles bridge`; or check on the machine that it runs on";
        return report.warning(ID, "", what, mend);
    }
    let scheme = if bridge.tls_certificate_file.is_some() { "https" } else { "http" };
    match answer(&format!("{scheme}://{at}{ASKED}")).await {
        Ok((StatusCode::METHOD_NOT_ALLOWED, shown)) => {
            let file = bridge.tls_certificate_file.as_deref();
            let of_file = file.and_then(|file| Certificate::of_file(file).ok()?.into_iter().next());
            match (of_file, shown) {
                (Some(of_file), Some(shown)) if !of_file.is(&shown) => {
                    let what =
                        format!("the one at {at} shows another certificate than tls_certificate_file has");
                    report.warning(ID, "", what, "restart it: it reads the file when it starts");
                }
                _ => report.ok(ID, "", format!("one answers at {at}, by {scheme}")),
            }
        }
        Ok((status, _)) => {
            let what =
                format!("something else than a gateway answers at {at}, with status {}", status.as_u16());
            report.failed(ID, "", what, "end what listens there, or change `listen` of [bridge]");
        }
        Err(error) => {
            let what = format!("what listens at {at} does not answer by {scheme}: {}", causes(&error));
            report.failed(
                ID,
                "",
                what,
                "restart the gateway with this configuration, or end what else listens there",
            );
        }
    }
}

/// What is answered, and which certificate is shown: none is refused here, as the name on it is another than this address.
async fn answer(url: &str) -> Result<(StatusCode, Option<Vec<u8>>), reqwest::Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWERS_WITHIN)
        .tls_danger_accept_invalid_certs(true)
        .tls_info(true)
        .build()?;
    let response = client.get(url).send().await?;
    let shown = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    Ok((response.status(), shown.map(<[u8]>::to_vec)))
}

/// Why, down to the last cause.
fn causes(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_listens_everywhere_is_asked_here() {
        for (listen, at) in [
            ("0.0.0.0:8470", "127.0.0.1:8470"),
            ("[::]:8470", "[::1]:8470"),
            ("10.0.0.7:443", "10.0.0.7:443"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ] {
            assert_eq!(asked_at(listen.parse().unwrap()), at.parse().unwrap());
        }
    }

    #[test]
    fn files_are_for_browsers_and_others() {
        let needed = 100 + FURTHER_FILES;
        for (most, verdict) in [(None, "ok"), (Some(needed), "ok"), (Some(needed - 1), "warning")] {
            let mut report = Report::default();
            open_files(100, most, &mut report);
            let told = serde_json::to_value(report.told()).unwrap();
            assert_eq!(told["checks"][0]["result"], verdict, "{most:?}");
        }
    }
}
