//! What can go wrong with an org.

use std::path::PathBuf;

use serde::Deserialize;

use crate::connectors::http::{self, Answer, Platform};
use crate::domain::{OrganisationId, Remedy};

/// A code is not longer: what is, is none.
const CODE_CHARS_MAX: usize = 64;
/// A description of Salesforce's is not longer.
const DESCRIPTION_CHARS_MAX: usize = 120;
/// A word is not longer; a token is.
const WORD_CHARS_MAX: usize = 20;

/// What went wrong with an org.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The way to it, or an answer that is none.
    #[error(transparent)]
    Call(#[from] http::Error),
    /// The log-in was refused.
    #[error("the log-in is refused: {code}{}: {mend}", described(description.as_deref()))]
    LogIn {
        /// OAuth's code, such as `invalid_grant`.
        code: String,
        /// What Salesforce says to it, where that can be no secret.
        description: Option<String>,
        /// Where to look.
        mend: &'static str,
    },
    /// The log-in in the browser ended without a code.
    #[error("the log-in in the browser came to nothing: {code}{}: {mend}", described(description.as_deref()))]
    Consent {
        /// OAuth's code, such as `access_denied`.
        code: String,
        /// What Salesforce says to it, where that can be no secret.
        description: Option<String>,
        /// What to do.
        mend: &'static str,
    },
    /// The token is of another organisation than the configured one.
    #[error(
        "the log-in leads to the organisation {came}, and {expected} is configured: nothing was read or set; look at `organisation_id`, and at which org the user and the app are of"
    )]
    OtherOrganisation {
        /// The configured one.
        expected: OrganisationId,
        /// That of the token.
        came: OrganisationId,
    },
    /// The file with the refresh token cannot be used.
    #[error("the refresh token in {} cannot be {what}: {why}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What was tried: `read` or `written`.
        what: &'static str,
        /// Why not, and what to do.
        why: String,
    },
    /// A call was refused, with a code that says for what.
    #[error("{call}: status {status}, {code}{}", described(shown.as_deref()))]
    Refused {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// Salesforce's code, such as `INVALID_FIELD`.
        code: String,
        /// What it says to it, where that may be shown.
        shown: Option<String>,
    },
}

fn described(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(" ({text})"))
}

/// An error as REST tells it; it tells them in a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    error_code: String,
    #[serde(default)]
    message: String,
}

impl Error {
    /// What a call's answer says that is no success.
    pub(super) fn of(platform: &Platform, answer: &Answer) -> Error {
        Error::of_body(platform, answer.call, answer.status, &answer.body)
    }

    /// The same of a call that is part of another.
    pub(super) fn of_body(platform: &Platform, call: &'static str, status: u16, body: &[u8]) -> Error {
        let told = serde_json::from_slice::<Vec<Told>>(body).ok().and_then(|told| told.into_iter().next());
        match told.filter(|told| is_code(&told.error_code)) {
            Some(Told { error_code: code, message }) => {
                Error::Refused { call, status, code, shown: platform.shown(message.as_bytes()) }
            }
            None => http::Error::Refused { call, status, shown: platform.shown(body) }.into(),
        }
    }

    /// What to do about it. Whether a call that was refused is to be made again, its caller knows better.
    pub fn remedy(&self) -> Remedy {
        match self {
            Error::Call(error) => error.remedy(),
            // Somebody has to mend it, in the org or in the configuration; who asks again then finds it mended.
            Error::LogIn { .. } | Error::Consent { .. } | Error::TokenFile { .. } => Remedy::Retry,
            Error::OtherOrganisation { .. } => Remedy::Stop,
            Error::Refused { status: 429 | 500.., .. } => Remedy::Retry,
            Error::Refused { .. } if self.is_used_up() => Remedy::Retry,
            Error::Refused { .. } => Remedy::Reject,
        }
    }

    /// The call that it is about; none where it is about the log-in, or no call.
    pub const fn call(&self) -> Option<&'static str> {
        match self {
            Error::Call(error) => error.call(),
            Error::Refused { call, .. } => Some(*call),
            Error::LogIn { .. }
            | Error::Consent { .. }
            | Error::OtherOrganisation { .. }
            | Error::TokenFile { .. } => None,
        }
    }

    /// Whether all calls of the day are used up, by whatever programs of the org: nothing works before some are free.
    pub fn is_used_up(&self) -> bool {
        matches!(self, Error::Refused { status: 403, code, .. } if code == "REQUEST_LIMIT_EXCEEDED")
    }

    /// Whether the user lacks a permission.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Error::Refused { status: 403, .. } => !self.is_used_up(),
            Error::Call(http::Error::Refused { status: 403, .. }) => true,
            _ => false,
        }
    }

    /// Whether the user may not see an object, or a field of it, that every org has. Salesforce says then that it has none.
    pub fn is_hidden(&self) -> bool {
        match self {
            Error::Refused { status: 400, code, .. } => code == "INVALID_TYPE" || code == "INVALID_FIELD",
            _ => self.is_forbidden(),
        }
    }

    /// Whether a person has to mend the log-in.
    pub const fn is_log_in(&self) -> bool {
        matches!(
            self,
            Error::LogIn { .. }
                | Error::Consent { .. }
                | Error::OtherOrganisation { .. }
                | Error::TokenFile { .. }
        )
    }
}

