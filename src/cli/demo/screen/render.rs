//! The frame: a view, as it is looked at, on a terminal of a size.

use anstyle::Style;

use lockstep::domain::Platform;

use super::looks::{Asking, Choice, Looks, Number};
use super::text::{self, Line};
use super::view::{Person, View};
use super::words;
use crate::cli::output::{DIM, YELLOW};

/// Columns and rows without which nothing is shown.
const SIZE_MIN: (u16, u16) = (60, 12);
/// No more of a terminal is used: what a frame costs to send is bounded by it.
const SIZE_MAX: (u16, u16) = (200, 150);
/// From so many rows on, some are left blank.
const ROWS_AIRY: usize = 20;
/// The totals take no more lines.
const TOTALS_ROWS_MAX: usize = 4;
/// The faults take no more lines.
const FAULTS_ROWS_MAX: usize = 2;
/// For each so many rows of the terminal there is one of news.
const ROWS_PER_NEWS: usize = 8;
/// And no more than so many.
const NEWS_ROWS_MAX: usize = 8;
/// The column of whether somebody is in step.
const STANDING_COLUMNS: usize = 8;
const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
/// The keys of the table, the most needed first: what does not fit is left out.
const KEYS: &[&str] =
    &["q quit", "s set Salesforce", "c set CXone", "/ find", "arrows move", "PgUp PgDn Home End"];

/// The lines of a frame, one for each row of the terminal, none wider than it.
pub(super) fn render(view: &View, looks: &Looks, size: (u16, u16)) -> Vec<String> {
    if size.0 < SIZE_MIN.0 || size.1 < SIZE_MIN.1 {
        return too_small(size);
    }
    let parts = Parts::of(view, looks, size);
    let shown = looks.shown(view);
    let at = looks.position(&shown);
    let first = window(at, shown.len(), parts.table_rows);
    let rows = || shown.iter().enumerate().skip(first).take(parts.table_rows);

    let mut lines = vec![parts.title(view, looks, (first, rows().count(), shown.len()))];
    lines.extend(parts.head.iter().cloned());
    lines.extend(parts.air());
    let widths = Widths::of(view, parts.columns);
    lines.push(widths.header(&parts));
    let people = rows().filter_map(|(row, place)| Some((row == at, view.people.get(*place)?)));
    let mut table: Vec<String> =
        people.map(|(is_selected, person)| widths.row(person, is_selected, &parts)).collect();
    if table.is_empty() {
        table.push(parts.line(if looks.is_only_out { "  Nobody is out of step." } else { "  Nobody." }));
    }
    table.resize(parts.table_rows, String::new());
    lines.extend(table);
    lines.extend(parts.air());
    lines.extend(parts.below.iter().cloned());
    lines.extend(parts.air());
    lines.push(parts.footer(looks));
    lines
}

/// The people that fit on a terminal of a size.
pub(super) fn page_rows(view: &View, looks: &Looks, size: (u16, u16)) -> usize {
    Parts::of(view, looks, size).table_rows
}

fn too_small((columns, rows): (u16, u16)) -> Vec<String> {
    let lines = [
        format!("This terminal is {columns}x{rows}."),
        format!("The demo needs {}x{}.", SIZE_MIN.0, SIZE_MIN.1),
        "q quits.".to_owned(),
    ];
    let cut = |text: &str| {
        let mut line = Line::new(columns.into(), false);
        line.put(text, PLAIN);
        line.finish()
    };
    let mut lines: Vec<String> = lines.iter().map(|text| cut(text)).collect();
    lines.resize(rows.into(), String::new());
    lines
}

/// The first of so many things to show so that one of them is in the middle, as far as the ends allow.
fn window(at: usize, count: usize, rows: usize) -> usize {
    at.saturating_sub(rows / 2).min(count.saturating_sub(rows))
}

/// What is around the table, and what room that leaves for it.
struct Parts {
    columns: usize,
    is_coloured: bool,
    is_airy: bool,
    /// The totals and the faults.
    head: Vec<String>,
    /// The news, or what can be chosen.
    below: Vec<String>,
    /// The people there is room for.
    table_rows: usize,
}

impl Parts {
    fn of(view: &View, looks: &Looks, size: (u16, u16)) -> Parts {
        let columns = usize::from(size.0.min(SIZE_MAX.0));
        let rows = usize::from(size.1.min(SIZE_MAX.1));
        let is_airy = rows >= ROWS_AIRY;
        let is_coloured = looks.is_coloured;
        let mut parts =
            Parts { columns, is_coloured, is_airy, head: Vec::new(), below: Vec::new(), table_rows: 0 };
        parts.head = parts.flow(&words::totals(&view.totals), TOTALS_ROWS_MAX);
        let faults: Vec<_> = view.faults.iter().map(words::fault).collect();
        parts.head.extend(parts.flow(&faults, FAULTS_ROWS_MAX));
        // The title, the table's header and the footer have a row each.
        let room = rows.saturating_sub(3 + parts.head.len() + if is_airy { 3 } else { 0 });
        parts.below = match &looks.asking {
            Asking::Choice(choice) => parts.choices(*choice, view, looks, room.saturating_sub(1)),
            Asking::Nothing | Asking::Number(_) => parts.news(view, rows),
        };
        parts.table_rows = room.saturating_sub(parts.below.len());
        parts
    }

    /// Things side by side, on as many lines as they need and may have.
    fn flow(&self, things: &[(String, Style)], rows_max: usize) -> Vec<String> {
        let mut lines: Vec<Line> = Vec::new();
        for (words, style) in things {
            if lines.last().is_none_or(|line| !line.has_room_for(words)) && lines.len() < rows_max {
                lines.push(Line::new(self.columns, self.is_coloured));
            }
            if let Some(line) = lines.last_mut() {
                line.append(words, *style);
            }
        }
        lines.into_iter().map(Line::finish).collect()
    }

