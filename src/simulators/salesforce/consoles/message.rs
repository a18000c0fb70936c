//! What is said over the bridge, as a page says and hears it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::handle::Current;
use super::super::ids::long;
use super::super::presence::Reason;
use super::super::times::iso_z;
use crate::domain::{SalesforceStatus, TimeMs};

/// The version of the protocol.
pub(super) const VERSION: u32 = 1;
/// The protocol's name on a WebSocket.
pub(super) const SUBPROTOCOL: &str = "lockstep.bridge.v1";

/// What a page says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Up {
    /// Who it is; first of all.
    Hello(Hello),
    /// What its user is in.
    Status(Shown),
    /// What became of a command.
    Outcome(Done),
    /// It lives.
    Pong,
}

impl Up {
    /// As it is sent.
    pub(super) fn text(&self) -> String {
        // Nothing of it can fail to be JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Who a page is.
#[derive(Clone, PartialEq, Serialize)]
pub(super) struct Hello {
    /// The version of the protocol.
    pub(super) protocol: u32,
    /// Who its user is, as Apex signs it.
    pub(super) token: String,
    /// The name that it has given itself.
    pub(super) page: String,
    /// The highest epoch that its browser was told.
    pub(super) epoch: u64,
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello").field("page", &self.page).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// What a user is in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Shown {
    /// None is Offline.
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<ShownRow>,
    now: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    since: String,
}

impl Shown {
    /// What Apex found, for this reason; without the row where it may not see rows.
    pub(super) fn of(current: &Current, reason: Option<Reason>, sees_rows: bool) -> Shown {
        let (status, row) = match current.status {
            SalesforceStatus::Presence(id) => {
                let row = current.row.map(|(id, since)| (Some(long(id.id())), since));
                (Some(id.to_string()), row)
            }
            SalesforceStatus::Offline => (None, current.ended.map(|ended| (None, ended))),
        };
        let row = row.filter(|_| sees_rows);
        let row = row.map(|(id, since): (Option<String>, TimeMs)| ShownRow { id, since: iso_z(since) });
        Shown { status, reason: reason.map(Reason::name), row, now: iso_z(current.now) }
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Done {
    /// Its name.
    pub(super) command: String,
    /// What became of it.
    pub(super) result: Outcome,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
}

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The toolkit has done it.
    Done,
    /// This user may not have this status.
    Refused,
    /// It does not go now.
    Conflict,
    /// He is Offline.
    Unreachable,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 4] = [Outcome::Done, Outcome::Refused, Outcome::Conflict, Outcome::Unreachable];

    /// Its name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Conflict => "conflict",
            Outcome::Unreachable => "unreachable",
        }
    }
}

/// What a gateway says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Down {
    /// The page is let in.
    Welcome {
        /// Its number, or that of who holds the agent.
        epoch: u64,
        /// Whether it holds him.
        holds: bool,
        /// How often something is heard, in s.
        heartbeat_s: u64,
        /// With what it posts.
        session: Option<Session>,
    },
    /// It holds him from now on.
    Hold {
        /// Its number.
        epoch: u64,
    },
    /// It holds him no more.
    StandBy,
    /// What it is to do.
    Command(Command),
    /// Does it live?
    Ping,
    /// The connection ends.
    Bye {
        /// Why.
        reason: Bye,
        /// When to come again, in ms; without it, not by itself.
        again_after_ms: Option<u64>,
    },
}

/// What a page is to do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Command {
    /// Its name.
    pub(super) command: String,
    /// What is higher is newer.
    pub(super) order: Order,
    /// None logs out. What is left out is no null: nobody is to be logged out by a message that lacks something.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) status: Option<String>,
}

/// Two numbers that rise with each command of an agent; the first counts first.
pub(super) type Order = (i64, i64);

/// With what a page posts; no log has it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Session(pub(super) String);

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// Why a gateway ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bye {
    /// The token lets nobody in.
    Token,
    /// A message was none.
    Protocol,
    /// Too many connections, or messages.
    TooMany,
    /// Nothing was heard.
    Silent,
    /// The same page has connected anew.
    Replaced,
    /// The gateway ends.
    ShuttingDown,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

impl Bye {
    /// All of them.
    pub(super) const ALL: [Bye; 7] =
        [Bye::Token, Bye::Protocol, Bye::TooMany, Bye::Silent, Bye::Replaced, Bye::ShuttingDown, Bye::Other];

    /// Its name in the protocol.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Bye::Token => "token",
            Bye::Protocol => "protocol",
            Bye::TooMany => "too_many",
            Bye::Silent => "silent",
            Bye::Replaced => "replaced",
            Bye::ShuttingDown => "shutting_down",
            Bye::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ids;
    use super::*;
    use crate::domain::DurationMs;

