//! Browsers of an org's users: consoles with one or several tabs, each of which holds one connection to a gateway of the bridge
//! and calls the Omni toolkit, as `docs/bridge-protocol.md` has it.
//!
//! `page.rs` decides and does nothing else; `tab.rs` does it.

mod counts;
mod message;
mod page;
mod tab;
#[cfg(test)]
mod tests;
mod toolkit;
mod transport;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc};
use url::Url;

use super::handle::{Changed, Org};
use super::people::mixed;
use crate::domain::UserId;
use crate::simulators::wire::lock;
pub use counts::{Counted, Seen, Step};
pub use message::Outcome;
use page::Storage;
use tab::{Shared, Tab, Told};
pub use toolkit::Toolkits;
pub use transport::{ReachError, Transport};

/// So much may be told of commands that nobody has read.
const UNREAD_MAX: usize = 65_536;

/// How consoles are to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where gateways are: `https://HOST:PORT`, or `http://HOST:PORT` on this machine. A page takes any of them, and another one
    /// where that fails.
    pub gateways: Vec<Url>,
    /// From where their pages are, as a browser says it.
    pub origin: String,
    /// The authorities that gateways over TLS are trusted by, in PEM.
    pub tls_ca: Option<PathBuf>,
    /// What carries messages.
    pub transport: Transport,
    /// How many tabs a console is opened with.
    pub tabs: usize,
    /// How toolkits behave.
    pub toolkits: Toolkits,
    /// In so many pages of 100 Apex does not find rows of presence.
    pub rowless_percent: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            gateways: Vec::new(),
            origin: "https://simulated.lightning.force.com".to_owned(),
            tls_ca: None,
            transport: Transport::default(),
            tabs: 1,
            toolkits: Toolkits::default(),
            rowless_percent: 0,
        }
    }
}

/// What is done with a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is opened, if it is not open.
    Open,
    /// All its tabs are closed.
    Close,
    /// Its network is lost, and nobody is told. Its pages connect again by themselves.
    Cut,
    /// It answers nothing any more.
    Sleep,
    /// It does again.
    Wake,
    /// Its tabs are loaded again.
    Reload,
    /// Another tab is opened.
    Tab,
}

impl Act {
    /// All of them.
    pub const ALL: [Act; 7] = [Act::Open, Act::Close, Act::Cut, Act::Sleep, Act::Wake, Act::Reload, Act::Tab];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Act::Open => "open",
            Act::Close => "close",
            Act::Cut => "cut",
            Act::Sleep => "sleep",
            Act::Wake => "wake",
            Act::Reload => "reload",
            Act::Tab => "tab",
        }
    }
}

/// A browser. What is in its storage outlives its tabs.
#[derive(Default)]
struct Browser {
    storage: Arc<Mutex<Storage>>,
    tabs: Vec<mpsc::UnboundedSender<Told>>,
}

struct Inner {
    shared: Arc<Shared>,
    runtime: Handle,
    tabs: usize,
    /// Nobody who holds it waits for the org: the org may wait for it.
    browsers: Mutex<HashMap<UserId, Browser>>,
}

/// Consoles of an org's users. Clones are the same; with the last of them, all browsers are gone, and say nothing.
#[derive(Clone)]
pub struct Consoles(Arc<Inner>);

impl Consoles {
    /// None is open yet. They run on this runtime.
    ///
    /// # Errors
    /// Gateways cannot be reached so, or the org has no key to sign for the bridge with.
    pub fn new(org: Org, settings: &Settings, runtime: &Handle) -> Result<Consoles, ReachError> {
        let Settings { gateways, origin, tls_ca, transport, tabs, toolkits, rowless_percent } = settings;
        if !org.signs() {
            return Err(ReachError::NoKey);
        }
        let reach = transport::Reach::new(gateways, (*transport, origin.clone()), tls_ca.as_deref())?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let changes = org.changes();
        let shared = Shared {
            org,
            reach,
            toolkits: *toolkits,
            rowless_percent: *rowless_percent,
            // A page that is loaded by another process is another one.
            seed: mixed(since.as_nanos() as u64, std::process::id().into()),
            loaded: AtomicU64::new(0),
            counts: counts::Counts::default(),
            seen: broadcast::Sender::new(UNREAD_MAX),
        };
        let (shared, runtime, tabs) = (Arc::new(shared), runtime.clone(), (*tabs).max(1));
        let inner = Arc::new(Inner { shared, runtime, tabs, browsers: Mutex::default() });
        inner.runtime.spawn(pass_on(Arc::downgrade(&inner), changes));
        Ok(Consoles(inner))
    }

    /// Does something with a user's console. Whether there was one, or is one from now on.
    pub fn act(&self, user: UserId, act: Act) -> bool {
        self.0.act(user, act, Instant::now())
    }

    /// Opens his console, if it is not open.
    pub fn open(&self, user: UserId) {
        self.act(user, Act::Open);
    }

