//! A tab: does what its page says, over its connection and with its toolkit.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{broadcast, mpsc};
use tokio::time::sleep_until;

use super::super::handle::{Changed, Org};
use super::super::people::mixed;
use super::counts::{Counts, Seen, Step};
use super::message::{Done, Down, Shown, Up};
use super::page::{Action, Page, Storage};
use super::toolkit::{Rejected, Toolkit, Toolkits};
use super::transport::{Heard, Link, Reach, Unreached};
use crate::domain::{SalesforceStatus, UserId};
use crate::simulators::wire::lock;

/// What all tabs have.
pub(super) struct Shared {
    pub(super) org: Org,
    pub(super) reach: Reach,
    pub(super) toolkits: Toolkits,
    pub(super) rowless_percent: u8,
    /// What is by chance follows from it; no other process has the same.
    pub(super) seed: u64,
    pub(super) loaded: AtomicU64,
    pub(super) counts: Counts,
    pub(super) seen: broadcast::Sender<Seen>,
}

/// What happens to a tab.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Changed(Changed),
    /// Changes were missed.
    Missed,
    Cut,
    Sleep,
    Wake,
    Reload,
    Close,
}

type Pending<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// A tab of a browser.
pub(super) struct Tab {
    shared: Arc<Shared>,
    user: UserId,
    storage: Arc<Mutex<Storage>>,
    page: Page,
    toolkit: Toolkit,
    sees_rows: bool,
    link: Option<Link>,
    opening: Pending<Result<Link, Unreached>>,
    calling: Pending<Result<(), Rejected>>,
    is_awake: bool,
    /// Whether something has changed while it slept.
    has_missed: bool,
    /// Whether the page has tried to connect already.
    has_tried: bool,
    /// What is counted of it.
    counted: (bool, bool),
}

/// What comes next.
enum Next {
    Told(Option<Told>),
    Answer(Result<(), Rejected>),
    Opened(Result<Link, Unreached>),
    Heard(Heard),
    Time,
}

impl Tab {
    /// Loads a page, which connects then.
    pub(super) fn load(
        shared: Arc<Shared>,
        user: UserId,
        storage: Arc<Mutex<Storage>>,
        connects_at: Instant,
    ) -> Tab {
        let (page, sees_rows) = page(&shared, connects_at);
        let toolkit = Toolkit::new(shared.org.clone(), user, shared.toolkits);
        shared.counts.pages.up();
        Tab {
            shared,
            user,
            storage,
            page,
            toolkit,
            sees_rows,
            link: None,
            opening: None,
            calling: None,
            is_awake: true,
            has_missed: false,
            has_tried: false,
            counted: (false, false),
        }
    }

