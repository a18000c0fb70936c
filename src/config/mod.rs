//! What an administrator configures: a raw file with every mistake told at once, then values that are valid.
//!
//! Nothing that a decision depends on stands here: that lives in the revision (see `rules`).

mod bridge;
mod bus;
mod check;
mod cxone;
mod librdkafka;
mod number;
mod raw;
mod salesforce;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use url::Url;

use crate::document::{Document, Mistakes};
use crate::domain::{AccountName, OrganisationId};

pub use raw::{DeadLetterPayload, Environment, LinkBy, SaslMechanism, SetBy};
pub use secret::{Secret, SecretOrigin, SecretStore};

/// The commented file that `lockstep config init` writes.
pub const TEMPLATE: &str = include_str!("lockstep.toml");

/// The whole configuration. Serialized, it is a file that resolves to the same configuration; a secret is
/// shown as the place it comes from.
#[derive(Debug, Serialize)]
pub struct Config {
    /// The message bus.
    pub bus: Bus,
    /// The Salesforce orgs.
    #[serde(serialize_with = "by_name")]
    pub salesforce: BTreeMap<AccountName, Salesforce>,
    /// Where browsers of agents connect, if they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Bridge>,
    /// The CXone tenants.
    #[serde(serialize_with = "by_name")]
    pub cxone: BTreeMap<AccountName, Cxone>,
    /// Who is who.
    pub directory: Directory,
    /// What is kept of people, and how long.
    pub privacy: Privacy,
    /// The processor, which decides.
    pub processor: Processor,
    /// The directory that `--data` names.
    pub data: Data,
    /// Metrics, health and status.
    pub ops: Ops,
}

/// Where the topics are.
#[derive(Debug, Serialize)]
pub struct Bus {
    /// `HOST:PORT` of some brokers.
    pub bootstrap_servers: Vec<String>,
    /// Begins every topic name, group id, transactional id and registry subject.
    pub prefix: String,
    /// Partitions of the topics that are keyed by agent.
    pub partitions: u16,
    /// Copies of every partition.
    pub replication_factor: u16,
    /// How many copies must have a record before it counts as written; at most `replication_factor`.
    pub min_insync_replicas: u16,
    /// How the brokers are reached with TLS; `None` is without.
    #[serde(flatten, serialize_with = "tls_keys")]
    pub tls: Option<Tls>,
    /// With whom the cluster knows us, where it wants to know.
    #[serde(flatten)]
    pub sasl: Option<Sasl>,
    /// With a registry values are in the Confluent wire format, without one in Avro single-object encoding.
    #[serde(flatten)]
    pub schema_registry: Option<SchemaRegistry>,
    /// Whether servers on other machines may be reached without TLS.
    pub allow_plaintext: bool,
    /// Further properties of librdkafka by their names; none that has a key above or that Lockstep rests on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub librdkafka: BTreeMap<String, Property>,
}

/// How brokers are reached with TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM file of the authorities that a broker's certificate may come from; `None` is the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, for mutual TLS.
    pub client: Option<ClientCertificate>,
}

/// A certificate that we show to brokers.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// PEM file of the certificate.
    pub certificate_file: PathBuf,
    /// PEM file of its key.
    pub key_file: PathBuf,
    /// The key's password, if it has one.
    pub key_password: Option<Secret>,
}

/// With whom a Kafka cluster knows us.
#[derive(Clone, Debug, Serialize)]
pub struct Sasl {
    /// How the user is proven.
    #[serde(rename = "sasl_mechanism")]
    pub mechanism: SaslMechanism,
    /// The user, or the API key.
    #[serde(rename = "sasl_user")]
    pub user: String,
    /// His password, or the secret of the API key.
    #[serde(rename = "sasl_password")]
    pub password: Secret,
}

/// The value of a property of librdkafka.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Property {
    /// As librdkafka reads it: numbers in digits, `true` or `false`.
    Text(String),
    /// One that is not shown.
    Secret(Secret),
}

/// Where schemas are registered.
#[derive(Debug, Serialize)]
pub struct SchemaRegistry {
    /// Its address.
    #[serde(rename = "schema_registry")]
    pub url: Url,
    /// With whom it knows us, where it wants to know.
    #[serde(flatten)]
    pub login: Option<RegistryLogin>,
}

