//! Who is linked with whom, and whether both of them are still there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use lockstep::config::Config;
use lockstep::directory::{Directory, Person};
use lockstep::domain::{AccountName, CxoneAgent, CxoneAgentId, SalesforceUser, UserId};

use super::report::{Report, some_of};
use super::{cxone, salesforce};
use crate::cli::directory::loaded::order;

/// Whether the users of an org can log in, and who was asked for; none is everybody.
type OfOrg = (BTreeMap<UserId, bool>, Option<BTreeSet<UserId>>);

/// Who was seen on the platforms. None of an account that could not be asked.
#[derive(Default)]
pub(super) struct Seen {
    orgs: BTreeMap<AccountName, Option<OfOrg>>,
    tenants: BTreeMap<AccountName, Option<BTreeMap<CxoneAgentId, bool>>>,
    /// Accounts of which the vocabulary could not be read.
    unasked: Vec<String>,
}

impl Seen {
    /// Takes note of an org, and puts what it has into the directory.
    pub(super) fn take_org(
        &mut self,
        name: AccountName,
        read: Option<salesforce::Read>,
        directory: Option<&mut Directory>,
    ) {
        if read.as_ref().is_none_or(|read| read.got.statuses().is_none()) {
            self.unasked.push(format!("salesforce.{name}"));
        }
        let seen = read.and_then(|read| {
            if let Some(directory) = directory {
                read.got.put(name, directory);
            }
            Some((read.users?, read.asked))
        });
        self.orgs.insert(name, seen);
    }

    /// Takes note of a tenant, and puts what it has into the directory.
    pub(super) fn take_tenant(
        &mut self,
        name: AccountName,
        read: Option<cxone::Read>,
        directory: Option<&mut Directory>,
    ) {
        if read.as_ref().is_none_or(|read| !read.got.missing().is_empty()) {
            self.unasked.push(format!("cxone.{name}"));
        }
        let agents = read.map(|read| {
            if let Some(directory) = directory {
                read.got.put(name, directory);
            }
            read.agents
        });
        self.tenants.insert(name, agents);
    }

    /// Accounts of which statuses, codes or teams are not known as they are today.
    pub(super) fn unasked(&self) -> String {
        self.unasked.join(", ")
    }
}

/// The linked users of an org, in the order of their agents' ids, which is by chance.
pub(super) fn users_of(directory: &Directory, org: AccountName) -> Vec<UserId> {
    let mut people: Vec<&Person> =
        directory.people.iter().filter(|person| person.link.salesforce.account == org).collect();
    people.sort_by_key(|person| person.agent);
    people.into_iter().map(|person| person.link.salesforce.user).collect()
}

/// Looks at links.
pub(super) fn look(directory: Result<&Directory, &str>, config: &Config, seen: &Seen, report: &mut Report) {
    let directory = match directory {
        Ok(directory) => directory,
        Err(because) => {
            return report.unknown(
                "links",
                "",
                because,
                "mend the bus and its topics first, and check again",
            );
        }
    };
    links(directory, config, report);
    for (name, found) in &seen.orgs {
        let about = format!("salesforce.{name}");
        let linked = directory.people.iter().map(|person| person.link.salesforce);
        let linked: BTreeSet<SalesforceUser> = linked.filter(|user| user.account == *name).collect();
        let Some((users, asked)) = found else {
            report.unknown("users-active", &about, "its users could not be asked for", "see above");
            continue;
        };
        let is_asked = |user: &&SalesforceUser| asked.as_ref().is_none_or(|asked| asked.contains(&user.user));
        let looked_at: Vec<SalesforceUser> = linked.iter().filter(is_asked).copied().collect();
        let told = ("users-active", "linked users", "let the integration user see all users");
        active(told, &about, &looked_at, linked.len(), |user| users.get(&user.user).copied(), report);
    }
    for (name, found) in &seen.tenants {
        let about = format!("cxone.{name}");
        let linked = directory.people.iter().map(|person| person.link.cxone);
        let linked: BTreeSet<CxoneAgent> = linked.filter(|agent| agent.account == *name).collect();
        let linked = Vec::from_iter(linked);
        let Some(agents) = found else {
            report.unknown("agents-active", &about, "its agents could not be asked for", "see above");
            continue;
        };
        let told = ("agents-active", "linked agents", "let the service user see all agents");
        active(told, &about, &linked, linked.len(), |agent| agents.get(&agent.agent).copied(), report);
    }
}

