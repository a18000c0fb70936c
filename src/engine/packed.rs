//! An agent between two events, in as few bytes as it takes: there may be a hundred thousand of them in a process.
//!
//! An agent at rest shows his intent where he chose it and the targets on both sides, waits for nothing, and has no
//! command under way: all of that is a handful of bits. What is more goes into a box of its own ([`Busy`]), and what
//! is more than unusual into another ([`Rare`]). Nothing is lost: [`AgentState::unpack`] gives what
//! [`AgentState::pack`] took.

use std::num::NonZeroU32;

use crate::domain::{
    Both, ContactState, CxoneStatus, DurationMs, OutStateId, Platform, PresenceStatusId, ReservedOutState,
    RowId, SalesforceId, SalesforceStatus, TimeMs,
};
use crate::rules::Assignment;

use super::flapping::Flapping;
use super::ring::Ring;
use super::state::{
    Contact, EarlyClose, Intent, Observed, PendingClose, ROWS_KEPT, Replaced, Sequence, Side, State,
};
use super::timer::Armed;
use super::{Epoch, Generation, GivenUp, Status};

/// What the engine remembers of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AgentState {
    busy: Option<Box<Busy>>,
    bits: Bits,
    assignment: Option<Assignment>,
    intent_number: u32,
    issued: u32,
    generation: u32,
    salesforce: [u8; 9],
    salesforce_since: TimeMs,
    salesforce_offset: Offset,
    /// The newest row, and how far before it in number the others are.
    row: [u8; 12],
    rows: [[u8; 4]; ROWS_KEPT - 1],
    cxone: [u8; 4],
    cxone_since: TimeMs,
    cxone_offset: Offset,
    intent_floor: TimeMs,
    previous: [u8; 4],
    epoch: [u8; 6],
}

/// What an agent who is not at rest has besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Busy {
    ring: Ring,
    flapping: Flapping,
    pending: Pending,
    rare: Option<Box<Rare>>,
}

/// What is not as it is at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Pending {
    outstanding: Both<Sequence>,
    up_at: Both<TimeMs>,
    lapsed: Both<u8>,
    owes_correction: Both<bool>,
    diverged: Both<Option<GivenUp>>,
    /// Where it is not what its platform shows.
    intent: Option<Intent>,
    targets: Both<Option<Status>>,
    armed: Option<Armed>,
    contact: Option<Contact>,
    close: Option<PendingClose>,
}

/// What hardly anybody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Rare {
    early_close: Option<EarlyClose>,
    replaced: Option<Replaced>,
    /// A clock so far off that its offset does not fit.
    offsets: Both<Option<DurationMs>>,
    /// The observed row, where it is not the newest.
    row: Option<RowId>,
    /// Rows that are far apart.
    rows: Option<[Option<RowId>; ROWS_KEPT]>,
    epoch: Option<Epoch>,
}

/// A clock's offset in 24 bits: up to 2.3 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Offset([u8; 3]);

impl Offset {
    fn new(offset: DurationMs) -> Option<Offset> {
        let number = i32::try_from(offset.as_ms()).ok().filter(|n| (-(1 << 23)..1 << 23).contains(n))?;
        let [_, a, b, c] = number.to_be_bytes();
        Some(Offset([a, b, c]))
    }

    fn get(self) -> DurationMs {
        let Offset([a, b, c]) = self;
        DurationMs::from_ms(i64::from(i32::from_be_bytes([a, b, c, 0]) >> 8))
    }
}

/// Small numbers side by side, read in the order in which they were written. Never zero as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Bits(NonZeroU32);

struct BitWriter {
    bits: u32,
    used: u32,
}

struct BitReader(u32);

impl BitWriter {
    const fn new() -> Self {
        BitWriter { bits: 1, used: 1 }
    }

    const fn put(&mut self, width: u32, number: u32) {
        self.bits |= number << self.used;
        self.used += width;
    }

    const fn flag(&mut self, is_set: bool) {
        self.put(1, is_set as u32);
    }
}

