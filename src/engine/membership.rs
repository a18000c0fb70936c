//! What changes the rule that an agent is under, and an operator's word: targets are derived anew.

use std::cell::OnceCell;

use super::{Assignment, Membership, PLATFORMS, Reason, Step};

impl Step<'_> {
    /// A revision took effect.
    pub(super) fn activated(&mut self, assignment: Option<Assignment>) -> Reason {
        self.assign(assignment);
        self.forgive();
        Reason::Activated
    }

    /// The agent is in another team, and so perhaps under another rule, with other codes.
    pub(super) fn team_moved(&mut self, membership: Membership) -> Reason {
        self.assign(membership.assignment);
        self.forgive();
        Reason::TeamMoved
    }

    /// What had diverged is tried again.
    pub(super) fn retry(&mut self) -> Reason {
        self.forgive();
        Reason::Retried
    }

    fn assign(&mut self, assignment: Option<Assignment>) {
        self.state.assignment = assignment;
        self.rule = OnceCell::new();
        self.retarget();
    }

    fn forgive(&mut self) {
        for platform in PLATFORMS {
            self.state.forgive(platform);
        }
    }
}
