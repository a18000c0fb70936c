//! The classes of mappings, and what may happen in the world of each.

use super::super::script::{self, DIRECTORY};
use crate::directory::Directory;
use crate::document::{Document, Mistakes, Syntax};
use crate::domain::{CxoneStatus, Platform, SalesforceStatus, Team};
use crate::engine::{Membership, Status};
use crate::rules::{self, CxoneOrder, CxoneTerm, PublisherRow, SalesforceTerm};
use crate::rules::{SubscriberRow, Tables};

type Rows = &'static [(&'static str, &'static str)];

/// How much may happen in one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    pub(super) changes: u8,
    pub(super) losses: u8,
    pub(super) duplicates: u8,
    /// Steps in time while something is under way or armed, or soon after a change.
    pub(super) waits: u8,
}

/// What tells of Salesforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// Change Data Capture: rows that open, and those that close for good.
    Rows,
    /// The same, and every change closes a row, too.
    RowsAndCloses,
    /// The agent's console: no row, but the cause.
    Console,
}

/// A closed world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    pub(super) name: &'static str,
    /// The rows from CXone to Salesforce, and back.
    pub(super) back: Rows,
    pub(super) there: Rows,
    pub(super) options: &'static str,
    /// What both show at first, in step.
    pub(super) start: (&'static str, &'static str),
    /// What the person may choose.
    pub(super) salesforce: &'static [&'static str],
    pub(super) cxone: &'static [&'static str],
    pub(super) contacts: bool,
    pub(super) feed: Feed,
    /// This platform answers every command, and does none.
    pub(super) deaf: Option<Platform>,
    /// What is explored, one after another.
    pub(super) budgets: &'static [Budget],
}

const THREE: Budget = Budget { changes: 3, losses: 1, duplicates: 1, waits: 0 };
const THREE_IN_TIME: Budget = Budget { changes: 3, losses: 0, duplicates: 0, waits: 1 };
const THREE_IN_PEACE: Budget = Budget { changes: 3, losses: 0, duplicates: 0, waits: 0 };
const TWO: Budget = Budget { changes: 2, losses: 1, duplicates: 1, waits: 0 };
const TWO_IN_TIME: Budget = Budget { changes: 2, losses: 1, duplicates: 1, waits: 1 };
const ONE_IN_TIME: Budget = Budget { changes: 1, losses: 1, duplicates: 1, waits: 1 };
const TWO_ONLY_TIME: Budget = Budget { changes: 2, losses: 0, duplicates: 0, waits: 1 };

impl Class {
    pub(super) fn has_previous(&self) -> bool {
        self.there.iter().any(|(_, to)| *to == "previous")
    }
}

