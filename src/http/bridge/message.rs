//! What is said over the bridge, as `docs/bridge-protocol.md` has it.

use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::{AgentId, Cause, RowId, SalesforceStatus, TimeMs};
use crate::engine::{Epoch, Sequence, Verdict};

/// The version of the protocol.
pub(super) const VERSION: u32 = 1;
/// A message has so many bytes at most.
pub(super) const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// What somebody reads has so many characters at most.
const DETAIL_CHARS_MAX: usize = 200;

/// What a browser says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
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

/// Who a browser is.
#[derive(Clone, PartialEq, Deserialize)]
pub(super) struct Hello {
    /// The version of the protocol.
    pub(super) protocol: u32,
    /// Who its user is.
    pub(super) token: String,
    /// The name that the page has given itself.
    pub(super) page: String,
    /// The highest epoch that the browser was told.
    #[serde(default)]
    pub(super) epoch: u64,
}

impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello").field("protocol", &self.protocol).field("page", &self.page).finish()
    }
}

impl Hello {
    /// Whether the page may call itself so.
    pub(super) fn has_name(&self) -> bool {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (8..=64).contains(&self.page.len()) && self.page.bytes().all(allowed)
    }
}

/// What a user is in, as his page finds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Shown {
    /// Null is Offline; that it is not there is no message.
    #[serde(default, deserialize_with = "given")]
    status: Option<Option<String>>,
    reason: Option<String>,
    row: Option<Row>,
    now: Option<String>,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Row {
    id: Option<String>,
    since: Option<String>,
}

/// The same, as it was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// What he is in.
    pub(super) status: SalesforceStatus,
    /// Who has changed it.
    pub(super) cause: Cause,
    /// Its row, where that is known.
    pub(super) row: Option<RowId>,
    /// Since when, by Salesforce's clock, where that is known.
    pub(super) since: Option<TimeMs>,
    /// What time it is there.
    pub(super) now: Option<TimeMs>,
}

impl Shown {
    /// What it says; none where it says nothing that can be.
    pub(super) fn told(&self) -> Option<Told> {
        let status = match self.status.as_ref()? {
            None => SalesforceStatus::Offline,
            Some(id) => SalesforceStatus::Presence(id.parse().ok()?),
        };
        let row = self.row.as_ref();
        let since = row.and_then(|row| row.since.as_deref()).map(time);
        let id = row.and_then(|row| row.id.as_deref()).map(str::parse::<RowId>);
        let now = self.now.as_deref().map(time);
        let (Some(since), Some(id), Some(now)) = (whole(since), whole(id.map(Result::ok)), whole(now)) else {
            return None;
        };
        let cause = self.reason.as_deref().map_or(Cause::Unknown, cause);
        // A row without a start says nothing of when it began, and Offline has none.
        let row = id.filter(|_| since.is_some() && !status.is_off());
        Some(Told { status, cause, row, since, now })
    }
}

/// What is not there may be missing; what is there has to be one.
const fn whole<T: Copy>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(some) => Some(some),
    }
}

/// Who has changed a status, by the reason of `lightning:omniChannelStatusChanged`. One that is not known tells nothing.
fn cause(reason: &str) -> Cause {
    match reason {
        "OmniManualStatusChange" => Cause::Agent,
        "OmniSupervisorStatusChange" => Cause::Supervisor,
        "OmniToolkitStatusChange" => Cause::Toolkit,
        "OmniDeclineWork" => Cause::Declined,
        "OmniPushTimeout" => Cause::PushTimeout,
        "OmniLoginStatusChange" => Cause::Login,
        _ => Cause::Unknown,
    }
}

/// A time as Apex and Salesforce's REST write it: `2026-01-05T10:00:00.000Z`, or with `+0000`.
fn time(text: &str) -> Option<TimeMs> {
    text.parse::<jiff::Timestamp>().ok().map(|at| TimeMs::from_unix_ms(at.as_millisecond()))
}

/// What became of a command, as a page says it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Done {
    command: String,
    result: Ended,
    detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ended {
    Done,
    Refused,
    Conflict,
    Unreachable,
}

