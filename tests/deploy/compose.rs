//! `docker-compose.yml`, by the schema of the Compose specification, and what the schema does not know.

use std::process::Command;

use serde_json::Value;

use crate::witness::{agrees, file, text, texts, witness, yaml};

/// What the file says.
pub(crate) fn compose() -> Value {
    yaml(&text("docker-compose.yml"))
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_object().unwrap().iter().map(|(name, service)| (name.as_str(), service))
}

#[test]
fn the_schema_of_the_specification_holds() {
    let mut check = Command::new(witness("LOCKSTEP_TEST_LINTERS").join("check-jsonschema"));
    agrees(check.args(["--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]));
}

#[test]
fn images_are_pinned() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag).unwrap_or_default();
        let is_ours = image == "lockstep:local";
        assert!(is_ours || tag.contains('.'), "{name}: {image} is another one tomorrow");
    }
}

#[test]
fn ports_are_this_machines_alone() {
    let compose = compose();
    let ports: Vec<&str> = services(&compose).flat_map(|(_, service)| texts(&service["ports"])).collect();
    assert_eq!(ports.len(), 3, "{ports:?}");
    for port in ports {
        assert!(port.starts_with("127.0.0.1:"), "{port}");
    }
}

#[test]
fn what_is_named_is_there() {
    let compose = compose();
    let volumes = compose["volumes"].as_object().unwrap();
    for (name, service) in services(&compose) {
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            let is_there = match source.strip_prefix("./") {
                Some(path) => file(path).exists(),
                None => volumes.contains_key(source),
            };
            assert!(is_there, "{name}: {volume}");
        }
        let waits_for = service["depends_on"].as_object().into_iter().flatten();
        for (other, condition) in waits_for {
            let other_service = &compose["services"][other];
            assert!(other_service.is_object(), "{name} waits for {other}");
            if condition["condition"] == "service_healthy" {
                assert!(other_service["healthcheck"].is_object(), "{other} never says that it is well");
            }
        }
    }
}

/// The simulators listen on loopback only, and so does the gateway.
#[test]
fn simulators_and_lockstep_share_a_network_that_prometheus_reaches() {
    let compose = compose();
    for name in ["cxone", "salesforce", "setup", "lockstep", "control"] {
        assert_eq!(compose["services"][name]["network_mode"], "service:site", "{name}");
    }
    let prometheus = yaml(&text("deploy/prometheus/prometheus.yml"));
    let target = prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0].as_str().unwrap();
    let (host, port) = target.split_once(':').unwrap();
    assert_eq!(texts(&compose["services"]["site"]["networks"]["default"]["aliases"]), [host]);
    assert_eq!(texts(&compose["services"]["site"]["ports"]), [format!("127.0.0.1:{port}:{port}")]);
    assert!(text("deploy/compose/lockstep.toml").contains(&format!("listen = \"0.0.0.0:{port}\"")));
}
