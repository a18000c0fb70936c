//! All rules as one checked whole.

use serde::Deserialize;

use super::{CxoneOrder, CxoneTerm, SalesforceTerm, Settings};
use crate::directory::Vocabulary;
use crate::domain::{AgentId, Team};

/// All rules, the vocabulary they were checked against and the engine's settings. Holds no personal data.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The rules in the order of the file.
    pub rules: Vec<Rule>,
    /// What the rules' names stand for.
    pub vocabulary: Vocabulary,
    /// The engine's numbers.
    pub settings: Settings,
}

/// A rule: what one platform shows when an agent chooses on the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unique in the revision.
    pub name: String,
    /// The teams it is assigned to.
    pub teams: Vec<Team>,
    /// The agents it is assigned to, whatever their team's rule.
    pub agents: Vec<AgentId>,
    /// Its options.
    pub options: Options,
    /// What Salesforce shows for a CXone status; row numbers count from 1 in this order.
    pub publisher: Vec<PublisherRow>,
    /// What CXone shows for a Salesforce status; row numbers count from 1 in this order.
    pub subscriber: Vec<SubscriberRow>,
}

/// A row from CXone to Salesforce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherRow {
    /// The status in CXone.
    pub from: CxoneTerm,
    /// What Salesforce shows for it.
    pub to: SalesforceTerm,
}

/// A row from Salesforce to CXone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriberRow {
    /// The status in Salesforce.
    pub from: SalesforceTerm,
    /// What CXone shows for it.
    pub to: CxoneOrder,
}

/// The options of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The rule also serves teams that lack a code; a status outside the rule, or a code the team lacks,
    /// sets the default Unavailable.
    pub skip_code_validation: bool,
    /// Which of two concurrent choices wins.
    pub on_conflict: OnConflict,
    /// What happens to a change for CXone while it is in a contact.
    pub while_on_contact: WhileOnContact,
    /// Whether the status at login is a choice.
    pub on_login: OnLogin,
}

/// Which of two concurrent choices wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// The one that began last.
    #[default]
    Latest,
    /// The one made in Salesforce.
    Salesforce,
    /// The one made in CXone.
    Cxone,
}

/// What happens to a change for CXone while it is in a contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhileOnContact {
    /// It waits here until the contact ends.
    #[default]
    Hold,
    /// It is sent once, and CXone queues it.
    Send,
}

/// Whether the status at login is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLogin {
    /// No: who logs in takes over what the other platform shows.
    #[default]
    Adopt,
    /// Yes.
    Publish,
}
