//! The records of the loop and what it knows of an agent, little endian. Sizes are what these take when encoded compactly;
//! about half of an event is as hard to compress as ids and times are.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub(crate) const KEY: usize = 15;
pub(crate) const EVENT: usize = 120;
pub(crate) const STATE: usize = 100;
pub(crate) const DECISION: usize = 150;
pub(crate) const COMMAND: usize = 100;

/// An event: its agent, its number and its time in microseconds, 8 bytes each; the platform, 0 or 1, and the status there;
/// a session's id; other fields.
const PLATFORM: usize = 24;
const SESSION: usize = 32;
const OTHERS: usize = 64;

/// Folds the halves of a product together: well spread, and cheap enough for a hash of every event.
fn scatter(n: u64) -> u64 {
    let product = u128::from(n ^ 0x9E37_79B9_7F4A_7C15) * u128::from(0xD6E8_FEB8_6659_FD93_u64);
    (product as u64) ^ (product >> 64) as u64
}

#[derive(Default)]
pub(crate) struct Scatter(u64);

impl Hasher for Scatter {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = scatter(self.0 ^ n);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

pub(crate) type ByAgent<T> = HashMap<u64, T, BuildHasherDefault<Scatter>>;

/// The `n`th number of 8 bytes each. An event and a state begin with their agent, which a state's count of events follows.
pub(crate) fn number(bytes: &[u8], n: usize) -> u64 {
    bytes[8 * n..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

fn put_numbers(bytes: &mut [u8], at: usize, numbers: &[u64]) {
    for (n, into) in numbers.iter().zip(bytes[at..].chunks_exact_mut(8)) {
        into.copy_from_slice(&n.to_le_bytes());
    }
}

/// Whose the `n`th event of a log is: any agent's, as likely as another's.
pub(crate) fn agent_of(n: u64, agents: u64) -> u64 {
    scatter(n) % agents
}

pub(crate) fn write_event(agent: u64, n: u64, time_us: u64, event: &mut [u8]) {
    let chance = scatter(!n);
    put_numbers(event, 0, &[agent, n, time_us]);
    put(event, PLATFORM, &[(chance & 1) as u8, (chance >> 8 & 7) as u8]);
    put(event, SESSION, format!("{chance:016x}/omni-channel/01").as_bytes());
    put(event, OTHERS, b"what the platform says beside its status");
    put_numbers(event, 104, &[chance.rotate_left(23)]);
}

/// Of half of all events comes a command. The event alone decides, so that the log tells how many there must be.
pub(crate) fn is_commanded(event: &[u8]) -> bool {
    (number(event, 0) ^ number(event, 1)) & 1 == 0
}

#[derive(Default)]
pub(crate) struct Agent {
    events: u64,
    last: u64,
    since_us: u64,
    late: u64,
    commands: u64,
    status: [u8; 2],
    wanted: [u8; 2],
}

impl Agent {
    pub(crate) fn learn(&mut self, event: &[u8]) {
        let (n, time_us) = (number(event, 1), number(event, 2));
        let here = usize::from(event[PLATFORM] & 1);
        let status = event[PLATFORM + 1];
        self.events += 1;
        self.commands += u64::from(is_commanded(event));
        if n <= self.last {
            self.late += 1;
            return;
        }
        self.last = n;
        if self.status[here] != status {
            (self.status[here], self.since_us) = (status, time_us);
        }
        self.wanted[1 - here] = status;
    }

    pub(crate) fn write_state(&self, event: &[u8], state: &mut [u8]) {
        let agent = number(event, 0);
        put_numbers(state, 0, &[agent, self.events, self.last, self.since_us, self.late, self.commands]);
        put(state, 48, &self.status);
        put(state, 50, &self.wanted);
        put(state, 52, b"a command that is awaited: its id and since when");
    }

    pub(crate) fn write_decision(&self, event: &[u8], decision: &mut [u8]) {
        put(decision, 0, &event[..OTHERS]);
        put_numbers(decision, OTHERS, &[self.events, self.since_us]);
        put(decision, 80, &self.status);
        put(decision, 82, &self.wanted);
        put(decision, 84, b"the rule, and why it applies");
    }

    pub(crate) fn write_command(&self, event: &[u8], command: &mut [u8]) {
        put(command, 0, &event[..PLATFORM]);
        put_numbers(command, PLATFORM, &[self.events]);
        put(command, 32, &self.wanted);
        put(command, 36, &event[SESSION..OTHERS]);
        put(command, 68, b"set the status, once");
    }
}
