//! What is read of an org: who is in what, which statuses there are, who there is, and what is left of its allowances.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::error::Error;
use super::org::{Org, USERS};
use super::wire;
use crate::connectors::http::odd;
use crate::domain::{PresenceStatusId, RowId, TimeMs, UserId};

const FIELDS: &str =
    "Id,UserId,ServicePresenceStatusId,IsCurrentState,StatusStartDate,StatusEndDate,SystemModstamp";

const USERS_QUERY: &str = "SELECT Id,Username,Email,FederationIdentifier,IsActive FROM User";
/// So many users are named in one query: an address may not be much longer.
const USERS_AT_ONCE: usize = 200;

/// A row of `UserServicePresence`: a stay of a user in a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row.
    pub id: RowId,
    /// The user.
    pub user: UserId,
    /// The status.
    pub status: PresenceStatusId,
    /// Whether he is in it still. A stale row may say so of one who is not.
    pub is_current: bool,
    /// Since when, by the platform's clock.
    pub started: TimeMs,
    /// Until when; none while he is in it.
    pub ended: Option<TimeMs>,
    /// When the row was changed last, for whatever cause.
    pub modified: TimeMs,
}

/// What was read of who is in what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// The rows.
    pub rows: Vec<Row>,
    /// Those that cannot be read, as they came. They have ids and times in them, and no names.
    pub unreadable: Vec<String>,
}

/// A presence status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEntry {
    /// Its id.
    pub status: PresenceStatusId,
    /// What programs call it.
    pub developer_name: String,
    /// What people call it.
    pub label: String,
    /// What programs call the service channels that it takes work of, sorted: it is online where it has any, and busy where it
    /// has none.
    pub channels: Vec<String>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry {
    /// His id.
    pub user: UserId,
    /// How he logs in.
    pub user_name: String,
    /// His address.
    pub email: String,
    /// How another directory calls him.
    pub federation_id: Option<String>,
    /// Whether he can log in.
    pub is_active: bool,
}

/// How much of something there may be, and is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// So much there may be.
    pub max: u64,
    /// So much is left.
    pub remaining: u64,
}

/// What is left of the org's allowances; none where it does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowances {
    /// API calls of a day.
    pub daily_api_requests: Option<Allowance>,
    /// Platform events that are published in an hour.
    pub hourly_published_events: Option<Allowance>,
    /// Platform events that are delivered in a day, to all who listen together.
    pub daily_delivered_events: Option<Allowance>,
}

impl From<wire::Left> for Allowance {
    fn from(left: wire::Left) -> Allowance {
        Allowance { max: left.max, remaining: left.remaining }
    }
}

impl Org {
    /// Who is in what now: who is in nothing is offline. With a time also the rows that ended since, which are changed
    /// when they end; all of it in one call. Those that ended are found first: who changes in between has his new row, and
    /// his old one the next time.
    ///
    /// # Errors
    /// A call failed: nothing is known.
    pub async fn snapshot(&self, ended_since: Option<TimeMs>) -> Result<Presence, Error> {
        const CALL: &str = "snapshot";
        let current = format!("SELECT {FIELDS} FROM UserServicePresence WHERE IsCurrentState=true");
        let ended = ended_since.map(|since| {
            let since = wire::literal(since);
            format!("SELECT {FIELDS} FROM UserServicePresence WHERE IsCurrentState=false AND SystemModstamp>={since}")
        });
        let mut queries: Vec<_> = ended.as_deref().map(|ended| ("ended", ended)).into_iter().collect();
        queries.push(("current", &current));
        presence(CALL, self.queries(CALL, &queries).await?)
    }

    /// Rows that were changed since then, whoever they are of. What is changed while it is read may be told only the next
    /// time, so that times should overlap.
    ///
    /// # Errors
    /// A call failed: nothing is known.
    pub async fn changes(&self, since: TimeMs) -> Result<Presence, Error> {
        const CALL: &str = "changes";
        let since = wire::literal(since);
        let soql = format!("SELECT {FIELDS} FROM UserServicePresence WHERE SystemModstamp>={since}");
        presence(CALL, vec![self.query(CALL, &soql).await?])
    }

