//! A gateway to one org: connections on one side, the bus on the other.
//!
//! Three threads: one reads the bus, one decides who is told what, one writes. So a command does not wait for a commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::Span;

use super::hub::{Action, Came, Hub, Now};
use super::message::{Done, Down, Reason, Told};
use super::reading::{self, Read};
use super::seat::ConnectionId;
use super::writing;
use crate::bus::{Bus, TopicsPlan};
use crate::codec::{Codec, What};
use crate::connectors::Error;
use crate::connectors::http::now;
use crate::domain::{Account, AccountName, AgentId, Platform, Remedy, UserId};
use crate::metrics::BridgeMetrics;

/// So much that waits for one connection is too much.
pub(super) const WAITING_MAX: usize = 32;
/// So many events that wait for the bus are too many: all connections end, and come back with what is then.
const UNWRITTEN_MAX: usize = 200_000;
/// So often the hub is told what time it is.
const TICK: Duration = Duration::from_secs(1);

/// How a gateway is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The org.
    pub account: AccountName,
    /// The name of this process: no other gateway may have it.
    pub name: String,
    /// So many connections a user may have.
    pub connections_per_user_max: usize,
    /// Whether dead letters keep what could not be read.
    pub keeps_payload: bool,
}

/// What a connection is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Out {
    Message(Down),
    Bye(Reason),
}

/// What comes to the hub.
pub(super) enum Input {
    Came(Came, mpsc::Sender<Out>),
    Gone {
        connection: ConnectionId,
        user: UserId,
        is_wanted: bool,
    },
    Status {
        connection: ConnectionId,
        user: UserId,
        told: Told,
    },
    Outcome {
        connection: ConnectionId,
        user: UserId,
        done: Done,
    },
    Read(Vec<Read>),
    /// A thread cannot go on.
    Failed(Error),
}

/// The way into a gateway, for connections.
#[derive(Clone)]
pub struct Port {
    inputs: Sender<Input>,
    pub(super) is_ready: Arc<AtomicBool>,
    /// So much waits to be written that nobody else is let in.
    is_full: Arc<AtomicBool>,
}

impl Port {
    /// Whether browsers may come.
    pub fn is_open(&self) -> bool {
        self.is_ready.load(Ordering::Acquire) && !self.is_full.load(Ordering::Acquire)
    }

    /// Says something to the hub. Who has ended hears nothing.
    pub(super) fn say(&self, input: Input) {
        let _ = self.inputs.send(input).is_ok();
    }
}

/// A gateway to one org.
pub struct Gateway<B: Bus> {
    reached: (Arc<B>, Arc<Codec>, TopicsPlan),
    settings: Settings,
    metrics: BridgeMetrics,
    inputs: Receiver<Input>,
    port: Port,
}

