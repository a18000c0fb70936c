//! Sinks: commands on their way to a platform.

mod backlog;
mod hold;

pub use backlog::{Backlog, Job, PutBack};
pub use hold::Hold;