    /// The presence statuses.
    ///
    /// # Errors
    /// A call failed, or a row of it is none: a status without one of its channels would be taken for another.
    pub async fn statuses(&self) -> Result<Vec<StatusEntry>, Error> {
        const CALL: &str = "statuses";
        let queries = [
            ("statuses", "SELECT Id,DeveloperName,MasterLabel FROM ServicePresenceStatus"),
            (
                "channels",
                "SELECT ServicePresenceStatusId,ServiceChannelId,ServiceChannel.DeveloperName FROM ServiceChannelStatus",
            ),
        ];
        let mut found = self.queries::<Box<RawValue>>(CALL, &queries).await?.into_iter();
        let (statuses, rows) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
        let mut channels: BTreeMap<PresenceStatusId, BTreeSet<String>> = BTreeMap::new();
        for raw in rows {
            let row = wire::channel(&raw).ok_or_else(|| odd(CALL, "a row of ServiceChannelStatus is none"));
            let (status, channel) = row?;
            channels.entry(status).or_default().insert(channel);
        }
        let status = |raw: Box<RawValue>| {
            let status: wire::Status = serde_json::from_str(raw.get()).ok()?;
            let id = status.id.parse().ok()?;
            Some(StatusEntry {
                status: id,
                label: status.master_label.unwrap_or_else(|| status.developer_name.clone()),
                developer_name: status.developer_name,
                channels: channels.remove(&id).unwrap_or_default().into_iter().collect(),
            })
        };
        let statuses: Option<Vec<StatusEntry>> = statuses.into_iter().map(status).collect();
        Ok(statuses.ok_or_else(|| odd(CALL, "a row of ServicePresenceStatus is none"))?)
    }

    /// The users that the service user may see, inactive ones too.
    ///
    /// # Errors
    /// A call failed.
    pub async fn users(&self) -> Result<Vec<UserEntry>, Error> {
        self.found_users(USERS_QUERY).await
    }

    /// Of these users those whom the service user may see. A call asks for 200 of them.
    ///
    /// # Errors
    /// A call failed.
    pub async fn users_of(&self, users: &[UserId]) -> Result<Vec<UserEntry>, Error> {
        let mut all = Vec::with_capacity(users.len());
        for some in users.chunks(USERS_AT_ONCE) {
            let ids: Vec<String> = some.iter().map(|user| format!("'{user}'")).collect();
            all.extend(self.found_users(&format!("{USERS_QUERY} WHERE Id IN ({})", ids.join(","))).await?);
        }
        Ok(all)
    }

    async fn found_users(&self, soql: &str) -> Result<Vec<UserEntry>, Error> {
        let user = |raw: Box<RawValue>| {
            let user: wire::User = serde_json::from_str(raw.get()).ok()?;
            Some(UserEntry {
                user: user.id.parse().ok()?,
                user_name: user.username.unwrap_or_default(),
                email: user.email.unwrap_or_default(),
                federation_id: user.federation_identifier.filter(|id| !id.is_empty()),
                is_active: user.is_active.unwrap_or(true),
            })
        };
        Ok(self.query(USERS, soql).await?.into_iter().filter_map(user).collect())
    }

    /// What is left of its allowances.
    ///
    /// # Errors
    /// A call failed.
    pub async fn limits(&self) -> Result<Allowances, Error> {
        let limits: wire::Limits = self.get("limits", &["limits"]).await?;
        Ok(Allowances {
            daily_api_requests: limits.daily_api_requests.map(Allowance::from),
            hourly_published_events: limits.hourly_published_platform_events.map(Allowance::from),
            daily_delivered_events: limits.daily_delivered_platform_events.map(Allowance::from),
        })
    }
}

/// The rows of some queries. A row that comes twice in one comes in place of another: a page was told twice.
fn presence(call: &'static str, found: Vec<Vec<Box<RawValue>>>) -> Result<Presence, Error> {
    let mut presence = Presence::default();
    for rows in found {
        let mut ids = BTreeSet::new();
        for raw in rows {
            match wire::row(&raw) {
                Some(row) if !ids.insert(row.id) => {
                    return Err(odd(call, "a row came twice, and another may be missing").into());
                }
                Some(row) => presence.rows.push(row),
                None => presence.unreadable.push(raw.get().to_owned()),
            }
        }
    }
    Ok(presence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(id: &str) -> Box<RawValue> {
        let row = serde_json::json!({
            "Id": id, "UserId": "005000000000001", "ServicePresenceStatusId": "0N5000000000001",
            "IsCurrentState": true, "StatusStartDate": "2026-01-05T10:00:00.000+0000",
            "SystemModstamp": "2026-01-05T10:00:00.000+0000",
        });
        serde_json::value::to_raw_value(&row).unwrap()
    }

    #[test]
    fn a_row_may_come_in_each_query_and_once_in_one() {
        let (one, other) = ("0Ps000000000001", "0Ps000000000002");
        for (found, rows) in [
            (vec![], Some(0)),
            (vec![vec![one, other]], Some(2)),
            (vec![vec![one], vec![one]], Some(2)),
            (vec![vec![one, "0Ps1", "0Ps1"]], Some(1)),
            (vec![vec![one, other, one]], None),
            (vec![vec![other], vec![one, one]], None),
        ] {
            let raws: Vec<Vec<_>> = found.iter().map(|ids| ids.iter().map(|id| raw(id)).collect()).collect();
            let presence = presence("snapshot", raws);
            assert_eq!(presence.as_ref().ok().map(|presence| presence.rows.len()), rows, "{found:?}");
            let total: usize = found.iter().map(Vec::len).sum();
            if let Ok(presence) = presence {
                assert_eq!(presence.rows.len() + presence.unreadable.len(), total, "{found:?}");
            }
        }
    }
}
