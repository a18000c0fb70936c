//! What librdkafka says, as an error that names what to do and which setting to look at.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaConfRes;

use super::native::{Fault, Heard};
use crate::bus::{Error, TopicName};

/// A text of librdkafka's that is longer is cut.
const WHY_LENGTH_MAX: usize = 300;

/// librdkafka's names for what has a key of its own in the configuration.
const KEYS: &[(&str, &str)] = &[
    ("ssl.ca.location", "tls_ca_file"),
    ("ssl.certificate.location", "tls_certificate_file"),
    ("ssl.key.location", "tls_key_file"),
    ("ssl.key.password", "tls_key_password"),
    ("sasl.mechanism", "sasl_mechanism"),
    ("sasl.username", "sasl_user"),
    ("sasl.password", "sasl_password"),
    ("bootstrap.servers", "bootstrap_servers"),
];

/// Why a client could not be made. No value is repeated: it may be a secret.
pub(super) fn creation(error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(res, _, name, _) => {
            let why = if *res == RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN {
                "librdkafka has no property of this name"
            } else {
                "librdkafka does not take this value"
            };
            Error::Setting { name: key(name), why: why.to_owned() }
        }
        KafkaError::ClientCreation(why) => {
            let property = KEYS.iter().find(|(property, _)| why.contains(property));
            let name = property.map_or("[bus]".to_owned(), |(property, _)| key(property));
            Error::Setting { name, why: cut(why) }
        }
        other => Error::Odd { operation: "making a client".to_owned(), why: other.to_string() },
    }
}

/// What a property is called in the configuration.
fn key(property: &str) -> String {
    KEYS.iter()
        .find(|(known, _)| *known == property)
        .map_or_else(|| format!("\"{property}\" of [bus.librdkafka]"), |(_, key)| format!("`{key}` of [bus]"))
}

/// What keeps us from the brokers, if a person has to mend it.
pub(super) fn refusal(operation: &str, fault: &Fault) -> Option<Error> {
    let refused = |why: &str, mend: &str| {
        Some(Error::Refused { operation: operation.to_owned(), why: why.to_owned(), mend: mend.to_owned() })
    };
    let text = &*fault.text;
    let says = |part: &str| text.contains(part);
    if fault.is(Code::Resolve) {
        return refused(&cut(text), "is `bootstrap_servers` of [bus] right?");
    }
    if fault.is(Code::Authentication) || fault.is(Code::SaslAuthenticationFailed) {
        if says("nsupported SASL mechanism") || says("does not support SASL mechanism") {
            return refused(&cut(text), "set `sasl_mechanism` of [bus] to one that the brokers have");
        }
        return refused(
            &format!("the brokers do not accept the log-in ({})", cut(text)),
            "check `sasl_user`, `sasl_password` and `sasl_mechanism` of [bus]",
        );
    }
    if fault.is(Code::SSL) || says("SSL handshake failed") || says("SSL routines") {
        return if says("certificate verify failed") || says("certificate could not be verified") {
            refused(
                "the certificate of the brokers is not trusted",
                "set `tls_ca_file` of [bus] to the certificate of who signed it, and check that `bootstrap_servers` has the names that stand in it",
            )
        } else if says("wrong version number")
            || says("packet length too long")
            || says("PLAINTEXT broker listener")
        {
            refused(
                "the brokers do not speak TLS on this port",
                "give their TLS port in `bootstrap_servers` of [bus]; or tls = false, where the network between is trusted",
            )
        } else {
            refused(
                &format!("there is no agreement on TLS ({})", cut(text)),
                "check `tls_certificate_file` and `tls_key_file` of [bus]: the brokers may want a certificate that they trust",
            )
        };
    }
    if fault.is(Code::TopicAuthorizationFailed)
        || fault.is(Code::GroupAuthorizationFailed)
        || fault.is(Code::ClusterAuthorizationFailed)
        || fault.is(Code::TransactionalIdAuthorizationFailed)
    {
        return refused(
            &cut(text),
            "grant the user of `sasl_user` in [bus] the rights that docs/kafka.md lists",
        );
    }
    None
}

/// Whether the brokers hang up: as a listener does that is spoken to otherwise than it expects, and also a broker that is
/// just going.
pub(super) fn is_hang_up(fault: &Fault) -> bool {
    fault.text.contains("Disconnected")
}

