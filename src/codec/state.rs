//! States: what is in `presence.state`.

use std::borrow::Cow;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;

use super::bytes::{Input, Malformed, Output, put_long};
use super::scalar::AfterMs;
use super::schema::RecordSchema;
use super::shared::by_parts;
use super::wire::{ByHand, BySerde, Few, Record, fields, items_to_serde, put_items};
use crate::domain::{Both, CxoneStatus, Link, RowId, SalesforceStatus, Status, TeamId, TimeMs};
use crate::engine::{
    AgentState, Armed, Contact, EarlyClose, Entry, Epoch, Generation, GivenUp, Intent, Observed,
    PendingClose, ROWS_KEPT, Remembered, RememberedSide, Replaced, Sequence, Shown, Verdict, Waiting,
};

/// What is known of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State<'s> {
    /// Who he is on both platforms.
    pub link: Link,
    /// His team in CXone, where it is known.
    pub team: Option<TeamId>,
    /// The activation whose rules were in force when this was written; 0 where none was.
    pub epoch: Epoch,
    /// What the engine remembers. What was read has no table of rules yet: [`AgentState::assign`].
    pub agent: Cow<'s, AgentState>,
}

fields!(['b] Intent as "Intent" {
    status => "status", since => "since", offset => "offset_ms", floor => "floor", at_login => "at_login",
});
fields!(['b] Shown<SalesforceStatus> as "SalesforceShown" {
    status => "status", since_raw => "since_raw", offset => "offset_ms", ours => "ours",
});
fields!(['b] Shown<CxoneStatus> as "CxoneShown" {
    status => "status", since_raw => "since_raw", offset => "offset_ms", ours => "ours",
});
fields!(['b] RememberedSide<SalesforceStatus> as "SalesforceSide" {
    shown => "shown", reachable => "reachable", caught_up => "caught_up", target => "target",
});
fields!(['b] RememberedSide<CxoneStatus> as "CxoneSide" {
    shown => "shown", reachable => "reachable", caught_up => "caught_up", target => "target",
});
fields!(['b] Armed as "Armed" { at => "at", cause => "cause" });
fields!(['b] Contact as "Contact" { status => "status", since => "since", before => "before" });
fields!(['b] PendingClose as "PendingClose" { at_raw => "at_raw", offset => "offset_ms", due => "due" });
fields!(['b] EarlyClose as "EarlyClose" { row => "row_id", at_raw => "at_raw", offset => "offset_ms" });
fields!(['b] Observed as "Observed" {
    status => "status", since_raw => "since_raw", offset => "offset_ms", row => "row_id", ours => "ours",
});
fields!(['b] Both<bool> as "CaughtUp" { salesforce => "salesforce", cxone => "cxone" });

/// What was replaced, as its record has it.
struct ReplacedParts {
    close_raw: TimeMs,
    observed: Option<Observed>,
    reachable: bool,
    intent: Option<ReplacedIntent>,
}

struct ReplacedIntent {
    intent: Option<Intent>,
    caught_up: Both<bool>,
}

fields!(['b] ReplacedParts as "Replaced" {
    close_raw => "close_raw", observed => "observed", reachable => "reachable", intent => "intent",
});
fields!(['b] ReplacedIntent as "ReplacedIntent" { intent => "intent", caught_up => "caught_up" });

impl ReplacedParts {
    fn of(replaced: Replaced) -> Self {
        let Replaced { close_raw, observed, reachable, intent } = replaced;
        let intent = intent.map(|(intent, caught_up)| ReplacedIntent { intent, caught_up });
        ReplacedParts { close_raw, observed, reachable, intent }
    }

    fn whole(self) -> Result<Replaced, Malformed> {
        let ReplacedParts { close_raw, observed, reachable, intent } = self;
        let intent = intent.map(|ReplacedIntent { intent, caught_up }| (intent, caught_up));
        if observed.is_some_and(|observed| observed.status.salesforce().is_none()) {
            return Err(Malformed::Value(
                "what a closed row of Salesforce replaced is no status of Salesforce",
            ));
        }
        Ok(Replaced { close_raw, observed, reachable, intent })
    }
}

/// What a platform has yet to do, as its record has it.
struct WaitingParts {
    outstanding: Sequence,
    up_at: TimeMs,
    lapsed: u8,
    owes_correction: bool,
    diverged: Option<GivenUp>,
}

fields!(['b] WaitingParts as "Waiting" {
    outstanding => "outstanding", up_at => "up_at", lapsed => "lapsed", owes_correction => "owes_correction",
    diverged => "diverged",
});

impl WaitingParts {
    const fn of(waiting: Waiting) -> Self {
        let Waiting { outstanding, up_at, lapsed, owes_correction, diverged } = waiting;
        WaitingParts { outstanding, up_at, lapsed, owes_correction, diverged }
    }

    fn whole(self) -> Result<Waiting, Malformed> {
        let WaitingParts { outstanding, up_at, lapsed, owes_correction, diverged } = self;
        Ok(Waiting { outstanding, up_at, lapsed, owes_correction, diverged })
    }
}

/// A command that was issued, as its record has it.
struct EntryParts {
    sequence: Sequence,
    status: Status,
    issued: TimeMs,
    intents_since: u8,
    verdict: Option<Verdict>,
    answered_after: AfterMs,
    settled_after: Option<AfterMs>,
    matched_after: Option<AfterMs>,
}

fields!(['b] EntryParts as "IssuedCommand" {
    sequence => "sequence", status => "status", issued => "issued_at", intents_since => "intents_since",
    verdict => "verdict", answered_after => "answered_after_ms", settled_after => "settled_after_ms",
    matched_after => "matched_after_ms",
});

impl AfterMs {
    const fn of(after: i32) -> Option<AfterMs> {
        if after == Entry::NEVER { None } else { Some(AfterMs(after)) }
    }
}

impl EntryParts {
    const fn of(entry: Entry) -> Self {
        let Entry { sequence, status, issued, intents_since, verdict, .. } = entry;
        EntryParts {
            sequence,
            status,
            issued,
            intents_since,
            verdict,
            answered_after: AfterMs(entry.answered_after),
            settled_after: AfterMs::of(entry.settled_after),
            matched_after: AfterMs::of(entry.matched_after),
        }
    }

    fn whole(self) -> Result<Entry, Malformed> {
        let EntryParts { sequence, status, issued, intents_since, verdict, .. } = self;
        Ok(Entry {
            sequence,
            status,
            issued,
            intents_since,
            verdict,
            answered_after: self.answered_after.0,
            settled_after: self.settled_after.map_or(Entry::NEVER, |after| after.0),
            matched_after: self.matched_after.map_or(Entry::NEVER, |after| after.0),
        })
    }
}

by_parts! {
    ['b] Replaced as ReplacedParts;
    ['b] Waiting as WaitingParts;
    ['b] Entry as EntryParts;
}

/// The last rows that were taken, the newest first: a text for each there is.
struct Rows([Option<RowId>; ROWS_KEPT]);

impl Rows {
    fn of(rows: Vec<RowId>) -> Result<Self, Malformed> {
        let mut kept = [None; ROWS_KEPT];
        if rows.len() > kept.len() {
            return Err(Malformed::Length);
        }
        for (slot, row) in kept.iter_mut().zip(rows) {
            *slot = Some(row);
        }
        Ok(Rows(kept))
    }
}

impl<'b> ByHand<'b> for Rows {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        let rows = self.0.iter().flatten();
        let count = rows.clone().count();
        if count > 0 {
            put_long(count as i64, out);
            rows.for_each(|row| row.put(out));
        }
        out.byte(0);
    }

    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        let mut kept = [None; ROWS_KEPT];
        let mut slots = kept.iter_mut();
        input.items(ROWS_KEPT, |input| {
            *slots.next().ok_or(Malformed::Length)? = Some(RowId::take(input)?);
            Ok(())
        })?;
        Ok(Rows(kept))
    }
}

impl BySerde for Rows {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows: Vec<RowId> = self.0.iter().flatten().copied().collect();
        items_to_serde(&rows, serializer)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Rows::of(BySerde::from_serde(deserializer)?).map_err(D::Error::custom)
    }
}

/// What the engine remembers, as its record has it.
struct Kept<'s> {
    intent: Option<Intent>,
    salesforce: RememberedSide<SalesforceStatus>,
    cxone: RememberedSide<CxoneStatus>,
    previous: Option<CxoneStatus>,
    observed_row: Option<RowId>,
    rows: Rows,
    connection_epoch: Option<Epoch>,
    generation: Generation,
    issued: Sequence,
    busy: Option<Busy<'s>>,
}

/// What is remembered only while something is going on, as its record has it.
struct Busy<'s> {
    commands: Few<'s, Entry, { Remembered::COMMANDS_MAX }>,
    command_times: Few<'s, TimeMs, { Remembered::TIMES_MAX }>,
    cool_down_until: Option<TimeMs>,
    doublings: u8,
    waiting_salesforce: Waiting,
    waiting_cxone: Waiting,
    armed: Option<Armed>,
    contact: Option<Contact>,
    pending_close: Option<PendingClose>,
    early_close: Option<EarlyClose>,
    replaced: Option<Replaced>,
}

fields!(['s] Kept<'s> as "Kept" {
    intent => "intent", salesforce => "salesforce", cxone => "cxone", previous => "previous",
    observed_row => "observed_row", rows => "rows", connection_epoch => "connection_epoch",
    generation => "generation", issued => "issued", busy => "busy",
});
fields!(['s] Busy<'s> as "Busy" {
    commands => "commands", command_times => "command_times", cool_down_until => "cool_down_until",
    doublings => "doublings", waiting_salesforce => "waiting_salesforce", waiting_cxone => "waiting_cxone",
    armed => "armed", contact => "contact", pending_close => "pending_close", early_close => "early_close",
    replaced => "replaced",
});

impl<'s> Kept<'s> {
    fn of(agent: &'s AgentState) -> Self {
        let remembered = agent.remembered();
        let busy = (!agent.is_at_rest()).then_some(Busy {
            commands: Few(Cow::Borrowed(remembered.commands)),
            command_times: Few(Cow::Borrowed(remembered.command_times)),
            cool_down_until: remembered.cool_down_until,
            doublings: remembered.doublings,
            waiting_salesforce: remembered.waiting.salesforce,
            waiting_cxone: remembered.waiting.cxone,
            armed: remembered.armed,
            contact: remembered.contact,
            pending_close: remembered.pending_close,
            early_close: remembered.early_close,
            replaced: remembered.replaced,
        });
        Kept {
            intent: remembered.intent,
            salesforce: remembered.salesforce,
            cxone: remembered.cxone,
            previous: remembered.previous,
            observed_row: remembered.observed_row,
            rows: Rows(remembered.rows),
            connection_epoch: remembered.epoch,
            generation: remembered.generation,
            issued: remembered.issued,
            busy,
        }
    }

    fn whole(self) -> AgentState {
        let mut remembered = Remembered {
            intent: self.intent,
            salesforce: self.salesforce,
            cxone: self.cxone,
            previous: self.previous,
            observed_row: self.observed_row,
            rows: self.rows.0,
            epoch: self.connection_epoch,
            generation: self.generation,
            issued: self.issued,
            ..Remembered::default()
        };
        if let Some(busy) = &self.busy {
            remembered.commands = &busy.commands.0;
            remembered.command_times = &busy.command_times.0;
            remembered.cool_down_until = busy.cool_down_until;
            remembered.doublings = busy.doublings;
            remembered.waiting = Both { salesforce: busy.waiting_salesforce, cxone: busy.waiting_cxone };
            remembered.armed = busy.armed;
            remembered.contact = busy.contact;
            remembered.pending_close = busy.pending_close;
            remembered.early_close = busy.early_close;
            remembered.replaced = busy.replaced;
        }
        AgentState::recalled(&remembered, None)
    }
}

/// What [`Kept::put`] writes, without making one first.
#[inline]
fn put_kept(agent: &AgentState, out: &mut Output<'_>) {
    let remembered = agent.remembered();
    remembered.intent.put(out);
    remembered.salesforce.put(out);
    remembered.cxone.put(out);
    remembered.previous.put(out);
    remembered.observed_row.put(out);
    Rows(remembered.rows).put(out);
    remembered.epoch.put(out);
    remembered.generation.put(out);
    remembered.issued.put(out);
    if agent.is_at_rest() {
        return out.byte(0);
    }
    out.byte(2);
    put_items(remembered.commands, out);
    put_items(remembered.command_times, out);
    remembered.cool_down_until.put(out);
    remembered.doublings.put(out);
    remembered.waiting.salesforce.put(out);
    remembered.waiting.cxone.put(out);
    remembered.armed.put(out);
    remembered.contact.put(out);
    remembered.pending_close.put(out);
    remembered.early_close.put(out);
    remembered.replaced.put(out);
}

/// A state as its record has it.
struct Flat<'s> {
    link: Link,
    team: Option<TeamId>,
    epoch: Epoch,
    kept: Kept<'s>,
}

fields!(['s] Flat<'s> as "State" { link => "link", team => "team_id", epoch => "epoch", kept => "kept" });

impl Flat<'_> {
    fn whole(self) -> State<'static> {
        let Flat { link, team, epoch, kept } = self;
        State { link, team, epoch, agent: Cow::Owned(kept.whole()) }
    }
}

impl<'b> ByHand<'b> for State<'_> {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        self.link.put(out);
        self.team.put(out);
        self.epoch.put(out);
        put_kept(&self.agent, out);
    }

    #[inline]
    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        Ok(State {
            link: ByHand::take(input)?,
            team: ByHand::take(input)?,
            epoch: ByHand::take(input)?,
            agent: Cow::Owned(Kept::take(input)?.whole()),
        })
    }
}

impl<'b> Record<'b> for State<'_> {
    const SCHEMA: RecordSchema = RecordSchema::State;
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flat = Flat { link: self.link, team: self.team, epoch: self.epoch, kept: Kept::of(&self.agent) };
        flat.to_serde(serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<Self, Malformed>, D::Error> {
        Ok(Ok(Flat::from_serde(deserializer)?.whole()))
    }
}
