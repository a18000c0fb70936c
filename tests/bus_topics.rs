//! `lockstep topics` at a real Kafka: what is missing is made, what differs is told with its mend and left as it is.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[path = "ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[path = "ground/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;
#[path = "kafka/servers.rs"]
mod servers;

use serde_json::Value;

use place::Place;
use program::{Said, lockstep};
use servers::servers;

/// A prefix of its own, and what the program says to its configuration.
struct Deployment {
    place: Place,
    prefix: String,
}

impl Deployment {
    fn new(test: &str) -> Deployment {
        let prefix = format!("topics.{test}.{}", std::process::id());
        Deployment { place: Place::new(&prefix), prefix }
    }

    /// The program's answer with this in the section of the bus, and this after it.
    fn says(&self, command: &[&str], bus: &str, more: &str) -> Said {
        let (servers, prefix) = (servers(), &self.prefix);
        let text =
            format!("[bus]\nbootstrap_servers = [\"{servers}\"]\nprefix = \"{prefix}\"\n{bus}\n{more}\n");
        let config = self.place.file("lockstep.toml", text);
        Said::by(lockstep(["topics"]).args(command).arg("--config").arg(config))
    }
}

const ONE_BROKER: &str = "replication_factor = 1";

#[test]
fn topics_are_made_once_and_then_are_as_they_should_be() {
    let deployment = Deployment::new("made");
    let said = deployment.says(&["check"], ONE_BROKER, "");
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(said.out.matches("error: missing (").count(), 10, "{}", said.out);
    assert!(said.out.contains("mend: lockstep topics create"), "{}", said.out);

    let said = deployment.says(&["create"], ONE_BROKER, "");
    assert_eq!((said.code, said.out.matches(": made\n").count()), (Some(0), 10), "{}{}", said.out, said.err);
    let said = deployment.says(&["create"], ONE_BROKER, "");
    assert_eq!(
        (said.code, said.out.matches(": was there, as").count()),
        (Some(0), 10),
        "{}{}",
        said.out,
        said.err
    );
    let said = deployment.says(&["check"], ONE_BROKER, "");
    assert_eq!(
        (said.code, said.out.matches(": as it should be").count()),
        (Some(0), 10),
        "{}{}",
        said.out,
        said.err
    );

    // What was asked for is what Kafka says there is, not only what we remember.
    let said = deployment.says(&["describe", "--json"], ONE_BROKER, "");
    let told: Value = serde_json::from_str(&said.out).unwrap();
    let topics = told["topics"].as_array().unwrap();
    assert_eq!((said.code, topics.len()), (Some(0), 10));
    for topic in topics {
        let (wanted, found) = (&topic["wanted"], &topic["found"]);
        assert_eq!(wanted, found, "{topic}");
        assert_eq!(found["settings"]["message.timestamp.type"], "LogAppendTime");
        assert_eq!(found["settings"]["max.message.bytes"], "2097152");
    }
}

#[test]
fn what_differs_is_told_and_left_as_it_is() {
    let deployment = Deployment::new("differs");
    assert_eq!(deployment.says(&["create"], ONE_BROKER, "").code, Some(0));
    let bus = format!("{ONE_BROKER}\npartitions = 6");
    let more = "[privacy]\nretention_days = 20";
    for command in ["check", "create"] {
        let said = deployment.says(&[command], &bus, more);
        assert_eq!(said.code, Some(1), "{}", said.err);
        let name = &deployment.prefix;
        for line in [
            "  error: partitions is 8, and should be 6: ".to_owned(),
            "partitions = 8 in [bus]".to_owned(),
            "  error: retention.ms is 2592000000, and should be 1728000000: ".to_owned(),
            format!("--alter --topic {name}.events --add-config retention.ms=1728000000"),
            "  warning: segment.ms is 86400000, and should be 72000000 or less: ".to_owned(),
        ] {
            assert!(said.out.contains(&line), "{line} is not in {}", said.out);
        }
    }
    let said = deployment.says(&["check"], ONE_BROKER, "");
    assert_eq!(said.code, Some(0), "it changed something: {}", said.out);
}

#[test]
fn too_few_brokers_are_told_with_the_setting() {
    let said = Deployment::new("brokers").says(&["create"], "replication_factor = 3", "");
    assert_eq!((said.code, &*said.out), (Some(1), ""));
    assert!(said.err.contains("fewer than 3 brokers"), "{}", said.err);
    assert!(said.err.contains("set `replication_factor` of [bus]"), "{}", said.err);
}
