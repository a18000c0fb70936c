//! What goes wrong with an org as it is read: in the end nothing is lost, and browsers do not care.

use lockstep::simulators::salesforce::Variants;
use serde_json::{Value, json};

use crate::ground::On;
use crate::site::{AVAILABLE, BREAK, CHOICES, Choice, How, LUNCH, Site};

/// What a read meets.
struct Case {
    name: &'static str,
    faults: fn() -> Vec<Value>,
}

const QUERY: &str = "/query";
const TOKEN: &str = "/oauth2/token";

/// Faults 22 to 29 and 33.
const CASES: &[Case] = &[
    Case {
        name: "22: 401 in mid-flight",
        faults: || vec![json!({"path": QUERY, "kind": "status", "status": 401, "count": 3})],
    },
    Case {
        name: "22: 401, and the token endpoint is down",
        faults: || {
            vec![
                json!({"path": QUERY, "kind": "status", "status": 401}),
                json!({"path": TOKEN, "kind": "status", "status": 503}),
            ]
        },
    },
    Case { name: "23: 403", faults: || vec![json!({"path": QUERY, "kind": "status", "status": 403})] },
    Case {
        name: "24: 429 with seconds",
        faults: || vec![json!({"path": QUERY, "kind": "status", "status": 429, "retryAfter": "1"})],
    },
    Case {
        name: "24: 429 without Retry-After",
        faults: || vec![json!({"path": QUERY, "kind": "status", "status": 429})],
    },
    Case { name: "25: 500", faults: || vec![json!({"kind": "status", "status": 500})] },
    Case { name: "25: 503", faults: || vec![json!({"kind": "status", "status": 503})] },
    Case { name: "27: answers of 10 s", faults: || vec![json!({"kind": "latency", "ms": 10_000})] },
    Case { name: "28: HTML", faults: || vec![json!({"kind": "html", "status": 502})] },
    Case { name: "28: an empty body", faults: || vec![json!({"kind": "empty"})] },
    Case { name: "28: cut-off JSON", faults: || vec![json!({"kind": "cut"})] },
    Case { name: "29: the connection is reset", faults: || vec![json!({"kind": "reset"})] },
];

fn choices(site: &Site, round: usize) -> Vec<Choice> {
    (0..site.people.len()).map(|place| CHOICES[(place + round) % CHOICES.len()]).collect()
}

/// Nobody has a browser: what is chosen while the org cannot be read is found when it can.
#[test]
fn what_was_chosen_while_an_org_could_not_be_read_is_found_later() {
    let site = Site::new(On::Directory, "faults", How::of(6));
    let running = site.run_all();
    site.comes_into_step("the beginning", &vec![AVAILABLE; 6]);
    for (round, case) in CASES.iter().enumerate() {
        println!("{}", case.name);
        let warned = running[0].log().matches("it is asked again until it answers").count();
        site.salesforce.faults(&(case.faults)());
        for round in [round, round + 1] {
            for (person, choice) in site.people.iter().zip(choices(&site, round)) {
                site.chooses_in_salesforce(person, choice);
            }
        }
        site.comes("the org fails", || {
            let failing = running[0].log().matches("it is asked again until it answers").count();
            // A session that is refused is renewed, and nobody is told.
            failing > warned || case.name.ends_with("mid-flight") || case.name.contains("429")
        });
        site.salesforce.faults(&[]);
        site.comes_into_step(case.name, &choices(&site, round + 1));
    }
    for process in running {
        process.end();
    }
}

/// Fault 33, and all others at once: no call of the org works, and browsers carry everything.
#[test]
fn browsers_do_not_care_whether_the_org_can_be_read() {
    let site = Site::new(On::Directory, "used-up", How::of(6));
    let running = site.run_all();
    site.open_consoles();
    site.salesforce.control("POST", "/settings", &json!({"dailyRequests": 0}));
    running[0].says("all calls of the day are used", 1);
    for round in 0..3 {
        let chosen = choices(&site, round);
        for (person, choice) in site.people.iter().zip(&chosen) {
            site.chooses_in_salesforce(person, *choice);
        }
        site.comes_into_step("Salesforce to CXone", &chosen);
        let chosen = choices(&site, round + 1);
        for (person, choice) in site.people.iter().zip(&chosen) {
            site.chooses_in_cxone(person, *choice);
        }
        site.comes_into_step("CXone to Salesforce", &chosen);
    }
    site.judge();
    for process in running {
        process.end();
    }
}

/// What the contract leaves open: rows with a gap between them, stale ones, noise, rows that open anew; pages of three.
#[test]
fn every_variant_of_rows_is_survived() {
    let plain = Variants::default;
    for variants in [
        Variants { gap_ms: 300, ..plain() },
        Variants { stale_every: 3, page_size: 3, ..plain() },
        Variants { noise_every_ms: 200, set_again_opens: true, ..plain() },
        Variants { date_offset_ms: -20_000, ..plain() },
        Variants { date_offset_ms: 20_000, ..plain() },
    ] {
        println!("{variants:?}");
        let mut how = How::of(6);
        how.snapshot_interval_s = 10;
        how.salesforce.variants = variants;
        let site = Site::new(On::Directory, "variants", how);
        let running = site.run_all();
        // Clocks are known to half a second: who chooses within that of another choice may lose.
        site.comes_into_step("the beginning", &vec![AVAILABLE; 6]);
        for (round, choice) in [LUNCH, AVAILABLE, BREAK].into_iter().enumerate() {
            for person in &site.people {
                site.chooses_in_salesforce(person, choice);
            }
            site.comes_into_step("by polls", &vec![choice; 6]);
            if round == 1 {
                site.open_consoles();
            }
        }
        for person in &site.people {
            site.chooses_in_cxone(person, LUNCH);
        }
        site.comes_into_step("by browsers", &vec![LUNCH; 6]);
        site.judge();
        for process in running {
            process.end();
        }
    }
}

/// Of two processes one has the org; the other follows it when it is killed.
#[test]
fn a_source_that_is_killed_is_followed() {
    let site = Site::new(On::Kafka, "followed", How::of(6));
    let processor = site.run("processor", "processor", None);
    let first = site.run("first", "source,sink", None);
    first.says("this process has the account", 2);
    let second = site.run("second", "source,sink", None);
    site.comes_into_step("the beginning", &vec![AVAILABLE; 6]);
    first.signal("-KILL");
    first.is_gone();
    for person in &site.people {
        site.chooses_in_salesforce(person, LUNCH);
    }
    let took =
        site.comes("the second goes on", || site.people.iter().all(|person| site.shows(person, LUNCH)));
    println!("in step again {took:?} after it was killed");
    for process in [second, processor] {
        process.end();
    }
}