impl<B: Bus + 'static> Gateway<B>
where
    B::Reader: 'static,
    B::Writer: 'static,
{
    /// One that does nothing yet.
    pub fn new(
        reached: (Arc<B>, Arc<Codec>, TopicsPlan),
        settings: Settings,
        metrics: BridgeMetrics,
    ) -> Gateway<B> {
        let (tell, inputs) = channel();
        metrics.held(&label(&settings), 0, 0);
        let port = Port { inputs: tell, is_ready: Arc::default(), is_full: Arc::default() };
        Gateway { reached, settings, metrics, inputs, port }
    }

    /// The way into it.
    pub fn port(&self) -> Port {
        self.port.clone()
    }

    /// Works until it is asked to stop. It blocks, and belongs on a thread of its own.
    ///
    /// # Errors
    /// A person is needed.
    pub fn run(self, is_asked: &dyn Fn() -> bool) -> Result<(), Error> {
        let mut is_told = false;
        loop {
            match self.run_once(is_asked) {
                Err(error) if matches!(error.remedy(), Remedy::Retry | Remedy::Abort) && !is_asked() => {
                    if !is_told {
                        tracing::warn!("{error}; it is tried again until it works");
                    }
                    is_told = true;
                    self.metrics.waiting(&label(&self.settings), true);
                    thread::sleep(TICK);
                }
                ended => return ended,
            }
        }
    }

    fn run_once(&self, is_asked: &dyn Fn() -> bool) -> Result<(), Error> {
        let Gateway { reached, settings, metrics, inputs, port } = self;
        // What was said to one that is no more.
        inputs.try_iter().for_each(drop);
        let is_ending = Arc::new(AtomicBool::new(false));
        let unwritten = Arc::new(AtomicUsize::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let (publish, published) = channel();
        let account = label(settings);
        let ends = (Arc::clone(&unwritten), Arc::clone(&is_ending));
        let watched = (metrics.clone(), account.clone());
        let writer = writing::Writing::begin(reached, settings, watched, ends)?;
        let reader = reading::Reading::begin(reached, settings.account)?;
        metrics.waiting(&account, false);
        let (failed, span) = (port.clone(), Span::current());
        let writing = thread::Builder::new().name("bridge-writer".to_owned()).spawn(move || {
            let _inside = span.enter();
            if let Err(error) = writer.run(&published) {
                failed.say(Input::Failed(error));
            }
        });
        let (failed, over, span) = (port.clone(), Arc::clone(&is_over), Span::current());
        let reading = thread::Builder::new().name("bridge-reader".to_owned()).spawn(move || {
            let _inside = span.enter();
            if let Err(error) = reader.run(&over, &failed) {
                failed.say(Input::Failed(error));
            }
        });
        let hub = Hub::new(settings.name.clone(), settings.connections_per_user_max);
        let connections = HashMap::new();
        let (metrics, is_full, actions) = (metrics.clone(), Arc::clone(&port.is_full), Vec::new());
        let mut work = Work { account, hub, connections, publish, unwritten, is_full, metrics, actions };
        let ended = work.run(inputs, is_asked);
        port.is_ready.store(false, Ordering::Release);
        is_over.store(true, Ordering::Release);
        is_ending.store(true, Ordering::Release);
        // The writer ends when nobody can tell it anything any more, and all is written.
        drop(work);
        for thread in [writing, reading].into_iter().flatten() {
            // Who panicked has said so.
            let _ = thread.join();
        }
        // That it failed at the end is told, too.
        let late = inputs.try_iter().find_map(|input| match input {
            Input::Failed(error) => Some(error),
            _ => None,
        });
        ended.and(late.map_or(Ok(()), Err))
    }
}

/// The platform and name of its org, as metrics have it.
fn label(settings: &Settings) -> String {
    Account { platform: Platform::Salesforce, name: settings.account }.to_string()
}

/// What the thread that decides has.
struct Work {
    account: String,
    hub: Hub,
    connections: HashMap<ConnectionId, mpsc::Sender<Out>>,
    publish: Sender<(AgentId, What<'static>)>,
    unwritten: Arc<AtomicUsize>,
    is_full: Arc<AtomicBool>,
    metrics: BridgeMetrics,
    actions: Vec<Action>,
}

impl Work {
    /// Works until it is asked to stop, or cannot go on; browsers are told of either.
    fn run(&mut self, inputs: &Receiver<Input>, is_asked: &dyn Fn() -> bool) -> Result<(), Error> {
        let ended = self.decide(inputs, is_asked);
        self.hub.end(now_by_both(), &mut self.actions);
        self.act();
        self.metrics.held(&self.account, 0, 0);
        ended
    }

    fn decide(&mut self, inputs: &Receiver<Input>, is_asked: &dyn Fn() -> bool) -> Result<(), Error> {
        let mut ticked = Instant::now();
        while !is_asked() {
            let wait = (ticked + TICK).saturating_duration_since(Instant::now()).min(TICK / 5);
            match inputs.recv_timeout(wait) {
                Ok(input) => self.take(input)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.hub.go_on(now_by_both(), &mut self.actions);
                self.look_at_the_bus();
                self.metrics.held(&self.account, self.hub.held(), self.connections.len());
            }
            self.act();
        }
        Ok(())
    }

    /// Where too much waits to be written, all browsers go, and come back when there is room: with what is then.
    fn look_at_the_bus(&mut self) {
        let unwritten = self.unwritten.load(Ordering::Acquire);
        let was_full = self.is_full.load(Ordering::Acquire);
        if unwritten > UNWRITTEN_MAX && !was_full {
            tracing::warn!(
                "the bus takes too little: all connections end, and may come back when it takes more"
            );
            self.hub.end(now_by_both(), &mut self.actions);
        }
        let is_full = if was_full { unwritten > UNWRITTEN_MAX / 2 } else { unwritten > UNWRITTEN_MAX };
        self.is_full.store(is_full, Ordering::Release);
    }

    fn take(&mut self, input: Input) -> Result<(), Error> {
        let (now, out) = (now_by_both(), &mut self.actions);
        match input {
            Input::Came(came, tell) => {
                self.connections.insert(came.connection, tell);
                self.hub.come(came, now, out);
            }
            Input::Gone { connection, user, is_wanted } => {
                self.connections.remove(&connection);
                self.hub.go((connection, user), is_wanted, now, out);
            }
            Input::Status { connection, user, told } => self.hub.status((connection, user), told, now, out),
            Input::Outcome { connection, user, done } => self.hub.outcome((connection, user), &done, out),
            Input::Read(all) => all.into_iter().for_each(|read| self.read(read, now)),
            Input::Failed(error) => return Err(error),
        }
        Ok(())
    }

    fn read(&mut self, read: Read, now: Now) {
        let (hub, out) = (&mut self.hub, &mut self.actions);
        match read {
            Read::Linked(agent, user) => hub.link(agent, user, now, out),
            Read::Unlinked(agent, user) => hub.unlink(agent, user, out),
            Read::Command(order) => hub.command(order, now, out),
            Read::Void(agent) => hub.void(agent),
            Read::Connected { agent, gateway, epoch } => {
                hub.connected_elsewhere(agent, (&gateway, epoch), out);
            }
            Read::Disconnected { agent, gateway, epoch } => {
                hub.disconnected_elsewhere(agent, (&gateway, epoch), now, out);
            }
            Read::DealtWith(name) => hub.dealt_with(name),
            Read::Known(agent, known) => hub.know(agent, known, now, out),
        }
    }

    /// Does what the hub said.
    fn act(&mut self) {
        for action in self.actions.drain(..) {
            match action {
                Action::Send(connection, down) => {
                    if let Down::Command { .. } = down {
                        self.metrics.command();
                    }
                    let Some(tell) = self.connections.get(&connection) else { continue };
                    // Who does not read is as good as gone: without its sender, the connection ends.
                    if tell.try_send(Out::Message(down)).is_err() {
                        self.connections.remove(&connection);
                    }
                }
                Action::Close(connection, reason) => {
                    if let Some(tell) = self.connections.remove(&connection) {
                        let _ = tell.try_send(Out::Bye(reason)).is_ok();
                    }
                }
                Action::Publish(agent, what) => {
                    self.metrics.published(what.kind());
                    if let What::Outcome(outcome) = &what {
                        self.metrics.outcome(outcome.verdict);
                    }
                    self.unwritten.fetch_add(1, Ordering::AcqRel);
                    // A writer that has failed has said so.
                    let _ = self.publish.send((agent, what)).is_ok();
                }
                Action::Foreign(connection) => {
                    self.metrics.foreign();
                    tracing::warn!(
                        connection = connection.0,
                        "an outcome of a command that is not his: not taken"
                    );
                }
            }
        }
    }
}

/// What time it is.
pub(super) fn now_by_both() -> Now {
    Now { instant: Instant::now(), time: now() }
}