/// Whether a text can be a code: then it can be shown.
pub(super) fn is_code(text: &str) -> bool {
    let is_of_one = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    (1..=CODE_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_of_one)
}

/// A description, where it is plain words: no token, no key and no address of a person is.
pub(super) fn plain(text: &str) -> Option<String> {
    let is_word = |word: &str| {
        (1..=WORD_CHARS_MAX).contains(&word.len())
            && word
                .trim_end_matches([',', '.', ':'])
                .chars()
                .all(|c| c.is_ascii_alphabetic() || "'-_".contains(c))
    };
    let is_plain = text.len() <= DESCRIPTION_CHARS_MAX && text.contains(' ') && text.split(' ').all(is_word);
    is_plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::connectors::http::{CallClass, Limits, Observer, Rate, Settings};

    struct Nobody;

    impl Observer for Nobody {
        fn called(&self, _: &'static str, _: CallClass, _: Duration) {}

        fn clock(&self, _: i64) {}
    }

    fn platform(shows_answers: bool) -> Platform {
        let settings = Settings {
            rate: Rate { calls_per_minute: 60, burst: 1 },
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(1),
            proxy: None,
            ca_file: None,
            shows_answers,
        };
        Platform::new(settings, Arc::new(Nobody)).unwrap()
    }

    /// The errors of section 5 of the contract, and what is none.
    #[test]
    fn a_refusal_is_told_apart_by_its_code() {
        use Remedy::{Reject, Retry};
        let (used_up, forbidden) = ((true, false), (false, true));
        let neither = (false, false);
        for (status, body, code, which, remedy) in [
            (
                401,
                r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#,
                "INVALID_SESSION_ID",
                neither,
                Reject,
            ),
            (
                403,
                r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#,
                "REQUEST_LIMIT_EXCEEDED",
                used_up,
                Retry,
            ),
            (
                403,
                r#"[{"message":"No","errorCode":"INSUFFICIENT_ACCESS"},{"errorCode":"OTHER"}]"#,
                "INSUFFICIENT_ACCESS",
                forbidden,
                Reject,
            ),
            (404, r#"[{"errorCode":"NOT_FOUND"}]"#, "NOT_FOUND", neither, Reject),
            (
                503,
                r#"[{"message":"","errorCode":"SERVER_UNAVAILABLE"}]"#,
                "SERVER_UNAVAILABLE",
                neither,
                Retry,
            ),
            (403, "<html>no</html>", "", forbidden, Reject),
            (502, "<html>Bad gateway</html>", "", neither, Retry),
            (420, "", "", neither, Reject),
            (400, r#"[{"message":"x","errorCode":"00D!AQcAQ token"}]"#, "", neither, Reject),
            (400, r#"{"message":"x","errorCode":"NOT_IN_A_LIST"}"#, "", neither, Reject),
        ] {
            let error = Error::of_body(&platform(false), "query", status, body.as_bytes());
            let found = if let Error::Refused { code, .. } = &error { code.as_str() } else { "" };
            assert_eq!(found, code, "{body}");
            assert_eq!((error.is_used_up(), error.is_forbidden()), which, "{body}");
            assert_eq!(error.remedy(), remedy, "{body}");
            assert!(error.to_string().starts_with(&format!("query: status {status}")), "{error}");
        }
    }

    #[test]
    fn what_may_not_be_seen_is_told_apart_from_what_fails() {
        for (status, body, is_hidden) in [
            (403, r#"[{"errorCode":"INSUFFICIENT_ACCESS"}]"#, true),
            (403, "<html>no</html>", true),
            (400, r#"[{"errorCode":"INVALID_TYPE"}]"#, true),
            (400, r#"[{"errorCode":"INVALID_FIELD"}]"#, true),
            (400, r#"[{"errorCode":"MALFORMED_QUERY"}]"#, false),
            (403, r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#, false),
            (401, r#"[{"errorCode":"INVALID_SESSION_ID"}]"#, false),
            (404, r#"[{"errorCode":"NOT_FOUND"}]"#, false),
            (503, r#"[{"errorCode":"SERVER_UNAVAILABLE"}]"#, false),
        ] {
            let error = Error::of_body(&platform(false), "statuses", status, body.as_bytes());
            assert_eq!(error.is_hidden(), is_hidden, "{status} {body}");
        }
    }

    #[test]
    fn messages_are_shown_only_where_answers_may_be() {
        let body =
            br#"[{"message":"No such column 'Nmae' of jane@example.com","errorCode":"INVALID_FIELD"}]"#;
        for shows in [true, false] {
            let error = Error::of_body(&platform(shows), "query", 400, body);
            assert_eq!(error.to_string().contains("jane"), shows, "{error}");
            assert!(error.to_string().contains("INVALID_FIELD"), "{error}");
        }
    }

    #[test]
    fn a_description_is_plain_words_or_not_shown() {
        for (text, is_shown) in [
            ("authentication failure", true),
            ("user hasn't approved this consumer", true),
            ("invalid client credentials, or none.", true),
            ("user jane@example.com is not allowed", false),
            ("token 00D5e000000aBcD!AQcAQ is expired", false),
            ("secret hunter2 is wrong", false),
            ("the key aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa is none", false),
            ("canary", false),
            ("two  spaces", false),
            ("", false),
        ] {
            assert_eq!(plain(text).is_some(), is_shown, "{text}");
        }
    }
}