/// With whom a schema registry knows us.
#[derive(Debug, Serialize)]
pub struct RegistryLogin {
    /// The user, or the API key.
    #[serde(rename = "schema_registry_user")]
    pub user: String,
    /// His password, or the secret of the API key.
    #[serde(rename = "schema_registry_password")]
    pub password: Secret,
}

/// A Salesforce org.
#[derive(Debug, Serialize)]
pub struct Salesforce {
    /// What kind of org it is.
    pub environment: Environment,
    /// Where tokens are: what the environment and My Domain say, or a simulator on this machine.
    #[serde(skip_serializing_if = "salesforce::is_of_salesforce")]
    pub login_url: Url,
    /// The org's own host, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub my_domain: Option<String>,
    /// The org that the token must belong to.
    #[serde(serialize_with = "as_text")]
    pub organisation_id: OrganisationId,
    /// The integration user.
    pub user_name: String,
    /// How a token is got.
    #[serde(flatten)]
    pub login: SalesforceLogin,
    /// The id of the external client app or connected app.
    pub client_id: String,
    /// Its secret. There is one where a password or the client credentials flow needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// Who administers the account.
    pub admin_email: String,
    /// How it is called.
    pub calls: SalesforceCalls,
    /// What tokens of its agents' browsers are like; without it none of them may connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Trusted>,
}

/// How a token is got from Salesforce.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum SalesforceLogin {
    /// The integration user's password.
    Password {
        /// It, with the security token appended.
        password: Secret,
    },
    /// An assertion that is signed for each log-in.
    JwtBearer {
        /// The RSA key, in PEM.
        private_key: Secret,
    },
    /// What a person allowed in a browser.
    RefreshToken {
        /// The file that keeps it; it may not be there yet.
        refresh_token_file: PathBuf,
    },
    /// The app alone.
    ClientCredentials {},
}

