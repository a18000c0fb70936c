//! What the directory needs of a tenant.

use lockstep::connectors::cxone::{AgentEntry, CodeEntry, Tenant};
use lockstep::connectors::http::Error;
use lockstep::directory::{Code, Contact, CxoneVocabulary, Directory, Listed, TeamEntry};
use lockstep::domain::{AccountName, OutStateId, TeamId};

/// Out-states up to this one are CXone's own.
const RESERVED_MAX: u32 = 3;
/// What a tenant has.
pub(in crate::cli) struct Got {
    /// None where they may not be read.
    codes: Option<Vec<Code>>,
    /// None where they may not be read.
    teams: Option<Vec<TeamEntry>>,
    listed: Vec<Listed>,
    hidden: u64,
    /// What could not be read.
    missing: Vec<String>,
    /// Teams that were listed, and that the tenant did not know any more when it was asked for their codes.
    gone: Vec<TeamId>,
}

/// What was put into a directory.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Put {
    pub(in crate::cli) agents: usize,
    pub(in crate::cli) teams: usize,
    pub(in crate::cli) codes: usize,
    /// Agents whom the service user may not see.
    pub(in crate::cli) hidden: u64,
    /// Agents who are linked and whom the tenant does not list.
    pub(in crate::cli) linked_and_not_listed: usize,
    /// What could not be read.
    pub(in crate::cli) missing: Vec<String>,
}

impl Got {
    /// Asks the tenant for all.
    ///
    /// # Errors
    /// A call failed.
    pub(super) async fn read(tenant: &Tenant) -> Result<Got, Error> {
        Got::read_of(tenant, |_| true).await
    }

    /// Asks the tenant for all, but for codes of these teams alone: those of others stay as they are known.
    ///
    /// # Errors
    /// A call failed.
    pub(in crate::cli) async fn read_of(
        tenant: &Tenant,
        has_to_be_asked: impl Fn(TeamId) -> bool,
    ) -> Result<Got, Error> {
        let agents = tenant.agents(None).await?;
        let (mut missing, mut gone) = (Vec::new(), Vec::new());
        let codes = or_missing(tenant.codes().await, "the unavailable codes", &mut missing)?;
        let codes = codes.map(|codes| {
            let codes = codes.into_iter().filter(|code| code.code.get() > RESERVED_MAX).map(|code| Code {
                id: code.code,
                name: code.name.into(),
                active: code.is_active,
                after_call_work: code.is_acw,
            });
            codes.collect()
        });
        let mut teams = or_missing(tenant.teams().await, "the teams", &mut missing)?.map(|teams| {
            let team = |team: lockstep::connectors::cxone::TeamEntry| TeamEntry {
                id: team.team,
                name: team.name.into(),
                codes: None,
            };
            teams.into_iter().map(team).collect::<Vec<_>>()
        });
        for team in teams.iter_mut().flatten().filter(|team| has_to_be_asked(team.id)) {
            match tenant.codes_of(team.id).await {
                Err(Error::Refused { status: 404, .. }) => gone.push(team.id),
                read => {
                    team.codes =
                        or_missing(read, &format!("the codes of team {}", team.id), &mut missing)?.map(sorted)
                }
            }
        }
        let listed = agents.agents.into_iter().map(listed).collect();
        Ok(Got { codes, teams, listed, hidden: agents.hidden, missing, gone })
    }

    /// What could not be read.
    pub(in crate::cli) fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Teams that were listed, and were gone when they were asked for.
    pub(in crate::cli) fn gone(&self) -> &[TeamId] {
        &self.gone
    }

    /// How many agents the service user may not see.
    pub(in crate::cli) const fn hidden(&self) -> u64 {
        self.hidden
    }

    /// The agents that it lists.
    pub(in crate::cli) fn agents(&self) -> &[Listed] {
        &self.listed
    }

    /// Puts it into a directory. What could not be read stays as it was known.
    pub(in crate::cli) fn put(self, account: AccountName, directory: &mut Directory) -> Put {
        let Got { codes, teams, listed, hidden, mut missing, gone } = self;
        let told = |team: &TeamId| {
            format!("the codes of team {team} cannot be read: the tenant says that it is gone (404)")
        };
        missing.extend(gone.iter().map(told));
        let known = directory.vocabulary.cxone.get(&account).cloned().unwrap_or_default();
        let codes = codes.unwrap_or_else(|| known.codes().to_vec());
        let mut teams = teams.unwrap_or_else(|| known.teams().to_vec());
        for team in teams.iter_mut().filter(|team| team.codes.is_none()) {
            team.codes = known.team(team.id).and_then(|known| known.codes.clone());
        }
        let vocabulary = CxoneVocabulary::new(codes, teams);
        let (agents, teams, codes) = (listed.len(), vocabulary.teams().len(), vocabulary.codes().len());
        let linked_and_not_listed = directory.replace_tenant(account, vocabulary, listed);
        Put { agents, teams, codes, hidden, linked_and_not_listed, missing }
    }
}

fn listed(agent: AgentEntry) -> Listed {
    Listed {
        agent: agent.agent,
        team: agent.team,
        contact: Contact {
            user_name: agent.user_name.into(),
            email: agent.email.into(),
            federation_id: agent.federated.unwrap_or_default().into(),
            is_inactive: !agent.is_active,
        },
    }
}

/// What may not be read is missing, and no reason to leave the rest.
fn or_missing<T>(read: Result<T, Error>, what: &str, missing: &mut Vec<String>) -> Result<Option<T>, Error> {
    match read {
        Err(Error::Refused { status: 403, .. }) => {
            missing.push(format!("{what} cannot be read: a permission of the service user is missing"));
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// The codes of a team, sorted, without those that are CXone's own.
fn sorted(codes: Vec<CodeEntry>) -> Vec<OutStateId> {
    let mut codes: Vec<_> = codes.into_iter().map(|code| code.code).collect();
    codes.retain(|code| code.get() > RESERVED_MAX);
    codes.sort_unstable();
    codes.dedup();
    codes
}
