//! The directory in the log: who is who, and which links agents follow from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Control, Error, event, now, outgoing};
use crate::bus::{Bus, Topic, TopicsPlan, Writer, latest, partition_for};
use crate::codec::{
    AgentEntry, Codec, DirectoryEntry, Entry, LinkEntry, Linked, Operator, TeamMoved, UserEntry, What,
};
use crate::directory::{
    Access, Contact, CxoneVocabulary, Directory, Person, SalesforceVocabulary, Unlinked, Vocabulary, Who,
};
use crate::domain::{
    Account, AccountName, AgentId, CxoneAgent, CxoneAgentId, Link, Platform, SalesforceUser, TeamId, UserId,
};

/// What a directory has of each thing, by its record key.
type Entries = BTreeMap<String, (Option<Account>, Entry<'static>)>;

/// What an import changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Entries that are new or other than before.
    pub written: usize,
    /// Entries that are gone.
    pub removed: usize,
    /// Links that are new.
    pub linked: usize,
    /// Links that are gone.
    pub unlinked: usize,
    /// Agents who are in another team than before.
    pub moved: usize,
}

/// Who is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// Somebody who is linked.
    Person(Link),
    /// A user of Salesforce who is not.
    User(SalesforceUser),
    /// An agent of CXone who is not.
    Agent(CxoneAgent),
}

