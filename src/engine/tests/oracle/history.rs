//! Histories as they are drawn: moves that mean something only beside what has happened by then.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use crate::domain::{Cause, Platform};
use crate::engine::Verdict;

/// How long passes before a move, in ms.
const PAUSES: [i64; 12] = [0, 1, 500, 1_000, 2_000, 5_000, 6_000, 10_000, 31_000, 61_000, 121_000, 960_000];
/// Around the limits of the law, in ms.
const NEAR: [i64; 15] =
    [0, 1, 500, 999, 1_000, 1_001, 2_000, 2_001, 3_000, 5_000, 5_001, 8_000, 10_000, 31_000, 300_000];
const OFFSETS: [i64; 4] = [0, 60_000, -5_000, 300];

/// One history.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// Which rules hold at first.
    pub(super) rules: usize,
    /// Wake-ups come when they are due; else only where a move says so.
    pub(super) prompt: bool,
    pub(super) steps: Vec<Step>,
}

/// A move, and the pause before it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) pause: i64,
    pub(super) what: Move,
}

/// What may happen.
#[derive(Clone, Debug)]
pub(super) enum Move {
    Observe {
        platform: Platform,
        status: Shown,
        start: Start,
        row: RowOf,
        cause: Cause,
        offset: i64,
        asked: Option<i64>,
    },
    Close {
        row: RowOf,
        start: Start,
        offset: i64,
        asked: Option<i64>,
    },
    Outcome {
        platform: Platform,
        /// 0 is the newest command there.
        back: usize,
        verdict: Verdict,
    },
    /// The armed wake-up: when it is due, now, or one that is no more.
    Wake(Wake),
    Connected(u64),
    Disconnected(u64),
    Rules(usize),
    Team(usize),
    Retry,
    Link,
    Unlink,
    Forget,
}

/// A status, by what it is to what happened before.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    /// One of the platform's list.
    Listed(usize),
    /// The status of the command so far back.
    Commanded(usize),
    /// What the platform showed last.
    Again,
}

/// When something began.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    Ago(i64),
    Ahead(i64),
    /// So long after the newest command there was issued.
    AfterCommand(i64),
    /// So long after the start that was shown last there.
    AfterShown(i64),
    /// So long after the last close of a row.
    AfterClose(i64),
}

/// A row of Salesforce.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowOf {
    Unnamed,
    /// The next new one.
    New,
    /// The one so far back.
    Back(u32),
}

/// A wake-up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wake {
    Due,
    Now,
    Stale,
    WrongCause,
}

/// Histories under one of so many rules: most of all kinds of moves, some of a hectic agent, some of
/// platforms that take every command and show none.
pub(super) fn histories(rules: usize) -> impl Strategy<Value = History> {
    let any = step(rules).boxed();
    let hectic = prop_oneof![1 => any.clone(), 5 => hectic()].boxed();
    let deaf = prop_oneof![1 => any.clone(), 4 => deaf()].boxed();
    let steps = |step: BoxedStrategy<Step>| prop::collection::vec(step, 1..60);
    let steps = prop_oneof![8 => steps(any), 2 => steps(hectic), 2 => steps(deaf)];
    (0..rules, prop::bool::weighted(0.7), steps).prop_map(|(rules, prompt, steps)| History {
        rules,
        prompt,
        steps,
    })
}

fn step(rules: usize) -> impl Strategy<Value = Step> {
    let pause = prop_oneof![
        60 => select(&PAUSES[..5]),
        30 => select(&PAUSES[5..8]),
        20 => select(&PAUSES[8..11]),
        2 => Just(PAUSES[11]),
    ];
    let wakes = vec![Wake::Due, Wake::Due, Wake::Now, Wake::Stale, Wake::WrongCause];
    let moves = Union::new_weighted(vec![
        (40, observation().boxed()),
        (10, echo().boxed()),
        (24, outcome().boxed()),
        (7, close().boxed()),
        (5, select(wakes).prop_map(Move::Wake).boxed()),
        (3, (0_u64..4).prop_map(Move::Connected).boxed()),
        (2, (0_u64..3).prop_map(Move::Disconnected).boxed()),
        (2, (0..rules).prop_map(Move::Rules).boxed()),
        (2, (0_usize..4).prop_map(Move::Team).boxed()),
        (1, select(vec![Move::Retry, Move::Retry, Move::Link, Move::Unlink, Move::Forget]).boxed()),
    ]);
    (pause, moves).prop_map(|(pause, what)| Step { pause, what })
}

