//! Files that people write: TOML or JSON text, read into one tree in which every value knows its place,
//! so that every mistake in a file is reported at once, with its line.
//!
//! [`Document::read`] gives a raw serde struct whose fields are [`Field`]s: a field that is wrong is
//! recorded as a [`Mistake`] and the rest is read on. Rules, directory and configuration are all read so.

mod field;
mod json;
mod mistake;
mod names;
mod reader;
#[cfg(test)]
mod tests;
mod toml;

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub use field::{Entries, Field, Placed};
pub use mistake::{Mistake, Mistakes, Place, Severity};
pub use names::{Names, all_of, nearest, normal, one_of, quoted};

/// The largest file that is read, in bytes: a directory of 1,000,000 agents fits.
pub const SIZE_BYTES_MAX: u64 = 512 << 20;

/// Deeper nesting than any file here has is refused.
const DEPTH_MAX: usize = 64;

/// Why a file could not be taken as a text at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is larger than [`SIZE_BYTES_MAX`].
    #[error("{} is larger than {} MiB: is it the right file?", path.display(), SIZE_BYTES_MAX >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8.
    #[error("{} is not UTF-8 text from line {line} on: save it as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line of the first byte that is not.
        line: usize,
    },
}

/// The two syntaxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// TOML 1.1.
    Toml,
    /// JSON (RFC 8259).
    Json,
}

/// A text with the name by which mistakes in it are reported.
#[derive(Debug)]
pub struct Document {
    name: String,
    text: String,
    syntax: Syntax,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl Document {
    /// Opens a file; one whose name ends in `.json` is JSON, any other TOML.
    ///
    /// # Errors
    /// The file cannot be read, is too large or is not UTF-8.
    pub fn open(path: &Path) -> Result<Document, Error> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(SIZE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > SIZE_BYTES_MAX {
            return Err(Error::TooLarge { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let good = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
            let line = 1 + good.iter().filter(|b| **b == b'\n').count();
            Error::NotUtf8 { path: path.to_owned(), line }
        })?;
        let json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let syntax = if json { Syntax::Json } else { Syntax::Toml };
        Ok(Document::new(path.display().to_string(), text, syntax))
    }

    /// A text that is at hand.
    pub fn new(name: impl Into<String>, text: impl Into<String>, syntax: Syntax) -> Document {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        let begins = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        let lines = std::iter::once(0).chain(begins).collect();
        Document { name: name.into(), text, syntax, lines }
    }

    /// The name by which mistakes are reported.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line of a place, from 1.
    pub fn line(&self, place: Place) -> usize {
        self.lines.partition_point(|begin| *begin <= place.start())
    }

    /// Finds lines and columns of many places.
    pub fn positions(&self) -> Positions<'_> {
        Positions { document: self, line: 0, column: 1, at: 0 }
    }

    /// Reads the text into `T`, whose fields are [`Field`]s, and adds every mistake of syntax and shape
    /// to `mistakes`. `None` only where the text cannot be parsed at all, or its outermost shape is wrong.
    pub fn read<T: DeserializeOwned>(&self, mistakes: &mut Mistakes) -> Option<T> {
        let node = match self.syntax {
            Syntax::Toml => toml::parse(self, mistakes),
            Syntax::Json => json::parse(&self.text, mistakes),
        }?;
        reader::read(&node, mistakes)
    }
}

/// Finds lines and columns. For places in the order of the text it walks through the text once, though it may
/// be one line of many megabytes, as JSON often is.
#[derive(Debug)]
pub struct Positions<'d> {
    document: &'d Document,
    line: usize,
    column: usize,
    at: usize,
}

impl Positions<'_> {
    /// Line and column of a place, both from 1, the column in characters.
    pub fn of(&mut self, place: Place) -> (usize, usize) {
        let Document { text, lines, .. } = self.document;
        let line = self.document.line(place);
        let place = place.start().min(text.len());
        if line != self.line || place < self.at {
            let begin = line.checked_sub(1).and_then(|i| lines.get(i)).copied().unwrap_or(0);
            (self.line, self.column, self.at) = (line, 1, begin);
        }
        self.column += text.get(self.at..place).unwrap_or_default().chars().count();
        self.at = place;
        (self.line, self.column)
    }
}

/// A value of a text and where it stands.
#[derive(Debug)]
struct Node<'t> {
    place: Place,
    value: Value<'t>,
}

/// What TOML and JSON have in common, as far as files here need it.
#[derive(Debug)]
enum Value<'t> {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(Cow<'t, str>),
    Array(Vec<Node<'t>>),
    /// In the order of the text; each key once.
    Table(Vec<(Node<'t>, Node<'t>)>),
}

impl Value<'_> {
    /// The kind of the value, never the value: it may be a secret in the wrong place.
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing (null)",
            Value::Boolean(_) => "a boolean",
            Value::Integer(_) => "a number",
            Value::Float(_) => "a fraction",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}
