//! A simulated tenant that listens.

use std::io;
use std::sync::{Arc, Mutex};

use super::super::wire::{self, Addresses, Listening, Reply, Request, system_time};
use super::floor::Floor;
use super::settings::Settings;
use super::world::World;
use crate::domain::{DurationMs, TimeMs};

/// A simulated tenant that listens.
pub struct Simulator(Listening<World>);

impl Simulator {
    /// Listens; [`serve`] answers.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub async fn bind(settings: Settings, addresses: Addresses) -> io::Result<Simulator> {
        let tls = settings.tls.clone();
        let world = Arc::new(Mutex::new(World::new(settings, system_time())));
        Ok(Simulator(Listening::bind(world, addresses, tls).await?))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn addresses(&self) -> io::Result<Addresses> {
        self.0.addresses()
    }

    /// The tenant, for agents' clients in this process.
    pub fn floor(&self) -> Floor {
        Floor::new(Arc::clone(&self.0.world))
    }

    /// The issuer: where one begins.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn issuer(&self) -> io::Result<String> {
        self.0.base()
    }
}

/// Answers until it is told to end.
///
/// # Errors
/// A listener fails.
pub async fn serve(simulator: Simulator, until: impl Future<Output = ()>) -> io::Result<()> {
    simulator.0.serve(until).await
}

impl wire::World for World {
    fn answer(&mut self, request: &Request, now: TimeMs) -> Reply {
        let reply = World::answer(self, request, now);
        self.tell();
        reply
    }

    fn answer_again(&mut self, request: &Request, so_far: Reply, now: TimeMs) -> Reply {
        let reply = World::answer_again(self, request, so_far, now);
        self.tell();
        reply
    }

    fn control(&mut self, request: &Request, now: TimeMs) -> Reply {
        let reply = World::control(self, request, now);
        self.tell();
        reply
    }

    fn go_on(&mut self, now: TimeMs) {
        World::go_on(self, now);
        self.tell();
    }

    fn clock_offset(&self) -> DurationMs {
        DurationMs::from_ms(self.settings.date_offset_ms)
    }
}