impl BitReader {
    const fn take(&mut self, width: u32) -> u32 {
        let number = self.0 & ((1 << width) - 1);
        self.0 >>= width;
        number
    }

    const fn flag(&mut self) -> bool {
        self.take(1) != 0
    }
}

/// A status of CXone as its kind, from 1, and the number it may carry. 0 is for none.
fn split(status: CxoneStatus) -> (u32, [u8; 4]) {
    let none = [0; 4];
    match status {
        CxoneStatus::LoggedOut => (1, none),
        CxoneStatus::Available => (2, none),
        CxoneStatus::Unavailable => (3, none),
        CxoneStatus::Code(code) => (4, code.get().to_be_bytes()),
        CxoneStatus::Contact(state) => (5, u32::from(state as u8).to_be_bytes()),
        CxoneStatus::AfterCallWork(None) => (6, none),
        CxoneStatus::AfterCallWork(Some(code)) => (7, code.get().to_be_bytes()),
        CxoneStatus::Reserved(state) => (8, state.get().to_be_bytes()),
        CxoneStatus::LoggedIn => (9, none),
    }
}

fn join(kind: u32, number: [u8; 4]) -> Option<CxoneStatus> {
    let code = OutStateId::new(u32::from_be_bytes(number));
    Some(match kind {
        1 => CxoneStatus::LoggedOut,
        2 => CxoneStatus::Available,
        3 => CxoneStatus::Unavailable,
        4 => CxoneStatus::Code(code),
        5 => CxoneStatus::Contact(ContactState::ALL.get(u32::from_be_bytes(number) as usize).copied()?),
        6 => CxoneStatus::AfterCallWork(None),
        7 => CxoneStatus::AfterCallWork(Some(code)),
        8 => CxoneStatus::Reserved(ReservedOutState::new(i32::from_be_bytes(number))?),
        9 => CxoneStatus::LoggedIn,
        _ => return None,
    })
}

/// Where something is kept.
const NONE: u32 = 0;
const FIRST: u32 = 1;
const SECOND: u32 = 2;
const BOXED: u32 = 3;

/// The rows are in the box.
const ROWS_BOXED: u32 = 7;

impl AgentState {
    /// A state to be packed into.
    const fn empty() -> Self {
        AgentState {
            busy: None,
            bits: Bits(NonZeroU32::MIN),
            assignment: None,
            intent_number: 0,
            issued: 0,
            generation: 0,
            salesforce: [0; 9],
            salesforce_since: TimeMs::ZERO,
            salesforce_offset: Offset([0; 3]),
            row: [0; 12],
            rows: [[0; 4]; ROWS_KEPT - 1],
            cxone: [0; 4],
            cxone_since: TimeMs::ZERO,
            cxone_offset: Offset([0; 3]),
            intent_floor: TimeMs::ZERO,
            previous: [0; 4],
            epoch: [0; 6],
        }
    }

    pub(super) fn of(state: State) -> Self {
        let mut packed = AgentState::empty();
        packed.pack(state);
        packed
    }

    /// The bytes it takes in memory, all of it.
    pub fn bytes(&self) -> usize {
        let boxed = self.busy.as_ref().map_or(0, |busy| {
            let rare = busy.rare.as_ref().map_or(0, |_| size_of::<Rare>());
            size_of::<Busy>() + rare + busy.ring.heap_bytes() + busy.flapping.heap_bytes()
        });
        size_of::<Option<Self>>() + boxed
    }

