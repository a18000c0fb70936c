//! The language of the tables.
//!
//! A script is a list of events, with `;` between them. Every event takes place 1 s after the one before.
//! - `SF Free`, `CX Lunch`: the platform shows that status since now. `ago=3s` since earlier, `ahead=2s` by a clock
//!   that is ahead, `by=agent` with a cause, `asked=0s` found by a snapshot that was asked so long ago; in
//!   Salesforce `row=7` or `norow` (a new row if neither is written).
//! - `close row=7`: that row was closed (the observed one if none is named). `norows`: a snapshot shows no row.
//! - `ok CX`, `refused CX`, `conflict SF`, `unreachable SF`, `superseded CX`, `unknown CX`: what became of the
//!   newest command there; `#2` names another.
//! - `up 1`, `down 1`: a browser is there, or gone. `30s`: time passes, and timers come due.
//! - `team Night` (it lacks Mtg and Tea), `rules other` (Lunch is Meeting), `rules same`, `rules quiet` (no log-outs; with `skip`),
//!   `retry`, `link`, `unlink`, `forget`.
//!
//! What each event gave is written as its reason, its commands (`>CX Lunch`, `>>` for a correction), and `gave up SF`
//! or `flapping`.

use crate::directory::Directory;
use crate::document::{Document, Mistakes, Syntax};
use crate::domain::{
    Cause, ContactState, CxoneStatus, DurationMs, OutStateId, Platform, ReservedOutState, RowId,
    SalesforceStatus, Team, TimeMs,
};
use crate::engine::*;
use crate::rules::{self, Revision, Tables};

pub(super) const DIRECTORY: &str = r#"
[salesforce.main]
statuses = [
  { id = "0N5000000000001", developer_name = "Free" }, { id = "0N5000000000002", developer_name = "Break" },
  { id = "0N5000000000003", developer_name = "OnCall" }, { id = "0N5000000000004", developer_name = "Meeting" },
  { id = "0N5000000000005", developer_name = "Back" }, { id = "0N5000000000006", developer_name = "Training" },
]
users = [{ id = "005000000000001" }]
[cxone.main]
codes = [{ id = 11, name = "Lunch" }, { id = 12, name = "Mtg" }, { id = 13, name = "Tea" }]
teams = [{ id = 1, name = "Day", codes = [11, 12, 13] }, { id = 2, name = "Night", codes = [11] }, { id = 3, name = "Nobody" }]
agents = [{ id = 1, team = 1 }]
[[links]]
salesforce = "main/005000000000001"
cxone = "main/1"
"#;

/// A row each way for most statuses.
pub(super) const ROWS: &str = r#"
[rule.cxone_to_salesforce]
"Available" = "Free"
"Unavailable/Lunch" = "Break"
"Unavailable/Mtg" = "Meeting"
"InboundContact" = "OnCall"
"AfterCallWork" = "OnCall"
"LoggedOut" = "Offline"
[rule.salesforce_to_cxone]
"Free" = "Available"
"Break" = "Unavailable/Lunch"
"Meeting" = "Unavailable/Mtg"
"Back" = "previous"
"Offline" = "LoggedOut"
"#;

const SALESFORCE: [&str; 6] = ["Free", "Break", "OnCall", "Meeting", "Back", "Training"];
const CODES: [&str; 3] = ["Lunch", "Mtg", "Tea"];

/// One agent, his clock, and what is known of his commands.
pub(super) struct Session {
    slot: Option<AgentState>,
    now: TimeMs,
    tables: Tables,
    team: Team,
    directory: Directory,
    next_row: u32,
    row: u32,
    timer: Option<(TimeMs, WakeUp)>,
    sent: Vec<(Sequence, Platform)>,
}

/// Runs a script and gives what each event after the bar gave.
pub(super) fn run(script: &str) -> String {
    run_with("", script)
}

/// The same under a rule with these options.
pub(super) fn run_with(options: &str, script: &str) -> String {
    let mut session = Session::new(options);
    let (before, after) = script.split_once('|').unwrap_or(("", script));
    session.events(before);
    session.events(after).join("; ")
}

impl Session {
    fn new(options: &str) -> Session {
        let directory = directory();
        let tables = tables(&directory, options, ROWS);
        let account = directory.people[0].link.cxone.account;
        let team = Team { account, team: directory.people[0].team.unwrap() };
        let now = TimeMs::from_unix_ms(1_000_000_000);
        let mut session = Session {
            slot: None,
            now,
            tables,
            team,
            directory,
            next_row: 1,
            row: 0,
            timer: None,
            sent: Vec::new(),
        };
        session.event("link");
        session
    }

    fn events(&mut self, script: &str) -> Vec<String> {
        script
            .split(';')
            .map(str::trim)
            .filter(|e| !e.is_empty())
            .flat_map(|event| self.event(event))
            .collect()
    }

    fn event(&mut self, event: &str) -> Vec<String> {
        let words: Vec<&str> = event.split_whitespace().collect();
        if let [time] = words.as_slice()
            && let Some(length) = duration(time)
        {
            return self.wait(length);
        }
        let mut given = self.wait(DurationMs::from_seconds(1));
        let what = self.what(&words);
        given.push(self.apply(what));
        given
    }

