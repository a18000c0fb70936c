//! The level step: what is known is compared with what should be, and the difference is commanded.

use crate::domain::Platform;
use crate::rules::WhileOnContact;

use super::ring::Entry;
use super::target::Target;
use super::{Command, GivenUp, Mutation, Sequence, Step, is_on};

impl Step<'_> {
    /// Makes the target of each of these platforms true.
    pub(super) fn level(&mut self, platforms: &[Platform]) {
        for &platform in platforms {
            let target = self.target(platform);
            let status = target.map(|target| target.status);
            if self.state.target(platform) != status {
                self.state.set_target(platform, status);
                self.state.forgive(platform);
                self.effects.decision.retargeted = true;
            }
            if let Some(target) = target.filter(|target| self.wants(platform, target)) {
                self.command(platform, &target);
            }
        }
    }

    /// Whether the target of a platform is to be commanded now.
    fn wants(&mut self, platform: Platform, target: &Target) -> bool {
        let shows_it = self.state.shown(platform) == Some(target.status);
        let reissue = *self.reissue.of(platform);
        let state = &*self.state;
        let own = state.intent_platform() == Some(platform);
        let in_contact = platform == Platform::Cxone && state.contact().is_some();
        let cools_down = state.flapping().until.is_some();
        if shows_it {
            self.state.forgive(platform);
        }
        if !self.state.is_observed(platform) || !self.state.is_reachable(platform) {
            return false;
        }
        let outstanding = self.outstanding(platform);
        if outstanding.is_some_and(|entry| entry.status == target.status) && !reissue {
            return false;
        }
        if shows_it && outstanding.is_none() && !self.state.ring().has_one_under_way(platform) && !reissue {
            return false;
        }
        if target.is_lacking {
            if !shows_it && self.state.waiting(platform).diverged.is_none() {
                self.give_up(platform, GivenUp::Refused);
            }
            return false;
        }
        if in_contact && self.while_on_contact() == WhileOnContact::Hold {
            return false;
        }
        !(target.status.is_off() && own) && self.state.waiting(platform).diverged.is_none() && !cools_down
    }

    fn while_on_contact(&self) -> WhileOnContact {
        self.options().map_or(WhileOnContact::default(), |options| options.while_on_contact)
    }

    /// Whether commands to a platform are held for now.
    pub(super) fn holds(&self, platform: Platform, in_contact: bool) -> bool {
        let contact = platform == Platform::Cxone && in_contact;
        self.state.flapping().until.is_some() || contact && self.while_on_contact() == WhileOnContact::Hold
    }

    fn command(&mut self, platform: Platform, target: &Target) {
        let (now, settings) = (self.now, self.settings);
        if self.state.flapping().is_full(now, settings) && !is_on(Mutation::NoFlapGuard) {
            self.state.flapping_mut().cool_down(now, settings);
            self.effects.decision.flapping = true;
            return;
        }
        self.state.flapping_mut().issued(now, settings);
        let sequence = Sequence(self.state.issued.0.wrapping_add(1));
        self.state.issued = sequence;
        let reissue = *self.reissue.of(platform);
        let status = target.status;
        self.state.ring_mut().push(Entry::new(sequence, status, now));
        let waiting = self.state.waiting_mut(platform);
        waiting.outstanding = sequence;
        // What is issued again after a new connection or an outcome is no correction.
        let correction = std::mem::take(&mut waiting.owes_correction) && !reissue;
        let command = Command { sequence, status, issued: now, correction, row: target.row };
        *self.effects.commands.of_mut(platform) = Some(command);
    }

    /// A command was not seen in time. After the first and the corrections the platform has diverged.
    pub(super) fn lapse(&mut self, platform: Platform) {
        let corrections = self.settings.corrections;
        let lapsed = self.outstanding(platform).map(|entry| entry.status);
        self.state.end_outstanding(platform);
        // What lapsed for another target says nothing of this one.
        if lapsed.is_none_or(|status| Some(status) != self.state.target(platform)) {
            return;
        }
        let waiting = self.state.waiting_mut(platform);
        waiting.lapsed = waiting.lapsed.saturating_add(1);
        waiting.owes_correction = true;
        if waiting.lapsed > corrections && !is_on(Mutation::CorrectionsUnlimited) {
            self.give_up(platform, GivenUp::NotSeen);
        }
    }

    pub(super) fn give_up(&mut self, platform: Platform, why: GivenUp) {
        self.state.waiting_mut(platform).diverged = Some(why);
        *self.effects.decision.diverged.of_mut(platform) = Some(why);
    }
}
