//! Who is who: an agent is one Salesforce user and one CXone agent.

use std::fmt;

use super::{AccountName, CxoneAgentId, TeamId, UserId};

/// A user of one Salesforce org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SalesforceUser {
    /// The org.
    pub account: AccountName,
    /// The user in it.
    pub user: UserId,
}

/// An agent of one CXone tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CxoneAgent {
    /// The tenant.
    pub account: AccountName,
    /// The agent in it.
    pub agent: CxoneAgentId,
}

/// A team of one CXone tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Team {
    /// The tenant.
    pub account: AccountName,
    /// The team in it.
    pub team: TeamId,
}

/// What makes an agent: one person on both platforms. Another pairing is another agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The person in Salesforce.
    pub salesforce: SalesforceUser,
    /// The same person in CXone.
    pub cxone: CxoneAgent,
}

/// `ACCOUNT/USER`, the id in its 15-character form.
impl fmt::Display for SalesforceUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.user)
    }
}

/// `ACCOUNT/AGENT`.
impl fmt::Display for CxoneAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.agent)
    }
}
