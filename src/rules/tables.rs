//! A revision as tables: what an event needs is found by small integers. Names are compared here, once,
//! when a revision is loaded, and never for an event.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::{CxoneOrder, Options, Revision, Rule, Settings};
use crate::directory::{CxoneVocabulary, SalesforceVocabulary};
use crate::domain::{
    AccountName, AgentId, ContactState, CxoneStatus, Link, OutStateId, PresenceStatusId, ReservedOutState,
    SalesforceStatus, Status, Team,
};

/// The number of a row in its direction of its rule, from 1; 0 where an option acts instead of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(pub u16);

/// What Salesforce should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SalesforceTarget {
    /// The rule has no row for it: nothing is commanded.
    Nothing,
    /// This status.
    Set(SalesforceStatus, Row),
}

/// What CXone should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CxoneTarget {
    /// The rule has no row for it: nothing is commanded.
    Nothing,
    /// This status; with *skip code validation* also the default Unavailable in place of what the rule or
    /// the team lacks.
    Set(CxoneStatus, Row),
    /// What the agent last chose in CXone himself.
    Previous(Row),
    /// The agent's team lacks the code: never sent.
    Lacks(OutStateId, Row),
}

/// Which table holds for an agent: looked up when his team or the revision changes, not for each event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Assignment(NonZeroU32);

/// What an [`Assignment`] stands for.
#[derive(Clone, Copy)]
struct Place {
    /// Index into the tables.
    table: usize,
    /// Index into the tenant's teams, or [`NO_TEAM`].
    team: u32,
}

const NO_TEAM: u32 = u32::MAX;

/// The tables of one revision.
#[derive(Debug)]
pub struct Tables {
    settings: Settings,
    options: Vec<Options>,
    by_agent: BTreeMap<AgentId, u32>,
    by_team: BTreeMap<Team, u32>,
    salesforce: Vec<(AccountName, SalesforceIndex)>,
    cxone: Vec<(AccountName, CxoneIndex)>,
    /// One for each rule and pair of accounts: `(rule * salesforce accounts + org) * cxone accounts + tenant`.
    tables: Vec<Table>,
    /// How many teams a tenant has at most, and one for those who have none: assignments are numbered table by table.
    teams: u32,
}

/// The statuses of an org as small integers: 0 is Offline, then the presence statuses by id.
#[derive(Debug)]
struct SalesforceIndex {
    ids: Vec<PresenceStatusId>,
}

/// The statuses of a tenant as small integers: those that all tenants have, then the codes by id.
#[derive(Debug)]
struct CxoneIndex {
    codes: Vec<(OutStateId, bool)>,
    /// Of each team the codes it has, one bit for each of `codes`; `None` where they are not known.
    teams: Vec<(Team, Option<Box<[u64]>>)>,
}

/// What a rule makes of every status of one org and one tenant.
#[derive(Debug)]
struct Table {
    rule: u32,
    tenant: u32,
    org: u32,
    /// By the tenant's index.
    to_salesforce: Box<[Option<(SalesforceStatus, Row)>]>,
    /// By the org's index.
    to_cxone: Box<[Option<(ToCxone, Row)>]>,
}

#[derive(Clone, Copy, Debug)]
enum ToCxone {
    /// A code, and its index.
    Code(OutStateId, u32),
    Other(CxoneStatus),
    Previous,
}

impl SalesforceIndex {
    fn new(vocabulary: &SalesforceVocabulary) -> Self {
        SalesforceIndex { ids: vocabulary.statuses().iter().map(|s| s.id).collect() }
    }

    fn len(&self) -> usize {
        1 + self.ids.len()
    }

    fn of(&self, status: SalesforceStatus) -> Option<usize> {
        match status {
            SalesforceStatus::Offline => Some(0),
            SalesforceStatus::Presence(id) => self.ids.binary_search(&id).ok().map(|i| i + 1),
        }
    }

    fn status(&self, index: usize) -> Option<SalesforceStatus> {
        match index.checked_sub(1) {
            None => Some(SalesforceStatus::Offline),
            Some(i) => self.ids.get(i).copied().map(SalesforceStatus::Presence),
        }
    }
}

impl CxoneIndex {
    /// Logged out, available, unavailable, logged in, after-call work; five contacts; the reserved ones.
    const FIRST_CONTACT: usize = 5;
    const FIRST_RESERVED: usize = Self::FIRST_CONTACT + ContactState::ALL.len();
    const FIRST_CODE: usize = Self::FIRST_RESERVED + ReservedOutState::NAMED.len();

