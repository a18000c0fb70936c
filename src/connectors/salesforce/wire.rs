//! What Salesforce answers, as far as it is needed. Rows are read one by one, so that one odd row is no odd page.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::reads::Row;
use crate::domain::{PresenceStatusId, TimeMs};

/// A page of what a query found.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    /// How many rows all pages have.
    pub(super) total_size: Option<u64>,
    pub(super) done: Option<bool>,
    pub(super) next_records_url: Option<String>,
    pub(super) records: Vec<T>,
}

/// Several calls in one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Composite<'c> {
    pub(super) composite_request: Vec<Part<'c>>,
}

/// One of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'c> {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) reference_id: &'c str,
}

/// What came of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Composed {
    pub(super) composite_response: Vec<PartAnswer>,
}

/// What came of one of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartAnswer {
    pub(super) body: Box<RawValue>,
    pub(super) http_status_code: u16,
    pub(super) reference_id: String,
}

/// A row of `UserServicePresence`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Presence {
    id: String,
    user_id: String,
    service_presence_status_id: String,
    is_current_state: bool,
    status_start_date: String,
    status_end_date: Option<String>,
    system_modstamp: String,
}

/// A `ServicePresenceStatus`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Status {
    pub(super) id: String,
    pub(super) developer_name: String,
    pub(super) master_label: Option<String>,
}

/// A `ServiceChannelStatus`: a status takes work of a channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Channel {
    service_presence_status_id: String,
    service_channel_id: String,
    /// None where the user may not see it.
    service_channel: Option<Named>,
}

/// What a row leads to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    developer_name: Option<String>,
}

/// A `User`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) federation_identifier: Option<String>,
    pub(super) is_active: Option<bool>,
}

/// How much of something there may be, and is left.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Left {
    pub(super) max: u64,
    pub(super) remaining: u64,
}

/// What the org may do in a day or an hour.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Limits {
    pub(super) daily_api_requests: Option<Left>,
    pub(super) hourly_published_platform_events: Option<Left>,
    pub(super) daily_delivered_platform_events: Option<Left>,
}

/// A row, where it can be read.
pub(super) fn row(raw: &RawValue) -> Option<Row> {
    let row: Presence = serde_json::from_str(raw.get()).ok()?;
    Some(Row {
        id: row.id.parse().ok()?,
        user: row.user_id.parse().ok()?,
        status: row.service_presence_status_id.parse().ok()?,
        is_current: row.is_current_state,
        started: time(&row.status_start_date)?,
        ended: match row.status_end_date {
            None => None,
            Some(text) => Some(time(&text)?),
        },
        modified: time(&row.system_modstamp)?,
    })
}

/// A status and a channel that it takes work of, where that can be read. A channel without a name goes by its id.
pub(super) fn channel(raw: &RawValue) -> Option<(PresenceStatusId, String)> {
    let row: Channel = serde_json::from_str(raw.get()).ok()?;
    let name = row.service_channel.and_then(|channel| channel.developer_name);
    let name = name.filter(|name| !name.is_empty()).unwrap_or(row.service_channel_id);
    Some((row.service_presence_status_id.parse().ok()?, name))
}

/// A time as Salesforce writes it: `2026-01-05T10:00:00.000+0000`.
pub(super) fn time(text: &str) -> Option<TimeMs> {
    let at: Timestamp = text.trim().parse().ok()?;
    Some(TimeMs::from_unix_ms(at.as_millisecond()))
}

