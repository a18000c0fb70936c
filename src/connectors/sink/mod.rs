//! Sinks: commands on their way to a platform.

mod account;
mod backlog;
mod hold;
mod set;

pub use backlog::{Backlog, Job, PutBack};
pub use hold::Hold;
pub use set::{Done, Fate, Setter};

pub(super) use account::{Before, Called, Next, Sink};
