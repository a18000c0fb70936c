//! How much of its calls of a day the org has used, as every answer tells.

use std::sync::{Mutex, PoisonError};

use crate::connectors::http::Usage;

/// Of a hundred: where somebody is warned, the highest first.
const MARKS: [u64; 2] = [95, 80];
/// So far below a mark somebody is warned of it anew: a figure that swings around it warns once.
const BACK: u64 = 5;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    usage: Option<Usage>,
    /// The mark that was told last; 0 where none was.
    told: u64,
}

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) usage: Usage,
    /// A mark that was passed, of a hundred.
    pub(super) passed: Option<u64>,
}

impl Meter {
    /// What is used now; none before the first answer.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).usage
    }

    /// Takes note of what an answer tells; says what is other than before.
    pub(super) fn note(&self, text: &str) -> Option<Changed> {
        let usage = parse(text)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.usage == Some(usage) {
            return None;
        }
        known.usage = Some(usage);
        let percent = usage.used.saturating_mul(100) / usage.max.max(1);
        let mark = MARKS.into_iter().find(|mark| percent >= *mark).unwrap_or(0);
        let passed = (mark > known.told).then_some(mark);
        if passed.is_some() || percent + BACK < known.told {
            known.told = mark;
        }
        Some(Changed { usage, passed })
    }
}

/// `api-usage=18/15000`; more may follow it.
fn parse(text: &str) -> Option<Usage> {
    let mut parts = text.split([';', ',']).map(str::trim);
    let (used, max) = parts.find_map(|part| part.strip_prefix("api-usage="))?.split_once('/')?;
    let max = max.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(Usage { used: used.trim().parse().ok()?, max: max.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_read_from_the_header() {
        for (text, expected) in [
            ("api-usage=18/15000", Some((18, 15_000))),
            ("api-usage=10018/100000; per-app-api-usage=17/250(appName=sample)", Some((10_018, 100_000))),
            ("per-app-api-usage=17/250(appName=sample), api-usage=1/5", Some((1, 5))),
            ("per-app-api-usage=17/250", None),
            ("api-usage=18", None),
            ("api-usage=/15000", None),
            ("api-usage=-1/15000", None),
            ("api-usage=18/", None),
            ("", None),
        ] {
            let found = parse(text).map(|usage| (usage.used, usage.max));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn somebody_is_warned_once_at_each_mark() {
        let meter = Meter::default();
        assert_eq!(meter.usage(), None);
        for (used, passed) in [
            (10, None),
            (79, None),
            (80, Some(80)),
            (81, None),
            (78, None),
            (80, None),
            (94, None),
            (95, Some(95)),
            (91, None),
            (96, None),
            (89, None),
            (95, Some(95)),
            (10, None),
            (99, Some(95)),
            (120, None),
        ] {
            let changed = meter.note(&format!("api-usage={used}/100"));
            assert_eq!(changed, Some(Changed { usage: Usage { used, max: 100 }, passed }), "{used}");
        }
        assert_eq!(meter.note("api-usage=120/100"), None, "nothing changed");
        assert_eq!(meter.note("soon"), None);
        assert_eq!(meter.usage(), Some(Usage { used: 120, max: 100 }));
        assert_eq!(Meter::default().note("api-usage=0/0").map(|changed| changed.passed), Some(None));
    }
}
