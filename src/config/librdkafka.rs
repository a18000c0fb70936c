//! Further properties of librdkafka: those that Lockstep rests on are not to be had, and a secret is not to be
//! written. Whether there is a property of such a name, librdkafka alone knows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::raw::RawSecret;
use super::{Property, SecretStore};
use crate::document::{Entries, Field, Mistakes, Place, Placed, quoted};

/// A property as it is written.
pub(super) enum RawProperty {
    /// A text, number or boolean, as a text.
    Text(String),
    Secret(RawSecret),
    /// A table that says nothing of a secret: what a name with dots makes that has no quotes.
    Table,
}

/// Why a property may not be given, and what to write instead.
enum Refusal {
    /// `[bus]` has a key for it: how that is written.
    HasKey(&'static str),
    /// What of Lockstep rests on it.
    RestedOn(&'static str),
}
use Refusal::{HasKey, RestedOn};

const ADDRESS: Refusal = HasKey("bootstrap_servers = [\"HOST:PORT\"]");
const MECHANISM: Refusal = HasKey("sasl_mechanism = \"SCRAM-SHA-512\"");
const EXACTLY_ONCE: Refusal = RestedOn("that nothing is written twice or lost");
const ORDER: Refusal = RestedOn("the order of an agent's records");
const GROUPS: Refusal = RestedOn("which process takes which agents");
const OFFSETS: Refusal = RestedOn("where reading goes on after a restart");
const SHAPE: Refusal = RestedOn("how Lockstep reads and writes");

/// Names (librdkafka's CONFIGURATION.md, 2.12); `*` stands for any beginning or end.
const REFUSED: &[(&str, Refusal)] = &[
    ("bootstrap.servers", ADDRESS),
    ("metadata.broker.list", ADDRESS),
    ("security.protocol", HasKey("tls = true or false, and `sasl_user` where the cluster wants one")),
    ("sasl.mechanism", MECHANISM),
    ("sasl.mechanisms", MECHANISM),
    ("sasl.username", HasKey("sasl_user = \"NAME\"")),
    ("sasl.password", HasKey("sasl_password = { secret_file = \"PATH\" } or { secret_env = \"NAME\" }")),
    ("ssl.ca.location", HasKey("tls_ca_file = \"PATH\"")),
    ("ssl.certificate.location", HasKey("tls_certificate_file = \"PATH\"")),
    ("ssl.key.location", HasKey("tls_key_file = \"PATH\"")),
    (
        "ssl.key.password",
        HasKey("tls_key_password = { secret_file = \"PATH\" } or { secret_env = \"NAME\" }"),
    ),
    ("transactional.id", EXACTLY_ONCE),
    ("transaction.timeout.ms", EXACTLY_ONCE),
    ("enable.idempotence", EXACTLY_ONCE),
    ("enable.gapless.guarantee", EXACTLY_ONCE),
    ("acks", EXACTLY_ONCE),
    ("request.required.acks", EXACTLY_ONCE),
    ("delivery.timeout.ms", EXACTLY_ONCE),
    ("message.timeout.ms", EXACTLY_ONCE),
    ("isolation.level", EXACTLY_ONCE),
    ("max.in.flight*", ORDER),
    ("queuing.strategy", ORDER),
    ("msg_order_cmp", ORDER),
    ("partitioner", RestedOn("in which partition an agent is")),
    ("group.*", GROUPS),
    ("partition.assignment.strategy", GROUPS),
    ("session.timeout.ms", GROUPS),
    ("heartbeat.interval.ms", GROUPS),
    ("max.poll.interval.ms", GROUPS),
    ("enable.auto.commit", OFFSETS),
    ("auto.commit.*", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("offset.store.*", OFFSETS),
    ("auto.offset.reset", OFFSETS),
    ("enable.partition.eof", SHAPE),
    ("message.max.bytes", SHAPE),
    ("socket.timeout.ms", SHAPE),
    ("delivery.report.only.error", SHAPE),
    ("log.queue", SHAPE),
    ("enabled_events", SHAPE),
    ("interceptors", SHAPE),
    ("opaque", SHAPE),
    ("*_cb", SHAPE),
    ("plugin.library.paths", RestedOn("that no other code runs in its process")),
    ("test.mock.*", RestedOn("that the cluster is a real one")),
];

/// What makes TLS trust anybody: the name, and values that say so.
const TRUSTS_ANYBODY: &[(&str, &[&str])] = &[
    ("enable.ssl.certificate.verification", &["false", "f", "0"]),
    ("ssl.endpoint.identification.algorithm", &["none"]),
];

fn warn_of_trust(name: &str, value: &str, place: Place, mistakes: &mut Mistakes) {
    let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let found = TRUSTS_ANYBODY.iter().find(|(known, _)| is(known, name));
    if found.is_some_and(|(_, values)| values.iter().any(|one| is(one, value))) {
        let what = format!("with {} = {value} anybody on the network can pass for the cluster", quoted(name));
        let mend =
            "delete it, and set tls_ca_file = \"PATH\" to the certificate of who signed that of the brokers";
        mistakes.warning(place, "certificate-not-checked", what).mend(mend);
    }
}

pub(super) fn check(
    raw: Entries<RawProperty>,
    secrets: &SecretStore<'_>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, Property> {
    let mut properties = BTreeMap::new();
    for (name, raw) in raw.0 {
        let shown = quoted(&name.value);
        if let Some(refusal) = refusal(&name.value) {
            refuse(name.place, &shown, refusal, mistakes);
            continue;
        }
        let Some(raw) = raw.into_given() else { continue };
        let origin = "{ secret_file = \"PATH\" } or { secret_env = \"NAME\" }";
        let property = match raw.value {
            RawProperty::Text(_) if is_secret(&name.value) => {
                mistakes
                    .error(raw.place, "secret", format!("{shown} is a secret, and none stands in this file"))
                    .mend(format!("write {shown} = {origin}"));
                None
            }
            RawProperty::Text(text) => {
                warn_of_trust(&name.value, &text, raw.place, mistakes);
                Some(Property::Text(text))
            }
            RawProperty::Secret(secret) => {
                let secret = Placed { place: raw.place, value: secret };
                secrets.find(&shown, secret, mistakes).map(Property::Secret)
            }
            RawProperty::Table => {
                mistakes
                    .error(name.place, "value", format!("{shown} is a table, and no origin of a secret"))
                    .mend(format!("put a name with dots in quotes, as in \"client.id\" = \"lockstep\"; write a secret as {origin}"));
                None
            }
        };
        properties.extend(property.map(|property| (name.value, property)));
    }
    properties
}

fn refuse(place: Place, shown: &str, refusal: &Refusal, mistakes: &mut Mistakes) {
    match refusal {
        HasKey(instead) => mistakes
            .error(place, "reserved-property", format!("{shown} has a key of its own in [bus]"))
            .mend(format!("write {instead} there")),
        RestedOn(what) => mistakes
            .error(place, "reserved-property", format!("{shown} is set by Lockstep: {what} rests on it"))
            .mend("delete the line"),
    };
}

fn refusal(name: &str) -> Option<&'static Refusal> {
    let name = plain(name);
    let fits = |pattern: &str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (None, Some(beginning)) => name.starts_with(beginning),
        (None, None) => name == pattern,
    };
    REFUSED.iter().find(|(pattern, _)| fits(pattern)).map(|(_, refusal)| refusal)
}

fn is_secret(name: &str) -> bool {
    let name = plain(name);
    ["password", "passphrase", "secret"].iter().any(|part| name.contains(part))
        || ["key.pem", "sasl.jaas.config", "sasl.oauthbearer.config"].iter().any(|end| name.ends_with(end))
}

/// A name without the `topic.` that librdkafka passes over (`rd_kafka_topic_conf_set`), in small letters: what
/// differs only in that was meant.
fn plain(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    name.strip_prefix("topic.").map(str::to_owned).unwrap_or(name)
}

impl<'de> Deserialize<'de> for RawProperty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PropertyVisitor)
    }
}

struct PropertyVisitor;

impl<'de> Visitor<'de> for PropertyVisitor {
    type Value = RawProperty;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes, a whole number, true, false or where to find a secret: \"TEXT\" or { secret_env = \"NAME\" }")
    }

    fn visit_str<E>(self, text: &str) -> Result<RawProperty, E> {
        Ok(RawProperty::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<RawProperty, E> {
        Ok(RawProperty::Text(number.to_string()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawProperty, E> {
        Ok(RawProperty::Text(value.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawProperty, A::Error> {
        let mut secret = RawSecret::default();
        let mut others = false;
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "secret_file" => secret.secret_file = entries.next_value()?,
                "secret_env" => secret.secret_env = entries.next_value()?,
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                    others = true;
                }
            }
        }
        Ok(if others { RawProperty::Table } else { RawProperty::Secret(secret) })
    }
}

impl JsonSchema for RawProperty {
    fn schema_name() -> Cow<'static, str> {
        "Property".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A property of librdkafka: its value, or where to find it if it is a secret.",
            "anyOf": [
                { "type": ["string", "integer", "boolean"] },
                generator.subschema_for::<Field<RawSecret>>(),
            ],
        })
    }
}
