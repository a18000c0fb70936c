//! What is wrong in a text, where, and what to write instead.

use std::fmt;

/// A place in a text: the byte at which a key or value begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(usize);

impl Place {
    /// The place that begins at this byte.
    pub const fn at(start: usize) -> Self {
        Place(start)
    }

    /// The byte at which it begins.
    pub const fn start(self) -> usize {
        self.0
    }
}

/// How bad a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but may not do what its author meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where it is.
    pub place: Place,
    /// How bad it is.
    pub severity: Severity,
    /// Its kind, in words joined by hyphens: `unknown-status`.
    pub kind: &'static str,
    /// What is wrong, in one sentence without a full stop.
    pub what: String,
    /// A history that shows the harm, one step a line.
    pub story: Vec<String>,
    /// What to write instead.
    pub mend: Option<String>,
}

impl Mistake {
    /// Adds what to write instead.
    pub fn mend(&mut self, mend: impl Into<String>) -> &mut Self {
        self.mend = Some(mend.into());
        self
    }

    /// Adds what to write instead, if there is anything to say.
    pub fn mend_if(&mut self, mend: Option<impl Into<String>>) -> &mut Self {
        self.mend = mend.map(Into::into);
        self
    }

    /// Adds a history that shows the harm.
    pub fn story(&mut self, story: Vec<String>) -> &mut Self {
        self.story = story;
        self
    }
}

/// All that is wrong in one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// None yet.
    pub const fn new() -> Self {
        Mistakes(Vec::new())
    }

    /// Records an error.
    pub fn error(&mut self, place: Place, kind: &'static str, what: impl Into<String>) -> &mut Mistake {
        self.add(Severity::Error, place, kind, what.into())
    }

    /// Records a warning.
    pub fn warning(&mut self, place: Place, kind: &'static str, what: impl Into<String>) -> &mut Mistake {
        self.add(Severity::Warning, place, kind, what.into())
    }

    fn add(&mut self, severity: Severity, place: Place, kind: &'static str, what: String) -> &mut Mistake {
        self.0.push(Mistake { severity, kind, place, what, story: Vec::new(), mend: None });
        let last = self.0.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "pushed in the line above")]
        &mut self.0[last]
    }

    /// How many errors there are; one that was found twice counts once.
    pub fn errors(&self) -> usize {
        self.in_order().iter().filter(|m| m.severity == Severity::Error).count()
    }

    /// How many warnings there are; one that was found twice counts once.
    pub fn warnings(&self) -> usize {
        self.in_order().iter().filter(|m| m.severity == Severity::Warning).count()
    }

    /// Whether nothing is wrong at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them in the order of the text, each once.
    pub fn in_order(&self) -> Vec<&Mistake> {
        let mut all: Vec<&Mistake> = self.0.iter().collect();
        all.sort();
        all.dedup();
        all
    }
}
