//! What to do about an error.

/// What whoever met an error is to do about it. Every error of a seam says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Try the same again, after a while.
    Retry,
    /// Give up what was begun, and begin it anew from what was committed.
    Abort,
    /// Set the input aside as a dead letter, and go on with the next.
    Reject,
    /// Stop with a message: a person is needed.
    Stop,
}
