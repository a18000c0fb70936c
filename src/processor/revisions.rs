//! Revisions that were activated, each loaded once however many partitions meet it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checkpoint::Checkpoint;
use super::in_force::{Compiled, InForce};
use super::{Context, Error};
use crate::bus::Bus;
use crate::codec::{Sha256, Uuid};
use crate::control::{self, Revisions};
use crate::engine::Epoch;

/// How long a revision that was activated may take to be there. It was written before, so it is there at once, unless the
/// topic was tampered with.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many are kept: the one in force, and one that partitions are about to meet.
const KEPT: usize = 4;

/// The last revisions that were loaded.
pub(super) struct Cache {
    revisions: Revisions,
    loaded: Vec<((Uuid, Sha256), Arc<Compiled>)>,
}

impl Cache {
    pub(super) const fn new(revisions: Revisions) -> Cache {
        Cache { revisions, loaded: Vec::new() }
    }

    /// What is in force at a checkpoint.
    pub(super) fn in_force<B: Bus>(
        &mut self,
        context: &Context,
        bus: &B,
        partition: u32,
        checkpoint: &Checkpoint,
    ) -> Result<InForce, Error> {
        let Some((revision, hash)) = checkpoint.revision else { return Ok(InForce::nothing()) };
        let tables = self.get(context, bus, partition, (checkpoint.epoch, revision, hash))?;
        Ok(InForce { epoch: checkpoint.epoch, revision: checkpoint.revision, tables })
    }

    /// A revision, ready to decide by.
    pub(super) fn get<B: Bus>(
        &mut self,
        context: &Context,
        bus: &B,
        partition: u32,
        (epoch, revision, hash): (Epoch, Uuid, Sha256),
    ) -> Result<Arc<Compiled>, Error> {
        if let Some((_, compiled)) = self.loaded.iter().find(|(of, _)| *of == (revision, hash)) {
            return Ok(Arc::clone(compiled));
        }
        let begun = Instant::now();
        loop {
            match self.revisions.load(bus, &context.codec, revision, Some(hash)) {
                Ok((_, whole)) => {
                    let compiled = Arc::new(Compiled::new(&whole));
                    tracing::info!(%revision, epoch = epoch.0, rules = whole.rules.len(), "revision loaded");
                    if self.loaded.len() == KEPT {
                        self.loaded.remove(0);
                    }
                    self.loaded.push(((revision, hash), Arc::clone(&compiled)));
                    return Ok(compiled);
                }
                Err(control::Error::NoRevision(_)) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                Err(why) => {
                    let partition = context.events.partition(partition);
                    return Err(Error::Revision { partition, epoch: epoch.0, revision, why: Box::new(why) });
                }
            }
        }
    }
}
