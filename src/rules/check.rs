//! The whole check of a rules file: every mistake at once, and a revision where there is none.

use std::collections::{BTreeMap, BTreeSet};

use super::assign::{Served, assign};
use super::draft::{Draft, DraftRow, drafts};
use super::raw::RawRules;
use super::{
    CxoneOrder, CxoneTerm, PublisherRow, Revision, Rule, SalesforceTerm, SubscriberRow, Tables, trips,
    vocabulary,
};
use crate::directory::{CxoneVocabulary, Directory, Found, PresenceStatus, SalesforceVocabulary, Vocabulary};
use crate::document::{Document, Mistakes, Names, Place, Placed, nearest, one_of, quoted};
use crate::domain::{AccountName, CxoneStatus, SalesforceStatus};

/// Checks a rules file. Every mistake goes to `mistakes`; a revision comes of it only where there is a
/// directory and no error.
///
/// Without a directory every status, code, team and agent counts as known, so that the file alone can be
/// checked. What a round trip loses is not told then: a label and a developer name may be one status.
pub fn check(
    document: &Document,
    directory: Option<&Directory>,
    mistakes: &mut Mistakes,
) -> Option<Revision> {
    let raw: RawRules = document.read(mistakes)?;
    let (drafts, settings) = drafts(raw, mistakes);
    let vocabulary = match directory {
        Some(directory) => directory.vocabulary.clone(),
        None => vocabulary::assumed(&drafts),
    };
    let served = match directory {
        Some(directory) => assign(&drafts, directory, document, mistakes),
        None => drafts.iter().map(|_| Served::default()).collect(),
    };
    let mut unknown_grants = BTreeSet::new();
    for (draft, served) in drafts.iter().zip(&served) {
        let mut check = RuleCheck { draft, served, vocabulary: &vocabulary, document, mistakes };
        check.rows();
        if let Some(directory) = directory {
            check.codes_of_teams();
            check.grants(directory, &mut unknown_grants);
            check.reach();
        }
    }
    let rules = drafts.iter().zip(&served).map(|(draft, served)| rule(draft, served)).collect();
    let revision = Revision { rules, vocabulary, settings };
    let trips = trips::Trips { drafts: &drafts, served: &served, revision: &revision, document };
    trips.check(&Tables::compile(&revision), directory.is_some(), mistakes);
    (directory.is_some() && mistakes.errors() == 0).then_some(revision)
}

/// A draft as a rule. Rows with a mistake in them are left out, so row numbers only hold where there is none.
fn rule(draft: &Draft, served: &Served<'_>) -> Rule {
    let publisher = draft.publisher.iter().filter_map(DraftRow::both);
    let subscriber = draft.subscriber.iter().filter_map(DraftRow::both);
    Rule {
        name: draft.name.clone(),
        teams: served.teams.iter().map(|(team, _)| *team).collect(),
        agents: served.agents.iter().map(|(agent, _)| *agent).collect(),
        options: draft.options,
        publisher: publisher.map(|(from, to)| PublisherRow { from: from.clone(), to: to.clone() }).collect(),
        subscriber: subscriber
            .map(|(from, to)| SubscriberRow { from: from.clone(), to: to.clone() })
            .collect(),
    }
}

struct RuleCheck<'c> {
    draft: &'c Draft,
    served: &'c Served<'c>,
    vocabulary: &'c Vocabulary,
    document: &'c Document,
    mistakes: &'c mut Mistakes,
}

impl<'c> RuleCheck<'c> {
    /// The accounts a rule's names must mean something in: those it serves, or all where it serves none.
    fn orgs(&self) -> Vec<(AccountName, &'c SalesforceVocabulary)> {
        let served = self.served.orgs();
        let all = self.vocabulary.salesforce.iter().map(|(name, v)| (*name, v));
        all.filter(|(name, _)| served.is_empty() || served.contains(name)).collect()
    }

    fn tenants(&self) -> Vec<(AccountName, &'c CxoneVocabulary)> {
        let served = self.served.tenants();
        let all = self.vocabulary.cxone.iter().map(|(name, v)| (*name, v));
        all.filter(|(name, _)| served.is_empty() || served.contains(name)).collect()
    }

