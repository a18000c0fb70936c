//! What a demo lays out before Lockstep begins: a folder with a configuration, rules and a key, and ports that are free.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use lockstep::bus::embedded::Embedded;
use lockstep::bus::{Any, AnyBus};
use lockstep::connectors::http::Rate;
use lockstep::simulate::Random;
use lockstep::simulators::{RsaKey, cxone, salesforce};

use super::choices;
use super::platforms::{AUDIENCE, ISSUER, KEY_ID, Platforms};
use super::{ACCOUNT, Keeper};
use crate::cli::deployment::{Configured, Deployment};
use crate::cli::output;

/// The environment variables that secrets are in.
const PASSWORD: &str = "LOCKSTEP_DEMO_SALESFORCE_PASSWORD";
const APP_SECRET: &str = "LOCKSTEP_DEMO_SALESFORCE_CLIENT_SECRET";
const KEY_SECRET: &str = "LOCKSTEP_DEMO_CXONE_ACCESS_KEY_SECRET";
const CLIENT_SECRET: &str = "LOCKSTEP_DEMO_CXONE_CLIENT_SECRET";
/// What the gateway has of the key that the org signs with.
const KEY_FILE: &str = "bridge.pem";
/// Where it is served as the configuration has it by default, if nobody else is there.
const OPS_PORT: u16 = 9_464;
const BRIDGE_PORT: u16 = 8_470;
const PORTS_TRIED: usize = 100;

/// A folder. It stays, whatever happens, unless nobody named it and all is well.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    is_named: bool,
    is_needed: bool,
}

impl Folder {
    /// The one that was named, which must be absent or empty; else one among the temporary files.
    pub(super) fn new(named: Option<&Path>, name: &str) -> anyhow::Result<Folder> {
        let path =
            named.map_or_else(|| std::env::temp_dir().join(format!("lockstep-{name}")), Path::to_owned);
        let mut builder = DirBuilder::new();
        builder
            .mode(0o700)
            .recursive(true)
            .create(&path)
            .with_context(|| format!("making {}", path.display()))?;
        let holds = fs::read_dir(&path).with_context(|| format!("looking into {}", path.display()))?;
        anyhow::ensure!(
            holds.count() == 0,
            "{} holds something already: a demo begins with an empty folder. Name another one with --data, or take away what is there",
            path.display()
        );
        let path = fs::canonicalize(&path).with_context(|| format!("finding {}", path.display()))?;
        Ok(Folder { path, is_named: named.is_some(), is_needed: true })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Nobody has to look at it. Whether it stays all the same.
    pub(super) fn is_not_needed(&mut self) -> bool {
        self.is_needed = false;
        self.is_named
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path = self.path.display();
        if self.is_named || self.is_needed {
            output::aside(&format!("demo: its log, and what processes said, are in {path}\n"));
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            output::aside(&format!("{path} could not be deleted: {error}\n"));
        }
    }
}

/// A port of this machine that is free, and is held: this one, if it is. Others are below those that the system gives to whoever
/// connects, so that a process that starts again finds it free again.
fn free_port(wanted: Option<u16>, random: &mut Random) -> anyhow::Result<TcpListener> {
    let hold = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok();
    let others = std::iter::repeat_with(|| random.between(20_000, 32_000) as u16).take(PORTS_TRIED);
    wanted.into_iter().chain(others).find_map(hold).context("no port of this machine is free")
}

/// Where the parts of Lockstep are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) bridge: SocketAddr,
    /// Of each process.
    pub(super) ops: [SocketAddr; 3],
}

impl Ports {
    /// Those that the configuration has by default, if somebody is to find them; a demo beside others has its own. Nobody else takes
    /// them for as long as they are held.
    pub(super) fn free(is_for_somebody: bool) -> anyhow::Result<(Ports, Held)> {
        let mut random = Random::new(std::process::id().into());
        let mut free = |port: u16| free_port(is_for_somebody.then_some(port), &mut random);
        let held = [free(OPS_PORT)?, free(OPS_PORT + 1)?, free(OPS_PORT + 2)?, free(BRIDGE_PORT)?];
        let [first, second, third, bridge] = &held;
        let ops = [first.local_addr()?, second.local_addr()?, third.local_addr()?];
        Ok((Ports { bridge: bridge.local_addr()?, ops }, Held(held)))
    }
}

/// Ports that nobody else takes.
pub(super) struct Held([TcpListener; 4]);

impl Held {
    /// Processes take them now.
    pub(super) fn let_go(self) {
        drop(self.0);
    }
}

/// What a site is made of.
pub(super) struct Plan<'p> {
    pub(super) keeper: &'p Keeper,
    pub(super) platforms: &'p Platforms,
    pub(super) ports: Ports,
    /// How fast CXone may be called.
    pub(super) allowed: Rate,
}

/// A deployment with everything that it needs.
pub(super) struct Site {
    pub(super) folder: Folder,
    pub(super) data: Option<PathBuf>,
    pub(super) prefix: String,
}