    fn new(account: AccountName, vocabulary: &CxoneVocabulary) -> Self {
        let codes: Vec<_> = vocabulary.codes().iter().map(|c| (c.id, c.after_call_work)).collect();
        let bits = |has: &[OutStateId]| {
            let mut bits = vec![0_u64; codes.len().div_ceil(64)];
            for i in has.iter().filter_map(|id| codes.binary_search_by_key(id, |(code, _)| *code).ok()) {
                if let Some(word) = bits.get_mut(i / 64) {
                    *word |= 1 << (i % 64);
                }
            }
            bits.into_boxed_slice()
        };
        let teams = vocabulary.teams().iter();
        let teams = teams.map(|t| (Team { account, team: t.id }, t.codes.as_deref().map(bits))).collect();
        CxoneIndex { codes, teams }
    }

    fn len(&self) -> usize {
        Self::FIRST_CODE + self.codes.len()
    }

    fn of(&self, status: CxoneStatus) -> Option<usize> {
        match status {
            CxoneStatus::LoggedOut => Some(0),
            CxoneStatus::Available => Some(1),
            CxoneStatus::Unavailable => Some(2),
            CxoneStatus::LoggedIn => Some(3),
            CxoneStatus::AfterCallWork(None) => Some(4),
            CxoneStatus::Contact(state) => Some(Self::FIRST_CONTACT + state as usize),
            CxoneStatus::Reserved(state) => {
                let named = ReservedOutState::NAMED.iter().position(|(named, _)| *named == state);
                named.map(|i| Self::FIRST_RESERVED + i)
            }
            CxoneStatus::Code(id) => self.code(id),
            // After-call work with a code that is not known is still after-call work.
            CxoneStatus::AfterCallWork(Some(id)) => self.code(id).or(Some(4)),
        }
    }

    fn code(&self, id: OutStateId) -> Option<usize> {
        self.codes.binary_search_by_key(&id, |(code, _)| *code).ok().map(|i| Self::FIRST_CODE + i)
    }

    fn status(&self, index: usize) -> Option<CxoneStatus> {
        let contact = index.checked_sub(Self::FIRST_CONTACT).and_then(|i| ContactState::ALL.get(i));
        let reserved = index.checked_sub(Self::FIRST_RESERVED).and_then(|i| ReservedOutState::NAMED.get(i));
        match (index, contact, reserved) {
            (0, ..) => Some(CxoneStatus::LoggedOut),
            (1, ..) => Some(CxoneStatus::Available),
            (2, ..) => Some(CxoneStatus::Unavailable),
            (3, ..) => Some(CxoneStatus::LoggedIn),
            (4, ..) => Some(CxoneStatus::AfterCallWork(None)),
            (_, Some(state), _) => Some(CxoneStatus::Contact(*state)),
            (_, _, Some((state, _))) => Some(CxoneStatus::Reserved(*state)),
            _ => self.codes.get(index - Self::FIRST_CODE).map(|(id, after_call_work)| {
                if *after_call_work { CxoneStatus::AfterCallWork(Some(*id)) } else { CxoneStatus::Code(*id) }
            }),
        }
    }

    /// The team's index, or [`NO_TEAM`].
    fn team(&self, team: Team) -> u32 {
        self.teams.binary_search_by_key(&team, |(t, _)| *t).map_or(NO_TEAM, |i| i as u32)
    }

    /// The order to show what has this index.
    fn order(&self, index: usize) -> Option<ToCxone> {
        Some(match self.status(index)? {
            CxoneStatus::Code(code) => ToCxone::Code(code, (index - Self::FIRST_CODE) as u32),
            status => ToCxone::Other(status),
        })
    }
}

impl Table {
    fn compile(
        (number, rule): (usize, &Rule),
        (org, salesforce, salesforce_index): (usize, &SalesforceVocabulary, &SalesforceIndex),
        (tenant, cxone, cxone_index): (usize, &CxoneVocabulary, &CxoneIndex),
    ) -> Table {
        let row = |number: usize| Row(u16::try_from(number + 1).unwrap_or(u16::MAX));
        let mut to_salesforce = vec![None; cxone_index.len()].into_boxed_slice();
        for (number, line) in rule.publisher.iter().enumerate() {
            let from = line.from.resolve(cxone).and_then(|status| cxone_index.of(status));
            let to = line.to.resolve(salesforce).ok().filter(|status| salesforce_index.of(*status).is_some());
            if let (Some(from), Some(to)) = (from, to)
                && let Some(slot) = to_salesforce.get_mut(from)
            {
                *slot = Some((to, row(number)));
            }
        }
        let any_code = to_salesforce.get(4).copied().flatten();
        let after_call_work = cxone_index.codes.iter().enumerate().filter(|(_, (_, acw))| *acw);
        for (i, _) in after_call_work {
            if let Some(slot @ None) = to_salesforce.get_mut(CxoneIndex::FIRST_CODE + i) {
                *slot = any_code;
            }
        }
        let mut to_cxone = vec![None; salesforce_index.len()].into_boxed_slice();
        for (number, line) in rule.subscriber.iter().enumerate() {
            let from = line.from.resolve(salesforce).ok().and_then(|status| salesforce_index.of(status));
            let to = match &line.to {
                CxoneOrder::Previous => Some(ToCxone::Previous),
                CxoneOrder::Status(term) => {
                    let index = term.resolve(cxone).and_then(|status| cxone_index.of(status));
                    index.and_then(|index| cxone_index.order(index))
                }
            };
            if let (Some(from), Some(to)) = (from, to)
                && let Some(slot) = to_cxone.get_mut(from)
            {
                *slot = Some((to, row(number)));
            }
        }
        Table { rule: number as u32, tenant: tenant as u32, org: org as u32, to_salesforce, to_cxone }
    }
}

