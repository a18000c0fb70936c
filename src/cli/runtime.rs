//! What waits for many things at once.

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

/// On the thread of whoever blocks on it. `to` says what it is to do.
///
/// # Errors
/// The system has no means left.
pub(super) fn here(to: &str) -> anyhow::Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.with_context(|| format!("the system gives no means to {to}"))
}

/// On a thread of its own, which is called after what is done there.
///
/// # Errors
/// The system has no thread left.
pub(super) fn on_a_thread(name: &str) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).thread_name(name).enable_all().build();
    runtime.with_context(|| format!("the system gives no thread for {name}"))
}
