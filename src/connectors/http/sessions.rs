//! One session for all who call: logged in once, renewed before it ends, and once for all when it is refused.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use moka::policy::EvictionPolicy;

/// How one logs in.
pub(in crate::connectors) trait LogIn: Send + Sync {
    /// What calls are made with.
    type Session: Send + Sync + 'static;
    /// What can go wrong.
    type Error: Clone + Send + Sync + 'static;

    /// Logs in; says after how long that is done again.
    fn log_in(&self) -> impl Future<Output = Result<(Self::Session, Duration), Self::Error>> + Send;

    /// The platform took a session for none: what would only renew it is none either.
    fn forget(&self) {}
}

/// A session as everybody has it.
pub(in crate::connectors) struct Numbered<S> {
    number: u64,
    renewed_after: Duration,
    session: S,
}

impl<S> Deref for Numbered<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.session
    }
}

/// Gives everybody the same session.
pub(in crate::connectors) struct Sessions<L: LogIn> {
    way: L,
    /// By a number that rises when one was refused.
    sessions: Cache<u64, Arc<Numbered<L::Session>>>,
    number: AtomicU64,
}

struct Renewal;

impl<S> Expiry<u64, Arc<Numbered<S>>> for Renewal {
    fn expire_after_create(&self, _: &u64, session: &Arc<Numbered<S>>, _: Instant) -> Option<Duration> {
        Some(session.renewed_after)
    }
}

impl<L: LogIn> Sessions<L> {
    /// Nobody has logged in yet.
    pub(in crate::connectors) fn new(way: L) -> Sessions<L> {
        // The newest is always taken in: by moka's own policy one that is asked for less often is not.
        let sessions = Cache::builder()
            .max_capacity(4)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Renewal)
            .build();
        Sessions { way, sessions, number: AtomicU64::new(0) }
    }

    /// The session of now. Of all who ask while there is none, one logs in.
    ///
    /// # Errors
    /// The log-in failed, for all who waited for it.
    pub(in crate::connectors) async fn get(&self) -> Result<Arc<Numbered<L::Session>>, L::Error> {
        let number = self.number.load(Ordering::Acquire);
        let begun = async {
            let (session, renewed_after) = self.way.log_in().await?;
            Ok(Arc::new(Numbered { number, renewed_after, session }))
        };
        let session = self.sessions.try_get_with(number, begun).await;
        session.map_err(|error: Arc<L::Error>| L::Error::clone(&error))
    }

    /// The platform takes this session for none: whoever asks next gets another.
    pub(in crate::connectors) fn is_none(&self, session: &Numbered<L::Session>) {
        let (known, next) = (session.number, session.number + 1);
        if self.number.compare_exchange(known, next, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.way.forget();
        }
    }
}
