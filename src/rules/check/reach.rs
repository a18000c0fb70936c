//! Whom a rule fits: codes that the teams have, statuses that the agents are granted, rows that someone reaches.

use std::collections::{BTreeMap, BTreeSet};

use super::RuleCheck;
use crate::directory::{Code, Directory, Found, PresenceStatus};
use crate::document::{Names, Place, all_of, one_of, quoted};
use crate::domain::{AccountName, PresenceStatusId, SalesforceStatus};
use crate::rules::{CxoneTerm, SalesforceTerm};

impl RuleCheck<'_> {
    /// Unless the rule skips it, each code belongs to each team it meets.
    pub(super) fn codes_of_teams(&mut self) {
        let draft = self.draft;
        let own_teams = self.served.people.iter().filter_map(|p| Some((p.link.cxone.account, p.team?)));
        let assigned = self.served.teams.iter().map(|(team, _)| (team.account, team.team));
        let teams: BTreeSet<_> = assigned.chain(own_teams).collect();
        let from = draft.publisher.iter().map(|row| (row.from.place, row.from.value.as_ref(), false));
        let to = draft.targets().map(|(place, term)| (place, term, true));
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
            let lacking = all_of(lacking);
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
            } else if all {
                let so =
                    if is_target { "this row only ever sets Unavailable" } else { "no one reaches this row" };
                let what = format!("{who} the code {}, so {so}", quoted(name));
                self.mistakes
                    .warning(place, "unreachable-row", what)
                    .mend("add the code to a team in CXone, or delete the row");
            }
        }
    }

    /// Each status that Salesforce is to show is granted to the agents; one to choose from, to some.
    pub(super) fn grants(&mut self, directory: &Directory, unknown: &mut BTreeSet<(bool, PresenceStatusId)>) {
        let mut groups: BTreeMap<(AccountName, Option<u32>), usize> = BTreeMap::new();
        for person in &self.served.people {
            *groups.entry((person.link.salesforce.account, person.access)).or_default() += 1;
        }
        // Where the first of them stands, and their names: by whether it is unknown what the agents have, or what they need.
        let mut untold: BTreeMap<bool, (Place, Vec<String>)> = BTreeMap::new();
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
                        if is_target && unknown.insert((access.is_none(), id)) {
                            let (_, names) =
                                untold.entry(access.is_none()).or_insert((term.place, Vec::new()));
                            let shown = quoted(&name.to_string());
                            // Two orgs may have one of that name each.
                            if !names.contains(&shown) {
                                names.push(shown);
                            }
                        }
                    }
                }
            }
            if people_denied > 0 {
                self.denied(term.place, name, (people_denied, &denied), granted, is_target);
            }
        }
        for (access_unknown, (place, names)) in untold {
            self.grant_unknown(place, &names, access_unknown);
        }
    }

    fn grant_unknown(&mut self, place: Place, names: &[String], access_unknown: bool) {
        // All of them: each has to be looked up.
        let shown = names.join(", ");
        let what = if access_unknown {
            format!(
                "the directory does not say which profile some agents of this rule have, so whether they are granted {shown}"
            )
        } else {
            format!("the directory does not say who is granted {shown}")
        };
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
    pub(super) fn reach(&mut self) {
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
            let found: Vec<_> = self.tenants().iter().map(|(_, names)| names.find_code(name)).collect();
            let inactive = |found: &Found<'_, Code>| matches!(found, Found::One(code) if !code.active);
            if found.is_empty() || !found.iter().all(inactive) {
                continue;
            }
            let what = format!("the code {} is not active, so no one reaches this row", quoted(name));
            self.mistakes
                .warning(row.from.place, "unreachable-row", what)
                .mend("activate the code in CXone, or delete the row");
        }
    }
}
