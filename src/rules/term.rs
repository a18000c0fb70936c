//! Statuses as a rule names them, the same for every account until a vocabulary says what they stand for.

use std::fmt;

use crate::directory::{CxoneVocabulary, Found, SalesforceVocabulary};
use crate::document::{nearest, normal};
use crate::domain::{ContactState, CxoneStatus, ReservedOutState, SalesforceStatus};

/// A Salesforce status as a rule names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SalesforceTerm {
    /// `Offline`.
    Offline,
    /// A presence status, by developer name or label.
    Named(Box<str>),
}

/// A CXone status as a rule names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CxoneTerm {
    /// `LoggedOut`.
    LoggedOut,
    /// `Available`.
    Available,
    /// `Unavailable`, without a code.
    Unavailable,
    /// `Unavailable/NAME`.
    Code(Box<str>),
    /// `InboundContact` and the other four.
    Contact(ContactState),
    /// `AfterCallWork`, whatever its code.
    AfterCallWork,
    /// `Refused` and the other reserved out-states.
    Reserved(ReservedOutState),
    /// `LoggedIn`.
    LoggedIn,
}

/// What a subscriber row orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CxoneOrder {
    /// `previous`: what the agent last chose in CXone himself.
    Previous,
    /// A status.
    Status(CxoneTerm),
}

impl SalesforceTerm {
    /// The term that a name is.
    pub fn parse(name: &str) -> Self {
        match normal(name).as_ref() {
            "Offline" => SalesforceTerm::Offline,
            name => SalesforceTerm::Named(name.into()),
        }
    }

    /// The status it stands for in an org; of several with its label, their developer names.
    pub(super) fn resolve<'v>(
        &self,
        vocabulary: &'v SalesforceVocabulary,
    ) -> Result<SalesforceStatus, Vec<&'v str>> {
        let SalesforceTerm::Named(name) = self else { return Ok(SalesforceStatus::Offline) };
        match vocabulary.find(name) {
            Found::One(status) => Ok(SalesforceStatus::Presence(status.id)),
            Found::Several(all) => Err(all.into_iter().map(|s| &*s.developer_name).collect()),
            Found::Unknown => Err(Vec::new()),
        }
    }
}

impl CxoneTerm {
    /// Begins the name of a code.
    const CODE: &str = "Unavailable/";

    /// The terms that every tenant has.
    pub(super) fn fixed() -> impl Iterator<Item = CxoneTerm> {
        let plain = [
            CxoneTerm::LoggedOut,
            CxoneTerm::Available,
            CxoneTerm::Unavailable,
            CxoneTerm::AfterCallWork,
            CxoneTerm::LoggedIn,
        ];
        let contacts = ContactState::ALL.map(CxoneTerm::Contact);
        let reserved = ReservedOutState::NAMED.map(|(state, _)| CxoneTerm::Reserved(state));
        plain.into_iter().chain(contacts).chain(reserved)
    }

    /// The term that a name is.
    ///
    /// # Errors
    /// It is neither a state of CXone nor `Unavailable/CODE`; the error is the nearest such name.
    pub fn parse(name: &str) -> Result<Self, Option<String>> {
        let name = normal(name);
        if let Some(code) = name.strip_prefix(Self::CODE)
            && !code.trim().is_empty()
        {
            return Ok(CxoneTerm::Code(code.trim().into()));
        }
        if let Some(term) = Self::fixed().find(|term| term.to_string() == name) {
            return Ok(term);
        }
        Err(Self::meant(&name))
    }

    /// What people call states that CXone calls otherwise.
    const ALIASES: &[(&str, &str)] = &[
        ("acw", "AfterCallWork"),
        ("offline", "LoggedOut"),
        ("ready", "Available"),
        ("working", "InboundContact"),
    ];

    /// The name that was probably meant by one that is none.
    fn meant(name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("unavailable") {
            let code = name.get("unavailable".len()..).unwrap_or_default();
            let code = code.trim_start_matches([' ', '/', ':', '-', '_', '\\']).trim();
            return Some(if code.is_empty() {
                "Unavailable".to_owned()
            } else {
                format!("{}{code}", Self::CODE)
            });
        }
        let alias =
            Self::ALIASES.iter().find(|(alias, _)| *alias == lower).map(|(_, name)| (*name).to_owned());
        alias.or_else(|| {
            let names: Vec<String> = Self::fixed().map(|term| term.to_string()).collect();
            nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
        })
    }

