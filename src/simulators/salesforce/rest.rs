//! REST: versions, queries and their pages, records, limits, calls in one.

use serde_json::{Map, Value, json};

use super::super::faults::Kind;
use super::super::wire::{Body, Reply, Request};
use super::ids::{locator, long};
use super::soql::{Cell, Object, Path, Query, Record, Refused, Tables};
use super::times::{iso, of_iso};
use super::world::World;
use crate::domain::{RowId, SalesforceId, TimeMs};

/// The versions that there are.
const VERSIONS: std::ops::RangeInclusive<u16> = 32..=67;
/// So many queries are open; the oldest go first.
const CURSORS_MAX: usize = 1_000;
/// So many calls may be in one.
const CALLS_IN_ONE_MAX: usize = 25;
/// Deliveries a day and publications an hour, as Enterprise has them.
const DELIVERIES: u64 = 25_000;
const PUBLICATIONS: u64 = 250_000;

/// A query of which not every page was read.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    object: Object,
    select: Vec<Path>,
    found: Vec<SalesforceId>,
}

/// An error, as every one is told.
pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, json!([{"message": message, "errorCode": code}]))
}

pub(super) fn not_found() -> Reply {
    error(404, "NOT_FOUND", "The requested resource does not exist")
}

pub(super) fn expired() -> Reply {
    error(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

fn other_method(method: &str) -> Reply {
    error(405, "METHOD_NOT_ALLOWED", &format!("HTTP Method '{method}' not allowed"))
}

/// An error that a fault asks for, with the code that Salesforce has for its status.
fn failed(status: u16) -> Reply {
    let code = match status {
        401 => return expired(),
        403 => "REQUEST_LIMIT_EXCEEDED",
        404 => "NOT_FOUND",
        503 => "SERVER_UNAVAILABLE",
        _ => "UNKNOWN_EXCEPTION",
    };
    error(status, code, "a fault that was asked for")
}

fn refused(Refused { code, message }: Refused) -> Reply {
    error(400, code, &message)
}

/// A call of the API, or one in another.
struct Call<'c> {
    method: &'c str,
    request: &'c Request,
    met: &'c [Kind],
    now: TimeMs,
}

impl World {
    /// Answers a call.
    pub(super) fn answer(&mut self, request: &Request, now: TimeMs) -> Reply {
        self.go_on(now);
        self.count(&request.method, &request.raw_path);
        let met = self.faults.meet(&request.path);
        let mut reply = match met.iter().find_map(|kind| kind.instead(failed)) {
            Some(reply) => reply,
            None => self.route(request, &met, now),
        };
        reply.spoil(&met);
        reply
    }

    fn route(&mut self, request: &Request, met: &[Kind], now: TimeMs) -> Reply {
        let path: Vec<&str> = segments(&request.path);
        match path.as_slice() {
            ["services", "oauth2", path @ ..] => self.oauth(request, path, now),
            ["services", "data"] if request.method == "GET" => Reply::json(200, versions()),
            ["services", "data"] => other_method(&request.method),
            ["services", "data", ..] => self.data(request, met, now),
            _ => not_found(),
        }
    }

    /// A call with data: somebody makes it, and it is counted.
    fn data(&mut self, request: &Request, met: &[Kind], now: TimeMs) -> Reply {
        let seconds = self.settings.variants.session_seconds;
        let user = self.sessions.user(request.authorization.as_deref(), (now, seconds));
        let is_in = user.and_then(|user| self.records.users.get(&user)).is_some_and(|user| user.is_active);
        if !is_in {
            return expired();
        }
        let reply = if self.use_one() {
            self.resource(&Call { method: &request.method, request, met, now })
        } else {
            error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        };
        reply.with("sforce-limit-info", format!("api-usage={}/{}", self.used(), self.allowed()))
    }

    fn resource(&mut self, call: &Call<'_>) -> Reply {
        // Names in any case, ids as they are.
        let (path, raw) = (segments(&call.request.path), segments(&call.request.raw_path));
        let ([_, _, version, path @ ..], [_, _, _, raw @ ..]) = (path.as_slice(), raw.as_slice()) else {
            return not_found();
        };
        let Some(version) = version_of(version) else { return not_found() };
        match (call.method, path, raw) {
            ("GET", ["query"], _) => self.query(call, version),
            ("GET", ["query", _], [_, place]) => self.more(call, version, place),
            ("GET", ["limits"], _) => Reply::json(200, self.limits()),
            ("POST", ["composite"], _) => self.composite(call),
            (_, ["sobjects", ..], [_, object, rest @ ..]) => match Object::of(object) {
                Some(object) => self.sobject(call, (version, object), rest),
                None => not_found(),
            },
            (method, ["query" | "limits" | "composite"] | ["query", _], _) => other_method(method),
            _ => not_found(),
        }
    }

    fn tables(&self) -> Tables<'_> {
        Tables { records: &self.records, presence: &self.presence }
    }

    fn limits(&self) -> Value {
        let whole = |max: u64| json!({"Max": max, "Remaining": max});
        let left = self.allowed().saturating_sub(self.used());
        json!({
            "DailyApiRequests": {"Max": self.allowed(), "Remaining": left},
            "HourlyPublishedPlatformEvents": whole(PUBLICATIONS),
            "DailyDeliveredPlatformEvents": whole(DELIVERIES),
        })
    }

    fn query(&mut self, call: &Call<'_>, version: u16) -> Reply {
        let Some(text) = call.request.query.get("q") else {
            return error(400, "MALFORMED_QUERY", "A query string has to be specified");
        };
        let query = match Query::new(text) {
            Ok(query) => query,
            Err(why) => return refused(why),
        };
        let found = query.run(self.tables());
        let Some(select) = query.select else {
            return Reply::json(200, json!({"totalSize": found.len(), "done": true, "records": []}));
        };
        self.queries += 1;
        let id = locator(self.queries);
        let cursor = Cursor { object: query.object, select, found };
        let reply = self.page(call, version, (id, &cursor), 0);
        if cursor.found.len() > self.page_size() {
            self.cursors.insert(id, cursor);
            while self.cursors.len() > CURSORS_MAX {
                self.cursors.pop_first();
            }
        }
        reply
    }

    fn page_size(&self) -> usize {
        self.settings.variants.page_size.max(1)
    }

    /// Another page: its place is told by the page before.
    fn more(&self, call: &Call<'_>, version: u16, place: &str) -> Reply {
        let place = place.split_once('-').and_then(|(id, at)| {
            let id: SalesforceId = id.parse().ok()?;
            Some((id, self.cursors.get(&id)?, at.parse::<usize>().ok()?))
        });
        match place.filter(|(_, cursor, at)| *at < cursor.found.len()) {
            Some((id, cursor, at)) => self.page(call, version, (id, cursor), at),
            None => error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
        }
    }

    /// The records from a place on.
    fn page(&self, call: &Call<'_>, version: u16, (id, cursor): (SalesforceId, &Cursor), at: usize) -> Reply {
        let (size, total) = (self.page_size(), cursor.found.len());
        // A page that is left out is passed over; one that comes again comes in place of another.
        let skips = if call.met.contains(&Kind::Skip) { size } else { 0 };
        let repeats = if call.met.contains(&Kind::Repeat) { size } else { 0 };
        let end = at.saturating_add(size).saturating_add(skips).min(total);
        let begin = (at + skips).saturating_sub(repeats).min(total);
        let shown = cursor.found.get(begin..(begin + size).min(total)).unwrap_or_default();
        let tables = self.tables();
        let shown = shown.iter().filter_map(|id| tables.find(cursor.object, *id));
        let records: Vec<Value> = shown
            .map(|record| record_json(tables, version, (cursor.object, record), &cursor.select))
            .collect();
        let mut page = json!({"totalSize": total, "done": end >= total, "records": records});
        if let (true, Some(page)) = (end < total, page.as_object_mut()) {
            let next = format!("/services/data/v{version}.0/query/{}-{end}", long(id));
            page.insert("nextRecordsUrl".to_owned(), next.into());
        }
        Reply::json(200, page)
    }

    /// Up to 25 calls, which are one.
    fn composite(&mut self, call: &Call<'_>) -> Reply {
        let body: Value = match serde_json::from_slice(&call.request.body) {
            Ok(body) => body,
            Err(why) => return error(400, "JSON_PARSER_ERROR", &why.to_string()),
        };
        let calls = body.get("compositeRequest").and_then(Value::as_array);
        let Some(calls) = calls.filter(|calls| !calls.is_empty() && calls.len() <= CALLS_IN_ONE_MAX) else {
            let why = format!("compositeRequest must have 1 to {CALLS_IN_ONE_MAX} calls");
            return error(400, "INVALID_INPUT", &why);
        };
        let text =
            |call: &Value, name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let names: std::collections::BTreeSet<String> =
            calls.iter().map(|one| text(one, "referenceId")).collect();
        if names.len() < calls.len() || names.contains("") {
            return error(400, "INVALID_INPUT", "each call must have a referenceId of its own");
        }
        let mut answers: Vec<(String, u16, Value)> = Vec::new();
        for one in calls {
            let reply = self.one_of_many(call, &text(one, "method"), &text(one, "url"));
            let body = match reply.body {
                Body::Json(body) => body,
                Body::None | Body::Html => Value::Null,
            };
            answers.push((text(one, "referenceId"), reply.status, body));
        }
        let is_all_or_none = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
        if is_all_or_none && answers.iter().any(|(_, status, _)| *status >= 400) {
            let halted = json!([{
                "errorCode": "PROCESSING_HALTED",
                "message": "The transaction was rolled back since another operation in the same transaction failed.",
            }]);
            for (_, status, body) in answers.iter_mut().filter(|(_, status, _)| *status < 400) {
                (*status, *body) = (400, halted.clone());
            }
        }
        let answers: Vec<Value> = answers
            .into_iter()
            .map(|(name, status, body)| {
                json!({"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": name})
            })
            .collect();
        Reply::json(200, json!({"compositeResponse": answers}))
    }

    /// One of the calls in one: it only reads.
    fn one_of_many(&mut self, call: &Call<'_>, method: &str, url: &str) -> Reply {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let query = url::form_urlencoded::parse(query.as_bytes());
        let query = query.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect();
        let raw_path = path.to_owned();
        let request = Request { path: path.to_ascii_lowercase(), raw_path, query, ..Request::default() };
        match segments(&request.path).as_slice() {
            ["services", "data", _, "query" | "sobjects", ..] if method == "GET" => {
                self.resource(&Call { method, request: &request, ..*call })
            }
            _ => not_found(),
        }
    }

    fn sobject(&mut self, call: &Call<'_>, (version, object): (u16, Object), rest: &[&str]) -> Reply {
        match (call.method, rest) {
            ("POST", []) | ("PATCH" | "PUT", [_]) if object == Object::Presence => {
                let why = "entity type UserServicePresence does not support create or update";
                error(400, "INVALID_TYPE_FOR_OPERATION", why)
            }
            ("GET", ["updated"]) if object == Object::Presence => self.updated(call, false),
            ("GET", ["deleted"]) if object == Object::Presence => self.updated(call, true),
            ("GET", [id]) => {
                let fields = match asked_fields(object, call.request.query.get("fields")) {
                    Ok(fields) => fields,
                    Err(why) => return refused(why),
                };
                let record = id.parse().ok().and_then(|id| self.tables().find(object, id));
                record.map_or_else(not_found, |record| {
                    Reply::json(200, record_json(self.tables(), version, (object, record), &fields))
                })
            }
            ("DELETE", [id]) if object == Object::Presence => {
                match id.parse().is_ok_and(|id: RowId| self.presence.delete(id, call.now)) {
                    true => Reply::empty(204),
                    false => error(404, "NOT_FOUND", "The requested resource does not exist"),
                }
            }
            (method, [] | [_]) => other_method(method),
            _ => not_found(),
        }
    }

    /// Which rows were changed, or deleted, within a time.
    fn updated(&self, call: &Call<'_>, is_deleted: bool) -> Reply {
        let at = |name: &str| call.request.query.get(name).and_then(|text| of_iso(text));
        let (Some(start), Some(end)) = (at("start"), at("end")) else {
            return error(400, "MALFORMED_QUERY", "start and end must be times with an offset");
        };
        if end <= start {
            return error(400, "INVALID_REPLICATION_DATE", "end must be after start");
        }
        let is_within = |at: TimeMs| at >= start && at < end;
        let rows = self.presence.rows.values();
        let rows = rows.filter(|row| row.is_deleted == is_deleted && is_within(row.modified));
        let covered = iso(end.min(call.now));
        if !is_deleted {
            let ids: Vec<String> = rows.map(|row| long(row.id.id())).collect();
            return Reply::json(200, json!({"ids": ids, "latestDateCovered": covered}));
        }
        let rows: Vec<Value> =
            rows.map(|row| json!({"id": long(row.id.id()), "deletedDate": iso(row.modified)})).collect();
        let earliest = iso(self.records.created);
        Reply::json(
            200,
            json!({"deletedRecords": rows, "earliestDateAvailable": earliest, "latestDateCovered": covered}),
        )
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

/// `v62.0`
fn version_of(text: &str) -> Option<u16> {
    let number = text.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()?;
    VERSIONS.contains(&number).then_some(number)
}

/// The versions, named as Salesforce names its releases: three a year, and 32 was the first of '15.
fn versions() -> Value {
    let version = |number: u16| {
        let since = number.saturating_sub(*VERSIONS.start());
        let season = match since % 3 {
            0 => "Winter",
            1 => "Spring",
            _ => "Summer",
        };
        let url = format!("/services/data/v{number}.0");
        json!({"label": format!("{season} '{}", 15 + since / 3), "url": url, "version": format!("{number}.0")})
    };
    VERSIONS.map(version).collect()
}

/// The fields that a record is asked for; all, where none is named.
fn asked_fields(object: Object, named: Option<&String>) -> Result<Vec<Path>, Refused> {
    match named {
        None => Ok(Query::all_fields(object)),
        Some(named) => named.split(',').map(|name| Path::new(object, name.trim())).collect(),
    }
}

/// A record as answers show it. Fields of others stand in an object of their own.
fn record_json(
    tables: Tables<'_>,
    version: u16,
    (object, record): (Object, Record<'_>),
    paths: &[Path],
) -> Value {
    let attributes = |object: Object, record: Record<'_>| {
        let (kind, id) = (object.name(), long(record.id()));
        json!({"type": kind, "url": format!("/services/data/v{version}.0/sobjects/{kind}/{id}")})
    };
    let mut shown = Map::new();
    shown.insert("attributes".to_owned(), attributes(object, record));
    for path in paths {
        let value = cell_json(&tables.cell(record, path));
        match path.way {
            None => shown.insert(path.name.to_owned(), value),
            Some(way) => match tables.follow(record, way) {
                None => shown.insert(way.0.to_owned(), Value::Null),
                Some(other) => {
                    let one = || json!({"attributes": attributes(way.2, other)});
                    let there = shown.entry(way.0).or_insert_with(one).as_object_mut();
                    there.and_then(|there| there.insert(path.name.to_owned(), value))
                }
            },
        };
    }
    Value::Object(shown)
}

fn cell_json(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(value) => (*value).into(),
        Cell::Whole(number) => (*number).into(),
        Cell::Number(number) => (*number).into(),
        Cell::Time(at) => iso(*at).into(),
        Cell::Id(id) => long(*id).into(),
        Cell::Text(text) => text.as_ref().into(),
    }
}
