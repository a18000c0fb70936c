//! The source and the sink of an account, in one process at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::edge::Edge;
use super::holding::Holding;
use crate::bus::{self, Bus, Member, Membership, Offset, Polled, Topic, TopicPartition, TopicsPlan};
use crate::codec::Codec;
use crate::connectors::observer::{Noted, Observer};
use crate::connectors::{Error, identity};
use crate::domain::{Account, Remedy};

/// A proof of the lease holds for so long: calls begin within it.
pub(super) const LEASE_HOLDS_FOR: Duration = Duration::from_secs(1);
/// How long who stands by waits for his turn before he looks whether he was asked to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Between two tries of what does not work.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How the source and the sink of an account are to be.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The account.
    pub account: Account,
    /// The name of this process.
    pub process: String,
    /// So many calls at once set somebody's status.
    pub calls_max: usize,
    /// How long such a call may take.
    pub call_timeout: Duration,
    /// Whether dead letters keep what could not be read.
    pub keeps_payload: bool,
}

/// The source and the sink of an account. Of all processes that run one for an account, one has its lease, and works; the others
/// stand by.
pub struct Connector<B: Bus, E: Edge> {
    pub(super) bus: Arc<B>,
    pub(super) codec: Arc<Codec>,
    pub(super) plan: TopicsPlan,
    pub(super) edge: E,
    pub(super) settings: Connected,
    pub(super) observer: Arc<dyn Observer>,
    /// Where calls are made, apart from the threads of the bus.
    pub(super) calls: Handle,
}

/// How it ended that this process had an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to.
    Asked,
    /// Another has it.
    Lost,
}

impl<B: Bus, E: Edge> Connector<B, E> {
    /// One that does nothing yet. `calls` is where calls are made.
    pub fn new(
        (bus, codec, plan): (Arc<B>, Arc<Codec>, TopicsPlan),
        edge: E,
        settings: Connected,
        observer: Arc<dyn Observer>,
        calls: Handle,
    ) -> Connector<B, E> {
        Connector { bus, codec, plan, edge, settings, observer, calls }
    }

    /// Works until it is asked to stop. It blocks, and belongs on a thread of its own.
    ///
    /// # Errors
    /// A person is needed.
    pub fn run(&self, is_asked: &dyn Fn() -> bool) -> Result<(), Error> {
        let mut is_told = false;
        while !is_asked() {
            let ended = self.stand_by(is_asked).and_then(|leased| match leased {
                Some(leased) => self.work(leased, is_asked),
                None => Ok(Ended::Asked),
            });
            self.observer.note(Noted::Lease(false));
            match ended {
                Ok(Ended::Asked) => return Ok(()),
                Ok(Ended::Lost) | Err(Error::Bus(bus::Error::Fenced { .. })) => {
                    is_told = false;
                    tracing::info!("another process may have the account by now: standing by");
                }
                Err(error) if matches!(error.remedy(), Remedy::Stop | Remedy::Reject) => return Err(error),
                Err(error) => {
                    if !is_told {
                        tracing::warn!("{error}; it is tried again until it works");
                    }
                    is_told = true;
                    self.observer.note(Noted::WaitsForBus(true));
                    std::thread::sleep(AGAIN_AFTER);
                }
            }
        }
        Ok(())
    }

    /// Waits for the lease. None where it was asked to stop.
    fn stand_by(&self, is_asked: &dyn Fn() -> bool) -> Result<Option<(B::Member, TopicPartition)>, Error> {
        let positions = self.plan.name(Topic::Positions);
        let group = identity(&self.plan, &self.settings.account.to_string());
        let membership = Membership { group, name: None, topics: vec![positions.clone()] };
        let mut member = self.bus.join(&membership)?;
        let (mut is_told, begun) = (false, Instant::now());
        while !is_asked() {
            match member.poll(LOOK_AGAIN) {
                Ok(Polled::Gained(_)) => {
                    let place = positions.partition(0);
                    let end = self.bus.bounds(&place)?.end;
                    member.start(&[(place.clone(), end)])?;
                    return Ok(Some((member, place)));
                }
                Ok(_) => {}
                Err(error) if error.remedy() == Remedy::Stop => return Err(error.into()),
                Err(error) => tracing::info!("{error}; waiting on"),
            }
            if !is_told && begun.elapsed() > 10 * LOOK_AGAIN {
                tracing::info!("another process has the account: standing by");
                is_told = true;
            }
        }
        Ok(None)
    }

    fn work(
        &self,
        (member, place): (B::Member, TopicPartition),
        is_asked: &dyn Fn() -> bool,
    ) -> Result<Ended, Error> {
        let mut holding = Holding::begin(self, member, place)?;
        self.observer.note(Noted::Lease(true));
        self.observer.note(Noted::WaitsForBus(false));
        holding.run(is_asked)
    }

    /// How long nobody may make a call who follows one that may be in the middle of one.
    pub(super) fn call_after(&self) -> Duration {
        LEASE_HOLDS_FOR + self.settings.call_timeout
    }

    /// The partitions of the commands.
    pub(super) fn commands(&self) -> Vec<TopicPartition> {
        let topic = self.plan.name(E::COMMANDS);
        (0..self.plan.partitions).map(|partition| topic.partition(partition)).collect()
    }
}

/// Where to begin to read: where it was left off, as far as that is kept.
pub(super) fn start<B: Bus>(
    bus: &B,
    place: &TopicPartition,
    committed: Option<Offset>,
) -> Result<Offset, Error> {
    let bounds = bus.bounds(place)?;
    let next = committed.unwrap_or(bounds.start);
    if next < bounds.start {
        tracing::warn!(%place, "commands are not kept any more that nobody has dealt with");
    }
    Ok(next.clamp(bounds.start, bounds.end))
}