impl Done {
    /// Which command it is about; none where that is none of ours.
    pub(super) fn command(&self) -> Option<CommandName> {
        CommandName::parse(&self.command)
    }

    /// What became of it.
    pub(super) const fn verdict(&self) -> Verdict {
        match self.result {
            Ended::Done => Verdict::Accepted,
            Ended::Refused => Verdict::Permanent,
            Ended::Conflict => Verdict::Conflict,
            Ended::Unreachable => Verdict::Unreachable,
        }
    }

    /// What the page says of it, for people.
    pub(super) fn detail(&self) -> Option<String> {
        let detail = self.detail.as_deref()?;
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        Some(detail.chars().take(DETAIL_CHARS_MAX).map(shown).collect())
    }
}

/// The name of a command: it says whose it is, so that nobody can speak of another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CommandName {
    /// The agent.
    pub(super) agent: AgentId,
    /// Its number among his commands.
    pub(super) sequence: Sequence,
    /// When it was issued.
    pub(super) issued: TimeMs,
}

impl CommandName {
    fn parse(text: &str) -> Option<CommandName> {
        let mut parts = text.split('/');
        let agent = parts.next()?.parse().ok()?;
        let sequence = Sequence(parts.next()?.parse().ok()?);
        let issued = TimeMs::from_unix_ms(parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(CommandName { agent, sequence, issued })
    }
}

impl std::fmt::Display for CommandName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.agent, self.sequence.0, self.issued.as_unix_ms())
    }
}

/// What a gateway says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Down {
    /// The browser is let in.
    Welcome {
        /// Its number, or that of who holds the agent.
        epoch: u64,
        /// Whether it holds the agent.
        holds: bool,
        /// How often something is heard, in s.
        heartbeat_s: u64,
        /// With what it sends messages that do not go over the connection itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// It holds the agent from now on.
    Hold {
        /// Its number.
        epoch: u64,
    },
    /// It holds him no more.
    StandBy,
    /// What it is to do.
    Command {
        /// The name of the command.
        command: String,
        /// What is higher is newer.
        order: (i64, u32),
        /// None logs him out.
        status: Option<String>,
    },
    /// Does it live?
    Ping,
    /// The connection ends.
    Bye {
        /// Why.
        reason: Reason,
        /// When it may come again, in ms.
        #[serde(skip_serializing_if = "Option::is_none")]
        again_after_ms: Option<u64>,
    },
}

impl Down {
    /// That he holds the agent, with this number.
    pub(super) const fn hold(epoch: Epoch) -> Down {
        Down::Hold { epoch: epoch.0 }
    }

    /// That it ends. Of many that are to come again not all come at once: `number` tells them apart.
    pub(super) const fn bye(reason: Reason, number: u64) -> Down {
        let again_after_ms = match reason {
            Reason::Token => Some(5_000 + number % 5_000),
            Reason::TooMany => Some(10_000 + number % 10_000),
            Reason::ShuttingDown => Some(500 + number % 10_000),
            Reason::Silent => Some(0),
            // It is of no use.
            Reason::Protocol | Reason::Replaced => None,
        };
        Down::Bye { reason, again_after_ms }
    }