impl Site {
    /// Writes what it needs into its folder.
    pub(super) fn lay_out(folder: Folder, key: &RsaKey, plan: &Plan<'_>) -> anyhow::Result<Site> {
        let data = match plan.keeper {
            Keeper::Directory => Some(folder.file("log")),
            Keeper::Kafka(_) => None,
        };
        let prefix = match plan.keeper {
            Keeper::Directory => "presence".to_owned(),
            Keeper::Kafka(kafka) => kafka.prefix.clone(),
        };
        let site = Site { folder, data, prefix };
        site.write(KEY_FILE, &key.public)?;
        site.write("rules.toml", &choices::rules(false))?;
        site.write("other-rules.toml", &choices::rules(true))?;
        for (process, ops) in super::processes::NAMES.iter().zip(plan.ports.ops) {
            site.write(&format!("{process}.toml"), &site.configuration(plan, ops))?;
        }
        // A mistake that an operator makes: it is refused, and nobody else notices.
        let mistaken =
            site.configuration(plan, plan.ports.bridge).replace("poll_interval_ms = ", "poll_interval_s = ");
        site.write("mistaken.toml", &mistaken)?;
        Ok(site)
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder.file(name);
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("writing {}", path.display()))
    }

    fn configuration(&self, plan: &Plan<'_>, ops: SocketAddr) -> String {
        let bus = match plan.keeper {
            Keeper::Directory => format!("prefix = \"{}\"\npartitions = 4", self.prefix),
            Keeper::Kafka(kafka) => {
                let servers: Vec<String> =
                    kafka.servers.split(',').map(|one| format!("\"{}\"", one.trim())).collect();
                let replicas = kafka.replicas;
                format!(
                    "bootstrap_servers = [{}]\nprefix = \"{}\"\npartitions = 4\nreplication_factor = {}\nmin_insync_replicas = {}",
                    servers.join(", "),
                    self.prefix,
                    replicas.replication_factor,
                    replicas.in_sync_min
                )
            }
        };
        let org = salesforce::Credentials::default();
        let tenant = cxone::Credentials::default();
        let (salesforce, cxone) = (plan.platforms.salesforce.api, plan.platforms.cxone.api);
        let Rate { calls_per_minute, burst } = plan.allowed;
        let bridge = plan.ports.bridge;
        let connections_max = (plan.platforms.people.len() * 2).clamp(500, u16::MAX.into());
        format!(
            r#"# Two simulated platforms on this machine: their secrets open nothing else.
[bus]
{bus}

[ops]
listen = "{ops}"

[processor]
commit_interval_ms = 20

[salesforce.{ACCOUNT}]
environment = "production"
login_url = "http://{salesforce}"
organisation_id = "00D5g0000000001"
user_name = "{}"
password = {{ secret_env = "{PASSWORD}" }}
client_id = "{}"
client_secret = {{ secret_env = "{APP_SECRET}" }}
admin_email = "admin@example.com"

[salesforce.{ACCOUNT}.calls]
poll_interval_ms = 2000
per_minute = 600
read_timeout_s = 10

[salesforce.{ACCOUNT}.bridge]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys = {{ {KEY_ID} = "{KEY_FILE}" }}

[bridge]
listen = "{bridge}"
origins = ["https://simulated.lightning.force.com"]
connections_max = {connections_max}

[cxone.{ACCOUNT}]
issuer = "http://{cxone}"
user_name = "lockstep@example.com"
access_key_id = "{}"
access_key_secret = {{ secret_env = "{KEY_SECRET}" }}
client_id = "{}"
client_secret = {{ secret_env = "{CLIENT_SECRET}" }}

[cxone.{ACCOUNT}.calls]
poll_interval_ms = 1000
per_minute = {calls_per_minute}
burst = {burst}
read_timeout_s = 10
"#,
            org.username, org.client_id, tenant.access_key_id, tenant.client_id,
        )
    }

    /// The secrets of both platforms, for the environment of a process.
    pub(super) fn secrets() -> [(&'static str, String); 4] {
        let org = salesforce::Credentials::default();
        let tenant = cxone::Credentials::default();
        [
            (PASSWORD, org.password + &org.security_token),
            (APP_SECRET, org.client_secret),
            (KEY_SECRET, tenant.access_key_secret),
            (CLIENT_SECRET, tenant.client_secret),
        ]
    }

    /// The deployment, for who reads its topics.
    pub(super) fn deployment(&self) -> anyhow::Result<Deployment> {
        let config = Some(self.folder.file(&format!("{}.toml", super::processes::NAMES[0])));
        Configured { config, data: self.data.clone() }.load_with(&Site::secrets())
    }

    /// The way to its topics while a process may own them: who looks never becomes the owner.
    pub(super) fn bus_beside(data: Option<&Path>, deployment: &Deployment) -> anyhow::Result<AnyBus> {
        match data {
            Some(data) => Ok(Any::Embedded(Embedded::attach(data)?)),
            None => deployment.bus(),
        }
    }
}
