//! Sessions: who joined one is told what becomes of its agent, as the agent's own client is.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::wire::{Reply, Request, Wait};
use super::answer::{Done, refused, whole};
use super::settings::Names;
use super::tenant::{Refusal, Shown};
use super::views;
use super::world::World;
use crate::domain::TimeMs;

/// A call waits for so many seconds at most.
const WAIT_SECONDS_MAX: u64 = 60;

/// A session that was joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// For whom.
    pub(super) agent: u32,
    /// When he had logged in: his next log-in is none of this session.
    logged_in: TimeMs,
    /// What was told of him last: in what he is, and since when.
    told: Option<(Shown, TimeMs)>,
}

impl World {
    pub(super) fn join(&mut self, request: &Request) -> Reply {
        let object = request.object();
        let agent = object.get("asagentid").and_then(whole).and_then(|id| u32::try_from(id).ok());
        let Some(agent) = agent.and_then(|id| self.tenant.agents.get(&id)) else {
            return refused(Refusal::UnknownAgent, 0);
        };
        if agent.shown == Shown::LOGGED_OUT {
            return refused(Refusal::LoggedOut, 0);
        }
        let session = Session { agent: agent.id, logged_in: agent.logged_in, told: None };
        let name = self.name("session");
        self.sessions.insert(name.clone(), session);
        Reply::json(202, json!({"sessionId": name}))
    }

    /// Tells what was not told in this session, or waits for it.
    pub(super) fn next_event(&mut self, request: &Request, session: &str) -> Reply {
        if !self.sessions.contains_key(session) {
            return unknown_session();
        }
        let seconds = request.number::<u64>("timeout").filter(|seconds| *seconds <= WAIT_SECONDS_MAX);
        let Some(seconds) = seconds else {
            return Reply::error(400, "bad_request", "timeout is not a number of seconds from 0 to 60");
        };
        self.event(session).unwrap_or_else(|| {
            let until = Instant::now() + Duration::from_secs(seconds);
            let wait = (seconds > 0).then(|| Wait { on: session.to_owned(), until });
            Reply { wait, ..Reply::empty(304) }
        })
    }

    /// Looks again for what a call waits for.
    pub(super) fn answer_again(&mut self, request: &Request, mut reply: Reply, now: TimeMs) -> Reply {
        self.go_on(now);
        let Some(Wait { on: session, until }) = reply.wait.take() else { return reply };
        match self.event(&session) {
            Some(event) => (reply.status, reply.body) = (event.status, event.body),
            None if Instant::now() < until => {
                reply.wait = Some(Wait { on: session, until });
                return reply;
            }
            None => {}
        }
        self.close(request, &mut reply, &Done::default(), now);
        reply
    }

    /// What was not told in this session; none where nothing has changed.
    fn event(&mut self, session: &str) -> Option<Reply> {
        let Some(session) = self.sessions.get_mut(session) else { return Some(unknown_session()) };
        let agent = self.tenant.agents.get(&session.agent);
        let is_his =
            agent.filter(|agent| agent.shown != Shown::LOGGED_OUT && agent.logged_in == session.logged_in);
        let Some(agent) = is_his else {
            return Some(Reply::error(409, "invalid_request", "the session has ended"));
        };
        let state = (self.tenant.shown(agent), agent.since);
        if session.told == Some(state) {
            return None;
        }
        session.told = Some(state);
        let mut event = views::named(views::state(&self.tenant, agent), Names::Pascal);
        if let Some(event) = event.as_object_mut() {
            event.insert("Type".to_owned(), "AgentState".into());
        }
        Some(Reply::json(200, json!({"events": [event]})))
    }
}

pub(super) fn unknown_session() -> Reply {
    Reply::error(404, "not_found", "there is no such session")
}
