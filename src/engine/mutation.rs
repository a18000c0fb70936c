//! Ways to break the engine on purpose, so that each proof can be shown to fail. Only tests can turn one on;
//! anywhere else the switch is the constant `false`.

/// A way to break the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// No observation is an echo.
    NoEcho,
    /// An echo may be as late as it likes.
    EchoAnyTime,
    /// An echo may begin before its command was issued, however long.
    EchoBeforeCommand,
    /// Corrections have no limit.
    CorrectionsUnlimited,
    /// A contact is a choice.
    ContactIsIntent,
    /// What sync set counts as *previous*.
    PreviousFromSync,
    /// A command that was not sent lapses as one that was.
    UnsentLapses,
    /// Starts are compared across platforms without the measured offset.
    ClocksUncorrected,
    /// A closed row is Offline at once.
    NoGrace,
    /// An observation ends a command that is still under way.
    ObservationEndsUnderWay,
    /// Any number of commands may be issued.
    NoFlapGuard,
    /// A choice always wins.
    EveryChoiceWins,
    /// A new browser is not sent what was under way.
    NothingReissued,
    /// What is older than what is observed is taken.
    StaleIsTaken,
}

#[cfg(test)]
thread_local! {
    static ON: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

/// Whether the engine is broken in this way.
#[cfg(test)]
pub(super) fn is_on(mutation: Mutation) -> bool {
    ON.get() == Some(mutation)
}

/// Whether the engine is broken in this way: never.
#[cfg(not(test))]
pub(super) const fn is_on(_: Mutation) -> bool {
    false
}

/// Breaks the engine in this way, on this thread, while `proof` runs.
#[cfg(test)]
pub(super) fn with<T>(mutation: Mutation, proof: impl FnOnce() -> T) -> T {
    ON.set(Some(mutation));
    let result = proof();
    ON.set(None);
    result
}
