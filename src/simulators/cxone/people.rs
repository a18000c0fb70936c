//! Agents who behave: shifts, breaks, contacts with after-call work, refusals, log-outs. What each does follows from the seed and
//! his number, whatever the others do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::settings::Settings;
use super::tenant::{Shown, Tenant};
use super::world::AGENT_FIRST;
use crate::domain::{DurationMs, TimeMs};

/// Codes that people choose, and that every team has.
const CHOSEN: [i32; 4] = [1_001, 1_017, 1_018, 1_019];
/// The code of after-call work.
const WRAP_UP: i32 = 1_020;
/// The reserved out-state of who refused a contact.
const REFUSED: i32 = -1;

/// All who behave.
pub(super) struct People {
    seed: u64,
    /// Whose turn it is next, and how often he has had one.
    turns: BinaryHeap<Reverse<(TimeMs, u32, u64)>>,
}

impl People {
    pub(super) fn new(settings: &Settings, now: TimeMs) -> People {
        let mut people = People { seed: settings.seed, turns: BinaryHeap::new() };
        if settings.behaves {
            for number in 0..settings.agents {
                let id = AGENT_FIRST + number;
                // A shift begins within a minute.
                let at = now + DurationMs::from_ms((people.random(id, 0) % 60_000) as i64);
                people.turns.push(Reverse((at, id, 1)));
            }
        }
        people
    }

    /// A number of an agent's own for each of his turns (splitmix64).
    const fn random(&self, id: u32, turn: u64) -> u64 {
        let mut mixed = self.seed ^ ((id as u64) << 32) ^ turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Everybody whose turn has come does something.
    pub(super) fn go_on(&mut self, tenant: &mut Tenant, now: TimeMs) {
        while let Some(Reverse((at, id, turn))) = self.turns.peek().copied().filter(|next| next.0.0 <= now) {
            self.turns.pop();
            let random = self.random(id, turn);
            let wait = act(tenant, id, random, at);
            self.turns.push(Reverse((at + wait, id, turn + 1)));
        }
    }
}

/// One does what one in his place would do. Tells how long it is until he does something again.
fn act(tenant: &mut Tenant, id: u32, random: u64, now: TimeMs) -> DurationMs {
    let Some(shown) = tenant.agents.get(&id).map(|agent| agent.shown) else {
        return DurationMs::from_seconds(3_600);
    };
    let between = |least: i64, most: i64| {
        DurationMs::from_seconds(least + ((random >> 16) % (most - least + 1) as u64) as i64)
    };
    let code = CHOSEN.get((random >> 8) as usize % CHOSEN.len()).copied().unwrap_or(WRAP_UP);
    let (next, wait) = match (shown.state, random % 100) {
        (0, _) => (Shown::UNAVAILABLE, between(2, 20)),
        // A contact ends, most of them with after-call work.
        (3..=7, 0..60) => (Shown { state: 2, out_state: Some(WRAP_UP), is_acw: true }, between(5, 40)),
        _ if shown.is_contact() || (3..=7).contains(&shown.state) => {
            tenant.end_contact(id, now);
            return between(5, 90);
        }
        (1, 0..55) => (Shown::state(3), between(20, 240)),
        (1, 55..65) => (Shown::state(4), between(20, 240)),
        (1, 65..70) => (Shown { state: 2, out_state: Some(REFUSED), is_acw: false }, between(2, 10)),
        (1, 70..97) => (Shown::code(code), between(60, 900)),
        (1, _) => (Shown::LOGGED_OUT, between(300, 1_800)),
        (_, 0..85) => (Shown::AVAILABLE, between(10, 120)),
        (_, 85..97) => (Shown::code(code), between(60, 900)),
        _ => (Shown::LOGGED_OUT, between(300, 1_800)),
    };
    tenant.put(id, next, now);
    wait
}

#[cfg(test)]
mod tests {
    use super::super::world::World;
    use super::*;

    /// Statuses of a day, however often somebody looks.
    fn day(seed: u64, every: i64) -> Vec<Shown> {
        let settings = Settings { agents: 40, seed, behaves: true, ..Settings::default() };
        let begun = TimeMs::from_unix_ms(1_767_607_200_000);
        let mut world = World::new(settings, begun);
        for second in (0..=7_200).step_by(every as usize) {
            world.go_on(begun + DurationMs::from_seconds(second));
        }
        world.tenant.agents.values().map(|agent| agent.shown).collect()
    }

    #[test]
    fn the_same_seed_is_the_same_day() {
        let one = day(7, 1);
        assert_eq!(one, day(7, 60));
        assert_ne!(one, day(8, 1));
        let states: std::collections::BTreeSet<u8> = one.iter().map(|shown| shown.state).collect();
        assert!(states.len() >= 3, "{states:?}");
    }
}
