//! The calls of a tenant.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};

use super::login::{Login, Session, Sessions, read, sessions};
use super::wire::{self, Page};
use crate::connectors::http::{Answer, Error, Platform, odd, push};
use crate::connectors::lease::Lease;
use crate::domain::{CxoneAgentId, CxoneStatus, OutStateId, TeamId, TimeMs};

/// The calls that set what an agent is in.
pub(super) const SET: &str = "set";
pub(super) const SET_IN_A_SESSION: &str = "set in a session";
/// That which tells what codes are called.
pub(super) const CODES: &str = "codes";
/// So many pages are read of a list.
const PAGES_MAX: usize = 10_000;
/// What is asked of states: no names.
const STATE_FIELDS: &str = "agentId,agentStateId,outStateId,isACW,startDate,lastUpdateTime";
/// What is asked of agents.
const AGENT_FIELDS: &str = "agentId,userID,userName,emailAddress,isActive,teamId,federatedId";

/// How a tenant is called.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The version of the API: 23 to 34.
    pub version: u16,
    /// So many entries are asked for with a page.
    pub page_size: u32,
    /// How long setting somebody's status may take: after that nothing of it is on its way any more.
    pub set_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { version: 33, page_size: 1_000, set_timeout: Duration::from_secs(3) }
    }
}

/// A tenant of CXone.
pub struct Tenant {
    platform: Arc<Platform>,
    sessions: Sessions,
    settings: Settings,
}

/// What an agent is seen in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The agent.
    pub agent: CxoneAgentId,
    /// What he is in.
    pub status: CxoneStatus,
    /// Since when, by the platform's clock.
    pub since: TimeMs,
}

/// What a poll of the feed found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// In the order of the feed.
    pub seen: Vec<Seen>,
    /// Entries of which it cannot be said who is in what since when, as far as they were read.
    pub unreadable: Vec<String>,
    /// Where the next one begins: none where nothing was told of it.
    pub cursor: Option<String>,
    /// Whether as many agents came as there should be. Else a page was left out or came twice, or somebody changed meanwhile.
    pub is_whole: bool,
}

/// An agent as the list has him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentEntry {
    /// His number.
    pub agent: CxoneAgentId,
    /// The user that he is: a UUID.
    pub user: Option<String>,
    /// How he logs in.
    pub user_name: String,
    /// His address.
    pub email: String,
    /// Whether he is one still.
    pub is_active: bool,
    /// His team.
    pub team: Option<TeamId>,
    /// How another directory calls him.
    pub federated: Option<String>,
}

/// All agents that the service user may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agents {
    /// They.
    pub agents: Vec<AgentEntry>,
    /// How many he may not see.
    pub hidden: u64,
    /// Where what changes after this begins.
    pub cursor: Option<String>,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamEntry {
    /// Its number.
    pub team: TeamId,
    /// Its name.
    pub name: String,
}

/// An unavailable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeEntry {
    /// Its number.
    pub code: OutStateId,
    /// Its name.
    pub name: String,
    /// Whether it can be set.
    pub is_active: bool,
    /// Whether it is for after-call work.
    pub is_acw: bool,
}

/// A user of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry {
    /// A UUID.
    pub user: String,
    /// His address.
    pub email: String,
    /// `ACTIVE`, `PENDING`, `BLOCKED`, `DELETED` or `UNREGISTERED`.
    pub status: String,
    /// How another directory calls him.
    pub external: Option<String>,
}

/// Whether a call has had its turn already.
#[derive(Clone, Copy)]
enum Turn {
    Awaited,
    Had,
}

/// A call that sets something.
struct Call<'c> {
    name: &'static str,
    path: &'c [&'c str],
    query: &'c [(&'c str, &'c str)],
    body: Option<Value>,
}

impl Tenant {
    /// A tenant that nobody has called yet.
    pub fn new(platform: Arc<Platform>, login: Login, settings: Settings) -> Tenant {
        let sessions = sessions(Arc::clone(&platform), login);
        Tenant { platform, sessions, settings }
    }

    /// How it is reached.
    pub const fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    /// Logs in, where nobody has yet.
    ///
    /// # Errors
    /// The log-in failed.
    pub async fn log_in(&self) -> Result<(), Error> {
        self.sessions.get().await.map(drop)
    }

