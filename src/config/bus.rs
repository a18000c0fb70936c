//! The raw section `[bus]` into a valid one.

use std::net::Ipv4Addr;

use url::Host;

use super::check::{Plaintext, filled, needs, web_address, within};
use super::raw::{PARTITIONS_MAX, RawBus, RawSecret};
use super::{Bus, RegistryLogin, SchemaRegistry, SecretStore};
use crate::document::{Field, Mistakes, Placed};

/// One more begins to cost more latency than it gives.
const PARTITIONS_DEFAULT: u16 = 8;
const PREFIX_LENGTH_MAX: usize = 100;

pub(super) fn check(raw: RawBus, secrets: &SecretStore<'_>, mistakes: &mut Mistakes) -> Option<Bus> {
    let servers = match raw.bootstrap_servers.into_given() {
        None => Some(vec![format!("{}:9092", Ipv4Addr::LOCALHOST)]),
        Some(list) => servers(list, mistakes),
    };
    let prefix = prefix(raw.prefix, mistakes);
    let partitions = within(raw.partitions, "partitions", PARTITIONS_DEFAULT, PARTITIONS_MAX, mistakes);
    let allow_plaintext = raw.allow_plaintext.or(false);
    let plaintext = if allow_plaintext { Plaintext::Allowed } else { Plaintext::NotAllowed };
    let has_registry = !matches!(raw.schema_registry, Field::Absent);
    let url = raw.schema_registry.into_given();
    let url = url.and_then(|text| web_address(text, "schema_registry", plaintext, mistakes));
    let login = registry_login(
        raw.schema_registry_user,
        raw.schema_registry_password,
        has_registry,
        secrets,
        mistakes,
    );
    Some(Bus {
        bootstrap_servers: servers?,
        prefix: prefix?,
        partitions: partitions?,
        schema_registry: url.map(|url| SchemaRegistry { url, login }),
        allow_plaintext,
    })
}

fn prefix(raw: Field<String>, mistakes: &mut Mistakes) -> Option<String> {
    let Some(prefix) = raw.into_given() else { return Some("presence".to_owned()) };
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=PREFIX_LENGTH_MAX).contains(&prefix.value.len());
    if fits && prefix.value.bytes().all(legal) {
        return Some(prefix.value);
    }
    mistakes
        .error(prefix.place, "value", "`prefix` cannot begin a topic name")
        .mend(format!("write 1 to {PREFIX_LENGTH_MAX} of a-z, A-Z, 0-9, dot, hyphen and underscore"));
    None
}

/// The user and password for a schema registry: both or none, and only where there is one.
fn registry_login(
    user: Field<String>,
    password: Field<RawSecret>,
    has_registry: bool,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> Option<RegistryLogin> {
    const USER: &str = "schema_registry_user";
    const PASSWORD: &str = "schema_registry_password";
    let given = [(USER, user.given().map(|user| user.place)), (PASSWORD, password.given().map(|p| p.place))];
    for (key, place) in given.into_iter().filter(|_| !has_registry) {
        if let Some(place) = place {
            let what = format!("`{key}` is for a schema registry, and there is none");
            let mend = "write schema_registry = \"https://HOST\", or delete the line";
            mistakes.error(place, "missing", what).mend(mend);
        }
    }
    needs(
        &user,
        &password,
        "`schema_registry_password` is missing: a user has a password",
        "write schema_registry_password = { secret_file = \"PATH\" } or { secret_env = \"NAME\" }",
        mistakes,
    );
    needs(
        &password,
        &user,
        "`schema_registry_user` is missing: a password is that of a user",
        "write schema_registry_user = \"NAME\"",
        mistakes,
    );
    let user = user.into_given().and_then(|text| filled(text, USER, mistakes));
    let password = password.into_given().and_then(|raw| secrets.find(PASSWORD, raw, mistakes));
    user.zip(password).map(|(user, password)| RegistryLogin { user, password })
}

fn servers(list: Placed<Vec<Field<String>>>, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    if list.value.is_empty() {
        mistakes
            .error(list.place, "value", "`bootstrap_servers` is empty")
            .mend("write at least one, such as [\"127.0.0.1:9092\"]");
        return None;
    }
    let server = |field: Field<String>| {
        let Placed { place, value } = field.into_given()?;
        let good = value.rsplit_once(':').is_some_and(|(host, port)| {
            Host::parse(host).is_ok() && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !good {
            mistakes
                .error(place, "value", "not a broker's address")
                .mend("write HOST:PORT, such as \"kafka-1:9092\"");
        }
        good.then_some(value)
    };
    // Every entry is looked at before the first bad one ends the list.
    let servers: Vec<Option<String>> = list.value.into_iter().map(server).collect();
    servers.into_iter().collect()
}
