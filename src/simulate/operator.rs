//! Those who keep Lockstep: they activate rules and roll them back, move him to another team, remove his link and
//! make it again, and have tried again what was given up on.

use crate::domain::DurationMs;
use crate::engine::What;

use super::faults::Fault;
use super::world::{Item as Next, World};

/// What is still to be done.
pub(super) enum Item {
    /// One of them does something.
    Act,
    /// The link is made again.
    Link,
    /// The directory has learnt of his team.
    Team,
    /// Second thoughts about what was activated.
    RollBack,
}

const ACTS: [Fault; 4] = [Fault::Activations, Fault::Teams, Fault::Links, Fault::Retries];

impl World {
    pub(super) fn begin_operator(&mut self) {
        if ACTS.into_iter().any(|fault| self.faults.has(fault)) {
            self.operate_later();
        }
    }

    fn operate_later(&mut self) {
        let delay = self.random.ms(5_000, 150_000);
        self.at(delay, Next::Operator(Item::Act));
    }

    pub(super) fn operator_item(&mut self, item: Item) {
        match item {
            Item::Act => self.operate(),
            Item::Link => self.link(),
            Item::Team => self.team_moved(),
            Item::RollBack => self.activate(),
        }
    }

    fn operate(&mut self) {
        self.operate_later();
        let Some(fault) = self.random.pick(&ACTS).filter(|fault| self.faults.has(*fault)) else { return };
        match fault {
            Fault::Activations => {
                self.activate();
                // Whoever has second thoughts has them soon.
                if self.random.percent(30) {
                    let delay = self.random.ms(100, 5_000);
                    self.at(delay, Next::Operator(Item::RollBack));
                }
            }
            Fault::Teams => {
                self.team = 1 - self.team.min(1);
                let team = self.team;
                self.note(|| format!("CXONE team {team}"));
                let delay = self.random.ms(100, 30_000);
                self.at(delay, Next::Operator(Item::Team));
            }
            Fault::Links => self.unlink(),
            _ => self.decide(What::Retry),
        }
    }

    fn activate(&mut self) {
        self.rules.activate();
        self.decide(What::Activated { assignment: self.rules.assignment() });
    }

    /// The directory reads his team.
    pub(super) fn team_moved(&mut self) {
        if self.rules.move_to(self.team) {
            self.decide(What::TeamMoved(self.rules.membership()));
        }
    }

    fn unlink(&mut self) {
        if self.slot.is_none() {
            return;
        }
        let what = if self.random.percent(70) { What::Unlinked } else { What::Forgotten };
        self.decide(what);
        let delay = if self.random.percent(50) { (50, 2_000) } else { (2_000, 90_000) };
        let delay = self.random.ms(delay.0, delay.1);
        self.at(delay, Next::Operator(Item::Link));
    }

    /// He is linked, and each source publishes what he is in.
    pub(super) fn link(&mut self) {
        if self.slot.is_some() {
            return;
        }
        self.rules.move_to(self.team);
        self.decide(What::Linked(self.rules.membership()));
        self.truth.links.push(self.now);
        if self.now.since(super::world::START) > DurationMs::ZERO {
            self.snapshot();
            self.poll(true);
        }
    }
}