    /// Names that mean nothing, targets that cannot be set, two rows for one status, and *previous* alone.
    fn rows(&mut self) {
        let draft = self.draft;
        for (org, names) in self.orgs() {
            let within = within("org", org, self.vocabulary.salesforce.len());
            let mut seen = BTreeMap::new();
            for row in &draft.publisher {
                self.salesforce_status(&row.to, names, &within);
            }
            for row in &draft.subscriber {
                if let Some(status) = self.salesforce_status(&row.from, names, &within) {
                    self.once(&mut seen, status, row.from.place);
                }
            }
        }
        for (tenant, names) in self.tenants() {
            let within = within("tenant", tenant, self.vocabulary.cxone.len());
            let mut seen = BTreeMap::new();
            for row in &draft.publisher {
                if let Some(status) =
                    self.cxone_status(row.from.place, row.from.value.as_ref(), names, &within)
                {
                    self.once(&mut seen, status, row.from.place);
                }
            }
            for row in &draft.subscriber {
                let Some(CxoneOrder::Status(term)) = &row.to.value else { continue };
                if let Some(status) = self.cxone_status(row.to.place, Some(term), names, &within) {
                    self.settable(term, status, row.to.place, names, &within);
                }
            }
        }
        self.never_seen();
        self.previous_alone();
    }

    fn once<S: Ord>(&mut self, seen: &mut BTreeMap<S, Place>, status: S, place: Place) {
        match seen.get(&status) {
            Some(first) if *first != place => {
                let (line, _) = self.document.line_and_column(*first);
                let what = format!("this status already has a row in line {line}");
                self.mistakes
                    .error(place, "duplicate-row", what)
                    .mend("a status has one row in each direction: keep one of the two");
            }
            Some(_) => {}
            None => {
                seen.insert(status, place);
            }
        }
    }

    fn salesforce_status(
        &mut self,
        term: &Placed<Option<SalesforceTerm>>,
        names: &SalesforceVocabulary,
        within: &str,
    ) -> Option<SalesforceStatus> {
        let name = term.value.as_ref()?;
        let several = match name.resolve(names) {
            Ok(status) => return Some(status),
            Err(several) => several,
        };
        let shown = quoted(&name.to_string());
        if several.is_empty() {
            let mend = match nearest(&name.to_string(), names.names().chain(["Offline"])) {
                Some(near) => format!("write {}", quoted(near)),
                None => format!("write {}", one_of(names.statuses().iter().map(|s| &*s.developer_name))),
            };
            let what = format!("Salesforce has no presence status {shown}{within}");
            self.mistakes.error(term.place, "unknown-status", what).mend(mend);
        } else {
            let what = format!("several presence statuses have the label {shown}{within}");
            let mend = format!("write the developer name: {}", one_of(several));
            self.mistakes.error(term.place, "ambiguous-status", what).mend(mend);
        }
        None
    }

    fn cxone_status(
        &mut self,
        place: Place,
        term: Option<&CxoneTerm>,
        names: &CxoneVocabulary,
        within: &str,
    ) -> Option<CxoneStatus> {
        let term = term?;
        if let Some(status) = term.resolve(names) {
            return Some(status);
        }
        let CxoneTerm::Code(name) = term else { return None };
        if let Found::Several(all) = names.find_code(name) {
            let ids = all.iter().map(|c| c.id.to_string()).collect::<Vec<_>>();
            let ids = ids.join(", ");
            let what = format!("several codes are called {}{within} (out-states {ids})", quoted(name));
            self.mistakes.error(place, "ambiguous-code", what).mend("give one of them another name in CXone");
            return None;
        }
        let known = || names.codes().iter().map(|c| &*c.name);
        let mend = match nearest(name, known()) {
            Some(near) => format!("write \"Unavailable/{near}\""),
            None if names.codes().is_empty() => {
                "the directory has no codes for this tenant: add them".to_owned()
            }
            None => format!("write Unavailable/ and {}", one_of(known())),
        };
        let what = format!("CXone has no unavailable code {}{within}", quoted(name));
        self.mistakes.error(place, "unknown-code", what).mend(mend);
        None
    }