/// Whether these can log in: `Some(true)`; none is there no more.
fn active<T: Copy + Display>(
    (id, who, let_see): (&'static str, &str, &str),
    about: &str,
    looked_at: &[T],
    linked: usize,
    is_active: impl Fn(T) -> Option<bool>,
    report: &mut Report,
) {
    let of_kind = |kind| looked_at.iter().copied().filter(|one| is_active(*one) == kind).collect::<Vec<T>>();
    let (gone, inactive) = (of_kind(None), of_kind(Some(false)));
    let count = looked_at.len();
    let of = if count == linked { String::new() } else { format!(" (of {linked}, as --agents says)") };
    if !gone.is_empty() {
        let what = format!("{} of {count} {who}{of} are not listed: {}", gone.len(), some_of(&gone));
        let mend = format!("{let_see}, and unlink those who have left: `lockstep directory unlink`");
        if gone.len() == count {
            report.failed(id, about, what, mend);
        } else {
            report.warning(id, about, what, mend);
        }
    }
    if !inactive.is_empty() {
        let what = format!("{} of {count} {who}{of} are not active: {}", inactive.len(), some_of(&inactive));
        let mend = "activate them, or unlink those who have left: `lockstep directory unlink`";
        report.warning(id, about, what, mend);
    }
    if gone.is_empty() && inactive.is_empty() {
        report.ok(id, about, format!("{count} {who}{of} are active"));
    }
}

/// Who is linked, who is not, and who is twice.
fn links(directory: &Directory, config: &Config, report: &mut Report) {
    const ID: &str = "links";
    let linked = directory.people.len();
    if linked == 0 {
        let mend =
            "`lockstep directory refresh` links those who have the same address, `directory link` others";
        report.failed(ID, "", "nobody is linked: nobody is kept in step", mend);
    }
    let matches = directory.matches(&order(config));
    let (new, unlinked): (Vec<_>, Vec<_>) = matches.into_iter().partition(|(_, found)| found.is_ok());
    let named = |all: &[(CxoneAgent, _)]| some_of(&all.iter().map(|(agent, _)| *agent).collect::<Vec<_>>());
    if !unlinked.is_empty() {
        let what = format!("{linked} are linked; {} agents are not: {}", unlinked.len(), named(&unlinked));
        report.warning(ID, "", what, "`lockstep directory unlinked` says why each is not");
    }
    if !new.is_empty() {
        let what = format!("{} agents could be linked: {}", new.len(), named(&new));
        report.warning(ID, "", what, "`lockstep directory refresh` links them");
    }
    if linked > 0 && unlinked.is_empty() && new.is_empty() {
        report.ok(ID, "", format!("{linked} are linked, and no agent is left"));
    }
    doubled(directory, report);
    let is_configured = |person: &&Person| {
        config.salesforce.contains_key(&person.link.salesforce.account)
            && config.cxone.contains_key(&person.link.cxone.account)
    };
    let elsewhere: Vec<_> =
        directory.people.iter().filter(|person| !is_configured(person)).map(|person| person.agent).collect();
    if !elsewhere.is_empty() {
        let what = format!(
            "{} are linked with accounts that this configuration does not have: {}",
            elsewhere.len(),
            some_of(&elsewhere)
        );
        report.warning(ID, "accounts", what, "write those accounts, or unlink them");
    }
}

fn doubled(directory: &Directory, report: &mut Report) {
    const ID: &str = "links-doubled";
    let users = twice(directory.people.iter().map(|person| person.link.salesforce));
    let agents = twice(directory.people.iter().map(|person| person.link.cxone));
    for (who, about, all) in [("users", "salesforce", &users), ("agents", "cxone", &agents)] {
        if !all.is_empty() {
            let what = format!("{} {who} are linked more than once: {}", all.len(), some_of(all));
            report.failed(ID, about, what, "unlink all but the right one: `lockstep directory unlink`");
        }
    }
    if users.is_empty() && agents.is_empty() {
        report.ok(ID, "", "nobody is linked twice");
    }
}

/// Those that come more than once.
fn twice<T: Ord + Copy + Display>(all: impl Iterator<Item = T>) -> Vec<String> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    all.for_each(|one| *counts.entry(one).or_default() += 1);
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(one, _)| one.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_more_than_once_is_told_once() {
        assert_eq!(twice([3, 1, 3, 2, 3, 2].into_iter()), ["2", "3"]);
        assert!(twice([1, 2, 3].into_iter()).is_empty());
    }

    /// Of three: who can log in, and how that comes out.
    #[test]
    fn who_is_gone_or_inactive_is_named() {
        let (here, left) = (Some(true), Some(false));
        for (found, linked, verdicts, text) in [
            ([here, here, here], 3, &["ok"][..], "3 linked agents are active"),
            ([here, here, here], 9, &["ok"], "3 linked agents (of 9, as --agents says) are active"),
            ([here, None, here], 3, &["warning"], "1 of 3 linked agents are not listed: 1"),
            ([here, left, left], 3, &["warning"], "2 of 3 linked agents are not active: 1, 2"),
            ([None, left, here], 3, &["warning", "warning"], "1 of 3 linked agents are not listed: 0"),
            ([None, None, None], 3, &["failed"], "3 of 3 linked agents are not listed: 0, 1, 2"),
        ] {
            let mut report = Report::default();
            let told = ("agents-active", "linked agents", "let it see them");
            active(told, "cxone.emea", &[0_usize, 1, 2], linked, |one| found[one], &mut report);
            let told = serde_json::to_value(report.told()).unwrap();
            let rows = told["checks"].as_array().unwrap();
            let results: Vec<&str> = rows.iter().map(|row| row["result"].as_str().unwrap()).collect();
            assert_eq!(results, verdicts, "{found:?}");
            assert_eq!(rows[0]["what"], text);
        }
    }
}
