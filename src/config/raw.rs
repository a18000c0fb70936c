//! The configuration as it is written. The doc comments are the descriptions of the JSON schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::librdkafka::RawProperty;
use super::number::Whole;
use crate::document::{Entries, Field};

/// More partitions than this are no deployment of ours: each costs a transaction time.
pub(super) const PARTITIONS_MAX: u16 = 1_000;
/// More copies than this are a slip of the finger.
pub(super) const REPLICAS_MAX: u16 = 32;
/// More threads are more processes' work.
pub(super) const WORKERS_MAX: u16 = 64;
/// A transaction that gathers longer would not be over in time.
pub(super) const COMMIT_MS_MAX: u16 = 5_000;
/// Longer than this nobody means.
pub(super) const FSYNC_MS_MAX: u16 = 10_000;
/// Between two polls, in ms: least, default, most.
pub(super) const POLL_MS: (u16, u16, u16) = (200, 2_000, 60_000);
/// The same of Salesforce, where each poll is a call of those that an org has in a day.
pub(super) const SALESFORCE_POLL_MS: (u16, u16, u16) = (1_000, 5_000, 60_000);
/// The first version that has change events of presence.
pub(super) const SALESFORCE_VERSION: (u16, u16, u16) = (62, 62, 999);
/// How long a session is used, in minutes: Salesforce ends one after 2 h of rest by default, and after 24 h at most.
pub(super) const SESSION_MINUTES: (u16, u16, u16) = (1, 110, 1_440);
/// Between two snapshots, in s.
pub(super) const SNAPSHOT_S: (u16, u16, u16) = (10, 300, 3_600);
/// Calls under way at a time.
pub(super) const CALLS_AT_ONCE_MAX: u16 = 256;
/// How long a call may take that sets something, in ms. With more another process could not take over within 10 s.
pub(super) const CALL_TIMEOUT_MS: (u16, u16, u16) = (500, 3_000, 5_000);
/// Nobody works in more tabs.
pub(super) const TABS_MAX: u16 = 100;
/// A week.
pub(super) const REFRESH_MINUTES_MAX: u16 = 10_080;
/// Ten years.
pub(super) const RETENTION_DAYS_MAX: u16 = 3_650;

/// The configuration of Lockstep.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Lockstep", default, deny_unknown_fields)]
pub(super) struct RawConfig {
    /// The message bus.
    pub(super) bus: Field<RawBus>,
    /// Salesforce orgs by the names they have here.
    pub(super) salesforce: Field<Entries<RawSalesforce>>,
    /// Where browsers of agents connect.
    pub(super) bridge: Field<RawBridge>,
    /// CXone tenants by the names they have here.
    pub(super) cxone: Field<Entries<RawCxone>>,
    /// Who is who.
    pub(super) directory: Field<RawDirectory>,
    /// What is kept of people, and how long.
    pub(super) privacy: Field<RawPrivacy>,
    /// The processor, which decides.
    pub(super) processor: Field<RawProcessor>,
    /// The directory that `--data` names.
    pub(super) data: Field<RawData>,
    /// Metrics, health and status.
    pub(super) ops: Field<RawOps>,
}

