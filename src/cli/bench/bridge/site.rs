//! A site of a benchmark's own: an org that is simulated, with the browsers of its users; a log in a directory, in which all of
//! them are linked; and a gateway between the two. Org and browsers are in this process, and all of it goes with it.

use std::borrow::Cow;
use std::fs::{self, DirBuilder};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};

use lockstep::bus::{AnyBus, Bus, Outgoing, Partition, Topic, TopicsPlan, Writer};
use lockstep::codec::{Buffer, Codec, DirectoryEntry, Entry, LinkEntry, Operator};
use lockstep::connectors::http;
use lockstep::directory::agent_id;
use lockstep::domain::{
    AgentId, CxoneAgent, CxoneAgentId, Link, PresenceStatusId, SalesforceStatus, SalesforceUser, UserId,
};
use lockstep::simulators::RsaKey;
use lockstep::simulators::salesforce::consoles::{self, Consoles, Transport};
use lockstep::simulators::salesforce::{Addresses, BridgeKey, Org, Reason, Settings, Simulator};

use super::gateway::Gateway;
use crate::cli::bench::own;
use crate::cli::deployment::{Configured, Deployment};
use crate::cli::output;

/// The name of the org, as accounts have one.
pub(super) const ACCOUNT: &str = "emea";
/// Who signs for the bridge, for whom, and with which key.
pub(super) const ISSUER: &str = "lockstep-bench";
pub(super) const AUDIENCE: &str = "lockstep-bridge";
pub(super) const KEY_ID: &str = "Lockstep_Bridge";
/// The number in CXone of the first agent. Nobody looks for him there.
const FIRST: u32 = 293_001;
/// So many links are in a transaction.
const TRANSACTION: usize = 20_000;
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

/// Somebody who is linked.
#[derive(Clone, Copy)]
pub(super) struct Person {
    pub(super) agent: AgentId,
    pub(super) user: SalesforceUser,
}

/// The site, in the order in which its parts go.
pub(super) struct Site {
    pub(super) consoles: Consoles,
    pub(super) org: Org,
    /// Consoles run there.
    pub(super) runtime: Runtime,
    pub(super) codec: Codec,
    pub(super) people: Vec<Person>,
    /// What everybody is in at first, and what else he may be set to.
    pub(super) statuses: [PresenceStatusId; 2],
    pub(super) plan: TopicsPlan,
    pub(super) bus: AnyBus,
    pub(super) gateway: Gateway,
    _folder: Folder,
}

/// Keys and certificates, by their files.
pub(super) struct Keys {
    /// What the gateway has of the key that the org signs with.
    pub(super) org_public: PathBuf,
    /// The gateway's certificate, and its key.
    pub(super) tls: Option<(PathBuf, PathBuf)>,
    /// What the org signs with.
    org: SecretString,
}

/// A directory that goes with it. Nobody else may look into it: keys are there.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            output::aside(&format!("{} could not be deleted: {error}\n", self.0.display()));
        }
    }
}

impl Site {
    /// One whose users are logged in, with no browser open.
    pub(super) fn new(how: &How) -> anyhow::Result<Site> {
        let configured = Configured { config: None, data: Some(std::env::temp_dir()) };
        let mut deployment = own::deployment(&configured)?;
        let path = deployment.data.take().context("a directory of the benchmark")?;
        DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("making {}", path.display()))?;
        let folder = Folder(path);
        let data = folder.0.join("log");
        deployment.data = Some(data.clone());
        let keys = Keys::new(&folder.0, how.has_tls)?;
        // Browsers of everybody are on one thread: a gateway that is measured has another core.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("the system gives no thread for consoles")?;
        let org = org(&runtime, how.consoles, &keys)?;
        let people = org.users().into_iter().zip(0..).map(|(user, place)| person(user.id, place));
        let people = people.collect::<anyhow::Result<Vec<_>>>()?;
        let statuses = log_in(&org, &people)?;
        let (plan, codec) = (deployment.topics(), Codec::single_object()?);
        link_all(&deployment, &codec, &people)?;
        let mut settings = consoles::Settings { transport: how.transport, ..consoles::Settings::default() };
        let connections_max = how.consoles.max(CONNECTIONS_MAX);
        let at_the_door = (settings.origin.as_str(), connections_max);
        let gateway = Gateway::start((&folder.0, &data), &plan, &keys, at_the_door, how.core)?;
        // The gateway owns the directory.
        let bus = deployment.bus()?;
        let scheme = if how.has_tls { "https" } else { "http" };
        let url = format!("{scheme}://{}", gateway.listen).parse().context("the address of the gateway")?;
        settings.gateways = vec![url];
        settings.tls_ca = keys.tls.map(|(certificate, _)| certificate);
        let consoles = Consoles::new(org.clone(), &settings, runtime.handle())?;
        Ok(Site { consoles, org, runtime, codec, people, statuses, plan, bus, gateway, _folder: folder })
    }
}

