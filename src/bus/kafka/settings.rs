//! The properties of librdkafka's clients, each with its reason. What an administrator adds comes last; those that Lockstep
//! rests on he cannot set (`config` refuses them).

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use secrecy::{ExposeSecret, SecretString};

use crate::bus::Until;

/// How a Kafka cluster is reached.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `HOST:PORT` of some brokers.
    pub servers: Vec<String>,
    /// Begins the group ids that are made here, so that rights can be given by prefix.
    pub prefix: String,
    /// Whether it is encrypted, and how.
    pub tls: Option<Tls>,
    /// With whom the brokers know us.
    pub sasl: Option<Sasl>,
    /// Further properties of librdkafka.
    pub further: Vec<(String, SecretString)>,
}

/// How a connection is encrypted.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Whom to trust; where it is missing, whom the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate that is shown to the brokers.
    pub client: Option<ClientCertificate>,
}

/// The certificate that is shown to the brokers.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, in PEM.
    pub certificate_file: PathBuf,
    /// Its key, in PEM.
    pub key_file: PathBuf,
    /// What the key is encrypted with.
    pub key_password: Option<SecretString>,
}

/// With whom the brokers know us.
#[derive(Clone, Debug)]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The user.
    pub user: String,
    /// His password.
    pub password: SecretString,
}

/// How long a member with a name may be silent before others have its partitions: a restart takes two seconds.
const SESSION_NAMED_MS: u32 = 10_000;
/// The same without a name. With a heartbeat each 2 s, others took over after 4.9 s.
const SESSION_UNNAMED_MS: u32 = 6_000;
/// How long a transaction may stay open when its writer is gone; readers wait for it. Its successor aborts it at once.
pub(super) const TRANSACTION_MS_MAX: u32 = 15_000;
/// Records that wait to be sent. More hide how far behind the brokers are: the p99 of a commit doubles with 100,000.
const QUEUED_RECORDS_MAX: u32 = 30_000;
/// The same in KiB.
const QUEUED_KIB_MAX: u32 = 64 << 10;
/// Records that are fetched ahead of who reads them, for the same reason.
const FETCHED_AHEAD: u32 = 20_000;
/// Twice a record, for what is around it.
const MESSAGE_BYTES_MAX: u32 = 2 << 20;

impl Connection {
    /// The brokers, as an error names them.
    pub(super) fn shown(&self) -> String {
        self.servers.join(",")
    }

