//! What a command prints: its result on stdout, its errors on stderr, colours only on a terminal.

use std::io::{self, ErrorKind, Write};

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use serde::Serialize;

/// How a command that ran to its end came out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did what was asked.
    Done,
    /// It ran, and what it looked at is not in order.
    Failed,
}

pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// Prints a result.
pub(super) fn result(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader has seen enough, as `head` does: the command still ends with its own exit code.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Prints a result as JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write the result as JSON")?;
    text.push('\n');
    result(&text)
}

/// Prints something beside the result, on stderr.
pub(super) fn aside(text: &str) {
    let mut err = anstream::AutoStream::auto(io::stderr().lock());
    // Where stderr is closed there is no one left to tell.
    let _ = err.write_all(text.as_bytes());
}

/// Prints an error with everything that led to it, on one line.
pub(super) fn error(error: &anyhow::Error) {
    aside(&format!("{RED}error:{RED:#} {error:#}\n"));
}
