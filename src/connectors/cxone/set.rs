//! One command, on its way to CXone: which call it takes, and what became of it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::tenant::{CODES, SET, SET_IN_A_SESSION, Tenant};
use crate::codec::{Addressee, HeldCause};
use crate::connectors::http::{Answer, Error};
use crate::connectors::lease::Lease;
use crate::connectors::sink::{Done, Fate, Job, Setter};
use crate::domain::{CxoneAgentId, CxoneStatus, OutStateId, Status};
use crate::engine::Verdict;

/// By which call an agent's status is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetBy {
    /// By the admin call; by a session where the tenant has no admin call.
    #[default]
    Auto,
    /// By the admin call alone.
    Admin,
    /// By a session that is joined for the agent.
    Session,
}

/// Sets what agents are in.
pub(super) struct Calls {
    tenant: Arc<Tenant>,
    lease: Arc<Lease>,
    set_by: SetBy,
    /// The admin call has worked.
    has_admin_call: AtomicBool,
    /// The tenant has no admin call.
    has_no_admin_call: AtomicBool,
    code_names: Mutex<HashMap<OutStateId, String>>,
}

impl Calls {
    pub(super) fn new(tenant: Arc<Tenant>, lease: Arc<Lease>, set_by: SetBy) -> Calls {
        Calls {
            tenant,
            lease,
            set_by,
            has_admin_call: AtomicBool::new(false),
            has_no_admin_call: AtomicBool::new(false),
            code_names: Mutex::default(),
        }
    }

    /// Sets it, and tells what became of that.
    async fn make(&self, agent: CxoneAgentId, status: CxoneStatus) -> Fate {
        match self.tried(agent, status).await {
            // It waits for the budget, or for the breaker.
            Fate::Later(HeldCause::BreakerOpen, detail, done) if !self.tenant.platform().is_left_alone() => {
                Fate::Later(HeldCause::AllowanceUsedUp, detail, done)
            }
            fate => fate,
        }
    }

    async fn tried(&self, agent: CxoneAgentId, status: CxoneStatus) -> Fate {
        let is_log_out = status == CxoneStatus::LoggedOut;
        let by_session = self.set_by == SetBy::Session || self.has_no_admin_call.load(Ordering::Acquire);
        if by_session && !is_log_out {
            return fate(self.by_session(agent, status).await);
        }
        let answer = self.tenant.set(agent, status, &self.lease).await;
        if answer.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status)) {
            self.has_admin_call.store(true, Ordering::Release);
        }
        let may_be_none = |answer: &Answer| matches!(answer.status, 404 | 405 | 501);
        let has_one = self.set_by == SetBy::Admin || self.has_admin_call.load(Ordering::Acquire);
        if is_log_out || has_one || !answer.as_ref().is_ok_and(may_be_none) {
            return fate(answer);
        }
        match self.by_session(agent, status).await {
            Ok(second) if second.call == SET_IN_A_SESSION => {
                if (200..300).contains(&second.status) {
                    tracing::warn!("the tenant has no admin call: statuses are set by sessions from now on");
                    self.has_no_admin_call.store(true, Ordering::Release);
                }
                fate(Ok(second))
            }
            // Of an agent who is not there, no session can be joined; then the first answer says what it is.
            Ok(second) if matches!(second.status, 400 | 404 | 405 | 409 | 501) => fate(answer),
            Err(Error::Setting { .. } | Error::Refused { call: CODES, .. }) => fate(answer),
            second => fate(second),
        }
    }

    async fn by_session(&self, agent: CxoneAgentId, status: CxoneStatus) -> Result<Answer, Error> {
        let name = match status {
            CxoneStatus::Code(code) => Some(self.name_of(code).await?),
            _ => None,
        };
        self.tenant.set_by_session(agent, status, name.as_deref(), &self.lease).await
    }

    /// What a code is called. One that is not known is asked for, as it may be new.
    async fn name_of(&self, code: OutStateId) -> Result<String, Error> {
        let known = |all: &Mutex<HashMap<OutStateId, String>>| {
            all.lock().unwrap_or_else(PoisonError::into_inner).get(&code).cloned()
        };
        if let Some(name) = known(&self.code_names) {
            return Ok(name);
        }
        let all = self.tenant.codes().await?.into_iter().map(|entry| (entry.code, entry.name)).collect();
        *self.code_names.lock().unwrap_or_else(PoisonError::into_inner) = all;
        known(&self.code_names).ok_or_else(|| Error::Setting {
            what: format!("code {code}"),
            why: "the tenant has no such code".to_owned(),
        })
    }
}

impl Setter for Calls {
    fn turn(&self) -> Result<(), Duration> {
        self.tenant.platform().turn()
    }

    fn is_left_alone(&self) -> bool {
        self.tenant.platform().is_left_alone()
    }

