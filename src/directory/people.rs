//! People, as far as rules and links need them.

use crate::domain::{AgentId, CxoneAgent, Link, SalesforceUser, TeamId};

use super::PresenceStatus;

/// One person on both platforms.
#[derive(Debug)]
pub struct Person {
    /// The agent that the link makes.
    pub agent: AgentId,
    /// The link.
    pub link: Link,
    /// The team in CXone, where it is known.
    pub team: Option<TeamId>,
    /// Index into the org's kinds of access, where the access is known.
    pub access: Option<u32>,
    /// How he is called in Salesforce.
    pub salesforce: Contact,
    /// How he is called in CXone.
    pub cxone: Contact,
}

impl Person {
    /// Whether an administrator who writes this address means this person. Case does not count.
    pub fn is_called(&self, address: &str) -> bool {
        self.addresses().any(|a| a.eq_ignore_ascii_case(address))
    }

    /// The e-mail addresses and user names on both platforms.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.salesforce.addresses().chain(self.cxone.addresses())
    }
}

/// Somebody who is on one platform only, as far as links say.
#[derive(Debug)]
pub struct Unlinked {
    /// Who he is there.
    pub who: Who,
    /// How he is called there.
    pub contact: Contact,
    /// The team in CXone, where it is known.
    pub team: Option<TeamId>,
    /// Index into the org's kinds of access, where the access is known.
    pub access: Option<u32>,
}

/// A person on one platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A user of a Salesforce org.
    Salesforce(SalesforceUser),
    /// An agent of a CXone tenant.
    Cxone(CxoneAgent),
}

/// How a person is called on one platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The user name.
    pub user_name: Box<str>,
    /// The e-mail address, empty where there is none.
    pub email: Box<str>,
    /// How the identity provider calls him, empty where it is not known.
    pub federation_id: Box<str>,
    /// He cannot log in any more.
    pub is_inactive: bool,
}

impl Contact {
    /// The e-mail address and the user name, where there are any.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        [&*self.email, &*self.user_name].into_iter().filter(|a| !a.is_empty())
    }
}

/// What gives users access to presence statuses: the names of a profile and of permission sets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The profile and the permission sets, sorted.
    pub names: Vec<Box<str>>,
}

impl Access {
    /// Whether this access grants a status; `None` where the directory does not know who is granted it.
    pub fn grants(&self, status: &PresenceStatus) -> Option<bool> {
        let granted_to = status.granted_to.as_ref()?;
        Some(granted_to.iter().any(|name| self.names.binary_search(name).is_ok()))
    }
}
