//! The control endpoint: what people and tests do to a tenant behind the API's back.

use std::collections::BTreeSet;
use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use super::super::faults::Fault;
use super::super::wire::{Reply, Request};
use super::settings::{Names, NoChange};
use super::tenant::Shown;
use super::views;
use super::world::World;
use crate::connectors::http::{Budget, Rate};
use crate::domain::TimeMs;

/// A state by hand.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct State {
    agent_state_id: u8,
    #[serde(default)]
    out_state_id: Option<i32>,
    #[serde(default, rename = "isACW")]
    is_acw: bool,
}

/// Another team.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Move {
    team_id: u32,
}

/// Whether he is an agent still.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edit {
    is_active: bool,
}

/// The codes that a team has from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    codes: BTreeSet<i32>,
}

/// Any of the settings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Changes {
    no_change: Option<NoChange>,
    names: Option<Names>,
    page_size_max: Option<usize>,
    logged_out: Option<bool>,
    reserved: Option<bool>,
    set_again_restarts: Option<bool>,
    bad_code_status: Option<u16>,
    #[serde(default, deserialize_with = "told")]
    rate: Option<Option<Allowed>>,
    date_offset_ms: Option<i64>,
    token_seconds: Option<u32>,
    has_admin_call: Option<bool>,
    hidden_agents: Option<u32>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Allowed {
    per_minute: u32,
    burst: u32,
}

/// Tells null from nothing.
fn told<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Allowed>>, D::Error> {
    Option::<Allowed>::deserialize(deserializer).map(Some)
}

impl World {
    pub(super) fn control(&mut self, request: &Request, now: TimeMs) -> Reply {
        self.go_on(now);
        let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let agent = |id: &str| id.parse::<u32>().ok().filter(|id| self.tenant.agents.contains_key(id));
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["agents", id]) => match agent(id).and_then(|id| self.tenant.agents.get(&id)) {
                Some(agent) => Reply::json(200, views::truth(agent)),
                None => unknown_agent(),
            },
            ("GET", ["agents"]) => Reply::json(200, self.tenant.agents.values().map(views::truth).collect()),
            (method, ["agents", id, what]) => match agent(id) {
                Some(id) => self.control_agent(request, (method, what), id, now),
                None => unknown_agent(),
            },
            ("POST", ["teams", id, "codes"]) => {
                match id.parse().ok().and_then(|id: u32| self.tenant.teams.get_mut(&id)) {
                    Some(team) => request.read(|Codes { codes }| team.codes = codes),
                    None => Reply::error(404, "not_found", "there is no such team"),
                }
            }
            ("POST", ["tokens", "expire"]) => {
                self.tokens.expire();
                Reply::empty(204)
            }
            ("POST", ["faults"]) => request.read(|faults: Vec<Fault>| self.faults.replace(faults)),
            ("POST", ["settings"]) => request.read(|changes| self.change(changes)),
            ("GET", ["log"]) => Reply::json(200, self.log()),
            ("DELETE", ["log"]) => {
                self.forget_log();
                Reply::empty(204)
            }
            _ => Reply::error(404, "not_found", "the control endpoint has no such thing"),
        }
    }

    fn control_agent(&mut self, request: &Request, what: (&str, &str), id: u32, now: TimeMs) -> Reply {
        let shown = |State { agent_state_id: state, out_state_id: out_state, is_acw }| Shown {
            state: state.min(8),
            out_state,
            is_acw,
        };
        match what {
            ("POST", "state") => request.read(|state| self.tenant.put(id, shown(state), now)),
            ("POST", "contact") => request.read(|state| self.tenant.begin_contact(id, shown(state), now)),
            ("DELETE", "contact") => {
                self.tenant.end_contact(id, now);
                Reply::empty(204)
            }
            ("POST", "active") => request.read(|Edit { is_active }| self.tenant.activate(id, is_active, now)),
            ("POST", "team") => request.read(|Move { team_id }| self.tenant.move_to(id, team_id, now)),
            _ => Reply::error(404, "not_found", "the control endpoint has no such thing"),
        }
    }

    fn change(&mut self, changes: Changes) {
        let (settings, variant) = (&mut self.settings, &mut self.tenant.variant);
        let set = |old: &mut bool, new: Option<bool>| *old = new.unwrap_or(*old);
        set(&mut variant.shows_logged_out, changes.logged_out);
        set(&mut variant.shows_reserved, changes.reserved);
        set(&mut variant.set_again_restarts, changes.set_again_restarts);
        variant.bad_code_status = changes.bad_code_status.unwrap_or(variant.bad_code_status);
        settings.variant = *variant;
        settings.no_change = changes.no_change.unwrap_or(settings.no_change);
        settings.names = changes.names.unwrap_or(settings.names);
        settings.page_size_max = changes.page_size_max.unwrap_or(settings.page_size_max);
        settings.date_offset_ms = changes.date_offset_ms.unwrap_or(settings.date_offset_ms);
        settings.hidden_agents = changes.hidden_agents.unwrap_or(settings.hidden_agents);
        set(&mut settings.has_admin_call, changes.has_admin_call);
        settings.token_seconds = changes.token_seconds.unwrap_or(settings.token_seconds);
        if let Some(rate) = changes.rate {
            let rate =
                rate.map(|allowed| Rate { calls_per_minute: allowed.per_minute, burst: allowed.burst });
            settings.rate = rate;
            self.budget = rate.map(|rate| Budget::new(rate, Instant::now()));
        }
    }
}

fn unknown_agent() -> Reply {
    Reply::json(404, Value::String("there is no such agent".to_owned()))
}
