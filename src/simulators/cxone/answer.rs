//! What is answered to a call: the contract, without the wire.

use std::time::Instant;

use serde_json::{Value, json};

use super::super::faults::Kind;
use super::super::wire::{Body, Reply, Request};
use super::sessions::unknown_session;
use super::settings::{Names, NoChange};
use super::tenant::{Agent, Refusal, Shown, Tenant};
use super::tokens::{AREA, Denied, TENANT_ID};
use super::views::{self, iso, of_iso};
use super::world::World;
use crate::domain::{DurationMs, TimeMs};

/// What a call did to an agent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) agent: Option<u32>,
    pub(super) wanted: Option<Shown>,
    pub(super) applied: bool,
}

impl World {
    /// Answers a call, and notes it once it is answered.
    pub(super) fn answer(&mut self, request: &Request, now: TimeMs) -> Reply {
        self.go_on(now);
        self.called.calls += 1;
        let met = self.faults.meet(&request.path);
        let mut done = Done::default();
        let failed = |status| Reply::error(status, "simulated", "a fault that was asked for");
        let mut reply = match met.iter().find_map(|kind| kind.instead(failed)) {
            Some(reply) => reply,
            None => self.do_it(request, &met, now, &mut done),
        };
        reply.spoil(&met);
        if reply.wait.is_none() {
            self.close(request, &mut reply, &done, now);
        }
        reply
    }

    /// Notes a call that is answered, and writes its names as the tenant writes them.
    pub(super) fn close(&mut self, request: &Request, reply: &mut Reply, done: &Done, now: TimeMs) {
        let call = (request.method.as_str(), request.path.as_str());
        self.note(now, call, reply.status, done);
        if let Body::Json(value) = &mut reply.body
            && request.path.starts_with(ACD)
        {
            *value = views::named(value.take(), self.settings.names);
        }
    }

    fn do_it(&mut self, request: &Request, met: &[Kind], now: TimeMs, done: &mut Done) -> Reply {
        let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let method = request.method.as_str();
        match (method, segments.as_slice()) {
            ("GET", [".well-known", "openid-configuration"]) => return self.discovery(request),
            ("GET", [".well-known", "cxone-configuration"]) => return self.configuration(request),
            ("POST", ["auth", "token"]) => return self.token(request, now),
            ("POST", ["authentication", "v1", "token", "access-key"]) => {
                return self.access_key(request, now);
            }
            _ => {}
        }
        if !self.tokens.is_valid(request.authorization.as_deref(), now) {
            return Reply::error(401, "unauthorized", "the token is missing, or none any more");
        }
        if let Some(Err(wait)) = self.budget.as_mut().map(|budget| budget.take(Instant::now())) {
            self.called.too_many += 1;
            let seconds = wait.as_secs() + 1;
            let reply = Reply::error(429, "too_many_requests", "too many calls");
            return reply.with("retry-after", seconds.to_string());
        }
        match segments.as_slice() {
            ["user-management", "v1", "users"] if method == "GET" => self.users(request),
            ["incontactapi", "services", version, rest @ ..] if is_version(version) => {
                self.acd(request, rest, (met, now), done)
            }
            _ => not_found(),
        }
    }

    fn acd(
        &mut self,
        request: &Request,
        path: &[&str],
        (met, now): (&[Kind], TimeMs),
        done: &mut Done,
    ) -> Reply {
        match (request.method.as_str(), path) {
            ("GET", ["agents", "states"]) => self.states(request, met, now),
            ("GET", ["agents"]) => self.agents(request, met, now),
            ("GET", ["teams"]) => {
                let rows = self.tenant.teams.iter().map(|team| views::team(&self.tenant, team)).collect();
                self.page(request, "teams", rows, (met, now))
            }
            ("GET", ["teams", team, "unavailable-codes"]) => self.codes_of_team(request, team),
            ("GET", ["unavailable-codes"]) => {
                let rows = self.tenant.codes.iter().map(views::code).collect();
                self.page(request, "unavailableCodes", rows, (met, now))
            }
            ("GET", ["unavailable-codes", code, "teams"]) => self.teams_of_code(code),
            ("POST", ["agents", _, "state"]) if !self.settings.has_admin_call => not_found(),
            ("POST", ["agents", agent, "state"]) => {
                let Some(agent) = known(&self.tenant, agent) else {
                    return refused(Refusal::UnknownAgent, 0);
                };
                self.set(request, agent, (met, now), done)
            }
            ("POST", ["agents", agent, "logout"]) => {
                let Some(agent) = known(&self.tenant, agent) else {
                    return refused(Refusal::UnknownAgent, 0);
                };
                let wanted = self.tenant.log_out_wanted(agent);
                self.accept(agent, wanted, (met, now), done)
            }
            ("POST", ["agent-sessions", "join"]) => self.join(request),
            ("POST", ["agent-sessions", session, "state"]) => {
                let Some(agent) = self.sessions.get(*session).map(|session| session.agent) else {
                    return unknown_session();
                };
                self.set(request, agent, (met, now), done)
            }
            ("GET", ["agent-sessions", session, "get-next-event"]) => self.next_event(request, session),
            (_, ["agents", "states"] | ["agents"] | ["teams"] | ["unavailable-codes"]) => {
                Reply::error(405, "method_not_allowed", "this path has another method")
            }
            _ => not_found(),
        }
    }

