//! A raw directory into a valid one.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::raw::{
    RawAgent, RawCode, RawCxone, RawDirectory, RawLink, RawSalesforce, RawStatus, RawTeam, RawUser,
};
use super::{
    Access, Code, Contact, CxoneVocabulary, Directory, Person, PresenceStatus, SalesforceVocabulary,
    TeamEntry, Unlinked, Who, agent_id,
};
use crate::document::{Entries, Field, Mistakes, Place, Placed, normal, quoted};
use crate::domain::{
    AccountName, CxoneAgent, CxoneAgentId, Link, OutStateId, SalesforceUser, TeamId, UserId,
};

/// A person on one platform, until a link takes him.
struct Half {
    contact: Contact,
    team: Option<TeamId>,
    access: Option<u32>,
    linked: bool,
}

type Users = BTreeMap<(AccountName, UserId), Half>;
type Agents = BTreeMap<(AccountName, CxoneAgentId), Half>;

pub(super) fn check(raw: RawDirectory, mistakes: &mut Mistakes) -> Directory {
    let mut directory = Directory::default();
    let mut users = Users::new();
    let mut agents = Agents::new();
    for (account, raw) in accounts(raw.salesforce, mistakes) {
        salesforce(account, raw, &mut directory, &mut users, mistakes);
    }
    for (account, raw) in accounts(raw.cxone, mistakes) {
        let vocabulary = cxone(account, raw, &mut agents, mistakes);
        directory.vocabulary.cxone.insert(account, vocabulary);
    }
    for raw in raw.links.or(Vec::new()) {
        let person = raw.into_given().and_then(|raw| link(raw, &mut users, &mut agents, mistakes));
        directory.people.extend(person);
    }
    let users = users
        .into_iter()
        .map(|((account, user), half)| (Who::Salesforce(SalesforceUser { account, user }), half));
    let agents =
        agents.into_iter().map(|((account, agent), half)| (Who::Cxone(CxoneAgent { account, agent }), half));
    let unlinked = users.chain(agents).filter(|(_, half)| !half.linked);
    directory.unlinked = unlinked
        .map(|(who, Half { contact, team, access, .. })| Unlinked { who, contact, team, access })
        .collect();
    directory
}

fn accounts<R>(raw: Field<Entries<R>>, mistakes: &mut Mistakes) -> Vec<(AccountName, R)> {
    let mut accounts = Vec::new();
    for (name, raw) in raw.or(Entries::default()).0 {
        match name.value.parse() {
            Ok(parsed) => accounts.extend(raw.into_given().map(|raw| (parsed, raw.value))),
            Err(e) => {
                mistakes.error(name.place, "account-name", format!("{}: {e}", quoted(&name.value)));
            }
        }
    }
    accounts
}

fn salesforce(
    account: AccountName,
    raw: RawSalesforce,
    directory: &mut Directory,
    users: &mut Users,
    mistakes: &mut Mistakes,
) {
    let mut ids = Once::new("status");
    let mut names = Once::new("developer name");
    let mut statuses = Vec::new();
    for raw in given(raw.statuses) {
        let place = raw.place;
        if let Some(status) = status(raw, mistakes)
            && ids.first(status.id, place, mistakes)
            && names.first(status.developer_name.clone(), place, mistakes)
        {
            statuses.push(status);
        }
    }
    directory.vocabulary.salesforce.insert(account, SalesforceVocabulary::new(statuses));

    let mut kinds: BTreeMap<Access, u32> = BTreeMap::new();
    for raw in given(raw.users) {
        let place = raw.place;
        let Some((id, contact, access)) = user(raw, mistakes) else { continue };
        let access = access.map(|access| {
            let next = kinds.len() as u32;
            *kinds.entry(access).or_insert(next)
        });
        let half = Half { contact, team: None, access, linked: false };
        if users.insert((account, id), half).is_some() {
            mistakes
                .error(place, "duplicate-id", format!("user {id} is here twice"))
                .mend("keep one of the two");
        }
    }
    let mut by_index: Vec<(u32, Access)> = kinds.into_iter().map(|(access, i)| (i, access)).collect();
    by_index.sort_by_key(|(i, _)| *i);
    directory.access.insert(account, by_index.into_iter().map(|(_, access)| access).collect());
}

