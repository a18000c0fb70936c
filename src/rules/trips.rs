//! Rules plus echoes as a finite graph. From every status the rows lead to the other platform and back: a
//! pair of rows that does not come back loses what the agent chose; rows that lead round in a ring would
//! chase each other as soon as an echo is taken for a choice.
//!
//! *previous* adds no ring: it leads back to where the agent was, so it is left out of the graph.

use std::collections::BTreeSet;

use super::assign::Served;
use super::draft::{Draft, DraftRow};
use super::{Assignment, CxoneTerm, Revision, Row, Tables};
use crate::directory::Vocabulary;
use crate::document::{Document, Mistakes, Place, quoted};
use crate::domain::{AccountName, CxoneStatus, SalesforceStatus, Status, Team};

/// A row that leads from a status to one on the other platform: an edge of the graph, whose nodes are statuses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    from: Status,
    to: Status,
    row: Row,
}

/// The graph of one rule for one pair of accounts and one team.
struct Graph<'t> {
    tables: &'t Tables,
    assignment: Assignment,
}

impl Graph<'_> {
    /// Where the rows lead from here. At most one way: the graph is a function.
    fn step(&self, from: Status) -> Option<Step> {
        let (to, row) = self.tables.agent_rule(self.assignment)?.mirrored(from)?;
        Some(Step { from, to, row })
    }

    /// The rings that ways from these nodes end in, each from its smallest node. Every node is passed once.
    fn rings(&self, starts: &[Status]) -> BTreeSet<Vec<Step>> {
        let mut rings = BTreeSet::new();
        let mut passed = BTreeSet::new();
        for start in starts {
            let mut way: Vec<Step> = Vec::new();
            let mut at = *start;
            while passed.insert(at)
                && let Some(step) = self.step(at)
            {
                way.push(step);
                at = step.to;
            }
            // The way ended at rest, on an earlier way, or on itself: then it is a ring.
            let Some(first) = way.iter().position(|step| step.from == at) else { continue };
            let mut ring = way.split_off(first);
            let smallest = ring.iter().enumerate().min_by_key(|(_, step)| step.from).map_or(0, |(i, _)| i);
            ring.rotate_left(smallest);
            // Two steps are there and back: both platforms agree.
            if ring.len() > 2 {
                rings.insert(ring);
            }
        }
        rings
    }

    /// Whether no agent of the team can choose this status: it is no status yet, or a code the team lacks.
    fn is_out_of_reach(&self, node: Status) -> bool {
        match node {
            Status::Salesforce(_) => false,
            Status::Cxone(status) => {
                status == CxoneStatus::LoggedIn || self.tables.team_lacks(self.assignment, status)
            }
        }
    }

    /// There and somewhere else: the two rows of a round trip that does not come back.
    fn loss(&self, start: Status) -> Option<[Step; 2]> {
        let there = self.step(start)?;
        let back = self.step(there.to)?;
        let settable = there.to.can_be_commanded() && back.to.can_be_commanded();
        (back.to != start && settable).then_some([there, back])
    }
}

/// What the search looks at.
pub(super) struct Trips<'t> {
    pub(super) drafts: &'t [Draft],
    pub(super) served: &'t [Served<'t>],
    pub(super) revision: &'t Revision,
    pub(super) document: &'t Document,
}

impl Trips<'_> {
    /// Tells the rings of every rule, and `with_losses` the round trips that do not come back.
    pub(super) fn check(&self, tables: &Tables, with_losses: bool, mistakes: &mut Mistakes) {
        let vocabulary = &self.revision.vocabulary;
        for (number, (draft, served)) in self.drafts.iter().zip(self.served).enumerate() {
            let mut told = Told { with_losses, rings: BTreeSet::new(), losses: BTreeSet::new() };
            for (salesforce, cxone, team) in settings_of(served, vocabulary) {
                let Some(assignment) = tables.assigned(number as u32, salesforce, cxone, team) else {
                    continue;
                };
                let words = Words { draft, vocabulary, salesforce, cxone, document: self.document };
                told.tell(&Graph { tables, assignment }, &words, mistakes);
            }
        }
    }
}

/// The pairs of accounts and the teams in which a rule acts: where it serves people, and where it will serve
/// the first one who is linked.
fn settings_of(
    served: &Served<'_>,
    vocabulary: &Vocabulary,
) -> BTreeSet<(AccountName, AccountName, Option<Team>)> {
    let mut settings = BTreeSet::new();
    for person in &served.people {
        let account = person.link.cxone.account;
        settings.insert((
            person.link.salesforce.account,
            account,
            person.team.map(|team| Team { account, team }),
        ));
    }
    let orgs = served.orgs();
    for (team, _) in &served.teams {
        let orgs = vocabulary.salesforce.keys().filter(|org| orgs.is_empty() || orgs.contains(org));
        settings.extend(orgs.map(|org| (*org, team.account, Some(*team))));
    }
    if settings.is_empty() {
        for org in vocabulary.salesforce.keys() {
            settings.extend(vocabulary.cxone.keys().map(|tenant| (*org, *tenant, None)));
        }
    }
    settings
}

/// What was already told of a rule, by the rows concerned: accounts and teams mostly give the same graph.
struct Told {
    with_losses: bool,
    rings: BTreeSet<Vec<Place>>,
    losses: BTreeSet<[Place; 2]>,
}

