//! Queries, records, limits, and what is not there.

use serde_json::{Value, json};

use super::super::ids;
use super::super::times::iso;
use super::{BEGUN, Rig, client_credentials, header, json_of, settings};
use crate::domain::DurationMs;
use crate::simulators::wire::Body;

#[test]
fn a_session_ends_after_a_rest_and_on_demand() {
    let mut rig = Rig::new(settings());
    rig.settings(&json!({"sessionSeconds": 60}));
    for _ in 0..3 {
        rig.later(60);
        assert_eq!(rig.call("GET", "/services/data/v62.0/limits", "").status, 200);
    }
    rig.later(61);
    let reply = rig.call("GET", "/services/data/v62.0/limits", "");
    assert_eq!((reply.status, header(&reply, "sforce-limit-info")), (401, None));
    let told = json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]);
    assert_eq!(json_of(reply), told);
    rig.token = rig.token(&client_credentials())["access_token"].as_str().unwrap().to_owned();
    assert_eq!(rig.call("GET", "/services/data/v62.0/limits", "").status, 200);
    let oauth = Some(format!("OAuth {}", rig.token));
    assert_eq!(rig.ask("GET", "/services/data/v62.0/limits/", oauth, "").status, 200);
    for authorization in [None, Some("Bearer x".to_owned()), Some(format!("Basic {}", rig.token))] {
        assert_eq!(rig.ask("GET", "/services/data/v62.0/limits", authorization, "").status, 401);
    }
    rig.control("POST", "/sessions/expire", &Value::Null);
    assert_eq!(rig.call("GET", "/services/data/v62.0/limits", "").status, 401);
}

#[test]
fn a_query_has_pages() {
    let mut rig = Rig::new(settings());
    rig.settings(&json!({"pageSize": 8}));
    let ids_of = |page: &Value| -> Vec<String> {
        let records = page["records"].as_array().unwrap().iter();
        records.map(|record| record["Id"].as_str().unwrap().to_owned()).collect()
    };
    let mut page = rig.query("SELECT Id, Name FROM User ORDER BY Name");
    let mut pages = vec![ids_of(&page)];
    while page["done"] == json!(false) {
        assert_eq!(page["totalSize"], 21);
        let next = page["nextRecordsUrl"].as_str().unwrap().to_owned();
        assert!(next.starts_with("/services/data/v62.0/query/01g"), "{next}");
        page = json_of(rig.call("GET", &next, ""));
        pages.push(ids_of(&page));
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 5]);
    let all: std::collections::BTreeSet<&String> = pages.iter().flatten().collect();
    assert_eq!((all.len(), page.get("nextRecordsUrl")), (21, None));
    for place in ["01g5g0000000001-8000", "01g5g0000000009-8", "01g5g0000000001", "x-8", "01g5g0000000001--8"]
    {
        let reply = rig.call("GET", &format!("/services/data/v62.0/query/{place}"), "");
        assert_eq!(
            (reply.status, &json_of(reply)[0]["errorCode"]),
            (400, &json!("INVALID_QUERY_LOCATOR")),
            "{place}"
        );
    }
    // A page that comes again, or is left out, is noticed by its records alone.
    let first = rig.query("SELECT Id FROM User ORDER BY Name");
    let next = first["nextRecordsUrl"].as_str().unwrap().to_owned();
    for (kind, expected) in [("repeat", 0), ("skip", 2)] {
        rig.control("POST", "/faults", &json!([{"path": "/query", "kind": kind, "count": 1}]));
        let second = json_of(rig.call("GET", &next, ""));
        assert_eq!(ids_of(&second), pages[expected], "{kind}");
    }
    assert_eq!(rig.query("SELECT COUNT() FROM User"), json!({"totalSize": 21, "done": true, "records": []}));
}

