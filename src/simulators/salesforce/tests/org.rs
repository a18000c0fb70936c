//! What administrators change, and what browsers of the same process do.

use std::sync::{Arc, Mutex};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::bridge::Bridge;
use super::super::handle::Org;
use super::super::ids;
use super::super::presence::{Reason, Refusal};
use super::super::settings::{BridgeKey, Variants};
use super::super::times::iso;
use super::super::world::World;
use super::{BEGUN, Rig, json_of, rsa_key, settings};
use crate::domain::SalesforceStatus;
use crate::simulators::wire::system_time;

#[test]
fn an_administrator_changes_who_may_use_what() {
    let mut rig = Rig::new(settings());
    let user = ids::long(ids::user(1).id());
    let coaching = "Coaching";
    let set = |rig: &mut Rig, status: &str| {
        rig.control(
            "POST",
            &format!("/users/{user}/status"),
            &json!({"status": status, "reason": "OmniToolkitStatusChange"}),
        )
        .status
    };
    assert_eq!((set(&mut rig, coaching), set(&mut rig, "Nothing")), (409, 400));
    let change = |rig: &mut Rig, body: &Value| rig.control("POST", &format!("/users/{user}"), body).status;
    assert_eq!(change(&mut rig, &json!({"grant": [coaching]})), 204);
    assert_eq!(set(&mut rig, coaching), 204);
    let truth = json_of(rig.control("GET", &format!("/users/{}", ids::user(1)), &Value::Null));
    assert_eq!((&truth["developerName"], &truth["since"]), (&json!(coaching), &json!(iso(BEGUN))));
    assert_eq!(
        rig.control(
            "POST",
            &format!("/statuses/{coaching}"),
            &json!({"developerName": "Tutoring", "label": "Übung"})
        )
        .status,
        204
    );
    let rows = rig.query(
        "SELECT ServicePresenceStatus.DeveloperName FROM UserServicePresence WHERE IsCurrentState = true",
    );
    assert_eq!(rows["records"][0]["ServicePresenceStatus"]["DeveloperName"], "Tutoring");
    assert_eq!(rig.control("POST", "/statuses/Tutoring", &json!({"delete": true})).status, 204);
    assert_eq!(rig.control("POST", "/statuses/Tutoring", &json!({"delete": true})).status, 404);
    assert_eq!((set(&mut rig, "Lunch"), set(&mut rig, "Tutoring")), (204, 400));
    assert_eq!(change(&mut rig, &json!({"revoke": ["On_Break"]})), 204);
    assert_eq!(set(&mut rig, "On_Break"), 409);
    assert_eq!(change(&mut rig, &json!({"isActive": false})), 204);
    assert_eq!(set(&mut rig, "Lunch"), 409);
    assert_eq!(
        rig.query("SELECT COUNT() FROM UserServicePresence WHERE IsCurrentState = true")["totalSize"],
        0
    );
    let log = json_of(rig.control("GET", "/log", &Value::Null));
    let entry =
        |at: usize| (log[at]["developerName"].clone(), log[at]["reason"].clone(), log[at]["who"].clone());
    assert_eq!(entry(0), (json!("Coaching"), json!("OmniToolkitStatusChange"), json!("control")));
    assert_eq!((entry(2).0, log.as_array().unwrap().len()), (Value::Null, 3));
    for body in [json!({"pageSize": "many"}), json!({"nothing": 1}), json!([1])] {
        assert_eq!(rig.control("POST", "/settings", &body).status, 400, "{body}");
    }
    assert_eq!(json_of(rig.control("GET", "/settings", &Value::Null)), json!(Variants::default()));
}

