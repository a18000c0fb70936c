//! Sinks: commands on their way to a platform.

mod backlog;

pub use backlog::{Backlog, Job};
