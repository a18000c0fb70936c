//! What is on the screen.

use anstream::adapter::strip_str;
use crossterm::event::KeyCode;
use unicode_width::UnicodeWidthStr;

use super::super::looks::Looks;
use super::super::render::{page_rows, render};
use super::super::terminal::changes;
use super::super::view::{Fault, Standing, Totals, View};
use super::{floor, looks, person, press, typed};

const FRAME_80X24: &str = r"
Lockstep demo  0:03:12                                                  1-7 of 7
in step 4 of 7  diverged 1  dead letters 2  corrections 3  changes 12,345
commands 6,789  echoes 6,700  sync p50 132 ms, p99 1,870 ms
calls Salesforce 1,234,567, CXone 98,765
[1] CXone down: ON  [2] Salesforce down: off  [3] tokens expire: off

  Agent  Salesforce      CXone              In step?  Last decision
> 1001   Available       Available          yes       CXone follows Salesforce:…
  1002   On Break        Unavailable/Break  yes       Salesforce follows CXone:…
  1003   Für Chats ver…  Available          yes       CXone follows Salesforce:…
  1004   Busy            InboundContact     busy      on a contact: Salesforce …
  1005   Available       Unavailable/Lunch  NO        gave up after 3 tries: th…
  1006   対応可能な状…   Available          waiting   CXone is told: Available
  1007   Offline         LoggedOut          yes





CXone is down
1005 is given up: the code Lunch is not in the vocabulary of the team that the …
Salesforce is back, 12 commands were waiting

q quit  s set Salesforce  c set CXone  o only out of step  / find  arrows move";

const FRAME_120X40: &str = r"
Lockstep demo  0:03:12                                                                                          1-7 of 7
in step 4 of 7  diverged 1  dead letters 2  corrections 3  changes 12,345  commands 6,789  echoes 6,700
sync p50 132 ms, p99 1,870 ms  calls Salesforce 1,234,567, CXone 98,765
[1] CXone down: ON  [2] Salesforce down: off  [3] tokens expire: off

  Agent  Salesforce            CXone                     In step?  Last decision
> 1001   Available             Available                 yes       CXone follows Salesforce: Available
  1002   On Break              Unavailable/Break         yes       Salesforce follows CXone: On Break
  1003   Für Chats verfügbar   Available                 yes       CXone follows Salesforce: Available
  1004   Busy                  InboundContact            busy      on a contact: Salesforce is held at Busy
  1005   Available             Unavailable/Lunch         NO        gave up after 3 tries: the code Lunch is not this te…
  1006   対応可能な状態です    Available                 waiting   CXone is told: Available
  1007   Offline               LoggedOut                 yes




















1002 went to lunch in CXone
CXone is down
1005 is given up: the code Lunch is not in the vocabulary of the team that the agent belongs to
Salesforce is back, 12 commands were waiting


q quit  s set Salesforce  c set CXone  o only out of step  / find  arrows move  PgUp PgDn Home End";

const FRAME_60X12: &str = r"
Lockstep demo  0:03:12                              1-2 of 7
in step 4 of 7  diverged 1  dead letters 2  corrections 3
changes 12,345  commands 6,789  echoes 6,700
sync p50 132 ms, p99 1,870 ms
calls Salesforce 1,234,567, CXone 98,765
[1] CXone down: ON  [2] Salesforce down: off
[3] tokens expire: off
  Agent  Salesforce  CXone         In step?  Last decision
> 1001   Available   Available     yes       CXone follows …
  1002   On Break    Unavailable…  yes       Salesforce fol…
Salesforce is back, 12 commands were waiting
q quit  s set Salesforce  c set CXone  o only out of step";

const MENU: &str = r"

Set 1002 in CXone to
> 1 Available
  2 On Break
  3 Lunch
  4 Offline

1-9 choose  up down move  Enter take  Esc leave";

#[test]
fn a_frame_is_as_wide_and_high_as_the_terminal() {
    let cases = [((80, 24), FRAME_80X24), ((120, 40), FRAME_120X40), ((60, 12), FRAME_60X12)];
    for (size, frame) in cases {
        assert_eq!(format!("\n{}", render(&floor(), &looks(), size).join("\n")), frame, "{size:?}");
    }
}

#[test]
fn what_somebody_can_be_set_to_takes_the_place_of_the_news() {
    let (view, mut looks) = (floor(), looks());
    press(&mut looks, &view, &[KeyCode::Down, KeyCode::Char('c')]);
    let frame = render(&view, &looks, (80, 24));
    assert_eq!(format!("\n{}", frame[16..].join("\n")), MENU);
}

