//! What people can be in: presence statuses, unavailable codes, and the codes of each team. No personal data,
//! so that a revision can carry it.

use std::collections::BTreeMap;

use crate::document::Names;
use crate::domain::{AccountName, OutStateId, PresenceKind, PresenceStatusId, TeamId};

/// The vocabularies of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Of each Salesforce org.
    pub salesforce: BTreeMap<AccountName, SalesforceVocabulary>,
    /// Of each CXone tenant.
    pub cxone: BTreeMap<AccountName, CxoneVocabulary>,
}

/// What a name in a rule stands for.
#[derive(Debug)]
pub enum Found<'v, T> {
    /// This one.
    One(&'v T),
    /// Several have the name.
    Several(Vec<&'v T>),
    /// None has.
    Unknown,
}

/// The presence statuses of an org.
#[derive(Clone, Debug, Default)]
pub struct SalesforceVocabulary {
    statuses: Vec<PresenceStatus>,
    by_developer_name: Names<usize>,
    by_label: Names<Vec<usize>>,
}

/// A `ServicePresenceStatus`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceStatus {
    /// Its id.
    pub id: PresenceStatusId,
    /// Its developer name: ASCII, unique in the org.
    pub developer_name: Box<str>,
    /// What agents see; not always unique.
    pub label: Box<str>,
    /// The service channels from which it takes work.
    pub channels: Vec<Box<str>>,
    /// The profiles and permission sets that grant it, sorted; `None` where that could not be read.
    pub granted_to: Option<Vec<Box<str>>>,
}

/// What has become of a presence status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusChange<'v> {
    /// It was not there before.
    New,
    /// Its developer name, or its label, is another.
    Renamed {
        /// What it was called.
        was: &'v str,
        /// What it is called.
        is: &'v str,
    },
    /// It is online and was busy, or the other way round.
    Became(PresenceKind),
    /// It is there no more.
    Gone,
}

impl PresenceStatus {
    /// Online where it takes work from a channel, else Busy.
    pub fn kind(&self) -> PresenceKind {
        if self.channels.is_empty() { PresenceKind::Busy } else { PresenceKind::Online }
    }
}

impl SalesforceVocabulary {
    /// The vocabulary of these statuses. Of two with one id or developer name only the first counts.
    pub fn new(mut statuses: Vec<PresenceStatus>) -> Self {
        statuses.sort_by_key(|s| s.id);
        statuses.dedup_by_key(|s| s.id);
        let mut by_developer_name = Names::default();
        let mut by_label: Names<Vec<usize>> = Names::default();
        for (i, status) in statuses.iter().enumerate() {
            if by_developer_name.get(&status.developer_name).is_none() {
                by_developer_name.insert(&status.developer_name, i);
            }
            by_label.entry(&status.label).push(i);
        }
        SalesforceVocabulary { statuses, by_developer_name, by_label }
    }

    /// All statuses, by id.
    pub fn statuses(&self) -> &[PresenceStatus] {
        &self.statuses
    }

    /// The status with this id.
    pub fn get(&self, id: PresenceStatusId) -> Option<&PresenceStatus> {
        let i = self.statuses.binary_search_by_key(&id, |s| s.id).ok()?;
        self.statuses.get(i)
    }

    /// What has become of these statuses in a later vocabulary of the org, by id.
    pub fn changes<'v>(&'v self, later: &'v Self) -> Vec<(&'v PresenceStatus, StatusChange<'v>)> {
        let mut changes = Vec::new();
        for status in &later.statuses {
            let Some(known) = self.get(status.id) else {
                changes.push((status, StatusChange::New));
                continue;
            };
            let names = [(&known.developer_name, &status.developer_name), (&known.label, &status.label)];
            for (was, is) in names.into_iter().filter(|(was, is)| was != is) {
                let renamed = (status, StatusChange::Renamed { was, is });
                if !changes.contains(&renamed) {
                    changes.push(renamed);
                }
            }
            if known.kind() != status.kind() {
                changes.push((status, StatusChange::Became(status.kind())));
            }
        }
        let gone = self.statuses.iter().filter(|status| later.get(status.id).is_none());
        changes.extend(gone.map(|status| (status, StatusChange::Gone)));
        changes.sort_by_key(|(status, _)| status.id);
        changes
    }

    /// The same statuses; where these do not say who is granted one, what was known of that holds.
    #[must_use]
    pub fn with_grants_of(self, known: &Self) -> Self {
        let granted_to = |status: &PresenceStatus| known.get(status.id)?.granted_to.clone();
        let with_grants = |mut status: PresenceStatus| {
            status.granted_to = status.granted_to.take().or_else(|| granted_to(&status));
            status
        };
        SalesforceVocabulary::new(self.statuses.into_iter().map(with_grants).collect())
    }

    /// The status with this developer name, else with this label.
    pub fn find(&self, name: &str) -> Found<'_, PresenceStatus> {
        if let Some(status) = self.by_developer_name.get(name).and_then(|i| self.statuses.get(*i)) {
            return Found::One(status);
        }
        found(self.by_label.get(name), &self.statuses)
    }

    /// Another status than the one whose developer name this is, which has it as its label.
    pub fn labelled(&self, name: &str) -> Option<&PresenceStatus> {
        let named = self.by_developer_name.get(name)?;
        let other = self.by_label.get(name)?.iter().find(|i| *i != named)?;
        self.statuses.get(*other)
    }

    /// Every developer name and label.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.statuses.iter().flat_map(|s| [&*s.developer_name, &*s.label])
    }
}

