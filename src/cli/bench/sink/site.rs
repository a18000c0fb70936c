//! A site of a benchmark's own: a tenant that is simulated, a log in a directory, agents who are linked, and the source and the
//! sink between the two. All of it is in this process, and goes with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use lockstep::bus::{AnyBus, Bus, Topic, TopicsPlan};
use lockstep::codec::{Addressee, Codec};
use lockstep::connectors::cxone::{AccessKey, Attached, Login, SetBy, Settings as Called, Tenant, Way};
use lockstep::connectors::http::{self, CallClass, Limits, Platform, Rate, Settings as Reach};
use lockstep::connectors::{Connected, Connector, Noted, Observer};
use lockstep::domain::{Account, AgentId, CxoneStatus, Feed, Link, Platform as Side, Status, TimeMs};
use lockstep::simulators::cxone::{Addresses, Credentials, Settings, Simulator, serve};

use crate::cli::bench::log::{Log, link_all, person, read_from_now};
use crate::cli::bench::own;
use crate::cli::folder::Folder;
use crate::cli::runtime;
use crate::cli::simulated::{ACCOUNT, NUMBER_FIRST, anywhere};

/// As the configuration has it by default.
const CALLS_AT_ONCE: usize = 16;
const SET_TIMEOUT: Duration = Duration::from_secs(3);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than any case: only the first one is a snapshot.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(3_600);
/// How long the first snapshot may take.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// After the first snapshot: what it found is committed then, and the budget is full again.
const RESTS_FOR: Duration = Duration::from_secs(1);

/// How the tenant is called.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) rate: Rate,
    pub(super) poll_interval: Duration,
}

/// The site, in the order in which its parts go.
pub(super) struct Site {
    pub(super) simulated: Simulated,
    pub(super) codec: Arc<Codec>,
    people: Vec<(AgentId, Link)>,
    plan: TopicsPlan,
    commands: Log,
    bus: Arc<AnyBus>,
    _folder: Folder,
}

impl Site {
    /// So many agents, all of them linked, and logged out.
    pub(super) fn new(agents: u32) -> anyhow::Result<Site> {
        let (deployment, folder) = own::temporary()?;
        let (plan, bus) = (deployment.topics(), Arc::new(deployment.own_bus()?));
        let people = (0..agents).map(person).collect::<anyhow::Result<Vec<_>>>()?;
        link_all(&bus, &plan, &people)?;
        Ok(Site {
            simulated: Simulated::new(agents)?,
            codec: Arc::new(Codec::single_object()?),
            people,
            commands: Log::begin(&bus, &plan, Topic::CommandsCxone)?,
            plan,
            bus,
            _folder: folder,
        })
    }

    /// Everybody is logged in, and unavailable.
    pub(super) fn log_in(&self) -> anyhow::Result<()> {
        (NUMBER_FIRST..)
            .take(self.people.len())
            .try_for_each(|number| self.simulated.put(number, CxoneStatus::Unavailable))
    }

    /// How many agents there are.
    pub(super) fn agents(&self) -> u32 {
        self.people.len() as u32
    }

    /// An agent, and his number in CXone.
    pub(super) fn agent(&self, place: u32) -> anyhow::Result<(AgentId, u32)> {
        let (agent, link) = self.person(place)?;
        Ok((agent, link.cxone.agent.get()))
    }

    fn person(&self, place: u32) -> anyhow::Result<(AgentId, Link)> {
        self.people.get(place as usize).copied().context("an agent of the benchmark")
    }

    /// Adds a command for an agent to the transaction.
    pub(super) fn command(&mut self, place: u32, status: CxoneStatus, sequence: u32) -> anyhow::Result<()> {
        let (agent, link) = self.person(place)?;
        self.commands.command(agent, Addressee::Cxone(link.cxone), Status::Cxone(status), sequence)?;
        Ok(())
    }

    /// Commits what was added, and tells when that began.
    pub(super) fn commit(&mut self) -> anyhow::Result<TimeMs> {
        let at = http::now();
        self.commands.commit()?;
        Ok(at)
    }

    /// Reads the events that are written from now on.
    pub(super) fn events(&self) -> anyhow::Result<<AnyBus as Bus>::Reader> {
        read_from_now(&self.bus, &self.plan, Topic::Events)
    }