/// The message bus.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Bus", default, deny_unknown_fields)]
pub(super) struct RawBus {
    /// HOST:PORT of some brokers. Default: ["127.0.0.1:9092"].
    pub(super) bootstrap_servers: Field<Vec<Field<String>>>,
    /// Begins every topic name, group id, transactional id and registry subject. Default: presence.
    pub(super) prefix: Field<String>,
    /// Partitions of the topics that are keyed by agent; never changed in place. Default: 8.
    #[schemars(extend("minimum" = 1, "maximum" = PARTITIONS_MAX))]
    pub(super) partitions: Field<Whole>,
    /// Copies of every partition, each on a broker of its own. Default: 3.
    #[schemars(extend("minimum" = 1, "maximum" = REPLICAS_MAX))]
    pub(super) replication_factor: Field<Whole>,
    /// How many copies must have a record before it counts as written. Default: 2, or 1 where there is one copy.
    #[schemars(extend("minimum" = 1, "maximum" = REPLICAS_MAX))]
    pub(super) min_insync_replicas: Field<Whole>,
    /// Whether brokers are reached with TLS. Default: true if one is on another machine or a `tls_` key is given.
    pub(super) tls: Field<bool>,
    /// PEM file of the authorities that a broker's certificate may come from. Default: the system's.
    pub(super) tls_ca_file: Field<String>,
    /// PEM file of our own certificate, for mutual TLS; with `tls_key_file`.
    pub(super) tls_certificate_file: Field<String>,
    /// PEM file of the key of our certificate.
    pub(super) tls_key_file: Field<String>,
    /// The password of that key, if it has one.
    pub(super) tls_key_password: Field<RawSecret>,
    /// How the user is proven. Default: SCRAM-SHA-512 where there is a user.
    pub(super) sasl_mechanism: Field<SaslMechanism>,
    /// The user, or the API key, that the cluster wants; with `sasl_password`.
    pub(super) sasl_user: Field<String>,
    /// His password, or the secret of the API key.
    pub(super) sasl_password: Field<RawSecret>,
    /// URL of a schema registry; without one values are in Avro single-object encoding.
    pub(super) schema_registry: Field<String>,
    /// The user, or the API key, that the schema registry wants; with `schema_registry_password`.
    pub(super) schema_registry_user: Field<String>,
    /// His password, or the secret of the API key.
    pub(super) schema_registry_password: Field<RawSecret>,
    /// Whether servers on other machines may be reached without TLS. Default: false.
    pub(super) allow_plaintext: Field<bool>,
    /// Properties of librdkafka that have no key here and that nothing else rests on, by their names in quotes.
    pub(super) librdkafka: Field<Entries<RawProperty>>,
}

/// A Salesforce org.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Salesforce", default, deny_unknown_fields)]
#[schemars(extend("required" = ["environment", "organisation_id", "user_name", "client_id", "admin_email"]))]
pub(super) struct RawSalesforce {
    /// What kind of org it is: production, sandbox or hyperforce (which is reached by its My Domain alone).
    pub(super) environment: Field<Environment>,
    /// The org's own host, NAME.my.salesforce.com. Needed for hyperforce, and for the client credentials flow.
    pub(super) my_domain: Field<String>,
    /// The organisation's id, 15 or 18 characters, 00D... A token of another organisation is refused.
    pub(super) organisation_id: Field<String>,
    /// The integration user, in the form of an e-mail address.
    pub(super) user_name: Field<String>,
    /// His password with the security token appended. Orgs made since Summer '23 block this way by default. Without it and the
    /// two keys below the client credentials flow is used.
    pub(super) password: Field<RawSecret>,
    /// The RSA key, in PEM, whose certificate the app has: JWT bearer, the best way where no person is there.
    pub(super) private_key: Field<RawSecret>,
    /// The file that `lockstep login salesforce NAME` writes, with what a person allowed in a browser. A path is taken from the
    /// folder of the configuration.
    pub(super) refresh_token_file: Field<String>,
    /// The id of the external client app or connected app.
    pub(super) client_id: Field<String>,
    /// Its secret. With `private_key` or `refresh_token_file` only where the app wants one.
    pub(super) client_secret: Field<RawSecret>,
    /// E-mail address of the admin account.
    pub(super) admin_email: Field<String>,
    /// Where a simulator on this machine gives tokens. Default: what `environment` and `my_domain` say.
    pub(super) login_url: Field<String>,
    /// How the org is called, and how often.
    pub(super) calls: Field<RawSalesforceCalls>,
    /// What tokens of its agents' browsers are like.
    pub(super) bridge: Field<RawTrusted>,
}

