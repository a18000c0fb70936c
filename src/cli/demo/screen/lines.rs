//! The same facts where there is no terminal: plain lines.

use std::io::{self, Write};
use std::time::Duration;

use super::text;
use super::view::View;
use super::words;

/// Writes the totals every now and then, and each of the news once.
pub(in crate::cli::demo) struct Lines {
    every: Duration,
    /// When the totals are due, on the clock of the views.
    due: Duration,
    /// The news of the view before.
    told: Vec<String>,
    /// Stdout is for something else.
    to_stderr: bool,
}

impl Lines {
    /// The totals come so often, by the time of the views; at once for the first.
    pub(in crate::cli::demo) fn new(every: Duration, to_stderr: bool) -> Lines {
        Lines { every, due: Duration::ZERO, told: Vec::new(), to_stderr }
    }

    /// Writes what is new and what is due, and flushes.
    ///
    /// # Errors
    /// It cannot be written; the kind is `BrokenPipe` if the reader has seen enough.
    pub(in crate::cli::demo) fn show(&mut self, view: &View) -> io::Result<()> {
        let text = self.text(view);
        if text.is_empty() {
            return Ok(());
        }
        let mut out: Box<dyn Write> =
            if self.to_stderr { Box::new(io::stderr().lock()) } else { Box::new(io::stdout().lock()) };
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn text(&mut self, view: &View) -> String {
        let clock = words::clock(view.elapsed);
        let mut text = String::new();
        for news in fresh(&self.told, &view.news) {
            text.push_str(&format!("{clock} {}\n", text::plain(news)));
        }
        self.told.clone_from(&view.news);
        if view.elapsed >= self.due {
            self.due = view.elapsed + self.every;
            let mut facts: Vec<String> =
                words::totals(&view.totals).into_iter().map(|(words, _)| words).collect();
            let on = view.faults.iter().filter(|fault| fault.is_on);
            facts.extend(on.map(|fault| format!("fault on: {}", fault.name)));
            text.push_str(&format!("{clock} {}\n", facts.join("; ")));
        }
        text
    }
}

/// The news that were not among those told: what follows the longest beginning that those ended with.
fn fresh<'n>(told: &[String], news: &'n [String]) -> &'n [String] {
    let known = |count| {
        let (old, new) = news.split_at_checked(count)?;
        told.ends_with(old).then_some(new)
    };
    (0..=news.len()).rev().find_map(known).unwrap_or(news)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::screen::view::{Fault, Totals};

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn each_of_the_news_is_told_once() {
        let cases: &[(&[&str], &[&str], &[&str])] = &[
            // (told before, news now, told now)
            (&[], &[], &[]),
            (&[], &["a", "b"], &["a", "b"]),
            (&["a", "b"], &["a", "b"], &[]),
            (&["a", "b"], &["a", "b", "c"], &["c"]),
            (&["a", "b", "c"], &["b", "c", "d"], &["d"]),
            (&["a", "b"], &["c", "d"], &["c", "d"]),
            // What happens twice is told twice.
            (&["a", "b"], &["a", "b", "b"], &["b"]),
            (&["a", "b"], &["b", "a"], &["a"]),
            (&["a", "b"], &[], &[]),
        ];
        for (told, news, new) in cases {
            assert_eq!(fresh(&words(told), &words(news)), words(new), "{told:?}, then {news:?}");
        }
    }

    #[test]
    fn the_totals_come_when_they_are_due_and_the_news_at_once() {
        let mut lines = Lines::new(Duration::from_secs(5), false);
        let mut view = View {
            totals: Totals { agents: 1_000, in_step: 998, sync_ms: Some((120, 800)), ..Totals::default() },
            faults: vec![
                Fault { key: '1', name: "CXone down", is_on: true },
                Fault { key: '2', name: "Salesforce down", is_on: false },
            ],
            ..View::default()
        };
        let totals = "in step 998 of 1,000; diverged 0; dead letters 0; corrections 0; changes 0; commands 0; \
                      echoes 0; sync p50 120 ms, p99 800 ms; calls Salesforce 0, CXone 0; fault on: CXone down";
        assert_eq!(lines.text(&view), format!("0:00:00 {totals}\n"));

        view.elapsed = Duration::from_secs(2);
        view.news = words(&["1001 went\nto lunch"]);
        assert_eq!(lines.text(&view), "0:00:02 1001 went to lunch\n");

        view.elapsed = Duration::from_secs(4);
        assert_eq!(lines.text(&view), "");

        view.elapsed = Duration::from_secs(6);
        view.news = words(&["1001 went\nto lunch", "CXone is back"]);
        assert_eq!(lines.text(&view), format!("0:00:06 CXone is back\n0:00:06 {totals}\n"));

        view.elapsed = Duration::from_secs(10);
        assert_eq!(lines.text(&view), "");
        view.elapsed = Duration::from_secs(11);
        assert_eq!(lines.text(&view), format!("0:00:11 {totals}\n"));
    }
}