    fn settable(
        &mut self,
        term: &CxoneTerm,
        status: CxoneStatus,
        place: Place,
        names: &CxoneVocabulary,
        within: &str,
    ) {
        let name = quoted(&term.to_string());
        let code = match term {
            CxoneTerm::Code(name) => match names.find_code(name) {
                Found::One(code) => Some(code),
                Found::Several(_) | Found::Unknown => None,
            },
            _ => None,
        };
        let what = match (status, code) {
            (CxoneStatus::LoggedOut, _) => {
                self.mistakes
                    .warning(place, "logs-out", "this row logs the agent out of CXone, and only he himself can log in again")
                    .mend("keep it if that is meant; \"Unavailable\" takes him out of the queues without logging him out");
                return;
            }
            (_, Some(code)) if code.after_call_work => {
                format!("{name} is a code for after-call work, which CXone alone sets")
            }
            (_, Some(code)) if !code.active => format!("the code of {name} is not active{within}"),
            (status, _) if status.is_settable() => return,
            _ => format!("{name} cannot be set: CXone alone puts an agent there"),
        };
        let settable = names.codes().iter().filter(|c| c.active && !c.after_call_work);
        let codes: Vec<String> = settable.map(|c| format!("\"Unavailable/{}\"", c.name)).collect();
        let choice = ["\"Available\"", "\"Unavailable\""].into_iter().chain(codes.iter().map(String::as_str));
        self.mistakes.error(place, "not-settable", what).mend(format!("write {}", one_of(choice)));
    }

    /// A session without a state is no status an agent chose or was put in.
    fn never_seen(&mut self) {
        for row in &self.draft.publisher {
            if row.from.value == Some(CxoneTerm::LoggedIn) {
                self.mistakes
                    .error(
                        row.from.place,
                        "unreachable-row",
                        "no agent is ever in LoggedIn: it is a session that has no state yet",
                    )
                    .mend("delete the row; the state at login is \"Unavailable\"");
            }
        }
    }

    /// *previous* goes back to what the agent chose in CXone, so another row must have led away from it.
    fn previous_alone(&mut self) {
        let orders = || self.draft.subscriber.iter().filter_map(|row| row.to.value.as_ref());
        let changes = orders().any(|order| matches!(order, CxoneOrder::Status(_)));
        let broken = self.draft.subscriber.iter().any(|row| row.to.value.is_none());
        if changes || broken || self.draft.options.skip_code_validation {
            return;
        }
        for row in self.draft.subscriber.iter().filter(|row| row.to.value == Some(CxoneOrder::Previous)) {
            let what = "\"previous\" has nothing to come back from: no row of this rule ever changes CXone";
            self.mistakes
                .error(row.to.place, "previous-alone", what)
                .mend("add a row that sets a CXone status, such as \"On_Break\" = \"Unavailable/Lunch\", or delete this one");
        }
    }

    /// Unless the rule skips it, each code belongs to each team it meets.
    fn codes_of_teams(&mut self) {
        let draft = self.draft;
        let own_teams = self.served.people.iter().filter_map(|p| Some((p.link.cxone.account, p.team?)));
        let assigned = self.served.teams.iter().map(|(team, _)| (team.account, team.team));
        let teams: BTreeSet<_> = assigned.chain(own_teams).collect();
        let from = draft.publisher.iter().map(|row| (row.from.place, row.from.value.as_ref(), false));
        let to = draft.subscriber.iter().map(|row| match &row.to.value {
            Some(CxoneOrder::Status(term)) => (row.to.place, Some(term), true),
            _ => (row.to.place, None, true),
        });
        for (place, term, is_target) in from.chain(to) {
            let Some(CxoneTerm::Code(name)) = term else { continue };
            let lacking: Vec<&str> = teams
                .iter()
                .filter_map(|(account, team)| {
                    let tenant = self.vocabulary.cxone.get(account)?;
                    let Found::One(code) = tenant.find_code(name) else { return None };
                    let team = tenant.team(*team)?;
                    (!team.has(code.id)).then_some(&*team.name)
                })
                .collect();
            if lacking.is_empty() {
                continue;
            }
            let (all, count) = (lacking.len() == teams.len(), lacking.len());
            let lacking = one_of(lacking).replace(" or ", " and ");
            let who = if count == 1 {
                format!("the team {lacking} lacks")
            } else {
                format!("the teams {lacking} lack")
            };
            if !draft.options.skip_code_validation {
                let mend =
                    "add it to the team in CXone, choose another code, or write skip_code_validation = true";
                self.mistakes
                    .error(place, "code-not-on-team", format!("{who} the code {}", quoted(name)))
                    .mend(mend);
            } else if all && !is_target {
                let what = format!("{who} the code {}, so no one reaches this row", quoted(name));
                self.mistakes
                    .warning(place, "unreachable-row", what)
                    .mend("add the code to a team in CXone, or delete the row");
            }
        }
    }

