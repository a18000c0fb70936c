//! Where browsers of agents connect, and which tokens let them in, as they are configured.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use super::check::{filled, needs, text};
use super::number::between;
use super::raw::{RawBridge, RawTrusted, TABS_MAX};
use super::{Bridge, SecretStore, Trusted};
use crate::document::{Entries, Field, Mistakes, Place, Placed, quoted};
use crate::listen::Origins;

const PORT: u16 = 8470;
/// So many connect to one process, on one core and in 1 GB.
const CONNECTIONS_DEFAULT: u16 = 20_000;

pub(super) fn bridge(
    raw: Placed<RawBridge>,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<Bridge> {
    let Placed { place, value: raw } = raw;
    let mend = "write tls_certificate_file and tls_key_file";
    let (certificate, key) = (&raw.tls_certificate_file, &raw.tls_key_file);
    needs(certificate, key, "`tls_key_file` is missing: a certificate has a key", mend, mistakes);
    needs(key, certificate, "`tls_certificate_file` is missing: a key has a certificate", mend, mistakes);
    let mut file = |raw: Field<String>, name: &str| {
        raw.into_given().and_then(|text| filled(text, name, mistakes)).map(|file| secrets.path(&file))
    };
    // Of one that is wrong it is told already.
    let has_tls =
        !matches!(raw.tls_certificate_file, Field::Absent) && !matches!(raw.tls_key_file, Field::Absent);
    let tls_certificate_file = file(raw.tls_certificate_file, "tls_certificate_file");
    let tls_key_file = file(raw.tls_key_file, "tls_key_file");
    let listen = match raw.listen.into_given() {
        None => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
        Some(text) => listen(&text, has_tls, mistakes),
    };
    let origins = origins(raw.origins, place, mistakes);
    let connections =
        between(raw.connections_max, "connections_max", (1, CONNECTIONS_DEFAULT, u16::MAX), mistakes);
    let tabs = between(raw.connections_per_user_max, "connections_per_user_max", (1, 8, TABS_MAX), mistakes);
    Some(Bridge {
        listen: listen?,
        tls_certificate_file,
        tls_key_file,
        origins: origins?,
        connections_max: connections?,
        connections_per_user_max: tabs?,
    })
}

/// The origins of the pages that may connect: at least one.
fn origins(raw: Field<Vec<Field<String>>>, place: Place, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    let missing = "write origins = [\"https://NAME.lightning.force.com\"]";
    let list = raw.required(mistakes, place, "origins", missing)?;
    if list.value.is_empty() {
        mistakes.error(list.place, "missing", "`origins` is empty: no page may connect").mend(missing);
    }
    let mut origins = Vec::new();
    for one in list.value.into_iter().filter_map(Field::into_given) {
        match Origins::new(std::slice::from_ref(&one.value)) {
            Ok(_) => origins.push(one.value),
            Err(_) => {
                mistakes
                    .error(one.place, "value", "an entry of `origins` is no origin")
                    .mend("write \"https://NAME.lightning.force.com\", or \"https://*.HOST\" for all hosts under one");
            }
        }
    }
    Some(origins)
}

fn listen(text: &Placed<String>, has_tls: bool, mistakes: &mut Mistakes) -> Option<SocketAddr> {
    let Ok(listen) = text.value.parse::<SocketAddr>() else {
        mistakes
            .error(text.place, "value", "`listen` is not an address with a port")
            .mend(format!("write ADDRESS:PORT, such as \"0.0.0.0:{PORT}\""));
        return None;
    };
    if !has_tls && !listen.ip().is_loopback() {
        mistakes
            .error(text.place, "missing", "`listen`: other machines can connect there, and nothing would be encrypted")
            .mend(format!(
                "write tls_certificate_file and tls_key_file, or \"127.0.0.1:{}\" where something in front of it does that",
                listen.port()
            ));
        return None;
    }
    Some(listen)
}

pub(super) fn trusted(
    raw: Placed<RawTrusted>,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<Trusted> {
    let Placed { place, value: raw } = raw;
    let issuer = text(raw.issuer, place, "issuer", "write what Apex calls `iss`", mistakes);
    let audience = text(raw.audience, place, "audience", "write what Apex calls `aud`", mistakes);
    let mend = "write keys = { NAME_OF_THE_CERTIFICATE = \"FILE.pem\" }";
    let raw_keys = raw.keys.required(mistakes, place, "keys", mend)?;
    let mut keys = BTreeMap::new();
    let Entries(all) = raw_keys.value;
    if all.is_empty() {
        mistakes.error(raw_keys.place, "missing", "`keys` has no key: no token would be good").mend(mend);
    }
    for (name, file) in all {
        let Some(file) = file.into_given().and_then(|file| filled(file, &name.value, mistakes)) else {
            continue;
        };
        if keys.insert(name.value.clone(), secrets.path(&file)).is_some() {
            mistakes
                .error(name.place, "value", format!("{} is there twice", quoted(&name.value)))
                .mend("keep one of the two");
        }
    }
    Some(Trusted { issuer: issuer?, audience: audience?, keys })
}
