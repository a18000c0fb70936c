//! What a simulated org can be told.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::listen::Tls;

/// With what one logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The connected app, or external client app.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The integration user, who may log in by the password flow, and whom the other flows log in.
    pub username: String,
    /// His password.
    pub password: String,
    /// His security token, which is appended to his password.
    pub security_token: String,
}

impl Default for Credentials {
    /// They open nothing but a simulator.
    fn default() -> Self {
        Credentials {
            client_id: "3MVG9SIMULATED.client_1".to_owned(),
            client_secret: "SIMULATEDCLIENTSECRET0001".to_owned(),
            username: "integration@simulated.example.com".to_owned(),
            password: "simulated password/+".to_owned(),
            security_token: "SIMULATEDTOKEN0001".to_owned(),
        }
    }
}

/// With what the org signs for the bridge, as Apex does with a certificate of the org.
#[derive(Clone, Debug)]
pub struct BridgeKey {
    /// An RSA key, in PEM.
    pub pem: SecretString,
    /// The name of the certificate.
    pub key_id: String,
    /// Who signs.
    pub issuer: String,
    /// For whom.
    pub audience: String,
}

/// What the contract leaves open, and what tests change while the org is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variants {
    /// So long after a row has closed the next one opens.
    pub gap_ms: u32,
    /// Each row of so many stays `IsCurrentState=true` when it is left; 0 is none.
    pub stale_every: u32,
    /// So often a current row's `AverageCapacity` is updated; 0 is never.
    pub noise_every_ms: u32,
    /// Whether `IsAway` is true in a status without service channels.
    pub away_without_channels: bool,
    /// Whether who is set to what he is in gets a new row.
    pub set_again_opens: bool,
    /// A page of a query has so many records at most.
    pub page_size: usize,
    /// So many calls a day are allowed; without it, as many as Enterprise has with a licence for each user.
    pub daily_requests: Option<u64>,
    /// So long after its last call a session ends.
    pub session_seconds: u32,
    /// How far its clock is ahead, in ms.
    pub date_offset_ms: i64,
    /// Whether the password flow is allowed, which newer orgs block.
    pub allows_password: bool,
    /// Whether client credentials are taken at this host.
    pub has_client_credentials: bool,
    /// Whether consent is given where an application asks for it.
    pub gives_consent: bool,
    /// What sessions may be used for, names between spaces.
    pub scope: String,
    /// Where calls are to go, if not where the token was asked for.
    pub instance_url: Option<String>,
    /// For whom an assertion may be: login hosts, and not the org's own.
    pub jwt_audiences: Vec<String>,
}

impl Default for Variants {
    fn default() -> Self {
        let audiences = ["https://login.salesforce.com", "https://test.salesforce.com"];
        Variants {
            gap_ms: 0,
            stale_every: 0,
            noise_every_ms: 0,
            away_without_channels: true,
            set_again_opens: false,
            page_size: 2_000,
            daily_requests: None,
            session_seconds: 7_200,
            date_offset_ms: 0,
            allows_password: true,
            has_client_credentials: true,
            gives_consent: true,
            scope: "api refresh_token".to_owned(),
            instance_url: None,
            jwt_audiences: audiences.map(str::to_owned).to_vec(),
        }
    }
}

/// What a simulated org can be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// With what one logs in.
    pub credentials: Credentials,
    /// How many users it has who work in it.
    pub users: u32,
    /// What everything that is by chance follows from.
    pub seed: u64,
    /// Whether its people act by themselves.
    pub behaves: bool,
    /// What the contract leaves open, and what can be changed later.
    pub variants: Variants,
    /// The public RSA key that assertions are checked with, in PEM; without it, none is taken.
    pub jwt_public_key: Option<String>,
    /// With what it signs for the bridge; without it, it signs nothing.
    pub bridge_key: Option<BridgeKey>,
    /// So many changes are remembered, the newest.
    pub log_max: usize,
    /// With what the API is served over TLS; without it, it is served without.
    pub tls: Option<Tls>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            credentials: Credentials::default(),
            users: 200,
            seed: 1,
            behaves: false,
            variants: Variants::default(),
            jwt_public_key: None,
            bridge_key: None,
            log_max: 1_000_000,
            tls: None,
        }
    }
}
