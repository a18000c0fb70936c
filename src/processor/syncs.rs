//! How long it takes from an agent's choice until a platform that had to be set shows it, by the log's times. It is measured beside
//! what is decided, in memory only: what was under way when a partition was restored is not measured.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::agents::Place;
use super::tally::Tally;
use crate::domain::{Both, DurationMs, Platform, TimeMs};
use crate::engine::{AgentState, Effects, Standing};

/// Choices that a platform has yet to show.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    open: HashMap<Place, Choice, BuildHasherDefault<PlaceHasher>>,
}

/// A choice that is on its way.
#[derive(Clone, Copy, Debug)]
struct Choice {
    /// When the event that made it the intent was appended.
    at: TimeMs,
    ways: Both<Way>,
}

/// How far a choice is on its way to a platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// No command was needed yet.
    #[default]
    Open,
    /// A command was needed.
    Commanded,
    /// It is shown, or nobody is there who could be set: that is no time of ours.
    Over,
}

impl Syncs {
    /// Takes note of what an event did to an agent; `state` is what he is in after it, none where he is gone.
    pub(super) fn note(
        &mut self,
        (place, at): (Place, TimeMs),
        effects: &Effects,
        state: Option<&AgentState>,
        tally: &mut Tally,
    ) {
        let decision = &effects.decision;
        if decision.new_intent {
            self.open.insert(place, Choice { at, ways: Both::default() });
        } else if self.open.is_empty() {
            return;
        } else if decision.retargeted || decision.taken_back || effects.gone {
            // What is to be shown now is not what was chosen then.
            self.open.remove(&place);
            return;
        }
        let (Some(choice), Some(state)) = (self.open.get_mut(&place), state) else { return };
        for (platform, standing) in state.standings() {
            let is_commanded = effects.commands.of(platform).is_some();
            if let Some(took) = choice.go_on(platform, standing, is_commanded, at) {
                tally.synced.of_mut(platform).push(took);
            }
        }
        if Platform::ALL.iter().all(|platform| *choice.ways.of(*platform) == Way::Over) {
            self.open.remove(&place);
        }
    }
}