    /// Takes the state out, to be packed again: what is in the boxes is moved, the boxes stay.
    pub(super) fn unpack(&mut self) -> State {
        let (ring, flapping) = self.busy.as_deref_mut().map_or_else(Default::default, |busy| {
            (std::mem::take(&mut busy.ring), std::mem::take(&mut busy.flapping))
        });
        let pending = self.busy.as_deref().map_or_else(Pending::default, |busy| busy.pending);
        let rare = self.busy.as_deref().and_then(|busy| busy.rare.as_deref());
        let mut bits = BitReader(self.bits.0.get() >> 1);
        let observed = Both {
            salesforce: self.unpack_salesforce(&mut bits, rare),
            cxone: self.unpack_cxone(&mut bits, rare),
        };
        let at_login = bits.flag();
        let intent = match bits.take(2) {
            NONE => None,
            BOXED => pending.intent,
            place => observed.of(platform(place)).map(|observed| Intent {
                status: observed.status,
                since: observed.since(),
                offset: observed.offset,
                floor: self.intent_floor,
                at_login,
            }),
        };
        let sides = Both {
            salesforce: unpack_side(Platform::Salesforce, &mut bits, &observed, &pending),
            cxone: unpack_side(Platform::Cxone, &mut bits, &observed, &pending),
        };
        let previous = join(bits.take(3), self.previous);
        let rows = match bits.take(3) {
            ROWS_BOXED => rare.and_then(|rare| rare.rows).unwrap_or_default(),
            count => self.unpack_rows(count as usize),
        };
        let [a, b, c, d, e, f] = self.epoch;
        let epoch = match bits.take(2) {
            NONE => None,
            BOXED => rare.and_then(|rare| rare.epoch),
            _ => Some(Epoch(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))),
        };
        State {
            assignment: self.assignment,
            intent,
            intent_number: self.intent_number,
            sides,
            ring,
            rows,
            contact: pending.contact,
            previous,
            pending_close: pending.close,
            early_close: rare.and_then(|rare| rare.early_close),
            replaced: rare.and_then(|rare| rare.replaced),
            epoch,
            flapping,
            armed: pending.armed,
            generation: Generation(self.generation),
            issued: Sequence(self.issued),
        }
    }

    fn unpack_salesforce(&self, bits: &mut BitReader, rare: Option<&Rare>) -> Option<Observed> {
        let (kind, ours, row) = (bits.take(2), bits.flag(), bits.take(2));
        let status = match kind {
            NONE => return None,
            FIRST => SalesforceStatus::Offline,
            _ => SalesforceStatus::Presence(PresenceStatusId::from_bytes(self.salesforce)),
        };
        let row = match row {
            NONE => None,
            FIRST => Some(RowId::new(SalesforceId::from_bytes(self.row))),
            _ => rare.and_then(|rare| rare.row),
        };
        let offset = rare.and_then(|rare| rare.offsets.salesforce);
        let offset = offset.unwrap_or_else(|| self.salesforce_offset.get());
        let (status, since_raw) = (Status::Salesforce(status), self.salesforce_since);
        Some(Observed { status, since_raw, offset, row, ours })
    }

    fn unpack_cxone(&self, bits: &mut BitReader, rare: Option<&Rare>) -> Option<Observed> {
        let (kind, ours) = (bits.take(4), bits.flag());
        let status = Status::Cxone(join(kind, self.cxone)?);
        let offset = rare.and_then(|rare| rare.offsets.cxone).unwrap_or_else(|| self.cxone_offset.get());
        Some(Observed { status, since_raw: self.cxone_since, offset, row: None, ours })
    }

    fn unpack_rows(&self, count: usize) -> [Option<RowId>; ROWS_KEPT] {
        let newest = SalesforceId::from_bytes(self.row);
        let mut rows = [None; ROWS_KEPT];
        let before = self.rows.iter().map(|apart| {
            let apart = i128::from(i32::from_be_bytes(*apart));
            SalesforceId::from_number(newest.number().wrapping_sub(apart as u128))
        });
        for (slot, row) in rows.iter_mut().zip(std::iter::once(newest).chain(before)).take(count) {
            *slot = Some(RowId::new(row));
        }
        rows
    }

    /// Puts a state away. The boxes that there are are used again, or given back.
    pub(super) fn pack(&mut self, state: State) {
        let mut bits = BitWriter::new();
        let mut rare = Rare { early_close: state.early_close, replaced: state.replaced, ..Rare::default() };
        let mut pending = Pending {
            armed: state.armed,
            contact: state.contact,
            close: state.pending_close,
            ..Pending::default()
        };
        self.pack_salesforce(&mut bits, &mut rare, &state);
        self.pack_cxone(&mut bits, &mut rare, &state);
        self.pack_intent(&mut bits, &mut pending, &state);
        pack_side(Platform::Salesforce, &mut bits, &mut pending, &state);
        pack_side(Platform::Cxone, &mut bits, &mut pending, &state);
        let (kind, number) = state.previous.map_or((NONE, [0; 4]), split);
        bits.put(3, kind);
        self.previous = number;
        self.pack_rows(&mut bits, &mut rare, &state);
        let epoch = state.epoch.map_or(0, |epoch| epoch.0);
        let [high @ .., a, b, c, d, e, f] = epoch.to_be_bytes();
        let fits = high == [0, 0];
        bits.put(
            2,
            if state.epoch.is_none() {
                NONE
            } else if fits {
                FIRST
            } else {
                BOXED
            },
        );
        self.epoch = if fits { [a, b, c, d, e, f] } else { [0; 6] };
        rare.epoch = state.epoch.filter(|_| !fits);
        self.bits = Bits(NonZeroU32::new(bits.bits).unwrap_or(NonZeroU32::MIN));
        self.assignment = state.assignment;
        self.intent_number = state.intent_number;
        self.generation = state.generation.0;
        self.issued = state.issued.0;
        self.pack_boxes(pending, rare, state.ring, state.flapping);
    }

    fn pack_salesforce(&mut self, bits: &mut BitWriter, rare: &mut Rare, state: &State) {
        let observed = state.sides.salesforce.observed;
        let (kind, id) = match observed.map(|observed| observed.status) {
            Some(Status::Salesforce(SalesforceStatus::Presence(id))) => (SECOND, id.into_bytes()),
            Some(Status::Salesforce(SalesforceStatus::Offline)) => (FIRST, [0; 9]),
            _ => (NONE, [0; 9]),
        };
        let row = observed.and_then(|observed| observed.row);
        let [newest, ..] = state.rows;
        bits.put(2, kind);
        bits.flag(observed.is_some_and(|observed| observed.ours));
        bits.put(
            2,
            if row.is_none() {
                NONE
            } else if row == newest {
                FIRST
            } else {
                BOXED
            },
        );
        rare.row = row.filter(|_| row != newest);
        let offset = observed.map_or(DurationMs::ZERO, |observed| observed.offset);
        rare.offsets.salesforce = Offset::new(offset).is_none().then_some(offset);
        self.salesforce = id;
        self.salesforce_since = observed.map_or(TimeMs::ZERO, |observed| observed.since_raw);
        self.salesforce_offset = Offset::new(offset).unwrap_or_default();
    }

    fn pack_cxone(&mut self, bits: &mut BitWriter, rare: &mut Rare, state: &State) {
        let observed = state.sides.cxone.observed;
        let (kind, number) = match observed.map(|observed| observed.status) {
            Some(Status::Cxone(status)) => split(status),
            _ => (NONE, [0; 4]),
        };
        bits.put(4, kind);
        bits.flag(observed.is_some_and(|observed| observed.ours));
        let offset = observed.map_or(DurationMs::ZERO, |observed| observed.offset);
        rare.offsets.cxone = Offset::new(offset).is_none().then_some(offset);
        self.cxone = number;
        self.cxone_since = observed.map_or(TimeMs::ZERO, |observed| observed.since_raw);
        self.cxone_offset = Offset::new(offset).unwrap_or_default();
    }

    fn pack_intent(&mut self, bits: &mut BitWriter, pending: &mut Pending, state: &State) {
        let is_observed = |intent: &Intent| {
            state.side(intent.platform()).observed.is_some_and(|observed| {
                (observed.status, observed.since(), observed.offset)
                    == (intent.status, intent.since, intent.offset)
            })
        };
        let place = match state.intent {
            None => NONE,
            Some(intent) if !is_observed(&intent) => BOXED,
            Some(intent) if intent.platform() == Platform::Salesforce => FIRST,
            Some(_) => SECOND,
        };
        let kept = state.intent.filter(|_| place != BOXED);
        bits.flag(kept.is_some_and(|intent| intent.at_login));
        bits.put(2, place);
        self.intent_floor = kept.map_or(TimeMs::ZERO, |intent| intent.floor);
        pending.intent = state.intent.filter(|_| place == BOXED);
    }

    fn pack_rows(&mut self, bits: &mut BitWriter, rare: &mut Rare, state: &State) {
        let [newest, ..] = state.rows;
        self.row = newest.map_or([0; 12], |row| row.id().into_bytes());
        self.rows = [[0; 4]; ROWS_KEPT - 1];
        let newest = newest.map_or(0, |row| row.id().number());
        let mut count = u32::from(state.rows.first().is_some_and(Option::is_some));
        for (slot, row) in self.rows.iter_mut().zip(state.rows.iter().skip(1).map_while(|row| *row)) {
            let apart = newest.wrapping_sub(row.id().number()) as i128;
            let Ok(apart) = i32::try_from(apart) else {
                rare.rows = Some(state.rows);
                return bits.put(3, ROWS_BOXED);
            };
            *slot = apart.to_be_bytes();
            count += 1;
        }
        bits.put(3, count);
    }

    fn pack_boxes(&mut self, pending: Pending, rare: Rare, ring: Ring, flapping: Flapping) {
        let is_rare = rare != Rare::default();
        if !is_rare && ring.is_empty() && pending == Pending::default() && flapping == Flapping::default() {
            self.busy = None;
            return;
        }
        let busy = self.busy.get_or_insert_default();
        busy.ring = ring;
        busy.flapping = flapping;
        busy.pending = pending;
        match &mut busy.rare {
            _ if !is_rare => busy.rare = None,
            Some(place) => **place = rare,
            none => *none = Some(Box::new(rare)),
        }
    }
}

