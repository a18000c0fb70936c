//! A choice, and whether it wins.

use crate::domain::{Platform, TimeMs};
use crate::rules::OnConflict;

use super::Seen;
use crate::engine::{Intent, Mutation, Reason, Status, Step, is_on};

impl Step<'_> {
    /// A choice, or a system state that is mirrored as one is. If it wins it is the intent; the loser is only
    /// observed, and the level step sets the platform back.
    pub(super) fn chosen(&mut self, seen: &Seen, by_him: bool) -> Reason {
        let platform = seen.platform();
        let wins = self.wins(seen);
        self.take(seen, false);
        if wins {
            let at_login = seen.before.is_some_and(Status::is_off) && !seen.status().is_off();
            self.choose(seen, at_login);
            if let Status::Cxone(status) = seen.status()
                && status.is_settable()
                && by_him
            {
                self.state.previous = Some(status);
                self.retarget();
            }
            self.end_outstanding(platform);
        }
        self.catch_up(seen, false);
        self.after_contact(seen);
        match (wins, by_him) {
            (false, _) => Reason::ChoiceLost,
            (true, true) => Reason::Choice,
            (true, false) => Reason::SystemState,
        }
    }

    /// Makes what is seen the intent.
    pub(super) fn choose(&mut self, seen: &Seen, at_login: bool) {
        self.state.choose(seen.status(), seen.at, seen.observation.offset, at_login);
        self.effects.decision.new_intent = true;
        self.retarget();
    }

    /// A choice on the intent's own platform always wins. On the other: if that had caught up, it came after,
    /// whatever the clocks say; if the two are concurrent the rule decides; else the start does.
    fn wins(&self, seen: &Seen) -> bool {
        let platform = seen.platform();
        let Some(intent) = self.state.intent().filter(|intent| intent.platform() != platform) else {
            return true;
        };
        if self.state.is_caught_up(platform) || is_on(Mutation::EveryChoiceWins) {
            return true;
        }
        let is_later = seen.at >= intent.since;
        if !self.is_concurrent(seen, &intent) {
            return is_later;
        }
        match self.options().map_or(OnConflict::default(), |options| options.on_conflict) {
            OnConflict::Latest => is_later,
            OnConflict::Salesforce => platform == Platform::Salesforce,
            OnConflict::Cxone => platform == Platform::Cxone,
        }
    }

    /// A command here was still out, or was held back, or both choices began at about the same time.
    fn is_concurrent(&self, seen: &Seen, intent: &Intent) -> bool {
        let platform = seen.platform();
        let target = self.target(platform).map(|target| target.status);
        let held = self.holds(platform, seen.contact.is_some()) && target.is_some() && seen.before != target;
        let apart = |a: TimeMs, b: TimeMs| a.since(b).abs() <= self.settings.concurrent;
        self.state.outstanding(platform).is_some() || held || apart(seen.at, intent.since)
    }
}