/// That they do so before they ever answered, and for too long to be going.
pub(super) fn hung_up(operation: &str) -> Error {
    Error::Refused {
        operation: operation.to_owned(),
        why: "the brokers hang up before they say anything".to_owned(),
        mend: "they may want TLS (tls = true in [bus]), a certificate (`tls_certificate_file`) or a log-in (`sasl_user`)"
            .to_owned(),
    }
}

/// What went wrong while something was done that belongs to no transaction.
pub(super) fn outside(operation: &str, servers: &str, fault: &Fault) -> Error {
    if let Some(refused) = refusal(operation, fault) {
        return refused;
    }
    let operation = operation.to_owned();
    if fault.is(Code::BrokerDestroy) {
        return Error::Closed { operation };
    }
    if is_outage(fault) {
        return Error::Unreachable { operation, servers: servers.to_owned(), why: cut(&fault.text) };
    }
    Error::Odd { operation, why: format!("{} (code {})", cut(&fault.text), fault.code) }
}

/// What went wrong in a transaction of this identity.
pub(super) fn inside(operation: &str, identity: &str, group: Option<&str>, fault: &Fault) -> Error {
    let group = group.unwrap_or_default();
    if fault.is(Code::Fenced) || fault.is(Code::ProducerFenced) || fault.is(Code::FencedInstanceId) {
        return Error::Fenced { identity: identity.to_owned() };
    }
    if let Some(refused) = refusal(operation, fault) {
        return refused;
    }
    let operation = operation.to_owned();
    if fault.is(Code::UnknownMemberId)
        || fault.is(Code::IllegalGeneration)
        || fault.is(Code::RebalanceInProgress)
    {
        return Error::Evicted { operation, group: group.to_owned() };
    }
    if fault.is(Code::BrokerDestroy) {
        return Error::Closed { operation };
    }
    Error::Aborted { operation, why: cut(&fault.text) }
}

/// What a message that is no record says of its partition, or of all.
pub(super) fn told(operation: &str, servers: &str, topic: &str, fault: &Fault) -> Error {
    if fault.is(Code::UnknownTopicOrPartition) || fault.is(Code::UnknownTopic) {
        return Error::UnknownTopic(TopicName::new(topic));
    }
    outside(operation, servers, fault)
}

/// The last thing that a client complained of.
pub(super) fn complaint(heard: &Heard) -> Option<String> {
    let complaints = heard.complaints();
    let last = complaints.iter().rfind(|fault| !fault.is(Code::AllBrokersDown)).or(complaints.last());
    last.map(|fault| cut(&fault.text))
}

/// That no broker is left, if so, with the last thing that was heard before.
pub(super) fn outage(operation: &str, servers: &str, heard: &Heard) -> Option<Error> {
    let mut why = None;
    let mut is_down = false;
    for fault in heard.complaints() {
        if fault.is(Code::AllBrokersDown) {
            is_down = true;
            why.get_or_insert(fault.text);
        } else {
            why = Some(fault.text);
        }
    }
    let why = why.filter(|_| is_down)?;
    Some(Error::Unreachable { operation: operation.to_owned(), servers: servers.to_owned(), why: cut(&why) })
}

/// Whether it passes by itself.
pub(super) fn is_outage(fault: &Fault) -> bool {
    const OUTAGES: [Code; 19] = [
        Code::AllBrokersDown,
        Code::BrokerTransportFailure,
        Code::OperationTimedOut,
        Code::TimedOutQueue,
        Code::MessageTimedOut,
        Code::WaitingForCoordinator,
        Code::WaitCache,
        Code::Interrupted,
        Code::LeaderNotAvailable,
        Code::NotLeaderForPartition,
        Code::RequestTimedOut,
        Code::BrokerNotAvailable,
        Code::NetworkException,
        Code::CoordinatorLoadInProgress,
        Code::CoordinatorNotAvailable,
        Code::NotCoordinator,
        Code::NotEnoughReplicas,
        Code::UnstableOffsetCommit,
        Code::NotController,
    ];
    fault.is_retriable || OUTAGES.into_iter().any(|code| fault.is(code))
}

/// A text of librdkafka's: one line, and not too long.
pub(super) fn cut(text: &str) -> String {
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    // In its log it begins with the thread.
    let line =
        line.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(line, |(_, rest)| rest);
    match line.char_indices().nth(WHY_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}
