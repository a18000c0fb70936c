//! What somebody at the keyboard has chosen to look at, and what their keys mean.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use lockstep::domain::Platform;

use super::view::{Asked, View};

/// No number of an agent has more digits.
const DIGITS_MAX: usize = 10;

/// How the view is looked at.
pub(super) struct Looks {
    /// The statuses that somebody can be set to.
    pub(super) choices: Vec<String>,
    /// Whether colours are used.
    pub(super) is_coloured: bool,
    /// So many people fit on the screen.
    pub(super) page_rows: usize,
    /// Whether only those out of step are shown.
    pub(super) is_only_out: bool,
    /// What is being asked of whoever is at the keyboard.
    pub(super) asking: Asking,
    /// The place of the selected person among all. Who is shown instead, if that one is not, is in `position`.
    selected: usize,
}

/// What is being asked of whoever is at the keyboard.
pub(super) enum Asking {
    /// Nothing: keys act on the table.
    Nothing,
    /// Which status somebody is to have.
    Choice(Choice),
    /// Which agent to go to.
    Number(Number),
}

/// The open list of statuses.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    /// Where the status is to be set.
    pub(super) platform: Platform,
    /// The place among all people of who is to have it.
    pub(super) person: usize,
    /// The place of the selected status.
    pub(super) at: usize,
}

/// A number that is being typed.
pub(super) struct Number {
    /// What has been typed.
    pub(super) digits: String,
    /// Whether nobody has the number that was typed.
    pub(super) is_missed: bool,
}

impl Looks {
    /// Everybody is looked at, and the first is selected.
    pub(super) fn new(choices: Vec<String>, is_coloured: bool) -> Looks {
        Looks { choices, is_coloured, page_rows: 1, is_only_out: false, asking: Asking::Nothing, selected: 0 }
    }

    /// The places among all people of those who are shown.
    pub(super) fn shown(&self, view: &View) -> Vec<usize> {
        let people = view.people.iter().enumerate();
        let shown = people.filter(|(_, p)| !self.is_only_out || p.standing.is_out_of_step());
        shown.map(|(place, _)| place).collect()
    }

    /// The selected row among those shown: the selected person's, or that of who comes next.
    pub(super) fn position(&self, shown: &[usize]) -> usize {
        shown.partition_point(|place| *place < self.selected).min(shown.len().saturating_sub(1))
    }

    /// Acts on a key, and says what it asks of the demo.
    pub(super) fn key(&mut self, key: KeyEvent, view: &View) -> Option<Asked> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        // Ctrl-C is a key like others while the terminal hands over each at once.
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return (key.code == KeyCode::Char('c')).then_some(Asked::Quit);
        }
        match &self.asking {
            Asking::Nothing => self.table_key(key.code, view),
            Asking::Choice(choice) => self.choice_key(key.code, *choice, view),
            Asking::Number(_) => {
                self.number_key(key.code, view);
                None
            }
        }
    }

    fn table_key(&mut self, code: KeyCode, view: &View) -> Option<Asked> {
        let shown = self.shown(view);
        let at = self.position(&shown);
        match code {
            KeyCode::Up => self.select(&shown, at.saturating_sub(1)),
            KeyCode::Down => self.select(&shown, at + 1),
            KeyCode::PageUp => self.select(&shown, at.saturating_sub(self.page_rows)),
            KeyCode::PageDown => self.select(&shown, at + self.page_rows),
            KeyCode::Home => self.select(&shown, 0),
            KeyCode::End => self.select(&shown, usize::MAX),
            KeyCode::Char('q') => return Some(Asked::Quit),
            KeyCode::Char('s') => self.open_choice(Platform::Salesforce, shown.get(at)),
            KeyCode::Char('c') => self.open_choice(Platform::Cxone, shown.get(at)),
            KeyCode::Char('o') => self.is_only_out = !self.is_only_out,
            KeyCode::Char('/') => {
                self.asking = Asking::Number(Number { digits: String::new(), is_missed: false });
            }
            KeyCode::Char(other) if view.faults.iter().any(|fault| fault.key == other) => {
                return Some(Asked::Fault(other));
            }
            _ => {}
        }
        None
    }

    /// Selects a row among those shown, or the last if there are not so many.
    fn select(&mut self, shown: &[usize], row: usize) {
        if let Some(place) = shown.get(row).or(shown.last()) {
            self.selected = *place;
        }
    }

    fn open_choice(&mut self, platform: Platform, person: Option<&usize>) {
        if let Some(person) = person
            && !self.choices.is_empty()
        {
            // Who is being set stays selected, though they may no longer be out of step.
            self.selected = *person;
            self.asking = Asking::Choice(Choice { platform, person: *person, at: 0 });
        }
    }

    fn choice_key(&mut self, code: KeyCode, choice: Choice, view: &View) -> Option<Asked> {
        let last = self.choices.len().saturating_sub(1);
        let taken = match code {
            KeyCode::Enter => choice.at,
            KeyCode::Char(digit @ '1'..='9') => {
                let taken = usize::try_from(digit.to_digit(10)?).ok()? - 1;
                if taken > last {
                    return None;
                }
                taken
            }
            KeyCode::Up => return self.move_choice(choice, choice.at.saturating_sub(1)),
            KeyCode::Down => return self.move_choice(choice, last.min(choice.at + 1)),
            KeyCode::Esc => {
                self.asking = Asking::Nothing;
                return None;
            }
            _ => return None,
        };
        self.asking = Asking::Nothing;
        let Choice { platform, person, .. } = choice;
        view.people.get(person)?;
        Some(match platform {
            Platform::Salesforce => Asked::SetSalesforce { person, choice: taken },
            Platform::Cxone => Asked::SetCxone { person, choice: taken },
        })
    }

    fn move_choice(&mut self, choice: Choice, at: usize) -> Option<Asked> {
        self.asking = Asking::Choice(Choice { at, ..choice });
        None
    }

    fn number_key(&mut self, code: KeyCode, view: &View) {
        let Asking::Number(number) = &mut self.asking else { return };
        match code {
            KeyCode::Char(digit) if digit.is_ascii_digit() && number.digits.len() < DIGITS_MAX => {
                number.digits.push(digit);
                number.is_missed = false;
            }
            KeyCode::Backspace => {
                number.digits.pop();
                number.is_missed = false;
            }
            KeyCode::Enter => {
                let wanted = number.digits.parse::<u32>().ok();
                match view.people.iter().position(|person| Some(person.number) == wanted) {
                    Some(place) => self.go_to(place, view),
                    None => number.is_missed = true,
                }
            }
            KeyCode::Esc => self.asking = Asking::Nothing,
            _ => {}
        }
    }

    /// Selects somebody, and shows everybody again if that one would not be shown.
    fn go_to(&mut self, place: usize, view: &View) {
        self.asking = Asking::Nothing;
        self.selected = place;
        self.is_only_out &= self.shown(view).binary_search(&place).is_ok();
    }
}
