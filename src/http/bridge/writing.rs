//! What a gateway writes to the bus: in its order, and for as long as it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::gateway::Settings;
use crate::bus::{Bus, TopicsPlan, Writer};
use crate::codec::{Codec, What};
use crate::connectors::http::now;
use crate::connectors::{Author, Error, Outbox};
use crate::domain::{Account, AgentId, Platform, Remedy};
use crate::metrics::BridgeMetrics;

/// What comes within this goes into one transaction.
const GATHERED: Duration = Duration::from_millis(5);
/// A transaction has no more events.
const EVENTS_MAX: usize = 10_000;
/// Between two tries of a commit that does not work.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Who ends tries for so long to write what is left.
const LEFT_WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// A thread that writes.
pub(super) struct Writing<B: Bus> {
    writer: B::Writer,
    outbox: Outbox,
    /// The org, as metrics have it.
    account: String,
    metrics: BridgeMetrics,
    unwritten: Arc<AtomicUsize>,
    /// Nobody waits any more for as long as it takes.
    is_ending: Arc<AtomicBool>,
}

impl<B: Bus> Writing<B> {
    /// Becomes the one who writes for this gateway: another of the same name is fenced from here on.
    pub(super) fn begin(
        (bus, codec, plan): &(Arc<B>, Arc<Codec>, TopicsPlan),
        settings: &Settings,
        (metrics, label): (BridgeMetrics, String),
        (unwritten, is_ending): (Arc<AtomicUsize>, Arc<AtomicBool>),
    ) -> Result<Writing<B>, Error> {
        let account = Account { platform: Platform::Salesforce, name: settings.account };
        let identity = format!("{}.bridge.{account}.{}", plan.prefix, settings.name);
        let writer = bus.writer(&identity, &Outbox::topics(plan))?;
        let author = Author {
            name: format!("bridge/{account}/{}", settings.name),
            account,
            seed: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()),
            keeps_payload: settings.keeps_payload,
        };
        let outbox = Outbox::new(Arc::clone(codec), plan.clone(), author);
        Ok(Writing { writer, outbox, account: label, metrics, unwritten, is_ending })
    }

    /// Writes until nobody can tell it anything any more.
    pub(super) fn run(mut self, published: &Receiver<(AgentId, What<'static>)>) -> Result<(), Error> {
        let mut is_over = false;
        while !is_over {
            match published.recv() {
                Ok((agent, what)) => self.outbox.put_event(agent, what, now())?,
                Err(_) => return Ok(()),
            }
            let until = Instant::now() + GATHERED;
            while self.outbox.len() < EVENTS_MAX {
                match published.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok((agent, what)) => self.outbox.put_event(agent, what, now())?,
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        is_over = true;
                        break;
                    }
                }
            }
            if !self.commit()? {
                let events = self.outbox.len() + published.try_iter().count();
                tracing::warn!(
                    events,
                    "what is left cannot be written, and is lost: browsers and snapshots tell what is then"
                );
                return Ok(());
            }
        }
        Ok(())
    }

    /// Commits what waits, for as long as it takes; at the end not for ever. Whether it was done.
    fn commit(&mut self) -> Result<bool, Error> {
        let (events, mut ending) = (self.outbox.len(), None);
        let _inside = tracing::info_span!("commit", events).entered();
        let mut is_told = false;
        while let Err(error) = self.outbox.commit::<B>(&mut self.writer, None) {
            if matches!(error.remedy(), Remedy::Stop | Remedy::Reject) {
                return Err(error.into());
            }
            if self.is_ending.load(Ordering::Acquire) {
                let since = *ending.get_or_insert_with(Instant::now);
                if since.elapsed() >= LEFT_WRITTEN_WITHIN {
                    return Ok(false);
                }
            }
            if !is_told {
                self.metrics.waiting(&self.account, true);
                tracing::warn!("{error}; it is tried again until it works");
            }
            is_told = true;
            match self.writer.abort() {
                Err(error) if error.remedy() == Remedy::Stop => return Err(error.into()),
                Ok(()) | Err(_) => thread::sleep(AGAIN_AFTER),
            }
        }
        if is_told {
            self.metrics.waiting(&self.account, false);
            tracing::info!("the bus takes what is written again");
        }
        self.unwritten.fetch_sub(events, Ordering::AcqRel);
        Ok(true)
    }
}