    /// What all clients have in common, and any client of librdkafka needs to reach the cluster. It holds secrets.
    pub fn common(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config
            .set("bootstrap.servers", self.shown())
            .set("client.id", "lockstep")
            .set("log_level", "6")
            // A topic that is missing is a mistake to be told, not to be made by whoever asks for it first.
            .set("allow.auto.create.topics", "false")
            // A broker that comes back is found within a second; by default librdkafka waits up to ten.
            .set("reconnect.backoff.max.ms", "1000")
            // A firewall forgets connections on which nothing happens.
            .set("socket.keepalive.enable", "true")
            // A broker that lost its power says nothing: after so long another is asked. A transaction takes no longer.
            .set("socket.timeout.ms", "10000")
            // Nothing about us is sent to the brokers' operators unasked.
            .set("enable.metrics.push", "false")
            // Room for a record of 1 MiB and what is around it.
            .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string());
        self.secure(&mut config);
        self.add_further(&mut config);
        config
    }

    /// What the administrator adds is his to say; what Lockstep rests on he cannot (`config` refuses it).
    fn add_further(&self, config: &mut ClientConfig) {
        for (name, value) in &self.further {
            config.set(name.as_str(), value.expose_secret());
        }
    }

    fn secure(&self, config: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            let path = |path: &PathBuf| path.to_string_lossy().into_owned();
            // Whoever answers must be whom we asked for.
            config.set("ssl.endpoint.identification.algorithm", "https");
            if let Some(file) = &tls.ca_file {
                config.set("ssl.ca.location", path(file));
            }
            if let Some(client) = &tls.client {
                config.set("ssl.certificate.location", path(&client.certificate_file));
                config.set("ssl.key.location", path(&client.key_file));
                if let Some(password) = &client.key_password {
                    config.set("ssl.key.password", password.expose_secret());
                }
            }
        }
        if let Some(sasl) = &self.sasl {
            config.set("sasl.mechanism", &sasl.mechanism);
            config.set("sasl.username", &sasl.user);
            config.set("sasl.password", sasl.password.expose_secret());
        }
    }

    /// What all who read have in common.
    fn reading(&self) -> ClientConfig {
        let mut config = self.common();
        config
            // What was aborted is never seen, and what is open is waited for.
            .set("isolation.level", "read_committed")
            // Offsets are committed in transactions only.
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // What is not there any more is told, never skipped over.
            .set("auto.offset.reset", "error")
            // By default fetching rests for a second when the queue is full: a third of the speed.
            .set("fetch.queue.backoff.ms", "5")
            // A record of 1 MiB comes in one piece.
            .set("fetch.message.max.bytes", MESSAGE_BYTES_MAX.to_string())
            // A bit that fell over on a disk or on the way is told. The check is one instruction for eight bytes.
            .set("check.crcs", "true");
        config
    }

    /// Who reads alone.
    pub(super) fn reader(&self, until: Until) -> ClientConfig {
        let mut config = self.reading();
        // How long a broker waits before it says that there is nothing. To the end, that is waited for each time.
        let wait_ms = match until {
            Until::End => 10,
            Until::Stopped => 500,
        };
        config
            // librdkafka wants one. Nothing is committed for it.
            .set("group.id", format!("{}.reader", self.prefix))
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", wait_ms.to_string());
        self.add_further(&mut config);
        config
    }

    /// Who reads as one of a group.
    pub(super) fn member(&self, group: &str, name: Option<&str>) -> ClientConfig {
        let mut config = self.reading();
        let session_ms = if name.is_some() { SESSION_NAMED_MS } else { SESSION_UNNAMED_MS };
        config
            .set("group.id", group)
            // The new protocol (KIP-848) is not safe before librdkafka 2.15.
            .set("group.protocol", "classic")
            // Who keeps a partition goes on reading it while others are handed over.
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session_ms.to_string())
            .set("heartbeat.interval.ms", "2000")
            .set("queued.min.messages", FETCHED_AHEAD.to_string());
        if let Some(name) = name {
            config.set("group.instance.id", name);
        }
        self.add_further(&mut config);
        config
    }

    /// Who writes in transactions.
    pub(super) fn writer(&self, identity: &str) -> ClientConfig {
        let mut config = self.writing();
        config
            .set("transactional.id", identity)
            .set("transaction.timeout.ms", TRANSACTION_MS_MAX.to_string());
        self.add_further(&mut config);
        config
    }

    /// Who fills topics that nobody reads yet; a record is taken within this, or he gives up.
    pub(super) fn loader(&self, taken_within: Duration) -> ClientConfig {
        let mut config = self.writing();
        config.set("message.timeout.ms", taken_within.as_millis().to_string());
        self.add_further(&mut config);
        config
    }

    /// What all who write have in common.
    fn writing(&self) -> ClientConfig {
        let mut config = self.common();
        config
            // Nothing twice, in order, and on as many machines as the topic asks for.
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // zstd cost 15 % of the speed; lz4 was as fast as none.
            .set("compression.type", "lz4")
            // With commits each 50 to 100 ms: half of what is to be done is then done when a commit comes.
            .set("linger.ms", "5")
            // While the brokers still write the markers of one transaction, they refuse the offsets of the next. By default
            // that is tried again after 100 ms, which was then the time of a commit; with 10 ms it is 13.
            .set("retry.backoff.ms", "10")
            .set("queue.buffering.max.messages", QUEUED_RECORDS_MAX.to_string())
            // By default 1 GiB: with large records the number alone bounds nothing.
            .set("queue.buffering.max.kbytes", QUEUED_KIB_MAX.to_string());
        config
    }
}
