//! A simulated org that listens.

use std::io;
use std::sync::{Arc, Mutex};

use jsonwebtoken::DecodingKey;

use super::super::wire::{self, Addresses, Listening, Reply, Request, system_time};
use super::bridge::Bridge;
use super::handle::Org;
use super::ids;
use super::settings::Settings;
use super::world::World;
use crate::domain::{DurationMs, OrganisationId, TimeMs};

/// A simulated org that listens.
pub struct Simulator {
    listening: Listening<World>,
    org: Org,
}

impl Simulator {
    /// Listens; [`serve`] answers.
    ///
    /// # Errors
    /// An address cannot be listened on, or a key cannot be read.
    pub async fn bind(settings: Settings, addresses: Addresses) -> io::Result<Simulator> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        if let Some(pem) = &settings.jwt_public_key {
            let key = DecodingKey::from_rsa_pem(pem.as_bytes());
            key.map_err(|why| invalid(format!("the public key of assertions: {why}")))?;
        }
        let bridge = settings.bridge_key.as_ref().map(Bridge::new).transpose();
        let bridge = bridge.map_err(|_| invalid("the key of the bridge is no RSA key in PEM".to_owned()))?;
        let tls = settings.tls.clone();
        let world = Arc::new(Mutex::new(World::new(settings, system_time())));
        let org = Org::new(Arc::clone(&world), bridge);
        Ok(Simulator { listening: Listening::bind(world, addresses, tls).await?, org })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn addresses(&self) -> io::Result<Addresses> {
        self.listening.addresses()
    }

    /// Where one logs in.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn login_url(&self) -> io::Result<String> {
        self.listening.base()
    }

    /// Which organisation it is.
    pub fn organisation(&self) -> OrganisationId {
        ids::organisation()
    }

    /// The org, for browsers in this process.
    pub fn org(&self) -> Org {
        self.org.clone()
    }
}

/// Answers, and lets people act, until it is told to end.
///
/// # Errors
/// A listener fails.
pub async fn serve(simulator: Simulator, until: impl Future<Output = ()>) -> io::Result<()> {
    simulator.listening.serve(until).await
}

impl wire::World for World {
    fn answer(&mut self, request: &Request, now: TimeMs) -> Reply {
        World::answer(self, request, now)
    }

    /// No call waits.
    fn answer_again(&mut self, _: &Request, so_far: Reply, _: TimeMs) -> Reply {
        Reply { wait: None, ..so_far }
    }

    fn control(&mut self, request: &Request, now: TimeMs) -> Reply {
        World::control(self, request, now)
    }

    fn go_on(&mut self, now: TimeMs) {
        World::go_on(self, now);
    }

    fn clock_offset(&self) -> DurationMs {
        DurationMs::from_ms(self.settings.variants.date_offset_ms)
    }
}
