//! What a worker tells of itself: how its agents and partitions stand, and whether it waits for something.

use std::time::{Duration, Instant};

use super::{ANSWER_MAX, ANSWER_MAX_AT_WORK, Worker};
use crate::bus::{Bus, Member};
use crate::processor::Error;

/// How often it is counted how far the agents are from their targets.
const STANDINGS_EVERY: Duration = Duration::from_secs(5);

impl<B: Bus> Worker<B> {
    /// Counts now and then how far the agents are from their targets.
    pub(super) fn tell_standings(&mut self) {
        if self.standings_told.elapsed() < STANDINGS_EVERY {
            return;
        }
        self.standings_told = Instant::now();
        for worked in self.partitions.values() {
            for ((platform, standing), agents) in worked.standings() {
                self.observer.standings(worked.number, platform, standing, agents);
            }
        }
    }

    /// Tells whether the group has said what is this worker's own.
    pub(super) fn tell_joined(&mut self, is_told: bool) {
        self.is_told = is_told;
        self.observer.joined(self.context.settings.number, is_told);
    }

    /// Tells that something is waited for, once.
    pub(super) fn wait_for_better(&mut self, error: &Error) {
        if self.trouble.tell(error) {
            self.observer.waiting(self.context.settings.number, true);
        }
    }

    /// Where nothing has to be committed, nothing tells that a trouble is over: so it is asked for.
    pub(super) fn look_whether_it_is_better(&mut self) -> Result<(), Error> {
        let is_idle = self.open.is_none() && self.to_restore.is_empty() && self.blocked_until.is_none();
        if !is_idle {
            return Ok(());
        }
        let Some(lasts) = self.trouble.look() else { return Ok(()) };
        if let Some(number) = self.partitions.keys().next() {
            let wait = (lasts / 8).clamp(ANSWER_MAX_AT_WORK, ANSWER_MAX);
            self.member.committed(&[self.context.events.partition(*number)], wait)?;
        }
        self.is_better();
        Ok(())
    }

    /// Tells that it is over.
    pub(super) fn is_better(&mut self) {
        if self.trouble.is_over() {
            self.observer.waiting(self.context.settings.number, false);
        }
    }
}