impl<B: Bus> Control<'_, B> {
    /// Makes the accounts that this directory has what they are there; others stay as they are, and so do links with them. Links
    /// that are new or gone become events, as do moves to another team; all of it is one transaction.
    ///
    /// # Errors
    /// Another operator came meanwhile, or the bus does not take it.
    pub fn import(&mut self, directory: &Directory, operator: &Operator<'_>) -> Result<Imported, Error> {
        let before = entries_in_log(self.bus, self.codec, self.plan)?;
        let org = |name: &AccountName| Account { platform: Platform::Salesforce, name: *name };
        let tenant = |name: &AccountName| Account { platform: Platform::Cxone, name: *name };
        let Vocabulary { salesforce, cxone } = &directory.vocabulary;
        let named: BTreeSet<Account> = salesforce.keys().map(org).chain(cxone.keys().map(tenant)).collect();
        let after = with_others(&before, entries_of(directory, operator), &named);
        self.change(&before, &after, operator, What::Unlinked)
    }

    /// Makes the directory in the log what it was changed to.
    ///
    /// # Errors
    /// Another operator came meanwhile, or the bus does not take it.
    pub fn replace(&mut self, known: &Known, operator: &Operator<'_>) -> Result<Imported, Error> {
        let after = entries_of(&known.directory, operator);
        self.change(&known.entries, &after, operator, What::Unlinked)
    }

    /// Forgets somebody: his link, and who he is on both platforms, or on the one that he is on. His state goes with it.
    ///
    /// # Errors
    /// Another operator came meanwhile, or the bus does not take it.
    pub fn forget(
        &mut self,
        Known { entries: before, .. }: &Known,
        whom: &Forgotten,
        operator: &Operator<'_>,
    ) -> Result<Imported, Error> {
        let mut gone: BTreeSet<String> = BTreeSet::new();
        match whom {
            Forgotten::Person(link) => {
                let (user, agent) = keys(link);
                gone.extend([user, agent]);
            }
            Forgotten::User(user) => {
                let org = Account { platform: Platform::Salesforce, name: user.account };
                gone.insert(key("user", org, user.user));
            }
            Forgotten::Agent(agent) => {
                let tenant = Account { platform: Platform::Cxone, name: agent.account };
                gone.insert(key("agent", tenant, agent.agent));
            }
        }
        let is_his = |entry: &Entry<'_>| match entry {
            Entry::Link(known) | Entry::Apart(known) => {
                let (user, agent) = keys(&known.link);
                gone.contains(&user) || gone.contains(&agent)
            }
            _ => false,
        };
        let stays = |(key, (_, entry)): &(&String, &(Option<Account>, Entry<'_>))| {
            !gone.contains(*key) && !is_his(entry)
        };
        let after = before.iter().filter(stays).map(|(key, entry)| (key.clone(), entry.clone())).collect();
        self.change(before, &after, operator, What::Forgotten)
    }

    fn change(
        &mut self,
        before: &Entries,
        after: &Entries,
        operator: &Operator<'_>,
        gone: impl Fn(Operator<'static>) -> What<'static>,
    ) -> Result<Imported, Error> {
        let (before_links, after_links) = (links(before), links(after));
        let mut imported = Imported::default();
        let read_at = now();
        for (key, (account, entry)) in after {
            if before.get(key).is_some_and(|(_, known)| is_same(known, entry)) {
                continue;
            }
            imported.written += 1;
            let entry = DirectoryEntry { account: *account, read_at, entry: entry.clone() };
            self.put((Topic::Directory, 0), key, &entry)?;
        }
        // What only a newer Lockstep knows is not ours to remove.
        let is_gone = |(key, (_, entry)): &(&String, &(Option<Account>, Entry<'_>))| {
            !after.contains_key(*key) && *entry != Entry::Unknown
        };
        for (key, _) in before.iter().filter(is_gone) {
            imported.removed += 1;
            self.writer.add(&outgoing(Topic::Directory, 0, key, None))?;
        }
        let agents: BTreeSet<AgentId> = before_links.keys().chain(after_links.keys()).copied().collect();
        for (number, agent) in (0..).zip(agents) {
            let operator = || Operator {
                actor: Cow::Owned(operator.actor.to_string()),
                reason: Cow::Owned(operator.reason.to_string()),
            };
            let what = match (before_links.get(&agent), after_links.get(&agent)) {
                (None, Some((link, team))) => {
                    imported.linked += 1;
                    What::Linked(Linked { link: *link, team: *team, operator: operator() })
                }
                (Some(_), None) => {
                    imported.unlinked += 1;
                    gone(operator())
                }
                (Some((_, before)), Some((_, team))) if before != team => {
                    imported.moved += 1;
                    What::TeamMoved(TeamMoved { team: *team })
                }
                _ => continue,
            };
            let partition = partition_for(&agent.text(), self.plan.partitions);
            let event = event(what, Some(agent), read_at, number);
            self.put_event(partition.0, &event)?;
        }
        self.commit()?;
        Ok(imported)
    }
}

/// What a directory says of the accounts that it has, and of all others what is known.
fn with_others(before: &Entries, mut after: Entries, named: &BTreeSet<Account>) -> Entries {
    // Who is linked by the file has no other link.
    let linked: BTreeSet<String> = links(&after)
        .values()
        .flat_map(|(link, _)| {
            let (user, agent) = keys(link);
            [user, agent]
        })
        .collect();
    let stays = |after: &Entries, account: Option<Account>, entry: &Entry<'_>| match (account, entry) {
        (_, Entry::Link(LinkEntry { link, .. })) => {
            let org = Account { platform: Platform::Salesforce, name: link.salesforce.account };
            let tenant = Account { platform: Platform::Cxone, name: link.cxone.account };
            let (user, agent) = keys(link);
            let is_there = |account, key: &str| !named.contains(&account) || after.contains_key(key);
            !(named.contains(&org) && named.contains(&tenant))
                && is_there(org, &user)
                && is_there(tenant, &agent)
                && !linked.contains(&user)
                && !linked.contains(&agent)
        }
        (Some(account), _) => !named.contains(&account),
        (None, _) => true,
    };
    for (key, (account, entry)) in before {
        if !after.contains_key(key) && stays(&after, *account, entry) {
            after.insert(key.clone(), (*account, entry.clone()));
        }
    }
    after
}

/// The keys of who somebody is on both platforms.
fn keys(link: &Link) -> (String, String) {
    let org = Account { platform: Platform::Salesforce, name: link.salesforce.account };
    let tenant = Account { platform: Platform::Cxone, name: link.cxone.account };
    (key("user", org, link.salesforce.user), key("agent", tenant, link.cxone.agent))
}

