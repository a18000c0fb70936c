//! The configuration: mistakes in it, and certificates and keys that it names.

use std::fs::File;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use lockstep::config::{Config, Tls};
use lockstep::document::Severity;
use lockstep::listen::{Certificate, Validity};

use super::report::Report;
use crate::cli::deployment::{Configured, Deployment};

/// Who has so long left can still get another certificate.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a certificate is for: of authorities one is enough.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// It is shown to others, with those that lead to its root.
    Showing,
    /// By these others are trusted.
    Trusting,
}

/// Reads it; none where it cannot be used.
pub(super) fn look(configured: &Configured, report: &mut Report) -> Option<Deployment> {
    const ID: &str = "configuration";
    let document = match configured.document() {
        Ok(document) => document,
        Err(error) => {
            let mend = "name the file with --config, or a directory that holds everything with --data";
            report.failed(ID, "", format!("{error:#}"), mend);
            return None;
        }
    };
    let (config, mistakes) = configured.read(&document);
    let mut positions = document.positions();
    for mistake in mistakes.in_order() {
        let (line, column) = positions.of(mistake.place);
        let about = format!("{}:{line}:{column}", document.name());
        let mend = mistake.mend.as_deref().unwrap_or("`lockstep config schema` tells every key");
        match mistake.severity {
            Severity::Error => report.failed(ID, &about, mistake.what.as_str(), mend),
            Severity::Warning => report.warning(ID, &about, mistake.what.as_str(), mend),
        }
    }
    if mistakes.is_empty() {
        report.ok(ID, "", format!("{} has no mistakes", document.name()));
    }
    let config = config?;
    files(&config, configured.data.is_none(), report);
    Some(Deployment { config, data: configured.data.clone(), is_configured: configured.config.is_some() })
}

/// The files of certificates and keys. What belongs to the bus counts where there is one.
fn files(config: &Config, has_kafka: bool, report: &mut Report) {
    let now = Timestamp::now();
    let mut certificate =
        |about: &str, file: &Path, purpose: For| self::certificate(about, file, purpose, now, report);
    if let Some(Tls { ca_file, client }) = config.bus.tls.as_ref().filter(|_| has_kafka) {
        if let Some(file) = ca_file {
            certificate("tls_ca_file of [bus]", file, For::Trusting);
        }
        if let Some(client) = client {
            certificate("tls_certificate_file of [bus]", &client.certificate_file, For::Showing);
        }
    }
    for (name, org) in &config.salesforce {
        if let Some(file) = &org.calls.ca_file {
            certificate(&format!("ca_file of [salesforce.{name}.calls]"), file, For::Trusting);
        }
    }
    for (name, tenant) in &config.cxone {
        if let Some(file) = &tenant.calls.ca_file {
            certificate(&format!("ca_file of [cxone.{name}.calls]"), file, For::Trusting);
        }
    }
    if let Some(file) = config.bridge.as_ref().and_then(|bridge| bridge.tls_certificate_file.as_ref()) {
        certificate("tls_certificate_file of [bridge]", file, For::Showing);
    }
    let client = config.bus.tls.as_ref().and_then(|tls| tls.client.as_ref());
    if let Some(client) = client.filter(|_| has_kafka) {
        let (about, file) = ("tls_key_file of [bus]", &client.key_file);
        match File::open(file) {
            Ok(_) => report.ok("key-file", about, format!("{} can be read", file.display())),
            Err(why) => {
                let what = format!("{}: {why}", file.display());
                report.failed("key-file", about, what, "name a file that this user may read");
            }
        }
    }
}

fn certificate(about: &str, file: &Path, purpose: For, now: Timestamp, report: &mut Report) {
    const ID: &str = "certificate";
    let shown = file.display();
    let all = match Certificate::of_file(file) {
        Ok(all) if !all.is_empty() => all,
        Ok(_) => {
            let what = format!("{shown} has no certificate in PEM");
            return report.failed(
                ID,
                about,
                what,
                "name the file that begins with -----BEGIN CERTIFICATE-----",
            );
        }
        Err(why) => {
            let mend = "name a file with certificates in PEM that this user may read";
            return report.failed(ID, about, why.to_string(), mend);
        }
    };
    let validities: Option<Vec<Validity>> = all.iter().map(Certificate::validity).collect();
    let Some(validities) = validities else {
        let because = format!("a certificate in {shown} does not tell for how long it holds");
        return report.unknown(ID, about, &because, "`openssl x509 -noout -dates -in FILE` may tell");
    };
    let (now, soon) = (digits(now), digits(now + SOON));
    let holds = |one: &&Validity| one.from <= now && now < one.until;
    let holding = validities.iter().filter(holds).count();
    let ends = validities.iter().map(|one| one.until.as_str()).min().unwrap_or_default();
    let (count, ends_at) = (validities.len(), day(ends));
    let another = "get another one, and put it there";
    match (purpose, holding) {
        (_, 0) => {
            report.failed(
                ID,
                about,
                format!("none in {shown} holds now, the first until {ends_at}"),
                another,
            );
        }
        (For::Showing, holding) if holding < count => {
            let what = format!("{} of {count} in {shown} do not hold now", count - holding);
            report.failed(ID, about, what, another);
        }
        (For::Trusting, holding) if holding < count => {
            let what = format!("{} of {count} in {shown} do not hold now", count - holding);
            report.warning(ID, about, what, "look whether those are still needed, and get others");
        }
        _ if ends < soon.as_str() => {
            report.warning(ID, about, format!("{shown} holds until {ends_at} only"), another);
        }
        _ => report.ok(ID, about, format!("{shown} holds until {ends_at}")),
    }
}

/// A time as certificates have it.
fn digits(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S").to_string()
}

/// The day of such a time.
fn day(digits: &str) -> String {
    let part = |range| digits.get(range).unwrap_or_default();
    format!("{}-{}-{}", part(0..4), part(4..6), part(6..8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_certificates_write_them() {
        let at: Timestamp = "2026-01-05T10:00:07Z".parse().unwrap();
        assert_eq!(digits(at), "20260105100007");
        assert_eq!(digits(at + SOON), "20260204100007");
        assert_eq!(day("20510305113000"), "2051-03-05");
    }
}
