//! The terminal: taken for the demo, drawn on, and given back whatever happens.

use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use crossterm::Command;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event};
use crossterm::style::{Attribute, SetAttribute};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen,
};

use super::looks::Looks;
use super::render;
use super::view::{Asked, View};

/// Whether the terminal is the demo's, and has to be given back.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Columns and rows of a terminal that does not know its size, as those of a container that was just begun.
const SIZE_UNTOLD: (u16, u16) = (80, 24);

/// The live table. There is at most one; the terminal is given back when it is dropped.
pub(in crate::cli::demo) struct Screen {
    looks: Looks,
    /// What was shown last: keys mean what somebody saw when pressing them.
    seen: View,
    /// The lines that are on the terminal.
    drawn: Vec<String>,
    /// Columns and rows of the terminal when they were drawn.
    size: (u16, u16),
}

impl Screen {
    /// Takes the terminal. The choices are the statuses that somebody can be set to.
    ///
    /// # Errors
    /// Stdout is no terminal, or cannot be written to.
    pub(in crate::cli::demo) fn begin(choices: Vec<String>) -> io::Result<Screen> {
        if !io::stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "standard output is no terminal"));
        }
        give_back_at_panic();
        terminal::enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        let is_coloured = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        // From here on it is given back when this is dropped, be it by an error.
        let screen = Screen {
            looks: Looks::new(choices, is_coloured),
            seen: View::default(),
            drawn: Vec::new(),
            size: (0, 0),
        };
        let mut text = String::new();
        add(&mut text, EnterAlternateScreen);
        add(&mut text, Hide);
        add(&mut text, DisableLineWrap);
        draw(&text)?;
        Ok(screen)
    }

    /// Shows a view.
    ///
    /// # Errors
    /// The terminal cannot be asked for its size or written to, or was given back because something panicked.
    pub(in crate::cli::demo) fn show(&mut self, view: &View) -> io::Result<()> {
        self.seen = view.clone();
        self.refresh()
    }

    /// What has been asked for at the keyboard since the last call. It does not wait.
    ///
    /// What a key changes on the screen is seen at once.
    ///
    /// # Errors
    /// The keyboard cannot be read, or as with [`Screen::show`].
    pub(in crate::cli::demo) fn asked(&mut self) -> io::Result<Vec<Asked>> {
        let (mut asked, mut has_changed) = (Vec::new(), false);
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                asked.extend(self.looks.key(key, &self.seen));
            }
            has_changed = true;
        }
        if has_changed {
            self.refresh()?;
        }
        Ok(asked)
    }

    fn refresh(&mut self) -> io::Result<()> {
        let size = match terminal::size()? {
            (0, 0) => SIZE_UNTOLD,
            size => size,
        };
        let mut text = String::new();
        if size != self.size {
            add(&mut text, Clear(ClearType::All));
            self.drawn.clear();
            self.size = size;
        }
        self.looks.page_rows = render::page_rows(&self.seen, &self.looks, size);
        let frame = render::render(&self.seen, &self.looks, size);
        text.push_str(&changes(&self.drawn, &frame));
        self.drawn = frame;
        draw(&text)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where it cannot be given back there is no one left to tell.
        let _ = give_back();
    }
}

/// What brings a terminal from some lines to others: those that differ, and nothing if none does.
pub(super) fn changes(before: &[String], after: &[String]) -> String {
    let mut text = String::new();
    for (row, (place, line)) in (0..).zip(after.iter().enumerate()) {
        if before.get(place) == Some(line) {
            continue;
        }
        if text.is_empty() {
            add(&mut text, BeginSynchronizedUpdate);
        }
        add(&mut text, MoveTo(0, row));
        // Before the line is written: behind one that fills its row the cursor still stands on its last letter.
        add(&mut text, Clear(ClearType::UntilNewLine));
        text.push_str(line);
    }
    if !text.is_empty() {
        add(&mut text, EndSynchronizedUpdate);
    }
    text
}

fn add(text: &mut String, command: impl Command) {
    // Writing to a String cannot fail.
    let _ = command.write_ansi(text);
}

/// Writes to a terminal that is the demo's.
fn draw(text: &str) -> io::Result<()> {
    // Whoever gives it back waits for this lock, so nothing is drawn on a terminal that is no longer ours.
    let mut out = io::stdout().lock();
    if !IS_TAKEN.load(Ordering::SeqCst) {
        return Err(io::Error::other("the terminal was given back because something panicked"));
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Gives the terminal back as it was, if that has not been done.
fn give_back() -> io::Result<()> {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let mut text = String::new();
    add(&mut text, EndSynchronizedUpdate);
    add(&mut text, SetAttribute(Attribute::Reset));
    add(&mut text, EnableLineWrap);
    add(&mut text, Show);
    add(&mut text, LeaveAlternateScreen);
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    terminal::disable_raw_mode().and(written)
}

/// Has a panic, on any thread, give the terminal back before it is told, so that it can be read.
fn give_back_at_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let _ = give_back();
            before(panic);
        }));
    });
}
