//! What ends a process that runs until it is told.

use std::io::Read;
use std::thread;

use anyhow::Context;
use tokio::sync::oneshot;

/// SIGTERM and SIGINT; and the end of standard input, for who is to end with whoever has started him.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
    stdin: Option<oneshot::Receiver<()>>,
}

impl Signals {
    pub(super) fn new() -> anyhow::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let wrong = "signals cannot be listened for";
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).context(wrong)?,
            interrupt: signal(SignalKind::interrupt()).context(wrong)?,
            hangup: None,
            stdin: None,
        })
    }

    /// That the terminal is gone is one, too: for who is of no use without it.
    pub(super) fn watch_terminal(&mut self) -> anyhow::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        self.hangup = Some(signal(SignalKind::hangup()).context("signals cannot be listened for")?);
        Ok(())
    }

    /// The end of standard input is one, too, once.
    pub(super) fn watch_stdin(&mut self) -> anyhow::Result<()> {
        let (tell, told) = oneshot::channel();
        let read = move || {
            let mut dropped = [0; 256];
            // What cannot be read has ended as well.
            while std::io::stdin().lock().read(&mut dropped).is_ok_and(|count| count > 0) {}
            // Who waited for it may have ended before.
            let _ = tell.send(());
        };
        thread::Builder::new().name("stdin".to_owned()).spawn(read).context("the system gives no thread")?;
        self.stdin = Some(told);
        Ok(())
    }

    pub(super) async fn next(&mut self) {
        let Signals { terminate, interrupt, hangup, stdin } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => {
                    hangup.recv().await;
                }
                None => std::future::pending().await,
            }
        };
        let ended = async {
            match stdin {
                Some(told) => {
                    // A thread that is gone has nothing more to tell, either.
                    let _ = told.await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            () = hung_up => return,
            () = ended => {}
        }
        self.stdin = None;
    }
}