    fn line(&self, words: &str) -> String {
        let mut line = Line::new(self.columns, self.is_coloured);
        line.put(words, PLAIN);
        line.finish()
    }

    /// A blank line, on a terminal that has room for it.
    fn air(&self) -> Option<String> {
        self.is_airy.then(String::new)
    }

    /// What this is, for how long, and which of the people are seen: the first of them, how many, of how many.
    fn title(&self, view: &View, looks: &Looks, (first, seen, count): (usize, usize, usize)) -> String {
        let kind = if looks.is_only_out { "out of step: " } else { "" };
        let seen = match seen {
            0 => format!("{kind}0"),
            _ => format!("{kind}{}-{} of {}", grouped(first + 1), grouped(first + seen), grouped(count)),
        };
        let mut line = Line::new(self.columns, self.is_coloured);
        line.put("Lockstep demo", BOLD);
        line.append(&words::clock(view.elapsed), PLAIN);
        line.blanks(line.left().saturating_sub(text::width(&seen)));
        line.put(&seen, if looks.is_only_out { YELLOW } else { DIM });
        line.finish()
    }

    /// The newest of the news, in as many rows whether there are so many or not.
    fn news(&self, view: &View, rows: usize) -> Vec<String> {
        let news_rows = (rows / ROWS_PER_NEWS).clamp(1, NEWS_ROWS_MAX);
        let newest = view.news.iter().skip(view.news.len().saturating_sub(news_rows));
        let mut lines: Vec<String> = newest.map(|news| self.line(news)).collect();
        lines.resize(news_rows, String::new());
        lines
    }

    /// What somebody can be set to, as much of it as there is room for.
    fn choices(&self, choice: Choice, view: &View, looks: &Looks, rows_max: usize) -> Vec<String> {
        let Choice { platform, person, at } = choice;
        let number = view.people.get(person).map_or_else(String::new, |p| p.number.to_string());
        let platform = match platform {
            Platform::Salesforce => "Salesforce",
            Platform::Cxone => "CXone",
        };
        let mut lines = vec![self.line(&format!("Set {number} in {platform} to"))];
        let rows = rows_max.saturating_sub(1);
        let first = window(at, looks.choices.len(), rows);
        for (place, name) in looks.choices.iter().enumerate().skip(first).take(rows) {
            let mark = if place == at { '>' } else { ' ' };
            // There is no digit for the tenth.
            let digit = if place < 9 { (place + 1).to_string() } else { " ".to_owned() };
            let mut line = Line::new(self.columns, self.is_coloured);
            line.put(&format!("{mark} {digit} {name}"), if place == at { BOLD } else { PLAIN });
            lines.push(line.finish());
        }
        lines
    }

    /// The keys that mean something now, as many as fit.
    fn footer(&self, looks: &Looks) -> String {
        let mut line = Line::new(self.columns, self.is_coloured);
        let filter = if looks.is_only_out { "o everybody" } else { "o only out of step" };
        let keys: Vec<&str> = match &looks.asking {
            Asking::Nothing => {
                let (first, rest) = KEYS.split_at(KEYS.len().min(3));
                [first, &[filter], rest].concat()
            }
            Asking::Choice(_) => vec!["1-9 choose", "up down move", "Enter take", "Esc leave"],
            Asking::Number(Number { digits, is_missed }) => {
                line.put(&format!("Go to agent {digits}_"), BOLD);
                if *is_missed {
                    line.append("nobody has this number", YELLOW);
                }
                vec!["Enter go", "Esc leave"]
            }
        };
        for key in keys {
            if line.has_room_for(key) {
                line.append(key, DIM);
            }
        }
        line.finish()
    }
}

fn grouped(n: usize) -> String {
    words::number(n as u64)
}

/// The columns of the table. What is left of a line is the decision's.
struct Widths {
    number: usize,
    salesforce: usize,
    cxone: usize,
}

impl Widths {
    fn of(view: &View, columns: usize) -> Widths {
        let highest = view.people.iter().map(|person| person.number).max().unwrap_or(0);
        let (salesforce, cxone) = match columns {
            ..72 => (10, 12),
            72..100 => (14, 17),
            100.. => (20, 24),
        };
        Widths { number: highest.to_string().len().max("Agent".len()), salesforce, cxone }
    }

    fn header(&self, parts: &Parts) -> String {
        let mut line = Line::new(parts.columns, parts.is_coloured);
        line.blanks(2);
        line.cell("Agent", self.number, DIM);
        line.cell("Salesforce", self.salesforce, DIM);
        line.cell("CXone", self.cxone, DIM);
        line.cell("In step?", STANDING_COLUMNS, DIM);
        line.put("Last decision", DIM);
        line.finish()
    }

    fn row(&self, person: &Person, is_selected: bool, parts: &Parts) -> String {
        let strong = if is_selected { BOLD } else { PLAIN };
        let (standing, colour) = words::standing(person.standing);
        let mut line = Line::new(parts.columns, parts.is_coloured);
        line.put(if is_selected { "> " } else { "  " }, PLAIN);
        line.cell(&person.number.to_string(), self.number, strong);
        line.cell(&person.salesforce, self.salesforce, strong);
        line.cell(&person.cxone, self.cxone, strong);
        line.cell(standing, STANDING_COLUMNS, colour);
        line.put(&person.decision, strong);
        line.finish()
    }
}
