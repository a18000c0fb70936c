//! Who is the same person on both platforms, as far as that can be known without guessing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::{Contact, CxoneVocabulary, Directory, Person, SalesforceVocabulary, Unlinked, Who, agent_id};
use crate::domain::{AccountName, CxoneAgent, CxoneAgentId, Link, SalesforceUser, TeamId, UserId};

/// By what two people are taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkBy {
    /// Both have this e-mail address.
    Email,
    /// The identity provider calls both so.
    FederationId,
    /// Both log in with this name.
    UserName,
}

/// Why an agent of CXone is not linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// He cannot log in.
    Inactive,
    /// He has nothing that he could be found by.
    NothingToGoBy,
    /// Nobody in Salesforce is called so.
    NoMatch,
    /// So many in Salesforce are, or so many others in CXone.
    Several(LinkBy, usize),
    /// Who is called so in Salesforce is linked with another agent already.
    Taken(LinkBy, SalesforceUser),
    /// Another agent could be the same user of Salesforce, by something else.
    Claimed(SalesforceUser),
    /// Somebody has unlinked the two.
    Apart(SalesforceUser),
}

/// An agent as the platform lists him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// His number.
    pub agent: CxoneAgentId,
    /// How he is called.
    pub contact: Contact,
    /// His team.
    pub team: Option<TeamId>,
}

/// A user as the platform lists him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// His id.
    pub user: UserId,
    /// How he is called.
    pub contact: Contact,
}

impl LinkBy {
    const fn name(self) -> &'static str {
        match self {
            LinkBy::Email => "e-mail address",
            LinkBy::FederationId => "federation id",
            LinkBy::UserName => "user name",
        }
    }

    /// What somebody has of it, for comparing; none where he has none.
    fn of(self, contact: &Contact) -> Option<String> {
        let text = match self {
            LinkBy::Email => &contact.email,
            LinkBy::FederationId => &contact.federation_id,
            LinkBy::UserName => &contact.user_name,
        };
        Some(text.trim().to_lowercase()).filter(|text| !text.is_empty())
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyNot::Inactive => f.write_str("is not active"),
            WhyNot::NothingToGoBy => f.write_str("has nothing that he could be found by"),
            WhyNot::NoMatch => f.write_str("nobody in Salesforce is called so"),
            WhyNot::Several(by, count) => write!(f, "{count} people have his {}", by.name()),
            WhyNot::Taken(by, user) => {
                write!(f, "who has his {} in Salesforce, {user}, is linked with another agent", by.name())
            }
            WhyNot::Claimed(user) => write!(f, "{user} could be another agent, too"),
            WhyNot::Apart(user) => write!(f, "was unlinked from {user} by hand"),
        }
    }
}

/// Everybody, by one of the things that he may be found by.
struct Index {
    by: LinkBy,
    users: HashMap<String, Vec<SalesforceUser>>,
    agents: HashMap<String, usize>,
}

impl Directory {
    /// Puts what a tenant has in the place of what was known of it. Who is linked stays so, even where the tenant does not list
    /// him any more: it may be that we do not see him. Tells how many these are.
    pub fn replace_tenant(
        &mut self,
        account: AccountName,
        vocabulary: CxoneVocabulary,
        listed: Vec<Listed>,
    ) -> usize {
        self.vocabulary.cxone.insert(account, vocabulary);
        let mut listed: BTreeMap<CxoneAgentId, Listed> =
            listed.into_iter().map(|one| (one.agent, one)).collect();
        let mut gone = 0;
        for person in self.people.iter_mut().filter(|person| person.link.cxone.account == account) {
            match listed.remove(&person.link.cxone.agent) {
                Some(one) => (person.cxone, person.team) = (one.contact, one.team),
                None => gone += 1,
            }
        }
        let is_here = |one: &Unlinked| matches!(one.who, Who::Cxone(agent) if agent.account == account);
        self.unlinked.retain(|one| !is_here(one));
        // Of who cannot log in and is not linked nobody has to know anything.
        listed.retain(|_, one| !one.contact.is_inactive);
        self.unlinked.extend(listed.into_values().map(|Listed { agent, contact, team }| Unlinked {
            who: Who::Cxone(CxoneAgent { account, agent }),
            contact,
            team,
            access: None,
        }));
        gone
    }