    /// The term by which a status of a tenant is named; an unknown code is named by its id.
    pub(super) fn of(status: CxoneStatus, vocabulary: Option<&CxoneVocabulary>) -> Self {
        match status {
            CxoneStatus::LoggedOut => CxoneTerm::LoggedOut,
            CxoneStatus::Available => CxoneTerm::Available,
            CxoneStatus::Unavailable => CxoneTerm::Unavailable,
            CxoneStatus::Contact(state) => CxoneTerm::Contact(state),
            CxoneStatus::AfterCallWork(None) => CxoneTerm::AfterCallWork,
            CxoneStatus::Reserved(state) => CxoneTerm::Reserved(state),
            CxoneStatus::LoggedIn => CxoneTerm::LoggedIn,
            CxoneStatus::Code(id) | CxoneStatus::AfterCallWork(Some(id)) => {
                let code = vocabulary.and_then(|v| v.codes().iter().find(|c| c.id == id));
                CxoneTerm::Code(code.map_or_else(|| id.to_string().into(), |c| c.name.clone()))
            }
        }
    }

    /// The status it stands for in a tenant; `None` where no code, or more than one, has its name.
    pub(super) fn resolve(&self, vocabulary: &CxoneVocabulary) -> Option<CxoneStatus> {
        Some(match self {
            CxoneTerm::LoggedOut => CxoneStatus::LoggedOut,
            CxoneTerm::Available => CxoneStatus::Available,
            CxoneTerm::Unavailable => CxoneStatus::Unavailable,
            CxoneTerm::Contact(state) => CxoneStatus::Contact(*state),
            CxoneTerm::AfterCallWork => CxoneStatus::AfterCallWork(None),
            CxoneTerm::Reserved(state) => CxoneStatus::Reserved(*state),
            CxoneTerm::LoggedIn => CxoneStatus::LoggedIn,
            CxoneTerm::Code(name) => match vocabulary.find_code(name) {
                Found::One(code) if code.after_call_work => CxoneStatus::AfterCallWork(Some(code.id)),
                Found::One(code) => CxoneStatus::Code(code.id),
                Found::Several(_) | Found::Unknown => return None,
            },
        })
    }
}

impl CxoneOrder {
    /// How *previous* is written.
    const PREVIOUS: &str = "previous";

    /// The order that a name is.
    ///
    /// # Errors
    /// As those of [`CxoneTerm::parse`].
    pub fn parse(name: &str) -> Result<Self, Option<String>> {
        match name.trim() {
            Self::PREVIOUS => Ok(CxoneOrder::Previous),
            name => CxoneTerm::parse(name).map(CxoneOrder::Status),
        }
    }
}

/// As it is written in a rule.
impl fmt::Display for CxoneOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CxoneOrder::Previous => f.write_str(Self::PREVIOUS),
            CxoneOrder::Status(term) => term.fmt(f),
        }
    }
}

/// As it is written in a rule.
impl fmt::Display for SalesforceTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SalesforceTerm::Offline => f.write_str("Offline"),
            SalesforceTerm::Named(name) => f.write_str(name),
        }
    }
}

/// As it is written in a rule.
impl fmt::Display for CxoneTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CxoneTerm::LoggedOut => f.write_str("LoggedOut"),
            CxoneTerm::Available => f.write_str("Available"),
            CxoneTerm::Unavailable => f.write_str("Unavailable"),
            CxoneTerm::Code(name) => write!(f, "{}{name}", Self::CODE),
            CxoneTerm::Contact(state) => f.write_str(state.name()),
            CxoneTerm::AfterCallWork => f.write_str("AfterCallWork"),
            CxoneTerm::Reserved(state) => f.write_str(state.name().unwrap_or("reserved")),
            CxoneTerm::LoggedIn => f.write_str("LoggedIn"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_read_as_it_is_written() {
        for term in CxoneTerm::fixed() {
            assert_eq!(CxoneTerm::parse(&term.to_string()), Ok(term));
        }
        assert_eq!(CxoneTerm::parse("Unavailable/A/C"), Ok(CxoneTerm::Code("A/C".into())));
        assert_eq!(SalesforceTerm::parse("Offline"), SalesforceTerm::Offline);
    }

    #[test]
    fn what_is_no_term_has_a_nearest_one() {
        let cases = [
            ("available", Some("Available")),
            ("Logged Out", Some("LoggedOut")),
            ("inbound contact", Some("InboundContact")),
            ("Unavailable/", Some("Unavailable")),
            ("unavailable/Lunch", Some("Unavailable/Lunch")),
            ("Unavailable / Meeting", Some("Unavailable/Meeting")),
            ("Unavailable Lunch", Some("Unavailable/Lunch")),
            ("UNAVAILABLE", Some("Unavailable")),
            ("Offline", Some("LoggedOut")),
            ("ACW", Some("AfterCallWork")),
            ("working", Some("InboundContact")),
            ("Lunch", None),
            ("", None),
        ];
        for (name, nearest) in cases {
            assert_eq!(CxoneTerm::parse(name), Err(nearest.map(str::to_owned)), "{name:?}");
        }
    }
}
