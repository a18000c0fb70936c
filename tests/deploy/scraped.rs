//! A real Prometheus reads a Lockstep that keeps simulated agents in step: what `/metrics` says, what the dashboard asks, what the alerts
//! ask, and that all of it is about metrics and labels that there are.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::ask::page;
use crate::dashboard::questions;
use crate::place::Place;
use crate::prometheus::Prometheus;
use crate::rules::alerts;
use crate::site::Site;
use crate::waiting::until;
use crate::witness::{text, witness};

/// Labels of things that do not happen where all is well: nobody is refused, and no connection ended.
const NOT_WHERE_ALL_IS_WELL: [&str; 5] = [
    r#"class!="done""#,
    r#"class=~"unauthorised|forbidden""#,
    r#"class="too_many""#,
    "lockstep_bridge_refused_total",
    "lockstep_bridge_ended_total",
];

/// What agents who are busy may cause for a while, even where all is well: their contacts hold commands, and that counts.
const NOW_AND_THEN: [&str; 2] = ["LockstepAgentsNotInStep", "LockstepSyncSlow"];

/// The names of metrics in a text: all that begins as they do.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("lockstep_") || word.starts_with("process_")).collect()
}

/// The metrics that `/metrics` shows, with what a histogram is made of.
fn shown(metrics: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in metrics.lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|told| told.split_once(' ')) else {
            continue;
        };
        all.insert(name.to_owned());
        if kind == "histogram" {
            all.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
        }
    }
    all
}

/// The series that an expression asks for: each name of a metric, with its labels.
fn selectors(expression: &str) -> Vec<String> {
    let mut all = Vec::new();
    for name in names(expression) {
        for (at, _) in expression.match_indices(name) {
            let after = &expression[at + name.len()..];
            let is_whole = !after.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
            if is_whole {
                let labels = after.strip_prefix('{').and_then(|rest| rest.split_once('}'));
                all.push(labels.map_or_else(|| name.to_owned(), |(labels, _)| format!("{name}{{{labels}}}")));
            }
        }
    }
    all
}

fn promtool_takes(metrics: &str) {
    let mut child = Command::new(witness("LOCKSTEP_TEST_PROMETHEUS").join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let complaints = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.success() && complaints.is_empty(), "{complaints}");
}

#[test]
fn a_real_prometheus_reads_it_and_answers_the_dashboard_and_the_alerts() {
    let place = Place::made("deployed");
    let site = Site::start(&place.0);
    let prometheus = Prometheus::start(&place.0, &site.target());
    until("Prometheus reads it", || prometheus.numbers(r#"up{job="lockstep"} == 1"#) == [1.0]);

    // Each question is answered, and what the site does is seen.
    let asked = questions();
    assert!(asked.len() > 40, "{}", asked.len());
    for asked in &asked {
        let quiet = NOT_WHERE_ALL_IS_WELL.iter().any(|quiet| asked.expression.contains(quiet));
        if quiet {
            prometheus.numbers(&asked.expression);
        } else {
            until(&format!("{asked:?} shows something"), || {
                !prometheus.numbers(&asked.expression).is_empty()
            });
        }
    }
    let in_step = &asked.iter().find(|asked| asked.panel == "In step").unwrap().expression;
    until("nearly all are in step", || prometheus.numbers(in_step).iter().any(|share| *share > 0.9));

    // Prometheus works on every alert, and wakes nobody where all is well.
    let rules = prometheus.get("api/v1/rules", &[]);
    let groups = rules["groups"].as_array().unwrap();
    let rules: Vec<_> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    let expected = alerts();
    assert_eq!(rules.len(), expected.len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    for alert in &expected {
        let name = alert["alert"].as_str().unwrap();
        let is_quiet = || prometheus.state(name) == "inactive";
        if NOW_AND_THEN.contains(&name) {
            assert_ne!(prometheus.state(name), "firing", "{name}");
        } else {
            until(&format!("{name} waits for nothing"), is_quiet);
        }
    }

    // Whatever is asked for is there: a name or a label with a mistake in it would be silent for ever.
    let metrics = page(site.ops, "/metrics");
    let (shown, documents) = (shown(&metrics), text("docs/metrics.md"));
    let documented = names(&documents);
    let alerts = expected.iter().map(|alert| alert["expr"].as_str().unwrap().to_owned());
    for expression in asked.into_iter().map(|asked| asked.expression).chain(alerts) {
        prometheus.get("api/v1/query", &[("query", &expression)]);
        for name in names(&expression) {
            assert!(shown.contains(name) || documented.contains(name), "{name} in {expression}");
        }
        for selector in selectors(&expression) {
            let quiet = NOT_WHERE_ALL_IS_WELL.iter().any(|quiet| selector.contains(quiet));
            until(&format!("{selector} of {expression} is there"), || {
                quiet || !prometheus.numbers(&selector).is_empty()
            });
        }
    }
    promtool_takes(&metrics);
}

#[test]
fn what_an_expression_asks_for_is_found_in_it() {
    for (expression, expected) in [
        ("up == 0", vec![]),
        ("lockstep_lag_records > 1", vec!["lockstep_lag_records"]),
        (
            r#"rate(lockstep_calls_total{class="done", call!="set"}[5m]) / process_open_fds"#,
            vec![r#"lockstep_calls_total{class="done", call!="set"}"#, "process_open_fds"],
        ),
        ("lockstep_a{b=\"c\"} and lockstep_ab", vec!["lockstep_a{b=\"c\"}", "lockstep_ab"]),
    ] {
        assert_eq!(selectors(expression), expected, "{expression}");
    }
}
