//! Calls that should end by themselves and may not.
//!
//! librdkafka bounds its transaction calls with a time-out, and yet `rd_kafka_send_offsets_to_transaction` was seen to
//! wait beyond it without end (librdkafka #5456, #5511). A call that hangs must not hang a partition: so it runs on a
//! thread of its own, and who waits for it gives up when it takes too long. What it was called on is then of no use any
//! more; the thread ends when the call does, if ever.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

/// A thread that makes calls, one after the other.
pub(super) struct Watched<A> {
    calls: SyncSender<Box<dyn FnOnce() -> A + Send>>,
    answers: Receiver<A>,
}

/// It took too long, or the thread is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hangs;

impl<A: Send + 'static> Watched<A> {
    /// A thread for calls.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn new(name: &str) -> std::io::Result<Watched<A>> {
        let (calls, received) = mpsc::sync_channel::<Box<dyn FnOnce() -> A + Send>>(1);
        let (answer, answers) = mpsc::sync_channel(1);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Ok(call) = received.recv() {
                if answer.send(call()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Watched { calls, answers })
    }

    /// Begins a call; [`Watched::answer`] must follow.
    pub(super) fn begin(&self, call: impl FnOnce() -> A + Send + 'static) {
        // Where the thread is gone there will be no answer either, and that is told.
        let _ = self.calls.send(Box::new(call));
    }

    /// What came of the call that was begun. After it hung, nothing more may be begun here.
    pub(super) fn answer(&self, timeout: Duration) -> Result<A, Hangs> {
        self.answers.recv_timeout(timeout).map_err(|_| Hangs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_made_in_order() {
        let watched = Watched::new("calls").unwrap();
        for n in 0..100 {
            watched.begin(move || n);
            assert_eq!(watched.answer(Duration::from_secs(60)), Ok(n));
        }
    }

    #[test]
    fn a_call_that_hangs_is_given_up() {
        let watched = Watched::new("hangs").unwrap();
        let (end, ended) = mpsc::channel::<()>();
        watched.begin(move || ended.recv().is_ok());
        assert_eq!(watched.answer(Duration::ZERO), Err(Hangs));
        end.send(()).unwrap();
    }

    #[test]
    fn a_call_that_panics_is_given_up() {
        let watched: Watched<()> = Watched::new("panics").unwrap();
        watched.begin(|| panic!("as a test wants it"));
        assert_eq!(watched.answer(Duration::from_secs(60)), Err(Hangs));
    }
}
