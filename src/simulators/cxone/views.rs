//! Agents, teams, codes and users as answers show them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::settings::Names;
use super::tenant::{Agent, Code, Shown, Team, Tenant};
use crate::domain::TimeMs;

/// A time as CXone writes it.
pub(super) fn iso(at: TimeMs) -> String {
    let at = Timestamp::from_millisecond(at.as_unix_ms()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A time as clients write it.
pub(super) fn of_iso(text: &str) -> Option<TimeMs> {
    let at = text.trim().parse::<Timestamp>().ok()?;
    Some(TimeMs::from_unix_ms(at.as_millisecond()))
}

/// The user of an agent: the same on any run.
pub(super) fn user_id(agent: u32) -> String {
    format!("11e0c0de-0000-4000-8000-{agent:012x}")
}

/// His address, which is his user name too.
pub(super) fn address(agent: u32) -> String {
    format!("agent.{agent}@example.com")
}

/// An agent in the feed of states.
pub(super) fn state(tenant: &Tenant, agent: &Agent) -> Value {
    let shown = tenant.shown(agent);
    let code = shown.out_state.and_then(|number| tenant.codes.get(&number));
    let team = tenant.teams.get(&agent.team).map(|team| &team.name);
    let is_contact = matches!(shown.state, 3..=7);
    json!({
        "agentId": agent.id, "agentStateId": shown.state, "agentStateName": shown.name(),
        "isACW": shown.is_acw, "isOutbound": matches!(shown.state, 4 | 6), "isActive": agent.is_active,
        "contactId": is_contact.then(|| 7_000_000 + u64::from(agent.id)),
        "firstName": "Agent", "lastName": format!("Number {}", agent.id), "userName": address(agent.id),
        "teamId": agent.team, "teamName": team, "outStateId": shown.out_state.unwrap_or(0),
        "outStateDescription": code.map_or("", |code| &code.name), "openContacts": u8::from(is_contact),
        "skillId": 0, "stationId": 0, "sessionStartTime": iso(agent.logged_in),
        "startDate": iso(agent.since), "lastUpdateTime": iso(agent.updated),
    })
}

/// An agent in the list of agents.
pub(super) fn agent(tenant: &Tenant, agent: &Agent) -> Value {
    let team = tenant.teams.get(&agent.team).map(|team| &team.name);
    json!({
        "agentId": agent.id, "userID": user_id(agent.id), "userName": address(agent.id),
        "firstName": "Agent", "lastName": format!("Number {}", agent.id), "emailAddress": address(agent.id),
        "isActive": agent.is_active, "teamId": agent.team, "teamName": team,
        "teamUuId": team_id(agent.team), "lastUpdated": iso(agent.edited), "federatedId": address(agent.id),
    })
}

fn team_id(team: u32) -> String {
    format!("11e0c0de-0000-4000-9000-{team:012x}")
}

/// A team.
pub(super) fn team(tenant: &Tenant, (number, team): (&u32, &Team)) -> Value {
    let agents = tenant.agents.values().filter(|agent| agent.team == *number).count();
    json!({
        "teamId": number, "teamUuid": team_id(*number), "teamName": team.name, "isActive": true,
        "agentCount": agents, "lastUpdateTime": iso(TimeMs::ZERO),
    })
}

/// A code among those of a team.
pub(super) fn code_of_team((number, code): (&i32, &Code)) -> Value {
    json!({
        "outstateId": number, "outstateName": code.name, "isActive": code.is_active, "isAcw": code.is_acw,
        "agentTimeoutMins": code.timeout.as_ms() / 60_000,
    })
}

/// A code among all.
pub(super) fn code((number, code): (&i32, &Code)) -> Value {
    json!({
        "id": number, "name": code.name, "isActive": code.is_active, "isACW": code.is_acw,
        "agentTimeout": code.timeout.as_ms() / 60_000,
    })
}

/// A user of the hub.
pub(super) fn user(agent: &Agent) -> Value {
    json!({
        "id": user_id(agent.id), "userName": address(agent.id), "emailAddress": address(agent.id),
        "firstName": "Agent", "lastName": format!("Number {}", agent.id),
        "status": if agent.is_active { "ACTIVE" } else { "BLOCKED" }, "teamId": team_id(agent.team),
        "externalIdentity": address(agent.id),
    })
}

/// A state, for the control endpoint.
pub(super) fn shown(shown: Shown) -> Value {
    json!({"agentStateId": shown.state, "outStateId": shown.out_state, "isACW": shown.is_acw})
}

/// What an agent is in, for the control endpoint.
pub(super) fn truth(agent: &Agent) -> Value {
    json!({
        "agentId": agent.id, "agentStateId": agent.shown.state, "outStateId": agent.shown.out_state,
        "isACW": agent.shown.is_acw, "queued": agent.queued.map(shown), "since": iso(agent.since),
    })
}

/// Leaves only the fields that were asked for, by name without regard to case.
pub(super) fn only(mut row: Value, fields: &[String]) -> Value {
    if let (false, Some(map)) = (fields.is_empty(), row.as_object_mut()) {
        map.retain(|name, _| fields.iter().any(|field| field.eq_ignore_ascii_case(name)));
    }
    row
}

/// Writes all names as older versions do, or leaves them as they are.
pub(super) fn named(value: Value, names: Names) -> Value {
    match (names, value) {
        (Names::Camel, value) => value,
        (_, Value::Object(map)) => {
            let upper = |name: String| {
                let mut letters = name.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                first.into_iter().chain(letters).collect::<String>()
            };
            let all = map.into_iter().map(|(name, value)| (upper(name), named(value, names)));
            Value::Object(all.collect::<Map<_, _>>())
        }
        (_, Value::Array(all)) => all.into_iter().map(|value| named(value, names)).collect(),
        (_, value) => value,
    }
}
