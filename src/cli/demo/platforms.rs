//! Both platforms, simulated, on this machine: they speak their real protocols over ports of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use reqwest::Url;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use lockstep::connectors::http::Rate;
use lockstep::directory::agent_id;
use lockstep::domain::{AgentId, Link, Platform, SalesforceUser, UserId};
use lockstep::domain::{CxoneAgent, CxoneAgentId};
use lockstep::simulators::RsaKey;
use lockstep::simulators::cxone::{self, Floor};
use lockstep::simulators::salesforce::{self, Addresses, BridgeKey, Consoles, Org, consoles};

use super::ACCOUNT;

/// Who signs for the bridge, for whom, and with which key.
pub(super) const ISSUER: &str = "lockstep-demo";
pub(super) const AUDIENCE: &str = "lockstep-bridge";
pub(super) const KEY_ID: &str = "Lockstep_Bridge";
/// A simulator answers within this, or something is wrong with it.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// So much is remembered of what happened there: who looks at it by hand wants the newest.
const LOG_MAX: usize = 10_000;

/// Somebody on both platforms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    /// His number in CXone.
    pub(super) number: u32,
    pub(super) user: UserId,
    pub(super) agent: AgentId,
}

/// Both platforms. They end with this.
pub(super) struct Platforms {
    pub(super) org: Org,
    pub(super) floor: Floor,
    pub(super) consoles: Consoles,
    pub(super) salesforce: Addresses,
    pub(super) cxone: cxone::Addresses,
    pub(super) people: Vec<Person>,
    client: reqwest::Client,
    runtime: Runtime,
}

impl Platforms {
    /// Nobody is logged in, and no console is open.
    pub(super) fn begin(
        agents: u32,
        key: &RsaKey,
        gateways: Vec<Url>,
        allowed: Rate,
    ) -> anyhow::Result<Platforms> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("platforms")
            .enable_all()
            .build()
            .context("the system gives no thread for the platforms")?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bridge_key = BridgeKey {
            pem: key.private.clone(),
            key_id: KEY_ID.to_owned(),
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
        };
        let settings = salesforce::Settings {
            users: agents,
            bridge_key: Some(bridge_key),
            log_max: LOG_MAX,
            ..salesforce::Settings::default()
        };
        let of_org = salesforce::Simulator::bind(settings, Addresses { api: any, control: any });
        let of_org = runtime.block_on(of_org).context("beginning the simulated org")?;
        let settings =
            cxone::Settings { agents, rate: Some(allowed), log_max: LOG_MAX, ..cxone::Settings::default() };
        let of_tenant = cxone::Simulator::bind(settings, Addresses { api: any, control: any });
        let of_tenant = runtime.block_on(of_tenant).context("beginning the simulated tenant")?;
        let (org, floor) = (of_org.org(), of_tenant.floor());
        let (salesforce, cxone) = (of_org.addresses()?, of_tenant.addresses()?);
        runtime.spawn(salesforce::serve(of_org, std::future::pending()));
        runtime.spawn(cxone::serve(of_tenant, std::future::pending()));
        let settings = consoles::Settings { gateways, ..consoles::Settings::default() };
        let consoles = Consoles::new(org.clone(), &settings, runtime.handle())?;
        let users = org.users().into_iter().map(|user| user.id);
        let people = floor.agents().into_iter().zip(users).map(|(number, user)| person(number, user));
        let people = people.collect::<anyhow::Result<_>>()?;
        let client =
            reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build().context("an HTTP client")?;
        Ok(Platforms { org, floor, consoles, salesforce, cxone, people, client, runtime })
    }

    /// Asks the control endpoint of a platform, or tells it something.
    pub(super) fn control(
        &self,
        platform: Platform,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let address = match platform {
            Platform::Salesforce => self.salesforce.control,
            Platform::Cxone => self.cxone.control,
        };
        let request = self.client.request(method, format!("http://{address}{path}"));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let about = || format!("the simulated {} does not answer {path}", platform.name());
        self.runtime.block_on(async {
            let answer = request.send().await.with_context(about)?;
            let status = answer.status();
            let text = answer.text().await.with_context(about)?;
            anyhow::ensure!(status.is_success(), "{}: {status} {text}", about());
            match text.is_empty() {
                true => Ok(Value::Null),
                false => serde_json::from_str(&text).with_context(about),
            }
        })
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

/// Both simulators give people the same addresses in the same order.
fn person(number: u32, user: UserId) -> anyhow::Result<Person> {
    let account = ACCOUNT.parse()?;
    let link = Link {
        salesforce: SalesforceUser { account, user },
        cxone: CxoneAgent { account, agent: CxoneAgentId::new(number) },
    };
    Ok(Person { number, user, agent: agent_id(&link) })
}
