//! The rules of a history: those it begins with, and others that may be activated and rolled back.

use crate::directory::{
    Code, CxoneVocabulary, PresenceStatus, SalesforceVocabulary, TeamEntry, Vocabulary, agent_id,
};
use crate::domain::{
    CxoneAgent, CxoneAgentId, CxoneStatus, Link, OutStateId, SalesforceStatus, SalesforceUser, Team, TeamId,
};
use crate::engine::{Assignment, Membership, Status};
use crate::rules::{
    CxoneOrder, CxoneTarget, CxoneTerm, OnConflict, OnLogin, Options, PublisherRow, Revision, Rule,
    SalesforceTerm, Settings, SubscriberRow, Tables, WhileOnContact,
};

use super::random::Random;

type Rows = &'static [(&'static str, &'static str)];

/// A class of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Each status has one on the other platform.
    OneToOne,
    /// Several CXone statuses show as one in Salesforce.
    ManyToOne,
    /// Statuses without a row, and *previous*.
    Sparse,
    /// Rows that chase each other, which a check refuses.
    Chasing,
}

impl Mapping {
    /// All of them.
    pub const ALL: [Mapping; 4] = [Mapping::OneToOne, Mapping::ManyToOne, Mapping::Sparse, Mapping::Chasing];

    /// The rows from CXone to Salesforce, and back.
    fn rows(self) -> (Rows, Rows) {
        const BACK: Rows = &[
            ("Available", "S1"),
            ("Unavailable/C2", "S2"),
            ("Unavailable/C3", "S3"),
            ("InboundContact", "S4"),
            ("LoggedOut", "Offline"),
        ];
        const THERE: Rows = &[
            ("S1", "Available"),
            ("S2", "Unavailable/C2"),
            ("S3", "Unavailable/C3"),
            ("Offline", "LoggedOut"),
        ];
        match self {
            Mapping::OneToOne => (BACK, THERE),
            Mapping::ManyToOne => (
                &[
                    ("Available", "S1"),
                    ("Unavailable", "S2"),
                    ("Unavailable/C2", "S2"),
                    ("Unavailable/C3", "S2"),
                    ("InboundContact", "S4"),
                    ("AfterCallWork", "S4"),
                ],
                &[
                    ("S1", "Available"),
                    ("S2", "Unavailable/C2"),
                    ("S3", "Unavailable/C2"),
                    ("Offline", "LoggedOut"),
                ],
            ),
            Mapping::Sparse => (
                &[("Available", "S1"), ("InboundContact", "S4")],
                &[("S1", "Available"), ("S2", "Unavailable/C2"), ("S3", "previous")],
            ),
            Mapping::Chasing => (
                &[("Available", "S1"), ("Unavailable/C2", "S3"), ("Unavailable/C3", "S2")],
                &[("S1", "Available"), ("S2", "Unavailable/C2"), ("S3", "Unavailable/C3")],
            ),
        }
    }
}

/// The presence statuses of the simulated org, by their numbers from 1.
pub(super) fn presence(number: i64) -> SalesforceStatus {
    let id = format!("0N5{number:012}").parse();
    id.map_or(SalesforceStatus::Offline, SalesforceStatus::Presence)
}

/// The codes of the simulated tenant.
pub(super) const fn code(number: u32) -> CxoneStatus {
    CxoneStatus::Code(OutStateId::new(100 + number))
}

/// The status in which contacts come, on each platform. The rules of every class mirror one as the other.
pub(super) fn is_available(status: Status) -> bool {
    status == Status::Cxone(CxoneStatus::Available) || status == Status::Salesforce(presence(1))
}

/// His teams: the first has every code, the second lacks the last one.
const TEAMS: [(u32, &[u32]); 2] = [(1, &[2, 3]), (2, &[2])];

/// The revisions of a history, the one in force, and his team as the directory has it.
pub(super) struct Rules {
    revisions: Vec<Tables>,
    in_force: usize,
    link: Link,
    team: Team,
}

impl Rules {
    /// Rules of a class with options by chance, and with `changes` those of another class as well. They are not
    /// checked: some would be refused.
    pub(super) fn new(mapping: Mapping, changes: bool, random: &mut Random) -> Option<Self> {
        let account = "main".parse().ok()?;
        let link = Link {
            salesforce: SalesforceUser { account, user: "005000000000001".parse().ok()? },
            cxone: CxoneAgent { account, agent: CxoneAgentId::new(1) },
        };
        let other = if changes { Some(random.pick(&Mapping::ALL)?) } else { None };
        let mut revisions = Vec::new();
        for mapping in [Some(mapping), other].into_iter().flatten() {
            let rules = vec![rule(mapping, &link, random)?];
            let revision = Revision { rules, vocabulary: vocabulary(&link), settings: Settings::default() };
            revisions.push(Tables::compile(&revision));
        }
        let team = Team { account, team: TeamId::new(1) };
        let rules = Rules { revisions, in_force: 0, link, team };
        rules.tables()?;
        Some(rules)
    }

