//! Both platforms, simulated, on this machine: they speak their real protocols over ports of their own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use reqwest::Url;
use serde_json::Value;
use tokio::runtime::Runtime;

use lockstep::connectors::http::Rate;
use lockstep::domain::{AgentId, Platform, UserId};
use lockstep::simulators::cxone::{self, Floor};
use lockstep::simulators::salesforce::{self, Addresses, BridgeKey, Consoles, Org, consoles};

use crate::cli::runtime;
use crate::cli::simulated::{anywhere, linked};

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
        bridge_key: BridgeKey,
        gateways: Vec<Url>,
        allowed: Rate,
    ) -> anyhow::Result<Platforms> {
        let runtime = runtime::on_a_thread("platforms")?;
        let settings = salesforce::Settings {
            users: agents,
            bridge_key: Some(bridge_key),
            log_max: LOG_MAX,
            ..salesforce::Settings::default()
        };
        let of_org = salesforce::Simulator::bind(settings, anywhere());
        let of_org = runtime.block_on(of_org).context("beginning the simulated org")?;
        let settings =
            cxone::Settings { agents, rate: Some(allowed), log_max: LOG_MAX, ..cxone::Settings::default() };
        let of_tenant = cxone::Simulator::bind(settings, anywhere());
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

    /// Whether somebody at an address says of himself that he is ready.
    pub(super) fn is_ready(&self, address: SocketAddr) -> bool {
        let request = self.client.get(format!("http://{address}/ready"));
        let answer = self.runtime.block_on(async { request.send().await });
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

/// Both simulators give people the same addresses in the same order.
fn person(number: u32, user: UserId) -> anyhow::Result<Person> {
    let (agent, _) = linked(number, user)?;
    Ok(Person { number, user, agent })
}