/// One who changes his mind all the time.
fn hectic() -> impl Strategy<Value = Step> {
    let choice = (platform(), 0_usize..5).prop_map(|(platform, status)| Move::Observe {
        platform,
        status: Shown::Listed(status),
        start: Start::Ago(0),
        row: RowOf::New,
        cause: Cause::Unknown,
        offset: 0,
        asked: None,
    });
    let pause = prop_oneof![8 => select(&PAUSES[1..4]), 1 => select(&PAUSES[7..10])];
    (pause, choice).prop_map(|(pause, what)| Step { pause, what })
}

/// A command is accepted, and nothing is seen.
fn deaf() -> impl Strategy<Value = Step> {
    let verdict = select(vec![Verdict::Accepted, Verdict::Accepted, Verdict::Unknown, Verdict::Conflict]);
    let outcome =
        (platform(), verdict).prop_map(|(platform, verdict)| Move::Outcome { platform, back: 0, verdict });
    let what = prop_oneof![6 => outcome, 1 => Just(Move::Wake(Wake::Due))];
    (select(&PAUSES[7..10]), what).prop_map(|(pause, what)| Step { pause, what })
}

fn platform() -> impl Strategy<Value = Platform> {
    select(vec![Platform::Salesforce, Platform::Cxone])
}

fn asked() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![6 => Just(None), 1 => select(&NEAR[..]).prop_map(Some)]
}

fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![8 => Just(OFFSETS[0]), 1 => select(&OFFSETS[1..])]
}

fn row() -> impl Strategy<Value = RowOf> {
    prop_oneof![
        5 => Just(RowOf::New),
        3 => Just(RowOf::Unnamed),
        2 => (0_u32..6).prop_map(RowOf::Back),
    ]
}

fn observation() -> impl Strategy<Value = Move> {
    let status = prop_oneof![
        10 => (0_usize..11).prop_map(Shown::Listed),
        3 => (0_usize..3).prop_map(Shown::Commanded),
        3 => Just(Shown::Again),
    ];
    let near = || select(&NEAR[..]);
    let start = prop_oneof![
        12 => select(&NEAR[..5]).prop_map(Start::Ago),
        4 => near().prop_map(Start::Ago),
        1 => near().prop_map(Start::Ahead),
        2 => (near(), prop::bool::ANY)
            .prop_map(|(ms, before)| Start::AfterCommand(if before { -ms } else { ms })),
        2 => (near(), prop::bool::ANY)
            .prop_map(|(ms, before)| Start::AfterShown(if before { -ms } else { ms })),
        1 => (-1_i64..1_002).prop_map(Start::AfterClose),
    ];
    let cause = prop_oneof![
        6 => Just(Cause::Unknown),
        3 => select(vec![
            Cause::Agent, Cause::Supervisor, Cause::Toolkit, Cause::Declined, Cause::PushTimeout, Cause::Login,
        ]),
    ];
    (platform(), status, start, row(), cause, offset(), asked()).prop_map(
        |(platform, status, start, row, cause, offset, asked)| Move::Observe {
            platform,
            status,
            start,
            row,
            cause,
            offset,
            asked,
        },
    )
}

/// What a command brings about, as it should.
fn echo() -> impl Strategy<Value = Move> {
    (platform(), select(&NEAR[..4]), row()).prop_map(|(platform, ago, row)| Move::Observe {
        platform,
        status: Shown::Commanded(0),
        start: Start::Ago(ago),
        row,
        cause: Cause::Unknown,
        offset: 0,
        asked: None,
    })
}

fn outcome() -> impl Strategy<Value = Move> {
    use Verdict::{Accepted, Conflict, Permanent, Superseded, Unknown, Unreachable};
    let verdict = prop_oneof![
        10 => Just(Accepted),
        1 => select(vec![Permanent, Conflict, Unreachable]),
        3 => select(vec![Conflict, Superseded, Unknown]),
    ];
    let back = prop_oneof![10 => Just(0_usize), 3 => 1_usize..4, 1 => 4_usize..12];
    (platform(), back, verdict).prop_map(|(platform, back, verdict)| Move::Outcome {
        platform,
        back,
        verdict,
    })
}

fn close() -> impl Strategy<Value = Move> {
    let row = prop_oneof![5 => Just(RowOf::Back(0)), 2 => Just(RowOf::New), 2 => row()];
    let start = prop_oneof![
        4 => select(&NEAR[..6]).prop_map(Start::Ago),
        1 => select(&NEAR[..]).prop_map(Start::Ago),
        1 => select(&NEAR[..]).prop_map(Start::Ahead),
        1 => select(&NEAR[..]).prop_map(|ms| Start::AfterShown(-ms)),
    ];
    (row, start, offset(), asked()).prop_map(|(row, start, offset, asked)| Move::Close {
        row,
        start,
        offset,
        asked,
    })
}
