//! Whatever comes in, the engine decides it, and the state keeps what it was given.

use crate::domain::{Cause, CxoneStatus, DurationMs, OutStateId, Platform, RowId, SalesforceStatus, TimeMs};
use crate::engine::kept::{Observed, Offset, ROWS_KEPT};
use crate::engine::*;
use crate::rules::Tables;

use super::script;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 5
    }

    fn one_in(&mut self, number: u64) -> bool {
        self.number().is_multiple_of(number)
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.number() as usize % all.len()].clone()
    }
}

fn row(text: &str) -> RowId {
    text.parse().unwrap()
}

/// Near to one another, far apart, and at the ends.
fn row_ids() -> Vec<RowId> {
    let near = (0..8).map(|n| format!("0Ps5g00000AAAA{n}"));
    let far = ["0Ps5g00000AAzzz", "0Ps5g0000AAAAAA", "0Ps5h00000AAAAA", "000000000000000", "zzzzzzzzzzzzzzz"];
    near.chain(far.map(str::to_owned)).map(|text| row(&text)).collect()
}

#[test]
fn rows_are_kept_whatever_their_ids() {
    let ids = row_ids();
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let mut state = AgentState::new(None);
        let (mut rows, mut observed): (Vec<RowId>, Option<RowId>) = (Vec::new(), None);
        for step in 0..30 {
            let id = random.pick(&ids);
            let taken = if random.one_in(3) {
                state.take_row(Some(id));
                Some(id)
            } else {
                observed = Some(id).filter(|_| !random.one_in(4));
                state.take(Observed {
                    status: Status::Salesforce(SalesforceStatus::Offline),
                    since_raw: TimeMs::ZERO,
                    offset: Offset::default(),
                    row: observed,
                    ours: false,
                });
                observed
            };
            if let Some(id) = taken.filter(|id| !rows.contains(id)) {
                rows.insert(0, id);
                rows.truncate(ROWS_KEPT);
            }
            let kept: Vec<RowId> = state.rows().into_iter().flatten().collect();
            assert_eq!(kept, rows, "seed {seed}, step {step}");
            assert_eq!(state.observed_row(), observed, "seed {seed}, step {step}");
            for id in &ids {
                assert_eq!(state.has_row(*id), rows.contains(id), "seed {seed}, step {step}, {id}");
            }
        }
    }
}

#[test]
fn epochs_of_any_size_are_kept() {
    let mut state = AgentState::new(None);
    assert_eq!(state.epoch(), None);
    for epoch in [0, 1, (1 << 48) - 1, 1 << 48, u64::MAX, 7] {
        state.set_epoch(Epoch(epoch));
        assert_eq!(state.epoch(), Some(Epoch(epoch)));
    }
}

fn time(random: &mut Random) -> TimeMs {
    let now = 1_000_000_000 + (random.number() % 2_000_000) as i64;
    TimeMs::from_unix_ms(random.pick(&[now, now, now, now, 0, -1, i64::MAX, i64::MIN]))
}

fn length(random: &mut Random) -> DurationMs {
    DurationMs::from_ms(random.pick(&[0, 0, 500, -2_000, 40_000_000_000, i64::MAX, i64::MIN]))
}

fn what(random: &mut Random, assignment: Option<Assignment>, rows: &[RowId]) -> What {
    let membership = Membership { team: None, assignment };
    let platform = random.pick(&Platform::ALL);
    let row = Some(random.pick(rows)).filter(|_| !random.one_in(4));
    let asked = Some(time(random)).filter(|_| random.one_in(4));
    let sequence = random.pick(&[0, 1, 2, 3, 4, u32::MAX]);
    let code = OutStateId::new(random.pick(&[0, 11, 12, 13, u32::MAX]));
    let status = random.pick(&[
        script::status("SF", "Free"),
        script::status("SF", "Break"),
        script::status("SF", "Offline"),
        script::status("CX", "Available"),
        script::status("CX", "Call"),
        script::status("CX", "Wrap"),
        script::status("CX", "Refused"),
        script::status("CX", "LoggedOut"),
        script::status("CX", "LoggedIn"),
        Status::Cxone(CxoneStatus::Code(code)),
    ]);
    let cause = random.pick(&[Cause::Unknown, Cause::Agent, Cause::Declined, Cause::Login]);
    let verdict = random.pick(&[
        Verdict::Accepted,
        Verdict::Permanent,
        Verdict::Conflict,
        Verdict::Unreachable,
        Verdict::Superseded,
        Verdict::Unknown,
    ]);
    match random.number() % 14 {
        0 => What::Linked(membership),
        1 => What::RowClosed(RowClosed { row, at_raw: time(random), offset: length(random), asked }),
        2 => What::Connected(Epoch(random.pick(&[0, 1, 1 << 48, u64::MAX]))),
        3 => What::Disconnected(Epoch(random.pick(&[0, 1, 1 << 48, u64::MAX]))),
        4 | 5 => What::Outcome(Outcome { platform, command: Sequence(sequence), verdict }),
        6 | 7 => {
            let cause = random.pick(&[WakeCause::Grace, WakeCause::CoolDown, WakeCause::Confirm(platform)]);
            What::WakeUp(WakeUp { cause, generation: Generation(sequence) })
        }
        8 => What::Activated { assignment },
        9 => What::Retry,
        _ => {
            let (since_raw, offset) = (time(random), length(random));
            What::Observation(Observation { status, since_raw, offset, row, cause, asked })
        }
    }
}

#[test]
fn every_event_is_decided_and_no_state_is_large() {
    let directory = script::directory();
    let tables: Tables = script::tables(&directory, "", script::ROWS);
    let person = &directory.people[0];
    let assignment = tables.assignment(person.agent, &person.link, None);
    let rows = row_ids();
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut slot = Some(AgentState::new(assignment));
        for _ in 0..40 {
            let assignment = assignment.filter(|_| !random.one_in(8));
            let what = what(&mut random, assignment, &rows);
            let event = Event { now: time(&mut random), what };
            apply(&mut slot, &event, &tables);
            let bytes = slot.as_ref().map_or(0, AgentState::bytes);
            // 88 more for ids that no org gives.
            assert!(bytes <= 1_024 + 88, "seed {seed}: {bytes} bytes after {event:?}");
        }
    }
}