#[test]
fn a_long_list_of_choices_scrolls_and_leaves_room_for_the_table() {
    let view = floor();
    let mut looks = Looks::new((1..=40).map(|n| format!("Status {n}")).collect(), false);
    press(&mut looks, &view, &typed("s"));
    press(&mut looks, &view, &[KeyCode::Down; 39]);
    let frame = render(&view, &looks, (80, 24)).join("\n");
    assert!(frame.contains("\n> 1001 "), "{frame}");
    assert!(frame.contains("\n>   Status 40\n"), "{frame}");
    assert!(!frame.contains("Status 1\n"), "{frame}");
}

#[test]
fn those_out_of_step_are_shown_alone() {
    let (mut view, mut looks) = (floor(), looks());
    press(&mut looks, &view, &typed("o"));
    let frame = render(&view, &looks, (80, 24));
    assert!(frame[0].ends_with("  out of step: 1-2 of 2"), "{frame:?}");
    assert!(frame[7].starts_with("> 1005 ") && frame[8].starts_with("  1006 "), "{frame:?}");
    assert_eq!(frame[9], "");
    assert!(frame[23].contains("  o everybody  "), "{frame:?}");

    view.people.retain(|p| p.standing == Standing::InStep);
    let frame = render(&view, &looks, (80, 24));
    assert!(frame[0].ends_with("  out of step: 0"), "{frame:?}");
    assert_eq!(frame[7], "  Nobody is out of step.");
}

#[test]
fn a_number_that_nobody_has_is_told() {
    let (view, mut looks) = (floor(), looks());
    press(&mut looks, &view, &typed("/99"));
    let footer = |looks: &Looks| render(&view, looks, (80, 24)).pop().unwrap();
    assert_eq!(footer(&looks), "Go to agent 99_  Enter go  Esc leave");
    press(&mut looks, &view, &[KeyCode::Enter]);
    assert_eq!(footer(&looks), "Go to agent 99_  nobody has this number  Enter go  Esc leave");
    press(&mut looks, &view, &typed("9"));
    assert_eq!(footer(&looks), "Go to agent 999_  Enter go  Esc leave");
}

#[test]
fn the_selected_of_ten_thousand_is_always_seen() {
    let mut view = floor();
    view.people =
        (0..10_000).map(|n| person(20_000 + n, "Available", "Available", Standing::InStep, "")).collect();
    let mut looks = looks();
    looks.page_rows = page_rows(&view, &looks, (80, 24));
    assert_eq!(looks.page_rows, 11);
    let cases: &[(&[KeyCode], &str, &str)] = &[
        // (keys, the selected row, what is seen)
        (&[], "> 20000 ", "1-11 of 10,000"),
        (&[KeyCode::Down, KeyCode::Down], "> 20002 ", "1-11 of 10,000"),
        (&[KeyCode::PageDown; 2], "> 20024 ", "20-30 of 10,000"),
        (&[KeyCode::End], "> 29999 ", "9,990-10,000 of 10,000"),
        (&[KeyCode::PageUp], "> 29988 ", "9,984-9,994 of 10,000"),
        (&[KeyCode::Home], "> 20000 ", "1-11 of 10,000"),
    ];
    for (keys, row, seen) in cases {
        press(&mut looks, &view, keys);
        let frame = render(&view, &looks, (80, 24));
        let marked: Vec<&String> = frame.iter().filter(|line| line.starts_with('>')).collect();
        assert!(marked.len() == 1 && marked[0].starts_with(row), "{keys:?}: {frame:?}");
        assert!(frame[0].ends_with(&format!("  {seen}")), "{keys:?}: {}", frame[0]);
    }
}

