//! What a demo lays out before Lockstep begins: a folder with a configuration, rules and a key, and ports that are free.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;

use lockstep::bus::embedded::Embedded;
use lockstep::bus::{Any, AnyBus};
use lockstep::connectors::http::Rate;
use lockstep::simulators::cxone;

use super::platforms::Platforms;
use super::{Keeper, choices};
use crate::cli::deployment::{Configured, Deployment};
use crate::cli::folder::Folder;
use crate::cli::output;
use crate::cli::simulated::{self, ACCOUNT, free_port};

/// The environment variables that secrets of the tenant are in.
const KEY_SECRET: &str = "LOCKSTEP_DEMO_CXONE_ACCESS_KEY_SECRET";
const CLIENT_SECRET: &str = "LOCKSTEP_DEMO_CXONE_CLIENT_SECRET";
/// Where it is served as the configuration has it by default, if nobody else is there.
const OPS_PORT: u16 = 9_464;
const BRIDGE_PORT: u16 = 8_470;

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
        let free = |port: u16| free_port(is_for_somebody.then_some(port));
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

/// The one that was named, which must be absent or empty; else one among the temporary files.
pub(super) fn folder(named: Option<&Path>) -> anyhow::Result<Folder> {
    let Some(path) = named else { return Folder::temporary("demo") };
    let folder = Folder::named(path)?;
    let holds = folder.path.read_dir().with_context(|| format!("looking into {}", path.display()))?;
    anyhow::ensure!(
        holds.count() == 0,
        "{} holds something already: a demo begins with an empty folder. Name another one with --data, or take away what is there",
        path.display()
    );
    Ok(folder)
}

/// A deployment with everything that it needs. Its folder stays, whatever happens, unless nobody named it and all is well.
pub(super) struct Site {
    pub(super) folder: Folder,
    is_named: bool,
    pub(super) data: Option<PathBuf>,
    pub(super) prefix: String,
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.folder.stays {
            let path = self.folder.path.display();
            output::aside(&format!("demo: its log, and what processes said, are in {path}\n"));
        }
    }
}

impl Site {
    /// Writes what it needs into its folder.
    pub(super) fn lay_out(mut folder: Folder, plan: &Plan<'_>) -> anyhow::Result<Site> {
        let is_named = std::mem::replace(&mut folder.stays, true);
        let data = match plan.keeper {
            Keeper::Directory => Some(folder.file("log")),
            Keeper::Kafka(_) => None,
        };
        let prefix = match plan.keeper {
            Keeper::Directory => "presence".to_owned(),
            Keeper::Kafka(kafka) => kafka.prefix.clone(),
        };
        let site = Site { folder, is_named, data, prefix };
        site.folder.write("rules.toml", &choices::rules(false))?;
        site.folder.write("other-rules.toml", &choices::rules(true))?;
        for (process, ops) in super::processes::NAMES.iter().zip(plan.ports.ops) {
            site.folder.write(&format!("{process}.toml"), &site.configuration(plan, ops))?;
        }
        // A mistake that an operator makes: it is refused, and nobody else notices.
        let mistaken =
            site.configuration(plan, plan.ports.bridge).replace("poll_interval_ms = ", "poll_interval_s = ");
        site.folder.write("mistaken.toml", &mistaken)?;
        Ok(site)
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
        let cxone::Credentials { access_key_id, client_id, .. } = cxone::Credentials::default();
        let Rate { calls_per_minute, burst } = plan.allowed;
        let connections_max = (plan.platforms.people.len() * 2).clamp(500, u16::MAX.into()) as u16;
        let salesforce =
            simulated::configuration(plan.platforms.salesforce.api, plan.ports.bridge, connections_max);
        let cxone = plan.platforms.cxone.api;
        format!(
            r#"# Two simulated platforms on this machine: their secrets open nothing else.
[bus]
{bus}

[ops]
listen = "{ops}"

[processor]
commit_interval_ms = 20

{salesforce}
[salesforce.{ACCOUNT}.calls]
poll_interval_ms = 2000
per_minute = 600
read_timeout_s = 10

[cxone.{ACCOUNT}]
issuer = "http://{cxone}"
user_name = "lockstep@example.com"
access_key_id = "{access_key_id}"
access_key_secret = {{ secret_env = "{KEY_SECRET}" }}
client_id = "{client_id}"
client_secret = {{ secret_env = "{CLIENT_SECRET}" }}

[cxone.{ACCOUNT}.calls]
poll_interval_ms = 1000
per_minute = {calls_per_minute}
burst = {burst}
read_timeout_s = 10
"#
        )
    }

    /// Nobody has to look at its folder. Whether it stays all the same.
    pub(super) fn is_not_needed(&mut self) -> bool {
        self.folder.stays = self.is_named;
        self.is_named
    }

    /// The secrets of both platforms, for the environment of a process.
    pub(super) fn secrets() -> [(&'static str, String); 4] {
        let [password, app] = simulated::secrets();
        let tenant = cxone::Credentials::default();
        [password, app, (KEY_SECRET, tenant.access_key_secret), (CLIENT_SECRET, tenant.client_secret)]
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
