//! Every row and bullet of the law, one line a case.

use super::script::{run, run_with};

/// Both platforms are in step: he chose Free in Salesforce (row 3), and CXone followed.
const IN_STEP: &str = "CX Available; SF Free row=1; 10s; SF Break row=2; ok CX; CX Lunch; 10s; SF Free row=3; ok CX; CX Available; 60s";

/// What is said of a case, its script, and what each event after the bar gives.
type Case = (&'static str, &'static str, &'static str);

fn check(options: &str, cases: &[Case]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (case, script, expected) in cases {
        let given = run_with(options, &script.replace("in step", IN_STEP));
        if given != *expected {
            wrong.push(format!("{case}\n    {script}\n    expected {expected}\n    given    {given}"));
        }
    }
    wrong
}

/// Every case that does not go as written.
pub(super) fn wrong() -> Vec<String> {
    [targets(), contacts(), corrections(), salesforce_rows(), echoes_and_choices(), other_events()].concat()
}

#[test]
fn every_case_goes_as_written() {
    let wrong = wrong();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_start_is_in_step() {
    assert_eq!(
        run(IN_STEP),
        "Choice; InStep; Choice >CX Lunch; Outcome(Accepted); Echo; Choice >CX Available; Outcome(Accepted); Echo"
    );
}

#[rustfmt::skip]
fn targets() -> Vec<String> {
    [
        check("", &[
        ("on the other platform the rule's row", "in step | SF Meeting", "Choice >CX Mtg"),
        ("no row: nothing", "in step | SF Training", "Choice"),
        ("no row: nothing", "in step | CX Tea", "Choice"),
        ("previous: what he last chose in CXone", "in step; CX Tea; 60s; SF Break; ok CX; CX Lunch; 60s | SF Back", "Choice >CX Tea"),
        ("previous: what sync set never counts", "in step; SF Meeting; ok CX; CX Mtg; 10s | SF Back", "Choice >CX Available"),
        ("previous: what lost never counts", "in step; SF Break; ok CX; CX Lunch; 10s; SF Meeting | CX Tea ago=3s; superseded CX; ok CX; CX Mtg; 10s; SF Back", "ChoiceLost; Outcome(Superseded) >CX Mtg; Outcome(Accepted); Echo; Choice >CX Available"),
        ("a code that the team lacks is never sent", "in step; team Night; 10s | SF Meeting; retry", "Choice gave up CX; Retried gave up CX"),
        ("moved into a team that has the code", "in step; team Night; 10s; SF Meeting | team Day", "TeamMoved >CX Mtg"),
        ("nobody is logged out to enforce his own choice", "in step; SF Break | CX LoggedOut; ok CX; CX Lunch", "Choice >SF Offline; Outcome(Accepted); Echo"),
    ]),
        check("skip_code_validation = true", &[
        ("no row, with skip: the default Unavailable", "in step | SF Training", "Choice >CX Unavailable"),
        ("no row, with skip: but never for Offline", "in step; rules quiet skip | SF Offline norow", "LogOutWithoutRow"),
        ("a code that the team lacks, with skip: the default Unavailable", "in step; team Night; 10s | SF Meeting", "Choice >CX Unavailable"),
    ]),
    ].concat()
}

#[rustfmt::skip]
fn contacts() -> Vec<String> {
    [
        check("", &[
        ("a contact is an overlay", "in step | CX Call; ok SF; SF OnCall by=toolkit; 60s; CX Available; ok SF; SF Free by=toolkit; 60s", "Contact >SF OnCall; Outcome(Accepted); Echo; InStep >SF Free; Outcome(Accepted); Echo"),
        ("with after-call work", "in step | CX Call; ok SF; SF OnCall; 30s; CX Wrap; 30s; CX Available; ok SF; SF Free", "Contact >SF OnCall; Outcome(Accepted); Echo; Contact; InStep >SF Free; Outcome(Accepted); Echo"),
        ("a new contact right after after-call work keeps the status before", "in step; CX Tea; 60s; CX Call; ok SF; SF OnCall; CX Wrap; CX Call; 60s | CX Tea", "AfterContact"),
        ("a contact state without a row leaves Salesforce alone", "in step | CX Refused; CX Available", "Contact; InStep"),
        ("he chose in Salesforce in the contact: CXone is held until it ends", "in step; CX Call; ok SF; SF OnCall; 10s | SF Break by=agent; 10s; CX Available", "Choice; AfterContact >CX Lunch"),
        ("he chose in Salesforce what the contact shows there: a choice all the same", "in step; CX Call; 10s | SF OnCall by=agent", "Choice"),
        ("CXone ends the contact with a status he was not in: his choice", "in step; CX Call; ok SF; SF OnCall; 10s | CX Tea", "Choice"),
        ("held back, he chose in both: concurrent, the later one wins", "in step; CX Call; ok SF; SF OnCall; 10s; SF Break by=agent; 20s | CX Tea", "Choice"),
        ("held back, and CXone has his older choice: it loses", "in step; CX Call; ok SF; SF OnCall; 10s; SF Break by=agent; 20s | CX Tea ago=25s", "ChoiceLost >CX Lunch"),
        ("a contact that is the first thing seen of CXone, and he chose in Salesforce in it: put back, no choice", "SF Free; CX Call; ok SF; SF OnCall; 10s | SF Meeting by=agent; 60s; CX Tea; ok CX; CX Mtg", "Choice; AfterContact >CX Mtg; Outcome(Accepted); Echo"),
        ("a contact that is the first thing seen of CXone, and he chose before it: what it ends with is a choice", "SF Free; CX Call; 10s | CX Lunch", "Choice >SF Break"),
        ("the contact ends in a log-out", "in step; CX Call; ok SF; SF OnCall; 10s | CX LoggedOut", "Choice >SF Offline"),
    ]),
        check("while_on_contact = \"send\"", &[
        ("with send it is commanded once, and CXone queues it", "in step; CX Call; ok SF; SF OnCall; 10s | SF Break by=agent; ok CX; 300s; CX Lunch", "Choice >CX Lunch; Outcome(Accepted); Echo"),
        ("what is overdue lapses once the contact is over", "in step; CX Call; ok SF; SF OnCall; 10s; SF Break by=agent; ok CX; 300s | CX Available", "AfterContact >>CX Lunch"),
    ]),
    ].concat()
}

#[rustfmt::skip]
fn corrections() -> Vec<String> {
    [
        check("", &[
        ("accepted and not seen: a correction, three at most, then silence", "in step | SF Break; ok CX; 31s; ok CX; 31s; ok CX; 31s; ok CX; 31s; 600s", "Choice >CX Lunch; Outcome(Accepted); Due(Confirm(Cxone)) >>CX Lunch; Outcome(Accepted); Due(Confirm(Cxone)) >>CX Lunch; Outcome(Accepted); Due(Confirm(Cxone)) >>CX Lunch; Outcome(Accepted); Due(Confirm(Cxone)) gave up CX"),
        ("unknown is as accepted", "in step | SF Break; unknown CX; 31s", "Choice >CX Lunch; Outcome(Unknown); Due(Confirm(Cxone)) >>CX Lunch"),
        ("a conflict lapses too", "in step | SF Break; conflict CX; 31s", "Choice >CX Lunch; Outcome(Conflict); Due(Confirm(Cxone)) >>CX Lunch"),
        ("without an outcome there is no deadline", "in step | SF Break; 900s", "Choice >CX Lunch"),
        ("refused for good, until the target changes", "in step | SF Break; refused CX; 60s; SF Meeting", "Choice >CX Lunch; Outcome(Permanent) gave up CX; Choice >CX Mtg"),
        ("unreachable, and back again", "in step | SF Break; unreachable CX; 60s; CX Available", "Choice >CX Lunch; Outcome(Unreachable); ReEntered >CX Lunch"),
        ("unreachable, but seen since: it was a stale word", "in step; SF Break; 1s; CX Available | unreachable CX", "Outcome(Unreachable) >CX Lunch"),
        ("a conflict of one who is logged out is unreachable", "in step; SF Break; CX LoggedOut | conflict CX #3", "Outcome(Unreachable)"),
        ("superseded: the target is commanded anew, if it stands", "in step; SF Break | superseded CX", "Outcome(Superseded) >CX Lunch"),
        ("an operator says retry", "in step; SF Break; ok CX; 31s; ok CX; 31s; ok CX; 31s; ok CX; 31s | retry", "Retried >CX Lunch"),
        ("the platform shows the target at last", "in step; SF Break; ok CX; 31s; ok CX; 31s; ok CX; 31s; ok CX; 31s | CX Lunch; CX Available", "InStep; Choice >SF Free"),
        ("a new target forgets what lapsed", "in step; SF Break; ok CX; 31s; ok CX; 31s | SF Meeting; ok CX; 31s", "Choice >CX Mtg; Outcome(Accepted); Due(Confirm(Cxone)) >>CX Mtg"),
        ("an outcome ends a command whose target is shown", "in step; SF Break | CX Lunch; ok CX; 60s", "Echo; Outcome(Accepted)"),
        ("flapping: the 11th command holds all, and the last target is applied", "in step; SF Break; SF Free; SF Break; SF Free; SF Break; SF Free; SF Break; SF Free; SF Break; SF Free | SF Meeting; 10s; SF Free; SF Meeting; 30s; 60s", "Choice flapping; Choice; Choice; Due(CoolDown) flapping; Due(CoolDown) >CX Mtg"),
    ]),
    ].concat()
}

#[rustfmt::skip]
fn salesforce_rows() -> Vec<String> {
    [
        check("", &[
        ("an Offline is taken back for a row that was taken for an older one, if a snapshot shows it", "in step; SF Break norow; SF Meeting row=5 ago=2s; SF Break row=4 ago=4s; close row=4 ago=4s | 6s; SF Meeting asked=0s row=5 ago=11s", "Due(Grace) >CX LoggedOut; taken back, Choice >CX Mtg"),
        ("taken back: the row that followed comes late", "in step; close row=3; 6s | SF Meeting row=9 ago=7s", "taken back, Choice >CX Mtg"),
        ("taken back: a snapshot still shows the old row", "in step; close row=3; 6s | SF Free row=3 ago=90s asked=1s", "taken back, Duplicate >CX Available"),
        ("taken back: the intent is what it was, and so is what was commanded for it", "in step; SF Break row=9 ago=-60s; CX Call; close; 6s; SF Break row=9 asked=0s; CX Lunch | CX Available", "Choice >SF Free >CX Available"),
        ("not taken back: the row begins later, so he was away", "in step; close row=3; 60s | SF Meeting row=9 ago=3s", "Choice >CX Mtg"),
        ("a log-out: closed, and no row follows", "in step | close; 6s", "Closing; Due(Grace) >CX LoggedOut"),
        ("a change: closed, and a row follows", "in step | close; SF Break; 30s", "Closing; Choice >CX Lunch"),
        ("duplicate: the same row again", "in step | SF Free row=3 ago=73s; SF Free row=3", "Duplicate; Duplicate"),
        ("duplicate: a row that was left", "in step; SF Break row=9; ok CX; CX Lunch; 10s | SF Free row=3", "Duplicate"),
        ("not so: a snapshot asked since shows that row", "in step; SF Break row=9; ok CX; CX Lunch; 10s | SF Free row=3 asked=0s", "Choice >CX Available"),
        ("duplicate: the console tells again what the row told", "in step; SF Break row=9 ago=1s | SF Break norow ago=2s", "Duplicate"),
        ("same change: the console first, then the row", "in step; SF Break norow by=agent | SF Break row=9 ago=3s", "SameChange"),
        ("same change: the row first, then the console", "in step; SF Break row=9 | SF Break norow by=agent", "SameChange"),
        ("no same change: he chose himself what our command had just set, and the console says so", "in step; CX Call; ok SF; SF OnCall norow by=toolkit; SF OnCall row=9 ago=1s | SF OnCall norow by=agent; SF OnCall row=10 ago=1s", "Choice; SameChange"),
        ("no same change: they begin too far apart", "in step; SF Break norow by=agent; 60s | SF Break row=9 ago=30s", "ReEntered"),
        ("stale: older than what is observed", "in step | SF Meeting row=9 ago=300s", "StaleView"),
        ("not stale: a snapshot asked since shows it", "in step | SF Meeting row=9 ago=300s asked=0s", "Choice >CX Mtg"),
        ("our command overwrote his latest choice", "CX Available; SF Free row=1; 60s; CX Lunch; ok SF; SF Break row=2 by=toolkit; 1s | SF Meeting row=3 ago=3s", "Overwritten >SF Meeting >CX Mtg"),
        ("the close comes before the opening", "in step | close row=9; SF Break row=9 ago=2s; 6s", "ClosedEarly; Choice >CX Lunch; Due(Grace) >CX LoggedOut"),
        ("the close comes before the opening, and he is elsewhere by then", "in step; close row=9; SF Meeting row=10; ok CX; CX Mtg | SF Break row=9 ago=4s", "StaleView"),
        ("the close of a row that is long gone", "in step | close row=2", "ClosedLate"),
        ("a snapshot without a row closes", "in step | norows asked=0s; 6s", "Closing; Due(Grace) >CX LoggedOut"),
        ("a snapshot without a row, but the row of what is observed only comes late: any new row ends the grace", "in step; SF Break norow | norows asked=0s; SF Break row=9 ago=2s; 30s", "Closing; SameChange"),
        ("a snapshot asked before the row began does not", "in step; SF Break | norows asked=3s; 6s", "ClosedLate"),
        ("a clock that is ahead is corrected across platforms", "in step; CX Mtg; ok SF; SF Meeting by=toolkit; 60s; CX Tea; 3s | SF Break ahead=60s ago=8s", "ChoiceLost"),
    ]),
    ].concat()
}

#[rustfmt::skip]
fn echoes_and_choices() -> Vec<String> {
    [
        check("", &[
        ("an echo", "in step; SF Break; ok CX; 5s | CX Lunch ago=1s", "Echo"),
        ("a person's own choice of it is no echo, but in step", "in step; SF Break; ok CX | CX Lunch by=agent", "InStep"),
        ("an echo of an outdated command, in time", "in step; SF Break; ok CX; SF Meeting; ok CX; 2s | CX Lunch", "Echo"),
        ("an echo of an outdated command, too late: taken for a choice", "in step; SF Break; ok CX; SF Meeting; ok CX; 10s | CX Lunch", "Choice >SF Break"),
        ("begins before its command: in step, but the real one is still to come", "in step; SF Break; ok CX; SF Meeting; 1s | CX Lunch ago=5s; CX Lunch", "Echo; Echo"),
        ("too early for an echo, and for a choice that could win", "in step; SF Break; ok CX; SF Meeting; ok CX; 1s | CX Lunch ago=9s", "ChoiceLost"),
        ("an echo already taken, again after what followed", "in step; SF Break; ok CX; CX Lunch; SF Meeting; ok CX; CX Mtg | CX Lunch ago=4s", "Duplicate"),
        ("in step without any command", "CX Available; 60s | SF Free", "InStep"),
        ("a choice over an intent of the same platform wins", "in step | SF Break; SF Meeting", "Choice >CX Lunch; Choice >CX Mtg"),
        ("a choice on a platform that had caught up wins, whatever the clocks say", "in step | CX Tea ago=300s", "Choice"),
        ("concurrent: the later one wins", "in step; SF Break | CX Tea", "Choice >CX Tea"),
        ("concurrent: the earlier one loses and is set back", "in step; SF Break | CX Tea ago=3s; ok CX; 60s", "ChoiceLost; Outcome(Accepted); Due(Confirm(Cxone)) >>CX Lunch"),
        ("re-entered on Salesforce: no choice", "in step | SF Free", "ReEntered"),
        ("re-entered by a person: a choice", "in step | SF Free by=agent", "Choice"),
        ("re-entered Available: no choice", "in step; CX Tea; 10s; CX Available; ok SF; SF Free; 60s | CX Available", "ReEntered"),
        ("another status of CXone re-entered is a choice", "in step; CX Tea; 10s | CX Tea", "Choice"),
        ("his login takes over what the other platform shows", "in step; CX LoggedOut; ok SF; SF Offline norow; 60s; SF Meeting; 10s | CX Unavailable; ok CX; CX Mtg", "Login >CX Mtg; Outcome(Accepted); Echo"),
        ("his login after his own log-out is a choice", "in step; CX LoggedOut; ok SF; SF Offline norow; 60s | CX Available", "Choice"),
        ("the Unavailable of a login gives way to the login on the other side", "SF Offline norow; CX LoggedOut; 60s; CX Unavailable; 60s | SF Free by=login", "Choice >CX Available"),
        ("a log-out that no row mirrors, and back", "in step; rules quiet | SF Offline norow; CX Lunch; SF Training by=login", "LogOutWithoutRow; Choice; Login >SF Break"),
        ("declined work is mirrored as a choice is", "in step | SF Break by=declined; ok CX; CX Lunch", "SystemState >CX Lunch; Outcome(Accepted); Echo"),
        ("a supervisor's change", "in step | SF Meeting by=supervisor; ok CX; CX Mtg", "Choice >CX Mtg; Outcome(Accepted); Echo"),
        ("a stale log-out of CXone", "in step | CX LoggedOut ago=300s", "StaleView"),
        ("a session without a state", "in step | CX LoggedIn; SF Break", "LoggedIn; Choice >CX Lunch"),
        ("a choice drops what is outstanding, if that has an outcome", "in step; SF Break; ok CX | CX Tea; 60s", "Choice"),
    ]),
        check("on_conflict = \"salesforce\"", &[
        ("concurrent: Salesforce wins", "in step; SF Break | CX Tea", "ChoiceLost"),
    ]),
        check("on_conflict = \"cxone\"", &[
        ("concurrent: CXone wins", "in step; SF Break | CX Tea ago=3s", "Choice >CX Tea"),
    ]),
        check("on_login = \"publish\"", &[
        ("the status at login is a choice", "in step; CX LoggedOut; ok SF; SF Offline norow; 60s; SF Meeting; 10s | CX Unavailable", "Choice"),
    ]),
    ].concat()
}

#[rustfmt::skip]
fn other_events() -> Vec<String> {
    [
        check("", &[
        ("connected anew: what was under way is commanded again", "in step; up 1; CX Lunch | up 2; up 1; SF Break by=toolkit", "Connected >SF Break; StaleEpoch; Echo"),
        ("connected anew, even where the target is shown", "in step; up 1; CX Lunch; SF Break by=toolkit | up 2", "Connected >SF Break"),
        ("connected anew after one has lapsed: what is issued again is no correction", "in step; up 1; CX Lunch; ok SF; 31s | up 2; ok SF; 31s", "Connected >SF Break; Outcome(Accepted); Due(Confirm(Salesforce)) >>SF Break"),
        ("superseded after one has lapsed: no correction either", "in step; CX Lunch; ok SF; 31s | superseded SF", "Outcome(Superseded) >SF Break"),
        ("connected anew with nothing under way", "in step; up 1 | up 2", "Connected"),
        ("disconnected: out of reach until he is back", "in step; up 1; down 1 | CX Lunch; 60s; up 2", "Choice; Connected >SF Break"),
        ("the other tab closes", "in step; up 1; up 2 | down 1; CX Lunch", "StaleEpoch; Choice >SF Break"),
        ("a page that opens logs nobody in", "in step; SF Offline norow; ok CX; CX LoggedOut; 60s | up 5; CX Available", "Connected; Choice"),
        ("rules changed in mid-shift", "in step; CX Lunch; ok SF; SF Break; 60s | rules other", "Activated >SF Meeting"),
        ("rules that change nothing for him", "in step | rules other", "Activated"),
        ("a second outcome", "in step; SF Break; ok CX | ok CX", "DuplicateOutcome"),
        ("an outcome that took longer than an echo is remembered", "in step; SF Break row=9; CX Lunch; 16min; SF Break row=9 | ok CX", "Outcome(Accepted)"),
        ("what is forgotten does not bring back what it passed over", "in step; CX Lunch; CX Available; CX Mtg; ok SF; SF Meeting; 16min; SF Meeting asked=0s row=9 | 1s; SF Meeting asked=0s row=9; retry", "Duplicate; Retried"),
        ("an outcome of a command that is forgotten", "in step | ok CX #99", "UnknownCommand"),
        ("a link removed while a command is out", "in step; SF Break | unlink; ok CX; link; link", "Unlinked; NotLinked; Linked; AlreadyLinked"),
        ("forgotten", "in step | forget; SF Free", "Forgotten; NotLinked"),
    ]),
    ].concat()
}
