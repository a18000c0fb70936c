//! The way from one platform to the other, and who has an account.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lockstep::connectors::Noted;
use lockstep::connectors::http::Rate;
use lockstep::domain::{CxoneStatus, Feed, OutStateId, Platform, SalesforceStatus, Status};
use lockstep::simulators::cxone::Settings as Simulates;
use serde_json::json;

use crate::centre::{AVAILABLE, BREAK, CHOICES, Centre, FIRST, LUNCH};
use crate::ground::On;
use crate::waiting::until;

fn presence(number: u32) -> Status {
    Status::Salesforce(SalesforceStatus::Presence(format!("0N5000000000{number}").parse().unwrap()))
}

/// What an agent chooses on one platform is commanded on the other, and nothing else is.
fn both_ways(on: On) {
    let centre = Centre::new(on, "edges-both-ways", 10);
    let _processor = centre.process();
    let connector = centre.connect("a");
    connector.comes_to_have_the_lease();
    until("all are published", || centre.observed().len() == 10);
    // All are at lunch in CXone, and say so in Salesforce: nothing is to be done.
    let all: Vec<_> = centre.people.keys().map(|number| (*number, CHOICES[1].0)).collect();
    centre.choose(&all);
    // Half of them choose something in Salesforce, and the others in CXone.
    let mut wanted = BTreeMap::new();
    for number in FIRST..FIRST + 5 {
        centre.choose(&[(number, CHOICES[2].0)]);
        wanted.insert(number, BREAK);
    }
    for number in FIRST + 5..FIRST + 10 {
        centre.cxone.put(number, 1, None);
        wanted.insert(number, AVAILABLE);
    }
    println!("{on:?}: shown after {:?}", centre.comes_to_show(&wanted));
    let free = |number: &u32| {
        let all = centre.chosen(Platform::Salesforce);
        let of_one = all.get(&centre.people[number]);
        of_one.into_iter().flatten().map(|(_, status)| *status).collect::<Vec<_>>()
    };
    let others: Vec<u32> = (FIRST + 5..FIRST + 10).collect();
    until("free is commanded in Salesforce", || others.iter().all(|number| free(number) == [presence(101)]));
    // What we did is seen, and is an echo: nothing follows from it.
    let breaks = CxoneStatus::Code(OutStateId::new(1_001));
    until("what was set is observed", || {
        let observed = centre.observed();
        (FIRST..FIRST + 5)
            .all(|number| observed[&centre.people[&number]].last().unwrap().status == Status::Cxone(breaks))
    });
    let commanded = centre.chosen(Platform::Cxone);
    assert_eq!(commanded.values().map(Vec::len).collect::<Vec<_>>(), [1; 5]);
    centre.settles();
    connector.end();
    centre.judge();
}

#[test]
fn what_is_chosen_in_one_is_shown_in_the_other() {
    both_ways(On::Kafka);
}

#[test]
fn so_it_is_in_a_directory() {
    both_ways(On::Directory);
}

/// One has the account and the others stand by. Who stops hands it over at once; what was published is not published again but
/// by one snapshot, and no change is lost between them.
#[test]
fn one_has_the_account_and_hands_it_over() {
    let centre = Centre::new(On::Kafka, "edges-lease", 5);
    let _processor = centre.process();
    let first = centre.connect("a");
    first.comes_to_have_the_lease();
    until("all are published", || centre.observed().len() == 5);
    let second = centre.connect("b");
    centre.cxone.put(FIRST, 1, None);
    until("a change is published", || centre.observed()[&centre.people[&FIRST]].len() == 2);
    assert!(first.has_lease() && !second.has_lease());
    first.end();
    centre.cxone.put(FIRST, 2, Some(1_001));
    let took = second.comes_to_have_the_lease();
    println!("taken over after {took:?}");
    assert!(took < Duration::from_secs(10));
    let breaks = Status::Cxone(CxoneStatus::Code(OutStateId::new(1_001)));
    until("a change between them is published", || {
        centre.observed()[&centre.people[&FIRST]].last().unwrap().status == breaks
    });
    // The first call of who follows one that ended cleanly is not waited for.
    let begun = Instant::now();
    centre.choose(&[(FIRST, CHOICES[0].0)]);
    centre.comes_to_show(&BTreeMap::from([(FIRST, AVAILABLE)]));
    println!("and set after {:?}", begun.elapsed());
    for (agent, all) in centre.observed() {
        let snapshots = all.iter().filter(|one| one.found_by == Feed::Snapshot).count();
        assert!((1..=2).contains(&snapshots), "{agent}: {all:?}");
    }
    centre.settles();
    second.end();
    centre.judge();
}

