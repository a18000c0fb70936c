//! The whole check of a rules file: every mistake at once, and a revision where there is none.

mod again;
mod names;
mod reach;

use std::collections::BTreeSet;

use super::assign::{Served, assign, named_twice};
use super::draft::{Draft, DraftRow, drafts};
use super::raw::RawRules;
use super::{PublisherRow, Revision, Rule, SubscriberRow, Tables, trips, vocabulary};
use crate::directory::{CxoneVocabulary, Directory, SalesforceVocabulary, Vocabulary};
use crate::document::{Document, Mistakes};
use crate::domain::AccountName;

pub use again::{Misfit, check_again};

/// Checks a rules file. Every mistake goes to `mistakes`; a revision comes of it only where there is a
/// directory and no error.
///
/// Without a directory every status, code, team and agent counts as known, so that the file alone can be
/// checked. What a round trip loses is not told then: a label and a developer name may be one status.
pub fn check(
    document: &Document,
    directory: Option<&Directory>,
    mistakes: &mut Mistakes,
) -> Option<Revision> {
    let raw: RawRules = document.read(mistakes)?;
    let (drafts, settings) = drafts(raw, mistakes);
    let vocabulary = match directory {
        Some(directory) => directory.vocabulary.clone(),
        None => vocabulary::assumed(&drafts),
    };
    let served = match directory {
        Some(directory) => assign(&drafts, directory, document, mistakes),
        None => {
            named_twice(&drafts, document, mistakes);
            drafts.iter().map(|_| Served::default()).collect()
        }
    };
    let mut unknown_grants = BTreeSet::new();
    for (draft, served) in drafts.iter().zip(&served) {
        let mut check = RuleCheck { draft, served, vocabulary: &vocabulary, document, mistakes };
        check.names();
        if let Some(directory) = directory {
            check.codes_of_teams();
            check.grants(directory, &mut unknown_grants);
            check.reach();
        }
    }
    let rules = drafts.iter().zip(&served).map(|(draft, served)| rule(draft, served)).collect();
    let revision = Revision { rules, vocabulary, settings };
    let trips = trips::Trips { drafts: &drafts, served: &served, revision: &revision, document };
    trips.check(&Tables::compile(&revision), directory.is_some(), mistakes);
    (directory.is_some() && mistakes.errors() == 0).then_some(revision)
}

/// A draft as a rule. Rows with a mistake in them are left out, so row numbers only hold where there is none.
fn rule(draft: &Draft, served: &Served<'_>) -> Rule {
    let publisher = draft.publisher.iter().filter_map(DraftRow::both);
    let subscriber = draft.subscriber.iter().filter_map(DraftRow::both);
    Rule {
        name: draft.name.clone(),
        teams: served.teams.iter().map(|(team, _)| *team).collect(),
        agents: served.agents.iter().map(|(agent, _)| *agent).collect(),
        options: draft.options,
        publisher: publisher.map(|(from, to)| PublisherRow { from: from.clone(), to: to.clone() }).collect(),
        subscriber: subscriber
            .map(|(from, to)| SubscriberRow { from: from.clone(), to: to.clone() })
            .collect(),
    }
}

struct RuleCheck<'c> {
    draft: &'c Draft,
    served: &'c Served<'c>,
    vocabulary: &'c Vocabulary,
    document: &'c Document,
    mistakes: &'c mut Mistakes,
}

impl<'c> RuleCheck<'c> {
    /// The orgs a rule's names must mean something in: those it serves; where it serves none yet, all of them
    /// are looked at, and one is enough.
    fn orgs(&self) -> Vec<(AccountName, &'c SalesforceVocabulary)> {
        let served = self.served.orgs();
        let all = self.vocabulary.salesforce.iter().map(|(name, v)| (*name, v));
        all.filter(|(name, _)| served.is_empty() || served.contains(name)).collect()
    }

    /// The same for tenants.
    fn tenants(&self) -> Vec<(AccountName, &'c CxoneVocabulary)> {
        let served = self.served.tenants();
        let all = self.vocabulary.cxone.iter().map(|(name, v)| (*name, v));
        all.filter(|(name, _)| served.is_empty() || served.contains(name)).collect()
    }
}