impl Tables {
    /// The tables of a revision. A row whose names mean nothing in an account does nothing there.
    pub fn compile(revision: &Revision) -> Tables {
        let orgs = &revision.vocabulary.salesforce;
        let tenants = &revision.vocabulary.cxone;
        let salesforce: Vec<_> = orgs.iter().map(|(name, v)| (*name, SalesforceIndex::new(v))).collect();
        let cxone: Vec<_> = tenants.iter().map(|(name, v)| (*name, CxoneIndex::new(*name, v))).collect();
        let mut tables = Vec::new();
        let mut by_agent = BTreeMap::new();
        let mut by_team = BTreeMap::new();
        for (number, rule) in revision.rules.iter().enumerate() {
            by_agent.extend(rule.agents.iter().map(|agent| (*agent, number as u32)));
            by_team.extend(rule.teams.iter().map(|team| (*team, number as u32)));
            for (org, (vocabulary, (_, index))) in orgs.values().zip(&salesforce).enumerate() {
                let org = (org, vocabulary, index);
                let tenants = tenants.values().zip(&cxone).enumerate();
                tables.extend(
                    tenants.map(|(i, (v, (_, index)))| Table::compile((number, rule), org, (i, v, index))),
                );
            }
        }
        let options = revision.rules.iter().map(|rule| rule.options).collect();
        let settings = revision.settings.clone();
        let teams = cxone.iter().map(|(_, index)| index.teams.len()).max().unwrap_or_default() as u32 + 1;
        Tables { settings, options, by_agent, by_team, salesforce, cxone, tables, teams }
    }

    /// The engine's numbers.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Which table holds for an agent: his own rule's, else his team's. `None`: no rule is for him.
    pub fn assignment(&self, agent: AgentId, link: &Link, team: Option<Team>) -> Option<Assignment> {
        let by_team = || team.and_then(|team| self.by_team.get(&team));
        let rule = *self.by_agent.get(&agent).or_else(by_team)?;
        self.assigned(rule, link.salesforce.account, link.cxone.account, team)
    }

    /// The table of a rule for a pair of accounts and a team.
    pub(super) fn assigned(
        &self,
        rule: u32,
        salesforce: AccountName,
        cxone: AccountName,
        team: Option<Team>,
    ) -> Option<Assignment> {
        let org = self.salesforce.iter().position(|(name, _)| *name == salesforce)?;
        let tenant = self.cxone.iter().position(|(name, _)| *name == cxone)?;
        let table = (rule as usize * self.salesforce.len() + org) * self.cxone.len() + tenant;
        let index = self.cxone.get(tenant).map(|(_, index)| index)?;
        let team = team.map_or(NO_TEAM, |team| index.team(team)).min(self.teams - 1);
        let number = u32::try_from(table).ok()?.checked_mul(self.teams)?.checked_add(team)?;
        number.checked_add(1).and_then(NonZeroU32::new).map(Assignment)
    }

    fn place(&self, assignment: Assignment) -> Place {
        let number = assignment.0.get() - 1;
        let team = number % self.teams;
        Place {
            table: (number / self.teams) as usize,
            team: if team + 1 == self.teams { NO_TEAM } else { team },
        }
    }

    /// The number of the rule in the revision, from 0.
    pub fn rule(&self, assignment: Assignment) -> usize {
        self.tables.get(self.place(assignment).table).map_or(0, |table| table.rule as usize)
    }

