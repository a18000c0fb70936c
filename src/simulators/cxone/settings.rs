//! What a simulated tenant can be told.

use serde::Deserialize;

use super::tenant::Variant;

use crate::connectors::http::Rate;
use crate::listen::Tls;

/// With what one logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The back-end application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: String,
}

impl Default for Credentials {
    /// They open nothing but a simulator. Access keys of CXone end in `=`.
    fn default() -> Self {
        Credentials {
            client_id: "simulated-client".to_owned(),
            client_secret: "simulated client secret/+".to_owned(),
            access_key_id: "SIMULATEDACCESSKEY======".to_owned(),
            access_key_secret: "SIMULATEDACCESSKEYSECRET====".to_owned(),
        }
    }
}

/// What is answered where nothing has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum NoChange {
    /// A page without agents.
    #[default]
    #[serde(rename = "200")]
    Empty,
    /// 204, without a body.
    #[serde(rename = "204")]
    NoContent,
    /// 304, without a body.
    #[serde(rename = "304")]
    NotModified,
}

/// How names are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// `agentId`
    #[default]
    Camel,
    /// `AgentId`, with `LastPollTime` in each record too, as older versions have it.
    Pascal,
}

/// What a simulated tenant can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// With what one logs in.
    pub credentials: Credentials,
    /// How many agents it has.
    pub agents: u32,
    /// What everything that is by chance follows from.
    pub seed: u64,
    /// What the contract leaves open of agents.
    pub variant: Variant,
    /// What is answered where nothing has changed.
    pub no_change: NoChange,
    /// How names are written.
    pub names: Names,
    /// A page has so many entries at most.
    pub page_size_max: usize,
    /// How fast it may be called; as fast as one likes, where there is none.
    pub rate: Option<Rate>,
    /// How far its clock is ahead, in ms.
    pub date_offset_ms: i64,
    /// How long a token is one.
    pub token_seconds: u32,
    /// Whether it has the admin call that sets a status.
    pub has_admin_call: bool,
    /// So many agents the service user may not see.
    pub hidden_agents: u32,
    /// Whether its people act by themselves.
    pub behaves: bool,
    /// So many calls are remembered, the newest.
    pub log_max: usize,
    /// With what the API is served over TLS; without it, it is served without.
    pub tls: Option<Tls>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            credentials: Credentials::default(),
            agents: 200,
            seed: 1,
            variant: Variant::default(),
            no_change: NoChange::default(),
            names: Names::default(),
            page_size_max: 1_000,
            rate: None,
            date_offset_ms: 0,
            token_seconds: 3_600,
            has_admin_call: true,
            hidden_agents: 0,
            behaves: false,
            log_max: 1_000_000,
            tls: None,
        }
    }
}
