//! What browsers and gateways do: tabs come and go, machines sleep, networks end, gateways are killed.

use lockstep::simulators::salesforce::consoles::Transport;

use crate::ground::On;
use crate::site::{AVAILABLE, BREAK, CHOICES, Choice, How, LUNCH, Site};

/// Everybody chooses in CXone what is his in this round.
fn choose(site: &Site, round: usize) -> Vec<Choice> {
    let chosen: Vec<Choice> =
        (0..site.people.len()).map(|place| CHOICES[(place + round) % CHOICES.len()]).collect();
    for (person, choice) in site.people.iter().zip(&chosen) {
        site.chooses_in_cxone(person, *choice);
    }
    chosen
}

/// Fault 34, over both transports: whatever a browser does, in the end both sides show what was chosen last.
fn whatever_they_do(transport: Transport) {
    let mut how = How::of(12);
    how.consoles.transport = transport;
    how.consoles.rowless_percent = 40;
    let site = Site::new(On::Directory, &format!("whatever-{transport:?}").to_lowercase(), how);
    let running = site.run_all();
    site.open_consoles();
    let everybody = || site.people.iter().map(|person| person.user);
    for (round, what) in ["close", "cut", "reload", "tab", "sleep"].into_iter().enumerate() {
        println!("{what}");
        let chosen = choose(&site, round);
        for user in everybody() {
            match what {
                "close" => assert!(site.consoles.close(user)),
                "cut" => assert!(site.consoles.cut(user)),
                "reload" => assert!(site.consoles.reload(user)),
                "tab" => site.consoles.second_tab(user),
                _ => assert!(site.consoles.sleep(user)),
            }
        }
        let newer = choose(&site, round + 1);
        assert_ne!(chosen, newer);
        for user in everybody() {
            match what {
                "close" => site.consoles.open(user),
                "sleep" => assert!(site.consoles.wake(user)),
                _ => {}
            }
        }
        site.comes_into_step(what, &newer);
    }
    site.judge();
    for process in running {
        process.end();
    }
}

#[test]
fn whatever_browsers_do_both_sides_show_the_same_over_a_web_socket() {
    whatever_they_do(Transport::Socket);
}

#[test]
fn whatever_browsers_do_both_sides_show_the_same_over_events() {
    whatever_they_do(Transport::Events);
}

/// A gateway is killed while commands are on their way: browsers go to the other one, and nothing is lost.
#[test]
fn a_gateway_that_is_killed_loses_nothing() {
    let mut how = How::of(12);
    how.gateways = 2;
    let site = Site::new(On::Kafka, "killed", how);
    let processor = site.run("processor", "processor", None);
    let edges = site.run("edges", "source,sink", None);
    let mut gateways =
        vec![site.run("gateway-0", "bridge", Some(0)), site.run("gateway-1", "bridge", Some(1))];
    site.open_consoles();
    for round in 0..4 {
        choose(&site, round);
        let killed = gateways.remove(0);
        killed.signal("-KILL");
        killed.is_gone();
        let chosen = choose(&site, round + 1);
        site.comes_into_step("one gateway is gone", &chosen);
        let index = round % 2;
        gateways.push(site.run(&format!("gateway-{index}"), "bridge", Some(index)));
    }
    site.judge();
    for process in gateways.into_iter().chain([edges, processor]) {
        process.end();
    }
}

/// A gateway ends in order: browsers are told, and go to the other one.
#[test]
fn a_gateway_that_ends_hands_over() {
    let mut how = How::of(6);
    how.gateways = 2;
    let site = Site::new(On::Kafka, "ends", how);
    let processor = site.run("processor", "processor,source,sink", None);
    let first = site.run("gateway-0", "bridge", Some(0));
    site.open_consoles();
    let second = site.run("gateway-1", "bridge", Some(1));
    first.end();
    let all = |choice| vec![choice; site.people.len()];
    for person in &site.people {
        site.chooses_in_cxone(person, LUNCH);
    }
    site.comes_into_step("the other one has them", &all(LUNCH));
    for person in &site.people {
        site.chooses_in_salesforce(person, BREAK);
    }
    site.comes_into_step("and hears them", &all(BREAK));
    for person in &site.people {
        site.chooses_in_cxone(person, AVAILABLE);
    }
    site.comes_into_step("and tells them", &all(AVAILABLE));
    site.judge();
    for process in [second, processor] {
        process.end();
    }
}