    fn states(&self, request: &Request, met: &[Kind], now: TimeMs) -> Reply {
        let since = match request.query.get("updatedsince").map(|text| of_iso(text)) {
            Some(None) => return Reply::error(400, "bad_request", "updatedSince is no time"),
            Some(Some(since)) => since,
            None => TimeMs::ZERO,
        };
        let agents: Vec<&Agent> = self.tenant.changed_since(since).collect();
        if agents.is_empty() && request.query.contains_key("updatedsince") {
            match self.settings.no_change {
                NoChange::Empty => {}
                NoChange::NoContent => return Reply::empty(204),
                NoChange::NotModified => return Reply::empty(304),
            }
        }
        let fields = fields(request);
        let (window, mut head) = self.window(request, agents.len(), met);
        let rows = agents.get(window).unwrap_or_default().iter();
        let mut rows: Vec<Value> =
            rows.map(|agent| views::only(views::state(&self.tenant, agent), &fields)).collect();
        if self.settings.names == Names::Pascal {
            for row in rows.iter_mut().filter_map(Value::as_object_mut) {
                row.insert("lastPollTime".to_owned(), iso(now).into());
            }
        } else {
            head.insert("lastPollTime".to_owned(), iso(now).into());
        }
        head.insert("agentStates".to_owned(), rows.into());
        Reply::json(200, head.into())
    }

    fn agents(&self, request: &Request, met: &[Kind], now: TimeMs) -> Reply {
        let since = request.query.get("updatesince").or_else(|| request.query.get("updatedsince"));
        let since = since.and_then(|text| of_iso(text)).unwrap_or(TimeMs::ZERO);
        let active: Option<bool> = request.number("isactive");
        let is_asked =
            |agent: &&Agent| agent.edited >= since && active.is_none_or(|active| agent.is_active == active);
        // The last ones are those whom the service user may not see.
        let seen = self.tenant.agents.len().saturating_sub(self.settings.hidden_agents as usize);
        let agents: Vec<&Agent> = self.tenant.agents.values().take(seen).filter(is_asked).collect();
        let fields = fields(request);
        let (window, mut head) = self.window(request, agents.len(), met);
        let rows = agents.get(window).unwrap_or_default().iter();
        let rows: Vec<Value> =
            rows.map(|agent| views::only(views::agent(&self.tenant, agent), &fields)).collect();
        head.insert("businessUnitId".to_owned(), 4_534_531.into());
        head.insert("lastPollTime".to_owned(), iso(now).into());
        head.insert("hiddenAgents".to_owned(), self.settings.hidden_agents.into());
        head.insert("agents".to_owned(), rows.into());
        Reply::json(200, head.into())
    }

    fn users(&self, request: &Request) -> Reply {
        let agents: Vec<&Agent> = self.tenant.agents.values().collect();
        let (window, mut head) = self.window(request, agents.len(), &[]);
        let rows: Vec<Value> =
            agents.get(window).unwrap_or_default().iter().map(|agent| views::user(agent)).collect();
        head.insert("users".to_owned(), rows.into());
        Reply::json(200, head.into())
    }