#[test]
fn a_record_shows_its_fields_and_those_of_others() {
    let mut rig = Rig::new(settings());
    let user = ids::long(ids::user(1).id());
    for (at, status) in [(1, json!("On_Break")), (11, json!("Available_for_Chats"))] {
        rig.now = BEGUN + DurationMs::from_seconds(at);
        let set = rig.control("POST", &format!("/users/{user}/status"), &json!({"status": status}));
        assert_eq!(set.status, 204);
    }
    let rows = rig.query(
        "SELECT Id, userid, ServicePresenceStatus.DeveloperName, ServicePresenceStatus.MasterLabel, IsAway, \
         StatusStartDate, StatusEndDate, StatusDuration, AverageCapacity FROM UserServicePresence",
    );
    let status = ids::long(ids::status(4).id());
    let row = ids::long(ids::row(1).id());
    assert_eq!(
        rows["records"][0],
        json!({
            "attributes": {
                "type": "UserServicePresence", "url": format!("/services/data/v62.0/sobjects/UserServicePresence/{row}"),
            },
            "Id": row, "UserId": user, "IsAway": true, "AverageCapacity": 0.0, "StatusDuration": 10,
            "StatusStartDate": "2026-01-05T10:00:01.000+0000", "StatusEndDate": "2026-01-05T10:00:11.000+0000",
            "ServicePresenceStatus": {
                "attributes": {
                    "type": "ServicePresenceStatus",
                    "url": format!("/services/data/v62.0/sobjects/ServicePresenceStatus/{status}"),
                },
                "DeveloperName": "On_Break", "MasterLabel": "Pause",
            },
        })
    );
    assert_eq!(
        (&rows["records"][1]["StatusEndDate"], &rows["records"][1]["IsAway"]),
        (&Value::Null, &json!(false))
    );
    // A record by its id, in either form.
    let short = ids::row(1).to_string();
    let path = format!("/services/data/v62.0/sobjects/UserServicePresence/{short}");
    let whole = json_of(rig.call("GET", &path, ""));
    assert_eq!(
        (&whole["Id"], &whole["OwnerId"], &whole["IsCurrentState"]),
        (&json!(row), &json!(user), &json!(false))
    );
    assert!(whole["ConfiguredInterruptCapacity"].is_number() && whole["Name"].is_string());
    let some = json_of(rig.call("GET", &(path.clone() + "?fields=Id,IsAway"), ""));
    assert_eq!(some.as_object().unwrap().len(), 3);
    // No call writes presence; what was deleted is told.
    for (method, path) in
        [("POST", "/services/data/v62.0/sobjects/UserServicePresence"), ("PATCH", path.as_str())]
    {
        let reply = rig.call(method, path, "{}");
        let code = json_of(reply.clone())[0]["errorCode"].clone();
        assert_eq!((reply.status, code), (400, json!("INVALID_TYPE_FOR_OPERATION")), "{method}");
    }
    rig.later(60);
    assert_eq!(rig.call("DELETE", &path, "").status, 204);
    assert_eq!(rig.call("GET", &path, "").status, 404);
    let within = format!(
        "start={}&end={}",
        iso(BEGUN).replace('+', "%2B"),
        iso(BEGUN + DurationMs::from_seconds(3_600)).replace('+', "%2B")
    );
    let list = |rig: &mut Rig, what: &str, within: &str| {
        let path = format!("/services/data/v62.0/sobjects/UserServicePresence/{what}?{within}");
        json_of(rig.call("GET", &path, ""))
    };
    let second = ids::long(ids::row(2).id());
    assert_eq!(list(&mut rig, "updated/", &within)["ids"], json!([second]));
    let deleted = list(&mut rig, "deleted/", &within);
    assert_eq!(
        deleted["deletedRecords"],
        json!([{"id": row, "deletedDate": "2026-01-05T10:01:11.000+0000"}])
    );
    assert_eq!(list(&mut rig, "updated", "start=now")[0]["errorCode"], "MALFORMED_QUERY");
}

