//! What queries find.

use super::super::super::ids;
use super::super::super::settings::{Settings, Variants};
use super::*;
use crate::domain::{DurationMs, SalesforceStatus};

const BEGUN: TimeMs = TimeMs::from_unix_ms(1_767_607_200_000);

/// Five users. The first three have gone to a status each, 1 s after the other; the first has left his 10 s after the begin.
fn org() -> (Records, Presence) {
    let settings = Settings { users: 5, ..Settings::default() };
    let mut records = Records::new(&settings, BEGUN);
    let mut presence = Presence::default();
    let at = |seconds| BEGUN + DurationMs::from_seconds(seconds);
    for (number, status, is_away) in [(1, 1, false), (2, 4, true), (3, 2, false)] {
        let status = SalesforceStatus::Presence(ids::status(status));
        presence.set(ids::user(number), (status, is_away), at(number as i64), &Variants::default());
    }
    presence.set(ids::user(1), (SalesforceStatus::Offline, false), at(10), &Variants::default());
    presence.use_capacity(ids::user(3), 2.5, at(20));
    if let Some(user) = records.users.get_mut(&ids::user(5)) {
        user.is_active = false;
        user.federation_id = "O'Brien_%\\".to_owned();
    }
    (records, presence)
}

/// The numbers of the records that a query finds: an id is their prefix and a number.
fn found(query: &str) -> Result<Vec<u64>, Refused> {
    let (records, presence) = org();
    let tables = Tables { records: &records, presence: &presence };
    let query = Query::new(query)?;
    let number = |id: SalesforceId| {
        let [a, b, c, ..] = id.characters();
        (0..100).find(|number| ids::numbered([a, b, c], *number) == id).unwrap()
    };
    Ok(query.run(tables).into_iter().map(number).collect())
}

#[test]
fn a_query_finds_what_its_conditions_say() {
    let long = ids::long(ids::user(2).id());
    let short = ids::user(2);
    let other = ids::user(99);
    // (query after `SELECT Id FROM`, numbers of the records)
    let cases: Vec<(String, &[u64])> = [
        ("User", &[0, 1, 2, 3, 4, 5][..]),
        ("user WHERE isactive = FALSE", &[5]),
        ("User WHERE IsActive != true", &[5]),
        ("User WHERE NOT IsActive = true", &[5]),
        ("User WHERE FederationIdentifier = null", &[0]),
        ("User WHERE FederationIdentifier != null AND IsActive = true", &[1, 2, 3, 4]),
        ("User WHERE FederationIdentifier != 'agent.293001@example.com' AND IsActive = true", &[0, 2, 3, 4]),
        ("User WHERE Email = 'AGENT.293002@example.com'", &[2]),
        ("User WHERE Name IN ('Agent Number 293001', 'agent number 293004', 'nobody')", &[1, 4]),
        ("User WHERE Name NOT IN ('Agent Number 293001', 'agent number 293004')", &[0, 2, 3, 5]),
        ("User WHERE (Name LIKE '%1' OR Name LIKE '%2') AND IsActive = true", &[1, 2]),
        ("User WHERE Name LIKE 'agent%29300_' AND (NOT Name LIKE '%3')", &[1, 2, 4, 5]),
        ("User WHERE Name LIKE 'agent'", &[]),
        (r"User WHERE FederationIdentifier = 'O\'Brien_%\\'", &[5]),
        (r"User WHERE FederationIdentifier LIKE 'o\'b%\_\%\\'", &[5]),
        (r"User WHERE FederationIdentifier LIKE '%\_\_%'", &[]),
        ("User WHERE Id > '0055g0000000003'", &[4, 5]),
        ("User ORDER BY IsActive, Name DESC", &[5, 0, 4, 3, 2, 1]),
        ("User ORDER BY FederationIdentifier", &[0, 1, 2, 3, 4, 5]),
        ("User ORDER BY FederationIdentifier ASC NULLS LAST", &[1, 2, 3, 4, 5, 0]),
        ("User ORDER BY FederationIdentifier DESC NULLS LAST LIMIT 2", &[5, 4]),
        ("User ORDER BY FederationIdentifier DESC NULLS FIRST LIMIT 2", &[0, 5]),
        ("User ORDER BY Name LIMIT 2 OFFSET 3", &[4, 5]),
        ("User LIMIT 0", &[]),
        ("UserServicePresence", &[1, 2, 3]),
        ("UserServicePresence WHERE IsCurrentState=true", &[2, 3]),
        ("UserServicePresence WHERE IsCurrentState = true AND IsAway = true", &[2]),
        ("UserServicePresence WHERE StatusEndDate = null", &[2, 3]),
        ("UserServicePresence WHERE StatusDuration >= 9 AND IdleDuration <= 9.5", &[1]),
        ("UserServicePresence WHERE AverageCapacity > 2 AND ConfiguredCapacity = 5", &[3]),
        ("UserServicePresence WHERE SystemModstamp >= 2026-01-05T10:00:10.000Z", &[1, 3]),
        ("UserServicePresence WHERE SystemModstamp >= 2026-01-05T10:00:10.001+0000", &[3]),
        ("UserServicePresence WHERE SystemModstamp < 2026-01-05T11:00:10+01:00", &[2]),
        ("UserServicePresence WHERE ServicePresenceStatus.DeveloperName = 'Available_for_Chats'", &[3]),
        ("UserServicePresence WHERE servicepresencestatus.masterlabel LIKE 'für%'", &[3]),
        ("UserServicePresence WHERE User.Email LIKE '%2@example.com'", &[2]),
        ("UserServicePresence ORDER BY ServicePresenceStatus.DeveloperName DESC", &[2, 3, 1]),
        ("ServicePresenceStatus WHERE Language = 'en_US' AND DeveloperName < 'C'", &[1, 10]),
        ("ServiceChannelStatus WHERE ServiceChannel.DeveloperName = 'Case'", &[2, 5]),
        ("ServiceChannel WHERE MasterLabel = 'Fälle'", &[2]),
    ]
    .into_iter()
    .map(|(query, numbers)| (query.to_owned(), numbers))
    .chain([
        (format!("User WHERE Id = '{long}'"), &[2][..]),
        (format!("User WHERE Id IN ('{short}', '{other}')"), &[2]),
        (format!("UserServicePresence WHERE UserId = '{short}'"), &[2]),
        (format!("UserServicePresence WHERE UserId = '{long}'"), &[2]),
    ])
    .collect();
    for (query, numbers) in cases {
        assert_eq!(found(&format!("SELECT Id FROM {query}")).as_deref(), Ok(numbers), "{query}");
    }
}

