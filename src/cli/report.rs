//! Mistakes as people and programs read them.

use std::fmt::Write;

use serde::Serialize;

use lockstep::document::{Document, Mistake, Mistakes, Severity};

use super::output::{DIM, RED, YELLOW};

/// A mistake as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Row<'m> {
    severity: &'static str,
    kind: &'m str,
    file: &'m str,
    line: usize,
    column: usize,
    message: &'m str,
    story: &'m [String],
    mend: Option<&'m str>,
}

/// The mistakes of a document, for `--json`.
pub(super) fn rows<'m>(document: &'m Document, mistakes: &'m Mistakes) -> Vec<Row<'m>> {
    let mut positions = document.positions();
    let row = |mistake: &'m Mistake| {
        let (line, column) = positions.of(mistake.place);
        Row {
            severity: match mistake.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            kind: mistake.kind,
            file: document.name(),
            line,
            column,
            message: &mistake.what,
            story: &mistake.story,
            mend: mistake.mend.as_deref(),
        }
    };
    mistakes.in_order().into_iter().map(row).collect()
}

/// The mistakes of a document: `FILE:LINE:COLUMN: error: ...`, the story, and how to mend it.
pub(super) fn text(document: &Document, mistakes: &Mistakes) -> String {
    let mut text = String::new();
    let mut positions = document.positions();
    for mistake in mistakes.in_order() {
        let (line, column) = positions.of(mistake.place);
        let colour = match mistake.severity {
            Severity::Error => RED,
            Severity::Warning => YELLOW,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}:{line}:{column}: {colour}{}:{colour:#} {} {DIM}[{}]{DIM:#}",
            document.name(),
            mistake.severity,
            mistake.what,
            mistake.kind
        );
        for (number, step) in (1..).zip(&mistake.story) {
            let _ = writeln!(text, "    {number}. {step}");
        }
        if let Some(mend) = &mistake.mend {
            let _ = writeln!(text, "    {DIM}mend:{DIM:#} {mend}");
        }
    }
    text
}

/// `2 errors, 1 warning`.
pub(super) fn count(errors: usize, warnings: usize) -> String {
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}