    /// As it is sent.
    pub(super) fn text(&self) -> String {
        // Nothing of it can fail to be JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// Its token lets nobody in.
    Token,
    /// A message is none.
    Protocol,
    /// Too many connections or messages.
    TooMany,
    /// Nothing was heard of it.
    Silent,
    /// The same page has connected anew.
    Replaced,
    /// This gateway ends.
    ShuttingDown,
}

impl Reason {
    /// Its name, as metrics have it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Reason::Token => "token",
            Reason::Protocol => "protocol",
            Reason::TooMany => "too_many",
            Reason::Silent => "silent",
            Reason::Replaced => "replaced",
            Reason::ShuttingDown => "shutting_down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<Told> {
        match serde_json::from_str(text) {
            Ok(Up::Status(shown)) => shown.told(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_a_page_tells_of_a_status_is_understood_or_refused() {
        let lunch = SalesforceStatus::Presence("0N5000000000001".parse().unwrap());
        let row: RowId = "0Ps000000000001".parse().unwrap();
        let at = TimeMs::from_unix_ms(1_767_607_200_000);
        let plain = Told { status: lunch, cause: Cause::Unknown, row: None, since: None, now: None };
        for (text, expected) in [
            (r#"{"status":"0N5000000000001"}"#, Some(plain)),
            (
                r#"{"status":"0N5000000000001CAA","reason":"OmniManualStatusChange","row":{"id":"0Ps000000000001","since":"2026-01-05T10:00:00.000Z"},"now":"2026-01-05T10:00:00.000+0000"}"#,
                Some(Told { cause: Cause::Agent, row: Some(row), since: Some(at), now: Some(at), ..plain }),
            ),
            (
                r#"{"status":null,"row":{"since":"2026-01-05T10:00:00Z"}}"#,
                Some(Told { status: SalesforceStatus::Offline, since: Some(at), ..plain }),
            ),
            // A row without a start is none.
            (r#"{"status":"0N5000000000001","row":{"id":"0Ps000000000001"}}"#, Some(plain)),
            (r#"{"status":"0N5000000000001","reason":"OmniSomethingNew"}"#, Some(plain)),
            (r#"{"row":{"since":"2026-01-05T10:00:00Z"}}"#, None),
            (r#"{"status":"005000000000001"}"#, None),
            (r#"{"status":"0N5"}"#, None),
            (r#"{"status":"0N5000000000001","now":"soon"}"#, None),
            (r#"{"status":"0N5000000000001","row":{"id":"?","since":"2026-01-05T10:00:00Z"}}"#, None),
        ] {
            let text = text.replacen('{', r#"{"type":"status","#, 1);
            assert_eq!(told(&text), expected, "{text}");
        }
    }

    #[test]
    fn reasons_are_those_of_the_toolkit() {
        for (reason, expected) in [
            ("OmniManualStatusChange", Cause::Agent),
            ("OmniSupervisorStatusChange", Cause::Supervisor),
            ("OmniToolkitStatusChange", Cause::Toolkit),
            ("OmniDeclineWork", Cause::Declined),
            ("OmniPushTimeout", Cause::PushTimeout),
            ("OmniLoginStatusChange", Cause::Login),
            ("", Cause::Unknown),
        ] {
            assert_eq!(cause(reason), expected, "{reason}");
        }
    }

    #[test]
    fn a_command_is_called_the_same_by_both_sides() {
        let agent = "00000000-0000-5000-8000-000000000001".parse().unwrap();
        let name = CommandName { agent, sequence: Sequence(7), issued: TimeMs::from_unix_ms(12) };
        assert_eq!(CommandName::parse(&name.to_string()), Some(name));
        for wrong in ["", "7", "x/7/12", "00000000-0000-5000-8000-000000000001/7", &format!("{name}/1")] {
            assert_eq!(CommandName::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_sent_is_as_the_protocol_has_it() {
        for (down, text) in [
            (
                Down::Welcome { epoch: 7, holds: true, heartbeat_s: 20, session: None },
                r#"{"type":"welcome","epoch":7,"holds":true,"heartbeat_s":20}"#,
            ),
            (Down::hold(Epoch(8)), r#"{"type":"hold","epoch":8}"#),
            (Down::StandBy, r#"{"type":"stand_by"}"#),
            (Down::Ping, r#"{"type":"ping"}"#),
            (
                Down::Command { command: "c".to_owned(), order: (12, 7), status: None },
                r#"{"type":"command","command":"c","order":[12,7],"status":null}"#,
            ),
            (Down::bye(Reason::Replaced, 7), r#"{"type":"bye","reason":"replaced"}"#),
            (Down::bye(Reason::Token, 7), r#"{"type":"bye","reason":"token","again_after_ms":5007}"#),
        ] {
            assert_eq!(down.text(), text);
        }
    }

    #[test]
    fn a_token_is_in_no_log() {
        let text = r#"{"type":"hello","protocol":1,"token":"canary","page":"abcdefgh"}"#;
        let hello: Up = serde_json::from_str(text).unwrap();
        assert!(!format!("{hello:?}").contains("canary"));
    }
}