const fn platform(place: u32) -> Platform {
    if place == FIRST { Platform::Salesforce } else { Platform::Cxone }
}

fn unpack_side(
    platform: Platform,
    bits: &mut BitReader,
    observed: &Both<Option<Observed>>,
    pending: &Pending,
) -> Side {
    let observed = *observed.of(platform);
    Side {
        observed,
        outstanding: Some(*pending.outstanding.of(platform)).filter(|sequence| sequence.0 != 0),
        reachable: bits.flag(),
        up_at: *pending.up_at.of(platform),
        caught_up: bits.flag(),
        lapsed: *pending.lapsed.of(platform),
        owes_correction: *pending.owes_correction.of(platform),
        diverged: *pending.diverged.of(platform),
        target: match bits.take(2) {
            NONE => None,
            FIRST => observed.map(|observed| observed.status),
            _ => *pending.targets.of(platform),
        },
    }
}

fn pack_side(platform: Platform, bits: &mut BitWriter, pending: &mut Pending, state: &State) {
    let side = state.side(platform);
    *pending.outstanding.of_mut(platform) = side.outstanding.unwrap_or_default();
    *pending.up_at.of_mut(platform) = side.up_at;
    *pending.lapsed.of_mut(platform) = side.lapsed;
    *pending.owes_correction.of_mut(platform) = side.owes_correction;
    *pending.diverged.of_mut(platform) = side.diverged;
    let is_shown = side.target == side.observed.map(|observed| observed.status);
    *pending.targets.of_mut(platform) = side.target.filter(|_| !is_shown);
    bits.flag(side.reachable);
    bits.flag(side.caught_up);
    bits.put(
        2,
        if side.target.is_none() {
            NONE
        } else if is_shown {
            FIRST
        } else {
            BOXED
        },
    );
}
