//! The agent's browser connects to the bridge, or is gone.

use crate::domain::Platform;

use super::state::OFFLINE;
use super::{Epoch, Mutation, Reason, Step, is_on};

impl Step<'_> {
    /// A newer browser holds the connection. A page that opens logs nobody in, so Offline stays unreachable.
    /// What was under way may have died with the old browser, or may still come: it is commanded anew.
    pub(super) fn connected(&mut self, epoch: Epoch) -> Reason {
        if self.state.epoch.is_some_and(|newest| epoch <= newest) {
            return Reason::StaleEpoch;
        }
        self.state.epoch = Some(epoch);
        let now = self.now;
        let under_way = self.state.ring.has_one_under_way(Platform::Salesforce);
        let side = &mut self.state.sides.salesforce;
        if side.observed.is_none_or(|observed| observed.status != OFFLINE) {
            side.reached(now);
        }
        self.reissue.salesforce = side.outstanding.is_some() || under_way;
        if is_on(Mutation::NothingReissued) {
            self.reissue.salesforce = false;
            return Reason::Connected;
        }
        side.outstanding = None;
        Reason::Connected
    }

    /// Only the newest browser takes Salesforce out of reach.
    pub(super) fn disconnected(&mut self, epoch: Epoch) -> Reason {
        if self.state.epoch != Some(epoch) {
            return Reason::StaleEpoch;
        }
        self.state.sides.salesforce.reachable = false;
        Reason::Disconnected
    }
}