    /// Puts what an org has in the place of what was known of it; without a list, its users stay as they were known. Who is linked
    /// stays so, as with [`Directory::replace_tenant`]. An org does not tell who may use a status: what is known of that stays,
    /// where the status and the user are still there. Tells how many who are linked are not listed.
    pub fn replace_org(
        &mut self,
        account: AccountName,
        vocabulary: SalesforceVocabulary,
        listed: Option<Vec<ListedUser>>,
    ) -> usize {
        let known = self.vocabulary.salesforce.remove(&account).unwrap_or_default();
        self.vocabulary.salesforce.insert(account, vocabulary.with_grants_of(&known));
        let Some(listed) = listed else { return 0 };
        let mut listed: BTreeMap<UserId, Contact> =
            listed.into_iter().map(|ListedUser { user, contact }| (user, contact)).collect();
        let mut gone = 0;
        for person in self.people.iter_mut().filter(|person| person.link.salesforce.account == account) {
            match listed.remove(&person.link.salesforce.user) {
                Some(contact) => person.salesforce = contact,
                None => gone += 1,
            }
        }
        // Of who cannot log in and is not linked nobody has to know anything.
        listed.retain(|_, contact| !contact.is_inactive);
        self.unlinked.retain_mut(|one| match one.who {
            Who::Salesforce(user) if user.account == account => match listed.remove(&user.user) {
                Some(contact) => {
                    one.contact = contact;
                    true
                }
                None => false,
            },
            Who::Salesforce(_) | Who::Cxone(_) => true,
        });
        self.unlinked.extend(listed.into_iter().map(|(user, contact)| Unlinked {
            who: Who::Salesforce(SalesforceUser { account, user }),
            contact,
            team: None,
            access: None,
        }));
        gone
    }

    /// Agents of CXone who are not linked, each with the one whom he is, or why that is not known. The first thing in the
    /// order by which anybody is found decides.
    pub fn matches(&self, order: &[LinkBy]) -> Vec<(CxoneAgent, Result<SalesforceUser, WhyNot>)> {
        let indexes: Vec<Index> = order.iter().map(|by| self.index(*by)).collect();
        let taken: BTreeSet<SalesforceUser> =
            self.people.iter().map(|person| person.link.salesforce).collect();
        let agents = self.unlinked.iter().filter_map(|one| match one.who {
            Who::Cxone(agent) => Some((agent, &one.contact)),
            Who::Salesforce(_) => None,
        });
        let mut all: Vec<(CxoneAgent, Result<SalesforceUser, WhyNot>)> =
            agents.map(|(agent, contact)| (agent, one_match(contact, &indexes, &taken))).collect();
        let mut claims: HashMap<SalesforceUser, usize> = HashMap::new();
        all.iter().filter_map(|(_, found)| found.as_ref().ok()).for_each(|user| {
            *claims.entry(*user).or_default() += 1;
        });
        for (cxone, found) in &mut all {
            let Ok(salesforce) = *found else { continue };
            if self.apart.contains_key(&agent_id(&Link { salesforce, cxone: *cxone })) {
                *found = Err(WhyNot::Apart(salesforce));
            } else if claims.get(&salesforce).is_some_and(|claims| *claims > 1) {
                *found = Err(WhyNot::Claimed(salesforce));
            }
        }
        all
    }

    fn index(&self, by: LinkBy) -> Index {
        let mut index = Index { by, users: HashMap::new(), agents: HashMap::new() };
        let linked = self.people.iter().flat_map(|person| {
            let Link { salesforce, cxone } = person.link;
            [(Who::Salesforce(salesforce), &person.salesforce), (Who::Cxone(cxone), &person.cxone)]
        });
        let unlinked = self.unlinked.iter().map(|one| (one.who, &one.contact));
        for (who, contact) in linked.chain(unlinked).filter(|(_, contact)| !contact.is_inactive) {
            let Some(text) = by.of(contact) else { continue };
            match who {
                Who::Salesforce(user) => index.users.entry(text).or_default().push(user),
                Who::Cxone(_) => *index.agents.entry(text).or_default() += 1,
            }
        }
        index
    }

    /// Makes one person of two who are not linked. `false` where one of them is not there, or is linked already.
    pub fn link(&mut self, link: Link) -> bool {
        let place = |all: &[Unlinked], who: Who| all.iter().position(|one| one.who == who);
        let user = place(&self.unlinked, Who::Salesforce(link.salesforce));
        let agent = place(&self.unlinked, Who::Cxone(link.cxone));
        let (Some(_), Some(agent)) = (user, agent) else { return false };
        let cxone = self.unlinked.swap_remove(agent);
        let Some(user) = place(&self.unlinked, Who::Salesforce(link.salesforce)) else { return false };
        let user = self.unlinked.swap_remove(user);
        self.apart.remove(&agent_id(&link));
        self.people.push(Person {
            agent: agent_id(&link),
            link,
            team: cxone.team,
            access: user.access,
            salesforce: user.contact,
            cxone: cxone.contact,
        });
        true
    }