/// Places are small numbers that nobody chooses: spreading them is enough, and this is asked with every event.
#[derive(Default)]
struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Choice {
    /// How long it took to a platform, where it has come there with this event, and a command was needed.
    fn go_on(
        &mut self,
        platform: Platform,
        standing: Standing,
        is_commanded: bool,
        at: TimeMs,
    ) -> Option<DurationMs> {
        let way = self.ways.of_mut(platform);
        let before = *way;
        *way = match (before, standing) {
            (Way::Over, _) | (_, Standing::InStep | Standing::Unreachable) => Way::Over,
            (Way::Open, _) if !is_commanded => Way::Open,
            (Way::Open | Way::Commanded, Standing::Waiting | Standing::Diverged) => Way::Commanded,
        };
        let has_come = before == Way::Commanded && standing == Standing::InStep;
        has_come.then(|| at.since(self.at).max(DurationMs::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CxoneStatus;
    use crate::engine::{Command, Decision, Reason, Remembered, RememberedSide, Sequence, Shown, Status};

    const T: i64 = 1_767_607_200_000;

    /// (case, what comes after a choice: ms later, how the platform stands, whether it was commanded, then what is measured).
    type Case = (&'static str, &'static [(i64, Standing, bool)], &'static [i64]);

    #[test]
    fn a_choice_is_measured_where_a_command_was_needed() {
        use Standing::{Diverged, InStep, Unreachable, Waiting};
        let cases: &[Case] = &[
            ("it shows it already", &[(0, InStep, false)], &[]),
            ("it is set", &[(0, Waiting, true), (700, Waiting, false), (1_900, InStep, false)], &[1_900]),
            ("set at last", &[(0, Waiting, false), (9_000, Waiting, true), (9_500, InStep, false)], &[9_500]),
            ("without a command", &[(0, Waiting, false), (800, InStep, false)], &[]),
            ("shown once", &[(0, Waiting, true), (800, InStep, false), (900, InStep, false)], &[800]),
            (
                "left again",
                &[(0, Waiting, true), (8, InStep, false), (9, Waiting, true), (10, InStep, false)],
                &[8],
            ),
            (
                "nobody is there",
                &[(0, Unreachable, false), (60_000, Waiting, true), (61_000, InStep, false)],
                &[],
            ),
            (
                "he goes meanwhile",
                &[(0, Waiting, true), (500, Unreachable, false), (900, InStep, false)],
                &[],
            ),
            (
                "given up on, and then",
                &[(0, Waiting, true), (40_000, Diverged, false), (50_000, InStep, false)],
                &[50_000],
            ),
            ("commanded though it is shown", &[(0, InStep, true), (20, InStep, false)], &[]),
            ("a clock that goes back", &[(0, Waiting, true), (-5, InStep, false)], &[0]),
        ];
        for (case, events, expected) in cases {
            let mut choice = Choice { at: TimeMs::from_unix_ms(T), ways: Both::default() };
            let found: Vec<i64> = events
                .iter()
                .filter_map(|(ms, standing, is_commanded)| {
                    let at = TimeMs::from_unix_ms(T + ms);
                    choice.go_on(Platform::Cxone, *standing, *is_commanded, at)
                })
                .map(DurationMs::as_ms)
                .collect();
            assert_eq!(found, *expected, "{case}");
            assert_eq!(choice.ways.salesforce, Way::Open, "{case}: the other platform has a way of its own");
        }
    }

    /// What an event does; with a command to CXone, or without.
    fn effects(is_commanded: bool) -> Effects {
        let command = Command {
            sequence: Sequence(1),
            status: Status::Cxone(CxoneStatus::Available),
            issued: TimeMs::from_unix_ms(T),
            correction: false,
            row: None,
        };
        let decision = Decision {
            reason: Reason::Retried,
            new_intent: false,
            retargeted: false,
            taken_back: false,
            diverged: Both::default(),
            flapping: false,
        };
        let commands = Both { salesforce: None, cxone: is_commanded.then_some(command) };
        Effects { decision, commands, timer: None, gone: false }
    }

    /// An agent whose CXone is to show that he is available, and does or does not.
    fn state(shows_it: bool) -> AgentState {
        let status = if shows_it { CxoneStatus::Available } else { CxoneStatus::Unavailable };
        let shown =
            Shown { status, since_raw: TimeMs::ZERO, offset: crate::engine::Offset::ZERO, ours: false };
        let target = Some(CxoneStatus::Available);
        let cxone = RememberedSide { shown: Some(shown), reachable: true, caught_up: false, target };
        AgentState::recalled(&Remembered { cxone, ..Remembered::default() }, None)
    }

    #[test]
    fn a_choice_that_is_no_more_is_not_measured() {
        type Change = fn(&mut Decision);
        let chosen: Change = |decision| decision.new_intent = true;
        let cases: [(&str, Option<Change>, &[i64]); 5] = [
            ("nothing else comes", None, &[1_900]),
            ("another choice", Some(chosen), &[900]),
            ("another target", Some(|decision| decision.retargeted = true), &[]),
            ("an Offline is taken back", Some(|decision| decision.taken_back = true), &[]),
            ("a repeated report", Some(|_| ()), &[1_900]),
        ];
        for (case, change, expected) in cases {
            let (mut syncs, mut tally) = (Syncs::default(), Tally::default());
            let at = |ms| (Place::FIRST, TimeMs::from_unix_ms(T + ms));
            let mut first = effects(true);
            first.decision.new_intent = true;
            syncs.note(at(0), &first, Some(&state(false)), &mut tally);
            if let Some(change) = change {
                let mut second = effects(true);
                change(&mut second.decision);
                syncs.note(at(1_000), &second, Some(&state(false)), &mut tally);
            }
            syncs.note(at(1_900), &effects(false), Some(&state(true)), &mut tally);
            let found: Vec<i64> = tally.synced.cxone.iter().map(|took| took.as_ms()).collect();
            assert_eq!(found, expected, "{case}");
            assert!(tally.synced.salesforce.is_empty() && syncs.open.is_empty(), "{case}");
        }
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let (mut syncs, mut tally) = (Syncs::default(), Tally::default());
        let mut chosen = effects(true);
        chosen.decision.new_intent = true;
        syncs.note((Place::FIRST, TimeMs::from_unix_ms(T)), &chosen, Some(&state(false)), &mut tally);
        assert_eq!(syncs.open.len(), 1);
        let gone = Effects { gone: true, ..effects(false) };
        syncs.note((Place::FIRST, TimeMs::from_unix_ms(T)), &gone, None, &mut tally);
        assert!(syncs.open.is_empty() && tally == Tally::default());
    }
}
