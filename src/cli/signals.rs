//! What ends a process that runs until it is told.

use anyhow::Context;

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn new() -> anyhow::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let wrong = "signals cannot be listened for";
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).context(wrong)?,
            interrupt: signal(SignalKind::interrupt()).context(wrong)?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