/// Whoever is linked while it runs is published as he is; who is linked no more is neither published nor set.
#[test]
fn links_take_effect_while_it_runs() {
    use lockstep::bus::AnyBus;
    use lockstep::control::Control;
    let simulates = Simulates { agents: 6, ..Simulates::default() };
    let centre = Centre::with(On::Directory, "edges-links", 5, simulates);
    let _processor = centre.process();
    let connector = centre.connect("a");
    connector.comes_to_have_the_lease();
    until("all are published", || centre.observed().len() == 5);
    let others = |seen: &[Noted]| {
        seen.iter().map(|noted| if let Noted::OfOthers(count) = noted { *count } else { 0 }).sum::<usize>()
    };
    assert_eq!(others(&connector.seen.noted.lock().unwrap()), 1, "one is not linked");
    let bus = centre.bus();
    let import = |people| {
        let known = centre.directory(people);
        let mut control: Control<'_, AnyBus> = Control::begin(&bus, &centre.codec, &centre.plan).unwrap();
        control.import(&known, &crate::deployment::operator()).unwrap();
    };
    import(6);
    until("who was linked later is published", || centre.observed().len() == 6);
    import(1);
    until("he is told of one only", || {
        connector.seen.noted.lock().unwrap().iter().rfind(|noted| matches!(noted, Noted::Linked(_)))
            == Some(&Noted::Linked(1))
    });
    let before: usize = centre.observed().values().map(Vec::len).sum();
    for number in FIRST..FIRST + 6 {
        centre.cxone.put(number, 1, None);
    }
    until("the one who is linked is published", || centre.observed()[&centre.people[&FIRST]].len() == 2);
    assert_eq!(centre.observed().values().map(Vec::len).sum::<usize>(), before + 1);
}

/// The budget of an account, by the platform's own log: whoever has the account, there are never more calls than it allows.
#[test]
fn the_budget_is_kept_by_two_processes() {
    let centre = Centre::new(On::Kafka, "edges-budget", 60);
    let _processor = centre.process();
    let rate = Rate { calls_per_minute: 1_200, burst: 10 };
    let first = centre.connect_with("a", rate);
    first.comes_to_have_the_lease();
    let second = centre.connect_with("b", rate);
    let wanted = |what| centre.people.keys().map(|number| (*number, what)).collect::<BTreeMap<_, _>>();
    for (round, (choice, shown)) in CHOICES.into_iter().enumerate() {
        let all: Vec<_> = centre.people.keys().map(|number| (*number, choice)).collect();
        centre.choose(&all);
        centre.comes_to_show(&wanted(shown));
        if round == 0 {
            // The other goes on.
            first.stop.ask();
        }
    }
    centre.settles();
    second.end();
    let calls = centre.keeps_budget(1_200, 10, 2);
    assert!(calls > 180, "{calls}");
    centre.judge();
}

