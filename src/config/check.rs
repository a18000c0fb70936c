//! Raw configuration into a valid one. A message never repeats a value: it may be a secret in the wrong place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use url::{Host, Url};

use super::number::{between, within};
use super::raw::{
    COMMIT_MS_MAX, DeadLetterPayload, FSYNC_MS_MAX, LinkBy, REFRESH_MINUTES_MAX, RETENTION_DAYS_MAX, RawBus,
    RawConfig, RawData, RawDirectory, RawOps, RawPrivacy, RawProcessor, RawSecret, WORKERS_MAX,
};
use super::{
    Config, Data, Directory, Ops, Privacy, Processor, Secret, SecretStore, bridge, bus, cxone, salesforce,
};
use crate::document::{Entries, Field, Mistakes, Place, Placed, quoted};
use crate::domain::AccountName;

const OPS_PORT: u16 = 9464;

pub(super) fn check(raw: RawConfig, secrets: &SecretStore<'_>, mistakes: &mut Mistakes) -> Option<Config> {
    let bus = bus::check(raw.bus.or(RawBus::default()), secrets, mistakes);
    let (mut organisations, mut tokens) = (BTreeMap::new(), BTreeSet::new());
    let salesforce = accounts(raw.salesforce, mistakes, |raw, mistakes| {
        let (place, org) = (raw.place, salesforce::salesforce(raw, secrets, mistakes)?);
        if organisations.insert(org.organisation_id, place).is_some() {
            mistakes
                .error(place, "organisation-id", "another section has this `organisation_id` already")
                .mend("an org has one section: keep one of the two");
        }
        let token = org.bridge.as_ref().map(|trusted| (trusted.issuer.clone(), trusted.audience.clone()));
        if token.is_some_and(|token| !tokens.insert(token)) {
            mistakes
                .error(place, "issuer", "another org has this `issuer` and `audience` already")
                .mend("give each org an issuer of its own: by it a token belongs to its org");
        }
        Some(org)
    });
    let bridge = raw.bridge.into_given().map(|raw| bridge::bridge(raw, secrets, mistakes));
    let cxone = accounts(raw.cxone, mistakes, |raw, mistakes| cxone::cxone(raw, secrets, mistakes));
    let directory = directory(raw.directory.or(RawDirectory::default()), mistakes);
    let privacy = privacy(raw.privacy.or(RawPrivacy::default()), mistakes);
    let processor = processor(raw.processor.or(RawProcessor::default()), mistakes);
    let data = data(raw.data.or(RawData::default()), mistakes);
    let ops = ops(raw.ops.or(RawOps::default()), mistakes);
    Some(Config {
        bus: bus?,
        salesforce,
        bridge: bridge.map_or(Some(None), |bridge| bridge.map(Some))?,
        cxone,
        directory: directory?,
        privacy: privacy?,
        processor: processor?,
        data: data?,
        ops: ops?,
    })
}

fn accounts<R, T>(
    raw: Field<Entries<R>>,
    mistakes: &mut Mistakes,
    mut check: impl FnMut(Placed<R>, &mut Mistakes) -> Option<T>,
) -> BTreeMap<AccountName, T> {
    let mut accounts = BTreeMap::new();
    for (name, raw) in raw.or(Entries::default()).0 {
        let parsed = name.value.parse::<AccountName>();
        if let Err(e) = parsed {
            mistakes
                .error(name.place, "account-name", format!("{}: {e}", quoted(&name.value)))
                .mend("write a name such as \"main\" or \"emea-2\"");
        }
        let at_name = |raw: Placed<R>| Placed { place: name.place, value: raw.value };
        let account = raw.into_given().and_then(|raw| check(at_name(raw), mistakes));
        if let (Ok(name), Some(account)) = (parsed, account) {
            accounts.insert(name, account);
        }
    }
    accounts
}

fn directory(raw: RawDirectory, mistakes: &mut Mistakes) -> Option<Directory> {
    let refresh_minutes =
        between(raw.refresh_minutes, "refresh_minutes", (0, 0, REFRESH_MINUTES_MAX), mistakes);
    let mut link_by = vec![LinkBy::Email, LinkBy::FederationId, LinkBy::UserName];
    if let Some(given) = raw.link_by.into_given() {
        link_by.clear();
        for one in given.value.into_iter().filter_map(Field::into_given) {
            if link_by.contains(&one.value) {
                mistakes.error(one.place, "value", "`link_by` has this twice").mend("keep one of the two");
            }
            link_by.push(one.value);
        }
    }
    Some(Directory { link_by, refresh_minutes: refresh_minutes? })
}