    fn page(&self, request: &Request, name: &str, rows: Vec<Value>, (met, now): (&[Kind], TimeMs)) -> Reply {
        let (window, mut head) = self.window(request, rows.len(), met);
        let rows = rows.get(window).unwrap_or_default().to_vec();
        head.insert("lastPollTime".to_owned(), iso(now).into());
        head.insert(name.to_owned(), rows.into());
        Reply::json(200, head.into())
    }

    /// Which rows a page has, and what stands above them.
    fn window(
        &self,
        request: &Request,
        total: usize,
        met: &[Kind],
    ) -> (std::ops::Range<usize>, serde_json::Map<String, Value>) {
        let top = request.number("top").unwrap_or(usize::MAX).clamp(1, self.settings.page_size_max.max(1));
        let asked = request.number("skip").unwrap_or(0_usize).min(total);
        // A page that is left out is passed over; one that comes again comes in place of another.
        let from = if met.contains(&Kind::Skip) { (asked + top).min(total) } else { asked };
        let end = from.saturating_add(top).min(total);
        let rows = if met.contains(&Kind::Repeat) {
            from.saturating_sub(top)..end.saturating_sub(top).max(top.min(total))
        } else {
            from..end
        };
        let to = |skip: usize| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in request.query.iter().filter(|(name, _)| *name != "skip" && *name != "top") {
                query.append_pair(name, value);
            }
            let query =
                query.append_pair("top", &top.to_string()).append_pair("skip", &skip.to_string()).finish();
            Value::String(format!("{}{}?{query}", request.base, request.path))
        };
        let next = if end < total { to(end) } else { Value::Null };
        let previous = if asked > 0 { to(asked.saturating_sub(top)) } else { Value::Null };
        let head = json!({
            "totalRecords": total, "_links": {"self": to(asked), "next": next, "previous": previous},
        });
        let head = head.as_object().cloned().unwrap_or_default();
        (rows, head)
    }

    fn codes_of_team(&self, request: &Request, number: &str) -> Reply {
        let number = number.parse::<u32>().ok();
        let Some((number, team)) = number.and_then(|number| self.tenant.teams.get_key_value(&number)) else {
            return not_found();
        };
        let active_only: bool = request.number("activeonly").unwrap_or(false);
        let codes = self
            .tenant
            .codes
            .iter()
            .filter(|(number, code)| team.codes.contains(number) && (code.is_active || !active_only));
        let codes: Vec<Value> = codes.map(views::code_of_team).collect();
        Reply::json(200, json!({"teamId": number, "teamName": team.name, "unavailableCodes": codes}))
    }

    fn teams_of_code(&self, code: &str) -> Reply {
        let code = code.parse::<i32>().ok().filter(|code| self.tenant.codes.contains_key(code));
        let Some(code) = code else { return not_found() };
        let teams = self.tenant.teams.iter().filter(|(_, team)| team.codes.contains(&code));
        let teams: Vec<Value> = teams.map(|team| views::team(&self.tenant, team)).collect();
        Reply::json(200, json!({"teams": teams}))
    }

    fn set(
        &mut self,
        request: &Request,
        agent: u32,
        (met, now): (&[Kind], TimeMs),
        done: &mut Done,
    ) -> Reply {
        let object = request.object();
        let text = |name: &str| {
            let asked = request.query.get(name).cloned();
            asked.or_else(|| object.get(name).and_then(Value::as_str).map(str::to_owned))
        };
        let told = request.query.get("outstateid").map(|text| Value::String(text.clone()));
        let code = match told.as_ref().or_else(|| object.get("outstateid")) {
            None | Some(Value::Null) => Ok(None),
            Some(told) => whole(told).map(Some).ok_or(Refusal::BadCode),
        };
        let named = text("reason").filter(|reason| !reason.is_empty()).map(|reason| {
            let mut codes = self.tenant.codes.iter();
            codes.find(|(_, code)| code.name == reason).map(|(number, _)| i64::from(*number))
        });
        let wanted = match (code, named) {
            (Err(refusal), _) => Err(refusal),
            (Ok(None), Some(None)) => Err(Refusal::BadCode),
            (Ok(code), named) => {
                self.tenant.wanted(agent, &text("state").unwrap_or_default(), code.or(named.flatten()))
            }
        };
        self.accept(agent, wanted, (met, now), done)
    }

    fn accept(
        &mut self,
        agent: u32,
        wanted: Result<Shown, Refusal>,
        (met, now): (&[Kind], TimeMs),
        done: &mut Done,
    ) -> Reply {
        done.agent = Some(agent);
        let wanted = match wanted {
            Err(refusal) => return refused(refusal, self.settings.variant.bad_code_status),
            Ok(wanted) => wanted,
        };
        done.wanted = Some(wanted);
        let late = met.iter().find_map(|kind| match kind {
            Kind::Late { ms } => Some(DurationMs::from_ms(i64::try_from(*ms).unwrap_or(i64::MAX))),
            _ => None,
        });
        if let Some(late) = late {
            self.later(now + late, agent, wanted);
        } else if !met.contains(&Kind::Lost) {
            self.tenant.apply(agent, wanted, now);
            done.applied = true;
        }
        Reply::json(202, json!({}))
    }

    fn discovery(&self, request: &Request) -> Reply {
        let base = &request.base;
        Reply::json(
            200,
            json!({
                "issuer": base, "token_endpoint": format!("{base}/auth/token"),
                "authorization_endpoint": format!("{base}/auth/authorize"),
                "grant_types_supported": ["authorization_code", "password", "refresh_token"],
            }),
        )
    }

    fn configuration(&self, request: &Request) -> Reply {
        if request.query.get("tenantid").map(String::as_str) != Some(TENANT_ID) {
            return Reply::error(404, "not_found", "there is no such tenant");
        }
        let base = &request.base;
        Reply::json(
            200,
            json!({
                "api_endpoint": base, "auth_endpoint": base, "area": AREA, "cluster": "c1",
                "domain": "niceincontact.com", "acdDomain": "nice-incontact.com",
                "uhDomain": "nice-incontact.com", "tenantId": TENANT_ID,
            }),
        )
    }

    fn token(&mut self, request: &Request, now: TimeMs) -> Reply {
        let (known, times) = (self.settings.credentials.clone(), (now, self.settings.token_seconds));
        granted(self.tokens.grant(&known, request.authorization.as_deref(), &request.form(), times))
    }

    fn access_key(&mut self, request: &Request, now: TimeMs) -> Reply {
        let object = request.object();
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let key = (text("accesskeyid"), text("accesskeysecret"));
        let (known, times) = (self.settings.credentials.clone(), (now, self.settings.token_seconds));
        match self.tokens.of_access_key(&known, key, times) {
            Err(_) => Reply::json(
                401,
                json!({"error": "invalid_grant", "errorDescription": "the access key is not accepted"}),
            ),
            granted => self::granted(granted),
        }
    }
}