    /// What an assignment stands for, at hand.
    pub fn agent_rule(&self, assignment: Assignment) -> Option<AgentRule<'_>> {
        let place = self.place(assignment);
        let table = self.tables.get(place.table)?;
        let (_, org) = self.salesforce.get(table.org as usize)?;
        let (_, tenant) = self.cxone.get(table.tenant as usize)?;
        let has = tenant.teams.get(place.team as usize).and_then(|(_, bits)| bits.as_deref());
        Some(AgentRule { options: self.options.get(table.rule as usize)?, table, org, tenant, has })
    }

    /// The options of the rule.
    pub fn options(&self, assignment: Assignment) -> Option<Options> {
        self.agent_rule(assignment).map(|rule| *rule.options)
    }

    /// What Salesforce should show when this is the status in CXone.
    pub fn salesforce_target(&self, assignment: Assignment, status: CxoneStatus) -> SalesforceTarget {
        self.agent_rule(assignment).map_or(SalesforceTarget::Nothing, |rule| rule.salesforce_target(status))
    }

    /// What CXone should show when this is the status in Salesforce.
    pub fn cxone_target(&self, assignment: Assignment, status: SalesforceStatus) -> CxoneTarget {
        self.agent_rule(assignment).map_or(CxoneTarget::Nothing, |rule| rule.cxone_target(status))
    }

    /// Whether the agent's team is known to lack this status.
    pub fn team_lacks(&self, assignment: Assignment, status: CxoneStatus) -> bool {
        self.agent_rule(assignment).is_some_and(|rule| rule.team_lacks(status))
    }

    /// Every status of the org and of the tenant of an assignment, for the search of round trips.
    pub(super) fn statuses(&self, assignment: Assignment) -> (Vec<SalesforceStatus>, Vec<CxoneStatus>) {
        let table = self.tables.get(self.place(assignment).table);
        let org = table.and_then(|t| self.salesforce.get(t.org as usize)).map(|(_, index)| index);
        let tenant = table.and_then(|t| self.cxone.get(t.tenant as usize)).map(|(_, index)| index);
        let salesforce = org.map(|i| (0..i.len()).filter_map(|n| i.status(n)).collect());
        let cxone = tenant.map(|i| (0..i.len()).filter_map(|n| i.status(n)).collect());
        (salesforce.unwrap_or_default(), cxone.unwrap_or_default())
    }
}

/// The rule that holds for an agent: his options, and what becomes of each status of his two accounts.
#[derive(Clone, Copy, Debug)]
pub struct AgentRule<'t> {
    options: &'t Options,
    table: &'t Table,
    org: &'t SalesforceIndex,
    tenant: &'t CxoneIndex,
    /// The codes that his team has, where they are known.
    has: Option<&'t [u64]>,
}

impl AgentRule<'_> {
    /// The options of the rule.
    pub const fn options(&self) -> &Options {
        self.options
    }

    /// What Salesforce should show when this is the status in CXone.
    pub fn salesforce_target(&self, status: CxoneStatus) -> SalesforceTarget {
        let row = self.tenant.of(status).and_then(|index| *self.table.to_salesforce.get(index)?);
        row.map_or(SalesforceTarget::Nothing, |(to, row)| SalesforceTarget::Set(to, row))
    }

    /// What CXone should show when this is the status in Salesforce.
    pub fn cxone_target(&self, status: SalesforceStatus) -> CxoneTarget {
        let skip = self.options.skip_code_validation;
        match self.org.of(status).and_then(|index| *self.table.to_cxone.get(index)?) {
            Some((ToCxone::Code(code, index), row)) if self.lacks(Some(index as usize)) => {
                if skip {
                    CxoneTarget::Set(CxoneStatus::Unavailable, row)
                } else {
                    CxoneTarget::Lacks(code, row)
                }
            }
            Some((ToCxone::Code(code, _), row)) => CxoneTarget::Set(CxoneStatus::Code(code), row),
            Some((ToCxone::Other(status), row)) => CxoneTarget::Set(status, row),
            Some((ToCxone::Previous, row)) => CxoneTarget::Previous(row),
            None if skip && !status.is_off() => CxoneTarget::Set(CxoneStatus::Unavailable, Row::default()),
            None => CxoneTarget::Nothing,
        }
    }

    /// What the rule makes of a status on the other platform, as far as it is one plain status, and by which row.
    pub fn mirrored(&self, status: Status) -> Option<(Status, Row)> {
        match status {
            Status::Salesforce(status) => match self.cxone_target(status) {
                CxoneTarget::Set(status, row) => Some((Status::Cxone(status), row)),
                CxoneTarget::Nothing | CxoneTarget::Previous(_) | CxoneTarget::Lacks(..) => None,
            },
            Status::Cxone(status) => match self.salesforce_target(status) {
                SalesforceTarget::Set(status, row) => Some((Status::Salesforce(status), row)),
                SalesforceTarget::Nothing => None,
            },
        }
    }

    /// Whether the agent's team is known to lack this status.
    pub fn team_lacks(&self, status: CxoneStatus) -> bool {
        let CxoneStatus::Code(code) = status else { return false };
        self.lacks(self.tenant.codes.binary_search_by_key(&code, |(id, _)| *id).ok())
    }

    /// Whether the team lacks the code of this index; one that nobody knows, it lacks.
    fn lacks(&self, code: Option<usize>) -> bool {
        let Some(has) = self.has else { return false };
        code.and_then(|code| has.get(code / 64).map(|word| word & (1 << (code % 64)) == 0)).unwrap_or(true)
    }
}