fn status(raw: Placed<RawStatus>, mistakes: &mut Mistakes) -> Option<PresenceStatus> {
    let Placed { place, value: raw } = raw;
    let id = id(raw.id, place, "the id of the presence status, 0N5...", mistakes);
    let name = raw.developer_name.required(mistakes, place, "developer_name", "write the status's API name");
    let name = name?.value.into_boxed_str();
    let label = raw.label.into_given().map_or_else(|| name.clone(), |label| label.value.into());
    let channels = texts(raw.channels);
    let mut granted_to = raw.granted_to.value().is_some().then(|| texts(raw.granted_to));
    if let Some(names) = &mut granted_to {
        names.sort_unstable();
    }
    Some(PresenceStatus { id: id?, developer_name: name, label, channels, granted_to })
}

fn user(raw: Placed<RawUser>, mistakes: &mut Mistakes) -> Option<(UserId, Contact, Option<Access>)> {
    let Placed { place, value: raw } = raw;
    let id = id(raw.id, place, "the id of the user, 005...", mistakes)?;
    let known = raw.profile.value().is_some() || raw.permission_sets.value().is_some();
    let access = known.then(|| {
        let sets = given(raw.permission_sets).chain(raw.profile.into_given());
        let mut names: Vec<Box<str>> = sets.map(|name| normal(&name.value).into()).collect();
        names.sort_unstable();
        Access { names }
    });
    let contact = contact(raw.user_name, raw.email, raw.federation_id, raw.active);
    Some((id, contact, access))
}

fn contact(
    user_name: Field<Box<str>>,
    email: Field<Box<str>>,
    federation_id: Field<Box<str>>,
    active: Field<bool>,
) -> Contact {
    Contact {
        user_name: user_name.or(Box::default()),
        email: email.or(Box::default()),
        federation_id: federation_id.or(Box::default()),
        is_inactive: !active.or(true),
    }
}

fn cxone(
    account: AccountName,
    raw: RawCxone,
    agents: &mut Agents,
    mistakes: &mut Mistakes,
) -> CxoneVocabulary {
    let mut ids = Once::new("code");
    let codes: Vec<Code> = given(raw.codes)
        .filter_map(|raw| {
            let place = raw.place;
            code(raw, mistakes).filter(|code| ids.first(code.id, place, mistakes))
        })
        .collect();
    let known: Vec<OutStateId> = codes.iter().map(|c| c.id).collect();
    let mut ids = Once::new("team");
    let teams: Vec<TeamEntry> = given(raw.teams)
        .filter_map(|raw| {
            let place = raw.place;
            team(raw, &known, mistakes).filter(|team| ids.first(team.id, place, mistakes))
        })
        .collect();
    let vocabulary = CxoneVocabulary::new(codes, teams);
    for raw in given(raw.agents) {
        let place = raw.place;
        let Some((id, half)) = agent(raw, &vocabulary, mistakes) else { continue };
        if agents.insert((account, id), half).is_some() {
            mistakes
                .error(place, "duplicate-id", format!("agent {id} is here twice"))
                .mend("keep one of the two");
        }
    }
    vocabulary
}

fn code(raw: Placed<RawCode>, mistakes: &mut Mistakes) -> Option<Code> {
    let Placed { place, value: raw } = raw;
    let id = raw.id.required(mistakes, place, "id", "write the code's id in CXone");
    let name = raw.name.required(mistakes, place, "name", "write the code's name in CXone");
    let id = id?;
    if id.value <= 3 {
        mistakes
            .error(id.place, "value", "out-states up to 3 are CXone's own, not codes of the tenant")
            .mend("leave it out");
        return None;
    }
    Some(Code {
        id: OutStateId::new(id.value),
        name: name?.value.into(),
        active: raw.active.or(true),
        after_call_work: raw.after_call_work.or(false),
    })
}

fn team(raw: Placed<RawTeam>, known: &[OutStateId], mistakes: &mut Mistakes) -> Option<TeamEntry> {
    let Placed { place, value: raw } = raw;
    let id = raw.id.required(mistakes, place, "id", "write the team's id in CXone");
    let name = raw.name.required(mistakes, place, "name", "write the team's name in CXone");
    let codes = raw.codes.into_given().map(|list| {
        let mut codes = Vec::new();
        for code in list.value.into_iter().filter_map(Field::into_given) {
            let id = OutStateId::new(code.value);
            if known.contains(&id) {
                codes.push(id);
            } else {
                let what = format!("the tenant has no code {id}");
                mistakes
                    .error(code.place, "unknown-code", what)
                    .mend("add it to `codes` of the tenant, or leave it out here");
            }
        }
        codes.sort_unstable();
        codes
    });
    Some(TeamEntry { id: TeamId::new(id?.value), name: name?.value.into(), codes })
}