    /// Lets time pass; timers come due in their order.
    fn wait(&mut self, length: DurationMs) -> Vec<String> {
        let until = self.now + length;
        let mut given = Vec::new();
        while let Some((at, wake_up)) = self.timer.filter(|(at, _)| *at <= until) {
            self.timer = None;
            self.now = self.now.max(at);
            given.push(self.apply(What::WakeUp(wake_up)));
        }
        self.now = until;
        given
    }

    fn apply(&mut self, what: What) -> String {
        let effects = apply(&mut self.slot, &Event { now: self.now, what }, &self.tables);
        match effects.timer {
            Some(Timer::Arm { at, cause, generation }) => {
                self.timer = Some((at, WakeUp { cause, generation }))
            }
            Some(Timer::Disarm) => self.timer = None,
            None => {}
        }
        let mut text = format!("{:?}", effects.decision.reason);
        if effects.decision.taken_back {
            text = format!("taken back, {text}");
        }
        for command in effects.commands.into_array().into_iter().flatten() {
            self.sent.push((command.sequence, command.platform()));
            let mark = if command.correction { ">>" } else { ">" };
            text += &format!(" {mark}{}", name(command.status));
        }
        for (platform, _) in
            PLATFORMS.into_iter().zip(effects.decision.diverged.into_array()).filter(|(_, why)| why.is_some())
        {
            text += &format!(" gave up {}", short(platform));
        }
        if effects.decision.flapping {
            text += " flapping";
        }
        text
    }

    fn what(&mut self, words: &[&str]) -> What {
        let (first, rest) = words.split_first().unwrap();
        let option = |key: &str| rest.iter().find_map(|w| w.strip_prefix(key));
        let length = |key: &str| option(key).map(|text| duration(text).unwrap());
        let platform = || match rest.first() {
            Some(&"SF") => Platform::Salesforce,
            Some(&"CX") => Platform::Cxone,
            other => panic!("a platform, not {other:?}"),
        };
        let offset = length("ahead=").unwrap_or_default();
        let at_raw = self.now - length("ago=").unwrap_or_default() + offset;
        let asked = length("asked=").map(|ago| self.now - ago);
        match *first {
            "SF" | "CX" => {
                let status = status(first, rest[0]);
                let row =
                    self.row(*first == "SF" && !status.is_off() && !rest.contains(&"norow"), option("row="));
                let cause = option("by=").map_or(Cause::Unknown, cause);
                What::Observation(Observation { status, since_raw: at_raw, offset, row, cause, asked })
            }
            "close" => {
                let row = option("row=").map_or(self.row, |row| row.parse().unwrap());
                What::RowClosed(RowClosed { row: Some(row_id(row)), at_raw, offset, asked })
            }
            "norows" => {
                What::RowClosed(RowClosed { row: None, at_raw, offset, asked: asked.or(Some(self.now)) })
            }
            "up" => What::Connected(Epoch(rest[0].parse().unwrap())),
            "down" => What::Disconnected(Epoch(rest[0].parse().unwrap())),
            "ok" | "refused" | "conflict" | "unreachable" | "superseded" | "unknown" => {
                let platform = platform();
                let newest =
                    self.sent.iter().rev().find(|(_, p)| *p == platform).map_or(Sequence(0), |(s, _)| *s);
                let command = option("#").map_or(newest, |n| Sequence(n.parse().unwrap()));
                What::Outcome(Outcome { platform, command, verdict: verdict(first) })
            }
            "retry" => What::Retry,
            "unlink" => What::Unlinked,
            "forget" => What::Forgotten,
            "link" => What::Linked(self.membership()),
            "team" => {
                let tenant = self.directory.vocabulary.cxone.values().next().unwrap();
                self.team.team = tenant.teams().iter().find(|t| &*t.name == rest[0]).unwrap().id;
                What::TeamMoved(self.membership())
            }
            "rules" => {
                let rows = match rest[0] {
                    "same" => ROWS.to_owned(),
                    "other" => ROWS
                        .replace("\"Unavailable/Lunch\" = \"Break\"", "\"Unavailable/Lunch\" = \"Meeting\""),
                    "quiet" => {
                        ROWS.lines().filter(|row| !row.contains("LoggedOut")).collect::<Vec<_>>().join("\n")
                    }
                    other => panic!("no rules are called {other}"),
                };
                let options = if rest.contains(&"skip") { "skip_code_validation = true" } else { "" };
                self.tables = tables(&self.directory, options, &rows);
                What::Activated { assignment: self.membership().assignment }
            }
            other => panic!("no event is called {other}"),
        }
    }

    fn membership(&self) -> Membership {
        let person = &self.directory.people[0];
        let assignment = self.tables.assignment(person.agent, &person.link, Some(self.team));
        Membership { team: Some(self.team.team), assignment }
    }

    fn row(&mut self, has_row: bool, named: Option<&str>) -> Option<RowId> {
        if !has_row {
            return None;
        }
        self.row = named.map_or(self.next_row, |row| row.parse().unwrap());
        self.next_row = self.next_row.max(self.row) + 1;
        Some(row_id(self.row))
    }
}

