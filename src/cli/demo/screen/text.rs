//! Text of a known width: what a terminal shows in so many columns, whatever a platform calls its statuses.

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

/// So many marks stay on one letter, such as the two on `ệ`.
const MARKS_MAX: usize = 2;
/// Stands for what did not fit; one column.
const ELLIPSIS: char = '…';
/// Between two cells.
const GAP: &str = "  ";

/// The characters of a text that are safe to show, each with its columns.
///
/// Nothing that moves the cursor or turns the writing around is among them. What joins emoji or chooses how
/// they look is not either: terminals do not agree on the width of the result.
fn shown(text: &str) -> impl Iterator<Item = (char, usize)> {
    let mut marks = 0;
    text.chars().filter_map(move |c| {
        let c = if c.is_whitespace() { ' ' } else { c };
        if is_unseen(c) {
            return None;
        }
        let columns = c.width()?;
        marks = if columns == 0 { marks + 1 } else { 0 };
        (marks <= MARKS_MAX).then_some((c, columns))
    })
}

fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{1f3fb}'..='\u{1f3ff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The text without what is not safe to show.
pub(super) fn plain(text: &str) -> String {
    shown(text).map(|(c, _)| c).collect()
}

/// The columns a text takes.
pub(super) fn width(text: &str) -> usize {
    shown(text).map(|(_, columns)| columns).sum()
}

/// As much of a text as fits, with an ellipsis if that is not all of it, and the columns it takes.
fn cut(text: &str, columns_max: usize) -> (String, usize) {
    let (mut kept, mut columns) = (String::new(), 0);
    // What stays if an ellipsis has to follow.
    let (mut bytes_before, mut columns_before) = (0, 0);
    for (c, more) in shown(text) {
        if columns + more > columns_max {
            kept.truncate(bytes_before);
            if columns_max > 0 {
                kept.push(ELLIPSIS);
                columns_before += 1;
            }
            return (kept, columns_before);
        }
        kept.push(c);
        columns += more;
        if columns < columns_max {
            (bytes_before, columns_before) = (kept.len(), columns);
        }
    }
    (kept, columns)
}

/// A line that is being written. It never gets wider than it may be.
pub(super) struct Line {
    text: String,
    columns: usize,
    columns_max: usize,
    is_coloured: bool,
}

impl Line {
    /// An empty line that may get so wide.
    pub(super) fn new(columns_max: usize, is_coloured: bool) -> Line {
        Line { text: String::new(), columns: 0, columns_max, is_coloured }
    }

    /// The columns that are left.
    pub(super) fn left(&self) -> usize {
        self.columns_max - self.columns
    }

    /// Adds as much of a text as fits.
    pub(super) fn put(&mut self, text: &str, style: Style) {
        let (text, columns) = cut(text, self.left());
        if self.is_coloured && columns > 0 {
            self.text.push_str(&format!("{style}{text}{style:#}"));
        } else {
            self.text.push_str(&text);
        }
        self.columns += columns;
    }

    /// Adds a text and fills up with blanks, so that it takes exactly so many columns and those of a gap.
    pub(super) fn cell(&mut self, text: &str, columns: usize, style: Style) {
        let (text, taken) = cut(text, columns);
        self.put(&text, style);
        self.blanks(columns - taken);
        self.gap();
    }

    /// Adds what stands between two things.
    pub(super) fn gap(&mut self) {
        self.blanks(GAP.len());
    }

    /// Adds so many blanks, or as many as fit.
    pub(super) fn blanks(&mut self, columns: usize) {
        let columns = columns.min(self.left());
        self.text.extend(std::iter::repeat_n(' ', columns));
        self.columns += columns;
    }

    /// Whether a whole text can be appended.
    pub(super) fn has_room_for(&self, text: &str) -> bool {
        self.columns == 0 || GAP.len() + width(text) <= self.left()
    }

    /// Adds a text, with a gap before it unless it is the first.
    pub(super) fn append(&mut self, text: &str, style: Style) {
        if self.columns > 0 {
            self.gap();
        }
        self.put(text, style);
    }

    /// The line, without blanks at its end.
    pub(super) fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_the_columns_it_takes() {
        let cases = [
            // (text, columns, what is left, columns it takes)
            ("Available", 9, "Available", 9),
            ("Available", 10, "Available", 9),
            ("Available", 8, "Availab…", 8),
            ("Für Chats verfügbar", 10, "Für Chats…", 10),
            ("", 5, "", 0),
            ("Available", 1, "…", 1),
            ("Available", 0, "", 0),
            // Two columns each: the ellipsis takes the place of a whole one.
            ("対応可能", 8, "対応可能", 8),
            ("対応可能", 7, "対応可…", 7),
            ("対応可能", 6, "対応…", 5),
            ("対応可能", 1, "…", 1),
            // A mark stays with its letter, and a third one goes.
            ("Fu\u{308}r Chats", 4, "Fu\u{308}r…", 4),
            ("e\u{301}\u{302}\u{303}x", 2, "e\u{301}\u{302}x", 2),
        ];
        for (text, columns, kept, taken) in cases {
            assert_eq!(cut(text, columns), (kept.to_owned(), taken), "{text} in {columns} columns");
        }
    }

    #[test]
    fn what_would_move_the_cursor_is_not_shown() {
        let cases = [
            ("On\nBreak\tnow", "On Break now"),
            ("\u{1b}[2JAway\u{7}", "[2JAway"),
            ("\u{202e}yawA\u{202c}", "yawA"),
            ("Away\u{2028}now", "Away now"),
            ("👩\u{200d}💻\u{fe0f}", "👩💻"),
            ("👍\u{1f3fd}", "👍"),
        ];
        for (text, shown) in cases {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_line_never_gets_wider_than_it_may_be() {
        for columns in 0..40 {
            let mut line = Line::new(columns, false);
            line.cell("対応可能", 5, Style::new());
            line.cell("Für Chats verfügbar", 12, Style::new());
            line.append("in step", Style::new());
            line.blanks(3);
            line.put("対応", Style::new());
            let line = line.finish();
            assert!(width(&line) <= columns, "{line:?} in {columns}");
        }
    }

    #[test]
    fn a_cell_takes_its_columns_whatever_is_in_it() {
        for text in ["", "Away", "対応可能です", "Für Chats verfügbar"] {
            let mut line = Line::new(80, false);
            line.cell(text, 7, Style::new());
            line.put("|", Style::new());
            assert_eq!(width(&line.finish()), 7 + 2 + 1, "{text}");
        }
    }
}