/// A time as a query has it: `2026-01-05T10:00:00.000Z`.
pub(super) fn literal(at: TimeMs) -> String {
    let at = Timestamp::from_millisecond(at.as_unix_ms()).unwrap_or_default();
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    const ROW: &str = r#"{"attributes":{"type":"UserServicePresence","url":"/services/data/v62.0/sobjects/UserServicePresence/0Ps000000000001"},
        "Id":"0Ps000000000001","UserId":"005000000000001","ServicePresenceStatusId":"0N5000000000001","IsCurrentState":true,
        "StatusStartDate":"2026-01-05T10:00:00.000+0000","StatusEndDate":null,"SystemModstamp":"2026-01-05T10:00:01.500+0000"}"#;

    #[test]
    fn a_row_is_read_or_it_is_none() {
        let row_of = |from: &str, to: &str| {
            assert!(ROW.contains(from), "{from}");
            row(&raw(&ROW.replace(from, to)))
        };
        let known = row(&raw(ROW)).unwrap();
        assert_eq!((known.started, known.ended), (TimeMs::from_unix_ms(1_767_607_200_000), None));
        assert_eq!(known.modified, TimeMs::from_unix_ms(1_767_607_201_500));
        assert!(known.is_current);
        let ended =
            row_of("\"StatusEndDate\":null", "\"StatusEndDate\":\"2026-01-05T10:00:01.000+0000\"").unwrap();
        assert_eq!(ended.ended, Some(TimeMs::from_unix_ms(1_767_607_201_000)));
        assert_eq!(row_of("\"StatusEndDate\":null,", "").unwrap(), known, "absent is null");
        for (from, to) in [
            ("\"0Ps000000000001\"", "\"0Ps1\""),
            ("\"005000000000001\"", "null"),
            ("\"005000000000001\"", "\"00D000000000001\""),
            ("\"0N5000000000001\"", "\"0N5000000000001AAB\""),
            ("\"IsCurrentState\":true", "\"IsCurrentState\":\"yes\""),
            ("\"2026-01-05T10:00:00.000+0000\"", "\"soon\""),
            ("\"StatusEndDate\":null", "\"StatusEndDate\":\"never\""),
            ("\"SystemModstamp\"", "\"Other\""),
        ] {
            assert_eq!(row_of(from, to), None, "{to}");
        }
        for text in ["null", "7", "[]", "{}"] {
            assert_eq!(row(&raw(text)), None, "{text}");
        }
    }

    #[test]
    fn a_channel_has_a_name_or_its_id() {
        let row = r#"{"ServicePresenceStatusId":"0N5000000000001CAA","ServiceChannelId":"0N9000000000001","ServiceChannel":NAMED}"#;
        for (named, expected) in [
            (r#"{"attributes":{},"DeveloperName":"Chat"}"#, Some("Chat")),
            (r#"{"DeveloperName":null}"#, Some("0N9000000000001")),
            (r#"{"DeveloperName":""}"#, Some("0N9000000000001")),
            ("null", Some("0N9000000000001")),
            ("7", None),
        ] {
            let found = channel(&raw(&row.replace("NAMED", named)));
            assert_eq!(found.as_ref().map(|(_, name)| name.as_str()), expected, "{named}");
        }
        let elsewhere = row.replace("0N5000000000001CAA", "005000000000001").replace("NAMED", "null");
        assert_eq!(channel(&raw(&elsewhere)), None);
    }

    #[test]
    fn ids_of_both_lengths_are_one() {
        let long = "005000000000001".parse::<crate::domain::UserId>().unwrap();
        let text = ROW.replace("\"005000000000001\"", "\"005000000000001AAA\"");
        assert_eq!(row(&raw(&text)).unwrap().user, long);
    }

    #[test]
    fn times_are_read_and_written_to_the_millisecond() {
        let at = TimeMs::from_unix_ms(1_767_607_200_720);
        for text in
            ["2026-01-05T10:00:00.720+0000", "2026-01-05T11:00:00.720+0100", "2026-01-05T10:00:00.720Z"]
        {
            assert_eq!(time(text), Some(at), "{text}");
        }
        assert_eq!((time("2026-01-05"), time("")), (None, None));
        assert_eq!(literal(at), "2026-01-05T10:00:00.720Z");
        assert_eq!(literal(TimeMs::from_unix_ms(1_767_607_200_000)), "2026-01-05T10:00:00.000Z");
        assert_eq!(time(&literal(TimeMs::ZERO)), Some(TimeMs::ZERO));
    }

    #[test]
    fn a_page_is_read_with_rows_of_any_kind() {
        let text = format!(
            r#"{{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v62.0/query/01g-2000","records":[{ROW},null]}}"#
        );
        let page: Page<Box<RawValue>> = serde_json::from_str(&text).unwrap();
        assert_eq!((page.total_size, page.done), (Some(2), Some(false)));
        assert_eq!(page.records.iter().filter(|raw| row(raw).is_some()).count(), 1);
        assert!(serde_json::from_str::<Page<Box<RawValue>>>("{}").is_err(), "no rows is no page");
    }
}