/// How an org is called, and how often.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "SalesforceCalls", default, deny_unknown_fields)]
pub(super) struct RawSalesforceCalls {
    /// The version of the API: 62 is `v62.0`. Default: 62.
    #[schemars(extend("minimum" = SALESFORCE_VERSION.0, "maximum" = SALESFORCE_VERSION.2))]
    pub(super) api_version: Field<Whole>,
    /// How often it is asked what has changed, in ms: each time is one of the calls that the org has in a day. Default: 5000.
    #[schemars(extend("minimum" = SALESFORCE_POLL_MS.0, "maximum" = SALESFORCE_POLL_MS.2))]
    pub(super) poll_interval_ms: Field<Whole>,
    /// How often it is asked what everybody is in, whatever has changed, in s. Default: 300.
    #[schemars(extend("minimum" = SNAPSHOT_S.0, "maximum" = SNAPSHOT_S.2))]
    pub(super) snapshot_interval_s: Field<Whole>,
    /// Calls a minute. Default: 60.
    #[schemars(extend("minimum" = 1, "maximum" = u16::MAX))]
    pub(super) per_minute: Field<Whole>,
    /// Calls at once, after a rest. Default: 10.
    #[schemars(extend("minimum" = 1, "maximum" = u16::MAX))]
    pub(super) burst: Field<Whole>,
    /// How long a call may take, in s. Default: 30.
    #[schemars(extend("minimum" = 1, "maximum" = 120))]
    pub(super) read_timeout_s: Field<Whole>,
    /// How long a session is used before there is another log-in, in minutes: less than the session timeout of the org, which is
    /// 120 unless an administrator changed it. Default: 110.
    #[schemars(extend("minimum" = SESSION_MINUTES.0, "maximum" = SESSION_MINUTES.2))]
    pub(super) session_minutes: Field<Whole>,
    /// URL of a proxy that calls go through. Default: what the environment says (HTTPS_PROXY).
    pub(super) proxy: Field<String>,
    /// PEM file of authorities that are trusted beside the system's, such as that of a proxy. A path is taken from the folder of
    /// the configuration.
    pub(super) ca_file: Field<String>,
}

/// What tokens of agents' browsers are like, which Apex signs.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Trusted", default, deny_unknown_fields)]
#[schemars(extend("required" = ["issuer", "audience", "keys"]))]
pub(super) struct RawTrusted {
    /// The `iss` of its tokens; no other org has the same.
    pub(super) issuer: Field<String>,
    /// The `aud` of its tokens.
    pub(super) audience: Field<String>,
    /// PEM files of public keys by the names that tokens have for them (`kid`). Several let one follow the other. A path is
    /// taken from the folder of the configuration.
    pub(super) keys: Field<Entries<String>>,
}

/// Where browsers of agents connect.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Bridge", default, deny_unknown_fields)]
pub(super) struct RawBridge {
    /// ADDRESS:PORT where browsers connect. Off this machine it needs a certificate. Default: 127.0.0.1:8470.
    pub(super) listen: Field<String>,
    /// PEM file of the certificate that browsers are shown, with those that lead to its root behind it; with `tls_key_file`. A path is
    /// taken from the folder of the configuration.
    pub(super) tls_certificate_file: Field<String>,
    /// PEM file of its key.
    pub(super) tls_key_file: Field<String>,
    /// Origins of the pages that may connect, such as `https://NAME.lightning.force.com`; `https://*.HOST` is all hosts under one.
    pub(super) origins: Field<Vec<Field<String>>>,
    /// Browsers that may be connected to this process. Default: 20000.
    #[schemars(extend("minimum" = 1, "maximum" = u16::MAX))]
    pub(super) connections_max: Field<Whole>,
    /// Tabs of one user that may be. Default: 8.
    #[schemars(extend("minimum" = 1, "maximum" = TABS_MAX))]
    pub(super) connections_per_user_max: Field<Whole>,
}

