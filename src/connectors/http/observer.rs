//! Who watches calls.

use std::time::Duration;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallClass {
    /// It was done.
    Done,
    /// 401: the token is none any more.
    Unauthorised,
    /// 403: a permission is missing.
    Forbidden,
    /// 429: too many calls.
    TooMany,
    /// Another 4xx.
    Refused,
    /// 5xx.
    Failed,
    /// Something that is no answer.
    Odd,
    /// It was not sent.
    NotSent,
    /// No answer came.
    NoAnswer,
}

impl CallClass {
    /// All of them.
    pub const ALL: [CallClass; 9] = [
        CallClass::Done,
        CallClass::Unauthorised,
        CallClass::Forbidden,
        CallClass::TooMany,
        CallClass::Refused,
        CallClass::Failed,
        CallClass::Odd,
        CallClass::NotSent,
        CallClass::NoAnswer,
    ];

    /// The class of a status. 304 says that nothing has changed.
    pub const fn of(status: u16) -> CallClass {
        match status {
            200..=299 | 304 => CallClass::Done,
            401 => CallClass::Unauthorised,
            403 => CallClass::Forbidden,
            429 => CallClass::TooMany,
            400..=499 => CallClass::Refused,
            500..=599 => CallClass::Failed,
            _ => CallClass::Odd,
        }
    }

    /// Its name, as metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            CallClass::Done => "done",
            CallClass::Unauthorised => "unauthorised",
            CallClass::Forbidden => "forbidden",
            CallClass::TooMany => "too_many",
            CallClass::Refused => "refused",
            CallClass::Failed => "failed",
            CallClass::Odd => "odd",
            CallClass::NotSent => "not_sent",
            CallClass::NoAnswer => "no_answer",
        }
    }
}

/// How much of its calls of a day an organisation has used, all of its programs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// So many of the last 24 hours.
    pub used: u64,
    /// So many there may be.
    pub max: u64,
}

/// Who watches the calls of an account.
pub trait Observer: Send + Sync {
    /// A call ended.
    fn called(&self, call: &'static str, class: CallClass, took: Duration);

    /// The platform's clock is so far ahead of ours.
    fn clock(&self, offset_ms: i64);

    /// The platform tells what is used of its allowance. Only some do.
    fn usage(&self, _: Usage) {}
}