#[test]
fn calls_are_counted_and_run_out() {
    let mut rig = Rig::new(settings());
    let limits = |rig: &mut Rig| rig.call("GET", "/services/data/v62.0/limits", "");
    let reply = limits(&mut rig);
    assert_eq!(header(&reply, "sforce-limit-info"), Some("api-usage=1/120000"));
    assert_eq!(json_of(reply)["DailyApiRequests"], json!({"Max": 120_000, "Remaining": 119_999}));
    rig.settings(&json!({"dailyRequests": 3}));
    // Twenty-five calls in one are one.
    let calls: Vec<Value> = (0..25)
        .map(|n| json!({"method": "GET", "url": "/services/data/v62.0/query/?q=SELECT+COUNT()+FROM+User", "referenceId": format!("r{n}")}))
        .collect();
    let body = json!({"compositeRequest": calls}).to_string();
    let reply = rig.call("POST", "/services/data/v62.0/composite", body);
    assert_eq!(header(&reply, "sforce-limit-info"), Some("api-usage=2/3"));
    let answers = json_of(reply);
    assert_eq!(answers["compositeResponse"].as_array().unwrap().len(), 25);
    assert_eq!(answers["compositeResponse"][24]["referenceId"], "r24");
    assert_eq!(answers["compositeResponse"][24]["body"]["totalSize"], 21);
    // A refused query counts, too.
    let reply = rig.call("GET", "/services/data/v62.0/query?q=SELECT", "");
    assert_eq!((reply.status, header(&reply, "sforce-limit-info")), (400, Some("api-usage=3/3")));
    let reply = limits(&mut rig);
    assert_eq!((reply.status, header(&reply, "sforce-limit-info")), (403, Some("api-usage=3/3")));
    let told = json!([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]);
    assert_eq!(json_of(reply), told);
    let calls = json_of(rig.control("GET", "/calls", &Value::Null));
    assert_eq!(calls["calls"]["GET /services/data/v62.0/limits"], 2);
    rig.later(86_400);
    rig.token = rig.token(&client_credentials())["access_token"].as_str().unwrap().to_owned();
    assert_eq!(limits(&mut rig).status, 200, "another day");
}

#[test]
fn calls_in_one_fail_alone_or_all_together() {
    let mut rig = Rig::new(settings());
    let good = json!({"method": "GET", "url": "/services/data/v62.0/query?q=SELECT+Id+FROM+User+LIMIT+1", "referenceId": "good"});
    let bad = json!({"method": "GET", "url": "/services/data/v62.0/query?q=SELECT+Id+FROM+Nothing", "referenceId": "bad"});
    let statuses = |rig: &mut Rig, all_or_none: bool| -> Vec<u64> {
        let body = json!({"allOrNone": all_or_none, "compositeRequest": [good, bad]}).to_string();
        let answers = json_of(rig.call("POST", "/services/data/v62.0/composite/", body));
        let answers = answers["compositeResponse"].as_array().unwrap().iter();
        answers.map(|answer| answer["httpStatusCode"].as_u64().unwrap()).collect()
    };
    assert_eq!(statuses(&mut rig, false), [200, 400]);
    assert_eq!(statuses(&mut rig, true), [400, 400]);
    let many: Vec<Value> = (0..26).map(|_| good.clone()).collect();
    for body in [
        json!({"compositeRequest": many}),
        json!({"compositeRequest": []}),
        json!({"compositeRequest": [good, good]}),
        json!([]),
    ] {
        assert_eq!(
            rig.call("POST", "/services/data/v62.0/composite", body.to_string()).status,
            400,
            "{body}"
        );
    }
}

#[test]
fn what_is_not_there_is_404() {
    let mut rig = Rig::new(settings());
    for path in [
        "/services/data/v62.0/nothing",
        "/services/data/v62.0/sobjects/Account/001000000000001",
        "/services/data/v62.0/sobjects/UserServicePresence/0Ps5g0000000999",
        "/services/data/v68.0/limits",
        "/services/data/v62.5/limits",
        "/nothing",
    ] {
        let reply = rig.call("GET", path, "");
        assert_eq!((reply.status, &json_of(reply)[0]["errorCode"]), (404, &json!("NOT_FOUND")), "{path}");
    }
    assert_eq!(rig.call("PUT", "/services/data/v62.0/limits", "").status, 405);
    let versions = json_of(rig.ask("GET", "/services/data/", None, ""));
    assert!(
        versions
            .as_array()
            .unwrap()
            .contains(&json!({"label": "Winter '25", "url": "/services/data/v62.0", "version": "62.0"}))
    );
    // What fails on demand says so as Salesforce does.
    rig.control(
        "POST",
        "/faults",
        &json!([{"path": "/query", "kind": "status", "status": 503, "retryAfter": "2", "count": 1}]),
    );
    let reply = rig.call("GET", "/services/data/v62.0/query?q=x", "");
    assert_eq!((reply.status, header(&reply, "retry-after")), (503, Some("2")));
    assert_eq!(json_of(reply)[0]["errorCode"], "SERVER_UNAVAILABLE");
    rig.control("POST", "/faults", &json!([{"kind": "html", "status": 420, "count": 1}]));
    let reply = rig.call("GET", "/services/data/v62.0/limits", "");
    assert_eq!((reply.status, reply.body), (420, Body::Html));
}
