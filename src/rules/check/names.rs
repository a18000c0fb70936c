//! What a rule's names stand for: statuses and codes that are there, one row for each, targets that can be set.

use std::collections::BTreeMap;

use super::RuleCheck;
use crate::directory::{CxoneVocabulary, Found, SalesforceVocabulary};
use crate::document::{Place, Placed, nearest, one_of, quoted};
use crate::domain::{AccountName, CxoneStatus, SalesforceStatus};
use crate::rules::{CxoneOrder, CxoneTerm, SalesforceTerm};

impl RuleCheck<'_> {
    /// Names that mean nothing, targets that cannot be set, two rows for one status, and *previous* alone.
    pub(super) fn names(&mut self) {
        self.accounts();
        self.in_salesforce();
        self.in_cxone();
        self.never_seen();
        self.previous_alone();
    }

    /// A rule that names a status of a platform needs an account there to look it up in.
    fn accounts(&mut self) {
        let draft = self.draft;
        let statuses =
            draft.publisher.iter().map(|row| &row.to).chain(draft.subscriber.iter().map(|row| &row.from));
        let mut named = statuses.filter(|term| matches!(term.value, Some(SalesforceTerm::Named(_))));
        if let (true, Some(term)) = (self.vocabulary.salesforce.is_empty(), named.next()) {
            let what = "the directory has no Salesforce org to look this status up in";
            self.mistakes
                .error(term.place, "no-account", what)
                .mend("add the org to the directory: [salesforce.NAME]");
        }
        let from = draft.publisher.iter().map(|row| (row.from.place, row.from.value.as_ref()));
        let mut codes =
            from.chain(draft.targets()).filter(|(_, term)| matches!(term, Some(CxoneTerm::Code(_))));
        if let (true, Some((place, _))) = (self.vocabulary.cxone.is_empty(), codes.next()) {
            let what = "the directory has no CXone tenant to look this code up in";
            self.mistakes
                .error(place, "no-account", what)
                .mend("add the tenant to the directory: [cxone.NAME]");
        }
    }

    fn in_salesforce(&mut self) {
        let draft = self.draft;
        for (org, names) in self.orgs() {
            let within = within("org", org, self.vocabulary.salesforce.len());
            let mut seen = BTreeMap::new();
            for row in &draft.publisher {
                self.salesforce_status(&row.to, names, &within);
            }
            for row in &draft.subscriber {
                if let Some(status) = self.salesforce_status(&row.from, names, &within) {
                    self.once(&mut seen, status, row.from.place);
                }
            }
        }
    }

    fn in_cxone(&mut self) {
        let draft = self.draft;
        for (tenant, names) in self.tenants() {
            let within = within("tenant", tenant, self.vocabulary.cxone.len());
            let mut seen = BTreeMap::new();
            for row in &draft.publisher {
                let term = row.from.value.as_ref();
                if let Some(status) = self.cxone_status(row.from.place, term, names, &within) {
                    self.once(&mut seen, status, row.from.place);
                }
            }
            for (place, term) in draft.targets() {
                if let (Some(term), Some(status)) = (term, self.cxone_status(place, term, names, &within)) {
                    self.settable(term, status, place, names, &within);
                }
            }
        }
    }

    fn once<S: Ord>(&mut self, seen: &mut BTreeMap<S, Place>, status: S, place: Place) {
        match seen.get(&status) {
            Some(first) if *first != place => {
                let line = self.document.line(*first);
                let what = format!("this status already has a row in line {line}");
                self.mistakes
                    .error(place, "duplicate-row", what)
                    .mend("a status has one row in each direction: keep one of the two");
            }
            Some(_) => {}
            None => {
                seen.insert(status, place);
            }
        }
    }

    fn salesforce_status(
        &mut self,
        term: &Placed<Option<SalesforceTerm>>,
        names: &SalesforceVocabulary,
        within: &str,
    ) -> Option<SalesforceStatus> {
        let name = term.value.as_ref()?;
        let several = match name.resolve(names) {
            Ok(status) => {
                self.two_meanings(term.place, name, names, within);
                return Some(status);
            }
            Err(several) => several,
        };
        let elsewhere = || self.vocabulary.salesforce.values().any(|names| name.resolve(names).is_ok());
        if self.served.orgs().is_empty() && elsewhere() {
            return None;
        }
        let shown = quoted(&name.to_string());
        if several.is_empty() {
            let mend = match nearest(&name.to_string(), names.names().chain(["Offline"])) {
                Some(near) => format!("write {}", quoted(near)),
                None => match CxoneTerm::parse(&name.to_string()) {
                    Ok(CxoneTerm::LoggedOut) => "write \"Offline\"".to_owned(),
                    Ok(_) => "this is a status of CXone: it belongs on the other side".to_owned(),
                    Err(_) if names.statuses().is_empty() => {
                        "the directory has no statuses for this org: add them".to_owned()
                    }
                    Err(_) => {
                        format!("write {}", one_of(names.statuses().iter().map(|s| &*s.developer_name)))
                    }
                },
            };
            let what = format!("Salesforce has no presence status {shown}{within}");
            self.mistakes.error(term.place, "unknown-status", what).mend(mend);
        } else {
            let what = format!("several presence statuses have the label {shown}{within}");
            let mend = format!("write the developer name: {}", one_of(several));
            self.mistakes.error(term.place, "ambiguous-status", what).mend(mend);
        }
        None
    }

    /// A developer name that is also the label of another status: who wrote it may have meant that one.
    fn two_meanings(
        &mut self,
        place: Place,
        term: &SalesforceTerm,
        names: &SalesforceVocabulary,
        within: &str,
    ) {
        let name = term.to_string();
        let (Found::One(named), Some(labelled)) = (names.find(&name), names.labelled(&name)) else { return };
        let what = format!(
            "{} is the developer name of one status and the label of another{within}; it is taken as the developer name",
            quoted(&name)
        );
        let mend = format!(
            "keep it if you mean the status that agents see as {}, else write {}",
            quoted(&named.label),
            quoted(&labelled.developer_name)
        );
        self.mistakes.warning(place, "two-meanings", what).mend(mend);
    }

    fn cxone_status(
        &mut self,
        place: Place,
        term: Option<&CxoneTerm>,
        names: &CxoneVocabulary,
        within: &str,
    ) -> Option<CxoneStatus> {
        let term = term?;
        if let Some(status) = term.resolve(names) {
            return Some(status);
        }
        let CxoneTerm::Code(name) = term else { return None };
        let elsewhere = || self.vocabulary.cxone.values().any(|names| term.resolve(names).is_some());
        if self.served.tenants().is_empty() && elsewhere() {
            return None;
        }
        if let Found::Several(all) = names.find_code(name) {
            let ids = all.iter().map(|c| c.id.to_string()).collect::<Vec<_>>();
            let ids = ids.join(", ");
            let what = format!("several codes are called {}{within} (out-states {ids})", quoted(name));
            self.mistakes.error(place, "ambiguous-code", what).mend("give one of them another name in CXone");
            return None;
        }
        let known = || names.codes().iter().map(|c| &*c.name);
        let mend = match nearest(name, known()) {
            Some(near) => format!("write \"Unavailable/{near}\""),
            None if names.codes().is_empty() => {
                "the directory has no codes for this tenant: add them".to_owned()
            }
            None => format!("write Unavailable/ and {}", one_of(known())),
        };
        let what = format!("CXone has no unavailable code {}{within}", quoted(name));
        self.mistakes.error(place, "unknown-code", what).mend(mend);
        None
    }

    fn settable(
        &mut self,
        term: &CxoneTerm,
        status: CxoneStatus,
        place: Place,
        names: &CxoneVocabulary,
        within: &str,
    ) {
        let name = quoted(&term.to_string());
        let code = match term {
            CxoneTerm::Code(name) => match names.find_code(name) {
                Found::One(code) => Some(code),
                Found::Several(_) | Found::Unknown => None,
            },
            _ => None,
        };
        let what = match (status, code) {
            (CxoneStatus::LoggedOut, _) => {
                self.mistakes
                    .warning(place, "logs-out", "this row logs the agent out of CXone, and only he himself can log in again")
                    .mend("keep it if that is meant; \"Unavailable\" takes him out of the queues without logging him out");
                return;
            }
            (_, Some(code)) if code.after_call_work => {
                format!("{name} is a code for after-call work{within}, which CXone alone sets")
            }
            (_, Some(code)) if !code.active => format!("the code of {name} is not active{within}"),
            (status, _) if status.is_settable() => return,
            _ => {
                let what = format!("{name} cannot be set: CXone alone puts an agent there");
                let mend = "write \"Available\", \"Unavailable\" or a code as \"Unavailable/CODE\"";
                self.mistakes.error(place, "not-settable", what).mend(mend);
                return;
            }
        };
        let settable = names.codes().iter().filter(|c| c.active && !c.after_call_work);
        let codes: Vec<String> = settable.map(|c| format!("\"Unavailable/{}\"", c.name)).collect();
        let choice = ["\"Available\"", "\"Unavailable\""].into_iter().chain(codes.iter().map(String::as_str));
        self.mistakes.error(place, "not-settable", what).mend(format!("write {}", one_of(choice)));
    }

    /// A session without a state is no status an agent chose or was put in.
    fn never_seen(&mut self) {
        for row in &self.draft.publisher {
            if row.from.value == Some(CxoneTerm::LoggedIn) {
                self.mistakes
                    .error(
                        row.from.place,
                        "unreachable-row",
                        "no agent is ever in LoggedIn: it is a session that has no state yet",
                    )
                    .mend("delete the row; the state at login is \"Unavailable\"");
            }
        }
    }

    /// *previous* goes back to what the agent chose in CXone, so another row must have led away from it.
    fn previous_alone(&mut self) {
        let orders = || self.draft.subscriber.iter().filter_map(|row| row.to.value.as_ref());
        let changes = orders().any(|order| matches!(order, CxoneOrder::Status(_)));
        let broken = self.draft.subscriber.iter().any(|row| row.to.value.is_none());
        if changes || broken || self.draft.options.skip_code_validation {
            return;
        }
        for row in self.draft.subscriber.iter().filter(|row| row.to.value == Some(CxoneOrder::Previous)) {
            let what = "\"previous\" has nothing to come back from: no row of this rule ever changes CXone";
            self.mistakes
                .error(row.to.place, "previous-alone", what)
                .mend("add a row that sets a CXone status, such as \"On_Break\" = \"Unavailable/Lunch\", or delete this one");
        }
    }
}

/// Names the account in a message where there is more than one.
fn within(kind: &str, account: AccountName, accounts: usize) -> String {
    if accounts > 1 { format!(" in the {kind} {account}") } else { String::new() }
}