    /// Makes two of one person, and remembers that they are not one. Tells whether he was there.
    pub fn unlink(&mut self, link: Link) -> bool {
        let Some(at) = self.people.iter().position(|person| person.link == link) else { return false };
        let Person { agent, link, team, access, salesforce, cxone } = self.people.swap_remove(at);
        self.apart.insert(agent, link);
        self.unlinked.push(Unlinked {
            who: Who::Salesforce(link.salesforce),
            contact: salesforce,
            team: None,
            access,
        });
        self.unlinked.push(Unlinked { who: Who::Cxone(link.cxone), contact: cxone, team, access: None });
        true
    }
}

fn one_match(
    contact: &Contact,
    indexes: &[Index],
    taken: &BTreeSet<SalesforceUser>,
) -> Result<SalesforceUser, WhyNot> {
    if contact.is_inactive {
        return Err(WhyNot::Inactive);
    }
    let mut has_something = false;
    for Index { by, users, agents } in indexes {
        let Some(text) = by.of(contact) else { continue };
        has_something = true;
        let found = users.get(&text).map_or(&[][..], Vec::as_slice);
        let same = agents.get(&text).copied().unwrap_or_default();
        return match found {
            [] => continue,
            [_] if same > 1 => Err(WhyNot::Several(*by, same)),
            [user] if taken.contains(user) => Err(WhyNot::Taken(*by, *user)),
            [user] => Ok(*user),
            several => Err(WhyNot::Several(*by, several.len())),
        };
    }
    Err(if has_something { WhyNot::NoMatch } else { WhyNot::NothingToGoBy })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(email: &str, federation_id: &str, user_name: &str) -> Contact {
        Contact {
            user_name: user_name.into(),
            email: email.into(),
            federation_id: federation_id.into(),
            is_inactive: false,
        }
    }

    fn user(number: u32) -> SalesforceUser {
        let (account, user) = ("emea".parse().unwrap(), format!("0055g000{number:07}").parse().unwrap());
        SalesforceUser { account, user }
    }

    fn agent(number: u32) -> CxoneAgent {
        CxoneAgent { account: "emea".parse().unwrap(), agent: CxoneAgentId::new(number) }
    }

    fn directory(users: &[Contact], agents: &[Contact]) -> Directory {
        let users = (1..).zip(users).map(|(number, one)| (Who::Salesforce(user(number)), one));
        let agents = (1..).zip(agents).map(|(number, one)| (Who::Cxone(agent(number)), one));
        let one = |(who, contact): (Who, &Contact)| Unlinked {
            who,
            contact: contact.clone(),
            team: None,
            access: None,
        };
        Directory { unlinked: users.chain(agents).map(one).collect(), ..Directory::default() }
    }

    const ALL: [LinkBy; 3] = [LinkBy::Email, LinkBy::FederationId, LinkBy::UserName];

    #[test]
    fn nobody_is_guessed() {
        let users = [
            contact("ada@x", "", ""),
            contact("", "F-2", "bob"),
            contact("both@x", "", ""),
            contact("Both@X", "", ""),
            contact("shared@x", "", ""),
            contact("other@x", "", "ada"),
        ];
        let agents = [
            contact(" ADA@x ", "", "ada"),
            contact("bob@y", "f-2", ""),
            contact("both@x", "F-9", ""),
            contact("shared@x", "", ""),
            contact("shared@x", "", ""),
            contact("nobody@x", "", ""),
            contact("", "", ""),
            Contact { is_inactive: true, ..contact("ada@x", "", "") },
        ];
        let found = directory(&users, &agents).matches(&ALL);
        let told: Vec<String> = found
            .iter()
            .map(|(_, found)| found.as_ref().map_or_else(WhyNot::to_string, ToString::to_string))
            .collect();
        assert_eq!(
            told,
            [
                "emea/0055g0000000001",
                "emea/0055g0000000002",
                "2 people have his e-mail address",
                "2 people have his e-mail address",
                "2 people have his e-mail address",
                "nobody in Salesforce is called so",
                "has nothing that he could be found by",
                "is not active",
            ]
        );
        // Of two who could be one user, none is.
        let found = self::directory(
            &[contact("ada@x", "F-1", "")],
            &[contact("ada@x", "", ""), contact("", "F-1", "")],
        );
        assert!(found.matches(&ALL).iter().all(|(_, found)| *found == Err(WhyNot::Claimed(user(1)))));
        // In another order another thing decides.
        let found = directory(&users, &agents).matches(&[LinkBy::UserName]);
        assert_eq!(found[0], (agent(1), Ok(user(6))));
    }

    #[test]
    fn who_is_linked_stays_so_and_is_nobody_elses() {
        let mut directory = directory(&[contact("ada@x", "", "")], &[contact("ada@x", "", "")]);
        let link = Link { salesforce: user(1), cxone: agent(1) };
        assert!(directory.link(link) && !directory.link(link));
        let account = "emea".parse().unwrap();
        let listed = |number, email| Listed {
            agent: CxoneAgentId::new(number),
            contact: contact(email, "", ""),
            team: Some(TeamId::new(3)),
        };
        // The one who was linked is not listed, and another has his address.
        let vocabulary = || CxoneVocabulary::new(Vec::new(), Vec::new());
        assert_eq!(directory.replace_tenant(account, vocabulary(), vec![listed(2, "ada@x")]), 1);
        assert_eq!((directory.people.len(), directory.unlinked.len()), (1, 1));
        assert_eq!(directory.matches(&ALL), [(agent(2), Err(WhyNot::Several(LinkBy::Email, 2)))]);
        assert_eq!(
            directory.replace_tenant(account, vocabulary(), vec![listed(1, "new@x"), listed(2, "ada@x")]),
            0
        );
        assert_eq!(
            (&*directory.people[0].cxone.email, directory.people[0].team),
            ("new@x", Some(TeamId::new(3)))
        );
        assert_eq!(directory.matches(&ALL), [(agent(2), Err(WhyNot::Taken(LinkBy::Email, user(1))))]);
        assert!(directory.unlink(link) && !directory.unlink(link));
        assert_eq!(directory.unlinked.len(), 3);
        assert_eq!(directory.matches(&ALL)[0], (agent(2), Ok(user(1))));
        // Who was unlinked by hand is linked by hand only.
        assert!(directory.link(Link { salesforce: user(1), cxone: agent(2) }));
        assert!(directory.unlink(Link { salesforce: user(1), cxone: agent(2) }));
        let found = directory.matches(&ALL).into_iter().find(|(one, _)| *one == agent(2));
        assert_eq!(found, Some((agent(2), Err(WhyNot::Apart(user(1))))));
        assert!(directory.link(Link { salesforce: user(1), cxone: agent(2) }) && directory.apart.len() == 1);
    }
    fn listed(number: u32, email: &str) -> ListedUser {
        ListedUser { user: user(number).user, contact: contact(email, "", "") }
    }

    fn left(number: u32, email: &str) -> ListedUser {
        let ListedUser { user, contact } = listed(number, email);
        ListedUser { user, contact: Contact { is_inactive: true, ..contact } }
    }

    /// Who is linked stays so, whatever the org lists; of who is not, only those who can log in are known.
    #[test]
    fn an_org_lists_its_users() {
        // What is listed, how many linked users are not, how the linked one is called, and who is not linked.
        type Case = (Option<Vec<ListedUser>>, usize, (&'static str, bool), &'static [&'static str]);
        let cases: [Case; 5] = [
            (None, 0, ("ada@x", true), &["bob@x"]),
            (Some(vec![]), 1, ("ada@x", true), &[]),
            (Some(vec![listed(1, "new@x"), listed(2, "bob@y")]), 0, ("new@x", true), &["bob@y"]),
            (Some(vec![left(1, "ada@x"), left(2, "bob@x")]), 0, ("ada@x", false), &[]),
            (Some(vec![listed(3, "eve@x"), listed(2, "bob@x")]), 1, ("ada@x", true), &["bob@x", "eve@x"]),
        ];
        for (listed, gone, linked, unlinked) in cases {
            let users = [contact("ada@x", "", ""), contact("bob@x", "", "")];
            let mut directory = directory(&users, &[contact("ada@x", "", "")]);
            assert!(directory.link(Link { salesforce: user(1), cxone: agent(1) }));
            directory.people[0].access = Some(0);
            directory.unlinked[0].access = Some(1);
            let told = format!("{listed:?}");
            let account = "emea".parse().unwrap();
            assert_eq!(
                directory.replace_org(account, SalesforceVocabulary::default(), listed),
                gone,
                "{told}"
            );
            let Person { salesforce, access, .. } = &directory.people[0];
            assert_eq!((&*salesforce.email, !salesforce.is_inactive, *access), (linked.0, linked.1, Some(0)));
            let found: Vec<&str> = directory.unlinked.iter().map(|one| &*one.contact.email).collect();
            assert_eq!(found, unlinked, "{told}");
            let mut known = directory.unlinked.iter().filter(|one| one.who == Who::Salesforce(user(2)));
            assert!(known.all(|one| one.access == Some(1)), "{told}");
        }
    }

    #[test]
    fn another_org_is_left_alone() {
        let mut directory = directory(&[contact("ada@x", "", "")], &[contact("ada@x", "", "")]);
        let other = "other".parse().unwrap();
        assert_eq!(
            directory.replace_org(other, SalesforceVocabulary::default(), Some(vec![listed(1, "eve@x")])),
            0
        );
        assert_eq!(directory.unlinked.len(), 3);
        assert_eq!(directory.matches(&ALL), [(agent(1), Ok(user(1)))]);
    }
}