/// The directory that is in the log, as it was read, and as it is to be.
#[derive(Debug)]
pub struct Known {
    entries: Entries,
    /// What it says; whoever changes it has it written by [`Control::replace`].
    pub directory: Directory,
}

impl Known {
    /// Reads it. Who wants to change it has become control before.
    ///
    /// # Errors
    /// The bus cannot be reached, or an entry cannot be read.
    pub fn read<B: Bus>(bus: &B, codec: &Codec, plan: &TopicsPlan) -> Result<Known, Error> {
        let entries = entries_in_log(bus, codec, plan)?;
        let links = links(&entries);
        let mut read = Read::default();
        let mut apart = BTreeMap::new();
        for (account, entry) in entries.values().cloned() {
            if let Entry::Apart(LinkEntry { agent, link, .. }) = entry {
                apart.insert(agent, link);
            } else {
                read.take(account, entry);
            }
        }
        Ok(Known { directory: Directory { apart, ..read.whole(&links) }, entries })
    }
}

/// The directory that is in the log.
///
/// # Errors
/// Those of [`Known::read`].
pub fn directory_in_log<B: Bus>(bus: &B, codec: &Codec, plan: &TopicsPlan) -> Result<Directory, Error> {
    Known::read(bus, codec, plan).map(|known| known.directory)
}

fn entries_in_log<B: Bus>(bus: &B, codec: &Codec, plan: &TopicsPlan) -> Result<Entries, Error> {
    let topic = plan.name(Topic::Directory);
    let mut entries = Entries::new();
    for (key, value) in latest(bus, &topic, |_| true)? {
        let unreadable = |why| Error::Record { topic: topic.as_str().to_owned(), key: key.clone(), why };
        let read: DirectoryEntry<'_> = codec.read(&value).map_err(unreadable)?;
        entries.insert(key, (read.account, owned(read.entry)));
    }
    Ok(entries)
}

fn owned(entry: Entry<'_>) -> Entry<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    match entry {
        Entry::Unknown => Entry::Unknown,
        Entry::Link(LinkEntry { agent, link, operator: Operator { actor, reason } }) => {
            let operator = Operator { actor: own(actor), reason: own(reason) };
            Entry::Link(LinkEntry { agent, link, operator })
        }
        Entry::SalesforceUser(user) => Entry::SalesforceUser(UserEntry {
            user_name: own(user.user_name),
            email: own(user.email),
            federation_id: user.federation_id.map(own),
            user: user.user,
            active: user.active,
            access: user.access,
        }),
        Entry::CxoneAgent(agent) => Entry::CxoneAgent(AgentEntry {
            user_name: own(agent.user_name),
            email: own(agent.email),
            federation_id: agent.federation_id.map(own),
            agent: agent.agent,
            active: agent.active,
            team: agent.team,
        }),
        Entry::PresenceStatus(status) => Entry::PresenceStatus(status),
        Entry::Code(code) => Entry::Code(code),
        Entry::Team(team) => Entry::Team(team),
        Entry::Apart(LinkEntry { agent, link, operator: Operator { actor, reason } }) => {
            let operator = Operator { actor: own(actor), reason: own(reason) };
            Entry::Apart(LinkEntry { agent, link, operator })
        }
    }
}

/// Whether two entries say the same. Who linked somebody first is not said again.
fn is_same(known: &Entry<'_>, entry: &Entry<'_>) -> bool {
    match (known, entry) {
        (Entry::Link(known), Entry::Link(link)) | (Entry::Apart(known), Entry::Apart(link)) => {
            known.link == link.link
        }
        _ => known == entry,
    }
}

/// The links, with the team that CXone has each agent in.
fn links(entries: &Entries) -> BTreeMap<AgentId, (Link, Option<TeamId>)> {
    let team = |agent: CxoneAgent| {
        let account = Account { platform: Platform::Cxone, name: agent.account };
        match entries.get(&key("agent", account, agent.agent)) {
            Some((_, Entry::CxoneAgent(agent))) => agent.team,
            _ => None,
        }
    };
    let links = entries.values().filter_map(|(_, entry)| match entry {
        Entry::Link(link) => Some((link.agent, (link.link, team(link.link.cxone)))),
        _ => None,
    });
    links.collect()
}

