//! The alerts, by promtool: each fires when it should and is quiet when it should, and tells an operator what to do.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::witness::{agrees, text, witness, yaml};

const RULES: &str = "deploy/prometheus/lockstep.rules.yml";
const TESTS: &str = "deploy/prometheus/lockstep.rules.test.yml";

/// All alerts, as the file has them.
pub(crate) fn alerts() -> Vec<Value> {
    let rules = yaml(&text(RULES));
    let groups = rules["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn promtool(arguments: &[&str]) -> String {
    agrees(Command::new(witness("LOCKSTEP_TEST_PROMETHEUS").join("promtool")).args(arguments))
}

#[test]
fn promtool_takes_the_configuration_and_the_rules() {
    promtool(&["check", "config", "deploy/prometheus/prometheus.yml"]);
    promtool(&["check", "rules", RULES]);
}

#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    promtool(&["test", "rules", TESTS]);
    // And none is left out of it: of each there is a time at which it fires, and one at which it does not.
    let tests = yaml(&text(TESTS));
    let cases = tests["tests"].as_array().unwrap().iter();
    let asked: Vec<&Value> =
        cases.flat_map(|case| case["promql_expr_test"].as_array().into_iter().flatten()).collect();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let query = format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\"}}");
        let of_it = asked.iter().filter(|asked| asked["expr"] == *query);
        let (quiet, fires): (Vec<&&Value>, Vec<&&Value>) =
            of_it.partition(|asked| asked["exp_samples"].as_array().unwrap().is_empty());
        assert!(!fires.is_empty() && !quiet.is_empty(), "{name} has no test");
    }
}

#[test]
fn each_alert_says_what_it_means_and_where_to_read_what_to_do() {
    let page = text("docs/deploy.md");
    let headings: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut told = BTreeSet::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let of = |key: &str| alert["annotations"][key].as_str().unwrap_or_default().to_owned();
        assert!(name.starts_with("Lockstep"), "{name}");
        assert!(!of("summary").is_empty() && of("description").ends_with('.'), "{name}");
        assert!(matches!(alert["labels"]["severity"].as_str(), Some("critical" | "warning")), "{name}");
        assert_eq!(of("runbook"), format!("docs/deploy.md#{}", name.to_lowercase()));
        assert!(headings.contains(name), "docs/deploy.md has no heading {name}");
        told.insert(name.to_owned());
    }
    let alone: Vec<&&str> = headings
        .iter()
        .filter(|heading| heading.starts_with("Lockstep") && !told.contains(**heading))
        .collect();
    assert!(alone.is_empty(), "no alert: {alone:?}");
}
