//! What every event ends with: each platform's target is made true, and the one timer is armed.

use super::past::{Armed, Past, Sent, Target};
use crate::domain::{DurationMs, Platform, TimeMs};
use crate::engine::*;

impl Past<'_> {
    pub(super) fn level_step(&mut self) {
        if self.was_in_contact && self.contact().is_none() {
            self.lapse(Platform::Cxone);
        }
        for platform in Platform::ALL {
            let target = self.target(platform);
            if target.status() != self.targets.of(platform).status() {
                self.effects.decision.retargeted = true;
                self.forget_lapses(platform);
                *self.targets.of_mut(platform) = target;
            }
        }
        for platform in Platform::ALL {
            self.level(platform);
        }
    }

    /// When what is outstanding lapses; never while a contact stops CXone's clock.
    fn lapses_at(&self, platform: Platform) -> Option<TimeMs> {
        use Verdict::{Accepted, Conflict, Unknown};
        let stopped = platform == Platform::Cxone && self.contact().is_some();
        match self.outstanding(platform)?.outcome? {
            (Accepted | Unknown | Conflict, at) if !stopped => Some(at + self.settings().confirm),
            _ => None,
        }
    }

    /// What is overdue has lapsed.
    pub(super) fn lapse(&mut self, platform: Platform) {
        let lapsed = self.outstanding(platform);
        if self.lapses_at(platform).is_none_or(|at| at > self.now) {
            return;
        }
        *self.outstanding.of_mut(platform) = None;
        // What lapsed for another target says nothing of this one.
        if lapsed.map(|sent| sent.command.status) != self.targets.of(platform).status() {
            return;
        }
        self.lapses.of_mut(platform).push(self.commands.len());
        if self.lapsed(platform) > usize::from(self.settings().corrections) {
            self.give_up(platform, GivenUp::NotSeen);
        }
    }

    /// Whether a command lapsed, and none was issued there since.
    fn owes_correction(&self, platform: Platform) -> bool {
        let to_platform = |sent: &&Sent| sent.command.platform() == platform;
        let since = |lapse: &usize| !self.commands.iter().skip(*lapse).any(|sent| to_platform(&sent));
        self.lapsed(platform) > 0 && self.lapses.of(platform).last().is_some_and(since)
    }

    pub(super) fn give_up(&mut self, platform: Platform, why: GivenUp) {
        *self.given_up.of_mut(platform) = Some(why);
        *self.effects.decision.diverged.of_mut(platform) = Some(why);
    }

    fn level(&mut self, platform: Platform) {
        let (status, row) = match self.target(platform) {
            Target::Nothing => return,
            Target::Lacks(status) => (status, None),
            Target::Set(status, row) => (status, row),
        };
        let shows_it = self.shows_target(platform);
        if shows_it {
            self.forget_lapses(platform);
        }
        if self.observed(platform).is_none() || !self.is_reachable(platform) || !status.can_be_commanded() {
            return;
        }
        let reissue = platform == Platform::Salesforce && self.reissue;
        let outstanding = self.outstanding(platform).map(|sent| sent.command.status);
        let under_way = outstanding.is_some() || self.is_under_way(platform);
        if !reissue && (outstanding == Some(status) || (shows_it && !under_way)) {
            return;
        }
        if let Target::Lacks(_) = self.target(platform) {
            if !shows_it && self.given_up.of(platform).is_none() {
                self.give_up(platform, GivenUp::Refused);
            }
            return;
        }
        if platform == Platform::Cxone && self.contact().is_some() && self.holds() {
            return;
        }
        let own = self.choice().is_some_and(|c| c.status.platform() == platform);
        if (status.is_off() && own) || self.given_up.of(platform).is_some() || self.cooling {
            return;
        }
        if self.commands_within_window() >= usize::from(self.settings().flap_commands) {
            self.cool_down();
            return;
        }
        let sequence = Sequence(self.commands.len() as u32 + 1);
        let correction = self.owes_correction(platform) && !reissue;
        let command = Command { sequence, status, issued: self.now, correction, row };
        self.commands.push(Sent {
            command,
            intent: self.intent,
            outcome: None,
            in_contact: None,
            matched: None,
            forgotten: false,
        });
        *self.outstanding.of_mut(platform) = Some(sequence);
        *self.effects.commands.of_mut(platform) = Some(command);
    }

    /// Whether a command has no outcome, and no later one was answered.
    pub(super) fn is_under_way(&self, platform: Platform) -> bool {
        let newest_answered = self.newest_answered(platform);
        let is_later = |sent: &Sent| Some(sent.command.sequence) > newest_answered;
        self.ring(platform).iter().any(|sent| sent.outcome.is_none() && is_later(sent))
    }

    /// The newest command that the platform took or refused, or may have.
    pub(super) fn newest_answered(&self, platform: Platform) -> Option<Sequence> {
        use Verdict::{Superseded, Unreachable};
        let answered =
            |sent: &&Sent| sent.outcome.is_some_and(|(v, _)| !matches!(v, Superseded | Unreachable));
        self.ring(platform).iter().filter(answered).map(|sent| sent.command.sequence).max()
    }

    pub(super) fn commands_within_window(&self) -> usize {
        let recent = |sent: &&Sent| self.now.since(sent.command.issued) < self.settings().flap_window;
        self.commands.iter().filter(recent).count()
    }

    /// All is held: as long as at first, or twice as long as the last time.
    pub(super) fn cool_down(&mut self) {
        let settings = self.settings();
        let length = match self.cool_downs.last() {
            Some((from, length)) if !self.quiet_since(*from) => {
                DurationMs::from_ms(length.times(2).as_ms().min(settings.cool_down_max.as_ms()))
            }
            _ => settings.cool_down,
        };
        self.cool_downs.push((self.now, length));
        self.cooling = true;
        self.effects.decision.flapping = true;
    }

    /// Whether no command was issued for the length of the flap window, at any time since.
    fn quiet_since(&self, from: TimeMs) -> bool {
        let last = self.commands.iter().map(|sent| sent.command.issued).filter(|at| *at <= from).max();
        let since = self.commands.iter().map(|sent| sent.command.issued).filter(|at| *at > from);
        let mut times: Vec<TimeMs> = last.into_iter().chain(since).collect();
        times.push(self.now);
        times.windows(2).any(|pair| pair[1].since(pair[0]) >= self.settings().flap_window)
    }

    pub(super) fn arm(&mut self) {
        let confirm = |platform| Some((self.lapses_at(platform)?, WakeCause::Confirm(platform)));
        let grace = self.closing.map(|close| (close.due, WakeCause::Grace));
        let cooled = self.cool_downs.last().filter(|_| self.cooling);
        let cooled = cooled.map(|(from, length)| (*from + *length, WakeCause::CoolDown));
        let waits = [confirm(Platform::Salesforce), confirm(Platform::Cxone), grace, cooled];
        let next = waits.into_iter().flatten().min_by_key(|(at, _)| *at);
        if next == self.armed.map(|armed| (armed.at, armed.cause)) {
            return;
        }
        self.effects.timer = Some(match next {
            None => Timer::Disarm,
            Some((at, cause)) => {
                self.armed_ever += 1;
                Timer::Arm { at, cause, generation: Generation(self.armed_ever) }
            }
        });
        self.armed = next.map(|(at, cause)| Armed { at, cause, generation: Generation(self.armed_ever) });
    }

    /// What is known of one event only begins anew.
    pub(super) fn begin(&mut self, now: TimeMs) {
        self.now = now;
        self.effects = Effects::of(Reason::Retried);
        self.was_in_contact = self.contact().is_some();
        self.reissue = false;
    }
}