/// One agent, his teams, and the statuses of both platforms.
pub(super) fn directory() -> Directory {
    let mut mistakes = Mistakes::new();
    let document = Document::new("directory", DIRECTORY, Syntax::Toml);
    let directory = Directory::read(&document, &mut mistakes).unwrap();
    assert!(mistakes.is_empty(), "{:?}", mistakes.in_order());
    directory
}

/// The tables of one rule with these options and rows.
pub(super) fn tables(directory: &Directory, options: &str, rows: &str) -> Tables {
    Tables::compile(&revision(directory, options, rows))
}

/// The revision of one rule with these options and rows.
pub(super) fn revision(directory: &Directory, options: &str, rows: &str) -> Revision {
    let text = format!("[[rule]]\nname = \"R\"\nteams = [\"Day\", \"Night\"]\n{options}\n{rows}");
    // Night lacks a code on purpose, which a check refuses: the revision is checked without teams' codes.
    let text = text.replace("[rule.cxone", "skip_code_validation = true\n[rule.cxone");
    let text =
        if options.contains("skip") { text.replacen("skip_code_validation = true\n", "", 1) } else { text };
    let mut mistakes = Mistakes::new();
    let document = Document::new("rules", text, Syntax::Toml);
    let revision = rules::check(&document, Some(directory), &mut mistakes);
    let mut revision = revision.unwrap_or_else(|| panic!("{:?}", mistakes.in_order()));
    revision.rules[0].options.skip_code_validation = options.contains("skip_code_validation = true");
    revision
}

fn duration(text: &str) -> Option<DurationMs> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_alphabetic())?);
    let number: i64 = number.parse().ok()?;
    match unit {
        "ms" => Some(DurationMs::from_ms(number)),
        "s" => Some(DurationMs::from_seconds(number)),
        "min" => Some(DurationMs::from_seconds(number * 60)),
        _ => None,
    }
}

pub(super) fn row_id(number: u32) -> RowId {
    format!("0Ps{number:012}").parse().unwrap()
}

/// The status of this name.
pub(super) fn status(platform: &str, name: &str) -> Status {
    if platform == "SF" {
        let number = SALESFORCE.iter().position(|n| *n == name).map(|i| i + 1);
        return Status::Salesforce(match (name, number) {
            ("Offline", _) => SalesforceStatus::Offline,
            (_, Some(n)) => SalesforceStatus::Presence(format!("0N500000000000{n}").parse().unwrap()),
            (_, None) => panic!("no Salesforce status is called {name}"),
        });
    }
    Status::Cxone(match name {
        "LoggedOut" => CxoneStatus::LoggedOut,
        "LoggedIn" => CxoneStatus::LoggedIn,
        "Available" => CxoneStatus::Available,
        "Unavailable" => CxoneStatus::Unavailable,
        "Call" => CxoneStatus::Contact(ContactState::InboundContact),
        "Outbound" => CxoneStatus::Contact(ContactState::OutboundContact),
        "Wrap" => CxoneStatus::AfterCallWork(None),
        "Refused" => CxoneStatus::Reserved(ReservedOutState::new(-1).unwrap()),
        code => {
            let code = CODES
                .iter()
                .position(|n| *n == code)
                .unwrap_or_else(|| panic!("no CXone status is called {name}"));
            CxoneStatus::Code(OutStateId::new(11 + code as u32))
        }
    })
}

pub(super) fn name(status: Status) -> String {
    let name = match status {
        Status::Salesforce(SalesforceStatus::Offline) => "Offline",
        Status::Salesforce(SalesforceStatus::Presence(id)) => {
            SALESFORCE[id.to_string().strip_prefix("0N5").unwrap().parse::<usize>().unwrap() - 1]
        }
        Status::Cxone(CxoneStatus::LoggedOut) => "LoggedOut",
        Status::Cxone(CxoneStatus::Available) => "Available",
        Status::Cxone(CxoneStatus::Unavailable) => "Unavailable",
        Status::Cxone(CxoneStatus::Code(id)) => CODES[id.get() as usize - 11],
        Status::Cxone(other) => panic!("{other:?} was commanded"),
    };
    format!("{} {name}", short(status.platform()))
}

pub(super) fn short(platform: Platform) -> &'static str {
    match platform {
        Platform::Salesforce => "SF",
        Platform::Cxone => "CX",
    }
}

fn cause(name: &str) -> Cause {
    match name {
        "agent" => Cause::Agent,
        "supervisor" => Cause::Supervisor,
        "toolkit" => Cause::Toolkit,
        "declined" => Cause::Declined,
        "timeout" => Cause::PushTimeout,
        "login" => Cause::Login,
        other => panic!("no cause is called {other}"),
    }
}

fn verdict(name: &str) -> Verdict {
    match name {
        "ok" => Verdict::Accepted,
        "refused" => Verdict::Permanent,
        "conflict" => Verdict::Conflict,
        "unreachable" => Verdict::Unreachable,
        "superseded" => Verdict::Superseded,
        _ => Verdict::Unknown,
    }
}