    /// The tables in force; there are some, or there is no history.
    pub(super) fn tables(&self) -> Option<&Tables> {
        self.revision(self.in_force)
    }

    pub(super) fn revision(&self, number: usize) -> Option<&Tables> {
        self.revisions.get(number)
    }

    pub(super) const fn in_force(&self) -> usize {
        self.in_force
    }

    /// The other revision takes effect, or the first one again.
    pub(super) fn activate(&mut self) {
        self.in_force = (self.in_force + 1) % self.revisions.len().max(1);
    }

    /// The directory shows him in the team with this number, from 0. Says whether it is another.
    pub(super) fn move_to(&mut self, team: usize) -> bool {
        let before = self.team.team;
        if let Some((id, _)) = TEAMS.get(team) {
            self.team.team = TeamId::new(*id);
        }
        self.team.team != before
    }

    pub(super) fn assignment(&self) -> Option<Assignment> {
        self.tables()?.assignment(agent_id(&self.link), &self.link, Some(self.team))
    }

    pub(super) fn membership(&self) -> Membership {
        Membership { team: Some(self.team.team), assignment: self.assignment() }
    }

    pub(super) fn options(&self) -> Option<Options> {
        self.tables()?.options(self.assignment()?)
    }

    /// Whether some revision gives him *previous* for a status.
    pub(super) fn is_previous(&self, status: Status) -> bool {
        let Status::Salesforce(status) = status else { return false };
        let Some(assignment) = self.assignment() else { return false };
        let target = |tables: &Tables| tables.cxone_target(assignment, status);
        self.revisions.iter().any(|tables| matches!(target(tables), CxoneTarget::Previous(_)))
    }

    /// What the rule in force makes of a status, as far as it is one plain status.
    pub(super) fn mirrored(&self, status: Status) -> Option<Status> {
        self.tables()?.agent_rule(self.assignment()?)?.mirrored(status).map(|(status, _)| status)
    }
}

/// Whether a team has a code; the number counts from 0.
pub(super) fn team_has(team: usize, status: CxoneStatus) -> bool {
    let codes = TEAMS.get(team).map_or(&[][..], |(_, codes)| codes);
    !matches!(status, CxoneStatus::Code(_)) || codes.iter().any(|number| code(*number) == status)
}

fn vocabulary(link: &Link) -> Vocabulary {
    let status = |number: i64| {
        let SalesforceStatus::Presence(id) = presence(number) else { return None };
        let name: Box<str> = format!("S{number}").into();
        Some(PresenceStatus {
            id,
            developer_name: name.clone(),
            label: name,
            channels: Vec::new(),
            granted_to: None,
        })
    };
    let id = |number: u32| OutStateId::new(100 + number);
    let code = |number: u32| Code {
        id: id(number),
        name: format!("C{number}").into(),
        active: true,
        after_call_work: false,
    };
    let team = |(team, codes): (u32, &[u32])| TeamEntry {
        id: TeamId::new(team),
        name: format!("T{team}").into(),
        codes: Some(codes.iter().map(|number| id(*number)).collect()),
    };
    let salesforce = SalesforceVocabulary::new((1..=4).filter_map(status).collect());
    let cxone = CxoneVocabulary::new((2..=3).map(code).collect(), TEAMS.into_iter().map(team).collect());
    Vocabulary {
        salesforce: [(link.salesforce.account, salesforce)].into(),
        cxone: [(link.cxone.account, cxone)].into(),
    }
}

fn rule(mapping: Mapping, link: &Link, random: &mut Random) -> Option<Rule> {
    let (back, there) = mapping.rows();
    let order = |name: &str| match name {
        "previous" => Some(CxoneOrder::Previous),
        name => CxoneTerm::parse(name).ok().map(CxoneOrder::Status),
    };
    let publisher = back.iter().filter_map(|(from, to)| {
        Some(PublisherRow { from: CxoneTerm::parse(from).ok()?, to: SalesforceTerm::parse(to) })
    });
    let subscriber = there
        .iter()
        .filter_map(|(from, to)| Some(SubscriberRow { from: SalesforceTerm::parse(from), to: order(to)? }));
    Some(Rule {
        name: format!("{mapping:?}"),
        teams: Vec::new(),
        agents: vec![agent_id(link)],
        options: Options {
            skip_code_validation: random.percent(20),
            on_conflict: random.pick(&[OnConflict::Latest, OnConflict::Salesforce, OnConflict::Cxone])?,
            while_on_contact: random.pick(&[
                WhileOnContact::Hold,
                WhileOnContact::Hold,
                WhileOnContact::Send,
            ])?,
            on_login: random.pick(&[OnLogin::Adopt, OnLogin::Publish])?,
        },
        publisher: publisher.collect(),
        subscriber: subscriber.collect(),
    })
}
