//! What was looked at, what was found, and what to do.

use std::fmt::Write;

use anstyle::Style;
use serde::Serialize;

use crate::cli::output::{DIM, GREEN, RED, YELLOW};

/// Lines are not longer, where words allow it.
const LINE_CHARS_MAX: usize = 80;
/// Where what was found begins in a line.
const INDENT: usize = 11;
/// So many of a kind are named.
const NAMED_MAX: usize = 5;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and somebody should look.
    Warning,
    /// It does not work, or will not.
    Failed,
    /// It could not be asked.
    Unknown,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
            Verdict::Unknown => "unknown",
        }
    }

    const fn style(self) -> Style {
        match self {
            Verdict::Ok => GREEN,
            Verdict::Warning => YELLOW,
            Verdict::Failed => RED,
            Verdict::Unknown => DIM,
        }
    }
}

/// A check, as `--json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    #[serde(skip)]
    group: &'static str,
    /// What is checked, in words joined by hyphens. It stays the same from release to release.
    pub(super) id: &'static str,
    /// Of what: an account, a file, a rule; empty where there is one only.
    about: String,
    /// How it is.
    pub(super) result: Verdict,
    /// What was found.
    what: String,
    /// What to do; none where it is as it should be.
    mend: Option<String>,
}

/// All checks, in the order in which they are shown.
#[derive(Debug, Default)]
pub(super) struct Report {
    group: &'static str,
    checks: Vec<Check>,
}

/// The result as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Told<'r> {
    checks: &'r [Check],
    ok: usize,
    warning: usize,
    failed: usize,
    unknown: usize,
}

impl Report {
    /// What follows belongs together.
    pub(super) const fn group(&mut self, name: &'static str) {
        self.group = name;
    }

    /// It is as it should be.
    pub(super) fn ok(&mut self, id: &'static str, about: &str, what: impl Into<String>) {
        self.add(Verdict::Ok, id, about, what.into(), None);
    }

    /// It works, and somebody should look.
    pub(super) fn warning(
        &mut self,
        id: &'static str,
        about: &str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(Verdict::Warning, id, about, what.into(), Some(mend.into()));
    }

    /// It does not work, or will not.
    pub(super) fn failed(
        &mut self,
        id: &'static str,
        about: &str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(Verdict::Failed, id, about, what.into(), Some(mend.into()));
    }

    /// It could not be asked, because of something.
    pub(super) fn unknown(&mut self, id: &'static str, about: &str, because: &str, mend: impl Into<String>) {
        self.add(Verdict::Unknown, id, about, format!("because {because}"), Some(mend.into()));
    }

    fn add(&mut self, result: Verdict, id: &'static str, about: &str, what: String, mend: Option<String>) {
        // Errors may have several lines, and a row has one.
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (about, what, mend) = (about.to_owned(), line(what), mend.map(line));
        self.checks.push(Check { group: self.group, id, about, result, what, mend });
    }

    /// How many came out so.
    pub(super) fn count(&self, result: Verdict) -> usize {
        self.checks.iter().filter(|check| check.result == result).count()
    }

    /// For `--json`.
    pub(super) fn told(&self) -> Told<'_> {
        Told {
            checks: &self.checks,
            ok: self.count(Verdict::Ok),
            warning: self.count(Verdict::Warning),
            failed: self.count(Verdict::Failed),
            unknown: self.count(Verdict::Unknown),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut group = "";
        for check in &self.checks {
            if check.group != group {
                group = check.group;
                let blank = if text.is_empty() { "" } else { "\n" };
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{blank}{group}");
            }
            text.push_str(&check.text());
        }
        let count = |verdict| self.count(verdict);
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let warnings = count(Verdict::Warning);
        let _ = writeln!(
            text,
            "\n{} ok, {warnings} warning{}, {} failed, {} unknown",
            count(Verdict::Ok),
            plural(warnings),
            count(Verdict::Failed),
            count(Verdict::Unknown)
        );
        text
    }
}

