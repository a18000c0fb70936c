//! The agent's browser connects to the bridge, or is gone.

use crate::domain::Platform;

use super::state::OFFLINE;
use super::{Epoch, Mutation, Reason, Step, is_on};

impl Step<'_> {
    /// A newer browser holds the connection. A page that opens logs nobody in, so Offline stays unreachable.
    /// What was under way may have died with the old browser, or may still come: it is commanded anew.
    pub(super) fn connected(&mut self, epoch: Epoch) -> Reason {
        if self.state.epoch().is_some_and(|newest| epoch <= newest) {
            return Reason::StaleEpoch;
        }
        self.state.set_epoch(epoch);
        let now = self.now;
        if self.state.shown(Platform::Salesforce) != Some(OFFLINE) {
            self.state.reached(Platform::Salesforce, now);
        }
        self.reissue.salesforce = self.state.outstanding(Platform::Salesforce).is_some()
            || self.state.ring().has_one_under_way(Platform::Salesforce);
        if is_on(Mutation::NothingReissued) {
            self.reissue.salesforce = false;
            return Reason::Connected;
        }
        self.state.end_outstanding(Platform::Salesforce);
        Reason::Connected
    }

    /// Only the newest browser takes Salesforce out of reach.
    pub(super) fn disconnected(&mut self, epoch: Epoch) -> Reason {
        if self.state.epoch() != Some(epoch) {
            return Reason::StaleEpoch;
        }
        self.state.set_reachable(Platform::Salesforce, false);
        Reason::Disconnected
    }
}