/// How an org is called.
#[derive(Debug, Serialize)]
pub struct SalesforceCalls {
    /// The version of the API: 62 is `v62.0`.
    pub api_version: u16,
    /// Between two questions what has changed, in ms.
    pub poll_interval_ms: u16,
    /// Between two questions what everybody is in, in s.
    pub snapshot_interval_s: u16,
    /// So many calls a minute.
    pub per_minute: u16,
    /// So many at once after a rest.
    pub burst: u16,
    /// How long a call may take, in s.
    pub read_timeout_s: u16,
    /// How long a session is used, in minutes.
    pub session_minutes: u16,
    /// The way out, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Url>,
    /// PEM file of authorities beside the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// What tokens of agents' browsers are like, which Apex signs.
#[derive(Debug, Serialize)]
pub struct Trusted {
    /// Their `iss`.
    pub issuer: String,
    /// Their `aud`.
    pub audience: String,
    /// PEM files of public keys, by their `kid`.
    pub keys: BTreeMap<String, PathBuf>,
}

/// Where browsers of agents connect.
#[derive(Debug, Serialize)]
pub struct Bridge {
    /// Where they do.
    pub listen: SocketAddr,
    /// PEM file of the certificate that they are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate_file: Option<PathBuf>,
    /// PEM file of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,
    /// Origins of the pages that may connect.
    pub origins: Vec<String>,
    /// So many browsers may be connected.
    pub connections_max: u16,
    /// So many of one user.
    pub connections_per_user_max: u16,
}

/// A CXone tenant.
#[derive(Debug, Serialize)]
pub struct Cxone {
    /// Where discovery begins.
    pub issuer: Url,
    /// The user whose access key it is.
    pub user_name: String,
    /// The id of the access key.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: Secret,
    /// The registered back-end application, where there is one.
    #[serde(flatten)]
    pub login: CxoneLogin,
    /// How it is called.
    pub calls: Calls,
}

/// How a platform is called.
#[derive(Debug, Serialize)]
pub struct Calls {
    /// The version of the API.
    pub api_version: u16,
    /// Between two questions what has changed, in ms.
    pub poll_interval_ms: u16,
    /// Between two questions what everybody is in, in s.
    pub snapshot_interval_s: u16,
    /// So many calls a minute.
    pub per_minute: u16,
    /// So many at once after a rest.
    pub burst: u16,
    /// So many that set somebody's status are under way at a time.
    pub at_once: u16,
    /// How long such a call may take, in ms.
    pub set_timeout_ms: u16,
    /// How long another call may take, in s.
    pub read_timeout_s: u16,
    /// By which call a status is set.
    pub set_by: SetBy,
    /// The way out, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Url>,
    /// PEM file of authorities beside the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// How a token is got from CXone.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum CxoneLogin {
    /// A registered back-end application with the access key as password grant.
    Application {
        /// The id of the application.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// The access key alone, at the token endpoint of an area.
    AccessKey {
        /// The area, as in `https://AREA.nice-incontact.com`.
        area: String,
    },
}

/// Who is who.
#[derive(Debug, Serialize)]
pub struct Directory {
    /// By what two people are taken for one, in this order.
    pub link_by: Vec<LinkBy>,
    /// How often it is refreshed by who has an account, in minutes; 0 is never.
    pub refresh_minutes: u16,
}

/// What is kept of people, and how long.
#[derive(Debug, Serialize)]
pub struct Privacy {
    /// How long events, decisions, snapshots and dead letters are kept, in days.
    pub retention_days: u16,
    /// What a dead letter keeps of the record that could not be read.
    pub dead_letter_payload: DeadLetterPayload,
}

/// The processor, which decides.
#[derive(Debug, Serialize)]
pub struct Processor {
    /// The name of this process among the processors; without one it is the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Threads that share the partitions.
    pub workers: u16,
    /// How long a transaction gathers, in ms.
    pub commit_interval_ms: u16,
}

/// The directory that `--data` names, where everything is kept without a Kafka.
#[derive(Debug, Serialize)]
pub struct Data {
    /// How long after a commit it is on disk at the latest, in ms; 0 waits for the disk with each commit.
    pub fsync_ms: u16,
    /// The most that a partition whose records are kept for some days holds, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_mib_max: Option<u16>,
    /// How much of the disk is left to others, in MiB.
    pub free_mib_min: u16,
}

/// Metrics, health and status.
#[derive(Debug, Serialize)]
pub struct Ops {
    /// Where they are served.
    pub listen: SocketAddr,
}

impl Processor {
    /// Kafka allows 249 in names; the prefix and more stand before it.
    pub(crate) const NAME_LENGTH_MAX: usize = 100;

    /// Whether this can be the name of a process: it stands in names of groups and transactions.
    pub fn may_be_named(name: &str) -> bool {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        (1..=Self::NAME_LENGTH_MAX).contains(&name.len()) && name.bytes().all(allowed)
    }
}

impl Config {
    /// Reads a configuration, taking secrets from `secrets`. Every mistake goes to `mistakes`; `None` where
    /// one of them is an error.
    pub fn read(document: &Document, secrets: &SecretStore<'_>, mistakes: &mut Mistakes) -> Option<Config> {
        let raw = document.read(mistakes)?;
        check::check(raw, secrets, mistakes).filter(|_| mistakes.errors() == 0)
    }

    /// The JSON schema of the file.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(raw::RawConfig)
    }
}

/// TLS as the flat keys of `[bus]`: without it there is one key that says so.
fn tls_keys<S: Serializer>(tls: &Option<Tls>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Keys<'t> {
        tls: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        tls_ca_file: Option<&'t Path>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tls_certificate_file: Option<&'t Path>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tls_key_file: Option<&'t Path>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tls_key_password: Option<&'t Secret>,
    }
    let client = tls.as_ref().and_then(|tls| tls.client.as_ref());
    let keys = Keys {
        tls: tls.is_some(),
        tls_ca_file: tls.as_ref().and_then(|tls| tls.ca_file.as_deref()),
        tls_certificate_file: client.map(|client| &*client.certificate_file),
        tls_key_file: client.map(|client| &*client.key_file),
        tls_key_password: client.and_then(|client| client.key_password.as_ref()),
    };
    keys.serialize(serializer)
}

fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn by_name<S: Serializer, T: Serialize>(
    accounts: &BTreeMap<AccountName, T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(accounts.iter().map(|(name, account)| (name.as_str(), account)))
}
