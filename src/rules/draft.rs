//! Raw rules into drafts: every name is a term with its place, but not yet looked up.

use super::raw::{RawRule, RawRules};
use super::settings::settings;
use super::{CxoneOrder, CxoneTerm, Options, SalesforceTerm, Settings};
use crate::document::{Entries, Field, Mistakes, Names, Place, Placed, normal, quoted};

/// A rule has about as many rows as an org has statuses; their numbers must stay small.
const ROWS_MAX: usize = 10_000;

/// A rule before its names are looked up.
pub(super) struct Draft {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) teams: Vec<Placed<String>>,
    pub(super) agents: Vec<Placed<String>>,
    pub(super) options: Options,
    pub(super) publisher: Vec<DraftRow<CxoneTerm, SalesforceTerm>>,
    pub(super) subscriber: Vec<DraftRow<SalesforceTerm, CxoneOrder>>,
}

impl Draft {
    /// The statuses that CXone is to be set to, with their places.
    pub(super) fn targets(&self) -> impl Iterator<Item = (Place, Option<&CxoneTerm>)> {
        self.subscriber.iter().map(|row| match &row.to.value {
            Some(CxoneOrder::Status(term)) => (row.to.place, Some(term)),
            Some(CxoneOrder::Previous) | None => (row.to.place, None),
        })
    }
}

/// A row; `None` where what stands there is wrong and already told.
pub(super) struct DraftRow<F, T> {
    pub(super) from: Placed<Option<F>>,
    pub(super) to: Placed<Option<T>>,
}

impl<F, T> DraftRow<F, T> {
    /// Both sides, where both are right.
    pub(super) fn both(&self) -> Option<(&F, &T)> {
        self.from.value.as_ref().zip(self.to.value.as_ref())
    }
}

pub(super) fn drafts(raw: RawRules, mistakes: &mut Mistakes) -> (Vec<Draft>, Settings) {
    let settings = settings(raw.settings.or(Default::default()), mistakes);
    let is_wrong = matches!(raw.rule, Field::Wrong);
    let raw_rules = raw.rule.or(Vec::new());
    if raw_rules.is_empty() && !is_wrong {
        mistakes
            .error(Place::default(), "no-rules", "there is no rule in this file")
            .mend("begin one with [[rule]]");
    }
    let mut names: Names<()> = Names::default();
    let mut drafts = Vec::new();
    for raw in raw_rules.into_iter().filter_map(Field::into_given) {
        let is_named = raw.value.name.given().is_some();
        let draft = draft(raw, drafts.len() + 1, mistakes);
        if is_named && names.insert(&draft.name, ()).is_some() {
            let what = format!("two rules are called {}", quoted(&draft.name));
            mistakes.error(draft.place, "duplicate-name", what).mend("give one of them another name");
        }
        drafts.push(draft);
    }
    (drafts, settings)
}

fn draft(raw: Placed<RawRule>, number: usize, mistakes: &mut Mistakes) -> Draft {
    let Placed { place, value: raw } = raw;
    let name =
        raw.name.required(mistakes, place, "name", "write name = \"...\": decisions are explained with it");
    let place = name.as_ref().map_or(place, |name| name.place);
    let name = name.map_or_else(|| format!("rule {number}"), |name| name.value);
    if name.trim().is_empty() {
        mistakes
            .error(place, "missing", "the rule's name is empty")
            .mend("write a name: decisions are explained with it");
    }
    let is_wrong =
        matches!(raw.cxone_to_salesforce, Field::Wrong) || matches!(raw.salesforce_to_cxone, Field::Wrong);
    let publisher = rows(raw.cxone_to_salesforce, mistakes, cxone_term, salesforce_term);
    let subscriber = rows(raw.salesforce_to_cxone, mistakes, salesforce_term, order);
    if publisher.len().max(subscriber.len()) > ROWS_MAX {
        let what = format!("rule {} has more than {ROWS_MAX} rows in one direction", quoted(&name));
        mistakes.error(place, "too-many-rows", what).mend("split it into several rules");
    }
    if publisher.is_empty() && subscriber.is_empty() && !is_wrong {
        mistakes.error(place, "empty-rule", format!("rule {} has no rows", quoted(&name))).mend(
            "write rows under [rule.cxone_to_salesforce] or [rule.salesforce_to_cxone], or delete the rule",
        );
    }
    let options = Options {
        skip_code_validation: raw.skip_code_validation.or(false),
        on_conflict: raw.on_conflict.or(Default::default()),
        while_on_contact: raw.while_on_contact.or(Default::default()),
        on_login: raw.on_login.or(Default::default()),
    };
    let listed = |list: Field<Vec<Field<String>>>| {
        list.or(Vec::new()).into_iter().filter_map(Field::into_given).collect()
    };
    Draft {
        place,
        name,
        teams: listed(raw.teams),
        agents: listed(raw.agents),
        options,
        publisher,
        subscriber,
    }
}

