//! The tenant as the clients of its agents have it: what they choose, and what the platform does with contacts.

use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;

use super::super::wire::{World as _, lock, system_time};
use super::tenant::{Changed, Shown, Tenant};
use super::world::{Called, World};
use crate::domain::TimeMs;

/// A simulated tenant, for agents' clients in the same process. Clones are the same tenant.
#[derive(Clone)]
pub struct Floor {
    world: Arc<Mutex<World>>,
}

impl Floor {
    pub(super) fn new(world: Arc<Mutex<World>>) -> Floor {
        Floor { world }
    }

    /// Does something in the tenant as it is now.
    fn at_now<T>(&self, act: impl FnOnce(&mut World, TimeMs) -> T) -> T {
        let mut world = lock(&self.world);
        let now = system_time() + world.clock_offset();
        world.go_on(now);
        let done = act(&mut world, now);
        world.tell();
        done
    }

    fn in_tenant<T>(&self, act: impl FnOnce(&mut Tenant, TimeMs) -> T) -> T {
        self.at_now(|world, now| act(&mut world.tenant, now))
    }

    /// Who works in it, in the order of their numbers.
    pub fn agents(&self) -> Vec<u32> {
        self.in_tenant(|tenant, _| tenant.agents.keys().copied().collect())
    }

    /// In what an agent is; none where there is no such agent.
    pub fn shown(&self, agent: u32) -> Option<Shown> {
        self.in_tenant(|tenant, _| tenant.agents.get(&agent).map(|agent| agent.shown))
    }

    /// An agent puts himself into something.
    pub fn put(&self, agent: u32, shown: Shown) {
        self.in_tenant(|tenant, now| tenant.put(agent, shown, now));
    }

    /// A contact, or what surrounds one, begins, if he is logged in.
    pub fn begin_contact(&self, agent: u32, contact: Shown) {
        self.in_tenant(|tenant, now| tenant.begin_contact(agent, contact, now));
    }

    /// It ends: what was queued is set, else he is where he was.
    pub fn end_contact(&self, agent: u32) {
        self.in_tenant(|tenant, now| tenant.end_contact(agent, now));
    }

    /// Every change from now on, whoever makes it. Who reads too late is told how many he has missed.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        lock(&self.world).changes.subscribe()
    }

    /// How often its API was called so far.
    pub fn called(&self) -> Called {
        lock(&self.world).called
    }
}
