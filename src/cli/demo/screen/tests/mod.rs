//! A floor of seven, looked at and asked about.

mod frames;
mod keys;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::looks::Looks;
use super::view::{Asked, Fault, Person, Standing, Totals, View};

fn person(number: u32, salesforce: &str, cxone: &str, standing: Standing, decision: &str) -> Person {
    let [salesforce, cxone, decision] = [salesforce, cxone, decision].map(str::to_owned);
    Person { number, salesforce, cxone, standing, decision }
}

fn floor() -> View {
    use Standing::{Busy, InStep, Out, Waiting};
    let given_up = "gave up after 3 tries: the code Lunch is not this team's";
    let held = "on a contact: Salesforce is held at Busy";
    let people = vec![
        person(1001, "Available", "Available", InStep, "CXone follows Salesforce: Available"),
        person(1002, "On Break", "Unavailable/Break", InStep, "Salesforce follows CXone: On Break"),
        person(1003, "Für Chats verfügbar", "Available", InStep, "CXone follows Salesforce: Available"),
        person(1004, "Busy", "InboundContact", Busy, held),
        person(1005, "Available", "Unavailable/Lunch", Out, given_up),
        person(1006, "対応可能な状態です", "Available", Waiting, "CXone is told: Available"),
        person(1007, "Offline", "LoggedOut", InStep, ""),
    ];
    let news = [
        "1002 went to lunch in CXone",
        "CXone is down",
        "1005 is given up: the code Lunch is not in the vocabulary of the team that the agent belongs to",
        "Salesforce is back, 12 commands were waiting",
    ];
    View {
        elapsed: Duration::from_secs(192),
        people,
        totals: Totals {
            agents: 7,
            in_step: 4,
            changes: 12_345,
            commands: 6_789,
            echoes: 6_700,
            corrections: 3,
            diverged: 1,
            dead_letters: 2,
            sync_ms: Some((132, 1_870)),
            calls: (1_234_567, 98_765),
        },
        faults: vec![
            Fault { key: '1', name: "CXone down", is_on: true },
            Fault { key: '2', name: "Salesforce down", is_on: false },
            Fault { key: '3', name: "tokens expire", is_on: false },
        ],
        news: news.map(str::to_owned).to_vec(),
    }
}

fn looks() -> Looks {
    let choices = ["Available", "On Break", "Lunch", "Offline"];
    Looks::new(choices.map(str::to_owned).to_vec(), false)
}

/// Presses keys one after another, and says what they ask for.
fn press(looks: &mut Looks, view: &View, keys: &[KeyCode]) -> Vec<Asked> {
    keys.iter().filter_map(|code| looks.key(KeyEvent::new(*code, KeyModifiers::NONE), view)).collect()
}

/// The keys that write a text.
fn typed(text: &str) -> Vec<KeyCode> {
    text.chars().map(KeyCode::Char).collect()
}
