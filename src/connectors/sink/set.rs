//! One command on its way to a platform, and what can become of it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::backlog::Job;
use crate::codec::HeldCause;
use crate::engine::Verdict;

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is an outcome.
    Over(Verdict, Option<String>),
    /// It was refused for a missing permission: of this agent, or of all.
    Forbidden(String),
    /// It is to be done later, for a cause that all have in common. It was not done, or may have been.
    Later(HeldCause, String, Done),
    /// It was not sent, and nothing is wrong with the platform.
    NotSent,
}

/// Whether a call that failed may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was not.
    No,
    /// It may have been.
    Perhaps,
}

/// Sets what agents are in.
pub trait Setter: Send + Sync {
    /// Takes a call out of the budget.
    ///
    /// # Errors
    /// How long it is until there is one.
    fn turn(&self) -> Result<(), Duration>;

    /// Whether the platform is left alone, as too many calls have failed.
    fn is_left_alone(&self) -> bool;

    /// Does what a command says, and tells what became of that. It has had its turn.
    fn set(self: Arc<Self>, job: Job) -> Pin<Box<dyn Future<Output = Fate> + Send>>;
}
