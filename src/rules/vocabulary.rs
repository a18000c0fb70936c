//! A vocabulary made of the rules' own names, for a check without a directory: every name counts as known.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::{CxoneOrder, CxoneTerm, SalesforceTerm};
use crate::directory::{Code, CxoneVocabulary, PresenceStatus, SalesforceVocabulary, Vocabulary};
use crate::domain::OutStateId;

/// The first id of a code that is no reserved out-state.
const FIRST_CODE: u32 = 4;

pub(super) fn assumed(drafts: &[Draft]) -> Vocabulary {
    let mut statuses = BTreeSet::new();
    let mut codes = BTreeSet::new();
    let mut salesforce = |term: &Option<SalesforceTerm>| {
        if let Some(SalesforceTerm::Named(name)) = term {
            statuses.insert(name.clone());
        }
    };
    let mut cxone = |term: Option<&CxoneTerm>| {
        if let Some(CxoneTerm::Code(name)) = term {
            codes.insert(name.clone());
        }
    };
    for draft in drafts {
        for row in &draft.publisher {
            cxone(row.from.value.as_ref());
            salesforce(&row.to.value);
        }
        for row in &draft.subscriber {
            salesforce(&row.from.value);
            if let Some(CxoneOrder::Status(term)) = &row.to.value {
                cxone(Some(term));
            }
        }
    }
    let status = |(number, name): (usize, Box<str>)| {
        let id = format!("0N5{number:012}").parse().ok()?;
        let channels = Vec::new();
        Some(PresenceStatus { id, developer_name: name.clone(), label: name, channels, granted_to: None })
    };
    let code = |(number, name): (usize, Box<str>)| Code {
        id: OutStateId::new(FIRST_CODE.saturating_add(number as u32)),
        name,
        active: true,
        after_call_work: false,
    };
    let salesforce = SalesforceVocabulary::new(statuses.into_iter().enumerate().filter_map(status).collect());
    let cxone = CxoneVocabulary::new(codes.into_iter().enumerate().map(code).collect(), Vec::new());
    let mut vocabulary = Vocabulary::default();
    if let Ok(account) = "assumed".parse() {
        vocabulary.salesforce.insert(account, salesforce);
        vocabulary.cxone.insert(account, cxone);
    }
    vocabulary
}