    /// Opens those of all of them, one after the other within this time.
    pub fn open_all(&self, users: &[UserId], within: Duration) {
        let begun = Instant::now();
        for (place, user) in users.iter().enumerate() {
            let after = within.mul_f64(place as f64 / users.len() as f64);
            self.0.act(*user, Act::Open, begun + after);
        }
    }

    /// Closes all tabs of his console: they tell the gateway.
    pub fn close(&self, user: UserId) -> bool {
        self.act(user, Act::Close)
    }

    /// His network is lost: no gateway is told. His pages connect again by themselves.
    pub fn cut(&self, user: UserId) -> bool {
        self.act(user, Act::Cut)
    }

    /// His machine sleeps: his pages answer nothing, and their connections stay.
    pub fn sleep(&self, user: UserId) -> bool {
        self.act(user, Act::Sleep)
    }

    /// It is awake again.
    pub fn wake(&self, user: UserId) -> bool {
        self.act(user, Act::Wake)
    }

    /// His tabs are loaded again: other pages with the same storage.
    pub fn reload(&self, user: UserId) -> bool {
        self.act(user, Act::Reload)
    }

    /// Opens another tab of his console; the first where it has none.
    pub fn second_tab(&self, user: UserId) {
        self.act(user, Act::Tab);
    }

    /// Whether he has a tab open, be it connected or not.
    pub fn is_open(&self, user: UserId) -> bool {
        self.0.is_open(user)
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        self.0.shared.counts.read()
    }

    /// What happens to commands from now on. Who reads too late is told how much he has missed.
    pub fn watch(&self) -> broadcast::Receiver<Seen> {
        self.0.shared.seen.subscribe()
    }

    /// Consoles as the org has them, which do not live for its sake.
    pub(super) fn desk(&self) -> Desk {
        Desk(Arc::downgrade(&self.0))
    }
}

impl Inner {
    fn act(&self, user: UserId, act: Act, connects_at: Instant) -> bool {
        let mut browsers = lock(&self.browsers);
        let told = match act {
            Act::Open | Act::Tab => {
                let browser = browsers.entry(user).or_default();
                let missing = if act == Act::Tab { 1 } else { self.tabs };
                if act == Act::Tab || browser.tabs.is_empty() {
                    let opened = (0..missing).map(|_| self.load(user, &browser.storage, connects_at));
                    let opened: Vec<_> = opened.collect();
                    browser.tabs.extend(opened);
                }
                return true;
            }
            Act::Close => Told::Close,
            Act::Cut => Told::Cut,
            Act::Sleep => Told::Sleep,
            Act::Wake => Told::Wake,
            Act::Reload => Told::Reload,
        };
        let Some(browser) = browsers.get_mut(&user).filter(|browser| !browser.tabs.is_empty()) else {
            return false;
        };
        browser.tell(told);
        if act == Act::Close {
            browser.tabs.clear();
        }
        true
    }

    fn load(
        &self,
        user: UserId,
        storage: &Arc<Mutex<Storage>>,
        connects_at: Instant,
    ) -> mpsc::UnboundedSender<Told> {
        let (tell, inbox) = mpsc::unbounded_channel();
        let (shared, storage) = (Arc::clone(&self.shared), Arc::clone(storage));
        self.runtime.spawn(async move { Tab::load(shared, user, storage, connects_at).run(inbox).await });
        tell
    }

    fn is_open(&self, user: UserId) -> bool {
        lock(&self.browsers).get(&user).is_some_and(|browser| !browser.tabs.is_empty())
    }
}

impl Browser {
    fn tell(&self, told: Told) {
        for tab in &self.tabs {
            // A tab that has ended hears nothing.
            let _ = tab.send(told).is_ok();
        }
    }
}

/// Tells each page what changes of its user.
async fn pass_on(consoles: Weak<Inner>, mut changes: broadcast::Receiver<Changed>) {
    loop {
        let changed = match changes.recv().await {
            Ok(changed) => Some(changed),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let Some(consoles) = consoles.upgrade() else { return };
        let browsers = lock(&consoles.browsers);
        match changed {
            Some(changed) => {
                browsers.get(&changed.user).into_iter().for_each(|one| one.tell(Told::Changed(changed)));
            }
            None => browsers.values().for_each(|browser| browser.tell(Told::Missed)),
        }
    }
}

/// Consoles as the org's people and its control endpoint have them. They may be gone.
#[derive(Clone)]
pub(super) struct Desk(Weak<Inner>);

impl Desk {
    /// Does something with a user's console; none where there are no consoles any more.
    pub(super) fn act(&self, user: UserId, act: Act) -> Option<bool> {
        Some(self.0.upgrade()?.act(user, act, Instant::now()))
    }

    /// Whether he has a tab open.
    pub(super) fn is_open(&self, user: UserId) -> bool {
        self.0.upgrade().is_some_and(|consoles| consoles.is_open(user))
    }

    /// What was counted so far.
    pub(super) fn counted(&self) -> Option<Counted> {
        Some(self.0.upgrade()?.shared.counts.read())
    }
}