    /// Lives until it is closed.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Told>) {
        let mut out = Vec::new();
        loop {
            match self.next(&mut inbox).await {
                // The browser is gone, and says nothing.
                Next::Told(None) => return,
                Next::Told(Some(Told::Close)) => {
                    self.unload().await;
                    return;
                }
                Next::Told(Some(told)) => self.take(told, &mut out).await,
                Next::Answer(answer) => {
                    self.calling = None;
                    let done = self.page.called(answer, &mut lock(&self.storage), &mut out);
                    self.finished(done);
                }
                Next::Opened(opened) => {
                    self.opening = None;
                    match opened {
                        Ok(link) => self.link = Some(link),
                        Err(why) => {
                            self.shared.counts.unreached(&why);
                            self.page.lose(Instant::now(), &mut out);
                        }
                    }
                }
                Next::Heard(heard) => self.hear(heard, &mut out),
                Next::Time => self.page.go_on(Instant::now(), &mut out),
            }
            self.act(&mut out).await;
            self.count();
        }
    }

    async fn next(&mut self, inbox: &mut mpsc::UnboundedReceiver<Told>) -> Next {
        let is_awake = self.is_awake;
        let next_at = self.page.next_at().filter(|_| is_awake);
        // What was said counts before how late it is: who wakes up reads first.
        tokio::select! {
            biased;
            told = inbox.recv() => Next::Told(told),
            answer = done(&mut self.calling), if is_awake && self.calling.is_some() => Next::Answer(answer),
            opened = done(&mut self.opening), if is_awake && self.opening.is_some() => Next::Opened(opened),
            heard = receive(&mut self.link), if is_awake && self.link.is_some() => Next::Heard(heard),
            () = until(next_at), if next_at.is_some() => Next::Time,
        }
    }

    async fn take(&mut self, told: Told, out: &mut Vec<Action>) {
        match told {
            Told::Changed(changed) => {
                let events = self.toolkit.events(&changed);
                if self.is_awake {
                    events.for_each(|event| self.page.event(event, out));
                } else {
                    self.has_missed = true;
                }
            }
            Told::Missed if self.is_awake => self.page.look(out),
            Told::Missed => self.has_missed = true,
            Told::Cut => {
                self.drop_link();
                self.page.lose(Instant::now(), out);
            }
            Told::Sleep => self.is_awake = false,
            Told::Wake => {
                self.is_awake = true;
                if std::mem::take(&mut self.has_missed) {
                    self.page.look(out);
                }
            }
            Told::Reload => {
                self.unload().await;
                (self.page, self.sees_rows) = page(&self.shared, Instant::now());
                self.toolkit = Toolkit::new(self.shared.org.clone(), self.user, self.shared.toolkits);
                (self.is_awake, self.has_missed, self.has_tried) = (true, false, false);
            }
            // It is the end, and was seen to.
            Told::Close => {}
        }
    }

    /// The page goes away, with all that it was about to do.
    async fn unload(&mut self) {
        (self.opening, self.calling) = (None, None);
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }

    fn drop_link(&mut self) {
        (self.link, self.opening) = (None, None);
    }

    fn hear(&mut self, heard: Heard, out: &mut Vec<Action>) {
        let (now, counts) = (Instant::now(), &self.shared.counts);
        match heard {
            Heard::Alive => self.page.hear_life(now),
            Heard::Ended => {
                counts.lost.up();
                self.page.lose(now, out);
            }
            Heard::Message(down) => {
                match &down {
                    Down::Welcome { .. } => counts.welcomes.up(),
                    Down::Bye { reason, .. } => counts.bye(*reason),
                    Down::Command(command) => {
                        counts.commands.up();
                        self.tell(&command.command, Step::Received, now);
                    }
                    Down::Hold { .. } | Down::StandBy | Down::Ping => {}
                }
                self.page.hear(down, &mut lock(&self.storage), now, out);
            }
        }
    }

    /// Tells who watches.
    fn tell(&self, command: &str, step: Step, at: Instant) {
        if self.shared.seen.receiver_count() > 0 {
            let seen = Seen { user: self.user, command: command.to_owned(), step, at };
            // Who watched may have stopped.
            let _ = self.shared.seen.send(seen).is_ok();
        }
    }

    fn finished(&self, done: Option<Done>) {
        if let Some(Done { command, result, .. }) = done {
            self.shared.counts.outcome(result);
            self.tell(&command, Step::Finished(result), Instant::now());
        }
    }

    /// Does what the page said, and what follows from it.
    async fn act(&mut self, out: &mut Vec<Action>) {
        while !out.is_empty() {
            for action in std::mem::take(out) {
                match action {
                    Action::Connect(gateway) => self.connect(gateway, out),
                    Action::Drop => self.drop_link(),
                    Action::Send(up) => self.send(&up, out).await,
                    Action::Tell(status, reason) => {
                        let current = self.toolkit.current();
                        // Where he is in another one by now, a newer event is on its way.
                        if status.is_none_or(|status| status == current.status) {
                            let shown = Shown::of(&current, reason, self.sees_rows);
                            self.send(&Up::Status(shown), out).await;
                        }
                    }
                    Action::Ask => {
                        let presence = self.toolkit.get_service_presence_status_id();
                        let done = self.page.asked(presence, &mut lock(&self.storage), out);
                        self.finished(done);
                    }
                    Action::Call(status) => {
                        self.calling = Some(match status {
                            SalesforceStatus::Presence(id) => {
                                Box::pin(self.toolkit.set_service_presence_status(id))
                            }
                            SalesforceStatus::Offline => Box::pin(self.toolkit.logout()),
                        });
                    }
                }
            }
        }
    }

    fn connect(&mut self, gateway: usize, out: &mut Vec<Action>) {
        if std::mem::replace(&mut self.has_tried, true) {
            self.shared.counts.reconnects.up();
        }
        // Apex signs one for each connection.
        let Ok(Some(token)) = self.shared.org.bridge_token(self.user) else {
            self.shared.counts.unreached(&Unreached::Failed);
            self.page.lose(Instant::now(), out);
            return;
        };
        let hello = self.page.hello(token, &lock(&self.storage));
        let shared = Arc::clone(&self.shared);
        self.opening = Some(Box::pin(async move { shared.reach.open(gateway, &hello).await }));
    }

    async fn send(&mut self, up: &Up, out: &mut Vec<Action>) {
        let Some(link) = &mut self.link else { return };
        if !link.send(up).await {
            self.shared.counts.lost.up();
            self.drop_link();
            self.page.lose(Instant::now(), out);
        }
    }

    fn count(&mut self) {
        let counts = &self.shared.counts;
        counts.connected.follow(&mut self.counted.0, self.page.is_open());
        counts.holding.follow(&mut self.counted.1, self.page.holds());
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let counts = &self.shared.counts;
        counts.connected.follow(&mut self.counted.0, false);
        counts.holding.follow(&mut self.counted.1, false);
        counts.pages.down();
    }
}

/// A page that is loaded, and whether Apex sees rows for it.
fn page(shared: &Shared, connects_at: Instant) -> (Page, bool) {
    let seed = mixed(shared.seed, shared.loaded.fetch_add(1, Ordering::Relaxed));
    let name = format!("{seed:016x}");
    let sees_rows = mixed(seed, 1) % 100 >= u64::from(shared.rowless_percent);
    (Page::new(name, mixed(seed, 2), shared.reach.len(), connects_at), sees_rows)
}

async fn done<T>(pending: &mut Pending<T>) -> T {
    match pending {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn receive(link: &mut Option<Link>) -> Heard {
    match link {
        Some(link) => link.receive().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