/// What is chosen in Salesforce during a contact is set when that ends, and what the platform does on its own is no choice.
#[test]
fn what_is_chosen_during_a_contact_waits_for_its_end() {
    let centre = Centre::new(On::Directory, "edges-contact", 2);
    let _processor = centre.process();
    let connector = centre.connect("a");
    connector.comes_to_have_the_lease();
    until("all are published", || centre.observed().len() == 2);
    let agent = centre.people[&FIRST];
    centre.choose(&[(FIRST, CHOICES[1].0)]);
    let contact = format!("/agents/{FIRST}/contact");
    centre.cxone.control("POST", &contact, &json!({"agentStateId": 3}));
    until("the contact is seen", || centre.observed()[&agent].len() == 2);
    centre.choose(&[(FIRST, CHOICES[2].0)]);
    // The other one is commanded, and after that nothing is left that could be.
    centre.choose(&[(FIRST + 1, CHOICES[2].0)]);
    centre.comes_to_show(&BTreeMap::from([(FIRST + 1, BREAK)]));
    assert!(!centre.commanded(Platform::Cxone).contains_key(&agent));
    centre.cxone.control("DELETE", &contact, &json!(null));
    centre.comes_to_show(&BTreeMap::from([(FIRST, BREAK)]));
    until("what was set is seen", || centre.observed()[&agent].len() == 4);
    assert_eq!(centre.commanded(Platform::Cxone)[&agent].len(), 1);
    centre.settles();
    connector.end();
    centre.judge();
}

/// A code that is taken from a team is refused for good: it holds up nobody else (fault 41).
#[test]
fn a_code_that_was_taken_from_the_team_holds_up_nobody() {
    let centre = Centre::new(On::Directory, "edges-code", 10);
    let _processor = centre.process();
    let connector = centre.connect("a");
    connector.comes_to_have_the_lease();
    until("all are published", || centre.observed().len() == 10);
    centre.cxone.control("POST", "/teams/1/codes", &json!({"codes": [1_017]}));
    centre.cxone.control("POST", "/settings", &json!({"badCodeStatus": 400}));
    let all: Vec<_> = centre.people.keys().map(|number| (*number, CHOICES[2].0)).collect();
    centre.choose(&all);
    let of_team = |number: &u32| (number - FIRST).is_multiple_of(5);
    let wanted: BTreeMap<_, _> =
        centre.people.keys().map(|number| (*number, if of_team(number) { LUNCH } else { BREAK })).collect();
    centre.comes_to_show(&wanted);
    let is_refused = |number: &u32| {
        let outcomes = centre.outcomes();
        let all = outcomes.get(&centre.people[number]).cloned().unwrap_or_default();
        all.iter().any(|(_, verdict)| *verdict == lockstep::engine::Verdict::Permanent) == of_team(number)
    };
    until("it is told of those alone", || centre.people.keys().all(is_refused));
    centre.settles();
    connector.end();
    centre.judge();
}

/// Five thousand log in within a minute (fault 37), while all are at lunch in Salesforce: each is given that.
#[test]
fn five_thousand_log_in_within_a_minute() {
    const PEOPLE: u32 = 5_000;
    let simulates = Simulates { agents: PEOPLE, ..Simulates::default() };
    let centre = Centre::with_logged_out(On::Directory, "edges-logins", PEOPLE, simulates);
    let _processor = centre.process();
    let connector = centre.connect("a");
    connector.comes_to_have_the_lease();
    until("all are published", || centre.observed().len() == PEOPLE as usize);
    let all: Vec<_> = centre.people.keys().map(|number| (*number, CHOICES[1].0)).collect();
    centre.choose(&all);
    let begun = Instant::now();
    for number in centre.people.keys() {
        centre.cxone.put(*number, 1, None);
    }
    let logged_in = begun.elapsed();
    assert!(logged_in < Duration::from_secs(60), "{logged_in:?}");
    centre.comes_to_show(&centre.people.keys().map(|number| (*number, LUNCH)).collect());
    println!("logged in within {logged_in:?}, all at lunch after {:?}", begun.elapsed());
    centre.settles();
    connector.end();
    let commanded = centre.chosen(Platform::Cxone);
    assert!(commanded.len() == PEOPLE as usize && commanded.values().all(|all| all.len() == 1));
    // On a slow machine one that is seen late is set again.
    let calls = centre.calls("POST", "/state");
    println!("{calls} calls");
    assert!((PEOPLE as usize..3 * PEOPLE as usize).contains(&calls), "{calls}");
    centre.judge();
}