    fn set(self: Arc<Self>, job: Job) -> Pin<Box<dyn Future<Output = Fate> + Send>> {
        Box::pin(async move {
            match (job.to, job.status) {
                (Addressee::Cxone(to), Status::Cxone(status)) => self.make(to.agent, status).await,
                // The codec lets no other pass.
                _ => Fate::Over(Verdict::Permanent, None),
            }
        })
    }
}

/// What an answer says, by its status alone: bodies differ from tenant to tenant.
fn fate(answered: Result<Answer, Error>) -> Fate {
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => return of_error(&error),
    };
    let Answer { call, status, .. } = answer;
    let detail = format!("{call}: status {status}");
    match status {
        200..=299 => Fate::Over(Verdict::Accepted, None),
        401 => Fate::Later(HeldCause::Unauthorised, detail, Done::No),
        403 => Fate::Forbidden(detail),
        409 => Fate::Over(Verdict::Conflict, Some(detail)),
        429 => Fate::Later(HeldCause::AllowanceUsedUp, detail, Done::No),
        503 | 300..=399 => Fate::Later(HeldCause::Unavailable, detail, Done::No),
        // What stands before the platform gave up; the platform may not have.
        408 | 500 | 502 | 504..=599 => Fate::Later(HeldCause::Unavailable, detail, Done::Perhaps),
        _ => Fate::Over(Verdict::Permanent, Some(detail)),
    }
}

fn of_error(error: &Error) -> Fate {
    let detail = error.to_string();
    match error {
        Error::Withheld { .. } => Fate::NotSent,
        Error::Setting { .. } => Fate::Over(Verdict::Permanent, Some(detail)),
        Error::LeftAlone { .. } => Fate::Later(HeldCause::BreakerOpen, detail, Done::No),
        // Another call that got no answer, for a token or a session, has set nothing.
        Error::NoAnswer { call, .. } if [SET, SET_IN_A_SESSION].contains(call) => {
            Fate::Over(Verdict::Unknown, Some(detail))
        }
        error if error.is_refusal() => Fate::Later(HeldCause::Unauthorised, detail, Done::No),
        Error::NotSent { .. } | Error::NoAnswer { .. } | Error::Odd { .. } | Error::Refused { .. } => {
            Fate::Later(HeldCause::Unavailable, detail, Done::No)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_says_follows_from_its_status() {
        let over = |verdict, detail: Option<&str>| Fate::Over(verdict, detail.map(str::to_owned));
        let later = |cause, detail: &str| Fate::Later(cause, detail.to_owned(), Done::No);
        let perhaps = |detail: &str| Fate::Later(HeldCause::Unavailable, detail.to_owned(), Done::Perhaps);
        for (status, expected) in [
            (200, over(Verdict::Accepted, None)),
            (202, over(Verdict::Accepted, None)),
            (204, over(Verdict::Accepted, None)),
            (302, later(HeldCause::Unavailable, "set: status 302")),
            (400, over(Verdict::Permanent, Some("set: status 400"))),
            (401, later(HeldCause::Unauthorised, "set: status 401")),
            (403, Fate::Forbidden("set: status 403".to_owned())),
            (404, over(Verdict::Permanent, Some("set: status 404"))),
            (408, perhaps("set: status 408")),
            (409, over(Verdict::Conflict, Some("set: status 409"))),
            (422, over(Verdict::Permanent, Some("set: status 422"))),
            (429, later(HeldCause::AllowanceUsedUp, "set: status 429")),
            (500, perhaps("set: status 500")),
            (501, over(Verdict::Permanent, Some("set: status 501"))),
            (504, perhaps("set: status 504")),
            (503, later(HeldCause::Unavailable, "set: status 503")),
        ] {
            let answer = Answer { call: SET, status, body: b"<html>any</html>".to_vec(), limit_info: None };
            assert_eq!(fate(Ok(answer)), expected, "{status}");
        }
    }

    #[test]
    fn only_a_call_that_sets_something_can_have_an_unknown_outcome() {
        let no_answer = |call| Error::NoAnswer { call, why: "it took too long".to_owned() };
        for call in [SET, SET_IN_A_SESSION] {
            assert!(matches!(of_error(&no_answer(call)), Fate::Over(Verdict::Unknown, Some(_))));
        }
        let refused = |call, status| Error::Refused { call, status, shown: None };
        for (error, cause) in [
            (no_answer("token"), HeldCause::Unavailable),
            (no_answer("join"), HeldCause::Unavailable),
            (Error::NotSent { call: SET, why: String::new() }, HeldCause::Unavailable),
            (refused("token", 400), HeldCause::Unauthorised),
            (refused("token", 401), HeldCause::Unauthorised),
            (refused("configuration", 503), HeldCause::Unavailable),
            (Error::LeftAlone { call: SET, wait: std::time::Duration::from_secs(9) }, HeldCause::BreakerOpen),
        ] {
            assert!(matches!(of_error(&error), Fate::Later(found, _, Done::No) if found == cause), "{error}");
        }
        assert_eq!(of_error(&Error::Withheld { call: SET }), Fate::NotSent);
    }
}