/// The unavailable codes and teams of a tenant.
#[derive(Clone, Debug, Default)]
pub struct CxoneVocabulary {
    codes: Vec<Code>,
    codes_by_name: Names<Vec<usize>>,
    teams: Vec<TeamEntry>,
    teams_by_name: Names<Vec<usize>>,
}

/// An unavailable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its id, shown as out-state.
    pub id: OutStateId,
    /// What agents see.
    pub name: Box<str>,
    /// Whether it can be set.
    pub active: bool,
    /// Whether it is for after-call work: then CXone alone sets it.
    pub after_call_work: bool,
}

/// A team and what its agents can be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamEntry {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: Box<str>,
    /// The codes that belong to it, sorted; `None` where that could not be read.
    pub codes: Option<Vec<OutStateId>>,
}

impl TeamEntry {
    /// Whether the team's agents can be in this code; what is not known is taken as yes.
    pub fn has(&self, code: OutStateId) -> bool {
        self.codes.as_ref().is_none_or(|codes| codes.binary_search(&code).is_ok())
    }
}

impl CxoneVocabulary {
    /// The vocabulary of these codes and teams. Of two with one id only the first counts.
    pub fn new(mut codes: Vec<Code>, mut teams: Vec<TeamEntry>) -> Self {
        codes.sort_by_key(|c| c.id);
        codes.dedup_by_key(|c| c.id);
        teams.sort_by_key(|t| t.id);
        teams.dedup_by_key(|t| t.id);
        let mut codes_by_name: Names<Vec<usize>> = Names::default();
        for (i, code) in codes.iter().enumerate() {
            codes_by_name.entry(&code.name).push(i);
        }
        let mut teams_by_name: Names<Vec<usize>> = Names::default();
        for (i, team) in teams.iter().enumerate() {
            teams_by_name.entry(&team.name).push(i);
        }
        CxoneVocabulary { codes, codes_by_name, teams, teams_by_name }
    }

    /// All codes, by id.
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// The code with this name. Of several, those that are not active do not count beside one that is.
    pub fn find_code(&self, name: &str) -> Found<'_, Code> {
        match found(self.codes_by_name.get(name), &self.codes) {
            Found::Several(all) => {
                let active: Vec<&Code> = all.iter().copied().filter(|c| c.active).collect();
                match active.as_slice() {
                    [only] => Found::One(only),
                    _ => Found::Several(all),
                }
            }
            other => other,
        }
    }

    /// All teams, by id.
    pub fn teams(&self) -> &[TeamEntry] {
        &self.teams
    }

    /// The team with this id.
    pub fn team(&self, id: TeamId) -> Option<&TeamEntry> {
        let i = self.teams.binary_search_by_key(&id, |t| t.id).ok()?;
        self.teams.get(i)
    }

    /// The team with this name.
    pub fn find_team(&self, name: &str) -> Found<'_, TeamEntry> {
        found(self.teams_by_name.get(name), &self.teams)
    }
}

fn found<'v, T>(indices: Option<&Vec<usize>>, all: &'v [T]) -> Found<'v, T> {
    let hits: Vec<&T> = indices.into_iter().flatten().filter_map(|i| all.get(*i)).collect();
    match hits.as_slice() {
        [] => Found::Unknown,
        [only] => Found::One(only),
        _ => Found::Several(hits),
    }
}
