//! Which teams and agents each rule is assigned to, and whom it serves then.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use crate::directory::{Directory, Found, Person};
use crate::document::{Document, Mistakes, Place, Placed, nearest, normal, one_of, quoted};
use crate::domain::{AccountName, AgentId, Team};

/// For so many unknown agents or teams the nearest known name is sought: it is a walk through all of them.
const NEAREST_SOUGHT_MAX: usize = 3;

/// Whom one rule serves.
#[derive(Default)]
pub(super) struct Served<'d> {
    /// The teams it is assigned to, and where that is written.
    pub(super) teams: Vec<(Team, Place)>,
    /// The agents it is assigned to, and where that is written.
    pub(super) agents: Vec<(AgentId, Place)>,
    /// The linked people it serves: its own agents, and those of its teams who have no rule of their own.
    pub(super) people: Vec<&'d Person>,
}

impl Served<'_> {
    /// The CXone tenants that the rule's names must mean something in.
    pub(super) fn tenants(&self) -> BTreeSet<AccountName> {
        let teams = self.teams.iter().map(|(team, _)| team.account);
        teams.chain(self.people.iter().map(|p| p.link.cxone.account)).collect()
    }

    /// The Salesforce orgs that the rule's names must mean something in.
    pub(super) fn orgs(&self) -> BTreeSet<AccountName> {
        self.people.iter().map(|p| p.link.salesforce.account).collect()
    }
}

pub(super) fn assign<'d>(
    drafts: &[Draft],
    directory: &'d Directory,
    document: &Document,
    mistakes: &mut Mistakes,
) -> Vec<Served<'d>> {
    let teams = teams(drafts, directory, document, mistakes);
    let agents = agents(drafts, directory, document, mistakes);
    serve(drafts.len(), teams, agents, directory)
}

/// Whom each of so many rules serves, where it is known which teams and agents each has.
pub(super) fn serve(
    rules: usize,
    teams: BTreeMap<Team, (usize, Place)>,
    agents: BTreeMap<AgentId, (usize, Place)>,
    directory: &Directory,
) -> Vec<Served<'_>> {
    let mut served: Vec<Served<'_>> = std::iter::repeat_with(Served::default).take(rules).collect();
    for person in &directory.people {
        let team = person.team.map(|team| Team { account: person.link.cxone.account, team });
        let own = agents.get(&person.agent);
        let by_team = || team.and_then(|team| teams.get(&team));
        if let Some(rule) = own.or_else(by_team).and_then(|(rule, _)| served.get_mut(*rule)) {
            rule.people.push(person);
        }
    }
    for (team, (rule, place)) in teams {
        served.get_mut(rule).into_iter().for_each(|s| s.teams.push((team, place)));
    }
    for (agent, (rule, place)) in agents {
        served.get_mut(rule).into_iter().for_each(|s| s.agents.push((agent, place)));
    }
    served
}

/// Records that a rule is assigned to `key`, unless one already is.
fn claim<K: Ord>(
    claimed: &mut BTreeMap<K, (usize, Place)>,
    key: K,
    (rule, name): (usize, &Placed<String>),
    (what, drafts, document): (&str, &[Draft], &Document),
    mistakes: &mut Mistakes,
) {
    let Some((other, place)) = claimed.get(&key) else {
        claimed.insert(key, (rule, name.place));
        return;
    };
    let line = document.line(*place);
    let other_name = drafts.get(*other).map_or("", |draft| &draft.name);
    let who = quoted(&name.value);
    let text = if *other == rule {
        format!("{what} {who} is already named in line {line}")
    } else {
        format!("{what} {who} already has the rule {} in line {line}", quoted(other_name))
    };
    mistakes
        .error(name.place, "assigned-twice", text)
        .mend(format!("there is one rule for each {what}: keep one of the two"));
}

fn teams(
    drafts: &[Draft],
    directory: &Directory,
    document: &Document,
    mistakes: &mut Mistakes,
) -> BTreeMap<Team, (usize, Place)> {
    let mut claimed = BTreeMap::new();
    let mut sought = 0;
    for (rule, draft) in drafts.iter().enumerate() {
        for name in &draft.teams {
            match find_team(&name.value, directory).as_slice() {
                [team] => claim(&mut claimed, *team, (rule, name), ("team", drafts, document), mistakes),
                [] => {
                    sought += 1;
                    unknown_team(name, directory, sought <= NEAREST_SOUGHT_MAX, mistakes);
                }
                several => ambiguous_team(name, several, mistakes),
            }
        }
    }
    claimed
}

/// The teams of this name, or of the name that follows the name of a tenant and a slash.
fn find_team(name: &str, directory: &Directory) -> Vec<Team> {
    let tenants = &directory.vocabulary.cxone;
    let in_tenant = |account: AccountName, name: &str| match tenants.get(&account)?.find_team(name) {
        Found::One(team) => Some(vec![Team { account, team: team.id }]),
        Found::Several(all) => Some(all.into_iter().map(|t| Team { account, team: t.id }).collect()),
        Found::Unknown => None,
    };
    let hits: Vec<Team> = tenants.keys().filter_map(|account| in_tenant(*account, name)).flatten().collect();
    match name.split_once('/') {
        Some((account, name)) if hits.is_empty() => {
            account.trim().parse().ok().and_then(|account| in_tenant(account, name)).unwrap_or_default()
        }
        _ => hits,
    }
}