    /// Starts the source and the sink.
    pub(super) fn connect(&self, how: How) -> anyhow::Result<Running> {
        let watch = Arc::new(Watch::default());
        let reach = Reach {
            rate: how.rate,
            limits: Limits::default(),
            connect_timeout: Duration::from_millis(700),
            answer_timeout: READ_TIMEOUT,
            proxy: None,
            ca_file: None,
            shows_answers: false,
        };
        let calls: Arc<dyn http::Observer> = watch.clone();
        let platform = Arc::new(Platform::new(reach, calls)?);
        let settings = Connected {
            account: Account { platform: Side::Cxone, name: ACCOUNT.parse()? },
            process: "bench".to_owned(),
            calls_max: CALLS_AT_ONCE,
            call_timeout: SET_TIMEOUT,
            keeps_payload: false,
        };
        let called = Called { set_timeout: SET_TIMEOUT, ..Called::default() };
        let tenant = Arc::new(Tenant::new(platform, self.simulated.login()?, called));
        let attached = Attached {
            account: ACCOUNT.parse()?,
            tenant,
            poll_interval: how.poll_interval,
            snapshot_interval: SNAPSHOT_INTERVAL,
            set_by: SetBy::Auto,
        };
        let parts = (Arc::clone(&self.bus), Arc::clone(&self.codec), self.plan.clone());
        let observer: Arc<dyn Observer> = watch.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = thread::spawn(move || -> anyhow::Result<()> {
            let calls = runtime::on_a_thread("calls")?;
            let connector = Connector::new(parts, attached, settings, observer, calls.handle().clone());
            let ended = connector.run(&|| asked.load(Ordering::Acquire));
            calls.shutdown_background();
            Ok(ended?)
        });
        Ok(Running { stop, thread: Some(thread), watch })
    }
}

/// The source and the sink, until they are asked to stop.
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
    watch: Arc<Watch>,
}

impl Running {
    /// Waits until the first snapshot was taken, and all is at rest.
    pub(super) fn is_ready(&mut self) -> anyhow::Result<()> {
        let watch = self.watch();
        let has_seen_all = || Ok(watch.polls().iter().any(|poll| poll.found_by == Feed::Snapshot));
        let within = (READY_WITHIN, Duration::from_millis(20));
        self.until("the first snapshot was not taken", within, has_seen_all)?;
        thread::sleep(RESTS_FOR);
        Ok(())
    }

    /// What they tell.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// Waits until something is so, and looks again and again. `otherwise` says what it is that was not.
    pub(super) fn until(
        &mut self,
        otherwise: &str,
        (within, every): (Duration, Duration),
        is_so: impl Fn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !is_so()? {
            self.lives()?;
            anyhow::ensure!(begun.elapsed() < within, "{otherwise} within {} s", within.as_secs());
            thread::sleep(every);
        }
        Ok(())
    }

    /// That they run.
    pub(super) fn lives(&mut self) -> anyhow::Result<()> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            self.end()?;
            anyhow::bail!("the source and the sink have ended");
        }
        Ok(())
    }

    /// Ends them; the calls that are on their way come back before that.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow::anyhow!("the source and the sink panicked"))?,
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever did not end them has an error of his own to tell.
        let _ = self.end();
    }
}

/// A poll that was answered.
#[derive(Clone, Copy)]
pub(super) struct Poll {
    pub(super) found_by: Feed,
    pub(super) took: Duration,
    /// How many changes of it were published.
    pub(super) changes: usize,
}

/// Keeps what the source tells of polls.
#[derive(Default)]
pub(super) struct Watch {
    polls: Mutex<Vec<Poll>>,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Vec<Poll>> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All polls, the oldest first.
    pub(super) fn polls(&self) -> Vec<Poll> {
        self.lock().clone()
    }
}

impl http::Observer for Watch {
    fn called(&self, _: &'static str, _: CallClass, _: Duration) {}

    fn clock(&self, _: i64) {}
}

impl Observer for Watch {
    fn note(&self, noted: Noted) {
        match noted {
            Noted::Polled { found_by, took } => self.lock().push(Poll { found_by, took, changes: 0 }),
            // It is told of the poll that was told of just before.
            Noted::Published { changes, .. } => {
                if let Some(poll) = self.lock().last_mut() {
                    poll.changes = changes;
                }
            }
            _ => {}
        }
    }
}

/// A tenant that is simulated, on a thread of its own.
pub(super) struct Simulated {
    addresses: Addresses,
    runtime: Runtime,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// A call as the simulator's log has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Logged {
    at: String,
    method: String,
    path: String,
    pub(super) agent_id: Option<u32>,
    pub(super) applied: bool,
}

/// What an agent is in, as the simulator's control endpoint tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    agent_state_id: u8,
    out_state_id: Option<i64>,
}

impl Logged {
    /// Whether it is to set a status, whatever was answered.
    pub(super) fn is_set(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/state")
    }

