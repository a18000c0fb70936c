//! A site between two simulated platforms on this machine, as demos and benchmarks have one: who is who there, with what its org
//! signs for browsers, and how Lockstep is configured for that.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;

use lockstep::directory::agent_id;
use lockstep::domain::{AgentId, CxoneAgent, CxoneAgentId, Link, SalesforceUser, UserId};
use lockstep::simulate::Random;
use lockstep::simulators::RsaKey;
use lockstep::simulators::salesforce::{Addresses, BridgeKey, Credentials, consoles};

use super::folder::Folder;

/// The name of both accounts.
pub(super) const ACCOUNT: &str = "main";
/// The number in CXone of the first agent; the others follow.
pub(super) const NUMBER_FIRST: u32 = 293_001;
/// Who signs for browsers, for whom, and with which key.
const ISSUER: &str = "simulated-org";
const AUDIENCE: &str = "lockstep-bridge";
const KEY_ID: &str = "Lockstep_Bridge";
/// What the gateway has of that key, beside its configuration.
const KEY_FILE: &str = "bridge.pem";
/// The environment variables that secrets of the org are in.
const PASSWORD: &str = "LOCKSTEP_DEMO_SALESFORCE_PASSWORD";
const APP_SECRET: &str = "LOCKSTEP_DEMO_SALESFORCE_CLIENT_SECRET";
const PORTS_TRIED: usize = 100;

/// Somebody who is linked, and which agent he is.
pub(super) fn linked(number: u32, user: UserId) -> anyhow::Result<(AgentId, Link)> {
    let account = ACCOUNT.parse()?;
    let link = Link {
        salesforce: SalesforceUser { account, user },
        cxone: CxoneAgent { account, agent: CxoneAgentId::new(number) },
    };
    Ok((agent_id(&link), link))
}

/// Ports that a simulator chooses.
pub(super) fn anywhere() -> Addresses {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Addresses { api: any, control: any }
}

/// A port of this machine that is free, and is held: this one, if it is. Others are below those that the system gives to whoever
/// connects, so that a process that starts again finds it free again.
///
/// # Errors
/// None is free.
pub(super) fn free_port(wanted: Option<u16>) -> anyhow::Result<TcpListener> {
    let mut random = Random::new(std::process::id().into());
    let hold = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok();
    let others = std::iter::repeat_with(|| random.between(20_000, 32_000) as u16).take(PORTS_TRIED);
    wanted.into_iter().chain(others).find_map(hold).context("no port of this machine is free")
}

/// With what the org signs for browsers: a new key. What the gateway has of it is written into the folder of its configuration.
///
/// # Errors
/// It cannot be made, or not be written.
pub(super) fn bridge_key(folder: &Folder) -> anyhow::Result<BridgeKey> {
    let key = RsaKey::new()?;
    folder.write(KEY_FILE, &key.public)?;
    Ok(BridgeKey {
        pem: key.private,
        key_id: KEY_ID.to_owned(),
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
    })
}

/// What a configuration has of an org, and of the gateway for its browsers, whose part is the last.
pub(super) fn configuration(org: SocketAddr, gateway: SocketAddr, connections_max: u16) -> String {
    let Credentials { client_id, username, .. } = Credentials::default();
    let origin = consoles::Settings::default().origin;
    format!(
        r#"[salesforce.{ACCOUNT}]
environment = "production"
login_url = "http://{org}"
organisation_id = "00D5g0000000001"
user_name = "{username}"
password = {{ secret_env = "{PASSWORD}" }}
client_id = "{client_id}"
client_secret = {{ secret_env = "{APP_SECRET}" }}
admin_email = "admin@example.com"

[salesforce.{ACCOUNT}.bridge]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys = {{ {KEY_ID} = "{KEY_FILE}" }}

[bridge]
listen = "{gateway}"
origins = ["{origin}"]
connections_max = {connections_max}
"#
    )
}

/// The secrets of the org, for the environment of a process that has that configuration.
pub(super) fn secrets() -> [(&'static str, String); 2] {
    let org = Credentials::default();
    [(PASSWORD, org.password + &org.security_token), (APP_SECRET, org.client_secret)]
}