fn unknown_team(name: &Placed<String>, directory: &Directory, seek: bool, mistakes: &mut Mistakes) {
    let known = || directory.vocabulary.cxone.values().flat_map(|v| v.teams()).map(|team| &*team.name);
    let near = if seek { nearest(&name.value, known()) } else { None };
    let mend = match near {
        Some(near) => format!("write {}", quoted(near)),
        None if known().next().is_none() => "the directory has no teams: add them".to_owned(),
        None => format!("write {}", one_of(known())),
    };
    mistakes
        .error(name.place, "unknown-team", format!("there is no team {}", quoted(&name.value)))
        .mend(mend);
}

fn ambiguous_team(name: &Placed<String>, teams: &[Team], mistakes: &mut Mistakes) {
    let accounts: BTreeSet<String> =
        teams.iter().map(|t| format!("\"{}/{}\"", t.account, name.value)).collect();
    let mend = if accounts.len() == 1 {
        "give one of the teams another name in CXone".to_owned()
    } else {
        format!("write {}", one_of(accounts.iter().map(String::as_str)))
    };
    let what = format!("several teams are called {}", quoted(&name.value));
    mistakes.error(name.place, "ambiguous-team", what).mend(mend);
}

fn agents(
    drafts: &[Draft],
    directory: &Directory,
    document: &Document,
    mistakes: &mut Mistakes,
) -> BTreeMap<AgentId, (usize, Place)> {
    let wanted = drafts.iter().flat_map(|d| &d.agents).map(|name| name.value.to_ascii_lowercase());
    let mut hits: BTreeMap<String, Vec<AgentId>> = wanted.map(|name| (name, Vec::new())).collect();
    if !hits.is_empty() {
        for person in &directory.people {
            for address in person.addresses() {
                if let Some(found) = hits.get_mut(&address.to_ascii_lowercase())
                    && !found.contains(&person.agent)
                {
                    found.push(person.agent);
                }
            }
        }
    }
    let unlinked = directory.unlinked.iter().flat_map(|one| one.contact.addresses());
    let unlinked: BTreeSet<String> =
        unlinked.map(str::to_ascii_lowercase).filter(|address| hits.contains_key(address)).collect();
    let mut claimed = BTreeMap::new();
    let mut sought = 0;
    for (rule, draft) in drafts.iter().enumerate() {
        for name in &draft.agents {
            match hits.get(&name.value.to_ascii_lowercase()).map_or(&[][..], Vec::as_slice) {
                [agent] => claim(&mut claimed, *agent, (rule, name), ("agent", drafts, document), mistakes),
                [] if unlinked.contains(&name.value.to_ascii_lowercase()) => unlinked_agent(name, mistakes),
                [] => {
                    sought += 1;
                    unknown_agent(name, directory, sought <= NEAREST_SOUGHT_MAX, mistakes);
                }
                several => {
                    let what = format!("{} people are called {}", several.len(), quoted(&name.value));
                    let mend = "write an address that only one of them has: an e-mail address or user name of either platform";
                    mistakes.error(name.place, "ambiguous-agent", what).mend(mend);
                }
            }
        }
    }
    claimed
}

fn unlinked_agent(name: &Placed<String>, mistakes: &mut Mistakes) {
    let what = format!("agent {} is on one platform only", quoted(&name.value));
    mistakes
        .error(name.place, "unlinked-agent", what)
        .mend("link his Salesforce user and his CXone agent, or take him out of the rule");
}

fn unknown_agent(name: &Placed<String>, directory: &Directory, seek: bool, mistakes: &mut Mistakes) {
    let known = || directory.people.iter().flat_map(Person::addresses);
    let near = if seek { nearest(&name.value, known()) } else { None };
    let mend = near.map_or_else(
        || "write his e-mail address or user name on either platform".to_owned(),
        |near| format!("write {}", quoted(near)),
    );
    let what = format!("there is no agent {}", quoted(&name.value));
    mistakes.error(name.place, "unknown-agent", what).mend(mend);
}

/// What can be seen without a directory: one name in two rules, or twice in one.
pub(super) fn named_twice(drafts: &[Draft], document: &Document, mistakes: &mut Mistakes) {
    let mut teams = BTreeMap::new();
    let mut agents = BTreeMap::new();
    for (rule, draft) in drafts.iter().enumerate() {
        for name in &draft.teams {
            let key = normal(&name.value).into_owned();
            claim(&mut teams, key, (rule, name), ("team", drafts, document), mistakes);
        }
        for name in &draft.agents {
            let key = normal(&name.value).to_ascii_lowercase();
            claim(&mut agents, key, (rule, name), ("agent", drafts, document), mistakes);
        }
    }
}
