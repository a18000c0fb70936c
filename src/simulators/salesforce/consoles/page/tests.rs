use super::super::super::ids;
use super::super::super::presence::Refusal;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What happens to a page, told shortly.
enum In {
    Welcome(u64, bool),
    Hold(u64),
    StandBy,
    Ping,
    /// A command of this order, for this status.
    Given(i64, Option<&'static str>),
    /// The answer to `Ask`.
    Status(Option<u64>),
    Answer(Result<(), Rejected>),
    On(Event),
    Missed,
    /// The connection is lost, and made anew so far as its welcome.
    Lost,
}

use In::*;

const STATUS: &str = "0N55g0000000005";

fn presence(number: u64) -> SalesforceStatus {
    SalesforceStatus::Presence(ids::status(number))
}

fn command(order: i64, status: Option<&str>) -> Command {
    Command { command: format!("c{order}"), order: (order, 0), status: status.map(str::to_owned) }
}

fn outcome(order: i64, result: Outcome) -> Action {
    detailed(order, result, None)
}

fn detailed(order: i64, result: Outcome, detail: Option<&str>) -> Action {
    let detail = detail.map(str::to_owned);
    Action::Send(Up::Outcome(Done { command: format!("c{order}"), result, detail }))
}

fn page(gateways: usize, now: Instant) -> Page {
    Page::new("page-0001".to_owned(), 7, gateways, now)
}

fn take(page: &mut Page, storage: &mut Storage, what: In, now: Instant) -> Vec<Action> {
    let mut out = Vec::new();
    let down = match what {
        Welcome(epoch, holds) => Down::Welcome { epoch, holds, heartbeat_s: 20, session: None },
        Hold(epoch) => Down::Hold { epoch },
        StandBy => Down::StandBy,
        Ping => Down::Ping,
        Given(order, status) => Down::Command(command(order, status)),
        Status(number) => {
            page.asked(number.map(ids::status), storage, &mut out);
            return out;
        }
        Answer(answer) => {
            page.called(answer, storage, &mut out);
            return out;
        }
        On(event) => {
            page.event(event, &mut out);
            return out;
        }
        Missed => {
            page.look(&mut out);
            return out;
        }
        Lost => {
            page.lose(now, &mut out);
            let again_at = page.next_at().unwrap();
            page.go_on(again_at, &mut out);
            assert!(matches!(out[..], [Action::Drop, Action::Connect(_)]), "{out:?}");
            return Vec::new();
        }
    };
    page.hear(down, storage, now, &mut out);
    out
}

/// A page that was let in: what happens to it, and what it does.
fn plays(name: &str, script: Vec<(In, Vec<Action>)>) -> Storage {
    let now = Instant::now();
    let (mut page, mut storage) = (page(1, now), Storage::default());
    let mut out = Vec::new();
    page.go_on(now, &mut out);
    assert_eq!(out, [Action::Connect(0)], "{name}");
    for (place, (what, expected)) in script.into_iter().enumerate() {
        let done = take(&mut page, &mut storage, what, now);
        assert_eq!(done, expected, "{name}, step {place}");
    }
    storage
}

#[test]
fn a_page_says_who_it_is_with_the_highest_epoch_of_its_browser() {
    let (now, storage) = (Instant::now(), Storage { epoch: 41, done: None });
    let hello = Hello { protocol: 1, token: "t".to_owned(), page: "page-0001".to_owned(), epoch: 41 };
    assert_eq!(page(1, now).hello("t".to_owned(), &storage), Up::Hello(hello));
}

#[test]
fn who_holds_the_agent_tells_what_he_is_in_and_who_stands_by_does_not() {
    let changed = |number, reason| On(Event::StatusChanged { status: presence(number), reason });
    let (off, look) = (SalesforceStatus::Offline, Action::Tell(None, None));
    let tell = |status, reason| vec![Action::Tell(Some(status), Some(reason))];
    let storage = plays(
        "telling",
        vec![
            (Welcome(9, true), vec![look.clone()]),
            (changed(1, Reason::Manual), tell(presence(1), Reason::Manual)),
            (On(Event::LoginSuccess), vec![]),
            (changed(1, Reason::Toolkit), tell(presence(1), Reason::Toolkit)),
            (On(Event::Logout), vec![Action::Tell(Some(off), None)]),
            (Missed, vec![look.clone()]),
            // With a reason first, and once only.
            (
                On(Event::StatusChanged { status: off, reason: Reason::Supervisor }),
                tell(off, Reason::Supervisor),
            ),
            (On(Event::Logout), vec![]),
            // After a look, whatever comes is new.
            (Missed, vec![look.clone()]),
            (On(Event::Logout), vec![Action::Tell(Some(off), None)]),
            (StandBy, vec![]),
            (changed(2, Reason::Manual), vec![]),
            (Missed, vec![]),
            (Ping, vec![Action::Send(Up::Pong)]),
            (Hold(12), vec![look]),
            (changed(3, Reason::Login), tell(presence(3), Reason::Login)),
        ],
    );
    assert_eq!(storage.epoch, 12);
    let storage =
        plays("standing by", vec![(Welcome(9, false), vec![]), (Hold(4), vec![Action::Tell(None, None)])]);
    assert_eq!(storage.epoch, 9, "the highest that was ever told");
}

#[test]
fn a_command_is_asked_about_done_and_told() {
    let refused = Rejected::Refused(Refusal::NotGranted);
    let call = |status| vec![Action::Call(status)];
    let welcome = || (Welcome(1, true), vec![Action::Tell(None, None)]);
    let given = |status| (Given(5, status), vec![Action::Ask]);
    for (name, rest) in [
        (
            "done",
            vec![
                given(Some(STATUS)),
                (Status(Some(1)), call(presence(5))),
                (Answer(Ok(())), vec![outcome(5, Outcome::Done)]),
            ],
        ),
        (
            "logged out",
            vec![
                given(None),
                (Status(Some(1)), call(SalesforceStatus::Offline)),
                (Answer(Ok(())), vec![outcome(5, Outcome::Done)]),
            ],
        ),
        (
            "a command logs nobody in",
            vec![given(Some(STATUS)), (Status(None), vec![outcome(5, Outcome::Unreachable)])],
        ),
        ("nor out who is", vec![given(None), (Status(None), vec![outcome(5, Outcome::Unreachable)])]),
        (
            "what he may not",
            vec![
                given(Some(STATUS)),
                (Status(Some(1)), call(presence(5))),
                (
                    Answer(Err(refused)),
                    vec![detailed(
                        5,
                        Outcome::Refused,
                        Some("the user has no access to the presence status"),
                    )],
                ),
            ],
        ),
        (
            "not now",
            vec![
                given(Some(STATUS)),
                (Status(Some(1)), call(presence(5))),
                (
                    Answer(Err(Rejected::Unavailable)),
                    vec![detailed(5, Outcome::Conflict, Some("Omni-Channel does not answer"))],
                ),
            ],
        ),
        (
            "what is no status",
            vec![
                given(Some("005000000000001")),
                (Status(Some(1)), vec![detailed(5, Outcome::Refused, Some("the id should begin with 0N5"))]),
            ],
        ),
        ("standing by", vec![(StandBy, vec![]), (Given(5, Some(STATUS)), vec![])]),
    ] {
        plays(name, std::iter::once(welcome()).chain(rest).collect());
    }
}

#[test]
fn of_commands_the_newest_counts_and_one_is_done_at_a_time() {
    let done = |order| vec![outcome(order, Outcome::Done)];
    let welcome = || (Welcome(1, true), vec![Action::Tell(None, None)]);
    let begun = |order| (Given(order, Some(STATUS)), vec![Action::Ask]);
    let nothing = |order| (Given(order, Some(STATUS)), vec![]);
    let called = || (Status(Some(1)), vec![Action::Call(presence(5))]);
    for (name, rest) in [
        (
            "what waits is replaced, what is being done is let finish",
            vec![
                begun(5),
                called(),
                nothing(6),
                nothing(7),
                (Answer(Ok(())), vec![outcome(5, Outcome::Done), Action::Ask]),
                called(),
                (Answer(Ok(())), done(7)),
            ],
        ),
        (
            "an older one takes nobody's place",
            vec![
                begun(5),
                called(),
                nothing(4),
                nothing(7),
                nothing(6),
                (Answer(Ok(())), vec![outcome(5, Outcome::Done), Action::Ask]),
                called(),
                (Answer(Ok(())), done(7)),
            ],
        ),
        (
            "one that comes again while it is done is done once",
            vec![begun(5), called(), nothing(5), (Answer(Ok(())), done(5))],
        ),
        (
            "and after it, its outcome comes again",
            vec![
                begun(5),
                called(),
                (Answer(Ok(())), done(5)),
                (Given(5, Some(STATUS)), done(5)),
                nothing(4),
                begun(6),
            ],
        ),
        (
            "what became of it while the connection was lost is told when it comes again",
            vec![
                begun(5),
                called(),
                (Lost, vec![]),
                (Answer(Ok(())), vec![]),
                welcome(),
                (Given(5, Some(STATUS)), done(5)),
            ],
        ),
        (
            "what was not begun when the connection was lost comes again",
            vec![
                begun(5),
                called(),
                nothing(6),
                (Lost, vec![]),
                (Answer(Ok(())), vec![]),
                welcome(),
                begun(6),
            ],
        ),
        (
            "who stands by begins nothing, and finishes what he has begun",
            vec![begun(5), called(), nothing(6), (StandBy, vec![]), (Answer(Ok(())), done(5))],
        ),
    ] {
        plays(name, std::iter::once(welcome()).chain(rest).collect());
    }
}

#[test]
fn what_a_tab_has_done_no_other_does() {
    let (now, mut storage) = (Instant::now(), Storage::default());
    let (mut one, mut two) = (page(1, now), page(1, now));
    take(&mut one, &mut storage, Welcome(1, true), now);
    take(&mut one, &mut storage, Given(5, Some(STATUS)), now);
    take(&mut one, &mut storage, Status(Some(1)), now);
    // The second holds him from now on, and is told the command that has no outcome.
    take(&mut one, &mut storage, StandBy, now);
    take(&mut two, &mut storage, Welcome(2, true), now);
    assert_eq!(take(&mut one, &mut storage, Answer(Ok(())), now), [outcome(5, Outcome::Done)]);
    let again = take(&mut two, &mut storage, Given(5, Some(STATUS)), now);
    assert_eq!(again, [outcome(5, Outcome::Done)]);
    // One that a tab finishes late does not make what another has done forgotten.
    take(&mut two, &mut storage, Given(6, Some(STATUS)), now);
    take(&mut two, &mut storage, Given(7, Some(STATUS)), now);
    storage.keep((7, 0), Done { command: "c7".to_owned(), result: Outcome::Done, detail: None });
    take(&mut two, &mut storage, Status(None), now);
    assert_eq!(storage.done.as_ref().map(|(order, _)| *order), Some((7, 0)));
}

/// For how long a page waits after each of so many failures, in ms.
fn waits(seed: u64, count: usize) -> Vec<u128> {
    let mut now = Instant::now();
    let mut page = Page::new("page-0001".to_owned(), seed, 1, now);
    let mut out = Vec::new();
    page.go_on(now, &mut out);
    let mut waits = Vec::new();
    for _ in 0..count {
        page.lose(now, &mut out);
        let until = page.next_at().unwrap();
        waits.push((until - now).as_millis());
        now = until;
        page.go_on(now, &mut out);
    }
    waits
}

#[test]
fn who_connects_again_waits_by_chance_then_twice_that_up_to_30_s() {
    let firsts: Vec<u128> = (0..1_000).map(|seed| waits(seed, 1)[0]).collect();
    let (least, most) = (*firsts.iter().min().unwrap(), *firsts.iter().max().unwrap());
    assert!(least < 100 && (1_900..2_000).contains(&most), "{least} to {most} ms");
    for seed in 0..100 {
        let all = waits(seed, 20);
        for pair in all.windows(2) {
            assert_eq!(pair[1], (2 * pair[0]).min(30_000), "{all:?}");
        }
    }
}

#[test]
fn the_first_wait_is_anew_after_a_welcome() {
    let now = Instant::now();
    let (mut page, mut storage) = (page(1, now), Storage::default());
    let mut out = Vec::new();
    page.go_on(now, &mut out);
    for _ in 0..10 {
        take(&mut page, &mut storage, Lost, now);
    }
    take(&mut page, &mut storage, Welcome(1, true), now);
    page.lose(now, &mut out);
    assert!(page.next_at().unwrap() - now < FIRST_WAIT);
}

#[test]
fn a_bye_says_whether_and_when_to_come_again() {
    for (reason, again_after_ms) in [
        (Bye::Token, Some(5_000)),
        (Bye::TooMany, Some(10_000)),
        (Bye::Silent, Some(0)),
        (Bye::ShuttingDown, Some(500)),
        (Bye::Protocol, None),
        (Bye::Replaced, None),
    ] {
        let now = Instant::now();
        let (mut page, mut storage, mut out) = (page(3, now), Storage::default(), Vec::new());
        page.go_on(now, &mut out);
        let was_at = page.gateway;
        take(&mut page, &mut storage, Welcome(1, true), now);
        out.clear();
        page.hear(Down::Bye { reason, again_after_ms }, &mut storage, now, &mut out);
        assert_eq!(out, [Action::Drop], "{reason:?}");
        assert_eq!(page.next_at(), again_after_ms.map(|ms| now + Duration::from_millis(ms)), "{reason:?}");
        assert_eq!(page.gateway != was_at, reason == Bye::ShuttingDown, "{reason:?}");
        // That the connection ends after it is nothing new.
        page.lose(now, &mut out);
        assert_eq!(out, [Action::Drop], "{reason:?}");
    }
}

#[test]
fn a_gateway_that_is_silent_for_three_heartbeats_is_left() {
    let now = Instant::now();
    let (mut page, mut storage, mut out) = (page(2, now), Storage::default(), Vec::new());
    page.go_on(now, &mut out);
    let was_at = page.gateway;
    take(&mut page, &mut storage, Welcome(1, true), now);
    for (heard_at, silent_at) in [(0, 60), (20, 80), (79, 139)] {
        take(&mut page, &mut storage, Ping, now + heard_at * SECOND);
        assert_eq!(page.next_at(), Some(now + silent_at * SECOND));
    }
    out.clear();
    page.go_on(now + 138 * SECOND, &mut out);
    assert_eq!(out, []);
    page.go_on(now + 139 * SECOND, &mut out);
    assert_eq!(out, [Action::Drop]);
    assert_ne!(page.gateway, was_at);
    // One that does not even welcome is left, too.
    let again_at = page.next_at().unwrap();
    page.go_on(again_at, &mut out);
    assert_eq!(out, [Action::Drop, Action::Connect(page.gateway)]);
    let (asked, tried) = (page.next_at().unwrap(), page.gateway);
    assert_eq!(asked - again_at, WELCOMED_WITHIN);
    page.go_on(asked, &mut out);
    assert_eq!(out.last(), Some(&Action::Drop));
    assert_ne!(page.gateway, tried);
}

#[test]
fn pages_spread_over_gateways_and_take_another_where_one_fails() {
    let now = Instant::now();
    let mut taken = [0; 3];
    for seed in 0..3_000 {
        let (mut page, mut out) = (Page::new("page-0001".to_owned(), seed, 3, now), Vec::new());
        let first = page.gateway;
        taken[first] += 1;
        page.go_on(now, &mut out);
        // It was connected: it may go on where it was, and tries the same.
        take(&mut page, &mut Storage::default(), Welcome(1, true), now);
        page.lose(now, &mut out);
        assert_eq!(page.gateway, first);
        page.go_on(page.next_at().unwrap(), &mut out);
        page.lose(now, &mut out);
        assert_ne!(page.gateway, first);
    }
    assert!(taken.iter().all(|count| (800..1_200).contains(count)), "{taken:?}");
}
