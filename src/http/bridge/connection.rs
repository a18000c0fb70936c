//! A connection of a browser, whichever transport carries it: from its first message to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::gateway::{Input, Out, Port, WAITING_MAX};
use super::hub::{Came, HEARTBEAT_S};
use super::message::{Down, Hello, Reason, Up, VERSION};
use super::seat::ConnectionId;
use super::server::Bridge;
use super::token::Admitted;
use crate::connectors::http::{Budget, Rate, now};
use crate::domain::UserId;

/// Who has not said who he is by then has to go.
pub(super) const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// So often something is heard of a connection that lives.
const HEARTBEAT: Duration = Duration::from_secs(HEARTBEAT_S);
/// Of whom nothing was heard for so long, he is gone or asleep.
const SILENT_FOR: Duration = Duration::from_secs(3 * HEARTBEAT_S);
/// How fast a browser may speak: an agent who changes status with each breath is far below.
const RATE: Rate = Rate { calls_per_minute: 600, burst: 50 };

/// What comes over a connection.
pub(super) enum Received {
    Message(Up),
    /// It lives, and says nothing else.
    Alive,
    /// Something that is no message.
    Odd,
    /// It has ended; because the page wanted it, or not.
    Closed {
        is_wanted: bool,
    },
}

/// How messages get to a browser and back.
pub(super) trait Transport: Send {
    /// What comes next. To be given up at any time.
    fn receive(&mut self) -> impl Future<Output = Received> + Send;

    /// Tells the browser. Whether that goes.
    fn send(&mut self, down: &Down) -> impl Future<Output = bool> + Send;
}

/// Who has been let in.
pub(super) struct Guest {
    pub(super) connection: ConnectionId,
    pub(super) user: UserId,
    pub(super) port: Port,
    /// What he is told.
    pub(super) outs: mpsc::Receiver<Out>,
    bridge: Arc<Bridge>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.bridge.leave();
    }
}

/// Looks at a first message, and tells the hub who comes. What lets nobody in ends the connection with a reason.
pub(super) fn admit(
    bridge: &Arc<Bridge>,
    hello: Hello,
    session: Option<String>,
    is_admitted: &AtomicBool,
) -> Result<Guest, Reason> {
    if hello.protocol != VERSION || !hello.has_name() {
        return Err(Reason::Protocol);
    }
    let Admitted { account, user } = match bridge.door.admit(&hello.token, now()) {
        Ok(admitted) => admitted,
        Err(why) => {
            bridge.metrics.refused(why.name());
            tracing::warn!(page = hello.page, "a token lets nobody in: {why}");
            return Err(Reason::Token);
        }
    };
    let Some(port) = bridge.ports.get(&account).filter(|port| port.is_open()) else {
        return Err(Reason::ShuttingDown);
    };
    if !bridge.enter() {
        return Err(Reason::TooMany);
    }
    is_admitted.store(true, Ordering::Release);
    let connection = bridge.next_connection();
    let (tell, outs) = mpsc::channel(WAITING_MAX);
    let came = Came { connection, user, page: hello.page, epoch: hello.epoch, session };
    port.say(Input::Came(came, tell));
    Ok(Guest { connection, user, port: port.clone(), outs, bridge: Arc::clone(bridge) })
}

/// Carries messages until the connection ends, and tells the hub that it has.
pub(super) async fn carry(mut guest: Guest, mut transport: impl Transport) {
    let (connection, user, port) = (guest.connection, guest.user, guest.port.clone());
    let bridge = Arc::clone(&guest.bridge);
    let (outs, to) = (&mut guest.outs, Listener { connection, user, port: &port, bridge: &bridge });
    let ended = talk_with(outs, &mut transport, &mut |up| to.hear(up)).await;
    let is_wanted = matches!(ended, Ended::ByPage { is_wanted: true });
    // Whoever does not read holds nobody up.
    port.say(Input::Gone { connection, user, is_wanted });
    match ended {
        Ended::ByPage { .. } => {}
        Ended::ByUs(reason) => {
            bridge.metrics.ended(reason.name());
            let _ = send(&mut transport, &Down::bye(reason, connection.0)).await;
        }
        Ended::TooSlow => bridge.metrics.ended("too_slow"),
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    ByPage {
        is_wanted: bool,
    },
    ByUs(Reason),
    /// It does not read.
    TooSlow,
}

/// Tells what comes from the hub, and has `hear` take what the browser says, which says whether that is a message.
pub(super) async fn talk_with(
    outs: &mut mpsc::Receiver<Out>,
    transport: &mut impl Transport,
    hear: &mut (impl FnMut(Up) -> bool + Send),
) -> Ended {
    let mut heard = Instant::now();
    let mut budget = Budget::new(RATE, heard.into_std());
    let mut heartbeat = tokio::time::interval_at(heard + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            out = outs.recv() => match out {
                Some(Out::Message(down)) => {
                    if let Some(ended) = send(transport, &down).await {
                        return ended;
                    }
                }
                Some(Out::Bye(reason)) => return Ended::ByUs(reason),
                None => return Ended::TooSlow,
            },
            received = transport.receive() => {
                heard = Instant::now();
                match received {
                    Received::Closed { is_wanted } => return Ended::ByPage { is_wanted },
                    Received::Odd => return Ended::ByUs(Reason::Protocol),
                    Received::Alive | Received::Message(_) if budget.take(heard.into_std()).is_err() => {
                        return Ended::ByUs(Reason::TooMany);
                    }
                    Received::Alive => {}
                    Received::Message(up) => {
                        if !hear(up) {
                            return Ended::ByUs(Reason::Protocol);
                        }
                    }
                }
            },
            _ = heartbeat.tick() => {
                if heard.elapsed() >= SILENT_FOR {
                    return Ended::ByUs(Reason::Silent);
                }
                if let Some(ended) = send(transport, &Down::Ping).await {
                    return ended;
                }
            }
        }
    }
}

/// Tells the browser something. How it ended, where it does not take that.
async fn send(transport: &mut impl Transport, down: &Down) -> Option<Ended> {
    match tokio::time::timeout(HEARTBEAT, transport.send(down)).await {
        Ok(true) => None,
        Ok(false) => Some(Ended::ByPage { is_wanted: false }),
        Err(_) => Some(Ended::TooSlow),
    }
}

/// Whom what a browser says is passed on to.
struct Listener<'g> {
    connection: ConnectionId,
    user: UserId,
    port: &'g Port,
    bridge: &'g Bridge,
}

impl Listener<'_> {
    /// Passes a message on to the hub. Whether it is one.
    fn hear(&self, up: Up) -> bool {
        let (connection, user) = (self.connection, self.user);
        match up {
            Up::Pong => {}
            // Who he is was said.
            Up::Hello(_) => return false,
            Up::Status(shown) => match shown.told() {
                Some(told) => self.port.say(Input::Status { connection, user, told }),
                None => return false,
            },
            Up::Outcome(done) => self.port.say(Input::Outcome { connection, user, done }),
        }
        self.bridge.metrics.heard();
        true
    }
}