fn key(kind: &str, account: Account, id: impl std::fmt::Display) -> String {
    format!("{kind}/{account}/{id}")
}

fn federation_id(contact: &Contact) -> Option<Cow<'static, str>> {
    Some(contact.federation_id.to_string()).filter(|id| !id.is_empty()).map(Cow::Owned)
}

fn entries_of(directory: &Directory, operator: &Operator<'_>) -> Entries {
    let mut entries = Entries::new();
    let mut put = |key: String, account: Option<Account>, entry| entries.insert(key, (account, entry));
    for (name, vocabulary) in &directory.vocabulary.salesforce {
        let account = Account { platform: Platform::Salesforce, name: *name };
        for status in vocabulary.statuses() {
            let entry = Entry::PresenceStatus(status.clone());
            put(key("status", account, status.id), Some(account), entry);
        }
    }
    for (name, vocabulary) in &directory.vocabulary.cxone {
        let account = Account { platform: Platform::Cxone, name: *name };
        for code in vocabulary.codes() {
            put(key("code", account, code.id), Some(account), Entry::Code(code.clone()));
        }
        for team in vocabulary.teams() {
            put(key("team", account, team.id), Some(account), Entry::Team(team.clone()));
        }
    }
    let mut put_user = |user: SalesforceUser, contact: &Contact, access: Option<u32>| {
        let account = Account { platform: Platform::Salesforce, name: user.account };
        let kinds = directory.access.get(&user.account);
        let access = access.and_then(|access| kinds?.get(access as usize)).map(|access| access.names.clone());
        let entry = Entry::SalesforceUser(UserEntry {
            user: user.user,
            user_name: Cow::Owned(contact.user_name.to_string()),
            email: Cow::Owned(contact.email.to_string()),
            active: !contact.is_inactive,
            access: access.unwrap_or_default(),
            federation_id: federation_id(contact),
        });
        put(key("user", account, user.user), Some(account), entry);
    };
    for person in &directory.people {
        put_user(person.link.salesforce, &person.salesforce, person.access);
    }
    for Unlinked { who, contact, access, .. } in &directory.unlinked {
        if let Who::Salesforce(user) = who {
            put_user(*user, contact, *access);
        }
    }
    let mut put_agent = |agent: CxoneAgent, contact: &Contact, team: Option<TeamId>| {
        let account = Account { platform: Platform::Cxone, name: agent.account };
        let entry = Entry::CxoneAgent(AgentEntry {
            agent: agent.agent,
            user_name: Cow::Owned(contact.user_name.to_string()),
            email: Cow::Owned(contact.email.to_string()),
            active: !contact.is_inactive,
            team,
            federation_id: federation_id(contact),
        });
        put(key("agent", account, agent.agent), Some(account), entry);
    };
    for person in &directory.people {
        put_agent(person.link.cxone, &person.cxone, person.team);
    }
    for Unlinked { who, contact, team, .. } in &directory.unlinked {
        if let Who::Cxone(agent) = who {
            put_agent(*agent, contact, *team);
        }
    }
    for (agent, link) in &directory.apart {
        let operator = Operator {
            actor: Cow::Owned(operator.actor.to_string()),
            reason: Cow::Owned(operator.reason.to_string()),
        };
        let entry = Entry::Apart(LinkEntry { agent: *agent, link: *link, operator });
        put(format!("apart/{agent}"), None, entry);
    }
    for person in &directory.people {
        let operator = Operator {
            actor: Cow::Owned(operator.actor.to_string()),
            reason: Cow::Owned(operator.reason.to_string()),
        };
        let entry = Entry::Link(LinkEntry { agent: person.agent, link: person.link, operator });
        put(person.agent.to_string(), None, entry);
    }
    entries
}