    /// Who has changed since a poll, with its cursor; everybody without one.
    ///
    /// # Errors
    /// A call failed: nothing is known, and the cursor stays.
    pub async fn poll(&self, cursor: Option<&str>) -> Result<Poll, Error> {
        const CALL: &str = "states";
        // Without a time some versions tell nothing of who has been at rest for long.
        let since = cursor.unwrap_or("1970-01-01T00:00:00.000Z");
        let query = [("updatedSince", since), ("fields", STATE_FIELDS), ("orderBy", "agentId")];
        let Some((first, rows)) = self.pages::<wire::States>(CALL, &["agents", "states"], &query).await?
        else {
            return Ok(Poll { is_whole: true, ..Poll::default() });
        };
        let mut poll = Poll { cursor: first.last_poll_time.0, ..Poll::default() };
        let mut agents = HashSet::with_capacity(rows.len());
        let mut earliest: Option<(TimeMs, String)> = None;
        for row in rows {
            agents.insert(row.agent.0);
            match row.whole() {
                Some((agent, status, since)) => {
                    poll.seen.push(Seen { agent: CxoneAgentId::new(agent), status, since });
                }
                None => poll.unreadable.push(row.text()),
            }
            if let Some(text) = row.last_poll_time.0
                && let Some(at) = wire::time(&text)
                && earliest.as_ref().is_none_or(|(known, _)| at < *known)
            {
                // Of several pages that of the first: what changed before the others were asked for is not in it.
                earliest = Some((at, text));
            }
        }
        poll.cursor = poll.cursor.or(earliest.map(|(_, text)| text));
        let total = first.total.0.and_then(|total| usize::try_from(total).ok());
        poll.is_whole = total.is_none_or(|total| agents.len() >= total);
        Ok(poll)
    }

    /// Who there is, or who has changed since then.
    ///
    /// # Errors
    /// A call failed.
    pub async fn agents(&self, cursor: Option<&str>) -> Result<Agents, Error> {
        let mut query = vec![("fields", AGENT_FIELDS)];
        if let Some(since) = cursor {
            // It is spelled in two ways.
            query.extend([("updateSince", since), ("updatedSince", since)]);
        }
        const CALL: &str = "agents";
        let Some((first, rows)) = self.pages::<wire::Agents>(CALL, &["agents"], &query).await? else {
            // That nothing has changed is no answer to who there is.
            return if cursor.is_some() { Ok(Agents::default()) } else { Err(odd(CALL, "it lists nobody")) };
        };
        let total = first.total.0.and_then(|total| usize::try_from(total).ok());
        if total.is_some_and(|total| rows.len() < total) {
            return Err(odd(CALL, "it lists fewer than it says there are"));
        }
        let agent = |row: wire::Agent| {
            Some(AgentEntry {
                agent: CxoneAgentId::new(u32::try_from(row.agent.0?).ok()?),
                user: row.user.0,
                user_name: row.user_name.0.unwrap_or_default(),
                email: row.email.0.unwrap_or_default(),
                is_active: row.is_active.0.unwrap_or(true),
                team: row.team.0.and_then(|team| u32::try_from(team).ok()).map(TeamId::new),
                federated: row.federated.0,
            })
        };
        Ok(Agents {
            agents: rows.into_iter().filter_map(agent).collect(),
            hidden: first.hidden.0.and_then(|hidden| u64::try_from(hidden).ok()).unwrap_or(0),
            cursor: first.last_poll_time.0,
        })
    }

    /// The teams that are active.
    ///
    /// # Errors
    /// A call failed.
    pub async fn teams(&self) -> Result<Vec<TeamEntry>, Error> {
        let pages = self.pages::<wire::Teams>("teams", &["teams"], &[]).await?;
        let team = |row: wire::Team| {
            let team = TeamId::new(u32::try_from(row.team.0?).ok()?);
            row.is_active.0.unwrap_or(true).then(|| TeamEntry { team, name: row.name.0.unwrap_or_default() })
        };
        Ok(pages.map_or_else(Vec::new, |(_, rows)| rows.into_iter().filter_map(team).collect()))
    }