fn privacy(raw: RawPrivacy, mistakes: &mut Mistakes) -> Option<Privacy> {
    let days = within(raw.retention_days, "retention_days", 30, RETENTION_DAYS_MAX, mistakes);
    let dead_letter_payload = raw.dead_letter_payload.or(DeadLetterPayload::Hashed);
    Some(Privacy { retention_days: days?, dead_letter_payload })
}

fn processor(raw: RawProcessor, mistakes: &mut Mistakes) -> Option<Processor> {
    let name = match raw.name.into_given() {
        None => Some(None),
        Some(name) => {
            let good = Processor::may_be_named(&name.value);
            if !good {
                mistakes
                    .error(name.place, "value", "`name` cannot be part of a group's and a transaction's name")
                    .mend(format!(
                        "write 1 to {} of a-z, A-Z, 0-9, '.', '-' and '_'",
                        Processor::NAME_LENGTH_MAX
                    ));
            }
            good.then_some(Some(name.value))
        }
    };
    let workers = within(raw.workers, "workers", 1, WORKERS_MAX, mistakes);
    let commit_interval_ms =
        within(raw.commit_interval_ms, "commit_interval_ms", 50, COMMIT_MS_MAX, mistakes);
    Some(Processor { name: name?, workers: workers?, commit_interval_ms: commit_interval_ms? })
}

fn data(raw: RawData, mistakes: &mut Mistakes) -> Option<Data> {
    let fsync_ms = between(raw.fsync_ms, "fsync_ms", (0, 0, FSYNC_MS_MAX), mistakes);
    // Without one there is no bound, and no default to tell of.
    let partition_mib_max = match raw.partition_mib_max.into_given() {
        None => Some(None),
        Some(given) => {
            let good = given.value.within(1, u16::MAX);
            if good.is_none() {
                mistakes
                    .error(given.place, "value", "`partition_mib_max` is out of range")
                    .mend(format!("write a number from 1 to {}, or leave it away", u16::MAX));
            }
            good.map(Some)
        }
    };
    let free_mib_min = within(raw.free_mib_min, "free_mib_min", 64, u16::MAX, mistakes);
    Some(Data { fsync_ms: fsync_ms?, partition_mib_max: partition_mib_max?, free_mib_min: free_mib_min? })
}

fn ops(raw: RawOps, mistakes: &mut Mistakes) -> Option<Ops> {
    let Some(text) = raw.listen.into_given() else {
        return Some(Ops { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, OPS_PORT)) });
    };
    let Ok(listen) = text.value.parse::<SocketAddr>() else {
        mistakes
            .error(text.place, "value", "`listen` is not an address with a port")
            .mend(format!("write ADDRESS:PORT, such as \"127.0.0.1:{OPS_PORT}\""));
        return None;
    };
    if !listen.ip().is_loopback() {
        mistakes
            .warning(
                text.place,
                "open-endpoint",
                "metrics and status can be read from other machines, without a log-in",
            )
            .mend(format!("write \"127.0.0.1:{}\", or keep the port behind a firewall", listen.port()));
    }
    Some(Ops { listen })
}

pub(super) fn text(
    raw: Field<String>,
    owner: Place,
    key: &str,
    mend: &str,
    mistakes: &mut Mistakes,
) -> Option<String> {
    raw.required(mistakes, owner, key, mend).and_then(|text| filled(text, key, mistakes))
}

/// A text that says something, and nothing that nobody sees: what is copied from a page brings that along.
pub(super) fn filled(text: Placed<String>, key: &str, mistakes: &mut Mistakes) -> Option<String> {
    let (what, mend) = if text.value.trim().is_empty() {
        ("is empty", "write it, or delete the line")
    } else if text.value.trim().len() < text.value.len() {
        ("begins or ends with a blank", "delete the blank")
    } else if text.value.contains(is_invisible) {
        ("has a character that nobody sees", "write it by hand, instead of copying it")
    } else {
        return Some(text.value);
    };
    mistakes.error(text.place, "value", format!("`{key}` {what}")).mend(mend);
    None
}

