//! TLS, certificates and log-ins against a real Kafka: what is right works, and what is wrong is told with the setting to
//! look at, within seconds, and never with a secret in it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[path = "ground/port.rs"]
mod port;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lockstep::bus::kafka::{ClientCertificate, Connection, Kafka, Sasl, Tls};
use lockstep::bus::{
    Bus, Error, From, Kept, Outgoing, Partition, Reader, Records, Replicas, TopicName, TopicSpec, Until,
    Writer,
};
use lockstep::domain::Remedy;

/// A password that no message may show.
const CANARY: &str = "canary-5f1e-hunter2";

/// What `scripts/kafka run --secure` says of its broker.
fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run scripts/test, or: scripts/kafka run --secure -- cargo test --profile ci --test bus_security"
        )
    })
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(told(name))
}

fn plain(servers: &str) -> Connection {
    let servers = vec![servers.to_owned()];
    Connection { servers, prefix: "presence".to_owned(), tls: None, sasl: None, further: Vec::new() }
}

fn with_tls(listener: &str, ca: Option<&str>) -> Connection {
    Connection { tls: Some(Tls { ca_file: ca.map(file), client: None }), ..plain(&told(listener)) }
}

fn with_certificate(ca: &str, certificate: &str, key: &str) -> Connection {
    let client =
        ClientCertificate { certificate_file: file(certificate), key_file: file(key), key_password: None };
    let tls = Tls { ca_file: Some(file(ca)), client: Some(client) };
    Connection { tls: Some(tls), ..plain(&told("KAFKA_MTLS_BOOTSTRAP_SERVERS")) }
}

fn with_log_in(mechanism: &str, user: &str, password: &str) -> Connection {
    let sasl =
        Sasl { mechanism: mechanism.to_owned(), user: user.to_owned(), password: password.to_owned().into() };
    Connection { sasl: Some(sasl), ..with_tls("KAFKA_SASL_BOOTSTRAP_SERVERS", Some("KAFKA_CA")) }
}

fn with_property(name: &str, value: &str) -> Connection {
    let further = vec![(name.to_owned(), value.to_owned().into())];
    Connection { further, ..plain(&told("KAFKA_BOOTSTRAP_SERVERS")) }
}

