//! The dashboard, by the types that Grafana publishes, and what they do not know.

use std::process::Command;

use serde_json::Value;

use crate::compose::compose;
use crate::witness::{agrees, text, texts, witness, yaml};

const DASHBOARD: &str = "deploy/grafana/dashboards/lockstep.json";

/// A question that a panel asks.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) panel: String,
    pub(crate) expression: String,
}

fn dashboard() -> Value {
    serde_json::from_str(&text(DASHBOARD)).unwrap()
}

/// What all panels ask, with all instances chosen.
pub(crate) fn questions() -> Vec<Asked> {
    let dashboard = dashboard();
    let mut all = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            // As Grafana does, with a scrape each second.
            let expression = expression.replace("$instance", ".*").replace("$__rate_interval", "15s");
            assert!(!expression.contains('$'), "{expression}");
            all.push(Asked { panel: panel["title"].as_str().unwrap().to_owned(), expression });
        }
    }
    all
}

#[test]
fn grafanas_own_types_take_it() {
    let program = witness("LOCKSTEP_TEST_DASHBOARD");
    let panels: usize = agrees(Command::new(program).arg(DASHBOARD)).trim().parse().unwrap();
    let of_ours =
        dashboard()["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").count();
    assert_eq!(panels, of_ours);
}

#[test]
fn every_panel_says_what_it_shows_and_has_a_place_of_its_own() {
    let dashboard = dashboard();
    let mut taken: Vec<(&str, [u64; 4])> = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        let [left, top, right, bottom] = [at("x"), at("y"), at("x") + at("w"), at("y") + at("h")];
        assert!(right <= 24, "{title}");
        for (other, [x, y, to_x, to_y]) in &taken {
            let apart = right <= *x || *to_x <= left || bottom <= *y || *to_y <= top;
            assert!(apart, "{title} lies on {other}");
        }
        taken.push((title, [left, top, right, bottom]));
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

#[test]
fn what_is_provisioned_is_what_compose_mounts() {
    let compose = compose();
    let mounted = texts(&compose["services"]["grafana"]["volumes"]);
    let providers = yaml(&text("deploy/grafana/provisioning/dashboards/lockstep.yml"));
    let path = providers["providers"][0]["options"]["path"].as_str().unwrap();
    assert!(mounted.contains(&&*format!("./deploy/grafana/dashboards:{path}:ro")), "{mounted:?}");
    let home = &compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    assert_eq!(*home, format!("{path}/lockstep.json"));
    let sources = yaml(&text("deploy/grafana/provisioning/datasources/prometheus.yml"));
    assert_eq!(sources["datasources"][0]["url"], "http://prometheus:9090");
    assert!(compose["services"]["prometheus"].is_object());
}