#[test]
fn an_administrator_makes_statuses_and_changes_addresses() {
    let mut rig = Rig::new(settings());
    let make = |rig: &mut Rig, body: &Value| rig.control("POST", "/statuses", body).status;
    let channels = "SELECT ServiceChannel.DeveloperName FROM ServiceChannelStatus WHERE ServicePresenceStatus.DeveloperName = 'Escalation'";
    let escalation =
        json!({"developerName": "Escalation", "label": "Eskalation", "channels": ["Chat", "Phone"]});
    for (body, status) in [
        (json!({"developerName": "Lunch"}), 400),
        (json!({"developerName": "Escalation", "channels": ["Fax"]}), 400),
        (json!({"label": "Eskalation"}), 400),
        (escalation.clone(), 204),
        (escalation.clone(), 400),
    ] {
        assert_eq!(make(&mut rig, &body), status, "{body}");
    }
    assert_eq!(rig.query(channels)["totalSize"], 2);
    // One that was deleted may be made again, as another one.
    assert_eq!(rig.control("POST", "/statuses/Escalation", &json!({"delete": true})).status, 204);
    assert_eq!(make(&mut rig, &escalation), 204);
    assert_eq!(rig.query(channels)["totalSize"], 2);
    let ids = rig.query("SELECT Id FROM ServicePresenceStatus");
    assert_eq!(ids["totalSize"], 12);

    let user = ids::long(ids::user(1).id());
    let email = json!({"email": "new@example.com"});
    assert_eq!(rig.control("POST", &format!("/users/{user}"), &email).status, 204);
    assert_eq!(rig.query("SELECT Id FROM User WHERE Email = 'new@example.com'")["records"][0]["Id"], user);
}

#[test]
fn browsers_in_this_process_set_and_are_told() {
    let (private, public) = rsa_key("bridge");
    let key = BridgeKey {
        pem: SecretString::from(private),
        key_id: "Lockstep_Bridge".to_owned(),
        issuer: "salesforce".to_owned(),
        audience: "lockstep-bridge".to_owned(),
    };
    let world = Arc::new(Mutex::new(World::new(settings(), system_time())));
    let org = Org::new(world, Some(Bridge::new(&key).unwrap()));
    let mut changes = org.changes();
    let user = org.users()[0].id;
    assert_eq!((org.users().len(), user, org.may_use(user).len()), (20, ids::user(1), 10));
    assert_eq!((org.current(user).status, org.current(user).row), (SalesforceStatus::Offline, None));
    let lunch = SalesforceStatus::Presence(ids::status(5));
    let row = org.set(user, lunch, Reason::Toolkit).unwrap().unwrap();
    assert_eq!((org.current(user).status, org.current(user).row), (lunch, Some((row.id, row.started))));
    assert_eq!(org.set(user, lunch, Reason::Toolkit).unwrap(), Some(row.clone()), "he is in it already");
    let coaching = SalesforceStatus::Presence(ids::status(11));
    for (who, status, refusal) in [
        (user, coaching, Refusal::NotGranted),
        (user, SalesforceStatus::Presence(ids::status(99)), Refusal::UnknownStatus),
        (ids::user(99), lunch, Refusal::UnknownUser),
    ] {
        assert_eq!(org.set(who, status, Reason::Toolkit), Err(refusal));
    }
    assert_eq!(org.set(user, SalesforceStatus::Offline, Reason::Manual), Ok(None));
    let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
    assert_eq!(
        told.iter()
            .map(|changed| (changed.user, changed.status, changed.row, changed.reason))
            .collect::<Vec<_>>(),
        [
            (user, lunch, Some(row.id), Reason::Toolkit),
            (user, SalesforceStatus::Offline, None, Reason::Manual),
        ]
    );

    let tokens = [org.bridge_token(user).unwrap().unwrap(), org.bridge_token(user).unwrap().unwrap()];
    assert_eq!(decode_header(&tokens[0]).unwrap().kid.as_deref(), Some("Lockstep_Bridge"));
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&["lockstep-bridge"]);
    validation.set_issuer(&["salesforce"]);
    let key = DecodingKey::from_rsa_pem(public.as_bytes()).unwrap();
    let [one, two] = tokens.map(|token| decode::<Value>(&token, &key, &validation).unwrap().claims);
    assert_eq!(one["sub"], ids::long(user.id()));
    assert_eq!(one["exp"].as_i64().unwrap() - one["iat"].as_i64().unwrap(), 60);
    assert_ne!(one["jti"], two["jti"]);
    let without = Org::new(Arc::new(Mutex::new(World::new(settings(), BEGUN))), None);
    assert_eq!(without.bridge_token(user).unwrap(), None);
}