/// What calls to the ACD begin with.
const ACD: &str = "/incontactapi/";

fn granted(granted: Result<Value, Denied>) -> Reply {
    match granted {
        Ok(token) => Reply::json(200, token),
        Err(denied) => {
            let (status, error) = denied.answer();
            Reply::error(status, error, "not let in")
        }
    }
}

pub(super) fn refused(refusal: Refusal, bad_code_status: u16) -> Reply {
    let (status, why) = match refusal {
        Refusal::UnknownAgent => (404, "there is no such agent"),
        Refusal::BadState => (400, "no state that can be set"),
        Refusal::LoggedOut => (409, "the agent is logged out"),
        Refusal::BadCode => (bad_code_status, "no code that this agent can be set to"),
        Refusal::AfterCallWork => (409, "a code of after-call work, and no contact"),
    };
    Reply::error(status, if status == 404 { "not_found" } else { "invalid_request" }, why)
}

fn not_found() -> Reply {
    Reply::error(404, "not_found", "there is no such thing")
}

/// `v23.0` to `v34.0`, and whatever else looks like it.
fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').and_then(|text| text.strip_suffix(".0"));
    number.is_some_and(|number| number.parse::<u16>().is_ok())
}

fn known(tenant: &Tenant, id: &str) -> Option<u32> {
    id.parse::<u32>().ok().filter(|id| tenant.agents.contains_key(id))
}

/// A number, in digits or as a text.
pub(super) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn fields(request: &Request) -> Vec<String> {
    let asked = request.query.get("fields").map_or("", String::as_str);
    asked.split(',').map(|field| field.trim().to_owned()).filter(|field| !field.is_empty()).collect()
}
