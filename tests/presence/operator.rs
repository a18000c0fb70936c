//! What administrators do in the middle of it.

use lockstep::engine::Verdict;
use serde_json::json;

use crate::ground::On;
use crate::site::{AVAILABLE, BREAK, How, LUNCH, Site};

/// Fault 39: a link is removed while a command is out. What comes of it later is no business of anybody.
#[test]
fn a_link_is_removed_while_a_command_is_out() {
    let site = Site::new(On::Directory, "unlinked", How::of(2));
    let running = site.run_all();
    site.open_consoles();
    let [leaves, stays] = [site.people[0], site.people[1]];
    assert!(site.consoles.sleep(leaves.user));
    site.chooses_in_cxone(&leaves, LUNCH);
    site.comes("the command is out", || site.commands(leaves.agent).last() == Some(&site.status(LUNCH.name)));
    site.command(&["directory", "unlink", &leaves.agent.to_string(), "--reason", "he leaves"]);
    assert!(site.consoles.wake(leaves.user));
    site.chooses_in_cxone(&stays, BREAK);
    site.comes("the other goes on", || site.shows(&stays, BREAK));
    site.chooses_in_salesforce(&leaves, AVAILABLE);
    site.chooses_in_cxone(&stays, LUNCH);
    site.comes("the other goes on", || site.shows(&stays, LUNCH));
    // Whatever he does on one platform, the other stays as it is.
    assert_eq!(site.in_salesforce(&leaves), site.status(AVAILABLE.name));
    assert_eq!(site.in_cxone(&leaves), LUNCH.cxone);
    for process in running {
        process.end();
    }
}

/// Fault 40: a status is renamed, taken from an agent, or deleted. A rename is nothing; who may not have it is told apart, and
/// all others go on.
#[test]
fn a_status_is_renamed_taken_away_and_deleted() {
    let site = Site::new(On::Directory, "taken", How::of(3));
    let running = site.run_all();
    site.open_consoles();
    site.salesforce.control(
        "POST",
        "/statuses/Lunch",
        &json!({"label": "Mittag", "developerName": "Mittag"}),
    );
    let [refused, free, other] = [site.people[0], site.people[1], site.people[2]];
    let path = format!("/users/{}", refused.user);
    site.salesforce.control("POST", &path, &json!({"revoke": ["Mittag"]}));
    for person in [&refused, &free] {
        site.chooses_in_cxone(person, LUNCH);
    }
    site.comes("who may is set", || site.shows(&free, LUNCH));
    site.comes("who may not is refused for good", || {
        site.outcomes(refused.agent).last() == Some(&Verdict::Permanent)
    });
    assert_eq!(site.in_salesforce(&refused), site.status(AVAILABLE.name));
    // What he chooses next is mirrored as ever.
    site.chooses_in_cxone(&refused, BREAK);
    site.comes("he goes on", || site.shows(&refused, BREAK));

    site.salesforce.control("POST", "/statuses/On_Break", &json!({"delete": true}));
    site.chooses_in_cxone(&other, BREAK);
    site.comes("nobody may have it", || site.outcomes(other.agent).last() == Some(&Verdict::Permanent));
    site.chooses_in_salesforce(&other, AVAILABLE);
    site.chooses_in_cxone(&other, AVAILABLE);
    site.comes("he goes on", || site.shows(&other, AVAILABLE));
    assert_eq!(site.outcomes(refused.agent).iter().filter(|one| **one == Verdict::Permanent).count(), 1);
    site.judge();
    for process in running {
        process.end();
    }
}
