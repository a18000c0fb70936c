//! The words that the table and the plain lines share, so that both tell the same.

use std::time::Duration;

use anstyle::Style;

use super::view::{Fault, Standing, Totals};
use crate::cli::output::{DIM, GREEN, RED, YELLOW};

/// `1:02:03`.
pub(super) fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `10,000`.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in (0..digits.len()).rev().zip(digits.chars()) {
        text.push(digit);
        if place > 0 && place % 3 == 0 {
            text.push(',');
        }
    }
    text
}

/// The totals, most telling first, each with how it is shown.
pub(super) fn totals(totals: &Totals) -> Vec<(String, Style)> {
    let is_whole = totals.in_step == totals.agents;
    let (salesforce, cxone) = totals.calls;
    let counted = |what: &str, n: u64| (format!("{what} {}", number(n)), Style::new());
    let wrong =
        |what: &str, n: u64| (format!("{what} {}", number(n)), if n > 0 { RED } else { Style::new() });
    let sync = match totals.sync_ms {
        Some((p50, p99)) => format!("sync p50 {} ms, p99 {} ms", number(p50), number(p99)),
        None => "sync not measured yet".to_owned(),
    };
    vec![
        (
            format!("in step {} of {}", number(totals.in_step), number(totals.agents)),
            if is_whole { GREEN } else { YELLOW },
        ),
        wrong("diverged", totals.diverged),
        wrong("dead letters", totals.dead_letters),
        counted("corrections", totals.corrections),
        counted("changes", totals.changes),
        counted("commands", totals.commands),
        counted("echoes", totals.echoes),
        (sync, Style::new()),
        (format!("calls Salesforce {}, CXone {}", number(salesforce), number(cxone)), Style::new()),
    ]
}

/// A fault and whether it is on.
pub(super) fn fault(fault: &Fault) -> (String, Style) {
    let (state, style) = if fault.is_on { ("ON", RED) } else { ("off", Style::new()) };
    (format!("[{}] {}: {state}", fault.key, fault.name), style)
}

/// Whether somebody is in step, in at most 8 columns.
pub(super) fn standing(standing: Standing) -> (&'static str, Style) {
    match standing {
        Standing::InStep => ("yes", GREEN),
        Standing::Waiting => ("waiting", YELLOW),
        Standing::Busy => ("busy", Style::new()),
        Standing::Out => ("NO", RED),
        Standing::Off => ("off", DIM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ];
        for (n, text) in cases {
            assert_eq!(number(n), text);
        }
    }

    #[test]
    fn a_clock_does_not_end_at_a_day() {
        let cases = [(0, "0:00:00"), (59, "0:00:59"), (3_723, "1:02:03"), (100 * 3_600, "100:00:00")];
        for (seconds, text) in cases {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }
}
