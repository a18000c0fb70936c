//! What keys mean.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::looks::Looks;
use super::super::view::{Asked, Standing, View};
use super::{floor, looks, press, typed};

const DOWN: KeyCode = KeyCode::Down;
const UP: KeyCode = KeyCode::Up;
const PAGE_DOWN: KeyCode = KeyCode::PageDown;
const PAGE_UP: KeyCode = KeyCode::PageUp;
const ENTER: KeyCode = KeyCode::Enter;
const ESC: KeyCode = KeyCode::Esc;

/// The number of the selected agent.
fn selected(looks: &Looks, view: &View) -> u32 {
    let shown = looks.shown(view);
    view.people[shown[looks.position(&shown)]].number
}

/// Keys from words: each is either the name of a key or a text that is typed.
fn keys(words: &str) -> Vec<KeyCode> {
    let key = |word| match word {
        "up" => vec![UP],
        "down" => vec![DOWN],
        "pgup" => vec![PAGE_UP],
        "pgdn" => vec![PAGE_DOWN],
        "home" => vec![KeyCode::Home],
        "end" => vec![KeyCode::End],
        "enter" => vec![ENTER],
        "esc" => vec![ESC],
        "back" => vec![KeyCode::Backspace],
        text => typed(text),
    };
    words.split_whitespace().flat_map(key).collect()
}

#[test]
fn keys_move_the_selection() {
    // Out of step are 1005 and 1006.
    let cases = [
        ("", 1001),
        ("up", 1001),
        ("down", 1002),
        ("down down up", 1002),
        ("pgdn", 1004),
        ("pgdn pgdn pgdn", 1007),
        ("end", 1007),
        ("end down", 1007),
        ("end pgup", 1004),
        ("end pgup pgup pgup", 1001),
        ("end home", 1001),
        // Who comes next is selected where the selected person is not shown, and they are again afterwards.
        ("o", 1005),
        ("o o", 1001),
        ("o down", 1006),
        ("o down down", 1006),
        ("o end o", 1006),
        ("end o", 1006),
        // Whoever is being set stays selected.
        ("o s esc o", 1005),
        ("/ 1006 enter", 1006),
        ("/ 1006 esc", 1001),
        ("/ 10067 back enter", 1006),
        ("/ enter esc", 1001),
        ("/ 9 enter", 1001),
        ("/ 9 enter back 1003 enter down", 1004),
        ("/ 99999999999999999999 enter esc", 1001),
        // Everybody is shown again if that one would not be.
        ("o / 1001 enter down", 1002),
        ("o / 1006 enter home", 1005),
    ];
    for (words, number) in cases {
        let (view, mut looks) = (floor(), looks());
        looks.page_rows = 3;
        assert_eq!(press(&mut looks, &view, &keys(words)), [], "{words}");
        assert_eq!(selected(&looks, &view), number, "{words}");
    }
}

#[test]
fn keys_ask_for_things() {
    let salesforce = |person, choice| vec![Asked::SetSalesforce { person, choice }];
    let cxone = |person, choice| vec![Asked::SetCxone { person, choice }];
    let cases = [
        ("q", vec![Asked::Quit]),
        ("1", vec![Asked::Fault('1')]),
        ("1 1 3", vec![Asked::Fault('1'), Asked::Fault('1'), Asked::Fault('3')]),
        // No fault has it.
        ("9", vec![]),
        ("enter", vec![]),
        ("esc", vec![]),
        ("s 1", salesforce(0, 0)),
        ("down c 3", cxone(1, 2)),
        ("s enter", salesforce(0, 0)),
        ("s up enter", salesforce(0, 0)),
        ("s down down enter", salesforce(0, 2)),
        ("s down down down down down down enter", salesforce(0, 3)),
        ("o s 2", salesforce(4, 1)),
        ("o end c 2", cxone(5, 1)),
        // There are four choices.
        ("s 5", vec![]),
        ("s 0", vec![]),
        ("s 5 4", salesforce(0, 3)),
        // Other keys mean nothing while a list is open, and the keys of the table do once it is left.
        ("s q c o", vec![]),
        ("s esc 1", vec![Asked::Fault('1')]),
        ("s 1 1", vec![Asked::SetSalesforce { person: 0, choice: 0 }, Asked::Fault('1')]),
        ("/ q 1 s", vec![]),
        ("/ esc q", vec![Asked::Quit]),
    ];
    for (words, asked) in cases {
        let (view, mut looks) = (floor(), looks());
        assert_eq!(press(&mut looks, &view, &keys(words)), asked, "{words}");
    }
}

#[test]
fn control_c_quits_whatever_is_being_asked() {
    for words in ["", "s", "c down", "/ 10"] {
        let (view, mut looks) = (floor(), looks());
        press(&mut looks, &view, &keys(words));
        let control = |code| KeyEvent::new(KeyCode::Char(code), KeyModifiers::CONTROL);
        assert_eq!(looks.key(control('q'), &view), None, "{words}");
        assert_eq!(looks.key(control('c'), &view), Some(Asked::Quit), "{words}");
    }
}

#[test]
fn a_key_that_is_let_go_means_nothing() {
    let (view, mut looks) = (floor(), looks());
    let released = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(looks.key(released, &view), None);
    let held = KeyEvent::new_with_kind(DOWN, KeyModifiers::NONE, KeyEventKind::Repeat);
    assert_eq!(looks.key(held, &view), None);
    assert_eq!(selected(&looks, &view), 1002);
}

#[test]
fn nothing_opens_where_there_is_nobody_or_nothing_to_choose() {
    let nobody = View { people: Vec::new(), ..floor() };
    for words in ["s 1", "c 1", "o s 1", "up down pgup pgdn home end c 1"] {
        assert_eq!(press(&mut looks(), &nobody, &keys(words)), [Asked::Fault('1')], "{words}");
    }
    let mut without_choices = Looks::new(Vec::new(), false);
    assert_eq!(press(&mut without_choices, &floor(), &keys("s 1")), [Asked::Fault('1')]);
}

#[test]
fn whoever_the_list_was_opened_for_is_set_though_others_are_shown_by_then() {
    let (mut view, mut looks) = (floor(), looks());
    press(&mut looks, &view, &keys("o s"));
    for person in &mut view.people[..5] {
        person.standing = Standing::InStep;
    }
    assert_eq!(selected(&looks, &view), 1006);
    assert_eq!(press(&mut looks, &view, &keys("1")), [Asked::SetSalesforce { person: 4, choice: 0 }]);
}