    /// Each status that Salesforce is to show is granted to the agents; one to choose from, to some.
    fn grants(&mut self, directory: &Directory, unknown: &mut BTreeSet<SalesforceStatus>) {
        let mut groups: BTreeMap<(AccountName, Option<u32>), usize> = BTreeMap::new();
        for person in &self.served.people {
            *groups.entry((person.link.salesforce.account, person.access)).or_default() += 1;
        }
        let draft = self.draft;
        let from = draft.subscriber.iter().map(|row| (&row.from, false));
        let to = draft.publisher.iter().map(|row| (&row.to, true));
        for (term, is_target) in to.chain(from) {
            let Some(name @ SalesforceTerm::Named(_)) = &term.value else { continue };
            let mut denied = Names::default();
            let (mut people_denied, mut granted) = (0, false);
            for ((account, access), people) in &groups {
                let Some(names) = self.vocabulary.salesforce.get(account) else { continue };
                let Ok(SalesforceStatus::Presence(id)) = name.resolve(names) else { continue };
                let Some(status) = names.get(id) else { continue };
                let access = access.and_then(|i| directory.access.get(account)?.get(i as usize));
                match access.and_then(|access| access.grants(status)) {
                    Some(true) => granted = true,
                    Some(false) => {
                        people_denied += people;
                        denied.insert(&access.map_or_else(String::new, |a| a.names.join(" + ")), status);
                    }
                    None => {
                        granted = true;
                        if is_target && unknown.insert(SalesforceStatus::Presence(id)) {
                            self.grant_unknown(term.place, name);
                        }
                    }
                }
            }
            if people_denied > 0 {
                self.denied(term.place, name, (people_denied, &denied), granted, is_target);
            }
        }
    }

    fn grant_unknown(&mut self, place: Place, name: &SalesforceTerm) {
        let what = format!("the directory does not say who is granted {}", quoted(&name.to_string()));
        self.mistakes
            .warning(place, "grant-unknown", what)
            .mend("see in Setup, Presence Statuses, that the agents' profile or permission set grants it");
    }

    fn denied(
        &mut self,
        place: Place,
        name: &SalesforceTerm,
        (people, access): (usize, &Names<&PresenceStatus>),
        granted: bool,
        is_target: bool,
    ) {
        let shown = quoted(&name.to_string());
        let agents = if people == 1 { "1 agent".to_owned() } else { format!("{people} agents") };
        let held = one_of(access.names().map(|held| if held.is_empty() { "no profile" } else { held }));
        let granting = access.names().find_map(|held| access.get(held)?.granted_to.as_ref());
        let granting =
            granting.map(|names| one_of(names.iter().map(|n| &**n))).filter(|names| !names.is_empty());
        if is_target {
            let what = format!("{shown} is not granted to {agents} of this rule (they have {held})");
            let mend = match granting {
                Some(granting) => {
                    format!("give them {granting}, which grants it, or choose a status they have")
                }
                None => {
                    "let their profile or a permission set grant it, or choose a status they have".to_owned()
                }
            };
            self.mistakes.error(place, "not-granted", what).mend(mend);
        } else if !granted {
            let what = format!(
                "no agent of this rule can choose {shown}: none is granted it, so no one reaches this row"
            );
            self.mistakes
                .warning(place, "unreachable-row", what)
                .mend("let their profile or a permission set grant it, or delete the row");
        }
    }

    /// A rule for nobody, and rows from a code that no agent can be in.
    fn reach(&mut self) {
        let draft = self.draft;
        if draft.teams.is_empty() && draft.agents.is_empty() {
            let what = format!("rule {} is assigned to no team and no agent", quoted(&draft.name));
            self.mistakes
                .warning(draft.place, "unassigned", what)
                .mend("write teams = [...] or agents = [...], or delete the rule");
        } else if self.served.people.is_empty()
            && (!self.served.teams.is_empty() || !self.served.agents.is_empty())
        {
            let what = format!(
                "rule {} serves no one: its teams have no linked agents without a rule of their own",
                quoted(&draft.name)
            );
            self.mistakes
                .warning(draft.place, "unassigned", what)
                .mend("link the agents of the teams, or delete the rule");
        }
        for row in &draft.publisher {
            let Some(CxoneTerm::Code(name)) = &row.from.value else { continue };
            let inactive = self
                .tenants()
                .iter()
                .any(|(_, names)| matches!(names.find_code(name), Found::One(code) if !code.active));
            if inactive {
                let what = format!("the code {} is not active, so no one reaches this row", quoted(name));
                self.mistakes
                    .warning(row.from.place, "unreachable-row", what)
                    .mend("activate the code in CXone, or delete the row");
            }
        }
    }
}

/// Names the account in a message where there is more than one.
fn within(kind: &str, account: AccountName, accounts: usize) -> String {
    if accounts > 1 { format!(" in the {kind} {account}") } else { String::new() }
}