fn rows<F, T>(
    raw: Field<Entries<String>>,
    mistakes: &mut Mistakes,
    parse_from: impl Fn(&Placed<String>, &mut Mistakes) -> Option<F>,
    parse_to: impl Fn(&Placed<String>, &mut Mistakes) -> Option<T>,
) -> Vec<DraftRow<F, T>> {
    let mut row = |(from, to): (Placed<String>, Field<String>)| {
        let to_place = to.given().map_or(from.place, |to| to.place);
        let parsed_from = parse_from(&from, mistakes);
        let parsed_to = to.given().and_then(|to| parse_to(to, mistakes));
        DraftRow {
            from: Placed { place: from.place, value: parsed_from },
            to: Placed { place: to_place, value: parsed_to },
        }
    };
    raw.or(Entries::default()).0.into_iter().map(&mut row).collect()
}

fn salesforce_term(name: &Placed<String>, mistakes: &mut Mistakes) -> Option<SalesforceTerm> {
    let mend = match normal(&name.value).as_ref() {
        "" => "write the developer name or the label of a presence status, or \"Offline\"",
        "previous" => "\"previous\" is for [rule.salesforce_to_cxone] only: it is a status in CXone",
        typed if typed.eq_ignore_ascii_case("offline") && typed != "Offline" => "write \"Offline\"",
        _ => return Some(SalesforceTerm::parse(&name.value)),
    };
    let what = format!("Salesforce has no presence status {}", quoted(&name.value));
    mistakes.error(name.place, "unknown-status", what).mend(mend);
    None
}

fn cxone_term(name: &Placed<String>, mistakes: &mut Mistakes) -> Option<CxoneTerm> {
    let nearest = match CxoneTerm::parse(&name.value) {
        Ok(term) => return Some(term),
        Err(nearest) => nearest,
    };
    let mend = match nearest {
        Some(nearest) => format!("write {}", quoted(&nearest)),
        None if name.value.trim().is_empty() => {
            "write a state such as \"Available\", or a code as \"Unavailable/CODE\"".to_owned()
        }
        None => format!(
            "write {} if it is a code, or a state such as \"Available\"; a status of Salesforce belongs on the other side",
            quoted(&format!("Unavailable/{}", name.value.trim()))
        ),
    };
    let what = format!("CXone has no state {}", quoted(&name.value));
    mistakes.error(name.place, "unknown-state", what).mend(mend);
    None
}

fn order(name: &Placed<String>, mistakes: &mut Mistakes) -> Option<CxoneOrder> {
    match name.value.trim() {
        "previous" => Some(CxoneOrder::Previous),
        other if other.eq_ignore_ascii_case("previous") => {
            mistakes
                .error(name.place, "unknown-state", format!("CXone has no state {}", quoted(&name.value)))
                .mend("write \"previous\"");
            None
        }
        _ => cxone_term(name, mistakes).map(CxoneOrder::Status),
    }
}
