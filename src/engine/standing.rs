//! How far a platform is from what it should show, for who watches.

use super::{AgentState, PLATFORMS, Platform};

/// How a platform stands to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It shows its target, or there is none.
    InStep,
    /// It is being set, or waits for a contact or a cool-down to end.
    Waiting,
    /// Nobody is there who could be set.
    Unreachable,
    /// It was given up on.
    Diverged,
}

impl Standing {
    /// All of them.
    pub const ALL: [Standing; 4] =
        [Standing::InStep, Standing::Waiting, Standing::Unreachable, Standing::Diverged];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Standing::InStep => "in_step",
            Standing::Waiting => "waiting",
            Standing::Unreachable => "unreachable",
            Standing::Diverged => "diverged",
        }
    }
}

impl AgentState {
    /// How each platform stands to its target.
    pub fn standings(&self) -> [(Platform, Standing); 2] {
        PLATFORMS.map(|platform| {
            let target = self.target(platform);
            let standing = if target.is_none() || target == self.shown(platform) {
                Standing::InStep
            } else if self.waiting(platform).diverged.is_some() {
                Standing::Diverged
            } else if !self.is_reachable(platform) {
                Standing::Unreachable
            } else {
                Standing::Waiting
            };
            (platform, standing)
        })
    }
}