#[test]
fn what_is_asked_for_must_be_there() {
    // (query, code, what the message has in it)
    let cases = [
        ("SELECT Id FROM Account", "INVALID_TYPE", "'Account'"),
        ("SELECT Nothing FROM User", "INVALID_FIELD", "'Nothing' on entity 'User'"),
        ("SELECT Id FROM User WHERE Nothing = 1", "INVALID_FIELD", "'Nothing'"),
        ("SELECT Id FROM User ORDER BY Nothing", "INVALID_FIELD", "'Nothing'"),
        ("SELECT Account.Name FROM User", "INVALID_FIELD", "relationship 'Account'"),
        (
            "SELECT User.Profile.Name FROM UserServicePresence",
            "INVALID_FIELD",
            "'Profile.Name' on entity 'User'",
        ),
        (
            "SELECT Id FROM User WHERE IsActive = 'true'",
            "INVALID_FIELD",
            "'IsActive' must be of type boolean",
        ),
        ("SELECT Id FROM User WHERE Name = 1", "INVALID_FIELD", "'Name' must be of type string"),
        ("SELECT Id FROM User WHERE Id = 'x'", "INVALID_FIELD", "invalid ID field: x"),
        ("SELECT Id FROM User WHERE Id LIKE '005%'", "INVALID_FIELD", "invalid operator"),
        (
            "SELECT Id FROM UserServicePresence WHERE StatusStartDate > '2026-01-05T10:00:00Z'",
            "INVALID_FIELD",
            "'StatusStartDate' must be of type dateTime",
        ),
        (
            "SELECT Id FROM UserServicePresence WHERE StatusDuration = null OR AverageCapacity = true",
            "INVALID_FIELD",
            "double",
        ),
        ("SELECT Id WHERE Id = 1", "MALFORMED_QUERY", "WHERE"),
    ];
    for (query, code, message) in cases {
        let refused = found(query).unwrap_err();
        assert_eq!(refused.code, code, "{query}");
        assert!(refused.message.contains(message), "{query}: {}", refused.message);
    }
}