    /// Whether it asks for a page of the feed.
    pub(super) fn is_poll(&self) -> bool {
        self.method == "GET" && self.path.ends_with("/agents/states")
    }

    /// When it came, in ms since 1970.
    pub(super) fn at_ms(&self) -> anyhow::Result<i64> {
        let at = self.at.parse::<jiff::Timestamp>();
        Ok(at.with_context(|| format!("the simulator's log has a call at {}", self.at))?.as_millisecond())
    }
}

impl Shown {
    fn is(&self, status: CxoneStatus) -> bool {
        (self.agent_state_id, self.out_state_id) == numbers(status)
    }
}

/// A status by its state and its code.
fn numbers(status: CxoneStatus) -> (u8, Option<i64>) {
    match status {
        CxoneStatus::LoggedOut => (0, None),
        CxoneStatus::Available => (1, None),
        CxoneStatus::Code(code) => (2, Some(code.get().into())),
        _ => (2, None),
    }
}

/// Serves a tenant, and tells where it is.
fn simulate(
    settings: Settings,
    tell: &mpsc::Sender<Addresses>,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    runtime::here("serve")?.block_on(async {
        let simulator = Simulator::bind(settings, anywhere()).await?;
        tell.send(simulator.addresses()?).context("nobody waits for the simulator any more")?;
        serve(simulator, async { stopped.await.unwrap_or(()) }).await?;
        anyhow::Ok(())
    })
}

impl Simulated {
    fn new(agents: u32) -> anyhow::Result<Simulated> {
        let client = reqwest::Client::builder().no_proxy().build().context("a client of the simulator")?;
        let runtime = runtime::here("ask the simulator")?;
        let settings = Settings { agents, ..Settings::default() };
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || simulate(settings, &tell, stopped));
        let Ok(addresses) = told.recv() else {
            thread.join().map_err(|_| anyhow::anyhow!("the simulator panicked"))??;
            anyhow::bail!("the simulator has ended");
        };
        Ok(Simulated { addresses, runtime, client, stop: Some(stop), thread: Some(thread) })
    }

    fn login(&self) -> anyhow::Result<Login> {
        let Credentials { client_id, client_secret, access_key_id: id, access_key_secret } =
            Credentials::default();
        let issuer = format!("http://{}", self.addresses.api).parse::<reqwest::Url>();
        Ok(Login {
            issuer: issuer.context("the address of the simulator")?,
            key: AccessKey { id, secret: SecretString::from(access_key_secret) },
            way: Way::Application { client_id, client_secret: SecretString::from(client_secret) },
        })
    }

    fn control(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("http://{}{path}", self.addresses.control);
        let request = self.client.request(method, url).json(body);
        let (status, text) = self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            anyhow::Ok((status, answer.text().await?))
        })?;
        anyhow::ensure!(status.is_success(), "the simulator's {path} answers {status} {text}");
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("the simulator's {path} answers no JSON"))
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.control(Method::GET, path, &Value::Null)?;
        serde_json::from_value(answer)
            .with_context(|| format!("the simulator's {path} answers something else"))
    }

    /// An agent is in this from now on, behind the API's back.
    pub(super) fn put(&self, number: u32, status: CxoneStatus) -> anyhow::Result<()> {
        let (state, code) = numbers(status);
        let body = json!({"agentStateId": state, "outStateId": code});
        self.control(Method::POST, &format!("/agents/{number}/state"), &body).map(drop)
    }

    /// Whether an agent is in this.
    pub(super) fn shows(&self, number: u32, status: CxoneStatus) -> anyhow::Result<bool> {
        Ok(self.ask::<Shown>(&format!("/agents/{number}"))?.is(status))
    }

    /// Whether everybody is in this.
    pub(super) fn all_show(&self, status: CxoneStatus) -> anyhow::Result<bool> {
        Ok(self.ask::<Vec<Shown>>("/agents")?.iter().all(|shown| shown.is(status)))
    }

    /// From now on every call is answered with 503, or none any more.
    pub(super) fn is_away(&self, is_away: bool) -> anyhow::Result<()> {
        let faults = if is_away { json!([{"kind": "status", "status": 503}]) } else { json!([]) };
        self.control(Method::POST, "/faults", &faults).map(drop)
    }

    /// All calls since they were forgotten, the oldest first.
    pub(super) fn calls(&self) -> anyhow::Result<Vec<Logged>> {
        self.ask("/log")
    }

    /// Forgets the calls until now.
    pub(super) fn forget_calls(&self) -> anyhow::Result<()> {
        self.control(Method::DELETE, "/log", &Value::Null).map(drop)
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
