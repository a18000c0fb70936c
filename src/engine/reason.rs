//! Why the engine did what it did. Prose is made of it at the edge.

use super::{Verdict, WakeCause};

/// Why an event was decided as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The agent is linked now.
    Linked,
    /// He was already.
    AlreadyLinked,
    /// There is no such agent, or no longer.
    NotLinked,
    /// His link was removed.
    Unlinked,
    /// Everything about him is forgotten.
    Forgotten,
    /// He is in another team now.
    TeamMoved,
    /// A revision took effect.
    Activated,
    /// What had diverged is tried again.
    Retried,

    /// What is observed, or was taken before, came again.
    Duplicate,
    /// The other Salesforce feed told of the change that is observed: it lends its row and start.
    SameChange,
    /// Older than what is observed.
    StaleView,
    /// Older than what is observed, but the agent's latest choice, which our own command overwrote.
    Overwritten,
    /// A CXone session without a state yet.
    LoggedIn,
    /// CXone is in a contact.
    Contact,
    /// One of our own commands caused it.
    Echo,
    /// The platform shows its target.
    InStep,
    /// The platform put the agent back where he was before the contact.
    AfterContact,
    /// The same status with a new start: he was away unseen.
    ReEntered,
    /// The status at a login, which takes over what the other platform shows.
    Login,
    /// He logged out, and no row mirrors that.
    LogOutWithoutRow,
    /// Salesforce put him there after work was declined or not answered.
    SystemState,
    /// He chose it, and it is the intent now.
    Choice,
    /// He chose it, but the intent stands: the platform is set back.
    ChoiceLost,

    /// The observed row was closed: Offline, unless another row follows.
    Closing,
    /// A row that was not seen yet was closed: its opening is still to come.
    ClosedEarly,
    /// A row that is not observed any more was closed.
    ClosedLate,

    /// A browser holds the agent's connection.
    Connected,
    /// The browser that held it is gone.
    Disconnected,
    /// Another browser than the newest.
    StaleEpoch,

    /// What became of a command.
    Outcome(Verdict),
    /// What became of it is known already.
    DuplicateOutcome,
    /// It is not among the last commands of this agent.
    UnknownCommand,

    /// A timer that was armed for this came due.
    Due(WakeCause),
    /// A later one was armed since.
    StaleWakeUp,
    /// It came before its time, and is armed again.
    EarlyWakeUp,
}

/// Why a platform is not commanded any more, until something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GivenUp {
    /// The corrections did not help.
    NotSeen,
    /// The platform refused the target, and would refuse it again.
    Refused,
}
