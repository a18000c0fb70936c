//! A site of a benchmark's own: an org that is simulated, with the browsers of its users; a log in a directory, in which all of
//! them are linked; and a gateway between the two. Org and browsers are in this process, and all of it goes with it.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Context;
use tokio::runtime::Runtime;

use lockstep::bus::{AnyBus, TopicsPlan};
use lockstep::domain::{AgentId, Link, PresenceStatusId, SalesforceStatus};
use lockstep::simulators::salesforce::consoles::{self, Consoles, Transport};
use lockstep::simulators::salesforce::{BridgeKey, Org, Reason, Settings, Simulator};

use super::gateway::{self, Gateway};
use crate::cli::bench::log::link_all;
use crate::cli::bench::own;
use crate::cli::folder::Folder;
use crate::cli::runtime;
use crate::cli::simulated::{NUMBER_FIRST, anywhere, bridge_key, linked};

/// A gateway lets so many browsers in, if not more are wanted: as the configuration has it by default.
const CONNECTIONS_MAX: u16 = 20_000;

/// How a site is to be.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) consoles: u16,
    pub(super) transport: Transport,
    pub(super) has_tls: bool,
    /// The core of the gateway.
    pub(super) core: Option<u32>,
}

/// The site, in the order in which its parts go.
pub(super) struct Site {
    pub(super) consoles: Consoles,
    pub(super) org: Org,
    /// Consoles run there.
    pub(super) runtime: Runtime,
    pub(super) people: Vec<(AgentId, Link)>,
    /// What everybody is in at first, and what else he may be set to.
    pub(super) statuses: [PresenceStatusId; 2],
    pub(super) plan: TopicsPlan,
    pub(super) bus: AnyBus,
    pub(super) gateway: Gateway,
    _folder: Folder,
}

impl Site {
    /// One whose users are logged in, with no browser open.
    pub(super) fn new(how: &How) -> anyhow::Result<Site> {
        let (deployment, folder) = own::temporary()?;
        let key = bridge_key(&folder)?;
        if how.has_tls {
            certify(&folder)?;
        }
        // Browsers of everybody are on one thread: a gateway that is measured has another core.
        let runtime = runtime::on_a_thread("consoles")?;
        let (org, api) = org(&runtime, how.consoles, key)?;
        let people =
            org.users().into_iter().zip(NUMBER_FIRST..).map(|(user, number)| linked(number, user.id));
        let people = people.collect::<anyhow::Result<Vec<_>>>()?;
        let statuses = log_in(&org, &people)?;
        let plan = deployment.topics();
        link_all(&deployment.own_bus()?, &plan, &people)?;
        let mut settings = consoles::Settings { transport: how.transport, ..consoles::Settings::default() };
        let connections_max = how.consoles.max(CONNECTIONS_MAX);
        let gateway = Gateway::start(&folder, &deployment, (api, connections_max), how)?;
        // The gateway owns the directory.
        let bus = deployment.bus()?;
        let scheme = if how.has_tls { "https" } else { "http" };
        let url = format!("{scheme}://{}", gateway.listen).parse().context("the address of the gateway")?;
        settings.gateways = vec![url];
        settings.tls_ca = how.has_tls.then(|| folder.file(gateway::CERTIFICATE));
        let consoles = Consoles::new(org.clone(), &settings, runtime.handle())?;
        Ok(Site { consoles, org, runtime, people, statuses, plan, bus, gateway, _folder: folder })
    }
}

/// An org that has a key, and where it would be: nobody uses its API.
fn org(runtime: &Runtime, users: u16, key: BridgeKey) -> anyhow::Result<(Org, SocketAddr)> {
    let settings = Settings { users: users.into(), bridge_key: Some(key), ..Settings::default() };
    let simulator = runtime.block_on(Simulator::bind(settings, anywhere())).context("making an org")?;
    Ok((simulator.org(), simulator.addresses()?.api))
}

/// Everybody logs in. Tells in what they are, and what else they may be set to.
fn log_in(org: &Org, people: &[(AgentId, Link)]) -> anyhow::Result<[PresenceStatusId; 2]> {
    let (_, first) = people.first().context("an org without users")?;
    let may_use = org.may_use(first.salesforce.user);
    let [at_first, other, ..] = *may_use.as_slice() else {
        anyhow::bail!("users of the org may not use two statuses");
    };
    for (_, link) in people {
        org.set(link.salesforce.user, SalesforceStatus::Presence(at_first), Reason::Login)?;
    }
    Ok([at_first, other])
}

/// Makes the gateway's certificate, and its key.
fn certify(folder: &Folder) -> anyhow::Result<()> {
    let made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
                -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let mut command = Command::new("openssl");
    command.args(made.split_whitespace());
    command.arg("-keyout").arg(folder.file(gateway::CERTIFICATE_KEY));
    command.arg("-out").arg(folder.file(gateway::CERTIFICATE));
    let done = command.output().context("openssl makes the keys of this benchmark, and cannot be run")?;
    anyhow::ensure!(
        done.status.success(),
        "openssl {made}: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}