fn agent(
    raw: Placed<RawAgent>,
    vocabulary: &CxoneVocabulary,
    mistakes: &mut Mistakes,
) -> Option<(CxoneAgentId, Half)> {
    let Placed { place, value: raw } = raw;
    let id = raw.id.required(mistakes, place, "id", "write the agent's id in CXone");
    let team = raw.team.into_given().and_then(|team| {
        let id = TeamId::new(team.value);
        if vocabulary.team(id).is_none() {
            let what = format!("the tenant has no team {id}");
            mistakes.error(team.place, "unknown-team", what).mend("add it to `teams` of the tenant");
            return None;
        }
        Some(id)
    });
    let contact = contact(raw.user_name, raw.email, raw.federation_id, raw.active);
    Some((CxoneAgentId::new(id?.value), Half { contact, team, access: None, linked: false }))
}

fn link(
    raw: Placed<RawLink>,
    users: &mut Users,
    agents: &mut Agents,
    mistakes: &mut Mistakes,
) -> Option<Person> {
    let Placed { place, value: raw } = raw;
    let user = raw.salesforce.required(mistakes, place, "salesforce", "write \"ACCOUNT/USER_ID\"");
    let agent = raw.cxone.required(mistakes, place, "cxone", "write \"ACCOUNT/AGENT_ID\"");
    let user = user.and_then(|text| half(text, users, |id| id.parse().ok(), "user", mistakes));
    let agent = agent
        .and_then(|text| half(text, agents, |id| id.parse().ok().map(CxoneAgentId::new), "agent", mistakes));
    let ((salesforce, user), (cxone, agent)) = (user?, agent?);
    let link = Link {
        salesforce: SalesforceUser { account: salesforce.0, user: salesforce.1 },
        cxone: CxoneAgent { account: cxone.0, agent: cxone.1 },
    };
    Some(Person {
        agent: agent_id(&link),
        link,
        team: agent.team,
        access: user.access,
        salesforce: user.contact,
        cxone: agent.contact,
    })
}

/// Takes the half that a link names out of those that no link has taken yet.
fn half<I: Copy + Ord>(
    text: Placed<String>,
    halves: &mut BTreeMap<(AccountName, I), Half>,
    parse: impl Fn(&str) -> Option<I>,
    kind: &str,
    mistakes: &mut Mistakes,
) -> Option<((AccountName, I), Half)> {
    let key = text
        .value
        .split_once('/')
        .and_then(|(account, id)| Some((AccountName::from_str(account).ok()?, parse(id)?)));
    let Some(key) = key else {
        let what = format!("{} is not of the form ACCOUNT/ID", quoted(&text.value));
        mistakes.error(text.place, "value", what).mend("write \"ACCOUNT/ID\"");
        return None;
    };
    let Some(half) = halves.get_mut(&key) else {
        let what = format!("there is no {kind} {}", quoted(&text.value));
        mistakes
            .error(text.place, "unknown-id", what)
            .mend(format!("add the {kind} to his account, or drop the link"));
        return None;
    };
    if std::mem::replace(&mut half.linked, true) {
        let what = format!("{kind} {} is linked twice", quoted(&text.value));
        mistakes.error(text.place, "linked-twice", what).mend("one person has one link: keep the right one");
        return None;
    }
    let taken = Half { contact: std::mem::take(&mut half.contact), ..*half };
    Some((key, taken))
}

fn id<I: FromStr<Err = crate::domain::IdError>>(
    raw: Field<String>,
    owner: Place,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<I> {
    let text = raw.required(mistakes, owner, "id", &format!("write {what}"))?;
    text.value
        .parse()
        .map_err(|e| {
            mistakes.error(text.place, "id", format!("{e}")).mend(format!("write {what}"));
        })
        .ok()
}

fn given<T>(list: Field<Vec<Field<T>>>) -> impl Iterator<Item = Placed<T>> {
    list.or(Vec::new()).into_iter().filter_map(Field::into_given)
}

fn texts(list: Field<Vec<Field<String>>>) -> Vec<Box<str>> {
    given(list).map(|text| normal(&text.value).into()).collect()
}

/// Sees that each id or name is there once.
struct Once<K> {
    kind: &'static str,
    seen: std::collections::BTreeSet<K>,
}

impl<K: Ord + ToString + Clone> Once<K> {
    fn new(kind: &'static str) -> Self {
        Once { kind, seen: std::collections::BTreeSet::new() }
    }

    fn first(&mut self, key: K, place: Place, mistakes: &mut Mistakes) -> bool {
        let first = self.seen.insert(key.clone());
        if !first {
            let what = format!("{} {} is here twice", self.kind, quoted(&key.to_string()));
            mistakes.error(place, "duplicate-id", what).mend("keep one of the two");
        }
        first
    }
}