/// The worlds that are explored.
pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "one-to-one",
        back: &[("Available", "Free"), ("Unavailable/Lunch", "Break"), ("LoggedOut", "Offline")],
        there: &[("Free", "Available"), ("Break", "Unavailable/Lunch"), ("Offline", "LoggedOut")],
        options: "",
        start: ("Free", "Available"),
        salesforce: &["Free", "Break"],
        cxone: &["Available", "Lunch"],
        contacts: false,
        feed: Feed::Rows,
        deaf: None,
        budgets: &[THREE, TWO_IN_TIME],
    },
    Class {
        name: "many-to-one",
        back: &[("Available", "Free"), ("Unavailable/Lunch", "Break"), ("Unavailable/Mtg", "Break")],
        there: &[("Free", "Available"), ("Break", "Unavailable/Lunch"), ("Meeting", "Unavailable/Lunch")],
        options: "on_conflict = \"salesforce\"",
        start: ("Free", "Available"),
        salesforce: &["Free", "Meeting"],
        cxone: &["Available", "Mtg"],
        contacts: false,
        feed: Feed::Rows,
        deaf: None,
        budgets: &[THREE, TWO_ONLY_TIME],
    },
    Class {
        name: "not round-trip",
        back: &[("Available", "Free"), ("Unavailable/Lunch", "Meeting")],
        there: &[("Free", "Available"), ("Break", "Unavailable/Lunch"), ("Meeting", "Unavailable/Mtg")],
        options: "on_conflict = \"cxone\"",
        start: ("Free", "Available"),
        salesforce: &["Free", "Break"],
        cxone: &["Available", "Lunch"],
        contacts: false,
        feed: Feed::Rows,
        deaf: None,
        budgets: &[THREE, TWO_IN_TIME],
    },
    Class {
        name: "chasing",
        back: &[("Available", "Free"), ("Unavailable/Lunch", "Meeting"), ("Unavailable/Mtg", "Break")],
        there: &[("Free", "Available"), ("Break", "Unavailable/Lunch"), ("Meeting", "Unavailable/Mtg")],
        options: "",
        start: ("Break", "Lunch"),
        salesforce: &["Break", "Meeting"],
        cxone: &["Lunch", "Mtg"],
        contacts: false,
        feed: Feed::Console,
        deaf: None,
        budgets: &[THREE, THREE_IN_TIME, TWO_IN_TIME],
    },
    Class {
        name: "previous",
        back: &[("Available", "Free"), ("InboundContact", "OnCall")],
        there: &[("Free", "Available"), ("Break", "Unavailable/Lunch"), ("Back", "previous")],
        options: "",
        start: ("Free", "Available"),
        salesforce: &["Break", "Back"],
        cxone: &["Available", "Mtg"],
        contacts: false,
        feed: Feed::Rows,
        deaf: None,
        budgets: &[THREE, TWO_IN_TIME],
    },
    Class {
        name: "contacts",
        back: &[("Available", "Free"), ("Unavailable/Lunch", "Break"), ("InboundContact", "OnCall")],
        there: &[("Free", "Available"), ("Break", "Unavailable/Lunch")],
        options: "",
        start: ("Free", "Available"),
        salesforce: &["Free", "Break"],
        cxone: &["Available"],
        contacts: true,
        feed: Feed::Rows,
        deaf: None,
        budgets: &[THREE_IN_PEACE, TWO, ONE_IN_TIME],
    },
    Class {
        name: "log-outs",
        back: &[("Available", "Free"), ("LoggedOut", "Offline")],
        there: &[("Free", "Available"), ("Offline", "LoggedOut")],
        options: "",
        start: ("Free", "Available"),
        salesforce: &["Free", "Offline"],
        cxone: &["Available", "LoggedOut"],
        contacts: false,
        feed: Feed::Rows,
        deaf: None,
        budgets: &[THREE, THREE_IN_TIME, TWO_IN_TIME],
    },
    Class {
        name: "closes",
        back: &[("Available", "Free"), ("Unavailable/Lunch", "Break"), ("LoggedOut", "Offline")],
        there: &[("Free", "Available"), ("Break", "Unavailable/Lunch"), ("Offline", "LoggedOut")],
        options: "",
        start: ("Free", "Available"),
        salesforce: &["Free", "Break"],
        cxone: &["Available", "Lunch"],
        contacts: false,
        feed: Feed::RowsAndCloses,
        deaf: None,
        budgets: &[THREE, TWO_ONLY_TIME],
    },
    Class {
        name: "deaf",
        back: &[("Available", "Free"), ("Unavailable/Lunch", "Break")],
        there: &[("Free", "Available"), ("Break", "Unavailable/Lunch")],
        options: "",
        start: ("Free", "Available"),
        salesforce: &["Free", "Break"],
        cxone: &["Available", "Lunch"],
        contacts: false,
        feed: Feed::Rows,
        deaf: Some(Platform::Cxone),
        budgets: &[THREE, TWO_ONLY_TIME],
    },
];

/// The rules of a class, compiled: not checked, for some would be refused.
pub(super) fn compile(class: &Class) -> (Tables, Membership) {
    let mut mistakes = Mistakes::new();
    let document = Document::new("directory", DIRECTORY, Syntax::Toml);
    let directory = Directory::read(&document, &mut mistakes).unwrap();
    let text = format!("[[rule]]\nname = \"R\"\nteams = [\"Day\"]\n{}\n{}", class.options, script::ROWS);
    let document = Document::new("rules", text, Syntax::Toml);
    let mut revision = rules::check(&document, Some(&directory), &mut mistakes)
        .unwrap_or_else(|| panic!("{:?}", mistakes.in_order()));
    let publisher = class.back.iter().map(|(from, to)| PublisherRow {
        from: CxoneTerm::parse(from).unwrap(),
        to: SalesforceTerm::parse(to),
    });
    let order = |name: &str| match name {
        "previous" => CxoneOrder::Previous,
        name => CxoneOrder::Status(CxoneTerm::parse(name).unwrap()),
    };
    let subscriber = class
        .there
        .iter()
        .map(|(from, to)| SubscriberRow { from: SalesforceTerm::parse(from), to: order(to) });
    revision.rules[0].publisher = publisher.collect();
    revision.rules[0].subscriber = subscriber.collect();
    // Out of the way: a loop must not hide behind it.
    revision.settings.flap_commands = u8::MAX;
    let tables = Tables::compile(&revision);
    let person = &directory.people[0];
    let team = Team { account: person.link.cxone.account, team: person.team.unwrap() };
    let assignment = tables.assignment(person.agent, &person.link, Some(team));
    (tables, Membership { team: Some(team.team), assignment })
}

pub(super) fn salesforce(name: &str) -> SalesforceStatus {
    match script::status("SF", name) {
        Status::Salesforce(status) => status,
        Status::Cxone(_) => unreachable!(),
    }
}

pub(super) fn cxone(name: &str) -> CxoneStatus {
    match script::status("CX", name) {
        Status::Cxone(status) => status,
        Status::Salesforce(_) => unreachable!(),
    }
}