/// A CXone tenant.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Cxone", default, deny_unknown_fields)]
#[schemars(extend("required" = ["user_name", "access_key_id", "access_key_secret"]))]
pub(super) struct RawCxone {
    /// Where discovery begins. Default: `https://cxone.niceincontact.com`.
    pub(super) issuer: Field<String>,
    /// The user whose access key it is.
    pub(super) user_name: Field<String>,
    /// The id of his access key.
    pub(super) access_key_id: Field<String>,
    /// The secret of his access key.
    pub(super) access_key_secret: Field<RawSecret>,
    /// The id of a registered back-end application. Without one, `area` is needed.
    pub(super) client_id: Field<String>,
    /// The secret of that application.
    pub(super) client_secret: Field<RawSecret>,
    /// The area, as in `https://AREA.nice-incontact.com`: for the access key without an application.
    pub(super) area: Field<String>,
    /// How the tenant is called, and how often.
    pub(super) calls: Field<RawCalls>,
}

/// How a tenant is called, and how often.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Calls", default, deny_unknown_fields)]
pub(super) struct RawCalls {
    /// The version of the API, as in `/services/v33.0`. Default: 33.
    #[schemars(extend("minimum" = 1, "maximum" = 999))]
    pub(super) api_version: Field<Whole>,
    /// How often it is asked what has changed, in ms: a status in between is not seen. Default: 2000.
    #[schemars(extend("minimum" = POLL_MS.0, "maximum" = POLL_MS.2))]
    pub(super) poll_interval_ms: Field<Whole>,
    /// How often it is asked what everybody is in, whatever has changed, in s. Default: 300.
    #[schemars(extend("minimum" = SNAPSHOT_S.0, "maximum" = SNAPSHOT_S.2))]
    pub(super) snapshot_interval_s: Field<Whole>,
    /// Calls a minute: what NICE allows you, less what other programs need. Default: 1200.
    #[schemars(extend("minimum" = 1, "maximum" = u16::MAX))]
    pub(super) per_minute: Field<Whole>,
    /// Calls at once, after a rest. Default: 20.
    #[schemars(extend("minimum" = 1, "maximum" = u16::MAX))]
    pub(super) burst: Field<Whole>,
    /// Calls that set somebody's status and are under way at a time. Default: 16.
    #[schemars(extend("minimum" = 1, "maximum" = CALLS_AT_ONCE_MAX))]
    pub(super) at_once: Field<Whole>,
    /// How long a call that sets somebody's status may take, in ms. Another process that takes over waits so long before its
    /// first one, so it should be the same for all. Default: 3000.
    #[schemars(extend("minimum" = CALL_TIMEOUT_MS.0, "maximum" = CALL_TIMEOUT_MS.2))]
    pub(super) set_timeout_ms: Field<Whole>,
    /// How long any other call may take, in s. Default: 30.
    #[schemars(extend("minimum" = 1, "maximum" = 120))]
    pub(super) read_timeout_s: Field<Whole>,
    /// By which call a status is set: admin, session, or auto, which takes the admin call where there is one. Default: auto.
    pub(super) set_by: Field<SetBy>,
    /// URL of a proxy that calls go through. Default: what the environment says (HTTPS_PROXY).
    pub(super) proxy: Field<String>,
    /// PEM file of authorities that are trusted beside the system's, such as that of a proxy. A path is taken from the folder of
    /// the configuration.
    pub(super) ca_file: Field<String>,
}

/// By what two people are taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkBy {
    /// Both have this e-mail address.
    Email,
    /// The identity provider calls both so.
    FederationId,
    /// Both log in with this name.
    UserName,
}

/// By which call a status is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SetBy {
    /// By the admin call, and by a session where the tenant has none.
    Auto,
    /// By the admin call alone.
    Admin,
    /// By a session that is joined for the agent.
    Session,
}

/// A secret. It never stands in the configuration, only where to find it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(
    expecting = "where to find the secret, never the secret itself: { secret_file = \"PATH\" } or { secret_env = \"NAME\" }"
)]
#[schemars(rename = "Secret", default, deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["secret_file"] }, { "required": ["secret_env"] }]))]
pub(super) struct RawSecret {
    /// A file that holds only the secret; a path is taken from the folder of the configuration.
    pub(super) secret_file: Field<String>,
    /// An environment variable that holds the secret.
    pub(super) secret_env: Field<String>,
}