#[test]
fn who_is_trusted_gets_in() {
    let (user, password) = (told("KAFKA_USER"), told("KAFKA_PASSWORD"));
    let cases = [
        ("plaintext on loopback", plain(&told("KAFKA_BOOTSTRAP_SERVERS"))),
        ("TLS", with_tls("KAFKA_SSL_BOOTSTRAP_SERVERS", Some("KAFKA_CA"))),
        ("a certificate", with_certificate("KAFKA_CA", "KAFKA_CLIENT_CERT", "KAFKA_CLIENT_KEY")),
        ("SCRAM-SHA-256", with_log_in("SCRAM-SHA-256", &user, &password)),
        ("SCRAM-SHA-512", with_log_in("SCRAM-SHA-512", &user, &password)),
        ("PLAIN", with_log_in("PLAIN", &user, &password)),
        ("a further property", with_property("socket.receive.buffer.bytes", "1000000")),
    ];
    for (what, connection) in cases {
        Kafka::connect(connection).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[test]
fn what_is_wrong_is_told_with_the_setting() {
    let user = told("KAFKA_USER");
    let no_file = Tls { ca_file: Some("/nowhere/ca.crt".into()), client: None };
    let no_certificate = Tls { ca_file: Some(file("KAFKA_CLIENT_KEY")), client: None };
    let cases: Vec<(&str, Connection, &str)> = vec![
        (
            "a broker whose certificate another signed",
            with_tls("KAFKA_SSL_BOOTSTRAP_SERVERS", Some("KAFKA_OTHER_CA")),
            "tls_ca_file",
        ),
        (
            "a broker whose certificate the system does not trust",
            with_tls("KAFKA_SSL_BOOTSTRAP_SERVERS", None),
            "tls_ca_file",
        ),
        ("no TLS where it is wanted", plain(&told("KAFKA_SSL_BOOTSTRAP_SERVERS")), "tls = true"),
        ("TLS where there is none", with_tls("KAFKA_BOOTSTRAP_SERVERS", Some("KAFKA_CA")), "tls = false"),
        (
            "no certificate where one is wanted",
            with_tls("KAFKA_MTLS_BOOTSTRAP_SERVERS", Some("KAFKA_CA")),
            "tls_certificate_file",
        ),
        (
            "a certificate that the brokers do not trust",
            with_certificate("KAFKA_CA", "KAFKA_OTHER_CLIENT_CERT", "KAFKA_OTHER_CLIENT_KEY"),
            "tls_certificate_file",
        ),
        (
            "a certificate and the key of another",
            with_certificate("KAFKA_CA", "KAFKA_CLIENT_CERT", "KAFKA_OTHER_CLIENT_KEY"),
            "tls_key_file",
        ),
        ("a wrong password", with_log_in("SCRAM-SHA-512", &user, CANARY), "sasl_password"),
        ("a wrong password, PLAIN", with_log_in("PLAIN", &user, CANARY), "sasl_password"),
        ("an unknown user", with_log_in("SCRAM-SHA-256", "nobody", CANARY), "sasl_user"),
        (
            "no log-in where one is wanted",
            with_tls("KAFKA_SASL_BOOTSTRAP_SERVERS", Some("KAFKA_CA")),
            "sasl_user",
        ),
        ("no such host", plain("no-such-host.invalid:9092"), "bootstrap_servers"),
        (
            "no such file",
            Connection { tls: Some(no_file), ..plain(&told("KAFKA_SSL_BOOTSTRAP_SERVERS")) },
            "tls_ca_file",
        ),
        (
            "a file that is no certificate",
            Connection { tls: Some(no_certificate), ..plain(&told("KAFKA_SSL_BOOTSTRAP_SERVERS")) },
            "tls_ca_file",
        ),
        ("a property that there is not", with_property("no.such.property", CANARY), "no.such.property"),
        ("a value that there is not", with_property("socket.max.fails", CANARY), "socket.max.fails"),
    ];
    for (what, connection, names) in cases {
        let shown = format!("{connection:?}");
        let begun = Instant::now();
        let error = Kafka::connect(connection).expect_err(what);
        let text = error.to_string();
        println!("{what}: {text} ({} ms)", begun.elapsed().as_millis());
        assert!(text.contains(names), "{what}: {text}");
        assert_eq!(error.remedy(), Remedy::Stop, "{what}: {text}");
        assert!(!format!("{text} {error:?} {shown}").contains(CANARY), "{what} tells a secret");
        // How long a resolver takes for a host that there is not is its own affair, nearly.
        let (took, most) = (begun.elapsed(), if what == "no such host" { 60 } else { 9 });
        assert!(took < Duration::from_secs(most), "{what} is told after {took:?}");
    }
}

#[test]
fn where_nobody_listens_it_is_tried_again() {
    let nobody = port::free_port().to_string();
    let error = Kafka::connect(plain(&nobody)).unwrap_err();
    assert_eq!(error.remedy(), Remedy::Retry, "{error}");
    assert!(matches!(&error, Error::Unreachable { servers, .. } if servers.ends_with(&nobody)), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn all_of_the_bus_works_behind_tls_and_a_log_in() {
    let kafka =
        Kafka::connect(with_log_in("SCRAM-SHA-512", &told("KAFKA_USER"), &told("KAFKA_PASSWORD"))).unwrap();
    let name = TopicName::new(&format!("secure.{}.events", std::process::id()));
    let replicas = Replicas { replication_factor: 1, in_sync_min: 1 };
    kafka.create(&[TopicSpec { name: name.clone(), partitions: 1, kept: Kept::Days(1), replicas }]).unwrap();
    let mut writer = kafka.writer("secure.writer", std::slice::from_ref(&name)).unwrap();
    let (key, value) = (&b"agent"[..], Some(&b"value"[..]));
    writer.add(&Outgoing { topic: 0, partition: Partition(0), key, value, headers: &[] }).unwrap();
    writer.commit(None).unwrap();
    let mut reader = kafka.reader(&[(name.partition(0), From::Beginning)], Until::End).unwrap();
    let mut read = Vec::new();
    while !reader.is_at_end() {
        let records = reader.read(Duration::from_secs(5)).unwrap();
        read.extend(records.iter().map(|record| record.value.unwrap().to_vec()));
    }
    assert_eq!(read, [b"value"]);
}