/// What was read of a directory, before people are put together.
#[derive(Default)]
struct Read {
    statuses: BTreeMap<AccountName, Vec<crate::directory::PresenceStatus>>,
    codes: BTreeMap<AccountName, Vec<crate::directory::Code>>,
    teams: BTreeMap<AccountName, Vec<crate::directory::TeamEntry>>,
    access: BTreeMap<AccountName, Vec<Access>>,
    users: BTreeMap<(AccountName, UserId), (Contact, Option<u32>)>,
    agents: BTreeMap<(AccountName, CxoneAgentId), (Contact, Option<TeamId>)>,
}

impl Read {
    fn take(&mut self, account: Option<Account>, entry: Entry<'_>) {
        // Only a link is from no single account.
        let Some(Account { name, .. }) = account else { return };
        let contact = |user_name: &str, email: &str, federation_id: Option<&str>, is_active: bool| Contact {
            user_name: user_name.into(),
            email: email.into(),
            federation_id: federation_id.unwrap_or_default().into(),
            is_inactive: !is_active,
        };
        match entry {
            Entry::PresenceStatus(status) => self.statuses.entry(name).or_default().push(status),
            Entry::Code(code) => self.codes.entry(name).or_default().push(code),
            Entry::Team(team) => self.teams.entry(name).or_default().push(team),
            Entry::SalesforceUser(UserEntry { user, user_name, email, active, access, federation_id }) => {
                let kinds = self.access.entry(name).or_default();
                let access = (!access.is_empty()).then(|| {
                    let access = Access { names: access };
                    kinds.iter().position(|known| *known == access).unwrap_or_else(|| {
                        kinds.push(access);
                        kinds.len() - 1
                    })
                });
                let access = access.map(|access| access as u32);
                let contact = contact(&user_name, &email, federation_id.as_deref(), active);
                self.users.insert((name, user), (contact, access));
            }
            Entry::CxoneAgent(AgentEntry { agent, user_name, email, active, team, federation_id }) => {
                let contact = contact(&user_name, &email, federation_id.as_deref(), active);
                self.agents.insert((name, agent), (contact, team));
            }
            Entry::Link(_) | Entry::Apart(_) | Entry::Unknown => {}
        }
    }

    fn whole(mut self, links: &BTreeMap<AgentId, (Link, Option<TeamId>)>) -> Directory {
        let mut directory = Directory::default();
        for (agent, (link, team)) in links {
            let user = self.users.remove(&(link.salesforce.account, link.salesforce.user));
            let cxone = self.agents.remove(&(link.cxone.account, link.cxone.agent));
            let (salesforce, access) = user.unwrap_or_default();
            let cxone = cxone.map(|(contact, _)| contact).unwrap_or_default();
            let (agent, link, team) = (*agent, *link, *team);
            directory.people.push(Person { agent, link, team, access, salesforce, cxone });
        }
        for ((account, user), (contact, access)) in self.users {
            let who = Who::Salesforce(SalesforceUser { account, user });
            directory.unlinked.push(Unlinked { who, contact, team: None, access });
        }
        for ((account, agent), (contact, team)) in self.agents {
            let who = Who::Cxone(CxoneAgent { account, agent });
            directory.unlinked.push(Unlinked { who, contact, team, access: None });
        }
        let orgs: BTreeSet<AccountName> = self.statuses.keys().chain(self.access.keys()).copied().collect();
        for name in orgs {
            let statuses = self.statuses.remove(&name).unwrap_or_default();
            directory.vocabulary.salesforce.insert(name, SalesforceVocabulary::new(statuses));
        }
        let tenants: BTreeSet<AccountName> = self.codes.keys().chain(self.teams.keys()).copied().collect();
        for name in tenants {
            let codes = self.codes.remove(&name).unwrap_or_default();
            let teams = self.teams.remove(&name).unwrap_or_default();
            directory.vocabulary.cxone.insert(name, CxoneVocabulary::new(codes, teams));
        }
        directory.access = self.access;
        directory
    }
}
