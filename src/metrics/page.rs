//! `docs/metrics.md` is held to the code, and the names to what `promtool check metrics` asks of them.

use std::collections::BTreeSet;

use prometheus::core::Collector;
use prometheus::proto::MetricType;

use super::Metrics;
use super::maker::Maker;

const PAGE: &str = include_str!("../../docs/metrics.md");
/// Other pages that name metrics.
const PAGES: [&str; 4] = [
    include_str!("../../docs/bridge.md"),
    include_str!("../../docs/cxone.md"),
    include_str!("../../docs/processor.md"),
    include_str!("../../docs/salesforce.md"),
];

/// A metric as it is registered.
struct Known {
    name: String,
    kind: MetricType,
    labels: Vec<String>,
    help: String,
}

impl Known {
    /// The row of the page.
    fn row(&self) -> String {
        let kind = match self.kind {
            MetricType::COUNTER => "counter",
            MetricType::HISTOGRAM => "histogram",
            _ => "gauge",
        };
        let labels: Vec<String> = self.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {kind} | {} | {} |", self.name, labels.join(", "), self.help)
    }
}

fn known() -> Vec<Known> {
    let mut maker = Maker::default();
    Metrics::make(&mut maker).unwrap();
    let of = |collector: &dyn Collector| {
        let families = collector.collect();
        let known = collector.desc().into_iter().map(|desc| {
            let family = families.iter().find(|family| family.name() == desc.fq_name).unwrap();
            let constant = desc.const_label_pairs.iter().map(|pair| pair.name().to_owned());
            Known {
                name: desc.fq_name.clone(),
                kind: family.get_field_type(),
                labels: constant.chain(desc.variable_labels.iter().cloned()).collect(),
                help: desc.help.clone(),
            }
        });
        known.collect::<Vec<_>>()
    };
    maker.made().iter().flat_map(|collector| of(&**collector)).collect()
}

#[test]
fn every_metric_stands_in_the_page_and_no_other() {
    let rows: BTreeSet<String> = known().iter().map(Known::row).collect();
    let written: BTreeSet<String> =
        PAGE.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
    let missing: Vec<_> = rows.difference(&written).collect();
    let superfluous: Vec<_> = written.difference(&rows).collect();
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "docs/metrics.md lacks {missing:#?}\nand has, and should not, {superfluous:#?}"
    );
}

#[test]
fn no_page_names_a_metric_that_is_none() {
    let names: BTreeSet<String> = known().into_iter().map(|known| known.name).collect();
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    for page in PAGES.into_iter().chain([PAGE]) {
        for word in page.split(|c| !is_of_name(c)).filter(|word| word.starts_with("lockstep_")) {
            assert!(names.contains(word), "{word} is no metric");
        }
    }
}

/// The rules of promtool's linter, as far as names, help and units go.
#[test]
fn names_are_as_prometheus_wants_them() {
    const OTHER_UNITS: [&str; 8] =
        ["milliseconds", "microseconds", "minutes", "hours", "days", "kilobytes", "megabytes", "bits"];
    const ABBREVIATED: [&str; 9] = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "h"];
    const KINDS: [&str; 4] = ["counter", "gauge", "histogram", "summary"];
    for Known { name, kind, labels, help } in known() {
        let words: Vec<&str> = name.split('_').collect();
        let is_counter = kind == MetricType::COUNTER;
        assert!(!help.is_empty(), "{name} has no help text");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert_eq!(name.ends_with("_total"), is_counter, "{name}: counters end in _total, and no others");
        for suffix in ["_count", "_sum", "_bucket"] {
            assert!(!name.ends_with(suffix), "{name} ends in {suffix}");
        }
        for word in OTHER_UNITS.iter().chain(&ABBREVIATED).chain(&KINDS) {
            assert!(!words.contains(word), "{name} has {word} in it");
        }
        for label in ["le", "quantile"] {
            assert!(!labels.iter().any(|one| one == label), "{name} has the label {label}");
        }
    }
}