impl Told {
    fn tell(&mut self, graph: &Graph<'_>, words: &Words<'_>, mistakes: &mut Mistakes) {
        let (salesforce, cxone) = graph.tables.statuses(graph.assignment);
        let nodes: Vec<Status> = salesforce
            .into_iter()
            .map(Status::Salesforce)
            .chain(cxone.into_iter().map(Status::Cxone))
            .collect();
        let rings = graph.rings(&nodes);
        let in_ring: BTreeSet<Status> = rings.iter().flatten().map(|step| step.from).collect();
        for ring in &rings {
            if self.rings.insert(ring.iter().map(|step| words.place(step)).collect()) {
                words.chase(ring, mistakes);
            }
        }
        for [there, back] in
            nodes.iter().filter(|node| !in_ring.contains(node)).filter_map(|node| graph.loss(*node))
        {
            let by_option = there.row == Row::default() || back.row == Row::default();
            // Nobody comes back to where he cannot be, and who is logged out cannot be put anywhere.
            if graph.is_out_of_reach(there.from) || there.from.is_off() || there.to.is_off() {
                continue;
            }
            if self.with_losses && !by_option && self.losses.insert([words.place(&there), words.place(&back)])
            {
                words.lost(&there, &back, mistakes);
            }
        }
    }
}

/// The graph in the words of the file.
struct Words<'w> {
    draft: &'w Draft,
    vocabulary: &'w Vocabulary,
    salesforce: AccountName,
    cxone: AccountName,
    document: &'w Document,
}

impl Words<'_> {
    fn place(&self, step: &Step) -> Place {
        fn of<F, T>(rows: &[DraftRow<F, T>], row: Row) -> Option<Place> {
            let whole = rows.iter().filter(|r| r.both().is_some());
            whole.map(|r| r.from.place).nth(usize::from(row.0).checked_sub(1)?)
        }
        let place = match step.from {
            Status::Salesforce(_) => of(&self.draft.subscriber, step.row),
            Status::Cxone(_) => of(&self.draft.publisher, step.row),
        };
        place.unwrap_or(self.draft.place)
    }

    /// Where the step stands, for the end of a sentence.
    fn line(&self, step: &Step) -> String {
        if step.row == Row::default() {
            return "by skip_code_validation".to_owned();
        }
        format!("line {}", self.document.line(self.place(step)))
    }

    fn name(&self, node: Status) -> String {
        match node {
            Status::Salesforce(SalesforceStatus::Offline) => "Offline".to_owned(),
            Status::Salesforce(SalesforceStatus::Presence(id)) => {
                let status = self.vocabulary.salesforce.get(&self.salesforce).and_then(|v| v.get(id));
                status.map_or_else(|| id.to_string(), |s| s.developer_name.to_string())
            }
            Status::Cxone(status) => {
                CxoneTerm::of(status, self.vocabulary.cxone.get(&self.cxone)).to_string()
            }
        }
    }

    /// How a story begins: what the agent does, or what happens to him.
    fn begins(&self, node: Status) -> String {
        let name = self.name(node);
        match node {
            Status::Cxone(CxoneStatus::LoggedOut) => "the agent logs out of CXone".to_owned(),
            Status::Salesforce(SalesforceStatus::Offline) => {
                "the agent goes Offline in Salesforce".to_owned()
            }
            Status::Cxone(status) if status.is_contact() => format!("CXone puts the agent in {name}"),
            _ => format!("the agent chooses {name} in {}", node.platform()),
        }
    }

    fn chase(&self, ring: &[Step], mistakes: &mut Mistakes) {
        let Some(first) = ring.first() else { return };
        let mut story = Vec::new();
        for (i, step) in ring.iter().enumerate() {
            let (to, name, line) = (step.to.platform(), self.name(step.to), self.line(step));
            story.push(if i == 0 {
                format!("{}, so {to} shows {name} ({line})", self.begins(step.from))
            } else {
                let (from, came) = (step.from.platform(), self.name(step.from));
                let again = if i + 1 == ring.len() { ", and it begins anew" } else { "" };
                format!("when {came} then counts as his choice in {from}, {to} shows {name} ({line}){again}")
            });
        }
        let names: Vec<String> = ring.iter().map(|step| self.name(step.from)).collect();
        let what = format!("these rows chase each other: {} and round again", names.join(" -> "));
        let mend = ring.get(1).map(|second| {
            format!(
                "let line {} lead back: {} = {}",
                self.document.line(self.place(second)),
                quoted(&self.name(second.from)),
                quoted(&self.name(first.from))
            )
        });
        mistakes.error(self.place(first), "chase", what).story(story).mend_if(mend);
    }

    fn lost(&self, there: &Step, back: &Step, mistakes: &mut Mistakes) {
        let (chosen, other) = (self.name(there.from), self.name(there.to));
        let (home, away) = (there.from.platform(), there.to.platform());
        let ends = self.name(back.to);
        let when = match there.from {
            Status::Cxone(status) if status.is_contact() => format!("{home} shows {ends} after the contact"),
            _ => format!("{home} shows {ends}, no longer {chosen}"),
        };
        let then = format!("when he later comes back to {other} in {away} himself");
        let story = vec![
            format!("{}, so {away} shows {other} ({})", self.begins(there.from), self.line(there)),
            format!("{then}, {when} ({})", self.line(back)),
        ];
        let what = format!("{chosen} is lost on the way back: {chosen} -> {other} -> {ends}");
        let mend =
            format!("keep it if that is meant, or give {} a {away} status of its own", quoted(&chosen));
        mistakes.warning(self.place(there), "lost-on-return", what).story(story).mend(mend);
    }
}