/// An org that has a key, of which nobody uses the API.
fn org(runtime: &Runtime, users: u16, keys: &Keys) -> anyhow::Result<Org> {
    let any = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    let bridge_key = BridgeKey {
        pem: keys.org.clone(),
        key_id: KEY_ID.to_owned(),
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
    };
    let settings = Settings { users: users.into(), bridge_key: Some(bridge_key), ..Settings::default() };
    let simulator = runtime.block_on(Simulator::bind(settings, Addresses { api: any, control: any }));
    Ok(simulator.context("making an org")?.org())
}

fn person(user: UserId, place: u32) -> anyhow::Result<Person> {
    let user = SalesforceUser { account: ACCOUNT.parse()?, user };
    Ok(Person { agent: agent_id(&link(user, place)?), user })
}

fn link(user: SalesforceUser, place: u32) -> anyhow::Result<Link> {
    let agent = CxoneAgentId::new(FIRST + place);
    Ok(Link { salesforce: user, cxone: CxoneAgent { account: ACCOUNT.parse()?, agent } })
}

/// Everybody logs in. Tells in what they are, and what else they may be set to.
fn log_in(org: &Org, people: &[Person]) -> anyhow::Result<[PresenceStatusId; 2]> {
    let first = people.first().context("an org without users")?;
    let may_use = org.may_use(first.user.user);
    let [at_first, other, ..] = *may_use.as_slice() else {
        anyhow::bail!("users of the org may not use two statuses");
    };
    for person in people {
        org.set(person.user.user, SalesforceStatus::Presence(at_first), Reason::Login)?;
    }
    Ok([at_first, other])
}

/// Makes the topics, and links everybody, as an operator does before there is a gateway.
fn link_all(deployment: &Deployment, codec: &Codec, people: &[Person]) -> anyhow::Result<()> {
    let (plan, bus) = (deployment.topics(), deployment.own_bus()?);
    bus.create(&plan.specs())?;
    let mut writer = bus.writer(&format!("{}.links", plan.prefix), &[plan.name(Topic::Directory)])?;
    let mut buffer = Buffer::new();
    for (people, first) in people.chunks(TRANSACTION).zip((0..).step_by(TRANSACTION)) {
        for (person, place) in people.iter().zip(first..) {
            let operator = Operator { actor: Cow::Borrowed("bench"), reason: Cow::Borrowed("a benchmark") };
            let link = link(person.user, place)?;
            let entry = Entry::Link(LinkEntry { agent: person.agent, link, operator });
            buffer.clear();
            codec.encode(&DirectoryEntry { account: None, read_at: http::now(), entry }, &mut buffer)?;
            let (key, value) = (person.agent.text(), Some(buffer.as_slice()));
            writer.add(&Outgoing { topic: 0, partition: Partition(0), key: &key, value, headers: &[] })?;
        }
        writer.commit(None)?;
    }
    Ok(())
}

impl Keys {
    /// Makes them.
    fn new(folder: &Path, has_tls: bool) -> anyhow::Result<Keys> {
        let file = |name: &str| folder.join(name);
        let (org, org_public) = (RsaKey::new()?, file("org.pem"));
        fs::write(&org_public, &org.public).context("writing the key of the org")?;
        let tls = (file("gateway.crt"), file("gateway.key"));
        if has_tls {
            let certificate = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
            openssl(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout",
                &[&tls.1, Path::new("-out"), &tls.0],
                certificate,
            )?;
        }
        Ok(Keys { org_public, tls: has_tls.then_some(tls), org: org.private })
    }
}

/// Runs `openssl` with these words, then these files, and then further words.
fn openssl(first: &str, files: &[&Path], last: &str) -> anyhow::Result<()> {
    let mut command = Command::new("openssl");
    command.args(first.split_whitespace()).args(files).args(last.split_whitespace());
    let done = command.output().context("openssl makes the keys of this benchmark, and cannot be run")?;
    anyhow::ensure!(
        done.status.success(),
        "openssl {first}: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}
