//! Who or what changed a status.

/// What made a platform show a status, as far as the platform tells.
///
/// CXone tells none. Salesforce tells them only in the agent's own browser, by the `reason` of
/// `lightning:omniChannelStatusChanged` (Salesforce, Omni-Channel toolkit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The platform does not say.
    #[default]
    Unknown,
    /// The agent himself (`OmniManualStatusChange`).
    Agent,
    /// A supervisor, for the agent (`OmniSupervisorStatusChange`).
    Supervisor,
    /// A program in the agent's browser: ours, or another (`OmniToolkitStatusChange`).
    Toolkit,
    /// Salesforce, after the agent declined work (`OmniDeclineWork`).
    Declined,
    /// Salesforce, after offered work was not answered in time (`OmniPushTimeout`).
    PushTimeout,
    /// The agent's log-in (`OmniLoginStatusChange`).
    Login,
}

impl Cause {
    /// Whether a person decided this: the agent, or a supervisor for him.
    pub const fn is_person(self) -> bool {
        matches!(self, Cause::Agent | Cause::Supervisor)
    }

    /// Whether the platform itself decided this. It is mirrored as a choice is, but is never *previous*.
    pub const fn is_system(self) -> bool {
        matches!(self, Cause::Declined | Cause::PushTimeout)
    }
}

/// How a source learned of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    /// The source does not say.
    #[default]
    Unknown,
    /// It asked for what changed since it last asked.
    Poll,
    /// The platform pushed the change of a record.
    ChangeEvent,
    /// The agent's browser told.
    Bridge,
    /// It asked for the state of all, and found what no other feed had told.
    Snapshot,
}