    /// All codes.
    ///
    /// # Errors
    /// A call failed.
    pub async fn codes(&self) -> Result<Vec<CodeEntry>, Error> {
        self.codes_at(CODES, &["unavailable-codes"], &[]).await
    }

    /// The codes of a team that can be set.
    ///
    /// # Errors
    /// A call failed.
    pub async fn codes_of(&self, team: TeamId) -> Result<Vec<CodeEntry>, Error> {
        let team = team.to_string();
        self.codes_at("codes of a team", &["teams", &team, "unavailable-codes"], &[("activeOnly", "true")])
            .await
    }

    async fn codes_at(
        &self,
        call: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<CodeEntry>, Error> {
        let pages = self.pages::<wire::Codes>(call, path, query).await?;
        let code = |row: wire::Code| {
            Some(CodeEntry {
                code: OutStateId::new(u32::try_from(row.code.0?).ok()?),
                name: row.name.0.unwrap_or_default(),
                is_active: row.is_active.0.unwrap_or(true),
                is_acw: row.is_acw.0.unwrap_or(false),
            })
        };
        Ok(pages.map_or_else(Vec::new, |(_, rows)| rows.into_iter().filter_map(code).collect()))
    }

    /// The users of the hub.
    ///
    /// # Errors
    /// A call failed.
    pub async fn users(&self) -> Result<Vec<UserEntry>, Error> {
        let session = self.sessions.get().await?;
        let mut url = session.user_hub.clone();
        push(&mut url, &["user-management", "v1", "users"]);
        let pages = self.pages_from::<wire::Users>("users", url).await?;
        let user = |row: wire::User| {
            Some(UserEntry {
                user: row.user.0?,
                email: row.email.0.or(row.user_name.0).unwrap_or_default(),
                status: row.status.0.unwrap_or_default(),
                external: row.external.0,
            })
        };
        Ok(pages.map_or_else(Vec::new, |(_, rows)| rows.into_iter().filter_map(user).collect()))
    }

    /// Sets what an agent is in, or logs him out: the admin call, which needs no session of his. It has had its turn. Any
    /// status is an answer, and a 2xx is no proof.
    ///
    /// # Errors
    /// Nothing was sent, or it is not known what became of it; [`Error::Setting`] where it cannot be set at all.
    pub async fn set(
        &self,
        agent: CxoneAgentId,
        status: CxoneStatus,
        lease: &Lease,
    ) -> Result<Answer, Error> {
        let agent = agent.to_string();
        let code;
        let (end, query): (_, &[_]) = match status {
            CxoneStatus::LoggedOut => ("logout", &[]),
            CxoneStatus::Available => ("state", &[("state", "Available")]),
            CxoneStatus::Unavailable => ("state", &[("state", "Unavailable")]),
            CxoneStatus::Code(number) => {
                code = number.to_string();
                ("state", &[("state", "Unavailable"), ("outStateId", &code)])
            }
            _ => return Err(unsettable(status)),
        };
        let path = ["agents", &agent, end];
        let call = Call { name: SET, path: &path, query, body: None };
        self.call(&call, Turn::Had, lease).await
    }

    /// The same by a session that is joined for him. Codes have names there.
    ///
    /// # Errors
    /// As for [`set`](Tenant::set); no session could be joined.
    pub async fn set_by_session(
        &self,
        agent: CxoneAgentId,
        status: CxoneStatus,
        code_name: Option<&str>,
        lease: &Lease,
    ) -> Result<Answer, Error> {
        let state = match status {
            CxoneStatus::Available => "Available",
            CxoneStatus::Unavailable | CxoneStatus::Code(_) => "Unavailable",
            _ => return Err(unsettable(status)),
        };
        let body = Some(json!({"asAgentId": agent.get()}));
        let path = ["agent-sessions", "join"];
        let join = Call { name: "join", path: &path, query: &[], body };
        let answer = self.call(&join, Turn::Awaited, lease).await?;
        if !(200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let joined: wire::Session = read(&self.platform, answer)?;
        let session = joined.session.0.ok_or_else(|| odd("join", "it names no sessionId"))?;
        let body = Some(json!({"state": state, "reason": code_name.unwrap_or_default()}));
        let path = ["agent-sessions", &session, "state"];
        let set = Call { name: SET_IN_A_SESSION, path: &path, query: &[], body };
        self.call(&set, Turn::Awaited, lease).await
    }

    fn url(&self, session: &Session, path: &[&str], query: &[(&str, &str)]) -> Url {
        let version = format!("v{}.0", self.settings.version);
        let mut url = session.acd.clone();
        push(&mut url, &["incontactapi", "services", &version]);
        push(&mut url, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn call(&self, call: &Call<'_>, turn: Turn, lease: &Lease) -> Result<Answer, Error> {
        self.with_token(call.name, turn, Some(lease), |session| {
            let url = self.url(session, call.path, call.query);
            let request = self.platform.setting_client().post(url).timeout(self.settings.set_timeout);
            match &call.body {
                Some(body) => request.json(body),
                // Some servers want to know that there is none.
                None => request.header(reqwest::header::CONTENT_LENGTH, 0),
            }
        })
        .await
    }

    /// Makes a call with the token of now; once more with another, where that is refused.
    async fn with_token(
        &self,
        name: &'static str,
        mut turn: Turn,
        lease: Option<&Lease>,
        request: impl Fn(&Session) -> reqwest::RequestBuilder,
    ) -> Result<Answer, Error> {
        let mut was_refused = false;
        loop {
            let session = self.sessions.get().await?;
            if matches!(turn, Turn::Awaited) {
                self.platform.await_turn(name).await?;
            }
            turn = Turn::Awaited;
            let token = secrecy::ExposeSecret::expose_secret(&session.token);
            let request = request(&session).bearer_auth(token);
            // As late as can be: whatever was waited for until now may have taken long.
            if lease.is_some_and(|lease| !lease.holds()) {
                return Err(Error::Withheld { call: name });
            }
            let answer = self.platform.send(name, request).await?;
            if answer.status != 401 || was_refused {
                return Ok(answer);
            }
            was_refused = true;
            self.sessions.is_none(&session);
        }
    }

    /// All pages of a list: the first, without its rows, and the rows of all. None where nothing has changed.
    async fn pages<P: Page>(
        &self,
        call: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Option<(P, Vec<P::Row>)>, Error> {
        let session = self.sessions.get().await?;
        self.pages_from(call, self.url(&session, path, query)).await
    }

    async fn pages_from<P: Page>(
        &self,
        call: &'static str,
        base: Url,
    ) -> Result<Option<(P, Vec<P::Row>)>, Error> {
        let with = |skip: usize| {
            let mut url = base.clone();
            let (top, skip) = (self.settings.page_size.to_string(), skip.to_string());
            url.query_pairs_mut().append_pair("top", &top).append_pair("skip", &skip);
            url
        };
        let mut url = with(0);
        let mut asked = HashSet::new();
        let mut whole: Option<(P, Vec<P::Row>)> = None;
        while asked.len() < PAGES_MAX && asked.insert(url.clone()) {
            let answer = self
                .with_token(call, Turn::Awaited, None, |_| self.platform.client().get(url.clone()))
                .await?;
            if matches!(answer.status, 204 | 304) {
                return Ok(whole);
            }
            let mut page: P = read(&self.platform, answer)?;
            let rows = page.take_rows();
            let is_last = rows.is_empty();
            let (next, total) = (page.next().map(str::to_owned), page.total());
            let read = match &mut whole {
                Some((_, all)) => {
                    all.extend(rows);
                    all.len()
                }
                None => whole.insert((page, rows)).1.len(),
            };
            let is_read = total.is_none_or(|total| i64::try_from(read).unwrap_or(i64::MAX) >= total);
            url = match next {
                Some(next) => base
                    .join(&next)
                    .ok()
                    .filter(|next| next.origin() == base.origin())
                    .ok_or_else(|| odd(call, "its next page is at another host"))?,
                None if is_last || is_read => return Ok(whole),
                None => with(read),
            };
        }
        Err(odd(call, "its pages have no end"))
    }
}

fn unsettable(status: CxoneStatus) -> Error {
    Error::Setting { what: format!("{status:?}"), why: "CXone alone puts an agent there".to_owned() }
}