/// Whether a character is for machines, joins or parts others, or turns the direction of writing.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

pub(super) fn email(raw: Field<String>, owner: Place, key: &str, mistakes: &mut Mistakes) -> Option<String> {
    let mend = format!("write {key} = \"NAME@HOST\"");
    let text = raw.required(mistakes, owner, key, &mend)?;
    let good = text.value.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !text.value.contains(|c: char| c.is_whitespace() || is_invisible(c))
    });
    if !good {
        mistakes
            .error(text.place, "value", format!("`{key}` has not the form of an e-mail address"))
            .mend(mend);
    }
    good.then_some(text.value)
}

pub(super) fn secret(
    raw: Field<RawSecret>,
    owner: Place,
    key: &str,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<Secret> {
    let mend = format!("write {key} = {{ secret_file = \"PATH\" }} or {{ secret_env = \"NAME\" }}");
    let raw = raw.required(mistakes, owner, key, &mend)?;
    secrets.find(key, raw, mistakes)
}

/// Whether a server on another machine may be reached without TLS.
#[derive(Clone, Copy)]
pub(super) enum Plaintext {
    Never,
    /// It may be allowed, and is not.
    NotAllowed,
    Allowed,
}

/// TLS off loopback; a password in an address would be a secret in the configuration.
pub(super) fn web_address(
    text: Placed<String>,
    key: &str,
    plaintext: Plaintext,
    mistakes: &mut Mistakes,
) -> Option<Url> {
    let mut wrong = |what: &str, mend: &str| {
        mistakes.error(text.place, "value", format!("`{key}` {what}")).mend(mend);
        None
    };
    let Ok(url) = Url::parse(&text.value) else {
        return wrong("is not an address", "write https://HOST");
    };
    let Some(host) = url.host() else { return wrong("names no host", "write https://HOST") };
    let loopback = is_loopback(&host);
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("has a user name or password in it", "write https://HOST, without them");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has more than a host and a path", "write https://HOST, without ? and #");
    }
    match (url.scheme(), plaintext) {
        ("https", _) | ("http", Plaintext::Allowed) => Some(url),
        ("http", _) if loopback => Some(url),
        ("http", Plaintext::NotAllowed) => wrong(
            "is not encrypted",
            "write https://, or allow_plaintext = true where you trust the network between",
        ),
        (scheme, plaintext) if scheme != "http" => {
            let mend = match plaintext {
                Plaintext::Allowed => "write https://HOST, or http://HOST",
                Plaintext::NotAllowed | Plaintext::Never => "write https://HOST",
            };
            wrong("is not an address of the web", mend)
        }
        _ => wrong("is not encrypted", "write https:// (http:// is for this machine only)"),
    }
}

/// The path of a file that can be read now.
pub(super) fn file(
    text: Placed<String>,
    key: &str,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<PathBuf> {
    let place = text.place;
    let value = filled(text, key, mistakes)?;
    secrets.file(key, Placed { place, value }, mistakes)
}

/// A proxy, and a file of authorities: each may be absent.
pub(super) fn way_out(
    proxy: Field<String>,
    ca_file: Field<String>,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<(Option<Url>, Option<PathBuf>)> {
    let proxy = proxy.into_given().map(|text| web_address(text, "proxy", Plaintext::Allowed, mistakes));
    let ca_file = ca_file.into_given().map(|text| file(text, "ca_file", secrets, mistakes));
    let ca_file = ca_file.map_or(Some(None), |file| file.map(Some));
    Some((proxy.map_or(Some(None), |proxy| proxy.map(Some))?, ca_file?))
}

/// Whether a host is this machine.
pub(super) fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => name.as_ref() == "localhost",
    }
}

/// Of two keys that belong together: an error where one is there without the other.
pub(super) fn needs<T, U>(has: &Field<T>, other: &Field<U>, what: &str, mend: &str, mistakes: &mut Mistakes) {
    if let (Field::Given(has), Field::Absent) = (has, other) {
        mistakes.error(has.place, "missing", what).mend(mend);
    }
}