impl Check {
    fn text(&self) -> String {
        let Check { id, about, result, what, mend, .. } = self;
        let style = result.style();
        let of = if about.is_empty() { String::new() } else { format!(" ({about})") };
        let found = wrapped(&format!("{id}{of}: {what}"));
        let mut text = format!("  {style}{:<9}{style:#}{found}\n", result.name());
        if let Some(mend) = mend {
            let mend = wrapped(&format!("mend: {mend}"));
            let _ = writeln!(text, "{:INDENT$}{DIM}{mend}{DIM:#}", "");
        }
        text
    }
}

/// A text in lines that stand below each other. A word that is too long is not broken: it may be a path.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && INDENT + used + 1 + length > LINE_CHARS_MAX {
            let _ = write!(lines, "\n{:INDENT$}", "");
            used = 0;
        } else if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += length;
    }
    lines
}

/// The first of many, by their ids, and how many more there are.
pub(super) fn some_of<T: ToString>(all: &[T]) -> String {
    let first: Vec<String> = all.iter().take(NAMED_MAX).map(T::to_string).collect();
    match all.len().saturating_sub(NAMED_MAX) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.group("Bus");
        report.ok("bus", "", "127.0.0.1:9092 answers");
        report.group("Salesforce");
        report.failed(
            "log-in",
            "salesforce.emea",
            "the log-in is refused: invalid_grant\n (authentication failure)",
            "look at `user_name` and `password` (the security token is appended, and changes with the password)",
        );
        report.unknown("allowance", "salesforce.emea", "the log-in failed", "mend the log-in first");
        report.warning("clock", "cxone.emea", "2.5 s behind", "set this machine's clock");
        report
    }

    #[test]
    fn rows_are_grouped_and_fit_into_80_columns() {
        let plain = anstream::adapter::strip_str(&report().text()).to_string();
        let expected = "\
Bus
  ok       bus: 127.0.0.1:9092 answers

Salesforce
  failed   log-in (salesforce.emea): the log-in is refused: invalid_grant
           (authentication failure)
           mend: look at `user_name` and `password` (the security token is
           appended, and changes with the password)
  unknown  allowance (salesforce.emea): because the log-in failed
           mend: mend the log-in first
  warning  clock (cxone.emea): 2.5 s behind
           mend: set this machine's clock

1 ok, 1 warning, 1 failed, 1 unknown
";
        assert_eq!(plain, expected);
        assert!(plain.lines().all(|line| line.chars().count() <= LINE_CHARS_MAX), "{plain}");
    }

    #[test]
    fn json_has_each_check_and_how_many_there_are() {
        let report = report();
        let told = serde_json::to_value(report.told()).unwrap();
        assert_eq!(
            told,
            serde_json::json!({
                "checks": [
                    {"id": "bus", "about": "", "result": "ok", "what": "127.0.0.1:9092 answers", "mend": null},
                    {
                        "id": "log-in", "about": "salesforce.emea", "result": "failed",
                        "what": "the log-in is refused: invalid_grant (authentication failure)",
                        "mend": "look at `user_name` and `password` (the security token is appended, and changes with the password)",
                    },
                    {
                        "id": "allowance", "about": "salesforce.emea", "result": "unknown",
                        "what": "because the log-in failed", "mend": "mend the log-in first",
                    },
                    {
                        "id": "clock", "about": "cxone.emea", "result": "warning",
                        "what": "2.5 s behind", "mend": "set this machine's clock",
                    },
                ],
                "ok": 1, "warning": 1, "failed": 1, "unknown": 1,
            })
        );
    }

    #[test]
    fn of_many_the_first_are_named() {
        for (count, expected) in [
            (0, ""),
            (1, "1"),
            (5, "1, 2, 3, 4, 5"),
            (6, "1, 2, 3, 4, 5 and 1 more"),
            (12, "1, 2, 3, 4, 5 and 7 more"),
        ] {
            let all: Vec<u32> = (1..=count).collect();
            assert_eq!(some_of(&all), expected);
        }
    }

    #[test]
    fn a_word_that_is_too_long_stays_whole() {
        let path = "x".repeat(100);
        assert_eq!(
            wrapped(&format!("reading {path} failed")),
            format!("reading\n{:11}{path}\n{:11}failed", "", "")
        );
    }
}