/// Who is who.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Directory", default, deny_unknown_fields)]
pub(super) struct RawDirectory {
    /// By what `directory refresh` takes two people for one: email, federation_id, user_name. The first by which anybody is found
    /// decides. Default: all three, in this order.
    pub(super) link_by: Field<Vec<Field<LinkBy>>>,
    /// How often people, statuses and codes are asked for by the process that has the account, and people linked, in minutes; 0 is
    /// never: then `directory refresh` does it when somebody wants it. Default: 0.
    #[schemars(extend("minimum" = 0, "maximum" = REFRESH_MINUTES_MAX))]
    pub(super) refresh_minutes: Field<Whole>,
}

/// What is kept of people, and how long.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Privacy", default, deny_unknown_fields)]
pub(super) struct RawPrivacy {
    /// How long events, decisions, snapshots and dead letters are kept, in days (1 to 3650). Default: 30.
    #[schemars(extend("minimum" = 1, "maximum" = RETENTION_DAYS_MAX))]
    pub(super) retention_days: Field<Whole>,
    /// What a dead letter keeps of a record that could not be read: hashed, full or none. Default: hashed.
    pub(super) dead_letter_payload: Field<DeadLetterPayload>,
}

/// The processor, which decides.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Processor", default, deny_unknown_fields)]
pub(super) struct RawProcessor {
    /// The name of this process among the processors: 1 to 100 of a-z, A-Z, 0-9, `.`, `-` and `_`. It must be the same
    /// after a restart, and no other process may have it. Default: the name of the host.
    pub(super) name: Field<String>,
    /// Threads that share the partitions. Default: 1, which is enough for 100,000 agents.
    #[schemars(extend("minimum" = 1, "maximum" = WORKERS_MAX))]
    pub(super) workers: Field<Whole>,
    /// How long a transaction gathers, in ms. Shorter is sooner, and costs the brokers more. Default: 50.
    #[schemars(extend("minimum" = 1, "maximum" = COMMIT_MS_MAX))]
    pub(super) commit_interval_ms: Field<Whole>,
}

/// The directory that `--data` names, where everything is kept without a Kafka.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Data", default, deny_unknown_fields)]
pub(super) struct RawData {
    /// How long after a commit it is on disk at the latest, in ms: so much is lost when the power fails. 0 waits for the
    /// disk with each commit. Default: 0.
    #[schemars(extend("minimum" = 0, "maximum" = FSYNC_MS_MAX))]
    pub(super) fsync_ms: Field<Whole>,
    /// The most that a partition of events, decisions, snapshots or dead letters holds, in MiB: the oldest records go first.
    /// Default: only their age counts.
    #[schemars(extend("minimum" = 1, "maximum" = u16::MAX))]
    pub(super) partition_mib_max: Field<Whole>,
    /// How much of the disk is left to others, in MiB: where there is less, nothing is written until there is more.
    /// Default: 64.
    #[schemars(extend("minimum" = 1, "maximum" = u16::MAX))]
    pub(super) free_mib_min: Field<Whole>,
}

/// Metrics, health and status.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Ops", default, deny_unknown_fields)]
pub(super) struct RawOps {
    /// ADDRESS:PORT where they are served, without a log-in. Default: 127.0.0.1:9464.
    pub(super) listen: Field<String>,
}

/// What kind of org it is, which says where its log-in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Logs in at login.salesforce.com.
    Production,
    /// Logs in at test.salesforce.com.
    Sandbox,
    /// Logs in at its own My Domain.
    Hyperforce,
}

/// How a user is proven to a Kafka cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SaslMechanism {
    /// The password itself is sent.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Both sides prove that they know the password, with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// The same with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl SaslMechanism {
    /// Kafka's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// What a dead letter keeps of the record that could not be read or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeadLetterPayload {
    /// Its SHA-256, so that equal ones are known as equal.
    Hashed,
    /// All of it.
    Full,
    /// Nothing.
    None,
}
