//! The org as the browsers of its users have it: what their toolkit tells and sets.

use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;

use super::super::wire::{World as _, lock, system_time};
use super::bridge::{Bridge, BridgeError};
use super::consoles::Consoles;
use super::presence::{Reason, Refusal, Row};
use super::records::User;
use super::world::{Who, World};
use crate::domain::{PresenceStatusId, RowId, SalesforceStatus, TimeMs, UserId};

/// A change of presence, as a user's console is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Whose.
    pub user: UserId,
    /// In what he is from now on.
    pub status: SalesforceStatus,
    /// The row of his stay, which may open later; none where he is offline.
    pub row: Option<RowId>,
    /// Who or what made it.
    pub reason: Reason,
    /// When, by the org's clock.
    pub at: TimeMs,
}

/// In what a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// As his console shows it.
    pub status: SalesforceStatus,
    /// His open row and since when he is in it, as a query of the org finds it: none where he is offline, and none in the gap
    /// between two rows.
    pub row: Option<(RowId, TimeMs)>,
    /// When the newest of his rows that are over has ended; none where no row is.
    pub ended: Option<TimeMs>,
    /// What time it is in the org.
    pub now: TimeMs,
}

/// A simulated org, for browsers in the same process. Clones are the same org.
#[derive(Clone)]
pub struct Org {
    world: Arc<Mutex<World>>,
    bridge: Option<Arc<Bridge>>,
}

impl Org {
    pub(super) fn new(world: Arc<Mutex<World>>, bridge: Option<Bridge>) -> Org {
        Org { world, bridge: bridge.map(Arc::new) }
    }

    /// Does something in the org as it is now.
    fn at_now<T>(&self, act: impl FnOnce(&mut World, TimeMs) -> T) -> T {
        let mut world = lock(&self.world);
        let now = system_time() + world.clock_offset();
        world.go_on(now);
        act(&mut world, now)
    }

    /// Who works in it, in the order of their ids.
    pub fn users(&self) -> Vec<User> {
        self.at_now(|world, _| world.records.people().cloned().collect())
    }

    /// The statuses that there are, with their developer names and labels.
    pub fn statuses(&self) -> Vec<(PresenceStatusId, String, String)> {
        self.at_now(|world, _| {
            let there_is = world.records.statuses.values().filter(|status| !status.is_deleted);
            there_is.map(|status| (status.id, status.developer_name.clone(), status.label.clone())).collect()
        })
    }

    /// How many calls of its API were made this day.
    pub fn calls(&self) -> u64 {
        lock(&self.world).used()
    }

    /// In what a user is; one who is unknown is offline.
    pub fn current(&self, user: UserId) -> Current {
        self.at_now(|world, now| {
            let row = world.presence.of(user).filter(|row| world.presence.rows.contains_key(&row.id));
            let row = row.map(|row| (row.id, row.started));
            let (status, ended) = (world.presence.status(user), world.presence.ended(user));
            Current { status, row, ended, now }
        })
    }

    /// The statuses that a user may be set to.
    pub fn may_use(&self, user: UserId) -> Vec<PresenceStatusId> {
        self.at_now(|world, _| world.records.may_use(user).map(|status| status.id).collect())
    }

    /// Sets a user to a status, as his own console does. Gives the row of his stay; none where he is offline. Who is in it
    /// already stays in the row that he has.
    ///
    /// # Errors
    /// The status, or the user, is none, or he may not use it.
    pub fn set(
        &self,
        user: UserId,
        status: SalesforceStatus,
        reason: Reason,
    ) -> Result<Option<Row>, Refusal> {
        self.at_now(|world, now| world.set(user, status, (reason, Who::Toolkit), now))
    }

    /// Has the control endpoint reach these consoles, and lets those of these users who behave open, close and use theirs.
    pub fn attach(&self, consoles: &Consoles, whose: impl IntoIterator<Item = UserId>) {
        let mut world = lock(&self.world);
        world.desk = Some((consoles.desk(), whose.into_iter().collect()));
    }

    /// Every change from now on, whoever makes it. Who reads too late is told how many he has missed.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        lock(&self.world).changes.subscribe()
    }

    /// Whether it has a key to sign for the bridge with.
    pub(super) const fn signs(&self) -> bool {
        self.bridge.is_some()
    }

    /// A token that says to the bridge for a minute who a user is, as Apex signs it; none where the org has no key for it.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn bridge_token(&self, user: UserId) -> Result<Option<String>, BridgeError> {
        let Some(bridge) = &self.bridge else { return Ok(None) };
        let now = self.at_now(|_, now| now);
        bridge.sign(user, now).map(Some)
    }
}