    #[test]
    fn what_is_said_is_as_the_protocol_has_it() {
        let at = TimeMs::from_unix_ms(1_767_607_200_000);
        let in_lunch = Current {
            status: SalesforceStatus::Presence(ids::status(5)),
            row: Some((ids::row(1), at)),
            ended: None,
            now: at + DurationMs::from_seconds(1),
        };
        let gap = Current { row: None, ..in_lunch };
        let gone = Current { status: SalesforceStatus::Offline, row: None, ended: Some(at), ..in_lunch };
        let now = r#""now":"2026-01-05T10:00:01.000Z"}"#;
        let shown = |current, reason, sees_rows| Up::Status(Shown::of(&current, reason, sees_rows));
        let done = |detail: Option<&str>| {
            let detail = detail.map(str::to_owned);
            Up::Outcome(Done { command: "a/1/2".to_owned(), result: Outcome::Unreachable, detail })
        };
        let hello = Hello { protocol: 1, token: "t".to_owned(), page: "p-1".to_owned(), epoch: 7 };
        for (up, text) in [
            (
                Up::Hello(hello),
                r#"{"type":"hello","protocol":1,"token":"t","page":"p-1","epoch":7}"#.to_owned(),
            ),
            (
                shown(in_lunch, Some(Reason::Manual), true),
                format!(
                    r#"{{"type":"status","status":"0N55g0000000005","reason":"OmniManualStatusChange","row":{{"id":"{}","since":"2026-01-05T10:00:00.000Z"}},{now}"#,
                    long(ids::row(1).id())
                ),
            ),
            (shown(gap, None, true), format!(r#"{{"type":"status","status":"0N55g0000000005",{now}"#)),
            (shown(in_lunch, None, false), format!(r#"{{"type":"status","status":"0N55g0000000005",{now}"#)),
            (
                shown(gone, None, true),
                format!(
                    r#"{{"type":"status","status":null,"row":{{"since":"2026-01-05T10:00:00.000Z"}},{now}"#
                ),
            ),
            (done(None), r#"{"type":"outcome","command":"a/1/2","result":"unreachable"}"#.to_owned()),
            (
                done(Some("why")),
                r#"{"type":"outcome","command":"a/1/2","result":"unreachable","detail":"why"}"#.to_owned(),
            ),
            (Up::Pong, r#"{"type":"pong"}"#.to_owned()),
        ] {
            assert_eq!(up.text(), text);
        }
    }

    #[test]
    fn what_a_gateway_says_is_understood() {
        let command = |status: Option<&str>| {
            let status = status.map(str::to_owned);
            Some(Down::Command(Command { command: "c".to_owned(), order: (12, 7), status }))
        };
        let welcome = |session| Some(Down::Welcome { epoch: 7, holds: true, heartbeat_s: 20, session });
        let session = Session("s".to_owned());
        for (text, expected) in [
            (r#"{"type":"welcome","epoch":7,"holds":true,"heartbeat_s":20}"#, welcome(None)),
            (
                r#"{"type":"welcome","epoch":7,"holds":true,"heartbeat_s":20,"session":"s"}"#,
                welcome(Some(session)),
            ),
            (r#"{"type":"hold","epoch":8}"#, Some(Down::Hold { epoch: 8 })),
            (r#"{"type":"stand_by"}"#, Some(Down::StandBy)),
            (r#"{"type":"ping"}"#, Some(Down::Ping)),
            (r#"{"type":"command","command":"c","order":[12,7],"status":null}"#, command(None)),
            (r#"{"type":"command","command":"c","order":[12,7],"status":"s"}"#, command(Some("s"))),
            // It would log him out.
            (r#"{"type":"command","command":"c","order":[12,7]}"#, None),
            (
                r#"{"type":"bye","reason":"replaced"}"#,
                Some(Down::Bye { reason: Bye::Replaced, again_after_ms: None }),
            ),
            (
                r#"{"type":"bye","reason":"something_new","again_after_ms":5}"#,
                Some(Down::Bye { reason: Bye::Other, again_after_ms: Some(5) }),
            ),
            (r#"{"type":"something_new"}"#, None),
            ("", None),
        ] {
            assert_eq!(serde_json::from_str(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn secrets_are_in_no_log() {
        let hello = Hello { protocol: 1, token: "canary".to_owned(), page: "p-1".to_owned(), epoch: 7 };
        let shown = format!("{hello:?} {:?}", Session("canary".to_owned()));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
