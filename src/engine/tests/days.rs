//! Days of real people, event by event.

use super::script::run_with;

/// A day, the options of the rule, the script, and what each event gives.
type Day = (&'static str, &'static str, &'static str, &'static str);

#[test]
fn the_days_of_real_people() {
    let mut wrong = Vec::new();
    for (day, options, script, expected) in DAYS {
        let given = run_with(options, script);
        if given != *expected {
            wrong.push(format!("{day}\n    {script}\n    expected {expected}\n    given    {given}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[rustfmt::skip]
const DAYS: &[Day] = &[
    ("login in the morning, Salesforce first", "",
        "SF Offline norow; CX LoggedOut; 10min | SF Free by=login; 60s; CX LoggedIn; CX Unavailable; ok CX; CX Available; 60s", "Choice; LoggedIn; Login >CX Available; Outcome(Accepted); Echo"),
    ("login in the morning, CXone first", "",
        "SF Offline norow; CX LoggedOut; 10min | CX LoggedIn; CX Unavailable; 60s; up 1; SF Free by=login; ok CX; CX Available; 60s", "LoggedIn; Choice; Connected; Choice >CX Available; Outcome(Accepted); Echo"),
    ("shift end: he logs out of Salesforce, the console tells first and the row closes after", "",
        "CX Available; SF Free row=1; 60s | SF Offline norow; close row=1; down 1; ok CX; CX LoggedOut; 30s", "Choice >CX LoggedOut; ClosedLate; StaleEpoch; Outcome(Accepted); Echo"),
    ("shift end: only the row tells", "",
        "CX Available; SF Free row=1; 60s | close row=1; 10s; ok CX; CX LoggedOut; 30s", "Closing; Due(Grace) >CX LoggedOut; Outcome(Accepted); Echo"),
    ("a call with after-call work", "",
        "CX Available; SF Free row=1; 60s | CX Call; ok SF; SF OnCall by=toolkit; 3min; CX Wrap; 30s; CX Available; ok SF; SF Free by=toolkit; 60s", "Contact >SF OnCall; Outcome(Accepted); Echo; Contact; AfterContact >SF Free; Outcome(Accepted); Echo"),
    ("a call begins while he goes to lunch: he stays on the call, then is at lunch", "",
        "CX Available; SF Free row=1; 60s; SF Break by=agent | CX Call; ok CX; 3min; CX Lunch; ok SF; SF Break; 60s", "Contact >SF OnCall; Outcome(Accepted); Echo >SF Break; Outcome(Accepted); Echo"),
    ("a supervisor takes him out of the queue in Salesforce", "",
        "CX Available; SF Free row=1; 60s | SF Meeting by=supervisor; ok CX; CX Mtg; 60s", "Choice >CX Mtg; Outcome(Accepted); Echo"),
    ("a status only Salesforce has", "",
        "CX Available; SF Free row=1; 60s | SF Training by=agent; 60s; SF Free by=agent; 60s", "Choice; Choice"),
    ("rules changed in mid-shift, and back", "",
        "CX Available; SF Free row=1; 60s; CX Lunch; ok SF; SF Break; 60s | rules other; ok SF; SF Meeting; 60s; rules same; ok SF; SF Break; 60s", "Activated >SF Meeting; Outcome(Accepted); Echo; Activated >SF Break; Outcome(Accepted); Echo"),
    ("CXone away for 15 minutes", "",
        "CX Available; SF Free row=1; 60s | SF Break; 5min; SF Free; 5min; SF Meeting; 5min; superseded CX #1; superseded CX #2; ok CX; CX Mtg; 60s", "Choice >CX Lunch; Choice >CX Available; Choice >CX Mtg; Outcome(Superseded); Outcome(Superseded); Outcome(Accepted); Echo"),
    ("Salesforce away for 15 minutes: his browser is gone", "",
        "CX Available; SF Free row=1; up 1; 60s | down 1; CX Lunch; 10min; CX Mtg; 5min; up 2; ok SF; SF Meeting by=toolkit; 60s", "Disconnected; Choice; Choice; Connected >SF Meeting; Outcome(Accepted); Echo"),
    ("two quick changes", "",
        "CX Available; SF Free row=1; 60s | SF Break; SF Meeting; superseded CX #1; ok CX; CX Mtg; 60s", "Choice >CX Lunch; Choice >CX Mtg; Outcome(Superseded); Outcome(Accepted); Echo"),
    ("two quick changes, the first is seen all the same", "",
        "CX Available; SF Free row=1; 60s | SF Break; ok CX; SF Meeting; CX Lunch ago=1s; ok CX; CX Mtg; 60s", "Choice >CX Lunch; Outcome(Accepted); Choice >CX Mtg; Echo; Outcome(Accepted); Echo"),
    ("a code's time-out logs him out of CXone", "",
        "CX Available; SF Free row=1; 60s; CX Lunch; ok SF; SF Break by=toolkit; 120min | CX LoggedOut; ok SF; SF Offline norow; 60s", "Choice >SF Offline; Outcome(Accepted); Echo"),
    ("both sides changed within a second, the rule prefers CXone", "on_conflict = \"cxone\"",
        "CX Available; SF Free row=1; 60s | SF Meeting; CX Lunch ago=2s; superseded CX #1; ok CX; ok SF; SF Break by=toolkit; 60s", "Choice >CX Mtg; Choice >SF Break >CX Lunch; Outcome(Superseded); Outcome(Accepted); Outcome(Accepted); Echo"),
];
