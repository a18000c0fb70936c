//! With a processor: what an agent chooses in his browser is decided upon, and what is decided reaches his browser.

use lockstep::domain::{CxoneStatus, OutStateId, Status};
use serde_json::{Value, json};

use crate::browser::BOTH;
use crate::ground::On;
use crate::log::{Said, outcome};
use crate::site::{AVAILABLE, BREAK, LUNCH, Site};
use crate::talks::time;
use crate::waiting::{now_ms, until};

const CXONE_LUNCH: CxoneStatus = CxoneStatus::Code(OutStateId::new(1_017));
const CXONE_BREAK: CxoneStatus = CxoneStatus::Code(OutStateId::new(1_001));

#[test]
fn a_choice_in_a_browser_is_decided_upon() {
    decide(On::Directory);
}

#[test]
fn a_choice_in_a_browser_is_decided_upon_in_a_kafka() {
    decide(On::Kafka);
}

fn decide(on: On) {
    let site = Site::new(on, "decides", 2);
    let gateway = site.gateway_with("g", "processor,bridge", "");
    for (way, person) in BOTH.into_iter().zip(&site.people) {
        let mut rows = 0;
        let browser = gateway.open(way, person);
        browser.welcome();
        // Each is in the log before the next is.
        let mut shows = |status: &str, reason: &str, since_ms: i64| {
            rows += 1;
            browser.say(&json!({
                "type": "status", "status": status, "reason": reason, "now": time(now_ms()),
                "row": {"id": format!("0Ps5g000{rows:07}"), "since": time(since_ms)},
            }));
            let is_it = |one: &&Said| matches!(one, Said::Shows(_));
            until("it is in the log", || site.said(person).iter().filter(is_it).count() == rows);
        };
        shows(AVAILABLE, "OmniLoginStatusChange", now_ms() - 90_000);
        site.cxone_shows(person, CxoneStatus::Available, now_ms() - 60_000);
        // What he chooses in CXone is commanded in his browser, which does it.
        site.cxone_shows(person, CXONE_LUNCH, now_ms());
        let command = browser.hears("command");
        assert_eq!(command["status"], LUNCH, "{way:?}: {command}");
        browser.say(&outcome(&command, "done"));
        shows(LUNCH, "OmniToolkitStatusChange", now_ms());
        site.cxone_shows(person, CxoneStatus::Available, now_ms());
        let back = browser.hears("command");
        assert_eq!(back["status"], AVAILABLE, "{way:?}: {back}");
        assert!(order(&back) > order(&command), "{back} after {command}");
        browser.say(&outcome(&back, "done"));
        shows(AVAILABLE, "OmniToolkitStatusChange", now_ms());
        // What he chooses in his browser is commanded in CXone; what was commanded is no choice of his.
        shows(BREAK, "OmniManualStatusChange", now_ms());
        let to_break = Status::Cxone(CXONE_BREAK);
        until("the break is commanded", || site.commanded_at_cxone(person).contains(&to_break));
        let commanded = site.commanded_at_cxone(person);
        assert!(!commanded.contains(&Status::Cxone(CXONE_LUNCH)), "{way:?}: an echo: {commanded:?}");
        browser.close();
    }
    gateway.end();
}

/// What is higher is newer.
fn order(command: &Value) -> (i64, u64) {
    (command["order"][0].as_i64().unwrap(), command["order"][1].as_u64().unwrap())
}
