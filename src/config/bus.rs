//! The raw section `[bus]` into a valid one.

use std::net::Ipv4Addr;

use url::Host;

use super::check::{Plaintext, file, filled, is_loopback, needs, web_address};
use super::number::{Whole, within};
use super::raw::{PARTITIONS_MAX, REPLICAS_MAX, RawBus, RawSecret};
use super::secret::warn_if_open;
use super::{
    Bus, ClientCertificate, RegistryLogin, Sasl, SaslMechanism, SchemaRegistry, SecretStore, Tls, librdkafka,
};
use crate::document::{Entries, Field, Mistakes, Place, Placed};

/// One more begins to cost more latency than it gives.
const PARTITIONS_DEFAULT: u16 = 8;
const PREFIX_LENGTH_MAX: usize = 100;
/// With these two a broker may be away, and every record is still on two others before it counts.
const REPLICATION_FACTOR_DEFAULT: u16 = 3;
const MIN_INSYNC_REPLICAS_DEFAULT: u16 = 2;

pub(super) fn check(raw: RawBus, secrets: &SecretStore<'_>, mistakes: &mut Mistakes) -> Option<Bus> {
    let servers = match raw.bootstrap_servers.into_given() {
        None => Some(vec![format!("{}:9092", Ipv4Addr::LOCALHOST)]),
        Some(list) => servers(list, mistakes),
    };
    let prefix = prefix(raw.prefix, mistakes);
    let partitions = within(raw.partitions, "partitions", PARTITIONS_DEFAULT, PARTITIONS_MAX, mistakes);
    let replicas = replicas(raw.replication_factor, raw.min_insync_replicas, mistakes);
    let allow_plaintext = raw.allow_plaintext.or(false);
    let remote = servers.as_ref().is_some_and(|servers| !servers.iter().all(|server| is_here(server)));
    let keys = TlsKeys {
        ca_file: raw.tls_ca_file,
        certificate_file: raw.tls_certificate_file,
        key_file: raw.tls_key_file,
        key_password: raw.tls_key_password,
    };
    let encrypted = encrypted(raw.tls, &keys.given(), remote, allow_plaintext, mistakes);
    let tls = keys.check(secrets, mistakes);
    let sasl = SaslKeys { mechanism: raw.sasl_mechanism, user: raw.sasl_user, password: raw.sasl_password };
    let sasl = sasl.check(remote && !encrypted, secrets, mistakes);
    let librdkafka = librdkafka::check(raw.librdkafka.or(Entries::default()), secrets, mistakes);
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
    let (replication_factor, min_insync_replicas) = replicas?;
    Some(Bus {
        bootstrap_servers: servers?,
        prefix: prefix?,
        partitions: partitions?,
        replication_factor,
        min_insync_replicas,
        tls: encrypted.then_some(tls),
        sasl,
        schema_registry: url.map(|url| SchemaRegistry { url, login }),
        allow_plaintext,
        librdkafka,
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

/// Replication factor and in-sync replicas, which is never more.
fn replicas(factor: Field<Whole>, in_sync: Field<Whole>, mistakes: &mut Mistakes) -> Option<(u16, u16)> {
    let (unknown, place) = (matches!(factor, Field::Wrong), in_sync.given().map(|number| number.place));
    let factor = within(factor, "replication_factor", REPLICATION_FACTOR_DEFAULT, REPLICAS_MAX, mistakes);
    let default = MIN_INSYNC_REPLICAS_DEFAULT.min(factor.unwrap_or(REPLICATION_FACTOR_DEFAULT));
    let in_sync = within(in_sync, "min_insync_replicas", default, REPLICAS_MAX, mistakes);
    let (factor, in_sync) = factor.filter(|_| !unknown).zip(in_sync)?;
    if let Some(place) = place.filter(|_| in_sync > factor) {
        mistakes
            .error(place, "value", "`min_insync_replicas` is greater than `replication_factor`")
            .mend(format!("write a number from 1 to {factor}; {default} if unsure"));
    }
    Some((factor, in_sync))
}

/// Whether brokers are reached with TLS. `keys` are those that are for TLS only.
fn encrypted(
    tls: Field<bool>,
    keys: &[(&str, Place)],
    remote: bool,
    allow_plaintext: bool,
    mistakes: &mut Mistakes,
) -> bool {
    let Some(tls) = tls.into_given() else { return remote || !keys.is_empty() };
    if tls.value {
        return true;
    }
    for (key, place) in keys {
        mistakes
            .error(*place, "conflict", format!("`{key}` is for TLS, and `tls` is false"))
            .mend("delete the line, or write tls = true");
    }
    if remote && !allow_plaintext {
        mistakes
            .error(tls.place, "value", "`tls` is false, and a broker is on another machine")
            .mend("write tls = true, or allow_plaintext = true where you trust the network between");
    }
    false
}

/// The keys that are for TLS only.
struct TlsKeys {
    ca_file: Field<String>,
    certificate_file: Field<String>,
    key_file: Field<String>,
    key_password: Field<RawSecret>,
}

impl TlsKeys {
    fn given(&self) -> Vec<(&'static str, Place)> {
        let files = [
            ("tls_ca_file", &self.ca_file),
            ("tls_certificate_file", &self.certificate_file),
            ("tls_key_file", &self.key_file),
        ];
        let files = files.into_iter().map(|(key, file)| (key, file.given().map(|file| file.place)));
        let password = ("tls_key_password", self.key_password.given().map(|password| password.place));
        files.chain([password]).filter_map(|(key, place)| place.map(|place| (key, place))).collect()
    }

    fn check(self, secrets: &SecretStore<'_>, mistakes: &mut Mistakes) -> Tls {
        let TlsKeys { ca_file, certificate_file, key_file, key_password } = self;
        needs(
            &certificate_file,
            &key_file,
            "`tls_key_file` is missing: a certificate has a key",
            "write tls_key_file = \"PATH\"",
            mistakes,
        );
        needs(
            &key_file,
            &certificate_file,
            "`tls_certificate_file` is missing: a key is that of a certificate",
            "write tls_certificate_file = \"PATH\"",
            mistakes,
        );
        needs(
            &key_password,
            &key_file,
            "`tls_key_file` is missing: a password is that of a key",
            "write tls_key_file = \"PATH\"",
            mistakes,
        );
        let file = |raw: Field<String>, key, mistakes: &mut Mistakes| {
            raw.into_given().and_then(|text| file(text, key, secrets, mistakes))
        };
        let key_place = key_file.given().map(|key| key.place);
        let ca_file = file(ca_file, "tls_ca_file", mistakes);
        let certificate_file = file(certificate_file, "tls_certificate_file", mistakes);
        let key_file = file(key_file, "tls_key_file", mistakes);
        if let (Some(path), Some(place)) = (&key_file, key_place) {
            warn_if_open(path, place, mistakes);
        }
        let key_password =
            key_password.into_given().and_then(|raw| secrets.find("tls_key_password", raw, mistakes));
        let client = certificate_file.zip(key_file).map(|(certificate_file, key_file)| ClientCertificate {
            certificate_file,
            key_file,
            key_password,
        });
        Tls { ca_file, client }
    }
}

/// The keys of the user whom the cluster knows.
struct SaslKeys {
    mechanism: Field<SaslMechanism>,
    user: Field<String>,
    password: Field<RawSecret>,
}

impl SaslKeys {
    /// `exposed` is whether other machines could listen.
    fn check(self, exposed: bool, secrets: &SecretStore<'_>, mistakes: &mut Mistakes) -> Option<Sasl> {
        let SaslKeys { mechanism, user, password } = self;
        needs(
            &user,
            &password,
            "`sasl_password` is missing: a user has a password",
            "write sasl_password = { secret_file = \"PATH\" } or { secret_env = \"NAME\" }",
            mistakes,
        );
        let write_user = "write sasl_user = \"NAME\"";
        needs(&password, &user, "`sasl_user` is missing: a password is that of a user", write_user, mistakes);
        needs(&mechanism, &user, "`sasl_user` is missing: a mechanism proves a user", write_user, mistakes);
        if let Field::Given(Placed { place, value: SaslMechanism::Plain }) = mechanism
            && exposed
        {
            mistakes
                .warning(
                    place,
                    "password-in-plaintext",
                    "with PLAIN and without TLS the password itself can be read on the network",
                )
                .mend("write tls = true, or sasl_mechanism = \"SCRAM-SHA-512\"");
        }
        let mechanism = mechanism.or(SaslMechanism::ScramSha512);
        let user = user.into_given().and_then(|text| filled(text, "sasl_user", mistakes));
        let password = password.into_given().and_then(|raw| secrets.find("sasl_password", raw, mistakes));
        user.zip(password).map(|(user, password)| Sasl { mechanism, user, password })
    }
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
            // A comma would part it into two for librdkafka.
            Host::parse(host).is_ok() && !host.contains(',') && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !good {
            mistakes
                .error(place, "value", "an entry of `bootstrap_servers` is not a broker's address")
                .mend("write HOST:PORT, such as \"kafka-1:9092\"");
        }
        good.then_some(value)
    };
    // Every entry is looked at before the first bad one ends the list.
    let servers: Vec<Option<String>> = list.value.into_iter().map(server).collect();
    servers.into_iter().collect()
}

/// Whether a broker, whose address is good, is on this machine.
fn is_here(server: &str) -> bool {
    let host = server.rsplit_once(':').and_then(|(host, _)| Host::parse(host).ok());
    host.is_some_and(|host| is_loopback(&host))
}