/// Labels that are hard to show, figures that are hard to fit, and nothing at all.
fn odd_views() -> Vec<View> {
    let labels = [
        "Für Chats verfügbar",
        "対応可能な状態です、少々お待ちください。今すぐ対応します",
        "👩\u{200d}💻\u{fe0f} at work 👍\u{1f3fd}\u{1f3fd} 🇩🇪🇯🇵",
        "Zu\u{308}rich \u{301}\u{302}\u{303}\u{304}",
        "\u{1b}[31mred\u{1b}[2J\r\n\ttab\u{7}",
        "\u{202e}backwards\u{200b}\u{ad}",
        "متاح للمحادثة",
        "",
    ];
    let long = labels.join(" ").repeat(4);
    let mut full = floor();
    for (n, label) in (u32::MAX - 100..).zip(labels.iter().copied().chain([long.as_str()])) {
        for standing in [Standing::InStep, Standing::Waiting, Standing::Busy, Standing::Out] {
            full.people.push(person(n, label, label, standing, label));
        }
        full.news.push(label.to_owned());
    }
    let most = u64::MAX;
    full.totals = Totals {
        agents: most,
        in_step: most,
        changes: most,
        commands: most,
        echoes: most,
        corrections: most,
        diverged: most,
        dead_letters: most,
        sync_ms: Some((most, most)),
        calls: (most, most),
    };
    full.faults =
        ('a'..='z').map(|key| Fault { key, name: "a fault with a name", is_on: key < 'f' }).collect();
    vec![View::default(), floor(), full]
}

#[test]
fn no_line_is_wider_than_the_terminal_and_none_is_missing() {
    let ways = ["", "o", "s", "/4294967295"];
    let columns = (0..4).chain(57..74).chain([80, 99, 100, 120, 200, 300]);
    let sizes: Vec<(u16, u16)> = columns
        .flat_map(|columns| [0, 1, 2, 11, 12, 13, 19, 20, 24, 50].map(|rows| (columns, rows)))
        .collect();
    for view in odd_views() {
        for way in ways {
            let mut looks = looks();
            looks.is_coloured = true;
            press(&mut looks, &view, &[KeyCode::End]);
            press(&mut looks, &view, &typed(way));
            for size in &sizes {
                let frame = render(&view, &looks, *size);
                assert_eq!(frame.len(), usize::from(size.1), "{way} at {size:?}");
                for line in frame {
                    let text = strip_str(&line).to_string();
                    assert!(text.width() <= size.0.into(), "{way} at {size:?}: {text:?}");
                    assert!(!text.contains(char::is_control), "{way} at {size:?}: {text:?}");
                }
            }
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    for way in ["", "o", "s", "/7"] {
        let (view, mut plain, mut coloured) = (floor(), looks(), looks());
        coloured.is_coloured = true;
        for looks in [&mut plain, &mut coloured] {
            press(looks, &view, &typed(way));
        }
        let plain = render(&view, &plain, (80, 24)).join("\n");
        let coloured = render(&view, &coloured, (80, 24)).join("\n");
        assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'), "{way}: {coloured:?}");
        assert_eq!(strip_str(&coloured).to_string(), plain, "{way}");
    }
}

#[test]
fn a_terminal_that_is_too_small_is_told_so() {
    for size in [(59, 24), (80, 11), (30, 3)] {
        let frame = render(&floor(), &looks(), size);
        assert_eq!(frame[0], format!("This terminal is {}x{}.", size.0, size.1));
        assert_eq!(frame[1], "The demo needs 60x12.");
        assert_eq!(frame[2], "q quits.");
        assert!(frame[3..].iter().all(String::is_empty), "{frame:?}");
    }
}

#[test]
fn only_what_changed_is_written() {
    let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    let cases = [
        // (lines before, lines after, what is written between the two)
        ("abc", "abc", ""),
        ("abc", "axc", "\u{1b}[2;1H\u{1b}[Kx"),
        ("abc", "xby", "\u{1b}[1;1H\u{1b}[Kx\u{1b}[3;1H\u{1b}[Ky"),
        ("", "ab", "\u{1b}[1;1H\u{1b}[Ka\u{1b}[2;1H\u{1b}[Kb"),
    ];
    for (before, after, written) in cases {
        let whole = match written {
            "" => String::new(),
            _ => format!("\u{1b}[?2026h{written}\u{1b}[?2026l"),
        };
        assert_eq!(changes(&lines(before), &lines(after)), whole, "{before} to {after}");
    }
}

#[test]
fn four_frames_a_second_stay_below_300_kilobytes_on_the_largest_terminal() {
    let wide = "対応可能な状態です".repeat(20);
    let mut view = floor();
    view.people = (0..10_000).map(|number| person(number, &wide, &wide, Standing::Out, &wide)).collect();
    view.news = vec![wide; 20];
    let mut looks = looks();
    looks.is_coloured = true;
    let frame = render(&view, &looks, (u16::MAX, u16::MAX));
    // Everything is new on every line, which a table that lives is far from.
    let bytes = changes(&[], &frame).len();
    assert!((30_000..75_000).contains(&bytes), "{bytes} bytes a frame");
}
