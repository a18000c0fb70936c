//! The control endpoint: what people, administrators and tests do to an org behind the API's back.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::faults::Fault;
use super::super::wire::{Reply, Request};
use super::consoles::Act;
use super::ids::long;
use super::presence::{Reason, Refusal};
use super::records::User;
use super::settings::Variants;
use super::times::iso;
use super::world::{Who, World};
use crate::domain::{PresenceStatusId, SalesforceStatus, TimeMs, UserId};

/// A status by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// Its id or developer name; null is Offline.
    status: Option<String>,
    reason: Option<Reason>,
}

/// What an administrator changes of a user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edit {
    is_active: Option<bool>,
    email: Option<String>,
    #[serde(default)]
    grant: Vec<String>,
    #[serde(default)]
    revoke: Vec<String>,
}

/// A status that an administrator makes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Made {
    developer_name: String,
    label: Option<String>,
    /// The developer names of the channels that it takes work of.
    #[serde(default)]
    channels: Vec<String>,
}

/// What an administrator changes of a status.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Renamed {
    developer_name: Option<String>,
    label: Option<String>,
    #[serde(default)]
    delete: bool,
}

/// Which sessions end.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expire {
    #[serde(default)]
    refresh_tokens: bool,
}

impl World {
    /// Answers a call of the control endpoint.
    pub(super) fn control(&mut self, request: &Request, now: TimeMs) -> Reply {
        self.go_on(now);
        let segments: Vec<&str> = request.raw_path.split('/').filter(|segment| !segment.is_empty()).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["settings"]) => Reply::json(200, json!(self.settings.variants)),
            ("POST", ["settings"]) => self.change(request),
            ("POST", ["faults"]) => request.read(|faults: Vec<Fault>| self.faults.replace(faults)),
            ("POST", ["sessions", "expire"]) => {
                let body = serde_json::from_slice::<Expire>(&request.body).unwrap_or_default();
                self.sessions.expire();
                if body.refresh_tokens {
                    self.sessions.forget_refresh_tokens();
                }
                Reply::empty(204)
            }
            ("GET", ["users"]) => {
                Reply::json(200, self.records.people().map(|user| self.truth(user)).collect())
            }
            (method, ["users", id, rest @ ..]) => {
                let id = id.parse().ok().filter(|id: &UserId| self.records.users.contains_key(id));
                match id {
                    Some(id) => self.control_user(request, (method, rest), id, now),
                    None => none_such("user"),
                }
            }
            ("GET", ["statuses"]) => Reply::json(200, self.statuses()),
            ("POST", ["statuses"]) => self.make_status(request, now),
            ("POST", ["statuses", id]) => match self.records.status(id).map(|status| status.id) {
                Some(id) => self.change_status(request, id, now),
                None => none_such("status"),
            },
            ("GET", ["consoles"]) => match self.desk.as_ref().and_then(|(desk, _)| desk.counted()) {
                Some(counted) => Reply::json(200, json!(counted)),
                None => Reply::error(404, "not_found", "there are no consoles"),
            },
            ("POST", ["consoles", id, act]) => {
                let id = id.parse().ok().filter(|id: &UserId| self.records.users.contains_key(id));
                match (id, Act::ALL.into_iter().find(|one| one.name() == *act)) {
                    (Some(id), Some(act)) => self.at_console(id, act),
                    (Some(_), None) => none_such("thing to do with a console"),
                    (None, _) => none_such("user"),
                }
            }
            ("GET", ["log"]) => Reply::json(200, self.log()),
            ("DELETE", ["log"]) => {
                self.forget_log();
                Reply::empty(204)
            }
            ("GET", ["calls"]) => Reply::json(200, self.calls()),
            ("DELETE", ["calls"]) => {
                self.forget_calls(now);
                Reply::empty(204)
            }
            _ => Reply::error(404, "not_found", "the control endpoint has no such thing"),
        }
    }

    fn at_console(&self, id: UserId, act: Act) -> Reply {
        match self.desk.as_ref().and_then(|(desk, _)| desk.act(id, act)) {
            Some(true) => Reply::empty(204),
            Some(false) => Reply::error(409, "closed", "the user has no console open"),
            None => Reply::error(404, "not_found", "there are no consoles"),
        }
    }

    fn control_user(&mut self, request: &Request, what: (&str, &[&str]), id: UserId, now: TimeMs) -> Reply {
        match what {
            ("GET", []) => match self.records.users.get(&id) {
                Some(user) => Reply::json(200, self.truth(user)),
                None => none_such("user"),
            },
            ("POST", []) => self.change_user(request, id, now),
            ("POST", ["status"]) => {
                let Chosen { status, reason } = match serde_json::from_slice(&request.body) {
                    Ok(chosen) => chosen,
                    Err(why) => return Reply::error(400, "bad_request", &why.to_string()),
                };
                let status = match status.map(|text| self.records.status(&text).map(|status| status.id)) {
                    None => SalesforceStatus::Offline,
                    Some(Some(id)) => SalesforceStatus::Presence(id),
                    Some(None) => return refused(Refusal::UnknownStatus),
                };
                match self.set(id, status, (reason.unwrap_or(Reason::Manual), Who::Control), now) {
                    Ok(_) => Reply::empty(204),
                    Err(refusal) => refused(refusal),
                }
            }
            _ => Reply::error(404, "not_found", "the control endpoint has no such thing"),
        }
    }

    /// In what a user is, and what he may use.
    fn truth(&self, user: &User) -> Value {
        let row = self.presence.of(user.id);
        let status = row.and_then(|row| self.records.statuses.get(&row.status));
        let may_use: Vec<&str> =
            self.records.may_use(user.id).map(|status| status.developer_name.as_str()).collect();
        json!({
            "id": long(user.id.id()), "username": user.username, "email": user.email,
            "isActive": user.is_active, "status": row.map(|row| long(row.status.id())),
            "developerName": status.map(|status| &status.developer_name),
            "row": row.map(|row| long(row.id.id())), "since": row.map(|row| iso(row.started)),
            "mayUse": may_use,
        })
    }

    fn statuses(&self) -> Value {
        let status = |status: &super::records::Status| {
            json!({
                "id": long(status.id.id()), "developerName": status.developer_name, "label": status.label,
                "language": status.language, "isDeleted": status.is_deleted,
                "hasChannels": self.records.has_channels(status.id),
            })
        };
        self.records.statuses.values().map(status).collect()
    }

    /// Any of the settings; the others stay.
    fn change(&mut self, request: &Request) -> Reply {
        let mut variants = json!(self.settings.variants);
        let changes = match serde_json::from_slice::<Value>(&request.body) {
            Ok(Value::Object(changes)) => changes,
            Ok(_) => return Reply::error(400, "bad_request", "the settings are an object"),
            Err(why) => return Reply::error(400, "bad_request", &why.to_string()),
        };
        if let Some(variants) = variants.as_object_mut() {
            variants.extend(changes);
        }
        match serde_json::from_value::<Variants>(variants) {
            Ok(variants) => {
                self.settings.variants = variants;
                Reply::empty(204)
            }
            Err(why) => Reply::error(400, "bad_request", &why.to_string()),
        }
    }

    fn change_user(&mut self, request: &Request, id: UserId, now: TimeMs) -> Reply {
        let Edit { is_active, email, grant, revoke } = match serde_json::from_slice(&request.body) {
            Ok(edit) => edit,
            Err(why) => return Reply::error(400, "bad_request", &why.to_string()),
        };
        let ids = |names: &[String]| -> Option<Vec<PresenceStatusId>> {
            names.iter().map(|name| self.records.status(name).map(|status| status.id)).collect()
        };
        let (Some(grant), Some(revoke)) = (ids(&grant), ids(&revoke)) else {
            return refused(Refusal::UnknownStatus);
        };
        if let Some(user) = self.records.users.get_mut(&id) {
            user.granted.extend(grant);
            user.granted.retain(|status| !revoke.contains(status));
            if is_active.is_some_and(|is_active| is_active != user.is_active) {
                user.is_active = !user.is_active;
                user.modified = now;
            }
            if let Some(email) = email {
                user.email = email;
                user.modified = now;
            }
        }
        // Who may not log in any more is logged out.
        let ended = if is_active == Some(false) {
            self.set(id, SalesforceStatus::Offline, (Reason::Supervisor, Who::Control), now).map(|_| ())
        } else {
            Ok(())
        };
        ended.map_or_else(refused, |()| Reply::empty(204))
    }

    fn make_status(&mut self, request: &Request, now: TimeMs) -> Reply {
        let Made { developer_name, label, channels } = match serde_json::from_slice(&request.body) {
            Ok(made) => made,
            Err(why) => return Reply::error(400, "bad_request", &why.to_string()),
        };
        match self.records.make_status((developer_name, label), &channels, now) {
            Ok(()) => Reply::empty(204),
            Err(why) => Reply::error(400, "refused", why),
        }
    }

    fn change_status(&mut self, request: &Request, id: PresenceStatusId, now: TimeMs) -> Reply {
        let records = &mut self.records;
        request.read(|Renamed { developer_name, label, delete }| {
            if delete {
                // Its channels go with it.
                records.channel_statuses.retain(|_, row| row.status != id);
            }
            if let Some(status) = records.statuses.get_mut(&id) {
                status.developer_name =
                    developer_name.unwrap_or_else(|| std::mem::take(&mut status.developer_name));
                status.label = label.unwrap_or_else(|| std::mem::take(&mut status.label));
                status.is_deleted = delete;
                status.modified = now;
            }
        })
    }
}

fn none_such(what: &str) -> Reply {
    Reply::error(404, "not_found", &format!("there is no such {what}"))
}

fn refused(refusal: Refusal) -> Reply {
    let status = match refusal {
        Refusal::UnknownUser => 404,
        Refusal::UnknownStatus => 400,
        Refusal::Inactive | Refusal::NotGranted => 409,
    };
    Reply::error(status, "refused", &refusal.to_string())
}
